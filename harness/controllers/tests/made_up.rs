//! A controller that there is not, as a file of it would be.

use crate::profile::{Errnos, FailureHandling, Limits, Profile, Qemu};
use std::time::Duration;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["made-up-hba", "made-up-disk"],
        shared: Some("made-up-hba,id=hba"),
        disk: |disk| {
            let (drive, cached) = (disk.drive(), disk.cached());
            vec![format!("made-up-disk,bus=hba.0,{drive},{cached}")]
        },
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["made_up"],
    parameters: &[],
    own_module: None,
    limits: Limits::with_room_for(4),
    failure_handling: FailureHandling::asking(3),
    attempts_beneath_multipath: (1, 3),
    errnos: Errnos::Measured(&[]),
    timeout: Err("nobody has tried what it makes of a timeout"),
    hot_unplug: Err("nobody has unplugged one"),
    traces_answers: false,
    quiet: Duration::from_millis(500),
    keeps_reads: false,
    takes_write_zeroes: false,
    discards: Err("it has no discard"),
    note: "",
};
