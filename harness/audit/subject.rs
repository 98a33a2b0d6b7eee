//! The drivers that are audited, and how a device of each is made.

use crate::scenario::case::Controller;

/// Sectors of every device.
pub const SECTORS: u64 = 16384;

/// First sector and length of the I/O.
pub const IO: (u64, u64) = (2048, 512);

/// What stacked drivers lie on: its failures are medium errors, a class that can
/// be told from the I/O error that a driver makes up.
pub const BENEATH: Controller = Controller::Nvme;

/// Legs of a stack.
pub const LEGS: u8 = 3;

/// A device-mapper target over legs that fail.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The driver.
    pub name: &'static str,
    /// Its modules, without those that they depend on.
    pub modules: &'static [&'static str],
    /// Target type.
    pub kind: &'static str,
    /// The target's parameters; `{SERIAL}` stands for a disk.
    pub params: &'static str,
    /// Legs that fail, and the sector of each: in the middle of what the I/O
    /// asks of it.
    pub faults: (&'static [u8], u64),
    /// Whether the legs cut what reaches them: a request that device-mapper
    /// has cloned may not be.
    pub split: bool,
}

/// The middle of the I/O, where sectors keep their numbers.
const MIDDLE: u64 = IO.0 + IO.1 / 2;

/// The targets. Those of md are driven by dm-raid, which is the same code
/// (drivers/md/raid1.c, raid10.c, raid5.c).
pub const RECIPES: [Recipe; 13] = [
    Recipe {
        name: "dm-linear",
        modules: &["dm_mod"],
        kind: "linear",
        params: "{leg0} 0",
        faults: (&[0], MIDDLE),
        split: true,
    },
    // The I/O is two chunks on each leg, from half its sector on.
    Recipe {
        name: "dm-stripe",
        modules: &["dm_mod"],
        kind: "striped",
        params: "2 128 {leg0} 0 {leg1} 0",
        faults: (&[0], MIDDLE / 2 + 64),
        split: true,
    },
    Recipe {
        name: "dm-mirror (dm-raid1)",
        modules: &["dm_mirror"],
        kind: "mirror",
        params: "core 2 1024 nosync 2 {leg0} 0 {leg1} 0",
        faults: (&[0, 1], MIDDLE),
        split: true,
    },
    Recipe {
        name: "dm-multipath (bio)",
        modules: &["dm_multipath", "dm_round_robin"],
        kind: "multipath",
        params: "2 queue_mode bio 0 1 1 round-robin 0 1 1 {leg0} 1",
        faults: (&[0], MIDDLE),
        split: true,
    },
    Recipe {
        name: "dm-multipath (request)",
        modules: &["dm_multipath", "dm_round_robin"],
        kind: "multipath",
        params: "2 queue_mode mq 0 1 1 round-robin 0 1 1 {leg0} 1",
        faults: (&[0], MIDDLE),
        split: false,
    },
    Recipe {
        name: "dm-crypt",
        modules: &["dm_crypt", "crypto_null", "ecb"],
        kind: "crypt",
        params: "cipher_null-ecb - 0 {leg0} 0",
        faults: (&[0], MIDDLE),
        split: true,
    },
    Recipe {
        name: "dm-delay",
        modules: &["dm_delay"],
        kind: "delay",
        params: "{leg0} 0 1",
        faults: (&[0], MIDDLE),
        split: true,
    },
    Recipe {
        name: "dm-flakey",
        modules: &["dm_flakey"],
        kind: "flakey",
        params: "{leg0} 0 60 0",
        faults: (&[0], MIDDLE),
        split: true,
    },
    Recipe {
        name: "dm-dust",
        modules: &["dm_dust"],
        kind: "dust",
        params: "{leg0} 0 512",
        faults: (&[0], MIDDLE),
        split: true,
    },
    Recipe {
        name: "dm-snapshot",
        modules: &["dm_snapshot"],
        kind: "snapshot",
        params: "{leg0} {leg1} N 8",
        faults: (&[0], MIDDLE),
        split: true,
    },
    Recipe {
        name: "md raid1 (dm-raid)",
        modules: &["crc32c_generic", "dm_raid", "raid1"],
        kind: "raid",
        params: "raid1 2 0 nosync 2 - {leg0} - {leg1}",
        faults: (&[0, 1], MIDDLE),
        split: true,
    },
    Recipe {
        name: "md raid10 (dm-raid)",
        modules: &["crc32c_generic", "dm_raid", "raid10"],
        kind: "raid",
        params: "raid10 2 128 nosync 2 - {leg0} - {leg1}",
        faults: (&[0, 1], MIDDLE),
        split: true,
    },
    // Two legs of three hold data: half the sector.
    Recipe {
        name: "md raid5 (dm-raid)",
        // libcrc32c asks for it when it is loaded, and does not depend on it.
        modules: &["crc32c_generic", "dm_raid", "raid456"],
        kind: "raid",
        params: "raid5_ls 2 128 nosync 3 - {leg0} - {leg1} - {leg2}",
        faults: (&[0, 1, 2], MIDDLE / 2 + 64),
        split: true,
    },
];

/// Why there is no recipe for a driver.
const FORMATTED: &str = "not audited: its metadata must lie on a device that begins with zeros or \
                         was formatted before, and every sector of the audit's disks names itself";
/// See [`FORMATTED`].
const SERVED: &str = "not audited: its device is served by a program in the guest, and the \
                      audit's agent has none";
/// See [`FORMATTED`].
const NO_LEG: &str = "not audited: it has no disk beneath it that could fail, only errors that \
                      it makes up itself";

/// Drivers that are not audited, and why.
pub const LEFT_OUT: [(&str, &str); 9] = [
    ("dm-thin", FORMATTED),
    ("dm-cache", FORMATTED),
    ("dm-writecache", FORMATTED),
    ("dm-integrity", FORMATTED),
    (
        "loop",
        "not audited: the agent makes devices by device-mapper only, and a loop device by an \
         ioctl of its own",
    ),
    ("nbd", SERVED),
    ("ublk", SERVED),
    ("null_blk", NO_LEG),
    ("scsi_debug", NO_LEG),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_fails_legs_that_it_has_within_them() {
        for recipe in RECIPES {
            let (legs, sector) = recipe.faults;
            assert!(!legs.is_empty() && sector < SECTORS, "{}", recipe.name);
            for leg in legs {
                assert!(*leg < LEGS, "{}", recipe.name);
                assert!(
                    recipe.params.contains(&format!("{{leg{leg}}}")),
                    "{}",
                    recipe.name
                );
            }
            // A redundant target fails only with all that it has.
            let used = (0..LEGS).filter(|leg| recipe.params.contains(&format!("{{leg{leg}}}")));
            let redundant = recipe.kind == "mirror" || recipe.kind == "raid";
            assert!(!redundant || used.count() == legs.len(), "{}", recipe.name);
        }
    }
}
