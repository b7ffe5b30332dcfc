//! `pointsman deploy`.

use crate::client::{Connection, shown};
use crate::failure::Failure;
use crate::output::{say, size};
use clap::Args;
use pointsman_api::types::{DeployRequest, Deployed, StrategyName, TenantName};
use pointsman_compiler::component_of_module;
use pointsman_scxml::model::SourceFile;
use pointsman_scxml::{lint, render};
use pointsman_simulate::{Document, read_file};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use std::path::PathBuf;

/// Uploads a document with everything that it names, or a component, as the next version of a strategy. Sessions that
/// run keep the version they started with.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pointsman deploy route.scxml --tenant acme
  pointsman deploy route.scxml --tenant acme --name sales --note 'longer patience'
  pointsman deploy route.scxml --tenant acme --no-activate
  pointsman strategies activate route 2 --tenant acme
  pointsman strategies rollback route --tenant acme")]
pub(crate) struct Deploy {
    /// The document (.scxml), component or SDK module (.wasm)
    file: PathBuf,
    /// Folder of the whole project, where documents name files outside of their own [default: the document's folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Whose strategy it is
    #[arg(long, value_name = "TENANT")]
    tenant: TenantName,
    /// Its name [default: the file's, without the extension]
    #[arg(long, value_name = "NAME")]
    name: Option<StrategyName>,
    /// Kept with the version, at most 500 characters
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Leave new sessions with the version that they use now
    #[arg(long)]
    no_activate: bool,
    #[command(flatten)]
    connection: Connection,
}

/// What goes over the wire.
enum Upload {
    Document(Box<DeployRequest>, Vec<SourceFile>),
    Component(Vec<u8>),
}

impl Deploy {
    pub fn run(self) -> Result<(), Failure> {
        let name = self.name()?;
        // Mistakes that show here need no server.
        let upload = self.upload()?;
        let client = self.connection.client()?;
        let path = ["v1", "tenants", self.tenant.as_str(), "strategies", name.as_str()];
        let (deployed, files): (Deployed, _) = match upload {
            Upload::Document(body, files) => {
                let request = client.request(Method::PUT, &path, &[]).json(&body);
                (client.call_about(request, &files)?, files)
            }
            Upload::Component(bytes) => {
                let query = [
                    ("note", self.note.as_deref()),
                    ("activate", (!self.no_activate).then_some("true")),
                ];
                let request = client.request(Method::PUT, &path, &query);
                (
                    client.call(request.header(CONTENT_TYPE, "application/wasm").body(bytes))?,
                    Vec::new(),
                )
            }
        };
        for warning in &deployed.warnings {
            eprintln!("{}", shown(warning, &files));
        }
        let version = deployed.version;
        let state = if version.active { "active" } else { "not active" };
        say(&format!(
            "deployed {name}@{} of {}: {}, {state}",
            version.version,
            self.tenant,
            size(version.size)
        ))
    }

    fn name(&self) -> Result<StrategyName, Failure> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        stem.parse()
            .map_err(|error| Failure::Usage(format!("{error}; or give --name")))
    }

    fn upload(&self) -> Result<Upload, Failure> {
        let bytes = read_file(&self.file)?;
        if bytes.starts_with(b"\0asm") {
            let is_module = bytes.get(4..8) == Some(&[1, 0, 0, 0]);
            let of_file = |error| Failure::Failed(format!("{}: {error}", self.file.display()));
            let component = if is_module {
                component_of_module(&bytes).map_err(of_file)?
            } else {
                bytes
            };
            return Ok(Upload::Component(component));
        }
        let document = Document::read(&self.file, self.root.as_deref())?;
        let files = document.shown_files();
        // What the reader warns of, the server says as well, with what the compiler finds; what only people can judge is said here.
        let lints = lint::check(&document.model);
        if !lints.is_empty() {
            eprintln!("{}", render(&lints, &files));
        }
        let request = DeployRequest {
            document: document.text,
            path: self.root.is_some().then_some(document.name),
            files: document.files,
            note: self.note.clone(),
            activate: !self.no_activate,
        };
        Ok(Upload::Document(Box::new(request), files))
    }
}
