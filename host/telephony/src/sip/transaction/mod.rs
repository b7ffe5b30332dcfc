//! Server transactions (RFC 3261 17.2), without sockets and clocks.
//!
//! A transaction absorbs retransmissions: it repeats its last response to a repeated request and, for INVITE over UDP,
//! repeats a final response until the ACK comes. [`Server`] is the state machine of one transaction; it is told what
//! happened ([`Input`]) and says what to do ([`Output`]). [`Key`] is how requests find their transaction.
//!
//! ```text
//!         INVITE (17.2.1)                             others (17.2.2)
//!   Proceeding --1xx--> Proceeding            Trying --1xx--> Proceeding
//!       | 300-699: start G (unreliable), H        | final        | final
//!   Completed --G, INVITE--> send again           +------+-------+
//!       | ACK: start I         | H: no ACK        Completed --request--> send again
//!   Confirmed                  |                     | J
//!       | I                    |                  Terminated
//!   Terminated <---------------+
//! ```
//!
//! There is no path for a 2xx to INVITE: a routing point never answers a call.

mod key;
mod server;

pub use key::{Key, Matching};
pub use server::{Input, Output, Server, State, Timer, Timers};
