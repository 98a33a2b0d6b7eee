//! From a text as people send it to the kernel's own lines.
//!
//! A console puts time stamps, levels and callers before its lines; a journal
//! puts more there; a mail quotes, wraps and encodes lines; a terminal colours
//! them. All of that is removed, so that the forms of [`crate::form`] see what
//! the kernel printed.

use crate::pattern::regex;
use regex::Regex;
use std::sync::LazyLock;

/// How many bytes of a text are read; a longer text is no report.
pub const TEXT: usize = 4 << 20;

/// How many characters of a line are read.
pub const LINE: usize = 2048;

/// One line of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What the kernel printed.
    pub text: String,
    /// The context that printed it: a task (`T123`) or a processor (`C0`).
    /// `None` if the kernel does not say (`CONFIG_PRINTK_CALLER`).
    pub caller: Option<String>,
    /// Number of the line in the text, from 1.
    pub number: usize,
    /// Whether the line had a time stamp, a level, or another mark of a kernel
    /// log.
    pub marked: bool,
}

/// Escape sequences that control a terminal.
static ESCAPE: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)?|[@-Z\\^_]?)")
});

static QUOTE: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?:\s?[>|]\s?)+"));

/// What syslog, journald and `dmesg -T` put before a line, and dates in the
/// text itself.
static STAMP: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s*(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)? \S+ (?:kern\.\w+ )?kernel: ?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S* \S+ (?:kern\.\w+ )?kernel: ?|\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d\S* |kernel: ?|kern +:\w+ +: ?|<\d{1,3}>|\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\] ?|\[ *\d+\.\d{3,9}(?:[ ,<+].{0,24})?\] ?|\[ *\+\d+\.\d+\] ?)",
    )
});

/// A stamp that has something else before it on its line.
static INNER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?:<\d{1,3}>)?\[ *\d{1,7}\.\d{6}\](?:\[ *[TC]\d+\])? "));

static CALLER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\[ *([TC]\d{1,8})\] ?|^ ?\[\d: *[^\]]{1,20}: *\d+\] ?"));

/// The kernel's lines in a text.
pub fn lines(text: &str) -> Vec<Line> {
    let text = head(text, TEXT);
    let decoded = quoted_printable(text);
    let text = decoded.as_deref().unwrap_or(text);
    let mut out: Vec<Line> = Vec::new();
    let mut wide = 0;
    for (index, raw) in text.split('\n').enumerate() {
        let raw = head(raw, LINE);
        let line = clean(raw, index + 1);
        // Many empty lines say no more than one.
        if line.text.is_empty() && out.last().is_some_and(|before| before.text.is_empty()) {
            wide = 0;
            continue;
        }
        // A mail client has wrapped the line: its rest follows a marked line
        // and has no mark.
        if let Some(before) = out.last_mut()
            && before.marked
            && !line.marked
            && wide >= 60
            && continues(&before.text, &line.text)
        {
            before.text.push(' ');
            before.text.push_str(line.text.trim());
            wide = 0;
            continue;
        }
        wide = raw.trim_end().len();
        out.push(line);
    }
    out
}

/// Whether `next` looks like the rest of `line`, and not like a line of its
/// own.
fn continues(line: &str, next: &str) -> bool {
    static OWN: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"^\s*$|^ |^\t|^[A-Z][A-Za-z /]{1,20}:|^executing program|^\S+\(|^-{4}|^={4}|^\*\*")
    });
    !OWN.is_match(next) && line.len() < 200
}

/// The first `most` bytes of a text at most, without cutting a character.
fn head(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn clean(raw: &str, number: usize) -> Line {
    let mut text = raw.trim_end_matches('\r').to_owned();
    if text.contains('\x1b') {
        text = ESCAPE.replace_all(&text, "").into_owned();
    }
    // The text before a carriage return is empty, or was overwritten on a
    // terminal.
    if text.contains(|c: char| c.is_control() && c != '\t') {
        text.retain(|c| !c.is_control() || c == '\t');
    }
    let mut rest = text.as_str();
    let mut marked = false;
    let mut caller = None;
    if let Some(quote) = QUOTE.find(rest) {
        rest = &rest[quote.end()..];
    }
    loop {
        if let Some(stamp) = STAMP.find(rest) {
            rest = &rest[stamp.end()..];
            marked = true;
        } else if marked && let Some(found) = CALLER.captures(rest) {
            caller = found
                .get(1)
                .map(|caller| caller.as_str().to_owned())
                .or(caller);
            rest = &rest[found.get_match().end()..];
        } else if !marked && let Some(inner) = INNER.find(rest) {
            // Before the stamp stands the end of a program's output, or a login
            // prompt.
            rest = &rest[inner.start()..];
            marked = true;
        } else {
            break;
        }
    }
    Line {
        text: rest.to_owned(),
        caller,
        number,
        marked,
    }
}

/// The decoded text of a quoted-printable mail; `None` for any other text.
fn quoted_printable(text: &str) -> Option<String> {
    // A line of nothing but `=` is the kernel's own.
    let breaks = |line: &str| {
        let line = line.trim_end_matches('\r');
        line.ends_with('=') && !line.ends_with("==")
    };
    if !text.contains("=3D") && text.lines().filter(|line| breaks(line)).count() < 2 {
        return None;
    }
    let text = text.replace("=\r\n", "").replace("=\n", "");
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|hex| {
            bytes[at] == b'=' && hex.iter().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))
        });
        let byte = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::bare("BUG: x", "BUG: x", None)]
    #[case::time("[   12.345678] BUG: x", "BUG: x", None)]
    #[case::level("<4>[   12.345678] BUG: x", "BUG: x", None)]
    #[case::caller("[   12.345678][  T312] BUG: x", "BUG: x", Some("T312"))]
    #[case::processor("[   12.345678][    C1] BUG: x", "BUG: x", Some("C1"))]
    #[case::wall("[Sat Nov 28 21:22:20 2026] BUG: x", "BUG: x", None)]
    #[case::syslog("Nov 28 21:22:20 host kernel: [   12.345678] BUG: x", "BUG: x", None)]
    #[case::journal("2026-11-28T21:22:20+00:00 host kernel: BUG: x", "BUG: x", None)]
    #[case::decoded("kern  :warn  : [   12.345678] BUG: x", "BUG: x", None)]
    #[case::quoted("> > [   12.345678] BUG: x", "BUG: x", None)]
    #[case::coloured("\x1b[1m\x1b[31m[   12.345678]\x1b[0m BUG: x\x1b[K\r", "BUG: x", None)]
    #[case::after_a_prompt("host login: [   12.345678] BUG: x", "BUG: x", None)]
    #[case::a_frame("[   12.345678]  ? f+0x1/0x2", " ? f+0x1/0x2", None)]
    fn prefixes_are_taken_off(#[case] raw: &str, #[case] text: &str, #[case] caller: Option<&str>) {
        let line = clean(raw, 1);
        assert_eq!((line.text.as_str(), line.caller.as_deref()), (text, caller));
    }

    #[test]
    fn what_a_mail_client_has_wrapped_is_one_line() {
        let text = "> [   12.345678] WARNING: CPU: 0 PID: 12 at block/bio.c:1500\n\
                    > bio_advance+0x10/0x20 [dm_mod]\n> [   12.345679] Modules linked in:\n";
        let lines = lines(text);
        assert_eq!(
            lines[0].text,
            "WARNING: CPU: 0 PID: 12 at block/bio.c:1500 bio_advance+0x10/0x20 [dm_mod]"
        );
        assert_eq!(lines[1].text, "Modules linked in:");
    }

    #[test]
    fn a_mails_encoding_is_undone() {
        let text = "[   12.345678] WARNING: CPU: 0 PID: 12 at block=\n/bio.c:1 a=3D1\n";
        assert_eq!(
            lines(text)[0].text,
            "WARNING: CPU: 0 PID: 12 at block/bio.c:1 a=1"
        );
    }
}
