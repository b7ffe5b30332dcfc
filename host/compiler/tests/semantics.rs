//! What W3C's tests leave open, or cannot see: values, texts, errors, reads, and what an operator is shown.

mod common;

use common::{Bench, Session, T0, chart, escaped, logged, on_go, options};
use pointsman_compiler::Form;
use pointsman_contract::{Command, Event, Moment, TraceEntry};
use pointsman_sandbox::{Answer, Reads};
use std::sync::LazyLock;

static BENCH: LazyLock<Bench> = LazyLock::new(|| Bench::new(options(32)));

/// A session that logs the value of `expr` at every event `go`, and where an error was and what it said.
fn logging(expr: &str) -> Session {
    let text = chart(&format!(
        r#"<datamodel><data id="kept"/></datamodel><state id="s">
<transition event="go"><log expr="{}"/></transition>
<transition event="error.*"><log label="error" expr="_event.name + ' ' + _event.data.message + ' @ ' + _event.data.at"/></transition>
</state>"#,
        escaped(expr)
    ));
    BENCH.begun(&text).0
}

fn value_of(expr: &str, data: &str) -> String {
    let step = logging(expr).step("go", data);
    assert_eq!(step.log.len(), 1, "{expr}: {step:?}");
    step.log[0].text.clone()
}

fn datamodel(session: &mut Session) -> serde_json::Value {
    let shown = session.inspect().expect("it shows").datamodel;
    serde_json::from_str(&shown).unwrap_or_else(|e| panic!("{e}: {shown}"))
}

#[test]
fn start_parameters_replace_the_values_of_top_level_data() {
    let strategy = BENCH.strategy(&chart(
        r#"<datamodel><data id="a" expr="1"/><data id="b" expr="2"/><data id="list"/><data id="constructor" expr="'mine'"/></datamodel>
           <state id="s"><datamodel><data id="inner" expr="3"/></datamodel></state>"#,
    ));
    for (params, expected) in [
        ("", r#"{"a":1,"b":2,"list":"undefined","constructor":"mine","inner":3}"#),
        (
            "{}",
            r#"{"a":1,"b":2,"list":"undefined","constructor":"mine","inner":3}"#,
        ),
        (
            r#"{"a":"x","list":[1,{"y":null}],"inner":9,"unknown":1}"#,
            r#"{"a":"x","b":2,"list":[1,{"y":null}],"constructor":"mine","inner":3}"#,
        ),
        (
            r#"{"b":null}"#,
            r#"{"a":1,"b":null,"list":"undefined","constructor":"mine","inner":3}"#,
        ),
        (
            "[1]",
            r#"{"a":1,"b":2,"list":"undefined","constructor":"mine","inner":3}"#,
        ),
    ] {
        let mut session = BENCH.session(&strategy);
        session.start(params).unwrap_or_else(|f| panic!("{params}: {f}"));
        let expected: serde_json::Value = serde_json::from_str(expected).expect("JSON");
        assert_eq!(datamodel(&mut session), expected, "{params}");
    }
    let failure = BENCH.session(&strategy).start("{").expect_err("no JSON");
    assert_eq!(failure.code.as_str(), "start");
    assert!(
        failure.message.starts_with("start parameters: SyntaxError"),
        "{failure}"
    );
}

/// The engine binds literals when it is deployed; nobody may notice.
#[test]
fn data_that_are_literals_behave_as_if_they_were_evaluated_at_every_start() {
    for (binding, items, inner, expected) in [
        // An expression sees no later item, also when that is a literal.
        (
            "early",
            r#"<data id="a" expr="1"/><data id="seen" expr="typeof a + typeof b"/><data id="b" expr="2"/>"#,
            "",
            r#"{"a":1,"seen":"numberundefined","b":2}"#,
        ),
        // Two of one id are one variable.
        (
            "early",
            r#"<data id="a" expr="1"/><data id="a" expr="a + 1"/>"#,
            "",
            r#"{"a":2}"#,
        ),
        ("early", r#"<data id="a" expr="5"/><data id="a"/>"#, "", r#"{"a":5}"#),
        (
            "late",
            r#"<data id="a" expr="5"/>"#,
            r#"<datamodel><data id="a" expr="6"/></datamodel>"#,
            r#"{"a":5}"#,
        ),
        (
            "early",
            r#"<data id="a" expr='{"\u005f_proto__": {"x": 1}}'/><data id="own" expr="Object.keys(a).length"/>"#,
            "",
            r#"{"a":{},"own":0}"#,
        ),
        // A literal's `__proto__` is its prototype.
        (
            "early",
            r#"<data id="a" expr='{"__proto__": {"x": 1}}'/><data id="own" expr="Object.keys(a).length + a.x"/>"#,
            "",
            r#"{"a":{},"own":1}"#,
        ),
        // An item of an inner state has no value before that is entered, where binding is late.
        (
            "late",
            r#"<data id="a" expr="1"/>"#,
            r#"<datamodel><data id="late" expr="3"/></datamodel>"#,
            r#"{"a":1,"late":"undefined"}"#,
        ),
        (
            "early",
            r#"<data id="a" expr="1"/>"#,
            r#"<datamodel><data id="late" expr="3"/></datamodel>"#,
            r#"{"a":1,"late":3}"#,
        ),
        // What a name of the language's own is given, it does not take.
        (
            "early",
            r#"<data id="NaN" expr="1"/><data id="errors" expr="0"/>"#,
            "",
            r#"{"NaN":null,"errors":0}"#,
        ),
    ] {
        let text = chart(&format!(
            r#"<datamodel>{items}</datamodel><state id="s"/><state id="never">{inner}</state>"#
        ))
        .replacen("<scxml ", &format!("<scxml binding='{binding}' "), 1);
        let mut session = BENCH.begun(&text).0;
        let expected: serde_json::Value = serde_json::from_str(expected).expect("JSON");
        assert_eq!(datamodel(&mut session), expected, "{text}");
    }
}

#[test]
fn a_literal_that_cannot_be_set_is_an_error_as_any_other_value_is() {
    for value in ["1", "0+1"] {
        let text = chart(&format!(
            r#"<datamodel><data id="class" expr="{value}"/></datamodel><state id="s">
               <transition event="error.execution"><log expr="_event.data.message"/></transition></state>"#
        ));
        let (_, step) = BENCH.begun(&text);
        let log = logged(&step);
        assert!(log.len() == 1 && log[0].contains("class"), "{value}: {log:?}");
    }
}

#[test]
fn errors_of_a_document_are_told_without_a_trace_too_but_not_without_end() {
    let text = chart(
        r#"<state id="s"><transition event="go"><script>throw new Error('boom')</script></transition>
           <transition event="many"><foreach array="new Array(100).fill(0)" item="i"><if cond="nothing"/></foreach></transition></state>"#,
    );
    let mut session = BENCH.begun(&text).0;
    let step = session.quiet("go");
    assert!(
        matches!(&step.trace[..], [TraceEntry::Failed(what)] if what.contains("Error: boom")),
        "{step:?}"
    );
    assert_eq!(session.quiet("many").trace.len(), 20);
}

#[test]
fn a_session_whose_invocation_is_over_leaves_its_states_and_is_done() {
    let text = chart(
        r#"<state id="outer"><onexit><log expr="'outer left'"/></onexit>
             <state id="inner"><onexit><log expr="'inner left'"/><raise event="again"/></onexit></state>
             <transition event="*" target="other"/></state><state id="other"><onentry><log expr="'not reached'"/></onentry></state>"#,
    );
    let mut session = BENCH.begun(&text).0;
    let cancel = Event::platform(pointsman_contract::CANCEL_EVENT, None);
    let step = session.handle(&cancel).expect("it may").step;
    assert_eq!(logged(&step), ["inner left", "outer left"]);
    assert!(step.done.is_some(), "{step:?}");
}

#[test]
fn sessions_of_one_strategy_share_no_data() {
    let strategy = BENCH.strategy(&chart(
        r#"<datamodel><data id="list" expr="[1]"/><data id="object">{"n": 1}</data></datamodel>
           <state id="s"><transition event="go"><script>list.push(2); object.n++</script></transition></state>"#,
    ));
    let expected = [
        serde_json::json!({"list": [1], "object": {"n": 1}}),
        serde_json::json!({"list": [1, 2], "object": {"n": 2}}),
    ];
    for _ in 0..2 {
        let mut session = BENCH.session(&strategy);
        session.start("").expect("it begins");
        assert_eq!(datamodel(&mut session), expected[0]);
        session.step("go", "");
        assert_eq!(datamodel(&mut session), expected[1]);
    }
}

#[test]
fn ioprocessors_are_the_hosts_whatever_a_script_does_before_it_looks() {
    let spoilt = "(Object.keys = Object.freeze = () => { throw 1 }, JSON.parse = () => 1, \
                  Object.isFrozen(_ioprocessors) + ' ' + (_ioprocessors === _ioprocessors) + ' ' + \
                  typeof _ioprocessors['http://www.w3.org/TR/scxml/#SCXMLEventProcessor'].location)";
    assert_eq!(value_of(spoilt, ""), "true true string");
}

#[test]
fn event_looks_like_an_ordinary_object() {
    for (expr, data, expected) in [
        (
            "JSON.stringify(_event)",
            r#"{"a":[1]}"#,
            r#"{"name":"go","type":"external","data":{"a":[1]}}"#,
        ),
        ("JSON.stringify(_event)", "", r#"{"name":"go","type":"external"}"#),
        (
            "'data' in _event && 'origin' in _event && 'sendid' in _event",
            "",
            "true",
        ),
        ("_event.data === undefined", "", "true"),
        ("_event.data === null", "null", "true"),
        ("_event.data === _event.data && _event === _event", r#"{"a":1}"#, "true"),
        ("_event.data.a.b.c", r#"{"a":{"b":{"c":"deep"}}}"#, "deep"),
        ("typeof _event.data + _event.data.length", r#""text""#, "string4"),
        ("Object.keys(_event).join()", "1", "name,type,data"),
        ("_event.data", "not JSON", "not JSON"),
        ("(_event.data.added = 1, _event.data.added)", "{}", "1"),
    ] {
        assert_eq!(value_of(expr, data), expected, "{expr} of {data}");
    }
    for forbidden in [
        "_event = 1",
        "_event.name = 'x'",
        "_sessionid = 1",
        "delete _event.name",
    ] {
        let text = format!("(function() {{ 'use strict'; {forbidden}; }})()");
        let step = logging(&text).step("go", "1");
        assert!(
            logged(&step)[0].starts_with("error.execution TypeError"),
            "{forbidden}: {step:?}"
        );
    }
}

#[test]
fn an_event_that_was_kept_stays_what_it_was() {
    let mut session = logging("(kept ? kept.name + kept.data.n : 'none') + (kept = _event).type");
    assert_eq!(logged(&session.step("go", r#"{"n":1}"#)), ["noneexternal"]);
    session.step("other", r#"{"n":9}"#);
    // The first read of its data is long after its event.
    assert_eq!(logged(&session.step("go", r#"{"n":2}"#)), ["go1external"]);
    assert_eq!(logged(&session.step("go", r#"{"n":3}"#)), ["go2external"]);
}

/// Answers with the key, except for what it refuses.
struct Lists;

impl Reads for Lists {
    fn read(&mut self, source: &str, key: &str) -> Result<String, String> {
        match key {
            "secret" => Err(format!("no `{key}` in {source}: ü%s%n")),
            "huge" => Ok(format!("{:?}", "x".repeat(40_000))),
            "broken" => Ok("{".into()),
            other => Ok(format!(r#"{{"got":{other:?}}}"#)),
        }
    }
}

#[test]
fn reads_answer_with_values_and_are_recorded_in_order() {
    let attempt = |key: &str| {
        format!(
            "(function() {{ try {{ return Pointsman.read('list', '{key}').got; }} catch (e) {{ return e.message; }} }})()"
        )
    };
    let keys = ["vip", "secret", "huge", "broken", "grüße"];
    let logs: String = keys
        .iter()
        .map(|k| format!(r#"<log expr="{}"/>"#, attempt(k)))
        .collect();
    let strategy = BENCH.strategy(&chart(&format!(r#"<state id="s"><onentry>{logs}</onentry></state>"#)));
    let mut session = BENCH.session(&strategy);
    let moment = Moment {
        now_ms: T0,
        seed: 1,
        trace: false,
    };
    let outcome = session.start_at(moment, "", &mut Lists).expect("it starts");
    let too_large = "the value of `huge` in `list` is larger than 32768 bytes";
    assert_eq!(
        logged(&outcome.step),
        [
            "vip",
            "no `secret` in list: ü%s%n",
            too_large,
            "the host's answer is not JSON",
            "grüße"
        ]
    );
    let answer = |key: &str, answer: Result<&str, &str>| Answer {
        source: "list".into(),
        key: key.into(),
        answer: answer.map(Into::into).map_err(Into::into),
    };
    assert_eq!(
        outcome.answers,
        [
            answer("vip", Ok(r#"{"got":"vip"}"#)),
            answer("secret", Err("no `secret` in list: ü%s%n")),
            answer("huge", Err(too_large)),
            answer("broken", Ok("{")),
            answer("grüße", Ok(r#"{"got":"grüße"}"#)),
        ]
    );
    assert_eq!(session.event("nothing", "").expect("it goes on").answers, []);
}

#[test]
fn expressions_that_are_no_expressions_load_with_a_warning_and_fail_when_reached() {
    for bad in [
        "1);f(2",
        "1; 2",
        "var x = 1",
        "}",
        "(",
        "1 +",
        "if (true) 1",
        "// comment",
        "1]; [2",
    ] {
        let text = on_go(&format!(r#"<log expr="{}"/>"#, escaped(bad)));
        let warnings = BENCH.compile(&text, Form::Image).warnings;
        assert_eq!(warnings.len(), 1, "`{bad}`");
        assert_eq!(warnings[0].code, "invalid-expression");
        let step = logging(bad).step("go", "");
        assert_eq!(step.log.len(), 1, "`{bad}`: {step:?}");
        assert_eq!(step.log[0].label.as_deref(), Some("error"), "`{bad}`: {step:?}");
        assert!(step.log[0].text.starts_with("error.execution"), "`{bad}`: {step:?}");
    }
    for (good, value) in [
        ("{a: 1}.a", "1"),
        ("1, 2", "2"),
        ("'a' // comment", "a"),
        ("function() { return 1; }()", "1"),
    ] {
        assert_eq!(value_of(good, ""), value, "{good}");
    }
}

#[test]
fn error_events_and_the_trace_say_what_failed_and_where() {
    let mut session = logging("nobody.knows");
    let step = session.step("go", "");
    let message = "error.execution ReferenceError: nobody is not defined @ chart.scxml:2:";
    assert!(step.log[0].text.starts_with(message), "{step:?}");
    let failed: Vec<&String> = step
        .trace
        .iter()
        .filter_map(|t| match t {
            TraceEntry::Failed(text) => Some(text),
            _ => None,
        })
        .collect();
    assert!(
        failed[0].starts_with("chart.scxml:2:") && failed[0].ends_with("nobody is not defined"),
        "{failed:?}"
    );
}

#[test]
fn log_levels_are_those_of_ors() {
    let text = on_go(
        r#"<log expr="'none'"/><log expr="1" level="1"/><log expr="2" level="2"/><log expr="3" level="3"/><log label="l" expr="4" level="4"/>"#,
    );
    let step = BENCH.begun(&text).0.step("go", "");
    let levels: Vec<(u8, &str)> = step.log.iter().map(|l| (l.level, l.text.as_str())).collect();
    assert_eq!(levels, [(0, "none"), (1, "1"), (2, "2"), (3, "3"), (4, "4")]);
    assert_eq!(step.log[4].label.as_deref(), Some("l"));
}

#[test]
fn log_texts_are_the_text_of_strings_and_the_json_of_objects() {
    for (expr, text) in [
        ("'a\"b'", "a\"b"),
        ("({a: 'x', b: [1, null]})", r#"{"a":"x","b":[1,null]}"#),
        ("undefined", "undefined"),
        ("null", "null"),
        ("1.5", "1.5"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("123n", "123"),
        ("new Date(0)", "\"1970-01-01T00:00:00.000Z\""),
        (
            "(function() { var a = []; a.push(a); return a; })()",
            "TypeError: circular reference",
        ),
        (
            "(function() { var o = {}; o.o = o; return o; })()",
            "TypeError: circular reference",
        ),
        ("(function f() { return 1; })", "function f() { return 1; }"),
        ("'grüße 日本 😀'", "grüße 日本 😀"),
        ("'a\\u0000b'", "a\0b"),
        ("'\\ud800'.length", "1"),
    ] {
        assert_eq!(value_of(expr, ""), text, "{expr}");
    }
}

#[test]
fn donedata_is_json() {
    for (inside, expected) in [
        ("", None),
        (r#"<donedata><content expr="[1, 'x']"/></donedata>"#, Some(r#"[1,"x"]"#)),
        (
            r#"<donedata><content>{"a": 1}</content></donedata>"#,
            Some(r#"{"a":1}"#),
        ),
        (r#"<donedata><content expr="undefined"/></donedata>"#, None),
        (
            r#"<donedata><param name="a" expr="1"/><param name="b" expr="'ü'"/></donedata>"#,
            Some(r#"{"a":1,"b":"ü"}"#),
        ),
        (
            r#"<donedata><param name="a" expr="nobody.knows"/><param name="b" expr="2"/></donedata>"#,
            Some(r#"{"b":2}"#),
        ),
    ] {
        let (_, step) = BENCH.begun(&chart(&format!(r#"<final id="end">{inside}</final>"#)));
        let done = step.done.unwrap_or_else(|| panic!("{inside}: no end"));
        assert_eq!(done.data.as_deref(), expected, "{inside}");
        assert_eq!(step.active, Some(vec!["end".to_owned()]));
    }
}

#[test]
fn inspect_shows_values_that_json_cannot_carry_as_their_text_and_changes_nothing() {
    let text = chart(
        r#"<datamodel>
 <data id="f" expr="function() { return 'a\u0301\u0000'; }"/><data id="nothing"/><data id="cycle" expr="[1]"/><data id="big" expr="12n"/>
 <data id="odd" expr="'\u0000\u0007\u0301\u200b&quot;\\'"/><data id="hidden" expr="({ toJSON: function() { throw new Error('no'); } })"/>
</datamodel><script>cycle.push(cycle)</script><state id="outer"><state id="grüße"/></state>"#,
    );
    let (mut session, _) = BENCH.begun(&text);
    let expected = serde_json::json!({
        "f": r"function() { return 'a\u0301\u0000'; }",
        "nothing": "undefined",
        "cycle": [1, "[circular]"],
        "big": "12",
        "odd": "\0\u{7}\u{301}\u{200b}\"\\",
        "hidden": {},
    });
    assert_eq!(datamodel(&mut session), expected);
    assert_eq!(datamodel(&mut session), expected);
    assert_eq!(session.inspect().expect("it shows").configuration, ["outer", "grüße"]);
    session.step("next", "");
}

#[test]
fn looking_at_a_session_that_is_nearly_full_does_not_end_it() {
    // As a value 6 MiB fit; as JSON beside it they do not.
    let text = on_go("<script>kept = 'x'.repeat(6 * 1024 * 1024) + n;</script>");
    let (mut session, _) = BENCH.begun(&text);
    session.step("go", "");
    session.inspect().expect("it shows");
    assert_eq!(logged(&session.step("count", "")), ["1"]);
}

#[test]
fn unicode_and_nul_pass_through_ids_data_and_commands() {
    let text = chart(
        r##"<datamodel><data id="größe" expr="'é'"/></datamodel><state id="zustand-ä"><transition event="ереход.*" target="日本">
<log label="метка" expr="größe + _event.data.k + In('zustand-ä') + In('日本')"/>
<send id="id-ü" event="événement" target="#_scxml_другой"><param name="ключ" expr="_event.data.k"/></send></transition></state><state id="日本"/>"##,
    );
    let strategy = BENCH.strategy(&text);
    let mut session = BENCH.session(&strategy);
    session.start("").expect("it starts");
    // `#_scxml_` asks whether that session lives; here none does.
    let step = session.step("ереход.ä", r#"{"k":"a\u0000b😀"}"#);
    assert_eq!(logged(&step), ["éa\0b😀falsefalse"]);
    assert_eq!(step.log[0].label.as_deref(), Some("метка"));
    assert_eq!(step.active, Some(vec!["日本".to_owned()]));
    assert!(
        step.trace.contains(&TraceEntry::Event("error.communication".into())),
        "{step:?}"
    );
    let text = on_go(r#"<send id="id-ü" event="événement"><param name="ключ" expr="_event.data.k"/></send>"#);
    let step = BENCH.begun(&text).0.step("go", r#"{"k":"a\u0000b😀"}"#);
    let [Command::Send(send)] = &step.commands[..] else {
        panic!("{step:?}")
    };
    assert_eq!((send.id.as_deref(), send.event.as_str()), (Some("id-ü"), "événement"));
    let data: serde_json::Value = serde_json::from_str(send.data.as_deref().expect("data")).expect("JSON");
    assert_eq!(data, serde_json::json!({"ключ": "a\0b😀"}));
}

#[test]
fn the_largest_event_arrives_whole() {
    let data = format!("{:?}", "x".repeat(65_000));
    assert_eq!(value_of("_event.data.length", &data), "65000");
    let long = format!("go.{}", "n".repeat(60_000));
    let mut session = logging("_event.name.length");
    assert_eq!(logged(&session.step(&long, "")), ["60003"]);
}

#[test]
fn fields_of_an_event_arrive() {
    let mut event = Event::platform("go", None);
    event.sendid = Some("s".into());
    event.origin = Some("o".into());
    event.origintype = Some("t".into());
    event.invokeid = Some("i".into());
    let mut session = logging("JSON.stringify(_event)");
    let step = session.handle(&event).expect("it goes on").step;
    assert_eq!(
        logged(&step),
        [r#"{"name":"go","type":"platform","sendid":"s","origin":"o","origintype":"t","invokeid":"i"}"#]
    );
}

/// What a session with this content logs at `go`, its errors included, and then that it still counts.
fn goes_on(content: &str) -> Vec<String> {
    let text = on_go(content).replace(
        "</state>",
        r#"<transition event="error.*"><log label="error" expr="_event.name + ' ' + _event.data.message"/></transition></state>"#,
    );
    let (mut session, _) = BENCH.begun(&text);
    let step = session.step("go", "");
    assert_eq!(logged(&session.step("count", "")), ["1"], "{content}");
    step.log.into_iter().map(|l| l.text).collect()
}

#[test]
fn what_an_author_throws_is_an_error_whatever_it_says() {
    for (thrown, text) in [
        ("new Error('stack overflow')", "Error: stack overflow"),
        (
            "new Error('Maximum call stack size exceeded')",
            "Error: Maximum call stack size exceeded",
        ),
        ("'Maximum call stack size exceeded'", "Maximum call stack size exceeded"),
        ("new RangeError('stack overflow')", "RangeError: stack overflow"),
        ("{ toString: function() { throw 1; } }", "an exception that has no text"),
        ("Object.create(null)", "an exception that has no text"),
        ("null", "null"),
    ] {
        let log = goes_on(&format!("<script>throw {}</script>", escaped(thrown)));
        assert_eq!(log, [format!("error.execution {text}")], "{thrown}");
    }
}

#[test]
fn a_final_that_is_reached_stays_reached_whatever_its_data() {
    for inside in [
        r#"<content expr="12n"/>"#,
        r#"<content expr="(function() { var a = []; a.push(a); return a; })()"/>"#,
        r#"<param name="a" expr="12n"/>"#,
        r#"<content expr="({ toJSON: function() { throw new Error('no'); } })"/>"#,
    ] {
        let (_, step) = BENCH.begun(&chart(&format!(
            r#"<state id="s"><onentry><send event="kept"/></onentry><transition target="end"/></state>
<final id="end"><donedata>{inside}</donedata></final>"#
        )));
        assert_eq!(step.done.as_ref().expect("the end").data, None, "{inside}");
        assert_eq!(step.commands.len(), 1, "{inside}: {step:?}");
        assert!(
            step.trace.iter().any(|t| matches!(t, TraceEntry::Failed(_))),
            "{inside}: {step:?}"
        );
    }
}

#[test]
fn data_of_a_top_level_final_are_worked_out_after_everything_was_left() {
    let (_, step) = BENCH.begun(&chart(
        r#"<datamodel><data id="n" expr="1"/></datamodel><final id="end">
<onexit><assign location="n" expr="n + 1"/></onexit><donedata><param name="n" expr="n"/></donedata></final>"#,
    ));
    assert_eq!(step.done.expect("the end").data.as_deref(), Some(r#"{"n":2}"#));
}

#[test]
fn the_data_of_done_events_share_no_objects_with_the_session() {
    let (mut session, _) = BENCH.begun(&chart(
        r#"<datamodel><data id="o" expr="({ n: 1 })"/></datamodel><state id="p" initial="a">
<state id="a"><transition event="go" target="f"/></state>
<final id="f"><donedata><content expr="o"/></donedata></final>
<transition event="done.state.p"><script>_event.data.n = 2</script><log expr="o.n + ' ' + _event.data.n"/></transition></state>"#,
    ));
    assert_eq!(logged(&session.step("go", "")), ["1 2"]);
}

#[test]
fn nothing_of_an_author_runs_while_a_chart_is_deployed() {
    for bad in [
        "x=1}); for(;;); (function(_v_){ y",
        "x=1}; for(;;); function g(_v_){ y",
        "n = kept",
        "n=5; kept",
        "n, kept",
        "n)]; for(;;); [(n",
        "n]); for(;;); ([n",
        "n + kept",
        "n ? n : kept",
        "n++",
        "[n]",
        "{n}",
        "1",
        "function() {}",
        "`${n}`",
    ] {
        let location = escaped(bad);
        let text = on_go(&format!(r#"<assign location="{location}" expr="1"/>"#));
        assert_eq!(BENCH.compile(&text, Form::Image).warnings.len(), 1, "`{bad}`");
        let log = goes_on(&format!(r#"<assign location="{location}" expr="1"/>"#));
        assert!(
            log.len() == 1 && log[0].starts_with("error.execution"),
            "`{bad}`: {log:?}"
        );
        let log = goes_on(&format!(r#"<foreach array="[1]" item="{location}"/>"#));
        assert!(
            log.len() == 1 && log[0].starts_with("error.execution"),
            "`{bad}`: {log:?}"
        );
    }
    for good in [
        "kept",
        "(kept)",
        "globalThis['kept']",
        "kept // it",
        "(function() { return globalThis; })().kept",
    ] {
        let log = goes_on(&format!(r#"<assign location="{good}" expr="7"/><log expr="kept"/>"#));
        assert_eq!(log, ["7"], "{good}");
    }
}

#[test]
fn a_promise_job_that_throws_is_an_error_and_the_others_run() {
    let log = goes_on(
        r#"<script>queueMicrotask(function() { throw new Error('first'); });
queueMicrotask(function() { throw new Error('second'); }); queueMicrotask(function() { kept = 'ran'; });</script>"#,
    );
    assert_eq!(log, ["error.execution Error: first", "error.execution Error: second"]);
}

#[test]
fn system_variables_cannot_be_changed() {
    for content in [
        r#"<foreach array="[1]" item="_sessionid"/>"#,
        r#"<foreach array="[1]" item="kept" index="_name"/>"#,
        r#"<foreach array="[1]" item="_event"/>"#,
        r#"<foreach array="[1]" item="_x"/>"#,
        r#"<assign location="_ioprocessors" expr="1"/>"#,
        r#"<assign location="_event" expr="1"/>"#,
        r#"<assign location="_event.name" expr="1"/>"#,
        r#"<assign location="_event.added" expr="1"/>"#,
        r#"<assign location="Object.getPrototypeOf(_event).origin" expr="1"/>"#,
        r#"<assign location="_ioprocessors['http://www.w3.org/TR/scxml/#SCXMLEventProcessor'].location" expr="1"/>"#,
        r#"<assign location="_ioprocessors.added" expr="1"/>"#,
        r#"<assign location="_x.added" expr="1"/>"#,
    ] {
        let log = goes_on(&format!(r#"{content}<log expr="'not reached'"/>"#));
        assert!(
            log.len() == 1 && log[0].starts_with("error.execution"),
            "{content}: {log:?}"
        );
    }
    let text = chart(
        r#"<datamodel><data id="_sessionid" expr="1"/><data id="public" expr="2"/></datamodel><state id="s"><transition event="go"><log expr="_sessionid + public"/></transition></state>"#,
    );
    assert_eq!(
        logged(&BENCH.begun(&text).0.step("go", "")),
        [format!("{}2", common::start_info("").session_id)]
    );
}

#[test]
fn a_script_in_executable_content_may_declare_what_it_likes_every_time() {
    let (mut session, _) = BENCH.begun(&on_go(
        r#"<script>let a = 1; const b = 2; class C {} var v = a + b + n; function f() { return v; } kept = typeof C;</script>
<log expr="f() + ' ' + v + ' ' + kept + ' ' + typeof a + typeof C"/>"#,
    ));
    assert_eq!(logged(&session.step("go", "")), ["3 3 function undefinedundefined"]);
    session.step("count", "");
    assert_eq!(logged(&session.step("go", "")), ["4 4 function undefinedundefined"]);
    // At the top level, where a script runs once, they are the document's.
    let text = chart(
        r#"<script>let limit = 3; const name = 'x'; class K {}</script><state id="s"><transition event="go"><log expr="limit + name + typeof K"/></transition></state>"#,
    );
    assert_eq!(logged(&BENCH.begun(&text).0.step("go", "")), ["3xfunction"]);
}

#[test]
fn equal_expressions_have_places_of_their_own_and_an_error_of_send_has_the_place_of_the_send() {
    let text = chart(
        r#"<state id="s">
<transition event="a"><log expr="nobody.knows"/></transition>
<transition event="b"><log expr="'b'"/></transition>
<transition cond="nobody.knows" event="c"/>
<transition event="d">
<send event="e" idlocation="got" delay="later"/></transition>
<transition event="error.*"><log expr="_event.data.at"/></transition></state>"#,
    )
    .replace(
        "<state id=\"s\">",
        "<datamodel><data id=\"got\"/></datamodel><state id=\"s\">",
    );
    let (mut session, _) = BENCH.begun(&text);
    assert!(logged(&session.step("a", ""))[0].starts_with("chart.scxml:2:"));
    assert!(logged(&session.step("c", ""))[0].starts_with("chart.scxml:4:"));
    assert!(logged(&session.step("d", ""))[0].starts_with("chart.scxml:6:"));
}

#[test]
fn looking_at_a_session_asks_nothing_of_the_host_and_shows_a_bounded_text() {
    let text = chart(
        r#"<datamodel><data id="asks" expr="({ toJSON: function() { return Pointsman.read('list', 'x'); } })"/>
<data id="long" expr="'ä'.repeat(400000)"/></datamodel><state id="s"/>"#,
    );
    let shown = datamodel(&mut BENCH.begun(&text).0);
    assert_eq!(shown["asks"], serde_json::json!({}));
    let long = shown["long"].as_str().expect("text");
    assert!(
        long.len() < 263_000 && long.ends_with("ä... (800000 bytes)"),
        "{}",
        long.len()
    );
}

#[test]
fn the_null_datamodel_runs_on_the_in_predicate() {
    let text = chart(
        r#"<state id="s"><transition event="go" cond="In(other)" target="wrong"/><transition event="go" cond="In('s')" target="other"/></state>
<state id="other"/><state id="wrong"/>"#,
    )
    .replace("ecmascript", "null");
    assert_eq!(
        BENCH.begun(&text).0.step("go", "").active,
        Some(vec!["other".to_owned()])
    );
}
