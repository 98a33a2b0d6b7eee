//! How a failing block is reported.
//!
//! blkdebug fails a request with an errno and says nothing else. The errno
//! crosses NBD and selects a line of the [`Reports`] table, which says how the
//! logical unit reports the failure. So the storage daemon's monitor is the
//! only control of a running case. Rules that wear off make sequences: a unit
//! attention once and then a medium error are two rules on one sector.

use crate::failure::{Failure, Information, Residual};
use crate::reply::{Reply, Status};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What a command that could do a part of its blocks gets before the failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The failure itself, at once.
    #[default]
    Nothing,
    /// Status GOOD with a residual. The failure comes when the kernel tries the
    /// rest.
    ShortGood,
    /// As [`Part::ShortGood`], but the residual is one byte less than the
    /// missing blocks have.
    ShortGoodUnaligned,
}

/// How a failing block is reported. As text: a failure in kebab case,
/// optionally after `short-good+` or `short-good-unaligned+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Report {
    /// What comes before the failure, if some blocks were good.
    pub part: Part,
    /// How the failure itself is reported.
    pub failure: Failure,
}

impl Part {
    /// All parts, the default first.
    pub const ALL: [Part; 3] = [Part::Nothing, Part::ShortGood, Part::ShortGoodUnaligned];
}

impl Part {
    /// The beginning of a report's text.
    pub const fn prefix(self) -> &'static str {
        match self {
            Part::Nothing => "",
            Part::ShortGood => SHORT_GOOD,
            Part::ShortGoodUnaligned => SHORT_GOOD_UNALIGNED,
        }
    }

    /// The part that `text` begins with, and the rest of the text.
    pub fn split(text: &str) -> (Self, &str) {
        let named = [Part::ShortGood, Part::ShortGoodUnaligned].into_iter();
        let mut found =
            named.filter_map(|part| text.strip_prefix(part.prefix()).map(|rest| (part, rest)));
        found.next().unwrap_or((Part::Nothing, text))
    }
}

impl Report {
    /// The failure alone, without a part before it.
    pub const fn of(failure: Failure) -> Self {
        Report {
            part: Part::Nothing,
            failure,
        }
    }

    /// A short transfer with GOOD status, then the failure.
    pub const fn short_good(failure: Failure) -> Self {
        Report {
            part: Part::ShortGood,
            failure,
        }
    }

    /// Whether the first bad block must be found. If not, a command that fails
    /// has done nothing.
    pub fn needs_location(self) -> bool {
        self.part != Part::Nothing || self.failure.profile().information != Information::None
    }

    /// Whether a command that fails has transferred the good blocks before the
    /// bad one. If the target says that it transferred nothing, a reader does
    /// not get their data.
    pub fn moves_what_is_good(self, reads: bool) -> bool {
        let withholds = self == Report::of(Failure::ResidualOfAll) && reads;
        self.needs_location() && !withholds
    }
}

const SHORT_GOOD: &str = "short-good+";
const SHORT_GOOD_UNALIGNED: &str = "short-good-unaligned+";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.part.prefix(), self.failure.name())
    }
}

/// The text is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no report; there are {failures}, each also behind {SHORT_GOOD} or \
     {SHORT_GOOD_UNALIGNED}",
    failures = Failure::ALL.iter().map(|failure| failure.name()).collect::<Vec<_>>().join(", ")
)]
pub struct NoSuchReport(String);

impl FromStr for Report {
    type Err = NoSuchReport;

    fn from_str(text: &str) -> Result<Self, NoSuchReport> {
        let (part, name) = Part::split(text);
        let mut failures = Failure::ALL.iter().copied();
        let failure = failures.find(|failure| failure.name() == name);
        let failure = failure.ok_or_else(|| NoSuchReport(text.to_owned()))?;
        Ok(Report { part, failure })
    }
}

/// A table: which errno of the storage stands for which report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reports(BTreeMap<u32, Report>);

/// The errnos that NBD transfers unchanged (doc/proto.md of
/// NetworkBlockDevice/nbd, "Error values"). Any other arrives as EINVAL.
pub mod errno {
    /// Operation not permitted.
    pub const EPERM: u32 = 1;
    /// Input/output error, blkdebug's default.
    pub const EIO: u32 = 5;
    /// Out of memory.
    pub const ENOMEM: u32 = 12;
    /// Invalid argument, and all errnos that NBD has no number for.
    pub const EINVAL: u32 = 22;
    /// No space left on the device.
    pub const ENOSPC: u32 = 28;
    /// Value too large.
    pub const EOVERFLOW: u32 = 75;
    /// Operation not supported.
    pub const ENOTSUP: u32 = 95;
    /// The server is about to shut down.
    pub const ESHUTDOWN: u32 = 108;
    /// All errnos of the protocol.
    pub const ALL: [u32; 8] = [
        EPERM, EIO, ENOMEM, EINVAL, ENOSPC, EOVERFLOW, ENOTSUP, ESHUTDOWN,
    ];
}

impl Default for Reports {
    fn default() -> Self {
        use errno::*;
        Reports(BTreeMap::from([
            (EPERM, Report::short_good(Failure::BadTarget)),
            (EIO, Report::of(Failure::MediumError)),
            (ENOMEM, Report::of(Failure::WriteError)),
            (EINVAL, Report::of(Failure::HardwareError)),
            (ENOSPC, Report::of(Failure::WithoutInformation)),
            (EOVERFLOW, Report::short_good(Failure::MediumError)),
            (ENOTSUP, Report::of(Failure::AbortedCommand)),
            (ESHUTDOWN, Report::short_good(Failure::TransportFailure)),
        ]))
    }
}

impl Reports {
    /// The same table with another report for `errno`.
    #[must_use]
    pub fn with(mut self, errno: u32, report: Report) -> Self {
        self.0.insert(errno, report);
        self
    }

    /// The errno that stands for `report`, if there is one.
    pub fn errno(&self, report: Report) -> Option<u32> {
        let mut lines = self.0.iter();
        lines.find_map(|(errno, known)| (*known == report).then_some(*errno))
    }

    /// The report for `errno`; a medium error if the table has none.
    pub fn report_for(&self, errno: u32) -> Report {
        let known = self.0.get(&errno).copied();
        known.unwrap_or(Report::of(Failure::MediumError))
    }
}

/// A command that failed, and where.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// First logical block of the command.
    pub lba: u64,
    /// Number of logical blocks of the command.
    pub blocks: u32,
    /// Number of good blocks before the bad one; `None` if nobody looked for
    /// it.
    pub good: Option<u32>,
    /// Bytes of a logical block.
    pub block: u32,
}

/// The answer to a failing command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedReply {
    /// Status with sense data, or a response of the HBA.
    pub reply: Reply,
    /// The residual in bytes of the command's own transfer; `None` if it is
    /// what the good blocks leave.
    pub residual: Option<u32>,
}

impl Report {
    /// The answer to a command that failed like this.
    pub fn reply(self, failed: &Failed) -> FailedReply {
        let whole = failed.blocks.saturating_mul(failed.block);
        let good = failed.good.unwrap_or(0);
        let not_moved = (failed.blocks - good.min(failed.blocks)).saturating_mul(failed.block);
        if good > 0 && self.part != Part::Nothing {
            return FailedReply {
                reply: Reply::Status(Status::Good, None),
                residual: (self.part == Part::ShortGoodUnaligned).then(|| not_moved - 1),
            };
        }
        let profile = self.failure.profile();
        let information = match profile.information {
            Information::None => None,
            Information::BadBlock => failed.good.map(|good| failed.lba + u64::from(good)),
            Information::Before => Some(failed.lba.wrapping_sub(1)),
            Information::Behind => Some(failed.lba.saturating_add(failed.blocks.into())),
        };
        FailedReply {
            reply: match (profile.reply, information) {
                (Reply::Status(status, Some(sense)), Some(lba)) => {
                    Reply::Status(status, Some(sense.at(lba)))
                }
                (reply, _) => reply,
            },
            residual: match profile.residual {
                Residual::NotMoved => None,
                Residual::Zero => Some(0),
                Residual::Whole => Some(whole),
                Residual::TooLarge => Some(whole.saturating_add(failed.block)),
                Residual::Unaligned => Some(not_moved.saturating_sub(1)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Response;
    use crate::sense::{Key, Sense};
    use rstest::rstest;

    fn failed(good: Option<u32>) -> Failed {
        Failed {
            lba: 2048,
            blocks: 512,
            good,
            block: 512,
        }
    }

    fn answered(report: &str, good: Option<u32>) -> (Option<Sense>, Option<u32>) {
        let answer = report.parse::<Report>().unwrap().reply(&failed(good));
        match answer.reply {
            Reply::Status(_, sense) => (sense, answer.residual),
            _ => panic!("{report} has a status"),
        }
    }

    const MEDIUM: Sense = Sense::new(Key::MediumError, 0x11, 0);

    #[rstest]
    #[case("medium-error", Some(252), Some(MEDIUM.at(2300)), None)]
    #[case("medium-error", Some(0), Some(MEDIUM.at(2048)), None)]
    #[case("write-error", Some(252), Some(Sense::new(Key::MediumError, 0x0c, 2).at(2300)), None)]
    #[case("hardware-error", Some(1), Some(Sense::new(Key::HardwareError, 0x44, 0).at(2049)), None)]
    #[case("without-information", None, Some(MEDIUM), Some(0))]
    #[case("short-good+medium-error", Some(252), None, None)]
    #[case("short-good+medium-error", Some(0), Some(MEDIUM.at(2048)), None)]
    #[case("short-good-unaligned+medium-error", Some(252), None, Some(260 * 512 - 1))]
    #[case("residual-of-all", Some(252), Some(MEDIUM.at(2300)), Some(512 * 512))]
    #[case("residual-of-none", Some(252), Some(MEDIUM.at(2300)), Some(0))]
    #[case("residual-too-large", Some(252), Some(MEDIUM.at(2300)), Some(513 * 512))]
    #[case("residual-unaligned", Some(252), Some(MEDIUM.at(2300)), Some(260 * 512 - 1))]
    #[case("information-before", Some(252), Some(MEDIUM.at(2047)), None)]
    #[case("information-behind", Some(252), Some(MEDIUM.at(2560)), None)]
    #[case(
        "unit-attention",
        None,
        Some(Sense::new(Key::UnitAttention, 0x29, 0)),
        None
    )]
    #[case("busy", None, None, None)]
    fn a_failure_is_reported(
        #[case] report: &str,
        #[case] good: Option<u32>,
        #[case] sense: Option<Sense>,
        #[case] residual: Option<u32>,
    ) {
        assert_eq!(answered(report, good), (sense, residual));
    }

    #[rstest]
    #[case("transport-failure", Reply::Response(Response::TransportFailure))]
    #[case("bad-target", Reply::Response(Response::BadTarget))]
    #[case("no-answer", Reply::Nothing)]
    #[case("task-set-full", Reply::Status(Status::TaskSetFull, None))]
    fn a_failure_without_sense(#[case] report: &str, #[case] expected: Reply) {
        let report: Report = report.parse().unwrap();
        assert_eq!(report.reply(&failed(None)).reply, expected);
        assert!(!report.needs_location());
    }

    #[rstest]
    #[case("short-good+bad-target")]
    #[case("short-good-unaligned+medium-error")]
    #[case("no-answer")]
    fn a_report_is_its_text(#[case] text: &str) {
        assert_eq!(text.parse::<Report>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("short-good")]
    #[case("mediumerror")]
    #[case("")]
    fn no_report(#[case] text: &str) {
        assert_eq!(text.parse::<Report>(), Err(NoSuchReport(text.to_owned())));
    }
}
