//! What a strategy asks of the host.

use crate::bindings::pointsman::strategy::{host, types};
use serde_json::{json, Value};

/// Collects what one call asks of the host.
pub struct Context {
    now_ms: u64,
    random: u64,
    ids: u32,
    pub(crate) step: types::Step,
}

impl Context {
    pub(crate) fn new(moment: types::Moment, ids: u32) -> Self {
        let step =
            types::Step { commands: Vec::new(), log: Vec::new(), active: None, done: None, trace: Vec::new() };
        Context { now_ms: moment.now_ms, random: moment.seed, ids, step }
    }

    pub(crate) fn into_parts(self) -> (types::Step, u32) {
        (self.step, self.ids)
    }

    /// The time of the event, ms since the epoch.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// A random number in `0..bound` (0 for a bound of 0): the same when the event is replayed. SplitMix64.
    pub fn random(&mut self, bound: u32) -> u32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ z >> 31) >> 32) * u64::from(bound) >> 32) as u32
    }

    /// Writes to the session's log. ORS levels: 1 reporting, 2 error, 3 warning, 4 debug.
    pub fn log(&mut self, level: u8, text: impl Into<String>) {
        self.step.log.push(types::LogEntry { label: None, text: text.into(), level });
    }

    /// As [`Context::log`], with a label that lines can be found by.
    pub fn log_as(&mut self, label: &str, level: u8, text: impl Into<String>) {
        self.step.log.push(types::LogEntry { label: Some(label.into()), text: text.into(), level });
    }

    /// Sends an event to this session: it is handled after what waits already.
    pub fn send(&mut self, event: &str, data: Value) {
        self.push_send(None, event, None, data, 0);
    }

    /// Sends an event to another session, by its id.
    ///
    /// # Errors
    /// The host's message why that session cannot be sent events; the question is journaled.
    pub fn send_to(&mut self, session_id: &str, event: &str, data: Value) -> Result<(), String> {
        host::read("session", session_id)?;
        self.push_send(None, event, Some(format!("#_scxml_{session_id}")), data, 0);
        Ok(())
    }

    /// Sends an event to this session after a delay. `id` lets [`Context::cancel`] stop it.
    pub fn send_later(&mut self, id: &str, event: &str, data: Value, delay_ms: u64) {
        self.push_send(Some(id.into()), event, None, data, delay_ms);
    }

    fn push_send(&mut self, id: Option<String>, event: &str, target: Option<String>, data: Value, delay_ms: u64) {
        self.step.commands.push(types::Command::Send(types::Send {
            id,
            event: event.into(),
            target,
            processor: None,
            data: (!data.is_null()).then(|| data.to_string()),
            xml: false,
            delay_ms,
        }));
    }

    /// Cancels a delayed event.
    pub fn cancel(&mut self, id: &str) {
        self.step.commands.push(types::Command::Cancel(types::Cancel { sendid: id.into(), report: false }));
    }

    /// Makes this session handle an event before any other.
    pub fn raise(&mut self, event: &str, data: Value) {
        self.step.commands.push(types::Command::Raise(types::Event {
            name: event.into(),
            kind: types::EventKind::External,
            data: (!data.is_null()).then(|| data.to_string()),
            xml: false,
            sendid: None,
            origin: None,
            origintype: None,
            invokeid: None,
            raw: None,
        }));
    }

    /// Asks a functional module; gives the request id that the outcome's event carries.
    pub fn request(&mut self, module: &str, action: &str, params: &Value) -> String {
        self.ids += 1;
        let id = format!("{module}.{}", self.ids);
        self.step.commands.push(types::Command::Request(types::Request {
            module: module.into(),
            action: action.into(),
            id: id.clone(),
            params: params.to_string(),
        }));
        id
    }

    /// Routes a waiting call to the first target that takes it. The outcome comes back as
    /// `interaction.redirect.done` or `error.interaction.redirect`.
    pub fn redirect(&mut self, interaction_id: &str, targets: &[&str]) -> String {
        self.request("interaction", "redirect", &json!({ "interactionid": interaction_id, "to": targets }))
    }

    /// Refuses a waiting call with a SIP status (400-699).
    pub fn reject(&mut self, interaction_id: &str, status: u16) -> String {
        self.request("interaction", "terminate", &json!({ "interactionid": interaction_id, "reason": status }))
    }

    /// Reads data of the host: `config`, `list` or `statistic`. The answer is journaled.
    ///
    /// # Errors
    /// The host's message why there is no such value.
    pub fn read(&self, source: &str, key: &str) -> Result<Value, String> {
        let text = host::read(source, key)?;
        serde_json::from_str(&text).map_err(|e| format!("{source} {key}: {e}"))
    }

    /// Names the state that the session is in, for operators.
    pub fn state(&mut self, name: &str) {
        self.step.active = Some(vec![name.into()]);
    }

    /// Ends the session after this event.
    pub fn finish(&mut self, data: Option<Value>) {
        self.step.done = Some(types::Done { data: data.map(|d| d.to_string()) });
    }
}
