//! How `[io]` is cut into requests, and who submits them.

use super::clash;
use crate::error::Report;
use crate::file::File;
use halfway_case::limits;
use halfway_protocol::io::Path;

pub(super) fn requests(file: &File, report: &mut Report) {
    let io = &file.io;
    for requests in (io.requests).offenders(|n| *n == 0 || *n > limits::REQUESTS) {
        report
            .problem(format!("an I/O cannot have {} requests", requests.value))
            .value(requests, "this value")
            .help(format!(
                "an I/O has 1 to {} requests here",
                limits::REQUESTS
            ));
    }
    for submitters in (io.submitters).offenders(|n| *n == 0 || *n > limits::SUBMITTERS) {
        report
            .problem(format!(
                "an I/O cannot have {} submitters",
                submitters.value
            ))
            .value(submitters, "this value")
            .help(format!(
                "an I/O has 1 to {} submitters here",
                limits::SUBMITTERS
            ));
    }
    if let Some(shortest) = io.sectors.least(|sectors| *sectors) {
        let more = |requests: &u32| u64::from(*requests) > shortest.value;
        let too_many = io.requests.offenders(more).into_iter();
        for requests in too_many.filter(|_| shortest.value > 0) {
            report
                .problem(format!(
                    "{} sectors cannot be cut into {} requests",
                    shortest.value, requests.value
                ))
                .value(requests, "more requests than sectors")
                .value(shortest, "this many sectors")
                .help("a request has at least one sector");
        }
        let most = io.requests.least(|requests| u32::MAX - requests);
        if let Some(most) = most.filter(|most| most.value > 1) {
            let each = shortest.value / u64::from(most.value);
            for overlap in io
                .overlap
                .offenders(|overlap| *overlap > 0 && *overlap >= each)
            {
                report
                    .problem("a request reaches beyond the one behind it")
                    .value(overlap, "so far into the next one")
                    .value(most, "so many requests")
                    .value(shortest, "of this together")
                    .help(format!(
                        "the shortest request has {each} sectors before they overlap: let them \
                         overlap by less"
                    ));
            }
        }
    }
    clash(
        report,
        io.overlap.find(|overlap| *overlap > 0),
        io.requests.find(|requests| *requests == 1),
        "one request overlaps nothing",
        "leave `overlap` out, or set `requests`",
    );
    clash(
        report,
        io.overlap.find(|overlap| *overlap > 0),
        io.path.find(|path| *path == Path::Buffered),
        "the page cache lets nothing overlap: each page is read and written once",
        "leave `overlap` out, or use `path = \"direct\"`",
    );
    if let Some(least) = io.requests.least(|requests| *requests) {
        for submitters in io.submitters.offenders(|n| *n > 1 && *n > least.value) {
            report
                .problem("there are more submitters than requests")
                .value(submitters, "so many submitters")
                .value(least, "so many requests")
                .help("each submitter has at least one request");
        }
    }
    clash(
        report,
        io.submitters.find(|submitters| *submitters > 1),
        io.path.find(|path| *path == Path::Buffered),
        "several submitters would share one open file, whose error `fsync` tells only one of them",
        "leave `submitters` out, or use `path = \"direct\"`",
    );
}
