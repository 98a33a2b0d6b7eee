//! The programs of the host that building a module needs.

use std::process::{Command, Stdio};

/// A program that is not there.
#[derive(Debug, thiserror::Error)]
#[error("{program} cannot be run, which {purpose}: `ci/setup --controls` installs it")]
pub struct MissingTool {
    /// The program.
    pub program: String,
    /// What it is for.
    pub purpose: String,
}

const SPATCH: &str = "spatch";
const MAKE: &str = "make";

/// Checks that whatever the kernel there is what builds every control.
pub fn require() -> Result<(), MissingTool> {
    need(SPATCH, "applies semantic patches")?;
    require_make()
}

/// Checks for what builds modules of our own.
pub(super) fn require_make() -> Result<(), MissingTool> {
    need(MAKE, "builds modules")
}

/// A compiler for modules of our own, where the kernel's is not there.
pub(super) fn any_compiler() -> Option<&'static str> {
    let near = ["gcc-12", "gcc"];
    near.into_iter().find(|one| need(one, "compiles").is_ok())
}

/// Coccinelle.
pub(super) fn spatch() -> Command {
    quiet(SPATCH)
}

pub(super) fn make() -> Command {
    unaffected(quiet(MAKE))
}

/// A make without the variables of an outer one, which are not for the kernel's.
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

/// Checks that `program` is there.
pub(super) fn need(program: &str, purpose: &str) -> Result<(), MissingTool> {
    let there = quiet(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    match there {
        true => Ok(()),
        false => Err(MissingTool {
            program: program.to_owned(),
            purpose: purpose.to_owned(),
        }),
    }
}

/// The compiler that built a kernel, of `CONFIG_CC_VERSION_TEXT` in its
/// configuration: its program, and what `--version` said.
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
            "halfway-no-such-program cannot be run, which does nothing: \
             `ci/setup --controls` installs it"
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
