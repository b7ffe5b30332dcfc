//! The journal: one append-only list of records per session.
//!
//! An append is guarded twice. The **epoch** names the owner: whoever [`Journal::claim`]s a session gets a higher one,
//! and from then on the earlier owner is fenced out, however late its appends arrive. The **position** of the first
//! record must follow the last one kept, so that a repeated append is recognised and a lost one is noticed.
//!
//! An append is the commit point of a session: nothing that it caused may leave the host before it is acknowledged.
//! Stores acknowledge at different speeds, so [`Journal::append`] takes the records and somebody to tell. It answers
//! at once where it can (memory), or later, so that one disk write or round trip can serve many sessions (group
//! commit), and the caller's thread is free meanwhile.
//!
//! An append is atomic: either all its records are kept, or none.

use crate::Record;
use pointsman_contract::{Epoch, Seq, SessionId};
use std::{future::Future, pin::Pin, sync::Arc, task::Poll};

/// What a slow operation of a store returns.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Records to be kept, in order.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose journal.
    pub session: SessionId,
    /// As which owner. A journal that does not exist yet is created under this epoch, by `first` = 1.
    pub epoch: Epoch,
    /// Position of the first of `records`.
    pub first: Seq,
    /// At least one.
    pub records: Vec<Record>,
}

impl Append {
    /// Position of the last of the records.
    pub fn last(&self) -> Seq {
        Seq(self.first.0 + (self.records.len() as u64).saturating_sub(1))
    }
}

/// The answer to an append: the position up to which the journal is kept, or why not.
pub type Appended = Result<Seq, AppendError>;

/// Why records were not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Exactly these records are kept already: an earlier attempt whose answer was lost. As good as success.
    #[error("the journal of session {session} holds these records already (its last is {last:?})")]
    Duplicate {
        /// The session.
        session: SessionId,
        /// Last position kept.
        last: Seq,
    },
    /// Other records are kept at this position: two writers were at work under one epoch, or one repeated itself wrongly.
    #[error(
        "the journal of session {session} holds other records at {at:?}: end this session here, its owner is elsewhere"
    )]
    Conflict {
        /// The session.
        session: SessionId,
        /// First position in dispute.
        at: Seq,
    },
    /// Records before `first` are missing: the store lost what it had acknowledged. Send again from `expected`.
    #[error("the journal of session {session} ends before these records: send again from {expected:?}")]
    Gap {
        /// The session.
        session: SessionId,
        /// The next position that the journal can take.
        expected: Seq,
    },
    /// Another owner has claimed the session.
    #[error("session {session} belongs to a later owner ({current:?}): end it here without acting")]
    Fenced {
        /// The session.
        session: SessionId,
        /// The owner's epoch.
        current: Epoch,
    },
    /// The journal has had its last record (`Record::Ended`).
    #[error("the journal of session {session} is finished: nothing can follow its end")]
    Finished {
        /// The session.
        session: SessionId,
    },
    /// No room.
    #[error("the journal is full ({reason}): make room, or raise its limit")]
    Full {
        /// Which room.
        reason: String,
    },
    /// The store cannot be reached or does not answer. Whether the records are kept is not known.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The store cannot be reached or does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal's store does not answer ({reason}): check that it runs and can be reached")]
pub struct Unavailable {
    /// What was seen.
    pub reason: String,
}

/// Why a journal cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is none, or no longer.
    #[error("there is no journal of session {0}: it never existed, or its retention is over")]
    NotFound(SessionId),
    /// It outgrew its bound, and this store then keeps only positions.
    #[error(
        "the journal of session {session} outgrew {limit} bytes and was dropped: raise the limit, or use a durable store"
    )]
    Truncated {
        /// The session.
        session: SessionId,
        /// The bound, in bytes.
        limit: usize,
    },
    /// What is stored is not what was written.
    #[error("the journal of session {session} is damaged at {at:?}: {reason}")]
    Corrupt {
        /// The session.
        session: SessionId,
        /// First position that cannot be trusted.
        at: Seq,
        /// What is wrong with it.
        reason: String,
    },
    /// The store cannot be reached or does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What a new owner gets. Both in one answer: an owner that claimed and then read could miss the appends of the
/// earlier one in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The epoch to append under, higher than every earlier one of this session.
    pub epoch: Epoch,
    /// Last position kept; nothing of an earlier epoch can follow it.
    pub last: Seq,
}

/// Who is told of appends that were not answered at once.
pub trait Acknowledge: Send + Sync {
    /// The append of `session` that ended at `last` was answered. Called once for each, from any thread, for one
    /// session in the order of its appends. Must not block.
    fn acknowledged(&self, session: SessionId, last: Seq, answer: Appended);
}

/// A place for journals.
pub trait Journal: Send + Sync {
    /// Appends records. `Ready` is the answer; `Pending` promises one call of `to`. Appends of one session take effect
    /// in the order of the calls. Does not block.
    fn append(&self, append: Append, to: &Arc<dyn Acknowledge>) -> Poll<Appended>;

    /// All records of a session, in order, with their positions.
    fn read(&self, session: SessionId) -> Pending<'_, Result<Vec<(Seq, Record)>, ReadError>>;

    /// Makes the caller the owner of an existing session, and fences all earlier ones.
    fn claim(&self, session: SessionId) -> Pending<'_, Result<Claimed, ReadError>>;

    /// Removes a session's journal. One that does not exist is no error.
    fn forget(&self, session: SessionId) -> Pending<'_, Result<(), Unavailable>>;
}
