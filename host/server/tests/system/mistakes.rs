//! Bad input, as its author sees it: every refusal says what is wrong and what to do, and the server goes on.

use crate::calls::Phone;
use crate::node::{Node, Plan, Ran};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;

const VIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../strategies/vip/vip.scxml");

/// Refused, with this in the message.
#[track_caller]
fn refused(ran: &Ran, message: &str) {
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.err.contains(message), "instead of `{message}`: {}", ran.err);
}

/// A component whose imports have other names, of the same length as theirs: it stays well-formed.
fn renamed(component: &[u8], names: &[(&str, &str)]) -> Vec<u8> {
    let mut out = component.to_vec();
    for (from, to) in names {
        assert_eq!(from.len(), to.len());
        let mut found = 0;
        for at in 0..=out.len() - from.len() {
            if out[at..].starts_with(from.as_bytes()) {
                out[at..at + to.len()].copy_from_slice(to.as_bytes());
                found += 1;
            }
        }
        assert!(found > 0, "{from}");
    }
    out
}

#[test]
fn a_component_that_cannot_run_here_is_refused_at_the_upload_with_the_remedy() {
    let node = Node::start();
    node.deploy_all();
    let folder = node.dir.path();
    for arguments in [
        &["compile", VIP, "-o", "image.wasm"][..],
        &["compile", VIP, "-o", "alone.wasm", "--standalone"],
    ] {
        let ran = node.pointsman(arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let image = std::fs::read(folder.join("image.wasm")).unwrap();
    let alone = std::fs::read(folder.join("alone.wasm")).unwrap();
    let (host, types) = ("pointsman:strategy/host@0.1.0", "pointsman:strategy/types@0.1.0");
    let whole = "upload the file that `pointsman compile` wrote, whole";
    for (bytes, message) in [
        (
            renamed(&alone, &[(host, "wasi:clocks/wall-clocks@0.2.0")]),
            "The component imports `wasi:clocks/wall-clocks@0.2.0`, which strategies are not given: the contract is \
             pointsman:strategy@0.1.0 and nothing else.",
        ),
        (
            renamed(
                &alone,
                &[
                    (host, "pointsman:strategy/host@9.1.0"),
                    (types, "pointsman:strategy/types@9.1.0"),
                ],
            ),
            "this host speaks pointsman:strategy@0.1.0: compile it again with this host's `pointsman compile`.",
        ),
        (image[..image.len() / 2].to_vec(), whole),
        (image[..image.len() - 1].to_vec(), whole),
        (alone[..alone.len() / 2].to_vec(), whole),
    ] {
        std::fs::write(folder.join("by-caller.wasm"), bytes).unwrap();
        let ran = node.pointsman(&["deploy", "by-caller.wasm", "--tenant", "acme"]);
        refused(&ran, "error: The component was refused: ");
        refused(&ran, message);
    }
    // A module that was not built against the SDK.
    std::fs::write(folder.join("by-caller.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let ran = node.pointsman(&["deploy", "by-caller.wasm", "--tenant", "acme"]);
    refused(
        &ran,
        "The component does not export the contract's functions (no export `handle` found): compile it with",
    );

    let versions = node.get("/v1/tenants/acme/strategies/by-caller/versions");
    assert_eq!(versions["items"].as_array().map(Vec::len), Some(1), "{versions}");
    assert_eq!(Phone::target(&node, "7001", "still"), "21001");
}

#[test]
fn a_wrong_key_is_told_whom_to_ask() {
    let node = Node::start();
    // Of the right form, and of none.
    let other = Plan::new().key.reveal();
    for key in [other.as_str(), "secret"] {
        let ran = node.pointsman(&["sessions", "list", "--key", key]);
        refused(
            &ran,
            "error: The API key is not valid: The API key is unknown, revoked or mistyped; ask the administrator of \
             your tenant for a valid one.",
        );
        assert!(!ran.err.contains(key), "{}", ran.err);
    }
}

#[test]
fn an_upload_that_breaks_off_says_why() {
    let node = Node::start();
    let large = |mebibytes: usize| {
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        component.resize(mebibytes << 20, 0);
        std::fs::write(node.dir.path().join("large.wasm"), component).unwrap();
    };
    let other = Plan::new().key.reveal();
    for mebibytes in [15, 24] {
        large(mebibytes);
        let ran = node.pointsman(&["deploy", "large.wasm", "--tenant", "acme", "--key", &other]);
        refused(&ran, "error: The API key is not valid: The API key is unknown");
    }
    // Larger than the server takes: it says so before it has read that much, and its answer may come or be lost.
    let ran = node.pointsman(&["deploy", "large.wasm", "--tenant", "acme"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("larger than"), "{}", ran.err);
}

#[test]
fn a_session_that_logged_nothing_says_so_beside_its_output() {
    let node = Node::start();
    let silent = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0"><state id="a"/></scxml>"#;
    node.deploy("acme", "silent", silent);
    let (status, started) = node.rest(Method::POST, "/scxml/session/start", Some(json!({ "src": "silent" })));
    assert!((200..300).contains(&status), "{status} {started}");
    let sessions = node.get("/v1/sessions");
    let id = sessions["items"][0]["id"].as_str().unwrap();
    for arguments in [&["sessions", "log", id][..], &["sessions", "log", id, "--json"]] {
        let ran = node.pointsman(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
        assert_eq!(ran.err, format!("the log of {id} is empty\n"));
    }
}

#[test]
fn an_unknown_dn_strategy_version_or_session_is_named() {
    let node = Node::start();
    node.deploy_all();
    let phone = Phone::new(&node, "1234", "unknown");
    phone.send("INVITE", "", "");
    assert!(phone.receive().starts_with("SIP/2.0 404 Not Found\r\n"));
    let session = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
    for (arguments, message) in [
        (
            &["strategies", "versions", "by-coler", "--tenant", "acme"][..],
            "There is no strategy `by-coler`; list the tenant's strategies to see which there are.",
        ),
        (
            &["strategies", "activate", "by-caller", "9", "--tenant", "acme"],
            "Strategy `by-caller` has no version 9; list its versions to see which there are.",
        ),
        (
            &["sessions", "show", session],
            "There is no session 0123456789ABCDEFGHIJKLMNOPQRSTUV: it never was, or is forgotten.",
        ),
    ] {
        refused(&node.pointsman(arguments), message);
    }
}

#[test]
fn an_unknown_tenant_is_named() {
    let node = Node::start();
    let message = "There is no tenant `acmee`; /v1/tenants lists those of your key.";
    refused(&node.pointsman(&["strategies", "list", "--tenant", "acmee"]), message);
    refused(&node.pointsman(&["deploy", VIP, "--tenant", "acmee"]), message);
}

/// A document in the test's folder, deployed by the command line.
fn deploy(node: &Node, document: &str) -> Ran {
    std::fs::write(node.dir.path().join("by-caller.scxml"), document).unwrap();
    node.pointsman(&["deploy", "by-caller.scxml", "--tenant", "acme"])
}

/// The same document, from a client that looks at nothing: the server's own findings.
fn put(node: &Node, document: &str) -> Value {
    let (status, body) = node.rest(
        Method::PUT,
        "/v1/tenants/acme/strategies/by-caller",
        Some(json!({ "document": document, "files": {}, "activate": true })),
    );
    assert_eq!((status, &body["code"]), (422, &json!("document-errors")), "{body}");
    assert_eq!(body["detail"], "The document has 1 error and was not deployed.");
    body["diagnostics"][0].clone()
}

#[test]
fn a_broken_document_and_a_wrong_include_are_shown_in_their_place_by_command_line_and_server() {
    let node = Node::start();
    node.deploy_all();
    let head = "<scxml xmlns=\"http://www.w3.org/2005/07/scxml\" version=\"1.0\" datamodel=\"ecmascript\">";
    for (body, place, message, hint) in [
        (
            "<state id=\"waiting\"><transition event=\"go\" target=\"waitng\"/></state></scxml>",
            (2, 52),
            "there is no state `waitng`",
            "did you mean `waiting`?",
        ),
        (
            "<datamodel><data id=\"a\" src=\"missing.json\"/></datamodel><state id=\"s\"/></scxml>",
            (2, 30),
            "cannot read `missing.json`: there is no `missing.json`",
            "the path is relative to the file that names it",
        ),
    ] {
        let document = format!("{head}\n{body}\n");
        let ran = deploy(&node, &document);
        refused(&ran, message);
        refused(&ran, &format!("--> by-caller.scxml:{}:{}\n", place.0, place.1));
        refused(&ran, &format!("= help: {hint}\n"));
        let found = put(&node, &document);
        assert_eq!(
            (&found["line"], &found["column"]),
            (&json!(place.0), &json!(place.1)),
            "{found}"
        );
        assert!(found["message"].as_str().unwrap().contains(message), "{found}");
        assert_eq!(found["hint"], hint);
    }
    // Not even XML: cut off in the middle.
    let ran = deploy(&node, &format!("{head}\n<state id=\"waiting\">\n"));
    refused(&ran, "--> by-caller.scxml:");
    // A file outside of the document's folder is nobody's include.
    std::fs::create_dir(node.dir.path().join("inner")).unwrap();
    let document = format!("{head}\n<datamodel><data id=\"a\" src=\"../pointsman.toml\"/></datamodel></scxml>\n");
    std::fs::write(Path::new(&node.dir.path().join("inner/x.scxml")), document).unwrap();
    let ran = node.pointsman(&["deploy", "inner/x.scxml", "--tenant", "acme"]);
    refused(&ran, "only files in the document's own folder, or below it, are read");

    assert_eq!(Phone::target(&node, "7001", "still"), "21001");
}

#[test]
fn events_for_a_session_whose_queue_is_full_are_refused_and_the_others_go_on() {
    let plan = Plan::new();
    let config = plan.config().replacen(
        "[[application.port]]",
        "[application.scxml]\nmax-pending-events = 3\n[[application.port]]",
        1,
    );
    let node = Node::start_with_config(plan, &config);
    node.deploy_all();
    // Busy until its time for one event is over, ten seconds.
    let busy = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" datamodel="ecmascript">
      <state id="a"><transition event="work"><script>for (;;) {}</script></transition></state></scxml>"#;
    node.deploy("acme", "busy", busy);
    let (status, started) = node.rest(Method::POST, "/scxml/session/start", Some(json!({ "src": "busy" })));
    assert!((200..300).contains(&status), "{status} {started}");
    let sessions = node.get("/v1/sessions");
    let id = sessions["items"][0]["id"].as_str().unwrap().to_owned();
    let mut sent = 0;
    let full = loop {
        let ran = node.pointsman(&["sessions", "send", &id, "work"]);
        if ran.code != Some(0) {
            break ran;
        }
        assert_eq!(ran.out, format!("work is queued for {id}\n"));
        sent += 1;
        assert!(sent <= 4, "one at work and three that wait");
    };
    refused(
        &full,
        &format!("error: A queue is full: The queue of session {id} is full; try again in a moment."),
    );
    assert!(sent >= 3, "{sent}");
    assert_eq!(node.figure("events_refused_total"), 1);
    assert_eq!(Phone::target(&node, "7001", "still"), "21001");
}
