//! One case on one station: arm, build, do, collect, tear down.

use super::interruption::Interruption;
use super::manner::Manner;
use super::request::{WRITTEN, entries, io_request};
use super::set_up::{found, in_sync, prepare, remove};
use super::stack::{self, NAME};
use super::station::Station;
use super::stops::{self, Attendant};
use super::{meanwhile, multipathd, operator, soak, unit_resets, unplug};
use crate::guest::CallError;
use crate::guest::client::strange;
use crate::storage::StorageError;
use halfway_case::facts;
use halfway_case::observation::{KernelText, Liveness, Observation};
use halfway_case::{Case, Fault, Multipath, OnError, Sabotage};
use halfway_protocol::io::{IoState, Op};
use halfway_protocol::message::{self, DmStatus, KernelMessage, Reply, Request, Seen};
use rustix::io::Errno;
use std::collections::HashSet;
use std::time::Duration;

/// How long QEMU may take to end after its guest fell silent: a panic's text
/// takes a moment on an emulated serial line.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Performs `case` and says what was seen of it; the error is one of the
/// harness's own side. The machine may be used again only if the observation's
/// liveness is [`Liveness::Alive`] and the I/O came back.
pub async fn perform(
    station: &mut Station,
    case: &Case,
    seed: u64,
    manner: Manner,
) -> Result<Observation, StorageError> {
    let left = station.guest.kernel_log();
    let left_console = station.new_console();
    let stderr = station.machine.stderr().mark();
    let mut seen = Observation {
        seed,
        release: station.hello.release.clone(),
        disks: station.disks.clone(),
        dm: None,
        refusal: None,
        set_up: Vec::new(),
        events_before: None,
        meanwhile: None,
        unplugged: None,
        unit_resets: Vec::new(),
        stops: 0,
        soak: None,
        interventions: None,
        io: None,
        status: None,
        beneath: Vec::new(),
        table: None,
        repair: None,
        after_suspend: None,
        status_at_end: None,
        seen: Seen::default(),
        journal: Vec::new(),
        media: Vec::new(),
        log: None,
        around: Vec::new(),
        console: String::new(),
        left: KernelText::default(),
        qemu_stderr: String::new(),
        liveness: Liveness::Alive,
    };
    let mut performed = steps(station, case, seed, manner, &mut seen).await;
    if let Ok(()) | Err(Interruption::Unstarted(_) | Interruption::Guest(CallError::Refused(_))) =
        performed
    {
        match station.guest.kernel_log().await {
            Ok(log) => seen.around = without(log, &seen.seen.log),
            Err(CallError::Refused(_)) => {}
            // It died at the very end.
            Err(error) => performed = Err(error.into()),
        }
    }
    match performed {
        Ok(()) => {}
        Err(Interruption::Unstarted(refusal)) => {
            seen.refusal = Some(refusal);
            take_away(station, case, &mut seen).await;
        }
        Err(Interruption::Guest(CallError::Refused(refusal))) => {
            seen.liveness = Liveness::Dirty(format!("it was refused half done ({refusal})"));
            seen.refusal = Some(refusal);
        }
        Err(Interruption::Guest(_)) => {
            seen.liveness = match station.machine.ended_within(LAST_WORDS).await {
                Some(status) => Liveness::Exited(status),
                None => Liveness::Silent,
            };
            // Let the pipes be read to their ends.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Interruption::Storage(error)) if seen.liveness == Liveness::Alive => {
            match station
                .machine
                .ended_within(Duration::from_millis(200))
                .await
            {
                Some(status) => seen.liveness = Liveness::Exited(status),
                None => return Err(error),
            }
        }
        Err(Interruption::Storage(error)) => return Err(error),
    }
    // Before a disk was plugged again, this was done already.
    if seen.unplugged.is_none() {
        (seen.journal, seen.media) = match station.storage.collect(&case.legs, &case.io) {
            Ok(collected) => collected,
            // A QEMU that is gone leaves a torn journal.
            Err(_) if seen.liveness != Liveness::Alive => Default::default(),
            Err(error) => return Err(error),
        };
    }
    seen.log = station.storage.dirty_log().filter(|_| case.has_log_disk());
    seen.console = station.new_console();
    seen.left = KernelText {
        console: left_console,
        log: left.await.unwrap_or_default(),
    };
    seen.qemu_stderr = station.machine.stderr().since(stderr);
    Ok(seen)
}

/// The messages that are not among those.
fn without(log: Vec<KernelMessage>, those: &[KernelMessage]) -> Vec<KernelMessage> {
    let those: HashSet<(u64, &str)> = (those.iter())
        .map(|message| (message.micros, message.text.as_str()))
        .collect();
    log.into_iter()
        .filter(|message| !those.contains(&(message.micros, message.text.as_str())))
        .collect()
}

/// Puts a complaint into the guest's kernel log, with the level of a warning.
async fn complain(station: &Station) -> Result<(), CallError> {
    let complaint = Request::WriteFile {
        path: "/dev/kmsg".to_owned(),
        text: "<4>BUG: sabotage in the guest\n".to_owned(),
    };
    station.guest.call(complaint).await.map(drop)
}

async fn steps(
    station: &mut Station,
    case: &Case,
    seed: u64,
    manner: Manner,
    seen: &mut Observation,
) -> Result<(), Interruption> {
    let deadline = manner.deadline;
    let faults = match case.sabotage {
        Some(Sabotage::FaultMissed) => missed(case),
        _ => case.faults.clone(),
    };
    let faults = stops::lasting(case, faults);
    if case.sabotage == Some(Sabotage::GuestComplaint) {
        complain(station).await?;
    }
    seen.dm = Some(match manner.standing {
        true => found(station, case).await?,
        false => {
            let prepared = prepare(station, case, seed, &faults, &mut seen.set_up).await;
            prepared.map_err(Interruption::unstarted)?
        }
    });
    if let Some(how) = &case.soak {
        soak::run(station, case, how, seed, manner, seen).await?;
        return take_down(station, case, seen).await;
    }

    match facts::races_recovery(case) {
        true => meanwhile::arrival(station).await,
        false => station.storage.hold(&case.legs, &case.holds, case.io.op)?,
    }
    let patience = meanwhile::prepare(station, case).await?;
    let before = station.guest.call(Request::DmStatus {
        name: NAME.to_owned(),
    });
    let request = io_request(case, &case.io, seed, WRITTEN);
    let attendant = Attendant::of(station);
    let bios = manner.watched.then(|| entries(&request));
    let watching = station.guest.call(Request::Watch { bios });
    let started = station.guest.call(Request::IoStart(request));
    match case.sabotage {
        Some(Sabotage::GuestPanic) => {
            drop(station.guest.call(Request::Sabotage {
                how: message::Sabotage::Panic,
            }));
        }
        Some(Sabotage::GuestSilence) => {
            drop(station.guest.call(Request::Sabotage {
                how: message::Sabotage::Silence,
            }));
        }
        Some(Sabotage::QemuKill) if manner.attempt == 1 => station.machine.kill(),
        Some(Sabotage::QemuKill | Sabotage::FaultMissed | Sabotage::GuestComplaint) | None => {}
    }
    let interventions = seen.interventions.insert(Vec::new());
    if !case.holds.is_empty() {
        seen.meanwhile = meanwhile::act(station, case, interventions).await?;
    }
    let (unit_resets, ended) = unit_resets::act(station, case, interventions).await?;
    seen.unit_resets = unit_resets;
    let quiet = operator::is_needed(case).then(|| case.legs.controller.profile().quiet);
    let done = match ended {
        None => Ok(station.guest.io_wait(deadline, quiet)),
        Some(ended) => Err(ended),
    };
    let flow = async {
        let events = as_status(before.await?)?.event;
        let unstarted = |error: CallError| Interruption::from(error).unstarted();
        watching.await.map_err(unstarted)?;
        started.await.map_err(unstarted)?;
        let state = match done {
            Ok(done) => done.await?,
            Err(ended) => ended,
        };
        Ok((events, state))
    };
    let attended = attendant.attend(station, case, &mut seen.stops, flow);
    let (events, mut state) = attended.await?;
    seen.events_before = Some(events);
    // A machine that stops needs its attendant, which has left by now.
    if case.legs.on_error == OnError::Report {
        state = station.guest.io_goes_on(state, deadline, quiet).await?;
    }
    if let IoState::Quiet { .. } = state {
        state = operator::act(station, case, manner, seen).await?;
    }
    let came_back = matches!(state, IoState::Done(_));
    if seen.repair.is_none() {
        seen.io = Some(state);
    }

    meanwhile::restore(station, case, patience).await?;
    if facts::races_recovery(case) && came_back {
        in_sync(station, case, 0).await?;
    }
    seen.status = Some(status_with_event(station, case, events).await?);
    let of_table = |multipath: &Multipath| {
        !multipath.initialising().is_empty() || multipath.no_path_retry.is_some()
    };
    if case.stack.multipath().is_some_and(of_table)
        && let Some(name) = stack::a_multipath(case)
    {
        let table = as_status(station.guest.call(Request::DmTable { name }).await?)?;
        seen.table = table.targets.into_iter().next();
    }
    for (name, _) in stack::beneath(case) {
        seen.beneath.push(station.guest.status(&name).await?);
    }
    let collected = station.guest.call(Request::Collect);
    let multipathd = case.stack.no_path_retry().is_some();
    let plugs = came_back && facts::unplugs(case) && seen.meanwhile.is_some();
    let mut removed = match came_back && !multipathd && !plugs && !manner.standing {
        true => remove(station, case),
        false => Vec::new(),
    };
    seen.seen = match collected.await? {
        Reply::Seen(seen) => seen,
        other => return Err(strange(other).into()),
    };
    if plugs {
        unplug::plug_again(station, case, seed, deadline, seen).await?;
        removed = remove(station, case);
    }
    removed_well(removed, seen).await?;
    if multipathd && came_back {
        multipathd::finish(station, case, seen).await?;
        removed_well(remove(station, case), seen).await?;
    }
    // Which newer kernels take as a reason to look at the disk.
    unit_resets::undo(station, case).await?;
    if !came_back {
        // The machine is given up after this.
        operator::prod(station, case, seen).await;
    }
    Ok(())
}

/// Takes the stack of a soak down, if its last I/O came back.
async fn take_down(
    station: &Station,
    case: &Case,
    seen: &mut Observation,
) -> Result<(), Interruption> {
    match seen.io {
        Some(IoState::Done(_)) => removed_well(remove(station, case), seen).await,
        _ => Ok(()),
    }
}

/// Takes away what there is of a stack whose set-up was refused, so that the machine
/// can serve the next case: nothing was in flight yet.
async fn take_away(station: &Station, case: &Case, seen: &mut Observation) {
    const NONE: i32 = Errno::NXIO.raw_os_error(); // `dev_remove` in drivers/md/dm-ioctl.c
    // What is held, tended by multipathd or relieved is not undone here.
    let alone = case.holds.is_empty() && case.stack.no_path_retry().is_none();
    let plain = alone && seen.unit_resets.is_empty();
    let mut dirty = (!plain).then(|| "its set-up was refused".to_owned());
    for removed in remove(station, case) {
        match removed.await {
            Ok(_) => {}
            Err(CallError::Refused(refusal)) if refusal.errno == Some(NONE) => {}
            Err(error) => dirty = Some(error.to_string()),
        }
    }
    if let Some(why) = dirty {
        seen.liveness = Liveness::Dirty(why);
    }
}

async fn removed_well(
    removed: Vec<impl Future<Output = Result<Reply, CallError>>>,
    seen: &mut Observation,
) -> Result<(), Interruption> {
    for removed in removed {
        match removed.await {
            Ok(_) => {}
            Err(CallError::Refused(refusal)) => {
                seen.liveness = Liveness::Dirty(refusal.to_string())
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The status; where it tells of a failure, the event that is to tell of the
/// failure is given a moment: a worker of the kernel's sends it (`trigger_event`).
async fn status_with_event(
    station: &Station,
    case: &Case,
    events: u32,
) -> Result<DmStatus, CallError> {
    const MOMENT: Duration = Duration::from_millis(500);
    let since = tokio::time::Instant::now();
    loop {
        let status = station.guest.status(NAME).await?;
        let line = status.targets.first().map_or("", String::as_str);
        let health = case.stack.health(line).unwrap_or_default();
        let sound = health.iter().all(|letter| *letter == 'A');
        let none_to_come = sound || !facts::tells_of_failures(case);
        if none_to_come || status.event != events || since.elapsed() > MOMENT {
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn as_status(reply: Reply) -> Result<DmStatus, CallError> {
    match reply {
        Reply::Status(status) => Ok(status),
        other => Err(strange(other)),
    }
}

/// The same faults at a sector that the I/O does not touch.
fn missed(case: &Case) -> Vec<Fault> {
    let end = case.io.sector + case.io.sectors;
    let sector = if end < case.legs.sectors { end } else { 0 };
    let mut faults = case.faults.clone();
    for fault in &mut faults {
        fault.sector = sector;
    }
    faults.dedup_by_key(|fault| (fault.leg, fault.op as u8));
    // A flush is for no sector in particular.
    faults.retain(|fault| fault.op != Op::Flush);
    faults
}
