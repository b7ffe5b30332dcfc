//! The transactions of a link: found by key, bounded in all and per source, with their timers.

use super::{Attempt, Channel, ConnectionId, Options, Timer};
use crate::sip::message::Headers;
use crate::sip::transaction::{Key, Matching, Server};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Identifies a transaction for the life of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(u64);

/// What may become due for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// A timer of the transaction layer.
    Transaction(Timer),
    /// The call must be decided.
    Decision,
    /// The provisional response must be repeated.
    Refresh,
}

/// A transaction with what the user agent server keeps beside it.
pub(super) struct Transaction {
    pub(super) server: Server,
    pub(super) invite: bool,
    /// Where responses go (RFC 3261 18.2.2, RFC 3581).
    pub(super) reply_to: (Channel, SocketAddr),
    /// Header fields that every response repeats; dropped with the final one.
    pub(super) echo: Option<Headers>,
    /// Our To tag; none when the request had one.
    pub(super) tag: Option<String>,
    /// The call, of an INVITE that became one.
    pub(super) attempt: Option<Box<Attempt>>,
    pub(super) peer: IpAddr,
    pub(super) key: Option<Key>,
}

impl Transaction {
    /// Whether it is a call that waits for its decision or for the ACK.
    pub(super) fn is_open_invite(&self) -> bool {
        self.invite && (self.server.is_undecided() || self.attempt.as_ref().is_some_and(|a| a.routed.is_some()))
    }
}

/// See the module.
pub(super) struct Table {
    transactions: BTreeMap<TransactionId, Transaction>,
    keys: HashMap<Key, TransactionId>,
    per_source: HashMap<IpAddr, usize>,
    per_connection: HashMap<ConnectionId, usize>,
    alarms: BinaryHeap<Reverse<(Instant, TransactionId, Alarm)>>,
    last: u64,
    limit: usize,
    limit_per_source: usize,
}

impl Table {
    pub(super) fn new(options: &Options) -> Self {
        Table {
            transactions: BTreeMap::new(),
            keys: HashMap::new(),
            per_source: HashMap::new(),
            per_connection: HashMap::new(),
            alarms: BinaryHeap::new(),
            last: 0,
            limit: options.max_transactions,
            limit_per_source: options.max_transactions_per_source,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.transactions.len()
    }

    pub(super) fn has_room(&self, source: IpAddr) -> bool {
        self.transactions.len() < self.limit
            && self.per_source.get(&source).copied().unwrap_or(0) < self.limit_per_source
    }

    pub(super) fn insert(&mut self, key: Key, mut transaction: Transaction) -> TransactionId {
        self.last += 1;
        let id = TransactionId(self.last);
        *self.per_source.entry(transaction.peer).or_default() += 1;
        if let Channel::Connection(connection) = transaction.reply_to.0 {
            *self.per_connection.entry(connection).or_default() += 1;
        }
        self.keys.insert(key.clone(), id);
        transaction.key = Some(key);
        self.transactions.insert(id, transaction);
        id
    }

    pub(super) fn remove(&mut self, id: TransactionId) -> Option<Transaction> {
        let transaction = self.transactions.remove(&id)?;
        if let Some(key) = &transaction.key {
            self.keys.remove(key);
        }
        release(&mut self.per_source, &transaction.peer);
        if let Channel::Connection(connection) = &transaction.reply_to.0 {
            release(&mut self.per_connection, connection);
        }
        Some(transaction)
    }

    /// The transaction that a request belongs to; `to_tag` is the request's.
    pub(super) fn find(&self, matching: &Matching, to_tag: Option<&str>) -> Option<TransactionId> {
        self.keys.get(&matching.key).copied().or_else(|| {
            let id = self.keys.get(matching.untagged.as_ref()?)?;
            (self.transactions.get(id)?.tag.as_deref() == to_tag).then_some(*id)
        })
    }

    pub(super) fn get(&self, id: TransactionId) -> Option<&Transaction> {
        self.transactions.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.transactions.get_mut(&id)
    }

    pub(super) fn is_busy(&self, connection: ConnectionId) -> bool {
        self.per_connection.contains_key(&connection)
    }

    pub(super) fn undecided_invites(&self) -> Vec<TransactionId> {
        self.transactions
            .iter()
            .filter(|(_, t)| t.invite && t.server.is_undecided())
            .map(|(id, _)| *id)
            .collect()
    }

    /// An alarm of a transaction that is gone, or in a state that does not care, does nothing: none is ever taken back. A
    /// transaction has at most five at a time.
    pub(super) fn set_alarm(&mut self, id: TransactionId, at: Instant, alarm: Alarm) {
        self.alarms.push(Reverse((at, id, alarm)));
    }

    pub(super) fn next_alarm(&self) -> Option<Instant> {
        self.alarms.peek().map(|Reverse((at, _, _))| *at)
    }

    pub(super) fn pop_alarm(&mut self, now: Instant) -> Option<(TransactionId, Alarm)> {
        if self.next_alarm()? > now {
            return None;
        }
        self.alarms.pop().map(|Reverse((_, id, alarm))| (id, alarm))
    }
}

/// Counts down; an entry of none is no entry.
fn release<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
