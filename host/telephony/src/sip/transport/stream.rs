//! Connections.

use super::quota::{Place, Quota};
use super::{Inbound, TlsConfig, WRITE_QUEUE};
use crate::sip::message::{Frame, Framer};
use crate::sip::options::{Options, Protocol};
use crate::sip::uas::{Channel, ConnectionId, Source};
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

/// Bytes read at a time.
const READ_CHUNK: usize = 8 << 10;

/// Most responses that are written at once.
const WRITE_BATCH: usize = 64;

/// Pause after a failed accept: out of file descriptors, trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection whose stream cannot be read any more stays open for the final responses of what came before.
const LAST_RESPONSES: Duration = Duration::from_secs(4);

/// How long the peer may take to hear that the connection is closed.
const GOODBYE: Duration = Duration::from_secs(1);

/// What all connections of a link share.
pub(super) struct Shared {
    pub(super) options: Arc<Options>,
    pub(super) inbound: mpsc::Sender<Inbound>,
    pub(super) quota: Arc<Quota>,
    pub(super) last: AtomicU64,
    /// Held by every connection: when all are gone, the other end knows.
    pub(super) alive: mpsc::Sender<()>,
}

pub(super) async fn accept(listener: TcpListener, protocol: Protocol, tls: Option<TlsConfig>, shared: Arc<Shared>) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(e) => {
                tracing::warn!("SIP connection not accepted: {e}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(place) = shared.quota.take(peer.ip()) else {
            tracing::debug!(%peer, "connection closed: there are too many");
            continue;
        };
        // Responses are small and awaited.
        if let Err(e) = stream.set_nodelay(true) {
            tracing::debug!(%peer, "TCP_NODELAY: {e}");
        }
        let id = ConnectionId(shared.last.fetch_add(1, Ordering::Relaxed));
        let connection = Connection {
            id,
            source: Source {
                protocol,
                peer,
                channel: Channel::Connection(id),
            },
            options: Arc::clone(&shared.options),
            inbound: shared.inbound.clone(),
            _place: place,
            _alive: shared.alive.clone(),
        };
        tokio::spawn(connection.run(stream, tls.clone()));
    }
}

struct Connection {
    id: ConnectionId,
    source: Source,
    options: Arc<Options>,
    inbound: mpsc::Sender<Inbound>,
    _place: Place,
    _alive: mpsc::Sender<()>,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the peer closed it")]
    Peer,
    #[error("the link gave it up")]
    Link,
    #[error("{0} took too long")]
    Slow(&'static str),
    #[error("a message did not end in time")]
    Unfinished,
    #[error("the stream is no SIP")]
    Lost,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsConfig>) {
        let peer: SocketAddr = self.source.peer;
        let ended = match tls {
            None => self.serve(stream).await,
            Some(config) => {
                let handshake = TlsAcceptor::from(config()).accept(stream);
                match timeout(self.message_timeout(), handshake).await {
                    // Boxed: a TLS connection's state is large, and would be part of every plain connection's task, too.
                    Ok(Ok(stream)) => Box::pin(self.serve(stream)).await,
                    Ok(Err(e)) => Ended::Io(e),
                    Err(_) => Ended::Slow("the TLS handshake"),
                }
            }
        };
        tracing::debug!(%peer, "connection closed: {ended}");
    }

    fn message_timeout(&self) -> Duration {
        Duration::from_millis(self.options.message_timeout_ms)
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) -> Ended {
        let (sender, mut responses) = mpsc::channel(WRITE_QUEUE);
        if self.inbound.send(Inbound::Opened(self.id, sender)).await.is_err() {
            return Ended::Link;
        }
        let ended = match self.exchange(&mut stream, &mut responses).await {
            Err(ended) => ended,
            Ok(never) => match never {},
        };
        if matches!(ended, Ended::Unfinished | Ended::Lost) {
            self.finish(&mut stream, &mut responses).await;
        }
        // Fails only when the owner is gone, and then there is nobody to tell.
        let _ = self.inbound.send(Inbound::Closed(self.id)).await;
        // Best effort: says goodbye where the peer still listens.
        let _ = timeout(GOODBYE, stream.shutdown()).await;
        ended
    }

    async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        responses: &mut mpsc::Receiver<Bytes>,
    ) -> Result<std::convert::Infallible, Ended> {
        let idle = Duration::from_millis(self.options.idle_timeout_ms);
        let mut framer = Framer::new(self.options.limits());
        let mut message_began: Option<Instant> = None;
        let mut quiet_since = Instant::now();
        let mut batch: Vec<Bytes> = Vec::with_capacity(WRITE_BATCH);
        loop {
            let due = message_began.map_or(quiet_since + idle, |began| began + self.message_timeout());
            framer.buffer().reserve(READ_CHUNK);
            // Responses first: a read makes many of them, so that with equal turns they would pile up. What cannot be written keeps
            // from reading more.
            tokio::select! {
                biased;
                n = responses.recv_many(&mut batch, WRITE_BATCH) => {
                    if n == 0 {
                        return Err(Ended::Link);
                    }
                    // One segment, and one TLS record, for all of them.
                    self.write(stream, &batch.concat()).await?;
                    batch.clear();
                    quiet_since = Instant::now();
                }
                () = sleep_until(due) => {
                    if message_began.is_some() {
                        return Err(Ended::Unfinished);
                    }
                    // Calls may still wait for their response on this connection: the owner knows.
                    self.inbound.send(Inbound::Idle(self.id)).await.map_err(|_| Ended::Link)?;
                    quiet_since = Instant::now();
                }
                read = stream.read_buf(framer.buffer()) => {
                    if read? == 0 {
                        return Err(Ended::Peer);
                    }
                    quiet_since = Instant::now();
                    let frames = self.take_frames(&mut framer, stream).await?;
                    if framer.is_lost() {
                        return Err(Ended::Lost);
                    }
                    // The clock of a message starts with its first byte and is not moved by the following ones.
                    if !framer.is_inside_message() {
                        message_began = None;
                    } else if frames > 0 || message_began.is_none() {
                        message_began = Some(quiet_since);
                    }
                }
            }
        }
    }

    /// Hands complete messages on and says how many frames there were.
    async fn take_frames<S: AsyncWrite + Unpin>(&self, framer: &mut Framer, stream: &mut S) -> Result<usize, Ended> {
        let mut frames = 0;
        while let Some(frame) = framer.next_frame() {
            frames += 1;
            let message = match frame {
                Ok(Frame::Ping) => {
                    self.write(stream, b"\r\n").await?;
                    continue;
                }
                Ok(Frame::Message(message)) => Ok(message),
                Err(malformed) => Err(malformed),
            };
            self.inbound
                .send(Inbound::Message(self.source, message))
                .await
                .map_err(|_| Ended::Link)?;
        }
        Ok(frames)
    }

    /// The stream is of no use any more, but what came before is answered: with what is queued, and with the final responses of calls
    /// that still wait, for as long as [`LAST_RESPONSES`].
    async fn finish<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, responses: &mut mpsc::Receiver<Bytes>) {
        // What still comes is thrown away: a connection that is closed with bytes unread is reset, and its peer may then lose the
        // responses (RFC 2525 2.17).
        let mut ignored = vec![0; READ_CHUNK];
        let last = async {
            // Fails only when the owner is gone, and then the queue ends by itself.
            let _ = self.inbound.send(Inbound::Ending(self.id)).await;
            let mut batch = Vec::with_capacity(WRITE_BATCH);
            let mut reading = true;
            loop {
                tokio::select! {
                    biased;
                    n = responses.recv_many(&mut batch, WRITE_BATCH) => {
                        if n == 0 || self.write(stream, &batch.concat()).await.is_err() {
                            return;
                        }
                        batch.clear();
                    }
                    read = stream.read(&mut ignored), if reading => match read {
                        // It may have said its last word and still listen.
                        Ok(n) => reading = n > 0,
                        Err(_) => return,
                    },
                }
            }
        };
        let _ = timeout(LAST_RESPONSES, last).await;
        let goodbye = async {
            let _ = stream.shutdown().await;
            while stream.read(&mut ignored).await.is_ok_and(|n| n > 0) {}
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }

    /// A peer that does not read is not waited for longer than for one that does not write.
    async fn write<S: AsyncWrite + Unpin>(&self, stream: &mut S, bytes: &[u8]) -> Result<(), Ended> {
        let write = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        timeout(self.message_timeout(), write)
            .await
            .map_err(|_| Ended::Slow("writing a response"))??;
        Ok(())
    }
}
