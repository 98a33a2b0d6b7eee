//! Device-mapper tables of a case.

use crate::storage;
use halfway_case::Case;
use halfway_case::facts;
use halfway_case::observation::Member;
use halfway_case::stack::{Devices, Lower, Table, Target as _};
use halfway_protocol::message::Target;
use halfway_protocol::trace::Dev;

/// Name of the dm device in the guest.
pub const NAME: &str = "halfway";

/// Name of the linear device on top of it, in cases that have one.
pub const TOP: &str = "halfway-top";

/// Name of the idle mirror that a machine keeps.
pub const SPARE: &str = "halfway-spare";

/// The table of the idle mirror, one page of the first two legs, for machines
/// that serve mirrors.
pub fn spare<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Option<Target> {
    let mut cases = cases.into_iter();
    cases
        .any(|case| case.stack.target().has_copies())
        .then(|| Target {
            start: 0,
            sectors: 8,
            kind: "mirror".to_owned(),
            params: "core 2 8 nosync 2 {leg0} 0 {leg1} 0".to_owned(),
        })
}

/// A disk in a table or a message: the guest puts the device's number there.
pub fn device(disk: u8) -> String {
    format!("{{{}}}", storage::serial(Member::Leg(disk)))
}

/// The same for a leg of a mirror: a disk, or the multipath over its paths.
fn leg(case: &Case, leg: u8) -> String {
    match case.stack.nested() {
        Some(_) => format!("{{{}}}", beneath_name(leg)),
        None => device(leg),
    }
}

/// Name of a multipath of the case, if it has any.
pub fn a_multipath(case: &Case) -> Option<String> {
    case.stack.multipath()?;
    Some(match case.stack.nested() {
        Some(_) => beneath_name(0),
        None => NAME.to_owned(),
    })
}

/// Name of the multipath that a mirror's leg is.
fn beneath_name(leg: u8) -> String {
    format!("{NAME}-leg{leg}")
}

/// The multipaths that must be there before the mirror over them is, with their
/// names; empty where its legs are disks.
pub fn beneath(case: &Case) -> Vec<(String, Target)> {
    let Some(paths) = case.stack.nested() else {
        return Vec::new();
    };
    let legs = 0..case.members();
    legs.map(|leg| {
        let disks: Vec<u8> = (case.disk(leg, 0)..case.disk(leg + 1, 0)).collect();
        let sectors = case.legs.sectors + facts::offset(case, disks[0]);
        let lower = disks.iter().map(|disk| Lower {
            device: device(*disk),
            offset: 0,
        });
        let table = paths.multipath.table(&devices(lower.collect()));
        (beneath_name(leg), line(sectors, table))
    })
    .collect()
}

/// The table of a case's dm device.
pub fn table(case: &Case) -> Target {
    let all: Vec<u8> = (0..case.members()).collect();
    line(
        case.legs.sectors,
        case.stack.target().table(&of(case, &all)),
    )
}

/// The dm device that the application uses.
pub fn top(case: &Case) -> &'static str {
    if case.linear.is_some() { TOP } else { NAME }
}

/// The linear device on top of the stack's `dev`: every segment lies where it
/// would without it, so that sectors keep their numbers.
pub fn linear(case: &Case, dev: Dev) -> Vec<Target> {
    let Some(each) = case.linear else {
        return Vec::new();
    };
    let starts = (0..case.legs.sectors).step_by(each as usize);
    starts
        .map(|start| Target {
            start,
            sectors: each.min(case.legs.sectors - start),
            kind: "linear".to_owned(),
            params: format!("{dev} {start}"),
        })
        .collect()
}

/// The table that has the kernel synchronise all legs from the first one of
/// `order`. `None` where it is no mirror.
pub fn resynchronised(case: &Case, order: &[u8]) -> Option<Target> {
    let table = case.stack.target().resynchronised(&of(case, order))?;
    Some(line(case.legs.sectors, table))
}

/// The table without the `failed` legs, with which an operator goes on. `None`
/// when no leg is left.
pub fn repaired(case: &Case, failed: &[u8]) -> Option<Target> {
    let left: Vec<u8> = (0..case.members())
        .filter(|leg| !failed.contains(leg))
        .collect();
    let table = case.stack.target().without_failed(&of(case, &left))?;
    Some(line(case.legs.sectors, table))
}

/// These legs, or paths, of the stack's own target.
fn of(case: &Case, members: &[u8]) -> Devices {
    let lower = members.iter().map(|member| Lower {
        device: leg(case, *member),
        offset: facts::offset(case, case.disk(*member, 0)),
    });
    devices(lower.collect())
}

fn devices(lower: Vec<Lower>) -> Devices {
    Devices {
        lower,
        log: "{log}".to_owned(),
    }
}

fn line(sectors: u64, table: Table) -> Target {
    Target {
        start: 0,
        sectors,
        kind: table.kind.to_owned(),
        params: table.params,
    }
}
