//! A mirror's log on a disk of its own, when that disk fails
//! (drivers/md/dm-log.c).

use crate::model::{EIO, Expectation, Unknown};
use halfway_case::{Case, Disk, During, Fault, Log, Raid1, Sync, Times};
use halfway_protocol::io::{Op, Path};

pub fn knows_log(case: &Case, mirror: &Raid1) -> Result<(), Unknown> {
    let faults = faults(case);
    let [fault, more @ ..] = faults.as_slice() else {
        return Ok(());
    };
    if !more.is_empty() || case.other_faults.len() > 1 || !case.faults.is_empty() {
        return Err(Unknown(
            "the log fails, and something else too; which of them is met first is not worked out",
        ));
    }
    let for_io = case.other_faults_of(Disk::Log, During::Io).next().is_some();
    if for_io && (case.op_on_legs() != Op::Write || case.io.path != Path::Direct) {
        return Err(Unknown(
            "the log is asked when a region is first written: use direct writes",
        ));
    }
    if for_io && fault.op == Op::Read {
        return Err(Unknown(
            "the log is not read for an I/O, but when the table is resumed: set \
             `during = \"set-up\"`",
        ));
    }
    if fault.times != Times::Always || !for_io && mirror.sync != Sync::Nosync {
        return Err(Unknown(
            "the mirror's worker asks the log too, when it comes to it (`dm_rh_update_states`): let \
             the fault last, and while the mirror is set up leave `sync` at `nosync`",
        ));
    }
    Ok(())
}

fn faults(case: &Case) -> Vec<&Fault> {
    let during = [During::SetUp, During::Io];
    let of = during
        .into_iter()
        .flat_map(|during| case.other_faults_of(Disk::Log, during));
    of.collect()
}

/// A log that cannot be written blocks all writes (`log_failure` in
/// `do_writes`): `do_failures` holds them for an operator, or fails them if the
/// log is to be kept (`keep_log`). Without `handle_errors` the failure is
/// ignored.
///
/// A log that failed when the table was resumed only shows in the status line.
/// With `nosync`, a header that could not be read counts as one of no regions,
/// and all regions are in sync then. `mirror_resume` ignores the result of its
/// log.
pub fn expect(case: &Case, mirror: &Raid1, expected: Expectation) -> Expectation {
    if mirror.log != Log::Disk {
        return expected;
    }
    let log = match faults(case).as_slice() {
        [] => 'A',
        [fault, ..] if fault.op == Op::Flush => 'F',
        _ => 'D',
    };
    let mut expected = Expectation {
        log: Some(log),
        ..expected
    };
    let fails_io = case.other_faults_of(Disk::Log, During::Io).next().is_some();
    if fails_io && mirror.handle_errors {
        expected.held = !mirror.keep_log;
        if mirror.keep_log {
            expected.answers.fill(vec![Err(EIO)]);
            for unit in &mut expected.units {
                unit.good.clear();
                unit.asked.fill((0, 0));
            }
        }
    }
    expected
}
