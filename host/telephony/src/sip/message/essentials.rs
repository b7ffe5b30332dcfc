//! The fields that every request must have.

use super::{CSeq, HeaderName, Malformed, NameAddr, Request, Uri, Via};

/// What the transaction layer and the user agent server need of a request, read and checked (RFC 3261 8.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Essentials {
    /// The topmost Via.
    pub via: Via,
    /// From.
    pub from: NameAddr,
    /// To.
    pub to: NameAddr,
    /// Call-ID.
    pub call_id: String,
    /// CSeq; its method is the request's.
    pub cseq: CSeq,
    /// Max-Forwards; absent from RFC 2543 elements.
    pub max_forwards: Option<u8>,
}

impl Essentials {
    /// Reads them.
    ///
    /// # Errors
    /// [`Malformed`] with 400, or 501 where start line and CSeq disagree on an unknown method (RFC 4475 3.1.2.18).
    pub fn of(request: &Request) -> Result<Essentials, Malformed> {
        Essentials::read(request).map_err(|(status, detail)| Malformed {
            status,
            detail,
            request: Some(Box::new(request.clone())),
        })
    }

    fn read(request: &Request) -> Result<Essentials, (u16, String)> {
        let bad = |detail: String| (400, detail);
        let headers = &request.headers;
        let once = |name: HeaderName| {
            let mut lines = headers.lines(&name);
            match (lines.next(), lines.next()) {
                (Some(value), None) => Ok(value),
                (None, _) => Err((400, format!("{name} is missing"))),
                (Some(_), Some(_)) => Err((400, format!("{name} occurs more than once"))),
            }
        };
        let top = headers
            .list(&HeaderName::Via)
            .next()
            .ok_or_else(|| (400, "Via is missing".to_owned()))?;
        let via = Via::parse(top).map_err(bad)?;
        // The others are only echoed, but an echo of garbage would be ours.
        for via in headers.list(&HeaderName::Via).skip(1) {
            Via::parse(via).map_err(bad)?;
        }
        let from = NameAddr::parse(once(HeaderName::From)?).map_err(|e| bad(format!("From: {e}")))?;
        let to = NameAddr::parse(once(HeaderName::To)?).map_err(|e| bad(format!("To: {e}")))?;
        let call_id = once(HeaderName::CallId)?;
        if call_id.is_empty() || call_id.contains(char::is_whitespace) {
            return Err(bad("Call-ID is not one word".into()));
        }
        let cseq = CSeq::parse(once(HeaderName::CSeq)?).map_err(bad)?;
        if cseq.method != request.method {
            let status = if request.method.is_registered() { 400 } else { 501 };
            return Err((
                status,
                format!("the request is {}, its CSeq says {}", request.method, cseq.method),
            ));
        }
        let max_forwards = match once(HeaderName::MaxForwards) {
            Ok(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => Some(
                text.parse()
                    .map_err(|_| bad(format!("Max-Forwards `{text:.32}` is above 255")))?,
            ),
            Ok(text) => return Err(bad(format!("Max-Forwards `{text:.32}` is not a number"))),
            Err(_) if headers.first(&HeaderName::MaxForwards).is_none() => None,
            Err(e) => return Err(e),
        };
        let uri = Uri::parse(&request.uri).map_err(bad)?;
        if uri.has_headers {
            // RFC 3261 19.1.1: not allowed in a Request-URI; RFC 4475 3.1.2.11.
            return Err(bad("the Request-URI has a header part".into()));
        }
        Ok(Essentials {
            via,
            from,
            to,
            call_id: call_id.into(),
            cseq,
            max_forwards,
        })
    }
}
