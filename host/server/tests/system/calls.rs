//! Single calls, by hand: what a caller's phone sees, and what the session hears.

use crate::node::{Node, Plan, route};
use serde_json::Value;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// A SIP phone of very few words.
pub struct Phone {
    socket: UdpSocket,
    id: String,
    dn: String,
}

impl Phone {
    pub fn new(node: &Node, dn: &str, id: &str) -> Phone {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", node.sip)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Phone {
            socket,
            id: id.into(),
            dn: dn.into(),
        }
    }

    pub fn send(&self, method: &str, to_tag: &str, more: &str) {
        let port = self.socket.local_addr().unwrap().port();
        let (id, dn) = (&self.id, &self.dn);
        let text = format!(
            "{method} sip:{dn}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
             From: <sip:5551001@127.0.0.1>;tag=1\r\nTo: <sip:{dn}@127.0.0.1>{to_tag}\r\nCall-ID: {id}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:5551001@127.0.0.1:{port}>\r\n{more}Content-Length: 0\r\n\r\n"
        );
        self.socket.send(text.as_bytes()).unwrap();
    }

    pub fn receive(&self) -> String {
        let mut buffer = [0; 65_536];
        let n = self.socket.recv(&mut buffer).expect("an answer");
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    }

    /// The next answer with this status; 100 and retransmissions are passed over.
    pub fn expect(&self, status: &str) -> String {
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

    /// The ACK of a final answer, in the INVITE's transaction.
    pub fn acknowledge(&self, answer: &str) {
        let to = answer.lines().find_map(|l| l.strip_prefix("To: ")).expect("a To");
        let tag = to.split_once(">;").map_or(String::new(), |(_, tag)| format!(";{tag}"));
        self.send("ACK", &tag, "");
    }

    /// Places a call, acknowledges its 302, and gives the first target's number.
    pub fn target(node: &Node, dn: &str, id: &str) -> String {
        let phone = Phone::new(node, dn, id);
        phone.send("INVITE", "", "");
        let answer = phone.expect("302");
        phone.acknowledge(&answer);
        let contact = answer
            .lines()
            .find_map(|l| l.strip_prefix("Contact: <sip:"))
            .expect("a Contact");
        contact.split('@').next().unwrap_or_default().to_owned()
    }
}

fn only_session(node: &Node) -> Value {
    let list = node.get("/v1/sessions");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    list["items"][0].clone()
}

pub fn wait_for_end(node: &Node) -> Value {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let session = only_session(node);
        if session["state"] == "ended" {
            return session;
        }
        assert!(Instant::now() < end, "the session does not end: {session}");
        std::thread::sleep(Duration::from_millis(20));
    }
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

#[test]
fn an_invite_that_is_repeated_makes_one_session_and_gets_one_answer() {
    let node = Node::start();
    node.deploy_all();
    let phone = Phone::new(&node, "8001", "repeated");
    for _ in 0..3 {
        phone.send("INVITE", "", "");
    }
    let answer = phone.expect("302");
    assert!(answer.contains("sip:41001@"), "{answer}");
    // Once more, when it is decided: the same answer again, and no new call.
    phone.send("INVITE", "", "");
    assert_eq!(phone.receive(), answer);
    phone.acknowledge(&answer);
    assert_eq!(wait_for_end(&node)["end"]["outcome"], "done");
    assert_eq!(node.figure("sessions_started_total"), 1);
}

#[test]
fn a_header_of_the_call_reaches_the_strategy_as_user_data() {
    let plan = Plan::new();
    let config = plan.config().replace("strategy:by-caller", "strategy:vip");
    let node = Node::start_with_config(plan, &config);
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../strategies/vip/vip.scxml");
    let ran = node.pointsman(&["deploy", sample, "--tenant", "acme"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // The caller's number is Ada's; the switch knows better.
    let phone = Phone::new(&node, "7001", "customer");
    phone.send("INVITE", "", "X-Customer: 5551002\r\n");
    let answer = phone.expect("302");
    assert!(answer.contains("sip:2202@") && answer.contains("sip:2000@"), "{answer}");
    phone.acknowledge(&answer);
    let session = wait_for_end(&node);
    let log = node.get(&format!("/v1/sessions/{}/log", session["id"].as_str().unwrap()));
    assert_eq!(log["items"][0]["text"], "Grace (silver)");
}

#[test]
fn a_call_is_routed_by_what_an_invoked_session_answers() {
    let node = Node::start();
    let child = |name: &str| {
        format!(
            r##"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" name="{name}"><datamodel><data id="n"/></datamodel>
               <final id="f"><onentry><send target="#_parent" event="answer"><param name="n" expr="n + '{name}'.length"/></send></onentry>
               <donedata><param name="by" expr="'{name}'"/></donedata></final></scxml>"##
        )
    };
    node.deploy("acme", "adder", &child("deployed"));
    // One child is in the document, one is a strategy of its own, and one does not exist.
    let document = format!(
        r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" xmlns:ixn="http://www.genesyslab.com/modules/interaction">
  <datamodel><data id="got" expr="[]"/><data id="sum" expr="0"/></datamodel>
  <state id="idle"><transition event="interaction.onrouterequest" target="asking"/></state>
  <state id="asking">
    <invoke id="inline"><content>{}</content><param name="n" expr="4000"/></invoke>
    <invoke id="strategy" src="strategy:adder"><param name="n" expr="3000"/></invoke>
    <invoke id="none" src="strategy:none"/>
    <transition event="answer"><script>sum += _event.data.n</script></transition>
    <transition event="done.invoke"><script>got.push(_event.invokeid + ':' + _event.data.by)</script></transition>
    <transition event="error.communication"><script>got.push('no ' + _event.invokeid)</script></transition>
    <transition cond="got.length == 3" target="done"><log expr="got.sort().join(' ')"/><ixn:redirect to="String(sum)"/></transition>
  </state>
  <final id="done"/>
</scxml>"#,
        child("inline")
    );
    node.deploy("acme", "by-caller", &document);
    let phone = Phone::new(&node, "7001", "children");
    phone.send("INVITE", "", "");
    let answer = phone.expect("302");
    // 4000 + 6 and 3000 + 8.
    assert!(answer.contains("sip:7014@"), "{answer}");
    phone.acknowledge(&answer);
    let sessions = node.get("/v1/sessions?tenant=acme");
    let log = |of: &Value| node.get(&format!("/v1/sessions/{}/log", of["id"].as_str().unwrap()));
    let texts: Vec<_> = sessions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| log(s)["items"].to_string())
        .collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("inline:inline no none strategy:deployed")),
        "{texts:?}"
    );
}
