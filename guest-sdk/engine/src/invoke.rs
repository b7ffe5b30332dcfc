//! Sessions that live while a state is active (W3C SCXML 6.4 and 6.5). The host starts and ends them; here is when.

use crate::exports_types::{Command, EventKind, Failure, Invoke};
use crate::js::{global, Value};
use crate::output;
use crate::session::{Session, Stop};
use pointsman_chart::{self as chart, StateId};

/// An invocation that has begun and was not cancelled.
pub struct Invoked {
    state: StateId,
    invoke: &'static chart::Invoke,
    id: String,
}

impl Session {
    /// At the end of a macrostep: begins what the states that were entered and not left again invoke. One that cannot be begun is
    /// an error of the document.
    pub fn invoke_entered(&mut self) -> Result<(), Failure> {
        let entered: Vec<StateId> = self.to_invoke.iter().collect();
        self.to_invoke.clear();
        for s in entered {
            for invoke in &self.state(s).invokes {
                if let Err(stop) = self.invoke(s, invoke) {
                    self.stopped(stop, invoke.at, None)?;
                }
            }
        }
        Ok(())
    }

    fn invoke(&mut self, state: StateId, invoke: &'static chart::Invoke) -> Result<(), Stop> {
        let id = match &invoke.id {
            Some(id) => id.clone(),
            None => self.new_id(&self.state(state).id),
        };
        if let Some(location) = invoke.idlocation {
            self.assign(location, Value::string(&id)?, false)?;
        }
        let processor = invoke.processor.as_ref().map(|a| self.attribute(a)).transpose()?;
        let src = invoke.src.as_ref().map(|a| self.attribute(a)).transpose()?;
        let content = match &invoke.content {
            // A document is text for whoever starts it.
            Some(chart::Content::Xml(markup)) => Some(markup.clone()),
            Some(content) => Some(self.content(content)?.text()?),
            None => None,
        };
        let params = match self.payload(&invoke.namelist, &invoke.params)? {
            Some(object) => object.json()?,
            None => None,
        };
        let command = Invoke {
            id: id.clone(),
            processor,
            src,
            content,
            params: params.unwrap_or_else(|| "{}".into()),
            autoforward: invoke.autoforward,
        };
        output::of_call().command(&self.limits, Command::Invoke(command))?;
        self.invoked.push(Invoked { state, invoke, id });
        Ok(())
    }

    /// A state has been left: what it has invoked ends.
    pub fn cancel_invoked(&mut self, state: StateId) -> Result<(), Failure> {
        self.to_invoke.remove(state);
        let (cancelled, kept) = core::mem::take(&mut self.invoked).into_iter().partition(|i| i.state == state);
        self.invoked = kept;
        let cancelled: Vec<Invoked> = cancelled;
        for i in cancelled {
            output::of_call().command(&self.limits, Command::CancelInvoke(i.id))?;
        }
        Ok(())
    }

    /// Before an event that comes from an invocation is handled: its `finalize`. `_event` is that event already.
    pub fn finalize(&mut self, id: &str, kind: EventKind) -> Result<(), Failure> {
        let of_this: Vec<_> = self.invoked.iter().filter(|i| i.id == id).map(|i| i.invoke).collect();
        for invoke in of_this {
            if let Some(block) = invoke.finalize {
                self.run_block(block)?;
            }
            // An error of the platform gives nothing back.
            for (name, location) in invoke.returns.iter().filter(|_| kind == EventKind::External) {
                if let Err(stop) = self.take_back(name, *location) {
                    self.stopped(stop, invoke.at, None)?;
                }
            }
        }
        Ok(())
    }

    fn take_back(&mut self, name: &str, location: chart::ExprId) -> Result<(), Stop> {
        let data = global().get("_event")?.get("data")?;
        if data.has_own(name) {
            self.assign(location, data.get(name)?, false)?;
        }
        Ok(())
    }
}
