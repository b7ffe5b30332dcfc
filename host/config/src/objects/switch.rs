//! Switches: what stands behind one telephony link. A DN belongs to a switch, a switch to a tenant.

use crate::names::{Bytes, HeaderName, HostPort, Milliseconds, SwitchName, TenantName};
use crate::setting::{choices, options};

choices! {
    /// The kind of link that a switch is reached by.
    SwitchKind, "a kind of switch" {
        /// The SIP routing point: calls arrive as INVITE and leave as 302 or a final error.
        "sip" => Sip,
    }
}

options! {
    /// A switch.
    object Switch at "[[switch]]" {
        /// The switch's name.
        "name" name: SwitchName, required, Immediate, Ors("Switch name");
        /// The tenant that it belongs to.
        "tenant" tenant: TenantName, required, Immediate, Ors("Switch, Tenant");
        /// The kind of its link: `sip`.
        "kind" kind: SwitchKind, required, Immediate, Ors("Switch type");
        /// Options of a `sip` link.
        "sip" sip: SipOptions, default(SipOptions::default()), Immediate, Pointsman;
    }
    not yet ["gts"]
    known as |switch| switch.name.to_string()
}

options! {
    /// Options of a SIP link.
    section SipOptions at "[switch.sip]" {
        /// Where the switch's numbers are reached, `host` or `host:port`: targets are addressed there, and where several
        /// switches have a number, the call is for the one whose domain is the host of the Request-URI. When left out,
        /// targets are addressed at the host that the call came to, and no strategy of another switch can name
        /// `number@switch` of this one.
        "domain" domain: Option<HostPort>, optional, Immediate, Pointsman;
        /// `X-` headers of the INVITE that become user data of the call. The key is the header's name as written here,
        /// without `X-`: `X-Customer` becomes `Customer`.
        "headers-in" headers_in: Vec<HeaderName>, default(Vec::new()), Immediate, Pointsman;
        /// `X-` headers of the 302 that carry user data of the call: `X-Customer` carries the value of `Customer`.
        "headers-out" headers_out: Vec<HeaderName>, default(Vec::new()), Immediate, Pointsman;
        /// Whether the User-to-User header (RFC 7433) of the INVITE becomes user data of the call, with the key
        /// `User-to-User`.
        "user-to-user-in" user_to_user_in: bool, default(false), Immediate, Pointsman;
        /// Whether the user data `User-to-User` leaves as the User-to-User header (RFC 7433) of the 302.
        "user-to-user-out" user_to_user_out: bool, default(false), Immediate, Pointsman;
        /// The largest SIP message taken; a larger one is answered 513 (RFC 3261 section 21.5.7).
        "max-message-size-bytes" max_message_size: Bytes, default(Bytes(65_535)) from 1_024 to 65_535 unit "bytes", Start,
            Pointsman;
        /// The most header fields that a SIP message may have.
        "max-header-count" max_header_count: u32, default(128) from 16 to 1_024 unit "header fields", Start, Pointsman;
        /// Transactions that one source address may have open at the same time; one more is answered 503. A transaction
        /// stays for 32 s after its answer (RFC 3261 timers H and J over UDP): 200 calls a second from one proxy hold
        /// 6,400.
        "max-transactions-per-source" max_transactions_per_source: u32, default(20_000) from 1 to 1_000_000
            unit "transactions", Start, Pointsman;
        /// How long a strategy may take before the caller hears `182 Queued`.
        "queued-after-ms" queued_after: Milliseconds, default(Milliseconds(200)) from 0 to 60_000 unit "milliseconds",
            Immediate, Pointsman;
        /// How long a strategy may take to decide; then the call goes to its DN's default DN, or is turned away.
        "decision-timeout-ms" decision_timeout: Milliseconds, default(Milliseconds(30_000)) from 100 to 86_400_000
            unit "milliseconds", Immediate, Pointsman;
    }
}
