//! The corpus: cases of the catalogue as real kernels ran them, judged again
//! without a guest. A wrong expectation shows here in seconds.
//!
//! `cases.jsonl.gz` has one case in each line, with its observation and the
//! outcome that it must have. It is rebuilt from run records, for instance
//! those of `halfway run scenarios --sample 420 --record all`, by
//!
//! ```text
//! UPDATE_CORPUS=results/runs/latest cargo test --release --lib the_corpus_grows -- --ignored
//! ```
//!
//! Several records are separated by colons. A case that is in the corpus
//! already, from a kernel with the same first two numbers, is replaced.
//! `random.jsonl.gz` has random cases that were judged wrongly once, and grows
//! in the same way by `UPDATE_RANDOM`. New fields of a case or an observation
//! need a `serde(default)`, so that older records can still be read.

mod tamper;

use super::model::Environment;
use super::{judge, knows};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use halfway_case::Case;
use halfway_case::observation::Observation;
use halfway_case::timeout;
use halfway_case::verdict::Outcome;
use halfway_case::{Controller, Ending};
use halfway_protocol::io::Op;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::LazyLock;

const CASES: &[u8] = include_bytes!("cases.jsonl.gz");
const RANDOM: &[u8] = include_bytes!("random.jsonl.gz");

/// A case of a corpus with its observation and outcome.
#[derive(Serialize, Deserialize)]
struct Recorded {
    outcome: Outcome,
    case: Case,
    observation: Observation,
}

static RECORDED: LazyLock<Vec<Recorded>> = LazyLock::new(|| recorded(CASES));

fn recorded(packed: &[u8]) -> Vec<Recorded> {
    let lines = BufReader::new(GzDecoder::new(packed)).lines();
    let read = |(line, number): (std::io::Result<String>, u32)| {
        let line = line.expect("the corpus is gzip of text");
        serde_json::from_str(&line).unwrap_or_else(|error| {
            panic!(
                "line {number} of the corpus cannot be read ({error}): does a new field of a \
                 case or an observation lack its serde(default)?"
            )
        })
    };
    lines.zip(1..).map(read).collect()
}

#[test]
fn recorded_cases_are_judged_as_they_were() {
    let random = recorded(RANDOM);
    let wrong: Vec<String> = (RECORDED.iter().chain(&random))
        .filter_map(|one| {
            if let Err(unknown) = knows(&one.case) {
                return Some(format!("{}: {unknown}", one.case.id));
            }
            let verdict = judge(&one.case, &one.observation);
            (verdict.outcome != one.outcome).then(|| {
                format!(
                    "{}: {} when it was recorded, {} now: {}",
                    one.case.id, one.outcome, verdict.outcome, verdict.reason
                )
            })
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} recorded cases are judged otherwise than they were; where the oracle is right now, \
         record them anew (harness/oracle/corpus/mod.rs):\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}

/// The corpus must have cases of all kinds; else passing it says little.
#[test]
fn the_corpus_is_of_all_kinds() {
    let recorded = &*RECORDED;
    let count = |what: &str, is: &dyn Fn(&Case) -> bool| {
        let count = recorded.iter().filter(|one| is(&one.case)).count();
        assert!(count > 0, "the corpus has no case with {what}");
    };
    let controllers = recorded.iter().map(|one| one.case.legs.controller);
    let controllers: BTreeSet<Controller> = controllers.collect();
    assert!(controllers.len() >= 15, "only {controllers:?}");
    for op in [Op::Read, Op::Write, Op::Flush, Op::Discard, Op::WriteZeroes] {
        for mirror in [true, false] {
            count(&format!("{op:?}, mirror {mirror}"), &|case| {
                case.io.op == op && case.stack.target().has_copies() == mirror
            });
        }
    }
    count("another fault", &|case| !case.other_faults.is_empty());
    count("a report", &|case| {
        case.faults.iter().any(|fault| fault.report.is_some())
    });
    count("a mirror of multipaths", &|case| {
        case.stack.nested().is_some()
    });
    count("several held requests", &|case| case.holds.len() > 1);
    count(
        "a request that was given up and asked for again",
        &timeout::asks_again,
    );
    for ending in [Ending::Ok, Ending::Eio] {
        count("a held request", &|case| {
            case.holds.iter().any(|hold| hold.then == ending)
        });
    }
    let passes = recorded.iter().filter(|one| one.outcome == Outcome::Pass);
    assert!(passes.count() >= 300);
}

/// A case that passed must not pass once anything in its observation is made
/// wrong.
#[test]
fn tampered_cases_do_not_pass() {
    let recorded = &*RECORDED;
    let mut unnoticed = Vec::new();
    for (name, tamper) in tamper::ALL {
        let mut tampered = 0;
        for one in recorded.iter().filter(|one| one.outcome == Outcome::Pass) {
            let mut observation = one.observation.clone();
            if tamper(&one.case, &mut observation).is_none() {
                continue;
            }
            tampered += 1;
            if judge(&one.case, &observation).outcome == Outcome::Pass {
                unnoticed.push(format!("{name}: {}", one.case.id));
            }
        }
        assert!(tampered > 0, "no case can be tampered with: {name}");
    }
    assert!(
        unnoticed.is_empty(),
        "{} tampered cases pass:\n{}",
        unnoticed.len(),
        unnoticed.join("\n")
    );
}

#[derive(Deserialize)]
struct CaseFile {
    case: Case,
    observation: Option<Observation>,
}

/// Not a test: writes the corpus, as described at the top of this file.
#[test]
#[ignore = "no test, but what makes the corpus of the records that UPDATE_CORPUS or UPDATE_RANDOM names"]
fn the_corpus_grows_on_demand() {
    grow("UPDATE_CORPUS", CASES, "cases.jsonl.gz");
    grow("UPDATE_RANDOM", RANDOM, "random.jsonl.gz");
}

fn grow(variable: &str, before: &[u8], name: &str) {
    let Some(records) = std::env::var_os(variable) else {
        return;
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all: BTreeMap<_, Recorded> = BTreeMap::new();
    let key = |one: &Recorded| {
        let release = Environment::release_of(&one.observation.release);
        (one.case.id.clone(), release)
    };
    all.extend(recorded(before).into_iter().map(|one| (key(&one), one)));
    for record in std::env::split_paths(&records) {
        let cases = workspace.join(record).join("cases");
        for entry in fs::read_dir(&cases).expect("a run record") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = fs::read(&path).expect("a readable case");
            let CaseFile { case, observation } = serde_json::from_slice(&text).expect("a case");
            let Some(observation) = observation else {
                continue;
            };
            let verdict = judge(&case, &observation);
            assert!(
                matches!(verdict.outcome, Outcome::Pass | Outcome::Finding),
                "{} is no good example: {}: {}",
                path.display(),
                verdict.outcome,
                verdict.reason
            );
            let outcome = verdict.outcome;
            let one = Recorded {
                outcome,
                case,
                observation,
            };
            all.insert(key(&one), one);
        }
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    for one in all.values() {
        serde_json::to_writer(&mut packed, one).expect("it is packed");
        packed.write_all(b"\n").expect("it is packed");
    }
    let packed = packed.finish().expect("it is packed");
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    fs::write(file, packed).expect("the corpus is written");
}
