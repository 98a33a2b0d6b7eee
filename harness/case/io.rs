//! The I/O of the application.

use crate::Vector;
use halfway_protocol::io::{Op, Path};
use serde::{Deserialize, Serialize};

/// The application's I/O.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Io {
    /// The operation: read, write, flush, discard or write-zeroes.
    pub op: Op,
    /// Whether the I/O is direct or goes through the page cache.
    pub path: Path,
    /// `O_DSYNC`: a write that has returned must be durable.
    pub dsync: bool,
    /// First sector on the dm device.
    pub sector: u64,
    /// Length of all requests together, in 512-byte sectors.
    pub sectors: u64,
    /// Layout of the memory of each request.
    pub vector: Vector,
    /// Into how many requests the range is cut. All of them are in flight
    /// together.
    pub requests: u32,
    /// By how many sectors each request, except the last, extends into the next
    /// one.
    #[serde(default)]
    pub overlap: u64,
    /// How many threads submit the requests, in turn.
    #[serde(default = "one")]
    pub submitters: u32,
}

fn one() -> u32 {
    1
}

impl Io {
    /// First sector and length of each request, in order. The range is cut into
    /// equal parts of whole sectors; if it does not divide, the first ones are
    /// a sector longer. Each part except the last is then extended by the
    /// overlap.
    pub fn parts(&self) -> Vec<(u64, u64)> {
        let count = u64::from(self.requests.max(1));
        let (each, more) = (self.sectors / count, self.sectors % count);
        let (mut sector, end) = (self.sector, self.sector + self.sectors);
        (0..count)
            .map(|index| {
                let next = sector + each + u64::from(index < more);
                let part = (sector, (next + self.overlap).min(end) - sector);
                sector = next;
                part
            })
            .collect()
    }
}
