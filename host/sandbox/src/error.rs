use thiserror::Error as ThisError;

/// The sandbox itself cannot do its work.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The embedded engine is not what this crate expects: a fault of the build.
    #[error("the embedded engine cannot be used: {0}")]
    Engine(String),
    /// wasmtime refused.
    #[error("wasmtime: {0:#}")]
    Wasmtime(wasmtime::Error),
    /// The native cache cannot be read or written.
    #[error("native cache: {0}")]
    Cache(#[from] std::io::Error),
    /// The chart could not be turned into an image.
    #[error("the strategy could not be prepared: {0}")]
    Snapshot(String),
    /// All slots of the pool are taken.
    #[error("no free sandbox: {0} sessions live, raise the limit on live sessions or wait for some to end")]
    Full(u32),
    /// The kernel would refuse more memory maps.
    #[error(
        "vm.max_map_count is {have}, but {sessions} sessions need {need} memory maps: \
         run `sysctl -w vm.max_map_count={need}` or lower the limit on live sessions"
    )]
    Maps {
        /// What the kernel allows.
        have: u64,
        /// What is needed.
        need: u64,
        /// For so many live sessions.
        sessions: u32,
    },
}

impl From<wasmtime::Error> for Error {
    fn from(e: wasmtime::Error) -> Self {
        Error::Wasmtime(e)
    }
}

/// A component that this host does not run.
#[derive(Debug, ThisError)]
pub enum LoadError {
    /// Not a WebAssembly component, or a damaged one.
    #[error("this is not a usable WebAssembly component ({0}): upload the file that `pointsman compile` wrote, whole")]
    Damaged(String),
    /// A core module.
    #[error("this is a core WebAssembly module, not a component: run `pointsman compile` on it first")]
    CoreModule,
    /// It wants something that strategies are not given.
    #[error(
        "the component imports `{0}`, which strategies are not given: the contract is {contract} and nothing else",
        contract = crate::component::CONTRACT
    )]
    ForeignImport(String),
    /// It speaks another version of the contract.
    #[error(
        "the component was made for `{found}`, this host speaks {contract}: compile it again with this host's `pointsman compile`",
        contract = crate::component::CONTRACT
    )]
    ContractVersion {
        /// What it imports.
        found: String,
    },
    /// It lacks one of the contract's exports, or has it with another type.
    #[error("the component does not export the contract's functions ({0}): compile it with `pointsman compile`")]
    Exports(String),
    /// Its image was made by another engine build.
    #[error(
        "the image was made for engine {found}, this host runs engine {expected}: compile the strategy again from its source"
    )]
    OtherEngine {
        /// Digest in the image.
        found: String,
        /// Digest of this host's engine.
        expected: String,
    },
    /// Its image holds something that an image must not hold.
    #[error(
        "the component's image holds {0}; an image may hold one memory, its data, globals and exports, and no code"
    )]
    Image(String),
    /// The host failed.
    #[error(transparent)]
    Host(#[from] Error),
}
