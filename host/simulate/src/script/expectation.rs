//! What a step is expected to do.

use super::json::{Json, Object};
use crate::Duration;
use pointsman_contract::FailureCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Expectations of one step. What is absent is not looked at; what is there is compared whole, and numbers by value
/// (`404` equals `404.0`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The active atomic states after the step, in document order.
    pub configuration: Option<Vec<String>>,
    /// The commands of the step, in order.
    ///
    /// Requests to modules, invocations and sends to others are always compared. What concerns the session alone is
    /// only compared where it is expected: its sends to itself (its timers among them) where a `send` without a
    /// `target` is listed, its cancels where a `cancel` is listed.
    pub commands: Option<Vec<ExpectedCommand>>,
    /// The texts that it logged, in order.
    pub log: Option<Vec<String>>,
    /// The session has ended, with this data (`donedata`).
    #[serde(default, deserialize_with = "json")]
    pub done: Option<Value>,
    /// How the session has ended.
    pub ended: Option<ExpectedEnd>,
}

fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Json::deserialize(deserializer).map(|json| Some(json.0))
}

/// An end that is expected: `done`, `terminated`, or the code of a failure, such as `time-limit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ExpectedEnd(String);

impl ExpectedEnd {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ExpectedEnd {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if ["done", "terminated"].contains(&text.as_str()) || FailureCode::parse(&text).as_str() == text {
            return Ok(ExpectedEnd(text));
        }
        use FailureCode::{
            EventTooLarge, Internal, LogLimit, MicrostepLimit, OutOfMemory, QueueLimit, StackLimit, Start, TimeLimit,
        };
        let codes = [
            MicrostepLimit,
            QueueLimit,
            OutOfMemory,
            LogLimit,
            TimeLimit,
            StackLimit,
            EventTooLarge,
            Start,
            Internal,
        ];
        let codes = codes.map(FailureCode::as_str).join(", ");
        Err(format!(
            "no session ends with `{text}`: write done, terminated or the code of a failure ({codes})"
        ))
    }
}

/// A command that is expected. Ids that the engine makes up (of requests and sends) are not compared.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub enum ExpectedCommand {
    /// `{ request = "module.action", params = {...} }`; `params` absent: an empty object.
    Request {
        /// `module.action`.
        name: String,
        /// All of them.
        params: Map<String, Value>,
    },
    /// `{ send = "event", target = "...", type = "...", delay = "5s", data = ... }`.
    Send {
        /// Name of the event.
        event: String,
        /// Absent: to the session itself.
        target: Option<String>,
        /// I/O processor; absent: SCXML's.
        processor: Option<String>,
        /// Absent: at once.
        delay: Duration,
        /// Absent: none.
        data: Option<Value>,
    },
    /// `{ cancel = "send id" }`.
    Cancel(String),
    /// `{ invoke = "id", src = "...", content = "...", params = {...} }`.
    Invoke {
        /// `invokeid`.
        id: String,
        /// URL of the document.
        src: Option<String>,
        /// Inline document.
        content: Option<String>,
        /// All of them.
        params: Map<String, Value>,
    },
    /// `{ cancel-invoke = "id" }`.
    CancelInvoke(String),
}

/// A command as the test file has it: which of the first five is there says what it is.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    request: Option<String>,
    send: Option<String>,
    cancel: Option<String>,
    invoke: Option<String>,
    cancel_invoke: Option<String>,
    params: Option<Object>,
    target: Option<String>,
    r#type: Option<String>,
    delay: Option<Duration>,
    data: Option<Json>,
    src: Option<String>,
    content: Option<String>,
}

impl Written {
    /// The first option that is there, of those named: none of them means anything for this command.
    fn only_with(&self, what: &str, allowed: &[&str]) -> Result<(), String> {
        let given = [
            ("params", self.params.is_some()),
            ("target", self.target.is_some()),
            ("type", self.r#type.is_some()),
            ("delay", self.delay.is_some()),
            ("data", self.data.is_some()),
            ("src", self.src.is_some()),
            ("content", self.content.is_some()),
        ];
        match given
            .into_iter()
            .find(|(name, there)| *there && !allowed.contains(name))
        {
            Some((name, _)) => Err(format!("a `{what}` has no `{name}`")),
            None => Ok(()),
        }
    }
}

impl TryFrom<Written> for ExpectedCommand {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let w = written;
        let kinds = (
            w.request.clone(),
            w.send.clone(),
            w.cancel.clone(),
            w.invoke.clone(),
            w.cancel_invoke.clone(),
        );
        let params = || w.params.clone().unwrap_or_default().0;
        match kinds {
            (Some(name), None, None, None, None) => {
                w.only_with("request", &["params"])?;
                if !name.contains('.') {
                    return Err(format!(
                        "`{name}` is no request: write `module.action`, such as `interaction.redirect`"
                    ));
                }
                Ok(ExpectedCommand::Request { name, params: params() })
            }
            (None, Some(event), None, None, None) => {
                w.only_with("send", &["target", "type", "delay", "data"])?;
                Ok(ExpectedCommand::Send {
                    event,
                    target: w.target,
                    processor: w.r#type,
                    delay: w.delay.unwrap_or_default(),
                    data: w.data.map(|json| json.0),
                })
            }
            (None, None, Some(id), None, None) => {
                w.only_with("cancel", &[])?;
                Ok(ExpectedCommand::Cancel(id))
            }
            (None, None, None, Some(id), None) => {
                w.only_with("invoke", &["src", "content", "params"])?;
                let params = params();
                Ok(ExpectedCommand::Invoke {
                    id,
                    src: w.src,
                    content: w.content,
                    params,
                })
            }
            (None, None, None, None, Some(id)) => {
                w.only_with("cancel-invoke", &[])?;
                Ok(ExpectedCommand::CancelInvoke(id))
            }
            _ => Err("a command is exactly one of `request`, `send`, `cancel`, `invoke` and `cancel-invoke`".into()),
        }
    }
}
