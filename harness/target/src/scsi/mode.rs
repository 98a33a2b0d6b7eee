//! MODE SENSE (SPC-4 clauses 6.11 and 7.5, SBC-3 clause 6.5).

use super::cdb::ModeSense;
use super::unit::Unit;
use halfway_scsi::sense::{Format, Sense};

const CACHING: u8 = 0x08;
const CONTROL: u8 = 0x0a;
const ALL: u8 = 0x3f;

/// Values of PAGE CONTROL: which values of the parameters are asked for.
const CHANGEABLE: u8 = 1;
const SAVED: u8 = 3;

/// The mode parameters that were asked for.
///
/// # Errors
///
/// Sense data if the unit has no such page, or if saved values are asked for.
pub fn sense(unit: &Unit, what: &ModeSense) -> Result<Vec<u8>, Sense> {
    if what.control == SAVED {
        return Err(Sense::NO_SAVED_PARAMETERS);
    }
    let all_subpages = what.page == ALL && what.subpage == 0xff;
    if what.subpage != 0 && !all_subpages {
        return Err(Sense::INVALID_FIELD_IN_CDB);
    }
    let mut pages = Vec::new();
    for page in [caching(), control(unit)] {
        if what.page == ALL || what.page == page[0] {
            pages.extend_from_slice(&page[..2]);
            // No parameter can be changed.
            pages.extend(page[2..].iter().map(|byte| match what.control {
                CHANGEABLE => 0,
                _ => *byte,
            }));
        }
    }
    if pages.is_empty() {
        return Err(Sense::INVALID_FIELD_IN_CDB);
    }

    let descriptor = match what.no_descriptor {
        true => Vec::new(),
        false => block_descriptor(unit, what.long_lba),
    };
    let dpofua = 1 << 4;
    let mut out = Vec::new();
    if what.ten {
        let length = 6 + descriptor.len() + pages.len();
        out.extend((length as u16).to_be_bytes());
        out.extend([0, dpofua, u8::from(what.long_lba), 0]);
        out.extend((descriptor.len() as u16).to_be_bytes());
    } else {
        let length = 3 + descriptor.len() + pages.len();
        out.extend([length as u8, 0, dpofua, descriptor.len() as u8]);
    }
    out.extend(descriptor);
    out.extend(pages);
    Ok(out)
}

fn block_descriptor(unit: &Unit, long: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if long {
        out.extend(unit.blocks.to_be_bytes());
        out.extend([0; 4]);
    } else {
        let blocks = u32::try_from(unit.blocks).unwrap_or(u32::MAX);
        out.extend(blocks.to_be_bytes());
    }
    out.extend(unit.block().to_be_bytes());
    out
}

/// The caching page. WCE: what was written may be lost until the cache is
/// synchronised.
fn caching() -> Vec<u8> {
    let mut page = vec![0; 20];
    page[..3].copy_from_slice(&[CACHING, 18, 1 << 2]);
    page
}

fn control(unit: &Unit) -> Vec<u8> {
    let mut page = vec![0; 12];
    page[..2].copy_from_slice(&[CONTROL, 10]);
    if unit.sense_format() == Format::Descriptor {
        page[2] = 1 << 2; // D_SENSE
    }
    page[8..10].copy_from_slice(&u16::MAX.to_be_bytes()); // busy for ever
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::unit::Identity;
    use rstest::rstest;

    fn ask(ten: bool, page: u8, control: u8, blocks: u64) -> Result<Vec<u8>, Sense> {
        let unit = Unit {
            identity: Identity::new("leg0"),
            blocks,
        };
        let what = ModeSense {
            ten,
            long_lba: ten,
            no_descriptor: false,
            control,
            page,
            subpage: 0,
        };
        sense(&unit, &what)
    }

    #[test]
    fn caching_with_the_short_header() {
        let data = ask(false, CACHING, 0, 8192).unwrap();
        assert_eq!(data[..4], [31, 0, 0x10, 8]);
        assert_eq!(data[4..12], [0, 0, 0x20, 0, 0, 0, 2, 0]);
        assert_eq!(data[12..15], [8, 18, 4]);
        assert_eq!(data.len(), 32);
    }

    #[test]
    fn all_pages_with_the_long_header() {
        let data = ask(true, ALL, 0, 1 << 33).unwrap();
        assert_eq!(data[..8], [0, 54, 0, 0x10, 1, 0, 0, 16]);
        assert_eq!(
            data[8..24],
            [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]
        );
        assert_eq!(data[44..47], [CONTROL, 10, 4]);
    }

    #[rstest]
    #[case::saved(CACHING, SAVED, Sense::NO_SAVED_PARAMETERS)]
    #[case::unknown(0x1c, 0, Sense::INVALID_FIELD_IN_CDB)]
    fn refused(#[case] page: u8, #[case] control: u8, #[case] expected: Sense) {
        assert_eq!(ask(false, page, control, 8192), Err(expected));
    }

    #[test]
    fn nothing_can_be_changed() {
        let data = ask(false, ALL, CHANGEABLE, 8192).unwrap();
        assert!(data[14..32].iter().all(|byte| *byte == 0));
    }
}
