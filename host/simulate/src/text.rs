//! Reports for people.

use crate::Duration;
use crate::check::{actual_command, parsed};
use crate::report::{CaseReport, Macrostep, Mismatch, Report, StepReport, end_word};
use crate::script::Input;
use jiff::Timestamp;
use pointsman_contract::{Command, Ended, LogEntry, TraceEntry};
use serde_json::Value;
use std::fmt::{self, Write as _};

/// Characters of a value that are shown on one line; the JSON lines have all of it.
const SHOWN_CHARACTERS: usize = 300;

/// Whether a report is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// With the colours of a terminal (ECMA-48).
    Terminal,
    /// As plain text.
    None,
}

#[derive(Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Red,
    Green,
}

impl Colour {
    fn paint(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Bold => 1,
            Style::Dim => 2,
            Style::Red => 31,
            Style::Green => 32,
        };
        match self {
            Colour::Terminal => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Colour::None => text.to_owned(),
        }
    }
}

impl Report {
    /// The whole report; where it is of a test file, with a last line that counts the cases.
    pub fn text(&self, colour: Colour, is_test: bool) -> String {
        let mut page = Page {
            out: String::new(),
            colour,
            is_test,
        };
        self.cases.iter().for_each(|case| page.case(case));
        if is_test {
            let failed = self.cases.iter().filter(|case| !case.passed()).count();
            let count = |count: usize| format!("{count} case{}", if count == 1 { "" } else { "s" });
            page.line(&match failed {
                0 => colour.paint(Style::Green, &format!("{} passed", count(self.cases.len()))),
                failed => colour.paint(Style::Red, &format!("{failed} of {} failed", count(self.cases.len()))),
            });
        }
        page.out
    }
}

struct Page {
    out: String,
    colour: Colour,
    is_test: bool,
}

impl Page {
    fn line(&mut self, line: &str) {
        writeln!(self.out, "{line}").expect("a string takes whatever is written to it");
    }

    /// A line of a macrostep: what it is, and the rest.
    fn fact(&mut self, what: &str, text: &str) {
        self.line(&format!("            {what:<14} {text}"));
    }

    fn case(&mut self, case: &CaseReport) {
        let at = time(case.started_ms);
        let name = self.colour.paint(Style::Bold, &printable(&case.name));
        self.line(&format!("{name}  ({at}, seed {})", case.seed));
        for step in &case.steps {
            self.step(case, step);
        }
        if self.is_test {
            let verdict = if case.passed() {
                (Style::Green, "  passed")
            } else {
                (Style::Red, "  FAILED")
            };
            let verdict = self.colour.paint(verdict.0, verdict.1);
            self.line(&verdict);
        }
        self.line("");
    }

    fn step(&mut self, case: &CaseReport, step: &StepReport) {
        let what = match &step.input {
            Input::Start => "start".to_owned(),
            Input::Event { name, data } => format!("{name}{}", data.as_ref().map(with_blank).unwrap_or_default()),
            Input::Advance(time) => format!("{time} pass"),
        };
        let begin_ms = match &step.input {
            Input::Advance(time) => step.at_ms.saturating_sub(time.ms()),
            Input::Start | Input::Event { .. } => step.at_ms,
        };
        let what = self.colour.paint(Style::Bold, &printable(&what));
        self.line(&format!("  {:>8}  {what}", since(case, begin_ms)));
        for macrostep in &step.macrosteps {
            // What a step is about stands in its line already.
            let is_its_own = matches!(step.input, Input::Start | Input::Event { .. })
                && std::ptr::eq(macrostep, &step.macrosteps[0]);
            if let (false, Some(event)) = (is_its_own, &macrostep.event) {
                let data = event
                    .data
                    .as_deref()
                    .map(parsed)
                    .as_ref()
                    .map(with_blank)
                    .unwrap_or_default();
                self.line(&format!(
                    "  {:>8}  {}{}",
                    since(case, macrostep.at_ms),
                    printable(&event.name),
                    printable(&data)
                ));
            }
            self.macrostep(macrostep);
        }
        match &step.ended {
            Some(ended) => self.ended(ended),
            None => self.fact("configuration", &printable(&step.configuration.join(", "))),
        }
        step.mismatches.iter().for_each(|mismatch| self.mismatch(mismatch));
    }

    fn macrostep(&mut self, macrostep: &Macrostep) {
        for entry in &macrostep.trace {
            match entry {
                TraceEntry::Transition(line) => {
                    let line = self.colour.paint(Style::Dim, &printable(line));
                    self.fact("transition", &line);
                }
                TraceEntry::Failed(why) => {
                    let why = self.colour.paint(Style::Red, &printable(why));
                    self.fact("error", &why);
                }
                TraceEntry::Event(_) | TraceEntry::Entered(_) | TraceEntry::Left(_) => {}
            }
        }
        macrostep
            .log
            .iter()
            .for_each(|entry| self.fact("log", &printable(&log_line(entry))));
        for command in &macrostep.commands {
            self.fact("command", &printable(&command_line(command)));
        }
        if let Some(failure) = &macrostep.failure {
            let failure = self.colour.paint(Style::Red, &printable(&failure.to_string()));
            self.fact("failed", &failure);
        }
    }

    fn ended(&mut self, ended: &Ended) {
        let text = match ended {
            Ended::Done(done) => {
                let data = done.data.as_deref().map(parsed).as_ref().map(with_blank);
                format!("done{}", data.unwrap_or_default())
            }
            Ended::Failed(failure) => failure.to_string(),
            Ended::Terminated(reason) => format!("terminated: {reason}"),
        };
        let style = if end_word(ended) == "done" {
            Style::Bold
        } else {
            Style::Red
        };
        let text = self.colour.paint(style, &printable(&text));
        self.fact("ended", &text);
    }

    fn mismatch(&mut self, mismatch: &Mismatch) {
        let head = self.colour.paint(Style::Red, &format!("MISMATCH in {}", mismatch.what));
        self.line(&format!("            {head}"));
        for (side, value) in [("expected", &mismatch.expected), ("actual", &mismatch.actual)] {
            let lines = match value {
                Value::Array(items) if items.len() > 1 => items.iter().map(whole).collect(),
                other => vec![whole(other)],
            };
            for (number, line) in lines.iter().enumerate() {
                let side = if number == 0 { side } else { "" };
                self.line(&format!("              {side:<10} {}", printable(line)));
            }
        }
    }
}

/// Virtual time since the start of the case.
fn since(case: &CaseReport, at_ms: u64) -> String {
    format!("+{}", Duration::from_ms(at_ms.saturating_sub(case.started_ms)))
}

fn time(ms: u64) -> impl fmt::Display {
    let time = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| format!("{ms} ms"), |time| time.to_string())
}

fn log_line(LogEntry { label, text, level }: &LogEntry) -> String {
    let label = label.as_deref().unwrap_or_default();
    match (label, level) {
        ("", 0) => text.clone(),
        (label, 0) => format!("[{label}] {text}"),
        (label, level) => format!("[{label}/{level}] {text}"),
    }
}

fn command_line(command: &Command) -> String {
    match command {
        Command::Request(request) => {
            format!(
                "{}.{}{}",
                request.module,
                request.action,
                with_blank(&parsed(&request.params))
            )
        }
        Command::Send(send) => {
            let delay = Some(send.delay_ms)
                .filter(|ms| *ms > 0)
                .map(|ms| format!(" in {}", Duration::from_ms(ms)));
            let target = send.target.as_ref().map(|target| format!(" to {target}"));
            let data = send.data.as_deref().map(|data| with_blank(&parsed(data)));
            let parts = [delay, target, data].map(Option::unwrap_or_default).concat();
            format!("send {}{parts}", send.event)
        }
        Command::Cancel(cancel) => format!("cancel {}", cancel.sendid),
        other => shortened(actual_command(other).to_string()),
    }
}

fn with_blank(value: &Value) -> String {
    format!(" {}", shortened(value.to_string()))
}

/// All of it: whoever compares needs to see where the difference is.
fn whole(value: &Value) -> String {
    value.to_string()
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// What a strategy says must not drive the terminal that shows it.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
