//! The calls of the harness and the answers of the agent.

use crate::bio::BioTrace;
use crate::facility::Facility;
use crate::io::{IoRequest, IoState};
use crate::trace::{Dev, TraceEvent};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The agent's first line, sent once it is ready for calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The agent's [`crate::VERSION`].
    pub protocol: u32,
    /// The kernel's release, as `uname -r` prints it.
    pub release: String,
    /// The kernel's build number and date, as `uname -v` prints them.
    pub version: String,
    /// The kernel command line, from `/proc/cmdline`.
    pub cmdline: String,
    /// The memory of the guest in KiB (`MemTotal`).
    pub memory_kib: u64,
    /// The modules that were loaded, in that order.
    pub modules: Vec<String>,
    /// The trace events that this kernel has, among those that Halfway watches.
    pub events: Vec<String>,
    /// The facilities that this kernel was built without.
    pub lacking: Vec<Facility>,
    /// Errors that occurred while the agent started. Empty on a healthy guest.
    pub trouble: Vec<String>,
}

/// A disk of the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The serial number that the harness gave it. Kernel names are not stable.
    pub serial: String,
    /// Its kernel name, such as `vda`.
    pub name: String,
    /// Its device number.
    pub dev: Dev,
    /// Its size in sectors.
    pub sectors: u64,
    /// Its queue limits.
    pub limits: Limits,
}

/// The queue limits of a block device, from `/sys/block/*/queue`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// `logical_block_size`, in bytes.
    pub logical_block_size: u32,
    /// `max_sectors_kb`: the largest request that the block layer makes, in KiB.
    pub max_sectors_kb: u32,
    /// `max_hw_sectors_kb`: the largest value that `max_sectors_kb` may have, in KiB. 0
    /// in old records, which do not have it.
    #[serde(default)]
    pub max_hw_sectors_kb: u32,
    /// `max_segments`: the largest number of segments in a request.
    pub max_segments: u32,
    /// `dma_alignment`, a mask. Kernels show it since 6.0.
    pub dma_alignment: Option<u32>,
}

/// One line of a device-mapper table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The first sector on the dm device.
    pub start: u64,
    /// The length in sectors.
    pub sectors: u64,
    /// The target type, such as `mirror`.
    pub kind: String,
    /// The parameters. `{SERIAL}` stands for the device number of the disk with that
    /// serial number, or of our own driver's device on that disk.
    pub params: String,
}

/// What device-mapper reports about a device (`DM_TABLE_STATUS`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmStatus {
    /// The status line of each target.
    pub targets: Vec<String>,
    /// The event counter of the device.
    pub event: u32,
    /// `DM_SUSPEND_FLAG`: whether the device is suspended.
    pub suspended: bool,
}

/// What the agent can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Request {
    /// List the disks that have a serial number. Answer: [`Reply::Disks`].
    Disks,
    /// Create a dm device, load its table and resume it. After an error, whatever was
    /// made is removed. Answer: [`Reply::Created`].
    DmCreate {
        /// The name of the device in `/dev/mapper`.
        name: String,
        /// The lines of its table.
        table: Vec<Target>,
    },
    /// Find a dm device that something else in the guest has created. Answer:
    /// [`Reply::Created`].
    DmFind {
        /// The name of the device.
        name: String,
    },
    /// Load a table into the inactive slot. Answer: [`Reply::Done`].
    DmLoad {
        /// The name of the device.
        name: String,
        /// The new table.
        table: Vec<Target>,
    },
    /// Suspend the device. Answer: [`Reply::Done`].
    DmSuspend {
        /// The name of the device.
        name: String,
        /// `DM_NOFLUSH_FLAG`: requeue I/O in flight instead of waiting for it.
        noflush: bool,
    },
    /// Resume the device, with the new table if one was loaded. Answer: [`Reply::Done`].
    DmResume {
        /// The name of the device.
        name: String,
    },
    /// Send a message to the target at `sector`. Answer: [`Reply::Done`].
    DmMessage {
        /// The name of the device.
        name: String,
        /// A sector of the dm device that the target maps.
        sector: u64,
        /// The message. `{SERIAL}` is replaced as in a table.
        message: String,
    },
    /// Read the status of the device. Answer: [`Reply::Status`].
    DmStatus {
        /// The name of the device.
        name: String,
    },
    /// Read the table of the device, as `dmsetup table` shows it. Answer:
    /// [`Reply::Status`].
    DmTable {
        /// The name of the device.
        name: String,
    },
    /// Remove the device. Answer: [`Reply::Done`].
    DmRemove {
        /// The name of the device.
        name: String,
    },
    /// Read an attribute in a block device's sysfs directory, after writing it if `value`
    /// is given. Answer: [`Reply::Text`] with the attribute's content.
    Attribute {
        /// The serial number of the disk, or the name of the dm device.
        device: String,
        /// The path of the attribute in `/sys/block/X/`, such as `queue/max_sectors_kb`.
        attribute: String,
        /// The value to write. If `None`, the attribute is only read.
        value: Option<String>,
    },
    /// Reset the logical unit of a SCSI disk (`SG_SCSI_RESET`), which returns commands
    /// that it has not answered. Answer: [`Reply::Done`].
    ScsiReset {
        /// The serial number of the disk.
        disk: String,
        /// Whether to take the disk offline first.
        offline: bool,
    },
    /// Forget all trace events and kernel messages so far, and watch from now on. Answer:
    /// [`Reply::Done`].
    Watch {
        /// Watch every bio too, with this many entries of its vector (at most
        /// [`crate::bio::LONGEST`]).
        bios: Option<u32>,
    },
    /// Stop watching, and return what was seen. Answer: [`Reply::Seen`].
    Collect,
    /// Return what the kernel has logged since the last such call, or since it booted.
    /// Answer: [`Reply::Log`].
    KernelLog,
    /// Record from now on which of the kernel's functions are reached, among those of all
    /// loaded modules and those that match a filter. Answer: [`Reply::Done`].
    Reach {
        /// Patterns of the names of functions, with `*` for any text. One that matches no
        /// function of this kernel is left out.
        filters: Vec<String>,
    },
    /// Stop recording functions, and return which were reached. Answer:
    /// [`Reply::Reached`].
    Reached,
    /// Start an I/O, which runs while other calls are answered. There is only one at a
    /// time. Answer: [`Reply::Done`] as soon as it was started.
    IoStart(IoRequest),
    /// Wait for the I/O. Answer: [`Reply::Io`].
    IoWait {
        /// Give up after this many milliseconds.
        deadline_ms: u64,
        /// Return earlier if no disk has had anything in flight for this many
        /// milliseconds ([`IoState::Quiet`]).
        quiet_ms: Option<u64>,
    },
    /// Announce that the harness is about to do something that may bring the I/O back.
    /// From now on, requests that complete are reported as coming after this many
    /// interventions. Starting an I/O resets the number to 0. Answer: [`Reply::Done`].
    Intervention {
        /// How many interventions there are, with this one.
        number: u32,
    },
    /// Start a program in the guest, which runs while other calls are answered. There is
    /// only one at a time. Answer: [`Reply::Done`].
    ProgramStart {
        /// The name of the dm device, or the serial number of the disk, that replaces
        /// `{}` in the arguments.
        device: String,
        /// The absolute path of the program, and its arguments.
        argv: Vec<String>,
        /// The variables of its environment.
        env: Vec<(String, String)>,
    },
    /// Wait for the program. Answer: [`Reply::Program`].
    ProgramWait {
        /// Give up after this many milliseconds.
        deadline_ms: u64,
    },
    /// Ask the program to end (`SIGTERM`). Answer: [`Reply::Done`].
    ProgramEnd,
    /// Write a file, and make the directories that lead to it. Answer: [`Reply::Done`].
    WriteFile {
        /// The absolute path of the file.
        path: String,
        /// The whole new content of the file.
        text: String,
    },
    /// Mount a file system at `/mnt`. Answer: [`Reply::Done`].
    Mount {
        /// The name of the dm device, or the serial number of the disk.
        device: String,
        /// The type of the file system, such as `ext4`.
        filesystem: String,
    },
    /// Unmount the file system at `/mnt`. Answer: [`Reply::Done`].
    Unmount,
    /// Break the guest on purpose, to prove that this is noticed. No answer.
    Sabotage {
        /// How to break it.
        how: Sabotage,
    },
    /// Serve a [session](crate::session) with `/bin/sh` on the virtio-serial port of that
    /// name. Answer: [`Reply::Done`], as soon as the agent waits for the session to
    /// start.
    Shell {
        /// The name of the port.
        port: String,
    },
    /// Power the guest off. No answer.
    PowerOff,
}

/// Ways to break a guest on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sabotage {
    /// Crash the kernel: `echo c > /proc/sysrq-trigger`.
    Panic,
    /// Stop answering calls.
    Silence,
}

/// A record of the kernel log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelMessage {
    /// The log level: 0 (emergency) to 7 (debug).
    pub level: u8,
    /// The time since boot, in microseconds.
    pub micros: u64,
    /// The text of the message.
    pub text: String,
}

/// What was seen between [`Request::Watch`] and [`Request::Collect`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The trace events, in order of time.
    pub trace: Vec<TraceEvent>,
    /// How many trace events the ring lost. If there are any, the trace proves nothing.
    pub lost: u64,
    /// The kernel messages.
    pub log: Vec<KernelMessage>,
    /// The bios, if they were to be watched, or why they could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bios: Option<Result<BioTrace, Refusal>>,
}

/// The result of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// The request was carried out.
    Done,
    /// The disks that have a serial number.
    Disks(Vec<Disk>),
    /// The number of the dm device, and its queue limits.
    Created(Dev, Limits),
    /// The status of a dm device.
    Status(DmStatus),
    /// The content of an attribute, without its newline.
    Text(String),
    /// The trace events, kernel messages and bios.
    Seen(Seen),
    /// The kernel messages.
    Log(Vec<KernelMessage>),
    /// The functions that were reached, and how many calls of functions were lost.
    Reached(Vec<String>, u64),
    /// The state of the I/O.
    Io(IoState),
    /// The state of the program.
    Program(ProgramState),
}

/// Whether a program has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramState {
    /// It is running.
    Running,
    /// It has ended.
    Ended {
        /// Its exit status, or the negative number of the signal that ended it.
        status: i32,
        /// The end of what it printed.
        output: String,
    },
}

/// Something that the kernel, or the agent itself, refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What was being done, such as "loading the table of halfway0".
    pub doing: String,
    /// The errno (positive), if the kernel refused.
    pub errno: Option<i32>,
    /// More details, such as the last kernel messages. May be empty.
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

/// A request, with the number that its answer will have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The number, chosen by the harness.
    pub id: u64,
    /// The request to carry out.
    pub request: Request,
}

/// The answer to the call with the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The number of the call. 0 if a line could not be parsed as a call.
    pub id: u64,
    /// The result of the request.
    pub result: Result<Reply, Refusal>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{IoOp, Memory, Op, Path, Segment};
    use rstest::rstest;

    /// The tag is a field of the request itself. serde cannot write that for every shape
    /// of a variant, and reports it only at run time.
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
