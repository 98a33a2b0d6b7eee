//! Each `[[fault]]`, and all of them together.

use super::{clash, place};
use crate::error::Report;
use crate::file::{Fault, File};
use crate::sweep::{At, Given, Sweep};
use crate::value::{Offset, Value};
use halfway_case::{Controller, Disk, During, Log, Sync, TargetName, Times};
use halfway_controllers::Errnos;
use halfway_protocol::io::Op;
use halfway_scsi::Failure;
use std::collections::HashSet;

const EIO: i32 = 5;

pub(super) fn faults(file: &File, report: &mut Report) {
    for (index, given) in file.fault.iter().enumerate() {
        let fault = &given.value;
        place::legs(&fault.leg, file, report);
        place::paths(fault, file, report);
        match &fault.at {
            At::Offsets(offsets) => place::sectors(offsets, file, report),
            At::Same(span) if index == 0 => {
                report
                    .problem("the first fault has none before it to be at the same sector as")
                    .at(span.clone(), "the same as what?")
                    .help("say `same` on a later fault");
            }
            At::Same(_) | At::Every(_) => {}
        }
        clash(
            report,
            (file.legs.controller).find(|one| one.profile().errnos == Errnos::Unmeasured),
            fault.errno.find(|errno| errno.0 != EIO),
            "what this controller makes of this error is not known",
            "leave `errno` at `EIO`: most device models have their own idea of the others",
        );
        let ops = fault.op.as_ref().unwrap_or(&file.io.op);
        clash(
            report,
            (file.legs.controller).find(|one| *one != Controller::VirtioBlk),
            ops.find(|op| !matches!(op, Op::Read | Op::Write)),
            "what this controller makes of a failure of this operation is not known",
            "take `virtio-blk`",
        );
        if let (Some(flush), At::Offsets(offsets)) = (ops.find(|op| *op == Op::Flush), &fault.at)
            && let [_, another, ..] = offsets.0.as_slice()
        {
            report
                .problem("a flush is for no sector, and `at` makes no difference to it")
                .value(another, "the same case again")
                .value(flush, "this is what fails")
                .help("leave `at` out");
        }
        reports(file, fault, report);
        clash(
            report,
            file.legs.controller.find(|one| asks_differently(*one)),
            fault.times.find(|times| *times != Times::Always),
            "how often this controller's driver tries again depends on what it was doing",
            "leave `times` at `always`, or take another controller",
        );
        other(file, fault, report);
        let same_place = |one: &Given<Fault>| {
            (one.value.disk(), one.value.during()) == (fault.disk(), fault.during())
        };
        for earlier in file.fault[..index].iter().filter(|one| same_place(one)) {
            meet(file, earlier, given, report);
        }
    }
}

/// Whether the number of the driver's attempts before it fails a request
/// varies.
fn asks_differently(controller: Controller) -> bool {
    let (least, most) = controller.profile().failure_handling.attempts;
    least != most
}

/// Checks a fault on the log, or one that is armed while the mirror is set up.
fn other(file: &File, fault: &Fault, report: &mut Report) {
    let stack = &file.stack;
    let is_mirror = stack.target() == TargetName::Raid1;
    let on_log = fault.disk.as_ref().filter(|disk| disk.value == Disk::Log);
    let in_core = stack
        .log
        .as_ref()
        .map(|logs| logs.find(|log| *log == Log::Core));
    if let Some(disk) = on_log
        && (!is_mirror || !matches!(in_core, Some(None)))
    {
        let problem = report.problem("there is no log that could fail");
        problem.value(disk, "the fault lies on it");
        if let Some(Some(core)) = in_core {
            problem.value(core, "this log is in memory");
        }
        problem.help("only a mirror with `log = \"disk\"` has one on a disk");
    }
    let setting_up = (fault.during.as_ref()).filter(|during| during.value == During::SetUp);
    let unsynced = stack
        .sync
        .as_ref()
        .map(|syncs| syncs.find(|sync| *sync == Sync::Nosync));
    if let Some(during) = setting_up
        && on_log.is_none()
        && (!is_mirror || !matches!(unsynced, Some(None)))
    {
        report
            .problem("nothing is asked of a leg before the I/O")
            .value(during, "when is this?")
            .help("only a mirror with `sync = \"synced\"` copies its legs when it is set up");
    }
    let ops = fault.op.as_ref().unwrap_or(&file.io.op);
    if let (Some(disk), Some(op)) = (
        on_log,
        ops.find(|op| matches!(op, Op::Discard | Op::WriteZeroes)),
    ) {
        report
            .problem(format!("a log is never asked for a {}", op.value.word()))
            .value(op, "this operation")
            .value(disk, "the fault lies on the log")
            .help("it is read, written and flushed: set `op` of the fault");
    }
}

/// Checks what the SCSI target is to report.
fn reports(file: &File, fault: &Fault, report: &mut Report) {
    clash(
        report,
        file.legs.controller.find(|one| *one == Controller::Target),
        (fault.during.as_ref()).filter(|during| during.value == During::SetUp),
        "what a mirror's recovery makes of a target's reports is not known",
        "take another controller, or a fault of the I/O",
    );
    let Some(reports) = &fault.report else {
        return;
    };
    clash(
        report,
        (file.legs.controller).find(|one| *one != Controller::Target),
        reports.0.first(),
        "this controller reports failures in its own way",
        "leave `report` out, or set `controller = \"target\"` in `[legs]`",
    );
    let answers = |wanted: fn(Failure) -> bool| {
        reports.find(move |one| one.answer().is_some_and(|answer| wanted(answer.failure)))
    };
    clash(
        report,
        reports.find(|one| one.is_silent() && !one.is_offline()),
        fault.times.find(|times| *times == Times::Always),
        "a command that is never answered, however often its disk is reset, hangs for ever",
        "say how often, `times = 1`: virtio_scsi gives its device all the time in the world \
         (`virtscsi_eh_timed_out` starts the timer anew), and an operator resets the disk each \
         time; or take `no-answer-offline`",
    );
    clash(
        report,
        reports.find(|one| one.is_offline()),
        fault.times.find(|times| *times != Times::Always),
        "a disk that is offline is asked no more",
        "leave `times` at `always`, or take `no-answer`",
    );
    clash(
        report,
        answers(|failure| {
            let again = failure.profile().linux.commands.is_none();
            again && failure != Failure::NoAnswer
        }),
        fault.times.find(|times| *times == Times::Always),
        "the kernel asks again for as long as it gets this answer",
        "say how often, `times = 3`: it does not count, and gives up after minutes only",
    );
    clash(
        report,
        reports.find(|one| one.is_gone()),
        (fault.times).find(|times| !matches!(times, Times::Always | Times::Count(1))),
        "an HBA that is gone comes back once at most",
        "`always`: it stays away; `once`: it is back when its path is reinstated; or take \
         `bad-target`",
    );
}

/// Reports two faults that may meet on one leg, operation and sector.
fn meet(file: &File, one: &Given<Fault>, again: &Given<Fault>, report: &mut Report) {
    let (a, b) = (&one.value, &again.value);
    let op = |fault: &Fault| fault.op.clone().unwrap_or_else(|| file.io.op.clone());
    let offsets = |fault: &Fault| match (&fault.at, file.fault.first().map(|f| &f.value.at)) {
        (At::Offsets(offsets), _) | (_, Some(At::Offsets(offsets))) => offsets.clone(),
        _ => Sweep(Vec::new()),
    };
    let first = Sweep::of(0);
    let path = |fault: &Fault| fault.path.clone().unwrap_or_else(|| first.clone());
    let (Some(leg), Some(_), Some(op), Some(at)) = (
        common(&a.leg, &b.leg),
        common(&path(a), &path(b)),
        common(&op(a), &op(b)),
        common_sector(&offsets(a), &offsets(b), &file.io.sectors),
    ) else {
        return;
    };
    let problem = report.problem(format!(
        "two faults for {op}s of leg {leg} at sector {at} of the I/O"
    ));
    for (fault, label) in [(again, "the second"), (one, "the first")] {
        if let Some(span) = fault.span.clone() {
            problem.at(span, label);
        }
    }
    problem
        .help("a leg fails a sector in one way at a time: sweep over legs or sectors that differ");
}

/// The first value that two sweeps share.
fn common<T: Value>(one: &Sweep<T>, two: &Sweep<T>) -> Option<String> {
    let shared = one.find(|a| two.values().any(|b| a == b))?;
    Some(shared.value.word())
}

/// The first sector that two sweeps share, for any of the swept lengths of the
/// I/O.
fn common_sector(one: &Sweep<Offset>, two: &Sweep<Offset>, lengths: &Sweep<u64>) -> Option<u64> {
    lengths.values().find_map(|length| {
        let known: HashSet<u64> = one.values().map(|at| at.resolve(*length)).collect();
        let mut sectors = two.values().map(|at| at.resolve(*length));
        sectors.find(|sector| known.contains(sector))
    })
}
