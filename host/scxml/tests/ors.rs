//! The dialect of ORS: recognised from the document, with expressions where W3C SCXML has literals.

use pointsman_scxml::model::{
    ApplicationType, Attribute, Dialect, Document, Operation, Settings, StatePersist, TransitionStyle, Value,
};
use pointsman_scxml::{Diagnostic, MapResolver, NoFiles, lint, read};

const W3C: &str = "xmlns='http://www.w3.org/2005/07/scxml'";

fn ors(body: &str) -> String {
    format!("<scxml {W3C} profile='ecmascript'>{body}</scxml>")
}

fn document(text: &str) -> Document {
    let (document, warnings) = read("main.scxml", text, &NoFiles).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(warnings, [], "{text}");
    document
}

fn only(content: &str) -> Operation {
    let document = document(&ors(&format!("<state><onentry>{content}</onentry></state>")));
    let [block] = document.states[0].onentry.as_slice() else {
        panic!("one block")
    };
    let [executable] = block.as_slice() else {
        panic!("one element: {block:?}")
    };
    executable.operation.clone()
}

fn expr(attribute: &Option<Attribute>) -> &str {
    match attribute {
        Some(Attribute::Expr(text)) => &text.text,
        other => panic!("no expression: {other:?}"),
    }
}

fn codes(text: &str) -> Vec<&'static str> {
    match read("main.scxml", text, &NoFiles) {
        Ok((_, warnings)) => warnings.iter().map(|found| found.code).collect(),
        Err(errors) => errors.diagnostics.iter().map(|found| found.code).collect(),
    }
}

#[test]
fn the_dialect_is_recognised_from_the_root_element() {
    for (attributes, expected) in [
        ("version='1.0'", Dialect::W3c),
        ("version='1.0' profile='ecmascript'", Dialect::Ors),
        ("profile='ecmascript'", Dialect::Ors),
        (
            "version='1.0' datamodel='ecmascript' profile='ecmascript' _persist='false'",
            Dialect::W3c,
        ),
        ("version='1.0' xmlns:xi='http://www.w3.org/2001/XInclude'", Dialect::Ors),
        (
            "version='1.0' datamodel='ecmascript' xmlns:xi='http://www.w3.org/2001/XInclude'",
            Dialect::W3c,
        ),
        ("version='1.0' _maxtime='60'", Dialect::Ors),
    ] {
        let text = format!("<scxml {W3C} {attributes}><final/></scxml>");
        let (document, _) = read("main.scxml", &text, &NoFiles).unwrap();
        assert_eq!(document.dialect, expected, "{attributes}");
    }
}

#[test]
fn another_profile_is_refused() {
    let text = format!("<scxml {W3C} profile='xpath'><final/></scxml>");
    let errors = read("main.scxml", &text, &NoFiles).unwrap_err();
    assert!(errors.to_string().contains("write profile=\"ecmascript\""), "{errors}");
}

#[test]
fn attributes_of_send_are_expressions() {
    let Operation::Send(send) = only(
        "<send event=\"'a'\" target='_sessionid' targettype=\"'scxml'\" delay=\"'2s'\" sendid='s' \
         namelist='x y'><param name='p' expr='1'/></send>",
    ) else {
        panic!()
    };
    assert_eq!(
        [&send.event, &send.target, &send.processor, &send.delay].map(expr),
        ["'a'", "_sessionid", "'scxml'", "'2s'"]
    );
    assert_eq!(send.id.as_deref(), Some("s"));
    assert_eq!((send.namelist.len(), send.params.len()), (2, 1));
    // The names of W3C SCXML mean the same.
    let Operation::Send(send) = only("<send eventexpr='e' targetexpr='t' typeexpr='y' delayexpr='d' idlocation='i'/>")
    else {
        panic!()
    };
    assert_eq!(
        [&send.event, &send.target, &send.processor, &send.delay].map(expr),
        ["e", "t", "y", "d"]
    );
}

#[test]
fn a_send_and_the_cancel_of_it_may_both_have_quotes_around_the_id() {
    for (attribute, expected) in [
        ("sendid=\"'s1'\"", "s1"),
        ("id=\"'s1'\"", "s1"),
        ("sendid='\"s1\"'", "s1"),
        ("sendid='s1'", "s1"),
        ("sendid=\"'s1\"", "'s1"),
    ] {
        let Operation::Send(send) = only(&format!("<send event=\"'e'\" {attribute}/>")) else {
            panic!()
        };
        assert_eq!(send.id.as_deref(), Some(expected), "{attribute}");
    }
    let text =
        format!("<scxml {W3C} version='1.0'><state><onentry><send event='e' id=\"'s1'\"/></onentry></state></scxml>");
    let Operation::Send(send) = &document(&text).states[0].onentry[0][0].operation else {
        panic!()
    };
    assert_eq!(send.id.as_deref(), Some("'s1'"), "a literal in W3C SCXML");
}

#[test]
fn attributes_of_send_without_an_effect_are_said() {
    let text = ors("<state><onentry><send event=\"'a'\" timeout='5' hints='{ a: 1 }'/></onentry></state>");
    let (document, warnings) = read("main.scxml", &text, &NoFiles).unwrap();
    let found: Vec<_> = warnings
        .iter()
        .map(|found| (found.code, found.message.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (
                "ignored-attribute",
                "`timeout` of `<send>` has no effect in this version"
            ),
            ("ignored-attribute", "`hints` of `<send>` has no effect in this version")
        ]
    );
    let Operation::Send(send) = &document.states[0].onentry[0][0].operation else {
        panic!()
    };
    assert_eq!(send.timeout.as_ref().map(|text| text.text.as_str()), Some("5"));
    assert_eq!(send.hints.as_ref().map(|text| text.text.as_str()), Some("{ a: 1 }"));
}

#[test]
fn data_may_not_have_the_names_of_what_scripts_of_ors_find() {
    for id in ["_data", "_genesys"] {
        let body = format!("<datamodel><data id='{id}' expr='1'/></datamodel><final/>");
        assert_eq!(codes(&ors(&body)), ["invalid-id"]);
        assert_eq!(codes(&format!("<scxml {W3C} version='1.0'>{body}</scxml>")), [""; 0]);
    }
    assert_eq!(
        codes(&ors("<state><datamodel><data id='_data'/></datamodel></state>")),
        ["invalid-id"]
    );
    let errors = read(
        "main.scxml",
        &ors("<datamodel><data id='_data'/></datamodel><final/>"),
        &NoFiles,
    )
    .unwrap_err();
    assert!(
        errors.to_string().contains("give it another id, such as `data`"),
        "{errors}"
    );
}

#[test]
fn the_same_document_in_w3c_scxml_has_literals() {
    let text = format!(
        "<scxml {W3C} version='1.0'><state><onentry><send event='a' delay='2s'/><cancel sendid='s'/></onentry></state></scxml>"
    );
    let document = document(&text);
    let Operation::Send(send) = &document.states[0].onentry[0][0].operation else {
        panic!()
    };
    assert!(matches!(&send.event, Some(Attribute::Literal(text)) if text.text == "a"));
    assert!(matches!(
        &document.states[0].onentry[0][1].operation,
        Operation::Cancel(Attribute::Literal(_))
    ));
    // What only ORS has is not read there.
    let raise = |inside: &str| {
        let text = format!("<scxml {W3C} version='1.0'><state><onentry>{inside}</onentry></state></scxml>");
        codes(&text)
    };
    assert_eq!(
        raise("<raise event='e'><param name='a' expr='1'/></raise>"),
        ["misplaced-element"]
    );
    assert_eq!(raise("<event name='e'/>"), ["unknown-element"]);
    assert_eq!(raise("<send event='e' targettype='x'/>"), ["unknown-attribute"]);
}

#[test]
fn cancel_takes_an_expression_under_each_of_its_names() {
    for cancel in [
        "<cancel sendid=\"App_X['requestid']\"/>",
        "<cancel sendidexpr=\"App_X['requestid']\"/>",
        "<cancel id=\"App_X['requestid']\"/>",
    ] {
        let Operation::Cancel(Attribute::Expr(text)) = only(cancel) else {
            panic!("{cancel}")
        };
        assert_eq!(text.text, "App_X['requestid']");
    }
    assert_eq!(
        codes(&ors("<state><onentry><cancel/></onentry></state>")),
        ["missing-attribute"]
    );
}

#[test]
fn raised_events_have_plain_names_and_may_have_data() {
    let Operation::Raise { event, params } = only("<raise event='a.b'><param name='x' expr='1'/></raise>") else {
        panic!()
    };
    assert_eq!((event.as_str(), params.len(), params[0].name.as_str()), ("a.b", 1, "x"));
    let Operation::Raise { event, params } = only("<event name='a.b'/>") else {
        panic!()
    };
    assert_eq!((event.as_str(), params.len()), ("a.b", 0));
}

#[test]
fn invoke_takes_its_old_names_and_literals_in_quotes() {
    let text = ors(
        "<state><invoke invokeid='i' targettype=\"'scxml'\" src=\"'strategy:child'\" autoforward='false'/></state>",
    );
    let document = document(&text);
    let invoke = &document.states[0].invokes[0];
    assert_eq!(invoke.id.as_deref(), Some("i"));
    assert!(matches!(&invoke.processor, Some(Attribute::Literal(text)) if text.text == "scxml"));
    assert!(matches!(&invoke.src, Some(Attribute::Literal(text)) if text.text == "strategy:child"));
}

#[test]
fn a_file_that_invoke_names_in_quotes_is_read() {
    let files = MapResolver::new([("child.scxml".to_owned(), format!("<scxml {W3C}><final/></scxml>"))]);
    let text = ors("<state><invoke type='scxml' src=\"'child.scxml'\"/></state>");
    let (document, _) = read("main.scxml", &text, &files).unwrap();
    assert!(matches!(&document.states[0].invokes[0].content, Some(Value::Xml(_))));
}

#[test]
fn the_initial_transition_may_do_something_and_transitions_need_no_event() {
    let document = document(&ors(
        "<state id='a'><initial><transition target='b'><log expr=\"'in'\" label='l' level='2'/></transition></initial>\
         <state id='b'><transition target='c'/></state><final id='c'/></state>",
    ));
    assert_eq!(
        document.states[0].initial.as_ref().map(|initial| initial.content.len()),
        Some(1)
    );
    assert!(document.states[0].children[0].transitions[0].events.is_empty());
}

#[test]
fn what_ors_does_not_support_either_is_said() {
    for element in ["<anchor type='a'/>", "<validate/>"] {
        let errors = read("main.scxml", &ors(&format!("<state>{element}</state>")), &NoFiles).unwrap_err();
        assert!(
            errors.to_string().contains("is not supported (nor does ORS)"),
            "{errors}"
        );
    }
}

#[test]
fn content_takes_the_attribute_that_composer_writes() {
    let Operation::Send(send) = only("<send event=\"'a'\"><content _expr='body'/></send>") else {
        panic!()
    };
    assert!(matches!(&send.content, Some(Value::Expr(text)) if text.text == "body"));
}

#[test]
fn a_delay_that_is_no_time_is_remarked_in_both_dialects() {
    assert_eq!(
        codes(&ors(
            "<state><onentry><send event=\"'a'\" delay=\"'2 s'\"/></onentry></state>"
        )),
        ["malformed-delay"]
    );
    assert_eq!(
        codes(&ors(
            "<state><onentry><send event=\"'a'\" delay='x + 1'/></onentry></state>"
        )),
        [""; 0]
    );
}

#[test]
fn settings_are_typed_and_have_defaults() {
    let text = format!(
        "<scxml {W3C} version='1.0' datamodel='ecmascript' _type='RoutingStrategy' _persist='false' _sendSessionRecovered='true' \
         _maxtime='3600' _debug='true' _microStepLimit='10' _stateEntryLimit='20' _eventLimit='30' \
         _processEventTimeout='40' _transitionStyle='canonical' _filterEvents='true'>\
         <state _type='normal' _persist='May' _es_store='true' _deactivate='false'/><parallel _persist='must'><state/></parallel></scxml>"
    );
    let read = document(&text);
    assert_eq!(
        read.settings,
        Settings {
            application: ApplicationType::RoutingStrategy,
            persist: false,
            send_session_recovered: true,
            max_time_s: Some(3600),
            debug: true,
            microstep_limit: Some(10),
            state_entry_limit: Some(20),
            event_limit: Some(30),
            process_event_timeout_ms: Some(40),
            transition_style: TransitionStyle::Canonical,
            filter_events: true,
        }
    );
    let state = &read.states[0].settings;
    assert_eq!(
        (
            state.kind.as_deref(),
            state.persist,
            state.report_time,
            state.deactivate
        ),
        (Some("normal"), StatePersist::May, true, Some(false))
    );
    assert_eq!(read.states[1].settings.persist, StatePersist::Must);
    // What is not said is not written.
    let plain = document(&ors("<final/>"));
    assert_eq!(plain.settings, Settings::default());
    assert!(plain.settings.persist);
    let json = serde_json::to_value(&plain).unwrap();
    assert_eq!(json.get("settings"), None);
    assert_eq!(serde_json::from_value::<Document>(json).unwrap(), plain);
    let json = serde_json::to_value(&read).unwrap();
    assert_eq!(serde_json::from_value::<Document>(json).unwrap(), read);
}

#[test]
fn wrong_settings_are_refused_with_what_was_meant() {
    for (attribute, hint) in [
        ("_persist='flase'", "did you mean `false`?"),
        ("_type='routing'", "write `combination`, `routingstrategy`"),
        ("_maxtime='1h'", "write a whole number of seconds"),
        ("_eventLimit='0'", "write a whole number of events"),
        ("_filterEvents='true' _filterEvent='true'", "remove one of them"),
    ] {
        let text = format!("<scxml {W3C} version='1.0' {attribute}><final/></scxml>");
        let errors = read("main.scxml", &text, &NoFiles).unwrap_err().to_string();
        assert!(errors.contains(hint), "{attribute}: {errors}");
    }
    let text = format!("<scxml {W3C} version='1.0' _persit='true'><final/></scxml>");
    let (_, warnings) = read("main.scxml", &text, &NoFiles).unwrap();
    assert_eq!(warnings[0].hint.as_deref(), Some("did you mean `_persist`?"));
    let zero = format!("<scxml {W3C} version='1.0' _maxtime='0'><final/></scxml>");
    assert_eq!(document(&zero).settings.max_time_s, None);
}

fn lints(text: &str) -> Vec<Diagnostic> {
    let (document, _) = read("main.scxml", text, &NoFiles).unwrap_or_else(|errors| panic!("{errors}"));
    lint::check(&document)
}

fn unquoted(content: &str) -> Vec<(u32, String)> {
    let body = format!(
        "<script>var system = {{}};</script>\n<state id='s'><datamodel><data id='known'/></datamodel><onentry>{content}</onentry>\
         <transition event='*'/></state>"
    );
    let found = lints(&ors(&body)).into_iter();
    found
        .filter(|found| found.code == "unquoted-literal")
        .map(|found| (found.at.column, found.hint.unwrap_or_default()))
        .collect()
}

#[test]
fn forgotten_quotes_are_remarked_where_the_value_stands() {
    let found = unquoted("<send event='my.event'/>");
    let column = "<state id='s'><datamodel><data id='known'/></datamodel><onentry><send event='".len() as u32 + 1;
    assert_eq!(found, [(column, "for the text itself write \"'my.event'\"".to_owned())]);
    for wrong in [
        "<send event=\"'a'\" delay='2s'/>",
        "<send event='timeout'/>",
        "<send event='call-over'/>",
        "<send event=\"'a'\" target='#_internal'/>",
        "<send event=\"'a'\" targettype='scxml'/>",
        "<cancel sendid='timer'/>",
        "<d:playsound xmlns:d='http://www.genesyslab.com/modules/dialog' type='music'/>",
    ] {
        assert_eq!(unquoted(wrong).len(), 1, "{wrong}");
    }
    for right in [
        "<send event=\"'my.event'\" target='_sessionid' delay=\"'2s'\"/>",
        "<send event='system.EventName'/>",
        "<send event='known'/>",
        "<send event='_event.name'/>",
        "<assign location='late' expr='1'/><send event='late.x'/>",
        "<send event=\"'a'\" idlocation='timer'/><cancel sendid='timer'/>",
        "<send event=\"'a' + b\"/>",
        "<cancel sendid='undefined'/>",
    ] {
        assert_eq!(unquoted(right), [], "{right}");
    }
}

#[test]
fn events_are_known_that_expressions_and_scripts_write_out() {
    let of = |body: &str| {
        lints(&ors(body))
            .into_iter()
            .map(|found| found.code)
            .collect::<Vec<_>>()
    };
    let waits =
        |onentry: &str| format!("<state id='s'><onentry>{onentry}</onentry><transition event='done.state.x'/></state>");
    assert_eq!(of(&waits("<log/>")), ["event-never-sent"]);
    assert_eq!(of(&waits("<script>__Raise('done.state.x', {});</script>")), [""; 0]);
    assert_eq!(of(&waits("<script>__Raise(name);</script>")), [""; 0]);
    assert_eq!(of(&waits("<script>__Raise('other');</script>")), ["event-never-sent"]);
    assert_eq!(of(&waits("<send event=\"'done.state.x'\"/>")), [""; 0]);
    assert_eq!(
        of(&waits("<send event=\"'other'\" target='_sessionid'/>")),
        ["event-not-handled", "event-never-sent"]
    );
}
