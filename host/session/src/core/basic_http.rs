//! The Basic HTTP Event I/O Processor (W3C SCXML C.2), without the network: what a `send` is as a message, and what event a
//! message is.
//!
//! ```text
//!   send event, params      POST, a form: _scxmleventname=EVENT&NAME=VALUE...        event EVENT, _event.data.NAME
//!   send content (text)     POST, the text percent-encoded                           event HTTP.POST, _event.data the text
//!   send content (XML)      POST, application/xml                                    event HTTP.POST, _event.data a document
//!   send content (others)   POST, application/json                                   event HTTP.POST, _event.data the value
//! ```
//!
//! An event's name goes into the query where the body is taken by `content`. A session that sends to its own location is
//! given the event at once and in order, made of the same text that would have travelled.
//!
//! What a `send` holds does not say whether it came of parameters or of `<content>` (C.2.2 has the latter as the body). So an
//! object goes by what is in it: where each value is a scalar, or a list of scalars, it travels as a form, each value of a list
//! as a parameter of that name; where one is not, a form could only hold JSON in a parameter, and the object travels as JSON.
//! A form has no types: its values arrive as strings, and a list of one as its value.
//!
//! A text is percent-encoded and called a form, although it is none: that is the default encoding of C.2.2, and W3C's test 520
//! looks for the text in that shape. Who reads it as `text/plain` has to decode it.

use pointsman_contract::{BASIC_HTTP_PROCESSOR, Event, MAX_EVENT_DATA, Send};
use serde_json::{Map, Value};

/// The parameter that holds the event's name (C.2.1).
const EVENT_NAME: &str = "_scxmleventname";

/// The encoding of parameters, and the default one of everything (C.2.2).
const FORM: &str = "application/x-www-form-urlencoded";

/// Longest name of an event, in bytes.
const MAX_NAME: usize = 256;

/// A message to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where to.
    pub url: String,
    /// Media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// No event can be made of a message (C.2.1: the answer is 4xx).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// What it names cannot be an event's name.
    #[error(
        "`{0}` cannot be the name of an event: words joined by dots, without blanks or `*`, at most {MAX_NAME} bytes"
    )]
    Name(String),
    /// It says that it is JSON and is not.
    #[error("the body is not JSON: {0}")]
    Json(String),
    /// It holds more than a session may be given.
    #[error("it makes an event of {0} bytes; a session is given at most {MAX_EVENT_DATA}")]
    TooLarge(usize),
}

/// Is this a name of the Basic HTTP processor?
pub fn is_basic_http(processor: Option<&str>) -> bool {
    processor.is_some_and(|p| p == BASIC_HTTP_PROCESSOR || p == "basichttp")
}

/// The message that a `send` to `target` becomes.
pub fn message(send: &Send, target: &str) -> Message {
    let data = send.data.as_deref().and_then(|d| serde_json::from_str(d).ok());
    let (content_type, body) = match data {
        None => (FORM, form(&send.event, &Map::new())),
        Some(Value::Object(parameters)) if parameters.values().all(fits_form) => (FORM, form(&send.event, &parameters)),
        Some(Value::String(text)) if send.xml => ("application/xml", text),
        // As forms have it, with %20 for blanks: C.2.2 has forms as the default encoding, and W3C's test 520 looks for it.
        Some(Value::String(text)) => (FORM, encoded(&text).replace('+', "%20")),
        Some(other) => ("application/json", other.to_string()),
    };
    let named = send.event.is_empty() || content_type == FORM && body.contains('=');
    let url = if named {
        target.to_owned()
    } else {
        let joint = if target.contains('?') { '&' } else { '?' };
        format!("{target}{joint}{EVENT_NAME}={}", encoded(&send.event))
    };
    Message {
        url,
        content_type,
        body,
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A form can hold it without JSON: a scalar, or a list of some. Of an empty list nothing would be left.
fn fits_form(value: &Value) -> bool {
    let scalar = |value: &Value| !value.is_object() && !value.is_array();
    match value {
        Value::Array(values) => !values.is_empty() && values.iter().all(scalar),
        value => scalar(value),
    }
}

fn form(event: &str, parameters: &Map<String, Value>) -> String {
    let mut out = form_urlencoded::Serializer::new(String::new());
    if !event.is_empty() {
        out.append_pair(EVENT_NAME, event);
    }
    for (name, value) in parameters {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            match value {
                Value::String(text) => out.append_pair(name, text),
                Value::Null => out.append_pair(name, ""),
                other => out.append_pair(name, &other.to_string()),
            };
        }
    }
    out.finish()
}

/// What a body holds besides parameters.
enum Content {
    Json(Value),
    Xml(String),
}

/// The event that a message becomes: `target` is its path and query.
///
/// # Errors
/// When none can be made of it.
pub fn event(method: &str, target: &str, content_type: Option<&str>, body: &str) -> Result<Event, Malformed> {
    let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let media = media.trim().to_ascii_lowercase();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut fields: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let content = match media.as_str() {
        _ if body.is_empty() => None,
        FORM if body.contains(['=', '&']) => {
            fields.extend(form_urlencoded::parse(body.as_bytes()));
            None
        }
        // A form of one field without a value: a text.
        FORM => {
            let text = form_urlencoded::parse(body.as_bytes()).next();
            text.map(|(text, _)| Content::Json(Value::String(text.into_owned())))
        }
        "application/json" => {
            let json = serde_json::from_str(body).map_err(|e| Malformed::Json(e.to_string()))?;
            Some(Content::Json(json))
        }
        "application/xml" | "text/xml" => Some(Content::Xml(body.to_owned())),
        other if other.ends_with("+xml") => Some(Content::Xml(body.to_owned())),
        _ => Some(Content::Json(Value::String(body.to_owned()))),
    };
    let mut name = None;
    let mut parameters = Map::new();
    for (key, value) in fields {
        if key == EVENT_NAME {
            // Of several the first; the standard leaves it open.
            name.get_or_insert(value.into_owned());
            continue;
        }
        let value = Value::String(value.into_owned());
        match parameters.get_mut(key.as_ref()) {
            None => {
                parameters.insert(key.into_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    let name = name.unwrap_or_else(|| format!("HTTP.{method}"));
    let token = |t: &str| !t.is_empty() && !t.contains(|c: char| c.is_whitespace() || c.is_control() || c == '*');
    if name.len() > MAX_NAME || !name.split('.').all(token) {
        return Err(Malformed::Name(name.chars().take(64).collect()));
    }
    let (data, xml) = match content {
        Some(Content::Json(json)) => (Some(json.to_string()), false),
        Some(Content::Xml(text)) => (Some(Value::String(text).to_string()), true),
        None if parameters.is_empty() => (None, false),
        None => (Some(Value::Object(parameters).to_string()), false),
    };
    let mut event = Event {
        xml,
        origintype: Some(BASIC_HTTP_PROCESSOR.to_owned()),
        ..Event::external(name, data)
    };
    if event.size() > MAX_EVENT_DATA {
        return Err(Malformed::TooLarge(event.size()));
    }
    event.raw = Some(raw(method, target, content_type, body));
    if event.size() > MAX_EVENT_DATA {
        // The data is what counts.
        event.raw = None;
    }
    Ok(event)
}

fn raw(method: &str, target: &str, content_type: Option<&str>, body: &str) -> String {
    let kind = content_type.map_or_else(String::new, |kind| format!("Content-Type: {kind}\r\n"));
    format!(
        "{method} {target} HTTP/1.1\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The event that a `send` to the session's own location becomes.
pub(super) fn looped(send: &Send) -> Result<Event, Malformed> {
    let message = message(send, send.target.as_deref().unwrap_or_default());
    let path = message.url.split_once("://").map_or(message.url.as_str(), |(_, rest)| {
        rest.find('/').map_or("/", |at| &rest[at..])
    });
    event("POST", path, Some(message.content_type), &message.body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

    use super::*;

    const AT: &str = "https://node/scxml/session/S/basichttp/token";

    fn send(event: &str, data: Option<&str>) -> Send {
        Send {
            id: None,
            event: event.into(),
            target: Some(AT.into()),
            processor: Some("basichttp".into()),
            data: data.map(Into::into),
            xml: false,
            delay_ms: 0,
        }
    }

    fn heard(send: &Send) -> (String, Option<String>, bool) {
        let event = looped(send).unwrap();
        (event.name, event.data, event.xml)
    }

    #[test]
    fn parameters_travel_as_a_form_with_the_name_of_the_event() {
        let data = r#"{"a":"1 + 2","list":[1,"x"],"n":2,"none":null}"#;
        let sent = message(&send("test.it", Some(data)), AT);
        assert_eq!(sent.url, AT);
        assert_eq!(sent.body, "_scxmleventname=test.it&a=1+%2B+2&list=1&list=x&n=2&none=");
        let (name, data, _) = heard(&send("test.it", Some(data)));
        assert_eq!(name, "test.it");
        assert_eq!(data.unwrap(), r#"{"a":"1 + 2","list":["1","x"],"n":"2","none":""}"#);
        assert_eq!(heard(&send("test", None)), ("test".into(), None, false));
    }

    #[test]
    fn an_object_that_no_form_can_hold_is_the_body_as_json() {
        for data in [
            r#"{"a":{"b":1}}"#,
            r#"{"a":1,"list":[1,[2]]}"#,
            r#"{"list":[{}]}"#,
            r#"{"list":[]}"#,
        ] {
            let sent = message(&send("", Some(data)), AT);
            assert_eq!(
                (sent.url.as_str(), sent.content_type, sent.body.as_str()),
                (AT, "application/json", data)
            );
            let named = send("test.it", Some(data));
            assert_eq!(message(&named, AT).url, format!("{AT}?_scxmleventname=test.it"));
            assert_eq!(heard(&named), ("test.it".into(), Some(data.into()), false));
        }
    }

    #[test]
    fn content_is_the_body_and_the_name_goes_into_the_query() {
        let text = send("", Some(r#""this is = some & content""#));
        let sent = message(&text, AT);
        assert_eq!((sent.url.as_str(), sent.content_type), (AT, FORM));
        assert_eq!(sent.body, "this%20is%20%3D%20some%20%26%20content");
        let expected = Some(r#""this is = some & content""#.to_owned());
        assert_eq!(heard(&text), ("HTTP.POST".into(), expected.clone(), false));
        let named = send("a.b", Some(r#""this is = some & content""#));
        assert_eq!(message(&named, AT).url, format!("{AT}?_scxmleventname=a.b"));
        assert_eq!(
            message(&named, "http://x/?y=1").url,
            "http://x/?y=1&_scxmleventname=a.b"
        );
        assert_eq!(heard(&named), ("a.b".into(), expected, false));
        let xml = Send {
            xml: true,
            ..send("", Some(r#""<a b='c'/>""#))
        };
        assert_eq!(message(&xml, AT).content_type, "application/xml");
        assert_eq!(heard(&xml), ("HTTP.POST".into(), Some(r#""<a b='c'/>""#.into()), true));
        let list = send("", Some("[1,2]"));
        assert_eq!(heard(&list), ("HTTP.POST".into(), Some("[1,2]".into()), false));
    }

    #[test]
    fn the_raw_message_is_kept_as_it_came_unless_it_is_too_large() {
        let event = event("POST", "/x?q=1", Some("text/plain; charset=utf-8"), "hello").unwrap();
        assert_eq!(
            event.raw.unwrap(),
            "POST /x?q=1 HTTP/1.1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello"
        );
        assert_eq!(event.data.unwrap(), r#""hello""#);
        let large = "x".repeat(MAX_EVENT_DATA / 2 + 1);
        let event = super::event("POST", "/", Some("text/plain"), &large).unwrap();
        assert_eq!(event.raw, None);
        let more = "x".repeat(MAX_EVENT_DATA);
        assert!(matches!(
            super::event("POST", "/", None, &more),
            Err(Malformed::TooLarge(_))
        ));
    }

    #[test]
    fn what_is_no_event_is_said() {
        let of = |target: &str, kind: &str, body: &str| event("POST", target, Some(kind), body);
        assert!(matches!(of("/", "application/json", "{"), Err(Malformed::Json(_))));
        for name in ["a..b", "*", "a%20b", "", "a.%0A"] {
            let named = of(&format!("/?_scxmleventname={name}"), "text/plain", "");
            assert!(matches!(named, Err(Malformed::Name(_))), "{name}");
        }
        let several = of("/?_scxmleventname=a", FORM, "_scxmleventname=b&x=1&x=2").unwrap();
        assert_eq!(
            (several.name.as_str(), several.data.as_deref()),
            ("a", Some(r#"{"x":["1","2"]}"#))
        );
    }
}
