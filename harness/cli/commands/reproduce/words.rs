//! What `halfway reproduce` says, in words: pure functions from data to text.

use super::Attempt;
use crate::report::lines::{count, duration};
use crate::reproduce::lead::Lead;
use crate::reproduce::{Ended, Trail};
use crate::results::text;
use halfway_reach::{Likeness, Ranked, Wanted};
use std::fmt::Write;

/// How many scenarios are named.
const SCENARIOS: usize = 8;

/// How many functions, messages or words are named of a scenario.
const NAMED: usize = 5;

/// The failure that is looked for.
pub fn wanted(lead: &Lead) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(match &lead.wanted {
        Wanted::Report(report) => format!("looked for: {}", text::line(&report.title)),
        Wanted::Complaints(complaints) => {
            let words: Vec<String> = complaints.iter().map(ToString::to_string).collect();
            format!("looked for: {}", words.join("; or "))
        }
        Wanted::Unsaid => "the text does not say what went wrong: any failure counts as another \
                           one"
        .to_owned(),
    });
    for message in &lead.asked.messages {
        lines.push(format!("the kernel said: {}", text::line(message)));
    }
    lines
}

/// The scenarios that may show it, and why.
pub fn scenarios(lead: &Lead) -> Vec<String> {
    let ranked = &lead.ranking.scenarios;
    let of = lead.asked.functions.len() - lead.ranking.unreached.len();
    let named = ranked.iter().take(SCENARIOS);
    let mut lines: Vec<String> = (1..)
        .zip(named)
        .map(|(place, one)| scenario(place, one, of))
        .collect();
    if ranked.len() > SCENARIOS {
        lines.push(format!("    and {} more", ranked.len() - SCENARIOS));
    }
    if !lead.ranking.unreached.is_empty() {
        lines.push(format!(
            "no scenario was seen to reach {}",
            some(&lead.ranking.unreached)
        ));
    }
    lines
}

fn scenario(place: usize, one: &Ranked, of: usize) -> String {
    let mut why = Vec::new();
    if !one.reaches.is_empty() {
        let (reached, names) = (one.reaches.len(), some(&one.reaches));
        why.push(format!("reaches {reached} of {of}: {names}"));
    }
    if !one.says.is_empty() {
        let quoted: Vec<String> = one.says.iter().map(|said| format!("\"{said}\"")).collect();
        why.push(format!("the kernel says {}", some(&quoted)));
    }
    if !one.words.is_empty() {
        why.push(format!("it is about {}", some(&one.words)));
    }
    format!("{place:>3} {}: {}", one.scenario, why.join("; "))
}

/// The first few, and how many more there are.
fn some(names: &[String]) -> String {
    let shown: Vec<_> = names
        .iter()
        .take(NAMED)
        .map(|name| text::line(name))
        .collect();
    let mut words = shown.join(", ");
    if names.len() > NAMED {
        let _ = write!(words, " and {} more", names.len() - NAMED);
    }
    words
}

/// The verdict of one kernel.
pub fn verdict(attempt: &Attempt, lead: &Lead, again: &[String]) -> Vec<String> {
    let (trail, on) = (&attempt.trail, &attempt.kernel);
    let cases = count(trail.cases(), "case");
    let took = duration(trail.took.as_millis() as u64);
    let mut lines = Vec::new();
    match &attempt.found {
        Some(found) => {
            let (case, signature) = (&found.case, &found.signature);
            lines.push(format!(
                "reproduced on {on} by {case}, after {cases} in {took}"
            ));
            lines.push(format!("  {}", text::line(signature)));
            lines.extend(likeness(found.likeness.as_ref()));
            let mut words = vec!["halfway", "run", "--filter"];
            // As an expression the id stands for itself, and a shell shows it readably.
            let exact = format!("^{case}$");
            words.push(&exact);
            words.extend(again.iter().map(String::as_str));
            lines.push(format!("  see it again: {}", text::shell(words)));
        }
        None => {
            let why = match &trail.ended {
                Ended::Exhausted => "no case is left".to_owned(),
                Ended::Budget => "the budget is used up".to_owned(),
                Ended::Stopped => "it was interrupted".to_owned(),
                Ended::Found => String::new(),
                Ended::NoMachine(error) => format!("no machine comes up: {error}"),
            };
            lines.push(format!(
                "not reproduced on {on} after {cases} in {took}: {why}"
            ));
        }
    }
    for (signature, first, number) in &attempt.others {
        lines.push(format!(
            "  another failure: {} ({}, first by {first})",
            text::line(signature),
            count(*number, "time")
        ));
    }
    if attempt.found.is_none() {
        lines.extend(covered(trail, lead));
    }
    for (why, number) in &trail.left_out {
        lines.push(format!(
            "  {} not run: {}",
            count(*number, "case"),
            text::line(why)
        ));
    }
    lines
}

/// How similar it is, frame by frame.
fn likeness(likeness: Option<&Likeness>) -> Vec<String> {
    let Some(likeness) = likeness else {
        return vec!["  there are no frames to compare".to_owned()];
    };
    if likeness.frames.is_empty() {
        return vec!["  the report has no frames to compare".to_owned()];
    }
    let mut lines = vec![format!(
        "  {} of {} of the report came again:",
        likeness.common(),
        count(likeness.frames.len() as u64, "frame")
    )];
    let frames = likeness.frames.iter().map(|(function, again)| {
        let mark = if *again { '=' } else { '-' };
        format!("    {mark} {}", text::line(function))
    });
    lines.extend(frames);
    lines
}

/// What the cases that were run cover of the report.
fn covered(trail: &Trail, lead: &Lead) -> Vec<String> {
    if trail.ran.is_empty() {
        return Vec::new();
    }
    let ran: Vec<String> = (trail.ran.iter())
        .map(|(scenario, cases)| format!("{scenario} ({cases})"))
        .collect();
    let mut lines = vec![format!("  covered: {}", some_of(&ran))];
    let ranked = lead.ranking.scenarios.iter();
    let ranked: Vec<&Ranked> = ranked
        .filter(|one| trail.ran.contains_key(&one.scenario))
        .collect();
    let functions = &lead.asked.functions;
    if !functions.is_empty() {
        let reached = |function: &&String| ranked.iter().any(|one| one.reaches.contains(function));
        let number = functions.iter().filter(reached).count();
        lines.push(format!(
            "  of the report's {}, these scenarios reach {number}",
            count(functions.len() as u64, "function"),
        ));
    }
    lines
}

/// All names as long as they are few.
fn some_of(names: &[String]) -> String {
    const MOST: usize = 16;
    match names.len() {
        0..=MOST => names.join(", "),
        more => format!(
            "{} and {} more scenarios",
            names[..MOST].join(", "),
            more - MOST
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Found;
    use super::*;
    use halfway_reach::{Table, likeness};
    use halfway_scenario::Scenario;
    use std::collections::BTreeMap;
    use std::time::Duration;

    const OOPS: &str = "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
                        RIP: 0010:bio_advance+0x10/0x40\nCall Trace:\n\
                        read_callback+0x1/0x2 [dm_mirror]\n \x1b[2Jodd+0x1/0x2\n";

    fn lead(text: &str) -> Lead {
        let mut table = Table::new("6.1");
        let functions = ["bio_advance", "read_callback"].map(str::to_owned);
        table.add("raid1/read", functions, ["a leg has failed".to_owned()]);
        let text_of = "question = \"Does a read of a mirror come back?\"\n";
        let scenario = Scenario::parse("raid1/read", text_of).unwrap();
        Lead::of(text, &table, &[scenario])
    }

    fn attempt(lead: &Lead, seen: Option<&str>) -> Attempt {
        let found = seen.map(|seen| {
            let Wanted::Report(wanted) = &lead.wanted else {
                panic!("{:?}", lead.wanted)
            };
            Found {
                case: "raid1.read@at=0".to_owned(),
                signature: "crash: kernel log: x".to_owned(),
                likeness: Some(likeness(wanted, &halfway_crash::decode(seen)[0])),
            }
        });
        Attempt {
            kernel: "6.1-cloud (6.1.0-56-cloud-amd64)".to_owned(),
            trail: Trail {
                ran: BTreeMap::from([("raid1/read".to_owned(), 7)]),
                left_out: BTreeMap::from([("no driver".to_owned(), 1)]),
                took: Duration::from_secs(12),
                ended: match found {
                    Some(_) => Ended::Found,
                    None => Ended::Budget,
                },
            },
            found,
            others: vec![(
                "fail: content: sector N is wrong".to_owned(),
                "raid1.read@at=7".to_owned(),
                2,
            )],
        }
    }

    fn all(text: &str, seen: Option<&str>) -> String {
        let lead = lead(text);
        let again = ["--kernel", "6.1-cloud", "--seed", "1"].map(str::to_owned);
        let mut lines = wanted(&lead);
        lines.extend(scenarios(&lead));
        lines.extend(verdict(&attempt(&lead, seen), &lead, &again));
        lines.join("\n")
    }

    #[test]
    fn a_crash_that_came_again() {
        let seen = OOPS.replace("odd", "other");
        insta::assert_snapshot!(all(OOPS, Some(&seen)));
    }

    #[test]
    fn words_that_nothing_met() {
        let text = "[    1.234567] a leg has failed\nThen my mirror hangs.\n";
        insta::assert_snapshot!(all(text, None));
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert!(!all(OOPS, None).contains('\x1b'));
    }
}
