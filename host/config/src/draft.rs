//! From sources to a [`Config`]: what the files hold, before anybody has looked whether it fits together.

use crate::config::{Config, Origins};
use crate::load::IncludePattern;
use crate::objects::api_key::ApiKey;
use crate::objects::application::Application;
use crate::objects::dn::Dn;
use crate::objects::list::List;
use crate::objects::script::Script;
use crate::objects::switch::Switch;
use crate::objects::tenant::Tenant;
use crate::report::Report;
use crate::setting::{Reader, Setting, Table, Value};
use crate::source::{Place, Source};
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;
use toml::de::DeTable;

/// The names that may stand at the top of a file.
const TOP: [&str; 8] = [
    "include",
    "application",
    "tenant",
    "switch",
    "dn",
    "script",
    "list",
    "api-key",
];

/// An object and its path in the origins, such as `dn[3]`.
pub(crate) struct Placed<T> {
    pub path: String,
    pub object: T,
}

/// What the files hold.
#[derive(Default)]
pub(crate) struct Draft {
    pub application: Option<Application>,
    pub tenants: Vec<Placed<Tenant>>,
    pub switches: Vec<Placed<Switch>>,
    pub dns: Vec<Placed<Dn>>,
    pub scripts: Vec<Placed<Script>>,
    pub lists: Vec<Placed<List>>,
    pub api_keys: Vec<Placed<ApiKey>>,
    pub declared: Declared,
    pub origins: Origins,
    counts: BTreeMap<&'static str, usize>,
}

/// Names that stand somewhere, even on an object with a mistake in it: a reference to it is not dangling, and one mistake
/// is not to be reported as ten.
#[derive(Default)]
pub(crate) struct Declared {
    pub tenants: BTreeSet<String>,
    pub switches: BTreeSet<String>,
    /// Tenant and name.
    pub scripts: BTreeSet<(String, String)>,
}

/// Reads the sources: the configuration if it can be used, and the report in any case.
pub(crate) fn read(sources: Vec<Source>, mut report: Report) -> (Option<Config>, Report) {
    report.sources = sources;
    // The report is written to while the texts are borrowed, so the texts are taken out of it meanwhile.
    let sources = report.sources.clone();
    let mut broken = report.has_errors();
    let mut draft = Draft::default();
    draft.origins.sources = sources.clone();
    draft.origins.watch = report.watch.clone();
    for (index, source) in sources.iter().enumerate() {
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            hide_secret(&mut report, index, source, span.start);
            report.error(
                Some(Place::new(index, span)),
                format!("this is not TOML: {}", error.message()),
                "",
            );
        }
        if errors.is_empty() {
            draft.add(index, &table, &mut report);
        } else {
            broken = true;
            // A table whose header is misspelt may leave its inner tables to its neighbour, which has them twice then.
            // After other mistakes in the syntax nothing is sure enough to be called unknown.
            if errors.iter().all(|error| error.message() == "duplicate key") {
                open(index, &table, &mut draft.origins, &mut report);
            }
        }
    }
    // Without one of the files half of the references would dangle: that file is to be repaired first.
    if !broken {
        report.begin_follow_ups();
        draft.check(&mut report);
    }
    report.sort();
    if report.has_errors() {
        return (None, report);
    }
    (draft.finish(), report)
}

/// A syntax error may show the line of a secret that nothing has recognised as one yet.
fn hide_secret(report: &mut Report, index: usize, source: &Source, offset: usize) {
    let line = source.line(offset);
    if let Some(at) = source.text[line.clone()].find("sha256") {
        report.secret(Place::new(index, line.start + at + "sha256".len()..line.end));
    }
}

/// A file's table, and a reader that has refused what no file has.
fn open<'t, 'i, 'r>(
    source: usize,
    table: &'t Spanned<DeTable<'i>>,
    origins: &'r mut Origins,
    report: &'r mut Report,
) -> (Table<'t, 'i>, Reader<'r>) {
    let table = Table {
        entries: table.get_ref(),
        place: Place::new(source, 0..0),
    };
    let mut reader = Reader {
        report,
        origins,
        path: String::new(),
    };
    reader.refuse_unknown(&table, "the file", &TOP, &[]);
    (table, reader)
}

impl Draft {
    fn add(&mut self, source: usize, table: &Spanned<DeTable<'_>>, report: &mut Report) {
        let (table, mut reader) = open(source, table, &mut self.origins, report);
        if let Some((key, node)) = table.entries.get_key_value("include") {
            if source == 0 {
                // Followed when the files were read; here only its form is looked at.
                let value = Value { node, source };
                reader.within("include".into(), |reader| Vec::<IncludePattern>::read(value, reader));
            } else {
                let place = Place::new(source, key.span());
                reader.report.error(
                    Some(place),
                    "an included file cannot include others",
                    "name them in the main file",
                );
            }
        }
        if let Some((key, node)) = table.entries.get_key_value("application") {
            let key = Place::new(source, key.span());
            if let Some(first) = reader.origins.of("application") {
                let help = format!("the first one is at {first}");
                reader.report.error(Some(key), "there is a second [application]", help);
            } else {
                reader.origins.insert("application".into(), key);
                let value = Value { node, source };
                self.application = reader.within("application".into(), |reader| Application::read(value, reader));
            }
        }
        let declared = &mut self.declared;
        let mut lists = Lists {
            table: &table,
            reader,
            counts: &mut self.counts,
        };
        lists.read("tenant", &mut self.tenants, |entries| {
            declared.tenants.extend(text_of(entries, "name"));
        });
        lists.read("switch", &mut self.switches, |entries| {
            declared.switches.extend(text_of(entries, "name"));
        });
        lists.read("dn", &mut self.dns, |_| {});
        lists.read("script", &mut self.scripts, |entries| {
            declared
                .scripts
                .extend(text_of(entries, "tenant").zip(text_of(entries, "name")));
        });
        lists.read("list", &mut self.lists, |_| {});
        lists.read("api-key", &mut self.api_keys, |_| {});
    }

    fn finish(self) -> Option<Config> {
        fn objects<T>(placed: Vec<Placed<T>>) -> Vec<T> {
            placed.into_iter().map(|placed| placed.object).collect()
        }
        Some(Config {
            application: self.application?,
            tenants: objects(self.tenants),
            switches: objects(self.switches),
            dns: objects(self.dns),
            scripts: objects(self.scripts),
            lists: objects(self.lists),
            api_keys: objects(self.api_keys),
            origins: self.origins,
        })
    }
}

fn text_of(entries: &DeTable<'_>, key: &str) -> Option<String> {
    Some(entries.get(key)?.get_ref().as_str()?.to_owned())
}

/// The lists of objects at the top of one file, such as `[[dn]]`.
struct Lists<'l, 'r, 't, 'i> {
    table: &'l Table<'t, 'i>,
    reader: Reader<'r>,
    /// How many objects of each list the files before this one held: their numbers run on.
    counts: &'l mut BTreeMap<&'static str, usize>,
}

impl Lists<'_, '_, '_, '_> {
    fn read<T: Setting>(&mut self, key: &'static str, into: &mut Vec<Placed<T>>, mut seen: impl FnMut(&DeTable<'_>)) {
        let Some(node) = self.table.entries.get(key) else {
            return;
        };
        let source = self.table.place.source;
        let Some(array) = node.get_ref().as_array() else {
            let message = format!("`{key}` is a list of objects: write [[{key}]], with two brackets");
            self.reader
                .report
                .error(Some(Place::new(source, node.span())), message, "");
            return;
        };
        let count = self.counts.entry(key).or_default();
        for node in array.iter() {
            if let Some(entries) = node.get_ref().as_table() {
                seen(entries);
            }
            let path = format!("{key}[{count}]");
            *count += 1;
            let value = Value { node, source };
            self.reader.origins.insert(path.clone(), value.place());
            if let Some(object) = self.reader.within(path.clone(), |reader| T::read(value, reader)) {
                into.push(Placed { path, object });
            }
        }
    }
}
