//! Machines that stop when a disk fails a request (`on_error = "stop"`): the part
//! of whoever mends the disk and lets the machine go on.

use super::interruption::Interruption;
use super::station::Station;
use crate::storage;
use halfway_case::{Case, Fault, OnError, Times};
use tokio::sync::watch;

/// The faults as they are armed: one that stops the machine lasts until it is
/// mended while the machine stands still.
pub fn lasting(case: &Case, mut faults: Vec<Fault>) -> Vec<Fault> {
    if case.legs.on_error == OnError::Stop {
        faults
            .iter_mut()
            .for_each(|fault| fault.times = Times::Always);
    }
    faults
}

/// Whoever looks after a machine from now on.
pub struct Attendant {
    stopped: watch::Receiver<u32>,
}

impl Attendant {
    /// To be made before the I/O is started.
    pub fn of(station: &Station) -> Self {
        let mut stopped = station.machine.qmp().stops();
        stopped.mark_unchanged();
        Attendant { stopped }
    }

    /// Waits for `flow`, and whenever the machine stops meanwhile, counts it, mends
    /// the faults of `case` if that was often enough, and lets the machine go on.
    pub async fn attend<T>(
        mut self,
        station: &mut Station,
        case: &Case,
        count: &mut u32,
        flow: impl Future<Output = Result<T, Interruption>>,
    ) -> Result<T, Interruption> {
        if case.legs.on_error == OnError::Report {
            return flow.await;
        }
        let mut flow = std::pin::pin!(flow);
        loop {
            tokio::select! {
                done = &mut flow => return done,
                stopped = self.stopped.changed() => {
                    if stopped.is_err() {
                        // QEMU is gone, which the guest's silence tells.
                        return flow.await;
                    }
                    *count += 1;
                    let mended = |fault: &Fault| match fault.times {
                        Times::Always => false,
                        Times::Count(times) => times <= *count,
                    };
                    if case.faults.iter().all(mended) {
                        station.arm(&case.legs, &[], &[]).await?;
                    }
                    storage::go_on(station.machine.qmp()).await?;
                }
            }
        }
    }
}
