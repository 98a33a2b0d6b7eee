//! Kernels broken on purpose, as users run them: from the semantic patch to the verdict.
//! The tests need what `ci/setup --controls` installs, so they are ignored by default:
//!
//! ```text
//! ci/setup --controls && cargo test --release --workspace --test controls -- --ignored
//! ```

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn halfway(arguments: &[&str], results: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_halfway"))
        .current_dir(env!("CARGO_MANIFEST_DIR").to_owned() + "/..")
        .env("NO_COLOR", "1")
        .args(arguments)
        .arg("--results")
        .arg(results)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The stock module, rebuilt in the same way, passes the case that kills its mutant.
#[test]
#[ignore = "builds kernel modules, for which `ci/setup --controls` installs the tools"]
fn a_mutant_is_killed_and_its_stock_module_is_not() {
    let results = tempfile::tempdir().unwrap();
    let scenario = "scenarios/raid1/read-once.toml";
    let run = [
        "controls",
        "run",
        "raid1-stale-status",
        "--scenario",
        scenario,
    ];
    let output = halfway(&run, results.path());
    let table = text(&output.stdout);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{table}\n{said}");
    let row = |name: &str| {
        let row = table.lines().find(|line| line.contains(name));
        row.unwrap_or_else(|| panic!("{table}")).to_owned()
    };
    assert!(row("unmutated-dm-mirror").contains("passes, as it must"));
    assert!(row("raid1-stale-status").contains("wrong answer"));
    assert!(row("raid1-stale-status").contains("raid1.read-once"));

    // The record of the kill repeats the case, with the same control.
    let record = results.path().join("raid1-stale-status/latest");
    let manifest = std::fs::read_to_string(record.join("manifest.json")).unwrap();
    assert!(manifest.contains("--control"), "{manifest}");

    // A multipath scenario has no mirror that the control could break.
    let scenario = "scenarios/multipath/no-fault.toml";
    let run = [
        "run",
        scenario,
        "--control",
        "raid1-stale-status",
        "--sample",
        "1",
    ];
    let output = halfway(&run, results.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no guest loads dm_mirror"));
}

/// One control of each kind, with the scenarios that show it soonest. This is the part of
/// `halfway controls run` that fits into every gate.
#[test]
#[ignore = "builds kernel modules, for which `ci/setup --controls` installs the tools"]
fn a_broken_kernel_of_each_kind_is_noticed() {
    // Each control, and the symptoms that it may be killed by: any of them is enough.
    const KINDS: [(&str, &[&str]); 5] = [
        // A kernel with a corrupt bio does not always end in the same way.
        ("leg-2009-mq-raid1", &["crash", "hang", "wrong data"]),
        ("raid1-no-restore", &["wrong data"]),
        ("mpath-last-error-lost", &["wrong answer"]),
        ("raid1-write-error-swallowed", &["misjudged"]),
        ("mpath-path-not-failed", &["misjudged"]),
    ];
    const SCENARIOS: [&str; 5] = [
        "piecewise/mq/raid1-read",
        "raid1/read-halfway",
        "raid1/write-halfway",
        "multipath/all-paths-fail",
        "multipath/failover-once",
    ];
    let results = tempfile::tempdir().unwrap();
    let scenarios = SCENARIOS.map(|name| format!("scenarios/{name}.toml"));
    let mut run = vec!["controls", "run", "--sample", "40", "--timeout", "10"];
    run.extend(KINDS.map(|(control, _)| control));
    for scenario in &scenarios {
        run.extend(["--scenario", scenario]);
    }
    let output = halfway(&run, results.path());
    let table = text(&output.stdout);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{table}\n{said}");
    let verdict = |control: &str| {
        let cells = table.lines().map(|line| line.split('|').map(str::trim));
        let mut rows = cells.map(|cells| cells.skip(1).collect::<Vec<_>>());
        let row = rows.find(|row| row.first() == Some(&control));
        row.unwrap_or_else(|| panic!("{control} is not in\n{table}"))[1]
    };
    for (control, any_of) in KINDS {
        let symptoms: Vec<&str> = verdict(control).split(", ").collect();
        assert!(
            any_of.iter().any(|wanted| symptoms.contains(wanted)),
            "{control} must be killed by {any_of:?}\n{table}"
        );
    }
    for module in ["dm-mirror", "dm-multipath", "halfway-leg"] {
        let stock = format!("unmutated-{module}");
        assert_eq!(verdict(&stock), "passes, as it must", "{table}");
    }
}

/// What a run's record says about a case.
#[derive(Debug)]
struct Judged {
    id: String,
    outcome: String,
    /// The witness and the text of each difference.
    differences: Vec<(String, String)>,
    /// What the contract watcher reported.
    contract: String,
}

fn recorded(results: &Path) -> Vec<Judged> {
    let events = std::fs::read_to_string(results.join("latest/events.jsonl")).unwrap();
    let events = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    events
        .filter(|event| event["event"] == "case-finished" && event["retried"] == false)
        .map(|event| {
            let verdict = &event["verdict"];
            let differences = verdict["differences"].as_array().unwrap().iter();
            let seen = differences.map(|one| (text(&one["witness"]), text(&one["text"])));
            Judged {
                id: text(&event["id"]),
                outcome: text(&verdict["outcome"]),
                differences: seen.collect(),
                contract: text(&verdict["evidence"]["contract"]),
            }
        })
        .collect()
}

/// The driver of 2009 beneath a stock dm-raid1, in both flavours. The contract watcher
/// names this driver and no other. It reports nothing about the same driver when that
/// keeps the contract, and nothing about the kernel's own drivers. The case is a mirror's
/// write, because the guest survives that with such a driver.
#[test]
#[ignore = "builds kernel modules, for which `ci/setup --controls` installs the tools"]
fn the_watcher_names_the_driver_of_2009_and_no_other() {
    // The driver transfers 12 sectors at a time. So before each of these faults, a part
    // of the vector's only entry is done.
    const CASES: &str = "@vector=contiguous,at=(100|250|511)$";
    let results = tempfile::tempdir().unwrap();
    let watched = |scenario: &str, more: &[&str]| {
        let scenario = format!("scenarios/{scenario}.toml");
        let mut run = vec!["run", &scenario, "--watch", "on", "--filter", CASES];
        run.extend(more);
        let output = halfway(&run, results.path());
        let cases = recorded(results.path());
        assert_eq!(cases.len(), 3, "{}", text(&output.stderr));
        (output.status.code(), cases)
    };
    for flavour in ["bio", "mq"] {
        let scenario = format!("piecewise/{flavour}/raid1-write");
        let control = format!("leg-2009-{flavour}-raid1-write");
        let (code, cases) = watched(&scenario, &["--control", &control]);
        assert_eq!(code, Some(1), "{cases:?}");
        for Judged {
            id,
            outcome,
            differences,
            ..
        } in &cases
        {
            assert_eq!(outcome, "fail", "{id}: {differences:?}");
            let mut named = differences.iter().filter(|(of, _)| of == "contract");
            assert!(named.clone().count() > 0, "{id}: {differences:?}");
            assert!(
                named.all(|(_, text)| text.starts_with("halfway halfway0 (")
                    && text.contains(" changed the vector of bio ")
                    && !text.contains("had it too")),
                "{id}: {differences:?}"
            );
        }
    }
    for sound in ["piecewise/bio/raid1-write", "raid1/write-halfway"] {
        let (code, cases) = watched(sound, &[]);
        assert_eq!(code, Some(0), "{cases:?}");
        for Judged { id, contract, .. } in &cases {
            assert!(
                contract.ends_with("no vector was changed"),
                "{id}: {contract}"
            );
        }
    }
}

/// From two readers of 256 KiB to a piece and a sector of the next one, and to a script that
/// shows it without Halfway.
#[test]
#[ignore = "builds kernel modules, for which `ci/setup --controls` installs the tools"]
fn a_case_becomes_small_and_its_recipe_shows_it() {
    let place = tempfile::tempdir().unwrap();
    let small = place.path().join("small.toml");
    let command = |words: &[&str], on: &[&str], script: Option<&Path>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halfway"));
        let output = command
            .current_dir(env!("CARGO_MANIFEST_DIR").to_owned() + "/..")
            .env("NO_COLOR", "1")
            .args(words)
            .args(on)
            .stdin(script.map_or_else(Stdio::null, |path| {
                std::fs::File::open(path).unwrap().into()
            }))
            .output()
            .unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        (output.status.code(), said)
    };
    let control = ["--control", "record-no-sector"];
    let file = small.to_str().unwrap();
    let before = "results/minimised/before/raid1-read.toml";
    let (status, said) = command(&["minimise", before, "-o", file], &control, None);
    assert_eq!(status, Some(0), "{said}");
    let written = std::fs::read_to_string(&small).unwrap();
    assert!(written.contains("\nsectors = 9\n"), "{written}");
    assert!(!written.contains("\nrequests"), "{written}");

    let script = small.with_extension("sh");
    let (status, said) = command(&["shell", file], &control, Some(&script));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("The failure is shown."), "{said}");
    let (status, said) = command(&["shell", file], &[], Some(&script));
    assert_eq!(status, Some(0), "{said}");

    // What does not fail is not made smaller.
    let (status, said) = command(&["minimise", before, "-o", file], &[], None);
    assert_eq!(status, Some(125), "{said}");
}
