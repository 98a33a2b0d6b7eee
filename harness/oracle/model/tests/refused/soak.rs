//! Soaks that the model refuses.

use super::beside;
use rstest::rstest;

const MIRROR: &str = "[legs]; size=65536; [soak]; count=9";
const PATHS: &str = "[stack]; target='multipath'; [soak]; count=9";

/// A soak loads tables anew, and with its table a mirror forgets which leg
/// missed a write. A log on a disk knows nothing of those tables.
#[rstest]
#[case::nested(
    "[stack]; paths=2; [legs]; size=65536; [soak]; count=9",
    MIRROR,
    "a mirror of multipaths"
)]
#[case::syncing(
    "[stack]; sync='syncing'; [legs]; size=8192; [soak]; count=9",
    "[stack]; sync='synced'; [legs]; size=8192; [soak]; count=9",
    "in a soak no request is held"
)]
#[case::unhandled(
    "[stack]; handle_errors=false; [legs]; size=65536; [soak]; count=9",
    "[stack]; keep_log=true; [legs]; size=65536; [soak]; count=9",
    "without handle_errors"
)]
#[case::disk_log(
    "[stack]; log='disk'; [legs]; size=65536; [soak]; count=9",
    MIRROR,
    "a log on a disk"
)]
#[case::large("[legs]; size=65544; [soak]; count=9", MIRROR, "at most 65536")]
#[case::large_files(
    "[stack]; target='multipath'; [legs]; size=262152; [soak]; count=20; filesystem='ext4'",
    "[stack]; target='multipath'; [legs]; size=262144; [soak]; count=20; filesystem='ext4'",
    "at most 262144"
)]
#[case::large_without_files(
    "[stack]; target='multipath'; [legs]; size=524288; [soak]; count=20; filesystem='ext4'",
    "[stack]; target='multipath'; [legs]; size=524288; [soak]; count=20",
    "at most 262144"
)]
#[case::large_paths("[legs]; size=131072; [soak]; count=9", PATHS, "at most 65536")]
fn mirrors_that_lose_count(#[case] refused: &str, #[case] known: &str, #[case] why: &str) {
    beside(refused, known, why);
}

#[rstest]
#[case::driver("controller='nvme'", "needs virtio-blk")]
#[case::stop("on_error='stop'", "nobody tends a machine")]
fn legs_that_try_again(#[case] legs: &str, #[case] why: &str) {
    for stack in ["", "target='multipath'"] {
        let text =
            |legs: &str| format!("[stack]; {stack}; [legs]; {legs}; size=65536; [soak]; count=9");
        beside(&text(legs), &text(""), why);
    }
}
