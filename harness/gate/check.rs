//! Sorts the cases of runs into those that got worse and those that did not.

use crate::known::{Known, Seen};
use crate::results::{Ended, Ran};
use halfway_case::Outcome;
use std::collections::{HashMap, HashSet};
use time::Date;

/// What is gated.
pub struct Input<'a> {
    /// The runs.
    pub runs: &'a [Ran],
    /// Older runs, which say what passed before.
    pub against: &'a [Ran],
    /// The failures that are known.
    pub known: &'a [Known],
    /// The day on which entries expire or do not.
    pub today: Date,
    /// The file of a case that did not pass; empty if it has none.
    pub file: &'a dyn Fn(&Ran, &Ended) -> String,
}

/// In what way a case is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Worse {
    /// It fails, crashes or hangs.
    New,
    /// It is known to fail, but fails in another way than this entry says.
    OtherWay(usize),
    /// Nobody knows whether the kernel got it right.
    Unjudged,
    /// It was judged in an older run, and is not in these.
    Gone,
}

/// A case that got worse.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// In what way.
    pub worse: Worse,
    /// What it came to; what it was for one that is gone.
    pub ended: &'a Ended,
    /// The release of its kernel.
    pub release: &'a str,
    /// What it was in an older run.
    pub before: Option<&'a Ended>,
}

/// What is wrong with an entry of the baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// None of its cases was run.
    NotRun,
    /// Its cases were run, and none failed.
    Passed(u64),
    /// Its cases fail, and none of them so.
    OtherWay,
    /// Some of the cases that it names passed: their ids.
    SomePassed(Vec<String>),
    /// It does not count any more since then.
    Expired(Date),
}

/// How the runs stand against what is known.
#[derive(Debug, Default)]
pub struct Gated<'a> {
    /// All cases.
    pub cases: u64,
    /// Those that passed.
    pub passed: u64,
    /// Those of which the kernel was judged: it passed, or got it wrong.
    pub judged: u64,
    /// Those that are worse, the worst kind first.
    pub worse: Vec<Case<'a>>,
    /// The entries that were met, with their cases.
    pub known: Vec<(usize, Vec<&'a Ended>)>,
    /// The entries that do not fit.
    pub stale: Vec<(usize, Stale)>,
    /// The number of entries that are about other kernels.
    pub elsewhere: u64,
    /// Why a record does not tell the whole run.
    pub incomplete: Vec<String>,
}

/// Holds runs against what is known.
pub fn check<'a>(input: &Input<'a>) -> Gated<'a> {
    let before: HashMap<&str, &Ended> = (input.against.iter())
        .flat_map(|run| &run.cases)
        .map(|case| (case.id.as_str(), case))
        .collect();
    let mut gated = Gated::default();
    let mut tallies: Vec<Met<'a>> = input.known.iter().map(|_| Met::default()).collect();
    for run in input.runs {
        let release = run.release();
        let here: Vec<usize> = (0..input.known.len())
            .filter(|at| input.known[*at].is_about_kernel(release))
            .collect();
        here.iter().for_each(|at| tallies[*at].about = true);
        let incomplete = run.incomplete();
        (gated.incomplete).extend(incomplete.map(|why| format!("{}: {why}", run.path)));
        for ended in &run.cases {
            gated.cases += 1;
            let passed = ended.outcome == Outcome::Pass;
            gated.judged += u64::from(passed || ended.outcome.blames_kernel());
            let about = |at: &&usize| input.known[**at].is_about_case(&ended.id);
            if passed {
                gated.passed += 1;
                for at in here.iter().filter(about) {
                    tallies[*at].passed.push(ended);
                }
                continue;
            }
            let seen = Seen::of(ended, release);
            let file = || (input.file)(run, ended);
            let known = (here.iter()).find(|at| input.known[**at].is(&seen, file));
            // An entry for any case says nothing of this one.
            let named = here.iter().filter(about).filter(|at| {
                let entry = &input.known[**at];
                Some(*at) != known && !entry.cases.is_empty() && entry.is_about_file(file)
            });
            let named: Vec<&usize> = named.collect();
            named.iter().for_each(|at| tallies[**at].otherwise += 1);
            if let Some(at) = known {
                tallies[*at].cases.push(ended);
                continue;
            }
            // What is known of a failure says nothing of a skip, and the other way round.
            let named = named.into_iter().find(|at| {
                let mut ways = input.known[**at].failures.iter();
                ways.any(|way| way.outcome().is_some_and(Outcome::blames_kernel))
            });
            let worse = match (ended.outcome.blames_kernel(), named) {
                (true, Some(at)) => Worse::OtherWay(*at),
                (true, None) => Worse::New,
                (false, _) => Worse::Unjudged,
            };
            let before = before.get(ended.id.as_str()).copied();
            gated.worse.push(Case {
                worse,
                ended,
                release,
                before,
            });
        }
    }
    // What an older run did not tell, nobody can miss.
    for run in input.against {
        let incomplete = run.incomplete();
        (gated.incomplete).extend(incomplete.map(|why| format!("{}: {why}", run.path)));
    }
    gated.worse.extend(gone(input));
    gated.worse.sort_by_key(|case| match case.worse {
        Worse::New => (0, 0),
        Worse::OtherWay(at) => (1, at),
        Worse::Unjudged => (2, 0),
        Worse::Gone => (3, 0),
    });
    for (at, met) in tallies.into_iter().enumerate() {
        gated.elsewhere += u64::from(!met.about);
        let stale = met.stale(&input.known[at], input.today);
        gated
            .stale
            .extend(stale.into_iter().map(|stale| (at, stale)));
        if !met.cases.is_empty() {
            gated.known.push((at, met.cases));
        }
    }
    gated
}

/// The cases that older runs judged, and these did not run.
fn gone<'a>(input: &Input<'a>) -> impl Iterator<Item = Case<'a>> {
    let now: HashSet<&str> = (input.runs.iter())
        .flat_map(|run| &run.cases)
        .map(|case| case.id.as_str())
        .collect();
    let mut told: HashSet<&str> = HashSet::new();
    let cases = (input.against.iter())
        .flat_map(|run| run.cases.iter().map(move |ended| (run.release(), ended)))
        .filter(|(_, ended)| ended.outcome == Outcome::Pass || ended.outcome.blames_kernel());
    let gone = cases.filter(move |(_, ended)| !now.contains(&*ended.id) && told.insert(&ended.id));
    gone.map(|(release, ended)| Case {
        worse: Worse::Gone,
        ended,
        release,
        before: Some(ended),
    })
}

/// What was seen of the cases of an entry.
#[derive(Default)]
struct Met<'a> {
    /// Whether it is about the kernel of a run.
    about: bool,
    /// The cases that failed as it says.
    cases: Vec<&'a Ended>,
    /// The cases that it names and that passed.
    passed: Vec<&'a Ended>,
    /// How many cases that it names failed otherwise.
    otherwise: u64,
}

impl Met<'_> {
    fn stale(&self, known: &Known, today: Date) -> Vec<Stale> {
        if !self.about {
            return Vec::new();
        }
        let mut stale = Vec::new();
        if let Some(until) = known.until.filter(|_| known.is_expired(today)) {
            stale.push(Stale::Expired(until));
        }
        // Whether a case that passed is one of an entry that does not name it, nobody knows.
        let named = !known.cases.is_empty() && known.lines.is_empty();
        match (self.cases.len(), self.otherwise, self.passed.len()) {
            (0, 0, passed @ 1..) if named => stale.push(Stale::Passed(passed as u64)),
            (0, 0, _) => stale.push(Stale::NotRun),
            (0, ..) => stale.push(Stale::OtherWay),
            _ => {
                let exact: HashSet<&str> = (known.cases.iter())
                    .filter_map(|pattern| pattern.exact())
                    .collect();
                // On another kernel of these runs it may still fail.
                let failed: HashSet<&str> = self.cases.iter().map(|ended| &*ended.id).collect();
                let ids = self.passed.iter().map(|ended| &ended.id);
                let ids = ids.filter(|id| !failed.contains(id.as_str()));
                let ids: Vec<String> = ids
                    .filter(|id| exact.contains(id.as_str()))
                    .cloned()
                    .collect();
                if !ids.is_empty() {
                    stale.push(Stale::SomePassed(ids));
                }
            }
        }
        stale
    }
}

impl Gated<'_> {
    /// Whether a kernel is to blame.
    pub fn blames_kernel(&self) -> bool {
        let blames = |case: &Case<'_>| matches!(case.worse, Worse::New | Worse::OtherWay(_));
        self.worse.iter().any(blames)
    }

    /// Whether the host is to blame: a case failed because of it, or a run did not end.
    pub fn blames_host(&self) -> bool {
        let host = |case: &Case<'_>| case.ended.outcome == Outcome::Infrastructure;
        !self.incomplete.is_empty() || self.worse.iter().any(host)
    }

    /// Whether something was shown, and nothing is worse.
    pub fn is_green(&self) -> bool {
        self.worse.is_empty() && self.incomplete.is_empty() && self.judged > 0
    }
}
