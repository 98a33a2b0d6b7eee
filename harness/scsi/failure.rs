//! The ways in which a disk reports a failure: its answer, and how Linux
//! handles the answer.

use crate::handling::{ATTEMPTS, EIO, ENODATA, EREMOTEIO, Handling, Progress};
use crate::reply::{Reply, Response, Status};
use crate::sense::{Key, Sense};
use serde::{Deserialize, Serialize};

/// Makes [`Failure`], its list, its names and its profiles from the rows.
macro_rules! failures {
    ($($(#[$attribute:meta])* $variant:ident = $name:literal => $profile:expr;)*) => {
        /// A way to report a failure. How Linux handles each is decided in
        /// `scsi_check_sense`, `scsi_io_completion_action` (drivers/scsi),
        /// `sd_done` and `sd_completed_bytes` (sd.c), and
        /// `virtscsi_complete_cmd`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Failure {
            $($(#[$attribute])* #[serde(rename = $name)] $variant,)*
        }

        impl Failure {
            /// All ways, in the order of the rows.
            pub const ALL: &[Failure] = &[$(Failure::$variant,)*];

            /// The name, as in a scenario file.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Failure::$variant => $name,)*
                }
            }

            /// The answer, and how Linux handles it.
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

    /// MEDIUM ERROR, WRITE ERROR - AUTO REALLOCATION FAILED, with INFORMATION
    /// and residual. Retried five times.
    WriteError = "write-error" => Profile {
        reply: Reply::check(Sense::new(Key::MediumError, 0x0c, 2)),
        // The ASC is not among those that `scsi_check_sense` knows, so the
        // result is NEEDS_RETRY.
        linux: Handling { progress: Progress::Always, ..RETRIED },
        ..MEDIUM_ERROR
    };

    /// HARDWARE ERROR, INTERNAL TARGET FAILURE, with INFORMATION and residual.
    HardwareError = "hardware-error" => Profile {
        reply: Reply::check(Sense::new(Key::HardwareError, 0x44, 0)),
        // `BLK_STS_TARGET`, unless `retry_hwerror` is set for the device.
        linux: Handling { errno: EREMOTEIO, ..UNRECOVERED },
        ..MEDIUM_ERROR
    };

    /// MEDIUM ERROR that does not say where, as QEMU's own disks report it.
    /// Their residual is 0 then (`virtio_scsi_command_complete` in
    /// hw/scsi/virtio-scsi.c).
    WithoutInformation = "without-information" => Profile {
        reply: UNRECOVERED_READ,
        information: Information::None,
        residual: Residual::Zero,
        linux: NO_PROGRESS,
    };

    /// ABORTED COMMAND, DATA PHASE ERROR.
    AbortedCommand = "aborted-command" =>
        plain(Reply::check(Sense::new(Key::AbortedCommand, 0x4b, 0)), RETRIED);

    /// Status BUSY, without sense data.
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

    /// The command is not answered until it is aborted. `virtscsi_eh_timed_out`
    /// restarts the timer for ever. After an operator's reset the command ends
    /// with `DID_RESET`, which `scsi_io_completion` retries without counting
    /// (ACTION_RETRY).
    NoAnswer = "no-answer" => plain(Reply::Nothing, ASKED_AGAIN);

    /// Like [`Failure::MediumError`], but the residual says that nothing was
    /// transferred, as scsi_debug reports it. A reader gets no data.
    ResidualOfAll = "residual-of-all" => Profile {
        residual: Residual::Whole,
        linux: NO_PROGRESS,
        ..MEDIUM_ERROR
    };

    /// Like [`Failure::MediumError`], but the residual is 0, as from an HBA
    /// that does not count. Only INFORMATION says where.
    ResidualOfNone = "residual-of-none" => Profile {
        residual: Residual::Zero,
        ..MEDIUM_ERROR
    };

    /// A lie: INFORMATION names the block before the command's first.
    InformationBefore = "information-before" => Profile {
        information: Information::Before,
        linux: NO_PROGRESS,
        ..MEDIUM_ERROR
    };

    /// A lie: INFORMATION names the block behind the command's last.
    InformationBehind = "information-behind" => Profile {
        information: Information::Behind,
        linux: NO_PROGRESS,
        ..MEDIUM_ERROR
    };

    /// A lie: the residual is larger than the whole transfer by a block.
    ResidualTooLarge = "residual-too-large" => Profile {
        residual: Residual::TooLarge,
        // Before 5.15 the subtraction wraps around, and INFORMATION decides.
        // Since then `scsi_set_resid` bounds the residual.
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
    /// The answer; its sense data are without INFORMATION.
    pub reply: Reply,
    /// What INFORMATION in the sense data says of the place.
    pub information: Information,
    /// What the residual says of the transfer.
    pub residual: Residual,
    /// How Linux handles the answer.
    pub linux: Handling,
}

/// What INFORMATION says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Information {
    /// The sense data have no INFORMATION.
    None,
    /// The first bad block, if it is known.
    BadBlock,
    /// The block before the command's first.
    Before,
    /// The block behind the command's last.
    Behind,
}

/// What the residual says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residual {
    /// The bytes that were not transferred.
    NotMoved,
    /// 0: everything was transferred.
    Zero,
    /// The whole transfer: nothing was transferred.
    Whole,
    /// The whole transfer and a block more.
    TooLarge,
    /// A byte less than what was not transferred.
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

/// An answer that says nothing of blocks, to a command that has transferred
/// none.
const fn plain(reply: Reply, linux: Handling) -> Profile {
    Profile {
        reply,
        information: Information::None,
        residual: Residual::NotMoved,
        linux,
    }
}

/// MEDIUM ERROR with ASC 11h is not retried: `BLK_STS_MEDIUM`.
const UNRECOVERED: Handling = Handling {
    commands: Some(1),
    progress: Progress::Always,
    errno: ENODATA,
    of_path: false,
};

/// `sd_completed_bytes` needs VALID and a place within the command. It follows
/// the residual if that leaves less.
const NO_PROGRESS: Handling = Handling {
    progress: Progress::Never,
    ..UNRECOVERED
};

/// NEEDS_RETRY: retried, and counted as an attempt.
const RETRIED: Handling = Handling {
    commands: Some(ATTEMPTS),
    progress: Progress::Never,
    errno: EIO,
    of_path: true,
};

/// ADD_TO_MLQUEUE, ACTION_RETRY: retried, and not counted.
const ASKED_AGAIN: Handling = Handling {
    commands: None,
    ..RETRIED
};
