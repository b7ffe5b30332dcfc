//! The running link: the one task that owns the user agent server.

use super::dns::DnTable;
use super::error::Error;
use super::message::{Malformed, Message};
use super::options::{Bind, Options};
use super::transport::{Inbound, TlsConfig, Transport};
use super::uas::{Channel, ConnectionId, Now, Send, TransactionId, Uas};
use crate::model::{Epoch, Event, Request};
use bytes::Bytes;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// Messages that wait for the owner task. When it is full, readers wait: datagrams are then dropped by the system and come again,
/// connections stop being read.
const INBOUND_QUEUE: usize = 4096;

/// Requests that wait for the owner task; when it is full, [`Handle::request`] waits.
const REQUEST_QUEUE: usize = 4096;

/// Most messages or requests that are handled before timers get their turn.
const BATCH: usize = 128;

/// Free places in the event queue that a new call needs: `RouteFailed` and `RouteRequest`.
const EVENTS_PER_INVITE: usize = 2;

/// Events that may wait for the host inside the link before it stops taking requests. Beside them there are only those of calls and
/// requests that it has already taken, so their number is bounded by `max_transactions` as well.
const MAX_PENDING_EVENTS: usize = 16_384;

/// How long a link that stops, and has decided all its calls, waits for ACKs: four times the T1 that RFC 3261 recommends. An ACK that has
/// not come by then hardly comes at all, and waiting for it would hold up the stop for as long as [`Options::drain_ms`].
const ACK_GRACE: Duration = Duration::from_secs(2);

/// How long a link that stops waits for its last events and responses to be taken.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// A bound link, ready to run.
pub struct Link {
    options: Arc<Options>,
    transport: Transport,
    addresses: Vec<Bind>,
    dns: watch::Receiver<Arc<DnTable>>,
    requests: mpsc::Receiver<Request>,
    events: mpsc::Sender<Event>,
}

/// Talks to a link; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    dns: Arc<watch::Sender<Arc<DnTable>>>,
}

impl Handle {
    /// Hands a request to the link; waits while its queue is full. The outcome comes as a `RequestDone` or `RequestFailed` event.
    ///
    /// # Errors
    /// [`Error::Closed`] when the link has stopped.
    pub async fn request(&self, request: Request) -> Result<(), Error> {
        self.requests.send(request).await.map_err(|_| Error::Closed)
    }

    /// Replaces the routing points. Calls that wait keep the one that they came to.
    pub fn set_dns(&self, dns: DnTable) {
        self.dns.send_replace(Arc::new(dns));
    }
}

impl Link {
    /// Opens the sockets. Nothing is answered before [`Link::run`].
    ///
    /// `tls` is asked for the configuration at every handshake, so that certificates can be replaced while the link runs.
    /// While `events` is full, new calls are refused with 503: give it room for the three to five events of every call in the
    /// largest burst, some 10,000 places.
    ///
    /// # Errors
    /// [`Error::Options`], [`Error::Bind`], [`Error::NoTls`].
    pub async fn bind(
        options: Options,
        dns: DnTable,
        tls: Option<TlsConfig>,
        events: mpsc::Sender<Event>,
    ) -> Result<(Link, Handle), Error> {
        options.check().map_err(|message| Error::Options {
            link: options.name.to_string(),
            message,
        })?;
        let options = Arc::new(options);
        let transport = Transport::bind(&options, tls).await?;
        let addresses = transport.addresses();
        let (request_sender, requests) = mpsc::channel(REQUEST_QUEUE);
        let (dns_sender, dns) = watch::channel(Arc::new(dns));
        let handle = Handle {
            requests: request_sender,
            dns: Arc::new(dns_sender),
        };
        Ok((
            Link {
                options,
                transport,
                addresses,
                dns,
                requests,
                events,
            },
            handle,
        ))
    }

    /// What the link listens on, in the order of the options, with real ports.
    pub fn addresses(&self) -> &[Bind] {
        &self.addresses
    }

    /// Runs until `drain` is done and the calls that then wait are decided, or their time is over ([`Options::drain_ms`]). The ACKs of the
    /// last decisions are waited for 2 s at most; a route whose ACK did not come is reported as unconfirmed.
    ///
    /// # Errors
    /// [`Error::EventsClosed`].
    pub async fn run(self, drain: impl Future<Output = ()>) -> Result<(), Error> {
        let Link {
            options,
            transport,
            mut dns,
            mut requests,
            events,
            ..
        } = self;
        let (inbound_sender, mut inbound) = mpsc::channel(INBOUND_QUEUE);
        let mut running = transport.start(&options, inbound_sender).await;
        let epoch = Epoch(now().unix_ms);
        let mut owner = Owner {
            uas: Uas::new(
                Arc::clone(&options),
                dns.borrow_and_update().clone(),
                epoch,
                Box::new(random),
            ),
            sockets: running.sockets(),
            connections: HashMap::new(),
            ending: HashMap::new(),
            events: events.clone(),
        };
        owner.uas.start(now());
        owner.flush()?;

        tokio::pin!(drain);
        let alarm = sleep_until(Instant::now());
        tokio::pin!(alarm);
        let mut drain_until: Option<Instant> = None;
        let mut all_decided = false;
        let mut messages = Vec::with_capacity(BATCH);
        let mut commands = Vec::with_capacity(BATCH);
        let mut handles_gone = false;
        loop {
            let deadline = owner.uas.next_deadline().map(Instant::from_std);
            if let Some(deadline) = deadline
                && alarm.deadline() != deadline
            {
                alarm.as_mut().reset(deadline);
            }
            let takes_requests = !handles_gone && owner.uas.pending_events() < MAX_PENDING_EVENTS;
            tokio::select! {
                n = inbound.recv_many(&mut messages, BATCH) => {
                    debug_assert!(n > 0, "the transport's tasks live as long as `running`");
                    // A table that was set before a call came is in force for the call.
                    if dns.has_changed().unwrap_or(false) {
                        owner.uas.set_dns(dns.borrow_and_update().clone());
                    }
                    for message in messages.drain(..) {
                        owner.inbound(message)?;
                    }
                }
                n = requests.recv_many(&mut commands, BATCH), if takes_requests => {
                    // Without handles nobody decides any more: the timers do.
                    handles_gone = n == 0;
                    for request in commands.drain(..) {
                        owner.uas.request(now(), request);
                    }
                }
                () = alarm.as_mut(), if deadline.is_some() => owner.uas.expire(now()),
                permit = events.reserve(), if owner.uas.pending_events() > 0 => {
                    let permit = permit.map_err(|_| Error::EventsClosed)?;
                    if let Some(event) = owner.uas.next_event() {
                        permit.send(event);
                    }
                }
                Ok(()) = dns.changed() => owner.uas.set_dns(dns.borrow_and_update().clone()),
                () = events.closed() => return Err(Error::EventsClosed),
                () = drain.as_mut(), if drain_until.is_none() => {
                    owner.uas.drain();
                    drain_until = Some(Instant::now() + Duration::from_millis(options.drain_ms));
                }
                () = sleep_until(drain_until.unwrap_or_else(Instant::now)), if drain_until.is_some() => {}
            }
            owner.flush()?;
            if let Some(until) = &mut drain_until {
                if !all_decided && owner.uas.undecided_calls() == 0 {
                    // For good: a link that stops takes no calls. The last final response has just been sent.
                    all_decided = true;
                    *until = (*until).min(Instant::now() + ACK_GRACE);
                }
                if *until <= Instant::now() || owner.uas.open_calls() == 0 {
                    break;
                }
            }
        }
        owner.close("the link was stopped").await;
        // Connections that wait to hand something in shall not: they have the last responses to write.
        drop(inbound);
        running.stop(CLOSE_GRACE).await;
        Ok(())
    }
}

fn now() -> Now {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now {
        instant: Instant::now().into_std(),
        unix_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
    }
}

fn random() -> [u8; 20] {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).expect("the system has random numbers, or TLS would not work either");
    bytes
}

/// Everything that only the owner task touches.
struct Owner {
    uas: Uas,
    sockets: Vec<Arc<tokio::net::UdpSocket>>,
    connections: HashMap<ConnectionId, mpsc::Sender<Bytes>>,
    /// The connections that are not read any more, each with the oldest transaction that still needs it.
    ending: HashMap<ConnectionId, TransactionId>,
    events: mpsc::Sender<Event>,
}

impl Owner {
    fn inbound(&mut self, inbound: Inbound) -> Result<(), Error> {
        match inbound {
            Inbound::Message(source, message) => {
                self.receive(source, message);
                return self.flush();
            }
            Inbound::Opened(id, sender) => {
                self.connections.insert(id, sender);
            }
            Inbound::Closed(id) => {
                self.connections.remove(&id);
                self.ending.remove(&id);
                self.uas.connection_closed(now(), id);
                return self.flush();
            }
            Inbound::Ending(id) => self.end_when_answered(id, None),
            // Dropping the sender tells the connection to close.
            Inbound::Idle(id) => {
                if !self.uas.is_busy(id) {
                    self.connections.remove(&id);
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, source: super::uas::Source, message: Result<Message, Malformed>) {
        let backlogged = self.uas.pending_events() > 0 || self.events.capacity() < EVENTS_PER_INVITE;
        self.uas.set_backlogged(backlogged);
        self.uas.receive(now(), source, message);
    }

    /// Closes a connection that is not read any more unless a transaction, one from `from` on, needs it for its final response. Those
    /// before have theirs, and none is added: however many there are, each is looked at once.
    fn end_when_answered(&mut self, connection: ConnectionId, from: Option<TransactionId>) {
        match self.uas.undecided_on(connection, from) {
            Some(transaction) => {
                self.ending.insert(connection, transaction);
            }
            // Dropping the sender tells the connection to write what it has, and to close.
            None => {
                self.ending.remove(&connection);
                self.connections.remove(&connection);
            }
        }
    }

    /// Sends what is to be sent and hands over as many events as the host takes.
    fn flush(&mut self) -> Result<(), Error> {
        let (mut failed, mut answered) = (Vec::new(), Vec::new());
        for send in self.uas.take_sends() {
            if let (Channel::Connection(connection), Some(transaction)) = (send.channel, send.transaction)
                && self.ending.get(&connection) == Some(&transaction)
            {
                answered.push((connection, transaction));
            }
            if !deliver(&self.sockets, &mut self.connections, &send) {
                failed.extend(send.transaction);
            }
        }
        for transaction in failed {
            // Ends the transaction; nothing more is sent for it.
            self.uas.send_failed(now(), transaction);
        }
        for (connection, transaction) in answered {
            self.end_when_answered(connection, Some(transaction));
        }
        while let Some(event) = self.uas.next_event() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.uas.return_event(event);
                    break;
                }
                Err(TrySendError::Closed(_)) => return Err(Error::EventsClosed),
            }
        }
        Ok(())
    }

    async fn close(&mut self, reason: &str) {
        self.uas.stop(now(), reason);
        for send in self.uas.take_sends() {
            deliver(&self.sockets, &mut self.connections, &send);
        }
        let hand_over = async {
            while let Some(event) = self.uas.next_event() {
                if self.events.send(event).await.is_err() {
                    break;
                }
            }
        };
        if timeout(CLOSE_GRACE, hand_over).await.is_err() {
            tracing::warn!(
                lost = self.uas.pending_events(),
                "the host did not take the last events of the SIP link"
            );
        }
        self.connections.clear();
    }
}

/// Whether it was handed over. A full socket buffer counts as delivered: to the sender it is a lost datagram, which comes again.
fn deliver(
    sockets: &[Arc<tokio::net::UdpSocket>],
    connections: &mut HashMap<ConnectionId, mpsc::Sender<Bytes>>,
    send: &Send,
) -> bool {
    match send.channel {
        Channel::Socket(n) => match sockets[n].try_send_to(&send.bytes, send.to) {
            Ok(_) => true,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => true,
            Err(e) => {
                tracing::debug!(to = %send.to, "response not sent: {e}");
                false
            }
        },
        Channel::Connection(id) => {
            let Some(sender) = connections.get(&id) else {
                return false;
            };
            match sender.try_send(send.bytes.clone()) {
                Ok(()) => true,
                Err(e) => {
                    // A peer that does not read its responses is cut off; its queue must not grow with it.
                    tracing::debug!(to = %send.to, "connection given up: {e}");
                    connections.remove(&id);
                    false
                }
            }
        }
    }
}
