//! Commands to a unit whose storage is in memory.

mod memory;

use halfway_scsi::sense::{Format, Key, Sense};
use halfway_scsi::{Reply, Status};
use halfway_target::scsi::cdb::{CDB_BYTES, ScsiCommand};
use halfway_target::scsi::execute::{Completion, admit, execute};
use halfway_target::scsi::unit::Unit;
use halfway_target::{BlockSize, Identity, Policy};
use memory::{Bytes, pattern};
use rstest::rstest;

fn unit(block: BlockSize, blocks: u64) -> Unit {
    let identity = Identity {
        block,
        ..Identity::new("leg0")
    };
    Unit { identity, blocks }
}

fn run(unit: &Unit, storage: &mut Bytes, cdb: &[u8], out: &[u8]) -> Completion {
    let mut bytes = [0; CDB_BYTES];
    bytes[..cdb.len()].copy_from_slice(cdb);
    let command = match ScsiCommand::parse(&bytes) {
        Ok(command) => command,
        Err(sense) => return Completion::check(sense),
    };
    match admit(unit, &command) {
        Ok(()) => {
            assert_eq!(command.data_out(unit.block()), out.len() as u64);
            execute(unit, storage, &Policy::default(), command, out)
        }
        Err(sense) => Completion::check(sense),
    }
}

fn sixteen(opcode: u8, flags: u8, lba: u64, blocks: u32) -> Vec<u8> {
    let mut cdb = vec![opcode, flags];
    cdb.extend(lba.to_be_bytes());
    cdb.extend(blocks.to_be_bytes());
    cdb.extend([0, 0]);
    cdb
}

fn sense(answer: &Completion) -> Sense {
    match answer.reply {
        Reply::Status(Status::CheckCondition, Some(sense)) => sense,
        other => panic!("{other:?}"),
    }
}

const READ: u8 = 0x88;
const WRITE: u8 = 0x8a;
const GOOD: Reply = Reply::Status(Status::Good, None);
const MEDIUM: Sense = Sense::new(Key::MediumError, 0x11, 0);

#[rstest]
#[case::small(BlockSize::B512)]
#[case::large(BlockSize::B4096)]
fn a_bad_byte_makes_its_block_bad(#[case] block: BlockSize) {
    let unit = unit(block, 64);
    let bytes = unit.block() as usize;
    let mut storage = Bytes::new(64 * bytes);
    storage.bad = vec![(20 * bytes as u64 + 7, 5)];
    let read = run(&unit, &mut storage, &sixteen(READ, 0, 16, 8), &[]);
    assert_eq!(sense(&read), MEDIUM.at(20));
    assert_eq!((read.good, read.errno), (4, Some(5)));
    let expected: Vec<u8> = (16 * bytes..20 * bytes).map(pattern).collect();
    assert_eq!(read.data, expected);

    let data = vec![0xaa; 8 * bytes];
    let write = run(&unit, &mut storage, &sixteen(WRITE, 0, 16, 8), &data);
    assert_eq!(sense(&write), MEDIUM.at(20));
    assert_eq!(write.transferred, 4 * bytes as u64);
    assert_eq!(storage.data[16 * bytes..20 * bytes], data[..4 * bytes]);
    let behind: Vec<u8> = (20 * bytes..24 * bytes).map(pattern).collect();
    assert_eq!(storage.data[20 * bytes..24 * bytes], behind);
}

#[test]
fn a_block_beyond_two_tebibytes_is_told_in_descriptors() {
    let far = 1 << 32;
    let unit = unit(BlockSize::B512, far + 64);
    let mut storage = Bytes::new(64 * 512);
    storage.base = far * 512;
    storage.bad = vec![((far + 9) * 512, 5)];
    let read = run(&unit, &mut storage, &sixteen(READ, 0, far, 16), &[]);
    assert_eq!(sense(&read), MEDIUM.at(far + 9));
    assert_eq!(unit.sense_format(), Format::Descriptor);
    let capacity = run(&unit, &mut storage, b"\x25\0\0\0\0\0\0\0\0\0", &[]);
    assert_eq!(capacity.data, [0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0]);
}

#[rstest]
#[case::last(63, 1, None)]
#[case::beyond(63, 2, Some(Sense::LBA_OUT_OF_RANGE))]
#[case::none_at_the_end(64, 0, Some(Sense::LBA_OUT_OF_RANGE))]
#[case::none(63, 0, None)]
#[case::wrapping(u64::MAX, 1, Some(Sense::LBA_OUT_OF_RANGE))]
#[case::most(0, u32::MAX, Some(Sense::LBA_OUT_OF_RANGE))]
fn the_limits_of_the_unit(#[case] lba: u64, #[case] blocks: u32, #[case] refused: Option<Sense>) {
    let unit = unit(BlockSize::B512, 64);
    let mut storage = Bytes::new(64 * 512);
    let read = run(&unit, &mut storage, &sixteen(READ, 0, lba, blocks), &[]);
    match refused {
        None => assert_eq!(read.reply, GOOD),
        Some(expected) => assert_eq!(sense(&read), expected),
    }
}

#[test]
fn a_transfer_longer_than_the_limit_is_refused() {
    let unit = unit(BlockSize::B512, 1 << 20);
    let mut storage = Bytes::new(0);
    let read = run(&unit, &mut storage, &sixteen(READ, 0, 0, 65537), &[]);
    assert_eq!(sense(&read), Sense::INVALID_FIELD_IN_CDB);
}

#[test]
fn blocks_are_released_and_written_alike() {
    const WRITE_SAME: u8 = 0x93;
    let unit = unit(BlockSize::B512, 64);
    let mut storage = Bytes::new(64 * 512);
    let mut list = vec![0, 22, 0, 16, 0, 0, 0, 0];
    list.extend(3u64.to_be_bytes());
    list.extend(2u32.to_be_bytes());
    list.extend([0; 4]);
    let unmapped = run(&unit, &mut storage, b"\x42\0\0\0\0\0\0\0\x18\0", &list);
    assert_eq!((unmapped.reply, unmapped.transferred), (GOOD, 24));
    assert!(storage.data[3 * 512..5 * 512].iter().all(|byte| *byte == 0));
    assert_eq!(storage.data[5 * 512], pattern(5 * 512));

    list[15] = 63;
    let beyond = run(&unit, &mut storage, b"\x42\0\0\0\0\0\0\0\x18\0", &list);
    assert_eq!(sense(&beyond), Sense::LBA_OUT_OF_RANGE);
    let short = run(&unit, &mut storage, b"\x42\0\0\0\0\0\0\0\x04\0", &list[..4]);
    assert_eq!(sense(&short), Sense::PARAMETER_LENGTH);

    let same = run(
        &unit,
        &mut storage,
        &sixteen(WRITE_SAME, 0, 8, 4),
        &[7; 512],
    );
    assert_eq!((same.reply, same.transferred), (GOOD, 512));
    assert!(
        storage.data[8 * 512..12 * 512]
            .iter()
            .all(|byte| *byte == 7)
    );
    let zeroes = run(&unit, &mut storage, &sixteen(WRITE_SAME, 1, 9, 2), &[]);
    assert_eq!(zeroes.reply, GOOD);
    assert!(
        storage.data[9 * 512..11 * 512]
            .iter()
            .all(|byte| *byte == 0)
    );
    assert_eq!(storage.data[11 * 512], 7);
    let none = run(&unit, &mut storage, &sixteen(WRITE_SAME, 1, 9, 0), &[]);
    assert_eq!(sense(&none), Sense::INVALID_FIELD_IN_CDB);

    storage.bad = vec![(10 * 512, 5)];
    let failed = run(
        &unit,
        &mut storage,
        &sixteen(WRITE_SAME, 0, 8, 4),
        &[9; 512],
    );
    assert_eq!((sense(&failed), failed.good), (MEDIUM.at(10), 2));
    assert_eq!(storage.data[9 * 512], 9);
    assert_eq!(storage.data[11 * 512], 7);
}

#[test]
fn verifying_moves_nothing_and_finds_the_bad_block() {
    let unit = unit(BlockSize::B512, 64);
    let mut storage = Bytes::new(64 * 512);
    storage.bad = vec![(10 * 512, 5)];
    let verified = run(&unit, &mut storage, &sixteen(0x8f, 0, 0, 64), &[]);
    assert_eq!(sense(&verified), MEDIUM.at(10));
    assert_eq!((verified.data.len(), verified.transferred), (0, 0));
}

#[test]
fn a_cache_that_cannot_be_flushed_says_so() {
    let unit = unit(BlockSize::B512, 64);
    let mut storage = Bytes::new(64 * 512);
    let cdb = sixteen(0x91, 0, 0, 0);
    assert_eq!(run(&unit, &mut storage, &cdb, &[]).reply, GOOD);
    storage.bad = vec![(u64::MAX, 5), (0, 5)];
    assert_eq!(sense(&run(&unit, &mut storage, &cdb, &[])), MEDIUM);
}
