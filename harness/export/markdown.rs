//! Plain text for a mail to a list: fewer than 72 columns, with a command that repeats
//! the first case of each cause.

use super::standing::Standing;
use crate::results::{Ran, text};
use std::io::{self, Write};
use textwrap::{Options, WordSplitter};

const WIDTH: usize = 70;

pub fn write(runs: &[Ran], out: &mut dyn Write) -> io::Result<()> {
    for run in runs {
        let manifest = &run.manifest;
        let title = run.title();
        writeln!(
            out,
            "{}\n{}\n",
            wrap(&title, ""),
            "=".repeat(title.len().min(WIDTH))
        )?;
        let version = &manifest.kernel.version;
        let origin = format!("Kernel: {} {version}", manifest.kernel.release);
        let qemu = &manifest.qemu.version;
        let host = format!("QEMU: {qemu}, {}", manifest.acceleration.accelerator);
        let result = format!("Result: {} of {} cases", run.tally(), manifest.whole);
        for line in [&origin, &host, &result] {
            writeln!(out, "{}", wrap(&format!("- {line}"), "  "))?;
        }
        if let Some(why) = run.incomplete() {
            writeln!(out, "{}", wrap(&format!("- NOT COMPLETE: {why}"), "  "))?;
        }
        for note in &run.notes {
            writeln!(out, "{}", wrap(&format!("- Note: {note}"), "  "))?;
        }
        writeln!(out)?;
        let causes = super::causes(run, |standing| standing != Standing::Passed);
        for cases in causes {
            let first = cases[0];
            let number = match cases.len() {
                1 => "1 case".to_owned(),
                number => format!("{number} cases"),
            };
            let head = format!("{}, {number}: {}", first.outcome, first.reason);
            writeln!(out, "{}\n", wrap(&head, ""))?;
            writeln!(out, "{}\n", wrap(&format!("First: {}", first.id), "  "))?;
            if Standing::of(first.outcome) != Standing::Skipped {
                let file = format!("{}.toml", run.files(first));
                let words = ["halfway", "run", &file].map(str::to_owned);
                let words = [&words[..], &manifest.repeat].concat();
                writeln!(out, "{}\n", command(&text::shell(words)))?;
            }
        }
    }
    Ok(())
}

/// Breaks text into lines, also within a long word.
fn wrap(words: &str, indent: &str) -> String {
    let options = Options::new(WIDTH)
        .subsequent_indent(indent)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(&text::line(words), options)
}

/// A command in lines of a code block. A shell joins them again, also within a word.
fn command(line: &str) -> String {
    let characters: Vec<char> = line.chars().collect();
    let lines = characters
        .chunks(WIDTH - 6)
        .map(|piece| piece.iter().collect());
    let lines: Vec<String> = lines.collect();
    format!("    {}", lines.join("\\\n"))
}
