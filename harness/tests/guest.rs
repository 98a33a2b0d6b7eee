//! Runs Halfway as its users do, on a real guest. Each boot takes time, so there are few
//! runs, and each tests many things.
//!
//! The kernel is the catalogue's default. It is fetched if it is not in the cache yet.

use rstest::rstest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Allows one guest at a time: two would share two cores with the other tests.
static GUEST: Mutex<()> = Mutex::new(());

/// The directories of a test run: its results, its scenarios, its private files.
struct Place {
    directory: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Place {
    fn new() -> Self {
        let alone = GUEST
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let directory = tempfile::tempdir().unwrap();
        for part in ["scenarios", "private", "results"] {
            fs::create_dir(directory.path().join(part)).unwrap();
        }
        Place {
            directory,
            _alone: alone,
        }
    }

    fn path(&self, part: &str) -> PathBuf {
        self.directory.path().join(part)
    }

    fn scenario(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path("scenarios").join(name).with_extension("toml");
        fs::write(&path, text).unwrap();
        path
    }

    fn halfway(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halfway"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR").to_owned() + "/..")
            .env("TMPDIR", self.path("private"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.halfway();
        command
            .arg("run")
            .args(arguments)
            .arg("--results")
            .arg(self.path("results"));
        command.output().unwrap()
    }

    /// The last verdict on each case in the record.
    fn verdicts(&self) -> BTreeMap<String, Value> {
        let text = fs::read_to_string(self.path("results/latest/events.jsonl")).unwrap();
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|event| event["event"] == "case-finished" && event["retried"] == false)
            .map(|event| (event["id"].as_str().unwrap().to_owned(), event))
            .collect()
    }

    /// Asserts that nothing of a run is left: no process that names our directory, no
    /// file.
    fn is_clean(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let processes = self.processes();
            let files: Vec<_> = fs::read_dir(self.path("private"))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            if processes.is_empty() && files.is_empty() {
                return;
            }
            assert!(
                Instant::now() < until,
                "left behind: {processes:?} {files:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The command lines of the processes that name our directory.
    fn processes(&self) -> Vec<String> {
        let needle = self.path("private").display().to_string();
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains(&needle))
            .collect()
    }
}

fn said(output: &Output) -> String {
    format!(
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A read that leg 0 fails in its middle, at a few sectors.
const HALFWAY: &str = r#"
question = "Does a read that one leg fails in its middle come back whole from the other leg?"
[legs]
max_sectors_kb = 64
[io]
vector = ["contiguous", "pages", "odd"]
[[fault]]
leg = 0
at = [0, 252, 511]
"#;

/// The largest possible I/O, in one request.
const MOST: &str = r#"
question = "Does the largest I/O come back?"
[io]
op = ["read", "write"]
sectors = 16384
vector = ["contiguous", "offset", "unaligned"]
"#;

/// The largest possible I/O, in as many requests as are allowed.
const REQUESTS: &str = r#"
question = "Do all requests come back?"
[io]
op = ["read", "write"]
sectors = 16384
requests = 1024
vector = ["contiguous", "pages", "odd"]
"#;

#[path = "../examples/run_a_case.rs"]
#[allow(dead_code)] // Its `main` prints what `run` writes.
mod run_a_case;

#[test]
fn the_library_runs_cases_and_judges_them_again() {
    let _place = Place::new();
    let mut said = Vec::new();
    run_a_case::run(&mut said).unwrap();
    let said = String::from_utf8(said).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    for (line, start) in lines.iter().zip([
        "pass: example@at=0 on ",
        "pass: example@at=252 on ",
        "judged again: pass: leg 0 failed 1 request(s)",
    ]) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn the_catalogue_passes_with_its_evidence() {
    let place = Place::new();
    let output = place.run(&["scenarios", "--sample", "150", "--seed", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let verdicts = place.verdicts();
    let mut passed = Vec::new();
    for (id, event) in &verdicts {
        if event["verdict"]["outcome"] == "skipped" {
            // A kernel need not have the driver of every controller.
            let reason = event["verdict"]["reason"].as_str().unwrap();
            let lacks_driver = reason.contains("there is no such module");
            // `ci/setup` without `--controls` does not install what building modules
            // needs.
            let unbuilt = reason.contains("`ci/setup --controls` installs it");
            let expected = match id.starts_with("piecewise/") {
                true => unbuilt,
                false => id.contains("controller") && lacks_driver,
            };
            assert!(expected, "{id}: {reason}");
            continue;
        }
        assert_eq!(event["verdict"]["outcome"], "pass", "{id}");
        passed.push(id.split('.').next().unwrap());
        if event["verdict"]["reason"]
            .as_str()
            .unwrap()
            .starts_with("refused")
        {
            continue;
        }
        let evidence = &event["verdict"]["evidence"];
        for witness in ["journal", "trace"] {
            assert!(
                !evidence[witness].as_array().unwrap().is_empty(),
                "{id} cites no {witness}"
            );
        }
    }
    for (stack, least) in [("raid1", 40), ("multipath", 30), ("controllers", 5)] {
        let passed = passed.iter().filter(|of| **of == stack).count();
        assert!(passed >= least, "{passed} cases of {stack}");
    }
    assert!(
        said(&output).contains("--full runs them all"),
        "{}",
        said(&output)
    );
    place.is_clean();
}

/// Virtual addresses and lengths do not matter here. What counts is that bios were seen
/// on each device of the stack, and that all were followed to their end.
#[test]
fn every_bio_is_watched_and_no_stock_driver_changes_a_vector() {
    let place = Place::new();
    let path = place.scenario("watched", HALFWAY).display().to_string();
    let output = place.run(&[&path, "--full", "--watch", "on", "--record", "all"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let verdicts = place.verdicts();
    assert_eq!(verdicts.len(), 9);
    for (id, event) in &verdicts {
        let said = event["verdict"]["evidence"]["contract"].as_str().unwrap();
        assert!(said.ends_with("no vector was changed"), "{id}: {said}");
        for device in ["device-mapper dm-", "virtio_blk vda", "virtio_blk vdb"] {
            assert!(said.contains(device), "{id}: {said}");
        }
        let case = place
            .path("results/latest/cases")
            .join(format!("{id}.json"));
        let recorded = fs::read_to_string(&case).unwrap();
        let recorded: Value = serde_json::from_str(&recorded).unwrap();
        let bios = &recorded["observation"]["seen"]["bios"]["Ok"];
        assert_eq!(bios["lost"], 0, "{id}");
        let events = bios["events"].as_array().unwrap();
        let of = |point: &str| {
            events
                .iter()
                .filter(|event| event["point"] == point)
                .count()
        };
        // The original bio, and its clone on each leg, in pieces.
        assert!(of("submit") >= 9 && of("end") >= 9, "{id}: {events:?}");
        let failed = events.iter().filter(|event| event["status"] != 0).count();
        assert!(failed > 0, "{id}: the failure is not among the bios");
        let judged = place.halfway().arg("judge").arg(case).output().unwrap();
        assert_eq!(
            judged.status.code(),
            Some(0),
            "{id}: {}",
            self::said(&judged)
        );
    }
    place.is_clean();
}

#[test]
fn what_breaks_is_named_and_the_run_goes_on() {
    let place = Place::new();
    let sabotaged = |how: &str| {
        format!("sabotage = \"{how}\"\n{HALFWAY}")
            .replace("[0, 252, 511]", "252")
            .replace(r#"["contiguous", "pages", "odd"]"#, r#""pages""#)
    };
    place.scenario("a-panic", &sabotaged("guest-panic"));
    place.scenario("b-kill", &sabotaged("qemu-kill"));
    place.scenario("c-missed", &sabotaged("fault-missed"));
    place.scenario("d-complaint", &sabotaged("guest-complaint"));
    place.scenario("e-sound", HALFWAY);
    place.scenario("f-most", MOST);
    place.scenario("g-requests", REQUESTS);
    let scenarios = place.path("scenarios").display().to_string();
    let output = place.run(&[&scenarios, "--full", "--seed", "2"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));

    let verdicts = place.verdicts();
    let outcome = |id: &str| {
        let event = verdicts
            .get(id)
            .unwrap_or_else(|| panic!("{id} is not in {verdicts:?}"));
        (
            event["verdict"]["outcome"].as_str().unwrap(),
            event["attempt"].as_u64().unwrap(),
        )
    };
    assert_eq!(outcome("a-panic"), ("crash", 1));
    // The first attempt is killed; the second one passes.
    assert_eq!(outcome("b-kill"), ("pass", 2));
    // What the kernel logs before the I/O counts too.
    assert_eq!(outcome("d-complaint"), ("fail", 1));
    let reason = &verdicts["d-complaint"]["verdict"]["reason"];
    assert!(
        reason
            .as_str()
            .unwrap()
            .contains("BUG: sabotage in the guest"),
        "{reason}"
    );
    // A case that shows nothing is tried once more. Here it shows nothing again.
    assert_eq!(outcome("c-missed"), ("inconclusive", 2));
    let sound = verdicts.iter().filter(|(id, _)| id.starts_with("e-sound"));
    assert!(
        sound.clone().count() == 9
            && sound
                .clone()
                .all(|(_, event)| event["verdict"]["outcome"] == "pass")
    );

    let most = verdicts.iter().filter(|(id, _)| id.starts_with(['f', 'g']));
    let most: Vec<_> = most.map(|(id, _)| (id, outcome(id))).collect();
    assert_eq!(most.len(), 12);
    for (id, outcome) in most {
        assert_eq!(outcome, ("pass", 1), "{id}");
    }

    let story = fs::read_to_string(place.path("results/latest/cases/a-panic.txt")).unwrap();
    assert!(
        story.contains("Kernel panic") && story.contains("sysrq"),
        "{story}"
    );

    // The recorded case can be judged again, without a guest, with the same verdict.
    let judged = place
        .halfway()
        .arg("judge")
        .arg(place.path("results/latest/cases/a-panic.json"))
        .output()
        .unwrap();
    assert_eq!(judged.status.code(), Some(1), "{}", said(&judged));
    let judged = place
        .halfway()
        .arg("judge")
        .arg(place.path("results/latest/cases/c-missed.json"))
        .output()
        .unwrap();
    assert_eq!(judged.status.code(), Some(125), "{}", said(&judged));

    // The case's own file repeats it. In that run the kernel fails nothing, so the exit
    // code is 125 and not 1.
    let case = place
        .path("results/latest/cases/c-missed.toml")
        .display()
        .to_string();
    let again = place.run(&[&case]);
    assert_eq!(again.status.code(), Some(125), "{}", said(&again));
    assert_eq!(place.verdicts().keys().collect::<Vec<_>>(), ["c-missed"]);
    place.is_clean();
}

/// Waits until a run has judged some cases.
fn under_way(place: &Place, child: &mut Child) {
    let until = Instant::now() + Duration::from_secs(120);
    let events = place.path("results/latest/events.jsonl");
    while fs::read_to_string(&events)
        .unwrap_or_default()
        .matches("case-finished")
        .count()
        < 3
    {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it was under way"
        );
        assert!(Instant::now() < until, "it is not under way");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn start(place: &Place) -> Child {
    let mut command = place.halfway();
    command
        .args([
            "run",
            "scenarios/raid1/read-halfway.toml",
            "--full",
            "--seed",
            "3",
            "--results",
        ])
        .arg(place.path("results"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

fn signal(child: &Child, number: i32) {
    let pid = rustix::process::Pid::from_child(child);
    let signal = rustix::process::Signal::from_named_raw(number).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn nothing_outlives_a_killed_harness_and_the_run_can_be_resumed() {
    const KILL: i32 = 9;
    const INTERRUPT: i32 = 2;
    let place = Place::new();
    let mut child = start(&place);
    under_way(&place, &mut child);
    assert!(
        !place.processes().is_empty(),
        "QEMU is not seen, so its absence proves nothing"
    );
    signal(&child, KILL);
    child.wait().unwrap();
    place.is_clean();

    let done = place.verdicts().len();
    assert!(done >= 3);
    let mut child = place.halfway();
    child
        .args(["run", "--resume", "latest", "--results"])
        .arg(place.path("results"));
    let mut child = child
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(120);
    while place.verdicts().len() < done + 3 {
        assert!(Instant::now() < until && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(50));
    }
    signal(&child, INTERRUPT);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    place.is_clean();

    let shown = place
        .halfway()
        .args(["show", "latest", "--results"])
        .arg(place.path("results"))
        .output()
        .unwrap();
    assert_eq!(shown.status.code(), Some(3), "{}", said(&shown));
    assert!(said(&shown).contains("interrupted"), "{}", said(&shown));
}

/// Errors that must be reported before anything is started.
#[rstest]
#[case::no_qemu(HALFWAY, &[("HALFWAY_QEMU", "/nowhere/qemu")], 3, "/nowhere/qemu")]
#[case::not_qemu(HALFWAY, &[("HALFWAY_QEMU", "/bin/false")], 3, "/bin/false")]
#[case::no_private_place(HALFWAY, &[("TMPDIR", "/nowhere")], 3, "TMPDIR")]
#[case::unknown_key("question = \"?\"\n[legz]\ncount = 2\n", &[], 2, "legs")]
#[case::outside("question = \"?\"\n[io]\nop = \"read\"\n[[fault]]\nleg = 0\nat = 512\n", &[], 2, "512")]
#[case::no_such_leg("question = \"?\"\n[[fault]]\nleg = 7\nat = 0\n", &[], 2, "leg")]
#[case::not_toml("question = ", &[], 2, "scenario")]
fn what_cannot_be_is_told(
    #[case] text: &str,
    #[case] environment: &[(&str, &str)],
    #[case] code: i32,
    #[case] word: &str,
) {
    let place = Place::new();
    let path = place.scenario("bad", text).display().to_string();
    let mut command = place.halfway();
    command
        .args(["run", &path, "--results"])
        .arg(place.path("results"));
    for (name, value) in environment {
        command.env(name, value);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    assert!(said(&output).contains(word), "{}", said(&output));
    assert!(
        !Path::new(&place.path("results/latest")).exists(),
        "a record was begun"
    );
    place.is_clean();
}

/// If nobody reads standard error, that is no reason to panic (exit status 101).
#[rstest]
#[case::a_mistake(&["list", "/etc/passwd"], 2)]
#[case::a_sample(&["list", "scenarios/raid1/read-once.toml"], 0)]
fn a_closed_standard_error_changes_nothing(#[case] arguments: &[&str], #[case] code: i32) {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = place.halfway();
    command.args(arguments).stdout(Stdio::null()).stderr(writer);
    assert_eq!(command.status().unwrap().code(), Some(code));
}

/// A QEMU that gives these answers to `--version` and `-device help`. For everything else
/// it is the host's own.
fn fake_qemu(place: &Place, version: &str, devices: &str) -> PathBuf {
    let path = place.path("qemu");
    let own = "exec qemu-system-x86_64 \"$@\"";
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in --version) {version};; \"-device help\") {devices};; esac\n{own}\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// If QEMU cannot tell its version or its devices, neither `run` nor `doctor` goes on.
#[rstest]
#[case::fails("", "echo no modules >&2; exit 1", "(exit status: 1): no modules")]
#[case::crashes("", "kill -SEGV $$", "signal: 11")]
#[case::says_nothing("", "exit 0", "names no device")]
#[case::hangs("", "exec sleep 1000", "has not ended after 10 s")]
#[case::another(
    "echo 'Bochs 2.7'; exit 0",
    "",
    "is not a QEMU: its `--version` says \"Bochs 2.7\""
)]
#[case::old("echo 'QEMU emulator version 5.2.0'; exit 0", "", "5.2.0 is too old")]
fn a_qemu_that_does_not_answer_is_told(
    #[case] version: &str,
    #[case] devices: &str,
    #[case] expected: &str,
) {
    let place = Place::new();
    let nothing = |answer: &str| if answer.is_empty() { ":" } else { answer }.to_owned();
    let qemu = fake_qemu(&place, &nothing(version), &nothing(devices));
    let path = place.scenario("sound", HALFWAY).display().to_string();
    let results = place.path("results").display().to_string();
    for arguments in [&["run", &path, "--results", &results][..], &["doctor"]] {
        let output = place
            .halfway()
            .args(arguments)
            .env("HALFWAY_QEMU", &qemu)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
    assert!(!place.path("results/latest").exists(), "a record was begun");
    place.is_clean();
}

/// A case that needs a missing device is skipped with the reason. A case that the model
/// does not know is skipped if the user asks for that. The doctor reports both the
/// version and the missing device.
#[test]
fn what_is_missing_or_unknown_is_skipped_with_the_reason() {
    let place = Place::new();
    let without = "qemu-system-x86_64 -device help | grep -v '\"nvme\"'; exit 0";
    let version = "echo 'QEMU emulator version 99.1.0'; exit 0";
    let qemu = fake_qemu(&place, version, without);
    place.scenario("a-sound", &HALFWAY.replace("[0, 252, 511]", "252"));
    place.scenario(
        "b-nvme",
        &HALFWAY.replace("[legs]", "[legs]\ncontroller = \"nvme\""),
    );
    let unknown = "question = \"?\"\n[io]\nop = [\"read\", \"flush\"]\n\
                   [[fault]]\nop = \"flush\"\nleg = 0\nat = 0\n";
    place.scenario("c-unknown", unknown);
    let scenarios = place.path("scenarios").display().to_string();
    let run = |more: &[&str]| {
        let mut command = place.halfway();
        command.env("HALFWAY_QEMU", &qemu);
        command.args(["run", &scenarios, "--full", "--results"]);
        command.arg(place.path("results")).args(more);
        command.output().unwrap()
    };
    let refused = run(&[]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    for part in [
        "1 case of 14",
        "c-unknown: 1 case of 2",
        "op=read",
        "--skip-unknown",
    ] {
        assert!(said(&refused).contains(part), "{part}: {}", said(&refused));
    }
    assert!(!place.path("results/latest").exists(), "a record was begun");

    let output = run(&["--skip-unknown"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let verdicts = place.verdicts();
    assert_eq!(verdicts.len(), 14);
    for (id, event) in &verdicts {
        let verdict = &event["verdict"];
        let reason = verdict["reason"].as_str().unwrap();
        let expected = match id {
            id if id.starts_with("b-nvme") => "QEMU emulator version 99.1.0 has no nvme",
            id if id.ends_with("op=read") => "the model does not know",
            _ => {
                assert_eq!(verdict["outcome"], "pass", "{id}: {reason}");
                continue;
            }
        };
        assert_eq!(verdict["outcome"], "skipped", "{id}");
        assert!(reason.contains(expected), "{id}: {reason}");
    }
    assert!(
        said(&output).contains("4 pass, 10 skipped"),
        "{}",
        said(&output)
    );

    let mut doctor = place.halfway();
    let doctor = doctor.arg("doctor").env("HALFWAY_QEMU", &qemu);
    let output = doctor.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for part in ["on QEMU 99.1", "no nvme: cases on nvme are skipped"] {
        assert!(said(&output).contains(part), "{part}: {}", said(&output));
    }
    place.is_clean();
}

#[test]
fn results_that_cannot_be_written_are_told_before_a_guest_is_started() {
    let place = Place::new();
    let path = place.scenario("sound", HALFWAY).display().to_string();
    fs::write(place.path("file"), "").unwrap();
    let mut command = place.halfway();
    command
        .args(["run", &path, "--results"])
        .arg(place.path("file"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("--results"), "{}", said(&output));
    place.is_clean();
}
