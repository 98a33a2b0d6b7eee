//! How often a case fails.

use std::fmt;

/// The quantile of the normal distribution for an interval of 95 %.
const Z: f64 = 1.959_964;

/// The probability with which a failure may be overlooked.
const OVERLOOKED: f64 = 0.05;

/// Most runs of a candidate that does not fail.
const MOST: u32 = 60;

/// How many of a number of runs failed in the same way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// How many runs showed the failure.
    pub shown: u32,
    /// How many runs there were.
    pub runs: u32,
}

impl Rate {
    /// Counts one more run.
    pub fn count(&mut self, shown: bool) {
        self.runs += 1;
        self.shown += u32::from(shown);
    }

    /// The interval in which the true rate lies with 95 %, after Wilson (1927). It is
    /// right for few runs too, and never leaves 0 to 1.
    pub fn interval(self) -> (f64, f64) {
        if self.runs == 0 {
            return (0.0, 1.0);
        }
        let (runs, shown) = (f64::from(self.runs), f64::from(self.shown));
        let (rate, z2) = (shown / runs, Z * Z);
        let middle = (rate + z2 / (2.0 * runs)) / (1.0 + z2 / runs);
        let spread =
            Z / (1.0 + z2 / runs) * (rate * (1.0 - rate) / runs + z2 / (4.0 * runs * runs)).sqrt();
        ((middle - spread).max(0.0), (middle + spread).min(1.0))
    }

    /// Whether every run showed the failure.
    pub fn is_certain(self) -> bool {
        self.runs > 0 && self.shown == self.runs
    }

    /// After how many runs without the failure a case is taken for one that does not
    /// have it: one for a failure that always came; otherwise so many that a case of the
    /// same rate would show it with 95 %.
    pub fn patience(self) -> u32 {
        if self.is_certain() {
            return 1;
        }
        if self.shown == 0 {
            return MOST;
        }
        let rate = f64::from(self.shown) / f64::from(self.runs);
        let runs = OVERLOOKED.ln() / (1.0 - rate).ln();
        (runs.ceil() as u32).clamp(1, MOST)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.interval();
        write!(
            f,
            "{} of {} (95 % interval {:.0} % to {:.0} %)",
            self.shown,
            self.runs,
            least * 100.0,
            most * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    /// The values are those of tables of the interval.
    #[rstest]
    #[case(0, 10, "0 of 10 (95 % interval 0 % to 28 %)")]
    #[case(5, 10, "5 of 10 (95 % interval 24 % to 76 %)")]
    #[case(10, 10, "10 of 10 (95 % interval 72 % to 100 %)")]
    #[case(1, 29, "1 of 29 (95 % interval 1 % to 17 %)")]
    #[case(0, 0, "0 of 0 (95 % interval 0 % to 100 %)")]
    fn intervals(#[case] shown: u32, #[case] runs: u32, #[case] expected: &str) {
        assert_eq!(Rate { shown, runs }.to_string(), expected);
    }

    #[rstest]
    #[case(3, 3, 1)]
    #[case(1, 2, 5)]
    #[case(2, 3, 3)]
    #[case(1, 10, 29)]
    #[case(1, 1000, MOST)]
    fn a_rare_failure_is_waited_for_longer(
        #[case] shown: u32,
        #[case] runs: u32,
        #[case] expected: u32,
    ) {
        assert_eq!(Rate { shown, runs }.patience(), expected);
    }

    proptest! {
        #[test]
        fn the_rate_lies_in_its_interval(runs in 1u32..10_000, part in 0.0f64..=1.0) {
            let shown = (f64::from(runs) * part) as u32;
            let (least, most) = Rate { shown, runs }.interval();
            let rate = f64::from(shown) / f64::from(runs);
            prop_assert!(0.0 <= least && least <= rate + 1e-9);
            prop_assert!(rate <= most + 1e-9 && most <= 1.0);
        }
    }
}
