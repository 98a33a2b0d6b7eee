//! The keys of a multipath, which is the stack or each leg of a mirror.

use super::{Foreign, given};
use crate::error::Report;
use crate::file::{self, File};
use crate::pick::Picker;
use crate::sweep::Sweep;
use halfway_case::limits;
use halfway_case::{
    Controller, Multipath, PathGrouping, PathSelector, QueueMode, Stack, TargetName,
};

/// What the format knows of a multipath.
pub struct Keys;

impl super::Keys for Keys {
    fn a_device(&self) -> &'static str {
        "multipath"
    }

    fn lower(&self) -> &'static str {
        "paths"
    }

    fn takes_messages(&self) -> bool {
        true
    }

    fn region_sizes(&self, _: &file::Stack) -> Vec<u32> {
        Vec::new()
    }

    fn pick(&self, keys: &file::Stack, picker: &mut Picker<'_>) -> Stack {
        Stack::Multipath(pick(keys, picker))
    }

    fn refuse(&self, keys: &file::Stack, foreign: &mut Foreign<'_>) {
        foreign.key("queue_mode", &keys.queue_mode);
        foreign.key("path_selector", &keys.path_selector);
        foreign.key("path_grouping", &keys.path_grouping);
        foreign.key("queue_if_no_path", &keys.queue_if_no_path);
        foreign.key("pg_init_retries", &keys.pg_init_retries);
        foreign.key("pg_init_delay_msecs", &keys.pg_init_delay_msecs);
        foreign.key("no_path_retry", &keys.no_path_retry);
    }

    fn takes_keys_of(&self, _: TargetName, _: &file::Stack) -> bool {
        false
    }

    fn check(&self, file: &File, report: &mut Report) {
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
}

/// Takes a value of each key.
pub fn pick(keys: &file::Stack, picker: &mut Picker<'_>) -> Multipath {
    Multipath {
        queue_mode: picker.pick_or("queue_mode", &keys.queue_mode, QueueMode::Mq),
        path_selector: picker.pick_or(
            "path_selector",
            &keys.path_selector,
            PathSelector::ServiceTime,
        ),
        path_grouping: picker.pick_or("path_grouping", &keys.path_grouping, PathGrouping::Failover),
        queue_if_no_path: picker.pick_or("queue_if_no_path", &keys.queue_if_no_path, false),
        pg_init_retries: picker.pick_any("pg_init_retries", &keys.pg_init_retries),
        pg_init_delay_msecs: picker.pick_any("pg_init_delay_msecs", &keys.pg_init_delay_msecs),
        no_path_retry: picker.pick_any("no_path_retry", &keys.no_path_retry),
    }
}

/// The keys of a multipath, with every value spelled out.
pub fn written(multipath: &Multipath) -> file::Stack {
    file::Stack {
        queue_mode: given(multipath.queue_mode),
        path_selector: given(multipath.path_selector),
        path_grouping: given(multipath.path_grouping),
        queue_if_no_path: given(multipath.queue_if_no_path),
        pg_init_retries: multipath.pg_init_retries.map(Sweep::of),
        pg_init_delay_msecs: multipath.pg_init_delay_msecs.map(Sweep::of),
        no_path_retry: multipath.no_path_retry.map(Sweep::of),
        ..file::Stack::default()
    }
}

/// Checks values that multipath does not accept, above or beneath a mirror.
pub fn modes(file: &File, report: &mut Report) {
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
