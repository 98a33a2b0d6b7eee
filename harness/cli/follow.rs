//! Passes the events of a run first to the record and then to the terminal, and stops the
//! run when it must not go on.

use crate::report::Terminal;
use crate::results::{RecordError, Recorder};
use crate::runner::event::Stamped;
use std::io::Write;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

/// Follows a run until its events end. Sets `stop` when the record cannot be written, or
/// when `max_failures` cases have neither passed nor been skipped. The runner then
/// finishes its cases in flight and ends.
///
/// # Errors
/// The record could not be written. It holds all events up to that point.
pub async fn follow<W: Write>(
    mut events: UnboundedReceiver<Stamped>,
    recorder: &mut Recorder,
    terminal: &mut Terminal<W>,
    stop: &watch::Sender<bool>,
    max_failures: Option<u64>,
) -> Result<(), RecordError> {
    let mut stopped = stop.subscribe();
    let before = terminal.summary().tally().troubles();
    let mut failed = None;
    let mut stopping = false;
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { break };
                if failed.is_none() && let Err(error) = recorder.event(&event) {
                    terminal.record_failed(&error);
                    failed = Some(error);
                    stopping = true;
                    stop.send_replace(true);
                }
                terminal.event(&event);
            }
            Ok(_) = stopped.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                terminal.remark(
                    "stopping after the cases in flight; once more ends them where they stand",
                );
            }
        }
        let failures = terminal.summary().tally().troubles() - before;
        if !stopping && max_failures.is_some_and(|max| failures >= max) {
            stopping = true;
            terminal.remark(&format!(
                "{failures} did not pass: the run is stopped (--max-failures)"
            ));
            stop.send_replace(true);
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Options;
    use crate::results::{Keep, Record, Summary, canned};
    use anstream::StripStream;
    use tokio::sync::mpsc::unbounded_channel;

    /// Follows the canned run. Nothing reacts to the request to stop here; a runner
    /// would.
    fn followed(
        recorder: &mut Recorder,
        max: Option<u64>,
    ) -> (Result<(), RecordError>, String, bool) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (sender, receiver) = unbounded_channel();
        canned::run()
            .into_iter()
            .for_each(|event| sender.send(event).unwrap());
        drop(sender);
        let (stop, stopped) = watch::channel(false);
        let mut out = Vec::new();
        let mut terminal = Terminal::new(
            StripStream::new(&mut out),
            Options::default(),
            Summary::default(),
        );
        let result = runtime.block_on(follow(receiver, recorder, &mut terminal, &stop, max));
        drop(terminal);
        (result, String::from_utf8(out).unwrap(), *stopped.borrow())
    }

    #[test]
    fn events_reach_the_record_and_the_terminal() {
        let results = tempfile::tempdir().unwrap();
        let mut recorder =
            Recorder::create(results.path(), &canned::manifest(), Keep::Failed).unwrap();
        let (result, shown, stopped) = followed(&mut recorder, None);
        result.unwrap();
        assert!(!stopped && shown.contains("8 cases in"), "{shown}");
        assert_eq!(
            Record::open(recorder.path())
                .unwrap()
                .summary()
                .unwrap()
                .done(),
            8
        );
    }

    #[test]
    fn a_full_disk_stops_the_run_and_says_so() {
        let results = tempfile::tempdir().unwrap();
        let full = std::fs::OpenOptions::new()
            .append(true)
            .open("/dev/full")
            .unwrap();
        let mut recorder = Recorder::into_events(results.path(), full);
        let (result, shown, stopped) = followed(&mut recorder, None);
        assert!(
            matches!(result, Err(RecordError::Full { .. })),
            "{result:?}"
        );
        assert!(stopped);
        assert_eq!(
            shown.matches("no space left for the run record").count(),
            1,
            "{shown}"
        );
    }

    #[test]
    fn enough_failures_stop_the_run() {
        let results = tempfile::tempdir().unwrap();
        let mut recorder =
            Recorder::create(results.path(), &canned::manifest(), Keep::Failed).unwrap();
        let (result, shown, stopped) = followed(&mut recorder, Some(2));
        result.unwrap();
        assert!(
            stopped && shown.contains("2 did not pass: the run is stopped"),
            "{shown}"
        );
    }
}
