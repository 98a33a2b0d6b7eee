//! Measures the speed of a long sweep, and whether it stays the same: time to boot, time
//! to the first verdict, cases per second for each thousand cases, and the memory of
//! harness and QEMU at the start and at the end.
//!
//! ```text
//! cargo bench --bench sweep -- [CASES] [KERNEL]
//! ```
//!
//! It prints figures and tests nothing, because hosts are noisy. Put `taskset -c 0` in
//! front of it to measure on one core.

use halfway::lab::{Event, Stamped};
use halfway::scenario::Scenario;
use halfway::{Lab, Options, Outcome};
use halfway_builder::KernelSpec;
use std::time::{Duration, Instant};

const SCENARIO: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../scenarios/raid1/read-halfway.toml"
);

fn main() {
    // `cargo bench` adds an option of its own.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let count = words
        .first()
        .map_or(2000, |word| word.parse().expect("a number of cases"));
    let kernel = words.get(1).cloned();
    measure(count, kernel);
}

fn measure(count: usize, kernel: Option<String>) {
    let text = std::fs::read_to_string(SCENARIO).expect("the scenario");
    let scenario = Scenario::parse("read-halfway", &text).expect("a scenario");
    let all: Vec<_> = scenario.expand().collect();
    let cases: Vec<_> = (0..count)
        .map(|index| {
            // Each pass over the sweep needs case ids of its own.
            let mut case = all[index % all.len()].clone();
            case.id = format!("{}#{}", case.id, index / all.len());
            case
        })
        .collect();
    let kernel = match kernel {
        None => KernelSpec::default_kernel(),
        Some(name) => KernelSpec::parse(&name, None).expect("a kernel"),
    };
    let lab = Lab::open(Options {
        kernel,
        deadline: Duration::from_secs(30),
        ..Options::default()
    });
    let mut told = TargetReply::new();
    lab.expect("a lab")
        .run_all(cases, 1, |stamped| told.hear(&stamped))
        .expect("the run goes through");
}

/// What is told of a run.
struct TargetReply {
    boot: u64,
    done: u64,
    passed: u64,
    block: Instant,
}

impl TargetReply {
    fn new() -> Self {
        TargetReply {
            boot: 0,
            done: 0,
            passed: 0,
            block: Instant::now(),
        }
    }

    fn hear(&mut self, stamped: &Stamped) {
        const BLOCK: u64 = 1000;
        match &stamped.event {
            Event::MachineStarting { command, .. } => {
                let kvm = command.iter().any(|word| word.contains("kvm"));
                println!("under {}", if kvm { "KVM" } else { "TCG" });
            }
            Event::MachineReady {
                boot_ms, release, ..
            } => {
                println!("kernel {release}");
                self.boot = *boot_ms;
                self.block = Instant::now();
            }
            Event::CaseFinished { verdict, .. } => {
                self.done += 1;
                self.passed += u64::from(verdict.outcome == Outcome::Pass);
                if self.done == 1 {
                    let (first, boot) = (stamped.at_ms, self.boot);
                    let ratio = first as f64 / boot.max(1) as f64;
                    println!("boot {boot} ms; first verdict after {first} ms ({ratio:.2} boots)");
                }
                if self.done.is_multiple_of(BLOCK) {
                    let rate = BLOCK as f64 / self.block.elapsed().as_secs_f64();
                    println!("{:>6} cases: {rate:.1} cases/s; {}", self.done, memory());
                    self.block = Instant::now();
                }
            }
            Event::RunFinished { millis, .. } => {
                let seconds = *millis as f64 / 1000.0;
                println!("{} of {} passed in {seconds:.1} s", self.passed, self.done);
            }
            _ => {}
        }
    }
}

/// The resident memory of this process and of its children.
fn memory() -> String {
    let resident = |pid: &str| -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    let own = resident("self").unwrap_or(0) / 1024;
    let me = std::process::id();
    let children = std::fs::read_to_string(format!("/proc/{me}/task/{me}/children"));
    let children: Vec<String> = children
        .unwrap_or_default()
        .split_ascii_whitespace()
        .filter_map(resident)
        .map(|kib| format!("{} MiB", kib / 1024))
        .collect();
    format!("harness {own} MiB, QEMU {}", children.join(", "))
}
