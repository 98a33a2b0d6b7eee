//! A comparison for a terminal.

use super::pairs::{Comparison, Differs, Evidences, Pair, SHOWN};
use crate::report::lines::{count, info, labelled, more, style, warning};
use crate::results::ran::grouped;
use crate::results::{Ended, Ran, text};
use owo_colors::{OwoColorize, Style};
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
    for (name, run) in [("A", comparison.a), ("B", comparison.b)] {
        writeln!(out, "{}", info(name, &head(run)))?;
    }
    for differs in [Differs::Verdict, Differs::Signature] {
        let groups = grouped(comparison.of(differs), |pair| change(pair));
        for (change, pairs) in groups {
            let number = count(pairs.len() as u64, "case");
            let label = if differs == Differs::Verdict {
                "verdict"
            } else {
                "signature"
            };
            let line = labelled(
                label,
                style(pairs[0].b.outcome),
                &format!("{number}: {change}"),
            );
            writeln!(out, "{line}")?;
            ids(out, pairs.iter().map(|pair| pair.b), true)?;
        }
    }
    let reasons: Vec<&Pair<'_>> = comparison.of(Differs::Reason).collect();
    if let Some(first) = reasons.first() {
        writeln!(
            out,
            "{}",
            info("reason", &count(reasons.len() as u64, "case"))
        )?;
        writeln!(out, "{}", more("such as", &first.a.id))?;
        writeln!(out, "{}", more("A", &text::line(&first.a.reason)))?;
        writeln!(out, "{}", more("B", &text::line(&first.b.reason)))?;
    }
    io_of(comparison, evidence, out)?;
    for (scenario, times) in &comparison.times {
        let (a, b) = times.medians;
        let change = (b as f64 / a.max(1) as f64 - 1.0) * 100.0;
        let text = format!(
            "{scenario}: {a} ms in A, {b} ms in B ({change:+.0} %; medians of {} cases that passed)",
            times.pairs
        );
        writeln!(out, "{}", info("time", &text))?;
    }
    for (label, cases) in [
        ("only in A", &comparison.only_a),
        ("only in B", &comparison.only_b),
    ] {
        if !cases.is_empty() {
            writeln!(
                out,
                "{}",
                warning(label, &count(cases.len() as u64, "case"))
            )?;
            ids(out, cases.iter().copied(), false)?;
        }
    }
    let style = match comparison.is_same() {
        true => Style::new().green(),
        false => Style::new().yellow().bold(),
    };
    writeln!(out, "{}", labelled("result", style, &comparison.result()))
}

fn io_of(
    comparison: &Comparison<'_>,
    evidence: &(Evidences, Evidences),
    out: &mut dyn Write,
) -> io::Result<()> {
    let pairs: Vec<&Pair<'_>> = comparison.of(Differs::Io).collect();
    if pairs.is_empty() {
        return Ok(());
    }
    let number = |wanted: fn(&Pair<'_>) -> bool| pairs.iter().filter(|pair| wanted(pair)).count();
    let text = format!(
        "{}: {} in the journal, {} in the trace",
        count(pairs.len() as u64, "case"),
        number(|pair| pair.journal),
        number(|pair| pair.trace)
    );
    writeln!(out, "{}", info("i/o", &text))?;
    for pair in pairs.iter().take(SHOWN) {
        writeln!(out, "{:16}{}", "", pair.a.id.bold())?;
        let of = [
            ("A", evidence.0.get(&pair.a.id)),
            ("B", evidence.1.get(&pair.a.id)),
        ];
        for (run, evidence) in of.into_iter().filter_map(|(run, one)| Some((run, one?))) {
            for (differs, what, lines) in [
                (pair.journal, "journal", &evidence.journal),
                (pair.trace, "trace", &evidence.trace),
            ] {
                if differs {
                    let lines = text::line(&lines.join("; ")).into_owned();
                    writeln!(out, "{}", more(&format!("{run} {what}"), &lines))?;
                }
            }
        }
    }
    rest(out, pairs.len())
}

/// What was run on what, in a line.
pub fn head(run: &Ran) -> String {
    let qemu = run.manifest.qemu.version.lines().next().unwrap_or_default();
    let number = count(run.cases.len() as u64, "case");
    let text = format!(
        "{}: {}, {qemu}, {number}: {}",
        run.path,
        run.release(),
        run.tally()
    );
    text::line(&text).into_owned()
}

/// From what to what a verdict changed.
pub fn change(pair: &Pair<'_>) -> String {
    let side = |case: &Ended| match &case.signature {
        Some(signature) => signature.to_string(),
        None => case.outcome.to_string(),
    };
    text::line(&format!("{} -> {}", side(pair.a), side(pair.b))).into_owned()
}

fn ids<'a>(
    out: &mut dyn Write,
    cases: impl ExactSizeIterator<Item = &'a Ended>,
    reasons: bool,
) -> io::Result<()> {
    let number = cases.len();
    for case in cases.take(SHOWN) {
        let reason = match reasons {
            true => format!(": {}", text::line(&case.reason)),
            false => String::new(),
        };
        writeln!(out, "{:16}{}{reason}", "", case.id.bold())?;
    }
    rest(out, number)
}

fn rest(out: &mut dyn Write, number: usize) -> io::Result<()> {
    match number.checked_sub(SHOWN) {
        Some(left @ 1..) => writeln!(out, "{:16}… and {left} more; --format json has all", ""),
        _ => Ok(()),
    }
}
