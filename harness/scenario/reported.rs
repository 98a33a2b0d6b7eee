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
    /// The command is not answered, and an operator takes the disk offline before
    /// he resets it. (Where he only resets it, `no-answer` is an answer as above.)
    Offline(Part),
    /// The HBA is gone: all commands to the leg are answered with a bad target; with
    /// a part from the first one on that covers the bad sector, a part of which is
    /// done.
    Gone(Part),
}

const OFFLINE: &str = "no-answer-offline";
const GONE: &str = "gone";

impl Default for Reported {
    /// A medium error with INFORMATION.
    fn default() -> Self {
        Reported::Answer(halfway_target::Report::of(Failure::MediumError))
    }
}

impl Reported {
    /// What a command that covers the bad sector is answered with, where it is not
    /// that of any command.
    pub fn answer(self) -> Option<halfway_target::Report> {
        let failing = |part, failure| Some(halfway_target::Report { part, failure });
        match self {
            Reported::Answer(report) => Some(report),
            Reported::Offline(part) => failing(part, Failure::NoAnswer),
            Reported::Gone(Part::Nothing) => None,
            Reported::Gone(part) => failing(part, Failure::BadTarget),
        }
    }

    /// Whether the HBA is, or will be, gone.
    pub fn is_gone(self) -> bool {
        matches!(self, Reported::Gone(_))
    }

    /// Whether an operator takes the disk offline.
    pub fn is_offline(self) -> bool {
        matches!(self, Reported::Offline(_))
    }

    /// Whether there is a command without an answer.
    pub fn is_silent(self) -> bool {
        let answer = self.answer();
        answer.is_some_and(|answer| answer.failure == Failure::NoAnswer)
    }

    /// All that there are.
    pub fn words() -> Vec<String> {
        let answers = Part::ALL.into_iter().flat_map(|part| {
            Failure::ALL.map(|failure| halfway_target::Report { part, failure }.to_string())
        });
        let others = Part::ALL
            .into_iter()
            .flat_map(|part| [Reported::Offline(part), Reported::Gone(part)]);
        answers
            .chain(others.map(|other| other.to_string()))
            .collect()
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reported::Answer(report) => report.fmt(f),
            Reported::Offline(part) => write!(f, "{}{OFFLINE}", part.prefix()),
            Reported::Gone(part) => write!(f, "{}{GONE}", part.prefix()),
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
        match Part::split(text) {
            (part, OFFLINE) => return Ok(Reported::Offline(part)),
            (part, GONE) => return Ok(Reported::Gone(part)),
            _ => {}
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
        assert_eq!(words.len(), 3 * (17 + 2));
        for word in words {
            let report: Reported = word.parse().unwrap();
            assert_eq!(report.to_string(), word);
            let json = serde_json::to_string(&report).unwrap();
            assert_eq!(serde_json::from_str::<Reported>(&json).unwrap(), report);
        }
    }
}
