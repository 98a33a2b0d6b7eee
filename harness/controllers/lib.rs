//! What is known of each disk controller that a leg can be attached to: QEMU's
//! arguments for it, what the guest needs to find its disks, how its driver and
//! its device model handle a failure, and what it cannot play and why.
//!
//! A controller is one file, named after it, with one [`Profile`] in it, and
//! its name in the two lists below. A profile has no `Default`: a fact that
//! nobody looked up is a compile error. Two named beginnings stand for what most
//! controllers share: [`FailureHandling::asking`] and
//! [`Limits::with_room_for`]. `ARCHITECTURE.md` has the walk-through.

mod ahci;
mod am53c974;
mod floppy;
mod ide;
mod lsi53c895a;
mod megasas;
mod mptsas1068;
mod nvme;
mod piecewise_bio;
mod piecewise_mq;
mod piix3_ide;
mod profile;
mod pvscsi;
mod scsi;
mod sd_card;
mod target;
mod usb_storage;
mod usb_uas;
mod virtio_blk;
mod virtio_scsi;

pub use profile::{
    AfterTimeout, Disk, Errno, ErrnoMeaning, Errnos, FailureHandling, HotUnplug, Limits, Profile,
    Qemu, Timeout,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Makes [`Controller`], its names and [`Controller::profile`] from the list.
macro_rules! registry {
    ($($(#[$attribute:meta])* $variant:ident = $name:literal, $module:ident;)*) => {
        /// A disk controller with its disk: one that QEMU emulates, or the
        /// project's own.
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize,
            Deserialize, JsonSchema,
        )]
        pub enum Controller {
            $($(#[$attribute])* #[serde(rename = $name)] $variant,)*
        }

        impl Controller {
            /// All controllers, in the order of the list.
            pub const ALL: &[Controller] = &[$(Controller::$variant,)*];

            /// The name, as in a scenario file.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Controller::$variant => $name,)*
                }
            }

            /// What is known of the controller.
            pub const fn profile(self) -> &'static Profile {
                match self {
                    $(Controller::$variant => &$module::PROFILE,)*
                }
            }
        }
    };
}

registry! {
    /// virtio-blk-pci, a paravirtual disk.
    #[default]
    VirtioBlk = "virtio-blk", virtio_blk;
    /// virtio-scsi-pci with scsi-hd.
    VirtioScsi = "virtio-scsi", virtio_scsi;
    /// nvme, QEMU's NVMe disk.
    Nvme = "nvme", nvme;
    /// ich9-ahci with ide-hd.
    Ahci = "ahci", ahci;
    /// piix3-ide with ide-hd, by bus master DMA.
    Piix3Ide = "piix3-ide", piix3_ide;
    /// lsi53c895a with scsi-hd.
    Lsi53c895a = "lsi53c895a", lsi53c895a;
    /// pvscsi with scsi-hd.
    Pvscsi = "pvscsi", pvscsi;
    /// megasas with scsi-hd.
    Megasas = "megasas", megasas;
    /// mptsas1068 with scsi-hd.
    Mptsas1068 = "mptsas1068", mptsas1068;
    /// am53c974 with scsi-hd.
    Am53c974 = "am53c974", am53c974;
    /// The bulk-only transport of USB, on xHCI.
    UsbStorage = "usb-storage", usb_storage;
    /// USB attached SCSI, on xHCI.
    UsbUas = "usb-uas", usb_uas;
    /// A floppy of 2.88 MB in an ISA drive.
    Floppy = "floppy", floppy;
    /// An SD card on SDHCI.
    SdCard = "sd-card", sd_card;
    /// virtio-blk, beneath a driver of the project that takes bios and does a
    /// few sectors at a time: the sectors before a failure are completed with
    /// success.
    PiecewiseBio = "piecewise-bio", piecewise_bio;
    /// The same driver, but it takes requests.
    PiecewiseMq = "piecewise-mq", piecewise_mq;
    /// The project's own SCSI target, which reports failures as `report` says.
    Target = "target", target;
}

impl Controller {
    /// The controllers that are not the project's: the device is QEMU's, and
    /// the driver is the kernel's own.
    pub fn emulated() -> impl Iterator<Item = Controller> {
        let theirs = |one: &Controller| !one.is_piecewise() && *one != Controller::Target;
        Controller::ALL.iter().copied().filter(theirs)
    }

    /// Whether the driver is the project's own module, which completes a part
    /// of a request that it then fails.
    pub fn is_piecewise(self) -> bool {
        self.profile().own_module.is_some()
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests;
