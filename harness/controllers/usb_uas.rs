//! USB attached SCSI, on xHCI.

use crate::profile::{Errnos, HotUnplug, Limits, Profile, Qemu};
use crate::scsi;
use crate::usb_storage::{NO_SETTLING, XHCI};

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["qemu-xhci", "usb-uas", "scsi-hd"],
        shared: Some(XHCI),
        disk: |disk| scsi::stick(disk, "usb-uas"),
        has_virtio_backend: false,
        is_usb_stick: true,
    },
    modules: &["xhci_pci", "uas", "sd_mod"],
    parameters: &[NO_SETTLING],
    own_module: None,
    limits: // Eight ports, of which QEMU keeps one for a hub.
    Limits {
        // As measured.
        request_sectors: Some(1024),
        ..Limits::with_room_for(7)
    },
    failure_handling: scsi::TRIED_AGAIN,
    attempts_beneath_multipath: (6, 6),
    errnos: Errnos::Measured(scsi::SENSE),
    timeout: // The driver gives the command up (`uas_eh_abort_handler`, which always fails) and
    // resets the device (`uas_eh_device_reset_handler`). At the reset QEMU waits for the
    // medium (`usb_uas_handle_reset` in hw/usb/dev-uas.c).
    Ok(scsi::asked_again("usb_uas_reset")),
    hot_unplug: Ok(HotUnplug {
        // A port of a hub reports by itself that it is empty (`xhci_detach`).
        // Here QEMU's disk has no scatter list of the guest's memory
        // (`get_sg_list`), so it moves `SCSI_DMA_BUF_SIZE` at a time
        // (hw/scsi/scsi-disk.c).
        most_sectors: Some(256),
        // QEMU forgets the command (`usb_uas_scsi_request_cancelled`) but not
        // its transfer. `usb_uas_cancel_io` then does not find the command when
        // the port is emptied (QEMU 7.2). The transfer of a write has ended
        // before.
        aborts_reads: Some("usb_uas_cancel_io"),
    }),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: false,
    takes_write_zeroes: true,
    discards: Ok(()),
    note: "in 128 KiB",
};
