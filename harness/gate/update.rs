//! Changes a baseline so that it fits what was seen: as little as possible, in the text
//! itself, so that comments and layout stay.
//!
//! * A failure that is new becomes an entry, or one more case of an entry that knows its
//!   signature.
//! * A way to fail that is new becomes one more signature of the entry, or its only one if
//!   no case fails in the known way any more.
//! * An entry whose cases all passed goes, with the comment above it; so does an id of a
//!   case that passed.
//!
//! What was not run, and what has expired, is for a person to decide.

use super::check::{Case, Gated, Stale, Worse};
use crate::known::kernels::series;
use crate::known::{Failure, Known};
use crate::report::lines::count;
use crate::results::ran::grouped;
use halfway_case::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A place in the text, and what is to stand there instead.
type Edit = (Range<usize>, String);

/// The changed text, and a line for each change.
pub fn update(text: &str, known: &[Known], gated: &Gated<'_>) -> (String, Vec<String>) {
    let mut edits: Vec<Edit> = Vec::new();
    let mut said = Vec::new();
    let met: BTreeSet<usize> = gated.known.iter().map(|(at, _)| *at).collect();
    let mut more: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let mut ways: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let mut new: Vec<(String, String)> = Vec::new();
    let adopted = gated.worse.iter().filter(|case| is_adopted(case));
    let groups = grouped(adopted, |case| (way(case), target(case, known)));
    for ((way, target), cases) in groups {
        let ids: BTreeSet<String> = cases.iter().map(|case| case.ended.id.clone()).collect();
        let number = count(ids.len() as u64, "case");
        match target {
            Target::Way(at) => {
                said.push(format!("now with {way}: {}", known[at].title));
                ways.entry(at).or_default().insert(way);
            }
            Target::Cases(at) => {
                said.push(format!("{number} more: {}", known[at].title));
                more.entry(at).or_default().extend(ids);
            }
            Target::Entry => {
                said.push(format!("new entry, {number}: {}", way.replace('\n', ", ")));
                let kernels: Option<BTreeSet<String>> =
                    cases.iter().map(|case| series(case.release)).collect();
                let title = title(&cases);
                let entry = entry_text(&title, &way, &ids, kernels.unwrap_or_default());
                new.push((title, entry));
            }
        }
    }
    new.sort();
    for (at, ways) in ways {
        let place = known[at].place.signature.clone().unwrap_or_default();
        let old = if met.contains(&at) {
            &text[place.clone()]
        } else {
            ""
        };
        let value = (ways.iter()).fold(old.to_owned(), |old, way| with_signature(&old, way));
        edits.push((place, value));
    }
    let mut less: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (at, stale) in &gated.stale {
        match stale {
            Stale::Passed(_) if !more.contains_key(at) => {
                edits.push((whole(text, known, *at), String::new()));
                said.push(format!(
                    "removed, since its cases passed: {}",
                    known[*at].title
                ));
            }
            Stale::SomePassed(ids) => {
                less.entry(*at).or_default().extend(ids.iter().cloned());
                said.push(format!("{} passed: {}", ids.join(", "), known[*at].title));
            }
            Stale::Passed(_) | Stale::NotRun | Stale::OtherWay | Stale::Expired(_) => {}
        }
    }
    let nobody = BTreeSet::new();
    for (at, entry) in known.iter().enumerate() {
        let (more, less) = (more.get(&at), less.get(&at));
        if more.is_some() || less.is_some() {
            let (more, less) = (more.unwrap_or(&nobody), less.unwrap_or(&nobody));
            edits.push(cases(text, entry, more, less));
        }
    }
    for (title, entry) in new {
        edits.push(added(text, known, &title, entry));
    }
    let changed = apply(text, edits);
    match said.is_empty() {
        true => (text.to_owned(), said),
        false => (format!("{}\n", changed.trim_matches('\n')), said),
    }
}

/// What `--update` takes for known: a failure of the kernel, a skip, a finding. What the
/// host failed, or only sometimes shows nothing, is not a state of a kernel.
fn is_adopted(case: &&Case<'_>) -> bool {
    let outcome = case.ended.outcome;
    let state = outcome.blames_kernel() || matches!(outcome, Outcome::Skipped | Outcome::Finding);
    state && case.worse != Worse::Gone
}

/// How a case fails, as lines of an entry.
fn way(case: &Case<'_>) -> String {
    match &case.ended.signature {
        Some(signature) => format!("signature = {}", quoted(&signature.to_string())),
        None => {
            // Behind the first colon are paths of this host.
            let reason = case.ended.reason.split(": ").next().unwrap_or_default();
            let says = regex::escape(reason).replace(&regex::escape(case.release), r"\S+");
            let outcome = case.ended.outcome.to_string();
            format!(
                "outcome = {}\nsays = {}",
                quoted(&outcome),
                quoted(&format!("^{says}"))
            )
        }
    }
}

/// What a case changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Target {
    /// The signatures of an entry.
    Way(usize),
    /// The cases of an entry that knows its signature.
    Cases(usize),
    /// There is no entry yet.
    Entry,
}

fn target(case: &Case<'_>, known: &[Known]) -> Target {
    if let Worse::OtherWay(at) = case.worse
        && known[at].place.signature.is_some()
    {
        return Target::Way(at);
    }
    let signature = case.ended.signature.as_ref().map(ToString::to_string);
    let same = known.iter().position(|entry| {
        let same = entry.failures.iter().any(|failure| match failure {
            Failure::Signature(text) => signature.as_ref() == Some(text),
            Failure::Says(..) => false,
        });
        let here = entry.is_about_kernel(case.release);
        same && here && entry.lines.is_empty() && entry.place.cases.is_some()
    });
    same.map_or(Target::Entry, Target::Cases)
}

/// What a new entry is called until a person knows better.
fn title(cases: &[&Case<'_>]) -> String {
    let first = cases[0].ended;
    match first.outcome {
        Outcome::Skipped => "The kernel lacks what the cases need".to_owned(),
        _ => {
            let reason = first.reason.lines().next().unwrap_or_default();
            format!("TO DO: say why: {reason}")
        }
    }
}

fn entry_text(title: &str, way: &str, ids: &BTreeSet<String>, kernels: BTreeSet<String>) -> String {
    let mut entry = format!("[[known]]\ntitle = {}\n", quoted(title));
    entry += &match ids.iter().collect::<Vec<_>>()[..] {
        [id] => format!("cases = {}\n", quoted(id)),
        _ => {
            let ids: String = ids.iter().map(|id| element(id)).collect();
            format!("cases = [\n{ids}]\n")
        }
    };
    entry += &format!("{way}\n");
    let kernels: Vec<String> = kernels.iter().map(|kernel| quoted(kernel)).collect();
    match &kernels[..] {
        [] => {}
        [kernel] => entry += &format!("kernels = {kernel}\n"),
        kernels => entry += &format!("kernels = [{}]\n", kernels.join(", ")),
    }
    entry
}

/// A new entry in its place: by title if those that are there are in that order, and else
/// at the end.
fn added(text: &str, known: &[Known], title: &str, entry: String) -> Edit {
    let sorted = known.is_sorted_by(|a, b| a.title <= b.title);
    let next = known.iter().find(|known| sorted && *known.title > *title);
    if let Some(next) = next {
        let at = above(text, next.place.header.start);
        return (at..at, format!("{entry}\n"));
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    (text.len()..text.len(), format!("{end}\n{entry}"))
}

fn element(id: &str) -> String {
    format!("    {},\n", quoted(id))
}

/// A TOML string: literal if it can be one, since patterns are full of backslashes.
fn quoted(text: &str) -> String {
    if (text.chars()).all(|c| !c.is_control() && c != '\'') && text.contains(['\\', '"']) {
        return format!("'{text}'");
    }
    toml::Value::from(text).to_string()
}

/// One more signature behind those that stand in `old`; only that one if it is empty.
fn with_signature(old: &str, way: &str) -> String {
    let new = way.strip_prefix("signature = ").unwrap_or(way);
    match (old.trim_end_matches(']').trim_end(), old.ends_with(']')) {
        ("", _) => new.to_owned(),
        (old, true) => format!("{}, {new}]", old.trim_end_matches(',')),
        (old, false) => format!("[{old}, {new}]"),
    }
}

/// The value of `cases` with more ids, in their order, and without others.
fn cases(text: &str, entry: &Known, more: &BTreeSet<String>, less: &BTreeSet<String>) -> Edit {
    let place = entry.place.cases.clone().unwrap_or_default();
    let mut ids: Vec<&str> = Vec::new();
    for (pattern, span) in entry.cases.iter().zip(&entry.place.elements) {
        if !pattern.exact().is_some_and(|id| less.contains(id)) {
            ids.push(&text[span.clone()]);
        }
    }
    let new: Vec<String> = more.iter().map(|id| quoted(id)).collect();
    ids.extend(new.iter().map(String::as_str));
    ids.sort_unstable();
    let lines = text[place.clone()].contains('\n') || ids.join(", ").len() > 80;
    let value = match (&ids[..], lines) {
        ([id], _) => (*id).to_owned(),
        (ids, false) => format!("[{}]", ids.join(", ")),
        (ids, true) => {
            let lines: String = ids.iter().map(|id| format!("    {id},\n")).collect();
            format!("[\n{lines}]")
        }
    };
    (place, value)
}

/// All of an entry: the comment directly above it, and the empty lines below.
fn whole(text: &str, known: &[Known], at: usize) -> Range<usize> {
    let start = |at: usize| above(text, known[at].place.header.start);
    let last = at + 1 == known.len();
    let end = if last { text.len() } else { start(at + 1) };
    start(at)..end
}

/// Where the comment begins that stands directly above a place.
fn above(text: &str, place: usize) -> usize {
    let mut start = text[..place].rfind('\n').map_or(0, |at| at + 1);
    while start > 0 {
        let line = text[..start - 1].rfind('\n').map_or(0, |at| at + 1);
        if !text[line..start].starts_with('#') {
            break;
        }
        start = line;
    }
    start
}

fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(place, _)| (place.start, place.end));
    let mut changed = String::new();
    let mut done = 0;
    for (place, new) in edits {
        // What lies in an entry that was removed is gone with it.
        if place.start >= done {
            changed += &text[done..place.start];
            changed += &new;
            done = place.end;
        }
    }
    changed + &text[done..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_survives_the_file(text in any::<String>()) {
            let file = format!("key = {}\n", quoted(&text));
            let table: toml::Table = toml::from_str(&file).unwrap();
            prop_assert_eq!(table["key"].as_str(), Some(&*text));
        }
    }
}
