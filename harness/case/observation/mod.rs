//! All that was seen of a case: plain data, recorded with a failure and judged
//! again whenever the judge gets better.

use halfway_crash::{self as crash, Crash};
pub mod soak;

use halfway_protocol::content::Span;
use halfway_protocol::io::{IoState, Op};
use halfway_protocol::message::{Disk, DmStatus, KernelMessage, Limits, Refusal, Seen};
use halfway_protocol::trace::Dev;
use halfway_scsi::Reply;
use serde::{Deserialize, Serialize};

/// Which lower device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Member {
    /// A leg of the mirror.
    Leg(u8),
    /// The disk of the mirror's log.
    Log,
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Member::Leg(leg) => write!(f, "leg {leg}"),
            Member::Log => f.write_str("the log"),
        }
    }
}

/// Where on the host a journal entry was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// At the device model, above blkdebug: what the guest asked for and what
    /// it was answered (QEMU's trace log).
    Device,
    /// At the medium, beneath blkdebug: what was let through (our NBD server).
    Medium,
}

/// What a leg was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Read.
    Read,
    /// Write.
    Write,
    /// Flush.
    Flush,
    /// Discard.
    Discard,
    /// Write zeroes.
    WriteZeroes,
}

impl From<Op> for Command {
    fn from(op: Op) -> Self {
        match op {
            Op::Read => Command::Read,
            Op::Write => Command::Write,
            Op::Flush => Command::Flush,
            Op::Discard => Command::Discard,
            Op::WriteZeroes => Command::WriteZeroes,
        }
    }
}

/// One request that reached a leg, by the host's own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position among all entries of one layer, by arrival.
    pub order: u64,
    /// Which disk.
    pub member: Member,
    /// Where it was seen.
    pub layer: Layer,
    /// What it was.
    pub command: Command,
    /// First sector on the disk (of no meaning for a flush).
    pub sector: u64,
    /// Sectors.
    pub sectors: u64,
    /// 0, the errno as a negative number, or `None` while it has no answer.
    pub result: Option<i32>,
    /// Its own words, where it is the target of our own that was asked.
    #[serde(default, alias = "told", skip_serializing_if = "Option::is_none")]
    pub target_reply: Option<TargetReply>,
}

/// What a target of our own did with a command, and what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetReply {
    /// Operation code of the command.
    pub opcode: u8,
    /// Sectors that it moved, from the command's first on.
    pub good: u64,
    /// What it answered.
    pub answer: Reply,
    /// Residual in bytes, as it was told.
    pub residual: u32,
}

impl std::fmt::Display for TargetReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} good, {}, residual {}",
            self.good, self.answer, self.residual
        )
    }
}

/// What lies on a leg in a range, seen from the host, without the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medium {
    /// Which disk.
    pub member: Member,
    /// First sector that was examined, on the disk; [`Span::at`] counts from
    /// here.
    pub sector: u64,
    /// What is there.
    pub spans: Vec<Span>,
    /// Sectors outside of the examined range that were written in the case,
    /// as (first, count).
    pub strays: Vec<(u64, u64)>,
}

/// What a mirror's log says of itself on its disk, seen from the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirtyLog {
    /// Regions that it counts; 0 where no log lies there.
    pub regions: u64,
    /// Of these the clean ones: after a restart their legs are taken for alike.
    pub clean: Vec<u64>,
}

/// How the guest ended, if it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Liveness {
    /// It answers, and the stack was taken down.
    Alive,
    /// It answers, but the stack could not be taken down.
    Dirty(String),
    /// It no longer answered in the time it was given.
    Silent,
    /// QEMU ended by itself, as the guest does when it panics.
    Exited(String),
}

/// What an operator, dmeventd or multipathd, did while the target held an I/O:
/// for a mirror, suspend without flush, load a table without the failed legs,
/// resume; for multipath, reinstate one path after the other, and give up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// Status before it.
    pub status: DmStatus,
    /// What was done, in order: a new table's target type and parameters, or
    /// messages.
    #[serde(alias = "interventions")]
    pub interventions: Vec<String>,
    /// State of the I/O after it.
    pub io: IoState,
}

/// Something that the harness did while the I/O was pending, in the part of an operator,
/// a daemon or the hardware: what may have brought a request back, and was not the
/// kernel's own doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intervention {
    /// `fail_path` of that disk.
    FailPath(u8),
    /// `reinstate_path` of that disk.
    ReinstatePath(u8),
    /// `fail_if_no_path` to the multipath, or to that of this leg of a mirror.
    GiveUp(u8),
    /// The HBA of that disk, which was lost, is there again.
    HbaBack(u8),
    /// A reset of that disk, which had left a command without an answer.
    Reset(u8),
    /// The stack was suspended.
    Suspend,
    /// A table was loaded.
    Load,
    /// The stack was resumed, with the new table if there is one.
    Resume,
    /// The request that this one of the case's holds kept at its disk was let go.
    Release(u8),
}

impl std::fmt::Display for Intervention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Intervention::FailPath(disk) => write!(f, "fail_path of disk {disk}"),
            Intervention::ReinstatePath(disk) => write!(f, "reinstate_path of disk {disk}"),
            Intervention::GiveUp(leg) => write!(f, "fail_if_no_path of the multipath of leg {leg}"),
            Intervention::HbaBack(disk) => write!(f, "the return of the HBA of disk {disk}"),
            Intervention::Reset(disk) => write!(f, "the reset of disk {disk}"),
            Intervention::Suspend => f.write_str("suspend"),
            Intervention::Load => f.write_str("the load of a table"),
            Intervention::Resume => f.write_str("resume"),
            Intervention::Release(hold) => write!(f, "the release of hold {hold}"),
        }
    }
}

/// What a suspension without flush and a resume, with all faults off, showed of an I/O that
/// had not come back in its time though the mirror called every leg good. They make a
/// mirror give back all that it holds (`mirror_presuspend`). No repair: nobody had a reason
/// for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterSuspend {
    /// Status after it; `None` where the suspension never ended.
    pub status: Option<DmStatus>,
    /// State of the I/O after it.
    pub io: IoState,
}

/// What came of a disk that was unplugged with a request in flight, once the I/O
/// had come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplugged {
    /// Whether the guest took it from its list of disks.
    pub gone: bool,
    /// The disk plugged again; `None` while it was not.
    pub again: Option<PluggedAgain>,
}

/// A disk that was plugged again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluggedAgain {
    /// What the guest calls it now.
    pub disk: Disk,
    /// Status of the stack after its table was loaded again with this disk.
    pub status: DmStatus,
    /// A read of the whole range of the I/O, after that.
    pub io: IoState,
    /// What reached the disks since the disk was back.
    pub journal: Vec<Entry>,
}

/// What a kernel said, on its console and in its log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelText {
    /// The console: what is urgent, and of a kernel that dies all of it.
    pub console: String,
    /// The log, which has the rest too.
    pub log: Vec<KernelMessage>,
}

impl KernelText {
    /// Whether it said nothing.
    pub fn is_empty(&self) -> bool {
        self.console.is_empty() && self.log.is_empty()
    }

    /// The most telling crash in it.
    pub fn crash(&self) -> Option<Crash> {
        crash_in(&self.log, &self.console)
    }
}

/// The log has all lines of a report, the console of a kernel that lives the urgent
/// ones.
fn crash_in<'m>(log: impl IntoIterator<Item = &'m KernelMessage>, console: &str) -> Option<Crash> {
    let lines: Vec<&str> = (log.into_iter())
        .map(|message| message.text.as_str())
        .collect();
    crash::find_in(&[&lines.join("\n"), console])
}

/// All that was seen of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The case's seed: every sector's content is derived from it.
    pub seed: u64,
    /// Kernel release of the guest.
    pub release: String,
    /// The guest's disks, with the limits they have before the case.
    pub disks: Vec<(Member, Disk)>,
    /// The dm device.
    pub dm: Option<(Dev, Limits)>,
    /// What the guest refused of the set-up, if it did.
    pub refusal: Option<Refusal>,
    /// What reached the disks while the stack was set up, in cases in which
    /// something fails then.
    #[serde(default)]
    pub set_up: Vec<Entry>,
    /// The stack's event counter before the I/O.
    #[serde(default)]
    pub events_before: Option<u32>,
    /// What was done while a request was held; `None` if none was.
    #[serde(default)]
    pub meanwhile: Option<Vec<String>>,
    /// What came of a disk that was unplugged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unplugged: Option<Unplugged>,
    /// What was done about disks that gave no answer.
    #[serde(default, alias = "unit_resets", skip_serializing_if = "Vec::is_empty")]
    pub unit_resets: Vec<String>,
    /// How often the machine stopped because a disk failed.
    #[serde(default)]
    pub stops: u32,
    /// What was seen of a soak; `io` is its last I/O then, and the trace that of
    /// its last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<soak::Seen>,
    /// What the harness did while the I/O was pending, in order: the `after` of each
    /// request counts these. `None` in records from before that was told.
    #[serde(
        default,
        alias = "interventions",
        skip_serializing_if = "Option::is_none"
    )]
    pub interventions: Option<Vec<Intervention>>,
    /// The I/O.
    pub io: Option<IoState>,
    /// Status of the stack after the I/O, before it is taken down.
    pub status: Option<DmStatus>,
    /// The same of the multipaths that a mirror's legs are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beneath: Vec<DmStatus>,
    /// The table of a multipath as the kernel shows it, where a feature of it is
    /// seen nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// What was done about a held write.
    pub repair: Option<Repair>,
    /// What a last look at an I/O that never came back showed.
    #[serde(
        default,
        alias = "after_suspend",
        skip_serializing_if = "Option::is_none"
    )]
    pub after_suspend: Option<AfterSuspend>,
    /// The guest's traces and kernel messages.
    pub seen: Seen,
    /// What reached the legs.
    pub journal: Vec<Entry>,
    /// What lies on the legs afterwards.
    pub media: Vec<Medium>,
    /// What lies on the log's disk afterwards, of mirrors that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<DirtyLog>,
    /// What the kernel logged of the case outside of the watch: while its stack was
    /// set up, and taken down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub around: Vec<KernelMessage>,
    /// New text on the guest's console.
    pub console: String,
    /// What the kernel said before the case began and after the one before it had
    /// ended.
    #[serde(default, skip_serializing_if = "KernelText::is_empty")]
    pub left: KernelText,
    /// The status at the end, when all disks had been in order again for as long as
    /// multipathd may take to see it; of a case that has one.
    #[serde(default, alias = "tended", skip_serializing_if = "Option::is_none")]
    pub status_at_end: Option<DmStatus>,
    /// New text on QEMU's stderr.
    pub qemu_stderr: String,
    /// Whether the guest still lives.
    pub liveness: Liveness,
}

impl Observation {
    /// The I/O's last known state: the one after a repair, if there was one.
    pub fn last_io(&self) -> Option<&IoState> {
        match &self.repair {
            Some(repair) => Some(&repair.io),
            None => self.io.as_ref(),
        }
    }

    /// The most telling crash in what the kernel said of the case, on its console or
    /// in its log.
    pub fn crash(&self) -> Option<Crash> {
        let mut log: Vec<&KernelMessage> = self.around.iter().chain(&self.seen.log).collect();
        log.sort_by_key(|message| message.micros);
        crash_in(log, &self.console)
    }
}
