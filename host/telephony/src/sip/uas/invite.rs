//! INVITE, CANCEL and OPTIONS: what the caller's side asks.

use super::{
    Attempt, Essentials, EventKind, Matching, Now, Recent, Request, RouteFailure, TransactionId, Uas, user_data,
};
use super::{CallUuid, ConnId, Duration, Instant};
use crate::model::{Call, CallId, CallType};
use crate::sip::message::{HeaderName, Headers, Method, NameAddr, Scheme, Uri, escape_user};
use crate::sip::uas::respond::with_allow;
use std::sync::Arc;

impl Uas {
    /// Checks that come before looking at the method's own business (RFC 3261 8.2.2). Answers and returns none when one fails.
    fn inspect(&mut self, now: Now, id: TransactionId, request: &Request) -> Option<Uri> {
        let uri = Uri::parse(&request.uri).ok()?;
        if matches!(uri.scheme, Scheme::Other(_)) {
            self.respond(now, id, 416, None, |_, _| {});
            return None;
        }
        let required: Vec<&str> = request
            .headers
            .list(&HeaderName::Require)
            .filter(|tag| !tag.is_empty())
            .collect();
        if request.method != Method::Invite && !required.is_empty() {
            // No extension is supported here that changes how a request is to be understood.
            let unsupported = required.join(", ");
            self.respond(now, id, 420, None, |headers, _| {
                headers.push(HeaderName::Unsupported, unsupported);
            });
            return None;
        }
        Some(uri)
    }

    pub(super) fn answer_options(&mut self, now: Now, id: TransactionId, request: &Request) {
        let Some(uri) = self.inspect(now, id, request) else {
            return;
        };
        // The status is what an INVITE would get (RFC 3261 11.2); without a user, the link itself is meant.
        let known = uri
            .user
            .as_ref()
            .is_none_or(|user| self.dns.find(user, &uri.authority()).is_some());
        if self.draining {
            self.unavailable(now, id);
        } else if known {
            self.respond(now, id, 200, None, |headers, options| {
                with_allow(headers, options);
                headers.push(HeaderName::Accept, "application/sdp");
                headers.push(HeaderName::Supported, "");
            });
        } else {
            self.respond(now, id, 404, None, |_, _| {});
        }
    }

    fn unavailable(&mut self, now: Now, id: TransactionId) {
        self.respond(now, id, 503, None, |headers, options| {
            headers.push(HeaderName::RetryAfter, options.retry_after_s.to_string());
        });
    }

    pub(super) fn invite(&mut self, now: Now, id: TransactionId, request: &Request, essentials: &Essentials) {
        // Max-Forwards is for proxies: here the request has arrived (RFC 3261 16.3, RFC 4475 3.3.11). Require is for who answers the call:
        // a redirect server ignores what it does not know of it (RFC 3261 8.3).
        let Some(uri) = self.inspect(now, id, request) else {
            return;
        };
        if essentials.to.tag().is_some() {
            // There are no dialogs here.
            return self.respond(now, id, 481, None, |_, _| {});
        }
        let from_tag = essentials.from.tag();
        let merge_key = self.digest(("merge", &essentials.call_id, from_tag, essentials.cseq.number));
        if self.merged.contains_key(&merge_key) {
            return self.respond(now, id, 482, None, |_, _| {});
        }
        let authority = uri.authority();
        let point = uri
            .user
            .as_deref()
            .and_then(|user| self.dns.find(user, &authority))
            .cloned();
        let (Some(point), Some(number)) = (point, uri.user) else {
            return self.respond(now, id, 404, None, |_, _| {});
        };
        if self.draining || self.backlogged {
            tracing::debug!(dn = %point.dn, draining = self.draining, "503: no new calls are taken");
            return self.unavailable(now, id);
        }
        if self.waiting >= self.options.max_pending_calls {
            tracing::debug!(dn = %point.dn, "503: max-pending-calls wait already");
            return self.unavailable(now, id);
        }
        let own = point.user_data.as_ref().map(|headers| &headers.incoming);
        let user_data = match user_data::read(own.unwrap_or(&self.options.user_data_in), &request.headers) {
            Ok(user_data) => user_data,
            Err(e) => return self.respond(now, id, 513, Some(&format!("Message Too Large ({e})")), |_, _| {}),
        };

        // The caller's side shall stop retransmitting now, not after 200 ms (RFC 3261 17.2.1): a strategy may take longer.
        self.respond(now, id, 100, None, |_, _| {});
        let random = (self.random)();
        let retry_key = self.digest(("retry", &essentials.call_id, from_tag, &number));
        let earlier = self.take_recent(retry_key, now.instant);
        let (call_uuid, attempt_number) = match &earlier {
            Some(earlier) => (earlier.call_uuid, earlier.number + 1),
            None => (CallUuid::from_random(random), 1),
        };
        if let Some(earlier) = earlier {
            // Should its ACK still come, it says nothing any more.
            if let Some(attempt) = self.table.get_mut(earlier.transaction).and_then(|t| t.attempt.as_mut()) {
                attempt.routed = None;
            }
            self.emit(
                now,
                Some(call_uuid),
                EventKind::RouteFailed {
                    cause: RouteFailure::TargetFailed,
                },
            );
        }
        let conn_id = ConnId::from_random(u64::from_be_bytes(
            (self.random)()[..8].try_into().expect("8 of 20 bytes"),
        ));
        let call = Call {
            call_uuid,
            conn_id,
            call_id: CallId(essentials.call_id.clone()),
            call_type: CallType::Inbound,
            ani: ani(request, essentials),
            dnis: essentials.to.uri.user.clone(),
            this_dn: point.dn.clone(),
            attempt: attempt_number,
            user_data,
            created_ms: now.unix_ms,
        };
        let deadline = now.instant + point.decision_timeout;
        self.await_decision(now, id, deadline);
        let secure = uri.scheme == Scheme::Sips;
        let to = &essentials.to.uri;
        // A tel URI names no host; To often does, and that was meant to reach this side, too.
        let authority = [authority, to.authority()].into_iter().find(|host| !host.is_empty());
        let domain = self.dns.domain(&point.dn.switch).flatten();
        let own = authority.as_deref().or(domain);
        let dialog = dialog(request, own.map(|host| number_uri(secure, &number, host)));
        self.calls.insert(call_uuid, id);
        self.merged.insert(merge_key, id);
        self.waiting += 1;
        if let Some(transaction) = self.table.get_mut(id) {
            transaction.attempt = Some(Box::new(Attempt {
                call_uuid,
                point: Arc::clone(&point),
                authority,
                secure,
                number: attempt_number,
                deadline,
                arrived: now.instant,
                provisional: None,
                dialog,
                routed: None,
                retry_key,
                merge_key,
            }));
        }
        self.emit(now, Some(call_uuid), EventKind::RouteRequest { call: Box::new(call) });
    }

    /// RFC 3261 9.2.
    pub(super) fn cancel(&mut self, now: Now, id: TransactionId, request: &Request, essentials: &Essentials) {
        let matching = Matching::cancelled(request, essentials);
        let Some(invite) = self.table.find(&matching, essentials.to.tag()) else {
            return self.respond(now, id, 481, None, |_, _| {});
        };
        // Both responses shall have the same To tag.
        let tag = self.table.get(invite).and_then(|t| t.tag.clone());
        if let Some(cancel) = self.table.get_mut(id)
            && cancel.tag.is_some()
            && tag.is_some()
        {
            cancel.tag = tag;
        }
        self.respond(now, id, 200, None, |_, _| {});
        // After a final response the CANCEL has no effect: the race is lost, and the ACK of the 302 will tell.
        if let Some(call_uuid) = self.undecided(invite) {
            self.respond(now, invite, 487, None, |_, _| {});
            self.emit(now, Some(call_uuid), EventKind::Abandoned);
        }
    }

    /// The call of an INVITE that has no final response yet.
    pub(super) fn undecided(&self, id: TransactionId) -> Option<CallUuid> {
        let transaction = self.table.get(id)?;
        let attempt = transaction.attempt.as_ref()?;
        transaction.server.is_undecided().then_some(attempt.call_uuid)
    }

    fn take_recent(&mut self, key: u128, now: Instant) -> Option<Recent> {
        self.recent.remove(&key).filter(|recent| recent.until > now)
    }

    pub(super) fn remember(&mut self, key: u128, recent: Recent, now: Instant) {
        let until = recent.until;
        self.recent.insert(key, recent);
        self.recent_order.push_back((until, key));
        // A key whose call came back and was routed again stands in the order twice; the later entry is the one that counts.
        while self.recent_order.front().is_some_and(|(until, _)| *until <= now)
            || self.recent_order.len() > super::MAX_RECENT
        {
            let Some((until, key)) = self.recent_order.pop_front() else {
                break;
            };
            if self.recent.get(&key).is_some_and(|recent| recent.until == until) {
                self.recent.remove(&key);
            }
        }
    }

    pub(super) fn retry_window(&self) -> Duration {
        Duration::from_millis(self.options.retry_window_ms)
    }
}

/// What makes an early dialog of a response (RFC 3261 12.1.1): the way back, and who is there.
fn dialog(request: &Request, contact: Option<String>) -> Headers {
    let record_route = HeaderName::of("Record-Route");
    let mut headers = Headers::default();
    for route in request.headers.lines(&record_route) {
        headers.push(record_route.clone(), route);
    }
    if let Some(contact) = contact {
        headers.push(HeaderName::Contact, format!("<{contact}>"));
    }
    headers
}

/// A number as a URI.
pub(super) fn number_uri(secure: bool, number: &str, host: &str) -> String {
    let scheme = if secure { "sips" } else { "sip" };
    format!("{scheme}:{}@{host}", escape_user(number))
}

/// The caller's number: the asserted identity where a trusted element gave one (RFC 3325), else From. None when withheld.
fn ani(request: &Request, essentials: &Essentials) -> Option<String> {
    let asserted = request
        .headers
        .list(&HeaderName::AssertedIdentity)
        .filter_map(|value| NameAddr::parse(value).ok()?.uri.user)
        .next();
    let from = || {
        let uri = &essentials.from.uri;
        let anonymous = uri.host == "anonymous.invalid" || uri.user.as_deref() == Some("anonymous");
        uri.user.clone().filter(|_| !anonymous)
    };
    asserted.or_else(from)
}
