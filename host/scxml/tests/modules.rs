//! Functional modules: documents are compared with the table, and so is the page that is written from it.

use pointsman_scxml::model::{Action, ActionElement, Attribute, Operation, Value};
use pointsman_scxml::{Diagnostic, NoFiles, modules, read, render};

const HEAD: &str = "<scxml xmlns='http://www.w3.org/2005/07/scxml' profile='ecmascript' \
     xmlns:q='http://www.genesyslab.com/modules/queue' xmlns:queue='www.genesyslab.com/modules/queue' \
     xmlns:dialog='http://www.genesyslab.com/modules/dialog' xmlns:session='http://www.genesyslab.com/modules/session' \
     xmlns:ixn='http://www.genesyslab.com/modules/interaction' xmlns:ws='http://www.genesyslab.com/modules/ws' \
     xmlns:new='http://www.genesyslab.com/modules/new'>";

fn text(content: &str) -> String {
    format!("{HEAD}\n<state><onentry>{content}</onentry></state></scxml>")
}

fn action(content: &str) -> (Action, Vec<Diagnostic>) {
    let (document, warnings) = read("main.scxml", &text(content), &NoFiles).unwrap_or_else(|errors| panic!("{errors}"));
    let Operation::Action(action) = &document.states[0].onentry[0][0].operation else {
        panic!("no action: {content}")
    };
    ((**action).clone(), warnings)
}

fn found(content: &str) -> Vec<Diagnostic> {
    match read("main.scxml", &text(content), &NoFiles) {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors.diagnostics,
    }
}

fn codes(content: &str) -> Vec<&'static str> {
    found(content).iter().map(|found| found.code).collect()
}

fn plain<'a>(attributes: &'a [(String, Attribute)]) -> Vec<(&'a str, &'static str, &'a str)> {
    let of = |(name, value): &'a (String, Attribute)| match value {
        Attribute::Literal(text) => (name.as_str(), "literal", text.text.as_str()),
        Attribute::Expr(text) => (name.as_str(), "expr", text.text.as_str()),
    };
    attributes.iter().map(of).collect()
}

fn names(children: &[ActionElement]) -> Vec<&str> {
    children.iter().map(|child| child.name.as_str()).collect()
}

#[test]
fn children_of_a_submit_are_kept_as_they_nest() {
    let (submit, warnings) = action(
        "<q:submit requestid='r' queue=\"'VQ'\" timeout='30'><q:targets type='agent' statserver='s'><q:target name=\"'a'\"/>\
         <q:targetid expr=\"'b@.A'\"/></q:targets><dialog:runtreatments><dialog:playsound type=\"'music'\"/>\
         <dialog:play><dialog:prompts type=\"'tts'\"><dialog:prompt text=\"'hold'\"/></dialog:prompts></dialog:play>\
         </dialog:runtreatments></q:submit>",
    );
    assert_eq!(warnings, []);
    assert_eq!((submit.module.as_str(), submit.action.as_str()), ("queue", "submit"));
    assert_eq!(submit.requestid.as_ref().map(|text| text.text.as_str()), Some("r"));
    assert_eq!(
        plain(&submit.attributes),
        [("queue", "expr", "'VQ'"), ("timeout", "expr", "30")]
    );
    assert_eq!(names(&submit.children), ["targets", "dialog.runtreatments"]);
    let targets = &submit.children[0];
    assert_eq!(
        plain(&targets.attributes),
        [("type", "literal", "agent"), ("statserver", "expr", "s")]
    );
    assert_eq!(names(&targets.children), ["target", "targetid"]);
    let treatments = &submit.children[1].children;
    assert_eq!(names(treatments), ["dialog.playsound", "dialog.play"]);
    assert_eq!(
        plain(&treatments[1].children[0].attributes),
        [("type", "literal", "tts")]
    );
    assert_eq!(treatments[1].children[0].children[0].at.line, 2);
}

#[test]
fn both_spellings_of_a_namespace_are_the_same_module() {
    let (one, _) = action("<q:submit/>");
    let (other, _) = action("<queue:submit/>");
    assert_eq!(one, other);
}

#[test]
fn the_table_says_whether_a_request_id_is_received_or_given() {
    let (fetch, _) = action(
        "<session:fetch requestid='r' srcexpr='url'><content expr='body'/><param name='p' expr='1'/></session:fetch>",
    );
    assert_eq!(fetch.requestid.as_ref().map(|text| text.text.as_str()), Some("r"));
    assert!(matches!(&fetch.content, Some(Value::Expr(text)) if text.text == "body"));
    assert_eq!(fetch.params.len(), 1);
    for given in [
        "<ws:response requestid='_event.sendid' resultcode='404'/>",
        "<queue:cancel requestid='_event.sendid'/>",
        "<queue:query requestid='_event.sendid'/>",
        "<queue:update requestid='_event.sendid'/>",
        "<dialog:stop requestid='_event.sendid'/>",
    ] {
        let (action, warnings) = action(given);
        assert_eq!((action.requestid, warnings), (None, Vec::new()), "{given}");
        assert_eq!(
            plain(&action.attributes)[0],
            ("requestid", "expr", "_event.sendid"),
            "{given}"
        );
    }
}

#[test]
fn names_in_a_list_are_parameters() {
    for list in ["a b", "&apos;a b&apos;"] {
        let (fetch, warnings) = action(&format!(
            "<session:fetch src='u' namelist='{list}'><param name='c' expr='1'/></session:fetch>"
        ));
        let names: Vec<&str> = fetch.params.iter().map(|param| param.name.as_str()).collect();
        assert_eq!((names, warnings), (vec!["a", "b", "c"], Vec::new()), "{list}");
    }
}

#[test]
fn a_location_that_receives_nothing_is_said() {
    let (start, warnings) = action("<session:start src='strategy:x' sessionid='child'/>");
    assert_eq!(plain(&start.attributes), [("src", "literal", "strategy:x")]);
    assert_eq!(warnings[0].code, "ignored-attribute");
    assert!(warnings[0].hint.as_deref().unwrap().contains("_event.data.sessionid"));
}

#[test]
fn attributes_that_are_missing_or_not_known_are_told() {
    for (content, code, part) in [
        (
            "<ixn:redirect/>",
            "missing-attribute",
            "write to=\"...\", an expression",
        ),
        (
            "<ixn:redirect too='1'/>",
            "missing-attribute",
            "is `too` meant to be `to`?",
        ),
        (
            "<session:fetch/>",
            "missing-attribute",
            "needs one of the attributes `src` or `srcexpr`",
        ),
        (
            "<ixn:terminate interactonid='i'/>",
            "unknown-attribute",
            "did you mean `interactionid`?",
        ),
        (
            "<queue:submit><queue:targetid expr='1'/></queue:submit>",
            "misplaced-element",
            "it stands in `<targets>`",
        ),
        (
            "<queue:submit><queue:target/></queue:submit>",
            "misplaced-element",
            "it stands in `<targets>`",
        ),
        (
            "<queue:submit><queue:targets type='agnt'/></queue:submit>",
            "unknown-value",
            "did you mean `agent`?",
        ),
        (
            "<queue:submit><queue:targets><queue:targetid/></queue:targets></queue:submit>",
            "missing-attribute",
            "`expr`",
        ),
    ] {
        let found = found(content);
        let wanted: Vec<_> = found.iter().filter(|found| found.code == code).cloned().collect();
        assert_eq!(wanted.len(), 1, "{content}: {found:?}");
        assert!(
            render(&wanted, &[]).contains(part),
            "{content}: {}",
            render(&wanted, &[])
        );
    }
}

#[test]
fn actions_do_not_stand_in_actions_but_for_treatments_in_a_queue() {
    for wrong in [
        "<ixn:redirect to='1'><dialog:playsound type='t'/></ixn:redirect>",
        "<queue:submit><dialog:playsound type='t'/></queue:submit>",
        "<queue:submit><ixn:redirect to='1'/></queue:submit>",
        "<queue:submit><dialog:runtreatments><queue:submit/></dialog:runtreatments></queue:submit>",
        "<queue:submit><dialog:runtreatments><dialog:stop/></dialog:runtreatments></queue:submit>",
        "<queue:cancel><dialog:runtreatments/></queue:cancel>",
        "<dialog:runtreatments/>",
        "<ixn:terminate><log/></ixn:terminate>",
        "<ixn:terminate><content/></ixn:terminate>",
    ] {
        assert_eq!(codes(wrong), ["misplaced-element"], "{wrong}");
    }
    assert_eq!(codes("<ixn:terminate>text</ixn:terminate>"), ["unexpected-text"]);
    assert_eq!(
        codes(
            "<queue:update requestid='r'><dialog:runtreatments><dialog:pause duration='1'/></dialog:runtreatments></queue:update>"
        ),
        [""; 0]
    );
}

#[test]
fn what_the_table_does_not_know_is_passed_on() {
    let (unknown, warnings) =
        action("<new:thing requestid='r' a='1'><new:part b='x'><new:inner/></new:part></new:thing>");
    assert_eq!(warnings, []);
    assert_eq!(unknown.requestid.as_ref().map(|text| text.text.as_str()), Some("r"));
    assert_eq!(plain(&unknown.attributes), [("a", "expr", "1")]);
    assert_eq!(names(&unknown.children), ["part"]);
    assert_eq!(names(&unknown.children[0].children), ["inner"]);
    let deep = format!("<new:thing>{}{}</new:thing>", "<new:a>".repeat(8), "</new:a>".repeat(8));
    assert_eq!(codes(&deep), ["nested-too-deeply"]);
}

#[test]
fn hosts_of_this_version_serve_what_the_table_says() {
    let served = modules::MODULES.iter().flat_map(|module| {
        let served = module.actions.iter().filter(|action| action.served);
        served.map(move |action| format!("{}.{}", module.name, action.name))
    });
    assert_eq!(
        served.collect::<Vec<_>>(),
        [
            "session.fetch",
            "session.start",
            "session.terminate",
            "session.updatestart",
            "ws.response",
            "interaction.redirect",
            "interaction.terminate"
        ]
    );
}

#[test]
fn the_page_about_modules_is_written_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/modules.md");
    let page = modules::markdown();
    if std::env::var_os("POINTSMAN_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).unwrap();
        std::fs::write(path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/modules.md is not what the table says: run POINTSMAN_WRITE_DOCS=1 cargo test -p pointsman-scxml --test modules"
    );
}
