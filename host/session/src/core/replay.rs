//! Rebuilding a session from its journal.
//!
//! The journal is fed to a fresh core record by record; the strategy runs where `Stepped` records stand, with the host
//! answers recorded before them. Everything the core then wants to append must be what the journal holds, and the
//! commands of every step must have the recorded digest: a strategy that decides differently is found at once, and
//! named, instead of continuing in a state that nobody ever saw.

use super::{Answer, Call, Failed, Input, Options, Output, Session, StepOutcome, TimerId, session::digest};
use pointsman_contract::{Command, CommandId, Ended, Failure, Seq, SessionId, Step};
use pointsman_store::{Record, Via};

/// A rebuilt session.
#[derive(Debug)]
pub struct Replayed {
    /// The core, acknowledged up to the last record.
    pub session: Session,
    /// Commands that left, or may have left, in order. None is to be repeated without asking.
    pub performed: Vec<(CommandId, Command)>,
    /// Timers that are pending, with their times in ms since the epoch.
    pub timers: Vec<(TimerId, u64)>,
    /// The call whose end is not recorded: to be made (again) when the session goes on.
    pub unfinished: Option<Call>,
    /// How it ended, if it did.
    pub ended: Option<Ended>,
}

/// Why a journal cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not begin as journals do.
    #[error("the journal does not begin with the start of a session: it is not whole")]
    NoStart,
    /// Records are missing.
    #[error("the journal lacks the record at {0:?}: it is not whole")]
    Missing(Seq),
    /// Records that cannot follow those before them.
    #[error("the journal holds {found} at {at:?}, which cannot follow the records before it: it is not whole")]
    Unexpected {
        /// Where.
        at: Seq,
        /// What stands there.
        found: String,
    },
    /// The strategy did something else than when the journal was written.
    #[error(
        "replay differs at {at:?}: the step gave other commands than the recorded ones; the strategy is not the one that wrote this journal, or is not deterministic"
    )]
    Differs {
        /// The `Stepped` record.
        at: Seq,
    },
    /// The strategy failed where it once succeeded.
    #[error("replay differs at {at:?}: the step failed ({failure}), and it succeeded when it was recorded")]
    Failed {
        /// The `Stepped` record.
        at: Seq,
        /// The failure.
        failure: Failure,
    },
}

/// Replays `records` as a journal's `read` answers them, from the first. `run` makes one call, answering its host reads
/// from the given ones, in order.
pub fn replay(
    id: SessionId,
    options: Options,
    records: &[(Seq, Record)],
    mut run: impl FnMut(&Call, &[Answer]) -> Result<Step, Failure>,
) -> Result<Replayed, Error> {
    let Some((Seq(1), Record::SessionStarted(started))) = records.first() else {
        return Err(Error::NoStart);
    };
    if let Some((expected, _)) = (1..).map(Seq).zip(records).find(|(expected, (seq, _))| expected != seq) {
        return Err(Error::Missing(expected));
    }
    let mut replay = Replay {
        done: Replayed {
            session: Session::new(id, options, (**started).clone()),
            performed: Vec::new(),
            timers: Vec::new(),
            unfinished: None,
            ended: None,
        },
        produced: 0,
        records,
    };
    replay.input(Input::Start)?;
    let mut answers = Vec::new();
    // Own events and the end of a finished session are produced by the step before them.
    // Answers stand before the record that ends their step, and are produced together with it.
    while let Some((at, record)) = records.get(replay.produced + answers.len()) {
        let at = *at;
        let unexpected = || Error::Unexpected {
            at,
            found: kind(record).into(),
        };
        match record {
            Record::HostAnswer { source, key, answer } => {
                answers.push(Answer {
                    source: source.clone(),
                    key: key.clone(),
                    answer: answer.clone(),
                });
                if at.0 as usize == records.len() {
                    // Appends are atomic: answers never stand last.
                    return Err(unexpected());
                }
            }
            Record::Stepped { commands, .. } => {
                let call = replay.done.unfinished.take().ok_or_else(unexpected)?;
                let step = run(&call, &answers).map_err(|failure| Error::Failed { at, failure })?;
                if digest(&step.commands) != *commands {
                    return Err(Error::Differs { at });
                }
                replay.input(Input::Stepped(Ok(StepOutcome {
                    step,
                    answers: std::mem::take(&mut answers),
                })))?;
                if replay.produced < at.0 as usize {
                    // It waits in the core for the records that follow; as a journal's last record it is there alone.
                    replay.hold()?;
                }
            }
            Record::LimitBroken { failure, .. } => {
                replay.done.unfinished.take().ok_or_else(unexpected)?;
                let failed = Failed {
                    failure: failure.clone(),
                    answers: std::mem::take(&mut answers),
                };
                replay.input(Input::Stepped(Err(failed)))?;
            }
            Record::EventReceived {
                event,
                at_ms,
                via: Via::Outside,
            } => {
                replay.input(Input::Event(event.clone(), *at_ms))?;
            }
            Record::EventReceived {
                event,
                at_ms,
                via: Via::Refused,
            } => {
                replay.done.session.refused(event.clone(), *at_ms);
                replay.input(Input::Appended(Seq(0)))?;
            }
            Record::TimerFired { cause, at_ms, .. } => {
                replay.done.timers.retain(|(id, _)| *id != TimerId::Send(*cause));
                replay.input(Input::TimerFired(TimerId::Send(*cause), *at_ms))?;
            }
            Record::CommandConfirmed { command, outcome } => {
                replay.input(Input::CommandConfirmed(*command, outcome.clone()))?;
            }
            Record::Ended {
                ended: Ended::Terminated(reason),
                at_ms,
            } => {
                replay.input(Input::Terminate(reason.clone(), *at_ms))?;
            }
            // Those of broken limits were produced together with their `LimitBroken`.
            Record::Ended {
                ended: Ended::Failed(failure),
                at_ms,
            } => {
                replay.input(Input::Fail(failure.clone(), *at_ms))?;
            }
            Record::SessionStarted(_) | Record::EventReceived { .. } | Record::Ended { .. } => return Err(unexpected()),
        }
        if answers.is_empty() && replay.produced < at.0 as usize {
            return Err(unexpected());
        }
    }
    Ok(replay.done)
}

struct Replay<'a> {
    done: Replayed,
    /// Records that the core has produced, all equal to those of the journal.
    produced: usize,
    records: &'a [(Seq, Record)],
}

impl Replay<'_> {
    /// Gives the core an input and acknowledges whatever it appends, until it has nothing more to say.
    fn input(&mut self, input: Input) -> Result<(), Error> {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let mut out = Vec::new();
            let at = Seq(self.produced as u64 + 1);
            let found = self.found(self.produced);
            self.done
                .session
                .input(input, &mut out)
                .map_err(|_| Error::Unexpected {
                    at,
                    found: found.into(),
                })?;
            for output in out {
                match output {
                    Output::Append { first, records } => {
                        let from = first.0 as usize - 1;
                        self.compare(from, &records)?;
                        self.produced = from + records.len();
                        next = Some(Input::Appended(Seq(self.produced as u64)));
                    }
                    Output::Run(call) => self.done.unfinished = Some(call),
                    Output::Perform(id, command) => self.done.performed.push((id, command)),
                    Output::Deliver { .. } => {}
                    Output::SetTimer(id, at_ms) => self.done.timers.push((id, at_ms)),
                    Output::CancelTimer(id) => self.done.timers.retain(|(timer, _)| *timer != id),
                    Output::Ended(ended) => {
                        self.done.ended = Some(ended);
                        // It may have been ended in the middle of a call, which then does not count.
                        self.done.unfinished = None;
                    }
                }
            }
        }
        Ok(())
    }

    fn compare(&self, from: usize, produced: &[Record]) -> Result<(), Error> {
        for (i, record) in produced.iter().enumerate() {
            if self
                .records
                .get(from + i)
                .is_none_or(|(_, recorded)| recorded != record)
            {
                let found = self.found(from + i).to_owned();
                return Err(Error::Unexpected {
                    at: Seq((from + i) as u64 + 1),
                    found,
                });
            }
        }
        Ok(())
    }

    fn found(&self, at: usize) -> &'static str {
        self.records.get(at).map_or("its end", |(_, record)| kind(record))
    }

    /// Counts the `Stepped` record that the core keeps back for its next append.
    fn hold(&mut self) -> Result<(), Error> {
        self.compare(self.produced, self.done.session.kept_back())?;
        self.produced += self.done.session.kept_back().len();
        Ok(())
    }
}

fn kind(record: &Record) -> &'static str {
    match record {
        Record::SessionStarted(_) => "the start of a session",
        Record::EventReceived { .. } => "an event",
        Record::HostAnswer { .. } => "a host answer",
        Record::TimerFired { .. } => "a timer",
        Record::Stepped { .. } => "the end of a step",
        Record::CommandConfirmed { .. } => "a confirmation",
        Record::LimitBroken { .. } => "a broken limit",
        Record::Ended { .. } => "the end of the session",
    }
}
