//! What the runner says while it works. Everything that a person or a CI
//! system sees is made from these events alone, live or from the record.

use halfway_case::Case;
use halfway_case::observation::Observation;
use halfway_case::{Outcome, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An event with its time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stamped {
    /// Milliseconds since the run started (of the resumed part, where it was
    /// resumed).
    pub at_ms: u64,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened. A `CaseStarted` is followed by one `CaseFinished` with the
/// same id and attempt, unless the run is interrupted in between.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// First event. Again when a run is resumed.
    RunStarted {
        /// Cases that will be run now.
        cases: u64,
        /// Cases of the whole expansion: larger where a sample was taken.
        whole: u64,
    },
    /// Something that a person should know, such as the lack of KVM.
    Note {
        /// A sentence.
        text: String,
    },
    /// QEMU is about to be started.
    MachineStarting {
        /// Number of the machine within the run, from 1.
        machine: u32,
        /// The command line.
        command: Vec<String>,
    },
    /// The guest agent has said hello.
    MachineReady {
        /// Number of the machine.
        machine: u32,
        /// `uname -r` of the guest.
        release: String,
        /// `uname -v` of the guest.
        version: String,
        /// Milliseconds from exec to hello.
        boot_ms: u64,
    },
    /// The machine is gone.
    MachineEnded {
        /// Number of the machine.
        machine: u32,
        /// Why: the run is over, a crash, a hang, ….
        reason: String,
        /// Whether that was meant.
        expected: bool,
    },
    /// A case begins.
    CaseStarted {
        /// The case's id.
        id: String,
        /// Number of the machine.
        machine: u32,
        /// 1, or 2 after an infrastructure failure.
        attempt: u32,
    },
    /// A case was judged.
    CaseFinished {
        /// The case's id.
        id: String,
        /// Its scenario.
        scenario: String,
        /// Number of the machine, 0 where there was none.
        machine: u32,
        /// 1, or 2 after an infrastructure failure.
        attempt: u32,
        /// Whether another attempt follows, so that this one does not count.
        retried: bool,
        /// What the judge says.
        verdict: Verdict,
        /// Milliseconds.
        millis: u64,
        /// Everything about it, for the files of a case that did not pass; not
        /// part of the event stream on disk.
        #[serde(skip)]
        details: Option<Arc<Details>>,
    },
    /// Last event.
    RunFinished {
        /// Cases by outcome.
        tally: BTreeMap<Outcome, u64>,
        /// Milliseconds since the run started.
        millis: u64,
        /// Whether it was stopped before all cases were run.
        interrupted: bool,
    },
}

/// All about a case that did not pass.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Details {
    /// The case.
    pub case: Case,
    /// What was seen of it, unless there was no machine.
    pub observation: Option<Observation>,
    /// The console from the machine's first byte, or its end where it is long.
    #[serde(default)]
    pub console: String,
}
