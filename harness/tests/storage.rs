//! Tests of the disks with a real QEMU. No guest is needed: QEMU reads when it is told
//! to, and its BIOS reads every disk that it might boot from.

use halfway::storage::{ArmError, Qmp, Storage, StorageError};
use halfway_case::observation::{Command, Entry, Layer, Member};
use halfway_case::{Controller, Fault, Io, Legs, OnError, Times, Vector};
use halfway_protocol::content::{Origin, Span, What};
use halfway_protocol::io::{Op, Path};
use qapi::futures::{QapiService, QmpStreamTokio};
use qapi::qmp;
use rstest::rstest;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command as Process};
use tokio::time::timeout;

const QEMU: &str = "qemu-system-x86_64";
const PATIENCE: Duration = Duration::from_secs(60);
const SEED: u64 = 9;
const SECTORS: u64 = 8192;
const MEMBERS: [(Member, u64); 3] = [
    (Member::Leg(0), SECTORS),
    (Member::Leg(1), SECTORS),
    (Member::Log, 64),
];

type Monitor = QapiService<QmpStreamTokio<tokio::io::WriteHalf<UnixStream>>>;

/// A QEMU that is paused at its first instruction, with its disks. The entries of what
/// QEMU read from them at its start are dropped.
struct Machine {
    storage: Storage,
    qmp: Monitor,
    _qemu: Child,
    _dir: TempDir,
}

impl Machine {
    /// Starts QEMU. Its BIOS will boot from the disk `boot`.
    async fn start(boot: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut storage = Storage::new(dir.path(), Controller::VirtioBlk, &MEMBERS).unwrap();
        let socket = dir.path().join("qmp.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut qemu = Process::new(QEMU);
        qemu.args(["-S", "-nodefaults", "-display", "none", "-accel", "tcg"])
            .args(["-M", "q35", "-m", "32", "-sandbox", "on"])
            .arg("-chardev")
            .arg(format!("socket,id=qmp,path={}", socket.display()))
            .args(["-mon", "chardev=qmp,mode=control"])
            .args(storage.qemu_args())
            .args(storage.trace_args())
            .arg("-set")
            .arg(format!("device.{boot}.bootindex=0"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        // SAFETY: prctl is async-signal-safe.
        unsafe {
            qemu.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let qemu = qemu.spawn().expect("QEMU starts");
        let (stream, _) = timeout(PATIENCE, listener.accept())
            .await
            .expect("QEMU opens its monitor")
            .unwrap();
        let (read, write) = tokio::io::split(stream);
        let qmp = QmpStreamTokio::open_split(read, write);
        let qmp = qmp.await.unwrap().negotiate().await.unwrap();
        let (qmp, _) = qmp.spawn_tokio();
        storage.begin(SEED, 1).unwrap();
        Machine {
            storage,
            qmp,
            _qemu: qemu,
            _dir: dir,
        }
    }

    /// Makes QEMU do an I/O as if a guest had asked for it.
    async fn io(&self, member: &str, command: &str) {
        let command_line =
            format!("qemu-io -d /machine/peripheral/{member}/virtio-backend \"{command}\"");
        let command = qmp::human_monitor_command {
            cpu_index: None,
            command_line,
        };
        let answer = timeout(PATIENCE, Qmp::execute(&self.qmp, command)).await;
        assert_eq!(answer.unwrap().unwrap(), "");
    }

    /// What reached the media since the last call, without flushes: QEMU flushes when it
    /// swaps nodes.
    fn reached(&mut self) -> Vec<(Member, Command, u64, u64)> {
        let (entries, _) = self.storage.collect(&legs(), &io()).unwrap();
        assert!(entries.iter().all(|entry| entry.layer == Layer::Medium));
        assert!(entries.iter().all(|entry| entry.result == Some(0)));
        entries
            .iter()
            .filter(|entry| entry.command != Command::Flush)
            .map(|entry| (entry.member, entry.command, entry.sector, entry.sectors))
            .collect()
    }
}

/// Runs a test in a tokio runtime of its own.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

/// The first leg's part of the mirror starts at 100, the second one's at 200.
fn legs() -> Legs {
    Legs {
        controller: Controller::VirtioBlk,
        logical_block_size: 512,
        count: 2,
        sectors: 4096,
        offset: vec![100, 200],
        max_sectors_kb: None,
        max_transfer: None,
        on_error: OnError::Report,
    }
}

fn io() -> Io {
    Io {
        op: Op::Read,
        path: Path::Direct,
        dsync: false,
        sector: 2048,
        sectors: 512,
        vector: Vector::Contiguous,
        requests: 1,
        overlap: 0,
        submitters: 1,
    }
}

fn fault(leg: u8, op: Op, sector: u64, times: Times) -> Fault {
    Fault {
        leg,
        op,
        sector,
        times,
        errno: 5,
        report: None,
    }
}

async fn arm(machine: &mut Machine, faults: Vec<Fault>) {
    let Machine { storage, qmp, .. } = machine;
    storage.arm(qmp, &legs(), &faults, &[]).await.unwrap();
}

#[test]
fn faults_come_and_go_on_a_running_qemu() {
    run(async {
        let mut machine = Machine::start("leg0").await;
        let fault = fault(0, Op::Read, 2200, Times::Always);
        // Sector 2300 of the disk lies within this read of sectors 2148 to 2659.
        let read = "read -q 1099776 256k";
        let reached = [(Member::Leg(0), Command::Read, 2148, 512)];
        let mut spent = Duration::ZERO;
        for _ in 0..50 {
            let start = Instant::now();
            arm(&mut machine, vec![fault.clone()]).await;
            spent += start.elapsed();
            machine.io("leg0", read).await;
            assert_eq!(machine.reached(), []);
            // None of these is failed: another leg, another operation, and a request that
            // ends before the sector.
            machine.io("leg1", "read -q 1177600 512").await;
            machine.io("leg0", "write -q 1177600 512").await;
            machine.io("leg0", "read -q 1177088 512").await;
            assert_eq!(
                machine.reached(),
                [
                    (Member::Leg(1), Command::Read, 2300, 1),
                    (Member::Leg(0), Command::Write, 2300, 1),
                    (Member::Leg(0), Command::Read, 2299, 1),
                ]
            );
            let start = Instant::now();
            arm(&mut machine, Vec::new()).await;
            spent += start.elapsed();
            machine.io("leg0", read).await;
            assert_eq!(machine.reached(), reached);
        }
        println!("a change took {:?}", spent / 100);
    });
}

#[test]
fn a_counted_fault_fires_that_often() {
    run(async {
        let mut machine = Machine::start("leg0").await;
        for times in [1, 3] {
            let fault = fault(1, Op::Write, 0, Times::Count(times));
            for _ in 0..2 {
                arm(&mut machine, vec![fault.clone()]).await;
                for _ in 0..times {
                    machine.io("leg1", "write -q 102400 512").await;
                    assert_eq!(machine.reached(), []);
                }
                machine.io("leg1", "write -q 102400 512").await;
                assert_eq!(
                    machine.reached(),
                    [(Member::Leg(1), Command::Write, 200, 1)]
                );
            }
        }
    });
}

#[test]
fn every_command_reaches_the_medium_as_it_was() {
    run(async {
        let mut machine = Machine::start("leg0").await;
        for command in [
            "write -q -P 7 1100000 1000",
            "write -q -z 1126400 1k",
            "discard -q 1130496 4k",
            "flush",
            "read -q -P 7 1100000 1000",
        ] {
            machine.io("leg0", command).await;
        }
        let (entries, _) = machine.storage.collect(&legs(), &io()).unwrap();
        let seen: Vec<_> = entries
            .iter()
            .filter(|entry| entry.member == Member::Leg(0))
            .map(|entry| (entry.command, entry.sector, entry.sectors))
            .collect();
        assert_eq!(
            seen,
            [
                // The write is not in whole sectors, so QEMU first reads the rest of its
                // first and last sector.
                (Command::Read, 2148, 1),
                (Command::Read, 2150, 1),
                (Command::Write, 2148, 3),
                (Command::WriteZeroes, 2200, 2),
                (Command::Discard, 2208, 8),
                // One flush is blkdebug's own, the other the block layer's for blkdebug's
                // child.
                (Command::Flush, 0, 0),
                (Command::Flush, 0, 0),
                (Command::Read, 2148, 3),
            ]
        );
    });
}

/// The medium shows the range that the case reads, and what was written to it.
#[test]
fn what_was_written_is_found_on_the_medium() {
    run(async {
        let mut machine = Machine::start("leg0").await;
        machine.io("leg0", "write -q -z 1126400 1k").await;
        machine.io("leg0", "write -q -P 7 512 1536").await;
        let (_, media) = machine.storage.collect(&legs(), &io()).unwrap();
        let computed = |leg, sector| What::Stamp {
            origin: Origin::Leg(leg),
            generation: 0,
            sector,
        };
        let leg0 = [
            (0, 52, computed(0, 2148)),
            (52, 2, What::Zero),
            (54, 458, computed(0, 2202)),
        ];
        let span = |(at, sectors, what)| Span { at, sectors, what };
        assert_eq!(media[0].spans, leg0.map(span));
        assert_eq!(media[0].strays, [(1, 3)]);
        assert_eq!(media[1].spans, [(0, 512, computed(1, 2248))].map(span));
        assert_eq!((media[2].member, media[2].spans.len()), (Member::Log, 0));

        machine.storage.begin(SEED, 1).unwrap();
        let (entries, media) = machine.storage.collect(&legs(), &io()).unwrap();
        assert_eq!(entries, []);
        assert_eq!(media[0].spans, [(0, 512, computed(0, 2148))].map(span));
        assert_eq!(media[0].strays, []);
    });
}

/// The boot sector cannot be read, or it can because the fault is on the other leg.
#[rstest]
#[case::fault_met("leg1", Member::Leg(1), -5)]
#[case::fault_elsewhere("leg0", Member::Leg(0), 0)]
fn the_device_journal_names_the_disk_and_the_error(
    #[case] boot: &str,
    #[case] member: Member,
    #[case] result: i32,
) {
    run(async {
        let mut machine = Machine::start(boot).await;
        let faults = [fault(1, Op::Read, 0, Times::Always)];
        let legs = Legs {
            // No sector of a mirror lies at the disk's start otherwise.
            offset: vec![0, 0],
            ..legs()
        };
        let Machine { storage, qmp, .. } = &mut machine;
        storage.identify(qmp).await.unwrap();
        storage.arm(qmp, &legs, &faults, &[]).await.unwrap();
        storage.begin(SEED, 1).unwrap();

        // A stop waits for everything in flight and then flushes (`do_vm_stop` in QEMU's
        // softmmu/cpus.c).
        let mut entries = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while entries.is_empty() {
            assert!(Instant::now() < deadline, "the BIOS reads its disk");
            Qmp::execute(qmp, qmp::cont {}).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            Qmp::execute(qmp, qmp::stop {}).await.unwrap();
            entries = storage.collect(&legs, &io()).unwrap().0;
            entries.retain(|entry| entry.command != Command::Flush);
        }
        let mut expected = vec![Entry {
            order: 0,
            member,
            layer: Layer::Device,
            command: Command::Read,
            sector: 0,
            sectors: 1,
            result: Some(result),
            target_reply: None,
        }];
        if result == 0 {
            expected.push(Entry {
                layer: Layer::Medium,
                ..expected[0]
            });
        }
        assert_eq!(entries, expected);
    });
}

#[test]
fn an_unanswered_monitor_leaves_the_faults_unknown() {
    run(async {
        let mut machine = Machine::start("leg0").await;
        let (legs, faults) = (legs(), [fault(0, Op::Read, 0, Times::Always)]);
        let Machine { storage, qmp, .. } = &mut machine;
        let armed = timeout(Duration::ZERO, storage.arm(qmp, &legs, &faults, &[]));
        armed.await.expect_err("QEMU cannot answer that fast");
        let disarmed = storage.arm(qmp, &legs, &[], &[]).await;
        let error = disarmed.unwrap_err();
        assert!(matches!(
            error,
            StorageError::Arm(ArmError::Unknown {
                member: Member::Leg(0)
            })
        ));
    });
}

#[test]
fn nothing_is_left_behind() {
    run(async {
        let machine = Machine::start("leg0").await;
        let Machine {
            storage, _dir: dir, ..
        } = machine;
        drop(storage);
        let left: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["qmp.sock"]);
    });
}

#[rstest]
#[case::too_long(&"d".repeat(95), "is too long")]
#[case::percent("100%", "has a % in it")]
fn a_directory_that_qemu_cannot_take_is_refused(#[case] name: &str, #[case] why: &str) {
    run(async {
        let path = std::path::Path::new("/tmp").join(name);
        let error = Storage::new(&path, Controller::VirtioBlk, &MEMBERS);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    });
}
