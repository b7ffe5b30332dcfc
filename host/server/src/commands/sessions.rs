//! `pointsman sessions`.

use crate::client::{Client, Connection};
use crate::failure::Failure;
use crate::output::{json, print, printable, say, table, time};
use clap::{Args, Subcommand};
use pointsman_api::types::{
    EventRequest, LogLine, OrsQuery, Outcome, Session, SessionState, TenantName, TerminateRequest,
};
use pointsman_contract::SessionId;
use reqwest::Method;
use serde_json::Value;

/// A session is one strategy at work on one call, or on what REST started.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pointsman sessions list --tenant acme --state running
  pointsman sessions show SESSION
  pointsman sessions log SESSION                     what its strategy logged
  pointsman sessions query SESSION                   active states and data
  pointsman sessions send SESSION agent.ready --data '{\"param\": {\"dn\": \"2301\"}}'
  pointsman sessions terminate SESSION --reason 'test call'")]
pub(crate) struct Sessions {
    #[command(subcommand)]
    action: Action,
    /// Print JSON, one object a line
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum Action {
    /// Sessions, newest first
    List {
        /// Only of this tenant
        #[arg(long)]
        tenant: Option<TenantName>,
        /// Only of this strategy
        #[arg(long)]
        strategy: Option<String>,
        /// Only in this state
        #[arg(long, value_parser = state)]
        state: Option<SessionState>,
        /// How many to show at most
        #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// One session
    Show { session: SessionId },
    /// What its strategy logged, oldest first
    Log {
        session: SessionId,
        /// How many lines to show at most
        #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Active states and data
    Query { session: SessionId },
    /// Send it an event
    Send {
        session: SessionId,
        /// Words joined by dots
        event: String,
        /// What becomes _event.data
        #[arg(long, value_name = "JSON", value_parser = value)]
        data: Option<Value>,
    },
    /// End it
    Terminate {
        session: SessionId,
        /// Kept with the session, at most 500 characters
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// As the API writes it.
fn state(text: &str) -> Result<SessionState, String> {
    serde_json::from_value(text.into()).map_err(|_| "write running, parked or ended".to_owned())
}

fn value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}; a text is written '\"text\"'"))
}

impl Sessions {
    pub fn run(self) -> Result<(), Failure> {
        let client = self.connection.client()?;
        let as_json = self.json;
        match self.action {
            Action::List {
                tenant,
                strategy,
                state,
                limit,
            } => {
                let state = state.map(state_word);
                let tenant = tenant.as_ref().map(TenantName::as_str);
                let query = [("tenant", tenant), ("strategy", strategy.as_deref()), ("state", state)];
                let (found, more) = client.list(&["v1", "sessions"], &query, limit as usize)?;
                if as_json {
                    found.iter().try_for_each(|s: &Session| json(s))
                } else {
                    list(&found, more)
                }
            }
            Action::Show { session } => {
                let found: Session = client.call(get(&client, &["v1", "sessions", session.as_str()]))?;
                if as_json { json(&found) } else { show(&found) }
            }
            Action::Log { session, limit } => {
                let path = ["v1", "sessions", session.as_str(), "log"];
                let (lines, more) = client.list(&path, &[], limit as usize)?;
                if lines.is_empty() {
                    // Not on the standard output: what reads that expects lines of the log, or JSON.
                    eprintln!("the log of {session} is empty");
                }
                if as_json {
                    lines.iter().try_for_each(|line: &LogLine| json(line))
                } else {
                    log(&lines, more)
                }
            }
            Action::Query { session } => {
                let found: OrsQuery = client.call(get(&client, &["scxml", "session", session.as_str(), "query"]))?;
                if as_json { json(&found) } else { query(&found) }
            }
            Action::Send { session, event, data } => {
                let path = ["v1", "sessions", session.as_str(), "events"];
                let body = EventRequest { name: event, data };
                client.tell(client.request(Method::POST, &path, &[]).json(&body))?;
                say(&format!("{} is queued for {session}", printable(&body.name)))
            }
            Action::Terminate { session, reason } => {
                let path = ["v1", "sessions", session.as_str(), "terminate"];
                client.tell(
                    client
                        .request(Method::POST, &path, &[])
                        .json(&TerminateRequest { reason }),
                )?;
                say(&format!("{session} has ended"))
            }
        }
    }
}

fn get(client: &Client, path: &[&str]) -> reqwest::RequestBuilder {
    client.request(Method::GET, path, &[])
}

fn state_word(state: SessionState) -> &'static str {
    match state {
        SessionState::Running => "running",
        SessionState::Parked => "parked",
        SessionState::Ended => "ended",
    }
}

fn strategy(session: &Session) -> String {
    session.version.map_or_else(
        || session.strategy.clone(),
        |version| format!("{}@{version}", session.strategy),
    )
}

/// The active states, or how it ended.
fn condition(session: &Session) -> String {
    let Some(end) = &session.end else {
        return session.active.join(" ");
    };
    let outcome = match end.outcome {
        Outcome::Done => "done",
        Outcome::Failed => "failed",
        Outcome::Terminated => "terminated",
    };
    [Some(outcome), end.code.as_deref(), end.message.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(": ")
}

fn list(found: &[Session], more: bool) -> Result<(), Failure> {
    let rows = found.iter().map(|s| {
        let state = state_word(s.state).to_owned();
        [
            s.id.to_string(),
            s.tenant.to_string(),
            strategy(s),
            state,
            time(s.started_ms),
            condition(s),
        ]
    });
    print(&table(
        ["SESSION", "TENANT", "STRATEGY", "STATE", "STARTED", "CONDITION"],
        &rows.collect::<Vec<_>>(),
    ))?;
    if more {
        say("... and more: raise --limit, or narrow it down with --tenant, --strategy or --state")
    } else {
        Ok(())
    }
}

fn show(session: &Session) -> Result<(), Failure> {
    let mut facts = vec![
        ("session", session.id.to_string()),
        ("tenant", session.tenant.to_string()),
        ("strategy", strategy(session)),
        ("state", state_word(session.state).to_owned()),
        ("started", time(session.started_ms)),
    ];
    facts.extend(session.ended_ms.map(|ms| ("ended", time(ms))));
    facts.push((if session.end.is_some() { "end" } else { "active" }, condition(session)));
    facts
        .into_iter()
        .try_for_each(|(what, fact)| say(&format!("{what:<10} {}", printable(&fact))))
}

fn log(lines: &[LogLine], more: bool) -> Result<(), Failure> {
    for line in lines {
        let label = line
            .label
            .as_deref()
            .map(|label| format!("[{label}] "))
            .unwrap_or_default();
        say(&format!(
            "{}  {}",
            time(line.time_ms),
            printable(&format!("{label}{}", line.text))
        ))?;
    }
    if more {
        say("... and more: raise --limit")
    } else {
        Ok(())
    }
}

fn query(found: &OrsQuery) -> Result<(), Failure> {
    say(&format!("active: {}", printable(&found.configuration.join(", "))))?;
    let data = serde_json::to_string_pretty(&found.datamodel).expect("JSON has string keys only");
    // Line ends are the printer's own; inside texts, JSON escapes them.
    data.lines().try_for_each(|line| say(&printable(line)))
}
