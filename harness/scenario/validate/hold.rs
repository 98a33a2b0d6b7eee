//! `[[hold]]`.

use super::{clash, place};
use crate::scenario::case::{Controller, Meanwhile};
use crate::scenario::error::Report;
use crate::scenario::file::File;
use crate::scenario::value::Target;
use halfway_protocol::io::Op;

pub(super) fn hold(file: &File, report: &mut Report) {
    let [given, more @ ..] = file.hold.as_slice() else {
        return;
    };
    let span = |index: usize| file.hold.get(index).and_then(|hold| hold.span.clone());
    if !more.is_empty() {
        let problem = report.problem("one request can be held at a time");
        if let Some(span) = span(1) {
            problem.at(span, "the second");
        }
        problem.help("give each a scenario of its own, or sweep over `at`");
    }
    let hold = &given.value;
    place::legs(&hold.leg, file, report);
    place::sectors(&hold.at, file, report);
    let of_paths =
        |deed: &Meanwhile| matches!(deed, Meanwhile::FailPath | Meanwhile::ReinstatePath);
    if let (Target::Raid1, Some(deed)) = (file.stack.target(), hold.meanwhile.find(of_paths)) {
        report
            .problem("a mirror has no paths")
            .value(deed, "this is done to a path")
            .help("only `target = \"multipath\"` takes such messages");
    }
    clash(
        report,
        (file.legs.controller).find(|one| *one != Controller::VirtioBlk),
        hold.meanwhile.find(|_| true),
        "what this controller makes of a request that takes long is not known",
        "take `virtio-blk`",
    );
    clash(
        report,
        file.io.op.find(|op| !matches!(op, Op::Read | Op::Write)),
        hold.meanwhile.find(|_| true),
        "only reads and writes can be held",
        "set `op` in `[io]` to one of them",
    );
}
