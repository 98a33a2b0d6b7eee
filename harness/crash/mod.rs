//! Console text -> crash signature.
//!
//! A kernel's last words differ from run to run (addresses, times, task
//! names), so a crash is known by a *title* made from the words that stay.

mod formats;
#[cfg(test)]
mod measure;
#[cfg(test)]
pub(crate) mod samples;

use formats::{FORMATS, Format};
use regex::Captures;

/// What a kernel's text says went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Stable from run to run, such as `kernel BUG at drivers/md/dm-io.c`.
    pub title: String,
    /// The lines around it.
    pub excerpt: String,
    /// Whether the kernel goes on after it, as after a warning.
    pub survivable: bool,
}

/// Lines of text that follow a crash's first line and belong to it.
const EXCERPT: usize = 40;

/// The most telling crash in `text`, if there is one.
pub fn find(text: &str) -> Option<Crash> {
    find_in(&[text])
}

/// The most telling crash in texts of one kernel, if there is one; the first text
/// is quoted where several have it. It is survivable only if all of them are: a
/// warning may be followed by the panic that it causes.
pub fn find_in(texts: &[&str]) -> Option<Crash> {
    let mut found = FORMATS
        .iter()
        .flat_map(|format| texts.iter().map(move |text| (format, *text)))
        .filter_map(|(format, text)| Some((format, text, first(format, text)?)));
    let (format, text, captures) = found.next()?;
    let survivable = format.survivable && found.all(|(other, ..)| other.survivable);
    let what = captures
        .name("what")
        .map_or("", |what| what.as_str().trim());
    let from = line_start(text, captures.get_match().start());
    let excerpt: Vec<&str> = text[from..].lines().take(EXCERPT).collect();
    Some(Crash {
        title: format.title.replace("{}", what),
        excerpt: excerpt.join("\n"),
        survivable,
    })
}

/// The first line of that form.
fn first<'t>(format: &Format, text: &'t str) -> Option<Captures<'t>> {
    format.pattern.captures_iter(text).find(|captures| {
        let line = &text[line_start(text, captures.get_match().start())..];
        let line = line.lines().next().unwrap_or_default();
        let except = format.except.as_ref();
        !except.is_some_and(|except| except.is_match(line))
    })
}

/// Where the line begins in which `at` lies.
fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[test]
    fn texts_have_titles() {
        for (text, title, survivable) in samples::COMPLAINTS {
            let found = find(text).map(|crash| (crash.title, crash.survivable));
            assert_eq!(found, Some(((*title).to_owned(), *survivable)), "{text}");
        }
    }

    /// Prefixes that a console or a log may have.
    #[rstest]
    #[case::time("[    3.217654] ")]
    #[case::level("<4>[    3.217654] ")]
    #[case::caller("[    3.217654][  T312] ")]
    #[case::carriage_return("login: \r\n[    3.217654][    C1] ")]
    fn titles_do_not_depend_on_what_is_before(#[case] prefix: &str) {
        for (text, title, _) in samples::COMPLAINTS {
            let found = find(&format!("{prefix}{text}\r\n")).map(|crash| crash.title);
            assert_eq!(found.as_deref(), Some(*title), "{text}");
        }
    }

    #[test]
    fn ordinary_texts_have_none() {
        for text in samples::ORDINARY {
            assert_eq!(find(text), None, "{text}");
            assert_eq!(find(&format!("[    1.234567] {text}\n")), None, "{text}");
        }
    }

    #[test]
    fn a_warning_that_ends_in_a_panic_is_not_survived() {
        let log = "WARNING: possible recursive locking detected";
        let console = "Kernel panic - not syncing: kernel: panic_on_warn set ...";
        for texts in [&[format!("{log}\n{console}").as_str()][..], &[log, console]] {
            let crash = find_in(texts).unwrap();
            assert_eq!(crash.title, "lockdep: possible recursive locking");
            assert!(!crash.survivable);
        }
    }

    #[test]
    fn the_cause_comes_before_its_echo() {
        let text = "Kernel panic - not syncing: Fatal exception\nkernel BUG at block/bio.c:9!";
        assert_eq!(find(text).unwrap().title, "kernel BUG at block/bio.c");
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "(\\PC|\n){0,200}") {
            let _ = find(&text);
        }
    }
}
