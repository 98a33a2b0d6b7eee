//! Faults: which request of which disk fails, when, how often and how.

use halfway_protocol::io::Op;
use halfway_scsi::FaultReport;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fault at one sector of one leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Index of the disk: of a leg or path, and in a nested stack of a path
    /// among those of all legs ([`Case::disk`]).
    pub leg: u8,
    /// Which operation fails.
    pub op: Op,
    /// Sector on the dm device: requests to the leg that contain it fail. It
    /// has no meaning for a flush; any flush of the leg fails.
    pub sector: u64,
    /// How many of the requests that meet the fault it fails.
    pub times: Times,
    /// The errno that the storage gives QEMU. With a `report` the storage
    /// chooses it.
    pub errno: i32,
    /// How the SCSI target reports the failure; `None` on other controllers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<FaultReport>,
}

impl Fault {
    /// Whether the fault fails a request of this operation and range.
    pub fn meets(&self, op: Op, sector: u64, sectors: u64) -> bool {
        let covered = || (sector..sector.saturating_add(sectors)).contains(&self.sector);
        self.op == op && (op == Op::Flush || covered())
    }

    /// Whether the kernel of that release completes the part of a request that
    /// was done before the bad sector, if there is one. Only a report of the
    /// SCSI target makes it do so.
    pub fn completes_progress(&self, release: (u32, u32)) -> bool {
        let report = self.report;
        report.is_some_and(|report| report.completes_progress(release))
    }
}

/// A fault that the I/O's own requests to the legs do not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherFault {
    /// The disk that the fault is on.
    pub disk: Disk,
    /// When it is armed.
    pub during: During,
    /// The fault. On a log `leg` and `sector` have no meaning: the log is read
    /// and written as a whole (`rw_header` in drivers/md/dm-log.c).
    pub fault: Fault,
}

/// The disk that a fault is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Disk {
    /// A leg of the mirror, or a path of the multipath.
    Leg,
    /// The disk of the mirror's log.
    Log,
}

/// When a fault is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum During {
    /// For the application's I/O.
    Io,
    /// While the mirror is set up: its log read and written, its legs
    /// synchronised. It is gone when the I/O starts.
    SetUp,
}

/// How many requests a fault fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// Every request that meets the fault.
    Always,
    /// The first that many requests that meet it (at least 1).
    Count(u32),
}
