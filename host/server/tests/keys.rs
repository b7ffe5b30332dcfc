//! `pointsman keys`.

#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

use std::process::Command;

fn new(args: &[&str]) -> (Option<i32>, String, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .args(["keys", "new"])
        .args(args)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ran.status.code(), text(ran.stdout), text(ran.stderr))
}

#[test]
fn a_new_key_fits_into_a_configuration_and_is_shown_beside_it() {
    let (code, entry, key) = new(&["ops", "--role", "platform-admin", "--tenant", "*"]);
    assert_eq!(code, Some(0), "{key}");
    assert!(key.contains("the key, shown this once: "), "{key}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pointsman.toml");
    let pointsman = |args: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .args(args)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    let config = pointsman(&["config", "show"]);
    std::fs::write(&file, format!("{config}\n{entry}")).unwrap();
    pointsman(&["config", "check", "--config", file.to_str().unwrap()]);
}

#[test]
fn what_no_configuration_takes_is_refused() {
    for (args, message) in [
        (
            &["a b", "--role", "viewer", "--tenant", "*"][..],
            "the id of an API key has",
        ),
        (&["ops", "--role", "king", "--tenant", "*"], "platform-admin"),
        (&["ops", "--role", "viewer", "--tenant", "no such"], "tenant"),
        (&["ops", "--role", "viewer"], "--tenant"),
    ] {
        let (code, entry, error) = new(args);
        assert!(
            code != Some(0) && entry.is_empty() && error.contains(message),
            "{args:?}: {error}"
        );
    }
}
