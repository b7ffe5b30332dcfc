//! Answers a step's reads of host data, and remembers the answers for the journal.

use super::{HostData, Info, Reads};
use crate::core::Answer;
use pointsman_contract::MAX_READ_ANSWER;

/// Most reads of one step; each is a record of the journal.
pub const MAX_READS: usize = 1_000;

pub(super) struct Recorder<'a> {
    data: &'a dyn HostData,
    session: &'a Info,
    pub answers: Vec<Answer>,
}

impl<'a> Recorder<'a> {
    pub fn new(data: &'a dyn HostData, session: &'a Info) -> Self {
        Recorder {
            data,
            session,
            answers: Vec::new(),
        }
    }
}

impl Reads for Recorder<'_> {
    fn read(&mut self, source: &str, key: &str) -> Result<String, String> {
        if self.answers.len() >= MAX_READS {
            // Not recorded: the same step replayed comes to the same limit by itself.
            return Err(format!("more than {MAX_READS} reads in one step"));
        }
        let answer = self
            .data
            .read(self.session, source, key)
            .and_then(|answer| match answer.len() {
                ..=MAX_READ_ANSWER => Ok(answer),
                size => Err(format!(
                    "the answer has {size} bytes, {MAX_READ_ANSWER} allowed: ask for less of it"
                )),
            });
        self.answers.push(Answer {
            source: source.into(),
            key: key.into(),
            answer: answer.clone(),
        });
        answer
    }
}
