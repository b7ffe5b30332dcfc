//! Where requests may go.

use std::fmt;
use url::{Host, Url};

/// An entry of an allow list: a server, and of it what lies below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination(Url);

/// A text is no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// It cannot be read as a URL.
    #[error("it is not a URL")]
    NotUrl,
    /// Another scheme.
    #[error("it does not begin with http:// or https://")]
    Scheme,
    /// User and password do not belong into a URL.
    #[error("it has a user or password")]
    User,
    /// Only what a server is asked for has a query.
    #[error("it has a query or a fragment")]
    Query,
    /// Servers read these differently, so a path with them says nothing.
    #[error("its path has an encoded `/` or `\\`")]
    Path,
}

impl std::str::FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let url = Url::parse(text).map_err(|_| DestinationError::NotUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(DestinationError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(DestinationError::User);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(DestinationError::Query);
        }
        if has_encoded_slash(url.path()) {
            return Err(DestinationError::Path);
        }
        Ok(Destination(url))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Destination {
    /// The whole server of a URL.
    pub fn server_of(url: &Url) -> Option<Self> {
        let mut server = url.clone();
        server.set_path("/");
        server.set_query(None);
        server.set_fragment(None);
        server.as_str().parse().ok()
    }

    /// Is this URL on that server, and at or below that path?
    fn covers(&self, url: &Url) -> bool {
        let same = self.0.scheme() == url.scheme()
            && self.0.host() == url.host()
            && self.0.port_or_known_default() == url.port_or_known_default();
        let prefix = self.0.path();
        if prefix == "/" {
            return same;
        }
        // `/api` is not `/apis`; and dot segments are gone already, but only those that are not half encoded.
        let rest = url.path().strip_prefix(prefix);
        let below = rest.is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'));
        same && below && !has_encoded_slash(url.path()) && !has_dot_segment(url.path())
    }
}

/// A dot segment that is none for us and one for some servers, which take parameters off first (`/api/..;x/other`).
fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".").replace("%3b", ";");
        matches!(plain.split(';').next(), Some("." | ".."))
    })
}

fn has_encoded_slash(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.contains("%2f") || path.contains("%5c")
}

/// Where requests of somebody may go: nowhere, unless told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList(Vec<Destination>);

impl AllowList {
    /// These.
    pub fn new(destinations: impl IntoIterator<Item = Destination>) -> Self {
        AllowList(destinations.into_iter().collect())
    }

    /// One more.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = Destination>) -> Self {
        self.0.extend(more);
        self
    }

    /// May this be asked for? Of the web, without user and password, and named by an entry.
    pub fn allows(&self, url: &Url) -> bool {
        url.username().is_empty() && url.password().is_none() && self.0.iter().any(|d| d.covers(url))
    }
}

/// What of a URL may stand in a message: neither user nor query, which often have secrets.
pub fn shown(url: &Url) -> String {
    let host = url.host().map_or_else(String::new, |host: Host<&str>| host.to_string());
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let text = format!("{}://{host}{port}{}", url.scheme(), url.path());
    text.chars().take(256).collect()
}

/// The same of a text that is to be a URL, whatever it is.
pub fn shown_text(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match text.split_once("//") {
        Some((scheme, rest)) => (format!("{scheme}//"), rest),
        None => (String::new(), text),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let server = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{server}{path}").chars().take(128).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

    use super::*;

    fn allowed(entry: &str, url: &str) -> bool {
        AllowList::new([entry.parse().unwrap()]).allows(&url.parse().unwrap())
    }

    #[test]
    fn nothing_is_allowed_that_is_not_named() {
        assert!(!AllowList::default().allows(&"http://a/".parse().unwrap()));
        for (entry, url) in [
            ("https://a/", "https://a/x?y=1"),
            ("https://a", "https://A:443/x"),
            ("http://a:8080/", "http://a:8080"),
            ("https://a/api/", "https://a/api/"),
            ("https://a/api/", "https://a/api/x/../y"),
            ("https://a/api", "https://a/api"),
            ("https://a/api", "https://a/api?x"),
            ("https://a/api", "https://a/api/x"),
            ("https://a/api/", "https://a/api/...;/x;v=1"),
            ("https://a/", "https://a/..;/x"),
            ("http://127.0.0.1:1/", "http://2130706433:1/x"),
            ("http://[::1]/", "http://[0:0::1]/"),
        ] {
            assert!(allowed(entry, url), "{entry} {url}");
        }
        for (entry, url) in [
            ("https://a/", "http://a/"),
            ("https://a/", "https://b/"),
            ("https://a/", "https://a:8443/"),
            ("https://a/", "https://a.b/"),
            ("https://a/", "https://user@a/"),
            ("https://a/", "https://user:secret@a/"),
            ("https://a/api", "https://a/apis"),
            ("https://a/api/", "https://a/api"),
            ("https://a/api/", "https://a/other"),
            ("https://a/api/", "https://a/api/../other"),
            ("https://a/api/", "https://a/api/%2e%2e/other"),
            ("https://a/api/", "https://a/api/..%2fother"),
            ("https://a/api/", "https://a/api/..%5Cother"),
            ("https://a/api/", "https://a/api/..;/other"),
            ("https://a/api/", "https://a/api/x/..;v=1/other"),
            ("https://a/api/", "https://a/api/%2E%2e;/other"),
            ("https://a/api/", "https://a/api/..%3Bx/other"),
            ("https://a/api/", "https://a/api/.;/x"),
            ("https://a/api/", "https://a/Api/x"),
            ("http://127.0.0.1/", "http://localhost/"),
            ("http://localhost/", "ftp://localhost/"),
        ] {
            assert!(!allowed(entry, url), "{entry} {url}");
        }
    }

    #[test]
    fn an_entry_is_a_server_and_a_path_and_nothing_else() {
        let wrong = |text: &str| text.parse::<Destination>().unwrap_err();
        assert_eq!(wrong("crm.example.com"), DestinationError::NotUrl);
        assert_eq!(wrong("ftp://a/"), DestinationError::Scheme);
        assert_eq!(wrong("https://u@a/"), DestinationError::User);
        assert_eq!(wrong("https://a/?x"), DestinationError::Query);
        assert_eq!(wrong("https://a/#x"), DestinationError::Query);
        assert_eq!(wrong("https://a/x%2Fy"), DestinationError::Path);
        assert_eq!(
            "HTTPS://A.example".parse::<Destination>().unwrap().to_string(),
            "https://a.example/"
        );
    }

    #[test]
    fn what_is_shown_of_a_url_has_no_secrets() {
        let url = "https://u:p@a:8443/x?key=1#f".parse().unwrap();
        assert_eq!(shown(&url), "https://a:8443/x");
        for (text, expected) in [
            ("https://u:p@a:x/x?key=1#f", "https://a:x/x"),
            ("//u:p@a", "//a"),
            ("x.scxml?key=1", "x.scxml"),
            ("", ""),
        ] {
            assert_eq!(shown_text(text), expected);
        }
    }
}
