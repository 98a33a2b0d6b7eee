//! Mirrors, their logs and their recoveries.

use super::{beside, refuses};
use crate::model::{knows, tests::one};
use rstest::rstest;

const ATTEMPTS: &str = "which of them an attempt meets depends on how the kernel cuts the I/O";
const OVERLAP: &str = "requests overlap at a sector whose fault wears off";
const JOINED: &str = "a flush fails behind writes in several pieces";
const HOW_OFTEN: &str = "a disk log has the legs flushed as well";
const FIRST: &str = "depends on which piece fails first";

/// A leg joins the flushes of writes in flight (`blk_kick_flush`). A log on a
/// disk flushes the legs (`disk_flush`). When no leg is left, `do_failures` has
/// held the writes that failed before, and fails the rest.
#[rstest]
#[case::attempts_that_two_count(
    "[legs]; controller='virtio-scsi'; [[fault]]; times=1; [[fault]]; at=9; times=6",
    "[legs]; controller='virtio-scsi'; [[fault]]; times=1; [[fault]]; leg=1; at=9; times=6",
    ATTEMPTS
)]
#[case::one_attempt(
    "[legs]; controller='virtio-scsi'; [[fault]]; times=1; [[fault]]; at=9; times=6",
    "[legs]; controller='virtio-blk'; [[fault]]; times=1; [[fault]]; at=9; times=6",
    ATTEMPTS
)]
#[case::lasting(
    "[legs]; controller='virtio-scsi'; [[fault]]; times=1; [[fault]]; at=9; times=6",
    "[legs]; controller='virtio-scsi'; [[fault]]; times=1; [[fault]]; at=9",
    ATTEMPTS
)]
#[case::attempts_of_two_requests(
    "[legs]; controller='virtio-scsi'; [io]; requests=2; overlap=9; [[fault]]; at=260; times=10",
    "[legs]; controller='virtio-scsi'; [io]; requests=2; overlap=9; [[fault]]; at=9; times=10",
    OVERLAP
)]
#[case::no_attempts_to_share(
    "[legs]; controller='virtio-scsi'; [io]; requests=2; overlap=9; [[fault]]; at=260; times=10",
    "[io]; requests=2; overlap=9; [[fault]]; at=260; times=10",
    OVERLAP
)]
#[case::two_requests(
    "[io]; op='write'; dsync=true; requests=2; [[fault]]; op='flush'",
    "[io]; op='write'; dsync=true; [[fault]]; op='flush'",
    JOINED
)]
#[case::two_regions(
    "[io]; op='write'; sector=2560; sectors=1024; dsync=true; [[fault]]; op='flush'",
    "[io]; op='write'; sector=2560; sectors=1024; dsync=true; [[fault]]; op='write'",
    JOINED
)]
#[case::not_durable(
    "[io]; op='write'; dsync=true; requests=2; [[fault]]; op='flush'",
    "[io]; op='write'; path='buffered'; [[fault]]; op='flush'",
    JOINED
)]
#[case::wears_off(
    "[stack]; log='disk'; [io]; op='flush'; [[fault]]; op='flush'; times=1",
    "[stack]; log='disk'; [io]; op='flush'; [[fault]]; op='flush'",
    HOW_OFTEN
)]
#[case::core_log(
    "[stack]; log='disk'; [io]; op='flush'; [[fault]]; op='flush'; times=1",
    "[io]; op='flush'; [[fault]]; op='flush'; times=1",
    HOW_OFTEN
)]
#[case::of_writes(
    "[stack]; log='disk'; [io]; op='flush'; [[fault]]; op='flush'; times=1",
    "[stack]; log='disk'; [io]; op='flush'; [[fault]]; op='write'; times=1",
    HOW_OFTEN
)]
#[case::durable(
    "[stack]; log='disk'; [io]; op='write'; dsync=true; [[fault]]; op='flush'; times=1",
    "[stack]; log='disk'; [io]; op='write'; dsync=true; [[fault]]; op='flush'",
    HOW_OFTEN
)]
#[case::no_leg(
    "[io]; op='write'; requests=2; [[fault]]; [[fault]]; leg=1",
    "[io]; op='write'; [[fault]]; [[fault]]; leg=1",
    FIRST
)]
#[case::no_leg_to_read(
    "[io]; op='write'; requests=2; [[fault]]; [[fault]]; leg=1",
    "[io]; op='read'; requests=2; [[fault]]; [[fault]]; leg=1",
    FIRST
)]
#[case::one_leg(
    "[io]; op='write'; requests=2; [[fault]]; [[fault]]; leg=1",
    "[legs]; count=3; [io]; op='write'; requests=2; [[fault]]; [[fault]]; leg=1",
    FIRST
)]
#[case::kept(
    "[io]; op='write'; requests=2; [[fault]]; [[fault]]; leg=1",
    "[stack]; keep_log=true; [io]; op='write'; requests=2; [[fault]]; [[fault]]; leg=1",
    FIRST
)]
#[case::unhandled(
    "[io]; op='write'; requests=2; [[fault]]; [[fault]]; leg=1",
    "[stack]; handle_errors=false; [io]; op='write'; requests=2; [[fault]]; [[fault]]; leg=1",
    FIRST
)]
#[case::pages(
    "[io]; op='write'; path='buffered'; [[fault]]; [[fault]]; leg=1",
    "[stack]; keep_log=true; [io]; op='write'; path='buffered'; [[fault]]; [[fault]]; leg=1",
    FIRST
)]
#[case::zeros_in_two_bios(
    "[stack]; region_size=4096; [io]; op='write-zeroes'; sector=4096; sectors=2056; \
     [[fault]]; op='write'; [[fault]]; leg=1; op='write'",
    "[stack]; region_size=4096; [io]; op='write-zeroes'; sector=4096; sectors=2048; \
     [[fault]]; op='write'; [[fault]]; leg=1; op='write'",
    FIRST
)]
#[case::a_write_in_one_bio(
    "[stack]; region_size=4096; [io]; op='write-zeroes'; sector=4096; sectors=2056; \
     [[fault]]; op='write'; [[fault]]; leg=1; op='write'",
    "[stack]; region_size=4096; [io]; op='write'; sector=4096; sectors=2056; \
     [[fault]]; [[fault]]; leg=1",
    FIRST
)]
fn mirrors(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(refused, known, why);
}

const TOO: &str = "the log fails, and something else too";
const FIRST_WRITTEN: &str = "the log is asked when a region is first written";
const NOT_READ: &str = "the log is not read for an I/O";
const WORKER: &str = "the mirror's worker asks the log too";

/// The log is written at the first write to a region (`dm_rh_inc`,
/// `dm_rh_flush`), and read when the table is resumed (`disk_resume`).
#[rstest]
#[case::twice(
    "log='disk'; [io]; op='write'; [[fault]]; disk='log'; op='write'; [[fault]]; disk='log'; op='flush'",
    "log='disk'; [io]; op='write'; [[fault]]; disk='log'; op='flush'",
    TOO
)]
#[case::and_a_leg(
    "log='disk'; [io]; op='write'; [[fault]]; [[fault]]; disk='log'",
    "log='disk'; [io]; op='write'; [[fault]]",
    TOO
)]
#[case::and_a_recovery(
    "log='disk'; sync='synced'; [legs]; size=8192; [io]; op='write'; [[fault]]; disk='log'; \
     [[fault]]; leg=1; during='set-up'",
    "log='disk'; sync='synced'; keep_log=true; [legs]; size=8192; [io]; op='write'; \
     [[fault]]; leg=1; during='set-up'",
    TOO
)]
#[case::read(
    "log='disk'; [io]; op='read'; [[fault]]; disk='log'; op='write'",
    "log='disk'; [io]; op='read'; [[fault]]; disk='log'; op='write'; during='set-up'",
    FIRST_WRITTEN
)]
#[case::pages(
    "log='disk'; [io]; op='write'; path='buffered'; [[fault]]; disk='log'",
    "log='disk'; [io]; op='write'; path='buffered'; [[fault]]; disk='log'; during='set-up'",
    FIRST_WRITTEN
)]
#[case::read_log(
    "log='disk'; [io]; op='write'; [[fault]]; disk='log'; op='read'",
    "log='disk'; [io]; op='write'; [[fault]]; disk='log'; op='read'; during='set-up'",
    NOT_READ
)]
#[case::wears_off(
    "log='disk'; [io]; op='write'; [[fault]]; disk='log'; times=1",
    "log='disk'; [io]; op='write'; [[fault]]; disk='log'",
    WORKER
)]
#[case::synced(
    "log='disk'; sync='synced'; [legs]; size=8192; [io]; op='write'; [[fault]]; disk='log'; during='set-up'",
    "log='disk'; sync='synced'; [legs]; size=8192; [io]; op='write'; [[fault]]; disk='log'",
    WORKER
)]
fn logs(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(
        &format!("[stack]; {refused}"),
        &format!("[stack]; {known}"),
        why,
    );
}

const NO_OTHER: &str = "no other fault can be met";
const SOURCE_TOO: &str = "the source and a destination";
const FURTHER: &str = "does with further errors";
const DIRECT: &str = "only direct reads and writes";
const ONLY_COPY: &str = "whose only good copy is on the leg that failed";
const SOURCE: &str = "[[fault]]; op='read'; during='set-up'";
const COPY: &str = "[[fault]]; op='write'; leg=1; during='set-up'";

/// `recover` copies from the default mirror to the others, each region once.
#[rstest]
#[case::other_source("[[fault]]; op='read'; leg=1; during='set-up'", SOURCE, NO_OTHER)]
#[case::destination("[[fault]]; op='write'; leg=0; during='set-up'", COPY, NO_OTHER)]
#[case::both(
    "[[fault]]; op='read'; during='set-up'; [[fault]]; op='write'; leg=1; during='set-up'",
    COPY,
    SOURCE_TOO
)]
#[case::and_the_io(
    "[[fault]]; op='write'; leg=1; during='set-up'; [[fault]]",
    COPY,
    FURTHER
)]
#[case::pages(
    "[io]; path='buffered'; [[fault]]; op='write'; leg=1; during='set-up'",
    COPY,
    DIRECT
)]
#[case::discard(
    "[io]; op='discard'; [[fault]]; op='write'; leg=1; during='set-up'",
    COPY,
    DIRECT
)]
#[case::flush(
    "[io]; op='flush'; [[fault]]; op='write'; leg=1; during='set-up'",
    COPY,
    DIRECT
)]
#[case::lost(
    "[io]; op='write'; [[fault]]; op='read'; during='set-up'",
    SOURCE,
    ONLY_COPY
)]
#[case::copied(
    "[io]; op='write'; [[fault]]; op='read'; during='set-up'",
    "[io]; op='write'; [[fault]]; op='write'; leg=1; during='set-up'",
    ONLY_COPY
)]
fn recoveries(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    let synced = |text: &str| format!("[stack]; sync='synced'; [legs]; size=8192; {text}");
    beside(&synced(refused), &synced(known), why);
}

#[test]
fn errors_that_a_mirror_out_of_sync_does_not_handle() {
    let text = |stack: &str| format!("[stack]; sync='synced'; {stack}; [legs]; size=8192; {COPY}");
    beside(
        &text("handle_errors=false"),
        &text("keep_log=true"),
        FURTHER,
    );
}

/// The region beside the one that could not be read is in sync.
#[test]
fn a_write_beside_the_region_that_was_lost() {
    let mut case = one(&format!(
        "[stack]; sync='synced'; [legs]; size=8192; [io]; op='write'; {SOURCE}"
    ));
    refuses(&case, ONLY_COPY);
    case.io.sector += 1024;
    assert_eq!(knows(&case), Ok(()));
}
