//! The audit log: who did what to which object, from where, with what result.

use super::Action;
use crate::types::{Code, TenantName};
use serde::Serialize;
use std::io::Write;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Takes audit entries. Called on the request's own task, once per audited request, when its result is known.
pub trait Audit: Send + Sync + 'static {
    /// Keeps the entry. Must not fail the request; report trouble to the operator.
    fn record(&self, entry: &AuditEntry);
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// When the result was known, RFC 3339, UTC.
    pub time: String,
    /// Id of the key; absent where there was none that is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The tenant it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// What was tried; absent where nobody was recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Method and path; for what was created, its id instead of the path.
    pub object: String,
    /// Where the request came from.
    pub ip: IpAddr,
    /// What came of it.
    pub result: AuditResult,
    /// HTTP status; absent for an abandoned request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Code of the problem, for a request that was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Finds the request in the server's log.
    pub trace_id: String,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditResult {
    /// It was done.
    Done,
    /// It was allowed, and failed.
    Failed,
    /// It was not allowed.
    Denied,
    /// The key was wrong or missing.
    Unauthenticated,
    /// The client went away, or the handler panicked, before the result was known: it may have been done.
    Abandoned,
}

/// Replaces the path in the entry of a request that created something.
#[derive(Clone, Debug)]
pub(crate) struct AuditObject(pub(crate) String);

/// Appends entries as JSON lines to a writer: a file opened for appending, or standard output.
pub struct JsonLines<W>(Mutex<W>);

impl<W: Write + Send + 'static> JsonLines<W> {
    /// Writes to `writer`, one `write` call per line.
    pub fn new(writer: W) -> Self {
        JsonLines(Mutex::new(writer))
    }
}

impl<W: Write + Send + 'static> Audit for JsonLines<W> {
    fn record(&self, entry: &AuditEntry) {
        let mut line = serde_json::to_vec(entry).expect("an audit entry has only text keys");
        line.push(b'\n');
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One call: with a file opened for appending, lines of several processes never mix.
        if let Err(error) = writer.write_all(&line).and_then(|()| writer.flush()) {
            let line = String::from_utf8_lossy(&line);
            tracing::error!(%error, %line, "the audit log cannot be written; make room on its disk");
        }
    }
}
