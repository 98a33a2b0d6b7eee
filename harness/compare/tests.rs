//! Comparisons of made-up runs.

use super::pairs::Comparison;
use super::{Evidences, compare, json, markdown, text};
use crate::results::{Ran, canned};
use crate::runner::Event;
use halfway_case::Outcome::{self, *};
use halfway_case::Verdict;
use rstest::rstest;

/// A run of these cases: id, outcome, reason, a line of the journal, milliseconds.
fn run(name: &str, release: &str, cases: &[(&str, Outcome, &str, &str, u64)]) -> Ran {
    let mut ran = Ran::new(canned::manifest(), name);
    let mut add = |event| ran.add(canned::at(0, event));
    add(Event::MachineReady {
        machine: 1,
        release: release.to_owned(),
        version: String::new(),
        boot_ms: 1,
    });
    for (id, outcome, reason, journal, time) in cases {
        let mut verdict = match outcome {
            Pass | Skipped => Verdict::bare(*outcome, *reason),
            _ => canned::verdict(*outcome, reason),
        };
        verdict.evidence = canned::verdict(Pass, "").evidence;
        verdict.evidence.journal.push((*journal).to_owned());
        let mut event = canned::finished(id, 1, 2, verdict);
        if let Event::CaseFinished { millis, .. } = &mut event {
            *millis = *time;
        }
        add(event);
    }
    ran
}

const A: &[(&str, Outcome, &str, &str, u64)] = &[
    ("r@1", Pass, "came whole", "j", 40),
    ("r@2", Pass, "came whole", "j", 40),
    ("r@3", Fail, "leg 1 is A", "j", 40),
    ("r@4", Fail, "leg 1 is A", "j", 40),
    ("r@5", Skipped, "kernel 6.1.0 has no floppy", "j", 40),
    ("r@6", Fail, "leg 1 is A", "j", 40),
    ("r@7", Pass, "came whole", "j", 40),
];
const B: &[(&str, Outcome, &str, &str, u64)] = &[
    ("r@1", Pass, "came whole", "j", 40),
    ("r@2", Crash, "BUG in bio_`add`_page", "j", 40),
    ("r@3", Pass, "came whole", "j", 40),
    ("r@4", Fail, "leg 1 is F", "j", 40),
    ("r@5", Skipped, "kernel 6.18.2 has no floppy", "j", 40),
    ("r@6", Fail, "leg 0 is A", "j", 40),
    ("r@8", Pass, "came whole", "j", 40),
    ("r@7", Pass, "came whole", "leg 1 read 8+8 ok", 40),
];

fn written(format: &str, comparison: &Comparison<'_>) -> String {
    let evidence: Evidences = (comparison.to_show().iter())
        .map(|id| ((*id).to_owned(), canned::verdict(Pass, "").evidence))
        .collect();
    let evidence = (evidence.clone(), evidence);
    let mut out = Vec::new();
    match format {
        "text" => text::write(comparison, &evidence, &mut out),
        "markdown" => markdown::write(comparison, &evidence, &mut out),
        _ => json::write(comparison, &evidence, &mut out),
    }
    .unwrap();
    let out = String::from_utf8(out).unwrap();
    anstream::adapter::strip_str(&out).to_string()
}

#[rstest]
#[case("text")]
#[case("markdown")]
#[case("json")]
fn everything_that_differs_is_told(#[case] format: &str) {
    let (a, b) = (run("runs/a", "6.1.0", A), run("runs/b", "6.18.2", B));
    let comparison = compare(&a, &b);
    assert!(!comparison.is_same());
    insta::assert_snapshot!(format, written(format, &comparison));
}

#[test]
fn a_run_is_the_same_as_itself() {
    let (a, b) = (run("runs/a", "6.1.0", A), run("runs/a", "6.1.0", A));
    let comparison = compare(&a, &b);
    assert!(comparison.is_same() && comparison.pairs.is_empty());
    assert_eq!((comparison.both, comparison.times.len()), (7, 0));
}

#[test]
fn io_reasons_and_times_alone_leave_it_the_same() {
    let ids: Vec<String> = (0..40).map(|at| format!("r@{at}")).collect();
    let cases = |journal, time| -> Vec<_> {
        let ids = ids.iter().enumerate();
        ids.map(|(at, id)| (&**id, Pass, "came whole", journal, time + at as u64))
            .collect()
    };
    let a = run("runs/a", "6.1.0", &cases("j", 40));
    let b = run("runs/b", "6.1.0", &cases("k", 90));
    let comparison = compare(&a, &b);
    assert!(comparison.is_same());
    assert_eq!(comparison.pairs.len(), 40);
    let slower: Vec<&str> = comparison
        .times
        .iter()
        .map(|(scenario, _)| *scenario)
        .collect();
    assert_eq!(slower, ["r", "all"]);
    assert!(written("text", &comparison).contains("r: 60 ms in A, 110 ms in B (+83 %"));
}
