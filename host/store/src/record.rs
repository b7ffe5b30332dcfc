//! The records of a session's journal.
//!
//! A session is a deterministic function of these records: nothing else that happened to it may change what it
//! does next. Their order carries meaning. An event is recorded when it arrives; [`Record::Stepped`] stands where
//! the step of the event at the head of the queue was finished, so replay knows what had arrived by then. The
//! events that a step sends to its own session follow its `Stepped` in the same append.

use crate::{Name, Tenant};
use pointsman_contract::{CommandId, Digest, Ended, Event, Failure, Seq, SessionId};
use serde::{Deserialize, Serialize};

/// One entry of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// Always the first record.
    SessionStarted(Box<SessionStarted>),
    /// An event joined the session's queue.
    EventReceived {
        /// The event.
        event: Event,
        /// When, in ms since the epoch: the time that the step for it will see.
        at_ms: u64,
        /// How it came.
        via: Via,
    },
    /// An answer of `host.read` during the step that the next `Stepped` or `LimitBroken` ends, in order.
    HostAnswer {
        /// `config`, `list`, `statistic`.
        source: String,
        /// What was asked for.
        key: String,
        /// JSON, or the message saying why there is none.
        answer: Result<String, String>,
    },
    /// A delayed event came due. The event is that of the `send` command at `cause`.
    TimerFired {
        /// The command that set the timer.
        cause: Cause,
        /// Its send id, where the author gave one.
        send_id: Option<String>,
        /// When, in ms since the epoch.
        at_ms: u64,
    },
    /// A step was finished.
    Stepped {
        /// The record that was handled.
        cause: Seq,
        /// SHA-256 of the commands that it gave; absent when it gave none. Replay compares it.
        commands: Option<Digest>,
    },
    /// The performer of a command said how it went.
    CommandConfirmed {
        /// The command.
        command: CommandId,
        /// How it went.
        outcome: Outcome,
    },
    /// A step did not finish: a limit, or a trap. Replay takes it from here and does not run the step again.
    LimitBroken {
        /// The record that was being handled.
        cause: Seq,
        /// What happened.
        failure: Failure,
    },
    /// Always the last record.
    Ended {
        /// How.
        ended: Ended,
        /// When, in ms since the epoch.
        at_ms: u64,
    },
}

/// What a session begins with: everything that its first step depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStarted {
    /// Digest of the component: the session keeps it to its end.
    pub component: Digest,
    /// The tenant it belongs to.
    pub tenant: Tenant,
    /// The strategy's name.
    pub strategy: Name,
    /// The strategy's version, 1 or more.
    pub version: u32,
    /// Start parameters, a JSON object.
    pub params: String,
    /// `_ioprocessors`, a JSON object.
    pub io_processors: String,
    /// The session's own seed, from which the seed of each step is drawn.
    pub seed: u64,
    /// When, in ms since the epoch.
    pub started_ms: u64,
    /// What caused it, for operators: such as `sip:7001` or `rest`.
    pub origin: String,
    /// Who invoked it; absent: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// Who invoked a session (W3C SCXML 6.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The session.
    pub session: SessionId,
    /// Its name for the invocation (`invokeid`).
    pub invoke: String,
    /// How many sessions stand above the child: 1 where nobody has invoked the parent.
    pub depth: u16,
}

/// A command's place within its session: the record whose handling gave it, and which of that step's commands it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cause {
    /// The record.
    pub seq: Seq,
    /// 0 for the step's first command.
    pub ordinal: u32,
}

/// How an event came into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// From outside the session.
    Outside,
    /// Sent by the session to itself, without delay: joins the tail (W3C SCXML 6.2).
    Own,
    /// Raised by the session, or an error of its own command: comes before everything from outside, as from the
    /// internal queue of W3C SCXML 5.10.1 and C.1.
    Raised,
    /// A command of the session was refused by its performer. Placed as `Raised`; recorded by itself, because when
    /// it comes is not the session's doing.
    Refused,
}

/// How a command went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// It was not; the reason.
    Failed(String),
}

impl Record {
    /// Bytes that keeping this record costs, approximately: its texts and its own size.
    pub fn size(&self) -> usize {
        let texts = match self {
            Record::SessionStarted(s) => {
                size_of::<SessionStarted>() + s.params.len() + s.io_processors.len() + s.origin.len()
            }
            Record::EventReceived { event, .. } => event.size(),
            Record::HostAnswer { source, key, answer } => {
                source.len() + key.len() + answer.as_ref().map_or_else(String::len, String::len)
            }
            Record::TimerFired { send_id, .. } => send_id.as_ref().map_or(0, String::len),
            Record::Stepped { .. } => 0,
            Record::CommandConfirmed {
                outcome: Outcome::Done, ..
            } => 0,
            Record::CommandConfirmed {
                outcome: Outcome::Failed(reason),
                ..
            } => reason.len(),
            Record::LimitBroken { failure, .. } => failure.message.len(),
            Record::Ended { ended, .. } => match ended {
                Ended::Done(done) => done.data.as_ref().map_or(0, String::len),
                Ended::Failed(failure) => failure.message.len(),
                Ended::Terminated(reason) => reason.len(),
            },
        };
        size_of::<Record>() + texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_contract::FailureCode;

    #[test]
    fn every_record_survives_its_serialised_form() {
        let failure = Failure {
            code: FailureCode::TimeLimit,
            message: "100 ms are over".into(),
        };
        let records = [
            Record::SessionStarted(Box::new(SessionStarted {
                component: Digest([7; 32]),
                tenant: "Environment".parse().unwrap(),
                strategy: "route".parse().unwrap(),
                version: 3,
                params: "{}".into(),
                io_processors: "{}".into(),
                seed: u64::MAX,
                started_ms: 1,
                origin: "rest".into(),
                parent: Some(Parent {
                    session: SessionId::from_random([3; 20]),
                    invoke: "child".into(),
                    depth: 1,
                }),
            })),
            Record::EventReceived {
                event: Event::external("a.b", Some("1".into())),
                at_ms: 2,
                via: Via::Outside,
            },
            Record::HostAnswer {
                source: "list".into(),
                key: "vip/1".into(),
                answer: Err("no such list".into()),
            },
            Record::TimerFired {
                cause: Cause {
                    seq: Seq(2),
                    ordinal: 1,
                },
                send_id: Some("t".into()),
                at_ms: 3,
            },
            Record::Stepped {
                cause: Seq(2),
                commands: Some(Digest([1; 32])),
            },
            Record::CommandConfirmed {
                command: CommandId {
                    session: SessionId::from_random([3; 20]),
                    seq: Seq(2),
                    ordinal: 0,
                },
                outcome: Outcome::Failed("404".into()),
            },
            Record::LimitBroken {
                cause: Seq(9),
                failure: failure.clone(),
            },
            Record::Ended {
                ended: Ended::Failed(failure),
                at_ms: 4,
            },
        ];
        for record in records {
            let json = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record, "{json}");
            assert!(record.size() >= size_of::<Record>());
        }
    }
}
