//! One point of a scenario's expansion: everything that a machine must do, and
//! everything that the model must know, with nothing left open.
//!
//! A case serialises to a scenario file that expands to this one case only,
//! which is how a failure is repeated.

use super::reported::Reported;
pub use halfway_controllers::Controller;
use halfway_protocol::io::{Op, Path};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use std::num::NonZeroU64;

/// One case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Unique within a run, stable from run to run, fit for a file name:
    /// the scenario's name and one `axis=value` for each swept axis.
    pub id: String,
    /// The scenario's name: its path below the catalogue, without `.toml`.
    pub scenario: String,
    /// The scenario's question.
    pub question: String,
    /// The scenario's tags.
    pub tags: Vec<String>,
    /// The device-mapper stack.
    pub stack: Stack,
    /// Sectors of each segment of a linear device on top of it, which cuts what
    /// crosses their boundaries; `None` without such a device.
    pub linear: Option<u64>,
    /// The lower devices.
    pub legs: Legs,
    /// The I/O.
    pub io: Io,
    /// The faults, all armed before the I/O; never two on one leg, operation
    /// and sector.
    pub faults: Vec<Fault>,
    /// Faults of other disks than the legs, and of other times than the I/O's.
    #[serde(default)]
    pub aside: Vec<Aside>,
    /// Requests that are held in flight together, and let go one by one; the
    /// first says what is done to the stack meanwhile.
    #[serde(default, alias = "hold", deserialize_with = "one_or_many")]
    pub holds: Vec<Hold>,
    /// Instead of one I/O, a random mix of I/O and failures; `io` is the area
    /// that it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Soak>,
    /// The harness's own proof that it notices: breaks the guest or QEMU.
    pub sabotage: Option<Sabotage>,
}

/// The device-mapper stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "target")]
pub enum Stack {
    /// dm-raid1 over its legs.
    Raid1(Raid1),
    /// dm-multipath over paths to one disk.
    Multipath(Multipath),
}

impl Stack {
    /// The mirror, if it is one.
    pub fn raid1(&self) -> Option<&Raid1> {
        match self {
            Stack::Raid1(mirror) => Some(mirror),
            Stack::Multipath(_) => None,
        }
    }

    /// What a lower device of the stack's own target is called.
    pub fn lower(&self) -> &'static str {
        match self {
            Stack::Raid1(_) => "leg",
            Stack::Multipath(_) => "path",
        }
    }

    /// Whether the lower devices are ways to one disk.
    pub fn shares_medium(&self) -> bool {
        matches!(self, Stack::Multipath(_))
    }

    /// What multipathd does once no path is left, where there is one.
    pub fn no_path_retry(&self) -> Option<NoPathRetry> {
        match self {
            Stack::Multipath(multipath) => multipath.no_path_retry,
            Stack::Raid1(_) => None,
        }
    }

    /// The multipaths that a mirror's legs are, if they are.
    pub fn nested(&self) -> Option<&Paths> {
        self.raid1().and_then(|mirror| mirror.paths.as_ref())
    }

    /// The multipath that I/O reaches the disks through, if it does: the stack
    /// itself, or what each leg is.
    pub fn multipath(&self) -> Option<&Multipath> {
        match self {
            Stack::Multipath(multipath) => Some(multipath),
            Stack::Raid1(_) => self.nested().map(|paths| &paths.multipath),
        }
    }

    /// What the disk with this number is called ([`Fault::leg`]).
    pub fn disk_name(&self, disk: u8) -> String {
        match self.nested() {
            Some(paths) => {
                let (leg, path) = (disk / paths.count, disk % paths.count);
                format!("leg {leg} path {path}")
            }
            None => format!("{} {disk}", self.lower()),
        }
    }
}

/// A dm-multipath target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Multipath {
    /// `queue_mode`: what device-mapper works on.
    pub queue_mode: QueueMode,
    /// How a path of a group is chosen.
    pub path_selector: PathSelector,
    /// How the paths form priority groups.
    pub path_grouping: PathGrouping,
    /// `queue_if_no_path`: with no path left the I/O waits for an operator.
    pub queue_if_no_path: bool,
    /// `pg_init_retries`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pg_init_retries: Option<u32>,
    /// `pg_init_delay_msecs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pg_init_delay_msecs: Option<u32>,
    /// The map is made and tended by a real multipathd in the guest, with this
    /// `no_path_retry`; without it, by the harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_path_retry: Option<NoPathRetry>,
}

/// What multipathd does once no path is left (`no_path_retry` in
/// multipath.conf(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoPathRetry {
    /// I/O fails at once.
    Fail,
    /// I/O waits for a path.
    Queue,
    /// I/O waits for so many checks of the paths, and then fails.
    Checks(u32),
}

impl Multipath {
    /// Whether I/O waits for a path once there is none, for how long ever.
    pub fn waits(&self) -> bool {
        match self.no_path_retry {
            None => self.queue_if_no_path,
            Some(retry) => retry != NoPathRetry::Fail,
        }
    }

    /// The features of the table that say how a priority group is initialised, as
    /// they stand in it. Without a hardware handler none ever is (`__pg_init_all_paths`
    /// in drivers/md/dm-mpath.c).
    pub fn initialising(&self) -> Vec<String> {
        let named = |name: &str, value: Option<u32>| value.map(|value| format!("{name} {value}"));
        let retries = named("pg_init_retries", self.pg_init_retries);
        let delay = named("pg_init_delay_msecs", self.pg_init_delay_msecs);
        retries.into_iter().chain(delay).collect()
    }
}

/// What dm-multipath works on (`parse_features` in drivers/md/dm-mpath.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueueMode {
    /// Bios.
    Bio,
    /// Requests. Since 4.20 the same as `mq`.
    Rq,
    /// Requests of blk-mq.
    Mq,
}

impl QueueMode {
    /// Whether requests are resubmitted, not bios.
    pub fn is_request_based(self) -> bool {
        self != QueueMode::Bio
    }
}

/// How a path of a group is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathSelector {
    /// The next one.
    RoundRobin,
    /// The one with the fewest requests in flight.
    QueueLength,
    /// The one that will be done first, by bytes in flight.
    ServiceTime,
    /// The one that will be done first, by its past (since 5.8).
    HistoricalServiceTime,
}

impl PathSelector {
    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            PathSelector::RoundRobin => "round-robin",
            PathSelector::QueueLength => "queue-length",
            PathSelector::ServiceTime => "service-time",
            PathSelector::HistoricalServiceTime => "historical-service-time",
        }
    }
}

/// How paths form priority groups, in the words of multipath.conf's
/// `path_grouping_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathGrouping {
    /// Each path is a group of its own; the first one is used as long as it
    /// works.
    Failover,
    /// Two paths, one behind the other, are a group; of an odd number the last is
    /// alone.
    Pairs,
    /// All paths are one group.
    Multibus,
}

impl PathGrouping {
    /// Paths of a group.
    pub fn size(self) -> u8 {
        match self {
            PathGrouping::Failover => 1,
            PathGrouping::Pairs => 2,
            PathGrouping::Multibus => u8::MAX,
        }
    }
}

/// A dm-raid1 (`mirror`) target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raid1 {
    /// Type of the dirty log.
    pub log: Log,
    /// Region size in sectors: a power of two, at least a page
    /// (`create_log_context` in drivers/md/dm-log.c).
    pub region_size: u32,
    /// What the log takes the legs for when the table is loaded.
    pub sync: Sync,
    /// `handle_errors`.
    pub handle_errors: bool,
    /// `keep_log`; only with `handle_errors` (`parse_features` in
    /// drivers/md/dm-raid1.c).
    pub keep_log: bool,
    /// Each leg is a dm-multipath of its own; without it, a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Paths>,
}

/// What each leg of a mirror is, where it is no disk: a dm-multipath over several
/// paths to one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// How many paths each leg has: 2 to 4.
    pub count: u8,
    /// How they are put together.
    pub multipath: Multipath,
}

/// Type of the mirror's dirty log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Log {
    /// In memory.
    Core,
    /// On a disk of its own.
    Disk,
}

/// The mirror's state when the I/O starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sync {
    /// `nosync`: the legs are taken as equal, and keep the tags that tell them
    /// apart.
    Nosync,
    /// The kernel copied leg 0 to the others first, and finished.
    Synced,
    /// The kernel copies leg 0 to the others, and the I/O meets it at its own
    /// region, the recovery of which is held: on leg 0 its read, on another leg
    /// its write.
    Syncing,
}

/// The lower devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Legs {
    /// What they are attached to, all of them.
    #[serde(default)]
    pub controller: Controller,
    /// How many disks, by whichever way they are reached: 2 to 4, and with nested
    /// multipaths that many for each path of a leg.
    pub count: u8,
    /// Bytes of a logical block: what a disk reads and writes at least.
    #[serde(default = "sector_bytes")]
    pub logical_block_size: u32,
    /// Sectors of the dm device; a leg has `offset` more.
    pub sectors: u64,
    /// Where the mirror starts on each leg, in sectors (one entry a disk);
    /// multipath always starts at 0.
    pub offset: Vec<u64>,
    /// `queue/max_sectors_kb` of the legs, set after the table is loaded so
    /// that the leg, not dm, splits; `None` leaves the device's own.
    pub max_sectors_kb: Option<u32>,
    /// Sectors that a disk moves at a time: what comes before a failing one is
    /// done when the request fails (a torn write). `None`: all or nothing.
    pub max_transfer: Option<u32>,
    /// What QEMU does when a disk fails a request.
    #[serde(default)]
    pub on_error: OnError,
}

/// What QEMU does when a disk fails a request (`rerror`, `werror`).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// It tells the guest.
    #[default]
    Report,
    /// It stops the machine and keeps the request; when the machine goes on, the
    /// disk is asked for it again. The guest hears nothing.
    Stop,
}

fn sector_bytes() -> u32 {
    halfway_protocol::content::SECTOR as u32
}

/// The application's I/O.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Io {
    /// What it does.
    pub op: Op,
    /// Direct or buffered.
    pub path: Path,
    /// `O_DSYNC`: a write that has returned must be durable.
    pub dsync: bool,
    /// First sector on the dm device.
    pub sector: u64,
    /// Length in sectors, of all requests together.
    pub sectors: u64,
    /// Shape of the memory of each request.
    pub vector: Vector,
    /// How many requests the range is cut into, all in flight together.
    pub requests: u32,
    /// How many sectors each request but the last reaches into the next one.
    #[serde(default)]
    pub overlap: u64,
    /// How many threads submit the requests, in turn.
    #[serde(default = "one")]
    pub submitters: u32,
}

fn one() -> u32 {
    1
}

impl Case {
    /// Faults of that disk and time, of those that lie aside.
    pub fn aside_of(&self, disk: Disk, during: During) -> impl Iterator<Item = &Fault> {
        let of = move |aside: &&Aside| (aside.disk, aside.during) == (disk, during);
        self.aside.iter().filter(of).map(|aside| &aside.fault)
    }

    /// How many disks, one behind the other, are ways to the same medium.
    pub fn ways(&self) -> u8 {
        match self.stack.nested() {
            Some(paths) => paths.count,
            None if self.stack.shares_medium() => self.legs.count,
            None => 1,
        }
    }

    /// Number of the disk behind a path of a leg; of a stack that is not nested
    /// there is but path 0.
    pub fn disk(&self, leg: u8, path: u8) -> u8 {
        let paths = self.stack.nested().map_or(1, |paths| paths.count);
        leg * paths + path
    }

    /// Legs of the mirror, or paths of the multipath, that the application's I/O
    /// meets first.
    pub fn members(&self) -> u8 {
        let paths = self.stack.nested().map_or(1, |paths| paths.count);
        self.legs.count / paths.max(1)
    }

    /// Whether there is a mirror whose log lies on a disk of its own.
    pub fn has_log_disk(&self) -> bool {
        (self.stack.raid1()).is_some_and(|mirror| mirror.log == Log::Disk)
    }

    /// Sectors between the boundaries that no unit crosses: a mirror's regions
    /// (multipath has none, see `multipath_ctr`), and the segments on top.
    pub fn boundaries(&self) -> Vec<NonZeroU64> {
        let regions = self.stack.raid1().map(|mirror| mirror.region_size.into());
        let all = regions.into_iter().chain(self.linear);
        all.filter_map(NonZeroU64::new).collect()
    }

    /// As what the I/O reaches the legs. dm-raid1 takes no write-zeroes
    /// (`mirror_ctr` leaves `num_write_zeroes_bios` at 0), nor do some disks, so that
    /// the kernel writes zeros instead (`blkdev_issue_zeroout`).
    pub fn op_on_legs(&self) -> Op {
        let taken = self.legs.controller.profile().takes_write_zeroes;
        match (self.io.op, &self.stack) {
            (Op::Flush, _) | (Op::WriteZeroes, Stack::Raid1(_)) => Op::Write,
            (Op::WriteZeroes, Stack::Multipath(_)) if !taken => Op::Write,
            (op, _) => op,
        }
    }
}

impl Io {
    /// First sector and length of each request, in order: equal parts, whole
    /// sectors, the first ones longer by one where it does not divide, and all but
    /// the last by what they reach into the next one.
    pub fn parts(&self) -> Vec<(u64, u64)> {
        let count = u64::from(self.requests.max(1));
        let (each, more) = (self.sectors / count, self.sectors % count);
        let (mut sector, end) = (self.sector, self.sector + self.sectors);
        (0..count)
            .map(|index| {
                let next = sector + each + u64::from(index < more);
                let part = (sector, (next + self.overlap).min(end) - sector);
                sector = next;
                part
            })
            .collect()
    }
}

/// Shape of a request's memory: where its segments lie and how long they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Vector {
    /// One physically contiguous buffer from the start of a page.
    Contiguous,
    /// A page a segment, no two of them neighbours in physical memory.
    Pages,
    /// Many segments of an odd number of sectors.
    Odd,
    /// One buffer that starts 512 bytes into its page, so that every page of
    /// it holds a part of a sector run that does not start at its beginning.
    Offset,
    /// One buffer that starts 4 bytes into its page: aligned as few devices
    /// ask (`dma_alignment`).
    Unaligned,
}

/// A fault at one sector of one leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Which disk: the leg's or path's number, and in a nested stack that of a
    /// path among those of all legs ([`Case::disk`]).
    pub leg: u8,
    /// Which operation fails.
    pub op: Op,
    /// Which sector, on the dm device: requests to the leg that cover it fail.
    /// Of no meaning for a flush, which fails whatever it is for.
    pub sector: u64,
    /// How often.
    pub times: Times,
    /// The errno that the disk answers QEMU with. With a report the storage
    /// chooses it.
    pub errno: i32,
    /// How the target reports it; on other controllers there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Reported>,
}

impl Fault {
    /// Whether it fails a request of this kind and range.
    pub fn meets(&self, op: Op, sector: u64, sectors: u64) -> bool {
        let covered = || (sector..sector.saturating_add(sectors)).contains(&self.sector);
        self.op == op && (op == Op::Flush || covered())
    }
}

/// A fault that the I/O's own requests to the legs do not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// Where it lies.
    pub disk: Disk,
    /// When it is armed.
    pub during: During,
    /// The fault. The log's has neither leg nor sector: the log is read and
    /// written as a whole (`rw_header` in drivers/md/dm-log.c).
    pub fault: Fault,
}

/// What a fault lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Disk {
    /// A leg.
    Leg,
    /// The disk of the mirror's log.
    Log,
}

/// When a fault is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum During {
    /// For the application's I/O.
    Io,
    /// While the mirror is set up: its log read and written, its legs
    /// synchronised. It is gone when the I/O starts.
    SetUp,
}

/// A request of the I/O that its disk keeps until something has been done to the
/// stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Which leg.
    pub leg: u8,
    /// Which sector, on the dm device: the first request to the leg that covers
    /// it is held.
    pub sector: u64,
    /// How the disk ends it then.
    pub then: Ending,
    /// What is done before that, while all are held.
    pub meanwhile: Meanwhile,
    /// In which place among the holds before it, and itself, it is let go: 0 is
    /// before all of them, its own index after all. Every order of letting go is
    /// one combination of places, and no combination is impossible.
    #[serde(default)]
    pub place: u8,
}

impl Hold {
    /// Indices of `holds` in the order in which they are let go.
    pub fn order(holds: &[Hold]) -> Vec<usize> {
        let mut order = Vec::with_capacity(holds.len());
        for (index, hold) in holds.iter().enumerate() {
            order.insert(usize::from(hold.place).min(index), index);
        }
        order
    }
}

/// A record of before 2026-11-25 has at most one hold, or null.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Hold>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Many(Vec<Hold>),
        One(Option<Hold>),
    }
    Ok(match Given::deserialize(from)? {
        Given::Many(holds) => holds,
        Given::One(hold) => hold.into_iter().collect(),
    })
}

/// How a disk ends a request that it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It is carried out.
    Ok,
    /// It fails, and nothing of it is done.
    #[serde(rename = "EIO")]
    Eio,
}

/// What is done while a request is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Meanwhile {
    /// Nothing.
    Nothing,
    /// multipath: its path is failed by message.
    FailPath,
    /// multipath: its path is failed by message, and reinstated.
    ReinstatePath,
    /// The device is suspended, which waits for what is in flight, and resumed.
    Suspend,
    /// The same without flush (`DM_NOFLUSH_FLAG`).
    SuspendNoflush,
    /// The same table is loaded again: suspended without flush, resumed.
    Reload,
    /// The driver beneath gives the request up (its timeout passes, and it asks
    /// the disk to abort it), and the disk ends it all the same, late.
    Timeout,
    /// The disk is unplugged (`device_del`). Once the I/O has come back the disk is
    /// plugged again, the same table is loaded with it, and all is read once more.
    Unplug,
}

/// A random mix of I/O and failures, made from the case's seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Soak {
    /// How long it goes on.
    pub length: Length,
    /// What lies on the device.
    #[serde(default)]
    pub filesystem: Filesystem,
    /// A number that makes mixes differ that are alike otherwise.
    pub round: u32,
}

/// What lies on the device that a soak works on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Filesystem {
    /// Nothing: the I/O is that of Halfway.
    #[default]
    None,
    /// ext4, and fio on it.
    Ext4,
    /// XFS, and fio on it.
    Xfs,
}

impl Filesystem {
    /// The kernel's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Filesystem::None => "none",
            Filesystem::Ext4 => "ext4",
            Filesystem::Xfs => "xfs",
        }
    }
}

/// How long a soak goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// That many I/Os.
    Count(u32),
    /// As many I/Os as come back in that many seconds.
    Seconds(u32),
}

/// How often a fault fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// Whenever it is met.
    Always,
    /// The first that many times (at least 1).
    Count(u32),
}

/// What is broken on purpose, to prove that the harness notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sabotage {
    /// The guest kernel panics (sysrq-c) while the I/O is in flight.
    GuestPanic,
    /// The guest agent stops answering.
    GuestSilence,
    /// A complaint is in the guest's kernel log while the stack is set up, of a level
    /// that its console does not show.
    GuestComplaint,
    /// QEMU is killed. Strikes on the first attempt only: an infrastructure
    /// failure is retried once.
    QemuKill,
    /// The fault is armed on a sector that nothing touches.
    FaultMissed,
}
