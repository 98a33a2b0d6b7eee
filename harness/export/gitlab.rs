//! GitLab's code quality report: an issue for each case that did not pass.

use super::COMPLETE;
use super::standing::Standing;
use crate::results::{Ran, text};
use halfway_case::Outcome;
use serde::Serialize;
use std::io;

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

pub fn write(runs: &[Ran], out: &mut dyn io::Write) -> io::Result<()> {
    let mut issues = Vec::new();
    for run in runs {
        let release = &run.manifest.kernel.release;
        for case in &run.cases {
            let severity = match (case.outcome, Standing::of(case.outcome)) {
                (_, Standing::Passed) | (Outcome::Skipped, _) => continue,
                (Outcome::Finding, _) => "info",
                (Outcome::Crash, _) => "blocker",
                (_, Standing::Failed) => "critical",
                _ => "major",
            };
            let reason = text::line(&case.reason);
            // GitLab compares fingerprints: the same failure of the same case is one.
            let signature = case.signature.as_ref().map(ToString::to_string);
            issues.push(Issue {
                description: format!("{}: {}: {reason}", case.outcome, case.id),
                check_name: format!("halfway/{}", case.outcome),
                fingerprint: format!("{release} {} {}", case.id, signature.unwrap_or_default()),
                severity,
                location: Location::of(format!("{}.toml", run.files(case))),
            });
        }
        issues.extend(run.incomplete().map(|why| Issue {
            description: format!("{}: {why}", run.title()),
            check_name: "halfway/infrastructure".to_owned(),
            fingerprint: format!("{release} {COMPLETE}"),
            severity: "major",
            location: Location::of(format!("{}/{}", run.path, crate::results::EVENTS)),
        }));
    }
    serde_json::to_writer_pretty(&mut *out, &issues)?;
    writeln!(out)
}

impl Location {
    fn of(path: String) -> Self {
        // GitLab refuses paths that begin with `./`.
        let path = path.strip_prefix("./").map(str::to_owned).unwrap_or(path);
        Location {
            path,
            lines: Lines { begin: 1 },
        }
    }
}
