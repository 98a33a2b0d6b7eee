//! Measures the rate of the host's time stamp counter (TSC).

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long the counter is watched. The rate is then right within a few parts in ten
/// thousand, which is enough for a guest.
const WATCH: Duration = Duration::from_millis(20);

/// The rate in kHz. `None` on a host without such a counter.
///
/// An emulated guest reads the host's counter (`cpu_get_tsc` in QEMU) but has no reliable
/// way to measure its rate. On a busy host the calibration against the emulated PIT
/// fails, and the kernel falls back to counting ticks. So the guest is told the rate
/// (`tsc_early_khz`, Documentation/admin-guide/kernel-parameters).
pub fn tsc_khz() -> Option<u32> {
    static RATE: OnceLock<Option<u32>> = OnceLock::new();
    *RATE.get_or_init(measure)
}

#[cfg(target_arch = "x86_64")]
fn measure() -> Option<u32> {
    use std::arch::x86_64::_rdtsc;
    // SAFETY: every x86-64 processor has the instruction, and Linux allows programs to
    // use it.
    let read = || unsafe { _rdtsc() };
    let (from, began) = (read(), Instant::now());
    std::thread::sleep(WATCH);
    let (to, took) = (read(), began.elapsed());
    let khz = u128::from(to.wrapping_sub(from)) * 1_000_000 / took.as_nanos().max(1);
    u32::try_from(khz).ok().filter(|khz| *khz > 100_000)
}

#[cfg(not(target_arch = "x86_64"))]
fn measure() -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_rate_is_one_that_processors_have() {
        let khz = tsc_khz().unwrap();
        assert!((500_000..10_000_000).contains(&khz), "{khz}");
        assert_eq!(tsc_khz(), Some(khz));
    }
}
