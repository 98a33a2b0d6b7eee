//! Whether cases take longer in one run than in the other: Wilcoxon's signed-rank test on
//! the pairs. It knows nothing of how times are distributed, and compares each case only
//! with itself.

/// So many pairs that differ are enough for the normal approximation.
const ENOUGH: usize = 20;
/// The quantile of the normal distribution for one chance in a thousand, on both sides: a
/// comparison has a hundred scenarios.
const Z: f64 = 3.290_527;
/// A change of the median by less is not worth a line.
const WORTH: f64 = 0.1;

/// How the times of pairs differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// The number of pairs.
    pub pairs: usize,
    /// The medians, in milliseconds.
    pub medians: (u64, u64),
    /// The test's statistic, standardised: above 0 if the second run takes longer.
    pub z: f64,
}

impl Times {
    /// Compares times in milliseconds; `None` if there are too few to say anything.
    pub fn of(pairs: &[(u64, u64)]) -> Option<Self> {
        let mut differences: Vec<i64> = (pairs.iter())
            .map(|(a, b)| *b as i64 - *a as i64)
            .filter(|difference| *difference != 0)
            .collect();
        if differences.len() < ENOUGH {
            return None;
        }
        differences.sort_unstable_by_key(|difference| difference.abs());
        let number = differences.len() as f64;
        let mut longer = 0.0;
        let mut ties = 0.0;
        let mut rank = 0.0;
        for tied in differences.chunk_by(|a, b| a.abs() == b.abs()) {
            let many = tied.len() as f64;
            let positive = tied.iter().filter(|difference| **difference > 0).count() as f64;
            longer += positive * (rank + (many + 1.0) / 2.0);
            ties += many * many * many - many;
            rank += many;
        }
        let mean = number * (number + 1.0) / 4.0;
        let variance = number * (number + 1.0) * (2.0 * number + 1.0) / 24.0 - ties / 48.0;
        Some(Times {
            pairs: pairs.len(),
            medians: (
                median(pairs.iter().map(|(a, _)| *a)),
                median(pairs.iter().map(|(_, b)| *b)),
            ),
            z: (longer - mean) / variance.sqrt(),
        })
    }

    /// Whether the second run took longer or shorter: beyond chance, and by enough to
    /// matter.
    pub fn differ(&self) -> bool {
        let (a, b) = (self.medians.0.max(1) as f64, self.medians.1.max(1) as f64);
        self.z.abs() > Z && (b / a - 1.0).abs() >= WORTH
    }
}

fn median(times: impl Iterator<Item = u64>) -> u64 {
    let mut times: Vec<u64> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The sums of ranks and the statistic were worked out by hand: of the differences
    /// 1 to 20 only the first is negative.
    #[test]
    fn the_statistic_is_that_of_the_test() {
        let pairs: Vec<(u64, u64)> = (1..=20)
            .map(|step| {
                if step == 1 {
                    (101, 100)
                } else {
                    (100, 100 + step)
                }
            })
            .collect();
        let times = Times::of(&pairs).unwrap();
        assert!(
            (times.z - (209.0 - 105.0) / 717.5_f64.sqrt()).abs() < 1e-9,
            "{times:?}"
        );
        assert!(times.differ());
    }

    #[test]
    fn a_few_pairs_say_nothing() {
        let pairs: Vec<(u64, u64)> = (1..20).map(|step| (10, 10 + step)).collect();
        assert_eq!(Times::of(&pairs), None);
        let same = vec![(10, 10); 1000];
        assert_eq!(Times::of(&same), None);
    }

    #[test]
    fn a_change_that_is_real_but_small_is_not_told() {
        let pairs: Vec<(u64, u64)> = (0..200).map(|step| (1000 + step, 1010 + step)).collect();
        let times = Times::of(&pairs).unwrap();
        assert!(times.z > Z && !times.differ());
    }

    proptest! {
        #[test]
        fn the_other_way_round_the_sign_changes(pairs in prop::collection::vec((1u64..99, 1u64..99), 40..80)) {
            let swapped: Vec<_> = pairs.iter().map(|(a, b)| (*b, *a)).collect();
            let (one, other) = (Times::of(&pairs), Times::of(&swapped));
            prop_assert_eq!(one.is_some(), other.is_some());
            if let (Some(one), Some(other)) = (one, other) {
                prop_assert!((one.z + other.z).abs() < 1e-9);
            }
        }
    }
}
