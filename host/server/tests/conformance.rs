//! W3C's tests through the command line, where they are at hand.

#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

#[test]
fn the_w3c_tests_pass() {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let suite = PathBuf::from(manifest).join("../../../shared/w3c-irp");
    if !suite.join("index.json").is_file() {
        // On the real standard error: what a test prints is captured, and nobody would see it.
        let line = b"SKIPPED: W3C's tests are not at ../shared/w3c-irp beside this repository\n";
        std::io::stderr().write_all(line).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.md");
    let ran = Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .arg("conformance")
        .arg(&suite)
        .arg("--table")
        .arg(&table)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{out}{}", String::from_utf8_lossy(&ran.stderr));
    // Exact: one that silently falls out of the list would not be missed otherwise.
    assert!(
        out.contains("mandatory: 167 of 167 passed\noptional: 33 of 33 passed\n"),
        "{out}"
    );
    let table = std::fs::read_to_string(table).unwrap();
    let count = |verdict: &str| table.lines().filter(|l| l.ends_with(verdict)).count();
    let looped = count("| passed (looped: posts to itself, no network) |");
    assert_eq!(
        (count("| passed |"), looped, count("| passed (asserted) |")),
        (181, 11, 8),
        "{table}"
    );
    let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance.md");
    let kept = std::fs::read_to_string(kept).unwrap_or_default();
    assert!(
        kept == table,
        "docs/conformance.md is of another version: write it again with `pointsman conformance SUITE --table docs/conformance.md`"
    );
}

#[test]
fn what_cannot_be_run_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let ran = |args: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .arg("conformance")
            .arg(folder.path())
            .args(args)
            .output()
            .unwrap();
        (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (code, message) = ran(&[]);
    assert!(
        code == Some(1) && message.contains("name the folder that has the suite's index.json"),
        "{message}"
    );
    std::fs::write(folder.path().join("index.json"), "[]").unwrap();
    let (code, message) = ran(&["--only", "144"]);
    assert!(
        code == Some(1) && message.contains("the suite has no test 144"),
        "{message}"
    );
    let test = r#"[{"id": "1", "conformance": "mandatory", "manual": false, "docs": ["a.scxml"], "datamodel": "ecmascript",
        "max_delay_s": 0, "section": "3.2", "section_title": null}]"#;
    std::fs::write(folder.path().join("index.json"), test).unwrap();
    let chart = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0"><final id="fail"/></scxml>"#;
    std::fs::write(folder.path().join("a.scxml"), chart).unwrap();
    let (code, message) = ran(&[]);
    assert!(code == Some(1) && message.contains("1 tests failed"), "{message}");
}

/// A suite of one document for each of these tests, which a person is to judge.
fn manual(folder: &std::path::Path, ids: &[&str]) {
    let test = |id: &&str| {
        format!(
            r#"{{"id": "{id}", "conformance": "mandatory", "manual": true, "docs": ["ecma/test{id}.scxml"],
                "datamodel": "ecmascript", "max_delay_s": 0, "section": "3.2", "section_title": null,
                "manual_as_auto": "manual-as-auto/test{id}a.scxml"}}"#
        )
    };
    let tests: Vec<_> = ids.iter().map(test).collect();
    std::fs::create_dir_all(folder.join("ecma")).unwrap();
    std::fs::write(folder.join("index.json"), format!("[{}]", tests.join(","))).unwrap();
}

fn run(folder: &std::path::Path) -> (Option<i32>, String, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .arg("conformance")
        .arg(folder)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.code(), text(&ran.stdout), text(&ran.stderr))
}

#[test]
fn a_suite_without_its_documents_passes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ids = ["178", "230", "250", "301", "307", "313", "314", "415"];
    manual(folder.path(), &ids);
    let (code, out, message) = run(folder.path());
    assert!(code == Some(1) && message.contains("8 tests failed"), "{out}{message}");
    for id in ids {
        let failed = out
            .lines()
            .find(|line| line.starts_with(&format!("test {id} (mandatory, 3.2) failed: ")));
        assert!(
            failed.is_some_and(|line| line.contains(&format!("test{id}.scxml"))),
            "{out}"
        );
    }
}

#[test]
fn a_test_that_a_person_judges_needs_its_variant_to_pass_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, body: &str| {
        let text = format!(
            r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" datamodel="ecmascript">{body}</scxml>"#
        );
        std::fs::write(folder.path().join(path), text).unwrap();
    };
    manual(folder.path(), &["313", "415"]);
    write("ecma/test313.scxml", r#"<final id="pass"/>"#);
    write(
        "ecma/test415.scxml",
        r#"<final id="final"><onentry><raise event="event1"/></onentry></final>"#,
    );
    let (code, out, message) = run(folder.path());
    assert_eq!(code, Some(0), "without the folder of the variants: {out}{message}");
    std::fs::create_dir(folder.path().join("manual-as-auto")).unwrap();
    write("manual-as-auto/test415a.scxml", r#"<final id="fail"/>"#);
    let (code, out, message) = run(folder.path());
    assert!(code == Some(1) && message.contains("2 tests failed"), "{out}{message}");
    for id in ["313", "415"] {
        assert!(
            out.contains(&format!(
                "test {id} (mandatory, 3.2) failed: its variant in manual-as-auto: "
            )),
            "{out}"
        );
    }
    write("manual-as-auto/test313a.scxml", r#"<final id="pass"/>"#);
    write("manual-as-auto/test415a.scxml", r#"<final id="pass"/>"#);
    let (code, out, message) = run(folder.path());
    assert_eq!(code, Some(0), "{out}{message}");
}
