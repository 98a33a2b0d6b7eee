//! The sum of a run's events: by scenario, by outcome, by case.
//!
//! The terminal, the exit code, `halfway show` and `--resume` all use this one sum, so
//! that they cannot disagree. A case takes its id and some sixteen bytes of memory,
//! however long its verdict is.

use crate::runner::Event;
use crate::runner::event::Stamped;
use halfway_case::Outcome;
use std::collections::HashMap;
use std::fmt;
use std::ops::{AddAssign, Index, IndexMut};

/// The number of cases by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; Outcome::ALL.len()]);

impl Tally {
    /// The number of cases with any outcome.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The number of cases that the kernel failed.
    pub fn kernel_failures(&self) -> u64 {
        self.sum(Outcome::blames_kernel)
    }

    /// The number of cases that neither passed nor were skipped, without findings about
    /// device models.
    pub fn troubles(&self) -> u64 {
        use Outcome::{Finding, Pass, Skipped};
        self.sum(|outcome| !matches!(outcome, Pass | Finding | Skipped))
    }

    fn sum(&self, of: impl Fn(Outcome) -> bool) -> u64 {
        let outcomes = Outcome::ALL.into_iter().filter(|outcome| of(*outcome));
        outcomes.map(|outcome| self[outcome]).sum()
    }
}

impl FromIterator<(Outcome, u64)> for Tally {
    fn from_iter<I: IntoIterator<Item = (Outcome, u64)>>(counts: I) -> Self {
        let mut tally = Tally::default();
        for (outcome, count) in counts {
            tally[outcome] += count;
        }
        tally
    }
}

impl Index<Outcome> for Tally {
    type Output = u64;
    fn index(&self, outcome: Outcome) -> &u64 {
        &self.0[outcome as usize]
    }
}

impl IndexMut<Outcome> for Tally {
    fn index_mut(&mut self, outcome: Outcome) -> &mut u64 {
        &mut self.0[outcome as usize]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (mine, more) in self.0.iter_mut().zip(other.0) {
            *mine += more;
        }
    }
}

/// Prints as `118 pass, 1 fail, 1 crash`, or as `none` if there are no cases.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for outcome in Outcome::ALL {
            if self[outcome] > 0 {
                write!(f, "{separator}{} {outcome}", self[outcome])?;
                separator = ", ";
            }
        }
        if separator.is_empty() {
            f.write_str("none")?;
        }
        Ok(())
    }
}

/// The cases of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The name of the scenario.
    pub scenario: String,
    /// The number of its cases by outcome.
    pub tally: Tally,
    /// The time that its cases took, added up, in milliseconds.
    pub millis: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    row: u32,
    outcome: Outcome,
    millis: u64,
}

/// The sum of a run's events. If a case has several verdicts, the last one counts. A
/// verdict that another attempt followed does not count.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    parts: u32,
    cases: u64,
    whole: u64,
    finished: bool,
    interrupted: bool,
    past_ms: u64,
    part_ms: u64,
    machines: u64,
    retries: u64,
    unreadable: u64,
    rows: Vec<Row>,
    row_of: HashMap<Box<str>, u32>,
    slots: HashMap<Box<str>, Slot>,
}

impl Summary {
    /// Adds an event.
    pub fn add(&mut self, stamped: &Stamped) {
        if let Event::RunStarted { cases, whole } = &stamped.event {
            // When a run is resumed, the event says how many cases are left, not how many
            // there are.
            if self.parts == 0 {
                self.cases = *cases;
            }
            self.whole = *whole;
            self.parts += 1;
            self.past_ms += std::mem::take(&mut self.part_ms);
            self.finished = false;
            self.interrupted = false;
        }
        self.part_ms = self.part_ms.max(stamped.at_ms);
        match &stamped.event {
            Event::MachineReady { .. } => self.machines += 1,
            Event::CaseFinished { retried: true, .. } => self.retries += 1,
            Event::CaseFinished {
                id,
                scenario,
                verdict,
                millis,
                ..
            } => self.finish(id, scenario, verdict.outcome, *millis),
            Event::RunFinished { interrupted, .. } => {
                self.finished = true;
                self.interrupted = *interrupted;
            }
            _ => {}
        }
    }

    /// Counts lines of the record that could not be read.
    pub(crate) fn add_unreadable(&mut self, lines: u64) {
        self.unreadable += lines;
    }

    fn finish(&mut self, id: &str, scenario: &str, outcome: Outcome, millis: u64) {
        let row = match self.row_of.get(scenario) {
            Some(row) => *row,
            None => {
                let row = self.rows.len() as u32;
                self.row_of.insert(scenario.into(), row);
                self.rows.push(Row {
                    scenario: scenario.to_owned(),
                    ..Row::default()
                });
                row
            }
        };
        let slot = Slot {
            row,
            outcome,
            millis,
        };
        if let Some(before) = self.slots.insert(id.into(), slot) {
            let row = &mut self.rows[before.row as usize];
            row.tally[before.outcome] -= 1;
            row.millis -= before.millis;
        }
        let row = &mut self.rows[row as usize];
        row.tally[outcome] += 1;
        row.millis += millis;
    }

    /// The number of all cases by outcome.
    pub fn tally(&self) -> Tally {
        let mut all = Tally::default();
        for row in &self.rows {
            all += row.tally;
        }
        all
    }

    /// A row for each scenario, in the order in which their first cases finished.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The outcome of a case: that of its last verdict, if it has one.
    pub fn outcome(&self, id: &str) -> Option<Outcome> {
        self.slots.get(id).map(|slot| slot.outcome)
    }

    /// Whether a resumed run may leave the case out: it has a verdict, and not one that
    /// only says that the host failed.
    pub fn is_settled(&self, id: &str) -> bool {
        !matches!(self.outcome(id), None | Some(Outcome::Infrastructure))
    }

    /// Ids of the cases with that outcome, in no order.
    pub fn with_outcome(&self, outcome: Outcome) -> impl Iterator<Item = &str> {
        let slots = self.slots.iter();
        slots.filter_map(move |(id, slot)| (slot.outcome == outcome).then_some(&**id))
    }

    /// The number of cases that have a verdict.
    pub fn done(&self) -> u64 {
        self.slots.len() as u64
    }

    /// The number of cases in the run.
    pub fn cases(&self) -> u64 {
        self.cases
    }

    /// The number of cases that the run was sampled from.
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// The number of machines that came up.
    pub fn machines(&self) -> u64 {
        self.machines
    }

    /// The number of attempts that did not count because another attempt followed.
    pub fn retries(&self) -> u64 {
        self.retries
    }

    /// The number of lines of the record that could not be read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The time that all parts of the run took together, in milliseconds.
    pub fn millis(&self) -> u64 {
        self.past_ms + self.part_ms
    }

    /// Whether the run, or its last part, ended before all its cases had run. It either
    /// says so, or has no event for its end.
    pub fn interrupted(&self) -> bool {
        self.interrupted || !self.finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::Verdict;

    fn at(at_ms: u64, event: Event) -> Stamped {
        Stamped { at_ms, event }
    }

    fn finished(id: &str, outcome: Outcome, retried: bool) -> Event {
        Event::CaseFinished {
            id: id.to_owned(),
            scenario: id.split('@').next().unwrap_or(id).to_owned(),
            machine: 1,
            attempt: 1,
            retried,
            verdict: Verdict::bare(outcome, "because"),
            millis: 10,
            details: None,
        }
    }

    #[test]
    fn the_last_verdict_counts_and_a_retried_one_never() {
        let mut sum = Summary::default();
        for (ms, event) in [
            (0, Event::RunStarted { cases: 4, whole: 9 }),
            (5, finished("a@1", Outcome::Infrastructure, true)),
            (9, finished("a@1", Outcome::Pass, false)),
            (12, finished("a@2", Outcome::Infrastructure, false)),
            (20, finished("b@1", Outcome::Fail, false)),
        ] {
            sum.add(&at(ms, event));
        }
        assert!(sum.interrupted());
        assert_eq!(sum.tally().to_string(), "1 pass, 1 fail, 1 infrastructure");
        assert!(sum.is_settled("a@1") && !sum.is_settled("a@2") && !sum.is_settled("b@2"));

        // The run is resumed: its clock starts again at 0, and the case that the host
        // failed is run again.
        sum.add(&at(0, Event::RunStarted { cases: 2, whole: 9 }));
        sum.add(&at(7, finished("a@2", Outcome::Pass, false)));
        sum.add(&at(9, finished("b@2", Outcome::Pass, false)));
        let over = Event::RunFinished {
            tally: Default::default(),
            millis: 11,
            interrupted: false,
        };
        sum.add(&at(11, over));
        assert!(!sum.interrupted());
        assert_eq!(sum.tally().to_string(), "3 pass, 1 fail");
        assert_eq!((sum.done(), sum.cases(), sum.whole()), (4, 4, 9));
        assert_eq!(sum.millis(), 31);
        assert_eq!(sum.retries(), 1);
        let rows: Vec<_> = sum
            .rows()
            .iter()
            .map(|row| (&*row.scenario, row.millis))
            .collect();
        assert_eq!(rows, [("a", 20), ("b", 20)]);
    }

    #[test]
    fn every_outcome_has_a_place_of_its_own() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
        }
    }
}
