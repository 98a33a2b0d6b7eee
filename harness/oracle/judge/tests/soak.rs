//! Soaks, raw and over a file system.

use super::*;
use halfway_case::observation::soak::{Done, Ran, Seen as Soaked};
use halfway_protocol::message::KernelMessage;
use halfway_scenario::Scenario;
use halfway_soak::samples::{report, writer};
use halfway_soak::{SoakPlan, Step};

const SEED: u64 = 5;
const STEPS: usize = 40;
const ALL_GOOD: &str = "2 0 0 0 1 1 A 0 3 2 254:0 A 3 0 1 254:16 A 4 0 1 254:32 A 4 0 1";

/// A soak on three paths.
fn soak_on_paths() -> Case {
    let text = "question = \"?\"\n[stack]\ntarget = \"multipath\"\n[legs]\ncount = 3\n\
                [io]\nsector = 64\nsectors = 2000\n[soak]\ncount = 100\n";
    let scenario = Scenario::parse("soak/any", text).expect("a scenario");
    scenario.expand().next().expect("a case")
}

fn steps(case: &Case) -> Vec<Step> {
    let mut plan = SoakPlan::new(case, SEED);
    let mut steps: Vec<Step> = (0..STEPS).map(|_| plan.step()).collect();
    steps.push(plan.last());
    steps
}

/// The observation of a soak on three paths in which one request failed and
/// nothing went wrong.
fn soaked(case: &Case) -> Observation {
    let steps = steps(case);
    let done = steps.iter().enumerate().map(|(index, step)| Done {
        actions: Vec::new(),
        io: IoState::Done(report(step, |sector| writer(&steps[..index], sector))),
    });
    let mut seen = observe(&super::case(Op::Read, vec![]));
    let what = |sector| {
        let (generation, writer) = writer(&steps, sector);
        What::Stamp {
            origin: Origin::Writer(writer),
            generation,
            sector,
        }
    };
    let (from, sectors) = (case.io.sector, case.io.sectors);
    let spans = (0..sectors).map(|at| Span {
        at,
        sectors: 1,
        what: what(from + at),
    });
    seen.seed = SEED;
    seen.media = vec![Medium {
        member: Member::Leg(0),
        sector: from,
        spans: spans.collect(),
        strays: Vec::new(),
    }];
    seen.journal = vec![Entry {
        order: 0,
        member: Member::Leg(1),
        layer: Layer::Device,
        command: Command::Read,
        sector: from,
        sectors: 8,
        result: Some(-5),
        target_reply: None,
    }];
    seen.status = Some(DmStatus {
        targets: vec![ALL_GOOD.to_owned()],
        ..DmStatus::default()
    });
    seen.soak = Some(Soaked {
        steps: done.collect(),
        ended: true,
        ..Soaked::default()
    });
    seen
}

fn last(seen: &mut Observation) -> &mut Done {
    seen.soak.as_mut().unwrap().steps.last_mut().unwrap()
}

/// Index and report of a step that reads.
fn a_read(seen: &mut Observation) -> (usize, &mut halfway_protocol::io::IoReport) {
    let steps = &mut seen.soak.as_mut().unwrap().steps;
    let mut reports = steps.iter_mut().enumerate().filter_map(|(index, done)| {
        let IoState::Done(report) = &mut done.io else {
            return None;
        };
        (!report.ops[0].content.is_empty()).then_some((index, report))
    });
    reports.next().expect("a step reads")
}

fn stale(what: &mut What) {
    if let What::Stamp { generation, .. } = what {
        *generation -= 1;
    }
}

#[rstest]
#[case::right(|_: &mut Observation| (), Outcome::Pass, "39 I/Os")]
#[case::stale(
    |seen: &mut Observation| stale(&mut a_read(seen).1.ops[0].content[0].what),
    Outcome::Fail,
    "holds"
)]
#[case::failed(
    |seen: &mut Observation| a_read(seen).1.ops[0].result = Err(5),
    Outcome::Fail,
    "though a lower device was good"
)]
#[case::never_back(
    |seen: &mut Observation| {
        let pending = IoState::Pending { pending: 1, stacks: Vec::new() };
        last(seen).io = pending.clone();
        seen.io = Some(pending);
    },
    Outcome::Hang,
    ""
)]
#[case::cut_short(
    |seen: &mut Observation| seen.soak.as_mut().unwrap().ended = false,
    Outcome::Fail,
    "step 40"
)]
#[case::given_up(
    |seen: &mut Observation| {
        let soak = seen.soak.as_mut().unwrap();
        soak.steps.pop();
        soak.ended = false;
    },
    Outcome::Inconclusive,
    "not finished"
)]
#[case::no_failure(
    |seen: &mut Observation| seen.journal.clear(),
    Outcome::Inconclusive,
    "no request failed on a path"
)]
#[case::stale_on_the_disk(
    |seen: &mut Observation| stale(&mut seen.media[0].spans[7].what),
    Outcome::Fail,
    "leg 0: sector 71"
)]
#[case::nothing_examined(
    |seen: &mut Observation| seen.media.clear(),
    Outcome::Fail,
    "was not examined"
)]
#[case::not_mended(
    |seen: &mut Observation| {
        let status = seen.status.as_mut().unwrap();
        status.targets[0] = status.targets[0].replacen("A 3", "F 3", 1);
    },
    Outcome::Fail,
    "after everything was mended"
)]
fn a_soak_is_judged(
    #[case] change: impl Fn(&mut Observation),
    #[case] outcome: Outcome,
    #[case] reason: &str,
) {
    let case = soak_on_paths();
    let mut seen = soaked(&case);
    change(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    assert!(verdict.reason.contains(reason), "{}", verdict.reason);
}

#[test]
fn a_failure_says_how_it_is_repeated() {
    let case = soak_on_paths();
    let mut seen = soaked(&case);
    let (step, failed) = (STEPS, last(&mut seen));
    let IoState::Done(report) = &mut failed.io else {
        unreachable!("every step came back");
    };
    report.ops[0].result = Err(5);
    let verdict = judge(&case, &seen);
    let texts: Vec<&str> = verdict
        .differences
        .iter()
        .map(|one| one.text.as_str())
        .collect();
    let again = format!("seed {SEED} of the case, step {step} of the soak");
    assert!(texts[1].starts_with(&again), "{texts:#?}");
    assert!(
        texts[1].contains(&format!("`count = {step}`")),
        "{texts:#?}"
    );
    let led_there = steps(&case);
    let led_there = &led_there[step - 4..=step];
    let led_there: Vec<String> = led_there.iter().map(ToString::to_string).collect();
    assert_eq!(texts[2..], led_there);
}

#[test]
fn a_crash_tells_the_step_that_it_came_in() {
    let case = soak_on_paths();
    let mut seen = soaked(&case);
    let soak = seen.soak.as_mut().unwrap();
    soak.steps.truncate(9);
    soak.ended = false;
    seen.console = "kernel BUG at block/bio.c:1!\n".to_owned();
    seen.liveness = Liveness::Exited("exit status: 1".to_owned());
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Crash, "{verdict:#?}");
    let texts = verdict.differences.iter().map(|one| one.text.clone());
    let texts: Vec<String> = texts.collect();
    let steps: Vec<String> = steps(&case)[5..=9].iter().map(Step::to_string).collect();
    assert!(texts.ends_with(&steps), "{texts:#?}");
    assert!(texts[texts.len() - 6].starts_with("seed"), "{texts:#?}");
}

fn over_files() -> (Case, Observation) {
    let stack = "[stack]\ntarget = \"multipath\"\n[legs]\ncount = 3\n";
    let text = format!("question = \"?\"\n{stack}[soak]\ncount = 1\nfilesystem = \"ext4\"\n");
    let scenario = halfway_scenario::Scenario::parse("soak/any", &text).unwrap();
    let case = scenario.expand().next().unwrap();
    let mut seen = soaked(&soak_on_paths());
    let ran = |purpose: &str| Ran {
        purpose: purpose.to_owned(),
        line: "/usr/bin/fio --x".to_owned(),
        status: Some(0),
        output: String::new(),
    };
    seen.soak = Some(Soaked {
        ended: true,
        programs: vec![ran("making ext4"), ran("fio writing")],
        ..Soaked::default()
    });
    (case, seen)
}

fn programs(seen: &mut Observation) -> &mut Vec<Ran> {
    &mut seen.soak.as_mut().unwrap().programs
}

#[rstest]
#[case::right(|_: &mut Observation| (), Outcome::Pass, "2 programs")]
#[case::wrong(
    |seen: &mut Observation| {
        let ran = &mut programs(seen)[1];
        ran.status = Some(1);
        ran.output = "fio-3.33\ncrc32c: verify failed at file x\nrun status\n".to_owned();
    },
    Outcome::Fail,
    "fio writing ended with 1: crc32c: verify failed at file x"
)]
#[case::says_little(
    |seen: &mut Observation| {
        let ran = &mut programs(seen)[0];
        ran.status = Some(32);
        ran.output = "mke2fs 1.47\n  Killed  \n\n".to_owned();
    },
    Outcome::Fail,
    "making ext4 ended with 32: Killed"
)]
#[case::never_back(
    |seen: &mut Observation| programs(seen)[1].status = None,
    Outcome::Hang,
    "fio writing did not come back"
)]
#[case::complaint(
    |seen: &mut Observation| seen.seen.log.push(KernelMessage {
        level: 2,
        micros: 1,
        text: "EXT4-fs error (device dm-0): x".to_owned(),
    }),
    Outcome::Fail,
    "EXT4-fs error"
)]
#[case::remark(
    |seen: &mut Observation| seen.seen.log.push(KernelMessage {
        level: 6,
        micros: 1,
        text: "EXT4-fs (dm-0): mounted filesystem".to_owned(),
    }),
    Outcome::Pass,
    ""
)]
#[case::cut_short(
    |seen: &mut Observation| seen.soak.as_mut().unwrap().ended = false,
    Outcome::Inconclusive,
    "not finished"
)]
#[case::no_failure(
    |seen: &mut Observation| seen.journal.clear(),
    Outcome::Inconclusive,
    "no request failed"
)]
fn a_soak_over_a_file_system_is_judged(
    #[case] change: impl Fn(&mut Observation),
    #[case] outcome: Outcome,
    #[case] reason: &str,
) {
    let (case, mut seen) = over_files();
    change(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    assert!(verdict.reason.contains(reason), "{}", verdict.reason);
}
