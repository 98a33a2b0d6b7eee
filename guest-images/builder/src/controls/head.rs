//! Parses the head of a control's file: the comment at its beginning.
//!
//! It has lines of `// key: value`. A line of `//` and two or more spaces continues the
//! value before. The first line that is neither ends the head.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The class of a verdict: what shows that the kernel is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Symptom {
    /// The kernel crashed or warned.
    Crash,
    /// The I/O or the guest did not return.
    Hang,
    /// A buffer or a medium has wrong content.
    WrongData,
    /// The application got an error although there was none, or got none although there
    /// was one.
    WrongAnswer,
    /// `dmsetup status` shows a good leg or path as failed, or a failed one as good.
    Misjudged,
    /// The legs got other requests than those of a correct kernel.
    WrongIo,
}

impl Symptom {
    /// All symptoms, the most telling first.
    pub const ALL: [Symptom; 6] = [
        Symptom::Crash,
        Symptom::WrongData,
        Symptom::WrongAnswer,
        Symptom::Hang,
        Symptom::Misjudged,
        Symptom::WrongIo,
    ];
}

impl fmt::Display for Symptom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Symptom::Crash => "crash",
            Symptom::Hang => "hang",
            Symptom::WrongData => "wrong data",
            Symptom::WrongAnswer => "wrong answer",
            Symptom::Misjudged => "misjudged",
            Symptom::WrongIo => "wrong I/O",
        })
    }
}

/// The parsed head of a control's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) class: String,
    pub(super) module: String,
    pub(super) cause: Cause,
    pub(super) replaces: Option<String>,
    pub(super) scenarios: Vec<String>,
    pub(super) kills: BTreeSet<Symptom>,
    pub(super) inspired_by: Option<String>,
    pub(super) equivalent: Option<String>,
}

/// What causes the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A patch of this file, relative to the kernel's source.
    Patch(String),
    /// These parameters of one of our own modules.
    Parameters(Vec<String>),
}

/// The kind of a control's file, which decides which keys its head must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CauseKind {
    /// A semantic patch. The head must name the file to patch.
    Patch,
    /// Parameters of one of our own modules. The head must list them.
    Parameters,
}

/// What is wrong with a head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// A required key is missing.
    #[error("its head has no `// {0}: ...`")]
    Missing(&'static str),
    /// The key is not known.
    #[error("its head has an unknown key `{0}`")]
    Unknown(String),
    /// The key appears twice.
    #[error("its head has `{0}` twice")]
    Twice(String),
    /// The word is not a symptom.
    #[error("`{word}` is no symptom; there are {}", Symptom::ALL.map(|one| one.to_string()).join(", "))]
    Symptom {
        /// The word that the head has instead.
        word: String,
    },
    /// The file's path does not lie in the kernel's source.
    #[error("`{0}` is no path of a C file below the kernel's source")]
    File(String),
    /// A parameter lacks a name or a value.
    #[error("`{0}` is no parameter; one is written as in `name=value`")]
    Parameter(String),
}

const KEYS: [&str; 9] = [
    "class",
    "module",
    "file",
    "parameters",
    "replaces",
    "scenarios",
    "kills",
    "inspired-by",
    "equivalent",
];

impl Head {
    pub(super) fn parse(text: &str, kind: CauseKind) -> Result<Self, HeadError> {
        let mut found = pairs(text)?;
        let mut take = |key: &'static str| found.remove(key).filter(|value| !value.is_empty());
        let mut must = |key| take(key).ok_or(HeadError::Missing(key));
        let head = Head {
            class: must("class")?,
            module: must("module")?,
            cause: match kind {
                CauseKind::Patch => Cause::Patch(path(must("file")?)?),
                CauseKind::Parameters => Cause::Parameters(parameters(&must("parameters")?)?),
            },
            replaces: match kind {
                CauseKind::Patch => None,
                CauseKind::Parameters => must("replaces").ok(),
            },
            scenarios: list(&must("scenarios")?),
            kills: symptoms(&must("kills")?)?,
            inspired_by: take("inspired-by"),
            equivalent: take("equivalent"),
        };
        match found.into_keys().next() {
            None => Ok(head),
            Some(key) => Err(HeadError::Unknown(key)),
        }
    }
}

fn path(text: String) -> Result<String, HeadError> {
    let parts: Vec<&str> = text.split('/').collect();
    let is_plain = |part: &&str| !part.is_empty() && **part != *".." && **part != *".";
    match parts.len() > 1 && parts.iter().all(is_plain) {
        true => Ok(text),
        false => Err(HeadError::File(text)),
    }
}

fn parameters(text: &str) -> Result<Vec<String>, HeadError> {
    let is_one = |word: &str| {
        let plain = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
        word.split_once('=')
            .is_some_and(|(name, value)| plain(name) && plain(value))
    };
    let words = list(text);
    match words.iter().find(|word| !is_one(word)) {
        None => Ok(words),
        Some(word) => Err(HeadError::Parameter(word.clone())),
    }
}

fn pairs(text: &str) -> Result<BTreeMap<String, String>, HeadError> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut last = None;
    for line in text.lines() {
        let Some(line) = line.strip_prefix("//") else {
            break;
        };
        if let (true, Some(key)) = (line.starts_with("  "), &last) {
            if let Some(value) = found.get_mut(key) {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        let Some((key, value)) = line.trim().split_once(':') else {
            break;
        };
        if !KEYS.contains(&key) {
            return Err(HeadError::Unknown(key.to_owned()));
        }
        let before = found.insert(key.to_owned(), value.trim().to_owned());
        if before.is_some() {
            return Err(HeadError::Twice(key.to_owned()));
        }
        last = Some(key.to_owned());
    }
    Ok(found)
}

fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

fn symptoms(text: &str) -> Result<BTreeSet<Symptom>, HeadError> {
    list(text)
        .into_iter()
        .map(|word| {
            Symptom::ALL
                .into_iter()
                .find(|symptom| symptom.to_string() == word)
                .ok_or(HeadError::Symptom { word })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const WHOLE: &str = "\
// class: the position in the vector is not put back,
//   so that the retry starts too late
// module: dm-mirror
// file: drivers/md/dm-bio-record.h
// scenarios: raid1/read-halfway, raid1
// kills: crash, wrong data
//
// Prose: not a key.
@@
@@
";

    #[test]
    fn a_head() {
        assert_eq!(
            Head::parse(WHOLE, CauseKind::Patch).unwrap(),
            Head {
                class:
                    "the position in the vector is not put back, so that the retry starts too late"
                        .to_owned(),
                module: "dm-mirror".to_owned(),
                cause: Cause::Patch("drivers/md/dm-bio-record.h".to_owned()),
                replaces: None,
                scenarios: vec!["raid1/read-halfway".to_owned(), "raid1".to_owned()],
                kills: [Symptom::Crash, Symptom::WrongData].into(),
                inspired_by: None,
                equivalent: None,
            }
        );
    }

    #[rstest]
    #[case("// module: dm-mirror\n", "", HeadError::Missing("module"))]
    #[case("// module:", "// modul:", HeadError::Unknown("modul".to_owned()))]
    #[case("// module:", "// class: x\n// module:", HeadError::Twice("class".to_owned()))]
    #[case("crash,", "crush,", HeadError::Symptom { word: "crush".to_owned() })]
    #[case("drivers/md/", "drivers/../", HeadError::File("drivers/../dm-bio-record.h".to_owned()))]
    #[case("drivers/md/", "", HeadError::File("dm-bio-record.h".to_owned()))]
    #[case("drivers/md/", "/md/", HeadError::File("/md/dm-bio-record.h".to_owned()))]
    fn what_is_wrong_is_said(#[case] from: &str, #[case] to: &str, #[case] error: HeadError) {
        assert_eq!(
            Head::parse(&WHOLE.replace(from, to), CauseKind::Patch),
            Err(error)
        );
    }

    #[rstest]
    #[case("a=1, b=x", Ok(["a=1", "b=x"].as_slice()))]
    #[case("a", Err(HeadError::Parameter("a".to_owned())))]
    #[case("a=1 b=2", Err(HeadError::Parameter("a=1 b=2".to_owned())))]
    #[case("", Err(HeadError::Missing("parameters")))]
    fn parameters_of_our_own_modules(
        #[case] given: &str,
        #[case] expected: Result<&[&str], HeadError>,
    ) {
        let text = WHOLE.replace(
            "// file: drivers/md/dm-bio-record.h",
            &format!("// parameters: {given}"),
        );
        let words = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned());
            Cause::Parameters(words.collect())
        };
        let cause = Head::parse(&text, CauseKind::Parameters).map(|head| head.cause);
        assert_eq!(cause, expected.map(words));
    }

    #[test]
    fn a_file_of_the_kernel_and_parameters_exclude_each_other() {
        let both = WHOLE.replace("// kills", "// parameters: a=1\n// kills");
        let unknown = |key: &str| Err(HeadError::Unknown(key.to_owned()));
        assert_eq!(Head::parse(&both, CauseKind::Patch), unknown("parameters"));
        assert_eq!(Head::parse(&both, CauseKind::Parameters), unknown("file"));
    }
}
