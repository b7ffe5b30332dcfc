//! RFC 4475's torture messages, to the running server.

use crate::calls::Phone;
use crate::node::Node;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

#[path = "../../../telephony/tests/torture/cases.rs"]
mod cases;

/// A request that every link answers with 200, the last one of its connection.
const LAST: &str = "OPTIONS sip:7001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKlast\r\nMax-Forwards: 70\r\n\
     From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:7001@127.0.0.1>\r\nCall-ID: last\r\nCSeq: 77 OPTIONS\r\nContent-Length: 0\r\n\r\n";

/// The first status that a connection answers to this; none if it answers to [`LAST`], or closes.
fn answer(node: &Node, bytes: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", node.sip)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The server may close it in the middle.
    let _closed = stream.write_all(&[bytes, LAST.as_bytes()].concat());
    let (mut answers, mut buffer) = (String::new(), [0; 4096]);
    while !answers.contains("\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => answers += std::str::from_utf8(&buffer[..n]).unwrap(),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => break,
            Err(e) => panic!("{e} after {answers:?} to {:?}", String::from_utf8_lossy(bytes)),
        }
    }
    let first = answers.split("\r\n\r\n").next().unwrap_or_default();
    let status = first.strip_prefix("SIP/2.0 ").map(|rest| rest[..3].to_owned());
    status.filter(|_| !first.contains("CSeq: 77 OPTIONS"))
}

#[test]
fn torture_messages_over_udp_leave_the_server_alive() {
    let node = Node::start();
    node.deploy_all();
    let cases = cases::cases();
    assert!(cases.len() >= 40, "the file is read");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for case in &cases {
        // Where the answer goes is the message's own affair (its Via names other hosts), and tests beside the parser know
        // what it is. Each one is sent as it is, cut off, and with something behind it.
        for bytes in [
            case.bytes.clone(),
            case.bytes[..case.bytes.len() * 2 / 3].to_vec(),
            [&case.bytes[..], b"INVITE sip:x SIP/2.0\r\n\r\n"].concat(),
        ] {
            socket.send_to(&bytes, ("127.0.0.1", node.sip)).unwrap();
        }
    }
    survived(node);
}

#[test]
fn torture_messages_over_tcp_are_answered_as_the_rfc_says() {
    // A node of its own: what was sent over UDP before is a repetition, whose answer goes to where it first came from.
    let node = Node::start();
    node.deploy_all();
    let mut wrong = Vec::new();
    // On a stream, a message whose Content-Length is too large waits for the rest, and one without the field is refused
    // (RFC 3261 18.3, 20.14).
    for case in cases::cases().iter().filter(|c| !c.name.starts_with("clerr")) {
        let expected = match case.expected.as_str() {
            "drop" => None,
            _ if case.name.starts_with("inv2543") => Some("400"),
            status => Some(status),
        };
        let got = answer(&node, &case.bytes);
        if got.as_deref() != expected {
            wrong.push(format!("{}: expected {expected:?}, got {got:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    survived(node);
}

/// It still routes calls, nothing of what it was sent became one, and it stops in order.
fn survived(mut node: Node) {
    assert_eq!(Phone::target(&node, "7001", "after"), "21001");
    assert_eq!(node.figure("sessions_started_total"), 1);
    node.signal("TERM");
    assert!(node.wait().success());
}
