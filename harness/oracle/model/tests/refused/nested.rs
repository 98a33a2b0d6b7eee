//! Mirrors of multipaths that the model refuses.

use super::beside;
use rstest::rstest;

/// A mirror of two legs of two paths.
fn nested(text: &str) -> String {
    match text.strip_prefix("[stack]; ") {
        Some(more) => format!("[stack]; paths=2; {more}"),
        None => format!("[stack]; paths=2; {text}"),
    }
}

const HELD: &str = "a request is held beneath";
const FLUSH: &str = "a flush fails beneath";
const RECOVERED: &str = "a mirror is recovered over multipaths";
const GROUP: &str = "which path of a group gets the bad sector";
const IN_FLIGHT: &str = "while others of its requests are in flight";
const WAITS: &str = "a multipath without a path waits, and then the mirror does";
const CUT: &str = "the queue of a mirror's multipath cuts the mirror's bio";
const DM_IO: &str = "dm-io makes several bios";

#[rstest]
#[case::held("[[hold]]", "", HELD)]
#[case::flush(
    "[io]; op='flush'; [[fault]]; op='flush'",
    "[io]; op='flush'; [[fault]]; op='write'",
    FLUSH
)]
#[case::recovered(
    "[stack]; sync='synced'; [legs]; size=8192; [[fault]]; leg=1; op='write'; during='set-up'",
    "[stack]; sync='synced'; [legs]; size=8192; [[fault]]",
    RECOVERED
)]
#[case::log_is_no_leg(
    "[stack]; sync='synced'; [legs]; size=8192; [[fault]]; leg=1; op='write'; during='set-up'",
    "[stack]; log='disk'; [io]; op='write'; [[fault]]; disk='log'",
    RECOVERED
)]
#[case::grouped(
    "[stack]; path_grouping='multibus'; [io]; requests=2; [[fault]]",
    "[stack]; path_grouping='multibus'; [io]; requests=1; [[fault]]",
    GROUP
)]
#[case::grouped_and_flushed(
    "[stack]; path_grouping='multibus'; log='disk'; [[fault]]",
    "[stack]; path_grouping='multibus'; log='core'; [[fault]]",
    GROUP
)]
#[case::cut(
    "[stack]; queue_mode='mq'; [legs]; controller='target'; [io]; sectors=1009; [[fault]]",
    "[stack]; queue_mode='mq'; [legs]; controller='target'; [io]; sectors=1008; [[fault]]",
    CUT
)]
#[case::cut_beneath(
    "[stack]; queue_mode='mq'; [legs]; controller='target'; [io]; sectors=1009; [[fault]]",
    "[stack]; queue_mode='bio'; [legs]; controller='target'; [io]; sectors=1009; [[fault]]",
    CUT
)]
#[case::grouped_zeros(
    "[stack]; path_grouping='multibus'; region_size=32; [io]; op='write-zeroes'; sector=1375; sectors=65",
    "[stack]; path_grouping='multibus'; region_size=32; [io]; op='write-zeroes'; sector=1376; sectors=64",
    DM_IO
)]
#[case::grouped_pages(
    "[stack]; path_grouping='multibus'; [io]; path='buffered'; [[fault]]",
    "[stack]; path_grouping='multibus'; [io]; path='buffered'",
    GROUP
)]
#[case::grouped_and_copied(
    "[stack]; path_grouping='multibus'; sync='synced'; [legs]; size=8192; [[fault]]",
    "[stack]; path_grouping='multibus'; sync='synced'; [legs]; size=8192",
    GROUP
)]
#[case::not_grouped(
    "[stack]; path_grouping='multibus'; [io]; requests=2; [[fault]]",
    "[io]; requests=2; [[fault]]",
    GROUP
)]
#[case::leg_lost(
    "[io]; requests=2; [[fault]]; [[fault]]; path=1",
    "[io]; requests=1; [[fault]]; [[fault]]; path=1",
    IN_FLIGHT
)]
#[case::leg_kept(
    "[io]; requests=2; [[fault]]; [[fault]]; path=1",
    "[io]; requests=2; [[fault]]; [[fault]]; leg=1; path=1",
    IN_FLIGHT
)]
#[case::leg_lost_in_a_group(
    "[stack]; path_grouping='multibus'; [[fault]]; [[fault]]; path=1",
    "[stack]; path_grouping='multibus'; [[fault]]; [[fault]]; leg=1",
    IN_FLIGHT
)]
#[case::error_of_the_disk(
    "[legs]; controller='nvme'; [io]; requests=2; [[fault]]; path=1",
    "[legs]; controller='nvme'; [io]; requests=1; [[fault]]; path=1",
    IN_FLIGHT
)]
#[case::error_of_the_first_disk(
    "[legs]; controller='nvme'; [io]; requests=2; [[fault]]",
    "[legs]; controller='nvme'; [io]; requests=1; [[fault]]",
    IN_FLIGHT
)]
#[case::write_waits(
    "[stack]; queue_if_no_path=true; [io]; op='write'; [[fault]]; [[fault]]; path=1",
    "[stack]; queue_if_no_path=true; [io]; op='read'; [[fault]]; [[fault]]; path=1",
    WAITS
)]
#[case::does_not_wait(
    "[stack]; queue_if_no_path=true; [io]; op='write'; [[fault]]; [[fault]]; path=1",
    "[stack]; keep_log=true; [io]; op='write'; [[fault]]; [[fault]]; path=1",
    WAITS
)]
#[case::a_path_left(
    "[stack]; queue_if_no_path=true; [io]; op='write'; [[fault]]; [[fault]]; path=1",
    "[stack]; queue_if_no_path=true; [io]; op='write'; [[fault]]",
    WAITS
)]
fn what_the_two_make_of_it(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(&nested(refused), &nested(known), why);
}

/// `do_region` assumes a page for each segment. Memory of another layout makes
/// it build more bios.
#[rstest]
#[case::odd(
    "[io]; op='write'; vector='odd'; [[fault]]",
    "[io]; op='write'; vector='pages'; [[fault]]"
)]
#[case::contiguous(
    "[io]; op='write'; vector='odd'; [[fault]]",
    "[io]; op='write'; vector='contiguous'; [[fault]]"
)]
#[case::offset(
    "[io]; op='write'; vector='odd'; [[fault]]",
    "[io]; op='write'; vector='offset'; [[fault]]"
)]
#[case::healthy(
    "[io]; op='write'; vector='odd'; [[fault]]",
    "[io]; op='write'; vector='odd'"
)]
#[case::any_path(
    "[stack]; path_grouping='multibus'; [io]; op='write'; vector='odd'",
    "[stack]; path_grouping='multibus'; [io]; op='read'; vector='odd'"
)]
#[case::read(
    "[io]; op='write'; vector='odd'; [[fault]]",
    "[io]; op='read'; vector='odd'; [[fault]]"
)]
#[case::begins_within_a_page(
    "[io]; op='write'; vector='pages'; sector=3068; [[fault]]",
    "[io]; op='write'; vector='pages'; sector=3064; [[fault]]"
)]
#[case::second_begins_within_a_page(
    "[io]; op='write'; vector='pages'; sector=3068; requests=2; [[fault]]",
    "[io]; op='write'; vector='pages'; sector=3064; requests=2; [[fault]]"
)]
#[case::first_leg_lost(
    "[io]; op='read'; vector='odd'; [[fault]]; [[fault]]; path=1; [[fault]]; leg=1",
    "[io]; op='read'; vector='odd'; [[fault]]; [[fault]]; path=1"
)]
#[case::second_leg_lost(
    "[io]; op='read'; vector='odd'; [[fault]]; [[fault]]; path=1; [[fault]]; leg=1",
    "[io]; op='read'; vector='odd'; [[fault]]; leg=1; [[fault]]; leg=1; path=1"
)]
#[case::own_memory_begins_with_a_page(
    "[io]; op='write'; vector='pages'; sector=3066; [[fault]]",
    "[io]; op='write'; vector='pages'; sector=2050; [[fault]]"
)]
#[case::each_leg_keeps_a_path(
    "[io]; op='read'; vector='odd'; [[fault]]; [[fault]]; path=1; [[fault]]; leg=1",
    "[io]; op='read'; vector='odd'; [[fault]]; [[fault]]; leg=1"
)]
fn memory_that_dm_io_cuts(#[case] refused: &str, #[case] known: &str) {
    beside(&nested(refused), &nested(known), DM_IO);
}

#[test]
fn requests_that_overlap() {
    let known = nested("[io]; requests=2");
    beside(
        &nested("[io]; requests=2; overlap=8"),
        &known,
        "requests overlap above",
    );
}

/// The models of the mirror and of the multipath are asked as well.
#[rstest]
#[case::of_the_paths(
    "[[fault]]; times=1; [[fault]]; at=9",
    "[[fault]]; times=1; [[fault]]; leg=1; at=9",
    "a path has several faults of which one wears off"
)]
#[case::of_the_second_leg(
    "[[fault]]; leg=1; times=1; [[fault]]; leg=1; at=9",
    "[[fault]]; leg=1; [[fault]]; leg=1; at=9",
    "a path has several faults of which one wears off"
)]
#[case::of_the_mirror(
    "[stack]; log='disk'; [io]; op='read'; [[fault]]; disk='log'; op='write'",
    "[stack]; log='disk'; [io]; op='write'; [[fault]]; disk='log'; op='write'",
    "the log is asked when a region is first written"
)]
fn what_either_refuses(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(&nested(refused), &nested(known), why);
}
