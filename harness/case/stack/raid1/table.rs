//! The tables of a mirror (`mirror_ctr` in drivers/md/dm-raid1.c, `core_ctr` and `disk_ctr` in
//! drivers/md/dm-log.c).

use super::super::target::{Devices, Table};
use super::{Log, Raid1, Sync};

/// The table over these legs.
pub fn mirror(mirror: &Raid1, devices: &Devices) -> Table {
    let mut log = Vec::new();
    if mirror.log == Log::Disk {
        log.push(devices.log.clone());
    }
    log.push(mirror.region_size.to_string());
    if mirror.sync == Sync::Nosync {
        log.push("nosync".to_owned());
    }
    let kind = match mirror.log {
        Log::Core => "core",
        Log::Disk => "disk",
    };
    let mut features = Vec::new();
    if mirror.handle_errors {
        features.push("handle_errors");
    }
    if mirror.keep_log {
        features.push("keep_log");
    }
    let mut words = vec![kind.to_owned(), log.len().to_string()];
    words.extend(log);
    words.extend(legs(devices));
    if !features.is_empty() {
        words.push(features.len().to_string());
        words.extend(features.iter().map(ToString::to_string));
    }
    Table::new("mirror", &words)
}

/// The table that has the kernel synchronise all legs from the first one.
pub fn resynchronised(one: &Raid1, devices: &Devices) -> Table {
    let synced = Raid1 {
        sync: Sync::Synced,
        ..one.clone()
    };
    mirror(&synced, devices)
}

/// The table of the legs that are `left`, as lvconvert --repair would load it: a smaller mirror,
/// its log in memory, or what is left of it. `None` when no leg is left.
pub fn without_failed(mirror: &Raid1, left: &Devices) -> Option<Table> {
    match left.lower.len() {
        0 => None,
        1 => Some(Table::new("linear", &legs(left).split_off(1))),
        _ => {
            let region = mirror.region_size;
            let mut words = vec!["core".to_owned(), "2".to_owned(), region.to_string()];
            words.push("nosync".to_owned());
            words.extend(legs(left));
            Some(Table::new("mirror", &words))
        }
    }
}

fn legs(devices: &Devices) -> Vec<String> {
    let mut words = vec![devices.lower.len().to_string()];
    for leg in &devices.lower {
        words.push(leg.device.clone());
        words.push(leg.offset.to_string());
    }
    words
}
