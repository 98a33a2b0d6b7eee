//! The expectation in words, before anything is run.

use super::controller;
use super::model::{self, Environment, Expectation};
use super::units;
use halfway_case::Lower;
use halfway_case::{Case, Io, OnError, Soak, Vector};
use halfway_protocol::io::Op;
use std::fmt::Write;

/// What will be injected into `case`, and what a correct kernel must do.
pub fn explain(case: &Case) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", case.id);
    let stack = &case.stack;
    let legs = Lower(&case.legs, stack);
    let _ = writeln!(text, "  The stack: {}; {legs}.", case.stack);
    if let Some(sectors) = case.linear {
        let _ = writeln!(text, "  On top: linear segments of {sectors} sectors.");
    }
    if let Some(soak) = &case.soak {
        return text + &explain_soak(case, soak);
    }
    let _ = writeln!(text, "  The application: {}.", case.io);
    for fault in &case.faults {
        let _ = writeln!(text, "  Injected: {}.", Lower(fault, stack));
    }
    for other in &case.other_faults {
        let _ = writeln!(text, "  Injected: {}.", Lower(other, stack));
    }
    for hold in &case.holds {
        let _ = writeln!(text, "  Meanwhile: {}.", Lower(hold, stack));
    }
    if let Some(order) = case.let_go() {
        let _ = writeln!(text, "  They are {order}.");
    }
    if let Err(unknown) = model::knows(case) {
        let _ = writeln!(text, "  {unknown}");
        return text;
    }
    if let Err(idle) = model::fires(case) {
        let _ = writeln!(text, "  Nothing would be tested: {idle}");
    }
    let (case, absorbed) = &controller::as_dm_meets(case);
    for fault in absorbed {
        if case.legs.on_error == OnError::Stop {
            let _ = writeln!(
                text,
                "  QEMU stops the machine each time, the fault is mended after the last, and QEMU \
                 asks {} again; device-mapper hears of no failure.",
                stack.disk_name(fault.leg)
            );
            continue;
        }
        let _ = writeln!(
            text,
            "  {} tries again until {} answers; device-mapper hears of no failure.",
            case.legs.controller,
            stack.disk_name(fault.leg)
        );
    }
    let units = units::nominal(&case.io.parts(), &case.boundaries());
    let expectation = model::expect(case, &Environment::ANY, &units);
    for line in expectation_words(case, &expectation) {
        let _ = writeln!(text, "  A correct kernel: {line}");
    }
    let within_a_block = match case.io.vector {
        Vector::Unaligned => true,
        Vector::Offset => case.legs.block() > 1,
        Vector::Contiguous | Vector::Pages | Vector::Odd => false,
    };
    if within_a_block {
        let _ = writeln!(
            text,
            "  A kernel before 6.0, or a device with a larger dma_alignment, may answer EINVAL \
             instead, and then asks no leg."
        );
    }
    text
}

fn explain_soak(case: &Case, soak: &Soak) -> String {
    let Io {
        sector, sectors, ..
    } = case.io;
    let mut text = format!("  A soak: {soak}, on sectors {sector}+{sectors}.\n");
    match model::knows(case) {
        Err(unknown) => {
            let _ = writeln!(text, "  {unknown}");
        }
        Ok(()) => {
            let _ = writeln!(
                text,
                "  A correct kernel: loses no I/O, reads what was written last, and leaves it on \
                 every {} once all is mended.",
                case.stack.lower()
            );
        }
    }
    text
}

fn expectation_words(case: &Case, expectation: &Expectation) -> Vec<String> {
    let lower = case.stack.lower();
    let named = |legs: &[u8]| {
        let names: Vec<String> = (legs.iter())
            .map(|leg| case.stack.disk_name(*leg))
            .collect();
        names.join(", ")
    };
    let mut lines = Vec::new();
    for unit in &expectation.units {
        let place = format!("{}+{}", unit.unit.sector, unit.unit.sectors);
        let copied = case.stack.target().has_copies() && case.io.op == Op::Write;
        match (&unit.order, copied) {
            (Some(order), _) => lines.push(format!(
                "asks for {place} whole, of {} in this order;",
                named(order)
            )),
            (None, true) => {
                lines.push(format!("sends {place} whole to every leg;"));
                if !unit.good.is_empty() {
                    lines.push(format!("leaves all of it on {};", named(&unit.good)));
                }
            }
            (None, false) => lines.push(format!(
                "asks for {place} whole of one {lower}, and again of another if it fails;"
            )),
        }
    }
    if expectation.held {
        lines.push(case.stack.target().held_until(case.io.op).to_owned());
    }
    let answers = expectation.answers.first().cloned().unwrap_or_default();
    let answers: Vec<String> = answers
        .iter()
        .map(|answer| match answer {
            Ok(bytes) => format!("{bytes} bytes"),
            Err(errno) => format!("errno {errno}"),
        })
        .collect();
    lines.push(format!(
        "tells the application of each request: {};",
        answers.join(" or ")
    ));
    lines.push(format!(
        "shows the {lower}s as {}.",
        expectation.health.join(" ")
    ));
    if !expectation.beneath.is_empty() {
        lines.push(format!(
            "shows the paths beneath as {}.",
            expectation.beneath.join(" ")
        ));
    }
    lines
}
