//! `/v1/tenants` and `/v1/sessions`.

use crate::support::{Asked, NORTH, SOUTH, api, call, id_of, session_of, tenant};
use pointsman_api::backend::{ExternalEvent, Filter, Termination};
use pointsman_api::security::Role;
use pointsman_api::types::{Listing, Page, Session, SessionState, Tenant};
use serde_json::json;

fn names(body: &[u8]) -> Vec<String> {
    let list: Listing<Session> = serde_json::from_slice(body).unwrap();
    list.items.into_iter().map(|s| s.tenant.to_string()).collect()
}

#[tokio::test]
async fn tenants_lists_only_those_of_the_key() {
    let api = api();
    for (key, expected) in [
        (id_of(Role::Viewer), vec![NORTH]),
        ("both".into(), vec![NORTH, SOUTH]),
        ("scraper".into(), vec![NORTH, SOUTH]),
    ] {
        let answer = api.send(&key, call("GET", "/v1/tenants")).await;
        let list: Listing<Tenant> = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            list.items.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(),
            expected,
            "{key}"
        );
    }
}

#[tokio::test]
async fn sessions_lists_only_those_of_the_keys_tenants() {
    let api = api();
    for (key, query, expected) in [
        (id_of(Role::Viewer), "", vec![NORTH]),
        (id_of(Role::Viewer), "?tenant=north", vec![NORTH]),
        ("both".into(), "?tenant=south", vec![SOUTH]),
        ("both".into(), "", vec![NORTH, SOUTH]),
        ("scraper".into(), "", vec![NORTH, SOUTH]),
    ] {
        let answer = api.send(&key, call("GET", &format!("/v1/sessions{query}"))).await;
        assert_eq!(names(&answer.body), expected, "{key} {query}");
    }
    let answer = api
        .send(&id_of(Role::Viewer), call("GET", "/v1/sessions?tenant=south"))
        .await;
    let detail = "There is no tenant `south`; /v1/tenants lists those of your key.";
    assert_eq!(answer.says(), (404, "no-such-tenant".into(), detail.into()));
}

#[tokio::test]
async fn filters_and_cursors_reach_the_backend_and_the_next_page_the_client() {
    let api = api();
    let query = "/v1/sessions?strategy=vip&state=parked&cursor=abc&limit=7";
    let answer = api.send(&id_of(Role::Viewer), call("GET", query)).await;
    assert_eq!(answer.json()["next"], "more");
    let filter = Filter {
        tenants: Some(vec![tenant(NORTH)]),
        strategy: Some("vip".into()),
        state: Some(SessionState::Parked),
    };
    assert_eq!(
        api.fake.take(),
        [Asked::List(
            filter,
            Page {
                cursor: Some("abc".into()),
                limit: 7
            }
        )]
    );
    api.send("scraper", call("GET", "/v1/sessions")).await;
    let all = Filter {
        tenants: None,
        strategy: None,
        state: None,
    };
    assert_eq!(
        api.fake.take(),
        [Asked::List(
            all,
            Page {
                cursor: None,
                limit: 100
            }
        )]
    );
}

#[tokio::test]
async fn a_wrong_filter_is_refused_by_name() {
    let api = api();
    let long = format!("cursor={}", "x".repeat(513));
    let cases = [
        (
            "stat=ended",
            "The query cannot be understood: stat: unknown field `stat`, expected one of `tenant`, `strategy`, `state`, `cursor`, `limit`.",
        ),
        (
            "state=dead",
            "The query cannot be understood: state: unknown variant `dead`, expected one of `running`, `parked`, `ended`.",
        ),
        ("limit=0", "`limit` is 0: it must be from 1 to 1000."),
        ("limit=1001", "`limit` is 1001: it must be from 1 to 1000."),
        (
            "limit=-1",
            "The query cannot be understood: limit: must be a whole number from 1 to 1000.",
        ),
        (
            "limit=4294967296",
            "The query cannot be understood: limit: must be a whole number from 1 to 1000.",
        ),
        ("strategy=%ff", "The query is not UTF-8 when its %-escapes are decoded."),
        (
            long.as_str(),
            "`cursor` is too long: send back the `next` of the page before, unchanged.",
        ),
    ];
    for (query, detail) in cases {
        let answer = api
            .send(&id_of(Role::Viewer), call("GET", &format!("/v1/sessions?{query}")))
            .await;
        assert_eq!(answer.says(), (400, "bad-request".into(), detail.into()), "{query}");
    }
    assert!(api.fake.take().is_empty());
}

#[tokio::test]
async fn a_session_is_shown_with_its_log() {
    let api = api();
    let path = format!("/v1/sessions/{}", session_of(NORTH));
    let session: Session =
        serde_json::from_slice(&api.send(&id_of(Role::Viewer), call("GET", &path)).await.body).unwrap();
    assert_eq!(
        (session.id, session.active),
        (session_of(NORTH), vec!["waiting".to_owned()])
    );
    let log = api
        .send(&id_of(Role::Operator), call("GET", &format!("{path}/log")))
        .await;
    assert_eq!(
        log.json(),
        json!({ "items": [{ "seq": 1, "time_ms": 2, "text": "hello", "level": 0 }] })
    );
}

#[tokio::test]
async fn an_event_is_queued_with_its_data_as_it_is() {
    let api = api();
    let path = format!("/v1/sessions/{}/events", session_of(NORTH));
    let answer = api
        .send(
            &id_of(Role::Operator),
            call("POST", &path).json(json!({ "name": "go", "data": [1] })),
        )
        .await;
    assert_eq!((answer.status, answer.body.len()), (202, 0));
    let event = ExternalEvent {
        name: "go".into(),
        data: Some(json!([1])),
        by: id_of(Role::Operator),
    };
    assert_eq!(api.fake.take(), [Asked::Send(session_of(NORTH), event)]);
    let cases = [
        (
            call("POST", &path).json("{}"),
            400,
            "The JSON body does not fit: missing field `name` at line 1 column 2.",
        ),
        (
            call("POST", &path).json(r#"{"name": "go", "date": 1}"#),
            400,
            "The JSON body does not fit: unknown field `date`, expected `name` or `data` at line 1 column 21.",
        ),
        (
            call("POST", &path).form("name=go"),
            415,
            "`application/x-www-form-urlencoded` is not taken here; send application/json.",
        ),
    ];
    for (call, status, detail) in cases {
        let answer = api.send(&id_of(Role::Operator), call).await;
        assert_eq!((answer.status, answer.problem().detail.as_str()), (status, detail));
    }
}

#[tokio::test]
async fn a_session_is_ended_with_or_without_a_reason() {
    let api = api();
    let path = format!("/v1/sessions/{}/terminate", session_of(NORTH));
    for (call, reason) in [
        (call("POST", &path), None),
        (
            call("POST", &path).json(json!({ "reason": "stuck" })),
            Some("stuck".to_owned()),
        ),
    ] {
        assert_eq!(api.send(&id_of(Role::Operator), call).await.status, 204);
        let termination = Termination {
            by: id_of(Role::Operator),
            reason,
        };
        assert_eq!(api.fake.take(), [Asked::Terminate(session_of(NORTH), termination)]);
    }
    let long = call("POST", &path).json(json!({ "reason": "x".repeat(501) }));
    let answer = api.send(&id_of(Role::Operator), long).await;
    assert_eq!(
        answer.problem().detail,
        "The reason is longer than 500 characters; shorten it."
    );
}
