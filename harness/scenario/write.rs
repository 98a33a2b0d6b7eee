//! A case as a scenario file of its own.

use super::file::{Fault, File, Hold, Io, Legs, Soak, Stack};
use super::stack;
use super::sweep::{At, Given, List, Sweep};
use super::value::{Errno, Offset};
use halfway_case::{Case, Length};

/// A scenario file that expands to `case` and nothing else, with every value
/// spelled out.
///
/// Reading it back gives an equal case, whatever the file is called. This holds
/// for cases that came out of a scenario.
pub fn case_file(case: &Case) -> String {
    let text = toml::to_string(&File::from(case)).unwrap_or_default();
    format!(
        "# One case of `{}`. Run it again: halfway run THIS-FILE\n\n{text}",
        case.scenario
    )
}

impl From<&Case> for File {
    fn from(case: &Case) -> Self {
        File {
            question: Some(case.question.clone().into()),
            tags: List::of(case.tags.iter().cloned()),
            sample: Some(1.into()),
            sabotage: case.sabotage.map(Given::from),
            id: Some(case.id.clone().into()),
            scenario: Some(case.scenario.clone().into()),
            stack: Stack {
                linear: case.linear.map(Sweep::of),
                ..stack::written(&case.stack)
            },
            legs: Legs {
                controller: Sweep::of(case.legs.controller),
                count: Sweep::of(case.members()),
                logical_block_size: Sweep::of(case.legs.logical_block_size),
                size: Sweep::of(case.legs.sectors),
                offset: List::of(
                    (case.legs.offset.iter().copied())
                        .step_by(case.stack.nested().map_or(1, |paths| paths.count.into())),
                ),
                max_sectors_kb: case.legs.max_sectors_kb.map(Sweep::of),
                max_transfer: case.legs.max_transfer.map(Sweep::of),
                on_error: Sweep::of(case.legs.on_error),
            },
            io: Io {
                op: Sweep::of(case.io.op),
                path: Sweep::of(case.io.path),
                dsync: Sweep::of(case.io.dsync),
                sector: Sweep::of(case.io.sector),
                sectors: Sweep::of(case.io.sectors),
                vector: Sweep::of(case.io.vector),
                requests: Sweep::of(case.io.requests),
                overlap: Sweep::of(case.io.overlap),
                submitters: Sweep::of(case.io.submitters),
            },
            fault: (case.faults.iter().map(|fault| of(fault, case)))
                .chain(case.other_faults.iter().map(|other| of_other(other, case)))
                .collect(),
            soak: case.soak.as_ref().map(Soak::from).unwrap_or_default(),
            hold: (case.holds.iter())
                .map(|hold| {
                    let offset = hold.sector.saturating_sub(case.io.sector);
                    Given::from(Hold {
                        leg: Sweep::of(hold.leg),
                        at: Sweep::of(Offset::Sectors(offset)),
                        then: Sweep::of(hold.then),
                        meanwhile: Sweep::of(hold.meanwhile),
                        place: Some(Sweep::of(hold.place)),
                    })
                })
                .collect(),
        }
    }
}

impl From<&halfway_case::Soak> for Soak {
    fn from(soak: &halfway_case::Soak) -> Self {
        let (count, seconds) = match soak.length {
            Length::Count(count) => (Some(count), None),
            Length::Seconds(seconds) => (None, Some(seconds)),
        };
        Soak {
            count: count.map(Sweep::of),
            seconds: seconds.map(Sweep::of),
            filesystem: Some(Sweep::of(soak.filesystem)),
            round: Some(Sweep::of(soak.round)),
        }
    }
}

fn of(fault: &halfway_case::Fault, case: &Case) -> Given<Fault> {
    let offset = fault.sector.saturating_sub(case.io.sector);
    let paths = case.stack.nested().map(|paths| paths.count);
    Given::from(Fault {
        leg: Sweep::of(fault.leg / paths.unwrap_or(1)),
        path: paths.map(|paths| Sweep::of(fault.leg % paths)),
        op: Some(Sweep::of(fault.op)),
        at: At::Offsets(Sweep::of(Offset::Sectors(offset))),
        times: Sweep::of(fault.times),
        errno: Sweep::of(Errno(fault.errno)),
        report: fault.report.map(Sweep::of),
        ..Fault::default()
    })
}

fn of_other(other: &halfway_case::OtherFault, case: &Case) -> Given<Fault> {
    let mut given = of(&other.fault, case);
    given.value.disk = Some(other.disk.into());
    given.value.during = Some(other.during.into());
    given
}
