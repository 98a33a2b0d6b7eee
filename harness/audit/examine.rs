//! Does one I/O that fails in its middle on a device of each driver.

use super::Row;
use super::answers::{Answers, Sight, Unanswered, answers};
use super::subject::{BENEATH, IO, LEFT_OUT, LEGS, POOL, RECIPES, Recipe, SECTORS};
use crate::guest::CallError;
use crate::guest::client::strange;
use crate::machine::command::Boot;
use crate::machine::janitor::Workshop;
use crate::runner::images::{Images, Lack};
use crate::runner::plan::case_seed;
use crate::runner::station::Blueprint;
use crate::runner::{Needs, Station, StationError};
use crate::storage::{StorageError, serial};
use halfway_case::observation::Member;
use halfway_case::{Controller, Fault, Legs, OnError, Times};
use halfway_protocol::io::{IoOp, IoRequest, IoState, Memory, Op, Path, Segment};
use halfway_protocol::message::{Reply, Request, Target};
use halfway_protocol::trace::Dev;
use std::io;
use std::time::Duration;

/// The name of the audited dm device.
const NAME: &str = "halfway-audit";

/// The name of the dm device beneath it, if the recipe has one.
const POOL_NAME: &str = "halfway-pool";

/// How many sectors at the beginning of a leg are zeroed.
const ZEROED: u64 = 512;

/// The `max_sectors_kb` of legs that split what reaches them, in KiB.
const SPLIT_KIB: u32 = 64;

const PAGE: u32 = 4096;

/// What the audit runs on.
pub struct Site<'a> {
    /// What the machines boot.
    pub boot: &'a Boot,
    /// The directory that holds the machines' private directories.
    pub workshop: &'a Workshop,
    /// How long to wait for an answer of the guest.
    pub patience: Duration,
    /// How long an I/O may take.
    pub deadline: Duration,
    /// The seed of all content.
    pub seed: u64,
}

/// What the machines for the controllers' drivers need.
pub fn needs_of_controllers() -> Needs {
    Needs {
        controllers: Controller::emulated().collect(),
        ..Needs::default()
    }
}

/// What the machine for the stacked drivers needs.
pub fn needs_of_stacks() -> Needs {
    let modules = RECIPES.iter().flat_map(|recipe| recipe.modules);
    Needs {
        controllers: [BENEATH].into(),
        stacks: modules.copied().collect(),
        ..Needs::default()
    }
}

/// What is audited on one machine.
#[derive(Clone, Copy)]
enum Subject {
    Disk(Controller),
    Stack(&'static Recipe),
}

impl Subject {
    fn name(self) -> String {
        match self {
            Subject::Disk(controller) => controller.to_string(),
            Subject::Stack(recipe) => recipe.name.to_owned(),
        }
    }

    fn beneath(self) -> String {
        match self {
            Subject::Disk(_) => "its medium".to_owned(),
            Subject::Stack(recipe) => {
                let how = if recipe.split { ", which splits" } else { "" };
                let (legs, _) = recipe.faults;
                format!("{BENEATH}{how}: {} of its legs fail", legs.len())
            }
        }
    }

    fn row(self, op: Op, result: Result<Answers, String>) -> Row {
        Row {
            subject: self.name(),
            beneath: self.beneath(),
            op,
            result,
        }
    }
}

/// Why a driver was not examined.
#[derive(Debug, thiserror::Error)]
enum Unexamined {
    /// What was seen answers nothing.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// What is not back answers nothing.
    #[error("not shown: the I/O did not come back within {} s", .0.as_secs())]
    Pending(Duration),
    /// The kernel or the host has no such driver.
    #[error("{}", told_anywhere(.0))]
    Lack(Lack),
    /// There is no room for a machine.
    #[error(transparent)]
    Directory(io::Error),
    /// It does not come up.
    #[error("no machine could be had: {0}")]
    Machine(StationError),
    /// A disk is missing.
    #[error("the guest has no leg {0}")]
    NoLeg(u8),
    /// The guest refused something, or is gone.
    #[error(transparent)]
    Guest(#[from] CallError),
    /// The same while the device was made.
    #[error("not audited: {0}")]
    Making(CallError),
    /// What lies there before the I/O in question could not be written.
    #[error("not audited: the {doing} before it: {state:?}")]
    Before {
        /// The I/O.
        doing: String,
        /// What became of it.
        state: IoState,
    },
    /// The disks failed.
    #[error(transparent)]
    Disks(#[from] StorageError),
}

/// Examines the drivers of all controllers; `say` hears each row.
pub async fn controllers(site: &Site<'_>, images: &Images, say: &mut dyn FnMut(&Row)) -> Vec<Row> {
    let mut rows = Vec::new();
    for controller in Controller::emulated() {
        rows.extend(on_machine(site, images, controller, &[Subject::Disk(controller)], say).await);
    }
    rows
}

/// Audits the stacked drivers, and adds a row for each driver that is left out. `say`
/// gets each row as it is made.
pub async fn stacks(site: &Site<'_>, images: &Images, say: &mut dyn FnMut(&Row)) -> Vec<Row> {
    let lacking = |recipe: &Recipe| {
        let mut modules = recipe.modules.iter();
        let why = modules.find_map(|module| images.lacking.get(module));
        why.map(told_anywhere)
    };
    let mut rows = Vec::new();
    let mut made = Vec::new();
    for recipe in &RECIPES {
        match lacking(recipe) {
            None => made.push(Subject::Stack(recipe)),
            Some(why) => rows.extend(refused(Subject::Stack(recipe), &why, say)),
        }
    }
    rows.splice(0..0, on_machine(site, images, BENEATH, &made, say).await);
    for (name, why) in LEFT_OUT {
        for op in [Op::Read, Op::Write] {
            rows.push(Row {
                subject: name.to_owned(),
                beneath: String::new(),
                op,
                result: Err(why.to_owned()),
            });
        }
    }
    rows
}

/// Why a driver is missing, without directories of this host: the table is read
/// elsewhere.
fn told_anywhere(why: &Lack) -> String {
    let why = why.to_string();
    why.split(" in /").next().unwrap_or(&why).to_owned()
}

fn refused(subject: Subject, why: &str, say: &mut dyn FnMut(&Row)) -> Vec<Row> {
    let rows = [Op::Read, Op::Write].map(|op| subject.row(op, Err(why.to_owned())));
    rows.iter().for_each(say);
    rows.into()
}

/// Audits subjects on machines of one controller. Starts a new machine whenever the last
/// one is no longer sound.
async fn on_machine(
    site: &Site<'_>,
    images: &Images,
    controller: Controller,
    subjects: &[Subject],
    say: &mut dyn FnMut(&Row),
) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut station = None;
    for subject in subjects {
        for op in [Op::Read, Op::Write] {
            let result = one(site, images, controller, *subject, op, &mut station).await;
            let row = subject.row(op, result.map_err(|why| why.to_string()));
            say(&row);
            rows.push(row);
        }
    }
    if let Some(station) = station {
        station.machine.end().await;
    }
    rows
}

async fn one(
    site: &Site<'_>,
    images: &Images,
    controller: Controller,
    subject: Subject,
    op: Op,
    station: &mut Option<Station>,
) -> Result<Answers, Unexamined> {
    let mut current = match station.take() {
        Some(current) => current,
        None => start(site, images, controller).await?,
    };
    let deadline = controller.profile().deadline(site.deadline);
    let seed = case_seed(site.seed, &subject.name());
    match examined(&mut current, subject, op, seed, deadline).await {
        Ok(sight) => {
            let came_back = matches!(sight.io, IoState::Done(_));
            match came_back && !controller.profile().keeps_reads {
                true => *station = Some(current),
                false => drop(current.machine.end().await),
            }
            let answered = answers(&sight)?;
            match came_back {
                true => Ok(answered),
                false => Err(Unexamined::Pending(deadline)),
            }
        }
        Err(why) => {
            current.machine.end().await;
            Err(why)
        }
    }
}

async fn start(
    site: &Site<'_>,
    images: &Images,
    controller: Controller,
) -> Result<Station, Unexamined> {
    let boot = images.boot_on(site.boot, controller);
    let boot = boot.map_err(Unexamined::Lack)?;
    let members: Vec<(Member, u64)> = (0..legs_of(controller))
        .map(|leg| (Member::Leg(leg), SECTORS))
        .collect();
    let blueprint = Blueprint {
        boot: &boot,
        fitting: controller.into(),
        members: &members,
        patience: site.patience,
        spare: None,
        shell: false,
    };
    /// How often a boot is tried. On a busy host an emulated boot often stalls, or does
    /// not find its timer. A lost row costs more than another boot.
    const BOOTS: usize = 5;
    let mut boots = 1;
    loop {
        let directory = site.workshop.directory().map_err(Unexamined::Directory)?;
        match Station::start(&blueprint, directory, |_| {}).await {
            Ok(station) => return Ok(station),
            Err(error) if boots == BOOTS => return Err(Unexamined::Machine(error)),
            Err(_) => boots += 1,
        }
    }
}

/// How many legs a machine gets. Two at most on most controllers, because a floppy
/// controller has two drives.
fn legs_of(controller: Controller) -> u8 {
    if controller == BENEATH { LEGS } else { 2 }
}

/// Makes the device, arms its disks' faults, does the I/O, and takes everything down
/// again.
async fn examined(
    station: &mut Station,
    subject: Subject,
    op: Op,
    seed: u64,
    deadline: Duration,
) -> Result<Sight, Unexamined> {
    let (legs, sector, split) = match subject {
        Subject::Disk(_) => (&[0][..], IO.0 + IO.1 / 2, false),
        Subject::Stack(recipe) => (recipe.faults.0, recipe.faults.1, recipe.split),
    };
    let count = legs_of(station_controller(subject));
    limit(station, count, None).await?;
    let places = Legs {
        controller: station_controller(subject),
        logical_block_size: 512,
        count,
        sectors: SECTORS,
        offset: vec![0; usize::from(count)],
        max_sectors_kb: None,
        max_transfer: None,
        on_error: OnError::Report,
    };
    station.arm(&places, &[], &[]).await?;
    station.storage.begin(seed, 1)?;
    let (device, dev) = match subject {
        Subject::Disk(_) => (serial(Member::Leg(0)), disk(station, 0)?),
        Subject::Stack(recipe) => {
            for leg in recipe.zeroed {
                let leg = serial(Member::Leg(*leg));
                let zeros = request(leg, Op::WriteZeroes, seed, (0, ZEROED));
                before(station, zeros, deadline).await?;
            }
            let dev = create(station, recipe).await?;
            if recipe.written {
                let data = request(NAME.to_owned(), Op::Write, seed, IO);
                before(station, data, deadline).await?;
            }
            (NAME.to_owned(), dev)
        }
    };
    if split {
        limit(station, count, Some(SPLIT_KIB)).await?;
    }
    let faults: Vec<Fault> = legs
        .iter()
        .map(|leg| Fault {
            leg: *leg,
            op,
            sector,
            times: Times::Always,
            errno: rustix::io::Errno::IO.raw_os_error(),
            report: None,
        })
        .collect();
    station.arm(&places, &faults, &[]).await?;
    let watching = station.guest.call(Request::Watch {
        bios: Some(IO.1 as u32 * 512 / PAGE),
    });
    let started = station
        .guest
        .call(Request::IoStart(request(device, op, seed, IO)));
    watching.await?;
    started.await?;
    let io = station.guest.io_wait(deadline, None).await?;
    let seen = station.guest.collect().await?;
    if let Subject::Stack(recipe) = subject
        && matches!(io, IoState::Done(_))
    {
        let pool = recipe.pool.map(|_| POOL_NAME);
        for name in [NAME].into_iter().chain(pool) {
            let name = name.to_owned();
            let removed = station.guest.call(Request::DmRemove { name });
            removed.await?;
        }
    }
    let beneath = match subject {
        Subject::Disk(_) => Vec::new(),
        Subject::Stack(_) => (0..count)
            .filter_map(|leg| disk(station, leg).ok())
            .collect(),
    };
    Ok(Sight {
        op,
        dev,
        beneath,
        io,
        seen,
    })
}

fn station_controller(subject: Subject) -> Controller {
    match subject {
        Subject::Disk(controller) => controller,
        Subject::Stack(_) => BENEATH,
    }
}

fn disk(station: &Station, leg: u8) -> Result<Dev, Unexamined> {
    let mut disks = station.disks.iter();
    let found = disks.find(|(member, _)| *member == Member::Leg(leg));
    found
        .map(|(_, disk)| disk.dev)
        .ok_or(Unexamined::NoLeg(leg))
}

/// An I/O that is not the one in question: it must go well.
async fn before(station: &Station, io: IoRequest, deadline: Duration) -> Result<(), Unexamined> {
    let doing = format!("{:?} of {}", io.op, io.device);
    let started = station.guest.call(Request::IoStart(io));
    started.await.map_err(Unexamined::Making)?;
    let state = station.guest.io_wait(deadline, None).await;
    match state.map_err(Unexamined::Making)? {
        IoState::Done(report) if report.ops.iter().all(|op| op.result.is_ok()) => Ok(()),
        state => Err(Unexamined::Before { doing, state }),
    }
}

async fn create(station: &Station, recipe: &Recipe) -> Result<Dev, Unexamined> {
    let mut params = recipe.params.to_owned();
    if let Some(pool) = recipe.pool {
        let dev = device(station, POOL_NAME, pool.kind, pool.params).await?;
        let sent = station.guest.call(Request::DmMessage {
            name: POOL_NAME.to_owned(),
            sector: 0,
            message: pool.message.to_owned(),
        });
        sent.await.map_err(Unexamined::Making)?;
        params = params.replace(POOL, &dev.to_string());
    }
    device(station, NAME, recipe.kind, &params).await
}

async fn device(
    station: &Station,
    name: &str,
    kind: &str,
    params: &str,
) -> Result<Dev, Unexamined> {
    let target = Target {
        start: 0,
        sectors: SECTORS,
        kind: kind.to_owned(),
        params: params.to_owned(),
    };
    let created = station.guest.call(Request::DmCreate {
        name: name.to_owned(),
        table: vec![target],
    });
    match created.await {
        Ok(Reply::Created(dev, _)) => Ok(dev),
        Ok(other) => Err(strange(other).into()),
        Err(error) => Err(Unexamined::Making(error)),
    }
}

/// Limits the requests of the legs to `kib` KiB, so that they split longer ones. `None`
/// restores the legs' own limit.
async fn limit(station: &Station, count: u8, kib: Option<u32>) -> Result<(), CallError> {
    for leg in 0..count {
        station.limit(leg, kib).await?;
    }
    Ok(())
}

/// An I/O on pages that are not adjacent in memory, so that each is an entry of its own
/// in the vector.
fn request(device: String, op: Op, seed: u64, (sector, sectors): (u64, u64)) -> IoRequest {
    let pages = sectors as u32 * 512 / PAGE;
    let page = Segment {
        page_offset: 0,
        bytes: PAGE,
    };
    IoRequest {
        device,
        op,
        path: Path::Direct,
        dsync: false,
        memory: Memory::Scattered,
        ops: vec![IoOp {
            sector,
            segments: vec![page; pages as usize],
        }],
        submitters: 1,
        seed,
        generation: 1,
    }
}
