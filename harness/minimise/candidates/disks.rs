//! Fewer and simpler disks.

use super::List;
use crate::measure::SIZE;
use crate::shrink::{self, Part};
use halfway_case::{Controller, OnError};

impl List<'_> {
    pub(super) fn legs(&mut self) {
        for leg in (0..self.case.members()).rev() {
            let what = format!("without {} {leg}", self.case.stack.lower());
            self.add(what, shrink::without_leg(self.case, leg));
        }
        if let Some(case) = shrink::with_fewer_paths(self.case) {
            self.add("with a path less", case);
        }
    }

    pub(super) fn disks(&mut self) {
        self.with("no linear device on top", |case| case.linear = None);
        self.with("no max_sectors_kb", |case| case.legs.max_sectors_kb = None);
        self.pieces();
        self.with("no max_transfer", |case| case.legs.max_transfer = None);
        self.with("errors are reported", |case| {
            case.legs.on_error = OnError::Report
        });
        self.with("blocks of 512 bytes", |case| {
            case.legs.logical_block_size = 512
        });
        self.with("no offset", |case| case.legs.offset.fill(0));
        self.with("of the usual size", |case| case.legs.sectors = SIZE);
        for controller in [
            Controller::VirtioBlk,
            Controller::VirtioScsi,
            Controller::Target,
        ] {
            let what = format!("on {}", controller.name());
            self.add(what, shrink::on(self.case, controller));
        }
    }

    /// Smaller pieces, of which a shorter I/O has as many.
    fn pieces(&mut self) {
        let Some(before) = self.case.legs.max_sectors_kb else {
            return;
        };
        for kib in [4, 8, 16, 32].into_iter().filter(|kib| *kib < before) {
            let length = self.case.io.sectors * u64::from(kib) / u64::from(before);
            let mut case = shrink::shorter(self.case, length.max(1), Part::Scaled);
            case.legs.max_sectors_kb = Some(kib);
            self.add(format!("split at {kib} KiB, and shorter"), case);
            self.with(format!("split at {kib} KiB"), |case| {
                case.legs.max_sectors_kb = Some(kib);
            });
        }
    }
}
