//! The device journal for controllers whose own trace events do not tell what a request
//! is and how it ends. It is made from the events of QEMU's block layer alone, which are
//! the same for all controllers.
//!
//! A device model submits a request to its block backend (`blk_co_preadv`). The request
//! then passes the nodes of the disk from top to bottom, with one event at each
//! (`bdrv_co_preadv_part`). All of this is one call, which does not wait before the
//! request has left for the medium. blkdebug refuses a request before it forwards it
//! (`rule_check` in block/blkdebug.c). So a request that reaches the medium's node was
//! let through.
//!
//! A node may accept only so much at a time (`max_transfer`). It then gets a request in
//! pieces: each piece follows when the one before it is done, until one fails (the loops
//! in `bdrv_aligned_preadv` and `bdrv_aligned_pwritev` in block/io.c). Other requests may
//! be submitted in between. So a request was let through if all of it reached the
//! medium's node, in whatever pieces. If it ended without that, it was refused.
//!
//! The events do not tell the error of a refused request (the armed fault has it), when a
//! request ended, or what the device reported to the guest. An answer that a device gives
//! without asking its medium is not seen at all.

use super::trace_line::{Line, Unreadable};
use super::trace_log::TraceError;
use halfway_case::observation::{Command, Entry, Layer, Member};
use halfway_controllers::{Controller, Profile};
use halfway_protocol::content::SECTOR;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The trace events that are needed (block/trace-events in QEMU's source).
pub const EVENTS: [&str; 4] = [
    "blk_co_preadv",
    "blk_co_pwritev",
    "bdrv_co_preadv_part",
    "bdrv_co_pwritev_part",
];

/// The same events, and the one for a SCSI command that QEMU cancels
/// (`scsi_req_cancel_async` in hw/scsi/scsi-bus.c). The guest sees a cancelled command as
/// failed, whatever its medium answers later (`virtio_scsi_request_cancelled` in
/// hw/scsi/virtio-scsi.c; for the other controllers see `hot_unplug` in their profiles).
///
/// Where each disk has a bus of its own, the event does not tell which disk it is about.
/// It is then the disk that is being unplugged, because QEMU does nothing else at that
/// time (`scsi_device_purge_requests`).
pub const EVENTS_OF_SCSI: [&str; 5] = [
    EVENTS[0],
    EVENTS[1],
    EVENTS[2],
    EVENTS[3],
    "scsi_req_cancel",
];

/// The trace events by which QEMU tells that it is about to cancel a disk's requests in
/// flight, because its guest asked for that. For a USB disk the SCSI event does not tell
/// which disk it is.
static GIVING_UP: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let profiles = Controller::ALL.iter().map(|one| one.profile());
    profiles.filter_map(Profile::timeout_trace_event).collect()
});

/// `BDRV_REQ_ZERO_WRITE` in QEMU's include/block/block-common.h: a write of zeros, which
/// carries no data.
const ZERO_WRITE: u64 = 0x2;

/// The errno (negative) of a failure that does not come from the medium. The guest gets
/// it as its driver translates it (`is_failure` in oracle/model/hold.rs).
const GIVEN_UP: i32 = -5;

/// What a node is asked for: a command and its range, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    command: Command,
    offset: u64,
    bytes: u64,
}

/// A request that a device model submitted.
#[derive(Debug)]
struct Submission {
    blk: u64,
    range: Range,
    /// The nodes that it passed as a whole, from top to bottom.
    nodes: Vec<u64>,
    /// How many of its bytes have reached the medium's node.
    passed: u64,
    /// The size of its first piece in bytes. Every other piece but the last is as large.
    step: Option<u64>,
    /// Whether QEMU cancelled it.
    given_up: bool,
}

/// The device journal, as it is made line by line.
#[derive(Debug, Default)]
pub struct BackendLog {
    submissions: Vec<Submission>,
    member_of: HashMap<u64, Member>,
    /// The lowest node of each backend. It stays when blkdebug is replaced.
    medium_of: HashMap<u64, u64>,
    watching_from: Option<usize>,
    gives_up: bool,
    unplugging: Option<Member>,
    trouble: Option<TraceError>,
}

impl BackendLog {
    /// Reads a line of the log.
    pub fn line(&mut self, line: &str) {
        self.gives_up |= Line::of(line, &GIVING_UP).is_some();
        if let Some(line) = Line::of(line, &EVENTS_OF_SCSI)
            && let Err(error) = self.event(line)
        {
            self.trouble.get_or_insert(error.into());
        }
    }

    fn event(&mut self, line: Line<'_>) -> Result<(), Unreadable> {
        if line.name == EVENTS_OF_SCSI[4] {
            let of_leg = |seen: &&mut Submission| {
                self.unplugging.is_some()
                    && self.member_of.get(&seen.blk) == self.unplugging.as_ref()
            };
            if let Some(last) = self.submissions.iter_mut().rev().find(of_leg) {
                last.given_up = true;
            }
            return Ok(());
        }
        let range = Range {
            command: match line.name {
                "blk_co_preadv" | "bdrv_co_preadv_part" => Command::Read,
                _ if line.address("flags")? & ZERO_WRITE != 0 => Command::WriteZeroes,
                _ => Command::Write,
            },
            offset: line.number("offset")?,
            bytes: line.number("bytes")?,
        };
        if line.name.starts_with("blk_") {
            self.submissions.push(Submission {
                blk: line.address("blk")?,
                range,
                nodes: Vec::new(),
                passed: 0,
                step: None,
                given_up: false,
            });
            return Ok(());
        }
        let node = line.address("bs")?;
        if let Some(last) = self.submissions.last_mut()
            && last.range == range
        {
            last.nodes.push(node);
        }
        self.reached(node, range);
        Ok(())
    }

    /// A piece has reached a node. If the node is a medium, the piece belongs to the
    /// request that it continues. A short piece ends its request. If a piece could continue
    /// several requests, it belongs to the latest, because the earlier ones were refused at
    /// this place.
    fn reached(&mut self, node: u64, piece: Range) {
        let backends = &self.medium_of;
        let mut waiting = self.submissions.iter_mut().rev().filter(|seen| {
            backends.get(&seen.blk) == Some(&node)
                && seen.range.command == piece.command
                && seen.range.offset + seen.passed == piece.offset
                && match seen.range.bytes - seen.passed {
                    left if piece.bytes >= left => piece.bytes == left,
                    _ => seen.step.is_none_or(|step| step == piece.bytes),
                }
        });
        if let Some(of_piece) = waiting.next() {
            of_piece.passed += piece.bytes;
            of_piece.step.get_or_insert(piece.bytes);
        }
    }

    /// Starts to watch for the read that [`BackendLog::identify`] looks for.
    pub fn watch_host(&mut self) {
        self.watching_from = Some(self.submissions.len());
    }

    /// Ends the watch. If exactly one backend has read these bytes in the meantime,
    /// learns that it belongs to `member`, and which node is its medium. Returns `false`
    /// if there was no such backend, or more than one, or if it belongs to another
    /// member.
    pub fn identify(&mut self, member: Member, offset: u64, bytes: u64) -> bool {
        let wanted = Range {
            command: Command::Read,
            offset,
            bytes,
        };
        let from = self.watching_from.take().unwrap_or(self.submissions.len());
        let others = |blk: &u64| {
            self.member_of
                .get(blk)
                .is_some_and(|other| *other != member)
        };
        let mut reads = self.submissions[from..]
            .iter()
            .filter(|seen| seen.range == wanted && !others(&seen.blk));
        let (Some(read), None) = (reads.next(), reads.next()) else {
            return false;
        };
        let Some(medium) = read.nodes.last() else {
            return false;
        };
        let (blk, medium) = (read.blk, *medium);
        // If this disk was unplugged and plugged again, its old address may now belong to
        // another disk.
        self.member_of.retain(|_, known| *known != member);
        self.member_of.insert(blk, member);
        self.medium_of.insert(blk, medium);
        true
    }

    /// Notes that from now on, what QEMU cancels is a request to `member`.
    pub fn unplugging(&mut self, member: Member) {
        self.unplugging = Some(member);
    }

    /// Whether QEMU has cancelled a request to `member` since the last call of
    /// [`BackendLog::clear`].
    pub fn has_given_up(&self, member: Member) -> bool {
        let mut all = self.submissions.iter();
        all.any(|seen| seen.given_up && self.member_of.get(&seen.blk) == Some(&member))
    }

    /// Whether QEMU has begun to cancel any request since the last call of
    /// [`BackendLog::clear`].
    pub fn gives_up(&self) -> bool {
        self.gives_up
    }

    /// Forgets all requests so far, but not which address belongs to which disk.
    pub fn clear(&mut self) {
        self.submissions.clear();
        self.gives_up = false;
        self.unplugging = None;
    }

    /// The requests since the last call of this or of [`BackendLog::clear`], in the order
    /// of submission. `refusal` gives the error of a request that blkdebug refused.
    pub fn take(
        &mut self,
        mut refusal: impl FnMut(&Entry) -> Option<i32>,
    ) -> Result<Vec<Entry>, TraceError> {
        if let Some(error) = &self.trouble {
            return Err(error.clone());
        }
        let entries = self
            .submissions
            .iter()
            .enumerate()
            .map(|(order, seen)| {
                let member = self
                    .member_of
                    .get(&seen.blk)
                    .ok_or(TraceError::UnknownDevice { vdev: seen.blk })?;
                let sector = SECTOR as u64;
                let first = seen.range.offset / sector;
                let end = (seen.range.offset + seen.range.bytes).div_ceil(sector);
                let passed = seen.passed == seen.range.bytes;
                let mut entry = Entry {
                    order: order as u64,
                    member: *member,
                    layer: Layer::Device,
                    command: seen.range.command,
                    sector: first,
                    sectors: end - first,
                    result: passed.then_some(0),
                    target_reply: None,
                };
                if !passed {
                    entry.result = refusal(&entry);
                } else if seen.given_up {
                    entry.result = Some(GIVEN_UP);
                }
                Ok(entry)
            })
            .collect();
        self.clear();
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTIFY: [&str; 4] = [
        "blk_co_preadv blk 0xb1 bs 0x1 offset 0 bytes 512 flags 0x0",
        "bdrv_co_preadv_part bs 0x1 offset 0 bytes 512 flags 0x0",
        "bdrv_co_preadv_part bs 0x2 offset 0 bytes 512 flags 0x0",
        "bdrv_co_preadv_part bs 0x3 offset 0 bytes 512 flags 0x0",
    ];

    fn log(lines: &[&str]) -> BackendLog {
        let mut log = BackendLog::default();
        log.watch_host();
        IDENTIFY.iter().for_each(|line| log.line(line));
        assert!(log.identify(Member::Leg(0), 0, 512));
        log.clear();
        lines.iter().for_each(|line| log.line(line));
        log
    }

    fn results(lines: &[&str]) -> Vec<Option<i32>> {
        let entries = log(lines).take(|_| Some(-5)).unwrap();
        entries.iter().map(|entry| entry.result).collect()
    }

    /// blkdebug is replaced in between, so its node has another address.
    #[test]
    fn what_reaches_the_medium_was_let_through_and_the_rest_was_refused() {
        let lines = [
            "blk_co_pwritev blk 0xb1 bs 0x1 offset 4096 bytes 1024 flags 0x0",
            "bdrv_co_pwritev_part bs 0x1 offset 4096 bytes 1024 flags 0x0",
            "bdrv_co_pwritev_part bs 0x9 offset 4096 bytes 1024 flags 0x0",
            "blk_co_preadv blk 0xb1 bs 0x1 offset 4096 bytes 1024 flags 0x0",
            "bdrv_co_preadv_part bs 0x1 offset 4096 bytes 1024 flags 0x0",
            "bdrv_co_preadv_part bs 0x9 offset 4096 bytes 1024 flags 0x0",
            "bdrv_co_preadv_part bs 0x3 offset 4096 bytes 1024 flags 0x0",
        ];
        assert_eq!(results(&lines), [Some(-5), Some(0)]);
        let entries = log(&lines).take(|_| None).unwrap();
        assert_eq!(entries[0].command, Command::Write);
        assert_eq!((entries[0].sector, entries[0].sectors), (8, 2));
        assert_eq!(entries[0].result, None);
    }

    /// A write of zeros carries no data. The medium journal tells what it did.
    #[test]
    fn zeros_are_no_write() {
        let lines = [
            "blk_co_pwritev blk 0xb1 bs 0x1 offset 4096 bytes 1024 flags 0x2",
            "bdrv_co_pwritev_part bs 0x1 offset 4096 bytes 1024 flags 0x2",
            "bdrv_co_pwritev_part bs 0x3 offset 4096 bytes 1024 flags 0x12",
        ];
        let entries = log(&lines).take(|_| None).unwrap();
        assert_eq!(entries[0].command, Command::WriteZeroes);
    }

    /// Lines as QEMU 7.2 writes them with `max_transfer`: three requests in flight, in
    /// pieces of one sector. The first request is refused at its second piece. It is
    /// submitted again and refused at its first piece. Then it is submitted once more and
    /// let through, while another request goes on.
    #[test]
    fn a_request_in_pieces_was_let_through_when_all_of_them_were() {
        let submit = |sector: u64, sectors: u64| {
            format!(
                "blk_co_pwritev blk 0xb1 bs 0x1 offset {} bytes {} flags 0x0",
                sector * 512,
                sectors * 512
            )
        };
        let node = |node: u64, sector: u64, sectors: u64| {
            format!(
                "bdrv_co_pwritev_part bs {node:#x} offset {} bytes {} flags 0x0",
                sector * 512,
                sectors * 512
            )
        };
        let lines = [
            submit(8, 2),
            node(0x1, 8, 2),
            node(0x9, 8, 1),
            node(0x3, 8, 1),
            submit(16, 2),
            node(0x1, 16, 2),
            node(0x9, 16, 1),
            node(0x3, 16, 1),
            node(0x9, 9, 1),
            submit(8, 2),
            node(0x1, 8, 2),
            node(0x9, 8, 1),
            submit(8, 2),
            node(0x1, 8, 2),
            node(0x9, 8, 1),
            node(0x3, 8, 1),
            node(0x9, 17, 1),
            node(0x3, 17, 1),
            node(0x9, 9, 1),
            node(0x3, 9, 1),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(results(&lines), [Some(-5), Some(0), Some(-5), Some(0)]);
    }

    /// Two requests that begin at the same sector, in pieces of two sectors.
    #[test]
    fn a_short_piece_ends_its_request() {
        let line = |event: &str, sector: u64, sectors: u64| {
            format!(
                "{event} offset {} bytes {} flags 0x0",
                sector * 512,
                sectors * 512
            )
        };
        let submit = |sector, sectors| line("blk_co_pwritev blk 0xb1 bs 0x1", sector, sectors);
        let piece = |sector, sectors| line("bdrv_co_pwritev_part bs 0x3", sector, sectors);
        let lines = [
            submit(8, 3),
            piece(8, 2),
            submit(8, 5),
            piece(8, 2),
            piece(10, 1),
            piece(10, 2),
            piece(12, 1),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(results(&lines), [Some(0), Some(0)]);
    }

    /// Requests to the other leg, and earlier ones, stay as they were.
    #[test]
    fn what_qemu_gives_up_has_failed_though_its_medium_does_it() {
        let lines = [
            "blk_co_preadv blk 0xb1 bs 0x1 offset 0 bytes 512 flags 0x0",
            "bdrv_co_preadv_part bs 0x3 offset 0 bytes 512 flags 0x0",
            "blk_co_preadv blk 0xb1 bs 0x1 offset 4096 bytes 512 flags 0x0",
            "bdrv_co_preadv_part bs 0x3 offset 4096 bytes 512 flags 0x0",
        ];
        assert_eq!(results(&lines), [Some(0), Some(0)]);
        let cancelled = |unplugged: Option<u8>| {
            let mut log = log(&lines);
            if let Some(leg) = unplugged {
                log.unplugging(Member::Leg(leg));
            }
            log.line("scsi_req_cancel target 0 lun 0 tag 113");
            (log.has_given_up(Member::Leg(0)), log)
        };
        let (given_up, mut of_leg) = cancelled(Some(0));
        assert!(given_up);
        let entries = of_leg.take(|_| None).unwrap();
        let results: Vec<_> = entries.iter().map(|entry| entry.result).collect();
        assert_eq!(results, [Some(0), Some(GIVEN_UP)]);
        assert!(!of_leg.has_given_up(Member::Leg(0)));
        for nobodys in [Some(1), None] {
            let (given_up, mut of_other) = cancelled(nobodys);
            assert!(!given_up);
            let entries = of_other.take(|_| None).unwrap();
            assert!(entries.iter().all(|one| one.result == Some(0)));
        }
    }

    /// Lines as QEMU 7.2 writes them.
    #[test]
    fn what_qemu_begins_to_give_up_is_told_once() {
        let mut log = log(&[]);
        for line in [
            "scsi_req_cancel target 0 lun 0 tag 113",
            "usb_xhci_ep_stop slotid 1, epid 3",
            "usb_uas_reset dev 0",
            "ahci_reset_port ahci(0x55a1)[0]: reset port",
            "ide_cancel_dma_sync_remaining draining all remaining requests",
        ] {
            assert!(!log.gives_up(), "{line}");
            log.line(line);
            assert!(log.gives_up(), "{line}");
            log.clear();
        }
    }

    #[test]
    fn a_backend_that_nobody_named_is_an_error() {
        let lines = ["blk_co_preadv blk 0xb2 bs 0x1 offset 0 bytes 512 flags 0x0"];
        assert_eq!(
            log(&lines).take(|_| None),
            Err(TraceError::UnknownDevice { vdev: 0xb2 })
        );
    }

    /// Leg 0 was at 0xb1 and is now at 0xb2; leg 1 gets the address that leg 0 has left.
    #[test]
    fn an_address_may_become_another_disks() {
        let mut log = log(&[]);
        let lines = |blk: &str| IDENTIFY.map(|line| line.replace("0xb1", blk));
        for (member, blk) in [(Member::Leg(0), "0xb2"), (Member::Leg(1), "0xb1")] {
            log.watch_host();
            lines(blk).iter().for_each(|line| log.line(line));
            assert!(log.identify(member, 0, 512), "{member}");
        }
        log.clear();
        for blk in ["0xb1", "0xb2"] {
            lines(blk).iter().for_each(|line| log.line(line));
        }
        let entries = log.take(|_| None).unwrap();
        let members: Vec<Member> = entries.iter().map(|entry| entry.member).collect();
        assert_eq!(members, [Member::Leg(1), Member::Leg(0)]);
    }

    #[test]
    fn a_disk_is_not_guessed() {
        let twice = [&IDENTIFY[..], &IDENTIFY[..]].concat();
        for lines in [&[][..], &IDENTIFY[..1], &twice] {
            let mut log = BackendLog::default();
            log.watch_host();
            lines.iter().for_each(|line| log.line(line));
            assert!(!log.identify(Member::Log, 0, 512), "{lines:?}");
        }
        let mut log = log(&[]);
        log.watch_host();
        IDENTIFY.iter().for_each(|line| log.line(line));
        assert!(!log.identify(Member::Leg(1), 0, 512));
    }

    #[test]
    fn a_line_that_is_written_otherwise_is_an_error() {
        let lines = ["blk_co_preadv blk 0xb1 bs 0x1 offset x bytes 512 flags 0x0"];
        assert!(matches!(
            log(&lines).take(|_| None),
            Err(TraceError::Line(_))
        ));
    }
}
