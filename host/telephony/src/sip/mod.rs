//! The SIP routing point: a link that is itself a SIP element (RFC 3261), answering INVITEs with 302 and the chosen target.
//!
//! Anything that follows a redirect can be routed by it: a softswitch, a session border controller, a proxy. After the 302 the host
//! has nothing more to do with the call, so losing the host does not touch it; for the same reason the link cannot tell
//! whether the target answered. It only sees the call again when the caller's side offers it anew, and then reports the
//! target as failed.
//!
//! ```text
//!   transport: sockets, connections, TLS          link: the one task that owns all state
//!     datagram --> parse --.                        .-> events --> host
//!     stream --> Framer ----+--> bounded queue --> Uas <-- requests <-- host
//!     socket, write queue <------------------------'
//! ```
//!
//! Rooms: [`message`] reads and writes, [`transaction`] holds the state machines of RFC 3261 17.2, [`uas`] decides what is
//! answered, all three without sockets and clocks; `transport` has the sockets; [`Link`] runs it.

mod dns;
mod error;
mod link;
pub mod message;
mod options;
pub mod transaction;
mod transport;
pub mod uas;

pub use dns::{DnTable, RoutingPoint, UserDataHeaders};
pub use error::Error;
pub use link::{Handle, Link};
pub use options::{Bind, Options, Placement, Protocol};
pub use transport::TlsConfig;
pub use uas::CAPABILITIES;
