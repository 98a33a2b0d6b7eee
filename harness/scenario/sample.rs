//! A small, well-chosen part of a scenario's cases.
//!
//! All axes advance together, each from its most telling value on. So each
//! value of each axis comes up within the first cases, and after that in new
//! combinations. A fault's `at` begins with the sectors where things go wrong
//! (see [`telling`]). Each axis continues in ever finer halves, so that
//! wherever the sample ends, it has spread evenly. The choice depends on the
//! file alone.

use super::expand::Scenario;
use super::sweep::At;
use halfway_case::Case;
use std::collections::BTreeMap;

impl Scenario {
    /// At most `limit` cases, all different, chosen as described above. An axis
    /// with no more than `limit` values has all of them in the sample.
    pub fn sample(&self, limit: usize) -> Vec<Case> {
        let orders = self.orders();
        (0..self.count().min(limit))
            .map(|step| {
                let mut earlier = 1;
                let digits: Vec<usize> = orders
                    .iter()
                    .map(|order| {
                        let digit = stride(step, earlier, order.len());
                        earlier *= order.len();
                        order[digit]
                    })
                    .collect();
                self.case(&digits)
            })
            .collect()
    }

    /// For each axis its indices, the most telling first.
    fn orders(&self) -> Vec<Vec<usize>> {
        let mut faults = (self.file.fault.iter().enumerate()).filter_map(|(index, fault)| {
            match &fault.value.at {
                At::Offsets(offsets) => Some((index, offsets)),
                At::Every(_) | At::Same(_) => None,
            }
        });
        self.axes
            .iter()
            .map(|axis| {
                let spread = halves(axis.len);
                if !axis.name.starts_with("at") {
                    return spread;
                }
                let Some((fault, offsets)) = faults.next() else {
                    return spread;
                };
                let sectors = self.file.io.sectors.values().next().copied().unwrap_or(0);
                let index_of: BTreeMap<u64, usize> = offsets
                    .values()
                    .enumerate()
                    .map(|(index, offset)| (offset.resolve(sectors), index))
                    .collect();
                let mut order: Vec<usize> = self
                    .telling(sectors)
                    .iter()
                    .filter_map(|offset| index_of.get(offset).copied())
                    .collect();
                order.extend(spread);
                let mut order = unique(order);
                // Faults that are swept separately first meet at different
                // sectors.
                order.rotate_left(fault % axis.len);
                order
            })
            .collect()
    }

    /// Offsets in an I/O of that many sectors where resubmission is most likely
    /// to go wrong: its ends, both sides of the first page's end, the middle,
    /// then both sides of the first and the last boundary between two segments,
    /// splits, requests and regions.
    fn telling(&self, sectors: u64) -> Vec<u64> {
        let last = sectors.saturating_sub(1);
        let mut offsets = vec![0, last, 7, 8, sectors / 2];
        for seams in self.seams(sectors) {
            for seam in [seams.first(), seams.last()].into_iter().flatten() {
                offsets.extend([seam.saturating_sub(1), *seam]);
            }
        }
        unique(offsets)
    }

    /// The boundaries inside an I/O of that many sectors, a list for each
    /// cause.
    fn seams(&self, sectors: u64) -> Vec<Vec<u64>> {
        let file = &self.file;
        let requests = file.io.requests.values().max().copied().unwrap_or(1);
        let each = sectors.div_ceil(u64::from(requests.max(1)));
        let overlap = file.io.overlap.values().max().copied().unwrap_or(0);
        let segments = file.io.vector.values().map(|vector| {
            let lengths = vector.segments(each + overlap, file.legs.block()).1;
            let ends = lengths.iter().scan(0, |end, segment| {
                *end += u64::from(segment.bytes) / 512;
                Some(*end)
            });
            ends.filter(|end| *end < sectors).collect()
        });
        let multiples = |step: u64, from: u64| -> Vec<u64> {
            let first = step - from % step;
            (first..sectors).step_by(step as usize).collect()
        };
        let splits = (file.legs.max_sectors_kb.iter())
            .flat_map(|sweep| sweep.values())
            .map(|kib| multiples(u64::from(*kib) * 2, 0));
        let start = file.io.sector.values().next().copied().unwrap_or(0);
        let regions = (file.stack.region_sizes().into_iter())
            .map(|region| multiples(u64::from(region), start));
        let starts = multiples(each.max(1), 0);
        let ends = (starts.iter())
            .map(|start| start + overlap)
            .filter(|end| overlap > 0 && *end < sectors);
        let ends = ends.collect();
        segments
            .chain(splits)
            .chain([starts, ends])
            .chain(regions)
            .collect()
    }
}

/// Step `step` of an axis of length `len` beside axes that have `earlier`
/// combinations. The axis goes straight on, but skips one whenever all axes
/// would be back where they began together. So the first `earlier * len` steps
/// are all different.
fn stride(step: usize, earlier: usize, len: usize) -> usize {
    let common = gcd(earlier, len);
    let round = earlier / common * len;
    (step + step / round % common) % len
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// 0 to `len` (exclusive): first the two ends, then ever finer halves.
fn halves(len: usize) -> Vec<usize> {
    let mut order = vec![0, len.saturating_sub(1)];
    let mut step = len.next_power_of_two();
    while step > 1 {
        order.extend((step / 2..len).step_by(step));
        step /= 2;
    }
    unique(order)
}

/// The items without repetitions.
fn unique<T: Ord + Copy>(mut items: Vec<T>) -> Vec<T> {
    let mut seen = std::collections::BTreeSet::new();
    items.retain(|item| seen.insert(*item));
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_are_even() {
        assert_eq!(halves(9), [0, 8, 4, 2, 6, 1, 3, 5, 7]);
        assert_eq!(halves(1), [0]);
        assert_eq!(halves(2), [0, 1]);
    }

    #[test]
    fn the_sectors_where_things_go_wrong_come_first() {
        let source = r#"
            question = "?"
            legs.max_sectors_kb = 64
            io.vector = ["pages", "odd"]
            fault = [{ at = "every" }]
        "#;
        let scenario = Scenario::parse("s", source).unwrap();
        let cases = scenario.sample(16);
        let at: Vec<u64> = cases.iter().map(|c| c.faults[0].sector - 2048).collect();
        assert_eq!(
            at,
            [
                0, 511, 7, 8, 256, 503, 504, 1, 500, 501, 127, 128, 383, 384, 64, 192
            ]
        );
    }

    proptest! {
        #[test]
        fn walking_in_step_meets_every_combination_once(lens in prop::collection::vec(1usize..9, 1..5)) {
            let count: usize = lens.iter().product();
            let points: std::collections::BTreeSet<Vec<usize>> = (0..count)
                .map(|step| {
                    let mut earlier = 1;
                    lens.iter()
                        .map(|len| {
                            let digit = stride(step, earlier, *len);
                            earlier *= len;
                            digit
                        })
                        .collect()
                })
                .collect();
            prop_assert_eq!(points.len(), count);
        }
    }
}
