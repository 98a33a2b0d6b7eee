//! Reads a file of known failures. All mistakes are reported, with line and column.

use super::entry::{Failure, Known, Place};
use super::kernels::Range;
use super::pattern::Pattern;
use halfway_case::Outcome;
use halfway_scenario::error::Problem;
use miette::{Diagnostic, LabeledSpan, NamedSource};
use regex::Regex;
use std::io;
use std::ops::Range as Span;
use std::path::{Path, PathBuf};
use thiserror::Error;
use time::{Date, Month};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The table that an entry is.
pub const TABLE: &str = "known";
/// The keys of an entry.
const KEYS: [&str; 9] = [
    "title",
    "link",
    "cases",
    "lines",
    "signature",
    "outcome",
    "says",
    "kernels",
    "until",
];

/// A file of known failures that cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum KnownError {
    /// It cannot be read.
    #[error("failed to read the known failures in {}", path.display())]
    #[diagnostic(help("name a file of known failures; ci/README.md describes it"))]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// It has mistakes.
    #[error("{}: {} {}", source_code.name(), problems.len(), if problems.len() == 1 { "mistake" } else { "mistakes" })]
    Mistakes {
        /// The file; its name is the one to show.
        #[source_code]
        source_code: NamedSource<String>,
        /// The mistakes, in the order of the file; never empty.
        #[related]
        problems: Vec<Problem>,
    },
}

/// Reads a file. Gives its text, too.
///
/// # Errors
/// It cannot be read, or has mistakes.
pub fn read(path: &Path) -> Result<(String, Vec<Known>), KnownError> {
    let text = std::fs::read_to_string(path).map_err(|source| KnownError::Read {
        path: path.to_owned(),
        source,
    })?;
    let known = parse(&path.to_string_lossy(), &text)?;
    Ok((text, known))
}

/// Reads the text of a file called `name`.
///
/// # Errors
/// It has mistakes.
pub fn parse(name: &str, text: &str) -> Result<Vec<Known>, KnownError> {
    let mut reader = Reader {
        text,
        problems: Vec::new(),
    };
    let known = reader.file();
    if reader.problems.is_empty() {
        return Ok(known);
    }
    let place = |problem: &Problem| problem.labels.first().map_or(0, LabeledSpan::offset);
    reader.problems.sort_by_key(place);
    Err(KnownError::Mistakes {
        source_code: NamedSource::new(name, text.to_owned()).with_language("TOML"),
        problems: reader.problems,
    })
}

struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl Reader<'_> {
    fn wrong(&mut self, span: Span<usize>, message: impl Into<String>, help: &str) {
        let label = LabeledSpan::new_with_span(Some("here".to_owned()), (span.start, span.len()));
        self.problems.push(Problem {
            message: message.into(),
            labels: vec![label],
            help: (!help.is_empty()).then(|| help.to_owned()),
        });
    }

    fn file(&mut self) -> Vec<Known> {
        let text = self.text;
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let message = format!("not TOML: {}", error.message());
            self.wrong(error.span().unwrap_or(0..0), message, "");
        }
        let mut known = Vec::new();
        if !errors.is_empty() {
            return known;
        }
        for (key, value) in document.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (TABLE, DeValue::Array(entries)) => {
                    for entry in entries.iter() {
                        match entry.get_ref() {
                            DeValue::Table(table) => known.extend(self.entry(table, entry.span())),
                            _ => self.wrong(entry.span(), "an entry must be a table", WRITE),
                        }
                    }
                }
                (TABLE, _) => self.wrong(key.span(), "`known` must be an array of tables", WRITE),
                (other, _) => {
                    let message = format!("there is no `{other}` at the top of this file");
                    self.wrong(key.span(), message, WRITE);
                }
            }
        }
        known
    }

    fn entry(&mut self, table: &DeTable<'_>, header: Span<usize>) -> Option<Known> {
        let before = self.problems.len();
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !KEYS.contains(&name) {
                let message = format!("there is no key `{name}` in `[[{TABLE}]]`");
                self.wrong(
                    key.span(),
                    message,
                    &format!("its keys are {}", KEYS.join(", ")),
                );
            }
        }
        let title = self.title(table, &header);
        let link = (table.get("link")).and_then(|value| self.text(value, "link"));
        let cases = self.strings(table, "cases");
        let lines = self.strings(table, "lines");
        let lines = (lines.into_iter())
            .filter_map(|(line, span)| self.regex(&format!("(?m)^{line}"), span))
            .collect();
        let failures = self.failures(table, &header);
        let kernels = self.strings(table, "kernels");
        let kernels = kernels.into_iter().filter_map(|(range, span)| {
            let help = "such as \"6.18\" or \">=5.10, <6.12\"";
            Range::parse(&range)
                .map_err(|wrong| self.wrong(span, wrong, help))
                .ok()
        });
        let kernels = kernels.collect();
        let until = table.get("until").and_then(|value| self.date(value));
        let place = Place {
            cases: table.get("cases").map(Spanned::span),
            elements: cases.iter().map(|(_, span)| span.clone()).collect(),
            signature: table.get("signature").map(Spanned::span),
            header: header.clone(),
        };
        for (pattern, span) in &cases {
            if pattern.is_empty() {
                self.wrong(span.clone(), "a case's id is not empty", "");
            }
        }
        let known = Known {
            title,
            link,
            cases: cases.iter().map(|(id, _)| Pattern::new(id)).collect(),
            lines,
            failures,
            kernels,
            until,
            line: 1 + self.text[..header.start].matches('\n').count(),
            place,
        };
        (self.problems.len() == before).then_some(known)
    }

    fn title(&mut self, table: &DeTable<'_>, header: &Span<usize>) -> String {
        const WHY: &str = "say in one line why the cases fail";
        match table.get("title") {
            None => self.wrong(header.clone(), "the entry has no `title`", WHY),
            Some(value) => match self.text(value, "title") {
                Some(title) if !title.trim().is_empty() && !title.contains('\n') => return title,
                Some(_) => self.wrong(value.span(), "the title must be one line", WHY),
                None => {}
            },
        }
        String::new()
    }

    /// How the cases fail: `signature`, or `outcome` and `says`.
    fn failures(&mut self, table: &DeTable<'_>, header: &Span<usize>) -> Vec<Failure> {
        const HOW: &str = "give a `signature`, or an `outcome` and what it `says`";
        let signatures = self.strings(table, "signature");
        match (
            table.get("signature"),
            table.get("outcome"),
            table.get("says"),
        ) {
            (Some(value), None, None) => {
                if signatures.is_empty() {
                    self.wrong(value.span(), "there is no signature in it", HOW);
                }
                let mut failures = Vec::new();
                for (signature, span) in signatures {
                    let word = signature.split(": ").next().unwrap_or_default();
                    if self.outcome(word, span).is_some() {
                        failures.push(Failure::Signature(signature));
                    }
                }
                failures
            }
            (None, Some(outcome), Some(says)) => {
                let word = self.text(outcome, "outcome").unwrap_or_default();
                let outcome = self.outcome(&word, outcome.span());
                let pattern = self.text(says, "says").unwrap_or_default();
                let says = self.regex(&pattern, says.span());
                let both = outcome.zip(says);
                both.map(|(outcome, says)| Failure::Says(outcome, says))
                    .into_iter()
                    .collect()
            }
            _ => {
                self.wrong(
                    header.clone(),
                    "the entry does not say how its cases fail",
                    HOW,
                );
                Vec::new()
            }
        }
    }

    /// An outcome that can be known of a kernel.
    fn outcome(&mut self, word: &str, span: Span<usize>) -> Option<Outcome> {
        const HELP: &str = "fail, crash, hang, inconclusive, finding or skipped";
        match Outcome::of_word(word) {
            None => self.wrong(span, format!("{word:?} is no outcome"), HELP),
            Some(Outcome::Pass) => self.wrong(span, "a pass is no failure", HELP),
            Some(Outcome::Infrastructure) => {
                self.wrong(span, "a failure of the host says nothing of a kernel", HELP);
            }
            Some(outcome) => return Some(outcome),
        }
        None
    }

    fn regex(&mut self, pattern: &str, span: Span<usize>) -> Option<Regex> {
        match Regex::new(pattern) {
            Ok(regex) => Some(regex),
            Err(error) => {
                // The parser's last line says what is wrong; those before it show where.
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default();
                let why = why.trim_start_matches("error: ").to_owned();
                self.wrong(span, format!("not a regular expression: {why}"), "");
                None
            }
        }
    }

    fn date(&mut self, value: &Value<'_>) -> Option<Date> {
        let date = match value.get_ref() {
            DeValue::Datetime(given) if given.time.is_none() => given.date.and_then(|date| {
                let month = Month::try_from(date.month).ok()?;
                Date::from_calendar_date(i32::from(date.year), month, date.day).ok()
            }),
            _ => None,
        };
        if date.is_none() {
            let help = "the last day on which it counts, without quotes: until = 2027-06-30";
            self.wrong(value.span(), "`until` must be a date", help);
        }
        date
    }

    fn text(&mut self, value: &Value<'_>, key: &str) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.wrong(
                    value.span(),
                    format!("`{key}` must be a text in quotes"),
                    "",
                );
                None
            }
        }
    }

    /// A text or a list of texts, with their places.
    fn strings(&mut self, table: &DeTable<'_>, key: &str) -> Vec<(String, Span<usize>)> {
        let Some(value) = table.get(key) else {
            return Vec::new();
        };
        let values: Vec<&Value<'_>> = match value.get_ref() {
            DeValue::Array(values) => values.iter().collect(),
            _ => vec![value],
        };
        if values.is_empty() {
            let help = "leave the key out where it does not matter";
            self.wrong(value.span(), format!("`{key}` is empty"), help);
        }
        let texts = values.into_iter().filter_map(|value| {
            let text = self.text(value, key)?;
            Some((text, value.span()))
        });
        texts.collect()
    }
}

const WRITE: &str = "write `[[known]]`, and the keys of one cause below it";
