//! Calls over real datagram sockets.
#![allow(clippy::unwrap_used, reason = "a test's helpers are test code, too")]

mod common;

use common::{Host, PATIENCE, Udp, bind, header, request, route_call, status, table};
use pointsman_telephony::model::{Dn, EventKind, ReleaseCause, RequestFailure, RequestKind, RouteFailure, RouteType};
use pointsman_telephony::sip::{DnTable, Options, Protocol, RoutingPoint};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// T1 is long, so that a busy machine makes no retransmissions where a test does not want them.
fn options() -> Options {
    Options {
        bind: vec![bind(Protocol::Udp)],
        t1_ms: 30_000,
        t2_ms: 60_000,
        ..Options::default()
    }
}

#[tokio::test]
async fn a_call_is_queued_routed_and_acknowledged() {
    let mut host = Host::start(options(), None).await;
    let caller = Udp::to(host.addresses[0]).await;
    caller.send(request("INVITE", 1, "UDP")).await;
    assert_eq!(caller.status().await, 100);
    let call = host.route_request().await;
    assert_eq!(call.ani.as_deref(), Some("+49301"));
    assert_eq!(call.dnis.as_deref(), Some("7000"));
    assert_eq!(call.this_dn, Dn::new("7000", "berlin"));

    host.ask("q", call.call_uuid, RequestKind::Queued { holds: true }).await;
    assert_eq!(caller.status().await, 182);
    assert_eq!(
        host.event().await.kind,
        EventKind::RequestDone { request_id: "q".into() }
    );

    host.route("r", call.call_uuid, "7042").await;
    let found = caller.receive().await;
    assert_eq!(status(&found), 302);
    assert_eq!(header(&found, "Contact"), Some("<sip:7042@sbc.example.com>"));
    assert!(header(&found, "To").unwrap().contains(";tag="));
    caller.send(request("ACK", 1, "UDP")).await;
    let event = host.event().await;
    assert_eq!(event.call_uuid, Some(call.call_uuid));
    let targets = vec!["7042".parse().unwrap()];
    assert_eq!(
        event.kind,
        EventKind::RouteUsed {
            route_type: RouteType::Unknown,
            targets
        }
    );

    // Asked again with the same id, the link answers the same; with another id, the call is decided.
    host.route("r", call.call_uuid, "7042").await;
    host.ask("r2", call.call_uuid, route_call("7043")).await;
    let refused = EventKind::RequestFailed {
        request_id: "r2".into(),
        error: RequestFailure::AlreadyDecided,
    };
    assert_eq!(host.event().await.kind, refused);
    host.drain();
    assert!(matches!(host.event().await.kind, EventKind::LinkDown { .. }));
    host.stopped().await;
}

#[tokio::test]
async fn a_retransmitted_invite_gets_the_same_response_and_makes_no_second_call() {
    let mut host = Host::start(options(), None).await;
    let caller = Udp::to(host.addresses[0]).await;
    for _ in 0..3 {
        caller.send(request("INVITE", 2, "UDP")).await;
        assert_eq!(caller.status().await, 100);
    }
    let call = host.route_request().await;
    host.route("r", call.call_uuid, "1").await;
    let first = caller.receive().await;
    caller.send(request("INVITE", 2, "UDP")).await;
    assert_eq!(caller.receive().await, first);
    caller.send(request("ACK", 2, "UDP")).await;
    assert!(
        matches!(host.event().await.kind, EventKind::RouteUsed { .. }),
        "there was one RouteRequest only"
    );
}

#[tokio::test]
async fn a_caller_who_gives_up_is_reported_and_gets_487() {
    let mut host = Host::start(options(), None).await;
    let caller = Udp::to(host.addresses[0]).await;
    caller.send(request("INVITE", 3, "UDP")).await;
    assert_eq!(caller.status().await, 100);
    let call = host.route_request().await;
    caller.send(request("CANCEL", 3, "UDP")).await;
    let cancelled = caller.receive().await;
    assert_eq!(
        (status(&cancelled), header(&cancelled, "CSeq")),
        (200, Some("1 CANCEL"))
    );
    let terminated = caller.receive().await;
    assert_eq!(
        (status(&terminated), header(&terminated, "CSeq")),
        (487, Some("1 INVITE"))
    );
    assert_eq!(header(&cancelled, "To"), header(&terminated, "To"));
    assert_eq!(host.event().await.kind, EventKind::Abandoned);
    host.ask("late", call.call_uuid, route_call("1")).await;
    let error = RequestFailure::AlreadyDecided;
    assert_eq!(
        host.event().await.kind,
        EventKind::RequestFailed {
            request_id: "late".into(),
            error
        }
    );
}

#[tokio::test]
async fn a_cancel_after_the_302_changes_nothing() {
    let mut host = Host::start(options(), None).await;
    let caller = Udp::to(host.addresses[0]).await;
    caller.send(request("INVITE", 4, "UDP")).await;
    caller.status().await;
    let call = host.route_request().await;
    host.route("r", call.call_uuid, "1").await;
    assert_eq!(caller.status().await, 302);
    caller.send(request("CANCEL", 4, "UDP")).await;
    let next = caller.receive().await;
    assert_eq!((status(&next), header(&next, "CSeq")), (200, Some("1 CANCEL")));
    caller.send(request("ACK", 4, "UDP")).await;
    assert!(matches!(host.event().await.kind, EventKind::RouteUsed { .. }));
}

#[tokio::test]
async fn a_lost_ack_makes_the_302_come_again_and_be_given_up_at_timer_h() {
    let mut host = Host::start(
        Options {
            t1_ms: 20,
            t2_ms: 80,
            ..options()
        },
        None,
    )
    .await;
    let caller = Udp::to(host.addresses[0]).await;
    caller.send(request("INVITE", 5, "UDP")).await;
    assert_eq!(caller.status().await, 100);
    let call = host.route_request().await;
    host.route("r", call.call_uuid, "1").await;
    let first = caller.receive().await;
    assert_eq!(status(&first), 302);
    for _ in 0..4 {
        assert_eq!(caller.receive().await, first);
    }
    assert_eq!(
        host.event().await.kind,
        EventKind::RouteFailed {
            cause: RouteFailure::Unconfirmed
        }
    );
}

#[tokio::test]
async fn a_call_that_comes_back_is_a_failed_target_and_the_same_call() {
    let mut host = Host::start(options(), None).await;
    let caller = Udp::to(host.addresses[0]).await;
    caller.send(request("INVITE", 6, "UDP")).await;
    caller.status().await;
    let call = host.route_request().await;
    host.route("r1", call.call_uuid, "1").await;
    assert_eq!(caller.status().await, 302);
    caller.send(request("ACK", 6, "UDP")).await;
    assert!(matches!(host.event().await.kind, EventKind::RouteUsed { .. }));

    caller
        .send(request("INVITE", 6, "UDP").replace("z9hG4bK-6", "z9hG4bK-6-again"))
        .await;
    let failed = host.event().await;
    assert_eq!(
        failed.kind,
        EventKind::RouteFailed {
            cause: RouteFailure::TargetFailed
        }
    );
    let again = host.route_request().await;
    assert_eq!((again.call_uuid, again.attempt), (call.call_uuid, 2));
    assert_ne!(again.conn_id, call.conn_id);
    assert_eq!(caller.status().await, 100);
    host.route("r2", call.call_uuid, "2").await;
    let found = caller.receive().await;
    assert_eq!(header(&found, "Contact"), Some("<sip:2@sbc.example.com>"));
}

#[tokio::test]
async fn a_merged_request_is_a_loop() {
    let mut host = Host::start(options(), None).await;
    let caller = Udp::to(host.addresses[0]).await;
    caller.send(request("INVITE", 7, "UDP")).await;
    assert_eq!(caller.status().await, 100);
    host.route_request().await;
    caller
        .send(request("INVITE", 7, "UDP").replace("z9hG4bK-7", "z9hG4bK-other-way"))
        .await;
    assert_eq!(caller.status().await, 482);
}

#[tokio::test]
async fn without_a_decision_the_default_dns_take_turns_and_without_them_it_is_480() {
    let mut dns = table();
    let short = Duration::from_millis(30);
    let mut point = RoutingPoint::new(Dn::new("7000", "berlin"));
    point.decision_timeout = short;
    point.default_targets = vec!["8001".parse().unwrap(), "8002".parse().unwrap()];
    dns.add(point);
    let mut host = Host::with_events(options(), dns, None, 100).await;
    let caller = Udp::to(host.addresses[0]).await;
    for (n, contact) in [
        (10, "<sip:8001@sbc.example.com>"),
        (11, "<sip:8002@sbc.example.com>"),
        (12, "<sip:8001@sbc.example.com>"),
    ] {
        caller.send(request("INVITE", n, "UDP")).await;
        assert_eq!(caller.status().await, 100);
        let call = host.route_request().await;
        let found = caller.receive().await;
        assert_eq!((status(&found), header(&found, "Contact")), (302, Some(contact)));
        caller.send(request("ACK", n, "UDP")).await;
        assert!(matches!(host.event().await.kind, EventKind::Diverted { .. }));
        let used = host.event().await;
        assert_eq!(used.call_uuid, Some(call.call_uuid));
        assert!(matches!(
            used.kind,
            EventKind::RouteUsed {
                route_type: RouteType::Default,
                ..
            }
        ));
    }

    let mut dns = DnTable::new();
    let mut point = RoutingPoint::new(Dn::new("7000", "berlin"));
    point.decision_timeout = short;
    dns.add(point);
    host.handle.set_dns(dns);
    caller.send(request("INVITE", 13, "UDP")).await;
    assert_eq!(caller.status().await, 100);
    host.route_request().await;
    let last = caller.receive().await;
    assert_eq!(status(&last), 480, "{last}");
    assert_eq!(
        host.event().await.kind,
        EventKind::Released {
            cause: ReleaseCause::NoDecision
        }
    );
}

#[tokio::test]
async fn a_full_event_queue_refuses_calls_and_loses_no_event() {
    let mut host = Host::with_events(options(), table(), None, 3).await;
    let caller = Udp::to(host.addresses[0]).await;
    for n in 20..22 {
        caller.send(request("INVITE", n, "UDP")).await;
        assert_eq!(caller.status().await, 100);
    }
    caller.send(request("INVITE", 22, "UDP")).await;
    let refused = caller.receive().await;
    assert_eq!((status(&refused), header(&refused, "Retry-After")), (503, Some("5")));
    // What happens to calls that were taken is told in full, in order, whenever the host comes to read it.
    for n in 20..22 {
        caller.send(request("CANCEL", n, "UDP")).await;
        assert_eq!((caller.status().await, caller.status().await), (200, 487));
    }
    let mut seen = Vec::new();
    let mut last = None;
    for _ in 0..4 {
        let event = host.event().await;
        assert!(last.is_none_or(|last| event.seq.0 == last + 1), "no gap");
        last = Some(event.seq.0);
        seen.push(matches!(event.kind, EventKind::RouteRequest { .. }));
    }
    assert_eq!(seen, [true, true, false, false]);
}

#[tokio::test]
async fn a_source_with_too_many_transactions_is_refused() {
    let mut host = Host::start(
        Options {
            max_transactions_per_source: 2,
            ..options()
        },
        None,
    )
    .await;
    let caller = Udp::to(host.addresses[0]).await;
    for n in 30..32 {
        caller.send(request("INVITE", n, "UDP")).await;
        assert_eq!(caller.status().await, 100);
        host.route_request().await;
    }
    caller.send(request("INVITE", 32, "UDP")).await;
    let first = caller.receive().await;
    assert_eq!((status(&first), header(&first, "Retry-After")), (503, Some("5")));
    caller.send(request("INVITE", 32, "UDP")).await;
    assert_eq!(
        caller.receive().await,
        first,
        "a stateless answer is the same each time, its To tag too"
    );
}

#[tokio::test]
async fn garbage_is_dropped_or_refused_and_the_link_lives() {
    let host = Host::start(
        Options {
            max_message: 2000,
            ..options()
        },
        None,
    )
    .await;
    let caller = Udp::to(host.addresses[0]).await;
    for garbage in [
        "",
        "\r\n\r\n",
        "\0",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "SIP/2.0 200 OK\r\n\r\n",
        "INVITE",
        "\u{fffd}\r\n\r\n",
    ] {
        caller.send(garbage).await;
    }
    caller
        .send(request("OPTIONS", 40, "UDP").replace("Content-Length: 0", &format!("X-Large: {}", "x".repeat(2000))))
        .await;
    assert_eq!(caller.status().await, 513);
    caller.send(request("OPTIONS", 41, "UDP")).await;
    let answer = caller.receive().await;
    assert_eq!(
        (status(&answer), header(&answer, "Allow")),
        (200, Some("INVITE, ACK, CANCEL, OPTIONS, BYE"))
    );
}

#[tokio::test]
async fn responses_go_where_via_says() {
    let host = Host::start(options(), None).await;
    // Without rport: to the address of the packet, at the port of sent-by (RFC 3261 18.2.2).
    let listener = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let caller = Udp::to(host.addresses[0]).await;
    let asked = request("OPTIONS", 50, "UDP")
        .replace(";rport", "")
        .replace("127.0.0.1:5999", &format!("gone.example.com:{port}"));
    caller.send(asked).await;
    let mut buffer = [0; 2000];
    let n = timeout(PATIENCE, listener.recv(&mut buffer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&buffer[..n]).into_owned();
    assert!(
        header(&answer, "Via").unwrap().ends_with(";received=127.0.0.1"),
        "{answer}"
    );
    // With rport: back to where it came from, and Via says so (RFC 3581).
    caller.send(request("OPTIONS", 51, "UDP")).await;
    let answer = caller.receive().await;
    assert!(
        header(&answer, "Via").unwrap().contains(";received=127.0.0.1") && !answer.contains(";rport;"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_stopping_link_takes_no_calls_and_waits_for_the_open_ones() {
    let mut host = Host::start(options(), None).await;
    let caller = Udp::to(host.addresses[0]).await;
    caller.send(request("INVITE", 60, "UDP")).await;
    assert_eq!(caller.status().await, 100);
    let call = host.route_request().await;
    host.drain();
    // A new call is refused as soon as the link has heard; until then it may be taken.
    let mut n = 61;
    loop {
        caller.send(request("INVITE", n, "UDP")).await;
        if caller.status().await == 503 {
            break;
        }
        let taken = host.route_request().await;
        host.ask(
            &format!("no-{n}"),
            taken.call_uuid,
            RequestKind::Reject {
                code: 486,
                reason: None,
            },
        )
        .await;
        assert_eq!(caller.status().await, 486);
        let request_id = format!("no-{n}").as_str().into();
        assert_eq!(host.event().await.kind, EventKind::RequestDone { request_id });
        assert_eq!(
            host.event().await.kind,
            EventKind::Released {
                cause: ReleaseCause::Rejected
            }
        );
        n += 1;
    }
    caller.send(request("ACK", n, "UDP")).await;
    host.route("r", call.call_uuid, "1").await;
    assert_eq!(caller.status().await, 302);
    caller.send(request("ACK", 60, "UDP")).await;
    assert!(matches!(host.event().await.kind, EventKind::RouteUsed { .. }));
    assert!(matches!(host.event().await.kind, EventKind::LinkDown { .. }));
    host.stopped().await;
}

#[tokio::test]
async fn a_stopping_link_refuses_undecided_calls_when_the_time_is_up() {
    let mut host = Host::start(
        Options {
            drain_ms: 50,
            ..options()
        },
        None,
    )
    .await;
    let caller = Udp::to(host.addresses[0]).await;
    caller.send(request("INVITE", 70, "UDP")).await;
    assert_eq!(caller.status().await, 100);
    host.route_request().await;
    host.drain();
    assert_eq!(caller.status().await, 503);
    assert_eq!(
        host.event().await.kind,
        EventKind::Released {
            cause: ReleaseCause::LinkStopped
        }
    );
    assert!(matches!(host.event().await.kind, EventKind::LinkDown { .. }));
    host.stopped().await;
}

#[tokio::test]
async fn a_stopping_link_does_not_wait_long_for_an_ack() {
    let options = options();
    let drain = Duration::from_millis(options.drain_ms);
    let mut host = Host::start(options, None).await;
    let caller = Udp::to(host.addresses[0]).await;
    caller.send(request("INVITE", 75, "UDP")).await;
    assert_eq!(caller.status().await, 100);
    let call = host.route_request().await;
    host.route("r", call.call_uuid, "1").await;
    assert_eq!(caller.status().await, 302);
    let asked = Instant::now();
    host.drain();
    assert_eq!(
        host.event().await.kind,
        EventKind::RouteFailed {
            cause: RouteFailure::Unconfirmed
        }
    );
    assert!(matches!(host.event().await.kind, EventKind::LinkDown { .. }));
    host.stopped().await;
    assert!(asked.elapsed() < drain / 2, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_rejected_call_is_reported_released_after_the_request_is_done() {
    let mut host = Host::start(options(), None).await;
    let caller = Udp::to(host.addresses[0]).await;
    caller.send(request("INVITE", 80, "UDP")).await;
    assert_eq!(caller.status().await, 100);
    let call = host.route_request().await;
    let reject = RequestKind::Reject {
        code: 486,
        reason: None,
    };
    host.ask("no", call.call_uuid, reject).await;
    assert_eq!(caller.status().await, 486);
    assert_eq!(
        host.event().await.kind,
        EventKind::RequestDone {
            request_id: "no".into()
        }
    );
    assert_eq!(
        host.event().await.kind,
        EventKind::Released {
            cause: ReleaseCause::Rejected
        }
    );
}
