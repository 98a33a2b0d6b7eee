//! Operations, faults that they do not meet, errors that change the disk, and
//! machines that stop.

use super::beside;
use rstest::rstest;

const AT_ONCE: &str = "flushes and other requests fail in one case";
const NOT_FLUSHED: &str = "a flush is to fail and nothing is flushed";
const SENT_NONE: &str = "the stack sends none to its legs";
const NO_DISCARDS: &str = "the kernel discards nothing on the disks of this controller";
const NO_LEG: &str = "an operation that reaches no leg";

/// Which failure a leg fails for first is not in the case (`write_callback`). A
/// flush is sent only for `fsync` and `O_DSYNC`. dm-raid1 takes no write-zeroes
/// (`mirror_ctr`).
#[rstest]
#[case::flush_and_write(
    "[io]; op='flush'; [[fault]]; op='flush'; [[fault]]; op='write'; leg=1",
    "[io]; op='flush'; [[fault]]; op='flush'; [[fault]]; op='flush'; leg=1",
    AT_ONCE
)]
#[case::write_alone(
    "[io]; op='flush'; [[fault]]; op='write'; [[fault]]; op='flush'; leg=1",
    "[io]; op='flush'; [[fault]]; op='write'",
    AT_ONCE
)]
#[case::write(
    "[io]; op='write'; [[fault]]; op='flush'",
    "[io]; op='write'; dsync=true; [[fault]]; op='flush'",
    NOT_FLUSHED
)]
#[case::no_discards(
    "[legs]; controller='usb-storage'; [io]; op='discard'",
    "[legs]; controller='usb-uas'; [io]; op='discard'",
    NO_DISCARDS
)]
#[case::buffered_read(
    "[io]; op='read'; path='buffered'; [[fault]]; op='flush'",
    "[stack]; keep_log=true; [io]; op='write'; path='buffered'; [[fault]]; op='flush'",
    NOT_FLUSHED
)]
#[case::discard(
    "[io]; op='discard'; [[fault]]; op='flush'",
    "[io]; op='flush'; [[fault]]; op='flush'",
    NOT_FLUSHED
)]
#[case::zeroes_of_a_mirror(
    "[io]; op='write-zeroes'; [[fault]]; op='write-zeroes'",
    "[stack]; target='multipath'; [io]; op='write-zeroes'; [[fault]]; op='write-zeroes'",
    SENT_NONE
)]
#[case::discard_of_a_write(
    "[io]; op='write'; [[fault]]; op='discard'",
    "[io]; op='discard'; [[fault]]; op='discard'",
    SENT_NONE
)]
#[case::read_of_a_discard(
    "[io]; op='discard'; [[fault]]; op='read'",
    "[io]; op='read'; [[fault]]; op='read'",
    NO_LEG
)]
#[case::read_of_a_flush(
    "[io]; op='flush'; [[fault]]; op='read'",
    "[io]; op='write'; [[fault]]; op='read'",
    NO_LEG
)]
#[case::read_of_zeroes(
    "[io]; op='write-zeroes'; [[fault]]; op='read'",
    "[io]; op='write-zeroes'; [[fault]]; op='write'",
    NO_LEG
)]
fn faults_that_the_operation_does_not_meet(
    #[case] refused: &str,
    #[case] known: &str,
    #[case] why: &str,
) {
    beside(refused, known, why);
}

const LOG: &str = "[stack]; log='disk'; [io]; op='write'; [[fault]]; disk='log'";

#[rstest]
#[case(LOG)]
#[case("sabotage='fault-missed'; [io]; op='write'; [[fault]]")]
fn only_faults_of_the_io_can_be_made_to_miss(#[case] known: &str) {
    let refused = format!("sabotage='fault-missed'; {LOG}");
    beside(&refused, known, "only faults of the I/O");
}

/// QEMU answers `EINVAL` with INVALID FIELD, which changes what Linux sends
/// from then on (`scsi_sense_from_errno`).
#[rstest]
fn an_error_that_changes_the_disk(
    #[values("virtio-scsi", "pvscsi", "megasas", "mptsas1068")] controller: &str,
) {
    let text = |controller: &str, errno: &str| {
        format!("[legs]; controller='{controller}'; [[fault]]; [[fault]]; leg=1; errno='{errno}'")
    };
    for known in [text("virtio-blk", "EINVAL"), text(controller, "ENOSPC")] {
        beside(&text(controller, "EINVAL"), &known, "ten-byte commands");
    }
}

const KEPT: &str = "QEMU does not stop while a request is held";
const STOPS: &str = "[legs]; on_error='stop'; [[fault]]; times=1";

/// QEMU stops once for requests that fail together (`vm_stop` does nothing to a
/// machine that is stopped), and a fault that lasts is met again whenever the
/// machine goes on.
#[rstest]
#[case::held("[legs]; on_error='stop'; [[fault]]; times=1; [[hold]]", STOPS, KEPT)]
#[case::set_up(
    "[stack]; log='disk'; [legs]; on_error='stop'; [io]; op='write'; [[fault]]; disk='log'",
    LOG,
    KEPT
)]
#[case::two(
    "[legs]; on_error='stop'; [[fault]]; times=1; [[fault]]; leg=1; times=1",
    "[[fault]]; times=1; [[fault]]; leg=1; times=1",
    "several faults stop the machine"
)]
#[case::lasting(
    "[legs]; on_error='stop'; [[fault]]",
    STOPS,
    "stop the machine for ever"
)]
#[case::reported("[legs]; on_error='stop'; [[fault]]", "[[fault]]", "for ever")]
fn machines_that_stop(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(refused, known, why);
}
