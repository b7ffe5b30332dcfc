//! What a correct configuration reads as.

use crate::common::{HASH, SMALL, parse, refused, small_with};
use pointsman_config::{
    ApplicationRef, Bytes, Config, DocumentRef, HeaderName, HostPort, Milliseconds, ObjectName, Protocol, Role,
    ScriptName, Seconds, Source, SwitchName, TenantName, TenantScope, Transport,
};

fn switch(name: &str) -> SwitchName {
    SwitchName::parse(name).unwrap()
}

#[test]
fn every_object_of_the_sample_is_read() {
    let config = parse(SMALL);
    let north = switch("north");
    assert_eq!(config.application.name.as_str(), "orchestrator");
    assert_eq!(config.application.ports.len(), 1);
    let dn = config.dn(&north, &"7001".parse().unwrap()).unwrap();
    assert_eq!(
        dn.orchestration.application,
        ApplicationRef::parse("script:Front Desk").unwrap()
    );
    let tenant = &config.switch(&north).unwrap().tenant;
    let script = config
        .script(tenant, &ScriptName::parse("Front Desk").unwrap())
        .unwrap();
    assert_eq!(
        script.application.url,
        DocumentRef::parse("strategy:front-desk@3").unwrap()
    );
    assert_eq!(script.parameters.0["greeting"].to_string(), "hello [ANI]");
    assert_eq!(config.dn(&north, &"7002".parse().unwrap()), None);
    assert_eq!(config.dn(&switch("south"), &"7001".parse().unwrap()), None);
}

#[test]
fn options_left_out_have_the_documented_defaults() {
    let config = parse(SMALL);
    let scxml = &config.application.scxml;
    assert_eq!(scxml.max_microstep_count, 1_000);
    assert_eq!(scxml.max_pending_events, 100);
    assert_eq!(scxml.process_event_timeout, Milliseconds(10_000));
    assert_eq!(scxml.max_session_age, Seconds(604_800));
    assert_eq!(scxml.http_max_redirections, 5);
    assert_eq!(config.application.orchestration.external_url, None);
    assert!(config.tenants[0].http.allow.is_empty(), "nothing may be reached");
    assert_eq!(config.application.sandbox.memory_per_session, Bytes(16 << 20));
    assert_eq!(config.switches[0].sip.decision_timeout, Milliseconds(30_000));
    assert_eq!(config.scripts[0].application.fetch_timeout, Milliseconds(30_000));
}

#[test]
fn options_given_replace_the_defaults() {
    let text = small_with(
        "[[tenant]]",
        "[application.scxml]\nmax-microstep-count = 7\nprocess-event-timeout = 0x10\nmax-session-age = 9_000\n\n[[tenant]]",
    );
    let scxml = parse(&text).application.scxml;
    assert_eq!(scxml.max_microstep_count, 7);
    assert_eq!(scxml.process_event_timeout, Milliseconds(16));
    assert_eq!(scxml.max_session_age, Seconds(9_000));
}

#[test]
fn a_tenant_reaches_what_it_is_allowed() {
    let text = small_with(
        "name = \"acme\"",
        "name = \"acme\"\nhttp.allow = [\"HTTPS://CRM.example.com/api/\", \"http://127.0.0.1:8080\"]",
    );
    let config = parse(&text);
    let allow: Vec<_> = config.tenants[0].http.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allow, ["https://crm.example.com/api/", "http://127.0.0.1:8080/"]);
}

#[test]
fn the_first_tenant_of_the_first_file_is_the_default_one() {
    let main = small_with(
        "[[tenant]]\nname = \"acme\"",
        "[[tenant]]\nname = \"zebra\"\n[[tenant]]\nname = \"acme\"",
    );
    let sources = vec![
        Source::new("main.toml", main),
        Source::new("more.toml", "[[tenant]]\nname = \"aardvark\"\n"),
    ];
    let config = Config::parse(sources).unwrap();
    assert_eq!(config.default_tenant().unwrap().name.as_str(), "zebra");
    let names: Vec<_> = config.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    assert_eq!(names, ["zebra", "acme", "aardvark"]);
}

#[test]
fn a_tenant_without_limits_has_those_of_the_sandbox() {
    let text = small_with(
        "name = \"acme\"",
        "name = \"acme\"\nmemory-per-session-bytes = 4_194_304\n[[tenant]]\nname = \"other\"",
    );
    let config = parse(&text);
    let memory = |name: &str| {
        let tenant = config.tenant(&TenantName::parse(name).unwrap()).unwrap();
        config.limits(tenant).memory_per_session
    };
    assert_eq!(memory("acme"), Bytes(4 << 20));
    assert_eq!(memory("other"), config.application.sandbox.memory_per_session);
}

#[test]
fn a_dns_own_decision_timeout_wins_over_its_switchs() {
    let text = small_with(
        "type = \"routing-point\"",
        "type = \"routing-point\"\ndecision-timeout-ms = 1500",
    );
    let config = parse(&text);
    assert_eq!(config.decision_timeout(&config.dns[0]), Some(Milliseconds(1_500)));
    let config = parse(&small_with(
        "kind = \"sip\"",
        "kind = \"sip\"\nsip.decision-timeout-ms = 2500",
    ));
    assert_eq!(config.decision_timeout(&config.dns[0]), Some(Milliseconds(2_500)));
}

#[test]
fn a_switch_has_a_domain_only_of_the_form_host_and_port() {
    let config = parse(&small_with(
        "kind = \"sip\"",
        "kind = \"sip\"\nsip.domain = \"sbc.example.com:5062\"",
    ));
    assert_eq!(
        config.switches[0].sip.domain.as_ref().map(HostPort::as_str),
        Some("sbc.example.com:5062")
    );
    for good in ["h", "h:1", "10.0.0.1:5060", "[::1]", "[2001:db8::1]:65535", "a-b.c"] {
        assert!(HostPort::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        ":5060",
        "h:",
        "h:0",
        "h:65536",
        "h:+1",
        "a..b",
        "-a",
        "a@b",
        "a;b",
        "a>",
        "::1",
        "[::1",
        "[x]",
        "[::1]5060",
        "a b",
    ] {
        assert!(HostPort::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn headers_that_carry_user_data_begin_with_x() {
    for good in ["X-Customer", "x-a.b_c"] {
        assert!(HeaderName::parse(good).is_ok(), "{good}");
    }
    for bad in ["X-", "Route", "X-a!", "X-a\r\nb", "x\u{e9}-a"] {
        assert!(HeaderName::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn two_switches_served_have_the_wider_limits_and_one_without_a_connection_does_not_count() {
    let connected = small_with(
        "[[application.connection]]",
        "[[application.connection]]\nswitch = \"south\"\n[[application.connection]]",
    );
    let text = connected.replace("kind = \"sip\"", "kind = \"sip\"\nsip.max-header-count = 20")
        + "[[switch]]\nname = \"south\"\ntenant = \"acme\"\nkind = \"sip\"\nsip.max-message-size-bytes = 2000\n\
           sip.max-header-count = 40\n[[switch]]\nname = \"west\"\ntenant = \"acme\"\nkind = \"sip\"\n\
           sip.max-header-count = 900\n";
    let config = parse(&text);
    assert_eq!(config.switches_served().count(), 2);
    let limits = config.sip_limits().unwrap();
    assert_eq!((limits.max_header_count, limits.max_message_size), (40, Bytes(65_535)));
}

#[test]
fn roles_are_ordered_and_a_key_is_good_for_its_tenant_only() {
    let text =
        format!("{SMALL}\n[[api-key]]\nid = \"ci\"\nsha256 = \"{HASH}\"\nrole = \"deployer\"\ntenant = \"acme\"\n");
    let config = parse(&text);
    let key = &config.api_keys[0];
    assert!(key.role >= Role::Operator && key.role < Role::TenantAdmin);
    assert!(key.tenant.includes(&TenantName::parse("acme").unwrap()));
    assert!(!key.tenant.includes(&TenantName::parse("globex").unwrap()));
    assert!(TenantScope::All.includes(&TenantName::parse("globex").unwrap()));
    assert_eq!(key.sha256.as_bytes()[..2], [0x2b, 0xb8]);
}

#[test]
fn the_embedded_configuration_has_five_numbers_over_two_tenants() {
    let config = Config::embedded();
    let served: Vec<_> = config
        .dns
        .iter()
        .map(|dn| {
            let tenant = config.switch(&dn.switch).unwrap().tenant.to_string();
            (
                dn.number.to_string(),
                tenant,
                dn.orchestration.application.to_string(),
                dn.default_dn[0].to_string(),
            )
        })
        .collect();
    let expected = [
        ("7001", "acme", "strategy:business-hours", "9999"),
        ("7002", "acme", "strategy:vip", "9999"),
        ("7003", "acme", "strategy:queue-overflow", "9999"),
        ("8001", "globex", "strategy:split", "9999"),
        ("8002", "globex", "strategy:least-cost", "9999"),
    ]
    .map(|(number, tenant, application, default)| (number.into(), tenant.into(), application.into(), default.into()));
    assert_eq!(served, expected);
    let ports: Vec<_> = config
        .application
        .ports
        .iter()
        .map(|port| (port.protocol, port.transport, port.address.to_string()))
        .collect();
    let expected = [
        (Protocol::Http, Transport::Tls, "127.0.0.1:8443"),
        (Protocol::Sip, Transport::Udp, "127.0.0.1:5060"),
        (Protocol::Sip, Transport::Tcp, "127.0.0.1:5060"),
        (Protocol::Sip, Transport::Tls, "127.0.0.1:5061"),
    ]
    .map(|(protocol, transport, address)| (protocol, transport, address.to_string()));
    assert_eq!(ports, expected);
    assert_eq!(config.switches_served().count(), 2);
}

#[test]
fn a_list_has_items_with_keys_and_belongs_to_a_tenant() {
    let tenant = parse(SMALL).tenants[0].name.clone();
    let list = format!(
        "\n[[list]]\nname = \"VIP callers\"\ntenant = \"{tenant}\"\n[list.items.\"5551000\"]\ntier = \"gold\"\nname = \"Ann\"\n"
    );
    let config = parse(&format!("{SMALL}{list}"));
    let found = config.list(&tenant, "VIP callers").expect("it is there");
    assert_eq!(found.items.0["5551000"]["tier"], "gold");
    assert!(config.list(&tenant, "other").is_none());
    let shown = pointsman_config::effective_toml(&config);
    assert_eq!(parse(&shown).lists, config.lists, "{shown}");
    for (from, to, message) in [
        ("tier = \"gold\"", "tier = 5", "a string, as in ORS"),
        (
            "[list.items.\"5551000\"]\ntier = \"gold\"\nname = \"Ann\"",
            "items = { x = 1 }",
            "keys and values",
        ),
        (
            &format!("tenant = \"{tenant}\""),
            "tenant = \"nobody\"",
            "there is no tenant `nobody`",
        ),
        (
            "name = \"VIP callers\"",
            "name = \"a/b\"",
            "without control characters and `/`",
        ),
    ] {
        assert!(list.contains(from), "{from}");
        let report = refused(&format!("{SMALL}{}", list.replacen(from, to, 1))).to_string();
        assert!(report.contains(message), "{message}: {report}");
    }
    let twice = refused(&format!("{SMALL}{list}{list}")).to_string();
    assert!(twice.contains("VIP callers"), "{twice}");
}

#[test]
fn options_that_sessions_may_read_are_those_that_say_how_they_run() {
    let config = parse(SMALL);
    assert_eq!(config.option("scxml", "max-microstep-count").as_deref(), Some("1000"));
    assert_eq!(config.option("scxml", "no-such-option"), None);
    assert_eq!(config.option("log", "verbose"), None);
}
