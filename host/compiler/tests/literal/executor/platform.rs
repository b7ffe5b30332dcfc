//! What the standard leaves to the platform or says outside of appendix D: the datamodel, executable content, events,
//! limits.

use super::{Arrow, Done, Event, Executor, Limit, MAX_TRACE, StateId};
use crate::ecmascript::{self, Members, Scope, Thrown, Value, through_json};
use pointsman_scxml::model::{
    Attribute, Block, Data, Datamodel, DoneData, Executable, Operation, Param, Position, Send, Text, Value as Given,
};
use std::ops::ControlFlow;

impl<'d> Executor<'d> {
    pub(super) fn initialize_data_model(&mut self, data: &'d [Data], params: &Members) -> Done {
        for d in data {
            let given = params.iter().find(|(name, _)| *name == d.id);
            let value = match (given, &d.value) {
                (Some((_, value)), _) => Ok(value.clone()),
                (None, None) => continue,
                (None, Some(value)) => self.given(value),
            };
            match value {
                Ok(value) => drop(self.datamodel.insert(d.id.clone(), value)),
                Err(Thrown) => self.error(d.at)?,
            }
        }
        Ok(())
    }

    pub(super) fn execute_global_script_element(&mut self) -> Done {
        for script in &self.source.document.scripts {
            if let Err(Thrown) = self.script(&script.source.text) {
                self.error(script.source.at)?;
            }
        }
        Ok(())
    }

    pub(super) fn condition_match(&mut self, t: Arrow<'d>) -> Result<bool, Limit> {
        match &t.is.cond {
            None => Ok(true),
            Some(cond) => self.condition(cond),
        }
    }

    /// 5.9.1: one that fails is false, and its error an event.
    pub(super) fn condition(&mut self, cond: &Text) -> Result<bool, Limit> {
        let value = match self.source.document.datamodel {
            Datamodel::Ecmascript => self.evaluate(&cond.text),
            Datamodel::Null => {
                let id = cond
                    .text
                    .trim_start_matches("In(")
                    .trim_end_matches(')')
                    .trim_matches('\'');
                Ok(Value::Bool(self.is_active(id)))
            }
        };
        match value {
            Ok(value) => Ok(value.truth()),
            Err(Thrown) => {
                self.count("a condition that fails");
                self.error(cond.at)?;
                Ok(false)
            }
        }
    }

    pub(super) fn is_active(&self, id: &str) -> bool {
        self.configuration.some(|s| self.state(s).id == id)
    }

    pub(super) fn evaluate(&self, text: &str) -> Result<Value, Thrown> {
        let scope = Scope {
            variables: &self.datamodel,
            event: self.event.as_ref().map(|e| (e.name.as_str(), e.data.as_ref())),
            active: &|id| self.is_active(id),
        };
        ecmascript::evaluate(text, &scope)
    }

    pub(super) fn given(&self, value: &Given) -> Result<Value, Thrown> {
        match value {
            Given::Expr(text) | Given::Text(text) => self.evaluate(text.text.trim()),
            Given::Xml(_) => panic!("markup is not in the subset"),
        }
    }

    /// A location that does not exist cannot be assigned to (5.4).
    pub(super) fn assign(&mut self, name: &str, value: Value) -> Result<(), Thrown> {
        *self.datamodel.get_mut(name).ok_or(Thrown)? = value;
        Ok(())
    }

    pub(super) fn script(&mut self, text: &str) -> Result<(), Thrown> {
        let (name, expression) = ecmascript::assignment(text.trim());
        let value = self.evaluate(expression)?;
        self.assign(name, value)
    }

    /// One block: an error ends it (4.9).
    pub(super) fn execute_content(&mut self, block: &'d Block) -> Done {
        match self.block(block) {
            ControlFlow::Continue(()) | ControlFlow::Break(Ok(())) => Ok(()),
            ControlFlow::Break(Err(limit)) => Err(limit),
        }
    }

    pub(super) fn block(&mut self, block: &'d Block) -> ControlFlow<Done> {
        block.iter().try_for_each(|e| self.executable(e))
    }

    pub(super) fn executable(&mut self, e: &'d Executable) -> ControlFlow<Done> {
        let outcome = match &e.operation {
            Operation::If(conditional) => {
                for (cond, block) in &conditional.branches {
                    match cond.as_ref().map_or(Ok(true), |cond| self.condition(cond)) {
                        Ok(true) => return self.block(block),
                        Ok(false) => {}
                        Err(limit) => return ControlFlow::Break(Err(limit)),
                    }
                }
                Ok(Ok(()))
            }
            other => self.simple(other),
        };
        match outcome {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(Thrown)) => {
                self.count("executable content that fails");
                ControlFlow::Break(self.error(e.at))
            }
            Err(limit) => ControlFlow::Break(Err(limit)),
        }
    }

    pub(super) fn simple(&mut self, operation: &'d Operation) -> Result<Result<(), Thrown>, Limit> {
        let outcome = match operation {
            Operation::Raise { event, .. } => {
                self.enqueue(event.clone(), None)?;
                Ok(())
            }
            Operation::Log { label, expr, .. } => {
                let text = expr.as_ref().map(|expr| self.evaluate(&expr.text)).transpose();
                match text {
                    Ok(text) => {
                        let text = text.map_or_else(String::new, |t| t.text());
                        self.log(label.clone(), text)?;
                        Ok(())
                    }
                    Err(Thrown) => Err(Thrown),
                }
            }
            Operation::Assign { location, value } => {
                let value = self.given(value);
                value.and_then(|value| self.assign(&location.text, value))
            }
            Operation::Script(text) => self.script(&text.text),
            Operation::Send(send) => {
                self.send(send)?;
                Ok(())
            }
            other => panic!("not in the subset: {other:?}"),
        };
        Ok(outcome)
    }

    pub(super) fn send(&mut self, send: &'d Send) -> Done {
        let literal = |a: &Option<Attribute>| match a {
            Some(Attribute::Literal(text)) => Some(text.text.clone()),
            None => None,
            Some(Attribute::Expr(text)) => panic!("not in the subset: {}", text.text),
        };
        let event = literal(&send.event).expect("sends of the subset name their event");
        let data = self.params(&send.params)?;
        if literal(&send.target).is_some() {
            return self.enqueue(event, data.map(through_json));
        }
        let delay = literal(&send.delay).unwrap_or_else(|| "0ms".into());
        if self.step.commands.len() >= self.limits.commands as usize {
            return Err(Limit("queue-limit"));
        }
        let data = data.map(|members| json_object(&members));
        self.step.commands.push(format!("send {event} in {delay}: {data:?}"));
        Ok(())
    }

    /// 5.7: those that fail are left out.
    pub(super) fn params(&mut self, params: &'d [Param]) -> Result<Option<Members>, Limit> {
        let mut members = Members::new();
        for p in params {
            match self.evaluate(&p.expr.text) {
                Ok(value) => members.push((p.name.clone(), value)),
                Err(Thrown) => self.error(p.expr.at)?,
            }
        }
        Ok((!members.is_empty()).then_some(members))
    }

    pub(super) fn done_data(&mut self, donedata: Option<&'d DoneData>) -> Result<Option<Members>, Limit> {
        match donedata {
            Some(donedata) => self.params(&donedata.params),
            None => Ok(None),
        }
    }

    pub(super) fn enqueue_done(&mut self, s: StateId, data: Option<Members>) -> Done {
        self.enqueue(format!("done.state.{}", self.state(s).id), data.map(through_json))
    }

    pub(super) fn enqueue(&mut self, name: String, data: Option<Members>) -> Done {
        if self.internal_queue.len() >= self.limits.internal_queue as usize {
            return Err(Limit("queue-limit"));
        }
        self.internal_queue.push_back(Event { name, data });
        Ok(())
    }

    /// `error.execution`; its data has other members than the subset asks for.
    pub(super) fn error(&mut self, at: Position) -> Done {
        self.trace(format!("fail {}:{}", at.line, at.column));
        self.enqueue("error.execution".into(), Some(Members::new()))
    }

    pub(super) fn log(&mut self, label: Option<String>, text: String) -> Done {
        self.log_bytes += text.len() + label.as_ref().map_or(0, String::len) + 16;
        if self.log_bytes > self.limits.log_bytes as usize {
            return Err(Limit("log-limit"));
        }
        self.step.log.push((label, text));
        Ok(())
    }

    pub(super) fn set_event(&mut self, event: Event) {
        self.trace(format!("event {}", event.name));
        self.event = Some(event);
    }

    pub(super) fn trace(&mut self, line: String) {
        if self.step.trace.len() < MAX_TRACE {
            self.step.trace.push(line);
        }
    }

    pub(super) fn describe(&self, t: Arrow<'d>) -> String {
        let events: Vec<&str> =
            t.is.events
                .iter()
                .map(|e| e.trim_end_matches('*').trim_end_matches('.'))
                .map(|e| if e.is_empty() { "*" } else { e })
                .collect();
        let mut line = format!("take {} [{}] ->", self.state(t.source).id, events.join(" "));
        for target in &t.is.targets {
            line.push(' ');
            line.push_str(target);
        }
        line
    }

    pub(super) fn count_microstep(&mut self) -> Done {
        self.microsteps += 1;
        match self.microsteps > self.limits.microsteps {
            true => Err(Limit("microstep-limit")),
            false => Ok(()),
        }
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(super) fn count_if(&mut self, holds: bool, what: &'static str) {
        if holds {
            self.count(what);
        }
    }

    pub(super) fn count_kinds(&mut self, enabled_transitions: &[Arrow<'d>]) {
        self.count_if(enabled_transitions.len() > 1, "a microstep of more than one transition");
        for t in enabled_transitions {
            let targets = t.is.targets.len();
            self.count_if(targets == 0, "a targetless transition");
            self.count_if(targets > 1, "a transition with several targets");
            let inside = targets > 0 && self.get_transition_domain(*t) == Some(t.source);
            self.count_if(inside, "an internal transition that does not leave its source");
        }
    }
}

/// Members as a JSON object.
pub(super) fn json_object(members: &Members) -> serde_json::Value {
    let members = members.iter().filter_map(|(name, v)| Some((name.clone(), v.json()?)));
    serde_json::Value::Object(members.collect())
}
