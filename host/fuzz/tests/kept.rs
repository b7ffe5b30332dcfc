//! Every input that is kept, and random changes of them. `POINTSMAN_FUZZ_RUNS` and `POINTSMAN_SEED` make more and others.
#![expect(
    clippy::print_stdout,
    reason = "a failure is to say which input and which seed it was"
)]

use pointsman_fuzz::{document, event, include};
use std::path::PathBuf;

type Target = fn(&[u8]);

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("a file of the corpus");
        (path, bytes)
    };
    files.into_iter().map(read).collect()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// A few changes: bytes replaced, pieces cut out, repeated, or taken from another input.
fn changed(of: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = of.to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(5) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                drop(bytes.splice(to..to, piece));
            }
            2 => {
                let from = random.below(other.len() + 1);
                let until = (from + random.below(60)).min(other.len());
                drop(bytes.splice(at..end, other[from..until].iter().copied()));
            }
            3 if at < bytes.len() => bytes[at] = b"<>&\"'/= \n\0{}[]()$_0a"[random.below(20)],
            _ if at < bytes.len() => bytes[at] ^= 1 << random.below(7),
            _ => {}
        }
    }
    bytes
}

fn run(name: &str, target: Target, runs: u64) {
    let corpus = corpus(name);
    for (path, bytes) in &corpus {
        println!("{}", path.display());
        target(bytes);
    }
    let seed = number("POINTSMAN_SEED", 20_261_125);
    let runs = number("POINTSMAN_FUZZ_RUNS", runs);
    println!("{runs} changed inputs, seed {seed}");
    for i in 0..runs {
        let mut random = Random(seed.wrapping_add(i));
        let (of, other) = (random.below(corpus.len()), random.below(corpus.len()));
        let bytes = changed(&corpus[of].1, &corpus[other].1, &mut random);
        let done = std::panic::catch_unwind(|| target(&bytes));
        assert!(
            done.is_ok(),
            "run {i} of seed {seed} broke it: {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

#[test]
fn documents_are_read_or_refused() {
    run("document", document, 3_000);
}

#[test]
fn documents_with_includes_are_read_or_refused() {
    run("include", include, 3_000);
}

#[test]
fn events_are_handled_or_break_a_limit() {
    run("event", event, 1_000);
}
