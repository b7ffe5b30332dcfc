//! Many sessions on one thread, all at the same event of their call: every event finds the caches full of another session.

use crate::call::{Tally, moment, start_info};
use crate::clock::{Stopwatch, Took};
use crate::strategy::MEMORY;
use anyhow::Result;
use pointsman_contract::Event;
use pointsman_sandbox::{Instance, NoReads, Sandbox, Strategy};
use std::time::Instant;

/// Sessions that have begun.
pub struct Lockstep {
    instances: Vec<Instance>,
    calls: usize,
    tally: Tally,
}

impl Lockstep {
    /// Begins so many sessions for so many calls each.
    pub fn begin(sandbox: &Sandbox, strategy: &Strategy, sessions: usize, calls: usize) -> Result<Self> {
        let info = start_info(calls);
        let mut tally = Tally::default();
        let mut instances = Vec::with_capacity(sessions);
        for _ in 0..sessions {
            let mut instance = sandbox.instantiate(strategy, MEMORY)?;
            tally.count(&instance.start(moment(0), &info, &mut NoReads)?.step, calls)?;
            instances.push(instance);
        }
        Ok(Lockstep {
            instances,
            calls,
            tally,
        })
    }

    /// Gives all sessions these events of their call number `call`.
    pub fn handle(&mut self, call: usize, events: &[Event], mut sample: impl FnMut(usize, Instant)) -> Result<()> {
        for (i, event) in events.iter().enumerate() {
            for instance in &mut self.instances {
                let began = Instant::now();
                let outcome = instance.handle(moment(1 + call * events.len() + i), event, &mut NoReads)?;
                sample(i, began);
                self.tally.count(&outcome.step, self.calls)?;
            }
        }
        Ok(())
    }

    /// All calls to their end, timed; fails unless they ended as they should.
    pub fn finish(mut self, events: &[Event]) -> Result<(Took, Tally)> {
        let watch = Stopwatch::of_thread();
        for call in 0..self.calls {
            self.handle(call, events, |_, _| ())?;
        }
        let took = watch.took();
        self.check()?;
        Ok((took, self.tally))
    }

    /// Fails unless all sessions have ended as they should.
    pub fn check(&self) -> Result<()> {
        self.tally.check(self.instances.len(), self.calls)
    }
}
