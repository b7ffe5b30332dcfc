//! What a host is told of actions, and a whole project as Genesys Composer generates it.

mod common;

use common::{Bench, Session, chart, options};
use pointsman_compiler::Form;
use pointsman_contract::{Command, Request, Step};
use pointsman_scxml::{MapResolver, read};
use std::sync::LazyLock;

static BENCH: LazyLock<Bench> = LazyLock::new(|| Bench::new(options(4)));

const MODULES: &str = r#"xmlns:queue="http://www.genesyslab.com/modules/queue" xmlns:dialog="http://www.genesyslab.com/modules/dialog"
  xmlns:session="http://www.genesyslab.com/modules/session" xmlns:ws="http://www.genesyslab.com/modules/ws""#;

fn requests(step: &Step) -> Vec<&Request> {
    let mut requests = Vec::new();
    for command in &step.commands {
        if let Command::Request(request) = command {
            requests.push(request);
        }
    }
    requests
}

fn only(action: &str) -> Request {
    let onentry = format!(
        r#"<datamodel><data id="r"/><data id="gone"/></datamodel><state {MODULES}><onentry>{action}</onentry>
           <transition event="error.*"><log expr="_event.data.message"/></transition></state>"#
    );
    let (_, step) = BENCH.begun(&chart(&onentry));
    let [request] = requests(&step)[..] else {
        panic!("{step:?}")
    };
    request.clone()
}

#[test]
fn children_of_an_action_are_told_in_their_order_and_as_they_nest() {
    let request = only(
        r#"<queue:submit requestid="r" queue="'VQ' + 1" priority="gone" route="false">
             <queue:targets type="agent" statserver="gone"><queue:target name="'a'" weight="1 + 1"/><queue:targetid expr="'b@.A'"/></queue:targets>
             <dialog:runtreatments><dialog:playsound type="'music'"/><dialog:play><dialog:prompts type="tts"><dialog:prompt text="'hold'"/></dialog:prompts></dialog:play></dialog:runtreatments>
           </queue:submit>"#,
    );
    assert_eq!((request.module.as_str(), request.action.as_str()), ("queue", "submit"));
    let params: serde_json::Value = serde_json::from_str(&request.params).expect("JSON");
    assert_eq!(
        params,
        serde_json::json!({
            "queue": "VQ1",
            "route": false,
            "children": [
                { "element": "targets", "type": "agent", "children": [
                    { "element": "target", "name": "a", "weight": 2 },
                    { "element": "targetid", "expr": "b@.A" },
                ] },
                { "element": "dialog.runtreatments", "children": [
                    { "element": "dialog.playsound", "type": "music" },
                    { "element": "dialog.play", "children": [
                        { "element": "prompts", "type": "tts", "children": [{ "element": "prompt", "text": "hold" }] },
                    ] },
                ] },
            ],
        })
    );
}

#[test]
fn parameters_and_content_are_told_beside_the_attributes() {
    let request = only(
        r#"<session:fetch requestid="r" src="'/customers'" namelist="r"><param name="a" expr="[1]"/><content>{"b": 2}</content></session:fetch>"#,
    );
    let params: serde_json::Value = serde_json::from_str(&request.params).expect("JSON");
    assert_eq!(
        params,
        serde_json::json!({ "src": "/customers", "params": { "r": request.id, "a": [1] }, "content": { "b": 2 } })
    );
}

#[test]
fn the_request_that_an_action_is_about_is_told_and_nothing_is_assigned() {
    let request = only(r#"<ws:response requestid="'ticket'" resultcode="404"/>"#);
    assert_eq!(request.params, r#"{"requestid":"ticket","resultcode":404}"#);
    assert_ne!(request.id, "ticket");
}

macro_rules! project {
    ($($path:literal),*) => {
        MapResolver::new([$(($path.to_owned(), include_str!(concat!("../../scxml/tests/composer/", $path)).to_owned())),*])
    };
}

/// The configuration after this event.
fn after(session: &mut Session, event: &str, data: &str) -> (Vec<String>, Step) {
    let step = session.step(event, data);
    (session.inspect().expect("it answers").configuration, step)
}

#[test]
fn a_project_of_composer_compiles_and_takes_a_call() {
    let main = include_str!("../../scxml/tests/composer/src-gen/main.scxml");
    let files = project!(
        "include/common.js",
        "include/user/desk.js",
        "src-gen/process.scxml",
        "src-gen/subroutine.scxml"
    );
    let (document, _) = read("src-gen/main.scxml", main, &files).unwrap_or_else(|errors| panic!("{errors}"));
    let compiled = BENCH.compiler.compile(&document, Form::Image).expect("it compiles");
    assert_eq!(compiled.warnings, []);
    let strategy = BENCH.sandbox.load(&compiled.component).expect("it loads");
    let mut session = BENCH.session(&strategy);
    // Declared in a state, and a parameter all the same.
    session.start(r#"{"defaultTimeout":7}"#).expect("it starts");
    let call = r#"{"interactionid":"I","interaction":{"voice":{"ani":"1","dnis":"8001","type":"inbound"}}}"#;
    let (_, step) = after(&mut session, "interaction.added", call);
    let done = step.commands.iter().find_map(|command| match command {
        Command::Send(send) if send.event == "Entry1.done" => send.data.clone(),
        _ => None,
    });
    let done = done.unwrap_or_else(|| panic!("{step:?}"));
    assert_eq!(done, r#"{"resolveid":"OrderDesk"}"#, "`_my_prefix` is the prefix");
    let (states, _) = after(&mut session, "Entry1.done", &done);
    assert!(
        states.contains(&"OrderDesk._reserved_UserData1_start".to_owned()),
        "{states:?}"
    );
    after(&mut session, "interaction.udata.changed", r#"{"interactionid":"I"}"#);
    let (states, step) = after(&mut session, "cancel.successful", "{}");
    assert!(states.contains(&"OrderDesk.Fetch1".to_owned()), "{states:?}");
    let fetch = requests(&step)[0];
    assert!(
        fetch.params.contains(r#""content":"{\"number\":\"1\"}""#),
        "{}",
        fetch.params
    );
    let answer = format!(r#"{{"requestid":"{}","content":"{{}}"}}"#, fetch.id);
    let (states, step) = after(&mut session, "session.fetch.done", &answer);
    assert!(states.contains(&"OrderDesk.Menu1.Collect1".to_owned()), "{states:?}");
    let answer = format!(r#"{{"requestid":"{}","digits":"1"}}"#, requests(&step)[0].id);
    let (states, step) = after(&mut session, "dialog.collect.done", &answer);
    assert!(
        states.contains(&"OrderDesk._reserved_Target1_submit".to_owned()),
        "{states:?}"
    );
    let submit = requests(&step)[0];
    assert_eq!(submit.action, "submit");
    assert!(submit.params.contains(r#""timeout":7"#), "{}", submit.params);
}
