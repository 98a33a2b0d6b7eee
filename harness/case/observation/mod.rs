//! Everything that was seen while a case ran. It is plain data: it is recorded
//! with a failure, and judged again whenever the judge gets better.

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
    /// A leg of the mirror or a path of the multipath, by its index.
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
    /// At the device model, above blkdebug: what the guest asked for and the
    /// answer it got (QEMU's trace log).
    Device,
    /// At the medium, beneath blkdebug: what was let through (the project's own
    /// NBD server).
    Medium,
}

/// The operation of a request to a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Reads sectors from the medium.
    Read,
    /// Writes sectors to the medium.
    Write,
    /// Flushes the disk's volatile cache.
    Flush,
    /// Discards (unmaps) sectors.
    Discard,
    /// Writes zeros without sending them.
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

/// One request that reached a leg, by the host's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position among all entries of one layer, in the order of arrival.
    pub order: u64,
    /// The disk that got the request.
    pub member: Member,
    /// The layer at which it was seen.
    pub layer: Layer,
    /// The operation that was asked for.
    pub command: Command,
    /// First 512-byte sector on the disk; no meaning for a flush.
    pub sector: u64,
    /// Length in 512-byte sectors.
    pub sectors: u64,
    /// 0, or the errno as a negative number; `None` while there is no answer.
    pub result: Option<i32>,
    /// What the SCSI target says of the command; `None` on other controllers.
    #[serde(default, alias = "told", skip_serializing_if = "Option::is_none")]
    pub target_reply: Option<TargetReply>,
}

/// What the project's own SCSI target did with a command, and what it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetReply {
    /// Operation code of the command (SCSI).
    pub opcode: u8,
    /// 512-byte sectors that it transferred, from the command's first sector
    /// on.
    pub good: u64,
    /// Status and sense data that it answered with.
    pub answer: Reply,
    /// Residual in bytes, as reported to the guest.
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
    /// The disk that was examined.
    pub member: Member,
    /// First 512-byte sector on the disk that was examined; [`Span::at`] counts
    /// from here.
    pub sector: u64,
    /// The content of the examined range.
    pub spans: Vec<Span>,
    /// Sectors outside of the examined range that were written during the case,
    /// as (first, count).
    pub strays: Vec<(u64, u64)>,
}

/// A mirror's log as it lies on its disk, seen from the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirtyLog {
    /// Number of regions in the log; 0 if there is no log on the disk.
    pub regions: u64,
    /// Numbers of the clean regions. After a restart the legs count as equal
    /// there.
    pub clean: Vec<u64>,
}

/// Whether the guest still lived at the end, or how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Liveness {
    /// It answers, and the stack was taken down.
    Alive,
    /// It answers, but the stack could not be taken down.
    Dirty(String),
    /// It did not answer in the time it was given.
    Silent,
    /// QEMU exited by itself, as it does when the guest panics.
    Exited(String),
}

/// What an operator, dmeventd or multipathd did while the target held an I/O.
/// For a mirror: suspend without flush, load a table without the failed legs,
/// resume. For multipath: reinstate one path after the other, and give up in
/// the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// Status of the stack before the repair.
    pub status: DmStatus,
    /// What was done, in order: a new table's target type and parameters, or
    /// messages to the target.
    #[serde(alias = "deeds")]
    pub interventions: Vec<String>,
    /// State of the I/O after the repair.
    pub io: IoState,
}

/// Something that the harness did while the I/O was pending, acting as an
/// operator, a daemon or the hardware. It may have brought a request back that
/// the kernel would not have brought back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intervention {
    /// `fail_path` of that disk.
    FailPath(u8),
    /// `reinstate_path` of that disk.
    ReinstatePath(u8),
    /// `fail_if_no_path` was sent to the multipath, or to the one that is this
    /// leg of a mirror.
    GiveUp(u8),
    /// The HBA of that disk, which was lost, is back.
    HbaBack(u8),
    /// That disk, which had left a command without an answer, was reset.
    Reset(u8),
    /// The stack was suspended.
    Suspend,
    /// A table was loaded.
    Load,
    /// The stack was resumed, with the new table if there is one.
    Resume,
    /// The hold with this index in the case released its request.
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

/// What a suspension without flush and a resume showed of an I/O that had not
/// come back in time although the mirror showed every leg as good. All faults
/// were off by then. A suspension makes a mirror give back everything that it
/// holds (`mirror_presuspend`). This is no repair, since there was nothing to
/// repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterSuspend {
    /// Status of the stack afterwards; `None` if the suspension never ended.
    pub status: Option<DmStatus>,
    /// State of the I/O afterwards.
    pub io: IoState,
}

/// What became of a disk that was unplugged with a request in flight, once the
/// I/O had come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplugged {
    /// Whether the guest removed the disk from its list of disks.
    pub gone: bool,
    /// The disk after it was plugged in again; `None` if it was not.
    pub again: Option<PluggedAgain>,
}

/// A disk that was plugged in again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluggedAgain {
    /// The disk as the guest names it now.
    pub disk: Disk,
    /// Status of the stack after its table was loaded again with this disk.
    pub status: DmStatus,
    /// State of a read of the I/O's whole range after that.
    pub io: IoState,
    /// What reached the disks since this disk was back.
    pub journal: Vec<Entry>,
}

/// What a kernel wrote on its console and in its log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelText {
    /// The console: urgent messages only, but everything from a kernel that
    /// dies.
    pub console: String,
    /// The log, which has the other messages too.
    pub log: Vec<KernelMessage>,
}

impl KernelText {
    /// Whether the kernel wrote nothing.
    pub fn is_empty(&self) -> bool {
        self.console.is_empty() && self.log.is_empty()
    }

    /// The most telling crash in the text.
    pub fn crash(&self) -> Option<Crash> {
        crash_in(&self.log, &self.console)
    }
}

/// Finds a crash. The log has all lines of a report; the console of a kernel
/// that lives has only the urgent ones.
fn crash_in<'m>(log: impl IntoIterator<Item = &'m KernelMessage>, console: &str) -> Option<Crash> {
    let lines: Vec<&str> = (log.into_iter())
        .map(|message| message.text.as_str())
        .collect();
    crash::find_in(&[&lines.join("\n"), console])
}

/// Everything that was seen while a case ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The case's seed. Every sector's content is derived from it.
    pub seed: u64,
    /// Kernel release of the guest (`uname -r`).
    pub release: String,
    /// The guest's disks, with their limits from before the case.
    pub disks: Vec<(Member, Disk)>,
    /// The dm device, with its limits.
    pub dm: Option<(Dev, Limits)>,
    /// The step of the set-up that the guest refused, if it did.
    pub refusal: Option<Refusal>,
    /// What reached the disks while the stack was set up. Only recorded for
    /// cases in which something fails then.
    #[serde(default)]
    pub set_up: Vec<Entry>,
    /// The event counter of the stack's device before the I/O; each event of
    /// device-mapper increments it.
    #[serde(default)]
    pub events_before: Option<u32>,
    /// What was done while a request was held, in words; `None` if none was
    /// held.
    #[serde(default)]
    pub meanwhile: Option<Vec<String>>,
    /// What became of a disk that was unplugged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unplugged: Option<Unplugged>,
    /// The resets of disks that gave no answer, in words.
    #[serde(default, alias = "relief", skip_serializing_if = "Vec::is_empty")]
    pub unit_resets: Vec<String>,
    /// How often the machine stopped because a disk failed a request
    /// (`rerror=stop,werror=stop`).
    #[serde(default)]
    pub stops: u32,
    /// What was seen of a soak. `io` is then its last I/O, and the trace that
    /// of its last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<soak::Seen>,
    /// What the harness did while the I/O was pending, in order; the `after` of
    /// each request counts these. `None` in records from before this was
    /// recorded.
    #[serde(default, alias = "deeds", skip_serializing_if = "Option::is_none")]
    pub interventions: Option<Vec<Intervention>>,
    /// State of the application's I/O; `None` if it was never submitted.
    pub io: Option<IoState>,
    /// Status of the stack after the I/O, before the stack is taken down.
    pub status: Option<DmStatus>,
    /// The same status for each multipath that is a leg of a mirror.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beneath: Vec<DmStatus>,
    /// The table of a multipath as the kernel shows it. Only recorded if the
    /// case has a feature that shows nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// What was done about a write that the mirror held, or an I/O that waited
    /// for a path.
    pub repair: Option<Repair>,
    /// What a last look showed at an I/O that never came back.
    #[serde(default, alias = "prodded", skip_serializing_if = "Option::is_none")]
    pub after_suspend: Option<AfterSuspend>,
    /// The guest's traces and kernel messages.
    pub seen: Seen,
    /// What reached the legs, from all layers.
    pub journal: Vec<Entry>,
    /// What lies on the legs after the case.
    pub media: Vec<Medium>,
    /// What lies on the log's disk after the case; `None` for mirrors without
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<DirtyLog>,
    /// What the kernel logged outside of the watched time: while the stack was
    /// set up, and taken down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub around: Vec<KernelMessage>,
    /// New text on the guest's console during the case.
    pub console: String,
    /// What the kernel wrote between the end of the case before and the start
    /// of this one.
    #[serde(default, skip_serializing_if = "KernelText::is_empty")]
    pub left: KernelText,
    /// The status at the end, after all disks had been in order for as long as
    /// multipathd may take to notice. Only recorded for cases with multipathd.
    #[serde(default, alias = "tended", skip_serializing_if = "Option::is_none")]
    pub status_at_end: Option<DmStatus>,
    /// New text on QEMU's stderr.
    pub qemu_stderr: String,
    /// Whether the guest was still alive at the end.
    pub liveness: Liveness,
}

impl Observation {
    /// The last known state of the I/O: the one after a repair, if there was
    /// one.
    pub fn last_io(&self) -> Option<&IoState> {
        match &self.repair {
            Some(repair) => Some(&repair.io),
            None => self.io.as_ref(),
        }
    }

    /// The most telling crash in what the kernel wrote during the case, on its
    /// console or in its log.
    pub fn crash(&self) -> Option<Crash> {
        let mut log: Vec<&KernelMessage> = self.around.iter().chain(&self.seen.log).collect();
        log.sort_by_key(|message| message.micros);
        crash_in(log, &self.console)
    }
}
