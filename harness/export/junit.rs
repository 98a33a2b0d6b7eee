//! JUnit XML: a suite for each scenario of each run.

use super::COMPLETE;
use super::standing::Standing;
use crate::results::{Ended, Ran, text};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::io;
use std::time::Duration;

pub fn write(runs: &[Ran], out: &mut dyn io::Write) -> io::Result<()> {
    let mut report = Report::new("halfway");
    for run in runs {
        suites(run, &mut report);
    }
    let text = report.to_string().map_err(io::Error::other)?;
    out.write_all(without_root_skips(&text, report.skipped).as_bytes())
}

/// The schema of Jenkins has no `skipped` of all suites together, only of each.
fn without_root_skips(text: &str, skipped: usize) -> String {
    let attribute = format!(" skipped=\"{skipped}\"");
    match text.split_once("<testsuites") {
        Some((head, rest)) => match rest.split_once('>') {
            Some((tag, rest)) => format!("{head}<testsuites{}>{rest}", tag.replace(&attribute, "")),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

fn suites(run: &Ran, report: &mut Report) {
    for (scenario, cases) in run.scenarios() {
        let mut suite = named(run, scenario);
        suite.set_time(Duration::from_millis(
            cases.iter().map(|case| case.millis).sum(),
        ));
        suite.add_test_cases(cases.iter().map(|case| test(run, case)));
        report.add_test_suite(suite);
    }
    if let Some(why) = run.incomplete() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(why).set_type("infrastructure");
        let mut test = TestCase::new(COMPLETE, status);
        test.set_classname("halfway");
        let mut suite = named(run, "halfway");
        suite.add_test_case(test);
        report.add_test_suite(suite);
    }
}

fn named(run: &Ran, scenario: &str) -> TestSuite {
    let mut suite = TestSuite::new(format!("{}: {scenario}", run.title()));
    let manifest = &run.manifest;
    let properties = [
        ("kernel", &manifest.kernel.release),
        ("kernel.version", &manifest.kernel.version),
        ("kernel.sha256", &manifest.kernel.sha256),
        ("qemu", &manifest.qemu.version),
        ("accelerator", &manifest.acceleration.accelerator),
        ("halfway", &manifest.halfway),
        ("seed", &manifest.seed.to_string()),
        ("record", &run.path),
    ];
    suite.add_properties(properties.map(|(name, value)| (name, value.as_str())));
    if !run.notes.is_empty() {
        suite.set_system_out(text::lines(&run.notes.join("\n")));
    }
    suite
}

fn test(run: &Ran, case: &Ended) -> TestCase {
    let kind = case.outcome.to_string();
    let reason = text::line(&case.reason);
    let standing = Standing::of(case.outcome);
    let mut status = match standing {
        Standing::Passed => TestCaseStatus::success(),
        Standing::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Standing::Errored => TestCaseStatus::non_success(NonSuccessKind::Error),
        Standing::Skipped => TestCaseStatus::skipped(),
    };
    if standing != Standing::Passed {
        status.set_message(format!("{kind}: {reason}"));
        status.set_type(&kind);
        let mut lines: Vec<String> = case
            .differences
            .iter()
            .map(|difference| format!("{}: {}", difference.witness, text::lines(&difference.text)))
            .collect();
        if standing != Standing::Skipped {
            lines.push(format!("see {}.txt", run.files(case)));
        }
        if !lines.is_empty() {
            status.set_description(lines.join("\n"));
        }
    }
    let mut test = TestCase::new(&*case.id, status);
    test.set_classname(&*case.scenario);
    test.set_time(Duration::from_millis(case.millis));
    test
}
