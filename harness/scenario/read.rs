//! From TOML to [`File`](super::file::File). Reports every mistake on the way.

use super::error::Report;
use super::file::{self, Range, Table};
use super::suggest::{alternatives, nearest};
use super::sweep::{At, Given, List, Sweep};
use super::value::{Mismatch, OFFSETS, Offset, Value, found, unknown_word};
use halfway_case::limits;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What can stand behind a key. A value that is refused is reported, and then
/// read as something that causes no further reports.
pub(super) trait Read {
    /// Reads the value of `key`.
    fn read(key: &str, value: &Spanned<DeValue<'_>>, report: &mut Report) -> Self;
}

/// How messages name the table without a header.
const TOP: &str = "the scenario itself";

/// Reads a whole file; `None` if it is not even TOML.
pub(super) fn read(source: &str, report: &mut Report) -> Option<file::File> {
    let (document, errors) = DeTable::parse_recoverable(source);
    for error in &errors {
        let problem = report.problem(format!("not TOML: {}", error.message()));
        if let Some(span) = error.span() {
            problem.at(span, "here");
        }
    }
    errors
        .is_empty()
        .then(|| table(TOP, document.get_ref(), report))
}

fn table<T: Table>(header: &str, entries: &DeTable<'_>, report: &mut Report) -> T {
    let mut table = T::default();
    for (key, value) in entries {
        let name = key.get_ref().as_ref();
        if T::KEYS.contains(&name) {
            table.set(name, value, report);
            continue;
        }
        let problem = report.problem(format!("there is no key `{name}` in {header}"));
        problem.at(key.span(), "unknown key");
        if let Some(home) = home(name).filter(|home| *home != header) {
            problem.help(match home {
                TOP => format!("`{name}` belongs above the first table"),
                home => format!("`{name}` belongs in {home}"),
            });
        } else if let Some(meant) = nearest(name, T::KEYS) {
            problem.help(format!("did you mean `{meant}`?"));
        } else {
            problem.help(format!("its keys are {}", alternatives(T::KEYS)));
        }
    }
    table
}

/// The table that has this key.
fn home(key: &str) -> Option<&'static str> {
    [
        (TOP, file::File::KEYS),
        ("`[stack]`", file::Stack::KEYS),
        ("`[legs]`", file::Legs::KEYS),
        ("`[io]`", file::Io::KEYS),
        ("`[[fault]]`", file::Fault::KEYS),
        ("`[[hold]]`", file::Hold::KEYS),
        ("`[soak]`", file::Soak::KEYS),
    ]
    .into_iter()
    .find(|(_, keys)| keys.contains(&key))
    .map(|(header, _)| header)
}

impl<T: Table> Read for T {
    fn read(key: &str, value: &Spanned<DeValue<'_>>, report: &mut Report) -> Self {
        match value.get_ref() {
            DeValue::Table(entries) => table(&format!("`[{key}]`"), entries, report),
            other => {
                let problem =
                    report.problem(format!("`{key}` must be a table, not {}", found(other)));
                problem.at(value.span(), "not a table");
                problem.help(format!("write `[{key}]` on a line of its own"));
                T::default()
            }
        }
    }
}

impl<T: Table> Read for Vec<Given<T>> {
    fn read(key: &str, value: &Spanned<DeValue<'_>>, report: &mut Report) -> Self {
        let entries = match value.get_ref() {
            DeValue::Array(entries) => entries.iter(),
            _ => {
                let problem = report.problem(format!("there can be several `{key}` tables"));
                problem.at(value.span(), "this is a single one");
                problem.help(format!("write `[[{key}]]`, with two brackets"));
                return Vec::new();
            }
        };
        entries
            .filter_map(|entry| match entry.get_ref() {
                DeValue::Table(entries) => Some(Given {
                    value: table(&format!("`[[{key}]]`"), entries, report),
                    span: Some(entry.span()),
                }),
                other => {
                    let problem =
                        report.problem(format!("a `{key}` must be a table, not {}", found(other)));
                    problem.at(entry.span(), "not a table");
                    problem.help(format!("write `[[{key}]]`, and its keys below it"));
                    None
                }
            })
            .collect()
    }
}

fn refuse(key: &str, value: &Spanned<DeValue<'_>>, mismatch: Mismatch, report: &mut Report) {
    let found = found(value.get_ref());
    let problem = report.problem(format!(
        "`{key}` must be {}, not {found}",
        mismatch.expected
    ));
    problem.at(value.span(), "this value");
    problem.help = mismatch.help;
}

fn one<T: Value>(key: &str, value: &Spanned<DeValue<'_>>, report: &mut Report) -> Option<Given<T>> {
    match T::from_toml(value.get_ref()) {
        Ok(read) => Some(Given {
            value: read,
            span: Some(value.span()),
        }),
        Err(mismatch) => {
            refuse(key, value, mismatch, report);
            None
        }
    }
}

impl<T: Value> Read for Option<Given<T>> {
    fn read(key: &str, value: &Spanned<DeValue<'_>>, report: &mut Report) -> Self {
        one(key, value, report)
    }
}

impl<T: Value> Read for List<T> {
    fn read(key: &str, value: &Spanned<DeValue<'_>>, report: &mut Report) -> Self {
        let items = match value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| one(key, item, report))
                .collect(),
            _ => one(key, value, report).into_iter().collect(),
        };
        List {
            items,
            span: Some(value.span()),
        }
    }
}

impl<T: Value> Read for Option<Sweep<T>> {
    fn read(key: &str, value: &Spanned<DeValue<'_>>, report: &mut Report) -> Self {
        Some(Sweep::read(key, value, report))
    }
}

impl<T: Value> Read for Sweep<T> {
    fn read(key: &str, value: &Spanned<DeValue<'_>>, report: &mut Report) -> Self {
        match value.get_ref() {
            DeValue::Array(items) => {
                if items.is_empty() {
                    let problem = report.problem(format!("`{key}` runs over nothing"));
                    problem.at(value.span(), "an empty list");
                    problem.help("name at least one value, or leave the key out");
                }
                let mut values: Vec<Given<T>> = Vec::new();
                for item in items.iter() {
                    let Some(given) = one(key, item, report) else {
                        continue;
                    };
                    match values.iter().find(|known| known.value == given.value) {
                        Some(first) => {
                            let word = given.value.word();
                            report
                                .problem(format!("`{key}` runs over `{word}` twice"))
                                .value(&given, "the second time")
                                .value(first, "the first time")
                                .help("each value stands for cases of its own: name it once");
                        }
                        None => values.push(given),
                    }
                }
                Sweep(values)
            }
            DeValue::Table(entries) if T::RANGE => {
                let before = report.len();
                let range = table(&format!("the range of `{key}`"), entries, report);
                let values = match report.len() == before {
                    true => points(key, value, &range, report),
                    false => Vec::new(),
                };
                Sweep(values)
            }
            _ => Sweep(one(key, value, report).into_iter().collect()),
        }
    }
}

/// The values of a range.
fn points<T: Value>(
    key: &str,
    value: &Spanned<DeValue<'_>>,
    range: &Range,
    report: &mut Report,
) -> Vec<Given<T>> {
    let step = range.step.as_ref().map_or(1, |step| step.value);
    let (Some(from), Some(to)) = (&range.from, &range.to) else {
        let problem = report.problem(format!("the range of `{key}` has no end"));
        problem.at(value.span(), "this range");
        problem.help("a range is { from = 0, to = 511 } or { from = 0, to = 511, step = 8 }");
        return Vec::new();
    };
    if step == 0 {
        let problem = report.problem(format!("the range of `{key}` does not move"));
        problem.at(value.span(), "its step is 0");
        return Vec::new();
    }
    if from.value > to.value {
        let problem = report.problem(format!("`{key}` runs over nothing"));
        problem.value(from, "from here");
        problem.value(to, "up to here");
        problem.help("`from` and `to` are both part of the range, and `from` comes first");
        return Vec::new();
    }
    if (to.value - from.value) / step >= limits::CASES as u64 {
        let problem = report.problem(format!(
            "the range of `{key}` has more than {} values",
            limits::CASES
        ));
        problem.at(value.span(), "this range");
        return Vec::new();
    }
    (from.value..=to.value)
        .step_by(step as usize)
        .map_while(|number| match T::from_number(number) {
            Some(value_) => Some(Given {
                value: value_,
                span: Some(value.span()),
            }),
            None => {
                let problem = report.problem(format!("`{key}` cannot be {number}"));
                problem.at(value.span(), "this range");
                None
            }
        })
        .collect()
}

impl Read for At {
    fn read(key: &str, value: &Spanned<DeValue<'_>>, report: &mut Report) -> Self {
        match value.get_ref().as_str() {
            Some("every") => At::Every(value.span()),
            Some("same") => At::Same(value.span()),
            Some(word) if !OFFSETS.contains(&word) => {
                let words = ["every", "same", "first", "middle", "last"];
                let expected = format!("an offset in sectors, {}", alternatives(&words));
                let mismatch = unknown_word(expected, value.get_ref(), &words);
                refuse(key, value, mismatch, report);
                At::Offsets(Sweep(Vec::new()))
            }
            _ => At::Offsets(Sweep::<Offset>::read(key, value, report)),
        }
    }
}
