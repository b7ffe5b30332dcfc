//! The structured header fields that a server reads: Via, CSeq, and name-addr (From, To, Contact, P-Asserted-Identity).

use super::uri::host_and_port;
use super::{Method, Uri, scan};
use std::fmt::{self, Write as _};

/// `;name[=value]` parameters in order. Names are lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Reads what follows the first `;`. White space around `;` and `=` is allowed (RFC 3261 7.3.1).
    fn parse(text: &str) -> Result<Params, String> {
        let mut params = Vec::new();
        for param in scan::split(text, ';') {
            let (name, value) = match param.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (param, None),
            };
            if !scan::is_token(name) {
                return Err(format!("parameter `{}` has no name", short(param)));
            }
            if let Some(value) = value {
                let quoted = value.starts_with('"') && scan::quoted_len(value) == Some(value.len());
                // A host, an IPv6 address among them, is a value too (RFC 3261 25.1 `gen-value`).
                let plain = !value.is_empty() && value.bytes().all(|b| scan::is_token_byte(b) || b"[]:".contains(&b));
                if !quoted && !plain {
                    return Err(format!("parameter `{}` has no valid value", short(param)));
                }
            }
            params.push((name.to_ascii_lowercase(), value.map(Into::into)));
        }
        Ok(Params(params))
    }

    /// The value of a parameter: none when it is not there, an empty text when it has no value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_deref().unwrap_or_default())
    }

    /// Sets a parameter's value.
    pub fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = Some(value),
            None => self.0.push((name.into(), Some(value))),
        }
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            f.write_char(';')?;
            f.write_str(name)?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// For messages: the start of a text.
fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Host and port, as in Via's sent-by. The host is lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name or address; an IPv6 address with its brackets.
    pub host: String,
    /// Port, where given.
    pub port: Option<u16>,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// One element of Via (RFC 3261 20.42).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// Transport, upper case: `UDP`, `TCP`, `TLS` ...
    pub transport: String,
    /// Where the sender wants responses.
    pub sent_by: HostPort,
    /// `branch`, `received`, `rport` ...
    pub params: Params,
}

impl Via {
    /// Reads one element; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Via, String> {
        let wrong = || {
            format!(
                "Via `{}` is not `SIP/2.0/transport host[:port];parameters`",
                short(text)
            )
        };
        let (name, rest) = text.split_once('/').ok_or_else(wrong)?;
        let (version, rest) = rest.split_once('/').ok_or_else(wrong)?;
        if !name.trim().eq_ignore_ascii_case("SIP") || version.trim() != "2.0" {
            return Err(wrong());
        }
        let rest = rest.trim_start();
        let (transport, rest) = rest.split_once(|c: char| c.is_ascii_whitespace()).ok_or_else(wrong)?;
        let (sent_by, params) = match rest.split_once(';') {
            Some((sent_by, params)) => (sent_by, Params::parse(params).map_err(|e| format!("{}: {e}", wrong()))?),
            None => (rest, Params::default()),
        };
        let (host, port) = host_and_port(sent_by.trim()).ok_or_else(wrong)?;
        if !scan::is_token(transport) {
            return Err(wrong());
        }
        Ok(Via {
            transport: transport.to_ascii_uppercase(),
            sent_by: HostPort { host, port },
            params,
        })
    }

    /// The transaction id, when the sender knows RFC 3261: a branch that begins with the magic cookie and has something after it
    /// (RFC 3261 8.1.1.7; RFC 4475 3.2.1).
    pub fn transaction_id(&self) -> Option<&str> {
        const COOKIE: &str = "z9hG4bK";
        let branch = self.params.get("branch")?;
        let cookie = branch.get(..COOKIE.len())?;
        (cookie.eq_ignore_ascii_case(COOKIE) && branch.len() > COOKIE.len()).then_some(branch)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}{}", self.transport, self.sent_by, self.params)
    }
}

/// CSeq (RFC 3261 20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Less than 2^31 (RFC 3261 8.1.1.5).
    pub number: u32,
    /// The method, equal to the request's.
    pub method: Method,
}

impl CSeq {
    /// Reads the field; the error says what is wrong.
    pub fn parse(text: &str) -> Result<CSeq, String> {
        let mut words = text.split_ascii_whitespace();
        let (Some(number), Some(method), None) = (words.next(), words.next(), words.next()) else {
            return Err(format!("CSeq `{}` is not a number and a method", short(text)));
        };
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        match number.parse::<u32>() {
            Ok(n) if digits && n < 1 << 31 && scan::is_token(method) => Ok(CSeq {
                number: n,
                method: Method::of(method),
            }),
            _ => Err(format!(
                "CSeq `{}` has a number that is not below 2^31, or no method",
                short(text)
            )),
        }
    }
}

/// A name-addr or addr-spec with its field's parameters (RFC 3261 20.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// Display name without quotes.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// Parameters of the field, such as `tag`; without angle brackets, what follows the address belongs to the field.
    pub params: Params,
}

impl NameAddr {
    /// Reads one element; the error says what is wrong.
    pub fn parse(text: &str) -> Result<NameAddr, String> {
        let text = text.trim();
        let wrong = |what: &str| format!("address `{}` {what}", short(text));
        let after_quotes = if text.starts_with('"') {
            scan::quoted_len(text).ok_or_else(|| wrong("has a quoted name without an end"))?
        } else {
            0
        };
        let (display, uri, rest) = match text[after_quotes..].find('<').map(|at| after_quotes + at) {
            // A `<` after a `;` would be part of a parameter's value, which it cannot be.
            Some(open) => {
                let close = open + text[open..].find('>').ok_or_else(|| wrong("has a `<` without `>`"))?;
                let display = if after_quotes > 0 {
                    if !text[after_quotes..open].trim().is_empty() {
                        return Err(wrong("has something between its name and `<`"));
                    }
                    Some(scan::unquote(&text[..after_quotes]))
                } else {
                    let words = text[..open].trim();
                    if !words.split_ascii_whitespace().all(scan::is_token) {
                        return Err(wrong("has a name that needs quotes"));
                    }
                    (!words.is_empty()).then(|| words.to_owned())
                };
                (display, &text[open + 1..close], text[close + 1..].trim_start())
            }
            None if after_quotes > 0 => return Err(wrong("has a name but no `<`")),
            None => {
                let end = text.find(';').unwrap_or(text.len());
                (None, text[..end].trim_end(), &text[end..])
            }
        };
        let bracketed = text.contains('<');
        let uri = Uri::parse(uri)?;
        if !bracketed && uri.has_headers {
            // RFC 3261 20.10: an address with a question mark must be in angle brackets.
            return Err(wrong("has a `?` but no angle brackets"));
        }
        let params = match rest.strip_prefix(';') {
            Some(params) => Params::parse(params).map_err(|e| wrong(&format!("is not valid: {e}")))?,
            None if rest.is_empty() => Params::default(),
            None => return Err(wrong("is followed by something that is no parameter")),
        };
        Ok(NameAddr { display, uri, params })
    }

    /// The `tag` parameter; an empty one counts as none.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_via_is_read_through_its_white_space() {
        let via = Via::parse("SIP  /   2.0 /UDP    192.0.2.2 : 5070 ; branch = z9hG4bK9 ;rport").unwrap();
        assert_eq!(via.to_string(), "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK9;rport");
        assert_eq!(via.params.get("rport"), Some(""));
        assert_eq!(via.transaction_id(), Some("z9hG4bK9"));
    }

    #[test]
    fn a_branch_without_a_transaction_id_is_that_of_rfc_2543() {
        for branch in ["z9hG4bK", "390skdjuw", "z9hG"] {
            assert_eq!(
                Via::parse(&format!("SIP/2.0/UDP h;branch={branch}"))
                    .unwrap()
                    .transaction_id(),
                None,
                "{branch}"
            );
        }
    }

    #[test]
    fn broken_vias_are_refused() {
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP h;;",
            "SIP/3.0/UDP h",
            "HTTP/2.0/TCP h",
            "SIP/2.0/UDP h:99999",
            "SIP/2.0/UDP h;a=\"x",
        ] {
            assert!(Via::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cseq_is_a_number_below_2_to_the_31_and_a_method() {
        assert_eq!(
            CSeq::parse("0009   INVITE").unwrap(),
            CSeq {
                number: 9,
                method: Method::Invite
            }
        );
        for bad in [
            "",
            "1",
            "2147483648 INVITE",
            "-1 INVITE",
            "+1 INVITE",
            "1 INVITE x",
            "1 IN,VITE",
        ] {
            assert!(CSeq::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        let quoted = NameAddr::parse(r#""J Rosenberg \\\""       <sip:jdrosen@example.com> ; tag = 98asjd8"#).unwrap();
        assert_eq!(quoted.display.as_deref(), Some(r#"J Rosenberg \""#));
        assert_eq!(quoted.tag(), Some("98asjd8"));
        let bare = NameAddr::parse("sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n").unwrap();
        assert_eq!(
            (bare.tag(), bare.uri.user.as_deref()),
            (Some("1918181833n"), Some("vivekg"))
        );
        let words = NameAddr::parse("Watson Thomas <tel:+15551212>").unwrap();
        assert_eq!(words.display.as_deref(), Some("Watson Thomas"));
    }

    #[test]
    fn broken_addresses_are_refused() {
        for bad in [
            r#""Mr. J. User <sip:j.user@example.com>"#,
            r#""Watson, Thomas" < sip:t.watson@example.org >"#,
            "Bell, Alexander <sip:a.g.bell@example.com>;tag=43",
            "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            "<sip:a@h",
            "<sip:a@h> x",
            "",
        ] {
            assert!(NameAddr::parse(bad).is_err(), "{bad}");
        }
    }
}
