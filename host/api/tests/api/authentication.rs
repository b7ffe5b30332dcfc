//! Keys, wrong keys, and what the audit log says of them.

use crate::support::{NORTH, api, api_with, call, grant, id_of, session_of};
use pointsman_api::security::{Audit, AuditResult, JsonLines, KeyText, Role};
use std::io::Write;
use std::sync::{Arc, Mutex};

const NO_KEY: &str = "Send an API key, as `Authorization: Bearer pm_<id>_<secret>` or `X-API-Key: pm_<id>_<secret>`.";
const WRONG_KEY: &str =
    "The API key is unknown, revoked or mistyped; ask the administrator of your tenant for a valid one.";

#[tokio::test]
async fn a_key_is_taken_from_either_header() {
    let api = api();
    let key = api.text("scraper");
    for (name, value) in [
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("bearer {key}")),
        ("x-api-key", key),
    ] {
        let answer = api.send("", call("GET", "/v1/tenants").header(name, &value)).await;
        assert_eq!(answer.status, 200, "{name}");
    }
}

#[tokio::test]
async fn a_request_without_a_key_is_told_how_to_send_one() {
    let answer = api().send("", call("GET", "/v1/tenants")).await;
    assert_eq!(answer.says(), (401, "no-key".into(), NO_KEY.into()));
    assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"pointsman\"");
}

#[tokio::test]
async fn a_wrong_key_is_refused_in_whatever_way_it_is_wrong() {
    let api = api();
    let right = api.text("scraper");
    let stranger = KeyText::generate("scraper").unwrap().reveal();
    let headers = [
        ("x-api-key", stranger.clone()),
        ("authorization", format!("Bearer {stranger}")),
        ("authorization", format!("Basic {right}")),
        ("authorization", right.clone()),
        ("authorization", "Bearer".into()),
        ("x-api-key", String::new()),
        ("x-api-key", format!("{right}A")),
        ("x-api-key", right.to_uppercase()),
    ];
    for (name, value) in headers {
        let answer = api.send("", call("GET", "/v1/tenants").header(name, &value)).await;
        assert_eq!(
            answer.says(),
            (401, "wrong-key".into(), WRONG_KEY.into()),
            "{name}: {value}"
        );
        assert_eq!(
            answer.headers["www-authenticate"],
            "Bearer realm=\"pointsman\", error=\"invalid_token\""
        );
    }
}

#[tokio::test]
async fn replacing_the_keys_takes_effect_with_the_next_request() {
    let api = api();
    assert_eq!(api.send("scraper", call("GET", "/v1/tenants")).await.status, 200);
    let new = KeyText::generate("new").unwrap();
    api.keys.replace([new.to_key(vec![grant(NORTH, Role::Viewer)])]);
    assert_eq!(api.send("scraper", call("GET", "/v1/tenants")).await.status, 401);
    let answer = api
        .send("", call("GET", "/v1/tenants").header("x-api-key", &new.reveal()))
        .await;
    assert_eq!(answer.json()["items"][0]["name"], NORTH);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_keeps_sending_wrong_keys_is_slowed_down_and_audited_once_more() {
    let api = api_with(|options| options.wrong_keys_per_minute = 3);
    let tenants = || call("GET", "/v1/tenants").header("x-api-key", "pm_guess_1");
    for _ in 0..3 {
        assert_eq!(api.send_from("198.51.100.1", tenants()).await.status, 401);
    }
    let slowed = api.send_from("198.51.100.1", tenants()).await;
    let detail = "Too many requests without a valid key came from your address; try again in 60 s.";
    assert_eq!(slowed.says(), (429, "too-many-failures".into(), detail.into()));
    assert_eq!(slowed.headers["retry-after"], "60");
    for _ in 0..100 {
        assert_eq!(api.send_from("198.51.100.1", tenants()).await.status, 429);
    }
    let lines = api.audit.take();
    assert_eq!(lines.len(), 4, "three wrong keys and the beginning of the slow-down");
    assert!(
        lines
            .iter()
            .all(|l| l.result == AuditResult::Unauthenticated && l.who.is_none())
    );
    assert_eq!(lines[3].status, Some(429));
    assert_eq!(lines[0].ip.to_string(), "198.51.100.1");

    assert_eq!(
        api.send_from("198.51.100.2", tenants()).await.status,
        401,
        "others are not concerned"
    );
    let right = call("GET", "/v1/tenants").header("x-api-key", &api.text("scraper"));
    assert_eq!(
        api.send_from("198.51.100.1", right).await.status,
        200,
        "nor is a right key behind the same gateway"
    );
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    assert_eq!(api.send_from("198.51.100.1", tenants()).await.status, 401);
}

#[tokio::test]
async fn the_audit_log_has_who_did_what_to_which_object_from_where_with_what_result() {
    let api = api();
    let operator = id_of(Role::Operator);
    let sid = session_of(NORTH);
    api.send(&operator, call("POST", "/scxml/session/start").form("src=vip"))
        .await;
    api.send(&operator, call("POST", &format!("/scxml/session/{sid}/terminate")))
        .await;
    api.send(&operator, call("POST", "/v1/tenants/north/strategies/vip/rollback"))
        .await;
    api.send(&operator, call("GET", "/v1/sessions")).await;
    let lines = api.audit.take();
    let shown: Vec<_> = lines
        .iter()
        .map(|l| {
            (
                l.action.unwrap().to_string(),
                l.object.as_str(),
                l.result,
                l.status.unwrap(),
            )
        })
        .collect();
    let started = format!("session {sid}");
    let terminated = format!("POST /scxml/session/{sid}/terminate");
    assert_eq!(
        shown,
        [
            ("start-session".into(), started.as_str(), AuditResult::Done, 200),
            ("terminate-session".into(), terminated.as_str(), AuditResult::Done, 200),
            (
                "roll-back-strategy".into(),
                "POST /v1/tenants/north/strategies/vip/rollback",
                AuditResult::Denied,
                403
            ),
        ],
        "listing is not audited"
    );
    for line in lines {
        assert_eq!(
            (line.who, line.tenant.unwrap().as_str(), line.ip.to_string().as_str()),
            (Some(operator.clone()), NORTH, "192.0.2.7")
        );
        assert_eq!((line.time.as_str(), line.trace_id.len()), ("1970-01-01T00:00:00Z", 32));
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_midway_leaves_its_line_in_the_audit_log() {
    let api = api();
    api.fake.set(crate::support::Mood::Hang);
    let request = call("POST", "/scxml/session/start").form("src=vip");
    let key = id_of(Role::Operator);
    let mut sending = Box::pin(api.send(&key, request));
    std::future::poll_fn(|cx| {
        assert!(sending.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    drop(sending);
    let lines = api.audit.take();
    assert_eq!(
        lines.iter().map(|l| (l.result, l.status)).collect::<Vec<_>>(),
        [(AuditResult::Abandoned, None)]
    );
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn audit_entries_are_appended_as_json_lines() {
    let api = api();
    api.send("", call("GET", "/metrics")).await;
    let entry = api.audit.take().remove(0);
    let file = Shared::default();
    let log = JsonLines::new(file.clone());
    log.record(&entry);
    log.record(&entry);
    let text = String::from_utf8(file.0.lock().unwrap().clone()).unwrap();
    let line = format!(
        r#"{{"time":"1970-01-01T00:00:00Z","object":"GET /metrics","ip":"192.0.2.7","result":"unauthenticated","status":401,"code":"no-key","trace_id":"{}"}}"#,
        entry.trace_id
    );
    assert_eq!(text, format!("{line}\n{line}\n"));
}
