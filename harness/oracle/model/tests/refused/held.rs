//! Requests that are held, and I/O that races a recovery.

use super::beside;
use rstest::rstest;

const OTHER_FAULTS: &str = "the log or the recovery fails";
const UNKNOWN_NUMBER: &str = "an I/O in pieces of unknown number";
const GIVEN_UP: &str = "given up by its driver";
const NESTED: &str = "beneath a multipath that is beneath a mirror";
const ONE_PATH: &str = "a request is on one path at a time";
const SELECTOR: &str = "depends on its selector";
const ONE_LEG: &str = "a mirror reads from one leg at a time";
const RECOVERS: &str = "recovers what it has lost";

/// What can be held so that the harness decides the order of all completions.
#[rstest]
#[case::log_fails(
    "[stack]; log='disk'; [io]; op='write'; [[fault]]; disk='log'; [[hold]]",
    "[stack]; log='disk'; [io]; op='write'; [[hold]]",
    OTHER_FAULTS
)]
#[case::pages("[io]; path='buffered'; [[hold]]", "[[hold]]", UNKNOWN_NUMBER)]
#[case::durable(
    "[io]; op='write'; dsync=true; [[hold]]",
    "[io]; op='write'; [[hold]]",
    UNKNOWN_NUMBER
)]
#[case::linear(
    "[stack]; linear=4096; [[hold]]",
    "[stack]; region_size=4096; [[hold]]",
    UNKNOWN_NUMBER
)]
#[case::cut_by_its_segments(
    "[stack]; target='multipath'; [io]; sectors=2033; [[fault]]; [[hold]]; leg=1",
    "[stack]; target='multipath'; [io]; sectors=2032; [[fault]]; [[hold]]; leg=1",
    UNKNOWN_NUMBER
)]
#[case::cut_by_its_path_alone(
    "[stack]; target='multipath'; [io]; sectors=2033; [[fault]]; [[hold]]; leg=1",
    "[stack]; target='multipath'; queue_mode='bio'; [io]; sectors=2033; [[fault]]; [[hold]]; leg=1",
    UNKNOWN_NUMBER
)]
#[case::cut_and_unplugged(
    "[legs]; controller='pvscsi'; [io]; sectors=1009; [[hold]]; meanwhile='unplug'",
    "[legs]; controller='pvscsi'; [io]; sectors=1008; [[hold]]; meanwhile='unplug'",
    UNKNOWN_NUMBER
)]
#[case::given_up_and_failed(
    "[legs]; controller='nvme'; [[hold]]; then='EIO'; meanwhile='timeout'",
    "[legs]; controller='nvme'; [[hold]]; meanwhile='timeout'",
    GIVEN_UP
)]
#[case::two_given_up(
    "[legs]; controller='nvme'; max_sectors_kb=64; [[hold]]; meanwhile='timeout'; [[hold]]; at=0",
    "[legs]; controller='nvme'; max_sectors_kb=64; [[hold]]; meanwhile='timeout'",
    GIVEN_UP
)]
#[case::given_up_of_two(
    "[legs]; controller='ahci'; [io]; requests=2; [[hold]]; meanwhile='timeout'",
    "[legs]; controller='ahci'; max_sectors_kb=64; [[hold]]; meanwhile='timeout'",
    PASS
)]
#[case::given_up_beneath_two(
    "[stack]; paths=2; [legs]; controller='pvscsi'; [[hold]]; meanwhile='timeout'",
    "[stack]; target='multipath'; [legs]; controller='pvscsi'; [[hold]]; meanwhile='timeout'",
    NESTED
)]
#[case::two_paths(
    "[stack]; target='multipath'; [[hold]]; [[hold]]; at=0; leg=1",
    "[stack]; target='multipath'; [[hold]]",
    ONE_PATH
)]
#[case::any_path(
    "[stack]; target='multipath'; path_grouping='multibus'; [[hold]]",
    "[stack]; target='multipath'; path_grouping='failover'; [[hold]]",
    SELECTOR
)]
#[case::two_legs_read(
    "[io]; op='read'; [[hold]]; [[hold]]; leg=1",
    "[io]; op='write'; [[hold]]; [[hold]]; leg=1",
    ONE_LEG
)]
#[case::resumed(
    "[io]; op='write'; [[hold]]; then='EIO'; meanwhile='suspend'",
    "[io]; op='read'; [[hold]]; then='EIO'; meanwhile='suspend'",
    RECOVERS
)]
#[case::resumed_in_sync(
    "[io]; op='write'; [[hold]]; then='EIO'; meanwhile='suspend'",
    "[io]; op='write'; [[hold]]; then='ok'; meanwhile='suspend'",
    RECOVERS
)]
#[case::not_resumed(
    "[io]; op='write'; [[hold]]; then='EIO'; meanwhile='suspend'",
    "[io]; op='write'; [[hold]]; then='EIO'",
    RECOVERS
)]
#[case::synced(
    "[stack]; sync='synced'; [legs]; size=8192; [[hold]]",
    "[stack]; sync='nosync'; [legs]; size=8192; [[hold]]",
    RECOVERS
)]
fn what_can_be_held(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(refused, known, why);
}

const SAME: &str = "two holds are of one request to the leg";
const ALONG: &str = "a request is held, and others fail";
const ELSEWHERE: &str = "the leg that is to hold the request is not asked";

/// Pieces of one request, of 64 KiB each (`max_sectors_kb`), and requests that
/// a fault has sent to another leg or path.
#[rstest]
#[case::last_of_a_piece(
    "[legs]; max_sectors_kb=64; [[hold]]; at=0; [[hold]]; at=127",
    "[legs]; max_sectors_kb=64; [[hold]]; at=0; [[hold]]; at=128",
    SAME
)]
#[case::other_leg(
    "[io]; op='write'; [[hold]]; at=0; [[hold]]; at=1",
    "[io]; op='write'; [[hold]]; at=0; [[hold]]; at=0; leg=1",
    SAME
)]
#[case::third(
    "[legs]; max_sectors_kb=64; [[hold]]; at=0; [[hold]]; at=200; [[hold]]; at=9",
    "[legs]; max_sectors_kb=64; [[hold]]; at=0; [[hold]]; at=200; [[hold]]; at=300",
    SAME
)]
#[case::of_that_leg("[[fault]]; [[hold]]", "[[fault]]; [[hold]]; leg=1", ALONG)]
#[case::wears_off(
    "[[fault]]; times=1; [[hold]]; leg=1",
    "[[fault]]; [[hold]]; leg=1",
    ALONG
)]
#[case::of_writes(
    "[[fault]]; op='write'; [[hold]]",
    "[[fault]]; op='read'; [[hold]]; leg=1",
    ALONG
)]
#[case::written(
    "[io]; op='write'; [[fault]]; [[hold]]; leg=1",
    "[stack]; target='multipath'; [io]; op='write'; [[fault]]; [[hold]]; leg=1",
    ALONG
)]
#[case::reloaded(
    "[stack]; target='multipath'; [[fault]]; [[hold]]; leg=1; then='EIO'; meanwhile='reload'",
    "[stack]; target='multipath'; [[fault]]; [[hold]]; leg=1; then='ok'; meanwhile='reload'",
    ALONG
)]
#[case::reloaded_mirror(
    "[stack]; target='multipath'; [[fault]]; [[hold]]; leg=1; then='EIO'; meanwhile='reload'",
    "[[fault]]; [[hold]]; leg=1; then='EIO'; meanwhile='reload'",
    ALONG
)]
#[case::suspended(
    "[stack]; target='multipath'; [[fault]]; [[hold]]; leg=1; then='EIO'; meanwhile='reload'",
    "[stack]; target='multipath'; [[fault]]; [[hold]]; leg=1; then='EIO'; meanwhile='suspend'",
    ALONG
)]
#[case::queues(
    "[stack]; target='multipath'; queue_if_no_path=true; [[fault]]; [[hold]]; leg=1",
    "[stack]; target='multipath'; [[fault]]; [[hold]]; leg=1",
    ALONG
)]
#[case::queues_alone(
    "[stack]; target='multipath'; queue_if_no_path=true; [[fault]]; [[hold]]; leg=1",
    "[stack]; target='multipath'; queue_if_no_path=true; [[hold]]",
    ALONG
)]
#[case::not_read_there("[[hold]]; leg=1", "[io]; op='write'; [[hold]]; leg=1", ELSEWHERE)]
#[case::passed_over(
    "[legs]; count=3; [[fault]]; [[hold]]; leg=2",
    "[legs]; count=3; [[fault]]; [[hold]]; leg=1",
    ELSEWHERE
)]
#[case::not_that_path(
    "[stack]; target='multipath'; [[hold]]; leg=1",
    "[stack]; target='multipath'; [[hold]]; leg=0",
    ELSEWHERE
)]
fn what_one_request_is(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(refused, known, why);
}

const PASS: &str = "which of the others pass it";
const SEVERAL_FAIL: &str = "several requests are held, and others fail";
const AT_ONCE: &str = "on the first leg or path";
const TWO: &str = "[[hold]]; at=0; [[hold]]; at=300";

/// Two requests, or two regions of one request, each of them held.
#[rstest]
#[case::one(
    "[io]; requests=2; [[hold]]",
    "[io]; requests=2; [[hold]]; at=0; [[hold]]; at=300",
    PASS
)]
#[case::twice_the_first(
    "[io]; requests=2; [[hold]]; at=0; [[hold]]; at=255",
    "[io]; requests=2; [[hold]]; at=0; [[hold]]; at=256",
    PASS
)]
#[case::more_than_there_are(
    "[io]; op='write'; requests=2; [[hold]]; at=0; [[hold]]; at=300; [[hold]]; at=400",
    "[io]; op='write'; requests=2; [[hold]]; at=0; [[hold]]; at=300",
    PASS
)]
#[case::on_two_legs(
    "[io]; op='write'; requests=2; [[hold]]; at=0; [[hold]]; at=300; leg=1",
    "[io]; op='write'; requests=2; [[hold]]; at=0; leg=1; [[hold]]; at=300; leg=1",
    PASS
)]
#[case::merged(
    "[io]; requests=3; [[hold]]; at=0; [[hold]]; at=200; [[hold]]; at=400",
    "[stack]; region_size=256; [io]; [[hold]]; at=0; [[hold]]; at=300",
    PASS
)]
#[case::fails(
    "[io]; requests=2; [[fault]]; leg=1; [[hold]]; at=0; [[hold]]; at=300",
    "[io]; requests=2; [[hold]]; at=0; [[hold]]; at=300; then='EIO'",
    SEVERAL_FAIL
)]
#[case::second_leg_read(
    "[io]; requests=2; [[hold]]; at=0; leg=1; [[hold]]; at=300; leg=1",
    "[io]; requests=2; [[hold]]; at=0; leg=0; [[hold]]; at=300; leg=0",
    AT_ONCE
)]
#[case::second_path(
    "[stack]; target='multipath'; [io]; op='write'; requests=2; [[hold]]; at=0; leg=1; [[hold]]; at=300; leg=1",
    "[io]; op='write'; requests=2; [[hold]]; at=0; leg=1; [[hold]]; at=300; leg=1",
    AT_ONCE
)]
#[case::reach_into_one_another(
    "[io]; requests=2; overlap=100; [[hold]]; at=0; [[hold]]; at=300",
    "[io]; requests=2; overlap=100; [[hold]]; at=0; [[hold]]; at=400",
    PASS
)]
#[case::plugged(
    "[io]; requests=4; submitters=1; [[hold]]; at=0; [[hold]]; at=200; [[hold]]; at=300; [[hold]]; at=500",
    "[io]; requests=4; submitters=2; [[hold]]; at=0; [[hold]]; at=200; [[hold]]; at=300; [[hold]]; at=500",
    PASS
)]
#[case::overlap_in_pieces(
    "[legs]; max_sectors_kb=64; [io]; requests=2; overlap=8; [[hold]]; at=0; [[hold]]; at=500",
    "[legs]; max_sectors_kb=64; [io]; requests=2; [[hold]]; at=0; [[hold]]; at=500",
    "requests that overlap are held, and cut by their leg"
)]
#[case::mirror_suspended(
    "[io]; requests=2; [[hold]]; at=0; meanwhile='suspend'; [[hold]]; at=300",
    "[io]; [[hold]]; at=0; meanwhile='suspend'",
    AT_ONCE
)]
#[case::unhandled(
    "[stack]; handle_errors=false; [io]; op='write'; requests=2; [[hold]]; at=0; [[hold]]; at=300",
    "[stack]; handle_errors=false; [io]; op='read'; requests=2; [[hold]]; at=0; [[hold]]; at=300",
    AT_ONCE
)]
fn what_several_requests_are(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(refused, known, why);
}

#[rstest]
#[case::nothing("meanwhile='nothing'")]
#[case::failed("meanwhile='fail-path'")]
#[case::reinstated("meanwhile='reinstate-path'")]
fn what_two_requests_of_a_path_are_known_to_survive(#[case] intervention: &str) {
    let text = |stack: &str, intervention: &str| {
        let two = TWO.replacen("at=0", &format!("at=0; {intervention}"), 1);
        format!("[stack]; target='multipath'; {stack}; [io]; requests=2; {two}")
    };
    beside(
        &text("", "meanwhile='suspend'"),
        &text("", intervention),
        AT_ONCE,
    );
    beside(
        &text("", "meanwhile='reload'"),
        &text("", intervention),
        AT_ONCE,
    );
    beside(
        &text("queue_if_no_path=true", intervention),
        &text("", intervention),
        AT_ONCE,
    );
}

/// The rest of a known case: a read of 48 sectors in a region of 64.
fn racing(stack: &str, legs: &str, io: &str, rest: &str) -> String {
    let stack = if stack.contains("region_size") {
        stack.to_owned()
    } else {
        format!("region_size=64; {stack}")
    };
    format!("[stack]; sync='syncing'; {stack}; [legs]; size=2048; {legs}; [io]; {io}; {rest}")
}

const COMES_FIRST: &str = "which comes first depends on timing";
const ENDS_WELL: &str = "if it then ends well";
const ELSE_TOO: &str = "something else is to happen too";
const ONE_IO: &str = "only one direct read or write is known";
const PART: &str = "being a part of one region";
const IO: &str = "sector=1024; sectors=48";

#[rstest]
#[case::no_hold(("", "", IO, ""), COMES_FIRST)]
#[case::two_holds(("", "", "op='write'; sector=1024; sectors=48", "[[hold]]; [[hold]]; leg=1"), COMES_FIRST)]
#[case::fails(("", "", IO, "[[hold]]; then='EIO'"), ENDS_WELL)]
#[case::suspended(("", "", IO, "[[hold]]; meanwhile='suspend'"), ENDS_WELL)]
#[case::faulty(("", "", IO, "[[fault]]; leg=1; [[hold]]"), ELSE_TOO)]
#[case::set_up(("", "", IO, "[[fault]]; leg=1; op='write'; during='set-up'; [[hold]]"), ELSE_TOO)]
#[case::linear(("linear=1024", "", IO, "[[hold]]"), ELSE_TOO)]
#[case::disk_log(("log='disk'", "", IO, "[[hold]]"), ELSE_TOO)]
#[case::cut(("", "max_sectors_kb=64", IO, "[[hold]]"), ELSE_TOO)]
#[case::pages(("", "", "path='buffered'; sector=1024; sectors=48", "[[hold]]"), ONE_IO)]
#[case::durable(("", "", "op='write'; dsync=true; sector=1024; sectors=48", "[[hold]]"), ONE_IO)]
#[case::two_requests(("", "", "requests=2; sector=1024; sectors=48", "[[hold]]"), ONE_IO)]
#[case::whole_region(("", "", "sector=1024; sectors=64", "[[hold]]"), PART)]
#[case::two_regions(("", "", "sector=1041; sectors=48", "[[hold]]"), PART)]
#[case::in_two_copies(("region_size=256", "", IO, "[[hold]]"), PART)]
fn what_meets_a_recovery(#[case] refused: (&str, &str, &str, &str), #[case] why: &str) {
    let (stack, legs, io, rest) = refused;
    let refused = racing(stack, legs, io, rest);
    for known in [
        racing("", "", IO, "[[hold]]"),
        racing(
            "",
            "",
            "op='write'; sector=1024; sectors=48",
            "[[hold]]; leg=1",
        ),
        racing("region_size=128", "", IO, "[[hold]]"),
        racing("", "", "sector=1040; sectors=48", "[[hold]]"),
        racing("", "", "sector=1024; sectors=63", "[[hold]]"),
    ] {
        beside(&refused, &known, why);
    }
}
