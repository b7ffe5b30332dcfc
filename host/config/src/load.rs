//! Reading configuration files: through a capability for one directory, and in bounded amounts.

use crate::names::relative;
use crate::report::Report;
use crate::setting::{FromText, text_setting};
use crate::source::{Place, Source};
use cap_std::fs::Dir;
use std::fmt;
use std::io::{self, Read as _};
use std::path::Path;
use toml::de::DeTable;

/// The largest configuration file, in bytes: about 100,000 DNs.
pub const MAX_FILE_BYTES: u64 = 16 << 20;
/// The most files of one configuration.
pub const MAX_FILES: usize = 1_000;

/// An entry of `include`: a path below the directory, with `*` for any characters in its last segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IncludePattern(String);

impl FromText for IncludePattern {
    const EXPECTED: &'static str = "paths of files to include, such as \"tenants/*.toml\"";

    fn from_text(text: &str) -> Result<Self, (String, String)> {
        let shown: String = text.chars().take(64).collect();
        if !relative(text) {
            let help = "write it relative, with `/`, without `..`: files outside of the configuration's directory are out \
                        of reach";
            return Err((
                format!("`{shown}` is not a path below the configuration's directory"),
                help.into(),
            ));
        }
        if text
            .rsplit_once('/')
            .is_some_and(|(directory, _)| directory.contains('*'))
        {
            return Err((
                format!("`{shown}` has a `*` before its last `/`"),
                "name the directory".into(),
            ));
        }
        Ok(IncludePattern(text.into()))
    }
}

impl fmt::Display for IncludePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_setting!(IncludePattern);

/// The main file and those that it includes: in the order of its `include`, within a pattern by name.
pub(crate) fn read(dir: &Dir, file: &Path, report: &mut Report) -> Vec<Source> {
    let mut sources = Vec::new();
    report.watch.push(file.display().to_string());
    match read_file(dir, file) {
        Ok(text) => sources.push(Source::new(file.display().to_string(), text)),
        Err(error) => {
            report.error(None, format!("cannot read {}: {error}", file.display()), help(&error));
            return sources;
        }
    }
    let text = sources[0].text.clone();
    // A main file with broken syntax, or with a malformed `include`, is reported when it is read for what it holds.
    let Ok(table) = DeTable::parse(&text) else {
        return sources;
    };
    let patterns = table
        .get_ref()
        .get("include")
        .and_then(|value| value.get_ref().as_array());
    for node in patterns.into_iter().flat_map(|array| array.iter()) {
        let Some(Ok(pattern)) = node.get_ref().as_str().map(IncludePattern::from_text) else {
            continue;
        };
        let place = Some(Place::new(0, node.span()));
        // Its folder, too: a file that is to be included may come later.
        watch(report, pattern.0.rsplit_once('/').map_or(".", |(folder, _)| folder));
        let names = match matching(dir, &pattern.0) {
            Ok(names) => names,
            Err(error) => {
                report.error(place, format!("cannot read {pattern}: {error}"), help(&error));
                continue;
            }
        };
        if names.is_empty() {
            report.warning(place.clone(), format!("no file matches {pattern}"), "");
        }
        for name in names {
            if sources.iter().any(|source| source.name == name) {
                continue;
            }
            if sources.len() == MAX_FILES {
                report.error(
                    place,
                    format!("more than {MAX_FILES} files"),
                    "put several objects into one file",
                );
                return sources;
            }
            watch(report, &name);
            match read_file(dir, Path::new(&name)) {
                Ok(text) => sources.push(Source::new(name, text)),
                Err(error) => report.error(place.clone(), format!("cannot read {name}: {error}"), help(&error)),
            }
        }
    }
    sources
}

fn watch(report: &mut Report, name: &str) {
    if !report.watch.iter().any(|seen| seen == name) {
        report.watch.push(name.to_owned());
    }
}

fn help(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the name; it is relative to the configuration's directory",
        io::ErrorKind::PermissionDenied => {
            "the server's user needs the right to read it, and it must lie in the configuration's directory: a symbolic \
             link that leads out is not followed"
        }
        _ => "",
    }
}

fn read_file(dir: &Dir, path: &Path) -> io::Result<String> {
    // Looked at before it is opened: opening a named pipe would wait for a writer.
    if !dir.metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut text = String::new();
    dir.open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {MAX_FILE_BYTES} bytes"),
        ));
    }
    Ok(text)
}

/// The files that a pattern means, ordered by name.
fn matching(dir: &Dir, pattern: &str) -> io::Result<Vec<String>> {
    if !pattern.contains('*') {
        return Ok(vec![pattern.to_owned()]);
    }
    let (directory, pattern) = pattern.rsplit_once('/').unwrap_or((".", pattern));
    let mut names = Vec::new();
    for entry in dir.read_dir(directory)? {
        // A name that is not UTF-8 matches nothing that TOML can say.
        let Ok(name) = entry?.file_name().into_string() else {
            continue;
        };
        if matches(pattern, &name) && !name.starts_with('.') {
            names.push(if directory == "." {
                name
            } else {
                format!("{directory}/{name}")
            });
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a name matches a pattern in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return name.ends_with(piece);
        }
        // The leftmost place leaves the most room for what follows.
        let Some(at) = name.find(piece) else { return false };
        name = &name[at + piece.len()..];
    }
    true
}
