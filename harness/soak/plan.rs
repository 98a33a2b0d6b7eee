//! What a soak does, step by step.
//!
//! The plan keeps one lower device *good* at any time: it has no fault, and has
//! had none since it was last repaired. So a correct kernel loses no I/O: every
//! step must succeed, and every read must be right. The exception is multipath
//! that queues (`queue_if_no_path`): there all paths may fail, since an
//! operator brings them back.

use fastrand::Rng;
use halfway_case::{Case, Fault, Filesystem, Io, Times, Vector};
use halfway_protocol::io::{Op, Path};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// Longest I/O of a step in 512-byte sectors, except in the first and the last
/// step.
const LONGEST: u64 = 512;

/// Most requests of a step in flight together, except in the first and the last
/// step.
const DEEPEST: u64 = 16;

/// Distance in 512-byte sectors between the bad sectors of a lower device
/// beneath a file system. They are spread over the device, since the plan
/// cannot know where a file lies. With eight times as many QEMU 7.2 takes a
/// quarter of a minute to change them.
const SPREAD: u64 = 256;

/// Most faults that one lower device has at a time.
const FAULTS: usize = 2;

/// If an action arms more faults than these, its words do not list them one by
/// one.
const MANY: usize = 8;

/// `EIO`: the errno of each fault.
const EIO: i32 = 5;

/// One step: an action before the I/O, the I/O, and an action while it is in
/// flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Number of the step. Step 0 writes the whole area.
    pub index: u32,
    /// The action before the I/O is started.
    pub before: Option<Action>,
    /// The I/O of the step.
    pub io: Io,
    /// The action once the I/O has been started.
    pub meanwhile: Option<Action>,
}

impl Step {
    /// The generation of what the step writes; 0 is never written.
    pub fn generation(&self) -> u32 {
        self.index + 1
    }
}

/// Something that is done to the stack or to its disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// From now on exactly these faults are armed.
    Arm(Vec<Fault>),
    /// multipath: a path is failed by a message to the target.
    FailPath(u8),
    /// multipath: a path is reinstated by a message to the target.
    ReinstatePath(u8),
    /// The device is suspended without flush, and resumed.
    Suspend,
    /// All faults are removed and the stack is repaired: all paths are
    /// reinstated, or a mirror is loaded that synchronises this leg from the
    /// others.
    Mend(u8),
}

/// The steps of a soak, without end. [`SoakPlan::last`] gives the step that ends
/// it.
#[derive(Clone, Debug)]
pub struct SoakPlan {
    rng: Rng,
    seed: u64,
    legs: u8,
    /// First sector and length of the area, in 512-byte sectors.
    area: (u64, u64),
    /// Whether the target holds a failed write until the mirror is repaired
    /// (`mirror`), or I/O without a path until one is back (`queues`).
    mirror: bool,
    queues: bool,
    /// Whether faults are spread all over the device.
    spread: bool,
    index: u32,
    armed: Vec<Fault>,
    /// Lower devices that may have failed: they have had faults, or were failed
    /// by a message, and have not been repaired since.
    doubtful: BTreeSet<u8>,
}

impl SoakPlan {
    /// The plan of a case for its seed.
    pub fn new(case: &Case, seed: u64) -> Self {
        let files = (case.soak.as_ref()).is_some_and(|soak| soak.filesystem != Filesystem::None);
        SoakPlan {
            rng: Rng::with_seed(seed),
            seed,
            legs: case.legs.count,
            area: match files {
                true => (0, case.legs.sectors),
                false => (case.io.sector, case.io.sectors),
            },
            spread: files,
            mirror: case.stack.target().has_copies(),
            queues: case.stack.target().waits_without_path(),
            index: 0,
            armed: Vec::new(),
            doubtful: BTreeSet::new(),
        }
    }

    /// The next step.
    pub fn step(&mut self) -> Step {
        if self.index == 0 {
            return self.whole(Op::Write, None);
        }
        let io = self.io();
        let before = self.rng.bool();
        let before = before.then(|| self.action(&io)).flatten();
        let meanwhile = self.rng.u8(..3) == 0;
        let meanwhile = meanwhile.then(|| self.action(&io)).flatten();
        let step = Step {
            index: self.index,
            before,
            io,
            meanwhile,
        };
        self.index += 1;
        step
    }

    /// The step that ends the soak here: everything is repaired, and the area
    /// is read.
    pub fn last(&mut self) -> Step {
        let action = self.mend();
        self.whole(Op::Read, Some(action))
    }

    /// Over a file system: the actions before a round. The last of them arms
    /// faults.
    pub fn begin(&mut self) -> Vec<Action> {
        const TRIES: u32 = 16;
        let io = self.io();
        let mut actions = Vec::new();
        for _ in 0..TRIES {
            if let Some(action) = self.arm(&io) {
                actions.push(action);
                break;
            }
            actions.extend(self.heal());
        }
        actions
    }

    /// Over a file system: a pause, and the action after it.
    pub fn pause(&mut self) -> (Duration, Option<Action>) {
        let pause = Duration::from_millis(self.rng.u64(10..=150));
        let io = self.io();
        // Few of a file system's requests meet a fault. So there must be faults
        // most of the time, on one lower device after the other.
        let action = match self.rng.u8(..8) {
            0 => Some(Action::Suspend),
            // After this the whole mirror is synchronised again, which takes a
            // while.
            1..2 => self.heal(),
            2..4 if !self.mirror => self.heal(),
            _ => self.arm(&io),
        };
        (pause, action)
    }

    /// The next action towards a stack that is whole.
    fn heal(&mut self) -> Option<Action> {
        match self.mirror {
            true if self.doubtful.is_empty() => None,
            true => Some(self.mend()),
            false if self.armed.is_empty() => self.reinstate(),
            false => self.disarm(),
        }
    }

    /// Over a file system: the seed for the content of that round. It does not
    /// depend on what was drawn before.
    pub fn round(&self, round: u32) -> u32 {
        Rng::with_seed(self.seed ^ u64::from(round)).u32(1..)
    }

    /// The action that repairs everything.
    pub fn mend(&mut self) -> Action {
        let leg = self.doubtful();
        self.armed.clear();
        self.doubtful.clear();
        // With no leg in doubt the last one, since the others are synchronised
        // from the first.
        Action::Mend(leg.unwrap_or(self.legs.saturating_sub(1)))
    }

    /// The leg of a mirror that may have failed, if there is one.
    pub fn doubtful(&self) -> Option<u8> {
        self.doubtful.first().copied()
    }

    fn whole(&mut self, op: Op, before: Option<Action>) -> Step {
        let (sector, sectors) = self.area;
        let step = Step {
            index: self.index,
            before,
            io: Io {
                op,
                path: Path::Direct,
                dsync: false,
                sector,
                sectors,
                vector: Vector::Contiguous,
                requests: sectors.div_ceil(LONGEST) as u32,
                overlap: 0,
                submitters: 1,
            },
            meanwhile: None,
        };
        self.index += 1;
        step
    }

    fn io(&mut self) -> Io {
        let (from, all) = self.area;
        let longest = match self.rng.u8(..4) {
            0 => 8,
            1 => 64,
            _ => LONGEST,
        };
        let sectors = self.rng.u64(1..=longest.min(all));
        let sector = from + self.rng.u64(0..=all - sectors);
        let op = match self.rng.u8(..20) {
            0..10 => Op::Read,
            10..19 => Op::Write,
            _ => Op::Flush,
        };
        let path = match self.rng.u8(..4) {
            0 if op != Op::Flush => Path::Buffered,
            _ => Path::Direct,
        };
        let direct = path == Path::Direct;
        let vectors = [
            Vector::Contiguous,
            Vector::Pages,
            Vector::Odd,
            Vector::Offset,
        ];
        let vector = vectors[self.rng.usize(..vectors.len())];
        let deep = op != Op::Flush && self.rng.bool();
        let requests = self.rng.u64(1..=DEEPEST.min(sectors)) as u32;
        let dsync = self.rng.u8(..8) == 0;
        Io {
            op,
            path,
            dsync: dsync && direct && op == Op::Write,
            sector,
            sectors,
            vector: if direct { vector } else { Vector::Contiguous },
            requests: if deep { requests } else { 1 },
            overlap: 0,
            submitters: 1,
        }
    }

    /// An action that is possible now; `None` if the one that was drawn is not.
    fn action(&mut self, io: &Io) -> Option<Action> {
        match self.rng.u8(..10) {
            0..5 => self.arm(io),
            5 if !self.mirror => {
                let path = self.rng.u8(..self.legs);
                self.may_fail(path).then(|| {
                    self.doubtful.insert(path);
                    Action::FailPath(path)
                })
            }
            6 => Some(Action::Suspend),
            7 if !self.mirror => self.disarm(),
            _ if self.mirror => self.heal(),
            _ => self.reinstate(),
        }
    }

    /// Whether a lower device may fail now, that is whether another one stays
    /// good.
    fn may_fail(&self, leg: u8) -> bool {
        let known = self.doubtful.contains(&leg);
        match self.mirror {
            // A mirror forgets what a failed leg missed once another leg fails.
            true => known || self.doubtful.is_empty(),
            false => self.queues || known || self.doubtful.len() + 1 < usize::from(self.legs),
        }
    }

    /// Adds one fault, most often one that the I/O meets.
    fn arm(&mut self, io: &Io) -> Option<Action> {
        let leg = self.rng.u8(..self.legs);
        let meant = self.rng.u8(..4) != 0;
        let op = match (meant, io.op) {
            (true, Op::Read) => Op::Read,
            (true, _) => Op::Write,
            (false, _) if self.rng.bool() => Op::Read,
            (false, _) => Op::Write,
        };
        let (from, sectors) = match meant {
            true => (io.sector, io.sectors),
            false => self.area,
        };
        let sector = from + self.rng.u64(..sectors);
        let times = match self.rng.u32(..4) {
            0 => Times::Always,
            count => Times::Count(count),
        };
        if self.spread {
            return self.arm_all_over(leg, op, times);
        }
        let of_leg = self.armed.iter().filter(|fault| fault.leg == leg).count();
        let same = |fault: &Fault| (fault.leg, fault.op, fault.sector) == (leg, op, sector);
        if !self.may_fail(leg) || of_leg >= FAULTS || self.armed.iter().any(same) {
            return None;
        }
        self.doubtful.insert(leg);
        self.armed.push(Fault {
            leg,
            op,
            sector,
            times,
            errno: EIO,
            report: None,
        });
        Some(Action::Arm(self.armed.clone()))
    }

    /// Spreads faults all over a lower device that has none.
    fn arm_all_over(&mut self, leg: u8, op: Op, times: Times) -> Option<Action> {
        let (from, sectors) = self.area;
        let first = self.rng.u64(..SPREAD);
        if !self.may_fail(leg) || self.armed.iter().any(|fault| fault.leg == leg) {
            return None;
        }
        self.doubtful.insert(leg);
        let sectors = (from + first..from + sectors).step_by(SPREAD as usize);
        self.armed.extend(sectors.map(|sector| Fault {
            leg,
            op,
            sector,
            times,
            errno: EIO,
            report: None,
        }));
        Some(Action::Arm(self.armed.clone()))
    }

    /// Removes the faults of a path, which may stay failed.
    fn disarm(&mut self) -> Option<Action> {
        let fault = self.rng.usize(..self.armed.len().max(1));
        let path = self.armed.get(fault)?.leg;
        self.armed.retain(|fault| fault.leg != path);
        Some(Action::Arm(self.armed.clone()))
    }

    /// Reinstates a path without faults that may have failed.
    fn reinstate(&mut self) -> Option<Action> {
        let has_none = |path: &&u8| !self.armed.iter().any(|fault| fault.leg == **path);
        let paths: Vec<u8> = self.doubtful.iter().filter(has_none).copied().collect();
        let which = self.rng.usize(..paths.len().max(1));
        let path = *paths.get(which)?;
        self.doubtful.remove(&path);
        Some(Action::ReinstatePath(path))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Arm(faults) if faults.is_empty() => f.write_str("all faults are taken away"),
            Action::Arm(faults) if faults.len() > MANY => {
                let mut kinds: Vec<_> = faults.iter().map(|fault| (fault.leg, fault.op)).collect();
                kinds.dedup();
                write!(f, "armed are every {SPREAD}th sector, for")?;
                for (leg, op) in kinds {
                    let op = if op == Op::Read { "reads" } else { "writes" };
                    write!(f, " {op} on {leg}")?;
                }
                Ok(())
            }
            Action::Arm(faults) => {
                f.write_str("armed are ")?;
                for (index, fault) in faults.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    let Fault { leg, sector, .. } = fault;
                    let op = match fault.op {
                        Op::Read => "reads",
                        _ => "writes",
                    };
                    write!(f, "{comma}{op} of sector {sector} on {leg}")?;
                    if let Times::Count(times) = fault.times {
                        write!(f, " ({times} times)")?;
                    }
                }
                Ok(())
            }
            Action::FailPath(path) => write!(f, "path {path} is failed by message"),
            Action::ReinstatePath(path) => write!(f, "path {path} is reinstated by message"),
            Action::Suspend => f.write_str("the device is suspended without flush, and resumed"),
            Action::Mend(leg) => write!(f, "all faults are taken away, {leg} is mended"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: ", self.index)?;
        if let Some(action) = &self.before {
            write!(f, "{action}; then ")?;
        }
        write!(f, "{}", self.io)?;
        match &self.meanwhile {
            Some(action) => write!(f, "; meanwhile {action}"),
            None => Ok(()),
        }
    }
}
