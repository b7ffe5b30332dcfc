//! Outgoing HTTP, for whoever must not reach everything.
//!
//! ```text
//!   request, allow list --> allowed? --> cached? --> room? --> DNS, TLS, answer within bounds --> redirect? --+
//!                              ^                                                                              |
//!                              +------------------------------------------------------------------------------+
//! ```
//!
//! * [`AllowList`]: nothing is allowed that no entry names, by scheme, host, port and path; every redirect is looked at again.
//! * A host's name must not lead to this machine or its link (`localhost` does), nor to the metadata servers of clouds whose
//!   addresses are known here: else whoever controls a name could have requests sent to services that trust their
//!   neighbours. An address that is to be reached all the same is allowed by the address itself. Other addresses, private
//!   networks too, may have names: that is where a company's own servers are.
//! * TLS is verified, always. Time, sizes, redirects and requests in work are bounded.
//! * The cache follows RFC 9111 (`http-cache-semantics` does the reading). Each owner has its own, which is a shared one:
//!   whoever the owner asks for, of whom the cache knows nothing. So only requests without header fields of their own
//!   (`Accept` may be there) are answered from it. All caches together have one bound.
//!
//! Knows nothing of sessions, tenants or nodes: an owner is a text.

mod allow;
mod cache;
mod client;
mod resolve;
mod room;

pub use allow::{AllowList, Destination, DestinationError, shown, shown_text};
pub use client::{Answer, Freshness, Options, Request, Web};
pub use room::{MAX_REQUESTS, MAX_REQUESTS_OF_OWNER, RESERVED};
pub use {http, url};

use std::time::Duration;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is no URL of a web server.
    #[error("`{url}` is no URL that can be fetched: {why}")]
    Url {
        /// What was given, cut.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The allow list does not have it.
    #[error("{0} is not among the destinations that are allowed: add it to `allow` in the tenant's [tenant.http]")]
    NotAllowed(String),
    /// The answer leads elsewhere, and that is not allowed.
    #[error("it redirects to {0}, which is not among the destinations that are allowed")]
    RedirectNotAllowed(String),
    /// Too many redirects.
    #[error("it redirects more than {0} times (http-max-redirections)")]
    TooManyRedirects(usize),
    /// There is an answer, and it is too large.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// No answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// Too many requests are in work.
    #[error("{0} requests are in work already: try again in a moment")]
    Overloaded(usize),
    /// The server could not be reached, or what came is no HTTP.
    #[error("{0}")]
    Failed(String),
}
