//! What an I/O of several units delivers and leaves behind.

use super::*;

/// Two requests that either leg may answer: each comes whole from one leg.
#[rstest]
#[case::each_from_its_leg(&[span(0, 256, 1, FROM + 256 + 8)], Outcome::Pass)]
#[case::one_from_both(
    &[span(0, 128, 0, FROM + 256), span(128, 128, 1, FROM + 384 + 8)],
    Outcome::Fail
)]
fn a_unit_is_no_mixture_of_legs(#[case] second: &[Span], #[case] outcome: Outcome) {
    let mut case = case(Op::Read, vec![]);
    (case.io.requests, case.legs.max_sectors_kb) = (2, None);
    let mut seen = observe(&case);
    let Some(IoState::Done(report)) = &mut seen.io else {
        unreachable!("the simulated I/O completes");
    };
    report.ops[0].content = vec![span(0, 256, 0, FROM)];
    report.ops[1].content = second.to_vec();
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    let mixed = verdict.reason.contains("a mixture of leg 0 and leg 1");
    assert_eq!(mixed, outcome == Outcome::Fail, "{verdict:#?}");
}

/// A buffered write that begins and ends within a page. The page cache reads
/// the rest of the page from one leg and writes it to all (`iomap_write_begin`,
/// `block_write_begin`); but it never changes what the application wrote.
#[rstest]
#[case::of_the_leg_that_was_read(2, 508, 0, 0, Outcome::Pass)]
#[case::of_the_leg_itself(2, 508, 1, 0, Outcome::Pass)]
#[case::of_another_sector(2, 508, 0, 1, Outcome::Fail)]
#[case::what_was_written_is_old(4, 506, 0, 0, Outcome::Fail)]
fn the_page_cache_fills_up_pages(
    #[case] at: u64,
    #[case] sectors: u64,
    #[case] origin: u8,
    #[case] shift: u64,
    #[case] outcome: Outcome,
) {
    let mut case = case(Op::Write, vec![]);
    let mut seen = observe(&case);
    (case.io.sector, case.io.sectors) = (FROM + 2, 508);
    case.io.path = Path::Buffered;
    report(&mut seen).result = Ok(508 * 512);
    for leg in [0, 1] {
        let mut flush = seen.journal[0];
        (flush.order, flush.member, flush.layer) = (1000, Member::Leg(leg), Layer::Medium);
        flush.command = Command::Flush;
        seen.journal.push(flush);
    }
    let written = |at: u64, sectors: u64| Span {
        at,
        sectors,
        what: What::Stamp {
            origin: Origin::Writer(0),
            generation: 1,
            sector: FROM + at,
        },
    };
    let spans = |leg: u8, at: u64, sectors: u64, shift: u64| {
        let base = FROM + shift + case.legs.offset[usize::from(leg)];
        let end = at + sectors;
        vec![
            span(0, at, leg, base),
            written(at, sectors),
            span(end, SECTORS - end, leg, base + end),
        ]
    };
    seen.media[0].spans = spans(0, 2, 508, 0);
    seen.media[1].spans = spans(origin, at, sectors, shift);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}
