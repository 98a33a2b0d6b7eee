//! How the kernel handles each report.

use crate::rig::{Rig, run};
use halfway_case::Times;
use halfway_protocol::content::SECTOR;
use halfway_protocol::io::Op;
use halfway_target::Search;
use std::time::Instant;

/// What a report leads to on a single disk: how many times the kernel sends the request,
/// the request's completions, and the application's result. The first 252 sectors are
/// good.
struct Consequence {
    report: &'static str,
    commands: usize,
    completions: &'static [(u64, u64, i32)],
    result: Result<u64, i32>,
}

const fn leads_to(
    report: &'static str,
    commands: usize,
    completions: &'static [(u64, u64, i32)],
    errno: i32,
) -> Consequence {
    Consequence {
        report,
        commands,
        completions,
        result: Err(errno),
    }
}

/// The consequences of a bad block that stays bad. With a completion of no sectors, the
/// kernel hands a request back to itself, or fails it as a whole.
const LASTING: [Consequence; 18] = [
    leads_to("medium-error", 1, &[(2048, 252, 0), (2300, 260, -61)], 61),
    leads_to("write-error", 6, &[(2048, 252, 0), (2300, 260, -5)], 5),
    leads_to(
        "hardware-error",
        1,
        &[(2048, 252, 0), (2300, 260, -121)],
        121,
    ),
    leads_to(
        "without-information",
        1,
        &[(2048, 0, 0), (2048, 512, -61)],
        61,
    ),
    leads_to("aborted-command", 6, &[(2048, 0, 0), (2048, 512, -5)], 5),
    leads_to("transport-failure", 6, &[(2048, 0, 0), (2048, 512, -5)], 5),
    leads_to("bad-target", 1, &[(2048, 0, 0), (2048, 512, -5)], 5),
    leads_to("residual-of-all", 1, &[(2048, 0, 0), (2048, 512, -61)], 61),
    leads_to(
        "residual-of-none",
        1,
        &[(2048, 252, 0), (2300, 260, -61)],
        61,
    ),
    leads_to(
        "information-before",
        1,
        &[(2048, 0, 0), (2048, 512, -61)],
        61,
    ),
    leads_to(
        "information-behind",
        1,
        &[(2048, 0, 0), (2048, 512, -61)],
        61,
    ),
    leads_to(
        "residual-too-large",
        1,
        &[(2048, 0, 0), (2048, 512, -61)],
        61,
    ),
    leads_to(
        "residual-unaligned",
        1,
        &[(2048, 252, 0), (2300, 260, -61)],
        61,
    ),
    leads_to(
        "short-good+medium-error",
        2,
        &[(2048, 252, 0), (2300, 0, 0), (2300, 260, -61)],
        61,
    ),
    leads_to(
        "short-good-unaligned+medium-error",
        2,
        &[(2048, 252, 0), (2300, 0, 0), (2300, 260, -61)],
        61,
    ),
    leads_to(
        "short-good+transport-failure",
        7,
        &[(2048, 252, 0), (2300, 0, 0), (2300, 260, -5)],
        5,
    ),
    leads_to(
        "short-good+bad-target",
        2,
        &[(2048, 252, 0), (2300, 0, 0), (2300, 260, -5)],
        5,
    ),
    leads_to(
        "short-good+hardware-error",
        2,
        &[(2048, 252, 0), (2300, 0, 0), (2300, 260, -121)],
        121,
    ),
];

/// Reports of temporary failures, and how many times they are given.
const PASSING: [(&str, u32); 5] = [
    ("busy", 3),
    ("task-set-full", 3),
    ("unit-attention", 1),
    ("aborted-command", 2),
    ("transport-failure", 2),
];

#[test]
fn each_report_has_its_consequence() {
    run(async {
        let mut rig = Rig::mirror().await;
        let mut generation = 0;
        for op in [Op::Read, Op::Write] {
            for expected in &LASTING {
                generation += 1;
                let fault = (op, 2300, Times::Always, 5);
                rig.report(0, 5, expected.report);
                rig.daemon.arm(0, &[fault]).await;
                let it = rig.io("leg0", op, generation).await;
                let context = format!("{op:?} {}\n{}", expected.report, it.told());
                assert_eq!(it.result().result, expected.result, "{context}");
                let completed = it.completed(rig.dev(0));
                // Kernels before 5.15 believe such a residual: an unsigned difference
                // wraps, and then INFORMATION decides.
                let believed = expected.report == "residual-too-large"
                    && completed == [(2048, 252, 0), (2300, 260, -61)];
                assert!(
                    believed || completed == expected.completions,
                    "{completed:?} {context}"
                );
                assert_eq!(it.journal.len(), expected.commands, "{context}");
                if op == Op::Write {
                    rig.assert_torn(generation, it.journal[0].good.into());
                }
            }
            for (report, times) in PASSING {
                generation += 1;
                rig.report(0, 5, report);
                let fault = (op, 2300, Times::Count(times), 5);
                rig.daemon.arm(0, &[fault]).await;
                let it = rig.io("leg0", op, generation).await;
                let context = format!("{op:?} {report}\n{}", it.told());
                let done = it.result().result;
                assert_eq!(done, Ok(512 * SECTOR as u64), "{context}");
                assert_eq!(it.journal.len(), times as usize + 1, "{context}");
            }
            // A fault that stops after some times must be hit block by block.
            generation += 1;
            let fault = (op, 2300, Times::Count(1), 5);
            rig.policy(0, 5, "medium-error", Search::Stepwise);
            rig.daemon.arm(0, &[fault]).await;
            let it = rig.io("leg0", op, generation).await;
            let partial = [(2048, 252, 0), (2300, 260, -61)];
            assert_eq!(it.completed(rig.dev(0)), partial, "{}", it.told());
            if op == Op::Write {
                rig.assert_torn(generation, 252);
            }
            rig.report(0, 5, "medium-error");
            rig.daemon.arm(0, &[]).await;
        }
    });
}

#[test]
fn every_block_can_be_the_first_bad_one() {
    run(async {
        let mut rig = Rig::mirror().await;
        let since = Instant::now();
        for good in 0..512 {
            for op in [Op::Read, Op::Write] {
                let bad = 2048 + good;
                let fault = (op, bad as i64, Times::Always, 5);
                rig.daemon.arm(0, &[fault]).await;
                let generation = 1 + good as u32;
                let it = rig.io("leg0", op, generation).await;
                let failed = (bad, 512 - good, -61);
                let expected = [(2048, good, 0), failed];
                assert_eq!(it.completed(rig.dev(0)), expected, "{}", it.told());
                if op == Op::Write {
                    rig.assert_torn(generation, good);
                }
            }
        }
        println!("1024 failures in {:?}", since.elapsed());
    });
}
