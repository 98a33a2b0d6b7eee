//! Two reads that overlap. A leg fails a sector that only the first one has, or
//! one that both have.

use super::*;

/// The range that both have: first sector, number of sectors.
const SHARED: (u64, u64) = (2304, 100);

/// A change to a sound observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Nothing,
    /// The other leg is not asked again for the shared part of the second read.
    RestOnly,
    /// The other leg is not asked again for the shared part of the first read.
    FirstPartOnly,
    /// The other leg is asked for the first read twice.
    Twice,
    /// A shared sector comes from the bad leg, in the first read.
    FromBadLeg,
    /// The second read comes from the bad leg.
    SecondFromBadLeg,
    /// In the second read a shared sector comes from another leg than the rest.
    SecondMixed,
}

fn overlapping(bad: u64) -> Case {
    let mut bad_leg = fault(0, Op::Read);
    bad_leg.sector = bad;
    let mut case = case(Op::Read, vec![bad_leg]);
    case.legs.max_sectors_kb = None;
    case.io.requests = 2;
    case.io.overlap = SHARED.1;
    case
}

fn seen_of(case: &Case, change: Change) -> Observation {
    let bad = case.faults[0].sector;
    let mut seen = observe(case);
    seen.journal.clear();
    (seen.seen.trace).retain(|event| event.kind == Kind::BioQueue);
    let mut ask = |leg: u8, sector: u64, sectors: u64| {
        let fails = leg == 0 && (sector..sector + sectors).contains(&bad);
        let result = if fails { -5 } else { 0 };
        let at = sector + case.legs.offset[usize::from(leg)];
        let layers = [Layer::Device, Layer::Medium];
        for layer in layers.into_iter().take(if fails { 1 } else { 2 }) {
            seen.journal.push(Entry {
                order: seen.journal.len() as u64,
                member: Member::Leg(leg),
                layer,
                command: Command::Read,
                sector: at,
                sectors,
                result: Some(result),
                target_reply: None,
            });
        }
        let mut completion = event(Kind::RqComplete, leg_dev(leg), at, sectors, result);
        completion.rwbs = "R".into();
        seen.seen.trace.push(completion);
    };
    let parts = case.io.parts();
    let mut from = Vec::new();
    for (index, &(sector, sectors)) in parts.iter().enumerate() {
        ask(0, sector, sectors);
        let fails = (sector..sector + sectors).contains(&bad);
        from.push(u8::from(fails));
        if fails {
            match (index, change) {
                (0, Change::FirstPartOnly) => ask(1, sector, sectors - SHARED.1),
                (0, Change::Twice) => {
                    ask(1, sector, sectors);
                    ask(1, sector, sectors);
                }
                (1, Change::RestOnly) => ask(1, sector + SHARED.1, sectors - SHARED.1),
                _ => ask(1, sector, sectors),
            }
        }
    }
    for &(sector, sectors) in &parts {
        (seen.seen.trace).push(event(Kind::BioComplete, DM, sector, sectors, 0));
    }
    let Some(IoState::Done(report)) = &mut seen.io else {
        panic!("{seen:?}");
    };
    for (index, (op, &(sector, sectors))) in report.ops.iter_mut().zip(&parts).enumerate() {
        op.result = Ok(sectors * 512);
        let mut spans = Vec::new();
        for at in 0..sectors {
            let shared = (SHARED.0..SHARED.0 + SHARED.1).contains(&(sector + at));
            let leg = match (index, change) {
                (0, Change::FromBadLeg) if sector + at == SHARED.0 => 0,
                (1, Change::SecondFromBadLeg) => 0,
                (1, Change::SecondMixed) if shared => 1 - from[1],
                _ => from[index],
            };
            let what = What::Stamp {
                origin: Origin::Leg(leg),
                generation: 0,
                sector: sector + at + case.legs.offset[usize::from(leg)],
            };
            halfway_protocol::content::push(&mut spans, at, what);
        }
        op.content = spans;
    }
    seen
}

/// A sector of the first read alone, and one that both have.
const FIRSTS: u64 = 2300;
const BOTHS: u64 = 2350;

#[rstest]
#[case::first_fails(FIRSTS, Change::Nothing, None)]
#[case::both_fail(BOTHS, Change::Nothing, None)]
#[case::first_not_whole(FIRSTS, Change::FirstPartOnly, Some(Witness::Journal))]
#[case::second_not_whole(BOTHS, Change::RestOnly, Some(Witness::Journal))]
#[case::neither_is_the_others(BOTHS, Change::FirstPartOnly, Some(Witness::Journal))]
#[case::twice(FIRSTS, Change::Twice, Some(Witness::Journal))]
#[case::from_the_bad_leg(FIRSTS, Change::FromBadLeg, Some(Witness::Content))]
#[case::second_may_be_of_the_bad_leg(FIRSTS, Change::SecondFromBadLeg, None)]
#[case::second_is_of_the_bad_leg(BOTHS, Change::SecondFromBadLeg, Some(Witness::Content))]
#[case::second_mixed(FIRSTS, Change::SecondMixed, Some(Witness::Content))]
fn each_of_two_reads_that_overlap_is_whole(
    #[case] bad: u64,
    #[case] change: Change,
    #[case] witness: Option<Witness>,
) {
    let case = overlapping(bad);
    assert_eq!(model::knows(&case), Ok(()));
    let verdict = judge(&case, &seen_of(&case, change));
    let outcome = match witness {
        Some(_) => Outcome::Fail,
        None => Outcome::Pass,
    };
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    assert_eq!(verdict.differences.first().map(|one| one.witness), witness);
}
