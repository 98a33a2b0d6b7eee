//! The ways in which a disk reports a failure: what it answers, and how Linux handles
//! the answer.

use crate::linux::{ATTEMPTS, EIO, ENODATA, EREMOTEIO, Handling, Progress};
use crate::reply::{Reply, Response, Status};
use crate::sense::{Key, Sense};
use serde::{Deserialize, Serialize};

/// Makes [`Failure`], its list, its names and its profiles of the rows.
macro_rules! failures {
    ($($(#[$attribute:meta])* $variant:ident = $name:literal => $profile:expr;)*) => {
        /// A way to report a failure. What Linux makes of each is in `scsi_check_sense`,
        /// `scsi_io_completion_action` (drivers/scsi), `sd_done` and `sd_completed_bytes`
        /// (sd.c), and `virtscsi_complete_cmd`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Failure {
            $($(#[$attribute])* #[serde(rename = $name)] $variant,)*
        }

        impl Failure {
            /// All of them, in the order of the rows.
            pub const ALL: &[Failure] = &[$(Failure::$variant,)*];

            /// As in a scenario file.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Failure::$variant => $name,)*
                }
            }

            /// What is known of it.
            pub const fn profile(self) -> Profile {
                match self {
                    $(Failure::$variant => $profile,)*
                }
            }
        }
    };
}

failures! {
    /// MEDIUM ERROR, UNRECOVERED READ ERROR, with INFORMATION and residual.
    /// Not retried.
    MediumError = "medium-error" => MEDIUM_ERROR;

    /// MEDIUM ERROR, WRITE ERROR - AUTO REALLOCATION FAILED, with the same.
    /// Retried five times.
    WriteError = "write-error" => Profile {
        reply: Reply::check(Sense::new(Key::MediumError, 0x0c, 2)),
        information: Information::BadBlock,
        residual: Residual::NotMoved,
        // An ASC that is not among those of `scsi_check_sense`: NEEDS_RETRY.
        linux: Handling { progress: Progress::Always, ..RETRIED },
    };

    /// HARDWARE ERROR, INTERNAL TARGET FAILURE, with the same.
    HardwareError = "hardware-error" => Profile {
        reply: Reply::check(Sense::new(Key::HardwareError, 0x44, 0)),
        information: Information::BadBlock,
        residual: Residual::NotMoved,
        // `BLK_STS_TARGET`, unless `retry_hwerror` is set for the device.
        linux: Handling { errno: EREMOTEIO, ..UNRECOVERED },
    };

    /// MEDIUM ERROR that does not say where, as QEMU's own disks report it. Their residual
    /// is nought then (`virtio_scsi_command_complete` in hw/scsi/virtio-scsi.c).
    WithoutInformation = "without-information" => Profile {
        reply: UNRECOVERED_READ,
        information: Information::None,
        residual: Residual::Zero,
        linux: NO_PROGRESS,
    };

    /// ABORTED COMMAND, DATA PHASE ERROR.
    AbortedCommand = "aborted-command" =>
        plain(Reply::check(Sense::new(Key::AbortedCommand, 0x4b, 0)), RETRIED);

    /// Status BUSY.
    Busy = "busy" => plain(Reply::Status(Status::Busy, None), ASKED_AGAIN);

    /// Status TASK SET FULL.
    TaskSetFull = "task-set-full" => plain(Reply::Status(Status::TaskSetFull, None), ASKED_AGAIN);

    /// UNIT ATTENTION, POWER ON, RESET, OR BUS DEVICE RESET OCCURRED.
    UnitAttention = "unit-attention" =>
        plain(Reply::check(Sense::new(Key::UnitAttention, 0x29, 0)), ASKED_AGAIN);

    /// The transport failed (`VIRTIO_SCSI_S_TRANSPORT_FAILURE`).
    TransportFailure = "transport-failure" =>
        plain(Reply::Response(Response::TransportFailure), RETRIED);

    /// No such target (`VIRTIO_SCSI_S_BAD_TARGET`): `DID_BAD_TARGET` is final.
    BadTarget = "bad-target" => plain(
        Reply::Response(Response::BadTarget),
        Handling { commands: Some(1), ..RETRIED },
    );

    /// The command is never answered, until it is aborted. `virtscsi_eh_timed_out` starts
    /// the timer anew, for ever; what an operator's reset gives back is `DID_RESET`, which
    /// `scsi_io_completion` has tried again without counting (ACTION_RETRY).
    NoAnswer = "no-answer" => plain(Reply::Nothing, ASKED_AGAIN);

    /// As [`Failure::MediumError`], with a residual of everything, as
    /// scsi_debug reports it; a reader gets no data.
    ResidualOfAll = "residual-of-all" => Profile {
        residual: Residual::Whole,
        linux: NO_PROGRESS,
        ..MEDIUM_ERROR
    };

    /// As [`Failure::MediumError`], with a residual of nothing, as of an HBA that
    /// does not count: INFORMATION alone says where.
    ResidualOfNone = "residual-of-none" => Profile {
        residual: Residual::Zero,
        ..MEDIUM_ERROR
    };

    /// A lie: INFORMATION is the block before the command's first.
    InformationBefore = "information-before" => Profile {
        information: Information::Before,
        linux: NO_PROGRESS,
        ..MEDIUM_ERROR
    };

    /// A lie: INFORMATION is the block behind the command's last.
    InformationBehind = "information-behind" => Profile {
        information: Information::Behind,
        linux: NO_PROGRESS,
        ..MEDIUM_ERROR
    };

    /// A lie: the residual is a block more than the whole transfer.
    ResidualTooLarge = "residual-too-large" => Profile {
        residual: Residual::TooLarge,
        // Before 5.15 the arithmetic wraps, and INFORMATION decides; since then
        // `scsi_set_resid` bounds the residual.
        linux: Handling { progress: Progress::Before((5, 15)), ..UNRECOVERED },
        ..MEDIUM_ERROR
    };

    /// A lie: the residual is no multiple of the block size.
    ResidualUnaligned = "residual-unaligned" => Profile {
        residual: Residual::Unaligned,
        ..MEDIUM_ERROR
    };
}

/// What a disk answers to report a failure, and how Linux handles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The answer, its sense data without INFORMATION.
    pub reply: Reply,
    /// What its sense data say of the place.
    pub information: Information,
    /// What is said of the transfer.
    pub residual: Residual,
    /// How Linux handles it.
    pub linux: Handling,
}

/// What INFORMATION says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Information {
    /// There is none.
    None,
    /// The first bad block, where it is known.
    BadBlock,
    /// The block before the command's first.
    Before,
    /// The block behind the command's last.
    Behind,
}

/// What the residual says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residual {
    /// What was not moved.
    NotMoved,
    /// Nothing was left over.
    Zero,
    /// Everything was.
    Whole,
    /// A block more than everything.
    TooLarge,
    /// A byte less than what was not moved.
    Unaligned,
}

/// UNRECOVERED READ ERROR.
const UNRECOVERED_READ: Reply = Reply::check(Sense::new(Key::MediumError, 0x11, 0));

const MEDIUM_ERROR: Profile = Profile {
    reply: UNRECOVERED_READ,
    information: Information::BadBlock,
    residual: Residual::NotMoved,
    linux: UNRECOVERED,
};

/// An answer that tells nothing of blocks, to a command that has moved none.
const fn plain(reply: Reply, linux: Handling) -> Profile {
    Profile {
        reply,
        information: Information::None,
        residual: Residual::NotMoved,
        linux,
    }
}

/// MEDIUM ERROR with ASC 11h is not tried again: `BLK_STS_MEDIUM`.
const UNRECOVERED: Handling = Handling {
    commands: Some(1),
    progress: Progress::Always,
    errno: ENODATA,
    of_path: false,
};

/// `sd_completed_bytes` needs VALID, a place within the command, and believes the
/// residual where that says less.
const NO_PROGRESS: Handling = Handling {
    progress: Progress::Never,
    ..UNRECOVERED
};

/// NEEDS_RETRY: tried again, and counted.
const RETRIED: Handling = Handling {
    commands: Some(ATTEMPTS),
    progress: Progress::Never,
    errno: EIO,
    of_path: true,
};

/// ADD_TO_MLQUEUE, ACTION_RETRY: tried again, and not counted.
const ASKED_AGAIN: Handling = Handling {
    commands: None,
    ..RETRIED
};
