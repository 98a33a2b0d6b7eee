//! Tests of records on a real file system.

use super::*;
use crate::runner::Event;
use crate::runner::event::Details;
use halfway_case::{Outcome, Verdict};
use std::fs;
use std::io::Write;
use std::path::Path;

fn recorder(results: &Path) -> Recorder {
    Recorder::create(results, &canned::manifest(), Keep::Failed).unwrap()
}

fn record_all(recorder: &mut Recorder) {
    for event in canned::run() {
        recorder.event(&event).unwrap();
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_recorded_is_read() {
    let results = tempfile::tempdir().unwrap();
    let mut recorder = recorder(results.path());
    record_all(&mut recorder);
    let record = Record::open(recorder.path()).unwrap();
    assert_eq!(record.manifest(), &canned::manifest());

    let read: Vec<_> = record.events().unwrap().map(Result::unwrap).collect();
    let as_lines = |events: &[crate::runner::event::Stamped]| -> Vec<_> {
        events
            .iter()
            .map(|event| serde_json::to_string(event).unwrap())
            .collect()
    };
    assert_eq!(as_lines(&read), as_lines(&canned::run()));

    let mut live = Summary::default();
    canned::run().iter().for_each(|event| live.add(event));
    let summary = record.summary().unwrap();
    assert_eq!(summary.rows(), live.rows());
    assert_eq!(
        summary.tally(),
        Outcome::ALL
            .into_iter()
            .map(|outcome| (outcome, 1))
            .collect()
    );
    assert!(!summary.interrupted());
}

#[test]
fn a_case_that_did_not_pass_has_files_that_tell_and_repeat_it() {
    let results = tempfile::tempdir().unwrap();
    let mut recorder = recorder(results.path());
    record_all(&mut recorder);
    let cases = recorder.path().join(CASES);
    assert_eq!(
        names(&cases),
        [
            "read@sector=2301.json",
            "read@sector=2301.toml",
            "read@sector=2301.txt",
            "read@sector=2302.json",
            "read@sector=2302.toml",
            "read@sector=2302.txt",
            "write@sector=2300.attempt-1.json",
            "write@sector=2300.attempt-1.toml",
            "write@sector=2300.attempt-1.txt",
            "write@sector=2300.json",
            "write@sector=2300.toml",
            "write@sector=2300.txt",
            "write@sector=2301.json",
            "write@sector=2301.toml",
            "write@sector=2301.txt",
            "write@sector=2302.json",
            "write@sector=2302.toml",
            "write@sector=2302.txt",
            "write@sector=2304.json",
            "write@sector=2304.toml",
            "write@sector=2304.txt",
        ]
    );
    let json = fs::read(cases.join("read@sector=2301.json")).unwrap();
    let details: Details = serde_json::from_slice(&json).unwrap();
    assert_eq!(details.case, canned::case("read@sector=2301"));
    assert_eq!(details.observation, canned::details("x").observation);

    let story = fs::read_to_string(cases.join("read@sector=2301.txt")).unwrap();
    let record = recorder.path().display().to_string();
    insta::assert_snapshot!(story.replace(&record, "RECORD"));
}

#[test]
fn keep_all_keeps_skipped_cases_too() {
    let results = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::create(results.path(), &canned::manifest(), Keep::All).unwrap();
    record_all(&mut recorder);
    let kept = names(&recorder.path().join(CASES));
    assert!(
        kept.contains(&"write@sector=2303.toml".to_owned()),
        "{kept:?}"
    );
    // A case that passed has no details, so there is nothing to repeat it from.
    assert!(
        kept.contains(&"read@sector=2300.txt".to_owned()),
        "{kept:?}"
    );
}

#[test]
fn an_interrupted_record_is_read_and_resumed() {
    let results = tempfile::tempdir().unwrap();
    let mut first = recorder(results.path());
    let finished = |id: &str, outcome, attempt| {
        canned::at(
            5,
            canned::finished(id, 1, attempt, Verdict::bare(outcome, "why")),
        )
    };
    first
        .event(&canned::at(0, Event::RunStarted { cases: 3, whole: 3 }))
        .unwrap();
    first.event(&finished("a@1", Outcome::Fail, 1)).unwrap();
    first
        .event(&finished("a@2", Outcome::Infrastructure, 2))
        .unwrap();
    let path = first.path().to_owned();
    let again = Record::open(&path).unwrap();
    let busy = Recorder::resume(&again, Keep::Failed).unwrap_err();
    assert!(matches!(busy, RecordError::InUse { .. }), "{busy:?}");
    drop(first);

    // As if the process was killed while it wrote a line, and while it wrote a case's
    // file.
    let mut events = fs::OpenOptions::new()
        .append(true)
        .open(path.join(EVENTS))
        .unwrap();
    events
        .write_all(br#"{"at_ms":9,"event":"case-fini"#)
        .unwrap();
    let whole = fs::read(path.join(EVENTS))
        .unwrap()
        .iter()
        .filter(|byte| **byte == b'\n')
        .count();
    let summary = again.summary().unwrap();
    assert!(summary.interrupted());
    assert_eq!(summary.unreadable(), 0);
    assert!(summary.is_settled("a@1") && !summary.is_settled("a@2"));

    let mut second = Recorder::resume(&again, Keep::Failed).unwrap();
    assert!(path.join("cases/a@2.txt").exists());
    second
        .event(&canned::at(0, Event::RunStarted { cases: 2, whole: 3 }))
        .unwrap();
    second.event(&finished("a@2", Outcome::Pass, 1)).unwrap();
    assert!(
        !path.join("cases/a@2.txt").exists(),
        "tells of a verdict that no longer counts"
    );
    let events: Vec<_> = again.events().unwrap().map(Result::unwrap).collect();
    assert_eq!(events.len(), whole + 2);
    assert_eq!(
        again.summary().unwrap().tally().to_string(),
        "1 pass, 1 fail"
    );
}

#[test]
fn a_damaged_line_costs_that_line_only() {
    let results = tempfile::tempdir().unwrap();
    let mut recorder = recorder(results.path());
    record_all(&mut recorder);
    let path = recorder.path().join(EVENTS);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("{\"at_ms\":3750,", "\0\0", 1)).unwrap();
    let record = Record::open(recorder.path()).unwrap();
    let summary = record.summary().unwrap();
    assert_eq!((summary.unreadable(), summary.done()), (1, 7));
    let bad = record.events().unwrap().find_map(Result::err).unwrap();
    assert!(matches!(bad, RecordError::Event { line: 6, .. }), "{bad:?}");
}

#[test]
fn two_runs_of_one_second_have_names_of_their_own_and_latest_is_the_last() {
    let results = tempfile::tempdir().unwrap();
    let first = recorder(results.path());
    let second = recorder(results.path());
    assert_ne!(first.path(), second.path());
    let name = second.path().file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("2026-11-22T17-04-05Z-") && name.len() == 25,
        "{name}"
    );
    for run in ["latest", name] {
        let found = Record::find(results.path(), run).unwrap();
        assert_eq!(found.path(), second.path());
    }
    let found = Record::find(Path::new("nowhere"), first.path().to_str().unwrap()).unwrap();
    assert_eq!(found.path(), first.path());
    let none = Record::find(results.path(), "2025").unwrap_err();
    assert!(matches!(none, RecordError::NoSuchRun { .. }), "{none:?}");
}

#[test]
fn a_full_disk_is_named_and_takes_nothing_away() {
    let results = tempfile::tempdir().unwrap();
    let first = recorder(results.path());
    let path = first.path().to_owned();
    drop(first);
    let sink = fs::OpenOptions::new()
        .append(true)
        .open("/dev/full")
        .unwrap();
    let mut full = Recorder::into_events(&path, sink);
    let error = full.event(&canned::run()[0]).unwrap_err();
    assert!(matches!(error, RecordError::Full { .. }), "{error:?}");
    assert!(error.to_string().contains(EVENTS), "{error}");
}

#[test]
fn a_results_directory_that_cannot_be_made_is_an_error_that_names_it() {
    let results = tempfile::tempdir().unwrap();
    let file = results.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Recorder::create(&file, &canned::manifest(), Keep::Failed).unwrap_err();
    assert!(
        matches!(&error, RecordError::Create { path, .. } if *path == file),
        "{error:?}"
    );
}

#[test]
fn a_newer_record_is_refused_by_its_number() {
    let results = tempfile::tempdir().unwrap();
    fs::write(
        results.path().join(MANIFEST),
        r#"{"format":2,"halfway":"0.9.0"}"#,
    )
    .unwrap();
    let error = Record::open(results.path()).unwrap_err();
    assert!(
        matches!(error, RecordError::Format { found: 2, .. }),
        "{error:?}"
    );
    let help = miette::Diagnostic::help(&error).unwrap().to_string();
    assert!(help.contains("0.9.0"), "{help}");
}

#[test]
fn an_id_cannot_lead_out_of_the_record() {
    let results = tempfile::tempdir().unwrap();
    let mut recorder = recorder(results.path());
    let event = canned::finished("../../x", 1, 1, Verdict::bare(Outcome::Fail, "why"));
    let error = recorder.event(&canned::at(0, event)).unwrap_err();
    assert!(matches!(error, RecordError::CaseId { .. }), "{error:?}");
}
