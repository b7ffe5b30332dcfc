use std::path::PathBuf;

/// Why nothing was run. What a strategy does wrong while it runs is part of the [`crate::Report`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that should be text is not UTF-8.
    #[error("{} is neither a WebAssembly file nor UTF-8 text: give a document (.scxml) or a component (.wasm)", path.display())]
    NotText {
        /// Which.
        path: PathBuf,
    },
    /// A document outside of what was said to be its project.
    #[error("{} does not lie below {}: `--root` names the folder of the whole project", path.display(), root.display())]
    NotBelow {
        /// The document.
        path: PathBuf,
        /// The project's folder.
        root: PathBuf,
    },
    /// The test file is malformed; the message has line and column.
    #[error("{}: {message}", path.display())]
    TestFile {
        /// Which.
        path: PathBuf,
        /// What is wrong where.
        message: String,
    },
    /// A line of the file of events is malformed.
    #[error("{}:{line}: {message}", path.display())]
    Events {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The test file has no such case.
    #[error("{} has no case `{name}`; it has: {}", path.display(), known.join(", "))]
    NoSuchCase {
        /// The test file.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The document has errors: all of them, rendered with their places.
    #[error("{0}")]
    Document(pointsman_scxml::Errors),
    /// The document cannot be compiled for another reason, or a module is no strategy.
    #[error("{}: {source}", path.display())]
    Compile {
        /// The document or module.
        path: PathBuf,
        /// Why.
        source: pointsman_compiler::Error,
    },
    /// The component cannot be run by this host.
    #[error("{}: {source}", path.display())]
    Load {
        /// The component.
        path: PathBuf,
        /// Why.
        source: pointsman_sandbox::LoadError,
    },
    /// The sandbox cannot do its work.
    #[error(transparent)]
    Sandbox(#[from] pointsman_sandbox::Error),
}
