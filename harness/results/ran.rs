//! What a run came to: the last verdict of each case, as reports and comparisons need it.

use super::manifest::Manifest;
use super::shape::Shape;
use super::{Record, RecordError, Summary, Tally};
use crate::runner::Event;
use crate::runner::event::Stamped;
use halfway_case::verdict::Difference;
use halfway_case::{Outcome, Signature};
use std::collections::HashMap;
use std::hash::Hash;

/// A case with the verdict that counts.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The case's id.
    pub id: String,
    /// Its scenario.
    pub scenario: String,
    /// The kind of its verdict.
    pub outcome: Outcome,
    /// Why, in one line.
    pub reason: String,
    /// What stays the same when the same failure comes again. `None` for a pass and for
    /// a case that was not run.
    pub signature: Option<Signature>,
    /// All differences; empty for a pass.
    pub differences: Vec<Difference>,
    /// What its I/O looked like.
    pub shape: Shape,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// The attempt that counts, from 1.
    pub attempt: u32,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What was run, and on what.
    pub manifest: Manifest,
    /// Its record, as it is shown and as commands name it.
    pub path: String,
    /// The cases, in the order in which they first ended.
    pub cases: Vec<Ended>,
    /// What the run said besides its cases, such as a complaint of a booting kernel.
    pub notes: Vec<String>,
    /// The releases that its machines reported, each once. More than one is no good sign.
    pub releases: Vec<String>,
    summary: Summary,
    place: HashMap<Box<str>, usize>,
}

impl Ran {
    /// A run of which nothing is known yet.
    pub fn new(manifest: Manifest, path: impl Into<String>) -> Self {
        Ran {
            manifest,
            path: path.into(),
            cases: Vec::new(),
            notes: Vec::new(),
            releases: Vec::new(),
            summary: Summary::default(),
            place: HashMap::new(),
        }
    }

    /// Reads a record. Lines that cannot be read are counted, and make the run
    /// [incomplete](Ran::incomplete).
    ///
    /// # Errors
    /// The event stream cannot be read at all.
    pub fn read(record: &Record) -> Result<Self, RecordError> {
        let path = record.path().to_string_lossy();
        let mut ran = Ran::new(record.manifest().clone(), path);
        let unreadable = record.each_event(|event| ran.add(event))?;
        ran.summary.add_unreadable(unreadable);
        Ok(ran)
    }

    /// Adds an event.
    pub fn add(&mut self, stamped: Stamped) {
        self.summary.add(&stamped);
        match stamped.event {
            Event::MachineReady { release, .. } if !self.releases.contains(&release) => {
                self.releases.push(release);
            }
            Event::Note { text } if !self.notes.contains(&text) => self.notes.push(text),
            Event::CaseFinished {
                id,
                scenario,
                verdict,
                millis,
                attempt,
                retried: false,
                ..
            } => {
                let signature = Signature::of(&verdict);
                let ended = Ended {
                    signature,
                    shape: Shape::of(&verdict.evidence),
                    scenario,
                    outcome: verdict.outcome,
                    reason: verdict.reason,
                    differences: verdict.differences,
                    millis,
                    attempt,
                    id: id.clone(),
                };
                match self.place.get(id.as_str()) {
                    Some(place) => self.cases[*place] = ended,
                    None => {
                        self.place.insert(id.into(), self.cases.len());
                        self.cases.push(ended);
                    }
                }
            }
            _ => {}
        }
    }

    /// The cases of each scenario together, in the order in which the scenarios began:
    /// machines side by side mix them.
    pub fn scenarios(&self) -> Vec<(&str, Vec<&Ended>)> {
        grouped(&self.cases, |case| case.scenario.as_str())
    }

    /// The number of cases by outcome.
    pub fn tally(&self) -> Tally {
        self.summary.tally()
    }

    /// The release of its kernel: what the guest said, or else what the manifest says.
    pub fn release(&self) -> &str {
        self.releases
            .first()
            .unwrap_or(&self.manifest.kernel.release)
    }

    /// Why the record does not tell the whole run, if it does not. Such a run has shown
    /// less than it says, so no report may look like a success.
    pub fn incomplete(&self) -> Option<String> {
        let planned = match self.summary.cases() {
            // A record that was cut off before its first event.
            0 => self.manifest.cases,
            cases => cases,
        };
        let left = planned.saturating_sub(self.summary.done());
        let mut why = Vec::new();
        if self.summary.interrupted() || left > 0 {
            why.push(format!(
                "the run was interrupted: {left} of {planned} cases did not run"
            ));
        }
        let unreadable = self.summary.unreadable();
        if unreadable > 0 {
            why.push(format!("{unreadable} lines of its record cannot be read"));
        }
        (!why.is_empty()).then(|| why.join("; "))
    }

    /// What was run on what, in some words.
    pub fn title(&self) -> String {
        let kernel = &self.manifest.kernel;
        match (kernel.release.as_str(), kernel.name.as_str()) {
            ("", "") => "halfway".to_owned(),
            ("", name) => format!("halfway on {name}"),
            (release, _) => format!("halfway on {release}"),
        }
    }

    /// The path of the files of a case that did not pass, without their ending.
    pub fn files(&self, case: &Ended) -> String {
        format!("{}/{}/{}", self.path, super::CASES, case.id)
    }
}

/// The items with one key together, in the order in which the keys first came.
pub(crate) fn grouped<'a, T, K: Clone + Eq + Hash>(
    items: impl IntoIterator<Item = &'a T>,
    key: impl Fn(&'a T) -> K,
) -> Vec<(K, Vec<&'a T>)> {
    let mut groups: Vec<(K, Vec<&T>)> = Vec::new();
    let mut places = HashMap::new();
    for item in items {
        let key = key(item);
        let place = *places.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.push(item),
            None => groups.push((key, vec![item])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::canned;
    use rstest::rstest;

    fn canned_run(events: impl IntoIterator<Item = Stamped>) -> Ran {
        let mut ran = Ran::new(canned::manifest(), "runs/one");
        events.into_iter().for_each(|event| ran.add(event));
        ran
    }

    #[test]
    fn it_agrees_with_the_summary() {
        let mut summary = crate::results::Summary::default();
        canned::run().iter().for_each(|event| summary.add(event));
        let ran = canned_run(canned::run());
        let of_cases: Tally = ran.cases.iter().map(|case| (case.outcome, 1)).collect();
        assert_eq!(of_cases, summary.tally());
        assert_eq!(ran.tally(), summary.tally());
        assert_eq!(ran.incomplete(), None);
        let mut cases = ran.cases.iter();
        let retried = cases.find(|case| case.id == "write@sector=2300");
        assert_eq!(retried.map(|case| case.attempt), Some(2));
    }

    #[test]
    fn scenarios_that_ran_side_by_side_are_not_cut_up() {
        let ids = ["a@1", "b@1", "a@2"];
        let passed = |id: &&str| canned::finished(id, 1, 1, canned::verdict(Outcome::Pass, "x"));
        let ran = canned_run(ids.iter().map(passed).map(|event| canned::at(0, event)));
        let sizes: Vec<_> = (ran.scenarios().into_iter())
            .map(|(name, cases)| (name, cases.len()))
            .collect();
        assert_eq!(sizes, [("a", 2), ("b", 1)]);
    }

    #[rstest]
    #[case::all_but_the_end(1)]
    #[case::half(14)]
    #[case::nothing(99)]
    fn a_run_that_was_cut_off_is_incomplete(#[case] missing: usize) {
        let mut events = canned::run();
        events.truncate(events.len().saturating_sub(missing));
        assert!(canned_run(events).incomplete().is_some());
    }

    #[test]
    fn a_line_that_cannot_be_read_makes_it_incomplete() {
        let mut ran = canned_run(canned::run());
        ran.summary.add_unreadable(1);
        assert!(ran.incomplete().is_some());
    }
}
