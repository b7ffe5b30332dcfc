//! Documents that are refused, by the code of each error.

use pointsman_scxml::{Errors, NoFiles, Severity, read};

const HEAD: &str = "<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0'>";

/// Each line of `body` stands on its own line of the document, from line 2.
fn errors(body: &str) -> Errors {
    match read("main.scxml", &format!("{HEAD}\n{body}\n</scxml>"), &NoFiles) {
        Ok(_) => panic!("this document was read: {body}"),
        Err(errors) => errors,
    }
}

fn codes(body: &str) -> Vec<&'static str> {
    let errors = errors(body);
    errors
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .map(|found| found.code)
        .collect()
}

fn codes_of(text: &str) -> Vec<&'static str> {
    let errors = read("main.scxml", text, &NoFiles).expect_err("the document is wrong");
    errors.diagnostics.iter().map(|found| found.code).collect()
}

#[test]
fn all_errors_are_reported_at_once_in_the_order_of_their_places() {
    let found = codes("<state id='a' initial='zzz'/>\n<state id='a'><onexit><cancel/></onexit></state>\n<stat/>");
    assert_eq!(
        found,
        [
            "initial-of-atomic-state",
            "duplicate-id",
            "missing-attribute",
            "unknown-element"
        ]
    );
}

#[test]
fn each_rule_of_the_standard_is_kept() {
    let table: &[(&str, &[&str])] = &[
        // 3.2 scxml
        ("", &["no-states"]),
        ("<log/><final/>", &["misplaced-element"]),
        ("<history/><final/>", &["misplaced-element"]),
        // 3.3 state
        ("<state id=''/>", &["invalid-id"]),
        ("<state id='a b'/>", &["invalid-id"]),
        ("<state id='$1'/>", &["invalid-id"]),
        ("<state initial=' '><final/></state>", &["empty-attribute"]),
        (
            "<state id='a' initial='a'><final/></state>",
            &["initial-not-descendant"],
        ),
        (
            "<state initial='f'><final/></state><final id='f'/>",
            &["initial-not-descendant"],
        ),
        (
            "<state initial='f'><initial><transition target='f'/></initial><final id='f'/></state>",
            &["conflicting-initial"],
        ),
        // 3.4 parallel
        ("<parallel/>", &["empty-parallel"]),
        (
            "<parallel><final/></parallel>",
            &["empty-parallel", "misplaced-element"],
        ),
        (
            "<parallel><initial/></parallel>",
            &["empty-parallel", "misplaced-element"],
        ),
        // 3.5 transition
        ("<state><transition/></state>", &["missing-attribute"]),
        ("<state><transition event=' '/></state>", &["empty-attribute"]),
        ("<state><transition event='e' target=''/></state>", &["empty-attribute"]),
        (
            "<state><transition event='e' type='inner'/></state>",
            &["invalid-value"],
        ),
        (
            "<parallel><state id='a'/><transition event='e' target='a a'/></parallel>",
            &["illegal-targets"],
        ),
        (
            "<parallel id='p'><state id='a'/><state id='b'/><transition event='e' target='a p'/></parallel>",
            &["illegal-targets"],
        ),
        (
            "<parallel><history id='h'><transition target='a b'/></history><state id='a'/><state id='b'/>\
             <transition event='e' target='h b'/></parallel>",
            &["illegal-targets"],
        ),
        // 3.6 initial
        ("<state><initial/><final/></state>", &["missing-transition"]),
        (
            "<state><initial><transition event='e' target='f'/></initial><final id='f'/></state>",
            &["conditional-default"],
        ),
        (
            "<state><initial><transition cond='true'/></initial><final/></state>",
            &["missing-attribute", "conditional-default"],
        ),
        // 3.7 final
        ("<final><state/></final>", &["misplaced-element"]),
        ("<final><donedata/><donedata/></final>", &["duplicate-element"]),
        // 3.10 history
        ("<state><history id='h'/><final/></state>", &["missing-transition"]),
        (
            "<state><history><transition target='b'/></history><state><state id='b'/></state></state>",
            &["history-target"],
        ),
        (
            "<state><history type='deep'><transition target='b'/></history><final/></state><final id='b'/>",
            &["history-target"],
        ),
        (
            "<state><history id='g'><transition target='h'/></history>\
             <history id='h'><transition target='f'/></history><final id='f'/></state>",
            &["history-names-history"],
        ),
        (
            "<state id='a'><history type='deep'><transition target='a'/></history></state>",
            &["useless-history", "history-target"],
        ),
        // 4 executable content
        ("<state><onentry><else/></onentry></state>", &["misplaced-element"]),
        (
            "<state><onentry><if cond='a'><else/><elseif cond='b'/></if></onentry></state>",
            &["misplaced-branch"],
        ),
        (
            "<state><onentry><if cond='a'><else/><else/></if></onentry></state>",
            &["misplaced-branch"],
        ),
        ("<state><onentry><if/></onentry></state>", &["missing-attribute"]),
        (
            "<state><onentry><if cond='a'><elseif/></if></onentry></state>",
            &["missing-attribute"],
        ),
        (
            "<state><onentry><foreach/></onentry></state>",
            &["missing-attribute", "missing-attribute"],
        ),
        (
            "<state><onentry><raise event=' '/></onentry></state>",
            &["empty-attribute"],
        ),
        ("<state><onentry><log level='9'/></onentry></state>", &["invalid-value"]),
        (
            "<state><onentry><script>a<b/></script></onentry></state>",
            &["unknown-element"],
        ),
        // 5 data
        ("<datamodel><data/></datamodel><final/>", &["missing-attribute"]),
        (
            "<datamodel><data id='a' expr='1'>2</data></datamodel><final/>",
            &["conflicting-content"],
        ),
        (
            "<datamodel><data id='a' expr='1' src='a'/></datamodel><final/>",
            &["conflicting-attributes", "unreadable-src"],
        ),
        (
            "<state><onentry><assign location='a'/></onentry></state>",
            &["missing-attribute"],
        ),
        (
            "<state><onentry><assign location='a' expr='1'><b/></assign></onentry></state>",
            &["conflicting-content"],
        ),
        (
            "<final><donedata><content/><param name='a' expr='1'/></donedata></final>",
            &["conflicting-content"],
        ),
        (
            "<final><donedata><param name='a'/></donedata></final>",
            &["missing-attribute"],
        ),
        (
            "<final><donedata><param name='a' expr='1' location='b'/></donedata></final>",
            &["conflicting-attributes"],
        ),
        // 6 send and cancel
        ("<state><onentry><send/></onentry></state>", &["missing-attribute"]),
        (
            "<state><onentry><send event='e' eventexpr='e'/></onentry></state>",
            &["conflicting-attributes"],
        ),
        (
            "<state><onentry><send event='e' target='t' targetexpr='t'/></onentry></state>",
            &["conflicting-attributes"],
        ),
        (
            "<state><onentry><send event='e' type='t' typeexpr='t'/></onentry></state>",
            &["conflicting-attributes"],
        ),
        (
            "<state><onentry><send event='e' id='i' idlocation='i'/></onentry></state>",
            &["conflicting-attributes"],
        ),
        (
            "<state><onentry><send event='e' delay='1s' delayexpr='d'/></onentry></state>",
            &["conflicting-attributes"],
        ),
        (
            "<state><onentry><send event='e' namelist='a'><content/></send></onentry></state>",
            &["conflicting-content"],
        ),
        (
            "<state><onentry><send event='e' delay='1s' target='#_internal'/></onentry></state>",
            &["delayed-internal-event"],
        ),
        ("<state><onentry><cancel/></onentry></state>", &["missing-attribute"]),
        (
            "<state><onentry><cancel sendid='a' sendidexpr='a'/></onentry></state>",
            &["conflicting-attributes"],
        ),
        // functional modules
        (
            "<state><q:submit xmlns:q='www.genesyslab.com/modules/queue'/></state>",
            &["misplaced-element"],
        ),
        (
            "<state><onentry><q:submit xmlns:q='www.genesyslab.com/modules/queue'><log/></q:submit></onentry></state>",
            &["misplaced-element"],
        ),
    ];
    for (body, expected) in table {
        assert_eq!(codes(body), *expected, "{body}\n{}", errors(body));
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    let table: &[(&str, &str)] = &[
        ("", "malformed-xml"),
        ("hello", "malformed-xml"),
        ("<scxml", "malformed-xml"),
        ("<scxml>", "unclosed-element"),
        ("</scxml>", "mismatched-end-tag"),
        ("<scxml/><scxml/>", "malformed-xml"),
        ("<scxml/>more", "malformed-xml"),
        ("<scxml a/>", "malformed-xml"),
        ("<scxml a=b/>", "malformed-xml"),
        ("<scxml a='1' a='2'/>", "duplicate-attribute"),
        ("<scxml a='&#0;'/>", "unknown-entity"),
        ("<scxml a='&#1;'/>", "illegal-character"),
        ("<scxml>&#1;</scxml>", "illegal-character"),
        ("<scxml>\u{1}</scxml>", "illegal-character"),
        ("<scxml>&bomb;</scxml>", "unknown-entity"),
        ("<scxml>a & b</scxml>", "unknown-entity"),
        ("<scxml a='a & b'/>", "unknown-entity"),
        ("<x:scxml/>", "unknown-prefix"),
        ("<scxml x:a=''/>", "unknown-prefix"),
        ("<scxml><![CDATA[</scxml>", "malformed-xml"),
    ];
    for (text, code) in table {
        assert_eq!(codes_of(text), [*code], "{text}");
    }
}

#[test]
fn what_is_not_scxml_is_refused() {
    let namespace = "xmlns='http://www.w3.org/2005/07/scxml'";
    assert_eq!(codes_of("<scxml version='1.0'><final/></scxml>"), ["not-scxml"]);
    assert_eq!(codes_of("<scxml xmlns='urn:x'><final/></scxml>"), ["not-scxml"]);
    assert_eq!(codes_of(&format!("<state {namespace}/>")), ["not-scxml"]);
    assert_eq!(
        codes_of(&format!("<scxml {namespace} version='2.0'><final/></scxml>")),
        ["invalid-value"]
    );
    assert_eq!(
        codes_of(&format!(
            "<scxml {namespace} version='1.0' datamodel='xpath'><final/></scxml>"
        )),
        ["invalid-value"]
    );
    assert_eq!(
        codes_of(&format!(
            "<scxml {namespace} version='1.0' binding='soon'><final/></scxml>"
        )),
        ["invalid-value"]
    );
    assert_eq!(
        codes_of(&format!(
            "<scxml {namespace} version='1.0' initial='x'><final/></scxml>"
        )),
        ["unknown-target"]
    );
    let null = format!("<scxml {namespace} version='1.0' datamodel='null'><script>x</script><final/></scxml>");
    assert_eq!(codes_of(&null), ["needs-datamodel"]);
}

#[test]
fn two_data_of_one_id_are_one_variable_which_is_said() {
    let text = format!(
        "{HEAD}<datamodel><data id='a'/></datamodel><state><datamodel><data id='a'/></datamodel></state></scxml>"
    );
    let (_, warnings) = read("main.scxml", &text, &NoFiles).unwrap();
    let found: Vec<(&str, Option<&str>)> = warnings
        .iter()
        .map(|found| (found.code, found.hint.as_deref()))
        .collect();
    assert_eq!(found, [("duplicate-data", Some("the first is on line 1"))]);
}

#[test]
fn includes_that_cannot_be_had_are_refused_rather_than_dropped() {
    let include = "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='a.xml'/>";
    for body in [
        format!("<final/>{include}"),
        format!("<state>{include}</state>"),
        format!("<state><onentry>{include}</onentry></state>"),
    ] {
        assert_eq!(codes(&body), ["unreadable-src"], "{body}");
    }
}

#[test]
fn the_null_datamodel_has_no_expression_but_the_in_predicate() {
    let null = |inside: &str| {
        let text = format!(
            "<scxml xmlns='http://www.w3.org/2005/07/scxml' xmlns:q='http://www.genesys.com/modules/queue' version='1.0' \
             datamodel='null'><state id='s'>{inside}</state></scxml>"
        );
        read("main.scxml", &text, &NoFiles)
            .err()
            .map(|errors| errors.diagnostics.iter().map(|found| found.code).collect::<Vec<_>>())
    };
    for good in [
        "<transition cond='In(s)' event='e'/>",
        "<transition cond=\"In('s')\" event='e'/>",
        "<onentry><log label='l' expr=\"'a text'\"/></onentry>",
        "<transition cond=' In ( \"s\" ) ' event='e'/>",
        "<onentry><if cond='In(s)'><raise event='e'/></if><send event='e' delay='1s'/></onentry>",
    ] {
        assert_eq!(null(good), None, "{good}");
    }
    for bad in [
        "<transition cond='true' event='e'/>",
        "<transition cond='In(s) || true' event='e'/>",
        "<transition cond='In(s)+(1)' event='e'/>",
        "<transition cond=\"In('s'\" event='e'/>",
        "<transition cond='In()' event='e'/>",
        "<onentry><log expr=\"'a' + 'b'\"/></onentry>",
        "<transition cond='' event='e'/>",
        "<onentry><if cond='1'/></onentry>",
        "<onentry><log expr='1'/></onentry>",
        "<onentry><send eventexpr='a'/></onentry>",
        "<onentry><send event='e' namelist='a'/></onentry>",
        "<onentry><send event='e' idlocation='a'/></onentry>",
        "<onentry><cancel sendidexpr='a'/></onentry>",
        "<onentry><send event='e'><content expr='1'/></send></onentry>",
    ] {
        assert_eq!(null(bad), Some(vec!["needs-datamodel"]), "{bad}");
    }
}
