//! The wording of each line: pure functions from data to text.
//!
//! Lines have ANSI colours. The stream that they are written to (`anstream`) removes
//! these if they are not wanted.

use crate::results::text;
use halfway_case::verdict::Evidence;
use halfway_case::{Outcome, Verdict};
use owo_colors::{OwoColorize, Style};
use std::fmt::Write;

/// The width of the first column, which says what kind of line it is. The longest outcome
/// name fits.
const LABEL: usize = 14;

/// A line: its label, right-aligned, and its text.
pub fn labelled(label: &str, style: Style, text: &str) -> String {
    format!("{:>LABEL$}  {text}", label.style(style))
}

/// A line that says what the program is doing.
pub fn info(label: &str, text: &str) -> String {
    labelled(label, Style::new().cyan(), text)
}

/// A line that a person must not overlook.
pub fn warning(label: &str, text: &str) -> String {
    labelled(label, Style::new().yellow().bold(), text)
}

/// A line that continues the one above.
pub fn more(label: &str, text: &str) -> String {
    format!(
        "{:LABEL$}  {} {text}",
        "",
        format_args!("{label}:").dimmed()
    )
}

/// The colour of an outcome.
pub fn style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Pass => Style::new().green(),
        Outcome::Fail | Outcome::Crash | Outcome::Hang => Style::new().red().bold(),
        Outcome::Inconclusive | Outcome::Infrastructure => Style::new().yellow().bold(),
        Outcome::Finding => Style::new().magenta(),
        Outcome::Skipped => Style::new().blue(),
    }
}

/// A case and its verdict's reason. Ends with the path of the case's story, if there is
/// one.
pub fn case(id: &str, verdict: &Verdict, story: Option<&str>) -> String {
    let mut text = format!("{}: {}", id.bold(), text::line(&verdict.reason));
    if let Some(story) = story {
        let _ = write!(text, " ({})", text::shell([story]));
    }
    text
}

/// What a verdict rests on, one line for each witness.
pub fn evidence(evidence: &Evidence) -> Vec<String> {
    let joined = |items: &[String]| text::line(&items.join("; ")).into_owned();
    [
        ("journal", joined(&evidence.journal)),
        ("trace", joined(&evidence.trace)),
        ("status", text::line(&evidence.status).into_owned()),
        ("contract", text::line(&evidence.contract).into_owned()),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .map(|(label, text)| more(label, &text))
    .collect()
}

/// A duration as a person says it: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 0 min`.
pub fn duration(millis: u64) -> String {
    let seconds = (millis + 500) / 1000;
    match seconds {
        _ if millis < 9_950 => format!("{}.{} s", (millis + 50) / 1000, (millis + 50) / 100 % 10),
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// The rate in cases per second.
pub fn rate(cases: u64, millis: u64) -> String {
    match millis {
        0 => "-".to_owned(),
        _ => format!("{:.1}", cases as f64 * 1000.0 / millis as f64),
    }
}

/// A number with its noun: `1 case`, `2 cases`.
pub fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case(0, "0.0 s")]
    #[case(449, "0.4 s")]
    #[case(9_949, "9.9 s")]
    #[case(9_950, "10 s")]
    #[case(59_499, "59 s")]
    #[case(59_500, "1 min 0 s")]
    #[case(185_000, "3 min 5 s")]
    #[case(3_599_999, "1 h 0 min")]
    #[case(7_325_000, "2 h 2 min")]
    fn durations_read_well(#[case] millis: u64, #[case] expected: &str) {
        assert_eq!(super::duration(millis), expected);
    }
}
