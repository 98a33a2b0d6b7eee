//! How the SCSI target reports a fault.

use crate::failure::Failure;
use crate::report::{Part, Report};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// How the SCSI target reports a fault. As text it is a word of
/// [`FaultReport::all_words`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultReport {
    /// A command that contains the bad sector gets this answer.
    Answer(Report),
    /// The command is not answered, and an operator takes the disk offline
    /// before resetting it. (Without the offline step it is
    /// [`Failure::NoAnswer`], an answer as above.)
    Offline(Part),
    /// The HBA is gone: all commands to the leg are answered with a bad target.
    /// With a part, this begins at the first command that contains the bad
    /// sector, and that part of it is done.
    Gone(Part),
}

const OFFLINE: &str = "no-answer-offline";
const GONE: &str = "gone";

impl Default for FaultReport {
    /// A medium error with INFORMATION.
    fn default() -> Self {
        FaultReport::Answer(Report::of(Failure::MediumError))
    }
}

impl FaultReport {
    /// The answer to a command that contains the bad sector; `None` if all
    /// commands get the same answer.
    pub fn answer(self) -> Option<Report> {
        let failing = |part, failure| Some(Report { part, failure });
        match self {
            FaultReport::Answer(report) => Some(report),
            FaultReport::Offline(part) => failing(part, Failure::NoAnswer),
            FaultReport::Gone(Part::Nothing) => None,
            FaultReport::Gone(part) => failing(part, Failure::BadTarget),
        }
    }

    /// Whether the HBA is gone, from the start or from the fault on.
    pub fn is_gone(self) -> bool {
        matches!(self, FaultReport::Gone(_))
    }

    /// Whether an operator takes the disk offline after it gave no answer.
    pub fn is_offline(self) -> bool {
        matches!(self, FaultReport::Offline(_))
    }

    /// Whether a command is left without an answer.
    pub fn is_silent(self) -> bool {
        let answer = self.answer();
        answer.is_some_and(|answer| answer.failure == Failure::NoAnswer)
    }

    /// All reports, as words.
    pub fn all_words() -> Vec<String> {
        let answers = Part::ALL.into_iter().flat_map(|part| {
            Failure::ALL
                .iter()
                .map(move |&failure| Report { part, failure }.to_string())
        });
        let others = Part::ALL
            .into_iter()
            .flat_map(|part| [FaultReport::Offline(part), FaultReport::Gone(part)]);
        answers
            .chain(others.map(|other| other.to_string()))
            .collect()
    }
}

impl fmt::Display for FaultReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultReport::Answer(report) => report.fmt(f),
            FaultReport::Offline(part) => write!(f, "{}{OFFLINE}", part.prefix()),
            FaultReport::Gone(part) => write!(f, "{}{GONE}", part.prefix()),
        }
    }
}

/// The text is no word of [`FaultReport::all_words`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no report")]
pub struct NoSuchFaultReport(String);

impl FromStr for FaultReport {
    type Err = NoSuchFaultReport;

    fn from_str(text: &str) -> Result<Self, NoSuchFaultReport> {
        match Part::split(text) {
            (part, OFFLINE) => return Ok(FaultReport::Offline(part)),
            (part, GONE) => return Ok(FaultReport::Gone(part)),
            _ => {}
        }
        let answer = text
            .parse()
            .map_err(|_| NoSuchFaultReport(text.to_owned()))?;
        Ok(FaultReport::Answer(answer))
    }
}

impl Serialize for FaultReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FaultReport {
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
        let words = FaultReport::all_words();
        assert_eq!(words.len(), Part::ALL.len() * (Failure::ALL.len() + 2));
        for word in words {
            let report: FaultReport = word.parse().unwrap();
            assert_eq!(report.to_string(), word);
            let json = serde_json::to_string(&report).unwrap();
            assert_eq!(serde_json::from_str::<FaultReport>(&json).unwrap(), report);
        }
    }
}
