//! `pointsman compile`.

use crate::failure::Failure;
use crate::output::{same_file, say, size, write_file};
use crate::{engine, progress};
use clap::Args;
use pointsman_compiler::{Form, component_of_module};
use pointsman_scxml::render;
use pointsman_simulate::{Document, read_file};
use std::path::PathBuf;

/// Makes a WebAssembly component out of an SCXML document with everything that it names, or out of a core module that
/// was built against guest-sdk/sdk for wasm32-unknown-unknown.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pointsman compile route.scxml                      writes route.wasm
  pointsman compile route.scxml --standalone -o out.wasm
  pointsman compile target/wasm32-unknown-unknown/release/least_cost.wasm -o least-cost.wasm

A compiled document runs on hosts of this version, and is small; it carries its source, so that a later host can
remake it. With --standalone it brings the engine along and runs in anybody's WebAssembly runtime that gives it the
interface in wit/.")]
pub(crate) struct Compile {
    /// The document (.scxml) or core module (.wasm)
    file: PathBuf,
    /// Where to write the component [default: FILE with the extension .wasm, or .component.wasm for a module]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Folder of the whole project, where documents name files outside of their own [default: the document's folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Bring the engine along
    #[arg(long)]
    standalone: bool,
}

impl Compile {
    pub fn run(self) -> Result<(), Failure> {
        let bytes = read_file(&self.file)?;
        let (component, extension, what) = if bytes.starts_with(b"\0asm") {
            (self.module(&bytes)?, "component.wasm", "a module".to_owned())
        } else {
            let (component, what) = self.document()?;
            (component, "wasm", what)
        };
        let output = self.output.unwrap_or_else(|| self.file.with_extension(extension));
        if same_file(&output, &self.file) {
            return Err(Failure::Usage(format!(
                "{} would overwrite what it is made from: give --output",
                output.display()
            )));
        }
        write_file(&output, &component)?;
        say(&format!(
            "wrote {} ({}, from {what})",
            output.display(),
            size(component.len() as u64)
        ))
    }

    fn module(&self, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        let of_file = |text: &str| Failure::Failed(format!("{}: {text}", self.file.display()));
        // Bytes 4 to 8 tell the version, and with it a module from a component.
        if bytes.get(4..8) != Some(&[1, 0, 0, 0]) {
            return Err(of_file("this is a component already: deploy it as it is"));
        }
        component_of_module(bytes).map_err(|error| of_file(&error.to_string()))
    }

    fn document(&self) -> Result<(Vec<u8>, String), Failure> {
        let document = Document::read(&self.file, self.root.as_deref())?;
        let compiler = engine::compiler()?;
        let form = if self.standalone { Form::Standalone } else { Form::Image };
        let compiled = progress::during("compiling", || compiler.compile(&document.model, form));
        let compiled = compiled.map_err(|error| document.compile_error(&self.file, error))?;
        let mut warnings = document.warnings.clone();
        warnings.extend(compiled.warnings);
        if !warnings.is_empty() {
            eprintln!("{}", render(&warnings, &document.shown_files()));
        }
        let name = compiled.manifest.name.as_deref().unwrap_or("a document without a name");
        let what = format!(
            "{}, {} states",
            crate::output::printable(name),
            compiled.manifest.states.len()
        );
        Ok((compiled.component, what))
    }
}
