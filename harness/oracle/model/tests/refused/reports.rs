//! Faults that the project's own SCSI target reports.

use super::beside;
use rstest::rstest;

const SEVERAL_WAYS: &str = "reports its faults in several ways";
const WEARS_OFF: &str = "a fault of the target wears off";
const GONE: &str = "an HBA that is gone, or a disk that is offline";

/// The scenario with legs on the SCSI target.
fn target(text: &str) -> String {
    match text.strip_prefix("[legs]; ") {
        Some(more) => format!("[legs]; controller='target'; {more}"),
        None => format!("{text}; [legs]; controller='target'"),
    }
}

/// How many answers an I/O gets depends on how many commands the kernel makes
/// of it: one, if it is one direct request of what the HBA takes (126
/// segments).
#[rstest]
#[case::two_ways(
    "[[fault]]; [[fault]]; at=9; report='bad-target'",
    "[[fault]]; [[fault]]; at=9",
    SEVERAL_WAYS
)]
#[case::two_ways_of_leg_1(
    "[[fault]]; leg=1; [[fault]]; leg=1; at=9; report='bad-target'",
    "[[fault]]; [[fault]]; leg=1; report='bad-target'",
    SEVERAL_WAYS
)]
#[case::each_its_own_way(
    "[legs]; count=3; [[fault]]; [[fault]]; at=9; report='bad-target'",
    "[legs]; count=3; [[fault]]; [[fault]]; leg=1; report='bad-target'",
    SEVERAL_WAYS
)]
#[case::two_requests(
    "[io]; requests=2; [[fault]]; times=1",
    "[io]; requests=2; [[fault]]",
    WEARS_OFF
)]
#[case::long(
    "[io]; sectors=801; [[fault]]; times=1",
    "[io]; sectors=800; [[fault]]; times=1",
    WEARS_OFF
)]
#[case::buffered(
    "[io]; path='buffered'; [[fault]]; times=1",
    "[[fault]]; times=1",
    WEARS_OFF
)]
#[case::cut(
    "[legs]; max_sectors_kb=64; [[fault]]; times=1",
    "[legs]; max_sectors_kb=64; [[fault]]",
    WEARS_OFF
)]
#[case::two_faults(
    "[[fault]]; times=1; [[fault]]; at=9",
    "[[fault]]; times=1; [[fault]]; at=9; leg=1",
    WEARS_OFF
)]
#[case::two_lasting(
    "[[fault]]; [[fault]]; at=9; times=1",
    "[[fault]]; [[fault]]; at=9",
    WEARS_OFF
)]
#[case::gone_of_two(
    "[io]; requests=2; [[fault]]; report='gone'",
    "[io]; requests=2; [[fault]]; report='bad-target'",
    GONE
)]
#[case::offline_of_two(
    "[io]; requests=2; [[fault]]; leg=1; report='no-answer-offline'",
    "[[fault]]; leg=1; report='no-answer-offline'",
    GONE
)]
#[case::durable(
    "[io]; op='write'; dsync=true; [[fault]]; report='gone'",
    "[io]; op='write'; [[fault]]; report='gone'",
    GONE
)]
#[case::of_reads(
    "[io]; op='write'; [[fault]]; op='read'; report='gone'",
    "[io]; op='write'; [[fault]]; op='read'; report='bad-target'",
    GONE
)]
#[case::durable_otherwise(
    "[io]; op='write'; dsync=true; [[fault]]; report='gone'",
    "[io]; op='write'; dsync=true; [[fault]]",
    GONE
)]
fn answers_that_commands_share(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(&target(refused), &target(known), why);
}

/// Other controllers report nothing, so their faults count requests, not
/// commands.
#[test]
fn other_controllers_count_requests() {
    let text = "[io]; requests=2; [[fault]]; times=1";
    beside(&target(text), text, WEARS_OFF);
}

const OPERATOR: &str = "when an operator reinstates its path";
const ANEW: &str = "comes back while the fault of another path wears off";
const LOST: &str = "[stack]; target='multipath'; queue_if_no_path=true; \
                    [[fault]]; report='gone'; times='once'; [[fault]]; leg=1; report='bad-target'";

/// An operator reinstates paths where I/O waits for one (`queue_if_no_path`).
#[rstest]
#[case::mirror(
    "[[fault]]; report='gone'; times='once'",
    "[[fault]]; report='gone'",
    OPERATOR
)]
#[case::nobody_waits(
    "[stack]; target='multipath'; [[fault]]; report='gone'; times='once'",
    "[stack]; target='multipath'; [[fault]]; report='gone'",
    OPERATOR
)]
#[case::waits(
    "[stack]; target='multipath'; [[fault]]; report='gone'; times='once'",
    LOST,
    OPERATOR
)]
#[case::armed_anew(
    "[stack]; target='multipath'; queue_if_no_path=true; [[fault]]; report='gone'; times='once'; \
     [[fault]]; leg=1; report='bad-target'; times=1",
    LOST,
    ANEW
)]
#[case::both_back(
    "[stack]; target='multipath'; queue_if_no_path=true; [[fault]]; report='gone'; times='once'; \
     [[fault]]; leg=1; report='bad-target'; times=1",
    "[stack]; target='multipath'; queue_if_no_path=true; [[fault]]; report='gone'; times='once'; \
     [[fault]]; leg=1; report='gone'; times='once'",
    ANEW
)]
#[case::stays_away(
    "[stack]; target='multipath'; queue_if_no_path=true; [[fault]]; report='gone'; times='once'; \
     [[fault]]; leg=1; report='bad-target'; times=1",
    "[stack]; target='multipath'; queue_if_no_path=true; [[fault]]; report='gone'; \
     [[fault]]; leg=1; report='bad-target'; times=1",
    ANEW
)]
fn hbas_that_come_back(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(&target(refused), &target(known), why);
}
