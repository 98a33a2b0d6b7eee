//! A real multipathd in the guest: how it is started, what happens to the disks
//! while it tends their paths, and how it ends.

use super::interruption::Interruption;
use super::stack::{self, NAME};
use super::station::Station;
use super::{interventions, programs, waiting};
use crate::guest::CallError;
use crate::guest::client::strange;
use crate::storage;
use halfway_case::facts;
use halfway_case::observation::{Intervention, Member, Observation, Repair};
use halfway_case::{Case, Multipath, NoPathRetry};
use halfway_protocol::io::IoState;
use halfway_protocol::message::{DmStatus, Limits, Reply, Request};
use halfway_protocol::trace::Dev;
use halfway_scsi::FaultReport;
use halfway_scsi::Part;
use std::time::Duration;
use tokio::time::Instant;

/// How long multipathd may take until its map is there, or a path is reinstated:
/// a few of its rounds of a second, on a host that may be busy.
const ROUNDS: Duration = Duration::from_secs(60);

/// How often it is started: it has been seen to ask a path for its priority before
/// that could tell, and the groups of its map keep their order.
const STARTS: u32 = 3;

/// How long it may take where it can be started once more.
const SOON: Duration = Duration::from_secs(10);

/// How long an I/O must go on waiting before a disk comes back: more than two of
/// multipathd's rounds.
const WAITS: Duration = Duration::from_millis(2500);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Has udev look at the disks: what it knew it forgets when it looks at one whose
/// HBA is gone.
async fn look(station: &Station) -> Result<(), CallError> {
    const LOOK: &str = "/bin/udevadm trigger --subsystem-match=block --action=add";
    programs::run(&station.guest, LOOK).await?;
    programs::settle(&station.guest).await
}

/// multipath.conf(5) of a case. The name of the map and the order of its groups
/// are the case's; all else is what an administrator would write.
fn configuration(case: &Case, multipath: &Multipath, retry: NoPathRetry, unit: &str) -> String {
    let retry = match retry {
        NoPathRetry::Fail => "fail".to_owned(),
        NoPathRetry::Queue => "queue".to_owned(),
        NoPathRetry::Checks(checks) => checks.to_string(),
    };
    let priority = |leg: u8| {
        let serial = storage::serial(Member::Leg(leg));
        format!("{serial} {}", 50 - leg)
    };
    let priorities: Vec<String> = (0..case.legs.count).map(priority).collect();
    format!(
        "defaults {{\n\
         find_multipaths no\nuser_friendly_names no\nskip_kpartx yes\n\
         polling_interval 1\nmax_polling_interval 1\n\
         detect_checker no\npath_checker tur\n\
         detect_prio no\nprio weightedpath\nprio_args \"serial {}\"\n\
         path_grouping_policy failover\npath_selector \"{} 0\"\nfailback manual\n\
         no_path_retry {retry}\n}}\n\
         multipaths {{\nmultipath {{\nwwid \"{unit}\"\nalias {NAME}\n}}\n}}\n",
        priorities.join(" "),
        multipath.path_selector.name(),
    )
}

/// Starts multipathd, and waits for its map of all paths in their order. Gives
/// the map's number and limits.
pub async fn start(station: &Station, case: &Case) -> Result<Reply, CallError> {
    const MULTIPATHD: &str = "/sbin/multipathd -d";
    let (Some(multipath), Some(retry)) = (case.stack.multipath(), case.stack.no_path_retry())
    else {
        return Err(programs::refused(
            "starting multipathd".to_owned(),
            "it has no case",
        ));
    };
    look(station).await?;
    let unit = programs::run(&station.guest, "/lib/udev/scsi_id -g -u -d {}").await?;
    let text = configuration(case, multipath, retry, unit.trim());
    programs::write(&station.guest, "/etc/multipath.conf", &text).await?;
    let mut start = 1;
    loop {
        programs::begin(&station.guest, MULTIPATHD).await?;
        let since = Instant::now();
        let patience = if start < STARTS { SOON } else { ROUNDS };
        let instead = loop {
            match map(station, case).await? {
                Map::Whole(dev, limits) => return Ok(Reply::Created(dev, limits)),
                Map::Other(_) if since.elapsed() < patience => tokio::time::sleep(LOOK).await,
                Map::Other(instead) => break instead,
            }
        };
        station.guest.call(Request::ProgramEnd).await?;
        let (_, said) = programs::ended(&station.guest, MULTIPATHD).await?;
        if start == STARTS {
            let doing = format!("waiting for multipathd's map of all paths: {instead}");
            return Err(programs::refused(doing, said.trim()));
        }
        let name = NAME.to_owned();
        match station.guest.call(Request::DmRemove { name }).await {
            // It may not have come to make one.
            Ok(_) | Err(CallError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        start += 1;
    }
}

/// What multipathd has made.
enum Map {
    /// The map, with all its paths in their order, and active.
    Whole(Dev, Limits),
    /// What is there instead.
    Other(String),
}

async fn map(station: &Station, case: &Case) -> Result<Map, CallError> {
    let name = || NAME.to_owned();
    let (dev, limits) = match station.guest.call(Request::DmFind { name: name() }).await {
        Ok(Reply::Created(dev, limits)) => (dev, limits),
        Ok(other) => return Err(strange(other)),
        Err(CallError::Refused(refusal)) => return Ok(Map::Other(refusal.to_string())),
        Err(error) => return Err(error),
    };
    let table = match station
        .guest
        .call(Request::DmTable { name: name() })
        .await?
    {
        Reply::Status(table) => table.targets.join("; "),
        other => return Err(strange(other)),
    };
    let status = station.guest.status(NAME).await?;
    let paths = table.split(' ').filter(|word| word.contains(':'));
    let disks = station.disks.iter().map(|(_, disk)| disk.dev.to_string());
    let disks: Vec<String> = disks.take(case.legs.count.into()).collect();
    let all = paths.eq(disks.iter().map(String::as_str)) && are_active(case, &status);
    Ok(match all {
        true => Map::Whole(dev, limits),
        false => Map::Other(table),
    })
}

fn are_active(case: &Case, status: &DmStatus) -> bool {
    let line = status.targets.first().map_or("", String::as_str);
    let health = case.stack.health(line).unwrap_or_default();
    health.len() == usize::from(case.legs.count) && health.iter().all(|path| *path == 'A')
}

/// No disk has anything to do, and the I/O has not come back. Once no path is
/// left, the HBA that is to come back does so, after a while in which the I/O must
/// not end, or multipathd is to give up.
pub async fn act(
    station: &mut Station,
    case: &Case,
    deadline: Duration,
    seen: &mut Observation,
) -> Result<IoState, Interruption> {
    let paths = usize::from(case.legs.count);
    let all_failed = |status: &DmStatus| waiting::failed(case, status).len() == paths;
    let status = match waiting::waiting(station, case, deadline, all_failed).await? {
        Ok(status) => status,
        Err(state) => return Ok(state),
    };
    let mut interventions = Vec::new();
    let mut io = station.guest.io_wait(WAITS, None).await?;
    if !matches!(io, IoState::Done(_)) {
        if let Some(path) = facts::hba_back(case) {
            let mut faults = case.faults.clone();
            faults.retain(|fault| fault.leg != path);
            for fault in &mut faults {
                // It is lost as it is, and not by the next request only.
                fault.report = Some(FaultReport::Gone(Part::Nothing));
            }
            let done = seen.interventions.get_or_insert_default();
            interventions::on_host(station, done, Intervention::HbaBack(path)).await?;
            station.arm(&case.legs, &faults, &[]).await?;
            interventions.push(format!("the HBA of path {path} is back"));
        }
        io = station.guest.io_end(deadline, None).await?;
    }
    seen.repair = Some(Repair {
        status,
        interventions,
        io: io.clone(),
    });
    Ok(io)
}

/// Puts all disks in order, gives multipathd the time to see it, and ends it.
pub async fn finish(
    station: &mut Station,
    case: &Case,
    seen: &mut Observation,
) -> Result<(), Interruption> {
    station.arm(&case.legs, &[], &[]).await?;
    let since = Instant::now();
    seen.status_at_end = Some(loop {
        let status = station.guest.status(stack::NAME).await?;
        if are_active(case, &status) || since.elapsed() > ROUNDS {
            break status;
        }
        tokio::time::sleep(LOOK).await;
    });
    Ok(end(station).await?)
}

/// Ends multipathd.
pub async fn end(station: &Station) -> Result<(), CallError> {
    station.guest.call(Request::ProgramEnd).await?;
    programs::ended(&station.guest, "multipathd").await?;
    programs::settle(&station.guest).await
}
