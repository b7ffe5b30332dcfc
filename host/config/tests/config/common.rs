//! What several test files need.

use pointsman_config::{Config, Report, Source};

/// A small correct configuration, one object of each kind.
pub const SMALL: &str = r#"[application]
name = "orchestrator"

[[application.port]]
id = "sip"
protocol = "sip"
transport = "udp"
address = "127.0.0.1:5060"

[[application.connection]]
switch = "north"

[[tenant]]
name = "acme"

[[switch]]
name = "north"
tenant = "acme"
kind = "sip"

[[dn]]
number = "7001"
switch = "north"
type = "routing-point"
[dn.Orchestration]
application = "script:Front Desk"

[[script]]
name = "Front Desk"
tenant = "acme"
[script.Application]
url = "strategy:front-desk@3"
[script.ApplicationParms]
greeting = "hello [ANI]"
"#;

/// SHA-256 of `secret`, for API keys in tests.
pub const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

/// Reads one text as the main file `main.toml`.
pub fn parse(text: &str) -> Config {
    match Config::parse(vec![Source::new("main.toml", text)]) {
        Ok(config) => config,
        Err(error) => panic!("{error}"),
    }
}

/// The report of a text that must be refused.
pub fn refused(text: &str) -> Report {
    match Config::parse(vec![Source::new("main.toml", text)]) {
        Ok(_) => panic!("the configuration was accepted:\n{text}"),
        Err(error) => error.0,
    }
}

/// `SMALL` with one piece of its text replaced; the piece must be there.
pub fn small_with(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from:?} is not in the sample");
    SMALL.replacen(from, to, 1)
}
