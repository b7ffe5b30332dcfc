//! The sandbox, seen through the session runtime's traits.

use pointsman_contract::{Event, Failure, FailureCode, Inspection, Moment, StartInfo, Step};
use pointsman_sandbox::{Instance, Sandbox, Strategy, Workers};
use pointsman_session::runtime;
use std::time::Duration;

/// A loaded strategy that sessions can be made of.
pub struct Program {
    /// Where they run.
    pub sandbox: Sandbox,
    /// What they run.
    pub strategy: Strategy,
    /// Bytes that a session of it may grow to.
    pub memory: usize,
}

impl runtime::Program for Program {
    fn instantiate(&self, info: &runtime::Info) -> Result<Box<dyn runtime::Strategy>, Failure> {
        self.instantiate_within(info, None)
    }
}

impl Program {
    /// The same, and no step of it may take longer than this.
    pub(crate) fn instantiate_within(
        &self,
        _: &runtime::Info,
        longest: Option<Duration>,
    ) -> Result<Box<dyn runtime::Strategy>, Failure> {
        match self.sandbox.instantiate(&self.strategy, self.memory) {
            Ok(mut instance) => {
                if let Some(longest) = longest {
                    instance.limit_steps(longest);
                }
                Ok(Box::new(Sandboxed(instance)))
            }
            Err(e) => Err(Failure {
                code: FailureCode::Start,
                message: e.to_string(),
            }),
        }
    }
}

struct Sandboxed(Instance);

/// The runtime's reads as the sandbox wants them; the runtime itself records the answers.
struct Through<'a>(&'a mut dyn runtime::Reads);

impl pointsman_sandbox::Reads for Through<'_> {
    fn read(&mut self, source: &str, key: &str) -> Result<String, String> {
        self.0.read(source, key)
    }
}

impl runtime::Strategy for Sandboxed {
    fn start(&mut self, moment: Moment, info: &StartInfo, reads: &mut dyn runtime::Reads) -> Result<Step, Failure> {
        self.0.start(moment, info, &mut Through(reads)).map(|o| o.step)
    }

    fn handle(&mut self, moment: Moment, event: &Event, reads: &mut dyn runtime::Reads) -> Result<Step, Failure> {
        self.0.handle(moment, event, &mut Through(reads)).map(|o| o.step)
    }

    fn inspect(&mut self) -> Result<Inspection, Failure> {
        self.0.inspect()
    }
}

/// The workers as the runtime's executor.
pub struct Lanes(pub Workers);

impl runtime::Executor for Lanes {
    fn run(&self, lane: usize, job: runtime::Job) -> Result<(), runtime::Busy> {
        self.0.run(lane, job).map_err(|_| runtime::Busy)
    }

    fn overdue(&self) -> bool {
        Workers::overdue()
    }
}
