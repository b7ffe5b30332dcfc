//! The effective configuration, the difference between two, and the reference of options.

use crate::common::{HASH, SMALL, parse, small_with};
use pointsman_config::{Change, Config, Effect, OptionOrigin, diff, effective_toml, reference};

fn with_key(hash: &str) -> String {
    format!("{SMALL}\n[[api-key]]\nid = \"ci\"\nsha256 = \"{hash}\"\nrole = \"viewer\"\ntenant = \"*\"\n")
}

fn paths(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| change.path.as_str()).collect()
}

#[test]
fn the_effective_configuration_names_the_origin_of_every_value() {
    let text = effective_toml(&parse(SMALL));
    for line in [
        "name = \"orchestrator\"  # main.toml:2",
        "max-microstep-count = 1000  # default",
        "number = \"7001\"  # main.toml:22",
        "application = \"script:Front Desk\"  # main.toml:26",
        "greeting = \"hello [ANI]\"  # main.toml:34",
        "# certificate is not set",
        "[[application.port]]",
        "[dn.Orchestration]",
        "[script.ApplicationParms]",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line:?} is missing in:\n{text}"
        );
    }
}

#[test]
fn the_effective_configuration_reads_back_as_the_same() {
    for config in [parse(SMALL), Config::embedded()] {
        let again = parse(&effective_toml(&config));
        assert!(diff(&config, &again).is_empty(), "{:?}", diff(&config, &again));
        assert_eq!(again.application, config.application);
        assert_eq!(
            (again.dns, again.switches, again.scripts),
            (config.dns, config.switches, config.scripts)
        );
    }
}

#[test]
fn parameters_with_unusual_names_and_values_survive() {
    let text = small_with(
        "greeting = \"hello [ANI]\"",
        "\"a.b c\" = \"line\\nbreak \\\"x\\\" # no comment\"\n\"\" = \"empty\"",
    );
    let config = parse(&text);
    assert_eq!(parse(&effective_toml(&config)).scripts, config.scripts);
    assert_eq!(
        config.origins.of("script[0].ApplicationParms.\"a.b c\"").as_deref(),
        Some("main.toml:34")
    );
}

#[test]
fn secrets_are_redacted_in_what_is_shown() {
    let (old, new) = (parse(&with_key(HASH)), parse(&with_key(&HASH.replace("2bb8", "ffff"))));
    let text = effective_toml(&old);
    assert!(text.contains("sha256 = \"<redacted>\""), "{text}");
    assert!(!text.contains(&HASH[8..16]), "{text}");
    let changes = diff(&old, &new);
    assert_eq!(
        paths(&changes.immediate),
        ["api-key.ci.sha256"],
        "a changed secret is a change all the same"
    );
    assert_eq!(
        changes.immediate[0].to_string(),
        "api-key.ci.sha256: <redacted> -> <redacted>"
    );
}

#[test]
fn changes_are_told_apart_by_when_they_take_effect() {
    let old = parse(SMALL);
    let text = small_with(
        "[[tenant]]",
        "[application.log]\nverbose = \"none\"\n[application.scxml]\nmax-pending-events = 7\nsession-processing-threads = 2\n[[tenant]]",
    )
    .replace("127.0.0.1:5060", "127.0.0.1:5070")
    .replace("hello", "bye")
    .replace(
        "type = \"routing-point\"",
        "type = \"routing-point\"\ndefault-dn = [\"9\"]",
    );
    let changes = diff(&old, &parse(&text));
    assert_eq!(
        paths(&changes.immediate),
        [
            "application.log.verbose",
            "dn.\"7001@north\".default-dn",
            "script.\"Front Desk@acme\".ApplicationParms.greeting",
        ]
    );
    assert_eq!(
        paths(&changes.restart),
        [
            "application.port.sip.address",
            "application.scxml.max-pending-events",
            "application.scxml.session-processing-threads"
        ]
    );
    assert_eq!(
        changes.immediate[0].to_string(),
        "application.log.verbose: \"trace\" -> \"none\""
    );
}

#[test]
fn the_same_configuration_written_differently_does_not_differ() {
    let reordered = small_with(
        "name = \"orchestrator\"",
        "# a comment\nname = 'orchestrator'\nscxml.max-pending-events = 0x64",
    );
    assert!(diff(&parse(SMALL), &parse(&reordered)).is_empty());
}

#[test]
fn objects_that_come_and_go_are_changes() {
    let old = parse(SMALL);
    let more = parse(&format!(
        "{SMALL}\n[[dn]]\nnumber = \"7002\"\nswitch = \"north\"\ntype = \"routing-point\"\nOrchestration.application = \"strategy:x\"\n"
    ));
    let added = diff(&old, &more);
    assert!(
        added
            .immediate
            .iter()
            .any(|change| change.path == "dn.\"7002@north\".number" && change.old.is_none())
    );
    assert!(added.restart.is_empty());
    let removed = diff(&more, &old);
    assert!(
        removed
            .immediate
            .iter()
            .any(|change| change.path == "dn.\"7002@north\".number" && change.new.is_none())
    );
}

#[test]
fn what_is_read_at_the_start_only_is_announced_as_such() {
    let start = |section: &str| -> Vec<&'static str> {
        let options = reference().into_iter();
        options
            .filter(|option| option.section == section && option.effect == Effect::Start)
            .map(|option| option.key)
            .collect()
    };
    for section in ["[application.scxml]", "[application.sandbox]"] {
        let all = reference().iter().filter(|option| option.section == section).count();
        assert_eq!(start(section).len(), all, "{section}");
    }
    assert_eq!(start("[application.orchestration]"), ["max-pending-calls"]);
    assert_eq!(start("[application.log]"), ["format"]);
    assert!(start("[tenant.http]").is_empty());
    assert_eq!(
        start("[switch.sip]"),
        [
            "max-message-size-bytes",
            "max-header-count",
            "max-transactions-per-source"
        ]
    );
}

#[test]
fn another_default_tenant_is_a_change() {
    let two = |first: &str, second: &str| {
        parse(&small_with(
            "[[tenant]]\nname = \"acme\"",
            &format!("[[tenant]]\nname = \"{first}\"\n[[tenant]]\nname = \"{second}\""),
        ))
    };
    let changes = diff(&two("acme", "globex"), &two("globex", "acme"));
    assert_eq!(paths(&changes.immediate), ["tenants"]);
}

#[test]
fn the_reference_describes_every_option() {
    let options = reference();
    for option in &options {
        let name = format!("{} {}", option.section, option.key);
        assert!(!option.summary.is_empty(), "{name} is not described");
        assert_eq!(
            option.range.is_some(),
            !option.unit.is_empty(),
            "{name}: a number has a unit and a range"
        );
        if let OptionOrigin::Ors(ors) = option.origin {
            assert!(!ors.is_empty(), "{name}");
        }
    }
    let scxml = |key: &str| {
        options
            .iter()
            .find(|option| option.section == "[application.scxml]" && option.key == key)
            .unwrap()
    };
    let age = scxml("max-session-age");
    assert_eq!(age.default.as_deref(), Some("604800"));
    assert_eq!((age.unit, age.effect), ("seconds", Effect::Start));
    assert_eq!(age.origin, OptionOrigin::Ors("scxml/max-session-age"));
    assert_eq!(scxml("session-processing-threads").effect, Effect::Start);
}
