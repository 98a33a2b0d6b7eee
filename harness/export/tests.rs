//! The formats of the canned run, which has every outcome, and of one that was cut off.

use super::*;
use crate::results::canned;
use clap::ValueEnum;
use rstest::rstest;

fn ran(cut: usize) -> Ran {
    let mut ran = Ran::new(canned::manifest(), "results/runs/one");
    let events = canned::run();
    let kept = events.len() - cut;
    events
        .into_iter()
        .take(kept)
        .for_each(|event| ran.add(event));
    ran
}

fn text(format: Format, runs: &[Ran]) -> String {
    let mut out = Vec::new();
    format.write(runs, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[rstest]
fn every_format_of_a_run_with_every_outcome(
    #[values(
        Format::Junit,
        Format::Ktap,
        Format::Tap,
        Format::Markdown,
        Format::Csv,
        Format::Github,
        Format::GithubSummary,
        Format::Gitlab,
        Format::Kcidb
    )]
    format: Format,
) {
    let name = format.to_possible_value().unwrap();
    insta::assert_snapshot!(name.get_name(), text(format, &[ran(0)]));
}

/// No format may show less of a run that was cut off than that it was.
#[test]
fn a_run_that_was_cut_off_is_told_by_every_format() {
    for format in Format::value_variants() {
        let shown = text(*format, &[ran(14)]).replace('\n', " ");
        let told = shown.contains("interrupted") && shown.contains("did not run");
        assert!(told, "{format:?}: {shown}");
    }
}

#[test]
fn a_mail_is_narrow() {
    let mail = text(Format::Markdown, &[ran(0), ran(14)]);
    let widest = mail.lines().map(|line| line.chars().count()).max();
    assert!(widest < Some(72), "{mail}");
}
