//! What a machine's legs are. Cases with the same legs can share a machine.

use crate::{Case, Controller, Legs, OnError};
use halfway_controllers::Limits;
use halfway_protocol::content::SECTOR;
use std::fmt;

/// What a machine's legs are attached to, and what kind of disks they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fitting {
    /// The disk controller of all legs.
    pub controller: Controller,
    /// Bytes of a logical block.
    pub logical_block_size: u32,
    /// Whether the disks are larger than other cases need. A disk of more than
    /// 2^32 blocks gets longer commands (`use_16_for_rw` in drivers/scsi/sd.c).
    /// Disks of other cases stay small, so that the shorter commands are tested
    /// too.
    pub large: bool,
    /// What QEMU does when a disk fails a request.
    pub on_error: OnError,
    /// Whether the legs are ports of one SCSI unit with multipathd in the
    /// guest, which recognises paths by that.
    pub multipathd: bool,
}

impl Fitting {
    /// The fitting that `case` needs.
    pub fn of(case: &Case) -> Self {
        let legs = &case.legs;
        let offset = legs.offset.iter().copied().max().unwrap_or(0);
        Fitting {
            controller: legs.controller,
            logical_block_size: legs.logical_block_size,
            large: legs.sectors.saturating_add(offset) > Limits::LEG_SECTORS,
            on_error: legs.on_error,
            multipathd: case.stack.no_path_retry().is_some(),
        }
    }
}

/// Small disks of 512-byte blocks that report their errors.
impl From<Controller> for Fitting {
    fn from(controller: Controller) -> Self {
        Fitting {
            controller,
            logical_block_size: SECTOR as u32,
            large: false,
            on_error: OnError::Report,
            multipathd: false,
        }
    }
}

impl fmt::Display for Fitting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.controller)?;
        if self.logical_block_size != SECTOR as u32 {
            write!(f, " with {}-byte blocks", self.logical_block_size)?;
        }
        if self.large {
            f.write_str(" with large disks")?;
        }
        if self.on_error == OnError::Stop {
            f.write_str(" that stops on errors")?;
        }
        match self.multipathd {
            true => f.write_str(", with multipathd"),
            false => Ok(()),
        }
    }
}

impl Legs {
    /// 512-byte sectors of a logical block.
    pub fn block(&self) -> u64 {
        u64::from(self.logical_block_size / SECTOR as u32).max(1)
    }
}
