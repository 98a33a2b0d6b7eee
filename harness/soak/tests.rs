use super::samples::{report, writer};
use super::{Action, Content, SoakPlan, Step};
use halfway_case::{Case, Fault, Filesystem};
use halfway_protocol::content::What;
use halfway_protocol::io::Op;
use halfway_scenario::Scenario;
use proptest::prelude::*;
use std::collections::BTreeSet;

const MIRROR: &str = "[legs]\nsize = 16384\n";
const PATHS: &str = "[stack]\ntarget = \"multipath\"\n[legs]\ncount = 3\n";
const QUEUED: &str = "[stack]\ntarget = \"multipath\"\nqueue_if_no_path = true\n";

/// A soak with this stack.
fn case(stack: &str) -> Case {
    let text = format!(
        "question = \"?\"\n{stack}[io]\nsector = 64\nsectors = 2000\n[soak]\ncount = 100\n"
    );
    let scenario = Scenario::parse("soak/any", &text).expect("a scenario");
    scenario.expand().next().expect("a case")
}

fn steps(case: &Case, seed: u64, count: usize) -> Vec<Step> {
    let mut plan = SoakPlan::new(case, seed);
    (0..count).map(|_| plan.step()).collect()
}

fn stacks() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(MIRROR), Just(PATHS), Just(QUEUED)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_is_made_of_its_seed_alone(stack in stacks(), seed: u64, count in 1usize..60) {
        let case = case(stack);
        let long = steps(&case, seed, 60);
        prop_assert_eq!(&steps(&case, seed, count), &long[..count]);
        prop_assert_ne!(&steps(&case, seed ^ 1, 60), &long);
    }

    #[test]
    fn every_io_lies_within_the_area(stack in stacks(), seed: u64) {
        let case = case(stack);
        for step in steps(&case, seed, 200) {
            let io = &step.io;
            prop_assert!(io.sector >= 64 && io.sector + io.sectors <= 2064, "{}", step);
            prop_assert!(io.parts().iter().all(|(_, sectors)| *sectors > 0), "{}", step);
            let parts = io.parts();
            let longest = parts.iter().map(|part| part.1).max().unwrap();
            prop_assert!(io.vector.segments(longest, 1).1.len() <= 1024);
        }
    }

    /// A lower device is good if it has no fault, and has been repaired since
    /// it had one.
    #[test]
    fn one_lower_device_is_always_beyond_doubt(seed: u64, mirror: bool) {
        let case = case(if mirror { MIRROR } else { PATHS });
        let mut doubtful = BTreeSet::new();
        let mut armed: Vec<Fault> = Vec::new();
        let mut plan = SoakPlan::new(&case, seed);
        for _ in 0..400 {
            let step = plan.step();
            for action in step.before.iter().chain(&step.meanwhile) {
                match action {
                    Action::Arm(faults) => {
                        armed = faults.clone();
                        doubtful.extend(faults.iter().map(|fault| fault.leg));
                    }
                    Action::FailPath(path) => drop(doubtful.insert(*path)),
                    Action::ReinstatePath(path) => {
                        prop_assert!(armed.iter().all(|fault| fault.leg != *path));
                        doubtful.remove(path);
                    }
                    Action::Suspend => {}
                    Action::Mend(leg) => {
                        prop_assert_eq!(&doubtful, &BTreeSet::from([*leg]));
                        doubtful.clear();
                        armed.clear();
                    }
                }
                let most = if mirror { 1 } else { usize::from(case.legs.count) - 1 };
                prop_assert!(doubtful.len() <= most, "{}", step);
            }
        }
        prop_assert!(matches!(plan.last().before, Some(Action::Mend(_))));
    }

    /// This holds over a file system as well, and there are faults when a round
    /// begins.
    #[test]
    fn a_round_begins_with_faults_and_leaves_one_lower_device(seed: u64, mirror: bool) {
        let mut case = case(if mirror { MIRROR } else { PATHS });
        case.soak.as_mut().unwrap().filesystem = Filesystem::Ext4;
        let mut plan = SoakPlan::new(&case, seed);
        let mut faulty = BTreeSet::new();
        for round in 0..20 {
            let begun = plan.begin();
            prop_assert!(matches!(begun.last(), Some(Action::Arm(faults)) if !faults.is_empty()));
            let more: Vec<Action> = (0..30).filter_map(|_| plan.pause().1).collect();
            for action in begun.iter().chain(&more) {
                if let Action::Arm(faults) = action {
                    let legs: BTreeSet<u8> = faults.iter().map(|fault| fault.leg).collect();
                    prop_assert!(legs.len() < usize::from(case.legs.count));
                    prop_assert!(faults.iter().all(|fault| fault.sector < case.legs.sectors));
                    faulty.extend(legs);
                }
            }
            prop_assert_ne!(plan.round(round), plan.round(round + 1));
        }
        prop_assert_eq!(faulty.len(), usize::from(case.legs.count), "each has its turn");
    }

    #[test]
    fn right_content_is_right_and_any_other_is_not(seed: u64, which: prop::sample::Index) {
        let case = case(PATHS);
        let steps = steps(&case, seed, 30);
        let mut content = Content::new(64, 2000);
        for (index, step) in steps.iter().enumerate() {
            let so_far = &steps[..index];
            let right = report(step, |sector| writer(so_far, sector));
            if step.io.op == Op::Read {
                let mut wrong = right.clone();
                let op = which.index(wrong.ops.len());
                let spans = &mut wrong.ops[op].content;
                let at = which.index(spans.len());
                if let What::Stamp { generation, .. } = &mut spans[at].what {
                    *generation += 1;
                }
                prop_assert!(content.clone().take(step, &wrong).is_some(), "{}", step);
                let mut short = right.clone();
                short.ops[op].content.pop();
                prop_assert!(content.clone().take(step, &short).is_some(), "{}", step);
            }
            let mut failed = right.clone();
            failed.ops[0].result = Err(5);
            prop_assert!(content.clone().take(step, &failed).is_some(), "{}", step);
            prop_assert_eq!(content.take(step, &right), None);
        }
    }
}

/// A single seed need not have every action, but a handful of seeds must.
#[test]
fn a_mix_has_everything_in_it() {
    for (stack, actions) in [(MIRROR, 3), (PATHS, 4)] {
        let case = case(stack);
        let all: Vec<Step> = (0..8).flat_map(|seed| steps(&case, seed, 200)).collect();
        let actions_of = all
            .iter()
            .flat_map(|step| step.before.iter().chain(&step.meanwhile));
        let kinds: BTreeSet<_> = actions_of
            .map(|action| match action {
                Action::Arm(_) => 0,
                Action::FailPath(_) => 1,
                Action::ReinstatePath(_) => 2,
                Action::Suspend => 3,
                Action::Mend(_) => 4,
            })
            .collect();
        assert_eq!(kinds.len(), actions, "{kinds:?}");
        for op in [Op::Read, Op::Write, Op::Flush] {
            assert!(all.iter().any(|step| step.io.op == op));
        }
        assert!(all.iter().any(|step| step.io.dsync));
        assert!(all.iter().any(|step| step.io.requests > 8));
    }
}
