//! The format: every table of a scenario file, its keys, what they mean and
//! what they are when they are left out.

use super::error::Report;
use super::read::Read;
use super::sweep::{At, Given, List, Sweep};
use super::value::{Errno, Offset, Target};
use halfway_case::{
    Controller, Disk, During, Ending, Filesystem, Log, Meanwhile, NoPathRetry, OnError,
    PathGrouping, PathSelector, QueueMode, Sabotage, Sync, Times, Vector,
};
use halfway_protocol::io::{Op, Path};
use halfway_scsi::FaultReport;
use schemars::JsonSchema;
use serde::Serialize;
use toml::Spanned;
use toml::de::DeValue;

/// A table of the format.
pub(super) trait Table: Default {
    /// Its keys.
    const KEYS: &'static [&'static str];
    /// Reads the value of one of its keys.
    fn set(&mut self, key: &str, value: &Spanned<DeValue<'_>>, report: &mut Report);
}

/// Declares a table once, for reading, writing, defaults and the schema.
macro_rules! table {
    ($(#[$meta:meta])* $name:ident { $($(#[$note:meta])* $key:ident: $type:ty = $default:expr,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct $name { $($(#[$note])* pub(super) $key: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                $name { $($key: $default,)* }
            }
        }

        impl Table for $name {
            const KEYS: &'static [&'static str] = &[$(stringify!($key)),*];
            fn set(&mut self, key: &str, value: &Spanned<DeValue<'_>>, report: &mut Report) {
                $(if key == stringify!($key) {
                    self.$key = Read::read(key, value, report);
                })*
            }
        }
    };
}

table! {
/// A Halfway scenario: one question, asked of a kernel in as many cases as the
/// swept keys have combinations. A key whose value is a list or a range is
/// swept.
File {
    /// The question that the scenario answers, in one line.
    question: Option<Given<String>> = Some(String::new().into()),
    /// Words to select scenarios by: lower-case letters, digits and hyphens.
    tags: List<String> = List::of([]),
    /// How many cases a sampled run takes.
    sample: Option<Given<u32>> = Some(72.into()),
    /// What is broken on purpose, to prove that Halfway notices.
    sabotage: Option<Given<Sabotage>> = None,
    /// Written by Halfway into the file of a single case: the case's id.
    id: Option<Given<String>> = None,
    /// Written by Halfway into the file of a single case: the scenario that it
    /// comes from.
    scenario: Option<Given<String>> = None,
    /// The device-mapper stack.
    stack: Stack = Stack::default(),
    /// The lower devices.
    legs: Legs = Legs::default(),
    /// The application's I/O.
    io: Io = Io::default(),
    /// The faults, all armed before the I/O; without any, the case is a
    /// contrast.
    fault: Vec<Given<Fault>> = Vec::new(),
    /// Requests that are held in flight together, and then let go one by one.
    hold: Vec<Given<Hold>> = Vec::new(),
    /// Instead of one I/O, a random mix of I/O and failures on the range that
    /// `[io]` names.
    #[serde(skip_serializing_if = "Soak::is_none")]
    soak: Soak = Soak::default(),
}
}

table! {
/// A random mix of I/O and failures, made from the run's seed: `count` or
/// `seconds` says how long it goes on.
Soak {
    /// That many I/Os.
    count: Option<Sweep<u32>> = None,
    /// As many I/Os as come back in that many seconds.
    seconds: Option<Sweep<u32>> = None,
    /// What lies on the device: nothing, or a file system with fio on it; `none`
    /// if left out.
    filesystem: Option<Sweep<Filesystem>> = None,
    /// A number that makes mixes differ that are alike otherwise.
    round: Option<Sweep<u32>> = None,
}
}

impl Soak {
    /// Whether there is none.
    pub(super) fn is_none(&self) -> bool {
        self.count.is_none() && self.seconds.is_none()
    }
}

table! {
/// A request that its disk keeps until something has been done to the stack.
Hold {
    /// Which leg, from 0.
    leg: Sweep<u8> = Sweep::of(0),
    /// The first request to the leg that covers this sector, counted from the
    /// start of the I/O.
    at: Sweep<Offset> = Sweep::of(Offset::Middle),
    /// How the disk ends it.
    then: Sweep<Ending> = Sweep::of(Ending::Ok),
    /// What is done before that; of several holds the first one says it.
    meanwhile: Sweep<Meanwhile> = Sweep::of(Meanwhile::Nothing),
    /// In which place among the holds above it, and itself, it is let go: 0 is
    /// before all of them; after all of them if left out.
    place: Option<Sweep<u8>> = None,
}
}

table! {
/// The device-mapper stack.
Stack {
    /// Target type.
    target: Option<Given<Target>> = Some(Target::Raid1.into()),
    /// A linear device on top, in segments of that many sectors, as a logical
    /// volume of many extents is: what crosses their boundaries arrives in
    /// pieces. At least 8; without it there is none.
    linear: Option<Sweep<u64>> = None,
    /// raid1: type of the mirror's dirty log; `core` if left out.
    log: Option<Sweep<Log>> = None,
    /// raid1: region size in sectors, a power of two, at least 8; 1024 if left
    /// out.
    region_size: Option<Sweep<u32>> = None,
    /// raid1: what the log takes the legs for when the table is loaded;
    /// `nosync` if left out.
    sync: Option<Sweep<Sync>> = None,
    /// raid1: the table has `handle_errors`; `true` if left out.
    handle_errors: Option<Sweep<bool>> = None,
    /// raid1: the table has `keep_log`, only with `handle_errors`; `false` if
    /// left out.
    keep_log: Option<Sweep<bool>> = None,
    /// raid1: each leg is a dm-multipath of that many paths to the leg's disk,
    /// which the keys of multipath are for; without it, a leg is a disk.
    paths: Option<Sweep<u8>> = None,
    /// multipath: what it works on; `mq` if left out.
    queue_mode: Option<Sweep<QueueMode>> = None,
    /// multipath: how a path of a group is chosen; `service-time` if left out.
    path_selector: Option<Sweep<PathSelector>> = None,
    /// multipath: how the paths form priority groups; `failover` if left out.
    path_grouping: Option<Sweep<PathGrouping>> = None,
    /// multipath: with no path left, I/O waits for an operator; `false` if left
    /// out.
    queue_if_no_path: Option<Sweep<bool>> = None,
    /// multipath: `pg_init_retries` of the table, 1 to 50. Of no effect without a
    /// hardware handler, which there is none of; it must be taken and shown.
    pg_init_retries: Option<Sweep<u32>> = None,
    /// multipath: `pg_init_delay_msecs` of the table, up to 60000; as the one
    /// before.
    pg_init_delay_msecs: Option<Sweep<u32>> = None,
    /// multipath: a real multipathd in the guest makes the map and tends its
    /// paths, and once there is none left, I/O fails, queues, or queues for that
    /// many checks, one a second. Without it there is no multipathd.
    no_path_retry: Option<Sweep<NoPathRetry>> = None,
}
}

/// Sectors of a mirror's region where the file does not say.
pub(super) const REGION_SIZE: u32 = 1024;

impl Stack {
    /// The target type; the default also where the file's was refused.
    pub(super) fn target(&self) -> Target {
        (self.target.as_ref()).map_or(Target::Raid1, |given| given.value)
    }

    /// Sizes of the regions that the stack has.
    pub(super) fn region_sizes(&self) -> Vec<u32> {
        match (self.target(), &self.region_size) {
            (Target::Multipath, _) => Vec::new(),
            (Target::Raid1, None) => vec![REGION_SIZE],
            (Target::Raid1, Some(sizes)) => sizes.values().copied().collect(),
        }
    }
}

table! {
/// The lower devices.
Legs {
    /// The disk controller, the same for all legs: one that QEMU emulates, or
    /// the SCSI target of our own.
    controller: Sweep<Controller> = Sweep::of(Controller::VirtioBlk),
    /// How many: 2 to 4.
    count: Sweep<u8> = Sweep::of(2),
    /// Bytes of a logical block: 512, or 4096, which `target` can have; all of
    /// the I/O is in whole blocks then.
    logical_block_size: Sweep<u32> = Sweep::of(512),
    /// Sectors of the dm device.
    size: Sweep<u64> = Sweep::of(131_072),
    /// raid1: where the mirror starts on each leg, in sectors: one number for
    /// all, or one for each leg.
    offset: List<u64> = List::of([0]),
    /// `queue/max_sectors_kb` of the legs, at least 4: makes the leg split what
    /// dm sends it. Without it the device's own stays.
    max_sectors_kb: Option<Sweep<u32>> = None,
    /// Sectors that a disk moves at a time, so that a request that fails is done
    /// in part: what comes before the failing piece. Without it a request is
    /// done all or not at all.
    max_transfer: Option<Sweep<u32>> = None,
    /// What QEMU does when a disk fails a request: it reports it to the guest; or
    /// it stops the machine, and asks the disk again when it goes on. The fault is
    /// mended after as many stops as its `times` says.
    on_error: Sweep<OnError> = Sweep::of(OnError::Report),
}
}

impl Legs {
    /// Sectors of the smallest logical block.
    pub(super) fn block(&self) -> u64 {
        let smallest = self.logical_block_size.values().min().copied();
        u64::from(smallest.unwrap_or(512) / 512).max(1)
    }
}

table! {
/// The application's I/O.
Io {
    /// What it does: read; write; flush, which is a write and then `fsync`;
    /// discard (`BLKDISCARD`); write-zeroes (`BLKZEROOUT`).
    op: Sweep<Op> = Sweep::of(Op::Read),
    /// Direct, or through the page cache.
    path: Sweep<Path> = Sweep::of(Path::Direct),
    /// Direct writes with `O_DSYNC`: what has returned is durable. A buffered
    /// write is always followed by fsync.
    dsync: Sweep<bool> = Sweep::of(false),
    /// First sector on the dm device.
    sector: Sweep<u64> = Sweep::of(2048),
    /// Length in sectors, of all requests together.
    sectors: Sweep<u64> = Sweep::of(512),
    /// Shape of the memory of each request.
    vector: Sweep<Vector> = Sweep::of(Vector::Contiguous),
    /// How many requests the range is cut into, all in flight together.
    requests: Sweep<u32> = Sweep::of(1),
    /// How many sectors each request but the last reaches into the next one.
    overlap: Sweep<u64> = Sweep::of(0),
    /// How many threads submit the requests, in turn.
    submitters: Sweep<u32> = Sweep::of(1),
}
}

table! {
/// A fault at one sector of one leg: requests that cover it fail.
Fault {
    /// What it lies on: a leg, or the disk of the mirror's log.
    disk: Option<Given<Disk>> = Some(Disk::Leg.into()),
    /// When it is armed: for the I/O, or while the mirror is set up.
    during: Option<Given<During>> = Some(During::Io.into()),
    /// Which leg, from 0.
    leg: Sweep<u8> = Sweep::of(0),
    /// Which path of the leg, from 0, where the stack has `paths`; 0 if left
    /// out.
    path: Option<Sweep<u8>> = None,
    /// Which operation fails; the I/O's own if left out.
    op: Option<Sweep<Op>> = None,
    /// Which sector, counted from the start of the I/O; `every` sector of the
    /// I/O in turn; or the `same` as the first fault's. A flush has none.
    at: At = At::Offsets(Sweep::of(Offset::Middle)),
    /// How often it fires.
    times: Sweep<Times> = Sweep::of(Times::Always),
    /// The error that the leg answers with.
    errno: Sweep<Errno> = Sweep::of(Errno(5)),
    /// `target` only: how it reports the failure; `medium-error` if left out.
    report: Option<Sweep<FaultReport>> = None,
}
}

impl Fault {
    /// What it lies on; the default also where the file's was refused.
    pub(super) fn disk(&self) -> Disk {
        self.disk.as_ref().map_or(Disk::Leg, |given| given.value)
    }

    /// When it is armed; the default also where the file's was refused.
    pub(super) fn during(&self) -> During {
        self.during.as_ref().map_or(During::Io, |given| given.value)
    }

    /// Whether it is one of the legs, for the I/O.
    pub(super) fn is_of_io(&self) -> bool {
        (self.disk(), self.during()) == (Disk::Leg, During::Io)
    }
}

table! {
/// Numbers in equal steps.
Range {
    /// The first.
    from: Option<Given<u64>> = None,
    /// The last, if the steps meet it.
    to: Option<Given<u64>> = None,
    /// From one to the next.
    step: Option<Given<u64>> = Some(1.into()),
}
}
