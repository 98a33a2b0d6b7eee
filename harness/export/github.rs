//! What GitHub's workflows show: annotations, and the summary of a step.

use super::standing::Standing;
use crate::results::{Ended, Ran, text};
use std::io::{self, Write};

/// GitHub shows ten annotations of a kind for each step.
const SHOWN: usize = 10;

/// An error for each cause, with the number of its cases.
pub fn annotations(runs: &[Ran], out: &mut dyn Write) -> io::Result<()> {
    for run in runs {
        let causes = causes(run);
        // The last place is for what is not shown.
        let shown = if causes.len() > SHOWN {
            SHOWN - 1
        } else {
            causes.len()
        };
        let incomplete = run.incomplete();
        let shown = shown.min(SHOWN - usize::from(incomplete.is_some()) - 1);
        if let Some(why) = incomplete {
            error(out, &run.title(), &why)?;
        }
        for cases in &causes[..shown] {
            let first = cases[0];
            let more = match cases.len() {
                1 => String::new(),
                number => format!(" (and {} more like it)", number - 1),
            };
            let title = format!("{}: {}{more}", first.outcome, first.id);
            let see = format!("{}\nsee {}.txt", first.reason, run.files(first));
            error(out, &title, &see)?;
        }
        let left: usize = causes[shown..].iter().map(Vec::len).sum();
        if left > 0 {
            let words = format!("{left} more cases did not pass, see {}", run.path);
            error(out, &run.title(), &words)?;
        }
        let tally = run.tally();
        writeln!(out, "::notice title={}::{tally}", property(&run.title()))?;
    }
    Ok(())
}

/// A table of what did not pass.
pub fn summary(runs: &[Ran], out: &mut dyn Write) -> io::Result<()> {
    for run in runs {
        writeln!(out, "## {}\n\n{}\n", cell(&run.title()), run.tally())?;
        if let Some(why) = run.incomplete() {
            writeln!(out, "**Not complete:** {}\n", cell(&why))?;
        }
        let causes = causes(run);
        if !causes.is_empty() {
            writeln!(
                out,
                "| outcome | cases | first of them | why |\n|---|---|---|---|"
            )?;
        }
        for cases in causes {
            let first = cases[0];
            let (id, why) = (cell(&first.id), cell(&first.reason));
            writeln!(
                out,
                "| {} | {} | {id} | {why} |",
                first.outcome,
                cases.len()
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The cases that failed or were not judged, those of one signature together.
fn causes(run: &Ran) -> Vec<Vec<&Ended>> {
    super::causes(run, |standing| {
        matches!(standing, Standing::Failed | Standing::Errored)
    })
}

fn error(out: &mut dyn Write, title: &str, text: &str) -> io::Result<()> {
    writeln!(out, "::error title={}::{}", property(title), data(text))
}

fn data(text: &str) -> String {
    let text = text::lines(text);
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text that has no meaning in a table of Markdown.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for character in text::line(text).chars() {
        match character {
            '<' => cell.push_str("&lt;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '@' | '#' => {
                cell.push_str(&format!("&#{};", character as u32));
            }
            other => cell.push(other),
        }
    }
    cell
}
