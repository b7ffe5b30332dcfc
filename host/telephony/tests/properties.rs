//! Properties of the parser, on bytes that nobody would think of.
#![allow(clippy::unwrap_used, reason = "a test's helpers are test code, too")]

use bytes::Bytes;
use pointsman_telephony::sip::message::{
    Essentials, Framer, HeaderName, Headers, Limits, Message, Method, NameAddr, Request, Response, Uri, Via, parse,
};
use proptest::prelude::*;

const INVITE: &str = "INVITE sip:7000@sbc.example.com SIP/2.0\r\n\
    v: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK77ef;rport, SIP / 2.0/TCP [2001:db8::1]\r\n\
    From: \"A \\\" B\" <sip:a%20b@h;x=y>;tag=1\r\nTo:\r\n <sip:7000@h>\r\nCall-ID: c@h\r\nCSeq: 1 INVITE\r\n\
    Max-Forwards: 70\r\nUser-to-User: 6869;encoding=hex\r\nl: 4\r\n\r\nbody";

/// Everything that reads outside bytes.
fn read(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(Message::Request(request)) = parse(&bytes, &Limits::default()) {
        let _ = Essentials::of(&request);
    }
    let text = String::from_utf8_lossy(&bytes);
    let _ = (Via::parse(&text), NameAddr::parse(&text), Uri::parse(&text));
    let mut framer = Framer::new(Limits {
        message: 200,
        headers: 10,
        header: 100,
    });
    for chunk in bytes.chunks(13) {
        framer.buffer().extend_from_slice(chunk);
        while framer.next_frame().is_some() {}
    }
    assert!(framer.buffer().len() <= 213, "a framer holds one message and one read");
}

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.!%*_+`'~-]{1,12}"
}

/// A header value as it is after reading: no white space around it, no line ends.
fn value() -> impl Strategy<Value = String> {
    "([!-~äß€]([ !-~äß€]{0,30}[!-~äß€])?)?"
}

fn headers() -> impl Strategy<Value = Headers> {
    prop::collection::vec((token(), value()), 0..10).prop_map(|lines| {
        let mut headers = Headers::default();
        for (name, value) in lines {
            let name = HeaderName::of(&name);
            // Content-Length has a meaning of its own: the test adds the right one.
            if name != HeaderName::ContentLength {
                headers.push(name, value);
            }
        }
        headers
    })
}

fn message() -> impl Strategy<Value = Message> {
    let parts = (
        token(),
        "[!-~]{1,40}",
        100u16..700,
        "[ -~€]{0,20}",
        headers(),
        prop::collection::vec(any::<u8>(), 0..50),
    );
    (any::<bool>(), parts).prop_map(|(is_request, (method, uri, status, reason, mut headers, body))| {
        let body = Bytes::from(body);
        headers.push(HeaderName::ContentLength, body.len().to_string());
        if is_request {
            Message::Request(Request {
                method: Method::of(&method),
                uri,
                headers,
                body,
            })
        } else {
            Message::Response(Response {
                status,
                reason,
                headers,
                body,
            })
        }
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
    }

    #[test]
    fn a_mutated_message_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..8)
    ) {
        let mut bytes = INVITE.as_bytes().to_vec();
        for (at, byte, change) in changes {
            let at = at.index(bytes.len());
            match change {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        read(&bytes);
    }

    #[test]
    fn a_message_survives_writing_and_reading(message in message()) {
        prop_assert_eq!(parse(&message.to_bytes(), &Limits::default()), Ok(message));
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_same_messages(
        messages in prop::collection::vec(message(), 1..5),
        cuts in prop::collection::vec(1usize..100, 1..20),
    ) {
        let stream: Vec<u8> = messages.iter().flat_map(|m| m.to_bytes()).collect();
        let mut framer = Framer::new(Limits::default());
        let (mut read, mut rest, mut cuts) = (Vec::new(), &stream[..], cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
            rest = after;
            framer.buffer().extend_from_slice(piece);
            while let Some(frame) = framer.next_frame() {
                read.push(frame.unwrap());
            }
        }
        let expected: Vec<_> = messages.into_iter().map(pointsman_telephony::sip::message::Frame::Message).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn a_via_survives_writing_and_reading(host in "[a-z0-9.-]{1,10}", port in any::<Option<u16>>(), branch in token()) {
        let port = port.map(|p| format!(":{p}")).unwrap_or_default();
        let via = Via::parse(&format!("SIP/2.0/UDP {host}{port};branch={branch};rport")).unwrap();
        prop_assert_eq!(Via::parse(&via.to_string()), Ok(via));
    }
}
