//! The guest of the tests.

use crate::daemon::{Daemon, PATIENCE, QEMU, SECTORS, SEED};
use halfway::guest;
use halfway::guest::boot::{BootError, Booted};
use halfway::guest::channel::Channel;
use halfway::machine::command::{Boot, MEMORY_MIB, SHELL_PORT};
use halfway::machine::{Accel, AccelChoice, Booting};
use halfway::provision::{self, Needs};
use halfway_builder::{Extra, KernelSpec};
use halfway_case::Controller;
use halfway_protocol::content::{Origin, SECTOR, Span, What};
use halfway_protocol::io::{
    IoOp, IoReport, IoRequest, IoState, Memory, Op, OpReport, Path as Via, Segment,
};
use halfway_protocol::message::{Disk, Reply, Request, Seen, Target as Table};
use halfway_protocol::session::{Frame, Message, Terminal};
use halfway_protocol::trace::{Dev, Kind};
use halfway_scsi::Reports;
use halfway_target::{Entry, HbaConfig, Identity, Policy, Search, Target};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

/// A guest whose legs are on the target. The fields are dropped in order: QEMU ends
/// before the target, and the target before its storage.
pub struct Rig {
    pub guest: Booted,
    pub disks: Vec<Disk>,
    pub target: Target,
    pub journal: Receiver<Entry>,
    pub daemon: Daemon,
    shell: Option<Channel>,
}

impl Rig {
    /// Boots a guest with two independent disks.
    pub async fn mirror() -> Self {
        let daemon = Daemon::start(&[0, 1]).await;
        let legs = (0..2).map(|leg| daemon.config(leg, Identity::new(format!("leg{leg}"))));
        let configs = legs.collect();
        Rig::start(daemon, configs).await
    }

    /// Boots a guest with two paths to one disk.
    pub async fn paths() -> Self {
        let (daemon, configs) = Rig::two_paths().await;
        Rig::start(daemon, configs).await
    }

    pub async fn two_paths() -> (Daemon, Vec<HbaConfig>) {
        let daemon = Daemon::start(&[0, 0]).await;
        let configs = Rig::ports(&daemon);
        (daemon, configs)
    }

    /// The daemon's first two legs, as ports of one logical unit.
    pub fn ports(daemon: &Daemon) -> Vec<HbaConfig> {
        let paths = (0..2).map(|leg| {
            let unit = Identity {
                name: "unit".to_owned(),
                port: leg + 1,
                ports: 2,
                ..Identity::new(format!("leg{leg}"))
            };
            daemon.config(leg, unit)
        });
        paths.collect()
    }

    pub async fn start(daemon: Daemon, configs: Vec<HbaConfig>) -> Self {
        let (target, journal) = Target::start(configs).unwrap();
        Rig::boot(daemon, target, journal, Vec::new(), &[]).await
    }

    /// Boots a guest with these HBAs and additional arguments of QEMU. If `tools` has a
    /// shell, the guest gets a port for it.
    pub async fn boot(
        daemon: Daemon,
        target: Target,
        journal: Receiver<Entry>,
        tools: Vec<Extra>,
        args: &[String],
    ) -> Self {
        let shell = !tools.is_empty();
        let mut disks = Target::shared_memory_args(MEMORY_MIB).to_vec();
        disks.extend(target.qemu_args());
        disks.extend_from_slice(args);
        let boot = boot(tools).await;
        let guest = up(&boot, &disks, shell).await;
        assert_eq!(guest.hello.trouble, Vec::<String>::new());
        let disks = guest.guest.disks().await.unwrap();
        let serials: Vec<_> = disks.iter().map(|disk| disk.serial.as_str()).collect();
        assert_eq!(serials[..2], ["leg0", "leg1"]);
        println!(
            "{} up after {:?}: {disks:?}",
            guest.hello.release, guest.took
        );
        Rig {
            guest,
            disks,
            target,
            journal,
            daemon,
            shell: None,
        }
    }

    pub fn dev(&self, leg: usize) -> Dev {
        self.disks[leg].dev
    }

    pub async fn call(&self, request: Request) -> Reply {
        self.guest.guest.call(request).await.unwrap()
    }

    pub async fn create(&self, kind: &str, params: &str) -> Dev {
        let table = vec![Table {
            start: 0,
            sectors: SECTORS,
            kind: kind.to_owned(),
            params: params.to_owned(),
        }];
        let name = "stack".to_owned();
        match self.call(Request::DmCreate { name, table }).await {
            Reply::Created(dev, _) => dev,
            other => panic!("{other:?}"),
        }
    }

    pub async fn remove(&self) {
        self.call(Request::DmRemove {
            name: "stack".to_owned(),
        })
        .await;
    }

    /// Waits until the paths are in these states, in any order. Returns the output of
    /// `multipath -ll`.
    pub async fn paths_become(&mut self, states: &[&str]) -> String {
        let since = Instant::now();
        loop {
            let (map, _) = self.sh("multipath -ll").await;
            let paths = map.lines().filter(|line| line.contains(" sd"));
            let mut left = states.to_vec();
            let known = paths.clone().all(|path| {
                let at = left.iter().position(|state| path.contains(state));
                at.map(|at| left.remove(at)).is_some()
            });
            if known && left.is_empty() {
                return map;
            }
            assert!(since.elapsed() < PATIENCE, "not {states:?}: {map}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Opens the guest's shell, which then reads a script.
    pub async fn open_shell(&mut self) {
        self.shell = Some(self.session(None).await);
    }

    /// Opens a session with the guest's shell.
    pub async fn session(&mut self, terminal: Option<Terminal>) -> Channel {
        let port = SHELL_PORT.to_owned();
        self.call(Request::Shell { port }).await;
        let mut shell = Channel::new(self.guest.shell.take().unwrap());
        let start = Message::Start { terminal };
        shell.writer.say(start).await.unwrap();
        shell
    }

    /// Runs a command in the guest's shell. Returns its output and its exit status.
    pub async fn sh(&mut self, command: &str) -> (String, i32) {
        let shell = self.shell.as_mut().expect("open_shell was called");
        let line = format!("{{ echo @@B; {command}; }} 2>&1; echo @@E $? @@E\n");
        let line = Frame::Input(line.into_bytes());
        shell.writer.send(&line).await.unwrap();
        let mut text = String::new();
        loop {
            if let Some((_, rest)) = text.split_once("@@B")
                && let [said, status, ..] = rest.split("@@E").collect::<Vec<_>>()[..]
                && rest.matches("@@E").count() == 2
            {
                return (said.to_owned(), status.trim().parse().unwrap());
            }
            let frame = tokio::time::timeout(PATIENCE, shell.reader.next()).await;
            let frame = frame.unwrap_or_else(|_| panic!("{command}: {text}"));
            match frame.unwrap().expect("the guest lives") {
                Frame::Output(bytes) => text += &String::from_utf8_lossy(&bytes),
                Frame::Message(Message::Started { .. }) => {}
                other => panic!("{command}: {text}: {other:?}"),
            }
        }
    }

    /// Does an I/O of 256 KiB at sector 2048 and waits for it, watched by the
    /// tracepoints.
    pub async fn io(&self, device: &str, op: Op, generation: u32) -> Watched {
        self.begin(device, op, generation, 1).await;
        self.finish().await
    }

    /// Starts to watch, and starts such an I/O in this many requests.
    pub async fn begin(&self, device: &str, op: Op, generation: u32, requests: u32) {
        self.journal.try_iter().for_each(drop);
        let sectors = 512 / requests;
        let operation = |number: u32| IoOp {
            sector: 2048 + u64::from(number * sectors),
            segments: vec![Segment {
                page_offset: 0,
                bytes: sectors * SECTOR as u32,
            }],
        };
        let request = IoRequest {
            device: device.to_owned(),
            op,
            path: Via::Direct,
            dsync: false,
            memory: Memory::Scattered,
            ops: (0..requests).map(operation).collect(),
            submitters: 1,
            seed: SEED,
            generation,
        };
        self.call(Request::Watch { bios: None }).await;
        self.call(Request::IoStart(request)).await;
    }

    /// Whether the I/O is still pending after this time.
    pub async fn pends(&self, patience: Duration) -> bool {
        let state = self.guest.guest.io_wait(patience, None).await.unwrap();
        matches!(state, IoState::Pending { .. })
    }

    pub async fn finish(&self) -> Watched {
        let state = self.guest.guest.io_wait(PATIENCE, None).await.unwrap();
        let seen = self.guest.guest.collect().await.unwrap();
        assert_eq!(seen.lost, 0);
        let IoState::Done(report) = state else {
            panic!("{state:?} {seen:?}");
        };
        Watched {
            report,
            seen,
            journal: self.journal.try_iter().collect(),
        }
    }

    /// Asserts that the last write left exactly this many sectors of its generation.
    pub fn assert_torn(&self, generation: u32, sectors: u64) {
        let spans = self.daemon.sectors(0, 2048, 512);
        let is_new = |span: &&Span| match span.what {
            What::Stamp {
                generation: found, ..
            } => found == generation,
            other => panic!("{other:?}"),
        };
        let new: Vec<_> = spans.iter().filter(is_new).collect();
        let whole: u64 = new.iter().map(|span| span.sectors).sum();
        let first = new.first().map_or(0, |span| span.at);
        assert_eq!((first, whole), (0, sectors), "{spans:?}");
    }

    pub fn report(&self, hba: usize, errno: u32, report: &str) {
        self.policy(hba, errno, report, Search::Bisect);
    }

    pub fn policy(&self, hba: usize, errno: u32, report: &str, search: Search) {
        self.target.hbas()[hba].set_policy(Policy {
            reports: Reports::default().with(errno, report.parse().unwrap()),
            search,
            ..Policy::default()
        });
    }
}

/// An I/O, and everything that was seen of it.
pub struct Watched {
    pub report: IoReport,
    seen: Seen,
    pub journal: Vec<Entry>,
}

impl Watched {
    pub fn result(&self) -> &OpReport {
        &self.report.ops[0]
    }

    /// All completions of a disk: first sector, number of sectors, error.
    pub fn completed(&self, dev: Dev) -> Vec<(u64, u64, i32)> {
        let events = self.seen.trace.iter();
        events
            .filter(|event| event.kind == Kind::RqComplete && event.dev == dev)
            .map(|event| (event.sector, event.sectors, event.error))
            .collect()
    }

    /// The target's journal, in words.
    pub fn told(&self) -> String {
        let lines: Vec<_> = self
            .journal
            .iter()
            .map(|entry| format!("  {entry}\n"))
            .collect();
        lines.concat()
    }

    /// Asserts that the buffer holds the whole range as it was on that image.
    pub fn assert_read_from(&self, image: u8) {
        self.assert_read(Origin::Leg(image));
    }

    /// Asserts that all buffers hold their ranges as `origin` wrote them.
    pub fn assert_read(&self, origin: Origin) {
        let mut sector = 2048;
        for op in &self.report.ops {
            let sectors = op
                .result
                .unwrap_or_else(|errno| panic!("{errno}: {}", self.told()))
                / SECTOR as u64;
            let what = What::Stamp {
                origin,
                generation: 0,
                sector,
            };
            assert_eq!(
                op.content,
                [Span {
                    at: 0,
                    sectors,
                    what
                }]
            );
            sector += sectors;
        }
        assert_eq!(sector, 2048 + 512);
    }
}

/// Boots a machine and waits for its guest's hello. A boot that stalls is a fault of the
/// emulated machine, so it is tried once more.
async fn up(boot: &Boot, disks: &[String], shell: bool) -> Booted {
    let mut tries = 0;
    loop {
        tries += 1;
        let directory = tempfile::tempdir().unwrap();
        let booting = Booting::start(boot, directory, disks, shell).await.unwrap();
        match guest::boot(booting, PATIENCE).await {
            Err(BootError::Stalled { .. }) if tries == 1 => println!("the boot stalled"),
            booted => return booted.unwrap(),
        }
    }
}

/// What a guest boots, as for a case whose legs are the target's.
async fn boot(extra: Vec<Extra>) -> Boot {
    /// The cloud flavours do without it.
    const ALUA: &str = "scsi_dh_alua";
    let kernel = match std::env::var("HALFWAY_TEST_KERNEL") {
        Ok(name) => KernelSpec::parse(&name, None).unwrap(),
        Err(_) => KernelSpec::default_kernel(),
    };
    let stacks = ["dm_mirror", "dm_multipath", "dm_round_robin"];
    let needs = Needs {
        controllers: [Controller::Target].into(),
        stacks: stacks
            .into_iter()
            .chain(["dm_service_time", ALUA])
            .collect(),
        ..Needs::default()
    };
    let request = provision::Request {
        kernel,
        control: None,
        acceleration: AccelChoice::Only(Accel::Tcg),
        qemu: QEMU.into(),
        needs: &needs,
        extra,
        modprobe: &[],
        janitor: None,
        listen: &|| Box::new(|stage| println!("{stage}")),
    };
    let ready = provision::prepare(request).await.unwrap();
    let mut lacking = ready.images.lacking.iter();
    let lacks = lacking.find(|(module, _)| **module != ALUA);
    assert!(lacks.is_none(), "{lacks:?}");
    let images = ready.images;
    images.boot_on(&ready.boot, Controller::Target).unwrap()
}

/// Allows one guest at a time: two would share two cores with the other tests.
static GUEST: Mutex<()> = Mutex::new(());

/// Runs a test while no other guest runs.
pub fn run(test: impl Future<Output = ()>) {
    let _alone = GUEST.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}
