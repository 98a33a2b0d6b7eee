//! A soak over a file system: the programs that work on it, while the stack
//! beneath has its failures.

use super::interruption::Interruption;
use super::soak_actions::{PROLONGED, act, has_met_a_fault};
use super::stack::{self, NAME};
use super::station::Station;
use crate::guest::client::strange;
use halfway_case::observation::Observation;
use halfway_case::observation::soak::{Ran, Seen};
use halfway_case::{Case, Filesystem, Length, Soak};
use halfway_protocol::io::{IoReport, IoState};
use halfway_protocol::message::{ProgramState, Reply, Request};
use halfway_soak::plan::SoakPlan;
use halfway_soak::programs::{self, Call};
use std::time::{Duration, Instant};

/// How long one program may take, beyond the time that one I/O may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Performs the soak of a case whose stack is there.
pub async fn run(
    station: &mut Station,
    case: &Case,
    how: &Soak,
    seed: u64,
    deadline: Duration,
    seen: &mut Observation,
) -> Result<(), Interruption> {
    let since = Instant::now();
    seen.soak = Some(Seen::default());
    // Until it is known that all has come back.
    seen.io = Some(IoState::Quiet { pending: 0 });
    let mut files = Files {
        station,
        case,
        plan: SoakPlan::new(case, seed),
        order: (0..case.legs.count).collect(),
        deadline: deadline + PATIENCE,
        seen,
    };
    let ended = files.all(how, since).await?;
    if ended {
        let report = IoReport {
            ops: Vec::new(),
            micros: since.elapsed().as_micros() as u64,
        };
        files.seen.io = Some(IoState::Done(report));
        files.seen.status = Some(files.station.guest.status(NAME).await?);
    }
    Ok(())
}

struct Files<'a> {
    station: &'a mut Station,
    case: &'a Case,
    plan: SoakPlan,
    /// Of the legs in the mirror's table.
    order: Vec<u8>,
    deadline: Duration,
    seen: &'a mut Observation,
}

impl Files<'_> {
    /// Gives whether nothing is in flight any more.
    async fn all(&mut self, how: &Soak, since: Instant) -> Result<bool, Interruption> {
        let filesystem = how.filesystem;
        let (Some(make), Some(check)) = (programs::make(filesystem), programs::check(filesystem))
        else {
            return Ok(true);
        };
        if !self.program(&make, false).await? {
            return Ok(self.idle());
        }
        self.mount(filesystem).await?;
        let mut round = 0;
        let over = |round: u32, met: bool| match how.length {
            Length::Count(count) => {
                let rounds = programs::rounds(count);
                round >= rounds && (met || round >= rounds.saturating_mul(PROLONGED))
            }
            Length::Seconds(seconds) => {
                round > 0 && since.elapsed() >= Duration::from_secs(seconds.into())
            }
        };
        while !over(round, has_met_a_fault(&self.seen.seen)) {
            round += 1;
            let work = programs::work(self.plan.round(round));
            if !self.program(&work, true).await? {
                return Ok(self.let_go().await);
            }
        }
        let mend = self.plan.mend();
        self.action(&mend).await?;
        self.call(Request::Unmount).await?;
        if !self.program(&check, false).await? {
            return Ok(self.idle());
        }
        self.mount(filesystem).await?;
        let verify = programs::verify(self.plan.round(round));
        let right = self.program(&verify, false).await?;
        self.call(Request::Unmount).await?;
        if let Some(soak) = &mut self.seen.soak {
            soak.ended = right;
        }
        Ok(true)
    }

    /// Whether the last program has ended.
    fn idle(&self) -> bool {
        let ran = self
            .seen
            .soak
            .as_ref()
            .and_then(|soak| soak.programs.last());
        ran.is_some_and(|ran| ran.status.is_some())
    }

    /// After a program failed: the file system is taken away if that can be.
    async fn let_go(&mut self) -> bool {
        self.idle() && self.call(Request::Unmount).await.is_ok()
    }

    async fn mount(&mut self, filesystem: Filesystem) -> Result<(), Interruption> {
        let device = stack::top(self.case).to_owned();
        let filesystem = filesystem.name().to_owned();
        self.call(Request::Mount { device, filesystem }).await
    }

    async fn call(&mut self, request: Request) -> Result<(), Interruption> {
        self.station
            .guest
            .call_within(request, self.deadline)
            .await?;
        Ok(())
    }

    async fn action(&mut self, action: &halfway_soak::Action) -> Result<(), Interruption> {
        if let Some(soak) = &mut self.seen.soak {
            soak.actions.push(action.to_string());
        }
        act(self.station, self.case, &mut self.order, action).await
    }

    /// Runs a program, with failures meanwhile if it is to have some. Gives
    /// whether it ended well.
    async fn program(&mut self, call: &Call, failures: bool) -> Result<bool, Interruption> {
        self.call(Request::Watch { bios: None }).await?;
        if failures {
            for action in self.plan.begin() {
                self.action(&action).await?;
            }
        }
        let since = Instant::now();
        if let Some(soak) = &mut self.seen.soak {
            soak.programs.push(Ran {
                purpose: call.purpose.to_owned(),
                line: call.argv.join(" "),
                status: None,
                output: String::new(),
            });
        }
        self.call(Request::ProgramStart {
            device: stack::top(self.case).to_owned(),
            argv: call.argv.clone(),
            env: call.env.clone(),
        })
        .await?;
        let (mut mended, mut limit) = (false, self.deadline);
        let state = loop {
            let (pause, action) = match failures && !mended {
                true => self.plan.pause(),
                false => (Duration::from_secs(1), None),
            };
            let request = Request::ProgramWait {
                deadline_ms: pause.as_millis() as u64,
            };
            match self.station.guest.call(request).await? {
                Reply::Program(state @ ProgramState::Ended { .. }) => break Some(state),
                Reply::Program(ProgramState::Running) => {}
                other => return Err(strange(other).into()),
            }
            if since.elapsed() > limit {
                if mended || !failures {
                    break None;
                }
                // Nothing fails any more: what still hangs then, hangs.
                let mend = self.plan.mend();
                self.action(&mend).await?;
                limit += self.deadline;
                mended = true;
            } else if let Some(action) = action {
                self.action(&action).await?;
            }
        };
        self.log().await?;
        let Some(ProgramState::Ended { status, output }) = state else {
            return Ok(false);
        };
        let programs = self.seen.soak.as_mut().map(|soak| &mut soak.programs);
        if let Some(ran) = programs.and_then(|programs| programs.last_mut()) {
            ran.status = Some(status);
            ran.output = output;
        }
        Ok(status == 0)
    }

    /// Keeps what the kernel logged; of the trace only the last program's stays.
    async fn log(&mut self) -> Result<(), Interruption> {
        match self.station.guest.call(Request::Collect).await? {
            Reply::Seen(new) => {
                let log = std::mem::take(&mut self.seen.seen.log);
                self.seen.seen = new;
                self.seen.seen.log.splice(0..0, log);
                Ok(())
            }
            other => Err(strange(other).into()),
        }
    }
}
