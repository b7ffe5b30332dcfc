//! `pointsman graph`.

use crate::failure::Failure;
use crate::output::{print, same_file, say, size, write_file};
use crate::progress;
use clap::Args;
use pointsman_simulate::{Document, read_file};
use std::path::{Path, PathBuf};

/// Draws a document as an SVG: states in states, and transitions as arrows with `event [condition] / action`. Log lines
/// and the insides of scripts are left out; point at a box or an arrow to see what was too long. The same document
/// gives the same file, so drawings can be kept beside documents and compared.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pointsman graph route.scxml                        writes route.svg
  pointsman graph route.scxml -o docs/route.svg
  pointsman graph route.scxml -o - | rsvg-convert > route.png

How to read it: a dot leads to the initial state; a double edge is a final state; dashed boxes
side by side are active together; H and H* are histories. A transition that stays in its state is a
line in the box (↻: it leaves and enters it again). An arrow stands for all transitions between two
states: each begins a new line, and a comma stands between the events of one.")]
pub(crate) struct Graph {
    /// The document (.scxml)
    file: PathBuf,
    /// Folder of the whole project, where documents name files outside of their own [default: the document's folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Where to write the drawing; `-` is the standard output [default: FILE with the extension .svg]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Graph {
    pub fn run(self) -> Result<(), Failure> {
        if read_file(&self.file)?.starts_with(b"\0asm") {
            let file = self.file.display();
            return Err(Failure::Failed(format!(
                "{file} is WebAssembly: only documents (.scxml) are drawn"
            )));
        }
        // What a document names does not change its states.
        let document = Document::read_despite_missing(&self.file, self.root.as_deref())?;
        let svg = progress::during("drawing", || pointsman_graph::draw(&document.model));
        let output = self.output.unwrap_or_else(|| self.file.with_extension("svg"));
        if output == Path::new("-") {
            return print(&svg);
        }
        if same_file(&output, &self.file) {
            return Err(Failure::Usage(format!(
                "{} would overwrite what it is made from: give --output",
                output.display()
            )));
        }
        write_file(&output, svg.as_bytes())?;
        say(&format!("wrote {} ({})", output.display(), size(svg.len() as u64)))
    }
}
