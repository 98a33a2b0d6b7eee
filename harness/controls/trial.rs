//! Runs one control against the catalogue: turns a run's events into its fate.

use super::symptom::symptoms;
use crate::runner::Event;
use crate::runner::event::Stamped;
use halfway_builder::controls::{Control, Symptom};
use halfway_case::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A case that noticed the broken kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// The id of the case.
    pub case: String,
    /// The symptoms that its verdict shows.
    pub symptoms: BTreeSet<Symptom>,
    /// How long the case took, in milliseconds.
    pub millis: u64,
    /// The time from the start of the run to the verdict, in milliseconds.
    pub at_ms: u64,
}

/// What became of a control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Caught by a symptom that the control file names.
    Killed {
        /// The case that took the shortest time.
        by: Kill,
        /// How many cases caught it.
        kills: u64,
    },
    /// Caught, but only by symptoms that the control file does not name.
    KilledOtherwise(Kill),
    /// No case caught it.
    Survived,
    /// The control file says that the change is equivalent, and no case caught it.
    Equivalent,
    /// The control file says that the change is equivalent, and yet a case caught it.
    NotEquivalent(Kill),
    /// A rebuilt stock module that passed all cases.
    Sound,
    /// A rebuilt stock module that failed a case. So no kill of the module's mutants
    /// counts.
    Unsound(Kill),
    /// No case that was run can show the change.
    NotReached(String),
    /// The control could not be tried, so it is neither killed nor survived.
    Failed(String),
}

/// Follows the run of one control, event by event.
#[derive(Debug)]
pub struct Trial {
    control: Control,
    kills: u64,
    best: Option<Kill>,
    otherwise: Option<Kill>,
    passed: u64,
    doubt: Option<String>,
    doubts: u64,
}

impl Trial {
    /// Starts before the run.
    pub fn new(control: &Control) -> Self {
        Trial {
            control: control.clone(),
            kills: 0,
            best: None,
            otherwise: None,
            passed: 0,
            doubt: None,
            doubts: 0,
        }
    }

    /// Takes an event. Returns true once the fate is settled, whatever the other cases
    /// will show.
    pub fn hear(&mut self, stamped: &Stamped) -> bool {
        if let Event::CaseFinished {
            id,
            verdict,
            millis,
            retried: false,
            ..
        } = &stamped.event
        {
            match verdict.outcome {
                Outcome::Pass => self.passed += 1,
                // A finding concerns a device model, not the kernel.
                Outcome::Skipped | Outcome::Finding => {}
                Outcome::Inconclusive | Outcome::Infrastructure => {
                    self.doubts += 1;
                    self.doubt
                        .get_or_insert_with(|| format!("{id}: {}", verdict.reason));
                }
                Outcome::Fail | Outcome::Crash | Outcome::Hang => self.blame(Kill {
                    case: id.clone(),
                    symptoms: symptoms(verdict),
                    millis: *millis,
                    at_ms: stamped.at_ms,
                }),
            }
        }
        self.best.is_some()
    }

    fn blame(&mut self, kill: Kill) {
        // These modules should behave correctly, so any symptom counts against them.
        let anything = self.control.is_unmutated() || self.control.equivalent.is_some();
        if !anything && kill.symptoms.is_disjoint(&self.control.kills) {
            self.otherwise.get_or_insert(kill);
            return;
        }
        self.kills += 1;
        if self
            .best
            .as_ref()
            .is_none_or(|best| kill.millis < best.millis)
        {
            self.best = Some(kill);
        }
    }

    /// How many cases were judged so far.
    pub fn judged(&self) -> u64 {
        let otherwise = u64::from(self.otherwise.is_some());
        self.passed + self.kills + self.doubts + otherwise
    }

    /// The fate after the run. `trouble` is why the run did not finish, if so.
    pub fn fate(self, trouble: Option<String>) -> Fate {
        let harmless = self.control.is_unmutated() || self.control.equivalent.is_some();
        if let Some(by) = self.best {
            return match (self.control.is_unmutated(), harmless) {
                (true, _) => Fate::Unsound(by),
                (false, true) => Fate::NotEquivalent(by),
                (false, false) => Fate::Killed {
                    by,
                    kills: self.kills,
                },
            };
        }
        if let Some(trouble) = trouble {
            return Fate::Failed(trouble);
        }
        if let Some(kill) = self.otherwise {
            return Fate::KilledOtherwise(kill);
        }
        if let Some(doubt) = self.doubt {
            let more = match self.doubts {
                1 => String::new(),
                more => format!(" (and {} more)", more - 1),
            };
            return Fate::Failed(format!("not judged: {doubt}{more}"));
        }
        match (self.passed, self.control.is_unmutated(), harmless) {
            (0, _, _) => Fate::Failed("no case was judged".to_owned()),
            (_, true, _) => Fate::Sound,
            (_, false, true) => Fate::Equivalent,
            (_, false, false) => Fate::Survived,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::verdict::{Difference, Verdict, Witness};
    use rstest::rstest;

    fn mutant() -> Control {
        Control {
            name: "m".to_owned(),
            class: "c".to_owned(),
            module: "dm-mirror".to_owned(),
            replaces: None,
            file: Some("drivers/md/dm-raid1.c".to_owned()),
            scenarios: vec!["raid1".to_owned()],
            kills: [Symptom::WrongData].into(),
            inspired_by: None,
            equivalent: None,
            patch: Some(String::new()),
            parameters: Vec::new(),
        }
    }

    fn equivalent() -> Control {
        Control {
            equivalent: Some("nobody reads it".to_owned()),
            ..mutant()
        }
    }

    fn unmutated() -> Control {
        Control {
            patch: None,
            ..mutant()
        }
    }

    fn case(id: &str, outcome: Outcome, witness: Option<Witness>, millis: u64) -> Stamped {
        let mut verdict = Verdict::bare(outcome, "why");
        verdict.differences = witness
            .map(|witness| Difference {
                witness,
                text: String::new(),
            })
            .into_iter()
            .collect();
        Stamped {
            at_ms: 1000 + millis,
            event: Event::CaseFinished {
                id: id.to_owned(),
                scenario: "raid1/x".to_owned(),
                machine: 1,
                attempt: 1,
                retried: false,
                verdict,
                millis,
                details: None,
            },
        }
    }

    fn pass() -> Stamped {
        case("p", Outcome::Pass, None, 5)
    }
    fn right(millis: u64) -> Stamped {
        case("right", Outcome::Fail, Some(Witness::Content), millis)
    }
    fn other() -> Stamped {
        case("other", Outcome::Hang, None, 7)
    }
    fn doubt() -> Stamped {
        case("doubt", Outcome::Inconclusive, None, 5)
    }

    fn word(fate: &Fate) -> &'static str {
        match fate {
            Fate::Killed { .. } => "killed",
            Fate::KilledOtherwise(_) => "otherwise",
            Fate::Survived => "survived",
            Fate::Equivalent => "equivalent",
            Fate::NotEquivalent(_) => "not equivalent",
            Fate::Sound => "sound",
            Fate::Unsound(_) => "unsound",
            Fate::NotReached(_) => "not reached",
            Fate::Failed(_) => "failed",
        }
    }

    #[rstest]
    #[case::right(mutant(), vec![pass(), right(9)], None, "killed")]
    #[case::a_doubt_before(mutant(), vec![doubt(), right(9)], None, "killed")]
    #[case::wrong_symptom(mutant(), vec![pass(), other()], None, "otherwise")]
    #[case::wrong_symptom_first(mutant(), vec![other(), right(9)], None, "killed")]
    #[case::all_pass(mutant(), vec![pass(), pass()], None, "survived")]
    #[case::doubt_is_no_kill(mutant(), vec![pass(), doubt()], None, "failed")]
    #[case::nothing_was_run(mutant(), vec![], None, "failed")]
    #[case::broken_off(mutant(), vec![pass()], Some("no boot".to_owned()), "failed")]
    #[case::nothing_seen(equivalent(), vec![pass()], None, "equivalent")]
    #[case::told_apart(equivalent(), vec![pass(), other()], None, "not equivalent")]
    #[case::equivalent_in_doubt(equivalent(), vec![pass(), doubt()], None, "failed")]
    #[case::stock(unmutated(), vec![pass()], None, "sound")]
    #[case::stock_blamed(unmutated(), vec![pass(), other()], None, "unsound")]
    #[case::stock_in_doubt(unmutated(), vec![pass(), doubt()], None, "failed")]
    fn fates(
        #[case] control: Control,
        #[case] events: Vec<Stamped>,
        #[case] trouble: Option<String>,
        #[case] expected: &str,
    ) {
        let mut trial = Trial::new(&control);
        for event in &events {
            trial.hear(event);
        }
        assert_eq!(word(&trial.fate(trouble)), expected);
    }

    #[test]
    fn the_fastest_of_all_kills_is_named() {
        let mut trial = Trial::new(&mutant());
        assert!(!trial.hear(&pass()));
        assert!(trial.hear(&right(9)));
        assert!(trial.hear(&right(4)));
        assert!(trial.hear(&right(6)));
        assert_eq!(trial.judged(), 4);
        match trial.fate(None) {
            Fate::Killed { by, kills } => assert_eq!((by.millis, by.at_ms, kills), (4, 1004, 3)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_attempt_that_is_repeated_does_not_count() {
        let mut trial = Trial::new(&mutant());
        let mut first = right(9);
        if let Event::CaseFinished { retried, .. } = &mut first.event {
            *retried = true;
        }
        assert!(!trial.hear(&first));
        trial.hear(&pass());
        assert_eq!(trial.fate(None), Fate::Survived);
    }
}
