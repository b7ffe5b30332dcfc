//! The Basic HTTP Event I/O Processor: who may post to a session, and what arrives.

use crate::support::{Asked, Mood, NORTH, SOUTH, TOKEN, api, api_with, call, id_of, session_of};
use pointsman_api::backend::{Error, Message};
use pointsman_api::security::{AuditResult, Role};

fn location(tenant: &str, token: &str) -> String {
    format!("/scxml/session/{}/basichttp/{token}", session_of(tenant))
}

#[tokio::test]
async fn whoever_knows_the_location_may_post_to_it_without_a_key() {
    let api = api();
    let at = format!("{}?_scxmleventname=go", location(SOUTH, TOKEN));
    let answer = api.send("", call("POST", &at).form("a=1&a=2")).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let message = Message {
        target: at,
        content_type: Some("application/x-www-form-urlencoded".into()),
        body: "a=1&a=2".into(),
    };
    assert_eq!(api.fake.take(), [Asked::Message(session_of(SOUTH), message)]);
    let bare = api.send("", call("POST", &location(SOUTH, TOKEN))).await;
    assert_eq!(bare.status, 200);
}

#[tokio::test]
async fn a_wrong_token_looks_like_no_session_whatever_key_comes_with_it() {
    let api = api();
    let nobody = pointsman_contract::SessionId::from_random([9; 20]);
    for path in [
        location(NORTH, "wrong"),
        location(NORTH, "OPEN-SESAME"),
        format!("/scxml/session/{nobody}/basichttp/{TOKEN}"),
        format!("/scxml/session/nonsense/basichttp/{TOKEN}"),
    ] {
        for key in ["", "everywhere"] {
            let answer = api.send(key, call("POST", &path)).await;
            assert_eq!(answer.says().1, "no-such-session", "{path} {key}");
        }
    }
    assert!(api.fake.take().is_empty());
}

#[tokio::test]
async fn guessing_is_slowed_down_and_seen_and_no_token_is_written_down() {
    let api = api_with(|options| options.wrong_keys_per_minute = 2);
    for _ in 0..2 {
        assert_eq!(api.send("", call("POST", &location(NORTH, "guess"))).await.status, 404);
    }
    let slowed = api.send("", call("POST", &location(NORTH, "guess"))).await;
    assert_eq!((slowed.status, slowed.says().1.as_str()), (429, "too-many-failures"));
    let right = api.send("", call("POST", &location(NORTH, TOKEN))).await;
    assert_eq!(right.status, 200, "who knows does not wait for who guesses");
    let lines = api.audit.take();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0].result, AuditResult::Unauthenticated);
    assert_eq!(lines[3].who, Some(format!("location of {}", session_of(NORTH))));
    for line in lines {
        assert_eq!(
            line.object,
            format!("POST /scxml/session/{}/basichttp", session_of(NORTH))
        );
    }
}

#[tokio::test]
async fn who_has_a_key_needs_no_token() {
    let api = api();
    let path = format!("/scxml/session/{}/basichttp", session_of(NORTH));
    let answer = api
        .send(&id_of(Role::Operator), call("POST", &path).body("text/plain", "hello"))
        .await;
    assert_eq!(answer.status, 200);
    let message = Message {
        target: path,
        content_type: Some("text/plain".into()),
        body: "hello".into(),
    };
    assert_eq!(api.fake.take(), [Asked::Message(session_of(NORTH), message)]);
}

#[tokio::test]
async fn what_makes_no_event_is_a_400_and_a_full_queue_is_said() {
    let api = api();
    let at = location(NORTH, TOKEN);
    let not_text = api
        .send("", call("POST", &at).body("text/plain", b"\xff".to_vec()))
        .await;
    assert_eq!(not_text.says().1, "bad-request");
    let latin = api
        .send("", call("POST", &at).body("text/plain; charset=latin1", "x"))
        .await;
    assert_eq!(latin.status, 415);
    let large = api
        .send("", call("POST", &at).body("text/plain", vec![b'x'; (256 << 10) + 1]))
        .await;
    assert_eq!(large.status, 413);
    api.fake.set(Mood::Fail(Error::Malformed("it is no event".into())));
    assert_eq!(api.send("", call("POST", &at)).await.status, 400);
    api.fake.set(Mood::Fail(Error::QueueFull("full".into())));
    let full = api.send("", call("POST", &at)).await;
    assert_eq!(full.says().1, "queue-full");
    assert_eq!(api.send("", call("GET", &at)).await.status, 405);
}
