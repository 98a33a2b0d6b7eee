//! Block-layer trace events, typed.
//!
//! The agent reads the binary ring buffer of tracefs and decodes it with the
//! kernel's own `format` files, since the text differs between releases
//! (7.x adds the I/O priority to it).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A block device's number, as the kernel's `dev_t` splits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dev(
    /// Major number.
    pub u32,
    /// Minor number.
    pub u32,
);

impl Dev {
    /// From the kernel's internal `dev_t` (12 bits of major above 20 of minor:
    /// `MINORBITS` in include/linux/kdev_t.h), as trace events carry it.
    pub fn from_kernel(dev: u32) -> Self {
        Dev(dev >> 20, dev & 0xf_ffff)
    }
}

impl fmt::Display for Dev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0, self.1)
    }
}

/// Which trace event it was (include/trace/events/block.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `block_bio_queue`: a bio is submitted to a device.
    BioQueue,
    /// `block_bio_remap`: a bio moves from a device to the one beneath.
    BioRemap,
    /// `block_split`: a bio is cut at the device's limits.
    Split,
    /// `block_bio_complete`: a bio-based device completes a bio.
    BioComplete,
    /// `block_bio_backmerge`: a bio joins a request at its end.
    BioBackmerge,
    /// `block_bio_frontmerge`: a bio joins a request at its start.
    BioFrontmerge,
    /// `block_rq_issue`: a request goes to the driver.
    RqIssue,
    /// `block_rq_complete`: the driver completed that many sectors of it.
    RqComplete,
    /// `block_rq_requeue`: the driver gave it back.
    RqRequeue,
    /// `block_rq_remap`: request-based dm maps a request to a path.
    RqRemap,
}

impl Kind {
    /// All events that Halfway watches.
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

    /// The event's name below `events/block/`.
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
    /// The kernel's trace clock in nanoseconds.
    pub ns: u64,
    /// Which event.
    pub kind: Kind,
    /// The device; for a remap the device that the I/O goes to.
    pub dev: Dev,
    /// First sector on `dev`.
    pub sector: u64,
    /// Sectors; for a split those of the first piece, so that the bio was cut
    /// at `sector + sectors`.
    pub sectors: u64,
    /// Operation and flags as blktrace letters: `R`, `WS`, `FF`, `RA`, ….
    pub rwbs: String,
    /// Completions: 0, or the error as a negative errno.
    pub error: i32,
    /// Remaps: where it came from, device and first sector.
    pub from: Option<(Dev, u64)>,
    /// Name of the task that was running.
    pub task: Option<String>,
}

impl TraceEvent {
    /// Whether it is of a passthrough request, which a driver sends to its own
    /// device: it has no sector (`blk_mq_rq_ctx_init` sets `__sector` to -1), and
    /// no letter of its own either (`blk_fill_rwbs`).
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
