use super::*;
use halfway_scenario::Scenario;
use proptest::prelude::*;
use rstest::rstest;
use std::io::Write;
use std::process::{Command, Stdio};

fn case(text: &str) -> Case {
    let text = format!("question = \"?\"\n{text}");
    let scenario = Scenario::parse("one", &text).unwrap();
    scenario.expand().next().unwrap()
}

#[rstest]
#[case::plain("[[fault]]\nat = 8\n", &[])]
#[case::nothing_fails("[io]\nop = \"write\"\nvector = \"unaligned\"\n", &[])]
#[case::flush("[io]\nop = \"flush\"\n[[fault]]\n", &[])]
#[case::the_first_sector_of_the_target("[legs]\ncontroller = \"target\"\n[[fault]]\nat = 0\n", &[])]
#[case::a_part("[legs]\ncontroller = \"target\"\n[[fault]]\nat = 8\n",
    &["a disk completes a part of a request, or reports what null_blk cannot"])]
#[case::once("[[fault]]\nat = 8\ntimes = \"once\"\n",
    &["a fault does not last: null_blk and dm-flakey cannot count"])]
#[case::soak("[legs]\nsize = 8192\n[soak]\ncount = 9\n", &["it is a random mix of I/O and failures"])]
#[case::held("[[hold]]\nleg = 0\nat = 0\n", &["a request is held in flight, which null_blk cannot do"])]
#[case::disks("[legs]\ncontroller = \"nvme\"\n[[fault]]\nat = 8\n", &["it needs disks of nvme"])]
#[case::durable("[io]\nop = \"write\"\ndsync = true\n",
    &["whether a write with O_DSYNC is flushed is not seen: null_blk never loses its cache"])]
#[case::torn("[legs]\nmax_transfer = 8\n[[fault]]\nat = 8\n",
    &["a disk does a part of a request that it fails (max_transfer)"])]
fn what_cannot_be_played_is_named(#[case] text: &str, #[case] expected: &[&str]) {
    assert_eq!(lacks(&case(text)), expected);
}

#[test]
fn a_recipe_that_cannot_play_says_why() {
    let recipe = recipe(&case("[[fault]]\nat = 8\ntimes = 2\n"), &[], None, "6.1.0");
    let expected = "#!/bin/sh\n(\necho 'It cannot be played: a fault does not last: null_blk and \
                    dm-flakey cannot count.'\nexit 2\n)\n";
    assert_eq!(recipe.script, expected);
    assert_eq!(recipe.cannot.len(), 1);
}

#[rstest]
#[case::read(
    "read",
    "[legs]\nmax_sectors_kb = 4\n[io]\nsectors = 9\n[[fault]]\nat = 0\n"
)]
#[case::write(
    "write",
    "[io]\nop = \"write\"\nsectors = 2\nvector = \"odd\"\n[[fault]]\nleg = 1\nat = 1\n"
)]
#[case::paths(
    "paths",
    "[stack]\ntarget = \"multipath\"\n[io]\nop = \"write\"\nsectors = 1\n[[fault]]\nat = 0\n"
)]
#[case::flush(
    "flush",
    "[stack]\nlinear = 4096\n[io]\nop = \"flush\"\n[[fault]]\nleg = 1\n"
)]
fn what_is_done(#[case] name: &str, #[case] text: &str) {
    let recipe = recipe(&case(text), &["A story.".to_owned()], None, "6.1.0");
    assert!(recipe.cannot.is_empty());
    let (_, own) = recipe.script.split_once(PRELUDE).unwrap();
    let without_source = match own.split_once("<<'END'") {
        None => own.to_owned(),
        Some((before, after)) => before.to_owned() + after.split_once("\nEND\n").unwrap().1,
    };
    insta::assert_snapshot!(name, without_source);
}

/// What a shell says of a script that it only reads.
fn is_read(script: &str) -> bool {
    let mut shell = Command::new("sh")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = shell.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    shell.wait().unwrap().success()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Of any case of the format that the model knows: a shell can read the script.
    #[test]
    fn it_is_a_script(seed: u64, number in 0u64..1000) {
        let case = halfway_scenario::draw(seed, number).expand().next().unwrap();
        prop_assume!(halfway_oracle::fit(&case).is_ok());
        let recipe = recipe(&case, &["It's a story.".to_owned()], Some(b"program"), "6.1.0");
        prop_assert!(is_read(&recipe.script), "{}", recipe.script);
    }
}
