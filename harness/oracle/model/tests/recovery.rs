//! Mirrors that could not be recovered, or are being recovered.

use super::*;
use races::{copied, is_copy};

const SOURCE: &str = "[[fault]]; op='read'; during='set-up'; at='first'";
const COPY: &str = "[[fault]]; op='write'; leg=1; during='set-up'; at='first'";

/// An I/O of 512 sectors that begins in region 1, which could not be recovered,
/// and ends in region 2. Columns: operation; options; number of legs; fault;
/// the legs that each part is asked of; their health; whether the I/O waits.
///
/// A region that is out of sync is read from the default leg. A write to it
/// goes to the default leg if the log is kept (`do_writes`: `nosync`); else it
/// waits until the mirror is loaded anew, and then goes to the legs without an
/// error. The other regions are read from a leg without an error, downwards
/// from the default (`choose_mirror`), and written to all.
#[rstest]
#[case::source("read", "", 3, SOURCE, ["-", "2"], "SAA", false)]
#[case::copy("read", "", 3, COPY, ["0", "0"], "ASA", false)]
#[case::copy_kept("write", "keep_log=true", 3, COPY, ["0", "012"], "ASA", false)]
#[case::copy_held("write", "", 3, COPY, ["02", "012"], "ASA", true)]
#[case::copy_held_of_two("write", "", 2, COPY, ["0", "01"], "AS", true)]
#[case::disk_log("write", "log='disk'", 2, COPY, ["0", "01"], "AS", true)]
fn an_io_over_a_region_out_of_sync(
    #[case] op: &str,
    #[case] stack: &str,
    #[case] count: u8,
    #[case] fault: &str,
    #[case] users: [&str; 2],
    #[case] health: &str,
    #[case] held: bool,
) {
    let case = one(&format!(
        "[stack]; sync='synced'; {stack}; [legs]; size=8192; count={count}; [io]; op='{op}'; \
         sector=1800; {fault}"
    ));
    let expected = expected(&case);
    assert_eq!(
        (expected.health.concat(), expected.held),
        (health.to_owned(), held)
    );
    let lost = users[0] == "-";
    assert_eq!(expected.answers, told(if lost { "EIO" } else { "ok" }, 512));
    for (unit, users) in expected.units.iter().zip(users.map(legs)) {
        assert_eq!((&unit.good, unit.one_of.len()), (&users, 0));
        let times = |leg: u8| u32::from(users.contains(&leg));
        let asked: Vec<_> = (0..count).map(|leg| (times(leg), times(leg))).collect();
        assert_eq!(unit.asked, asked);
        assert_eq!(unit.order, (op == "read").then_some(users));
    }
    let log = stack.contains("log='disk'").then_some('A');
    assert_eq!((expected.log, expected.fires.len()), (log, 0));
    assert!(!expected.loses_sync && !expected.partial && !expected.refused);
}

/// Errors are not handled, and region 1 could be copied to no other leg: what leg 0 then
/// fails of it no leg has, and no other leg may be asked. What else may happen to such a
/// mirror is not known.
#[rstest]
#[case::no_leg_has_it(false, 3, "[[fault]]", true)]
#[case::nothing_fails(false, 3, "", false)]
#[case::it_wears_off(false, 3, "[[fault]]; times='once'", false)]
#[case::another_leg(false, 3, "[[fault]]; [[fault]]; leg=1", false)]
#[case::a_write(false, 3, "op='write'; [[fault]]", false)]
#[case::two_regions(false, 3, "sectors=2048; [[fault]]", false)]
#[case::a_leg_has_it(false, 4, "[[fault]]", false)]
#[case::errors_handled(true, 3, "[[fault]]", false)]
fn a_read_of_what_no_leg_has(
    #[case] handled: bool,
    #[case] count: u8,
    #[case] io: &str,
    #[case] known: bool,
) {
    let case = one(&format!(
        "[stack]; sync='synced'; handle_errors={handled}; [legs]; size=8192; count={count}; \
         [io]; sector=1024; {io}; {COPY}; {}",
        COPY.replace("leg=1", "leg=2")
    ));
    assert_eq!(knows(&case).is_ok(), known);
    if known {
        let expected = expected(&case);
        assert_eq!(expected.answers, told("EIO", 512));
        assert_eq!(expected.health, ["R", "AS", "AS"]);
        assert_eq!(expected.fires, [0]);
        let unit = &expected.units[0];
        assert_eq!(unit.asked, [(1, 1), (0, 0), (0, 0)]);
        assert_eq!((&unit.order, unit.good.len()), (&Some(vec![0]), 0));
    }
}

/// Of two requests only the one in the lost region fails.
#[test]
fn a_request_beside_the_region_that_was_lost() {
    let text = "[stack]; sync='synced'; [legs]; size=8192; [io]; sector=1792; requests=2";
    let expected = expected(&one(&format!("{text}; {SOURCE}")));
    assert_eq!(expected.answers, told("EIO ok", 256));
}

/// A write in a region in sync succeeds although another region is out of sync.
#[test]
fn a_write_beside_a_region_out_of_sync() {
    let text = "[stack]; sync='synced'; [legs]; size=8192; [io]; op='write'; sector=1024";
    let mut case = one(&format!("{text}; {COPY}"));
    case.io.sector = 2048;
    let expected = expected(&case);
    assert!(!expected.held);
    assert_eq!(expected.units[0].asked, [(1, 1), (1, 1)]);
}

/// The recovery copies exactly one whole region (`recover`); no other range is
/// taken for its copy.
#[rstest]
#[case::region(1024, 64, true)]
#[case::next(1088, 64, true)]
#[case::within(1030, 64, false)]
#[case::part(1024, 48, false)]
#[case::two(1024, 128, false)]
fn a_copy_is_told_by_its_range(#[case] sector: u64, #[case] sectors: u64, #[case] copy: bool) {
    let text = |sync: &str| {
        format!(
            "[stack]; region_size=64; sync='{sync}'; [legs]; size=2048; [io]; sector=1030; \
             sectors=48; [[hold]]"
        )
    };
    let case = one(&text("syncing"));
    let range = Unit { sector, sectors };
    assert_eq!(is_copy(&case, range), copy);
    assert!(!is_copy(&one(&text("nosync")), range));
    let region = Unit {
        sector: 1024,
        sectors: 64,
    };
    assert_eq!(copied(&case), region);
    let expected = expected(&case);
    assert!(!expected.refused && !expected.partial && expected.fires.is_empty());
}
