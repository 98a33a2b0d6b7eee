//! `[stack]` and `[legs]`.

use super::clash;
use crate::error::Report;
use crate::file::{self, File};
use crate::sweep::Sweep;
use crate::value::{Target, Value};
use halfway_case::limits;
use halfway_case::{Controller, Log, OnError, Sync};
use halfway_controllers::Limits;
use halfway_protocol::io::Op;

pub(super) fn stack(file: &File, report: &mut Report) {
    linear(file, report);
    match file.stack.target() {
        Target::Raid1 => raid1(file, report),
        Target::Multipath => multipath(file, report),
    }
}

fn linear(file: &File, report: &mut Report) {
    let largest = file.legs.size.least(|size| u64::MAX - size);
    let (Some(sweep), Some(size)) = (&file.stack.linear, largest) else {
        return;
    };
    let (smallest, most) = (limits::SEGMENT_SECTORS, limits::LINEAR_SEGMENTS);
    let least = smallest.max(size.value.div_ceil(most));
    let enough = match least == smallest {
        true => format!("give {least} sectors or more"),
        false => format!("there are at most {most} segments: give each {least} sectors or more"),
    };
    for segment in sweep.offenders(|sectors| *sectors < least) {
        let (sectors, all) = (segment.value, size.value);
        report
            .problem(match sectors < smallest {
                true => format!("a segment of {sectors} sectors is less than a page"),
                false => {
                    let segments = all.div_ceil(sectors);
                    format!("{all} sectors would be {segments} segments of {sectors}")
                }
            })
            .value(segment, "sectors of a segment")
            .value(size, "sectors of all segments")
            .help(&enough);
    }
}

/// Reports a key that the stack's target does not have.
fn foreign<T: Value>(key: &str, sweep: &Option<Sweep<T>>, target: Target, report: &mut Report) {
    if let Some(first) = sweep.as_ref().and_then(|sweep| sweep.0.first()) {
        let (owner, other) = (
            target.word(),
            match target {
                Target::Raid1 => Target::Multipath,
                Target::Multipath => Target::Raid1,
            },
        );
        report
            .problem(format!("`{key}` is a key of {owner}"))
            .value(first, "this value")
            .help(format!("the target here is {}: leave it out", other.word()));
    }
}

fn multipath(file: &File, report: &mut Report) {
    let stack = &file.stack;
    if let Some(paths) = stack.paths.as_ref().and_then(|sweep| sweep.0.first()) {
        report
            .problem("multipath cannot lie above mirrors")
            .value(paths, "this makes multipaths of the legs of a mirror")
            .help(
                "paths are ways to one disk, and mirrors are disks of their own, each of which \
                 would not know what was written through the others. The other way round, \
                 `target = \"raid1\"`, each leg of a mirror is a multipath",
            );
    }
    foreign("log", &stack.log, Target::Raid1, report);
    foreign("region_size", &stack.region_size, Target::Raid1, report);
    foreign("sync", &stack.sync, Target::Raid1, report);
    foreign("handle_errors", &stack.handle_errors, Target::Raid1, report);
    foreign("keep_log", &stack.keep_log, Target::Raid1, report);
    for offset in file
        .legs
        .offset
        .items
        .iter()
        .filter(|offset| offset.value > 0)
    {
        report
            .problem("a path has no offset")
            .value(offset, "this value")
            .help("dm-multipath starts at sector 0 of every path: leave `offset` out");
    }
    modes(file, report);
}

/// Checks values that multipath does not accept, above or beneath a mirror.
fn modes(file: &File, report: &mut Report) {
    for (key, sweep, range) in [
        (
            "pg_init_retries",
            &file.stack.pg_init_retries,
            limits::PG_INIT_RETRIES,
        ),
        (
            "pg_init_delay_msecs",
            &file.stack.pg_init_delay_msecs,
            limits::PG_INIT_DELAY,
        ),
    ] {
        let bad = |value: &u32| !range.contains(value);
        for value in sweep.iter().flat_map(|sweep| sweep.offenders(bad)) {
            report
                .problem(format!("`{key}` cannot be {}", value.value))
                .value(value, "this value")
                .help(format!(
                    "the kernel takes {} to {}",
                    range.start(),
                    range.end()
                ));
        }
    }
    let mode = match &file.stack.queue_mode {
        None => None,
        Some(modes) => match modes.find(|mode| mode.is_request_based()) {
            Some(mode) => Some(mode.clone()),
            None => return,
        },
    };
    let takes_bios = |one: &Controller| *one == Controller::PiecewiseBio;
    if let Some(controller) = file.legs.controller.find(takes_bios) {
        let problem = report
            .problem("dm-multipath in request mode needs paths that take requests")
            .value(controller, "this one takes bios");
        if let Some(mode) = &mode {
            problem.value(mode, "this mode");
        }
        problem.help("use `queue_mode = \"bio\"`, or the controller `piecewise-mq`");
    }
    let split = (file.legs.max_sectors_kb.as_ref()).and_then(|sweep| sweep.0.first());
    if let Some(split) = split {
        let problem = report
            .problem("dm-multipath in request mode cannot use paths that take less than it does")
            .value(split, "the paths are limited to this");
        if let Some(mode) = &mode {
            problem.value(mode, "this mode");
        }
        problem.help(
            "stock kernels answer with an error on every path (`blk_insert_cloned_request`): \
             use `queue_mode = \"bio\"`, or leave `max_sectors_kb` out",
        );
    }
}

fn raid1(file: &File, report: &mut Report) {
    let stack = &file.stack;
    match &stack.paths {
        Some(paths) => nested(file, paths, report),
        None => of_multipath(stack, report),
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
    let synced = (stack.sync.as_ref()).and_then(|sweep| sweep.find(|sync| *sync != Sync::Nosync));
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

/// Reports keys of multipath in a stack without one.
fn of_multipath(stack: &file::Stack, report: &mut Report) {
    let owner = Target::Multipath;
    foreign("queue_mode", &stack.queue_mode, owner, report);
    foreign("path_selector", &stack.path_selector, owner, report);
    foreign("path_grouping", &stack.path_grouping, owner, report);
    foreign("queue_if_no_path", &stack.queue_if_no_path, owner, report);
    foreign("pg_init_retries", &stack.pg_init_retries, owner, report);
    let delay = &stack.pg_init_delay_msecs;
    foreign("pg_init_delay_msecs", delay, owner, report);
    foreign("no_path_retry", &stack.no_path_retry, owner, report);
}

/// Checks the multipaths beneath a mirror.
fn nested(file: &File, paths: &Sweep<u8>, report: &mut Report) {
    for count in paths.offenders(|count| !limits::PATHS.contains(count)) {
        let (least, most) = (limits::PATHS.start(), limits::PATHS.end());
        report
            .problem(format!("a leg cannot have {} paths", count.value))
            .value(count, "this value")
            .help(format!("a multipath has {least} to {most} paths here"));
    }
    modes(file, report);
    let least_room = |controller: &Controller| u8::MAX - controller.profile().limits.disks;
    let most = |count: &u8| u8::MAX - count;
    if let (Some(paths), Some(legs), Some(controller)) = (
        paths.least(most),
        file.legs.count.least(most),
        file.legs.controller.least(least_room),
    ) && u16::from(paths.value) * u16::from(legs.value)
        > u16::from(controller.value.profile().limits.disks)
    {
        report
            .problem(format!(
                "{} legs of {} paths are more disks than there is room for",
                legs.value, paths.value
            ))
            .value(paths, "this many paths for each leg")
            .value(legs, "this many legs")
            .value(controller, "on this controller")
            .help(format!(
                "it takes {}",
                controller.value.profile().limits.disks
            ));
    }
}

pub(super) fn legs(file: &File, report: &mut Report) {
    let legs = &file.legs;
    for count in legs.count.offenders(|count| !limits::LEGS.contains(count)) {
        let (least, most) = (limits::LEGS.start(), limits::LEGS.end());
        let (stack, lower) = match file.stack.target() {
            Target::Raid1 => ("a mirror", "legs"),
            Target::Multipath => ("multipath", "paths"),
        };
        report
            .problem(format!("{stack} cannot have {} {lower}", count.value))
            .value(count, "this value")
            .help(format!("{stack} has {least} to {most} {lower} here"));
    }
    let offsets = &legs.offset.items;
    let per_leg = offsets.len() != 1;
    let other = (legs.count).find(|count| per_leg && usize::from(*count) != offsets.len());
    if let (Some(count), Some(span)) = (other, &legs.offset.span) {
        report
            .problem(format!(
                "{} offsets for {} legs",
                offsets.len(),
                count.value
            ))
            .at(span.clone(), "one for each leg")
            .value(count, "this many legs")
            .help("give one offset for all legs, or one for each");
    }
    let most = offsets.iter().max_by_key(|offset| offset.value);
    let largest = legs
        .controller
        .values()
        .map(|one| one.profile().limits.leg_sectors)
        .max();
    let largest = largest.unwrap_or(Limits::LEG_SECTORS);
    if let (Some(offset), Some(size)) = (most, legs.size.least(|size| u64::MAX - size))
        && size.value.saturating_add(offset.value) > largest
    {
        report
            .problem(format!(
                "a mirror of {} sectors at {} does not fit on a leg",
                size.value, offset.value
            ))
            .value(size, "this many sectors")
            .value(offset, "from here on")
            .help(format!("a leg has {largest} sectors here"));
    }
    let bad = |sectors: &u32| !(1..=limits::IO_SECTORS).contains(&u64::from(*sectors));
    let transfers = legs.max_transfer.iter();
    for sectors in transfers.flat_map(|sweep| sweep.offenders(bad)) {
        report
            .problem(format!(
                "a disk cannot move {} sectors at a time",
                sectors.value
            ))
            .value(sectors, "this value")
            .help(format!("it moves 1 to {} sectors here", limits::IO_SECTORS));
    }
    for kib in legs
        .max_sectors_kb
        .iter()
        .flat_map(|sweep| sweep.offenders(|kib| *kib < limits::MAX_SECTORS_KB))
    {
        report
            .problem(format!("`max_sectors_kb` cannot be {}", kib.value))
            .value(kib, "less than a page")
            .help(format!(
                "the kernel takes {} (KiB) or more",
                limits::MAX_SECTORS_KB
            ));
    }
    let own = legs.controller.find(|one| one.is_piecewise());
    let message = "our own driver goes by its own steps, below which nothing is cut";
    let help = "it does 12 sectors at a time, whatever it is asked for: leave the key out";
    let splits = legs.max_sectors_kb.as_ref();
    let limit = splits.and_then(|sweep| sweep.0.first());
    clash(report, own, limit, message, help);
    let moves = legs.max_transfer.as_ref();
    let most = moves.and_then(|sweep| sweep.0.first());
    clash(report, own, most, message, help);
    clash(
        report,
        own,
        (file.io.op).find(|op| matches!(op, Op::Discard | Op::WriteZeroes)),
        "our own driver only reads, writes and flushes",
        "take another controller",
    );
    let target = legs.controller.find(|one| *one == Controller::Target);
    clash(
        report,
        target,
        (legs.max_transfer.as_ref()).and_then(|sweep| sweep.0.first()),
        "a target does a part of each request by itself",
        "leave `max_transfer` out: what comes before the bad sector is done",
    );
    clash(
        report,
        target,
        (file.stack.log.as_ref()).and_then(|sweep| sweep.find(|log| *log == Log::Disk)),
        "the log's disk has a journal of its own, which has no order with that of a target",
        "take `log = \"core\"`, or another controller",
    );
    clash(
        report,
        (legs.on_error).find(|on_error| *on_error == OnError::Stop),
        (legs.controller).find(|one| *one != Controller::VirtioBlk),
        "only virtio-blk's trace tells what a disk was asked before and after a stop",
        "leave `controller` out",
    );
    clash(
        report,
        (legs.on_error).find(|on_error| *on_error == OnError::Stop),
        (file.io.op).find(|op| !matches!(op, Op::Read | Op::Write)),
        "of reads and writes alone the trace tells that they were asked for again",
        "set `op` in `[io]` to one of them",
    );
    let most = offsets.iter().map(|offset| offset.value).max().unwrap_or(0);
    for controller in &legs.controller.0 {
        let most_legs = limits::legs_on(controller.value);
        let sectors = controller.value.profile().limits.leg_sectors;
        let word = controller.value.word();
        let few = most_legs < *limits::LEGS.end();
        if let Some(count) = legs.count.find(|count| few && *count > most_legs) {
            report
                .problem(format!("`{word}` has no room for {} legs", count.value))
                .value(controller, "this controller")
                .value(count, "this many legs")
                .help(format!("it takes {most_legs}"));
        }
        let large = |size: &u64| size.saturating_add(most) > sectors;
        if let Some(size) = (legs.size).find(|size| sectors < largest && large(size)) {
            report
                .problem(format!(
                    "a mirror of {} sectors does not fit on `{word}`",
                    size.value
                ))
                .value(controller, "this controller")
                .value(size, "this many sectors")
                .help(format!("it has {sectors}: set `size` in `[legs]`"));
        }
    }
}
