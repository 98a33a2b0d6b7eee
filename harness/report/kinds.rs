//! Groups verdicts that are no pass by kind. Two cases are of one kind if their reasons
//! differ only in numbers. Kinds that are written up as findings are marked as known.

use super::lines;
use crate::known::{self, Known, Seen};
use crate::results::{CASES, Ran, Record, RecordError, Tally, text};
use halfway_case::Outcome;
use halfway_case::signature::without_numbers;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;

/// The known findings, and the patterns that recognise their verdicts.
const FINDINGS: &str = include_str!("../../results/findings/known.toml");

/// The known findings. A test checks that the file has no mistakes, so an error here means
/// that nothing is known.
fn findings() -> Vec<Known> {
    known::parse("known.toml", FINDINGS).unwrap_or_default()
}

/// What verdicts of one kind have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// The title of the finding, if the kind is a known one.
    known: Option<String>,
    outcome: Outcome,
    /// The reason, with every number replaced by a placeholder.
    reason: String,
}

impl Kind {
    fn of(outcome: Outcome, reason: &str) -> Self {
        Kind {
            known: None,
            outcome,
            reason: without_numbers(&text::line(reason)),
        }
    }
}

/// The cases of a record that neither passed nor were skipped, by kind.
#[derive(Debug)]
pub struct Kinds {
    /// For each kind, the ids of its cases with their full reasons.
    kinds: BTreeMap<Kind, Vec<(String, String)>>,
    /// The directory that holds the files of the cases.
    cases: PathBuf,
    /// The options that, with a case's file, repeat that case.
    repeat: Vec<String>,
}

impl Kinds {
    /// Groups the cases of a record. Each case must have files of its own there.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn of(record: &Record) -> Result<Self, RecordError> {
        let manifest = record.manifest();
        let files = manifest.scenarios.iter().filter_map(|file| {
            let table: toml::Table = toml::from_str(&file.text).ok()?;
            Some((table.get("id")?.as_str()?.to_owned(), &file.text))
        });
        let texts: HashMap<String, &String> = files.collect();
        let findings = findings();
        let ran = Ran::read(record)?;
        let mut cases: Vec<_> = ran.cases.iter().collect();
        cases.sort_by_key(|case| &case.id);
        let mut kinds: BTreeMap<Kind, Vec<(String, String)>> = BTreeMap::new();
        for case in cases {
            if matches!(case.outcome, Outcome::Pass | Outcome::Skipped) {
                continue;
            }
            let id = case.id.clone();
            let text = texts
                .get(&id)
                .map_or_else(String::new, |text| (*text).clone());
            // A file with every key, including those that have their default value.
            let file = || {
                let path = record.path().join(CASES).join(format!("{id}.toml"));
                fs::read_to_string(path).unwrap_or_default()
            };
            let seen = Seen::of(case, &manifest.kernel.release);
            let known = findings.iter().find(|finding| finding.is(&seen, file));
            let kind = match known {
                Some(finding) => Kind {
                    known: Some(finding.title.clone()),
                    outcome: case.outcome,
                    reason: String::new(),
                },
                None => Kind::of(case.outcome, &case.reason),
            };
            kinds.entry(kind).or_default().push((id, text));
        }
        Ok(Kinds {
            kinds,
            cases: record.path().join(CASES),
            repeat: manifest.repeat.clone(),
        })
    }

    /// The tally without the cases of known kinds.
    pub fn without_known(&self, mut tally: Tally) -> Tally {
        for (kind, cases) in self.kinds.iter().filter(|(kind, _)| kind.known.is_some()) {
            tally[kind.outcome] -= cases.len() as u64;
        }
        tally
    }

    /// A paragraph for each unknown kind: how many cases, the smallest of them, and the
    /// command that repeats it. Then one line for each known kind.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (kind, cases) in &self.kinds {
            let number = cases.len();
            if let Some(title) = &kind.known {
                let outcome = kind.outcome;
                words.push(lines::info(
                    "known",
                    &format!("{number} {outcome}: {title}"),
                ));
                continue;
            }
            let Some((id, text)) = cases.iter().min_by_key(|(_, text)| text.len()) else {
                continue;
            };
            let outcome = kind.outcome.to_string();
            let style = lines::style(kind.outcome);
            words.push(lines::labelled(
                &outcome,
                style,
                &format!("{number}: {}", kind.reason),
            ));
            let file = self.cases.join(format!("{id}.toml"));
            let command = ["halfway", "run", &file.to_string_lossy()].map(str::to_owned);
            let command = [&command[..], &self.repeat].concat();
            words.push(lines::more("repeat", &text::shell(&command)));
            let keys = text.lines().filter(|line| {
                !line.is_empty()
                    && !["question", "id ", "scenario"]
                        .iter()
                        .any(|key| line.starts_with(key))
            });
            words.extend(keys.map(|line| format!("{:18}{line}", "")));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn every_finding_is_one_of_the_text_and_the_file_has_no_mistakes() {
        let text = include_str!("../../results/findings.md");
        let findings = known::parse("known.toml", FINDINGS).unwrap();
        assert!(!findings.is_empty());
        for finding in findings {
            let heading = format!("## {}\n", finding.title);
            assert!(text.contains(&heading), "{heading}");
        }
    }

    #[rstest]
    #[case("journal: leg 1 read 2048+8 twice", "journal: leg N read N+N twice")]
    #[case("BUG at ffff8880055b7500", "BUG at N")]
    #[case("a read failed", "a read failed")]
    fn numbers_make_no_kind(#[case] reason: &str, #[case] expected: &str) {
        assert_eq!(Kind::of(Outcome::Fail, reason).reason, expected);
    }

    /// What cases of each finding said, and what their neighbours might.
    #[rstest]
    #[case::forgotten(
        "6.1.0",
        Outcome::Hang,
        "1 write or flush request(s) never came back: held, and forgotten",
        LINEAR_FLUSH,
        Some("dm-raid1: a failed flush")
    )]
    #[case::lost(
        "6.1.0",
        Outcome::Hang,
        "1 write or flush request(s) never came back: lost",
        LINEAR_FLUSH,
        None
    )]
    #[case::mended(
        "6.12.118",
        Outcome::Hang,
        "1 write or flush request(s) never came back: held, and forgotten",
        LINEAR_FLUSH,
        None
    )]
    #[case::shown_good(
        "5.10.0",
        Outcome::Fail,
        "status: leg 1 is A, correct is D",
        LINEAR_FLUSH,
        Some("dm-raid1: a failed flush")
    )]
    #[case::died(
        "6.18.15",
        Outcome::Crash,
        "BUG: unable to handle kernel paging request in bio_add_page",
        UNALIGNED,
        Some("6.18: unaligned memory")
    )]
    #[case::died_elsewhere(
        "6.18.15",
        Outcome::Crash,
        "BUG: unable to handle kernel paging request in dm_get_md",
        UNALIGNED,
        None
    )]
    #[case::goes_on_for_ever(
        "6.18.15",
        Outcome::Hang,
        "the guest no longer answers, and its kernel said nothing of it",
        UNALIGNED,
        Some("6.18: unaligned memory")
    )]
    #[case::no_hang(
        "6.18.15",
        Outcome::Hang,
        "1 read request(s) never came back, even after a repair",
        UNALIGNED,
        None
    )]
    #[case::other_kernel(
        "7.3.4",
        Outcome::Hang,
        "the guest no longer answers, and its kernel said nothing of it",
        UNALIGNED,
        None
    )]
    #[case::good_leg(
        "6.18.15",
        Outcome::Fail,
        "status: leg 0 is R, correct is A",
        UNALIGNED,
        Some("6.18: unaligned memory")
    )]
    #[case::refused_in_part(
        "6.18.15",
        Outcome::Fail,
        "request 0 was answered with Invalid argument (os error 22), correct is 4096 bytes",
        "[stack]\ntarget = \"multipath\"\nqueue_mode = \"mq\"\n[io]\nvector = \"unaligned\"\n",
        Some("6.18: unaligned memory")
    )]
    #[case::wrong_data(
        "6.18.15",
        Outcome::Fail,
        "content: sector 8 holds sector 9 of leg 0",
        UNALIGNED,
        None
    )]
    #[case::warns(
        "5.10.0",
        Outcome::Fail,
        "WARNING in blk_rq_set_mixed_merge",
        "queue_mode = \"bio\"\n",
        Some("blk-merge: read-ahead")
    )]
    #[case::warns_elsewhere(
        "5.10.0",
        Outcome::Fail,
        "WARNING in blk_rq_map_sg",
        "queue_mode = \"bio\"\n",
        None
    )]
    fn findings_are_told_from_their_neighbours(
        #[case] release: &str,
        #[case] outcome: Outcome,
        #[case] reason: &str,
        #[case] case: &str,
        #[case] expected: Option<&str>,
    ) {
        let seen = seen(release, outcome, reason);
        let findings = findings();
        let found = findings
            .iter()
            .find(|finding| finding.is(&seen, || case.to_owned()));
        let title = found.map(|finding| finding.title.as_str());
        match (title, expected) {
            (Some(title), Some(start)) => assert!(title.starts_with(start), "{title}"),
            other => assert_eq!(other, (None, None)),
        }
    }

    const LINEAR_FLUSH: &str = "[stack]\ntarget = \"raid1\"\nlinear = 64\nhandle_errors = true\n\
                                keep_log = false\n[io]\nop = \"flush\"\n";
    const UNALIGNED: &str = "[stack]\ntarget = \"raid1\"\n[io]\nvector = \"unaligned\"\n";

    #[rstest]
    #[case::it("6.18.15", "[io]\nop = \"flush\"\n", Outcome::Hang, "held by it", true)]
    #[case::another_kernel("6.1.0", "[io]\nop = \"flush\"\n", Outcome::Hang, "held by it", false)]
    #[case::another_case("6.18.15", "[io]\n", Outcome::Hang, "held by it", false)]
    #[case::another_outcome("6.18.15", "op = \"flush\"\n", Outcome::Fail, "held by it", false)]
    #[case::another_reason("6.18.15", "op = \"flush\"\n", Outcome::Hang, "lost", false)]
    fn a_finding_is_recognised_by_all_that_it_says(
        #[case] release: &str,
        #[case] case: &str,
        #[case] outcome: Outcome,
        #[case] reason: &str,
        #[case] expected: bool,
    ) {
        let finding = "[[known]]\ntitle = \"a finding\"\noutcome = \"hang\"\nsays = \"held\"\n\
                       lines = \"op = \\\"flush\\\"\"\nkernels = \"6.18\"\n";
        let finding = known::parse("x", finding).unwrap();
        let seen = seen(release, outcome, reason);
        assert_eq!(finding[0].is(&seen, || case.to_owned()), expected);
    }

    fn seen<'a>(release: &'a str, outcome: Outcome, reason: &'a str) -> Seen<'a> {
        Seen {
            id: "drawn",
            release,
            outcome,
            reason,
            differences: &[],
            signature: None,
        }
    }
}
