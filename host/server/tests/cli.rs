//! The built binary: what it prints, and its exit codes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// One native cache for all tests: the engine is compiled once.
static CACHE: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder can be made"));

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn pointsman_in(folder: &Path, arguments: &[&str]) -> Ran {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .args(arguments)
        .current_dir(folder)
        .env("XDG_CACHE_HOME", CACHE.path())
        .env_remove("POINTSMAN_SERVER")
        .env_remove("POINTSMAN_KEY")
        .env_remove("POINTSMAN_CA")
        .env_remove("POINTSMAN_LOG")
        .output()
        .expect("the binary of this package is built before its tests");
    let text = |bytes| String::from_utf8(bytes).expect("it prints UTF-8");
    Ran {
        code: status.code(),
        out: text(stdout),
        err: text(stderr),
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

fn sample(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../strategies")
        .join(path)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

const BROKEN: &str = "<scxml xmlns=\"http://www.w3.org/2005/07/scxml\" version=\"1.0\" initial=\"waiting\">
  <state id=\"waiting\">
    <transition event=\"go\" target=\"waitng\"/>
  </state>
</scxml>
";

#[test]
fn every_command_has_a_help_with_examples() {
    let dir = folder();
    let help = pointsman_in(dir.path(), &["--help"]);
    assert_eq!(help.code, Some(0));
    for command in [
        "serve",
        "check",
        "graph",
        "simulate",
        "compile",
        "deploy",
        "strategies",
        "sessions",
        "certs",
        "config",
        "completions",
    ] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{command}");
        let own = pointsman_in(dir.path(), &[command, "--help"]);
        assert_eq!(own.code, Some(0), "{command}");
        assert!(own.out.contains("Examples:\n  pointsman "), "{command}:\n{}", own.out);
    }
}

#[test]
fn a_wrong_command_line_exits_with_2_and_says_what_is_near() {
    let dir = folder();
    let ran = pointsman_in(dir.path(), &["chek"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("a similar subcommand exists: 'check'"), "{}", ran.err);
    let ran = pointsman_in(dir.path(), &["--log", "no=such=filter", "completions", "bash"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.starts_with("error: --log is `no=such=filter`"), "{}", ran.err);
}

#[test]
fn a_broken_document_is_shown_with_its_place_and_a_hint() {
    let dir = folder();
    fs::write(dir.path().join("route.scxml"), BROKEN).unwrap();
    let ran = pointsman_in(dir.path(), &["check", "route.scxml"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.out,
        "error[unknown-target]: there is no state `waitng`\n --> route.scxml:3:36\n  |\n\
         3 |     <transition event=\"go\" target=\"waitng\"/>\n  |                                    ^^^^^^\n  \
         = help: did you mean `waiting`?\n\nroute.scxml: refused, 1 error\n"
    );
}

#[test]
fn findings_are_json_lines_for_editors() {
    let dir = folder();
    fs::write(dir.path().join("route.scxml"), BROKEN).unwrap();
    let ran = pointsman_in(dir.path(), &["check", "--format", "json", "route.scxml"]);
    assert_eq!(ran.code, Some(1));
    let found: serde_json::Value = serde_json::from_str(ran.out.trim_end()).unwrap();
    assert_eq!(
        (
            &found["file"],
            &found["line"],
            &found["column"],
            &found["code"],
            &found["severity"]
        ),
        (
            &"route.scxml".into(),
            &3.into(),
            &36.into(),
            &"unknown-target".into(),
            &"error".into()
        )
    );
}

/// Valid, and a call in it waits for ever.
const FORGETFUL: &str = "<scxml xmlns=\"http://www.w3.org/2005/07/scxml\" version=\"1.0\">
  <state id=\"idle\"><transition event=\"interaction.onrouterequest\" target=\"wait\"/></state>
  <state id=\"wait\">
    <transition event=\"agent.ready interaction.deleted\" target=\"over\"/>
  </state>
  <final id=\"over\"/>
</scxml>
";

#[test]
fn a_lint_is_a_warning_with_its_code_and_what_to_do_and_a_comment_allows_it() {
    let dir = folder();
    fs::write(dir.path().join("route.scxml"), FORGETFUL).unwrap();
    let ran = pointsman_in(dir.path(), &["check", "route.scxml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(
        ran.out,
        "warning[wait-without-timeout]: a call waits in `wait` for `agent.ready`, and no timeout ends the wait\n \
         --> route.scxml:3:14\n  |\n3 |   <state id=\"wait\">\n  |              ^^^^\n  \
         = help: add `<send event=\"timeout\" delay=\"30s\"/>` to `<onentry>`, and a transition for `timeout`\n\n\
         route.scxml: usable, 1 warning\n"
    );
    let allowed = FORGETFUL.replace(
        "  <state id=\"wait\">",
        "  <!-- pointsman:allow(wait-without-timeout) the desk answers -->\n  <state id=\"wait\">",
    );
    fs::write(dir.path().join("route.scxml"), allowed).unwrap();
    let ran = pointsman_in(dir.path(), &["check", "route.scxml"]);
    assert_eq!(ran.out, "route.scxml: correct\n");
}

#[test]
fn the_samples_have_no_findings() {
    let dir = folder();
    for name in ["business-hours", "queue-overflow", "split", "vip"] {
        let path = sample(&format!("{name}/{name}.scxml"));
        let ran = pointsman_in(dir.path(), &["check", text(&path)]);
        assert_eq!((ran.code, ran.out), (Some(0), format!("{}: correct\n", path.display())));
    }
}

#[test]
fn findings_of_all_files_are_one_sarif_log() {
    let dir = folder();
    fs::create_dir(dir.path().join("a b")).unwrap();
    fs::write(dir.path().join("a b/broken.scxml"), BROKEN).unwrap();
    fs::write(dir.path().join("route.scxml"), FORGETFUL).unwrap();
    let ran = pointsman_in(
        dir.path(),
        &["check", "--format", "sarif", "a b/broken.scxml", "route.scxml"],
    );
    assert_eq!(ran.code, Some(1));
    let log: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
    assert_eq!(log["runs"].as_array().unwrap().len(), 1);
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "pointsman check");
    let rules = driver["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 2);
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2, "{results:?}");
    for result in results {
        // What SARIF demands of a result: 3.27.5, 3.27.6, 3.27.10 to 3.27.12, 3.29, 3.30.
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(result["ruleId"], rule["id"]);
        assert!(
            rule["shortDescription"]["text"].as_str().unwrap().ends_with('.'),
            "{rule}"
        );
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert!(region["startLine"].as_u64().unwrap() >= 1 && region["startColumn"].as_u64().unwrap() >= 1);
        assert!(region["endColumn"].as_u64() > region["startColumn"].as_u64());
    }
    let place = |result: &serde_json::Value| {
        let place = &result["locations"][0]["physicalLocation"];
        let region = &place["region"];
        let number = |name: &str| region[name].as_u64().unwrap();
        (
            result["ruleId"].as_str().unwrap().to_owned(),
            result["level"].as_str().unwrap().to_owned(),
            place["artifactLocation"]["uri"].as_str().unwrap().to_owned(),
            [number("startLine"), number("startColumn"), number("endColumn")],
        )
    };
    let expected = |code: &str, level: &str, uri: &str, region| (code.into(), level.into(), uri.into(), region);
    assert_eq!(
        results.iter().map(place).collect::<Vec<_>>(),
        [
            expected("unknown-target", "error", "a%20b/broken.scxml", [3, 36, 42]),
            expected("wait-without-timeout", "warning", "route.scxml", [3, 14, 18]),
        ]
    );
    // A lint explains itself, and how to allow it.
    let help = rules.iter().find(|rule| rule["id"] == "wait-without-timeout").unwrap()["help"]["text"].as_str();
    assert!(help.unwrap().contains("pointsman:allow(wait-without-timeout)"));
    // Nothing found is a log as well.
    fs::write(dir.path().join("route.scxml"), FORGETFUL.replace("agent.ready ", "")).unwrap();
    let ran = pointsman_in(dir.path(), &["check", "--format", "sarif", "route.scxml"]);
    let log: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (ran.code, &log["runs"][0]["results"]),
        (Some(0), &serde_json::json!([]))
    );
}

#[test]
fn a_document_is_drawn_to_a_file_or_the_standard_output() {
    let dir = folder();
    fs::write(dir.path().join("route.scxml"), FORGETFUL).unwrap();
    let ran = pointsman_in(dir.path(), &["graph", "route.scxml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.starts_with("wrote route.svg ("), "{}", ran.out);
    let svg = fs::read_to_string(dir.path().join("route.svg")).unwrap();
    assert!(
        svg.starts_with("<svg xmlns=") && svg.contains(">agent.ready, interaction.deleted<"),
        "{svg}"
    );
    let ran = pointsman_in(dir.path(), &["graph", "route.scxml", "-o", "-"]);
    assert_eq!(ran.out, svg);
    let ran = pointsman_in(dir.path(), &["graph", "route.scxml", "-o", "out.svg"]);
    assert_eq!((ran.code, ran.out.starts_with("wrote out.svg (")), (Some(0), true));
    // It does not overwrite the document, and says what is wrong with one.
    let ran = pointsman_in(dir.path(), &["graph", "route.scxml", "-o", "./route.scxml"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(fs::read_to_string(dir.path().join("route.scxml")).unwrap(), FORGETFUL);
    fs::write(dir.path().join("broken.scxml"), BROKEN).unwrap();
    let ran = pointsman_in(dir.path(), &["graph", "broken.scxml"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("there is no state `waitng`"), "{}", ran.err);
}

#[test]
fn an_expression_that_is_not_valid_is_a_warning() {
    let dir = folder();
    let document = BROKEN.replace("event=\"go\" target=\"waitng\"", "cond=\"1 +\" target=\"waiting\"");
    fs::write(dir.path().join("route.scxml"), document).unwrap();
    let ran = pointsman_in(dir.path(), &["check", "route.scxml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(
        ran.out
            .starts_with("warning[invalid-expression]: this is not valid ECMAScript: "),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with("route.scxml: usable, 1 warning\n"), "{}", ran.out);
}

#[test]
fn an_include_that_is_missing_or_outside_of_the_folder_is_refused_at_its_place() {
    let dir = folder();
    fs::create_dir(dir.path().join("strategy")).unwrap();
    fs::write(dir.path().join("secret.json"), "1").unwrap();
    let document = |src: &str| {
        format!(
            "<scxml xmlns=\"http://www.w3.org/2005/07/scxml\" version=\"1.0\" datamodel=\"ecmascript\">\n\
             <datamodel><data id=\"a\" src=\"{src}\"/></datamodel><state id=\"s\"/></scxml>\n"
        )
    };
    for (src, message) in [
        ("missing.json", "there is no `missing.json`"),
        (
            "../secret.json",
            "only files in the document's own folder, or below it, are read",
        ),
    ] {
        fs::write(dir.path().join("strategy/route.scxml"), document(src)).unwrap();
        let ran = pointsman_in(dir.path(), &["check", "strategy/route.scxml"]);
        assert_eq!(ran.code, Some(1));
        assert!(
            ran.out.contains(&format!("cannot read `{src}`: {message}")),
            "{}",
            ran.out
        );
        assert!(ran.out.contains("--> strategy/route.scxml:2:"), "{}", ran.out);
    }
}

#[test]
fn an_include_that_is_missing_does_not_hide_what_is_wrong_elsewhere() {
    let dir = folder();
    fs::create_dir(dir.path().join("strategy")).unwrap();
    fs::write(dir.path().join("strategy/there.js"), "var x = ;\n").unwrap();
    let document = "<scxml xmlns=\"http://www.w3.org/2005/07/scxml\" version=\"1.0\" datamodel=\"ecmascript\">\n\
         <datamodel><data id=\"a\" src=\"gone.json\"/></datamodel>\n\
         <script src=\"gone.js\"/>\n\
         <script src=\"there.js\"/>\n\
         <state id=\"s\"><transition cond=\"1 +\" target=\"s\"/></state></scxml>\n";
    let check = |document: &str| {
        fs::write(dir.path().join("strategy/route.scxml"), document).unwrap();
        let ran = pointsman_in(dir.path(), &["check", "strategy/route.scxml"]);
        assert_eq!(ran.code, Some(1));
        ran.out
    };
    let out = check(document);
    for part in [
        "cannot read `gone.json`: there is no `gone.json`\n --> strategy/route.scxml:2:",
        "cannot read `gone.js`: there is no `gone.js`\n --> strategy/route.scxml:3:",
        " --> strategy/there.js:1:1\n",
        " --> strategy/route.scxml:5:33\n",
        "strategy/route.scxml: refused, 2 errors, 2 warnings\n",
    ] {
        assert!(out.contains(part), "{part:?} is missing in:\n{out}");
    }
    assert_eq!(out.matches("warning[invalid-expression]").count(), 2, "{out}");
    // Errors of the reader stand beside it.
    let out = check(&document.replace("target=\"s\"", "target=\"t\""));
    assert!(
        out.contains("there is no state `t`") && out.ends_with("refused, 3 errors\n"),
        "{out}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let dir = folder();
    for command in ["check", "graph", "simulate", "compile"] {
        let ran = pointsman_in(dir.path(), &[command, "nowhere.scxml"]);
        assert_eq!(ran.code, Some(1), "{command}");
        assert!(
            ran.err.starts_with("error: cannot read nowhere.scxml: No such file"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn a_compiled_document_behaves_like_the_document_standing_alone_or_not() {
    let dir = folder();
    let events = dir.path().join("call.jsonl");
    fs::write(
        &events,
        "{\"event\":\"interaction.onrouterequest\",\"data\":{\"interactionid\":\"C1\",\"ani\":\"5551001\",\"dnis\":\"7002\"}}\n\
         {\"advance\":\"1h\"}\n{\"event\":\"interaction.redirect.done\"}\n",
    )
    .unwrap();
    let document = sample("vip/vip.scxml");
    // The name of what is run is the only thing that may differ.
    let run = |file: &str| {
        let ran = pointsman_in(dir.path(), &["simulate", file, "--events", text(&events), "--json"]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.out.replace(file, "FILE")
    };
    let expected = run(text(&document));
    assert!(
        expected.contains("Ada (gold)") && expected.contains("\"done\""),
        "{expected}"
    );
    for (output, extra) in [("image.wasm", None), ("standalone.wasm", Some("--standalone"))] {
        let mut arguments = vec!["compile", text(&document), "-o", output];
        arguments.extend(extra);
        let compiled = pointsman_in(dir.path(), &arguments);
        assert_eq!((compiled.code, compiled.err.as_str()), (Some(0), ""));
        assert!(
            compiled.out.starts_with(&format!("wrote {output} (")),
            "{}",
            compiled.out
        );
        assert_eq!(run(output), expected, "{output}");
    }
    let twice = pointsman_in(dir.path(), &["compile", "image.wasm"]);
    assert_eq!(twice.code, Some(1));
    assert_eq!(
        twice.err,
        "error: image.wasm: this is a component already: deploy it as it is\n"
    );
}

#[test]
fn the_same_document_compiles_to_the_same_bytes_wherever_it_lies() {
    let dir = folder();
    for form in [&[][..], &["--standalone"]] {
        let mut made = Vec::new();
        for place in ["here", "over/there"] {
            let folder = dir.path().join(place);
            fs::create_dir_all(&folder).unwrap();
            for file in ["vip.scxml", "vip.json"] {
                fs::copy(sample("vip").join(file), folder.join(file)).unwrap();
            }
            let document = folder.join("vip.scxml");
            for (from, named) in [(folder.as_path(), "vip.scxml"), (dir.path(), text(&document))] {
                let ran = pointsman_in(from, &[&["compile", named, "-o", "out.wasm"], form].concat());
                assert_eq!(ran.code, Some(0), "{}", ran.err);
                made.push(fs::read(from.join("out.wasm")).unwrap());
            }
        }
        assert!(made.iter().all(|bytes| *bytes == made[0]), "{form:?}");
    }
}

#[test]
fn a_component_that_was_cut_off_is_refused() {
    let dir = folder();
    let document = sample("split/split.scxml");
    assert_eq!(
        pointsman_in(dir.path(), &["compile", text(&document), "-o", "split.wasm"]).code,
        Some(0)
    );
    let whole = fs::read(dir.path().join("split.wasm")).unwrap();
    fs::write(dir.path().join("half.wasm"), &whole[..whole.len() / 2]).unwrap();
    let ran = pointsman_in(dir.path(), &["simulate", "half.wasm"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(
        ran.err
            .starts_with("error: half.wasm: this is not a usable WebAssembly component ("),
        "{}",
        ran.err
    );
}

#[test]
fn a_test_file_passes_or_fails_with_its_exit_code() {
    let dir = folder();
    let samples = sample("split/split.test.toml");
    let ran = pointsman_in(dir.path(), &["simulate", text(&samples)]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(ran.out.ends_with("3 cases passed\n"), "{}", ran.out);
    fs::copy(sample("split/split.scxml"), dir.path().join("split.scxml")).unwrap();
    let wrong = fs::read_to_string(&samples)
        .unwrap()
        .replace("reason = 503", "reason = 486");
    fs::write(dir.path().join("split.test.toml"), wrong).unwrap();
    let ran = pointsman_in(dir.path(), &["simulate", "split.test.toml"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out.contains(
            "MISMATCH in commands\n              expected   [{\"params\":{\"interactionid\":\"C3\",\"reason\":486}"
        ),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with("1 of 3 cases failed\n"), "{}", ran.out);
    let other = pointsman_in(
        dir.path(),
        &[
            "simulate",
            "split.test.toml",
            "--case",
            "a single target gets every call",
        ],
    );
    assert_eq!(other.code, Some(0), "{}", other.out);
    let none = pointsman_in(dir.path(), &["simulate", "split.test.toml", "--case", "no such"]);
    assert_eq!(none.code, Some(1));
    assert!(
        none.err
            .contains("has no case `no such`; it has: `a single target gets every call`"),
        "{}",
        none.err
    );
}

#[test]
fn without_events_the_state_after_the_start_is_shown() {
    let dir = folder();
    let document = sample("vip/vip.scxml");
    let ran = pointsman_in(dir.path(), &["simulate", text(&document)]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.out
            .ends_with("       +0s  start\n            configuration  waiting\n\n"),
        "{}",
        ran.out
    );
}

#[test]
fn completions_are_printed_for_every_shell() {
    let dir = folder();
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef pointsman"),
        ("fish", "complete -c pointsman"),
    ] {
        let ran = pointsman_in(dir.path(), &["completions", shell]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.out.contains(sign) && ran.out.contains("rollback"), "{shell}");
    }
}

#[test]
fn a_configuration_with_errors_exits_with_64() {
    let dir = folder();
    assert_eq!(pointsman_in(dir.path(), &["config", "check"]).code, Some(0));
    let embedded = pointsman_in(dir.path(), &["config", "show"]).out;
    fs::write(dir.path().join("pointsman.toml"), &embedded).unwrap();
    let good = pointsman_in(dir.path(), &["config", "check", "--config", "pointsman.toml"]);
    assert_eq!(
        (good.code, good.out.as_str()),
        (Some(0), "the configuration is correct\n"),
        "{}",
        good.err
    );
    let shown = pointsman_in(
        dir.path(),
        &["config", "show", "--effective", "--config", "pointsman.toml"],
    );
    assert!(
        shown.out.contains("name = \"pointsman\"  # pointsman.toml:"),
        "{}",
        shown.out
    );
    fs::write(
        dir.path().join("pointsman.toml"),
        embedded.replace("[[application.port]]", "[[application.prot]]"),
    )
    .unwrap();
    for arguments in [
        &["config", "check", "--config", "pointsman.toml"][..],
        &["config", "show", "--effective", "--config", "pointsman.toml"],
        &["serve", "--config", "pointsman.toml", "--data", "data"],
    ] {
        let bad = pointsman_in(dir.path(), arguments);
        assert_eq!(bad.code, Some(64), "{arguments:?}: {}", bad.err);
        assert!(bad.err.contains("--> pointsman.toml:"), "{}", bad.err);
    }
}

#[test]
fn a_configuration_that_is_not_there_is_named_as_it_was_given() {
    let dir = folder();
    let absolute = dir.path().join("nowhere.toml");
    for file in ["/no-such-pointsman.toml", text(&absolute), "nowhere.toml"] {
        for arguments in [&["config", "check"][..], &["config", "show", "--effective"]] {
            let ran = pointsman_in(dir.path(), &[arguments, &["--config", file]].concat());
            assert_eq!(ran.code, Some(64), "{}", ran.err);
            assert!(
                ran.err.starts_with(&format!("error: cannot read {file}: No such file")),
                "{}",
                ran.err
            );
        }
    }
}

#[test]
fn without_a_key_the_client_says_where_to_get_one() {
    let dir = folder();
    let ran = pointsman_in(dir.path(), &["sessions", "list"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.err,
        "error: there is no API key for https://127.0.0.1:8443/: give --key or POINTSMAN_KEY, or call this where \
         `pointsman serve --demo` runs, which writes one to run/client.toml. `pointsman keys new` makes one\n"
    );
}

#[test]
fn a_server_that_is_not_there_is_named_with_what_to_check() {
    let dir = folder();
    // A port that was free a moment ago; nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = format!("https://127.0.0.1:{port}");
    let ran = pointsman_in(
        dir.path(),
        &["sessions", "list", "--server", &server, "--key", "pm_x_y"],
    );
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.starts_with(&format!("error: no answer from {server}/: ")),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("Connection refused") && ran.err.contains("is the server running"),
        "{}",
        ran.err
    );
}

#[test]
fn a_document_with_errors_is_not_even_sent() {
    let dir = folder();
    fs::write(dir.path().join("route.scxml"), BROKEN).unwrap();
    let ran = pointsman_in(dir.path(), &["deploy", "route.scxml", "--tenant", "acme"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.starts_with("error[unknown-target]: there is no state `waitng`"),
        "{}",
        ran.err
    );
    fs::write(dir.path().join("a b.scxml"), BROKEN).unwrap();
    let ran = pointsman_in(dir.path(), &["deploy", "a b.scxml", "--tenant", "acme"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("`a b` cannot be the name of a strategy") && ran.err.contains("--name"),
        "{}",
        ran.err
    );
}

#[test]
fn certificates_are_made_shown_and_renewed() {
    let dir = folder();
    let none = pointsman_in(dir.path(), &["certs", "show"]);
    assert_eq!(none.code, Some(1));
    assert!(
        none.err.contains("`pointsman certs init` makes what is missing"),
        "{}",
        none.err
    );
    let made = pointsman_in(dir.path(), &["certs", "init"]);
    assert_eq!(
        (made.code, made.out.as_str()),
        (Some(0), "wrote run/certs/ca.pem\nwrote run/certs/server.pem\n")
    );
    let again = pointsman_in(dir.path(), &["certs", "init"]);
    assert_eq!(again.out, "nothing to do: the certificates in run/certs are good\n");
    let shown = pointsman_in(dir.path(), &["certs", "show"]);
    assert!(shown.out.contains("Pointsman development CA"), "{}", shown.out);
    assert_eq!(
        pointsman_in(dir.path(), &["certs", "renew"]).out,
        "wrote run/certs/server.pem\n"
    );
}
