//! INQUIRY: standard data and vital product data (SPC-4 clauses 6.6 and 7.8,
//! SBC-3 clause 6.6).

use super::ports;
use super::unit::Unit;
use halfway_scsi::sense::Sense;

const VENDOR: &[u8; 8] = b"HALFWAY ";
const PRODUCT: &[u8; 16] = b"SENSE TARGET    ";
const REVISION: &[u8; 4] = b"0001";

/// SAM-5, SPC-4 and SBC-3, no version claimed.
const VERSIONS: [u16; 3] = [0x00a0, 0x0460, 0x04c0];

/// The vital product data pages that the unit has.
pub const PAGES: [u8; 6] = [0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2];

/// Most blocks of one UNMAP: with either block size their bytes fit NBD's 32
/// bits.
pub const MAX_UNMAP_BLOCKS: u32 = 1 << 19;
/// Most ranges of one UNMAP.
pub const MAX_UNMAP_RANGES: u32 = 64;

/// Standard INQUIRY data.
pub fn standard(unit: &Unit) -> Vec<u8> {
    let mut out = vec![0; 58];
    out[2] = 6; // SPC-4
    out[3] = 2 | 1 << 4; // response data format, HISUP
    if unit.identity.ports > 1 {
        out[5] = 1 << 4; // TPGS: implicit asymmetric access
        out[6] = 1 << 4; // MULTIP
    }
    out[7] = 2; // CMDQUE
    out[8..16].copy_from_slice(VENDOR);
    out[16..32].copy_from_slice(PRODUCT);
    out[32..36].copy_from_slice(REVISION);
    out.extend(VERSIONS.iter().flat_map(|version| version.to_be_bytes()));
    out[4] = (out.len() - 5) as u8;
    out
}

/// Standard INQUIRY data of a logical unit that does not exist.
pub fn absent() -> Vec<u8> {
    let mut out = vec![0; 36];
    out[0] = 0x7f; // no unit there, and none can be
    out[2] = 6;
    out[3] = 2;
    out[4] = 31;
    out
}

/// A page of vital product data.
///
/// # Errors
///
/// INVALID FIELD IN CDB if the unit has no such page.
pub fn vital(unit: &Unit, page: u8) -> Result<Vec<u8>, Sense> {
    let body = match page {
        0x00 => PAGES.to_vec(),
        0x80 => unit.identity.serial.as_bytes().to_vec(),
        0x83 => identification(unit),
        0xb0 => limits(unit),
        0xb1 => {
            let mut body = vec![0; 60];
            body[1] = 1; // non-rotating
            body
        }
        0xb2 => {
            // LBPU and LBPWS; blocks read as zeros afterwards (LBPRZ); thin
            // provisioning.
            vec![0, 1 << 7 | 1 << 6 | 1 << 2, 2, 0]
        }
        _ => return Err(Sense::INVALID_FIELD_IN_CDB),
    };
    let mut out = vec![0, page];
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(body);
    Ok(out)
}

/// Device identification page: the unit's world-wide name, its vendor's name
/// for it, and the port.
fn identification(unit: &Unit) -> Vec<u8> {
    let mut out = Vec::new();
    let mut add = |codes: u8, kind: u8, body: &[u8]| {
        out.extend([codes, kind, 0, body.len() as u8]);
        out.extend(body);
    };
    // NAA, locally assigned: the digit 3 and 60 bits.
    let naa = 3 << 60 | fingerprint(&unit.identity.name) >> 4;
    add(1, 3, &naa.to_be_bytes());
    // T10 vendor identification. Its length is a byte.
    let name = unit.identity.name.as_bytes();
    let name = &name[..name.len().min(64)];
    add(2, 1, &[&VENDOR[..], name].concat());
    // The designators of the port: its relative identifier and its group.
    add(1, 1 << 4 | 4, &ports::number(unit.identity.port));
    add(1, 1 << 4 | 5, &ports::number(ports::GROUP));
    out
}

/// FNV-1a, 64 bits: the same name gives the same number on every machine.
fn fingerprint(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// The block limits page.
fn limits(unit: &Unit) -> Vec<u8> {
    let mut page = [0; 64];
    page[4] = 1; // WSNZ: WRITE SAME of no blocks is refused
    page[6..8].copy_from_slice(&1u16.to_be_bytes());
    page[8..12].copy_from_slice(&unit.max_blocks().to_be_bytes());
    page[20..24].copy_from_slice(&MAX_UNMAP_BLOCKS.to_be_bytes());
    page[24..28].copy_from_slice(&MAX_UNMAP_RANGES.to_be_bytes());
    page[28..32].copy_from_slice(&1u32.to_be_bytes());
    page[36..44].copy_from_slice(&u64::from(unit.max_blocks()).to_be_bytes());
    page[4..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::unit::{BlockSize, Identity};

    fn unit() -> Unit {
        Unit {
            identity: Identity::new("leg0"),
            blocks: 8192,
        }
    }

    #[test]
    fn all_pages_that_are_named_are_there() {
        for page in PAGES {
            let data = vital(&unit(), page).unwrap();
            assert_eq!(data[..2], [0, page]);
            assert_eq!(usize::from(data[3]), data.len() - 4);
        }
        assert_eq!(vital(&unit(), 0xb9), Err(Sense::INVALID_FIELD_IN_CDB));
    }

    #[test]
    fn the_serial_number_is_as_it_was_given() {
        assert_eq!(vital(&unit(), 0x80).unwrap(), b"\0\x80\0\x04leg0");
    }

    #[test]
    fn paths_of_a_unit_share_its_name_and_not_their_port() {
        let mut other = unit();
        other.identity.serial = "leg1".to_owned();
        other.identity.port = 2;
        let (one, two) = (vital(&unit(), 0x83).unwrap(), vital(&other, 0x83).unwrap());
        let names = 4 + 12 + 4 + 12;
        assert_eq!(one[..names], two[..names]);
        assert_eq!(one[8] >> 4, 3);
        assert_eq!((one[names + 7], two[names + 7]), (1, 2));
    }

    #[test]
    fn a_transfer_is_limited_in_bytes() {
        let mut large = unit();
        large.identity.block = BlockSize::B4096;
        assert_eq!(vital(&unit(), 0xb0).unwrap()[8..12], [0, 1, 0, 0]);
        assert_eq!(vital(&large, 0xb0).unwrap()[8..12], [0, 0, 0x20, 0]);
    }
}
