//! Requests as they lie in the guest's descriptors (Virtual I/O Device 1.1,
//! clause 5.6.6; include/uapi/linux/virtio_scsi.h). The guest may lay them out
//! as it likes, and its lengths may be wrong.

use super::Memory;
use crate::scsi::cdb::CDB_BYTES;
use halfway_scsi::sense::Format;
use halfway_scsi::{Reply, Response};
use std::io::{Read, Write};
use std::ops::Deref;
use virtio_queue::{DescriptorChain, Reader, Writer};

/// Bytes of a `struct virtio_scsi_cmd_req` with a CDB of the default size.
const HEADER_BYTES: usize = 19 + CDB_BYTES;
/// Bytes of sense data in a response (`VIRTIO_SCSI_SENSE_DEFAULT_SIZE`).
const SENSE_BYTES: usize = 96;
/// Bytes of a `struct virtio_scsi_cmd_resp`.
pub const RESPONSE_BYTES: usize = 12 + SENSE_BYTES;

/// The addressee of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// Target 0, logical unit 0: the only one that exists.
    Unit,
    /// Target 0, another logical unit, which does not exist.
    AbsentUnit,
    /// Another target, which does not exist.
    Nobody,
}

impl Address {
    /// Parses the `lun` of a request: 1, the target, and a logical unit in one
    /// of the two single-level formats.
    pub fn parse(lun: &[u8; 8]) -> Self {
        match lun {
            [1, 0, 0 | 0x40, 0, ..] => Address::Unit,
            [1, 0, ..] => Address::AbsentUnit,
            _ => Address::Nobody,
        }
    }
}

/// A command in the guest's memory, not yet answered.
pub struct VirtioRequest<'a> {
    /// The addressee of the command.
    pub address: Address,
    /// The guest's number for the command.
    pub tag: u64,
    /// The command descriptor block.
    pub cdb: [u8; CDB_BYTES],
    /// Bytes of data that the guest offers to write.
    pub out_len: usize,
    /// Bytes of data that the guest has room for.
    pub in_len: usize,
    out: Reader<'a>,
    response: Writer<'a>,
    data_in: Writer<'a>,
}

impl<'a> VirtioRequest<'a> {
    /// Parses a request. `None` if it is too broken to be answered: it points
    /// to memory that does not exist, or has no room for a header or a
    /// response.
    pub fn parse<M>(memory: &'a Memory, chain: DescriptorChain<M>) -> Option<Self>
    where
        M: Deref<Target = Memory> + Clone,
    {
        let mut out = Reader::new(memory, chain.clone()).ok()?;
        let mut response = Writer::new(memory, chain).ok()?;
        let mut header = [0; HEADER_BYTES];
        out.read_exact(&mut header).ok()?;
        let data_in = response.split_at(RESPONSE_BYTES).ok()?;
        let (lun, rest) = header.split_first_chunk::<8>()?;
        let (tag, rest) = rest.split_first_chunk::<8>()?;
        // task_attr, prio and crn are ignored: all tasks are treated alike.
        let cdb = rest[3..].try_into().ok()?;
        Some(VirtioRequest {
            address: Address::parse(lun),
            tag: u64::from_le_bytes(*tag),
            cdb,
            out_len: out.available_bytes(),
            in_len: data_in.available_bytes(),
            out,
            response,
            data_in,
        })
    }

    /// The first `bytes` of the guest's data; `None` if it offers less.
    pub fn data_out(&mut self, bytes: usize) -> Option<Vec<u8>> {
        if bytes > self.out_len {
            return None;
        }
        let mut data = vec![0; bytes];
        self.out.read_exact(&mut data).ok()?;
        Some(data)
    }

    /// Writes the answer. Returns the number of bytes written, or `None` if
    /// `data` do not fit. The data are written before the response, so that a
    /// guest that polls the response finds them.
    pub fn answer(
        mut self,
        reply: Reply,
        residual: u32,
        data: &[u8],
        format: Format,
    ) -> Option<u32> {
        if data.len() > self.in_len {
            return None;
        }
        self.data_in.write_all(data).ok()?;
        self.response
            .write_all(&response(reply, residual, format))
            .ok()?;
        u32::try_from(RESPONSE_BYTES + data.len()).ok()
    }
}

/// The bytes of a `struct virtio_scsi_cmd_resp`.
fn response(reply: Reply, residual: u32, format: Format) -> [u8; RESPONSE_BYTES] {
    let mut out = [0; RESPONSE_BYTES];
    out[4..8].copy_from_slice(&residual.to_le_bytes());
    match reply {
        Reply::Status(status, sense) => {
            out[10] = status as u8;
            let sense = sense.map(|sense| sense.bytes(format)).unwrap_or_default();
            out[..4].copy_from_slice(&(sense.len() as u32).to_le_bytes());
            out[12..12 + sense.len()].copy_from_slice(&sense);
        }
        Reply::Response(response) => out[11] = response as u8,
        Reply::Nothing | Reply::Malformed => {}
    }
    out
}

/// Answers a request that was kept. Returns the number of bytes written.
pub fn give_back<M>(memory: &Memory, chain: DescriptorChain<M>, with: Response) -> u32
where
    M: Deref<Target = Memory> + Clone,
{
    let request = VirtioRequest::parse(memory, chain);
    request
        .and_then(|request| request.answer(Reply::Response(with), 0, &[], Format::Fixed))
        .unwrap_or(0)
}

/// A request on the control queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Abort the task with this tag.
    AbortTask(u64),
    /// Abort or clear all tasks of the unit.
    AbortAll,
    /// Reset the logical unit or the nexus.
    Reset,
    /// Asks whether the task with this tag is there, or any task (`None`).
    Query(Option<u64>),
    /// A request for a target that does not exist.
    BadTarget,
    /// A request for a logical unit that does not exist.
    BadUnit,
    /// A function that the device does not have.
    Unsupported,
    /// A request about asynchronous notifications, of which there are none.
    Notifications,
}

/// `VIRTIO_SCSI_T_*` and `VIRTIO_SCSI_T_TMF_*`: types of control requests and
/// task management functions.
mod kind {
    pub const TMF: u32 = 0;
    pub const AN_QUERY: u32 = 1;
    pub const AN_SUBSCRIBE: u32 = 2;
    pub const ABORT_TASK: u32 = 0;
    pub const ABORT_TASK_SET: u32 = 1;
    pub const CLEAR_TASK_SET: u32 = 3;
    pub const I_T_NEXUS_RESET: u32 = 4;
    pub const LOGICAL_UNIT_RESET: u32 = 5;
    pub const QUERY_TASK: u32 = 6;
    pub const QUERY_TASK_SET: u32 = 7;
}

/// The answer to a control request (`VIRTIO_SCSI_S_*`).
#[allow(missing_docs, reason = "the standard's names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    Complete = 0,
    BadTarget = 3,
    Succeeded = 10,
    Rejected = 11,
    IncorrectLun = 12,
}

impl Control {
    /// Parses a `struct virtio_scsi_ctrl_tmf_req` or `virtio_scsi_ctrl_an_req`,
    /// and finds the place of its answer. `None` if the request is too broken
    /// to be answered.
    pub fn parse<M>(memory: &Memory, chain: DescriptorChain<M>) -> Option<(Self, Writer<'_>)>
    where
        M: Deref<Target = Memory> + Clone,
    {
        let mut reader = Reader::<'_>::new(memory, chain.clone()).ok()?;
        let writer = Writer::new(memory, chain).ok()?;
        let mut word = || {
            let mut bytes = [0; 4];
            reader.read_exact(&mut bytes).ok()?;
            Some(u32::from_le_bytes(bytes))
        };
        let control = match word()? {
            kind::TMF => {
                let function = word()?;
                let mut lun = [0; 8];
                lun[..4].copy_from_slice(&word()?.to_le_bytes());
                lun[4..].copy_from_slice(&word()?.to_le_bytes());
                let tag = u64::from(word()?) | u64::from(word()?) << 32;
                match (Address::parse(&lun), function) {
                    (Address::Nobody, _) => Control::BadTarget,
                    (Address::AbsentUnit, _) => Control::BadUnit,
                    (_, kind::ABORT_TASK) => Control::AbortTask(tag),
                    (_, kind::ABORT_TASK_SET | kind::CLEAR_TASK_SET) => Control::AbortAll,
                    (_, kind::LOGICAL_UNIT_RESET | kind::I_T_NEXUS_RESET) => Control::Reset,
                    (_, kind::QUERY_TASK) => Control::Query(Some(tag)),
                    (_, kind::QUERY_TASK_SET) => Control::Query(None),
                    _ => Control::Unsupported,
                }
            }
            kind::AN_QUERY | kind::AN_SUBSCRIBE => Control::Notifications,
            _ => Control::Unsupported,
        };
        Some((control, writer))
    }

    /// Writes the answer and returns the number of bytes written.
    pub fn answer(self, mut writer: Writer<'_>, verdict: Verdict) -> u32 {
        let written = match self {
            // `struct virtio_scsi_ctrl_an_resp`: no event, complete.
            Control::Notifications => writer.write_all(&[0; 5]).map(|()| 5),
            _ => writer.write_all(&[verdict as u8]).map(|()| 1),
        };
        written.unwrap_or(0)
    }
}
