//! A simpler I/O: fewer requests, fewer sectors, simpler memory.

use super::{List, lengths};
use crate::shrink::{self, Part};
use halfway_case::Vector;
use halfway_protocol::io::{Op, Path};

impl List<'_> {
    pub(super) fn requests(&mut self) {
        self.with("one request", |case| {
            (case.io.requests, case.io.submitters, case.io.overlap) = (1, 1, 0);
        });
        for requests in lengths(self.case.io.requests.into()) {
            self.with(format!("{requests} requests"), |case| {
                case.io.requests = requests.try_into().unwrap_or(case.io.requests);
            });
        }
        self.with("one submitter", |case| case.io.submitters = 1);
        for overlap in std::iter::once(0).chain(lengths(self.case.io.overlap)) {
            self.with(format!("an overlap of {overlap}"), |case| {
                case.io.overlap = overlap
            });
        }
    }

    pub(super) fn length(&mut self) {
        for length in lengths(self.case.io.sectors) {
            for (part, word) in [
                (Part::First, "the first"),
                (Part::Scaled, "as if of"),
                (Part::Last, "the last"),
            ] {
                let what = match length {
                    1 => format!("{word} sector"),
                    _ => format!("{word} {length} sectors"),
                };
                self.add(what, shrink::shorter(self.case, length, part));
            }
        }
    }

    pub(super) fn io(&mut self) {
        for vector in [
            Vector::Contiguous,
            Vector::Pages,
            Vector::Offset,
            Vector::Odd,
        ] {
            self.with(vector.to_string(), |case| case.io.vector = vector);
        }
        self.with("direct", |case| case.io.path = Path::Direct);
        self.with("without O_DSYNC", |case| case.io.dsync = false);
        for op in [Op::Read, Op::Write] {
            let word = if op == Op::Read { "read" } else { "written" };
            self.add(format!("{word} instead"), shrink::of_op(self.case, op));
        }
    }
}
