//! The kernel stacks of waiting tasks, for an I/O that hangs.

use crate::sysfs;
use std::fs;
use std::sync::{Mutex, PoisonError};

/// The agent's own tasks that submit I/O or wait for it, by thread id.
#[derive(Default)]
pub struct Tasks(Mutex<Vec<u32>>);

/// Keeps a task in the list until it is dropped.
pub struct Entry<'a>(&'a Tasks, u32);

impl Tasks {
    /// Adds the calling task to the list.
    pub fn enter(&self) -> Entry<'_> {
        let task = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        self.with(|tasks| tasks.push(task));
        Entry(self, task)
    }

    fn with<R>(&self, then: impl FnOnce(&mut Vec<u32>) -> R) -> R {
        then(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.0.with(|tasks| tasks.retain(|task| *task != self.1));
    }
}

/// The kernel stacks of the agent's own `tasks` and of every task in uninterruptible
/// sleep. Each follows a line that names the task.
pub fn waiting(tasks: &Tasks) -> Vec<String> {
    let tasks = tasks.with(|tasks| tasks.clone());
    let own = (tasks.iter()).filter_map(|task| stack(&format!("/proc/self/task/{task}")));
    let mut found: Vec<String> = own.collect();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = entry.path();
        let is_task = entry.file_name().as_encoded_bytes()[0].is_ascii_digit();
        if is_task && sysfs::read(path.join("stat")).is_ok_and(|stat| state(&stat) == Some('D')) {
            found.extend(stack(&path.to_string_lossy()));
        }
    }
    found
}

fn stack(task: &str) -> Option<String> {
    let stack = sysfs::read(format!("{task}/stack")).ok()?;
    let name = sysfs::read(format!("{task}/comm")).unwrap_or_default();
    Some(format!("{name}\n{stack}"))
}

/// The state in `/proc/PID/stat`. It follows the task's name, which may itself hold
/// spaces and brackets.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("8 (kworker/0:1-) (x) D 2 0 0", Some('D'))]
    #[case("1 (init) S 0 1 1", Some('S'))]
    #[case("", None)]
    fn states(#[case] stat: &str, #[case] expected: Option<char>) {
        assert_eq!(state(stat), expected);
    }
}
