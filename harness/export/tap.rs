//! TAP 14: one flat list, and for each case that did not pass a block of YAML.

use super::COMPLETE;
use super::standing::Standing;
use crate::results::{Ended, Ran, text};
use std::io::{self, Write};

pub fn write(runs: &[Ran], out: &mut dyn Write) -> io::Result<()> {
    let more: usize = runs.iter().filter(|run| run.incomplete().is_some()).count();
    let plan = more + runs.iter().map(|run| run.cases.len()).sum::<usize>();
    writeln!(out, "TAP version 14\n1..{plan}")?;
    let mut number = 0;
    for run in runs {
        writeln!(out, "# {}", text::line(&run.title()))?;
        for note in &run.notes {
            writeln!(out, "# {}", text::line(note))?;
        }
        for case in &run.cases {
            number += 1;
            test(number, case, out)?;
        }
        if let Some(why) = run.incomplete() {
            number += 1;
            writeln!(out, "not ok {number} - {COMPLETE}")?;
            block(&[("outcome", "infrastructure"), ("message", &why)], out)?;
        }
    }
    Ok(())
}

fn test(number: usize, case: &Ended, out: &mut dyn Write) -> io::Result<()> {
    let id = escape(&case.id);
    let standing = Standing::of(case.outcome);
    match standing {
        Standing::Passed => writeln!(out, "ok {number} - {id}")?,
        Standing::Skipped => {
            let why = escape(&case.reason);
            writeln!(out, "ok {number} - {id} # SKIP {}: {why}", case.outcome)?;
        }
        Standing::Failed | Standing::Errored => {
            writeln!(out, "not ok {number} - {id}")?;
            let signature = case.signature.as_ref().map(ToString::to_string);
            let keys = [
                ("outcome", case.outcome.to_string()),
                ("message", text::line(&case.reason).into_owned()),
                ("signature", signature.unwrap_or_default()),
                ("duration_ms", case.millis.to_string()),
            ];
            let keys: Vec<_> = keys
                .iter()
                .map(|(key, value)| (*key, value.as_str()))
                .collect();
            block(&keys, out)?;
        }
    }
    Ok(())
}

/// A JSON string is a YAML string, whatever is in it.
fn block(keys: &[(&str, &str)], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  ---")?;
    for (key, value) in keys {
        writeln!(out, "  {key}: {}", serde_json::to_string(value)?)?;
    }
    writeln!(out, "  ...")
}

fn escape(text: &str) -> String {
    text::line(text).replace('\\', "\\\\").replace('#', "\\#")
}
