//! What machines must have to serve cases.

use halfway_builder::options;
use halfway_case::Case;
use halfway_case::{Controller, Filesystem, Sabotage};
use halfway_protocol::facility::Facility;
use halfway_protocol::io::Path;
use std::borrow::Borrow;
use std::collections::BTreeSet;

/// What machines must have to serve cases.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Disk controllers.
    pub controllers: BTreeSet<Controller>,
    /// Modules of the stacks.
    pub stacks: BTreeSet<&'static str>,
    /// Controllers of the cases that work on file systems.
    pub with_files: BTreeSet<Controller>,
    /// Modules of these file systems.
    pub filesystems: BTreeSet<&'static str>,
    /// Controllers of the cases whose paths multipathd tends.
    pub with_multipathd: BTreeSet<Controller>,
}

impl Needs {
    /// Whether these are among them.
    pub fn cover(&self, others: &Needs) -> bool {
        self.controllers.is_superset(&others.controllers)
            && self.stacks.is_superset(&others.stacks)
            && self.with_files.is_superset(&others.with_files)
            && self.filesystems.is_superset(&others.filesystems)
            && self.with_multipathd.is_superset(&others.with_multipathd)
    }

    /// Adds these.
    pub fn join(&mut self, others: &Needs) {
        self.controllers.extend(&others.controllers);
        self.stacks.extend(&others.stacks);
        self.with_files.extend(&others.with_files);
        self.filesystems.extend(&others.filesystems);
        self.with_multipathd.extend(&others.with_multipathd);
    }

    /// Of all of `cases`.
    pub fn of(cases: impl IntoIterator<Item = impl Borrow<Case>>) -> Self {
        let mut needs = Needs::default();
        for case in cases {
            let case = case.borrow();
            needs.controllers.insert(case.legs.controller);
            needs.stacks.extend(case.stack.target().modules());
            if case.stack.no_path_retry().is_some() {
                needs.with_multipathd.insert(case.legs.controller);
            }
            if has_files(case) {
                needs.with_files.insert(case.legs.controller);
                needs.filesystems.extend(filesystem(case));
            }
        }
        needs
    }
}

/// Processors of a machine that serves `case`: where several submit they are to do
/// so at once.
pub fn processors(case: &Case) -> u8 {
    if case.io.submitters > 1 { 2 } else { 1 }
}

/// Whether a case needs a machine with file systems and the programs for them.
pub fn has_files(case: &Case) -> bool {
    filesystem(case).is_some()
}

/// The module of the file system that a case needs.
pub fn filesystem(case: &Case) -> Option<&'static str> {
    match case.soak.as_ref()?.filesystem {
        Filesystem::None => None,
        other => Some(other.name()),
    }
}

/// What a case needs of the guest's kernel, beside what every case needs.
pub fn facilities(case: &Case) -> Vec<Facility> {
    let mut needed = Vec::new();
    if case.io.requests > 1 && case.io.path == Path::Direct {
        needed.push(Facility::Aio);
    }
    if case.sabotage == Some(Sabotage::GuestPanic) {
        needed.push(Facility::SysRq);
    }
    if case.stack.no_path_retry().is_some() {
        needed.extend([
            Facility::UnixSockets,
            Facility::Epoll,
            Facility::Signalfd,
            Facility::Timerfd,
            Facility::Inotify,
        ]);
    }
    needed
}

/// That a kernel was built without something, in words.
pub fn lacks(facility: Facility) -> String {
    let option = facility.option();
    match options::purpose(option) {
        Some(purpose) => format!("the guest's kernel lacks {option}: {purpose}"),
        None => format!("the guest's kernel lacks {option}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::TargetName;
    use halfway_scenario::Scenario;

    fn needs(text: &str) -> Needs {
        let text = format!("question = \"?\"\n{text}\n");
        Needs::of(Scenario::parse("test", &text).unwrap().expand())
    }

    #[test]
    fn needs_that_are_joined_cover_both() {
        let mirror = needs("");
        let paths = needs("[stack]\ntarget = \"multipath\"\n[legs]\ncontroller = \"nvme\"");
        assert!(mirror.cover(&mirror) && mirror.cover(&Needs::default()));
        assert!(!mirror.cover(&paths) && !paths.cover(&mirror));
        let mut both = mirror.clone();
        both.join(&paths);
        assert!(both.cover(&mirror) && both.cover(&paths));
        assert!(!mirror.cover(&both));
    }
    /// A guest loads them, and is told by which option its kernel lacks one.
    #[test]
    fn the_modules_of_each_target_are_known_to_the_builder() {
        for name in TargetName::ALL {
            let word = serde_json::to_string(name).unwrap();
            let needs = needs(&format!("[stack]\ntarget = {word}"));
            assert!(!needs.stacks.is_empty(), "{word}");
            for module in needs.stacks {
                assert!(options::of_module(module).is_some(), "{word}: {module}");
            }
        }
    }
}
