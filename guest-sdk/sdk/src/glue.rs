//! What [`export!`](crate::export) expands to. Not for direct use.

use crate::bindings::{Event, Failure, Inspection, Moment, StartInfo, Step};
use crate::{Context, Start, Strategy};
use std::cell::RefCell;

struct Session<S> {
    strategy: S,
    ids: u32,
    active: Vec<String>,
}

/// The one session of this instance.
pub struct Cell<S>(RefCell<Option<Session<S>>>);

// SAFETY: a WebAssembly instance has one thread.
unsafe impl<S> Sync for Cell<S> {}

impl<S: Strategy> Cell<S> {
    /// Empty.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Cell(RefCell::new(None))
    }

    /// The contract's `start`.
    pub fn start(&self, moment: Moment, info: StartInfo) -> Result<Step, Failure> {
        let start = Start::try_from(info).map_err(|message| Failure { code: "start".into(), message })?;
        let mut cx = Context::new(moment, 0);
        let strategy = S::start(&start, &mut cx);
        let (mut step, ids) = cx.into_parts();
        let active = step.active.get_or_insert_with(|| vec!["waiting".into()]).clone();
        *self.0.borrow_mut() = Some(Session { strategy, ids, active });
        Ok(step)
    }

    /// The contract's `handle`.
    pub fn handle(&self, moment: Moment, event: Event) -> Result<Step, Failure> {
        let mut slot = self.0.borrow_mut();
        let session = slot
            .as_mut()
            .ok_or_else(|| Failure { code: "internal".into(), message: "an event before the start".into() })?;
        let mut cx = Context::new(moment, session.ids);
        session.strategy.handle(&event.into(), &mut cx);
        let (step, ids) = cx.into_parts();
        session.ids = ids;
        if let Some(active) = &step.active {
            session.active.clone_from(active);
        }
        Ok(step)
    }

    /// The contract's `inspect`.
    pub fn inspect(&self) -> Inspection {
        match self.0.borrow().as_ref() {
            Some(s) => {
                Inspection { configuration: s.active.clone(), datamodel: s.strategy.inspect().to_string() }
            }
            None => Inspection { configuration: Vec::new(), datamodel: "{}".into() },
        }
    }
}
