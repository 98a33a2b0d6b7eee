//! Patterns that cost nothing until a line needs them.
//!
//! There are a hundred forms, and hardly any line begins one. So one automaton
//! looks for the words that the forms begin with, in a single pass over the
//! line. Only patterns whose words are there are compiled and tried.

use aho_corasick::AhoCorasick;
use regex::Regex;
use regex_syntax::hir::literal::Extractor;
use std::sync::OnceLock;

/// Compiles a pattern with ASCII words and digits only; Unicode ones are slow.
pub(crate) fn regex(pattern: &str) -> Regex {
    Regex::new(&ascii(pattern)).expect("the patterns are constants, and are tested")
}

fn ascii(pattern: &str) -> String {
    let pattern = pattern.replace(r"\w", "[0-9A-Za-z_]");
    pattern.replace(r"\d", "[0-9]")
}

/// A pattern that is compiled when it is first used.
pub(crate) struct Pattern {
    text: String,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            compiled: OnceLock::new(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn get(&self) -> &Regex {
        self.compiled.get_or_init(|| regex(&self.text))
    }

    pub(crate) fn is_match(&self, line: &str) -> bool {
        self.get().is_match(line)
    }

    pub(crate) fn captures<'a>(&self, line: &'a str) -> Option<regex::Captures<'a>> {
        self.get().captures(line)
    }

    /// The words with which every match begins; `None` if there are no such
    /// words, or if they are too short to exclude a line.
    fn words(&self) -> Option<Vec<String>> {
        let parsed = regex_syntax::parse(&ascii(&self.text)).ok()?;
        let words = Extractor::new().extract(&parsed);
        let words = words.literals()?.iter();
        let words = words.map(|word| String::from_utf8(word.as_bytes().to_vec()).ok());
        let words: Vec<String> = words.collect::<Option<_>>()?;
        let long = !words.is_empty() && words.iter().all(|word| word.len() >= 3);
        long.then_some(words)
    }
}

/// The words that many patterns begin with.
pub(crate) struct Beginnings {
    words: AhoCorasick,
    /// For each word, the index of the pattern that begins with it.
    owners: Vec<usize>,
    /// Patterns without such words; each line may match one.
    wordless: u128,
}

impl Beginnings {
    /// Of 128 patterns at most.
    pub(crate) fn new<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> Self {
        let (mut words, mut owners, mut wordless) = (Vec::new(), Vec::new(), 0);
        for (index, pattern) in patterns.enumerate() {
            assert!(index < 128, "a set of patterns has 128 bits");
            match pattern.words() {
                Some(found) => {
                    owners.extend(found.iter().map(|_| index));
                    words.extend(found);
                }
                None => wordless |= 1 << index,
            }
        }
        Self {
            words: AhoCorasick::new(words).expect("the words are few"),
            owners,
            wordless,
        }
    }

    /// The indices of the patterns that may match a line, in their order.
    pub(crate) fn candidates(&self, line: &str) -> impl Iterator<Item = usize> + use<> {
        let mut set = self.wordless;
        for found in self.words.find_overlapping_iter(line) {
            set |= 1 << self.owners[found.pattern().as_usize()];
        }
        (0..128).filter(move |index| set >> index & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use crate::form::FORMS;

    /// A form without words is tried on each line, and makes all of them slow.
    #[test]
    fn nearly_each_form_begins_with_words() {
        let wordless = FORMS.iter().filter(|form| form.begins.words().is_none());
        let wordless: Vec<&str> = wordless.map(|form| form.begins.as_str()).collect();
        assert!(wordless.len() <= 3, "{wordless:?}");
    }
}
