//! Each `[[hold]]`, and all of them together.

use super::{clash, place};
use crate::error::Report;
use crate::file::{File, Hold};
use crate::sweep::Given;
use crate::value::Value;
use halfway_case::limits;
use halfway_case::{Ending, Meanwhile};
use halfway_protocol::io::Op;

pub(super) fn hold(file: &File, report: &mut Report) {
    if file.hold.is_empty() {
        return;
    }
    if let Some(more) = file.hold.get(limits::HOLDS) {
        let problem = report.problem(format!("{} requests cannot be held", file.hold.len()));
        if let Some(span) = more.span.clone() {
            problem.at(span, "one too many");
        }
        problem.help(format!(
            "at most {}: they have {} orders already",
            limits::HOLDS,
            (1..=limits::HOLDS).product::<usize>()
        ));
    }
    for (index, given) in file.hold.iter().enumerate() {
        let hold = &given.value;
        place::legs(&hold.leg, file, report);
        place::sectors(&hold.at, file, report);
        places(hold, index, report);
        if let Some(event) = hold.meanwhile.find(|event| *event != Meanwhile::Nothing)
            && index > 0
        {
            report
                .problem("the first hold says what is done while all are held")
                .value(event, "this is a later one")
                .help("move it to the first `[[hold]]`");
        }
        for earlier in &file.hold[..index] {
            same_request(file, earlier, given, report);
        }
    }
    of_all(file, report);
}

/// Reports places that a hold cannot have.
fn places(hold: &Hold, index: usize, report: &mut Report) {
    let beyond = |place: &u8| usize::from(*place) > index;
    for place in hold.place.iter().flat_map(|sweep| sweep.offenders(beyond)) {
        report
            .problem(format!("there is no place {}", place.value))
            .value(place, "of so many holds, this one included")
            .help(match index {
                0 => "the first hold has none before it: leave `place` out".to_owned(),
                _ => format!("0 is before all holds above this one, {index} after them"),
            });
    }
}

/// Reports two holds that may be of one request.
fn same_request(file: &File, one: &Given<Hold>, again: &Given<Hold>, report: &mut Report) {
    let (a, b) = (&one.value, &again.value);
    let Some(leg) = a.leg.find(|leg| b.leg.values().any(|other| leg == other)) else {
        return;
    };
    let shared = file.io.sectors.values().find_map(|length| {
        let mut sectors = a.at.values().map(|at| at.resolve(*length));
        sectors.find(|sector| b.at.values().any(|at| at.resolve(*length) == *sector))
    });
    let Some(at) = shared else {
        return;
    };
    let problem = report.problem(format!(
        "two holds on leg {} at sector {at} of the I/O",
        leg.value.word()
    ));
    for (hold, label) in [(again, "the second"), (one, "the first")] {
        if let Some(span) = hold.span.clone() {
            problem.at(span, label);
        }
    }
    problem.help("a request is held once: sweep over legs or sectors that differ");
}

/// Checks what must be the same for all holds.
fn of_all(file: &File, report: &mut Report) {
    let first = &file.hold[0].value;
    let to_path = first.meanwhile.find(|event| event.profile().to_path);
    if let (false, Some(event)) = (file.stack.keys().takes_messages(), to_path) {
        report
            .problem("a mirror has no paths")
            .value(event, "this is done to a path")
            .help("only `target = \"multipath\"` takes such messages");
    }
    let mut said = Vec::new();
    for event in &first.meanwhile.0 {
        let refused_on = event.value.profile().refused_on;
        let controller = (file.legs.controller).find(|one| refused_on(*one).is_some());
        let Some(refusal) = controller.and_then(|one| refused_on(one.value)) else {
            continue;
        };
        if !said.contains(&refusal) {
            clash(
                report,
                controller,
                Some(event),
                refusal.problem,
                refusal.help,
            );
            said.push(refusal);
        }
    }
    clash(
        report,
        first.then.find(|then| *then != Ending::Ok),
        (first.meanwhile).find(|event| event.profile().fails_request),
        "a disk that is unplugged tells nobody how it ends what it held",
        "leave `then` out",
    );
    clash(
        report,
        file.io.op.find(|op| !matches!(op, Op::Read | Op::Write)),
        first.meanwhile.find(|_| true),
        "only reads and writes can be held",
        "set `op` in `[io]` to one of them",
    );
}
