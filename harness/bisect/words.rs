//! The result of a search, for people.

use super::evidence::Evidence;
use super::search::{Found, Mark};

/// The line of one kernel: name, verdict, and why.
pub fn line(name: &str, evidence: &Evidence) -> String {
    let verdict = match evidence.mark {
        Mark::Good => "pass",
        Mark::Bad => "FAIL",
        Mark::Unjudged => "not judged",
    };
    let mut line = format!("{verdict:>10}  {name}");
    if evidence.is_flaky() {
        let all = evidence.failed + evidence.passed;
        line += &format!(": flaky, {} of {all} runs failed", evidence.failed);
    }
    if !evidence.why.is_empty() {
        line += &format!(": {}", evidence.why);
    }
    line
}

/// What was found, in lines. `names` and `seen` are those of the kernels in order.
pub fn result(found: &Found, names: &[String], seen: &[Option<Evidence>]) -> Vec<String> {
    let (before, after, against) = match found {
        Found::EndDiffers {
            end,
            expected,
            found,
        } => {
            let word = |mark: &Mark| match mark {
                Mark::Good => "good",
                Mark::Bad => "bad",
                Mark::Unjudged => "not to be judged",
            };
            return vec![format!(
                "{} was given as {}, but is {}: there is nothing to search for",
                names[*end],
                word(expected),
                word(found)
            )];
        }
        Found::Change {
            before,
            after,
            against,
        } => (*before, *after, against),
    };
    let is = |index: usize, mark: Mark| seen[index].as_ref().is_some_and(|one| one.mark == mark);
    let (first, last) = match is(after, Mark::Bad) {
        true => ("first bad", "last good"),
        false => ("first fixed", "last bad"),
    };
    let mut lines = vec![
        format!("{last:>11}  {}", names[before]),
        format!("{first:>11}  {}", names[after]),
    ];
    if after - before > 1 {
        let between = names[before + 1..after].join(", ");
        lines.push(format!(
            "the change may also have come with a kernel that could not be judged: {between}"
        ));
    }
    if !against.is_empty() {
        let names: Vec<&str> = against.iter().map(|index| names[*index].as_str()).collect();
        lines.push(format!(
            "the verdict changes more than once: {} does not fit, so this is one change of several",
            names.join(", ")
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::evidence::Run;
    use super::*;

    fn failed(why: &str) -> Run {
        Run::Failed {
            why: why.to_owned(),
            failures: Vec::new(),
        }
    }

    fn of(letters: &str) -> (Vec<String>, Vec<Option<Evidence>>) {
        let seen = letters.chars().map(|letter| match letter {
            'p' => Some(Evidence::of(&[Run::Passed])),
            'f' => Some(Evidence::of(&[failed("BUG at bio.c")])),
            'm' => Some(Evidence::of(&[Run::Passed, failed("late")])),
            'n' => Some(Evidence::of(&[Run::Nothing("no modules".into())])),
            _ => None,
        });
        let seen: Vec<_> = seen.collect();
        let names = (0..seen.len()).map(|at| format!("6.{at}")).collect();
        (names, seen)
    }

    #[test]
    fn a_result_is_told() {
        let (names, seen) = of("pnf.mf");
        let mut told: Vec<String> = (names.iter().zip(&seen))
            .filter_map(|(name, seen)| Some(line(name, seen.as_ref()?)))
            .collect();
        let change = |before, after, against| Found::Change {
            before,
            after,
            against,
        };
        told.extend(result(&change(0, 2, Vec::new()), &names, &seen));
        let (names, seen) = of("ffpfp");
        told.extend(result(&change(1, 2, vec![3]), &names, &seen));
        let wrong = Found::EndDiffers {
            end: 0,
            expected: Mark::Good,
            found: Mark::Bad,
        };
        told.extend(result(&wrong, &names, &seen));
        insta::assert_snapshot!(told.join("\n"), @r"
              pass  6.0
        not judged  6.1: no modules
              FAIL  6.2: BUG at bio.c
              FAIL  6.4: flaky, 1 of 2 runs failed: late
              FAIL  6.5: BUG at bio.c
          last good  6.0
          first bad  6.2
        the change may also have come with a kernel that could not be judged: 6.1
           last bad  6.1
        first fixed  6.2
        the verdict changes more than once: 6.3 does not fit, so this is one change of several
        6.0 was given as good, but is bad: there is nothing to search for
        ");
    }
}
