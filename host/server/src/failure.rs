//! How a command fails: what is said, and the exit code.

use std::error::Error;
use std::process::ExitCode;

/// A failed command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It did not work; said after `error: `. Exit code 1.
    Failed(String),
    /// The same, with a text that is rendered already.
    Rendered(String),
    /// The same, and everything has been said.
    Said,
    /// The command line is wrong. Exit code 2, as clap's own.
    Usage(String),
    /// The configuration is wrong; rendered already. Exit code 64 (EX_USAGE of sysexits.h).
    Configuration(String),
}

impl Failure {
    /// Says it on the standard error and gives the exit code.
    pub fn report(self) -> ExitCode {
        let (text, code) = match self {
            Failure::Failed(message) => (format!("error: {message}"), 1),
            Failure::Rendered(text) => (text, 1),
            Failure::Said => return ExitCode::from(1),
            Failure::Usage(message) => (format!("error: {message}"), 2),
            Failure::Configuration(text) => (text, 64),
        };
        eprintln!("{}", text.trim_end());
        ExitCode::from(code)
    }

    /// A failure with its whole chain of causes.
    pub fn of(what: &str, error: &dyn Error) -> Self {
        let mut message = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Many libraries repeat their cause in their own text.
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        Failure::Failed(message)
    }
}

impl From<pointsman_simulate::Error> for Failure {
    fn from(error: pointsman_simulate::Error) -> Self {
        match error {
            pointsman_simulate::Error::Document(errors) => Failure::Rendered(errors.to_string()),
            other => Failure::Failed(other.to_string()),
        }
    }
}
