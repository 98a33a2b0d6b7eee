//! A kernel that complains of itself never passes, whatever the complaint is,
//! wherever it was read, and whatever else was seen.

use super::*;
use halfway_case::observation::KernelText;
use halfway_crash::samples::{COMPLAINTS, ORDINARY};
use halfway_protocol::message::Refusal;

/// A kernel that survives its complaint fails; any other has crashed.
fn blame(survivable: bool) -> Outcome {
    match survivable {
        true => Outcome::Fail,
        false => Outcome::Crash,
    }
}

fn messages(text: &str) -> Vec<KernelMessage> {
    let message = |text: &str| KernelMessage {
        level: 4,
        micros: 9,
        text: text.to_owned(),
    };
    text.lines().map(message).collect()
}

type Say = fn(&mut Observation, &str);

#[rstest]
#[case::while_watched(|seen: &mut Observation, text: &str| seen.seen.log.extend(messages(text)))]
#[case::around_it(|seen: &mut Observation, text: &str| seen.around.extend(messages(text)))]
#[case::on_the_console(|seen: &mut Observation, text: &str| seen.console.push_str(&format!("[ 9.1] {text}\r\n")))]
#[case::before(|seen: &mut Observation, text: &str| seen.left.log.extend(messages(text)))]
#[case::before_on_the_console(|seen: &mut Observation, text: &str| seen.left = KernelText {
    console: format!("[ 9.1] {text}\r\n"),
    log: Vec::new(),
})]
fn every_complaint_is_judged(#[case] say: Say) {
    let case = case(Op::Read, vec![fault(0, Op::Read)]);
    let sound = observe(&case);
    for (text, title, survivable) in COMPLAINTS {
        let mut seen = sound.clone();
        say(&mut seen, text);
        let verdict = judge(&case, &seen);
        assert_eq!(verdict.outcome, blame(*survivable), "{text}");
        assert!(verdict.reason.contains(title), "{}", verdict.reason);
        let told = (verdict.differences.iter())
            .any(|difference| difference.text.contains(text.lines().next().unwrap()));
        assert!(told, "{verdict:#?}");
    }
    for text in ORDINARY {
        let mut seen = sound.clone();
        say(&mut seen, text);
        assert_eq!(judge(&case, &seen).outcome, Outcome::Pass, "{text}");
    }
}

/// Cases whose outcome would otherwise be anything but a failure of the kernel.
#[rstest]
#[case::refused(by(|seen| seen.refusal = Some(Refusal {
    doing: "loading the table".into(), errno: Some(12), detail: String::new() })))]
#[case::qemu_ended(by(|seen| seen.liveness = Liveness::Exited("exit status 0".into())))]
fn a_complaint_outweighs_what_blames_nobody(#[case] tamper: Tamper) {
    let case = case(Op::Read, vec![fault(0, Op::Read)]);
    let mut seen = observe(&case);
    tamper(&mut seen);
    let calm = judge(&case, &seen);
    assert!(!calm.outcome.blames_kernel(), "{calm:#?}");
    seen.around = messages("WARNING: possible recursive locking detected");
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Fail);
    assert!(
        verdict.reason.contains("possible deadlock"),
        "{}",
        verdict.reason
    );
    let kept = (verdict.differences.iter()).any(|one| one.text.contains(&calm.reason));
    assert!(kept, "{verdict:#?}");
}

#[test]
fn a_complaint_with_a_panic_after_it_is_a_crash() {
    let case = case(Op::Read, vec![fault(0, Op::Read)]);
    let mut seen = observe(&case);
    seen.console = "[ 9.1] WARNING: suspicious RCU usage\r\n[ 9.2] Kernel panic - not syncing: \
                    kernel: panic_on_warn set ...\r\n"
        .into();
    seen.liveness = Liveness::Exited("exit status 0".into());
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Crash);
    assert_eq!(verdict.reason, "WARNING: suspicious RCU usage");
}

/// The last thing that a guest said explains why it says nothing more.
#[test]
fn a_silent_guest_is_told_with_what_it_said() {
    let case = case(Op::Read, vec![fault(0, Op::Read)]);
    let mut seen = observe(&case);
    seen.console = "[ 9.1] BUG: scheduling while atomic: dd/77/0x2\r\n".into();
    seen.liveness = Liveness::Silent;
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Hang);
    assert!(verdict.reason.contains("scheduling while atomic"));
    assert!(!verdict.differences.is_empty());
}
