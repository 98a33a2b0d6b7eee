//! One case on one station: arm, build, do, collect, tear down.

use super::stack::{self, NAME, TOP};
use super::station::Station;
use super::stops::{self, Attendant};
use super::{interlude, multipathd, operator, relief, soak, unplug};
use crate::guest::CallError;
use crate::guest::client::strange;
use crate::observation::{Entry, KernelText, Liveness, Observation};
use crate::oracle::{model, status};
use crate::scenario::case::{
    Case, Disk, During, Fault, Hold, Io, Multipath, Sabotage, Stack, Sync,
};
use crate::storage::StorageError;
use halfway_protocol::bio;
use halfway_protocol::io::{IoOp, IoRequest, IoState, Op};
use halfway_protocol::message::{self, DmStatus, KernelMessage, Refusal, Reply, Request, Seen};
use rustix::io::Errno;
use std::collections::HashSet;
use std::time::Duration;

/// How long the mirror may take to copy leg 0 to the others.
const RESYNC: Duration = Duration::from_secs(60);

/// How long QEMU may take to end after its guest fell silent: a panic's text
/// takes a moment on an emulated serial line.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Why a case ended before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interruption {
    /// The guest did not answer, or is gone, or refused something: an observation.
    #[error(transparent)]
    Guest(#[from] CallError),
    /// The guest refused something before the case's I/O was started.
    #[error(transparent)]
    Unstarted(Refusal),
    /// The disks failed us: no fault of the kernel's.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Interruption {
    /// What stopped a case before its I/O was started.
    fn unstarted(self) -> Self {
        match self {
            Interruption::Guest(CallError::Refused(refusal)) => Interruption::Unstarted(refusal),
            other => other,
        }
    }
}

/// How a case is performed, beside what it says itself.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// How long its I/O may take.
    pub deadline: Duration,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// Whether the contract watcher looks at every bio.
    pub watched: bool,
    /// Whether the stack is there already ([`set_up`]), and stays.
    pub standing: bool,
}

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
        relief: Vec::new(),
        stops: 0,
        soak: None,
        deeds: None,
        io: None,
        status: None,
        beneath: Vec::new(),
        table: None,
        repair: None,
        prodded: None,
        tended: None,
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
        (seen.journal, seen.media) = match station.storage.collect(case) {
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

/// Makes the disks, the faults and the stack of a case: all but its I/O. Gives what
/// reached the disks meanwhile, as [`Observation::set_up`].
///
/// # Errors
///
/// What the guest or the host refused, in words.
pub async fn set_up(station: &mut Station, case: &Case, seed: u64) -> Result<Vec<Entry>, String> {
    // Nobody would let anything go.
    let case = &Case {
        holds: Vec::new(),
        ..case.clone()
    };
    let mut reached = Vec::new();
    let prepared = prepare(station, case, seed, &case.faults, &mut reached).await;
    prepared.map_err(|error| error.to_string())?;
    Ok(reached)
}

/// Takes a stack down that [`set_up`] made, or what is left of it.
///
/// # Errors
///
/// What the guest refused, in words: somebody may use a device.
pub async fn clear_away(station: &Station, case: &Case) -> Result<(), String> {
    let gone = |error: &CallError| match error {
        CallError::Refused(refusal) => refusal.errno == Some(Errno::NXIO.raw_os_error()),
        _ => false,
    };
    if case.stack.no_path_retry().is_some() {
        let ended = multipathd::end(station).await;
        ended.map_err(|error| error.to_string())?;
    }
    for removed in remove(station, case) {
        match removed.await {
            Err(error) if !gone(&error) => return Err(error.to_string()),
            _ => {}
        }
    }
    Ok(())
}

async fn prepare(
    station: &mut Station,
    case: &Case,
    seed: u64,
    faults: &[Fault],
    set_up: &mut Vec<Entry>,
) -> Result<(halfway_protocol::trace::Dev, message::Limits), Interruption> {
    station.storage.begin(seed, case.ways())?;
    let syncing = model::races_recovery(case);
    if syncing {
        // Leg 0 is read, the others are written.
        let op = |hold: &Hold| if hold.leg == 0 { Op::Read } else { Op::Write };
        let op = case.holds.first().map_or(Op::Read, op);
        station.storage.hold(&case.legs, &case.holds, op)?;
    }
    let create = |station: &Station| {
        let table = vec![stack::table(case)];
        station.guest.call(Request::DmCreate {
            name: NAME.to_owned(),
            table,
        })
    };
    // The guest does its calls in their order, so that few are waited for.
    let restored = restore_limits(station);
    let synced = (case.stack.raid1()).is_some_and(|mirror| mirror.sync == Sync::Synced);
    let mut limited = Vec::new();
    let of = |disk, during| -> Vec<Fault> { case.aside_of(disk, during).cloned().collect() };
    let (log, early) = (of(Disk::Log, During::Io), of(Disk::Leg, During::SetUp));
    let early_log = of(Disk::Log, During::SetUp);
    let created = if case.stack.no_path_retry().is_some() {
        let created = multipathd::start(station, case).await?;
        // What it and udev have read is not the I/O's.
        station.storage.collect(case)?;
        station.arm(&case.legs, faults, &[]).await?;
        created
    } else if synced || !case.aside.is_empty() {
        station.arm(&case.legs, &early, &early_log).await?;
        all(restored).await?;
        all(create_beneath(station, case)).await?;
        let created = create(station).await?;
        if synced {
            in_sync(station, model::unrecovered(case).len() as u64).await?;
        }
        // A resumed mirror tries again to recover what it could not.
        if early.is_empty() {
            all(settle(station)).await?;
        }
        // What the resynchronisation did is not the I/O's.
        let (entries, _) = station.storage.collect(case)?;
        if !case.aside.is_empty() {
            *set_up = entries;
        }
        station.arm(&case.legs, faults, &log).await?;
        created
    } else {
        if case.has_log_disk() {
            // It is read and written as the table is loaded, when what failed it for the
            // case before must be gone.
            station.arm(&case.legs, &[], &[]).await?;
        }
        // The legs are left alone until the I/O.
        let beneath = create_beneath(station, case);
        let created = create(station);
        let settled = match case.stack {
            // A suspension would wait for the recovery.
            Stack::Raid1(_) if !syncing => settle(station),
            Stack::Raid1(_) | Stack::Multipath(_) => Vec::new(),
        };
        if case.linear.is_none() {
            limited = limit_legs(station, case);
        }
        let (armed, created) = tokio::join!(station.arm(&case.legs, faults, &[]), created);
        armed?;
        all(restored).await?;
        all(beneath).await?;
        let created = created?;
        all(settled).await?;
        created
    };
    let Reply::Created(dev, limits) = created else {
        return Err(strange(created).into());
    };
    if case.has_log_disk() {
        // The log's header is written when the table is resumed; what the I/O
        // makes the log write is to be seen by itself.
        station.storage.collect(case)?;
    }
    let mut limits = limits;
    if case.linear.is_some() {
        let created = station.guest.call(Request::DmCreate {
            name: TOP.to_owned(),
            table: stack::linear(case, dev),
        });
        limits = match created.await? {
            Reply::Created(_, limits) => limits,
            other => return Err(strange(other).into()),
        };
    }
    if limited.is_empty() {
        limited = limit_legs(station, case);
    }
    all(limited).await?;
    Ok((dev, limits))
}

/// The stack that is there: its device, and the limits of the upper one.
async fn found(
    station: &Station,
    case: &Case,
) -> Result<(halfway_protocol::trace::Dev, message::Limits), CallError> {
    let find = |name: &str| {
        let name = name.to_owned();
        station.guest.call(Request::DmFind { name })
    };
    match (find(NAME).await?, find(stack::top(case)).await?) {
        (Reply::Created(dev, _), Reply::Created(_, limits)) => Ok((dev, limits)),
        (other, _) => Err(strange(other)),
    }
}

/// Makes the multipaths that the legs of a mirror are.
fn create_beneath(
    station: &Station,
    case: &Case,
) -> Vec<impl Future<Output = Result<Reply, CallError>> + use<>> {
    let beneath = stack::beneath(case).into_iter();
    let create = |(name, table)| {
        station.guest.call(Request::DmCreate {
            name,
            table: vec![table],
        })
    };
    beneath.map(create).collect()
}

/// Waits for the answers to calls.
async fn all(calls: Vec<impl Future<Output = Result<Reply, CallError>>>) -> Result<(), CallError> {
    for call in calls {
        call.await?;
    }
    Ok(())
}

/// Lets the mirror's worker run once, which a suspension waits for
/// (`flush_workqueue` in `mirror_presuspend`).
///
/// The worker takes a mirror for in sync when it first runs, and forgets all
/// errors of the legs then (`reset_ms_flags` in `do_recovery`). A leg that fails
/// before that is asked a second time; seen once in some hundred cases on 6.12.
/// That is the start of a mirror and not what a case asks about.
fn settle(station: &Station) -> Vec<impl Future<Output = Result<Reply, CallError>> + use<>> {
    let name = || NAME.to_owned();
    let suspend = Request::DmSuspend {
        name: name(),
        noflush: false,
    };
    let calls = [suspend, Request::DmResume { name: name() }];
    calls.map(|call| station.guest.call(call)).into()
}

/// Waits until all regions are in sync but `lost` ones: then also until no more
/// of them come, should the mirror take one for recovered that is not.
pub(super) async fn in_sync(station: &Station, lost: u64) -> Result<(), Interruption> {
    const STILL: u32 = 5;
    let since = tokio::time::Instant::now();
    let (mut before, mut still) = (0, 0);
    loop {
        let status = station.guest.status(NAME).await?;
        let line = status.targets.first().map_or("", String::as_str);
        let mirror = status::mirror::parse(line);
        let in_sync = mirror.as_ref().map_or(0, |mirror| mirror.in_sync);
        still = if in_sync == before { still + 1 } else { 0 };
        before = in_sync;
        match mirror {
            Some(mirror) if mirror.in_sync == mirror.regions => return Ok(()),
            Some(mirror)
                if lost > 0 && mirror.in_sync + lost >= mirror.regions && still >= STILL =>
            {
                return Ok(());
            }
            _ if since.elapsed() > RESYNC => {
                let doing = format!("waiting until the mirror is in sync: it stands at {line}");
                let refusal = Refusal {
                    doing,
                    errno: None,
                    detail: String::new(),
                };
                return Err(CallError::Refused(refusal).into());
            }
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Sets `max_sectors_kb` of the legs, beneath a dm device that does not look at
/// it again.
fn limit_legs(
    station: &mut Station,
    case: &Case,
) -> Vec<impl Future<Output = Result<Reply, CallError>> + use<>> {
    let mut calls = Vec::new();
    if let Some(limit) = case.legs.max_sectors_kb {
        for leg in 0..case.legs.count {
            station.limited[usize::from(leg)] = Some(limit);
            calls.push(station.limit(leg, Some(limit)));
        }
    }
    calls
}

/// Gives the legs their own limits back: dm takes them over when a table is
/// loaded.
fn restore_limits(
    station: &mut Station,
) -> Vec<impl Future<Output = Result<Reply, CallError>> + use<>> {
    let limited = (0..).zip(&mut station.limited);
    let limited = limited.filter_map(|(leg, limit)| limit.take().map(|_| leg));
    let legs: Vec<u8> = limited.collect();
    legs.into_iter()
        .map(|leg| station.limit(leg, None))
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

    match model::races_recovery(case) {
        true => interlude::arrival(station).await,
        false => station.storage.hold(&case.legs, &case.holds, case.io.op)?,
    }
    let patience = interlude::prepare(station, case).await?;
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
    let deeds = seen.deeds.insert(Vec::new());
    if !case.holds.is_empty() {
        seen.meanwhile = interlude::act(station, case, deeds).await?;
    }
    let (relief, ended) = relief::act(station, case, deeds).await?;
    seen.relief = relief;
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
    if let IoState::Quiet { .. } = state {
        state = operator::act(station, case, deadline, seen).await?;
    }
    let came_back = matches!(state, IoState::Done(_));
    if seen.repair.is_none() {
        seen.io = Some(state);
    }

    interlude::restore(station, case, patience).await?;
    if model::races_recovery(case) && came_back {
        in_sync(station, 0).await?;
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
    let plugs = came_back && model::unplugs(case) && seen.meanwhile.is_some();
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
    relief::undo(station, case).await?;
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
    let plain = alone && seen.relief.is_empty();
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

/// Removes the devices of a case, the upper one first.
fn remove(
    station: &Station,
    case: &Case,
) -> Vec<impl Future<Output = Result<Reply, CallError>> + use<>> {
    let top = case.linear.map(|_| TOP);
    let names = top.into_iter().chain([NAME]).map(str::to_owned);
    let beneath = stack::beneath(case).into_iter().map(|(name, _)| name);
    let remove = |name| station.guest.call(Request::DmRemove { name });
    names.chain(beneath).map(remove).collect()
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
        let health = status::health(&case.stack, line).unwrap_or_default();
        let sound = health.iter().all(|letter| *letter == 'A');
        let none_to_come = sound || !model::tells_of_failures(case);
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

/// How many entries the vectors of its bios have at most: one for each page of
/// each segment.
pub(super) fn entries(request: &IoRequest) -> u32 {
    const PAGE: u32 = 4096;
    let of = |op: &IoOp| {
        let segments = op.segments.iter();
        let pages = segments.map(|one| (u32::from(one.page_offset) + one.bytes).div_ceil(PAGE));
        pages.sum::<u32>()
    };
    let longest = request.ops.iter().map(of).max();
    longest.unwrap_or(1).min(bio::LONGEST)
}

/// The generation of what a case writes; what lay there before is 0.
pub(super) const WRITTEN: u32 = 1;

/// An I/O on the case's device.
pub(super) fn io_request(case: &Case, io: &Io, seed: u64, generation: u32) -> IoRequest {
    let (memory, ops) = io.requests(case.legs.block());
    IoRequest {
        device: stack::top(case).to_owned(),
        op: io.op,
        path: io.path,
        dsync: io.dsync,
        memory,
        ops,
        submitters: io.submitters,
        seed,
        generation,
    }
}
