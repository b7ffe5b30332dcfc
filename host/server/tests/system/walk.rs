//! The walk that README.md promises a new user: `make run`, a call, a change, a check, a deployment, a call, and back.

use crate::node::{Node, Plan, Ran, cli, have, run};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const EMBEDDED: &str = include_str!("../../../config/src/embedded.toml");

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// `make call`: what it prints.
fn call(node: &Node, dn: &str, caller: &str, header: &str) -> String {
    let ran = run(Command::new(repository("tools/call"))
        .args([dn, caller, &format!("127.0.0.1:{}", node.sip)])
        .env("HEADER", header));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.out
}

/// The numbers in the Contacts of a 302, in order.
fn targets(shown: &str) -> Vec<&str> {
    let contacts = shown.lines().filter_map(|l| l.trim().strip_prefix("Contact: <sip:"));
    contacts.map(|c| c.split('@').next().unwrap_or_default()).collect()
}

#[test]
fn a_call_is_shown_as_it_happens() {
    if !have("sipp") {
        return;
    }
    // A server that goes on only when what it has sent has been shown.
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut child = Command::new(repository("tools/call"))
        .args(["7001", "5551000", &server.local_addr().unwrap().to_string()])
        .env("HEADER", "X-Customer: 7")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Ends when the call is over, at the latest when sipp gives it up.
    let mut wait_for = |text: &str| {
        let found = lines.by_ref().map_while(Result::ok).find(|line| line.contains(text));
        assert!(found.is_some(), "`{text}` was not shown");
    };
    let mut buffer = [0; 4096];
    let (length, peer) = server.recv_from(&mut buffer).unwrap();
    let invite = String::from_utf8_lossy(&buffer[..length]).into_owned();
    wait_for("-> INVITE sip:7001@");
    wait_for("X-Customer: 7");
    let echoed = |line: &&str| {
        ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
            .iter()
            .any(|name| line.starts_with(name))
    };
    let head: Vec<&str> = invite.lines().filter(echoed).collect();
    for (status, more) in [
        ("100 Trying", ""),
        ("182 Queued", ""),
        ("302 Moved Temporarily", "Contact: <sip:2001@127.0.0.1>\r\n"),
    ] {
        let answer = format!(
            "SIP/2.0 {status}\r\n{}\r\n{more}Content-Length: 0\r\n\r\n",
            head.join("\r\n")
        );
        server.send_to(answer.as_bytes(), peer).unwrap();
        wait_for(&format!("<- SIP/2.0 {status}"));
    }
    wait_for("Contact: <sip:2001@127.0.0.1>");
    wait_for("-> ACK sip:7001@");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_new_user_changes_a_strategy_and_undoes_it() {
    if !have("sipp") {
        return;
    }
    let plan = Plan::new();
    let config = EMBEDDED
        .replace("127.0.0.1:8443", &format!("127.0.0.1:{}", plan.http))
        .replace("127.0.0.1:5060", &format!("127.0.0.1:{}", plan.sip))
        .replace("127.0.0.1:5061", &format!("127.0.0.1:{}", plan.sips));
    let node = Node::start_as(plan, &config, &["--demo"]);
    let folder = node.dir.path();
    // Where it is and with which key, the command line reads in run/client.toml.
    let pointsman = |arguments: &[&str]| -> Ran { run(&mut cli(folder, arguments)) };
    let done = |arguments: &[&str]| -> String {
        let ran = pointsman(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        ran.out
    };

    let shown = call(&node, "7002", "5551001", "");
    assert!(
        shown.contains("SIP/2.0 100 Trying") && shown.contains("SIP/2.0 302"),
        "{shown}"
    );
    assert_eq!(targets(&shown), ["2201", "2000"]);
    assert_eq!(targets(&call(&node, "7002", "5551000", "")), ["2000"]);

    std::fs::create_dir(folder.join("vip")).unwrap();
    for file in ["vip.json", "vip.scxml", "vip.test.toml"] {
        std::fs::copy(repository("strategies/vip").join(file), folder.join("vip").join(file)).unwrap();
    }
    let change = |file: &str, from: &str, to: &str| {
        let path = folder.join("vip").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    change("vip.scxml", "'2000'", "'2999'");
    assert_eq!(done(&["check", "vip/vip.scxml"]), "vip/vip.scxml: correct\n");
    let before = pointsman(&["simulate", "vip/vip.test.toml"]);
    assert_eq!(before.code, Some(1), "its tests expect 2000: {before:?}");
    change("vip.test.toml", "\"2000\"", "\"2999\"");
    assert!(done(&["simulate", "vip/vip.test.toml"]).ends_with("5 cases passed\n"));
    let deployed = done(&["deploy", "vip/vip.scxml", "--tenant", "acme"]);
    assert!(
        deployed.starts_with("deployed vip@2 of acme: ") && deployed.ends_with(", active\n"),
        "{deployed}"
    );
    assert_eq!(targets(&call(&node, "7002", "5551001", "")), ["2201", "2999"]);

    let list = done(&["sessions", "list"]);
    let newest: Vec<_> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((newest[1], newest[2]), ("acme", "vip@2"), "{list}");
    assert!(list.contains("vip@1") && newest.ends_with(&["done"]), "{list}");
    let log = done(&["sessions", "log", newest[0]]);
    assert!(log.contains("Ada (gold)"), "{log}");

    assert!(done(&["strategies", "rollback", "vip", "--tenant", "acme"]).contains("vip@1"));
    assert_eq!(targets(&call(&node, "7002", "5551000", "")), ["2000"]);

    // The other samples, as the table in README.md has them.
    assert_eq!(
        targets(&call(&node, "7002", "5551000", "X-Customer: 5551002")),
        ["2202", "2000"]
    );
    let carriers = call(&node, "8002", "5551000", "X-Destination: 447700900123");
    assert!(
        carriers.contains("sip:447700900123@carrier-c.example") && targets(&carriers).len() == 2,
        "{carriers}"
    );
    assert!(call(&node, "8002", "5551000", "").contains("SIP/2.0 404"));
    assert_eq!(targets(&call(&node, "8001", "5551000", "")).len(), 1);
    let sessions = done(&["sessions", "list", "--state", "running"]);
    assert_eq!(
        sessions.lines().count(),
        1,
        "every call has ended with its ACK: {sessions}"
    );
}
