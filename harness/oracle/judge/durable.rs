//! Is what was to be durable flushed? A disk may keep what it was given in a
//! volatile cache until it is told to flush (`REQ_PREFLUSH`, `REQ_FUA`:
//! Documentation/block/writeback_cache_control.rst).

use super::{Scene, completions, difference};
use crate::model;
use halfway_case::observation::{Command, Entry, Layer, Member};
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::io::{Op, Path};

/// If the application got success, a flush must have reached each medium that
/// counts after the last write to it.
pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    let relied_on = relied_on(scene).into_iter();
    relied_on.filter_map(|leg| unflushed(scene, leg)).collect()
}

/// The media that must hold everything that was written, since the application
/// got success.
fn relied_on(scene: &Scene<'_>) -> Vec<u8> {
    let io = &scene.case.io;
    let durable = io.dsync || io.path == Path::Buffered || io.op == Op::Flush;
    let acknowledged = scene
        .report()
        .is_some_and(|report| report.ops.iter().all(|op| op.result.is_ok()));
    if scene.case.op_on_legs() != Op::Write || !durable || !acknowledged {
        return Vec::new();
    }
    model::media(scene.case)
        .filter(|leg| scene.case.stack.shares_medium() || is_sound(scene, *leg))
        .collect()
}

/// A device that lied, in words: it got a write with `REQ_FUA`, which must be
/// on the medium before the answer, answered success and did not flush. The
/// kernel has done its part then, so [`differences`] does not blame it for that
/// disk.
pub fn lie(scene: &Scene<'_>) -> Option<String> {
    (relied_on(scene).into_iter()).find_map(|leg| lie_of(scene, leg))
}

fn lie_of(scene: &Scene<'_>, leg: u8) -> Option<String> {
    let written = last_unflushed(scene, leg)?;
    let mut ways = model::ways_to(scene.case, leg);
    if scene.failure_handling.keeps_flushes
        && let Some(way) = ways.find(|way| completions::has_flushed(scene, *way))
    {
        return Some(format!(
            "{}: its driver counts on it to flush by itself, and it did not",
            scene.name(way)
        ));
    }
    model::ways_to(scene.case, leg).find_map(|way| {
        let first = written.sector.wrapping_sub(model::offset(scene.case, way));
        let mut told = completions::completions(scene, way)
            .filter(|done| done.forced && done.ok && done.range.covers(first));
        told.next().map(|done| {
            format!(
                "{}: it told the kernel that {done} is on its medium (REQ_FUA), and did not flush",
                scene.name(way)
            )
        })
    })
}

/// Whether a leg counts. A leg that has failed does not.
fn is_sound(scene: &Scene<'_>, leg: u8) -> bool {
    scene.expected.health[usize::from(leg / scene.case.ways())] == "A"
}

fn unflushed(scene: &Scene<'_>, leg: u8) -> Option<Difference> {
    let written = last_unflushed(scene, leg)?;
    lie_of(scene, leg).is_none().then(|| {
        difference(
            Witness::Medium,
            format!(
                "leg {leg}: {}+{} of the disk was acknowledged as durable, and no flush reached \
                 it afterwards",
                written.sector, written.sectors
            ),
        )
    })
}

/// The last write that reached the medium of a leg, if no flush has reached it
/// since.
fn last_unflushed(scene: &Scene<'_>, leg: u8) -> Option<Entry> {
    let ways = model::ways_to(scene.case, leg);
    let reached = |command: Command| {
        let of_medium = |entry: &&Entry| {
            entry.layer == Layer::Medium
                && entry.command == command
                && entry.result == Some(0)
                && matches!(entry.member, Member::Leg(way) if ways.contains(&way))
        };
        let entries = scene.seen.journal.iter().filter(of_medium);
        entries.max_by_key(|entry| entry.order).copied()
    };
    let written = reached(Command::Write)?;
    let flushed = reached(Command::Flush).map(|entry| entry.order);
    (flushed < Some(written.order)).then_some(written)
}
