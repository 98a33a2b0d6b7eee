//! What a kernel wrote during a case.

use halfway_case::observation::Observation;
use halfway_crash::Report;
use halfway_protocol::message::KernelMessage;
use std::fmt::Write;

/// The reports in it. Those of the log come first: it has all lines of a report of a
/// kernel that lives, whose console has only the urgent ones.
pub fn reports(seen: &Observation) -> Vec<Report> {
    let (log, left) = (log(seen), &seen.left);
    let of_log: Vec<&str> = log.iter().map(|message| message.text.as_str()).collect();
    let left_log: Vec<&str> = (left.log.iter())
        .map(|message| message.text.as_str())
        .collect();
    let texts = [of_log.join("\n"), left_log.join("\n")];
    let texts = texts.iter().map(String::as_str);
    let texts = texts.chain([seen.console.as_str(), left.console.as_str()]);
    texts.flat_map(halfway_crash::decode).collect()
}

/// The case's text as a console shows it on which every message is printed.
pub fn console(seen: &Observation) -> String {
    let mut text = format!("[    0.000000] Linux version {}\n", seen.release);
    for message in log(seen) {
        let (seconds, micros) = (message.micros / 1_000_000, message.micros % 1_000_000);
        for line in message.text.lines() {
            let _ = writeln!(text, "[{seconds:>5}.{micros:06}] {line}");
        }
    }
    text + &seen.console
}

fn log(seen: &Observation) -> Vec<&KernelMessage> {
    let mut log: Vec<&KernelMessage> = seen.around.iter().chain(&seen.seen.log).collect();
    log.sort_by_key(|message| message.micros);
    log
}
