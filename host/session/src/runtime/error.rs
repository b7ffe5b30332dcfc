//! What can be wrong with a request to the runtime.

use pointsman_contract::{Ended, Failure, MAX_EVENT_DATA, SessionId};
use pointsman_store::Tenant;

/// Why the runtime did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such session, or no longer.
    #[error("there is no session {0}: it never existed, or it ended long ago")]
    NoSuchSession(SessionId),
    /// It has ended; how.
    #[error("session {session} has ended ({})", how(ended))]
    Ended {
        /// The session.
        session: SessionId,
        /// How it ended; absent while its end is being recorded.
        ended: Option<Ended>,
    },
    /// As many events wait as may.
    #[error(
        "session {session} has {limit} waiting events, as many as may wait: slow down, or raise max-pending-events"
    )]
    QueueFull {
        /// The session.
        session: SessionId,
        /// `max_waiting`.
        limit: usize,
    },
    /// As many inspections wait as may.
    #[error("session {session} has {limit} waiting inspections, as many as may wait: ask less often")]
    TooManyInspections {
        /// The session.
        session: SessionId,
        /// [`super::MAX_INSPECTIONS`].
        limit: usize,
    },
    /// The event is larger than a strategy may be given.
    #[error("the event has {size} bytes, a session takes at most {MAX_EVENT_DATA}")]
    EventTooLarge {
        /// Its bytes.
        size: usize,
    },
    /// As many sessions live as may.
    #[error("{limit} sessions live, as many as this host may have: wait for some to end, or raise the limit")]
    TooManySessions {
        /// `max_live`.
        limit: usize,
    },
    /// The tenant has as many live sessions as it may have.
    #[error(
        "tenant {tenant} has {limit} live sessions, as many as it may have: wait for some to end, or raise its limit"
    )]
    TooManySessionsOfTenant {
        /// The tenant.
        tenant: Tenant,
        /// `max_live_per_tenant`.
        limit: usize,
    },
    /// The invocation that a session was to be started for is over.
    #[error("the invocation `{invoke}` of session {session} is over")]
    InvocationOver {
        /// The parent.
        session: SessionId,
        /// `invokeid`.
        invoke: String,
    },
    /// Nothing is invoked under this name.
    #[error("there is nobody at `{0}`: no session of this name is invoked")]
    NoSuchInvocation(String),
    /// The host is shutting down.
    #[error("the host is shutting down and starts no sessions: use another one")]
    Draining,
    /// The session's worker cannot take more.
    #[error(transparent)]
    Busy(#[from] super::Busy),
    /// The operating system gave no random numbers for an id.
    #[error("the system has no random numbers to make a session id of ({0})")]
    Random(String),
    /// The strategy could not be inspected.
    #[error("the session cannot be inspected: {0}")]
    Inspection(Failure),
}

fn how(ended: &Option<Ended>) -> String {
    match ended {
        None => "just now".into(),
        Some(Ended::Done(_)) => "done".into(),
        Some(Ended::Failed(failure)) => failure.to_string(),
        Some(Ended::Terminated(reason)) => format!("terminated: {reason}"),
    }
}
