//! The structure: what is pure stays pure, and no module uses one that uses it.

use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn harness() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the manifest of a crate below harness/ depends on, tests left out.
fn dependencies(krate: &str) -> BTreeSet<String> {
    let path = harness().join(krate).join("Cargo.toml");
    let text = fs::read_to_string(&path).expect("a crate has a manifest");
    let manifest: toml::Table = toml::from_str(&text).expect("a manifest is TOML");
    let dependencies = manifest["dependencies"].as_table().expect("a table");
    dependencies.keys().cloned().collect()
}

/// An edit of what judges must not build what talks to QEMU.
#[test]
fn pure_crates_know_neither_machines_nor_an_event_loop() {
    const PURE: [&str; 9] = [
        "case",
        "controllers",
        "crash",
        "minimise",
        "oracle",
        "reach",
        "scenario",
        "scsi",
        "soak",
    ];
    let allowed: BTreeSet<String> = PURE.map(|krate| format!("halfway-{krate}")).into();
    for krate in PURE {
        for dependency in dependencies(krate) {
            let ours = dependency.starts_with("halfway") && dependency != "halfway-protocol";
            assert!(
                !ours || allowed.contains(&dependency),
                "{krate}: {dependency}"
            );
            let machines = ["qapi", "rustix", "tokio", "vhost", "vhost-user-backend"];
            assert!(!machines.contains(&&*dependency), "{krate}: {dependency}");
        }
    }
}

/// The modules of a folder with those of its modules that each one uses. Tests are left
/// out: they may look at everything.
fn uses(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut sources = BTreeMap::new();
    for entry in fs::read_dir(harness().join(folder)).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let file: PathBuf = match path.is_dir() {
            true => path.join("mod.rs"),
            false => path,
        };
        let is_root = ["mod", "lib", "main", "tests", "build"].contains(&&*name);
        let source = file.extension().is_some_and(|extension| extension == "rs");
        if let Some(text) = fs::read_to_string(&file)
            .ok()
            .filter(|_| source && !is_root)
        {
            let code = text
                .split("#[cfg(test)]")
                .next()
                .unwrap_or_default()
                .to_owned();
            sources.insert(name, code);
        }
    }
    // In the root of a crate `crate::` is where its modules are.
    let is_crate = harness().join(folder).join("lib.rs").exists();
    let roots = if is_crate { "(?:super|crate)" } else { "super" };
    let path = Regex::new(&format!(r"\b{roots}::(\w+)")).expect("a pattern");
    let list = Regex::new(&format!(r"\buse {roots}::\{{([^}}]*)\}}")).expect("a pattern");
    let word = Regex::new(r"\w+").expect("a pattern");
    let names: BTreeSet<String> = sources.keys().cloned().collect();
    let used = |(name, code): (String, String)| {
        let mut used: BTreeSet<String> = (path.captures_iter(&code))
            .map(|found| found[1].to_owned())
            .collect();
        for found in list.captures_iter(&code) {
            used.extend(
                word.find_iter(&found[1])
                    .map(|word| word.as_str().to_owned()),
            );
        }
        used.remove(&name);
        used.retain(|one| names.contains(one));
        (name, used)
    };
    sources.into_iter().map(used).collect()
}

/// The modules that are left when those that use no other one are taken away, again and
/// again: each of them is in a circle, or uses one that is.
fn in_circles(mut uses: BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    loop {
        let free: Vec<String> = (uses.iter())
            .filter(|(_, used)| used.iter().all(|one| !uses.contains_key(one)))
            .map(|(name, _)| name.clone())
            .collect();
        if free.is_empty() {
            return uses.into_keys().collect();
        }
        uses.retain(|name, _| !free.contains(name));
    }
}

#[test]
fn modules_use_each_other_without_a_circle() {
    let folders = [
        "audit",
        "bisect",
        "case",
        "cli",
        "cli/commands",
        "cli/commands/bisect",
        "compare",
        "controllers",
        "controls",
        "crash/src",
        "export",
        "gate",
        "guest",
        "known",
        "lab",
        "machine",
        "minimise",
        "oracle",
        "oracle/judge",
        "oracle/model",
        "provision",
        "reach",
        "recipe",
        "report",
        "reproduce",
        "results",
        "runner",
        "scenario/validate",
        "scsi",
        "shell",
        "soak",
        "storage",
    ];
    for folder in folders {
        let uses = uses(folder);
        assert!(uses.len() > 1, "{folder} has no modules");
        let circle = in_circles(uses);
        assert!(circle.is_empty(), "{folder}: {circle:?}");
    }
}

/// The test itself: a table of the format and the way to read one are the circle that
/// there is, since a table may have tables in it.
#[test]
fn a_circle_is_seen() {
    let circle = in_circles(uses("scenario"));
    assert!(
        circle.contains("file") && circle.contains("read"),
        "{circle:?}"
    );
}
