//! How Linux handles a failure that a disk reports.

/// Attempts of a command: the first, and `SD_MAX_RETRIES` (5) retries
/// (drivers/scsi/sd.h).
pub const ATTEMPTS: u32 = 6;

/// How Linux handles a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handling {
    /// How many commands get this answer before the request fails. `None`: the
    /// kernel retries as long as it gets the answer.
    pub commands: Option<u32>,
    /// Whether the part before the bad block is completed with success first.
    pub progress: Progress,
    /// The errno of the rest.
    pub errno: i32,
    /// Whether the failure is the path's, so that another path may succeed
    /// (`blk_path_error`).
    pub of_path: bool,
}

/// Whether the part before the bad block is completed with success first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No: the request fails as a whole.
    Never,
    /// Yes, on all releases.
    Always,
    /// Yes on releases before this one. Their subtraction wraps around if the
    /// residual is larger than the transfer, and INFORMATION decides
    /// (`scsi_set_resid` bounds the residual since 5.15).
    Before((u32, u32)),
}

/// `BLK_STS_IOERR`: the errno of a path's error.
pub const EIO: i32 = 5;
/// `BLK_STS_MEDIUM`: the errno of a bad medium.
pub const ENODATA: i32 = 61;
/// `BLK_STS_TARGET`: the errno of a target's own failure.
pub const EREMOTEIO: i32 = 121;
