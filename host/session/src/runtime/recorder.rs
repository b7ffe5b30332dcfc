//! Answers a step's reads of host data, and remembers the answers for the journal.

use super::{HostData, Info, Reads};
use crate::core::Answer;
use pointsman_contract::MAX_READ_ANSWER;

/// Most reads of one step; each is a record of the journal.
pub const MAX_READS: usize = 1_000;

/// Most bytes of a read's source and key together. A longer one is refused, and not recorded.
const MAX_KEY: usize = 1 << 10;

/// Bytes of answers, keys included, after which a step is given no more. The last answer may go beyond.
const MAX_BYTES: usize = 1 << 20;

/// Most bytes of a message that says why there is no answer.
const MAX_MESSAGE: usize = 1 << 10;

pub(super) struct Recorder<'a> {
    data: &'a dyn HostData,
    session: &'a Info,
    pub answers: Vec<Answer>,
    bytes: usize,
}

impl<'a> Recorder<'a> {
    pub fn new(data: &'a dyn HostData, session: &'a Info) -> Self {
        Recorder {
            data,
            session,
            answers: Vec::new(),
            bytes: 0,
        }
    }
}

impl Reads for Recorder<'_> {
    fn read(&mut self, source: &str, key: &str) -> Result<String, String> {
        // Refusals are not recorded: the same step replayed comes to the same limit by itself.
        if self.answers.len() >= MAX_READS {
            return Err(format!("more than {MAX_READS} reads in one step"));
        }
        if source.len() + key.len() > MAX_KEY {
            return Err(format!(
                "source and key of a read have {} bytes, {MAX_KEY} allowed",
                source.len() + key.len()
            ));
        }
        if self.bytes >= MAX_BYTES {
            return Err(format!("more than {MAX_BYTES} bytes read in one step"));
        }
        let answer = match self.data.read(self.session, source, key) {
            Ok(answer) if answer.len() > MAX_READ_ANSWER => Err(format!(
                "the answer has {} bytes, {MAX_READ_ANSWER} allowed: ask for less of it",
                answer.len()
            )),
            Err(mut message) => {
                message.truncate(message.floor_char_boundary(MAX_MESSAGE));
                Err(message)
            }
            answer => answer,
        };
        self.bytes += source.len() + key.len() + answer.as_ref().map_or_else(String::len, String::len);
        self.answers.push(Answer {
            source: source.into(),
            key: key.into(),
            answer: answer.clone(),
        });
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_contract::{Digest, SessionId};

    /// Answers with as many bytes as the key says, or with as long an excuse.
    struct Sized;

    impl HostData for Sized {
        fn read(&self, _: &Info, source: &str, key: &str) -> Result<String, String> {
            let text = "é".repeat(key.trim_start_matches('0').parse::<usize>().unwrap_or(0) / 2);
            if source == "no" { Err(text) } else { Ok(text) }
        }
    }

    fn info() -> Info {
        Info {
            id: SessionId::from_random([7; 20]),
            tenant: "t".parse().unwrap(),
            strategy: "s".parse().unwrap(),
            version: 1,
            component: Digest([0; 32]),
            origin: String::new(),
            parent: None,
            started_ms: 0,
        }
    }

    #[test]
    fn what_a_step_can_make_the_journal_keep_is_bounded() {
        let info = info();
        let mut r = Recorder::new(&Sized, &info);
        let long = "0".repeat(MAX_KEY);
        assert!(r.read("s", &long).unwrap_err().contains("1025 bytes, 1024 allowed"));
        assert_eq!(r.answers, []);
        assert_eq!(r.read("", &long), Ok(String::new()));
        assert!(r.read("s", "32770").unwrap_err().contains("32770 bytes"));
        let excuse = r.read("no", "5001").unwrap_err();
        assert!(excuse.len() <= MAX_MESSAGE && excuse.len() > MAX_MESSAGE - 4);
        let given = (0..100).take_while(|_| r.read("s", "32768").is_ok()).count();
        assert_eq!(given, MAX_BYTES / MAX_READ_ANSWER);
        assert!(r.read("s", "1").unwrap_err().contains("bytes read in one step"));
        assert_eq!(r.answers.len(), 3 + given);

        let mut r = Recorder::new(&Sized, &info);
        assert!((0..MAX_READS).all(|_| r.read("s", "2").is_ok()));
        assert!(r.read("s", "2").unwrap_err().contains("reads in one step"));
        assert_eq!(r.answers.len(), MAX_READS);
    }
}
