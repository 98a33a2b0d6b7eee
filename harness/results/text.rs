//! Prepares text for output: command lines for a shell, foreign text for a terminal.

use std::borrow::Cow;

/// Joins `words` so that a POSIX shell splits the line into the same words again.
pub fn shell<I, S>(words: I) -> String
where
    I: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    let quoted: Vec<_> = words
        .into_iter()
        .map(|word| quote(word.as_ref()).into_owned())
        .collect();
    quoted.join(" ")
}

/// `shlex` quotes every character that some shell might treat specially. The characters
/// of case ids are harmless within a word, and a path is easier to read and copy without
/// quotes.
fn quote(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@=,._-+:/%".contains(&byte);
    if !word.is_empty() && !word.starts_with('=') && word.bytes().all(plain) {
        return word.into();
    }
    // An argument cannot hold a NUL. Text that holds one is only shown, so it need not
    // run.
    shlex::try_quote(word).unwrap_or_else(|_| word.escape_debug().to_string().into())
}

/// One line of `text` that may come from a guest. Control characters are escaped, so that
/// they cannot move the terminal's cursor.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.trim_end().chars() {
        match character {
            '\n' | '\r' | '\t' => out.push(' '),
            other if other.is_control() => out.extend(other.escape_default()),
            other => out.push(other),
        }
    }
    out.into()
}

/// Like [`line`], but keeps line breaks and tabs. A console's carriage returns are
/// removed.
pub fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\r' => {}
            '\n' | '\t' => out.push(character),
            other if other.is_control() => out.extend(other.escape_default()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[test]
    fn case_paths_need_no_quotes() {
        let path = "results/runs/2026-11-22T17-04-05Z-3f2a/cases/read@leg=0,sector=2300.toml";
        assert_eq!(
            shell(["halfway", "run", path]),
            format!("halfway run {path}")
        );
    }

    #[rstest]
    #[case::plain("BUG at 3", "BUG at 3")]
    #[case::lines("a\r\nb\n", "a  b")]
    #[case::clear_screen("a\x1b[2Jb", "a\\u{1b}[2Jb")]
    fn one_line_stays_one_line(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(line(text), expected);
    }

    #[test]
    fn a_console_keeps_its_lines() {
        assert_eq!(lines("a\r\n\tb\x07\n"), "a\n\tb\\u{7}\n");
    }

    proptest! {
        #[test]
        fn a_shell_gets_the_same_words(words in proptest::collection::vec("[^\0]*", 0..5)) {
            prop_assert_eq!(shlex::split(&shell(&words)), Some(words));
        }
    }
}
