//! Tests of the scenario catalogue: its tables in scenarios/README.md are current, and
//! its questions can be answered.

use crate::results::Record;
use halfway_case::{Case, Controller};
use halfway_protocol::io::Op;
use halfway_scenario::{Scenario, load};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

fn catalogue() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

fn loaded(path: &Path) -> Vec<Scenario> {
    load(&[path.to_owned()]).expect("a valid catalogue")
}

/// Compares the table of `test` in scenarios/README.md with `current`, and panics if they
/// differ. If [`UPDATE`] is set, writes `current` there instead.
fn keep_current(test: &str, current: &str) {
    let path = catalogue().join("README.md");
    let readme = fs::read_to_string(&path).expect("the README is there");
    let (before, list, after) = between_marks(&readme, test);
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, [before, current, after].concat()).expect("it is written");
    } else {
        assert!(
            current == list,
            "a table of scenarios/README.md is not what the code says: run {test} with \
             {UPDATE}=results/runs/latest and commit it"
        );
    }
}

/// The environment variable that makes the tests write the README's tables. Its value is
/// a run record.
const UPDATE: &str = "UPDATE_CATALOGUE";

/// The text before, between and after the marks of `test`.
fn between_marks<'a>(text: &'a str, test: &str) -> (&'a str, &'a str, &'a str) {
    let begin = format!("<!-- made by {test} -->\n");
    let start = text.find(&begin).expect("the table has a beginning") + begin.len();
    let length = text[start..]
        .find("<!-- to here -->\n")
        .expect("the table has an end");
    let (before, rest) = text.split_at(start);
    let (table, after) = rest.split_at(length);
    (before, table, after)
}

#[test]
fn the_controllers_in_the_readme_are_current() {
    let mut table = "| controller | guest modules | asked before dm hears of `EIO` | notes |\n\
                     |---|---|---|---|\n"
        .to_owned();
    // The SCSI target has a chapter of its own.
    for controller in Controller::ALL
        .iter()
        .filter(|one| **one != Controller::Target)
    {
        let profile = controller.profile();
        let asked = match profile.failure_handling.attempts {
            _ if profile.failure_handling.never_reports => "never".to_owned(),
            (1, 1) => "1 time".to_owned(),
            (least, most) if least == most => format!("{least} times"),
            (least, most) => format!("{least} or {most} times"),
        };
        let cells = [
            format!("`{controller}`"),
            profile.modules.join(", "),
            asked,
            profile.note.to_owned(),
        ];
        let row = cells.join(" | ");
        table += &format!("| {} |\n", row.trim_end());
    }
    keep_current("the_controllers_in_the_readme_are_current", &table);
}

/// The list in the README is made from the scenario files. Its last column is measured:
/// `UPDATE_CATALOGUE=RECORD` writes the list anew, with the times of that run record, and
/// keeps the times of scenarios that the record does not have.
#[test]
fn the_list_in_the_readme_is_current() {
    const TEST: &str = "the_list_in_the_readme_is_current";
    let readme = fs::read_to_string(catalogue().join("README.md")).expect("the README is there");
    let (_, list, _) = between_marks(&readme, TEST);
    let measured = std::env::var_os(UPDATE).map(|record| {
        // Cargo runs tests in harness/, and a record is named from above it.
        let record = catalogue().join("..").join(record);
        let record = Record::open(&record).expect("a record");
        record.summary().expect("a readable record")
    });
    let mut lines = vec![
        "| scenario | question | cases | sample | its time |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for scenario in loaded(&catalogue()) {
        let name = &scenario.name;
        let row = format!(
            "| [{name}]({name}.toml) | {} | {} | {} |",
            scenario.question,
            scenario.count(),
            scenario.sample(scenario.sample).len()
        );
        let rows = measured.iter().flat_map(|summary| summary.rows());
        let time = rows
            .filter(|row| row.scenario == *name && row.millis > 0)
            .map(|row| format!(" {:.1} s |", row.millis as f64 / 1000.0))
            .next();
        let told = || {
            let line = list.lines().find(|line| line.starts_with(&row))?;
            Some(line[row.len()..].to_owned())
        };
        lines.push(row.clone() + &time.or_else(told).unwrap_or_else(|| " |".to_owned()));
    }
    keep_current(TEST, &(lines.join("\n") + "\n"));
}

#[test]
fn the_catalogue_asks_different_questions() {
    let scenarios = loaded(&catalogue());
    let mut questions: Vec<&str> = scenarios.iter().map(|s| s.question.as_str()).collect();
    let count = questions.len();
    questions.sort();
    questions.dedup();
    assert_eq!(questions.len(), count);
    assert!(
        scenarios
            .iter()
            .any(|s| s.tags.iter().any(|tag| tag == "quick"))
    );
}

/// The model knows what a correct kernel does in every case of the catalogue, and every
/// case shows something.
#[test]
fn the_model_knows_every_case_of_the_catalogue() {
    for scenario in loaded(&catalogue()) {
        for case in scenario.expand() {
            if let Err(unknown) = halfway_oracle::knows(&case) {
                panic!("{}: {unknown}", case.id);
            }
            if let Err(idle) = halfway_oracle::model::fires(&case) {
                panic!("{}: {idle}", case.id);
            }
        }
    }
}

/// Every combination counts, even those that nobody would build: these are the ones that
/// nobody has tested.
#[test]
fn each_stack_meets_each_controller_in_a_sampled_run() {
    let stack = |case: &Case| match (case.stack.multipath(), case.stack.nested(), case.linear) {
        (_, _, Some(_)) => "linear on top",
        (_, Some(_), _) => "mirror of multipaths",
        (None, ..) => "mirror",
        (Some(multipath), ..) if multipath.queue_mode.is_request_based() => "multipath of requests",
        (Some(_), ..) => "multipath of bios",
    };
    let sampled =
        (loaded(&catalogue()).into_iter()).flat_map(|scenario| scenario.sample(scenario.sample));
    let met: HashSet<(&str, Controller, Op)> = sampled
        .filter(|case| !case.faults.is_empty())
        .map(|case| (stack(&case), case.legs.controller, case.io.op))
        .collect();
    let ours = [
        Controller::PiecewiseBio,
        Controller::PiecewiseMq,
        Controller::Target,
    ];
    let stacks = [
        "linear on top",
        "mirror",
        "mirror of multipaths",
        "multipath of bios",
        "multipath of requests",
    ];
    let all = stacks.into_iter().flat_map(|stack| {
        let controllers = Controller::emulated().chain(ours);
        controllers.flat_map(move |one| [Op::Read, Op::Write].map(|op| (stack, one, op)))
    });
    // A floppy controller has only two drives, and request-based multipath needs
    // request-based drivers.
    let impossible = [
        ("mirror of multipaths", Controller::Floppy),
        ("multipath of requests", Controller::PiecewiseBio),
    ];
    let possible = all.filter(|(stack, one, _)| !impossible.contains(&(*stack, *one)));
    let missing: Vec<_> = possible.filter(|one| !met.contains(one)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
