//! The facts about a controller.

use std::time::Duration;

/// The facts about a controller. No field has a default, so a new controller
/// cannot leave one out.
#[derive(Debug)]
pub struct Profile {
    /// QEMU's arguments for the controller and its disks.
    pub qemu: Qemu,
    /// Kernel modules that the guest needs for its disks, in addition to those
    /// of every guest.
    pub modules: &'static [&'static str],
    /// Kernel command line parameters that its driver needs.
    pub parameters: &'static [&'static str],
    /// The project's own module between the disk and the stack, if there is
    /// one. It is among `modules` as well.
    pub own_module: Option<&'static str>,
    /// How many legs it can have, and how large.
    pub limits: Limits,
    /// How its driver and its device model handle an `EIO` of the medium.
    pub failure_handling: FailureHandling,
    /// How often its driver tries beneath dm-multipath, which forbids some
    /// drivers to retry (`REQ_FAILFAST_TRANSPORT`): least and most, as in
    /// [`FailureHandling::attempts`].
    pub attempts_beneath_multipath: (u32, u32),
    /// How it handles other errors of the medium than `EIO`.
    pub errnos: Errnos,
    /// How its driver gives up a request that takes too long, or why a case
    /// cannot make it do so.
    pub timeout: Result<Timeout, &'static str>,
    /// What is known of a disk that is unplugged while it has a request, or why
    /// none can be unplugged.
    pub hot_unplug: Result<HotUnplug, &'static str>,
    /// Whether QEMU's trace events show the device's answer to each request of
    /// the guest. If not, only what it asked of its medium is known.
    pub traces_answers: bool,
    /// How long no disk must have anything in flight before a pending I/O
    /// counts as held by the target.
    pub quiet: Duration,
    /// Whether the guest's driver caches what it has read, so that it would not
    /// see new content that the harness puts there for the next case.
    pub keeps_reads: bool,
    /// Whether the guest's driver asks its disks to write zeros; of the others the kernel
    /// writes zeros as it writes anything else (`blkdev_issue_zeroout` in block/blk-lib.c).
    pub takes_write_zeroes: bool,
    /// Whether its disks take discards, or why a case cannot ask for one.
    pub discards: Result<(), &'static str>,
    /// A note about the controller for scenarios/README.md.
    pub note: &'static str,
}

/// QEMU's arguments for a controller and its disks.
#[derive(Debug)]
pub struct Qemu {
    /// The QEMU devices that a disk consists of.
    pub devices: &'static [&'static str],
    /// The `-device` argument that all disks of a machine share.
    pub shared: Option<&'static str>,
    /// The `-device` arguments of a disk. A device that others are attached to
    /// comes first.
    pub disk: fn(&Disk<'_>) -> Vec<String>,
    /// Whether a disk's block backend belongs to a child of its device named
    /// `virtio-backend` (`qemu-io -d` takes its path).
    pub has_virtio_backend: bool,
    /// Whether a disk is in a USB stick, which is plugged and unplugged as a
    /// whole.
    pub is_usb_stick: bool,
}

/// A disk for which QEMU's arguments are made.
#[derive(Clone, Copy, Debug)]
pub struct Disk<'a> {
    /// Its serial number, which is also the id of its device and of its drive.
    pub id: &'a str,
    /// Index of the disk among those of the controller.
    pub number: u32,
    /// Whether its failures stop the machine. If not, they are reported to the
    /// guest.
    pub stops_on_errors: bool,
}

impl Disk<'_> {
    /// The properties that name the drive of a device.
    pub(crate) fn drive(&self) -> String {
        format!("id={0},drive={0}", self.id)
    }

    /// The properties for the block size and the cache of the drive.
    pub(crate) fn cached(&self) -> String {
        "logical_block_size=512,physical_block_size=512,write-cache=on".to_owned()
    }

    /// The properties that say what QEMU does when the drive fails a request.
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

/// The capacity of a controller.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many disks it has room for, apart from the disk of a mirror's log.
    pub disks: u8,
    /// 512-byte sectors that the stack may use of a leg, including its offset.
    pub leg_sectors: u64,
    /// Size in 512-byte sectors of the smallest possible disk that has at least
    /// so many. Not every controller has disks of any size.
    pub capacity: fn(u64) -> u64,
    /// 512-byte sectors of the largest request that its driver takes; `None` if
    /// that is no less than what the kernel makes of an I/O anyway.
    pub request_sectors: Option<u64>,
    /// Segments of memory of a request that its driver takes at least, whatever the
    /// kernel (`max_segments` in sysfs).
    pub segments: u64,
    /// Bytes to whose multiples the segments of a request must be aligned where they meet
    /// (`virt_boundary_mask` in the kernel's queue limits); `None` if they need not be. The
    /// block layer cuts a request at each gap (`bvec_gap_to_prev` in `bio_split_rw`).
    pub gaps: Option<u64>,
    /// Whether disks share their bus, which has one request in flight (`can_queue` of the
    /// SCSI host). While one disk's request ends, the other is busy.
    pub shared_bus: bool,
}

impl Limits {
    /// Most disks of a machine, whatever its controller.
    pub const DISKS: u8 = 8;

    /// Most 512-byte sectors of a leg if the controller sets no other bound: 2
    /// GiB. A machine with such legs can run every case that does not need
    /// larger ones.
    pub const LEG_SECTORS: u64 = 1 << 22;

    /// Segments that each controller takes which says nothing else.
    pub const SEGMENTS: u64 = 126;

    /// A controller with room for so many disks and no other bound.
    pub(crate) const fn with_room_for(disks: u8) -> Limits {
        Limits {
            disks,
            leg_sectors: Limits::LEG_SECTORS,
            capacity: |wanted| wanted,
            request_sectors: None,
            segments: Limits::SEGMENTS,
            gaps: None,
            shared_bus: false,
        }
    }
}

/// How a driver and its device model handle a request whose medium fails with
/// `EIO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureHandling {
    /// How often the driver sends a request that fails each time, before the
    /// failure goes up to device-mapper: least and most.
    pub attempts: (u32, u32),
    /// Whether the device journal has one entry for each request of the driver,
    /// with the answer to it. If not, it has what the device model asked of its
    /// medium, in its own pieces, and the medium's answers.
    pub exact: bool,
    /// 512-byte sectors of the steps in which the driver does a request. It
    /// stops at the first step that fails, and asks for nothing behind it.
    /// `None`: the driver does not go in steps.
    pub step: Option<u64>,
    /// Whether the device journal has the device's commands, with how far each
    /// got. Several commands may belong to one request of the driver.
    pub progress: bool,
    /// Whether a failure makes the driver retry other requests that were in
    /// flight.
    pub disturbs: bool,
    /// Whether the driver reads more than it was asked for, and caches it.
    pub reads_ahead: bool,
    /// Whether the device model may leave a failed read without an answer.
    pub falls_silent: bool,
    /// Whether the device model reports no failure at all to its driver.
    pub never_reports: bool,
    /// Whether the device model pads what it could not read with zeros, and
    /// then reports the failure.
    pub pads: bool,
    /// Whether dm-io fills with zeros what a failed read did not get (`endio` in
    /// drivers/md/dm-io.c zeroes what is left of a bio). A driver that takes bios
    /// leaves all of it. A driver of requests has already advanced the bio when
    /// it fails, unless it ends many requests at once (`blk_complete_request` in
    /// block/blk-mq.c): then the last piece is left.
    pub zeroed_by_dm_io: bool,
    /// Whether the driver answers flushes itself, since it relies on the
    /// controller's firmware.
    pub keeps_flushes: bool,
    /// The errno of its failures if they are the disk's own, so that no other
    /// path could avoid them (`blk_path_error` is false). `None`: they are the
    /// path's.
    pub target_error: Option<i32>,
    /// Messages that QEMU itself writes when a medium fails. They are no sign
    /// of trouble.
    pub remarks: &'static [&'static str],
}

impl FailureHandling {
    /// A driver that always makes so many attempts, with a device model that
    /// has no other peculiarity.
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
            zeroed_by_dm_io: false,
            keeps_flushes: false,
            target_error: None,
            remarks: &[],
        }
    }
}

/// How a controller handles other errors of the medium than `EIO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errnos {
    /// Nobody has measured it, so the errno must be `EIO`.
    Unmeasured,
    /// These errnos are handled as listed, and all others like `EIO`.
    Measured(&'static [Errno]),
}

/// An errno of the medium that is not handled like `EIO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno {
    /// Its number in Linux.
    pub errno: i32,
    /// How it is handled, or why a case cannot ask for it.
    pub meaning: Result<ErrnoMeaning, &'static str>,
}

/// How the driver, and what is above it, handle an errno of the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrnoMeaning {
    /// How often the driver sends the request before the failure goes up.
    pub attempts: u32,
    /// The errno that goes up, as in [`FailureHandling::target_error`]. Another
    /// path could not avoid it.
    pub target_error: i32,
}

/// How a driver gives up a request that takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// The file in the disk's sysfs directory that has the timeout.
    pub attribute: &'static str,
    /// The value that is written there for a case. The block layer's timer may
    /// fire up to a second later (`blk_rq_timeout` in block/blk-timeout.c).
    pub limit: &'static str,
    /// What becomes of the request then.
    pub then: AfterTimeout,
}

/// What becomes of a request that its driver has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterTimeout {
    /// It stays with the disk until the disk ends it.
    Waits {
        /// A part of the line in the kernel's log that says that the driver has
        /// given the request up.
        logged: &'static str,
    },
    /// The kernel takes it back and sends it to the disk again; the layers
    /// above the disk do not notice. The late end of the first attempt must not
    /// be taken for that of the second.
    AskedAgain {
        /// The trace event with which QEMU announces that it cancels the
        /// request that the guest has aborted. After that it waits for the
        /// medium.
        trace_event: &'static str,
    },
}

/// How a disk can be unplugged while it has a request, and plugged in again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HotUnplug {
    /// 512-byte sectors that QEMU asks the medium for at a time. Of a longer
    /// request only one piece would be cancelled. `None`: no such limit.
    pub most_sectors: Option<u64>,
    /// What QEMU writes when it aborts because a disk is unplugged during a
    /// read; `None` if it does not abort.
    pub aborts_reads: Option<&'static str>,
}

impl Profile {
    /// How an errno of the medium is handled, if it is not handled like `EIO`.
    pub fn errno(&self, errno: i32) -> Option<&'static Errno> {
        match self.errnos {
            Errnos::Unmeasured => None,
            Errnos::Measured(others) => others.iter().find(|other| other.errno == errno),
        }
    }

    /// How long an I/O may take before it counts as hung; `asked` is what the
    /// user allows.
    ///
    /// A device model that falls silent leaves the driver to its timeout
    /// (`SD_TIMEOUT` in drivers/scsi/sd.h, 30 s). A user who allows no more
    /// than that does not care what comes after it, so the harness need not
    /// wait until just before it.
    pub fn deadline(&self, asked: Duration) -> Duration {
        const SD_TIMEOUT: Duration = Duration::from_secs(30);
        const SILENCE: Duration = Duration::from_secs(10);
        match self.failure_handling.falls_silent && asked <= SD_TIMEOUT {
            true => asked.min(SILENCE),
            false => asked,
        }
    }

    /// The trace event with which QEMU announces that it cancels a request that
    /// the guest has aborted.
    pub fn timeout_trace_event(&self) -> Option<&'static str> {
        match self.timeout.ok()?.then {
            AfterTimeout::AskedAgain { trace_event } => Some(trace_event),
            AfterTimeout::Waits { .. } => None,
        }
    }
}
