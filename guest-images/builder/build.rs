//! Builds the guest agent, statically linked, so that it can be embedded.
//!
//! The agent is a program for another machine, so it is built by a cargo of its own, with
//! its own target directory, profile and flags. `HALFWAY_AGENT` names a ready binary
//! instead.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

/// Guests are always x86-64, whatever the host is. The agent is static, because a dynamic
/// one would need the host's libraries in the guest. It is built for glibc, because the
/// musl target is often not installed.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const FLAGS: &str = "-C target-feature=+crt-static";

fn main() {
    println!("cargo::rerun-if-env-changed=HALFWAY_AGENT");
    let binary = match env::var_os("HALFWAY_AGENT") {
        Some(ready) => {
            let ready = PathBuf::from(ready);
            println!("cargo::rerun-if-changed={}", ready.display());
            ready
        }
        None => build(),
    };
    let Ok(binary) = binary.canonicalize() else {
        fail(&format!("there is no agent at {}", binary.display()));
    };
    println!("cargo::rustc-env=HALFWAY_AGENT_BINARY={}", binary.display());
}

fn build() -> PathBuf {
    let here = PathBuf::from(var("CARGO_MANIFEST_DIR"));
    let Some(workspace) = here.ancestors().nth(2).map(Path::to_owned) else {
        fail("the crate is not in its workspace");
    };
    for input in [
        "guest-images/agent",
        "guest-images/protocol",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(input).display()
        );
    }
    let target = PathBuf::from(var("OUT_DIR")).join("agent");
    let mut cargo = Command::new(var("CARGO"));
    cargo
        .current_dir(&workspace)
        .args(["build", "--locked", "--package", "halfway-agent"])
        .args(["--profile", "agent", "--target", TARGET, "--target-dir"])
        .arg(&target);
    // Settings for the outer build must not reach the agent's: flags, the wrappers of
    // clippy and of coverage, and this package's own variables.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_of_the_outer_build) {
            cargo.env_remove(name);
        }
    }
    cargo.env("RUSTFLAGS", FLAGS);
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("the guest agent does not build ({status})")),
        Err(error) => fail(&format!("cargo cannot be run: {error}")),
    }
    target.join(TARGET).join("agent").join("halfway-agent")
}

fn is_of_the_outer_build(variable: &str) -> bool {
    const STARTS: [&str; 12] = [
        "CARGO_BUILD_",
        "CARGO_CFG_",
        "CARGO_ENCODED_",
        "CARGO_FEATURE_",
        "CARGO_INCREMENTAL",
        "CARGO_LLVM_COV",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CLIPPY_",
        "RUSTC_WRAPPER",
    ];
    const NAMES: [&str; 5] = [
        "LLVM_PROFILE_FILE",
        "RUSTC_LINKER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
    ];
    NAMES.contains(&variable) || STARTS.iter().any(|start| variable.starts_with(start))
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}")))
}

fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    exit(1);
}
