//! dm-raid1, the `mirror` target (drivers/md/dm-raid1.c).

use super::{
    EIO, Expectation, PAGE, UnitExpectation, Unknown, bytes, fault_meets, indices, legs_always,
    legs_with, others, rounded, splits, whole, whole_answers,
};
use crate::oracle::units::{self, Unit};
use crate::scenario::case::{Case, Fault, Raid1};
use halfway_protocol::io::{Op, Path};

pub fn knows(case: &Case, mirror: &Raid1) -> Result<(), Unknown> {
    let pieces = units::nominal(&case.io.parts(), &case.boundaries()).len();
    let pieces_vary = pieces > 1 || case.io.path == Path::Buffered;
    let failing = legs_with(case, Op::Write, whole(case));
    let none_left = failing.len() == usize::from(case.legs.count);
    if case.io.op == Op::Write && pieces_vary && none_left && holds(mirror) {
        return Err(Unknown(
            "every leg fails a part of a write that device-mapper handles in several pieces; \
             whether the mirror holds it or fails it depends on which piece fails first",
        ));
    }
    Ok(())
}

pub fn expect(case: &Case, mirror: &Raid1, units: &[Unit]) -> Expectation {
    match (case.io.op, case.io.path) {
        (Op::Read, Path::Direct) => direct_read(case, mirror, units),
        (Op::Read, Path::Buffered) => buffered_read(case, units),
        (Op::Write, _) => write(case, mirror, units),
    }
}

fn holds(mirror: &Raid1) -> bool {
    mirror.handle_errors && !mirror.keep_log
}

/// The legs that a read of `unit` asks, in order, and whether the last one has
/// the data.
///
/// `choose_mirror` starts at the default leg and goes down, wrapping around,
/// over legs that had an error. `fail_mirror` makes the first leg without an
/// error the default, if errors are handled. Each leg is asked at most once: an
/// error on it is never forgotten while the table stays.
fn read_order(case: &Case, mirror: &Raid1, unit: Unit) -> (Vec<u8>, bool) {
    let legs = case.legs.count;
    let mut failed = vec![false; usize::from(legs)];
    let mut default = 0;
    let mut order = Vec::new();
    loop {
        let mut candidates = (0..legs).map(|step| (default + legs - step) % legs);
        let Some(leg) = candidates.find(|leg| !failed[usize::from(*leg)]) else {
            return (order, false);
        };
        order.push(leg);
        if !case
            .faults
            .iter()
            .any(|fault| fault_meets(fault, Op::Read, leg, unit))
        {
            return (order, true);
        }
        failed[usize::from(leg)] = true;
        if mirror.handle_errors
            && leg == default
            && let Some(valid) = failed.iter().position(|failed| !failed)
        {
            default = valid as u8;
        }
    }
}

fn direct_read(case: &Case, mirror: &Raid1, units: &[Unit]) -> Expectation {
    let legs = usize::from(case.legs.count);
    let mut answers = whole_answers(case);
    let mut expected_units = Vec::new();
    let mut health = vec!["A"; legs];
    let mut fires = Vec::new();

    if let [unit] = *units {
        let (order, found) = read_order(case, mirror, unit);
        let asked_faulty = if found {
            &order[..order.len() - 1]
        } else {
            &order[..]
        };
        for &leg in asked_faulty {
            health[usize::from(leg)] = "R";
            fires.extend(indices(case, |fault| {
                fault_meets(fault, Op::Read, leg, unit)
            }));
        }
        // Of several rules on one leg the first that is met answers.
        fires.dedup_by_key(|index| case.faults[*index].leg);
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
        // Which unit is first to find out that a leg is bad depends on timing,
        // and neighbours merged into one request fail together.
        let faulty = legs_with(case, Op::Read, whole(case));
        for &leg in &faulty {
            health[usize::from(leg)] = "AR";
        }
        if faulty == [0] {
            // Nothing but this leg's own error turns the readers away from it.
            health[0] = "R";
        }
        if faulty.contains(&0) {
            fires.extend(
                indices(case, |fault| fault_meets(fault, Op::Read, 0, whole(case))).take(1),
            );
        }
        let may_fail = faulty.len() == legs;
        for (answer, &(sector, sectors)) in answers.iter_mut().zip(&case.io.parts()) {
            let part = Unit { sector, sectors };
            let mut pieces = units.iter().filter(|unit| unit.meets(part));
            if pieces.any(|unit| legs_always(case, Op::Read, *unit).len() == legs) {
                *answer = vec![Err(EIO)];
            } else if may_fail {
                answer.push(Err(EIO));
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
        refused: false,
        held: false,
        partial: !fires.is_empty() && splits(case, units),
        units: expected_units,
        health,
        active_group: None,
        loses_sync: false,
        fires,
    }
}

/// The page cache reads ahead first; such a bio is not tried on another leg
/// (`REQ_RAHEAD` in `mirror_end_io`). Then it reads the pages that are missing
/// one by one, and those are.
fn buffered_read(case: &Case, units: &[Unit]) -> Expectation {
    let legs = usize::from(case.legs.count);
    let faulty = legs_with(case, Op::Read, rounded(whole(case)));
    let answers = case
        .io
        .parts()
        .iter()
        .map(|&(sector, sectors)| {
            let lost_page = |page: &u64| {
                let page = Unit {
                    sector: page * PAGE,
                    sectors: PAGE,
                };
                legs_always(case, Op::Read, page).len() == legs
            };
            let pages = sector / PAGE..(sector + sectors).div_ceil(PAGE);
            match pages.into_iter().find(lost_page) {
                None => vec![Ok(bytes(sectors))],
                Some(page) if page * PAGE <= sector => vec![Err(EIO)],
                // What was read before the error counts (read(2)).
                Some(page) => vec![Ok(bytes(page * PAGE - sector))],
            }
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
        refused: false,
        held: false,
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
        active_group: None,
        loses_sync: false,
        partial: false,
        fires,
    }
}

/// A write goes to all legs at once through dm-io (`do_write`). If a leg fails
/// it, the region loses its sync, and the write is completed, held for an
/// operator, or, with no leg left, failed (`do_failures`).
fn write(case: &Case, mirror: &Raid1, units: &[Unit]) -> Expectation {
    let legs = usize::from(case.legs.count);
    let range = whole(case);
    let failing = legs_with(case, Op::Write, range);
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
        // Once the region is out of sync, a write goes to the default leg
        // alone (`do_writes`), which is still leg 0, and its error is the
        // application's.
        for answer in &mut answers {
            answer.push(Err(EIO));
        }
    }

    let certain = exact || !fails || held;
    // Once a region is out of sync, a later write to it goes to the default leg
    // alone: a leg without an error where errors are handled (`fail_mirror`),
    // else leg 0 for ever.
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
        .filter_map(|&leg| indices(case, |fault| fault_meets(fault, Op::Write, leg, range)).next())
        .collect();
    Expectation {
        answers,
        refused: false,
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
        active_group: None,
        loses_sync: fails,
        partial: fails && exact && splits(case, units),
        fires,
    }
}
