//! What the model asks of a multipath.

use super::super::rules::{HeldTogether, Rules};
use super::super::{Expectation, Unknown};
use crate::controller;
use crate::units::Unit;
use halfway_case::facts;
use halfway_case::observation::Intervention;
use halfway_case::{Case, Meanwhile, Multipath, PathGrouping};
use halfway_protocol::io::Op;

/// A multipath that is the stack itself.
pub struct Paths<'a>(pub &'a Multipath);

impl Rules for Paths<'_> {
    fn knows(&self, case: &Case) -> Result<(), Unknown> {
        super::knows_multipath(case, self.0)
    }

    fn knows_soak(&self, _: &Case) -> Result<(), Unknown> {
        Ok(())
    }

    fn knows_fill_up(&self, case: &Case) -> Result<(), Unknown> {
        let mut of_reads = case.faults.iter().filter(|fault| fault.op == Op::Read);
        match of_reads.any(|fault| controller::target_error(case, fault).is_some()) {
            true => Err(Unknown(
                "the disk itself fails what a buffered write reads to fill up a page, which is \
                 the write's own failure; how much of it is written before depends on its pages",
            )),
            false => Ok(()),
        }
    }

    fn health_after_fill_up(&self) -> Option<&'static str> {
        Some("F")
    }

    fn knows_holds(&self, _: &Case, one_leg: bool, _: bool) -> Result<(), Unknown> {
        if !one_leg {
            return Err(Unknown(
                "a request is on one path at a time: hold on one of them",
            ));
        }
        if self.0.path_grouping != PathGrouping::Failover {
            return Err(Unknown(
                "which path of a group gets the request depends on its selector: make each a group",
            ));
        }
        Ok(())
    }

    fn knows_sent_on(&self, case: &Case, fails: bool) -> bool {
        // A new table knows nothing of what failed, and asks the first path again.
        let reloaded = fails && case.meanwhile() == Meanwhile::Reload;
        !reloaded && !self.0.queue_if_no_path
    }

    fn held_together(&self, case: &Case) -> HeldTogether {
        let event = case.meanwhile().profile();
        HeldTogether {
            on_first: true,
            knows_event: !event.suspends && !event.disk_gives_up,
            handles_at_once: !self.0.queue_if_no_path,
        }
    }

    fn expect(&self, case: &Case, units: &[Unit]) -> Expectation {
        super::expect(case, self.0, units)
    }

    fn brought_back(
        &self,
        case: &Case,
        _: &Expectation,
        units: &[Unit],
    ) -> Vec<Vec<Option<Intervention>>> {
        if self.0.no_path_retry.is_some() {
            // With no HBA that comes back, multipathd gives up by itself.
            return vec![vec![facts::hba_back(case).map(Intervention::HbaBack)]];
        }
        let [unit] = units else {
            return Vec::new();
        };
        let op = match case.faults.iter().any(|fault| fault.op == Op::Flush) {
            true => Op::Flush,
            false => case.op_on_legs(),
        };
        vec![vec![super::course(case, self.0, *unit, op).intervention]]
    }
}
