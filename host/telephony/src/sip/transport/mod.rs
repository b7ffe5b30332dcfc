//! Sockets: UDP, TCP, and TLS over TCP (RFC 3261 18).
//!
//! One task reads each datagram socket and parses; one accepts for each listener; one serves each connection. All hand what they
//! read to the link's owner task through one bounded queue. Responses go the other way: over UDP the owner writes to the socket
//! itself, to a connection through the connection's bounded queue.

mod datagram;
mod quota;
mod stream;

use super::error::Error;
use super::message::{Malformed, Message};
use super::options::{Bind, Options, Protocol};
use super::uas::{ConnectionId, Source};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Gives the present TLS configuration; asked at every handshake.
pub type TlsConfig = Arc<dyn Fn() -> Arc<rustls::ServerConfig> + Send + Sync>;

/// Responses that may wait for a connection's peer to read; when there are more, the connection is closed. More than the owner can make
/// out of full queues (two for each of 4096 messages, one for each of 4096 requests) before the connection's task gets to run:
/// only a peer that does not read is cut off, never one that is busy.
pub(super) const WRITE_QUEUE: usize = 16_384;

/// What the transport tells the owner task.
pub(super) enum Inbound {
    /// A message, or what was none.
    Message(Source, Result<Message, Malformed>),
    /// A connection was opened; bytes sent here go out through it, dropping it closes the connection.
    Opened(ConnectionId, mpsc::Sender<Bytes>),
    /// A connection has had no traffic for a while.
    Idle(ConnectionId),
    /// Nothing more is read from a connection: it is to be closed once what came through it has its final responses.
    Ending(ConnectionId),
    /// A connection is gone.
    Closed(ConnectionId),
}

enum Socket {
    Datagram(Arc<UdpSocket>),
    Stream(TcpListener, Option<TlsConfig>),
}

/// Open sockets.
pub(super) struct Transport {
    sockets: Vec<(Bind, Socket)>,
}

impl Transport {
    pub(super) async fn bind(options: &Options, tls: Option<TlsConfig>) -> Result<Transport, Error> {
        let mut sockets = Vec::with_capacity(options.bind.len());
        let mut warned = false;
        for Bind { protocol, address } in options.bind.iter().copied() {
            let failed = |source| Error::Bind {
                protocol,
                address,
                source,
            };
            let (socket, address) = if protocol == Protocol::Udp {
                let socket = UdpSocket::bind(address).await.map_err(failed)?;
                let address = socket.local_addr().map_err(failed)?;
                match datagram::enlarge(&socket) {
                    Ok(granted) => {
                        tracing::info!(%address, bytes = granted, "receive buffer of the datagram socket");
                        if granted < datagram::RECEIVE_BUFFER && !std::mem::replace(&mut warned, true) {
                            let asked = datagram::RECEIVE_BUFFER;
                            tracing::warn!(
                                "the system grants SIP over UDP a receive buffer of {granted} bytes, {asked} were asked for: bursts of \
                                 calls lose messages, which come again after 500 ms; allow more with `sysctl -w \
                                 net.core.rmem_max={asked}`"
                            );
                        }
                    }
                    Err(e) => tracing::warn!(%address, "the receive buffer keeps the system's size: {e}"),
                }
                (Socket::Datagram(Arc::new(socket)), address)
            } else {
                let tls = match protocol {
                    Protocol::Tls => Some(tls.clone().ok_or(Error::NoTls { address })?),
                    _ => None,
                };
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                let address = listener.local_addr().map_err(failed)?;
                (Socket::Stream(listener, tls), address)
            };
            sockets.push((Bind { protocol, address }, socket));
        }
        Ok(Transport { sockets })
    }

    pub(super) fn addresses(&self) -> Vec<Bind> {
        self.sockets.iter().map(|(bind, _)| *bind).collect()
    }

    /// Starts the reading tasks.
    pub(super) async fn start(self, options: &Arc<Options>, inbound: mpsc::Sender<Inbound>) -> Running {
        let (alive, finished) = mpsc::channel(1);
        let mut running = Running {
            datagram: Vec::new(),
            tasks: JoinSet::new(),
            finished,
        };
        let shared = Arc::new(stream::Shared {
            options: Arc::clone(options),
            inbound: inbound.clone(),
            quota: quota::Quota::new(options.max_connections, options.max_connections_per_source),
            last: AtomicU64::new(0),
            alive,
        });
        for (Bind { protocol, address }, socket) in self.sockets {
            tracing::info!(?protocol, %address, "SIP link listens");
            match socket {
                Socket::Datagram(socket) => {
                    // The owner only ever tries to send; this lets the first try find the socket ready.
                    if let Err(e) = socket.writable().await {
                        tracing::warn!(%address, "socket is not writable: {e}");
                    }
                    let n = running.datagram.len();
                    running.datagram.push(Arc::clone(&socket));
                    running
                        .tasks
                        .spawn(datagram::read(n, socket, options.limits(), inbound.clone()));
                }
                Socket::Stream(listener, tls) => {
                    running
                        .tasks
                        .spawn(stream::accept(listener, protocol, tls, Arc::clone(&shared)));
                }
            }
        }
        running
    }
}

/// The reading tasks; they end when this is dropped.
pub(super) struct Running {
    datagram: Vec<Arc<UdpSocket>>,
    tasks: JoinSet<()>,
    /// Closed when the last connection has ended.
    finished: mpsc::Receiver<()>,
}

impl Running {
    pub(super) fn sockets(&self) -> Vec<Arc<UdpSocket>> {
        self.datagram.clone()
    }

    /// Stops reading and accepting, and waits for connections to write what they still have.
    pub(super) async fn stop(&mut self, grace: Duration) {
        self.tasks.shutdown().await;
        if timeout(grace, self.finished.recv()).await.is_err() {
            tracing::debug!("connections were still open when the SIP link ended");
        }
    }
}
