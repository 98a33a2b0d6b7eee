//! Runs other programs to their end. Every error includes the exit status and what the
//! program printed.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, ExitStatus, Output};

/// How many of the last lines of a program's output an error includes.
const TOLD: usize = 12;

/// Why a program failed. The text says all that is known; there is no further source.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It is not installed.
    #[error("there is no {0}")]
    Missing(String),
    /// The operating system could not run it.
    #[error("{program} cannot be run: {why}")]
    NotRun {
        /// The name of the program.
        program: String,
        /// The operating system's error.
        why: io::Error,
    },
    /// It exited with an error, or was ended by a signal.
    #[error("`{line}` failed ({status}){}", with(said))]
    Failed {
        /// The command line.
        line: String,
        /// Its exit status or its signal.
        status: ExitStatus,
        /// The end of its error output.
        said: String,
    },
}

impl ProgramError {
    /// The error of `program`, which could not be started.
    pub fn of_start(program: &OsStr, why: io::Error) -> Self {
        let program = program.to_string_lossy().into_owned();
        match why.kind() {
            io::ErrorKind::NotFound => ProgramError::Missing(program),
            _ => ProgramError::NotRun { program, why },
        }
    }

    /// Returns the `output` of a command line if the program succeeded.
    ///
    /// # Errors
    /// The program exited with an error, or was ended by a signal.
    pub fn check(line: String, output: Output) -> Result<Output, Self> {
        if output.status.success() {
            return Ok(output);
        }
        // Some programs print errors on their standard output.
        let complaint = match output.stderr.trim_ascii() {
            [] => &output.stdout,
            _ => &output.stderr,
        };
        Err(ProgramError::Failed {
            line,
            status: output.status,
            said: last_lines(&String::from_utf8_lossy(complaint)),
        })
    }

    /// Whether the program is not installed.
    pub fn is_missing(&self) -> bool {
        matches!(self, ProgramError::Missing(_))
    }
}

/// Runs a program to its end, and returns its output. Its standard input is the one that
/// the command has.
///
/// # Errors
/// The program could not be started, or it failed.
pub fn run(mut command: Command) -> Result<Output, ProgramError> {
    let output = command
        .output()
        .map_err(|source| ProgramError::of_start(command.get_program(), source))?;
    ProgramError::check(line(&command), output)
}

/// The command line as in a shell, but without quotes.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

fn with(said: &str) -> String {
    match said {
        "" => ", and said nothing".to_owned(),
        said => format!(": {said}"),
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(TOLD)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn sh(script: &str) -> Result<Output, ProgramError> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command)
    }

    #[rstest]
    #[case::a_status("echo no >&2; exit 3", "(exit status: 3): no")]
    #[case::a_signal("kill -SEGV $$", "(signal: 11 (SIGSEGV)")]
    #[case::nothing_said("exit 1", "(exit status: 1), and said nothing")]
    #[case::on_standard_output("echo no; exit 1", "(exit status: 1): no")]
    #[case::the_end_of_much("seq 100 >&2; exit 1", "(exit status: 1): 89\n90\n")]
    fn a_bad_end_is_told(#[case] script: &str, #[case] expected: &str) {
        let error = sh(script).unwrap_err();
        assert!(!error.is_missing());
        let said = error.to_string();
        assert!(
            said.starts_with("`sh -c ") && said.contains(expected),
            "{said}"
        );
    }

    #[test]
    fn what_is_not_there_is_missing() {
        let error = run(Command::new("halfway-no-such-program")).unwrap_err();
        assert!(error.is_missing());
        assert_eq!(error.to_string(), "there is no halfway-no-such-program");
    }

    #[test]
    fn what_may_not_be_run_is_not_missing() {
        let error = run(Command::new("/etc/passwd")).unwrap_err();
        assert!(!error.is_missing());
        assert!(error.to_string().starts_with("/etc/passwd cannot be run: "));
    }

    #[test]
    fn a_good_end_gives_the_output() {
        assert_eq!(sh("echo yes; echo warning >&2").unwrap().stdout, b"yes\n");
    }
}
