//! What a correct kernel leaves behind, and whether this one does.

use super::{around, disk, doing, label, setting};
use crate::runner::stack;
use halfway_case::facts::offset;
use halfway_case::stack::Remedy;
use halfway_case::{Case, Vector};
use halfway_oracle::model::{Expectation, UnitExpectation};
use halfway_oracle::units::Unit;
use halfway_protocol::content::SECTOR;
use halfway_protocol::io::{Op, Path};

/// The lines from the waiting for the I/O to the end.
pub fn lines(case: &Case, expected: &Expectation) -> Vec<String> {
    let mut lines = vec![String::new()];
    let operator = operator(case, expected);
    if expected.held {
        lines.push("# A correct kernel holds it, until somebody acts.".to_owned());
        lines
            .push("answered 3 && differs \"the I/O was completed, and should be held\"".to_owned());
    } else {
        lines.push("answered \"$PATIENCE\" || {".to_owned());
        lines.push("  differs \"the I/O never came back\"".to_owned());
        lines.push("  dmsetup status recipe".to_owned());
        lines.push("  ended".to_owned());
        lines.push("}".to_owned());
    }
    lines.push("sleep 0.5".to_owned());
    lines.push("dmsetup status recipe".to_owned());
    lines.extend(status(case, expected));
    lines.extend(refused(case));
    if expected.held {
        lines.push(String::new());
        lines.push("# An operator acts.".to_owned());
        if operator.is_empty() {
            lines.push("ended".to_owned());
            return lines;
        }
        lines.extend(setting::mended(case));
        lines.extend(operator);
        lines.push("answered \"$PATIENCE\" || {".to_owned());
        lines.push("  differs \"the I/O never came back, whoever acts\"".to_owned());
        lines.push("  ended".to_owned());
        lines.push("}".to_owned());
    }
    lines.push(String::new());
    lines.push("# The answers, and the data.".to_owned());
    for (index, allowed) in expected.answers.iter().enumerate() {
        let good = allowed.iter().any(Result::is_ok);
        let bad = allowed.iter().any(Result::is_err);
        let word = match (good, bad) {
            (true, false) => "good",
            (false, true) => "error",
            _ => "any",
        };
        lines.push(format!("answer {index} {word}"));
    }
    if !expected.held {
        lines.extend(setting::mended(case));
    }
    match case.io.op {
        Op::Read => lines.extend(read(case, expected)),
        Op::Write => lines.extend(written(case, expected)),
        Op::Flush | Op::Discard | Op::WriteZeroes => {}
    }
    lines.push("ended".to_owned());
    lines
}

/// Memory that a kernel may refuse: then nothing was done.
fn refused(case: &Case) -> Vec<String> {
    if case.io.vector != Vector::Unaligned || case.io.path != Path::Direct {
        return Vec::new();
    }
    let lines = [
        "if [ \"$(cat \"$work/answer.0\" 2>/dev/null)\" = 1 ]; then",
        "  echo \"This kernel refuses such memory, and may do so.\"",
        "  ended",
        "fi",
    ];
    lines.map(str::to_owned).into()
}

/// The patterns of the status line.
fn status(case: &Case, expected: &Expectation) -> Vec<String> {
    let letters = |allowed: &str| format!("[{allowed}]");
    match case.stack.target().region_size() {
        Some(_) => {
            let health: String = expected.health.iter().map(|one| letters(one)).collect();
            let (word, pattern) = match expected.loses_sync {
                true => ("not all", "="),
                false => ("all", "!="),
            };
            vec![
                format!("status recipe '* 1 {health} *'"),
                "regions=$(in_sync recipe)".to_owned(),
                format!("if [ \"${{regions%/*}}\" {pattern} \"${{regions#*/}}\" ]; then"),
                format!("  differs \"$regions regions are in sync; of a correct kernel {word}\""),
                "fi".to_owned(),
            ]
        }
        None => (0u8..)
            .zip(&expected.health)
            .map(|(path, health)| {
                let name = disk(path);
                format!(
                    "status recipe \"* $(number \"${name}\") {} *\"",
                    letters(health)
                )
            })
            .collect(),
    }
}

/// What an operator does for an I/O that is held; empty if nothing helps.
fn operator(case: &Case, expected: &Expectation) -> Vec<String> {
    let failed: Vec<u8> = (0u8..)
        .zip(&expected.health)
        .filter(|(_, health)| !health.contains('A'))
        .map(|(leg, _)| leg)
        .collect();
    match case.stack.target().remedy() {
        Remedy::TableWithoutFailed => match stack::repaired(case, &failed) {
            Some(table) if !failed.is_empty() => vec![format!(
                "echo \"0 {} {} {}\" | table recipe",
                table.sectors,
                table.kind,
                setting::params(&table.params)
            )],
            _ => Vec::new(),
        },
        Remedy::ReinstatedPath => failed
            .iter()
            .map(|path| {
                let name = disk(*path);
                format!("dmsetup message recipe 0 \"reinstate_path $(number \"${name}\")\"")
            })
            .collect(),
        Remedy::PathBeneath | Remedy::Multipathd => Vec::new(),
    }
}

/// Where two ranges meet.
fn common(one: Unit, other: Unit) -> Option<Unit> {
    let start = one.sector.max(other.sector);
    let end = one.end().min(other.end());
    (start < end).then(|| Unit {
        sector: start,
        sectors: end - start,
    })
}

/// What each request read must have come whole from one of the good legs, unit by unit.
fn read(case: &Case, expected: &Expectation) -> Vec<String> {
    let (_, ops) = case
        .io
        .requests(u64::from(case.legs.logical_block_size) / SECTOR as u64);
    let mut lines = Vec::new();
    for (index, op) in ops.iter().enumerate() {
        let all_good =
            (expected.answers.get(index)).is_some_and(|all| all.iter().all(Result::is_ok));
        if !all_good {
            continue;
        }
        let request = Unit {
            sector: op.sector,
            sectors: doing::sectors(op),
        };
        for unit in &expected.units {
            let Some(part) = common(unit.unit, request).filter(|_| !unit.good.is_empty()) else {
                continue;
            };
            let skip = part.sector - request.sector;
            lines.push(format!(
                "came {} {} \"$work/got.{index}\" {skip} {}",
                part.sector,
                part.sectors,
                labels(case, &unit.good)
            ));
        }
    }
    lines
}

fn labels(case: &Case, legs: &[u8]) -> String {
    let mut labels: Vec<String> = Vec::new();
    for leg in legs {
        let label = format!("\"{}\"", label(case, *leg));
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels.join(" ")
}

/// The legs hold what was written, and around it what was there.
fn written(case: &Case, expected: &Expectation) -> Vec<String> {
    let whole = expected.answers.iter().flatten().all(Result::is_ok);
    if !case.stack.target().has_copies() {
        // Each path is a disk of its own here, so the data lie on one of them.
        return if whole { of_one_path(case) } else { Vec::new() };
    }
    let (first, end) = around(case);
    let count = end.saturating_sub(first);
    let io = halfway_oracle::model::whole(case);
    let mut lines = Vec::new();
    for leg in 0..case.legs.count {
        lines.push(format!(
            "get \"${}\" {} {count} >\"$work/now\"",
            disk(leg),
            first + offset(case, leg)
        ));
        let holds = |unit: &&UnitExpectation| unit.good.contains(&leg);
        for unit in expected.units.iter().filter(holds).filter(|_| whole) {
            let Some(part) = common(unit.unit, io) else {
                continue;
            };
            let skip = part.sector - first;
            lines.push(format!(
                "came {} {} \"$work/now\" {skip} written",
                part.sector, part.sectors
            ));
        }
        for (from, to) in [(first, io.sector), (io.end(), end)] {
            if from < to {
                let skip = from - first;
                lines.push(format!(
                    "came {from} {} \"$work/now\" {skip} \"{}\"",
                    to - from,
                    label(case, leg)
                ));
            }
        }
    }
    lines
}

fn of_one_path(case: &Case) -> Vec<String> {
    let Unit { sector, sectors } = halfway_oracle::model::whole(case);
    let paths: Vec<String> = (0..case.legs.count)
        .map(|path| format!("\"${}\"", disk(path)))
        .collect();
    vec![
        "found=0".to_owned(),
        format!("sectors {sector} {sectors} written >\"$work/right\""),
        format!("for path in {}; do", paths.join(" ")),
        format!("  get \"$path\" {sector} {sectors} >\"$work/now\""),
        "  if cmp -s \"$work/now\" \"$work/right\"; then found=1; fi".to_owned(),
        "done".to_owned(),
        "[ $found = 1 ] || differs \"what was acknowledged lies whole on no path's disk\""
            .to_owned(),
    ]
}
