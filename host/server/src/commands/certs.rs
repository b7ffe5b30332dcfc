//! `pointsman certs`.

use crate::failure::Failure;
use crate::output::{print, say, table};
use clap::{Args, Subcommand};
use pointsman_node::certs;
use std::path::{Path, PathBuf};

/// A development CA and a server certificate for localhost that it signs. The server makes them on its first run by
/// itself; production certificates come from your own CA (certs/README.md).
#[derive(Args)]
#[command(after_help = "\
Examples:
  pointsman certs init                               makes what is missing
  pointsman certs show                               whom they name, and until when
  pointsman certs renew                              a new server certificate; the CA stays
  curl --cacert run/certs/ca.pem https://127.0.0.1:8443/livez

Private keys stay in the folder, readable by its owner only.")]
pub(crate) struct Certs {
    #[command(subcommand)]
    action: Action,
    /// The folder of the certificates
    #[arg(long, global = true, value_name = "DIR", default_value = "run/certs")]
    dir: PathBuf,
}

#[derive(Subcommand)]
enum Action {
    /// Make what is missing
    Init,
    /// Say whom they name and how long they are valid
    Show,
    /// Make a new server certificate
    Renew,
}

impl Certs {
    pub fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Init => made(certs::init(&self.dir), &self.dir),
            Action::Renew => made(certs::renew(&self.dir), &self.dir),
            Action::Show => {
                let facts = certs::show(&self.dir).map_err(|error| failed(&error))?;
                let rows = facts.into_iter().map(|f| {
                    [
                        f.path.display().to_string(),
                        f.subject,
                        f.not_before,
                        f.not_after,
                        f.days_left.to_string(),
                    ]
                });
                let rows: Vec<_> = rows.collect();
                print(&table(
                    ["FILE", "SUBJECT", "NOT BEFORE", "NOT AFTER", "DAYS LEFT"],
                    &rows,
                ))
            }
        }
    }
}

fn made(made: Result<Vec<PathBuf>, certs::Error>, dir: &Path) -> Result<(), Failure> {
    let made = made.map_err(|error| failed(&error))?;
    if made.is_empty() {
        return say(&format!(
            "nothing to do: the certificates in {} are good",
            dir.display()
        ));
    }
    made.iter()
        .try_for_each(|path| say(&format!("wrote {}", path.display())))
}

fn failed(error: &certs::Error) -> Failure {
    Failure::Failed(format!("{error}; `pointsman certs init` makes what is missing"))
}
