//! Which of two cases is the simpler one.

use halfway_case::stack::QueueMode;
use halfway_case::{
    Case, Controller, Ending, Filesystem, Length, Log, Meanwhile, Multipath, OnError, PathGrouping,
    PathSelector, Stack, Sync, Times, Vector,
};
use halfway_protocol::io::{Op, Path};
use halfway_scsi::FaultReport;

/// 512-byte sectors of a page: what is aligned to it is simpler.
const PAGE: u64 = 8;

/// 512-byte sectors of a mirror's region if a file does not say.
pub(crate) const REGION: u32 = 1024;

/// The sector at which the I/O starts if a file does not say.
pub(crate) const SECTOR: u64 = 2048;

/// 512-byte sectors of the device if a file does not say.
pub(crate) const SIZE: u64 = 131_072;

/// The errno of a fault if a file does not say: `EIO`.
pub(crate) const EIO: i32 = 5;

/// How complicated a case is. It is compared from the left, and always has the same
/// length, so there is no endless chain of ever simpler cases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measure(Vec<u64>);

impl Measure {
    /// The measure of a case. What takes a person longest to understand comes first.
    pub fn of(case: &Case) -> Self {
        let (io, legs) = (&case.io, &case.legs);
        let soak = case.soak.as_ref();
        let all_faults = (case.faults.iter()).chain(case.other_faults.iter().map(|one| &one.fault));
        let offsets = (all_faults.clone().map(|fault| fault.sector))
            .chain(case.holds.iter().map(|hold| hold.sector))
            .map(|sector| sector.saturating_sub(io.sector));
        let sum = |values: &mut dyn Iterator<Item = u64>| values.fold(0, u64::saturating_add);
        Measure(vec![
            soak.map_or(0, |soak| match soak.length {
                Length::Count(count) => u64::from(count),
                // An I/O takes a millisecond or more.
                Length::Seconds(seconds) => u64::from(seconds) * 1000,
            }),
            soak.map_or(0, |soak| u64::from(soak.filesystem != Filesystem::None)),
            (case.faults.len() + case.other_faults.len() + case.holds.len()) as u64,
            u64::from(legs.count),
            io.requests.into(),
            io.submitters.into(),
            io.overlap,
            legs.max_sectors_kb.unwrap_or(0).into(),
            io.sectors,
            vector(io.vector),
            u64::from(io.path == Path::Buffered),
            u64::from(io.dsync),
            op(io.op),
            u64::from(case.linear.is_some()),
            u64::from(legs.max_transfer.is_some()),
            u64::from(legs.on_error != OnError::Report),
            u64::from(legs.logical_block_size),
            legs.offset.iter().filter(|offset| **offset > 0).count() as u64,
            u64::from(legs.sectors != SIZE),
            position(Controller::ALL, &legs.controller),
            stack(&case.stack),
            sum(&mut case
                .holds
                .iter()
                .map(|hold| position(Meanwhile::ALL, &hold.meanwhile))),
            case.holds
                .iter()
                .filter(|hold| hold.then != Ending::Ok)
                .count() as u64,
            (case.holds.iter().enumerate())
                .filter(|(index, hold)| usize::from(hold.place) != *index)
                .count() as u64,
            sum(&mut all_faults.clone().map(|fault| match fault.times {
                Times::Always => 0,
                Times::Count(count) => u64::from(count),
            })),
            all_faults
                .clone()
                .filter(|fault| fault.errno != EIO)
                .count() as u64,
            (all_faults.clone())
                .filter(|fault| {
                    fault
                        .report
                        .is_some_and(|one| one != FaultReport::default())
                })
                .count() as u64,
            sum(&mut all_faults.map(|fault| u64::from(fault.leg)))
                + sum(&mut case.holds.iter().map(|hold| u64::from(hold.leg))),
            offsets.clone().filter(|offset| offset % PAGE != 0).count() as u64,
            sum(&mut offsets.into_iter()),
            if io.sector == SECTOR {
                0
            } else {
                1 + io.sector
            },
        ])
    }
}

/// Where a value is in a list whose first entry is the simplest one.
fn position<T: PartialEq>(list: &[T], value: &T) -> u64 {
    list.iter()
        .position(|one| one == value)
        .unwrap_or(list.len()) as u64
}

fn vector(vector: Vector) -> u64 {
    match vector {
        Vector::Contiguous => 0,
        Vector::Pages => 1,
        Vector::Offset => 2,
        Vector::Odd => 3,
        Vector::Unaligned => 4,
    }
}

fn op(op: Op) -> u64 {
    match op {
        Op::Read => 0,
        Op::Write => 1,
        Op::Flush => 2,
        Op::Discard => 3,
        Op::WriteZeroes => 4,
    }
}

/// How many parameters of the stack differ from what a file without them has.
fn stack(stack: &Stack) -> u64 {
    let differ = |parameters: &[bool]| parameters.iter().filter(|one| **one).count() as u64;
    match stack {
        Stack::Multipath(paths) => multipath(paths),
        Stack::Raid1(mirror) => {
            let own = differ(&[
                mirror.log != Log::Core,
                mirror.region_size != REGION,
                mirror.sync != Sync::Nosync,
                !mirror.handle_errors,
                mirror.keep_log,
            ]);
            own + mirror
                .paths
                .as_ref()
                .map_or(0, |paths| 1 + multipath(&paths.multipath))
        }
    }
}

fn multipath(paths: &Multipath) -> u64 {
    let parameters = [
        paths.queue_mode != QueueMode::Mq,
        paths.path_selector != PathSelector::ServiceTime,
        paths.path_grouping != PathGrouping::Failover,
        paths.queue_if_no_path,
        paths.pg_init_retries.is_some(),
        paths.pg_init_delay_msecs.is_some(),
        paths.no_path_retry.is_some(),
    ];
    parameters.iter().filter(|one| **one).count() as u64
}
