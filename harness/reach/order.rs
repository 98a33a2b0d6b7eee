//! In which order cases are tried.

/// What a further case of a scenario promises, against the one before it.
const FURTHER: f64 = 0.8;

/// How many cases are taken together, so that those of one kind of machine can share it.
pub const BLOCK: usize = 16;

/// The order of cases, as (place of the scenario, place of the case in it). `scenarios`
/// gives for each scenario its score, which is not negative, and how many cases it has.
/// The more cases of a scenario were tried, the less the next one promises.
pub fn order(scenarios: &[(f64, usize)]) -> Vec<(usize, usize)> {
    let mut all: Vec<(f64, usize, usize)> = Vec::new();
    for (place, (score, cases)) in scenarios.iter().enumerate() {
        let mut promise = *score;
        for case in 0..*cases {
            all.push((promise, place, case));
            promise *= FURTHER;
        }
    }
    all.sort_by(|one, other| {
        let places = (one.1, one.2).cmp(&(other.1, other.2));
        other.0.total_cmp(&one.0).then(places)
    });
    all.into_iter()
        .map(|(_, place, case)| (place, case))
        .collect()
}

/// Within each [`BLOCK`] those of one kind together, the kinds in the order in which they
/// come first.
pub fn in_blocks<T, K: PartialEq>(cases: Vec<T>, kind: impl Fn(&T) -> K) -> Vec<T> {
    let mut out = Vec::with_capacity(cases.len());
    let mut rest = cases.into_iter().peekable();
    while rest.peek().is_some() {
        let mut kinds: Vec<K> = Vec::new();
        let mut block: Vec<(usize, T)> = Vec::new();
        for case in rest.by_ref().take(BLOCK) {
            let kind = kind(&case);
            let known = kinds.iter().position(|one| *one == kind);
            let place = known.unwrap_or_else(|| {
                kinds.push(kind);
                kinds.len() - 1
            });
            block.push((place, case));
        }
        block.sort_by_key(|(place, _)| *place);
        out.extend(block.into_iter().map(|(_, case)| case));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_poor_scenario_waits_until_the_rich_one_has_been_tried() {
        let order = order(&[(1.0, 3), (0.7, 2), (0.1, 1)]);
        assert_eq!(order, [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0)]);
    }

    #[test]
    fn one_kind_is_together_within_a_block() {
        let cases: Vec<usize> = (0..BLOCK + 3).collect();
        let order = in_blocks(cases, |case| case % 2);
        assert_eq!(order[..3], [0, 2, 4]);
        assert_eq!(order[BLOCK..], [BLOCK, BLOCK + 2, BLOCK + 1]);
    }

    proptest! {
        #[test]
        fn every_case_is_tried_once(
            scenarios in proptest::collection::vec((0.0..9.0, 0usize..9), 0..9)
        ) {
            let mut order = in_blocks(order(&scenarios), |(place, _)| place % 3);
            order.sort_unstable();
            let all = scenarios.iter().enumerate();
            let all = all.flat_map(|(place, (_, cases))| (0..*cases).map(move |case| (place, case)));
            prop_assert_eq!(order, all.collect::<Vec<_>>());
        }
    }
}
