//! dm-raid1, the `mirror` target (drivers/md/dm-raid1.c).
//!
//! The rules, each stated again where it is applied:
//!
//! - A failed read is resubmitted whole, as it was submitted, to another leg.
//!   `mirror_map` records the bio (`dm_bio_record`); `mirror_end_io` restores
//!   it when the leg fails it (`dm_bio_restore`) and queues it; `do_reads`
//!   sends it to the leg that `choose_mirror` chooses.
//! - A write goes to all legs at once (`do_writes`, `do_write`).
//!   `write_callback` notes the legs that failed; `do_failures` then holds the
//!   write, completes it, or fails it.
//! - A leg that fails counts as failed (`fail_mirror`), and the status line
//!   shows how.
//! - A region that is out of sync is read and written on the default leg alone
//!   (`do_reads`, `do_writes`).

mod log;
pub mod race;
mod recovery;
mod rules;

pub use rules::Mirror;

use super::{
    EIO, Expectation, PAGE_SECTORS, UnitExpectation, Unknown, answering, bytes, ends_with_fsync,
    fault_meets, indices, is_piece, legs_always, legs_with, others, rounded, splits, unrecovered,
    whole, whole_answers, without_flush_faults,
};
use crate::controller;
use crate::units::{self, Unit};
use halfway_case::{Case, Fault, Log, Raid1, Sync, Times};
use halfway_protocol::io::{Op, Path};

/// 512-byte sectors in one bio that writes zeros: as many pages as a bio may
/// have (`__blkdev_issue_zero_pages`).
const ZEROS: u64 = 256 * PAGE_SECTORS;

pub fn knows_mirror(case: &Case, mirror: &Raid1) -> Result<(), Unknown> {
    log::knows_log(case, mirror)?;
    recovery::knows_recovery(case, mirror)?;
    race::knows_race(case, mirror)?;
    let pieces = units::nominal(&case.io.parts(), &case.boundaries()).len();
    let several_bios = case.io.op == Op::WriteZeroes && case.io.sectors > ZEROS;
    let pieces_vary = pieces > 1 || case.io.path == Path::Buffered || several_bios;
    let failing = legs_with(case, Op::Write, whole(case));
    let none_left = failing.len() == usize::from(case.legs.count);
    let one_after_another = failing.len() > 1 && !none_left;
    if case.io.path == Path::Buffered && one_after_another && holds(mirror) {
        return Err(Unknown(
            "several legs fail pages of a write; one may come to it after the mirror was repaired \
             for another, and how depends on timing",
        ));
    }
    if case.io.dsync && pieces_vary && case.faults.iter().any(|fault| fault.op == Op::Flush) {
        return Err(Unknown(
            "a flush fails behind writes in several pieces; which of them it belongs to depends on \
             how the leg joins their flushes",
        ));
    }
    let worn_off = |fault: &Fault| fault.op == Op::Flush && fault.times != Times::Always;
    let flushed = ends_with_fsync(case) || case.io.dsync;
    if mirror.log == Log::Disk && flushed && case.faults.iter().any(worn_off) {
        return Err(Unknown(
            "a fault of flushes wears off, and a disk log has the legs flushed as well, how often \
             depends on timing",
        ));
    }
    if case.op_on_legs() == Op::Write && pieces_vary && none_left && holds(mirror) {
        return Err(Unknown(
            "every leg fails a part of a write that device-mapper handles in several pieces; \
             whether the mirror holds it or fails it depends on which piece fails first",
        ));
    }
    Ok(())
}

pub fn expect(case: &Case, mirror: &Raid1, units: &[Unit]) -> Expectation {
    if mirror.sync == Sync::Syncing {
        return race::expect(case, units);
    }
    let expected = match unrecovered(case).is_empty() {
        true => recovered(case, mirror, units),
        false => recovery::expect(case, mirror, units),
    };
    log::expect(case, mirror, expected)
}

/// The expectation when all regions are in sync before the I/O.
fn recovered(case: &Case, mirror: &Raid1, units: &[Unit]) -> Expectation {
    match (case.io.op, case.io.path) {
        (Op::Read, Path::Direct) => direct_read(case, mirror, units),
        (Op::Read, Path::Buffered) => buffered_read(case, mirror, units),
        (Op::Discard, _) => discard(case, units),
        (Op::Write | Op::Flush, _) if ends_with_fsync(case) => flush(case, mirror, units),
        (Op::Write | Op::Flush | Op::WriteZeroes, _) => write(case, mirror, units),
    }
}

/// A flush goes to all legs at once (`do_writes` handles it together with the
/// writes to regions in sync). A leg that fails a flush counts as failed, as
/// after a failed write (`write_callback`). But no region loses its sync: the
/// kernel does not know what was written before, and `dm_rh_mark_nosync` only
/// sets `flush_failure`.
///
/// The mirror must hold the flush until it is repaired, however often the
/// mirror's worker runs. Stock kernels up to 7.3 forget the flush at the
/// worker's next run. With `linear` on top that run comes by itself on kernels
/// that flush once for each segment (before `flush_bypasses_map`).
fn flush(case: &Case, mirror: &Raid1, units: &[Unit]) -> Expectation {
    let failing = legs_with(case, Op::Flush, whole(case));
    let written = write(&without_flush_faults(case), mirror, units);
    if failing.is_empty() {
        return written;
    }
    let none_left = failing.len() == usize::from(case.legs.count);
    let mut answers = written.answers;
    if none_left {
        answers.fill(vec![Err(EIO)]);
    }
    // A disk log flushes the legs (`mirror_flush`) before it marks a region
    // clean. The write left a region to mark, so that flush comes before the
    // one of `fsync`, and its failure shows.
    let how = match mirror.log {
        Log::Core => "D",
        Log::Disk => "F",
    };
    let mut health = written.health;
    for &leg in &failing {
        health[usize::from(leg)] = how;
    }
    let held = holds(mirror) && !none_left;
    // Each of several requests ends with a flush of its own. What follows the held one is
    // written after the repair, which takes the failed legs out of the mirror.
    let mut units = written.units;
    let mut parts = case.io.parts().into_iter();
    if let (true, Some((sector, sectors)), Some(_)) = (held, parts.next(), parts.next()) {
        for later in (units.iter_mut()).filter(|one| one.unit.end() > sector + sectors) {
            later.good.retain(|leg| !failing.contains(leg));
        }
    }
    Expectation {
        answers,
        held,
        units,
        health,
        fires: (failing.iter())
            .filter_map(|&leg| indices(case, |fault| fault.leg == leg).next())
            .collect(),
        ..written
    }
}

/// A discard goes to all legs at once. If a leg fails it, the mirror answers
/// `BLK_STS_NOTSUPP` and fails no leg (`write_callback`), and the application
/// does not hear of that (`blkdev_issue_discard`).
fn discard(case: &Case, units: &[Unit]) -> Expectation {
    let legs = usize::from(case.legs.count);
    let unit = |&unit: &Unit| UnitExpectation {
        unit,
        order: None,
        good: others(case, &legs_with(case, Op::Discard, unit)),
        one_of: Vec::new(),
        asked: vec![(1, 1); legs],
    };
    let met = |fault: &Fault| fault_meets(fault, Op::Discard, fault.leg, whole(case));
    Expectation {
        units: units.iter().map(unit).collect(),
        fires: indices(case, met).collect(),
        ..Expectation::undisturbed(case)
    }
}

fn holds(mirror: &Raid1) -> bool {
    mirror.handle_errors && !mirror.keep_log
}

/// The choice of legs for reads that come one after the other, and the legs
/// that failed so far.
struct Legs<'a> {
    case: &'a Case,
    mirror: &'a Raid1,
    failed: Vec<bool>,
    default: u8,
}

impl<'a> Legs<'a> {
    /// No leg has failed yet.
    fn new(case: &'a Case, mirror: &'a Raid1) -> Self {
        Legs {
            case,
            mirror,
            failed: vec![false; case.legs.count.into()],
            default: 0,
        }
    }

    /// The legs that a read of `unit` asks, in order, and whether the last of
    /// them has the data.
    ///
    /// A mirror read that fails is resubmitted whole: `mirror_end_io` fails the
    /// leg (`fail_mirror`), restores the bio as `mirror_map` recorded it
    /// (`dm_bio_restore`) and queues it; `do_reads` sends it to the next leg.
    /// If that one fails too, `read_callback` queues the bio again. With no leg
    /// left the read fails.
    ///
    /// `choose_mirror` starts at the default leg and goes down, wrapping
    /// around, and skips legs that had an error. If errors are handled,
    /// `fail_mirror` makes the first leg without an error the default. A leg
    /// that has failed a read is not asked again: a correct kernel keeps its
    /// error until the mirror is repaired, or recovered after a failed write.
    /// (Stock kernels forget all errors at the end of `do_recovery` if
    /// `in_sync` was cleared and no region had lost its sync. That happens when
    /// the mirror is started, which the runner waits for, and after a failed
    /// flush, which is a bug: results/findings.md.)
    fn order(&mut self, unit: Unit) -> (Vec<u8>, bool) {
        let legs = self.case.legs.count;
        let mut order = Vec::new();
        loop {
            let mut candidates = (0..legs).map(|step| (self.default + legs - step) % legs);
            let Some(leg) = candidates.find(|leg| !self.failed[usize::from(*leg)]) else {
                return (order, false);
            };
            order.push(leg);
            let mut faults = self.case.faults.iter();
            if !faults.any(|fault| fault_meets(fault, Op::Read, leg, unit)) {
                return (order, true);
            }
            self.failed[usize::from(leg)] = true;
            if self.mirror.handle_errors
                && leg == self.default
                && let Some(valid) = self.failed.iter().position(|failed| !failed)
            {
                self.default = valid as u8;
            }
        }
    }
}

/// A direct read. A unit that a leg fails is resubmitted whole to another leg
/// (`mirror_end_io`, `do_reads`), until a leg has the data or none is left.
fn direct_read(case: &Case, mirror: &Raid1, units: &[Unit]) -> Expectation {
    let legs = usize::from(case.legs.count);
    let mut answers = whole_answers(case);
    let mut expected_units = Vec::new();
    let mut health = vec!["A"; legs];
    let mut fires = Vec::new();

    if let [unit] = *units {
        let (order, found) = Legs::new(case, mirror).order(unit);
        let asked_faulty = if found {
            &order[..order.len() - 1]
        } else {
            &order[..]
        };
        for &leg in asked_faulty {
            health[usize::from(leg)] = "R";
        }
        fires = answering(case, Op::Read, unit, asked_faulty);
        if !found {
            answers = vec![vec![Err(EIO)]; answers.len()];
        }
        let times = |leg: u8| u32::from(order.contains(&leg));
        expected_units.push(UnitExpectation {
            unit,
            good: if found {
                order[order.len() - 1..].to_vec()
            } else {
                Vec::new()
            },
            one_of: Vec::new(),
            asked: (0..case.legs.count)
                .map(|leg| (times(leg), times(leg)))
                .collect(),
            order: Some(order),
        });
    } else {
        // Timing decides which unit finds out first that a leg is bad, and
        // neighbours that were merged into one request fail together.
        let faulty = legs_with(case, Op::Read, whole(case));
        for &leg in &faulty {
            health[usize::from(leg)] = "AR";
        }
        if faulty == [0] {
            // Readers leave leg 0 only because of its own error, so it must
            // have had one.
            health[0] = "R";
        }
        if faulty.contains(&0) {
            fires.extend(
                indices(case, |fault| fault_meets(fault, Op::Read, 0, whole(case))).take(1),
            );
        }
        let may_fail = faulty.len() == legs;
        let errors = errors_of_last_leg(case);
        for (answer, &(sector, sectors)) in answers.iter_mut().zip(&case.io.parts()) {
            let part = Unit { sector, sectors };
            let mut pieces = units.iter().filter(|unit| is_piece(case, **unit, part));
            if pieces.any(|unit| legs_always(case, Op::Read, *unit).len() == legs) {
                answer.clone_from(&errors);
            } else if may_fail {
                answer.extend(&errors);
            }
        }
        for &unit in units {
            expected_units.push(UnitExpectation {
                unit,
                order: None,
                good: others(case, &legs_always(case, Op::Read, unit)),
                one_of: Vec::new(),
                asked: vec![(0, 1); legs],
            });
        }
    }
    Expectation {
        answers,
        partial: !fires.is_empty() && splits(case, units),
        units: expected_units,
        health,
        fires,
        ..Expectation::undisturbed(case)
    }
}

/// The errors that a read may end with if no leg has its data, where several reads are in
/// flight. A read that comes after the first leg has failed goes to the next one at once.
/// If that fails it too, `mirror_end_io` passes on the leg's own error. A read that was
/// resubmitted ends with EIO (`read_callback`).
fn errors_of_last_leg(case: &Case) -> Vec<Result<u64, i32>> {
    let reads = case.faults.iter().filter(|fault| fault.op == Op::Read);
    let own = reads.filter_map(|fault| controller::target_error(case, fault));
    let mut errors: Vec<i32> = own.chain([EIO]).collect();
    errors.sort_unstable();
    errors.dedup();
    errors.into_iter().map(Err).collect()
}

/// A buffered read. The page cache reads ahead first. A read-ahead bio is not
/// resubmitted to another leg (`REQ_RAHEAD` in `mirror_end_io`). Then the page
/// cache reads the missing pages one by one; those bios are resubmitted whole,
/// as any other read.
///
/// A leg that has failed one page is not asked for another (`choose_mirror`).
/// So if all legs have bad pages, each bad page may be the first for which no
/// leg is left. With faults that wear off, the result depends on what
/// read-ahead has met before. With several readers it depends on who comes
/// first: once every leg has failed some page, the other readers find no leg
/// for any page.
fn buffered_read(case: &Case, mirror: &Raid1, units: &[Unit]) -> Expectation {
    let legs = usize::from(case.legs.count);
    let faulty = legs_with(case, Op::Read, rounded(whole(case)));
    let none_left = faulty.len() == legs;
    let parts = case.io.parts();
    let lasting = case.faults.iter().all(|fault| fault.times == Times::Always);
    // A device that is no whole number of pages is read block by block (`set_init_blocksize`
    // in block/bdev.c), those of a page at once: which of them a leg's failure comes before
    // depends on timing.
    let block = match case.legs.sectors.is_multiple_of(PAGE_SECTORS) {
        true => PAGE_SECTORS,
        false => case.legs.block(),
    };
    let exact = lasting && parts.len() == 1 && block == PAGE_SECTORS;
    let none_has = |page: u64| {
        let mut blocks = (page * PAGE_SECTORS..(page + 1) * PAGE_SECTORS).step_by(block as usize);
        blocks.any(|sector| {
            let of_block = Unit {
                sector,
                sectors: block,
            };
            legs_always(case, Op::Read, of_block).len() == legs
        })
    };
    let mut in_turn = Legs::new(case, mirror);
    let answers = parts
        .iter()
        .map(|&(sector, sectors)| {
            let of_page = |page: u64| Unit {
                sector: page * PAGE_SECTORS,
                sectors: PAGE_SECTORS,
            };
            // What was read before the error counts (read(2)).
            let until = |page: u64| match page * PAGE_SECTORS {
                page if page <= sector => Err(EIO),
                page => Ok(bytes(page - sector)),
            };
            let mut answers = Vec::new();
            for page in sector / PAGE_SECTORS..(sector + sectors).div_ceil(PAGE_SECTORS) {
                let lost = match exact {
                    true => !in_turn.order(of_page(page)).1,
                    false => none_has(page),
                };
                if lost {
                    answers.push(until(page));
                    return answers;
                }
                let bad = !legs_with(case, Op::Read, of_page(page)).is_empty();
                if none_left && !exact && (bad || parts.len() > 1) {
                    answers.push(until(page));
                }
            }
            answers.push(Ok(bytes(sectors)));
            answers
        })
        .collect();
    let mut health = vec!["A"; legs];
    for &leg in &faulty {
        health[usize::from(leg)] = "AR";
    }
    if faulty == [0] && !legs_always(case, Op::Read, rounded(whole(case))).is_empty() {
        health[0] = "R";
    }
    let fires: Vec<usize> = indices(case, |fault| fault_meets(fault, Op::Read, 0, whole(case)))
        .take(1)
        .collect();
    Expectation {
        answers,
        units: units
            .iter()
            .map(|&unit| UnitExpectation {
                unit,
                order: None,
                good: (0..case.legs.count).collect(),
                one_of: Vec::new(),
                asked: vec![(0, u32::MAX); legs],
            })
            .collect(),
        health,
        fires,
        ..Expectation::undisturbed(case)
    }
}

/// A write. It goes to all legs at once through dm-io (`do_writes`,
/// `do_write`). `write_callback` fails each leg that reports an error
/// (`fail_mirror`) and passes the bio to `do_failures`. There its region loses
/// its sync (`dm_rh_mark_nosync`), and the bio is held for an operator
/// (`hold_bio`), completed, or, with no leg left, failed.
///
/// A durable write carries `REQ_FUA`. A leg without FUA flushes behind it
/// (`blk_flush_complete_seq`), so the write fails if that flush does.
fn write(case: &Case, mirror: &Raid1, units: &[Unit]) -> Expectation {
    let legs = usize::from(case.legs.count);
    let range = whole(case);
    let fails_write = |fault: &Fault, leg: u8| {
        fault_meets(fault, Op::Write, leg, range) || fault_meets(fault, Op::Flush, leg, range)
    };
    let failing: Vec<u8> = (0..case.legs.count)
        .filter(|leg| case.faults.iter().any(|fault| fails_write(fault, *leg)))
        .collect();
    let surviving = others(case, &failing);
    let fails = !failing.is_empty();
    let exact = units.len() == 1 && case.io.path == Path::Direct;
    let held = fails && !surviving.is_empty() && holds(mirror);

    let mut answers = whole_answers(case);
    if surviving.is_empty() {
        let same_sector = |fault: &Fault| {
            legs_always(
                case,
                Op::Write,
                Unit {
                    sector: fault.sector,
                    sectors: 1,
                },
            )
            .len()
                == legs
        };
        let all_fail = exact || case.faults.iter().any(same_sector) && answers.len() == 1;
        for answer in &mut answers {
            if all_fail {
                answer.clear();
            }
            answer.push(Err(EIO));
        }
    } else if fails && !exact && !mirror.handle_errors && failing.contains(&0) {
        // Once the region is out of sync, a write goes to the default leg alone
        // (`do_writes`). Without `handle_errors` that is still leg 0, and its
        // error reaches the application.
        for answer in &mut answers {
            answer.push(Err(EIO));
        }
    }

    let certain = exact || !fails || held;
    // Once a region is out of sync, a later write to it goes to the default leg
    // alone. Where errors are handled that is a leg without an error
    // (`fail_mirror`), else it stays leg 0.
    let holders = match () {
        () if surviving.is_empty() => failing.clone(),
        () if mirror.handle_errors => surviving.clone(),
        () if !failing.contains(&0) => vec![0],
        () => (0..case.legs.count).collect(),
    };

    let repeat = u32::from(held);
    let asked = |leg: u8| match (exact, failing.contains(&leg)) {
        (true, true) => (1, 1),
        (true, false) => (1 + repeat, 1 + repeat),
        (false, _) if !fails => (1, 1),
        (false, _) => (0, 1 + repeat),
    };
    let mut health = vec!["A"; legs];
    for &leg in &failing {
        health[usize::from(leg)] = if exact || failing.len() == 1 {
            "D"
        } else {
            "AD"
        };
    }
    let fires = failing
        .iter()
        .take(if exact { legs } else { 1 })
        .filter_map(|&leg| indices(case, |fault| fails_write(fault, leg)).next())
        .collect();
    Expectation {
        answers,
        held,
        units: units
            .iter()
            .map(|&unit| UnitExpectation {
                unit,
                order: None,
                good: if certain {
                    surviving.clone()
                } else {
                    Vec::new()
                },
                one_of: if certain { Vec::new() } else { holders.clone() },
                asked: (0..case.legs.count).map(asked).collect(),
            })
            .collect(),
        health,
        loses_sync: fails,
        partial: fails
            && exact
            && splits(case, units)
            && case.faults.iter().all(|fault| fault.op == Op::Write),
        fires,
        ..Expectation::undisturbed(case)
    }
}
