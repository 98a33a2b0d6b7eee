//! Whatever the validator accepts the agent can do, up to its limits.

use super::{Scenario, cases};
use halfway_case::limits;
use halfway_protocol::layout::Layout;
use proptest::prelude::*;
use rstest::rstest;

fn lays_out(body: &str) -> Result<(), String> {
    for case in cases(body) {
        let (_, ops) = case.io.requests(case.legs.block());
        let laid = Layout::new(&ops);
        laid.map_err(|error| format!("{}: {error}", case.id))?;
    }
    Ok(())
}

const ALL: &str = r#"vector = ["contiguous", "pages", "odd", "offset", "unaligned"]"#;

/// A case at each limit of the agent, and the same with one too many.
#[rstest]
#[case::one_segment(
    "vector = [\"contiguous\", \"offset\", \"unaligned\"]\nsectors = 16384",
    "sectors = 16385"
)]
#[case::requests("sectors = 16384\nrequests = 1024", "sectors = 16384\nrequests = 1025")]
#[case::pages(
    "vector = \"pages\"\nsectors = 8192",
    "vector = \"pages\"\nsectors = 8193"
)]
#[case::odd("vector = \"odd\"\nsectors = 7162", "vector = \"odd\"\nsectors = 7182")]
#[case::overlap(
    "sectors = 16384\nrequests = 1024\noverlap = 15",
    "sectors = 16384\nrequests = 1024\noverlap = 16"
)]
#[case::submitters(
    "sectors = 64\nrequests = 8\nsubmitters = 8",
    "sectors = 64\nrequests = 9\nsubmitters = 9"
)]
fn the_last_that_is_taken(#[case] most: &str, #[case] too_much: &str) {
    lays_out(&format!("[io]\n{most}")).unwrap();
    let source = format!("question = \"?\"\n[io]\n{too_much}");
    assert!(Scenario::parse("s", &source).is_err(), "{too_much}");
}

proptest! {
    #[test]
    fn whatever_is_valid_can_be_laid_out(
        sectors in 1..=limits::IO_SECTORS,
        requests in prop_oneof![1..=4u64, 1..=u64::from(limits::REQUESTS)],
        overlap in 0..limits::IO_SECTORS,
    ) {
        let requests = requests.min(sectors);
        let overlap = if requests > 1 { overlap % (sectors / requests) } else { 0 };
        let io = |vectors: &str| format!(
            "[io]\nsectors = {sectors}\nrequests = {requests}\noverlap = {overlap}\n{vectors}"
        );
        let valid = |body: &str| Scenario::parse("s", &format!("question = \"?\"\n{body}")).is_ok();
        // Vectors of many segments are too long for one request, or may be.
        let some = r#"vector = ["contiguous", "offset", "unaligned"]"#;
        let body = io(if valid(&io(ALL)) { ALL } else { some });
        prop_assert!(valid(&body), "{body}");
        prop_assert_eq!(lays_out(&body), Ok(()), "{}", body);
    }
}
