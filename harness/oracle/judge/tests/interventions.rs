//! What brought an I/O back, and what should have.

use super::*;
use Intervention::{GiveUp, HbaBack, Load, ReinstatePath, Release, Reset, Resume, Suspend};
use halfway_case::observation::{Intervention, Repair};

/// The differences that tell of an I/O that came back at the wrong moment, here
/// after the first `after` of these interventions.
fn told(case: &Case, interventions: Option<&[Intervention]>, after: u32) -> Vec<String> {
    let mut seen = observe(case);
    seen.interventions = interventions.map(<[Intervention]>::to_vec);
    report(&mut seen).after = after;
    seen.meanwhile = (!case.holds.is_empty()).then(Vec::new);
    if interventions.is_some_and(|interventions| {
        !interventions
            .iter()
            .all(|intervention| matches!(intervention, Release(_) | Reset(_)))
    }) {
        seen.repair = Some(Repair {
            status: seen.status.clone().unwrap(),
            interventions: vec!["something".into()],
            io: seen.io.take().unwrap(),
        });
    }
    let differences = judge(case, &seen).differences.into_iter();
    let of_interventions = differences
        .filter(|found| found.witness == Witness::Liveness && found.text.contains(" came back "));
    of_interventions.map(|found| found.text).collect()
}

fn no_path(times: [Times; 2]) -> Case {
    let mut case = multipath(Op::Read, true, vec![fault(0, Op::Read), fault(1, Op::Read)]);
    for (fault, times) in case.faults.iter_mut().zip(times) {
        fault.times = times;
    }
    case
}

/// A write that leg 1 fails and the mirror holds.
fn held() -> Case {
    let mut case = case(Op::Write, vec![fault(1, Op::Write)]);
    if let Stack::Raid1(mirror) = &mut case.stack {
        mirror.keep_log = false;
    }
    case
}

/// A read from a mirror of two paths each; neither path of leg 0 answers.
fn nested(times: Times) -> Case {
    let mut outer = case(Op::Read, vec![fault(0, Op::Read), fault(1, Op::Read)]);
    let Stack::Multipath(multipath) = multipath(Op::Read, true, Vec::new()).stack else {
        unreachable!("it is one")
    };
    if let Stack::Raid1(mirror) = &mut outer.stack {
        mirror.paths = Some(halfway_case::Paths {
            count: 2,
            multipath,
        });
    }
    outer.legs.count = 4;
    outer.legs.offset = vec![0, 0, 8, 8];
    for fault in &mut outer.faults {
        fault.times = times;
    }
    outer
}

fn kept_by_the_disk() -> Case {
    let mut case = multipath(Op::Read, false, Vec::new());
    case.holds = vec![Hold {
        leg: 0,
        sector: BAD,
        meanwhile: Meanwhile::Nothing,
        then: Ending::Ok,
        place: 0,
    }];
    case
}

const ONCE: Times = Times::Count(1);
const TWICE: Times = Times::Count(2);
const ALWAYS: Times = Times::Always;

/// After which of the interventions the I/O must come back. If it comes back
/// after any other, there must be a difference.
#[rstest]
#[case::first_path(no_path([ONCE, ONCE]), &[ReinstatePath(0), ReinstatePath(1), GiveUp(0)], 1)]
#[case::second_path(no_path([TWICE, ONCE]), &[ReinstatePath(0), ReinstatePath(1), GiveUp(0)], 2)]
#[case::given_up(no_path([ALWAYS, ALWAYS]), &[ReinstatePath(0), ReinstatePath(1), GiveUp(0)], 3)]
#[case::not_by_the_hba(no_path([ONCE, ONCE]), &[HbaBack(0), ReinstatePath(0), GiveUp(0)], 2)]
#[case::mirror(held(), &[Suspend, Load, Resume], 3)]
#[case::path_of_a_leg(nested(ONCE), &[ReinstatePath(0), ReinstatePath(1), GiveUp(0)], 1)]
#[case::leg_given_up(nested(ALWAYS), &[ReinstatePath(0), ReinstatePath(1), GiveUp(0)], 3)]
fn what_is_held_comes_back_at_its_interventions(
    #[case] case: Case,
    #[case] interventions: &[Intervention],
    #[case] right: u32,
) {
    assert_eq!(model::knows(&case), Ok(()));
    for after in 0..=interventions.len() as u32 {
        let told = told(&case, Some(interventions), after);
        assert_eq!(told.is_empty(), after == right, "after {after}: {told:?}");
        let correct = format!("correct is after {}", interventions[right as usize - 1]);
        assert!(told.iter().all(|text| text.ends_with(&correct)), "{told:?}");
    }
}

/// Nothing of an I/O can be back before its disk has answered or was reset.
#[rstest]
#[case::kept(kept_by_the_disk(), &[Release(0)])]
#[case::silent(case(Op::Read, vec![fault(0, Op::Read)]), &[Reset(0)])]
#[case::silent_twice(case(Op::Read, vec![fault(0, Op::Read)]), &[Reset(0), Reset(1)])]
fn what_a_disk_keeps_is_not_back(#[case] case: Case, #[case] interventions: &[Intervention]) {
    let all = interventions.len() as u32;
    assert_eq!(told(&case, Some(interventions), all), Vec::<String>::new());
    for after in 0..all {
        let told = told(&case, Some(interventions), after);
        let last = format!(
            "came back before {}",
            interventions[interventions.len() - 1]
        );
        assert!(
            matches!(told.as_slice(), [one] if one.ends_with(&last)),
            "{told:?}"
        );
    }
}

/// A record from before interventions were recorded is judged by all else.
#[rstest]
#[case::path(no_path([ONCE, ONCE]))]
#[case::mirror(held())]
fn of_an_old_record_nothing_is_said(#[case] case: Case) {
    assert_eq!(told(&case, None, 0), Vec::<String>::new());
}
