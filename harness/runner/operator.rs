//! What somebody must do for an I/O that the target holds: the part of a
//! system's operator, of dmeventd, or of multipathd.

use super::interruption::Interruption;
use super::manner::Manner;
use super::stack::{self, NAME};
use super::station::Station;
use super::waiting::{failed, waiting};
use super::{interventions, multipathd};
use crate::guest::CallError;
use halfway_case::observation::{AfterSuspend, Intervention, Observation, Repair};
use halfway_case::stack::Target as _;
use halfway_case::{Case, Fault, Remedy, Times};
use halfway_protocol::io::IoState;
use halfway_protocol::message::{DmStatus, Request};
use halfway_scsi::FaultReport;
use std::time::Duration;

/// Whether the target of `case` is one that holds I/O.
pub fn is_needed(case: &Case) -> bool {
    case.stack.target().holds(case.io.op)
}

/// No disk has anything to do, and the I/O has not come back. Acts once lower
/// devices have failed; until then the target may not have come to it, on a host
/// that keeps its guest waiting, or it hangs. Gives the state of the I/O
/// afterwards.
pub async fn act(
    station: &mut Station,
    case: &Case,
    manner: Manner,
    seen: &mut Observation,
) -> Result<IoState, Interruption> {
    let deadline = manner.deadline;
    let by_table = match case.stack.target().remedy() {
        Remedy::PathBeneath => return beneath(station, case, manner, seen).await,
        Remedy::Multipathd => return multipathd::act(station, case, deadline, seen).await,
        Remedy::TableWithoutFailed => true,
        Remedy::ReinstatedPath => false,
    };
    let enough = |status: &DmStatus| !failed(case, status).is_empty() || log_failed(case, status);
    let status = match waiting(station, case, deadline, enough).await? {
        Ok(status) => settled(station, status).await?,
        Err(state) => return Ok(state),
    };
    let failed = failed(case, &status);
    let done = seen.interventions.get_or_insert_default();
    let acted = match by_table {
        true => without_failed(station, case, &failed, deadline, done).await?,
        false => {
            let waiting = Waiting {
                name: NAME,
                leg: 0,
                failed: &failed,
                at_last: None,
            };
            Some(reinstated(station, case, waiting, manner, done).await?)
        }
    };
    let Some((interventions, io)) = acted else {
        return Ok(station.guest.io_end(deadline, None).await?);
    };
    seen.repair = Some(Repair {
        status,
        interventions,
        io: io.clone(),
    });
    Ok(io)
}

/// How long a suspension may take that waits for nothing.
const PROD: Duration = Duration::from_secs(10);

/// How long a mirror that goes on may leave its legs alone: above it a thousand segments
/// may have a flush each, and the guest be slow.
const GONE_ON: Duration = Duration::from_secs(3);

/// Of an I/O that did not come back while the mirror called every leg good: whether the
/// mirror still has it, and only forgot why. What it holds a suspension without flush
/// gives back; for what is lost that waits in vain. No repair: it is for the story.
pub async fn prod(station: &mut Station, case: &Case, seen: &mut Observation) {
    let sound = |status: &DmStatus| failed(case, status).is_empty() && !log_failed(case, status);
    let by_table = case.stack.target().remedy() == Remedy::TableWithoutFailed;
    let mirror = by_table && is_needed(case);
    let shown_sound = seen.status.as_ref().is_some_and(sound);
    let Some(before) = seen.last_io().filter(|_| mirror && shown_sound).cloned() else {
        return;
    };
    // A leg that still fails it would have it held, and forgotten, once more.
    if station.arm(&case.legs, &[], &[]).await.is_err() {
        return;
    }
    let name = || NAME.to_owned();
    let (noflush, patience) = (true, PROD);
    let suspend = Request::DmSuspend {
        name: name(),
        noflush,
    };
    let resume = Request::DmResume { name: name() };
    let gone_on = async {
        station.guest.call_within(suspend, patience).await?;
        station.guest.call_within(resume, patience).await?;
        let quiet = case.legs.controller.profile().quiet.max(GONE_ON);
        let io = station.guest.io_wait(PROD, Some(quiet)).await?;
        Ok::<_, CallError>((station.guest.status(NAME).await?, io))
    };
    // Whatever the guest answers no more is what was to be found out.
    seen.after_suspend = Some(match gone_on.await {
        Ok((status, io)) => AfterSuspend {
            status: Some(status),
            io,
        },
        Err(_) => AfterSuspend {
            status: None,
            io: before,
        },
    });
}

/// What the status comes to: a leg is shown as failed before the mirror's worker has
/// seen to what that failure leaves behind (`write_callback`, `do_failures`).
async fn settled(station: &Station, mut status: DmStatus) -> Result<DmStatus, CallError> {
    const PAUSE: Duration = Duration::from_millis(20);
    loop {
        tokio::time::sleep(PAUSE).await;
        let next = station.guest.status(NAME).await?;
        if next == status {
            return Ok(status);
        }
        status = next;
    }
}

/// Whether the mirror's log is on a disk, and that has failed.
fn log_failed(case: &Case, status: &DmStatus) -> bool {
    let line = status.targets.first().map_or("", String::as_str);
    let shown = case.stack.target().status(line);
    let log = shown.and_then(|shown| shown.log);
    log.is_some_and(|letter| letter != 'A')
}

/// Suspends without flush, loads a mirror without the failed legs and with its
/// log in memory, resumes; nothing where no leg is left.
async fn without_failed(
    station: &Station,
    case: &Case,
    failed: &[u8],
    deadline: Duration,
    done: &mut Vec<Intervention>,
) -> Result<Option<(Vec<String>, IoState)>, CallError> {
    let Some(table) = stack::repaired(case, failed) else {
        return Ok(None);
    };
    let name = || NAME.to_owned();
    let words = format!("{} {}", table.kind, table.params);
    let suspend = Request::DmSuspend {
        name: name(),
        noflush: true,
    };
    let load = Request::DmLoad {
        name: name(),
        table: vec![table],
    };
    let resume = Request::DmResume { name: name() };
    for (intervention, request) in [
        (Intervention::Suspend, suspend),
        (Intervention::Load, load),
        (Intervention::Resume, resume),
    ] {
        interventions::call(station, done, intervention, request).await?;
    }
    let io = station.guest.io_end(deadline, None).await?;
    Ok(Some((vec![words], io)))
}

/// Whether the HBA of `path` was lost, and is to be found again.
fn comes_back(fault: &Fault, path: u8) -> bool {
    let gone = fault.report.is_some_and(FaultReport::is_gone);
    gone && fault.leg == path && fault.times != Times::Always
}

/// A multipath that keeps the I/O waiting.
struct Waiting<'a> {
    name: &'a str,
    /// Of a mirror the leg that it is.
    leg: u8,
    failed: &'a [u8],
    /// How long the I/O must have been quiet to be one that still waits after the last
    /// intervention, where that is to be asked.
    at_last: Option<Duration>,
}

/// How many times as long as is usual nothing must have been in flight for an I/O that
/// is due to be one that still waits: a host may keep its guest waiting, and to go on
/// would be to help.
const LONG: u32 = 20;

/// Reinstates one failed path after the other, each once and only while the I/O
/// still waits, and then gives up. The I/O waits when nothing has been in flight for a
/// while, and for a long one at the intervention that must bring it back.
async fn reinstated(
    station: &mut Station,
    case: &Case,
    waiting: Waiting<'_>,
    manner: Manner,
    done: &mut Vec<Intervention>,
) -> Result<(Vec<String>, IoState), Interruption> {
    let quiet = case.legs.controller.profile().quiet;
    let reinstate = waiting.failed.iter().map(|path| {
        let message = format!("reinstate_path {}", stack::device(*path));
        (Some(*path), message, Some(quiet))
    });
    let give_up = (None, "fail_if_no_path".to_owned(), waiting.at_last);
    let mut faults = case.faults.clone();
    let mut words = Vec::new();
    let mut state = IoState::Quiet { pending: 0 };
    for (path, message, waits) in reinstate.chain([give_up]) {
        if let Some(path) = path
            && let Some(lost) = (faults.iter()).position(|fault| comes_back(fault, path))
        {
            // The HBA is there again, and its faults are over.
            faults.swap_remove(lost);
            interventions::on_host(station, done, Intervention::HbaBack(path)).await?;
            station.arm(&case.legs, &faults, &[]).await?;
            words.push(format!("the HBA of path {path} is back"));
        }
        words.push(message.clone());
        let intervention = path.map_or(
            Intervention::GiveUp(waiting.leg),
            Intervention::ReinstatePath,
        );
        let send = Request::DmMessage {
            name: waiting.name.to_owned(),
            sector: 0,
            message,
        };
        interventions::call(station, done, intervention, send).await?;
        let waits = match manner.due == Some(intervention) {
            true => waits.map(|_| LONG * quiet),
            false => waits,
        };
        state = station.guest.io_end(manner.deadline, waits).await?;
        if let IoState::Done(_) = state {
            break;
        }
    }
    Ok((words, state))
}

/// The same for the multipaths beneath a mirror: for the one that has no path left,
/// and where the mirror then comes to another such leg, for that.
async fn beneath(
    station: &mut Station,
    case: &Case,
    manner: Manner,
    seen: &mut Observation,
) -> Result<IoState, Interruption> {
    let quiet = case.legs.controller.profile().quiet;
    let since = tokio::time::Instant::now();
    let status = station.guest.status(NAME).await?;
    let done = seen.interventions.get_or_insert_default();
    let mut given_up: Vec<u8> = Vec::new();
    let mut interventions = Vec::new();
    loop {
        let mut waiting = None;
        for (leg, (name, _)) in (0..).zip(stack::beneath(case)) {
            let status = station.guest.status(&name).await?;
            let line = status.targets.first().map_or("", String::as_str);
            let shown = case.stack.multipath().and_then(|paths| paths.status(line));
            let lost = shown.is_some_and(|paths| paths.health.iter().all(|path| *path == 'F'));
            if lost && !given_up.contains(&leg) {
                waiting = Some((leg, name));
                break;
            }
        }
        let left = manner.deadline.saturating_sub(since.elapsed());
        let state = match waiting {
            Some((leg, name)) => {
                let paths: Vec<u8> = (case.disk(leg, 0)..case.disk(leg + 1, 0)).collect();
                let waiting = Waiting {
                    name: &name,
                    leg,
                    failed: &paths,
                    at_last: Some(quiet),
                };
                let (words, state) = reinstated(station, case, waiting, manner, done).await?;
                interventions.extend(
                    words
                        .iter()
                        .map(|intervention| format!("{name}: {intervention}")),
                );
                given_up.push(leg);
                state
            }
            None => station.guest.io_wait(left, Some(quiet)).await?,
        };
        if !matches!(state, IoState::Quiet { .. }) || left.is_zero() {
            if !interventions.is_empty() {
                let io = state.clone();
                seen.repair = Some(Repair {
                    status,
                    interventions,
                    io,
                });
            }
            return Ok(state);
        }
    }
}
