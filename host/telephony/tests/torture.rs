//! The torture test messages of RFC 4475, given to the user agent server; the DN in them is not one of ours, so a good INVITE or
//! OPTIONS is answered with 404, and one with a To tag, about a dialog that is not here, with 481.
#![allow(clippy::unwrap_used, reason = "a test's helpers are test code, too")]

use bytes::Bytes;
use pointsman_telephony::model::Epoch;
use pointsman_telephony::sip::message::{Limits, parse};
use pointsman_telephony::sip::uas::{Channel, Now, Source, Uas};
use pointsman_telephony::sip::{DnTable, Options, Protocol};
use std::sync::Arc;
use std::time::Instant;

#[path = "torture/cases.rs"]
mod cases;
use cases::{Case, cases};

fn answers(bytes: &[u8]) -> Vec<String> {
    let options = Arc::new(Options::default());
    let mut uas = Uas::new(options, Arc::new(DnTable::new()), Epoch(1), Box::new(|| [7; 20]));
    let now = Now {
        instant: Instant::now(),
        unix_ms: 1,
    };
    let peer = "192.0.2.1:5060".parse().unwrap();
    let source = Source {
        protocol: Protocol::Udp,
        peer,
        channel: Channel::Socket(0),
    };
    uas.receive(now, source, parse(&Bytes::copy_from_slice(bytes), &Limits::default()));
    uas.take_sends()
        .map(|send| String::from_utf8(send.bytes.to_vec()).unwrap())
        .collect()
}

#[test]
fn every_message_is_answered_as_the_rfc_says() {
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 40, "the file is read");
    for Case { name, expected, bytes } in cases {
        let answers = answers(&bytes);
        let got: Vec<_> = answers.iter().map(|answer| answer[8..11].to_owned()).collect();
        let good = match expected.as_str() {
            "drop" => got.is_empty(),
            status => got == [status],
        };
        if !good {
            wrong.push(format!("{name}: expected {expected}, got {answers:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_answer_is_itself_a_good_message() {
    for Case { name, bytes, .. } in cases() {
        for answer in answers(&bytes) {
            let read = parse(&Bytes::from(answer.clone()), &Limits::default());
            assert!(read.is_ok(), "{name}: {read:?}\n{answer}");
        }
    }
}

#[test]
fn unsupported_extensions_are_named() {
    let case = cases()
        .into_iter()
        .find(|case| case.name.starts_with("bext01"))
        .unwrap();
    let answer = answers(&case.bytes).remove(0);
    assert!(
        answer.contains("\r\nUnsupported: nothingSupportsThis, nothingSupportsThisEither\r\n"),
        "{answer}"
    );
}
