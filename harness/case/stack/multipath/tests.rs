use super::super::target::{Devices, Lower, Target};
use super::{Multipath, PathGrouping, PathSelector, QueueMode};
use rstest::rstest;

/// Columns: grouping; `queue_if_no_path`; `pg_init_retries`; the table over three paths.
#[rstest]
#[case::failover(
    PathGrouping::Failover,
    false,
    None,
    "2 queue_mode mq 0 3 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:1 1 round-robin 0 1 1 8:2 1"
)]
#[case::pairs(
    PathGrouping::Pairs,
    true,
    None,
    "3 queue_mode mq queue_if_no_path 0 2 1 round-robin 0 2 1 8:0 1 8:1 1 round-robin 0 1 1 8:2 1"
)]
#[case::multibus(
    PathGrouping::Multibus,
    false,
    Some(3),
    "4 queue_mode mq pg_init_retries 3 0 1 1 round-robin 0 3 1 8:0 1 8:1 1 8:2 1"
)]
fn a_table_says_each_parameter(
    #[case] path_grouping: PathGrouping,
    #[case] queue_if_no_path: bool,
    #[case] pg_init_retries: Option<u32>,
    #[case] params: &str,
) {
    let multipath = Multipath {
        queue_mode: QueueMode::Mq,
        path_selector: PathSelector::RoundRobin,
        path_grouping,
        queue_if_no_path,
        pg_init_retries,
        pg_init_delay_msecs: None,
        no_path_retry: None,
    };
    let lower = (0..3).map(|path| Lower {
        device: format!("8:{path}"),
        offset: 0,
    });
    let devices = Devices {
        lower: lower.collect(),
        log: String::new(),
    };
    let table = multipath.table(&devices);
    assert_eq!((table.kind, &*table.params), ("multipath", params));
    assert_eq!(multipath.without_failed(&devices), None);
}
