//! The format: every table of a scenario file, its keys, what they mean, and
//! their defaults.

use super::error::Report;
use super::read::Read;
use super::sweep::{At, Given, List, Sweep};
use super::value::{Errno, Offset};
use halfway_case::{
    Controller, Disk, During, Ending, Filesystem, Log, Meanwhile, NoPathRetry, OnError,
    PathGrouping, PathSelector, QueueMode, Sabotage, Sync, TargetName, Times, Vector,
};
use halfway_protocol::io::{Op, Path};
use halfway_scsi::FaultReport;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use toml::Spanned;
use toml::de::DeValue;

/// A table of the format.
pub(super) trait Table: Default {
    /// The names of the table's keys.
    const KEYS: &'static [&'static str];
    /// Reads the value of one of these keys.
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
    /// Requests that are held in flight together, and then released one by one.
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
    /// After that many I/Os the soak ends.
    count: Option<Sweep<u32>> = None,
    /// After that many seconds the soak ends, with as many I/Os as come back in
    /// them.
    seconds: Option<Sweep<u32>> = None,
    /// What lies on the device: nothing, or a file system with fio on it; `none`
    /// if left out.
    filesystem: Option<Sweep<Filesystem>> = None,
    /// A part of the seed: soaks that differ only in this number do different
    /// things.
    round: Option<Sweep<u32>> = None,
}
}

impl Soak {
    /// Whether the file has no soak.
    pub(super) fn is_none(&self) -> bool {
        self.count.is_none() && self.seconds.is_none()
    }
}

table! {
/// A request that its disk holds until something has been done to the stack.
Hold {
    /// Which leg, from 0.
    leg: Sweep<u8> = Sweep::of(0),
    /// The first request to the leg that covers this sector, counted from the
    /// start of the I/O.
    at: Sweep<Offset> = Sweep::of(Offset::Middle),
    /// How the disk ends the request when it is released.
    then: Sweep<Ending> = Sweep::of(Ending::Ok),
    /// What is done before the first release. The first of several holds says
    /// it.
    meanwhile: Sweep<Meanwhile> = Sweep::of(Meanwhile::Nothing),
    /// When the request is released, relative to the holds above it in the
    /// file: 0 is before all of them. Left out, it is after all of them.
    place: Option<Sweep<u8>> = None,
}
}

table! {
/// The device-mapper stack.
Stack {
    /// The device-mapper target.
    target: Option<Given<TargetName>> = Some(TargetName::Raid1.into()),
    /// A linear device on top, in segments of that many sectors, like a logical
    /// volume of many extents: requests that cross a segment's boundary arrive
    /// in pieces. At least 8; without it there is no linear device.
    linear: Option<Sweep<u64>> = None,
    /// raid1: type of the mirror's dirty log; `core` if left out.
    log: Option<Sweep<Log>> = None,
    /// raid1: region size in sectors, a power of two, at least 8; 1024 if left
    /// out.
    region_size: Option<Sweep<u32>> = None,
    /// raid1: what the log says of the legs when the table is loaded; `nosync`
    /// if left out.
    sync: Option<Sweep<Sync>> = None,
    /// raid1: the table has `handle_errors`; `true` if left out.
    handle_errors: Option<Sweep<bool>> = None,
    /// raid1: the table has `keep_log`, only with `handle_errors`; `false` if
    /// left out.
    keep_log: Option<Sweep<bool>> = None,
    /// raid1: each leg is a dm-multipath of that many paths to the leg's disk,
    /// and the keys of multipath describe it. Without it, a leg is a disk.
    paths: Option<Sweep<u8>> = None,
    /// multipath: whether it works on bios or requests; `mq` if left out.
    queue_mode: Option<Sweep<QueueMode>> = None,
    /// multipath: how a path of a group is chosen; `service-time` if left out.
    path_selector: Option<Sweep<PathSelector>> = None,
    /// multipath: how the paths form priority groups; `failover` if left out.
    path_grouping: Option<Sweep<PathGrouping>> = None,
    /// multipath: with no path left, I/O waits for an operator; `false` if left
    /// out.
    queue_if_no_path: Option<Sweep<bool>> = None,
    /// multipath: `pg_init_retries` of the table, 1 to 50. The kernel must
    /// accept and show it. It has no effect, since there is no hardware
    /// handler.
    pg_init_retries: Option<Sweep<u32>> = None,
    /// multipath: `pg_init_delay_msecs` of the table, up to 60000. Like
    /// `pg_init_retries` it has no effect.
    pg_init_delay_msecs: Option<Sweep<u32>> = None,
    /// multipath: a real multipathd in the guest makes and maintains the map.
    /// Once no path is left, I/O fails, queues, or queues for that many checks,
    /// one a second. Without this key there is no multipathd.
    no_path_retry: Option<Sweep<NoPathRetry>> = None,
}
}

impl Stack {
    /// The target type; if the file's was refused, the default.
    pub(super) fn target(&self) -> TargetName {
        (self.target.as_ref()).map_or(TargetName::Raid1, |given| given.value)
    }
}

table! {
/// The lower devices.
Legs {
    /// The disk controller, the same for all legs: one that QEMU emulates, or
    /// the project's own SCSI target.
    controller: Sweep<Controller> = Sweep::of(Controller::VirtioBlk),
    /// How many legs or paths: 2 to 4.
    count: Sweep<u8> = Sweep::of(2),
    /// Bytes of a logical block: 512, or 4096, which only `target` can have.
    /// All of the I/O must be in whole blocks.
    logical_block_size: Sweep<u32> = Sweep::of(512),
    /// Sectors of the dm device, of 512 bytes as all sectors here.
    size: Sweep<u64> = Sweep::of(131_072),
    /// raid1: where the mirror starts on each leg, in sectors: one number for
    /// all, or one for each leg.
    offset: List<u64> = List::of([0]),
    /// `queue/max_sectors_kb` of the legs, at least 4: makes the leg split what
    /// dm sends it. Without it the device keeps its own limit.
    max_sectors_kb: Option<Sweep<u32>> = None,
    /// Sectors that a disk moves at a time. A request that fails is then done
    /// in part: the pieces before the failing one are done. Without it a
    /// request is done all or not at all.
    max_transfer: Option<Sweep<u32>> = None,
    /// What QEMU does when a disk fails a request: it reports the failure to
    /// the guest, or it stops the machine and asks the disk again when the
    /// machine goes on. The fault is removed after as many stops as its `times`
    /// says.
    on_error: Sweep<OnError> = Sweep::of(OnError::Report),
}
}

impl Legs {
    /// 512-byte sectors of the smallest logical block.
    pub(super) fn block(&self) -> u64 {
        let smallest = self.logical_block_size.values().min().copied();
        u64::from(smallest.unwrap_or(512) / 512).max(1)
    }
}

table! {
/// The application's I/O.
Io {
    /// What the I/O does: read; write; flush, which is a write and then
    /// `fsync`; discard (`BLKDISCARD`); write-zeroes (`BLKZEROOUT`).
    op: Sweep<Op> = Sweep::of(Op::Read),
    /// Direct, or through the page cache.
    path: Sweep<Path> = Sweep::of(Path::Direct),
    /// Direct writes with `O_DSYNC`: a write that has returned is durable. A
    /// buffered write is always followed by `fsync`.
    dsync: Sweep<bool> = Sweep::of(false),
    /// First sector on the dm device.
    sector: Sweep<u64> = Sweep::of(2048),
    /// Length in sectors, of all requests together.
    sectors: Sweep<u64> = Sweep::of(512),
    /// Layout of the memory of each request.
    vector: Sweep<Vector> = Sweep::of(Vector::Contiguous),
    /// How many requests the range is cut into, all in flight together.
    requests: Sweep<u32> = Sweep::of(1),
    /// By how many sectors each request, except the last, extends into the next
    /// one.
    overlap: Sweep<u64> = Sweep::of(0),
    /// How many threads submit the requests, in turn.
    submitters: Sweep<u32> = Sweep::of(1),
}
}

table! {
/// A fault at one sector of one leg: requests that cover it fail.
Fault {
    /// What the fault is on: a leg, or the disk of the mirror's log.
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
    /// At which sector the fault is, counted from the start of the I/O; `every`
    /// sector of the I/O in turn; or the `same` as the first fault's. A flush
    /// has none.
    at: At = At::Offsets(Sweep::of(Offset::Middle)),
    /// How many of the requests that meet the fault it fails.
    times: Sweep<Times> = Sweep::of(Times::Always),
    /// The error that the leg answers with.
    errno: Sweep<Errno> = Sweep::of(Errno(5)),
    /// `target` only: how it reports the failure; `medium-error` if left out.
    report: Option<Sweep<FaultReport>> = None,
}
}

impl Fault {
    /// The disk that the fault is on; if the file's was refused, the default.
    pub(super) fn disk(&self) -> Disk {
        self.disk.as_ref().map_or(Disk::Leg, |given| given.value)
    }

    /// When the fault is armed; if the file's was refused, the default.
    pub(super) fn during(&self) -> During {
        self.during.as_ref().map_or(During::Io, |given| given.value)
    }

    /// Whether the fault is on a leg and for the I/O.
    pub(super) fn is_of_io(&self) -> bool {
        (self.disk(), self.during()) == (Disk::Leg, During::Io)
    }
}

table! {
/// Numbers in equal steps.
Range {
    /// The first number of the range.
    from: Option<Given<u64>> = None,
    /// The end of the range; it belongs to the range if the steps meet it.
    to: Option<Given<u64>> = None,
    /// The difference from one number to the next.
    step: Option<Given<u64>> = Some(1.into()),
}
}

impl Serialize for Given<Fault> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl Serialize for Given<Hold> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}
