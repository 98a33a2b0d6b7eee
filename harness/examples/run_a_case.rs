//! Halfway from Rust: boots a guest, runs the cases of a scenario, prints what the judge
//! says of each; then judges the last one again from what was kept of it.
//!
//! ```text
//! cargo run --release --example run_a_case
//! ```

use halfway::scenario::Scenario;
use halfway::{Lab, Options, Recorded};
use std::error::Error;
use std::io::{self, Write};

/// A read that leg 0 fails in its middle: a correct kernel reads it whole from leg 1.
const SCENARIO: &str = r#"
question = "Does a read that one leg fails in its middle come back whole from the other leg?"
[legs]
max_sectors_kb = 64
[[fault]]
leg = 0
at = [0, 252]
"#;

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}

/// Runs the cases, and says what came of them.
pub fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let scenario = Scenario::parse("example", SCENARIO)?;
    let mut lab = Lab::open(Options::default())?;
    let mut kept = None;
    for case in scenario.expand() {
        let guest = lab.boot(&case)?;
        let (observation, verdict) = lab.run(&case)?;
        let (id, release) = (&case.id, guest.release);
        writeln!(
            out,
            "{}: {id} on {release}: {}",
            verdict.outcome, verdict.reason
        )?;
        kept = Some(Recorded { case, observation });
    }

    // No machine is needed for what was once observed: a file would do as well.
    let kept = serde_json::to_string(&kept.ok_or("the scenario has no case")?)?;
    let recorded: Recorded = serde_json::from_str(&kept)?;
    let verdict = recorded.judge();
    writeln!(out, "judged again: {}: {}", verdict.outcome, verdict.reason)?;
    Ok(())
}
