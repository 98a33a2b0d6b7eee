//! Binary search for the place where a verdict changes, among kernels of which some
//! cannot be judged. Does no I/O: the caller tries what it is told to.

/// What is known of one kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Every case that was run passed.
    Good,
    /// The kernel failed a case.
    Bad,
    /// It cannot be said: the kernel cannot be had, or its runs showed nothing.
    Unjudged,
}

/// What the search wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Try the kernel of this index, and [`mark`](Search::mark) it.
    Try(usize),
    /// No further kernel can tell more.
    Done,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An end is not what the user said, so there is nothing between them to look for.
    EndDiffers {
        /// The index of the end.
        end: usize,
        /// What it should have been.
        expected: Mark,
        /// What it is.
        found: Mark,
    },
    /// The verdict changes between two kernels.
    Change {
        /// The last kernel that is like the first end.
        before: usize,
        /// The first kernel that is like the last end. If kernels in between cannot be
        /// judged, the change may be in any of them.
        after: usize,
        /// Kernels whose verdict contradicts that there is one change only.
        against: Vec<usize>,
    },
}

/// The search over `0..kernels`, of which the first and the last are the two ends.
#[derive(Clone, Debug)]
pub struct Search {
    first: Mark,
    marks: Vec<Option<Mark>>,
}

impl Search {
    /// A search over this many kernels. `first` is what the user says of the first; the
    /// last is the opposite. `None` if there are fewer than two, or `first` says nothing.
    pub fn new(kernels: usize, first: Mark) -> Option<Self> {
        (kernels >= 2 && first != Mark::Unjudged).then(|| Search {
            first,
            marks: vec![None; kernels],
        })
    }

    /// Notes what the kernel of this index is.
    pub fn mark(&mut self, index: usize, mark: Mark) {
        self.marks[index] = Some(mark);
    }

    fn last(&self) -> Mark {
        match self.first {
            Mark::Good => Mark::Bad,
            _ => Mark::Good,
        }
    }

    /// Both ends, the bad one first: its failure is the one to look for in the others.
    fn ends(&self) -> [(usize, Mark); 2] {
        let first = (0, self.first);
        let last = (self.marks.len() - 1, self.last());
        match self.first {
            Mark::Bad => [first, last],
            _ => [last, first],
        }
    }

    /// The range in which the change is, both bounds judged. The lower bound is the last
    /// kernel that is like the first end, before the first one that is not.
    fn range(&self) -> (usize, usize) {
        let is = |wanted: Mark| move |mark: &Option<Mark>| *mark == Some(wanted);
        let last = self.marks.len() - 1;
        let after = self.marks.iter().position(is(self.last())).unwrap_or(last);
        let before = self.marks[..after].iter().rposition(is(self.first));
        (before.unwrap_or(0), after)
    }

    /// What to do next. First the ends are tried, the bad one before the good one, then the middle of what remains. If the
    /// middle cannot be judged, its nearest neighbour is taken. At last one kernel on
    /// each side of the change is tried, to see whether it is the only one.
    pub fn step(&self) -> Step {
        for (end, expected) in self.ends() {
            match self.marks[end] {
                None => return Step::Try(end),
                Some(mark) if mark != expected => return Step::Done,
                Some(_) => {}
            }
        }
        let (before, after) = self.range();
        let middle = before + (after - before) / 2;
        let untried = |index: &usize| self.marks[*index].is_none();
        let nearest = (before + 1..after)
            .filter(untried)
            .min_by_key(|index| index.abs_diff(middle));
        match nearest.or_else(|| self.neighbour(before, after)) {
            Some(index) => Step::Try(index),
            None => Step::Done,
        }
    }

    /// A kernel beside the change that was not tried yet, if no kernel on its side that
    /// can be judged is closer.
    fn neighbour(&self, before: usize, after: usize) -> Option<usize> {
        let tells = |index: &usize| self.marks[*index] != Some(Mark::Unjudged);
        let below = (0..before).rev().find(tells);
        let above = (after + 1..self.marks.len()).find(tells);
        [below, above]
            .into_iter()
            .flatten()
            .find(|index| self.marks[*index].is_none())
    }

    /// The result. `None` before [`step`](Self::step) says that the search is done.
    pub fn found(&self) -> Option<Found> {
        if self.step() != Step::Done {
            return None;
        }
        for (end, expected) in self.ends() {
            let found = self.marks[end]?;
            if found != expected {
                return Some(Found::EndDiffers {
                    end,
                    expected,
                    found,
                });
            }
        }
        let (before, after) = self.range();
        let marks = self.marks.iter().enumerate();
        let against = marks.filter_map(|(index, mark)| match mark {
            Some(mark) if index < before && *mark == self.last() => Some(index),
            Some(mark) if index > after && *mark == self.first => Some(index),
            _ => None,
        });
        Some(Found::Change {
            before,
            after,
            against: against.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    /// Runs a search over these kernels. Returns what was tried and found.
    fn searched(kernels: &[Mark], first: Mark) -> (Vec<usize>, Found) {
        let mut search = Search::new(kernels.len(), first).unwrap();
        let mut tried = Vec::new();
        while let Step::Try(index) = search.step() {
            assert!(search.found().is_none());
            assert!(!tried.contains(&index), "{index} is tried twice");
            tried.push(index);
            search.mark(index, kernels[index]);
        }
        let found = search.found().unwrap();
        (tried, found)
    }

    fn marks(text: &str) -> Vec<Mark> {
        text.chars()
            .map(|letter| match letter {
                'g' => Mark::Good,
                'b' => Mark::Bad,
                _ => Mark::Unjudged,
            })
            .collect()
    }

    #[rstest]
    #[case::two("gb", 0, 1, &[])]
    #[case::first_bad("gggbbbbb", 2, 3, &[])]
    #[case::first_fixed("bbbbbbg", 5, 6, &[])]
    #[case::a_gap("gg???bb", 1, 5, &[])]
    #[case::nothing_between("g???b", 0, 4, &[])]
    #[case::one_in_the_gap("g?b?b", 0, 2, &[])]
    #[case::more_than_one_change("ggbgbb", 3, 4, &[2])]
    fn the_change_is_found(
        #[case] kernels: &str,
        #[case] before: usize,
        #[case] after: usize,
        #[case] against: &[usize],
    ) {
        let kernels = marks(kernels);
        let (_, found) = searched(&kernels, kernels[0]);
        // A search from the middle may see either of several changes.
        if against.is_empty() {
            let against = Vec::new();
            assert_eq!(
                found,
                Found::Change {
                    before,
                    after,
                    against
                }
            );
        } else {
            let Found::Change { before, after, .. } = found else {
                panic!("{found:?}")
            };
            assert_ne!(kernels[before], kernels[after]);
        }
    }

    #[rstest]
    #[case::good_fails("bbb", Mark::Good, 0, Mark::Bad)]
    #[case::bad_passes("ggg", Mark::Good, 2, Mark::Good)]
    #[case::unjudged("?gb", Mark::Good, 0, Mark::Unjudged)]
    fn an_end_that_is_not_as_said_ends_the_search(
        #[case] kernels: &str,
        #[case] first: Mark,
        #[case] wrong: usize,
        #[case] is: Mark,
    ) {
        let (tried, found) = searched(&marks(kernels), first);
        assert!(tried.len() <= 2);
        assert!(
            matches!(found, Found::EndDiffers { end, found, .. } if end == wrong && found == is),
            "{found:?}"
        );
    }

    #[test]
    fn a_second_change_beside_the_first_is_seen() {
        let (_, found) = searched(&marks("gbgbbb"), Mark::Good);
        let Found::Change { against, .. } = found else {
            panic!("{found:?}")
        };
        assert!(!against.is_empty());
    }

    #[test]
    fn one_kernel_is_no_range() {
        assert!(Search::new(1, Mark::Good).is_none());
        assert!(Search::new(2, Mark::Unjudged).is_none());
    }

    proptest! {
        /// With one change and any number of kernels that cannot be judged, the search
        /// finds what a look at every kernel finds.
        #[test]
        fn it_finds_what_a_linear_scan_finds(
            kernels in 2usize..60,
            at in any::<prop::sample::Index>(),
            unjudged in prop::collection::vec(any::<bool>(), 60),
            fixed in any::<bool>(),
        ) {
            let first = if fixed { Mark::Bad } else { Mark::Good };
            let last = if fixed { Mark::Good } else { Mark::Bad };
            let change = 1 + at.index(kernels - 1);
            let kernels: Vec<Mark> = (0..kernels)
                .map(|index| match index {
                    _ if index > 0 && index + 1 < kernels && unjudged[index] => Mark::Unjudged,
                    _ if index < change => first,
                    _ => last,
                })
                .collect();
            let before = kernels.iter().rposition(|mark| *mark == first).unwrap();
            let after = kernels.iter().position(|mark| *mark == last).unwrap();
            let (_, found) = searched(&kernels, first);
            prop_assert_eq!(found, Found::Change { before, after, against: Vec::new() });
        }

        /// Whatever the kernels are, the two sides of the result differ, and all that
        /// lies between was found to be unjudgeable.
        #[test]
        fn it_ends_with_evidence(letters in "g[gb?]{0,40}b") {
            let kernels = marks(&letters);
            let (_, found) = searched(&kernels, Mark::Good);
            let Found::Change { before, after, against } = found else { panic!() };
            prop_assert_eq!((kernels[before], kernels[after]), (Mark::Good, Mark::Bad));
            prop_assert!(kernels[before + 1..after].iter().all(|mark| *mark == Mark::Unjudged));
            for index in against {
                let wrong = if index < before { Mark::Bad } else { Mark::Good };
                prop_assert_eq!(kernels[index], wrong);
            }
        }

        /// Where all can be judged, it takes as many tries as a binary search: the ends,
        /// the halvings, and two neighbours.
        #[test]
        fn it_is_short(kernels in 2usize..500, at in any::<prop::sample::Index>()) {
            let change = 1 + at.index(kernels - 1);
            let kernels: Vec<Mark> = (0..kernels)
                .map(|index| if index < change { Mark::Good } else { Mark::Bad })
                .collect();
            let (tried, _) = searched(&kernels, Mark::Good);
            let halvings = (kernels.len() as f64).log2().ceil() as usize + 1;
            prop_assert!(tried.len() <= 4 + halvings, "{} of {}", tried.len(), kernels.len());
        }
    }
}
