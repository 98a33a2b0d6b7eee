//! Faults: which request of which disk fails, when, how often and how.

use halfway_protocol::io::Op;
use halfway_scsi::FaultReport;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fault at one sector of one leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Which disk: the leg's or path's number, and in a nested stack that of a
    /// path among those of all legs ([`Case::disk`]).
    pub leg: u8,
    /// Which operation fails.
    pub op: Op,
    /// Which sector, on the dm device: requests to the leg that cover it fail.
    /// Of no meaning for a flush, which fails whatever it is for.
    pub sector: u64,
    /// How often.
    pub times: Times,
    /// The errno that the disk answers QEMU with. With a report the storage
    /// chooses it.
    pub errno: i32,
    /// How the target reports it; on other controllers there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<FaultReport>,
}

impl Fault {
    /// Whether it fails a request of this kind and range.
    pub fn meets(&self, op: Op, sector: u64, sectors: u64) -> bool {
        let covered = || (sector..sector.saturating_add(sectors)).contains(&self.sector);
        self.op == op && (op == Op::Flush || covered())
    }

    /// Whether the kernel completes what was done before the bad sector, on that
    /// release, where anything was; only a report of the target can have it do so.
    pub fn completes_progress(&self, release: (u32, u32)) -> bool {
        let report = self.report;
        report.is_some_and(|report| report.completes_progress(release))
    }
}

/// A fault that the I/O's own requests to the legs do not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherFault {
    /// Where it lies.
    pub disk: Disk,
    /// When it is armed.
    pub during: During,
    /// The fault. The log's has neither leg nor sector: the log is read and
    /// written as a whole (`rw_header` in drivers/md/dm-log.c).
    pub fault: Fault,
}

/// What a fault lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Disk {
    /// A leg.
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

/// How often a fault fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// Whenever it is met.
    Always,
    /// The first that many times (at least 1).
    Count(u32),
}
