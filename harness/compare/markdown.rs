//! A comparison as Markdown, for an issue or a merge request.

use super::pairs::{Comparison, Differs, Evidences, SHOWN};
use super::text::{change, head};
use crate::report::lines::count;
use crate::results::Ended;
use crate::results::ran::grouped;
use std::io::{self, Write};

/// Writes the comparison; `evidence` is that of the cases to show, in A and in B.
///
/// # Errors
/// `out` cannot be written.
pub fn write(
    comparison: &Comparison<'_>,
    evidence: &(Evidences, Evidences),
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "**{}**\n", comparison.result())?;
    writeln!(out, "- A: {}", code(&head(comparison.a)))?;
    writeln!(out, "- B: {}", code(&head(comparison.b)))?;
    for (differs, title) in [
        (Differs::Verdict, "Other verdicts"),
        (Differs::Signature, "Other signatures"),
        (Differs::Reason, "Other reasons"),
    ] {
        let groups = grouped(comparison.of(differs), |pair| change(pair));
        if !groups.is_empty() {
            writeln!(out, "\n### {title}\n")?;
        }
        for (change, pairs) in groups {
            writeln!(
                out,
                "- {}: {}",
                count(pairs.len() as u64, "case"),
                code(&change)
            )?;
            ids(out, pairs.iter().map(|pair| pair.b))?;
        }
    }
    let number = comparison.of(Differs::Io).count();
    if number > 0 {
        writeln!(out, "\n### Other I/O\n\n{}", count(number as u64, "case"))?;
        for id in comparison.to_show() {
            writeln!(out, "\n- {}\n", code(id))?;
            for (run, evidence) in [("A", evidence.0.get(id)), ("B", evidence.1.get(id))] {
                let lines = evidence.map(|one| [&one.journal[..], &one.trace[..]].concat());
                for line in lines.unwrap_or_default() {
                    writeln!(out, "      {run} {line}")?;
                }
            }
        }
    }
    if !comparison.times.is_empty() {
        writeln!(
            out,
            "\n### Times\n\n| scenario | cases | A, ms | B, ms |\n|---|---|---|---|"
        )?;
        for (scenario, times) in &comparison.times {
            let (a, b) = times.medians;
            writeln!(out, "| {scenario} | {} | {a} | {b} |", times.pairs)?;
        }
    }
    for (title, cases) in [
        ("Only in A", &comparison.only_a),
        ("Only in B", &comparison.only_b),
    ] {
        if !cases.is_empty() {
            writeln!(
                out,
                "\n### {title}\n\n- {}",
                count(cases.len() as u64, "case")
            )?;
            ids(out, cases.iter().copied())?;
        }
    }
    Ok(())
}

/// Text that is shown as it is, whatever is in it.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    match longest {
        0 => format!("{fence}{text}{fence}"),
        _ => format!("{fence} {text} {fence}"),
    }
}

fn ids<'a>(out: &mut dyn Write, cases: impl ExactSizeIterator<Item = &'a Ended>) -> io::Result<()> {
    let number = cases.len();
    for case in cases.take(SHOWN) {
        writeln!(out, "  - {}", code(&case.id))?;
    }
    match number.checked_sub(SHOWN) {
        Some(left @ 1..) => writeln!(out, "  - and {left} more"),
        _ => Ok(()),
    }
}
