//! The table of a multipath (`multipath_ctr` in drivers/md/dm-mpath.c).

use super::super::target::{Devices, Lower, Table};
use super::Multipath;

/// The table over these paths: features, no hardware handler, the priority groups, the first one
/// to use; for each its selector without arguments, and for each path after how many I/Os the
/// selector chooses anew.
pub fn multipath(multipath: &Multipath, devices: &Devices) -> Table {
    let mut features = vec!["queue_mode", multipath.queue_mode.name()];
    if multipath.queue_if_no_path {
        features.push("queue_if_no_path");
    }
    let size = multipath.path_grouping.size().into();
    let groups: Vec<&[Lower]> = devices.lower.chunks(size).collect();
    let initialising = multipath.initialising();
    features.extend(initialising.iter().flat_map(|feature| feature.split(' ')));
    let mut words = vec![features.len().to_string()];
    words.extend(features.iter().map(ToString::to_string));
    words.extend(["0".to_owned(), groups.len().to_string(), "1".to_owned()]);
    for group in groups {
        let selector = multipath.path_selector.name();
        words.push(format!("{selector} 0 {} 1", group.len()));
        words.extend(group.iter().map(|path| format!("{} 1", path.device)));
    }
    Table::new("multipath", &words)
}
