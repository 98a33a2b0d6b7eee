//! Runs cases in a given order until one of them shows what is looked for.
//!
//! Unlike the runner, which puts cases of one kind of machine together, this keeps the
//! order: the first cases are the most promising ones.
//!
//! * [`lead`]: from a report's text to those cases.
//! * `kernel_text`: what a kernel wrote during a case.
//! * [`run_in_order`]: runs them.

mod kernel_text;
pub mod lead;

pub use kernel_text::{console, reports};

use crate::lab::{LabError, room::Room};
use halfway_case::observation::Observation;
use halfway_case::{Case, Signature, Verdict};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// After how many machines in a row that did not come up no more are tried.
const MACHINES: u32 = 3;

/// A case that was run.
pub struct Tried<'a> {
    /// The case.
    pub case: &'a Case,
    /// How many cases were run up to and with this one.
    pub number: u64,
    /// What was seen.
    pub observation: &'a Observation,
    /// What the judge says.
    pub verdict: &'a Verdict,
    /// What stays the same when the failure comes again; `None` if the kernel did nothing
    /// wrong in this case.
    pub signature: Option<Signature>,
}

/// What was run, and what came of it.
#[derive(Debug)]
pub struct Trail {
    /// How many cases were run, by scenario.
    pub ran: BTreeMap<String, u64>,
    /// Why cases were not run, and how many for each reason.
    pub left_out: BTreeMap<String, u64>,
    /// How long it took.
    pub took: Duration,
    /// Why it ended.
    pub ended: Ended,
}

impl Trail {
    /// How many cases were run.
    pub fn cases(&self) -> u64 {
        self.ran.values().sum()
    }
}

/// Why no more cases were run.
#[derive(Debug)]
pub enum Ended {
    /// It was found.
    Found,
    /// No case is left.
    Exhausted,
    /// The time was over.
    Budget,
    /// Somebody stopped it.
    Stopped,
    /// No machine comes up.
    NoMachine(LabError),
}

/// Runs `cases` until `found` says so, or the budget is used up. `stop` turned true ends
/// it at once. A case that is not over by then is broken off, and does not count.
pub async fn run_in_order(
    room: &mut Room,
    cases: &[Case],
    budget: Duration,
    mut stop: watch::Receiver<bool>,
    mut found: impl FnMut(&Tried<'_>) -> bool,
) -> Trail {
    let began = Instant::now();
    let end = began + budget;
    let mut trail = Trail {
        ran: BTreeMap::new(),
        left_out: BTreeMap::new(),
        took: Duration::ZERO,
        ended: Ended::Exhausted,
    };
    let mut without_machine = 0;
    let mut number = 0;
    for case in cases {
        let ran = tokio::select! {
            ran = room.run(case) => ran,
            () = tokio::time::sleep_until(end) => {
                trail.ended = Ended::Budget;
                break;
            }
            _ = stop.wait_for(|stop| *stop) => {
                trail.ended = Ended::Stopped;
                break;
            }
        };
        let (observation, verdict) = match ran {
            Ok(ran) => ran,
            Err(error @ (LabError::Machine(_) | LabError::Disks(_))) => {
                without_machine += 1;
                if without_machine == MACHINES {
                    trail.ended = Ended::NoMachine(error);
                    break;
                }
                *trail.left_out.entry(error.to_string()).or_default() += 1;
                continue;
            }
            Err(error) => {
                *trail.left_out.entry(error.to_string()).or_default() += 1;
                continue;
            }
        };
        without_machine = 0;
        number += 1;
        *trail.ran.entry(case.scenario.clone()).or_default() += 1;
        let tried = Tried {
            case,
            number,
            observation: &observation,
            verdict: &verdict,
            signature: Signature::of(&verdict).filter(|one| one.outcome.blames_kernel()),
        };
        if found(&tried) {
            trail.ended = Ended::Found;
            break;
        }
    }
    room.close().await;
    trail.took = began.elapsed();
    trail
}
