//! What each code means, for lists of rules.

use pointsman_scxml::lint;

/// A kind of finding.
pub(super) struct Rule {
    pub code: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// More of it.
    pub explanation: Option<&'static str>,
}

/// The rule with this code. A code that is not in the table describes itself.
pub(super) fn of(code: &'static str) -> Rule {
    if let Some(rule) = lint::RULES.iter().find(|rule| rule.code == code) {
        return Rule {
            code,
            summary: rule.summary,
            explanation: Some(rule.explanation),
        };
    }
    let known = DOCUMENT.iter().find(|(known, _)| *known == code);
    Rule {
        code,
        summary: known.map_or(code, |(_, summary)| summary),
        explanation: None,
    }
}

/// What the reader and the compiler find.
const DOCUMENT: &[(&str, &str)] = &[
    (
        "conditional-default",
        "The transition of an `initial` or `history` is taken always.",
    ),
    ("conflicting-attributes", "Two attributes exclude each other."),
    ("conflicting-content", "Two forms of content exclude each other."),
    ("conflicting-initial", "The initial state is given twice."),
    ("delayed-internal-event", "Internal events are not delayed."),
    ("dtd-refused", "Document type declarations are not read."),
    ("duplicate-attribute", "An attribute is given twice."),
    ("duplicate-data", "Two `data` elements are one variable."),
    ("duplicate-element", "An element may stand here only once."),
    ("duplicate-id", "Two states have the same id."),
    ("empty-attribute", "An attribute is given and empty."),
    ("empty-parallel", "A `parallel` needs child states."),
    (
        "foreign-element",
        "An element of a namespace that is not known is skipped.",
    ),
    (
        "history-names-history",
        "The default of a history is a history of the same state.",
    ),
    (
        "history-target",
        "The default of a history is not in the state whose history it is.",
    ),
    ("ignored-attribute", "The attribute has no effect in this version."),
    ("illegal-character", "XML does not allow this character."),
    ("illegal-targets", "These targets cannot be active together."),
    ("include-cycle", "An included text includes itself."),
    ("initial-not-descendant", "The initial state is not inside the state."),
    (
        "initial-of-atomic-state",
        "A state without child states has no initial state.",
    ),
    ("invalid-expression", "An expression or script is not valid ECMAScript."),
    ("invalid-id", "This cannot be an id."),
    ("invalid-value", "This is not a value of the attribute."),
    ("less-than-in-attribute", "A `<` in an attribute is written `&lt;`."),
    ("malformed-delay", "This is not a delay."),
    ("malformed-xml", "The document is not well-formed XML."),
    ("mismatched-end-tag", "An end tag closes nothing, or something else."),
    ("misplaced-branch", "Nothing follows `else` in an `if`."),
    ("misplaced-element", "The element may not stand here."),
    ("missing-attribute", "An attribute that is needed is not there."),
    (
        "missing-transition",
        "A default needs a transition that names its target.",
    ),
    ("missing-version", "The document should say its version."),
    ("needs-datamodel", "This has no meaning in the null datamodel."),
    ("nested-too-deeply", "Elements nest too deeply."),
    ("no-states", "The document has no states."),
    ("not-an-entry", "The document is made to be included in another one."),
    ("not-scxml", "The root element is not `scxml` of SCXML's namespace."),
    ("too-large", "The document is too large."),
    ("too-many-attributes", "An element has too many attributes."),
    ("too-many-elements", "The document has too many elements."),
    ("too-many-includes", "The document includes too often."),
    ("too-many-states", "The document has too many states."),
    ("unclosed-element", "An element is not closed."),
    ("unexpected-text", "Text may not stand here."),
    ("unknown-attribute", "The element has no such attribute."),
    ("unknown-element", "SCXML has no such element."),
    ("unknown-entity", "XML does not know this reference."),
    ("unknown-pointer", "An included document has no such element."),
    ("unknown-prefix", "The prefix is bound to no namespace."),
    ("unknown-target", "There is no such state."),
    ("unknown-value", "The attribute has no such value that is known."),
    ("unreadable-src", "A file that the document names cannot be read."),
    ("unsupported", "This version cannot run it."),
    ("useless-history", "A history has nothing to remember."),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = Rule> {
        let documents = DOCUMENT.iter().map(|(code, _)| *code);
        documents.chain(lint::RULES.iter().map(|rule| rule.code)).map(of)
    }

    #[test]
    fn every_code_is_described_by_one_sentence_and_once() {
        let mut codes: Vec<&str> = all().map(|rule| rule.code).collect();
        assert!(all().all(|rule| rule.summary.ends_with('.')));
        codes.sort_unstable();
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn an_unknown_code_describes_itself() {
        assert_eq!(of("something-new").summary, "something-new");
    }
}
