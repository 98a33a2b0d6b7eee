//! A comparison as JSON, for scripts: all cases that differ.

use super::pairs::{Comparison, Differs, Evidences};
use crate::results::{Ended, Ran};
use halfway_case::verdict::Evidence;
use halfway_case::{Outcome, Signature};
use serde::Serialize;
use std::io::{self, Write};

/// The version of this format.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Whole<'a> {
    format: u32,
    a: Run<'a>,
    b: Run<'a>,
    same: u64,
    both: u64,
    pairs: Vec<Pair<'a>>,
    only_a: Vec<&'a str>,
    only_b: Vec<&'a str>,
    times: Vec<Times<'a>>,
}

#[derive(Serialize)]
struct Run<'a> {
    record: &'a str,
    release: &'a str,
    qemu: &'a str,
    cases: usize,
}

#[derive(Serialize)]
struct Pair<'a> {
    id: &'a str,
    scenario: &'a str,
    differs: Differs,
    journal: bool,
    trace: bool,
    a: Side<'a>,
    b: Side<'a>,
}

#[derive(Serialize)]
struct Side<'a> {
    outcome: Outcome,
    reason: &'a str,
    signature: Option<&'a Signature>,
    millis: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a Evidence>,
}

#[derive(Serialize)]
struct Times<'a> {
    scenario: &'a str,
    cases: usize,
    median_ms: [u64; 2],
    z: f64,
}

/// Writes the comparison; `evidence` is that of the cases to show, in A and in B.
///
/// # Errors
/// `out` cannot be written.
pub fn write(
    comparison: &Comparison<'_>,
    evidence: &(Evidences, Evidences),
    out: &mut dyn Write,
) -> io::Result<()> {
    let pairs = comparison.pairs.iter().map(|pair| Pair {
        id: &pair.a.id,
        scenario: &pair.a.scenario,
        differs: pair.differs,
        journal: pair.journal,
        trace: pair.trace,
        a: side(pair.a, &evidence.0),
        b: side(pair.b, &evidence.1),
    });
    let times = comparison.times.iter().map(|(scenario, times)| Times {
        scenario,
        cases: times.pairs,
        median_ms: [times.medians.0, times.medians.1],
        z: times.z,
    });
    let whole = Whole {
        format: FORMAT,
        a: run(comparison.a),
        b: run(comparison.b),
        same: comparison.both - comparison.pairs.len() as u64,
        both: comparison.both,
        pairs: pairs.collect(),
        only_a: ids(&comparison.only_a),
        only_b: ids(&comparison.only_b),
        times: times.collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    writeln!(out)
}

fn ids<'a>(cases: &[&'a Ended]) -> Vec<&'a str> {
    cases.iter().map(|case| &*case.id).collect()
}

fn run(run: &Ran) -> Run<'_> {
    Run {
        record: &run.path,
        release: run.release(),
        qemu: &run.manifest.qemu.version,
        cases: run.cases.len(),
    }
}

fn side<'a>(case: &'a Ended, evidence: &'a Evidences) -> Side<'a> {
    Side {
        outcome: case.outcome,
        reason: &case.reason,
        signature: case.signature.as_ref(),
        millis: case.millis,
        evidence: evidence.get(&case.id),
    }
}
