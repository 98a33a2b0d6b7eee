//! The options of the command line.

use super::exit::{EXIT_CODES, REPRODUCE_EXIT_CODES};
use super::ids::Exclude;
use crate::export::Format;
use crate::runner::plan::Watch;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use regex::Regex;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

/// Fails a block request halfway, inside a real Linux kernel, and checks that
/// device-mapper resubmits it whole.
#[derive(Clone, Debug, Parser)]
#[command(name = "halfway", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// The options that every command has.
    #[command(flatten)]
    pub global: Global,
    /// The command to execute.
    #[command(subcommand)]
    pub command: Command,
}

/// The options that every command has.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Say only what did not pass, and the result
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say every case with its evidence; twice: everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// No colours (also with NO_COLOR set)
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run cases and judge what the kernel does
    Run(Box<RunArgs>),
    /// Run random cases over the whole format, and say by kind what did not pass
    #[command(hide = true)]
    Explore(ExploreArgs),
    /// Find the kernel at which the verdict changes: among packages, or with git in a tree
    Bisect(BisectArgs),
    /// Print the cases
    List(ListArgs),
    /// Print what each case injects and what a correct kernel must do
    Explain(ExplainArgs),
    /// Say what this host can and cannot do
    Doctor(DoctorArgs),
    /// Open a shell in a guest, with the stack built and the fault armed
    Shell(ShellArgs),
    /// Look for the smallest case that fails in the same way, and write it down
    Minimise(MinimiseArgs),
    /// Print the summary of a recorded run
    Show(ShowArgs),
    /// Write recorded runs as JUnit, KTAP, TAP, CSV and other formats
    Report(ReportArgs),
    /// Say whether the kernel got worse: recorded runs against a file of known failures
    Gate(GateArgs),
    /// Say what differs between two recorded runs: verdicts, I/O, times
    Compare(CompareArgs),
    /// Judge recorded cases again
    Judge(JudgeArgs),
    /// Say what a kernel's text reports: its title, function and frames
    Decode(DecodeArgs),
    /// Find a case that fails as a report of a kernel says
    #[command(after_help = REPRODUCE_EXIT_CODES)]
    Reproduce(ReproduceArgs),
    /// Measure which functions of the kernel each scenario reaches
    #[command(hide = true)]
    Reach(ReachArgs),
    /// Print the kernels that are known by name, or fetch them
    Kernels(KernelsArgs),
    /// Break the kernel on purpose, and see whether the catalogue notices
    Controls(ControlsArgs),
    /// Print what each driver leaves in a bio that it failed
    Audit(AuditArgs),
    /// Print the JSON Schema of scenario files
    Schema(SchemaArgs),
    /// Clean up behind a harness that was killed
    #[command(hide = true)]
    Janitor {
        /// The harness's directory.
        directory: PathBuf,
    },
}

/// The options that select cases.
#[derive(Clone, Debug, Default, Args)]
pub struct SelectArgs {
    /// Scenario files, recorded case files, or directories of them
    #[arg(value_name = "PATH", default_value = "scenarios")]
    pub paths: Vec<PathBuf>,
    /// All cases, instead of a well-chosen sample
    #[arg(long, conflicts_with = "sample")]
    pub full: bool,
    /// That many cases, well chosen, or with --filter spread evenly
    #[arg(long, value_name = "N")]
    pub sample: Option<NonZeroU64>,
    /// Only (and all) cases whose id matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub filter: Option<Regex>,
    /// Only scenarios with this tag (may be repeated: with any of them)
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Only (and all) cases whose ids are in this file, one a line, with comments behind
    /// `#`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["full", "sample"])]
    pub list: Option<PathBuf>,
    /// Of the chosen cases, not those whose id matches, or is in the file (may be repeated)
    #[arg(long, value_name = "REGEX|@FILE")]
    pub exclude: Vec<Exclude>,
}

impl SelectArgs {
    /// The paths that are read if none is given.
    pub fn default_paths() -> [PathBuf; 1] {
        ["scenarios".into()]
    }
}

/// The options that select the kernel and how it is executed.
#[derive(Clone, Debug, Default, Args)]
pub struct GuestArgs {
    /// A kernel by name (see `halfway kernels`), by the release of its package
    /// (`halfway kernels packages`), `host`, a vmlinuz or vmlinux, or a kernel build tree
    #[arg(long, value_name = "NAME|RELEASE|host|PATH")]
    pub kernel: Option<String>,
    /// The kernel's modules, where --kernel is a file: the directory that holds
    /// modules.dep
    #[arg(long, value_name = "DIR", requires = "kernel")]
    pub modules: Option<PathBuf>,
    /// Break one of its modules on purpose (see `halfway controls list`), or patch one
    /// with a .cocci file of your own, such as a fix
    #[arg(long, value_name = "NAME|PATH", conflicts_with = "modules")]
    pub control: Option<String>,
    /// How guest code is executed
    #[arg(long, value_enum, default_value_t)]
    pub accel: Accel,
}

impl GuestArgs {
    /// The same options as arguments, so that another command uses the same kernel.
    pub fn to_arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(kernel) = &self.kernel {
            arguments.extend(["--kernel".to_owned(), kernel.clone()]);
        }
        if let Some(modules) = &self.modules {
            let modules = modules.to_string_lossy().into_owned();
            arguments.extend(["--modules".to_owned(), modules]);
        }
        if let Some(control) = &self.control {
            arguments.extend(["--control".to_owned(), control.clone()]);
        }
        if let Some(accel) = self.accel.to_possible_value()
            && self.accel != Accel::Auto
        {
            arguments.extend(["--accel".to_owned(), accel.get_name().to_owned()]);
        }
        arguments
    }
}

/// How guest code is executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// KVM where a trial guest runs with it, else emulation
    #[default]
    Auto,
    /// KVM
    Kvm,
    /// Emulation
    Tcg,
}

/// When the contract watcher looks at every bio and its vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WatchBios {
    /// Never
    #[default]
    Off,
    /// In every case, which takes longer
    On,
    /// When a case that the kernel failed is run again
    Failures,
}

impl WatchBios {
    /// The same option as arguments, like [`GuestArgs::to_arguments`].
    pub fn to_arguments(self) -> Vec<String> {
        match self.to_possible_value() {
            Some(value) if self != WatchBios::Off => {
                vec!["--watch".to_owned(), value.get_name().to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

impl From<WatchBios> for Watch {
    fn from(watch: WatchBios) -> Self {
        match watch {
            WatchBios::Off => Watch::Off,
            WatchBios::On => Watch::On,
            WatchBios::Failures => Watch::Failures,
        }
    }
}

/// How long one I/O may take if the user does not say, in seconds.
pub const TIMEOUT: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// The options of `halfway run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The options that select the cases.
    #[command(flatten)]
    pub select: SelectArgs,
    /// The options that select the kernel and how it is executed.
    #[command(flatten)]
    pub guest: GuestArgs,
    /// Skip cases whose correct result is not known, instead of refusing the whole run:
    /// they are counted, and recorded with the reason
    #[arg(long)]
    pub skip_unknown: bool,
    /// Machines side by side
    #[arg(long, value_name = "N", default_value = "1")]
    pub jobs: NonZeroU32,
    /// Seed of every sector's content [default: random, and said]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Where run records are kept
    #[arg(long, value_name = "DIR", default_value = "results/runs")]
    pub results: PathBuf,
    /// Go on with a recorded run that was interrupted: its path, its name, or
    /// `latest`. Cases, kernel and seed are the record's
    #[arg(
        long,
        value_name = "RUN",
        conflicts_with_all = ["paths", "full", "sample", "filter", "tags", "list", "exclude", "kernel", "control", "accel", "seed", "watch", "skip_unknown"],
    )]
    pub resume: Option<String>,
    /// Run those cases of a recorded run again that failed, crashed or hung, were
    /// inconclusive, or that the host failed: with its kernel, seed, watch and timeout
    #[arg(
        long,
        value_name = "RUN",
        conflicts_with_all = ["paths", "full", "sample", "filter", "tags", "list", "exclude", "kernel", "control", "accel", "seed", "watch", "skip_unknown", "timeout", "resume"],
    )]
    pub failed: Option<String>,
    /// Stop once that many cases have neither passed nor been skipped
    #[arg(long, value_name = "N")]
    pub max_failures: Option<NonZeroU64>,
    /// How long one I/O may take before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT)]
    pub timeout: NonZeroU32,
    /// Check for every bio whether a driver changes its vector
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub watch: WatchBios,
    /// Which cases get files of their own in the record
    #[arg(long, value_enum, default_value_t)]
    pub record: RecordCases,
    /// Also write the run in a format of `halfway report` (may be repeated); `-` is
    /// standard output
    #[arg(long = "report", value_name = "FORMAT=FILE", value_parser = wanted)]
    pub reports: Vec<Wanted>,
    /// Hold the run against a file of known failures (ci/README.md), and exit as
    /// `halfway gate` does
    #[arg(long, value_name = "FILE")]
    pub gate: Option<PathBuf>,
}

impl RunArgs {
    /// A run of cases that were chosen otherwise, which records what did not pass; all
    /// else is as it is if nothing is said.
    pub fn of_chosen(
        guest: GuestArgs,
        jobs: NonZeroU32,
        seed: u64,
        results: PathBuf,
        timeout: NonZeroU32,
    ) -> Self {
        RunArgs {
            select: SelectArgs::default(),
            guest,
            skip_unknown: false,
            jobs,
            seed: Some(seed),
            results,
            resume: None,
            failed: None,
            max_failures: None,
            timeout,
            watch: WatchBios::Off,
            record: RecordCases::Failed,
            reports: Vec::new(),
            gate: None,
        }
    }
}

/// A report that a run is to write when it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its format.
    pub format: Format,
    /// The file to write; `None` for standard output.
    pub file: Option<PathBuf>,
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let Some((format, file)) = text.split_once('=') else {
        return Err("it is a format, `=` and a file, such as junit=out.xml".to_owned());
    };
    let format = Format::from_str(format, false).map_err(|_| {
        let known = Format::value_variants().iter();
        let names: Vec<String> = known
            .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
            .collect();
        format!("no format {format:?}; there are {}", names.join(", "))
    })?;
    match file {
        "" => Err("the file has no name".to_owned()),
        "-" => Ok(Wanted { format, file: None }),
        file => Ok(Wanted {
            format,
            file: Some(file.into()),
        }),
    }
}

/// The options of `halfway explore`.
#[derive(Clone, Debug, Args)]
pub struct ExploreArgs {
    /// How many cases of those that can show something
    #[arg(long, value_name = "N", default_value = "500")]
    pub count: NonZeroU64,
    /// What the cases are drawn from, and every sector's content [default: random, and
    /// said]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The options that select the kernel and how it is executed.
    #[command(flatten)]
    pub guest: GuestArgs,
    /// Machines side by side
    #[arg(long, value_name = "N", default_value = "1")]
    pub jobs: NonZeroU32,
    /// Where run records are kept
    #[arg(long, value_name = "DIR", default_value = "results/runs")]
    pub results: PathBuf,
    /// How long one I/O may take before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    pub timeout: NonZeroU32,
}

/// Which cases get files of their own in the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RecordCases {
    /// Those that neither passed nor were skipped
    #[default]
    Failed,
    /// All
    All,
}

/// The options of `halfway bisect`.
#[derive(Clone, Debug, Args)]
#[command(after_help = BISECT_HELP)]
pub struct BisectArgs {
    /// The options that select the cases.
    #[command(flatten)]
    pub select: SelectArgs,
    /// A kernel that passes: its name, or the release of its package. With --tree a commit
    #[arg(long, value_name = "KERNEL|COMMIT", required_unless_present = "judge")]
    pub good: Option<String>,
    /// A kernel that fails. It may be older than the good one: then the first fixed one is
    /// looked for
    #[arg(long, value_name = "KERNEL|COMMIT", required_unless_present = "judge")]
    pub bad: Option<String>,
    /// Run the cases that many times on each kernel; one failure makes it bad
    #[arg(long, value_name = "N", default_value = "1")]
    pub repeat: NonZeroU32,
    /// The failure that is looked for: its signature or a part of it, such as "crash:" or
    /// "in bio_add_page" (may be repeated) [default: what the bad kernel shows]
    #[arg(long, value_name = "TEXT", conflicts_with = "any_failure")]
    pub failure: Vec<String>,
    /// Every failure counts
    #[arg(long)]
    pub any_failure: bool,
    /// Search the commits of this git tree of Linux, in a worktree of its own
    #[arg(long, value_name = "DIR")]
    pub tree: Option<PathBuf>,
    /// The worktree in which commits are built. It is made if it is not there, and stays,
    /// so that the next build is short [default: below the cache]
    #[arg(long, value_name = "DIR", requires = "tree")]
    pub worktree: Option<PathBuf>,
    /// The shell command that builds a commit [default: make olddefconfig and bzImage, and
    /// modules where the configuration has any]
    #[arg(long, value_name = "COMMAND", requires = "tree")]
    pub build: Option<String>,
    /// Only print the script for `git bisect run`
    #[arg(long, requires = "tree")]
    pub print: bool,
    /// Only say whether one kernel is good (exit code 0) or bad (1), as that script does.
    /// All that --kernel takes is a kernel here
    #[arg(long, value_name = "KERNEL", conflicts_with_all = ["good", "bad", "tree"])]
    pub judge: Option<String>,
    /// How guest code is executed
    #[arg(long, value_enum, default_value_t)]
    pub accel: Accel,
    /// Machines side by side
    #[arg(long, value_name = "N", default_value = "1")]
    pub jobs: NonZeroU32,
    /// Seed of every sector's content
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// Where run records are kept
    #[arg(long, value_name = "DIR", default_value = "results/runs")]
    pub results: PathBuf,
    /// How long one I/O may take before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    pub timeout: NonZeroU32,
}

/// The end of `halfway bisect --help`.
const BISECT_HELP: &str = "\
Both ends are tried first, the bad one before the good one. What fails in the bad
one is looked for in the others. A kernel that cannot be had, whose cases show
nothing, or that fails in another way, is not judged: its nearest neighbour is
tried instead.

Exit codes:
    0  the change is between two kernels that stand side by side
    1  an end is not what it was said to be
    2  usage: a bad option, scenario, kernel or commit
    3  infrastructure, or interrupted
  125  the change is narrowed down only: kernels in between cannot be judged, or
       the verdict changes more than once
With --judge: 0 good, 1 bad, 2 usage, 125 not to be judged, 255 interrupted.";

/// The options of `halfway list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// The options that select the cases.
    #[command(flatten)]
    pub select: SelectArgs,
    /// The cases themselves, a JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// The options of `halfway explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The options that select the cases.
    #[command(flatten)]
    pub select: SelectArgs,
}

/// The options of `halfway doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// The options that select the kernel and how it is executed.
    #[command(flatten)]
    pub guest: GuestArgs,
}

/// The options of `halfway shell`.
#[derive(Clone, Debug, Args)]
pub struct ShellArgs {
    /// A scenario file or a recorded case file; of several cases the first
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The first case whose id matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub filter: Option<Regex>,
    /// The options that select the kernel and how it is executed.
    #[command(flatten)]
    pub guest: GuestArgs,
    /// Seed of every sector's content
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// How long an I/O of `halfway-io` may take before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    pub timeout: NonZeroU32,
}

/// The options of `halfway minimise`.
#[derive(Clone, Debug, Args)]
pub struct MinimiseArgs {
    /// A scenario file with one case, or a recorded case (cases/<id>.json)
    #[arg(value_name = "CASE")]
    pub file: PathBuf,
    /// The one case whose id matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub filter: Option<Regex>,
    /// The options that select the kernel and how it is executed.
    #[command(flatten)]
    pub guest: GuestArgs,
    /// How often the case is run at first, to see how often it fails, and what was
    /// written at last
    #[arg(long, value_name = "N", default_value = "3")]
    pub repeat: NonZeroU32,
    /// End the search after so long, with the smallest case until then
    #[arg(long, value_name = "SECONDS")]
    pub budget: Option<NonZeroU64>,
    /// End the search after so many runs
    #[arg(long, value_name = "N")]
    pub count: Option<NonZeroU64>,
    /// Seed of every sector's content
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// How long one I/O may take before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    pub timeout: NonZeroU32,
    /// The scenario file to write; the recipe (.sh) and the figures (.json) lie beside
    /// it [default: results/runs/minimised/<id>.toml]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The options of `halfway show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// A recorded run: its path, its name, or `latest`
    #[arg(value_name = "RUN", default_value = "latest")]
    pub run: String,
    /// Where run records are kept
    #[arg(long, value_name = "DIR", default_value = "results/runs")]
    pub results: PathBuf,
}

/// The options of `halfway report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Recorded runs: their paths, their names, or `latest`
    #[arg(value_name = "RUN", default_value = "latest")]
    pub runs: Vec<String>,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Format,
    /// The file to write, whole or not at all [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where run records are kept
    #[arg(long, value_name = "DIR", default_value = "results/runs")]
    pub results: PathBuf,
}

/// The options of `halfway gate`.
#[derive(Clone, Debug, Args)]
pub struct GateArgs {
    /// Recorded runs: their paths, their names, or `latest`
    #[arg(value_name = "RUN", default_value = "latest")]
    pub runs: Vec<String>,
    /// The failures that are known (ci/README.md); without it every case must pass
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// An older run (may be repeated): what it judged must have been run again, and of
    /// what got worse is said what it was
    #[arg(long, value_name = "RUN")]
    pub against: Vec<String>,
    /// Red too if an entry of the baseline does not fit: its cases passed or were not
    /// run, or it expired
    #[arg(long, requires = "baseline")]
    pub strict: bool,
    /// Change the baseline so that it fits: new failures are added, what passed is
    /// removed; comments stay
    #[arg(long, requires = "baseline")]
    pub update: bool,
    /// Where run records are kept
    #[arg(long, value_name = "DIR", default_value = "results/runs")]
    pub results: PathBuf,
}

/// The options of `halfway compare`.
#[derive(Clone, Debug, Args)]
pub struct CompareArgs {
    /// A recorded run: its path, its name, or `latest`
    #[arg(value_name = "RUN-A")]
    pub a: String,
    /// Another one
    #[arg(value_name = "RUN-B")]
    pub b: String,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: CompareFormat,
    /// Where run records are kept
    #[arg(long, value_name = "DIR", default_value = "results/runs")]
    pub results: PathBuf,
}

/// A format of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// Lines for a person
    #[default]
    Text,
    /// For an issue or a merge request
    Markdown,
    /// All cases that differ, for scripts
    Json,
}

/// The options of `halfway judge`.
#[derive(Clone, Debug, Args)]
pub struct JudgeArgs {
    /// Recorded cases: cases/<id>.json of a run record
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// The options of `halfway decode`.
#[derive(Clone, Debug, Args)]
pub struct DecodeArgs {
    /// Texts: console logs, mails, bug reports, directories of them, or `-` for
    /// standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub files: Vec<PathBuf>,
    /// A JSON object a line, one for each text
    #[arg(long)]
    pub json: bool,
    /// A vmlinux or a module with debug information, or a directory of them,
    /// such as a build tree: frames then have source lines and inlined functions
    #[arg(long, value_name = "VMLINUX|DIR")]
    pub symbols: Option<PathBuf>,
}

/// The options of `halfway reproduce`.
#[derive(Clone, Debug, Args)]
pub struct ReproduceArgs {
    /// The report: a console log, a mail, a bug report, or `-` for standard input
    #[arg(value_name = "REPORT")]
    pub report: PathBuf,
    /// A kernel to try, as for `halfway run` (may be repeated) [default: the one that is
    /// nearest to the report's]
    #[arg(long = "kernel", value_name = "NAME|host|PATH")]
    pub kernels: Vec<String>,
    /// Break one of the kernel's modules on purpose (see `halfway controls list`)
    #[arg(long, value_name = "NAME|PATH")]
    pub control: Option<String>,
    /// How long cases are run, for all kernels together
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub budget: NonZeroU32,
    /// Scenario files, or directories of them
    #[arg(long = "scenario", value_name = "PATH", default_value = "scenarios")]
    pub scenarios: Vec<PathBuf>,
    /// Say what the report is about and which scenarios can reach it, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Seed of every sector's content
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// How long one I/O may take before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value = "15")]
    pub timeout: NonZeroU32,
    /// How guest code is executed
    #[arg(long, value_enum, default_value_t)]
    pub accel: Accel,
}

/// The options of `halfway reach`.
#[derive(Clone, Debug, Args)]
pub struct ReachArgs {
    /// Scenario files, or directories of them; of others the table keeps what it has
    #[arg(value_name = "PATH", default_value = "scenarios")]
    pub paths: Vec<PathBuf>,
    /// How many cases of each scenario, well chosen
    #[arg(long, value_name = "N", default_value = "2")]
    pub cases: NonZeroUsize,
    /// The table
    #[arg(long, short, value_name = "FILE", default_value = "results/reach.txt")]
    pub output: PathBuf,
    /// The options that select the kernel and how it is executed.
    #[command(flatten)]
    pub guest: GuestArgs,
}

/// The options of `halfway kernels`.
#[derive(Clone, Debug, Args)]
pub struct KernelsArgs {
    /// What to do. Without an action the kernels are listed.
    #[command(subcommand)]
    pub action: Option<KernelsAction>,
}

/// What to do with kernels.
#[derive(Clone, Debug, Subcommand)]
pub enum KernelsAction {
    /// Print the kernels that are known by name
    List,
    /// Print every kernel that the archive's package lists name, the oldest first
    Packages {
        /// The end of the packages' names: `cloud-amd64` has a virtual machine's drivers,
        /// `amd64` every controller
        #[arg(long, value_name = "FLAVOUR", default_value = "cloud-amd64")]
        flavour: String,
    },
    /// Fetch kernels, so that later runs need no network
    Fetch {
        /// Their names, or the releases of packages
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}

/// The options of `halfway controls`.
#[derive(Clone, Debug, Args)]
pub struct ControlsArgs {
    /// What to do. Without an action the controls are listed.
    #[command(subcommand)]
    pub action: Option<ControlsAction>,
}

/// What to do with controls.
#[derive(Clone, Debug, Subcommand)]
pub enum ControlsAction {
    /// Print the controls: modules that are broken on purpose
    List,
    /// Build their modules, so that later runs need no compiler
    Build(ControlsBuildArgs),
    /// Run each against the catalogue until a case catches it
    Run(ControlsRunArgs),
    /// Measure how soon `halfway reproduce` finds each from its console log alone
    Reproduce(ControlsReproduceArgs),
}

/// The options of `halfway controls reproduce`.
#[derive(Clone, Debug, Args)]
pub struct ControlsReproduceArgs {
    /// Their names [default: all that a case of controls.json catches]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// The directory of controls.json, and of the table reproduced.md with its rows
    /// reproduced.json: rows of controls that are not run stay
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub score: PathBuf,
    /// How long the cases of a control are run in each order
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    pub budget: NonZeroU32,
    /// Leave out controls that have a row already
    #[arg(long)]
    pub resume: bool,
    /// How guest code is executed
    #[arg(long, value_enum, default_value_t)]
    pub accel: Accel,
    /// How long one I/O may take before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    pub timeout: NonZeroU32,
}

/// The options of `halfway controls build`.
#[derive(Clone, Debug, Args)]
pub struct ControlsBuildArgs {
    /// Their names [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// A kernel by name (see `halfway kernels`)
    #[arg(long, value_name = "NAME")]
    pub kernel: Option<String>,
}

/// The options of `halfway controls run`.
#[derive(Clone, Debug, Args)]
pub struct ControlsRunArgs {
    /// The controls to build, and the kernel they are built for.
    #[command(flatten)]
    pub build: ControlsBuildArgs,
    /// Scenario files, or directories of them
    #[arg(long = "scenario", value_name = "PATH", default_value = "scenarios")]
    pub scenarios: Vec<PathBuf>,
    /// All cases, instead of a well-chosen sample
    #[arg(long, conflicts_with = "sample")]
    pub full: bool,
    /// That many cases, well chosen
    #[arg(long, value_name = "N")]
    pub sample: Option<NonZeroU64>,
    /// Go on after the first case that catches it, and count them; rebuilt modules
    /// then run all cases of their mutants, not only those that caught one
    #[arg(long)]
    pub all: bool,
    /// How guest code is executed
    #[arg(long, value_enum, default_value_t)]
    pub accel: Accel,
    /// Seed of every sector's content
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// How long one I/O may take before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value = "15")]
    pub timeout: NonZeroU32,
    /// Check for every bio whether a driver changes its vector
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub watch: WatchBios,
    /// Keep the score as controls.md and controls.json in this directory: rows of
    /// controls that are not run stay
    #[arg(long, value_name = "DIR")]
    pub score: Option<PathBuf>,
    /// Where run records are kept, a directory for each control
    #[arg(long, value_name = "DIR", default_value = "results/runs/controls")]
    pub results: PathBuf,
}

/// The options of `halfway audit`.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    /// The options that select the kernel and how it is executed.
    #[command(flatten)]
    pub guest: GuestArgs,
    /// Seed of every sector's content
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// Where audit.md, audit.json and audit.html are written
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
}

/// The options of `halfway schema`.
#[derive(Clone, Debug, Args)]
pub struct SchemaArgs {}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use rstest::rstest;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_names_the_exit_codes() {
        let help = Cli::command().render_help().to_string();
        assert!(help.contains("125"), "{help}");
    }

    #[rstest]
    #[case::two_ways_to_select("run --full --sample 3")]
    #[case::bad_regex("run --filter (")]
    #[case::zero("run --jobs 0")]
    #[case::resumed_with_other_cases("run --resume latest scenarios")]
    #[case::resumed_on_another_kernel("run --resume latest --kernel host")]
    #[case::modules_of_ones_own_and_broken_ones("run --kernel x --modules y --control z")]
    #[case::modules_alone("run --modules /lib")]
    #[case::failed_and_others("run --failed latest --filter x")]
    #[case::failed_and_resumed("run --failed latest --resume latest")]
    #[case::a_list_and_a_sample("run --list x --sample 3")]
    #[case::a_list_of_no_name("run --exclude @")]
    #[case::resumed_and_watched("run --resume latest --watch on")]
    #[case::quiet_and_verbose("run -q -v")]
    #[case::a_report_without_a_file("run --report junit")]
    #[case::a_report_without_a_name("run --report junit=")]
    #[case::a_report_of_no_format("run --report xml=out")]
    fn what_contradicts_itself_is_refused(#[case] line: &str) {
        let words = line.split(' ');
        let result = Cli::try_parse_from(["halfway"].into_iter().chain(words));
        assert_eq!(result.unwrap_err().exit_code(), 2, "{line}");
    }

    #[test]
    fn guest_options_survive_the_way_through_a_record() {
        for line in [
            "halfway run x --kernel /boot/v --modules /m --accel tcg",
            "halfway run x --kernel 6.1 --control c",
        ] {
            survives(line);
        }
    }

    fn survives(line: &str) {
        let guest = |words: &[String]| match Cli::try_parse_from(words).unwrap().command {
            Command::Run(run) => run.guest,
            other => panic!("{other:?}"),
        };
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let first = guest(&words).to_arguments();
        assert_eq!(first, words[3..]);
        let again: Vec<_> = words[..3].iter().chain(&first).cloned().collect();
        assert_eq!(guest(&again).to_arguments(), first);
    }
}
