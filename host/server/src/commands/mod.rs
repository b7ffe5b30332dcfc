//! The commands.

mod certs;
mod check;
mod compile;
mod completions;
mod config;
mod conformance;
mod deploy;
mod graph;
mod keys;
mod serve;
mod sessions;
mod simulate;
mod strategies;

use crate::failure::Failure;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start the server
    Serve(serve::Serve),
    /// Say what is wrong with documents and components
    Check(check::Check),
    /// Run a strategy, or its tests, in virtual time
    Simulate(simulate::Simulate),
    /// Draw a document as a statechart
    Graph(graph::Graph),
    /// Turn a document, or a module written with the Rust SDK, into a WebAssembly component
    Compile(compile::Compile),
    /// Upload a strategy to a server, and let new calls use it
    Deploy(deploy::Deploy),
    /// The strategies of a tenant: list, activate, roll back, download
    Strategies(strategies::Strategies),
    /// The sessions on a server: list, look into, send events, end
    Sessions(sessions::Sessions),
    /// Development certificates
    Certs(certs::Certs),
    /// API keys
    Keys(keys::Keys),
    /// Check a configuration, or show what is in force
    Config(config::Config),
    /// Run W3C's SCXML tests
    Conformance(conformance::Conformance),
    /// A script that completes commands in your shell
    Completions(completions::Completions),
}

impl Command {
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Command::Serve(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Simulate(command) => command.run(),
            Command::Graph(command) => command.run(),
            Command::Compile(command) => command.run(),
            Command::Deploy(command) => command.run(),
            Command::Strategies(command) => command.run(),
            Command::Sessions(command) => command.run(),
            Command::Certs(command) => command.run(),
            Command::Keys(command) => command.run(),
            Command::Config(command) => command.run(),
            Command::Conformance(command) => command.run(),
            Command::Completions(command) => command.run(),
        }
    }

    /// What is logged unless somebody asks for more or less.
    pub fn default_log(&self) -> &'static str {
        match self {
            Command::Serve(_) => "info",
            _ => "warn",
        }
    }
}
