//! What device-mapper concluded, and whether everything came back.

use super::{Scene, difference, fired};
use crate::model;
use crate::units::Unit;
use halfway_case::Remedy;
use halfway_case::observation::{Command, Liveness, Repair};
use halfway_case::stack::{Regions, Target};
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::io::{IoState, Op};
use halfway_protocol::message::DmStatus;

/// The status line that the model speaks of. It is the last one, except for a
/// mirror that was repaired: that mirror has another table, and the line from
/// before the repair counts.
pub fn line<'a>(scene: &'a Scene<'_>) -> Option<&'a DmStatus> {
    match repaired(scene) {
        Some(repair) => Some(&repair.status),
        None => scene.seen.status.as_ref(),
    }
}

/// The repair, if it gave the stack another table. A mirror does not notice that a multipath
/// beneath it was repaired.
fn repaired<'a>(scene: &'a Scene<'_>) -> Option<&'a Repair> {
    let another = scene.case.stack.target().remedy() == Remedy::TableWithoutFailed;
    scene.seen.repair.as_ref().filter(|_| another)
}

pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    if let Liveness::Dirty(why) = &scene.seen.liveness {
        found.push(difference(
            Witness::Liveness,
            format!("the stack could not be taken down: {why}"),
        ));
    }
    match (scene.expected.held, &scene.seen.repair) {
        (true, None) => found.push(difference(
            Witness::Liveness,
            "the I/O was completed, and a correct kernel holds it for an operator",
        )),
        (false, Some(_)) => found.push(difference(
            Witness::Liveness,
            "the I/O was held for an operator, and a correct kernel completes it",
        )),
        _ => {}
    }
    found.extend(status(scene));
    found.extend(beneath(scene));
    found.extend(initialising(scene));
    found.extend(untold(scene));
    found
}

/// Whoever waits for an event of the device (dmeventd, multipathd) must get one
/// for each reported failure of a leg. A disk log sends events of its own
/// (`disk_flush`).
fn untold(scene: &Scene<'_>) -> Option<Difference> {
    let before = scene.seen.events_before?;
    let failed = scene
        .expected
        .health
        .iter()
        .any(|health| !health.contains('A'));
    // A path that multipathd has reinstated since had failed too.
    let reinstated = scene.case.stack.no_path_retry().is_some();
    let failed = failed || reinstated && !scene.expected.fires.is_empty();
    let tells = model::tells_of_failures(scene.case);
    (tells && failed && line(scene)?.event == before).then(|| {
        difference(
            Witness::Status,
            "a leg failed, and device-mapper sent no event of it",
        )
    })
}

fn status(scene: &Scene<'_>) -> Vec<Difference> {
    let lower = scene.case.stack.lower();
    let of_status = |text: String| difference(Witness::Status, text);
    let text = line(scene)
        .and_then(|status| status.targets.first())
        .map_or("there is none", String::as_str);
    let Some(shown) = scene.case.stack.target().status(text) else {
        return vec![of_status(format!("the status cannot be read: {text}"))];
    };
    let health = &shown.health;
    let mut found = Vec::new();
    for (leg, (health, correct)) in health.iter().zip(&scene.expected.health).enumerate() {
        if !correct.contains(*health) {
            let correct = either(correct);
            found.push(of_status(format!(
                "{lower} {leg} is {health}, correct is {correct}"
            )));
        }
    }
    if health.len() != scene.expected.health.len() {
        found.push(of_status(format!(
            "{} {lower}s have a health",
            health.len()
        )));
    }
    let letter = |log: Option<char>| log.map_or("none".to_owned(), String::from);
    if shown.log != scene.expected.log {
        found.push(of_status(format!(
            "the log is {}, correct is {}",
            letter(shown.log),
            letter(scene.expected.log)
        )));
    }
    found.extend(
        shown
            .regions
            .and_then(|regions| out_of_sync(scene, regions)),
    );
    let correct = scene.expected.active_group;
    if correct.is_some() && shown.active_group != correct {
        let group = |index: Option<usize>| {
            index.map_or("none".to_owned(), |index| format!("group {}", index + 1))
        };
        let (active, correct) = (group(shown.active_group), group(correct));
        found.push(of_status(format!(
            "the active priority group is {active}, correct is {correct}"
        )));
    }
    found
}

/// The kernel's table shows how it was told to initialise priority groups.
/// Without a hardware handler nothing else shows that.
fn initialising(scene: &Scene<'_>) -> Option<Difference> {
    let features = scene.case.stack.multipath()?.initialising();
    let table = scene.seen.table.as_deref().unwrap_or("there is none");
    let missing = features.iter().find(|feature| !table.contains(*feature))?;
    Some(difference(
        Witness::Status,
        format!("the table as the kernel shows it lacks {missing}: {table}"),
    ))
}

/// What the multipaths beneath a mirror concluded: exactly the paths that
/// failed are shown as failed.
fn beneath(scene: &Scene<'_>) -> Vec<Difference> {
    let Some(paths) = scene.case.stack.nested() else {
        return Vec::new();
    };
    let of_status = |text: String| difference(Witness::Status, text);
    let mut found = Vec::new();
    for (leg, correct) in scene
        .expected
        .beneath
        .chunks(paths.count.into())
        .enumerate()
    {
        let line = scene.seen.beneath.get(leg);
        let text = (line.and_then(|status| status.targets.first()))
            .map_or("there is none", String::as_str);
        let health = (paths.multipath.status(text)).map(|status| status.health);
        let Some(health) = health.filter(|health| health.len() == correct.len()) else {
            found.push(of_status(format!(
                "the status of leg {leg}'s multipath cannot be read: {text}"
            )));
            continue;
        };
        for (path, (health, correct)) in health.iter().zip(correct).enumerate() {
            if !correct.contains(*health) {
                let correct = either(correct);
                found.push(of_status(format!(
                    "leg {leg} path {path} is {health}, correct is {correct}"
                )));
            }
        }
    }
    found
}

fn either(characters: &str) -> String {
    let all: Vec<String> = characters.chars().map(String::from).collect();
    all.join(" or ")
}

/// Whether a failure of the disk came after the status that the model speaks of.
/// A mirror that was repaired goes on without the legs that had failed. If the
/// application makes its requests one after the other, those behind the held
/// one come only then.
fn failed_later(scene: &Scene<'_>, disk: u8) -> bool {
    let Some(repair) = repaired(scene) else {
        return false;
    };
    let text = repair.status.targets.first().map_or("", String::as_str);
    let health = scene.case.stack.health(text).unwrap_or_default();
    let leg = usize::from(scene.case.leg_of(disk));
    let either = (scene.expected.health.get(leg)).is_some_and(|health| health.contains('A'));
    either && health.get(leg) == Some(&'A')
}

/// Regions with a failed write, which lose their sync, in order.
pub fn unsynced(scene: &Scene<'_>) -> Vec<u64> {
    let case = scene.case;
    let Some(region) = case.stack.target().region_size().map(u64::from) else {
        return Vec::new();
    };
    let mut lost: Vec<u64> = Vec::new();
    if scene.expected.loses_sync && case.op_on_legs() == Op::Write {
        for disk in (0..case.legs.count).filter(|disk| !failed_later(scene, *disk)) {
            let failed = scene.asked(disk).filter(|entry| {
                let counts = match entry.command {
                    Command::Write => true,
                    Command::Flush => case.io.dsync,
                    _ => false,
                };
                counts
                    && entry.result.is_some_and(|result| result != 0)
                    && !fired::is_absorbed(scene, entry)
            });
            for mut entry in failed {
                if entry.command == Command::Flush {
                    // A flush has no sectors: it belongs to the one write.
                    (entry.sector, entry.sectors) = (case.io.sector, case.io.sectors);
                }
                // The whole unit is marked, and it lies in one region.
                lost.extend(
                    scene
                        .expected
                        .units
                        .iter()
                        .filter(|unit| {
                            unit.unit.meets(Unit {
                                sector: entry.sector,
                                sectors: entry.sectors,
                            })
                        })
                        .map(|unit| unit.unit.sector / region),
                );
            }
        }
    }
    lost.sort_unstable();
    lost.dedup();
    lost
}

/// Exactly the regions with a failed write or recovery must be out of sync.
fn out_of_sync(scene: &Scene<'_>, shown: Regions) -> Option<Difference> {
    let case = scene.case;
    let region = case.stack.target().region_size().map(u64::from)?;
    // The guest's trace tells which regions a failure belongs to. If the trace
    // has holes, the case is inconclusive (`fired`).
    if scene.seen.seen.lost > 0 {
        return None;
    }
    let mut lost = unsynced(scene);
    lost.extend(model::unrecovered(case));
    lost.sort_unstable();
    lost.dedup();
    let correct = shown.all.saturating_sub(lost.len() as u64);
    let regions = case.legs.sectors.div_ceil(region);
    if shown.all != regions {
        return Some(difference(
            Witness::Status,
            format!("the mirror counts {} regions, it has {regions}", shown.all),
        ));
    }
    (shown.in_sync != correct).then(|| {
        difference(
            Witness::Status,
            format!(
                "{} of {} regions are in sync, correct is {correct}: a region is out of sync when \
                 and only when a write to it failed, or its recovery",
                shown.in_sync, shown.all
            ),
        )
    })
}

/// For an I/O that never came back: what a suspension without flush and a
/// resume showed, that is whether the mirror went on with the I/O. It only adds
/// words; the verdict stays a hang.
fn after_suspend(scene: &Scene<'_>) -> Option<(&'static str, Difference)> {
    let after_suspend = scene.seen.after_suspend.as_ref()?;
    let line = after_suspend
        .status
        .as_ref()
        .and_then(|status| status.targets.first());
    let health = line.and_then(|line| scene.case.stack.health(line));
    // A leg that shows a failure again has been asked again.
    let failed_again = health.is_some_and(|health| health.iter().any(|leg| *leg != 'A'));
    let (words, text) = match &after_suspend.io {
        IoState::Done(_) => (
            ": held, and forgotten",
            "a suspension without flush and a resume brought it back: the mirror held it, and had \
             forgotten why",
        ),
        _ if failed_again => (
            ": held, and forgotten",
            "a suspension without flush and a resume made the mirror try it again: it was held, \
             and the failure that it was held for forgotten",
        ),
        _ if after_suspend.status.is_none() => (
            ": lost",
            "a suspension without flush never ended: the mirror does not hold the I/O, it is lost",
        ),
        _ => (
            ": lost",
            "a suspension without flush and a resume changed nothing: the mirror does not hold \
             the I/O, it is lost",
        ),
    };
    Some((words, difference(Witness::Liveness, text)))
}

/// What hangs, in words.
pub fn of_hang(scene: &Scene<'_>) -> (String, Vec<Difference>) {
    let after = if scene.seen.repair.is_some() {
        ", even after a repair"
    } else {
        ""
    };
    let mut differences = Vec::new();
    let pending = match scene.seen.last_io() {
        Some(IoState::Pending { pending, stacks }) => {
            for stack in stacks {
                differences.push(difference(Witness::Liveness, stack.clone()));
            }
            *pending
        }
        Some(IoState::Quiet { pending }) => *pending,
        Some(IoState::Done(_)) | None => 0,
    };
    // A mirror that retries in circles looks silent from above.
    let asked: usize = (0..scene.case.legs.count)
        .map(|leg| scene.asked(leg).count())
        .sum();
    differences.push(difference(
        Witness::Journal,
        format!(
            "the {}s were asked {asked} times in all",
            scene.case.stack.lower()
        ),
    ));
    if let Some(status) = line(scene) {
        differences.push(difference(Witness::Status, status.targets.join("; ")));
    }
    let what = match scene.case.io.op {
        Op::Read => "read",
        Op::Write => "write",
        Op::Flush => "write or flush",
        Op::Discard => "discard",
        Op::WriteZeroes => "write-zeroes",
    };
    let forgotten = after_suspend(scene).map(|(words, difference)| {
        differences.push(difference);
        words
    });
    let after = forgotten.unwrap_or(after);
    let reason = format!("{pending} {what} request(s) never came back{after}");
    (reason, differences)
}
