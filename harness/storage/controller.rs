//! The disk controllers that QEMU emulates: how a disk is attached to each,
//! what a guest needs to find it, and what a controller cannot have.
//!
//! A disk's device bears the disk's serial number as its id in QEMU, so that
//! it can be named to `qemu-io -d`.

use super::serial;
use crate::observation::Member;
use crate::scenario::case::{Controller, OnError};
use halfway_builder::controls::own;
use halfway_protocol::content::SECTOR;
use std::time::Duration;

/// Sectors of a floppy of 2.88 MB: a floppy has the size that its geometry
/// says (`fd_formats` in hw/block/fdc.c).
const FLOPPY: u64 = 5760;

/// Devices of QEMU that a disk on `controller` is made of.
pub fn devices(controller: Controller) -> &'static [&'static str] {
    match controller {
        Controller::VirtioBlk | Controller::PiecewiseBio | Controller::PiecewiseMq => {
            &["virtio-blk-pci"]
        }
        Controller::VirtioScsi => &["virtio-scsi-pci", "scsi-hd"],
        Controller::Nvme => &["nvme"],
        Controller::Ahci => &["ich9-ahci", "ide-hd"],
        Controller::Piix3Ide => &["piix3-ide", "ide-hd"],
        Controller::Lsi53c895a => &["lsi53c895a", "scsi-hd"],
        Controller::Pvscsi => &["pvscsi", "scsi-hd"],
        Controller::Megasas => &["megasas", "scsi-hd"],
        Controller::Mptsas1068 => &["mptsas1068", "scsi-hd"],
        Controller::Am53c974 => &["am53c974", "scsi-hd"],
        Controller::UsbStorage => &["qemu-xhci", "usb-bot", "scsi-hd"],
        Controller::UsbUas => &["qemu-xhci", "usb-uas", "scsi-hd"],
        Controller::Floppy => &["isa-fdc", "floppy"],
        Controller::SdCard => &["sdhci-pci", "sd-card"],
        Controller::Target => &["vhost-user-scsi-pci"],
    }
}

/// Kernel modules that the guest needs for its disks, beside those of every
/// guest.
pub fn modules(controller: Controller) -> &'static [&'static str] {
    match controller {
        Controller::VirtioBlk => &["virtio_blk"],
        // It looks for the disks as it is loaded.
        Controller::PiecewiseBio | Controller::PiecewiseMq => &["virtio_blk", "halfway_leg"],
        Controller::VirtioScsi => &["virtio_scsi", "sd_mod"],
        Controller::Nvme => &["nvme"],
        Controller::Ahci => &["ahci", "sd_mod"],
        Controller::Piix3Ide => &["ata_piix", "sd_mod"],
        Controller::Lsi53c895a => &["sym53c8xx", "sd_mod"],
        Controller::Pvscsi => &["vmw_pvscsi", "sd_mod"],
        Controller::Megasas => &["megaraid_sas", "sd_mod"],
        Controller::Mptsas1068 => &["mptsas", "sd_mod"],
        Controller::Am53c974 => &["am53c974", "sd_mod"],
        Controller::UsbStorage => &["xhci_pci", "usb_storage", "sd_mod"],
        Controller::UsbUas => &["xhci_pci", "uas", "sd_mod"],
        Controller::Floppy => &["floppy"],
        Controller::SdCard => &["sdhci_pci", "mmc_block"],
        Controller::Target => &["virtio_scsi", "sd_mod"],
    }
}

/// Kernel parameters that its driver needs.
pub fn parameters(controller: Controller) -> &'static [&'static str] {
    match controller {
        // A stick is given a second to settle, which an emulated one does not
        // need.
        Controller::UsbStorage | Controller::UsbUas => &["usb_storage.delay_use=0"],
        Controller::PiecewiseBio => &["halfway_leg.flavour=bio"],
        Controller::PiecewiseMq => &["halfway_leg.flavour=mq"],
        _ => &[],
    }
}

/// Sectors of the disk that holds `wanted` sectors: not every controller has
/// disks of any size.
pub fn capacity(controller: Controller, wanted: u64) -> u64 {
    match controller {
        Controller::Floppy => FLOPPY,
        // QEMU refuses any other (`sd_realize` in hw/sd/sd.c).
        Controller::SdCard => wanted.next_power_of_two(),
        _ => wanted,
    }
}

/// The module of ours that a controller has above a disk of QEMU's.
pub fn own_module(controller: Controller) -> Option<&'static str> {
    controller.is_piecewise().then_some(own::LEG)
}

/// What of QEMU's a disk is on that a guest sees on `controller`.
fn device(controller: Controller) -> Controller {
    match controller.is_piecewise() {
        true => Controller::VirtioBlk,
        false => controller,
    }
}

/// How long no disk may have anything in flight before a write that has not
/// come back counts as held by the mirror.
pub fn quiet(controller: Controller) -> Duration {
    match device(controller) {
        Controller::VirtioBlk => Duration::from_millis(250),
        // Libata's error handler and the re-queueing of a SCSI command leave
        // gaps in which the block layer counts nothing as in flight.
        _ => Duration::from_millis(1000),
    }
}

/// Whether QEMU's trace events tell what such a device answers to each of the
/// guest's requests. Of the others only what it asked of its medium is known.
pub fn tells_answers(controller: Controller) -> bool {
    device(controller) == Controller::VirtioBlk
}

/// How long an I/O may take before it counts as hung, where `asked` is what the
/// user grants it.
///
/// Two device models may fall silent, and the driver then waits for its timeout
/// (`SD_TIMEOUT` in drivers/scsi/sd.h, 30 s). Who grants no more than that does
/// not ask what comes after it, and need not wait to the brink of it.
pub fn deadline(controller: Controller, asked: Duration) -> Duration {
    const SD_TIMEOUT: Duration = Duration::from_secs(30);
    const SILENCE: Duration = Duration::from_secs(10);
    match controller {
        Controller::Lsi53c895a | Controller::Am53c974 if asked <= SD_TIMEOUT => asked.min(SILENCE),
        _ => asked,
    }
}

/// Whether the guest's driver keeps what it once read, so that it would not
/// notice that the harness has other content for the next case
/// (`floppy_track_buffer` in drivers/block/floppy.c).
pub fn remembers(controller: Controller) -> bool {
    controller == Controller::Floppy
}

/// Path of a disk's device in QEMU, as `qemu-io -d` takes it.
pub fn backend_path(controller: Controller, member: Member) -> String {
    let serial = serial(member);
    match of(controller, member) {
        Controller::VirtioBlk => format!("/machine/peripheral/{serial}/virtio-backend"),
        _ => format!("/machine/peripheral/{serial}"),
    }
}

/// The controller of a disk: the mirror's log lies on a virtio disk whatever
/// its legs are on, since some controllers have no room for it.
pub fn of(controller: Controller, member: Member) -> Controller {
    match member {
        Member::Leg(_) => device(controller),
        Member::Log => Controller::VirtioBlk,
    }
}

/// The `-device` arguments of a machine whose legs are on `controller`: what
/// they share, and each disk's own.
pub fn arguments(controller: Controller, on_error: OnError, members: &[Member]) -> Vec<String> {
    let shared = shared(controller).map(str::to_owned);
    let disks = members
        .iter()
        .flat_map(|member| disk(of(controller, *member), on_error, *member));
    shared.into_iter().chain(disks).collect()
}

/// What all disks of a machine are attached to.
fn shared(controller: Controller) -> Option<&'static str> {
    Some(match controller {
        Controller::VirtioBlk
        | Controller::Nvme
        | Controller::SdCard
        | Controller::PiecewiseBio
        | Controller::PiecewiseMq
        | Controller::Target => return None,
        Controller::VirtioScsi => "virtio-scsi-pci,id=hba,disable-legacy=on,num_queues=1",
        Controller::Ahci => "ich9-ahci,id=hba",
        Controller::Piix3Ide => "piix3-ide,id=hba",
        Controller::Lsi53c895a => "lsi53c895a,id=hba",
        Controller::Pvscsi => "pvscsi,id=hba",
        Controller::Megasas => "megasas,id=hba",
        Controller::Mptsas1068 => "mptsas1068,id=hba",
        Controller::Am53c974 => "am53c974,id=hba",
        // The last free port would get a hub that SuperSpeed cannot use
        // (`usb_claim_port` in hw/usb/bus.c).
        Controller::UsbStorage | Controller::UsbUas => "qemu-xhci,id=hba,p2=8,p3=8",
        Controller::Floppy => "isa-fdc,id=hba",
    })
}

/// The devices that go when a disk is unplugged, by their ids in QEMU. The first is
/// the one to unplug: of USB it is the stick, and the disk is a part of it.
pub fn goes(controller: Controller, member: Member) -> Vec<String> {
    let id = serial(member);
    match controller {
        Controller::UsbStorage | Controller::UsbUas => vec![stick(member), id],
        _ => vec![id],
    }
}

fn stick(member: Member) -> String {
    format!("{}-usb", serial(member))
}

/// What QEMU's monitor must be told once the devices of a disk were added to a
/// running machine. A stick is not in its port before it has its disks
/// (`auto_attach` in hw/usb/dev-storage-bot.c and hw/usb/dev-uas.c).
pub fn attach(controller: Controller, member: Member) -> Option<String> {
    match controller {
        Controller::UsbStorage | Controller::UsbUas => Some(format!(
            "qom-set /machine/peripheral/{} attached on",
            stick(member)
        )),
        _ => None,
    }
}

/// The trace event by which QEMU tells that it is about to give up what its guest has
/// given up (`impatience` in `scenario`), before it waits for the medium.
pub fn giving_up(controller: Controller) -> Option<&'static str> {
    match controller {
        // `scsi_req_cancel` and `scsi_req_cancel_async` in hw/scsi/scsi-bus.c.
        Controller::Pvscsi | Controller::Mptsas1068 => Some("scsi_req_cancel"),
        // `xhci_stop_ep` in hw/usb/hcd-xhci.c.
        Controller::UsbStorage => Some("usb_xhci_ep_stop"),
        Controller::UsbUas => Some("usb_uas_reset"),
        Controller::Ahci => Some("ahci_reset_port"),
        Controller::Piix3Ide => Some("ide_cancel_dma_sync_remaining"),
        _ => None,
    }
}

/// A disk's own devices. Merging in QEMU would fail neighbours together; a
/// legacy interface has no use.
pub fn disk(controller: Controller, on_error: OnError, member: Member) -> Vec<String> {
    let id = serial(member);
    let number = match member {
        Member::Leg(leg) => u32::from(leg),
        Member::Log => 0,
    };
    let blocks = format!("logical_block_size={SECTOR},physical_block_size={SECTOR}");
    let cached = format!("{blocks},write-cache=on");
    let answers = match on_error {
        OnError::Report => "rerror=report,werror=report",
        OnError::Stop => "rerror=stop,werror=stop",
    };
    let drive = format!("id={id},drive={id}");
    let scsi = |bus: &str, target: u32, more: &str| {
        format!(
            "scsi-hd,bus={bus},scsi-id={target},lun=0{more},{drive},serial={id},{cached},{answers}"
        )
    };
    match controller {
        Controller::VirtioBlk | Controller::PiecewiseBio | Controller::PiecewiseMq => {
            vec![format!(
                "virtio-blk-pci,{drive},serial={id},disable-legacy=on,num-queues=1,\
             request-merging=off,{cached},{answers}"
            )]
        }
        Controller::VirtioScsi
        | Controller::Pvscsi
        | Controller::Megasas
        | Controller::Lsi53c895a
        | Controller::Am53c974 => vec![scsi("hba.0", number, "")],
        // Its driver asks for an address (`mptsas_sas_device_pg0` in
        // drivers/message/fusion/mptsas.c).
        Controller::Mptsas1068 => {
            let wwn = format!(",wwn={:#x}", 0x5000_c500_0000_0000_u64 + u64::from(number));
            vec![scsi("hba.0", number, &wwn)]
        }
        Controller::Nvme => vec![format!("nvme,{drive},serial={id},{cached}")],
        Controller::Ahci => vec![format!(
            "ide-hd,bus=hba.{number},{drive},serial={id},{cached},{answers}"
        )],
        Controller::Piix3Ide => {
            let (bus, unit) = (number / 2, number % 2);
            vec![format!(
                "ide-hd,bus=hba.{bus},unit={unit},{drive},serial={id},{cached},{answers}"
            )]
        }
        Controller::UsbStorage | Controller::UsbUas => {
            let transport = match controller {
                Controller::UsbStorage => "usb-bot",
                _ => "usb-uas",
            };
            vec![
                format!("{transport},bus=hba.0,id={},serial={id}", stick(member)),
                scsi(&format!("{}.0", stick(member)), 0, ""),
            ]
        }
        Controller::Floppy => vec![format!(
            "floppy,unit={number},drive-type=288,{drive},{cached}"
        )],
        // The card takes the first host that is empty, the one just made.
        Controller::SdCard => vec![
            format!("sdhci-pci,id={id}-host"),
            format!("sd-card,{drive}"),
        ],
        // The target has its own: it is told to QEMU by its sockets.
        Controller::Target => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::impatience::{self, Then};
    use crate::storage::backend_log;

    /// All whose disks are devices of QEMU.
    fn all() -> impl Iterator<Item = Controller> {
        let ours = [Controller::PiecewiseBio, Controller::PiecewiseMq];
        Controller::EMULATED.into_iter().chain(ours)
    }

    #[test]
    fn the_devices_of_two_legs_and_a_log() {
        let members = [Member::Leg(0), Member::Leg(1), Member::Log];
        let all: Vec<_> = all()
            .map(|controller| (controller, arguments(controller, OnError::Report, &members)))
            .collect();
        insta::assert_debug_snapshot!(all);
    }

    #[test]
    fn what_goes_with_a_disk_was_made_for_it() {
        let on = [
            Controller::VirtioScsi,
            Controller::UsbStorage,
            Controller::UsbUas,
        ];
        for (controller, count) in on.into_iter().zip([1, 2, 2]) {
            let leg = Member::Leg(1);
            let goes = goes(controller, leg);
            let made = disk(controller, OnError::Report, leg);
            assert_eq!((goes.len(), made.len()), (count, count));
            // The first is what the others are attached to.
            for (id, device) in goes.iter().zip(made) {
                assert!(
                    device.split(',').any(|word| word == format!("id={id}")),
                    "{device}"
                );
            }
            assert_eq!(attach(controller, leg).is_some(), count > 1);
        }
    }

    #[test]
    fn of_each_request_that_is_asked_for_again_qemu_tells_that_it_gives_it_up() {
        for controller in all() {
            let again = impatience::of(controller).is_ok_and(|one| one.then == Then::AskedAgain);
            let event = giving_up(controller);
            assert_eq!(event.is_some(), again, "{controller}");
            assert!(event.is_none_or(|event| backend_log::GIVING_UP.contains(&event)));
        }
    }

    #[test]
    fn each_argument_is_one_of_the_devices_that_are_asked_for() {
        for controller in all() {
            let legs = [Member::Leg(0), Member::Leg(1)];
            for argument in arguments(controller, OnError::Stop, &legs) {
                let name = argument.split(',').next().unwrap();
                assert!(devices(controller).contains(&name), "{argument}");
            }
        }
    }
}
