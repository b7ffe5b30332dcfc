//! The user agent server with injected time.

use super::*;
use crate::model::{Dn, Request as HostRequest, RequestKind, UserData};
use crate::sip::message::{Limits, parse};

struct Bench {
    uas: Uas,
    start: Instant,
    ms: u64,
}

impl Bench {
    fn new(options: Options, point: impl FnOnce(&mut RoutingPoint)) -> Bench {
        let mut dns = DnTable::new();
        dns.add_switch("berlin", Some("sbc.example.com".into()));
        dns.add_switch("paris", None);
        let mut routing_point = RoutingPoint::new(Dn::new("7000", "berlin"));
        point(&mut routing_point);
        dns.add(routing_point);
        let mut n = 0;
        let random = Box::new(move || {
            n += 1;
            [n; 20]
        });
        let mut uas = Uas::new(Arc::new(options), Arc::new(dns), Epoch(1), random);
        let start = Instant::now();
        uas.start(Now {
            instant: start,
            unix_ms: 0,
        });
        uas.next_event();
        Bench { uas, start, ms: 0 }
    }

    fn now(&self) -> Now {
        Now {
            instant: self.start + Duration::from_millis(self.ms),
            unix_ms: self.ms,
        }
    }

    /// Lets time pass, timer by timer.
    fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        while let Some(due) = self
            .uas
            .next_deadline()
            .filter(|due| *due <= self.start + Duration::from_millis(end))
        {
            self.ms = u64::try_from((due - self.start).as_millis()).unwrap();
            self.uas.expire(self.now());
        }
        self.ms = end;
    }

    fn receive(&mut self, text: &str) {
        self.receive_from("192.0.2.1:5070", text);
    }

    fn receive_from(&mut self, peer: &str, text: &str) {
        let source = Source {
            protocol: Protocol::Udp,
            peer: peer.parse().unwrap(),
            channel: Channel::Socket(0),
        };
        self.receive_through(source, text);
    }

    fn receive_through(&mut self, source: Source, text: &str) {
        let message = parse(&Bytes::copy_from_slice(text.as_bytes()), &Limits::default());
        self.uas.receive(self.now(), source, message);
    }

    fn request(&mut self, id: &str, call_uuid: CallUuid, kind: RequestKind) -> Result<(), RequestFailure> {
        self.request_until(id, call_uuid, kind, None)
    }

    fn request_until(
        &mut self,
        id: &str,
        call_uuid: CallUuid,
        kind: RequestKind,
        deadline_ms: Option<u64>,
    ) -> Result<(), RequestFailure> {
        let now = self.now();
        self.uas.request(
            now,
            HostRequest {
                request_id: id.into(),
                call_uuid,
                deadline_ms,
                kind,
            },
        );
        let last = self.uas.events.iter().rev().find_map(|event| match &event.kind {
            EventKind::RequestDone { request_id } if request_id.as_str() == id => Some(Ok(())),
            EventKind::RequestFailed { request_id, error } if request_id.as_str() == id => Some(Err(error.clone())),
            _ => None,
        });
        last.expect("every request has an outcome")
    }

    fn sent(&mut self) -> Vec<String> {
        self.uas
            .take_sends()
            .map(|send| String::from_utf8(send.bytes.to_vec()).unwrap())
            .collect()
    }

    fn statuses(&mut self) -> Vec<String> {
        self.sent().iter().map(|text| text[8..11].to_owned()).collect()
    }

    fn events(&mut self) -> Vec<EventKind> {
        self.uas.events.drain(..).map(|event| event.kind).collect()
    }

    /// A new call, past its 100.
    fn call(&mut self) -> CallUuid {
        self.receive(&message("INVITE", ""));
        assert_eq!(self.statuses(), ["100"]);
        match self.events().pop() {
            Some(EventKind::RouteRequest { call }) => call.call_uuid,
            other => panic!("{other:?}"),
        }
    }
}

fn message(method: &str, extra: &str) -> String {
    let branch = if method == "ACK" || method == "CANCEL" {
        "INVITE"
    } else {
        method
    };
    format!(
        "{method} sip:7000@sbc.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK{branch}\r\n\
         From: <sip:1@h>;tag=f\r\nTo: <sip:7000@h>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{extra}\r\n"
    )
}

fn route(targets: &[&str]) -> RequestKind {
    RequestKind::RouteCall {
        targets: targets.iter().map(|target| target.parse().unwrap()).collect(),
        route_type: RouteType::Unknown,
        user_data: UserData::new(),
    }
}

#[test]
fn requests_that_are_no_calls_are_answered_by_their_kind() {
    let cases = [
        (message("BYE", ""), "481"),
        (message("REGISTER", ""), "405"),
        (message("NEWMETHOD", ""), "501"),
        (message("CANCEL", ""), "481"),
        (message("OPTIONS", "Max-Forwards: 0\r\n"), "200"),
        (message("OPTIONS", "Require: 100rel\r\n"), "420"),
        (
            message("INVITE", "").replace("To: <sip:7000@h>", "To: <sip:7000@h>;tag=x"),
            "481",
        ),
        (
            message("INVITE", "").replace("INVITE sip:7000", "INVITE sip:7009"),
            "404",
        ),
        (
            message("INVITE", "").replace("INVITE sip:7000@sbc", "INVITE http://sbc"),
            "416",
        ),
        (
            message("OPTIONS", "").replace("OPTIONS sip:7000@", "OPTIONS sip:"),
            "200",
        ),
    ];
    for (text, status) in cases {
        let mut bench = Bench::new(Options::default(), |_| {});
        bench.receive(&text);
        assert_eq!(bench.statuses(), [status], "{text}");
        assert_eq!(bench.events(), [], "{text}");
    }
}

#[test]
fn several_targets_are_offered_in_order() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let call = bench.call();
    bench
        .request("r", call, route(&["7001", "sip:a@b;transport=tcp", "7 2@berlin"]))
        .unwrap();
    let sent = bench.sent().remove(0);
    let contacts: Vec<_> = sent
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("Contact: "))
        .collect();
    assert_eq!(
        contacts,
        [
            "<sip:7001@sbc.example.com>;q=1.00",
            "<sip:a@b;transport=tcp>;q=0.95",
            "<sip:7%202@sbc.example.com>;q=0.90"
        ]
    );
}

#[test]
fn a_target_that_cannot_be_addressed_is_refused_and_the_call_goes_on_waiting() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let call = bench.call();
    for (n, (target, message)) in [
        ("1@paris", "no domain"),
        ("1@rome", "not known"),
        ("sip:a@b>\r\nX: y", "white space"),
        ("tel:", "no number"),
    ]
    .into_iter()
    .enumerate()
    {
        let error = bench.request(&n.to_string(), call, route(&[target])).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    assert!(matches!(
        bench.request("none", call, route(&[])),
        Err(RequestFailure::Invalid(_))
    ));
    assert_eq!(bench.statuses(), [""; 0]);
    assert_eq!(bench.request("good", call, route(&["1"])), Ok(()));
    assert_eq!(bench.statuses(), ["302"]);
}

#[test]
fn a_request_is_carried_out_once_and_answered_the_same_each_time() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let call = bench.call();
    let reject = |code| RequestKind::Reject {
        code,
        reason: Some("Nobody Home".into()),
    };
    assert!(matches!(
        bench.request("bad", call, reject(302)),
        Err(RequestFailure::Invalid(_))
    ));
    assert_eq!(bench.request("r", call, reject(486)), Ok(()));
    assert!(bench.sent()[0].starts_with("SIP/2.0 486 Nobody Home\r\n"));
    assert_eq!(bench.request("r", call, reject(486)), Ok(()));
    assert!(matches!(
        bench.request("bad", call, reject(486)),
        Err(RequestFailure::Invalid(_))
    ));
    assert_eq!(
        bench.request("s", call, reject(486)),
        Err(RequestFailure::AlreadyDecided)
    );
    assert!(bench.sent().is_empty());
}

#[test]
fn a_request_after_its_deadline_or_beyond_the_link_is_refused() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let call = bench.call();
    bench.pass(100);
    assert_eq!(
        bench.request_until("1", call, route(&["1"]), Some(99)),
        Err(RequestFailure::DeadlinePassed)
    );
    assert_eq!(
        bench.request("2", call, RequestKind::CancelTreatment),
        Err(RequestFailure::Unsupported("cancel-treatment".into()))
    );
    let other = CallUuid::from_random([99; 20]);
    assert_eq!(
        bench.request("3", other, route(&["1"])),
        Err(RequestFailure::UnknownCall)
    );
    assert_eq!(bench.request_until("4", call, route(&["1"]), Some(100)), Ok(()));
}

#[test]
fn a_queued_call_is_kept_alive_every_minute_until_the_queue_time_is_over() {
    let mut bench = Bench::new(Options::default(), |point| {
        point.decision_timeout = Duration::from_secs(10);
        point.queue_timeout = Duration::from_secs(150);
    });
    let call = bench.call();
    bench.pass(5_000);
    bench.request("q", call, RequestKind::Queued { holds: true }).unwrap();
    assert_eq!(bench.statuses(), ["182"]);
    bench.pass(59_999);
    assert_eq!(bench.statuses(), [""; 0]);
    bench.pass(1);
    assert_eq!(bench.statuses(), ["182"]);
    bench.pass(60_000);
    assert_eq!(bench.statuses(), ["182"]);
    bench.pass(24_999);
    assert_eq!(bench.statuses(), [""; 0]);
    bench.pass(1);
    assert_eq!(bench.statuses(), ["480"]);
    assert_eq!(
        bench.events().pop(),
        Some(EventKind::Released {
            cause: ReleaseCause::NoDecision
        })
    );
}

#[test]
fn a_302_is_repeated_by_timer_g_and_given_up_at_timer_h() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let call = bench.call();
    bench.request("r", call, route(&["1"])).unwrap();
    assert_eq!(bench.statuses(), ["302"]);
    bench.events();
    bench.pass(31_999);
    // At 0.5, 1.5, 3.5, 7.5 s, then every 4 s: RFC 3261 17.2.1.
    assert_eq!(bench.statuses().len(), 10);
    assert_eq!(bench.events(), []);
    bench.pass(1);
    assert_eq!(
        bench.events(),
        [EventKind::RouteFailed {
            cause: RouteFailure::Unconfirmed
        }]
    );
    assert_eq!((bench.uas.transactions(), bench.uas.open_calls()), (0, 0));
    assert_eq!(
        bench.request("late", call, route(&["1"])),
        Err(RequestFailure::UnknownCall)
    );
}

#[test]
fn nothing_is_left_of_a_call_when_its_timers_are_over() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let call = bench.call();
    bench.request("r", call, route(&["1"])).unwrap();
    bench.receive(&message("ACK", ""));
    assert!(
        bench
            .events()
            .iter()
            .any(|kind| matches!(kind, EventKind::RouteUsed { .. }))
    );
    assert_eq!((bench.uas.transactions(), bench.uas.open_calls()), (1, 0));
    bench.pass(5_000);
    assert_eq!(
        (bench.uas.transactions(), bench.uas.calls.len(), bench.uas.merged.len()),
        (0, 0, 0)
    );
    bench.pass(4_000_000);
    assert_eq!(bench.uas.next_deadline(), None);
    assert_eq!(bench.events(), []);
}

#[test]
fn a_call_that_comes_back_too_late_is_a_new_one() {
    let mut bench = Bench::new(
        Options {
            retry_window_ms: 60_000,
            ..Options::default()
        },
        |_| {},
    );
    let first = bench.call();
    bench.request("1", first, route(&["1"])).unwrap();
    bench.receive(&message("ACK", ""));
    bench.sent();
    bench.pass(59_999);
    bench.events();
    let again = bench.call();
    assert_eq!(again, first);
    bench.request("2", again, route(&["2"])).unwrap();
    bench.receive(&message("ACK", ""));
    bench.sent();
    bench.pass(60_000);
    bench.events();
    assert_ne!(bench.call(), first);
}

#[test]
fn an_rfc_2543_caller_is_matched_without_a_branch() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let old = |method: &str| message(method, "").replace(";branch=z9hG4bKINVITE", "");
    bench.receive(&old("INVITE"));
    bench.receive(&old("INVITE"));
    assert_eq!(bench.statuses(), ["100", "100"]);
    let Some(EventKind::RouteRequest { call }) = bench.events().pop() else {
        panic!("no call")
    };
    bench.request("r", call.call_uuid, route(&["1"])).unwrap();
    let found = bench.sent().remove(0);
    let to = found.split("\r\n").find(|line| line.starts_with("To: ")).unwrap();
    bench.events();
    bench.receive(&old("ACK").replace("To: <sip:7000@h>", "To: <sip:7000@h>;tag=another"));
    assert_eq!(bench.events(), []);
    bench.receive(&old("ACK").replace("To: <sip:7000@h>", to));
    assert!(matches!(bench.events()[..], [EventKind::RouteUsed { .. }]));
}

#[test]
fn user_data_comes_in_and_goes_out() {
    let options = Options {
        user_data_in: vec!["User-to-User".into(), "X-Customer".into()],
        user_data_out: vec!["X-Customer".into()],
        ..Options::default()
    };
    let mut bench = Bench::new(options, |_| {});
    let asserted = "P-Asserted-Identity: \"A\" <sip:+4930@h>, <tel:+4930>\r\n";
    bench.receive(&message(
        "INVITE",
        &format!("User-to-User: 6869;encoding=hex\r\nX-Customer: 42\r\n{asserted}"),
    ));
    let Some(EventKind::RouteRequest { call }) = bench.events().pop() else {
        panic!("no call")
    };
    assert_eq!(
        (call.user_data.text("User-to-User"), call.user_data.text("Customer")),
        (Some("hi"), Some("42"))
    );
    assert_eq!(call.ani.as_deref(), Some("+4930"));
    bench.sent();
    let kind = RequestKind::RouteCall {
        targets: vec!["1".parse().unwrap()],
        route_type: RouteType::Unknown,
        user_data: call.user_data,
    };
    bench.request("r", call.call_uuid, kind).unwrap();
    assert!(bench.sent()[0].contains("\r\nX-Customer: 42\r\n"));
}

/// A call's INVITE or ACK whose branch, Call-ID and From tag are its own.
fn own(text: &str, name: &str) -> String {
    text.replace("z9hG4bKINVITE", &format!("z9hG4bK{name}"))
        .replace("Call-ID: c", &format!("Call-ID: c{name}"))
}

fn header<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.split("\r\n")
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .collect()
}

#[test]
fn a_queued_call_that_nobody_holds_is_decided_in_time() {
    let mut bench = Bench::new(Options::default(), |point| {
        point.decision_timeout = Duration::from_secs(10);
    });
    let call = bench.call();
    bench.pass(200);
    bench.request("q", call, RequestKind::Queued { holds: false }).unwrap();
    assert_eq!(bench.statuses(), ["182"]);
    bench.pass(9_799);
    assert_eq!(bench.statuses(), [""; 0]);
    bench.pass(1);
    assert_eq!(bench.statuses(), ["480"]);
}

#[test]
fn a_call_that_is_held_later_keeps_its_time() {
    let mut bench = Bench::new(Options::default(), |point| {
        point.decision_timeout = Duration::from_secs(10);
        point.queue_timeout = Duration::from_secs(30);
    });
    let call = bench.call();
    for (n, holds) in [false, true, false].into_iter().enumerate() {
        bench
            .request(&n.to_string(), call, RequestKind::Queued { holds })
            .unwrap();
    }
    assert_eq!(bench.statuses(), ["182"; 3]);
    bench.pass(29_999);
    assert_eq!(bench.statuses(), [""; 0]);
    bench.pass(1);
    assert_eq!(bench.statuses(), ["480"]);
}

#[test]
fn a_request_is_reported_done_before_what_it_did() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let call = bench.call();
    let reject = RequestKind::Reject {
        code: 486,
        reason: None,
    };
    bench.request("r", call, reject.clone()).unwrap();
    let done = EventKind::RequestDone { request_id: "r".into() };
    let released = EventKind::Released {
        cause: ReleaseCause::Rejected,
    };
    assert_eq!(bench.events(), [done.clone(), released]);
    bench.request("r", call, reject).unwrap();
    assert_eq!(bench.events(), [done]);
}

#[test]
fn a_caller_can_give_up_when_the_table_is_full() {
    let options = Options {
        max_transactions: 1,
        ..Options::default()
    };
    let mut bench = Bench::new(options, |_| {});
    bench.call();
    bench.receive(&message("OPTIONS", ""));
    bench.receive(&own(&message("CANCEL", ""), "unknown"));
    assert_eq!(bench.statuses(), ["503", "503"]);
    bench.receive(&message("CANCEL", ""));
    assert_eq!(bench.statuses(), ["200", "487"]);
    assert_eq!(bench.events(), [EventKind::Abandoned]);
}

#[test]
fn what_is_for_proxies_and_for_the_called_party_does_not_keep_a_call_out() {
    for extra in ["Max-Forwards: 0\r\n", "Require: 100rel, timer\r\n"] {
        let mut bench = Bench::new(Options::default(), |_| {});
        bench.receive(&message("INVITE", extra));
        assert_eq!(bench.statuses(), ["100"], "{extra}");
        assert!(
            matches!(bench.events()[..], [EventKind::RouteRequest { .. }]),
            "{extra}"
        );
    }
}

#[test]
fn a_parallel_fork_is_a_loop_until_the_302_is_acknowledged() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let call = bench.call();
    bench.request("r", call, route(&["1"])).unwrap();
    bench.sent();
    bench.events();
    let fork = |name: &str| message("INVITE", "").replace("z9hG4bKINVITE", &format!("z9hG4bK{name}"));
    bench.receive(&fork("other"));
    assert_eq!((bench.statuses(), bench.events()), (vec!["482".to_owned()], vec![]));
    bench.receive(&message("ACK", ""));
    bench.receive(&fork("again"));
    assert_eq!(bench.statuses(), ["100"]);
    assert!(matches!(
        bench.events()[..],
        [
            EventKind::RouteUsed { .. },
            EventKind::RouteFailed {
                cause: RouteFailure::TargetFailed
            },
            EventKind::RouteRequest { .. }
        ]
    ));
}

#[test]
fn without_an_ack_a_call_may_come_back_at_timer_h() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let call = bench.call();
    bench.request("r", call, route(&["1"])).unwrap();
    bench.pass(32_000);
    bench.events();
    bench.sent();
    assert!(bench.uas.merged.is_empty());
    assert_eq!(bench.call(), call);
}

#[test]
fn another_caller_with_the_same_call_id_is_another_call() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let call = bench.call();
    bench.request("r", call, route(&["1"])).unwrap();
    bench.receive(&message("ACK", ""));
    bench.sent();
    bench.events();
    bench.receive(
        &message("INVITE", "")
            .replace(";tag=f", ";tag=g")
            .replace("z9hG4bK", "z9hG4bKx"),
    );
    assert!(matches!(
        &bench.events()[..],
        [EventKind::RouteRequest { call: other }] if other.call_uuid != call && other.attempt == 1
    ));
}

#[test]
fn a_call_to_a_tel_uri_is_addressed_at_its_to_host_or_not_at_all() {
    let mut dns = DnTable::new();
    dns.add(RoutingPoint::new(Dn::new("7000", "oslo")));
    let mut bench = Bench::new(Options::default(), |_| {});
    bench.uas.set_dns(Arc::new(dns));
    let tel = message("INVITE", "").replace("INVITE sip:7000@sbc.example.com", "INVITE tel:7000");
    bench.receive(&tel);
    let Some(EventKind::RouteRequest { call }) = bench.events().pop() else {
        panic!("no call")
    };
    bench.sent();
    bench.request("r", call.call_uuid, route(&["200"])).unwrap();
    assert_eq!(header(&bench.sent()[0], "Contact"), ["<sip:200@h>"]);
    bench.events();

    bench.receive(&own(&tel, "2").replace("To: <sip:7000@h>", "To: <tel:7000>"));
    let Some(EventKind::RouteRequest { call }) = bench.events().pop() else {
        panic!("no call")
    };
    bench.sent();
    let refused = bench.request("s", call.call_uuid, route(&["200"])).unwrap_err();
    assert!(refused.to_string().contains("set `domain`"), "{refused}");
    assert!(bench.sent().is_empty());
    assert_eq!(bench.request("t", call.call_uuid, route(&["sip:200@x"])), Ok(()));
}

#[test]
fn a_waiting_response_makes_an_early_dialog() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let routes = "Record-Route: <sip:p2;lr>, <sip:p1;lr>\r\nRecord-Route: <sip:p0;lr>\r\n";
    bench.receive(&message("INVITE", routes));
    let Some(EventKind::RouteRequest { call }) = bench.events().pop() else {
        panic!("no call")
    };
    bench.sent();
    bench
        .request("q", call.call_uuid, RequestKind::Queued { holds: false })
        .unwrap();
    let queued = bench.sent().remove(0);
    assert_eq!(
        header(&queued, "Record-Route"),
        ["<sip:p2;lr>, <sip:p1;lr>", "<sip:p0;lr>"]
    );
    assert_eq!(header(&queued, "Contact"), ["<sip:7000@sbc.example.com>"]);
    assert!(header(&queued, "To")[0].contains(";tag="));
    bench.request("r", call.call_uuid, route(&["1"])).unwrap();
    assert!(header(&bench.sent()[0], "Record-Route").is_empty());
}

#[test]
fn a_call_whose_connection_closes_is_abandoned_and_nothing_is_sent() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let through = |n| Source {
        protocol: Protocol::Tcp,
        peer: "192.0.2.1:5070".parse().unwrap(),
        channel: Channel::Connection(ConnectionId(n)),
    };
    let mut calls = Vec::new();
    for (n, name) in [(1, "a"), (1, "b"), (2, "c")] {
        bench.receive_through(through(n), &own(&message("INVITE", ""), name));
        let Some(EventKind::RouteRequest { call }) = bench.events().pop() else {
            panic!("no call")
        };
        calls.push(call.call_uuid);
    }
    // One was answered before: its ACK may come through another connection.
    bench.request("r", calls[0], route(&["1"])).unwrap();
    bench.sent();
    bench.events();
    let now = bench.now();
    bench.uas.connection_closed(now, ConnectionId(1));
    let event = bench.uas.next_event().unwrap();
    assert_eq!((event.call_uuid, event.kind), (Some(calls[1]), EventKind::Abandoned));
    assert_eq!((bench.uas.open_calls(), bench.uas.waiting), (2, 1));
    assert_eq!(
        bench.request("s", calls[1], route(&["1"])),
        Err(RequestFailure::UnknownCall)
    );
    assert!(bench.sent().is_empty());
    bench.events();
    bench.receive_through(through(3), &own(&message("ACK", ""), "a"));
    assert!(matches!(bench.events()[..], [EventKind::RouteUsed { .. }]));
    assert!(!bench.uas.is_busy(ConnectionId(1)) && bench.uas.is_busy(ConnectionId(2)));
}

#[test]
fn alarms_of_a_long_wait_go_soon_after_their_call() {
    let mut bench = Bench::new(Options::default(), |point| {
        point.decision_timeout = Duration::from_secs(86_400);
    });
    let call = bench.call();
    bench.request("q", call, RequestKind::Queued { holds: true }).unwrap();
    bench.pass(100_000);
    bench.request("r", call, route(&["1"])).unwrap();
    bench.receive(&message("ACK", ""));
    bench.pass(60_000);
    assert_eq!(bench.uas.next_deadline(), None);
}

#[test]
fn a_long_wait_ends_at_its_deadline() {
    let mut bench = Bench::new(Options::default(), |point| {
        point.decision_timeout = Duration::from_secs(200);
    });
    bench.call();
    bench.pass(199_999);
    assert_eq!(bench.statuses(), [""; 0]);
    bench.pass(1);
    assert_eq!(bench.statuses(), ["480"]);
}

#[test]
fn sources_of_one_ipv6_network_share_their_places() {
    let options = Options {
        max_transactions_per_source: 1,
        ..Options::default()
    };
    let mut bench = Bench::new(options, |_| {});
    for (n, (peer, status)) in [
        ("[2001:db8::1]:5060", "100"),
        ("[2001:db8::2]:5060", "503"),
        ("[2001:db8:0:1::1]:5060", "100"),
        ("[::ffff:192.0.2.1]:5060", "100"),
        ("192.0.2.1:5060", "503"),
    ]
    .into_iter()
    .enumerate()
    {
        bench.receive_from(peer, &own(&message("INVITE", ""), &n.to_string()));
        assert_eq!(bench.statuses(), [status], "{peer}");
    }
}

#[test]
fn a_mapped_address_is_told_as_the_ipv4_address_that_it_is_and_answered_as_it_came() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let peer = "[::ffff:192.0.2.1]:5070";
    bench.receive_from(peer, &message("OPTIONS", "").replace(";branch", ";rport;branch"));
    let send = bench.uas.take_sends().next().unwrap();
    assert_eq!(send.to, peer.parse().unwrap());
    let text = String::from_utf8(send.bytes.to_vec()).unwrap();
    assert!(header(&text, "Via")[0].contains(";received=192.0.2.1"), "{text}");
    // Without rport the sender's own address is no news.
    bench.receive_from(
        peer,
        &message("OPTIONS", "")
            .replace("OPTIONS;", "x;")
            .replace("bKOPTIONS", "bKx"),
    );
    assert!(!bench.sent()[0].contains("received"));
    // A link-local address is good with its scope only.
    let scoped = SocketAddr::V6(std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 5070, 0, 7));
    let source = Source {
        protocol: Protocol::Udp,
        peer: scoped,
        channel: Channel::Socket(0),
    };
    bench.receive_through(source, &message("OPTIONS", "").replace("bKOPTIONS", "bKy"));
    assert_eq!(bench.uas.take_sends().next().unwrap().to, scoped);
}

#[test]
fn a_302_that_is_no_good_datagram_is_refused_before_the_call_is_decided() {
    let mut bench = Bench::new(Options::default(), |_| {});
    let call = bench.call();
    let long = |n: usize| format!("sip:{}@h", "7".repeat(n));
    let refused = bench
        .request("r", call, route(&[&long(4_100), &long(4_100)]))
        .unwrap_err();
    assert!(
        refused.to_string().contains("over UDP there is room for 8192"),
        "{refused}"
    );
    assert_eq!(bench.statuses(), [""; 0]);
    assert_eq!(bench.request("s", call, route(&[&long(8_000)])), Ok(()));
    assert_eq!(bench.statuses(), ["302"]);
}

#[test]
fn a_request_with_too_much_to_repeat_is_refused_without_being_kept() {
    let via = format!(
        "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx{}\r\n",
        "x".repeat(6_000)
    );
    let mut bench = Bench::new(Options::default(), |_| {});
    bench.receive(&message("INVITE", &via.repeat(3)));
    let route = format!("Record-Route: <sip:{}>\r\n", "x".repeat(6_000));
    bench.receive(&message("INVITE", &route.repeat(3)));
    assert_eq!(bench.statuses(), ["513", "513"]);
    assert_eq!((bench.uas.transactions(), bench.events()), (0, vec![]));
    // What is not repeated does not count.
    bench.receive(&message("INVITE", &format!("X-A: {}\r\n", "x".repeat(6_000)).repeat(3)));
    assert_eq!(bench.statuses(), ["100"]);
}

#[test]
fn every_routing_point_has_its_own_turn_of_default_dns() {
    let defaults = |point: &mut RoutingPoint| {
        point.default_targets = vec!["1".parse().unwrap(), "2".parse().unwrap()];
    };
    let mut dns = DnTable::new();
    dns.add_switch("berlin", Some("sbc.example.com".into()));
    for number in ["7000", "7001"] {
        let mut point = RoutingPoint::new(Dn::new(number, "berlin"));
        defaults(&mut point);
        dns.add(point);
    }
    let mut bench = Bench::new(Options::default(), |_| {});
    bench.uas.set_dns(Arc::new(dns.clone()));
    for (n, (number, contact)) in [("7000", 1), ("7001", 1), ("7000", 2), ("7001", 2), ("7000", 1)]
        .into_iter()
        .enumerate()
    {
        let invite = own(&message("INVITE", ""), &n.to_string());
        bench.receive(&invite.replace("INVITE sip:7000", &format!("INVITE sip:{number}")));
        bench.sent();
        bench.pass(10_000);
        let sent = bench.sent();
        assert_eq!(
            header(sent.iter().find(|text| text.contains(" 302 ")).unwrap(), "Contact"),
            [format!("<sip:{contact}@sbc.example.com>")]
        );
        bench.receive(&own(&message("ACK", ""), &n.to_string()));
        // A table that is read again does not begin anew, and forgets what is gone.
        bench.uas.set_dns(Arc::new(dns.clone()));
    }
    assert_eq!(bench.uas.turns.len(), 2);
    bench.uas.set_dns(Arc::new(DnTable::new()));
    assert!(bench.uas.turns.is_empty());
}
