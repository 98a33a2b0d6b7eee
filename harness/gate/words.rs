//! What the gate says, line by line.

use super::check::{Case, Gated, Stale, Worse};
use crate::known::Known;
use crate::report::lines::{self, count};
use crate::results::ran::grouped;
use crate::results::text;
use owo_colors::{OwoColorize, Style};

/// All lines: what is worse, what is known, what does not fit, the result.
pub fn words(gated: &Gated<'_>, known: &[Known], baseline: &str, strict: bool) -> Vec<String> {
    let red = Style::new().red().bold();
    let mut said = Vec::new();
    for (head, cases) in grouped(&gated.worse, |case| (case.worse, cause(case))) {
        let (worse, cause) = head;
        let label = match worse {
            Worse::New => "new failure",
            Worse::OtherWay(_) => "another way",
            Worse::Unjudged => "not judged",
            Worse::Gone => "gone",
        };
        let number = count(cases.len() as u64, "case");
        said.push(lines::labelled(label, red, &format!("{number}: {cause}")));
        if let Worse::OtherWay(at) = worse {
            let entry = &known[at];
            let ways: Vec<String> = entry.failures.iter().map(|way| way.words()).collect();
            let text = format!(
                "{} ({}): {}",
                entry.title,
                here(entry, baseline),
                ways.join(", or ")
            );
            said.push(lines::more("known as", &text::line(&text)));
        }
        said.extend(cases.iter().map(|case| one(case)));
    }
    for why in &gated.incomplete {
        said.push(lines::labelled("not whole", red, &text::line(why)));
    }
    for (at, cases) in &gated.known {
        let entry = &known[*at];
        let number = count(cases.len() as u64, "case");
        said.push(lines::info("known", &format!("{number}: {}", entry.title)));
        if let Some(link) = &entry.link {
            said.push(lines::more("see", &text::line(link)));
        }
    }
    let not_run = |stale: &Stale| *stale == Stale::NotRun && !strict;
    for (at, stale) in gated.stale.iter().filter(|(_, stale)| !not_run(stale)) {
        let entry = &known[*at];
        let why = match stale {
            Stale::NotRun if entry.cases.is_empty() => "no case failed so".to_owned(),
            Stale::NotRun => "none of its cases was run".to_owned(),
            Stale::OtherWay => "none of its cases failed so".to_owned(),
            Stale::Passed(number) => format!("none of its cases failed, {number} passed"),
            Stale::SomePassed(ids) => format!("passed: {}", ids.join(", ")),
            Stale::Expired(until) => format!("it expired on {until}"),
        };
        let text = format!("{} ({}): {why}", entry.title, here(entry, baseline));
        said.push(lines::warning("stale", &text::line(&text)));
    }
    // A sample leaves out most of what is known.
    let number = gated
        .stale
        .iter()
        .filter(|(_, stale)| not_run(stale))
        .count();
    if number > 0 {
        let entries = entries(number as u64, "is", "are");
        let text = format!("{entries} not met by any case that was run (--strict names them)");
        said.push(lines::info("note", &text));
    }
    if gated.elsewhere > 0 {
        let entries = entries(gated.elsewhere, "is", "are");
        let text = format!("{entries} about other kernels");
        said.push(lines::info("note", &text));
    }
    said.push(result(gated, strict));
    said
}

fn entries(number: u64, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 entry {one}"),
        _ => format!("{number} entries {many}"),
    }
}

/// Where an entry is.
fn here(entry: &Known, baseline: &str) -> String {
    format!("{baseline}:{}", entry.line)
}

/// What cases of one cause have in common.
fn cause(case: &Case<'_>) -> String {
    match (case.worse, &case.ended.signature) {
        (Worse::Gone, _) => "judged before, and not run now".to_owned(),
        (_, Some(signature)) => text::line(&signature.to_string()).into_owned(),
        (_, None) => format!("{}: {}", case.ended.outcome, text::line(&case.ended.reason)),
    }
}

fn one(case: &Case<'_>) -> String {
    let ended = case.ended;
    let mut line = format!("{:16}{}", "", ended.id.bold());
    if case.worse != Worse::Gone {
        line += &format!(": {}", text::line(&ended.reason));
    }
    if let Some(before) = case.before {
        line += &format!(" (was: {})", before.outcome);
    }
    line
}

fn result(gated: &Gated<'_>, strict: bool) -> String {
    let of =
        |wanted: fn(Worse) -> bool| gated.worse.iter().filter(|case| wanted(case.worse)).count();
    let known: usize = gated.known.iter().map(|(_, cases)| cases.len()).sum();
    let counts = |stale: &Stale| strict || *stale != Stale::NotRun;
    let stale = gated
        .stale
        .iter()
        .filter(|(_, stale)| counts(stale))
        .count();
    let counts = [
        (of(|worse| worse == Worse::New), "new failure"),
        (
            of(|worse| matches!(worse, Worse::OtherWay(_))),
            "in another way",
        ),
        (of(|worse| worse == Worse::Unjudged), "not judged"),
        (of(|worse| worse == Worse::Gone), "gone"),
        (gated.passed as usize, "passed"),
        (known, "known"),
        (stale, "stale in the baseline"),
    ];
    let counts: Vec<String> = (counts.into_iter())
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| match what {
            "new failure" => count(number as u64, what),
            _ => format!("{number} {what}"),
        })
        .collect();
    let cases = count(gated.cases, "case");
    let text = match counts.is_empty() {
        true => cases,
        false => format!("{cases}: {}", counts.join(", ")),
    };
    let green = gated.is_green() && !(strict && stale > 0);
    match (green, gated.judged) {
        (true, _) => lines::labelled("green", Style::new().green().bold(), &text),
        (false, 0) => {
            let text = format!("the kernel was not judged in any of {text}");
            lines::labelled("red", Style::new().red().bold(), &text)
        }
        (false, _) => lines::labelled("red", Style::new().red().bold(), &text),
    }
}
