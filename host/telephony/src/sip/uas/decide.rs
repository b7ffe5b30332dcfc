//! Requests of the host, and what happens without one.

use super::invite::number_uri;
use super::{
    Alarm, Attempt, Channel, EventKind, Input, Instant, Now, Recent, ReleaseCause, RequestFailure, RouteType, Target,
    TransactionId, Uas,
};
use super::{MAX_ANSWERED, REFRESH, user_data};
use crate::model::{Request, RequestKind, UserData};
use crate::sip::dns::DnTable;
use crate::sip::message::{HeaderName, Headers, Scheme, Uri};

/// Largest part of a 302 over UDP that a strategy decides about, bytes. With as much again and more of repeated header fields it still is
/// a datagram; and beyond a few fragments the network loses datagrams rather than delivering them.
const MAX_ROUTE_DATAGRAM: usize = 8 << 10;

/// The same over TCP and TLS: the 302 is kept until its ACK comes.
const MAX_ROUTE_STREAM: usize = 64 << 10;

impl Uas {
    /// Carries out a request and reports its outcome as an event. One whose id was seen before does nothing but report again.
    pub fn request(&mut self, now: Now, request: Request) {
        let mut consequence = None;
        let outcome = match self.answered.get(&request.request_id) {
            Some(outcome) => outcome.clone(),
            None => {
                let outcome = self.carry_out(now, &request).map(|event| consequence = event);
                self.answered_order.push_back(request.request_id.clone());
                self.answered.insert(request.request_id.clone(), outcome.clone());
                if self.answered_order.len() > MAX_ANSWERED
                    && let Some(oldest) = self.answered_order.pop_front()
                {
                    self.answered.remove(&oldest);
                }
                outcome
            }
        };
        let request_id = request.request_id;
        let kind = match outcome {
            Ok(()) => EventKind::RequestDone { request_id },
            Err(error) => EventKind::RequestFailed { request_id, error },
        };
        self.emit(now, Some(request.call_uuid), kind);
        // After the outcome: whoever is told first that the call is gone would miss what became of the request.
        if let Some(kind) = consequence {
            self.emit(now, Some(request.call_uuid), kind);
        }
    }

    /// Returns what is to be reported after the request's own outcome.
    fn carry_out(&mut self, now: Now, request: &Request) -> Result<Option<EventKind>, RequestFailure> {
        if request.deadline_ms.is_some_and(|deadline| deadline < now.unix_ms) {
            return Err(RequestFailure::DeadlinePassed);
        }
        let id = *self.calls.get(&request.call_uuid).ok_or(RequestFailure::UnknownCall)?;
        self.undecided(id).ok_or(RequestFailure::AlreadyDecided)?;
        match &request.kind {
            RequestKind::RouteCall {
                route_type: RouteType::Default,
                user_data,
                ..
            } => {
                let target = self.next_default(id).ok_or_else(|| {
                    RequestFailure::Invalid("the routing point has no default DN: give it one, or name a target".into())
                })?;
                self.route(now, id, vec![target], RouteType::Default, user_data)?;
                Ok(None)
            }
            RequestKind::RouteCall {
                route_type: RouteType::Reject,
                ..
            } => self.reject(now, id, 603, None),
            RequestKind::RouteCall {
                targets,
                route_type: RouteType::Unknown,
                user_data,
            } => {
                self.route(now, id, targets.clone(), RouteType::Unknown, user_data)?;
                Ok(None)
            }
            RequestKind::Reject { code, reason } => self.reject(now, id, *code, reason.as_deref()),
            RequestKind::Queued { holds } => {
                self.wait(now, id, 182, *holds);
                Ok(None)
            }
            RequestKind::Ringing => {
                self.wait(now, id, 180, true);
                Ok(None)
            }
            other => Err(RequestFailure::Unsupported(other.name().into())),
        }
    }

    /// Answers with 302 to `targets`.
    fn route(
        &mut self,
        now: Now,
        id: TransactionId,
        targets: Vec<Target>,
        route_type: RouteType,
        user_data: &UserData,
    ) -> Result<(), RequestFailure> {
        let transaction = self.table.get(id).ok_or(RequestFailure::UnknownCall)?;
        let attempt = transaction.attempt.as_ref().ok_or(RequestFailure::UnknownCall)?;
        let headers = self.route_headers(attempt, &targets, user_data)?;
        let (limit, over) = match transaction.reply_to.0 {
            Channel::Socket(_) => (MAX_ROUTE_DATAGRAM, "UDP"),
            Channel::Connection(_) => (MAX_ROUTE_STREAM, "a connection"),
        };
        let size = size(&headers);
        if size > limit {
            return Err(RequestFailure::Invalid(format!(
                "targets and user data take {size} bytes of the 302, and over {over} there is room for {limit}: name fewer targets, \
                 or let less user data leave"
            )));
        }
        let window = self.retry_window();
        let mut recent = None;
        if let Some(attempt) = self.table.get_mut(id).and_then(|t| t.attempt.as_mut()) {
            attempt.routed = Some((route_type, targets));
            let (call_uuid, number) = (attempt.call_uuid, attempt.number);
            recent = Some((
                attempt.retry_key,
                Recent {
                    call_uuid,
                    number,
                    transaction: id,
                    until: now.instant + window,
                },
            ));
        }
        if let Some((key, recent)) = recent {
            self.remember(key, recent, now.instant);
        }
        self.respond(now, id, 302, None, |response, _| copy(response, &headers));
        Ok(())
    }

    /// What a 302 has beside the header fields that every response has: Contacts and user data.
    fn route_headers(
        &self,
        attempt: &Attempt,
        targets: &[Target],
        user_data: &UserData,
    ) -> Result<Headers, RequestFailure> {
        /// More targets than q values of two digits: no strategy means that.
        const MAX_TARGETS: usize = 20;
        if targets.is_empty() || targets.len() > MAX_TARGETS {
            let n = targets.len();
            return Err(RequestFailure::Invalid(format!(
                "{n} targets: between 1 and {MAX_TARGETS} are wanted"
            )));
        }
        let own = attempt.point.user_data.as_ref().map(|headers| &headers.outgoing);
        let chosen = own.unwrap_or(&self.options.user_data_out);
        let written =
            user_data::write(chosen, self.options.user_data_placement, user_data).map_err(RequestFailure::Invalid)?;
        let mut headers = Headers::with_capacity(targets.len() + written.headers.len());
        for (n, target) in targets.iter().enumerate() {
            let mut uri = address(&self.dns, attempt, target).map_err(RequestFailure::Invalid)?;
            if let Some(embedded) = &written.embedded {
                uri.push(if uri.contains('?') { '&' } else { '?' });
                uri.push_str(embedded);
            }
            let contact = if targets.len() == 1 {
                format!("<{uri}>")
            } else {
                // Falling from 1 by 0.05: the order of preference (RFC 3261 20.10).
                let q = 100 - 5 * n;
                format!("<{uri}>;q={}.{:02}", q / 100, q % 100)
            };
            headers.push(HeaderName::Contact, contact);
        }
        copy(&mut headers, &written.headers);
        Ok(headers)
    }

    fn reject(
        &mut self,
        now: Now,
        id: TransactionId,
        code: u16,
        reason: Option<&str>,
    ) -> Result<Option<EventKind>, RequestFailure> {
        if !(400..=699).contains(&code) {
            return Err(RequestFailure::Invalid(format!(
                "{code} refuses no call: give a SIP status from 400 to 699"
            )));
        }
        if reason.is_some_and(|reason| reason.len() > 128 || reason.contains(char::is_control)) {
            return Err(RequestFailure::Invalid(
                "the reason has control characters or more than 128 bytes".into(),
            ));
        }
        self.respond(now, id, code, reason, |_, _| {});
        Ok(Some(EventKind::Released {
            cause: ReleaseCause::Rejected,
        }))
    }

    /// Tells the caller's side that the call waits; one that `holds` gets the time that waiting calls have.
    fn wait(&mut self, now: Now, id: TransactionId, status: u16, holds: bool) {
        let mut first = false;
        let mut dialog = Headers::default();
        if let Some(attempt) = self.table.get_mut(id).and_then(|t| t.attempt.as_mut()) {
            first = attempt.provisional.is_none();
            attempt.provisional = Some(status);
            if holds {
                attempt.deadline = attempt.deadline.max(attempt.arrived + attempt.point.queue_timeout);
            }
            dialog = attempt.dialog.clone();
        }
        // With its To tag, the response makes an early dialog (RFC 3261 12.1.1).
        self.respond(now, id, status, None, |headers, _| copy(headers, &dialog));
        if first {
            self.table.set_alarm(id, now.instant + REFRESH, Alarm::Refresh);
        }
    }

    pub(super) fn refresh(&mut self, now: Now, id: TransactionId) {
        if self.undecided(id).is_some() {
            // What a retransmission would get is what was sent last: the 182 or 180.
            self.feed(now, id, Input::Retransmission);
            self.table.set_alarm(id, now.instant + REFRESH, Alarm::Refresh);
        }
    }

    /// Looks at the call again at its deadline, or earlier: alarms are never taken back, and one that is hours ahead would stay for
    /// hours after its call is gone.
    pub(super) fn await_decision(&mut self, now: Now, id: TransactionId, deadline: Instant) {
        self.table
            .set_alarm(id, deadline.min(now.instant + REFRESH), Alarm::Decision);
    }

    /// The time for a decision is up, unless it was prolonged.
    pub(super) fn decision_due(&mut self, now: Now, id: TransactionId) {
        let Some(call_uuid) = self.undecided(id) else { return };
        let Some(attempt) = self.table.get(id).and_then(|t| t.attempt.as_ref()) else {
            return;
        };
        if attempt.deadline > now.instant {
            let deadline = attempt.deadline;
            return self.await_decision(now, id, deadline);
        }
        let from = attempt.point.dn.clone();
        // A default DN that cannot be addressed must not keep the call from the next one.
        for _ in 0..attempt.point.default_targets.len() {
            let Some(target) = self.next_default(id) else { break };
            let to = vec![target];
            match self.route(now, id, to.clone(), RouteType::Default, &UserData::new()) {
                Ok(()) => return self.emit(now, Some(call_uuid), EventKind::Diverted { from, to }),
                Err(e) => tracing::warn!(dn = %from, target = %to[0], "default DN cannot be used: {e}"),
            }
        }
        self.respond(now, id, 480, None, |_, _| {});
        self.emit(
            now,
            Some(call_uuid),
            EventKind::Released {
                cause: ReleaseCause::NoDecision,
            },
        );
    }

    /// The default DN whose turn it is. Every routing point has its own turn.
    fn next_default(&mut self, id: TransactionId) -> Option<Target> {
        let point = &self.table.get(id)?.attempt.as_ref()?.point;
        let targets = &point.default_targets;
        if targets.is_empty() {
            return None;
        }
        let turn = self.turns.entry(point.dn.clone()).or_default();
        let target = targets[*turn % targets.len()].clone();
        *turn = turn.wrapping_add(1);
        Some(target)
    }
}

/// Bytes that header fields take in a message.
fn size(headers: &Headers) -> usize {
    const SEPARATORS: usize = ": \r\n".len();
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + SEPARATORS)
        .sum()
}

fn copy(to: &mut Headers, from: &Headers) {
    from.iter().for_each(|(name, value)| to.push(name.clone(), value));
}

/// A target as a URI. What a strategy names ends up in a header field: only what reads as one URI is let through.
fn address(dns: &DnTable, attempt: &Attempt, target: &Target) -> Result<String, String> {
    let (number, domain) = match target {
        Target::Uri(text) => {
            let uri = Uri::parse(text)?;
            return match uri.scheme {
                Scheme::Other(_) => Err(format!("`{text}` is no sip, sips or tel URI")),
                Scheme::Sip if attempt.secure => Err(format!("the call came to a sips URI, `{text}` is not one")),
                _ => Ok(text.clone()),
            };
        }
        Target::Number(number) => (number, dns.domain(&attempt.point.dn.switch).flatten()),
        Target::Dn(dn) if dn.switch == attempt.point.dn.switch => (&dn.number, dns.domain(&dn.switch).flatten()),
        Target::Dn(dn) => match dns.domain(&dn.switch) {
            Some(Some(domain)) => (&dn.number, Some(domain)),
            Some(None) => {
                return Err(format!(
                    "switch `{}` of target `{dn}` has no domain: set `domain` in its [switch.sip] to the host[:port] where its \
                     numbers are reached",
                    dn.switch
                ));
            }
            None => {
                return Err(format!(
                    "switch `{}` of target `{dn}` is not known: add a [[switch]] of that name, with `domain` in its \
                     [switch.sip]",
                    dn.switch
                ));
            }
        },
    };
    let Some(authority) = domain.or(attempt.authority.as_deref()) else {
        return Err(format!(
            "switch `{}` of target `{target}` has no domain, and the call came to a tel URI, which names no host: set `domain` in \
             the switch's [switch.sip] to the host[:port] where its numbers are reached",
            attempt.point.dn.switch
        ));
    };
    Ok(number_uri(attempt.secure, number, authority))
}
