//! A disk that was unplugged with a request in flight: was it unplugged, and
//! does it serve again once it is plugged in again?

use super::medium::{self, Holds};
use super::{Scene, difference};
use crate::model;
use halfway_case::facts;
use halfway_case::observation::{Command, Entry, Layer, Member, PluggedAgain};
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::content::SECTOR;
use halfway_protocol::io::{IoState, Op, OpReport};

/// Why the case proves nothing of an unplugged disk; `None` if it proves
/// something. This must be asked first, since otherwise another case was
/// played.
pub fn inconclusive_unplug(scene: &Scene<'_>) -> Option<String> {
    let leg = facts::unplugged_leg(scene.case)?;
    if scene.seen.meanwhile.is_none() {
        return Some("the request that was to be held never reached its disk".to_owned());
    }
    let whole = model::whole(scene.case);
    let command = Command::from(scene.case.io.op);
    let given_up = |entry: &Entry| {
        (entry.command, entry.sector, entry.sectors) == (command, whole.sector, whole.sectors)
            && entry.result.is_some_and(|result| result != 0)
    };
    if !scene.asked(leg).any(|entry| given_up(&entry)) {
        return Some(format!(
            "QEMU has not given up a request of all of the I/O to leg {leg}: it had ended before \
             the disk was unplugged, or was in pieces"
        ));
    }
    match &scene.seen.unplugged {
        None => Some(format!("nobody looked what became of leg {leg}")),
        Some(unplugged) if !unplugged.gone => Some(format!(
            "leg {leg} was unplugged, and the guest kept it in its list of disks"
        )),
        Some(unplugged) if unplugged.again.is_none() => {
            Some(format!("leg {leg} was not plugged again"))
        }
        Some(_) => None,
    }
}

/// QEMU's message, if it aborted because a disk was unplugged during a read,
/// and this disk is known for that.
pub fn abort<'a>(scene: &Scene<'a>) -> Option<&'a str> {
    let unplug = scene.case.legs.controller.profile().hot_unplug.ok()?;
    let said = unplug.aborts_reads?;
    let reads = scene.case.io.op == Op::Read && facts::unplugged_leg(scene.case).is_some();
    let mut lines = scene.seen.qemu_stderr.lines();
    lines.find(|line| reads && line.contains(said) && line.contains("Assertion"))
}

/// With the same table loaded again, the disk that came back is like any other:
/// all disks are sound, and reads are served by the first.
pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    let unplugged = scene.seen.unplugged.as_ref();
    let Some(again) = unplugged.and_then(|unplugged| unplugged.again.as_ref()) else {
        return Vec::new();
    };
    let found = health(scene, again).into_iter();
    found.chain(read(scene, again)).collect()
}

fn health(scene: &Scene<'_>, again: &PluggedAgain) -> Option<Difference> {
    let line = again.status.targets.first().map_or("", String::as_str);
    let health = scene.case.stack.health(line).unwrap_or_default();
    let sound = health.len() == usize::from(scene.case.members())
        && health.iter().all(|letter| *letter == 'A');
    (!sound).then(|| {
        let text = format!("with the disk plugged again and the table loaded again it is {line}");
        difference(Witness::Status, text)
    })
}

/// While nothing has failed, `choose_mirror` takes the first leg, and
/// `choose_pgpath` with a group for each path takes the first path.
const FIRST: u8 = 0;

fn read(scene: &Scene<'_>, again: &PluggedAgain) -> Option<Difference> {
    let IoState::Done(report) = &again.io else {
        let text = "a read never came back with the disk plugged again";
        return Some(difference(Witness::Liveness, text));
    };
    let parts = scene.case.io.parts();
    if report.ops.len() != parts.len() {
        let text = "the read with the disk plugged again was another one than was asked for";
        return Some(difference(Witness::Application, text));
    }
    for ((sector, sectors), op) in parts.into_iter().zip(&report.ops) {
        if op.result != Ok(sectors * SECTOR as u64) {
            let text = format!(
                "a read of {sector}+{sectors} with the disk plugged again was answered {:?}",
                op.result
            );
            return Some(difference(Witness::Application, text));
        }
        if let Some(wrong) = unlike(scene, sector, sectors, op) {
            let text = format!("read with the disk plugged again, {wrong}");
            return Some(difference(Witness::Content, text));
        }
    }
    let range = model::whole(scene.case);
    let offset = model::offset(scene.case, FIRST);
    let served = |entry: &Entry| {
        (entry.member, entry.layer) == (Member::Leg(FIRST), Layer::Device)
            && entry.command == Command::Read
            && entry.result == Some(0)
            && (entry.sector, entry.sectors) == (range.sector + offset, range.sectors)
    };
    (!again.journal.iter().any(served)).then(|| {
        let lower = scene.case.stack.lower();
        let text =
            format!("{lower} {FIRST} was not asked for what was read with the disk plugged again");
        difference(Witness::Journal, text)
    })
}

/// What is wrong with the result of a read. It must be what the I/O wrote, or
/// what lay on the first leg.
fn unlike(scene: &Scene<'_>, first: u64, sectors: u64, op: &OpReport) -> Option<String> {
    let correct = match scene.case.io.op {
        Op::Write => Holds::New,
        _ => Holds::Old,
    };
    let offset = model::offset(scene.case, FIRST);
    let mut examined = 0;
    for span in &op.content {
        examined += span.sectors;
        for step in 0..span.sectors {
            let sector = first + span.at + step;
            match medium::holds(scene, FIRST, sector, sector + offset, &span.what, step) {
                Ok(holds) if holds == correct => {}
                Ok(_) => return Some(format!("sector {sector} is of another time")),
                Err(what) => return Some(format!("sector {sector} {what}")),
            }
        }
    }
    (examined != sectors).then(|| format!("only {examined} sectors of {sectors} came"))
}
