use super::super::target::{Devices, Lower, Target};
use super::{Log, Raid1, Sync};
use rstest::rstest;

fn mirror(log: Log, sync: Sync, handle_errors: bool, keep_log: bool) -> Raid1 {
    Raid1 {
        log,
        region_size: 1024,
        sync,
        handle_errors,
        keep_log,
        paths: None,
    }
}

/// Legs whose names and offsets differ.
fn devices(count: u64) -> Devices {
    let lower = (0..count).map(|leg| Lower {
        device: format!("254:{leg}"),
        offset: 8 * leg,
    });
    Devices {
        lower: lower.collect(),
        log: "254:9".to_owned(),
    }
}

#[rstest]
#[case(
    Log::Core,
    Sync::Nosync,
    true,
    false,
    "core 2 1024 nosync 2 254:0 0 254:1 8 1 handle_errors"
)]
#[case(Log::Core, Sync::Synced, false, false, "core 1 1024 2 254:0 0 254:1 8")]
#[case(
    Log::Disk,
    Sync::Syncing,
    true,
    true,
    "disk 2 254:9 1024 2 254:0 0 254:1 8 2 handle_errors keep_log"
)]
fn a_table_says_each_parameter(
    #[case] log: Log,
    #[case] sync: Sync,
    #[case] handle_errors: bool,
    #[case] keep_log: bool,
    #[case] params: &str,
) {
    let table = mirror(log, sync, handle_errors, keep_log).table(&devices(2));
    assert_eq!((table.kind, &*table.params), ("mirror", params));
}

/// A smaller mirror has its log in memory; of one leg only a linear device is left.
#[rstest]
#[case(0, None)]
#[case(1, Some(("linear", "254:0 0")))]
#[case(2, Some(("mirror", "core 2 1024 nosync 2 254:0 0 254:1 8")))]
fn a_mirror_goes_on_with_what_is_left(#[case] left: u64, #[case] expected: Option<(&str, &str)>) {
    let mirror = mirror(Log::Disk, Sync::Nosync, true, true);
    let table = mirror.without_failed(&devices(left));
    let table = table.as_ref().map(|table| (table.kind, &*table.params));
    assert_eq!(table, expected);
}

#[test]
fn a_resynchronised_mirror_is_not_declared_in_sync() {
    let mirror = mirror(Log::Core, Sync::Nosync, true, false);
    let table = mirror.resynchronised(&devices(2)).unwrap();
    assert_eq!(
        table.params,
        "core 1 1024 2 254:0 0 254:1 8 1 handle_errors"
    );
}
