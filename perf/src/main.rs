//! Programs that measure, one per subcommand. `README.md` says what each figure means and what it does not.
//!
//! Every program counts what was really done and fails when it is not what it should be: a figure about work that did
//! not happen is worse than none. No figure is asserted: what is fast enough is read, not tested.
#![expect(clippy::print_stdout, reason = "printing figures is what these programs are for")]

mod call;
mod clock;
mod deploy;
mod events;
mod hosted;
mod lockstep;
mod machine;
mod memory;
mod neighbours;
mod peers;
mod process;
mod report;
mod runtime;
mod sip;
mod start;
mod statistics;
mod strategy;
mod threads;

use anyhow::Result;
use clap::{Parser, Subcommand};
use report::Report;

/// Measures Pointsman on this machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Print JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    program: Program,
}

#[derive(Subcommand)]
enum Program {
    /// How long a session takes to begin: its sandbox, its initial configuration, both.
    Start(start::Arguments),
    /// Events per second on the call-routing chart, on sandboxes and through the session runtime.
    Events(events::Arguments),
    /// Memory of live sessions.
    Memory(memory::Arguments),
    /// From a document to its first session, and many strategies in one process.
    Deploy(deploy::Arguments),
    /// What 1,000 healthy sessions notice of a bad one.
    Neighbours(neighbours::Arguments),
    /// Calls per second over SIP, and how long a decision takes.
    Sip(sip::Arguments),
    /// Other SCXML engines and this one, on the same charts.
    Peers(peers::Arguments),
}

fn main() -> Result<()> {
    let Arguments { json, program } = Arguments::parse();
    // As the server does; but what other engines run with is not for us to choose.
    if !matches!(&program, Program::Peers(a) if a.here.is_none()) {
        pointsman_sandbox::short_turns();
    }
    let report: Report = match program {
        Program::Start(a) => start::run(&a),
        Program::Events(a) => events::run(&a),
        Program::Memory(a) => memory::run(&a),
        Program::Deploy(a) => deploy::run(&a),
        Program::Neighbours(a) => neighbours::run(&a),
        Program::Sip(a) => sip::run(&a),
        Program::Peers(a) => {
            match peers::run(&a)? {
                Some(results) if json => println!("{}", serde_json::to_string_pretty(&results)?),
                Some(results) => print!("{}", peers::markdown(&results)),
                None => {}
            }
            return Ok(());
        }
    }?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
