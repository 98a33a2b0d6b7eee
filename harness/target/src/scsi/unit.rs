//! What a logical unit is.

use halfway_scsi::sense::Format;
use serde::{Deserialize, Serialize};

/// Size of a logical block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u32)]
pub enum BlockSize {
    /// 512 bytes, as most disks have.
    #[default]
    B512 = 512,
    /// 4096 bytes, as 4Kn disks have.
    B4096 = 4096,
}

impl BlockSize {
    /// The size in bytes.
    pub fn bytes(self) -> u32 {
        self as u32
    }
}

/// What a logical unit says of itself on one of its ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// UNIT SERIAL NUMBER (VPD page 80h), such as `leg0`, in ASCII. The guest's
    /// agent finds the disk by it.
    pub serial: String,
    /// The name that the world-wide name (VPD page 83h) is computed from. Units
    /// of the same name are one unit on several paths, for multipath-tools and
    /// everyone else.
    pub name: String,
    /// Size of a logical block.
    pub block: BlockSize,
    /// Relative identifier of this port, from 1.
    pub port: u16,
    /// Number of ports that the unit has.
    pub ports: u16,
}

impl Identity {
    /// A unit of one port and 512-byte blocks.
    pub fn new(serial: impl Into<String>) -> Self {
        let serial = serial.into();
        Identity {
            name: serial.clone(),
            serial,
            block: BlockSize::B512,
            port: 1,
            ports: 1,
        }
    }
}

/// A logical unit as its commands see it.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The unit's names, port and block size.
    pub identity: Identity,
    /// Number of logical blocks, at least one.
    pub blocks: u64,
}

/// Longest transfer of one command in bytes: the most that NBD servers take
/// unless they say otherwise (doc/proto.md, "Block size constraints").
pub const MAX_TRANSFER: u32 = 32 << 20;

impl Unit {
    /// Bytes of a logical block.
    pub fn block(&self) -> u32 {
        self.identity.block.bytes()
    }

    /// Most blocks that one command may transfer.
    pub fn max_blocks(&self) -> u32 {
        MAX_TRANSFER / self.block()
    }

    /// D_SENSE: the format of sense data. The fixed format has no room for
    /// block numbers beyond 32 bits, so larger units use descriptors.
    pub fn sense_format(&self) -> Format {
        match self.blocks > 1 << 32 {
            true => Format::Descriptor,
            false => Format::Fixed,
        }
    }
}
