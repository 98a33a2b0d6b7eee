//! From what a Linux kernel writes about its own failures to reports.
//!
//! Pure: no I/O, nothing in a text is executed or followed, time and size are
//! bounded. First a text is cleaned of what others put around the kernel's
//! lines ([`clean`]). Then a line that begins a complaint opens a report
//! (`form`). The lines that follow it give its stack (`stack`), its facts
//! ([`facts`]) and its title.

pub mod clean;
pub mod facts;
mod form;
#[cfg(test)]
mod forms_tests;
mod pattern;
pub mod samples;
mod stack;
#[cfg(test)]
mod tests;

pub use facts::Facts;
pub use form::Kind;
pub use stack::{Frame, Symbol};

use clean::Line;
use form::{Form, Look, Place};
use regex::Regex;
use serde::Serialize;
use stack::Step;
use std::sync::LazyLock;

/// How many lines of a report are read.
const LINES: usize = 1000;

/// How many lines of a report are quoted.
const EXCERPT: usize = 40;

/// How many reports of a text are kept: a kernel with more of them repeats
/// itself.
const REPORTS: usize = 64;

/// How many frames of a report are kept.
const FRAMES: usize = 64;

/// Within how many lines a herald is followed by its own warning, or a report
/// by its part.
const NEAR: usize = 12;

/// One complaint of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Title, the same in each run, in the form of kernel bots: `general
    /// protection fault in bio_advance`.
    pub title: String,
    /// What kind of complaint it is.
    pub kind: Kind,
    /// The function that the title names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// `file:line` of that function, or of the line that complains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The frames that matter, innermost first.
    pub frames: Vec<Frame>,
    /// Whether the kernel continues after it.
    pub survivable: bool,
    /// Index of the report that this one is the echo of, such as the cause of a
    /// panic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo_of: Option<usize>,
    /// Number of the report's first line in the text, from 1.
    pub line: usize,
    /// What the report says about the machine.
    #[serde(flatten)]
    pub facts: Facts,
    /// The report's first lines, without control characters.
    #[serde(skip)]
    pub excerpt: String,
}

/// What went wrong according to a kernel's text, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The title of the most telling report.
    pub title: String,
    /// The first lines of that report.
    pub excerpt: String,
    /// Whether the kernel continues after all reports, as after a warning.
    pub survivable: bool,
}

/// The most telling crash in `text`, if there is one.
pub fn find(text: &str) -> Option<Crash> {
    find_in(&[text])
}

/// The most telling crash in texts of one kernel, such as its log and its
/// console, if there is one. If several texts have it, the first is quoted. It
/// is survivable only if all reports are: a warning may be followed by the
/// panic that it causes.
pub fn find_in(texts: &[&str]) -> Option<Crash> {
    let reports: Vec<Report> = texts.iter().flat_map(|text| decode(text)).collect();
    let survivable = reports.iter().all(|report| report.survivable);
    let first = reports.into_iter().next()?;
    Some(Crash {
        title: first.title,
        excerpt: first.excerpt,
        survivable,
    })
}

/// A report while its lines are collected.
struct Draft {
    form: &'static Form,
    lines: Vec<Line>,
    /// Index of the line that decides the title.
    head: usize,
    /// Whether something fatal followed, as `Oops` after `BUG`.
    fatal: bool,
    echo_of: Option<usize>,
    /// Whether the report takes no further lines: those after an echo belong to
    /// its cause.
    closed: bool,
}

/// All reports of a text, the most telling first: in the order of the text, but
/// echoes of another report last.
pub fn decode(text: &str) -> Vec<Report> {
    let lines = clean::lines(text);
    let called = lines.iter().any(|line| line.caller.is_some());
    let marked = lines.iter().filter(|line| line.marked).count() * 2 > lines.len();
    let mut drafts: Vec<Draft> = Vec::new();
    for line in lines {
        // Among a kernel's lines, those of a program are no part of a report.
        let foreign = (called && line.caller.is_none()) || (marked && !line.marked);
        let open = drafts.iter().rposition(|draft| draft.hears(&line));
        match form::of(&line.text) {
            Some(form) => match open {
                Some(index) if drafts[index].absorbs(form) => drafts[index].take(line, Some(form)),
                _ if drafts.len() >= REPORTS => {}
                open => {
                    let echo_of = open.filter(|_| form.place == Place::Echo);
                    if let Some(cause) = echo_of {
                        drafts[cause].fatal = true;
                    }
                    drafts.push(Draft {
                        form,
                        echo_of,
                        // It is one line of its own in the middle of another
                        // report.
                        closed: echo_of.is_some()
                            || open.is_some()
                                && form.kind == Kind::Other
                                && form.look == Look::Nowhere,
                        fatal: !form.survivable,
                        head: 0,
                        lines: vec![line],
                    });
                }
            },
            None if foreign => {}
            None => {
                if let Some(index) = open {
                    drafts[index].take(line, None);
                }
            }
        }
    }
    let mut reports: Vec<Report> = drafts.iter().map(Draft::report).collect();
    let weight = |report: &Report| match (report.echo_of, report.kind) {
        // Complaints about what a driver did wrong, mostly survived.
        (None, Kind::Other) if report.survivable => 1,
        (None, _) => 0,
        (Some(_), _) => 2,
    };
    // `echo_of` must point to the new places.
    let mut order: Vec<usize> = (0..reports.len()).collect();
    order.sort_by_key(|index| weight(&reports[*index]));
    let place = |old: usize| order.iter().position(|index| *index == old);
    for report in &mut reports {
        report.echo_of = report.echo_of.and_then(place);
    }
    order.iter().map(|index| reports[*index].clone()).collect()
}

impl Draft {
    /// Whether a line comes from the context that makes this report.
    fn hears(&self, line: &Line) -> bool {
        if self.closed {
            return false;
        }
        let same = line.caller == self.lines[0].caller;
        let asked = matches!(self.form.look, Look::Stall)
            && line
                .caller
                .as_deref()
                .is_some_and(|caller| caller.starts_with('C'));
        (same || asked) && self.lines.len() < LINES
    }

    /// Whether a line that begins another form is one of this report's own
    /// lines.
    fn absorbs(&self, form: &Form) -> bool {
        let near = self.lines.len() - self.head <= NEAR;
        if self.form.place == Place::Herald {
            let told = matches!(form.look, Look::Warned(_) | Look::Trap | Look::Stack(_));
            return near && told && form.place != Place::Echo;
        }
        match form.place {
            Place::Part => near || !form.survivable && self.fatal,
            // Some warnings say only behind their first line what they are
            // about.
            Place::Herald if matches!(self.form.look, Look::Warned(_)) => {
                near && form.kind != Kind::Warning
            }
            // The report of what dies of a warning has the warning's frame in
            // other words.
            Place::Own | Place::Herald | Place::Echo => false,
        }
    }

    fn take(&mut self, line: Line, form: Option<&'static Form>) {
        self.lines.push(line);
        let Some(form) = form else { return };
        self.fatal |= !form.survivable;
        // `BUG: Dentry still in use` says more than its `WARNING`.
        if self.form.place == Place::Herald && form.place != Place::Herald {
            let telling = form.kind != Kind::Warning || form.title != "WARNING";
            if telling || self.form.kind == Kind::Warning {
                self.form = form;
            }
            self.head = self.lines.len() - 1;
        }
    }

    fn report(&self) -> Report {
        let head = &self.lines[self.head].text;
        let captures = self.form.begins.captures(head);
        let group = |names: &[&str]| {
            let captures = captures.as_ref()?;
            let found = names.iter().find_map(|name| captures.name(name))?;
            Some(found.as_str().trim().to_owned()).filter(|text| !text.is_empty())
        };
        let steps = stack::of_lines(
            self.lines[self.head..]
                .iter()
                .map(|line| line.text.as_str()),
        );
        let header = group(&["f"]).map(|name| stack::plain(&name));
        let function = self.function(&steps, header.clone());
        let mut title = self.form.title.to_owned();
        if title.contains("{}") {
            let what = group(&["what", "what2"]).unwrap_or_default();
            title = title.replace("{}", &self.what(&what));
        }
        if let Some(other) = group(&["f2"])
            && let Some(function) = &function
        {
            let mut both = [function.as_str(), other.as_str()];
            both.sort_unstable();
            title = match both[0] == both[1] {
                true => format!("{title} in {}", both[0]),
                false => format!("{title} in {} / {}", both[0], both[1]),
            };
        } else if let Some(function) = &function {
            title = format!("{title} in {function}");
            if self.form.begins.as_str().ends_with("usb_submit_urb") {
                title += "/usb_submit_urb";
            }
        }
        let mut facts = Facts::default();
        for line in &self.lines {
            facts.take(&line.text);
        }
        let frames = frames(&steps);
        let place = group(&["file", "file2"]);
        if function.is_none()
            && let Some(place) = &place
            && matches!(self.form.look, Look::Trap | Look::Warned(_))
        {
            let file = place.split(':').next().unwrap_or_default();
            title = format!("{title} at {file}");
        }
        let of_function = |frame: &&Frame| Some(&frame.function) == function.as_ref();
        let file = place.map(|file| file.trim_end_matches('!').to_owned());
        let file = file.or_else(|| frames.iter().find(of_function)?.file.clone());
        let quoted = self.lines.iter().take(EXCERPT);
        let quoted: Vec<&str> = quoted.map(|line| line.text.as_str()).collect();
        Report {
            title: printable(&title),
            kind: self.form.kind,
            function,
            file,
            frames,
            survivable: !self.fatal,
            echo_of: self.echo_of,
            line: self.lines[0].number,
            facts,
            excerpt: quoted.join("\n"),
        }
    }

    /// What the title says about this complaint in particular, without numbers
    /// that vary.
    fn what(&self, what: &str) -> String {
        static NUMBER: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\b(?:0x)?[0-9a-f]{8,16}\b|[0-9]+").expect("a constant"));
        static OFFSET: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\+0x[0-9a-f]+/0x[0-9a-f]+").expect("a constant"));
        let what = OFFSET.replace_all(what, "");
        let what = NUMBER.replace_all(&what, |found: &regex::Captures<'_>| {
            match found[0].contains(|c: char| c.is_ascii_alphabetic()) {
                true => "ADDR",
                false => "NUM",
            }
        });
        if self.form.kind != Kind::Kasan {
            return what.into_owned();
        }
        let what = match what.as_ref() {
            "double-free or invalid-free" | "double-free" => "invalid-free",
            "out of bounds access" => "out-of-bounds",
            "use after free" => "use-after-free",
            other => other,
        };
        static ACCESS: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^\s*(Read|Write) (?:of size \d+|at addr)").expect("a constant")
        });
        let mut lines = self.lines[self.head..].iter().take(30);
        let access = lines.find_map(|line| ACCESS.captures(&line.text));
        match access {
            Some(access) => format!("{what} {}", &access[1]),
            None => what.to_owned(),
        }
    }

    /// The function that the title names.
    fn function(&self, steps: &[Step], header: Option<String>) -> Option<String> {
        let first = |skip: &[&str], frames: &[Frame]| {
            let names = frames.iter().map(|frame| frame.function.as_str());
            let mut names = names.filter(|name| {
                !stack::is_noise(name) && !skip.iter().any(|skip| name.contains(skip))
            });
            names.next().map(str::to_owned)
        };
        match self.form.look {
            Look::Nowhere => None,
            Look::Header => header,
            Look::HeaderThenStack => {
                let header = header.filter(|name| !stack::is_noise(name));
                header.or_else(|| first(&["kmem_", "slab_", "kfree", "vfree"], &trace(steps)))
            }
            Look::Trap => {
                let here = steps.iter().find_map(|step| match step {
                    Step::Here(frame) => Some(frame.clone()),
                    _ => None,
                });
                let here: Vec<Frame> = here.flatten().into_iter().collect();
                first(&[], &here).or_else(|| first(&[], &trace(steps)))
            }
            Look::Stack(skip) if self.form.kind == Kind::BadPage => first(skip, &plain(steps)),
            Look::Stack(skip) => first(skip, &trace(steps)),
            Look::Warned(skip) => {
                let here = steps.iter().find_map(|step| match step {
                    Step::Here(Some(frame)) => Some(frame.clone()),
                    _ => None,
                });
                let header = header.map(|function| Frame {
                    function,
                    file: None,
                    module: None,
                    inlined: false,
                    symbol: None,
                });
                let mut frames: Vec<Frame> = header.or(here).into_iter().collect();
                frames.extend(trace(steps));
                first(skip, &frames)
            }
            Look::StackThenHeader => first(&["kfence"], &plain(steps)).or(header),
            Look::Overflow => stack::of_stall(&trace(steps)).map(str::to_owned),
            Look::Stall => stack::of_stall(&interrupted(steps, self.form.kind == Kind::SoftLockup))
                .map(str::to_owned),
            Look::Hung => stack::of_hung(&trace(steps)).map(str::to_owned),
            Look::LockAfter(said) => self.lock_after(said),
        }
    }

    /// The function behind `at:` of the lock that was named after these words.
    /// If that function only takes locks for others: the function of the next
    /// lock, or of the stack.
    fn lock_after(&self, said: &str) -> Option<String> {
        static AT: LazyLock<Regex> = LazyLock::new(|| {
            let pattern =
                r"(?:\bat:? +|last function: +|^)(?:\[<[0-9a-f]+>\] *)?(?P<f>{F})(?:\+0x|$)";
            pattern::regex(&pattern.replace("{F}", form::FUNCTION))
        });
        let lines = &self.lines[self.head..];
        let steps: Vec<Step> = (lines.iter())
            .flat_map(|line| stack::steps(&line.text))
            .collect();
        let quiet = |name: &String| !stack::is_noise(name);
        // Of two interrupt contexts, the lock that must be safe comes first.
        let became =
            |line: &Line| line.text.contains("which became") && line.text.contains("-safe at");
        if let Some(became) = lines.iter().position(became) {
            let after = lines[became + 1..].iter();
            let after: Vec<Step> = after.flat_map(|line| stack::steps(&line.text)).collect();
            let names = plain(&after).into_iter().map(|frame| frame.function);
            let mut names = names;
            return names.find(quiet);
        }
        let from = lines.iter().position(|line| line.text.contains(said))?;
        let named = (lines[from..].iter().take(10))
            .filter_map(|line| AT.captures(&line.text))
            .map(|found| stack::plain(&found["f"]))
            .find(quiet);
        named.or_else(|| {
            let names = trace(&steps).into_iter().map(|frame| frame.function);
            names.into_iter().find(quiet)
        })
    }
}

/// The frames of all stacks, without where the processor was.
fn plain(steps: &[Step]) -> Vec<Frame> {
    let frames = steps.iter().filter_map(|step| match step {
        Step::Frame(frame) => Some(frame.clone()),
        _ => None,
    });
    frames.take(LINES).collect()
}

/// The frames of the first stack.
fn trace(steps: &[Step]) -> Vec<Frame> {
    let begins = steps.iter().position(|step| *step == Step::Begins);
    let from = begins.map_or(0, |at| at + 1);
    let frames = steps[from..].iter().filter_map(|step| match step {
        Step::Frame(frame) => Some(frame.clone()),
        _ => None,
    });
    frames.take(LINES).collect()
}

/// The frames of the code that an interrupt interrupted: where the processor
/// was, and what follows.
fn interrupted(steps: &[Step], lockup: bool) -> Vec<Frame> {
    let ticks = |step: &Step| {
        matches!(step, Step::Frame(frame) if frame.function.contains("apic_timer_interrupt")
            || frame.function.contains("el1_irq") || frame.function.contains("el1h_64_irq")
            || frame.function.contains("__irq_svc"))
    };
    let here = |step: &Step| matches!(step, Step::Here(Some(_)));
    let last_tick = steps.iter().position(ticks).map(|first| {
        let more = steps[first..].iter().take(4).rposition(ticks).unwrap_or(0);
        first + more + 1
    });
    // A processor that is locked up reports itself; a stall is reported by a
    // timer tick.
    let from = (steps.iter().position(here))
        .filter(|_| lockup)
        .or(last_tick)
        .or_else(|| steps.iter().position(here))
        .or_else(|| steps.iter().position(|step| *step == Step::Interrupted))
        .unwrap_or(0);
    let frames = steps[from..].iter().filter_map(|step| match step {
        Step::Frame(frame) | Step::Here(Some(frame)) => Some(frame.clone()),
        _ => None,
    });
    frames.take(LINES).collect()
}

/// The frames that matter: neither noise nor the kernel's entry code.
fn frames(steps: &[Step]) -> Vec<Frame> {
    let frames = steps.iter().filter_map(|step| match step {
        Step::Frame(frame) | Step::Here(Some(frame)) => Some(frame.clone()),
        _ => None,
    });
    const ENTRY: &[&str] = &[
        "entry_SYSCALL",
        "ret_from_fork",
        "do_syscall",
        "el0_",
        "el0t_",
        "kthread",
    ];
    let matters = |frame: &Frame| {
        let name = frame.function.as_str();
        !stack::is_noise(name) && !ENTRY.iter().any(|entry| name.starts_with(entry))
    };
    let mut out: Vec<Frame> = frames.filter(matters).take(FRAMES).collect();
    // If there are several stacks, as of allocation and freeing, a function
    // counts in the first.
    let mut seen = std::collections::HashSet::new();
    out.retain(|frame| seen.insert(frame.function.clone()));
    out
}

/// The text as one line, without anything that a terminal would interpret.
fn printable(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_control()).take(200);
    kept.collect::<String>().trim().to_owned()
}
