//! REPORT SUPPORTED OPERATION CODES and TASK MANAGEMENT FUNCTIONS (SPC-4
//! clauses 6.34 and 6.35).

use super::cdb::{self, Opcodes, opcode, service};
use halfway_scsi::sense::Sense;

/// A command that the target has: its operation code, its service action, and
/// which bits of its CDB it reads.
struct Supported {
    opcode: u8,
    service: Option<u8>,
    usage: &'static [u8],
}

const fn plain(opcode: u8, usage: &'static [u8]) -> Supported {
    Supported {
        opcode,
        service: None,
        usage,
    }
}

const fn with(opcode: u8, service: u8, usage: &'static [u8]) -> Supported {
    Supported {
        opcode,
        service: Some(service),
        usage,
    }
}

const MAINTENANCE: &[u8] = b"\xa3\x1f\0\0\0\0\xff\xff\xff\xff\0\x04";
const RESERVE_IN: &[u8] = b"\x5e\x1f\0\0\0\0\0\xff\xff\x04";

#[rustfmt::skip]
const SUPPORTED: &[Supported] = &[
    plain(opcode::TEST_UNIT_READY, b"\x00\0\0\0\0\x04"),
    plain(opcode::REQUEST_SENSE, b"\x03\x01\0\0\xff\x04"),
    plain(opcode::READ_6, b"\x08\x1f\xff\xff\xff\x04"),
    plain(opcode::WRITE_6, b"\x0a\x1f\xff\xff\xff\x04"),
    plain(opcode::INQUIRY, b"\x12\x01\xff\xff\xff\x04"),
    plain(opcode::MODE_SENSE_6, b"\x1a\x08\xff\xff\xff\x04"),
    plain(opcode::READ_CAPACITY_10, b"\x25\0\0\0\0\0\0\0\0\x04"),
    plain(opcode::READ_10, b"\x28\xe0\xff\xff\xff\xff\0\xff\xff\x04"),
    plain(opcode::WRITE_10, b"\x2a\xe8\xff\xff\xff\xff\0\xff\xff\x04"),
    plain(opcode::VERIFY_10, b"\x2f\xe6\xff\xff\xff\xff\0\xff\xff\x04"),
    plain(opcode::SYNCHRONIZE_CACHE_10, b"\x35\0\xff\xff\xff\xff\0\xff\xff\x04"),
    plain(opcode::UNMAP, b"\x42\x01\0\0\0\0\0\xff\xff\x04"),
    plain(opcode::MODE_SENSE_10, b"\x5a\x18\xff\xff\0\0\0\xff\xff\x04"),
    with(opcode::PERSISTENT_RESERVE_IN, service::READ_KEYS, RESERVE_IN),
    with(opcode::PERSISTENT_RESERVE_IN, service::READ_RESERVATION, RESERVE_IN),
    with(opcode::PERSISTENT_RESERVE_IN, service::REPORT_CAPABILITIES, RESERVE_IN),
    with(opcode::PERSISTENT_RESERVE_IN, service::READ_FULL_STATUS, RESERVE_IN),
    plain(opcode::READ_16, b"\x88\xe0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x04"),
    plain(opcode::WRITE_16, b"\x8a\xe8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x04"),
    plain(opcode::VERIFY_16, b"\x8f\xe6\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x04"),
    plain(opcode::SYNCHRONIZE_CACHE_16, b"\x91\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x04"),
    plain(opcode::WRITE_SAME_16, b"\x93\xf9\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x04"),
    with(opcode::SERVICE_ACTION_IN_16, service::READ_CAPACITY_16, b"\x9e\x1f\0\0\0\0\0\0\0\0\xff\xff\xff\xff\0\x04"),
    plain(opcode::REPORT_LUNS, b"\xa0\0\xff\0\0\0\xff\xff\xff\xff\0\x04"),
    with(opcode::MAINTENANCE_IN, service::REPORT_TARGET_PORT_GROUPS, b"\xa3\xff\0\0\0\0\xff\xff\xff\xff\0\x04"),
    with(opcode::MAINTENANCE_IN, service::REPORT_SUPPORTED_OPERATION_CODES, b"\xa3\x1f\x87\xff\xff\xff\xff\xff\xff\xff\0\x04"),
    with(opcode::MAINTENANCE_IN, service::REPORT_SUPPORTED_TASK_MANAGEMENT, MAINTENANCE),
    plain(opcode::READ_12, b"\xa8\xe0\xff\xff\xff\xff\xff\xff\xff\xff\0\x04"),
    plain(opcode::WRITE_12, b"\xaa\xe8\xff\xff\xff\xff\xff\xff\xff\xff\0\x04"),
    plain(opcode::VERIFY_12, b"\xaf\xe6\xff\xff\xff\xff\xff\xff\xff\xff\0\x04"),
];

/// A command timeouts descriptor without any timeout.
const NO_TIMEOUTS: [u8; 12] = [0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Parameter data of REPORT SUPPORTED OPERATION CODES.
///
/// # Errors
///
/// Sense data if a service action was given and there is none, or if it was
/// left out and there are some.
pub fn opcodes(which: Opcodes, timeouts: bool) -> Result<Vec<u8>, Sense> {
    match which {
        Opcodes::All => Ok(all(timeouts)),
        Opcodes::One {
            opcode,
            service,
            lenient,
        } => {
            let mut same = SUPPORTED.iter().filter(|it| it.opcode == opcode).peekable();
            let has_services = same.peek().is_some_and(|it| it.service.is_some());
            let known = cdb::length(opcode).is_some();
            if known && !lenient && has_services != service.is_some() {
                return Err(Sense::INVALID_FIELD_IN_CDB);
            }
            let found = match has_services {
                true => same.find(|it| it.service.map(u16::from) == service),
                false => same.next(),
            };
            Ok(one(found, timeouts))
        }
    }
}

fn all(timeouts: bool) -> Vec<u8> {
    let mut body = Vec::new();
    for it in SUPPORTED {
        body.extend([it.opcode, 0]);
        body.extend(u16::from(it.service.unwrap_or(0)).to_be_bytes());
        let flags = u8::from(timeouts) << 1 | u8::from(it.service.is_some());
        body.extend([0, flags]);
        body.extend((it.usage.len() as u16).to_be_bytes());
        if timeouts {
            body.extend(NO_TIMEOUTS);
        }
    }
    let mut out = (body.len() as u32).to_be_bytes().to_vec();
    out.extend(body);
    out
}

fn one(found: Option<&Supported>, timeouts: bool) -> Vec<u8> {
    let Some(it) = found else {
        return vec![0, 1, 0, 0]; // SUPPORT: not supported
    };
    let mut out = vec![0, u8::from(timeouts) << 7 | 3]; // as the standard says
    out.extend((it.usage.len() as u16).to_be_bytes());
    out.extend(it.usage);
    if timeouts {
        out.extend(NO_TIMEOUTS);
    }
    out
}

/// Parameter data of REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS: abort task,
/// abort task set, clear task set, logical unit reset, I_T nexus reset.
pub fn task_management() -> Vec<u8> {
    let (abort_task, abort_set, clear_set, unit_reset) = (1 << 7, 1 << 6, 1 << 4, 1 << 3);
    vec![abort_task | abort_set | clear_set | unit_reset, 1, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::cdb::{CDB_BYTES, ScsiCommand};

    /// The parser is tried with every operation code and every service action,
    /// and the table must agree with it.
    #[test]
    fn what_is_supported_is_what_is_parsed() {
        for opcode in 0..=u8::MAX {
            for action in 0..32 {
                let mut cdb = [0; CDB_BYTES];
                cdb[0] = opcode;
                let services = SUPPORTED
                    .iter()
                    .any(|it| it.opcode == opcode && it.service.is_some());
                if services {
                    cdb[1] = action;
                }
                let listed = SUPPORTED.iter().any(|it| {
                    it.opcode == opcode && it.service.is_none_or(|service| service == action)
                });
                assert_eq!(
                    ScsiCommand::parse(&cdb).is_ok(),
                    listed,
                    "{opcode:#x} {action:#x}"
                );
            }
        }
    }

    #[test]
    fn each_has_a_usage_of_its_length() {
        for it in SUPPORTED {
            assert_eq!(it.usage[0], it.opcode);
            assert_eq!(
                Some(it.usage.len()),
                cdb::length(it.opcode),
                "{:#x}",
                it.opcode
            );
        }
    }

    #[test]
    fn one_of_them() {
        let ask = |opcode, service, lenient| {
            let which = Opcodes::One {
                opcode,
                service,
                lenient,
            };
            opcodes(which, false)
        };
        assert_eq!(ask(0, None, false).unwrap()[..4], [0, 3, 0, 6]);
        assert_eq!(ask(0x1b, None, false).unwrap(), [0, 1, 0, 0]);
        assert_eq!(ask(0x9e, Some(0x10), false).unwrap()[..4], [0, 3, 0, 16]);
        assert_eq!(ask(0x9e, Some(0x12), false).unwrap(), [0, 1, 0, 0]);
        assert_eq!(ask(0x28, Some(1), true).unwrap()[..4], [0, 3, 0, 10]);
        assert_eq!(ask(0x28, Some(0), false), Err(Sense::INVALID_FIELD_IN_CDB));
        assert_eq!(ask(0x9e, None, false), Err(Sense::INVALID_FIELD_IN_CDB));
    }
}
