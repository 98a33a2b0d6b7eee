//! How the guest's release and limits change a case, and which disk has which
//! content.

use super::*;

#[rstest]
#[case("6.1.0-13-amd64", (6, 1))]
#[case("5.10.0-26-cloud-amd64", (5, 10))]
#[case("7.3.0-rc1+", (7, 3))]
#[case("6.12-rc1", (6, 12))]
#[case("6", (6, 0))]
#[case("", (0, 0))]
fn a_release_is_its_first_two_numbers(#[case] text: &str, #[case] release: (u32, u32)) {
    assert_eq!(Environment::release_of(text), release);
}

/// Whether the kernel must serve memory that begins 4 or 512 bytes into its
/// page. Before 6.0 it must if that is a logical block
/// (`blkdev_dio_unaligned`); since then `dma_alignment`, a mask, decides
/// (`bdev_iter_is_aligned`). Other memory it may refuse, as most releases do,
/// or serve whole, as 6.18 does; then the expectation follows what the kernel
/// did.
#[rstest]
#[case::begins_with_a_page("contiguous", 512, (5, 10), Some(511), true)]
#[case::page_by_page("pages", 4096, (6, 1), Some(4095), true)]
#[case::odd_lengths("odd", 512, (5, 10), None, true)]
#[case::no_block("unaligned", 512, (5, 10), Some(3), false)]
#[case::no_block_in_the_last("unaligned", 512, (5, 19), None, false)]
#[case::in_the_first("unaligned", 512, (6, 0), Some(3), true)]
#[case::of_4_bytes("unaligned", 512, (7, 0), Some(3), true)]
#[case::of_8_bytes("unaligned", 512, (6, 1), Some(7), false)]
#[case::of_sectors("unaligned", 512, (6, 1), Some(511), false)]
#[case::of_sectors_and_not_looked_at("unaligned", 512, (6, 18), Some(511), false)]
#[case::of_sectors_and_looked_at_again("unaligned", 512, (7, 2), Some(511), false)]
#[case::not_shown("unaligned", 512, (6, 0), None, false)]
#[case::sector_is_a_block("offset", 512, (5, 10), None, true)]
#[case::sector_is_no_block("offset", 4096, (5, 19), Some(3), false)]
#[case::sector_since("offset", 4096, (6, 0), Some(511), true)]
#[case::sector_of_a_page("offset", 4096, (6, 12), Some(4095), false)]
fn memory_is_aligned(
    #[case] vector: &str,
    #[case] block: u32,
    #[case] release: (u32, u32),
    #[case] dma_alignment: Option<u32>,
    #[case] must_serve: bool,
) {
    let mut case = one(&format!("[io]; vector='{vector}'; requests=2; [[fault]]"));
    case.legs.logical_block_size = block;
    let environment = |refused| Environment {
        release,
        dma_alignment,
        max_segments: None,
        refused,
    };
    let units = nominal(&case.io.parts(), &case.boundaries());
    let nothing = nothing_happens(2, 2);
    let served = expect(&case, &environment(false), &units);
    assert!(!served.refused && !served.fires.is_empty());
    // Whether a bio was seen on its way down or not makes no difference.
    for units in [&units[..], &[]] {
        let refused = expect(&case, &environment(true), units);
        assert_eq!(refused.refused, !must_serve);
        assert_eq!(refused == nothing, !must_serve);
    }
    // A buffered I/O copies the data, so the memory's alignment does not
    // matter.
    case.io.path = Path::Buffered;
    assert!(!expect(&case, &environment(true), &units).refused);
}

/// An I/O that the kernel refuses reaches no leg (`EINVAL` in
/// `__blkdev_direct_IO`).
fn nothing_happens(requests: usize, members: usize) -> Expectation {
    Expectation {
        answers: vec![vec![Err(22)]; requests],
        refused: true,
        held: false,
        units: vec![],
        health: vec!["A"; members],
        beneath: vec![],
        active_group: None,
        loses_sync: false,
        fires: vec![],
        partial: false,
        log: None,
    }
}

#[test]
fn of_refused_memory_no_path_beneath_a_mirror_hears() {
    let mut case = one("[stack]; paths=2; [io]; vector='unaligned'");
    case.io.requests = 3;
    let expected = expect(&case, &Environment::default(), &[]);
    let beneath = vec!["A"; 4];
    assert_eq!(
        expected,
        Expectation {
            beneath,
            ..nothing_happens(3, 2)
        }
    );
}

/// A leg that takes 128 sectors at once completes a part of a longer bio
/// (`bio_split_to_limits`). A shorter bio has no parts.
#[rstest]
#[case::fits("[io]; sectors=128; [[fault]]", false)]
#[case::one_more("[io]; sectors=129; [[fault]]", true)]
#[case::written("[io]; op='write'; sectors=129; [[fault]]", true)]
#[case::fits_written("[io]; op='write'; sectors=128; [[fault]]", false)]
#[case::both_pieces("[io]; sectors=129; [[fault]]; [[fault]]; at=128", false)]
#[case::two_of_three("[io]; sectors=257; [[fault]]; [[fault]]; at=0", true)]
#[case::short_unit("[io]; sector=2944; [[fault]]; at=10", false)]
#[case::long_unit("[io]; sector=2944; [[fault]]; at=200", true)]
#[case::not_met("[io]; [[fault]]; leg=1", false)]
#[case::not_met_among_many("[io]; requests=2; [[fault]]; leg=1", false)]
#[case::written_among_many("[io]; op='write'; requests=2; [[fault]]", false)]
#[case::healthy("[io]; requests=2", false)]
#[case::durable("[io]; op='write'; dsync=true; [[fault]]", true)]
#[case::flush_behind_it("[io]; op='write'; dsync=true; [[fault]]; op='flush'", false)]
#[case::discard("[io]; op='discard'; [[fault]]", false)]
fn a_leg_leaves_a_part_complete(#[case] text: &str, #[case] partial: bool) {
    let mirror = one(&format!(
        "[stack]; keep_log=true; [legs]; max_sectors_kb=64; {text}"
    ));
    assert_eq!(expected(&mirror).partial, partial);
}

#[rstest]
#[case::fits("[io]; sectors=128; [[fault]]", false)]
#[case::one_more("[io]; sectors=129; [[fault]]", true)]
#[case::not_met("[io]; [[fault]]; leg=1", false)]
#[case::discard("[io]; op='discard'; [[fault]]", false)]
#[case::flush("[io]; op='write'; dsync=true; [[fault]]; op='flush'", false)]
fn a_path_leaves_a_part_complete(#[case] text: &str, #[case] partial: bool) {
    let bio = "target='multipath'; queue_mode='bio'";
    let paths = one(&format!(
        "[stack]; {bio}; [legs]; max_sectors_kb=64; {text}"
    ));
    assert_eq!(expected(&paths).partial, partial);
}

/// 512 sectors with a page in each segment are 64 segments (`bio_split_rw`).
/// Contiguous memory is one segment.
#[rstest]
#[case::fits("[io]; vector='pages'; [[fault]]", Some(64), false)]
#[case::does_not("[io]; vector='pages'; [[fault]]", Some(63), true)]
#[case::part_of_a_page("[io]; vector='pages'; sectors=505; [[fault]]", Some(63), true)]
#[case::unknown("[io]; vector='pages'; [[fault]]", None, false)]
#[case::contiguous("[io]; vector='contiguous'; [[fault]]", Some(63), false)]
#[case::page_cache("[io]; path='buffered'; [[fault]]", Some(1), false)]
#[case::two_faults("[io]; vector='pages'; [[fault]]; [[fault]]; at=9", Some(63), false)]
#[case::not_met("[io]; vector='pages'; [[fault]]; leg=1", Some(63), false)]
#[case::flush(
    "[stack]; keep_log=true; [io]; op='write'; vector='pages'; dsync=true; [[fault]]; op='flush'",
    Some(63),
    false
)]
#[case::other_unit("[io]; sector=2944; vector='pages'; [[fault]]; at=9", Some(16), false)]
#[case::its_unit("[io]; sector=2944; vector='pages'; [[fault]]; at=200", Some(16), true)]
fn segments_leave_a_part_complete(
    #[case] text: &str,
    #[case] max_segments: Option<u32>,
    #[case] partial: bool,
) {
    let case = one(text);
    let environment = Environment {
        max_segments,
        ..Environment::default()
    };
    let units = nominal(&case.io.parts(), &case.boundaries());
    assert_eq!(expect(&case, &environment, &units).partial, partial);
}

/// Whose content a disk shows at sector 10 of the dm device, and with which
/// sector number. Legs that were only declared in sync keep their own content;
/// legs that were copied, and paths, all show the first leg's.
#[rstest]
#[case::own("[legs]; offset=[8, 64]", 1, (1, 74))]
#[case::first("[legs]; offset=[8, 64]", 0, (0, 18))]
#[case::copied("[stack]; sync='synced'; [legs]; size=8192; offset=[8, 64]", 1, (0, 18))]
#[case::path("[stack]; target='multipath'", 1, (0, 10))]
#[case::path_of_a_leg("[stack]; paths=2", 3, (2, 10))]
#[case::path_of_the_first("[stack]; paths=2", 1, (0, 10))]
fn whose_content_a_disk_shows(#[case] text: &str, #[case] disk: u8, #[case] shown: (u8, u64)) {
    let (leg, sector) = shown;
    let case = one(text);
    assert_eq!(content_of(&case, disk, 10), (Origin::Leg(leg), sector));
    let copied_or_shared = text.contains("synced") || text.contains("target='multipath'");
    assert_eq!(alike(&case), copied_or_shared);
}

#[rstest]
#[case::legs("", &[0, 1], 1..2)]
#[case::paths("[stack]; target='multipath'", &[0], 0..2)]
#[case::paths_of_legs("[stack]; paths=2", &[0, 2], 0..2)]
fn media_and_the_ways_to_them(
    #[case] text: &str,
    #[case] first: &[u8],
    #[case] ways: std::ops::Range<u8>,
) {
    let case = one(text);
    assert_eq!(media(&case).collect::<Vec<_>>(), first);
    assert_eq!(ways_to(&case, 1), ways);
}

/// The mirror calls `trigger_event` only for errors that it handles.
#[rstest]
#[case::handled("[[fault]]", true)]
#[case::unhandled("[stack]; handle_errors=false; [[fault]]", false)]
#[case::path("[stack]; target='multipath'; [[fault]]", true)]
#[case::before(
    "[stack]; sync='synced'; [legs]; size=8192; [[fault]]; leg=1; op='write'; during='set-up'",
    false
)]
#[case::log("[stack]; log='disk'; [io]; op='write'; [[fault]]; disk='log'", true)]
fn events_tell_of_failures(#[case] text: &str, #[case] told: bool) {
    assert_eq!(tells_of_failures(&one(text)), told);
}

#[rstest]
#[case((2048, 8), (2048, 8))]
#[case((2052, 1), (2048, 8))]
#[case((2052, 12), (2048, 16))]
#[case((2055, 2), (2048, 16))]
fn the_page_cache_works_on_pages(#[case] range: (u64, u64), #[case] pages: (u64, u64)) {
    let unit = |(sector, sectors)| Unit { sector, sectors };
    assert_eq!(rounded(unit(range)), unit(pages));
}

#[test]
fn the_last_page_of_a_device_may_be_a_part_of_one() {
    let case = one("[legs]; size=4094; [io]; sector=4090; sectors=4; path='buffered'");
    let last = Unit {
        sector: 4088,
        sectors: 6,
    };
    assert_eq!(super::pages(&case), last);
}
