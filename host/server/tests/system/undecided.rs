//! Calls whose strategy decides nothing, or nothing that can be done: no caller is left waiting.

use crate::calls::{Phone, wait_for_end};
use crate::node::{Node, Plan};
use std::collections::HashSet;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// A strategy whose answer to a call is `body`, in a state that then leads to `after`.
fn answers(body: &str, after: &str) -> String {
    format!(
        r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:ixn="http://www.genesyslab.com/modules/interaction" version="1.0" initial="waiting">
  <state id="waiting">
    <transition event="interaction.onrouterequest" target="decided">{body}</transition>
  </state>
  <state id="decided">{after}</state>
  <final id="over"/>
</scxml>"#
    )
}

fn counter(node: &Node, name: &str) -> u64 {
    let text = node.get("/metrics").as_str().unwrap().to_owned();
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

#[test]
fn every_caller_of_a_strategy_that_ends_at_once_reaches_the_default_dn() {
    const CALLS: usize = 400;
    let node = Node::start();
    let document = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0"><final id="nothing"/></scxml>"#;
    node.deploy("acme", "by-caller", document);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", node.sip)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let port = socket.local_addr().unwrap().port();
    let message = |method: &str, n: usize, to_tag: &str| {
        format!(
            "{method} sip:7001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKend{n}\r\nMax-Forwards: 70\r\n\
             From: <sip:5551001@127.0.0.1>;tag=1\r\nTo: <sip:7001@127.0.0.1>{to_tag}\r\nCall-ID: end-{n}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:5551001@127.0.0.1:{port}>\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let end = Instant::now() + Duration::from_secs(30);
    let (mut answered, mut sent, mut buffer) = (HashSet::new(), 0, [0; 8192]);
    while answered.len() < CALLS {
        assert!(
            Instant::now() < end,
            "{} of {CALLS} callers were answered",
            answered.len()
        );
        // Bursts that a socket's buffer holds.
        if sent < CALLS && sent - answered.len() < 50 {
            socket.send(message("INVITE", sent, "").as_bytes()).unwrap();
            sent += 1;
            continue;
        }
        let Ok(len) = socket.recv(&mut buffer) else { continue };
        let answer = std::str::from_utf8(&buffer[..len]).unwrap();
        if answer.starts_with("SIP/2.0 1") {
            continue;
        }
        let header = |name: &str| answer.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim();
        assert!(answer.starts_with("SIP/2.0 302"), "{answer}");
        assert!(header("Contact:").contains("sip:9999@"), "{answer}");
        let n: usize = header("Call-ID: end-").parse().unwrap();
        let tag = header("To:").split_once(";tag=").unwrap().1.to_owned();
        socket
            .send(message("ACK", n, &format!(";tag={tag}")).as_bytes())
            .unwrap();
        answered.insert(n);
    }
    while counter(&node, "pointsman_calls_waiting") > 0 {
        assert!(Instant::now() < end, "calls are left behind");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(counter(&node, "pointsman_sessions_live"), 0);
}

#[test]
fn a_target_that_cannot_be_reached_leads_to_the_default_dn_though_the_session_is_over() {
    let node = Node::start();
    let redirect = r#"<ixn:redirect interactionid="_event.data.interactionid" to="'2001@nosuch'"/>"#;
    node.deploy(
        "acme",
        "by-caller",
        &answers(redirect, r#"<transition target="over"/>"#),
    );
    let phone = Phone::new(&node, "7001", "unreachable");
    phone.send("INVITE", "", "");
    let answer = phone.expect("302");
    assert!(answer.contains("sip:9999@"), "{answer}");
}

#[test]
fn a_strategy_that_hangs_loses_its_call_to_the_default_dn_when_the_time_for_a_decision_is_up() {
    let plan = Plan::new();
    let config = plan.config().replace(
        "queued-after-ms = 100",
        "queued-after-ms = 100\ndecision-timeout-ms = 1500",
    );
    let node = Node::start_with_config(plan, &config);
    node.deploy("acme", "by-caller", &answers("", ""));
    let phone = Phone::new(&node, "7001", "hangs");
    phone.send("INVITE", "", "");
    phone.expect("182");
    let answer = phone.expect("302");
    assert!(answer.contains("sip:9999@"), "{answer}");
}

#[test]
fn a_strategy_that_refuses_a_call_hears_that_it_is_done() {
    let node = Node::start();
    let refuse = r#"<ixn:terminate interactionid="_event.data.interactionid" reason="486"/>"#;
    let after = r#"<transition event="interaction.terminate.done" target="over"/>"#;
    node.deploy("acme", "by-caller", &answers(refuse, after));
    let phone = Phone::new(&node, "7001", "refused");
    phone.send("INVITE", "", "");
    phone.expect("486");
    assert_eq!(wait_for_end(&node)["end"]["outcome"], "done");
    assert_eq!(counter(&node, "pointsman_calls_waiting"), 0);
}

#[test]
fn a_caller_whom_nobody_can_take_is_refused() {
    let plan = Plan::new();
    let config = plan.config().replace("default-dn = [\"9999\"]\n", "");
    let node = Node::start_with_config(plan, &config);
    let redirect = r#"<ixn:redirect interactionid="_event.data.interactionid" to="'2001@nosuch'"/>"#;
    node.deploy(
        "acme",
        "by-caller",
        &answers(redirect, r#"<transition target="over"/>"#),
    );
    let phone = Phone::new(&node, "7001", "nobody");
    phone.send("INVITE", "", "");
    phone.expect("480");
}
