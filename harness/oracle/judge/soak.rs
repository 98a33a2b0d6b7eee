//! A soak: the plan is made again from the seed, and each step is checked
//! against it.

use super::{Scene, contract, difference, kernel_log, state};
use crate::model;
use halfway_case::observation::soak;
use halfway_case::observation::{Layer, Medium, Member};
use halfway_case::verdict::{Difference, Outcome, Witness};
use halfway_protocol::io::IoState;
use halfway_soak::{Content, SoakPlan};

/// How many steps before the wrong one are shown.
const BEFORE: usize = 4;

pub fn judge(scene: &Scene<'_>, broken: Vec<Difference>) -> (Outcome, String, Vec<Difference>) {
    let (case, seen) = (scene.case, scene.seen);
    let none = soak::Seen::default();
    let soak = seen.soak.as_ref().unwrap_or(&none);
    if !soak.programs.is_empty() {
        return over_files(scene, soak, broken);
    }
    let mut plan = SoakPlan::new(case, seen.seed);
    let mut content = Content::new(case.io.sector, case.io.sectors);
    let mut told = Vec::new();
    for (index, done) in soak.steps.iter().enumerate() {
        let last = index + 1 == soak.steps.len();
        let step = match last && soak.ended {
            true => plan.last(),
            false => plan.step(),
        };
        let mut words = step.to_string();
        for action in &done.actions {
            words += &format!("; it was held, and {action}");
        }
        told.push(words);
        let wrong = match &done.io {
            IoState::Done(report) => match content.take(&step, report) {
                Some(wrong) => (Outcome::Fail, wrong),
                None => continue,
            },
            _ => {
                let (reason, _) = state::of_hang(scene);
                (Outcome::Hang, difference(Witness::Liveness, reason))
            }
        };
        let (outcome, wrong) = wrong;
        let again = again(scene, step.index);
        let reason = format!("{}: {}", step.index, wrong.text);
        let mut differences = vec![wrong, difference(Witness::Application, again)];
        let from = told.len().saturating_sub(BEFORE + 1);
        let steps = told.drain(from..);
        differences.extend(steps.map(|words| difference(Witness::Application, words)));
        differences.extend(broken);
        differences.extend(kernel_log::differences(scene));
        return (outcome, format!("step {reason}"), differences);
    }
    let mut differences = broken;
    differences.extend(kernel_log::differences(scene));
    if soak.ended {
        differences.extend(media(scene, &content));
        differences.extend(health(scene));
    }
    if let Some(first) = differences.first() {
        let reason = first.text.lines().next().unwrap_or_default().to_owned();
        return (Outcome::Fail, reason, differences);
    }
    if let Some(reason) = contract::unchecked(scene) {
        return (Outcome::Inconclusive, reason, Vec::new());
    }
    if !soak.ended {
        let reason = format!("the soak was not finished: {} steps were", soak.steps.len());
        return (Outcome::Inconclusive, reason, Vec::new());
    }
    let failed = failures(scene);
    let ios = soak.steps.len().saturating_sub(2);
    if failed == 0 {
        let reason = format!(
            "no request failed on a {} in {ios} I/Os",
            case.stack.lower()
        );
        return (Outcome::Inconclusive, reason, Vec::new());
    }
    let held = soak.steps.iter().filter(|done| !done.actions.is_empty());
    let held = held.count();
    let reason = format!(
        "{ios} I/Os were right while {failed} requests failed on the {}s; {held} were held until \
         an operator came",
        case.stack.lower()
    );
    (Outcome::Pass, reason, Vec::new())
}

/// A soak over a file system: every program must have ended well, on a kernel
/// that did not complain.
fn over_files(
    scene: &Scene<'_>,
    soak: &soak::Seen,
    broken: Vec<Difference>,
) -> (Outcome, String, Vec<Difference>) {
    let mut differences = broken;
    differences.extend(kernel_log::differences(scene));
    differences.extend(complaints(scene));
    let mut outcome = Outcome::Fail;
    for ran in &soak.programs {
        let text = match ran.status {
            Some(0) => continue,
            Some(status) => {
                let said = telling(&ran.output);
                format!("{} ended with {status}: {said}", ran.purpose)
            }
            None => {
                outcome = Outcome::Hang;
                format!(
                    "{} did not come back, though nothing fails any more",
                    ran.purpose
                )
            }
        };
        differences.insert(0, difference(Witness::Application, text));
        let line = format!("{}, seed {} of the case", ran.line, scene.seen.seed);
        differences.push(difference(Witness::Application, line));
    }
    if soak.ended {
        differences.extend(health(scene));
    }
    if let Some(first) = differences.first() {
        let reason = first.text.lines().next().unwrap_or_default().to_owned();
        let from = soak.actions.len().saturating_sub(BEFORE);
        let actions = soak.actions[from..].iter();
        differences.extend(actions.map(|action| difference(Witness::Journal, action.clone())));
        return (outcome, reason, differences);
    }
    let failed = failures(scene);
    if !soak.ended || failed == 0 {
        let reason = match soak.ended {
            true => format!("no request failed on a {}", scene.case.stack.lower()),
            false => "the soak was not finished".to_owned(),
        };
        return (Outcome::Inconclusive, reason, Vec::new());
    }
    let reason = format!(
        "{} programs found all they wrote while {failed} requests failed on the {}s",
        soak.programs.len(),
        scene.case.stack.lower()
    );
    (Outcome::Pass, reason, Vec::new())
}

/// The most telling line of a program's output.
fn telling(output: &str) -> &str {
    let tells = |line: &&str| {
        let line = line.to_ascii_lowercase();
        ["verify", "error", "fail", "corrupt"]
            .iter()
            .any(|word| line.contains(word))
    };
    let lines = || output.lines().map(str::trim);
    let last = || lines().rfind(|line| !line.is_empty());
    lines().find(tells).or_else(last).unwrap_or("nothing")
}

/// What the kernel says about the file system or the device beneath it, above
/// the level of a warning. With a good lower device it must say nothing.
fn complaints(scene: &Scene<'_>) -> Option<Difference> {
    /// `KERN_ERR`: log levels up to this one count.
    const ERROR: u8 = 3;
    let is_one = |text: &str| {
        ["EXT4-fs", "JBD2", "XFS", "Buffer I/O error on dev dm-"]
            .iter()
            .any(|word| text.starts_with(word))
    };
    let mut log = scene.seen.seen.log.iter();
    let message = log.find(|message| message.level <= ERROR && is_one(&message.text))?;
    Some(difference(Witness::KernelLog, message.text.clone()))
}

/// The steps that led to where the guest is: the last ones that came back, and
/// the one that did not.
pub fn told(scene: &Scene<'_>) -> Vec<Difference> {
    let Some(soak) = &scene.seen.soak else {
        return Vec::new();
    };
    if !soak.programs.is_empty() {
        let from = soak.actions.len().saturating_sub(BEFORE);
        let programs = soak.programs.last().map(|ran| ran.line.clone());
        let words = programs
            .into_iter()
            .chain(soak.actions[from..].iter().cloned());
        return words
            .map(|words| difference(Witness::Application, words))
            .collect();
    }
    let mut plan = SoakPlan::new(scene.case, scene.seen.seed);
    let steps: Vec<_> = (0..=soak.steps.len()).map(|_| plan.step()).collect();
    let from = steps.len().saturating_sub(BEFORE + 1);
    let words = steps[from..].iter().map(ToString::to_string);
    let again = again(scene, soak.steps.len() as u32);
    let words = std::iter::once(again).chain(words);
    words
        .map(|words| difference(Witness::Application, words))
        .collect()
}

/// How a failure in that step is reproduced.
fn again(scene: &Scene<'_>, step: u32) -> String {
    format!(
        "seed {} of the case, step {step} of the soak; with `count = {}` it ends behind that step",
        scene.seen.seed,
        step.max(1)
    )
}

/// Number of requests that failed on the lower devices, by the host's account.
fn failures(scene: &Scene<'_>) -> usize {
    let entries = scene.seen.journal.iter();
    let failed = entries.filter(|entry| {
        entry.layer == Layer::Device
            && matches!(entry.member, Member::Leg(_))
            && entry.result.is_some_and(|result| result != 0)
    });
    failed.count()
}

/// All media must hold what was written last: a mirror was repaired, and paths
/// lead to one medium.
fn media(scene: &Scene<'_>, content: &Content) -> Vec<Difference> {
    let case = scene.case;
    let mut found = Vec::new();
    for leg in model::media(case) {
        let of_leg = |medium: &&Medium| medium.member == Member::Leg(leg);
        let Some(medium) = scene.seen.media.iter().find(of_leg) else {
            let text = format!("leg {leg} was not examined");
            found.push(difference(Witness::Medium, text));
            continue;
        };
        let sector = medium.sector.wrapping_sub(model::offset(case, leg));
        let wrong = content.wrong(sector, case.io.sectors, &medium.spans);
        found.extend(wrong.map(|text| difference(Witness::Medium, format!("leg {leg}: {text}"))));
    }
    found
}

/// After everything was repaired no lower device may be shown as failed.
fn health(scene: &Scene<'_>) -> Option<Difference> {
    let status = scene.seen.status.as_ref()?;
    let line = status.targets.first().map_or("", String::as_str);
    let health = scene.case.stack.health(line).unwrap_or_default();
    let good = !health.is_empty() && health.iter().all(|letter| *letter == 'A');
    (!good).then(|| {
        let text = format!("after everything was mended the status is {line:?}");
        difference(Witness::Status, text)
    })
}
