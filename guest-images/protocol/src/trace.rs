//! Block-layer trace events, typed.
//!
//! The agent reads the binary ring buffer of tracefs, and decodes it with the kernel's
//! own `format` files. The text form is not used because it differs between releases: 7.x
//! adds the I/O priority.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The number of a block device, split as in the kernel's `dev_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dev(
    /// The major number.
    pub u32,
    /// The minor number.
    pub u32,
);

impl Dev {
    /// Converts the kernel's internal `dev_t`, as trace events have it: 12 bits of major
    /// above 20 bits of minor (`MINORBITS` in include/linux/kdev_t.h).
    pub fn from_kernel(dev: u32) -> Self {
        Dev(dev >> 20, dev & 0xf_ffff)
    }
}

impl fmt::Display for Dev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0, self.1)
    }
}

/// The kind of a trace event (include/trace/events/block.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `block_bio_queue`: a bio is submitted to a device.
    BioQueue,
    /// `block_bio_remap`: a bio is passed from a device to the one beneath.
    BioRemap,
    /// `block_split`: a bio is split at the device's limits.
    Split,
    /// `block_bio_complete`: a bio-based device completes a bio.
    BioComplete,
    /// `block_bio_backmerge`: a bio is merged to the end of a request.
    BioBackmerge,
    /// `block_bio_frontmerge`: a bio is merged to the front of a request.
    BioFrontmerge,
    /// `block_rq_issue`: a request goes to the driver.
    RqIssue,
    /// `block_rq_complete`: the driver has completed this many sectors of a request.
    RqComplete,
    /// `block_rq_requeue`: the driver has given a request back.
    RqRequeue,
    /// `block_rq_remap`: request-based dm maps a request to a path.
    RqRemap,
}

impl Kind {
    /// All kinds of events that Halfway watches.
    pub const ALL: [Kind; 10] = [
        Kind::BioQueue,
        Kind::BioRemap,
        Kind::Split,
        Kind::BioComplete,
        Kind::BioBackmerge,
        Kind::BioFrontmerge,
        Kind::RqIssue,
        Kind::RqComplete,
        Kind::RqRequeue,
        Kind::RqRemap,
    ];

    /// The name of the event in `events/block/`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::BioQueue => "block_bio_queue",
            Kind::BioRemap => "block_bio_remap",
            Kind::Split => "block_split",
            Kind::BioComplete => "block_bio_complete",
            Kind::BioBackmerge => "block_bio_backmerge",
            Kind::BioFrontmerge => "block_bio_frontmerge",
            Kind::RqIssue => "block_rq_issue",
            Kind::RqComplete => "block_rq_complete",
            Kind::RqRequeue => "block_rq_requeue",
            Kind::RqRemap => "block_rq_remap",
        }
    }
}

/// One trace event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceEvent {
    /// The time by the kernel's trace clock, in nanoseconds.
    pub ns: u64,
    /// The kind of the event.
    pub kind: Kind,
    /// The device. For a remap, the device that the I/O goes to.
    pub dev: Dev,
    /// The first sector on `dev`.
    pub sector: u64,
    /// The number of sectors. For a split, those of the first piece: the bio was split at
    /// `sector + sectors`.
    pub sectors: u64,
    /// The operation and its flags in blktrace's letters: `R`, `WS`, `FF`, `RA`, ….
    pub rwbs: String,
    /// For completions: 0, or the error as a negative errno.
    pub error: i32,
    /// For remaps: the device and the first sector that the I/O comes from.
    pub from: Option<(Dev, u64)>,
    /// The name of the task that was running.
    pub task: Option<String>,
}

impl TraceEvent {
    /// Whether the event is of a passthrough request, which a driver sends to its own
    /// device. Such a request has no sector (`blk_mq_rq_ctx_init` sets `__sector` to -1),
    /// and no letter of its own (`blk_fill_rwbs`).
    pub fn is_passthrough(&self) -> bool {
        self.sector == u64::MAX
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}+{}",
            self.kind.name(),
            self.dev,
            self.rwbs,
            self.sector,
            self.sectors
        )?;
        if let Some((dev, sector)) = self.from {
            write!(f, " <- {dev} {sector}")?;
        }
        if matches!(self.kind, Kind::RqComplete | Kind::BioComplete) {
            write!(f, " [{}]", self.error)?;
        }
        Ok(())
    }
}
