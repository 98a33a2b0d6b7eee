//! Where the faults, the holds and the I/O are.

use super::List;
use crate::measure::SECTOR;
use crate::shrink;

impl List<'_> {
    /// Where the faults, the holds and the I/O are.
    pub(super) fn place(&mut self) {
        let start = self.case.io.sector;
        let earlier = |sector: u64| {
            let offset = sector.saturating_sub(start);
            [
                0,
                offset / 2 / 8 * 8,
                offset / 8 * 8,
                offset / 2,
                offset.saturating_sub(1),
            ]
            .map(|offset| start + offset)
        };
        for index in 0..self.case.faults.len() {
            for sector in earlier(self.case.faults[index].sector) {
                let what = format!("a fault at {}", sector - start);
                self.with(what, |case| case.faults[index].sector = sector);
            }
        }
        for index in 0..self.case.other_faults.len() {
            for sector in earlier(self.case.other_faults[index].fault.sector) {
                let what = format!("another fault at {}", sector.saturating_sub(start));
                self.with(what, |case| case.other_faults[index].fault.sector = sector);
            }
        }
        for index in 0..self.case.holds.len() {
            for sector in earlier(self.case.holds[index].sector) {
                let what = format!("a hold at {}", sector - start);
                self.with(what, |case| case.holds[index].sector = sector);
            }
        }
        for sector in [SECTOR, 0, start / 2 / 8 * 8, start / 8 * 8] {
            self.add(
                format!("at sector {sector}"),
                shrink::moved(self.case, sector),
            );
        }
    }
}
