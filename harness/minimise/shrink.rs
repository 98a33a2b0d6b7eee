//! The single steps from a case to a smaller one. What they make need not be valid.

use halfway_case::{Case, Controller, Fault, Stack};
use halfway_protocol::io::Op;
use halfway_scsi::FaultReport;

/// Which part of the I/O is left when it gets shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its beginning; what lay behind it moves to its last sector.
    First,
    /// Its end; what lay before it moves to its first sector.
    Last,
    /// All of it, closer together: what lay in its middle lies there again.
    Scaled,
}

/// All faults, those that the I/O does not meet included.
pub(crate) fn faults(case: &mut Case) -> impl Iterator<Item = &mut Fault> {
    let others = case.other_faults.iter_mut().map(|other| &mut other.fault);
    case.faults.iter_mut().chain(others)
}

/// Calls `change` with every sector that a fault or a hold names.
fn sectors(case: &mut Case, change: impl Fn(u64) -> u64) {
    for fault in faults(case) {
        fault.sector = change(fault.sector);
    }
    for hold in &mut case.holds {
        hold.sector = change(hold.sector);
    }
}

/// The case with an I/O of `length` sectors, at least 1 and less than it has.
pub(crate) fn shorter(case: &Case, length: u64, part: Part) -> Case {
    let mut case = case.clone();
    let (start, before) = (case.io.sector, case.io.sectors.max(1));
    let (last, cut) = (length.saturating_sub(1), before.saturating_sub(length));
    case.io.sectors = length;
    case.io.overlap = case.io.overlap.min(last);
    case.io.requests = case
        .io
        .requests
        .min(u32::try_from(length).unwrap_or(u32::MAX));
    match part {
        Part::First => sectors(&mut case, |sector| sector.min(start + last)),
        Part::Last => {
            case.io.sector = start + cut;
            sectors(&mut case, |sector| sector.max(start + cut));
        }
        Part::Scaled => sectors(&mut case, |sector| {
            let offset = u128::from(sector.saturating_sub(start));
            let scaled = offset * u128::from(length) / u128::from(before);
            start + u64::try_from(scaled).unwrap_or(last).min(last)
        }),
    }
    case
}

/// The case with its I/O at `sector`, and everything that it meets with it.
pub(crate) fn moved(case: &Case, sector: u64) -> Case {
    let mut case = case.clone();
    let from = std::mem::replace(&mut case.io.sector, sector);
    sectors(&mut case, |other| sector + other.saturating_sub(from));
    case
}

/// The case with another operation, in the faults of the I/O too.
pub(crate) fn of_op(case: &Case, op: Op) -> Case {
    let mut case = case.clone();
    let before = std::mem::replace(&mut case.io.op, op);
    case.io.dsync &= op == Op::Write;
    let of_io = case.faults.iter_mut().filter(|fault| fault.op == before);
    of_io.for_each(|fault| fault.op = op);
    case
}

/// The case with its legs on another controller. Only the target has reports.
pub(crate) fn on(case: &Case, controller: Controller) -> Case {
    let mut case = case.clone();
    case.legs.controller = controller;
    for fault in faults(&mut case) {
        fault.report = match controller {
            Controller::Target => fault.report.or(Some(FaultReport::default())),
            _ => None,
        };
    }
    case
}

/// The case without one of its legs, or of a nested stack without one leg's paths. What
/// happened to it is gone; those behind it move up.
pub(crate) fn without_leg(case: &Case, leg: u8) -> Case {
    let mut case = case.clone();
    let ways = case.stack.nested().map_or(1, |paths| paths.count.max(1));
    let gone = leg * ways..(leg + 1) * ways;
    let moved_up = |disk: u8| if disk >= gone.end { disk - ways } else { disk };
    case.faults.retain(|fault| !gone.contains(&fault.leg));
    (case.other_faults).retain(|other| !gone.contains(&other.fault.leg));
    faults(&mut case).for_each(|fault| fault.leg = moved_up(fault.leg));
    case.holds.retain(|hold| hold.leg != leg);
    for hold in &mut case.holds {
        hold.leg -= u8::from(hold.leg > leg);
    }
    case.legs.count = case.legs.count.saturating_sub(ways);
    let mut index = 0;
    case.legs.offset.retain(|_| {
        index += 1;
        !gone.contains(&(index - 1))
    });
    case
}

/// The case without the last path of each leg; with two, without the multipaths.
pub(crate) fn with_fewer_paths(case: &Case) -> Option<Case> {
    let mut case = case.clone();
    let Stack::Raid1(mirror) = &mut case.stack else {
        return None;
    };
    let paths = mirror.paths.as_mut()?;
    let (before, after) = (paths.count, paths.count - 1);
    let members = case.legs.count / before.max(1);
    paths.count = after;
    if after < 2 {
        mirror.paths = None;
    }
    case.legs.count = members * after;
    let offset = (case.legs.offset.iter()).step_by(before.into()).copied();
    case.legs.offset = offset
        .flat_map(|one| std::iter::repeat_n(one, after.into()))
        .collect();
    case.faults.retain(|fault| fault.leg % before < after);
    (case.other_faults).retain(|other| other.fault.leg % before < after);
    faults(&mut case).for_each(|fault| fault.leg = fault.leg / before * after + fault.leg % before);
    Some(case)
}

/// The case without the things with these numbers: faults, other faults, and holds, in
/// this order.
pub(crate) fn without_things(case: &Case, gone: std::ops::Range<usize>) -> Case {
    let mut case = case.clone();
    let mut index = 0;
    let mut stays = || {
        index += 1;
        !gone.contains(&(index - 1))
    };
    case.faults.retain(|_| stays());
    case.other_faults.retain(|_| stays());
    case.holds.retain(|_| stays());
    for (index, hold) in case.holds.iter_mut().enumerate() {
        hold.place = hold.place.min(u8::try_from(index).unwrap_or(u8::MAX));
    }
    case
}

/// How many things [`without_things`] counts.
pub(crate) fn things(case: &Case) -> usize {
    case.faults.len() + case.other_faults.len() + case.holds.len()
}
