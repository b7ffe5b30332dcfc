//! Telephony: what calls are, and the links that bring them.
//!
//! A **link** connects the host to one telephony server or network element. It reports what happens there as
//! [`model::Event`]s and carries out [`model::Request`]s. Everything above the links knows only the [`model`], whose
//! vocabulary is that of T-Lib and CSTA III (DN, routing point, ANI, DNIS, user data, route request), so that a
//! strategy cannot tell, and need not care, which kind of switch a call came from.
//!
//! ```text
//!   switch or proxy              link                       host
//!        | INVITE  ------------>  |                           |
//!        | 100 Trying  <--------  | RouteRequest  --------->  |  a session is started
//!        |                        |          <-----  Queued   |  the strategy waits
//!        | 182 Queued  <--------  |                           |
//!        |                        |       <-----  RouteCall   |  the strategy decides
//!        | 302 + Contact  <-----  | RequestDone  ---------->  |
//!        | ACK  --------------->  | RouteUsed  ------------>  |
//! ```
//!
//! Links: [`sip`], a SIP routing point (RFC 3261 redirect server) over UDP, TCP and TLS.

pub mod model;
pub mod sip;
