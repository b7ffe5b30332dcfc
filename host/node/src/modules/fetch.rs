//! `session:fetch`: a request to a web server. What comes back is an event.
//!
//! The answer's body is always a text, also that of `type="'application/json'"`: ORS's strategies parse it themselves.

use super::{Asked, Modules, Params, Problem, Progress, duration, kind, lost, number, short, text, text_of};
use base64::Engine as _;
use pointsman_contract::MAX_EVENT_DATA;
use pointsman_session::runtime::Info;
use pointsman_store::Tenant;
use pointsman_web::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use pointsman_web::url::{Url, form_urlencoded};
use pointsman_web::{Answer, Freshness, Request, Web};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a request may take where it does not say, and at most.
const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_TIMEOUT: Duration = Duration::from_secs(300);

/// Attempts after the first where `gdelivery` asks for them and `gd_retries` does not say how many, and at most; and how long
/// between them.
const RETRIES: u32 = 3;
const MAX_RETRIES: u32 = 10;
const INTERVAL: Duration = Duration::from_secs(5);
const MAX_INTERVAL: Duration = Duration::from_secs(600);

/// Header fields of a request, and their bytes.
const MAX_HEADERS: usize = 50;
const MAX_HEADER_BYTES: usize = 16 << 10;

/// Bytes of the answer's header fields that a strategy is given.
const MAX_HINT_BYTES: usize = 8 << 10;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// What the client makes itself.
const NOT_FOR_AUTHORS: [HeaderName; 9] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::EXPECT,
    header::TE,
    header::TRAILER,
    header::PROXY_AUTHORIZATION,
];

/// A fetch that is to be made.
#[derive(Debug)]
struct Fetch {
    request: Request,
    /// Attempts after the first.
    retries: u32,
    interval: Duration,
    /// It changes something, or its delivery is asked for: it goes on though the session ends.
    goes_on: bool,
}

impl Modules {
    pub(super) fn fetch(&self, session: &Info, asked: &Asked, params: &Params) -> Result<Progress, Problem> {
        let base = self.0.programs.base(session.id);
        let fetch = plan(params, base.as_ref())?;
        if !self.0.outgoing.allowed(&session.tenant).allows(&fetch.request.url) {
            let server = fetch.request.url.origin().ascii_serialization();
            let why = format!(
                "{server}{} is not among the destinations that are allowed: add it to `allow` in the tenant's [tenant.http]",
                fetch.request.url.path()
            );
            return Err(Problem::new("notallowed", why));
        }
        let (this, tenant, session, asked) = (self.clone(), session.tenant.clone(), session.id, asked.clone());
        let (command, goes_on) = (asked.command, fetch.goes_on);
        let lost = {
            let (this, asked) = (this.clone(), asked.clone());
            move || this.failed(session, &asked, &lost())
        };
        let work = async move {
            match this.fetched(&tenant, fetch).await {
                Ok(data) => this.done(session, &asked, data),
                Err(problem) => this.failed(session, &asked, &problem),
            }
        };
        let begun = self.0.outstanding.begin(&self.0.tasks, command, !goes_on, work, lost);
        begun
            .map(|()| Progress::Later)
            .map_err(|why| Problem::new("overload", why))
    }

    async fn fetched(&self, tenant: &Tenant, fetch: Fetch) -> Result<Params, Problem> {
        let Fetch {
            request,
            retries,
            interval,
            goes_on: _,
        } = fetch;
        for _ in 0..retries {
            match self.attempt(tenant, request.clone()).await {
                Err(problem) if problem.1 => tokio::time::sleep(interval).await,
                other => return other.map_err(|(problem, _)| problem),
            }
        }
        self.attempt(tenant, request).await.map_err(|(problem, _)| problem)
    }

    /// One attempt; of one that came to nothing, whether another may be better.
    async fn attempt(&self, tenant: &Tenant, request: Request) -> Result<Params, (Problem, bool)> {
        use pointsman_web::Error::{Failed, Overloaded, Timeout};
        let answer = self.0.outgoing.send(tenant, request).await.map_err(|error| {
            let again = matches!(error, Failed(_) | Timeout(_) | Overloaded(_));
            (no_answer(error.to_string()), again)
        })?;
        let status = answer.status;
        if !(200..300).contains(&status) {
            let reason = pointsman_web::http::StatusCode::from_u16(status).ok();
            let reason = reason.and_then(|s| s.canonical_reason()).unwrap_or_default();
            let problem = Problem {
                error: status.into(),
                description: format!("the server answers {status} {reason}").trim_end().to_owned(),
            };
            let again = status >= 500 || status == 429;
            return Err((problem, again));
        }
        told(&answer).map_err(|problem| (problem, false))
    }
}

/// There was no answer that a strategy could be given: ORS's `0`.
fn no_answer(description: impl Into<String>) -> Problem {
    Problem {
        error: 0.into(),
        description: description.into(),
    }
}

fn told(answer: &Answer) -> Result<Params, Problem> {
    let content = answer
        .text()
        .ok_or_else(|| no_answer("what the server answers is not a text in UTF-8"))?;
    let data = json!({ "content": content, "hints": hints(&answer.headers), "status": answer.status });
    let size = data.to_string().len();
    // The request's id has to fit as well.
    if size + 1024 > MAX_EVENT_DATA {
        let why = format!("the answer takes {size} bytes; a strategy is given at most {MAX_EVENT_DATA} with an event");
        return Err(no_answer(why));
    }
    match data {
        Value::Object(data) => Ok(data),
        _ => Ok(Params::new()),
    }
}

/// Header fields by their names in lower case.
fn hints(headers: &HeaderMap) -> Params {
    let mut out = Params::new();
    let mut bytes = 0;
    for name in headers.keys() {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|v| String::from_utf8_lossy(v.as_bytes()))
            .collect();
        let value = values.join(", ");
        bytes += name.as_str().len() + value.len();
        if bytes > MAX_HINT_BYTES {
            break;
        }
        out.insert(name.as_str().to_owned(), value.into());
    }
    out
}

fn plan(params: &Params, base: Option<&Url>) -> Result<Fetch, Problem> {
    let src = text(params, &["src", "srcexpr"])?.ok_or_else(|| Problem::invalid("`src` is missing"))?;
    let mut url = Web::url(&src, base).map_err(|e| Problem::new("invaliddestination", e.to_string()))?;
    let method = text(params, &["method"])?.unwrap_or_else(|| "get".into());
    let method = match method.to_ascii_lowercase().as_str() {
        "get" => Method::GET,
        "post" => Method::POST,
        "put" => Method::PUT,
        "delete" => Method::DELETE,
        "esp" | "urs" => {
            let why = format!(
                "this host has no transport `{}`: get, post, put and delete are there",
                short(&method)
            );
            return Err(Problem::new("notsupported", why));
        }
        _ => {
            let why = format!("`method` is `{}`: get, post, put and delete are there", short(&method));
            return Err(Problem::invalid(why));
        }
    };
    let mut headers = headers(params.get("headers"))?;
    let fields = match params.get("params") {
        None | Some(Value::Null) => Params::new(),
        Some(Value::Object(fields)) => fields.clone(),
        Some(other) => return Err(Problem::invalid(format!("`params` is {}, not an object", kind(other)))),
    };
    let content = params.get("content").filter(|c| !c.is_null());
    let enctype = text(params, &["enctype"])?;
    let has_body = matches!(method, Method::POST | Method::PUT);
    let (body, media) = match (content, &enctype) {
        _ if !has_body => {
            if !fields.is_empty() {
                let query = form(&fields);
                let query = match url.query() {
                    Some(own) if !own.is_empty() => format!("{own}&{query}"),
                    _ => query,
                };
                url.set_query(Some(&query));
            }
            (String::new(), None)
        }
        (Some(Value::String(text)), enctype) => (text.clone(), Some(enctype.as_deref().unwrap_or("text/plain"))),
        (Some(other), enctype) => (other.to_string(), Some(enctype.as_deref().unwrap_or(JSON))),
        (None, Some(media)) if media.eq_ignore_ascii_case(JSON) => (Value::Object(fields).to_string(), Some(JSON)),
        (None, None) => (form(&fields), Some(FORM)),
        (None, Some(media)) if media.eq_ignore_ascii_case(FORM) => (form(&fields), Some(FORM)),
        (None, Some(media)) => {
            let why = format!(
                "`enctype` is `{}`: parameters are sent as {FORM} or {JSON}; give the body as `content`",
                short(media)
            );
            return Err(Problem::invalid(why));
        }
    };
    if let Some(media) = media {
        let value = HeaderValue::from_str(media).map_err(|e| Problem::invalid(format!("`enctype`: {e}")))?;
        headers.entry(header::CONTENT_TYPE).or_insert(value);
    }
    if let Some(media) = text(params, &["type"])? {
        let value = HeaderValue::from_str(&media).map_err(|e| Problem::invalid(format!("`type`: {e}")))?;
        headers.entry(header::ACCEPT).or_insert(value);
    }
    if let Some(user) = text(params, &["username"])? {
        let password = text(params, &["password"])?.unwrap_or_default();
        let both = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let mut value = HeaderValue::from_str(&format!("Basic {both}"))
            .map_err(|e| Problem::invalid(format!("`username`: {e}")))?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    let timeout = duration(params, "timeout")?.filter(|t| !t.is_zero()).unwrap_or(TIMEOUT);
    let guaranteed = params
        .get("gdelivery")
        .is_some_and(|g| g.as_bool() == Some(true) || g.as_str().is_some_and(|t| t.eq_ignore_ascii_case("true")));
    // A post that was carried out and not answered would be carried out twice: only who asks for that gets it.
    let asked = number(params, "gd_retries")?.map(|n| n as u32);
    let retries = match (guaranteed, asked) {
        (true, asked) => asked.unwrap_or(RETRIES),
        (false, Some(asked)) if method != Method::POST => asked,
        (false, _) => 0,
    };
    let goes_on = guaranteed || method != Method::GET;
    let interval = duration(params, "gd_retry_interval")?.unwrap_or(INTERVAL);
    Ok(Fetch {
        request: Request {
            method,
            url,
            headers,
            body: body.into(),
            timeout: timeout.min(MAX_TIMEOUT),
            max_body: MAX_EVENT_DATA,
            freshness: Freshness {
                max_age: duration(params, "maxage")?,
                max_stale: duration(params, "maxstale")?,
                max_stale_if_error: None,
            },
            reserved: false,
        },
        retries: retries.min(MAX_RETRIES),
        interval: interval.min(MAX_INTERVAL),
        goes_on,
    })
}

/// Names and values as a form or a query has them.
fn form(fields: &Params) -> String {
    let mut out = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        let value = match value {
            Value::Null => String::new(),
            other => text_of(other).unwrap_or_else(|| other.to_string()),
        };
        out.append_pair(name, &value);
    }
    out.finish()
}

fn headers(given: Option<&Value>) -> Result<HeaderMap, Problem> {
    let fields = match given {
        None | Some(Value::Null) => return Ok(HeaderMap::new()),
        Some(Value::Object(fields)) => fields,
        Some(other) => return Err(Problem::invalid(format!("`headers` is {}, not an object", kind(other)))),
    };
    let mut out = HeaderMap::new();
    let mut bytes = 0;
    for (name, value) in fields {
        let wrong = |why: &str| Problem::invalid(format!("`headers`: `{}` {why}", short(name)));
        let value = text_of(value).ok_or_else(|| wrong("has no text for a value"))?;
        bytes += name.len() + value.len();
        if out.len() >= MAX_HEADERS || bytes > MAX_HEADER_BYTES {
            let why = format!("`headers` has more than {MAX_HEADERS} fields or {MAX_HEADER_BYTES} bytes");
            return Err(Problem::invalid(why));
        }
        let field: HeaderName = name.parse().map_err(|_| wrong("is no name of a header field"))?;
        if NOT_FOR_AUTHORS.contains(&field) {
            return Err(wrong("is the client's own business"));
        }
        let value = value
            .parse()
            .map_err(|_| wrong("has a value that a header field cannot hold"))?;
        out.insert(field, value);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

    use super::*;

    fn planned(params: Value) -> Result<Fetch, Problem> {
        let Value::Object(params) = params else { unreachable!() };
        let base = "http://docs/app/x.scxml".parse().unwrap();
        plan(&params, Some(&base))
    }

    fn sent(params: Value) -> (String, String, String, String) {
        let Request {
            method,
            url,
            headers,
            body,
            ..
        } = planned(params).unwrap().request;
        let media = headers.get(header::CONTENT_TYPE).map_or("", |v| v.to_str().unwrap());
        let body = String::from_utf8(body.to_vec()).unwrap();
        (method.to_string(), url.to_string(), media.to_owned(), body)
    }

    fn expect(params: Value, method: &str, url: &str, media: &str, body: &str) {
        assert_eq!(sent(params), (method.into(), url.into(), media.into(), body.into()));
    }

    #[test]
    fn parameters_are_a_query_a_form_or_json_and_content_is_the_body() {
        let fields = json!({ "a": "x y", "b": 2, "c": [1], "d": null });
        let query = "a=x+y&b=2&c=%5B1%5D&d=";
        expect(json!({ "src": "y" }), "GET", "http://docs/app/y", "", "");
        expect(
            json!({ "srcexpr": "http://a/?z=1", "method": "GET", "params": fields }),
            "GET",
            &format!("http://a/?z=1&{query}"),
            "",
            "",
        );
        expect(
            json!({ "src": "http://a/", "method": "delete", "params": fields }),
            "DELETE",
            &format!("http://a/?{query}"),
            "",
            "",
        );
        expect(
            json!({ "src": "http://a/", "method": "post", "params": fields }),
            "POST",
            "http://a/",
            FORM,
            query,
        );
        expect(
            json!({ "src": "http://a/", "method": "put", "params": { "n": 1 }, "enctype": JSON }),
            "PUT",
            "http://a/",
            JSON,
            r#"{"n":1}"#,
        );
        expect(
            json!({ "src": "http://a/", "method": "post", "content": "<x/>", "enctype": "text/xml", "params": fields }),
            "POST",
            "http://a/",
            "text/xml",
            "<x/>",
        );
        expect(
            json!({ "src": "http://a/", "method": "post", "content": { "n": 1 } }),
            "POST",
            "http://a/",
            JSON,
            r#"{"n":1}"#,
        );
        let own = json!({ "src": "http://a/", "method": "post", "content": "x", "headers": { "Content-Type": "text/x", "X-A": 1 } });
        expect(own, "POST", "http://a/", "text/x", "x");
    }

    #[test]
    fn only_who_asks_for_it_has_a_post_made_twice() {
        let of = |more: Value| {
            let mut params = json!({ "src": "http://a/" });
            params
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let fetch = planned(params).unwrap();
            (fetch.retries, fetch.interval.as_secs())
        };
        assert_eq!(of(json!({})), (0, 5));
        assert_eq!(of(json!({ "gd_retries": 2, "gd_retry_interval": 1 })), (2, 1));
        assert_eq!(of(json!({ "gd_retries": 2, "method": "post" })), (0, 5));
        assert_eq!(
            of(json!({ "gd_retries": 2, "method": "post", "gdelivery": true })),
            (2, 5)
        );
        assert_eq!(of(json!({ "method": "post", "gdelivery": "true" })), (3, 5));
        assert_eq!(
            of(json!({ "gdelivery": true, "gd_retries": 1e9, "gd_retry_interval": 1e9 })),
            (10, 600)
        );
    }

    #[test]
    fn what_changes_something_goes_on_though_its_session_ends() {
        for (more, expected) in [
            (json!({ "src": "x" }), false),
            (json!({ "src": "x", "gdelivery": true }), true),
            (json!({ "src": "x", "method": "post" }), true),
            (json!({ "src": "x", "method": "put" }), true),
            (json!({ "src": "x", "method": "delete" }), true),
        ] {
            assert_eq!(planned(more.clone()).unwrap().goes_on, expected, "{more}");
        }
    }

    #[test]
    fn what_is_said_of_a_value_has_nothing_of_it() {
        for params in [
            json!({ "src": ["secret"] }),
            json!({ "src": "http://u:secret@a:x/?secret" }),
            json!({ "src": "ftp://u:secret@a/x?secret" }),
            json!({ "src": "x", "headers": ["secret"] }),
            json!({ "src": "x", "params": "secret" }),
            json!({ "src": "x", "headers": { "A": "secret\r\n" } }),
            json!({ "src": "x", "timeout": "secret" }),
            json!({ "src": "x", "maxage": ["secret"] }),
        ] {
            let problem = planned(params.clone()).unwrap_err();
            assert!(!problem.description.contains("secret"), "{}", problem.description);
        }
    }

    #[test]
    fn what_is_wrong_with_a_fetch_is_said() {
        for (params, error, words) in [
            (json!({}), "invalidattribute", "`src` is missing"),
            (
                json!({ "src": "ftp://a/" }),
                "invaliddestination",
                "neither http: nor https:",
            ),
            (
                json!({ "src": "http://u:p@a/" }),
                "invaliddestination",
                "user and password",
            ),
            (
                json!({ "src": "x", "method": "urs" }),
                "notsupported",
                "no transport `urs`",
            ),
            (
                json!({ "src": "x", "method": "head" }),
                "invalidattribute",
                "`method` is `head`",
            ),
            (
                json!({ "src": "x", "timeout": "soon" }),
                "invalidattribute",
                "`timeout`",
            ),
            (
                json!({ "src": "x", "headers": "a: b" }),
                "invalidattribute",
                "not an object",
            ),
            (
                json!({ "src": "x", "headers": { "Host": "a" } }),
                "invalidattribute",
                "own business",
            ),
            (
                json!({ "src": "x", "headers": { "A": "b\r\nC: d" } }),
                "invalidattribute",
                "cannot hold",
            ),
            (
                json!({ "src": "x", "headers": { "A B": "c" } }),
                "invalidattribute",
                "no name",
            ),
            (
                json!({ "src": "x", "method": "post", "enctype": "text/xml" }),
                "invalidattribute",
                "as `content`",
            ),
        ] {
            let problem = planned(params.clone()).unwrap_err();
            assert_eq!(problem.error, error, "{params}");
            assert!(problem.description.contains(words), "{params}: {}", problem.description);
        }
    }

    #[test]
    fn a_user_and_a_password_are_basic_authentication() {
        let params =
            json!({ "src": "http://a/", "username": "Aladdin", "password": "open sesame", "timeout": 2, "type": JSON });
        let request = planned(params).unwrap().request;
        assert_eq!(
            request.headers[header::AUTHORIZATION],
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert_eq!(request.headers[header::ACCEPT], JSON);
        assert_eq!(request.timeout, Duration::from_secs(2));
    }
}
