//! Which cases can share a machine.

use crate::Scenario;
use halfway_case::Fitting;
use rstest::rstest;

#[rstest]
#[case::plain("controller = \"nvme\"", "nvme")]
#[case::blocks(
    "controller = \"target\"\nlogical_block_size = 4096",
    "target with 4096-byte blocks"
)]
#[case::by_offset(
    "controller = \"target\"\noffset = 4294967296",
    "target with large disks"
)]
#[case::stopping("on_error = \"stop\"", "virtio-blk that stops on errors")]
fn what_a_machine_must_have(#[case] legs: &str, #[case] words: &str) {
    let text = format!("question = \"?\"\n[legs]\n{legs}\n");
    let scenario = Scenario::parse("test", &text).unwrap();
    let case = scenario.expand().next().unwrap();
    assert_eq!(Fitting::of(&case).to_string(), words);
}
