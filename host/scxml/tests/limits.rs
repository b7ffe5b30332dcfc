//! Each bound holds at its edge: the last document within it is read, the first beyond it is refused by name.

use pointsman_scxml::limits::{
    MAX_ATTRIBUTES, MAX_DEPTH, MAX_DIAGNOSTICS, MAX_ELEMENTS, MAX_FILE_BYTES, MAX_FILES, MAX_STATES,
};
use pointsman_scxml::{MapResolver, NoFiles, read};

fn document(body: &str) -> String {
    format!("<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0'>{body}</scxml>")
}

fn codes(text: &str) -> Vec<&'static str> {
    match read("a", text, &NoFiles) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.diagnostics.iter().map(|diagnostic| diagnostic.code).collect(),
    }
}

#[test]
fn states_nest_as_deep_as_the_bound_says() {
    let nested = |depth: usize| document(&format!("{}{}", "<state>".repeat(depth), "</state>".repeat(depth)));
    // The root element is the first level.
    assert_eq!(codes(&nested(MAX_DEPTH - 1)), [""; 0]);
    assert_eq!(codes(&nested(MAX_DEPTH)), ["nested-too-deeply"]);
}

#[test]
fn conditions_nest_as_deep_as_the_bound_says() {
    let nested = |depth: usize| {
        let branches = format!("{}{}", "<if cond='1'>".repeat(depth), "</if>".repeat(depth));
        document(&format!("<state><onentry>{branches}</onentry></state>"))
    };
    assert_eq!(codes(&nested(MAX_DEPTH - 3)), [""; 0]);
    assert_eq!(codes(&nested(MAX_DEPTH - 2)), ["nested-too-deeply"]);
}

#[test]
fn the_number_of_states_is_bounded() {
    assert_eq!(codes(&document(&"<final/>".repeat(MAX_STATES))), [""; 0]);
    let errors = codes(&document(&"<final/>".repeat(MAX_STATES + 1)));
    assert_eq!(errors, ["too-many-states"]);
}

#[test]
fn the_number_of_elements_is_bounded() {
    // Beside the logs there are the root, the state and its handler.
    let logs = |count: usize| document(&format!("<state><onentry>{}</onentry></state>", "<log/>".repeat(count)));
    assert_eq!(codes(&logs(MAX_ELEMENTS - 3)), [""; 0]);
    assert_eq!(codes(&logs(MAX_ELEMENTS - 2)), ["too-many-elements"]);
}

#[test]
fn the_number_of_attributes_is_bounded() {
    let element = |count: usize| {
        let attributes: Vec<String> = (0..count).map(|number| format!("x:a{number}=''")).collect();
        document(&format!("<final xmlns:x='urn:x' {}/>", attributes.join(" ")))
    };
    // The namespace declaration is one of them.
    assert_eq!(codes(&element(MAX_ATTRIBUTES - 1)), [""; 0]);
    assert_eq!(codes(&element(MAX_ATTRIBUTES)), ["too-many-attributes"]);
}

#[test]
fn the_size_of_a_document_is_bounded() {
    let sized = |bytes: usize| {
        let text = document("<final/>");
        format!("{text}{}", " ".repeat(bytes - text.len()))
    };
    assert_eq!(codes(&sized(MAX_FILE_BYTES)), [""; 0]);
    assert_eq!(codes(&sized(MAX_FILE_BYTES + 1)), ["too-large"]);
}

#[test]
fn the_number_and_the_size_of_files_are_bounded() {
    let named = |count: usize| {
        let scripts: String = (0..count)
            .map(|number| format!("<script src='{number}.js'/>"))
            .collect();
        document(&format!("{scripts}<final/>"))
    };
    let files = MapResolver::new((0..MAX_FILES).map(|number| (format!("{number}.js"), String::new())));
    assert!(read("a", &named(MAX_FILES - 1), &files).is_ok());
    let errors = read("a", &named(MAX_FILES), &files).unwrap_err();
    assert_eq!(errors.diagnostics.len(), 1, "{errors}");
    assert!(errors.diagnostics[0].message.contains("at most 500 files"), "{errors}");

    let big = MapResolver::new([("0.js".to_owned(), " ".repeat(MAX_FILE_BYTES + 1))]);
    let errors = read("a", &named(1), &big).unwrap_err();
    assert!(
        errors.diagnostics[0].message.contains("larger than 4194304 bytes"),
        "{errors}"
    );
}

#[test]
fn a_file_named_again_and_again_counts_each_time() {
    let files = MapResolver::new([("a.js".to_owned(), " ".repeat(MAX_FILE_BYTES))]);
    let named = |count: usize| document(&format!("{}<final/>", "<script src='a.js'/>".repeat(count)));
    assert!(read("a", &named(4), &files).is_ok());
    let errors = read("a", &named(5), &files).unwrap_err();
    assert!(
        errors.diagnostics[0].message.contains("16777216 bytes together"),
        "{errors}"
    );
}

#[test]
fn errors_beyond_the_bound_are_counted() {
    let errors = read("a", &document(&"<nonsense/>".repeat(MAX_DIAGNOSTICS + 5)), &NoFiles).unwrap_err();
    // The five, and that there are no states.
    assert_eq!((errors.diagnostics.len(), errors.omitted), (MAX_DIAGNOSTICS, 6));
}

#[test]
fn more_than_a_hundred_references_in_a_value_are_read() {
    let text = document(&format!("<state><transition cond='{}'/></state>", "&amp;".repeat(1000)));
    let (document, _) = read("a", &text, &NoFiles).unwrap();
    assert_eq!(
        document.states[0].transitions[0].cond.as_ref().unwrap().text,
        "&".repeat(1000)
    );
}
