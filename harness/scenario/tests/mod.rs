//! Tests of the format as a whole. What concerns one source file alone is
//! tested there.

mod catalogue;
mod drawn;
mod fitting;
mod limits;
mod mistakes;
mod properties;
mod targets;
mod words;

use super::{Scenario, ScenarioError};
use halfway_case::Case;

/// The cases of a scenario whose text is given without its question.
fn cases(body: &str) -> Vec<Case> {
    let source = format!("question = \"Does it?\"\n{body}");
    match Scenario::parse("s", &source) {
        Ok(scenario) => scenario.expand().collect(),
        Err(error) => panic!("{}", rendered(&error)),
    }
}

/// A report as a terminal without colours shows it.
fn rendered(error: &dyn miette::Diagnostic) -> String {
    let mut text = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut text, error)
        .expect("a string takes all");
    text
}

/// The mistakes of a file.
fn mistakes(source: &str) -> ScenarioError {
    match Scenario::parse("raid1/wrong", source) {
        Ok(scenario) => panic!("valid, with {} cases", scenario.count()),
        Err(error) => error,
    }
}
