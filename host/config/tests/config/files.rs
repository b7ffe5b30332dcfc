//! Reading from a directory, and nowhere else.

use crate::common::SMALL;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pointsman_config::{Config, MAX_FILE_BYTES, Severity, check};
use tempfile::TempDir;

/// A directory `conf` within a directory that holds a tenant which must not be reachable.
fn directory(main: &str) -> (TempDir, Dir) {
    let outer = TempDir::new().unwrap();
    std::fs::write(outer.path().join("outside.toml"), "[[tenant]]\nname = \"outside\"\n").unwrap();
    std::fs::create_dir_all(outer.path().join("conf/tenants")).unwrap();
    std::fs::write(outer.path().join("conf/main.toml"), main).unwrap();
    let dir = Dir::open_ambient_dir(outer.path().join("conf"), ambient_authority()).unwrap();
    (outer, dir)
}

fn including(what: &str) -> String {
    format!("include = [{what}]\n{SMALL}")
}

fn refusal(main: &str, prepare: impl FnOnce(&std::path::Path)) -> String {
    let (outer, dir) = directory(main);
    prepare(outer.path());
    let message = Config::load(&dir, "main.toml").expect_err("a refusal").to_string();
    assert!(
        !message.contains("\"outside\""),
        "the file outside was read:\n{message}"
    );
    message
}

#[test]
fn included_files_are_read_in_order_and_each_once() {
    let (_outer, dir) = directory(&including("\"tenants/c.toml\", \"tenants/*.toml\""));
    for name in ["a", "b", "c"] {
        dir.write(
            format!("tenants/{name}.toml"),
            format!("[[tenant]]\nname = \"{name}\"\n"),
        )
        .unwrap();
    }
    dir.write("tenants/.hidden.toml", "broken").unwrap();
    dir.write("tenants/b.toml~", "broken").unwrap();
    let config = Config::load(&dir, "main.toml").unwrap();
    let names: Vec<_> = config.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    assert_eq!(names, ["acme", "c", "a", "b"]);
    assert_eq!(config.origins.of("tenant[3].name").as_deref(), Some("tenants/b.toml:2"));
}

#[test]
fn every_file_and_folder_that_was_looked_at_can_be_watched() {
    let (_outer, dir) = directory(&including("\"tenants/*.toml\", \"tenants/later.toml\""));
    dir.write("tenants/a.toml", "[[tenant]]\nname = \"a\"\n").unwrap();
    let expected = ["main.toml", "tenants", "tenants/a.toml", "tenants/later.toml"];
    // One that is not there yet is looked for, too: writing it must be noticed.
    let refused = Config::load(&dir, "main.toml").unwrap_err();
    assert_eq!(refused.0.watch, expected);
    dir.write("tenants/later.toml", "[[tenant]]\nname = \"later\"\n")
        .unwrap();
    assert_eq!(Config::load(&dir, "main.toml").unwrap().watch(), expected);
}

#[test]
fn a_mistake_in_an_included_file_names_that_file() {
    let message = refusal(&including("\"tenants/*.toml\""), |outer| {
        std::fs::write(outer.join("conf/tenants/a.toml"), "[[tenant]]\nnaem = \"a\"\n").unwrap();
    });
    assert!(message.contains("tenants/a.toml:2:1"), "{message}");
    assert!(message.contains("did you mean `name`?"), "{message}");
}

#[test]
fn an_include_cannot_leave_the_directory() {
    for path in [
        "../outside.toml",
        "tenants/../../outside.toml",
        "../*.toml",
        "./main.toml",
        "tenants//a.toml",
    ] {
        let message = refusal(&including(&format!("\"{path}\"")), |_| {});
        assert!(
            message.contains("is not a path below the configuration's directory"),
            "{path}: {message}"
        );
        assert!(message.contains("main.toml:1:12"), "{message}");
    }
    let outer = TempDir::new().unwrap();
    let absolute = outer.path().join("outside.toml");
    std::fs::write(&absolute, "[[tenant]]\nname = \"outside\"\n").unwrap();
    let message = refusal(&including(&format!("\"{}\"", absolute.display())), |_| {});
    assert!(
        message.contains("is not a path below the configuration's directory"),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_cannot_leave_the_directory() {
    use std::os::unix::fs::symlink;
    for pattern in ["tenants/link.toml", "tenants/*.toml"] {
        let message = refusal(&including(&format!("\"{pattern}\"")), |outer| {
            symlink("../../outside.toml", outer.join("conf/tenants/link.toml")).unwrap();
        });
        assert!(message.contains("cannot read tenants/link.toml"), "{message}");
        let message = refusal(&including(&format!("\"{pattern}\"")), |outer| {
            symlink(outer.join("outside.toml"), outer.join("conf/tenants/link.toml")).unwrap();
        });
        assert!(message.contains("cannot read tenants/link.toml"), "{message}");
    }
    let message = refusal(&including("\"up/*.toml\""), |outer| {
        symlink("..", outer.join("conf/up")).unwrap();
    });
    assert!(message.contains("cannot read up/*.toml"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_within_the_directory_is_followed() {
    let (outer, dir) = directory(&including("\"tenants/link.toml\""));
    dir.write("real.toml", "[[tenant]]\nname = \"real\"\n").unwrap();
    std::os::unix::fs::symlink("../real.toml", outer.path().join("conf/tenants/link.toml")).unwrap();
    assert_eq!(Config::load(&dir, "main.toml").unwrap().tenants.len(), 2);
}

#[test]
fn the_main_file_itself_cannot_lie_outside() {
    let (_outer, dir) = directory(SMALL);
    for name in ["../outside.toml", "/etc/hostname", "missing.toml", "tenants"] {
        let report = check(&dir, name);
        assert!(report.has_errors(), "{name} was read");
        assert!(report.problems[0].message.starts_with("cannot read "), "{report}");
    }
}

#[test]
fn an_included_file_cannot_include() {
    let message = refusal(&including("\"tenants/a.toml\""), |outer| {
        std::fs::write(outer.join("conf/tenants/a.toml"), "include = [\"main.toml\"]\n").unwrap();
    });
    assert!(message.contains("an included file cannot include others"), "{message}");
}

#[test]
fn an_include_of_another_shape_is_a_mistake() {
    assert!(refusal(&format!("include = \"a.toml\"\n{SMALL}"), |_| {}).contains("takes an array, not a string"));
    assert!(refusal(&including("7"), |_| {}).contains("takes paths of files to include"));
    assert!(refusal(&including("\"*/a.toml\""), |_| {}).contains("has a `*` before its last `/`"));
    assert!(refusal(&including("\"tenants/none.toml\""), |_| {}).contains("cannot read tenants/none.toml"));
}

#[test]
fn a_pattern_that_matches_nothing_is_a_warning_only() {
    let (_outer, dir) = directory(&including("\"tenants/*.toml\""));
    let report = check(&dir, "main.toml");
    assert_eq!(report.problems.len(), 1, "{report}");
    assert_eq!(report.problems[0].severity, Severity::Warning);
    assert!(Config::load(&dir, "main.toml").is_ok());
}

#[test]
fn a_file_that_is_too_large_or_not_utf8_is_refused() {
    let large = "#".repeat(usize::try_from(MAX_FILE_BYTES).unwrap() + 1);
    assert!(refusal(&large, |_| {}).contains("it is larger than"));
    let message = refusal(SMALL, |outer| {
        std::fs::write(outer.join("conf/main.toml"), b"\xff\xfe").unwrap();
    });
    assert!(message.contains("cannot read main.toml"), "{message}");
}

#[test]
fn check_finds_nothing_wrong_with_the_sample() {
    let (_outer, dir) = directory(SMALL);
    assert_eq!(check(&dir, "main.toml").to_string(), "the configuration is correct");
}
