//! What every journal must do, as one suite that each implementation runs over itself.
//!
//! A backend's test is `conformance::run(journal).await`. The suite panics with a sentence where the journal does
//! not keep its word. It uses fresh random-looking sessions made from `salt`, so that it can run against a store that
//! holds other data.

use crate::{
    Outcome, Record, Via,
    journal::{Acknowledge, Append, AppendError, Appended, Journal, ReadError},
};
use pointsman_contract::{CommandId, Ended, Epoch, Event, Seq, SessionId};
use std::{sync::Arc, task::Poll};
use tokio::sync::mpsc;

/// Hands answers that come later to whoever waits for them.
struct Waiter {
    answers: mpsc::UnboundedSender<(SessionId, Seq, Appended)>,
}

impl Acknowledge for Waiter {
    fn acknowledged(&self, session: SessionId, last: Seq, answer: Appended) {
        // Only fails when the suite is over.
        let _over = self.answers.send((session, last, answer));
    }
}

/// A journal under test, with the answers of its appends.
struct Subject<'a, J> {
    journal: &'a J,
    to: Arc<dyn Acknowledge>,
    answers: mpsc::UnboundedReceiver<(SessionId, Seq, Appended)>,
    salt: u64,
    sessions: u64,
}

impl<J: Journal> Subject<'_, J> {
    fn session(&mut self) -> SessionId {
        self.sessions += 1;
        let mut random = [0; 20];
        random[..8].copy_from_slice(&self.salt.to_be_bytes());
        random[12..].copy_from_slice(&self.sessions.to_be_bytes());
        SessionId::from_random(random)
    }

    async fn append(&mut self, session: SessionId, epoch: u64, first: u64, records: &[Record]) -> Appended {
        let append = Append {
            session,
            epoch: Epoch(epoch),
            first: Seq(first),
            records: records.to_vec(),
        };
        let last = append.last();
        match self.journal.append(append, &self.to) {
            Poll::Ready(answer) => answer,
            Poll::Pending => {
                let (of, at, answer) = self.answers.recv().await.expect("the suite holds a sender");
                assert_eq!((of, at), (session, last), "an answer names the append that it answers");
                answer
            }
        }
    }

    async fn read(&self, session: SessionId) -> Vec<Record> {
        let read = self
            .journal
            .read(session)
            .await
            .expect("an existing journal can be read");
        for (i, (seq, _)) in read.iter().enumerate() {
            assert_eq!(seq.0, i as u64 + 1, "positions count from 1 without gaps");
        }
        read.into_iter().map(|(_, record)| record).collect()
    }
}

fn event(n: u64) -> Record {
    let event = Event::external(format!("event.{n}"), Some(format!("{{\"n\":{n}}}")));
    Record::EventReceived {
        event,
        at_ms: n,
        via: Via::Outside,
    }
}

fn end() -> Record {
    Record::Ended {
        ended: Ended::Terminated("the suite says so".into()),
        at_ms: 9,
    }
}

/// Runs the whole suite over `journal`. `salt` separates this run's sessions from those of other runs.
pub async fn run<J: Journal>(journal: &J, salt: u64) {
    let (answers, receiver) = mpsc::unbounded_channel();
    let to: Arc<dyn Acknowledge> = Arc::new(Waiter { answers });
    let mut subject = Subject {
        journal,
        to,
        answers: receiver,
        salt,
        sessions: 0,
    };
    what_is_appended_is_read_in_order(&mut subject).await;
    a_repeated_append_is_a_duplicate_and_changes_nothing(&mut subject).await;
    other_records_at_a_taken_position_are_a_conflict(&mut subject).await;
    a_gap_names_the_position_that_is_missing(&mut subject).await;
    a_claim_fences_the_earlier_owner(&mut subject).await;
    nothing_follows_the_end(&mut subject).await;
    sessions_do_not_see_each_other(&mut subject).await;
    a_forgotten_journal_is_gone(&mut subject).await;
    appends_of_one_session_are_answered_in_order(&mut subject).await;
}

async fn what_is_appended_is_read_in_order<J: Journal>(s: &mut Subject<'_, J>) {
    let id = s.session();
    let command = CommandId {
        session: id,
        seq: Seq(1),
        ordinal: 2,
    };
    let batch = [
        event(1),
        Record::HostAnswer {
            source: "list".into(),
            key: "k".into(),
            answer: Err("none".into()),
        },
        Record::CommandConfirmed {
            command,
            outcome: Outcome::Done,
        },
    ];
    assert_eq!(
        s.append(id, 1, 1, &batch).await,
        Ok(Seq(3)),
        "the answer is the last position kept"
    );
    assert_eq!(s.append(id, 1, 4, &[event(2)]).await, Ok(Seq(4)));
    let mut all = batch.to_vec();
    all.push(event(2));
    assert_eq!(s.read(id).await, all);
}

async fn a_repeated_append_is_a_duplicate_and_changes_nothing<J: Journal>(s: &mut Subject<'_, J>) {
    let id = s.session();
    let _first = s.append(id, 1, 1, &[event(1)]).await;
    let _second = s.append(id, 1, 2, &[event(2), event(3)]).await;
    for (first, records) in [(1, vec![event(1)]), (2, vec![event(2), event(3)])] {
        let answer = s.append(id, 1, first, &records).await;
        assert_eq!(
            answer,
            Err(AppendError::Duplicate {
                session: id,
                last: Seq(3)
            })
        );
    }
    assert_eq!(s.read(id).await, [event(1), event(2), event(3)]);
}

async fn other_records_at_a_taken_position_are_a_conflict<J: Journal>(s: &mut Subject<'_, J>) {
    let id = s.session();
    let _first = s.append(id, 1, 1, &[event(1), event(2)]).await;
    assert_eq!(
        s.append(id, 1, 2, &[event(7)]).await,
        Err(AppendError::Conflict {
            session: id,
            at: Seq(2)
        })
    );
    // Half old, half new: atomic, so neither half is taken.
    let half = s.append(id, 1, 2, &[event(2), event(3)]).await;
    assert_eq!(
        half,
        Err(AppendError::Conflict {
            session: id,
            at: Seq(2)
        })
    );
    assert_eq!(s.read(id).await, [event(1), event(2)]);
}

async fn a_gap_names_the_position_that_is_missing<J: Journal>(s: &mut Subject<'_, J>) {
    let id = s.session();
    assert_eq!(
        s.append(id, 1, 2, &[event(2)]).await,
        Err(AppendError::Gap {
            session: id,
            expected: Seq(1)
        })
    );
    let _first = s.append(id, 1, 1, &[event(1)]).await;
    assert_eq!(
        s.append(id, 1, 3, &[event(3)]).await,
        Err(AppendError::Gap {
            session: id,
            expected: Seq(2)
        })
    );
    assert_eq!(s.read(id).await, [event(1)]);
}

async fn a_claim_fences_the_earlier_owner<J: Journal>(s: &mut Subject<'_, J>) {
    let id = s.session();
    assert_eq!(
        s.journal.claim(id).await,
        Err(ReadError::NotFound(id)),
        "only an existing session can be claimed"
    );
    let _first = s.append(id, 1, 1, &[event(1)]).await;
    let claimed = s.journal.claim(id).await.expect("an existing session can be claimed");
    assert!(claimed.epoch > Epoch(1), "each claim has a higher epoch: {claimed:?}");
    assert_eq!(claimed.last, Seq(1));
    let fenced = Err(AppendError::Fenced {
        session: id,
        current: claimed.epoch,
    });
    assert_eq!(s.append(id, 1, 2, &[event(2)]).await, fenced);
    assert_eq!(
        s.append(id, 1, 1, &[event(1)]).await,
        fenced,
        "fenced before anything else is looked at"
    );
    assert_eq!(s.append(id, claimed.epoch.0, 2, &[event(3)]).await, Ok(Seq(2)));
    let again = s.journal.claim(id).await.expect("an existing session can be claimed");
    assert!(
        again.epoch > claimed.epoch && again.last == Seq(2),
        "{again:?} after {claimed:?}"
    );
    assert_eq!(s.read(id).await, [event(1), event(3)]);
}

async fn nothing_follows_the_end<J: Journal>(s: &mut Subject<'_, J>) {
    let id = s.session();
    let _all = s.append(id, 1, 1, &[event(1), end()]).await;
    assert_eq!(
        s.append(id, 1, 3, &[event(2)]).await,
        Err(AppendError::Finished { session: id })
    );
    assert_eq!(
        s.read(id).await,
        [event(1), end()],
        "a finished journal can still be read"
    );
}

async fn sessions_do_not_see_each_other<J: Journal>(s: &mut Subject<'_, J>) {
    let (a, b) = (s.session(), s.session());
    let _a = s.append(a, 1, 1, &[event(1)]).await;
    let _b = s.append(b, 1, 1, &[event(2)]).await;
    assert_eq!(s.read(a).await, [event(1)]);
    assert_eq!(s.read(b).await, [event(2)]);
}

async fn a_forgotten_journal_is_gone<J: Journal>(s: &mut Subject<'_, J>) {
    let id = s.session();
    let _first = s.append(id, 1, 1, &[event(1)]).await;
    s.journal.forget(id).await.expect("a journal can be forgotten");
    assert_eq!(s.journal.read(id).await, Err(ReadError::NotFound(id)));
    s.journal.forget(id).await.expect("forgetting twice is no error");
}

/// Many appends are handed over before any answer is awaited, as group commit allows.
async fn appends_of_one_session_are_answered_in_order<J: Journal>(s: &mut Subject<'_, J>) {
    const APPENDS: u64 = 200;
    let id = s.session();
    let mut answers = Vec::new();
    for n in 1..=APPENDS {
        let append = Append {
            session: id,
            epoch: Epoch(1),
            first: Seq(n),
            records: vec![event(n)],
        };
        if let Poll::Ready(answer) = s.journal.append(append, &s.to) {
            answers.push(answer);
        }
    }
    while (answers.len() as u64) < APPENDS {
        answers.push(s.answers.recv().await.expect("the suite holds a sender").2);
    }
    assert_eq!(answers, (1..=APPENDS).map(|n| Ok(Seq(n))).collect::<Vec<_>>());
    assert_eq!(s.read(id).await.len() as u64, APPENDS);
}
