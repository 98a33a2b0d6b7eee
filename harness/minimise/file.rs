//! The scenario file of a case, as a person would write it: only what must be said.

use halfway_case::{Case, Lower};
use halfway_protocol::io::Op;
use halfway_scenario::Scenario;

/// A scenario file that expands to `case` and nothing else, with its `story` in front. What
/// a file has by itself is not said. The case gets the name of the file, a question of its
/// own and no tags.
pub fn file(case: &Case, story: &[String]) -> String {
    let mut case = case.clone();
    case.question = question(&case);
    case.tags = Vec::new();
    let text = halfway_scenario::case_file(&case);
    let mut lines: Vec<&str> = (text.lines())
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .collect();
    // A key may be needed by another one: so until nothing more can go.
    loop {
        let before = lines.len();
        for index in (0..lines.len()).rev() {
            // A reader wants to see where it fails, be it where it would without a word.
            if lines[index].starts_with("at = ") {
                continue;
            }
            let line = lines.remove(index);
            if !gives(&lines, &case) {
                lines.insert(index, line);
            }
        }
        if lines.len() == before {
            break;
        }
    }
    let mut file = String::new();
    for line in story {
        file += format!("# {line}").trim_end();
        file += "\n";
    }
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with('[') || index == 0 && !story.is_empty() {
            file += "\n";
        }
        file += line;
        file += "\n";
    }
    file
}

/// Whether these lines are a file of this case, but for the name.
fn gives(lines: &[&str], case: &Case) -> bool {
    let text = lines.join("\n") + "\n";
    let Ok(scenario) = Scenario::parse("minimised", &text) else {
        return false;
    };
    let mut cases = scenario.expand();
    let (Some(mut only), None) = (cases.next(), cases.next()) else {
        return false;
    };
    only.id.clone_from(&case.id);
    only.scenario.clone_from(&case.scenario);
    only == *case
}

/// The question that a case asks.
pub fn question(case: &Case) -> String {
    let stack = match case.stack.target().has_copies() {
        true => "a mirror",
        false => "multipath",
    };
    if let Some(soak) = &case.soak {
        return format!("Does {stack} lose nothing in {soak}?");
    }
    let mut happens: Vec<String> = (case.faults.iter())
        .map(|fault| Lower(fault, &case.stack).to_string())
        .chain((case.other_faults.iter()).map(|other| Lower(other, &case.stack).to_string()))
        .chain((case.holds.iter()).map(|hold| Lower(hold, &case.stack).to_string()))
        .collect();
    if happens.is_empty() {
        happens.push("nothing fails".to_owned());
    }
    // A flush has no sectors.
    let io = match case.io.op {
        Op::Flush => "a flush".to_owned(),
        _ => case.io.to_string(),
    };
    format!(
        "Is {io} on {stack} done right, if {}?",
        happens.join(", and ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Case {
        let scenario = Scenario::parse("big", text).unwrap();
        scenario.expand().next().unwrap()
    }

    #[test]
    fn only_what_must_be_said_is_said() {
        let case = of(
            "question = \"?\"\ntags = [\"quick\"]\n[legs]\ncontroller = \"virtio-blk\"\n\
             max_sectors_kb = 64\n[io]\nop = \"write\"\nsectors = 16\n[[fault]]\nleg = 1\nat = 8\n",
        );
        let story = ["It is small.".to_owned(), String::new(), "Yes.".to_owned()];
        let expected = "# It is small.\n#\n# Yes.\n\n\
            question = \"Is a direct write of 16 sectors at sector 2048, one contiguous buffer on a \
            mirror done right, if leg 1 fails every write that covers sector 2056 with EIO?\"\n\n\
            [legs]\nmax_sectors_kb = 64\n\n[io]\nop = \"write\"\nsectors = 16\n\n\
            [[fault]]\nleg = 1\nat = 8\n";
        assert_eq!(file(&case, &story), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Of any case of the format, the file gives that case back.
        #[test]
        fn it_gives_the_case_back(seed: u64, number in 0u64..1000) {
            let case = halfway_scenario::draw(seed, number).expand().next().unwrap();
            let text = file(&case, &["A story.".to_owned()]);
            let mut again = of(&text);
            again.id.clone_from(&case.id);
            again.scenario.clone_from(&case.scenario);
            again.question.clone_from(&case.question);
            again.tags.clone_from(&case.tags);
            prop_assert_eq!(again, case);
        }
    }
}
