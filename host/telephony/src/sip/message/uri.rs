//! URIs, as far as a routing point needs them (RFC 3261 19.1, RFC 3966).

use std::fmt::Write as _;

/// Scheme of a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RFC 3261.
    Sip,
    /// RFC 3261, over TLS.
    Sips,
    /// RFC 3966.
    Tel,
    /// Any other, lower case.
    Other(String),
}

/// A URI taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// See [`Scheme`].
    pub scheme: Scheme,
    /// User part without password, percent-decoded; the number of a `tel` URI.
    pub user: Option<String>,
    /// Host, lower case; empty for other schemes.
    pub host: String,
    /// Port, where given.
    pub port: Option<u16>,
    /// Whether it has a `?headers` part.
    pub has_headers: bool,
}

impl Uri {
    /// Reads a URI. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Uri, String> {
        let wrong = |what: &str| Err(format!("URI `{}` {what}", text.chars().take(128).collect::<String>()));
        if !text.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"".contains(&b)) {
            return wrong("has white space, brackets, quotes or characters beyond ASCII");
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return wrong("has no scheme");
        };
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !is_scheme {
            return wrong("has no valid scheme");
        }
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "sip" => Scheme::Sip,
            "sips" => Scheme::Sips,
            "tel" => Scheme::Tel,
            other => Scheme::Other(other.into()),
        };
        match scheme {
            Scheme::Other(_) => Ok(Uri {
                scheme,
                user: None,
                host: String::new(),
                port: None,
                has_headers: false,
            }),
            Scheme::Tel => {
                let number = rest.split(';').next().unwrap_or_default();
                if number.is_empty() {
                    return wrong("has no number");
                }
                Ok(Uri {
                    scheme,
                    user: Some(number.into()),
                    host: String::new(),
                    port: None,
                    has_headers: false,
                })
            }
            Scheme::Sip | Scheme::Sips => {
                // Only a user part may have an `@`, and it may have the `;` and `?` that separate the other parts.
                let (user, rest) = match rest.split_once('@') {
                    Some((user, rest)) => (Some(user), rest),
                    None => (None, rest),
                };
                let user = match user.map(|u| u.split(':').next().unwrap_or_default()) {
                    Some("") => return wrong("has an empty user part"),
                    Some(user) => match unescape(user) {
                        Some(user) => Some(user),
                        None => return wrong("has a broken percent escape"),
                    },
                    None => None,
                };
                let (rest, has_headers) = match rest.split_once('?') {
                    Some((rest, _)) => (rest, true),
                    None => (rest, false),
                };
                let host_port = rest.split(';').next().unwrap_or_default();
                let Some((host, port)) = host_and_port(host_port) else {
                    return wrong("has no valid host and port");
                };
                Ok(Uri {
                    scheme,
                    user,
                    host,
                    port,
                    has_headers,
                })
            }
        }
    }

    /// `host` or `host:port`.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

/// Reads `host [":" port]`; the host comes back in lower case, an IPv6 address with its brackets.
pub(super) fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let end = if text.starts_with('[') {
        text.find(']')? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(end);
    let port = match rest.trim() {
        "" => None,
        rest => Some(rest.strip_prefix(':')?.trim().parse().ok()?),
    };
    let host = host.trim();
    let valid = if host.starts_with('[') {
        host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        // The underscore is in no grammar, but in many host names.
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
    };
    valid.then(|| (host.to_ascii_lowercase(), port))
}

/// Resolves percent escapes; none when one is broken. Bytes that are not UTF-8 are replaced: no DN has them.
fn unescape(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.into());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let digit = |b: Option<u8>| char::from(b?).to_digit(16);
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            out.push((high << 4 | low) as u8);
        } else {
            out.push(b);
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// Writes a text as the user part of a SIP URI (RFC 3261 25.1 `user`), with percent escapes where needed.
pub fn escape_user(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&b) {
            out.push(char::from(b));
        } else {
            write!(out, "%{b:02X}").expect("a String takes everything");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> Option<String> {
        Uri::parse(text).unwrap().user
    }

    #[test]
    fn the_user_part_is_decoded_and_loses_its_password() {
        assert_eq!(user("sip:7001:secret@h").as_deref(), Some("7001"));
        assert_eq!(
            user("sip:sips%3Auser%40example.com@company.com;other-param=summit").as_deref(),
            Some("sips:user@example.com")
        );
        assert_eq!(
            user("sip:user;par=u%40example.net@example.com").as_deref(),
            Some("user;par=u@example.net")
        );
        assert_eq!(user("sip:example.com"), None);
        assert_eq!(user("tel:+49301234;phone-context=x").as_deref(), Some("+49301234"));
    }

    #[test]
    fn host_and_port_are_read_with_ipv6_and_parameters() {
        let uri = Uri::parse("SIPS:a@[2001:DB8::10]:5061;transport=tcp?x=y").unwrap();
        assert_eq!(
            (uri.scheme.clone(), uri.authority().as_str(), uri.has_headers),
            (Scheme::Sips, "[2001:db8::10]:5061", true)
        );
        assert_eq!(
            Uri::parse("sip:Host.Example.COM:5060").unwrap().authority(),
            "host.example.com:5060"
        );
    }

    #[test]
    fn broken_uris_are_refused() {
        for bad in [
            "",
            "7001",
            "sip:",
            "sip:a@",
            "sip:@h",
            "sip:a@h:x",
            "sip:a b@h",
            "<sip:a@h>",
            "sip:%4@h",
            "sip:a@[::g]",
            ":a",
            "tel:",
        ] {
            assert!(Uri::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn escaping_a_user_is_undone_by_reading_it() {
        for text in ["7001", "a b", "ä@<>\"\r\n", "100%"] {
            assert_eq!(user(&format!("sip:{}@h", escape_user(text))).as_deref(), Some(text));
        }
    }
}
