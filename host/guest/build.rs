//! Builds the guest modules. See `src/lib.rs`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What Debian 12 and later have.
const DEBIAN: &str = "apt-get install --no-install-recommends rustc-web cargo-web rust-web-src clang-19 llvm-19 lld-19";

const TARGET: &str = "wasm32-unknown-unknown";

/// Shadow stack in bytes, first in memory, so that running over it traps; the pointer is exported because the host
/// checks that it is at rest before it makes an image.
const LINK_ARGS: &str =
    "-Clink-arg=-zstack-size=262144 -Clink-arg=--export=__stack_pointer -Clink-arg=--export-if-defined=RET_AREA";

/// A way to build for WebAssembly.
enum Toolchain {
    /// The toolchain that builds the host has the target.
    Rustup { clang: String, ar: String },
    /// Debian's packages: the target's std is built from source.
    Debian,
}

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // Asked now, not when this was compiled: clones of the repository may share a target directory.
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR")).join("../..");
    for watched in ["guest-sdk", "strategies/least-cost", "wit", "host/guest/build.rs"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    // One folder for checking, testing and running: OUT_DIR is <target>/<profile>/build/<package>/out.
    let target_dir = out.ancestors().nth(4).expect("OUT_DIR has this depth").join("guest");
    let toolchain = match find_toolchain() {
        Ok(t) => t,
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(1);
        }
    };
    for (folder, module, embedded) in [
        ("guest-sdk/engine", "pointsman_engine.wasm", "engine.wasm"),
        ("strategies/least-cost", "least_cost.wasm", "least_cost.wasm"),
    ] {
        build(&toolchain, &root.join(folder), &target_dir);
        let built = target_dir.join(TARGET).join("release").join(module);
        fs::copy(&built, out.join(embedded)).unwrap_or_else(|e| panic!("cannot copy {}: {e}", built.display()));
    }
}

fn find_toolchain() -> Result<Toolchain, String> {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let libdir = output(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]));
    let has_target = libdir.is_some_and(|dir| Path::new(dir.trim()).is_dir());
    let clang = ["clang", "clang-21", "clang-20", "clang-19", "clang-18"]
        .into_iter()
        .find(|c| output(Command::new(c).arg("--print-targets")).is_some_and(|t| t.contains("wasm32")));
    if has_target {
        let clang =
            clang.ok_or("the engine's C sources need a clang with the WebAssembly back end: install clang and llvm")?;
        let ar = clang.replace("clang", "llvm-ar");
        return Ok(Toolchain::Rustup {
            clang: clang.into(),
            ar,
        });
    }
    let debian = Path::new("/usr/bin/cargo").exists()
        && Path::new("/usr/lib/rustlib/src/rust/library/Cargo.toml").exists()
        && output(Command::new("wasm-ld-19").arg("--version")).is_some()
        && output(Command::new("clang-19").arg("--version")).is_some();
    if debian {
        return Ok(Toolchain::Debian);
    }
    Err(format!(
        "Pointsman's engine is built for WebAssembly, and this machine has no toolchain for it. Either\n  \
         rustup target add {TARGET}   (and install clang and llvm)\nor, on Debian,\n  {DEBIAN}\nthen build again."
    ))
}

fn output(command: &mut Command) -> Option<String> {
    let out = command.output().ok()?;
    out.status
        .success()
        .then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

fn build(toolchain: &Toolchain, folder: &Path, target_dir: &Path) {
    let mut command = match toolchain {
        Toolchain::Rustup { .. } => Command::new(env::var_os("CARGO").expect("cargo sets CARGO")),
        Toolchain::Debian => Command::new("/usr/bin/cargo"),
    };
    // This build's own settings must not reach the guest's.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let ours = name.starts_with("CARGO_")
            && name != "CARGO_HOME"
            && !name.starts_with("CARGO_NET")
            && !name.starts_with("CARGO_HTTP");
        let flags = [
            "RUSTFLAGS",
            "RUSTC",
            "RUSTDOCFLAGS",
            "RUSTUP_TOOLCHAIN",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
        ];
        if (ours && !name.starts_with("CARGO_REGISTR") && !name.starts_with("CARGO_SOURCE"))
            || name == "CARGO"
            || flags.contains(&name.as_str())
        {
            command.env_remove(name);
        }
    }
    command
        .current_dir(folder)
        .args(["build", "--release", "--locked", "--lib", "--target", TARGET])
        .env("CARGO_TARGET_DIR", target_dir)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", LINK_ARGS);
    // assert() stores __FILE__: without the map the module, and so its digest, would depend on the build folder.
    let map = format!("-ffile-prefix-map={}=.", target_dir.display());
    command.env("CFLAGS_wasm32_unknown_unknown", map);
    match toolchain {
        Toolchain::Rustup { clang, ar } => {
            command
                .env("CC_wasm32_unknown_unknown", clang)
                .env("AR_wasm32_unknown_unknown", ar);
        }
        Toolchain::Debian => {
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTC", "/usr/bin/rustc")
                .env("CC_wasm32_unknown_unknown", "clang-19")
                .env("AR_wasm32_unknown_unknown", "llvm-ar-19")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19");
        }
    }
    let status = command
        .status()
        .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    assert!(
        status.success(),
        "building {} for WebAssembly failed; its messages are above",
        folder.display()
    );
}
