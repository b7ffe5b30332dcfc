//! Real sipp, thousands of calls, every target computed here as well.

use crate::node::{Node, free_port, have};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DNS: [&str; 3] = ["7001", "7002", "8001"];

/// What the strategies of `Node::deploy_all` decide, written down a second time.
fn expected(dn: &str, ani: u32) -> Vec<String> {
    let last = format!("{:04}", ani % 10_000);
    match dn {
        "7001" => vec![format!("2{last}")],
        "7002" if ani % 2 == 1 => vec!["3001".into(), "3999".into()],
        "7002" => vec!["3002".into()],
        "8001" => vec![format!("4{last}")],
        other => panic!("no DN {other}"),
    }
}

/// The call outlives its ACK: on a busy machine datagrams are lost, and sipp repeats the ACK of a repeated 302 only as
/// long as there is a call. Over UDP, TIMEWAIT spans the first four repetitions (at 0.5, 1.5, 3.5 and 7.5 s).
const SCENARIO: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="call">
  <send retrans="500"><![CDATA[
INVITE sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[field1]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:[field0]@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="100" optional="true"/>
  <recv response="182" optional="true"/>
  <recv response="302"/>
  <send><![CDATA[
ACK sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <timewait milliseconds="TIMEWAIT"/>
</scenario>
"#;

/// Runs sipp and compares what every call was answered.
fn sipp(name: &str, dir: &Path, transport: &str, peer: u16, calls: u32, rate: u32) {
    let wait = if transport == "u1" { "8000" } else { "1" };
    std::fs::write(dir.join("call.xml"), SCENARIO.replace("TIMEWAIT", wait)).unwrap();
    let mut csv = "SEQUENTIAL\n".to_owned();
    for i in 0..calls {
        writeln!(csv, "{};{}", 5_550_000 + i, DNS[i as usize % DNS.len()]).unwrap();
    }
    std::fs::write(dir.join("calls.csv"), csv).unwrap();
    let log = dir.join(format!("{name}.log"));
    let out = Command::new("sipp")
        .arg(format!("127.0.0.1:{peer}"))
        .args([
            "-sf",
            "call.xml",
            "-inf",
            "calls.csv",
            "-t",
            transport,
            "-i",
            "127.0.0.1",
            "-nostdin",
            "-timeout",
            "180",
        ])
        .args([
            "-m",
            &calls.to_string(),
            "-r",
            &rate.to_string(),
            "-l",
            "5000",
            "-p",
            &free_port().to_string(),
        ])
        .args(["-trace_msg", "-message_file"])
        .arg(&log)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    let tail: Vec<_> = text.lines().rev().take(40).collect();
    assert!(
        out.status.success(),
        "sipp {name} failed: {:?}\n{}",
        out.status,
        tail.into_iter().rev().collect::<Vec<_>>().join("\n")
    );
    check(name, &std::fs::read_to_string(&log).unwrap(), calls);
}

#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
fn check(name: &str, log: &str, calls: u32) {
    // Call-ID to (DN, caller), and to the targets of its 302.
    let (mut asked, mut answered) = (HashMap::new(), HashMap::new());
    let user = |line: &str| {
        line.split("sip:")
            .nth(1)
            .and_then(|r| r.split('@').next())
            .unwrap_or_default()
            .to_owned()
    };
    for message in log.split("-----------------------------------------------") {
        let header = |name: &str| message.lines().find(|l| l.starts_with(name));
        let Some(id) = header("Call-ID:") else { continue };
        if let Some(first) = header("INVITE sip:") {
            asked.insert(id, (user(first), user(header("From:").unwrap())));
        } else if header("SIP/2.0 302").is_some() {
            let contacts: Vec<String> = message
                .lines()
                .filter(|l| l.starts_with("Contact:"))
                .map(user)
                .collect();
            answered.insert(id, contacts);
        }
    }
    assert_eq!(asked.len(), calls as usize, "{name}: calls placed");
    for (id, (dn, ani)) in &asked {
        let targets = answered
            .get(id)
            .unwrap_or_else(|| panic!("{name}: {id} was not answered with 302"));
        assert_eq!(
            *targets,
            expected(dn, ani.parse().unwrap()),
            "{name}: {id} from {ani} at {dn}"
        );
    }
    println!("{name}: {calls} calls, every target as computed");
}

/// Ends a child when the test ends.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn every_call_of_thousands_gets_the_target_its_strategy_decides() {
    if !have("sipp") {
        return;
    }
    let node = Node::start();
    node.deploy_all();
    let dir = node.dir.path();
    sipp("udp", dir, "u1", node.sip, 5000, 200);
    sipp("tcp", dir, "t1", node.sip, 500, 200);

    let mut calls = 5500;
    // Debian's sipp has no TLS: OpenSSL, in socat, speaks it for sipp, with the certificate verified.
    if have("socat") {
        let port = free_port();
        let peer = format!(
            "OPENSSL:127.0.0.1:{},cafile={},commonname=127.0.0.1",
            node.sips,
            node.ca().display()
        );
        let listen = format!("TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr");
        let child = Command::new("socat")
            .args([&listen, &peer])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let _socat = Reaped(child);
        let up = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < up, "socat does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        sipp("tls", dir, "t1", port, 500, 200);
        calls += 500;
    }
    // An ACK that never came costs its call 32 s (timer H), and is counted below.
    let end = Instant::now() + Duration::from_secs(40);
    while node.figure("sessions_live") + node.figure("calls_waiting") > 0 {
        assert!(
            Instant::now() < end,
            "calls that do not end:\n{}",
            node.get("/metrics").as_str().unwrap()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    for (figure, expected) in [
        ("sessions_started_total", calls),
        ("sessions_done_total", calls),
        ("routes_used_total", calls),
        ("routes_unconfirmed_total", 0),
    ] {
        assert_eq!(node.figure(figure), expected, "{figure}");
    }
}
