//! `pointsman keys`.

use crate::failure::Failure;
use crate::output::say;
use clap::{Args, Subcommand};
use pointsman_api::security::KeyText;
use pointsman_config::TenantName;

/// A server knows of a key only its hash, in its configuration; the key itself is for whoever uses it.
#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a key: prints it, and what goes into the server's configuration
    #[command(after_help = "\
Examples:
  pointsman keys new ops --role platform-admin --tenant '*'
  pointsman keys new ci --role deployer --tenant acme >> pointsman.toml     the key itself is shown on the terminal

A running server takes the new key over when its configuration is reloaded (SIGHUP, or the changed file).")]
    New {
        /// The key's public id, shown in the audit log
        id: String,
        /// What its holder may do
        #[arg(long, value_parser = ["viewer", "operator", "deployer", "tenant-admin", "platform-admin"])]
        role: String,
        /// The tenant that it is good for, '*' for all
        #[arg(long, value_parser = tenant)]
        tenant: String,
    },
}

impl Keys {
    pub fn run(self) -> Result<(), Failure> {
        let Action::New { id, role, tenant } = self.action;
        let key = KeyText::generate(&id).map_err(|error| Failure::Usage(error.to_string()))?;
        let entry = entry(&id, &key.to_key(Vec::new()).sha256.to_string(), &role, &tenant);
        eprintln!("the key, shown this once: {}", key.reveal());
        eprintln!("use it with --key, or as POINTSMAN_KEY; into the server's configuration goes:");
        say(&entry)
    }
}

fn tenant(text: &str) -> Result<String, String> {
    if text != "*" {
        text.parse::<TenantName>().map_err(|error| error.to_string())?;
    }
    Ok(text.to_owned())
}

fn entry(id: &str, sha256: &str, role: &str, tenant: &str) -> String {
    let text = toml::Value::String;
    format!(
        "[[api-key]]\nid = {}\nsha256 = {}\nrole = {}\ntenant = {}",
        text(id.into()),
        text(sha256.into()),
        text(role.into()),
        text(tenant.into())
    )
}
