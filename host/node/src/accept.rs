//! Bounds on the connections of the REST port.
//!
//! A connection costs a file descriptor and TLS buffers before its first request, so before any key is known. So there is
//! a most of them, in all and from one address, and each has to say something soon after it is made:
//!
//! ```text
//!   TCP    too many, in all or from this address: closed at once       Bounds
//!   TLS    handshake within 10 s                                       axum_server's RustlsAcceptor
//!   HTTP   the first bytes within FIRST_BYTES_WITHIN                   Connection
//!          a request's headers (HTTP/1), an answer to a ping (HTTP/2)  set_timeouts
//!          key, body, work                                             pointsman_api
//! ```

use axum_server::Server;
use axum_server::accept::Accept;
use hyper_util::rt::TokioTimer;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// Most connections in all: the ORS `request`s and the ordinary ones that may be in work (see
/// [`pointsman_api::Options`]) fit in, with room for idle ones.
const MAX_CONNECTIONS: usize = 8192;

/// Most connections from one address (IPv6: one /64). A gateway before many clients is one address.
const MAX_PER_ADDRESS: usize = 2048;

/// How soon after the TLS handshake the first bytes have to come. Hyper, which tells HTTP/1 from HTTP/2 by them, waits
/// for them without a bound of its own.
const FIRST_BYTES_WITHIN: Duration = Duration::from_secs(10);

/// How many those are: the preface of HTTP/2 has 24, and no HTTP/1.1 request with its `Host` has fewer.
const FIRST_BYTES: usize = 24;

/// How soon the headers of an HTTP/1 request have to be complete; also how long a connection may idle between requests, so
/// not so short that clients with a pool meet closed connections.
const HEADERS_WITHIN: Duration = Duration::from_secs(60);

/// How often an HTTP/2 peer is asked whether it is there, and how soon it has to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// Most requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// The connections there are, of all ports together. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bounds(Arc<Shared>);

struct Shared {
    all: usize,
    per_address: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: usize,
    /// Never holds zeros, so it is never larger than `all`.
    by: HashMap<IpAddr, usize>,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds::new(MAX_CONNECTIONS, MAX_PER_ADDRESS)
    }
}

impl Bounds {
    fn new(all: usize, per_address: usize) -> Self {
        let held = Mutex::default();
        Bounds(Arc::new(Shared { all, per_address, held }))
    }

    /// Puts the bounds before what an acceptor does.
    pub fn before<A>(&self, inner: A) -> Acceptor<A> {
        Acceptor {
            inner,
            bounds: self.clone(),
        }
    }

    fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut held = self.held();
        let count = held.by.get(&address).copied().unwrap_or(0);
        if held.all >= self.0.all || count >= self.0.per_address {
            return None;
        }
        held.all += 1;
        held.by.insert(address, count + 1);
        drop(held);
        Some(Place {
            bounds: self.clone(),
            address,
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place, free again when dropped.
struct Place {
    bounds: Bounds,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.bounds.held();
        held.all -= 1;
        let count = held
            .by
            .get_mut(&self.address)
            .expect("a place was counted for its address");
        *count -= 1;
        if *count == 0 {
            held.by.remove(&self.address);
        }
    }
}

/// One host has all addresses of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

/// Closes what is too much, and leaves the rest to another acceptor.
#[derive(Clone)]
pub(crate) struct Acceptor<A> {
    inner: A,
    bounds: Bounds,
}

impl<A, S> Accept<TcpStream, S> for Acceptor<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
    A::Stream: Send + 'static,
    A::Service: Send + 'static,
{
    type Stream = Connection<A::Stream>;
    type Service = A::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = stream.peer_addr().map(|peer| self.bounds.enter(peer.ip()).ok_or(peer));
        let place = match place {
            Ok(Ok(place)) => place,
            Ok(Err(peer)) => {
                tracing::debug!(%peer, "a connection was closed: there are too many, in all or from this address");
                return Box::pin(std::future::ready(Err(io::ErrorKind::QuotaExceeded.into())));
            }
            Err(e) => return Box::pin(std::future::ready(Err(e))),
        };
        let accepting = self.inner.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepting.await?;
            let connection = Connection {
                stream,
                first: Some((FIRST_BYTES, Box::pin(sleep(FIRST_BYTES_WITHIN)))),
                _place: place,
            };
            Ok((connection, service))
        })
    }
}

/// A connection that holds its place and has to begin soon.
pub(crate) struct Connection<S> {
    stream: S,
    /// Bytes still to come, and until when.
    first: Option<(usize, Pin<Box<Sleep>>)>,
    _place: Place,
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let Some((missing, until)) = &mut this.first {
            *missing = missing.saturating_sub(buf.filled().len() - before);
            if *missing == 0 {
                this.first = None;
            } else if read.is_pending() && until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Ends connections whose peer is slow or gone. Without a timer hyper keeps them for ever.
pub(crate) fn set_timeouts<A>(server: &mut Server<SocketAddr, A>) {
    let builder = server.http_builder();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .max_concurrent_streams(MAX_STREAMS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum_server::accept::DefaultAcceptor;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Instant, timeout};

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    /// A server on a free port that answers every path with 404, without TLS.
    async fn server(bounds: Bounds) -> (SocketAddr, axum_server::Handle<SocketAddr>) {
        let handle = axum_server::Handle::new();
        let mut server = axum_server::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .map(|inner: DefaultAcceptor| bounds.before(inner))
            .handle(handle.clone());
        set_timeouts(&mut server);
        tokio::spawn(server.serve(axum::Router::<()>::new().into_make_service()));
        (handle.listening().await.unwrap(), handle)
    }

    async fn ask(stream: &mut TcpStream) -> io::Result<String> {
        stream.write_all(REQUEST).await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    #[tokio::test]
    async fn one_connection_too_many_is_closed_and_its_place_is_free_when_another_ends() {
        let bounds = Bounds::new(8, 2);
        let (address, _handle) = server(bounds.clone()).await;
        let connect = || TcpStream::connect(address);
        let (mut a, mut b) = (connect().await.unwrap(), connect().await.unwrap());
        assert_eq!(ask(&mut a).await.unwrap(), "HTTP/1.1 404");
        assert_eq!(ask(&mut b).await.unwrap(), "HTTP/1.1 404");
        let mut third = connect().await.unwrap();
        assert!(ask(&mut third).await.is_err(), "closed without an answer");
        drop(a);
        timeout(Duration::from_secs(5), async {
            while bounds.held().all == 2 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("a closed connection frees its place");
        assert_eq!(ask(&mut connect().await.unwrap()).await.unwrap(), "HTTP/1.1 404");
    }

    #[test]
    fn addresses_have_their_own_share_within_the_bound_for_all() {
        let bounds = Bounds::new(3, 2);
        let enter = |text: &str| bounds.enter(text.parse().unwrap());
        let held = [enter("2001:db8::1"), enter("2001:db8::2")];
        assert!(held.iter().all(Option::is_some));
        assert!(enter("2001:db8::3").is_none(), "one host has all addresses of its /64");
        let fourth = enter("192.0.2.1");
        assert!(fourth.is_some() && enter("192.0.2.2").is_none(), "three in all");
        drop((held, fourth));
        assert!(bounds.held().by.is_empty(), "nothing is remembered of whoever left");
        assert!(enter("::ffff:192.0.2.1").is_some());
    }

    /// How long a connection lasts on which only this is sent.
    async fn lasts(sent: &[u8]) -> Duration {
        let (address, _handle) = server(Bounds::default()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let began = Instant::now();
        let mut rest = Vec::new();
        // Closed or reset: over in either case.
        let _ = stream.read_to_end(&mut rest).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_say_nothing_or_never_finish_are_closed() {
        let cases: [&[u8]; 5] = [
            b"",
            b"P",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r",
            b"GET / HT",
            b"GET / HTTP/1.1\r\nHost: x\r\nX: ",
        ];
        for sent in cases {
            let lasted = lasts(sent).await;
            let shown = String::from_utf8_lossy(sent);
            let most = (FIRST_BYTES_WITHIN + HEADERS_WITHIN).as_secs() + 1;
            assert!((9..=most).contains(&lasted.as_secs()), "{shown:?}: {lasted:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_idles_after_an_answer_is_closed() {
        let lasted = lasts(REQUEST).await;
        let idle = HEADERS_WITHIN.as_secs();
        assert!((idle - 1..=idle + 11).contains(&lasted.as_secs()), "{lasted:?}");
    }
}
