//! A short run that contains every kind of event, for the tests of all readers of events.

use super::manifest::*;
use crate::runner::Event;
use crate::runner::event::{Details, Stamped};
use halfway_case::Case;
use halfway_case::observation::{Liveness, Observation};
use halfway_case::verdict::{Difference, Evidence, Witness};
use halfway_case::{Controller, Fault, Io, Legs, Log, OnError, Raid1, Stack, Sync, Times, Vector};
use halfway_case::{Outcome, Verdict};
use halfway_protocol::io::{Op, Path};
use std::sync::Arc;
use time::macros::datetime;

/// A manifest with every field set.
pub fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        halfway: "0.1.0".to_owned(),
        created: datetime!(2026-11-22 17:04:05 UTC),
        arguments: vec!["run".to_owned(), "scenarios/raid1".to_owned()],
        repeat: vec!["--seed".to_owned(), "7".to_owned()],
        seed: 7,
        selection: Selection::default(),
        kernel: Kernel::default(),
        qemu: Qemu::default(),
        acceleration: Acceleration::default(),
        host: Host::default(),
        cases: 8,
        whole: 512,
        scenarios: vec![ScenarioFile {
            name: "read".to_owned(),
            text: "question = \"?\"\n".to_owned(),
        }],
    }
}

/// A case with that id.
pub fn case(id: &str) -> Case {
    Case {
        id: id.to_owned(),
        scenario: "read".to_owned(),
        question: "Is a failed read resubmitted whole?".to_owned(),
        tags: vec!["raid1".to_owned()],
        stack: Stack::Raid1(Raid1 {
            log: Log::Core,
            region_size: 1024,
            sync: Sync::Nosync,
            handle_errors: true,
            keep_log: false,
            paths: None,
        }),
        linear: None,
        legs: Legs {
            controller: Controller::VirtioBlk,
            logical_block_size: 512,
            count: 2,
            sectors: 65536,
            offset: vec![0, 0],
            max_sectors_kb: Some(64),
            max_transfer: None,
            on_error: OnError::Report,
        },
        io: Io {
            op: Op::Read,
            path: Path::Direct,
            dsync: false,
            sector: 2048,
            sectors: 512,
            vector: Vector::Pages,
            requests: 1,
            overlap: 0,
            submitters: 1,
        },
        faults: vec![Fault {
            leg: 0,
            op: Op::Read,
            sector: 2300,
            times: Times::Always,
            errno: 5,
            report: None,
        }],
        other_faults: Vec::new(),
        holds: Vec::new(),
        soak: None,
        sabotage: None,
    }
}

/// Details of a case whose observation is empty.
pub fn details(id: &str) -> Details {
    Details {
        case: case(id),
        observation: Some(Observation {
            seed: 7,
            release: "6.1.0-37-cloud-amd64".to_owned(),
            disks: Vec::new(),
            dm: None,
            refusal: None,
            set_up: Vec::new(),
            events_before: None,
            meanwhile: None,
            unplugged: None,
            unit_resets: Vec::new(),
            stops: 0,
            soak: None,
            interventions: None,
            io: None,
            status: None,
            beneath: Vec::new(),
            table: None,
            repair: None,
            after_suspend: None,
            status_at_end: None,
            seen: Default::default(),
            journal: Vec::new(),
            media: Vec::new(),
            log: None,
            around: Vec::new(),
            console: String::new(),
            left: Default::default(),
            qemu_stderr: "qemu: a warning\n".to_owned(),
            liveness: Liveness::Alive,
        }),
        console: "[    0.000000] Linux version 6.1.0\r\n[    2.1] kernel BUG at x.c:1!\r\n"
            .to_owned(),
    }
}

/// A verdict with every field set.
pub fn verdict(outcome: Outcome, reason: &str) -> Verdict {
    let differences = match outcome {
        Outcome::Pass => Vec::new(),
        _ => vec![Difference {
            witness: Witness::Journal,
            text: reason.to_owned(),
        }],
    };
    Verdict {
        outcome,
        reason: reason.to_owned(),
        differences,
        evidence: Evidence {
            journal: vec![
                "leg 0 read 2176+128 EIO".to_owned(),
                "leg 1 read 2048+512 ok".to_owned(),
            ],
            trace: vec!["leg 1 queued 2048+512".to_owned()],
            status: "2 254:0 254:16 1/1 1 RA 1 core".to_owned(),
            contract: String::new(),
        },
    }
}

/// An event with its time, in milliseconds since the start of the run.
pub fn at(at_ms: u64, event: Event) -> Stamped {
    Stamped { at_ms, event }
}

/// The event that ends a case.
pub fn finished(id: &str, machine: u32, attempt: u32, verdict: Verdict) -> Event {
    let outcome = verdict.outcome;
    Event::CaseFinished {
        id: id.to_owned(),
        scenario: id.split('@').next().unwrap_or(id).to_owned(),
        machine,
        attempt,
        retried: outcome == Outcome::Infrastructure && attempt == 1,
        verdict,
        millis: 40,
        details: (outcome != Outcome::Pass).then(|| Arc::new(details(id))),
    }
}

fn started(id: &str, machine: u32, attempt: u32) -> Event {
    Event::CaseStarted {
        id: id.to_owned(),
        machine,
        attempt,
    }
}

fn boot(machine: u32) -> [Event; 2] {
    let command = ["qemu-system-x86_64", "-append", "console=ttyS0 quiet"];
    [
        Event::MachineStarting {
            machine,
            command: command.map(str::to_owned).to_vec(),
        },
        Event::MachineReady {
            machine,
            release: "6.1.0-37-cloud-amd64".to_owned(),
            version: "#1 SMP Debian 6.1.140-1".to_owned(),
            boot_ms: 2130,
        },
    ]
}

/// A run of eight cases that has every outcome, a retry and two machines.
pub fn run() -> Vec<Stamped> {
    use Outcome::*;
    let mut events = vec![
        Event::RunStarted {
            cases: 8,
            whole: 512,
        },
        Event::Note {
            text: "no usable KVM (a trial guest did not boot): emulating".to_owned(),
        },
    ];
    events.extend(boot(1));
    let cases = [
        (
            "read@sector=2300",
            1,
            1,
            Pass,
            "leg 1 served all of 2048+512, with leg 1's data",
        ),
        (
            "read@sector=2301",
            1,
            1,
            Fail,
            "leg 1 was asked for 2176+384 only; expected 2048+512",
        ),
        (
            "read@sector=2302",
            1,
            1,
            Crash,
            "kernel BUG at block/bio.c:1234!\r\nRIP: x",
        ),
    ];
    for (id, machine, attempt, outcome, reason) in cases {
        events.push(started(id, machine, attempt));
        events.push(finished(id, machine, attempt, verdict(outcome, reason)));
    }
    events.push(Event::MachineEnded {
        machine: 1,
        reason: "the guest crashed".to_owned(),
        expected: false,
    });
    events.extend(boot(2));
    let cases = [
        (
            "write@sector=2300",
            1,
            Infrastructure,
            "QEMU was killed by signal 9",
        ),
        (
            "write@sector=2300",
            2,
            Infrastructure,
            "QEMU was killed by signal 9",
        ),
        (
            "write@sector=2301",
            1,
            Hang,
            "the write did not come back in 30 s",
        ),
        (
            "write@sector=2302",
            1,
            Inconclusive,
            "the fault on leg 0 never fired",
        ),
        (
            "write@sector=2303",
            1,
            Skipped,
            "this kernel lacks dm-log-userspace",
        ),
        (
            "write@sector=2304",
            1,
            Finding,
            "sd-card lies: leg 0: it told the kernel that 2048+512 is done",
        ),
    ];
    for (id, attempt, outcome, reason) in cases {
        events.push(started(id, 2, attempt));
        events.push(finished(id, 2, attempt, verdict(outcome, reason)));
    }
    events.push(Event::MachineEnded {
        machine: 2,
        reason: "the run is over".to_owned(),
        expected: true,
    });
    let tally = Outcome::ALL.into_iter().map(|outcome| (outcome, 1));
    events.push(Event::RunFinished {
        tally: tally.collect(),
        millis: 23 * 750,
        interrupted: false,
    });
    let stamped = events.into_iter().enumerate();
    stamped
        .map(|(index, event)| at(index as u64 * 750, event))
        .collect()
}
