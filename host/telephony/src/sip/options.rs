//! Configuration of the link.

use super::message::Limits;
use super::transaction::Timers;
use crate::model::LinkId;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// Transport protocol of a listening address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 3261 18.
    Udp,
    /// RFC 3261 18.
    Tcp,
    /// RFC 3261 26.2.1: TCP with TLS from the first byte.
    Tls,
}

impl Protocol {
    /// Whether it delivers or fails, so that nothing is retransmitted.
    pub fn is_reliable(self) -> bool {
        self != Protocol::Udp
    }
}

/// A listening address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// Transport protocol.
    pub protocol: Protocol,
    /// Address and port, such as `0.0.0.0:5060`. Port 0 takes any free port; [`super::Link::addresses`] tells which.
    pub address: SocketAddr,
}

/// How user data leaves with a 302.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// As header fields of the 302: for proxies that copy them into the call's next leg themselves.
    #[default]
    Header,
    /// As the header part of every Contact URI: a client puts them into its next INVITE (RFC 3261 19.1.5, RFC 7433 4).
    Contact,
}

/// Options of a SIP routing point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Name of the link in events.
    pub name: LinkId,
    /// Where to listen. TLS needs a server configuration, handed to [`super::Link::bind`].
    pub bind: Vec<Bind>,
    /// Header fields of an INVITE that become user data: the key is the field's name without `X-`, the value its text. A value of
    /// `User-to-User` with `;encoding=hex` is decoded (RFC 7433). For routing points without [`super::RoutingPoint::user_data`].
    pub user_data_in: Vec<String>,
    /// Header fields that a 302 gets from the user data of `RouteCall`, by the same rule for keys. `User-to-User` is written in
    /// `encoding=hex`.
    pub user_data_out: Vec<String>,
    /// See [`Placement`].
    pub user_data_placement: Placement,
    /// Largest message, bytes. A larger one is answered with 513.
    pub max_message: usize,
    /// Most header fields of a message.
    pub max_headers: usize,
    /// Longest header field, bytes.
    pub max_header_length: usize,
    /// Most calls that wait for a decision at a time. Further ones are answered with 503.
    pub max_pending_calls: usize,
    /// Most transactions at a time. Further requests are answered with 503.
    pub max_transactions: usize,
    /// Most transactions at a time from one source address. The address of a proxy is the source of all its calls: a
    /// call takes a transaction while it waits for its decision and for about 5 s afterwards.
    pub max_transactions_per_source: usize,
    /// `Retry-After` of 503, s.
    pub retry_after_s: u32,
    /// For how long a routed call that comes back counts as a failed target, ms (default 180000: proxies give a target up after
    /// about 3 minutes, RFC 3261 16.6, timer C).
    pub retry_window_ms: u64,
    /// RFC 3261 T1, ms.
    pub t1_ms: u64,
    /// RFC 3261 T2, ms.
    pub t2_ms: u64,
    /// RFC 3261 T4, ms.
    pub t4_ms: u64,
    /// Most connections (TCP and TLS) at a time. Further ones are closed at once.
    pub max_connections: usize,
    /// Most connections at a time from one source address.
    pub max_connections_per_source: usize,
    /// A connection without traffic and without open transactions is closed after this time, ms.
    pub idle_timeout_ms: u64,
    /// A TLS handshake, a message that has begun, and the writing of a response take no longer than this, ms; otherwise the connection is closed.
    pub message_timeout_ms: u64,
    /// A stopping link waits this long for decisions on its calls, ms; then it answers them with 503. Once all are decided it waits
    /// for their ACKs, within this time, but no longer than 2 s.
    pub drain_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        let (limits, timers) = (Limits::default(), Timers::default());
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).expect("a few seconds fit");
        Options {
            name: "sip".into(),
            bind: Vec::new(),
            user_data_in: vec!["User-to-User".into()],
            user_data_out: Vec::new(),
            user_data_placement: Placement::Header,
            max_message: limits.message,
            max_headers: limits.headers,
            max_header_length: limits.header,
            max_pending_calls: 100_000,
            max_transactions: 100_000,
            max_transactions_per_source: 50_000,
            retry_after_s: 5,
            retry_window_ms: 180_000,
            t1_ms: ms(timers.t1),
            t2_ms: ms(timers.t2),
            t4_ms: ms(timers.t4),
            max_connections: 1_000,
            max_connections_per_source: 100,
            idle_timeout_ms: 600_000,
            message_timeout_ms: 10_000,
            drain_ms: 30_000,
        }
    }
}

impl Options {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            message: self.max_message,
            headers: self.max_headers,
            header: self.max_header_length,
        }
    }

    pub(super) fn timers(&self) -> Timers {
        let ms = Duration::from_millis;
        Timers {
            t1: ms(self.t1_ms),
            t2: ms(self.t2_ms),
            t4: ms(self.t4_ms),
        }
    }

    /// Whether the options make sense together; the message names the option.
    pub fn check(&self) -> Result<(), String> {
        if self.bind.is_empty() {
            return Err("`bind` is empty: the link would hear nothing; add at least one protocol and address".into());
        }
        for name in self.user_data_in.iter().chain(&self.user_data_out) {
            let user = name.eq_ignore_ascii_case("User-to-User");
            let x = name.len() > 2 && name.is_char_boundary(2) && name[..2].eq_ignore_ascii_case("X-");
            let token = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if !token || !(user || x) {
                return Err(format!(
                    "`{name}` cannot carry user data: name `User-to-User` or a header field that begins with `X-`"
                ));
            }
        }
        let least_message = 512;
        if self.max_message < least_message {
            return Err(format!(
                "`max-message` is {}: no INVITE is smaller than {least_message} bytes",
                self.max_message
            ));
        }
        for (name, value) in [
            ("t1-ms", self.t1_ms),
            ("t2-ms", self.t2_ms),
            ("message-timeout-ms", self.message_timeout_ms),
            ("idle-timeout-ms", self.idle_timeout_ms),
        ] {
            if value == 0 {
                return Err(format!("`{name}` is 0: give at least 1"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_from_toml_with_defaults() {
        let options: Options = toml::from_str(
            "name = 'front'\nuser-data-in = ['User-to-User', 'X-Customer']\n[[bind]]\nprotocol = 'tls'\naddress = '127.0.0.1:5061'\n",
        )
        .unwrap();
        assert_eq!(options.bind[0].protocol, Protocol::Tls);
        assert_eq!(options.t1_ms, 500);
        assert_eq!(options.check(), Ok(()));
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let bind = vec![Bind {
            protocol: Protocol::Udp,
            address: "127.0.0.1:0".parse().unwrap(),
        }];
        let good = Options {
            bind,
            ..Options::default()
        };
        assert!(
            Options {
                bind: vec![],
                ..good.clone()
            }
            .check()
            .unwrap_err()
            .contains("`bind`")
        );
        assert!(
            Options {
                user_data_out: vec!["Route".into()],
                ..good.clone()
            }
            .check()
            .unwrap_err()
            .contains("`Route`")
        );
        assert!(Options { t1_ms: 0, ..good }.check().unwrap_err().contains("`t1-ms`"));
        assert!(toml::from_str::<Options>("bnd = []").is_err());
    }
}
