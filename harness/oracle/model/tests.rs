//! What the stacks do with flushes, discards and write-zeroes that fail.

use super::*;
use crate::oracle::units::nominal;
use crate::scenario::Scenario;
use rstest::rstest;

/// The only case of a scenario with that stack, I/O and faults.
fn case(stack: &str, io: &str, faults: &str) -> Case {
    let text = format!("question = \"?\"\n[stack]\n{stack}\n[io]\n{io}\n{faults}");
    let scenario = Scenario::parse("test", &text).unwrap();
    assert_eq!(scenario.count(), 1);
    scenario.expand().next().unwrap()
}

fn expected(case: &Case) -> Expectation {
    knows(case).unwrap();
    let units = nominal(&case.io.parts(), &case.boundaries());
    expect(case, &Environment::default(), &units)
}

const ONE: &str = "[[fault]]\nop = \"flush\"";
const BOTH: &str = "[[fault]]\nop = \"flush\"\n[[fault]]\nop = \"flush\"\nleg = 1";
const FLUSH: &str = "op = \"flush\"";
const FUA: &str = "op = \"write\"\ndsync = true";
const PAGES: &str = "op = \"write\"\npath = \"buffered\"";
const KEEP: &str = "keep_log = true";

/// Whether the application hears of it and whether it waits; the legs; whether a
/// region loses its sync; how often the legs are asked for the data.
#[rstest]
#[case::held("", FLUSH, ONE, (false, true), "DA", false, [1, 1])]
#[case::kept(KEEP, FLUSH, ONE, (false, false), "DA", false, [1, 1])]
#[case::unhandled("handle_errors = false", FLUSH, ONE, (false, false), "DA", false, [1, 1])]
#[case::no_leg("", FLUSH, BOTH, (true, false), "DD", false, [1, 1])]
#[case::disk_log("log = \"disk\"", FLUSH, ONE, (false, true), "FA", false, [1, 1])]
#[case::fua_held("", FUA, ONE, (false, true), "DA", true, [1, 2])]
#[case::fua_kept(KEEP, FUA, ONE, (false, false), "DA", true, [1, 1])]
#[case::fua_no_leg("", FUA, BOTH, (true, false), "DD", true, [1, 1])]
#[case::pages(KEEP, PAGES, ONE, (false, false), "DA", false, [1, 1])]
fn a_mirror_whose_legs_fail_flushes(
    #[case] stack: &str,
    #[case] io: &str,
    #[case] faults: &str,
    #[case] told_and_held: (bool, bool),
    #[case] health: &str,
    #[case] loses_sync: bool,
    #[case] asked: [u32; 2],
) {
    let expected = expected(&case(stack, io, faults));
    let (told, held) = told_and_held;
    let answer = if told { Err(EIO) } else { Ok(512 * 512) };
    assert_eq!(expected.answers, [[answer]]);
    assert_eq!((expected.held, expected.loses_sync), (held, loses_sync));
    assert_eq!(expected.health.concat(), health);
    assert_eq!(expected.units[0].asked, asked.map(|times| (times, times)));
    assert_eq!(expected.fires.len(), if faults == ONE { 1 } else { 2 });
}

const MQ: &str = "target = \"multipath\"";
const BIO: &str = "target = \"multipath\"\nqueue_mode = \"bio\"";

/// A flush of its own leaves the data where they are; one behind a bio takes
/// the bio with it.
#[rstest]
#[case::fsync(BIO, FLUSH, ONE, Ok(512 * 512), "FA", [1, 0])]
#[case::fua_in_request_mode(MQ, FUA, ONE, Ok(512 * 512), "FA", [1, 0])]
#[case::fua_in_bio_mode(BIO, FUA, ONE, Ok(512 * 512), "FA", [1, 1])]
#[case::no_path(MQ, FLUSH, BOTH, Err(EIO), "FF", [1, 0])]
#[case::fua_no_path(BIO, FUA, BOTH, Err(EIO), "FF", [1, 1])]
fn multipath_whose_paths_fail_flushes(
    #[case] stack: &str,
    #[case] io: &str,
    #[case] faults: &str,
    #[case] answer: Answer,
    #[case] health: &str,
    #[case] asked: [u32; 2],
) {
    let expected = expected(&case(stack, io, faults));
    assert_eq!(expected.answers, [[answer]]);
    assert_eq!(expected.health.concat(), health);
    assert_eq!(expected.units[0].asked, asked.map(|times| (times, times)));
}

/// A mirror forgets a discard that fails; multipath sends it down another path.
#[rstest]
#[case("", "AA", &[1], [1, 1])]
#[case("handle_errors = false", "AA", &[1], [1, 1])]
#[case(MQ, "FA", &[0], [1, 1])]
fn a_discard_that_fails(
    #[case] stack: &str,
    #[case] health: &str,
    #[case] good: &[u8],
    #[case] asked: [u32; 2],
) {
    let expected = expected(&case(stack, "op = \"discard\"", "[[fault]]"));
    assert_eq!(expected.answers, [[Ok(512 * 512)]]);
    assert_eq!(expected.health.concat(), health);
    assert_eq!(expected.units[0].good, good);
    assert_eq!(expected.units[0].asked, asked.map(|times| (times, times)));
}

#[test]
fn a_mirror_has_zeros_written() {
    let fault = "[[fault]]\nop = \"write\"";
    let expected = expected(&case(KEEP, "op = \"write-zeroes\"", fault));
    assert_eq!(expected.health.concat(), "DA");
    assert_eq!(expected.units[0].good, [1]);
    assert!(expected.loses_sync);
}

#[rstest]
#[case::nothing_flushed("", "op = \"write\"", ONE)]
#[case::two_kinds(
    "",
    FLUSH,
    "[[fault]]\nop = \"flush\"\n[[fault]]\nop = \"write\"\nleg = 1"
)]
#[case::no_such_request("", "op = \"write-zeroes\"", "[[fault]]")]
#[case::reads_nothing("", "op = \"discard\"", "[[fault]]\nop = \"read\"")]
#[case::pieces("", "op = \"write\"\ndsync = true\nrequests = 2", ONE)]
#[case::pieces_by_path(MQ, "op = \"write\"\ndsync = true\nrequests = 2", ONE)]
#[case::which_path("target = \"multipath\"\npath_grouping = \"multibus\"", FLUSH, ONE)]
#[case::how_often("log = \"disk\"", FLUSH, "[[fault]]\ntimes = \"once\"")]
fn what_is_not_known(#[case] stack: &str, #[case] io: &str, #[case] faults: &str) {
    assert!(knows(&case(stack, io, faults)).is_err());
}
