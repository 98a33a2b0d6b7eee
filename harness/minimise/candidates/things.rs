//! Fewer faults and holds, and simpler ones.

use super::List;
use crate::measure::EIO;
use crate::shrink;
use halfway_case::{Case, Ending, Fault, Meanwhile, Times};

impl List<'_> {
    /// Faults and holds, by delta debugging: halves, quarters, and so on to single ones.
    pub(super) fn things(&mut self) {
        let count = shrink::things(self.case);
        let mut size = count;
        while size > 0 {
            for start in (0..count).step_by(size) {
                let gone = start..(start + size).min(count);
                let number = gone.len();
                let what = format!("without {number} of the faults and holds");
                self.add(what, shrink::without_things(self.case, gone));
            }
            size /= 2;
        }
    }

    /// Each fault and each hold by itself.
    pub(super) fn each_thing(&mut self) {
        for index in 0..self.case.holds.len() {
            self.with("nothing meanwhile", |case| {
                case.holds[index].meanwhile = Meanwhile::Nothing;
            });
            self.with("a hold that ends well", |case| {
                case.holds[index].then = Ending::Ok
            });
            self.with("released in order", |case| {
                case.holds[index].place = u8::try_from(index).unwrap_or(u8::MAX);
            });
            for leg in 0..self.case.holds[index].leg {
                self.with("a hold on an earlier leg", |case| {
                    case.holds[index].leg = leg
                });
            }
        }
        for index in 0..self.case.faults.len() + self.case.other_faults.len() {
            let change = |case: &mut Case, change: &dyn Fn(&mut Fault)| {
                if let Some(fault) = shrink::faults(case).nth(index) {
                    change(fault);
                }
            };
            self.with("a fault that stays", |case| {
                change(case, &|one| one.times = Times::Always)
            });
            self.with("a fault that fails once", |case| {
                change(case, &|one| {
                    if one.times != Times::Always {
                        one.times = Times::Count(1);
                    }
                });
            });
            self.with("EIO", |case| change(case, &|one| one.errno = EIO));
            self.with("the usual report", |case| {
                change(case, &|one| {
                    one.report = one.report.map(|_| Default::default())
                });
            });
            let leg = (self.case.faults.get(index)).map_or(0, |fault| fault.leg);
            for leg in 0..leg {
                self.with(
                    format!("a fault on {}", self.case.stack.disk_name(leg)),
                    |case| {
                        change(case, &|one| one.leg = leg);
                    },
                );
            }
        }
    }
}
