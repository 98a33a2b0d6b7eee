//! Legs on a SCSI target that reports how far it got.

mod multipathd;

use super::*;
use Controller::Target;
use halfway_case::observation::TargetReply;
use halfway_scsi::handling::ATTEMPTS;
use halfway_scsi::report::Failed;
use halfway_scsi::{Reply, Report, Status};

/// Number of sectors of the I/O before the bad one.
const GOOD: u64 = BAD - FROM;

fn with(report: &str, times: Times, mut case: Case) -> Case {
    case.legs.controller = Target;
    case.legs.max_sectors_kb = None;
    for fault in &mut case.faults {
        fault.report = Some(report.parse().unwrap());
        fault.times = times;
    }
    case
}

fn read(report: &str) -> Case {
    with(
        report,
        Times::Always,
        case(Op::Read, vec![fault(0, Op::Read)]),
    )
}

/// What is seen beneath one leg, in place of what a virtio disk would show.
struct Leg<'a> {
    case: &'a Case,
    leg: u8,
    journal: Vec<Entry>,
    trace: Vec<TraceEvent>,
}

impl<'a> Leg<'a> {
    fn new(case: &'a Case, leg: u8) -> Self {
        Leg {
            case,
            leg,
            journal: Vec::new(),
            trace: Vec::new(),
        }
    }

    fn command(&mut self, sector: u64, good: u64, answer: Reply, errno: i32) {
        let offset = self.case.legs.offset[usize::from(self.leg)];
        let entry = Entry {
            order: 0,
            member: Member::Leg(self.leg),
            layer: Layer::Device,
            command: self.case.io.op.into(),
            sector: sector + offset,
            sectors: FROM + SECTORS - sector,
            result: Some(-errno),
            target_reply: Some(TargetReply {
                opcode: 0x28,
                good,
                answer,
                residual: 0,
            }),
        };
        self.journal.push(entry);
        if good > 0 {
            self.journal.push(Entry {
                layer: Layer::Medium,
                sectors: good,
                result: Some(0),
                target_reply: None,
                ..entry
            });
        }
    }

    fn whole(&mut self, sector: u64) {
        let rest = FROM + SECTORS - sector;
        self.command(sector, rest, Reply::Status(Status::Good, None), 0);
    }

    /// A command that meets the bad block and is answered as `report` says.
    fn fails(&mut self, sector: u64, report: &str) {
        let report: Report = report.parse().unwrap();
        let located = report.needs_location();
        let failed = report.reply(&Failed {
            lba: sector,
            blocks: (FROM + SECTORS - sector) as u32,
            good: located.then_some((BAD - sector) as u32),
            block: 512,
        });
        let moves = report.moves_what_is_good(self.case.io.op == Op::Read);
        let good = if moves { BAD - sector } else { 0 };
        self.command(sector, good, failed.reply, 5);
    }

    fn ends(&mut self, sector: u64, sectors: u64, errno: i32) {
        let offset = self.case.legs.offset[usize::from(self.leg)];
        let dev = leg_dev(self.leg);
        let mut end = event(Kind::RqComplete, dev, sector + offset, sectors, -errno);
        end.rwbs = if self.case.io.op == Op::Read {
            "RS"
        } else {
            "WS"
        }
        .into();
        self.trace.push(end);
    }
}

/// A sound observation of `case`, with these legs.
fn seen(case: &Case, legs: Vec<Leg<'_>>) -> Observation {
    let mut plain = case.clone();
    plain.legs.controller = Controller::VirtioBlk;
    let mut seen = observe(&plain);
    seen.journal.clear();
    let is_leg = |event: &TraceEvent| (0..2).any(|leg| leg_dev(leg) == event.dev);
    seen.seen.trace.retain(|event| !is_leg(event));
    for leg in legs {
        seen.seen.trace.extend(leg.trace);
        seen.journal.extend(leg.journal);
    }
    for (entry, order) in seen.journal.iter_mut().zip(0..) {
        entry.order = order;
    }
    seen
}

fn partial(case: &Case) -> Leg<'_> {
    let mut leg = Leg::new(case, 0);
    leg.fails(FROM, "medium-error");
    leg.ends(FROM, GOOD, 0);
    leg.ends(BAD, SECTORS - GOOD, 61);
    leg
}

fn other(case: &Case) -> Leg<'_> {
    let mut leg = Leg::new(case, 1);
    leg.whole(FROM);
    leg.ends(FROM, SECTORS, 0);
    leg
}

#[track_caller]
fn is(case: &Case, seen: &Observation, outcome: Outcome, says: &str) {
    let verdict = judge(case, seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    assert!(verdict.reason.contains(says), "{verdict:#?}");
}

#[test]
fn a_partial_completion_that_the_tracepoints_show_passes() {
    let case = read("medium-error");
    let seen = seen(&case, vec![partial(&case), other(&case)]);
    is(
        &case,
        &seen,
        Outcome::Pass,
        "252 of 512 sectors done before",
    );
}

#[test]
fn a_partial_completion_that_they_do_not_show_proves_nothing() {
    let case = read("medium-error");
    let mut leg = Leg::new(&case, 0);
    leg.fails(FROM, "medium-error");
    leg.ends(FROM, SECTORS, 61);
    let seen = seen(&case, vec![leg, other(&case)]);
    is(
        &case,
        &seen,
        Outcome::Inconclusive,
        "2048+252 ok, 2300+260 failed",
    );
}

/// The failed rest of a request must end too, or the request hangs.
#[test]
fn a_rest_of_which_the_guest_sees_no_end_is_noticed() {
    let case = read("medium-error");
    let mut leg = Leg::new(&case, 0);
    leg.fails(FROM, "medium-error");
    leg.ends(FROM, GOOD, 0);
    let seen = seen(&case, vec![leg, other(&case)]);
    is(
        &case,
        &seen,
        Outcome::Fail,
        "the guest saw no end of sector 2300",
    );
}

/// A range that the device was asked for in two requests must end twice.
#[test]
fn an_end_is_of_one_request() {
    let case = read("medium-error");
    let mut twice = other(&case);
    twice.whole(FROM);
    let seen = seen(&case, vec![partial(&case), twice]);
    let verdict = judge(&case, &seen);
    let unseen = |found: &Difference| found.text.contains("saw no end of sector 2048");
    assert!(verdict.differences.iter().any(unseen), "{verdict:#?}");
}

/// Of several requests the one with the bad block shows how the fault was met.
#[rstest]
#[case::in_part(&[(FROM, 128, 0), (2176, 124, 0), (BAD, 260, 61)], Outcome::Pass)]
#[case::between_others(&[(2176, 124, 0), (FROM, 128, 0), (BAD, 260, 61)], Outcome::Pass)]
#[case::as_a_whole(&[(FROM, 128, 0), (2176, 384, 61)], Outcome::Inconclusive)]
fn the_request_that_meets_the_fault_shows_it(
    #[case] ends: &[(u64, u64, i32)],
    #[case] outcome: Outcome,
) {
    let case = read("medium-error");
    let mut leg = Leg::new(&case, 0);
    leg.whole(FROM);
    for entry in &mut leg.journal {
        entry.sectors = 128;
        if let Some(told) = &mut entry.target_reply {
            told.good = 128;
        }
    }
    leg.fails(FROM + 128, "medium-error");
    for &(sector, sectors, errno) in ends {
        leg.ends(sector, sectors, errno);
    }
    is(&case, &seen(&case, vec![leg, other(&case)]), outcome, "");
}

/// A kernel that counts good blocks wrongly.
#[rstest]
#[case::the_bad_one_too(GOOD + 1)]
#[case::up_to_a_page(GOOD + 4)]
#[case::all(SECTORS)]
fn a_kernel_that_takes_more_for_done_than_is_done_fails(#[case] good: u64) {
    let case = read("medium-error");
    let mut leg = Leg::new(&case, 0);
    leg.fails(FROM, "medium-error");
    leg.ends(FROM, good, 0);
    if good < SECTORS {
        leg.ends(FROM + good, SECTORS - good, 61);
    }
    let seen = seen(&case, vec![leg, other(&case)]);
    is(
        &case,
        &seen,
        Outcome::Fail,
        "the device did not do sector 2300",
    );
}

#[test]
fn data_that_were_not_transferred_are_not_done() {
    let case = read("residual-of-all");
    let failed = |ends: &[(u64, u64, i32)]| {
        let mut leg = Leg::new(&case, 0);
        leg.fails(FROM, "residual-of-all");
        for &(sector, sectors, errno) in ends {
            leg.ends(sector, sectors, errno);
        }
        seen(&case, vec![leg, other(&case)])
    };
    is(&case, &failed(&[(FROM, SECTORS, 61)]), Outcome::Pass, "");
    let believed = failed(&[(FROM, GOOD, 0), (BAD, SECTORS - GOOD, 61)]);
    is(&case, &believed, Outcome::Fail, "did not do sector 2048");
}

#[test]
fn a_resubmission_of_the_rest_only_is_noticed() {
    let case = read("medium-error");
    let mut rest = Leg::new(&case, 1);
    rest.whole(BAD);
    rest.ends(BAD, SECTORS - GOOD, 0);
    let seen = seen(&case, vec![partial(&case), rest]);
    is(&case, &seen, Outcome::Fail, "was not asked for whole");
}

#[test]
fn a_target_that_plays_another_fault_proves_nothing() {
    let case = read("medium-error");
    let mut seen = seen(&case, vec![partial(&case), other(&case)]);
    let told = seen.journal[0].target_reply.as_mut().unwrap();
    told.good = GOOD - 1;
    seen.seen.trace.iter_mut().for_each(|event| {
        if event.dev == leg_dev(0) && event.error == 0 {
            event.sectors -= 1;
        } else if event.dev == leg_dev(0) {
            event.sector -= 1;
            event.sectors += 1;
        }
    });
    is(
        &case,
        &seen,
        Outcome::Inconclusive,
        "the target did another part",
    );
}

#[rstest]
#[case::one_too_few(ATTEMPTS - 1, Outcome::Fail)]
#[case::as_often_as_it_may(ATTEMPTS, Outcome::Pass)]
#[case::one_too_many(ATTEMPTS + 1, Outcome::Fail)]
fn the_driver_tries_as_often_as_it_may(#[case] times: u32, #[case] outcome: Outcome) {
    let case = read("aborted-command");
    let mut leg = Leg::new(&case, 0);
    for _ in 0..times {
        leg.fails(FROM, "aborted-command");
    }
    leg.ends(FROM, SECTORS, 5);
    is(&case, &seen(&case, vec![leg, other(&case)]), outcome, "");
}

/// The rest is asked for again and succeeds: device-mapper sees nothing, but
/// the partial completion must be seen all the same.
#[rstest]
#[case::shown(&[(FROM, GOOD), (BAD, SECTORS - GOOD)], Outcome::Pass)]
#[case::not_shown(&[(FROM, SECTORS)], Outcome::Inconclusive)]
fn a_short_transfer_that_goes_on(#[case] ends: &[(u64, u64)], #[case] outcome: Outcome) {
    let report = "short-good+medium-error";
    let case = with(
        report,
        Times::Count(1),
        case(Op::Read, vec![fault(0, Op::Read)]),
    );
    let mut leg = Leg::new(&case, 0);
    leg.fails(FROM, report);
    leg.whole(BAD);
    for &(sector, sectors) in ends {
        leg.ends(sector, sectors, 0);
    }
    let mut healthy = case.clone();
    healthy.faults.clear();
    is(&case, &seen(&healthy, vec![leg]), outcome, "");
}

#[test]
fn what_lies_on_the_disk_is_what_the_target_says_it_wrote() {
    let case = with(
        "medium-error",
        Times::Always,
        case(Op::Write, vec![fault(0, Op::Write)]),
    );
    let torn = |sectors: u64| {
        let mut seen = seen(&case, vec![partial(&case), other(&case)]);
        let new = What::Stamp {
            origin: Origin::Writer(0),
            generation: 1,
            sector: FROM,
        };
        let old = What::Stamp {
            origin: Origin::Leg(0),
            generation: 0,
            sector: FROM + sectors,
        };
        seen.media[0].spans = vec![
            Span {
                at: 0,
                sectors,
                what: new,
            },
            Span {
                at: sectors,
                sectors: SECTORS - sectors,
                what: old,
            },
        ];
        seen
    };
    is(&case, &torn(GOOD), Outcome::Pass, "252 of 512");
    is(
        &case,
        &torn(GOOD - 1),
        Outcome::Fail,
        "sector 2299 was not written",
    );
    is(
        &case,
        &torn(GOOD + 1),
        Outcome::Fail,
        "sector 2300 was written",
    );
}

/// Of merged requests those that were done are not sent again.
#[rstest]
#[case::the_rest(BAD / 8 * 8, Outcome::Pass, "")]
#[case::all(FROM, Outcome::Fail, "asked for it again")]
#[case::too_little(BAD / 8 * 8 + 8, Outcome::Fail, "no path has done all of it")]
fn what_a_path_has_done_is_not_asked_for_again(
    #[case] from: u64,
    #[case] outcome: Outcome,
    #[case] says: &str,
) {
    let report = "short-good+bad-target";
    let mut case = with(
        report,
        Times::Always,
        multipath(Op::Write, false, vec![fault(0, Op::Write)]),
    );
    case.io.requests = 64;
    let mut one = Leg::new(&case, 0);
    one.fails(FROM, report);
    one.fails(BAD, report);
    one.ends(FROM, GOOD, 0);
    one.ends(BAD, SECTORS - GOOD, 5);
    let mut two = Leg::new(&case, 1);
    two.whole(from);
    two.ends(from, FROM + SECTORS - from, 0);
    is(&case, &seen(&case, vec![one, two]), outcome, says);
}

/// The disk's own error goes up from the first path unchanged.
#[rstest]
#[case("medium-error", 61)]
#[case("hardware-error", 121)]
fn an_error_of_the_disk_is_told_as_it_is(#[case] report: &str, #[case] errno: i32) {
    let case = with(
        report,
        Times::Always,
        multipath(Op::Read, false, vec![fault(0, Op::Read)]),
    );
    let mut leg = Leg::new(&case, 0);
    leg.fails(FROM, report);
    leg.ends(FROM, GOOD, 0);
    leg.ends(BAD, SECTORS - GOOD, errno);
    let mut healthy = case.clone();
    healthy.faults.clear();
    let mut told = seen(&healthy, vec![leg]);
    super::report(&mut told).result = Err(errno);
    is(&case, &told, Outcome::Pass, "the application was told");
    super::report(&mut told).result = Err(5);
    is(&case, &told, Outcome::Fail, "was answered with");
}

/// A disk that gives no answer is reset; then it answers, or is offline.
#[rstest]
#[case::tried_again("no-answer", Times::Count(1), 0, 1, Outcome::Pass, "")]
#[case::offline("no-answer-offline", Times::Always, 5, 1, Outcome::Pass, "")]
#[case::nobody_came(
    "no-answer",
    Times::Count(1),
    0,
    0,
    Outcome::Inconclusive,
    "reset 0 times"
)]
#[case::no_end(
    "no-answer-offline",
    Times::Always,
    0,
    1,
    Outcome::Fail,
    "did not do sector"
)]
fn what_gives_no_answer_is_given_back(
    #[case] report: &str,
    #[case] times: Times,
    #[case] errno: i32,
    #[case] resets: usize,
    #[case] outcome: Outcome,
    #[case] says: &str,
) {
    let case = with(report, times, case(Op::Read, vec![fault(0, Op::Read)]));
    let mut leg = Leg::new(&case, 0);
    leg.command(FROM, 0, Reply::Nothing, 5);
    if times != Times::Always {
        leg.whole(FROM);
    }
    leg.ends(FROM, SECTORS, errno);
    let mut seen = match times {
        Times::Always => seen(&case, vec![leg, other(&case)]),
        Times::Count(_) => {
            let mut healthy = case.clone();
            healthy.faults.clear();
            seen(&healthy, vec![leg])
        }
    };
    seen.unit_resets = vec!["reset leg0".to_owned(); resets];
    is(&case, &seen, outcome, says);
}

/// With 4096-byte blocks those before the block of the fault are done, wherever
/// in its block the fault lies.
#[rstest]
#[case::its_block(GOOD / 8 * 8, Outcome::Pass, "248 of 512 sectors done before")]
#[case::its_sector(GOOD, Outcome::Inconclusive, "the target did another part")]
fn a_fault_within_a_block_fails_the_block(
    #[case] good: u64,
    #[case] outcome: Outcome,
    #[case] says: &str,
) {
    let mut case = read("medium-error");
    case.legs.logical_block_size = 4096;
    let answer = partial(&case).journal[0].target_reply.unwrap().answer;
    let mut leg = Leg::new(&case, 0);
    leg.command(FROM, good, answer, 5);
    leg.ends(FROM, good, 0);
    leg.ends(FROM + good, SECTORS - good, 61);
    is(&case, &seen(&case, vec![leg, other(&case)]), outcome, says);
}

/// Before the first block nothing is good: a short answer causes one more
/// command only if a block comes before the bad one.
#[rstest]
#[case::nothing_before_it(512, FROM, 1, Some(1))]
#[case::a_sector(512, FROM + 1, 1, None)]
#[case::a_sector_of_its_block(4096, FROM + 7, 1, Some(1))]
#[case::a_block(4096, FROM + 8, 1, None)]
#[case::both(512, FROM + 1, 2, Some(1))]
fn device_mapper_hears_of_the_last_command(
    #[case] block: u32,
    #[case] sector: u64,
    #[case] times: u32,
    #[case] heard: Option<u32>,
) {
    let fault = Fault {
        sector,
        ..fault(0, Op::Read)
    };
    let case = case(Op::Read, vec![fault]);
    let mut case = with("short-good+medium-error", Times::Count(times), case);
    case.legs.logical_block_size = block;
    let (met, _) = controller::as_dm_meets(&case);
    let met: Vec<Times> = met.faults.iter().map(|fault| fault.times).collect();
    let heard: Vec<Times> = heard.into_iter().map(Times::Count).collect();
    assert_eq!(met, heard);
}
