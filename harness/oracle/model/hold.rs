//! Requests that are held in flight together while something is done to their
//! stack, and that then end in an order that the harness chooses. The rule: a
//! correct kernel ends each of them as if it were alone, whole and once.

use super::{Answer, Expectation, Unknown, rules_of};
use crate::units::{self, Unit};
use halfway_case::{Case, Ending, Fault, Hold, Meanwhile, Times, Vector};
use halfway_protocol::io::{Op, Path};

/// How many requests of one submitter the block layer does not merge while they
/// are held: it plugs only if there are more (`AIO_PLUG_THRESHOLD` in
/// fs/aio.c).
const UNPLUGGED: u32 = 2;

/// Whether a multipath takes requests instead of bios.
fn is_request_based(case: &Case) -> bool {
    let multipath = case.stack.multipath();
    multipath.is_some_and(|multipath| multipath.queue_mode.is_request_based())
}

fn fails(case: &Case) -> bool {
    case.holds.iter().any(|hold| is_failure(case, hold))
}

/// Whether the driver sees the request of this hold fail.
///
/// The request of a disk that is unplugged always fails, however its medium
/// ends it: QEMU cancels it, and the driver sees one error of the path, in all
/// releases:
///
/// - virtio-scsi: `virtio_scsi_request_cancelled`. The driver sees `DID_ABORT`
///   (`virtscsi_complete_cmd`), which is final (`scsi_decide_disposition`) and
///   becomes `BLK_STS_IOERR` (`scsi_result_to_blk_status`).
/// - pvscsi: `pvscsi_request_cancelled`. The driver sees `DID_BUS_BUSY`
///   (`pvscsi_complete_request` in drivers/scsi/vmw_pvscsi.c), which is retried
///   unless the request is `REQ_FAILFAST_TRANSPORT` (`scsi_noretry_cmd`). The
///   driver was told before that the disk goes (`pvscsi_hot_unplug`). So the
///   retry meets `SDEV_CANCEL`, which is `BLK_STS_OFFLINE`, before 5.18
///   `BLK_STS_IOERR` (`scsi_device_state_check`), or no disk
///   (`pvscsi_device_find`), which is final.
/// - usb-storage: `usb_msd_request_cancelled` answers nothing, and the transfer
///   ends because the port is empty: `DID_ERROR` (`usb_stor_invoke_transport`).
///   That is retried and meets `SDEV_CANCEL` as above, or
///   `US_FLIDX_DISCONNECTING` (`queuecommand_lck`), which is `DID_NO_CONNECT`.
/// - usb-uas: `usb_uas_scsi_request_cancelled` answers nothing either, and
///   `uas_disconnect` ends the request with `DID_NO_CONNECT`
///   (`uas_zap_pending`). During a read QEMU may abort first; the judge detects
///   that.
fn is_failure(case: &Case, hold: &Hold) -> bool {
    hold.then == Ending::Eio || case.meanwhile().profile().fails_request
}

/// Whether the model knows the outcome of the requests that `case` holds.
/// `on_target` gives what the target of the case does with units that are not
/// held.
pub fn knows_holds(
    case: &Case,
    on_target: impl Fn(&Case, &[Unit]) -> Expectation,
) -> Result<(), Unknown> {
    let Some(first) = case.holds.first() else {
        return Ok(());
    };
    if super::races_recovery(case) {
        return Ok(());
    }
    if !case.other_faults.is_empty() {
        return Err(Unknown(
            "requests are held, and the log or the recovery fails",
        ));
    }
    // Of pieces that the queue of a multipath in request mode makes, one alone meets the
    // fault that is to send it to the path that holds it.
    let sent_on = is_request_based(case) && !case.faults.is_empty();
    let cut = super::may_be_cut(case) && (sent_on || case.meanwhile() == Meanwhile::Unplug);
    if case.io.path != Path::Direct || case.io.dsync || case.linear.is_some() || cut {
        return Err(Unknown(
            "a request of an I/O in pieces of unknown number is held; which of the others pass it \
             depends on timing",
        ));
    }
    if case.io.overlap > 0 && case.legs.max_sectors_kb.is_some() {
        return Err(Unknown(
            "requests that overlap are held, and cut by their leg; which of them a piece belongs to \
             is not to be seen",
        ));
    }
    if case.meanwhile() == Meanwhile::Timeout && (fails(case) || case.holds.len() > 1) {
        return Err(Unknown(
            "a request is given up by its driver, and then fails; what the driver makes of that \
             differs by release: let one end well",
        ));
    }
    if case.meanwhile() == Meanwhile::Unplug
        && (case.holds.len() > 1
            || !case.faults.is_empty()
            || case.io.requests > 1
            || case.legs.max_sectors_kb.is_some()
            || case.stack.nested().is_some()
            || is_cut_by_dm_io(case))
    {
        return Err(Unknown(
            "a disk is unplugged while requests other than the held one may be there; known is \
             what becomes of one request in one piece, with no other failure: of a mirror's write \
             whole pages",
        ));
    }
    if case.meanwhile() == Meanwhile::Unplug {
        takes_all(case)?;
    }
    let one_leg = case.holds.iter().all(|hold| hold.leg == first.leg);
    rules_of(&case.stack).knows_holds(case, one_leg, fails(case))?;
    let pieces = units::nominal(&case.io.parts(), &case.boundaries());
    match pieces.as_slice() {
        [unit] => knows_one(case, *unit, on_target),
        several => knows_several(case, several),
    }
}

/// Whether the model knows what an unplugged disk takes with it. That is the
/// whole request, unless QEMU asks its medium for less at a time.
fn takes_all(case: &Case) -> Result<(), Unknown> {
    let unplug = case.legs.controller.profile().hot_unplug;
    let most = unplug.ok().and_then(|unplug| unplug.most_sectors);
    match most.is_some_and(|most| case.io.sectors > most) {
        true => Err(Unknown(
            "a stick is unplugged; QEMU's disk asks its medium for 256 sectors at a time, and of a \
             longer request one piece is given up",
        )),
        false => Ok(()),
    }
}

/// Whether dm-io may make several requests of a mirror's write: `do_region`
/// allows a bio as many vector entries as the data has pages
/// (`dm_sector_div_up`), and memory that is not laid out in whole pages needs
/// more.
fn is_cut_by_dm_io(case: &Case) -> bool {
    let pages = matches!(case.io.vector, Vector::Contiguous | Vector::Pages);
    case.stack.target().uses_dm_io() && case.io.op == Op::Write && !pages
}

/// Whether the outcome is known for an I/O of one unit. Several pieces of it
/// may be held at the leg, and the failure of another leg may have sent it to
/// that leg.
fn knows_one(
    case: &Case,
    unit: Unit,
    on_target: impl Fn(&Case, &[Unit]) -> Expectation,
) -> Result<(), Unknown> {
    let step = u64::from(case.legs.max_sectors_kb.unwrap_or(u32::MAX)) * 2;
    let piece = |sector: u64| sector.saturating_sub(unit.sector) / step;
    for (index, hold) in case.holds.iter().enumerate() {
        let mut earlier = case.holds[..index].iter();
        if earlier.any(|one| one.leg == hold.leg && piece(one.sector) == piece(hold.sector)) {
            return Err(Unknown(
                "two holds are of one request to the leg: lay them further apart, or set \
                 `max_sectors_kb`",
            ));
        }
    }
    let leg = case.holds[0].leg;
    let goes_to_all = case.stack.target().has_copies() && case.io.op == Op::Write;
    if !case.faults.is_empty() {
        let elsewhere = |fault: &Fault| {
            fault.leg != leg && fault.times == Times::Always && fault.op == case.op_on_legs()
        };
        let known = rules_of(&case.stack).knows_sent_on(case, fails(case));
        if !known || !case.faults.iter().all(elsewhere) {
            return Err(Unknown(
                "a request is held, and others fail: known is a read, or an I/O of a path, that \
                 lasting faults of other legs have sent to the leg that holds it",
            ));
        }
    }
    let alone = on_target(&without(case, unit), &[unit]);
    let comes = |asked: &UnitAsked| goes_to_all || asked.as_ref().is_some_and(|o| o.contains(&leg));
    if !alone.units.iter().all(|unit| comes(&unit.order)) {
        return Err(Unknown(
            "the leg that is to hold the request is not asked: it goes from leg 0 on to the first \
             without a fault",
        ));
    }
    Ok(())
}

type UnitAsked = Option<Vec<u8>>;

/// Whether the outcome is known for an I/O of several units. Each of them must
/// be held; else it depends on timing which of them passes another.
fn knows_several(case: &Case, units: &[Unit]) -> Result<(), Unknown> {
    let first = &case.holds[0];
    let holds = |unit: &Unit| {
        case.holds
            .iter()
            .filter(|hold| unit.covers(hold.sector))
            .count()
    };
    let each_is_held = case.holds.len() == units.len()
        && (case.holds.iter()).all(|hold| hold.leg == first.leg)
        && (units.iter()).all(|unit| holds(unit) == 1);
    let each_submits = case.io.requests.div_ceil(case.io.submitters.max(1));
    if !each_is_held || each_submits > UNPLUGGED {
        return Err(Unknown(
            "a request of an I/O in several pieces is held; which of the others pass it depends on \
             timing: hold each, of at most two requests of a submitter, on one leg, and where no \
             other request reaches",
        ));
    }
    if !case.faults.is_empty() {
        return Err(Unknown("several requests are held, and others fail"));
    }
    let known = rules_of(&case.stack).held_together(case);
    if known.on_first && first.leg != 0 || !known.knows_event || !known.handles_at_once {
        return Err(Unknown(
            "several requests are held; known is what becomes of them on the first leg or path, \
             while no table changes and what fails is handled at once",
        ));
    }
    Ok(())
}

/// The case without its holds. A hold of `unit` that ends in a failure becomes
/// a fault.
fn without(case: &Case, unit: Unit) -> Case {
    let mut other = case.clone();
    let holds = std::mem::take(&mut other.holds);
    let failing = holds
        .iter()
        .filter(|hold| is_failure(case, hold) && unit.covers(hold.sector));
    other.faults.extend(failing.map(|hold| Fault {
        leg: hold.leg,
        op: case.io.op,
        sector: hold.sector,
        times: match case.meanwhile() {
            // The disk is gone for good (`scsi_device_set_state` to `SDEV_DEL`,
            // `del_gendisk`).
            Meanwhile::Unplug => Times::Always,
            _ => Times::Count(1),
        },
        errno: super::EIO,
        report: None,
    }));
    other
}

/// What a correct kernel does with units that are all in flight before the
/// first of them ends: with each of them the same as `on_target` does with it
/// alone.
pub fn expect(
    case: &Case,
    units: &[Unit],
    on_target: impl Fn(&Case, &[Unit]) -> Expectation,
) -> Expectation {
    // The holds that end in failures were turned into faults; they are not
    // faults of the case.
    let own = |mut expected: Expectation| {
        expected.fires.retain(|index| *index < case.faults.len());
        expected
    };
    let mut each = units
        .iter()
        .map(|unit| (*unit, on_target(&without(case, *unit), &[*unit])));
    let Some((unit, first)) = each.next() else {
        return own(on_target(&without(case, super::whole(case)), units));
    };
    let answers = answers_of(case, unit, &first);
    let start = Expectation { answers, ..first };
    let mut expected = own(each.fold(start, |all, (unit, one)| joined(case, all, unit, one)));
    expected.partial = false;
    done_meanwhile(case, expected)
}

/// The answers to the requests that `unit` is a part of. The other requests get
/// an empty list.
fn answers_of(case: &Case, unit: Unit, one: &Expectation) -> Vec<Vec<Answer>> {
    let parts = case.io.parts();
    let of = parts.iter().zip(&one.answers);
    of.map(|(&(sector, sectors), answers)| {
        match super::is_piece(case, unit, Unit { sector, sectors }) {
            true => answers.clone(),
            false => Vec::new(),
        }
    })
    .collect()
}

fn joined(case: &Case, all: Expectation, unit: Unit, one: Expectation) -> Expectation {
    let failed = |expected: &Expectation| expected.health.iter().any(|health| *health != "A");
    let mut answers = all.answers.clone();
    for (known, more) in answers.iter_mut().zip(answers_of(case, unit, &one)) {
        let lost = more.iter().any(Result::is_err);
        if known.is_empty() || lost {
            *known = more;
        }
    }
    let health = all.health.iter().zip(&one.health);
    Expectation {
        answers,
        held: all.held || one.held,
        health: health
            .map(|(a, b)| if *a == "A" { *b } else { *a })
            .collect(),
        active_group: match failed(&one) {
            true => one.active_group,
            false => all.active_group,
        },
        loses_sync: all.loses_sync || one.loses_sync,
        units: [all.units, one.units].concat(),
        fires: [all.fires, one.fires].concat(),
        ..all
    }
}

/// How the event that happens while the requests are held changes the
/// expectation.
fn done_meanwhile(case: &Case, mut expected: Expectation) -> Expectation {
    let Some(hold) = case.holds.first() else {
        return expected;
    };
    let leg = usize::from(hold.leg);
    let fails = fails(case);
    match hold.meanwhile {
        // `is_failure` covers what a disk takes with it. Nobody looks at the
        // disk again until there is something to map.
        Meanwhile::Unplug => {}
        // The request stays with the disk until the disk ends it, or the driver
        // retries it beneath device-mapper (`timeout` in its controller's
        // profile). Either way device-mapper sees one successful end.
        Meanwhile::Nothing
        | Meanwhile::Suspend
        | Meanwhile::SuspendNoflush
        | Meanwhile::Timeout => {}
        // `fail_path` does not touch what is in flight. After a group was left,
        // another is chosen only when there is something to map.
        Meanwhile::FailPath => {
            expected.health[leg] = "F";
            expected.active_group = expected.active_group.filter(|_| fails);
        }
        Meanwhile::ReinstatePath => {
            expected.active_group = expected.active_group.filter(|_| fails);
        }
        // The new table knows nothing of what failed beneath the old one.
        Meanwhile::Reload => {
            expected.health.fill("A");
            expected.active_group = None;
            expected.loses_sync = false;
        }
    }
    // A suspension stops the request queue (`dm_stop_queue`). A request that
    // fails then is requeued, and mapped only at the resume, by the table that
    // is loaded by then.
    if hold.meanwhile == Meanwhile::Reload && fails && is_request_based(case) {
        for unit in &mut expected.units {
            unit.order = None;
            unit.asked.fill((0, 1));
            unit.asked[leg] = (1, 2);
        }
    }
    expected
}
