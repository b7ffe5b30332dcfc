//! The user agent server of a routing point (RFC 3261 8.2, 8.3), without sockets and clocks.
//!
//! [`Uas`] is told what came ([`Uas::receive`], [`Uas::request`], [`Uas::expire`]) and collects what is to be done: bytes to
//! send and events to report. It owns the transactions and the calls that wait for a decision. A call's life:
//!
//! ```text
//!   INVITE --> checks --4xx/5xx                         caller CANCELs: 487, Abandoned; connection closes: Abandoned
//!                | 100, RouteRequest                   /
//!             waiting ---------------------------------
//!                | Queued: 182       | RouteCall: 302     | Reject: 4xx-6xx   | time is up: 302 to a default DN, or 480
//!             waiting             routed                released            diverted / released
//!                                    | ACK: RouteUsed
//!                                    | the INVITE comes again, as a new one: RouteFailed, RouteRequest
//! ```

mod decide;
mod invite;
mod respond;
mod table;
#[cfg(test)]
mod tests;
mod user_data;

use super::dns::{DnTable, RoutingPoint};
use super::message::{Essentials, Headers, Malformed, Message, Method, Request};
use super::options::{Options, Protocol};
use super::transaction::{Input, Matching, Output as Step, Timer};
use crate::model::{
    CallUuid, Capabilities, Capability, ConnId, Dn, Epoch, Event, EventKind, ReleaseCause, RequestFailure, RequestId,
    RouteFailure, RouteType, Seq, Target,
};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use table::{Alarm, Table, Transaction};

pub use table::TransactionId;
pub(super) use table::network;

/// What a SIP routing point can do.
pub const CAPABILITIES: Capabilities = Capabilities::of(&[
    Capability::Route,
    Capability::RouteList,
    Capability::Reject,
    Capability::Queue,
    Capability::Ring,
    Capability::UserDataIn,
    Capability::UserDataOut,
]);

/// Answers to requests that are remembered, so that a repeated request gets the same one: at 1,000 calls/s with two requests each,
/// those of the last half minute.
const MAX_ANSWERED: usize = 65_536;

/// Routed calls that are remembered, so that one that comes back is recognised.
const MAX_RECENT: usize = 200_000;

/// Most bytes of a request that are kept for its responses and for finding its transaction. Real requests have 1 KiB of them; without a
/// bound a source could make the link keep `max-message` for each of its transactions.
const MAX_KEPT: usize = 16 << 10;

/// How often a waiting call's 182 or 180 is repeated, so that proxies keep the INVITE alive (RFC 3261 13.3.1.1).
const REFRESH: Duration = Duration::from_secs(60);

/// A point in time, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For timers.
    pub instant: Instant,
    /// For people: ms since the epoch.
    pub unix_ms: u64,
}

/// Identifies a connection for the life of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Through what a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A datagram socket, by its number.
    Socket(usize),
    /// A connection.
    Connection(ConnectionId),
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its transport.
    pub protocol: Protocol,
    /// Address of the sender.
    pub peer: SocketAddr,
    /// See [`Channel`].
    pub channel: Channel,
}

/// Bytes to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// Through what.
    pub channel: Channel,
    /// Where to: of a connection, its peer.
    pub to: SocketAddr,
    /// What.
    pub bytes: Bytes,
    /// For [`Uas::send_failed`].
    pub transaction: Option<TransactionId>,
}

/// A call's stay at the routing point.
struct Attempt {
    call_uuid: CallUuid,
    point: Arc<RoutingPoint>,
    /// Host of the Request-URI, or, where that is a `tel` URI, of To: where targets of a switch without a domain are addressed.
    authority: Option<String>,
    /// Whether the Request-URI was `sips`: then targets must be, too (RFC 3261 8.1.1.8).
    secure: bool,
    number: u32,
    /// When the default DN takes the call.
    deadline: Instant,
    arrived: Instant,
    /// 182 or 180, once sent.
    provisional: Option<u16>,
    /// What a 182 or 180 has beside the header fields that every response has: Record-Route and Contact.
    dialog: Headers,
    /// Set when a 302 was sent.
    routed: Option<(RouteType, Vec<Target>)>,
    retry_key: u128,
    merge_key: u128,
}

/// A routed call that may come back.
struct Recent {
    call_uuid: CallUuid,
    number: u32,
    transaction: TransactionId,
    until: Instant,
}

/// The user agent server. See the module.
pub struct Uas {
    options: Arc<Options>,
    dns: Arc<DnTable>,
    epoch: Epoch,
    seq: Seq,
    table: Table,
    /// The transaction of each call's present attempt.
    calls: HashMap<CallUuid, TransactionId>,
    /// Number of calls that wait for a decision.
    waiting: usize,
    /// INVITEs that wait for a decision or the ACK, by what a merged request repeats (RFC 3261 8.2.2.2).
    merged: HashMap<u128, TransactionId>,
    recent: HashMap<u128, Recent>,
    recent_order: VecDeque<(Instant, u128)>,
    answered: HashMap<RequestId, Result<(), RequestFailure>>,
    answered_order: VecDeque<RequestId>,
    /// Turn of the default DNs of each routing point.
    turns: HashMap<Dn, usize>,
    /// Secrets of this run, for tags and for keys that an attacker must not be able to make collide.
    secrets: (RandomState, RandomState),
    random: Box<dyn FnMut() -> [u8; 20] + std::marker::Send>,
    draining: bool,
    backlogged: bool,
    steps: Vec<Step>,
    sends: Vec<Send>,
    events: VecDeque<Event>,
}

impl Uas {
    /// A user agent server. `random` makes the ids of calls.
    pub fn new(
        options: Arc<Options>,
        dns: Arc<DnTable>,
        epoch: Epoch,
        random: Box<dyn FnMut() -> [u8; 20] + std::marker::Send>,
    ) -> Self {
        let table = Table::new(&options);
        Uas {
            options,
            dns,
            epoch,
            seq: Seq(0),
            table,
            calls: HashMap::new(),
            waiting: 0,
            merged: HashMap::new(),
            recent: HashMap::new(),
            recent_order: VecDeque::new(),
            answered: HashMap::new(),
            answered_order: VecDeque::new(),
            turns: HashMap::new(),
            secrets: (RandomState::new(), RandomState::new()),
            random,
            draining: false,
            backlogged: false,
            steps: Vec::new(),
            sends: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Reports that the link works. To be called once, first.
    pub fn start(&mut self, now: Now) {
        self.emit(
            now,
            None,
            EventKind::LinkUp {
                capabilities: CAPABILITIES,
            },
        );
    }

    /// Replaces the routing points.
    pub fn set_dns(&mut self, dns: Arc<DnTable>) {
        self.turns.retain(|dn, _| {
            dns.find(&dn.number, dns.domain(&dn.switch).flatten().unwrap_or(""))
                .is_some()
        });
        self.dns = dns;
    }

    /// While events cannot be delivered, new calls are refused with 503.
    pub fn set_backlogged(&mut self, backlogged: bool) {
        self.backlogged = backlogged;
    }

    /// From now on new calls, and probes, are refused with 503.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Number of calls that wait for a decision or whose 302 was not yet acknowledged.
    pub fn open_calls(&self) -> usize {
        self.calls
            .values()
            .filter(|id| self.table.get(**id).is_some_and(Transaction::is_open_invite))
            .count()
    }

    /// Number of calls that wait for a decision.
    pub fn undecided_calls(&self) -> usize {
        self.waiting
    }

    /// Number of transactions.
    pub fn transactions(&self) -> usize {
        self.table.len()
    }

    /// Whether a transaction needs this connection.
    pub fn is_busy(&self, connection: ConnectionId) -> bool {
        self.table.is_busy(connection)
    }

    /// The oldest transaction that needs this connection for its final response; only those from `from` on are looked at.
    pub fn undecided_on(&self, connection: ConnectionId, from: Option<TransactionId>) -> Option<TransactionId> {
        self.table.undecided_on(connection, from)
    }

    /// Refuses what still waits, with 503, reports routes without an ACK as unconfirmed, and the link's end.
    pub fn stop(&mut self, now: Now, reason: &str) {
        self.draining = true;
        for id in self.table.unacknowledged_routes() {
            self.route_ended(now, id, Some(RouteFailure::Unconfirmed));
        }
        for id in self.table.undecided_invites() {
            self.respond(now, id, 503, None, |headers, options| {
                headers.push(
                    super::message::HeaderName::RetryAfter,
                    options.retry_after_s.to_string(),
                );
            });
            if let Some(attempt) = self.table.get_mut(id).and_then(|t| t.attempt.take()) {
                self.emit(
                    now,
                    Some(attempt.call_uuid),
                    EventKind::Released {
                        cause: ReleaseCause::LinkStopped,
                    },
                );
            }
        }
        self.emit(now, None, EventKind::LinkDown { reason: reason.into() });
    }

    /// What is to be sent, in order.
    pub fn take_sends(&mut self) -> std::vec::Drain<'_, Send> {
        self.sends.drain(..)
    }

    /// The next event to report.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Puts an event back that could not be delivered yet.
    pub fn return_event(&mut self, event: Event) {
        self.events.push_front(event);
    }

    /// Number of events that wait to be delivered.
    pub fn pending_events(&self) -> usize {
        self.events.len()
    }

    /// When [`Uas::expire`] is next to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.table.next_alarm()
    }

    /// Lets timers fire.
    pub fn expire(&mut self, now: Now) {
        while let Some((id, alarm)) = self.table.pop_alarm(now.instant) {
            match alarm {
                Alarm::Transaction(timer) => self.feed(now, id, Input::Fired(timer)),
                Alarm::Decision => self.decision_due(now, id),
                Alarm::Refresh => self.refresh(now, id),
            }
        }
    }

    /// Takes a message in.
    pub fn receive(&mut self, now: Now, source: Source, message: Result<Message, Malformed>) {
        match message {
            // This side sends no requests: a response is a stray one, or an attack (RFC 3261 18.1.2).
            Ok(Message::Response(_)) => {}
            Ok(Message::Request(request)) => match Essentials::of(&request) {
                Ok(essentials) => self.take_request(now, source, &request, &essentials),
                Err(malformed) => self.refuse_malformed(source, &malformed),
            },
            Err(malformed) => self.refuse_malformed(source, &malformed),
        }
    }

    fn take_request(&mut self, now: Now, source: Source, request: &Request, essentials: &Essentials) {
        let matching = Matching::of(request, essentials);
        let found = self.table.find(&matching, essentials.to.tag());
        if request.method == Method::Ack {
            // An ACK without its transaction is late, or that of a 2xx, which is never sent here.
            if let Some(id) = found {
                self.feed(now, id, Input::Ack);
            }
            return;
        }
        if let Some(id) = found {
            return self.feed(now, id, Input::Retransmission);
        }
        if respond::kept(request) > MAX_KEPT {
            tracing::debug!(peer = %source.peer, "513: too much to repeat in a response");
            let reason = format!(
                "Message Too Large (Request-URI, Via, From, To, Call-ID, CSeq and Record-Route have more than {MAX_KEPT} bytes)"
            );
            return self.refuse(source, request, Some(essentials), 513, Some(&reason));
        }
        // A full table must not keep a caller from giving up, which makes room. There is at most one CANCEL for each INVITE.
        let cancels = request.method == Method::Cancel
            && self
                .table
                .find(&Matching::cancelled(request, essentials), essentials.to.tag())
                .is_some();
        if !cancels && !self.table.has_room(source.peer.ip()) {
            tracing::debug!(peer = %source.peer, "503: too many transactions");
            return self.refuse(source, request, Some(essentials), 503, None);
        }
        let id = self
            .table
            .insert(matching.key, self.transaction(source, request, essentials));
        match &request.method {
            Method::Invite => self.invite(now, id, request, essentials),
            Method::Cancel => self.cancel(now, id, request, essentials),
            Method::Options => self.answer_options(now, id, request),
            Method::Bye => self.respond(now, id, 481, None, |_, _| {}),
            method => {
                let status = if method.is_registered() { 405 } else { 501 };
                self.respond(now, id, status, None, respond::with_allow);
            }
        }
    }

    /// A response of this transaction could not be sent.
    pub fn send_failed(&mut self, now: Now, id: TransactionId) {
        self.feed(now, id, Input::TransportFailed);
    }

    /// A connection is gone: nobody can be told any more what becomes of the calls that wait on it. What was answered may have arrived,
    /// and its ACK may come another way.
    pub fn connection_closed(&mut self, now: Now, connection: ConnectionId) {
        for id in self.table.of_connection(connection) {
            if let Some(call_uuid) = self.undecided(id) {
                self.forget(id);
                self.emit(now, Some(call_uuid), EventKind::Abandoned);
            }
        }
    }

    /// Gives an input to a transaction and does what it says.
    fn feed(&mut self, now: Now, id: TransactionId, input: Input) {
        let mut steps = std::mem::take(&mut self.steps);
        if let Some(transaction) = self.table.get_mut(id) {
            let waited = transaction.is_waiting();
            transaction.server.handle(input, &mut steps);
            if waited && !transaction.is_waiting() {
                self.waiting -= 1;
                if let Some(attempt) = &mut transaction.attempt {
                    attempt.dialog = Headers::default();
                }
            }
        }
        for step in steps.drain(..) {
            match step {
                Step::Send(bytes) => {
                    if let Some(transaction) = self.table.get(id) {
                        let (channel, to) = transaction.reply_to;
                        self.sends.push(Send {
                            channel,
                            to,
                            bytes,
                            transaction: Some(id),
                        });
                    }
                }
                Step::Start(timer, after) => self.table.set_alarm(id, now.instant + after, Alarm::Transaction(timer)),
                Step::Acknowledged => self.route_ended(now, id, None),
                Step::TimedOut => self.route_ended(now, id, Some(RouteFailure::Unconfirmed)),
                Step::Failed => self.route_ended(now, id, Some(RouteFailure::ConnectionLost)),
                Step::Terminated => self.forget(id),
            }
        }
        self.steps = steps;
    }

    /// The transaction of a call has its outcome.
    fn route_ended(&mut self, now: Now, id: TransactionId, failure: Option<RouteFailure>) {
        // From now on the same INVITE with a new branch is no merged one any more, but a retry.
        self.unmerge(id);
        let Some(attempt) = self.table.get_mut(id).and_then(|t| t.attempt.as_mut()) else {
            return;
        };
        let Some((route_type, targets)) = attempt.routed.take() else {
            return;
        };
        let call_uuid = attempt.call_uuid;
        let kind = match failure {
            None => EventKind::RouteUsed { route_type, targets },
            Some(cause) => EventKind::RouteFailed { cause },
        };
        self.emit(now, Some(call_uuid), kind);
    }

    fn unmerge(&mut self, id: TransactionId) {
        if let Some(attempt) = self.table.get(id).and_then(|t| t.attempt.as_ref())
            && self.merged.get(&attempt.merge_key) == Some(&id)
        {
            self.merged.remove(&attempt.merge_key);
        }
    }

    fn forget(&mut self, id: TransactionId) {
        self.unmerge(id);
        let Some(transaction) = self.table.remove(id) else {
            return;
        };
        self.waiting -= usize::from(transaction.is_waiting());
        if let Some(attempt) = transaction.attempt
            && self.calls.get(&attempt.call_uuid) == Some(&id)
        {
            self.calls.remove(&attempt.call_uuid);
        }
    }

    fn emit(&mut self, now: Now, call_uuid: Option<CallUuid>, kind: EventKind) {
        self.seq = Seq(self.seq.0 + 1);
        let link = self.options.name.clone();
        self.events.push_back(Event {
            link,
            epoch: self.epoch,
            seq: self.seq,
            time_ms: now.unix_ms,
            call_uuid,
            kind,
        });
    }

    /// A keyed hash of 128 bits: what an outsider cannot make collide need not be kept in full.
    fn digest(&self, value: impl Hash) -> u128 {
        u128::from(self.secrets.0.hash_one(&value)) << 64 | u128::from(self.secrets.1.hash_one(&value))
    }
}
