//! The audited drivers, and how a device of each is made.

use halfway_case::Controller;

/// The size of every device, in sectors.
pub const SECTORS: u64 = 16384;

/// The first sector of the I/O and its length in sectors.
pub const IO: (u64, u64) = (2048, 512);

/// The controller beneath stacked drivers. It reports a medium error, a class that
/// differs from the I/O error that a driver makes up by itself.
pub const BENEATH: Controller = Controller::Nvme;

/// How many legs the machine for the stacked drivers has.
pub const LEGS: u8 = 6;

/// How to make a device of one device-mapper target on legs that fail.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The name of the driver, as the table shows it.
    pub name: &'static str,
    /// The kernel modules to load. modules.dep adds those that they depend on.
    pub modules: &'static [&'static str],
    /// The target type of the dm table.
    pub kind: &'static str,
    /// The target's parameters. `{SERIAL}` stands for the disk with that serial number,
    /// such as `{leg0}`.
    pub params: &'static str,
    /// The legs that fail, and the sector at which each fails. It lies in the middle of
    /// what the I/O asks of the leg.
    pub faults: (&'static [u8], u64),
    /// Whether the legs split what reaches them. Request-based device-mapper clones a
    /// request, and a clone must not be split.
    pub split: bool,
    /// The legs that begin with zeros, as a target needs that makes new metadata. All
    /// other legs have their own name in every sector.
    pub zeroed: &'static [u8],
    /// Whether the I/O's sectors are written before any fault is armed. Some targets do
    /// not read from a leg what was never written.
    pub written: bool,
    /// The dm device beneath the target, if it does not lie directly on legs.
    pub pool: Option<Pool>,
}

/// A dm device beneath the audited one.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// The target type of its dm table.
    pub kind: &'static str,
    /// Its target's parameters.
    pub params: &'static str,
    /// The message that is sent to its target before it is used.
    pub message: &'static str,
}

/// The placeholder in a target's parameters for the device number of the [`Pool`].
pub const POOL: &str = "{pool}";

/// The values that most recipes share.
const PLAIN: Recipe = Recipe {
    name: "",
    modules: &["dm_mod"],
    kind: "",
    params: "",
    faults: (&[0], MIDDLE),
    split: true,
    zeroed: &[],
    written: false,
    pool: None,
};

/// The middle sector of the I/O, for targets that map a sector to the same number.
const MIDDLE: u64 = IO.0 + IO.1 / 2;

/// The audited targets. The drivers of md are used through dm-raid, which runs the same
/// code (drivers/md/raid1.c, raid10.c, raid5.c).
///
/// Each data leg of dm-raid has a metadata leg. Without metadata, 6.1 refuses raid10
/// ("unsupported raid10 layout"). And once a leg has failed, all writes would wait for a
/// superblock that is never written (`MD_SB_CHANGE_PENDING` in `md_write_start`,
/// drivers/md/md.c).
pub const RECIPES: [Recipe; 17] = [
    Recipe {
        name: "dm-linear",
        modules: &["dm_mod"],
        kind: "linear",
        params: "{leg0} 0",
        ..PLAIN
    },
    // On each leg the I/O is two chunks, from half its sector on.
    Recipe {
        name: "dm-stripe",
        modules: &["dm_mod"],
        kind: "striped",
        params: "2 128 {leg0} 0 {leg1} 0",
        faults: (&[0], MIDDLE / 2 + 64),
        ..PLAIN
    },
    Recipe {
        name: "dm-mirror (dm-raid1)",
        modules: &["dm_mirror"],
        kind: "mirror",
        params: "core 2 1024 nosync 2 {leg0} 0 {leg1} 0",
        faults: (&[0, 1], MIDDLE),
        ..PLAIN
    },
    Recipe {
        name: "dm-multipath (bio)",
        modules: &["dm_multipath", "dm_round_robin"],
        kind: "multipath",
        params: "2 queue_mode bio 0 1 1 round-robin 0 1 1 {leg0} 1",
        ..PLAIN
    },
    Recipe {
        name: "dm-multipath (request)",
        modules: &["dm_multipath", "dm_round_robin"],
        kind: "multipath",
        params: "2 queue_mode mq 0 1 1 round-robin 0 1 1 {leg0} 1",
        split: false,
        ..PLAIN
    },
    Recipe {
        name: "dm-crypt",
        modules: &["dm_crypt", "crypto_null", "ecb"],
        kind: "crypt",
        params: "cipher_null-ecb - 0 {leg0} 0",
        ..PLAIN
    },
    Recipe {
        name: "dm-delay",
        modules: &["dm_delay"],
        kind: "delay",
        params: "{leg0} 0 1",
        ..PLAIN
    },
    Recipe {
        name: "dm-flakey",
        modules: &["dm_flakey"],
        kind: "flakey",
        params: "{leg0} 0 60 0",
        ..PLAIN
    },
    Recipe {
        name: "dm-dust",
        modules: &["dm_dust"],
        kind: "dust",
        params: "{leg0} 0 512",
        ..PLAIN
    },
    Recipe {
        name: "dm-snapshot",
        modules: &["dm_snapshot"],
        kind: "snapshot",
        params: "{leg0} {leg1} N 8",
        ..PLAIN
    },
    Recipe {
        name: "md raid1 (dm-raid)",
        modules: &["crc32c_generic", "dm_raid", "raid1"],
        kind: "raid",
        params: "raid1 4 0 nosync region_size 1024 2 {leg2} {leg0} {leg3} {leg1}",
        faults: (&[0, 1], MIDDLE),
        ..PLAIN
    },
    Recipe {
        name: "md raid10 (dm-raid)",
        modules: &["crc32c_generic", "dm_raid", "raid10"],
        kind: "raid",
        params: "raid10 4 128 nosync region_size 1024 2 {leg2} {leg0} {leg3} {leg1}",
        faults: (&[0, 1], MIDDLE),
        ..PLAIN
    },
    // Two legs of the three hold data, so the I/O is at half its sector on each.
    Recipe {
        name: "md raid5 (dm-raid)",
        // libcrc32c requests this module by name when it is loaded, so modules.dep does
        // not list it.
        modules: &["crc32c_generic", "dm_raid", "raid456"],
        kind: "raid",
        params: "raid5_ls 4 128 nosync region_size 1024 3 {leg3} {leg0} {leg4} {leg1} {leg5} {leg2}",
        faults: (&[0, 1, 2], MIDDLE / 2 + 64),
        ..PLAIN
    },
    Recipe {
        name: "dm-thin",
        modules: &["dm_thin_pool", "crc32c_generic"],
        kind: "thin",
        params: "{pool} 0",
        // The pool assigns its blocks in the order in which they are first written.
        faults: (&[0], IO.1 / 2),
        zeroed: &[1],
        written: true,
        pool: Some(Pool {
            kind: "thin-pool",
            params: "{leg1} {leg0} 128 0 1 skip_block_zeroing",
            message: "create_thin 0",
        }),
        ..PLAIN
    },
    Recipe {
        name: "dm-cache",
        modules: &["dm_cache", "dm_cache_smq", "crc32c_generic"],
        kind: "cache",
        params: "{leg2} {leg1} {leg0} 128 1 writethrough default 0",
        zeroed: &[2],
        ..PLAIN
    },
    Recipe {
        name: "dm-writecache",
        modules: &["dm_writecache", "crc32c_generic"],
        kind: "writecache",
        params: "s {leg0} {leg1} 4096 0",
        zeroed: &[1],
        ..PLAIN
    },
    // With the metadata elsewhere and no journal, data keep their sector numbers.
    Recipe {
        name: "dm-integrity",
        modules: &["dm_integrity", "crc32c_generic"],
        kind: "integrity",
        params: "{leg0} 0 4 D 2 internal_hash:crc32c meta_device:{leg1}",
        zeroed: &[1],
        written: true,
        ..PLAIN
    },
];

/// Why drivers whose device is served by a program in the guest have no recipe.
const SERVED: &str = "not audited: its device is served by a program in the guest, and the \
                      audit's agent has none";
/// Why drivers without a disk beneath them have no recipe.
const NO_LEG: &str = "not audited: it has no disk beneath it that could fail, only errors that \
                      it makes up itself";

/// Drivers that are not audited, with the reason.
pub const LEFT_OUT: [(&str, &str); 5] = [
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
                let name = format!("{{leg{leg}}}");
                let beneath = recipe.pool.map_or("", |pool| pool.params);
                assert!(
                    recipe.params.contains(&name) || beneath.contains(&name),
                    "{}",
                    recipe.name
                );
            }
            // A redundant target fails an I/O only when all its legs fail.
            let used = (0..LEGS).filter(|leg| recipe.params.contains(&format!("{{leg{leg}}}")));
            let redundant = recipe.kind == "mirror" || recipe.kind == "raid";
            // Each data leg of dm-raid has a metadata leg.
            let each = if recipe.kind == "raid" { 2 } else { 1 };
            assert!(
                !redundant || used.count() == each * legs.len(),
                "{}",
                recipe.name
            );
        }
    }
}
