//! `halfway explore`: runs random cases over the whole format, and groups what did not
//! pass by kind.

use crate::cli::args::{ExploreArgs, RunArgs};
use crate::cli::commands::run;
use crate::cli::select::Choice;
use crate::cli::{CliError, Context, Exit, exit};
use crate::report::Kinds;
use crate::report::lines::{self, count};
use crate::results::Record;
use halfway_oracle::model::Unfit;
use halfway_scenario::Scenario;
use std::collections::BTreeMap;

/// Draws random cases, runs those that can show something, and prints a summary.
///
/// # Errors
/// The same as for `halfway run`.
pub async fn execute(args: &ExploreArgs, ctx: &Context) -> Result<Exit, CliError> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u32(..).into());
    let drawn = Drawn::new(seed, args.count.get());
    for line in drawn.words() {
        anstream::eprintln!("{}", lines::info("left out", &line));
    }
    let choice = Choice::all_of(drawn.scenarios.clone());
    let (guest, results) = (args.guest.clone(), args.results.clone());
    let run = RunArgs::of_chosen(guest, args.jobs, seed, results, args.timeout);
    let (summary, path) = run::perform(&run, Some(choice), ctx).await?;
    let kinds = Kinds::of(&Record::open(&path)?)?;
    anstream::eprintln!();
    for line in kinds.words() {
        anstream::eprintln!("{line}");
    }
    Ok(exit::exit_code(
        &kinds.without_known(summary.tally()),
        summary.interrupted(),
    ))
}

/// The drawn cases that can show something.
struct Drawn {
    scenarios: Vec<Scenario>,
    all: u64,
    /// The cases that were left out: how many, by reason.
    others: BTreeMap<String, u64>,
}

impl Drawn {
    fn new(seed: u64, wanted: u64) -> Self {
        let mut drawn = Drawn {
            scenarios: Vec::new(),
            all: 0,
            others: BTreeMap::new(),
        };
        while (drawn.scenarios.len() as u64) < wanted {
            let scenario = halfway_scenario::draw(seed, drawn.all);
            drawn.all += 1;
            let why = scenario.expand().find_map(|case| {
                halfway_oracle::fit(&case).err().map(|why| match why {
                    Unfit::Unknown(why) => why.0.to_owned(),
                    Unfit::Idle(why) => why.to_string(),
                })
            });
            match why {
                None => drawn.scenarios.push(scenario),
                Some(why) => *drawn.others.entry(why).or_default() += 1,
            }
        }
        drawn
    }

    /// Says how many cases were left out and why, the most frequent reason first.
    fn words(&self) -> Vec<String> {
        let mut others: Vec<_> = self.others.iter().collect();
        others.sort_by_key(|(why, number)| (u64::MAX - **number, *why));
        let left: u64 = self.others.values().sum();
        let first = format!("{left} of {} that were drawn", count(self.all, "case"));
        let reasons = others
            .iter()
            .map(|(why, number)| format!("{number}: {why}"));
        std::iter::once(first).chain(reasons).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_show_anything_is_counted_and_left_out() {
        let drawn = Drawn::new(1, 200);
        assert_eq!(drawn.scenarios.len(), 200);
        assert_eq!(200 + drawn.others.values().sum::<u64>(), drawn.all);
        assert!(
            drawn
                .others
                .contains_key(&halfway_oracle::model::Idle.to_string())
        );
        let first = &drawn.words()[0];
        assert!(
            first.ends_with(&format!("of {} cases that were drawn", drawn.all)),
            "{first}"
        );
    }
}
