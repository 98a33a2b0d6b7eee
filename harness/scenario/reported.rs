//! How a sense-giving target reports a fault.

use halfway_target::{Failure, Part};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// How a sense-giving target reports a fault; as text, a word of
/// [`Reported::words`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reported {
    /// A command that covers the bad sector is answered so.
    Answer(halfway_target::Report),
    /// The HBA is gone: all commands to the leg are answered with a bad target.
    Gone,
}

const GONE: &str = "gone";

impl Default for Reported {
    /// A medium error with INFORMATION.
    fn default() -> Self {
        Reported::Answer(halfway_target::Report::of(Failure::MediumError))
    }
}

impl Reported {
    /// The answer, where the leg gives one of its own.
    pub fn answer(self) -> Option<halfway_target::Report> {
        match self {
            Reported::Answer(report) => Some(report),
            Reported::Gone => None,
        }
    }

    /// All that there are.
    pub fn words() -> Vec<String> {
        let answers = Part::ALL.into_iter().flat_map(|part| {
            Failure::ALL.map(|failure| halfway_target::Report { part, failure }.to_string())
        });
        answers.chain([GONE.to_owned()]).collect()
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reported::Answer(report) => report.fmt(f),
            Reported::Gone => f.write_str(GONE),
        }
    }
}

/// No word of [`Reported::words`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no report")]
pub struct NoSuchReport(String);

impl FromStr for Reported {
    type Err = NoSuchReport;

    fn from_str(text: &str) -> Result<Self, NoSuchReport> {
        if text == GONE {
            return Ok(Reported::Gone);
        }
        let answer = text.parse().map_err(|_| NoSuchReport(text.to_owned()))?;
        Ok(Reported::Answer(answer))
    }
}

impl Serialize for Reported {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reported {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_what_it_was_written_as() {
        let words = Reported::words();
        assert_eq!(words.len(), 3 * 17 + 1);
        for word in words {
            let report: Reported = word.parse().unwrap();
            assert_eq!(report.to_string(), word);
            let json = serde_json::to_string(&report).unwrap();
            assert_eq!(serde_json::from_str::<Reported>(&json).unwrap(), report);
        }
    }
}
