//! The environment that scripts of ORS find (ORS "SCXML language reference", extensions).

mod common;

use common::{Bench, Session, T0, escaped, logged, options};
use pointsman_contract::{Command, FailureCode, Moment, Step};
use pointsman_sandbox::Reads;
use std::sync::LazyLock;

static BENCH: LazyLock<Bench> = LazyLock::new(|| Bench::new(options(8)));

/// A document of ORS around what is given.
fn workflow(attributes: &str, inside: &str) -> String {
    format!(
        r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:ixn="http://www.genesyslab.com/modules/interaction"
             version="1.0" profile="ecmascript" {attributes}>{inside}</scxml>"#
    )
}

/// One that runs `content` at every event `go`, and logs what went wrong.
fn on_go(content: &str) -> String {
    workflow(
        "",
        &format!(
            r#"<datamodel><data id="a" expr="1"/><data id="list" expr="[]"/></datamodel><state id="s">
               <transition event="go">{content}</transition>
               <transition event="error"><log label="error" expr="_event.name + ' ' + _event.data.message"/></transition></state>"#
        ),
    )
}

fn values(expressions: &[&str], event_data: &str) -> Vec<String> {
    let logs: String = expressions
        .iter()
        .map(|e| format!(r#"<log expr="{}"/>"#, escaped(e)))
        .collect();
    let step = BENCH.begun(&on_go(&logs)).0.step("go", event_data);
    assert_eq!(step.log.len(), expressions.len(), "{step:?}");
    logged(&step).into_iter().map(str::to_owned).collect()
}

#[test]
fn to_source_writes_values_as_spidermonkey_does() {
    let cases = [
        (
            "({a: 1, 'b c': [true, null, undefined, 'x\"y']}).toSource()",
            r#"({a:1, 'b c':[true, null, (void 0), "x\"y"]})"#,
        ),
        ("[1, {a: {b: 2}}].toSource()", "[1, {a:{b:2}}]"),
        ("'it'.toSource()", r#"(new String("it"))"#),
        ("(5).toSource()", "(new Number(5))"),
        ("true.toSource()", "(new Boolean(true))"),
        ("new Date(5).toSource()", "(new Date(5))"),
        ("/a+/g.toSource()", "/a+/g"),
        ("new Error('no').toSource()", r#"(new Error("no"))"#),
        ("(function () { return 1 }).toSource()", "(function () { return 1 })"),
        (
            "(function () { var o = {}; o.o = o; return o.toSource() })()",
            "({o:{}})",
        ),
        ("uneval('é')", "\"\\u00E9\""),
        ("_event.toSource()", r#"({name:"go", type:"external", data:{k:1}})"#),
        ("eval('(' + _event.data.toSource() + ')').k", "1"),
        (
            "(function () { for (var k in {a: 1}) { if (k != 'a') return k } return 'none' })()",
            "none",
        ),
    ];
    let expressions: Vec<_> = cases.iter().map(|c| c.0).collect();
    for ((expression, expected), value) in cases.iter().zip(values(&expressions, r#"{"k":1}"#)) {
        assert_eq!(value, *expected, "{expression}");
    }
}

#[test]
fn data_items_are_members_of_data_and_variables_at_once() {
    let step = BENCH
        .begun(&on_go(
            r#"<assign location="_data.a" expr="_data.a + 1"/><log expr="a"/><script>a = 5; _data.list.push(a); _data.other = 1;</script>
               <log expr="_data.a + ' ' + list + ' ' + typeof _data.none + ' ' + _data.other"/>"#,
        ))
        .0
        .step("go", "");
    assert_eq!(logged(&step), ["2", "5 5 undefined 1"]);
}

#[test]
fn start_parameters_arrive_in_data() {
    let mut session = BENCH.session(&BENCH.strategy(&on_go(r#"<log expr="_data.a + '/' + _data.list.length"/>"#)));
    session
        .start(r#"{"a":"given","list":[1,2],"unknown":3}"#)
        .expect("it starts");
    assert_eq!(logged(&session.step("go", "")), ["given/2"]);
}

#[test]
fn what_one_script_declares_all_of_the_session_sees() {
    let text = workflow(
        "",
        r#"<script>function twice(x) { return 2 * x }</script>
           <parallel id="p"><state id="one"><onentry><script>var App_X = {n: 1};</script></onentry></state>
           <state id="two"><transition event="go" cond="App_X.n == 1"><script>var App_X = {n: twice(21)};</script><log expr="App_X.n"/></transition></state></parallel>"#,
    );
    assert_eq!(logged(&BENCH.begun(&text).0.step("go", "")), ["42"]);
}

#[test]
fn scripts_log_and_raise_in_the_order_of_what_else_happens() {
    let text = on_go(
        r#"<raise event="first"/><log expr="'a'"/><script>__Log('b', 'label', 3); __Raise('second', {x: [1]}); __Log({y: 1});</script>
           <raise event="third"/><log expr="'c'"/><log expr="__GetQueuedEvents().join()"/><log expr="__GetCurrentStates().join()"/>
           <log expr="__GetDocumentURL() + ' ' + __GetDocumentType()"/>"#,
    )
    .replace(
        r#"<transition event="error">"#,
        r#"<transition event="first second third"><log expr="_event.name + (_event.data ? _event.data.x[0] : '')"/></transition><transition event="error">"#,
    );
    let step = BENCH.begun(&text).0.step("go", "");
    assert_eq!(
        logged(&step),
        [
            "a",
            "b",
            r#"{"y":1}"#,
            "c",
            "first,second,third",
            "s",
            "chart.scxml scxml",
            "first",
            "second1",
            "third"
        ]
    );
    assert_eq!((step.log[1].label.as_deref(), step.log[1].level), (Some("label"), 3));
}

#[test]
fn a_limit_that_is_broken_in_a_function_ends_the_session_although_the_script_catches() {
    for (script, code) in [
        (
            "for (;;) { try { __Raise('x') } catch (e) {} if (__GetQueuedEvents().length > 2000) break; if (++a > 3000) break }",
            FailureCode::QueueLimit,
        ),
        (
            "try { for (;;) __Log('12345678901234567890') } catch (e) {}",
            FailureCode::LogLimit,
        ),
    ] {
        let failure = BENCH
            .begun(&on_go(&format!("<script>{}</script>", escaped(script))))
            .0
            .event("go", "")
            .expect_err(script);
        assert_eq!(failure.code, code, "{script}: {failure}");
    }
}

#[test]
fn the_enumerations_have_the_numbers_of_the_telephony_library() {
    let cases = [
        ("_genesys.queue.rType.RouteTypeReject", "7"),
        ("_genesys.resource.resourceType.CFGRoutingPoint", "4"),
        ("_genesys.session.lookupseq.StartFromStrategy", "-1"),
        ("_genesys.ixn.getMediaIntValue('TMediaChat')", "5"),
        ("_genesys.ixn.getMediaIntValue('Chat')", "5"),
        ("_genesys.ixn.getMediaIntValue('nothing')", "-1"),
        (
            "_genesys.ixn.getMediaIntValue('toString') + _genesys.ixn.getMediaIntValue('__proto__')",
            "-2",
        ),
        ("_genesys.ixn.getMediaStringValue(2)", "TMediaEMail"),
        (
            "Object.keys(_genesys).join()",
            "session,ws,queue,ixn,dialog,statistic,classification,resource,elasticconnector,agent",
        ),
        (
            "(function () { _genesys.queue.rType.RouteTypeReject = 1; return _genesys.queue.rType.RouteTypeReject })()",
            "7",
        ),
    ];
    let expressions: Vec<_> = cases.iter().map(|c| c.0).collect();
    for ((expression, expected), value) in cases.iter().zip(values(&expressions, "")) {
        assert_eq!(value, *expected, "{expression}");
    }
}

const SEEN: &str = r#"<log expr="_genesys.ixn.firstixnid + ' ' + JSON.stringify(_genesys.ixn.interactions)"/>"#;

#[test]
fn the_model_of_interactions_follows_their_events_and_nothing_else() {
    let text = workflow(
        "",
        &format!(
            r#"<state id="s"><onentry>{SEEN}</onentry><transition event="interaction.*">{SEEN}<log expr="typeof _genesys.ixn.interactions[0]"/></transition></state>"#
        ),
    );
    let (mut session, first) = BENCH.begun(&text);
    assert_eq!(logged(&first), ["undefined {}"]);
    let mut event = |name: &str, data: &str| logged(&session.step(name, data)).join(" ");
    assert_eq!(
        event(
            "interaction.added",
            r#"{"interactionid":"X","interaction":{"voice":{"ani":"1"}}}"#
        ),
        r#"X {"X":{"g_uid":"X","udata":{},"xdata":{},"parties":{},"voice":{"ani":"1"}}} object"#
    );
    assert_eq!(
        event(
            "interaction.udata.changed",
            r#"{"interactionid":"X","udata":{"k":"v"}}"#
        ),
        r#"X {"X":{"g_uid":"X","udata":{"k":"v"},"xdata":{},"parties":{},"voice":{"ani":"1"}}} object"#
    );
    assert!(event("interaction.added", r#"{"interactionid":"Y"}"#).starts_with("X {\"X\""));
    assert!(event("interaction.deleted", r#"{"interactionid":"X"}"#).starts_with("Y {\"Y\""));
    assert!(event("interaction.added", r#"{"interactionid":"0"}"#).starts_with("Y {\"Y\""));
    assert!(event("interaction.partystatechanged", r#"{"interactionid":"Z"}"#).starts_with("Y {\"Y\""));
    assert_eq!(
        event("interaction.deleted", r#"{"interactionid":"Y"}"#),
        "undefined {} undefined"
    );
}

#[test]
fn functions_that_ask_for_something_become_commands_with_request_ids() {
    let mut session = BENCH
        .begun(&on_go(
            r#"<log expr="_genesys.ixn.setuData({k: 'v'}, 'X')"/><script>_genesys.queue.incrementPriority(5)</script>"#,
        ))
        .0;
    let step = session.step("go", "");
    let asked: Vec<_> = step
        .commands
        .iter()
        .map(|c| match c {
            Command::Request(r) => format!("{}.{} {} {}", r.module, r.action, r.id, r.params),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        asked,
        [
            r#"interaction.setudata interaction.1 {"interactionid":"X","udata":{"k":"v"}}"#,
            r#"queue.incrementpriority queue.2 {"args":[5]}"#
        ]
    );
    assert_eq!(logged(&step), ["interaction.1"]);
}

/// Answers what the functions of `_genesys` ask for.
struct Data(Vec<String>);

impl Reads for Data {
    fn read(&mut self, source: &str, key: &str) -> Result<String, String> {
        self.0.push(format!("{source} {key}"));
        match (source, key) {
            ("config", "tenant") => Ok("\"Resources\"".into()),
            ("config", "option/orchestration/cookie") => Ok("null".into()),
            ("list", "VIP") => Ok(r#"{"11-14":{"name":"Ann"},"x":{"name":"Bob"}}"#.into()),
            ("list", "VIP/a%2Fb/name") => Ok("\"value\"".into()),
            ("list", "VIP/none") => Ok("null".into()),
            ("zone", "Europe%2FRome/1700000000000" | "/1700000000000") => {
                Ok(r#"{"time":"22:13","date":"2023-11-14","day":"Tuesday"}"#.into())
            }
            _ => Err(format!("there is no {source} {key}")),
        }
    }
}

#[test]
fn functions_of_the_session_read_data_of_the_host() {
    let expressions = [
        ("_genesys.session.tenant", "Resources"),
        (
            "_genesys.session.getConfigOption('orchestration', 'cookie', 'mine')",
            "mine",
        ),
        ("_genesys.session.getListItemValue('VIP', 'a/b', 'name')", "value"),
        (
            "_genesys.session.getListItemValue('VIP', 'none') === 'undefined'",
            "true",
        ),
        ("_genesys.session.listLookupValue('VIP', 'Bob')", "name"),
        ("_genesys.session.isSpecialDay('VIP')", "true"),
        (
            "_genesys.session.dayInZone('Europe/Rome') + _genesys.session.timeInZone('Europe/Rome')",
            "Tuesday22:13",
        ),
        (
            "(function () { try { _genesys.session.getListItemValue('none', 'x') } catch (e) { return e.message } })()",
            "there is no list none/x",
        ),
    ];
    let logs: String = expressions
        .iter()
        .map(|(e, _)| format!(r#"<log expr="{}"/>"#, escaped(e)))
        .collect();
    let strategy = BENCH.strategy(&workflow(
        "",
        &format!("<state id=\"s\"><onentry>{logs}</onentry></state>"),
    ));
    let moment = Moment {
        now_ms: T0,
        seed: 1,
        trace: false,
    };
    let mut data = Data(Vec::new());
    let mut session: Session = BENCH.session(&strategy);
    let step = session.start_at(moment, "", &mut data).expect("it starts").step;
    for ((expression, expected), value) in expressions.iter().zip(logged(&step)) {
        assert_eq!(value, *expected, "{expression}");
    }
}

fn commands(content: &str) -> Step {
    BENCH.begun(&on_go(content)).0.step("go", "")
}

#[test]
fn send_and_cancel_take_expressions() {
    let step = commands(
        r#"<send event="'e' + a" target="_sessionid" targettype="'scxml'" delay="'2' + 's'" sendid="timer"><param name="p" expr="a"/></send>
           <cancel sendid="'tim' + 'er'"/>"#,
    );
    let [Command::Send(send), Command::Cancel(cancel)] = &step.commands[..] else {
        panic!("{step:?}")
    };
    assert_eq!(
        (send.event.as_str(), send.delay_ms, send.target.as_deref()),
        ("e1", 2000, None)
    );
    assert_eq!(
        (send.id.as_deref(), send.data.as_deref()),
        (Some("timer"), Some(r#"{"p":1}"#))
    );
    assert_eq!((cancel.sendid.as_str(), cancel.report), ("timer", true));
}

#[test]
fn a_send_reaches_the_internal_queue_other_sessions_and_functional_modules() {
    let step = commands(
        r#"<send event="'error.mine'" target="'_internal'"><param name="message" expr="'here'"/></send>
           <send event="'fetch'" target="'http://www.genesyslab.com/modules/session'" targettype="'fm'"><param name="srcexpr" expr="'x'"/></send>"#,
    );
    assert_eq!(logged(&step), ["error.mine here"]);
    let [Command::Request(request)] = &step.commands[..] else {
        panic!("{step:?}")
    };
    assert_eq!((request.module.as_str(), request.action.as_str()), ("session", "fetch"));
    assert_eq!(request.params, r#"{"srcexpr":"x"}"#);
}

#[test]
fn a_documents_own_limits_hold() {
    let turning =
        r#"<state id="s"><onentry><raise event="again"/></onentry><transition event="again" target="s"/></state>"#;
    for (attributes, code, message) in [
        (
            r#"_microStepLimit="7""#,
            FailureCode::MicrostepLimit,
            "more than 7 microsteps",
        ),
        (
            r#"_stateEntryLimit="5""#,
            FailureCode::StateEntryLimit,
            "s was entered more than 5 times",
        ),
    ] {
        let strategy = BENCH.strategy(&workflow(attributes, turning));
        let failure = BENCH.session(&strategy).start("").expect_err(attributes);
        assert_eq!(failure.code, code);
        assert!(failure.message.contains(message), "{failure}");
    }
}

#[test]
fn filtered_events_change_nothing_not_even_the_current_event() {
    let inside = r#"<state id="s"><transition event="known"><log expr="'known'"/></transition><transition event="seen.*" cond="true"><log expr="_event.name"/></transition></state>"#;
    let (mut session, _) = BENCH.begun(&workflow(r#"_filterEvents="true""#, inside));
    assert!(session.step("unknown", "").trace.is_empty());
    assert_eq!(logged(&session.step("known", "")), ["known"]);
    assert_eq!(logged(&session.step("seen.at.last", "")), ["seen.at.last"]);
    let (mut session, _) = BENCH.begun(&workflow("", inside));
    assert_eq!(
        session.step("unknown", "").trace.len(),
        1,
        "without the attribute it is taken and dropped"
    );
}

#[test]
fn the_environment_costs_strategies_that_do_not_want_it_nothing() {
    let plain = common::chart(
        r#"<state id="s"><transition event="go"><log expr="typeof __Log + typeof _data + typeof ({}).toSource"/></transition></state>"#,
    );
    assert_eq!(
        logged(&BENCH.begun(&plain).0.step("go", "")),
        ["undefinedundefinedundefined"]
    );
    let wanting = common::chart(
        r#"<state id="s"><transition event="go"><log expr="typeof _genesys + typeof __Log"/></transition></state>"#,
    );
    assert_eq!(logged(&BENCH.begun(&wanting).0.step("go", "")), ["objectfunction"]);
}

/// What a script does to the realm must not reach memory that the engine is using.
#[test]
fn setters_on_the_prototype_of_arrays_see_nothing_of_what_the_engine_lists() {
    let script = "Object.defineProperty(Array.prototype, '0', {configurable: true, set: function (v) { for (var i = 0; i < 300; i++) __Raise('y' + i); }});
        __Raise('a'); __Raise('b'); __Log(__GetQueuedEvents().join())";
    let step = BENCH
        .begun(&on_go(&format!("<script>{}</script>", escaped(script))))
        .0
        .step("go", "");
    assert_eq!(logged(&step), ["a,b"]);
}

#[test]
fn looking_at_a_session_runs_nothing_of_its_author_and_so_changes_nothing() {
    let text = workflow(
        "",
        r#"<datamodel><data id="n" expr="0"/><data id="o"/><data id="p"/></datamodel>
           <script>
             o = { toJSON: function () { n++; __Raise('ghost'); try { __Log(new Array(70000).join('x')) } catch (e) {} return n; } };
             Object.defineProperty(o, 'g', { enumerable: true, get: function () { n++; return 1; } });
             o.toString = function () { n++; return ''; };
             p = [new Proxy({}, { ownKeys: function () { n++; return []; } }), new Date(0), null, undefined, 0 / 0, { a: [1, 'é'] }];
             o.self = o;
             Date.prototype.toISOString = Function.prototype.toString = function () { n++; return 'mine'; };
           </script>
           <state id="s"><transition event="go"><log expr="n"/></transition><transition event="ghost"><log expr="'ghost'"/></transition></state>"#,
    );
    let mut session = BENCH.begun(&text).0;
    for _ in 0..3 {
        let shown: serde_json::Value =
            serde_json::from_str(&session.inspect().expect("it shows").datamodel).expect("JSON");
        assert_eq!(shown["n"], 0);
        assert_eq!(shown["o"], serde_json::json!({ "g": "[getter]", "self": "[circular]" }));
        let p = serde_json::json!(["[proxy]", "1970-01-01T00:00:00.000Z", null, null, null, { "a": [1, "é"] }]);
        assert_eq!(shown["p"], p);
    }
    assert_eq!(logged(&session.step("go", "")), ["0"]);
}

#[test]
fn the_model_follows_events_that_the_document_filters_out() {
    let inside = format!(r#"<state id="s"><transition event="go">{SEEN}</transition></state>"#);
    let mut session = BENCH.begun(&workflow(r#"_filterEvents="true""#, &inside)).0;
    session.step("interaction.added", r#"{"interactionid":"X"}"#);
    session.step("interaction.udata.changed", r#"{"interactionid":"X","udata":{"a":2}}"#);
    assert!(logged(&session.step("go", ""))[0].contains(r#""udata":{"a":2}"#));
    session.step("interaction.deleted", r#"{"interactionid":"X"}"#);
    assert_eq!(logged(&session.step("go", "")), ["undefined {}"]);
}

#[test]
fn requests_of_one_send_have_an_id_each() {
    let send =
        r#"<send event="'fetch'" target="'http://www.genesyslab.com/modules/session'" targettype="'fm'" sendid="r"/>"#;
    let step = commands(&format!("{send}{send}"));
    let ids = step.commands.iter().map(|c| match c {
        Command::Request(r) => r.id.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(ids.collect::<Vec<_>>(), ["session.1", "session.2"]);
}

#[test]
fn data_items_may_be_called_like_what_the_platform_is_made_of() {
    let text = workflow(
        "",
        r#"<datamodel><data id="Object" expr="1"/><data id="Map" expr="2"/><data id="JSON" expr="3"/></datamodel>
        <state id="s"><transition event="go"><log expr="_data.Object + Map + JSON"/></transition></state>"#,
    );
    assert_eq!(logged(&BENCH.begun(&text).0.step("go", "")), ["6"]);
}
