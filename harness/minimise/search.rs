//! Which candidates are run, and how often.

use crate::candidates::{self, KINDS};
use crate::rate::Rate;
use halfway_case::{Case, Signature, Verdict};
use std::collections::HashSet;

/// What happens in a search, as it happens.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// The given case was run so often.
    Measured(Rate, &'a Signature),
    /// A simpler case fails in the same way and takes the place of the one before.
    Simpler(&'a str, &'a Case),
    /// A simpler case does not fail in the same way. It was seen to do this instead; its
    /// last verdict is given.
    Other(&'a str, Option<&'a Verdict>),
}

/// The result of a search.
#[derive(Clone, Debug)]
pub struct Found {
    /// The simplest case that was found. It is the given one if no simpler one fails.
    pub case: Case,
    /// What it shows, as the given case did.
    pub signature: Signature,
    /// A verdict on it that shows the signature.
    pub verdict: Verdict,
    /// How often the given case failed.
    pub rate: Rate,
    /// How many simpler cases were tried.
    pub tried: u32,
    /// How many of them took the place of the one before.
    pub taken: u32,
    /// How often a case was run in all.
    pub runs: u32,
    /// Whether no candidate is left: removing any one thing makes the failure go away.
    /// `false` if the search was stopped before.
    pub whole: bool,
}

/// Searches for the simplest case that fails as `case` does.
///
/// `play` runs a case once: its verdict, `Ok(None)` if it cannot be run here, or an error
/// that ends the search. `case` is first run `repeat` times. If the kernel never fails it,
/// that is `Ok(None)`. An error after that leaves the best case that was found so far.
///
/// A failure that always came must come twice in a row from a simpler case too, so that
/// the search does not drift towards a rare failure. One that came now and then is waited
/// for as long as its [`Rate`] asks.
///
/// # Errors
/// `play` gave an error before the given case was measured.
pub fn search<E>(
    case: &Case,
    repeat: u32,
    mut play: impl FnMut(&Case) -> Result<Option<Verdict>, E>,
    mut hear: impl FnMut(Step<'_>),
) -> Result<Option<Found>, E> {
    let mut seen = Vec::new();
    for _ in 0..repeat.max(1) {
        seen.push(play(case)?);
    }
    let seen_as = |signature: &Signature| {
        let shows = |one: &&Verdict| signature.is_shown_by(one);
        seen.iter().flatten().filter(shows).count() as u32
    };
    // A broken kernel may fail in several ways: the one that comes most often, and the
    // first of such.
    let failures = seen.iter().flatten().cloned().filter_map(failure).rev();
    let Some((signature, verdict)) = failures.max_by_key(|(signature, _)| seen_as(signature))
    else {
        return Ok(None);
    };
    let rate = Rate {
        shown: seen_as(&signature),
        runs: seen.len() as u32,
    };
    hear(Step::Measured(rate, &signature));
    let mut found = Found {
        case: case.clone(),
        verdict,
        rate,
        tried: 0,
        taken: 0,
        runs: rate.runs,
        whole: false,
        signature,
    };
    // An error says that somebody wants no more of it; what was found until then stands.
    found.whole = simplify(&mut found, &mut play, &mut hear).is_ok();
    Ok(Some(found))
}

/// What a verdict that blames the kernel shows.
fn failure(verdict: Verdict) -> Option<(Signature, Verdict)> {
    let signature = Signature::of(&verdict)?;
    verdict
        .outcome
        .blames_kernel()
        .then_some((signature, verdict))
}

/// Tries simpler cases, kind by kind and round and round, until none of any kind is left.
fn simplify<E>(
    found: &mut Found,
    play: &mut impl FnMut(&Case) -> Result<Option<Verdict>, E>,
    hear: &mut impl FnMut(Step<'_>),
) -> Result<(), E> {
    let mut known: HashSet<String> = HashSet::new();
    let (mut kind, mut in_vain) = (0, 0);
    while in_vain < KINDS {
        let simpler = candidates::of_kind(&found.case, kind);
        let mut taken = false;
        for candidate in simpler {
            // A case has no order and no hash of its own.
            if !known.insert(format!("{:?}", candidate.case)) {
                continue;
            }
            found.tried += 1;
            match attempt(&candidate.case, found, play)? {
                Attempt::Shown(verdict) => {
                    hear(Step::Simpler(&candidate.what, &candidate.case));
                    (found.case, found.verdict) = (candidate.case, verdict);
                    found.taken += 1;
                    taken = true;
                    break;
                }
                Attempt::Not(verdict) => hear(Step::Other(&candidate.what, verdict.as_ref())),
            }
        }
        // What made it simpler once may do so again.
        if taken {
            in_vain = 0;
        } else {
            in_vain += 1;
            kind = (kind + 1) % KINDS;
        }
    }
    Ok(())
}

/// Whether a candidate fails in the same way.
enum Attempt {
    Shown(Verdict),
    Not(Option<Verdict>),
}

fn attempt<E>(
    case: &Case,
    found: &mut Found,
    play: &mut impl FnMut(&Case) -> Result<Option<Verdict>, E>,
) -> Result<Attempt, E> {
    let mut again = found.rate.is_certain();
    let mut last = None;
    let mut left = found.rate.patience();
    while left > 0 {
        left -= 1;
        let seen = play(case)?;
        found.runs += 1;
        let Some(seen) = seen else {
            return Ok(Attempt::Not(None));
        };
        if found.signature.is_shown_by(&seen) {
            if !again {
                return Ok(Attempt::Shown(seen));
            }
            (again, left) = (false, 1);
        }
        last = Some(seen);
    }
    Ok(Attempt::Not(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::{Outcome, Vector};
    use halfway_protocol::io::Op;
    use halfway_scenario::Scenario;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn big() -> Case {
        let text = r#"
            question = "?"
            [legs]
            count = 4
            max_sectors_kb = 64
            [io]
            op = "write"
            vector = "odd"
            requests = 2
            submitters = 2
            [[fault]]
            leg = 0
            at = 511
            [[fault]]
            leg = 2
            at = 7
            times = "once"
        "#;
        Scenario::parse("big", text)
            .unwrap()
            .expand()
            .next()
            .unwrap()
    }

    fn crash_if(bad: bool) -> Result<Option<Verdict>, Infallible> {
        let outcome = if bad { Outcome::Crash } else { Outcome::Pass };
        Ok(Some(Verdict::bare(outcome, "BUG at block/bio.c:104!")))
    }

    fn found(case: &Case, bad: impl Fn(&Case) -> bool) -> Found {
        search(case, 2, |case| crash_if(bad(case)), |_| {})
            .unwrap()
            .unwrap()
    }

    #[test]
    fn only_what_the_failure_needs_is_left() {
        let found = found(&big(), |case| {
            case.io.op == Op::Write && case.io.vector == Vector::Odd && !case.faults.is_empty()
        });
        assert!(found.whole);
        let case = &found.case;
        assert_eq!(
            (case.io.sectors, case.io.requests, case.io.submitters),
            (1, 1, 1)
        );
        assert_eq!((case.io.op, case.io.vector), (Op::Write, Vector::Odd));
        assert_eq!((case.faults.len(), case.legs.count), (1, 2));
        assert_eq!(
            (case.faults[0].leg, case.faults[0].sector),
            (0, case.io.sector)
        );
        assert_eq!(case.legs.max_sectors_kb, None);
        assert_eq!(found.rate, Rate { shown: 2, runs: 2 });
    }

    #[test]
    fn a_boundary_is_found_exactly() {
        let found = found(&big(), |case| case.io.sectors >= 37);
        assert_eq!(found.case.io.sectors, 37);
    }

    #[test]
    fn another_failure_is_not_followed() {
        let other = Verdict::bare(Outcome::Crash, "another BUG");
        let play = |case: &Case| match case.faults.len() {
            2 => crash_if(true),
            _ => Ok(Some(other.clone())),
        };
        let found = search(&big(), 1, play, |_| {}).unwrap().unwrap();
        assert_eq!(found.case.faults.len(), 2);
        let idle = |_: &Case| {
            Ok::<_, Infallible>(Some(Verdict::bare(Outcome::Inconclusive, "nothing fired")))
        };
        assert!(search(&big(), 1, idle, |_| {}).unwrap().is_none());
    }

    #[test]
    fn of_several_failures_the_most_frequent_one_is_followed() {
        let mut runs = 0;
        let play = |_: &Case| {
            runs += 1;
            let title = if runs == 1 {
                "rare"
            } else {
                "BUG at block/bio.c:104!"
            };
            Ok::<_, ()>(Some(Verdict::bare(Outcome::Crash, title)))
        };
        let found = search(&big(), 3, play, |_| {}).unwrap().unwrap();
        assert_eq!(found.signature.kind, "BUG at block/bio.c:104!");
        assert_eq!(found.rate, Rate { shown: 2, runs: 3 });
    }

    #[test]
    fn what_never_fails_is_not_minimised() {
        assert!(
            search(&big(), 3, |_| crash_if(false), |_| {})
                .unwrap()
                .is_none()
        );
        assert!(
            search(&big(), 3, |_| Ok::<_, Infallible>(None), |_| {})
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn the_best_so_far_is_left_when_it_is_stopped() {
        let mut runs = 0;
        let play = |_: &Case| {
            runs += 1;
            if runs > 6 {
                Err(())
            } else {
                Ok(crash_if(true).unwrap())
            }
        };
        let found = search(&big(), 2, play, |_| {}).unwrap().unwrap();
        assert!(!found.whole && found.taken > 0);
        assert!(search(&big(), 2, |_| Err::<Option<Verdict>, _>(()), |_| {}).is_err());
    }

    #[test]
    fn a_failure_that_comes_now_and_then_is_waited_for() {
        let mut runs = 0u32;
        let play = |case: &Case| {
            runs += 1;
            crash_if(runs.is_multiple_of(3) && !case.faults.is_empty())
        };
        let found = search(&big(), 12, play, |_| {}).unwrap().unwrap();
        assert_eq!(found.rate, Rate { shown: 4, runs: 12 });
        assert_eq!((found.case.io.sectors, found.case.faults.len()), (1, 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        /// Whatever a failure needs, the search ends, and what it finds still fails.
        #[test]
        fn it_ends_with_a_failing_case(seed: u64, sectors in 1u64..64, writes: bool) {
            let case = halfway_scenario::draw(seed, 0).expand().next().unwrap();
            let bad = |case: &Case| {
                case.io.sectors >= sectors && (!writes || case.io.op == Op::Write)
            };
            if bad(&case) {
                prop_assert!(bad(&found(&case, bad).case));
            }
        }
    }
}
