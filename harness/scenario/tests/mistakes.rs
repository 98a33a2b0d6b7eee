//! Every mistake that a file can have, as its author sees it reported.

use super::{mistakes, rendered};
use rstest::{Context, rstest};

/// One mistake each, below a question. The snapshot shows the report.
#[rstest]
// Keys.
#[case::unknown_key("[io]\nvectro = \"pages\"")]
#[case::unknown_table("[faults]\nleg = 0")]
#[case::key_of_another_table("[io]\nmax_sectors_kb = 64")]
#[case::key_above_the_tables("region_size = 8")]
#[case::a_stranger("[legs]\nbanana = 1")]
// Types.
#[case::text_for_a_number("[io]\nsectors = \"512\"")]
#[case::number_for_a_word("[io]\nop = 1")]
#[case::negative("[io]\nsector = -1")]
#[case::fraction("[io]\nsectors = 1.5")]
#[case::too_large_for_its_type("[[fault]]\nleg = 300")]
#[case::word_for_a_table("io = \"read\"")]
#[case::single_fault("[fault]\nleg = 0")]
#[case::fault_is_a_number("fault = [1]")]
#[case::question_is_a_number("question = 1")]
// Words.
#[case::unknown_word("[io]\nop = \"raed\"")]
#[case::unknown_target("[stack]\ntarget = \"raid\"")]
#[case::unknown_errno("[[fault]]\nerrno = \"EOI\"")]
#[case::errno_that_cannot_travel("[[fault]]\nerrno = 61")]
#[case::unknown_times("[[fault]]\ntimes = \"twice\"")]
#[case::never("[[fault]]\ntimes = 0")]
#[case::unknown_retry("[stack]\ntarget = \"multipath\"\nno_path_retry = \"quue\"")]
#[case::one_check("[stack]\ntarget = \"multipath\"\nno_path_retry = 1")]
#[case::retry_of_a_mirror("[stack]\nno_path_retry = \"fail\"")]
#[case::unknown_report("[legs]\ncontroller = \"target\"\n[[fault]]\nreport = \"medium-eror\"")]
#[case::report_of_another_controller("[[fault]]\nreport = \"medium-error\"")]
#[case::no_answer("[legs]\ncontroller = \"target\"\n[[fault]]\nreport = \"no-answer\"")]
#[case::busy_for_ever(
    "[legs]\ncontroller = \"target\"\n[[fault]]\nreport = [\"busy\", \"bad-target\"]"
)]
#[case::gone_for_a_while(
    "[legs]\ncontroller = \"target\"\n[[fault]]\nreport = \"gone\"\ntimes = 3"
)]
#[case::offline_for_a_while(
    "[legs]\ncontroller = \"target\"\n[[fault]]\nreport = \"no-answer-offline\"\ntimes = 2"
)]
#[case::block_of_no_disk("[legs]\ncontroller = \"target\"\nlogical_block_size = 1024")]
#[case::blocks_on_another("[legs]\nlogical_block_size = [512, 4096]")]
#[case::parts_of_blocks(
    "[legs]\ncontroller = \"target\"\nlogical_block_size = 4096\n[io]\nsector = { from = 2048, to = 2056 }"
)]
#[case::split_into_parts_of_blocks(
    "[legs]\ncontroller = \"target\"\nlogical_block_size = 4096\nmax_sectors_kb = [64, 6]"
)]
#[case::requests_of_parts_of_blocks(
    "[legs]\ncontroller = \"target\"\nlogical_block_size = 4096\n[io]\nrequests = [8, 128]"
)]
#[case::more_regions_than_memory("[legs]\ncontroller = \"target\"\nsize = 4294967296")]
#[case::errno_of_a_target("[legs]\ncontroller = \"target\"\n[[fault]]\nerrno = \"ENOSPC\"")]
#[case::target_in_recovery(
    "[stack]\nsync = \"synced\"\n[legs]\ncontroller = \"target\"\nsize = 8192\n[[fault]]\nduring = \"set-up\""
)]
#[case::torn_target("[legs]\ncontroller = \"target\"\nmax_transfer = 8")]
#[case::target_with_a_log("[stack]\nlog = \"disk\"\n[legs]\ncontroller = \"target\"")]
#[case::unknown_at("[[fault]]\nat = \"evry\"")]
#[case::every_in_a_list("[[fault]]\nat = [\"every\"]")]
#[case::unknown_sabotage("sabotage = \"panic\"")]
#[case::tag("tags = [\"Quick!\"]")]
// The stack.
#[case::key_of_the_other_target("[stack]\ntarget = \"multipath\"\nlog = \"core\"")]
#[case::key_of_no_mirror("[stack]\nqueue_mode = \"bio\"")]
#[case::path_with_an_offset("[stack]\ntarget = \"multipath\"\n[legs]\noffset = [0, 8]")]
#[case::split_requests(
    "[stack]\ntarget = \"multipath\"\nqueue_mode = [\"bio\", \"mq\"]\n[legs]\nmax_sectors_kb = 64"
)]
#[case::split_requests_by_default("[stack]\ntarget = \"multipath\"\n[legs]\nmax_sectors_kb = 64")]
#[case::requests_for_a_driver_of_bios(
    "[stack]\ntarget = \"multipath\"\n[legs]\ncontroller = [\"piecewise-mq\", \"piecewise-bio\"]"
)]
#[case::flush_at_two_places("[io]\nop = \"flush\"\n[[fault]]\nat = [\"first\", \"last\"]")]
#[case::flush_of_pages("[io]\nop = \"flush\"\npath = \"buffered\"")]
#[case::discard_of_memory("[io]\nop = \"discard\"\nvector = \"odd\"")]
#[case::two_discards("[io]\nop = \"discard\"\nrequests = 2")]
#[case::flush_on_another("[legs]\ncontroller = \"nvme\"\n[io]\nop = \"flush\"\n[[fault]]\nleg = 1")]
#[case::log_in_memory("[[fault]]\ndisk = \"log\"")]
#[case::log_discards("[stack]\nlog = \"disk\"\n[[fault]]\ndisk = \"log\"\nop = \"discard\"")]
#[case::nothing_to_set_up("[[fault]]\nduring = \"set-up\"")]
#[case::two_holds_of_one_request("[[hold]]\nleg = [0, 1]\n[[hold]]\nleg = 1")]
#[case::five_holds(
    "[[hold]]\nat = 0\n[[hold]]\nat = 1\n[[hold]]\nat = 2\n[[hold]]\nat = 3\n[[hold]]\nat = 4"
)]
#[case::no_such_place("[[hold]]\nat = 0\n[[hold]]\nplace = 2")]
#[case::meanwhile_of_a_later_hold("[[hold]]\nat = 0\n[[hold]]\nmeanwhile = \"reload\"")]
#[case::timeout_of_virtio("[[hold]]\nmeanwhile = \"timeout\"")]
#[case::timeout_of_a_patient_driver(
    "[legs]\ncontroller = [\"pvscsi\", \"megasas\"]\n[[hold]]\nmeanwhile = \"timeout\""
)]
#[case::unplugged_from_another("[[hold]]\nmeanwhile = \"unplug\"")]
#[case::unplugged_untold("[legs]\ncontroller = \"megasas\"\n[[hold]]\nmeanwhile = \"unplug\"")]
#[case::unplugged_unanswered(
    "[legs]\ncontroller = \"lsi53c895a\"\n[[hold]]\nmeanwhile = \"unplug\""
)]
#[case::unplugged_from_its_bus(
    "[legs]\ncontroller = [\"pvscsi\", \"ahci\"]\n[[hold]]\nmeanwhile = \"unplug\""
)]
#[case::unplugged_and_failed(
    "[legs]\ncontroller = \"virtio-scsi\"\n[[hold]]\nthen = [\"ok\", \"EIO\"]\nmeanwhile = \"unplug\""
)]
#[case::stop_on_another("[legs]\ncontroller = \"nvme\"\non_error = \"stop\"")]
#[case::stop_at_a_discard("[legs]\non_error = \"stop\"\n[io]\nop = \"discard\"")]
#[case::path_of_a_mirror("[[hold]]\nmeanwhile = \"fail-path\"")]
#[case::hold_outside("[[hold]]\nat = 512")]
#[case::hold_on_no_leg("[[hold]]\nleg = 2")]
#[case::hold_on_another("[legs]\ncontroller = \"nvme\"\n[[hold]]\nleg = 1")]
#[case::soak_of_two_lengths("[soak]\ncount = 5\nseconds = 5")]
#[case::soak_without_length("[soak]\nround = 5")]
#[case::soak_of_nothing("[soak]\ncount = 0")]
#[case::soak_of_one_kind("[io]\nvector = \"odd\"\n[soak]\ncount = 5")]
#[case::soak_with_a_fault("[soak]\ncount = 5\n[[fault]]\nat = 0")]
#[case::soak_on_a_small_xfs("[legs]\nsize = 8192\n[soak]\ncount = 5\nfilesystem = \"xfs\"")]
#[case::soak_of_a_few("[io]\nsectors = 8\n[soak]\nseconds = 5")]
#[case::hold_a_discard("[io]\nop = \"discard\"\n[[hold]]\nleg = 1")]
#[case::discard_by_steps("[legs]\ncontroller = \"piecewise-mq\"\n[io]\nop = \"discard\"")]
#[case::limit_above_steps("[legs]\ncontroller = \"piecewise-mq\"\nmax_sectors_kb = 64")]
#[case::transfer_below_steps("[legs]\ncontroller = \"piecewise-bio\"\nmax_transfer = 8")]
#[case::too_many_segments_of_the_usual_size("[stack]\nlinear = 8")]
#[case::too_many_segments_of_a_size("[stack]\nlinear = 8\n[legs]\nsize = 65536")]
#[case::segments_below_a_page("[stack]\nlinear = 4\n[legs]\nsize = 8192")]
#[case::nothing_at_a_time("[legs]\nmax_transfer = 0")]
#[case::durable_read("[io]\ndsync = true")]
#[case::durable_twice("[io]\nop = \"write\"\npath = \"buffered\"\ndsync = true")]
#[case::too_many_paths("[stack]\ntarget = \"multipath\"\n[legs]\ncount = 5")]
// Sweeps.
#[case::empty_list("[io]\nvector = []")]
#[case::twice("[io]\nvector = [\"pages\", \"odd\", \"pages\"]")]
#[case::range_without_end("[io]\nsector = { from = 0 }")]
#[case::range_backwards("[io]\nsector = { from = 8, to = 0 }")]
#[case::range_that_does_not_move("[io]\nsector = { from = 0, to = 8, step = 0 }")]
#[case::range_without_bounds("[io]\nsector = { from = 0, to = 9000000000000000000 }")]
#[case::range_beyond_its_type("[legs]\ncount = { from = 2, to = 300, step = 298 }")]
#[case::range_with_unknown_key("[io]\nsector = { from = 0, to = 8, stp = 2 }")]
#[case::range_of_words("[io]\nvector = { from = 0, to = 8 }")]
#[case::too_many_cases(
    "[io]\nsector = { from = 0, to = 2047 }\nsectors = { from = 1, to = 512 }\n[[fault]]\nat = 0"
)]
#[case::every_of_several_lengths("[io]\nsectors = [8, 16]\n[[fault]]\nat = \"every\"")]
// The stack.
#[case::region_size("[stack]\nregion_size = 1000")]
#[case::region_above_the_mirror(
    "[stack]\nregion_size = 4096\n[legs]\nsize = 2050\n[io]\nsector = 0"
)]
#[case::mirror_below_a_region("[legs]\nsize = 600\n[io]\nsector = 0")]
#[case::region_below_a_page("[stack]\nregion_size = 4")]
#[case::region_of_the_largest_size("[stack]\nregion_size = 4294967295")]
#[case::keep_log("[stack]\nhandle_errors = false\nkeep_log = true")]
#[case::keep_log_in_one_case("[stack]\nhandle_errors = [true, false]\nkeep_log = [false, true]")]
#[case::long_resync("[stack]\nsync = \"synced\"")]
#[case::long_resync_of_a_given_size("[stack]\nsync = \"synced\"\n[legs]\nsize = 65536")]
// The legs.
#[case::five_legs("[legs]\ncount = [2, 5]")]
#[case::offsets_for_other_legs("[legs]\ncount = 3\noffset = [0, 8]")]
#[case::no_offsets("[legs]\noffset = []")]
#[case::mirror_too_large("[legs]\nsize = 4194304\noffset = [0, 8]")]
#[case::split_below_a_page("[legs]\nmax_sectors_kb = [2, 64]")]
// The I/O.
#[case::no_sectors("[io]\nsectors = 0")]
#[case::too_many_sectors("[io]\nsectors = 20000")]
#[case::no_requests("[io]\nrequests = 0")]
#[case::too_many_requests("[io]\nrequests = 2000\nsectors = 4096")]
#[case::overlap_of_one_request("[io]\nrequests = [2, 1]\noverlap = 8")]
#[case::overlap_beyond_the_next_one("[io]\nrequests = 8\noverlap = [8, 64]")]
#[case::overlap_in_the_page_cache("[io]\npath = \"buffered\"\nrequests = 2\noverlap = 8")]
#[case::overlap_of_parts_of_blocks(
    "[legs]\ncontroller = \"target\"\nlogical_block_size = 4096\n[io]\nrequests = 2\noverlap = 12"
)]
#[case::overlap_of_many_segments(
    "[io]\nsectors = 16000\nvector = \"pages\"\nrequests = 2\noverlap = 3900"
)]
#[case::nobody_submits("[io]\nsubmitters = 0")]
#[case::too_many_submitters("[io]\nrequests = 16\nsubmitters = 16")]
#[case::more_submitters_than_requests("[io]\nrequests = [4, 2]\nsubmitters = 4")]
#[case::submitters_of_one_file("[io]\npath = \"buffered\"\nrequests = 2\nsubmitters = 2")]
#[case::more_requests_than_sectors("[io]\nrequests = 16\nsectors = 8")]
#[case::beyond_the_mirror("[io]\nsector = 131000")]
#[case::beyond_the_mirror_in_a_range("[io]\nsector = { from = 130000, to = 131071 }")]
#[case::shape_of_a_buffered_io("[io]\npath = [\"direct\", \"buffered\"]\nvector = \"odd\"")]
#[case::too_many_segments("[io]\nsectors = 8200\nvector = \"pages\"")]
// The faults.
#[case::no_such_leg("[[fault]]\nleg = [1, 2]")]
#[case::outside_of_the_io("[[fault]]\nat = 512")]
#[case::outside_of_the_io_in_a_range("[[fault]]\nat = { from = 0, to = 600 }")]
#[case::outside_of_a_shorter_io("[io]\nsectors = [8, 512]\n[[fault]]\nat = 100")]
#[case::same_as_nothing("[[fault]]\nat = \"same\"")]
#[case::two_on_one_sector("[[fault]]\nat = 8\n[[fault]]\nat = [7, 8]\ntimes = \"once\"")]
#[case::two_on_the_same_sector("[[fault]]\nat = \"every\"\n[[fault]]\nat = \"same\"")]
#[case::two_on_one_leg("[[fault]]\nleg = [0, 1]\nat = 0\n[[fault]]\nleg = 1\nat = \"first\"")]
#[case::two_by_default("[[fault]]\n[[fault]]")]
#[case::nothing_to_miss("sabotage = \"fault-missed\"")]
// The rest.
#[case::sample_of_none("sample = 0")]
#[case::id_of_many("id = \"a\"\n[io]\nvector = [\"odd\", \"pages\"]")]
#[case::id_with_a_slash("id = \"../a\"")]
fn one_mistake(#[context] context: Context, #[case] body: &str) {
    let error = match body.starts_with("question") {
        true => mistakes(body),
        false => mistakes(&format!("question = \"Does it?\"\n{body}")),
    };
    assert_eq!(error.problems.len(), 1, "{}", rendered(&error));
    let name = context.description.expect("each case has a name");
    insta::assert_snapshot!(name, rendered(&error), body);
}

/// Files that are wrong as a whole.
#[rstest]
#[case::nothing("")]
#[case::syntax("question = \"Does it?\n[io]\nsectors = = 3\n")]
#[case::a_key_twice("question = \"a?\"\nquestion = \"b?\"\n")]
#[case::question_of_two_lines("question = \"\"\"a\nb\"\"\"\n")]
#[case::all_at_once(
    r#"question = "Does a read come back whole?"
tags = ["quick"]

[stack]
region_size = 1000
handle_errors = false
keep_log = true

[io]
op = "raed"
vectro = "pages"

[[fault]]
leg = 2
at = 512
"#
)]
fn a_wrong_file(#[context] context: Context, #[case] source: &str) {
    let name = context.description.expect("each case has a name");
    insta::assert_snapshot!(name, rendered(&mistakes(source)));
}

#[test]
fn a_refused_value_causes_no_second_mistake() {
    let error = mistakes("question = \"?\"\n[io]\nsectors = \"many\"\n[[fault]]\nat = 600\n");
    assert_eq!(error.problems.len(), 1, "{}", rendered(&error));
}

#[test]
fn mistakes_come_in_the_order_of_the_file() {
    let error =
        mistakes("question = \"?\"\n[[fault]]\nleg = 2\n[io]\nop = \"no\"\n[legs]\ncount = 9\n");
    let lines: Vec<&str> = (error.problems.iter())
        .map(|problem| problem.message.as_str())
        .collect();
    assert!(
        lines[0].starts_with("`op`") && lines[1].contains("9 legs"),
        "{lines:?}"
    );
}
