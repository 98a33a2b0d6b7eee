//! The case: one point of a scenario.

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

/// One point of a scenario, with nothing left open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Name of the case: the scenario's name and one `axis=value` for each
    /// swept axis. Unique within a run, the same in every run, and fit for a
    /// file name.
    pub id: String,
    /// The scenario's name: its path below the catalogue, without `.toml`.
    pub scenario: String,
    /// The scenario's question.
    pub question: String,
    /// The scenario's tags.
    pub tags: Vec<String>,
    /// The device-mapper stack.
    pub stack: Stack,
    /// 512-byte sectors of each segment of a linear device on top of the stack.
    /// It splits requests that cross a segment's boundary. `None` without such
    /// a device.
    pub linear: Option<u64>,
    /// The lower devices.
    pub legs: Legs,
    /// The application's I/O; for a soak, the area that it works on.
    pub io: Io,
    /// The faults of the I/O, all armed before it. No two are on one leg,
    /// operation and sector.
    pub faults: Vec<Fault>,
    /// Faults that the I/O's own requests to the legs do not meet: on another
    /// disk, or before the I/O.
    #[serde(default, alias = "aside")]
    pub other_faults: Vec<OtherFault>,
    /// Requests that are held in flight together, and released one by one. The
    /// first hold says what is done to the stack meanwhile.
    #[serde(default, alias = "hold", deserialize_with = "one_or_many")]
    pub holds: Vec<Hold>,
    /// A random mix of I/O and failures instead of one I/O. `io` is then the
    /// area that it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Soak>,
    /// What is broken on purpose in the guest or QEMU, so that the harness must
    /// notice.
    pub sabotage: Option<Sabotage>,
}

impl Case {
    /// The faults in `other_faults` of that disk and time.
    pub fn other_faults_of(&self, disk: Disk, during: During) -> impl Iterator<Item = &Fault> {
        let of = move |other: &&OtherFault| (other.disk, other.during) == (disk, during);
        self.other_faults
            .iter()
            .filter(of)
            .map(|other| &other.fault)
    }

    /// How many disks in a row are paths to the same medium.
    pub fn ways(&self) -> u8 {
        match self.stack.nested() {
            Some(paths) => paths.count,
            None if self.stack.shares_medium() => self.legs.count,
            None => 1,
        }
    }

    /// Number of the disk behind a path of a leg. In a stack that is not nested
    /// a leg has only path 0.
    pub fn disk(&self, leg: u8, path: u8) -> u8 {
        let paths = self.stack.nested().map_or(1, |paths| paths.count);
        leg * paths + path
    }

    /// The leg of a mirror that a disk belongs to: the reverse of [`Case::disk`].
    pub fn leg_of(&self, disk: u8) -> u8 {
        let paths = self.stack.nested().map_or(1, |paths| paths.count);
        disk / paths.max(1)
    }

    /// How many legs of the mirror, or paths of the multipath, the
    /// application's I/O meets first. A mirror's multipaths count as one leg
    /// each.
    pub fn members(&self) -> u8 {
        let paths = self.stack.nested().map_or(1, |paths| paths.count);
        self.legs.count / paths.max(1)
    }

    /// What is done while the requests are held.
    pub fn meanwhile(&self) -> Meanwhile {
        let first = self.holds.first();
        first.map_or(Meanwhile::Nothing, |hold| hold.meanwhile)
    }

    /// Whether the stack is a mirror with its log on a disk of its own.
    pub fn has_log_disk(&self) -> bool {
        self.stack.target().log() == Some(Log::Disk)
    }

    /// The distances, in 512-byte sectors, of the boundaries that no unit
    /// crosses: those of a mirror's regions (multipath has none, see
    /// `multipath_ctr`), and those of the linear segments on top.
    pub fn boundaries(&self) -> Vec<NonZeroU64> {
        let regions = self.stack.target().region_size().map(u64::from);
        let all = regions.into_iter().chain(self.linear);
        all.filter_map(NonZeroU64::new).collect()
    }

    /// The operation as which the I/O reaches the legs. dm-raid1 takes no
    /// write-zeroes (`mirror_ctr` leaves `num_write_zeroes_bios` at 0), nor do
    /// some disks, so the kernel writes zeros instead (`blkdev_issue_zeroout`).
    pub fn op_on_legs(&self) -> Op {
        let by_disk = self.legs.controller.profile().takes_write_zeroes;
        match self.io.op {
            Op::Flush => Op::Write,
            Op::WriteZeroes if !(by_disk && self.stack.target().takes_write_zeroes()) => Op::Write,
            op => op,
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
    /// The guest's kernel logs a complaint while the stack is set up, at a
    /// level that the console does not show.
    GuestComplaint,
    /// QEMU is killed, in the first attempt only: an infrastructure failure is
    /// retried once.
    QemuKill,
    /// The fault is armed on a sector that nothing touches.
    FaultMissed,
}
