//! A soak on one station: the plan, step by step, until its length is reached or
//! something is wrong.

use super::interruption::Interruption;
use super::manner::Manner;
use super::request::{entries, io_request};
use super::soak_actions::{PROLONGED, act, has_met_a_fault};
use super::soak_files;
use super::stack::NAME;
use super::station::Station;
use crate::guest::client::strange;
use halfway_case::observation::Observation;
use halfway_case::observation::soak::{Done, Seen};
use halfway_case::{Case, Filesystem, Length};
use halfway_oracle::contract;
use halfway_protocol::io::{IoState, Op};
use halfway_protocol::message::{self, Reply, Request};
use halfway_soak::{Action, Content, SoakPlan, Step};
use std::time::{Duration, Instant};

/// Performs the soak of a case whose stack is there. What was seen is in `seen`
/// step by step, also where the guest dies of one.
pub async fn run(
    station: &mut Station,
    case: &Case,
    how: &halfway_case::Soak,
    seed: u64,
    manner: Manner,
    seen: &mut Observation,
) -> Result<(), Interruption> {
    if how.filesystem != Filesystem::None {
        return soak_files::run(station, case, how, seed, manner.deadline, seen).await;
    }
    let mut plan = SoakPlan::new(case, seed);
    let mut content = Content::new(case.io.sector, case.io.sectors);
    let mut order: Vec<u8> = (0..case.legs.count).collect();
    let work = Work { case, seed, manner };
    let since = Instant::now();
    seen.events_before = Some(station.guest.status(NAME).await?.event);
    seen.soak = Some(Seen::default());
    loop {
        let over = match how.length {
            Length::Count(count) => {
                // The first step only writes what the others work on.
                let steps = seen.soak.as_ref().map_or(0, |soak| soak.steps.len());
                let done = (steps as u32).saturating_sub(1);
                done >= count
                    && (has_met_a_fault(&seen.seen) || done >= count.saturating_mul(PROLONGED))
                    && steps > 0
            }
            Length::Seconds(seconds) => since.elapsed() >= Duration::from_secs(seconds.into()),
        };
        let step = match over {
            true => plan.last(),
            false => plan.step(),
        };
        seen.io = Some(IoState::Quiet { pending: 0 });
        let done = one(station, &work, &mut order, &step, plan.doubtful(), seen).await?;
        seen.io = Some(done.io.clone());
        let right = match &done.io {
            IoState::Done(report) => content.take(&step, report).is_none(),
            _ => false,
        };
        if let Some(soak) = &mut seen.soak {
            soak.steps.push(done);
            soak.ended = over;
        }
        if over || !right || is_broken(&seen.seen) {
            break;
        }
    }
    seen.status = Some(station.guest.status(NAME).await?);
    Ok(())
}

/// Whether the contract watcher has something to say: what it saw is that of the
/// last step only.
fn is_broken(seen: &message::Seen) -> bool {
    match &seen.bios {
        Some(Ok(bios)) => bios.lost > 0 || !contract::follow(bios).violations.is_empty(),
        _ => false,
    }
}

/// What all steps have in common.
struct Work<'a> {
    case: &'a Case,
    seed: u64,
    manner: Manner,
}

async fn one(
    station: &mut Station,
    work: &Work<'_>,
    order: &mut [u8],
    step: &Step,
    doubtful: Option<u8>,
    seen: &mut Observation,
) -> Result<Done, Interruption> {
    let Work { case, seed, manner } = *work;
    if let Some(action) = &step.before {
        act(station, case, order, action).await?;
    }
    let request = io_request(case, &step.io, seed, step.generation());
    let bios = manner.watched.then(|| entries(&request));
    let watching = station.guest.call(Request::Watch { bios });
    let started = station.guest.call(Request::IoStart(request));
    watching.await?;
    started.await?;
    if let Some(action) = &step.meanwhile {
        act(station, case, order, action).await?;
    }
    let quiet = holds(case).then(|| case.legs.controller.profile().quiet);
    let mut actions = Vec::new();
    let mut io = station.guest.io_end(manner.deadline, quiet).await?;
    if let IoState::Quiet { .. } = io {
        let failed = failed(station, case).await?;
        if let Some(leg) = failed.first().copied().or(doubtful) {
            let action = Action::Mend(leg);
            act(station, case, order, &action).await?;
            actions.push(action.to_string());
        }
        io = station.guest.io_end(manner.deadline, None).await?;
    }
    match station.guest.call(Request::Collect).await? {
        Reply::Seen(new) => {
            let log = std::mem::take(&mut seen.seen.log);
            seen.seen = new;
            seen.seen.log.splice(0..0, log);
        }
        other => return Err(strange(other).into()),
    }
    Ok(Done { actions, io })
}

/// Whether the target holds I/O until somebody acts: a mirror a failed write
/// (`hold_bio`), multipath all I/O without a path.
fn holds(case: &Case) -> bool {
    case.stack.target().holds(Op::Write)
}

/// The lower devices that the target takes for failed.
async fn failed(station: &Station, case: &Case) -> Result<Vec<u8>, Interruption> {
    let status = station.guest.status(NAME).await?;
    let line = status.targets.first().map_or("", String::as_str);
    let health = case.stack.health(line).unwrap_or_default();
    // A mirror that was mended has its legs in another order.
    let health = match case.stack.target().has_copies() {
        true => Vec::new(),
        false => health,
    };
    let paths = (0..).zip(health).filter(|(_, letter)| *letter != 'A');
    Ok(paths.map(|(path, _)| path).collect())
}
