//! What handlers take out of a request, each refusal with a message that says what to send instead.

use crate::problem::Failure;
use crate::security::Caller;
use crate::types::Code;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{Form, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Path parameters, in the order of the path.
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(t)| At(t))
            .map_err(|e| Failure::new(Code::BadRequest, format!("The path is malformed: {e}.")))
    }
}

/// The query string. Unknown parameters are refused by name where `T` says so.
pub(crate) struct Question<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Question<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        check_escapes(parts.uri.query().unwrap_or_default().as_bytes(), "query")?;
        let query = Query::try_from_uri(&parts.uri);
        query.map(|Query(t)| Question(t)).map_err(|e| {
            let cause = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
            Failure::new(Code::BadRequest, format!("The query cannot be understood: {cause}."))
        })
    }
}

/// The body's bytes, within the route's bound.
pub(crate) struct Raw(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let max = request.extensions().get::<Caller>().map_or(0, |caller| caller.max_body);
        Bytes::from_request(request, state)
            .await
            .map(Raw)
            .map_err(|rejection| match rejection {
                BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => too_large(max),
                _ => Failure::new(
                    Code::Truncated,
                    "The body ended before its announced length; send it again.",
                ),
            })
    }
}

/// The body is too large, and how large it may be.
pub(crate) fn too_large(max: usize) -> Failure {
    Failure::new(
        Code::TooLarge,
        format!("The body is larger than the {max} bytes that this path takes."),
    )
}

/// Media type of the body, lower case, without parameters; empty where the client named none. Only UTF-8 is taken.
pub(crate) fn media_type(headers: &HeaderMap) -> Result<String, Failure> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(String::new());
    };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_owned();
    for charset in parts.filter_map(|p| p.strip_prefix("charset=")) {
        let charset = charset.trim_matches('"');
        if charset != "utf-8" && charset != "utf8" && charset != "us-ascii" {
            return Err(Failure::new(
                Code::MediaType,
                format!("The charset `{charset}` is not taken; send UTF-8."),
            ));
        }
    }
    Ok(essence)
}

/// A refusal of a media type, with what is taken.
pub(crate) fn wrong_media_type(given: &str, taken: &str) -> Failure {
    let given = if given.is_empty() {
        "A body without Content-Type".to_owned()
    } else {
        format!("`{given}`")
    };
    Failure::new(Code::MediaType, format!("{given} is not taken here; send {taken}."))
}

/// The body as text.
pub(crate) fn utf8(body: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(body).map_err(|e| {
        let detail = format!(
            "The body is not UTF-8: the byte at offset {} is wrong.",
            e.valid_up_to()
        );
        Failure::new(Code::BadRequest, detail)
    })
}

/// The body as JSON of a given shape.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let text = utf8(body)?;
    serde_json::from_str(text).map_err(|e| {
        let what = if e.is_data() { "does not fit" } else { "is not valid" };
        Failure::new(Code::BadRequest, format!("The JSON body {what}: {e}."))
    })
}

/// A JSON body, with its media type required: a form post of another site never gets this far.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let media = media_type(request.headers())?;
        let Raw(body) = Raw::from_request(request, state).await?;
        match media.as_str() {
            "application/json" => json(&body).map(JsonBody),
            other => Err(wrong_media_type(other, "application/json")),
        }
    }
}

/// The same, where no body means the default.
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let media = media_type(request.headers())?;
        let Raw(body) = Raw::from_request(request, state).await?;
        match media.as_str() {
            _ if body.is_empty() => Ok(OptionalJson(T::default())),
            "application/json" => json(&body).map(OptionalJson),
            other => Err(wrong_media_type(other, "application/json")),
        }
    }
}

/// Parameters as ORS clients send them: in the query, as a form or as a JSON object; the body wins. A name given
/// several times becomes an array.
pub(crate) struct Parameters(pub(crate) Map<String, Value>);

const FORM: &str = "application/x-www-form-urlencoded";

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        check_escapes(request.uri().query().unwrap_or_default().as_bytes(), "query")?;
        let Query(pairs) = Query::try_from_uri(request.uri())
            .map_err(|e| Failure::new(Code::BadRequest, format!("The query cannot be understood: {e}.")))?;
        let mut parameters = object(pairs);
        let media = media_type(request.headers())?;
        let Raw(body) = Raw::from_request(request, state).await?;
        if body.is_empty() {
            return Ok(Parameters(parameters));
        }
        let given: Map<String, Value> = match media.as_str() {
            FORM => {
                check_escapes(&body, "form")?;
                let Form(pairs) = Form::from_request(form_request(body), &())
                    .await
                    .map_err(|e| Failure::new(Code::BadRequest, format!("The form cannot be understood: {e}.")))?;
                object(pairs)
            }
            "application/json" => json(&body)?,
            other => return Err(wrong_media_type(other, &format!("{FORM} or application/json"))),
        };
        parameters.extend(given);
        Ok(Parameters(parameters))
    }
}

/// The body again, for axum's form decoder, after it was looked at.
fn form_request(body: Bytes) -> Request {
    let mut request = Request::new(body.into());
    *request.method_mut() = Method::POST;
    request
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
    request
}

/// Names and values, in order, into an object.
fn object(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in pairs {
        let value = Value::String(value);
        match map.get_mut(&name) {
            None => {
                map.insert(name, value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    map
}

/// Refuses %-escapes that are incomplete or do not decode to UTF-8: the decoder would silently replace them.
fn check_escapes(encoded: &[u8], what: &str) -> Result<(), Failure> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            decoded.push(first);
            continue;
        }
        let byte = tail.get(..2).filter(|h| h.iter().all(u8::is_ascii_hexdigit));
        let byte = byte.and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
        let Some(byte) = byte else {
            let detail =
                format!("The {what} has a `%` that is not followed by two hexadecimal digits; a literal % is %25.");
            return Err(Failure::new(Code::BadRequest, detail));
        };
        decoded.push(byte);
        rest = &tail[2..];
    }
    match std::str::from_utf8(&decoded) {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::new(
            Code::BadRequest,
            format!("The {what} is not UTF-8 when its %-escapes are decoded."),
        )),
    }
}
