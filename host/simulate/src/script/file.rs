//! Test files: TOML beside the strategy, `NAME.test.toml`.

use super::expectation::Expectation;
use super::json::{Json, Object};
use super::{Case, Data, Input, Step};
use crate::{Duration, Error, read_file};
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file of cases for one strategy.
///
/// ```toml
/// strategy = "queue-overflow.scxml"     # or a component; relative to this file
/// root = ".."                           # of the strategy's project; its own folder unless given
///
/// [read.list]                           # what host.read answers: source -> key -> value; none unless given
/// "vip/5551000" = { tier = "gold" }
///
/// [[case]]                              # a session of its own
/// name = "nobody is free"
/// at = "2026-03-03T09:30:00Z"           # virtual time of the start; 2026-01-05T12:00:00Z unless given
/// seed = 7                              # of its random numbers; 1 unless given
/// params = { patience = 30 }            # start parameters; none unless given
///
/// [[case.step]]                         # without event and advance: the start; only as the first step
/// expect.configuration = ["idle"]
///
/// [[case.step]]
/// event = "interaction.onrouterequest"
/// data = { interactionid = "C1", ani = "5551000" }
///
/// [[case.step]]
/// advance = "30s"                       # ms, s, m, h, d
/// [case.step.expect]                    # see `Expectation`
/// log = ["waited 30 s"]
/// commands = [{ request = "interaction.redirect", params = { interactionid = "C1", to = "9300" } }]
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TestFile {
    /// Where it was read.
    pub path: PathBuf,
    /// The document or component, as a path that can be opened.
    pub strategy: PathBuf,
    /// Below which it names files; `None`: its own folder.
    pub root: Option<PathBuf>,
    /// What `host.read` answers.
    pub data: Data,
    /// In order.
    pub cases: Vec<Case>,
}

impl TestFile {
    /// Reads a test file.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::TestFile`] with the place of what is wrong.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |message: String| Error::TestFile {
            path: path.to_owned(),
            message,
        };
        let bytes = read_file(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| wrong(format!("a test file is UTF-8: {error}")))?;
        Self::parse(path, text).map_err(wrong)
    }

    /// The case of this name alone.
    ///
    /// # Errors
    /// [`Error::NoSuchCase`] with the names that there are.
    pub fn only(mut self, name: &str) -> Result<Self, Error> {
        if !self.cases.iter().any(|case| case.name == name) {
            let known = self.cases.into_iter().map(|case| format!("`{}`", case.name)).collect();
            return Err(Error::NoSuchCase {
                path: self.path,
                name: name.into(),
                known,
            });
        }
        self.cases.retain(|case| case.name == name);
        Ok(self)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, String> {
        let file: WrittenFile = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let mut names = BTreeSet::new();
        if let Some(twice) = file.cases.iter().find(|case| !names.insert(&case.name)) {
            return Err(format!("two cases have the name `{}`: give each its own", twice.name));
        }
        let data = file
            .read
            .into_iter()
            .map(|(source, keys)| (source, keys.into_iter().map(|(key, json)| (key, json.0)).collect()));
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let beside = |other: &Path| folder.join(other);
        Ok(TestFile {
            path: path.to_owned(),
            strategy: beside(&file.strategy),
            root: file.root.as_deref().map(beside),
            data: Data(data.collect()),
            cases: file.cases,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    strategy: PathBuf,
    root: Option<PathBuf>,
    #[serde(default)]
    read: BTreeMap<String, BTreeMap<String, Json>>,
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    name: String,
    #[serde(default, deserialize_with = "time")]
    at: Option<Timestamp>,
    seed: Option<u64>,
    #[serde(default)]
    params: Object,
    #[serde(default, rename = "step")]
    steps: Vec<WrittenStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    event: Option<String>,
    data: Option<Json>,
    advance: Option<Duration>,
    #[serde(default)]
    expect: Expectation,
}

/// RFC 3339, as a text or as TOML's own.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Json(value) = Json::deserialize(deserializer)?;
    let parsed = value
        .as_str()
        .and_then(|text| text.parse().ok())
        .filter(|time| *time >= Timestamp::UNIX_EPOCH);
    parsed.map(Some).ok_or_else(|| {
        D::Error::custom(format!(
            "{value} is not a time since 1970 with its zone: write one such as \"2026-03-03T09:30:00Z\""
        ))
    })
}

impl<'de> Deserialize<'de> for Case {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = WrittenCase::deserialize(deserializer)?;
        let name = written.name.clone();
        case(written).map_err(|message| D::Error::custom(format!("case `{name}`: {message}")))
    }
}

fn case(
    WrittenCase {
        name,
        at,
        seed,
        params,
        steps,
    }: WrittenCase,
) -> Result<Case, String> {
    let default = Case::default();
    let mut read = Vec::new();
    for (step, number) in steps.into_iter().zip(1..) {
        let input = match (step.event, step.data, step.advance) {
            (Some(name), data, None) => Input::Event {
                name,
                data: data.map(|json: Json| -> Value { json.0 }),
            },
            (None, None, Some(time)) => Input::Advance(time),
            (None, None, None) if number == 1 => Input::Start,
            (None, None, None) => {
                return Err(format!(
                    "step {number} does nothing: only the first may, and is about the start then"
                ));
            }
            (None, Some(_), _) => return Err(format!("step {number} has `data` without an `event`")),
            (Some(_), _, Some(_)) => {
                return Err(format!("step {number} has `event` and `advance`: make it two steps"));
            }
        };
        read.push(Step {
            input,
            expect: step.expect,
        });
    }
    Ok(Case {
        name,
        at: at.unwrap_or(default.at),
        seed: seed.unwrap_or(default.seed),
        params: params.0,
        steps: read,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<TestFile, String> {
        TestFile::parse(Path::new("dir/x.test.toml"), text)
    }

    #[test]
    fn a_file_is_read_with_its_defaults() {
        let text = "strategy = 'a.scxml'\n[read.list]\nvip = { x = 2026-01-01 }\n[[case]]\nname = 'n'\n[[case.step]]\n\
                    advance = '9s'\nexpect.ended = 'time-limit'\nexpect.done = [1, 1.5]\n";
        let file = parse(text).unwrap();
        assert_eq!(file.strategy, Path::new("dir/a.scxml"));
        assert_eq!(file.data.0["list"]["vip"], serde_json::json!({ "x": "2026-01-01" }));
        let case = &file.cases[0];
        assert_eq!((case.at.to_string().as_str(), case.seed), ("2026-01-05T12:00:00Z", 1));
        assert_eq!(case.steps[0].input, Input::Advance(Duration::from_ms(9_000)));
        assert_eq!(case.steps[0].expect.done, Some(serde_json::json!([1, 1.5])));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let step = |line: &str| format!("[[case]]\nname = 'n'\n[[case.step]]\nadvance = '1s'\n{line}");
        let cases = [
            ("cases = []".to_owned(), "line 2", "unknown field `cases`"),
            (step("advanse = '1s'"), "line 6", "unknown field `advanse`"),
            (step("expect.logs = []"), "line 6", "unknown field `logs`"),
            (step("expect.ended = 'tired'"), "line 6", "no session ends with `tired`"),
            (
                step("expect.commands = [{ request = 'redirect' }]"),
                "line 6",
                "write `module.action`",
            ),
            (
                step("expect.commands = [{ cancel = 'x', send = 'y' }]"),
                "line 6",
                "exactly one of",
            ),
            (
                step("expect.commands = [{ cancel = 'x', delay = '1s' }]"),
                "line 6",
                "a `cancel` has no `delay`",
            ),
            (step("event = 'a'"), "line 2", "`event` and `advance`"),
            (
                "[[case]]\nname = 'n'\nat = '12:00'".to_owned(),
                "line 4",
                "not a time since 1970 with its zone",
            ),
            (
                "[[case]]\nname = 'n'\nstep = [{}, {}]".to_owned(),
                "line 2",
                "step 2 does nothing",
            ),
            (
                "[[case]]\nname = 'n'\nstep = [{ data = 1 }]".to_owned(),
                "line 2",
                "`data` without an `event`",
            ),
            (
                "[[case]]\nname = 'n'\nparams = { x = nan }".to_owned(),
                "line 4",
                "JSON has no number NaN",
            ),
            (
                "[[case]]\nname = 'n'\n[[case]]\nname = 'n'".to_owned(),
                "",
                "two cases have the name `n`",
            ),
        ];
        for (text, line, message) in cases {
            let error = parse(&format!("strategy = 'a'\n{text}\n")).expect_err(&text);
            assert!(error.contains(line) && error.contains(message), "{text}\n{error}");
        }
    }

    #[test]
    fn a_case_is_picked_by_name_or_missed_with_the_names_there_are() {
        let file = parse("strategy = 'a'\ncase = [{ name = 'x' }, { name = 'y' }]").unwrap();
        assert_eq!(file.clone().only("y").unwrap().cases.len(), 1);
        let error = file.only("z").unwrap_err().to_string();
        assert_eq!(error, "dir/x.test.toml has no case `z`; it has: `x`, `y`");
    }
}
