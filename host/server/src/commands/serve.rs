//! `pointsman serve`.

use crate::failure::Failure;
use clap::Args;
use pointsman_node::{Options, serve};
use std::path::PathBuf;

/// Runs until SIGTERM or SIGINT, then lets calls that are being decided come to their decision. SIGHUP reads
/// configuration and certificates anew; a configuration with errors leaves the old one in force.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pointsman serve --demo                             embedded configuration, sample strategies, a key in run/client.toml
  pointsman serve --config pointsman.toml --data /var/lib/pointsman

Exit code: 64 when the configuration is refused, 1 when a port is taken or a certificate cannot be used.")]
pub(crate) struct Serve {
    /// The configuration [default: the embedded one, `pointsman config show`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where strategies, certificates and logs are kept
    #[arg(long, value_name = "DIR", default_value = "run")]
    data: PathBuf,
    /// Deploy the sample strategies, and write server, key and CA to client.toml in the data directory
    #[arg(long)]
    demo: bool,
}

impl Serve {
    pub fn run(self) -> Result<(), Failure> {
        // Before there are threads: they inherit it.
        pointsman_sandbox::short_turns();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Failed(format!("the server's threads cannot be started: {error}")))?;
        let Serve { config, data, demo } = self;
        runtime
            .block_on(serve(Options {
                config,
                data,
                demo,
                apply_log: Some(crate::logging::apply),
            }))
            .map_err(|error| match error.exit_code() {
                64 => Failure::Configuration(format!("error: {error}")),
                _ => Failure::Failed(error.to_string()),
            })
    }
}
