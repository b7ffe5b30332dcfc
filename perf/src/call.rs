//! A call on the measured chart: its events, and what must come of it.

use anyhow::{Context as _, Result, bail, ensure};
use pointsman_contract::{Command, Done, Event, Moment, StartInfo, Step};
use serde_json::{Value, json};

/// The call's events, in order. All go to the session as an adapter would send them: with JSON of 0 to 400 bytes.
pub fn events() -> Vec<Event> {
    let call = json!({
        "interactionid": "0A1B2C3D4E5F60718293A4B5C6D7E8F9", "ani": "+4930123456", "dnis": "08001234567", "dn": "7001",
        "switch": "sip-berlin", "media": "voice", "calltype": "inbound",
        "udata": {"customer": "4711", "segment": "gold", "language": "de", "lastagent": "2301"},
        "headers": {"X-Campaign": "spring", "X-Trace": "5f2b6c0e-9d1a-4f7c-8f2e-0d7a3c1b9e55"},
    });
    let ready = |dn: &str, level: u32| json!({"dn": dn, "level": level, "skills": ["sales", "support", "chat"], "login": "2026-01-01T08:00:00Z"});
    let position = |n: u32| json!({"queue": "support", "position": n, "ewt": n * 25});
    [
        ("interaction.onrouterequest", Some(call)),
        ("treatment.started", None),
        ("dtmf", Some(json!({"digit": "2"}))),
        (
            "statistic",
            Some(json!({"queue": "support", "waiting": 4, "ready": 0, "ewt": 75})),
        ),
        ("queue.position", Some(position(3))),
        ("treatment.done", None),
        ("queue.position", Some(position(2))),
        ("caller.impatient", Some(json!({"waited": 31}))),
        // Too low a level: its condition refuses it.
        ("agent.ready", Some(ready("2302", 3))),
        ("supervisor.break", Some(json!({"level": 2, "by": "supervisor-7"}))),
        ("supervisor.resume", None),
        ("treatment.done", None),
        ("agent.ready", Some(ready("2303", 7))),
        (
            "error.interaction.redirect",
            Some(json!({"reason": "busy", "code": 486})),
        ),
        ("agent.ready", Some(ready("2304", 9))),
        ("interaction.redirect.done", Some(json!({"target": "2304"}))),
        ("call.held", None),
        ("call.retrieved", None),
        (
            "userdata.changed",
            Some(json!({"udata": {"customer": "4711", "segment": "gold", "result": "sold"}})),
        ),
        ("call.released", Some(json!({"duration": 90, "cause": "caller"}))),
    ]
    .into_iter()
    .map(|(name, data)| Event::external(name, data.map(|d| d.to_string())))
    .collect()
}

/// How a session for so many calls begins.
pub fn start_info(calls: usize) -> StartInfo {
    let processors = json!({"scxml": {"location": "#_scxml_0"}});
    StartInfo {
        session_id: "0".into(),
        params: params(calls),
        io_processors: processors.to_string(),
    }
}

/// Start parameters of a session for so many calls.
pub fn params(calls: usize) -> String {
    json!({ "calls": calls }).to_string()
}

/// The moment of step `n` of a session: 20 ms apart, no trace.
pub fn moment(n: usize) -> Moment {
    Moment {
        now_ms: 1_800_000_000_000 + 20 * n as u64,
        seed: n as u64,
        trace: false,
    }
}

/// What steps did, to be compared with what they should have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sessions that ended as they should.
    pub ended: usize,
    /// Steps that changed the configuration.
    pub moves: usize,
    /// Requests to route the call.
    pub redirects: usize,
    /// Delayed events.
    pub timers: usize,
    /// Delayed events taken back.
    pub cancels: usize,
}

impl Tally {
    /// What so many sessions do with so many calls each, their starts included.
    pub fn expected(sessions: usize, calls: usize) -> Self {
        let all = sessions * calls;
        Tally {
            ended: sessions,
            // 16 of the 20 events move states: not the three that only assign, nor the one that is refused.
            moves: sessions + 16 * all,
            redirects: 2 * all,
            timers: 3 * all,
            cancels: 3 * all,
        }
    }

    /// Counts one step of a session for so many calls.
    pub fn count(&mut self, step: &Step, calls: usize) -> Result<()> {
        self.moves += usize::from(step.active.is_some());
        for command in &step.commands {
            self.command(command)?;
        }
        if let Some(done) = &step.done {
            check_end(done, calls)?;
            self.ended += 1;
        }
        Ok(())
    }

    /// Counts one command.
    pub fn command(&mut self, command: &Command) -> Result<()> {
        match command {
            Command::Request(r) if r.module == "interaction" && r.action == "redirect" => self.redirects += 1,
            Command::Send(s) if s.delay_ms > 0 => self.timers += 1,
            Command::Cancel(_) => self.cancels += 1,
            other => bail!("the chart does not do this: {other:?}"),
        }
        Ok(())
    }

    /// Adds what others did.
    pub fn add(&mut self, other: &Tally) {
        self.ended += other.ended;
        self.moves += other.moves;
        self.redirects += other.redirects;
        self.timers += other.timers;
        self.cancels += other.cancels;
    }

    /// Fails unless the work was done.
    pub fn check(&self, sessions: usize, calls: usize) -> Result<()> {
        let expected = Tally::expected(sessions, calls);
        ensure!(
            *self == expected,
            "the work was not done: {self:?}, but it should be {expected:?}"
        );
        Ok(())
    }
}

/// Compares a session's own account of its calls with what it should be.
pub fn check_end(done: &Done, calls: usize) -> Result<()> {
    let told: Value = serde_json::from_str(done.data.as_deref().context("the session ended without its data")?)?;
    let expected = json!({
        "served": calls, "refused": calls, "seconds": 90 * calls, "position": 2, "target": "2304",
        "udata": {"customer": "4711", "segment": "gold", "result": "sold"},
    });
    ensure!(
        told == expected,
        "a session ended with {told}, but it should be {expected}"
    );
    Ok(())
}
