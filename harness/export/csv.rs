//! A row for each case.

use super::COMPLETE;
use crate::results::Ran;
use std::io;

const HEADING: [&str; 10] = [
    "record",
    "kernel",
    "accelerator",
    "scenario",
    "id",
    "outcome",
    "reason",
    "signature",
    "milliseconds",
    "attempt",
];

pub fn write(runs: &[Ran], out: &mut dyn io::Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(HEADING)?;
    for run in runs {
        let manifest = &run.manifest;
        let on = [
            &run.path,
            &manifest.kernel.release,
            &manifest.acceleration.accelerator,
        ];
        for case in &run.cases {
            let signature = case.signature.as_ref().map(ToString::to_string);
            let of_case = [
                case.scenario.clone(),
                case.id.clone(),
                case.outcome.to_string(),
                case.reason.clone(),
                signature.unwrap_or_default(),
                case.millis.to_string(),
                case.attempt.to_string(),
            ];
            rows.write_record(on.into_iter().chain(&of_case))?;
        }
        if let Some(why) = run.incomplete() {
            let row = ["halfway", COMPLETE, "infrastructure", &why, "", "", ""];
            rows.write_record(on.into_iter().map(String::as_str).chain(row))?;
        }
    }
    rows.flush()
}
