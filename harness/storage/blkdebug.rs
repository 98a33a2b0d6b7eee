//! Arms faults by QMP commands.
//!
//! A disk is a chain of three QEMU block nodes: `leg0` (raw, used by the device model),
//! `leg0-debug-K` (blkdebug, K counts up) and `leg0-medium` (an NBD client of the
//! harness). blkdebug cannot change its rules. So to arm a fault, a new blkdebug node is
//! made over the same medium, put beneath the raw node, and the old node is deleted.
//! it beneath the raw node, and deletes the old one.

use super::serial;
use halfway_case::observation::{Command, Entry, Member};
use halfway_case::{Fault, Legs, Times};
use halfway_protocol::io::Op;
use qapi::qmp::{
    BlkdebugEvent, BlkdebugIOType, BlkdebugInjectErrorOptions, BlockdevDiscardOptions,
    BlockdevOptions, BlockdevOptionsBase, BlockdevOptionsBlkdebug, BlockdevOptionsGenericFormat,
    BlockdevOptionsNbd, BlockdevOptionsRaw, BlockdevRef, QmpCommand, SocketAddress,
    UnixSocketAddress, blockdev_add, blockdev_del, blockdev_reopen,
};
use qapi::{ExecuteError, ExecuteResult};
use std::future::Future;

/// Something that executes QMP commands, such as QEMU's monitor.
pub trait Qmp {
    /// Sends a command and waits for its answer.
    fn execute<C: QmpCommand>(&self, command: C) -> impl Future<Output = ExecuteResult<C>>;
}

impl<S> Qmp for qapi::futures::QapiService<qapi::futures::QmpStreamTokio<S>>
where
    S: tokio::io::AsyncWrite + Unpin,
{
    async fn execute<C: QmpCommand>(&self, command: C) -> ExecuteResult<C> {
        qapi::futures::QapiService::execute(self, command).await
    }
}

/// The largest number of times that a fault can fire before it stops. Each time is a rule
/// of its own in QEMU.
pub const MAX_TIMES: u32 = 1024;

/// Why blkdebug cannot play a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The stack has no leg with this number.
    #[error("a fault is on leg {0}, which there is not")]
    NoSuchLeg(u8),
    /// This sector of the dm device lies beyond what blkdebug can address on the leg.
    #[error("a fault at sector {0} is beyond what QEMU can address")]
    Sector(u64),
    /// The fault is to fire this many times: none, or more than [`MAX_TIMES`].
    #[error("a fault can fire from 1 to {MAX_TIMES} times, not {0}")]
    Times(u32),
    /// This leg has more kinds of failures than there are errnos to tell them apart.
    #[error("leg {0} is to report failures in more ways than there are errnos that carry them")]
    Reports(u8),
    /// This number is not an errno.
    #[error("{0} is not an errno that a fault can answer with (1 to 4095)")]
    Errno(i32),
}

/// A fault on its disk, as blkdebug gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The kind of request that fails.
    pub op: Op,
    /// A sector of the disk. Requests that cover it fail.
    pub sector: i64,
    /// How many times the fault fires.
    pub times: Times,
    /// The errno (positive) that the request fails with.
    pub errno: i32,
}

/// How a disk behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// The faults, in the order in which blkdebug gets them.
    pub rules: Vec<Rule>,
    /// How many sectors the disk moves at a time. `None` means a whole request.
    pub max_transfer: Option<u32>,
}

impl Behaviour {
    /// Whether the behaviour stays the same whatever is done with the disk. It does not
    /// if a fault stops after some times.
    fn lasts(&self) -> bool {
        self.rules.iter().all(|rule| rule.times == Times::Always)
    }
}

/// The rules that `faults` put on leg `leg`, in the same order. If several would fire,
/// blkdebug takes the last.
///
/// The sector of a fault is one of the dm device. On the disk it lies [`Legs::offset`]
/// sectors further on.
pub fn rules(legs: &Legs, faults: &[Fault], leg: u8) -> Result<Vec<Rule>, FaultError> {
    faults
        .iter()
        .filter(|fault| fault.leg == leg && plays(fault))
        .map(|fault| {
            Ok(Rule {
                op: fault.op,
                sector: place(legs, fault)? as i64,
                times: fault.times,
                errno: fault.errno,
            })
        })
        .collect()
}

/// The rules that `faults` put on the mirror's log. Every read or write of the log covers
/// its first sector.
pub fn rules_of_log(faults: &[Fault]) -> Result<Vec<Rule>, FaultError> {
    let rules = faults.iter().filter(|fault| plays(fault)).map(|fault| {
        playable(fault)?;
        Ok(Rule {
            op: fault.op,
            sector: 0,
            times: fault.times,
            errno: fault.errno,
        })
    });
    rules.collect()
}

/// Whether blkdebug plays a fault. Flushes, discards and write-zeroes are failed by the
/// media themselves, for two reasons. QEMU does not trace these commands, so only the
/// media journal shows them. And QEMU flushes a node before it replaces it
/// (`bdrv_reopen_prepare` in block.c), so a node that fails every flush could not be
/// replaced.
pub fn plays(fault: &Fault) -> bool {
    matches!(fault.op, Op::Read | Op::Write)
}

/// The sector of its disk at which a fault lies.
pub fn place(legs: &Legs, fault: &Fault) -> Result<u64, FaultError> {
    let sector = sector_on(legs, fault.leg, fault.sector)?;
    playable(fault)?;
    Ok(sector)
}

/// The sector of a leg's disk that a sector of the dm device is mapped to. blkdebug
/// counts in bytes, with 63 bits.
pub fn sector_on(legs: &Legs, leg: u8, sector: u64) -> Result<u64, FaultError> {
    let offset = legs.offset.get(usize::from(leg));
    let offset = offset.ok_or(FaultError::NoSuchLeg(leg))?;
    let moved = sector.checked_add(*offset);
    moved
        .filter(|sector| *sector <= i64::MAX as u64 / 512)
        .ok_or(FaultError::Sector(sector))
}

fn playable(fault: &Fault) -> Result<(), FaultError> {
    if let Times::Count(times) = fault.times
        && !(1..=MAX_TIMES).contains(&times)
    {
        return Err(FaultError::Times(times));
    }
    if !(1..=4095).contains(&fault.errno) {
        return Err(FaultError::Errno(fault.errno));
    }
    Ok(())
}

/// The nodes of a disk when QEMU starts, from bottom to top, as the JSON that `-blockdev`
/// takes. `socket` is the path of the NBD server's socket.
pub fn initial_nodes(member: Member, socket: &str) -> [BlockdevOptions; 3] {
    [
        BlockdevOptions::nbd {
            base: base(medium_node(member)),
            nbd: BlockdevOptionsNbd {
                server: SocketAddress::unix(UnixSocketAddress {
                    path: socket.to_owned(),
                    abstract_: None,
                    tight: None,
                }),
                export: Some(serial(member)),
                open_timeout: None,
                reconnect_delay: None,
                tls_creds: None,
                tls_hostname: None,
                x_dirty_bitmap: None,
            },
        },
        debug_options(member, 0, &Behaviour::default()),
        raw_options(member, 0),
    ]
}

/// The commands that replace a disk's blkdebug node `generation` by the next one, which
/// has this behaviour. They must be executed in this order.
pub fn swap(
    member: Member,
    generation: u64,
    behaviour: &Behaviour,
) -> (blockdev_add, blockdev_reopen, blockdev_del) {
    (
        blockdev_add(debug_options(member, generation + 1, behaviour)),
        blockdev_reopen {
            options: vec![raw_options(member, generation + 1)],
        },
        blockdev_del {
            node_name: debug_node(member, generation),
        },
    )
}

/// The faults that are armed on one disk of a QEMU.
#[derive(Debug)]
pub struct Arming {
    member: Member,
    generation: u64,
    /// `None` after a command has failed or was cancelled: the state is then unknown.
    armed: Option<Behaviour>,
}

/// Why a disk's faults could not be changed. After this they are unknown.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// QEMU refused a command or did not answer.
    #[error("QEMU did not change the faults of {member}")]
    Qmp {
        /// The disk whose faults were to change.
        member: Member,
        /// The error of the monitor.
        #[source]
        source: ExecuteError,
    },
    /// An earlier change failed.
    #[error(
        "the faults of {member} are unknown since an earlier change of them failed: end this machine"
    )]
    Unknown {
        /// The disk whose faults were to change.
        member: Member,
    },
}

impl Arming {
    /// The state of the disk after [`initial_nodes`]: no faults.
    pub fn new(member: Member) -> Self {
        Arming {
            member,
            generation: 0,
            armed: Some(Behaviour::default()),
        }
    }

    /// The disk that this is about.
    pub fn member(&self) -> Member {
        self.member
    }

    /// What the armed faults answer, from the time on at which they were armed.
    pub fn refusals(&self) -> Refusals {
        Refusals {
            member: self.member,
            left: self.armed.clone().unwrap_or_default(),
        }
    }

    /// Makes the disk behave so. Does nothing if it already does, and no fault stops
    /// after some times.
    ///
    /// If this fails, or if its future is dropped before it is done, the state is unknown
    /// and every further call fails.
    pub async fn arm(&mut self, qmp: &impl Qmp, behaviour: Behaviour) -> Result<(), ArmError> {
        let member = self.member;
        let armed = self.armed.as_ref().ok_or(ArmError::Unknown { member })?;
        if behaviour.lasts() && *armed == behaviour {
            return Ok(());
        }
        self.armed = None;
        let (add, reopen, del) = swap(member, self.generation, &behaviour);
        let failed = |source| ArmError::Qmp { member, source };
        qmp.execute(add).await.map_err(failed)?;
        qmp.execute(reopen).await.map_err(failed)?;
        qmp.execute(del).await.map_err(failed)?;
        self.generation += 1;
        self.armed = Some(behaviour);
        Ok(())
    }
}

/// What a disk's faults answer to requests that they refused, one after the other.
#[derive(Debug)]
pub struct Refusals {
    member: Member,
    /// What has not worn off.
    left: Behaviour,
}

impl Refusals {
    /// Which disk.
    pub fn member(&self) -> Member {
        self.member
    }

    /// The result of the next request that was refused: the first fault decides that a
    /// piece of it meets, of its pieces the first that meets one
    /// (`bdrv_aligned_preadv` in QEMU's block/io.c). `None` where none does.
    pub fn of(&mut self, entry: &Entry) -> Option<i32> {
        let moved = u64::from(self.left.max_transfer.unwrap_or(u32::MAX)).max(1);
        let piece = |rule: &Rule| {
            let sector = u64::try_from(rule.sector).ok()?;
            let step = sector.checked_sub(entry.sector)?;
            let meets = Command::from(rule.op) == entry.command && step < entry.sectors;
            (meets && rule.times != Times::Count(0)).then_some(step / moved)
        };
        let rules = self.left.rules.iter_mut();
        let met = rules.filter_map(|rule| Some((piece(rule)?, rule)));
        let (_, rule) = met.min_by_key(|(piece, _)| *piece)?;
        if let Times::Count(left) = &mut rule.times {
            *left -= 1;
        }
        Some(-rule.errno)
    }
}

fn medium_node(member: Member) -> String {
    format!("{}-medium", serial(member))
}

fn debug_node(member: Member, generation: u64) -> String {
    format!("{}-debug-{generation}", serial(member))
}

/// The options that all nodes share. QEMU ignores discards unless told otherwise.
fn base(node_name: String) -> BlockdevOptionsBase {
    BlockdevOptionsBase {
        auto_read_only: None,
        cache: None,
        detect_zeroes: None,
        discard: Some(BlockdevDiscardOptions::unmap),
        force_share: None,
        node_name: Some(node_name),
        read_only: None,
    }
}

fn raw_options(member: Member, generation: u64) -> BlockdevOptions {
    BlockdevOptions::raw {
        base: base(serial(member)),
        raw: BlockdevOptionsRaw {
            base: BlockdevOptionsGenericFormat {
                file: BlockdevRef::reference(debug_node(member, generation)),
            },
            offset: None,
            size: None,
        },
    }
}

fn debug_options(member: Member, generation: u64, behaviour: &Behaviour) -> BlockdevOptions {
    let inject: Vec<_> = behaviour.rules.iter().flat_map(inject_error).collect();
    BlockdevOptions::blkdebug {
        base: base(debug_node(member, generation)),
        blkdebug: BlockdevOptionsBlkdebug {
            align: None,
            config: None,
            // QEMU refuses an empty list.
            inject_error: (!inject.is_empty()).then_some(inject),
            max_discard: None,
            max_transfer: behaviour
                .max_transfer
                .and_then(|sectors| i32::try_from(u64::from(sectors) * 512).ok()),
            max_write_zero: None,
            opt_discard: None,
            opt_write_zero: None,
            set_state: None,
            take_child_perms: None,
            unshare_child_perms: None,
            image: BlockdevRef::reference(medium_node(member)),
        },
    }
}

/// The blkdebug rules of a fault. A fault that stops after some times is that many rules,
/// each of which fires once.
fn inject_error(rule: &Rule) -> impl Iterator<Item = BlkdebugInjectErrorOptions> {
    let (times, once) = match rule.times {
        Times::Always => (1, false),
        Times::Count(times) => (times as usize, true),
    };
    std::iter::repeat_n(
        BlkdebugInjectErrorOptions {
            errno: Some(rule.errno.into()),
            immediately: None,
            iotype: Some(match rule.op {
                Op::Read => BlkdebugIOType::read,
                Op::Write => BlkdebugIOType::write,
                Op::Flush => BlkdebugIOType::flush,
                Op::Discard => BlkdebugIOType::discard,
                Op::WriteZeroes => BlkdebugIOType::write_zeroes,
            }),
            once: Some(once),
            sector: Some(rule.sector),
            state: None,
            event: BlkdebugEvent::none,
        },
        times,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::{Controller, OnError};
    use rstest::rstest;
    use serde_json::Value;
    use std::cell::RefCell;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

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

    fn fault(leg: u8) -> Fault {
        Fault {
            leg,
            op: Op::Read,
            sector: 2300,
            times: Times::Always,
            errno: 5,
            report: None,
        }
    }

    fn rule(times: Times) -> Rule {
        Rule {
            op: Op::Write,
            sector: 2300,
            times,
            errno: 28,
        }
    }

    fn faults(rules: Vec<Rule>) -> Behaviour {
        Behaviour {
            rules,
            max_transfer: None,
        }
    }

    /// A monitor that keeps what it was told, and fails every command after a certain
    /// one.
    struct Monitor {
        told: RefCell<Vec<(&'static str, Value)>>,
        fails_at: usize,
    }

    impl Monitor {
        fn new(fails_at: usize) -> Self {
            Monitor {
                told: RefCell::default(),
                fails_at,
            }
        }

        fn names(&self) -> Vec<&'static str> {
            self.told.borrow().iter().map(|(name, _)| *name).collect()
        }
    }

    impl Qmp for Monitor {
        async fn execute<C: QmpCommand>(&self, command: C) -> ExecuteResult<C> {
            let mut told = self.told.borrow_mut();
            told.push((C::NAME, serde_json::to_value(command).unwrap()));
            if told.len() > self.fails_at {
                return Err(std::io::Error::other("no").into());
            }
            Ok(serde_json::from_str("{}").unwrap())
        }
    }

    /// Runs a future that never waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn nodes_as_qemu_starts() {
        insta::assert_json_snapshot!(initial_nodes(Member::Log, "/run/nbd.sock"));
    }

    #[test]
    fn commands_of_a_swap() {
        let qmp = Monitor::new(9);
        let mut arming = Arming::new(Member::Leg(1));
        let rules = vec![
            rule(Times::Count(2)),
            Rule {
                op: Op::Read,
                errno: 5,
                ..rule(Times::Always)
            },
        ];
        now(arming.arm(&qmp, faults(rules))).unwrap();
        insta::assert_json_snapshot!(*qmp.told.borrow());
    }

    /// A request of 16 sectors from 2296, on a disk that moves so many at a time: its
    /// answers, until the faults have worn off.
    #[rstest]
    #[case::in_the_list(None, &[(2303, 0, 12), (2297, 0, 5)], &[12, 12])]
    #[case::worn_off(None, &[(2303, 2, 12), (2297, 1, 5)], &[12, 12, 5])]
    #[case::before_one_that_lasts(None, &[(2303, 1, 12), (2297, 0, 5)], &[12, 5])]
    #[case::first_piece(Some(4), &[(2303, 0, 12), (2297, 0, 5)], &[5, 5])]
    #[case::in_one_piece(Some(8), &[(2303, 0, 12), (2297, 0, 5)], &[12, 12])]
    #[case::elsewhere(None, &[(2295, 0, 12), (2312, 0, 12), (2311, 0, 5)], &[5])]
    fn the_first_fault_that_is_met_answers(
        #[case] max_transfer: Option<u32>,
        #[case] faults: &[(i64, u32, i32)],
        #[case] answers: &[i32],
    ) {
        let rules = faults.iter().map(|&(sector, times, errno)| Rule {
            op: Op::Write,
            sector,
            times: match times {
                0 => Times::Always,
                times => Times::Count(times),
            },
            errno,
        });
        let lasts = faults.iter().any(|(_, times, _)| *times == 0);
        let mut arming = Arming::new(Member::Leg(0));
        let behaviour = Behaviour {
            rules: rules.collect(),
            max_transfer,
        };
        now(arming.arm(&Monitor::new(9), behaviour)).unwrap();
        let mut refusals = arming.refusals();
        let entry = Entry {
            order: 0,
            member: Member::Leg(0),
            layer: halfway_case::observation::Layer::Device,
            command: Command::Write,
            sector: 2296,
            sectors: 16,
            result: None,
            target_reply: None,
        };
        let found: Vec<_> = answers.iter().map(|_| refusals.of(&entry)).collect();
        let expected: Vec<_> = answers.iter().map(|errno| Some(-errno)).collect();
        assert_eq!(found, expected);
        assert_eq!(refusals.of(&entry).is_some(), lasts);
        let read = Entry {
            command: Command::Read,
            ..entry
        };
        assert_eq!(refusals.of(&read), None);
    }

    #[test]
    fn a_fault_lies_where_the_mirror_does() {
        let faults = [
            fault(1),
            fault(0),
            Fault {
                sector: 0,
                times: Times::Count(3),
                ..fault(1)
            },
        ];
        let found: Vec<_> = rules(&legs(), &faults, 1)
            .unwrap()
            .into_iter()
            .map(|rule| (rule.sector, rule.times))
            .collect();
        assert_eq!(found, [(2500, Times::Always), (200, Times::Count(3))]);
    }

    #[rstest]
    #[case::leg(fault(2), FaultError::NoSuchLeg(2))]
    #[case::never(
        Fault { times: Times::Count(0), ..fault(0) },
        FaultError::Times(0)
    )]
    #[case::too_often(
        Fault { times: Times::Count(1025), ..fault(0) },
        FaultError::Times(1025)
    )]
    #[case::no_error(Fault { errno: 0, ..fault(0) }, FaultError::Errno(0))]
    #[case::negative(Fault { errno: -5, ..fault(0) }, FaultError::Errno(-5))]
    #[case::overflow(
        Fault { sector: u64::MAX, ..fault(0) },
        FaultError::Sector(u64::MAX)
    )]
    #[case::beyond_bytes(
        Fault { sector: 1 << 55, ..fault(0) },
        FaultError::Sector(1 << 55)
    )]
    fn what_blkdebug_cannot_play_is_refused(#[case] fault: Fault, #[case] error: FaultError) {
        let leg = fault.leg;
        assert_eq!(rules(&legs(), &[fault], leg), Err(error));
    }

    #[rstest]
    #[case::nothing(vec![], vec![], 0)]
    #[case::lasting(vec![rule(Times::Always)], vec![rule(Times::Always)], 3)]
    #[case::worn_off(vec![rule(Times::Count(1))], vec![rule(Times::Count(1))], 6)]
    #[case::taken_away(vec![rule(Times::Always)], vec![], 6)]
    fn what_is_armed_already_is_left_alone(
        #[case] first: Vec<Rule>,
        #[case] second: Vec<Rule>,
        #[case] commands: usize,
    ) {
        let qmp = Monitor::new(9);
        let mut arming = Arming::new(Member::Leg(0));
        now(arming.arm(&qmp, faults(first))).unwrap();
        now(arming.arm(&qmp, faults(second))).unwrap();
        assert_eq!(qmp.names().len(), commands);
    }

    #[test]
    fn a_disk_that_moves_little_at_a_time_is_another_one() {
        let qmp = Monitor::new(9);
        let mut arming = Arming::new(Member::Leg(0));
        let slow = Behaviour {
            max_transfer: Some(8),
            ..Behaviour::default()
        };
        now(arming.arm(&qmp, slow.clone())).unwrap();
        now(arming.arm(&qmp, slow)).unwrap();
        assert_eq!(qmp.names().len(), 3);
        assert_eq!(qmp.told.borrow()[0].1["max-transfer"], 4096);
    }

    #[rstest]
    #[case::add(0)]
    #[case::reopen(1)]
    #[case::del(2)]
    fn after_a_failure_nothing_more_is_tried(#[case] fails_at: usize) {
        let qmp = Monitor::new(fails_at);
        let mut arming = Arming::new(Member::Leg(0));
        let armed = now(arming.arm(&qmp, faults(vec![rule(Times::Always)])));
        assert!(matches!(armed, Err(ArmError::Qmp { .. })));
        let told = ["blockdev-add", "blockdev-reopen", "blockdev-del"];
        assert_eq!(qmp.names(), told[..=fails_at]);
        let again = now(arming.arm(&qmp, Behaviour::default()));
        assert!(matches!(again, Err(ArmError::Unknown { .. })));
        assert_eq!(qmp.names().len(), fails_at + 1);
    }

    #[test]
    fn each_swap_has_a_node_of_its_own() {
        let qmp = Monitor::new(9);
        let mut arming = Arming::new(Member::Leg(0));
        now(arming.arm(&qmp, faults(vec![rule(Times::Always)]))).unwrap();
        now(arming.arm(&qmp, Behaviour::default())).unwrap();
        let told = qmp.told.borrow();
        let node = |index: usize| told[index].1["node-name"].clone();
        assert_eq!(
            [node(0), node(2), node(3), node(5)],
            [
                "leg0-debug-1",
                "leg0-debug-0",
                "leg0-debug-2",
                "leg0-debug-1"
            ]
        );
    }
}
