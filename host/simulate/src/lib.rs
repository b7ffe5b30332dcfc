//! Strategies, run and tested on a laptop: in the real sandbox, in virtual time.
//!
//! ```text
//!   x.test.toml ─┐                                  ┌─ session core (pointsman-session): queue, timers, routing
//!   x.events    ─┴─► cases of steps ──► Simulator ──┤
//!                                                   └─ sandbox (pointsman-sandbox): the strategy itself
//!                                          │
//!                                          ▼
//!                    Report: time, event, configuration, log, commands, trace; expected and actual
//! ```
//!
//! What runs here is what runs in a server: the same session core decides what is handled next, the same sandbox
//! handles it, with the same limits. Only the surroundings are made up. Time stands still unless a step says
//! `advance`, and then jumps from timer to timer; every record counts as kept at once; nobody carries out commands, so
//! the answers to them (`interaction.redirect.done`) are events that the test gives.
//!
//! [`TestFile`] documents the file format. [`FolderResolver`] reads what a document names from its own folder, and
//! [`Document`] shows what is wrong with it under the path that the user knows.

mod check;
mod document;
mod duration;
mod error;
mod folder;
mod report;
mod script;
mod session;
mod simulator;
mod text;

pub use document::{Document, read_file};
pub use duration::Duration;
pub use error::Error;
pub use folder::FolderResolver;
pub use report::{CaseReport, Macrostep, Mismatch, Report, StepReport};
pub use script::events::read_events;
pub use script::expectation::{Expectation, ExpectedCommand, ExpectedEnd};
pub use script::file::TestFile;
pub use script::{Case, Data, Input, Step};
pub use simulator::{Program, Simulator};
pub use text::Colour;
