//! Finds the programs of the host that building a module needs.

use crate::program::{self, ProgramError};
use std::process::{Command, Stdio};

/// Why a program cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MissingTool {
    /// It is not installed.
    #[error("there is no {program}, which {purpose}: `ci/setup --controls` installs it")]
    Missing {
        /// The name of the program.
        program: String,
        /// What it is needed for.
        purpose: String,
    },
    /// It is installed but does not run.
    #[error("{program}, which {purpose}, does not run: {why}")]
    Broken {
        /// The name of the program.
        program: String,
        /// What it is needed for.
        purpose: String,
        /// How it failed.
        why: ProgramError,
    },
}

const SPATCH: &str = "spatch";
const MAKE: &str = "make";

/// Checks for the programs that every control needs, for any kernel.
pub fn require() -> Result<(), MissingTool> {
    need(SPATCH, "applies semantic patches")?;
    require_make()
}

/// Checks for the programs that our own modules need.
pub(super) fn require_make() -> Result<(), MissingTool> {
    need(MAKE, "builds modules")
}

/// A compiler for our own modules, used if the kernel's is not available.
pub(super) fn any_compiler() -> Option<&'static str> {
    let near = ["gcc-12", "gcc"];
    near.into_iter().find(|one| need(one, "compiles").is_ok())
}

/// A command that runs Coccinelle.
pub(super) fn spatch() -> Command {
    quiet(SPATCH)
}

pub(super) fn make() -> Command {
    unaffected(quiet(MAKE))
}

/// Removes the variables that an outer make has set: they are not meant for the kernel's
/// makefile.
pub(super) fn unaffected(mut make: Command) -> Command {
    for variable in [
        "MAKEFLAGS",
        "MFLAGS",
        "MAKELEVEL",
        "ARCH",
        "CROSS_COMPILE",
        "CC",
    ] {
        make.env_remove(variable);
    }
    make
}

fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// Checks that `program` is installed and runs.
pub(super) fn need(program: &str, purpose: &str) -> Result<(), MissingTool> {
    let mut version = quiet(program);
    version.arg("--version");
    let (program, purpose) = (program.to_owned(), purpose.to_owned());
    match program::run(version) {
        Ok(_) => Ok(()),
        Err(error) if error.is_missing() => Err(MissingTool::Missing { program, purpose }),
        Err(why) => Err(MissingTool::Broken {
            program,
            purpose,
            why,
        }),
    }
}

/// The compiler that built a kernel, from `CONFIG_CC_VERSION_TEXT` in its configuration:
/// the program, and what its `--version` printed.
pub(super) fn compiler_of(config: &str) -> Option<(&str, &str)> {
    let text = config
        .lines()
        .find_map(|line| line.strip_prefix("CONFIG_CC_VERSION_TEXT="))?
        .trim_matches('"');
    Some((text.split(' ').next()?, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let error = need("halfway-no-such-program", "does nothing").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no halfway-no-such-program, which does nothing: \
             `ci/setup --controls` installs it"
        );
    }

    #[test]
    fn a_program_that_does_not_run_is_not_missing() {
        let error = need("false", "does nothing").unwrap_err().to_string();
        assert!(
            error.starts_with(
                "false, which does nothing, does not run: `false --version` failed \
                 (exit status: 1)"
            ),
            "{error}"
        );
    }

    #[test]
    fn the_configuration_names_the_compiler() {
        let config = "CONFIG_X=y\nCONFIG_CC_VERSION_TEXT=\"gcc-12 (Debian 12.2.0-14) 12.2.0\"\n";
        assert_eq!(
            compiler_of(config),
            Some(("gcc-12", "gcc-12 (Debian 12.2.0-14) 12.2.0"))
        );
        assert_eq!(compiler_of("CONFIG_X=y\n"), None);
    }
}
