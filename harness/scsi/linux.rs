//! How Linux handles the answers of a SCSI target: virtio_scsi's completion
//! (`virtscsi_complete_cmd`), the mid layer's decision
//! (`scsi_decide_disposition`, `scsi_check_sense`, `scsi_noretry_cmd`,
//! `scsi_io_completion`), and sd's count of what is done (`sd_done`,
//! `sd_completed_bytes`).
//!
//! Multipath's `REQ_FAILFAST_TRANSPORT` changes none of this: it only forbids
//! retries on a busy bus (`scsi_noretry_cmd`).

use crate::failure::Failure;
use crate::fault::FaultReport;
use crate::handling::{Handling, Progress};
use crate::reply::{Reply, Response, Status};
use crate::report::Part;
use crate::sense::Key;

impl FaultReport {
    /// How Linux handles the report.
    pub fn handling(self) -> Handling {
        match self {
            FaultReport::Answer(answer) => answer.failure.profile().linux,
            // The reset ends the command with `DID_RESET`. That is retried, and
            // the retry is refused since the disk is offline
            // (`scsi_device_state_check` in `scsi_queue_rq`).
            FaultReport::Offline(_) | FaultReport::Gone(_) => Failure::BadTarget.profile().linux,
        }
    }

    /// How many commands of a request get an answer that is not entirely good,
    /// before the request fails. `in_first_block` says that no good block comes
    /// before the bad one. `None`: the request never fails.
    pub fn commands(self, in_first_block: bool) -> Option<u32> {
        let failing = self.handling().commands?;
        Some(failing + u32::from(self.is_short() && !in_first_block))
    }

    /// Whether the kernel of that release completes the part before the bad
    /// block, if there is one.
    pub fn completes_progress(self, release: (u32, u32)) -> bool {
        self.is_short()
            || match self.handling().progress {
                Progress::Never => false,
                Progress::Always => true,
                Progress::Before(fixed) => release < fixed,
            }
    }

    /// Whether a part is done with status GOOD before the failure.
    fn is_short(self) -> bool {
        self.answer()
            .is_some_and(|answer| answer.part != Part::Nothing)
    }
}

/// What the kernel does about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The command is done, except for its residual.
    Done,
    /// The command is retried, and counted as an attempt.
    Retry,
    /// The command is retried without being counted.
    Again,
    /// The request fails.
    Fail,
}

/// What the kernel does about an answer. This is the same knowledge as in
/// [`Failure::profile`], applied to an answer that was seen instead of a report
/// that was asked for.
pub fn decision(reply: Reply) -> Decision {
    match reply {
        Reply::Status(Status::Good, _) => Decision::Done,
        Reply::Status(Status::Busy | Status::TaskSetFull, _) => Decision::Again,
        Reply::Status(Status::CheckCondition, Some(sense)) => match (sense.key, sense.asc) {
            (Key::UnitAttention, _) => Decision::Again,
            (Key::AbortedCommand, _) => Decision::Retry,
            (Key::MediumError, asc) if asc != 0x11 => Decision::Retry,
            _ => Decision::Fail,
        },
        Reply::Response(Response::TransportFailure) => Decision::Retry,
        // It is retried once somebody has reset the unit.
        Reply::Nothing => Decision::Again,
        _ => Decision::Fail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Failed, Report};
    use rstest::rstest;

    /// The profiles of reports and the decisions about answers must agree.
    #[rstest]
    fn an_answer_is_decided_as_its_profile_says(#[values(true, false)] located: bool) {
        for &failure in Failure::ALL {
            let failed = Failed {
                lba: 2048,
                blocks: 512,
                good: located.then_some(0),
                block: 512,
            };
            let expected = match failure.profile().linux.commands {
                Some(1) => Decision::Fail,
                Some(_) => Decision::Retry,
                None => Decision::Again,
            };
            let reply = Report::of(failure).reply(&failed).reply;
            assert_eq!(decision(reply), expected, "{failure:?}");
        }
    }

    #[rstest]
    #[case("medium-error", false, Some(1))]
    #[case("write-error", false, Some(6))]
    #[case("short-good+medium-error", false, Some(2))]
    #[case("short-good+medium-error", true, Some(1))]
    #[case("short-good+transport-failure", false, Some(7))]
    #[case("busy", false, None)]
    #[case("gone", false, Some(1))]
    #[case("short-good+gone", false, Some(2))]
    #[case("no-answer", false, None)]
    #[case("short-good+no-answer-offline", false, Some(2))]
    fn how_many_commands_it_takes(
        #[case] report: FaultReport,
        #[case] in_first_block: bool,
        #[case] expected: Option<u32>,
    ) {
        assert_eq!(report.commands(in_first_block), expected);
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
        #[case] report: FaultReport,
        #[case] release: (u32, u32),
        #[case] expected: bool,
    ) {
        assert_eq!(report.completes_progress(release), expected);
    }
}
