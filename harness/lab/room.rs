//! What is in a lab: what machines are made of, and the machine that is up.

use super::{GuestUp, LabError, Options};
use crate::guest::Guest;
use crate::provision::{self, Provisions};
use crate::runner::event::Stamped;
use crate::runner::plan::{Kind, PlannedCase, Watch, case_seed, members};
use crate::runner::station::Blueprint;
use crate::runner::{self, Manner, Needs, Plan, Station, StationError, boots, needs, stack};
use halfway_case::Case;
use halfway_case::observation::{Liveness, Member, Observation};
use halfway_case::{Outcome, Verdict};
use halfway_oracle::model;
use halfway_protocol::message::{Reply, Request};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What is in a lab.
pub struct Room {
    options: Options,
    ready: Option<Ready>,
    bench: Option<Bench>,
}

/// What machines are made of, and for which cases.
struct Ready {
    needs: Needs,
    provisions: Provisions,
    /// The disks of a machine of each kind that was announced, so that one machine
    /// serves all of these cases.
    members: Vec<(Kind, Vec<(Member, u64)>)>,
}

/// The functions of the kernel that a case reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Their names, sorted.
    pub functions: Vec<String>,
    /// How many calls did not fit into the ring.
    pub lost: u64,
}

/// A machine that is up, and which cases it can serve.
struct Bench {
    station: Station,
    kind: Kind,
    members: Vec<(Member, u64)>,
}

impl Bench {
    fn serves(&self, case: &Case) -> bool {
        let has = |wanted: &(Member, u64)| {
            let mut members = self.members.iter();
            members.any(|(member, sectors)| *member == wanted.0 && *sectors >= wanted.1)
        };
        self.kind == Kind::of(case) && members([case]).iter().all(has)
    }

    fn guest(&self) -> GuestUp {
        GuestUp {
            release: self.station.hello.release.clone(),
            version: self.station.hello.version.clone(),
            took: self.station.boot_time,
        }
    }
}

impl Room {
    pub fn new(options: Options) -> Self {
        Room {
            options,
            ready: None,
            bench: None,
        }
    }

    /// A room that has all that these cases need.
    pub fn stocked(options: Options, provisions: Provisions, cases: &[Case]) -> Self {
        let mut kinds: Vec<(Kind, Vec<&Case>)> = Vec::new();
        for case in cases {
            let kind = Kind::of(case);
            match kinds.iter_mut().find(|(one, _)| *one == kind) {
                Some((_, of_kind)) => of_kind.push(case),
                None => kinds.push((kind, vec![case])),
            }
        }
        let members = (kinds.into_iter())
            .map(|(kind, cases)| (kind, members(cases)))
            .collect();
        Room {
            options,
            ready: Some(Ready {
                needs: Needs::of(cases),
                provisions,
                members,
            }),
            bench: None,
        }
    }

    /// Makes all ready that these cases need, and keeps what others needed before.
    pub async fn make_ready(&mut self, cases: &[Case]) -> Result<(), LabError> {
        self.ready_for(cases).await.map(drop)
    }

    async fn ready_for(&mut self, cases: &[Case]) -> Result<&Ready, LabError> {
        let mut wanted = Needs::of(cases);
        let ready = match self.ready.take() {
            Some(ready) if ready.needs.cover(&wanted) => ready,
            before => {
                if let Some(before) = before {
                    wanted.join(&before.needs);
                }
                let request = provision::Request {
                    kernel: self.options.kernel.clone(),
                    control: self.options.control.clone(),
                    acceleration: self.options.acceleration,
                    qemu: self.options.qemu.clone(),
                    needs: &wanted,
                    extra: Vec::new(),
                    modprobe: &[],
                    janitor: self.options.janitor.clone(),
                    listen: &self.options.listen,
                };
                let provisions = provision::prepare(request).await?;
                Ready {
                    needs: wanted,
                    provisions,
                    members: Vec::new(),
                }
            }
        };
        Ok(self.ready.insert(ready))
    }

    /// Sees to it that a machine is up that can serve `case`.
    pub async fn boot(&mut self, case: &Case) -> Result<GuestUp, LabError> {
        let bench = self.take(case).await?;
        Ok(self.bench.insert(bench).guest())
    }

    /// The machine that is up, if it can serve `case`, else a new one.
    async fn take(&mut self, case: &Case) -> Result<Bench, LabError> {
        if let Some(bench) = self.bench.take_if(|bench| !bench.serves(case)) {
            bench.station.machine.end().await;
        }
        if let Some(bench) = self.bench.take() {
            return Ok(bench);
        }
        let patience = self.options.patience;
        let ready = self.ready_for(std::slice::from_ref(case)).await?;
        let kind = Kind::of(case);
        let mut announced = ready.members.iter();
        let members = match announced.find(|(one, _)| *one == kind) {
            Some((_, members)) => members.clone(),
            None => members([case]),
        };
        Ok(Bench {
            station: start(&ready.provisions, case, &members, patience).await?,
            kind,
            members,
        })
    }

    /// Runs and judges a case.
    pub async fn run(&mut self, case: &Case) -> Result<(Observation, Verdict), LabError> {
        let ran = self.run_traced(case, None).await?;
        Ok((ran.0, ran.1))
    }

    /// Runs a case and records which functions it reaches, among those of the guest's
    /// modules and those whose names match a filter. `None` instead of functions: the
    /// guest did not live to tell.
    pub async fn reach(
        &mut self,
        case: &Case,
        filters: &[String],
    ) -> Result<(Observation, Verdict, Option<Reached>), LabError> {
        self.run_traced(case, Some(filters)).await
    }

    async fn run_traced(
        &mut self,
        case: &Case,
        filters: Option<&[String]>,
    ) -> Result<(Observation, Verdict, Option<Reached>), LabError> {
        halfway_oracle::fit(case)?;
        let mut bench = self.take(case).await?;
        let lacking = &bench.station.hello.lacking;
        let mut needed = needs::facilities(case).into_iter();
        if let Some(facility) = needed.find(|facility| lacking.contains(facility)) {
            self.bench = Some(bench);
            return Err(LabError::BuiltWithout(facility));
        }
        let profile = case.legs.controller.profile();
        let manner = Manner {
            deadline: profile.deadline(self.options.deadline),
            attempt: 1,
            watched: self.options.watch,
            standing: false,
            due: model::due(case),
        };
        let seed = case_seed(self.options.seed, &case.id);
        if let Some(filters) = filters {
            let filters = filters.to_vec();
            let started = bench.station.guest.call(Request::Reach { filters }).await;
            if let Err(error) = started {
                bench.station.machine.end().await;
                return Err(StationError::Guest(error).into());
            }
        }
        let performed = runner::perform(&mut bench.station, case, seed, manner).await;
        let alive = matches!(&performed, Ok(seen) if seen.liveness == Liveness::Alive);
        let reached = match filters {
            Some(_) if alive => reached(&bench.station.guest).await,
            _ => None,
        };
        let sound = |seen: &Observation| runner::must_end(seen).is_none() && !profile.keeps_reads;
        match &performed {
            Ok(seen) if sound(seen) => self.bench = Some(bench),
            _ => drop(bench.station.machine.end().await),
        }
        let observation = performed?;
        let verdict = halfway_oracle::judge(case, &observation);
        Ok((observation, verdict, reached))
    }

    /// Runs many cases.
    pub async fn run_all(
        &mut self,
        cases: Vec<Case>,
        jobs: usize,
        mut hear: impl FnMut(Stamped),
    ) -> Result<BTreeMap<Outcome, u64>, LabError> {
        self.close().await;
        let provisions = &self.ready_for(&cases).await?.provisions;
        let (boot, images) = (provisions.boot.clone(), provisions.images.clone());
        let (workshop, notes) = (provisions.workshop.clone(), provisions.notes.clone());
        let watch = match self.options.watch {
            true => Watch::On,
            false => Watch::Off,
        };
        let plan = Plan {
            whole: cases.len() as u64,
            cases: cases.into_iter().map(PlannedCase::new).collect(),
            seed: self.options.seed,
            jobs,
            boot,
            images,
            workshop,
            deadline: self.options.deadline,
            patience: self.options.patience,
            watch,
            record_all: false,
            notes,
        };
        let (sender, mut events) = mpsc::unbounded_channel();
        let (_stop, stopped) = watch::channel(false);
        let running = runner::run(plan, sender, stopped);
        let hearing = async {
            while let Some(event) = events.recv().await {
                hear(event);
            }
        };
        let (ran, ()) = tokio::join!(running, hearing);
        Ok(ran?)
    }

    /// Ends the machine that is up.
    pub async fn close(&mut self) {
        if let Some(bench) = self.bench.take() {
            bench.station.machine.end().await;
        }
    }
}

/// What was reached since the recording was started.
async fn reached(guest: &Guest) -> Option<Reached> {
    match guest.call(Request::Reached).await {
        Ok(Reply::Reached(functions, lost)) => Some(Reached { functions, lost }),
        _ => None,
    }
}

/// Starts a machine for `case`.
async fn start(
    provisions: &Provisions,
    case: &Case,
    members: &[(Member, u64)],
    patience: Duration,
) -> Result<Station, LabError> {
    let boot = provisions.images.boot(&provisions.boot, case)?;
    let blueprint = Blueprint {
        boot: &boot,
        fitting: Kind::of(case).fitting,
        members,
        patience,
        spare: stack::spare([case]),
        shell: false,
    };
    Ok(boots::start_quietly(&blueprint, &provisions.workshop).await?)
}
