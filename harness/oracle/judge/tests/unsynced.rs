//! Which failed writes leave a region out of sync in the status that is judged.

use super::*;
use crate::units::Unit;
use halfway_case::observation::Repair;

/// The regions that the judge expects out of sync after a buffered write in
/// pages. The mirror has three legs and regions of a page, and each given fault
/// fails a page on its leg.
fn unsynced(
    case: &Case,
    absorbed: &[Fault],
    health: Option<&str>,
    failed: &[(u8, u64)],
) -> Vec<u64> {
    let units: Vec<Unit> = (FROM..FROM + SECTORS)
        .step_by(8)
        .map(|sector| Unit { sector, sectors: 8 })
        .collect();
    let expected = model::expect(case, &Environment::default(), &units);
    let mut seen = observe(case);
    seen.journal = failed
        .iter()
        .map(|&(leg, sector)| Entry {
            order: 0,
            member: Member::Leg(leg),
            layer: Layer::Device,
            command: Command::Write,
            sector,
            sectors: 8,
            result: Some(-5),
            target_reply: None,
        })
        .collect();
    seen.repair = health.map(|health| Repair {
        status: DmStatus {
            targets: vec![format!("3 254:0 254:16 254:32 1/9 1 {health} 1 core")],
            ..DmStatus::default()
        },
        interventions: Vec::new(),
        io: seen.io.clone().unwrap(),
    });
    let scene = Scene {
        case,
        seen: &seen,
        expected: &expected,
        failure_handling: controller::failure_handling(case),
        release: (6, 1),
        absorbed,
        crash: None,
    };
    state::unsynced(&scene)
}

fn buffered(keep_log: bool, faults: Vec<Fault>) -> Case {
    let mut case = case(Op::Write, faults);
    if let Stack::Raid1(mirror) = &mut case.stack {
        (mirror.region_size, mirror.keep_log) = (8, keep_log);
    }
    case.legs.count = 3;
    case.legs.offset = vec![0; 3];
    case.legs.max_sectors_kb = None;
    case.io.path = Path::Buffered;
    case
}

fn at(leg: u8, sector: u64) -> Fault {
    Fault {
        sector,
        ..fault(leg, Op::Write)
    }
}

/// A mirror that was repaired goes on. A leg's failure after that is not in the
/// status from before; a failure before that is.
#[rstest]
#[case::second_is_later(Some("ADA"), &[287])]
#[case::both_before(Some("ADD"), &[287, 312])]
#[case::nobody_repaired_it(None, &[287, 312])]
fn what_fails_after_the_repair_is_not_in_its_status(
    #[case] health: Option<&str>,
    #[case] regions: &[u64],
) {
    let case = buffered(false, vec![at(1, 2300), at(2, 2500)]);
    let lost = unsynced(&case, &[], health, &[(1, 2296), (2, 2496)]);
    assert_eq!(lost, regions);
}

/// device-mapper did not see a failure that the driver's retry mended.
#[test]
fn a_failure_that_was_repeated_loses_no_sync() {
    let case = buffered(true, vec![at(0, 2300)]);
    let failed = [(0, 2296), (2, 2048)];
    assert_eq!(unsynced(&case, &[at(2, 2048)], None, &failed), [287]);
    assert_eq!(unsynced(&case, &[], None, &failed), [256, 287]);
}

/// A page that two requests share is written twice, the first time with half of
/// the old content. A leg may have missed the second write, unless it is one
/// that must have everything.
#[rstest]
#[case::shared(4, true)]
#[case::of_one_request(9, false)]
fn the_page_cache_writes_a_shared_page_twice(#[case] sector: u64, #[case] sound: bool) {
    let mut case = buffered(true, vec![at(2, 0)]);
    (case.io.sector, case.io.sectors, case.io.requests) = (0, 16, 2);
    if sector < 8 {
        case.io.requests = 4;
    }
    let expected = model::expect(&case, &Environment::default(), &[]);
    let seen = observe(&buffered(true, Vec::new()));
    let scene = Scene {
        case: &case,
        seen: &seen,
        expected: &expected,
        failure_handling: controller::failure_handling(&case),
        release: (6, 1),
        absorbed: &[],
        crash: None,
    };
    let from_leg_0 = What::Stamp {
        origin: Origin::Leg(0),
        generation: 0,
        sector,
    };
    let holds = medium::holds(&scene, 1, sector, sector, &from_leg_0, 0);
    assert_eq!(holds.is_ok(), sound, "{holds:?}");
}
