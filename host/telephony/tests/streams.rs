//! Calls over real TCP and TLS connections.
#![allow(clippy::unwrap_used, reason = "a test's helpers are test code, too")]

mod common;

use common::{Host, PATIENCE, Stream, bind, header, request, route_call, status};
use pointsman_telephony::model::{EventKind, RequestFailure};
use pointsman_telephony::sip::{DnTable, Error, Link, Options, Protocol, TlsConfig};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

fn tcp() -> Options {
    Options {
        bind: vec![bind(Protocol::Tcp)],
        ..Options::default()
    }
}

async fn connect(host: &Host) -> Stream<TcpStream> {
    Stream::new(TcpStream::connect(host.addresses[0]).await.unwrap())
}

#[tokio::test]
async fn a_call_over_tcp_arrives_in_pieces_and_is_routed() {
    let mut host = Host::start(tcp(), None).await;
    let mut caller = connect(&host).await;
    let invite = request("INVITE", 1, "TCP");
    for piece in invite.as_bytes().chunks(7) {
        caller.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(caller.status().await, 100);
    let call = host.route_request().await;
    host.route("r", call.call_uuid, "7042").await;
    assert_eq!(caller.status().await, 302);
    caller.send(request("ACK", 1, "TCP")).await;
    assert!(matches!(host.event().await.kind, EventKind::RouteUsed { .. }));
}

#[tokio::test]
async fn messages_glued_together_are_all_answered_and_pings_get_a_pong() {
    let mut host = Host::start(tcp(), None).await;
    let mut caller = connect(&host).await;
    let glued: String = (0..50).map(|n| request("OPTIONS", n, "TCP") + "\r\n").collect();
    caller.send(&glued).await;
    for n in 0..50 {
        let answer = caller.receive().await;
        assert_eq!(
            (status(&answer), header(&answer, "Call-ID")),
            (200, Some(format!("call-{n}@test").as_str()))
        );
    }
    caller.send("\r\n\r\n").await;
    assert_eq!(caller.bytes(2).await, b"\r\n");
    caller.send(request("INVITE", 99, "TCP")).await;
    assert_eq!(caller.status().await, 100);
    host.route_request().await;
}

/// All calls of a front proxy come through one connection: its responses must keep up with its requests.
#[tokio::test]
async fn a_busy_connection_gets_every_response() {
    const CALLS: u32 = 3000;
    let mut host = Host::start(tcp(), None).await;
    let (reader, mut writer) = TcpStream::connect(host.addresses[0]).await.unwrap().into_split();
    let sending = tokio::spawn(async move {
        for n in 0..CALLS {
            writer.write_all(request("OPTIONS", n, "TCP").as_bytes()).await.unwrap();
        }
        writer
            .write_all(request("INVITE", CALLS, "TCP").as_bytes())
            .await
            .unwrap();
        writer
    });
    let mut reader = Stream::new(tokio::io::join(reader, tokio::io::sink()));
    for n in 0..CALLS {
        let answer = reader.receive().await;
        assert_eq!(
            (status(&answer), header(&answer, "Call-ID")),
            (200, Some(format!("call-{n}@test").as_str()))
        );
    }
    assert_eq!(reader.status().await, 100);
    host.route_request().await;
    drop(sending.await.unwrap());
}

#[tokio::test]
async fn a_stream_whose_framing_is_lost_is_refused_and_closed() {
    let host = Host::start(tcp(), None).await;
    let mut caller = connect(&host).await;
    caller
        .send(request("OPTIONS", 1, "TCP").replace("Content-Length: 0\r\n", ""))
        .await;
    assert_eq!(caller.status().await, 400);
    caller.closed().await;
    let mut large = connect(&host).await;
    large
        .send(request("OPTIONS", 2, "TCP").replace("Content-Length: 0", "Content-Length: 99999999"))
        .await;
    assert_eq!(large.status().await, 400);
    large.closed().await;
    let mut next = connect(&host).await;
    next.send(request("OPTIONS", 3, "TCP")).await;
    assert_eq!(next.status().await, 200);
}

/// A message without a Content-Length, after which nobody can tell where the next one begins.
fn junk() -> String {
    request("OPTIONS", 9, "TCP").replace("Content-Length: 0\r\n", "")
}

/// Two calls, and behind them what makes the link give the connection up: still all that came before it is answered.
async fn calls_before_junk<S: AsyncRead + AsyncWrite + Unpin>(host: &mut Host, mut caller: Stream<S>) {
    let calls = request("INVITE", 1, "TCP") + &request("INVITE", 2, "TCP") + &request("OPTIONS", 3, "TCP");
    caller.send(calls + &junk() + &"x".repeat(200_000)).await;
    for expected in [100, 100, 200, 400] {
        assert_eq!(caller.status().await, expected);
    }
    let (first, second) = (host.route_request().await, host.route_request().await);
    host.route("second", second.call_uuid, "7042").await;
    assert_eq!(caller.status().await, 302);
    host.route("first", first.call_uuid, "7041").await;
    let last = caller.receive().await;
    assert_eq!((status(&last), header(&last, "Call-ID")), (302, Some("call-1@test")));
    caller.closed().await;
}

#[tokio::test]
async fn calls_that_came_before_junk_get_their_final_responses() {
    let mut host = Host::start(tcp(), None).await;
    let caller = connect(&host).await;
    calls_before_junk(&mut host, caller).await;
}

#[tokio::test]
async fn calls_that_came_before_junk_get_their_final_responses_over_tls() {
    let (config, cert) = certificate("sip.example.com");
    let tls: TlsConfig = Arc::new(move || Arc::clone(&config));
    let options = Options {
        bind: vec![bind(Protocol::Tls)],
        ..Options::default()
    };
    let mut host = Host::start(options, Some(tls)).await;
    let caller = connect_tls(&host, &cert).await.unwrap();
    calls_before_junk(&mut host, caller).await;
}

#[tokio::test]
async fn a_call_before_a_message_that_does_not_end_gets_its_final_response() {
    let mut host = Host::start(
        Options {
            message_timeout_ms: 200,
            ..tcp()
        },
        None,
    )
    .await;
    let mut caller = connect(&host).await;
    caller.send(request("INVITE", 1, "TCP") + "no SIP").await;
    assert_eq!(caller.status().await, 100);
    let call = host.route_request().await;
    // A later connection is closed for the same: the first one's time was over before.
    let mut later = connect(&host).await;
    later.send("no SIP").await;
    later.closed().await;
    host.route("r", call.call_uuid, "1").await;
    assert_eq!(caller.status().await, 302);
    caller.closed().await;
}

#[tokio::test]
async fn a_call_before_junk_that_is_not_decided_in_a_few_seconds_is_abandoned() {
    let mut host = Host::start(tcp(), None).await;
    let mut caller = connect(&host).await;
    caller.send(request("INVITE", 1, "TCP") + &junk()).await;
    assert_eq!((caller.status().await, caller.status().await), (100, 400));
    let call = host.route_request().await;
    caller.closed().await;
    let event = host.event().await;
    assert_eq!(
        (event.call_uuid, event.kind),
        (Some(call.call_uuid), EventKind::Abandoned)
    );
}

#[tokio::test]
async fn a_message_that_trickles_in_too_slowly_closes_its_connection() {
    let host = Host::start(
        Options {
            message_timeout_ms: 200,
            ..tcp()
        },
        None,
    )
    .await;
    let mut slow = connect(&host).await;
    slow.send("OPTIONS sip:h SIP/2.0\r\n").await;
    // Bytes that go on coming do not move the deadline.
    let trickle = async {
        let mut pause = tokio::time::interval(std::time::Duration::from_millis(20));
        loop {
            pause.tick().await;
            if slow.try_send("a: b\r\n").await.is_err() {
                break;
            }
        }
    };
    timeout(PATIENCE, trickle)
        .await
        .expect("the link closes the connection");
}

#[tokio::test]
async fn a_quiet_connection_is_closed_unless_a_call_waits_on_it() {
    let mut host = Host::start(
        Options {
            idle_timeout_ms: 100,
            ..tcp()
        },
        None,
    )
    .await;
    let mut waiting = connect(&host).await;
    waiting.send(request("INVITE", 1, "TCP")).await;
    assert_eq!(waiting.status().await, 100);
    let call = host.route_request().await;
    let mut quiet = connect(&host).await;
    quiet.closed().await;
    // The second connection was opened later and is closed: the first one's time was over before.
    host.route("r", call.call_uuid, "1").await;
    assert_eq!(waiting.status().await, 302);
    waiting.send(request("ACK", 1, "TCP")).await;
    waiting.closed().await;
}

#[tokio::test]
async fn connections_are_limited_per_source() {
    let host = Host::start(
        Options {
            max_connections_per_source: 2,
            ..tcp()
        },
        None,
    )
    .await;
    let mut first = connect(&host).await;
    let mut second = connect(&host).await;
    for (n, caller) in [&mut first, &mut second].into_iter().enumerate() {
        caller.send(request("OPTIONS", n as u32, "TCP")).await;
        assert_eq!(caller.status().await, 200);
    }
    connect(&host).await.closed().await;
}

#[tokio::test]
async fn a_call_on_a_lost_connection_is_abandoned() {
    let mut host = Host::start(tcp(), None).await;
    let mut caller = connect(&host).await;
    caller.send(request("INVITE", 1, "TCP")).await;
    assert_eq!(caller.status().await, 100);
    let call = host.route_request().await;
    drop(caller);
    let event = host.event().await;
    assert_eq!(
        (event.call_uuid, event.kind),
        (Some(call.call_uuid), EventKind::Abandoned)
    );
    host.ask("late", call.call_uuid, route_call("1")).await;
    assert_eq!(
        host.event().await.kind,
        EventKind::RequestFailed {
            request_id: "late".into(),
            error: RequestFailure::UnknownCall
        }
    );
}

fn certificate(name: &str) -> (Arc<rustls::ServerConfig>, rustls::pki_types::CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let cert = made.cert.der().clone();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.clone()], key.into())
        .unwrap();
    (Arc::new(config), cert)
}

async fn connect_tls(
    host: &Host,
    trusted: &rustls::pki_types::CertificateDer<'static>,
) -> std::io::Result<Stream<tokio_rustls::client::TlsStream<TcpStream>>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(host.addresses[0]).await.unwrap();
    let name = ServerName::try_from("sip.example.com").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    Ok(Stream::new(
        timeout(PATIENCE, connector.connect(name, stream)).await.unwrap()?,
    ))
}

#[tokio::test]
async fn a_call_over_tls_is_routed_and_certificates_are_replaced_while_running() {
    let (first, first_cert) = certificate("sip.example.com");
    let present = Arc::new(Mutex::new(first));
    let tls: TlsConfig = {
        let present = Arc::clone(&present);
        Arc::new(move || Arc::clone(&present.lock().unwrap()))
    };
    let mut host = Host::start(
        Options {
            bind: vec![bind(Protocol::Tls)],
            ..Options::default()
        },
        Some(tls),
    )
    .await;
    let mut caller = connect_tls(&host, &first_cert).await.unwrap();
    caller
        .send(request("INVITE", 1, "TLS").replace("sip:7000@sbc", "sips:7000@sbc"))
        .await;
    assert_eq!(caller.status().await, 100);
    let call = host.route_request().await;
    host.route("r", call.call_uuid, "7042").await;
    let found = caller.receive().await;
    assert_eq!(
        header(&found, "Contact"),
        Some("<sips:7042@sbc.example.com>"),
        "a sips call stays one"
    );

    let (second, second_cert) = certificate("sip.example.com");
    *present.lock().unwrap() = second;
    assert!(
        connect_tls(&host, &first_cert).await.is_err(),
        "the old certificate is not shown any more"
    );
    let mut next = connect_tls(&host, &second_cert).await.unwrap();
    next.send(request("OPTIONS", 2, "TLS")).await;
    assert_eq!(next.status().await, 200);
    // The connection that was there goes on.
    caller
        .send(request("ACK", 1, "TLS").replace("sip:7000@sbc", "sips:7000@sbc"))
        .await;
    assert!(matches!(host.event().await.kind, EventKind::RouteUsed { .. }));
}

#[tokio::test]
async fn plain_text_on_the_tls_port_is_closed() {
    let (config, cert) = certificate("sip.example.com");
    let tls: TlsConfig = Arc::new(move || Arc::clone(&config));
    let host = Host::start(
        Options {
            bind: vec![bind(Protocol::Tls)],
            ..Options::default()
        },
        Some(tls),
    )
    .await;
    let mut plain = connect(&host).await;
    plain.send(request("OPTIONS", 1, "TCP")).await;
    plain.closed().await;
    let mut good = connect_tls(&host, &cert).await.unwrap();
    good.send(request("OPTIONS", 2, "TLS")).await;
    assert_eq!(good.status().await, 200);
}

#[tokio::test]
async fn a_link_that_cannot_listen_says_why() {
    let (events, _keep) = mpsc::channel(10);
    let host = Host::start(tcp(), None).await;
    let mut taken = bind(Protocol::Tcp);
    taken.address = host.addresses[0];
    let error = |options| Link::bind(options, DnTable::new(), None, events.clone());
    let Err(e) = error(Options {
        bind: vec![taken],
        ..Options::default()
    })
    .await
    else {
        panic!("bound twice")
    };
    assert!(
        matches!(e, Error::Bind { .. }) && e.to_string().contains(&taken.address.to_string()),
        "{e}"
    );
    let Err(e) = error(Options {
        bind: vec![bind(Protocol::Tls)],
        ..Options::default()
    })
    .await
    else {
        panic!("no TLS")
    };
    assert_eq!(e.code(), "sip-no-tls");
    let Err(e) = error(Options::default()).await else {
        panic!("nothing bound")
    };
    assert!(e.to_string().contains("`bind` is empty"), "{e}");
}
