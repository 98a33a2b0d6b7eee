//! What the model asks of a mirror of multipaths.

use super::super::raid1::Mirror;
use super::super::rules::{HeldTogether, Rules};
use super::super::{Expectation, Unknown};
use crate::units::Unit;
use halfway_case::observation::Intervention;
use halfway_case::{Case, Paths, Raid1};

/// A mirror whose legs are multipaths.
pub struct Nested<'a> {
    /// The mirror.
    pub mirror: &'a Raid1,
    /// What each of its legs is.
    pub paths: &'a Paths,
}

impl Nested<'_> {
    fn mirror(&self) -> Mirror<'_> {
        Mirror(self.mirror)
    }
}

impl Rules for Nested<'_> {
    fn knows(&self, case: &Case) -> Result<(), Unknown> {
        super::knows_nested(case, self.mirror, self.paths)
    }

    fn knows_soak(&self, _: &Case) -> Result<(), Unknown> {
        Err(Unknown(
            "a soak has faults on one disk after the other, and a mirror of multipaths has several \
             beneath a leg",
        ))
    }

    fn knows_fill_up(&self, _: &Case) -> Result<(), Unknown> {
        Err(Unknown(
            "a path beneath a mirror fails what a buffered write reads to fill up a page; what \
             the two make of it is not worked out",
        ))
    }

    fn health_after_fill_up(&self) -> Option<&'static str> {
        None
    }

    // `knows` refuses what is held. The mirror says before that what it does not know either.
    fn knows_holds(&self, case: &Case, one_leg: bool, fails: bool) -> Result<(), Unknown> {
        self.mirror().knows_holds(case, one_leg, fails)
    }

    fn knows_sent_on(&self, case: &Case, fails: bool) -> bool {
        self.mirror().knows_sent_on(case, fails)
    }

    fn held_together(&self, case: &Case) -> HeldTogether {
        self.mirror().held_together(case)
    }

    fn expect(&self, case: &Case, units: &[Unit]) -> Expectation {
        super::expect(case, self.mirror, self.paths, units)
    }

    fn brought_back(
        &self,
        case: &Case,
        expected: &Expectation,
        units: &[Unit],
    ) -> Vec<Vec<Option<Intervention>>> {
        match units {
            _ if !self.paths.wait() => self.mirror().brought_back(case, expected, units),
            [unit] => vec![vec![super::brought_back(case, self.paths, expected, *unit)]],
            _ => Vec::new(),
        }
    }
}
