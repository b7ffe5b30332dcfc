//! What the author of a refused document reads, word for word.

use pointsman_scxml::{Errors, MapResolver, NoFiles, Severity, read, render};

const HEAD: &str = "<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0'>";

/// Each line of `body` stands on its own line of the document, from line 2.
fn errors(body: &str) -> Errors {
    match read("main.scxml", &format!("{HEAD}\n{body}\n</scxml>"), &NoFiles) {
        Ok(_) => panic!("this document was read: {body}"),
        Err(errors) => errors,
    }
}

fn assert_shown(body: &str, expected: &str) {
    assert_eq!(errors(body).to_string(), expected.trim_start());
}

#[test]
fn an_unknown_target_is_shown_with_the_nearest_id() {
    assert_shown(
        "<state id='waiting'/>\n<state id='b'>\n  <transition event='e' target='waitng'/>\n</state>",
        "
error[unknown-target]: there is no state `waitng`
 --> main.scxml:4:33
  |
4 |   <transition event='e' target='waitng'/>
  |                                 ^^^^^^
  = help: did you mean `waiting`?
",
    );
}

#[test]
fn the_second_of_two_equal_ids_is_shown() {
    assert_shown(
        "<state id='a'/>\n<final id='a'/>",
        "
error[duplicate-id]: two states have the id `a`
 --> main.scxml:3:12
  |
3 | <final id='a'/>
  |            ^
  = help: the first is on line 2
",
    );
}

#[test]
fn a_misspelt_element_is_shown_with_the_element_meant() {
    assert_shown(
        "<state><onentyr/></state>",
        "
error[unknown-element]: SCXML has no element `<onentyr>`
 --> main.scxml:2:8
  |
2 | <state><onentyr/></state>
  |        ^^^^^^^^
  = help: did you mean `onentry`?
",
    );
}

#[test]
fn executable_content_outside_of_a_handler_is_shown_with_where_it_belongs() {
    assert_shown(
        "<state><log/></state>",
        "
error[misplaced-element]: `<log>` may not stand in `<state>`
 --> main.scxml:2:8
  |
2 | <state><log/></state>
  |        ^^^^
  = help: put it in `<onentry>`, `<onexit>` or a `<transition>`
",
    );
}

#[test]
fn a_final_has_no_transitions() {
    assert_shown(
        "<final><transition target='x'/></final>",
        "
error[misplaced-element]: `<transition>` may not stand in `<final>`
 --> main.scxml:2:8
  |
2 | <final><transition target='x'/></final>
  |        ^^^^^^^^^^^
  = help: in `<final>` may stand `onentry`, `onexit` or `donedata`
",
    );
}

#[test]
fn targets_that_exclude_each_other_are_shown() {
    assert_shown(
        "<state id='a'/>\n<state id='b'><transition target='a b'/></state>",
        "
error[illegal-targets]: `a` and `b` cannot be active together
 --> main.scxml:3:37
  |
3 | <state id='b'><transition target='a b'/></state>
  |                                     ^
  = help: several targets must be in different regions of a `<parallel>`
",
    );
}

#[test]
fn a_missing_attribute_is_shown_with_the_one_that_was_probably_meant() {
    assert_shown(
        "<state><onentry><raise evnt='x'/></onentry></state>",
        "
error[missing-attribute]: `<raise>` needs the attribute `event`
 --> main.scxml:2:17
  |
2 | <state><onentry><raise evnt='x'/></onentry></state>
  |                 ^^^^^^
  = help: is `evnt` meant to be `event`?

warning[unknown-attribute]: `<raise>` has no attribute `evnt`: it is ignored
 --> main.scxml:2:24
  |
2 | <state><onentry><raise evnt='x'/></onentry></state>
  |                        ^^^^
  = help: did you mean `event`?
",
    );
}

#[test]
fn a_document_type_declaration_is_refused() {
    let text = "<!DOCTYPE scxml [<!ENTITY a 'aaaa'>]>\n<scxml>&a;</scxml>";
    let errors = read("main.scxml", text, &NoFiles).unwrap_err();
    let expected = "\
error[dtd-refused]: a document type declaration is not read
 --> main.scxml:1:1
  |
1 | <!DOCTYPE scxml [<!ENTITY a 'aaaa'>]>
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = help: remove `<!DOCTYPE ...>`; entities other than the five of XML cannot be declared
";
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn a_wrong_end_tag_is_shown_with_the_start_tag_it_does_not_fit() {
    assert_shown(
        "<state>\n  <onentry>\n</state>",
        "
error[mismatched-end-tag]: `</state>` closes nothing: `<onentry>` is open here
 --> main.scxml:4:1
  |
4 | </state>
  | ^^^^^^^^
  = help: `<onentry>` was opened on line 3
",
    );
}

#[test]
fn a_less_than_sign_in_a_condition_is_shown_with_how_to_write_it() {
    assert_shown(
        "<state><transition cond=\"a < b\"/></state>",
        "
error[less-than-in-attribute]: `<` may not stand in an attribute value
 --> main.scxml:2:28
  |
2 | <state><transition cond=\"a < b\"/></state>
  |                            ^
  = help: write `&lt;`; if the value ends earlier, a quote is missing before this
",
    );
}

#[test]
fn an_unknown_entity_is_shown_also_inside_of_a_value() {
    assert_shown(
        "<state><transition cond='a &amp;&amp; b &and; c'/></state>",
        "
error[unknown-entity]: `&and;` is not a reference that XML knows
 --> main.scxml:2:41
  |
2 | <state><transition cond='a &amp;&amp; b &and; c'/></state>
  |                                         ^^^^
  = help: there are &amp; &lt; &gt; &quot; &apos; and &#number;; for `&` itself write `&amp;`
",
    );
}

#[test]
fn text_where_a_script_was_meant_is_shown() {
    assert_shown(
        "<state><onentry>\n  x = 1;\n</onentry></state>",
        "
error[unexpected-text]: text may not stand in `<onentry>`: `x = 1;`
 --> main.scxml:3:3
  |
3 |   x = 1;
  |   ^^^^^^
  = help: a script stands in `<script>`
",
    );
}

#[test]
fn a_file_that_is_not_there_is_shown_with_what_was_looked_for() {
    let text = format!("{HEAD}\n<script src='lib/a.js'/><final/></scxml>");
    let errors = read("strategies/main.scxml", &text, &MapResolver::default()).unwrap_err();
    let expected = "\
error[unreadable-src]: cannot read `lib/a.js`: there is no `strategies/lib/a.js`
 --> strategies/main.scxml:2:14
  |
2 | <script src='lib/a.js'/><final/></scxml>
  |              ^^^^^^^^
  = help: the path is relative to the file that names it
";
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn warnings_leave_the_document_readable_and_are_shown_alike() {
    let text = "<scxml xmlns='http://www.w3.org/2005/07/scxml' xmlns:x='urn:x'>\n\
                <state x:y='1' ide='a'><x:note>any</x:note><onentry><send event='e' delay='5'/></onentry></state></scxml>";
    let (document, warnings) = read("main.scxml", text, &NoFiles).unwrap();
    assert!(warnings.iter().all(|warning| warning.severity == Severity::Warning));
    let expected = "\
warning[missing-version]: `<scxml>` should say its version
 --> main.scxml:1:1
  |
1 | <scxml xmlns='http://www.w3.org/2005/07/scxml' xmlns:x='urn:x'>
  | ^^^^^^
  = help: write version=\"1.0\"

warning[unknown-attribute]: `<state>` has no attribute `ide`: it is ignored
 --> main.scxml:2:16
  |
2 | <state x:y='1' ide='a'><x:note>any</x:note><onentry><send event='e' delay='5'/></onentry></state></scxml>
  |                ^^^
  = help: did you mean `id`?

warning[foreign-element]: `<note>` belongs to `urn:x`, which is not known: it is skipped
 --> main.scxml:2:24
  |
2 | <state x:y='1' ide='a'><x:note>any</x:note><onentry><send event='e' delay='5'/></onentry></state></scxml>
  |                        ^^^^^^^

warning[malformed-delay]: `5` is not a delay: error.execution is raised when it is reached
 --> main.scxml:2:76
  |
2 | <state x:y='1' ide='a'><x:note>any</x:note><onentry><send event='e' delay='5'/></onentry></state></scxml>
  |                                                                            ^
  = help: write a number and a unit, such as `1.5s` or `200ms`; an expression stands in `delayexpr`
";
    assert_eq!(render(&warnings, &document.files), expected);
}
