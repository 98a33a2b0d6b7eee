//! What the model asks of a mirror.

use super::super::rules::{HeldTogether, Rules};
use super::super::{Expectation, Unknown, ends_with_fsync, fault_meets, is_piece};
use crate::units::Unit;
use halfway_case::limits;
use halfway_case::observation::Intervention;
use halfway_case::{Case, Fault, Log, Meanwhile, Raid1, Sync, Times};
use halfway_protocol::io::{Op, Path};

/// A mirror whose legs are disks.
pub struct Mirror<'a>(pub &'a Raid1);

impl Rules for Mirror<'_> {
    fn knows(&self, case: &Case) -> Result<(), Unknown> {
        super::knows_mirror(case, self.0)
    }

    fn knows_soak(&self, case: &Case) -> Result<(), Unknown> {
        let mirror = self.0;
        if mirror.sync == Sync::Syncing {
            return Err(Unknown(
                "in a soak no request is held, without which a recovery is over before the first \
                 I/O",
            ));
        }
        if !mirror.handle_errors {
            return Err(Unknown(
                "a mirror without handle_errors forgets which leg missed a write: a soak cannot \
                 say what is read from it",
            ));
        }
        if mirror.log == Log::Disk {
            return Err(Unknown(
                "a soak loads mirrors with their legs in another order, which a log on a disk \
                 knows nothing of",
            ));
        }
        if case.legs.sectors > limits::FILES_SECTORS {
            return Err(Unknown(
                "a soak synchronises the mirror again and again: set `size` in `[legs]` to at \
                 most 65536",
            ));
        }
        Ok(())
    }

    fn knows_fill_up(&self, case: &Case) -> Result<(), Unknown> {
        if case.faults.iter().any(|fault| fault.op != Op::Read) {
            return Err(Unknown(
                "a leg fails what a buffered write reads to fill up a page, and one fails a \
                 write: a mirror counts on neither of them any more (`get_valid_mirror`), and \
                 which it finds out first depends on timing",
            ));
        }
        if !case.other_faults.is_empty() {
            return Err(Unknown(
                "a leg fails what a buffered write reads to fill up a page, and the log or the \
                 recovery has failed before",
            ));
        }
        Ok(())
    }

    fn health_after_fill_up(&self) -> Option<&'static str> {
        Some("R")
    }

    fn knows_holds(&self, case: &Case, one_leg: bool, fails: bool) -> Result<(), Unknown> {
        if !one_leg && case.io.op == Op::Read {
            return Err(Unknown(
                "a mirror reads from one leg at a time: hold on one of them",
            ));
        }
        let resumed = case.meanwhile().profile().suspends;
        let recovers = fails && case.io.op == Op::Write && resumed;
        if recovers || self.0.sync != Sync::Nosync {
            return Err(Unknown(
                "a mirror that is resumed recovers what it has lost; how far it has come \
                 depends on timing",
            ));
        }
        Ok(())
    }

    fn knows_sent_on(&self, case: &Case, _: bool) -> bool {
        // A write goes to all legs, and is sent on from none.
        case.io.op != Op::Write
    }

    fn held_together(&self, case: &Case) -> HeldTogether {
        HeldTogether {
            on_first: case.io.op == Op::Read,
            knows_event: case.meanwhile() == Meanwhile::Nothing,
            handles_at_once: self.0.handle_errors || case.io.op != Op::Write,
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
        of_mirror(case, units)
    }
}

/// What brings back the requests of a mirror. A single request is the one that
/// is held. Of several requests, one that contains a fault is held for certain,
/// if the requests share no sector and no page (direct I/O without overlap).
/// Each other request is held or not, depending on when it meets the failure
/// (`do_writes`).
///
/// A suspension without flush hands back what is held before it blocks new I/O
/// (`mirror_presuspend`, `DMF_BLOCK_IO_FOR_SUSPEND`). So the mirror may send
/// the legs a flush once more in between, and a flush whose fault has worn off
/// comes back at the suspension. A write waits for the resume, since its region
/// is out of sync.
fn of_mirror(case: &Case, units: &[Unit]) -> Vec<Vec<Option<Intervention>>> {
    let parts = case.io.parts();
    let goes_well = |fault: &Fault| fault.op == Op::Flush && fault.times != Times::Always;
    if ends_with_fsync(case) && case.faults.iter().any(goes_well) {
        return vec![vec![Some(Intervention::Resume), Some(Intervention::Suspend)]; parts.len()];
    }
    let of_part = |&(sector, sectors): &(u64, u64)| {
        let part = Unit { sector, sectors };
        let pieces = units.iter().filter(|unit| is_piece(case, **unit, part));
        let fails = pieces.into_iter().any(|unit| {
            (case.faults.iter()).any(|fault| fault_meets(fault, Op::Write, fault.leg, *unit))
        });
        let alone = case.io.path == Path::Direct && case.io.overlap == 0;
        match parts.len() == 1 || fails && alone {
            true => vec![Some(Intervention::Resume)],
            false => vec![None, Some(Intervention::Resume)],
        }
    };
    parts.iter().map(of_part).collect()
}
