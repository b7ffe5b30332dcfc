//! Journals in memory: nothing survives the process. For tests, for hosts that accept that, and for looking back at
//! the calls of the last minutes.
//!
//! Its bounds never end a call. Finished journals go first, oldest first, when there are too many or they are too
//! large. A live session whose journal outgrows [`Options::session_bytes`], or that finds no room left at all, keeps
//! only its position and epoch: the guards hold as before, reading answers [`ReadError::Truncated`].

use crate::{
    Record,
    journal::{Acknowledge, Append, AppendError, Appended, Claimed, Pending, ReadError, Unavailable},
};
use pointsman_contract::{Epoch, Seq, SessionId};
use std::{
    collections::{HashMap, VecDeque},
    future::ready,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

/// Parts with a lock each, so that sessions on different threads seldom wait for one another.
const SHARDS: usize = 64;

/// Bounds of the journal.
#[derive(Clone, Debug)]
pub struct Options {
    /// Finished journals kept, 10,000 unless told.
    pub finished: usize,
    /// Bytes of all records together (as [`Record::size`] counts), 256 MiB unless told.
    pub bytes: usize,
    /// Bytes of one session's records, 1 MiB unless told.
    pub session_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            finished: 10_000,
            bytes: 256 << 20,
            session_bytes: 1 << 20,
        }
    }
}

/// Journals in memory.
pub struct Journal {
    options: Options,
    shards: Vec<Mutex<HashMap<SessionId, Entry>>>,
    bytes: AtomicUsize,
    /// Finished sessions, oldest first. May name sessions that were forgotten meanwhile.
    finished: Mutex<VecDeque<SessionId>>,
}

struct Entry {
    epoch: Epoch,
    last: Seq,
    finished: bool,
    bytes: usize,
    /// `None` once truncated.
    records: Option<Vec<Record>>,
}

/// A panic of another thread cannot leave a map half changed in a way that matters here: every change is one insert.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// An empty journal.
    pub fn new(options: Options) -> Self {
        Journal {
            options,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            bytes: AtomicUsize::new(0),
            finished: Mutex::default(),
        }
    }

    /// Bytes of all records kept.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn shard(&self, session: SessionId) -> MutexGuard<'_, HashMap<SessionId, Entry>> {
        lock(&self.shards[(session.hash() % SHARDS as u64) as usize])
    }

    fn try_append(&self, append: Append) -> Appended {
        let Append {
            session,
            epoch,
            first,
            records,
        } = append;
        let last = Seq(first.0 + (records.len() as u64).saturating_sub(1));
        let size: usize = records.iter().map(Record::size).sum();
        let ends = matches!(records.last(), Some(Record::Ended { .. }));
        // Room is made before the shard is locked: it may have to lock another one.
        let fits = self.make_room(size);
        {
            let mut shard = self.shard(session);
            let entry = match shard.get_mut(&session) {
                Some(entry) => entry,
                None if first == Seq(1) => shard.entry(session).or_insert(Entry {
                    epoch,
                    last: Seq(0),
                    finished: false,
                    bytes: 0,
                    records: Some(Vec::new()),
                }),
                None => {
                    return Err(AppendError::Gap {
                        session,
                        expected: Seq(1),
                    });
                }
            };
            entry.guard(session, epoch, first, &records)?;
            entry.epoch = epoch;
            entry.last = last;
            entry.finished = ends;
            if !fits || entry.bytes + size > self.options.session_bytes {
                self.bytes.fetch_sub(entry.bytes, Ordering::Relaxed);
                entry.bytes = 0;
                entry.records = None;
            }
            if let Some(kept) = &mut entry.records {
                kept.extend(records);
                entry.bytes += size;
                self.bytes.fetch_add(size, Ordering::Relaxed);
            }
        }
        if ends {
            self.finish(session);
        }
        Ok(last)
    }

    fn finish(&self, session: SessionId) {
        let mut finished = lock(&self.finished);
        finished.push_back(session);
        let oldest = if finished.len() > self.options.finished {
            finished.pop_front()
        } else {
            None
        };
        drop(finished);
        if let Some(oldest) = oldest {
            self.remove(oldest);
        }
    }

    /// Drops finished journals until `size` more bytes fit. False when there is nothing left to drop.
    fn make_room(&self, size: usize) -> bool {
        while self.bytes() + size > self.options.bytes {
            let Some(oldest) = lock(&self.finished).pop_front() else {
                return false;
            };
            self.remove(oldest);
        }
        true
    }

    fn remove(&self, session: SessionId) {
        let removed = self.shard(session).remove(&session);
        if let Some(entry) = removed {
            self.bytes.fetch_sub(entry.bytes, Ordering::Relaxed);
        }
    }
}

impl Entry {
    fn guard(&self, session: SessionId, epoch: Epoch, first: Seq, records: &[Record]) -> Result<(), AppendError> {
        if epoch < self.epoch {
            return Err(AppendError::Fenced {
                session,
                current: self.epoch,
            });
        }
        let expected = self.last.next();
        if first > expected {
            return Err(AppendError::Gap { session, expected });
        }
        if first < expected {
            // A truncated journal cannot compare any more; it trusts its only writer.
            let same = self.records.as_ref().is_none_or(|kept| {
                let from = (first.0 as usize).saturating_sub(1);
                kept.get(from..from + records.len()).is_some_and(|kept| kept == records)
            });
            return Err(match same {
                true => AppendError::Duplicate {
                    session,
                    last: self.last,
                },
                false => AppendError::Conflict { session, at: first },
            });
        }
        if self.finished {
            return Err(AppendError::Finished { session });
        }
        Ok(())
    }
}

impl Default for Journal {
    fn default() -> Self {
        Journal::new(Options::default())
    }
}

impl crate::Journal for Journal {
    fn append(&self, append: Append, _to: &Arc<dyn Acknowledge>) -> Poll<Appended> {
        Poll::Ready(self.try_append(append))
    }

    fn read(&self, session: SessionId) -> Pending<'_, Result<Vec<(Seq, Record)>, ReadError>> {
        let answer = match self.shard(session).get(&session) {
            None => Err(ReadError::NotFound(session)),
            Some(Entry { records: None, .. }) => Err(ReadError::Truncated {
                session,
                limit: self.options.session_bytes,
            }),
            Some(Entry {
                records: Some(records), ..
            }) => Ok((1..).map(Seq).zip(records.iter().cloned()).collect()),
        };
        Box::pin(ready(answer))
    }

    fn claim(&self, session: SessionId) -> Pending<'_, Result<Claimed, ReadError>> {
        let answer = match self.shard(session).get_mut(&session) {
            None => Err(ReadError::NotFound(session)),
            Some(entry) => {
                entry.epoch.0 += 1;
                Ok(Claimed {
                    epoch: entry.epoch,
                    last: entry.last,
                })
            }
        };
        Box::pin(ready(answer))
    }

    fn forget(&self, session: SessionId) -> Pending<'_, Result<(), Unavailable>> {
        self.remove(session);
        Box::pin(ready(Ok(())))
    }
}
