//! What a buffered write reads before it writes.
//!
//! The page cache writes whole blocks of the dm device. A block is a page if
//! the device's size is a multiple of the page size (`set_init_blocksize` in
//! block/bdev.c). A write of a part of a page first reads the page, to fill it
//! up (`__block_write_begin_int` in fs/buffer.c). That read is no read-ahead:
//! if it fails, it is resubmitted to another leg or path like any other read.
//! All of this happens before the first byte is written back.

use super::{Expectation, PAGE_SECTORS, Unknown, indices, legs_with, rules_of};
use crate::units::Unit;
use halfway_case::{Case, PathGrouping};
use halfway_protocol::io::{Op, Path};

/// The pages that a buffered write changes only in part, in order.
fn pages(case: &Case) -> Vec<Unit> {
    if (case.op_on_legs(), case.io.path) != (Op::Write, Path::Buffered) {
        return Vec::new();
    }
    // A device that is no whole number of pages has blocks of its own logical size.
    if !case.legs.sectors.is_multiple_of(PAGE_SECTORS) {
        return Vec::new();
    }
    let mut pages = Vec::new();
    for (sector, sectors) in case.io.parts() {
        let end = sector + sectors;
        let cut = [sector, end]
            .into_iter()
            .filter(|at| at % PAGE_SECTORS != 0);
        pages.extend(cut.map(|at| Unit {
            sector: at / PAGE_SECTORS * PAGE_SECTORS,
            sectors: PAGE_SECTORS,
        }));
    }
    pages.sort_unstable();
    pages.dedup();
    pages
}

/// The legs, or paths, that fail such a read.
fn failing(case: &Case) -> Vec<u8> {
    let mut legs: Vec<u8> = (pages(case).into_iter())
        .flat_map(|page| legs_with(case, Op::Read, page))
        .collect();
    legs.sort_unstable();
    legs.dedup();
    legs
}

/// Whether the outcome is known for a write whose fill-up read fails.
pub fn knows_fill_up(case: &Case) -> Result<(), Unknown> {
    let mut failing = failing(case);
    if case.stack.nested().is_some() {
        // A mirror reads from its first leg while that has a path.
        failing.retain(|disk| *disk < case.ways());
    }
    if failing.is_empty() {
        return Ok(());
    }
    if failing.len() == usize::from(case.legs.count) {
        return Err(Unknown(
            "every leg fails what a buffered write reads to fill up a page; how much of it is \
             written then depends on which of them is asked for which page",
        ));
    }
    rules_of(&case.stack).knows_fill_up(case)
}

/// The expectation for the same write with its fill-up reads added.
pub fn expect(case: &Case, mut expected: Expectation) -> Expectation {
    let Some(failed) = rules_of(&case.stack).health_after_fill_up() else {
        return expected;
    };
    // The first leg or path is asked for the first page, and for the next ones
    // until it fails one. But within a group of paths the selector takes turns,
    // so only the first page is certain there.
    let mut pages = pages(case);
    let grouping = case.stack.multipath().map(|paths| paths.path_grouping);
    if grouping.is_some_and(|grouping| grouping != PathGrouping::Failover) {
        pages.truncate(1);
    }
    let certain = indices(case, |fault| {
        let covered = pages.iter().any(|page| page.covers(fault.sector));
        fault.leg == 0 && fault.op == Op::Read && covered
    });
    let first: Vec<usize> = certain.take(1).collect();
    for leg in failing(case) {
        let health = &mut expected.health[usize::from(leg)];
        *health = match (leg == 0 && !first.is_empty(), *health, failed) {
            (true, "A" | "F" | "AF", failed) => failed,
            (_, "A", "R") => "AR",
            (_, "A" | "AF", _) => "AF",
            (_, other, _) => other,
        };
    }
    expected.fires.splice(0..0, first);
    expected
}

#[cfg(test)]
mod tests {
    use super::super::{self as model, Environment, bytes, whole};
    use super::*;
    use halfway_scenario::Scenario;
    use rstest::rstest;

    const MULTIPATH: &str = "target = \"multipath\"";
    const MULTIBUS: &str = "target = \"multipath\"\npath_grouping = \"multibus\"";

    /// Columns: target; first sector of a buffered write (7 sectors, or 8 for a
    /// whole page); legs with faults of reads; what the legs show; whether the
    /// first leg's fault fires.
    #[rstest]
    #[case::leg("", 2049, &[0], "RA", true)]
    #[case::other_leg("", 2049, &[1], "A,AR", false)]
    #[case::whole_pages("", 2048, &[0], "AA", false)]
    #[case::path(MULTIPATH, 2049, &[0], "FA", true)]
    #[case::other_path(MULTIPATH, 2049, &[1], "A,AF", false)]
    #[case::in_turn(MULTIBUS, 2049, &[0], "FA", true)]
    #[case::second_page(MULTIBUS, 2047, &[0], "AF,A", false)]
    #[case::second_page_of_a_leg("", 2047, &[0], "RA", true)]
    fn a_part_of_a_page_is_read_first(
        #[case] stack: &str,
        #[case] sector: u64,
        #[case] legs: &[u8],
        #[case] health: &str,
        #[case] fires: bool,
    ) {
        let case = case(stack, sector, "op = \"read\"\nat = \"last\"", legs);
        assert_eq!(model::knows(&case), Ok(()));
        let unit = model::rounded(whole(&case));
        let expected = model::expect(&case, &Environment::default(), &[unit]);
        let shown = match health.contains(',') {
            true => expected.health.join(","),
            false => expected.health.concat(),
        };
        assert_eq!(shown, health);
        assert_eq!(expected.fires, if fires { vec![0] } else { vec![] });
        assert_eq!(expected.answers, [[Ok(bytes(case.io.sectors))]]);
    }

    /// A device that is no whole number of pages has smaller blocks.
    #[test]
    fn a_part_of_a_page_that_is_a_block() {
        let mut case = case("", 2049, "op = \"read\"\nat = 0", &[0]);
        assert_eq!(pages(&case).len(), 1);
        case.legs.sectors -= 1;
        assert_eq!(pages(&case), []);
    }

    #[rstest]
    #[case::all_legs("", "op = \"read\"\nat = 0", &[0, 1], false)]
    #[case::all_paths(MULTIPATH, "op = \"read\"\nat = 0", &[0, 1], false)]
    #[case::not_of_the_page("", "op = \"write\"\nat = 0", &[0], true)]
    fn who_has_no_page_is_not_known(
        #[case] stack: &str,
        #[case] fault: &str,
        #[case] legs: &[u8],
        #[case] known: bool,
    ) {
        assert_eq!(model::knows(&case(stack, 2049, fault, legs)).is_ok(), known);
    }

    fn case(stack: &str, sector: u64, fault: &str, legs: &[u8]) -> Case {
        // From a page boundary a whole page; else 7 sectors, which end with the
        // page or reach into the next one.
        let sectors = if sector.is_multiple_of(PAGE_SECTORS) {
            8
        } else {
            7
        };
        let mut text = format!(
            "question = \"?\"\n[stack]\n{stack}\n[io]\nop = \"write\"\npath = \"buffered\"\n\
             sector = {sector}\nsectors = {sectors}\n"
        );
        for leg in legs {
            text += &format!("[[fault]]\nleg = {leg}\n{fault}\n");
        }
        let scenario = Scenario::parse("test", &text).unwrap();
        scenario.expand().next().unwrap()
    }
}
