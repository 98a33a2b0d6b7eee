//! The drivers that are audited, and how a device of each is made.

use halfway_case::Controller;

/// Sectors of every device.
pub const SECTORS: u64 = 16384;

/// First sector and length of the I/O.
pub const IO: (u64, u64) = (2048, 512);

/// What stacked drivers lie on: its failures are medium errors, a class that can
/// be told from the I/O error that a driver makes up.
pub const BENEATH: Controller = Controller::Nvme;

/// Legs of a stack.
pub const LEGS: u8 = 6;

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
    /// Legs that begin with zeros, as metadata that is to be made must: all
    /// others name themselves in every sector.
    pub zeroed: &'static [u8],
    /// Whether the I/O's sectors are written before anything fails: what was
    /// never written is not read from a leg.
    pub written: bool,
    /// The device that the target lies on, where that is not a leg.
    pub pool: Option<Pool>,
}

/// A dm device beneath the one that is audited.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// Target type.
    pub kind: &'static str,
    /// The target's parameters.
    pub params: &'static str,
    /// What is sent to it before it is used.
    pub message: &'static str,
}

/// Stands for the number of the [`Pool`] in a target's parameters.
pub const POOL: &str = "{pool}";

/// What most recipes are.
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

/// The middle of the I/O, where sectors keep their numbers.
const MIDDLE: u64 = IO.0 + IO.1 / 2;

/// The targets. Those of md are driven by dm-raid, which is the same code
/// (drivers/md/raid1.c, raid10.c, raid5.c), each leg with a leg for its metadata:
/// without, 6.1 refuses raid10 ("unsupported raid10 layout"), and once a leg has
/// failed all writes wait for a superblock that is never written
/// (`MD_SB_CHANGE_PENDING` in `md_write_start`, drivers/md/md.c).
pub const RECIPES: [Recipe; 17] = [
    Recipe {
        name: "dm-linear",
        modules: &["dm_mod"],
        kind: "linear",
        params: "{leg0} 0",
        ..PLAIN
    },
    // The I/O is two chunks on each leg, from half its sector on.
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
    // Two legs of three hold data: half the sector.
    Recipe {
        name: "md raid5 (dm-raid)",
        // libcrc32c asks for it when it is loaded, and does not depend on it.
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
        // The pool hands out its blocks in the order in which they are written.
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
    // With its metadata elsewhere and without a journal the data keep their
    // sectors.
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

/// Why there is no recipe for a driver.
const SERVED: &str = "not audited: its device is served by a program in the guest, and the \
                      audit's agent has none";
/// See [`SERVED`].
const NO_LEG: &str = "not audited: it has no disk beneath it that could fail, only errors that \
                      it makes up itself";

/// Drivers that are not audited, and why.
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
            // A redundant target fails only with all that it has.
            let used = (0..LEGS).filter(|leg| recipe.params.contains(&format!("{{leg{leg}}}")));
            let redundant = recipe.kind == "mirror" || recipe.kind == "raid";
            // Each leg of md has another one for its metadata.
            let each = if recipe.kind == "raid" { 2 } else { 1 };
            assert!(
                !redundant || used.count() == each * legs.len(),
                "{}",
                recipe.name
            );
        }
    }
}
