//! Cases from Rust: a lab boots the machines that they need, runs them, and judges them.
//!
//! ```no_run
//! use halfway::scenario::Scenario;
//! use halfway::{Lab, Options};
//!
//! let text = "question = \"Does a read come back?\"\n";
//! let scenario = Scenario::parse("mine", text).expect("a scenario");
//! let mut lab = Lab::open(Options::default())?;
//! for case in scenario.expand() {
//!     let (_observation, verdict) = lab.run(&case)?;
//!     println!("{}: {}", case.id, verdict.outcome);
//! }
//! # Ok::<(), halfway::LabError>(())
//! ```
//!
//! * [`Lab`]: the calls, which block.
//! * `room`: what the calls do.
//! * `error`: why a case was not run.

mod error;
pub(crate) mod room;

pub use error::LabError;

use crate::machine::AccelChoice;
use crate::provision::{Listener, qemu_binary, silent};
pub use crate::runner::event::{Details, Event, Stamped};
pub use crate::runner::{Facility, RunError, StationError};
use halfway_builder::KernelSpec;
use halfway_builder::controls::Control;
use halfway_case::Case;
use halfway_case::observation::Observation;
use halfway_case::{Outcome, Verdict};
use room::Room;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::LocalSet;

/// What a lab runs cases on, and how.
pub struct Options {
    /// Which kernel; the catalogue's default one if nothing else is said.
    pub kernel: KernelSpec,
    /// What is broken in it on purpose, if anything is.
    pub control: Option<Control>,
    /// How guest code is executed.
    pub acceleration: AccelChoice,
    /// The QEMU binary.
    pub qemu: PathBuf,
    /// Seed of every sector's content; each case has one of its own, made of this and
    /// its id.
    pub seed: u64,
    /// How long one I/O may take before it counts as hung.
    pub deadline: Duration,
    /// How long a guest may keep the lab waiting for anything else.
    pub patience: Duration,
    /// Whether the contract watcher looks at every bio.
    pub watch: bool,
    /// The `halfway` program, which removes the machines' directories if this process is
    /// killed. Without it they go with a normal end only.
    pub janitor: Option<PathBuf>,
    /// Gives what hears of the fetching of a kernel and the like.
    pub listen: Box<dyn Fn() -> Listener>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            kernel: KernelSpec::default_kernel(),
            control: None,
            acceleration: AccelChoice::Auto,
            qemu: qemu_binary(),
            seed: 1,
            deadline: Duration::from_secs(15),
            patience: Duration::from_secs(30),
            watch: false,
            janitor: None,
            listen: Box::new(silent),
        }
    }
}

/// A guest that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestUp {
    /// `uname -r` of the guest.
    pub release: String,
    /// `uname -v` of the guest.
    pub version: String,
    /// From QEMU's start to the agent's hello.
    pub took: Duration,
}

/// Machines on which cases are run, one at a time, and all that they are made of.
///
/// Its calls block, and need neither a runtime nor a `LocalSet` around them. It stays in
/// its thread: a machine ends with the thread that started it. A machine serves as many
/// cases as it can, and ends with the lab.
pub struct Lab {
    room: Room,
    tasks: LocalSet,
    runtime: Runtime,
}

impl Lab {
    /// Opens a lab. Nothing is fetched and no machine is started yet.
    ///
    /// # Errors
    /// The thread has an event loop already, or none can be had.
    pub fn open(options: Options) -> Result<Self, LabError> {
        apart()?;
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Lab {
            room: Room::new(options),
            tasks: LocalSet::new(),
            runtime: runtime.map_err(LabError::EventLoop)?,
        })
    }

    /// Makes all ready that these cases need, so that nothing is fetched or built
    /// between them.
    ///
    /// # Errors
    /// There is nothing to run cases on.
    pub fn prepare(&mut self, cases: &[Case]) -> Result<(), LabError> {
        apart()?;
        let made_ready = self.room.make_ready(cases);
        self.tasks.block_on(&self.runtime, made_ready)
    }

    /// Sees to it that a machine is up that can serve `case`.
    ///
    /// # Errors
    /// There can be no such machine, or it does not come up.
    pub fn boot(&mut self, case: &Case) -> Result<GuestUp, LabError> {
        apart()?;
        let booted = self.room.boot(case);
        self.tasks.block_on(&self.runtime, booted)
    }

    /// Runs a case, once: what was seen of it, and what the judge says of that. A kernel
    /// that crashed or hangs is a verdict, and no error.
    ///
    /// # Errors
    /// The case cannot be judged, there is no machine for it, or its disks failed.
    pub fn run(&mut self, case: &Case) -> Result<(Observation, Verdict), LabError> {
        apart()?;
        let ran = self.room.run(case);
        self.tasks.block_on(&self.runtime, ran)
    }

    /// Runs cases as `halfway run` does, on `jobs` machines side by side: what showed
    /// nothing is tried twice, and what cannot be run is skipped. `hear` hears all that
    /// happens, verdicts included. Gives how many cases had which outcome.
    ///
    /// # Errors
    /// There is nothing to run cases on, or no machine can be had.
    pub fn run_all(
        &mut self,
        cases: Vec<Case>,
        jobs: usize,
        hear: impl FnMut(Stamped),
    ) -> Result<BTreeMap<Outcome, u64>, LabError> {
        apart()?;
        let ran = self.room.run_all(cases, jobs, hear);
        self.tasks.block_on(&self.runtime, ran)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if apart().is_ok() {
            self.tasks.block_on(&self.runtime, self.room.close());
        }
    }
}

/// An event loop cannot wait for another one.
fn apart() -> Result<(), LabError> {
    match Handle::try_current() {
        Ok(_) => Err(LabError::WithinRuntime),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_is_not_opened_within_an_event_loop() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let opened = runtime.block_on(async { Lab::open(Options::default()).err() });
        assert!(matches!(opened, Some(LabError::WithinRuntime)));
        assert!(Lab::open(Options::default()).is_ok());
    }
}
