//! A link on free loopback ports, and a caller's side made of bare sockets.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test's helpers are test code, too")]

use pointsman_telephony::model::{Call, CallUuid, Dn, Event, EventKind, Request, RequestKind, RouteType, UserData};
use pointsman_telephony::sip::{Bind, DnTable, Handle, Link, Options, Protocol, RoutingPoint, TlsConfig};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Host {
    pub handle: Handle,
    pub events: mpsc::Receiver<Event>,
    pub addresses: Vec<SocketAddr>,
    drain: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), pointsman_telephony::sip::Error>>,
}

pub fn bind(protocol: Protocol) -> Bind {
    Bind {
        protocol,
        address: "127.0.0.1:0".parse().unwrap(),
    }
}

pub fn table() -> DnTable {
    let mut table = DnTable::new();
    table.add_switch("berlin", Some("sbc.example.com".into()));
    table.add(RoutingPoint::new(Dn::new("7000", "berlin")));
    table
}

impl Host {
    pub async fn start(options: Options, tls: Option<TlsConfig>) -> Host {
        Host::with_events(options, table(), tls, 100).await
    }

    pub async fn with_events(options: Options, dns: DnTable, tls: Option<TlsConfig>, room: usize) -> Host {
        let (sender, events) = mpsc::channel(room);
        let (link, handle) = Link::bind(options, dns, tls, sender).await.unwrap();
        let addresses = link.addresses().iter().map(|bind| bind.address).collect();
        let (drain, drained) = oneshot::channel::<()>();
        let running = tokio::spawn(link.run(async {
            let _ = drained.await;
        }));
        let mut host = Host {
            handle,
            events,
            addresses,
            drain: Some(drain),
            running,
        };
        assert!(matches!(host.event().await.kind, EventKind::LinkUp { .. }));
        host
    }

    pub async fn event(&mut self) -> Event {
        timeout(PATIENCE, self.events.recv())
            .await
            .expect("an event comes")
            .expect("the link runs")
    }

    pub async fn route_request(&mut self) -> Box<Call> {
        match self.event().await.kind {
            EventKind::RouteRequest { call } => call,
            other => panic!("{other:?}"),
        }
    }

    pub async fn ask(&self, id: &str, call_uuid: CallUuid, kind: RequestKind) {
        let request = Request {
            request_id: id.into(),
            call_uuid,
            deadline_ms: None,
            kind,
        };
        self.handle.request(request).await.unwrap();
    }

    pub async fn route(&mut self, id: &str, call_uuid: CallUuid, target: &str) {
        self.ask(id, call_uuid, route_call(target)).await;
        let event = self.event().await;
        assert_eq!(event.kind, EventKind::RequestDone { request_id: id.into() });
    }

    /// Asks the link to stop; the events up to its end can still be read.
    pub fn drain(&mut self) {
        let _ = self.drain.take().expect("once").send(());
    }

    pub async fn stopped(self) {
        timeout(PATIENCE, self.running)
            .await
            .expect("the link stops")
            .unwrap()
            .unwrap();
    }
}

pub fn route_call(target: &str) -> RequestKind {
    RequestKind::RouteCall {
        targets: vec![target.parse().unwrap()],
        route_type: RouteType::Unknown,
        user_data: UserData::new(),
    }
}

/// A request of call number `n`; `transport` is the Via's.
pub fn request(method: &str, n: u32, transport: &str) -> String {
    let cseq = if method == "ACK" || method == "CANCEL" {
        "INVITE"
    } else {
        method
    };
    let branch = format!("z9hG4bK-{n}-{cseq}");
    format!(
        "{method} sip:7000@sbc.example.com SIP/2.0\r\n\
         Via: SIP/2.0/{transport} 127.0.0.1:5999;branch={branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:+4930{n}@caller.example.com>;tag=from-{n}\r\n\
         To: <sip:7000@sbc.example.com>\r\nCall-ID: call-{n}@test\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:c@127.0.0.1>\r\nContent-Length: 0\r\n\r\n"
    )
}

pub struct Udp {
    socket: UdpSocket,
}

impl Udp {
    pub async fn to(address: SocketAddr) -> Udp {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(address).await.unwrap();
        Udp { socket }
    }

    pub async fn send(&self, message: impl AsRef<[u8]>) {
        self.socket.send(message.as_ref()).await.unwrap();
    }

    pub async fn receive(&self) -> String {
        let mut buffer = vec![0; 65_536];
        let n = timeout(PATIENCE, self.socket.recv(&mut buffer))
            .await
            .expect("a response comes")
            .unwrap();
        String::from_utf8(buffer[..n].to_vec()).unwrap()
    }

    /// Receives a response and says its status.
    pub async fn status(&self) -> u16 {
        status(&self.receive().await)
    }
}

pub fn status(response: &str) -> u16 {
    response
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("{response}"))
}

pub fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    response
        .split("\r\n")
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A stream's caller side.
pub struct Stream<S> {
    stream: S,
    received: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    pub fn new(stream: S) -> Self {
        Stream {
            stream,
            received: Vec::new(),
        }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Like [`Stream::send`], for where the link may have closed the connection.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// The next response; ours have no body.
    pub async fn receive(&mut self) -> String {
        loop {
            if let Some(end) = self.received.windows(4).position(|w| w == b"\r\n\r\n") {
                let response: Vec<u8> = self.received.drain(..end + 4).collect();
                return String::from_utf8(response).unwrap();
            }
            let n = timeout(PATIENCE, self.stream.read_buf(&mut self.received))
                .await
                .expect("bytes come")
                .unwrap();
            assert!(n > 0, "the link closed the connection");
        }
    }

    pub async fn status(&mut self) -> u16 {
        status(&self.receive().await)
    }

    /// Exactly `n` bytes.
    pub async fn bytes(&mut self, n: usize) -> Vec<u8> {
        while self.received.len() < n {
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.received))
                .await
                .expect("bytes come")
                .unwrap();
            assert!(read > 0, "the link closed the connection");
        }
        self.received.drain(..n).collect()
    }

    /// Waits until the link closes the connection.
    pub async fn closed(&mut self) {
        let closed = async { while self.stream.read_buf(&mut self.received).await.is_ok_and(|n| n > 0) {} };
        timeout(PATIENCE, closed).await.expect("the link closes the connection");
    }
}
