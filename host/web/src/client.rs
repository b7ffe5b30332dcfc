//! The client.

use crate::allow::{shown, shown_text};
use crate::cache::{Bounds, Cache, Looked, Took};
use crate::resolve::Guarded;
use crate::room::Room;
use crate::{AllowList, Error};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use url::Url;

/// Longest URL, in bytes.
const MAX_URL: usize = 8 << 10;

/// Header fields of an answer; one with more is none.
const MAX_HEADERS: usize = 100;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// `User-Agent`.
    pub user_agent: String,
    /// Certificates, PEM, of the authorities that are trusted; without any, those of the system.
    pub roots: Option<Vec<u8>>,
    /// Redirects that are followed (ORS `http-max-redirections`).
    pub max_redirections: usize,
    /// What a URL contains whose answers are never kept (ORS `http-no-cache-urls`).
    pub no_cache: Vec<String>,
    /// Answers that are kept (ORS `http-max-cache-entry-count`).
    pub cache_entries: usize,
    /// Bytes of one of them (ORS `http-max-cache-entry-size`).
    pub cache_entry_bytes: usize,
    /// Bytes of all of them (ORS `http-max-cache-size`).
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            user_agent: "Pointsman".into(),
            roots: None,
            max_redirections: 5,
            no_cache: Vec::new(),
            cache_entries: 1000,
            cache_entry_bytes: 100_000,
            cache_bytes: 10_000_000,
        }
    }
}

/// How fresh an answer has to be (RFC 9111, 5.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// Not older than this; what the server says counts as well.
    pub max_age: Option<Duration>,
    /// At most this long beyond its time, where the server does not forbid it.
    pub max_stale: Option<Duration>,
    /// The same, but only while the server cannot be reached.
    pub max_stale_if_error: Option<Duration>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: Method,
    /// Where to, absolute.
    pub url: Url,
    /// Header fields besides the client's own.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long everything may take, redirects included.
    pub timeout: Duration,
    /// Bytes that the answer's body may have.
    pub max_body: usize,
    /// Whether an answer from memory will do.
    pub freshness: Freshness,
    /// It may take a place that is kept free for such ones: work waits for it that has begun already.
    pub reserved: bool,
}

impl Request {
    /// A `GET` with 30 s and 64 KiB.
    pub fn get(url: Url) -> Self {
        Request {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(30),
            max_body: 64 << 10,
            freshness: Freshness::default(),
            reserved: false,
        }
    }

    /// May it be answered from memory? What has header fields of its own may be meant for one user, of whom the cache, which
    /// all of an owner's sessions share, knows nothing.
    fn is_anybodys(&self) -> bool {
        self.method == Method::GET && self.headers.keys().all(|name| *name == header::ACCEPT)
    }
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Where it came from, after redirects.
    pub url: String,
}

impl Answer {
    /// The media type, lower case, without parameters.
    pub fn media_type(&self) -> String {
        let value = self.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let media = value.unwrap_or_default().split(';').next().unwrap_or_default();
        media.trim().to_ascii_lowercase()
    }

    /// The body as text: UTF-8, or ISO 8859-1 where that is said.
    pub fn text(&self) -> Option<String> {
        let value = self.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let value = value.unwrap_or_default().to_ascii_lowercase();
        if value.contains("charset=iso-8859-1") || value.contains("charset=latin1") {
            return Some(self.body.iter().map(|b| char::from(*b)).collect());
        }
        let text = std::str::from_utf8(&self.body).ok()?;
        Some(text.trim_start_matches('\u{feff}').to_owned())
    }
}

/// A client for everybody, cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    options: Options,
    cache: Cache,
    room: Room,
}

impl Web {
    /// A client. rustls must have its provider of cryptography by now.
    ///
    /// # Errors
    /// When the certificates cannot be used.
    pub fn new(options: Options) -> Result<Web, Error> {
        let failed = |e: reqwest::Error| Error::Failed(told(&e));
        let mut client = reqwest::Client::builder()
            .user_agent(options.user_agent.as_str())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .http1_max_headers(MAX_HEADERS)
            .dns_resolver(Guarded::default());
        if let Some(roots) = &options.roots {
            let roots = reqwest::Certificate::from_pem_bundle(roots).map_err(failed)?;
            if roots.is_empty() {
                return Err(Error::Failed("the file has no certificate".into()));
            }
            client = client.tls_certs_only(roots);
        }
        let bounds = Bounds {
            entries: options.cache_entries,
            entry_bytes: options.cache_entry_bytes,
            bytes: options.cache_bytes,
        };
        Ok(Web(Arc::new(Inner {
            client: client.build().map_err(failed)?,
            options,
            cache: Cache::new(bounds),
            room: Room::default(),
        })))
    }

    /// Reads a URL that is to be fetched: absolute, or relative to `base`.
    ///
    /// # Errors
    /// [`Error::Url`].
    pub fn url(text: &str, base: Option<&Url>) -> Result<Url, Error> {
        let wrong = |why: &str| Error::Url {
            url: shown_text(text),
            why: why.to_owned(),
        };
        if text.len() > MAX_URL {
            return Err(wrong("it is too long"));
        }
        let parsed = match base {
            Some(base) => base.join(text),
            None => Url::parse(text),
        };
        let url = parsed.map_err(|e| wrong(&e.to_string()))?;
        match url.scheme() {
            "http" | "https" if url.username().is_empty() && url.password().is_none() => Ok(url),
            // Nor into a message.
            "http" | "https" => Err(Error::Url {
                url: shown(&url),
                why: "user and password do not belong into it".into(),
            }),
            _ => Err(wrong("it is neither http: nor https:")),
        }
    }

    /// Sends a request of `owner`, who may reach what is in `allow`, and follows where the answers lead, as far as that
    /// reaches.
    ///
    /// # Errors
    /// When there is no answer. An answer of any status is one.
    pub async fn send(&self, owner: &str, allow: &AllowList, request: Request) -> Result<Answer, Error> {
        let timeout = request.timeout;
        if !allow.allows(&request.url) {
            return Err(Error::NotAllowed(shown(&request.url)));
        }
        tokio::time::timeout(timeout, self.follow(owner, allow, request))
            .await
            .unwrap_or(Err(Error::Timeout(timeout)))
    }

    async fn follow(&self, owner: &str, allow: &AllowList, mut request: Request) -> Result<Answer, Error> {
        let most = self.0.options.max_redirections;
        for _ in 0..=most {
            let answer = self.once(owner, &request).await?;
            let Some(to) = leads(&request.url, &answer) else {
                return Ok(answer);
            };
            let to = Web::url(to?.as_str(), None)?;
            if !allow.allows(&to) {
                return Err(Error::RedirectNotAllowed(shown(&to)));
            }
            let status = StatusCode::from_u16(answer.status).unwrap_or_default();
            let was_post = request.method == Method::POST;
            let fetched_instead = status == StatusCode::SEE_OTHER && request.method != Method::HEAD
                || was_post && matches!(status, StatusCode::FOUND | StatusCode::MOVED_PERMANENTLY);
            if fetched_instead {
                // RFC 9110, 15.4.
                request.method = Method::GET;
                request.body = Bytes::new();
                for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING] {
                    request.headers.remove(name);
                }
            }
            if to.origin() != request.url.origin() {
                // What was meant for one server is no other's business.
                for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
                    request.headers.remove(name);
                }
            }
            request.url = to;
        }
        Err(Error::TooManyRedirects(most))
    }

    /// One request, from memory where that will do.
    async fn once(&self, owner: &str, request: &Request) -> Result<Answer, Error> {
        let inner = &*self.0;
        let url = request.url.as_str();
        let parts = parts(request)?;
        let keep = request.is_anybodys() && !inner.options.no_cache.iter().any(|part| url.contains(part.as_str()));
        if !keep {
            let answer = self.ask(owner, request, &parts).await?;
            if !request.method.is_safe() && answer.status < 400 {
                inner.cache.forget(owner, url);
            }
            return Ok(answer);
        }
        let (parts, stored) = match inner.cache.look(owner, parts, SystemTime::now()) {
            Looked::Fresh(answer) => return Ok(answer),
            Looked::Ask(parts, stored) => (parts, stored),
        };
        let asked = self.ask(owner, request, &parts).await;
        let unwell = match &asked {
            Ok(answer) => answer.status >= 500,
            Err(Error::TooLarge(_)) => false,
            Err(_) => true,
        };
        if unwell
            && let (Some(stored), Some(max_stale)) = (&stored, request.freshness.max_stale_if_error)
            && let Some(answer) = inner.cache.instead(stored, url, max_stale, SystemTime::now())
        {
            tracing::warn!(
                url = shown(&request.url),
                "the server does not answer: what it last said is used"
            );
            return Ok(answer);
        }
        match inner.cache.took(owner, &parts, stored, asked?, SystemTime::now()) {
            Took::Answer(answer) => Ok(answer),
            Took::AskAgain => {
                let parts = self::parts(request)?;
                let asked = self.ask(owner, request, &parts).await?;
                match inner.cache.took(owner, &parts, None, asked, SystemTime::now()) {
                    Took::Answer(answer) => Ok(answer),
                    Took::AskAgain => Err(Error::Failed("the server answers 304 to what has no condition".into())),
                }
            }
        }
    }

    async fn ask(&self, owner: &str, request: &Request, parts: &http::request::Parts) -> Result<Answer, Error> {
        let _place = self.0.room.enter(owner, request.reserved)?;
        let failed = |e: reqwest::Error| Error::Failed(told(&e));
        let asked = self
            .0
            .client
            .request(request.method.clone(), request.url.clone())
            .headers(parts.headers.clone())
            .body(request.body.clone());
        let mut answer = asked.send().await.map_err(failed)?;
        let too_large = || Error::TooLarge(request.max_body);
        let announced = answer.content_length().unwrap_or(0);
        if announced > request.max_body as u64 && request.method != Method::HEAD {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > request.max_body {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: body.freeze(),
            url: request.url.to_string(),
        })
    }
}

/// What the cache looks at, and what is sent.
fn parts(request: &Request) -> Result<http::request::Parts, Error> {
    let mut builder = http::Request::builder()
        .method(request.method.clone())
        .uri(request.url.as_str());
    let Freshness { max_age, max_stale, .. } = request.freshness;
    let mut control = Vec::new();
    control.extend(max_age.map(|age| format!("max-age={}", age.as_secs())));
    control.extend(max_stale.map(|stale| format!("max-stale={}", stale.as_secs())));
    if let Some(headers) = builder.headers_mut() {
        headers.extend(request.headers.clone());
        if !control.is_empty()
            && let Ok(value) = HeaderValue::from_str(&control.join(", "))
        {
            headers.insert(header::CACHE_CONTROL, value);
        }
    }
    let made = builder.body(()).map_err(|e| Error::Url {
        url: shown(&request.url),
        why: e.to_string(),
    })?;
    Ok(made.into_parts().0)
}

/// Where an answer leads, if it does.
fn leads(from: &Url, answer: &Answer) -> Option<Result<Url, Error>> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let to = answer.headers.get(header::LOCATION)?;
    let wrong = |why: String| Error::Url {
        url: shown_text(&String::from_utf8_lossy(to.as_bytes())),
        why,
    };
    let text = match to.to_str() {
        Ok(text) => text,
        Err(e) => return Some(Err(wrong(e.to_string()))),
    };
    Some(from.join(text).map_err(|e| wrong(e.to_string())))
}

/// A failure in words, without the URL, which may have secrets, and with its cause.
fn told(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.dedup();
    let what = if error.is_connect() {
        "the server cannot be reached"
    } else {
        "what the server answers is no answer"
    };
    if causes.is_empty() {
        return error.to_string();
    }
    format!("{what}: {}", causes.join(": "))
}
