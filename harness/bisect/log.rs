//! Reads what `git bisect log` prints.

/// What git noted of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Commits with their marks, in the order in which they were judged: the term, such as
    /// "good", and the commit with its subject.
    pub marks: Vec<(String, String)>,
    /// The commit that was found.
    pub first: Option<String>,
    /// Commits of which one is the wanted one, if those in between cannot be judged.
    pub possible: Vec<String>,
}

impl Log {
    /// Parses the log. Lines of other forms are ignored: the commands that repeat it.
    pub fn parse(text: &str) -> Self {
        let mut log = Log::default();
        for line in text.lines() {
            let Some((what, commit)) = line
                .strip_prefix("# ")
                .and_then(|line| line.split_once(": ["))
                .and_then(|(what, rest)| Some((what, rest.split_once("] ")?)))
            else {
                continue;
            };
            let (hash, subject) = commit;
            let commit = format!("{} {subject}", hash.get(..12).unwrap_or(hash));
            match what.split(' ').collect::<Vec<_>>()[..] {
                ["first", _, "commit"] => log.first = Some(commit),
                ["possible", "first", _, "commit"] => log.possible.push(commit),
                [term] => log.marks.push((term.to_owned(), commit)),
                _ => {}
            }
        }
        log
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUND: &str = "\
git bisect start '--term-new' 'bad' '--term-old' 'good'
# status: waiting for both good and bad commits
# bad: [1111111111111111111111111111111111111111] mirrors: [RFC] tidy
git bisect bad 1111111111111111111111111111111111111111
# good: [2222222222222222222222222222222222222222] base
git bisect good 2222222222222222222222222222222222222222
# skip: [3333333333333333333333333333333333333333] does not build
# first bad commit: [1111111111111111111111111111111111111111] mirrors: [RFC] tidy
";

    #[test]
    fn a_log_is_read() {
        let log = Log::parse(FOUND);
        let terms: Vec<&str> = log.marks.iter().map(|(term, _)| term.as_str()).collect();
        assert_eq!(terms, ["bad", "good", "skip"]);
        assert_eq!(log.first.unwrap(), "111111111111 mirrors: [RFC] tidy");
        assert!(log.possible.is_empty());
    }

    #[test]
    fn only_skipped_commits_are_left() {
        let text = "# only skipped commits left to test\n\
                    # possible first fixed commit: [3333333333333333333333333333333333333333] a\n\
                    # possible first fixed commit: [4444444444444444444444444444444444444444] b\n";
        let log = Log::parse(text);
        assert_eq!(log.possible.len(), 2);
        assert_eq!(log.first, None);
        assert_eq!(Log::parse("nonsense\n# bad: [x\n# : [] \n").first, None);
    }
}
