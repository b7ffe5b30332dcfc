//! What the sandbox refuses to load, and that everything can be repeated.

mod common;

use common::{Bench, T0, chart, logged, on_go, options};
use pointsman_compiler::Form;
use pointsman_contract::Moment;
use pointsman_sandbox::{ENGINE_SECTION, LoadError, NoReads};
use std::sync::LazyLock;

static BENCH: LazyLock<Bench> = LazyLock::new(|| Bench::new(options(8)));

fn healthy() -> Vec<u8> {
    BENCH.compile(&on_go(""), Form::Image).component
}

fn refused(component: &[u8]) -> LoadError {
    match BENCH.sandbox.load(component) {
        Err(e) => e,
        Ok(_) => panic!("it was loaded"),
    }
}

/// The component around another image: the frame is everything before and after the one core module in it.
fn around(image: &[u8]) -> Vec<u8> {
    let snapshot = BENCH.compile(&on_go(""), Form::Image).component;
    let (start, end) = image_range(&snapshot);
    let mut out = snapshot[..start].to_vec();
    out.push(1);
    let mut n = image.len();
    while n >= 128 {
        out.push(n as u8 | 128);
        n >>= 7;
    }
    out.push(n as u8);
    out.extend_from_slice(image);
    out.extend_from_slice(&snapshot[end..]);
    out
}

/// Where the section with the image starts and ends.
fn image_range(component: &[u8]) -> (usize, usize) {
    let image = ranges(component)
        .into_iter()
        .find(|(id, ..)| *id == 1)
        .expect("an image");
    (image.1, image.2)
}

/// Outermost sections: id, start of the header, end.
fn ranges(component: &[u8]) -> Vec<(u8, usize, usize)> {
    let mut out = Vec::new();
    let mut at = 8;
    while at < component.len() {
        let (id, mut len, mut shift, mut body) = (component[at], 0usize, 0, at + 1);
        loop {
            let b = component[body];
            body += 1;
            len |= usize::from(b & 127) << shift;
            shift += 7;
            if b < 128 {
                break;
            }
        }
        out.push((id, at, body + len));
        at = body + len;
    }
    out
}

/// An image module of this engine with something more in it.
fn image_with(more: &str) -> Vec<u8> {
    let digest: String = BENCH
        .sandbox
        .engine_digest()
        .0
        .iter()
        .map(|b| format!("\\{b:02x}"))
        .collect();
    wat::parse_str(format!(
        r#"(module {more} (memory (export "memory") 20) (@custom "{ENGINE_SECTION}" "{digest}"))"#
    ))
    .expect("valid text")
}

#[test]
fn an_image_for_another_engine_build_is_refused_with_both_builds_named() {
    let mut component = healthy();
    let ours = BENCH.sandbox.engine_digest();
    let at = component
        .windows(32)
        .position(|w| w == ours.0)
        .expect("the image names its engine");
    component[at] ^= 0xff;
    let mut other = ours;
    other.0[0] ^= 0xff;
    assert_eq!(
        refused(&component).to_string(),
        format!(
            "the image was made for engine {other}, this host runs engine {ours}: compile the strategy again from its source"
        )
    );
}

#[test]
fn an_image_with_anything_but_memory_in_it_is_refused() {
    for (more, what) in [
        ("(func)", "a TypeSection"),
        (r#"(import "a" "b" (global i32))"#, "a ImportSection"),
        ("(table 1 funcref)", "a TableSection"),
        ("(func $f) (start $f)", "a TypeSection"),
        ("(type (func))", "a TypeSection"),
        ("(tag)", "a TypeSection"),
        ("(@custom \"other\" \"x\")", "a CustomSection"),
    ] {
        assert_eq!(
            refused(&around(&image_with(more))).to_string(),
            format!(
                "the component's image holds {what}; an image may hold one memory, its data, globals and exports, and no code"
            ),
            "{more}"
        );
    }
    let nameless = wat::parse_str(r#"(module (memory (export "memory") 20))"#).expect("valid text");
    assert!(
        refused(&around(&nameless))
            .to_string()
            .contains("no name of the engine build")
    );
    let huge = wat::parse_str(r#"(module (memory (export "memory") 257))"#).expect("valid text");
    assert!(
        refused(&around(&huge))
            .to_string()
            .contains("a memory of 257 pages, at most 256 fit")
    );
    for odd in ["(memory i64 20)", r#"(memory 1) (export "memory2" (memory 0))"#] {
        assert!(
            matches!(
                refused(&around(&image_with(odd))),
                LoadError::Image(_) | LoadError::Damaged(_)
            ),
            "{odd}"
        );
    }
}

#[test]
fn components_that_are_no_strategies_are_refused_with_the_reason() {
    let wat = |text: &str| wat::parse_str(text).expect("valid text");
    for (component, message) in [
        (
            wat(r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#),
            "the component imports `wasi:cli/environment@0.2.0`, which strategies are not given: the contract is pointsman:strategy@0.1.0 and nothing else",
        ),
        (
            wat(r#"(component (import "f" (func)))"#),
            "the component imports `f`, which strategies are not given: the contract is pointsman:strategy@0.1.0 and nothing else",
        ),
        (
            wat(r#"(component (import "pointsman:strategy/host@0.2.0" (instance)))"#),
            "the component was made for `pointsman:strategy/host@0.2.0`, this host speaks pointsman:strategy@0.1.0: compile it again with this host's `pointsman compile`",
        ),
        (
            wat("(module)"),
            "this is a core WebAssembly module, not a component: run `pointsman compile` on it first",
        ),
    ] {
        assert_eq!(refused(&component).to_string(), message);
    }
    let empty = refused(&wat("(component)")).to_string();
    assert!(
        empty.starts_with("the component does not export the contract's functions (") && empty.contains("no export `"),
        "{empty}"
    );
    // The right name, another type.
    let other = wat(
        r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
           (func $f (canon lift (core func $i "f"))) (export "start" (func $f)) (export "handle" (func $f)) (export "inspect" (func $f)))"#,
    );
    assert!(matches!(refused(&other), LoadError::Exports(_)));
    // The right interface, with something in it that nobody offers.
    let more = wat(r#"(component (import "pointsman:strategy/host@0.1.0" (instance (export "write" (func)))))"#);
    assert!(matches!(refused(&more), LoadError::Exports(_)));
    // An engine is asked for, but there is no image that it would run.
    let engine = wat(r#"(component (import "engine" (core module)))"#);
    assert!(
        refused(&engine)
            .to_string()
            .contains("its image, or the image itself, is missing")
    );
    // An image in the frame of another host, whose engine has another digest.
    let other = wat(&format!(
        r#"(component (import "engine" (core module)) (core module (@custom "{ENGINE_SECTION}" "{}")))"#,
        "\\07".repeat(32)
    ));
    assert!(matches!(refused(&other), LoadError::OtherEngine { found, .. } if found == "07".repeat(32)));
}

#[test]
fn a_truncated_component_is_refused_wherever_it_was_cut() {
    let component = healthy();
    // Manifest and sources come last, as custom sections. Cut just before one of them, what is left is whole.
    let ranges = ranges(&component);
    let whole = [1, 2].map(|from_the_end| {
        let (id, start, _) = ranges[ranges.len() - from_the_end];
        assert_eq!(id, 0);
        start
    });
    let near_borders = ranges
        .iter()
        .flat_map(|(_, start, _)| start.saturating_sub(3)..start + 4);
    let cuts = (0..200).chain((200..component.len()).step_by(4999)).chain(near_borders);
    for cut in cuts.filter(|c| *c < component.len() && !whole.contains(c)) {
        let error = refused(&component[..cut]);
        // Cut after the frame's imports and before what it exports, it may also be a component that exports nothing.
        assert!(
            matches!(error, LoadError::Damaged(_) | LoadError::Exports(_)),
            "cut at {cut}: {error}"
        );
    }
    for cut in whole {
        assert!(BENCH.sandbox.load(&component[..cut]).is_ok());
    }
    assert!(
        refused(&component[..component.len() / 2])
            .to_string()
            .ends_with("upload the file that `pointsman compile` wrote, whole")
    );
}

#[test]
fn noise_is_refused_without_a_panic() {
    let component = healthy();
    let (image_start, _) = image_range(&component);
    let mut x = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    for len in [0, 1, 7, 8, 9, 100, 5000] {
        let noise: Vec<u8> = (0..len).map(|_| random() as u8).collect();
        assert!(matches!(refused(&noise), LoadError::Damaged(_)), "{len} bytes");
        let mut with_header = b"\0asm\x0d\0\x01\0".to_vec();
        with_header.extend_from_slice(&noise);
        refused(&with_header);
    }
    // One changed byte in what is ours: refused, or without consequence, but never a panic.
    for _ in 0..200 {
        let mut changed = component.clone();
        let at = random() as usize % (image_start + 64);
        changed[at] ^= 1 << (random() % 8);
        drop(BENCH.sandbox.load(&changed));
    }
}

#[test]
fn the_same_document_gives_the_same_bytes_in_every_sandbox() {
    let text = chart(
        r#"<datamodel><data id="a" expr="[1, {b: Math.PI}]"/></datamodel><script>var f = function() { return a; };</script><state id="s"/>"#,
    );
    let other = Bench::new(options(3));
    for form in [Form::Image, Form::Standalone] {
        let first = BENCH.compile(&text, form).component;
        assert!(first == BENCH.compile(&text, form).component, "twice: {form:?}");
        assert!(first == other.compile(&text, form).component, "elsewhere: {form:?}");
    }
}

const DICE: &str = r#"<log expr="[Math.random(), Math.random(), Date.now(), new Date().toISOString()].join(' ')"/>"#;

#[test]
fn the_same_moments_and_events_give_the_same_steps() {
    let strategy = BENCH.strategy(&on_go(DICE));
    let run = || {
        let mut session = BENCH.session(&strategy);
        let mut steps = vec![session.start("").expect("it starts")];
        for name in ["go", "count", "nobody.knows", "go", "go"] {
            steps.push(session.event(name, r#"{"a":[1,2,3]}"#).expect("it goes on"));
        }
        (steps, session.inspect().expect("it shows"))
    };
    assert_eq!(run(), run());
}

#[test]
fn time_and_randomness_are_those_of_the_moment() {
    let strategy = BENCH.strategy(&chart(&format!("<state id=\"s\"><onentry>{DICE}</onentry></state>")));
    let rolled = |seed: u64| {
        let moment = Moment {
            now_ms: T0 + 7,
            seed,
            trace: false,
        };
        let mut session = BENCH.session(&strategy);
        let outcome = session.start_at(moment, "", &mut NoReads).expect("it starts");
        assert!(outcome.step.trace.is_empty(), "no trace was asked for");
        logged(&outcome.step)[0].to_owned()
    };
    let first = rolled(1);
    let words: Vec<&str> = first.split(' ').collect();
    let [a, b]: [f64; 2] = [words[0].parse().expect("a number"), words[1].parse().expect("a number")];
    assert!((0.0..1.0).contains(&a) && (0.0..1.0).contains(&b) && a != b, "{first}");
    assert_eq!(words[2..], ["1700000000007", "2023-11-14T22:13:20.007Z"]);
    assert_eq!(first, rolled(1));
    assert_ne!(first, rolled(2));
}
