//! What the stacks do when flushes, discards and write-zeroes fail, when logs
//! and recoveries fail, and with requests in flight.

mod environment;
mod held;
mod paths;
mod reads;
mod recovery;
mod refused;
mod targets;
mod writes;

use super::*;
use crate::units::nominal;
use halfway_scenario::Scenario;
use rstest::rstest;

/// The only case of a scenario with that stack, I/O and faults.
fn case(stack: &str, io: &str, faults: &str) -> Case {
    let text = format!("question = \"?\"\n[stack]\n{stack}\n[io]\n{io}\n{faults}");
    let scenario = Scenario::parse("test", &text).unwrap();
    assert_eq!(scenario.count(), 1);
    scenario.expand().next().unwrap()
}

/// The only case of a scenario given without its question; `; ` stands for a
/// new line.
fn one(text: &str) -> Case {
    let text = format!("question = \"?\"\n{}", text.replace("; ", "\n"));
    let scenario = Scenario::parse("test", &text).unwrap();
    assert_eq!(scenario.count(), 1);
    scenario.expand().next().unwrap()
}

/// The correct answers to requests of so many sectors: a word for each request,
/// with alternatives, as in `ok ok|EIO`.
fn told(text: &str, sectors: u64) -> Vec<Vec<Answer>> {
    let answer = |word: &str| match word {
        "ok" => Ok(sectors * 512),
        _ => Err(5),
    };
    let each = text.split(' ');
    each.map(|one| one.split('|').map(answer).collect())
        .collect()
}

/// Legs or paths by their digits, as in `02`; `-` is none.
fn legs(text: &str) -> Vec<u8> {
    let digits = text.bytes().filter(u8::is_ascii_digit);
    digits.map(|digit| digit - b'0').collect()
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

/// Columns: options; I/O; faults; whether the application gets an error, and
/// whether the I/O waits; the legs' health; whether a region loses its sync;
/// how often each leg is asked for the data.
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

/// A failed flush that is a request of its own does not touch the data. A flush
/// behind a bio fails the whole bio with it.
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

/// A mirror ignores a discard that fails; multipath resubmits it to another
/// path.
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
#[case::kept_by_qemu("", "op = \"discard\"", "[[fault]]\nerrno = \"ENOTSUP\"")]
#[case::reads_nothing("", "op = \"discard\"", "[[fault]]\nop = \"read\"")]
#[case::pieces("", "op = \"write\"\ndsync = true\nrequests = 2", ONE)]
#[case::pieces_by_path(MQ, "op = \"write\"\ndsync = true\nrequests = 2", ONE)]
#[case::which_path("target = \"multipath\"\npath_grouping = \"multibus\"", FLUSH, ONE)]
#[case::how_often("log = \"disk\"", FLUSH, "[[fault]]\ntimes = \"once\"")]
fn what_is_not_known(#[case] stack: &str, #[case] io: &str, #[case] faults: &str) {
    assert!(knows(&case(stack, io, faults)).is_err());
}

const DISK_LOG: &str = "log = \"disk\"";
const LOG_WRITE: &str = "[[fault]]\ndisk = \"log\"\nop = \"write\"";
const LOG_FLUSH: &str = "[[fault]]\ndisk = \"log\"\nop = \"flush\"";
const LOG_READ: &str = "[[fault]]\ndisk = \"log\"\nop = \"read\"\nduring = \"set-up\"";
const WRITE: &str = "op = \"write\"";

/// Columns: options; the log's fault; whether the application gets an error,
/// and whether the I/O waits; the log's health; how often each leg is written.
#[rstest]
#[case::held("", LOG_WRITE, (false, true), 'D', 1)]
#[case::kept(KEEP, LOG_WRITE, (true, false), 'D', 0)]
#[case::unhandled("handle_errors = false", LOG_WRITE, (false, false), 'D', 1)]
#[case::flush_held("", LOG_FLUSH, (false, true), 'F', 1)]
#[case::flush_kept(KEEP, LOG_FLUSH, (true, false), 'F', 0)]
#[case::told_of_only("", LOG_READ, (false, false), 'D', 1)]
#[case::sound("", "", (false, false), 'A', 1)]
fn a_mirror_whose_log_fails(
    #[case] stack: &str,
    #[case] fault: &str,
    #[case] told_and_held: (bool, bool),
    #[case] log: char,
    #[case] written: u32,
) {
    let expected = expected(&case(&format!("{DISK_LOG}\n{stack}"), WRITE, fault));
    let answer = if told_and_held.0 {
        Err(EIO)
    } else {
        Ok(512 * 512)
    };
    assert_eq!(expected.answers, [[answer]]);
    assert_eq!(expected.held, told_and_held.1);
    assert_eq!(expected.log, Some(log));
    assert_eq!(expected.health, ["A", "A"]);
    assert_eq!(expected.units[0].asked, [(written, written); 2]);
}

const SYNCED: &str = "sync = \"synced\"\nkeep_log = true";
const SOURCE: &str = "[[fault]]\nop = \"read\"\nduring = \"set-up\"\nat = \"first\"";
const COPY: &str = "[[fault]]\nop = \"write\"\nleg = 1\nduring = \"set-up\"\nat = \"first\"";

/// An I/O that reaches from the region that could not be recovered into the
/// next one. Columns: fault; operation; answer; the legs' health; how often leg
/// 0 and leg 1 are asked for each of the two parts.
#[rstest]
#[case::source_read(SOURCE, "op = \"read\"", Err(EIO), "SA", [[0, 0], [0, 1]])]
#[case::copy_read(COPY, "op = \"read\"", Ok(512 * 512), "AS", [[1, 0], [1, 0]])]
#[case::copy_written(COPY, WRITE, Ok(512 * 512), "AS", [[1, 0], [1, 1]])]
fn a_mirror_that_could_not_be_recovered(
    #[case] fault: &str,
    #[case] io: &str,
    #[case] answer: Answer,
    #[case] health: &str,
    #[case] asked: [[u32; 2]; 2],
) {
    let io = format!("{io}\nsector = 1800\n{fault}\n[legs]\nsize = 8192");
    let case = case(SYNCED, &io, "");
    let expected = expected(&case);
    assert_eq!(unrecovered(&case).into_iter().collect::<Vec<_>>(), [1]);
    assert_eq!(expected.answers, [[answer]]);
    assert_eq!(expected.health.concat(), health);
    for (unit, asked) in expected.units.iter().zip(asked) {
        assert_eq!(unit.asked, asked.map(|times| (times, times)));
    }
}

#[rstest]
#[case::log_read_for_io(DISK_LOG, WRITE, "[[fault]]\ndisk = \"log\"\nop = \"read\"")]
#[case::log_not_asked(DISK_LOG, "op = \"read\"", LOG_WRITE)]
#[case::log_wears_off(DISK_LOG, WRITE, "[[fault]]\ndisk = \"log\"\ntimes = 3")]
#[case::log_and_leg(DISK_LOG, WRITE, "[[fault]]\n[[fault]]\ndisk = \"log\"")]
#[case::other_source(
    SYNCED,
    "op = \"read\"",
    "[[fault]]\nleg = 1\nduring = \"set-up\"\n[legs]\nsize = 8192"
)]
#[case::further_errors(
    SYNCED,
    WRITE,
    "[[fault]]\n[[fault]]\nleg = 1\nduring = \"set-up\"\n[legs]\nsize = 8192"
)]
#[case::only_copy_lost(
    "sync = \"synced\"",
    WRITE,
    "[[fault]]\nop = \"read\"\nduring = \"set-up\"\n[legs]\nsize = 8192"
)]
fn what_is_not_known_of_logs_and_recoveries(
    #[case] stack: &str,
    #[case] io: &str,
    #[case] faults: &str,
) {
    assert!(knows(&case(stack, io, faults)).is_err());
}

/// What is done while the request is in flight. Further columns: how often each
/// path is asked; the paths' health; the active group.
#[rstest]
#[case::done("then = \"ok\"", [(1, 1), (0, 0)], "AA", Some(0))]
#[case::failed("then = \"EIO\"", [(1, 1), (1, 1)], "FA", Some(1))]
#[case::path_failed("meanwhile = \"fail-path\"", [(1, 1), (0, 0)], "FA", None)]
#[case::path_back("meanwhile = \"reinstate-path\"", [(1, 1), (0, 0)], "AA", None)]
#[case::path_back_and_failed(
    "meanwhile = \"reinstate-path\"\nthen = \"EIO\"", [(1, 1), (1, 1)], "FA", Some(1)
)]
#[case::suspended("meanwhile = \"suspend\"\nthen = \"EIO\"", [(1, 1), (1, 1)], "FA", Some(1))]
#[case::reloaded("meanwhile = \"reload\"", [(1, 1), (0, 0)], "AA", None)]
#[case::reloaded_and_failed(
    "meanwhile = \"reload\"\nthen = \"EIO\"", [(1, 2), (0, 1)], "AA", None
)]
fn multipath_with_a_request_in_flight(
    #[case] hold: &str,
    #[case] asked: [(u32, u32); 2],
    #[case] health: &str,
    #[case] group: Option<usize>,
) {
    let expected = expected(&case(MQ, "op = \"read\"", &format!("[[hold]]\n{hold}")));
    assert_eq!(expected.answers, [[Ok(512 * 512)]]);
    assert_eq!(expected.units[0].asked, asked);
    assert_eq!(expected.health.concat(), health);
    assert_eq!((expected.active_group, expected.held), (group, false));
    assert!(expected.fires.is_empty());
}

#[rstest]
#[case::done("then = \"ok\"", &[0], "AA")]
#[case::failed("then = \"EIO\"\nmeanwhile = \"suspend-noflush\"", &[0, 1], "RA")]
#[case::reloaded("then = \"EIO\"\nmeanwhile = \"reload\"", &[0, 1], "AA")]
fn a_mirror_with_a_read_in_flight(#[case] hold: &str, #[case] order: &[u8], #[case] health: &str) {
    let expected = expected(&case("", "op = \"read\"", &format!("[[hold]]\n{hold}")));
    assert_eq!(expected.answers, [[Ok(512 * 512)]]);
    assert_eq!(expected.units[0].order.as_deref(), Some(order));
    assert_eq!(expected.health.concat(), health);
}

/// The request that an unplugged disk had fails once, however its medium ends
/// it. The columns after the leg: how often each leg is asked, and their
/// health.
#[rstest]
#[case::read("", "op = \"read\"", 0, [(1, 1), (1, 1)], "RA", false)]
#[case::write("keep_log = true", WRITE, 0, [(1, 1), (1, 1)], "DA", false)]
#[case::write_to_the_second("keep_log = true", WRITE, 1, [(1, 1), (1, 1)], "AD", false)]
#[case::write_that_is_held("", WRITE, 1, [(2, 2), (1, 1)], "AD", true)]
#[case::path(MQ, WRITE, 0, [(1, 1), (1, 1)], "FA", false)]
fn a_disk_that_is_unplugged(
    #[case] stack: &str,
    #[case] io: &str,
    #[case] leg: u8,
    #[case] asked: [(u32, u32); 2],
    #[case] health: &str,
    #[case] held: bool,
) {
    let stack = format!("{stack}\n{SCSI}");
    let hold = format!("[[hold]]\nleg = {leg}\nmeanwhile = \"unplug\"");
    let case = case(&stack, io, &hold);
    knows(&case).unwrap();
    let expected = expected(&case);
    assert_eq!(expected.answers, [[Ok(512 * 512)]]);
    assert_eq!(expected.units[0].asked, asked);
    assert_eq!(expected.health.concat(), health);
    assert_eq!((expected.held, expected.fires.len()), (held, 0));
}

const SCSI: &str = "[legs]\ncontroller = \"virtio-scsi\"";

#[rstest]
#[case::faulty("", "op = \"read\"", "[[fault]]\nleg = 1\n[[hold]]")]
#[case::two_requests("", "op = \"read\"\nrequests = 2", "[[hold]]")]
#[case::two_holds("max_sectors_kb = 64", "op = \"read\"", "[[hold]]\nat = 0\n[[hold]]")]
#[case::pieces("max_sectors_kb = 64", "op = \"read\"", "[[hold]]")]
#[case::pieces_of_dm_io("", "op = \"write\"\nvector = \"odd\"", "[[hold]]")]
#[case::not_asked("", "op = \"read\"", "[[hold]]\nleg = 1")]
fn what_is_not_known_of_unplugged_disks(#[case] legs: &str, #[case] io: &str, #[case] rest: &str) {
    let rest = rest.replacen("[[hold]]", "[[hold]]\nmeanwhile = \"unplug\"", 1);
    assert!(knows(&case(&format!("{SCSI}\n{legs}"), io, &rest)).is_err());
}

/// QEMU's USB disk has a buffer of its own, and asks its medium for longer
/// requests in pieces.
#[rstest]
#[case("virtio-scsi", 257, true)]
#[case("pvscsi", 257, true)]
#[case("usb-storage", 256, true)]
#[case("usb-storage", 257, false)]
#[case("usb-uas", 256, true)]
#[case("usb-uas", 257, false)]
fn what_a_disk_takes_with_it(#[case] controller: &str, #[case] sectors: u64, #[case] known: bool) {
    let legs = format!("[legs]\ncontroller = \"{controller}\"");
    let io = format!("op = \"read\"\nsectors = {sectors}");
    let case = case(&legs, &io, "[[hold]]\nmeanwhile = \"unplug\"");
    assert_eq!(knows(&case).is_ok(), known);
}

/// Each request behaves as if it were alone; the leg that failed one of them
/// has failed.
#[rstest]
#[case::none("ok", "ok", [(1, 0), (1, 0)], "AA")]
#[case::first("EIO", "ok", [(1, 1), (1, 0)], "RA")]
#[case::second("ok", "EIO", [(1, 0), (1, 1)], "RA")]
#[case::both("EIO", "EIO", [(1, 1), (1, 1)], "RA")]
fn two_reads_in_flight(
    #[case] one: &str,
    #[case] two: &str,
    #[case] asked: [(u32, u32); 2],
    #[case] health: &str,
) {
    let holds = format!(
        "[[hold]]\nat = 0\nthen = \"{one}\"\n[[hold]]\nat = 300\nthen = \"{two}\"\nplace = 0"
    );
    let case = case("", "op = \"read\"\nrequests = 2", &holds);
    knows(&case).unwrap();
    let expected = expected(&case);
    assert_eq!(expected.answers, [[Ok(256 * 512)], [Ok(256 * 512)]]);
    let times: Vec<_> = (expected.units.iter())
        .map(|unit| (unit.asked[0].1, unit.asked[1].1))
        .collect();
    assert_eq!(times, asked);
    assert_eq!(expected.health.concat(), health);
}

/// A request that the fault of one leg has sent to the next leg is held there.
#[rstest]
#[case::mirror("", "ok", true, "RA")]
#[case::mirror_lost("", "EIO", false, "RR")]
#[case::paths(MQ, "ok", true, "FA")]
#[case::paths_lost(MQ, "EIO", false, "FF")]
fn a_resubmission_in_flight(
    #[case] stack: &str,
    #[case] then: &str,
    #[case] well: bool,
    #[case] health: &str,
) {
    let holds = format!("[[fault]]\n[[hold]]\nleg = 1\nthen = \"{then}\"\nmeanwhile = \"suspend\"");
    let case = case(stack, "op = \"read\"", &holds);
    knows(&case).unwrap();
    let expected = expected(&case);
    let answer = if well { Ok(512 * 512) } else { Err(5) };
    assert_eq!(expected.answers, [[answer]]);
    assert_eq!(expected.health.concat(), health);
    assert_eq!(
        (expected.fires.as_slice(), expected.partial),
        (&[0][..], false)
    );
}

/// A read of a region in recovery does not wait. A write waits, and goes to all
/// legs.
#[rstest]
#[case::read("read", &[(1, 1), (0, 0)], Some(vec![0]))]
#[case::write("write", &[(1, 1), (1, 1)], None)]
fn an_io_that_meets_the_recovery_of_its_region(
    #[case] op: &str,
    #[case] asked: &[(u32, u32)],
    #[case] order: Option<Vec<u8>>,
) {
    let case = case(
        "region_size = 64\nsync = \"syncing\"\n[legs]\nsize = 2048",
        &format!("op = \"{op}\"\nsector = 1024\nsectors = 48"),
        "[[hold]]",
    );
    knows(&case).unwrap();
    let expected = expected(&case);
    assert_eq!(expected.answers, [[Ok(48 * 512)]]);
    assert_eq!(expected.units[0].asked, asked);
    assert_eq!(expected.units[0].order, order);
    assert!(!expected.loses_sync && !expected.held);
}

const SYNCING: &str = "region_size = 64\nsync = \"syncing\"\n[legs]\nsize = 2048";

#[rstest]
#[case::not_held(SYNCING, "sectors = 48\nsector = 1024", "")]
#[case::fails(SYNCING, "sectors = 48\nsector = 1024", "[[hold]]\nthen = \"EIO\"")]
#[case::suspended(
    SYNCING,
    "sectors = 48\nsector = 1024",
    "[[hold]]\nmeanwhile = \"suspend\""
)]
#[case::faulty(SYNCING, "sectors = 48\nsector = 1024", "[[fault]]\n[[hold]]")]
#[case::whole_region(SYNCING, "sectors = 64\nsector = 1024", "[[hold]]")]
#[case::two_regions(SYNCING, "sectors = 48\nsector = 1060", "[[hold]]")]
#[case::several(SYNCING, "sectors = 48\nsector = 1024\nrequests = 2", "[[hold]]")]
#[case::lasting_stop("[legs]\non_error = \"stop\"", "op = \"read\"", "[[fault]]")]
#[case::two_stops(
    "[legs]\non_error = \"stop\"",
    "op = \"read\"",
    "[[fault]]\ntimes = 1\n[[fault]]\nleg = 1\ntimes = 1"
)]
#[case::held_stop("[legs]\non_error = \"stop\"", "op = \"read\"", "[[hold]]")]
#[case::given_up_and_failed(
    "[legs]\ncontroller = \"nvme\"",
    "op = \"read\"",
    "[[hold]]\nthen = \"EIO\"\nmeanwhile = \"timeout\""
)]
fn what_is_not_known_of_recoveries_and_stops(
    #[case] stack: &str,
    #[case] io: &str,
    #[case] rest: &str,
) {
    assert!(knows(&case(stack, io, rest)).is_err());
}

#[rstest]
#[case::with_a_fault("", "op = \"read\"", "[[fault]]\n[[hold]]")]
#[case::with_a_fault_of_no_path(MQ, "op = \"read\"", "[[fault]]\nleg = 1\n[[hold]]\nleg = 1")]
#[case::one_request("", "op = \"read\"", "[[hold]]\n[[hold]]\nat = 0")]
#[case::one_of_two("", "op = \"read\"\nrequests = 2", "[[hold]]\n[[hold]]\nat = 300")]
#[case::merged(
    "",
    "op = \"read\"\nrequests = 3",
    "[[hold]]\nat = 0\n[[hold]]\nat = 200\n[[hold]]\nat = 400"
)]
#[case::two_paths(
    MQ,
    "op = \"read\"\nrequests = 2",
    "[[hold]]\nat = 0\n[[hold]]\nleg = 1"
)]
#[case::reloaded_elsewhere(
    MQ,
    "op = \"read\"",
    "[[fault]]\n[[hold]]\nleg = 1\nthen = \"EIO\"\nmeanwhile = \"reload\""
)]
#[case::pieces("", "op = \"read\"\nrequests = 2", "[[hold]]")]
#[case::other_leg("", "op = \"read\"", "[[hold]]\nleg = 1")]
#[case::other_path(MQ, "op = \"read\"", "[[hold]]\nleg = 1")]
#[case::any_path(
    "target = \"multipath\"\npath_grouping = \"multibus\"",
    "op = \"read\"",
    "[[hold]]"
)]
#[case::recovered("", WRITE, "[[hold]]\nthen = \"EIO\"\nmeanwhile = \"suspend\"")]
fn what_is_not_known_of_requests_in_flight(
    #[case] stack: &str,
    #[case] io: &str,
    #[case] hold: &str,
) {
    assert!(knows(&case(stack, io, hold)).is_err());
}

/// A fault can fire only where a correct kernel asks its leg for the sector. A
/// fault that the driver's retries absorb counts as one that fires.
#[rstest]
#[case::the_leg_that_is_read("[[fault]]", true)]
#[case::the_other_leg("[[fault]]; leg = 1", false)]
#[case::the_other_leg_after_it("[[fault]]; [[fault]]; leg = 1", true)]
#[case::it_needs_not_be_all("[[fault]]; [[fault]]; leg = 1; at = 3", true)]
#[case::no_fault("", true)]
#[case::another_operation("[[fault]]; op = \"write\"", false)]
#[case::every_leg_is_written("[io]; op = \"write\"; [[fault]]; leg = 1", true)]
#[case::it_is_taken_back(
    "[legs]; controller = \"virtio-scsi\"; [[fault]]; times = \"once\"",
    true
)]
#[case::it_would_be_taken_back(
    "[legs]; controller = \"virtio-scsi\"; [[fault]]; leg = 1; times = \"once\"",
    false
)]
fn a_fault_that_no_kernel_meets_shows_nothing(#[case] text: &str, #[case] shows: bool) {
    assert_eq!(fires(&one(text)).is_ok(), shows);
}
