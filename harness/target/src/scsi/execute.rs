//! Executes a command.

use super::cdb::{Extent, ScsiCommand, service};
use super::transfer::{self, Search, Stop, Storage, StorageError};
use super::unit::Unit;
use super::{inquiry, mode, ports, supported};
use halfway_scsi::report::Failed;
use halfway_scsi::sense::Sense;
use halfway_scsi::{Reply, Report, Reports, Status};

/// What the owner of a target may change while the target serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// How each errno of the storage is reported.
    pub reports: Reports,
    /// How the first bad block is found.
    pub search: Search,
    /// Whether the HBA is lost once it has reported a failure: that is its last
    /// answer ([`Presence::Gone`](crate::Presence::Gone)).
    pub then_gone: bool,
}

/// The result of a command.
#[derive(Debug, PartialEq, Eq)]
pub struct Completion {
    /// Status, response, or no answer.
    pub reply: Reply,
    /// Data for the initiator, from the start of its buffer.
    pub data: Vec<u8>,
    /// Bytes of the transfer that were done. The residual is the rest of the
    /// buffer.
    pub transferred: u64,
    /// A false residual in bytes to report instead, if the buffer is as long as
    /// the transfer.
    pub residual: Option<u32>,
    /// Number of blocks that were transferred, if the command transfers blocks.
    pub good: u32,
    /// The errno of the storage; `None` if it did not fail.
    pub errno: Option<u32>,
}

impl Completion {
    fn of(reply: Reply) -> Self {
        Completion {
            reply,
            data: Vec::new(),
            transferred: 0,
            residual: None,
            good: 0,
            errno: None,
        }
    }

    /// Status GOOD, with no data.
    pub fn good() -> Self {
        Completion::of(Reply::Status(Status::Good, None))
    }

    /// Status CHECK CONDITION with these sense data.
    pub fn check(sense: Sense) -> Self {
        Completion::of(Reply::Status(Status::CheckCondition, Some(sense)))
    }

    /// Status GOOD with parameter data, cut to the allocation length.
    pub fn parameters(mut data: Vec<u8>, allocation: u32) -> Self {
        data.truncate(allocation as usize);
        Completion {
            transferred: data.len() as u64,
            data,
            ..Completion::good()
        }
    }
}

/// Checks that a command's blocks exist, and are few enough for one transfer.
/// This must come before its data are fetched: what is refused here may be of
/// any length.
///
/// # Errors
///
/// The sense data to refuse the command with.
pub fn admit(unit: &Unit, command: &ScsiCommand) -> Result<(), Sense> {
    match command.extent() {
        Some(extent) => check(unit, command, extent),
        None => Ok(()),
    }
}

/// Executes a command that was [admitted](admit). `out` is the data from the
/// initiator: [`ScsiCommand::data_out`] bytes.
pub fn execute(
    unit: &Unit,
    storage: &mut impl Storage,
    policy: &Policy,
    command: ScsiCommand,
    out: &[u8],
) -> Completion {
    let data = |data: Result<Vec<u8>, Sense>, allocation| match data {
        Ok(data) => Completion::parameters(data, allocation),
        Err(sense) => Completion::check(sense),
    };
    let mut blocks = Blocks {
        unit,
        storage,
        policy,
    };
    match command {
        ScsiCommand::TestUnitReady => Completion::good(),
        ScsiCommand::RequestSense {
            descriptor,
            allocation,
        } => {
            let format = match descriptor {
                true => halfway_scsi::sense::Format::Descriptor,
                false => halfway_scsi::sense::Format::Fixed,
            };
            Completion::parameters(Sense::NONE.bytes(format), allocation)
        }
        ScsiCommand::Inquiry {
            page: None,
            allocation,
        } => Completion::parameters(inquiry::standard(unit), allocation),
        ScsiCommand::Inquiry {
            page: Some(page),
            allocation,
        } => data(inquiry::vital(unit, page), allocation),
        ScsiCommand::ModeSense { what, allocation } => data(mode::sense(unit, &what), allocation),
        ScsiCommand::ReadCapacity10 => Completion::parameters(capacity_10(unit), 8),
        ScsiCommand::ReadCapacity16 { allocation } => {
            Completion::parameters(capacity_16(unit), allocation)
        }
        ScsiCommand::ReportLuns { select, allocation } => data(luns(select), allocation),
        ScsiCommand::ReportOpcodes {
            which,
            timeouts,
            allocation,
        } => data(supported::opcodes(which, timeouts), allocation),
        ScsiCommand::ReportTaskManagement { allocation } => {
            Completion::parameters(supported::task_management(), allocation)
        }
        ScsiCommand::ReportTargetPortGroups {
            extended,
            allocation,
        } => Completion::parameters(ports::groups(unit, extended), allocation),
        ScsiCommand::PersistentReserveIn {
            service,
            allocation,
        } => Completion::parameters(reservations(service), allocation),
        ScsiCommand::Read(extent) => {
            let mut data = vec![0; extent.blocks as usize * unit.block() as usize];
            let mut answer = blocks.read(extent, &mut data);
            data.truncate(answer.transferred as usize);
            answer.data = data;
            answer
        }
        ScsiCommand::Verify(extent) => {
            let mut data = vec![0; extent.blocks as usize * unit.block() as usize];
            Completion {
                transferred: 0,
                ..blocks.read(extent, &mut data)
            }
        }
        ScsiCommand::Write { extent, force } => blocks.write(extent, out, force),
        ScsiCommand::WriteSame {
            extent,
            unmap,
            no_data,
        } => blocks.write_same(extent, unmap, if no_data { &[] } else { out }),
        ScsiCommand::SynchronizeCache(extent) => {
            let done = blocks.storage.flush();
            blocks.whole(extent, 0, done)
        }
        ScsiCommand::Unmap { .. } => blocks.unmap(out),
    }
}

fn check(unit: &Unit, command: &ScsiCommand, extent: Extent) -> Result<(), Sense> {
    let beyond = extent.lba > unit.blocks
        || u64::from(extent.blocks) > unit.blocks - extent.lba
        // The first block must exist even if the command is for no blocks.
        || (extent.lba == unit.blocks && extent.blocks == 0);
    let unlimited = matches!(command, ScsiCommand::SynchronizeCache(_));
    let no_blocks = matches!(command, ScsiCommand::WriteSame { .. }) && extent.blocks == 0;
    if beyond {
        Err(Sense::LBA_OUT_OF_RANGE)
    } else if no_blocks || (!unlimited && extent.blocks > unit.max_blocks()) {
        Err(Sense::INVALID_FIELD_IN_CDB)
    } else {
        Ok(())
    }
}

fn capacity_10(unit: &Unit) -> Vec<u8> {
    let last = u32::try_from(unit.blocks - 1).unwrap_or(u32::MAX);
    [last.to_be_bytes(), unit.block().to_be_bytes()].concat()
}

fn capacity_16(unit: &Unit) -> Vec<u8> {
    let mut out = vec![0; 32];
    out[..8].copy_from_slice(&(unit.blocks - 1).to_be_bytes());
    out[8..12].copy_from_slice(&unit.block().to_be_bytes());
    out[14] = 1 << 7 | 1 << 6; // LBPME, LBPRZ
    out
}

/// REPORT LUNS: 0 lists all units but the well-known ones, 1 the well-known
/// ones, 2 all.
fn luns(select: u8) -> Result<Vec<u8>, Sense> {
    match select {
        0 | 2 => Ok(vec![0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        1 => Ok(vec![0; 8]),
        _ => Err(Sense::INVALID_FIELD_IN_CDB),
    }
}

/// PERSISTENT RESERVE IN: there are no registrations, and there cannot be any.
fn reservations(service: u8) -> Vec<u8> {
    match service {
        service::REPORT_CAPABILITIES => vec![0, 8, 0, 0x80, 0, 0, 0, 0],
        _ => vec![0; 8],
    }
}

/// What commands that transfer blocks need.
struct Blocks<'a, S> {
    unit: &'a Unit,
    storage: &'a mut S,
    policy: &'a Policy,
}

impl<S: Storage> Blocks<'_, S> {
    fn read(&mut self, extent: Extent, data: &mut [u8]) -> Completion {
        let block = self.unit.block() as usize;
        let storage = &mut *self.storage;
        let result = run(self.policy, extent.blocks, |from, count| {
            let at = from as usize * block;
            let offset = (extent.lba + u64::from(from)) * block as u64;
            storage.read(offset, &mut data[at..at + count as usize * block])
        });
        let answer = self.answer(extent, result);
        let report = answer
            .errno
            .map(|errno| self.policy.reports.report_for(errno));
        match report.is_some_and(|report| !report.moves_what_is_good(true)) {
            true => Completion {
                good: 0,
                transferred: 0,
                ..answer
            },
            false => answer,
        }
    }

    fn write(&mut self, extent: Extent, data: &[u8], force: bool) -> Completion {
        let block = self.unit.block() as usize;
        let storage = &mut *self.storage;
        let result = run(self.policy, extent.blocks, |from, count| {
            let at = from as usize * block;
            let offset = (extent.lba + u64::from(from)) * block as u64;
            storage.write(offset, &data[at..at + count as usize * block], force)
        });
        self.answer(extent, result)
    }

    /// WRITE SAME. `data` is the block to write, or empty for zeros.
    fn write_same(&mut self, extent: Extent, unmap: bool, data: &[u8]) -> Completion {
        let block = self.unit.block();
        if data.iter().all(|byte| *byte == 0) {
            let offset = extent.lba * u64::from(block);
            let done = self.storage.zero(offset, extent.blocks * block, unmap);
            return self.whole(extent, data.len(), done);
        }
        let mut answer = self.write(extent, &data.repeat(extent.blocks as usize), false);
        // The transfer is the one block, whatever happened on the medium.
        answer.transferred = data.len() as u64;
        answer.residual = None;
        answer
    }

    /// UNMAP with its parameter list (SBC-3, table 90).
    fn unmap(&mut self, list: &[u8]) -> Completion {
        if list.is_empty() {
            return Completion::good();
        }
        let Some((header, rest)) = list.split_first_chunk::<8>() else {
            return Completion::check(Sense::PARAMETER_LENGTH);
        };
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let descriptors = &rest[..rest.len().min(length)];
        let ranges: Vec<Extent> = descriptors
            .chunks_exact(16)
            .map(|range| Extent {
                lba: u64::from_be_bytes(range[..8].try_into().expect("8 of 16 bytes")),
                blocks: u32::from_be_bytes(range[8..12].try_into().expect("4 of 16 bytes")),
            })
            .collect();
        let blocks: u64 = ranges.iter().map(|range| u64::from(range.blocks)).sum();
        if ranges.len() > inquiry::MAX_UNMAP_RANGES as usize
            || blocks > inquiry::MAX_UNMAP_BLOCKS.into()
        {
            return Completion::check(Sense::INVALID_FIELD_IN_PARAMETERS);
        }
        let beyond = |range: &Extent| {
            range.lba > self.unit.blocks || u64::from(range.blocks) > self.unit.blocks - range.lba
        };
        if ranges.iter().any(beyond) {
            return Completion::check(Sense::LBA_OUT_OF_RANGE);
        }
        let block = self.unit.block();
        for range in ranges.iter().filter(|range| range.blocks > 0) {
            let offset = range.lba * u64::from(block);
            let done = self.storage.trim(offset, range.blocks * block);
            if done.is_err() {
                return self.whole(*range, list.len(), done);
            }
        }
        Completion {
            transferred: list.len() as u64,
            ..Completion::good()
        }
    }

    /// The result of a command that the storage does as a whole or not at all.
    fn whole(&self, extent: Extent, transfer: usize, done: Result<(), StorageError>) -> Completion {
        let stop = done.map_err(|error| match error {
            StorageError::Refused(errno) => Stop::Whole { errno },
            StorageError::Lost(error) => Stop::Lost(error),
        });
        Completion {
            transferred: transfer as u64,
            residual: None,
            ..self.answer(extent, stop)
        }
    }

    fn answer(&self, extent: Extent, result: Result<(), Stop>) -> Completion {
        let block = self.unit.block();
        let (good, errno) = match result {
            Ok(()) => {
                return Completion {
                    transferred: u64::from(extent.blocks) * u64::from(block),
                    good: extent.blocks,
                    ..Completion::good()
                };
            }
            Err(Stop::Lost(_)) => return Completion::check(Sense::STORAGE_LOST),
            Err(Stop::Whole { errno }) => (None, errno),
            Err(Stop::Bad { good, errno }) => (Some(good), errno),
        };
        let report: Report = self.policy.reports.report_for(errno);
        let failed = report.reply(&Failed {
            lba: extent.lba,
            blocks: extent.blocks,
            good,
            block,
        });
        let good = good.unwrap_or(0);
        Completion {
            reply: failed.reply,
            data: Vec::new(),
            transferred: u64::from(good) * u64::from(block),
            residual: failed.residual,
            good,
            errno: Some(errno),
        }
    }
}

fn run(
    policy: &Policy,
    blocks: u32,
    step: impl FnMut(u32, u32) -> Result<(), StorageError>,
) -> Result<(), Stop> {
    let locate = |errno| policy.reports.report_for(errno).needs_location();
    transfer::run(blocks, policy.search, locate, step)
}
