//! What must lie where after each step of a soak.

use super::plan::Step;
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::content::{Origin, SECTOR, Span, What};
use halfway_protocol::io::{IoReport, Op};

/// The content of a soak's area: for each sector the generation and the request
/// that wrote it last.
#[derive(Clone, Debug)]
pub struct Content {
    from: u64,
    sectors: Vec<Option<(u32, u16)>>,
}

impl Content {
    /// An area of which nothing is known yet.
    pub fn new(sector: u64, sectors: u64) -> Self {
        Content {
            from: sector,
            sectors: vec![None; sectors as usize],
        }
    }

    /// Takes in a step that has come back, and returns the first thing that is
    /// wrong with it. Every request must have succeeded.
    pub fn take(&mut self, step: &Step, report: &IoReport) -> Option<Difference> {
        let parts = step.io.parts();
        if report.ops.len() != parts.len() {
            let text = format!("{} requests, {} answers", parts.len(), report.ops.len());
            return Some(difference(Witness::Application, text));
        }
        for (index, ((sector, sectors), op)) in parts.into_iter().zip(&report.ops).enumerate() {
            let place = format!("{sector}+{sectors}");
            if op.result != Ok(sectors * SECTOR as u64) {
                let text = match op.result {
                    Ok(bytes) => format!("{place} came back with {bytes} bytes"),
                    Err(errno) => {
                        let error = std::io::Error::from_raw_os_error(errno);
                        format!("{place} failed ({error}), though a lower device was good")
                    }
                };
                return Some(difference(Witness::Application, text));
            }
            if let Some(damage) = op.guard_damage.first() {
                let text = format!(
                    "{place}: the bytes around segment {} changed",
                    damage.segment
                );
                return Some(difference(Witness::Guards, text));
            }
            if let Some(at) = op.buffer_changed.first() {
                let text = format!("{place}: the kernel changed byte {at} of what it was to write");
                return Some(difference(Witness::Content, text));
            }
            if step.io.op == Op::Read {
                if let Some(text) = self.wrong(sector, sectors, &op.content) {
                    return Some(difference(Witness::Content, text));
                }
                continue;
            }
            for sector in sector..sector + sectors {
                if let Some(one) = self.at(sector) {
                    *one = Some((step.generation(), index as u16));
                }
            }
        }
        None
    }

    /// The first thing that is wrong with these `sectors` from `sector` on, in
    /// words; `spans` is their content.
    pub fn wrong(&self, sector: u64, sectors: u64, spans: &[Span]) -> Option<String> {
        let mut next = 0;
        for span in spans {
            for step in 0..span.sectors {
                let at = sector + span.at + step;
                let expected = match self.expected(at) {
                    Some(expected) if span.at + step == next => expected,
                    _ => return Some(format!("sector {at} is out of place")),
                };
                next += 1;
                let (generation, writer) = expected;
                let seen = match span.what {
                    What::Stamp {
                        origin,
                        generation: seen,
                        sector: number,
                    } if (origin, seen, number + step)
                        == (Origin::Writer(writer), generation, at) =>
                    {
                        continue;
                    }
                    What::Stamp {
                        origin: Origin::Writer(_),
                        generation: seen,
                        sector: number,
                    } => format!(
                        "sector {} as step {} wrote it",
                        number + step,
                        seen.saturating_sub(1)
                    ),
                    other => format!("{other:?}"),
                };
                return Some(format!(
                    "sector {at} holds {seen}, and not what step {} wrote there",
                    generation.saturating_sub(1)
                ));
            }
        }
        (next < sectors).then(|| format!("only {next} of {sectors} sectors at {sector} were seen"))
    }

    fn expected(&self, sector: u64) -> Option<(u32, u16)> {
        let index = sector.checked_sub(self.from)?;
        *self.sectors.get(index as usize)?
    }

    fn at(&mut self, sector: u64) -> Option<&mut Option<(u32, u16)>> {
        let index = sector.checked_sub(self.from)?;
        self.sectors.get_mut(index as usize)
    }
}

fn difference(witness: Witness, text: String) -> Difference {
    Difference { witness, text }
}
