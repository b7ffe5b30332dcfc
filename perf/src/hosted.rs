//! A loaded strategy behind the session runtime's traits, as the server puts it there, and somebody who watches its steps.

use crate::strategy::MEMORY;
use pointsman_contract::{Event, Failure, FailureCode, Inspection, Moment, StartInfo, Step};
use pointsman_sandbox::{Instance, Sandbox, Strategy, Workers};
use pointsman_session::runtime::{self, Busy, Executor, HostData, Info, Job, Program, Reads};
use std::sync::Arc;

/// Hears of every call into a sandbox that went well, on the thread that made it.
pub trait Observer: Send + Sync {
    /// A call is over: of this event, or of the session's start where there is none.
    fn stepped(&self, event: Option<&Event>, step: &Step);
}

/// Takes no notice.
pub struct Nobody;

impl Observer for Nobody {
    fn stepped(&self, _: Option<&Event>, _: &Step) {}
}

/// A strategy as a program of the runtime.
pub struct Loaded {
    pub sandbox: Sandbox,
    pub strategy: Strategy,
    pub observer: Arc<dyn Observer>,
}

impl Program for Loaded {
    fn instantiate(&self, _: &Info) -> Result<Box<dyn runtime::Strategy>, Failure> {
        match self.sandbox.instantiate(&self.strategy, MEMORY) {
            Ok(instance) => Ok(Box::new(Running(instance, self.observer.clone()))),
            Err(e) => Err(Failure {
                code: FailureCode::Start,
                message: format!("no sandbox: {e}"),
            }),
        }
    }
}

/// One session's instance.
struct Running(Instance, Arc<dyn Observer>);

/// The runtime's way of reading data as the sandbox's.
struct Data<'a>(&'a mut dyn Reads);

impl pointsman_sandbox::Reads for Data<'_> {
    fn read(&mut self, source: &str, key: &str) -> Result<String, String> {
        self.0.read(source, key)
    }
}

impl runtime::Strategy for Running {
    fn start(&mut self, moment: Moment, info: &StartInfo, reads: &mut dyn Reads) -> Result<Step, Failure> {
        let step = self.0.start(moment, info, &mut Data(reads))?.step;
        self.1.stepped(None, &step);
        Ok(step)
    }

    fn handle(&mut self, moment: Moment, event: &Event, reads: &mut dyn Reads) -> Result<Step, Failure> {
        let step = self.0.handle(moment, event, &mut Data(reads))?.step;
        self.1.stepped(Some(event), &step);
        Ok(step)
    }

    fn inspect(&mut self) -> Result<Inspection, Failure> {
        self.0.inspect()
    }
}

/// The sandbox's threads as the runtime's executor.
pub struct Threads(pub Workers);

impl Executor for Threads {
    fn run(&self, lane: usize, job: Job) -> Result<(), Busy> {
        self.0.run(lane, job).map_err(|_| Busy)
    }

    fn overdue(&self) -> bool {
        Workers::overdue()
    }
}

/// A host without data.
pub struct NoData;

impl HostData for NoData {
    fn read(&self, _: &Info, source: &str, key: &str) -> Result<String, String> {
        Err(format!("there is no `{key}` in `{source}` here"))
    }
}
