//! Which disks can be taken from a running machine, and why the others cannot.

use super::case::Controller;

/// Whether a disk on `controller` can be unplugged with a request in flight and be
/// plugged again, and what the guest sees of that is known.
///
/// # Errors
/// Why not, as QEMU 7.2 has it.
pub fn unplugs(controller: Controller) -> Result<(), &'static str> {
    match controller {
        // `virtio_scsi_hotunplug` and `pvscsi_hot_unplug` tell the driver, which
        // looks; a port of a hub says itself that it is empty (`xhci_detach`).
        Controller::VirtioScsi
        | Controller::Pvscsi
        | Controller::UsbStorage
        | Controller::UsbUas => Ok(()),
        // `qbus_is_hotpluggable` is false for `pcie.0`. A root port with native hotplug
        // (seen with `pcie_ports=native` and QEMU's ACPI hotplug of bridges off) presses
        // its attention button (`pcie_cap_slot_unplug_request_cb`): five seconds later
        // `pciehp_unconfigure_device` has the driver remove the disk, whose
        // `del_gendisk` waits for its requests.
        Controller::VirtioBlk
        | Controller::Nvme
        | Controller::PiecewiseBio
        | Controller::PiecewiseMq => Err(
            "QEMU takes a PCI device only if the guest lets it go, which waits for what the disk \
             has in flight: it would not be lost",
        ),
        // Nothing in hw/ide/qdev.c, hw/block/fdc.c and hw/sd/core.c sets a hotplug
        // handler of the bus.
        Controller::Ahci | Controller::Piix3Ide | Controller::Floppy | Controller::SdCard => {
            Err("QEMU takes no disk from this controller's bus")
        }
        // Neither hw/scsi/megasas.c nor hw/scsi/mptsas.c has a hotplug handler of
        // its own. The request fails; the guest has the disk in its list for good.
        Controller::Megasas | Controller::Mptsas1068 => Err(
            "QEMU lets the disk go and does not tell this controller's driver, which keeps it in \
             its list",
        ),
        // `lsi_request_cancelled` in hw/scsi/lsi53c895a.c and
        // `esp_request_cancelled` in hw/scsi/esp.c forget the request.
        Controller::Lsi53c895a | Controller::Am53c974 => Err(
            "QEMU lets the disk go and answers neither what it had in flight nor that it is gone",
        ),
        Controller::Target => {
            Err("a disk of the target stays: let it `report` that its transport is gone")
        }
    }
}
