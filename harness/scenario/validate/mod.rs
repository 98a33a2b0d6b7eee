//! How the parts of a file must fit together.
//!
//! An impossible combination is a mistake, even if it is only one of many that
//! a sweep yields: cases are never left out silently. The message names the
//! values that clash. To get the other combinations, split the file.

mod blocks;
mod faults;
mod hold;
mod io;
mod place;
mod requests;
mod soak;
mod stack;

use super::clash::clash;
use super::error::Report;
use super::file::File;
use super::sweep::{At, Given, Sweep};
use super::value::Offset;
use halfway_case::Sabotage;
use halfway_case::limits;

/// Replaces `every` by the offsets that it stands for.
pub(super) fn resolve(file: &mut File, report: &mut Report) {
    // 1 or 8 sectors, or a wrong size that `blocks` reports.
    let step = file.legs.block() as usize;
    for fault in &mut file.fault {
        let At::Every(span) = &fault.value.at else {
            continue;
        };
        let sectors = match file.io.sectors.0.as_slice() {
            [sectors] if sectors.value <= limits::IO_SECTORS => sectors.value,
            [] | [_] => 0,
            [sectors, ..] => {
                report
                    .problem("`every` sector is not defined while `sectors` is swept")
                    .at(span.clone(), "of an I/O of which length?")
                    .value(sectors, "swept here")
                    .help("name the offsets, or give each length a file of its own");
                0
            }
        };
        let offsets = (0..sectors).step_by(step).map(|at| Given {
            value: Offset::Sectors(at),
            span: Some(span.clone()),
        });
        fault.value.at = At::Offsets(Sweep(offsets.collect()));
    }
}

/// Checks everything except the number of cases.
pub(super) fn check(file: &File, report: &mut Report) {
    texts(file, report);
    stack::stack(file, report);
    stack::legs(file, report);
    blocks::blocks(file, report);
    io::io(file, report);
    faults::faults(file, report);
    hold::hold(file, report);
    soak::soak(file, report);
}

fn texts(file: &File, report: &mut Report) {
    match &file.question {
        None => {}
        Some(question) if question.span.is_none() => {
            report
                .problem("a scenario asks a question")
                .at(0..0, "there is none")
                .help("begin with `question = \"Does a read that ...?\"`");
        }
        Some(question) if question.value.trim().is_empty() || question.value.contains('\n') => {
            report
                .problem("the question must be one line of text")
                .value(question, "this value");
        }
        Some(_) => {}
    }
    let is_tag = |tag: &str| {
        let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !tag.is_empty() && tag.chars().all(ok)
    };
    for tag in file.tags.items.iter().filter(|tag| !is_tag(&tag.value)) {
        report
            .problem(format!("`{}` is not a tag", tag.value))
            .value(tag, "this value")
            .help("a tag is made of lower-case letters, digits and hyphens");
    }
    if let Some(sample) = file.sample.as_ref().filter(|sample| sample.value == 0) {
        report
            .problem("a sample takes at least 1 case")
            .value(sample, "this value");
    }
    let is_id = |id: &str| {
        let ok = |c: char| c.is_ascii_alphanumeric() || "._-@=,+".contains(c);
        id.starts_with(|c: char| c.is_ascii_alphanumeric()) && id.chars().all(ok)
    };
    if let Some(id) = file.id.as_ref().filter(|id| !is_id(&id.value)) {
        report
            .problem("an `id` must be fit for a file name")
            .value(id, "this value")
            .help("letters, digits and any of . _ - @ = , + with a letter or digit in front");
    }
    if let (Some(sabotage), []) = (&file.sabotage, file.fault.as_slice())
        && sabotage.value == Sabotage::FaultMissed
    {
        report
            .problem("there is no fault that could be missed")
            .value(sabotage, "this needs a `[[fault]]`");
    }
}
