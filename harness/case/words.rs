//! The parts of a case in words, for lists and explanations.

use crate::errno::errno_name;
use crate::{
    Case, Controller, Disk, During, Ending, Fault, Filesystem, Hold, Io, Legs, Length, OnError,
    OtherFault, Sabotage, Soak, Stack, Times, Vector,
};
use halfway_protocol::io::{Op, Path};
use halfway_scsi::FaultReport;
use halfway_scsi::Part;
use std::fmt::{Display, Formatter, Result};

/// Something about lower devices, with the stack that decides how they are
/// named.
pub struct Lower<'a, T>(pub &'a T, pub &'a Stack);

/// The lower devices, named as by [`Stack::lower`].
impl Display for Lower<'_, Legs> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Lower(legs, stack) = *self;
        let paths = stack.nested().map_or(1, |paths| paths.count);
        let (count, lower) = (legs.count / paths, stack.lower());
        write!(f, "{count} {lower}s of {} sectors", legs.sectors)?;
        match legs.offset.as_slice() {
            [] | [0] => {}
            [first, rest @ ..] if rest.iter().all(|offset| offset == first) => {
                if *first > 0 {
                    write!(f, " at sector {first}")?;
                }
            }
            offsets => {
                let offsets: Vec<String> = offsets.iter().map(u64::to_string).collect();
                write!(f, " at sectors {}", offsets.join(", "))?;
            }
        }
        if legs.controller != Controller::default() {
            write!(f, " on {}", legs.controller)?;
        }
        if legs.block() > 1 {
            write!(f, ", {}-byte blocks", legs.logical_block_size)?;
        }
        if let Some(kib) = legs.max_sectors_kb {
            write!(f, ", split at {kib} KiB")?;
        }
        if let Some(sectors) = legs.max_transfer {
            write!(f, ", done {sectors} sectors at a time")?;
        }
        match legs.on_error {
            OnError::Report => Ok(()),
            OnError::Stop => f.write_str(", whose errors stop the machine"),
        }
    }
}

impl Display for Io {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let path = match self.path {
            Path::Direct => "direct",
            Path::Buffered => "buffered",
        };
        let sectors = plural(self.sectors, "sector");
        write!(
            f,
            "a {path}{} {} of {sectors} at sector {}",
            if self.dsync { " O_DSYNC" } else { "" },
            op(self.op),
            self.sector
        )?;
        if self.requests > 1 {
            write!(f, " in {} requests", self.requests)?;
        }
        if self.overlap > 0 {
            write!(f, " that overlap by {}", plural(self.overlap, "sector"))?;
        }
        if self.submitters > 1 {
            write!(f, " of {} submitters", self.submitters)?;
        }
        match self.path {
            Path::Direct => write!(f, ", {}", self.vector),
            Path::Buffered => Ok(()),
        }
    }
}

impl Display for Vector {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Vector::Contiguous => "one contiguous buffer",
            Vector::Pages => "scattered pages",
            Vector::Odd => "segments of odd lengths",
            Vector::Offset => "one buffer 512 bytes into its page",
            Vector::Unaligned => "one buffer 4 bytes into its page",
        })
    }
}

impl Display for Lower<'_, Fault> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Lower(fault, stack) = *self;
        let (op, lower) = (op(fault.op), stack.disk_name(fault.leg));
        if fault.report == Some(FaultReport::Gone(Part::Nothing)) {
            write!(f, "{lower} is gone")?;
            return back(fault, f);
        }
        write!(f, "{lower} fails ")?;
        // An HBA that is gone fails all requests until it is back, so the words
        // say so.
        let gone = fault.report.is_some_and(FaultReport::is_gone);
        let times = if gone { Times::Always } else { fault.times };
        match (times, fault.op) {
            (Times::Always, Op::Flush) => write!(f, "every {op}")?,
            (Times::Count(1), Op::Flush) => write!(f, "the first {op}")?,
            (Times::Count(n), Op::Flush) => write!(f, "the first {n} {op}es")?,
            (Times::Always, _) => write!(f, "every {op} that covers")?,
            (Times::Count(1), _) => write!(f, "the first {op} that covers")?,
            (Times::Count(n), _) => write!(f, "the first {n} {op}s that cover")?,
        }
        if fault.op != Op::Flush {
            write!(f, " sector {}", fault.sector)?;
        }
        match (fault.report, errno_name(fault.errno)) {
            (Some(report), _) => {
                write!(f, " with {report}")?;
                back(fault, f)
            }
            (None, Some(name)) => write!(f, " with {name}"),
            (None, None) => write!(f, " with errno {}", fault.errno),
        }
    }
}

/// Writes whether an HBA that is gone comes back.
fn back(fault: &Fault, f: &mut Formatter<'_>) -> Result {
    let gone = fault.report.is_some_and(FaultReport::is_gone);
    match gone && fault.times != Times::Always {
        true => f.write_str(" until it is reinstated"),
        false => Ok(()),
    }
}

/// A fault that the I/O's own requests to the legs do not meet.
impl Display for Lower<'_, OtherFault> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Lower(other, stack) = *self;
        match other.disk {
            Disk::Leg => Lower(&other.fault, stack).fmt(f)?,
            Disk::Log => write!(f, "the log fails its {}s", op(other.fault.op))?,
        }
        f.write_str(match other.during {
            During::Io => "",
            During::SetUp => ", while the mirror is set up",
        })
    }
}

/// A request that is held.
impl Display for Lower<'_, Hold> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Lower(hold, stack) = *self;
        write!(
            f,
            "{} holds what covers sector {}",
            stack.disk_name(hold.leg),
            hold.sector
        )?;
        f.write_str(hold.meanwhile.profile().words)?;
        f.write_str(match hold.then {
            Ending::Ok => ", and then does it",
            Ending::Eio => ", and then fails it with EIO",
        })
    }
}

impl Display for Soak {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("a random mix of I/O and failures, ")?;
        match self.length {
            Length::Count(count) => write!(f, "{}", plural(count.into(), "I/O")),
            Length::Seconds(seconds) => write!(f, "{}", plural(seconds.into(), "second")),
        }?;
        match self.filesystem {
            Filesystem::None => Ok(()),
            other => write!(f, ", with {} on top", other.name()),
        }
    }
}

impl Display for Sabotage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Sabotage::GuestPanic => "the guest kernel is made to panic during the I/O",
            Sabotage::GuestSilence => "the guest agent is made to fall silent",
            Sabotage::QemuKill => "QEMU is killed during the first attempt",
            Sabotage::GuestComplaint => {
                "the guest's kernel log has a complaint while the stack is set up"
            }
            Sabotage::FaultMissed => "the fault is armed on a sector that nothing touches",
        })
    }
}

impl Case {
    /// The order in which several held requests are released, in words; `None`
    /// if there is only one.
    pub fn let_go(&self) -> Option<String> {
        let order = Hold::order(&self.holds).into_iter();
        let sectors: Vec<String> = order
            .map(|index| {
                let hold = &self.holds[index];
                format!("{} of {} {}", hold.sector, self.stack.lower(), hold.leg)
            })
            .collect();
        (sectors.len() > 1).then(|| format!("let go in this order: {}", sectors.join(", ")))
    }
}

/// The whole case in one line.
impl Display for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let legs = Lower(&self.legs, &self.stack);
        write!(f, "{}", self.stack)?;
        if let Some(sectors) = self.linear {
            write!(f, ", beneath linear segments of {sectors} sectors")?;
        }
        write!(f, "; {legs}; ")?;
        if let Some(soak) = &self.soak {
            let Io {
                sector, sectors, ..
            } = self.io;
            return write!(f, "{soak} on sectors {sector}+{sectors}");
        }
        write!(f, "{}", self.io)?;
        if self.faults.is_empty() && self.other_faults.is_empty() && self.holds.is_empty() {
            f.write_str("; no fault")?;
        }
        for fault in &self.faults {
            write!(f, "; {}", Lower(fault, &self.stack))?;
        }
        for other in &self.other_faults {
            write!(f, "; {}", Lower(other, &self.stack))?;
        }
        for hold in &self.holds {
            write!(f, "; {}", Lower(hold, &self.stack))?;
        }
        if let Some(order) = self.let_go() {
            write!(f, "; {order}")?;
        }
        match &self.sabotage {
            Some(sabotage) => write!(f, "; {sabotage}"),
            None => Ok(()),
        }
    }
}

fn op(op: Op) -> &'static str {
    match op {
        Op::Read => "read",
        Op::Write => "write",
        Op::Flush => "flush",
        Op::Discard => "discard",
        Op::WriteZeroes => "write-zeroes",
    }
}

fn plural(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
