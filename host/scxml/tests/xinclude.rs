//! XInclude: what is included, where its places are, and what is refused.

use pointsman_scxml::limits::{MAX_DEPTH, MAX_INCLUDE_DEPTH, MAX_INCLUDES};
use pointsman_scxml::model::{Dialect, Document, Operation, Position, State, Value};
use pointsman_scxml::{Errors, MapResolver, lint, read, render};

const HEAD: &str = "<scxml xmlns='http://www.w3.org/2005/07/scxml' xmlns:xi='http://www.w3.org/2001/XInclude'";

fn files(files: &[(&str, &str)]) -> MapResolver {
    MapResolver::new(
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned())),
    )
}

fn attempt(body: &str, given: &[(&str, &str)]) -> Result<Document, Errors> {
    let text = format!("{HEAD}>{body}</scxml>");
    read("src/main.scxml", &text, &files(given)).map(|(document, warnings)| {
        assert_eq!(warnings, [], "{}", render(&warnings, &document.files));
        document
    })
}

fn good(body: &str, given: &[(&str, &str)]) -> Document {
    attempt(body, given).unwrap_or_else(|errors| panic!("{errors}"))
}

fn codes(body: &str, given: &[(&str, &str)]) -> Vec<&'static str> {
    match attempt(body, given) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.diagnostics.iter().map(|found| found.code).collect(),
    }
}

/// The rest of the line at a position, in the file that it names.
fn rest(document: &Document, at: Position) -> &str {
    let text = &document.files[usize::from(at.file)].text;
    let line = text.split('\n').nth(at.line as usize - 1).expect("the line is there");
    let (start, _) = line
        .char_indices()
        .nth(at.column as usize - 1)
        .unwrap_or((line.len(), ' '));
    &line[start..]
}

fn ids(states: &[State]) -> Vec<String> {
    let of = |state: &State| {
        let mut own = vec![state.id.clone()];
        own.extend(ids(&state.children));
        own
    };
    states.iter().flat_map(of).collect()
}

#[test]
fn a_text_is_included_into_a_script_with_its_own_places() {
    let document = good(
        "<script>\n  <xi:include href='../lib/hours.js' parse='text'/>\n</script><script><xi:include href='b.js' parse='text'/> var c;</script>\
         <script>\n<xi:include href='b.js' parse='text'/>\n<xi:include href='b.js' parse='text'/>\n</script>\
         <datamodel><data id='d'><xi:include href='d.json' parse='text'/></data></datamodel><final/>",
        &[
            ("lib/hours.js", "\n// é\nif (a < b) { c(); }\n"),
            ("src/b.js", "var b;"),
            ("src/d.json", "{\"a\": [1]}"),
        ],
    );
    assert_eq!(document.scripts[0].source.text, "\n// é\nif (a < b) { c(); }\n");
    let at = document.scripts[0].source.at;
    assert_eq!(
        (document.files[usize::from(at.file)].url.as_str(), at.line, at.column),
        ("lib/hours.js", 1, 1)
    );
    assert_eq!(document.scripts[1].source.text, "var b; var c;");
    assert_eq!(
        document.scripts[2].source.text, "var b;\nvar b;",
        "what stands between two texts stays between them"
    );
    // Of pieces of several files: lines counted from the first would be wrong in the others.
    for script in &document.scripts[1..] {
        assert_eq!((script.source.at, script.source.at.file), (script.at, 0));
        assert!(rest(&document, script.source.at).starts_with("<script>"));
    }
    assert!(matches!(&document.data[0].value, Some(Value::Text(text)) if text.text == "{\"a\": [1]}"));
    assert_eq!(document.dialect, Dialect::Ors);
}

const PROCESS: &str = "<scxml xmlns='http://www.w3.org/2005/07/scxml' profile='ecmascript' initial='_composer_noboot'>
  <final id='_composer_noboot'/>
  <state id='entry' initial='$$_MY_PREFIX_$$.a'>
    <state id='a'>
      <onentry><send event=\"'a.done'\"><param name='who' expr='_my_prefix'/></send></onentry>
      <transition event='a.done' cond='_event.data.who == _my_prefix' target='b'/>
      <transition event='done.state.b.* done.state.outside x' target='outside'/>
    </state>
    <state id='b' initial='c'><final id='c'/></state>
    <transition event='done.state.b' target='$$_MY_PREFIX_$$.over'/>
    <final id='over'/>
  </state>
</scxml>";

#[test]
fn an_element_is_included_by_its_id_and_its_ids_are_prefixed() {
    let document = good(
        "<state id='Main' initial='Main.entry'><xi:include href='p.scxml' parse='xml' xpointer='entry' resolveid='Main'/>\
         <transition event='done.state.Main.entry' target='outside'/></state><final id='outside'/>",
        &[("src/p.scxml", PROCESS)],
    );
    assert_eq!(
        ids(&document.states),
        [
            "Main",
            "Main.entry",
            "Main.a",
            "Main.b",
            "Main.c",
            "Main.over",
            "outside"
        ]
    );
    let entry = &document.states[0].children[0];
    assert_eq!(entry.initial.as_ref().unwrap().targets, ["Main.a"]);
    let [a, b, _] = entry.children.as_slice() else { panic!() };
    assert_eq!(a.transitions[0].targets, ["Main.b"]);
    assert_eq!(
        a.transitions[0].cond.as_ref().unwrap().text,
        "_event.data.who == 'Main'"
    );
    assert_eq!(
        a.transitions[1].events,
        ["done.state.Main.b.*", "done.state.outside", "x"]
    );
    assert_eq!(
        a.transitions[1].targets,
        ["outside"],
        "what is not in the included text is left alone"
    );
    assert_eq!(b.initial.as_ref().unwrap().targets, ["Main.c"]);
    assert_eq!(entry.transitions[0].events, ["done.state.Main.b"]);
    assert_eq!(entry.transitions[0].targets, ["Main.over"]);
    let Operation::Send(send) = &a.onentry[0][0].operation else {
        panic!()
    };
    assert_eq!(send.params[0].expr.text, "'Main'");
    // Places are those of the text as it is written.
    assert_eq!(document.files[1].url, "src/p.scxml");
    assert_eq!((entry.at.file, entry.at.line, entry.at.column), (1, 3, 3));
    assert!(rest(&document, a.transitions[0].cond.as_ref().unwrap().at).starts_with("_event.data.who == _my_prefix'"));
    // Lints see the names as they are resolved.
    let found = lint::check(&document);
    assert_eq!(found.len(), 1, "{}", render(&found, &document.files));
    assert!(found[0].message.contains("`done.state.outside` never comes"));
    assert!(rest(&document, found[0].at).starts_with("done.state.outside x'"));
}

#[test]
fn the_same_text_is_included_twice_under_different_prefixes() {
    let include = |prefix: &str| {
        format!("<state id='{prefix}'><xi:include href='p.scxml' xpointer='entry' resolveid='{prefix}'/></state>")
    };
    let body = format!("{}{}<final id='outside'/>", include("One"), include("Two"));
    let document = good(&body, &[("src/p.scxml", PROCESS)]);
    assert_eq!(
        document.states[1].children[0].initial.as_ref().unwrap().targets,
        ["Two.a"]
    );
    assert_eq!(document.files.len(), 2);
    // Without prefixes the ids are there twice.
    let plain = "<state><xi:include href='q.scxml' xpointer='e'/></state>";
    let q = "<scxml xmlns='http://www.w3.org/2005/07/scxml'><state id='e'/></scxml>";
    assert_eq!(codes(&plain.repeat(2), &[("src/q.scxml", q)]), ["duplicate-id"]);
}

#[test]
fn prefixes_of_includes_in_includes_stand_one_before_the_other() {
    for resolveid in ["Sub", "$$_MY_PREFIX_$$.Sub"] {
        let outer = format!(
            "<scxml xmlns='http://www.w3.org/2005/07/scxml' xmlns:xi='http://www.w3.org/2001/XInclude'><state id='entry'>\
             <state id='call' initial='$$_MY_PREFIX_$$.Sub.entry'><xi:include href='lib/inner.scxml' xpointer='entry' resolveid='{resolveid}'/>\
             <transition event='done.state.$$_MY_PREFIX_$$.Sub.entry' target='after'/></state><final id='after'/></state></scxml>"
        );
        let inner = "<scxml xmlns='http://www.w3.org/2005/07/scxml'><state id='entry'><onentry><log expr='_my_prefix'/></onentry>\
                     <transition target='over'/><final id='over'/></state></scxml>";
        let document = good(
            "<state id='Main'><xi:include href='outer.scxml' xpointer='entry' resolveid='Main'/></state>",
            &[("src/outer.scxml", &outer), ("src/lib/inner.scxml", inner)],
        );
        assert_eq!(
            ids(&document.states),
            [
                "Main",
                "Main.entry",
                "Main.call",
                "Main.Sub.entry",
                "Main.Sub.over",
                "Main.after"
            ]
        );
        let call = &document.states[0].children[0].children[0];
        assert_eq!(call.transitions[0].targets, ["Main.after"]);
        let entry = &call.children[0];
        assert_eq!(entry.transitions[0].targets, ["Main.Sub.over"]);
        assert!(
            matches!(&entry.onentry[0][0].operation, Operation::Log { expr: Some(text), .. } if text.text == "'Main.Sub'")
        );
    }
}

#[test]
fn pointers_are_understood_in_all_their_forms() {
    let q = "<scxml xmlns='http://www.w3.org/2005/07/scxml'><state id='e'/></scxml>";
    for pointer in ["e", "element(e)", "xpointer(id('e'))", "xpointer( id( \"e\" ) )"] {
        let body = format!(
            "<xi:include href='q.scxml' xpointer='{}'/>",
            pointer.replace('\'', "&apos;")
        );
        assert_eq!(good(&body, &[("src/q.scxml", q)]).states[0].id, "e", "{pointer}");
    }
    for pointer in ["", "element(/1/2)", "xpointer(//state)", "a b"] {
        let body = format!("<xi:include href='q.scxml' xpointer='{pointer}'/><final/>");
        assert_eq!(codes(&body, &[("src/q.scxml", q)]), ["invalid-value"], "{pointer}");
    }
    let q = q.replace("'e'", "'entry'");
    let near = "<xi:include href='q.scxml' xpointer='entri'/><final/>";
    let errors = attempt(near, &[("src/q.scxml", &q)]).unwrap_err();
    assert_eq!(errors.diagnostics[0].code, "unknown-pointer");
    assert_eq!(errors.diagnostics[0].hint.as_deref(), Some("did you mean `entry`?"));
}

#[test]
fn of_a_document_without_a_pointer_its_children_are_included() {
    let part = "<scxml xmlns='http://www.w3.org/2005/07/scxml' initial='nowhere' profile='ecmascript'><script>var helper;</script>\
                <datamodel><data id='d' expr='1'/></datamodel><state id='one'/><state id='two'/></scxml>";
    let top = good("<xi:include href='p.scxml'/>", &[("src/p.scxml", part)]);
    assert_eq!((top.scripts.len(), top.data.len()), (1, 1));
    assert_eq!(ids(&top.states), ["one", "two"]);
    // Deeper its scripts run when the session begins, all the same.
    let deep = good(
        "<script>var a;</script><state id='s'><xi:include href='p.scxml'/></state>",
        &[("src/p.scxml", part)],
    );
    assert_eq!(ids(&deep.states), ["s", "one", "two"]);
    assert_eq!(deep.states[0].data.len(), 1);
    assert_eq!(deep.scripts[1].source.text, "var helper;");
}

#[test]
fn a_document_can_include_a_part_of_itself() {
    let body = "<state id='a'><onentry><log expr='1'/></onentry></state>\
                <state id='b'><xi:include xpointer='a' resolveid='copy'/></state>";
    assert_eq!(ids(&good(body, &[]).states), ["a", "b", "copy.a"]);
}

#[test]
fn a_whole_document_can_be_included_as_a_value() {
    let child = "<scxml xmlns='http://www.w3.org/2005/07/scxml'><final id='f'/></scxml>";
    let document = good(
        "<state><invoke type='scxml'><content><xi:include href='child.scxml'/></content></invoke></state>",
        &[("src/child.scxml", child)],
    );
    let Some(Value::Xml(text)) = &document.states[0].invokes[0].content else {
        panic!()
    };
    assert!(
        text.text.contains("<final id='f'/>") && text.text.starts_with("<scxml"),
        "{}",
        text.text
    );
    assert_eq!(text.at.file, 1);
    assert!(read("child", &text.text, &files(&[])).is_ok(), "{}", text.text);
}

#[test]
fn a_fallback_stands_in_for_what_cannot_be_had_only() {
    let with = |href: &str| {
        format!("<state><xi:include {href}><xi:fallback><state id='instead'/></xi:fallback></xi:include></state>")
    };
    let q = "<scxml xmlns='http://www.w3.org/2005/07/scxml'><state id='e'/></scxml>";
    let given = [("src/q.scxml", q), ("src/broken.scxml", "<scxml")];
    for missing in ["href='missing.scxml'", "href='q.scxml' xpointer='x'"] {
        assert_eq!(good(&with(missing), &given).states[0].children[0].id, "instead");
    }
    assert_eq!(good(&with("href='q.scxml'"), &given).states[0].children[0].id, "e");
    assert_eq!(codes(&with("href='broken.scxml'"), &given), ["malformed-xml"]);
}

#[test]
fn errors_in_an_included_text_are_shown_there() {
    let part = "<scxml xmlns='http://www.w3.org/2005/07/scxml'>\n  <state id='e'>\n    <transition target='nowhere'/>\n  </state></scxml>";
    let errors = attempt("<xi:include href='p.scxml' xpointer='e'/>", &[("src/p.scxml", part)]).unwrap_err();
    let shown = errors.to_string();
    assert!(shown.contains("--> src/p.scxml:3:25"), "{shown}");
    assert!(shown.contains("<transition target='nowhere'/>"), "{shown}");
    // Once, however often the text is included.
    let twice = "<state><xi:include href='p.scxml' xpointer='e' resolveid='A'/></state>\
                 <state><xi:include href='p.scxml' xpointer='e' resolveid='B'/></state>";
    assert_eq!(codes(twice, &[("src/p.scxml", part)]), ["unknown-target"]);
}

#[test]
fn wrong_includes_are_refused_with_what_to_do() {
    let q = "<scxml xmlns='http://www.w3.org/2005/07/scxml'><state id='e'/></scxml>";
    let given = [("src/q.scxml", q), ("src/t.js", "var t;")];
    for (body, code) in [
        ("<xi:include/><final/>", "missing-attribute"),
        ("<xi:include href='missing.scxml'/><final/>", "unreadable-src"),
        ("<xi:include href='../../q.scxml'/><final/>", "unreadable-src"),
        (
            "<xi:include href='http://example.com/q.scxml'/><final/>",
            "unreadable-src",
        ),
        ("<xi:include href='q.scxml#e'/><final/>", "invalid-value"),
        ("<xi:include href='q.scxml' parse='html'/>", "invalid-value"),
        ("<xi:include href='q.scxml' resolveid=''/><final/>", "invalid-value"),
        ("<xi:include href='q.scxml' resolveid='a b'/><final/>", "invalid-value"),
        (
            "<script><xi:include href='t.js' parse='text' xpointer='e'/></script><final/>",
            "conflicting-attributes",
        ),
        (
            "<script><xi:include parse='text'/></script><final/>",
            "missing-attribute",
        ),
        (
            "<state><xi:include href='t.js' parse='text'/></state>",
            "unexpected-text",
        ),
        (
            "<state><onentry><xi:include href='q.scxml' xpointer='e'/></onentry></state>",
            "misplaced-element",
        ),
        ("<state><xi:fallback/></state>", "misplaced-element"),
        ("<xi:include href='q.scxml'><state/></xi:include>", "misplaced-element"),
    ] {
        assert_eq!(codes(body, &given), [code], "{body}");
    }
}

#[test]
fn a_document_that_is_only_to_be_included_is_no_entry() {
    let errors = read("src/p.scxml", PROCESS, &files(&[])).unwrap_err();
    assert_eq!(errors.diagnostics.len(), 1);
    assert_eq!(errors.diagnostics[0].code, "not-an-entry");
    assert!(errors.to_string().contains("`_composer_noboot`"), "{errors}");
}

#[test]
fn texts_that_include_each_other_are_refused() {
    let of = |next: &str| format!("{HEAD}><state><xi:include href='{next}'/></state></scxml>");
    let (a, b) = (of("b.scxml"), of("a.scxml"));
    let given = [("src/a.scxml", a.as_str()), ("src/b.scxml", b.as_str())];
    let errors = attempt("<xi:include href='a.scxml'/>", &given).unwrap_err();
    assert_eq!(errors.diagnostics[0].code, "include-cycle");
    assert!(
        errors.to_string().contains("src/a.scxml -> src/b.scxml -> src/a.scxml"),
        "{errors}"
    );
    let myself = format!("{HEAD}><state id='s'><xi:include href='main.scxml' xpointer='s'/></state></scxml>");
    let given = files(&[("src/main.scxml", myself.as_str())]);
    assert!(read("src/main.scxml", &myself, &given).is_err());
}

fn chain(length: usize) -> Vec<(String, String)> {
    let of = |number: usize| match number + 1 == length {
        true => "<scxml xmlns='http://www.w3.org/2005/07/scxml'><final/></scxml>".to_owned(),
        false => format!(
            "{HEAD}><state><xi:include href='{}.scxml'/></state></scxml>",
            number + 1
        ),
    };
    (0..length)
        .map(|number| (format!("src/{number}.scxml"), of(number)))
        .collect()
}

#[test]
fn texts_include_each_other_as_deep_as_the_bound_says() {
    let codes_of = |length: usize| {
        let texts = chain(length);
        let given: Vec<(&str, &str)> = texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        codes("<xi:include href='0.scxml'/>", &given)
    };
    assert_eq!(codes_of(MAX_INCLUDE_DEPTH), [""; 0]);
    let codes = codes_of(MAX_INCLUDE_DEPTH + 1);
    assert!(codes.contains(&"nested-too-deeply"), "{codes:?}");
}

#[test]
fn the_number_of_includes_is_bounded() {
    let given = [("src/a.js", "a();")];
    let body = |count: usize| {
        let scripts = "<script><xi:include href='a.js' parse='text'/></script>".repeat(count);
        format!("{scripts}<final/>")
    };
    assert_eq!(codes(&body(MAX_INCLUDES), &given), [""; 0]);
    assert_eq!(codes(&body(MAX_INCLUDES + 1), &given), ["too-many-includes"]);
}

#[test]
fn a_bomb_of_includes_does_not_go_off() {
    // Ten includes in each of ten texts: ten thousand million of the last.
    let of = |number: usize| {
        let include = format!("<state><xi:include href='{}.scxml'/></state>", number + 1);
        format!("{HEAD}>{}</scxml>", include.repeat(10))
    };
    let mut texts: Vec<(String, String)> = (0..10)
        .map(|number| (format!("src/{number}.scxml"), of(number)))
        .collect();
    texts.push(("src/10.scxml".to_owned(), format!("{HEAD}><state/></scxml>")));
    let given: Vec<(&str, &str)> = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let started = std::time::Instant::now();
    assert_eq!(codes("<xi:include href='0.scxml'/>", &given), ["too-many-includes"]);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    // A large text many times.
    let large = format!("/*{}*/", "x".repeat(1 << 20));
    let scripts = "<script><xi:include href='l.js' parse='text'/></script>".repeat(100);
    let codes_of_large = codes(&format!("{scripts}<final/>"), &[("src/l.js", &large)]);
    assert!(codes_of_large.iter().all(|code| *code == "unreadable-src") && !codes_of_large.is_empty());
    let many = format!("{HEAD}>{}</scxml>", "<state/>".repeat(2000));
    let includes = "<state><xi:include href='m.scxml'/></state>".repeat(60);
    let codes_of_many = codes(&includes, &[("src/m.scxml", &many)]);
    assert!(codes_of_many.contains(&"too-many-elements"), "{codes_of_many:?}");
}

#[test]
fn prefixes_do_not_blow_a_document_up() {
    let long = "p".repeat(300);
    let q = "<scxml xmlns='http://www.w3.org/2005/07/scxml'><state id='e'/></scxml>";
    let body = format!("<xi:include href='q.scxml' resolveid='{long}'/><final/>");
    assert_eq!(codes(&body, &[("src/q.scxml", q)]), ["invalid-value"]);
    for named in [
        format!("<onentry><script>{}</script></onentry>", "_my_prefix;".repeat(100_000)),
        format!(
            "<onentry><script>{}</script></onentry>",
            "$$_MY_PREFIX_$$;".repeat(100_000)
        ),
        format!("<transition target='{}'/>", "e ".repeat(100_000)),
    ] {
        let q = format!("<scxml xmlns='http://www.w3.org/2005/07/scxml'><state id='e'>{named}</state></scxml>");
        let body = format!("<xi:include href='q.scxml' resolveid='{}'/><final/>", "p".repeat(200));
        let codes = codes(&body, &[("src/q.scxml", &q)]);
        assert!(codes.contains(&"too-large"), "{codes:?}");
    }
}

#[test]
fn entities_and_document_types_are_refused_in_included_texts_too() {
    let bomb =
        "<!DOCTYPE scxml [<!ENTITY a 'aaaa'>]><scxml xmlns='http://www.w3.org/2005/07/scxml'><state id='e'/></scxml>";
    assert_eq!(
        codes("<xi:include href='b.scxml'/><final/>", &[("src/b.scxml", bomb)]),
        ["dtd-refused"]
    );
    let entity = "<scxml xmlns='http://www.w3.org/2005/07/scxml'><state id='&a;'/></scxml>";
    assert_eq!(
        codes("<xi:include href='b.scxml'/><final/>", &[("src/b.scxml", entity)]),
        ["unknown-entity"]
    );
}

#[test]
fn included_elements_nest_no_deeper_than_others() {
    let nested = |depth: usize| format!("{}{}", "<state>".repeat(depth), "</state>".repeat(depth));
    let part = format!("<scxml xmlns='http://www.w3.org/2005/07/scxml'>{}</scxml>", nested(100));
    let body =
        |depth: usize| nested(depth).replacen("<state></state>", "<state><xi:include href='p.scxml'/></state>", 1);
    let given = [("src/p.scxml", part.as_str())];
    // The root element is the first level.
    assert_eq!(codes(&body(MAX_DEPTH - 1 - 100), &given), [""; 0]);
    assert_eq!(codes(&body(MAX_DEPTH - 100), &given), ["nested-too-deeply"]);
}

fn composer() -> MapResolver {
    files(&[
        ("include/common.js", include_str!("composer/include/common.js")),
        ("include/user/desk.js", include_str!("composer/include/user/desk.js")),
        ("src-gen/process.scxml", include_str!("composer/src-gen/process.scxml")),
        (
            "src-gen/subroutine.scxml",
            include_str!("composer/src-gen/subroutine.scxml"),
        ),
    ])
}

#[test]
fn a_project_of_composer_is_read_as_it_is_generated() {
    let main = include_str!("composer/src-gen/main.scxml");
    let (document, warnings) =
        read("src-gen/main.scxml", main, &composer()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(warnings, [], "{}", render(&warnings, &document.files));
    assert_eq!(document.dialect, Dialect::Ors);
    assert!(!document.settings.persist && document.settings.send_session_recovered);
    let all = ids(&document.states);
    for id in [
        "OrderDesk._composer_entry",
        "OrderDesk.Target1",
        "OrderDesk.Menu1._composer_entry",
        "OrderDesk.Menu1.Done1",
    ] {
        assert!(all.iter().any(|other| other == id), "{id}: {all:?}");
    }
    let text = serde_json::to_string(&document.states).unwrap();
    assert!(!text.contains("_MY_PREFIX_") && !text.contains("_my_prefix"));
    // There is a block that is switched off; what nobody serves is all else there is to say of it.
    let found = lint::check(&document);
    let others: Vec<_> = found
        .iter()
        .filter(|found| found.code != "unserved-action")
        .cloned()
        .collect();
    let shown = render(&others, &document.files);
    assert_eq!(others.len(), 1, "{shown}");
    assert!(shown.contains("nothing leads to `OrderDesk.Off1`"), "{shown}");
    let unserved = found
        .iter()
        .map(|found| found.message.as_str())
        .collect::<Vec<_>>()
        .join("\n");
    for action in [
        "queue.submit",
        "queue.cancel",
        "dialog.start",
        "dialog.collect",
        "interaction.attach",
        "interaction.detach",
    ] {
        assert!(unserved.contains(&format!("`{action}`")), "{action}: {unserved}");
    }
}
