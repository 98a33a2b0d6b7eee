//! The I/O of the application.

use crate::Vector;
use halfway_protocol::io::{Op, Path};
use serde::{Deserialize, Serialize};

/// The application's I/O.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Io {
    /// What it does.
    pub op: Op,
    /// Direct or buffered.
    pub path: Path,
    /// `O_DSYNC`: a write that has returned must be durable.
    pub dsync: bool,
    /// First sector on the dm device.
    pub sector: u64,
    /// Length in sectors, of all requests together.
    pub sectors: u64,
    /// Shape of the memory of each request.
    pub vector: Vector,
    /// How many requests the range is cut into, all in flight together.
    pub requests: u32,
    /// How many sectors each request but the last reaches into the next one.
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
    /// First sector and length of each request, in order: equal parts, whole
    /// sectors, the first ones longer by one where it does not divide, and all but
    /// the last by what they reach into the next one.
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
