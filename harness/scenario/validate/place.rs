//! Where something is to happen: on which leg, at which sector of the I/O.

use crate::error::Report;
use crate::file::{Fault, File};
use crate::sweep::Sweep;
use crate::value::{Offset, Value};

/// Reports legs that do not exist.
pub(super) fn legs(legs: &Sweep<u8>, file: &File, report: &mut Report) {
    let Some(count) = file.legs.count.least(|count| *count) else {
        return;
    };
    for leg in legs.offenders(|leg| *leg >= count.value) {
        let last = count.value.saturating_sub(1);
        report
            .problem(format!("there is no leg {}", leg.value))
            .value(leg, "this leg")
            .value(count, "this many legs")
            .help(format!("{} legs are numbered 0 to {last}", count.value));
    }
}

/// Reports paths that do not exist.
pub(super) fn paths(fault: &Fault, file: &File, report: &mut Report) {
    let Some(given) = &fault.path else {
        return;
    };
    let paths = file.stack.paths.as_ref();
    let Some(count) = paths.and_then(|paths| paths.least(|count| *count)) else {
        if let Some(first) = given.0.first() {
            report
                .problem("the legs have no paths")
                .value(first, "this path")
                .help("`paths` in `[stack]` makes a multipath of each leg of a mirror");
        }
        return;
    };
    for path in given.offenders(|path| *path >= count.value) {
        report
            .problem(format!("there is no path {}", path.value))
            .value(path, "this path")
            .value(count, "this many paths for each leg")
            .help(format!(
                "{} paths are numbered 0 to {}",
                count.value,
                count.value.saturating_sub(1)
            ));
    }
}

/// Reports sectors that the shortest I/O does not have.
pub(super) fn sectors(offsets: &Sweep<Offset>, file: &File, report: &mut Report) {
    let shortest = file.io.sectors.least(|sectors| *sectors);
    let Some(sectors) = shortest.filter(|sectors| sectors.value > 0) else {
        return;
    };
    let beyond = |at: &Offset| matches!(at, Offset::Sectors(at) if *at >= sectors.value);
    for at in offsets.offenders(beyond) {
        report
            .problem(format!(
                "sector {} is outside of an I/O of {} sectors",
                at.value.word(),
                sectors.value
            ))
            .value(at, "counted from the start of the I/O")
            .value(sectors, "this many sectors")
            .help(format!("its sectors are 0 to {}", sectors.value - 1));
    }
}
