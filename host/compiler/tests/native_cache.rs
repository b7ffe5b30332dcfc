//! Native code on disk: used again when this host wrote it, made anew in every other case.

mod common;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use common::{Bench, chart, on_go, options};
use pointsman_compiler::Form;
use pointsman_sandbox::Sandbox;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

static BENCH: LazyLock<Bench> = LazyLock::new(|| Bench::new(options(2)));

fn healthy() -> Vec<u8> {
    BENCH.compile(&on_go(""), Form::Image).component
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(dir)
        .expect("a folder")
        .map(|f| f.expect("a file"))
        .map(|f| {
            (
                f.file_name().into_string().expect("a name"),
                std::fs::read(f.path()).expect("a file"),
            )
        })
        .collect()
}

fn sandbox_in(dir: &Path) -> Sandbox {
    let dir = Dir::open_ambient_dir(dir, ambient_authority()).expect("a folder");
    Sandbox::new(options(2), Some(dir)).expect("a sandbox")
}

fn name_of_engine(kept: &BTreeMap<String, Vec<u8>>) -> String {
    let name = kept
        .keys()
        .find(|n| n.starts_with("module-"))
        .expect("the engine is kept");
    name.clone()
}

fn name_of_strategy(sandbox: &Sandbox, component: &[u8]) -> String {
    let engine = sandbox.engine_digest().to_string();
    let strategy = sandbox.load(component).expect("it loads").digest();
    format!("component-{}-{strategy}", &engine[..16])
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours to change");
}

fn modified(dir: &Path, name: &str) -> std::time::SystemTime {
    std::fs::metadata(dir.join(name))
        .and_then(|m| m.modified())
        .expect("a file with a time")
}

#[test]
fn native_code_is_kept_and_what_this_host_did_not_write_is_made_anew() {
    let [one, two] = [
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    ];
    let component = healthy();
    sandbox_in(one.path()).load(&component).expect("it loads");
    let kept = files(one.path());
    let engine = name_of_engine(&kept);
    let strategy = name_of_strategy(&BENCH.sandbox, &component);
    assert_eq!(
        kept.keys().map(String::as_str).collect::<Vec<_>>(),
        [&strategy[..], "key", &engine]
    );

    // A second one takes the engine from there: nothing is written again.
    let written = modified(one.path(), &engine);
    let again = sandbox_in(one.path());
    again.load(&component).expect("it loads");
    assert_eq!(modified(one.path(), &engine), written);
    assert!(files(one.path()) == kept);

    // A changed byte, in the authenticator, at the start of the code, in its middle: found, and made anew.
    for at in [3, 40, kept[&engine].len() / 2] {
        let mut bad = kept[&engine].clone();
        bad[at] ^= 1;
        std::fs::write(one.path().join(&engine), &bad).expect("written");
        let sandbox = sandbox_in(one.path());
        assert!(files(one.path())[&engine] != bad, "byte {at}");
        assert_eq!(sandbox.engine_digest(), BENCH.sandbox.engine_digest());
        assert!(files(one.path())[&engine] == kept[&engine], "the same code again");
    }
    // Cut short, down to nothing.
    for len in [0, 31, 32, 1000] {
        std::fs::write(
            one.path().join(&strategy),
            &kept[&strategy][..len.min(kept[&strategy].len())],
        )
        .expect("written");
        sandbox_in(one.path()).load(&component).expect("it loads");
        assert!(files(one.path())[&strategy] == kept[&strategy], "{len} bytes");
    }

    // Another host's file, under another key.
    std::fs::write(two.path().join("key"), [7; 32]).expect("written");
    allow(&two.path().join("key"), 0o600);
    std::fs::write(two.path().join(&engine), &kept[&engine]).expect("written");
    drop(sandbox_in(two.path()));
    let theirs = files(two.path());
    assert!(theirs[&engine] != kept[&engine], "it was used");
    assert!(
        theirs[&engine][32..] == kept[&engine][32..],
        "the same code under their own authenticator"
    );
    assert_eq!(theirs["key"], [7; 32]);
}

#[test]
fn one_strategys_native_code_is_not_taken_for_anothers() {
    let dir = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox_in(dir.path());
    let components = ["one", "two"].map(|s| {
        BENCH
            .compile(&chart(&format!("<state id=\"{s}\"/>")), Form::Image)
            .component
    });
    let names = components.each_ref().map(|c| name_of_strategy(&sandbox, c));
    let before = files(dir.path());
    std::fs::copy(dir.path().join(&names[0]), dir.path().join(&names[1])).expect("copied");
    sandbox.load(&components[1]).expect("it loads");
    assert!(files(dir.path()) == before, "the second one's code was made anew");
}

#[test]
fn threads_that_load_the_same_strategy_at_once_do_not_spoil_each_others_files() {
    let dir = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox_in(dir.path());
    let component = healthy();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| sandbox.load(&component).expect("it loads"));
        }
    });
    let kept = files(dir.path());
    assert_eq!(
        kept.len(),
        3,
        "key, engine, strategy, and nothing half written: {:?}",
        kept.keys()
    );
    let name = kept
        .keys()
        .find(|n| n.starts_with("component-"))
        .expect("the strategy is kept")
        .clone();
    // Whole, too: it is used, not made again.
    let written = modified(dir.path(), &name);
    sandbox_in(dir.path()).load(&component).expect("it loads");
    assert_eq!(modified(dir.path(), &name), written);
}

#[test]
fn a_key_that_cannot_be_trusted_is_made_anew_and_all_code_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let key = dir.path().join("key");
    drop(sandbox_in(dir.path()));
    let engine = name_of_engine(&files(dir.path()));
    for bad in [&b"short"[..], &[7; 33]] {
        std::fs::write(&key, bad).expect("written");
        let before = files(dir.path());
        drop(sandbox_in(dir.path()));
        let after = files(dir.path());
        assert_eq!(after["key"].len(), 32);
        assert!(after[&engine][..32] != before[&engine][..32], "under the new key");
        assert!(after[&engine][32..] == before[&engine][32..], "the same code");
    }
    // One that others can read.
    let before = files(dir.path());
    allow(&key, 0o644);
    drop(sandbox_in(dir.path()));
    let after = files(dir.path());
    assert!(after["key"] != before["key"] && after[&engine] != before[&engine]);
    // A good one stays.
    drop(sandbox_in(dir.path()));
    assert!(files(dir.path()) == after);
}

#[test]
fn a_folder_that_others_could_write_is_taken_back_and_nothing_in_it_is_trusted() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(sandbox_in(dir.path()));
    let before = files(dir.path());
    let engine = name_of_engine(&before);
    allow(dir.path(), 0o720);
    drop(sandbox_in(dir.path()));
    let after = files(dir.path());
    assert!(after["key"] != before["key"] && after[&engine] != before[&engine]);
    let now = std::fs::metadata(dir.path()).expect("a folder").permissions().mode();
    assert_eq!(now & 0o7777, 0o700);
    // Others may look, where an operator wants that: the key is closed by itself.
    allow(dir.path(), 0o755);
    drop(sandbox_in(dir.path()));
    assert!(files(dir.path()) == after);
}

#[test]
fn old_code_of_other_engines_and_unfinished_files_are_swept() {
    let dir = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox_in(dir.path());
    name_of_strategy(&sandbox, &healthy());
    let kept = files(dir.path());
    let put = |name: &str, days: u32| {
        let file = std::fs::File::create(dir.path().join(name)).expect("a file");
        file.set_modified(SystemTime::now() - Duration::from_secs(86_400) * days)
            .expect("a time");
    };
    let engine = name_of_engine(&kept);
    put(&format!("module-{}", "f".repeat(64)), 8);
    put(&format!("component-{}", "f".repeat(64)), 8);
    put(&format!("component-{}-{}", "f".repeat(16), "f".repeat(64)), 8);
    put(&format!("{engine}.1.0"), 1);
    put("key.1.0", 1);
    let stay = [
        format!("module-{}", "e".repeat(64)),
        format!("{engine}.1.1"),
        "notes".into(),
    ];
    for name in &stay {
        put(name, 0);
    }
    // Its own, however old they are.
    for name in kept.keys() {
        let file = std::fs::File::open(dir.path().join(name)).expect("a file");
        file.set_modified(SystemTime::now() - Duration::from_secs(86_400) * 1000)
            .expect("a time");
    }
    drop(sandbox_in(dir.path()));
    let mut expected = kept;
    expected.extend(stay.map(|name| (name, Vec::new())));
    assert!(files(dir.path()) == expected, "{:?}", files(dir.path()).keys());
}
