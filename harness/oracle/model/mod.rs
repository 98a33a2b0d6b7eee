//! What a correct kernel does with an I/O on a device-mapper stack while its
//! legs or paths fail.
//!
//! The rules come from the source of the targets: drivers/md/dm-raid1.c
//! (`raid1`) and drivers/md/dm-mpath.c (`multipath`). What matters of them is
//! the same from 5.10 to 7.x. Each rule names the kernel function that it comes
//! from. Where the outcome depends on timing, the expectation lists every
//! correct outcome instead of guessing one.

mod fill_up;
mod hold;
mod interventions;
mod multipath;
pub mod multipathd;
mod nested;
mod raid1;
mod reports;
mod rules;
mod soak;
mod stop;
#[cfg(test)]
mod tests;

pub use halfway_case::facts::{offset, races_recovery, tells_of_failures, unplugs, unrecovered};
pub use interventions::{brought_back, due};
pub use raid1::race as races;

use rules::Rules;

use super::controller;
use super::units::Unit;
use halfway_case::{Case, Fault, Sabotage, Stack, Sync, Times, Vector};
use halfway_protocol::content::{Origin, SECTOR};
use halfway_protocol::io::{Op, Path};

/// `EIO`: what the application sees of `BLK_STS_IOERR`.
pub const EIO: i32 = 5;
/// `EINVAL`: what the application sees of an I/O that the kernel refuses.
pub const EINVAL: i32 = 22;
/// How many bios on the legs the guest's tracepoints are sure to keep.
const TRACED: u64 = 1 << 14;
/// Sectors that a request has at most where its driver sets no bound
/// (`BLK_DEF_MAX_SECTORS` up to 6.18, 1280 KiB).
const REQUEST_SECTORS: u64 = 2560;
/// `ENOTSUP`: an operation that the medium does not support.
const ENOTSUP: i32 = 95;
/// 512-byte sectors in a page, the unit of the page cache.
pub const PAGE_SECTORS: u64 = 8;

/// What the model must know of the guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Major and minor number of the kernel release.
    pub release: (u32, u32),
    /// `queue/dma_alignment` of the dm device: a mask in bytes. `None` where
    /// the kernel does not show it (before 6.0).
    pub dma_alignment: Option<u32>,
    /// `queue/max_segments` of the legs: segments in one request. `None` where
    /// it was not read.
    pub max_segments: Option<u32>,
    /// Whether the application got `EINVAL` for all of its requests.
    pub refused: bool,
}

impl Environment {
    /// A kernel of which nothing is known. It refuses nothing that some kernel
    /// accepts.
    pub const ANY: Environment = Environment {
        release: (u32::MAX, 0),
        dma_alignment: None,
        max_segments: None,
        refused: false,
    };

    /// Major and minor number from the text of `uname -r`.
    pub fn release_of(text: &str) -> (u32, u32) {
        let mut numbers = text
            .split(|c: char| !c.is_ascii_digit())
            .map(|number| number.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

/// An application's result: bytes transferred, or an errno.
pub type Answer = Result<u64, i32>;

/// What a correct kernel does with a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// For each request of the application, in order, every correct result.
    pub answers: Vec<Vec<Answer>>,
    /// Whether the kernel refuses the I/O before it reaches the target.
    pub refused: bool,
    /// Whether the target holds the I/O until an operator acts. A mirror holds
    /// a failed write (`hold_bio`); multipath holds all I/O while it has no
    /// path (`queue_if_no_path`).
    pub held: bool,
    /// What happens to each unit.
    pub units: Vec<UnitExpectation>,
    /// For each leg, the characters that its health may show in the status
    /// line.
    pub health: Vec<&'static str>,
    /// Multipaths beneath a mirror: for each path of each leg, the characters
    /// that its health may show. Empty for other stacks.
    pub beneath: Vec<&'static str>,
    /// Multipath: index of the priority group that must be the active one.
    /// `None` where that depends on timing.
    pub active_group: Option<usize>,
    /// Whether regions with a failed write lose their sync (`dm_rh_mark_nosync`
    /// in `do_failures`). A write whose flush fails behind it (`REQ_FUA`) is a
    /// failed write too.
    pub loses_sync: bool,
    /// Indices in [`Case::faults`] of the faults that must have fired; if one
    /// has not, nothing was tested.
    pub fires: Vec<usize>,
    /// Whether a failure must have left other pieces of its unit complete.
    pub partial: bool,
    /// The health that the mirror's log shows, if the log is on a disk.
    pub log: Option<char>,
}

impl Expectation {
    /// Nothing of the I/O fails: each request is answered whole, and every lower device
    /// stays as it is. A rule says what differs from that. There are no units in it yet.
    fn undisturbed(case: &Case) -> Self {
        Expectation {
            answers: whole_answers(case),
            refused: false,
            held: false,
            units: Vec::new(),
            health: vec!["A"; usize::from(case.legs.count)],
            beneath: Vec::new(),
            active_group: None,
            loses_sync: false,
            fires: Vec::new(),
            partial: false,
            log: None,
        }
    }
}

/// What happens to one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitExpectation {
    /// The range on the dm device.
    pub unit: Unit,
    /// The legs in the order in which they are asked. `None` unless they are
    /// asked one after the other, each once, and the order does not depend on
    /// timing.
    pub order: Option<Vec<u8>>,
    /// Reads: the legs that the data may come from. Writes: the legs whose
    /// media must hold all of the data afterwards.
    pub good: Vec<u8>,
    /// Writes: at least one of these legs must hold all of the data of the
    /// requests that were answered with success. Empty where `good` says it.
    pub one_of: Vec<u8>,
    /// For each leg, how often it may be asked for the whole unit: least and
    /// most.
    pub asked: Vec<(u32, u32)>,
}

/// The model does not know this combination, for the reason given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model does not know what a correct kernel does here: {0}")]
pub struct Unknown(pub &'static str);

/// Whether the model knows what a correct kernel does with `case`.
pub fn knows(case: &Case) -> Result<(), Unknown> {
    multipathd::knows_multipathd(case)?;
    if case.soak.is_some() {
        return soak::knows_soak(case);
    }
    knows_operations(case)?;
    controller::knows_controller(case).map_err(Unknown)?;
    reports::knows_reports(case)?;
    stop::knows_stops(case)?;
    hold::knows_holds(case, on_target)?;
    fill_up::knows_fill_up(case)?;
    rules_of(&case.stack).knows(case)
}

/// No fault of a case can fire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no fault of it can fire: a correct kernel asks no leg for a bad sector")]
pub struct Idle;

/// Why a case cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The model does not know what a correct kernel does.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// No fault can fire, so nothing that is seen would prove anything.
    #[error(transparent)]
    Idle(#[from] Idle),
}

/// Whether `case` can be judged, and a run of it tests something.
pub fn fit(case: &Case) -> Result<(), Unfit> {
    knows(case)?;
    Ok(fires(case)?)
}

/// Whether a fault of `case` can fire, if it has any. A fault never fires on a
/// leg that a correct kernel does not ask for the bad sector; such a case tests
/// nothing.
pub fn fires(case: &Case) -> Result<(), Idle> {
    let (mut met, absorbed) = controller::as_dm_meets(case);
    // Faults that the driver absorbs, so that device-mapper never sees them,
    // fire on the same legs as lasting faults would. So lasting ones stand in
    // for them here.
    if met.faults.is_empty() {
        let lasting = absorbed.into_iter().map(|fault| Fault {
            times: Times::Always,
            ..fault
        });
        met.faults = lasting.collect();
    }
    if met.faults.is_empty() || met.soak.is_some() {
        return Ok(());
    }
    let units = super::units::nominal(&met.io.parts(), &met.boundaries());
    match expect(&met, &Environment::ANY, &units).fires.is_empty() {
        true => Err(Idle),
        false => Ok(()),
    }
}

/// What a correct kernel does with `case`, given the units that device-mapper
/// made of its I/O.
pub fn expect(case: &Case, environment: &Environment, units: &[Unit]) -> Expectation {
    // No unit on the dm device means that the kernel refused the I/O. A bio
    // that was refused on its way down does show there; then `refused` tells.
    let not_served = units.is_empty() || environment.refused;
    if may_refuse(case, environment) && not_served {
        return refused(case);
    }
    let mut expected = match case.holds.is_empty() || races_recovery(case) {
        true => on_target(case, units),
        false => hold::expect(case, units, on_target),
    };
    expected.partial |= !expected.fires.is_empty() && exceeds_segments(case, environment, units);
    fill_up::expect(case, expected)
}

/// What the target of `case` does with units that no hold delays.
fn on_target(case: &Case, units: &[Unit]) -> Expectation {
    rules_of(&case.stack).expect(case, units)
}

/// The rules of a stack's target.
fn rules_of(stack: &Stack) -> Box<dyn Rules + '_> {
    match stack {
        Stack::Raid1(mirror) => match &mirror.paths {
            Some(paths) => Box::new(nested::Nested { mirror, paths }),
            None => Box::new(raid1::Mirror(mirror)),
        },
        Stack::Multipath(multipath) => Box::new(multipath::Paths(multipath)),
    }
}

/// Whether a request of the I/O may be of more segments of memory than a leg takes at once,
/// and be cut by its queue, or that of device-mapper's requests above it
/// (`bio_split_io_at` in block/blk-merge.c). In 7.2 and 7.3 each page is one, also of memory
/// that is contiguous, since `iov_iter_extract_bvecs` in lib/iov_iter.c joins the pages of
/// one folio alone; up to 6.18 `bio_iov_iter_get_pages` joined all neighbours.
fn may_exceed_segments(case: &Case) -> bool {
    let page = PAGE_SECTORS * SECTOR as u64;
    let pages = |sectors: u64| {
        let (_, segments) = case.io.vector.segments(sectors, case.legs.block());
        let pages = segments.iter().map(|segment| {
            (u64::from(segment.page_offset) + u64::from(segment.bytes)).div_ceil(page)
        });
        pages.sum::<u64>()
    };
    let most = case.legs.controller.profile().limits.segments;
    let moves = matches!(case.op_on_legs(), Op::Read | Op::Write);
    let mut parts = case.io.parts().into_iter();
    moves && parts.any(|(_, sectors)| pages(sectors) > most)
}

/// Whether the memory of a request has gaps at which a leg's queue cuts it.
fn has_gaps(case: &Case) -> bool {
    let Some(boundary) = case.legs.controller.profile().limits.gaps else {
        return false;
    };
    let aligned = |bytes: u64| bytes.is_multiple_of(boundary);
    let gap = |sectors: u64| {
        let (_, segments) = case.io.vector.segments(sectors, case.legs.block());
        segments.windows(2).any(|pair| {
            let end = u64::from(pair[0].page_offset) + u64::from(pair[0].bytes);
            !aligned(end) || !aligned(pair[1].page_offset.into())
        })
    };
    let moves = matches!(case.op_on_legs(), Op::Read | Op::Write);
    let mut parts = case.io.parts().into_iter();
    moves && case.io.path == Path::Direct && parts.any(|(_, sectors)| gap(sectors))
}

/// The same, or of more sectors. (A mirror is told how many, and cuts its units so:
/// `max_io_len` in drivers/md/dm.c.)
fn may_be_cut(case: &Case) -> bool {
    let limits = &case.legs.controller.profile().limits;
    let most = limits.request_sectors.unwrap_or(REQUEST_SECTORS);
    let moves = matches!(case.op_on_legs(), Op::Read | Op::Write);
    let mut parts = case.io.parts().into_iter();
    moves && parts.any(|(_, sectors)| sectors > most) || may_exceed_segments(case)
}

/// Whether the only fault lies in a unit with more segments than a leg takes at
/// once. The block layer splits such a unit (`bio_split_rw` in
/// block/blk-merge.c), so that another piece of it succeeds.
fn exceeds_segments(case: &Case, environment: &Environment, units: &[Unit]) -> bool {
    let ([fault], Some(most)) = (case.faults.as_slice(), environment.max_segments) else {
        return false;
    };
    let apart = case.io.path == Path::Direct && case.io.vector == Vector::Pages;
    let over = |unit: &&Unit| unit.sectors.div_ceil(PAGE_SECTORS) > most.into();
    let cut = matches!(fault.op, Op::Read | Op::Write);
    let mut units = units.iter().filter(over);
    apart && cut && units.any(|unit| unit.covers(fault.sector))
}

/// For a sector of a disk: the member whose content it shows, and the sector
/// number that the content must carry.
pub fn content_of(case: &Case, leg: u8, sector: u64) -> (Origin, u64) {
    let from = match alike(case) {
        true => 0,
        false => ways_to(case, leg).start,
    };
    (Origin::Leg(from), sector + offset(case, from))
}

/// Whether a unit is a piece of that request. The page cache reads and writes
/// whole pages, which may belong to several requests: there it is enough that
/// the two meet.
pub fn is_piece(case: &Case, unit: Unit, request: Unit) -> bool {
    match case.io.path {
        Path::Direct => unit.lies_in(request),
        Path::Buffered => unit.meets(request),
    }
}

/// Whether all legs show leg 0's content. They do if a resynchronisation copied
/// it (`do_recovery` in dm-raid1.c), or if they are paths to one disk.
pub fn alike(case: &Case) -> bool {
    case.stack.target().sync() != Some(Sync::Nosync)
}

/// One disk for each medium: where several disks are paths to one medium, the
/// first of them.
pub fn media(case: &Case) -> impl Iterator<Item = u8> + use<> {
    (0..case.legs.count).step_by(case.ways().max(1).into())
}

/// The disks that lead to the medium of disk `leg`.
pub fn ways_to(case: &Case, leg: u8) -> std::ops::Range<u8> {
    let ways = case.ways().max(1);
    let first = leg / ways * ways;
    first..first + ways
}

/// The whole range of the I/O.
pub fn whole(case: &Case) -> Unit {
    Unit {
        sector: case.io.sector,
        sectors: case.io.sectors,
    }
}

/// Whether the kernel may refuse the I/O because of its memory's alignment. It
/// may also serve all of it: the guest shows which of the two it does, and both
/// are correct.
///
/// Before 6.0 the memory of a direct I/O must be aligned to the logical block
/// (`blkdev_dio_unaligned` in block/fops.c); since 6.0 to the device's
/// `dma_alignment`. Where that is checked differs: up to 6.17 block/fops.c
/// checks it before anything is sent (`bdev_iter_is_aligned`), 6.18 leaves it
/// to the lower devices, and 7.2 and later refuse when the bio is built
/// (`bio_iov_iter_get_pages`). All stock kernels refuse but 6.18: measured on
/// 5.10, 6.1, 6.12, 6.16, 6.17, 6.18, 7.2 and 7.3 (results/findings.md).
fn may_refuse(case: &Case, environment: &Environment) -> bool {
    let offset = match case.io.vector {
        Vector::Unaligned => u32::from(UNALIGNED),
        Vector::Offset => SECTOR as u32,
        Vector::Contiguous | Vector::Pages | Vector::Odd => 0,
    };
    if case.io.path != Path::Direct || offset.is_multiple_of(case.legs.logical_block_size) {
        return false;
    }
    let demanded = environment
        .dma_alignment
        .filter(|_| environment.release >= (6, 0));
    demanded.is_none_or(|mask| mask & offset != 0)
}

/// Offset of [`Vector::Unaligned`] in its page, in bytes.
pub const UNALIGNED: u16 = 4;

fn refused(case: &Case) -> Expectation {
    let legs = usize::from(case.legs.count);
    let fails_flushes = |leg: u8| {
        let mut of_leg = case.faults.iter().filter(|fault| fault.leg == leg);
        of_leg.any(|fault| fault.op == Op::Flush)
    };
    Expectation {
        answers: vec![vec![Err(EINVAL)]; case.io.parts().len()],
        refused: true,
        units: Vec::new(),
        // A disk log flushes the legs by itself (`mirror_flush`), so a leg may
        // fail a flush although the I/O is refused.
        health: (0..case.members())
            .map(|leg| match case.has_log_disk() && fails_flushes(leg) {
                true => "AF",
                false => "A",
            })
            .collect(),
        log: case.has_log_disk().then_some('A'),
        beneath: match case.stack.nested() {
            Some(_) => vec!["A"; legs],
            None => Vec::new(),
        },
        ..Expectation::undisturbed(case)
    }
}

fn whole_answers(case: &Case) -> Vec<Vec<Answer>> {
    let parts = case.io.parts();
    parts
        .iter()
        .map(|&(_, sectors)| vec![Ok(bytes(sectors))])
        .collect()
}

fn bytes(sectors: u64) -> u64 {
    sectors * SECTOR as u64
}

fn fault_meets(fault: &Fault, op: Op, leg: u8, range: Unit) -> bool {
    fault.leg == leg && fault.meets(op, range.sector, range.sectors)
}

/// Whether the I/O ends with a flush as a request of its own, after all writes:
/// `fsync`.
fn ends_with_fsync(case: &Case) -> bool {
    match (case.io.op, case.io.path) {
        (Op::Flush, _) => true,
        (Op::Write, path) => path == Path::Buffered,
        _ => false,
    }
}

/// The case without its faults of flushes.
fn without_flush_faults(case: &Case) -> Case {
    let mut other = case.clone();
    other.faults.retain(|fault| fault.op != Op::Flush);
    other
}

/// Refuses combinations of operation and fault that no stack handles in a known
/// way.
fn knows_operations(case: &Case) -> Result<(), Unknown> {
    if !case.other_faults.is_empty() && case.sabotage == Some(Sabotage::FaultMissed) {
        return Err(Unknown("only faults of the I/O can be made to miss"));
    }
    let unsupported =
        |fault: &Fault| fault.errno == ENOTSUP && matches!(fault.op, Op::Discard | Op::WriteZeroes);
    if case.faults.iter().any(unsupported) {
        return Err(Unknown(
            "QEMU takes ENOTSUP of a discard for success (`bdrv_co_pdiscard` in block/io.c), and \
             writes zeros where write-zeroes end so (`bdrv_co_do_pwrite_zeroes`): the driver \
             hears of no failure",
        ));
    }
    // A device whose size is not a multiple of the page size has blocks of 512
    // bytes (`set_init_blocksize` in block/bdev.c), and each block is a bio.
    let by_sectors =
        case.io.path == Path::Buffered && !case.legs.sectors.is_multiple_of(PAGE_SECTORS);
    if by_sectors && case.io.sectors * u64::from(case.legs.count) > TRACED {
        return Err(Unknown(
            "the page cache goes sector by sector on a device that is no whole number of pages: \
             more bios than the guest's tracepoints keep",
        ));
    }
    let has = |op: Op| case.faults.iter().any(|fault| fault.op == op);
    let others = |op: Op| case.faults.iter().any(|fault| fault.op != op);
    if has(Op::Flush) && others(Op::Flush) {
        return Err(Unknown(
            "flushes and other requests fail in one case; which of them a leg is given up for \
             depends on timing",
        ));
    }
    if has(Op::Flush) && !case.io.dsync && !ends_with_fsync(case) {
        return Err(Unknown(
            "a flush is to fail and nothing is flushed: set `op = \"flush\"`, or write with `dsync`",
        ));
    }
    if case.io.op == Op::Discard {
        case.legs.controller.profile().discards.map_err(Unknown)?;
    }
    let on_legs = case.op_on_legs();
    for op in [Op::Discard, Op::WriteZeroes] {
        if has(op) && on_legs != op {
            return Err(Unknown(
                "a discard or write-zeroes is to fail, and the stack sends none to its legs; \
                 dm-raid1, and disks that take no write-zeroes, have the kernel write zeros \
                 instead, whose faults are those of a write",
            ));
        }
    }
    if matches!(case.io.op, Op::Discard | Op::WriteZeroes | Op::Flush)
        && case
            .faults
            .iter()
            .any(|fault| !matches!(fault.op, op if op == on_legs || op == Op::Flush))
    {
        return Err(Unknown(
            "a fault is one of an operation that reaches no leg",
        ));
    }
    Ok(())
}

/// Of each leg that is asked for `range` the fault that answers, by their indices: of
/// several that are met one does.
fn answering(case: &Case, op: Op, range: Unit, asked: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    for leg in asked {
        let met = controller::met(case, op, *leg, range);
        let index = indices(case, |fault| {
            met.is_some_and(|met| std::ptr::eq(met, fault))
        })
        .next();
        found.extend(index.filter(|index| !found.contains(index)));
    }
    found
}

/// Legs with a fault of this operation in `range`.
fn legs_with(case: &Case, op: Op, range: Unit) -> Vec<u8> {
    let meets = |leg: &u8| {
        case.faults
            .iter()
            .any(|fault| fault_meets(fault, op, *leg, range))
    };
    (0..case.legs.count).filter(meets).collect()
}

/// Legs that fail every request of this operation that touches `range`.
fn legs_always(case: &Case, op: Op, range: Unit) -> Vec<u8> {
    let always = |leg: &u8| {
        case.faults
            .iter()
            .any(|fault| fault.times == Times::Always && fault_meets(fault, op, *leg, range))
    };
    (0..case.legs.count).filter(always).collect()
}

fn others(case: &Case, legs: &[u8]) -> Vec<u8> {
    (0..case.legs.count)
        .filter(|leg| !legs.contains(leg))
        .collect()
}

/// Whether a unit is larger than the legs take in one request, so that a
/// failure in it must leave other pieces complete.
fn splits(case: &Case, units: &[Unit]) -> bool {
    // `max_sectors_kb` splits only reads and writes (`bio_split_to_limits`).
    let cut = matches!(case.op_on_legs(), Op::Read | Op::Write);
    let limit = case.legs.max_sectors_kb.filter(|_| cut);
    limit.is_some_and(|limit| {
        units.iter().any(|unit| {
            let pieces = unit.sectors.div_ceil(2 * u64::from(limit));
            let bad = |leg: u8| {
                let of_leg = case.faults.iter().filter(|fault| fault.leg == leg);
                of_leg.filter(|fault| unit.covers(fault.sector)).count() as u64
            };
            // Each bad sector may lie in a piece of its own.
            let worst = (0..case.legs.count).map(bad).max().unwrap_or(0);
            (1..pieces).contains(&worst)
        })
    })
}

/// Indices of these faults in [`Case::faults`].
fn indices(case: &Case, which: impl Fn(&Fault) -> bool) -> impl Iterator<Item = usize> {
    let found: Vec<usize> = case
        .faults
        .iter()
        .enumerate()
        .filter(|(_, fault)| which(fault))
        .map(|(index, _)| index)
        .collect();
    found.into_iter()
}

/// The range of the I/O rounded to whole pages, but no longer than the device:
/// its last page may be a partial one.
pub fn pages(case: &Case) -> Unit {
    let all = rounded(whole(case));
    Unit {
        sectors: all.end().min(case.legs.sectors) - all.sector,
        ..all
    }
}

/// The range rounded outwards to whole pages.
pub fn rounded(range: Unit) -> Unit {
    let from = range.sector / PAGE_SECTORS * PAGE_SECTORS;
    Unit {
        sector: from,
        sectors: range.end().div_ceil(PAGE_SECTORS) * PAGE_SECTORS - from,
    }
}
