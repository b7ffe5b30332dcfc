//! XML in documents and events, as scripts see it (W3C SCXML B.2.1).

mod common;

use common::{Bench, chart, escaped, logged, options};
use pointsman_contract::{Command, Event, Step};
use std::sync::LazyLock;

static BENCH: LazyLock<Bench> = LazyLock::new(|| Bench::new(options(8)));

const BOOKS: &str = r#"<books xmlns="" xmlns:x="urn:x"><!-- two --><book title="Tom &amp; Jerry" x:n="1">first &lt;b&gt;</book>
<x:book id="second"><![CDATA[<raw>]]></x:book></books>"#;

/// Values of expressions over the data item `d`, which holds this XML.
fn values(xml: &str, expressions: &[&str]) -> Vec<String> {
    let logs: String = expressions
        .iter()
        .map(|e| format!(r#"<log expr="{}"/>"#, escaped(e)))
        .collect();
    let text = chart(&format!(
        r#"<datamodel><data id="d">{xml}</data></datamodel><state id="s"><transition event="go">{logs}</transition></state>"#
    ));
    let step = BENCH.begun(&text).0.step("go", "");
    assert_eq!(step.log.len(), expressions.len(), "{step:?}");
    logged(&step).into_iter().map(str::to_owned).collect()
}

#[test]
fn inline_xml_is_a_document_that_can_be_walked() {
    let cases = [
        ("d.nodeType + ' ' + d.nodeName", "9 #document"),
        ("d.documentElement.tagName", "books"),
        ("d.getElementsByTagName('book').length", "1"),
        ("d.getElementsByTagName('*').length", "3"),
        ("d.getElementsByTagNameNS('urn:x', 'book')[0].id", "second"),
        ("d.getElementsByTagName('book')[0].getAttribute('title')", "Tom & Jerry"),
        (
            "d.getElementsByTagName('book').item(0).getAttributeNS('urn:x', 'n')",
            "1",
        ),
        (
            "d.getElementsByTagName('book')[0].getAttribute('none') === null",
            "true",
        ),
        ("d.getElementsByTagName('book')[0].firstChild.nodeValue", "first <b>"),
        ("d.getElementById('second').textContent", "<raw>"),
        ("d.documentElement.firstChild.nodeType", "8"),
        ("d.documentElement.firstElementChild.nextSibling.nodeName", "#text"),
        ("d.documentElement.lastChild.parentNode === d.documentElement", "true"),
        (
            "d.documentElement.children.map(function (e) { return e.localName }).join()",
            "book,book",
        ),
        (
            "d.documentElement.lastChild.prefix + ' ' + d.documentElement.lastChild.namespaceURI",
            "x urn:x",
        ),
        ("d.documentElement.ownerDocument === d", "true"),
    ];
    let expressions: Vec<_> = cases.iter().map(|c| c.0).collect();
    for ((expression, expected), value) in cases.iter().zip(values(BOOKS, &expressions)) {
        assert_eq!(value, *expected, "{expression}");
    }
}

#[test]
fn a_document_can_be_changed_and_written_again() {
    let change = "(function () { var b = d.getElementsByTagName('book')[0]; b.setAttribute('price', '\"1\" < 2'); b.firstChild.data = 'a & b'; \
         var e = d.createElement('new'); e.appendChild(d.createTextNode('text')); b.parentNode.insertBefore(e, b); \
         d.documentElement.removeChild(d.documentElement.lastChild); var c = e.cloneNode(true); e.textContent = 'other'; \
         d.documentElement.replaceChild(c, d.documentElement.firstChild); return String(d) })()";
    let [text] = &values(BOOKS, &[change])[..] else {
        panic!()
    };
    assert_eq!(
        text,
        "<books xmlns=\"\" xmlns:x=\"urn:x\"><new>text</new><new>other</new><book title=\"Tom &amp; Jerry\" x:n=\"1\" \
         price=\"&quot;1&quot; &lt; 2\">a &amp; b</book>\n</books>"
    );
}

#[test]
fn what_is_no_tree_cannot_be_made() {
    for (expression, error) in [
        (
            "d.documentElement.appendChild(d.documentElement)",
            "HierarchyRequestError",
        ),
        (
            "d.documentElement.firstChild.appendChild(d.createTextNode('x'))",
            "HierarchyRequestError",
        ),
        ("d.documentElement.removeChild(d.createElement('x'))", "NotFoundError"),
        ("d.createElement('a b')", "InvalidCharacterError"),
        ("d.appendChild(d.createElement('second'))", "HierarchyRequestError"),
    ] {
        let caught = format!("(function () {{ try {{ {expression} }} catch (e) {{ return e.name }} }})()");
        assert_eq!(values(BOOKS, &[&caught]), [error], "{expression}");
    }
}

#[test]
fn elements_side_by_side_are_a_fragment_and_text_that_is_no_xml_stays_text() {
    let side = values("<a xmlns=''/><b xmlns=''/>", &["d.nodeType", "String(d)"]);
    assert_eq!(side, ["11", "<a xmlns=\"\"/><b xmlns=\"\"/>"]);
    assert_eq!(
        values("plain &amp; simple", &["typeof d + d"]),
        ["stringplain & simple"]
    );
}

/// Deeper than the script's stack has frames for.
#[test]
fn depth_needs_no_stack() {
    let deep = |n: usize| format!("<d xmlns=''>{}{}</d>", "<d>".repeat(n), "</d>".repeat(n));
    let expressions = [
        "d.getElementsByTagName('d').length",
        "String(d).length === String(d.cloneNode(true)).length",
    ];
    assert_eq!(values(&deep(200), &expressions), ["201", "true"]);
    // Events bring depth that no reader has bounded: it is text then.
    let text = chart(r#"<state id="s"><transition event="x"><log expr="typeof _event.data"/></transition></state>"#);
    let mut session = BENCH.begun(&text).0;
    assert_eq!(
        logged(&session.handle(&xml_event(&deep(5_000))).unwrap().step),
        ["string"]
    );
}

fn xml_event(markup: &str) -> Event {
    Event {
        xml: true,
        ..Event::external("x", Some(serde_json::Value::from(markup).to_string()))
    }
}

#[test]
fn xml_of_an_event_is_a_dom_object_and_hostile_xml_is_text() {
    let text = chart(
        r#"<state id="s"><transition event="x"><log expr="typeof _event.data === 'string' ? 'text' : _event.data.documentElement.getAttribute('b')"/>
           </transition></state>"#,
    );
    let mut session = BENCH.begun(&text).0;
    for (markup, seen) in [
        ("<a b='c'/>", "c"),
        ("<?xml version='1.0'?>\n<a b='&#65;'>&amp;</a>", "A"),
        ("<!DOCTYPE a [<!ENTITY e 'x'>]><a b='c'>&e;</a>", "text"),
        ("<a b='c'>&unknown;</a>", "text"),
        ("<a b='c'>", "text"),
        ("<a b='c'></b>", "text"),
        ("<a b='c' b='d'/>", "text"),
        ("", "text"),
        ("not xml", "text"),
    ] {
        let step = session
            .handle(&xml_event(markup))
            .unwrap_or_else(|f| panic!("{markup}: {f}"))
            .step;
        assert_eq!(logged(&step)[0], seen, "{markup}");
    }
}

fn sent(step: &Step) -> (Option<&str>, bool) {
    let Some(Command::Send(send)) = step.commands.first() else {
        panic!("{step:?}")
    };
    (send.data.as_deref(), send.xml)
}

#[test]
fn xml_that_is_sent_stays_xml_and_inside_an_object_it_is_its_markup() {
    let send = |content: &str| {
        chart(&format!(
            r##"<datamodel><data id="d"><a xmlns="" b="1"/></data></datamodel><state id="s"><transition event="go">{content}</transition></state>"##
        ))
    };
    let step = |content: &str| BENCH.begun(&send(content)).0.step("go", "");
    let whole = step(r##"<send event="e" delay="1s"><content expr="d"/></send>"##);
    assert_eq!(sent(&whole), (Some(r#""<a xmlns=\"\" b=\"1\"/>""#), true));
    let inline = step(r##"<send event="e" delay="1s"><content><q xmlns="urn:q"/></content></send>"##);
    assert_eq!(sent(&inline), (Some(r#""<q xmlns=\"urn:q\"/>""#), true));
    let inside = step(r##"<send event="e" delay="1s"><param name="p" expr="d"/></send>"##);
    assert_eq!(sent(&inside), (Some(r#"{"p":"<a xmlns=\"\" b=\"1\"/>"}"#), false));
}

#[test]
fn done_data_and_internal_events_carry_dom_objects() {
    let text = chart(
        r##"<state id="s"><state id="c"><transition event="go" target="f"/></state>
            <final id="f"><donedata><content><r xmlns="" v="7"/></content></donedata></final>
            <transition event="done.state.s"><log expr="_event.data.documentElement.getAttribute('v')"/>
              <send event="in" target="#_internal"><content><r xmlns="" v="8"/></content></send></transition>
            <transition event="in"><log expr="_event.data.documentElement.getAttribute('v')"/></transition></state>"##,
    );
    let mut session = BENCH.begun(&text).0;
    assert_eq!(logged(&session.step("go", "")), ["7", "8"]);
}

#[test]
fn the_raw_message_is_the_hosts_or_between_sessions_the_text_of_the_data() {
    let text = chart(
        r#"<state id="s"><transition event="*"><log expr="_event.raw"/><log expr="JSON.stringify(_event.data)"/></transition></state>"#,
    );
    let mut session = BENCH.begun(&text).0;
    let from_session = |name: &str, data: &str| Event {
        origintype: Some(pointsman_contract::SCXML_PROCESSOR.to_owned()),
        ..Event::external(name, Some(data.to_owned()))
    };
    let mut seen = |event: Event| logged(&session.handle(&event).expect("it goes on").step).join(" ");
    assert_eq!(
        seen(from_session("e", r#"{"Var1":[2,3]}"#)),
        r#"{"Var1":[2,3]} {"Var1":[2,3]}"#
    );
    assert_eq!(seen(Event::external("e", Some("1".into()))), "undefined 1");
    let raw = Event {
        raw: Some("POST / HTTP/1.1".into()),
        ..Event::external("e", Some("1".into()))
    };
    assert_eq!(seen(raw), "POST / HTTP/1.1 1");
}

#[test]
fn nodes_go_where_they_are_put_and_belong_to_the_document_that_they_are_in() {
    let cases = [
        (
            "(function () { var n = d.createElement('n'), e = d.documentElement; e.insertBefore(n, e.lastChild); e.replaceChild(n, e.firstChild); return e.children.map(function (c) { return c.tagName }).join() })()",
            "n,book,x:book",
        ),
        (
            "(function () { var t = d.createTextNode(1); t.data = 5; d.documentElement.appendChild(t); return String(d).slice(-9) })()",
            "5</books>",
        ),
        (
            "(function () { var c = d.cloneNode(true); return c.documentElement.ownerDocument === c && d.documentElement.ownerDocument === d })()",
            "true",
        ),
        (
            "(function () { var c = d.cloneNode(true), n = c.importNode(d.documentElement.lastChild, true); return n.ownerDocument === c })()",
            "true",
        ),
        (
            "(function () { var old = d.documentElement; return (d.replaceChild(d.createElement('root'), old) === old) + String(d) })()",
            "true<root/>",
        ),
        (
            "(function () { try { d.documentElement.replaceChild(d, d.documentElement.firstChild) } catch (e) { return e.name + d.documentElement.childNodes.length } })()",
            "HierarchyRequestError4",
        ),
    ];
    for (expression, expected) in cases {
        assert_eq!(values(BOOKS, &[expression]), [expected], "{expression}");
    }
}

/// As large as an event may be.
#[test]
fn xml_of_more_nodes_than_a_session_can_hold_is_text() {
    let text = chart(r#"<state id="s"><transition event="x"><log expr="typeof _event.data"/></transition></state>"#);
    let mut session = BENCH.begun(&text).0;
    for (markup, seen) in [
        (format!("<r>{}</r>", "<a/>x".repeat(12_000)), "string"),
        (format!("<r>{}</r>", "<a/>".repeat(15_000)), "string"),
        (format!("<r>{}</r>", "<a/>".repeat(5_000)), "object"),
    ] {
        let step = session
            .handle(&xml_event(&markup))
            .unwrap_or_else(|f| panic!("{f}"))
            .step;
        assert_eq!(logged(&step), [seen]);
    }
}

#[test]
fn a_stack_that_runs_out_on_the_way_to_xml_is_told_as_that() {
    let text = chart(
        r#"<script>function deep() { try { return deep(); } catch (e) { return _event.data; } }</script>
           <state id="s"><transition event="x"><script>deep()</script></transition><transition event="error"><log expr="_event.data.message"/></transition></state>"#,
    );
    let failure = BENCH.begun(&text).0.handle(&xml_event("<a b='c'/>"));
    let told = failure.map_or_else(|f| f.to_string(), |o| logged(&o.step).join(" "));
    assert!(
        !told.contains("out of memory") && !told.contains("out-of-memory"),
        "{told}"
    );
}

#[test]
fn an_operator_sees_that_there_is_xml_and_nothing_runs_for_it() {
    let text = chart(r#"<datamodel><data id="d"><a xmlns=""/></data></datamodel><state id="s"/>"#);
    let shown = BENCH.begun(&text).0.inspect().expect("it shows").datamodel;
    assert_eq!(shown, r#"{"d":"[XML]"}"#);
}
