//! The client against real servers on loopback.

#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

use axum::body::{Body, Bytes};
use axum::extract::Request as Asked;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use pointsman_web::http::Method;
use pointsman_web::{AllowList, Answer, Error, Freshness, Options, Request, Web};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A request: method, path, header fields, body.
type Entry = (String, String, HeaderMap, Bytes);

/// What a server was asked.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Entry>>>);

impl Seen {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn last(&self) -> Entry {
        self.0.lock().unwrap().last().unwrap().clone()
    }
}

struct Server {
    at: SocketAddr,
    seen: Seen,
}

/// A server that answers with what `answer` makes of path and headers.
async fn server(answer: impl Fn(&str, &HeaderMap) -> Response + Clone + Send + Sync + 'static) -> Server {
    let seen = Seen::default();
    let noted = seen.clone();
    let app = Router::new().fallback(move |request: Asked| {
        let (noted, answer) = (noted.clone(), answer.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let path = parts.uri.to_string();
            let said = answer(&path, &parts.headers);
            let entry = (parts.method.to_string(), path, parts.headers, body);
            noted.0.lock().unwrap().push(entry);
            said
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Server { at, seen }
}

fn client(options: Options) -> Web {
    // The tests of one process share it: only the first one's call succeeds.
    let _already = rustls::crypto::ring::default_provider().install_default();
    Web::new(options).unwrap()
}

fn web() -> Web {
    client(Options::default())
}

fn allow(entries: &[String]) -> AllowList {
    AllowList::new(entries.iter().map(|e| e.parse().unwrap()))
}

fn all_of(server: &Server) -> AllowList {
    allow(&[format!("http://{}/", server.at)])
}

fn get(server: &Server, path: &str) -> Request {
    Request::get(format!("http://{}{path}", server.at).parse().unwrap())
}

async fn text(web: &Web, allow: &AllowList, request: Request) -> Result<String, Error> {
    web.send("acme", allow, request)
        .await
        .map(|a: Answer| a.text().unwrap())
}

fn redirect(status: u16, to: &str) -> Response {
    let location = [(header::LOCATION, HeaderValue::from_str(to).unwrap())];
    (StatusCode::from_u16(status).unwrap(), location).into_response()
}

#[tokio::test]
async fn nothing_that_is_not_allowed_is_asked_for() {
    let server = server(|_, _| "hello".into_response()).await;
    let web = web();
    let refused = web
        .send("acme", &AllowList::default(), get(&server, "/x?secret=1"))
        .await;
    assert_eq!(
        refused.unwrap_err(),
        Error::NotAllowed(format!("http://{}/x", server.at))
    );
    let below = allow(&[format!("http://{}/api/", server.at)]);
    for path in ["/", "/api/../x", "/api/%2e%2e/x", "/api/..%2fx"] {
        let refused = web.send("acme", &below, get(&server, path)).await;
        assert!(matches!(refused, Err(Error::NotAllowed(_))), "{path}");
    }
    assert_eq!(server.seen.count(), 0);
    assert_eq!(text(&web, &below, get(&server, "/api/x")).await.unwrap(), "hello");
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_they_are_allowed_and_never_for_ever() {
    let other = server(|_, _| "other".into_response()).await;
    let away = format!("http://{}/x?token=1", other.at);
    let server = server(move |path, _| match path {
        "/loop" => redirect(302, "/loop"),
        "/away" => redirect(307, &away),
        "/out" => redirect(302, "/private/x"),
        "/file" => redirect(302, "file:///etc/passwd"),
        "/user" => redirect(302, "http://user:secret@127.0.0.1/"),
        "/1" => redirect(301, "2"),
        "/2" => redirect(302, "/3?x=y"),
        other => format!("at {other}").into_response(),
    })
    .await;
    let web = web();
    let own = all_of(&server);
    assert_eq!(text(&web, &own, get(&server, "/1")).await.unwrap(), "at /3?x=y");
    assert_eq!(
        text(&web, &own, get(&server, "/loop")).await,
        Err(Error::TooManyRedirects(5))
    );
    let to_other = Error::RedirectNotAllowed(format!("http://{}/x", other.at));
    assert_eq!(text(&web, &own, get(&server, "/away")).await, Err(to_other));
    for path in ["/file", "/user"] {
        let refused = text(&web, &own, get(&server, path)).await.unwrap_err();
        assert!(matches!(refused, Error::Url { .. }), "{refused}");
        assert!(!refused.to_string().contains("secret@"), "{refused}");
    }
    let only = allow(&[format!("http://{}/out", server.at)]);
    let private = Error::RedirectNotAllowed(format!("http://{}/private/x", server.at));
    assert_eq!(text(&web, &only, get(&server, "/out")).await, Err(private));
    assert_eq!(other.seen.count(), 0);
}

#[tokio::test]
async fn what_was_meant_for_one_server_is_not_given_to_another() {
    let other = server(|_, _| "other".into_response()).await;
    let away = format!("http://{}/", other.at);
    let server = server(move |path, _| match path {
        "/see" => redirect(303, &away),
        "/found" => redirect(302, "/here"),
        "/again" => redirect(308, &away),
        _ => "here".into_response(),
    })
    .await;
    let both = all_of(&server).with([format!("http://{}/", other.at).parse().unwrap()]);
    let post = |path: &str| {
        let mut request = get(&server, path);
        request.method = Method::POST;
        request.body = Bytes::from_static(b"a=1");
        request
            .headers
            .insert(header::AUTHORIZATION, HeaderValue::from_static("Basic x"));
        request.headers.insert("x-own", HeaderValue::from_static("1"));
        request
    };
    let web = web();
    text(&web, &both, post("/see")).await.unwrap();
    let (method, _, headers, body) = other.seen.last();
    assert_eq!((method.as_str(), body.len()), ("GET", 0));
    assert!(!headers.contains_key("authorization") && headers.contains_key("x-own"));
    text(&web, &both, post("/again")).await.unwrap();
    let (method, _, headers, body) = other.seen.last();
    assert_eq!((method.as_str(), &body[..]), ("POST", &b"a=1"[..]));
    assert!(!headers.contains_key("authorization"));
    text(&web, &both, post("/found")).await.unwrap();
    let (method, path, headers, _) = server.seen.last();
    assert_eq!((method.as_str(), path.as_str()), ("GET", "/here"));
    assert!(headers.contains_key("authorization"), "the same server");
}

#[tokio::test]
async fn a_name_does_not_lead_to_this_machine_but_localhost_does() {
    let server = server(|_, _| "here".into_response()).await;
    let port = server.at.port();
    let url = format!("http://localhost:{port}/");
    let request = Request::get(url.parse().unwrap());
    assert_eq!(text(&web(), &allow(&[url]), request).await.unwrap(), "here");
    // A name of this machine, where the system has one.
    for name in ["ip6-localhost", "localhost.localdomain"] {
        let url = format!("http://{name}:{port}/");
        let request = Request::get(url.parse().unwrap());
        let refused = text(&web(), &allow(&[url]), request).await.unwrap_err();
        assert!(matches!(refused, Error::Failed(_)), "{refused}");
    }
    assert_eq!(server.seen.count(), 1);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let server = server(|path, _| {
        let large = Bytes::from(vec![b'x'; 2000]);
        match path {
            "/announced" => large.into_response(),
            "/short" => "x".into_response(),
            _ => {
                let chunks = (0..100).map(move |_| Ok::<_, std::io::Error>(large.clone()));
                Body::from_stream(tokio_stream(chunks)).into_response()
            }
        }
    })
    .await;
    let web = web();
    for path in ["/announced", "/chunks"] {
        let mut request = get(&server, path);
        request.max_body = 1999;
        assert_eq!(
            text(&web, &all_of(&server), request).await,
            Err(Error::TooLarge(1999)),
            "{path}"
        );
    }
}

/// Chunks one after the other.
fn tokio_stream<T: Send + 'static>(
    items: impl Iterator<Item = Result<T, std::io::Error>> + Send + 'static,
) -> impl axum_stream::Stream<Item = Result<T, std::io::Error>> {
    axum_stream::Iter(Box::new(items))
}

/// As much of a stream as a test needs.
mod axum_stream {
    pub use futures_core::Stream;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    pub struct Iter<T>(pub Box<dyn Iterator<Item = T> + Send>);

    impl<T> Stream for Iter<T> {
        type Item = T;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
            Poll::Ready(self.0.next())
        }
    }
}

#[tokio::test]
async fn a_server_that_is_slow_or_speaks_no_http_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // Kept, so that nobody is told that they are closed.
        let mut open = Vec::new();
        for turn in 0.. {
            let Ok((mut stream, _)) = listener.accept().await else {
                return;
            };
            let mut asked = [0; 1024];
            let _read = stream.read(&mut asked).await;
            let said: &[u8] = match turn {
                0 => b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
                1 => b"220 smtp.example ESMTP\r\n",
                _ => b"",
            };
            let _written = stream.write_all(said).await;
            if turn == 0 {
                open.push(stream);
            }
        }
    });
    let allowed = allow(&[format!("http://{at}/")]);
    let ask = || {
        let mut request = Request::get(format!("http://{at}/").parse().unwrap());
        request.timeout = Duration::from_millis(300);
        request
    };
    let web = web();
    let slow = text(&web, &allowed, ask()).await;
    assert_eq!(slow, Err(Error::Timeout(Duration::from_millis(300))));
    for _ in 0..2 {
        let wrong = text(&web, &allowed, ask()).await.unwrap_err();
        assert!(matches!(wrong, Error::Failed(_)), "{wrong}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/");
    let request = Request::get(url.parse().unwrap());
    let gone = text(&web, &allow(&[url]), request).await.unwrap_err();
    assert!(gone.to_string().starts_with("the server cannot be reached: "), "{gone}");
}

fn validated(body: &'static str, headers: &HeaderMap) -> Response {
    let tag = format!("\"{body}\"");
    let same = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|v| v.as_bytes() == tag.as_bytes());
    let fields = [(header::ETAG, tag), (header::CACHE_CONTROL, "max-age=0".to_owned())];
    if same {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    (fields, body).into_response()
}

#[tokio::test]
async fn an_answer_is_used_again_while_it_is_fresh_and_asked_about_when_it_is_not() {
    let server = server(|path, headers| match path {
        "/fresh" => ([(header::CACHE_CONTROL, "max-age=600")], "fresh").into_response(),
        "/private?x" => ([(header::CACHE_CONTROL, "max-age=600")], "mine").into_response(),
        "/etag" => validated("tagged", headers),
        "/vary" => (
            [(header::CACHE_CONTROL, "max-age=600"), (header::VARY, "accept")],
            "vary",
        )
            .into_response(),
        _ => "silent".into_response(),
    })
    .await;
    let options = Options {
        no_cache: vec!["private?x".into()],
        ..Options::default()
    };
    let (web, own) = (client(options), all_of(&server));
    let ask = async |path: &str, freshness: Freshness| {
        let mut request = get(&server, path);
        request.freshness = freshness;
        let said = text(&web, &own, request).await.unwrap();
        (said, server.seen.count())
    };
    let any = Freshness::default();
    assert_eq!(ask("/fresh", any).await, ("fresh".into(), 1));
    assert_eq!(ask("/fresh", any).await, ("fresh".into(), 1));
    let now = Freshness {
        max_age: Some(Duration::ZERO),
        ..any
    };
    assert_eq!(ask("/fresh", now).await.1, 2, "not older than 0 s");
    let another = web.send("globex", &own, get(&server, "/fresh")).await.unwrap();
    assert_eq!(
        (another.status, server.seen.count()),
        (200, 3),
        "another's is another's"
    );
    assert_eq!(ask("/silent", any).await.1, 4);
    assert_eq!(ask("/silent", any).await.1, 5);
    assert_eq!(ask("/private?x", any).await.1, 6);
    assert_eq!(ask("/private?x", any).await.1, 7, "http-no-cache-urls");
    assert_eq!(ask("/etag", any).await, ("tagged".into(), 8));
    assert_eq!(ask("/etag", any).await, ("tagged".into(), 9));
    assert_eq!(server.seen.last().2[header::IF_NONE_MATCH], "\"tagged\"");
    let stale = Freshness {
        max_stale: Some(Duration::from_secs(60)),
        ..any
    };
    assert_eq!(
        ask("/etag", stale).await,
        ("tagged".into(), 9),
        "60 s beyond its time will do"
    );
    assert_eq!(ask("/vary", any).await.1, 10);
    let mut other = get(&server, "/vary");
    other
        .headers
        .insert(header::ACCEPT, HeaderValue::from_static("text/plain"));
    text(&web, &own, other).await.unwrap();
    assert_eq!(server.seen.count(), 11);
    // A change through us: what is kept may be wrong.
    assert_eq!(ask("/fresh", any).await.1, 11);
    let mut post = get(&server, "/fresh");
    post.method = Method::POST;
    text(&web, &own, post).await.unwrap();
    assert_eq!(ask("/fresh", any).await.1, 13);
}

#[tokio::test]
async fn what_was_asked_for_with_a_header_of_ones_own_is_nobody_elses() {
    let server = server(|_, headers| {
        let who = headers.get("x-customer").map_or("nobody", |v| v.to_str().unwrap());
        ([(header::CACHE_CONTROL, "max-age=600")], who.to_owned()).into_response()
    })
    .await;
    let (web, own) = (web(), all_of(&server));
    let ask = async |who: Option<&'static str>| {
        let mut request = get(&server, "/me");
        if let Some(who) = who {
            request.headers.insert("x-customer", HeaderValue::from_static(who));
        }
        (text(&web, &own, request).await.unwrap(), server.seen.count())
    };
    assert_eq!(ask(Some("one")).await, ("one".into(), 1));
    assert_eq!(ask(Some("two")).await, ("two".into(), 2));
    assert_eq!(ask(None).await, ("nobody".into(), 3));
    assert_eq!(ask(None).await, ("nobody".into(), 3));
    assert_eq!(ask(Some("one")).await, ("one".into(), 4));
}

#[tokio::test]
async fn a_server_that_says_that_nothing_has_changed_need_not_say_since_when() {
    let server = server(|path, headers| {
        let conditions = headers.contains_key(header::IF_NONE_MATCH);
        let fields = |tag: &'static str| [(header::CACHE_CONTROL, "max-age=0"), (header::ETAG, tag)];
        match path {
            "/bare" if conditions => StatusCode::NOT_MODIFIED.into_response(),
            "/wrong" if conditions => (StatusCode::NOT_MODIFIED, fields("\"2\"")).into_response(),
            _ => (fields("\"1\""), "kept").into_response(),
        }
    })
    .await;
    let (web, own) = (web(), all_of(&server));
    for (path, asked) in [("/bare", 1), ("/bare", 2), ("/bare", 3), ("/wrong", 4), ("/wrong", 6)] {
        let answer = web.send("acme", &own, get(&server, path)).await.unwrap();
        assert_eq!((answer.status, answer.text().unwrap()), (200, "kept".into()), "{path}");
        assert_eq!(server.seen.count(), asked, "{path}");
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_stood_in_for_by_what_it_last_said_where_that_is_asked_for() {
    let down = Arc::new(Mutex::new(false));
    let is_down = down.clone();
    let server = server(move |path, headers| {
        if *is_down.lock().unwrap() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        if path == "/strict" {
            let fields = [
                (header::ETAG, "\"1\""),
                (header::CACHE_CONTROL, "must-revalidate, max-age=0"),
            ];
            return (fields, "strict").into_response();
        }
        validated("last", headers)
    })
    .await;
    let (web, own) = (web(), all_of(&server));
    let ask = async |path: &str, stand_in: bool| {
        let mut request = get(&server, path);
        request.freshness.max_stale_if_error = stand_in.then_some(Duration::from_secs(60));
        web.send("acme", &own, request).await.unwrap().status
    };
    assert_eq!((ask("/x", true).await, ask("/strict", true).await), (200, 200));
    *down.lock().unwrap() = true;
    assert_eq!(ask("/x", true).await, 200);
    assert_eq!(ask("/strict", true).await, 503, "its server forbids it");
    assert_eq!(ask("/x", false).await, 503);
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_and_one_of_a_known_is_not() {
    let _already = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
    let tls = axum_server::tls_rustls::RustlsConfig::from_der(
        vec![made.cert.der().to_vec()],
        made.signing_key.serialize_der(),
    )
    .await
    .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = listener.local_addr().unwrap();
    let app = Router::new().route("/", routing::get(|| async { "secret" }));
    let server = axum_server::from_tcp_rustls(listener, tls).unwrap();
    tokio::spawn(server.serve(app.into_make_service()));
    let url = format!("https://{at}/");
    let allowed = allow(std::slice::from_ref(&url));
    let ask = async |web: &Web| text(web, &allowed, Request::get(url.parse().unwrap())).await;
    let refused = ask(&web()).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
    let trusting = Options {
        roots: Some(made.cert.pem().into_bytes()),
        ..Options::default()
    };
    assert_eq!(ask(&client(trusting)).await.unwrap(), "secret");
    let none = Options {
        roots: Some(b"no certificate".to_vec()),
        ..Options::default()
    };
    assert!(Web::new(none).is_err());
}

#[test]
fn what_can_be_fetched_is_a_url_of_the_web_without_a_password() {
    let base = "http://a/docs/x.scxml".parse().unwrap();
    assert_eq!(Web::url("y.js", Some(&base)).unwrap().as_str(), "http://a/docs/y.js");
    assert_eq!(Web::url("https://b/", None).unwrap().as_str(), "https://b/");
    for text in ["y.js", "file:///etc/passwd", "http://u:p@a/", "javascript:1", ""] {
        assert!(matches!(Web::url(text, None), Err(Error::Url { .. })), "{text}");
    }
    assert!(Web::url(&format!("http://a/{}", "x".repeat(9000)), None).is_err());
}
