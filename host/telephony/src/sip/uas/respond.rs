//! Making responses (RFC 3261 8.2.6) and saying where they go (18.2.2, RFC 3581).

use super::{
    Channel, Headers, Input, Malformed, Now, Options, Request, Send, Source, Transaction, TransactionId, Uas, network,
};
use crate::sip::message::{Essentials, HeaderName, Method, Response, Via, reason_phrase};
use crate::sip::transaction::Server;
use bytes::Bytes;
use std::net::SocketAddr;

/// The methods that a routing point answers to.
const ALLOW: &str = "INVITE, ACK, CANCEL, OPTIONS, BYE";

/// What every response repeats once, beside Via (RFC 3261 8.2.6.2).
const ECHOED: [HeaderName; 4] = [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];

pub(super) fn with_allow(headers: &mut Headers, _: &Options) {
    headers.push(HeaderName::Allow, ALLOW);
}

impl Uas {
    pub(super) fn transaction(&self, source: Source, request: &Request, essentials: &Essentials) -> Transaction {
        let invite = request.method == Method::Invite;
        let (echo, tag) = self.echo(source, request, Some(essentials));
        Transaction {
            server: Server::new(invite, source.protocol.is_reliable(), self.options.timers()),
            invite,
            reply_to: reply_to(source, Some(&essentials.via)),
            echo: Some(echo),
            tag,
            attempt: None,
            network: network(source.peer.ip()),
            key: None,
        }
    }

    /// Responds within a transaction. `extend` adds header fields. Without a reason, the standard one is given.
    pub(super) fn respond(
        &mut self,
        now: Now,
        id: TransactionId,
        status: u16,
        reason: Option<&str>,
        extend: impl FnOnce(&mut Headers, &Options),
    ) {
        let Some(transaction) = self.table.get_mut(id) else {
            return;
        };
        let mut headers = if status < 200 {
            transaction.echo.clone()
        } else {
            transaction.echo.take()
        };
        // Without the echo there was a final response: the transaction would not send another one.
        let Some(headers) = &mut headers else { return };
        let tag = transaction.tag.clone();
        extend(headers, &self.options);
        let bytes = finish(std::mem::take(headers), tag.as_deref(), status, reason);
        self.feed(now, id, Input::Respond(status, bytes));
    }

    /// Refuses a request without a transaction: a retransmission gets the same answer, made anew (RFC 3261 8.2.7).
    pub(super) fn refuse(
        &mut self,
        source: Source,
        request: &Request,
        essentials: Option<&Essentials>,
        status: u16,
        reason: Option<&str>,
    ) {
        if request.method == Method::Ack {
            return;
        }
        let (mut headers, tag) = self.echo(source, request, essentials);
        if status == 503 {
            headers.push(HeaderName::RetryAfter, self.options.retry_after_s.to_string());
        }
        let via = essentials.map(|essentials| &essentials.via);
        let parsed = via.is_none().then(|| top_via(request)).flatten();
        let (channel, to) = reply_to(source, via.or(parsed.as_ref()));
        let bytes = finish(headers, tag.as_deref(), status, reason);
        self.sends.push(Send {
            channel,
            to,
            bytes,
            transaction: None,
        });
    }

    pub(super) fn refuse_malformed(&mut self, source: Source, malformed: &Malformed) {
        tracing::debug!(peer = %source.peer, status = malformed.status, "malformed: {malformed}");
        let Some(request) = &malformed.request else { return };
        // Without any Via it is not known to whom the sender would give a response; it would be noise.
        if request.headers.first(&HeaderName::Via).is_some() {
            let reason = (malformed.status == 400).then(|| format!("Bad Request ({})", printable(&malformed.detail)));
            self.refuse(source, request, None, malformed.status, reason.as_deref());
        }
    }

    /// The header fields that a response repeats, with the top Via completed, and our To tag where one is needed. Of a
    /// malformed request, what there is.
    fn echo(&self, source: Source, request: &Request, essentials: Option<&Essentials>) -> (Headers, Option<String>) {
        let mut echo = Headers::with_capacity(10);
        let parsed = if essentials.is_none() { top_via(request) } else { None };
        for (n, via) in request.headers.list(&HeaderName::Via).enumerate() {
            let top = essentials
                .map(|essentials| &essentials.via)
                .or(parsed.as_ref())
                .filter(|_| n == 0);
            match top {
                Some(top) => echo.push(HeaderName::Via, received(top, source).to_string()),
                None => echo.push(HeaderName::Via, via),
            }
        }
        for name in ECHOED {
            if let Some(value) = request.headers.first(&name) {
                echo.push(name, value);
            }
        }
        if let Some(timestamp) = request.headers.first(&HeaderName::Timestamp) {
            echo.push(HeaderName::Timestamp, timestamp);
        }
        let tagged = match essentials {
            Some(essentials) => essentials.to.tag().is_some(),
            None => request
                .headers
                .first(&HeaderName::To)
                .is_none_or(|to| to.to_ascii_lowercase().contains(";tag")),
        };
        // Made from what a retransmission repeats: a stateless answer must have the same tag each time.
        let tag = (!tagged).then(|| {
            let headers = &request.headers;
            let top = headers.list(&HeaderName::Via).next();
            let cseq = essentials.map(|essentials| essentials.cseq.number);
            format!(
                "{:016x}",
                self.digest((top, headers.first(&HeaderName::CallId), cseq)) as u64
            )
        });
        (echo, tag)
    }
}

/// Bytes of a request that its transaction keeps.
pub(super) fn kept(request: &Request) -> usize {
    let repeated = |name: &HeaderName| {
        name.as_str().eq_ignore_ascii_case("Record-Route")
            || [HeaderName::Via, HeaderName::Timestamp].contains(name)
            || ECHOED.contains(name)
    };
    let lines = request.headers.iter().filter(|(name, _)| repeated(name));
    request.uri.len()
        + lines
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum::<usize>()
}

fn top_via(request: &Request) -> Option<Via> {
    Via::parse(request.headers.list(&HeaderName::Via).next()?).ok()
}

/// The top Via with what the receiver adds: `received` where the packet does not come from sent-by (RFC 3261 18.2.1), and `rport`
/// where it was asked for (RFC 3581 4).
fn received(via: &Via, source: Source) -> Via {
    let mut via = via.clone();
    let rport = via.params.get("rport").is_some();
    let sent_by: Option<std::net::IpAddr> = via.sent_by.host.trim_matches(['[', ']']).parse().ok();
    // A socket for both families shows an IPv4 sender as an IPv6 address, which is not the one that it knows itself by.
    let peer = source.peer.ip().to_canonical();
    if rport || sent_by.map(|sent_by| sent_by.to_canonical()) != Some(peer) {
        via.params.set("received", peer.to_string());
    }
    if rport {
        via.params.set("rport", source.peer.port().to_string());
    }
    via
}

/// Where responses go: back through a connection; over UDP to the address that the packet came from, at the port that the
/// sender asked for. `maddr` is not followed: this link listens to no multicast group, and following it would let anybody
/// aim our responses at a third party.
fn reply_to(source: Source, via: Option<&Via>) -> (Channel, SocketAddr) {
    const SIP_PORT: u16 = 5060;
    let to = match (source.channel, via) {
        (Channel::Socket(_), Some(via)) if via.params.get("rport").is_none() => {
            // Otherwise the address as the socket gave it: a mapped one, or one with a scope, is only good in that form.
            let mut to = source.peer;
            to.set_port(via.sent_by.port.unwrap_or(SIP_PORT));
            to
        }
        _ => source.peer,
    };
    (source.channel, to)
}

fn finish(mut headers: Headers, tag: Option<&str>, status: u16, reason: Option<&str>) -> Bytes {
    if let Some(tag) = tag.filter(|_| status != 100) {
        headers.append_to(&HeaderName::To, &format!(";tag={tag}"));
    }
    headers.push(HeaderName::ContentLength, "0");
    let reason = reason.unwrap_or_else(|| reason_phrase(status)).to_owned();
    Response {
        status,
        reason,
        headers,
        body: Bytes::new(),
    }
    .to_bytes()
}

/// A text that may stand in a start line.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(128)
        .collect()
}
