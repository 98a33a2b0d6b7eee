//! From a scenario to its cases.
//!
//! The expansion is the product of all swept keys, in the order of the format
//! (`[stack]`, `[legs]`, `[io]`, each `[[fault]]`; within a table as listed in
//! scenarios/README.md). The last axis runs fastest.

use super::error::{Report, ScenarioError};
use super::file::File;
use super::pick::{Axis, Picker};
use super::sweep::At;
use super::{read, validate};
use halfway_case::limits;
use halfway_case::{Case, Controller, Fault, Filesystem, Hold, Io, Legs, Length, OtherFault, Soak};
use halfway_scsi::FaultReport;

/// A scenario that is known to be valid, and so are all the cases that it
/// expands to.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The scenario's path below the catalogue, without `.toml`.
    pub name: String,
    /// The question that the scenario answers, in one line.
    pub question: String,
    /// Words to select the scenario by.
    pub tags: Vec<String>,
    /// How many cases a sampled run takes.
    pub sample: usize,
    /// The file's text, to be recorded.
    pub text: String,
    pub(super) file: File,
    pub(super) axes: Vec<Axis>,
}

impl Scenario {
    /// Reads the scenario called `name`.
    ///
    /// Returns all mistakes of the file at once, with two exceptions: if the
    /// text is not TOML, the rest is not examined; and that a file expands to
    /// too many cases is only checked if nothing else is wrong.
    pub fn parse(name: &str, source: &str) -> Result<Self, ScenarioError> {
        Self::parse_file(name, name, source)
    }

    /// Reads a scenario from a file that messages call `path`.
    pub(super) fn parse_file(path: &str, name: &str, source: &str) -> Result<Self, ScenarioError> {
        let mut report = Report::default();
        let scenario = read::read(source, &mut report).and_then(|mut file| {
            validate::resolve(&mut file, &mut report);
            validate::check(&file, &mut report);
            (report.len() == 0).then(|| Scenario::new(name, source, file))
        });
        if let Some(scenario) = &scenario {
            check_size(scenario, &mut report);
        }
        match scenario {
            Some(scenario) if report.len() == 0 => Ok(scenario),
            _ => Err(report.into_error(path, source)),
        }
    }

    /// The scenario of a file without mistakes.
    fn new(name: &str, text: &str, file: File) -> Self {
        let mut scenario = Scenario {
            name: match &file.scenario {
                Some(given) => given.value.clone(),
                None => name.to_owned(),
            },
            question: file.question.iter().map(|q| q.value.trim()).collect(),
            tags: file
                .tags
                .items
                .iter()
                .map(|tag| tag.value.clone())
                .collect(),
            sample: file.sample.as_ref().map_or(0, |s| s.value as usize),
            text: text.to_owned(),
            file,
            axes: Vec::new(),
        };
        let mut axes = Vec::new();
        scenario.build(&mut |axis| {
            axes.push(axis());
            0
        });
        scenario.axes = axes;
        scenario
    }

    /// How many cases the scenario has.
    pub fn count(&self) -> usize {
        let lengths = self.axes.iter().map(|axis| axis.len);
        lengths.fold(1, usize::saturating_mul)
    }

    /// All cases, in the documented order.
    pub fn expand(&self) -> impl ExactSizeIterator<Item = Case> + '_ {
        (0..self.count()).map(|point| {
            let mut rest = point;
            let mut digits: Vec<usize> = self
                .axes
                .iter()
                .rev()
                .map(|axis| {
                    let digit = rest % axis.len;
                    rest /= axis.len;
                    digit
                })
                .collect();
            digits.reverse();
            self.case(&digits)
        })
    }

    /// The case that takes the value with that index on each axis.
    pub(super) fn case(&self, digits: &[usize]) -> Case {
        let mut digits = digits.iter();
        self.build(&mut |_| digits.next().copied().unwrap_or_default())
    }

    /// The beginning of each case's id.
    pub(super) fn stem(&self) -> String {
        match &self.file.id {
            Some(id) => id.value.clone(),
            None => self
                .name
                .chars()
                .map(|char| match char {
                    '/' => '.',
                    'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => char,
                    _ => '-',
                })
                .collect(),
        }
    }

    /// Builds a case. `choose` is called once for each axis, in order, and
    /// returns the index of a value.
    fn build(&self, choose: &mut dyn FnMut(&dyn Fn() -> Axis) -> usize) -> Case {
        let mut picker = Picker {
            choose,
            id: self.stem(),
            mark: '@',
        };
        let file = &self.file;
        let stack = file.stack.keys().pick(&file.stack, &mut picker);
        let linear = picker.pick_any("linear", &file.stack.linear);
        let controller = picker.pick("controller", &file.legs.controller);
        let paths = stack.nested().map_or(1, |paths| paths.count);
        let count = picker.pick("count", &file.legs.count);
        let each_leg = file.legs.offset.each(count).into_iter();
        let legs = Legs {
            controller,
            count: count.saturating_mul(paths),
            logical_block_size: picker.pick("logical_block_size", &file.legs.logical_block_size),
            sectors: picker.pick("size", &file.legs.size),
            offset: (each_leg)
                .flat_map(|offset| std::iter::repeat_n(offset, paths.into()))
                .collect(),
            max_sectors_kb: picker.pick_any("max_sectors_kb", &file.legs.max_sectors_kb),
            max_transfer: picker.pick_any("max_transfer", &file.legs.max_transfer),
            on_error: picker.pick("on_error", &file.legs.on_error),
        };
        let io = Io {
            op: picker.pick("op", &file.io.op),
            path: picker.pick("path", &file.io.path),
            dsync: picker.pick("dsync", &file.io.dsync),
            sector: picker.pick("sector", &file.io.sector),
            sectors: picker.pick("sectors", &file.io.sectors),
            vector: picker.pick("vector", &file.io.vector),
            requests: picker.pick("requests", &file.io.requests),
            overlap: picker.pick("overlap", &file.io.overlap),
            submitters: picker.pick("submitters", &file.io.submitters),
        };
        let mut faults: Vec<Fault> = Vec::with_capacity(file.fault.len());
        let mut other_faults = Vec::new();
        let mut first_sector = None;
        for (index, fault) in file.fault.iter().enumerate() {
            let given = &fault.value;
            let fault = given;
            let name = |key: &str| numbered(key, index);
            let fault = Fault {
                leg: {
                    let leg = picker.pick(&name("leg"), &fault.leg);
                    let path = picker.pick_any(&name("fault_path"), &fault.path);
                    leg.saturating_mul(paths).saturating_add(path.unwrap_or(0))
                },
                op: match &fault.op {
                    Some(sweep) => picker.pick(&name("fault_op"), sweep),
                    None => io.op,
                },
                sector: match &fault.at {
                    At::Offsets(sweep) => {
                        io.sector + picker.pick(&name("at"), sweep).resolve(io.sectors)
                    }
                    // `every` has been replaced by offsets, and the first fault
                    // is never `same`.
                    At::Every(_) | At::Same(_) => first_sector.unwrap_or(io.sector),
                },
                times: picker.pick(&name("times"), &fault.times),
                errno: picker.pick(&name("errno"), &fault.errno).0,
                report: picker
                    .pick_any(&name("report"), &fault.report)
                    .or((controller == Controller::Target).then(FaultReport::default)),
            };
            first_sector.get_or_insert(fault.sector);
            let (disk, during) = (given.disk(), given.during());
            match given.is_of_io() {
                true => faults.push(fault),
                false => other_faults.push(OtherFault {
                    disk,
                    during,
                    fault,
                }),
            }
        }
        let holds = file.hold.iter().enumerate().map(|(index, hold)| {
            let hold = &hold.value;
            let name = |key: &str| numbered(key, index);
            Hold {
                leg: picker.pick(&name("hold_leg"), &hold.leg),
                sector: io.sector + picker.pick(&name("hold_at"), &hold.at).resolve(io.sectors),
                then: picker.pick(&name("then"), &hold.then),
                meanwhile: picker.pick(&name("meanwhile"), &hold.meanwhile),
                place: picker.pick_or(&name("place"), &hold.place, index as u8),
            }
        });
        let holds = holds.collect();
        let length = (picker
            .pick_any("count", &file.soak.count)
            .map(Length::Count))
        .or(picker
            .pick_any("seconds", &file.soak.seconds)
            .map(Length::Seconds));
        let filesystem = &file.soak.filesystem;
        let filesystem = picker.pick_or("filesystem", filesystem, Filesystem::None);
        let round = picker.pick_or("round", &file.soak.round, 0);
        Case {
            id: picker.id,
            scenario: self.name.clone(),
            question: self.question.clone(),
            tags: self.tags.clone(),
            stack,
            linear,
            legs,
            io,
            faults,
            other_faults,
            holds,
            soak: length.map(|length| Soak {
                length,
                filesystem,
                round,
            }),
            sabotage: file.sabotage.as_ref().map(|sabotage| sabotage.value),
        }
    }
}

/// The key as ids show it, for the table with that index: from the second table
/// on with its number, as in `leg2`.
fn numbered(key: &str, index: usize) -> String {
    match index {
        0 => key.to_owned(),
        _ => format!("{key}{}", index + 1),
    }
}

/// Checks the size of an otherwise valid scenario.
fn check_size(scenario: &Scenario, report: &mut Report) {
    let count = scenario.count();
    let swept = || scenario.axes.iter().filter(|axis| axis.len > 1);
    if count > limits::CASES {
        let factors: Vec<String> = swept().map(|axis| axis.len.to_string()).collect();
        let message = format!("{} cases are too many", factors.join(" x "));
        let problem = report.problem(message);
        for axis in swept() {
            if let Some(span) = axis.span.clone() {
                problem.at(span, format!("{} values of `{}`", axis.len, axis.name));
            }
        }
        problem.help(format!(
            "a file has at most {}: sweep over less at once, or split the question",
            limits::CASES
        ));
    }
    if let Some(id) = scenario.file.id.as_ref().filter(|_| count > 1) {
        report
            .problem(format!("an `id` names one case, and these are {count}"))
            .value(id, "the id of all of them")
            .help("leave `id` out: Halfway names the cases of a sweep itself");
    }
    let longest = swept().map(|axis| axis.name.len() + axis.width + 2);
    if scenario.stem().len() + longest.sum::<usize>() > limits::ID_BYTES {
        report
            .problem("the ids of its cases would be too long for a file name")
            .at(0..0, "all of it")
            .help("sweep over fewer keys at once, or shorten the file's name");
    }
}
