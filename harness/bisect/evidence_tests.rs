use super::*;
use crate::results::Shape;
use Outcome::*;
use halfway_case::Verdict;
use rstest::rstest;

fn signature(outcome: Outcome, reason: &str) -> Option<Signature> {
    Signature::of(&Verdict::bare(outcome, reason))
}

/// Cases that ended like this, each for the reason "why", or for that of `reasons`.
fn cases(outcomes: &[Outcome], reasons: &[&str]) -> Vec<Ended> {
    let reasons = reasons.iter().copied().chain(std::iter::repeat("why"));
    let cases = outcomes.iter().zip(reasons).enumerate();
    cases
        .map(|(at, (outcome, reason))| Ended {
            id: format!("case-{at}"),
            scenario: "scenario".to_owned(),
            outcome: *outcome,
            reason: reason.to_owned(),
            signature: signature(*outcome, reason),
            differences: Vec::new(),
            shape: Shape::default(),
            millis: 1,
            attempt: 1,
        })
        .collect()
}

#[rstest]
#[case::pass(&[Pass, Skipped], 'p', "")]
#[case::crash(&[Pass, Crash], 'f', "crash: kernel log: why (1 of 2 cases, such as case-1)")]
#[case::failure_before_doubt(&[Inconclusive, Infrastructure, Hang], 'f', "hang: liveness: why")]
#[case::doubt(&[Pass, Inconclusive], 'n', "inconclusive: why (1 of 2")]
#[case::host(&[Pass, Infrastructure], 'n', "infrastructure: why")]
#[case::skipped(&[Skipped], 'n', "skipped: why")]
#[case::empty(&[], 'n', "no case was run")]
#[case::device_model(&[Finding], 'n', "finding: why")]
fn only_a_pass_is_good(#[case] outcomes: &[Outcome], #[case] expected: char, #[case] says: &str) {
    let (letter, why) = match Run::of(&cases(outcomes, &[]), None, &Sought::Any) {
        Run::Passed => ('p', String::new()),
        Run::Failed { why, .. } => ('f', why),
        Run::Nothing(why) => ('n', why),
    };
    assert_eq!(letter, expected);
    assert!(why.starts_with(says), "{why}");
}

#[test]
fn a_run_that_was_broken_off_is_no_pass_but_may_be_a_failure() {
    let broken_off = || Some("the run was interrupted".to_owned());
    let run = |outcomes: &[_]| Run::of(&cases(outcomes, &[]), broken_off(), &Sought::Any);
    assert_eq!(run(&[Pass]), Run::Nothing("the run was interrupted".into()));
    assert!(matches!(run(&[Pass, Fail]), Run::Failed { .. }));
}

#[test]
fn another_failure_is_neither_good_nor_bad() {
    let sought = Sought::of(&[signature(Crash, "BUG in f").unwrap()]);
    let run = |reasons: &[&str]| Run::of(&cases(&[Crash, Crash, Pass], reasons), None, &sought);
    match run(&["BUG in g", "BUG in h"]) {
        Run::Nothing(why) => assert_eq!(
            why,
            "it fails in another way: crash: kernel log: BUG in g (2 of 3 cases, such as case-0)"
        ),
        other => panic!("{other:?}"),
    }
    match run(&["BUG in g", "BUG in f"]) {
        Run::Failed { why, failures } => {
            assert!(why.contains("BUG in f (1 of 3 cases, such as case-1)"));
            assert_eq!(failures, [signature(Crash, "BUG in f").unwrap()]);
        }
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::all_pass("pp", Mark::Good, false)]
#[case::all_fail("ff", Mark::Bad, false)]
#[case::flaky("pf", Mark::Bad, true)]
#[case::a_doubt("pn", Mark::Unjudged, false)]
#[case::doubt_and_failure("nf", Mark::Bad, false)]
#[case::none("", Mark::Unjudged, false)]
fn runs_together(#[case] runs: &str, #[case] mark: Mark, #[case] flaky: bool) {
    let runs = runs.chars().map(|letter| match letter {
        'p' => Run::Passed,
        'f' => Run::Failed {
            why: "f".into(),
            failures: vec![signature(Crash, "BUG in f").unwrap()],
        },
        _ => Run::Nothing("n".into()),
    });
    let evidence = Evidence::of(&runs.collect::<Vec<_>>());
    assert_eq!((evidence.mark, evidence.is_flaky()), (mark, flaky));
    assert_eq!(evidence.failures.len(), usize::from(mark == Mark::Bad));
    assert_eq!(evidence.why.is_empty(), mark == Mark::Good);
}
