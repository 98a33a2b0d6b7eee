//! virtio-blk: the one emulated controller whose trace events show the answer
//! to each request of the driver.

use crate::profile::{Disk, Errnos, FailureHandling, Limits, Profile, Qemu};
use std::time::Duration;

/// Why a disk that is a PCI function is not unplugged.
///
/// `qbus_is_hotpluggable` is false for `pcie.0`. A root port with native
/// hotplug (seen with `pcie_ports=native` and QEMU's ACPI hotplug of bridges
/// off) presses its attention button (`pcie_cap_slot_unplug_request_cb`). Five
/// seconds later `pciehp_unconfigure_device` makes the driver remove the disk,
/// and `del_gendisk` waits for the disk's requests.
pub const WAITS_FOR_THE_GUEST: &str = "QEMU takes a PCI device only if the guest lets it go, which waits for what the disk has in \
     flight: it would not be lost";

/// Why no request on virtio-blk is given up.
pub const NO_TIMEOUT: &str =
    "virtio-blk has no timeout: its driver waits until the disk ends the request";

/// On virtio-blk the block layer always counts what is in flight, so a short
/// wait is enough.
pub const QUIET: Duration = Duration::from_millis(250);

/// Segments of its requests, as measured: QEMU's queues have two entries more.
pub const SEGMENTS: u64 = 254;

/// The `-device` argument of a disk. Merging in QEMU would make neighbouring
/// requests fail together, so it is off, and the legacy interface is not
/// needed.
pub fn disk(disk: &Disk<'_>) -> Vec<String> {
    vec![format!(
        "virtio-blk-pci,{},serial={},disable-legacy=on,num-queues=1,request-merging=off,{},{}",
        disk.drive(),
        disk.id,
        disk.cached(),
        disk.on_errors(),
    )]
}

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["virtio-blk-pci"],
        shared: None,
        disk,
        has_virtio_backend: true,
        is_usb_stick: false,
    },
    modules: &["virtio_blk"],
    parameters: &[],
    own_module: None,
    limits: Limits {
        segments: SEGMENTS,
        ..Limits::with_room_for(Limits::DISKS)
    },
    failure_handling: FailureHandling {
        exact: true,
        // `virtblk_done` completes a request whatever its status, without a
        // retry.
        ..FailureHandling::asking(1)
    },
    attempts_beneath_multipath: (1, 1),
    errnos: Errnos::Measured(&[]),
    timeout: Err(NO_TIMEOUT),
    hot_unplug: Err(WAITS_FOR_THE_GUEST),
    traces_answers: true,
    quiet: QUIET,
    keeps_reads: false,
    takes_write_zeroes: true,
    discards: Ok(()),
    note: "the only one whose journal has what the driver was answered",
};
