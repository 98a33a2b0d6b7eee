//! Guesses for "Did you mean".

/// The candidate that `word` most likely means, if one is near enough.
pub(super) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .iter()
        .map(|candidate| (likeness(&word, &candidate.to_lowercase()), *candidate))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Likeness of two words, from 0 to 1. A word that is part of the other, or one
/// typing error away from it, is always near enough.
fn likeness(word: &str, candidate: &str) -> f64 {
    let part = word.len() > 2 && (candidate.contains(word) || word.contains(candidate));
    let slip = word.len() > 1 && strsim::osa_distance(word, candidate) == 1;
    let likeness = strsim::jaro_winkler(word, candidate);
    if part || slip {
        likeness.max(0.85)
    } else {
        likeness
    }
}

/// The words as "`a`, `b` or `c`".
pub(super) fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::letters_swapped("vectro", Some("vector"))]
    #[case::plural("sector", Some("sectors"))]
    #[case::case("EIO", Some("eio"))]
    #[case::part("guest-eio", Some("eio"))]
    #[case::slip("eoi", Some("eio"))]
    #[case::a_stranger("banana", None)]
    fn only_the_near_is_suggested(#[case] word: &str, #[case] expected: Option<&str>) {
        assert_eq!(nearest(word, &["vector", "sectors", "eio"]), expected);
    }

    #[rstest]
    #[case(&["a"], "`a`")]
    #[case(&["a", "b", "c"], "`a`, `b` or `c`")]
    fn alternatives_read_aloud(#[case] words: &[&str], #[case] expected: &str) {
        assert_eq!(alternatives(words), expected);
    }
}
