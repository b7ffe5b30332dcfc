use std::path::PathBuf;

/// Why the node does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration has errors: all of them, with their places.
    #[error("the configuration cannot be used:\n{0}")]
    Config(String),
    /// A file or folder that is needed cannot be used.
    #[error("{what} {path}: {source}")]
    Path {
        /// What it is for.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A port cannot be opened.
    #[error("cannot listen on {address} for {what}: {source}; is another program (or another pointsman) using it?")]
    Listen {
        /// What for.
        what: String,
        /// Which address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate or key cannot be used.
    #[error("{0}")]
    Certificate(#[from] crate::certs::Error),
    /// The sandbox cannot work.
    #[error(transparent)]
    Sandbox(#[from] pointsman_sandbox::Error),
    /// The catalog cannot be read.
    #[error("the strategy catalog: {0}")]
    Catalog(#[from] pointsman_store::catalog::Error),
    /// A link cannot work.
    #[error(transparent)]
    Link(#[from] pointsman_telephony::sip::Error),
    /// A thread or task could not be started, or the like.
    #[error("the system refused: {0}")]
    System(#[from] std::io::Error),
    /// A sample strategy could not be deployed.
    #[error("the sample strategy `{name}` could not be deployed: {why}")]
    Demo {
        /// Which.
        name: &'static str,
        /// Why.
        why: String,
    },
}

impl Error {
    /// Exit code of the process: 64 (EX_USAGE) for a bad configuration, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Config(_) => 64,
            _ => 1,
        }
    }
}
