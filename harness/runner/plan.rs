//! What is to be run.

use super::images::Images;
use super::needs;
use crate::machine::command::Boot;
use crate::machine::janitor::Workshop;
use halfway_case::facts;
use halfway_case::observation::Member;
use halfway_case::{Case, Fitting};
use halfway_oracle::Unfit;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// When the contract watcher looks at every bio and its vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// Never.
    #[default]
    Off,
    /// In every case.
    On,
    /// When a case that the kernel failed is run once more.
    Failures,
}

/// What is to be run, and how.
#[derive(Clone)]
pub struct Plan {
    /// The cases, in order.
    pub cases: Vec<PlannedCase>,
    /// Cases of the whole expansion, of which `cases` may be a sample.
    pub whole: u64,
    /// The run's seed.
    pub seed: u64,
    /// Machines side by side.
    pub jobs: usize,
    /// What they boot, but for the initramfs.
    pub boot: Boot,
    /// What they have in it. A controller that is not named in it is skipped.
    pub images: Images,
    /// Where their private directories lie.
    pub workshop: Rc<Workshop>,
    /// How long the guest waits for one I/O.
    pub deadline: Duration,
    /// How long the guest may keep us waiting for anything else.
    pub patience: Duration,
    /// When bios are watched.
    pub watch: Watch,
    /// Keep what was seen of passing cases too.
    pub record_all: bool,
    /// What the user should know before the first case.
    pub notes: Vec<String>,
}

/// A case of a plan.
#[derive(Clone, Debug)]
pub struct PlannedCase {
    /// The case.
    pub case: Case,
    /// Why it cannot be judged, if it cannot: it is skipped then.
    pub unfit: Option<Unfit>,
}

impl PlannedCase {
    /// Asks the model whether the case can be judged, once and for all.
    pub fn new(case: Case) -> Self {
        PlannedCase {
            unfit: halfway_oracle::fit(&case).err(),
            case,
        }
    }
}

/// Which machines can serve a case: those of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What the legs are.
    pub fitting: Fitting,
    /// Whether it has file systems and the programs for them.
    pub with_files: bool,
    /// How many processors it has.
    pub processors: u8,
}

impl Kind {
    /// The kind that a case needs.
    pub fn of(case: &Case) -> Self {
        Kind {
            fitting: Fitting::of(case),
            with_files: needs::has_files(case),
            processors: needs::processors(case),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fitting)?;
        if self.with_files {
            f.write_str(", with file systems")?;
        }
        match self.processors {
            1 => Ok(()),
            several => write!(f, ", with {several} processors"),
        }
    }
}

/// The disks that a machine needs to serve all of `cases`, with their sizes in
/// sectors.
pub fn members<'a>(
    cases: impl IntoIterator<Item = &'a Case, IntoIter: Clone>,
) -> Vec<(Member, u64)> {
    /// A disk log's header and bits: a megabyte serves any mirror of ours.
    const LOG: u64 = 2048;
    let cases = cases.into_iter();
    let legs = cases.clone().map(|case| case.legs.count).max().unwrap_or(0);
    let size = |leg: u8| {
        let of = |case: &Case| case.legs.sectors + facts::offset(case, leg);
        cases.clone().map(of).max().unwrap_or(0)
    };
    let mut members: Vec<_> = (0..legs).map(|leg| (Member::Leg(leg), size(leg))).collect();
    if cases.clone().any(Case::has_log_disk) {
        members.push((Member::Log, LOG));
    }
    members
}

/// A case's own seed: the same wherever and whenever the case is run under
/// the run's seed.
pub fn case_seed(run: u64, id: &str) -> u64 {
    // FNV-1a: short, and its values are ours to keep for ever.
    id.bytes().fold(run ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_scenario::Scenario;
    use rstest::rstest;

    #[rstest]
    #[case::one("requests = 4", "virtio-blk")]
    #[case::several("requests = 4\nsubmitters = 3", "virtio-blk, with 2 processors")]
    fn what_a_machine_is(#[case] io: &str, #[case] words: &str) {
        let text = format!("question = \"?\"\n[io]\n{io}\n");
        let scenario = Scenario::parse("test", &text).unwrap();
        let case = scenario.expand().next().unwrap();
        assert_eq!(Kind::of(&case).to_string(), words);
    }

    #[test]
    fn seeds_differ_and_stay() {
        assert_eq!(case_seed(1, "a"), case_seed(1, "a"));
        assert_ne!(case_seed(1, "a"), case_seed(1, "b"));
        assert_ne!(case_seed(1, "a"), case_seed(2, "a"));
        assert_eq!(case_seed(0, ""), 0xcbf2_9ce4_8422_2325);
    }
}
