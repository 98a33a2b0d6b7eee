//! The I/O of the application: dd where it can do it, else the helper.

use halfway_case::Case;
use halfway_protocol::content::SECTOR;
use halfway_protocol::io::{IoOp, Op, Path};
use std::fmt::Write;

/// Whether dd cannot do it: busybox's has no memory for direct I/O, and none has segments.
pub fn needs_helper(case: &Case) -> bool {
    matches!(case.io.op, Op::Read | Op::Write) && case.io.path == Path::Direct
}

/// The lines that do the I/O, up to where it has been asked for.
pub fn lines(case: &Case) -> Vec<String> {
    let (_, ops) = case
        .io
        .requests(u64::from(case.legs.logical_block_size) / SECTOR as u64);
    let mut lines = vec![String::new(), format!("# {}.", sentence(&asked(case)))];
    lines.push(format!("ios={}", ops.len()));
    if case.io.op == Op::Write {
        for (index, op) in ops.iter().enumerate() {
            let (sector, sectors) = (op.sector, sectors(op));
            lines.push(format!(
                "sectors {sector} {sectors} written >\"$work/new.{index}\""
            ));
        }
    }
    for (index, op) in ops.iter().enumerate() {
        lines.push(format!("io {index} {}", command(case, index, op)));
    }
    lines
}

/// How many sectors a request has.
pub fn sectors(op: &IoOp) -> u64 {
    let bytes: u64 = op.segments.iter().map(|one| u64::from(one.bytes)).sum();
    bytes / SECTOR as u64
}

/// What the application asks for. A flush has no sectors.
fn asked(case: &Case) -> String {
    match case.io.op {
        Op::Flush => "a flush".to_owned(),
        _ => case.io.to_string(),
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The command of a request, with its input and its output in front.
fn command(case: &Case, index: usize, op: &IoOp) -> String {
    let offset = op.sector * SECTOR as u64;
    let bytes = sectors(op) * SECTOR as u64;
    let files = match case.io.op {
        Op::Write => format!("\"$work/new.{index}\" /dev/null"),
        Op::Read => format!("/dev/null \"$work/got.{index}\""),
        Op::Flush | Op::Discard | Op::WriteZeroes => "/dev/null /dev/null".to_owned(),
    };
    let command = match case.io.op {
        Op::Flush => "dd of=\"$top\" count=0 conv=fsync,notrunc".to_owned(),
        Op::Discard | Op::WriteZeroes => format!("blkdiscard -o {offset} -l {bytes} \"$top\""),
        Op::Read | Op::Write if needs_helper(case) => {
            let way = match (case.io.op, case.io.dsync) {
                (Op::Read, _) => "r",
                (_, false) => "w",
                (_, true) => "d",
            };
            let mut words = format!("\"$work/rw\" \"$top\" {way} {offset}");
            for one in &op.segments {
                let _ = write!(words, " {}@{}", one.bytes, one.page_offset);
            }
            words
        }
        Op::Read => {
            format!("dd if=\"$top\" bs={bytes} count=1 skip={offset} iflag=skip_bytes")
        }
        Op::Write => format!(
            "dd of=\"$top\" bs={bytes} count=1 seek={offset} iflag=fullblock oflag=seek_bytes \
             conv=notrunc,fsync"
        ),
    };
    format!("{files} {command}")
}
