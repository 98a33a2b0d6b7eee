//! KCIDB 5.3: a checkout, a build and a test for each case.

use super::COMPLETE;
use super::standing::Standing;
use crate::results::{Ended, Ran, text};
use halfway_case::Outcome;
use serde_json::{Value, json};
use std::io;
use time::format_description::well_known::Rfc3339;

/// The name under which results are sent.
const ORIGIN: &str = "halfway";

pub fn write(runs: &[Ran], out: &mut dyn io::Write) -> io::Result<()> {
    let mut checkouts = Vec::new();
    let mut builds = Vec::new();
    for run in runs {
        let manifest = &run.manifest;
        let id = build(run);
        let start = manifest
            .created
            .format(&Rfc3339)
            .map_err(io::Error::other)?;
        checkouts.push(json!({
            "id": id, "origin": ORIGIN, "start_time": start,
            "comment": manifest.kernel.origin.clone(),
        }));
        builds.push(json!({
            "id": id, "checkout_id": id, "origin": ORIGIN, "architecture": "x86_64",
            "comment": format!("{} {}", manifest.kernel.release, manifest.kernel.version),
        }));
    }
    // The tests are written one by one: a run has many.
    writeln!(out, "{{\n\"version\": {{\"major\": 5, \"minor\": 3}},")?;
    writeln!(out, "\"checkouts\": {},", Value::from(checkouts))?;
    writeln!(out, "\"builds\": {},\n\"tests\": [", Value::from(builds))?;
    let mut separator = "";
    for test in runs.iter().flat_map(tests) {
        write!(out, "{separator}{test}")?;
        separator = ",\n";
    }
    writeln!(out, "\n]\n}}")
}

/// The name of a run, and of its checkout and its build.
fn build(run: &Ran) -> String {
    let name = run.path.rsplit('/').next().unwrap_or_default();
    format!("{ORIGIN}:{name}")
}

fn tests(run: &Ran) -> impl Iterator<Item = Value> {
    let id = build(run);
    let missing = run.incomplete().map(|why| {
        json!({
            "id": format!("{id}:{COMPLETE}"), "build_id": id, "origin": ORIGIN,
            "path": format!("halfway.{COMPLETE}"), "status": "MISS", "comment": why,
        })
    });
    let cases = run.cases.iter().map(move |case| test(run, case, &id));
    cases.chain(missing)
}

fn test(run: &Ran, case: &Ended, build: &str) -> Value {
    let status = match (case.outcome, Standing::of(case.outcome)) {
        (_, Standing::Passed) => "PASS",
        (_, Standing::Failed) => "FAIL",
        (Outcome::Infrastructure, _) => "MISS",
        (_, Standing::Errored) => "ERROR",
        (_, Standing::Skipped) => "SKIP",
    };
    json!({
        "id": format!("{build}:{}", case.id), "build_id": build, "origin": ORIGIN,
        "path": format!("halfway.{}", path(&case.id)),
        "status": status,
        "duration": case.millis as f64 / 1000.0,
        "comment": format!("{}: {}", case.outcome, text::line(&case.reason)),
        "misc": { "id": case.id, "seed": run.manifest.seed },
    })
}

/// An id as a path of KCIDB, which takes only letters, digits, `.`, `-` and `_`, and no
/// empty part. All else is written as `_` and two hexadecimal digits a byte, and so is
/// `_` itself: two ids never have one path, and [`id`] leads back.
fn path(id: &str) -> String {
    let mut path = String::with_capacity(id.len() + 16);
    let mut before = '.';
    for (place, byte) in id.bytes().enumerate() {
        let last = place + 1 == id.len();
        match byte {
            b'.' if before != '.' && !last => path.push('.'),
            b'-' => path.push('-'),
            _ if byte.is_ascii_alphanumeric() => path.push(byte as char),
            _ => path.push_str(&format!("_{byte:02x}")),
        }
        before = path.chars().next_back().unwrap_or('.');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The id that a path stands for.
    fn id(path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let mut rest = path.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            if *first == b'_' {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &rest[2..];
            } else {
                bytes.push(*first);
            }
        }
        String::from_utf8(bytes).ok()
    }

    #[test]
    fn a_path_can_be_read() {
        assert_eq!(
            path("raid1.read@at=8,leg=0"),
            "raid1.read_40at_3d8_2cleg_3d0"
        );
    }

    proptest! {
        #[test]
        fn a_path_leads_back_and_is_one_of_kcidb(text: String) {
            let path = path(&text);
            prop_assert_eq!(id(&path), Some(text));
            let allowed = regex::Regex::new("^([a-zA-Z0-9_-]+(\\.[a-zA-Z0-9_-]+)*)?$").unwrap();
            prop_assert!(allowed.is_match(&path), "{}", path);
        }
    }
}
