//! Ids of cases, with `*` for any characters.

/// An id of a case, or a pattern of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Any text is a pattern; `*` stands for any characters, also for none.
    pub fn new(text: &str) -> Self {
        Pattern(text.to_owned())
    }

    /// The id, if the pattern means just one.
    pub fn exact(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&*self.0)
    }

    /// Whether the pattern means this id.
    pub fn is_met_by(&self, id: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == id;
        };
        let Some(mut id) = id.strip_prefix(first) else {
            return false;
        };
        // What is found first leaves most for the rest.
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*') {
            match id.find(part) {
                Some(at) => id = &id[at + part.len()..],
                None => return false,
            }
        }
        id.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;
    use rstest::rstest;

    #[rstest]
    #[case("raid1.read@at=8", "raid1.read@at=8", true)]
    #[case("raid1.read@at=8", "raid1.read@at=80", false)]
    #[case("raid1.read@*", "raid1.read@at=8", true)]
    #[case("raid1.read@*", "raid1.read-odd@at=8", false)]
    #[case("*controller=floppy*", "multipath.write@controller=floppy,at=8", true)]
    #[case("*controller=floppy*", "multipath.write@controller=floppy", true)]
    #[case("*controller=floppy*", "multipath.write@controller=nvme", false)]
    #[case("a*a", "a", false)]
    #[case("*", "", true)]
    fn patterns(#[case] pattern: &str, #[case] id: &str, #[case] expected: bool) {
        assert_eq!(Pattern::new(pattern).is_met_by(id), expected);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_regular_expression(pattern in "[ab*]{0,6}", id in "[ab]{0,6}") {
            let regex = format!("^{}$", pattern.replace('*', ".*"));
            let expected = Regex::new(&regex).unwrap().is_match(&id);
            prop_assert_eq!(Pattern::new(&pattern).is_met_by(&id), expected);
        }
    }
}
