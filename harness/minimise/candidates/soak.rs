//! Shorter soaks.

use super::{List, lengths};
use halfway_case::{Filesystem, Length};

impl List<'_> {
    /// A soak's plan is drawn step by step, so a shorter one is the beginning of it.
    pub(super) fn soak(&mut self) {
        let Some(soak) = &self.case.soak else {
            return;
        };
        let rebuilt = |length: Length| {
            let mut soak = soak.clone();
            soak.length = length;
            Some(soak)
        };
        match soak.length {
            Length::Count(count) => {
                for count in lengths(count.into())
                    .into_iter()
                    .filter_map(|n| n.try_into().ok())
                {
                    self.with(format!("{count} steps"), |case| {
                        case.soak = rebuilt(Length::Count(count));
                    });
                }
            }
            Length::Seconds(seconds) => {
                for count in [16, 64, 256, 1024, 4096] {
                    self.with(format!("{count} steps"), |case| {
                        case.soak = rebuilt(Length::Count(count));
                    });
                }
                for seconds in lengths(seconds.into())
                    .into_iter()
                    .filter_map(|n| n.try_into().ok())
                {
                    self.with(format!("{seconds} s"), |case| {
                        case.soak = rebuilt(Length::Seconds(seconds));
                    });
                }
            }
        }
        self.with("no file system", |case| {
            if let Some(soak) = &mut case.soak {
                soak.filesystem = Filesystem::None;
            }
        });
    }
}
