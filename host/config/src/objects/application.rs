//! The Application: this server itself, its ports, its connections and its options.

use crate::names::{ApplicationName, Bytes, Destination, FilePath, Milliseconds, PortId, Seconds, SwitchName};
use crate::setting::{choices, options};
use std::net::SocketAddr;

options! {
    /// The application object: one per configuration, as in ORS.
    object Application at "[application]" {
        /// The application's name, by which the log names this server at its start.
        "name" name: ApplicationName, required, Start, Ors("Application name");
        /// Listening ports.
        "port" ports: Vec<Port>, default(Vec::new()), Start, Ors("Application, Server Info, Listening Ports");
        /// The switches that this server serves, through all of its SIP ports.
        "connection" connections: Vec<Connection>, default(Vec::new()), Immediate, Ors("Application, Connections");
        /// Call handling.
        "orchestration" orchestration: Orchestration, default(Orchestration::default()), Start, Ors("[orchestration]");
        /// Sessions and their limits.
        "scxml" scxml: Scxml, default(Scxml::default()), Start, Ors("[scxml]");
        /// The WebAssembly sandbox that every session runs in.
        "sandbox" sandbox: Sandbox, default(Sandbox::default()), Start, Pointsman;
        /// Logging.
        "log" log: Log, default(Log::default()), Immediate, Ors("[log]");
    }
    not yet [
        "persistence", "mcr", "elasticsearch", "performance-alarms", "log-filter", "log-filter-data", "dfm",
    ]
}

choices! {
    /// What is spoken at a port.
    Protocol, "a port's protocol" {
        /// The REST API.
        "http" => Http,
        /// SIP: the routing points.
        "sip" => Sip,
    }
    /// What carries a port's protocol.
    Transport, "a transport" {
        /// Plain datagrams; SIP only.
        "udp" => Udp,
        /// A plain stream.
        "tcp" => Tcp,
        /// TLS over TCP.
        "tls" => Tls,
    }
    /// What is logged, by ORS's levels.
    Verbose, "a log level" {
        /// Everything.
        "all" => All,
        /// Everything that helps to debug the server.
        "debug" => Debug,
        /// Every call and session.
        "trace" => Trace,
        /// Every call and session, as `trace` for now.
        "interaction" => Interaction,
        /// What an operator should look at.
        "standard" => Standard,
        /// Nothing.
        "none" => None,
    }
    /// The shape of log lines.
    LogFormat, "a log format" {
        /// Lines for people.
        "text" => Text,
        /// One JSON object a line.
        "json" => Json,
    }
}

impl Verbose {
    /// The level of `tracing` that this stands for: `trace`, `debug`, `info`, `warn` or `off`.
    pub fn tracing_level(self) -> &'static str {
        match self {
            Verbose::All => "trace",
            Verbose::Debug => "debug",
            Verbose::Trace | Verbose::Interaction => "info",
            Verbose::Standard => "warn",
            Verbose::None => "off",
        }
    }
}

options! {
    /// A listening port.
    object Port at "[[application.port]]" {
        /// The port's id, by which connections and messages name it.
        "id" id: PortId, required, Start, Ors("Port ID");
        /// What is spoken: `http` or `sip`.
        "protocol" protocol: Protocol, required, Start, Ors("Connection Protocol");
        /// What carries it: `tls` for http; `udp`, `tcp` or `tls` for sip.
        "transport" transport: Transport, required, Start, Pointsman;
        /// IP address and port to listen at; port 0 lets the system choose.
        "address" address: SocketAddr, required, Start, Ors("Port");
        /// File with the certificate chain, PEM. Without it a tls port uses the server's own, see `pointsman certs`. All
        /// tls ports of one protocol have the same certificate.
        "certificate" certificate: Option<FilePath>, optional, Start, Pointsman;
        /// File with the private key of `certificate`, PEM.
        "key" key: Option<FilePath>, optional, Start, Pointsman;
    }
    known as |port| port.id.to_string()
}

options! {
    /// A connection: a switch that is served. Calls for DNs of a switch without one are answered 404.
    object Connection at "[[application.connection]]" {
        /// The switch. Its calls arrive at any SIP port.
        "switch" switch: SwitchName, required, Immediate, Ors("Application, Connections");
    }
    known as |connection| connection.switch.to_string()
}

options! {
    /// Call handling.
    section Orchestration at "[application.orchestration]" {
        /// Calls that may wait for a strategy's decision at the same time; one more is answered 503 with Retry-After.
        "max-pending-calls" max_pending_calls: u32, default(20_000) from 1 to 1_000_000 unit "calls", Start, Pointsman;
        /// Where others reach this server's REST port, such as a load balancer: sessions name it in `_ioprocessors`. The port's
        /// own address when left out.
        "external-url" external_url: Option<Destination>, optional, Immediate, Ors("orchestration/external-url");
    }
    not yet [
        "backup-synch-max-age", "backup-synch-max-buffer", "call-watching-timeout", "complete-assoc-on-target-node",
        "cookie", "functions-by-urs", "def-statserver-name", "mcr-*", "switch-multi-links-enabled",
        "sessionid-with-nodeid", "map-composer-log-levels", "new-session-on-reroute", "parse-start-params",
        "webfm-event-hold-response", "heartbeat-period", "http-pending-max-time",
    ]
}

options! {
    /// Sessions and their limits.
    section Scxml at "[application.scxml]" {
        /// Threads that run sessions. 0 (ORS: 8) means one for each processor core.
        "session-processing-threads" session_processing_threads: u32, default(0) from 0 to 1_024 unit "threads", Start,
            Ors("scxml/session-processing-threads");
        /// Transitions that a session may take for one external event; one more ends the session. Compiled into a strategy
        /// when it is deployed: what is deployed already keeps its limit.
        "max-microstep-count" max_microstep_count: u32, default(1_000) from 1 to 1_000_000 unit "transitions", Start,
            Ors("scxml/max-microstep-count");
        /// Events that may wait for a session; one more is refused to its sender.
        "max-pending-events" max_pending_events: u32, default(100) from 1 to 100_000 unit "events", Start,
            Ors("scxml/max-pending-events");
        /// How long a session may work on one event; longer, and it is ended.
        "process-event-timeout" process_event_timeout: Milliseconds, default(Milliseconds(10_000)) from 1 to 600_000
            unit "milliseconds", Start, Ors("scxml/process-event-timeout");
        /// How long a session may live.
        "max-session-age" max_session_age: Seconds, default(Seconds(604_800)) from 1 to 31_536_000 unit "seconds",
            Start, Ors("scxml/max-session-age");
        /// Redirects that outgoing HTTP follows.
        "http-max-redirections" http_max_redirections: u32, default(5) from 0 to 20 unit "redirects", Start,
            Ors("scxml/http-max-redirections");
        /// How long beyond its time a document may be used that was fetched before, while its server does not answer.
        "http-max-stale" http_max_stale: Milliseconds, default(Milliseconds(60_000)) from 0 to 86_400_000
            unit "milliseconds", Start, Ors("scxml/http-max-stale");
        /// Parts of URLs whose answers are never kept.
        "http-no-cache-urls" http_no_cache_urls: Vec<String>, default(Vec::new()), Start, Ors("scxml/http-no-cache-urls");
        /// Answers that are kept, over all tenants.
        "http-max-cache-entry-count" http_max_cache_entry_count: u32, default(1_000) from 0 to 100_000 unit "answers", Start,
            Ors("scxml/http-max-cache-entry-count");
        /// Size of an answer that is kept.
        "http-max-cache-entry-size" http_max_cache_entry_size: Bytes, default(Bytes(100_000)) from 0 to 4_194_304 unit "bytes",
            Start, Ors("scxml/http-max-cache-entry-size");
        /// Size of all answers that are kept.
        "http-max-cache-size" http_max_cache_size: Bytes, default(Bytes(10_000_000)) from 0 to 1_073_741_824 unit "bytes",
            Start, Ors("scxml/http-max-cache-size");
        /// File with the certificates, PEM, of the authorities that outgoing HTTP trusts, instead of those that the system
        /// trusts. Servers are verified always.
        "http-ssl-ca-info" http_ssl_ca_info: Option<FilePath>, optional, Start, Ors("scxml/http-ssl-ca-info");
    }
    not yet [
        "system-id", "max-state-entry-count", "max-compiler-cache-size", "max-compiler-cached-docs", "max-includes",
        "max-debug-sessions", "debug-enabled", "debug-port", "default-encoding", "fips_enabled", "js-preload-files",
        "password", "http-*", "https-proxy",
    ]
}

options! {
    /// The WebAssembly sandbox that every session runs in.
    section Sandbox at "[application.sandbox]" {
        /// Memory that one session may use; at most the 16 MiB of address space that the sandbox reserves for each.
        "memory-per-session-bytes" memory_per_session: Bytes, default(Bytes(16 << 20)) from 2_097_152 to 16_777_216
            unit "bytes", Start, Pointsman;
        /// Sessions that may live in memory at the same time, over all tenants.
        "max-live-sessions" max_live_sessions: u32, default(10_000) from 1 to 1_000_000 unit "sessions", Start, Pointsman;
        /// Sessions of one tenant that may live in memory at the same time. When left out: half of `max-live-sessions` where there are
        /// several tenants, otherwise all of them.
        "max-live-sessions-per-tenant" max_live_sessions_per_tenant: Option<u32>, optional from 1 to 1_000_000
            unit "sessions", Start, Pointsman;
        /// What a session may log while it handles one event; a session that logs more is ended. Compiled into a strategy
        /// when it is deployed: what is deployed already keeps its limit. At most the 2 MiB that the sandbox takes of any
        /// strategy.
        "max-log-bytes-per-step" max_log_bytes_per_step: Bytes, default(Bytes(65_536)) from 0 to 2_097_152 unit "bytes",
            Start, Pointsman;
    }
}

options! {
    /// Logging.
    section Log at "[application.log]" {
        /// What is logged: `all`, `debug`, `trace`, `interaction`, `standard` or `none`. `--log` and POINTSMAN_LOG win over it.
        "verbose" verbose: Verbose, default(Verbose::Trace), Immediate, Ors("log/verbose");
        /// The shape of log lines: `text` or `json`. `--log-format` wins over it.
        "format" format: LogFormat, default(LogFormat::Text), Start, Pointsman;
    }
    not yet [
        "all", "standard", "interaction", "trace", "debug", "segment", "expire", "buffering", "keep-startup-file",
        "messagefile", "message_format", "time_format", "time_convert", "print-attributes", "check-point", "memory",
        "spool", "compatible-output-priority", "x-*", "ors-regex-*",
    ]
}
