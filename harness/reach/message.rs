//! The kernel's messages, without what varies from machine to machine.

use halfway_case::signature::without_numbers;

/// How many characters of a message count.
const LENGTH: usize = 160;

/// How many words a message needs to tell anything.
const WORDS: usize = 3;

/// A message with `N` for every number and `DEV` for every disk; `None` if too little is
/// left to tell it from others.
pub fn plain(text: &str) -> Option<String> {
    let text: String = text.chars().take(LENGTH).collect();
    let text = without_numbers(&text);
    let mut kept = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !kept.is_empty() {
            kept.push(' ');
        }
        let (head, tail) = match word.find(|c: char| !c.is_alphanumeric()) {
            Some(end) => word.split_at(end),
            None => (word, ""),
        };
        kept.push_str(if is_disk(head) { "DEV" } else { head });
        kept.push_str(tail);
    }
    (kept.split(' ').count() >= WORDS).then_some(kept)
}

/// Whether it is the kernel's name of a disk: `sda`, `vdb1`, `nvme0n1`, `mmcblk0`, `fd0`.
pub fn is_disk(word: &str) -> bool {
    let name = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let after = |kind: &str| {
        name.strip_prefix(kind).is_some_and(|letters| {
            (1..=2).contains(&letters.len()) && letters.bytes().all(|b| b.is_ascii_lowercase())
        })
    };
    let numbered = |kind: &str| {
        word.strip_prefix(kind)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let lettered = ["sd", "vd", "hd"].iter().any(|kind| after(kind));
    lettered || ["nvme", "mmcblk", "fd"].iter().any(|kind| numbered(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "I/O error, dev vda, sector 2300 op 0x0:(READ)",
        Some("I/O error, dev DEV, sector N op N:(READ)")
    )]
    #[case(
        "device-mapper: multipath: 253:0: Failing path 8:16.",
        Some("device-mapper: multipath: N:N: Failing path N:N.")
    )]
    #[case(
        "sd 2:0:0:0: [sdb] tag#12 Sense Key",
        Some("sd N:N:N:N: [sdb] tag#N Sense Key")
    )]
    #[case("a  b\tc", Some("a b c"))]
    #[case("too short", None)]
    #[case("", None)]
    fn messages(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(plain(text).as_deref(), expected);
    }

    #[rstest]
    #[case("sda", true)]
    #[case("vdb1", true)]
    #[case("nvme0n1", true)]
    #[case("sdxyz", false)]
    #[case("sd", false)]
    #[case("nvme", false)]
    #[case("read", false)]
    fn disks(#[case] word: &str, #[case] expected: bool) {
        assert_eq!(is_disk(word), expected);
    }

    proptest! {
        #[test]
        fn any_text_has_one_form(text: String) {
            if let Some(once) = plain(&text) {
                prop_assert!(!once.contains('\n'));
            }
        }
    }
}
