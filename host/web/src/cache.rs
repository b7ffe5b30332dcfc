//! Answers that may be used again (RFC 9111).

use crate::client::Answer;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_cache_semantics::{AfterResponse, BeforeRequest, CacheOptions, CachePolicy};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Bounds of a cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub entries: usize,
    pub entry_bytes: usize,
    pub bytes: usize,
}

/// What an entry is found by: whose it is, and its URL.
type Key = (String, String);

#[derive(Clone)]
struct Entry {
    policy: Arc<CachePolicy>,
    /// `ETag` and `Last-Modified`.
    validators: HeaderMap,
    body: Bytes,
    weight: usize,
    /// Stamp of its last use.
    used: u64,
}

#[derive(Default)]
struct Entries {
    by: HashMap<Key, Entry>,
    bytes: usize,
    uses: u64,
}

pub(crate) struct Cache {
    bounds: Bounds,
    entries: Mutex<Entries>,
}

/// What the cache says about a request.
pub(crate) enum Looked {
    /// Here is the answer.
    Fresh(Answer),
    /// Ask the server, with these headers.
    Ask(http::request::Parts, Option<Stored>),
}

/// What there is, though it cannot be used without asking.
pub(crate) struct Stored {
    policy: Arc<CachePolicy>,
    validators: HeaderMap,
    body: Bytes,
}

/// What a server's answer makes of a question.
pub(crate) enum Took {
    Answer(Answer),
    /// The server says that nothing has changed, and means something else: ask without conditions.
    AskAgain,
}

/// Longest age that an answer may say it has; sums with more overflow.
const MAX_AGE: u64 = 366 * 24 * 3600;

/// An owner's sessions share a cache, and may act for different users.
fn options() -> CacheOptions {
    CacheOptions {
        shared: true,
        // A server that says nothing is asked each time.
        cache_heuristic: 0.0,
        ..CacheOptions::default()
    }
}

impl Cache {
    pub fn new(bounds: Bounds) -> Self {
        Cache {
            bounds,
            entries: Mutex::default(),
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn look(&self, owner: &str, request: http::request::Parts, now: SystemTime) -> Looked {
        let key = (owner.to_owned(), request.uri.to_string());
        let entry = {
            let mut entries = self.entries();
            entries.uses += 1;
            let stamp = entries.uses;
            entries.by.get_mut(&key).map(|entry| {
                entry.used = stamp;
                entry.clone()
            })
        };
        let Some(entry) = entry else {
            return Looked::Ask(request, None);
        };
        match entry.policy.before_request(&request, now) {
            BeforeRequest::Fresh(parts) => Looked::Fresh(Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: entry.body,
                url: key.1,
            }),
            BeforeRequest::Stale { request, matches } => {
                let stored = Stored {
                    policy: entry.policy,
                    validators: entry.validators,
                    body: entry.body,
                };
                Looked::Ask(request, matches.then_some(stored))
            }
        }
    }

    /// What the server has answered, and what that makes of the stored one: the answer to be given.
    pub fn took(
        &self,
        owner: &str,
        request: &http::request::Parts,
        stored: Option<Stored>,
        answer: Answer,
        now: SystemTime,
    ) -> Took {
        let mut response = parts(&answer);
        let key = (owner.to_owned(), request.uri.to_string());
        let (policy, answer) = match stored {
            Some(stored) if answer.status == StatusCode::NOT_MODIFIED.as_u16() => {
                // Only this entry's validators were sent: a server that does not repeat them means it all the same.
                for name in [header::ETAG, header::LAST_MODIFIED] {
                    if let (Some(sent), false) = (stored.validators.get(&name), response.headers.contains_key(&name)) {
                        response.headers.insert(name, sent.clone());
                    }
                }
                match stored.policy.after_response(request, &response, now) {
                    AfterResponse::NotModified(policy, parts) => {
                        let answer = Answer {
                            status: parts.status.as_u16(),
                            headers: parts.headers,
                            body: stored.body,
                            url: answer.url,
                        };
                        (policy, answer)
                    }
                    AfterResponse::Modified(..) => {
                        self.entries().remove(&key);
                        return Took::AskAgain;
                    }
                }
            }
            _ => {
                let policy = CachePolicy::new_options(request, &response, now, options());
                (policy, answer)
            }
        };
        // One that could be used neither now nor after a question to the server is of no use.
        let validators = [header::ETAG, header::LAST_MODIFIED];
        let useful = !policy.time_to_live(now).is_zero() || validators.iter().any(|v| answer.headers.contains_key(v));
        // What names a user is no other's.
        let anybodys = !answer.headers.contains_key(header::SET_COOKIE);
        if policy.is_storable() && useful && anybodys {
            self.put(key, policy, &answer);
        } else {
            self.entries().remove(&key);
        }
        Took::Answer(answer)
    }

    /// The stored answer, for a server that does not answer: not older than `max_stale` beyond its time.
    pub fn instead(&self, stored: &Stored, url: &str, max_stale: Duration, now: SystemTime) -> Option<Answer> {
        // The policy itself knows what it allows: `must-revalidate` and `no-cache` are kept.
        let request = http::Request::get(url)
            .header(header::CACHE_CONTROL, format!("max-stale={}", max_stale.as_secs()))
            .body(())
            .ok()?;
        match stored.policy.before_request(&request, now) {
            BeforeRequest::Fresh(parts) => Some(Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: stored.body.clone(),
                url: url.to_owned(),
            }),
            BeforeRequest::Stale { .. } => None,
        }
    }

    /// Whatever is stored of this URL may have been changed (RFC 9111, 4.4).
    pub fn forget(&self, owner: &str, url: &str) {
        self.entries().remove(&(owner.to_owned(), url.to_owned()));
    }

    fn put(&self, key: Key, policy: CachePolicy, answer: &Answer) {
        let body = answer.body.clone();
        let weight = key.0.len() + key.1.len() + body.len();
        let validators = [header::ETAG, header::LAST_MODIFIED].into_iter();
        let validators = validators.filter_map(|name| {
            let value = answer.headers.get(&name)?.clone();
            Some((name, value))
        });
        let mut entries = self.entries();
        entries.remove(&key);
        if body.len() > self.bounds.entry_bytes || weight > self.bounds.bytes || self.bounds.entries == 0 {
            return;
        }
        while entries.by.len() >= self.bounds.entries || entries.bytes + weight > self.bounds.bytes {
            let oldest = entries
                .by
                .iter()
                .min_by_key(|(_, e)| e.used)
                .map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            entries.remove(&oldest);
        }
        entries.uses += 1;
        let used = entries.uses;
        entries.bytes += weight;
        let entry = Entry {
            policy: Arc::new(policy),
            validators: validators.collect(),
            body,
            weight,
            used,
        };
        entries.by.insert(key, entry);
    }
}

impl Entries {
    fn remove(&mut self, key: &Key) {
        if let Some(gone) = self.by.remove(key) {
            self.bytes -= gone.weight;
        }
    }
}

fn parts(answer: &Answer) -> http::response::Parts {
    let mut response = http::Response::new(());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = answer.headers.clone();
    understood(response.headers_mut());
    response.into_parts().0
}

/// Makes of an answer's header fields what the policy reads right: directives in lower case, as it compares them; `Age` within
/// what it can add; and what must not be used without asking says so in the one word that it heeds when stale answers will do.
fn understood(headers: &mut HeaderMap) {
    if let Some(age) = headers.get(header::AGE) {
        let age: Option<u64> = age.to_str().ok().and_then(|age| age.trim().parse().ok());
        headers.insert(header::AGE, age.unwrap_or(MAX_AGE).min(MAX_AGE).into());
    }
    let fields = headers.get_all(header::CACHE_CONTROL).iter();
    let mut control: Vec<String> = fields
        .map(|field| String::from_utf8_lossy(field.as_bytes()).to_ascii_lowercase())
        .collect();
    let old = headers.get(header::PRAGMA).and_then(|p| p.to_str().ok());
    if control.is_empty() && old.is_some_and(|old| old.to_ascii_lowercase().contains("no-cache")) {
        control.push("no-cache".into());
    }
    let asks = ["no-cache", "proxy-revalidate", "s-maxage"];
    if control.iter().any(|field| asks.iter().any(|word| field.contains(word))) {
        control.push("must-revalidate".into());
    }
    if !control.is_empty()
        && let Ok(value) = HeaderValue::from_str(&control.join(", "))
    {
        headers.insert(header::CACHE_CONTROL, value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

    use super::*;

    fn request(url: &str) -> http::request::Parts {
        http::Request::get(url).body(()).unwrap().into_parts().0
    }

    fn answer(body: &'static str, headers: &[(&'static str, &str)]) -> Answer {
        let mut map = http::HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Answer {
            status: 200,
            headers: map,
            body: Bytes::from_static(body.as_bytes()),
            url: String::new(),
        }
    }

    fn kept(cache: &Cache, owner: &str, url: &str) -> bool {
        matches!(
            cache.look(owner, request(url), SystemTime::now()),
            Looked::Fresh(_) | Looked::Ask(_, Some(_))
        )
    }

    #[test]
    fn the_least_recently_used_makes_room_and_owners_share_nothing_but_the_bound() {
        let bounds = Bounds {
            entries: 2,
            entry_bytes: 10,
            bytes: 1000,
        };
        let cache = Cache::new(bounds);
        let put = |owner: &str, url: &str, body| {
            let answer = answer(body, &[("cache-control", "max-age=60")]);
            cache.took(owner, &request(url), None, answer, SystemTime::now());
        };
        put("a", "http://x/1", "1");
        put("b", "http://x/1", "2");
        assert!(kept(&cache, "a", "http://x/1") && kept(&cache, "b", "http://x/1"));
        assert!(kept(&cache, "a", "http://x/1"));
        put("a", "http://x/3", "3");
        assert!(kept(&cache, "a", "http://x/1") && !kept(&cache, "b", "http://x/1"));
        put("a", "http://x/4", "more than ten bytes");
        assert!(!kept(&cache, "a", "http://x/4"));
        cache.forget("a", "http://x/1");
        assert!(!kept(&cache, "a", "http://x/1"));
        assert_eq!(cache.entries().bytes, "ahttp://x/33".len());
    }

    #[test]
    fn what_says_nothing_of_its_freshness_is_not_kept_and_no_store_never_is() {
        let bounds = Bounds {
            entries: 9,
            entry_bytes: 10,
            bytes: 1000,
        };
        let cache = Cache::new(bounds);
        for (headers, expected) in [
            (&[][..], false),
            (&[("cache-control", "max-age=60")][..], true),
            (&[("cache-control", "max-age=60, no-store")][..], false),
            (&[("etag", "\"1\"")][..], true),
            (&[("etag", "\"1\""), ("cache-control", "no-store")][..], false),
            (&[("etag", "\"1\""), ("cache-control", "No-Store")][..], false),
            (&[("cache-control", "Max-Age=60")][..], true),
            (&[("cache-control", "max-age=60, private")][..], false),
            (&[("cache-control", "max-age=60, Private")][..], false),
            (&[("cache-control", "max-age=60"), ("set-cookie", "a=b")][..], false),
        ] {
            let url = "http://x/";
            cache.took("a", &request(url), None, answer("1", headers), SystemTime::now());
            assert_eq!(kept(&cache, "a", url), expected, "{headers:?}");
        }
    }

    #[test]
    fn an_age_beyond_all_bounds_is_old_and_nothing_worse() {
        let bounds = Bounds {
            entries: 9,
            entry_bytes: 10,
            bytes: 1000,
        };
        let cache = Cache::new(bounds);
        let url = "http://x/";
        for age in ["18446744073709551615", "99999999999999999999999", "soon"] {
            let headers = [("cache-control", "max-age=60"), ("etag", "\"1\""), ("age", age)];
            cache.took("a", &request(url), None, answer("1", &headers), SystemTime::now());
            let later = SystemTime::now() + Duration::from_secs(5);
            assert!(
                matches!(cache.look("a", request(url), later), Looked::Ask(_, Some(_))),
                "{age}"
            );
        }
    }

    #[test]
    fn what_must_be_asked_about_is_not_used_stale() {
        let bounds = Bounds {
            entries: 9,
            entry_bytes: 10,
            bytes: 1000,
        };
        let cache = Cache::new(bounds);
        let url = "http://x/";
        for (name, value, expected) in [
            ("cache-control", "max-age=0", true),
            ("cache-control", "no-cache", false),
            ("cache-control", "No-Cache", false),
            ("cache-control", "s-maxage=0", false),
            ("pragma", "no-cache", false),
        ] {
            let headers = [(name, value), ("etag", "\"1\"")];
            cache.took("a", &request(url), None, answer("1", &headers), SystemTime::now());
            let mut stale = request(url);
            stale
                .headers
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("max-stale=60"));
            let looked = cache.look("a", stale, SystemTime::now());
            assert_eq!(matches!(looked, Looked::Fresh(_)), expected, "{value}");
        }
    }
}
