//! The ORS session paths.

use crate::support::{Asked, Mood, NORTH, SOUTH, api, api_with, call, id_of, session_of, tenant};
use pointsman_api::backend::{Error, ExternalEvent, Reply, Start, Termination};
use pointsman_api::security::Role;
use serde_json::{Value, json};
use std::time::Duration;

fn operator() -> String {
    id_of(Role::Operator)
}

fn path(rest: &str) -> String {
    format!("/scxml/session/{}/{rest}", session_of(NORTH))
}

#[tokio::test]
async fn start_takes_a_form_and_hands_every_other_parameter_to_the_session() {
    let api = api();
    let form = "src=vip%402&ani=%2B49+30&idealtime=1700000000000&tag=a&tag=b";
    let answer = api
        .send(&operator(), call("POST", "/scxml/session/start").form(form))
        .await;
    let id = session_of(NORTH);
    assert_eq!((answer.status, answer.json()), (200, json!({ "sessionid": id })));
    let cookie = format!("ORSSESSIONID={id}.node1; Path=/scxml; HttpOnly; SameSite=Strict; Secure");
    assert_eq!(answer.headers["set-cookie"], cookie);
    let Value::Object(params) = json!({ "ani": "+49 30", "tag": ["a", "b"] }) else {
        unreachable!()
    };
    let start = Start {
        tenant: tenant(NORTH),
        src: "vip@2".into(),
        params,
        at_ms: Some(1_700_000_000_000),
        by: operator(),
    };
    assert_eq!(api.fake.take(), [Asked::Start(start)]);
}

#[tokio::test]
async fn start_takes_json_and_keeps_the_types_and_the_name_as_it_is() {
    let api = api();
    let body = json!({ "src": "script:Front Desk", "vip": true, "skills": [1, 2] });
    api.send(&operator(), call("POST", "/scxml/session/start").json(body))
        .await;
    let Value::Object(params) = json!({ "vip": true, "skills": [1, 2] }) else {
        unreachable!()
    };
    let start = Start {
        tenant: tenant(NORTH),
        src: "script:Front Desk".into(),
        params,
        at_ms: None,
        by: operator(),
    };
    assert_eq!(api.fake.take(), [Asked::Start(start)]);
}

#[tokio::test]
async fn start_says_what_is_wrong_with_its_parameters() {
    let api = api();
    let start = || call("POST", "/scxml/session/start");
    let missing = "The parameter `src` is missing; give the name of a strategy, or `script:` and the name of a script.";
    let long = format!("src={}", "x".repeat(2049));
    let cases = [
        (start(), 400, missing),
        (start().form("src="), 400, missing),
        (start().form("source=vip"), 400, missing),
        (
            start().form("src=a&src=b"),
            400,
            "The parameter `src` must be one text.",
        ),
        (
            start().json(r#"{"src": 7}"#),
            400,
            "The parameter `src` must be one text.",
        ),
        (
            start().form(&long),
            400,
            "The parameter `src` is longer than 2048 bytes.",
        ),
        (
            start().form("src=a&idealtime=soon"),
            400,
            "The parameter `idealtime` must be milliseconds since 1970-01-01 UTC.",
        ),
        (
            start().form("src=%zz"),
            400,
            "The form has a `%` that is not followed by two hexadecimal digits; a literal % is %25.",
        ),
        (
            start().form("src=%ff"),
            400,
            "The form is not UTF-8 when its %-escapes are decoded.",
        ),
        (
            start().json("{\"src\": "),
            400,
            "The JSON body is not valid: EOF while parsing a value at line 1 column 8.",
        ),
        (
            start().json("[1]"),
            400,
            "The JSON body does not fit: invalid type: sequence, expected a map at line 1 column 0.",
        ),
        (
            start().body("application/json", b"\"\xff\"".to_vec()),
            400,
            "The body is not UTF-8: the byte at offset 1 is wrong.",
        ),
        (
            start().body("text/plain", "src=vip"),
            415,
            "`text/plain` is not taken here; send application/x-www-form-urlencoded or application/json.",
        ),
        (
            start().body("", "src=vip"),
            415,
            "A body without Content-Type is not taken here; send application/x-www-form-urlencoded or application/json.",
        ),
        (
            start().body("application/json; charset=latin1", "{}"),
            415,
            "The charset `latin1` is not taken; send UTF-8.",
        ),
    ];
    for (call, status, detail) in cases {
        let answer = api.send(&operator(), call).await;
        assert_eq!((answer.status, answer.problem().detail.as_str()), (status, detail));
    }
    assert!(api.fake.take().is_empty());
}

#[tokio::test]
async fn start_refuses_documents_and_says_what_to_do_instead() {
    let api = api();
    for src in [
        "http://docs/ivr.scxml?x=1",
        "https://docs/ivr.scxml",
        "file:ivr.scxml",
        "Script:x",
    ] {
        let body = json!({ "src": src });
        let answer = api
            .send(&operator(), call("POST", "/scxml/session/start").json(body))
            .await;
        let detail = format!(
            "`src` is `{src}`, but in this version a session starts from a deployed strategy (`NAME` or `NAME@VERSION`) \
             or from a script (`script:NAME`); deploy the document and start it by name."
        );
        assert_eq!(answer.says(), (400, "not-started".into(), detail));
    }
    assert!(api.fake.take().is_empty());
}

#[tokio::test]
async fn a_session_that_cannot_start_is_a_400_with_the_reason() {
    let api = api();
    api.fake.set(Mood::Fail(Error::NotStarted(
        "strategy `vip` has no active version; activate one".into(),
    )));
    let answer = api
        .send(&operator(), call("POST", "/scxml/session/start").form("src=vip"))
        .await;
    let detail = "Strategy `vip` has no active version; activate one.";
    assert_eq!(answer.says(), (400, "not-started".into(), detail.into()));
}

#[tokio::test]
async fn the_tenant_of_a_start_is_the_one_named_else_the_only_one_else_the_default() {
    let api = api();
    let start = || call("POST", "/scxml/session/start").form("src=vip");
    for (key, header, expected) in [
        (operator(), None, NORTH),
        ("everywhere".into(), None, NORTH),
        ("everywhere".into(), Some(SOUTH), SOUTH),
        ("both".into(), Some(SOUTH), SOUTH),
    ] {
        let call = header.map_or_else(start, |name| start().header("x-tenant", name));
        assert_eq!(
            api.send(&key, call).await.json()["sessionid"],
            session_of(expected).as_str(),
            "{key} {header:?}"
        );
    }
    let unclear = api.send("both", start()).await;
    let detail = "Your key is for the tenants `north`, `south`: name one in the header `x-tenant`.";
    assert_eq!(unclear.says(), (400, "tenant-not-given".into(), detail.into()));
}

#[tokio::test]
async fn events_arrive_with_their_parameters_under_param_however_they_were_sent() {
    let api = api();
    let calls = [
        (
            call("GET", &path("event/go.now?a=1&b=x%20y")),
            json!({ "a": "1", "b": "x y" }),
        ),
        (
            call("POST", &path("event/go.now?a=0&b=x")).form("a=1&c="),
            json!({ "a": "1", "b": "x", "c": "" }),
        ),
        (
            call("POST", &path("event/go.now")).json(json!({ "a": { "deep": [1] } })),
            json!({ "a": { "deep": [1] } }),
        ),
        (call("POST", &path("event/go.now")), json!({})),
    ];
    for (call, param) in calls {
        let answer = api.send(&operator(), call).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "sessionid": session_of(NORTH) }))
        );
        let event = ExternalEvent {
            name: "go.now".into(),
            data: Some(json!({ "param": param })),
            by: operator(),
        };
        assert_eq!(api.fake.take(), [Asked::Send(session_of(NORTH), event)]);
    }
}

#[tokio::test]
async fn an_event_with_an_impossible_name_is_refused() {
    let api = api();
    for name in ["a..b", "a%20b", "done.*", ".a", &"x".repeat(257)] {
        let answer = api
            .send(&operator(), call("POST", &path(&format!("event/{name}"))))
            .await;
        assert_eq!((answer.status, answer.says().1.as_str()), (400, "bad-name"), "{name}");
    }
    let answer = api.send(&operator(), call("POST", &path("event/a..b"))).await;
    let detail =
        "`a..b` cannot be the name of an event: use words joined by dots, without blanks or `*`, at most 256 bytes.";
    assert_eq!(answer.problem().detail, detail);
    assert!(api.fake.take().is_empty());
}

#[tokio::test]
async fn an_event_larger_than_a_strategy_may_be_given_is_refused_before_it_is_queued() {
    let api = api();
    let exactly = "x".repeat((64 << 10) - r#"{"param":{"t":""}}"#.len());
    let answer = api
        .send(
            &operator(),
            call("POST", &path("event/go")).form(&format!("t={exactly}")),
        )
        .await;
    assert_eq!(answer.status, 200);
    api.fake.take();
    let answer = api
        .send(
            &operator(),
            call("POST", &path("event/go")).form(&format!("t={exactly}x")),
        )
        .await;
    let detail = "The event's data take 65537 bytes as JSON; a strategy is given at most 65536.";
    assert_eq!(answer.says(), (413, "too-large".into(), detail.into()));
    assert!(api.fake.take().is_empty());
}

#[tokio::test]
async fn a_full_queue_asks_to_try_again() {
    let api = api();
    let full = "the event queue of the session is full; try again in a moment";
    api.fake.set(Mood::Fail(Error::QueueFull(full.into())));
    let answer = api.send(&operator(), call("POST", &path("event/go"))).await;
    let detail = "The event queue of the session is full; try again in a moment.";
    assert_eq!(answer.says(), (503, "queue-full".into(), detail.into()));
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn sessions_that_are_unknown_malformed_or_ended_are_404() {
    let api = api();
    let unknown = "00FAVPM3BOBM3223H3CA9ATAES00000G";
    for sid in [unknown, "short", "00favpm3bobm3223h3ca9ataes00000g", "%2e%2e"] {
        let answer = api
            .send(&operator(), call("POST", &format!("/scxml/session/{sid}/event/go")))
            .await;
        assert_eq!(
            (answer.status, answer.says().1.as_str()),
            (404, "no-such-session"),
            "{sid}"
        );
    }
    api.fake.set(Mood::Fail(Error::SessionEnded(session_of(NORTH))));
    let answer = api.send(&operator(), call("POST", &path("event/go"))).await;
    let detail = format!("Session {} has ended.", session_of(NORTH));
    assert_eq!(answer.says(), (404, "session-ended".into(), detail));
}

#[tokio::test]
async fn a_request_answers_what_the_strategy_says_with_its_status() {
    let api = api();
    for (status, body) in [(200, json!({ "ok": 1 })), (404, json!("none")), (503, Value::Null)] {
        *api.fake.reply.lock().unwrap() = Some(Reply {
            status,
            body: body.clone(),
        });
        let answer = api
            .send(&operator(), call("POST", &path("request/ask")).form("q=1"))
            .await;
        assert_eq!(
            (answer.status, answer.json()),
            (status, body),
            "passed on, not made a problem"
        );
        assert!(
            answer.headers["set-cookie"]
                .to_str()
                .unwrap()
                .starts_with("ORSSESSIONID=")
        );
        let event = ExternalEvent {
            name: "ask".into(),
            data: Some(json!({ "param": { "q": "1" } })),
            by: operator(),
        };
        assert_eq!(api.fake.take(), [Asked::Request(session_of(NORTH), event)]);
    }
    for status in [0, 100, 600, u16::MAX] {
        *api.fake.reply.lock().unwrap() = Some(Reply {
            status,
            body: Value::Null,
        });
        let answer = api.send(&operator(), call("POST", &path("request/ask"))).await;
        assert_eq!(
            (answer.status, answer.says().1.as_str()),
            (502, "bad-reply"),
            "{status}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_strategy_that_does_not_respond_in_time_is_a_504() {
    let api = api_with(|options| options.reply_timeout = Duration::from_secs(7));
    api.fake.set(Mood::Hang);
    let began = tokio::time::Instant::now();
    let answer = api.send(&operator(), call("POST", &path("request/ask"))).await;
    assert_eq!(began.elapsed().as_secs(), 7);
    let detail = "The strategy did not respond within 7 s; the event may have been handled.";
    assert_eq!(answer.says(), (504, "no-reply".into(), detail.into()));
}

#[tokio::test]
async fn query_shows_configuration_and_data_model() {
    let answer = api().send(&operator(), call("GET", &path("query"))).await;
    let expected = json!({ "sessionid": session_of(NORTH), "configuration": ["a", "b"], "datamodel": { "n": 1 } });
    assert_eq!((answer.status, answer.json()), (200, expected));
}

#[tokio::test]
async fn terminate_says_who_ended_the_session() {
    let api = api();
    let answer = api.send(&operator(), call("POST", &path("terminate"))).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "sessionid": session_of(NORTH) }))
    );
    let termination = Termination {
        by: operator(),
        reason: None,
    };
    assert_eq!(api.fake.take(), [Asked::Terminate(session_of(NORTH), termination)]);
}

#[tokio::test]
async fn a_session_on_another_node_is_a_307_to_the_same_path_there() {
    let api = api();
    api.fake
        .set(Mood::Fail(Error::OtherNode("https://node2.example:8443/".into())));
    let answer = api.send(&operator(), call("POST", &path("event/go?a=1"))).await;
    assert_eq!((answer.status, answer.says().1.as_str()), (307, "other-node"));
    assert_eq!(
        answer.headers["location"],
        format!("https://node2.example:8443{}", path("event/go?a=1"))
    );
}

#[tokio::test]
async fn the_cookie_can_be_configured_and_is_not_secure_without_tls() {
    let plain = api_with(|options| (options.tls, options.node) = (false, 42));
    let cookie = plain.send(&operator(), call("GET", &path("query"))).await.headers["set-cookie"].clone();
    let expected = format!(
        "ORSSESSIONID={}.node42; Path=/scxml; HttpOnly; SameSite=Strict",
        session_of(NORTH)
    );
    assert_eq!(cookie, expected);
    let own = api_with(|options| options.cookie = "LB=a; Path=/".into());
    assert_eq!(
        own.send(&operator(), call("GET", &path("query"))).await.headers["set-cookie"],
        "LB=a; Path=/"
    );
}
