//! The script that judges one commit of a kernel tree, for `git bisect run`.

use super::search::Mark;

/// How a commit is built and judged.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// A shell command that builds the kernel in the current directory.
    pub build: String,
    /// A command, word by word, that exits as `halfway bisect --judge` does.
    pub judge: Vec<String>,
    /// What the older end is. If it is bad, the first fixed commit is looked for.
    pub old: Mark,
}

impl Recipe {
    /// The script. `git bisect run` takes exit code 0 for the older kind, 1 for the newer
    /// one, 125 for a commit that cannot be tested, and above 127 it stops.
    ///
    /// `None` if a word holds a NUL byte, which no shell can pass on.
    pub fn script(&self) -> Option<String> {
        let judge = shlex::try_join(self.judge.iter().map(String::as_str)).ok()?;
        let (good, bad) = match self.old {
            Mark::Bad => (1, 0),
            _ => (0, 1),
        };
        let build = &self.build;
        Some(format!(
            "#!/bin/sh\n\
             # A commit that cannot be built cannot be judged.\n\
             ( {build}\n) || exit 125\n\
             {judge}\n\
             case $? in\n\
             0) exit {good} ;;\n\
             1) exit {bad} ;;\n\
             # Nothing was shown, or no guest came up.\n\
             3|125) exit 125 ;;\n\
             # A mistake of the user, or an interrupt: other commits would have it too.\n\
             *) exit 255 ;;\n\
             esac\n"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::process::Command;

    fn recipe(build: &str, judge: &str, old: Mark) -> Recipe {
        Recipe {
            build: build.to_owned(),
            judge: ["sh", "-c", judge].map(str::to_owned).to_vec(),
            old,
        }
    }

    /// The script is played by a shell, with a build and a judge that only exit.
    #[rstest]
    #[case::good("true", "exit 0", Mark::Good, 0)]
    #[case::bad("true", "exit 1", Mark::Good, 1)]
    #[case::still_bad("true", "exit 1", Mark::Bad, 0)]
    #[case::fixed("true", "exit 0", Mark::Bad, 1)]
    #[case::not_built("false", "exit 0", Mark::Good, 125)]
    #[case::build_exits("exit 7", "exit 0", Mark::Good, 125)]
    #[case::build_fails_first("false && true", "exit 0", Mark::Good, 125)]
    #[case::build_with_a_remark("true # it's done", "exit 0", Mark::Good, 0)]
    #[case::nothing_shown("true", "exit 125", Mark::Bad, 125)]
    #[case::host("true", "exit 3", Mark::Good, 125)]
    #[case::usage("true", "exit 2", Mark::Good, 255)]
    #[case::panic("true", "exit 101", Mark::Good, 255)]
    #[case::not_found("true", "exit 127", Mark::Good, 255)]
    #[case::stopped("true", "exit 255", Mark::Bad, 255)]
    #[case::killed("true", "kill -9 $$", Mark::Good, 255)]
    fn exit_codes(
        #[case] build: &str,
        #[case] judge: &str,
        #[case] old: Mark,
        #[case] expected: i32,
    ) {
        let script = recipe(build, judge, old).script().unwrap();
        let status = Command::new("sh").args(["-c", &script]).status().unwrap();
        assert_eq!(status.code(), Some(expected), "{script}");
    }

    #[test]
    fn words_reach_the_command_as_they_are() {
        let mut odd = recipe("true", "test \"$0\" = \"a b'\\$x\"", Mark::Good);
        odd.judge.push("a b'$x".to_owned());
        let status = Command::new("sh")
            .args(["-c", &odd.script().unwrap()])
            .status();
        assert_eq!(status.unwrap().code(), Some(0));
        odd.judge.push("\0".to_owned());
        assert!(odd.script().is_none());
    }
}
