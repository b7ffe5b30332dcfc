//! A server for one test.

use pointsman_api::security::KeyText;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a server may take to be ready: it compiles its engine on first use.
const READY: Duration = Duration::from_secs(120);

/// The server's data folder, in the test's: where `make run` has it, so that the command line finds the demo's key.
const DATA: &str = "run";

pub struct Node {
    child: Child,
    pub dir: tempfile::TempDir,
    pub key: String,
    pub http: u16,
    pub sip: u16,
    pub sips: u16,
    lines: mpsc::Receiver<String>,
    /// What the server is started with, beside its configuration and data.
    arguments: &'static [&'static str],
    client: reqwest::Client,
    tokio: tokio::runtime::Runtime,
}

/// A free port, for TCP and UDP alike.
pub fn free_port() -> u16 {
    for _ in 0..100 {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free for both TCP and UDP");
}

/// Ports and a configuration for two tenants and three DNs.
pub struct Plan {
    pub dir: tempfile::TempDir,
    pub key: KeyText,
    pub http: u16,
    pub sip: u16,
    pub sips: u16,
}

impl Plan {
    pub fn new() -> Plan {
        Plan {
            dir: tempfile::tempdir().unwrap(),
            key: KeyText::generate("test").unwrap(),
            http: free_port(),
            sip: free_port(),
            sips: free_port(),
        }
    }

    pub fn config(&self) -> String {
        let digest = self.key.to_key(Vec::new()).sha256;
        let mut text = format!(
            r#"
[application]
name = "test"
[[application.port]]
id = "https"
protocol = "http"
transport = "tls"
address = "127.0.0.1:{}"
"#,
            self.http
        );
        for (transport, port) in [("udp", self.sip), ("tcp", self.sip), ("tls", self.sips)] {
            text += &format!(
                "[[application.port]]\nid = \"sip-{transport}\"\nprotocol = \"sip\"\ntransport = \"{transport}\"\naddress = \"127.0.0.1:{port}\"\n"
            );
        }
        for (tenant, switch) in [("acme", "sip-acme"), ("globex", "sip-globex")] {
            text += &format!(
                "[[application.connection]]\nswitch = \"{switch}\"\n[[tenant]]\nname = \"{tenant}\"\n\
                 [[switch]]\nname = \"{switch}\"\ntenant = \"{tenant}\"\nkind = \"sip\"\n[switch.sip]\nheaders-in = [\"X-Customer\"]\nqueued-after-ms = 100\n"
            );
        }
        for (number, switch, strategy) in [
            ("7001", "sip-acme", "by-caller"),
            ("7002", "sip-acme", "by-table"),
            ("8001", "sip-globex", "waits"),
        ] {
            text += &format!(
                "[[dn]]\nnumber = \"{number}\"\nswitch = \"{switch}\"\ntype = \"routing-point\"\ndefault-dn = [\"9999\"]\n\
                 Orchestration.application = \"strategy:{strategy}\"\n"
            );
        }
        text + &format!(
            "[[api-key]]\nid = \"test\"\nsha256 = \"{digest}\"\nrole = \"platform-admin\"\ntenant = \"*\"\n"
        )
    }

    pub fn write(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("pointsman.toml");
        std::fs::write(&path, text).unwrap();
        path
    }
}

pub fn command(dir: &Path, config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command
        .arg("serve")
        .arg("--config")
        .arg(config)
        .arg("--data")
        .arg(dir.join(DATA));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Node {
    pub fn start() -> Node {
        Node::start_with(Plan::new())
    }

    pub fn start_with(plan: Plan) -> Node {
        let config = plan.config();
        Node::start_with_config(plan, &config)
    }

    /// A server whose configuration is `text` instead of the plan's own.
    pub fn start_with_config(plan: Plan, text: &str) -> Node {
        Node::start_as(plan, text, &[])
    }

    /// The same, with more arguments for `serve`.
    pub fn start_as(plan: Plan, text: &str, arguments: &'static [&'static str]) -> Node {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let config = plan.write(text);
        let (child, lines) = spawn(command(plan.dir.path(), &config).args(arguments));
        // A test that panics before the node is whole must not leave the process behind.
        let mut node = Node {
            child,
            key: plan.key.reveal(),
            http: plan.http,
            sip: plan.sip,
            sips: plan.sips,
            dir: plan.dir,
            lines,
            arguments,
            client: reqwest::Client::new(),
            tokio: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        };
        node.wait_for("pointsman is ready", READY);
        node.connect();
        node
    }

    /// A client that trusts this server, without connections of an earlier one.
    fn connect(&mut self) {
        let ca = std::fs::read(self.ca()).unwrap();
        self.client = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .build()
            .unwrap();
    }

    /// Stops the server as its operator does, and starts it again on the same data and configuration.
    pub fn restart(&mut self) {
        self.signal("TERM");
        assert!(self.wait().success());
        let path = self.dir.path().join("pointsman.toml");
        (self.child, self.lines) = spawn(command(self.dir.path(), &path).args(self.arguments));
        self.wait_for("pointsman is ready", READY);
        self.connect();
    }

    /// The certificate authority of the server's own certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join(DATA).join("certs/ca.pem")
    }

    /// The command line with this node's address, key and CA, in the test's folder.
    pub fn pointsman(&self, arguments: &[&str]) -> Ran {
        let mut command = cli(self.dir.path(), arguments);
        command
            .env("POINTSMAN_SERVER", format!("https://127.0.0.1:{}", self.http))
            .env("POINTSMAN_KEY", &self.key)
            .env("POINTSMAN_CA", self.ca());
        run(&mut command)
    }

    /// A figure of `/metrics`.
    pub fn figure(&self, name: &str) -> u64 {
        let text = self.get("/metrics").as_str().unwrap().to_owned();
        let value = text
            .lines()
            .find_map(|l| l.strip_prefix("pointsman_")?.strip_prefix(name)?.strip_prefix(' '))
            .unwrap_or_else(|| panic!("no figure {name}:\n{text}"));
        value.parse().unwrap()
    }

    /// Waits for a line of the log.
    pub fn wait_for(&mut self, text: &str, timeout: Duration) -> String {
        let end = Instant::now() + timeout;
        let mut seen = Vec::new();
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => break,
            }
        }
        panic!("`{text}` was not logged; what was:\n{}", seen.join("\n"));
    }

    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// Exit status after a signal.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    pub fn rest(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("https://127.0.0.1:{}{path}", self.http);
        let mut request = self.client.request(method, url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.tokio.block_on(async {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap();
            (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
        })
    }

    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.rest(reqwest::Method::GET, path, None);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub fn deploy(&self, tenant: &str, name: &str, document: &str) -> Value {
        let body = json!({ "document": document, "files": {}, "activate": true });
        let (status, body) = self.rest(
            reqwest::Method::PUT,
            &format!("/v1/tenants/{tenant}/strategies/{name}"),
            Some(body),
        );
        assert!((200..300).contains(&status), "{status} {body}");
        body
    }

    /// The three strategies that the DNs of [`Plan::config`] name.
    pub fn deploy_all(&self) {
        self.deploy("acme", "by-caller", &route("'2' + _event.data.ani.slice(-4)"));
        self.deploy(
            "acme",
            "by-table",
            &route("Number(_event.data.ani) % 2 ? ['3001', '3999'] : '3002'"),
        );
        self.deploy("globex", "waits", WAITS);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A strategy that routes at once.
pub fn route(target: &str) -> String {
    format!(
        r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:ixn="http://www.genesyslab.com/modules/interaction" version="1.0" initial="waiting">
  <state id="waiting">
    <transition event="interaction.onrouterequest" target="routing">
      <ixn:redirect interactionid="_event.data.interactionid" to="{target}"/>
    </transition>
    <transition event="interaction.deleted" target="over"/>
  </state>
  <state id="routing">
    <transition event="interaction.redirect.done error.interaction interaction.deleted" target="over"/>
  </state>
  <final id="over"/>
</scxml>"#
    )
}

/// A strategy that lets the caller wait for 300 ms.
const WAITS: &str = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:ixn="http://www.genesyslab.com/modules/interaction" version="1.0" initial="waiting">
  <datamodel><data id="call"/></datamodel>
  <state id="waiting">
    <transition event="interaction.onrouterequest" target="queued">
      <assign location="call" expr="_event.data"/>
    </transition>
    <transition event="interaction.deleted" target="over"/>
  </state>
  <state id="queued">
    <onentry><send event="enough" delay="300ms"/></onentry>
    <transition event="enough" target="routing"/>
    <transition event="interaction.abandoned" target="given-up"/>
  </state>
  <state id="given-up">
    <onentry><log label="waits" level="1" expr="'the caller gave up'"/></onentry>
    <transition event="interaction.deleted" target="over"/>
  </state>
  <state id="routing">
    <onentry><ixn:redirect interactionid="call.interactionid" to="'4' + call.ani.slice(-4)"/></onentry>
    <transition event="interaction.redirect.done error.interaction interaction.deleted" target="over"/>
  </state>
  <final id="over"/>
</scxml>"#;

/// What a command printed.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

pub fn run(command: &mut Command) -> Ran {
    let out = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: out.status.code(),
        out: text(&out.stdout),
        err: text(&out.stderr),
    }
}

/// The command line in a folder, with nothing about a server in its environment, and one native cache for all tests.
pub fn cli(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    for variable in ["POINTSMAN_SERVER", "POINTSMAN_KEY", "POINTSMAN_CA", "POINTSMAN_LOG"] {
        command.env_remove(variable);
    }
    command
}

/// A server, and the lines that it prints.
fn spawn(command: &mut Command) -> (Child, mpsc::Receiver<String>) {
    let mut child = command.spawn().expect("the binary was built");
    let (sender, lines) = mpsc::channel();
    for pipe in [
        Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
        Box::new(child.stderr.take().unwrap()),
    ] {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    (child, lines)
}

/// Is a program installed? Says so where it is not: the test is then skipped, visibly.
pub fn have(program: &str) -> bool {
    let there = Command::new("sh")
        .arg("-c")
        .arg(format!("command -v {program}"))
        .stdout(Stdio::null())
        .status();
    let there = there.is_ok_and(|s| s.success());
    if !there {
        // Not `eprintln!`: that is captured, and a test that passes shows nothing of it.
        let line = format!("SKIPPED: `{program}` is not installed (tools/setup test installs it)\n");
        std::io::stderr().lock().write_all(line.as_bytes()).unwrap();
    }
    there
}
