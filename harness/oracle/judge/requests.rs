//! The requests of a driver whose device reports each of its commands. A
//! command that the kernel retries, or that asks for the rest of a partly
//! completed one, is no request of its own.

use crate::units::Unit;
use halfway_case::observation::{Command, Entry, TargetReply};
use halfway_scsi::ATTEMPTS;
use halfway_scsi::Reply;
use halfway_scsi::linux::{self, Decision};
use std::collections::HashMap;

/// A request of the driver, put together from its commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverRequest {
    /// The operation that the request asks for.
    pub command: Command,
    /// The whole range, in 512-byte sectors.
    pub range: Unit,
    /// The first command of the request.
    pub first: Entry,
    /// What the device did of the request, in order: a range, and whether it is
    /// done.
    pub parts: Vec<(Unit, bool)>,
    /// Result of the whole request, as [`Entry::result`]: 0, or a negative
    /// errno. `None` while it has not ended.
    pub result: Option<i32>,
    /// The last answer of the device.
    pub told: TargetReply,
    /// How often the kernel has got the last answer and counted it as an
    /// attempt.
    counted: u32,
}

impl DriverRequest {
    /// The range that the next command asks for.
    fn rest(&self) -> Unit {
        let done = self.parts.iter().map(|(part, _)| part.sectors).sum::<u64>();
        Unit {
            sector: self.range.sector + done,
            sectors: self.range.sectors - done,
        }
    }

    /// The ranges that the device did.
    pub fn done(&self) -> impl Iterator<Item = Unit> + '_ {
        let done = self.parts.iter().filter(|(_, done)| *done);
        done.map(|(part, _)| *part)
    }

    fn part(&mut self, sectors: u64, done: bool) {
        let sector = self.rest().sector;
        if sectors > 0 {
            self.parts.push((Unit { sector, sectors }, done));
        }
    }

    /// Sectors that were done before the first one that was not. 0 if all was
    /// done at once.
    pub fn progress(&self) -> u64 {
        match self.parts.as_slice() {
            [(first, true), _, ..] => first.sectors,
            _ => 0,
        }
    }

    /// Ends a request that was not sent again although its last answer is one
    /// that is retried: it failed with that answer.
    fn given_up(&mut self, result: Option<i32>) {
        let rest = self.rest().sectors;
        self.part(rest, false);
        self.result = result;
    }

    /// Takes in the answer to the next command. An `offline` disk is offline
    /// from its first command without an answer on, so the request fails there.
    fn answered(&mut self, entry: &Entry, told: TargetReply, offline: bool) {
        self.told = told;
        let rest = self.rest().sectors;
        let good = told.good.min(rest);
        let decision = match told.answer {
            Reply::Nothing if offline => Decision::Fail,
            answer => linux::decision(answer),
        };
        match decision {
            Decision::Done if good == rest => {
                self.part(rest, true);
                self.result = Some(0);
            }
            Decision::Done => {
                self.part(good, true);
                self.counted = 0;
            }
            Decision::Again => {}
            Decision::Retry if self.counted + 1 < ATTEMPTS => self.counted += 1,
            Decision::Retry | Decision::Fail => {
                self.part(good, true);
                self.part(rest - good, false);
                self.result = entry.result;
            }
        }
    }

    /// The whole request as an entry of a journal of requests.
    pub fn entry(&self) -> Entry {
        Entry {
            result: self.result,
            target_reply: Some(self.told),
            ..self.first
        }
    }
}

/// What else must be known to read a leg's commands.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandContext {
    /// Whether the leg is taken offline when it gives no answer.
    pub offline: bool,
    /// Whether some commands are read-ahead, which is never retried
    /// (`scsi_noretry_cmd`).
    pub ahead: bool,
}

/// Groups the commands to one leg into requests, in the order of their first
/// commands.
pub fn requests_of(commands: &[Entry], context: CommandContext) -> Vec<DriverRequest> {
    let mut requests: Vec<DriverRequest> = Vec::new();
    // Indices of the requests without a result. Only these are searched: if a
    // disk is asked for ever, there are as many finished requests as the
    // journal is long.
    let mut open: Vec<usize> = Vec::new();
    let mut results: HashMap<usize, Option<i32>> = HashMap::new();
    for entry in commands {
        let Some(told) = entry.target_reply else {
            continue;
        };
        let range = Unit {
            sector: entry.sector,
            sectors: entry.sectors,
        };
        let goes_on = |place: &&usize| {
            let request: &DriverRequest = &requests[**place];
            request.command == entry.command && request.rest() == range
        };
        let place = open.iter().find(goes_on).copied().unwrap_or_else(|| {
            requests.push(DriverRequest {
                command: entry.command,
                range,
                first: *entry,
                parts: Vec::new(),
                result: None,
                told,
                counted: 0,
            });
            open.push(requests.len() - 1);
            requests.len() - 1
        });
        requests[place].answered(entry, told, context.offline);
        if requests[place].result.is_some() {
            open.retain(|other| *other != place);
        }
        results.insert(place, entry.result);
    }
    for place in open.into_iter().filter(|_| context.ahead) {
        if requests[place].counted > 0 {
            requests[place].given_up(results[&place]);
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::observation::{Layer, Member};
    use halfway_scsi::Failure;
    use halfway_scsi::report::{Failed, Part, Report};
    use rstest::rstest;

    /// A command that meets a bad block at 2300, and its answer.
    fn command(order: u64, sector: u64, report: Option<&str>) -> Entry {
        let sectors = 2560 - sector;
        let (answer, good) = match report {
            None => (Reply::Status(halfway_scsi::Status::Good, None), sectors),
            Some(report) => {
                let report: Report = report.parse().unwrap();
                let good = (2300 - sector) as u32;
                let located = report.needs_location();
                let failed = report.reply(&Failed {
                    lba: sector,
                    blocks: sectors as u32,
                    good: located.then_some(good),
                    block: 512,
                });
                (failed.reply, if located { u64::from(good) } else { 0 })
            }
        };
        Entry {
            order,
            member: Member::Leg(0),
            layer: Layer::Device,
            command: Command::Read,
            sector,
            sectors,
            result: Some(if report.is_some() { -5 } else { 0 }),
            target_reply: Some(TargetReply {
                opcode: 0x28,
                good,
                answer,
                residual: 0,
            }),
        }
    }

    /// A request's parts, and its result.
    type Found = (Vec<(u64, u64, bool)>, Option<i32>);

    fn found(commands: &[(u64, Option<&str>)]) -> Vec<Found> {
        let numbered = commands.iter().zip(0..);
        let entries: Vec<Entry> = numbered
            .map(|((sector, report), order)| command(order, *sector, *report))
            .collect();
        requests_of(&entries, CommandContext::default())
            .into_iter()
            .map(|request| {
                let parts = request.parts.iter();
                let parts = parts.map(|(part, done)| (part.sector, part.sectors, *done));
                (parts.collect(), request.result)
            })
            .collect()
    }

    const PARTIAL: [(u64, u64, bool); 2] = [(2048, 252, true), (2300, 260, false)];

    #[test]
    fn a_request_that_is_done_is_one_command() {
        let whole = (vec![(2048, 512, true)], Some(0));
        assert_eq!(found(&[(2048, None), (2048, None)]), [whole.clone(), whole]);
    }

    #[rstest]
    #[case::at_once("medium-error", 1, &PARTIAL)]
    #[case::counted("write-error", 6, &PARTIAL)]
    #[case::as_a_whole("aborted-command", 6, &[(2048, 512, false)])]
    fn a_request_fails_when_its_commands_have(
        #[case] report: &str,
        #[case] times: usize,
        #[case] parts: &[(u64, u64, bool)],
    ) {
        let commands = vec![(2048, Some(report)); times];
        assert_eq!(found(&commands), [(parts.to_vec(), Some(-5))]);
        // If it is asked for once more, that is another request.
        let again = [commands, vec![(2048, None)]].concat();
        assert_eq!(found(&again)[1], (vec![(2048, 512, true)], Some(0)));
    }

    #[test]
    fn the_rest_of_a_short_transfer_goes_on() {
        let short = (2048, Some("short-good+medium-error"));
        let fails = [short, (2300, Some("medium-error"))];
        assert_eq!(found(&fails), [(PARTIAL.to_vec(), Some(-5))]);
        let goes_well = found(&[short, (2300, None)]);
        let parts = vec![(2048, 252, true), (2300, 260, true)];
        assert_eq!(goes_well, [(parts, Some(0))]);
    }

    #[rstest]
    #[case("busy", 20)]
    #[case("unit-attention", 1)]
    #[case("transport-failure", 5)]
    #[case("no-answer", 2)]
    fn what_passes_is_no_failure(#[case] report: &str, #[case] times: usize) {
        let mut commands = vec![(2048, Some(report)); times];
        assert_eq!(found(&commands), [(vec![], None)]);
        commands.push((2048, None));
        assert_eq!(found(&commands), [(vec![(2048, 512, true)], Some(0))]);
    }

    /// A command for other sectors is another request, even while the first has
    /// no end yet.
    #[rstest]
    #[case::behind(2300, (vec![(2300, 260, true)], Some(0)))]
    #[case::before(2040, (vec![(2040, 520, true)], Some(0)))]
    fn requests_in_flight_are_told_apart(#[case] sector: u64, #[case] second: Found) {
        let commands = [(2048, Some("busy")), (sector, None), (2048, None)];
        let first = (vec![(2048, 512, true)], Some(0));
        assert_eq!(found(&commands), [first, second]);
    }

    /// As a journal entry a request ends as its last command did.
    #[test]
    fn a_request_ends_as_its_last_command() {
        let entries = [command(0, 2048, Some("busy")), command(1, 2048, None)];
        let entry = requests_of(&entries, CommandContext::default())[0].entry();
        assert_eq!((entry.order, entry.result), (0, Some(0)));
        assert_eq!(entry.target_reply, entries[1].target_reply);
    }

    /// Read-ahead fails at an error that is otherwise retried. A command
    /// without an answer has not failed.
    #[rstest]
    #[case::ahead(true, Some("transport-failure"), Some(-5))]
    #[case::not_ahead(false, Some("transport-failure"), None)]
    #[case::asked_for_as_long_as_it_lasts(true, Some("busy"), None)]
    fn read_ahead_is_not_tried_again(
        #[case] ahead: bool,
        #[case] report: Option<&str>,
        #[case] result: Option<i32>,
    ) {
        let entries = [command(0, 2048, report)];
        let offline = false;
        let found = requests_of(&entries, CommandContext { offline, ahead });
        assert_eq!(found[0].result, result.and(entries[0].result));
        assert_eq!(found[0].parts.is_empty(), result.is_none());
    }

    /// A write is never taken for the rest of a read.
    #[test]
    fn a_request_is_of_one_operation() {
        let mut entries = [command(0, 2048, Some("busy")), command(1, 2048, None)];
        entries[1].command = Command::Write;
        let results = requests_of(&entries, CommandContext::default())
            .into_iter()
            .map(|one| one.result);
        assert_eq!(results.collect::<Vec<_>>(), [None, Some(0)]);
    }

    #[test]
    fn every_report_that_is_known_ends_as_it_is_read() {
        for &failure in Failure::ALL {
            let handling = failure.profile().linux;
            let Some(times) = handling.commands else {
                continue;
            };
            let report = Report {
                part: Part::Nothing,
                failure,
            }
            .to_string();
            let found = found(&vec![(2048, Some(report.as_str())); times as usize]);
            assert_eq!(found.len(), 1, "{report}");
            assert_eq!(found[0].1, Some(-5), "{report}");
        }
    }
}
