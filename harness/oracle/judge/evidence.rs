//! The evidence for a verdict, in the words of the witnesses.

use super::{Scene, contract, given_up, other_faults, progress, state, stop, words};
use halfway_case::observation::{Command, Entry, Layer, Member};
use halfway_case::timeout;
use halfway_case::verdict::Evidence;
use halfway_protocol::io::Op;
use halfway_protocol::trace::{Dev, Kind};

/// How many lines of one witness are kept with a verdict at most. The record of
/// a failed case has them all.
const LINES: usize = 12;

pub fn gather_evidence(scene: &Scene<'_>) -> Evidence {
    let mut entries: Vec<_> = scene
        .seen
        .journal
        .iter()
        .filter(|entry| is_telling(entry) && matches!(entry.member, Member::Leg(_)))
        .collect();
    // The two layers have no common clock, so each is listed for itself.
    entries.sort_by_key(|entry| (entry.layer == Layer::Medium, entry.order));
    let lines = entries.iter().map(|entry| {
        let name = match entry.member {
            Member::Leg(disk) => scene.name(disk),
            Member::Log => entry.member.to_string(),
        };
        format!("{name} {}", words::entry_words(entry))
    });
    let of_leg = |dev: Dev| (0..scene.case.legs.count).any(|leg| scene.leg_dev(leg) == Some(dev));
    let trace = scene.seen.seen.trace.iter();
    let events = trace.filter(|event| {
        if event.is_passthrough() {
            return false;
        }
        let of_dm = scene
            .seen
            .dm
            .as_ref()
            .is_some_and(|(dm, _)| *dm == event.dev);
        match event.kind {
            // sd hands a request back to itself with a completion of no
            // sectors.
            Kind::RqComplete => {
                (event.sectors > 0 || !scene.failure_handling.progress) && of_leg(event.dev)
            }
            Kind::RqRequeue => {
                let tells = scene.failure_handling.progress || timeout::asks_again(scene.case);
                tells && of_leg(event.dev)
            }
            Kind::BioComplete => of_dm,
            // With many small bios these events would fill all the lines.
            Kind::BioQueue | Kind::Split => of_dm && scene.case.io.requests == 1,
            _ => false,
        }
    });
    Evidence {
        journal: cut(other_faults::evidence(scene).chain(lines)),
        trace: cut(events.map(ToString::to_string)),
        status: state::line(scene)
            .map(|status| status.targets.join("; "))
            .unwrap_or_default(),
        contract: contract::contract_words(scene),
    }
}

/// Which entries are worth telling: all of the device's; of the medium's only
/// what the device journal does not have, without the successful flushes, since
/// QEMU flushes by itself too.
fn is_telling(entry: &Entry) -> bool {
    match (entry.layer, entry.command) {
        (Layer::Device, _) => true,
        (Layer::Medium, Command::Flush) => entry.result != Some(0),
        (Layer::Medium, Command::Discard | Command::WriteZeroes) => true,
        (Layer::Medium, Command::Read | Command::Write) => false,
    }
}

fn cut(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = lines.collect();
    if kept.len() > LINES {
        let more = kept.len() - (LINES - 1);
        kept.truncate(LINES - 1);
        kept.push(format!("… and {more} more"));
    }
    kept
}

/// What a pass has shown, in one line.
pub fn shown(scene: &Scene<'_>) -> String {
    if scene.expected.refused {
        return "refused before it reached the target, as it must be".to_owned();
    }
    let shared = scene.case.stack.shares_medium();
    let lower = scene.case.stack.lower();
    let failed = |leg: u8| {
        scene
            .asked(leg)
            .filter(|entry| entry.result.is_some_and(|result| result != 0))
            .count()
    };
    let legs = (0..scene.case.legs.count)
        .filter(|leg| failed(*leg) > 0)
        .map(|leg| {
            let progress = match scene.failure_handling.progress {
                true => progress::progress_words(scene, leg),
                false => String::new(),
            };
            let name = scene.case.stack.disk_name(leg);
            format!("{name} failed {} request(s){progress}", failed(leg))
        });
    // A request that its driver gave up and retried was never seen to fail, so
    // no leg is said to have failed.
    let legs = legs.filter(|_| !timeout::asks_again(scene.case));
    let failures = other_faults::other_fault_words(scene)
        .chain(stop::stop_words(scene))
        .chain(legs);
    let failures: Vec<String> = given_up::timeout_words(scene)
        .into_iter()
        .chain(failures)
        .collect();
    let failure = match failures.is_empty() {
        true => format!("no {lower} failed"),
        false => failures.join(", "),
    };
    let told_error = scene
        .report()
        .is_some_and(|report| report.ops.iter().any(|op| op.result.is_err()));
    let rest = match (scene.case.io.op, told_error) {
        (_, true) => "the application was told".to_owned(),
        (Op::Read, false) if shared => "the data came whole".to_owned(),
        (Op::Read, false) => {
            let from = scene
                .expected
                .units
                .iter()
                .flat_map(|unit| unit.good.iter());
            let mut from: Vec<u8> = from.copied().collect();
            from.sort_unstable();
            from.dedup();
            format!(
                "the data came whole from {}",
                super::content::legs(&scene.legs(&from))
            )
        }
        (Op::Flush, false) => "a good one was flushed before the application went on".to_owned(),
        (Op::Discard, false) => "the rest was discarded, and nothing was given up".to_owned(),
        (Op::Write | Op::WriteZeroes, false) if shared => {
            "the data lie whole on the disk".to_owned()
        }
        (Op::Write | Op::WriteZeroes, false) if scene.expected.held => {
            "the write was held, and whole on the other legs after the repair".to_owned()
        }
        (Op::Write | Op::WriteZeroes, false) => "the data lie whole on the other legs".to_owned(),
    };
    let tended = match scene.case.stack.no_path_retry() {
        Some(_) => ", and multipathd had every path back in the end",
        None => "",
    };
    format!("{failure}; {rest}{tended}")
}
