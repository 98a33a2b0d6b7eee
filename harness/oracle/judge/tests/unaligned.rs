//! Memory that the kernel may refuse: the answer is `EINVAL` with no other
//! effect, or all the data.

use super::*;

/// A read or write of a mirror with memory that its device does not accept.
fn unaligned(op: Op) -> (Case, Observation) {
    let mut case = case(op, Vec::new());
    case.io.vector = Vector::Unaligned;
    let seen = observe(&case);
    (case, seen)
}

fn refuse(seen: &mut Observation) {
    let Some(IoState::Done(report)) = &mut seen.io else {
        panic!("it is done");
    };
    for op in &mut report.ops {
        op.result = Err(22);
        for span in &mut op.content {
            span.what = What::Prefill;
        }
    }
    seen.journal.clear();
    seen.seen.trace.retain(|event| event.kind == Kind::BioQueue);
    seen.media = observe(&case(Op::Read, Vec::new())).media;
}

/// 6.18 serves the I/O, all others refuse it.
#[rstest]
fn either_answer_is_right(
    #[values(Op::Read, Op::Write)] op: Op,
    #[values("5.10.0", "6.1.0", "6.17.13", "6.18.15", "7.3.4")] release: &str,
) {
    let (case, mut seen) = unaligned(op);
    release.clone_into(&mut seen.release);
    let served = judge(&case, &seen);
    assert_eq!(served.outcome, Outcome::Pass, "{served:?}");
    refuse(&mut seen);
    for on_its_way in [true, false] {
        if !on_its_way {
            seen.seen.trace.clear();
        }
        let refused = judge(&case, &seen);
        assert_eq!(refused.outcome, Outcome::Pass, "{refused:?}");
    }
}

/// Wrong in either case: a part of the data; another error than that of memory;
/// a leg that fails because of it; a refusal of what a leg has done.
#[rstest]
#[case::a_part(|seen: &mut Observation| answer(seen, Ok(512)), "512 bytes")]
#[case::another_error(|seen: &mut Observation| answer(seen, Err(5)), "os error 5")]
#[case::refused_and_done(|seen: &mut Observation| answer(seen, Err(22)), "")]
#[case::healthy_leg_failed(
    |seen: &mut Observation| {
        let status = seen.status.as_mut().expect("a status");
        status.targets[0] = status.targets[0].replace("AA", "RA");
    },
    "leg 0 is R"
)]
#[case::refused_and_leg_failed(
    |seen: &mut Observation| {
        refuse(seen);
        let status = seen.status.as_mut().expect("a status");
        status.targets[0] = status.targets[0].replace("AA", "RA");
    },
    "leg 0 is R"
)]
fn nothing_else_is(#[case] tamper: fn(&mut Observation), #[case] words: &str) {
    for op in [Op::Read, Op::Write] {
        let (case, mut seen) = unaligned(op);
        "6.18.15".clone_into(&mut seen.release);
        tamper(&mut seen);
        let verdict = judge(&case, &seen);
        assert_ne!(verdict.outcome, Outcome::Pass, "{verdict:?}");
        assert!(verdict.reason.contains(words), "{}", verdict.reason);
    }
}

fn answer(seen: &mut Observation, result: Result<u64, i32>) {
    let Some(IoState::Done(report)) = &mut seen.io else {
        panic!("it is done");
    };
    report.ops[0].result = result;
}
