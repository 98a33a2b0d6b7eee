//! Lives of bios, event by event: sound ones, and with a vector changed.

use super::samples::*;
use super::*;
use proptest::prelude::*;
use rstest::rstest;

#[test]
fn a_sound_mirror_has_its_lives_and_no_violation() {
    let account = mirror(None).account();
    assert_eq!(account.violations, []);
    let lives: Vec<_> = account
        .lives
        .iter()
        .map(|life| (life.bio, life.dev, life.end.map(|end| end.status)))
        .collect();
    let expected = [
        (ORIGINAL, TOP, Some(0)),
        (CLONE, LEG, Some(IOERR)),
        (CLONE, OTHER_LEG, Some(0)),
    ];
    assert_eq!(lives, expected);
}

/// The driver that had the bio last is blamed, at whichever event the change
/// shows.
#[rstest]
#[case::by_the_failing_leg(1, LEG, Point::End, CLONE)]
#[case::after_it_said_that_it_was_done(2, LEG, Point::DmEnd, CLONE)]
#[case::before_it_is_submitted_again(3, LEG, Point::Submit, CLONE)]
#[case::by_the_other_leg(4, OTHER_LEG, Point::End, CLONE)]
#[case::by_the_target(5, TOP, Point::End, ORIGINAL)]
fn a_changed_vector_is_said_once(
    #[case] after: usize,
    #[case] dev: Dev,
    #[case] point: Point,
    #[case] bio: u64,
) {
    let trace = mirror(Some((after, 2)));
    let account = trace.account();
    let page = 0xe002;
    let change = Change {
        index: 2,
        before: (page, 4096, 0).into(),
        after: (page, 2560, 1536).into(),
    };
    let violation = Violation {
        dev,
        others: Vec::new(),
        point,
        bio,
        changes: vec![change],
    };
    assert_eq!(account.violations, [violation]);
    let changed = |life: &&Life| life.changed;
    let lives: Vec<Dev> = account
        .lives
        .iter()
        .filter(changed)
        .map(|life| life.dev)
        .collect();
    // A bio that has been handed back has no life that goes on.
    if point == Point::End {
        assert_eq!(lives, [dev]);
    }
}

#[test]
fn nothing_after_the_originals_end_counts() {
    let mut trace = mirror(None);
    trace.change(0);
    trace.end(CLONE, LEG);
    trace.submit(CLONE, LEG);
    assert_eq!(trace.account().violations, []);
}

#[test]
fn the_same_memory_is_another_bio_once_the_first_has_ended() {
    let mut trace = mirror(None);
    trace.change(1);
    trace.submit(ORIGINAL, TOP);
    trace.end(ORIGINAL, TOP);
    assert_eq!(trace.account().violations, []);
}

/// A bio that is split: its pieces share its vector, and it ends with the last
/// of them. Only the count of remaining pieces shows when that is.
fn cut(pieces_end_last: bool) -> Trace {
    let mut trace = Trace::new();
    trace.submit(ORIGINAL, LEG);
    let piece = trace.submit(PIECE, LEG);
    (piece.private, piece.iter.bytes) = (ORIGINAL, 4096);
    // The remainder is submitted again, with the bytes that are left.
    let rest = trace.submit(ORIGINAL, LEG);
    (rest.iter.bytes, rest.iter.index, rest.remaining) = (12288, 1, 2);
    let piece = |trace: &mut Trace, left: u32| {
        let event = trace.end(PIECE, LEG);
        (event.private, event.parent_remaining) = (ORIGINAL, left);
    };
    match pieces_end_last {
        true => {
            trace.end(ORIGINAL, LEG).remaining = 2;
            piece(&mut trace, 1);
        }
        false => {
            piece(&mut trace, 2);
            trace.end(ORIGINAL, LEG).remaining = 1;
        }
    }
    trace
}

#[rstest]
fn a_bio_that_was_cut_ends_with_its_last_piece(#[values(false, true)] pieces_end_last: bool) {
    let mut trace = cut(pieces_end_last);
    assert_eq!(trace.account().violations, []);
    // The bio's memory is free now, so a change is none of its vector.
    trace.change(0);
    trace.submit(ORIGINAL, LEG);
    assert_eq!(trace.account().violations, []);
}

/// The piece that goes to the driver at once is never submitted.
#[test]
fn a_piece_that_was_never_submitted_ends_its_whole() {
    let mut trace = cut(true);
    trace
        .trace
        .events
        .retain(|event| event.bio != PIECE || event.point != Point::Submit);
    assert_eq!(trace.account().violations, []);
    trace.change(0);
    trace.submit(ORIGINAL, LEG);
    assert_eq!(trace.account().violations, []);
}

#[test]
fn the_failure_of_any_piece_is_the_failure_of_the_bio() {
    let mut trace = Trace::new();
    trace.submit(ORIGINAL, LEG);
    trace.end(ORIGINAL, LEG).remaining = 3;
    let failed = trace.end(ORIGINAL, LEG);
    (failed.remaining, failed.status) = (2, IOERR);
    trace.end(ORIGINAL, LEG);
    let lives = trace.account().lives;
    let status: Vec<_> = lives
        .iter()
        .map(|life| life.end.map(|end| end.status))
        .collect();
    assert_eq!(status, [Some(IOERR)]);
}

#[test]
fn a_piece_that_ends_before_the_rest_leaves_the_vector_watched() {
    let mut trace = Trace::new();
    trace.submit(ORIGINAL, LEG);
    let piece = trace.submit(PIECE, LEG);
    (piece.private, piece.iter.bytes) = (ORIGINAL, 4096);
    trace.change(0);
    let piece = trace.end(PIECE, LEG);
    (piece.private, piece.parent_remaining) = (ORIGINAL, 2);
    trace.change(3);
    trace.end(ORIGINAL, LEG);
    let account = trace.account();
    let seen: Vec<_> = account
        .violations
        .iter()
        .map(|violation| (violation.bio, violation.changes[0].index))
        .collect();
    assert_eq!(seen, [(PIECE, 0), (ORIGINAL, 3)]);
}

#[test]
fn who_else_had_the_vector_is_said() {
    let mut trace = Trace::new();
    trace.submit(ORIGINAL, TOP);
    trace.submit(CLONE, LEG);
    trace.submit(PIECE, OTHER_LEG);
    trace.change(2);
    trace.end(CLONE, LEG);
    let account = trace.account();
    assert_eq!(account.violations[0].others, [OTHER_LEG]);
    let words = account.violations[0].words(&trace.trace);
    assert_eq!(
        words,
        "virtio_blk vda (254:0) changed the vector of bio 0x200: entry 2 was page 0xe002 len \
         4096 off 0 and is page 0xe002 len 2560 off 1536, seen at bio_endio, while the driver of \
         254:16 had it too"
    );
}

#[test]
fn a_clone_whose_original_was_never_seen_is_watched_as_long_as_it_lives() {
    let mut trace = Trace::new();
    trace.submit(CLONE, LEG);
    trace.change(0);
    trace.end(CLONE, LEG);
    trace.change(1);
    trace.submit(CLONE, LEG);
    assert_eq!(trace.account().violations.len(), 1);
}

fn discard() -> Trace {
    const DISCARD: u32 = 3;
    let mut trace = Trace::new();
    trace.submit(CLONE, LEG).op = DISCARD;
    trace
}

#[test]
fn a_bio_without_data_has_no_life() {
    assert_eq!(discard().account(), Account::default());
}

#[rstest]
#[case::sound(
    mirror(None),
    "3 bios on device-mapper dm-0 (253:0), virtio_blk vda (254:0), seen 7 times: no vector was changed"
)]
#[case::changed(mirror(Some((1, 0))), "3 bios on device-mapper dm-0 (253:0), virtio_blk vda (254:0), seen 7 times: a vector was changed")]
#[case::nothing(Trace::new(), "no bio was seen: not checked")]
#[case::no_data(discard(), "no bio with data was seen: there was no vector to check")]
fn summaries(#[case] trace: Trace, #[case] expected: &str) {
    assert_eq!(summary(&trace.trace, &trace.account(), 0), expected);
    let mut holes = trace.trace;
    holes.lost = 2;
    let said = summary(&holes, &follow(&holes), holes.lost);
    assert_eq!(said, "2 sightings of bios were lost: not checked");
}

#[test]
fn what_could_not_be_seen_is_said() {
    let mut trace = mirror(None);
    trace.trace.entries = 3;
    let said = summary(&trace.trace, &trace.account(), 0);
    assert!(
        said.ends_with("(of 1 vectors only the first 3 entries were watched)"),
        "{said}"
    );
}

proptest! {
    /// Whatever the bios do, a vector that never changes is never reported as
    /// changed.
    #[test]
    fn what_does_not_change_is_no_violation(
        steps in prop::collection::vec((0usize..4, 0u64..4, 0u64..3, 0u32..3, 0u64..4), 0..60)
    ) {
        let mut trace = Trace::new();
        for (point, bio, vector, remaining, private) in steps {
            let event = trace.event(Point::ALL[point], bio, LEG);
            (event.vector, event.remaining) = (vector, remaining);
            (event.private, event.parent_remaining) = (private, remaining);
        }
        prop_assert_eq!(trace.account().violations, []);
    }

    /// A change between a submission and its end is seen, whichever entry it
    /// is.
    #[test]
    fn every_change_is_seen(after in 0usize..6, index in 0usize..4) {
        let account = mirror(Some((after, index))).account();
        let [violation] = &account.violations[..] else {
            panic!("{account:?}");
        };
        prop_assert_eq!(violation.changes[0].index, index);
    }
}

/// Where the kernel's own count is in doubt, the tracepoints tell whether a
/// submission was missed.
#[rstest]
#[case::certain(2, 0, &[], 2)]
#[case::sound(0, 0, &[(LEG, 4096)], 0)]
#[case::seen_both_ways(0, 5, &[(TOP, 2048), (LEG, 2048)], 0)]
#[case::one_unseen(0, 5, &[(TOP, 2048), (LEG, 2080)], 1)]
fn sightings_that_are_missing(
    #[case] lost: u64,
    #[case] doubted: u64,
    #[case] queued: &[(Dev, u64)],
    #[case] expected: u64,
) {
    let bios = BioTrace {
        lost,
        doubted,
        ..mirror(None).trace
    };
    let event = |&(dev, sector): &(Dev, u64)| TraceEvent {
        ns: 0,
        kind: Kind::BioQueue,
        dev,
        sector,
        sectors: 32,
        rwbs: "R".into(),
        error: 0,
        from: None,
        task: None,
    };
    let trace: Vec<TraceEvent> = queued.iter().map(event).collect();
    assert_eq!(holes(&bios, &trace), expected);
}
