//! Starting, changing and stopping in the wrong order.

use crate::calls::Phone;
use crate::node::{Node, Plan, command};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);

/// Runs a server that must not start; gives its exit code and what it said.
fn refused(plan: &Plan, config: &str) -> (Option<i32>, String) {
    let path = plan.dir.path().join("pointsman.toml");
    std::fs::write(&path, config).unwrap();
    let out = command(plan.dir.path(), &path).output().unwrap();
    (
        out.status.code(),
        String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned(),
    )
}

#[test]
fn a_port_that_is_taken_is_named() {
    let plan = Plan::new();
    let _taken = TcpListener::bind(("127.0.0.1", plan.http)).unwrap();
    let (code, text) = refused(&plan, &plan.config());
    assert_eq!(code, Some(1), "{text}");
    let expected = format!("cannot listen on 127.0.0.1:{} for REST", plan.http);
    assert!(
        text.contains(&expected) && text.contains("is another program"),
        "{text}"
    );
}

#[test]
fn a_broken_configuration_opens_no_port_and_names_file_line_and_remedy() {
    let plan = Plan::new();
    let (code, text) = refused(&plan, &plan.config().replace("headers-in", "header-in"));
    assert_eq!(code, Some(64), "{text}");
    assert!(
        text.contains("pointsman.toml:") && text.contains("headers-in"),
        "{text}"
    );
}

#[test]
fn an_expired_certificate_is_refused_with_the_date() {
    let plan = Plan::new();
    let dir = plan.dir.path();
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(dir.join("old.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(dir.join("old.key"), key.serialize_pem()).unwrap();
    let config = plan.config().replacen(
        "transport = \"tls\"\n",
        "transport = \"tls\"\ncertificate = \"old.pem\"\nkey = \"old.key\"\n",
        1,
    );
    let (code, text) = refused(&plan, &config);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("old.pem") && text.contains("expired on 2021-01-01"),
        "{text}"
    );
}

#[test]
fn a_configuration_broken_while_running_changes_nothing_and_a_good_one_does() {
    let plan = Plan::new();
    let good = plan.config();
    let mut node = Node::start_with(plan);
    node.deploy_all();
    let path = node.dir.path().join("pointsman.toml");
    std::fs::write(&path, good.replace("[[tenant]]", "[[tennant]]")).unwrap();
    node.signal("HUP");
    let line = node.wait_for("the old one stays in force", SOON);
    assert!(line.contains("the new configuration cannot be used"), "{line}");
    assert_eq!(node.get("/v1/tenants")["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(Phone::target(&node, "7002", "broken"), "3001");

    std::fs::write(&path, good.replace("number = \"7002\"", "number = \"7005\"")).unwrap();
    node.signal("HUP");
    node.wait_for("configuration reloaded", SOON);
    assert_eq!(Phone::target(&node, "7005", "new"), "3001");
    assert_eq!(Phone::target(&node, "7001", "kept"), "21001");
    let old = Phone::new(&node, "7002", "old");
    old.send("INVITE", "", "");
    old.expect("404");
}

#[test]
fn a_reload_that_changes_nothing_says_so() {
    let mut node = Node::start();
    node.signal("HUP");
    let line = node.wait_for("configuration read: nothing has changed", SOON);
    assert!(line.contains("INFO") && line.contains("pointsman.toml"), "{line}");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let plan = Plan::new();
    let config = plan.config();
    let node = Node::start_with(plan);
    let other = Plan::new();
    let path = other.dir.path().join("pointsman.toml");
    std::fs::write(&path, config.replace("127.0.0.1:", "127.0.0.2:")).unwrap();
    let out = command(node.dir.path(), &path).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(
        !out.status.success() && text.contains("in use by another process"),
        "{text}"
    );
}

#[test]
fn a_server_that_is_told_to_stop_does_not_wait_long_for_an_ack() {
    let mut node = Node::start();
    node.deploy_all();
    let phone = Phone::new(&node, "7001", "no-ack");
    phone.send("INVITE", "", "");
    phone.expect("302");
    let asked = Instant::now();
    node.signal("TERM");
    node.wait_for("stopped", SOON);
    assert!(node.wait().success());
    // Without a bound it is half a minute.
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
}

#[test]
fn a_server_that_is_told_to_stop_stops_and_keeps_what_was_deployed() {
    let mut node = Node::start();
    node.deploy_all();
    assert_eq!(Phone::target(&node, "7001", "before"), "21001");
    node.restart();
    assert_eq!(Phone::target(&node, "7001", "after"), "21001");
    let strategies = node.get("/v1/tenants/acme/strategies");
    assert_eq!(strategies["items"].as_array().map(Vec::len), Some(2), "{strategies}");
}
