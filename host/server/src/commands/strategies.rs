//! `pointsman strategies`.

use crate::client::{Client, Connection};
use crate::failure::Failure;
use crate::output::{json, print, say, size, table, time};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use clap::{Args, Subcommand};
use pointsman_api::types::{Source, Strategy, StrategyName, StrategyVersion, TenantName, Version};
use reqwest::Method;
use reqwest::header::ACCEPT;
use std::path::{Path, PathBuf};

/// Every deployment is a version and stays; one of them is active: new sessions use it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pointsman strategies list --tenant acme
  pointsman strategies versions route --tenant acme
  pointsman strategies activate route 2 --tenant acme
  pointsman strategies rollback route --tenant acme  the version that was active before
  pointsman strategies source route 1 --tenant acme --output old/")]
pub(crate) struct Strategies {
    #[command(subcommand)]
    action: Action,
    /// Whose strategies
    #[arg(long, global = true, value_name = "TENANT")]
    tenant: Option<TenantName>,
    /// Print JSON, one object a line
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum Action {
    /// The tenant's strategies
    List(Limit),
    /// The versions of a strategy, newest first
    Versions {
        name: StrategyName,
        #[command(flatten)]
        limit: Limit,
    },
    /// Let new sessions use a version
    Activate { name: StrategyName, version: Version },
    /// Let new sessions use the version that was active before
    Rollback { name: StrategyName },
    /// The document that a version was made from
    Source {
        name: StrategyName,
        /// [default: the active one, else the newest]
        version: Option<Version>,
        /// A folder to write the document and what it names to; else the document is printed
        #[arg(short, long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

#[derive(Args)]
struct Limit {
    /// How many to show at most
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl Strategies {
    pub fn run(self) -> Result<(), Failure> {
        let tenant = self
            .tenant
            .ok_or_else(|| Failure::Usage("whose strategies? give --tenant".into()))?;
        let client = self.connection.client()?;
        let catalog = Catalog { client, tenant };
        match self.action {
            Action::List(Limit { limit }) => {
                let (found, more) = catalog.client.list(&catalog.path(&[]), &[], limit as usize)?;
                if self.json {
                    found.iter().try_for_each(|s: &Strategy| json(s))
                } else {
                    list(&found, more)
                }
            }
            Action::Versions {
                name,
                limit: Limit { limit },
            } => {
                let path = catalog.path(&[name.as_str(), "versions"]);
                let (found, more) = catalog.client.list(&path, &[], limit as usize)?;
                if self.json {
                    found.iter().try_for_each(|v: &StrategyVersion| json(v))
                } else {
                    versions(&found, more)
                }
            }
            Action::Activate { name, version } => {
                let path = [name.as_str(), "versions", &version.to_string(), "activate"];
                catalog.say_active(&catalog.change(&path)?, self.json)
            }
            Action::Rollback { name } => catalog.say_active(&catalog.change(&[name.as_str(), "rollback"])?, self.json),
            Action::Source { name, version, output } => {
                let source = catalog.source(&name, version)?;
                match output {
                    _ if self.json => json(&source),
                    None => print(&source.document),
                    Some(folder) => write(&folder, &name, &source),
                }
            }
        }
    }
}

/// The strategies of one tenant on a server.
struct Catalog {
    client: Client,
    tenant: TenantName,
}

impl Catalog {
    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["v1", "tenants", self.tenant.as_str(), "strategies"], rest].concat()
    }

    fn change(&self, path: &[&str]) -> Result<StrategyVersion, Failure> {
        self.client
            .call(self.client.request(Method::POST, &self.path(path), &[]))
    }

    fn say_active(&self, version: &StrategyVersion, as_json: bool) -> Result<(), Failure> {
        if as_json {
            return json(version);
        }
        say(&format!(
            "new sessions of {} use {}@{}",
            self.tenant, version.name, version.version
        ))
    }

    fn source(&self, name: &StrategyName, version: Option<Version>) -> Result<Source, Failure> {
        let version = match version {
            Some(version) => version,
            None => {
                let request = self.client.request(Method::GET, &self.path(&[name.as_str()]), &[]);
                let strategy: Strategy = self.client.call(request)?;
                strategy.active.unwrap_or(strategy.latest)
            }
        };
        let path = [name.as_str(), "versions", &version.to_string(), "source"];
        let request = self.client.request(Method::GET, &self.path(&path), &[]);
        self.client.call(request.header(ACCEPT, "application/json"))
    }
}

fn list(found: &[Strategy], more: bool) -> Result<(), Failure> {
    let rows = found.iter().map(|s| {
        let active = s.active.map_or_else(|| "none".into(), |version| version.to_string());
        [s.name.to_string(), active, s.latest.to_string()]
    });
    print(&table(["NAME", "ACTIVE", "NEWEST"], &rows.collect::<Vec<_>>()))?;
    say_more(more)
}

fn versions(found: &[StrategyVersion], more: bool) -> Result<(), Failure> {
    let rows = found.iter().map(|v| {
        [
            v.version.to_string(),
            if v.active { "yes".into() } else { String::new() },
            time(v.deployed_ms),
            v.deployed_by.clone(),
            size(v.size),
            v.sessions.to_string(),
            v.note.clone().unwrap_or_default(),
        ]
    });
    print(&table(
        ["VERSION", "ACTIVE", "DEPLOYED", "BY", "SIZE", "SESSIONS", "NOTE"],
        &rows.collect::<Vec<_>>(),
    ))?;
    say_more(more)
}

fn say_more(more: bool) -> Result<(), Failure> {
    if more {
        say("... and more: raise --limit")
    } else {
        Ok(())
    }
}

/// Writes a document and what it names. The names are the server's: none leads out of the folder.
fn write(folder: &Path, name: &StrategyName, source: &Source) -> Result<(), Failure> {
    let failed =
        |path: &Path, error: std::io::Error| Failure::Failed(format!("cannot write {}: {error}", path.display()));
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let dir = Dir::open_ambient_dir(folder, ambient_authority()).map_err(|error| failed(folder, error))?;
    let document = source.path.clone().unwrap_or_else(|| format!("{name}.scxml"));
    let files = source.files.iter().map(|(path, text)| (path.as_str(), text));
    for (path, text) in std::iter::once((document.as_str(), &source.document)).chain(files) {
        let parent = Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty());
        let made = parent.map_or(Ok(()), |parent| dir.create_dir_all(parent));
        made.and_then(|()| dir.write(path, text))
            .map_err(|error| failed(&folder.join(path), error))?;
        say(&format!("wrote {}", folder.join(path).display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_of_a_server_is_written_outside_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("out");
        let source = |path: &str| Source {
            document: "d".into(),
            path: None,
            files: [(path.to_owned(), "x".to_owned())].into(),
        };
        let name: StrategyName = "route".parse().unwrap();
        write(&folder, &name, &source("lib/a.js")).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("lib/a.js")).unwrap(), "x");
        assert_eq!(std::fs::read_to_string(folder.join("route.scxml")).unwrap(), "d");
        let absolute = dir.path().join("absolute").display().to_string();
        for path in ["../outside", "lib/../../outside", absolute.as_str()] {
            assert!(write(&folder, &name, &source(path)).is_err(), "{path}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
