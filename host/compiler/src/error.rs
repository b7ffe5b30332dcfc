/// A document that could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is larger than the tables can number.
    #[error("the document has {count} {what}, at most {limit} can be compiled: split it up")]
    TooLarge {
        /// Of what there are too many.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The engine refused.
    #[error(transparent)]
    Sandbox(#[from] pointsman_sandbox::Error),
    /// The module is no strategy.
    #[error(
        "this module does not speak the strategy contract ({0}): build it against guest-sdk/sdk, for wasm32-unknown-unknown"
    )]
    Module(String),
}
