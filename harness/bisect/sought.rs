//! The failure that is looked for. A kernel that fails in another way says nothing of it.

use halfway_case::{Signature, signature};

/// What comes before the title of a kernel's complaint in a signature.
const COMPLAINT: &str = "kernel log: ";

/// The failure that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// Every failure of the kernel.
    Any,
    /// One whose signature contains one of these texts, or is of a complaint in the same
    /// function as one of them: the same bug may be a page fault here and a protection
    /// fault there.
    These(Vec<String>),
}

impl Sought {
    /// The failures with these signatures.
    pub fn of(signatures: &[Signature]) -> Self {
        Sought::These(signatures.iter().map(Signature::to_string).collect())
    }

    /// Whether this failure is the one.
    pub fn is(&self, failure: &Signature) -> bool {
        let shown = failure.to_string();
        match self {
            Sought::Any => true,
            Sought::These(texts) => texts.iter().any(|text| {
                let same = function(text).is_some_and(|of| function(&shown) == Some(of));
                same || has_words(&shown, text)
            }),
        }
    }
}

/// Whether the text is in the signature, and does not end or begin within a word: `f` is
/// not in `f_2`.
fn has_words(signature: &str, text: &str) -> bool {
    let joins = |a: Option<char>, b: Option<char>| {
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        is_word(a) && is_word(b)
    };
    signature.match_indices(text).any(|(at, _)| {
        let (before, after) = (&signature[..at], &signature[at + text.len()..]);
        !joins(before.chars().next_back(), text.chars().next())
            && !joins(text.chars().next_back(), after.chars().next())
    })
}

/// The function that the complaint of a signature names.
fn function(shown: &str) -> Option<&str> {
    let (_, title) = shown.split_once(COMPLAINT)?;
    signature::function(title)
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::verdict::{Difference, Witness};
    use halfway_case::{Outcome, Verdict};
    use rstest::rstest;

    fn crash(title: &str) -> Signature {
        Signature::of(&Verdict::bare(Outcome::Crash, title)).unwrap()
    }

    fn failure(text: &str) -> Signature {
        let mut verdict = Verdict::bare(Outcome::Fail, text);
        verdict.differences.push(Difference {
            witness: Witness::Content,
            text: text.to_owned(),
        });
        Signature::of(&verdict).unwrap()
    }

    #[rstest]
    #[case::the_same(crash("BUG in f"), crash("BUG in f"), true)]
    #[case::in_the_same_function(crash("page fault in f"), crash("BUG in f"), true)]
    #[case::in_another_function(crash("BUG in f"), crash("BUG in f_2"), false)]
    #[case::no_function(crash("panic"), crash("BUG in f"), false)]
    #[case::other_sectors(failure("leg 0 read 8"), failure("leg 1 read 16"), true)]
    #[case::other_data(failure("leg 0 read 8"), failure("leg 0 was written"), false)]
    #[case::not_a_crash(failure("wrong data in f"), crash("BUG in f"), false)]
    fn failures_alike(#[case] one: Signature, #[case] other: Signature, #[case] alike: bool) {
        assert_eq!(Sought::of(std::slice::from_ref(&one)).is(&other), alike);
        assert_eq!(Sought::of(&[other]).is(&one), alike);
    }

    #[test]
    fn a_user_may_give_a_part_of_it() {
        let sought = |text: &str| Sought::These(vec![text.to_owned()]);
        assert!(sought("crash: ").is(&crash("BUG in f")));
        assert!(sought("BUG in f").is(&crash("BUG in f")));
        assert!(sought("in f").is(&crash("BUG in f_1 in f")));
        assert!(!sought("in f").is(&crash("BUG in f_1")));
        assert!(!sought("hang: ").is(&crash("BUG in f")));
        assert!(!Sought::These(Vec::new()).is(&crash("BUG in f")));
        assert!(Sought::Any.is(&crash("BUG in f")));
    }
}
