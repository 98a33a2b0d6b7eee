//! `[stack]` and `[legs]`.

use crate::clash::clash;
use crate::error::Report;
use crate::file::File;
use crate::stack;
use crate::value::Value;
use halfway_case::limits;
use halfway_case::{Controller, Log, OnError};
use halfway_controllers::Limits;
use halfway_protocol::io::Op;

pub(super) fn stack(file: &File, report: &mut Report) {
    linear(file, report);
    stack::check(file, report);
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

pub(super) fn legs(file: &File, report: &mut Report) {
    let legs = &file.legs;
    for count in legs.count.offenders(|count| !limits::LEGS.contains(count)) {
        let (least, most) = (limits::LEGS.start(), limits::LEGS.end());
        let keys = file.stack.keys();
        let (stack, lower) = (keys.a_device(), keys.lower());
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
