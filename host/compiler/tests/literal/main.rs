//! The engine against a literal reading of the standard.
//!
//! ```text
//!  seed --generate--> chart --+--read, compile, sandbox--> what the engine does ----+--> the same, after every event
//!                    events --+--read, executor ---------> what the text says ------+
//! ```
//!
//! Of every chart some sessions are run, each with events of its own; a run is a session. More than by default:
//!
//! ```text
//!  POINTSMAN_RUNS=100000 POINTSMAN_SEED=7 cargo test --release --workspace --test literal
//! ```
//!
//! Chart number `i` of a test has the seed `POINTSMAN_SEED + i`, so a chart is had again with the seed that is printed
//! with it and `POINTSMAN_RUNS=1`.

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod ecmascript;
mod executor;
mod generate;

use common::{Bench, options};
use compare::{Engine, Found, LIMITS, Seen, compare, compare_chart, shrink};
use executor::Event;
use generate::Sequence;
use pointsman_compiler::Compiler;
use pointsman_sandbox::{Sandbox, THREAD_STACK};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

/// Sessions of one chart.
const SESSIONS: u64 = 4;

/// Runs of `cargo test`.
const RUNS: u64 = 6000;

/// Where `cargo test` begins.
const SEED: u64 = 1;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let sandbox = forgetful_sandbox();
    let compiler = Compiler::new(sandbox.clone(), LIMITS);
    Engine { sandbox, compiler }
});

/// A sandbox that finds the engine's native code, as other tests keep it, but keeps none of the charts': its folder is
/// gone by the time they come. There are very many of them, and each is used once.
fn forgetful_sandbox() -> Sandbox {
    drop(Bench::new(options(1)));
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for entry in std::fs::read_dir(kept).expect("the other tests' folder").flatten() {
        let name = entry.file_name();
        if name == "key" || name.to_string_lossy().starts_with("module-") {
            std::fs::copy(entry.path(), folder.path().join(name)).expect("a copy of the native code");
        }
    }
    let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority());
    Sandbox::new(options(16), Some(dir.expect("it was just made"))).expect("a sandbox")
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|e| panic!("{variable}={text}: {e}")),
        Err(_) => default,
    }
}

/// On the real standard error: what a test prints is captured, and the seed must be seen.
fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Says of which chart a panic is.
struct SeedOfPanic(u64);

impl Drop for SeedOfPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!(
                "literal: the panic is of POINTSMAN_SEED={} POINTSMAN_RUNS=1",
                self.0
            ));
        }
    }
}

/// Threads that may call into a sandbox.
fn on_threads(threads: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let thread = std::thread::Builder::new().stack_size(2 * THREAD_STACK);
            thread.spawn_scoped(scope, &work).expect("a thread");
        }
    });
}

/// What the charts of a test must have shown, or they test less than they seem to.
const MUST_BE_SEEN: &[&str] = &[
    "a condition that fails",
    "a deep history that remembers",
    "a history's default",
    "a microstep of more than one transition",
    "a shallow history that remembers",
    "a targetless transition",
    "a transition preempted by one before it",
    "a transition preempted by one of a descendant",
    "a transition with several targets",
    "an internal event that nobody wants",
    "an internal transition that does not leave its source",
    "content of a history's default",
    "content of an initial transition",
    "done.state of a parallel",
    "eventless transitions",
    "executable content that fails",
    "microstep-limit",
    "queue-limit",
    "sessions that are done",
];

#[test]
fn the_engine_does_what_a_literal_reading_of_the_standard_does() {
    let (seed, runs) = (number("POINTSMAN_SEED", SEED), number("POINTSMAN_RUNS", RUNS));
    let charts = runs.div_ceil(SESSIONS);
    say(&format!("literal: {runs} runs, POINTSMAN_SEED={seed}"));
    LazyLock::force(&ENGINE);
    let begun = Instant::now();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let found: Mutex<Option<(u64, Found)>> = Mutex::new(None);
    let seen = Mutex::new(Seen::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let worker = || {
        let mut mine = Seen::new();
        while !stop.load(Ordering::Relaxed) {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= charts {
                break;
            }
            let seed = seed.wrapping_add(i);
            let _told = SeedOfPanic(seed);
            let chart = generate::chart(seed, SESSIONS as usize);
            if let Some(difference) = compare_chart(&ENGINE, &chart, &mut mine) {
                stop.store(true, Ordering::Relaxed);
                *found.lock().unwrap() = Some((seed, difference));
            }
        }
        let mut all = seen.lock().unwrap();
        mine.into_iter()
            .for_each(|(what, n)| *all.entry(what).or_default() += n);
    };
    on_threads(threads, worker);
    if let Some((seed, difference)) = found.into_inner().unwrap() {
        say(&format!("literal: a difference, seed {seed}; making it smaller"));
        let smallest = Mutex::new(Some(difference));
        on_threads(1, || {
            let difference = smallest.lock().unwrap().take().expect("it was put there");
            let smaller = shrink(&ENGINE, difference);
            *smallest.lock().unwrap() = Some(smaller);
        });
        let smallest = smallest.into_inner().unwrap().expect("shrinking keeps one");
        panic!("POINTSMAN_SEED={seed} POINTSMAN_RUNS=1 shows a difference:\n{smallest}");
    }
    let seen = seen.into_inner().unwrap();
    let shown: Vec<String> = seen.iter().map(|(what, n)| format!("  {n:>9} {what}")).collect();
    println!("{}", shown.join("\n"));
    say(&format!(
        "literal: {} runs of {charts} charts without a difference in {:.1?}, POINTSMAN_SEED={seed}",
        charts * SESSIONS,
        begun.elapsed()
    ));
    if runs >= RUNS {
        let missing: Vec<_> = MUST_BE_SEEN.iter().filter(|what| !seen.contains_key(*what)).collect();
        assert!(missing.is_empty(), "no chart had: {missing:?}");
    }
}

/// Charts that are worth a test of their own: what is hard in the algorithm, and, when there will be any, what has shown a
/// difference once. Each with the events of a session.
const KEPT: &[(&str, &str, &str)] = &[
    (
        "a history of a region is restored beside regions that are entered by default",
        r#"<state id="out"><transition event="a" target="h"/><transition event="b" target="d q2"/></state>
           <parallel id="p"><transition event="c" target="out"/>
             <state id="r"><history id="h"><transition target="r1"><log expr="'h'"/></transition></history>
               <history id="d" type="deep"><transition target="r22"><log expr="'d'"/></transition></history>
               <state id="r1"><transition event="a.b" target="r22"/></state>
               <state id="r2" initial="r21"><state id="r21"/><state id="r22"/></state></state>
             <state id="q"><initial><transition target="q1"><log expr="'i'"/></transition></initial>
               <state id="q1"/><state id="q2"/></state>
           </parallel>"#,
        "a a.b c b c a c b",
    ),
    (
        "a history is entered from inside its own state, which is left for it",
        r#"<parallel id="p"><history id="h" type="deep"><transition target="a2 b2"/></history>
             <state id="a"><state id="a1"><transition event="a" target="h"/></state><state id="a2"><transition event="b" target="a1"/></state></state>
             <state id="b"><state id="b1"><transition event="a" target="b2"/></state><state id="b2"/></state></parallel>"#,
        "a b a a",
    ),
    (
        "of conflicting transitions the one of the descendant is taken, else the first",
        r#"<parallel id="p"><transition event="a" target="p"/>
             <state id="x"><transition event="b" target="y2"/><state id="x1"><transition event="a" target="x2"/></state><state id="x2"/></state>
             <state id="y"><state id="y1"><transition event="a b" target="y2"/></state><state id="y2"><transition event="a" target="out"/></state></state>
             <state id="z"><transition event="b"><log expr="'z'"/></transition></state></parallel>
           <state id="out"><transition event="c" target="p"/></state>"#,
        "a b a c b a",
    ),
    (
        "a parallel in a parallel is done, and the final inside is told of first",
        r#"<parallel id="o"><transition event="done.state.*"><log expr="_event.name"/></transition>
             <parallel id="i"><state id="x"><state id="x1"><transition event="a" target="xf"/></state><final id="xf"/></state>
               <state id="y"><state id="y1"><transition event="b" target="yf"/></state><final id="yf"/></state></parallel>
             <state id="z"><state id="z1"><transition event="c" target="zf"/></state><final id="zf"><donedata><param name="n" expr="nowhere"/></donedata></final></state></parallel>"#,
        "a b c",
    ),
    (
        "a session that raises at every event what it waits for ends with a limit",
        r#"<state id="s"><transition event="a"><raise event="a"/></transition></state>"#,
        "b a",
    ),
];

#[test]
fn kept_charts_show_no_difference() {
    on_threads(1, || {
        for (what, inside, events) in KEPT {
            let event = |name: &str| Event {
                name: name.to_owned(),
                data: None,
            };
            let sequence = Sequence {
                params: Vec::new(),
                events: events.split(' ').map(event).collect(),
            };
            let compared = compare(&ENGINE, &common::chart(inside), &[sequence], &mut Seen::new());
            if let Some(difference) = compared.unwrap_or_else(|e| panic!("{what}: {e}")) {
                panic!("{what}:\n{inside}\n{difference}");
            }
        }
    });
}
