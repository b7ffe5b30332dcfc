//! Files of events: JSON lines, for trying things out.

use super::{Input, Step, expectation::Expectation};
use crate::{Duration, Error, read_file};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    event: Option<String>,
    data: Option<Value>,
    advance: Option<Duration>,
}

/// Reads a file of events: on each line `{"event": NAME, "data": JSON}` or `{"advance": "9s"}`; empty lines are left
/// out.
///
/// # Errors
/// [`Error::Read`], or [`Error::Events`] with the line.
pub fn read_events(path: &Path) -> Result<Vec<Step>, Error> {
    let bytes = read_file(path)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::Events {
            path: path.to_owned(),
            line,
            message: "this is not UTF-8".into(),
        }
    })?;
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines
        .map(|(text, line)| {
            let input = input(text).map_err(|message| Error::Events {
                path: path.to_owned(),
                line,
                message,
            })?;
            Ok(Step {
                input,
                expect: Expectation::default(),
            })
        })
        .collect()
}

fn input(text: &str) -> Result<Input, String> {
    match serde_json::from_str(text).map_err(|error| error.to_string())? {
        Line {
            event: Some(name),
            data,
            advance: None,
        } => Ok(Input::Event { name, data }),
        Line {
            event: None,
            data: None,
            advance: Some(time),
        } => Ok(Input::Advance(time)),
        _ => Err("a line has either `event` (and `data`), or `advance`".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_an_event_or_time_that_passes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "{\"event\":\"a\",\"data\":{\"x\":1}}\n\n{\"advance\":\"2s\"}\n",
        )
        .unwrap();
        let inputs: Vec<Input> = read_events(file.path())
            .unwrap()
            .into_iter()
            .map(|step| step.input)
            .collect();
        let event = Input::Event {
            name: "a".into(),
            data: Some(serde_json::json!({ "x": 1 })),
        };
        assert_eq!(inputs, [event, Input::Advance(Duration::from_ms(2_000))]);
    }

    #[test]
    fn a_malformed_line_is_named_by_its_number() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (line, message) in [
            ("{\"event\":\"a\",\"advance\":\"1s\"}", "either `event`"),
            ("{\"evnt\":\"a\"}", "unknown field `evnt`"),
            ("{\"advance\":\"9\"}", "not a length of time"),
            ("{}", "either `event`"),
        ] {
            std::fs::write(file.path(), format!("{{\"event\":\"first\"}}\n{line}\n")).unwrap();
            let error = read_events(file.path()).unwrap_err().to_string();
            assert!(error.contains(":2: ") && error.contains(message), "{error}");
        }
    }
}
