//! The keys of a mirror of multipaths: those of both, and how many paths a leg has.

use super::multipath;
use crate::error::Report;
use crate::file::{self, File};
use crate::pick::Picker;
use crate::sweep::Sweep;
use halfway_case::limits;
use halfway_case::{Controller, Paths};

/// Takes a value of each key, if the legs are multipaths.
pub fn pick(keys: &file::Stack, picker: &mut Picker<'_>) -> Option<Paths> {
    let count = picker.pick_any("paths", &keys.paths)?;
    Some(Paths {
        count,
        multipath: multipath::pick(keys, picker),
    })
}

/// Checks the multipaths beneath a mirror.
pub fn check(file: &File, paths: &Sweep<u8>, report: &mut Report) {
    for count in paths.offenders(|count| !limits::PATHS.contains(count)) {
        let (least, most) = (limits::PATHS.start(), limits::PATHS.end());
        report
            .problem(format!("a leg cannot have {} paths", count.value))
            .value(count, "this value")
            .help(format!("a multipath has {least} to {most} paths here"));
    }
    multipath::modes(file, report);
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
