//! What there is to know of a controller.

use std::time::Duration;

/// A controller. No field has a default, so that a new controller cannot leave one out.
#[derive(Debug)]
pub struct Profile {
    /// How QEMU is told of it and its disks.
    pub qemu: Qemu,
    /// Kernel modules that the guest needs for its disks, beside those of every guest.
    pub modules: &'static [&'static str],
    /// Kernel parameters that its driver needs.
    pub parameters: &'static [&'static str],
    /// The module of ours between its disk and the stack, if there is one; it is among
    /// `modules` as well.
    pub own_module: Option<&'static str>,
    /// How many legs of which size it can have.
    pub limits: Limits,
    /// How its driver and its device model treat an `EIO` of the medium.
    pub failure_handling: FailureHandling,
    /// How often its driver asks beneath dm-multipath, which forbids some drivers to try
    /// again (`REQ_FAILFAST_TRANSPORT`): as [`FailureHandling::attempts`].
    pub attempts_beneath_multipath: (u32, u32),
    /// What it makes of other errors of the medium than `EIO`.
    pub errnos: Errnos,
    /// How its driver gives up a request that takes too long, or why a case cannot
    /// have it do so.
    pub timeout: Result<Timeout, &'static str>,
    /// What is known of a disk that is unplugged while it has a request, or why none
    /// can be.
    pub hot_unplug: Result<HotUnplug, &'static str>,
    /// Whether QEMU's trace events tell what the device answers to each of the guest's
    /// requests. Of the others only what it asked of its medium is known.
    pub traces_answers: bool,
    /// How long no disk may have anything in flight before an I/O that has not come back
    /// counts as held by the target.
    pub quiet: Duration,
    /// Whether the guest's driver keeps what it once read, so that it would not notice
    /// that the harness has other content for the next case.
    pub keeps_reads: bool,
    /// Whether the guest's driver asks its disks to write zeros; of the others the kernel
    /// writes zeros as it writes anything else (`blkdev_issue_zeroout` in block/blk-lib.c).
    pub takes_write_zeroes: bool,
    /// Whether its disks take discards, or why a case cannot ask for one.
    pub discards: Result<(), &'static str>,
    /// What scenarios/README.md says of it beside this.
    pub note: &'static str,
}

/// How QEMU is told of a controller and its disks.
#[derive(Debug)]
pub struct Qemu {
    /// Devices of QEMU that a disk is made of.
    pub devices: &'static [&'static str],
    /// The `-device` argument that all disks of a machine share.
    pub shared: Option<&'static str>,
    /// The `-device` arguments of a disk, the one that the others are attached to first.
    pub disk: fn(&Disk<'_>) -> Vec<String>,
    /// Whether a disk's block backend is a child of its device named `virtio-backend`
    /// (`qemu-io -d` takes its path).
    pub has_virtio_backend: bool,
    /// Whether a disk is a part of a USB stick, which goes and comes as a whole.
    pub is_usb_stick: bool,
}

/// A disk to be told to QEMU.
#[derive(Clone, Copy, Debug)]
pub struct Disk<'a> {
    /// Its serial number; also the id of its device and of its drive.
    pub id: &'a str,
    /// Its number among the disks of the controller, from 0.
    pub number: u32,
    /// Whether its failures stop the machine; else they are reported to the guest.
    pub stops_on_errors: bool,
}

impl Disk<'_> {
    /// What each device of a disk says of its drive.
    pub(crate) fn drive(&self) -> String {
        format!("id={0},drive={0}", self.id)
    }

    /// The block size and the cache of the drive.
    pub(crate) fn cached(&self) -> String {
        "logical_block_size=512,physical_block_size=512,write-cache=on".to_owned()
    }

    /// What QEMU does when the drive fails a request.
    pub(crate) fn on_errors(&self) -> &'static str {
        match self.stops_on_errors {
            true => "rerror=stop,werror=stop",
            false => "rerror=report,werror=report",
        }
    }

    /// The id of the USB stick that the disk is in.
    pub fn stick(&self) -> String {
        format!("{}-usb", self.id)
    }
}

/// What a controller can hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Disks that it has room for, the log's not among them.
    pub disks: u8,
    /// Sectors that the stack may take of a leg, offset included.
    pub leg_sectors: u64,
    /// Sectors of the disk that holds so many: not every controller has disks of any
    /// size.
    pub capacity: fn(u64) -> u64,
    /// Sectors of a request that its driver takes at most, where that is less than what
    /// the kernel makes of an I/O by itself.
    pub request_sectors: Option<u64>,
    /// Segments of memory of a request that its driver takes at least, whatever the
    /// kernel (`max_segments` in sysfs).
    pub segments: u64,
}

impl Limits {
    /// Disks that a machine has at most, whatever its controller.
    pub const DISKS: u8 = 8;

    /// Sectors of a leg, 2 GiB, where the controller sets no other bound. A machine
    /// whose legs are that large can run every case that is not for large ones.
    pub const LEG_SECTORS: u64 = 1 << 22;

    /// Segments that each controller takes which says nothing else.
    pub const SEGMENTS: u64 = 126;

    /// A controller that sets no bound itself.
    pub(crate) const fn with_room_for(disks: u8) -> Limits {
        Limits {
            disks,
            leg_sectors: Limits::LEG_SECTORS,
            capacity: |wanted| wanted,
            request_sectors: None,
            segments: Limits::SEGMENTS,
        }
    }
}

/// How a driver and its device model treat a request whose medium fails with `EIO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureHandling {
    /// How often the driver asks for what fails each time, before the failure goes up
    /// to device-mapper: least and most.
    pub attempts: (u32, u32),
    /// The device journal has one entry for each request of the driver, with what the
    /// driver was answered. Else it has what the device model asked of its medium, in
    /// its own pieces, and whether it got it.
    pub exact: bool,
    /// Sectors of the steps in which the driver does a request, where it stops at the
    /// first that fails: what lies behind that is not asked for.
    pub step: Option<u64>,
    /// The device journal has the device's commands, and says of each how far it got:
    /// several may be one request of the driver.
    pub progress: bool,
    /// A failure makes the driver ask again for what else was in flight.
    pub disturbs: bool,
    /// The driver reads more than it was asked for, and keeps it.
    pub reads_ahead: bool,
    /// The device model may never tell its driver that a read has failed.
    pub falls_silent: bool,
    /// The device model tells its driver of no failure at all.
    pub never_reports: bool,
    /// The device model fills up what it could not read with zeros, and says that it
    /// failed.
    pub pads: bool,
    /// Its driver answers flushes itself, and counts on the controller's firmware.
    pub keeps_flushes: bool,
    /// The errno of its failures, where no other path could avoid them
    /// (`blk_path_error` is false). `None`: they are a path's own.
    pub target_error: Option<i32>,
    /// What QEMU itself says when a medium fails: no sign of trouble.
    pub remarks: &'static [&'static str],
}

impl FailureHandling {
    /// A driver that asks so often, and a device model about which there is nothing
    /// else to tell.
    pub(crate) const fn asking(attempts: u32) -> FailureHandling {
        FailureHandling {
            attempts: (attempts, attempts),
            exact: false,
            step: None,
            progress: false,
            disturbs: false,
            reads_ahead: false,
            falls_silent: false,
            never_reports: false,
            pads: false,
            keeps_flushes: false,
            target_error: None,
            remarks: &[],
        }
    }
}

/// What a controller makes of other errors of the medium than `EIO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errnos {
    /// Nobody has measured it: the errno must be `EIO`.
    Unmeasured,
    /// Each of these as it says, and all others as `EIO`.
    Measured(&'static [Errno]),
}

/// An error of the medium that is not treated as `EIO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno {
    /// Its number.
    pub errno: i32,
    /// What comes of it, or why a case cannot ask for it.
    pub meaning: Result<ErrnoMeaning, &'static str>,
}

/// What a medium's error is to the driver, and to what is above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrnoMeaning {
    /// How often the driver asks.
    pub attempts: u32,
    /// As [`FailureHandling::target_error`].
    pub target_error: i32,
}

/// A driver that gives up a request which takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// How long it waits is in this file of the disk's, in sysfs.
    pub attribute: &'static str,
    /// What is written there for a case. The block layer's timer goes off up to a second
    /// later (`blk_rq_timeout` in block/blk-timeout.c).
    pub limit: &'static str,
    /// Who has the request then.
    pub then: AfterTimeout,
}

/// What becomes of a request that its driver has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterTimeout {
    /// It stays the disk's until that ends it.
    Waits,
    /// The kernel has it back, and asks the disk again; who is above the disk hears
    /// nothing of that. The disk's late end must not be taken for the other one.
    AskedAgain {
        /// The trace event by which QEMU tells that it is about to give up what its guest
        /// has given up, before it waits for the medium.
        trace_event: &'static str,
    },
}

/// A disk that can be unplugged while it has a request, and be plugged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HotUnplug {
    /// Sectors that QEMU asks the medium for at a time: of a longer request one piece
    /// alone would be given up.
    pub most_sectors: Option<u64>,
    /// What QEMU says when it aborts over the unplugging of a disk that reads.
    pub aborts_reads: Option<&'static str>,
}

impl Profile {
    /// What is known of an error of the medium that is not treated as `EIO`.
    pub fn errno(&self, errno: i32) -> Option<&'static Errno> {
        match self.errnos {
            Errnos::Unmeasured => None,
            Errnos::Measured(others) => others.iter().find(|other| other.errno == errno),
        }
    }

    /// How long an I/O may take before it counts as hung, where `asked` is what the user
    /// grants it.
    ///
    /// A device model that falls silent leaves the driver to its timeout (`SD_TIMEOUT` in
    /// drivers/scsi/sd.h, 30 s). Who grants no more than that does not ask what comes
    /// after it, and need not wait to the brink of it.
    pub fn deadline(&self, asked: Duration) -> Duration {
        const SD_TIMEOUT: Duration = Duration::from_secs(30);
        const SILENCE: Duration = Duration::from_secs(10);
        match self.failure_handling.falls_silent && asked <= SD_TIMEOUT {
            true => asked.min(SILENCE),
            false => asked,
        }
    }

    /// The trace event by which QEMU tells that it gives up what its guest has given up.
    pub fn timeout_trace_event(&self) -> Option<&'static str> {
        match self.timeout.ok()?.then {
            AfterTimeout::AskedAgain { trace_event } => Some(trace_event),
            AfterTimeout::Waits => None,
        }
    }
}
