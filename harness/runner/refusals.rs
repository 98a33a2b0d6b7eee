//! Set-ups that a kernel refuses alike: after some of them no more are tried.

use super::plan::Kind;
use halfway_case::Case;
use halfway_case::Io;
use halfway_protocol::io::{Memory, Op, Path};
use halfway_protocol::message::Refusal;
use std::collections::BTreeMap;

/// How many equal refusals are enough.
const ENOUGH: u32 = 3;

/// What cases have in common whose set-ups a kernel would refuse alike.
#[derive(Clone, Debug, PartialEq)]
struct SetUp {
    kind: Kind,
    modules: Vec<&'static str>,
    op: Op,
    path: Path,
    memory: Memory,
    queued: bool,
}

impl SetUp {
    fn of(case: &Case) -> Self {
        let Io {
            op, path, vector, ..
        } = case.io;
        SetUp {
            kind: Kind::of(case),
            modules: case.stack.target().modules(),
            op,
            path,
            memory: vector.segments(1, 1).0,
            queued: case.io.requests > 1,
        }
    }
}

/// What became of the set-ups of one sort.
#[derive(Debug, Default)]
struct Record {
    /// One was taken: what is refused is for a case's own values then.
    taken: bool,
    /// How many cases were refused alike, and in which words the first of them.
    refused: BTreeMap<String, (u32, String)>,
}

impl Record {
    fn hopeless(&self) -> Option<&str> {
        let mut refused = self.refused.values();
        let enough = refused.find(|(count, _)| *count >= ENOUGH)?;
        (!self.taken).then_some(&*enough.1)
    }
}

/// The set-ups of a run, by what they have in common.
#[derive(Debug, Default)]
pub struct Refusals(Vec<(SetUp, Record)>);

impl Refusals {
    /// Notes what became of a case's set-up. `true` when it was the one too many, and
    /// [`Self::why_not`] has something to say from now on.
    pub fn note(&mut self, case: &Case, refusal: Option<&Refusal>) -> bool {
        let set_up = SetUp::of(case);
        let known = self.0.iter().position(|(other, _)| *other == set_up);
        let index = known.unwrap_or_else(|| {
            self.0.push((set_up, Record::default()));
            self.0.len() - 1
        });
        let record = &mut self.0[index].1;
        let Some(refusal) = refusal else {
            record.taken = true;
            return false;
        };
        let before = record.hopeless().is_some();
        let words = refusal.to_string();
        let alike = record.refused.entry(without_numbers(&words));
        alike.or_insert((0, words)).0 += 1;
        !before && record.hopeless().is_some()
    }

    /// Why a case is not to be tried.
    pub fn why_not(&self, case: &Case) -> Option<String> {
        let set_up = SetUp::of(case);
        let (_, record) = self.0.iter().find(|(other, _)| *other == set_up)?;
        let refusal = record.hopeless()?;
        Some(format!(
            "not tried, since the guest refused the set-ups of {ENOUGH} alike: {refusal}"
        ))
    }
}

/// Sizes and places differ from case to case.
fn without_numbers(words: &str) -> String {
    words.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_scenario::Scenario;

    fn case(text: &str) -> Case {
        let text = format!("question = \"?\"\n{text}\n");
        let scenario = Scenario::parse("test", &text).unwrap();
        scenario.expand().next().unwrap()
    }

    fn refusal(doing: &str) -> Refusal {
        Refusal {
            doing: doing.to_owned(),
            errno: Some(2),
            detail: String::new(),
        }
    }

    #[test]
    fn three_alike_are_enough_for_their_sort() {
        let mut refusals = Refusals::default();
        let (read, write) = (case("[io]\nop = \"read\""), case("[io]\nop = \"write\""));
        for (doing, enough) in [
            ("finding 2 MiB", false),
            ("loading a table", false),
            ("finding 4 MiB", false),
            ("finding 2 MiB", true),
            ("finding 2 MiB", false),
        ] {
            assert_eq!(refusals.why_not(&write), None);
            assert_eq!(
                refusals.note(&read, Some(&refusal(doing))),
                enough,
                "{doing}"
            );
        }
        let why = refusals.why_not(&read).unwrap();
        assert!(why.contains("finding 2 MiB: No such file"), "{why}");
    }

    #[test]
    fn what_was_taken_once_is_tried_on() {
        let mut refusals = Refusals::default();
        let case = case("");
        assert!(!refusals.note(&case, None));
        for _ in 0..=ENOUGH {
            assert!(!refusals.note(&case, Some(&refusal("loading a table"))));
        }
        assert_eq!(refusals.why_not(&case), None);
    }
}
