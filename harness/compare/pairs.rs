//! The cases of two runs, side by side.

use super::times::Times;
use crate::results::{Ended, Ran};
use halfway_case::Outcome;
use halfway_case::verdict::Evidence;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// In what two verdicts on one case differ: the first of these that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Differs {
    /// In the outcome.
    Verdict,
    /// In the signature: it failed in another way.
    Signature,
    /// In the reason only.
    Reason,
    /// Only in the I/O: the journal or the trace has another shape.
    Io,
}

/// A case that both runs have, and in which they differ.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// In what.
    pub differs: Differs,
    /// Whether the journal's shape differs.
    pub journal: bool,
    /// Whether the trace's shape differs.
    pub trace: bool,
    /// The case in the first run.
    pub a: &'a Ended,
    /// The case in the second run.
    pub b: &'a Ended,
}

/// What differs between two runs.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// The first run.
    pub a: &'a Ran,
    /// The second one.
    pub b: &'a Ran,
    /// The number of cases that both have.
    pub both: u64,
    /// Those of them that differ, what weighs most first.
    pub pairs: Vec<Pair<'a>>,
    /// The cases that only the first run has.
    pub only_a: Vec<&'a Ended>,
    /// The cases that only the second run has.
    pub only_b: Vec<&'a Ended>,
    /// The scenarios whose cases take longer or shorter, and all scenarios together under
    /// `all`.
    pub times: Vec<(&'a str, Times)>,
}

/// The evidence of some cases, by id.
pub type Evidences = HashMap<String, Evidence>;

/// How many cases of one kind are shown with their ids, or with their I/O.
pub const SHOWN: usize = 10;

/// Compares two runs.
pub fn compare<'a>(a: &'a Ran, b: &'a Ran) -> Comparison<'a> {
    let of_b: HashMap<&str, &Ended> = b.cases.iter().map(|case| (&*case.id, case)).collect();
    let mut both = 0;
    let mut pairs = Vec::new();
    let mut only_a = Vec::new();
    let mut times: Vec<(&str, Vec<(u64, u64)>)> = Vec::new();
    let mut place: HashMap<&str, usize> = HashMap::new();
    let mut all: Vec<(u64, u64)> = Vec::new();
    let mut matched: HashSet<&str> = HashSet::new();
    for one in &a.cases {
        let Some(other) = of_b.get(&*one.id) else {
            only_a.push(one);
            continue;
        };
        both += 1;
        matched.insert(&one.id);
        pairs.extend(pair(a, one, b, other));
        // The time of a case that failed is that of its failure.
        if one.outcome == Outcome::Pass && other.outcome == Outcome::Pass {
            let at = *place.entry(&one.scenario).or_insert(times.len());
            if at == times.len() {
                times.push((&one.scenario, Vec::new()));
            }
            times[at].1.push((one.millis, other.millis));
            all.push((one.millis, other.millis));
        }
    }
    pairs.sort_by_key(|pair| (pair.differs, rank(pair)));
    times.push(("all", all));
    let differing = times.into_iter().filter_map(|(scenario, pairs)| {
        let times = Times::of(&pairs)?;
        times.differ().then_some((scenario, times))
    });
    Comparison {
        a,
        b,
        both,
        pairs,
        only_a,
        only_b: (b.cases.iter())
            .filter(|case| !matched.contains(&*case.id))
            .collect(),
        times: differing.collect(),
    }
}

/// What got worse comes first.
fn rank(pair: &Pair<'_>) -> u8 {
    match (
        pair.a.outcome.blames_kernel(),
        pair.b.outcome.blames_kernel(),
    ) {
        (false, true) => 0,
        (true, false) => 1,
        _ => 2,
    }
}

fn pair<'a>(of_a: &Ran, a: &'a Ended, of_b: &Ran, b: &'a Ended) -> Option<Pair<'a>> {
    let journal = a.shape.journal != b.shape.journal;
    let trace = a.shape.trace != b.shape.trace;
    let differs = if a.outcome != b.outcome {
        Differs::Verdict
    } else if a.signature != b.signature {
        Differs::Signature
    } else if reason(of_a, a) != reason(of_b, b) {
        Differs::Reason
    } else if journal || trace {
        Differs::Io
    } else {
        return None;
    };
    Some(Pair {
        differs,
        journal,
        trace,
        a,
        b,
    })
}

/// A reason without the name of its kernel.
fn reason(run: &Ran, case: &Ended) -> String {
    let mut reason = case.reason.clone();
    for name in [run.release(), &run.manifest.kernel.name] {
        if !name.is_empty() {
            reason = reason.replace(name, "…");
        }
    }
    reason
}

impl Comparison<'_> {
    /// Whether the verdicts, the signatures and the cases are the same. Reasons, I/O and
    /// times differ between two runs of one kernel, too.
    pub fn is_same(&self) -> bool {
        let weighs = |pair: &Pair<'_>| pair.differs <= Differs::Signature;
        !self.pairs.iter().any(weighs) && self.only_a.is_empty() && self.only_b.is_empty()
    }

    /// The pairs that differ in this.
    pub fn of(&self, differs: Differs) -> impl Iterator<Item = &Pair<'_>> {
        self.pairs
            .iter()
            .filter(move |pair| pair.differs == differs)
    }

    /// The ids of the cases whose I/O is shown: those that differ in nothing else, as
    /// many as are shown.
    pub fn to_show(&self) -> Vec<&str> {
        let ids = self.of(Differs::Io).map(|pair| &*pair.a.id);
        ids.take(SHOWN).collect()
    }

    /// The result in one line.
    pub fn result(&self) -> String {
        let number = |differs| self.of(differs).count();
        let same = self.both - self.pairs.len() as u64;
        let counts = [
            (number(Differs::Verdict), "with another verdict"),
            (number(Differs::Signature), "with another signature"),
            (number(Differs::Reason), "with another reason"),
            (number(Differs::Io), "with other I/O"),
            (self.only_a.len(), "only in A"),
            (self.only_b.len(), "only in B"),
        ];
        let counts = counts.into_iter().filter(|(number, _)| *number > 0);
        let counts = counts.map(|(number, what)| format!(", {number} {what}"));
        format!("{same} the same{}", counts.collect::<String>())
    }
}
