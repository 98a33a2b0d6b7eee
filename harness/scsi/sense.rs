//! Sense data: what a device says of a failure (SPC-4, clause 4.5).

use serde::{Deserialize, Serialize};
use std::fmt;

/// Sense keys that the target reports (SPC-4, table 48).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Key {
    /// Nothing to report.
    NoSense = 0,
    /// The medium is damaged there (MEDIUM ERROR).
    MediumError = 3,
    /// The device itself failed (HARDWARE ERROR).
    HardwareError = 4,
    /// The command cannot be carried out as it is (ILLEGAL REQUEST).
    IllegalRequest = 5,
    /// Something happened that the initiator must know first (UNIT ATTENTION).
    UnitAttention = 6,
    /// The medium may not be written (DATA PROTECT).
    DataProtect = 7,
    /// The device aborted the command (ABORTED COMMAND).
    AbortedCommand = 0xb,
}

/// What went wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sense {
    /// Sense key: the class of the failure.
    pub key: Key,
    /// Additional sense code (ASC).
    pub asc: u8,
    /// Additional sense code qualifier (ASCQ).
    pub ascq: u8,
    /// INFORMATION: the first logical block that failed. `None` leaves VALID at
    /// 0.
    pub information: Option<u64>,
}

/// The two layouts of sense data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 18 bytes, with 32 bits for INFORMATION.
    Fixed,
    /// A header and descriptors, with 64 bits for INFORMATION.
    Descriptor,
}

impl Sense {
    /// INVALID COMMAND OPERATION CODE.
    pub const INVALID_OPCODE: Sense = Sense::new(Key::IllegalRequest, 0x20, 0);
    /// LOGICAL BLOCK ADDRESS OUT OF RANGE.
    pub const LBA_OUT_OF_RANGE: Sense = Sense::new(Key::IllegalRequest, 0x21, 0);
    /// INVALID FIELD IN CDB.
    pub const INVALID_FIELD_IN_CDB: Sense = Sense::new(Key::IllegalRequest, 0x24, 0);
    /// LOGICAL UNIT NOT SUPPORTED.
    pub const NO_SUCH_UNIT: Sense = Sense::new(Key::IllegalRequest, 0x25, 0);
    /// INVALID FIELD IN PARAMETER LIST.
    pub const INVALID_FIELD_IN_PARAMETERS: Sense = Sense::new(Key::IllegalRequest, 0x26, 0);
    /// PARAMETER LIST LENGTH ERROR.
    pub const PARAMETER_LENGTH: Sense = Sense::new(Key::IllegalRequest, 0x1a, 0);
    /// SAVING PARAMETERS NOT SUPPORTED.
    pub const NO_SAVED_PARAMETERS: Sense = Sense::new(Key::IllegalRequest, 0x39, 0);
    /// LOGICAL UNIT COMMUNICATION FAILURE: the target's own storage is out of
    /// reach.
    pub const STORAGE_LOST: Sense = Sense::new(Key::HardwareError, 0x08, 0);
    /// NO ADDITIONAL SENSE INFORMATION.
    pub const NONE: Sense = Sense::new(Key::NoSense, 0, 0);

    /// Sense data without INFORMATION.
    pub const fn new(key: Key, asc: u8, ascq: u8) -> Self {
        Sense {
            key,
            asc,
            ascq,
            information: None,
        }
    }

    /// The same sense data with INFORMATION.
    pub const fn at(self, lba: u64) -> Self {
        Sense {
            information: Some(lba),
            ..self
        }
    }

    /// The bytes to send. If INFORMATION does not fit into the fixed format, it
    /// is left out and VALID is 0 (SPC-4, clause 4.5.3).
    pub fn bytes(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Fixed => {
                let mut out = vec![0; 18];
                out[0] = 0x70;
                out[2] = self.key as u8;
                if let Some(information) = self.information.and_then(|lba| u32::try_from(lba).ok())
                {
                    out[0] |= 0x80;
                    out[3..7].copy_from_slice(&information.to_be_bytes());
                }
                out[7] = 10;
                out[12] = self.asc;
                out[13] = self.ascq;
                out
            }
            Format::Descriptor => {
                let mut out = vec![0x72, self.key as u8, self.asc, self.ascq, 0, 0, 0, 0];
                if let Some(information) = self.information {
                    out[7] = 12;
                    out.extend([0x00, 0x0a, 0x80, 0x00]);
                    out.extend(information.to_be_bytes());
                }
                out
            }
        }
    }
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}/{:02x}/{:02x}", self.key as u8, self.asc, self.ascq)?;
        match self.information {
            Some(lba) => write!(f, " at {lba}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const UNRECOVERED: Sense = Sense::new(Key::MediumError, 0x11, 0);

    #[rstest]
    #[case::without(UNRECOVERED, b"\x70\0\x03\0\0\0\0\x0a\0\0\0\0\x11\0\0\0\0\0")]
    #[case::with(UNRECOVERED.at(0x1020304), b"\xf0\0\x03\x01\x02\x03\x04\x0a\0\0\0\0\x11\0\0\0\0\0")]
    #[case::too_far(UNRECOVERED.at(1 << 32), b"\x70\0\x03\0\0\0\0\x0a\0\0\0\0\x11\0\0\0\0\0")]
    fn fixed(#[case] sense: Sense, #[case] expected: &[u8; 18]) {
        assert_eq!(sense.bytes(Format::Fixed), expected);
    }

    #[rstest]
    #[case::without(UNRECOVERED, b"\x72\x03\x11\0\0\0\0\0")]
    #[case::far(
        UNRECOVERED.at(0x1_0000_0002),
        b"\x72\x03\x11\0\0\0\0\x0c\0\x0a\x80\0\0\0\0\x01\0\0\0\x02"
    )]
    fn descriptor(#[case] sense: Sense, #[case] expected: &[u8]) {
        assert_eq!(sense.bytes(Format::Descriptor), expected);
    }
}
