//! The table of functions and messages, and the scenarios that reach them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What each scenario was seen to reach: functions of the kernel, and its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// `uname -r` of the kernel on which it was measured.
    pub kernel: String,
    scenarios: Vec<String>,
    /// The scenarios that reach a function, by their place in `scenarios`.
    functions: BTreeMap<String, BTreeSet<usize>>,
    /// The scenarios in which the kernel says this, in the form of
    /// [`plain`](crate::message::plain).
    messages: BTreeMap<String, BTreeSet<usize>>,
}

/// A line of a table's text that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the table of functions: {problem}; `halfway reach` writes it anew")]
pub struct TableError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl Table {
    /// An empty table of that kernel.
    pub fn new(kernel: impl Into<String>) -> Self {
        Table {
            kernel: kernel.into(),
            ..Table::default()
        }
    }

    /// Adds functions and messages of a scenario.
    pub fn add(
        &mut self,
        scenario: &str,
        functions: impl IntoIterator<Item = String>,
        messages: impl IntoIterator<Item = String>,
    ) {
        let known = self.scenarios.iter().position(|one| one == scenario);
        let place = known.unwrap_or_else(|| {
            self.scenarios.push(scenario.to_owned());
            self.scenarios.len() - 1
        });
        for function in functions {
            self.functions.entry(function).or_default().insert(place);
        }
        for message in messages {
            self.messages.entry(message).or_default().insert(place);
        }
    }

    /// Leaves out the scenarios that `keep` does not want, and sorts the others by name.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let old = std::mem::take(self);
        let name = |place: &usize| &*old.scenarios[*place];
        self.kernel.clone_from(&old.kernel);
        let mut kept: Vec<&String> = old.scenarios.iter().filter(|one| keep(one)).collect();
        kept.sort();
        for scenario in kept {
            self.add(scenario, [], []);
        }
        for (function, places) in &old.functions {
            for scenario in places.iter().map(name).filter(|one| keep(one)) {
                self.add(scenario, [function.clone()], []);
            }
        }
        for (message, places) in &old.messages {
            for scenario in places.iter().map(name).filter(|one| keep(one)) {
                self.add(scenario, [], [message.clone()]);
            }
        }
    }

    /// The measured scenarios.
    pub fn scenarios(&self) -> impl ExactSizeIterator<Item = &str> {
        self.scenarios.iter().map(String::as_str)
    }

    /// How many functions, and how many messages, any scenario reaches.
    pub fn size(&self) -> (usize, usize) {
        (self.functions.len(), self.messages.len())
    }

    /// The message that a line begins with, if any scenario makes the kernel say it, and
    /// what follows it: a mail's next line, where lines were wrapped.
    pub fn known_message<'l>(&self, line: &'l str) -> Option<(&str, &'l str)> {
        let known = self.messages.keys();
        let begins = known.filter_map(|one| Some((one.as_str(), line.strip_prefix(&**one)?)));
        begins.max_by_key(|(message, _)| message.len())
    }

    /// The scenarios that reach a function; none if nothing reaches it.
    pub fn reaching<'a>(&'a self, function: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.named(self.functions.get(function))
    }

    /// The scenarios in which the kernel says this; none if it never does.
    pub fn saying<'a>(&'a self, message: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.named(self.messages.get(message))
    }

    fn named<'a>(
        &'a self,
        places: Option<&'a BTreeSet<usize>>,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        let places = places.into_iter().flatten();
        places.map(|place| &*self.scenarios[*place])
    }

    /// Reads what [`Table`]'s `Display` wrote.
    ///
    /// # Errors
    /// A line is not of that form.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let mut table = Table::default();
        for (index, line) in text.lines().enumerate() {
            let wrong = |problem: &str| TableError {
                line: index + 1,
                problem: problem.to_owned(),
            };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
            match (what, rest.split_once(' ')) {
                ("kernel", None) => table.kernel = rest.to_owned(),
                ("scenario", None) if !rest.is_empty() => table.scenarios.push(rest.to_owned()),
                ("function" | "message", Some((digits, name))) if !name.is_empty() => {
                    let places =
                        places(digits).ok_or_else(|| wrong("its digits are not hexadecimal"))?;
                    let last = places.last();
                    if last.is_some_and(|last| *last >= table.scenarios.len()) {
                        return Err(wrong("it names more scenarios than there are"));
                    }
                    let all = match what {
                        "function" => &mut table.functions,
                        _ => &mut table.messages,
                    };
                    all.insert(name.to_owned(), places);
                }
                _ => return Err(wrong("it is no kernel, scenario, function or message")),
            }
        }
        Ok(table)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Which functions of the kernel each scenario was seen to reach, and what the\n\
             # kernel said meanwhile. Made by `halfway reach`. The digits are hexadecimal: each\n\
             # stands for four scenarios in the order below, its lowest bit for the first.\n\
             kernel {}",
            self.kernel
        )?;
        for scenario in &self.scenarios {
            writeln!(f, "scenario {scenario}")?;
        }
        for (what, all) in [("function", &self.functions), ("message", &self.messages)] {
            for (name, places) in all {
                writeln!(f, "{what} {} {name}", digits(places, self.scenarios.len()))?;
            }
        }
        Ok(())
    }
}

fn digits(places: &BTreeSet<usize>, scenarios: usize) -> String {
    let digit = |digit: usize| {
        let bits = (0..4).filter(|bit| places.contains(&(digit * 4 + bit)));
        let value: u32 = bits.map(|bit| 1 << bit).sum();
        char::from_digit(value, 16).expect("four bits are one digit")
    };
    (0..scenarios.div_ceil(4)).map(digit).collect()
}

fn places(digits: &str) -> Option<BTreeSet<usize>> {
    let mut places = BTreeSet::new();
    for (index, digit) in digits.chars().enumerate() {
        let digit = digit.to_digit(16)?;
        let bits = (0..4).filter(|bit| digit & (1 << bit) != 0);
        places.extend(bits.map(|bit| index * 4 + bit));
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn names(expression: &'static str) -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec(expression, 0..9)
    }

    proptest! {
        #[test]
        fn a_table_survives_its_text(
            rows in proptest::collection::vec(
                ("[a-z./-]{1,9}", names("[a-z_0-9]{1,6}"), names("[a-z:, #0-9]{0,8}[a-z]")), 0..9)
        ) {
            let mut table = Table::new("6.1");
            for (scenario, functions, messages) in rows {
                table.add(&scenario, functions, messages);
            }
            prop_assert_eq!(Table::parse(&table.to_string()), Ok(table));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(function|message|scenario|kernel|#| |[a-f0-9]|\n){0,40}") {
            let _ = Table::parse(&text);
        }
    }

    #[test]
    fn what_is_left_out_is_in_no_row() {
        let strings = |text: &str| vec![text.to_owned()];
        let mut table = Table::new("6.1");
        table.add("a", strings("f"), strings("it failed"));
        table.add("b", strings("f"), strings("it hangs"));
        table.add("aa", strings("g"), []);
        table.retain(|scenario| scenario != "a");
        assert_eq!(table.scenarios().collect::<Vec<_>>(), ["aa", "b"]);
        assert_eq!(table.reaching("g").collect::<Vec<_>>(), ["aa"]);
        assert_eq!(table.reaching("f").collect::<Vec<_>>(), ["b"]);
        let found = table.known_message("it hangs here");
        assert_eq!(found, Some(("it hangs", " here")));
        assert_eq!(table.known_message("it failed"), None);
    }

    #[rstest]
    #[case::not_hexadecimal("scenario a\nfunction g f", 2)]
    #[case::too_many("scenario a\nfunction 2 f", 2)]
    #[case::nameless("scenario a\nmessage 1 ", 2)]
    #[case::unknown("what is this", 1)]
    #[case::too_long("kernel a b", 1)]
    fn a_bad_line_is_named(#[case] text: &str, #[case] line: usize) {
        assert_eq!(Table::parse(text).unwrap_err().line, line);
    }
}
