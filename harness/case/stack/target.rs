//! What is asked of a device-mapper target.

use super::{Log, Multipath, Paths, Status, Sync};
use halfway_protocol::io::Op;
use std::fmt::Display;

/// What is known of a target: facts of it and its parameters, without I/O. Its words are its
/// `Display`. There are no defaults: a fact that nobody looked up does not compile.
pub trait Target: Display {
    /// The word for a lower device: leg or path.
    fn lower(&self) -> &'static str;

    /// The kernel modules that it needs, those of targets beneath it too, without the modules
    /// that they depend on.
    fn modules(&self) -> Vec<&'static str>;

    /// The table over these devices.
    fn table(&self, devices: &Devices) -> Table;

    /// The table that has the kernel copy the first of these devices to the others. `None` if
    /// the target copies nothing.
    fn resynchronised(&self, devices: &Devices) -> Option<Table>;

    /// The table that an operator loads to go on with those devices that are `left`. `None` if
    /// none is, or if the target is not mended by a table.
    fn without_failed(&self, left: &Devices) -> Option<Table>;

    /// What a status line says, the part of it behind the target's name. `None` for a line of
    /// another shape.
    fn status(&self, line: &str) -> Option<Status>;

    /// Whether each lower device is a disk of its own with a copy of the data, and a write goes
    /// to all of them. Otherwise they lead to one disk, and an I/O goes to one of them.
    fn has_copies(&self) -> bool;

    /// Whether a worker of the target takes it for in sync when it first runs, and forgets
    /// then what has failed before (`reset_ms_flags` in `do_recovery` of dm-raid1).
    fn starts_in_sync_by_its_worker(&self) -> bool;

    /// Whether it writes, and reads again what failed, through dm-io (drivers/md/dm-io.c), which
    /// makes bios of its own.
    fn uses_dm_io(&self) -> bool;

    /// Whether it takes write-zeroes. Otherwise the kernel writes zeros
    /// (`blkdev_issue_zeroout`).
    fn takes_write_zeroes(&self) -> bool;

    /// Whether device-mapper sends an event when a lower device fails.
    fn tells_of_failures(&self) -> bool;

    /// 512-byte sectors of a region, whose boundaries no unit crosses and whose sync the target
    /// keeps. `None` without regions.
    fn region_size(&self) -> Option<u32>;

    /// Its state when the I/O starts. `None` if nothing can be out of sync.
    fn sync(&self) -> Option<Sync>;

    /// Type of its dirty log, if it has one.
    fn log(&self) -> Option<Log>;

    /// The multipaths that its lower devices are, if they are.
    fn paths(&self) -> Option<&Paths>;

    /// The multipath through which I/O reaches the disks: itself, or what each leg is.
    fn multipath(&self) -> Option<&Multipath>;

    /// Whether it may hold an I/O of this operation until somebody does something about it.
    fn holds(&self, op: Op) -> bool;

    /// Whether I/O waits in the target itself once it has no path.
    fn waits_without_path(&self) -> bool;

    /// What brings back an I/O that is held.
    fn remedy(&self) -> Remedy;

    /// The words for that it holds an I/O of this operation, and until when.
    fn held_until(&self, op: Op) -> &'static str;
}

/// What brings back an I/O that a target holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// An operator loads a table without the failed lower devices. The status before that tells
    /// what the target concluded: the new table knows nothing of it.
    TableWithoutFailed,
    /// An operator reinstates a failed path by a message, or has the I/O fail.
    ReinstatedPath,
    /// The same is done to a multipath beneath the target, which does not notice.
    PathBeneath,
    /// multipathd, which runs in the guest, does it.
    Multipathd,
}

/// The devices that a table is made over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices {
    /// The lower devices, in the table's order.
    pub lower: Vec<Lower>,
    /// What stands for the disk of a log.
    pub log: String,
}

/// A lower device in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lower {
    /// What stands for the device.
    pub device: String,
    /// Where the target starts on it, in 512-byte sectors.
    pub offset: u64,
}

/// A line of a table, without the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The target's name.
    pub kind: &'static str,
    /// Its parameters.
    pub params: String,
}

impl Table {
    pub(super) fn new(kind: &'static str, words: &[String]) -> Self {
        Table {
            kind,
            params: words.join(" "),
        }
    }
}
