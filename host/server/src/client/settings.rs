//! Which server, with which key: from the command line, the environment, or the demo's file.

use crate::failure::Failure;
use clap::Args;
use reqwest::Url;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What `pointsman serve --demo` writes for clients on the same machine.
const DEMO: &str = "run/client.toml";

/// Where a server listens unless it is told otherwise.
const SERVER: &str = "https://127.0.0.1:8443";

/// How to reach the server.
#[derive(Args, Clone, Default)]
pub(crate) struct Connection {
    /// Address of the server [env: POINTSMAN_SERVER; default: https://127.0.0.1:8443]
    #[arg(long, global = true, value_name = "URL", help_heading = "Connection")]
    server: Option<String>,
    /// API key; better given in the environment, where other users do not see it
    /// [env: POINTSMAN_KEY; default: that of run/client.toml, which `pointsman serve --demo` writes]
    #[arg(long, global = true, value_name = "KEY", help_heading = "Connection")]
    key: Option<String>,
    /// The CA that signed the server's certificate, as PEM; nobody else is trusted then
    /// [env: POINTSMAN_CA; default: as the key, else what the system trusts]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    ca: Option<PathBuf>,
}

/// What connections need.
#[derive(Debug, PartialEq)]
pub(super) struct Settings {
    pub server: Url,
    pub key: String,
    pub ca: Option<PathBuf>,
}

/// The demo's file.
#[derive(Clone, Debug, Deserialize)]
struct DemoFile {
    server: String,
    key: String,
    ca: PathBuf,
}

impl Connection {
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let given = Connection {
            server: self.server.clone().or_else(|| variable("POINTSMAN_SERVER")),
            key: self.key.clone().or_else(|| variable("POINTSMAN_KEY")),
            ca: self.ca.clone().or_else(|| variable("POINTSMAN_CA").map(PathBuf::from)),
        };
        given.with_demo(demo(Path::new(DEMO))?)
    }

    /// Fills what is absent from the demo's file; its key only goes to its own server.
    fn with_demo(self, demo: Option<DemoFile>) -> Result<Settings, Failure> {
        let demo = match (&self.server, demo) {
            (Some(server), Some(demo)) => {
                let same = Url::parse(server)
                    .ok()
                    .is_some_and(|server| Url::parse(&demo.server).ok() == Some(server));
                same.then_some(demo)
            }
            (_, demo) => demo,
        };
        let server = self.server.or_else(|| demo.as_ref().map(|demo| demo.server.clone()));
        let server = address(&server.unwrap_or_else(|| SERVER.into()))?;
        let ca = self.ca.or_else(|| demo.as_ref().map(|demo| demo.ca.clone()));
        let Some(key) = self.key.or_else(|| demo.map(|demo| demo.key)) else {
            return Err(Failure::Usage(format!(
                "there is no API key for {server}: give --key or POINTSMAN_KEY, or call this where \
                 `pointsman serve --demo` runs, which writes one to {DEMO}. `pointsman keys new` makes one"
            )));
        };
        Ok(Settings { server, key, ca })
    }
}

fn demo(path: &Path) -> Result<Option<DemoFile>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            // Another user's demo is none of ours.
            tracing::debug!(path = %path.display(), %error, "the demo's settings cannot be read");
            return Ok(None);
        }
    };
    let read = toml::from_str(&text).map_err(|error| {
        Failure::Failed(format!(
            "{} is damaged: {error}\n  help: `pointsman serve --demo` writes it anew",
            path.display()
        ))
    });
    read.map(Some)
}

/// An address that keys may be sent to: in clear text only on this machine.
fn address(text: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("`{text}` is no address of a server: {why}"));
    let url = Url::parse(text).map_err(|error| wrong(&format!("{error}; write such as {SERVER}")))?;
    let local = match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback()),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        "http" => Err(wrong("http would send the key in clear text; write https")),
        _ => Err(wrong("write https://HOST:PORT")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo_file() -> Option<DemoFile> {
        Some(DemoFile {
            server: "https://127.0.0.1:9443".into(),
            key: "pm_demo".into(),
            ca: "run/certs/ca.pem".into(),
        })
    }

    fn given(server: Option<&str>, key: Option<&str>) -> Connection {
        Connection {
            server: server.map(Into::into),
            key: key.map(Into::into),
            ca: None,
        }
    }

    #[test]
    fn the_demos_file_fills_what_is_absent() {
        let settings = given(None, None).with_demo(demo_file()).unwrap();
        assert_eq!(settings.server.as_str(), "https://127.0.0.1:9443/");
        assert_eq!(
            (settings.key.as_str(), settings.ca),
            ("pm_demo", Some("run/certs/ca.pem".into()))
        );
        let settings = given(None, Some("pm_own")).with_demo(demo_file()).unwrap();
        assert_eq!(settings.key, "pm_own");
    }

    #[test]
    fn the_demos_key_goes_to_the_demos_server_only() {
        let Err(Failure::Usage(message)) = given(Some("https://other"), None).with_demo(demo_file()) else {
            panic!("there is no key for that server");
        };
        assert!(
            message.contains("POINTSMAN_KEY") && message.contains("serve --demo"),
            "{message}"
        );
        assert!(
            given(Some("https://127.0.0.1:9443/"), None)
                .with_demo(demo_file())
                .is_ok()
        );
    }

    #[test]
    fn a_key_is_never_sent_in_clear_text_to_another_machine() {
        for good in [
            "https://example.com",
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "127.0.0.1:8443",
            "",
        ] {
            assert!(matches!(address(bad), Err(Failure::Usage(_))), "{bad}");
        }
    }
}
