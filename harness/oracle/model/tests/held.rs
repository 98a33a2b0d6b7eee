//! Requests that are held in flight together.

use super::*;

/// Two requests of 256 sectors and how their holds end. Columns: both endings;
/// the paths' health; the active group; which paths each request is sent to. A
/// request that fails makes its path fail for both, but the other request is on
/// that path already.
#[rstest]
#[case::both_well("ok", "ok", "AA", Some(0), ["0", "0"])]
#[case::first_fails("EIO", "ok", "FA", Some(1), ["01", "0"])]
#[case::second_fails("ok", "EIO", "FA", Some(1), ["0", "01"])]
#[case::both_fail("EIO", "EIO", "FA", Some(1), ["01", "01"])]
fn two_requests_of_a_path(
    #[case] first: &str,
    #[case] second: &str,
    #[case] health: &str,
    #[case] group: Option<usize>,
    #[case] asked: [&str; 2],
) {
    let case = one(&format!(
        "[stack]; target='multipath'; [io]; requests=2; [[hold]]; at=0; then='{first}'; [[hold]]; \
         at=300; then='{second}'"
    ));
    let expected = expected(&case);
    assert_eq!(expected.answers, told("ok ok", 256));
    assert_eq!(
        (expected.health.concat(), expected.active_group),
        (health.to_owned(), group)
    );
    for (unit, paths) in expected.units.iter().zip(asked.map(legs)) {
        let times = |path: u8| u32::from(paths.contains(&path));
        assert_eq!(unit.asked, [0, 1].map(|path| (times(path), times(path))));
    }
    assert!(expected.fires.is_empty());
    assert!(!expected.held && !expected.partial && !expected.loses_sync);
}

/// Two writes of a mirror, one of which a leg fails: the mirror holds that one
/// for an operator (`hold_bio`), and its region is out of sync.
#[rstest]
#[case::well("", "ok", "ok", "AA", (false, false), [1, 1])]
#[case::first("", "EIO", "ok", "DA", (true, true), [2, 1])]
#[case::second("", "ok", "EIO", "DA", (true, true), [1, 2])]
#[case::kept("keep_log=true", "EIO", "ok", "DA", (false, true), [1, 1])]
#[case::kept_second("keep_log=true", "ok", "EIO", "DA", (false, true), [1, 1])]
fn two_writes_of_a_mirror(
    #[case] stack: &str,
    #[case] first: &str,
    #[case] second: &str,
    #[case] health: &str,
    #[case] held_and_out_of_sync: (bool, bool),
    #[case] on_leg_1: [u32; 2],
) {
    let case = one(&format!(
        "[stack]; {stack}; [io]; op='write'; requests=2; [[hold]]; at=0; then='{first}'; \
         [[hold]]; at=300; then='{second}'"
    ));
    let expected = expected(&case);
    assert_eq!(expected.answers, told("ok ok", 256));
    assert_eq!(expected.health.concat(), health);
    assert_eq!((expected.held, expected.loses_sync), held_and_out_of_sync);
    for (unit, times) in expected.units.iter().zip(on_leg_1) {
        assert_eq!(unit.asked, [(1, 1), (times, times)]);
    }
    assert_eq!((expected.fires.len(), expected.partial), (0, false));
}

/// A read across the end of a region fails if either of its two pieces fails.
#[rstest]
#[case::first("EIO", "ok")]
#[case::second("ok", "EIO")]
fn a_read_in_two_pieces_is_lost_with_one(#[case] first: &str, #[case] second: &str) {
    let mut case = one(&format!(
        "[stack]; region_size=256; [[hold]]; at=0; then='{first}'; [[hold]]; at=300; \
         then='{second}'"
    ));
    assert_eq!(expected(&case).answers, told("ok", 512));
    // With one leg only, no second leg can take the read.
    case.legs.count = 1;
    case.legs.offset.truncate(1);
    let answers = |case: &Case| {
        let units = nominal(&case.io.parts(), &case.boundaries());
        expect(case, &Environment::default(), &units).answers
    };
    assert_eq!(answers(&case), told("EIO", 512));
    // Of two requests only the one that fails is lost.
    case.io.requests = 2;
    assert_eq!(answers(&case), told(&format!("{first} {second}"), 256));
}

/// If pieces of one request that its leg split fail, they fail it together, and
/// it is resubmitted whole, once. The failures come from holds, not from
/// faults, so `partial` is not demanded.
#[test]
fn pieces_of_a_request_fail_it_once() {
    let case =
        one("[legs]; max_sectors_kb=64; [[hold]]; at=0; then='EIO'; [[hold]]; at=300; then='EIO'");
    let expected = expected(&case);
    assert_eq!(expected.units[0].order, Some(vec![0, 1]));
    assert_eq!(expected.health, ["R", "A"]);
    assert!(!expected.partial);
}

/// A table that is loaded anew has forgotten what failed; a suspension alone
/// changes nothing. In bio mode a failed request goes to the next path all the
/// same (`multipath_end_io_bio`).
#[rstest]
#[case::mirror("", "suspend", "RA", &[(1, 1), (1, 1)])]
#[case::mirror_reloaded("", "reload", "AA", &[(1, 1), (1, 1)])]
#[case::bios("target='multipath'; queue_mode='bio'", "suspend-noflush", "FA", &[(1, 1), (1, 1)])]
#[case::bios_reloaded("target='multipath'; queue_mode='bio'", "reload", "AA", &[(1, 1), (1, 1)])]
#[case::requests("target='multipath'", "suspend-noflush", "FA", &[(1, 1), (1, 1)])]
#[case::requests_reloaded("target='multipath'", "reload", "AA", &[(1, 2), (0, 1)])]
fn what_is_done_meanwhile(
    #[case] stack: &str,
    #[case] intervention: &str,
    #[case] health: &str,
    #[case] asked: &[(u32, u32)],
) {
    let text = format!("[stack]; {stack}; [[hold]]; then='EIO'; meanwhile='{intervention}'");
    let expected = expected(&one(&text));
    assert_eq!(expected.health.concat(), health);
    assert_eq!(expected.units[0].asked, asked);
    assert!(!expected.loses_sync);
}

/// A disk that is gone fails all requests (`SDEV_DEL` in
/// `scsi_device_state_check`). Without another path the operator reinstates it
/// in vain.
#[test]
fn a_disk_that_is_gone_stays_gone() {
    let mut case = one(
        "[stack]; target='multipath'; queue_if_no_path=true; [legs]; controller='virtio-scsi'; \
         [[hold]]; meanwhile='unplug'",
    );
    case.legs.count = 1;
    let expected = expect(&case, &Environment::default(), &[whole(&case)]);
    assert_eq!(expected.answers, told("EIO", 512));
    assert_eq!((expected.held, expected.health), (true, vec!["F"]));
    assert_eq!(expected.units[0].asked, [(2, 2)]);
}
