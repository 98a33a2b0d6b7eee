//! The simpler cases that are worth a try.
//!
//! | module | what gets simpler |
//! |---|---|
//! | `soak` | the length of a soak |
//! | `things` | the faults and the holds |
//! | `disks` | the legs, and what they are attached to |
//! | `io` | the requests, their length and their memory |
//! | `stack` | the parameters of the stack |
//! | `place` | where everything is |

mod disks;
mod io;
mod place;
mod soak;
mod stack;
mod things;

use crate::measure::Measure;
use halfway_case::Case;
use halfway_scenario::Scenario;

/// A simpler case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What makes it simpler, in words.
    pub what: String,
    /// The case.
    pub case: Case,
}

/// How many kinds of candidates there are.
pub(crate) const KINDS: usize = 10;

/// The cases that are simpler than `case` in one respect, the boldest first.
///
/// Each is strictly simpler by its [`Measure`], is a case that a scenario file can ask
/// for, and is one of which the model knows what a correct kernel does.
pub fn candidates(case: &Case) -> Vec<Candidate> {
    (0..KINDS).flat_map(|kind| of_kind(case, kind)).collect()
}

/// Those of one kind, which is a number below [`KINDS`].
pub(crate) fn of_kind(case: &Case, kind: usize) -> Vec<Candidate> {
    let mut list = List {
        case,
        found: Vec::new(),
    };
    match kind {
        0 => list.soak(),
        1 => list.things(),
        2 => list.legs(),
        3 => list.requests(),
        4 => list.disks(),
        5 => list.length(),
        6 => list.io(),
        7 => list.stack(),
        8 => list.each_thing(),
        _ => list.place(),
    }
    list.found
}

struct List<'a> {
    case: &'a Case,
    found: Vec<Candidate>,
}

impl List<'_> {
    /// Adds a case if it is simpler, valid, known and new.
    fn add(&mut self, what: impl Into<String>, case: Case) {
        if Measure::of(&case) >= Measure::of(self.case) {
            return;
        }
        let Some(case) = valid(&case) else {
            return;
        };
        let simpler = Measure::of(&case) < Measure::of(self.case);
        if simpler && !self.found.iter().any(|other| other.case == case) {
            let what = what.into();
            self.found.push(Candidate { what, case });
        }
    }

    /// Adds the case after a change.
    fn with(&mut self, what: impl Into<String>, change: impl FnOnce(&mut Case)) {
        let mut case = self.case.clone();
        change(&mut case);
        self.add(what, case);
    }
}

/// Lengths below `length` to try: the powers of two, the smallest first, since a small
/// case is quick; then ever closer to it, so that a limit in between is found soon.
fn lengths(length: u64) -> Vec<u64> {
    let powers = (0..64).map(|power| 1 << power);
    let mut lengths: Vec<u64> = powers.take_while(|one| *one < length).collect();
    let mut less = length / 4;
    while less > 0 {
        lengths.push(length - less);
        less /= 2;
    }
    lengths.push(length.saturating_sub(1));
    lengths.retain(|one| (1..length).contains(one));
    let mut seen = Vec::new();
    lengths.retain(|one| {
        let new = !seen.contains(one);
        seen.push(*one);
        new
    });
    lengths
}

/// The case as its scenario file would give it, if the file is valid, gives one case, and
/// the model knows that case.
fn valid(case: &Case) -> Option<Case> {
    let text = halfway_scenario::case_file(case);
    let scenario = Scenario::parse(&case.scenario, &text).ok()?;
    let mut cases = scenario.expand();
    let (only, more) = (cases.next()?, cases.next());
    (more.is_none() && halfway_oracle::fit(&only).is_ok()).then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Case {
        let scenario = Scenario::parse("big", text).unwrap();
        scenario.expand().next().unwrap()
    }

    const BIG: &str = r#"
        question = "?"
        [legs]
        count = 3
        max_sectors_kb = 64
        [io]
        op = "write"
        vector = "odd"
        requests = 2
        submitters = 2
        [[fault]]
        leg = 1
        at = 511
        times = "once"
        [[fault]]
        leg = 0
        at = 7
    "#;

    #[test]
    fn the_candidates_of_a_big_case() {
        let words: Vec<String> = candidates(&of(BIG))
            .into_iter()
            .map(|one| one.what)
            .collect();
        for wanted in [
            "without 2 of the faults and holds",
            "without 1 of the faults and holds",
            "without leg 1",
            "one request",
            "the first 8 sectors",
            "the last 256 sectors",
            "one contiguous buffer",
            "read instead",
            "no max_sectors_kb",
            "split at 4 KiB, and shorter",
            "a fault that stays",
            "a fault on leg 0",
            "a fault at 504",
            "at sector 0",
        ] {
            let there = words.iter().any(|what| what == wanted);
            // The I/O starts at the simplest sector already.
            assert_eq!(there, wanted != "at sector 0", "{wanted}: {words:?}");
        }
    }

    #[test]
    fn the_smallest_case_has_none() {
        let case = of("question = \"?\"\n[io]\nsectors = 1\n[[fault]]\nat = 0\n");
        let rest = candidates(&case);
        // Without its fault it is a contrast, which is a case too.
        let words: Vec<&str> = rest.iter().map(|one| &*one.what).collect();
        assert_eq!(words, ["without 1 of the faults and holds"]);
    }

    #[test]
    fn a_soak_loses_steps() {
        let case = of("question = \"?\"\n[legs]\nsize = 8192\n[soak]\ncount = 100\n");
        let found = candidates(&case);
        assert!(found.iter().any(|one| one.what == "16 steps"), "{found:?}");
        assert!(found.iter().all(|one| one.case.soak.is_some()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(120))]

        /// Of any case of the format: each candidate is strictly simpler, is what its own
        /// file says, and is known to the model.
        #[test]
        fn candidates_are_simpler_valid_and_known(seed: u64, number in 0u64..1000) {
            let case = halfway_scenario::draw(seed, number).expand().next().unwrap();
            for Candidate { what, case: simpler } in candidates(&case) {
                prop_assert!(Measure::of(&simpler) < Measure::of(&case), "{}", what);
                prop_assert!(valid(&simpler).is_some_and(|again| again == simpler), "{}", what);
                prop_assert_eq!(&simpler.id, &case.id);
            }
        }

        #[test]
        fn lengths_are_shorter(length in 0u64..1_000_000) {
            for one in lengths(length) {
                prop_assert!((1..length).contains(&one));
            }
        }
    }
}
