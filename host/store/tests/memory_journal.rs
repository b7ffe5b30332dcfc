//! The journal in memory: the suite of all journals, and its own bounds.
#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

use pointsman_contract::{Ended, Epoch, Event, Seq, SessionId};
use pointsman_store::{
    Acknowledge, Append, AppendError, Appended, Journal as _, ReadError, Record, Via, conformance, memory,
};
use std::{sync::Arc, task::Poll};

struct Nobody;

impl Acknowledge for Nobody {
    fn acknowledged(&self, session: SessionId, _: Seq, _: Appended) {
        panic!("the memory journal answers at once, and was not to call for {session}");
    }
}

fn id(n: u8) -> SessionId {
    SessionId::from_random([n; 20])
}

fn append(journal: &memory::Journal, session: SessionId, first: u64, record: Record) -> Appended {
    let to: Arc<dyn Acknowledge> = Arc::new(Nobody);
    match journal.append(
        Append {
            session,
            epoch: Epoch(1),
            first: Seq(first),
            records: vec![record],
        },
        &to,
    ) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the memory journal answers at once"),
    }
}

fn event(bytes: usize) -> Record {
    Record::EventReceived {
        event: Event::external("x".repeat(bytes), None),
        at_ms: 0,
        via: Via::Outside,
    }
}

fn end() -> Record {
    Record::Ended {
        ended: Ended::Terminated(String::new()),
        at_ms: 0,
    }
}

#[tokio::test]
async fn the_memory_journal_passes_the_suite() {
    conformance::run(&memory::Journal::default(), 1).await;
}

#[tokio::test]
async fn only_the_last_finished_journals_are_kept() {
    let journal = memory::Journal::new(memory::Options {
        finished: 2,
        ..memory::Options::default()
    });
    for n in 1..=3 {
        append(&journal, id(n), 1, event(10)).unwrap();
    }
    for n in 1..=3 {
        append(&journal, id(n), 2, end()).unwrap();
    }
    assert_eq!(journal.read(id(1)).await, Err(ReadError::NotFound(id(1))));
    assert_eq!(journal.read(id(2)).await.unwrap().len(), 2);
    assert_eq!(journal.read(id(3)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn finished_journals_make_room_for_live_ones() {
    let journal = memory::Journal::new(memory::Options {
        bytes: 10_000,
        ..memory::Options::default()
    });
    append(&journal, id(1), 1, event(5_000)).unwrap();
    append(&journal, id(1), 2, end()).unwrap();
    append(&journal, id(2), 1, event(6_000)).unwrap();
    assert_eq!(journal.read(id(1)).await, Err(ReadError::NotFound(id(1))));
    assert_eq!(journal.read(id(2)).await.unwrap().len(), 1);
    assert!(journal.bytes() <= 10_000);
}

#[tokio::test]
async fn a_journal_that_outgrows_its_bound_keeps_its_guards_and_says_that_it_was_dropped() {
    let journal = memory::Journal::new(memory::Options {
        session_bytes: 2_000,
        ..memory::Options::default()
    });
    append(&journal, id(1), 1, event(1_000)).unwrap();
    append(&journal, id(1), 2, event(1_000)).unwrap();
    assert_eq!(journal.bytes(), 0);
    assert_eq!(
        journal.read(id(1)).await,
        Err(ReadError::Truncated {
            session: id(1),
            limit: 2_000
        })
    );
    assert_eq!(
        append(&journal, id(1), 4, event(1)),
        Err(AppendError::Gap {
            session: id(1),
            expected: Seq(3)
        })
    );
    let claimed = journal.claim(id(1)).await.unwrap();
    assert_eq!(claimed.last, Seq(2));
    assert!(matches!(
        append(&journal, id(1), 3, event(1)),
        Err(AppendError::Fenced { .. })
    ));
}

#[tokio::test]
async fn live_journals_that_fill_the_memory_are_dropped_not_refused() {
    let journal = memory::Journal::new(memory::Options {
        bytes: 3_000,
        ..memory::Options::default()
    });
    append(&journal, id(1), 1, event(2_000)).unwrap();
    append(&journal, id(2), 1, event(2_000)).unwrap();
    assert_eq!(journal.read(id(1)).await.unwrap().len(), 1);
    assert!(matches!(journal.read(id(2)).await, Err(ReadError::Truncated { .. })));
    assert!(journal.bytes() <= 3_000);
}

#[tokio::test]
async fn forgotten_journals_give_their_bytes_back() {
    let journal = memory::Journal::default();
    append(&journal, id(1), 1, event(100)).unwrap();
    assert!(journal.bytes() > 100);
    journal.forget(id(1)).await.unwrap();
    assert_eq!(journal.bytes(), 0);
}
