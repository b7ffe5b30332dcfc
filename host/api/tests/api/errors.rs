//! What holds for every answer: problem documents, security headers, limits, faults.

use crate::support::{Mood, NORTH, api, api_with, call, id_of, session_of};
use pointsman_api::backend::Error;
use pointsman_api::security::{AuditResult, Role};
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn event() -> crate::support::Call {
    call("POST", &format!("/scxml/session/{}/event/go", session_of(NORTH)))
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_document() {
    let answer = api().send("", call("GET", "/v2/nothing?x=1")).await;
    let problem = answer.problem();
    assert_eq!(answer.says().0, 404);
    assert_eq!(problem.kind, "urn:pointsman:problem:no-such-path");
    assert_eq!(
        (problem.title.as_str(), problem.instance.as_str()),
        ("No such path", "/v2/nothing")
    );
    assert_eq!(
        problem.detail,
        "There is nothing at this path; /v1/openapi.json describes what there is."
    );
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_answered_with_those_it_takes() {
    let answer = api().send("", call("DELETE", "/livez")).await;
    assert_eq!(answer.says().1, "method-not-allowed");
    assert_eq!(answer.headers["allow"], "GET,HEAD");
}

#[tokio::test]
async fn head_is_not_named_where_it_is_refused_because_get_has_an_effect() {
    let api = api();
    let path = format!("/scxml/session/{}/event/go", session_of(NORTH));
    for method in ["HEAD", "DELETE"] {
        let answer = api.send(&id_of(Role::Operator), call(method, &path)).await;
        assert_eq!(
            (answer.status, &answer.headers["allow"]),
            (405, &"GET,POST".parse().unwrap()),
            "{method}"
        );
    }
    assert!(api.fake.take().is_empty());
}

#[tokio::test]
async fn every_answer_has_the_security_headers_and_none_has_cors() {
    let api = api();
    let preflight = call("OPTIONS", "/v1/tenants")
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "GET");
    for (key, call) in [
        ("", call("GET", "/livez")),
        ("", call("GET", "/none")),
        ("scraper", call("GET", "/v1/tenants")),
        ("", preflight),
    ] {
        let headers = api.send(key, call).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'none'; frame-ancestors 'none'"
        );
        assert_eq!(
            headers["strict-transport-security"],
            "max-age=31536000; includeSubDomains"
        );
        assert!(!headers.keys().any(|name| name.as_str().starts_with("access-control")));
    }
    let plain = api_with(|options| options.tls = false);
    let headers = plain.send("", call("GET", "/livez")).await.headers;
    assert!(
        !headers.contains_key("strict-transport-security"),
        "RFC 6797: not over plain HTTP"
    );
}

#[tokio::test]
async fn the_trace_id_is_the_clients_if_it_sends_a_valid_one() {
    let api = api();
    let given = "4bf92f3577b34da6a3ce929d0e0e4736";
    let with = |parent: String| call("GET", "/livez").header("traceparent", &parent);
    let answer = api.send("", with(format!("00-{given}-00f067aa0ba902b7-01"))).await;
    assert_eq!(answer.headers["x-trace-id"], given);
    for bad in [
        "00-0-0-0".to_owned(),
        format!("00-{}-1-1", "0".repeat(32)),
        format!("00-{}-1-1", "X".repeat(32)),
    ] {
        let id = api.send("", with(bad)).await.headers["x-trace-id"].clone();
        assert!(id.len() == 32 && id != given && id != "0".repeat(32).as_str());
    }
}

#[tokio::test]
async fn a_panic_is_a_500_that_says_nothing_of_what_was_said_and_is_audited() {
    let api = api();
    api.fake.set(Mood::Panic);
    let answer = api.send(&id_of(Role::Operator), event()).await;
    let detail = "The server failed; its log has the cause under the `trace_id` of this answer.";
    assert_eq!(answer.says(), (500, "internal".into(), detail.into()));
    assert!(!String::from_utf8(answer.body).unwrap().contains("4711"));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(api.audit.take()[0].result, AuditResult::Abandoned);
}

#[tokio::test]
async fn a_fault_of_the_backend_is_not_told_to_the_client() {
    let api = api();
    api.fake.set(Mood::Fail(Error::Internal(
        "disk /dev/sda1 at 10.0.0.7 is on fire".into(),
    )));
    let answer = api.send(&id_of(Role::Operator), event()).await;
    assert_eq!(answer.says().0, 500);
    assert!(!String::from_utf8(answer.body).unwrap().contains("fire"));
    assert_eq!(api.audit.take()[0].result, AuditResult::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_a_504() {
    let api = api_with(|options| options.request_timeout = Duration::from_secs(3));
    api.fake.set(Mood::Hang);
    let answer = api.send(&id_of(Role::Operator), event()).await;
    let detail = "The request was not done within 3 s; try again.";
    assert_eq!(answer.says(), (504, "timeout".into(), detail.into()));
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_a_408_and_never_reaches_the_backend() {
    let api = api_with(|options| options.request_timeout = Duration::from_millis(300));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = api.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(axum::serve(listener, service).into_future());
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /scxml/session/{}/event/go HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\na=1",
        session_of(NORTH),
        api.text(&id_of(Role::Operator))
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains(r#""status":408"#), "{answer}");
    assert!(
        answer.contains("The body did not arrive within 0 s; send it faster."),
        "{answer}"
    );
    assert!(api.fake.take().is_empty());
    server.abort();
}

/// Polls a request until it waits for the backend.
async fn underway<F: Future>(request: F) -> Pin<Box<F>> {
    let mut request = Box::pin(request);
    std::future::poll_fn(|cx| {
        assert!(request.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    request
}

#[tokio::test]
async fn one_key_cannot_take_all_the_room_nor_can_one_tenant() {
    let api = api_with(|options| options.max_requests = 8);
    api.fake.set(Mood::Hang);
    let [operator, deployer, admin] = [Role::Operator, Role::Deployer, Role::TenantAdmin].map(id_of);
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(underway(api.send(&operator, event())).await);
    }
    let answer = api.send(&operator, event()).await;
    let detail = "The key `north-operator` has 2 requests of this kind in work, which is its share; wait for one of them \
                  to end.";
    assert_eq!(answer.says(), (429, "overloaded".into(), detail.into()));
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(api.audit.take()[0].status, Some(429));
    for _ in 0..2 {
        held.push(underway(api.send(&deployer, event())).await);
    }
    let answer = api.send(&admin, event()).await;
    let detail = "The keys of the tenant `north` have 4 requests of this kind in work, which is their share; wait for one \
                  of them to end.";
    assert_eq!(answer.says(), (429, "overloaded".into(), detail.into()));
    let others = underway(api.send("everywhere", event())).await;
    drop((held, others));
    api.fake.set(Mood::Answer);
    assert_eq!(
        api.send(&operator, event()).await.status,
        200,
        "the places are free again"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_keeps_its_place_until_its_work_has_ended_even_when_nobody_waits_for_it() {
    let api = api_with(|options| {
        options.max_uploads = 1;
        options.upload_timeout = Duration::from_secs(3);
    });
    let upload = || call("PUT", "/v1/tenants/north/strategies/vip").body("application/scxml+xml", "<scxml/>");
    let key = id_of(Role::Deployer);
    api.fake.set(Mood::Hang);
    assert_eq!(api.send(&key, upload()).await.status, 504);
    api.fake.set(Mood::Answer);
    let answer = api.send(&key, upload()).await;
    assert_eq!(
        answer.says().1,
        "overloaded",
        "the compiler of the first is still at it"
    );
    let other = api_with(|options| options.max_uploads = 1);
    for _ in 0..2 {
        assert_eq!(
            other.send(&key, upload()).await.status,
            201,
            "the place is free after each"
        );
    }
}

#[tokio::test]
async fn a_panic_in_an_upload_is_a_500_and_frees_its_place() {
    let api = api_with(|options| options.max_uploads = 1);
    let upload = || call("PUT", "/v1/tenants/north/strategies/vip").body("application/scxml+xml", "<scxml/>");
    api.fake.set(Mood::Panic);
    assert_eq!(api.send(&id_of(Role::Deployer), upload()).await.says().1, "internal");
    api.fake.set(Mood::Answer);
    assert_eq!(api.send(&id_of(Role::Deployer), upload()).await.status, 201);
}

#[tokio::test]
async fn one_request_more_than_the_server_takes_is_refused_and_probes_still_answer() {
    let api = api_with(|options| options.max_requests = 1);
    api.fake.set(Mood::Hang);
    let key = id_of(Role::Operator);
    let first = underway(api.send(&key, event())).await;
    let answer = api.send(&key, event()).await;
    let detail = "This server has all the requests in work that it takes; try again.";
    assert_eq!(answer.says(), (503, "overloaded".into(), detail.into()));
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(api.send("", call("GET", "/livez")).await.status, 200);
    drop(first);
    api.fake.set(Mood::Answer);
    assert_eq!(api.send(&key, event()).await.status, 200, "the place is free again");
}

#[tokio::test]
async fn an_ordinary_body_larger_than_allowed_is_refused() {
    let api = api_with(|options| options.body_bytes = 10);
    let answer = api.send(&id_of(Role::Operator), event().form("a=123456789")).await;
    let detail = "The body is larger than the 10 bytes that this path takes.";
    assert_eq!(answer.says(), (413, "too-large".into(), detail.into()));
}

#[tokio::test]
async fn a_path_that_is_not_utf8_is_refused() {
    let answer = api()
        .send(&id_of(Role::Operator), call("GET", "/v1/tenants/%ff/strategies"))
        .await;
    let detail = "The path is not UTF-8 when its %-escapes are decoded.";
    assert_eq!(answer.says(), (400, "bad-request".into(), detail.into()));
}

#[tokio::test]
async fn a_server_that_does_not_serve_says_so_and_its_probe_too() {
    let api = api();
    api.fake
        .set(Mood::Fail(Error::NotServing("it is the backup of its pair".into())));
    let answer = api.send(&id_of(Role::Operator), event()).await;
    let detail = "This server does not serve now: it is the backup of its pair; ask another node, or try again.";
    assert_eq!(answer.says(), (503, "not-serving".into(), detail.into()));
    let ready = api.send("", call("GET", "/readyz")).await;
    assert_eq!(
        (ready.status, ready.json()["reasons"][0].as_str()),
        (503, Some("the store does not answer"))
    );
}
