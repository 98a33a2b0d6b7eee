//! What a failing block is reported as.
//!
//! blkdebug fails a request with an errno and says nothing else; the errno
//! crosses NBD and picks a line of the [`Reports`] table, which tells how the
//! logical unit reports it. So the monitor of the storage daemon stays the only
//! control of a running case: rules that wear off make sequences (a unit
//! attention once, then a medium error, are two rules on one sector).

use super::sense::{Key, Sense};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How a failure is reported. What Linux makes of each is in
/// `scsi_check_sense`, `scsi_io_completion_action` (drivers/scsi), `sd_done`
/// and `sd_completed_bytes` (sd.c), and `virtscsi_complete_cmd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// MEDIUM ERROR, UNRECOVERED READ ERROR, with INFORMATION and residual.
    /// Not retried.
    MediumError,
    /// MEDIUM ERROR, WRITE ERROR - AUTO REALLOCATION FAILED, with the same.
    /// Retried five times.
    WriteError,
    /// HARDWARE ERROR, INTERNAL TARGET FAILURE, with the same.
    HardwareError,
    /// MEDIUM ERROR that does not say where, as QEMU's own disks report it.
    WithoutInformation,
    /// ABORTED COMMAND, DATA PHASE ERROR.
    AbortedCommand,
    /// Status BUSY.
    Busy,
    /// Status TASK SET FULL.
    TaskSetFull,
    /// UNIT ATTENTION, POWER ON, RESET, OR BUS DEVICE RESET OCCURRED.
    UnitAttention,
    /// The transport failed (`VIRTIO_SCSI_S_TRANSPORT_FAILURE`).
    TransportFailure,
    /// No such target (`VIRTIO_SCSI_S_BAD_TARGET`).
    BadTarget,
    /// The command is never answered, until it is aborted.
    NoAnswer,
    /// As [`Failure::MediumError`], with a residual of everything, as
    /// scsi_debug reports it; a reader gets no data.
    ResidualOfAll,
    /// As [`Failure::MediumError`], with a residual of nothing, as of an HBA that
    /// does not count: INFORMATION alone says where.
    ResidualOfNone,
    /// A lie: INFORMATION is the block before the command's first.
    InformationBefore,
    /// A lie: INFORMATION is the block behind the command's last.
    InformationBehind,
    /// A lie: the residual is a block more than the whole transfer.
    ResidualTooLarge,
    /// A lie: the residual is no multiple of the block size.
    ResidualUnaligned,
}

impl Failure {
    /// All of them.
    pub const ALL: [Failure; 17] = [
        Failure::MediumError,
        Failure::WriteError,
        Failure::HardwareError,
        Failure::WithoutInformation,
        Failure::AbortedCommand,
        Failure::Busy,
        Failure::TaskSetFull,
        Failure::UnitAttention,
        Failure::TransportFailure,
        Failure::BadTarget,
        Failure::NoAnswer,
        Failure::ResidualOfAll,
        Failure::ResidualOfNone,
        Failure::InformationBefore,
        Failure::InformationBehind,
        Failure::ResidualTooLarge,
        Failure::ResidualUnaligned,
    ];
}

/// What a command gets that could do a part of its blocks, before the failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The failure itself.
    #[default]
    Nothing,
    /// Status GOOD with a residual; the failure comes when the rest is tried.
    ShortGood,
    /// The same, with a residual of one byte less than the blocks that are
    /// missing.
    ShortGoodUnaligned,
}

/// How a failing block is reported. As text: a failure in kebab case, behind
/// `short-good+` or `short-good-unaligned+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Report {
    /// Before it, where some blocks were good.
    pub part: Part,
    /// The failure.
    pub failure: Failure,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 3] = [Part::Nothing, Part::ShortGood, Part::ShortGoodUnaligned];
}

impl Part {
    /// What a report's text begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Part::Nothing => "",
            Part::ShortGood => SHORT_GOOD,
            Part::ShortGoodUnaligned => SHORT_GOOD_UNALIGNED,
        }
    }

    /// What `text` begins with, and the rest of it.
    pub fn split(text: &str) -> (Self, &str) {
        let named = [Part::ShortGood, Part::ShortGoodUnaligned].into_iter();
        let mut found =
            named.filter_map(|part| text.strip_prefix(part.prefix()).map(|rest| (part, rest)));
        found.next().unwrap_or((Part::Nothing, text))
    }
}

impl Report {
    /// The failure alone.
    pub const fn of(failure: Failure) -> Self {
        Report {
            part: Part::Nothing,
            failure,
        }
    }

    /// A short transfer with GOOD status first.
    pub const fn short_good(failure: Failure) -> Self {
        Report {
            part: Part::ShortGood,
            failure,
        }
    }

    /// Whether the first bad block must be found. Where not, a command that
    /// fails has done nothing.
    pub fn needs_location(self) -> bool {
        self.part != Part::Nothing
            || matches!(
                self.failure,
                Failure::MediumError
                    | Failure::WriteError
                    | Failure::HardwareError
                    | Failure::ResidualOfAll
                    | Failure::ResidualOfNone
                    | Failure::InformationBefore
                    | Failure::InformationBehind
                    | Failure::ResidualTooLarge
                    | Failure::ResidualUnaligned
            )
    }

    /// Whether a command that fails has moved what is good before the bad block.
    /// Data for a reader stay with the target that says it transferred none.
    pub fn moves_what_is_good(self, reads: bool) -> bool {
        let withholds = self == Report::of(Failure::ResidualOfAll) && reads;
        self.needs_location() && !withholds
    }
}

const SHORT_GOOD: &str = "short-good+";
const SHORT_GOOD_UNALIGNED: &str = "short-good-unaligned+";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.part.prefix())?;
        self.failure.serialize(f)
    }
}

/// A report that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no report; there are medium-error, write-error, hardware-error, without-information, \
     aborted-command, busy, task-set-full, unit-attention, transport-failure, bad-target, \
     no-answer, residual-of-all, residual-of-none, information-before, information-behind, residual-too-large, \
     residual-unaligned, each also behind short-good+ or short-good-unaligned+"
)]
pub struct NoSuchReport(String);

impl FromStr for Report {
    type Err = NoSuchReport;

    fn from_str(text: &str) -> Result<Self, NoSuchReport> {
        let (part, failure) = Part::split(text);
        let failure =
            serde_json::from_value(failure.into()).map_err(|_| NoSuchReport(text.to_owned()))?;
        Ok(Report { part, failure })
    }
}

/// Which errno stands for which report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reports(BTreeMap<u32, Report>);

/// The errnos that cross NBD as they are (doc/proto.md of
/// NetworkBlockDevice/nbd, "Error values"); any other arrives as EINVAL.
pub mod errno {
    /// Operation not permitted.
    pub const EPERM: u32 = 1;
    /// I/O error.
    pub const EIO: u32 = 5;
    /// Out of memory.
    pub const ENOMEM: u32 = 12;
    /// Invalid argument, and all that NBD has no number for.
    pub const EINVAL: u32 = 22;
    /// No space.
    pub const ENOSPC: u32 = 28;
    /// Value too large.
    pub const EOVERFLOW: u32 = 75;
    /// Not supported.
    pub const ENOTSUP: u32 = 95;
    /// The server is about to shut down.
    pub const ESHUTDOWN: u32 = 108;
    /// All of them.
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

    /// The errno that stands for `report`, where one does.
    pub fn errno(&self, report: Report) -> Option<u32> {
        let mut lines = self.0.iter();
        lines.find_map(|(errno, known)| (*known == report).then_some(*errno))
    }

    /// What `errno` is reported as; a medium error where the table has none.
    pub fn of(&self, errno: u32) -> Report {
        let known = self.0.get(&errno).copied();
        known.unwrap_or(Report::of(Failure::MediumError))
    }
}

/// What is told on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A SCSI status, with sense data if it is CHECK CONDITION.
    Status(Status, Option<Sense>),
    /// A virtio-scsi response other than `VIRTIO_SCSI_S_OK`.
    Response(Response),
    /// Nothing.
    Nothing,
}

/// SCSI status codes (SAM-5, clause 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the standard's names")]
#[repr(u8)]
pub enum Status {
    Good = 0,
    CheckCondition = 2,
    Busy = 8,
    TaskSetFull = 0x28,
}

/// virtio-scsi responses (Virtual I/O Device 1.1, clause 5.6.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the standard's names")]
#[repr(u8)]
pub enum Response {
    Overrun = 1,
    Aborted = 2,
    BadTarget = 3,
    Reset = 4,
    TransportFailure = 6,
    Failure = 9,
}

/// A failure where it happened.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// First block of the command.
    pub lba: u64,
    /// Its blocks.
    pub blocks: u32,
    /// Good blocks before the bad one; `None` where it was not looked for.
    pub good: Option<u32>,
    /// Bytes of a block.
    pub block: u32,
}

/// What a failing command is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling {
    /// The answer.
    pub told: Told,
    /// The residual in bytes of the command's own transfer, where it is not
    /// what the good blocks leave.
    pub residual: Option<u32>,
}

impl Report {
    /// Tells a failure.
    pub fn tell(self, failed: &Failed) -> Telling {
        let honest = |told| Telling {
            told,
            residual: None,
        };
        let check = |sense| Told::Status(Status::CheckCondition, Some(sense));
        let whole = failed.blocks.saturating_mul(failed.block);
        let good = failed.good.unwrap_or(0);
        let missing = (failed.blocks - good.min(failed.blocks)).saturating_mul(failed.block);
        if good > 0 && self.part != Part::Nothing {
            return Telling {
                told: Told::Status(Status::Good, None),
                residual: (self.part == Part::ShortGoodUnaligned).then(|| missing - 1),
            };
        }
        let unrecovered = Sense::new(Key::MediumError, 0x11, 0);
        let place = |sense: Sense| match failed.good {
            Some(good) => sense.at(failed.lba + u64::from(good)),
            None => sense,
        };
        let lie = |residual| Telling {
            told: check(place(unrecovered)),
            residual: Some(residual),
        };
        match self.failure {
            Failure::MediumError => honest(check(place(unrecovered))),
            Failure::WriteError => honest(check(place(Sense::new(Key::MediumError, 0x0c, 2)))),
            Failure::HardwareError => honest(check(place(Sense::new(Key::HardwareError, 0x44, 0)))),
            // QEMU's residual is nought then (`virtio_scsi_command_complete`
            // in hw/scsi/virtio-scsi.c).
            Failure::WithoutInformation => Telling {
                told: check(unrecovered),
                residual: Some(0),
            },
            Failure::AbortedCommand => honest(check(Sense::new(Key::AbortedCommand, 0x4b, 0))),
            Failure::UnitAttention => honest(check(Sense::new(Key::UnitAttention, 0x29, 0))),
            Failure::Busy => honest(Told::Status(Status::Busy, None)),
            Failure::TaskSetFull => honest(Told::Status(Status::TaskSetFull, None)),
            Failure::TransportFailure => honest(Told::Response(Response::TransportFailure)),
            Failure::BadTarget => honest(Told::Response(Response::BadTarget)),
            Failure::NoAnswer => honest(Told::Nothing),
            Failure::ResidualOfAll => lie(whole),
            Failure::ResidualOfNone => lie(0),
            Failure::InformationBefore => honest(check(unrecovered.at(failed.lba.wrapping_sub(1)))),
            Failure::InformationBehind => {
                let behind = failed.lba.saturating_add(failed.blocks.into());
                honest(check(unrecovered.at(behind)))
            }
            Failure::ResidualTooLarge => lie(whole.saturating_add(failed.block)),
            Failure::ResidualUnaligned => lie(missing.saturating_sub(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn failed(good: Option<u32>) -> Failed {
        Failed {
            lba: 2048,
            blocks: 512,
            good,
            block: 512,
        }
    }

    fn told(report: &str, good: Option<u32>) -> (Option<Sense>, Option<u32>) {
        let telling = report.parse::<Report>().unwrap().tell(&failed(good));
        match telling.told {
            Told::Status(_, sense) => (sense, telling.residual),
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
    fn a_failure_is_told(
        #[case] report: &str,
        #[case] good: Option<u32>,
        #[case] sense: Option<Sense>,
        #[case] residual: Option<u32>,
    ) {
        assert_eq!(told(report, good), (sense, residual));
    }

    #[rstest]
    #[case("transport-failure", Told::Response(Response::TransportFailure))]
    #[case("bad-target", Told::Response(Response::BadTarget))]
    #[case("no-answer", Told::Nothing)]
    #[case("task-set-full", Told::Status(Status::TaskSetFull, None))]
    fn a_failure_without_sense(#[case] report: &str, #[case] expected: Told) {
        let report: Report = report.parse().unwrap();
        assert_eq!(report.tell(&failed(None)).told, expected);
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
