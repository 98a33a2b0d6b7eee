//! The observation of a soak in which nothing goes wrong, to test its judges
//! with.

use crate::Step;
use halfway_protocol::content::{Origin, SECTOR, Span, What};
use halfway_protocol::io::{IoReport, Op, OpReport};

/// The report of a step in which nothing goes wrong. `content` gives the
/// generation and request of each sector.
pub fn report(step: &Step, content: impl Fn(u64) -> (u32, u16)) -> IoReport {
    let spans = |sector: u64, sectors: u64| {
        let each = (0..sectors).map(|at| {
            let (generation, writer) = content(sector + at);
            Span {
                at,
                sectors: 1,
                what: What::Stamp {
                    origin: Origin::Writer(writer),
                    generation,
                    sector: sector + at,
                },
            }
        });
        each.collect()
    };
    let ops = step
        .io
        .parts()
        .into_iter()
        .map(|(sector, sectors)| OpReport {
            result: Ok(sectors * SECTOR as u64),
            content: match step.io.op {
                Op::Read => spans(sector, sectors),
                _ => Vec::new(),
            },
            buffer_changed: Vec::new(),
            guard_damage: Vec::new(),
            after: 0,
        });
    IoReport {
        ops: ops.collect(),
        micros: 1,
    }
}

/// Who wrote a sector last in these steps, as (generation, request).
pub fn writer(steps: &[Step], sector: u64) -> (u32, u16) {
    let wrote = |step: &Step| {
        let parts = step.io.parts().into_iter().enumerate();
        let mut covering =
            parts.filter(|(_, (from, sectors))| (*from..from + sectors).contains(&sector));
        let (index, _) = covering.next().filter(|_| step.io.op != Op::Read)?;
        Some((step.generation(), index as u16))
    };
    steps.iter().rev().find_map(wrote).unwrap_or_default()
}
