//! With a strategy of its own code, which does what no chart can.

use super::*;
use crate::strategy::Form;
use crate::{Options, on_big_stack};
use std::sync::LazyLock;

/// Memory of the strategies here, pages: all zero but for a few words, so zeros are the texts and lists it hands out.
const PAGES: u64 = 110;

/// A strategy that does what the first letter of an event's name says.
const CORE: &str = r#"
      (import "s" "memory" (memory 110))
      (import "pointsman:strategy/host@0.1.0" "read" (func $read (param i32 i32 i32 i32 i32)))
      (global $free (mut i32) (i32.const 8192))
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
        (global.set $free (i32.add (local.get $at) (local.get 3)))
        (local.get $at))
      (func $post (param i32) (global.set $free (i32.const 8192)))
      (func (export "cabi_post_start") (param i32) (call $post (i32.const 0)))
      (func (export "cabi_post_handle") (param i32) (call $post (i32.const 0)))
      (func (export "cabi_post_inspect") (param i32) (call $post (i32.const 0)))
      (func (export "view") (result i32) (i32.const 1024))
      (func (export "start") (param i64 i64 i32 i32 i32 i32 i32 i32 i32) (result i32)
        (memory.fill (i32.const 1024) (i32.const 0) (i32.const 56))
        (i32.const 1024))
      (func $read_zeros (param $source i32) (param $key i32)
        (call $read (i32.const 65536) (local.get $source) (i32.const 65536) (local.get $key) (i32.const 1100)))
      (func (export "inspect") (result i32)
        (if (i32.load (i32.const 1000)) (then unreachable))
        (call $read_zeros (i32.const 1) (i32.const 1))
        (i32.store (i32.const 1208) (i32.load (i32.const 1104)))
        (i32.store (i32.const 1212) (i32.load (i32.const 1108)))
        (i32.const 1200))
      (func $list (param $at i32) (param $from i32) (param $len i32)
        (i32.store (local.get $at) (local.get $from))
        (i32.store offset=4 (local.get $at) (local.get $len)))
      (func (export "handle") (param $p i32) (result i32) (local $c i32) (local $i i32)
        (local.set $c (i32.load8_u (i32.load offset=24 (local.get $p))))
        (memory.fill (i32.const 1024) (i32.const 0) (i32.const 56))
        (memory.fill (i32.const 2048) (i32.const 0) (i32.const 256))
        (if (i32.eq (local.get $c) (i32.const 0x6c)) ;; l: 70,000 lines of log
          (then (call $list (i32.const 1036) (i32.const 65536) (i32.const 70000))))
        (if (i32.eq (local.get $c) (i32.const 0x4c)) ;; L: a line of 3 MiB
          (then (call $list (i32.const 1036) (i32.const 2048) (i32.const 1))
                (call $list (i32.const 2060) (i32.const 65536) (i32.const 0x300000))))
        (if (i32.eq (local.get $c) (i32.const 0x58)) ;; X: a line of 5 MiB
          (then (call $list (i32.const 1036) (i32.const 2048) (i32.const 1))
                (call $list (i32.const 2060) (i32.const 65536) (i32.const 0x500000))))
        (if (i32.eq (local.get $c) (i32.const 0x63)) ;; c: a command of 3 MiB
          (then (call $list (i32.const 1028) (i32.const 2048) (i32.const 1))
                (call $list (i32.const 2068) (i32.const 65536) (i32.const 0x300000))))
        (if (i32.eq (local.get $c) (i32.const 0x61)) ;; a: 70,000 active states
          (then (i32.store (i32.const 1044) (i32.const 1))
                (call $list (i32.const 1048) (i32.const 65536) (i32.const 70000))))
        (if (i32.eq (local.get $c) (i32.const 0x41)) ;; A: an active state with a name of 2 MiB
          (then (i32.store (i32.const 1044) (i32.const 1))
                (call $list (i32.const 1048) (i32.const 2048) (i32.const 1))
                (call $list (i32.const 2048) (i32.const 65536) (i32.const 0x200000))))
        (if (i32.eq (local.get $c) (i32.const 0x74)) ;; t: a trace of 70,000 entries
          (then (call $list (i32.const 1072) (i32.const 65536) (i32.const 70000))))
        (if (i32.eq (local.get $c) (i32.const 0x54)) ;; T: two entries of 0.6 MiB
          (then (call $list (i32.const 1072) (i32.const 2048) (i32.const 2))
                (call $list (i32.const 2052) (i32.const 65536) (i32.const 600000))
                (call $list (i32.const 2064) (i32.const 65536) (i32.const 600000))))
        (if (i32.eq (local.get $c) (i32.const 0x75)) (then unreachable)) ;; u: an assertion
        (if (i32.eq (local.get $c) (i32.const 0x67)) ;; g: memory that it must have
          (then (if (i32.eq (memory.grow (i32.const 10000)) (i32.const -1)) (then unreachable))))
        (if (i32.eq (local.get $c) (i32.const 0x73)) ;; s: more than its limit, within its slot
          (then (if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))))
        (if (i32.eq (local.get $c) (i32.const 0x6b)) ;; k: a key that is as long as may be, and one that is too long
          (then (call $read_zeros (i32.const 0) (i32.const 1024))
                (call $read_zeros (i32.const 1) (i32.const 1024))
                (call $list (i32.const 1036) (i32.const 2048) (i32.const 1))
                (call $list (i32.const 2060) (i32.load (i32.const 1104)) (i32.load (i32.const 1108)))))
        (if (i32.eq (local.get $c) (i32.const 0x72)) ;; r: 2,000 reads
          (then (loop $again
            (call $read_zeros (i32.const 1) (i32.const 1))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 2000))))))
        (if (i32.eq (local.get $c) (i32.const 0x69)) ;; i: showing it fails
          (then (i32.store (i32.const 1000) (i32.const 1))))
        (i32.const 1024))
    "#;

static STRATEGY: LazyLock<(Sandbox, Strategy)> = LazyLock::new(|| {
    let options = Options {
        sessions: 16,
        step_budget: std::time::Duration::from_secs(30),
        ..Options::default()
    };
    let sandbox = Sandbox::new(options, None).unwrap();
    let strategy = sandbox
        .load(&crate::component::with_own_code(CORE, PAGES, 32768))
        .unwrap();
    assert_eq!(strategy.form(), Form::SelfContained);
    (sandbox, strategy)
});

const MOMENT: contract::Moment = contract::Moment {
    now_ms: 0,
    seed: 0,
    trace: true,
};

fn begun(memory: usize) -> Instance {
    let (sandbox, strategy) = &*STRATEGY;
    on_big_stack(|| {
        let mut instance = sandbox.instantiate(strategy, memory).unwrap();
        let info = contract::StartInfo {
            session_id: "S".into(),
            params: "{}".into(),
            io_processors: "{}".into(),
        };
        instance.start(MOMENT, &info, &mut NoReads).unwrap();
        instance
    })
}

fn handle(instance: &mut Instance, name: &str, reads: &mut (dyn Reads + Send)) -> Result<Outcome, contract::Failure> {
    on_big_stack(|| instance.handle(MOMENT, &contract::Event::external(name, None), reads))
}

/// How a session ends that does this.
fn ends(name: &str, memory: usize) -> String {
    handle(&mut begun(memory), name, &mut NoReads).unwrap_err().to_string()
}

const SLOT: usize = crate::engine::SLOT;

#[test]
fn output_beyond_the_bounds_ends_a_session_whatever_code_it_runs() {
    for (name, end) in [
        ("l", "log-limit: more than 65536 lines of log in one step"),
        ("L", "log-limit: more than 2097152 bytes of log in one step"),
        ("c", "queue-limit: more than 2097152 bytes of commands in one step"),
        ("a", "queue-limit: more than 10000 active states in one step"),
        (
            "A",
            "queue-limit: more than 1048576 bytes of names of active states in one step",
        ),
        (
            "X",
            "queue-limit: it handed more than 4194304 bytes to the host at once",
        ),
    ] {
        assert_eq!(ends(name, SLOT), end, "{name}");
    }
}

#[test]
fn a_trace_is_cut_and_ends_nothing() {
    let mut instance = begun(SLOT);
    let step = handle(&mut instance, "t", &mut NoReads).unwrap().step;
    assert_eq!(step.trace.len(), MAX_TRACE);
    let step = handle(&mut instance, "T", &mut NoReads).unwrap().step;
    assert_eq!(step.trace.len(), 1);
    assert_eq!(trace_size(&step.trace[0]), 600_000);
}

#[test]
fn giving_up_is_out_of_memory_only_where_memory_was_refused() {
    assert_eq!(
        ends("u", SLOT),
        "internal: the strategy panicked or asserted: it stopped itself, and not for want of memory"
    );
    let memory = "out-of-memory: the sandbox gave up: its memory could not take what the step needed";
    assert_eq!(ends("g", 1 << 40), memory, "no slot has as much");
    assert_eq!(ends("s", PAGES as usize * crate::split::PAGE), memory);
    handle(&mut begun(SLOT), "s", &mut NoReads).unwrap();
}

/// Answers with as many bytes as it says.
struct Of(usize);

impl Reads for Of {
    fn read(&mut self, _: &str, _: &str) -> Result<String, String> {
        Ok("x".repeat(self.0))
    }
}

#[test]
fn what_reads_make_the_host_keep_is_bounded() {
    let mut instance = begun(SLOT);
    let outcome = handle(&mut instance, "k", &mut Of(3)).unwrap();
    assert_eq!(
        outcome.step.log[0].text,
        "source and key of a read have 1025 bytes, 1024 allowed"
    );
    assert_eq!(outcome.answers.len(), 1, "the other one");
    assert_eq!(outcome.answers[0].key.len(), 1024);

    let outcome = handle(&mut instance, "r", &mut Of(3)).unwrap();
    assert_eq!(outcome.answers.len(), MAX_READS);
    let outcome = handle(&mut instance, "r", &mut Of(contract::MAX_READ_ANSWER)).unwrap();
    assert_eq!(outcome.answers.len(), MAX_READ_BYTES / contract::MAX_READ_ANSWER);
}

#[test]
fn an_inspection_reads_nothing_and_leaves_nothing_behind() {
    let mut instance = begun(SLOT);
    let shown = on_big_stack(|| instance.inspect()).unwrap();
    assert_eq!(shown.datamodel, "nothing can be read here");
    assert_eq!(handle(&mut instance, "nothing", &mut Of(3)).unwrap().answers, []);
}

#[test]
fn a_trap_in_an_inspection_ends_the_session_and_says_so() {
    let mut instance = begun(SLOT);
    handle(&mut instance, "i", &mut NoReads).unwrap();
    let failure = on_big_stack(|| instance.inspect()).unwrap_err();
    assert_eq!(failure.code, contract::FailureCode::Internal);
    assert!(
        failure.message.contains("the strategy panicked or asserted"),
        "{failure}"
    );
    assert!(failure.message.ends_with("and it cannot go on"), "{failure}");
    let next = handle(&mut instance, "nothing", &mut NoReads).unwrap_err();
    assert!(
        next.message.starts_with("the sandbox was lost earlier (internal: "),
        "{next}"
    );
    assert!(next.message.contains("while the session was shown"), "{next}");
}

/// Panics, as a bug in a host's data would.
struct Broken;

impl Reads for Broken {
    fn read(&mut self, _: &str, _: &str) -> Result<String, String> {
        panic!("on purpose");
    }
}

#[test]
fn after_a_panic_in_a_read_the_reads_are_out_of_reach() {
    let mut instance = begun(SLOT);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handle(&mut instance, "r", &mut Broken)));
    assert!(caught.is_err());
    assert!(instance.store.data().reads.is_none());
}

#[test]
fn the_view_of_a_memory_has_its_own_time() {
    let (sandbox, _) = &*STRATEGY;
    // An image of nothing: enough to be viewed.
    let image = crate::Image {
        memory: vec![0; sandbox.inner.split.pages as usize * crate::split::PAGE],
        engine: sandbox.engine_digest(),
    };
    let strategy = sandbox.load(&sandbox.component(&image, &[])).unwrap();
    on_big_stack(|| {
        let mut instance = sandbox.instantiate(&strategy, SLOT).unwrap();
        instance.store.set_epoch_deadline(0);
        let (_, len) = instance.memory().unwrap().unwrap();
        assert_eq!(len, image.memory.len());
        assert_eq!(instance.store.hostcall_fuel(), MAX_OUTPUT);
    });
}
