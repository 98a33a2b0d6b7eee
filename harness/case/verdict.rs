//! What the judge says of a case.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The kind of a verdict. Only [`Outcome::Pass`] is a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The fault fired as asked, and every witness agrees with the model.
    Pass,
    /// A witness disagrees with the model.
    Fail,
    /// The kernel crashed: BUG, oops, panic.
    Crash,
    /// The I/O, or the guest, did not come back.
    Hang,
    /// The fault did not fire as asked, so nothing was tested.
    Inconclusive,
    /// QEMU, the host or the harness failed; the kernel was not judged.
    Infrastructure,
    /// The device model lied to the kernel, which did its part with what it was
    /// told: found out about QEMU, not about the kernel.
    Finding,
    /// The guest or the host lacks what the case needs.
    Skipped,
}

impl Outcome {
    /// All outcomes, in the order of a summary.
    pub const ALL: [Outcome; 8] = [
        Outcome::Pass,
        Outcome::Fail,
        Outcome::Crash,
        Outcome::Hang,
        Outcome::Inconclusive,
        Outcome::Infrastructure,
        Outcome::Finding,
        Outcome::Skipped,
    ];

    /// The kernel got it wrong.
    pub fn blames_kernel(self) -> bool {
        matches!(self, Outcome::Fail | Outcome::Crash | Outcome::Hang)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Crash => "crash",
            Outcome::Hang => "hang",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Infrastructure => "infrastructure",
            Outcome::Finding => "finding",
            Outcome::Skipped => "skipped",
        })
    }
}

/// Who saw a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// The application's result: bytes or errno.
    Application,
    /// What the application's buffer held.
    Content,
    /// The bytes around the application's segments.
    Guards,
    /// What lies on a leg, seen from the host.
    Medium,
    /// What reached a leg, by the host's account.
    Journal,
    /// The guest's tracepoints.
    Trace,
    /// `dmsetup status`.
    Status,
    /// The guest's kernel log or console.
    KernelLog,
    /// QEMU's stderr.
    Qemu,
    /// The contract watcher: bio vectors that a driver changed.
    Contract,
    /// Whether the guest and the I/O still live.
    Liveness,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Witness::Application => "application",
            Witness::Content => "content",
            Witness::Guards => "guards",
            Witness::Medium => "medium",
            Witness::Journal => "journal",
            Witness::Trace => "trace",
            Witness::Status => "status",
            Witness::KernelLog => "kernel log",
            Witness::Qemu => "qemu",
            Witness::Contract => "contract",
            Witness::Liveness => "liveness",
        })
    }
}

/// One difference between the expectation and the observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Who saw it.
    pub witness: Witness,
    /// What, in words: expected against seen.
    pub text: String,
}

/// What a verdict rests on, in the words of the witnesses: short enough to be
/// kept for every case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Journal: `leg 0 read 2176+128 EIO`, in order.
    pub journal: Vec<String>,
    /// Tracepoints: completions on the legs, and resubmissions, in order.
    pub trace: Vec<String>,
    /// Status line of the mirror.
    pub status: String,
    /// What the contract watcher saw; empty where it was off.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub contract: String,
}

/// What the judge says of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The kind.
    pub outcome: Outcome,
    /// One line: the first difference, or for a pass what was shown.
    pub reason: String,
    /// All differences, the most telling first; empty for a pass.
    pub differences: Vec<Difference>,
    /// What it rests on.
    pub evidence: Evidence,
}

impl Verdict {
    /// A verdict of one line without differences or evidence.
    pub fn bare(outcome: Outcome, reason: impl Into<String>) -> Self {
        Verdict {
            outcome,
            reason: reason.into(),
            differences: Vec::new(),
            evidence: Evidence::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{self, *};

    /// Of all outcomes these three say that the kernel got it wrong, and nothing else
    /// may turn a gate red for it.
    #[test]
    fn three_outcomes_blame_the_kernel() {
        let blaming = Outcome::ALL
            .into_iter()
            .filter(|outcome| outcome.blames_kernel());
        assert_eq!(blaming.collect::<Vec<_>>(), [Fail, Crash, Hang]);
    }
}
