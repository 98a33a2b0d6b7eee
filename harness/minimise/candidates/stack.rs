//! A stack with fewer parameters.

use super::List;
use crate::measure::REGION;
use halfway_case::{Log, Multipath, PathGrouping, PathSelector, QueueMode, Raid1, Stack, Sync};

impl List<'_> {
    pub(super) fn stack(&mut self) {
        match &self.case.stack {
            Stack::Raid1(_) => {
                self.mirror("log core", |mirror| mirror.log = Log::Core);
                self.mirror("region_size 1024", |mirror| mirror.region_size = REGION);
                self.mirror("nosync", |mirror| mirror.sync = Sync::Nosync);
                self.mirror("handle_errors", |mirror| mirror.handle_errors = true);
                self.mirror("no keep_log", |mirror| mirror.keep_log = false);
            }
            Stack::Multipath(_) => {}
        }
        self.paths("queue_mode mq", |paths| paths.queue_mode = QueueMode::Mq);
        self.paths("service-time", |paths| {
            paths.path_selector = PathSelector::ServiceTime
        });
        self.paths("failover", |paths| {
            paths.path_grouping = PathGrouping::Failover
        });
        self.paths("no queue_if_no_path", |paths| {
            paths.queue_if_no_path = false
        });
        self.paths("no pg_init_retries", |paths| paths.pg_init_retries = None);
        self.paths("no pg_init_delay_msecs", |paths| {
            paths.pg_init_delay_msecs = None
        });
        self.paths("no multipathd", |paths| paths.no_path_retry = None);
    }

    fn mirror(&mut self, what: &str, change: impl FnOnce(&mut Raid1)) {
        self.with(what, |case| {
            if let Stack::Raid1(mirror) = &mut case.stack {
                change(mirror);
            }
        });
    }

    fn paths(&mut self, what: &str, change: impl FnOnce(&mut Multipath)) {
        self.with(what, |case| match &mut case.stack {
            Stack::Multipath(paths) => change(paths),
            Stack::Raid1(mirror) => {
                if let Some(paths) = &mut mirror.paths {
                    change(&mut paths.multipath);
                }
            }
        });
    }
}
