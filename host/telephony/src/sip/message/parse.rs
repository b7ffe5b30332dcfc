//! Splitting a message into start line, header fields and body.

use super::{HeaderName, Headers, Limits, Message, Method, Request, Response, scan};
use bytes::Bytes;

/// A message that is not one, or breaks a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Malformed {
    /// What to answer. Nothing is answered to a response, to an ACK, or when `request` is absent.
    pub status: u16,
    /// What is wrong, for the log and the reason phrase.
    pub detail: String,
    /// What could be read of the request. Its header fields may be incomplete and invalid.
    pub request: Option<Box<Request>>,
}

impl Malformed {
    /// A refusal that cannot be answered: nothing is known of the sender's transaction.
    pub(super) fn unanswerable(status: u16, detail: impl Into<String>) -> Self {
        Malformed {
            status,
            detail: detail.into(),
            request: None,
        }
    }
}

/// Reads one message: a whole datagram, or what a [`super::Framer`] cut out of a stream.
///
/// Line ends before the start line are skipped (RFC 3261 7.5). The body ends where Content-Length says, or with the
/// bytes; what a datagram has behind it is ignored (RFC 3261 18.3).
///
/// # Errors
/// [`Malformed`], with 400, 505 or 513.
pub fn parse(bytes: &Bytes, limits: &Limits) -> Result<Message, Malformed> {
    let start = bytes.iter().position(|b| !b"\r\n".contains(b)).unwrap_or(bytes.len());
    let bytes = bytes.slice(start..);
    let mut fault = None;
    if bytes.len() > limits.message {
        fault = Some((513, format!("the message has more than {} bytes", limits.message)));
    }
    let (head, body) = match find_head_end(&bytes) {
        Some(end) => (&bytes[..end], bytes.slice(end + 4..)),
        None => {
            fault.get_or_insert_with(|| (400, "the header fields do not end with an empty line".into()));
            (&bytes[..], Bytes::new())
        }
    };
    // The head is text: UTF-8 (RFC 3261 25.1). Of a refused message as much is kept as can be shown.
    let head = match std::str::from_utf8(&head[..head.len().min(limits.message)]) {
        Ok(head) => head.into(),
        Err(_) => {
            fault.get_or_insert_with(|| (400, "the header fields are not UTF-8".into()));
            String::from_utf8_lossy(&head[..head.len().min(limits.message)])
        }
    };
    let (start_line, lines) = head.split_once("\r\n").unwrap_or((&head, ""));
    let start_line = read_start_line(start_line);
    let (headers, header_fault) = read_headers(lines, limits);
    fault = fault.or(header_fault);

    let (method, uri) = match start_line {
        Ok(StartLine::Status(status, reason)) => {
            return match fault.or_else(|| cut_body(&headers, &body).err()) {
                Some((status, detail)) => Err(Malformed::unanswerable(status, detail)),
                None => {
                    let body = cut_body(&headers, &body).unwrap_or(body);
                    Ok(Message::Response(Response {
                        status,
                        reason: reason.into(),
                        headers,
                        body,
                    }))
                }
            };
        }
        Ok(StartLine::Request(method, uri)) => (method, uri),
        Err(StartLineFault::Response(detail)) => return Err(Malformed::unanswerable(400, detail)),
        Err(StartLineFault::Request { status, detail, method }) => {
            fault = Some((status, detail));
            (method, "")
        }
    };
    let mut request = Request {
        method: Method::of(method),
        uri: uri.into(),
        headers,
        body: Bytes::new(),
    };
    if fault.is_none() {
        match cut_body(&request.headers, &body) {
            Ok(body) => request.body = body,
            Err(e) => fault = Some(e),
        }
    }
    match fault {
        None => Ok(Message::Request(request)),
        Some((status, detail)) => Err(Malformed {
            status,
            detail,
            request: Some(Box::new(request)),
        }),
    }
}

/// Position of the empty line's `\r\n\r\n`.
pub(super) fn find_head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|w| w == b"\r\n\r\n")
}

/// A status to answer with, and what is wrong.
type Fault = (u16, String);

enum StartLine<'a> {
    Request(&'a str, &'a str),
    Status(u16, &'a str),
}

enum StartLineFault<'a> {
    Request {
        status: u16,
        detail: String,
        method: &'a str,
    },
    Response(String),
}

fn read_start_line(line: &str) -> Result<StartLine<'_>, StartLineFault<'_>> {
    let shown = || line.chars().take(128).collect::<String>();
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/")) {
        let wrong = || StartLineFault::Response(format!("`{}` is not a status line", shown()));
        let (version, rest) = line.split_once(' ').ok_or_else(wrong)?;
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let three_digits = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
        return match code.parse() {
            Ok(status @ 100..=699)
                if three_digits && version.eq_ignore_ascii_case("SIP/2.0") && !reason.contains('\r') =>
            {
                Ok(StartLine::Status(status, reason))
            }
            _ => Err(wrong()),
        };
    }
    let (method, rest) = line.split_once(' ').unwrap_or((line, ""));
    let fault = |status, detail| StartLineFault::Request { status, detail, method };
    let mut words = rest.split(' ');
    // Single spaces, nothing before or behind (RFC 3261 7.1): with anything looser, elements would disagree on the Request-URI.
    let (Some(uri), Some(version), None) = (words.next(), words.next(), words.next()) else {
        return Err(fault(
            400,
            format!("`{}` is not `METHOD URI SIP/2.0` with single spaces", shown()),
        ));
    };
    if !scan::is_token(method) || uri.is_empty() || uri.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control())
    {
        return Err(fault(400, format!("`{}` has no valid method and Request-URI", shown())));
    }
    if version.eq_ignore_ascii_case("SIP/2.0") {
        Ok(StartLine::Request(method, uri))
    } else if is_version(version) {
        Err(fault(505, format!("`{version}` is not spoken here, only SIP/2.0")))
    } else {
        Err(fault(400, format!("`{}` has no SIP version", shown())))
    }
}

/// Whether the text is a SIP version of any number.
fn is_version(text: &str) -> bool {
    text.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("SIP/"))
        && text[4..].bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Reads header field lines; with the first fault the reading goes on, so that a refusal can be addressed.
pub(super) fn read_headers(text: &str, limits: &Limits) -> (Headers, Option<Fault>) {
    let mut headers = Headers::with_capacity(16);
    let mut fault = None;
    let mut lines = text.split("\r\n").peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if headers.len() == limits.headers {
            fault.get_or_insert_with(|| {
                (
                    400,
                    format!("the message has more than {} header fields", limits.headers),
                )
            });
            break;
        }
        let mut value: Option<String> = None;
        let mut size = line.len();
        let Some((name, first)) = line.split_once(':') else {
            let shown: String = line.chars().take(64).collect();
            fault.get_or_insert_with(|| (400, format!("header line `{shown}` has no colon")));
            continue;
        };
        // A line that begins with white space continues the one before (RFC 3261 7.3.1).
        while let Some(next) = lines.next_if(|next| next.starts_with([' ', '\t'])) {
            size += next.len();
            if size <= limits.header {
                let value = value.get_or_insert_with(|| first.trim().to_owned());
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(next.trim());
            }
        }
        let name = name.trim_end_matches([' ', '\t']);
        if size > limits.header {
            fault.get_or_insert_with(|| (400, format!("a header field has more than {} bytes", limits.header)));
            continue;
        }
        let value = value.unwrap_or_else(|| first.trim().to_owned());
        // A lone CR or LF would be a line end to some elements. A NUL is legal: escaped, inside quotes.
        if !scan::is_token(name) || value.contains(['\r', '\n']) {
            let shown: String = name.chars().take(64).collect();
            fault.get_or_insert_with(|| {
                (
                    400,
                    format!("header field `{shown}` has no valid name or has a stray line end"),
                )
            });
            continue;
        }
        headers.push(HeaderName::of(name), value);
    }
    (headers, fault)
}

/// Content-Length: none when absent (RFC 3261 20.14).
pub(super) fn content_length(headers: &Headers) -> Result<Option<usize>, Fault> {
    let mut lines = headers.lines(&HeaderName::ContentLength);
    let Some(text) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err((400, "Content-Length occurs more than once".into()));
    }
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(length) if digits => Ok(Some(length)),
        _ => Err((
            400,
            format!(
                "Content-Length `{}` is not a length",
                text.chars().take(32).collect::<String>()
            ),
        )),
    }
}

fn cut_body(headers: &Headers, body: &Bytes) -> Result<Bytes, Fault> {
    match content_length(headers)? {
        None => Ok(body.clone()),
        Some(length) if length <= body.len() => Ok(body.slice(..length)),
        Some(length) => Err((
            400,
            format!("Content-Length is {length}, but the body has {} bytes", body.len()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Message, Malformed> {
        parse(
            &Bytes::copy_from_slice(text.as_bytes()),
            &Limits {
                message: 1000,
                headers: 5,
                header: 100,
            },
        )
    }

    #[test]
    fn names_have_compact_forms_and_values_are_unfolded() {
        let Message::Request(request) =
            read("\r\nOPTIONS sip:h SIP/2.0\r\nf : a\r\n\t b\r\nX-Y:\r\n z\r\nl:2\r\n\r\nabcd").unwrap()
        else {
            panic!("not a request")
        };
        assert_eq!(request.headers.first(&HeaderName::From), Some("a b"));
        assert_eq!(request.headers.first(&HeaderName::of("x-y")), Some("z"));
        assert_eq!(request.body, "ab");
    }

    #[test]
    fn the_limits_hold() {
        let many = format!("OPTIONS sip:h SIP/2.0\r\n{}\r\n", "a:b\r\n".repeat(6));
        assert!(read(&many).unwrap_err().detail.contains("more than 5 header fields"));
        let long = format!("OPTIONS sip:h SIP/2.0\r\na: {}\r\n\r\n", "x".repeat(100));
        assert!(read(&long).unwrap_err().detail.contains("more than 100 bytes"));
        let folded = format!("OPTIONS sip:h SIP/2.0\r\na:{}\r\n\r\n", "\r\n x".repeat(60));
        assert!(read(&folded).unwrap_err().detail.contains("more than 100 bytes"));
        let large = format!("OPTIONS sip:h SIP/2.0\r\n\r\n{}", "x".repeat(1000));
        assert_eq!(read(&large).unwrap_err().status, 513);
    }

    #[test]
    fn a_stray_line_end_is_refused() {
        for bad in [
            "OPTIONS sip:h SIP/2.0\r\na: b\nc: d\r\n\r\n",
            "OPTIONS sip:h SIP/2.0\r\na: b\rc: d\r\n\r\n",
            "OPTIONS sip:h SIP/2.0\n\n",
        ] {
            assert_eq!(read(bad).unwrap_err().status, 400, "{bad:?}");
        }
    }

    #[test]
    fn status_lines_are_read_with_and_without_a_reason() {
        for (line, reason) in [
            ("SIP/2.0 100 ", ""),
            ("SIP/2.0 100", ""),
            ("SIP/2.0 200 = 2**3 * 5**2 но", "= 2**3 * 5**2 но"),
        ] {
            let Message::Response(response) = read(&format!("{line}\r\n\r\n")).unwrap() else {
                panic!("not a response")
            };
            assert_eq!(response.reason, reason);
        }
        assert!(read("SIP/2.0 4294967301 better\r\n\r\n").unwrap_err().request.is_none());
    }
}
