//! The lower devices.

use crate::Controller;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The lower devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Legs {
    /// What they are attached to, all of them.
    #[serde(default)]
    pub controller: Controller,
    /// How many disks, by whichever way they are reached: 2 to 4, and with nested
    /// multipaths that many for each path of a leg.
    pub count: u8,
    /// Bytes of a logical block: what a disk reads and writes at least.
    #[serde(default = "sector_bytes")]
    pub logical_block_size: u32,
    /// Sectors of the dm device; a leg has `offset` more.
    pub sectors: u64,
    /// Where the mirror starts on each leg, in sectors (one entry a disk);
    /// multipath always starts at 0.
    pub offset: Vec<u64>,
    /// `queue/max_sectors_kb` of the legs, set after the table is loaded so
    /// that the leg, not dm, splits; `None` leaves the device's own.
    pub max_sectors_kb: Option<u32>,
    /// Sectors that a disk moves at a time: what comes before a failing one is
    /// done when the request fails (a torn write). `None`: all or nothing.
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
    /// It stops the machine and keeps the request; when the machine goes on, the
    /// disk is asked for it again. The guest hears nothing.
    Stop,
}

fn sector_bytes() -> u32 {
    halfway_protocol::content::SECTOR as u32
}
