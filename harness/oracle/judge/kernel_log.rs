//! What the kernel and QEMU said.

use super::{Scene, difference};
use halfway_case::verdict::{Difference, Witness};
use halfway_crash::Crash;

pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    if let Some(crash) = &scene.crash {
        found.push(complaint(crash, ""));
    }
    // QEMU writes a line when a driver breaks the device's rules, and then
    // stops the device.
    if let Some(line) = scene
        .seen
        .qemu_stderr
        .lines()
        .find(|line| !is_harmless(line) && !is_remark(scene, line))
    {
        found.push(difference(Witness::Qemu, line.trim().to_owned()));
    }
    found
}

/// The difference for a complaint of the kernel.
pub fn complaint(crash: &Crash, when: &str) -> Difference {
    let text = format!("{when}{}\n{}", crash.title, crash.excerpt);
    difference(Witness::KernelLog, text)
}

/// Whether the line is what a device model writes when its medium fails.
fn is_remark(scene: &Scene<'_>, line: &str) -> bool {
    let mut remarks = scene.failure_handling.remarks.iter();
    let all = scene.seen.journal.iter().chain(&scene.seen.set_up);
    let failed = all.into_iter().any(|entry| entry.result != Some(0));
    failed && remarks.any(|remark| line.contains(remark))
}

fn is_harmless(line: &str) -> bool {
    line.trim().is_empty() || line.contains("TCG doesn't support requested feature")
}
