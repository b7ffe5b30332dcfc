//! Module `ws`: REST requests that wait for a strategy's answer.
//!
//! ```text
//!   POST .../request/NAME --> event NAME, _event.sendid = the request --> <ws:response requestid="_event.sendid" ...>
//!                         <-- status `resultcode`, body `content` or the params, as JSON <--+
//! ```

use super::interaction::{kind_or_number, number};
use super::{Modules, Params, Problem, Progress, lock, text};
use pointsman_contract::SessionId;
use pointsman_session::runtime::Info;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Mutex;
use tokio::sync::oneshot;

/// REST requests that may wait for a session's response.
const MAX_PENDING_REPLIES: usize = 10_000;

/// A strategy's response to a REST request.
pub(crate) struct Reply {
    pub status: u16,
    pub body: Value,
}

/// Who waits, by session and request.
#[derive(Default)]
pub(super) struct Replies(Mutex<HashMap<(SessionId, String), oneshot::Sender<Reply>>>);

impl Replies {
    pub fn ended(&self, session: SessionId) {
        lock(&self.0).retain(|(id, _), _| *id != session);
    }
}

impl Modules {
    /// Waits for `<ws:response>` with this request id.
    pub fn expect_reply(&self, session: SessionId, id: &str) -> Option<oneshot::Receiver<Reply>> {
        let mut replies = lock(&self.0.replies.0);
        replies.retain(|_, sender| !sender.is_closed());
        if replies.len() >= MAX_PENDING_REPLIES {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        replies.insert((session, id.to_owned()), sender);
        Some(receiver)
    }

    pub(super) fn respond(&self, session: &Info, params: &Params) -> Result<Progress, Problem> {
        let id = text(params, &["requestid", "id"])?;
        let id = id.ok_or_else(|| Problem::invalid("`requestid` is missing: write requestid=\"_event.sendid\""))?;
        let status = match params.get("resultcode").filter(|code| !code.is_null()) {
            None => 200,
            Some(code) => number(code)
                .and_then(|n| u16::try_from(n).ok())
                .filter(|n| (200..600).contains(n))
                .ok_or_else(|| Problem::invalid(format!("`resultcode` is {}, not 200-599", kind_or_number(code))))?,
        };
        let body = ["content", "params"].into_iter().find_map(|name| params.get(name));
        let body = body.cloned().unwrap_or(Value::Null);
        let gone = || {
            Problem::new(
                "unknown",
                format!("nobody waits for a response to `{id}`, or not any more"),
            )
        };
        let sender = lock(&self.0.replies.0).remove(&(session.id, id.clone()));
        let sent = sender.ok_or_else(gone)?.send(Reply { status, body });
        sent.map_err(|_| gone())?;
        Ok(Progress::Done(Params::from_iter([("requestid".to_owned(), id.into())])))
    }
}
