//! The lower devices.

use crate::Controller;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The lower devices: a mirror's legs, or a multipath's paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Legs {
    /// The disk controller that all of them are attached to.
    #[serde(default)]
    pub controller: Controller,
    /// Number of disks: 2 to 4 legs or paths, and with nested multipaths that
    /// many paths for each leg.
    pub count: u8,
    /// Bytes of a logical block, the smallest amount that a disk reads or
    /// writes.
    #[serde(default = "sector_bytes")]
    pub logical_block_size: u32,
    /// 512-byte sectors of the dm device. A leg has `offset` sectors more.
    pub sectors: u64,
    /// Where the mirror starts on each leg, in 512-byte sectors; one entry for
    /// each disk. Multipath always starts at 0.
    pub offset: Vec<u64>,
    /// `queue/max_sectors_kb` of the legs, in KiB. It is set after the table is
    /// loaded, so that the leg splits requests and not dm. `None` leaves the
    /// device's own limit.
    pub max_sectors_kb: Option<u32>,
    /// 512-byte sectors that a disk moves at a time. When a request fails, the
    /// pieces before the failing one are done (a torn write). `None`: all or
    /// nothing.
    pub max_transfer: Option<u32>,
    /// What QEMU does when a disk fails a request.
    #[serde(default)]
    pub on_error: OnError,
}

/// What QEMU does when a disk fails a request (`rerror`, `werror`).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// It tells the guest.
    #[default]
    Report,
    /// It stops the machine and keeps the request. When the machine goes on,
    /// QEMU sends the request to the disk again. The guest does not notice.
    Stop,
}

fn sector_bytes() -> u32 {
    halfway_protocol::content::SECTOR as u32
}
