//! `sip`: calls against the server itself, over UDP on loopback, at a given rate.
//!
//! Starts the `pointsman` that was built beside this program, on free ports, with the embedded configuration and the
//! sample strategies, and places calls in an open loop: the next INVITE leaves at its time, whether or not the last one
//! was answered. Every call must get the targets that its strategy has for it; they are worked out here, without it.

use crate::process::processor_time_of;
use crate::report::Report;
use anyhow::{Context as _, Result, bail, ensure};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Samples that decide at once: business-hours and vip of one tenant, split of another.
const DNS: [&str; 3] = ["7001", "7002", "8001"];

/// Where calls go that no strategy decides in time.
const DEFAULT_DN: &str = "9999";

/// How long the last calls of a run may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long is listened after the last answer: a 302 whose ACK was lost comes again after 500 ms (RFC 3261 17.2.1, timer G).
const AFTERWARDS: Duration = Duration::from_millis(1_200);

/// vip's own table.
const VIP: &str = include_str!("../../strategies/vip/vip.json");

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// Rates, calls per second, one run each.
    #[arg(long, value_delimiter = ',', default_values_t = [200, 500, 1000], value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rates: Vec<u32>,
    /// Seconds of each run.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=300))]
    seconds: u32,
}

/// Measures.
pub fn run(arguments: &Arguments) -> Result<Report> {
    let mut report = Report::new("sip");
    let mut highest = None;
    for rate in &arguments.rates {
        // A server of its own for each rate: what one run leaves behind is not the next one's.
        let server = Server::start()?;
        if one_rate(&server, *rate, rate * arguments.seconds, &mut report)? {
            highest = highest.max(Some(*rate));
        }
    }
    let highest = highest.context("at no rate were all calls answered by their strategies")?;
    report.add(
        "highest of these rates with all calls answered",
        "calls/s",
        vec![highest.into()],
    );
    report.note("every call with a time was answered 302 with the targets that were expected: 7002 by vip's table, 8001 either of");
    report.note("split's, 7001 those of day or night: which of the two is the clock's. DNs in turn; generator and server share the cores");
    Ok(report)
}

/// The server under load.
struct Server {
    child: Child,
    sip: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Server {
    fn start() -> Result<Server> {
        let binary = std::env::current_exe()?.with_file_name("pointsman");
        ensure!(
            binary.is_file(),
            "{} is not there: build it first (cargo build --release -p pointsman)",
            binary.display()
        );
        let dir = tempfile::tempdir()?;
        let sip = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut config = include_str!("../../host/config/src/embedded.toml").to_owned();
        for (default, port) in [(5060, sip.port()), (5061, free_port()?), (8443, free_port()?)] {
            config = config.replace(&format!("127.0.0.1:{default}\""), &format!("127.0.0.1:{port}\""));
        }
        let path = dir.path().join("pointsman.toml");
        fs::write(&path, config)?;
        let child = Command::new(&binary)
            .args(["serve", "--demo", "--config"])
            .arg(&path)
            .arg("--data")
            .arg(dir.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", binary.display()))?;
        let mut server = Server { child, sip, _dir: dir };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let mut log = BufReader::new(self.child.stderr.take().context("its log is piped")?);
        let mut seen = String::new();
        loop {
            let from = seen.len();
            if log.read_line(&mut seen)? == 0 {
                bail!("the server stopped before it was ready:\n{seen}");
            }
            if seen[from..].contains("pointsman is ready") {
                break;
            }
        }
        // Read on, or the server would wait for room in the pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A free port, for TCP and UDP alike.
fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let port = tcp.local_addr()?.port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free for both TCP and UDP")
}

/// Calls of one run: when each was to leave, did leave and was answered, in ns since the run began; 0 is not yet.
struct Calls {
    began: Instant,
    sent: Vec<AtomicU64>,
    answered: Vec<AtomicU64>,
}

impl Calls {
    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

/// One run; false when the server could not do it.
fn one_rate(server: &Server, rate: u32, calls: u32, report: &mut Report) -> Result<bool> {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0")?);
    socket.connect(server.sip)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let local = socket.local_addr()?;
    let empty = || (0..calls).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
    let run = Arc::new(Calls {
        began: Instant::now(),
        sent: empty(),
        answered: empty(),
    });
    let cpu = processor_time_of(server.child.id())?;
    let receiver = {
        let (socket, run) = (socket.clone(), run.clone());
        std::thread::spawn(move || receive(&socket, &run, server_deadline(rate, calls)))
    };
    let interval = Duration::from_secs(1) / rate;
    for n in 0..calls {
        let at = interval * n;
        if let Some(early) = at.checked_sub(run.began.elapsed()) {
            std::thread::sleep(early);
        }
        run.sent[n as usize].store(run.now().max(1), Ordering::Relaxed);
        socket.send(invite(n, local).as_bytes())?;
    }
    let sending = run.began.elapsed();
    let received = receiver.join().expect("the receiver does not panic")?;
    let cpu = processor_time_of(server.child.id())?.saturating_sub(cpu);

    let name = format!("{rate} calls/s");
    let unanswered = run.answered.iter().filter(|a| a.load(Ordering::Relaxed) == 0).count();
    if unanswered > 0 || received.turned_away > 0 {
        let lost = (unanswered + received.turned_away) as f64;
        report.add(format!("{name}: calls that no strategy decided"), "calls", vec![lost]);
        report.note(format!(
            "{name}: too much: of {calls} calls {unanswered} were not answered, {} went to the default DN or were turned away",
            received.turned_away
        ));
        return Ok(false);
    }
    report.add(
        format!("{name}: calls placed per second"),
        "calls/s",
        vec![f64::from(calls) / sending.as_secs_f64()],
    );
    let times = |from: &dyn Fn(usize) -> u64| -> Vec<f64> {
        (0..calls as usize)
            .map(|n| run.answered[n].load(Ordering::Relaxed).saturating_sub(from(n)) as f64 / 1e6)
            .collect()
    };
    report.add(
        format!("{name}: decision, INVITE sent to 302 received"),
        "ms",
        times(&|n| run.sent[n].load(Ordering::Relaxed)),
    );
    report.add(
        format!("{name}: the same from when the INVITE was due"),
        "ms",
        times(&|n| (interval * n as u32).as_nanos() as u64),
    );
    report.add(
        format!("{name}: the server's processor time per call"),
        "us",
        vec![cpu.as_secs_f64() * 1e6 / f64::from(calls)],
    );
    // None: every ACK had arrived before timer G.
    report.add(
        format!("{name}: 302s that were sent again"),
        "responses",
        vec![f64::from(received.repeated)],
    );
    Ok(true)
}

fn server_deadline(rate: u32, calls: u32) -> Duration {
    Duration::from_secs_f64(f64::from(calls) / f64::from(rate)) + PATIENCE
}

#[derive(Default)]
struct Received {
    /// Final responses that came again.
    repeated: u32,
    /// Calls that the server did not let a strategy decide.
    turned_away: usize,
}

/// Takes responses and acknowledges, until every call is answered and a while longer, or until it is `deadline`.
fn receive(socket: &UdpSocket, run: &Calls, deadline: Duration) -> Result<Received> {
    let vip = serde_json::from_str(VIP)?;
    let mut buffer = [0; 4096];
    let mut left = run.answered.len();
    let mut until = deadline;
    let mut received = Received::default();
    while run.began.elapsed() < until {
        let len = match socket.recv(&mut buffer) {
            Ok(len) => len,
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => continue,
            Err(e) => return Err(e.into()),
        };
        let now = run.now();
        let text = std::str::from_utf8(&buffer[..len]).context("a response that is not text")?;
        if text.starts_with("SIP/2.0 1") {
            continue;
        }
        let values = |name: &'static str| {
            text.lines()
                .filter_map(move |l| l.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        let header = |name: &'static str| {
            values(name)
                .next()
                .with_context(|| format!("a response without {name}:\n{text}"))
        };
        let n: usize = header("Call-ID")?.trim_start_matches("perf-").parse()?;
        socket.send(ack(n, header("Via")?, header("From")?, header("To")?).as_bytes())?;
        let answered = run.answered.get(n).context("a response to a call of nobody")?;
        if answered.load(Ordering::Relaxed) != 0 {
            received.repeated += 1;
            continue;
        }
        answered.store(now, Ordering::Relaxed);
        left -= 1;
        if left == 0 {
            until = (run.began.elapsed() + AFTERWARDS).min(deadline);
        }
        let contacts: Vec<&str> = values("Contact").collect();
        let targets: Vec<&str> = contacts.iter().map(|c| user(c)).collect();
        let busy = ["480", "503"].iter().any(|code| text[8..].starts_with(code));
        if busy || targets == [DEFAULT_DN] {
            received.turned_away += 1;
            continue;
        }
        let expected = expected(n, &vip);
        ensure!(
            text.starts_with("SIP/2.0 302") && expected.contains(&targets),
            "call {n} to {} by {} should go to one of {expected:?}, but was answered\n{text}",
            dn(n),
            caller(n)
        );
    }
    Ok(received)
}

/// User part of a Contact's address.
fn user(contact: &str) -> &str {
    let address = contact.trim_start_matches('<').trim_start_matches("sip:");
    address.split('@').next().unwrap_or(address)
}

/// What a call's strategy may answer: lists of targets.
fn expected(n: usize, vip: &serde_json::Value) -> Vec<Vec<&str>> {
    match dn(n) {
        "7001" => vec![vec!["2001", "2002"], vec!["9001"]],
        "7002" => match vip[caller(n).to_string()]["agent"].as_str() {
            Some(agent) => vec![vec![agent, "2000"]],
            None => vec![vec!["2000"]],
        },
        _ => vec![vec!["3001"], vec!["3002"]],
    }
}

fn dn(n: usize) -> &'static str {
    DNS[n % DNS.len()]
}

/// Numbers that vip has in its table, for one call in ten; others.
fn caller(n: usize) -> usize {
    match n.is_multiple_of(10) {
        true => 5_551_001 + n / 10 % 3,
        false => 5_600_000 + n,
    }
}

fn invite(n: u32, local: SocketAddr) -> String {
    let (dn, caller) = (dn(n as usize), caller(n as usize));
    format!(
        "INVITE sip:{dn}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-perf-{n}\r\n\
         From: <sip:{caller}@{local}>;tag={n}\r\nTo: <sip:{dn}@127.0.0.1>\r\nCall-ID: perf-{n}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:{caller}@{local}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

fn ack(n: usize, via: &str, from: &str, to: &str) -> String {
    let dn = dn(n);
    format!(
        "ACK sip:{dn}@127.0.0.1 SIP/2.0\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: perf-{n}\r\n\
         CSeq: 1 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}
