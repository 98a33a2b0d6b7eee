//! What can be done while a request is held in flight: one event in each row.
//!
//! A row says what the format, the model and the judge must know of the event.
//! What a correct kernel does is in `harness/oracle/model/hold.rs`, and how the
//! event is brought about in `harness/runner/meanwhile.rs`. Neither compiles
//! unless it handles each event.

use halfway_controllers::Controller;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes [`Meanwhile`], its list and its profiles from the rows.
macro_rules! events {
    ($($(#[$attribute:meta])* $variant:ident => $profile:expr;)*) => {
        /// What is done while a request is in flight.
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum Meanwhile {
            $($(#[$attribute])* $variant,)*
        }

        impl Meanwhile {
            /// All events, in the order of the rows.
            pub const ALL: &[Meanwhile] = &[$(Meanwhile::$variant,)*];

            /// What is known of the event.
            pub const fn profile(self) -> Profile {
                match self {
                    $(Meanwhile::$variant => $profile,)*
                }
            }
        }
    };
}

events! {
    /// Nothing is done.
    #[default]
    Nothing => Profile {
        words: "",
        to_path: false,
        suspends: false,
        disk_gives_up: false,
        fails_request: false,
        refused_on: long_waits,
    };

    /// multipath: the request's path is failed by a message to the target.
    FailPath => Profile {
        words: " while it is failed by message",
        to_path: true,
        suspends: false,
        disk_gives_up: false,
        fails_request: false,
        refused_on: long_waits,
    };

    /// multipath: the request's path is failed by a message, and reinstated.
    ReinstatePath => Profile {
        words: " while it is failed by message and reinstated",
        to_path: true,
        suspends: false,
        disk_gives_up: false,
        fails_request: false,
        refused_on: long_waits,
    };

    /// The device is suspended, which waits for requests in flight, and
    /// resumed.
    Suspend => Profile {
        words: " while the device is suspended",
        to_path: false,
        suspends: true,
        disk_gives_up: false,
        fails_request: false,
        refused_on: long_waits,
    };

    /// The device is suspended without flush (`DM_NOFLUSH_FLAG`) and resumed.
    SuspendNoflush => Profile {
        words: " while the device is suspended without flush",
        to_path: false,
        suspends: true,
        disk_gives_up: false,
        fails_request: false,
        refused_on: long_waits,
    };

    /// The same table is loaded again: the device is suspended without flush
    /// and resumed.
    Reload => Profile {
        words: " while the table is loaded again",
        to_path: false,
        suspends: true,
        disk_gives_up: false,
        fails_request: false,
        refused_on: long_waits,
    };

    /// The driver beneath gives the request up: its timeout passes, and it asks
    /// the disk to abort the request. The disk ends the request all the same,
    /// late.
    Timeout => Profile {
        words: " until the driver has given it up",
        to_path: false,
        suspends: false,
        disk_gives_up: true,
        fails_request: false,
        refused_on: timeouts,
    };

    /// The disk is unplugged (`device_del`). Once the I/O has come back the
    /// disk is plugged in again, the same table is loaded with it, and
    /// everything is read once more.
    Unplug => Profile {
        words: " while it is unplugged",
        to_path: false,
        suspends: false,
        disk_gives_up: true,
        fails_request: true,
        refused_on: unplugging,
    };
}

/// What is known of an event.
pub struct Profile {
    /// The event in words that follow the name of the held request.
    pub words: &'static str,
    /// Whether the event happens to a path; a mirror has no paths.
    pub to_path: bool,
    /// Whether the device is suspended and resumed.
    pub suspends: bool,
    /// Whether the disk is told to abort the request. The request may then come
    /// back while the disk still holds it.
    pub disk_gives_up: bool,
    /// Whether the driver sees the request fail, however the disk ends it.
    pub fails_request: bool,
    /// Why the event cannot be played on a controller; `None` if it can.
    pub refused_on: fn(Controller) -> Option<Refusal>,
}

/// Why an event cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What prevents it.
    pub problem: &'static str,
    /// What to do instead, or more of the reason.
    pub help: &'static str,
}

/// Refuses controllers whose driver may not wait for a request that is held
/// longer than usual.
fn long_waits(controller: Controller) -> Option<Refusal> {
    (controller != Controller::VirtioBlk).then_some(Refusal {
        problem: "what this controller makes of a request that takes long is not known",
        help: "take `virtio-blk`",
    })
}

fn timeouts(controller: Controller) -> Option<Refusal> {
    let why = controller.profile().timeout.err()?;
    Some(Refusal {
        problem: "this driver gives no request up, or what becomes of that is not known",
        help: why,
    })
}

fn unplugging(controller: Controller) -> Option<Refusal> {
    let why = controller.profile().hot_unplug.err()?;
    Some(Refusal {
        problem: why,
        help: "take `virtio-scsi`, `pvscsi`, `usb-storage` or `usb-uas`",
    })
}
