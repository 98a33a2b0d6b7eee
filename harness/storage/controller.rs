//! How the disks of a machine are attached to QEMU. The controllers' profiles give
//! arguments and names; here they are put together for legs and log.
//!
//! The id of a disk's device in QEMU is the disk's serial number, so that `qemu-io -d`
//! can name it.

use super::serial;
use halfway_case::OnError;
use halfway_case::observation::Member;
use halfway_controllers::{Controller, Disk, Profile};

/// The controller of a disk, as QEMU sees it. The disk drivers of our own use a virtio
/// disk. The mirror's log is always a virtio disk, whatever the legs are, since some
/// controllers have no room for it.
pub fn of(controller: Controller, member: Member) -> Controller {
    match member {
        Member::Leg(_) if !controller.is_piecewise() => controller,
        _ => Controller::VirtioBlk,
    }
}

/// The profile of the controller of a disk.
fn profile(controller: Controller, member: Member) -> &'static Profile {
    of(controller, member).profile()
}

/// Calls `with` with the disk, in the form that the profiles take.
fn with_disk<T>(member: Member, on_error: OnError, with: impl FnOnce(&Disk<'_>) -> T) -> T {
    with(&Disk {
        id: &serial(member),
        number: match member {
            Member::Leg(leg) => u32::from(leg),
            Member::Log => 0,
        },
        stops_on_errors: on_error == OnError::Stop,
    })
}

/// The QOM path of a disk's device in QEMU, as `qemu-io -d` takes it.
pub fn backend_path(controller: Controller, member: Member) -> String {
    let serial = serial(member);
    match profile(controller, member).qemu.has_virtio_backend {
        true => format!("/machine/peripheral/{serial}/virtio-backend"),
        false => format!("/machine/peripheral/{serial}"),
    }
}

/// The `-device` arguments of a machine whose legs are on `controller`: first the devices
/// that the disks share, then those of each disk.
pub fn arguments(controller: Controller, on_error: OnError, members: &[Member]) -> Vec<String> {
    let shared = controller.profile().qemu.shared.map(str::to_owned);
    let disks = (members.iter()).flat_map(|member| disk(controller, on_error, *member));
    shared.into_iter().chain(disks).collect()
}

/// The `-device` arguments of one disk. A device that others attach to comes before them.
pub fn disk(controller: Controller, on_error: OnError, member: Member) -> Vec<String> {
    with_disk(member, on_error, profile(controller, member).qemu.disk)
}

/// The ids in QEMU of the devices that disappear when a disk is unplugged. The first is
/// the one to unplug. For USB that is the stick, and the disk is a part of it.
pub fn unplugged_devices(controller: Controller, member: Member) -> Vec<String> {
    stick(controller, member)
        .into_iter()
        .chain([serial(member)])
        .collect()
}

/// The command for QEMU's monitor after the devices of a disk were added to a running
/// machine, if one is needed. A USB stick is not attached to its port until it has its
/// disks (`auto_attach` in hw/usb/dev-storage-bot.c and hw/usb/dev-uas.c).
pub fn attach(controller: Controller, member: Member) -> Option<String> {
    let stick = stick(controller, member)?;
    Some(format!("qom-set /machine/peripheral/{stick} attached on"))
}

/// The id of the USB stick that holds the disk, if there is one.
fn stick(controller: Controller, member: Member) -> Option<String> {
    let is_stick = profile(controller, member).qemu.is_usb_stick;
    is_stick.then(|| with_disk(member, OnError::Report, |disk| disk.stick()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_devices_of_two_legs_and_a_log() {
        let members = [Member::Leg(0), Member::Leg(1), Member::Log];
        let all: Vec<_> = Controller::ALL
            .iter()
            .filter(|controller| **controller != Controller::Target)
            .map(|controller| {
                (
                    controller,
                    arguments(*controller, OnError::Report, &members),
                )
            })
            .collect();
        insta::assert_debug_snapshot!(all);
    }

    #[test]
    fn what_goes_with_a_disk_was_made_for_it() {
        let unplugged = (Controller::ALL.iter()).filter(|one| one.profile().hot_unplug.is_ok());
        for &controller in unplugged {
            let leg = Member::Leg(1);
            let devices = unplugged_devices(controller, leg);
            let made = disk(controller, OnError::Report, leg);
            assert_eq!(devices.len(), made.len());
            // The others attach to the first.
            for (id, device) in devices.iter().zip(made) {
                assert!(
                    device.split(',').any(|word| word == format!("id={id}")),
                    "{device}"
                );
            }
            assert_eq!(attach(controller, leg).is_some(), devices.len() > 1);
        }
    }
}
