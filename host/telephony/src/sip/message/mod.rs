//! SIP messages: text in, values out, and back (RFC 3261 sections 7, 20 and 25).
//!
//! Reading happens in two steps. [`parse`] splits a message into start line, header fields and body and refuses what
//! has no such structure; [`Essentials::of`] reads the fields that every request must have and the transaction layer
//! lives on. Both are strict where a loose reading would let two elements see different messages (line ends, lengths,
//! fields that may occur once) and lenient where the RFC asks for it (case, folding, compact names, white space around
//! separators, RFC 2543 forms). A refusal, [`Malformed`], carries the status to answer with and as much of the request as is
//! needed to address the answer.

mod essentials;
mod fields;
mod frame;
mod headers;
mod parse;
mod scan;
mod uri;

pub use essentials::Essentials;
pub use fields::{CSeq, HostPort, NameAddr, Params, Via};
pub use frame::{Frame, Framer};
pub use headers::{HeaderName, Headers};
pub use parse::{Malformed, parse};
pub use uri::{Scheme, Uri, escape_user};

use bytes::Bytes;
use std::fmt;

/// Bounds on a message. What exceeds them is answered with 513 (RFC 3261 21.5.7) or, for header fields, 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Whole message, bytes.
    pub message: usize,
    /// Number of header field lines.
    pub headers: usize,
    /// One header field line with its continuation lines, bytes.
    pub header: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message: 64 << 10,
            headers: 128,
            header: 8 << 10,
        }
    }
}

/// A request method.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// RFC 3261 13.
    Invite,
    /// RFC 3261 17.1.1.3.
    Ack,
    /// RFC 3261 9.
    Cancel,
    /// RFC 3261 11.
    Options,
    /// RFC 3261 15.
    Bye,
    /// Any other, in its own spelling: methods are case-sensitive.
    Other(String),
}

impl Method {
    /// Reads a method. Does not check that the text is a token.
    pub fn of(text: &str) -> Method {
        match text {
            "INVITE" => Method::Invite,
            "ACK" => Method::Ack,
            "CANCEL" => Method::Cancel,
            "OPTIONS" => Method::Options,
            "BYE" => Method::Bye,
            other => Method::Other(other.into()),
        }
    }

    /// The method's text.
    pub fn as_str(&self) -> &str {
        match self {
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Cancel => "CANCEL",
            Method::Options => "OPTIONS",
            Method::Bye => "BYE",
            Method::Other(text) => text,
        }
    }

    /// Whether some standard defines the method, so that a refusal is 405 and not 501 (RFC 3261 8.2.1, 21.5.2).
    pub fn is_registered(&self) -> bool {
        match self {
            Method::Other(text) => matches!(
                text.as_str(),
                "REGISTER" | "PRACK" | "SUBSCRIBE" | "NOTIFY" | "PUBLISH" | "INFO" | "REFER" | "MESSAGE" | "UPDATE"
            ),
            _ => true,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The Request-URI's text: without white space, otherwise not checked.
    pub uri: String,
    /// Header fields in order.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 100-699.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// Header fields in order.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// The message as it is sent.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Message::Request(request) => {
                let start = format!("{} {} SIP/2.0\r\n", request.method, request.uri);
                serialise(start, &request.headers, &request.body)
            }
            Message::Response(response) => response.to_bytes(),
        }
    }
}

impl Response {
    /// The response as it is sent.
    pub fn to_bytes(&self) -> Bytes {
        serialise(
            format!("SIP/2.0 {} {}\r\n", self.status, self.reason),
            &self.headers,
            &self.body,
        )
    }
}

fn serialise(start: String, headers: &Headers, body: &Bytes) -> Bytes {
    let mut out = start.into_bytes();
    out.reserve(1024 + body.len());
    for (name, value) in headers.iter() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out.into()
}

/// The standard reason phrase of a status (RFC 3261 21 and later ones).
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        182 => "Queued",
        200 => "OK",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ if status < 400 => "Unknown",
        _ if status < 500 => "Request Failure",
        _ if status < 600 => "Server Failure",
        _ => "Global Failure",
    }
}
