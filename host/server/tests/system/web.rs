//! Strategies and the web: fetching, starting sessions, answering requests, Basic HTTP.

use crate::node::{Node, Plan};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a server of the web was asked: method and path, its header fields that tests look at, and the body.
#[derive(Debug)]
struct Asked {
    what: String,
    content_type: String,
    authorization: String,
    body: String,
}

/// A server of the web, on a port of its own.
struct Peer {
    port: u16,
    asked: mpsc::Receiver<Asked>,
    _tokio: tokio::runtime::Runtime,
}

impl Peer {
    fn start(answer: fn(&str) -> Response) -> Peer {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (sender, asked) = mpsc::channel();
        let app = axum::Router::new().fallback(move |request: Request| {
            let sender = sender.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                let field = |name: header::HeaderName| {
                    let value = parts.headers.get(name).map(|v| v.to_str().unwrap().to_owned());
                    value.unwrap_or_default()
                };
                let entry = Asked {
                    what: format!("{} {}", parts.method, parts.uri),
                    content_type: field(header::CONTENT_TYPE),
                    authorization: field(header::AUTHORIZATION),
                    body: String::from_utf8_lossy(&body).into_owned(),
                };
                // Nobody looks at it any more when the test is over.
                let _over = sender.send(entry);
                if parts.uri.path().ends_with("/never") {
                    std::future::pending::<()>().await;
                }
                answer(parts.uri.path())
            }
        });
        let listener = tokio.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio.spawn(async move { axum::serve(listener, app).await });
        Peer {
            port,
            asked,
            _tokio: tokio,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next request.
    fn next(&self) -> Asked {
        self.asked.recv_timeout(Duration::from_secs(30)).expect("a request")
    }
}

fn answers(path: &str) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json"), (header::ETAG, "\"1\"")];
    match path {
        "/crm/customer" => (json, r#"{"segment":"gold"}"#).into_response(),
        "/crm/missing" => StatusCode::NOT_FOUND.into_response(),
        "/crm/large" => "x".repeat(70_000).into_response(),
        "/crm/away" => (StatusCode::FOUND, [(header::LOCATION, "/private")]).into_response(),
        "/crm/aged" => (
            [
                (header::CACHE_CONTROL, "max-age=60"),
                (header::AGE, "18446744073709551615"),
            ],
            "old",
        )
            .into_response(),
        "/crm/busy" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "/docs/child.scxml" => CHILD.into_response(),
        "/docs/answer.json" => "42".into_response(),
        _ => "here".into_response(),
    }
}

/// A document with an include beside it, whose donedata is what that holds and what it is started with.
const CHILD: &str = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" datamodel="ecmascript">
  <datamodel><data id="answer" src="answer.json"/><data id="given"/></datamodel>
  <final id="over"><donedata><param name="answer" expr="answer"/><param name="given" expr="given"/></donedata></final>
</scxml>"#;

/// A node whose first tenant may reach `/crm/` and `/docs/` of the peer.
fn node(peer: &Peer) -> Node {
    let plan = Plan::new();
    let allow = format!(
        "name = \"acme\"\n[tenant.http]\nallow = [\"{}\", \"{}\"]\n",
        peer.url("/crm/"),
        peer.url("/docs/")
    );
    let config = plan.config().replacen("name = \"acme\"\n", &allow, 1);
    Node::start_with_config(plan, &config)
}

/// A strategy that does `body`, collects what it hears, and answers the request `outcome` when it has heard so many events.
fn collector(body: &str) -> String {
    format!(
        r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:session="http://www.genesyslab.com/modules/session"
  xmlns:ws="http://www.genesyslab.com/modules/ws" version="1.0" datamodel="ecmascript" initial="both">
  <datamodel><data id="heard" expr="[]"/><data id="asked"/><data id="wanted" expr="0"/></datamodel>
  <parallel id="both">
    <state id="collects">
      <onentry>{body}</onentry>
      <transition event="outcome ws.response.done"/>
      <transition event="again">{body}</transition>
      <transition event="*"><script>
        heard.push({{ name: _event.name, data: _event.data, sendid: _event.sendid, raw: _event.raw, origintype: _event.origintype }});
      </script></transition>
    </state>
    <state id="answers" initial="idle">
      <state id="idle">
        <transition event="outcome" target="busy">
          <assign location="asked" expr="_event.sendid"/>
          <assign location="wanted" expr="Number(_event.data.param.n)"/>
        </transition>
      </state>
      <state id="busy">
        <transition cond="heard.length &gt;= wanted" target="idle">
          <ws:response requestid="asked"><content expr="heard"/></ws:response>
        </transition>
      </state>
    </state>
  </parallel>
</scxml>"#
    )
}

fn start(node: &Node, src: &str) -> String {
    let (status, started) = node.rest(Method::POST, "/scxml/session/start", Some(json!({ "src": src })));
    assert_eq!(status, 200, "{started}");
    started["sessionid"].as_str().unwrap().to_owned()
}

/// The first `n` events that a collector has heard: waits for them.
#[track_caller]
fn heard(node: &Node, session: &str, n: usize) -> Vec<Value> {
    let path = format!("/scxml/session/{session}/request/outcome");
    let (status, body) = node.rest(Method::POST, &path, Some(json!({ "n": n.to_string() })));
    assert_eq!(
        status,
        200,
        "{body}\n{}",
        node.get(&format!("/v1/sessions/{session}/log"))
    );
    body.as_array().expect("a list").clone()
}

/// Deploys a collector, starts it, and gives the first `n` events.
fn run(node: &Node, body: &str, n: usize) -> Vec<Value> {
    node.deploy("acme", "collector", &collector(body));
    heard(node, &start(node, "collector"), n)
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A client that sends what it is told to, with the node's key only where a header of its own is given.
struct Rest<'a> {
    node: &'a Node,
    client: reqwest::Client,
    tokio: tokio::runtime::Runtime,
}

impl<'a> Rest<'a> {
    fn new(node: &'a Node) -> Self {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(node.ca()).unwrap()).unwrap();
        Rest {
            node,
            client: reqwest::Client::builder().tls_certs_only([ca]).build().unwrap(),
            tokio: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    /// Posts a form with the node's key and these headers.
    fn post(&self, path: &str, headers: &[(&str, &str)], form: &str) -> (u16, String) {
        let url = format!("https://127.0.0.1:{}{path}", self.node.http);
        let request = self.client.post(url).bearer_auth(&self.node.key);
        let request = headers.iter().fold(request, |r, (name, value)| r.header(*name, *value));
        self.send(request.header("content-type", FORM).body(form.to_owned()))
    }

    /// Posts without a key.
    fn bare(&self, url: &str, content_type: &str, body: &str) -> u16 {
        let request = self.client.post(url).header("content-type", content_type);
        self.send(request.body(body.to_owned())).0
    }

    fn send(&self, request: reqwest::RequestBuilder) -> (u16, String) {
        self.tokio.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

#[test]
fn a_strategy_asks_a_server_that_its_tenant_allows() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    let body = format!(
        "<session:fetch srcexpr=\"'{}'\" method=\"'post'\" username=\"'u'\" password=\"'p'\" type=\"'application/json'\">\
         <param name=\"ani\" expr=\"'+49 30'\"/></session:fetch>",
        peer.url("/crm/customer")
    );
    let events = run(&node, &body, 1);
    let done = &events[0];
    assert_eq!(done["name"], "session.fetch.done", "{done}");
    assert_eq!(done["data"]["content"], r#"{"segment":"gold"}"#, "a text");
    assert_eq!(
        (&done["data"]["status"], &done["data"]["hints"]["etag"]),
        (&json!(200), &json!("\"1\""))
    );
    assert!(done["data"]["requestid"].is_string());
    let asked = peer.next();
    assert_eq!(
        (asked.what.as_str(), asked.body.as_str()),
        ("POST /crm/customer", "ani=%2B49+30")
    );
    assert_eq!(asked.content_type, "application/x-www-form-urlencoded");
    assert_eq!(asked.authorization, "Basic dTpw");
}

#[test]
fn a_fetch_that_comes_to_nothing_is_an_event_with_a_reason() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (url, more, error, description) in [
        (
            peer.url("/crm/missing"),
            "",
            json!(404),
            "the server answers 404 Not Found",
        ),
        (
            peer.url("/crm/large"),
            "",
            json!(0),
            "the answer is larger than 65536 bytes",
        ),
        (peer.url("/crm/away"), "", json!(0), "it redirects to "),
        (
            peer.url("/private"),
            "",
            json!("notallowed"),
            "is not among the destinations that are allowed",
        ),
        (format!("http://{nobody}/"), "", json!("notallowed"), "is not among"),
        (
            "file:///etc/passwd".into(),
            "",
            json!("invaliddestination"),
            "neither http: nor https:",
        ),
        (
            peer.url("/crm/x"),
            "method=\"'urs'\"",
            json!("notsupported"),
            "no transport `urs`",
        ),
        (
            peer.url("/crm/busy"),
            "gd_retries=\"1\" gd_retry_interval=\"0\"",
            json!(503),
            "answers 503",
        ),
    ] {
        let body = format!("<session:fetch srcexpr=\"'{url}'\" {more}/>");
        let events = run(&node, &body, 1);
        let failed = &events[0];
        assert_eq!(failed["name"], "error.session.fetch", "{failed}");
        assert_eq!(failed["data"]["error"], error, "{failed}");
        let told = failed["data"]["description"].as_str().unwrap();
        assert!(told.contains(description), "{told}");
        assert!(failed["data"]["requestid"].is_string(), "{failed}");
    }
    let asked: Vec<String> = peer.asked.try_iter().map(|a| a.what).collect();
    assert_eq!(
        asked,
        ["/crm/missing", "/crm/large", "/crm/away", "/crm/busy", "/crm/busy"].map(|path| format!("GET {path}"))
    );
}

#[test]
fn an_age_beyond_all_bounds_costs_no_answer() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    let fetch = format!("<session:fetch srcexpr=\"'{}'\"/>", peer.url("/crm/aged"));
    for _ in 0..3 {
        let events = run(&node, &fetch, 1);
        assert_eq!(
            (&events[0]["name"], &events[0]["data"]["content"]),
            (&json!("session.fetch.done"), &json!("old"))
        );
    }
}

#[test]
fn a_refusal_fits_into_its_event_whatever_it_is_about_and_quotes_no_value() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    let url = peer.url("/crm/customer");
    let large = "'secret'.repeat(8000)";
    for (body, error) in [
        (
            format!("<session:fetch src=\"{url}\" headers=\"[{large}]\"/>"),
            "invalidattribute",
        ),
        (
            format!("<session:fetch src=\"{url}\" method=\"{large}\"/>"),
            "invalidattribute",
        ),
        (
            format!("<session:fetch srcexpr=\"'{url}?' + {large}\"/>"),
            "invaliddestination",
        ),
        (format!("<session:terminate sessionid=\"{large}\"/>"), "unknown"),
        ("<session:start src=\"x\" hints=\"{ a: 1 }\"/>".into(), "notsupported"),
    ] {
        let events = run(&node, &body, 1);
        let data = &events[0]["data"];
        assert_eq!(data["error"], error, "{data}");
        assert!(data["description"].as_str().unwrap().len() <= 512, "{data}");
    }
}

#[test]
fn outcomes_wait_where_their_session_has_no_room_for_them() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    node.deploy("acme", "idle", &CHILD.replace("src=\"answer.json\"", "expr=\"7\""));
    let later = collector("<session:start src=\"idle\" delay=\"'3600s'\"/>").replace(
        "<transition event=\"*\">",
        &format!(
            "<transition event=\"session.start.done\">{}</transition><transition event=\"*\">",
            "<session:updatestart sessionid=\"_event.data.sessionid\" delay=\"'3600s'\"/>".repeat(300)
        ),
    );
    let later = later.replacen("version=\"1.0\"", "version=\"1.0\" _eventLimit=\"1\"", 1);
    node.deploy("acme", "many", &later);
    let session = start(&node, "many");
    // There is no room for the question either while they wait.
    std::thread::sleep(Duration::from_secs(2));
    let events = heard(&node, &session, 300);
    assert!(
        events.iter().all(|e| e["name"] == "session.updatestart.done"),
        "{events:?}"
    );
}

#[test]
fn a_session_has_so_many_fetches_in_work_and_takes_them_with_it_when_it_ends() {
    let peer = Peer::start(answers);
    let plan = Plan::new();
    let allow = format!("name = \"acme\"\n[tenant.http]\nallow = [\"{}\"]\n", peer.url("/never"));
    let config = plan.config().replacen("name = \"acme\"\n", &allow, 1);
    let node = Node::start_with_config(plan, &config);
    let one = format!("<session:fetch srcexpr=\"'{}'\"/>", peer.url("/never"));
    let events = run(&node, &one.repeat(17), 1);
    assert_eq!(
        (&events[0]["name"], &events[0]["data"]["error"]),
        (&json!("error.session.fetch"), &json!("overload"))
    );
    for _ in 0..16 {
        assert_eq!(peer.next().what, "GET /never");
    }
    let session = node.get("/v1/sessions")["items"][0]["id"].as_str().unwrap().to_owned();
    let (status, body) = node.rest(Method::POST, &format!("/scxml/session/{session}/terminate"), None);
    assert_eq!(status, 200, "{body}");
    // Another session of it has all its places.
    let again = heard(&node, &start(&node, "collector"), 1);
    assert_eq!(again.len(), 1);
}

#[test]
fn a_strategy_starts_a_session_and_hears_of_its_end() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    let child = CHILD.replace("src=\"answer.json\"", "expr=\"7\"");
    node.deploy("acme", "child", &child);
    node.deploy("globex", "other", &child);
    for (src, answer) in [
        ("child", 7),
        ("strategy:child@1", 7),
        (peer.url("/docs/child.scxml").as_str(), 42),
    ] {
        let body = format!("<session:start src=\"{src}\"><param name=\"given\" expr=\"'x'\"/></session:start>");
        let events = run(&node, &body, 2);
        assert_eq!(events[0]["name"], "session.start.done", "{events:?}");
        let id = events[0]["data"]["sessionid"].as_str().unwrap();
        assert_eq!(events[1]["name"], format!("done.start.{id}"));
        assert_eq!(events[1]["data"], json!({ "answer": answer, "given": "x" }));
    }
    for (src, error, description) in [
        ("other", "start", "other"),
        ("script:none", "start", "script none does not exist"),
        ("ftp://x/", "invalidsrc", "ftp"),
        (
            peer.url("/private.scxml").as_str(),
            "start",
            "not among the destinations",
        ),
    ] {
        let events = run(&node, &format!("<session:start src=\"{src}\"/>"), 1);
        assert_eq!(events[0]["name"], "error.session.start", "{events:?}");
        assert_eq!(events[0]["data"]["error"], error, "{events:?}");
        let told = events[0]["data"]["description"].as_str().unwrap();
        assert!(told.contains(description), "{told}");
    }
}

#[test]
fn a_start_that_is_arranged_can_be_moved_and_taken_back() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    node.deploy("acme", "child", &CHILD.replace("src=\"answer.json\"", "expr=\"7\""));
    // Far ahead: then moved to now, in the step that hears of it.
    let later = collector("<session:start src=\"child\" delay=\"'3600s'\"/>").replace(
        "<transition event=\"*\">",
        "<transition event=\"session.start.done\"><script>heard.push({ name: _event.name, data: _event.data });</script>\
         <session:ACTION sessionid=\"_event.data.sessionid\" MORE/></transition><transition event=\"*\">",
    );
    let moved = later
        .replace("ACTION", "updatestart")
        .replace("MORE", "idealtime=\"'1000'\"");
    node.deploy("acme", "moves", &moved);
    let session = start(&node, "moves");
    let events = heard(&node, &session, 3);
    let id = events[0]["data"]["sessionid"].as_str().unwrap();
    assert_eq!(events[1]["name"], "session.updatestart.done", "{events:?}");
    assert_eq!(events[2]["name"], format!("done.start.{id}"));

    let taken_back = later.replace("ACTION", "terminate").replace("MORE", "");
    node.deploy("acme", "takes-back", &taken_back);
    let events = heard(&node, &start(&node, "takes-back"), 2);
    assert_eq!(events[1]["name"], "session.terminate.done", "{events:?}");

    let begun =
        format!("<session:updatestart sessionid=\"'{id}'\" delay=\"'1s'\"/><session:terminate sessionid=\"'{id}'\"/>");
    let events = run(&node, &begun, 2);
    for (event, name) in events
        .iter()
        .zip(["error.session.updatestart", "error.session.terminate"])
    {
        assert_eq!(
            (&event["name"], &event["data"]["error"]),
            (&json!(name), &json!("unknown"))
        );
    }
}

#[test]
fn a_strategy_ends_sessions_of_its_own_tenant_only() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    let waits = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0"><state id="a"/></scxml>"#;
    for tenant in ["acme", "globex"] {
        node.deploy(tenant, "idle", waits);
    }
    let ends = collector("<session:start src=\"idle\"/>").replace(
        "<transition event=\"*\">",
        "<transition event=\"session.start.done\"><script>heard.push({ name: _event.name, data: _event.data });</script>\
         <session:terminate sessionid=\"_event.data.sessionid\" reason=\"'enough'\"/></transition><transition event=\"*\">",
    );
    node.deploy("acme", "ends", &ends);
    let session = start(&node, "ends");
    let events = heard(&node, &session, 3);
    let id = events[0]["data"]["sessionid"].as_str().unwrap();
    let mut names = [&events[1]["name"], &events[2]["name"]].map(|n| n.as_str().unwrap().to_owned());
    names.sort();
    assert_eq!(names, [format!("done.start.{id}"), "session.terminate.done".into()]);
    let ended = node.get(&format!("/v1/sessions/{id}"));
    assert_eq!(
        ended["end"]["message"],
        format!("terminated by session {session}: enough")
    );
    let rest = Rest::new(&node);
    let (_, body) = rest.post("/scxml/session/start", &[("x-tenant", "globex")], "src=idle");
    let body: Value = serde_json::from_str(&body).unwrap();
    let others = body["sessionid"].as_str().unwrap();
    let events = run(&node, &format!("<session:terminate sessionid=\"'{others}'\"/>"), 1);
    assert_eq!(
        (&events[0]["name"], &events[0]["data"]["error"]),
        (&json!("error.session.terminate"), &json!("unknown"))
    );
    assert_eq!(node.get(&format!("/v1/sessions/{others}"))["state"], "running");
}

#[test]
fn rest_starts_a_session_at_its_time_and_takes_it_back() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    node.deploy(
        "acme",
        "reports",
        &collector(&format!("<session:fetch srcexpr=\"'{}'\"/>", peer.url("/crm/begun"))),
    );
    let at = |ms: u64| {
        let body = json!({ "src": "reports", "idealtime": (now_ms() + ms).to_string() });
        node.rest(Method::POST, "/scxml/session/start", Some(body))
    };
    let (status, soon) = at(300);
    assert_eq!(status, 200, "{soon}");
    assert_eq!(peer.next().what, "GET /crm/begun");
    let id = soon["sessionid"].as_str().unwrap();
    assert_eq!(node.get(&format!("/v1/sessions/{id}"))["state"], "running");

    let (_, later) = at(3_600_000);
    let id = later["sessionid"].as_str().unwrap();
    let terminate = || {
        node.rest(Method::POST, &format!("/scxml/session/{id}/terminate"), None)
            .0
    };
    assert_eq!(
        node.rest(Method::GET, &format!("/scxml/session/{id}/query"), None).0,
        404
    );
    assert_eq!((terminate(), terminate()), (200, 404));
    let never = format!("<session:start src=\"{}\" delay=\"'300ms'\"/>", peer.url("/docs/never"));
    let arranged = run(&node, &never, 1);
    let id = arranged[0]["data"]["sessionid"].as_str().unwrap();
    assert_eq!(peer.next().what, "GET /docs/never");
    let terminate = || {
        node.rest(Method::POST, &format!("/scxml/session/{id}/terminate"), None)
            .0
    };
    assert_eq!((terminate(), terminate()), (200, 404), "while its document is fetched");
    let (status, far) = at(400 * 24 * 3_600_000);
    assert_eq!((status, &far["code"]), (400, &json!("not-started")), "{far}");
}

#[test]
fn a_response_to_nobody_is_an_event_with_a_reason() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    let events = run(
        &node,
        "<ws:response requestid=\"'nobody'\"/><ws:response requestid=\"'x'\" resultcode=\"99\"/>",
        2,
    );
    for (event, error) in events.iter().zip(["unknown", "invalidattribute"]) {
        assert_eq!(event["name"], "error.ws.response", "{event}");
        assert_eq!(event["data"]["error"], error, "{event}");
        assert!(event["data"]["requestid"].is_string() && event["data"]["description"].is_string());
    }
}

#[test]
fn a_session_is_reached_at_its_location_without_a_key_and_nowhere_else() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    node.deploy(
        "acme",
        "collector",
        &collector("<script>heard.push(_ioprocessors['basichttp'].location);</script>"),
    );
    let session = start(&node, "collector");
    let at = heard(&node, &session, 1)[0].as_str().unwrap().to_owned();
    let server = format!("https://127.0.0.1:{}", node.http);
    assert!(
        at.starts_with(&format!("{server}/scxml/session/{session}/basichttp/")),
        "{at}"
    );
    let rest = Rest::new(&node);
    let post = |url: &str, kind: &str, body: &str| rest.bare(url, kind, body);
    // W3C's test 513: a well-formed message is answered 200.
    assert_eq!(post(&at, FORM, "_scxmleventname=agent.ready&dn=2301"), 200);
    assert_eq!(post(&at, "application/json", "{\"n\": 1}"), 200);
    assert_eq!(
        post(&format!("{at}?_scxmleventname=a.text"), "text/plain", "hello"),
        200
    );
    assert_eq!(post(&at, FORM, "_scxmleventname=not+a+name"), 400);
    assert_eq!(post(&format!("{}x", &at[..at.len() - 1]), FORM, "a=1"), 404);
    assert_eq!(
        post(&format!("{server}/scxml/session/{session}/basichttp"), FORM, "a=1"),
        401
    );
    let events = heard(&node, &session, 4);
    assert_eq!(
        (&events[1]["name"], &events[1]["data"]),
        (&json!("agent.ready"), &json!({ "dn": "2301" }))
    );
    let raw = events[1]["raw"].as_str().unwrap();
    assert!(
        raw.starts_with("POST /scxml/session/") && raw.ends_with("\r\n\r\n_scxmleventname=agent.ready&dn=2301"),
        "{raw}"
    );
    assert_eq!(
        events[1]["origintype"],
        "http://www.w3.org/TR/scxml/#BasicHTTPEventProcessor"
    );
    assert_eq!(
        (&events[2]["name"], &events[2]["data"]),
        (&json!("HTTP.POST"), &json!({ "n": 1 }))
    );
    assert_eq!(
        (&events[3]["name"], &events[3]["data"]),
        (&json!("a.text"), &json!("hello"))
    );
    // Whoever has a key needs no location.
    let (status, _) = node.rest(
        Method::POST,
        &format!("/scxml/session/{session}/basichttp?_scxmleventname=keyed"),
        Some(json!([1])),
    );
    assert_eq!(status, 200);
    let events = heard(&node, &session, 5);
    assert_eq!((&events[4]["name"], &events[4]["data"]), (&json!("keyed"), &json!([1])));
}

#[test]
fn a_session_posts_to_servers_that_are_allowed_and_to_other_sessions() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    let send = |target: &str, inner: &str| {
        format!("<send type=\"basichttp\" event=\"go\" id=\"s\" target=\"{target}\">{inner}</send>")
    };
    node.deploy(
        "acme",
        "posts",
        &collector(&send(&peer.url("/crm/peer"), "<param name=\"a\" expr=\"1\"/>")),
    );
    start(&node, "posts");
    let asked = peer.next();
    assert_eq!(
        (asked.what.as_str(), asked.content_type.as_str(), asked.body.as_str()),
        (
            "POST /crm/peer",
            "application/x-www-form-urlencoded",
            "_scxmleventname=go&a=1"
        )
    );
    for (target, words) in [
        (peer.url("/crm/busy"), "the server answers 503"),
        (peer.url("/private"), "not among the destinations"),
        ("nonsense".into(), "is no URL"),
        (
            format!("https://127.0.0.1:{}/scxml/session/X/basichttp/0", node.http),
            "no session at this location",
        ),
    ] {
        let events = run(&node, &send(&target, ""), 1);
        assert_eq!(
            (&events[0]["name"], &events[0]["sendid"]),
            (&json!("error.communication"), &json!("s")),
            "{events:?}"
        );
        let told = events[0]["data"]["message"].as_str().unwrap();
        assert!(told.contains(words), "{told}");
    }
    // From one session to another's location.
    node.deploy(
        "acme",
        "collector",
        &collector("<script>heard.push(_ioprocessors['basichttp'].location);</script>"),
    );
    node.deploy("globex", "collector", &collector(""));
    let other = start(&node, "collector");
    let at = heard(&node, &other, 1)[0].as_str().unwrap().to_owned();
    node.deploy(
        "acme",
        "posts",
        &collector(&send(&at, "<content>hello there</content>")),
    );
    start(&node, "posts");
    let events = heard(&node, &other, 2);
    assert_eq!(
        (&events[1]["name"], &events[1]["data"]),
        (&json!("go"), &json!("hello there"))
    );
}

#[test]
fn a_document_of_a_server_that_is_allowed_can_be_invoked_with_what_it_includes() {
    let peer = Peer::start(answers);
    let node = node(&peer);
    let invokes = |url: &str| {
        collector("").replacen(
            "<onentry></onentry>",
            &format!("<invoke id=\"child\" src=\"{url}\"><param name=\"given\" expr=\"'x'\"/></invoke>"),
            1,
        )
    };
    node.deploy("acme", "invokes", &invokes(&peer.url("/docs/child.scxml")));
    let events = heard(&node, &start(&node, "invokes"), 1);
    assert_eq!(events[0]["name"], "done.invoke.child", "{events:?}");
    assert_eq!(events[0]["data"], json!({ "answer": 42, "given": "x" }));
    assert_eq!(peer.next().what, "GET /docs/child.scxml");
    assert_eq!(peer.next().what, "GET /docs/answer.json");
    node.deploy("acme", "invokes", &invokes(&peer.url("/private/child.scxml")));
    let events = heard(&node, &start(&node, "invokes"), 1);
    assert_eq!(events[0]["name"], "error.communication", "{events:?}");
    assert!(peer.asked.try_recv().is_err(), "nothing was asked for");
}
