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

use halfway::cli::args::{GuestArgs, SelectArgs};
use halfway::cli::select::Choice;
use halfway::cli::{Context, guest};
use halfway::report::Verbosity;
use halfway::runner::plan::Watch;
use halfway::runner::{self, Event, Plan};
use halfway_case::Outcome;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .expect("an event loop")
        .block_on(measure(count, kernel));
}

async fn measure(count: usize, kernel: Option<String>) {
    let context = Context {
        verbosity: Verbosity::Normal,
        arguments: Vec::new(),
    };
    let arguments = GuestArgs {
        kernel,
        ..GuestArgs::default()
    };
    let select = SelectArgs {
        paths: vec![SCENARIO.into()],
        full: true,
        ..SelectArgs::default()
    };
    let choice = Choice::new(&select).unwrap_or_else(|error| panic!("{:?}", error.report));
    let guest = guest::prepare(&arguments, &context, &choice.needs(), false)
        .await
        .expect("a guest");
    let all: Vec<_> = choice.cases().collect();
    let cases: Vec<_> = (0..count)
        .map(|index| {
            // Each pass over the sweep needs case ids of its own.
            let mut case = all[index % all.len()].clone();
            case.id = format!("{}#{}", case.id, index / all.len());
            case
        })
        .collect();
    println!(
        "kernel {} under {}",
        guest.kernel.release, guest.acceleration.accelerator
    );

    let plan = Plan {
        cases,
        whole: count as u64,
        seed: 1,
        jobs: 1,
        images: guest.images.clone(),
        boot: guest.boot.clone(),
        workshop: guest.workshop.clone(),
        deadline: Duration::from_secs(30),
        patience: Duration::from_secs(30),
        watch: Watch::Off,
        record_all: false,
        notes: Vec::new(),
    };
    let (sender, receiver) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    let tasks = LocalSet::new();
    let running = tasks.run_until(runner::run(plan, sender, stopped));
    let (ran, ()) = tokio::join!(running, tell(receiver));
    ran.expect("the run goes through");
}

async fn tell(mut events: mpsc::UnboundedReceiver<runner::event::Stamped>) {
    const BLOCK: u64 = 1000;
    let mut boot = 0;
    let mut done = 0u64;
    let mut passed = 0u64;
    let mut block = Instant::now();
    while let Some(stamped) = events.recv().await {
        match stamped.event {
            Event::MachineReady { boot_ms, .. } => {
                boot = boot_ms;
                block = Instant::now();
            }
            Event::CaseFinished { verdict, .. } => {
                done += 1;
                passed += u64::from(verdict.outcome == Outcome::Pass);
                if done == 1 {
                    let first = stamped.at_ms;
                    let ratio = first as f64 / boot.max(1) as f64;
                    println!("boot {boot} ms; first verdict after {first} ms ({ratio:.2} boots)");
                }
                if done.is_multiple_of(BLOCK) {
                    let rate = BLOCK as f64 / block.elapsed().as_secs_f64();
                    println!("{done:>6} cases: {rate:.1} cases/s; {}", memory());
                    block = Instant::now();
                }
            }
            Event::RunFinished { millis, .. } => {
                println!(
                    "{passed} of {done} passed in {:.1} s",
                    millis as f64 / 1000.0
                );
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
