//! From a report's text to the cases that are worth a try, in their order.

use crate::runner::plan::Kind;
use halfway_case::Case;
use halfway_crash::Report;
use halfway_reach::{Asked, Limit, Ranking, Subject, Table, Wanted, limits, order, rank};
use halfway_scenario::Scenario;
use std::sync::LazyLock;

/// How many cases of one scenario are tried at most.
const OF_ONE: usize = 12;

/// How many cases are tried at most.
const MOST: usize = 1500;

/// What each scenario was seen to reach: results/reach.txt as it was when the program was
/// built.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::parse(include_str!("../../results/reach.txt")).expect("a test reads it")
});

/// What a text says, and where it leads.
#[derive(Clone, Debug)]
pub struct Lead {
    /// The kernel's reports in it, the most telling first.
    pub reports: Vec<Report>,
    /// What it asks about.
    pub asked: Asked,
    /// The failure that it is about.
    pub wanted: Wanted,
    /// The scenarios that may show it.
    pub ranking: Ranking,
    /// What of it cannot be played.
    pub limits: Vec<Limit>,
}

impl Lead {
    /// Reads a text. Nothing in it is executed or followed.
    pub fn of(text: &str, table: &Table, scenarios: &[Scenario]) -> Self {
        let reports = halfway_crash::decode(text);
        let asked = Asked::of(text, &reports, table);
        let subjects: Vec<Subject<'_>> = (scenarios.iter())
            .map(|scenario| Subject {
                name: &scenario.name,
                about: &scenario.text,
            })
            .collect();
        let ranking = rank(&asked, table, &subjects);
        Lead {
            wanted: Wanted::of(&reports, &asked),
            limits: limits(text, &reports, &asked, table, &ranking),
            ranking,
            reports,
            asked,
        }
    }

    /// The cases to try, the most promising first, as far as those of one kind of machine
    /// are not taken together.
    pub fn cases(&self, scenarios: &[Scenario]) -> Vec<Case> {
        let ranked = self.ranking.scenarios.iter().filter_map(|ranked| {
            let mut known = scenarios.iter();
            let scenario = known.find(|one| one.name == ranked.scenario)?;
            Some((ranked.score, tryable(scenario)))
        });
        let ranked: Vec<(f64, Vec<Case>)> = ranked.collect();
        let sizes: Vec<(f64, usize)> = (ranked.iter())
            .map(|(score, cases)| (*score, cases.len()))
            .collect();
        let cases = order::order(&sizes).into_iter().take(MOST);
        let cases = cases.map(|(place, case)| ranked[place].1[case].clone());
        order::in_blocks(cases.collect(), Kind::of)
    }
}

/// The same cases without a lead: in the order in which `halfway run` runs them.
pub fn unranked(scenarios: &[Scenario]) -> Vec<Case> {
    let mut cases: Vec<Case> = scenarios.iter().flat_map(tryable).collect();
    let mut kinds: Vec<Kind> = Vec::new();
    for kind in cases.iter().map(Kind::of) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    cases.sort_by_cached_key(|case| kinds.iter().position(|kind| *kind == Kind::of(case)));
    cases
}

/// A choice of a scenario's cases, of those that can show something.
fn tryable(scenario: &Scenario) -> Vec<Case> {
    let mut cases = scenario.sample(OF_ONE);
    cases.retain(|case| halfway_oracle::fit(case).is_ok());
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::collections::HashSet;
    use std::path::Path;

    fn catalogue() -> Vec<Scenario> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        halfway_scenario::load(&[path]).expect("the catalogue is valid")
    }

    /// A scenario that was not measured is ranked by its words alone.
    #[test]
    fn the_table_is_of_this_catalogue() {
        let catalogue = catalogue();
        let names: HashSet<&str> = catalogue.iter().map(|one| one.name.as_str()).collect();
        let measured: HashSet<&str> = TABLE.scenarios().collect();
        let gone: Vec<_> = measured.difference(&names).collect();
        assert!(gone.is_empty(), "no scenarios any more: {gone:?}");
        let missing: Vec<_> = names.difference(&measured).collect();
        assert!(
            missing.len() * 10 < names.len(),
            "`halfway reach FILE` measures them: {missing:?}"
        );
        let (functions, messages) = TABLE.size();
        assert!(functions > 300 && messages > 20, "{functions}, {messages}");
    }

    #[rstest]
    #[case::mirror(
        "BUG: kernel NULL pointer dereference, address: 08\nRIP: 0010:read_callback+0x1/0x9 [dm_mirror]\n",
        "raid1/"
    )]
    #[case::multipath("With queue_if_no_path the I/O never came back.", "multipath/")]
    fn a_report_leads_to_cases(#[case] text: &str, #[case] first: &str) {
        let catalogue = catalogue();
        let lead = Lead::of(text, &TABLE, &catalogue);
        assert!(lead.limits.is_empty(), "{:?}", lead.limits);
        let name = &lead.ranking.scenarios[0].scenario;
        assert!(name.contains(first), "{name}");
        let cases = lead.cases(&catalogue);
        let ids: HashSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        assert!(!cases.is_empty() && ids.len() == cases.len());
    }

    #[test]
    fn a_message_leads_to_what_causes_it() {
        let text = "[   12.345678] device-mapper: raid1: Mirror read failed from 254:0. Trying \
                    alternative device.\nThe data were wrong.\n";
        let lead = Lead::of(text, &TABLE, &catalogue());
        assert!(lead.limits.is_empty(), "{:?}", lead.limits);
        assert_eq!(lead.ranking.scenarios[0].says.len(), 1);
    }

    #[test]
    fn the_unranked_order_has_every_kind_of_machine_once() {
        let cases = unranked(&catalogue());
        let mut kinds: Vec<Kind> = cases.iter().map(Kind::of).collect();
        kinds.dedup();
        let number = kinds.len();
        kinds.sort_by_key(|kind| format!("{kind:?}"));
        kinds.dedup();
        assert_eq!(kinds.len(), number);
    }
}
