//! Multipath: one unit, and several.

use super::*;

fn paths(text: &str) -> Case {
    one(&match text.strip_prefix("[stack]; ") {
        Some(more) => format!("[stack]; target='multipath'; {more}"),
        None => format!("[stack]; target='multipath'; {text}"),
    })
}

/// A unit that is alone. Columns: scenario; the paths that are asked, in order;
/// the active group. The order is demanded only if no path is asked twice.
/// Groups are tried in their order, and the selector of a group takes its first
/// path first (`choose_pgpath`).
#[rstest]
#[case::healthy("", "0", Some(0))]
#[case::failed("[[fault]]", "01", Some(1))]
#[case::pairs(
    "[stack]; path_grouping='pairs'; [legs]; count=4; [[fault]]",
    "01",
    Some(0)
)]
#[case::second_pair(
    "[stack]; path_grouping='pairs'; [legs]; count=4; [[fault]]; [[fault]]; leg=1",
    "012",
    Some(1)
)]
#[case::one_group(
    "[stack]; path_grouping='multibus'; [legs]; count=3; [[fault]]; [[fault]]; leg=1",
    "012",
    Some(0)
)]
#[case::none_left("[[fault]]; [[fault]]; leg=1", "01", None)]
#[case::of_the_disk("[legs]; controller='nvme'; [[fault]]", "0", Some(0))]
#[case::of_the_second_disk(
    "[legs]; controller='target'; [[fault]]; report='bad-target'; [[fault]]; leg=1",
    "01",
    Some(1)
)]
fn a_unit_that_is_alone(#[case] text: &str, #[case] order: &str, #[case] group: Option<usize>) {
    let case = paths(text);
    let expected = expected(&case);
    let unit = &expected.units[0];
    assert_eq!(unit.order, Some(legs(order)));
    assert_eq!(expected.active_group, group);
    for path in 0..case.legs.count {
        let asked = u32::from(legs(order).contains(&path));
        assert_eq!(unit.asked[usize::from(path)], (asked, asked));
    }
    let fired: Vec<u8> = (expected.fires.iter())
        .map(|index| case.faults[*index].leg)
        .collect();
    let mut met = legs(order);
    met.retain(|path| case.faults.iter().any(|fault| fault.leg == *path));
    assert_eq!(fired, met);
    assert!(!expected.held && !expected.partial && !expected.loses_sync && !expected.refused);
    assert_eq!(
        (expected.log, expected.beneath.len(), unit.one_of.len()),
        (None, 0, 0)
    );
}

/// A path that was reinstated is asked again, and then no order is demanded. Of
/// two faults of one path the one that is met first decides.
#[test]
fn a_path_is_asked_again() {
    let again = paths("[stack]; queue_if_no_path=true; [[fault]]; times=1; [[fault]]; leg=1");
    let again = expected(&again);
    assert_eq!((&again.units[0].order, again.held), (&None, true));
    assert_eq!(again.units[0].asked, [(2, 2), (1, 1)]);
    assert_eq!(again.fires, [0, 1]);
    let twice = expected(&paths("[[fault]]; leg=1; [[fault]]; at=9; [[fault]]"));
    assert_eq!(twice.fires, [0, 1]);
    assert_eq!(twice.health, ["F", "F"]);
}

/// The data go first and the flush behind them (`blk_insert_flush`). How often
/// paths are asked for data says nothing about the order of the flushes.
#[rstest]
#[case::fsync("[io]; op='flush'; [[fault]]; op='flush'")]
#[case::durable("[io]; op='write'; dsync=true; [[fault]]; op='flush'")]
fn a_flush_goes_from_path_to_path(#[case] text: &str) {
    let expected = expected(&paths(text));
    let unit = &expected.units[0];
    assert_eq!((&unit.order, unit.good.as_slice()), (&None, &[0][..]));
    assert_eq!(unit.asked, [(1, 1), (0, 0)]);
    assert_eq!(
        (expected.active_group, expected.fires.as_slice()),
        (Some(1), &[0][..])
    );
    assert_eq!(expected.health, ["F", "A"]);
}

/// Two requests of 256 sectors in flight. Columns: scenario; the answers; the
/// paths' health; the fault that must have fired; the disks that hold the data
/// in the end, certainly and only if the write was answered with success; the
/// paths that may be asked. A group is used once all paths of the groups before
/// it have failed (`choose_pgpath`).
#[rstest]
#[case::healthy("[io]; op='write'", "ok ok", "A A", &[], ("0", "-"), "0")]
#[case::written("[io]; op='write'; [[fault]]", "ok ok", "F A", &[0], ("0", "-"), "01")]
#[case::written_nowhere(
    "[io]; op='write'; [[fault]]; [[fault]]; leg=1", "ok|EIO EIO", "F F", &[0], ("-", "0"), "01"
)]
#[case::read_nowhere("[[fault]]; [[fault]]; leg=1", "ok|EIO EIO", "F F", &[0], ("01", "-"), "01")]
#[case::wears_off(
    "[[fault]]; times=1; [[fault]]; leg=1; times=1", "ok|EIO ok|EIO", "F F", &[0], ("01", "-"), "01"
)]
#[case::one_each("[[fault]]; at=0; [[fault]]; leg=1", "ok|EIO ok|EIO", "F AF", &[0], ("01", "-"), "01")]
#[case::second("[[fault]]; leg=1", "ok ok", "A AF", &[], ("01", "-"), "0")]
#[case::third_is_behind("[legs]; count=3; [[fault]]", "ok ok", "F A A", &[0], ("012", "-"), "01")]
#[case::third("[legs]; count=3; [[fault]]; [[fault]]; leg=1", "ok ok", "F F A", &[0], ("012", "-"), "012")]
#[case::first_pair("[stack]; path_grouping='pairs'; [legs]; count=4", "ok ok", "A A A A", &[], ("0123", "-"), "01")]
fn two_requests_in_flight(
    #[case] text: &str,
    #[case] answers: &str,
    #[case] health: &str,
    #[case] fires: &[usize],
    #[case] has: (&str, &str),
    #[case] used: &str,
) {
    let mut case = paths(text);
    case.io.requests = 2;
    let expected = expected(&case);
    assert_eq!(expected.answers, told(answers, 256));
    assert_eq!(
        (expected.health.join(" "), expected.fires.as_slice()),
        (health.to_owned(), fires)
    );
    for unit in &expected.units {
        assert_eq!((&unit.good, &unit.one_of), (&legs(has.0), &legs(has.1)));
        let most = |path: u8| u32::from(legs(used).contains(&path));
        let asked: Vec<_> = (0..case.legs.count).map(|path| (0, most(path))).collect();
        assert_eq!((&unit.asked, &unit.order), (&asked, &None));
    }
    let others = (
        expected.held,
        expected.loses_sync,
        expected.partial,
        expected.refused,
    );
    assert_eq!(
        (others, expected.active_group),
        ((false, false, false, false), None)
    );
}

/// The page cache asks a path as often as it likes. A single write is lost with
/// its page. Of several writes the one that waits for pages which another wrote
/// gets the error (`file_check_and_advance_wb_err`), and that may be any of
/// them.
#[rstest]
#[case::one(1, "EIO")]
#[case::two(2, "ok|EIO ok|EIO")]
fn pages_that_no_path_takes(#[case] requests: u32, #[case] answers: &str) {
    let mut case = paths("[io]; op='write'; path='buffered'; [[fault]]; [[fault]]; leg=1");
    case.io.requests = requests;
    let expected = expected(&case);
    assert_eq!(expected.answers, told(answers, 512 / u64::from(requests)));
    assert_eq!(expected.units[0].asked, [(0, u32::MAX); 2]);
}

/// One path fails page writes, and the other takes all pages.
#[test]
fn pages_that_one_path_takes() {
    let expected = expected(&paths("[io]; op='write'; path='buffered'; [[fault]]"));
    assert_eq!(expected.answers, told("ok", 512));
    assert_eq!(
        (expected.health, expected.active_group),
        (vec!["F", "A"], None)
    );
    assert_eq!(
        (&expected.units[0].good, expected.fires),
        (&vec![0], vec![0])
    );
}

/// Four requests of 128 sectors; the second meets the disk's own bad sector. It
/// is not resubmitted, no path fails, and of a write the medium has what was
/// answered with success (`end_clone_bio`).
#[rstest]
#[case::read("op='read'", "medium-error", "ok EIO ok|EIO ok|EIO", ("0", "-"))]
#[case::written("op='write'", "medium-error", "ok EIO ok|EIO ok|EIO", ("-", "0"))]
#[case::whole("op='write'", "without-information", "ok|EIO EIO ok|EIO ok|EIO", ("-", "0"))]
fn an_error_of_the_disk_among_four_requests(
    #[case] op: &str,
    #[case] report: &str,
    #[case] answers: &str,
    #[case] has: (&str, &str),
) {
    let text = format!(
        "[legs]; controller='target'; [io]; {op}; requests=4; [[fault]]; at=130; report='{report}'"
    );
    let expected = expected(&paths(&text));
    let mut told = told(answers, 128);
    for answer in told.iter_mut().flatten() {
        // 61 is `ENODATA`, for `BLK_STS_MEDIUM`.
        *answer = answer.map_err(|_| 61);
    }
    assert_eq!(expected.answers, told);
    assert_eq!(
        (expected.health, expected.active_group),
        (vec!["A", "A"], Some(0))
    );
    for unit in &expected.units {
        assert_eq!((&unit.good, &unit.one_of), (&legs(has.0), &legs(has.1)));
        assert_eq!((&unit.order, &unit.asked), (&None, &vec![(1, 1), (0, 0)]));
    }
    assert_eq!((expected.fires, expected.held), (vec![0], false));
    assert!(!expected.partial && !expected.loses_sync && !expected.refused);
}

/// Zeros are written as anything else to a disk that does not take write-zeroes, and meet
/// its faults of writes.
#[rstest]
#[case::taken("virtio-scsi", Op::WriteZeroes, "A", true)]
#[case::by_uas("usb-uas", Op::WriteZeroes, "A", true)]
#[case::not_taken("piix3-ide", Op::Write, "F", false)]
#[case::by_usb_storage("usb-storage", Op::Write, "F", false)]
fn zeros_for_disks_that_take_none(
    #[case] controller: &str,
    #[case] op: Op,
    #[case] health: &str,
    #[case] refused: bool,
) {
    let zeros = format!("[legs]; controller='{controller}'; [io]; op='write-zeroes'");
    assert_eq!(paths(&zeros).op_on_legs(), op);
    let fails = paths(&format!("{zeros}; [[fault]]; op='write'"));
    assert_eq!(knows(&fails).is_err(), refused);
    if !refused {
        let expected = expected(&fails);
        assert_eq!((expected.health[0], expected.fires.len()), (health, 1));
    }
}
