//! What a wrong configuration is answered with: the user sees these messages.

use crate::common::{HASH, SMALL, parse, refused, small_with};
use pointsman_config::{Config, MAX_PROBLEMS, Report, Severity, Source};
use proptest::prelude::*;

/// `line:column message` of every problem.
fn problems(report: &Report) -> Vec<String> {
    let line = |problem| match report.position(problem) {
        Some((_, at)) => format!("{}:{} {}", at.line, at.column, problem.message),
        None => problem.message.clone(),
    };
    report.problems.iter().map(line).collect()
}

/// The only problem of the report: `line:column message`, and its help.
fn only(report: &Report) -> (String, String) {
    assert_eq!(report.problems.len(), 1, "{report}");
    (problems(report)[0].clone(), report.problems[0].help.clone())
}

#[test]
fn an_unknown_option_is_shown_with_its_line_and_the_nearest_name() {
    let text = small_with(
        "name = \"orchestrator\"",
        "name = \"orchestrator\"\n[application.scxml]\nmax-microstep-cont = 3",
    );
    let rendered = refused(&text).to_string();
    let expected = "error: unknown option `max-microstep-cont` in [application.scxml]
 --> main.toml:4:1
  |
4 | max-microstep-cont = 3
  | ^^^^^^^^^^^^^^^^^^
  = help: did you mean `max-microstep-count`? valid are `session-processing-threads`, `max-microstep-count`, \
`max-pending-events`, `process-event-timeout`, `max-session-age`, `http-max-redirections`, `http-max-stale`, `http-no-cache-urls`, \
`http-max-cache-entry-count`, `http-max-cache-entry-size`, `http-max-cache-size`, `http-ssl-ca-info`

the configuration is refused: 1 error";
    assert_eq!(rendered, expected);
}

#[test]
fn a_misspelt_table_is_reported_before_what_is_missing_for_it() {
    // Before the references to what was in it.
    let report = refused(&small_with("[[tenant]]", "[[tennant]]"));
    assert_eq!(
        problems(&report),
        [
            "13:3 unknown option `tennant` in the file",
            "1:1 there is no [[tenant]]",
            "18:10 there is no tenant `acme`",
            "30:10 there is no tenant `acme`",
        ]
    );
    // Before the options that it lacks.
    let report = refused(&small_with("[application]\nname", "[aplication]\nname"));
    assert_eq!(
        problems(&report),
        [
            "1:2 unknown option `aplication` in the file",
            "4:3 [application] lacks the option `name`",
        ]
    );
    // Before a warning further up.
    let text = SMALL.replace("[[application.connection]]\nswitch = \"north\"\n", "");
    let report = refused(&format!("{text}\n[application.conection]\nswitch = \"north\"\n"));
    let found = problems(&report);
    assert!(found[0].contains("unknown option `conection`"), "{report}");
    assert!(found[1].contains("no call reaches switch `north`"), "{report}");
}

#[test]
fn a_misspelt_table_is_named_where_its_inner_tables_fall_to_its_neighbour() {
    let south = "[[swich]]\nname = \"south\"\ntenant = \"acme\"\nkind = \"sip\"\n[switch.sip]\n";
    let text = small_with("kind = \"sip\"\n", &format!("kind = \"sip\"\n[switch.sip]\n{south}"));
    assert_eq!(
        problems(&refused(&text)),
        [
            "21:3 unknown option `swich` in the file",
            "25:9 this is not TOML: duplicate key",
        ]
    );
}

#[test]
fn a_log_larger_than_the_sandbox_takes_cannot_be_configured() {
    let with = |bytes: u32| {
        let section = format!("[application.sandbox]\nmax-log-bytes-per-step = {bytes}\n[[tenant]]");
        small_with("[[tenant]]", &section)
    };
    assert_eq!(
        parse(&with(2 << 20)).application.sandbox.max_log_bytes_per_step.0,
        2 << 20
    );
    let (message, _) = only(&refused(&with((2 << 20) + 1)));
    assert_eq!(
        message,
        "14:26 `max-log-bytes-per-step` is 2097153, but must be from 0 to 2097152 bytes"
    );
}

#[test]
fn an_ors_option_without_effect_yet_is_refused_as_that() {
    let text = small_with(
        "[[tenant]]",
        "[application.orchestration]\ncall-watching-timeout = 5000\nmcr-pull-limit = 1\n[[tenant]]",
    );
    let report = refused(&text);
    let found = problems(&report);
    assert_eq!(found.len(), 2, "{report}");
    assert!(found[0].contains("ORS's option `call-watching-timeout`"), "{report}");
    assert!(found[1].contains("ORS's option `mcr-pull-limit`"), "{report}");
    assert!(report.problems[0].help.contains("remove it"));
}

#[test]
fn a_destination_is_a_server_and_a_path() {
    for (destination, why) in [
        ("crm.example.com", "it is not a URL"),
        ("ftp://crm.example.com/", "it does not begin with http:// or https://"),
        ("https://user:secret@crm.example.com/", "it has a user or password"),
        ("https://crm.example.com/?a=1", "it has a query or a fragment"),
    ] {
        let text = small_with(
            "name = \"acme\"",
            &format!("name = \"acme\"\n[tenant.http]\nallow = [\"{destination}\"]"),
        );
        let (message, help) = only(&refused(&text));
        assert!(message.ends_with(&format!("is no destination: {why}")), "{message}");
        assert!(help.contains("https://crm.example.com/api/"), "{help}");
    }
}

#[test]
fn all_mistakes_of_all_files_are_reported_at_once() {
    let main = small_with("transport = \"udp\"", "transport = \"upd\"")
        .replace(
            "type = \"routing-point\"",
            "type = 5\nwhatever = 1\ndefault-dn = [\"1\", 2, \"a b\"]",
        )
        .replace(
            "[[tenant]]",
            "[application.scxml]\nmax-pending-events = 0\nmax-session-age = \"a week\"\n[[tenant]]",
        );
    let more = "[[switch]]\nname = \"south\"\ntenant = \"acne\"\nkind = \"sip\"\n";
    let sources = vec![Source::new("main.toml", main), Source::new("more.toml", more)];
    let report = Config::parse(sources).unwrap_err().0;
    let all = report.to_string();
    for part in [
        "`upd` is not a transport",
        "did you mean `udp`?",
        "`type` takes a type of DN, not an integer",
        "unknown option `whatever` in [[dn]]",
        "takes a DN's number, not an integer",
        "`a b` is not a DN's number",
        "`max-pending-events` is 0, but must be from 1 to 100000 events",
        "`max-session-age` takes a whole number of seconds, not a string",
        "there is no tenant `acne`",
        "more.toml:3:10",
        "did you mean `acme`?",
        "refused: 8 errors",
    ] {
        assert!(all.contains(part), "{part:?} is missing in:\n{all}");
    }
}

#[test]
fn a_missing_option_is_named_with_what_it_is_for() {
    let (message, help) = only(&refused(&small_with("id = \"sip\"\n", "")));
    assert_eq!(message, "4:1 [[application.port]] lacks the option `id`");
    assert_eq!(
        help,
        "`id` is required: The port's id, by which connections and messages name it"
    );
}

#[test]
fn a_syntax_error_is_reported_alone_with_its_place() {
    let report = refused(&small_with("name = \"acme\"", "name = acme"));
    assert!(
        problems(&report)
            .iter()
            .all(|problem| problem.contains("this is not TOML")),
        "{report}"
    );
    let (_, at) = report.position(&report.problems[0]).unwrap();
    assert_eq!(at.line, 14, "{report}");
}

#[test]
fn the_same_key_twice_is_an_error() {
    let report = refused(&small_with("name = \"acme\"", "name = \"acme\"\nname = \"acme\""));
    assert!(report.to_string().contains("duplicate key"), "{report}");
}

#[test]
fn references_to_nothing_name_what_was_probably_meant() {
    for (from, to, message, suggested) in [
        (
            "[[dn]]\nnumber = \"7001\"\nswitch = \"north\"",
            "[[dn]]\nnumber = \"7001\"\nswitch = \"nroth\"",
            "there is no switch `nroth`",
            "north",
        ),
        (
            "tenant = \"acme\"\nkind",
            "tenant = \"amce\"\nkind",
            "there is no tenant `amce`",
            "acme",
        ),
        (
            "script:Front Desk",
            "script:Front Desc",
            "there is no script `Front Desc` of tenant `acme`",
            "Front Desk",
        ),
        (
            "connection]]\nswitch = \"north\"",
            "connection]]\nswitch = \"nort\"",
            "there is no switch `nort`",
            "north",
        ),
    ] {
        let report = refused(&small_with(from, to));
        let found = report.problems.iter().find(|problem| problem.message == message);
        let found = found.unwrap_or_else(|| panic!("{message:?} is missing in:\n{report}"));
        assert!(found.help.contains(&format!("`{suggested}`")), "{report}");
        assert_eq!(
            report
                .problems
                .iter()
                .filter(|problem| problem.severity == Severity::Error)
                .count(),
            1,
            "{report}"
        );
    }
}

#[test]
fn a_mistake_in_a_tenant_does_not_make_its_switches_dangle() {
    let (message, _) = only(&refused(&small_with(
        "name = \"acme\"",
        "name = \"acme\"\nmemory-per-session-bytes = -1",
    )));
    assert_eq!(
        message,
        "15:28 `memory-per-session-bytes` takes a whole number of bytes: zero or more, and not beyond 64 bits"
    );
}

#[test]
fn a_script_of_another_tenant_is_out_of_reach() {
    let text = small_with("name = \"acme\"", "name = \"acme\"\n[[tenant]]\nname = \"globex\"");
    let text = text.replace(
        "name = \"Front Desk\"\ntenant = \"acme\"",
        "name = \"Front Desk\"\ntenant = \"globex\"",
    );
    let (message, help) = only(&refused(&text));
    assert!(
        message.ends_with("there is no script `Front Desk` of tenant `acme`"),
        "{message}"
    );
    assert_eq!(help, "tenant `acme` has no script at all");
}

#[test]
fn duplicates_are_errors_that_say_where_the_first_one_is() {
    for (copied, message, first) in [
        (
            "[[tenant]]\nname = \"acme\"\n",
            "there is a second tenant `acme`",
            "main.toml:14",
        ),
        (
            "[[switch]]\nname = \"north\"\ntenant = \"acme\"\nkind = \"sip\"\n",
            "there is a second switch `north`",
            "main.toml:17",
        ),
        (
            "[[dn]]\nnumber = \"7001\"\nswitch = \"north\"\ntype = \"routing-point\"\nOrchestration.application = \"strategy:x\"\n",
            "there is a second DN `7001 of switch north`",
            "main.toml:22",
        ),
        (
            "[[script]]\nname = \"Front Desk\"\ntenant = \"acme\"\nApplication.url = \"strategy:x\"\n",
            "there is a second script `Front Desk of acme`",
            "main.toml:29",
        ),
    ] {
        let (found, help) = only(&refused(&format!("{SMALL}\n{copied}")));
        assert!(found.ends_with(message), "{found}");
        assert_eq!(help, format!("the first one is at {first}"));
    }
}

#[test]
fn two_applications_are_one_too_many() {
    let sources = vec![
        Source::new("main.toml", SMALL),
        Source::new("b.toml", "[application]\nname = \"other\"\n"),
    ];
    let report = Config::parse(sources).unwrap_err().0;
    assert!(
        report.to_string().contains("there is a second [application]"),
        "{report}"
    );
    assert!(
        report.to_string().contains("the first one is at main.toml:1"),
        "{report}"
    );
}

#[test]
fn options_that_were_never_acted_upon_are_refused() {
    for (from, to, option) in [
        (
            "connection]]\nswitch = \"north\"",
            "connection]]\nswitch = \"north\"\nports = [\"sip\"]",
            "ports",
        ),
        (
            "name = \"acme\"",
            "name = \"acme\"\nmax-live-sessions = 5",
            "max-live-sessions",
        ),
        (
            "name = \"acme\"",
            "name = \"acme\"\nmax-session-starts-per-second = 5",
            "max-session-starts-per-second",
        ),
    ] {
        let (message, help) = only(&refused(&small_with(from, to)));
        assert!(message.contains(&format!("unknown option `{option}`")), "{message}");
        assert!(help.contains("valid"), "{help}");
    }
}

#[test]
fn a_number_on_two_switches_is_an_error_unless_domains_tell_them_apart() {
    let both = |north: &str, south: &str| {
        let shared = small_with(
            "[[application.connection]]",
            "[[application.connection]]\nswitch = \"south\"\n[[application.connection]]",
        );
        let shared = shared.replace("kind = \"sip\"\n", &format!("kind = \"sip\"\n{north}"));
        format!(
            "{shared}[[switch]]\nname = \"south\"\ntenant = \"acme\"\nkind = \"sip\"\n{south}[[dn]]\nnumber = \"7001\"\n\
             switch = \"south\"\ntype = \"routing-point\"\nOrchestration.application = \"strategy:x\"\n"
        )
    };
    let (a, b) = ("sip.domain = \"a.example\"\n", "sip.domain = \"b.example\"\n");
    for (north, south) in [("", ""), (a, ""), ("", b), (a, a), (a, "sip.domain = \"A.Example\"\n")] {
        let (message, help) = only(&refused(&both(north, south)));
        assert!(
            message.ends_with("number 7001 is a DN of switch `north` and of switch `south`, which share the SIP ports"),
            "{message}"
        );
        assert!(
            help.contains("`domain`") && help.contains("the first one is at main.toml:2"),
            "{help}"
        );
    }
    assert_eq!(parse(&both(a, b)).dns.len(), 2);
    // Of a switch that is not served no call comes.
    let alone = both("", "").replacen("[[application.connection]]\nswitch = \"south\"\n", "", 1);
    assert_eq!(parse(&alone).dns.len(), 2);
}

#[test]
fn ports_that_cannot_work_are_refused() {
    let http = |lines: &str| {
        let port =
            format!("[[application.port]]\nid = \"web\"\nprotocol = \"http\"\n{lines}\n[[application.connection]]");
        only(&refused(&small_with("[[application.connection]]", &port))).0
    };
    for transport in ["udp", "tcp"] {
        let message = http(&format!("transport = \"{transport}\"\naddress = \"127.0.0.1:80\""));
        assert!(
            message.ends_with(&format!("over tls only, not over {transport}")),
            "{message}"
        );
    }
    let other = "transport = \"tls\"\naddress = \"127.0.0.1:80\"\n[[application.port]]\nid = \"web2\"\nprotocol = \"http\"\n\
                 transport = \"tls\"\naddress = \"127.0.0.1:81\"\ncertificate = \"a.pem\"\nkey = \"a.key\"";
    let other = http(other);
    assert!(
        other.contains("port `web2` has another certificate than port `web`"),
        "{other}"
    );
    assert!(http("transport = \"tls\"\naddress = \"localhost:80\"").contains("`localhost:80` is not an address"));
    let half = http("transport = \"tls\"\naddress = \"127.0.0.1:80\"\nkey = \"key.pem\"");
    assert!(half.contains("a certificate and its key go together"), "{half}");
    let escape = http("transport = \"tls\"\naddress = \"127.0.0.1:80\"\nkey = \"../key.pem\"");
    assert!(escape.contains("`../key.pem` is not a file's path"), "{escape}");
    let twice = "[[application.port]]\nid = \"sip\"\nprotocol = \"sip\"\ntransport = \"udp\"\naddress = \"127.0.0.1:5060\"\n\
                 [[application.connection]]";
    let report = refused(&small_with("[[application.connection]]", twice));
    let found = problems(&report);
    assert!(found[0].ends_with("there is a second port `sip`"), "{report}");
    assert!(found[1].ends_with("127.0.0.1:5060 is taken twice"), "{report}");
}

#[test]
fn udp_and_tcp_may_share_an_address() {
    let tcp = "[[application.port]]\nid = \"tcp\"\nprotocol = \"sip\"\ntransport = \"tcp\"\naddress = \"127.0.0.1:5060\"\n\
               [[application.connection]]";
    assert_eq!(
        parse(&small_with("[[application.connection]]", tcp))
            .application
            .ports
            .len(),
        2
    );
}

#[test]
fn a_dn_cannot_be_its_own_default() {
    let (message, _) = only(&refused(&small_with(
        "[dn.Orchestration]",
        "default-dn = [\"7001\"]\n[dn.Orchestration]",
    )));
    assert!(message.contains("its own default DN"), "{message}");
}

#[test]
fn a_tenant_cannot_have_more_memory_than_the_sandbox_allows() {
    let text = small_with(
        "name = \"acme\"",
        "name = \"acme\"\nmemory-per-session-bytes = 8_388_608",
    )
    .replace(
        "[[tenant]]",
        "[application.sandbox]\nmemory-per-session-bytes = 4_194_304\n[[tenant]]",
    );
    let (message, _) = only(&refused(&text));
    assert!(
        message.contains("more memory than the sandbox allows: 4194304 bytes"),
        "{message}"
    );
}

#[test]
fn a_platform_admin_is_not_bound_to_one_tenant() {
    let key = format!("[[api-key]]\nid = \"a\"\nsha256 = \"{HASH}\"\nrole = \"platform-admin\"\ntenant = \"acme\"\n");
    assert!(
        only(&refused(&format!("{SMALL}{key}")))
            .0
            .contains("a platform-admin is not bound to one tenant")
    );
}

#[test]
fn a_single_bracket_where_two_are_needed_is_explained() {
    let text = small_with("[[switch]]", "[switch]");
    assert!(
        refused(&text)
            .to_string()
            .contains("write [[switch]], with two brackets")
    );
}

#[test]
fn an_empty_file_lacks_an_application_and_a_tenant() {
    assert_eq!(
        problems(&refused("")),
        ["1:1 there is no [application]", "1:1 there is no [[tenant]]"]
    );
    assert_eq!(Config::parse(Vec::new()).unwrap_err().0.problems.len(), 2);
}

#[test]
fn a_bad_application_value_is_explained_in_place() {
    let (message, help) = only(&refused(&small_with("script:Front Desk", "http://web/[DNSI].scxml")));
    assert_eq!(message, "26:15 `[DNSI]` is not a placeholder");
    assert!(help.starts_with("did you mean `DNIS`?"), "{help}");
}

#[test]
fn secrets_do_not_appear_in_reports() {
    let key = |hash: &str, more: &str| {
        format!("{SMALL}api-key = [{{ id = \"a\", sha256 = {hash}, role = \"viewer\"{more} }}]\n")
    };
    // At the top of the file: an inline list after a table would belong to that table.
    let top = |text: String| {
        let (rest, key) = text.split_at(text.find("api-key").unwrap());
        format!("{key}{rest}")
    };
    for text in [
        top(key("\"hunter2-in-clear\"", ", tenant = \"*\"")),
        top(key("\"hunter2-in-clear\"", ", tenat = \"*\"")),
        top(key("\"hunter2-in-clear", ", tenant = \"*\"")),
        top(key("[\"hunter2-in-clear\"]", ", tenant = \"*\"")),
    ] {
        let rendered = refused(&text).to_string();
        assert!(rendered.contains("main.toml:1:"), "{rendered}");
        assert!(!rendered.contains("hunter2"), "{rendered}");
    }
    let good = top(key(&format!("\"{HASH}\""), ", tenant = \"*\""));
    assert!(!format!("{:?}", parse(&good).api_keys).contains(&HASH[..8]));
    let other = good.replace("role", "rool");
    assert!(!refused(&other).to_string().contains(&HASH[..8]));
}

#[test]
fn rendering_a_hostile_line_neither_floods_nor_drives_the_terminal() {
    let text = format!(
        "{SMALL}[[tenant]]\nname = \"{}\\u001b[2J\" # \u{7f}\n",
        "x".repeat(100_000)
    );
    let rendered = Config::parse(vec![Source::new("main.toml", text)])
        .unwrap_err()
        .to_string();
    assert!(rendered.len() < 2_000, "{} bytes", rendered.len());
    assert!(
        !rendered.contains(|c: char| c.is_control() && c != '\n'),
        "{rendered:?}"
    );
}

#[test]
fn a_report_is_bounded_and_says_how_much_it_leaves_out() {
    let many: String = (0..10_000).map(|index| format!("unknown{index} = 1\n")).collect();
    let report = refused(&format!("{many}{SMALL}"));
    assert_eq!(report.problems.len(), MAX_PROBLEMS);
    assert_eq!(report.omitted, 10_000 - MAX_PROBLEMS);
    assert!(report.to_string().ends_with("(and 9800 more that are not shown)"));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*") {
        if let Err(error) = Config::parse(vec![Source::new("main.toml", text)]) {
            let _ = error.to_string();
        }
    }

    #[test]
    fn a_sample_with_a_piece_replaced_never_panics(at in 0..SMALL.len(), length in 0usize..40, piece in "[\\[\\]\"a-z0-9.=\\n é\u{1b}-]{0,12}") {
        let end = (at + length).min(SMALL.len());
        let text = format!("{}{piece}{}", &SMALL[..at], &SMALL[end..]);
        if let Err(error) = Config::parse(vec![Source::new("main.toml", text)]) {
            let report = error.0.to_string();
            prop_assert!(report.contains("refused"), "{report}");
        }
    }
}
