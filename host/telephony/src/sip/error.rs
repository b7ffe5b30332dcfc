//! What can go wrong with a link as a whole.

use super::options::Protocol;
use std::net::SocketAddr;

/// An error of the link.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option makes no sense.
    #[error("SIP link `{link}`: {message}")]
    Options {
        /// Name of the link.
        link: String,
        /// What is wrong with which option.
        message: String,
    },
    /// An address cannot be listened on.
    #[error("SIP link cannot listen on {protocol:?} {address}: {source}; is another program using it?")]
    Bind {
        /// Transport protocol.
        protocol: Protocol,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// A TLS address without certificates.
    #[error("SIP link has the TLS address {address} but no certificate: configure one, or use UDP or TCP")]
    NoTls {
        /// The address.
        address: SocketAddr,
    },
    /// The link has stopped.
    #[error("the SIP link has stopped: it takes no more requests")]
    Closed,
    /// Nobody receives the link's events.
    #[error("the receiver of the SIP link's events is gone: the link has stopped, for nobody would decide its calls")]
    EventsClosed,
}

impl Error {
    /// The error's stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Options { .. } => "sip-options",
            Error::Bind { .. } => "sip-bind",
            Error::NoTls { .. } => "sip-no-tls",
            Error::Closed => "sip-closed",
            Error::EventsClosed => "sip-events-closed",
        }
    }
}
