//! Legs on the SCSI target of our own.
//!
//! ```text
//! vhost-user-scsi-pci (hba0)            in QEMU
//!   HBA of the target                   in the harness: device journal
//! NBD export leg0
//!   raw, blkdebug, nbd: as of any leg   in qemu-storage-daemon: the faults
//! NBD server and medium                 in the harness: medium journal
//! ```
//!
//! blkdebug in the storage daemon decides which request fails. The errno that it fails
//! with selects the report from the HBA's table. A report in the target's default table
//! needs no more than that. For any other report, a row of the table is changed.

use super::blkdebug::FaultError;
use super::serial;
use halfway_case::Fitting;
use halfway_case::observation::{Command, Entry, Layer, Member, TargetReply};
use halfway_case::{Fault, Times};
use halfway_protocol::content::SECTOR;
use halfway_scsi::report::errno;
use halfway_scsi::{Reply, Reports, Status};
use halfway_target::{
    BlockSize, Hba, HbaConfig, Identity, Policy, Presence, Search, StartError, Target,
};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

/// The name of the storage daemon's socket for the target, in the private directory.
const DAEMON_SOCKET: &str = "legs.sock";

/// The name of the logical unit, if all legs are ports of one.
const UNIT: &str = "unit";

/// The legs of a machine: one HBA for each.
pub struct TargetFront {
    directory: PathBuf,
    legs: Vec<u8>,
    block: BlockSize,
    /// Whether the legs are ports of one logical unit.
    one_unit: bool,
    running: Option<(Target, Receiver<halfway_target::Entry>)>,
}

impl fmt::Debug for TargetFront {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetFront")
            .field("directory", &self.directory)
            .field("legs", &self.legs)
            .finish_non_exhaustive()
    }
}

impl TargetFront {
    /// Makes the front for these disks, with its sockets in `directory`. It does not
    /// serve anything yet.
    pub fn new(directory: &Path, fitting: Fitting, members: impl Iterator<Item = Member>) -> Self {
        let legs = members.filter_map(|member| match member {
            Member::Leg(leg) => Some(leg),
            Member::Log => None,
        });
        TargetFront {
            directory: directory.to_owned(),
            legs: legs.collect(),
            block: match fitting.logical_block_size {
                4096 => BlockSize::B4096,
                _ => BlockSize::B512,
            },
            one_unit: fitting.multipathd,
            running: None,
        }
    }

    /// The storage daemon's arguments for what it exports to the target. They follow
    /// those of the nodes.
    pub fn exports(&self) -> Vec<String> {
        let socket = self.directory.join(DAEMON_SOCKET);
        let mut args = vec![
            "--nbd-server".to_owned(),
            format!("addr.type=unix,addr.path={}", socket.display()),
        ];
        for leg in &self.legs {
            let name = serial(Member::Leg(*leg));
            args.push("--export".to_owned());
            args.push(format!(
                "type=nbd,id={name}-export,node-name={name},name={name},writable=on"
            ));
        }
        args
    }

    /// Begins to serve what the daemon exports.
    pub async fn start(&mut self) -> Result<(), StartError> {
        let hbas: Vec<HbaConfig> = self
            .legs
            .iter()
            .map(|leg| {
                let export = serial(Member::Leg(*leg));
                let mut unit = Identity {
                    block: self.block,
                    ..Identity::new(export.clone())
                };
                if self.one_unit {
                    unit.name = UNIT.to_owned();
                    unit.port = u16::from(*leg) + 1;
                    unit.ports = self.legs.len() as u16;
                }
                HbaConfig {
                    id: format!("hba{leg}"),
                    socket: self.directory.join(format!("hba{leg}")),
                    nbd: self.directory.join(DAEMON_SOCKET),
                    export,
                    unit,
                }
            })
            .collect();
        // On a thread of its own: it waits for the daemon, which may wait for the NBD
        // server of this process.
        let started = tokio::task::spawn_blocking(move || Target::start(hbas)).await;
        let started = started.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        self.running = Some(started?);
        Ok(())
    }

    /// QEMU's arguments for the legs. Valid once the target serves.
    pub fn qemu_args(&self) -> Vec<String> {
        let target = self.running.as_ref();
        target.map_or_else(Vec::new, |(target, _)| target.qemu_args())
    }

    /// Begins a case: all legs are present, and their journals are empty.
    pub fn begin(&self) {
        if let Some((target, entries)) = &self.running {
            for hba in target.hbas() {
                appear(hba, Presence::Here);
            }
            entries.try_iter().for_each(drop);
        }
    }

    /// Makes a leg report its faults as `plan` says.
    pub fn report(&self, leg: u8, plan: &FaultPlan) {
        if let Some((target, _)) = &self.running
            && let Some(hba) = target.hbas().get(self.index(leg))
        {
            if hba.setting().policy != plan.policy {
                hba.set_policy(plan.policy.clone());
            }
            appear(hba, plan.presence);
        }
    }

    fn index(&self, leg: u8) -> usize {
        let found = self.legs.iter().position(|known| *known == leg);
        found.unwrap_or(usize::MAX)
    }

    /// The requests to the legs since the last call.
    pub fn take(&self) -> Vec<Entry> {
        let Some((_, entries)) = &self.running else {
            return Vec::new();
        };
        let of = |entry: halfway_target::Entry| {
            let leg = self.legs.get(entry.hba)?;
            as_entry(Member::Leg(*leg), self.block, &entry)
        };
        entries.try_iter().filter_map(of).collect()
    }

    /// The legs that keep a command unanswered.
    pub fn silent(&self) -> Vec<u8> {
        let target = self.running.iter().flat_map(|(target, _)| target.hbas());
        let legs = self.legs.iter().zip(target);
        legs.filter(|(_, hba)| hba.unanswered() > 0)
            .map(|(leg, _)| *leg)
            .collect()
    }

    /// What went wrong between QEMU and the target, if anything.
    pub fn trouble(&self) -> Option<String> {
        let (target, _) = self.running.as_ref()?;
        let mut trouble = target.hbas().iter().flat_map(Hba::trouble);
        trouble.next()
    }
}

fn appear(hba: &Hba, presence: Presence) {
    if hba.setting().presence != presence {
        hba.set_presence(presence);
    }
}

/// How a leg plays its faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// The faults that blkdebug plays. Their errnos select the reports.
    pub faults: Vec<Fault>,
    /// How the target translates these errnos into reports.
    pub policy: Policy,
    /// Whether the leg is present, and when it disappears.
    pub presence: Presence,
}

impl FaultPlan {
    /// The plan for one leg's faults among `faults`.
    ///
    /// # Errors
    /// There are more kinds of reports than errnos.
    pub fn of(faults: &[Fault], leg: u8) -> Result<Self, FaultError> {
        let mut plan = FaultPlan::default();
        let mut taken: Vec<u32> = Vec::new();
        let mut reports = Reports::default();
        let of_leg = || faults.iter().filter(|fault| fault.leg == leg);
        for fault in of_leg() {
            let reported = fault.report.unwrap_or_default();
            let Some(report) = reported.answer() else {
                plan.presence = Presence::Gone;
                continue;
            };
            plan.policy.then_gone |= reported.is_gone();
            let number = match reports.errno(report) {
                Some(number) => number,
                None => {
                    let free = errno::ALL.into_iter().find(|number| {
                        let wanted = of_leg().any(|other| {
                            let answer = other.report.unwrap_or_default().answer();
                            answer.and_then(|answer| reports.errno(answer)) == Some(*number)
                        });
                        !taken.contains(number) && !wanted
                    });
                    let number = free.ok_or(FaultError::Reports(leg))?;
                    reports = reports.with(number, report);
                    number
                }
            };
            taken.push(number);
            let times = match reported.is_gone() {
                // The fault is disarmed when the HBA comes back.
                true => Times::Always,
                false => fault.times,
            };
            plan.faults.push(Fault {
                errno: number as i32,
                times,
                ..fault.clone()
            });
            if times != Times::Always {
                // A fault that stops after some times must be hit one block at a time.
                plan.policy.search = Search::Stepwise;
            }
        }
        plan.policy.reports = reports;
        Ok(plan)
    }
}

/// A command as an entry of the device journal, if it accesses blocks.
///
/// The result is 0 if all was done and reported as done. Otherwise it is the storage's
/// own errno, or EIO if the target failed the command without asking the storage.
fn as_entry(member: Member, block: BlockSize, entry: &halfway_target::Entry) -> Option<Entry> {
    let command = match entry.opcode {
        0x08 | 0x28 | 0xa8 | 0x88 => Command::Read,
        0x0a | 0x2a | 0xaa | 0x8a => Command::Write,
        0x35 | 0x91 => Command::Flush,
        0x42 => Command::Discard,
        0x41 | 0x93 => Command::WriteZeroes,
        _ => return None,
    };
    let sectors = u64::from(block.bytes()) / SECTOR as u64;
    let result = match (entry.errno, entry.answer) {
        (Some(errno), _) => -(errno as i32),
        (None, Reply::Status(Status::Good, _)) => 0,
        (None, _) => -(errno::EIO as i32),
    };
    Some(Entry {
        order: entry.order,
        member,
        layer: Layer::Device,
        command,
        sector: entry.lba.unwrap_or(0) * sectors,
        sectors: u64::from(entry.blocks) * sectors,
        result: Some(result),
        target_reply: Some(TargetReply {
            opcode: entry.opcode,
            good: u64::from(entry.good) * sectors,
            answer: entry.answer,
            residual: entry.residual,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_protocol::io::Op;
    use rstest::rstest;

    fn fault(leg: u8, report: &str, times: Times) -> Fault {
        Fault {
            leg,
            op: Op::Read,
            sector: 2300,
            times,
            errno: 5,
            report: Some(report.parse().unwrap()),
        }
    }

    /// The errnos that the faults are played with, and the reports that the target makes
    /// of them.
    fn played(plan: &FaultPlan) -> Vec<(i32, String)> {
        let faults = plan.faults.iter();
        let of = |errno: i32| plan.policy.reports.report_for(errno as u32).to_string();
        faults.map(|fault| (fault.errno, of(fault.errno))).collect()
    }

    #[rstest]
    #[case::in_the_table("short-good+transport-failure", 108)]
    #[case::the_default("medium-error", 5)]
    #[case::by_policy("residual-of-all", 1)]
    fn a_report_travels_as_an_errno(#[case] report: &str, #[case] errno: i32) {
        let plan = FaultPlan::of(&[fault(1, report, Times::Always)], 1).unwrap();
        assert_eq!(played(&plan), [(errno, report.to_owned())]);
        assert_eq!(plan.policy.search, Search::Bisect);
        assert_eq!(plan.presence, Presence::Here);
    }

    #[test]
    fn reports_of_one_leg_do_not_share_an_errno() {
        let words = ["busy", "short-good+bad-target", "task-set-full", "busy"];
        let faults = words.map(|word| fault(0, word, Times::Count(2)));
        let plan = FaultPlan::of(&faults, 0).unwrap();
        let carried = played(&plan);
        let told: Vec<&str> = carried.iter().map(|(_, report)| report.as_str()).collect();
        assert_eq!(told, words);
        assert_eq!(carried[1].0, 1);
        assert_eq!(carried[0], carried[3]);
        assert_eq!(plan.policy.search, Search::Stepwise);
    }

    #[test]
    fn a_leg_that_is_gone_needs_no_rule() {
        let faults = [
            fault(0, "gone", Times::Always),
            fault(1, "busy", Times::Count(1)),
        ];
        let plan = FaultPlan::of(&faults, 0).unwrap();
        assert_eq!((plan.presence, plan.faults.len()), (Presence::Gone, 0));
        let lost = [fault(0, "short-good+gone", Times::Count(1))];
        let plan = FaultPlan::of(&lost, 0).unwrap();
        assert_eq!(
            (plan.presence, plan.policy.then_gone),
            (Presence::Here, true)
        );
        assert_eq!(played(&plan), [(1, "short-good+bad-target".to_owned())]);
        assert_eq!(plan.faults[0].times, Times::Always);
        assert_eq!(FaultPlan::of(&faults, 2).unwrap(), FaultPlan::default());
    }

    #[test]
    fn more_reports_than_errnos_are_refused() {
        let words = halfway_scsi::FaultReport::all_words();
        let faults: Vec<Fault> = words[..9]
            .iter()
            .map(|word| fault(0, word, Times::Count(1)))
            .collect();
        assert_eq!(FaultPlan::of(&faults, 0), Err(FaultError::Reports(0)));
    }

    #[rstest]
    #[case::read(0x28, Some(5), Reply::Status(Status::CheckCondition, None), Some((Command::Read, -5)))]
    #[case::short_good(0x2a, Some(75), Reply::Status(Status::Good, None), Some((Command::Write, -75)))]
    #[case::flush(0x35, None, Reply::Status(Status::Good, None), Some((Command::Flush, 0)))]
    #[case::gone(0x88, None, Reply::Response(halfway_scsi::Response::BadTarget), Some((Command::Read, -5)))]
    #[case::not_about_blocks(0x12, None, Reply::Status(Status::Good, None), None)]
    fn a_command_about_blocks_is_an_entry(
        #[case] opcode: u8,
        #[case] errno: Option<u32>,
        #[case] answer: Reply,
        #[case] expected: Option<(Command, i32)>,
    ) {
        let entry = halfway_target::Entry {
            order: 3,
            hba: 0,
            opcode,
            lba: Some(2048),
            blocks: 512,
            good: 252,
            errno,
            answer,
            residual: 0,
        };
        let found = as_entry(Member::Leg(0), BlockSize::B512, &entry);
        let found = found.map(|entry| (entry.command, entry.result.unwrap()));
        assert_eq!(found, expected);
    }
}
