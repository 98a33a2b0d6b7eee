//! The stack of a case, on its disks with their faults: made before the I/O, and taken
//! down after it.

use super::interruption::Interruption;
use super::multipathd;
use super::stack::{self, NAME, TOP};
use super::station::Station;
use crate::guest::CallError;
use crate::guest::client::strange;
use halfway_case::facts;
use halfway_case::observation::Entry;
use halfway_case::{Case, Disk, During, Fault, Hold, Sync};
use halfway_protocol::io::Op;
use halfway_protocol::message::{self, Refusal, Reply, Request};
use halfway_protocol::trace::Dev;
use rustix::io::Errno;
use std::time::Duration;

/// How long the mirror may take to copy leg 0 to the others.
const RESYNC: Duration = Duration::from_secs(60);

/// Makes the disks, the faults and the stack of a case: all but its I/O. Gives what
/// reached the disks meanwhile, as [`Observation::set_up`].
///
/// # Errors
///
/// What the guest or the host refused.
pub async fn set_up(
    station: &mut Station,
    case: &Case,
    seed: u64,
) -> Result<Vec<Entry>, Interruption> {
    // Nobody would let anything go.
    let case = &Case {
        holds: Vec::new(),
        ..case.clone()
    };
    let mut reached = Vec::new();
    prepare(station, case, seed, &case.faults, &mut reached).await?;
    Ok(reached)
}

/// Takes a stack down that [`set_up`] made, or what is left of it.
///
/// # Errors
///
/// What the guest refused: somebody may use a device.
pub async fn clear_away(station: &Station, case: &Case) -> Result<(), CallError> {
    let gone = |error: &CallError| match error {
        CallError::Refused(refusal) => refusal.errno == Some(Errno::NXIO.raw_os_error()),
        _ => false,
    };
    if case.stack.no_path_retry().is_some() {
        multipathd::end(station).await?;
    }
    for removed in remove(station, case) {
        match removed.await {
            Err(error) if !gone(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

pub(super) async fn prepare(
    station: &mut Station,
    case: &Case,
    seed: u64,
    faults: &[Fault],
    set_up: &mut Vec<Entry>,
) -> Result<(Dev, message::Limits), Interruption> {
    station.storage.begin(seed, case.ways())?;
    let syncing = facts::races_recovery(case);
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
    let synced = case.stack.target().sync() == Some(Sync::Synced);
    let mut limited = Vec::new();
    let of = |disk, during| -> Vec<Fault> { case.other_faults_of(disk, during).cloned().collect() };
    let (log, early) = (of(Disk::Log, During::Io), of(Disk::Leg, During::SetUp));
    let early_log = of(Disk::Log, During::SetUp);
    let created = if case.stack.no_path_retry().is_some() {
        let created = multipathd::start(station, case).await?;
        // What it and udev have read is not the I/O's.
        station.storage.collect(&case.legs, &case.io)?;
        station.arm(&case.legs, faults, &[]).await?;
        created
    } else if synced || !case.other_faults.is_empty() {
        station.arm(&case.legs, &early, &early_log).await?;
        all(restored).await?;
        all(create_beneath(station, case)).await?;
        let created = create(station).await?;
        if synced {
            in_sync(station, case, facts::unrecovered(case).len() as u64).await?;
        }
        // A resumed mirror tries again to recover what it could not.
        if early.is_empty() {
            all(settle(station)).await?;
        }
        // What the resynchronisation did is not the I/O's.
        let (entries, _) = station.storage.collect(&case.legs, &case.io)?;
        if !case.other_faults.is_empty() {
            *set_up = entries;
        }
        station.arm(&case.legs, faults, &log).await?;
        created
    } else {
        if case.has_log_disk() {
            // The log is read and written as the table is loaded. The faults of the case
            // before, which may lie on it, must be gone by then.
            station.arm(&case.legs, &[], &[]).await?;
        }
        // The legs are left alone until the I/O.
        let beneath = create_beneath(station, case);
        let created = create(station);
        // A suspension would wait for the recovery.
        let settled = match case.stack.target().starts_in_sync_by_its_worker() && !syncing {
            true => settle(station),
            false => Vec::new(),
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
        station.storage.collect(&case.legs, &case.io)?;
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
pub(super) async fn found(
    station: &Station,
    case: &Case,
) -> Result<(Dev, message::Limits), CallError> {
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
pub(super) async fn in_sync(station: &Station, case: &Case, lost: u64) -> Result<(), Interruption> {
    const STILL: u32 = 5;
    let since = tokio::time::Instant::now();
    let (mut before, mut still) = (0, 0);
    loop {
        let status = station.guest.status(NAME).await?;
        let line = status.targets.first().map_or("", String::as_str);
        let shown = case.stack.target().status(line);
        let mirror = shown.and_then(|shown| shown.regions);
        let in_sync = mirror.map_or(0, |mirror| mirror.in_sync);
        still = if in_sync == before { still + 1 } else { 0 };
        before = in_sync;
        match mirror {
            Some(mirror) if mirror.in_sync == mirror.all => return Ok(()),
            Some(mirror) if lost > 0 && mirror.in_sync + lost >= mirror.all && still >= STILL => {
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

/// Removes the devices of a case, the upper one first.
pub(super) fn remove(
    station: &Station,
    case: &Case,
) -> Vec<impl Future<Output = Result<Reply, CallError>> + use<>> {
    let top = case.linear.map(|_| TOP);
    let names = top.into_iter().chain([NAME]).map(str::to_owned);
    let beneath = stack::beneath(case).into_iter().map(|(name, _)| name);
    let remove = |name| station.guest.call(Request::DmRemove { name });
    names.chain(beneath).map(remove).collect()
}
