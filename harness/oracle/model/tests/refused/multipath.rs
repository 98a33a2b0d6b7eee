//! Multipath cases that the model refuses.

use super::beside;
use rstest::rstest;

fn paths(text: &str) -> String {
    match text.strip_prefix("[stack]; ") {
        Some(more) => format!("[stack]; target='multipath'; {more}"),
        None => format!("[stack]; target='multipath'; {text}"),
    }
}

const WHICH_FAULT: &str = "a path has several faults of which one wears off";
const WHICH_FLUSHES: &str = "which path of a group is told to flush";
const JOINED: &str = "a flush fails behind writes in several pieces";
const UNLIKE: &str = "a path has errors of its own and of the disk itself";
const HOW_OFTEN: &str = "how often they wait for an operator";
const GAPS: &str = "takes no memory with gaps";
const SHARED_BUS: &str = "two disks share a bus";
const MEGASAS: &str = "this controller takes less than the I/O at once";

/// Cases in which it is certain which request meets which fault.
/// `choose_pgpath` is predictable for groups of one path, and one bio of at
/// most 1280 sectors is one request.
#[rstest]
#[case::two_faults(
    "[[fault]]; times=1; [[fault]]; at=9",
    "[[fault]]; times=1; [[fault]]; leg=1; at=9",
    WHICH_FAULT
)]
#[case::of_path_and_disk(
    "[legs]; controller='virtio-scsi'; [io]; sectors=257; [[fault]]; [[fault]]; at=9; errno='ENOMEM'",
    "[legs]; controller='virtio-scsi'; [io]; sectors=256; [[fault]]; [[fault]]; at=9; errno='ENOMEM'",
    UNLIKE
)]
#[case::of_the_disk(
    "[legs]; controller='pvscsi'; [io]; sectors=257; [[fault]]; errno='ENOSPC'; [[fault]]; at=9; errno='ENOMEM'",
    "[legs]; controller='pvscsi'; [io]; sectors=257; [[fault]]; errno='ENOMEM'; [[fault]]; at=9; errno='ENOMEM'",
    UNLIKE
)]
#[case::cut_by_the_disk(
    "[stack]; queue_if_no_path=true; [legs]; controller='ahci'; [io]; sectors=257; [[fault]]; [[fault]]; leg=1",
    "[stack]; queue_if_no_path=true; [legs]; controller='ahci'; [io]; sectors=256; [[fault]]; [[fault]]; leg=1",
    HOW_OFTEN
)]
#[case::cut_by_its_segments(
    "[stack]; queue_if_no_path=true; [legs]; controller='pvscsi'; [io]; sectors=1009; [[fault]]; [[fault]]; leg=1",
    "[stack]; queue_if_no_path=true; [legs]; controller='pvscsi'; [io]; sectors=1008; [[fault]]; [[fault]]; leg=1",
    HOW_OFTEN
)]
#[case::second_wears_off(
    "[[fault]]; leg=1; [[fault]]; leg=1; at=9; times=1",
    "[[fault]]; leg=1; [[fault]]; leg=1; at=9",
    WHICH_FAULT
)]
#[case::one_each(
    "[legs]; count=3; [[fault]]; times=1; [[fault]]; at=9",
    "[legs]; count=3; [[fault]]; times=1; [[fault]]; leg=1; at=9",
    WHICH_FAULT
)]
#[case::grouped(
    "[stack]; path_grouping='multibus'; [io]; op='flush'; [[fault]]; op='flush'",
    "[io]; op='flush'; [[fault]]; op='flush'",
    WHICH_FLUSHES
)]
#[case::pairs(
    "[stack]; path_grouping='pairs'; [io]; op='flush'; [[fault]]; op='flush'",
    "[stack]; path_grouping='pairs'; [io]; op='flush'; [[fault]]; op='write'",
    WHICH_FLUSHES
)]
#[case::two_requests(
    "[io]; op='write'; dsync=true; requests=2; [[fault]]; op='flush'",
    "[io]; op='write'; dsync=true; [[fault]]; op='flush'",
    JOINED
)]
#[case::long(
    "[io]; op='write'; dsync=true; sectors=1281; [[fault]]; op='flush'",
    "[io]; op='write'; dsync=true; sectors=1280; [[fault]]; op='flush'",
    JOINED
)]
#[case::pages(
    "[io]; op='write'; path='buffered'; [[fault]]; op='flush'",
    "[io]; op='write'; path='buffered'; [[fault]]; op='write'",
    JOINED
)]
#[case::cut_by_the_host(
    "[legs]; controller='megasas'; [io]; sectors=257; [[fault]]; errno='ENOMEM'",
    "[legs]; controller='megasas'; [io]; sectors=256; [[fault]]; errno='ENOMEM'",
    MEGASAS
)]
#[case::other_host(
    "[legs]; controller='megasas'; [io]; sectors=257; [[fault]]; errno='ENOMEM'",
    "[legs]; controller='pvscsi'; [io]; sectors=257; [[fault]]; errno='ENOMEM'",
    MEGASAS
)]
#[case::path_error(
    "[legs]; controller='megasas'; [io]; sectors=257; [[fault]]; errno='ENOMEM'",
    "[legs]; controller='megasas'; [io]; sectors=257; [[fault]]; errno='EIO'",
    MEGASAS
)]
fn which_request_meets_which_fault(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(&paths(refused), &paths(known), why);
}

const OF_THE_DISK: &str = "the errors of this controller are the disk's own";
const WAIT: &str = "how often they wait for an operator";
const READ_AHEAD: &str = "depends on the read-ahead";
const WHICH_PATH: &str = "gets the bad sector of an I/O of several pieces";
const TARGET: &str = "[legs]; controller='target'; [io]; requests=4; [[fault]]";

/// With several pieces a disk's own error is known only if the device tells how
/// far it got, and the error is on the first path.
#[rstest]
#[case::not_told(
    "[legs]; controller='nvme'; [io]; requests=4; [[fault]]",
    TARGET,
    OF_THE_DISK
)]
#[case::not_met(
    "[legs]; controller='nvme'; [io]; requests=4; [[fault]]",
    "[legs]; controller='nvme'; [io]; requests=4; [[fault]]; op='write'",
    OF_THE_DISK
)]
#[case::second_path(
    "[legs]; controller='target'; [io]; requests=4; [[fault]]; leg=1",
    TARGET,
    OF_THE_DISK
)]
#[case::two_faults(
    "[legs]; controller='target'; [io]; requests=4; [[fault]]; [[fault]]; at=9",
    TARGET,
    OF_THE_DISK
)]
#[case::pages(
    "[legs]; controller='target'; [io]; path='buffered'; [[fault]]",
    TARGET,
    OF_THE_DISK
)]
#[case::grouped(
    "[stack]; path_grouping='multibus'; [legs]; controller='target'; [io]; requests=4; [[fault]]",
    TARGET,
    OF_THE_DISK
)]
#[case::of_the_path(
    "[legs]; controller='target'; [io]; requests=4; [[fault]]; leg=1",
    "[legs]; controller='target'; [io]; requests=4; [[fault]]; leg=1; report='bad-target'",
    OF_THE_DISK
)]
#[case::one_piece(
    "[legs]; controller='nvme'; [io]; requests=2; [[fault]]",
    "[legs]; controller='nvme'; [io]; requests=1; [[fault]]",
    OF_THE_DISK
)]
#[case::all_wait(
    "[stack]; queue_if_no_path=true; [io]; requests=2; [[fault]]; [[fault]]; leg=1",
    "[stack]; queue_if_no_path=false; [io]; requests=2; [[fault]]; [[fault]]; leg=1",
    WAIT
)]
#[case::one_is_left(
    "[stack]; queue_if_no_path=true; [io]; requests=2; [[fault]]; [[fault]]; leg=1",
    "[stack]; queue_if_no_path=true; [legs]; count=3; [io]; requests=2; [[fault]]; [[fault]]; leg=1",
    WAIT
)]
#[case::long(
    "[stack]; queue_if_no_path=true; [io]; sectors=1281; [[fault]]; [[fault]]; leg=1",
    "[stack]; queue_if_no_path=true; [io]; sectors=1280; [[fault]]; [[fault]]; leg=1",
    WAIT
)]
#[case::read_ahead(
    "[io]; path='buffered'; [[fault]]; [[fault]]; leg=1",
    "[io]; path='buffered'; [[fault]]",
    READ_AHEAD
)]
#[case::written(
    "[io]; path='buffered'; [[fault]]; [[fault]]; leg=1",
    "[io]; path='buffered'; op='write'; [[fault]]; [[fault]]; leg=1",
    READ_AHEAD
)]
#[case::direct(
    "[io]; path='buffered'; [[fault]]; [[fault]]; leg=1",
    "[io]; requests=2; [[fault]]; [[fault]]; leg=1",
    READ_AHEAD
)]
#[case::any_path(
    "[stack]; path_grouping='multibus'; [io]; requests=2; [[fault]]",
    "[io]; requests=2; [[fault]]",
    WHICH_PATH
)]
#[case::any_path_gets_a_piece(
    "[stack]; path_grouping='multibus'; [legs]; controller='nvme'; [io]; vector='odd'; [[fault]]",
    "[stack]; path_grouping='multibus'; [legs]; controller='nvme'; [io]; vector='pages'; [[fault]]",
    GAPS
)]
#[case::busy(
    "[stack]; path_grouping='multibus'; [legs]; controller='piix3-ide'; [[fault]]",
    "[stack]; path_grouping='multibus'; queue_mode='bio'; [legs]; controller='piix3-ide'; [[fault]]",
    SHARED_BUS
)]
#[case::takes_gaps(
    "[stack]; path_grouping='multibus'; [legs]; controller='nvme'; [io]; vector='odd'; [[fault]]",
    "[stack]; path_grouping='multibus'; [io]; vector='odd'; [[fault]]",
    GAPS
)]
#[case::in_order(
    "[stack]; path_grouping='multibus'; [legs]; controller='nvme'; [io]; vector='odd'; [[fault]]",
    "[legs]; controller='nvme'; [io]; vector='odd'; [[fault]]",
    GAPS
)]
#[case::healthy(
    "[stack]; path_grouping='multibus'; [io]; requests=2; [[fault]]",
    "[stack]; path_grouping='multibus'; [io]; requests=2",
    WHICH_PATH
)]
fn several_pieces(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(&paths(refused), &paths(known), why);
}
