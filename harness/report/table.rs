//! The summary of a run: a row for each scenario, then the totals.

use super::lines::{self, count, duration, rate};
use crate::results::Summary;
use crate::results::summary::Row;
use halfway_case::Outcome;
use owo_colors::{OwoColorize, Style};

/// The rows of the table, one string for each line. Empty if no case has a verdict.
pub fn rows(summary: &Summary) -> Vec<String> {
    if summary.rows().is_empty() {
        return Vec::new();
    }
    let mut cells = vec![heading()];
    cells.extend(summary.rows().iter().map(row));
    if summary.rows().len() > 1 {
        let total = Row {
            scenario: "all".to_owned(),
            tally: summary.tally(),
            millis: summary.rows().iter().map(|row| row.millis).sum(),
        };
        cells.push(row(&total));
    }
    let widths: Vec<usize> = (0..cells[0].len())
        .map(|column| cells.iter().map(|row| row[column].0.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    cells.iter().map(|row| align(row, &widths)).collect()
}

/// A cell's text and its style.
type Cell = (String, Style);

fn heading() -> Vec<Cell> {
    let outcomes = Outcome::ALL.map(|outcome| match outcome {
        Outcome::Infrastructure => "infra".to_owned(),
        other => other.to_string(),
    });
    ["scenario".to_owned(), "cases".to_owned()]
        .into_iter()
        .chain(outcomes)
        .chain(["time".to_owned()])
        .map(|text| (text, Style::new().dimmed()))
        .collect()
}

fn row(row: &Row) -> Vec<Cell> {
    let outcomes = Outcome::ALL.map(|outcome| match row.tally[outcome] {
        0 => ("-".to_owned(), Style::new().dimmed()),
        number => (number.to_string(), lines::style(outcome)),
    });
    let mut cells = vec![
        (row.scenario.clone(), Style::new()),
        (row.tally.total().to_string(), Style::new()),
    ];
    cells.extend(outcomes);
    cells.push((duration(row.millis), Style::new()));
    cells
}

/// Aligns the first column left and the numbers right. Padding is added outside of the
/// style, because colour codes have no width.
fn align(row: &[Cell], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).enumerate();
    let cells: Vec<_> = cells
        .map(|(column, ((text, style), width))| {
            let space = " ".repeat(width - text.chars().count());
            match column {
                0 => format!("{}{space}", text.style(*style)),
                _ => format!("{space}{}", text.style(*style)),
            }
        })
        .collect();
    cells.join("  ")
}

/// The totals of the run, in one line.
pub fn totals(summary: &Summary) -> String {
    let tally = summary.tally();
    let style = match tally.troubles() {
        0 if tally.total() == 0 => Style::new().yellow().bold(),
        0 => Style::new().green().bold(),
        _ => Style::new().red().bold(),
    };
    let mut text = format!(
        "{} in {}: {}",
        count(tally.total(), "case"),
        duration(summary.millis()),
        tally.style(style)
    );
    text.push_str(&format!(
        " ({} cases/s, {}{})",
        rate(tally.total(), summary.millis()),
        count(summary.machines(), "machine"),
        match summary.retries() {
            0 => String::new(),
            1 => ", 1 retry".to_owned(),
            more => format!(", {more} retries"),
        }
    ));
    text
}

/// What the user must know besides the totals, the most important remark last.
pub fn remarks(summary: &Summary, resume: Option<&str>) -> Vec<String> {
    let mut remarks = Vec::new();
    if summary.unreadable() > 0 {
        remarks.push(format!(
            "{} of the record could not be read and are not counted",
            count(summary.unreadable(), "line")
        ));
    }
    if summary.interrupted() {
        let left = summary.cases().saturating_sub(summary.done());
        let how = match resume {
            Some(run) => format!("; `halfway run --resume {run}` goes on"),
            None => String::new(),
        };
        remarks.push(format!(
            "interrupted: {left} of {} not run{how}",
            count(summary.cases(), "case")
        ));
    }
    remarks.extend(sampled(summary.cases(), summary.whole()));
    remarks
}

/// Says that only a sample of the cases was run, if so.
pub fn sampled(cases: u64, whole: u64) -> Option<String> {
    let whole_cases = count(whole, "case");
    (cases < whole).then(|| format!("sampled {cases} of {whole_cases}; --full runs them all"))
}
