//! What holds for every valid scenario.

use crate::{Scenario, case_file};
use halfway_case::Case;
use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::sample::subsequence;
use std::collections::HashSet;

/// Scenario files that are valid by construction: each key is left out, given
/// or swept.
fn sources() -> impl Strategy<Value = String> {
    (stack(), legs(), io(), faults(), any::<bool>()).prop_map(
        |((log, region, handling), (count, offset, kib), io, faults, sabotage)| {
            let mut text = "question = \"Is \\\"it\\\" whole?\"\ntags = [\"quick\"]\n".to_owned();
            if sabotage {
                text += "sabotage = \"guest-panic\"\n";
            }
            text += &format!("[stack]\nlog = {log}\nregion_size = {region}\n{handling}\n");
            text += &format!("[legs]\ncount = {count}\noffset = {offset}\n{kib}\n");
            text + &io + &faults
        },
    )
}

fn words(all: &'static [&'static str]) -> impl Strategy<Value = String> {
    subsequence(all, 1..=all.len()).prop_map(|words| format!("{words:?}"))
}

fn numbers(values: std::ops::Range<u64>) -> impl Strategy<Value = String> {
    let (start, end) = (values.start, values.end);
    prop_oneof![
        values.clone().prop_map(|number| number.to_string()),
        btree_set(values, 1..4)
            .prop_map(|set| format!("{set:?}").replace(['{', '}'], ""))
            .prop_map(|list| format!("[{list}]")),
        (start..end, 1u64..5).prop_map(move |(from, step)| {
            let to = (from + 9).min(end - 1);
            format!("{{ from = {from}, to = {to}, step = {step} }}")
        }),
    ]
}

fn stack() -> impl Strategy<Value = (String, String, &'static str)> {
    let handling = prop_oneof![
        Just(""),
        Just("handle_errors = [true, false]"),
        Just("keep_log = [true, false]"),
        Just("sync = \"synced\""),
    ];
    (
        words(&["core", "disk"]),
        words_of(&["8", "64", "1024"]),
        handling,
    )
}

fn words_of(all: &'static [&'static str]) -> impl Strategy<Value = String> {
    subsequence(all, 1..=all.len()).prop_map(|words| format!("[{}]", words.join(", ")))
}

fn legs() -> impl Strategy<Value = (u8, String, String)> {
    (2u8..=4).prop_flat_map(|count| {
        let offset = prop_oneof![
            (0u64..64).prop_map(|offset| offset.to_string()),
            prop::collection::vec(0u64..64, usize::from(count))
                .prop_map(|offsets| format!("{offsets:?}")),
        ];
        let kib = prop_oneof![
            Just("size = 16384".to_owned()),
            words_of(&["4", "64"]).prop_map(|kib| format!("size = 8192\nmax_sectors_kb = {kib}")),
        ];
        (Just(count), offset, kib)
    })
}

fn io() -> impl Strategy<Value = String> {
    let shape = prop_oneof![
        words(&["contiguous", "pages", "odd", "offset", "unaligned"])
            .prop_map(|vector| format!("vector = {vector}")),
        Just("path = [\"direct\", \"buffered\"]".to_owned()),
    ];
    (words(&["read", "write"]), shape, numbers(0..4000), numbers(32..600), numbers(1..33)).prop_map(
        |(op, shape, sector, sectors, requests)| {
            format!(
                "[io]\nop = {op}\n{shape}\nsector = {sector}\nsectors = {sectors}\nrequests = {requests}\n"
            )
        },
    )
}

proptest! {
    /// Requests cover the I/O without a gap, and each extends into the next one
    /// by the overlap.
    #[test]
    fn requests_overlap_by_what_was_asked_for(
        sectors in 1u64..2000, requests in 1u32..40, overlap in 0u64..50
    ) {
        let each = sectors / u64::from(requests);
        prop_assume!(overlap < each);
        let text = format!(
            "question = \"?\"\n[io]\nsectors = {sectors}\nrequests = {requests}\n{}",
            if requests > 1 { format!("overlap = {overlap}\n") } else { String::new() }
        );
        let case = Scenario::parse("raid1/any", &text).unwrap().expand().next().unwrap();
        let parts = case.io.parts();
        prop_assert_eq!(parts.len(), requests as usize);
        prop_assert_eq!(parts[0].0, case.io.sector);
        let ends: Vec<u64> = parts.iter().map(|(sector, sectors)| sector + sectors).collect();
        prop_assert_eq!(ends.last(), Some(&(case.io.sector + sectors)));
        for (end, (next, _)) in ends.iter().zip(&parts[1..]) {
            prop_assert_eq!(end - next, overlap);
        }
    }
}

fn faults() -> impl Strategy<Value = String> {
    let at = prop_oneof![
        numbers(0..32),
        words(&["first", "middle", "last"]),
        Just("\"same\"".to_owned())
    ];
    let times = prop_oneof![Just("\"always\"".to_owned()), numbers(1..5)];
    let errno = words(&["EIO", "ENOSPC"]);
    let fault = (at, times, errno, words(&["read", "write"]));
    prop::collection::vec(fault, 0..=2).prop_map(|faults| {
        let mut text = String::new();
        for (leg, (at, times, errno, op)) in faults.iter().enumerate() {
            let at = match (leg, at.as_str()) {
                (0, "\"same\"") => "[0, \"last\"]",
                (_, at) => at,
            };
            text += &format!(
                "[[fault]]\nleg = {leg}\nop = {op}\nat = {at}\ntimes = {times}\nerrno = {errno}\n"
            );
        }
        text
    })
}

/// A scenario of at most 3,000 cases.
fn scenarios() -> impl Strategy<Value = Scenario> {
    sources()
        .prop_filter_map("not too many", |source| {
            match Scenario::parse("raid1/any", &source) {
                Ok(scenario) => Some(scenario),
                Err(error) if error.problems[0].message.contains("too many") => None,
                Err(error) => panic!("{source}\n{}", super::rendered(&error)),
            }
        })
        .prop_filter("small", |scenario| scenario.count() <= 3_000)
}

fn values(cases: &[Case]) -> HashSet<String> {
    (cases.iter())
        .flat_map(|case| {
            let (_, swept) = case.id.split_once('@').unwrap_or_default();
            swept.split(',').map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_expansion_is_as_long_as_it_says_and_no_two_ids_are_alike(scenario in scenarios()) {
        let ids: HashSet<String> = scenario.expand().map(|case| case.id).collect();
        prop_assert_eq!(scenario.expand().len(), scenario.count());
        prop_assert_eq!(ids.len(), scenario.count());
        for id in ids {
            prop_assert!(id.len() <= 240 && !id.contains(['/', ' ', '"']), "{}", id);
        }
    }

    #[test]
    fn a_case_written_and_read_is_the_same_case(scenario in scenarios(), which: prop::sample::Index) {
        let case = scenario.expand().nth(which.index(scenario.count())).unwrap();
        let text = case_file(&case);
        let again = Scenario::parse("cases/whatever", &text)
            .map_err(|error| TestCaseError::fail(super::rendered(&error)))?;
        prop_assert_eq!(again.expand().collect::<Vec<_>>(), [case], "{}", text);
    }

    #[test]
    fn a_sample_is_part_of_the_expansion(scenario in scenarios(), limit in 0usize..50) {
        let all: HashSet<String> = scenario.expand().map(|case| case.id).collect();
        let sample = scenario.sample(limit);
        let ids: HashSet<&String> = sample.iter().map(|case| &case.id).collect();
        prop_assert_eq!(sample.len(), limit.min(scenario.count()));
        prop_assert_eq!(ids.len(), sample.len());
        prop_assert!(ids.iter().all(|id| all.contains(*id)));
    }

    #[test]
    fn a_sample_has_every_value_of_the_axes_that_it_can_hold(scenario in scenarios()) {
        let all: Vec<Case> = scenario.expand().collect();
        let limit = 24;
        let mut lengths = std::collections::HashMap::new();
        for value in values(&all) {
            let axis = value.split('=').next().unwrap_or_default().to_owned();
            lengths.entry(axis).or_insert_with(Vec::new).push(value);
        }
        let sampled = values(&scenario.sample(limit));
        for value in lengths.values().filter(|values| values.len() <= limit).flatten() {
            prop_assert!(sampled.contains(value), "{} is missing", value);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(source in "\\PC{0,200}") {
        let _ = Scenario::parse("any", &source);
    }

    #[test]
    fn no_damage_makes_the_parser_panic(source in sources(), at: prop::sample::Index, insert in "[\\[\\]{}=\",0-9a-z\\-]{0,6}") {
        let mut source = source;
        let at = at.index(source.len());
        source.replace_range(at..(at + 3).min(source.len()), &insert);
        if let Err(error) = Scenario::parse("any", &source) {
            prop_assert!(!super::rendered(&error).is_empty());
        }
    }
}
