//! One process, one measurement: it is given so long and no longer.

use super::job::{Answer, Job, Line};
use super::results::Run;
use super::set_up::Peer;
use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longest that a measurement may take.
const MEASUREMENT: Duration = Duration::from_secs(180);

/// Longest until a healthy session has handled its first event.
const START: Duration = Duration::from_secs(60);

/// Beyond the time that a healthy session's events take.
const GRACE: Duration = Duration::from_secs(4);

/// A process that is over.
struct Over {
    /// What it printed, and when after its start.
    lines: Vec<(Duration, String)>,
    errors: String,
    /// How it ended; `None` when its time was up.
    status: Option<ExitStatus>,
    took: Duration,
}

/// What a measurement answered.
pub fn answer(peer: Peer, folder: &Path, job: &Job) -> Result<Answer> {
    let over = watch(peer.process(folder, job)?, MEASUREMENT, GRACE)?;
    match over.status {
        None => bail!("not done after {} s", MEASUREMENT.as_secs()),
        Some(status) if !status.success() => {
            // Node tells of its own code first, and of its stack last.
            let mut said = over.errors.lines().map(str::trim).filter(|line| !line.is_empty());
            let error = said.clone().find(|line| line.contains("rror: ")).or(said.next_back());
            let said = error.map_or(String::new(), |line| format!(": {line}"));
            bail!("{}{said}", ended(status))
        }
        Some(_) => {
            let (_, line) = over.lines.last().context("it said nothing")?;
            Ok(serde_json::from_str(line)?)
        }
    }
}

/// Longest that a run beside a bad session takes from its first line.
pub fn run_limit(ticks: u32, tick_ms: u64) -> Duration {
    Duration::from_millis(tick_ms) * ticks + GRACE
}

/// What became of a healthy session beside a bad one.
pub fn runaway(peer: Peer, folder: &Path, job: &Job) -> Result<Run> {
    let over = watch(peer.process(folder, job)?, START, run_limit(job.ticks, job.tick_ms))?;
    let mut run = Run::default();
    let mut last = Duration::ZERO;
    for (at, line) in &over.lines {
        match serde_json::from_str(line).with_context(|| format!("{} says {line}", peer.name()))? {
            Line::Tick(_) => {
                if run.went.is_some() {
                    run.longest = run.longest.max(*at - last);
                }
                last = *at;
            }
            Line::Go(_) => run.went = Some(*at),
            Line::Ended(why) => {
                let after = *at - run.went.unwrap_or(*at);
                run.ended.get_or_insert((after, why));
            }
            Line::Healthy(well) => run.healthy = well,
        }
    }
    run.went.with_context(|| {
        let why = over.errors.lines().next().unwrap_or("nothing on stderr").to_owned();
        format!("{}: the bad session never began: {why}", peer.name())
    })?;
    run.last_tick = last;
    run.took = over.took;
    run.died = over.status.filter(|status| !status.success()).map(ended);
    Ok(run)
}

/// How a process ended, as a shell tells it.
fn ended(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = match signal {
                libc::SIGABRT => " (SIGABRT)",
                libc::SIGSEGV => " (SIGSEGV)",
                libc::SIGKILL => " (SIGKILL)",
                _ => "",
            };
            format!("exit {}{name}", 128 + signal)
        }
        (None, code) => format!("exit {}", code.unwrap_or_default()),
    }
}

/// Runs it, and kills it when it takes longer than `first` to its first line, or than `rest` from there to its end: that one
/// process, none by its name.
fn watch(mut command: Command, first: Duration, rest: Duration) -> Result<Over> {
    let began = Instant::now();
    let program = command.get_program().to_string_lossy().into_owned();
    let piped = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().with_context(|| format!("{program} cannot be started"))?;
    let out = BufReader::new(child.stdout.take().context("its output is piped")?);
    let mut errors = child.stderr.take().context("its errors are piped")?;
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        // What could be read is what there is to tell.
        let _broken = errors.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if sender.send((began.elapsed(), line)).is_err() {
                break;
            }
        }
    });
    let mut lines: Vec<(Duration, String)> = Vec::new();
    let in_time = loop {
        let limit = lines.first().map_or(first, |(at, _)| *at + rest);
        match receiver.recv_timeout(limit.saturating_sub(began.elapsed())) {
            Ok(line) => lines.push(line),
            Err(RecvTimeoutError::Timeout) => break false,
            Err(RecvTimeoutError::Disconnected) => break true,
        }
    };
    if !in_time {
        child.kill()?;
    }
    let status = child.wait()?;
    Ok(Over {
        lines,
        errors: errors.join().unwrap_or_default(),
        status: in_time.then_some(status),
        took: began.elapsed(),
    })
}
