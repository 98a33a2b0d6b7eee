//! The gate over made-up runs: what turns it red, what does not, and what `--update` does.

use super::check::Worse;
use super::update::update;
use super::words::words;
use super::{Gated, Input, check};
use crate::cli::exit::{Exit, of_gate};
use crate::known::{self, Known};
use crate::results::{Ran, canned};
use crate::runner::Event;
use halfway_case::Outcome::{self, *};
use halfway_case::Verdict;
use rstest::rstest;
use time::macros::date;

const RELEASE: &str = "6.1.0-56-cloud-amd64";

/// A run of these cases: id, outcome, reason.
fn run(cases: &[(&str, Outcome, &str)]) -> Ran {
    run_on(RELEASE, cases)
}

fn run_on(release: &str, cases: &[(&str, Outcome, &str)]) -> Ran {
    let number = cases.len() as u64;
    let mut manifest = canned::manifest();
    manifest.cases = number;
    let mut ran = Ran::new(manifest, "runs/one");
    let mut events = vec![
        Event::RunStarted {
            cases: number,
            whole: number,
        },
        Event::MachineReady {
            machine: 1,
            release: release.to_owned(),
            version: String::new(),
            boot_ms: 1,
        },
    ];
    events.extend(cases.iter().map(|(id, outcome, reason)| {
        let verdict = match outcome {
            Pass | Skipped => Verdict::bare(*outcome, *reason),
            _ => canned::verdict(*outcome, reason),
        };
        canned::finished(id, 1, 2, verdict)
    }));
    events.push(Event::RunFinished {
        tally: Default::default(),
        millis: 1,
        interrupted: false,
    });
    for event in events {
        ran.add(canned::at(0, event));
    }
    ran
}

fn baseline(text: &str) -> Vec<Known> {
    known::parse("base.toml", text)
        .unwrap_or_else(|error| panic!("{:?}", miette::Report::new(error)))
}

fn gated<'a>(runs: &'a [Ran], against: &'a [Ran], known: &'a [Known]) -> Gated<'a> {
    check(&Input {
        runs,
        against,
        known,
        today: date!(2026 - 11 - 29),
        file: &|_, case| format!("id = {:?}\n", case.id),
    })
}

const KNOWN: &str = r#"
[[known]]
title = "a leg is left alive"
cases = ["a@1", "a@2"]
signature = "fail: journal: leg N is A"
kernels = "6.1"
"#;

#[rstest]
#[case::all_pass(&[("a@1", Pass, "x")], "", Exit::Pass)]
#[case::fails(&[("a@1", Pass, "x"), ("b@1", Fail, "y")], "", Exit::Kernel)]
#[case::crashes(&[("a@1", Pass, "x"), ("b@1", Crash, "y")], "", Exit::Kernel)]
#[case::hangs(&[("a@1", Pass, "x"), ("b@1", Hang, "y")], "", Exit::Kernel)]
#[case::inconclusive(&[("a@1", Pass, "x"), ("b@1", Inconclusive, "y")], "", Exit::Unjudged)]
#[case::host(&[("a@1", Pass, "x"), ("b@1", Infrastructure, "y")], "", Exit::Infrastructure)]
#[case::skip_appeared(&[("a@1", Pass, "x"), ("b@1", Skipped, "y")], "", Exit::Unjudged)]
#[case::finding_appeared(&[("a@1", Pass, "x"), ("b@1", Finding, "y")], "", Exit::Unjudged)]
#[case::nothing(&[], "", Exit::Unjudged)]
#[case::kernel_before_host(&[("a@1", Infrastructure, "x"), ("b@1", Fail, "y")], "", Exit::Kernel)]
#[case::known(&[("a@1", Fail, "leg 1 is A"), ("a@2", Fail, "leg 0 is A")], KNOWN, Exit::Pass)]
#[case::another_way(&[("a@1", Fail, "leg 1 is B"), ("a@2", Pass, "x")], KNOWN, Exit::Kernel)]
#[case::another_kind(&[("a@1", Crash, "leg 1 is A"), ("a@2", Pass, "x")], KNOWN, Exit::Kernel)]
#[case::another_case(&[("a@3", Fail, "leg 1 is A"), ("a@2", Pass, "x")], KNOWN, Exit::Kernel)]
#[case::known_and_not_judged(&[("a@1", Inconclusive, "leg 1 is A"), ("a@2", Pass, "x")], KNOWN, Exit::Unjudged)]
#[case::only_known_skips(&[("a@1", Skipped, "no floppy")],
    "[[known]]\ntitle = \"none\"\noutcome = \"skipped\"\nsays = \"no floppy\"\n", Exit::Unjudged)]
#[case::a_known_skip(&[("a@1", Skipped, "no floppy"), ("a@2", Pass, "x")],
    "[[known]]\ntitle = \"none\"\noutcome = \"skipped\"\nsays = \"no floppy\"\n", Exit::Pass)]
fn red_exactly_when_worse(
    #[case] cases: &[(&str, Outcome, &str)],
    #[case] known: &str,
    #[case] expected: Exit,
) {
    let (runs, known) = ([run(cases)], baseline(known));
    let gated = gated(&runs, &[], &known);
    assert_eq!(of_gate(&gated, false), expected, "{gated:?}");
    assert_eq!(gated.is_green(), expected == Exit::Pass);
}

#[test]
fn of_every_outcome_only_a_pass_is_green_and_only_the_kernels_are_its_fault() {
    for outcome in Outcome::ALL {
        let runs = [run(&[("a@1", Pass, "x"), ("b@1", outcome, "y")])];
        let exit = of_gate(&gated(&runs, &[], &[]), false);
        assert_eq!(exit == Exit::Pass, outcome == Pass);
        assert_eq!(exit == Exit::Kernel, outcome.blames_kernel());
    }
}

#[test]
fn an_entry_speaks_of_its_kernels_only() {
    let failing = [("a@1", Fail, "leg 1 is A"), ("a@2", Fail, "leg 1 is A")];
    let (runs, known) = ([run_on("6.12.3", &failing)], baseline(KNOWN));
    let gated = gated(&runs, &[], &known);
    assert_eq!(
        (gated.worse.len(), gated.elsewhere, gated.stale.len()),
        (2, 1, 0)
    );
}

#[rstest]
#[case::passed(&[("a@1", Pass, "x"), ("a@2", Pass, "x")], "none of its cases failed, 2 passed")]
#[case::not_run(&[("b@1", Pass, "x")], "none of its cases was run")]
#[case::one_passed(&[("a@1", Pass, "x"), ("a@2", Fail, "leg 1 is A")], "passed: a@1")]
fn an_entry_that_does_not_fit_is_told_and_is_red_only_if_strict(
    #[case] cases: &[(&str, Outcome, &str)],
    #[case] expected: &str,
) {
    let (runs, known) = ([run(cases)], baseline(KNOWN));
    let gated = gated(&runs, &[], &known);
    assert_eq!(of_gate(&gated, false), Exit::Pass);
    assert_eq!(of_gate(&gated, true), Exit::Usage);
    let said = shown(&gated, &known, true);
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("base.toml:2"), "{said}");
}

#[rstest]
#[case("2026-11-28", true)]
#[case("2026-11-29", false)]
fn an_entry_counts_on_its_last_day(#[case] until: &str, #[case] expired: bool) {
    let known = baseline(&format!("{KNOWN}until = {until}\n"));
    let runs = [run(&[
        ("a@1", Fail, "leg 1 is A"),
        ("a@2", Fail, "leg 1 is A"),
    ])];
    let gated = gated(&runs, &[], &known);
    assert_eq!(of_gate(&gated, false), Exit::Pass);
    assert_eq!(of_gate(&gated, true) == Exit::Usage, expired);
}

#[test]
fn a_case_that_disappeared_is_red_and_named() {
    let old = [run(&[
        ("a@1", Pass, "x"),
        ("a@2", Fail, "y"),
        ("a@3", Skipped, "z"),
    ])];
    let new = [run(&[("a@2", Pass, "x")])];
    let gated = gated(&new, &old, &[]);
    let ids: Vec<_> = gated
        .worse
        .iter()
        .map(|case| (case.worse, &*case.ended.id))
        .collect();
    assert_eq!(ids, [(Worse::Gone, "a@1")]);
    assert_eq!(of_gate(&gated, false), Exit::Unjudged);
}

#[test]
fn against_a_run_that_was_cut_off_nothing_is_green() {
    let mut old = Ran::new(canned::manifest(), "runs/old");
    let events = canned::run();
    (events.into_iter().take(6)).for_each(|event| old.add(event));
    let (old, new) = ([old], [run(&[("read@sector=2300", Pass, "x")])]);
    assert_eq!(of_gate(&gated(&new, &[], &[]), false), Exit::Pass);
    assert_eq!(
        of_gate(&gated(&new, &old, &[]), false),
        Exit::Infrastructure
    );
}

#[test]
fn a_run_that_was_cut_off_is_never_green() {
    let mut ran = Ran::new(canned::manifest(), "runs/one");
    let events = canned::run();
    events.into_iter().take(4).for_each(|event| ran.add(event));
    let runs = [ran];
    assert_eq!(
        of_gate(&gated(&runs, &[], &[]), false),
        Exit::Infrastructure
    );
}

#[test]
fn everything_is_told() {
    let known = baseline(&format!(
        "{KNOWN}\n[[known]]\ntitle = \"gone by\"\nlink = \"doc.md\"\ncases = \"c@*\"\n\
         outcome = \"skipped\"\nsays = \"no floppy\"\n\n[[known]]\ntitle = \"elsewhere\"\n\
         signature = \"crash: kernel log: BUG in f\"\nkernels = \">=6.12\"\n"
    ));
    let old = [run(&[
        ("b@2", Pass, "x"),
        ("b@1", Pass, "x"),
        ("c@0", Pass, "x"),
    ])];
    let runs = [run(&[
        ("a@1", Fail, "leg 1 is A"),
        ("a@2", Hang, "1 read request(s) never came back"),
        ("b@1", Fail, "leg 1 is A"),
        ("b@2", Inconclusive, "the fault on leg 0 never fired"),
        ("b@3", Fail, "leg 0 is A"),
        ("c@1", Skipped, "no floppy"),
        ("c@2", Skipped, "no ahci"),
        ("d@1", Pass, "x"),
    ])];
    let gated = gated(&runs, &old, &known);
    insta::assert_snapshot!(shown(&gated, &known, false));
}

fn shown(gated: &Gated<'_>, known: &[Known], strict: bool) -> String {
    let said = words(gated, known, "base.toml", strict).join("\n");
    anstream::adapter::strip_str(&said).to_string()
}

#[rstest]
#[case::new(KNOWN, &[("a@1", Fail, "leg 1 is A"), ("a@2", Fail, "leg 1 is A"), ("b@2", Crash, "BUG in f"), ("b@1", Crash, "BUG in f"),
    ("c@1", Skipped, "kernel 6.1.0-56-cloud-amd64 has no ahci (CONFIG_X): there is none in /root")])]
#[case::one_more(KNOWN, &[("a@1", Fail, "leg 1 is A"), ("a@2", Fail, "leg 1 is A"), ("a@11", Fail, "leg 1 is A")])]
#[case::one_less(KNOWN, &[("a@1", Fail, "leg 1 is A"), ("a@2", Pass, "x")])]
#[case::all_passed(KNOWN, &[("a@1", Pass, "x"), ("a@2", Pass, "x")])]
#[case::also_otherwise(KNOWN, &[("a@1", Fail, "leg 1 is A"), ("a@2", Fail, "leg 1 is F")])]
#[case::now_otherwise(KNOWN, &[("a@1", Fail, "leg 1 is F"), ("a@2", Fail, "leg 1 is F")])]
#[case::two_other_ways(KNOWN, &[("a@1", Fail, "leg 1 is F"), ("a@2", Hang, "it hung")])]
#[case::of_nothing("", &[("a@1", Fail, "leg 1 is \"F\"")])]
fn an_update_makes_it_green_and_keeps_the_rest(
    #[case] known: &str,
    #[case] cases: &[(&str, Outcome, &str)],
) {
    const AROUND: &str = "# The head of the file.\n\n# Above it.\n";
    const BELOW: &str = "\n# Of another kernel.\n[[known]]   # odd   layout\ntitle = 'elsewhere'\n\
                         signature = [  \"crash: BUG\" ]\nkernels = \"5.10\"\n";
    let text = match known {
        "" => String::new(),
        known => format!("{AROUND}{}{BELOW}", known.trim_start()),
    };
    let cases = [cases, &[("z@1", Pass, "x")]].concat();
    let (runs, before) = ([run(&cases)], baseline(&text));
    let (changed, said) = update(&text, &before, &gated(&runs, &[], &before));
    let after = baseline(&changed);
    let gated = gated(&runs, &[], &after);
    assert_eq!(
        of_gate(&gated, true),
        Exit::Pass,
        "{said:?}\n{changed}\n{gated:?}"
    );
    assert!(
        known.is_empty() || changed.ends_with(BELOW) || changed.contains(BELOW),
        "{changed}"
    );
    let (again, more) = update(&changed, &after, &gated);
    assert!(more.is_empty() && again == changed, "{more:?}");
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let name = name.rsplit("case_").next().unwrap_or_default().to_owned();
    insta::assert_snapshot!(
        format!("update_{name}"),
        format!("{changed}---\n{}\n", said.join("\n"))
    );
}

#[test]
fn one_cause_on_two_kernels_is_one_entry_in_its_place() {
    let runs = [
        run_on(
            "6.1.0-56",
            &[("b@1", Crash, "BUG in f"), ("b@9", Pass, "x")],
        ),
        run_on("6.18.3", &[("b@2", Crash, "BUG in f"), ("b@9", Pass, "x")]),
    ];
    let text = "[[known]]\ntitle = \"A\"\nsignature = \"fail: x\"\n\n# Last.\n[[known]]\n\
                title = \"Z\"\nsignature = \"fail: y\"\n";
    let before = baseline(text);
    let (changed, _) = update(text, &before, &gated(&runs, &[], &before));
    insta::assert_snapshot!(changed);
    let after = baseline(&changed);
    assert_eq!(of_gate(&gated(&runs, &[], &after), false), Exit::Pass);
}

#[test]
fn what_says_nothing_of_the_kernel_is_not_taken_for_known() {
    let runs = [run(&[
        ("a@1", Inconclusive, "x"),
        ("b@1", Infrastructure, "x"),
        ("c@1", Pass, "x"),
    ])];
    let (changed, said) = update("", &[], &gated(&runs, &[], &[]));
    assert_eq!((changed.as_str(), said.len()), ("", 0));
}
