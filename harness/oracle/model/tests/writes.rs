//! Writes of a mirror, whose legs may be asked in any order.

use super::*;

/// Two writes of 256 sectors in flight. Columns: options; faults; the answers;
/// whether they wait; the legs' health; the media that must hold all of the
/// data; the media of which one must.
///
/// The first write that fails takes its region out of sync
/// (`dm_rh_mark_nosync`). After that a write to the region goes to the default
/// leg alone (`do_writes`): one without an error if errors are handled, else
/// still leg 0.
#[rstest]
#[case::healthy("", "", "ok ok", false, "A A", &[0, 1], &[])]
#[case::held("", "[[fault]]", "ok ok", true, "D A", &[1], &[])]
#[case::kept("keep_log=true", "[[fault]]", "ok ok", false, "D A", &[], &[1])]
#[case::kept_second("keep_log=true", "[[fault]]; leg=1", "ok ok", false, "A D", &[], &[0])]
#[case::kept_no_leg(
    "keep_log=true", "[[fault]]; [[fault]]; leg=1",
    "ok|EIO ok|EIO", false, "AD AD", &[], &[0, 1]
)]
#[case::two_of_three(
    "keep_log=true", "[legs]; count=3; [[fault]]; [[fault]]; leg=1",
    "ok ok", false, "AD AD A", &[], &[2]
)]
#[case::two_of_three_held(
    "", "[legs]; count=3; [[fault]]; [[fault]]; leg=1",
    "ok ok", true, "AD AD A", &[2], &[]
)]
#[case::unhandled_default(
    "handle_errors=false", "[[fault]]",
    "ok|EIO ok|EIO", false, "D A", &[], &[0, 1]
)]
#[case::unhandled("handle_errors=false", "[[fault]]; leg=1", "ok ok", false, "A D", &[], &[0])]
#[case::unhandled_of_three(
    "handle_errors=false", "[legs]; count=3; [[fault]]; leg=1; [[fault]]; leg=2",
    "ok ok", false, "A AD AD", &[], &[0]
)]
fn two_requests_in_flight(
    #[case] stack: &str,
    #[case] rest: &str,
    #[case] answers: &str,
    #[case] held: bool,
    #[case] health: &str,
    #[case] good: &[u8],
    #[case] one_of: &[u8],
) {
    let text = format!("[stack]; {stack}; [io]; op='write'; requests=2; {rest}");
    let expected = expected(&one(&text));
    assert_eq!(expected.answers, told(answers, 256));
    assert_eq!(expected.held, held);
    assert_eq!(expected.health.join(" "), health);
    let fails = rest.contains("fault");
    assert_eq!(expected.loses_sync, fails);
    // Which of several legs fails first depends on timing.
    assert_eq!(expected.fires, if fails { &[0][..] } else { &[] });
    // Each leg once, and once more when an operator makes the mirror try the
    // write again.
    let asked = match (fails, held) {
        (false, _) => (1, 1),
        (true, again) => (0, 1 + u32::from(again)),
    };
    for unit in &expected.units {
        assert_eq!(
            (unit.good.as_slice(), unit.one_of.as_slice()),
            (good, one_of)
        );
        assert!(unit.order.is_none() && unit.asked.iter().all(|times| *times == asked));
    }
    assert!(!expected.partial && !expected.refused);
}

const ALL: Answer = Ok(512 * 512);
const LOST: Answer = Err(5);

/// One write, across the end of a region or through the page cache, that every
/// leg fails. It is surely lost if all legs fail the same sector for ever. Else
/// one piece may fail on one leg, and the other pieces then go to another leg.
#[rstest]
#[case::sector("sector=2816", "[[fault]]; [[fault]]; leg=1", &[LOST])]
#[case::apart("sector=2816", "[[fault]]; [[fault]]; leg=1; at=9", &[ALL, LOST])]
#[case::neighbours("sector=2816", "[[fault]]; at=255; [[fault]]; leg=1; at=256", &[ALL, LOST])]
#[case::wears_off("sector=2816", "[[fault]]; [[fault]]; leg=1; times=1", &[ALL, LOST])]
#[case::pages("path='buffered'", "[[fault]]; [[fault]]; leg=1", &[LOST])]
#[case::pages_apart("path='buffered'", "[[fault]]; [[fault]]; leg=1; at=9", &[ALL, LOST])]
#[case::one_leg("sector=2816", "[[fault]]", &[ALL])]
fn one_request_in_pieces(#[case] io: &str, #[case] faults: &str, #[case] answers: &[Answer]) {
    let text = format!("[stack]; keep_log=true; [io]; op='write'; {io}; {faults}");
    let expected = expected(&one(&text));
    assert_eq!(expected.answers, [answers]);
    assert!(!expected.held);
}

/// Several buffered writes come one after the other, each with its `fsync`. The first flush
/// that a leg fails is held, and what follows is written without that leg.
#[rstest]
#[case::held("", "01 1 1")]
#[case::kept("keep_log=true", "01 01 01")]
fn behind_a_failed_flush(#[case] stack: &str, #[case] good: &str) {
    let text = format!(
        "[stack]; {stack}; [io]; op='write'; path='buffered'; sector=2048; sectors=24; \
         requests=3; [[fault]]; op='flush'"
    );
    let expected = expected(&one(&text));
    let legs = |good: &[u8]| good.iter().map(u8::to_string).collect::<String>();
    let units: Vec<String> = (expected.units.iter().map(|unit| legs(&unit.good))).collect();
    assert_eq!(units.join(" "), good);
}

/// One bio goes to all legs at once (`do_write`), and which legs failed it is
/// known once it has come back. A write that is held is written again.
#[rstest]
#[case::healthy("", "", ALL, false, "AA", &[0, 1], &[1, 1])]
#[case::held("", "[[fault]]", ALL, true, "DA", &[1], &[1, 2])]
#[case::kept("keep_log=true", "[[fault]]", ALL, false, "DA", &[1], &[1, 1])]
#[case::unhandled("handle_errors=false", "[[fault]]", ALL, false, "DA", &[1], &[1, 1])]
#[case::no_leg("", "[[fault]]; [[fault]]; leg=1; at=9", LOST, false, "DD", &[], &[1, 1])]
#[case::no_leg_unhandled(
    "handle_errors=false", "[[fault]]; [[fault]]; leg=1", LOST, false, "DD", &[], &[1, 1]
)]
#[case::two_of_three(
    "", "[legs]; count=3; [[fault]]; [[fault]]; leg=1", ALL, true, "DDA", &[2], &[1, 1, 2]
)]
fn one_request(
    #[case] stack: &str,
    #[case] rest: &str,
    #[case] answer: Answer,
    #[case] held: bool,
    #[case] health: &str,
    #[case] good: &[u8],
    #[case] asked: &[u32],
) {
    let case = one(&format!("[stack]; {stack}; [io]; op='write'; {rest}"));
    let expected = expected(&case);
    assert_eq!(
        (expected.answers, expected.held),
        (vec![vec![answer]], held)
    );
    assert_eq!(expected.health.concat(), health);
    let asked: Vec<_> = asked.iter().map(|times| (*times, *times)).collect();
    let unit = &expected.units[0];
    assert_eq!((unit.good.as_slice(), &unit.asked), (good, &asked));
    assert!(unit.one_of.is_empty());
    // All faults are met, since the legs are asked at once.
    assert_eq!(expected.fires, (0..case.faults.len()).collect::<Vec<_>>());
    assert_eq!(expected.loses_sync, !case.faults.is_empty());
}

/// Of two faults of a leg one fires. `fsync` behind pages that a leg failed
/// fails nothing more.
#[test]
fn faults_of_one_leg_fire_once() {
    let twice = expected(&one("[io]; op='write'; [[fault]]; [[fault]]; at=9"));
    assert_eq!(
        (twice.fires.as_slice(), twice.health.concat()),
        (&[0][..], "DA".to_owned())
    );
    let text = "[stack]; keep_log=true; [io]; op='write'; path='buffered'; [[fault]]";
    let pages = expected(&one(text));
    assert_eq!(pages.health, ["D", "A"]);
    assert_eq!(pages.units[0].asked, [(0, 1), (0, 1)]);
    assert_eq!((pages.answers, pages.loses_sync), (vec![vec![ALL]], true));
}

/// A discard goes to all legs and is done on those that do not fail it. The
/// failures of the others are not reported (`write_callback`,
/// `blkdev_issue_discard`).
#[rstest]
#[case::one("[[fault]]; leg=1", &[0], &[0])]
#[case::both("[[fault]]; [[fault]]; leg=1", &[], &[0, 1])]
#[case::none("", &[0, 1], &[])]
fn a_discard(#[case] faults: &str, #[case] good: &[u8], #[case] fires: &[usize]) {
    let expected = expected(&one(&format!("[io]; op='discard'; {faults}")));
    assert_eq!(
        (expected.answers, expected.health),
        (vec![vec![ALL]], vec!["A", "A"])
    );
    assert_eq!((expected.fires.as_slice(), expected.held), (fires, false));
    assert!(!expected.loses_sync && !expected.partial && !expected.refused);
    let unit = &expected.units[0];
    assert_eq!(
        (unit.good.as_slice(), &unit.asked),
        (good, &vec![(1, 1); 2])
    );
}
