//! `pointsman config`.

use crate::failure::Failure;
use crate::output::{print, say};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use clap::{Args, Subcommand};
use pointsman_config::{Config as Read, effective_toml};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Configurations are TOML; option names are those of the Genesys Orchestration Server where it has the option.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pointsman config show > pointsman.toml             the embedded configuration, to start your own from
  pointsman config check --config pointsman.toml
  pointsman config show --effective --config pointsman.toml

Exit code: 64 when the configuration is refused.")]
pub(crate) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Say everything that is wrong with a configuration, with file, line and column
    Check {
        /// The main file; files that it includes lie in its folder [default: the embedded configuration]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Print the embedded configuration as it is written, or what is in force
    Show {
        /// Print every option with its value, and behind it where that comes from; secrets are left out
        #[arg(long)]
        effective: bool,
        /// The main file [default: the embedded configuration]
        #[arg(long, value_name = "FILE", requires = "effective")]
        config: Option<PathBuf>,
    },
}

impl Config {
    pub fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Check { config: None } => {
                Read::embedded();
                say("the embedded configuration is correct")
            }
            Action::Check { config: Some(file) } => {
                let (dir, name) = open(&file)?;
                let report = pointsman_config::check(&dir, &name);
                if report.has_errors() {
                    return Err(Failure::Configuration(report.to_string()));
                }
                say(&report.to_string())
            }
            Action::Show { effective: false, .. } => print(Read::EMBEDDED),
            Action::Show {
                effective: true,
                config: None,
            } => print(&effective_toml(&Read::embedded())),
            Action::Show {
                effective: true,
                config: Some(file),
            } => {
                let (dir, name) = open(&file)?;
                let config = Read::load(&dir, &name).map_err(|error| Failure::Configuration(error.to_string()))?;
                print(&effective_toml(&config))
            }
        }
    }
}

/// The folder of a configuration, and the file's name in it.
fn open(file: &Path) -> Result<(Dir, String), Failure> {
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Failure::Usage(format!("{} is not the name of a file", file.display())))?;
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let dir = Dir::open_ambient_dir(folder, ambient_authority())
        .map_err(|error| Failure::Configuration(format!("error: cannot open {}: {error}", folder.display())))?;
    // Reports name files relative to the folder; one that is not there is named as the user did.
    if let Err(error) = dir.symlink_metadata(name)
        && error.kind() == ErrorKind::NotFound
    {
        return Err(Failure::Configuration(format!(
            "error: cannot read {}: {error}",
            file.display()
        )));
    }
    Ok((dir, name.to_owned()))
}
