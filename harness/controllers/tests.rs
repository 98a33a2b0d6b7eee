use super::*;
use std::collections::HashSet;

const LEGS: [Disk<'static>; 2] = [
    Disk {
        id: "leg0",
        number: 0,
        stops_on_errors: false,
    },
    Disk {
        id: "leg1",
        number: 1,
        stops_on_errors: true,
    },
];

#[test]
fn a_name_is_one_controllers_and_serialises_to_itself() {
    let mut names = HashSet::new();
    for controller in Controller::ALL {
        let name = controller.name();
        assert!(names.insert(name), "{name}");
        let json = serde_json::to_string(controller).unwrap();
        assert_eq!(json, format!("\"{name}\""));
        assert_eq!(
            serde_json::from_str::<Controller>(&json).unwrap(),
            *controller
        );
    }
}

#[test]
fn each_argument_is_one_of_the_devices_that_are_asked_for() {
    for controller in Controller::ALL {
        let qemu = &controller.profile().qemu;
        let disks = LEGS.iter().flat_map(|leg| (qemu.disk)(leg));
        for argument in qemu.shared.map(str::to_owned).into_iter().chain(disks) {
            let name = argument.split(',').next().unwrap();
            assert!(qemu.devices.contains(&name), "{controller}: {argument}");
        }
    }
}

#[test]
fn each_disk_has_the_drive_of_its_own_id_once() {
    let made_by_qemu = Controller::ALL
        .iter()
        .filter(|one| **one != Controller::Target);
    for controller in made_by_qemu {
        for leg in &LEGS {
            let devices = (controller.profile().qemu.disk)(leg);
            let drive = format!("drive={}", leg.id);
            let with = devices
                .iter()
                .filter(|one| one.split(',').any(|word| word == drive));
            assert_eq!(with.count(), 1, "{controller}: {devices:?}");
        }
    }
}

#[test]
fn a_profile_says_what_its_readers_build_on() {
    for controller in Controller::ALL {
        let profile = controller.profile();
        let (least, most) = profile.failure_handling.attempts;
        assert!(1 <= least && least <= most, "{controller}");
        let (least, most) = profile.attempts_beneath_multipath;
        assert!(1 <= least && least <= most, "{controller}");
        assert!(!profile.modules.is_empty(), "{controller}");
        assert!(
            (2..=Limits::DISKS).contains(&profile.limits.disks),
            "{controller}"
        );
        let leg = profile.limits.leg_sectors.min(Limits::LEG_SECTORS);
        assert!((profile.limits.capacity)(leg) >= leg, "{controller}");
        assert!(!profile.quiet.is_zero(), "{controller}");
        for refusal in [profile.timeout.err(), profile.hot_unplug.err()] {
            assert!(refusal.is_none_or(|why| why.len() > 10), "{controller}");
        }
    }
}

#[test]
fn the_stick_goes_with_its_disk() {
    for controller in Controller::ALL {
        let qemu = &controller.profile().qemu;
        let devices = (qemu.disk)(&LEGS[1]);
        let stick = format!("id={}", LEGS[1].stick());
        let has = devices
            .iter()
            .any(|one| one.split(',').any(|word| word == stick));
        assert_eq!(has, qemu.is_usb_stick, "{controller}");
    }
}
