//! Single calls, by hand: what a caller's phone sees, and what the session hears.

use crate::node::{Node, route};
use serde_json::Value;
use std::net::UdpSocket;
use std::time::Duration;

/// A SIP phone of very few words.
struct Phone {
    socket: UdpSocket,
    id: String,
    dn: String,
}

impl Phone {
    fn new(node: &Node, dn: &str, id: &str) -> Phone {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", node.sip)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Phone {
            socket,
            id: id.into(),
            dn: dn.into(),
        }
    }

    fn send(&self, method: &str, to_tag: &str, more: &str) {
        let port = self.socket.local_addr().unwrap().port();
        let (id, dn) = (&self.id, &self.dn);
        let text = format!(
            "{method} sip:{dn}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
             From: <sip:5551001@127.0.0.1>;tag=1\r\nTo: <sip:{dn}@127.0.0.1>{to_tag}\r\nCall-ID: {id}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:5551001@127.0.0.1:{port}>\r\n{more}Content-Length: 0\r\n\r\n"
        );
        self.socket.send(text.as_bytes()).unwrap();
    }

    fn receive(&self) -> String {
        let mut buffer = [0; 65_536];
        let n = self.socket.recv(&mut buffer).expect("an answer");
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    }

    /// The next answer with this status; 100 and retransmissions are passed over.
    fn expect(&self, status: &str) -> String {
        for _ in 0..20 {
            let answer = self.receive();
            if answer.starts_with(&format!("SIP/2.0 {status}")) {
                return answer;
            }
            assert!(
                answer.starts_with("SIP/2.0 1") || status == "487",
                "instead of {status}: {answer}"
            );
        }
        panic!("no {status} in 20 answers");
    }
}

fn only_session(node: &Node) -> Value {
    let list = node.get("/v1/sessions");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    list["items"][0].clone()
}

fn wait_for_end(node: &Node) -> Value {
    for _ in 0..2000 {
        let session = only_session(node);
        if session["state"] == "ended" {
            return session;
        }
        std::thread::yield_now();
    }
    panic!("the session does not end: {}", only_session(node));
}

#[test]
fn a_caller_who_gives_up_is_told_487_and_the_session_hears_it() {
    let node = Node::start();
    node.deploy_all();
    let phone = Phone::new(&node, "8001", "give-up");
    phone.send("INVITE", "", "");
    phone.expect("182");
    phone.send("CANCEL", "", "");
    let answers = [phone.receive(), phone.receive()];
    assert!(
        answers
            .iter()
            .any(|a| a.starts_with("SIP/2.0 200") && a.contains("CSeq: 1 CANCEL")),
        "{answers:?}"
    );
    assert!(answers.iter().any(|a| a.starts_with("SIP/2.0 487")), "{answers:?}");
    let session = wait_for_end(&node);
    assert_eq!(session["end"]["outcome"], "done");
    let log = node.get(&format!("/v1/sessions/{}/log", session["id"].as_str().unwrap()));
    assert_eq!(log["items"][0]["text"], "the caller gave up");
}

#[test]
fn a_strategy_that_ends_without_a_decision_sends_the_caller_to_the_default_dn() {
    let node = Node::start();
    let document = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0"><final id="nothing"/></scxml>"#;
    node.deploy("acme", "by-caller", document);
    let phone = Phone::new(&node, "7001", "no-decision");
    phone.send("INVITE", "", "");
    let answer = phone.expect("302");
    assert!(answer.contains("sip:9999@"), "{answer}");
}

#[test]
fn a_dn_whose_strategy_is_not_deployed_sends_the_caller_to_the_default_dn() {
    let mut node = Node::start();
    let phone = Phone::new(&node, "7001", "not-deployed");
    phone.send("INVITE", "", "");
    assert!(phone.expect("302").contains("sip:9999@"));
    let line = node.wait_for("no session for this call", Duration::from_secs(20));
    assert!(line.contains("tenant acme has no strategy `by-caller`"), "{line}");
}

#[test]
fn an_unknown_dn_is_answered_with_404() {
    let node = Node::start();
    let phone = Phone::new(&node, "1234", "unknown");
    phone.send("INVITE", "", "");
    phone.expect("404");
}

#[test]
fn a_new_version_decides_new_calls_and_a_rollback_undoes_it() {
    let node = Node::start();
    for (target, id) in [("'1111'", "first"), ("'2222'", "second")] {
        node.deploy("acme", "by-caller", &route(target));
        let phone = Phone::new(&node, "7001", id);
        phone.send("INVITE", "", "");
        assert!(
            phone
                .expect("302")
                .contains(&format!("sip:{}@", target.trim_matches('\'')))
        );
    }
    let (status, body) = node.rest(
        reqwest::Method::POST,
        "/v1/tenants/acme/strategies/by-caller/rollback",
        None,
    );
    assert_eq!(status, 200, "{body}");
    let phone = Phone::new(&node, "7001", "third");
    phone.send("INVITE", "", "");
    assert!(phone.expect("302").contains("sip:1111@"));
}

#[test]
fn garbage_leaves_the_server_alive() {
    let node = Node::start();
    node.deploy_all();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for garbage in [
        "",
        "\r\n\r\n",
        "INVITE",
        "SIP/2.0 200 OK\r\n\r\n",
        "INVITE sip:7001@x SIP/2.0\r\nVia: \r\n\r\n",
        "\0\u{1}\u{2}",
    ] {
        socket.send_to(garbage.as_bytes(), ("127.0.0.1", node.sip)).unwrap();
    }
    socket.send_to(&[0xff; 60_000], ("127.0.0.1", node.sip)).unwrap();
    let phone = Phone::new(&node, "7001", "after-garbage");
    phone.send("INVITE", "", "");
    assert!(phone.expect("302").contains("sip:21001@"));
}
