//! The case itself.

use crate::fault::{Disk, During, Fault, OtherFault};
use crate::hold::{Hold, one_or_many};
use crate::io::Io;
use crate::legs::Legs;
use crate::meanwhile::Meanwhile;
use crate::soak::Soak;
use crate::stack::{Log, Stack};
use halfway_protocol::io::Op;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU64;

/// One case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Unique within a run, stable from run to run, fit for a file name:
    /// the scenario's name and one `axis=value` for each swept axis.
    pub id: String,
    /// The scenario's name: its path below the catalogue, without `.toml`.
    pub scenario: String,
    /// The scenario's question.
    pub question: String,
    /// The scenario's tags.
    pub tags: Vec<String>,
    /// The device-mapper stack.
    pub stack: Stack,
    /// Sectors of each segment of a linear device on top of it, which cuts what
    /// crosses their boundaries; `None` without such a device.
    pub linear: Option<u64>,
    /// The lower devices.
    pub legs: Legs,
    /// The I/O.
    pub io: Io,
    /// The faults, all armed before the I/O; never two on one leg, operation
    /// and sector.
    pub faults: Vec<Fault>,
    /// Faults of other disks than the legs, and of other times than the I/O's.
    #[serde(default, alias = "aside")]
    pub other_faults: Vec<OtherFault>,
    /// Requests that are held in flight together, and let go one by one; the
    /// first says what is done to the stack meanwhile.
    #[serde(default, alias = "hold", deserialize_with = "one_or_many")]
    pub holds: Vec<Hold>,
    /// Instead of one I/O, a random mix of I/O and failures; `io` is the area
    /// that it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Soak>,
    /// The harness's own proof that it notices: breaks the guest or QEMU.
    pub sabotage: Option<Sabotage>,
}

impl Case {
    /// Faults of that disk and time, of the other faults.
    pub fn other_faults_of(&self, disk: Disk, during: During) -> impl Iterator<Item = &Fault> {
        let of = move |other: &&OtherFault| (other.disk, other.during) == (disk, during);
        self.other_faults
            .iter()
            .filter(of)
            .map(|other| &other.fault)
    }

    /// How many disks, one behind the other, are ways to the same medium.
    pub fn ways(&self) -> u8 {
        match self.stack.nested() {
            Some(paths) => paths.count,
            None if self.stack.shares_medium() => self.legs.count,
            None => 1,
        }
    }

    /// Number of the disk behind a path of a leg; of a stack that is not nested
    /// there is but path 0.
    pub fn disk(&self, leg: u8, path: u8) -> u8 {
        let paths = self.stack.nested().map_or(1, |paths| paths.count);
        leg * paths + path
    }

    /// Legs of the mirror, or paths of the multipath, that the application's I/O
    /// meets first.
    pub fn members(&self) -> u8 {
        let paths = self.stack.nested().map_or(1, |paths| paths.count);
        self.legs.count / paths.max(1)
    }

    /// What is done while the requests are held.
    pub fn meanwhile(&self) -> Meanwhile {
        let first = self.holds.first();
        first.map_or(Meanwhile::Nothing, |hold| hold.meanwhile)
    }

    /// Whether there is a mirror whose log lies on a disk of its own.
    pub fn has_log_disk(&self) -> bool {
        (self.stack.raid1()).is_some_and(|mirror| mirror.log == Log::Disk)
    }

    /// Sectors between the boundaries that no unit crosses: a mirror's regions
    /// (multipath has none, see `multipath_ctr`), and the segments on top.
    pub fn boundaries(&self) -> Vec<NonZeroU64> {
        let regions = self.stack.raid1().map(|mirror| mirror.region_size.into());
        let all = regions.into_iter().chain(self.linear);
        all.filter_map(NonZeroU64::new).collect()
    }

    /// As what the I/O reaches the legs. dm-raid1 takes no write-zeroes
    /// (`mirror_ctr` leaves `num_write_zeroes_bios` at 0), so that the kernel
    /// writes zeros instead (`blkdev_issue_zeroout`).
    pub fn op_on_legs(&self) -> Op {
        match (self.io.op, &self.stack) {
            (Op::Flush, _) | (Op::WriteZeroes, Stack::Raid1(_)) => Op::Write,
            (op, _) => op,
        }
    }
}

/// What is broken on purpose, to prove that the harness notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sabotage {
    /// The guest kernel panics (sysrq-c) while the I/O is in flight.
    GuestPanic,
    /// The guest agent stops answering.
    GuestSilence,
    /// A complaint is in the guest's kernel log while the stack is set up, of a level
    /// that its console does not show.
    GuestComplaint,
    /// QEMU is killed. Strikes on the first attempt only: an infrastructure
    /// failure is retried once.
    QemuKill,
    /// The fault is armed on a sector that nothing touches.
    FaultMissed,
}
