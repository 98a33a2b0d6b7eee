//! The contract watcher's result in the verdict.

use super::*;
use crate::contract::samples::mirror;
use halfway_protocol::bio::BioTrace;
use halfway_protocol::message::Refusal;

fn read() -> Case {
    case(Op::Read, vec![fault(0, Op::Read)])
}

fn watched(bios: Result<BioTrace, Refusal>) -> Observation {
    let mut seen = observe(&read());
    seen.seen.bios = Some(bios);
    seen
}

fn refusal() -> Refusal {
    Refusal {
        doing: "reading the kernel's types".into(),
        errno: Some(2),
        detail: String::new(),
    }
}

fn holes() -> BioTrace {
    BioTrace {
        lost: 3,
        ..mirror(Some((1, 2))).trace
    }
}

#[rstest]
#[case::sound(Ok(mirror(None).trace), Outcome::Pass, "no vector was changed")]
#[case::changed(Ok(mirror(Some((1, 2))).trace), Outcome::Fail, "a vector was changed")]
#[case::holes(Ok(holes()), Outcome::Inconclusive, "3 sightings of bios were lost")]
#[case::blind(Ok(BioTrace::default()), Outcome::Inconclusive, "no bio was seen")]
#[case::without_the_means(
    Err(refusal()),
    Outcome::Pass,
    "not watched: reading the kernel's types"
)]
fn what_the_watcher_saw_counts(
    #[case] bios: Result<BioTrace, Refusal>,
    #[case] outcome: Outcome,
    #[case] words: &str,
) {
    let verdict = judge(&read(), &watched(bios));
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    let said = &verdict.evidence.contract;
    assert!(said.contains(words), "{said}");
}

/// A broken contract is told first, whatever else is wrong, and even if the
/// fault did not fire.
#[rstest]
#[case::wrong_data(by(|seen| report(seen).content[0].what = What::Zero), Outcome::Fail)]
#[case::fault_missed(by(|seen| {
    let first = entry_of(seen, 0);
    seen.journal[first + 1].result = Some(0);
    seen.journal[first + 2].result = Some(0);
}), Outcome::Fail)]
#[case::hang(by(|seen| seen.io = Some(IoState::Pending { pending: 1, stacks: vec![] })), Outcome::Hang)]
fn the_driver_that_broke_the_contract_is_named(#[case] tamper: Tamper, #[case] outcome: Outcome) {
    let mut seen = watched(Ok(mirror(Some((1, 2))).trace));
    tamper(&mut seen);
    let verdict = judge(&read(), &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    let mut differences = verdict.differences.iter();
    let found = differences.find(|found| found.witness == Witness::Contract);
    let text = &found.expect("the watcher is heard").text;
    assert!(
        text.starts_with("virtio_blk vda (254:0) changed the vector"),
        "{text}"
    );
    if outcome == Outcome::Fail {
        assert_eq!(verdict.reason, format!("contract: {text}"));
    }
}

/// A recorded observation is judged the same when it is read again.
#[test]
fn the_bios_survive_the_record() {
    let seen = watched(Ok(mirror(Some((1, 2))).trace));
    let text = serde_json::to_string(&seen).unwrap();
    let again: Observation = serde_json::from_str(&text).unwrap();
    assert_eq!(again, seen);
    // A record from before there was a watcher can still be read.
    let mut old = observe(&read());
    old.seen.bios = None;
    let text = serde_json::to_string(&old).unwrap();
    assert!(!text.contains("bios"), "{text}");
    assert_eq!(serde_json::from_str::<Observation>(&text).unwrap(), old);
}
