//! How much two reports of a kernel have in common.

use halfway_crash::Report;

/// What two reports have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// Whether it is the same failure: the same title, or the same kind in the same
    /// function.
    pub same: bool,
    /// The frames of the first in their order, and whether the second has them too.
    pub frames: Vec<(String, bool)>,
}

impl Likeness {
    /// How many frames of the first the second has too.
    pub fn common(&self) -> usize {
        self.frames.iter().filter(|(_, again)| *again).count()
    }
}

/// Compares two reports, frame by frame. Frames alone make no two failures the same.
pub fn likeness(wanted: &Report, seen: &Report) -> Likeness {
    let same_place = wanted.kind == seen.kind && wanted.function == seen.function;
    let of_seen = |function: &str| seen.frames.iter().any(|one| one.function == function);
    let frames: Vec<(String, bool)> = (wanted.frames.iter())
        .map(|frame| (frame.function.clone(), of_seen(&frame.function)))
        .collect();
    Likeness {
        same: wanted.title == seen.title || wanted.function.is_some() && same_place,
        frames,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn report(text: &str) -> Report {
        halfway_crash::decode(text).remove(0)
    }

    fn oops(function: &str, caller: &str) -> Report {
        report(&format!(
            "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
             RIP: 0010:{function}+0x10/0x40\nCall Trace:\n {caller}+0x1/0x2\n"
        ))
    }

    #[rstest]
    #[case::the_same(oops("bio_advance", "do_mirror"), true, 2)]
    #[case::called_by_another(oops("bio_advance", "other"), true, 1)]
    #[case::in_another_function(oops("bio_copy", "do_mirror"), false, 1)]
    fn only_kind_and_function_make_it_the_same(
        #[case] seen: Report,
        #[case] same: bool,
        #[case] common: usize,
    ) {
        let like = likeness(&oops("bio_advance", "do_mirror"), &seen);
        assert_eq!((like.same, like.common()), (same, common));
    }

    #[test]
    fn another_kind_in_the_same_function_is_another_failure() {
        let seen = report("kernel BUG at block/bio.c:7!\nRIP: 0010:bio_advance+0x10/0x40\n");
        assert!(!likeness(&oops("bio_advance", "x"), &seen).same);
    }
}
