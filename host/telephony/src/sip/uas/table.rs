//! The transactions of a link: found by key, bounded in all and per source, with their timers.

use super::{Attempt, Channel, ConnectionId, Options, Timer};
use crate::sip::message::Headers;
use crate::sip::transaction::{Key, Matching, Server};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::Bound;
use std::sync::Arc;
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
    /// Whom it counts for: see [`network`].
    pub(super) network: IpAddr,
    pub(super) key: Option<Arc<Key>>,
}

impl Transaction {
    /// Whether it is a call that waits for its decision.
    pub(super) fn is_waiting(&self) -> bool {
        self.attempt.is_some() && self.server.is_undecided()
    }

    /// Whether it is a call that waits for its decision or for the ACK.
    pub(super) fn is_open_invite(&self) -> bool {
        self.invite && (self.server.is_undecided() || self.attempt.as_ref().is_some_and(|a| a.routed.is_some()))
    }
}

/// See the module.
pub(super) struct Table {
    transactions: BTreeMap<TransactionId, Transaction>,
    keys: HashMap<Arc<Key>, TransactionId>,
    per_source: HashMap<IpAddr, usize>,
    per_connection: HashMap<ConnectionId, BTreeSet<TransactionId>>,
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
            && self.per_source.get(&network(source)).copied().unwrap_or(0) < self.limit_per_source
    }

    pub(super) fn insert(&mut self, key: Key, mut transaction: Transaction) -> TransactionId {
        self.last += 1;
        let id = TransactionId(self.last);
        *self.per_source.entry(transaction.network).or_default() += 1;
        if let Channel::Connection(connection) = transaction.reply_to.0 {
            self.per_connection.entry(connection).or_default().insert(id);
        }
        let key = Arc::new(key);
        self.keys.insert(Arc::clone(&key), id);
        transaction.key = Some(key);
        self.transactions.insert(id, transaction);
        id
    }

    pub(super) fn remove(&mut self, id: TransactionId) -> Option<Transaction> {
        let transaction = self.transactions.remove(&id)?;
        if let Some(key) = &transaction.key {
            self.keys.remove(key);
        }
        if let Some(count) = self.per_source.get_mut(&transaction.network) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&transaction.network);
            }
        }
        if let Channel::Connection(connection) = &transaction.reply_to.0
            && let Some(ids) = self.per_connection.get_mut(connection)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.per_connection.remove(connection);
            }
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

    /// The transactions whose responses go through a connection, oldest first.
    pub(super) fn of_connection(&self, connection: ConnectionId) -> Vec<TransactionId> {
        let ids = self.per_connection.get(&connection);
        ids.map(|ids| ids.iter().copied().collect()).unwrap_or_default()
    }

    /// The oldest transaction without a final response whose responses go through a connection, from `from` on.
    pub(super) fn undecided_on(&self, connection: ConnectionId, from: Option<TransactionId>) -> Option<TransactionId> {
        let from = from.map_or(Bound::Unbounded, Bound::Included);
        let mut ids = self.per_connection.get(&connection)?.range((from, Bound::Unbounded));
        ids.find(|id| self.transactions.get(id).is_some_and(|t| t.server.is_undecided()))
            .copied()
    }

    /// The calls whose 302 was not acknowledged yet, oldest first.
    pub(super) fn unacknowledged_routes(&self) -> Vec<TransactionId> {
        self.transactions
            .iter()
            .filter(|(_, t)| t.attempt.as_ref().is_some_and(|a| a.routed.is_some()))
            .map(|(id, _)| *id)
            .collect()
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

/// What counts as one source: an IPv4 address, however it is written, or an IPv6 network of 64 bits: whoever has one address
/// of such a network has them all (RFC 4291 2.5.4).
pub(in crate::sip) fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & u128::MAX << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_source_and_so_is_a_mapped_ipv4_address() {
        let source = |text: &str| network(text.parse().unwrap());
        assert_eq!(source("2001:db8:1:2:3::4"), source("2001:db8:1:2:ffff::"));
        assert_ne!(source("2001:db8:1:2::"), source("2001:db8:1:3::"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }
}
