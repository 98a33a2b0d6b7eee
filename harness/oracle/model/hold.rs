//! What becomes of a request that is in flight while something is done to its
//! stack: a correct kernel ends it as if nothing had been done, whole and once.

use super::{Expectation, Unknown};
use crate::oracle::units;
use crate::scenario::case::{
    Case, Ending, Fault, Hold, Meanwhile, PathGrouping, Stack, Sync, Times,
};
use halfway_protocol::io::{Op, Path};

pub fn knows(case: &Case) -> Result<(), Unknown> {
    let Some(hold) = &case.hold else {
        return Ok(());
    };
    if !case.faults.is_empty() || !case.aside.is_empty() {
        return Err(Unknown("a request is held, and others fail"));
    }
    let pieces = units::nominal(&case.io.parts(), &case.boundaries());
    let one = pieces.len() == 1 && case.io.requests == 1 && case.io.path == Path::Direct;
    if !one || case.io.dsync || case.linear.is_some() {
        return Err(Unknown(
            "a request of an I/O in several pieces is held; which of the others pass it depends on \
             timing",
        ));
    }
    match &case.stack {
        Stack::Multipath(multipath) => {
            if multipath.path_grouping != PathGrouping::Failover || hold.leg != 0 {
                return Err(Unknown(
                    "the first path of the first group gets the request: hold it there",
                ));
            }
        }
        Stack::Raid1(mirror) => {
            if case.io.op == Op::Read && hold.leg != 0 {
                return Err(Unknown("a mirror reads from leg 0 first: hold it there"));
            }
            let fails = hold.then == Ending::Eio && case.io.op == Op::Write;
            if fails && hold.meanwhile != Meanwhile::Nothing || mirror.sync != Sync::Nosync {
                return Err(Unknown(
                    "a mirror that is resumed recovers what it has lost; how far it has come \
                     depends on timing",
                ));
            }
        }
    }
    Ok(())
}

/// The case without the hold, and with the failure that it ends in.
pub fn without(case: &Case, hold: &Hold) -> Case {
    let mut other = case.clone();
    other.hold = None;
    if hold.then == Ending::Eio {
        other.faults.push(Fault {
            leg: hold.leg,
            op: case.io.op,
            sector: hold.sector,
            times: Times::Count(1),
            errno: 5,
            report: None,
        });
    }
    other
}

/// `expected` is what is right where nothing is done meanwhile.
pub fn expect(case: &Case, hold: &Hold, expected: Expectation) -> Expectation {
    let leg = usize::from(hold.leg);
    let fails = hold.then == Ending::Eio;
    let mut expected = Expectation {
        fires: Vec::new(),
        partial: false,
        ..expected
    };
    match hold.meanwhile {
        Meanwhile::Nothing | Meanwhile::Suspend | Meanwhile::SuspendNoflush => {}
        // `fail_path` does not touch what is in flight. A group that was left is
        // only looked for again when there is something to map.
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
    // A suspension stops the queue of requests (`dm_stop_queue`): one that fails
    // then is mapped when it is resumed, by the table that is there then.
    let request_based = match &case.stack {
        Stack::Multipath(multipath) => multipath.queue_mode.is_request_based(),
        Stack::Raid1(_) => false,
    };
    if hold.meanwhile == Meanwhile::Reload && fails && request_based {
        for unit in &mut expected.units {
            unit.order = None;
            unit.asked.fill((0, 1));
            unit.asked[leg] = (1, 2);
        }
    }
    expected
}
