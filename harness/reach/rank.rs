//! The scenarios in the order in which they may show a report's failure.
//!
//! A scenario counts for the functions of the report that it was seen to reach, for the
//! messages of the text in which the kernel was seen to say the same, and for the words
//! of the text that describe it. What few scenarios have tells more than what
//! all have, so each counts by the logarithm of its rarity.

use crate::asked::{Asked, words};
use crate::table::Table;
use std::collections::{BTreeMap, HashMap};

/// How many innermost functions must all be out of reach for a report to be refused.
const INNERMOST: usize = 3;

/// What a word counts, against a function.
const WORD: f64 = 0.4;

/// What a message of the kernel counts, against a function: it says what happened, and a
/// function only what was on the way.
const MESSAGE: f64 = 1.5;

/// A scenario that may be run.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its question, its tags and whatever else describes it.
    pub about: &'a str,
}

/// A scenario and why it has its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Its name.
    pub scenario: String,
    /// The higher, the more the report and it have in common.
    pub score: f64,
    /// The functions of the report that it reaches.
    pub reaches: Vec<String>,
    /// The messages of the text that the kernel says in it too.
    pub says: Vec<String>,
    /// The words of the text that describe it.
    pub words: Vec<String>,
}

/// The scenarios, the most promising first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// The scenarios that have anything in common with the report.
    pub scenarios: Vec<Ranked>,
    /// The functions of the report that no scenario reaches.
    pub unreached: Vec<String>,
    /// Whether the report is about code that no scenario reaches: its guilty function and
    /// the innermost frames are all out of reach.
    pub foreign: bool,
}

impl Ranking {
    /// Whether only words tell for the scenarios.
    pub fn is_of_words(&self) -> bool {
        let known = |one: &Ranked| !one.reaches.is_empty() || !one.says.is_empty();
        !self.scenarios.iter().any(known)
    }
}

/// Ranks scenarios.
pub fn rank(asked: &Asked, table: &Table, subjects: &[Subject<'_>]) -> Ranking {
    let number = subjects.len() as f64;
    let rarity = |having: usize| (1.0 + number / having as f64).ln();
    let places: HashMap<&str, usize> = (subjects.iter().enumerate())
        .map(|(place, one)| (one.name, place))
        .collect();
    let mut all: Vec<Ranked> = subjects
        .iter()
        .map(|subject| Ranked {
            scenario: subject.name.to_owned(),
            score: 0.0,
            reaches: Vec::new(),
            says: Vec::new(),
            words: Vec::new(),
        })
        .collect();
    let mut unreached = Vec::new();
    for (depth, function) in asked.functions.iter().enumerate() {
        let reaching: Vec<usize> = table
            .reaching(function)
            .filter_map(|name| places.get(name).copied())
            .collect();
        if reaching.is_empty() {
            unreached.push(function.clone());
            continue;
        }
        // The guilty function counts twice, and callers less and less.
        let share = if depth == 0 {
            2.0
        } else {
            1.0 / (1.0 + depth as f64 / 8.0)
        };
        let weight = share * rarity(reaching.len());
        for place in reaching {
            all[place].score += weight;
            all[place].reaches.push(function.clone());
        }
    }
    for message in &asked.messages {
        let saying: Vec<usize> = table
            .saying(message)
            .filter_map(|name| places.get(name).copied())
            .collect();
        for place in &saying {
            all[*place].score += MESSAGE * rarity(saying.len());
            all[*place].says.push(message.clone());
        }
    }
    for (word, having) in described(subjects) {
        // A word of most scenarios tells nothing about one.
        if having.len() * 3 > subjects.len() * 2 || !asked.words.contains(&word) {
            continue;
        }
        for place in &having {
            all[*place].score += WORD * rarity(having.len());
            all[*place].words.push(word.clone());
        }
    }
    all.retain(|one| one.score > 0.0);
    all.sort_by(|one, other| other.score.total_cmp(&one.score));
    let mut innermost = asked.functions.iter().take(INNERMOST);
    Ranking {
        foreign: !asked.functions.is_empty() && innermost.all(|one| unreached.contains(one)),
        scenarios: all,
        unreached,
    }
}

/// The words that describe the subjects, with the places of those that have each.
fn described(subjects: &[Subject<'_>]) -> BTreeMap<String, Vec<usize>> {
    let mut described: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, subject) in subjects.iter().enumerate() {
        for word in words(&format!("{} {}", subject.name, subject.about)) {
            described.entry(word).or_default().push(place);
        }
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const SUBJECTS: [Subject<'static>; 3] = [
        Subject {
            name: "raid1.read",
            about: "A read of a mirror fails halfway",
        },
        Subject {
            name: "raid1.write",
            about: "A write to a mirror fails halfway",
        },
        Subject {
            name: "multipath.queue",
            about: "queue_if_no_path: an I/O waits for a path",
        },
    ];

    fn table() -> Table {
        let mut table = Table::new("6.1");
        let functions = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let none: [String; 0] = [];
        let failed = ["a leg has failed".to_owned()];
        table.add(
            "raid1.read",
            functions("submit_bio mirror_map read_callback"),
            none.clone(),
        );
        table.add(
            "raid1.write",
            functions("submit_bio mirror_map write_callback"),
            failed,
        );
        table.add(
            "multipath.queue",
            functions("submit_bio multipath_map"),
            none,
        );
        table
    }

    fn asked(functions: &[&str], text: &str) -> Asked {
        let functions = functions.iter().map(|&name| name.to_owned()).collect();
        Asked {
            functions,
            ..Asked::of(text, &[], &table())
        }
    }

    #[rstest]
    #[case::rare_function(&["read_callback", "submit_bio"], "", "raid1.read")]
    #[case::other_function(&["multipath_map", "submit_bio"], "", "multipath.queue")]
    #[case::rare_beats_guilty(&["submit_bio", "mirror_map", "write_callback"], "", "raid1.write")]
    #[case::words_alone(&[], "With queue_if_no_path the I/O never came back", "multipath.queue")]
    #[case::words_decide(&["mirror_map"], "the write failed", "raid1.write")]
    #[case::a_message(&["mirror_map"], "[    1.234567] a leg has failed", "raid1.write")]
    fn the_first(#[case] functions: &[&str], #[case] text: &str, #[case] first: &str) {
        let ranking = rank(&asked(functions, text), &table(), &SUBJECTS);
        assert_eq!(ranking.scenarios[0].scenario, first);
        assert!(!ranking.foreign);
    }

    #[rstest]
    #[case::all_out_of_reach(&["btrfs_a", "btrfs_b", "btrfs_c", "submit_bio"], true)]
    #[case::called_from_elsewhere(&["submit_bio", "btrfs_a", "btrfs_b"], false)]
    #[case::no_function(&[], false)]
    fn what_is_out_of_reach(#[case] functions: &[&str], #[case] foreign: bool) {
        let ranking = rank(&asked(functions, ""), &table(), &SUBJECTS);
        assert_eq!(ranking.foreign, foreign);
        let out = functions
            .iter()
            .filter(|name| name.starts_with("btrfs"))
            .count();
        assert_eq!(ranking.unreached.len(), out);
    }

    proptest! {
        #[test]
        fn any_text_is_ranked(text: String, functions in proptest::collection::vec("[a-z_]{0,9}", 0..9)) {
            let names: Vec<&str> = functions.iter().map(String::as_str).collect();
            let ranking = rank(&asked(&names, &text), &table(), &SUBJECTS);
            let scores: Vec<f64> = ranking.scenarios.iter().map(|one| one.score).collect();
            prop_assert!(scores.is_sorted_by(|one, other| one >= other));
        }
    }
}
