//! Findings as SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format), which editors and code hosts read.
//!
//! One run for all files. Columns are counted in characters, as everywhere here, and the run says so (`columnKind`, 3.14.27).
//! Only the rules that have found something are listed (3.19.23).

use super::{Findings, rules};
use pointsman_scxml::{Diagnostic, Severity};
use serde_json::{Value, json as object};
use std::collections::BTreeMap;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The log of one run over these files.
pub(super) fn log(checked: &[Findings]) -> Value {
    let all = || checked.iter().flat_map(|of_file| &of_file.diagnostics);
    let mut numbers: BTreeMap<&'static str, usize> = all().map(|found| (found.code, 0)).collect();
    numbers
        .values_mut()
        .enumerate()
        .for_each(|(place, number)| *number = place);
    let rules: Vec<Value> = numbers.keys().map(|code| rule(code)).collect();
    let results: Vec<Value> = checked
        .iter()
        .flat_map(|of_file| of_file.diagnostics.iter().map(move |found| (of_file, found)))
        .map(|(of_file, found)| result(of_file, found, numbers[found.code]))
        .collect();
    object!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "pointsman check",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &'static str) -> Value {
    let rule = rules::of(code);
    let mut value = object!({ "id": rule.code, "shortDescription": { "text": rule.summary } });
    if let Some(explanation) = rule.explanation {
        value["fullDescription"] = object!({ "text": format!("{} {explanation}", rule.summary) });
        let how = format!("{explanation} To allow it, write `<!-- pointsman:allow({code}) -->` before the element.");
        value["help"] = object!({ "text": how });
    }
    value
}

fn result(of_file: &Findings, found: &Diagnostic, number: usize) -> Value {
    let level = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let text = match &found.hint {
        Some(hint) => format!("{}\nhelp: {hint}", found.message),
        None => found.message.clone(),
    };
    let file = of_file.files.get(usize::from(found.at.file));
    let uri = uri(file.map_or("", |file| file.url.as_str()));
    object!({
        "ruleId": found.code,
        "ruleIndex": number,
        "level": level,
        "message": { "text": text },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri },
            "region": {
                "startLine": found.at.line,
                "startColumn": found.at.column,
                "endColumn": found.at.column.saturating_add(found.length),
            },
        }}],
    })
}

/// A path as a URI reference (RFC 3986): what has no meaning of its own there is percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    if path.starts_with('/') {
        uri.push_str("file://");
    } else if path.split('/').next().is_some_and(|first| first.contains(':')) {
        // Else it would read as a scheme (section 4.2).
        uri.push_str("./");
    }
    for byte in path.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/:@!$&'()*+,;=".contains(&byte);
        if plain {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uri_references() {
        for (path, expected) in [
            ("strategies/vip/vip.scxml", "strategies/vip/vip.scxml"),
            ("/tmp/a b%.scxml", "file:///tmp/a%20b%25.scxml"),
            ("é#?.scxml", "%C3%A9%23%3F.scxml"),
            ("a:b.scxml", "./a:b.scxml"),
            ("../a.scxml", "../a.scxml"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
