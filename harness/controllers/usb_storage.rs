//! The bulk-only transport of USB, on xHCI.

use crate::profile::{Errnos, FailureHandling, HotUnplug, Limits, Profile, Qemu};
use crate::scsi;

/// The `-device` argument of the xHCI controller. On the last free port QEMU
/// would put a hub that SuperSpeed cannot use (`usb_claim_port` in
/// hw/usb/bus.c).
pub const XHCI: &str = "qemu-xhci,id=hba,p2=8,p3=8";

/// Kernel parameter: the driver waits a second for a stick to settle, which an
/// emulated one does not need.
pub const NO_SETTLING: &str = "usb_storage.delay_use=0";

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["qemu-xhci", "usb-bot", "scsi-hd"],
        shared: Some(XHCI),
        disk: |disk| scsi::stick(disk, "usb-bot"),
        has_virtio_backend: false,
        is_usb_stick: true,
    },
    modules: &["xhci_pci", "usb_storage", "sd_mod"],
    parameters: &[NO_SETTLING],
    own_module: None,
    limits: // Eight ports, of which QEMU keeps one for a hub.
    Limits::with_room_for(7),
    failure_handling: FailureHandling {
        // `usb_msd_command_complete` in hw/usb/dev-storage.c skips the rest of
        // the transfer, which fills it with zeros (`usb_packet_skip`).
        pads: true,
        ..scsi::TRIED_AGAIN
    },
    attempts_beneath_multipath: (6, 6),
    errnos: Errnos::Measured(scsi::SENSE_OF_USB_STORAGE),
    timeout: // The driver aborts (`command_abort` in drivers/usb/storage/scsiglue.c) and resets the
    // port. QEMU waits for the medium (`usb_msd_cancel_io` in hw/usb/dev-storage.c); the
    // trace event is that of `xhci_stop_ep` in hw/usb/hcd-xhci.c.
    Ok(scsi::asked_again("usb_xhci_ep_stop")),
    hot_unplug: Ok(HotUnplug {
        // A port of a hub reports by itself that it is empty (`xhci_detach`).
        // Here QEMU's disk has no scatter list of the guest's memory
        // (`get_sg_list`), so it moves `SCSI_DMA_BUF_SIZE` at a time
        // (hw/scsi/scsi-disk.c).
        most_sectors: Some(256),
        aborts_reads: None,
    }),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: false,
    takes_write_zeroes: // `slave_configure` in drivers/usb/storage/scsiglue.c (`no_write_same`).
    false,
    discards: Err(scsi::NO_DISCARDS),
    note: "in 128 KiB",
};
