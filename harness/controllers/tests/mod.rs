//! What each profile must say. They ask the listed controllers, and one that is made up.

mod made_up;

use super::*;
use std::collections::HashSet;

/// What a controller costs that is made up: its file, and this one line.
mod list {
    use super::made_up;
    use crate::Profile;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    registry! {
        /// A controller that there is not.
        #[default]
        MadeUp = "made-up", made_up;
    }
}

/// The name and the profile of each controller, of the one that is made up too.
fn profiles() -> Vec<(&'static str, &'static Profile)> {
    let made_up = list::Controller::ALL.iter();
    let made_up = made_up.map(|one| (one.name(), one.profile()));
    let listed = Controller::ALL.iter();
    let listed = listed.map(|one| (one.name(), one.profile()));
    listed.chain(made_up).collect()
}

#[test]
fn a_controller_that_is_made_up_is_listed_like_the_others() {
    let names: Vec<&str> = profiles().iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), Controller::ALL.len() + 1);
    assert_eq!(names.last(), Some(&"made-up"));
    let json = serde_json::to_string(&list::Controller::default()).unwrap();
    assert_eq!(json, "\"made-up\"");
}

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
    for (controller, profile) in profiles() {
        let qemu = &profile.qemu;
        let disks = LEGS.iter().flat_map(|leg| (qemu.disk)(leg));
        for argument in qemu.shared.map(str::to_owned).into_iter().chain(disks) {
            let name = argument.split(',').next().unwrap();
            assert!(qemu.devices.contains(&name), "{controller}: {argument}");
        }
    }
}

#[test]
fn each_disk_has_the_drive_of_its_own_id_once() {
    let made_by_qemu = profiles().into_iter();
    let made_by_qemu = made_by_qemu.filter(|(name, _)| *name != Controller::Target.name());
    for (controller, profile) in made_by_qemu {
        for leg in &LEGS {
            let devices = (profile.qemu.disk)(leg);
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
    for (controller, profile) in profiles() {
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
    for (controller, profile) in profiles() {
        let qemu = &profile.qemu;
        let devices = (qemu.disk)(&LEGS[1]);
        let stick = format!("id={}", LEGS[1].stick());
        let has = devices
            .iter()
            .any(|one| one.split(',').any(|word| word == stick));
        assert_eq!(has, qemu.is_usb_stick, "{controller}");
    }
}
