//! `pointsman simulate`.

use crate::failure::Failure;
use crate::output::{colour, print};
use crate::{engine, progress};
use clap::Args;
use pointsman_simulate::{Case, Data, Report, Simulator, TestFile, read_events};
use std::path::{Path, PathBuf};

/// Runs a strategy in the sandbox that a server would run it in, in virtual time: time passes only where the events
/// say so, and an hour of waiting is over at once. Nobody carries out commands; the answers to them are events too.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pointsman simulate route.scxml                     the state after the start
  pointsman simulate route.scxml --events call.jsonl
  pointsman simulate route.test.toml                 every case of a test file
  pointsman simulate route.test.toml --case 'nobody is free' --json

A file of events has one JSON object on each line:
  {\"event\": \"interaction.onrouterequest\", \"data\": {\"interactionid\": \"C1\", \"ani\": \"5551000\"}}
  {\"advance\": \"20s\"}

A test file says what is expected as well:
  strategy = \"route.scxml\"                  (and root = \"..\" where its project's folder is another)
  [[case]]
  name = \"nobody is free\"
  [[case.step]]
  event = \"interaction.onrouterequest\"
  data = { interactionid = \"C1\", ani = \"5551000\" }
  [[case.step]]
  advance = \"20s\"
  [case.step.expect]
  configuration = [\"routing\"]
  log = [\"waited 20 s\"]
  commands = [{ request = \"interaction.redirect\", params = { interactionid = \"C1\", to = \"9300\" } }]
It may also expect `done` (the data of the end) and `ended` (done, or the code of a failure), and a case may have
`at`, `seed` and `params`.

Exit code: 1 when something is not as expected, or the session failed.")]
pub(crate) struct Simulate {
    /// A document (.scxml), a component (.wasm) or a test file (.toml)
    file: PathBuf,
    /// Folder of the whole project, where documents name files outside of their own [default: the document's folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// What happens: JSON lines
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Print one JSON object for each step
    #[arg(long)]
    json: bool,
    /// Only this case of the test file
    #[arg(long, value_name = "NAME", conflicts_with = "events")]
    case: Option<String>,
}

impl Simulate {
    pub fn run(self) -> Result<(), Failure> {
        let is_test = self.file.extension().is_some_and(|extension| extension == "toml");
        let report = if is_test { self.test()? } else { self.events()? };
        print(&if self.json {
            report.json_lines()
        } else {
            report.text(colour(), is_test)
        })?;
        if report.passed() { Ok(()) } else { Err(Failure::Said) }
    }

    fn test(&self) -> Result<Report, Failure> {
        if self.events.is_some() {
            return Err(Failure::Usage(
                "a test file has its own events: leave out --events".into(),
            ));
        }
        let mut file = TestFile::read(&self.file)?;
        if let Some(name) = &self.case {
            file = file.only(name)?;
        }
        let root = self.root.as_deref().or(file.root.as_deref());
        run(&file.strategy, root, |simulator, program| {
            simulator.test(program, &file)
        })
    }

    fn events(&self) -> Result<Report, Failure> {
        if self.case.is_some() {
            return Err(Failure::Usage(
                "only a test file has cases: give one instead of the strategy".into(),
            ));
        }
        let steps = self.events.as_deref().map(read_events).transpose()?.unwrap_or_default();
        let name = self.file.display().to_string();
        let case = Case {
            name,
            steps,
            ..Case::default()
        };
        run(&self.file, self.root.as_deref(), |simulator, program| Report {
            cases: vec![simulator.run(program, &case, &Data::default())],
        })
    }
}

fn run(
    strategy: &Path,
    root: Option<&Path>,
    work: impl FnOnce(&Simulator, &pointsman_simulate::Program) -> Report,
) -> Result<Report, Failure> {
    let simulator = Simulator::new(engine::sandbox()?);
    let program = progress::during("loading the strategy", || simulator.load(strategy, root))?;
    if !program.warnings.is_empty() {
        eprintln!("{}", program.warnings);
    }
    Ok(progress::during("running", || work(&simulator, &program)))
}
