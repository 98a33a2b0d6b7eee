//! What Linux makes of what a SCSI target reports: virtio_scsi's completion
//! (`virtscsi_complete_cmd`), the mid layer's decision (`scsi_decide_disposition`,
//! `scsi_check_sense`, `scsi_noretry_cmd`, `scsi_io_completion`), and sd's count
//! of what is done (`sd_done`, `sd_completed_bytes`).
//!
//! Multipath's `REQ_FAILFAST_TRANSPORT` changes none of it: it forbids retries
//! of a bus that is busy only (`scsi_noretry_cmd`).

use crate::scenario::case::Fault;
use crate::scenario::reported::Reported;
use halfway_target::scsi::report::{Response, Status};
use halfway_target::scsi::sense::Key;
use halfway_target::{Failure, Part, Said};

/// `SD_MAX_RETRIES` in drivers/scsi/sd.h, and the first attempt.
pub const ATTEMPTS: u32 = 6;

/// What a failure is to the layers above sd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How many commands get this answer before it is taken for a failure;
    /// `None`: the kernel asks again for as long as it does.
    pub commands: Option<u32>,
    /// Whether what was done before the bad block is completed first.
    pub progress: Progress,
    /// The errno of the rest.
    pub errno: i32,
    /// Whether another path may do better (`blk_path_error`).
    pub of_path: bool,
}

/// Whether what was done before the bad block is completed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The request fails as a whole.
    Never,
    /// It does.
    Always,
    /// On releases before this one: their arithmetic wraps on a residual that is
    /// larger than the transfer, and INFORMATION decides (the commit that
    /// bounds it in `scsi_set_resid` is of 5.15).
    Before((u32, u32)),
}

const EIO: i32 = 5;
const ENODATA: i32 = 61;
const EREMOTEIO: i32 = 121;

/// What a failure is to the layers above sd.
pub fn reading(failure: Failure) -> Reading {
    // MEDIUM ERROR with ASC 11h is not tried again: `BLK_STS_MEDIUM`.
    let medium = Reading {
        commands: Some(1),
        progress: Progress::Always,
        errno: ENODATA,
        of_path: false,
    };
    let counted = Reading {
        commands: Some(ATTEMPTS),
        progress: Progress::Never,
        errno: EIO,
        of_path: true,
    };
    match failure {
        Failure::MediumError | Failure::ResidualUnaligned | Failure::ResidualOfNone => medium,
        Failure::ResidualTooLarge => Reading {
            progress: Progress::Before((5, 15)),
            ..medium
        },
        // `sd_completed_bytes` needs VALID, a place within the command, and
        // believes the residual where that says less.
        Failure::WithoutInformation
        | Failure::ResidualOfAll
        | Failure::InformationBefore
        | Failure::InformationBehind => Reading {
            progress: Progress::Never,
            ..medium
        },
        // Another ASC: NEEDS_RETRY.
        Failure::WriteError => Reading {
            progress: Progress::Always,
            ..counted
        },
        // `BLK_STS_TARGET`, unless `retry_hwerror` is set for the device.
        Failure::HardwareError => Reading {
            errno: EREMOTEIO,
            ..medium
        },
        Failure::AbortedCommand | Failure::TransportFailure => counted,
        // `DID_BAD_TARGET` is final.
        Failure::BadTarget => Reading {
            commands: Some(1),
            ..counted
        },
        // ADD_TO_MLQUEUE, ACTION_RETRY: not counted.
        Failure::Busy | Failure::TaskSetFull | Failure::UnitAttention => Reading {
            commands: None,
            ..counted
        },
        // `virtscsi_eh_timed_out` starts the timer anew, for ever; what an
        // operator's reset gives back is `DID_RESET`, which `scsi_io_completion`
        // has tried again without counting (ACTION_RETRY).
        Failure::NoAnswer => Reading {
            commands: None,
            ..counted
        },
    }
}

/// What a fault's failure is to the layers above sd; `None` on controllers that
/// are told no report.
pub fn of(fault: &Fault) -> Option<Reading> {
    Some(match fault.report? {
        Reported::Answer(answer) => reading(answer.failure),
        // What the reset gives back (`DID_RESET`) is tried again, and refused by a
        // disk that is offline (`scsi_device_state_check` in `scsi_queue_rq`).
        Reported::Offline(_) | Reported::Gone(_) => reading(Failure::BadTarget),
    })
}

/// How many commands of a request whose first logical block ends before `second`
/// get an answer that is not wholly good, before the request fails. `None`: it
/// never does.
pub fn commands(fault: &Fault, second: u64) -> Option<u32> {
    let failing = of(fault)?.commands?;
    let short = is_short(fault);
    Some(failing + u32::from(short && fault.sector >= second))
}

/// Whether a part is done with status GOOD before the failure.
fn is_short(fault: &Fault) -> bool {
    let answer = fault.report.and_then(Reported::answer);
    answer.is_some_and(|answer| answer.part != Part::Nothing)
}

/// Whether the kernel completes what was done before the fault's sector, on
/// that release, where anything was.
pub fn completes_progress(fault: &Fault, release: (u32, u32)) -> bool {
    is_short(fault)
        || of(fault).is_some_and(|reading| match reading.progress {
            Progress::Never => false,
            Progress::Always => true,
            Progress::Before(fixed) => release < fixed,
        })
}

/// What the kernel does about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The command is done, as far as its residual says.
    Done,
    /// It asks again, and counts.
    Retry,
    /// It asks again.
    Again,
    /// The request fails.
    Fail,
}

/// What the kernel does about an answer: the same knowledge as in [`reading`],
/// of what was seen instead of what was asked for.
pub fn decision(answer: Said) -> Decision {
    match answer {
        Said::Status(Status::Good, _) => Decision::Done,
        Said::Status(Status::Busy | Status::TaskSetFull, _) => Decision::Again,
        Said::Status(Status::CheckCondition, Some(sense)) => match (sense.key, sense.asc) {
            (Key::UnitAttention, _) => Decision::Again,
            (Key::AbortedCommand, _) => Decision::Retry,
            (Key::MediumError, asc) if asc != 0x11 => Decision::Retry,
            _ => Decision::Fail,
        },
        Said::Response(Response::TransportFailure) => Decision::Retry,
        // Once somebody has reset the unit.
        Said::Nothing => Decision::Again,
        _ => Decision::Fail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_target::scsi::report::Failed;
    use rstest::rstest;

    /// What is known of reports and what is known of answers are the same.
    #[rstest]
    fn a_report_is_decided_as_it_is_read(#[values(true, false)] located: bool) {
        for failure in Failure::ALL {
            let failed = Failed {
                lba: 2048,
                blocks: 512,
                good: located.then_some(0),
                block: 512,
            };
            let told = halfway_target::Report::of(failure).tell(&failed).told;
            let expected = match reading(failure).commands {
                Some(1) => Decision::Fail,
                Some(_) => Decision::Retry,
                None => Decision::Again,
            };
            assert_eq!(decision(told.into()), expected, "{failure:?}");
        }
    }

    #[rstest]
    #[case("medium-error", 100, Some(1))]
    #[case("write-error", 100, Some(6))]
    #[case("short-good+medium-error", 100, Some(2))]
    #[case("short-good+medium-error", 0, Some(1))]
    #[case("short-good+transport-failure", 100, Some(7))]
    #[case("busy", 100, None)]
    #[case("gone", 100, Some(1))]
    #[case("short-good+gone", 100, Some(2))]
    #[case("no-answer", 100, None)]
    #[case("short-good+no-answer-offline", 100, Some(2))]
    fn how_many_commands_it_takes(
        #[case] report: &str,
        #[case] at: u64,
        #[case] expected: Option<u32>,
    ) {
        let fault = Fault {
            leg: 0,
            op: halfway_protocol::io::Op::Read,
            sector: 2048 + at,
            times: crate::scenario::case::Times::Always,
            errno: 5,
            report: Some(report.parse().unwrap()),
        };
        assert_eq!(commands(&fault, 2049), expected);
    }

    #[rstest]
    #[case("residual-too-large", (5, 10), true)]
    #[case("residual-too-large", (6, 1), false)]
    #[case("short-good+residual-too-large", (6, 1), true)]
    #[case("medium-error", (6, 1), true)]
    #[case("bad-target", (6, 1), false)]
    #[case("no-answer-offline", (6, 1), false)]
    #[case("short-good+gone", (6, 1), true)]
    fn which_releases_complete_what_was_done(
        #[case] report: &str,
        #[case] release: (u32, u32),
        #[case] expected: bool,
    ) {
        let fault = Fault {
            leg: 0,
            op: halfway_protocol::io::Op::Read,
            sector: 2300,
            times: crate::scenario::case::Times::Always,
            errno: 5,
            report: Some(report.parse().unwrap()),
        };
        assert_eq!(completes_progress(&fault, release), expected);
    }
}
