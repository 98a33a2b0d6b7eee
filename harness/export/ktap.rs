//! KTAP 1: a subtest for each run, and in it one for each scenario.

use super::COMPLETE;
use super::standing::Standing;
use crate::results::{Ended, Ran, text};
use halfway_case::Outcome;
use std::io::{self, Write};

pub fn write(runs: &[Ran], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "KTAP version 1\n1..{}", runs.len())?;
    for (number, run) in (1..).zip(runs) {
        let title = name(&run.title());
        let scenarios = run.scenarios();
        let incomplete = run.incomplete();
        let plan = scenarios.len() + usize::from(incomplete.is_some());
        writeln!(out, "  KTAP version 1\n  # Subtest: {title}\n  1..{plan}")?;
        for note in &run.notes {
            writeln!(out, "  # {}", text::line(note))?;
        }
        let mut all = incomplete.is_none();
        for (number, (title, cases)) in (1..).zip(&scenarios) {
            let good = scenario(title, cases, out)?;
            writeln!(out, "  {} {number} {}", word(good), name(title))?;
            all &= good;
        }
        if let Some(why) = incomplete {
            writeln!(
                out,
                "  not ok {plan} {COMPLETE} # ERROR {}",
                text::line(&why)
            )?;
        }
        writeln!(out, "{} {number} {title}", word(all))?;
    }
    Ok(())
}

/// Writes a subtest. Returns whether none of its cases failed.
fn scenario(title: &str, cases: &[&Ended], out: &mut dyn Write) -> io::Result<bool> {
    let title = name(title);
    writeln!(
        out,
        "    KTAP version 1\n    # Subtest: {title}\n    1..{}",
        cases.len()
    )?;
    let mut all = true;
    for (number, case) in (1..).zip(cases) {
        let standing = Standing::of(case.outcome);
        let good = matches!(standing, Standing::Passed | Standing::Skipped);
        all &= good;
        // A diagnostic line belongs to the result that follows it.
        for difference in &case.differences {
            let words = text::line(&difference.text);
            writeln!(
                out,
                "    # {}: {}: {words}",
                name(&case.id),
                difference.witness
            )?;
        }
        let directive = match case.outcome {
            Outcome::Hang => " # TIMEOUT",
            _ if standing == Standing::Errored => " # ERROR",
            _ if standing == Standing::Skipped => " # SKIP",
            _ => "",
        };
        let why = match (standing, directive) {
            (Standing::Passed, _) => String::new(),
            (_, "") => format!(" # {}: {}", case.outcome, text::line(&case.reason)),
            _ => format!(" {}: {}", case.outcome, text::line(&case.reason)),
        };
        let id = name(&case.id);
        writeln!(out, "    {} {number} {id}{directive}{why}", word(good))?;
    }
    Ok(all)
}

fn word(good: bool) -> &'static str {
    if good { "ok" } else { "not ok" }
}

/// A description may hold no `#`: a directive begins there.
fn name(text: &str) -> String {
    text::line(text).replace('#', "_")
}
