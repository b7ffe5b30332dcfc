//! What can be asked about a session without disturbing it.

use pointsman_contract::{Digest, Ended, LogEntry, SessionId};
use pointsman_store::{Name, Parent, Tenant};
use serde::Serialize;
use std::{collections::VecDeque, fmt, str::FromStr};

/// What stays the same for a session's whole life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Info {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub tenant: Tenant,
    /// Its strategy.
    pub strategy: Name,
    /// Its strategy's version.
    pub version: u32,
    /// Its component.
    pub component: Digest,
    /// What caused it, such as `sip:7001` or `rest`.
    pub origin: String,
    /// When it began, in ms since the epoch.
    pub started_ms: u64,
    /// Who invoked it; `None`: nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// A line of a session's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Time of the step that wrote it, in ms since the epoch.
    pub at_ms: u64,
    /// What was written.
    #[serde(flatten)]
    pub entry: LogEntry,
}

/// The end of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// How.
    pub ended: Ended,
    /// When, in ms since the epoch.
    pub at_ms: u64,
}

/// A session as it was a moment ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// What never changes.
    #[serde(flatten)]
    pub info: Info,
    /// Active atomic states, document order.
    pub active: Vec<String>,
    /// Events handled, the start not counted.
    pub events: u64,
    /// Events that wait.
    pub waiting: usize,
    /// Delayed events that are pending.
    pub timers: usize,
    /// Its end, if it has come.
    pub end: Option<End>,
    /// Its last log lines, oldest first; at most [`super::LOG_TAIL`].
    pub log_tail: Vec<LogLine>,
}

/// Which sessions to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this tenant.
    pub tenant: Option<Tenant>,
    /// Only with this strategy.
    pub strategy: Option<Name>,
    /// Only live ones (`true`), or only ended ones (`false`).
    pub live: Option<bool>,
}

/// A session's place in a list, newest first. Written and parsed as `STARTED_MS-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When it began, in ms since the epoch.
    pub started_ms: u64,
    /// Its id: random, so it only keeps those of one millisecond apart.
    pub id: SessionId,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.started_ms, self.id)
    }
}

/// The text is no [`Position`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no place in a list of sessions: send back the one that the page before ended with, unchanged")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (started_ms, id) = text.split_once('-').ok_or(InvalidPosition)?;
        Ok(Position {
            started_ms: started_ms.parse().map_err(|_| InvalidPosition)?,
            id: id.parse().map_err(|_| InvalidPosition)?,
        })
    }
}

impl Info {
    /// Its place in a list.
    pub fn position(&self) -> Position {
        Position {
            started_ms: self.started_ms,
            id: self.id,
        }
    }
}

/// Which part of a list, which is ordered newest first.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Only sessions after this place: that of the last session on the previous page.
    pub after: Option<Position>,
    /// At most so many, 1 to [`super::MAX_PAGE`].
    pub limit: usize,
}

/// What a worker updates and a reader copies. Ring buffers, both bounds at once.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub active: Vec<String>,
    pub timers: usize,
    pub end: Option<End>,
    pub log: VecDeque<LogLine>,
    log_bytes: usize,
}

impl Status {
    pub fn log(&mut self, at_ms: u64, entries: Vec<LogEntry>, lines: usize, bytes: usize) {
        for entry in entries {
            self.log_bytes += entry.text.len();
            self.log.push_back(LogLine { at_ms, entry });
            while self.log.len() > lines || self.log_bytes > bytes {
                let Some(oldest) = self.log.pop_front() else { break };
                self.log_bytes -= oldest.entry.text.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_its_last_lines_within_both_bounds() {
        let line = |n: usize, size: usize| LogEntry {
            label: None,
            text: n.to_string().repeat(size),
            level: 0,
        };
        let mut status = Status::default();
        status.log(1, (0..10).map(|n| line(n, 1)).collect(), 3, 100);
        assert_eq!(
            status.log.iter().map(|l| l.entry.text.as_str()).collect::<Vec<_>>(),
            ["7", "8", "9"]
        );
        status.log(2, vec![line(1, 99)], 3, 100);
        assert_eq!(status.log.len(), 2);
        status.log(3, vec![line(1, 101)], 3, 100);
        assert_eq!((status.log.len(), status.log_bytes), (0, 0));
    }
}
