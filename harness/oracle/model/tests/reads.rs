//! Reads of a mirror.

use super::*;

/// Legs that are asked, in order. `choose_mirror` goes down from the default
/// leg and wraps around. If errors are handled, `fail_mirror` makes the first
/// leg without an error the default, so that the legs are asked upwards.
#[rstest]
#[case::healthy(true, 3, &[], &[0], true)]
#[case::handled(true, 3, &[0], &[0, 1], true)]
#[case::second_too(true, 3, &[0, 1], &[0, 1, 2], true)]
#[case::over_the_second(true, 3, &[1], &[0], true)]
#[case::none_left(true, 3, &[0, 1, 2], &[0, 1, 2], false)]
#[case::downwards(false, 3, &[0], &[0, 2], true)]
#[case::downwards_of_four(false, 4, &[0, 3], &[0, 3, 2], true)]
#[case::down_to_the_second(false, 3, &[0, 2], &[0, 2, 1], true)]
#[case::none_left_unhandled(false, 3, &[0, 1, 2], &[0, 2, 1], false)]
fn legs_are_asked_in_order(
    #[case] handled: bool,
    #[case] legs: u8,
    #[case] faulty: &[u8],
    #[case] order: &[u8],
    #[case] found: bool,
) {
    let faults: String = faulty
        .iter()
        .map(|leg| format!("; [[fault]]; leg={leg}"))
        .collect();
    let text = format!("[stack]; handle_errors={handled}; [legs]; count={legs}{faults}");
    let expected = expected(&one(&text));
    let [unit] = expected.units.as_slice() else {
        panic!("one bio is one unit");
    };
    assert_eq!(unit.order.as_deref(), Some(order));
    let answer = if found { Ok(512 * 512) } else { Err(5) };
    assert_eq!(expected.answers, [[answer]]);
    let good = if found {
        &order[order.len() - 1..]
    } else {
        &[]
    };
    assert_eq!((unit.good.as_slice(), unit.one_of.len()), (good, 0));
    for leg in 0..legs {
        let asked = u32::from(order.contains(&leg));
        let failed = order.contains(&leg) && faulty.contains(&leg);
        assert_eq!(unit.asked[usize::from(leg)], (asked, asked));
        let health = if failed { "R" } else { "A" };
        assert_eq!(expected.health[usize::from(leg)], health);
    }
    let met = faulty.iter().filter(|leg| order.contains(leg)).count();
    assert_eq!(expected.fires.len(), met);
    assert!(!expected.held && !expected.loses_sync && !expected.partial);
}

/// The first fault that a leg's request meets answers it, and the leg is asked
/// once.
#[test]
fn of_two_faults_of_a_leg_one_fires() {
    let expected = expected(&one("[[fault]]; leg=1; at=1; [[fault]]; [[fault]]; at=9"));
    assert_eq!(expected.fires, [1, 0]);
    assert_eq!(expected.units[0].order, Some(vec![0, 1]));
    assert_eq!(expected.answers, [[Err(5)]]);
}

/// Two requests of 256 sectors in flight. Columns: faults; the answers; the
/// legs' health; which fault must have fired; the legs from which each request
/// may have its data. While the other request is in flight each leg is asked at
/// most once.
#[rstest]
#[case::healthy("", "ok ok", &["A", "A"], &[], "01 01")]
#[case::first_leg("[[fault]]", "ok ok", &["R", "A"], &[0], "01 1")]
#[case::second_leg("[[fault]]; leg=1", "ok ok", &["A", "AR"], &[], "01 0")]
#[case::one_sector(
    "[[fault]]; [[fault]]; leg=1", "ok|EIO EIO", &["AR", "AR"], &[0], "01 -"
)]
#[case::one_each(
    "[[fault]]; [[fault]]; leg=1; at=0",
    "ok|EIO ok|EIO", &["AR", "AR"], &[0], "0 1"
)]
#[case::wears_off(
    "[[fault]]; times=1; [[fault]]; leg=1; times=1",
    "ok|EIO ok|EIO", &["AR", "AR"], &[0], "01 01"
)]
#[case::first_leg_named_last(
    "[[fault]]; leg=1; [[fault]]; at=300", "ok|EIO EIO", &["AR", "AR"], &[1], "01 -"
)]
#[case::twice("[[fault]]; [[fault]]; at=9", "ok ok", &["R", "A"], &[0], "1 1")]
#[case::third_is_left(
    "[legs]; count=3; [[fault]]; [[fault]]; leg=1",
    "ok ok", &["AR", "AR", "A"], &[0], "012 2"
)]
fn two_requests_in_flight(
    #[case] rest: &str,
    #[case] answers: &str,
    #[case] health: &[&str],
    #[case] fires: &[usize],
    #[case] good: &str,
) {
    let expected = expected(&one(&format!("[io]; requests=2; {rest}")));
    assert_eq!(expected.answers, told(answers, 256));
    assert_eq!(expected.health, health);
    assert_eq!(expected.fires, fires);
    for (unit, good) in expected.units.iter().zip(good.split(' ')) {
        assert_eq!((&unit.good, &unit.order), (&legs(good), &None));
        assert_eq!(
            (unit.one_of.len(), unit.asked.clone()),
            (0, vec![(0, 1); health.len()])
        );
    }
    assert!(!expected.held && !expected.loses_sync && !expected.refused && !expected.partial);
}

/// A request across the end of a region fails with either of its pieces
/// (`dm_io_dec_pending` keeps the error).
#[test]
fn a_piece_that_is_lost_loses_the_request() {
    let text = "[io]; sector=2560; sectors=1024; [[fault]]; at=900; [[fault]]; leg=1; at=901";
    assert_eq!(expected(&one(text)).answers, [[Err(5)]]);
}

const SOME: u64 = 512;

/// What read(2) returns through the page cache: the bytes before the first page
/// that no leg has, or the error if that is the first page. Once the read-ahead
/// has failed each page is read alone (`filemap_read_folio`), from a leg that
/// has not failed.
#[rstest]
#[case::middle("sector=2048; sectors=512", &[(0, 256), (1, 256)], Ok(256 * SOME))]
#[case::one_page_of_both("sector=2048; sectors=512", &[(0, 256), (1, 263)], Ok(256 * SOME))]
#[case::neighbours("sector=2048; sectors=512", &[(0, 263), (1, 264)], Ok(264 * SOME))]
#[case::the_other_leg_first("sector=2048; sectors=512", &[(1, 0), (0, 511)], Ok(512 * SOME))]
#[case::first("sector=2048; sectors=512", &[(0, 0), (1, 0)], Err(5))]
#[case::end_of_the_first("sector=2048; sectors=512", &[(0, 7), (1, 7)], Err(5))]
#[case::second("sector=2048; sectors=512", &[(0, 8), (1, 8)], Ok(8 * SOME))]
#[case::last("sector=2048; sectors=512", &[(0, 511), (1, 511)], Ok(504 * SOME))]
#[case::begins_within("sector=2052; sectors=16", &[(0, 0), (1, 1)], Err(5))]
#[case::then_a_page("sector=2052; sectors=16", &[(0, 4), (1, 4)], Ok(4 * SOME))]
#[case::ends_within("sector=2052; sectors=16", &[(0, 15), (1, 15)], Ok(12 * SOME))]
#[case::two_pages("sector=2048; sectors=512", &[(0, 256), (1, 256), (0, 80), (1, 80)], Ok(80 * SOME))]
#[case::one_leg("sector=2048; sectors=512", &[(0, 256)], Ok(512 * SOME))]
fn what_the_page_cache_gives(
    #[case] io: &str,
    #[case] faults: &[(u8, u64)],
    #[case] answer: Answer,
) {
    let faults: String = faults
        .iter()
        .map(|(leg, at)| format!("; [[fault]]; leg={leg}; at={at}"))
        .collect();
    let case = one(&format!("[io]; path='buffered'; {io}{faults}"));
    assert_eq!(expected(&case).answers, [[answer]]);
}

/// Errors that wear off, on both legs. Either read-ahead has met those of the
/// first leg, or a page is lost. This was seen on 6.12, where leg 1 failed the
/// last page as well.
#[rstest]
#[case::one_page(&[(0, 511), (1, 511)], &[Ok(504 * SOME), Ok(512 * SOME)])]
#[case::two(&[(0, 511), (1, 0)], &[Err(5), Ok(504 * SOME), Ok(512 * SOME)])]
#[case::one_leg(&[(0, 511), (0, 0)], &[Ok(512 * SOME)])]
fn what_wears_off_may_lose_a_page(#[case] faults: &[(u8, u64)], #[case] answers: &[Answer]) {
    let faults: String = faults
        .iter()
        .map(|(leg, at)| format!("; [[fault]]; leg={leg}; at={at}; times=2"))
        .collect();
    let case = one(&format!("[io]; path='buffered'{faults}"));
    assert_eq!(expected(&case).answers, [answers]);
}

/// Columns: fault; the legs' health; the fault that must have fired. Leg 0 is
/// read first. The error of a read-ahead fails no leg (`REQ_RAHEAD` in
/// `mirror_end_io`), but that of the page read after it does.
#[rstest]
#[case::healthy("", &["A", "A"], &[])]
#[case::first("[[fault]]", &["R", "A"], &[0])]
#[case::read_ahead_at_most("[[fault]]; times=1", &["AR", "A"], &[0])]
#[case::second("[[fault]]; leg=1", &["A", "AR"], &[])]
#[case::both("[[fault]]; leg=1; [[fault]]", &["AR", "AR"], &[1])]
#[case::twice("[[fault]]; [[fault]]; at=9", &["R", "A"], &[0])]
#[case::written("[[fault]]; op='write'", &["A", "A"], &[])]
fn what_the_page_cache_asks(
    #[case] faults: &str,
    #[case] health: &[&str],
    #[case] fires: &[usize],
) {
    let expected = expected(&one(&format!("[io]; path='buffered'; {faults}")));
    assert_eq!(
        (expected.health.as_slice(), expected.fires.as_slice()),
        (health, fires)
    );
    for unit in &expected.units {
        assert_eq!((unit.good.as_slice(), unit.one_of.len()), (&[0, 1][..], 0));
        assert_eq!(
            (&unit.order, unit.asked.clone()),
            (&None, vec![(0, u32::MAX); 2])
        );
    }
    let others = (
        expected.held,
        expected.loses_sync,
        expected.partial,
        expected.refused,
    );
    assert_eq!(others, (false, false, false, false));
    assert_eq!((expected.log, expected.active_group), (None, None));
}

/// With several reads in flight, one that goes to the second leg at once ends with the
/// leg's own error, and one that was resubmitted with EIO.
#[rstest]
#[case::own_error("nvme", &[Err(5), Err(61)])]
#[case::of_the_path("virtio-blk", &[Err(5)])]
fn the_last_legs_own_error(#[case] controller: &str, #[case] errors: &[Answer]) {
    let text = format!(
        "[legs]; controller='{controller}'; [io]; requests=2; [[fault]]; [[fault]]; leg=1; at=0"
    );
    let expected = expected(&one(&text));
    assert_eq!(expected.answers[0], [&[Ok(256 * 512)], errors].concat());
}

/// A page is read whole. A fault behind the end of the I/O but in its last page
/// loses that page; a fault in a page before or behind it loses nothing.
#[rstest]
#[case::in_the_last_page(2063, Ok(8 * SOME))]
#[case::behind_it(2064, Ok(12 * SOME))]
#[case::before_the_first(2047, Ok(12 * SOME))]
fn a_page_is_read_whole(#[case] sector: u64, #[case] answer: Answer) {
    let text = "[io]; path='buffered'; sector=2048; sectors=12; [[fault]]; [[fault]]; leg=1";
    let mut case = one(text);
    for fault in &mut case.faults {
        fault.sector = sector;
    }
    let expected = expected(&case);
    assert_eq!(expected.answers, [[answer]]);
    let health = if answer == Ok(8 * SOME) { "AR" } else { "A" };
    assert_eq!(expected.health, [health, health]);
}

/// The last page of a device that is no whole number of pages is read block by block: it is
/// lost where every leg fails the same block, and of different ones it depends on timing.
#[rstest]
#[case::same_block(131_071, (7, 7), &[Ok(512 * 2)])]
#[case::same_page(131_071, (3, 7), &[Ok(512 * 2), Ok(512 * 9)])]
#[case::whole_pages(131_072, (3, 7), &[Ok(512 * 2)])]
fn a_page_that_is_read_block_by_block(
    #[case] sectors: u64,
    #[case] faults: (u64, u64),
    #[case] answers: &[Answer],
) {
    let mut case = one(&format!(
        "[io]; path='buffered'; sector=131062; sectors=9; [[fault]]; at={}; [[fault]]; leg=1; at={}",
        faults.0, faults.1
    ));
    case.legs.sectors = sectors;
    let mut found = expected(&case).answers.remove(0);
    found.sort_unstable_by_key(|answer| answer.unwrap_or(0));
    found.dedup();
    assert_eq!(found, answers);
}
