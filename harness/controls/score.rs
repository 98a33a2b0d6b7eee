//! The score of the catalogue: a row for each control, as a Markdown table that can also
//! be read as plain text.

use super::trial::{Fate, Kill};
use crate::report::lines::duration;
use halfway_builder::controls::Control;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The result of one control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The name of the control.
    pub control: String,
    /// The name of the kernel module that it breaks.
    pub module: String,
    /// What became of the control.
    pub fate: Fate,
    /// How many cases were judged.
    pub cases: u64,
    /// How long its run took, in milliseconds.
    pub millis: u64,
}

/// The result of all rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// Every control was caught for the right reason, or is equivalent, and
    /// every rebuilt stock module passes.
    Whole,
    /// Some control was not caught, or for a wrong reason; or a rebuilt stock module
    /// failed a case.
    Short,
    /// Some control could not be tried.
    Broken,
    /// Some control has no case that reaches it, or there are no rows.
    Open,
}

/// The result of all rows: that of the worst row.
pub fn score(rows: &[Row]) -> Score {
    let any = |wanted: fn(&Fate) -> bool| rows.iter().any(|row| wanted(&row.fate));
    if any(is_short) {
        Score::Short
    } else if any(|fate| matches!(fate, Fate::Failed(_))) {
        Score::Broken
    } else if rows.is_empty() || any(|fate| matches!(fate, Fate::NotReached(_))) {
        Score::Open
    } else {
        Score::Whole
    }
}

fn is_short(fate: &Fate) -> bool {
    matches!(
        fate,
        Fate::Survived | Fate::KilledOtherwise(_) | Fate::NotEquivalent(_) | Fate::Unsound(_)
    )
}

impl Row {
    /// Whether the row is of a module that was rebuilt without a change.
    pub fn is_unmutated(&self) -> bool {
        self.control == Control::unmutated_name(&self.module)
    }

    /// The sort key: rebuilt modules first, then by name.
    pub fn order(&self) -> (bool, String) {
        (!self.is_unmutated(), self.control.clone())
    }

    /// The fate, in a few words.
    pub fn verdict(&self) -> String {
        match &self.fate {
            Fate::Killed { by, .. } => words(by),
            Fate::KilledOtherwise(by) => format!("**killed otherwise**: {}", words(by)),
            Fate::Survived => "**survived**".to_owned(),
            Fate::Equivalent => "equivalent, as argued".to_owned(),
            Fate::NotEquivalent(by) => format!("**not equivalent**: {}", words(by)),
            Fate::Sound => "passes, as it must".to_owned(),
            Fate::Unsound(by) => format!("**stock module blamed**: {}", words(by)),
            Fate::NotReached(why) => format!("not reached: {why}"),
            Fate::Failed(why) => {
                let first = why.lines().next().unwrap_or_default();
                format!("**error**: {first}")
            }
        }
    }

    /// The case that caught the control. Empty if none did.
    pub fn case(&self) -> &str {
        match &self.fate {
            Fate::Killed { by, .. }
            | Fate::KilledOtherwise(by)
            | Fate::NotEquivalent(by)
            | Fate::Unsound(by) => &by.case,
            _ => "",
        }
    }

    fn cells(&self) -> [String; 5] {
        let case = match &self.fate {
            Fate::Killed { kills, .. } if *kills > 1 => {
                format!("{} (of {kills})", self.case())
            }
            _ => self.case().to_owned(),
        };
        let time = match self.cases {
            0 => String::new(),
            _ => duration(self.millis),
        };
        [
            self.control.clone(),
            self.verdict(),
            case,
            self.cases.to_string(),
            time,
        ]
        .map(|cell| cell.replace('|', "/"))
    }
}

fn words(kill: &Kill) -> String {
    let symptoms: Vec<String> = kill.symptoms.iter().map(ToString::to_string).collect();
    symptoms.join(", ")
}

/// The rows as a table, and a line with their result.
pub fn table(rows: &[Row]) -> String {
    let head = ["control", "verdict", "killed by", "cases", "time"].map(str::to_owned);
    let mut lines = vec![head];
    lines.extend(rows.iter().map(Row::cells));
    let widths: Vec<usize> = (0..5)
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    lines.insert(1, std::array::from_fn(|column| "-".repeat(widths[column])));
    let mut text = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(&widths) {
            // Writing to a String cannot fail.
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
    }
    let _ = write!(text, "\n{}", summary(rows));
    text
}

fn summary(rows: &[Row]) -> String {
    let count = |wanted: fn(&Fate) -> bool| rows.iter().filter(|row| wanted(&row.fate)).count();
    let parts = [
        (count(|fate| matches!(fate, Fate::Killed { .. })), "killed"),
        (
            count(|fate| matches!(fate, Fate::KilledOtherwise(_))),
            "killed otherwise",
        ),
        (count(|fate| *fate == Fate::Survived), "survived"),
        (count(|fate| *fate == Fate::Equivalent), "equivalent"),
        (
            count(|fate| matches!(fate, Fate::NotEquivalent(_))),
            "not equivalent",
        ),
        (
            count(|fate| matches!(fate, Fate::NotReached(_))),
            "not reached",
        ),
        (count(|fate| matches!(fate, Fate::Failed(_))), "in error"),
        (count(|fate| *fate == Fate::Sound), "rebuilt and sound"),
        (
            count(|fate| matches!(fate, Fate::Unsound(_))),
            "rebuilt and blamed",
        ),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_builder::controls::Symptom;
    use rstest::rstest;

    fn kill() -> Kill {
        Kill {
            case: "raid1-read-halfway+at=1".to_owned(),
            symptoms: [Symptom::WrongData, Symptom::WrongAnswer].into(),
            millis: 90,
            at_ms: 4000,
        }
    }

    fn killed() -> Fate {
        Fate::Killed {
            by: kill(),
            kills: 1,
        }
    }

    fn row(control: &str, fate: Fate) -> Row {
        Row {
            control: control.to_owned(),
            module: "dm-mirror".to_owned(),
            fate,
            cases: 12,
            millis: 4100,
        }
    }

    #[rstest]
    #[case::nothing(vec![], Score::Open)]
    #[case::whole(vec![killed(), Fate::Equivalent, Fate::Sound], Score::Whole)]
    #[case::not_reached(vec![killed(), Fate::NotReached(String::new())], Score::Open)]
    #[case::error(vec![Fate::NotReached(String::new()), Fate::Failed(String::new())], Score::Broken)]
    #[case::survived(vec![Fate::Failed(String::new()), Fate::Survived], Score::Short)]
    #[case::otherwise(vec![Fate::KilledOtherwise(kill())], Score::Short)]
    #[case::not_equivalent(vec![Fate::NotEquivalent(kill())], Score::Short)]
    #[case::unsound(vec![killed(), Fate::Unsound(kill())], Score::Short)]
    fn scores(#[case] fates: Vec<Fate>, #[case] expected: Score) {
        let rows: Vec<_> = fates.into_iter().map(|fate| row("c", fate)).collect();
        assert_eq!(score(&rows), expected);
    }

    #[test]
    fn a_table() {
        let mut never = row("sd-no-residual", Fate::NotReached("no SCSI".to_owned()));
        (never.cases, never.millis) = (0, 0);
        let rows = [
            row("unmutated-dm-mirror", Fate::Sound),
            row("no-restore", killed()),
            row("flags", Fate::Survived),
            never,
        ];
        insta::assert_snapshot!(table(&rows), @r"
        | control             | verdict                  | killed by               | cases | time  |
        | ------------------- | ------------------------ | ----------------------- | ----- | ----- |
        | unmutated-dm-mirror | passes, as it must       |                         | 12    | 4.1 s |
        | no-restore          | wrong data, wrong answer | raid1-read-halfway+at=1 | 12    | 4.1 s |
        | flags               | **survived**             |                         | 12    | 4.1 s |
        | sd-no-residual      | not reached: no SCSI     |                         | 0     |       |

        1 killed, 1 survived, 1 not reached, 1 rebuilt and sound
        ");
    }
}
