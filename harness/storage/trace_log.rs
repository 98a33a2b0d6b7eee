//! Reads QEMU's trace log line by line, and makes the device journal from it.
//!
//! A line names the device model and the block backend by their addresses in QEMU
//! (`vdev`, `blk`). [`DeviceLog::identify`] tells which backend belongs to which disk.
//! Which backend a device model uses is seen each time it submits a request, because QEMU
//! submits a guest's request in the same call that took it from the ring.

use super::trace_line::{Line, Unreadable};
use halfway_case::observation::{Command, Entry, Layer, Member};
use halfway_protocol::content::SECTOR;
use rustix::io::Errno;
use std::collections::HashMap;

/// The trace events that are needed (hw/block/trace-events and block/trace-events in
/// QEMU's source).
pub const EVENTS: [&str; 6] = [
    "virtio_blk_handle_read",
    "virtio_blk_handle_write",
    "virtio_blk_rw_complete",
    "virtio_blk_req_complete",
    "blk_co_preadv",
    "blk_co_pwritev",
];

/// Why the trace log cannot be turned into a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// A line of the log is not in the expected format.
    #[error(transparent)]
    Line(#[from] Unreadable),
    /// A request is from a device model whose backend was never identified.
    #[error("QEMU's trace log names a device model ({vdev:#x}) that is none of the disks")]
    UnknownDevice {
        /// The address of the device model in QEMU.
        vdev: u64,
    },
    /// A device model used two backends.
    #[error("a device model ({vdev:#x}) in QEMU's trace log uses two block backends")]
    TwoBackends {
        /// The address of the device model in QEMU.
        vdev: u64,
    },
}

/// A line of the log that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// The device model took a request from the ring.
    Handle {
        vdev: u64,
        req: u64,
        command: Command,
        sector: u64,
        sectors: u64,
    },
    /// A request entered the block layer. Its range is in bytes.
    Submit(Submission),
    /// The request left the block layer with this result.
    BackendDone { req: u64, ret: i32 },
    /// The device model told the guest that the request is complete.
    Complete { req: u64, status: i32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Submission {
    blk: u64,
    command: Command,
    offset: u64,
    bytes: u64,
}

/// Parses a line. `None` if it does not matter here.
fn parse(line: &str) -> Result<Option<Event>, Unreadable> {
    let Some(line) = Line::of(line, &EVENTS) else {
        return Ok(None);
    };
    let command = if line.name.ends_with("_read") || line.name.ends_with("_preadv") {
        Command::Read
    } else {
        Command::Write
    };
    Ok(Some(match line.name {
        "virtio_blk_rw_complete" => Event::BackendDone {
            req: line.address("req")?,
            ret: line.signed("ret")?,
        },
        "virtio_blk_req_complete" => Event::Complete {
            req: line.address("req")?,
            status: line.signed("status")?,
        },
        "blk_co_preadv" | "blk_co_pwritev" => Event::Submit(Submission {
            blk: line.address("blk")?,
            command,
            offset: line.number("offset")?,
            bytes: line.number("bytes")?,
        }),
        _ => Event::Handle {
            vdev: line.address("vdev")?,
            req: line.address("req")?,
            command,
            sector: line.number("sector")?,
            sectors: line.number("nsectors")?,
        },
    }))
}

/// A request of the guest. It becomes an [`Entry`] once the disk of its device model is
/// known.
#[derive(Debug)]
struct Seen {
    vdev: u64,
    command: Command,
    sector: u64,
    sectors: u64,
    result: Option<i32>,
}

/// The device journal, as it is made line by line.
#[derive(Debug, Default)]
pub struct DeviceLog {
    entries: Vec<Seen>,
    /// Requests that the guest waits for: from their address to the index of the entry.
    in_flight: HashMap<u64, usize>,
    /// Requests that were taken from the ring but not submitted yet.
    unsubmitted: Vec<usize>,
    backend_of: HashMap<u64, u64>,
    member_of: HashMap<u64, Member>,
    /// Reads that no guest asked for. Kept only while [`DeviceLog::identify`] needs one.
    host_reads: Option<Vec<Submission>>,
    trouble: Option<TraceError>,
}

impl DeviceLog {
    /// Reads a line of the log.
    pub fn line(&mut self, line: &str) {
        match parse(line) {
            Ok(Some(event)) => self.event(event),
            Ok(None) => {}
            Err(error) => self.fail(error.into()),
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Handle {
                vdev,
                req,
                command,
                sector,
                sectors,
            } => {
                let index = self.entries.len();
                self.in_flight.insert(req, index);
                self.unsubmitted.push(index);
                self.entries.push(Seen {
                    vdev,
                    command,
                    sector,
                    sectors,
                    result: None,
                });
            }
            Event::Submit(submission) => self.submitted(submission),
            Event::BackendDone { req, ret } => {
                if let Some(index) = self.in_flight.get(&req) {
                    self.entries[*index].result = Some(ret.min(0));
                }
            }
            // For requests that are not reads or writes, QEMU traces only this event:
            // flush, discard, write zeroes, and the guest's request for the serial
            // number.
            Event::Complete { req, status } => {
                if let Some(index) = self.in_flight.remove(&req) {
                    self.unsubmitted.retain(|other| *other != index);
                    self.entries[index]
                        .result
                        .get_or_insert_with(|| errno_of(status));
                }
            }
        }
    }

    fn submitted(&mut self, submission: Submission) {
        let entries = &self.entries;
        let guests = self.unsubmitted.iter().position(|index| {
            let seen = &entries[*index];
            seen.command == submission.command
                && seen.sector.checked_mul(SECTOR as u64) == Some(submission.offset)
                && seen.sectors.checked_mul(SECTOR as u64) == Some(submission.bytes)
        });
        let Some(position) = guests else {
            if submission.command == Command::Read
                && let Some(reads) = &mut self.host_reads
            {
                reads.push(submission);
            }
            return;
        };
        let vdev = self.entries[self.unsubmitted.remove(position)].vdev;
        let known = *self.backend_of.entry(vdev).or_insert(submission.blk);
        if known != submission.blk {
            self.fail(TraceError::TwoBackends { vdev });
        }
    }

    fn fail(&mut self, error: TraceError) {
        self.trouble.get_or_insert(error);
    }

    /// Starts to watch for reads that no guest asked for.
    pub fn watch_host(&mut self) {
        self.host_reads = Some(Vec::new());
    }

    /// Ends the watch. If exactly one backend has read these bytes in the meantime,
    /// learns that it belongs to `member`. Returns `false` if there was none, or more
    /// than one, or if it belongs to another member.
    pub fn identify(&mut self, member: Member, offset: u64, bytes: u64) -> bool {
        let mut reads = self
            .host_reads
            .take()
            .unwrap_or_default()
            .into_iter()
            .filter(|read| read.offset == offset && read.bytes == bytes);
        let (Some(read), None) = (reads.next(), reads.next()) else {
            return false;
        };
        *self.member_of.entry(read.blk).or_insert(member) == member
    }

    /// Forgets all requests so far, but not which address belongs to which disk.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.in_flight.clear();
        self.unsubmitted.clear();
    }

    /// The requests since the last call of this or of [`DeviceLog::clear`], in the order
    /// of arrival.
    pub fn take(&mut self) -> Result<Vec<Entry>, TraceError> {
        if let Some(error) = &self.trouble {
            return Err(error.clone());
        }
        let entries = self
            .entries
            .iter()
            .enumerate()
            .map(|(order, seen)| {
                let member = self
                    .backend_of
                    .get(&seen.vdev)
                    .and_then(|blk| self.member_of.get(blk))
                    .ok_or(TraceError::UnknownDevice { vdev: seen.vdev })?;
                Ok(Entry {
                    order: order as u64,
                    member: *member,
                    layer: Layer::Device,
                    command: seen.command,
                    sector: seen.sector,
                    sectors: seen.sectors,
                    result: seen.result,
                    target_reply: None,
                })
            })
            .collect();
        self.clear();
        entries
    }
}

/// The negative errno for a virtio-blk status (`VIRTIO_BLK_S_*`) of a request that the
/// device model answers without asking the block layer.
fn errno_of(status: i32) -> i32 {
    match status {
        0 => 0,
        2 => -Errno::OPNOTSUPP.raw_os_error(),
        _ => -Errno::IO.raw_os_error(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// Captured from QEMU 7.2 with two disks, a guest on Linux 6.1, and blkdebug failing
    /// reads of sector 2300. It has QEMU's own reads at its start, the BIOS, the search
    /// for partitions, the serial number, reads of both disks, a write and its flush, a
    /// write, a discard, and a read of 512 sectors that the guest split into four.
    const CAPTURED: &str = include_str!("testdata/qemu-7.2-linux-6.1.log");

    const HANDLE: &str = "virtio_blk_handle_read vdev 0x1 req 0xa sector 8 nsectors 8";
    const SUBMIT: &str = "blk_co_preadv blk 0xb1 bs 0x5 offset 4096 bytes 4096 flags 0x8";

    fn log(lines: &[&str]) -> DeviceLog {
        let mut log = DeviceLog::default();
        log.watch_host();
        log.line("blk_co_preadv blk 0xb1 bs 0x5 offset 0 bytes 512 flags 0x0");
        assert!(log.identify(Member::Leg(0), 0, 512));
        for line in lines {
            log.line(line);
        }
        log
    }

    fn results(lines: &[&str]) -> Vec<Option<i32>> {
        let entries = log(lines).take().unwrap();
        entries.iter().map(|entry| entry.result).collect()
    }

    #[test]
    fn a_real_log_becomes_a_journal() {
        let mut log = DeviceLog::default();
        let mut lines = CAPTURED.lines();
        for member in [Member::Leg(0), Member::Leg(1)] {
            log.watch_host();
            log.line(lines.next().unwrap());
            assert!(log.identify(member, 0, 512));
        }
        lines.for_each(|line| log.line(line));
        let text: Vec<_> = log
            .take()
            .unwrap()
            .iter()
            .map(|entry| {
                format!(
                    "{} {}: {:?} {}+{} {:?}",
                    entry.order,
                    entry.member,
                    entry.command,
                    entry.sector,
                    entry.sectors,
                    entry.result
                )
            })
            .collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        0 leg 0: Read 0+1 Some(0)
        1 leg 1: Read 0+1 Some(0)
        2 leg 0: Read 0+8 Some(0)
        3 leg 1: Read 0+8 Some(0)
        4 leg 0: Read 816+8 Some(0)
        5 leg 0: Read 808+8 Some(0)
        6 leg 0: Read 800+8 Some(0)
        7 leg 1: Read 800+16 Some(0)
        8 leg 0: Read 824+8 Some(0)
        9 leg 1: Write 80+8 Some(0)
        10 leg 0: Write 128+128 Some(0)
        11 leg 0: Read 2048+128 Some(0)
        12 leg 0: Read 2176+128 Some(-5)
        13 leg 0: Read 2304+128 Some(0)
        14 leg 0: Read 2432+128 Some(0)
        ");
    }

    /// As QEMU 7.2 writes lines with `-msg timestamp=on`, and older versions always do.
    #[test]
    fn a_time_stamp_does_not_matter() {
        let stamped = format!("10481@1795369594.875929:{HANDLE}");
        assert_eq!(parse(&stamped), parse(HANDLE));
        assert!(matches!(parse(HANDLE), Ok(Some(Event::Handle { .. }))));
    }

    #[rstest]
    #[case::unanswered(&[HANDLE, SUBMIT], None)]
    #[case::backend_only(
        &[HANDLE, SUBMIT, "virtio_blk_rw_complete vdev 0x1 req 0xa ret -5"],
        Some(-5)
    )]
    #[case::another_request(
        &[HANDLE, SUBMIT, "virtio_blk_req_complete vdev 0x1 req 0xc status 0"],
        None
    )]
    #[case::errno_wins(
        &[
            HANDLE,
            SUBMIT,
            "virtio_blk_rw_complete vdev 0x1 req 0xa ret -28",
            "virtio_blk_req_complete vdev 0x1 req 0xa status 1",
        ],
        Some(-28)
    )]
    #[case::status_only(
        &[HANDLE, SUBMIT, "virtio_blk_req_complete vdev 0x1 req 0xa status 2"],
        Some(-95)
    )]
    fn a_result_is_what_the_guest_was_answered(
        #[case] lines: &[&str],
        #[case] expected: Option<i32>,
    ) {
        assert_eq!(results(lines), [expected]);
    }

    /// The device model refuses the request, so the block layer never sees it. The next
    /// request then uses the same address.
    #[test]
    fn a_request_beyond_the_end_does_not_take_the_next_ones_place() {
        let lines = [
            HANDLE,
            "virtio_blk_req_complete vdev 0x1 req 0xa status 1",
            HANDLE,
            SUBMIT,
            "virtio_blk_rw_complete vdev 0x1 req 0xa ret 0",
            "virtio_blk_req_complete vdev 0x1 req 0xa status 0",
        ];
        assert_eq!(results(&lines), [Some(-5), Some(0)]);
    }

    #[test]
    fn a_device_that_nobody_named_is_an_error() {
        let mut log = log(&["virtio_blk_handle_read vdev 0x2 req 0xa sector 8 nsectors 8"]);
        assert_eq!(log.take(), Err(TraceError::UnknownDevice { vdev: 2 }));
    }

    #[test]
    fn a_device_with_two_backends_is_an_error() {
        let other = SUBMIT.replace("0xb1", "0xb2");
        let mut log = log(&[HANDLE, SUBMIT, HANDLE, &other]);
        assert_eq!(log.take(), Err(TraceError::TwoBackends { vdev: 1 }));
    }

    #[rstest]
    #[case::missing("virtio_blk_handle_read vdev 0x1 req 0xa sector 8")]
    #[case::decimal("virtio_blk_handle_read vdev 1 req 0xa sector 8 nsectors 8")]
    #[case::word("virtio_blk_rw_complete vdev 0x1 req 0xa ret EIO")]
    #[case::cut("blk_co_pwritev blk 0x1 bs 0x5 offset 4096 bytes")]
    fn a_line_that_is_written_otherwise_is_an_error(#[case] line: &str) {
        assert_eq!(log(&[line]).take(), Err(Unreadable(line.to_owned()).into()));
    }

    #[rstest]
    #[case::empty("")]
    #[case::other_event("virtio_blk_data_plane_start dataplane 0x5572f2d3a660")]
    #[case::other_log("invalid/unsupported opcode: 00 - 00 - 00")]
    fn other_lines_are_passed_over(#[case] line: &str) {
        assert_eq!(log(&[line]).take(), Ok(Vec::new()));
    }

    #[rstest]
    #[case::none(&[])]
    #[case::other_range(&["blk_co_preadv blk 0xb2 bs 0x5 offset 512 bytes 512 flags 0x0"])]
    #[case::two(&[
        "blk_co_preadv blk 0xb2 bs 0x5 offset 0 bytes 512 flags 0x0",
        "blk_co_preadv blk 0xb3 bs 0x5 offset 0 bytes 512 flags 0x0",
    ])]
    #[case::known_as_another(&["blk_co_preadv blk 0xb1 bs 0x5 offset 0 bytes 512 flags 0x0"])]
    #[case::asked_for_by_the_guest(&[
        "virtio_blk_handle_read vdev 0x2 req 0xa sector 0 nsectors 1",
        "blk_co_preadv blk 0xb2 bs 0x5 offset 0 bytes 512 flags 0x0",
    ])]
    fn a_disk_is_not_guessed(#[case] lines: &[&str]) {
        let mut log = log(&[]);
        log.watch_host();
        for line in lines {
            log.line(line);
        }
        assert!(!log.identify(Member::Leg(1), 0, 512));
    }

    #[test]
    fn a_new_case_knows_the_disks_and_none_of_the_requests() {
        let mut log = log(&[HANDLE, SUBMIT]);
        log.clear();
        log.line("virtio_blk_rw_complete vdev 0x1 req 0xa ret 0");
        log.line(HANDLE);
        let entries = log.take().unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].order, entries[0].result), (0, None));
    }
}
