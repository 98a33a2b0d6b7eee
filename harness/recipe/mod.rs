//! A case without Halfway: a shell script for any guest with null_blk and device-mapper.
//!
//! The disks are null_blk in memory, whose bad sectors fail a request as a whole, as the
//! case's disks do. The script builds the case's stack, does its I/O, says where that
//! differs from what a correct kernel does, and exits with 1 if it does.
//!
//! * [`lacks`]: what of a case such a script cannot play.
//! * `setting`: the disks, their content and the stack.
//! * `doing`: the I/O of the application.
//! * `checking`: what a correct kernel leaves behind.
//! * [`helper`]: a program for memory that dd does not have.

mod checking;
mod doing;
pub mod helper;
mod lacks;
mod setting;

pub use lacks::lacks;

use halfway_case::Case;
use halfway_oracle::model::{self, Environment, Expectation};
use halfway_oracle::{controller, units};

const PRELUDE: &str = include_str!("prelude.sh");

/// A recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The script. If it cannot play the case, it says so and exits with 2.
    pub script: String,
    /// Why it cannot play the case; empty if it can.
    pub cannot: Vec<String>,
}

/// The recipe of a case. `story` says what it is about; `helper` is the program of
/// [`helper::build`], for guests without a compiler; `release` is the kernel's, as
/// `uname -r` prints it.
pub fn recipe(case: &Case, story: &[String], helper: Option<&[u8]>, release: &str) -> Recipe {
    let cannot = lacks(case);
    let mut script = "#!/bin/sh\n".to_owned();
    for line in story {
        script += format!("# {line}").trim_end();
        script += "\n";
    }
    // In a subshell, so that it can be pasted: its exit does not end the shell.
    script += "(\n";
    if cannot.is_empty() {
        script += PRELUDE;
        script += &body(case, helper, release);
    } else {
        for why in &cannot {
            script += &format!("echo {}\n", quoted(&format!("It cannot be played: {why}.")));
        }
        script += "exit 2\n";
    }
    script += ")\n";
    Recipe { script, cannot }
}

fn body(case: &Case, program: Option<&[u8]>, release: &str) -> String {
    let expected = expectation(case, release);
    let mut lines = setting::lines(case);
    if doing::needs_helper(case) {
        lines.extend(helper::lines(program));
    }
    lines.extend(doing::lines(case));
    lines.extend(checking::lines(case, &expected));
    lines.join("\n") + "\n"
}

fn expectation(case: &Case, release: &str) -> Expectation {
    let (case, _) = controller::as_dm_meets(case);
    let units = units::nominal(&case.io.parts(), &case.boundaries());
    let environment = Environment {
        release: Environment::release_of(release),
        ..Environment::ANY
    };
    model::expect(&case, &environment, &units)
}

/// The sectors that the script fills and looks at: the I/O and a page on either side.
fn around(case: &Case) -> (u64, u64) {
    const PAGE: u64 = model::PAGE_SECTORS;
    let (sector, sectors) = (case.io.sector, case.io.sectors);
    let first = sector.saturating_sub(PAGE) / PAGE * PAGE;
    let end = ((sector + sectors + PAGE).next_multiple_of(PAGE)).min(case.legs.sectors);
    (first, end)
}

/// What the sectors of a leg say they are of.
fn label(case: &Case, leg: u8) -> String {
    match model::alike(case) {
        true => "of the disk".to_owned(),
        false => format!("of leg {leg}"),
    }
}

/// The name of a disk in the script.
fn disk(leg: u8) -> String {
    format!("leg{leg}")
}

/// A word for the shell.
fn quoted(text: &str) -> String {
    crate::results::text::shell([text])
}
#[cfg(test)]
mod tests;
