//! What a logical unit is.

use halfway_scsi::sense::Format;
use serde::{Deserialize, Serialize};

/// Bytes of a logical block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u32)]
pub enum BlockSize {
    /// 512 bytes.
    #[default]
    B512 = 512,
    /// 4096 bytes.
    B4096 = 4096,
}

impl BlockSize {
    /// In bytes.
    pub fn bytes(self) -> u32 {
        self as u32
    }
}

/// What a logical unit says of itself on one of its ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// UNIT SERIAL NUMBER (VPD page 80h), such as `leg0`: ASCII. The guest's
    /// agent finds the disk by it.
    pub serial: String,
    /// What its world-wide name (VPD page 83h) is made of. Units of the same
    /// name are one unit on several paths, to multipath-tools and to everybody.
    pub name: String,
    /// Logical block length.
    pub block: BlockSize,
    /// Relative identifier of the port that this is, from 1.
    pub port: u16,
    /// How many ports the unit has.
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
    /// Who it is.
    pub identity: Identity,
    /// How many logical blocks it has, at least one.
    pub blocks: u64,
}

/// The longest transfer of one command, in bytes: what NBD servers take at
/// most unless they say otherwise (doc/proto.md, "Block size constraints").
pub const MAX_TRANSFER: u32 = 32 << 20;

impl Unit {
    /// Bytes of a logical block.
    pub fn block(&self) -> u32 {
        self.identity.block.bytes()
    }

    /// Blocks that one command may transfer.
    pub fn max_blocks(&self) -> u32 {
        MAX_TRANSFER / self.block()
    }

    /// D_SENSE: how sense data come. The fixed format has no room for blocks
    /// beyond 32 bits, so larger units use descriptors.
    pub fn sense_format(&self) -> Format {
        match self.blocks > 1 << 32 {
            true => Format::Descriptor,
            false => Format::Fixed,
        }
    }
}
