//! What a driver does with a bio that it fails, from what was seen of one I/O.

use halfway_oracle::contract::{Account, Life, follow, holes, named};
use halfway_protocol::bio::BioTrace;
use halfway_protocol::io::{IoState, Op};
use halfway_protocol::message::{Refusal, Seen};
use halfway_protocol::trace::{Dev, Kind, TraceEvent};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// What was seen of one I/O on the audited driver.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The operation of the I/O: read or write.
    pub op: Op,
    /// The device number of the driver's device.
    pub dev: Dev,
    /// The disks beneath the device. Empty if the device is itself a disk.
    pub beneath: Vec<Dev>,
    /// How the I/O ended for the application.
    pub io: IoState,
    /// What the guest's tracepoints and kprobes recorded.
    pub seen: Seen,
}

/// An answer with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The answer, in a few words.
    pub answer: String,
    /// The observations that the answer rests on, a line each.
    pub evidence: Vec<String>,
}

/// The answers to the four questions of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Does a failed bio still have its original vector?
    pub vector: Cell,
    /// Does the iterator of a failed bio tell how far it came?
    pub iterator: Cell,
    /// Does the driver ever complete a part of a request by itself?
    pub partial: Cell,
    /// Does the class of the error reach the submitter unchanged?
    pub class: Cell,
}

/// The answer where no bio failed.
const NOT_SHOWN: &str = "not shown";

/// How many lines of evidence an answer keeps.
const LINES: usize = 6;

/// Why what was seen answers nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The kernel does not let bios be watched.
    #[error("bios could not be watched: {0}")]
    Refused(Refusal),
    /// Nobody asked for it.
    #[error("bios were not watched")]
    Unwatched,
    /// Some of what happened is not known.
    #[error("not shown: {0} events were lost")]
    Lost(u64),
    /// Nothing happened on the device.
    #[error("not shown: no bio was seen on {0}")]
    Unseen(String),
}

/// Answers the questions.
///
/// # Errors
/// Why what was seen answers none of them.
pub fn answers(sight: &Sight) -> Result<Answers, Unanswered> {
    let bios = match &sight.seen.bios {
        Some(Ok(bios)) => bios,
        Some(Err(refusal)) => return Err(Unanswered::Refused(refusal.clone())),
        None => return Err(Unanswered::Unwatched),
    };
    let lost = holes(bios, &sight.seen.trace) + sight.seen.lost;
    if lost > 0 {
        return Err(Unanswered::Lost(lost));
    }
    let account = follow(bios);
    let of_op = |life: &&Life| life.dev == sight.dev && life.write == (sight.op == Op::Write);
    let lives: Vec<&Life> = account.lives.iter().filter(of_op).collect();
    if lives.is_empty() {
        return Err(Unanswered::Unseen(named(bios, sight.dev)));
    }
    let failed: Vec<&Life> = lives
        .iter()
        .copied()
        .filter(|life| status(life) != 0)
        .collect();
    Ok(Answers {
        vector: vector(sight, bios, &account, &failed),
        iterator: iterator(&failed),
        partial: partial(sight, &lives),
        class: class(sight, &account, &failed),
    })
}

fn status(life: &Life) -> u8 {
    life.end.map_or(0, |end| end.status)
}

fn nothing_failed() -> Cell {
    Cell {
        answer: NOT_SHOWN.to_owned(),
        evidence: vec!["no bio failed on this device".to_owned()],
    }
}

fn vector(sight: &Sight, bios: &BioTrace, account: &Account, failed: &[&Life]) -> Cell {
    let changed: Vec<String> = account
        .violations
        .iter()
        .filter(|violation| violation.dev == sight.dev)
        .map(|violation| violation.words(bios))
        .collect();
    if !changed.is_empty() {
        return cell("changed", changed);
    }
    if failed.is_empty() {
        return nothing_failed();
    }
    let same = failed.iter().map(|life| {
        let op = if life.write { "write" } else { "read" };
        format!(
            "{op} bio {:#x} on {}: every entry is the same at its end as at its submission",
            life.bio,
            named(bios, life.dev)
        )
    });
    cell("preserved", same.collect())
}

fn iterator(failed: &[&Life]) -> Cell {
    if failed.is_empty() {
        return nothing_failed();
    }
    let mut kinds = BTreeSet::new();
    let mut lines = Vec::new();
    for life in failed {
        let Some(end) = life.end else { continue };
        kinds.insert(match end.iter.bytes {
            left if left == life.submitted.bytes => "untouched: tells nothing",
            0 => "at its end: tells nothing",
            _ => "tells progress",
        });
        lines.push(format!(
            "bio {:#x}: submitted at {}; failed at {}",
            life.bio, life.submitted, end.iter
        ));
    }
    cell(&kinds.into_iter().collect::<Vec<_>>().join(" / "), lines)
}

fn partial(sight: &Sight, lives: &[&Life]) -> Cell {
    let mut lines = Vec::new();
    let mut issued: HashMap<u64, u64> = HashMap::new();
    let on_dev = |event: &&TraceEvent| event.dev == sight.dev && event.sectors > 0;
    let mut requests = 0;
    for event in sight.seen.trace.iter().filter(on_dev) {
        match event.kind {
            Kind::RqIssue => {
                requests += 1;
                issued.insert(event.sector, event.sectors);
            }
            Kind::RqComplete if event.error == 0 => {
                if let Some(whole) = issued.get(&event.sector)
                    && event.sectors < *whole
                {
                    lines.push(format!("{event}, of {whole} sectors that were issued"));
                }
            }
            _ => {}
        }
    }
    if !lines.is_empty() {
        return cell("yes", lines);
    }
    match requests {
        0 => cell(
            "no: it takes bios",
            vec![format!("{} bios, each ended once", lives.len())],
        ),
        _ => cell(
            "no",
            vec![format!(
                "{requests} requests issued, none completed in part"
            )],
        ),
    }
}

fn class(sight: &Sight, account: &Account, failed: &[&Life]) -> Cell {
    let told = match &sight.io {
        IoState::Done(report) => match report.ops.first().map(|op| &op.result) {
            Some(Ok(bytes)) => format!("the application got {bytes} bytes"),
            Some(Err(errno)) => {
                let error = std::io::Error::from_raw_os_error(*errno);
                format!("the application got {error}")
            }
            None => "the application asked nothing".to_owned(),
        },
        IoState::Quiet { .. } | IoState::Pending { .. } => {
            "the application's I/O did not come back".to_owned()
        }
    };
    let names = |lives: &mut dyn Iterator<Item = &Life>| -> BTreeSet<String> {
        let failed = lives.filter(|life| status(life) != 0);
        failed.map(|life| status_name(status(life))).collect()
    };
    let above = names(&mut failed.iter().copied());
    let mut below = account
        .lives
        .iter()
        .filter(|life| sight.beneath.contains(&life.dev));
    let below = names(&mut below);
    let joined = |set: &BTreeSet<String>| {
        let words: Vec<&str> = set.iter().map(String::as_str).collect();
        words.join(" and ")
    };
    let answer = match (below.is_empty(), above.is_empty()) {
        (_, true) => NOT_SHOWN.to_owned(),
        (true, false) => joined(&above),
        (false, false) if below == above => format!("yes: {}", joined(&above)),
        (false, false) => format!("no: {} becomes {}", joined(&below), joined(&above)),
    };
    let completions = sight.seen.trace.iter().filter(|event| {
        event.kind == Kind::RqComplete
            && event.error != 0
            && (event.dev == sight.dev || sight.beneath.contains(&event.dev))
    });
    let mut lines = vec![told];
    lines.extend(completions.map(ToString::to_string));
    cell(&answer, lines)
}

fn cell(answer: &str, evidence: Vec<String>) -> Cell {
    let mut evidence = evidence;
    if evidence.len() > LINES {
        let more = evidence.len() - (LINES - 1);
        evidence.truncate(LINES - 1);
        evidence.push(format!("… and {more} more"));
    }
    Cell {
        answer: answer.to_owned(),
        evidence,
    }
}

/// The name of a `blk_status_t` (include/linux/blk_types.h). Numbers above
/// `BLK_STS_AGAIN` have no name here: they changed between releases.
fn status_name(status: u8) -> String {
    const NAMES: [&str; 13] = [
        "OK",
        "NOTSUPP",
        "TIMEOUT",
        "NOSPC",
        "TRANSPORT",
        "TARGET",
        "RESV_CONFLICT",
        "MEDIUM",
        "PROTECTION",
        "RESOURCE",
        "IOERR",
        "DM_REQUEUE",
        "AGAIN",
    ];
    match NAMES.get(usize::from(status)) {
        Some(name) => (*name).to_owned(),
        None => format!("status {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_oracle::contract::samples::{LEG, TOP, mirror};
    use halfway_protocol::io::{IoReport, OpReport};
    use rstest::rstest;

    fn report(result: Result<u64, i32>) -> IoState {
        let op = OpReport {
            result,
            content: Vec::new(),
            buffer_changed: Vec::new(),
            guard_damage: Vec::new(),
            after: 0,
        };
        IoState::Done(IoReport {
            ops: vec![op],
            micros: 1,
        })
    }

    fn sight(dev: Dev, beneath: &[Dev], bios: BioTrace) -> Sight {
        Sight {
            op: Op::Read,
            dev,
            beneath: beneath.to_vec(),
            io: report(Err(5)),
            seen: Seen {
                bios: Some(Ok(bios)),
                ..Seen::default()
            },
        }
    }

    fn event(kind: Kind, sectors: u64, error: i32) -> TraceEvent {
        TraceEvent {
            ns: 0,
            kind,
            dev: LEG,
            sector: 2048,
            sectors,
            rwbs: "R".into(),
            error,
            from: None,
            task: None,
        }
    }

    #[test]
    fn a_leg_that_fails_and_keeps_the_vector() {
        let found = answers(&sight(LEG, &[], mirror(None).trace)).unwrap();
        assert_eq!(found.vector.answer, "preserved");
        assert_eq!(found.iterator.answer, "untouched: tells nothing");
        assert_eq!(found.partial.answer, "no: it takes bios");
        assert_eq!(found.class.answer, "IOERR");
        assert!(found.class.evidence[0].contains("Input/output error"));
    }

    #[test]
    fn a_leg_that_changes_the_vector_is_told_with_the_entry() {
        let found = answers(&sight(LEG, &[], mirror(Some((1, 2))).trace)).unwrap();
        assert_eq!(found.vector.answer, "changed");
        assert!(found.vector.evidence[0].contains("entry 2"), "{found:?}");
    }

    #[rstest]
    #[case::used_up(0, "at its end: tells nothing")]
    #[case::partly(4096, "tells progress")]
    fn iterators(#[case] left: u32, #[case] expected: &str) {
        let mut bios = mirror(None).trace;
        let failed = bios.events.iter_mut().filter(|event| event.status != 0);
        failed.for_each(|event| event.iter.bytes = left);
        let found = answers(&sight(LEG, &[], bios)).unwrap();
        assert_eq!(found.iterator.answer, expected);
    }

    /// The mirror's own bio ended well, so it shows nothing of a failed bio.
    #[test]
    fn what_did_not_fail_is_not_shown() {
        let found = answers(&sight(TOP, &[LEG], mirror(None).trace)).unwrap();
        for cell in [found.vector, found.iterator, found.class] {
            assert_eq!(cell.answer, NOT_SHOWN);
            assert!(!cell.evidence.is_empty());
        }
    }

    #[rstest]
    #[case::kept(10, "yes: IOERR")]
    #[case::lost(7, "no: IOERR becomes MEDIUM")]
    #[case::unknown(99, "no: IOERR becomes status 99")]
    fn classes(#[case] status: u8, #[case] expected: &str) {
        let mut bios = mirror(None).trace;
        bios.events.last_mut().unwrap().status = status;
        let found = answers(&sight(TOP, &[LEG], bios)).unwrap();
        assert_eq!(found.class.answer, expected);
    }

    #[rstest]
    #[case::part(&[(Kind::RqIssue, 512, 0), (Kind::RqComplete, 252, 0)], "yes")]
    #[case::whole(&[(Kind::RqIssue, 512, 0), (Kind::RqComplete, 512, 0)], "no")]
    #[case::failed(&[(Kind::RqIssue, 512, 0), (Kind::RqComplete, 252, -5)], "no")]
    fn parts_of_requests(#[case] events: &[(Kind, u64, i32)], #[case] expected: &str) {
        let mut sight = sight(LEG, &[], mirror(None).trace);
        let events = events
            .iter()
            .map(|(kind, sectors, error)| event(*kind, *sectors, *error));
        sight.seen.trace = events.collect();
        assert_eq!(answers(&sight).unwrap().partial.answer, expected);
    }

    #[test]
    fn what_was_lost_or_not_watched_answers_nothing() {
        let mut holes = mirror(None).trace;
        holes.lost = 1;
        assert!(
            answers(&sight(LEG, &[], holes))
                .unwrap_err()
                .to_string()
                .contains("1 events were lost")
        );
        let unseen = answers(&sight(Dev(1, 1), &[], mirror(None).trace)).unwrap_err();
        assert!(unseen.to_string().contains("no bio was seen"), "{unseen}");
        let mut blind = sight(LEG, &[], BioTrace::default());
        blind.seen.bios = None;
        assert!(answers(&blind).is_err());
    }
}
