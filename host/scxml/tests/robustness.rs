//! Whatever comes in: no panic, and every place that is named lies within its file.

use pointsman_scxml::model::{Position, SourceFile};
use pointsman_scxml::{Diagnostic, MapResolver, Severity, read, render};
use proptest::prelude::*;

/// A document in which every element stands.
const WHOLE: &str = include_str!("whole.scxml");

/// The same of the ORS dialect.
const WHOLE_ORS: &str = include_str!("whole-ors.scxml");

/// What it includes.
const PART: &str = "<scxml xmlns='http://www.w3.org/2005/07/scxml' xmlns:xi='http://www.w3.org/2001/XInclude'>\n<state id='part' \
                    initial='inner'>é<state id='inner'><onentry><log expr='_my_prefix'/><script><xi:include href='a.js' \
                    parse='text'/></script></onentry><transition target='$$_MY_PREFIX_$$.over'/></state><final id='over'/></state></scxml>";

fn assert_within(files: &[SourceFile], at: Position) {
    let text = &files[usize::from(at.file)].text;
    let line = text
        .split('\n')
        .nth(at.line as usize - 1)
        .unwrap_or_else(|| panic!("{at:?} in {text:?}"));
    assert!(
        at.column >= 1 && at.column as usize <= line.chars().count() + 1,
        "{at:?} in {line:?}"
    );
}

/// Every position in the model, however deep; answers how many there are.
fn assert_all_within(files: &[SourceFile], model: &serde_json::Value) -> usize {
    match model {
        serde_json::Value::Object(fields) if fields.contains_key("column") => {
            assert_within(
                files,
                serde_json::from_value(model.clone()).expect("only a position has a column"),
            );
            1
        }
        serde_json::Value::Object(fields) => fields.values().map(|field| assert_all_within(files, field)).sum(),
        serde_json::Value::Array(items) => items.iter().map(|item| assert_all_within(files, item)).sum(),
        _ => 0,
    }
}

fn assert_sound(text: &str) {
    let files = MapResolver::new([
        ("a.js".to_owned(), "é\n<a>".to_owned()),
        ("b.xml".to_owned(), "<b/>".to_owned()),
        ("p.scxml".to_owned(), PART.replace('é', "")),
    ]);
    let (diagnostics, files): (Vec<Diagnostic>, _) = match read("main.scxml", text, &files) {
        Ok((document, warnings)) => {
            assert!(warnings.iter().all(|warning| warning.severity == Severity::Warning));
            let model = serde_json::to_value(&document).expect("a model is plain data");
            assert!(assert_all_within(&document.files, &model) > 0);
            (warnings, document.files)
        }
        Err(errors) => {
            assert!(errors.diagnostics.iter().any(|found| found.severity == Severity::Error));
            (errors.diagnostics, errors.files)
        }
    };
    for diagnostic in &diagnostics {
        assert_within(&files, diagnostic.at);
        assert!(diagnostic.length >= 1);
    }
    let shown = render(&diagnostics, &files);
    assert!(shown.lines().all(|line| line.chars().count() < 1000), "{shown}");
}

#[test]
fn long_names_and_references_are_cut_in_messages() {
    let long = "x".repeat(5000);
    for text in [
        format!("<{long}>"),
        format!("<{long}></y>"),
        format!("</{long}>"),
        format!("<a>&{long};</a>"),
        format!("<a b='&{long};'/>"),
        format!("<{long}:a/>"),
        format!("<scxml xmlns='{long}'/>"),
        format!("<scxml xmlns='http://www.w3.org/2005/07/scxml'><script src='{long}'/><{long}/></scxml>"),
    ] {
        assert_sound(&text);
    }
}

#[test]
fn the_whole_document_is_read() {
    let files = MapResolver::new([
        ("a.js".to_owned(), String::new()),
        ("b.xml".to_owned(), "<b/>".to_owned()),
    ]);
    let (_, warnings) = read("main.scxml", WHOLE, &files).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(warnings, []);
}

#[test]
fn the_whole_document_of_ors_is_read() {
    let files = MapResolver::new([
        ("a.js".to_owned(), String::new()),
        ("p.scxml".to_owned(), PART.replace('é', "")),
    ]);
    let (_, warnings) = read("main.scxml", WHOLE_ORS, &files).unwrap_or_else(|errors| panic!("{errors}"));
    // `timeout` and `hints` of `<send>`.
    let codes: Vec<_> = warnings.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["ignored-attribute"; 2]);
}

#[test]
fn the_whole_document_is_sound_wherever_it_is_cut() {
    for whole in [WHOLE, WHOLE_ORS] {
        for (end, _) in whole.char_indices() {
            assert_sound(&whole[..end]);
        }
    }
}

#[test]
fn what_is_included_is_sound_wherever_it_is_cut() {
    for (end, _) in PART.char_indices() {
        let files = MapResolver::new([
            ("a.js".to_owned(), "é".to_owned()),
            ("p.scxml".to_owned(), PART[..end].to_owned()),
        ]);
        if let Err(errors) = read("main.scxml", WHOLE_ORS, &files) {
            errors
                .diagnostics
                .iter()
                .for_each(|found| assert_within(&errors.files, found.at));
        }
    }
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[<>&;'\"=/! \\[\\]?:$é\u{1F600}\r\n\t-]{1,6}",
        "</?(state|parallel|final|history|if|else|data|send|script|content|x:y)( id='[abc]'| target='[abc ]{1,4}')? ?/?>",
        "<xi:include href='(p.scxml|a.js|b.xml|main.scxml|)'( parse='text'| xpointer='part'| resolveid='[ab$]')?/>",
        Just("<!--".to_owned()),
        Just("]]>".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("\u{FEFF}".to_owned()),
        Just("&#x1F600;".to_owned()),
        any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        assert_sound(&text);
    }

    #[test]
    fn any_body_is_read_or_refused(pieces in prop::collection::vec(piece(), 0..24)) {
        assert_sound(&format!("<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0'>{}</scxml>", pieces.concat()));
        let head = "<scxml xmlns='http://www.w3.org/2005/07/scxml' xmlns:xi='http://www.w3.org/2001/XInclude'>";
        assert_sound(&format!("{head}{}</scxml>", pieces.concat()));
    }

    #[test]
    fn a_document_changed_anywhere_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, piece()), 1..6),
        ors in any::<bool>(),
    ) {
        let mut text: Vec<char> = if ors { WHOLE_ORS } else { WHOLE }.chars().collect();
        for (place, removed, piece) in changes {
            let start = place.index(text.len() + 1);
            let end = (start + removed).min(text.len());
            text.splice(start..end, piece.chars());
        }
        assert_sound(&text.into_iter().collect::<String>());
    }
}
