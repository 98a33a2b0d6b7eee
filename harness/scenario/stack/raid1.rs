//! The keys of a mirror.

use super::{Foreign, given, multipath, nested};
use crate::clash::clash;
use crate::error::Report;
use crate::file::{self, File};
use crate::pick::Picker;
use crate::sweep::Sweep;
use halfway_case::limits;
use halfway_case::{Log, Raid1, Stack, Sync, TargetName};
use halfway_controllers::Limits;

/// 512-byte sectors of a region if the file does not say.
const REGION_SIZE: u32 = 1024;

/// What the format knows of a mirror.
pub struct Keys;

impl super::Keys for Keys {
    fn a_device(&self) -> &'static str {
        "a mirror"
    }

    fn lower(&self) -> &'static str {
        "legs"
    }

    fn takes_messages(&self) -> bool {
        false
    }

    fn region_sizes(&self, keys: &file::Stack) -> Vec<u32> {
        match &keys.region_size {
            None => vec![REGION_SIZE],
            Some(sizes) => sizes.values().copied().collect(),
        }
    }

    fn pick(&self, keys: &file::Stack, picker: &mut Picker<'_>) -> Stack {
        Stack::Raid1(Raid1 {
            log: picker.pick_or("log", &keys.log, Log::Core),
            region_size: picker.pick_or("region_size", &keys.region_size, REGION_SIZE),
            sync: picker.pick_or("sync", &keys.sync, Sync::Nosync),
            handle_errors: picker.pick_or("handle_errors", &keys.handle_errors, true),
            keep_log: picker.pick_or("keep_log", &keys.keep_log, false),
            paths: nested::pick(keys, picker),
        })
    }

    fn refuse(&self, keys: &file::Stack, foreign: &mut Foreign<'_>) {
        foreign.key("log", &keys.log);
        foreign.key("region_size", &keys.region_size);
        foreign.key("sync", &keys.sync);
        foreign.key("handle_errors", &keys.handle_errors);
        foreign.key("keep_log", &keys.keep_log);
    }

    fn takes_keys_of(&self, other: TargetName, keys: &file::Stack) -> bool {
        other == TargetName::Multipath && keys.paths.is_some()
    }

    fn check(&self, file: &File, report: &mut Report) {
        let stack = &file.stack;
        if let Some(paths) = &stack.paths {
            nested::check(file, paths, report);
        }
        let bad = |size: &u32| !size.is_power_of_two() || *size < limits::REGION_SECTORS;
        for size in stack
            .region_size
            .iter()
            .flat_map(|sweep| sweep.offenders(bad))
        {
            let above = size.value.max(limits::REGION_SECTORS);
            let (below, above) = (
                (above / 2 + 1)
                    .next_power_of_two()
                    .max(limits::REGION_SECTORS),
                above.checked_next_power_of_two(),
            );
            let near = match above {
                Some(above) if above != below => format!("{below} and {above} are the nearest"),
                _ => format!("{below} is the nearest"),
            };
            report
                .problem(format!("a region cannot have {} sectors", size.value))
                .value(size, "this value")
                .help(format!(
                    "a power of two, {} or more: {near}",
                    limits::REGION_SECTORS
                ));
        }
        regions(file, report);
        clash(
            report,
            (stack.keep_log.as_ref()).and_then(|sweep| sweep.find(|keep| *keep)),
            (stack.handle_errors.as_ref()).and_then(|sweep| sweep.find(|handle| !*handle)),
            "`keep_log` needs `handle_errors`",
            "a dm-raid1 table with keep_log alone is refused by the kernel",
        );
        let synced =
            (stack.sync.as_ref()).and_then(|sweep| sweep.find(|sync| *sync != Sync::Nosync));
        let large = file.legs.size.find(|size| *size > limits::SYNCED_SECTORS);
        if let (Some(synced), Some(large)) = (synced, large) {
            report
                .problem(format!(
                    "{} sectors take too long to synchronise for each case",
                    large.value
                ))
                .value(synced, "the kernel copies all of the mirror first")
                .value(large, "this much")
                .help(format!(
                    "set `size` in `[legs]` to {} or less",
                    limits::SYNCED_SECTORS
                ));
        }
    }
}

/// The keys of a mirror, with every value spelled out.
pub fn written(mirror: &Raid1) -> file::Stack {
    let beneath = mirror.paths.as_ref();
    file::Stack {
        target: Some(TargetName::Raid1.into()),
        paths: beneath.map(|paths| Sweep::of(paths.count)),
        log: given(mirror.log),
        region_size: given(mirror.region_size),
        sync: given(mirror.sync),
        handle_errors: given(mirror.handle_errors),
        keep_log: given(mirror.keep_log),
        ..beneath.map_or_else(file::Stack::default, |paths| {
            multipath::written(&paths.multipath)
        })
    }
}

/// A mirror has at least one whole region (`_check_region_size` in
/// drivers/md/dm-log.c), and no more regions than the guest has memory for.
fn regions(file: &File, report: &mut Report) {
    let sizes = file.stack.region_sizes().into_iter();
    let largest = sizes.filter(|size| size.is_power_of_two()).max();
    let largest = largest.unwrap_or(0);
    let small = |size: &u64| (1..u64::from(largest)).contains(size);
    if let Some(size) = file.legs.size.find(small) {
        let problem = report.problem(format!(
            "a mirror of {} sectors has no region of {largest}",
            size.value
        ));
        problem.value(size, "this many sectors");
        let given = file.stack.region_size.as_ref();
        if let Some(region) = given.and_then(|sizes| sizes.find(|size| *size == largest)) {
            problem.value(region, "the kernel wants one of these at least");
        }
        problem.help(format!(
            "set `region_size` in `[stack]` to {} or less, or `size` in `[legs]` to {largest} or \
             more",
            (size.value + 1).next_power_of_two() / 2
        ));
    }
    let smallest = file.stack.region_sizes().into_iter().min().map(u64::from);
    let (Some(region), Some(size)) = (
        smallest.filter(|region| *region > 0),
        file.legs.size.least(|size| u64::MAX - size),
    ) else {
        return;
    };
    let least = size.value.div_ceil(limits::REGIONS).next_power_of_two();
    if region < least && Limits::LEG_SECTORS < size.value {
        report
            .problem(format!(
                "{} sectors are too many regions of {region}",
                size.value
            ))
            .value(size, "this many sectors")
            .help(format!(
                "a mirror has at most {} regions here: set `region_size` in `[stack]` to {least}, \
                 or reach far sectors by `offset` in `[legs]`",
                limits::REGIONS
            ));
    }
}
