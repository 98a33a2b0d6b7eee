//! Device-mapper tables of a case.

use crate::storage;
use halfway_case::facts;
use halfway_case::observation::Member;
use halfway_case::{Case, Log, Multipath, QueueMode, Raid1, Stack, Sync};
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
        .any(|case| case.stack.raid1().is_some())
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
        let table = Target {
            sectors,
            ..multipath(case, &paths.multipath, &disks)
        };
        (beneath_name(leg), table)
    })
    .collect()
}

/// The table of a case's dm device.
pub fn table(case: &Case) -> Target {
    match &case.stack {
        Stack::Raid1(stack) => mirror(case, stack, 0..case.members()),
        Stack::Multipath(stack) => {
            let paths: Vec<u8> = (0..case.legs.count).collect();
            multipath(case, stack, &paths)
        }
    }
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

/// The table over paths (`multipath_ctr` in drivers/md/dm-mpath.c): features, no
/// hardware handler, the priority groups, the first one to use; for each its
/// selector without arguments, and for each path after how many I/Os the
/// selector chooses anew.
fn multipath(case: &Case, stack: &Multipath, paths: &[u8]) -> Target {
    let mode = match stack.queue_mode {
        QueueMode::Bio => "bio",
        QueueMode::Rq => "rq",
        QueueMode::Mq => "mq",
    };
    let mut features = vec!["queue_mode", mode];
    if stack.queue_if_no_path {
        features.push("queue_if_no_path");
    }
    let groups: Vec<&[u8]> = paths.chunks(stack.path_grouping.size().into()).collect();
    let initialising = stack.initialising();
    features.extend(initialising.iter().flat_map(|feature| feature.split(' ')));
    let mut words = vec![features.len().to_string()];
    words.extend(features.iter().map(ToString::to_string));
    words.extend(["0".to_owned(), groups.len().to_string(), "1".to_owned()]);
    for group in groups {
        let selector = stack.path_selector.name();
        words.push(format!("{selector} 0 {} 1", group.len()));
        words.extend(group.iter().map(|path| format!("{} 1", device(*path))));
    }
    target(case, "multipath", words)
}

/// The mirror's table (Documentation of its parameters: `mirror_ctr` in
/// drivers/md/dm-raid1.c, `core_ctr` and `disk_ctr` in drivers/md/dm-log.c).
fn mirror(case: &Case, stack: &Raid1, order: impl ExactSizeIterator<Item = u8>) -> Target {
    let mut log = Vec::new();
    if stack.log == Log::Disk {
        log.push("{log}".to_owned());
    }
    log.push(stack.region_size.to_string());
    if stack.sync == Sync::Nosync {
        log.push("nosync".to_owned());
    }
    let kind = match stack.log {
        Log::Core => "core",
        Log::Disk => "disk",
    };
    let mut features = Vec::new();
    if stack.handle_errors {
        features.push("handle_errors");
    }
    if stack.keep_log {
        features.push("keep_log");
    }
    let mut words = vec![kind.to_owned(), log.len().to_string()];
    words.extend(log);
    words.extend(legs(case, order));
    if !features.is_empty() {
        words.push(features.len().to_string());
        words.extend(features.iter().map(ToString::to_string));
    }
    target(case, "mirror", words)
}

/// The table that has the kernel synchronise all legs from the first one of
/// `order`. `None` where it is no mirror.
pub fn resynchronised(case: &Case, order: &[u8]) -> Option<Target> {
    let stack = Raid1 {
        sync: Sync::Synced,
        ..case.stack.raid1()?.clone()
    };
    Some(mirror(case, &stack, order.iter().copied()))
}

/// The table without the `failed` legs, as lvconvert --repair would load it: a
/// smaller mirror, or what is left of it. `None` when no leg is left.
pub fn repaired(case: &Case, failed: &[u8]) -> Option<Target> {
    let left: Vec<u8> = (0..case.members())
        .filter(|leg| !failed.contains(leg))
        .collect();
    match left[..] {
        [] => None,
        [_] => {
            let words = legs(case, left.into_iter()).split_off(1);
            Some(target(case, "linear", words))
        }
        _ => {
            let region = case.stack.raid1()?.region_size;
            let mut words = vec!["core".to_owned(), "2".to_owned(), region.to_string()];
            words.push("nosync".to_owned());
            words.extend(legs(case, left.into_iter()));
            Some(target(case, "mirror", words))
        }
    }
}

fn legs(case: &Case, which: impl ExactSizeIterator<Item = u8>) -> Vec<String> {
    let mut words = vec![which.len().to_string()];
    for index in which {
        words.push(leg(case, index));
        words.push(facts::offset(case, case.disk(index, 0)).to_string());
    }
    words
}

fn target(case: &Case, kind: &str, words: Vec<String>) -> Target {
    Target {
        start: 0,
        sectors: case.legs.sectors,
        kind: kind.to_owned(),
        params: words.join(" "),
    }
}
