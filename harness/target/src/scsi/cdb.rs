//! Command descriptor blocks: from bytes to a typed command.
//!
//! Pure: the meaning of a command depends on its bytes alone. Whether its
//! blocks exist is checked later. Layouts: SPC-4 clause 6, SBC-3 clause 5.

use halfway_scsi::sense::Sense;

/// Operation codes, the first byte of a CDB.
#[allow(missing_docs, reason = "the standard's names")]
pub mod opcode {
    pub const TEST_UNIT_READY: u8 = 0x00;
    pub const REQUEST_SENSE: u8 = 0x03;
    pub const READ_6: u8 = 0x08;
    pub const WRITE_6: u8 = 0x0a;
    pub const INQUIRY: u8 = 0x12;
    pub const MODE_SENSE_6: u8 = 0x1a;
    pub const READ_CAPACITY_10: u8 = 0x25;
    pub const READ_10: u8 = 0x28;
    pub const WRITE_10: u8 = 0x2a;
    pub const VERIFY_10: u8 = 0x2f;
    pub const SYNCHRONIZE_CACHE_10: u8 = 0x35;
    pub const UNMAP: u8 = 0x42;
    pub const MODE_SENSE_10: u8 = 0x5a;
    pub const PERSISTENT_RESERVE_IN: u8 = 0x5e;
    pub const READ_16: u8 = 0x88;
    pub const WRITE_16: u8 = 0x8a;
    pub const VERIFY_16: u8 = 0x8f;
    pub const SYNCHRONIZE_CACHE_16: u8 = 0x91;
    pub const WRITE_SAME_16: u8 = 0x93;
    pub const SERVICE_ACTION_IN_16: u8 = 0x9e;
    pub const REPORT_LUNS: u8 = 0xa0;
    pub const MAINTENANCE_IN: u8 = 0xa3;
    pub const READ_12: u8 = 0xa8;
    pub const WRITE_12: u8 = 0xaa;
    pub const VERIFY_12: u8 = 0xaf;
}

/// Service actions, below the operation codes that have them.
#[allow(missing_docs, reason = "the standard's names")]
pub mod service {
    pub const READ_CAPACITY_16: u8 = 0x10;
    pub const REPORT_TARGET_PORT_GROUPS: u8 = 0x0a;
    pub const REPORT_SUPPORTED_OPERATION_CODES: u8 = 0x0c;
    pub const REPORT_SUPPORTED_TASK_MANAGEMENT: u8 = 0x0d;
    pub const READ_KEYS: u8 = 0;
    pub const READ_RESERVATION: u8 = 1;
    pub const REPORT_CAPABILITIES: u8 = 2;
    pub const READ_FULL_STATUS: u8 = 3;
}

/// Longest CDB that virtio-scsi carries by default, in bytes
/// (`VIRTIO_SCSI_CDB_DEFAULT_SIZE`).
pub const CDB_BYTES: usize = 32;

/// Logical blocks that a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First logical block.
    pub lba: u64,
    /// Number of logical blocks; 0 is possible.
    pub blocks: u32,
}

/// What a MODE SENSE asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeSense {
    /// MODE SENSE (10), whose header is longer than that of MODE SENSE (6).
    pub ten: bool,
    /// LLBAA: whether the block descriptor may be the long one.
    pub long_lba: bool,
    /// DBD: whether the block descriptor must be left out.
    pub no_descriptor: bool,
    /// PAGE CONTROL: current, changeable, default or saved values.
    pub control: u8,
    /// PAGE CODE: the page, or 3Fh for all.
    pub page: u8,
    /// SUBPAGE CODE: the subpage, or FFh for all.
    pub subpage: u8,
}

/// Which operation codes are to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcodes {
    /// All operation codes with their service actions.
    All,
    /// One operation code. Its `service` must be `Some` if it has service
    /// actions, and `None` if it has none.
    One {
        /// The operation code that is asked for.
        opcode: u8,
        /// The service action that is asked for.
        service: Option<u16>,
        /// Whether a service action is ignored if the operation code has none.
        lenient: bool,
    },
}

/// A command that the target knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the standard's names")]
pub enum ScsiCommand {
    TestUnitReady,
    RequestSense {
        descriptor: bool,
        allocation: u32,
    },
    Inquiry {
        /// The page, if vital product data are asked for.
        page: Option<u8>,
        allocation: u32,
    },
    ModeSense {
        what: ModeSense,
        allocation: u32,
    },
    ReadCapacity10,
    ReadCapacity16 {
        allocation: u32,
    },
    ReportLuns {
        /// SELECT REPORT: which logical units to list.
        select: u8,
        allocation: u32,
    },
    Read(Extent),
    Write {
        extent: Extent,
        /// FUA: the data must be on the medium before the answer.
        force: bool,
    },
    Verify(Extent),
    SynchronizeCache(Extent),
    Unmap {
        /// PARAMETER LIST LENGTH: bytes of the parameter list.
        parameters: u16,
    },
    WriteSame {
        extent: Extent,
        /// UNMAP: whether the blocks may be deallocated.
        unmap: bool,
        /// NDOB: write zeros, without a block of data.
        no_data: bool,
    },
    ReportOpcodes {
        which: Opcodes,
        /// RCTD: whether to add the command timeouts descriptors.
        timeouts: bool,
        allocation: u32,
    },
    ReportTaskManagement {
        allocation: u32,
    },
    ReportTargetPortGroups {
        /// PARAMETER DATA FORMAT 001b: whether to use the extended header.
        extended: bool,
        allocation: u32,
    },
    PersistentReserveIn {
        service: u8,
        allocation: u32,
    },
}

impl ScsiCommand {
    /// The blocks that the command is about, if it is about blocks.
    pub fn extent(&self) -> Option<Extent> {
        match *self {
            ScsiCommand::Read(extent)
            | ScsiCommand::Verify(extent)
            | ScsiCommand::SynchronizeCache(extent)
            | ScsiCommand::Write { extent, .. }
            | ScsiCommand::WriteSame { extent, .. } => Some(extent),
            _ => None,
        }
    }

    /// Bytes of data that the command takes from the initiator; `block` is the
    /// block size in bytes.
    pub fn data_out(&self, block: u32) -> u64 {
        match *self {
            ScsiCommand::Write { extent, .. } => u64::from(extent.blocks) * u64::from(block),
            ScsiCommand::Unmap { parameters } => parameters.into(),
            ScsiCommand::WriteSame { no_data: false, .. } => block.into(),
            _ => 0,
        }
    }

    /// Bytes that the initiator must have room for; `block` is the block size
    /// in bytes. 0 for parameter data, whose length is known only after the
    /// command was executed.
    pub fn data_in(&self, block: u32) -> u64 {
        match *self {
            ScsiCommand::Read(extent) => u64::from(extent.blocks) * u64::from(block),
            _ => 0,
        }
    }

    /// Parses a CDB.
    ///
    /// # Errors
    ///
    /// The sense data of an ILLEGAL REQUEST: the target does not have the
    /// operation code or service action, or refuses the value of a field.
    pub fn parse(cdb: &[u8; CDB_BYTES]) -> Result<Self, Sense> {
        use opcode::*;
        let u16_at = |at: usize| u16::from_be_bytes([cdb[at], cdb[at + 1]]);
        let u32_at =
            |at: usize| u32::from_be_bytes([cdb[at], cdb[at + 1], cdb[at + 2], cdb[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) << 32 | u64::from(u32_at(at + 4));
        let service = cdb[1] & 0x1f;
        let six = || Extent {
            lba: (u32_at(0) & 0x1f_ffff).into(),
            blocks: match cdb[4] {
                0 => 256,
                count => count.into(),
            },
        };
        let ten = || Extent {
            lba: u32_at(2).into(),
            blocks: u16_at(7).into(),
        };
        let twelve = || Extent {
            lba: u32_at(2).into(),
            blocks: u32_at(6),
        };
        let sixteen = || Extent {
            lba: u64_at(2),
            blocks: u32_at(10),
        };
        // RDPROTECT, WRPROTECT, VRPROTECT: the target has no protection
        // information.
        let unprotected = || match cdb[1] >> 5 {
            0 => Ok(()),
            _ => Err(Sense::INVALID_FIELD_IN_CDB),
        };
        let force = cdb[1] & 8 != 0;
        let verify = |extent| match cdb[1] & 6 {
            0 => Ok(ScsiCommand::Verify(extent)),
            // BYTCHK: a comparison would need data from the initiator.
            _ => Err(Sense::INVALID_FIELD_IN_CDB),
        };

        let length = length(cdb[0]).ok_or(Sense::INVALID_OPCODE)?;
        // NACA: the target has no auto contingent allegiance.
        if cdb[length - 1] & 4 != 0 {
            return Err(Sense::INVALID_FIELD_IN_CDB);
        }
        Ok(match cdb[0] {
            TEST_UNIT_READY => ScsiCommand::TestUnitReady,
            REQUEST_SENSE => ScsiCommand::RequestSense {
                descriptor: cdb[1] & 1 != 0,
                allocation: cdb[4].into(),
            },
            INQUIRY => ScsiCommand::Inquiry {
                page: match (cdb[1] & 3, cdb[2]) {
                    (0, 0) => None,
                    (1, page) => Some(page),
                    _ => return Err(Sense::INVALID_FIELD_IN_CDB),
                },
                allocation: u16_at(3).into(),
            },
            MODE_SENSE_6 | MODE_SENSE_10 => {
                let ten = cdb[0] == MODE_SENSE_10;
                ScsiCommand::ModeSense {
                    what: ModeSense {
                        ten,
                        long_lba: ten && cdb[1] & 0x10 != 0,
                        no_descriptor: cdb[1] & 8 != 0,
                        control: cdb[2] >> 6,
                        page: cdb[2] & 0x3f,
                        subpage: cdb[3],
                    },
                    allocation: if ten { u16_at(7).into() } else { cdb[4].into() },
                }
            }
            READ_CAPACITY_10 => ScsiCommand::ReadCapacity10,
            SERVICE_ACTION_IN_16 if service == service::READ_CAPACITY_16 => {
                ScsiCommand::ReadCapacity16 {
                    allocation: u32_at(10),
                }
            }
            REPORT_LUNS => ScsiCommand::ReportLuns {
                select: cdb[2],
                allocation: u32_at(6),
            },
            READ_6 => ScsiCommand::Read(six()),
            WRITE_6 => ScsiCommand::Write {
                extent: six(),
                force: false,
            },
            READ_10 | READ_12 | READ_16 | WRITE_10 | WRITE_12 | WRITE_16 => {
                unprotected()?;
                let extent = match cdb[0] {
                    READ_10 | WRITE_10 => ten(),
                    READ_12 | WRITE_12 => twelve(),
                    _ => sixteen(),
                };
                match cdb[0] {
                    READ_10 | READ_12 | READ_16 => ScsiCommand::Read(extent),
                    _ => ScsiCommand::Write { extent, force },
                }
            }
            VERIFY_10 | VERIFY_12 | VERIFY_16 => {
                unprotected()?;
                verify(match cdb[0] {
                    VERIFY_10 => ten(),
                    VERIFY_12 => twelve(),
                    _ => sixteen(),
                })?
            }
            SYNCHRONIZE_CACHE_10 => ScsiCommand::SynchronizeCache(ten()),
            SYNCHRONIZE_CACHE_16 => ScsiCommand::SynchronizeCache(sixteen()),
            UNMAP if cdb[1] & 1 == 0 => ScsiCommand::Unmap {
                parameters: u16_at(7),
            },
            WRITE_SAME_16 if cdb[1] & 0x10 == 0 => {
                unprotected()?;
                ScsiCommand::WriteSame {
                    extent: sixteen(),
                    unmap: cdb[1] & 8 != 0,
                    no_data: cdb[1] & 1 != 0,
                }
            }
            MAINTENANCE_IN => match service {
                service::REPORT_TARGET_PORT_GROUPS => ScsiCommand::ReportTargetPortGroups {
                    extended: match cdb[1] >> 5 {
                        0 => false,
                        1 => true,
                        _ => return Err(Sense::INVALID_FIELD_IN_CDB),
                    },
                    allocation: u32_at(6),
                },
                service::REPORT_SUPPORTED_OPERATION_CODES => ScsiCommand::ReportOpcodes {
                    which: match cdb[2] & 7 {
                        0 => Opcodes::All,
                        options @ 1..=3 => Opcodes::One {
                            opcode: cdb[3],
                            service: (options != 1).then(|| u16_at(4)),
                            lenient: options == 3,
                        },
                        _ => return Err(Sense::INVALID_FIELD_IN_CDB),
                    },
                    timeouts: cdb[2] & 0x80 != 0,
                    allocation: u32_at(6),
                },
                service::REPORT_SUPPORTED_TASK_MANAGEMENT => ScsiCommand::ReportTaskManagement {
                    allocation: u32_at(6),
                },
                _ => return Err(Sense::INVALID_FIELD_IN_CDB),
            },
            PERSISTENT_RESERVE_IN if service <= service::READ_FULL_STATUS => {
                ScsiCommand::PersistentReserveIn {
                    service,
                    allocation: u16_at(7).into(),
                }
            }
            _ => return Err(Sense::INVALID_FIELD_IN_CDB),
        })
    }
}

/// Bytes of a CDB with that operation code; `None` if the target does not have
/// it.
pub fn length(opcode: u8) -> Option<usize> {
    use opcode::*;
    Some(match opcode {
        TEST_UNIT_READY | REQUEST_SENSE | READ_6 | WRITE_6 | INQUIRY | MODE_SENSE_6 => 6,
        READ_CAPACITY_10
        | READ_10
        | WRITE_10
        | VERIFY_10
        | SYNCHRONIZE_CACHE_10
        | UNMAP
        | MODE_SENSE_10
        | PERSISTENT_RESERVE_IN => 10,
        REPORT_LUNS | MAINTENANCE_IN | READ_12 | WRITE_12 | VERIFY_12 => 12,
        READ_16 | WRITE_16 | VERIFY_16 | SYNCHRONIZE_CACHE_16 | WRITE_SAME_16
        | SERVICE_ACTION_IN_16 => 16,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn parse(bytes: &[u8]) -> Result<ScsiCommand, Sense> {
        let mut cdb = [0; CDB_BYTES];
        cdb[..bytes.len()].copy_from_slice(bytes);
        ScsiCommand::parse(&cdb)
    }

    fn extent(lba: u64, blocks: u32) -> Extent {
        Extent { lba, blocks }
    }

    #[rstest]
    #[case::six(b"\x08\xe1\x02\x03\x04\0", ScsiCommand::Read(extent(0x1_0203, 4)))]
    #[case::six_of_256(b"\x0a\0\0\0\0\0", ScsiCommand::Write { extent: extent(0, 256), force: false })]
    #[case::ten(
        b"\x28\0\x80\0\0\x01\0\x02\0\0",
        ScsiCommand::Read(extent(0x8000_0001, 512))
    )]
    #[case::ten_of_none(b"\x28\0\0\0\0\x01\0\0\0\0", ScsiCommand::Read(extent(1, 0)))]
    #[case::twelve(
        b"\xaa\x08\0\0\0\x07\x01\0\0\0\0\0",
        ScsiCommand::Write { extent: extent(7, 1 << 24), force: true }
    )]
    #[case::sixteen(
        b"\x88\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0",
        ScsiCommand::Read(extent(0x1_0000_0002, 3))
    )]
    #[case::sync(
        b"\x35\0\0\0\0\x05\0\0\x06\0",
        ScsiCommand::SynchronizeCache(extent(5, 6))
    )]
    #[case::same(
        b"\x93\x09\0\0\0\0\0\0\0\x02\0\0\0\x03\0\0",
        ScsiCommand::WriteSame { extent: extent(2, 3), unmap: true, no_data: true }
    )]
    #[case::vital(b"\x12\x01\x83\x01\0\0", ScsiCommand::Inquiry { page: Some(0x83), allocation: 256 })]
    #[case::capacity(
        b"\x9e\x10\0\0\0\0\0\0\0\0\0\0\0\x20\0\0",
        ScsiCommand::ReadCapacity16 { allocation: 32 }
    )]
    fn a_command_is_read(#[case] cdb: &[u8], #[case] expected: ScsiCommand) {
        assert_eq!(parse(cdb), Ok(expected));
    }

    #[rstest]
    #[case::unknown(b"\x1b\0\0\0\x01\0", Sense::INVALID_OPCODE)]
    #[case::vendor(b"\xff", Sense::INVALID_OPCODE)]
    #[case::page_without_vital(b"\x12\0\x83\0\xff\0", Sense::INVALID_FIELD_IN_CDB)]
    #[case::naca(b"\0\0\0\0\0\x04", Sense::INVALID_FIELD_IN_CDB)]
    #[case::protected(b"\x28\x20\0\0\0\0\0\0\x01\0", Sense::INVALID_FIELD_IN_CDB)]
    #[case::compared(b"\x2f\x02\0\0\0\0\0\0\x01\0", Sense::INVALID_FIELD_IN_CDB)]
    #[case::anchored(b"\x93\x10", Sense::INVALID_FIELD_IN_CDB)]
    #[case::service(b"\xa3\x1f", Sense::INVALID_FIELD_IN_CDB)]
    #[case::service_in(b"\x9e\x12", Sense::INVALID_FIELD_IN_CDB)]
    #[case::reserve(b"\x5e\x04", Sense::INVALID_FIELD_IN_CDB)]
    fn what_we_do_not_have_is_refused(#[case] cdb: &[u8], #[case] expected: Sense) {
        assert_eq!(parse(cdb), Err(expected));
    }
}
