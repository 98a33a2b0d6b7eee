//! Which drivers give a request up that its disk takes too long for, how long they
//! wait, and who has the request then.
//!
//! The rows of those whose requests are asked for again have been measured on QEMU 7.2
//! with Linux 5.10, 6.1, 6.12 and 7.3, lsi53c895a and am53c974 with 6.1 alone; what the
//! others are refused for was read and not measured. The sources are named with each.

use super::case::{Case, Controller, Meanwhile};

/// A driver that gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impatience {
    /// How long it waits is in this file of the disk's, in sysfs.
    pub attribute: &'static str,
    /// What is written there for a case. The block layer's timer goes off up to a
    /// second later (`blk_rq_timeout` in block/blk-timeout.c).
    pub limit: &'static str,
    /// Who has the request then.
    pub then: Then,
}

/// What becomes of a request that its driver has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It stays the disk's until that ends it.
    Waits,
    /// The kernel has it back, and asks the disk again; who is above the disk hears
    /// nothing of that. The disk's late end must not be taken for the other one.
    AskedAgain,
}

/// A disk of SCSI, for which `scsi_times_out` has the command aborted. Once it is, or
/// its disk or bus is reset, it is queued again (`scmd_eh_abort_handler`,
/// `scsi_eh_flush_done_q` in drivers/scsi/scsi_error.c), unless it must not be tried
/// again: that is `REQ_FAILFAST_DEV` (`scsi_noretry_cmd`), and multipath sets
/// `REQ_FAILFAST_TRANSPORT` alone.
const SCSI: Impatience = Impatience {
    attribute: "device/timeout",
    limit: "1",
    then: Then::AskedAgain,
};

/// What is known of the driver of `controller`, or why nothing is.
pub fn of(controller: Controller) -> Result<Impatience, &'static str> {
    match controller {
        // `nvme_timeout` in drivers/nvme/host/pci.c asks for an abort and starts the
        // timer anew. Its device model aborts nothing (`nvme_abort` in
        // hw/nvme/ctrl.c).
        Controller::Nvme => Ok(Impatience {
            attribute: "queue/io_timeout",
            limit: "3000",
            then: Then::Waits,
        }),
        // `pvscsi_abort`; `pvscsi_on_cmd_abort` in hw/scsi/vmw_pvscsi.c stands still
        // until the medium has ended what it cancels.
        Controller::Pvscsi => Ok(SCSI),
        // `mptscsih_abort`; `mptsas_process_scsi_task_mgmt` in hw/scsi/mptsas.c
        // answers when the medium has ended what it cancels.
        Controller::Mptsas1068 => Ok(SCSI),
        // `command_abort` in drivers/usb/storage/scsiglue.c, and a reset of the port;
        // `usb_msd_cancel_io` in hw/usb/dev-storage.c stands still.
        Controller::UsbStorage => Ok(SCSI),
        // `uas_eh_abort_handler` gives the command up and always fails, then
        // `uas_eh_device_reset_handler`; `usb_uas_handle_reset` in hw/usb/dev-uas.c
        // stands still.
        Controller::UsbUas => Ok(SCSI),
        // `ata_scsi_cmd_error_handler`, a reset of the link, and `ata_eh_qc_retry` for
        // all that the disk had; `ahci_reset_port` in hw/ide/ahci.c stands still.
        Controller::Ahci => Ok(SCSI),
        // The same, after `ata_bmdma_error_handler` has stopped the DMA, where
        // `ide_cancel_dma_sync` in hw/ide/core.c stands still.
        Controller::Piix3Ide => Ok(SCSI),
        Controller::VirtioBlk | Controller::PiecewiseBio | Controller::PiecewiseMq => {
            Err("virtio-blk has no timeout: its driver waits until the disk ends the request")
        }
        Controller::VirtioScsi | Controller::Target => Err(
            "the driver of virtio-scsi gives nothing up: it starts its timer anew \
             (`virtscsi_eh_timed_out`)",
        ),
        Controller::Megasas => {
            Err("its driver starts its timer anew until 180 s have passed (`megasas_reset_timer`)")
        }
        Controller::Lsi53c895a | Controller::Am53c974 => Err(
            "its device model does not take the abort of a command that it works on: a read comes \
             back after a reset of the bus, 10 to 23 s later, and with a write the guest falls \
             silent",
        ),
        Controller::Floppy | Controller::SdCard => {
            Err("how long its driver waits cannot be set for a disk")
        }
    }
}

/// What is known of the driver that gives up a request of `case`, if one does.
pub fn of_case(case: &Case) -> Option<Impatience> {
    let first = case.holds.first()?;
    let gives_up = first.meanwhile == Meanwhile::Timeout;
    of(case.legs.controller).ok().filter(|_| gives_up)
}

/// Whether a request of `case` is given up by its driver and asked for again.
pub fn asks_again(case: &Case) -> bool {
    of_case(case).is_some_and(|driver| driver.then == Then::AskedAgain)
}
