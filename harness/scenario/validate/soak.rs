//! Checks `[soak]`, and the keys that a soak excludes.

use super::clash;
use crate::error::Report;
use crate::file::File;
use crate::sweep::Sweep;
use crate::value::Value;
use halfway_case::limits;
use halfway_case::{Filesystem, Vector};
use halfway_protocol::io::{Op, Path};

pub(super) fn soak(file: &File, report: &mut Report) {
    let soak = &file.soak;
    fn first<T>(sweep: &Option<Sweep<T>>) -> Option<&super::Given<T>> {
        sweep.as_ref().and_then(|sweep| sweep.0.first())
    }
    if soak.is_none() {
        if let Some(round) = first(&soak.round) {
            report
                .problem("a soak has a length")
                .value(round, "there is only this")
                .help("say `count = 500`, or `seconds = 20`");
        }
        return;
    }
    let small = file.legs.size.least(|size| *size);
    let least = limits::FILES_SECTORS;
    if let Some(size) = small.filter(|size| size.value < least) {
        let any =
            (soak.filesystem.as_ref()).and_then(|all| all.find(|one| *one != Filesystem::None));
        clash(
            report,
            any,
            Some(size),
            "a file system and what fio writes do not fit on so small a device",
            &format!("`size` in `[legs]` must be at least {least} then"),
        );
    }
    clash(
        report,
        first(&soak.count),
        first(&soak.seconds),
        "a soak has one length",
        "leave one of them out",
    );
    for (sweep, most) in [
        (&soak.count, limits::SOAK_COUNT),
        (&soak.seconds, limits::SOAK_SECONDS),
    ] {
        let bad = |length: &u32| *length == 0 || *length > most;
        for length in sweep.iter().flat_map(|sweep| sweep.offenders(bad)) {
            report
                .problem(format!("a soak cannot be {} long", length.value))
                .value(length, "this value")
                .help(format!("1 to {most}"));
        }
    }
    for sectors in (file.io.sectors).offenders(|sectors| *sectors < limits::SOAK_SECTORS) {
        report
            .problem(format!("a soak cannot work on {} sectors", sectors.value))
            .value(sectors, "this value")
            .help(format!("at least {}", limits::SOAK_SECTORS));
    }
    let io = &file.io;
    chosen(report, io.op.find(|op| *op != Op::Read));
    chosen(report, io.path.find(|path| *path != Path::Direct));
    chosen(report, io.dsync.find(|dsync| *dsync));
    chosen(report, io.vector.find(|one| *one != Vector::Contiguous));
    chosen(report, io.requests.find(|requests| *requests != 1));
    chosen(report, io.overlap.find(|overlap| *overlap != 0));
    chosen(report, io.submitters.find(|submitters| *submitters != 1));
    let faults = file.fault.first().and_then(|fault| fault.span.clone());
    let holds = file.hold.first().and_then(|hold| hold.span.clone());
    for span in faults.into_iter().chain(holds) {
        report
            .problem("a soak chooses its failures itself")
            .at(span, "this is for a single I/O")
            .help("leave it out, or give it a scenario of its own");
    }
    if let Some(sabotage) = &file.sabotage {
        report
            .problem("a soak is not broken on purpose")
            .value(sabotage, "this is for a single I/O")
            .help("leave it out, or give it a scenario of its own");
    }
}

/// Reports a value that a soak draws from its seed.
fn chosen<T: Value>(report: &mut Report, given: Option<&super::Given<T>>) {
    if let Some(given) = given {
        report
            .problem("a soak chooses its I/O itself")
            .value(given, "this is for a single I/O")
            .help("leave it out: only `sector` and `sectors` count, the range that it works on");
    }
}
