//! Mistakes in files of known failures, as a person sees them.

use super::file::parse;
use miette::{GraphicalReportHandler, GraphicalTheme};
use rstest::rstest;

#[rstest]
#[case("no_toml", "[[known]\ntitle = \"x\"\n")]
#[case("another_table", "[[finding]]\ntitle = \"x\"\n")]
#[case("one_table", "[known]\ntitle = \"x\"\n")]
#[case(
    "unknown_key",
    "[[known]]\ntitle = \"x\"\nsignature = \"fail: x\"\nids = \"a\"\n"
)]
#[case("no_title", "[[known]]\nsignature = \"fail: x\"\n")]
#[case("no_way", "[[known]]\ntitle = \"x\"\noutcome = \"fail\"\n")]
#[case(
    "two_ways",
    "[[known]]\ntitle = \"x\"\nsignature = \"fail: x\"\nsays = \"x\"\n"
)]
#[case(
    "no_outcome",
    "[[known]]\ntitle = \"x\"\nsignature = [\"fail: x\", \"leg 1 is A\"]\n"
)]
#[case(
    "a_pass",
    "[[known]]\ntitle = \"x\"\noutcome = \"pass\"\nsays = \"x\"\n"
)]
#[case(
    "the_host",
    "[[known]]\ntitle = \"x\"\nsignature = \"infrastructure: QEMU died\"\n"
)]
#[case(
    "bad_pattern",
    "[[known]]\ntitle = \"x\"\noutcome = \"fail\"\nsays = \"(\"\n"
)]
#[case(
    "bad_kernel",
    "[[known]]\ntitle = \"x\"\nsignature = \"fail: x\"\nkernels = \"6.1-cloud\"\n"
)]
#[case(
    "bad_date",
    "[[known]]\ntitle = \"x\"\nsignature = \"fail: x\"\nuntil = \"2027-01-01\"\n"
)]
#[case(
    "empty_list",
    "[[known]]\ntitle = \"x\"\nsignature = \"fail: x\"\ncases = []\n"
)]
#[case(
    "a_number",
    "[[known]]\ntitle = 7\nsignature = \"fail: x\"\ncases = [\"a\", 8]\n"
)]
fn mistakes(#[case] name: &str, #[case] text: &str) {
    let error = parse("base.toml", text).unwrap_err();
    let mut said = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut said, &error)
        .unwrap();
    insta::assert_snapshot!(name, said);
}

#[test]
fn the_baseline_of_the_distributions_kernels_has_no_mistakes_and_is_sorted() {
    let known = parse("ci", include_str!("../../ci/known-failures.toml")).unwrap();
    assert!(known.is_sorted_by(|a, b| a.title < b.title));
    let findings = include_str!("../../results/findings.md");
    for entry in known
        .iter()
        .filter(|entry| !entry.title.starts_with("skipped: "))
    {
        let link = entry.link.as_deref().unwrap_or_default();
        let anchor = link
            .strip_prefix("results/findings.md#")
            .unwrap_or_default();
        assert!(
            findings.contains(&format!("(#{anchor})")),
            "{}: {link}",
            entry.title
        );
    }
}
