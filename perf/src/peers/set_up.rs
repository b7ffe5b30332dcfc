//! The engines, and how they come to this machine.

use super::job::{Job, What};
use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
pub enum Peer {
    /// This one.
    #[value(skip)]
    Ours,
    /// `@scion-scxml/scxml`.
    Scion,
    /// XState 6, from SCXML.
    Xstate6,
    /// Qt SCXML.
    Qt,
    /// XState 5, written by hand.
    Xstate5,
}

/// MiB that a Node process beside a bad session may have its heap grow to.
pub const NODE_HEAP_MIB: u32 = 512;

/// KiB of address space that Qt's process beside a bad session may have.
pub const QT_ADDRESS_SPACE_KIB: u32 = 1 << 20;

impl Peer {
    /// All of them, in the order of the tables.
    pub const ALL: [Peer; 5] = [Peer::Ours, Peer::Scion, Peer::Xstate6, Peer::Qt, Peer::Xstate5];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Peer::Ours => "Pointsman",
            Peer::Scion => "SCION",
            Peer::Xstate6 => "XState 6 alpha, from SCXML",
            Peer::Qt => "Qt SCXML",
            Peer::Xstate5 => "XState 5, written by hand",
        }
    }

    /// Whether it runs on Node.
    pub fn on_node(self) -> bool {
        matches!(self, Peer::Scion | Peer::Xstate5 | Peer::Xstate6)
    }

    /// A process that does a job.
    pub fn process(self, folder: &Path, job: &Job) -> Result<Command> {
        let mut text = serde_json::to_value(job)?;
        let mut command = match self {
            Peer::Ours => {
                let mut ours = Command::new(std::env::current_exe()?);
                ours.args(["peers", "--here"]);
                ours
            }
            Peer::Qt => {
                let binary = folder.join("qt/build/peer-qt");
                if job.what == What::Runaway {
                    let mut limited = Command::new("sh");
                    let script = format!("ulimit -c 0; ulimit -v {QT_ADDRESS_SPACE_KIB}; exec \"$0\" \"$@\"");
                    limited.arg("-c").arg(script).arg(binary);
                    limited
                } else {
                    Command::new(binary)
                }
            }
            Peer::Scion | Peer::Xstate5 | Peer::Xstate6 => {
                let engine = match self {
                    Peer::Scion => "scion",
                    Peer::Xstate5 => "xstate5",
                    _ => "xstate6",
                };
                text["peer"] = engine.into();
                let mut node = Command::new("node");
                match job.what {
                    What::Runaway => node.arg(format!("--max-old-space-size={NODE_HEAP_MIB}")),
                    What::Memory => node.arg("--expose-gc"),
                    _ => &mut node,
                };
                node.arg(folder.join("node/measure.mjs"));
                node
            }
        };
        command.arg(text.to_string()).current_dir(folder);
        Ok(command)
    }
}

/// All that peers are made of: a path in the folder, and what is in the file.
const FILES: [(&str, &str); 16] = [
    (
        "charts/call-routing.scxml",
        include_str!("../../peers/charts/call-routing.scxml"),
    ),
    (
        "charts/ping-pong.scxml",
        include_str!("../../peers/charts/ping-pong.scxml"),
    ),
    ("charts/deep.scxml", include_str!("../../peers/charts/deep.scxml")),
    (
        "charts/endless-script.scxml",
        include_str!("../../peers/charts/endless-script.scxml"),
    ),
    (
        "charts/endless-raise.scxml",
        include_str!("../../peers/charts/endless-raise.scxml"),
    ),
    (
        "charts/memory-bomb.scxml",
        include_str!("../../peers/charts/memory-bomb.scxml"),
    ),
    (
        "events/call-routing.json",
        include_str!("../../peers/events/call-routing.json"),
    ),
    (
        "events/ping-pong.json",
        include_str!("../../peers/events/ping-pong.json"),
    ),
    ("events/deep.json", include_str!("../../peers/events/deep.json")),
    ("node/package.json", include_str!("../../peers/node/package.json")),
    (LOCK, include_str!("../../peers/node/package-lock.json")),
    ("node/engines.mjs", include_str!("../../peers/node/engines.mjs")),
    ("node/machines.mjs", include_str!("../../peers/node/machines.mjs")),
    ("node/measure.mjs", include_str!("../../peers/node/measure.mjs")),
    ("qt/CMakeLists.txt", include_str!("../../peers/qt/CMakeLists.txt")),
    ("qt/main.cpp", include_str!("../../peers/qt/main.cpp")),
];

const LOCK: &str = "node/package-lock.json";

/// Debian's packages that Qt's driver is built with.
const QT_PACKAGES: [&str; 4] = ["qt6-scxml-dev", "g++", "cmake", "make"];

/// `peers` in the folder of build results.
pub fn default_folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let results = program.parent().and_then(Path::parent);
    Ok(results
        .context("this program is in no folder of build results")?
        .join("peers"))
}

/// Makes the peers ready, and answers those that are. The others are said to be skipped, and what would help.
pub fn set_up(folder: &Path, peers: &[Peer], skipped: &mut Vec<String>) -> Result<Vec<Peer>> {
    for (path, text) in FILES {
        let path = folder.join(path);
        // Untouched files are not built again.
        if fs::read_to_string(&path).ok().as_deref() != Some(text) {
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    let mut ready = peers.to_vec();
    let mut without = |gone: fn(Peer) -> bool, names: &str, why: anyhow::Error, help: &str| {
        let line = format!("{names} skipped: {why:#}. {help}");
        eprintln!("{line}");
        skipped.push(line);
        ready.retain(|peer| !gone(*peer));
    };
    if peers.iter().any(|peer| peer.on_node())
        && let Err(e) = node(folder)
    {
        let help = "Node 20 or later with npm, and a package registry that npm knows of, are wanted";
        without(Peer::on_node, "SCION and XState are", e, help);
    }
    if peers.contains(&Peer::Qt)
        && let Err(e) = qt(folder)
    {
        let help = format!("On Debian: `apt-get install {}`", QT_PACKAGES.join(" "));
        without(|peer| peer == Peer::Qt, "Qt SCXML is", e, &help);
    }
    Ok(ready)
}

/// Installs what the lock file says, unless that is what is there.
fn node(folder: &Path) -> Result<()> {
    let (lock, installed) = (folder.join(LOCK), folder.join("node/installed.lock"));
    if fs::read(&installed).ok() == Some(fs::read(&lock)?) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    done(npm.current_dir(folder.join("node")))?;
    fs::copy(lock, installed)?;
    Ok(())
}

/// Builds Qt's driver; where it cannot be and this is Debian's root, installs what it needs and tries again.
fn qt(folder: &Path) -> Result<()> {
    let root = fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    match build_qt(folder) {
        Err(_) if root && Path::new("/usr/bin/apt-get").exists() => {
            let mut apt = Command::new("apt-get");
            apt.args(["install", "--yes", "--no-install-recommends"])
                .args(QT_PACKAGES);
            done(apt.env("DEBIAN_FRONTEND", "noninteractive"))?;
            build_qt(folder)
        }
        built => built,
    }
}

fn build_qt(folder: &Path) -> Result<()> {
    let source = folder.join("qt");
    let build = source.join("build");
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(&source).arg("-B").arg(&build);
    configure.arg(format!("-DCHARTS={}", folder.join("charts").display()));
    done(&mut configure)?;
    done(Command::new("cmake").arg("--build").arg(&build))
}

/// Runs it to its end; what it prints is seen on stderr.
fn done(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command.stdin(Stdio::null()).stdout(std::io::stderr());
    let status = out.status().with_context(|| format!("{name} cannot be started"))?;
    ensure!(status.success(), "{name} failed: {status}");
    Ok(())
}
