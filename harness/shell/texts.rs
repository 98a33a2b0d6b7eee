//! The texts that the guest's commands print.

use crate::results::text;
use halfway_case::Lower;
use halfway_case::Verdict;
use halfway_case::errno::errno_name;
use halfway_case::observation::{Command, Entry, Layer, Member, Observation};
use halfway_case::{Case, During};
use halfway_oracle::model;
use halfway_protocol::io::IoState;
use std::fmt::Write;

/// How many lines of a list are printed.
const LINES: usize = 8;

/// The state of the faults: whether they are armed, and which requests they have failed.
pub fn fault(case: &Case, armed: bool, journal: &[Entry]) -> String {
    let mut text = String::new();
    let state = if armed { "armed" } else { "disarmed" };
    for fault in &case.faults {
        let _ = writeln!(text, "{state}: {}", Lower(fault, &case.stack));
    }
    for other in &case.other_faults {
        let state = match other.during {
            During::Io => state,
            During::SetUp => "over",
        };
        let _ = writeln!(text, "{state}: {}", Lower(other, &case.stack));
    }
    for hold in &case.holds {
        let _ = writeln!(text, "during halfway-io only: {}", Lower(hold, &case.stack));
    }
    if text.is_empty() {
        text.push_str("This case has no fault.\n");
    }
    let failed: Vec<&Entry> = journal.iter().filter(|entry| is_failure(entry)).collect();
    let _ = writeln!(
        text,
        "{} failed since the stack was built{}",
        match failed.len() {
            0 => "No request has".to_owned(),
            1 => "1 request has".to_owned(),
            count => format!("{count} requests have"),
        },
        if failed.is_empty() { "." } else { ":" }
    );
    let hidden = failed.len().saturating_sub(LINES);
    if hidden > 0 {
        let _ = writeln!(text, "  … {hidden} before these");
    }
    for entry in &failed[hidden..] {
        let _ = writeln!(text, "  {}", of_disk(case, entry));
    }
    text
}

/// Whether a fault failed this request. Reads and writes are failed by blkdebug, above
/// the medium; all other commands are failed by the medium itself.
fn is_failure(entry: &Entry) -> bool {
    let layer = match entry.command {
        Command::Read | Command::Write => Layer::Device,
        Command::Flush | Command::Discard | Command::WriteZeroes => Layer::Medium,
    };
    entry.layer == layer && entry.result.is_some_and(|result| result != 0)
}

/// A request to a disk. Its sectors are those of the dm device.
fn of_disk(case: &Case, entry: &Entry) -> String {
    let mut entry = *entry;
    let name = match entry.member {
        Member::Leg(leg) => {
            entry.sector = entry.sector.wrapping_sub(model::offset(case, leg));
            case.stack.disk_name(leg)
        }
        Member::Log => entry.member.to_string(),
    };
    format!("{name} {}", halfway_oracle::entry_words(&entry))
}

/// The result of the case's I/O, and the judge's verdict on it.
pub fn io(case: &Case, seen: &Observation, verdict: &Verdict, changed: Option<&str>) -> String {
    let mut text = match &case.soak {
        Some(soak) => format!("{soak}\n"),
        None => format!("{}: {}\n", case.io, answer(seen.last_io())),
    };
    let of_operator = seen.repair.iter().flat_map(|repair| &repair.interventions);
    let meanwhile = seen.meanwhile.iter().flatten();
    for intervention in meanwhile.chain(&seen.unit_resets).chain(of_operator) {
        let _ = writeln!(
            text,
            "the host, as an operator: {}",
            text::line(intervention)
        );
    }
    let _ = writeln!(text, "{}: {}", verdict.outcome, text::line(&verdict.reason));
    for difference in verdict.differences.iter().skip(1) {
        let witness = difference.witness;
        let _ = writeln!(text, "  {witness}: {}", text::line(&difference.text));
    }
    let evidence = &verdict.evidence;
    let status = match evidence.status.is_empty() {
        true => Vec::new(),
        false => vec![evidence.status.clone()],
    };
    for (title, lines) in [
        ("journal of the disks", &evidence.journal),
        ("tracepoints", &evidence.trace),
        ("dmsetup status", &status),
    ] {
        if !lines.is_empty() {
            let _ = writeln!(text, "{title}:");
        }
        for line in lines {
            let _ = writeln!(text, "  {}", text::line(line));
        }
    }
    if let Some(why) = changed {
        let _ = writeln!(
            text,
            "The judge takes the stack for new, and it is not: {why}. `halfway-reset` builds it anew."
        );
    }
    text
}

/// The result that the application got.
fn answer(state: Option<&IoState>) -> String {
    let report = match state {
        Some(IoState::Done(report)) => report,
        Some(IoState::Quiet { pending } | IoState::Pending { pending, .. }) => {
            return format!("{pending} not come back");
        }
        None => return "not done".to_owned(),
    };
    let answers = report.ops.iter().take(LINES).map(|op| match op.result {
        Ok(bytes) => format!("{bytes} bytes"),
        Err(errno) => match errno_name(errno) {
            Some(name) => name.to_owned(),
            None => format!("errno {errno}"),
        },
    });
    let more = if report.ops.len() > LINES {
        ", …"
    } else {
        ""
    };
    answers.collect::<Vec<_>>().join(", ") + more
}
