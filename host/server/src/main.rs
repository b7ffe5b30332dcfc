//! `pointsman`: the server and its command line.
//!
//! ```text
//! author    check, graph ─► simulate ─► compile ─► deploy
//! operator  serve, certs, config                   strategies, sessions   (over the REST API)
//! ```
//!
//! One file per command under `commands`. Exit codes: 0 it worked; 1 it did not (the message says what and what to
//! do); 2 the command line is wrong; 64 the configuration is.

mod client;
mod commands;
mod conformance;
mod engine;
mod failure;
mod logging;
mod output;
mod progress;

use clap::Parser;
use commands::Command;
use std::process::ExitCode;

/// Orchestration for contact centres: a strategy in a sandbox of its own decides where each call goes.
#[derive(Parser)]
#[command(name = "pointsman", version, propagate_version = true, after_help = START)]
struct Cli {
    #[command(flatten)]
    logging: logging::Options,
    #[command(subcommand)]
    command: Command,
}

const START: &str = "\
First steps:
  pointsman serve --demo                          a server with sample tenants and strategies
  pointsman check route.scxml                     what is wrong with a document
  pointsman graph route.scxml                     what it looks like: a statechart as SVG
  pointsman simulate route.test.toml              run a strategy's tests, in virtual time
  pointsman deploy route.scxml --tenant acme      new calls use it at once
  pointsman strategies rollback route --tenant acme
  pointsman sessions list                         what is going on

Exit codes: 0 it worked, 1 it did not, 2 the command line is wrong, 64 the configuration is wrong.";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let started = logging::start(&cli.logging, cli.command.default_log());
    match started.and_then(|()| cli.command.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
