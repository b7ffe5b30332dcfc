//! Compares what a step did with what was expected of it.

use crate::Duration;
use crate::report::{Mismatch, StepReport, end_word};
use crate::script::expectation::{Expectation, ExpectedCommand};
use pointsman_contract::{Command, Ended, SCXML_PROCESSOR, Send, SessionId};
use pointsman_session::core::address;
use serde_json::{Map, Value, json};

/// Everything that is not as expected.
pub(crate) fn check(session: SessionId, expect: &Expectation, step: &StepReport) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    let mut compare = |what, expected: Value, actual: Value| {
        if !equal(&expected, &actual) {
            mismatches.push(Mismatch { what, expected, actual });
        }
    };
    if let Some(expected) = &expect.configuration {
        compare("configuration", json!(expected), json!(step.configuration));
    }
    if let Some(expected) = &expect.log {
        let lines = step.macrosteps.iter().flat_map(|macrostep| &macrostep.log);
        compare("log", json!(expected), lines.map(|line| json!(line.text)).collect());
    }
    if let Some(expected) = &expect.commands {
        let actual = step.macrosteps.iter().flat_map(|macrostep| &macrostep.commands);
        let actual = actual
            .filter(|command| is_compared(session, command, expected))
            .map(actual_command);
        compare(
            "commands",
            expected.iter().map(expected_command).collect(),
            actual.collect(),
        );
    }
    if let Some(expected) = &expect.done {
        let actual = match &step.ended {
            Some(Ended::Done(done)) => done.data.as_deref().map_or(Value::Null, parsed),
            Some(other) => json!(format!("(the session ended with {})", end_word(other))),
            None => json!("(the session has not ended)"),
        };
        compare("done", expected.clone(), actual);
    }
    let ended = step.ended.as_ref().map(end_word);
    match &expect.ended {
        Some(expected) => compare("ended", json!(expected), json!(ended)),
        // A failure that nobody asked for is one, whatever else was looked at.
        None if matches!(step.ended, Some(Ended::Failed(_))) => compare("ended", Value::Null, json!(ended)),
        None => {}
    }
    mismatches
}

/// See [`Expectation::commands`].
fn is_compared(session: SessionId, command: &Command, expected: &[ExpectedCommand]) -> bool {
    match command {
        Command::Send(send) if is_to_itself(session, send) => expected
            .iter()
            .any(|e| matches!(e, ExpectedCommand::Send { target: None, .. })),
        Command::Cancel(_) => expected.iter().any(|e| matches!(e, ExpectedCommand::Cancel(_))),
        // A component's way to queue an event for itself: nothing that a chart's author sees.
        Command::Raise(_) => false,
        Command::Send(_) | Command::Request(_) | Command::Invoke(_) | Command::CancelInvoke(_) => true,
    }
}

/// Whether a `send` stays in the session (W3C SCXML 6.2.4, C.1).
fn is_to_itself(session: SessionId, send: &Send) -> bool {
    let scxml = send
        .processor
        .as_deref()
        .is_none_or(|p| p == SCXML_PROCESSOR || p == "scxml");
    let own = |target: &str| target == "#_internal" || target == session.as_str() || target == address(session);
    scxml && send.target.as_deref().is_none_or(own)
}

/// A command in the shape of the test file.
fn expected_command(command: &ExpectedCommand) -> Value {
    match command {
        ExpectedCommand::Request { name, params } => json!({ "request": name, "params": params }),
        ExpectedCommand::Send {
            event,
            target,
            processor,
            delay,
            data,
        } => send(event, target.as_deref(), processor.as_deref(), *delay, data.clone()),
        ExpectedCommand::Cancel(id) => json!({ "cancel": id }),
        ExpectedCommand::Invoke {
            id,
            src,
            content,
            params,
        } => invoke(id, src.as_deref(), content.as_deref(), Value::Object(params.clone())),
        ExpectedCommand::CancelInvoke(id) => json!({ "cancel-invoke": id }),
    }
}

/// The same for what the strategy did.
pub(crate) fn actual_command(command: &Command) -> Value {
    match command {
        Command::Request(r) => json!({ "request": format!("{}.{}", r.module, r.action), "params": parsed(&r.params) }),
        Command::Send(s) => {
            let delay = Duration::from_ms(s.delay_ms);
            send(
                &s.event,
                s.target.as_deref(),
                s.processor.as_deref(),
                delay,
                s.data.as_deref().map(parsed),
            )
        }
        Command::Cancel(cancel) => json!({ "cancel": cancel.sendid }),
        Command::Raise(event) => json!({ "raise": event.name, "data": event.data.as_deref().map(parsed) }),
        Command::Invoke(i) => invoke(&i.id, i.src.as_deref(), i.content.as_deref(), parsed(&i.params)),
        Command::CancelInvoke(id) => json!({ "cancel-invoke": id }),
    }
}

fn send(event: &str, target: Option<&str>, processor: Option<&str>, delay: Duration, data: Option<Value>) -> Value {
    let mut object = Map::from_iter([("send".to_owned(), event.into())]);
    let texts = [("target", target), ("type", processor)];
    object.extend(
        texts
            .into_iter()
            .filter_map(|(key, text)| Some((key.to_owned(), text?.into()))),
    );
    if delay.ms() > 0 {
        object.insert("delay".into(), delay.to_string().into());
    }
    object.extend(data.map(|data| ("data".to_owned(), data)));
    object.into()
}

fn invoke(id: &str, src: Option<&str>, content: Option<&str>, params: Value) -> Value {
    let mut object = Map::from_iter([("invoke".to_owned(), id.into()), ("params".to_owned(), params)]);
    let texts = [("src", src), ("content", content)];
    object.extend(
        texts
            .into_iter()
            .filter_map(|(key, text)| Some((key.to_owned(), text?.into()))),
    );
    object.into()
}

/// JSON of the contract; what is not JSON, from a broken component, is shown as it is.
pub(crate) fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| json.into())
}

/// Equality of JSON with numbers by value: a test file's `404` is the engine's `404.0`.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64() && !(a.is_i64() && b.is_i64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_and_everything_else_exactly() {
        let same = [
            (json!(404), json!(404.0)),
            (json!({ "a": [1] }), json!({ "a": [1.0] })),
            (json!(0.5), json!(0.5)),
        ];
        for (a, b) in same {
            assert!(equal(&a, &b) && equal(&b, &a), "{a} {b}");
        }
        let different = [
            (json!(404), json!("404")),
            (json!({ "a": 1 }), json!({ "a": 1, "b": 2 })),
            (json!([1, 2]), json!([2, 1])),
            (json!(null), json!(false)),
            // Both are 2^53 as floating-point numbers.
            (json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_992_i64)),
        ];
        for (a, b) in different {
            assert!(!equal(&a, &b) && !equal(&b, &a), "{a} {b}");
        }
    }

    #[test]
    fn only_sends_that_stay_in_the_session_are_its_own_affair() {
        let me = SessionId::from_random([1; 20]);
        let send = |target: Option<&str>, processor: Option<&str>| Send {
            id: None,
            event: "e".into(),
            target: target.map(Into::into),
            processor: processor.map(Into::into),
            data: None,
            xml: false,
            delay_ms: 0,
        };
        for (target, processor, own) in [
            (None, None, true),
            (None, Some("scxml"), true),
            (Some("#_internal"), Some(SCXML_PROCESSOR), true),
            (Some(address(me).as_str()), None, true),
            (Some("#_parent"), None, false),
            (None, Some("basichttp"), false),
        ] {
            assert_eq!(
                is_to_itself(me, &send(target, processor)),
                own,
                "{target:?} {processor:?}"
            );
        }
    }
}
