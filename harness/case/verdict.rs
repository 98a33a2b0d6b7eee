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
    /// The device model lied to the kernel, and the kernel acted correctly on
    /// what it was told. This says something about QEMU, not about the kernel.
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

    /// The outcome that is shown as this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.to_string() == word)
    }

    /// Whether the kernel got it wrong.
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

/// What a verdict says before a complaint that the kernel made between two cases.
pub const LEFT_BEHIND: &str = "when the case before had ended, and before this one began: ";

/// The witness that saw a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// The application's result: bytes or errno.
    Application,
    /// The content of the application's buffer.
    Content,
    /// The bytes around the application's segments.
    Guards,
    /// What lies on a leg, seen from the host.
    Medium,
    /// What reached a leg, by the host's account.
    Journal,
    /// The guest's tracepoints.
    Trace,
    /// The status line of the target (`dmsetup status`).
    Status,
    /// The guest's kernel log or console.
    KernelLog,
    /// What QEMU wrote on stderr.
    Qemu,
    /// The contract watcher: bio vectors that a driver changed.
    Contract,
    /// Whether the guest and the I/O still lived.
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
    /// The witness that saw it.
    pub witness: Witness,
    /// The difference in words: expected against seen.
    pub text: String,
}

/// What a verdict rests on, in the words of the witnesses. It is short enough
/// to be kept for every case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Journal: `leg 0 read 2176+128 EIO`, in order.
    pub journal: Vec<String>,
    /// Tracepoints: completions on the legs, and resubmissions, in order.
    pub trace: Vec<String>,
    /// Status line of the stack's target.
    pub status: String,
    /// What the contract watcher saw; empty if it was off.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub contract: String,
}

/// What the judge says of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The kind of the verdict.
    pub outcome: Outcome,
    /// One line: the first difference, or for a pass what was shown.
    pub reason: String,
    /// All differences, the most telling first; empty for a pass.
    pub differences: Vec<Difference>,
    /// What the verdict rests on.
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

    /// Only these three outcomes say that the kernel got it wrong, and only
    /// they may turn a gate red because of the kernel.
    #[test]
    fn three_outcomes_blame_the_kernel() {
        let blaming = Outcome::ALL
            .into_iter()
            .filter(|outcome| outcome.blames_kernel());
        assert_eq!(blaming.collect::<Vec<_>>(), [Fail, Crash, Hang]);
    }
}
