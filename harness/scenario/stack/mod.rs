//! The keys of `[stack]`: a target in each file. What a case takes from them, how they are written
//! back, and what of them is refused.
//!
//! The keys themselves are in `file`, since they are one table of the format: their order is that
//! of a case's id.

mod multipath;
mod nested;
mod raid1;

use super::error::Report;
use super::file::{self, File};
use super::pick::Picker;
use super::sweep::Sweep;
use super::value::Value;
use halfway_case::{Stack, TargetName};

/// What the format knows of a target. There are no defaults: what nobody decided does not
/// compile.
pub(super) trait Keys {
    /// A device of this target, in messages.
    fn a_device(&self) -> &'static str;

    /// Its lower devices, in messages.
    fn lower(&self) -> &'static str;

    /// Whether a lower device of it can be failed and reinstated by a message.
    fn takes_messages(&self) -> bool;

    /// The region sizes that it may have, in 512-byte sectors.
    fn region_sizes(&self, keys: &file::Stack) -> Vec<u32>;

    /// The stack of a case.
    fn pick(&self, keys: &file::Stack, picker: &mut Picker<'_>) -> Stack;

    /// Reports its keys in a file of another target.
    fn refuse(&self, keys: &file::Stack, foreign: &mut Foreign<'_>);

    /// Whether a file of it may have the keys of another target too, since that lies beneath it.
    fn takes_keys_of(&self, other: TargetName, keys: &file::Stack) -> bool;

    /// Reports values that the target does not accept.
    fn check(&self, file: &File, report: &mut Report);
}

/// What the format knows of a target.
fn keys_of(target: TargetName) -> &'static dyn Keys {
    match target {
        TargetName::Raid1 => &raid1::Keys,
        TargetName::Multipath => &multipath::Keys,
    }
}

impl file::Stack {
    /// What the format knows of the target.
    pub(super) fn keys(&self) -> &'static dyn Keys {
        keys_of(self.target())
    }

    /// The region sizes that the stack may have, in 512-byte sectors.
    pub(super) fn region_sizes(&self) -> Vec<u32> {
        self.keys().region_sizes(self)
    }
}

/// Reports what the target does not accept, and keys of other targets.
pub(super) fn check(file: &File, report: &mut Report) {
    let (stack, here) = (&file.stack, file.stack.target());
    stack.keys().check(file, report);
    for owner in TargetName::ALL.iter().copied() {
        if owner != here && !stack.keys().takes_keys_of(owner, stack) {
            keys_of(owner).refuse(
                stack,
                &mut Foreign {
                    owner,
                    here,
                    report,
                },
            );
        }
    }
}

/// The keys of a stack, with every value spelled out.
pub(super) fn written(stack: &Stack) -> file::Stack {
    match stack {
        Stack::Raid1(mirror) => raid1::written(mirror),
        Stack::Multipath(multipath) => file::Stack {
            target: Some(TargetName::Multipath.into()),
            ..multipath::written(multipath)
        },
    }
}

fn given<T>(value: T) -> Option<Sweep<T>> {
    Some(Sweep::of(value))
}

/// Reports keys of another target in a stack.
pub(super) struct Foreign<'a> {
    /// Whose keys they are.
    owner: TargetName,
    /// The target of the file.
    here: TargetName,
    report: &'a mut Report,
}

impl Foreign<'_> {
    fn key<T: Value>(&mut self, key: &str, sweep: &Option<Sweep<T>>) {
        if let Some(first) = sweep.as_ref().and_then(|sweep| sweep.0.first()) {
            let (owner, here) = (self.owner.word(), self.here.word());
            self.report
                .problem(format!("`{key}` is a key of {owner}"))
                .value(first, "this value")
                .help(format!("the target here is {here}: leave it out"));
        }
    }
}
