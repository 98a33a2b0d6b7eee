//! The calls that the harness makes and the answers of the agent.

use crate::bio::BioTrace;
use crate::facility::Facility;
use crate::io::{IoRequest, IoState};
use crate::trace::{Dev, TraceEvent};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The agent's first line, once it is ready for calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::VERSION`] of the agent.
    pub protocol: u32,
    /// `uname -r`.
    pub release: String,
    /// `uname -v`: build number and date.
    pub version: String,
    /// `/proc/cmdline`.
    pub cmdline: String,
    /// Memory of the guest in KiB (`MemTotal`).
    pub memory_kib: u64,
    /// Modules that were loaded, in that order.
    pub modules: Vec<String>,
    /// Trace events that this kernel has, of those that Halfway watches.
    pub events: Vec<String>,
    /// What this kernel was built without.
    pub lacking: Vec<Facility>,
    /// What did not work while the agent came up; empty on a healthy guest.
    pub trouble: Vec<String>,
}

/// A disk of the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The serial number that the harness gave it: names are not stable.
    pub serial: String,
    /// Kernel name, such as `vda`.
    pub name: String,
    /// Its number.
    pub dev: Dev,
    /// Size in sectors.
    pub sectors: u64,
    /// Its queue limits.
    pub limits: Limits,
}

/// Queue limits as `/sys/block/*/queue` gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// `logical_block_size` in bytes.
    pub logical_block_size: u32,
    /// `max_sectors_kb`.
    pub max_sectors_kb: u32,
    /// `max_hw_sectors_kb`, above which the kernel takes no `max_sectors_kb`; 0 in
    /// records of before.
    #[serde(default)]
    pub max_hw_sectors_kb: u32,
    /// `max_segments`.
    pub max_segments: u32,
    /// `dma_alignment` (a mask), which kernels show since 6.0.
    pub dma_alignment: Option<u32>,
}

/// One line of a device-mapper table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// First sector on the dm device.
    pub start: u64,
    /// Length in sectors.
    pub sectors: u64,
    /// Target type, such as `mirror`.
    pub kind: String,
    /// Parameters; `{SERIAL}` stands for the number of the disk with that
    /// serial, or of a driver of ours that has taken it.
    pub params: String,
}

/// What device-mapper says of a device (`DM_TABLE_STATUS`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmStatus {
    /// Status line of each target.
    pub targets: Vec<String>,
    /// The event counter.
    pub event: u32,
    /// `DM_SUSPEND_FLAG`.
    pub suspended: bool,
}

/// What the agent can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Request {
    /// Name the disks that have a serial number. Answer: [`Reply::Disks`].
    Disks,
    /// Create a dm device, load its table and resume it. Whatever was made of
    /// it before an error is taken away again. Answer: [`Reply::Created`].
    DmCreate {
        /// Name below `/dev/mapper`.
        name: String,
        /// Table.
        table: Vec<Target>,
    },
    /// Find a dm device that somebody else in the guest made. Answer:
    /// [`Reply::Created`].
    DmFind {
        /// Name of the device.
        name: String,
    },
    /// Load a table into the inactive slot. Answer: [`Reply::Done`].
    DmLoad {
        /// Name of the device.
        name: String,
        /// Table.
        table: Vec<Target>,
    },
    /// Suspend. Answer: [`Reply::Done`].
    DmSuspend {
        /// Name of the device.
        name: String,
        /// `DM_NOFLUSH_FLAG`: I/O in flight is requeued instead of waited for.
        noflush: bool,
    },
    /// Resume, with the new table if one was loaded. Answer: [`Reply::Done`].
    DmResume {
        /// Name of the device.
        name: String,
    },
    /// Send a message to the target at `sector`. Answer: [`Reply::Done`].
    DmMessage {
        /// Name of the device.
        name: String,
        /// A sector of the target that is meant.
        sector: u64,
        /// The message; `{SERIAL}` is as in a table.
        message: String,
    },
    /// Ask for the status. Answer: [`Reply::Status`].
    DmStatus {
        /// Name of the device.
        name: String,
    },
    /// Ask for the table, as `dmsetup table` shows it. Answer: [`Reply::Status`].
    DmTable {
        /// Name of the device.
        name: String,
    },
    /// Remove the device. Answer: [`Reply::Done`].
    DmRemove {
        /// Name of the device.
        name: String,
    },
    /// Read, or write and read back, an attribute in a block device's sysfs
    /// directory. Answer: [`Reply::Text`] with what is there afterwards.
    Attribute {
        /// Serial of the disk, or name of the dm device.
        device: String,
        /// Path below `/sys/block/X/`, such as `queue/max_sectors_kb`.
        attribute: String,
        /// What to write.
        value: Option<String>,
    },
    /// Reset a SCSI disk's logical unit (`SG_SCSI_RESET`), which gives back what it
    /// has not answered. Answer: [`Reply::Done`].
    ScsiReset {
        /// Serial of the disk.
        disk: String,
        /// Take it offline first.
        offline: bool,
    },
    /// Forget all trace events and kernel messages up to now and watch from
    /// here. Answer: [`Reply::Done`].
    Watch {
        /// Watch every bio too, and so many entries of its vector (at most
        /// [`crate::bio::LONGEST`]).
        bios: Option<u32>,
    },
    /// Stop watching; give what was seen. Answer: [`Reply::Seen`].
    Collect,
    /// Give all that the kernel has logged since this was last asked, or since it
    /// booted. Answer: [`Reply::Log`].
    KernelLog,
    /// Start an I/O; it runs while other calls are answered. One at a time.
    /// Answer: [`Reply::Done`] as soon as it was started.
    IoStart(IoRequest),
    /// Wait for the I/O. Answer: [`Reply::Io`].
    IoWait {
        /// Give up after that many milliseconds.
        deadline_ms: u64,
        /// Come back earlier when for that many milliseconds no disk had
        /// anything in flight ([`IoState::Quiet`]).
        quiet_ms: Option<u64>,
    },
    /// Something is about to be done that may bring the I/O back: from here on what
    /// comes back comes after so many interventions. Starting an I/O begins with 0. Answer:
    /// [`Reply::Done`].
    Intervention {
        /// How many there are, with this one.
        number: u32,
    },
    /// Start a program of the guest's own; it runs while other calls are
    /// answered. One at a time. Answer: [`Reply::Done`].
    ProgramStart {
        /// Name of the dm device (or serial of a disk) that `{}` stands for in
        /// its arguments.
        device: String,
        /// Absolute path and arguments.
        argv: Vec<String>,
        /// Variables of its environment.
        env: Vec<(String, String)>,
    },
    /// Wait for the program. Answer: [`Reply::Program`].
    ProgramWait {
        /// Give up after that many milliseconds.
        deadline_ms: u64,
    },
    /// Ask the program to end (`SIGTERM`). Answer: [`Reply::Done`].
    ProgramEnd,
    /// Write a file, and make the directories that it lies in. Answer:
    /// [`Reply::Done`].
    WriteFile {
        /// Absolute path.
        path: String,
        /// All that is in it afterwards.
        text: String,
    },
    /// Mount a file system at `/mnt`. Answer: [`Reply::Done`].
    Mount {
        /// Name of the dm device, or serial of a disk.
        device: String,
        /// Its type, such as `ext4`.
        filesystem: String,
    },
    /// Unmount it. Answer: [`Reply::Done`].
    Unmount,
    /// Break the guest on purpose, to prove that it is noticed. No answer.
    Sabotage {
        /// In which way.
        how: Sabotage,
    },
    /// Serve a [session](crate::session) with `/bin/sh` on the virtio-serial port of
    /// that name. Answer: [`Reply::Done`], as soon as that waits for its start.
    Shell {
        /// Name of the port.
        port: String,
    },
    /// Power off. No answer.
    PowerOff,
}

/// Ways to break a guest on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sabotage {
    /// `echo c > /proc/sysrq-trigger`.
    Panic,
    /// The agent stops answering.
    Silence,
}

/// A record of the kernel log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelMessage {
    /// Level: 0 (emergency) to 7 (debug).
    pub level: u8,
    /// Microseconds since boot.
    pub micros: u64,
    /// The text.
    pub text: String,
}

/// What was seen between [`Request::Watch`] and [`Request::Collect`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Trace events, by time.
    pub trace: Vec<TraceEvent>,
    /// Trace events that the ring lost; with any, the trace proves nothing.
    pub lost: u64,
    /// Kernel messages.
    pub log: Vec<KernelMessage>,
    /// Bios, where they were to be watched, or why they could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bios: Option<Result<BioTrace, Refusal>>,
}

/// What a call was answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It was done.
    Done,
    /// The disks.
    Disks(Vec<Disk>),
    /// The new dm device's number and its queue limits.
    Created(Dev, Limits),
    /// Status of a dm device.
    Status(DmStatus),
    /// Content of an attribute, without its newline.
    Text(String),
    /// Traces and messages.
    Seen(Seen),
    /// Kernel messages.
    Log(Vec<KernelMessage>),
    /// State of the I/O.
    Io(IoState),
    /// State of the program.
    Program(ProgramState),
}

/// Whether a program has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramState {
    /// It runs.
    Running,
    /// It has ended.
    Ended {
        /// Its exit status, or the signal that ended it as a negative number.
        status: i32,
        /// The end of what it wrote.
        output: String,
    },
}

/// What the kernel, or the agent itself, refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What was being done, as in "loading the table of halfway0".
    pub doing: String,
    /// The errno, where the kernel refused.
    pub errno: Option<i32>,
    /// More, such as the last kernel messages; may be empty.
    pub detail: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.doing)?;
        if let Some(errno) = self.errno {
            write!(f, ": {}", std::io::Error::from_raw_os_error(errno))?;
        }
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// A request with the number that its answer will carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Chosen by the harness.
    pub id: u64,
    /// What to do.
    pub request: Request,
}

/// The answer to the call with the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The call's number; 0 for a line that could not be read as a call.
    pub id: u64,
    /// What came of it.
    pub result: Result<Reply, Refusal>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{IoOp, Memory, Op, Path, Segment};
    use rstest::rstest;

    /// The tag lies inside of the request, which serde cannot do for every
    /// shape of a variant, and says so only when it is written.
    #[rstest]
    #[case::unit(Request::Disks)]
    #[case::another(Request::KernelLog)]
    #[case::an_option(Request::Watch { bios: Some(64) })]
    #[case::fields(Request::IoWait { deadline_ms: 1, quiet_ms: None })]
    #[case::a_interventions(Request::Intervention { number: 3 })]
    #[case::an_enum(Request::Sabotage { how: Sabotage::Panic })]
    #[case::a_struct(Request::IoStart(IoRequest {
        device: "m".into(),
        op: Op::Read,
        path: Path::Direct,
        dsync: true,
        memory: Memory::Scattered,
        ops: vec![IoOp { sector: 8, segments: vec![Segment { page_offset: 4, bytes: 512 }] }],
        submitters: 1,
        seed: u64::MAX,
        generation: 1,
    }))]
    fn calls_survive_the_wire(#[case] request: Request) {
        let call = Call { id: 7, request };
        let line = serde_json::to_string(&call).unwrap();
        assert_eq!(serde_json::from_str::<Call>(&line).unwrap(), call);
    }
}
