//! The ports of a unit, as asymmetric access reports them (SPC-4 clause 6.33).

use super::unit::Unit;

/// The only target port group; all ports are in it.
pub const GROUP: u16 = 1;

/// The number of a port or a group in the form of a designator.
pub fn number(id: u16) -> [u8; 4] {
    u32::from(id).to_be_bytes()
}

/// Parameter data of REPORT TARGET PORT GROUPS: one group, active/optimized.
pub fn groups(unit: &Unit, extended: bool) -> Vec<u8> {
    let ports = unit.identity.ports.clamp(1, 255);
    let mut body = Vec::new();
    if extended {
        body.extend([1 << 4, 0, 0, 0]); // format; no implicit transition time
    }
    // State 0 is active/optimized. Only that one is supported (AO_SUP).
    body.extend([0, 1]);
    body.extend(GROUP.to_be_bytes());
    body.extend([0, 0, 0, ports as u8]);
    body.extend((1..=ports).flat_map(number));
    let mut out = (body.len() as u32).to_be_bytes().to_vec();
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::unit::Identity;

    #[test]
    fn two_ports_in_one_group() {
        let mut unit = Unit {
            identity: Identity::new("leg0"),
            blocks: 1,
        };
        unit.identity.ports = 2;
        let body = [0, 1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(groups(&unit, false), [&[0, 0, 0, 16][..], &body].concat());
        let extended = [&[0, 0, 0, 20, 0x10, 0, 0, 0][..], &body].concat();
        assert_eq!(groups(&unit, true), extended);
    }
}
