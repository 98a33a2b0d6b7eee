//! Legs whose logical blocks are larger than a sector: everything that is asked
//! of them must be in whole blocks.

use super::clash;
use crate::error::Report;
use crate::file::File;
use crate::sweep::{Given, Sweep};
use crate::value::Value;
use halfway_case::Controller;
use halfway_protocol::content::SECTOR;

/// Block sizes that disks have, in bytes.
const SIZES: [u32; 2] = [512, 4096];

pub(super) fn blocks(file: &File, report: &mut Report) {
    let legs = &file.legs;
    let sizes = &legs.logical_block_size;
    for size in sizes.offenders(|size| !SIZES.contains(size)) {
        report
            .problem(format!("no disk has blocks of {} bytes", size.value))
            .value(size, "this value")
            .help("a logical block has 512 or 4096 bytes");
    }
    let Some(block) = sizes.find(|size| *size == 4096) else {
        return;
    };
    clash(
        report,
        (legs.controller).find(|one| *one != Controller::Target),
        Some(block),
        "only disks of our own have blocks of another size",
        "set `controller = \"target\"`, or leave `logical_block_size` out",
    );
    let sectors = u64::from(block.value) / SECTOR as u64;
    let offsets = Sweep(legs.offset.items.clone());
    whole(block, &legs.size, "a device", sectors, "sectors", report);
    whole(
        block,
        &offsets,
        "a place on a leg",
        sectors,
        "sectors",
        report,
    );
    whole(
        block,
        &file.io.sector,
        "an I/O's place",
        sectors,
        "sectors",
        report,
    );
    whole(
        block,
        &file.io.sectors,
        "an I/O",
        sectors,
        "sectors",
        report,
    );
    whole(
        block,
        &file.io.overlap,
        "an overlap",
        sectors,
        "sectors",
        report,
    );
    if let Some(linear) = &file.stack.linear {
        whole(block, linear, "a segment", sectors, "sectors", report);
    }
    if let Some(limit) = &legs.max_sectors_kb {
        let kib = u32::try_from(sectors / 2).unwrap_or(u32::MAX);
        whole(block, limit, "`max_sectors_kb`", kib, "KiB", report);
    }
    for requests in &file.io.requests.0 {
        let uneven = |all: &u64| {
            let blocks = all / sectors;
            let each = u64::from(requests.value.max(1));
            all.is_multiple_of(sectors) && !blocks.is_multiple_of(each)
        };
        if let Some(all) = file.io.sectors.find(uneven) {
            report
                .problem(format!(
                    "{} sectors are not cut into {} requests of whole blocks",
                    all.value, requests.value
                ))
                .value(requests, "so many requests")
                .value(all, "of this together")
                .value(block, "blocks of this size")
                .help("all requests have the same number of logical blocks then");
        }
    }
}

/// Reports values that are no multiple of a block.
fn whole<T>(
    block: &Given<u32>,
    values: &Sweep<T>,
    what: &str,
    unit: T,
    name: &str,
    report: &mut Report,
) where
    T: Value + Copy + std::ops::Rem<Output = T> + Default + std::fmt::Display,
{
    for value in values.offenders(|value| *value % unit != T::default()) {
        report
            .problem(format!("{what} is in whole logical blocks"))
            .value(value, "this value")
            .value(block, "blocks of this size")
            .help(format!("give a multiple of {unit} {name}"));
    }
}
