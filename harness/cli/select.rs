//! Turns paths and options into cases. Only here does the command line meet the scenario
//! engine.

use super::CliError;
use super::args::SelectArgs;
use super::ids::{self, Exclude, IdsError, Named};
use crate::report::lines::count;
use crate::results::manifest::{Manifest, ScenarioFile, Selection};
use crate::results::{Ended, Ran};
use crate::runner::{Needs, PlannedCase};
use halfway_case::{Case, Outcome};
use halfway_scenario::Scenario;
use miette::Diagnostic;
use regex::Regex;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use thiserror::Error;

/// Scenarios, and which of their cases are selected. A case is made only when it is asked
/// for.
#[derive(Debug)]
pub struct Choice {
    scenarios: Vec<Scenario>,
    thinning: Thinning,
    filter: Option<Regex>,
    named: Named,
    /// The options that selected the cases, as the record keeps them.
    pub selection: Selection,
    /// The number of selected cases.
    pub cases: u64,
    /// The number of cases that there would be without a sample.
    pub whole: u64,
}

/// How the matching cases are reduced.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Thinning {
    /// Every matching case.
    Full,
    /// That many cases of each scenario; the scenario chooses which.
    Shares(Vec<usize>),
    /// That many of the matching cases, spread evenly over all of them.
    Spread(u64),
}

/// Why a selection is not possible.
#[derive(Debug, Error, Diagnostic)]
enum SelectError {
    #[error("none of {} in {} is chosen", count(*found, "case"), count(*scenarios as u64, "scenario"))]
    #[diagnostic(help(
        "`halfway list --full` prints all cases; --filter and --tag leave some out"
    ))]
    Nothing { found: u64, scenarios: usize },
    #[error("the record speaks of {recorded} cases, but its scenarios expand to {expanded}")]
    #[diagnostic(help("the record was made by halfway {version}: go on with that version"))]
    Changed {
        recorded: u64,
        expanded: u64,
        version: String,
    },
    #[error(
        "nothing was started: {} of {cases} cannot be judged",
        count(unknown.iter().map(|one| one.cases).sum(), "case")
    )]
    #[diagnostic(help(
        "`--skip-unknown` runs the other cases; `halfway explain` says what is known of each"
    ))]
    Unknown {
        cases: u64,
        #[related]
        unknown: Vec<Unknown>,
    },
    #[error("the record's filter is not a regular expression")]
    Filter(#[source] regex::Error),
    #[error(
        "no case of the run {path} failed, was inconclusive or was given up because of the host"
    )]
    #[diagnostic(help("`halfway show {path}` shows how it ended"))]
    NothingFailed { path: String },
}

/// Cases of one scenario that cannot be judged, all for the same reason.
#[derive(Debug, Error, Diagnostic)]
#[error("{scenario}: {} of {of}, such as {first}: {why}", count(*cases, "case"))]
struct Unknown {
    scenario: String,
    first: String,
    why: halfway_oracle::model::Unfit,
    cases: u64,
    of: u64,
}

impl Choice {
    /// All cases of one file, or those whose id matches: at least one.
    ///
    /// # Errors
    /// As for [`Choice::new`].
    pub fn of_file(file: &Path, filter: Option<Regex>) -> Result<Self, CliError> {
        Self::new(&SelectArgs {
            paths: vec![file.to_owned()],
            full: true,
            filter,
            ..SelectArgs::default()
        })
    }

    /// The cases that the user asked for: at least one.
    ///
    /// # Errors
    /// A scenario is invalid, or no case is selected.
    pub fn new(args: &SelectArgs) -> Result<Self, CliError> {
        let mut scenarios = halfway_scenario::load(&args.paths)?;
        let found = total(&scenarios);
        let files = scenarios.len();
        if !args.tags.is_empty() {
            scenarios.retain(|scenario| args.tags.iter().any(|tag| scenario.tags.contains(tag)));
        }
        let choice = Self::of(scenarios, selection(args)?)?;
        choice.all_are_there()?;
        match choice.cases {
            0 => Err(CliError::usage(SelectError::Nothing {
                found,
                scenarios: files,
            })),
            _ => Ok(choice),
        }
    }

    /// The cases of a recorded run, made from what the record holds.
    ///
    /// # Errors
    /// This version of Halfway makes other cases from the record than the version that
    /// wrote it.
    pub fn recorded(manifest: &Manifest) -> Result<Self, CliError> {
        let files = manifest.scenarios.iter();
        let scenarios: Vec<_> = files
            .map(|file| Scenario::parse(&file.name, &file.text))
            .collect::<Result<_, _>>()?;
        let choice = Self::of(scenarios, manifest.selection.clone())?;
        if choice.cases == manifest.cases {
            return Ok(choice);
        }
        Err(CliError::usage(SelectError::Changed {
            recorded: manifest.cases,
            expanded: choice.cases,
            version: manifest.halfway.clone(),
        }))
    }

    /// All cases of these scenarios.
    pub fn all_of(scenarios: Vec<Scenario>) -> Self {
        Self::made(scenarios, ALL, None, Named::default())
    }

    /// The cases of a recorded run that did not end well.
    ///
    /// # Errors
    /// There are none, or [`Choice::recorded`] fails.
    pub fn failed(run: &Ran) -> Result<Self, CliError> {
        let again = |case: &&Ended| {
            let outcome = case.outcome;
            let unsure = matches!(outcome, Outcome::Inconclusive | Outcome::Infrastructure);
            outcome.blames_kernel() || unsure
        };
        let failed = run.cases.iter().filter(again).map(|case| case.id.clone());
        let failed: Vec<String> = failed.collect();
        if failed.is_empty() {
            let path = run.path.clone();
            return Err(CliError::usage(SelectError::NothingFailed { path }));
        }
        let Choice { scenarios, .. } = Self::recorded(&run.manifest)?;
        let selection = Selection {
            paths: run.manifest.selection.paths.clone(),
            only: Some(failed),
            ..ALL
        };
        let choice = Self::of(scenarios, selection)?;
        choice.all_are_there()?;
        Ok(choice)
    }

    fn of(scenarios: Vec<Scenario>, selection: Selection) -> Result<Self, CliError> {
        let regex = |text: &String| Regex::new(text);
        let bad = |error| CliError::usage(SelectError::Filter(error));
        let filter = selection
            .filter
            .as_ref()
            .map(regex)
            .transpose()
            .map_err(bad)?;
        let not_matching = selection
            .exclude
            .iter()
            .map(regex)
            .collect::<Result<_, _>>();
        let named = Named {
            only: (selection.only.as_ref()).map(|ids| ids.iter().cloned().collect()),
            without: selection.without.iter().cloned().collect(),
            not_matching: not_matching.map_err(bad)?,
        };
        Ok(Self::made(scenarios, selection, filter, named))
    }

    /// Refuses a list of ids that are not all those of cases.
    fn all_are_there(&self) -> Result<(), CliError> {
        let Some(only) = &self.selection.only else {
            return Ok(());
        };
        let of_scenarios = self.scenarios.iter().flat_map(Scenario::expand);
        let there: HashSet<String> = (of_scenarios.map(|case| case.id))
            .filter(|id| {
                self.named
                    .only
                    .as_ref()
                    .is_some_and(|only| only.contains(id))
            })
            .collect();
        let mut missing = only.iter().filter(|id| !there.contains(*id));
        match missing.next() {
            None => Ok(()),
            Some(first) => Err(CliError::from(IdsError::Unknown {
                first: first.clone(),
                number: 1 + missing.count() as u64,
            })),
        }
    }

    fn made(
        mut scenarios: Vec<Scenario>,
        selection: Selection,
        filter: Option<Regex>,
        named: Named,
    ) -> Self {
        // The user may name a file twice: by itself and by its directory.
        let mut seen = HashSet::new();
        scenarios.retain(|scenario| seen.insert((scenario.name.clone(), scenario.text.clone())));
        let thinning = match (selection.sample, &filter) {
            (Some(number), None) => {
                let sizes = scenarios.iter().map(|one| (one.sample, one.count()));
                Thinning::Shares(shares(sizes, number))
            }
            (Some(number), Some(_)) => Thinning::Spread(number),
            _ if named.only.is_some() => Thinning::Full,
            // A user who filters for certain cases wants all of them.
            (None, Some(_)) => Thinning::Full,
            (None, None) if selection.full => Thinning::Full,
            (None, None) => Thinning::Shares(scenarios.iter().map(|one| one.sample).collect()),
        };
        let mut choice = Choice {
            scenarios,
            thinning,
            filter,
            named,
            selection,
            cases: 0,
            whole: 0,
        };
        // Only a filter or a list asks for the ids of cases, so only with one are they made
        // to be counted.
        let by_id = choice.filter.is_some() || choice.named.only.is_some();
        choice.whole = match by_id || choice.named.leaves_out() {
            false => total(&choice.scenarios),
            true => choice.matching().count() as u64,
        };
        choice.cases = match &choice.thinning {
            Thinning::Shares(_) if choice.named.leaves_out() => choice.cases().count() as u64,
            Thinning::Full => choice.whole,
            Thinning::Shares(shares) => {
                let sizes = choice.scenarios.iter().map(Scenario::count);
                let taken = shares
                    .iter()
                    .zip(sizes)
                    .map(|(share, size)| size.min(*share));
                taken.sum::<usize>() as u64
            }
            Thinning::Spread(number) => choice.whole.min(*number),
        };
        choice
    }

    /// The chosen cases, each made and looked at once.
    pub fn expand(&self) -> Expansion {
        let cases = self.cases().map(PlannedCase::new);
        Expansion(cases.collect())
    }

    /// The scenario files, as the record keeps them.
    pub fn files(&self) -> Vec<ScenarioFile> {
        let scenarios = self.scenarios.iter();
        scenarios
            .map(|scenario| ScenarioFile {
                name: scenario.name.clone(),
                text: scenario.text.clone(),
            })
            .collect()
    }

    /// The chosen cases, in the order of the scenarios.
    pub fn cases(&self) -> Box<dyn Iterator<Item = Case> + '_> {
        match &self.thinning {
            Thinning::Full => Box::new(self.matching()),
            Thinning::Shares(shares) => {
                let shared = self.scenarios.iter().zip(shares);
                let sample = shared.flat_map(|(scenario, share)| scenario.sample(*share));
                // The other cases of the sample stay the same.
                Box::new(sample.filter(|case| !self.named.excludes(&case.id)))
            }
            Thinning::Spread(number) => {
                let numbered = (0..).zip(self.matching());
                let chosen = numbered.filter(|(index, _)| is_chosen(*index, *number, self.whole));
                Box::new(chosen.map(|(_, case)| case))
            }
        }
    }

    fn matching(&self) -> impl Iterator<Item = Case> + '_ {
        let all = self.scenarios.iter().flat_map(Scenario::expand);
        all.filter(|case| {
            let matches = |filter: &Regex| filter.is_match(&case.id);
            self.filter.as_ref().is_none_or(matches)
                && (self.named.only.as_ref()).is_none_or(|only| only.contains(&case.id))
                && !self.named.excludes(&case.id)
        })
    }
}

/// The chosen cases, in the order of the scenarios.
#[derive(Debug)]
pub struct Expansion(pub Vec<PlannedCase>);

impl Expansion {
    /// Refuses cases of which the model does not know what a correct kernel
    /// does, and those in which no fault can fire.
    ///
    /// # Errors
    /// There are some.
    pub fn known(&self) -> Result<(), CliError> {
        let mut unknown: Vec<Unknown> = Vec::new();
        let mut of: HashMap<&str, u64> = HashMap::new();
        for PlannedCase { case, unfit } in &self.0 {
            *of.entry(&case.scenario).or_default() += 1;
            let Some(why) = unfit else {
                continue;
            };
            let alike = |one: &&mut Unknown| one.scenario == case.scenario && one.why == *why;
            match unknown.iter_mut().find(alike) {
                Some(one) => one.cases += 1,
                None => unknown.push(Unknown {
                    scenario: case.scenario.clone(),
                    first: case.id.clone(),
                    why: why.clone(),
                    cases: 1,
                    of: 0,
                }),
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        for one in &mut unknown {
            one.of = of[&*one.scenario];
        }
        let cases = self.0.len() as u64;
        Err(CliError::usage(SelectError::Unknown { cases, unknown }))
    }

    /// What machines must have to serve the cases that can be judged: no others are run.
    pub fn needs(&self) -> Needs {
        let judged = self.0.iter().filter(|planned| planned.unfit.is_none());
        Needs::of(judged.map(|planned| &planned.case))
    }
}

fn total(scenarios: &[Scenario]) -> u64 {
    scenarios
        .iter()
        .map(|scenario| scenario.count() as u64)
        .sum()
}

/// Selects all cases of scenarios that are not in a file.
pub const ALL: Selection = Selection {
    paths: Vec::new(),
    full: true,
    sample: None,
    filter: None,
    tags: Vec::new(),
    only: None,
    without: Vec::new(),
    exclude: Vec::new(),
};

/// The selection options, as the record keeps them.
///
/// # Errors
/// A list of ids cannot be read, or names no case.
fn selection(args: &SelectArgs) -> Result<Selection, CliError> {
    let paths = args.paths.iter();
    let only = args.list.as_deref().map(ids::read).transpose()?;
    let (mut without, mut exclude) = (Vec::new(), Vec::new());
    for one in &args.exclude {
        match one {
            Exclude::Matching(regex) => exclude.push(regex.to_string()),
            Exclude::Listed(path) => without.extend(ids::read(path)?),
        }
    }
    Ok(Selection {
        paths: paths
            .map(|path| path.to_string_lossy().into_owned())
            .collect(),
        full: args.full,
        sample: args.sample.map(Into::into),
        filter: args.filter.as_ref().map(|filter| filter.to_string()),
        tags: args.tags.clone(),
        only,
        without,
        exclude,
    })
}

/// Shares out `number` cases among scenarios, given each scenario's sample and size. Up
/// to their samples the scenarios get equal numbers; a scenario whose cases take long has
/// a small sample. What is left is shared equally as far as the sizes allow.
fn shares(scenarios: impl Iterator<Item = (usize, usize)>, number: u64) -> Vec<usize> {
    let sizes: Vec<_> = scenarios
        .map(|(sample, count)| (sample.min(count), count))
        .collect();
    let all: u64 = sizes.iter().map(|(_, count)| *count as u64).sum();
    let sampled: u64 = sizes.iter().map(|(sample, _)| *sample as u64).sum();
    let mut shares = vec![0; sizes.len()];
    let mut left = number.min(all);
    while left > 0 {
        let beyond = shares.iter().map(|share| *share as u64).sum::<u64>() >= sampled;
        for (share, (sample, count)) in shares.iter_mut().zip(&sizes) {
            let most = if beyond { count } else { sample };
            if left > 0 && *share < *most {
                *share += 1;
                left -= 1;
            }
        }
    }
    shares
}

/// Whether the element at `index` is one of the `number` chosen out of `whole`. The range
/// is cut into `number` equal stretches, and one element is taken from each, at a place
/// that differs between stretches. Equal steps would not do: a step that is a multiple of
/// an axis's length would always hit the same value of that axis.
fn is_chosen(index: u64, number: u64, whole: u64) -> bool {
    if number >= whole {
        return true;
    }
    let (index, number, whole) = (u128::from(index), u128::from(number), u128::from(whole));
    let stretch = index * number / whole;
    let start = (stretch * whole).div_ceil(number);
    let end = ((stretch + 1) * whole).div_ceil(number);
    let scattered = (stretch + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    index == start + scattered % (end - start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::equal(&[(9, 10), (9, 10)], 4, &[2, 2])]
    #[case::odd(&[(9, 10), (9, 10)], 5, &[3, 2])]
    #[case::small_ones_are_done_first(&[(9, 1), (9, 100), (9, 2)], 9, &[1, 6, 2])]
    #[case::small_samples_too(&[(1, 50), (9, 100), (2, 50)], 9, &[1, 6, 2])]
    #[case::beyond_all_samples(&[(1, 50), (2, 4)], 9, &[5, 4])]
    #[case::more_than_there_are(&[(1, 1), (1, 2)], 9, &[1, 2])]
    #[case::nothing(&[], 9, &[])]
    fn a_sample_is_shared_out(
        #[case] sizes: &[(usize, usize)],
        #[case] number: u64,
        #[case] expected: &[usize],
    ) {
        assert_eq!(shares(sizes.iter().copied(), number), expected);
    }

    fn whole(files: &[(&str, &str)]) -> Choice {
        let scenarios = files
            .iter()
            .map(|(name, text)| Scenario::parse(name, text).unwrap());
        let selection = Selection { full: true, ..ALL };
        Choice::of(scenarios.collect(), selection).unwrap()
    }

    /// A read has no flush, so this fault cannot fire.
    #[test]
    fn what_cannot_be_judged_is_named_by_file_case_and_reason() {
        let known = "question = \"?\"\n[[fault]]\nleg = 0\nat = [0, 8]\n";
        let unknown = "question = \"?\"\n[io]\nop = [\"flush\", \"read\"]\n\
                       [[fault]]\nop = \"flush\"\nleg = [0, 1]\nat = 0\n";
        assert!(whole(&[("a", known)]).expand().known().is_ok());
        let choice = whole(&[("dir/b", unknown), ("a", known)]);
        let error = choice.expand().known().unwrap_err();
        assert_eq!(error.exit, crate::cli::Exit::Usage);
        let said = error.report.to_string();
        assert_eq!(said, "nothing was started: 2 cases of 6 cannot be judged");
        let related: Vec<_> = error.report.related().unwrap().collect();
        assert_eq!(related.len(), 1);
        let said = related[0].to_string();
        let named = "dir/b: 2 cases of 4, such as dir.b@op=read,";
        assert!(
            said.starts_with(named) && said.contains("nothing is flushed"),
            "{said}"
        );
        // What they need is not asked of a kernel.
        let needs = whole(&[("b", &unknown.replace("\"flush\", ", ""))])
            .expand()
            .needs();
        assert!(needs.stacks.is_empty(), "{needs:?}");
    }

    #[test]
    fn a_list_selects_its_cases_and_an_exclusion_leaves_the_others_of_a_sample() {
        let text = "question = \"?\"\n[[fault]]\nat = \"every\"\n";
        let scenarios = || vec![Scenario::parse("s", text).unwrap()];
        let ids = |selection: Selection| -> Vec<String> {
            let choice = Choice::of(scenarios(), selection).unwrap();
            let ids: Vec<String> = choice.cases().map(|case| case.id).collect();
            assert_eq!(ids.len() as u64, choice.cases);
            assert!(choice.whole >= choice.cases);
            ids
        };
        let some = |sample| Selection {
            full: false,
            sample: Some(sample),
            ..ALL
        };
        let sample = ids(some(5));
        let without = Selection {
            without: vec![sample[1].clone()],
            exclude: vec![format!("^{}$", regex::escape(&sample[3]))],
            ..some(5)
        };
        let left = [&sample[0], &sample[2], &sample[4]].map(Clone::clone);
        assert_eq!(ids(without.clone()), left);
        let listed = Selection {
            only: Some(sample.clone()),
            ..ALL
        };
        // In the order of the scenario, not in that of the list.
        let of_list: HashSet<String> = ids(listed).into_iter().collect();
        assert_eq!(of_list, sample.into_iter().collect());
        let spread = Selection {
            filter: Some("at=1".to_owned()),
            exclude: vec!["at=10".to_owned()],
            ..some(7)
        };
        let spread = ids(spread);
        assert!(
            spread.len() == 7 && !spread.iter().any(|id| id.contains("at=10")),
            "{spread:?}"
        );
    }

    #[test]
    fn of_a_record_the_cases_are_run_again_that_did_not_end_well() {
        use crate::results::canned;
        let text = "question = \"?\"\n[[fault]]\nat = [0, 1, 2, 3, 4, 5, 6, 7]\n";
        let mut manifest = canned::manifest();
        manifest.scenarios[0].name = "s".to_owned();
        manifest.scenarios[0].text = text.to_owned();
        manifest.selection.full = true;
        assert_eq!(manifest.cases, 8);
        let ran = |outcomes: &[Outcome]| {
            let mut ran = Ran::new(manifest.clone(), "runs/one");
            for (at, outcome) in outcomes.iter().enumerate() {
                let verdict = canned::verdict(*outcome, "x");
                let event = canned::finished(&format!("s@at={at}"), 1, 2, verdict);
                ran.add(canned::at(0, event));
            }
            ran
        };
        let choice = Choice::failed(&ran(&Outcome::ALL)).unwrap();
        let again: Vec<Outcome> = (choice.cases())
            .map(|case| Outcome::ALL[case.faults[0].sector as usize % 8])
            .collect();
        use Outcome::*;
        assert_eq!(again, [Fail, Crash, Hang, Inconclusive, Infrastructure]);
        // It can be resumed, and be the run whose failures are run again.
        let mut recorded = manifest.clone();
        (recorded.selection, recorded.cases) = (choice.selection.clone(), choice.cases);
        assert_eq!(Choice::recorded(&recorded).unwrap().cases, 5);
        let error = Choice::failed(&ran(&[Pass, Skipped, Finding])).unwrap_err();
        assert_eq!(error.exit, crate::cli::Exit::Usage);
    }

    #[test]
    fn an_id_that_is_not_there_is_named() {
        let scenario = Scenario::parse("s", "question = \"?\"\n[[fault]]\n").unwrap();
        let there = scenario.expand().next().unwrap().id;
        let listed = |ids: &[&str]| {
            let selection = Selection {
                only: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
                ..ALL
            };
            Choice::of(vec![scenario.clone()], selection)
                .unwrap()
                .all_are_there()
        };
        assert!(listed(&[&there]).is_ok());
        let error = listed(&[&there, "s@x=1", "s@x=2"]).unwrap_err();
        assert_eq!(error.exit, crate::cli::Exit::Usage);
        let said = error.report.to_string();
        assert!(
            said.contains("2 ids of the list are") && said.contains("s@x=1"),
            "{said}"
        );
    }

    fn chosen(number: u64, whole: u64) -> Vec<u64> {
        (0..whole)
            .filter(|at| is_chosen(*at, number, whole))
            .collect()
    }

    #[test]
    fn no_axis_stands_still_in_a_spread_sample() {
        let leg: HashSet<_> = chosen(64, 4096)
            .into_iter()
            .map(|index| index % 4)
            .collect();
        assert_eq!(leg.len(), 4);
    }

    proptest! {
        #[test]
        fn a_spread_sample_has_the_number_that_was_asked_for(number in 1u64..200, whole in 1u64..2000) {
            let chosen = chosen(number, whole);
            prop_assert_eq!(chosen.len() as u64, number.min(whole));
            let widest = chosen.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
            prop_assert!(widest <= 2 * whole.div_ceil(number));
        }
    }
}
