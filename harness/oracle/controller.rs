//! How a disk controller changes what is seen of a leg. Its driver retries
//! before device-mapper sees a failure, and its device model asks its medium in
//! other pieces than the driver asked for.
//!
//! What is known of each controller is in its profile (`harness/controllers`);
//! this file applies it to a case. Scenarios that need more than is known are
//! refused. What the project's own SCSI target reports is in [`halfway_scsi`].

use super::units::Unit;
use halfway_case::Case;
use halfway_case::{Controller, Fault, OnError, Times};
use halfway_controllers::{ErrnoMeaning, FailureHandling};
use halfway_protocol::io::{Op, Path};
use halfway_scsi::FaultReport;

/// How the driver and the device model beneath the stack of `case` behave when
/// a request fails.
pub fn failure_handling(case: &Case) -> FailureHandling {
    let profile = case.legs.controller.profile();
    match case.stack.multipath() {
        None => profile.failure_handling,
        Some(_) => FailureHandling {
            attempts: profile.attempts_beneath_multipath,
            ..profile.failure_handling
        },
    }
}

/// What an errno of the medium means on `controller`, if it is handled
/// otherwise than `EIO`.
fn meaning(controller: Controller, errno: i32) -> Option<ErrnoMeaning> {
    controller.profile().errno(errno)?.meaning.ok()
}

/// Whether it is known how the controllers of `case` handle its errors.
pub fn knows_controller(case: &Case) -> Result<(), &'static str> {
    let fails = case.faults.iter().any(|fault| fault.op == Op::Write);
    let pages = (case.io.op, case.io.path) == (Op::Write, Path::Buffered);
    if case.legs.controller == Controller::PiecewiseMq && pages && fails {
        return Err(
            "our own driver fails all of a request from the bad step on; which pages lie behind it \
             depends on how the kernel merges them",
        );
    }
    if (0..case.legs.count).any(|leg| shares_attempts(case, leg)) {
        return Err(
            "a leg has several faults that wear off, and its driver tries again; which of them an \
             attempt meets depends on how the kernel cuts the I/O",
        );
    }
    if case.faults.iter().any(|fault| is_shared(case, fault)) {
        return Err(
            "requests overlap at a sector whose fault wears off, and its driver tries each of them \
             again; how often each one meets the fault depends on timing",
        );
    }
    let profile = case.legs.controller.profile();
    let mut special = (case.faults.iter()).filter_map(|fault| profile.errno(fault.errno));
    special.try_for_each(|errno| errno.meaning.map(drop))
}

/// Whether several faults of a leg count the attempts of its driver.
fn shares_attempts(case: &Case, leg: u8) -> bool {
    let counts = |fault: &&Fault| fault.leg == leg && fault.times != Times::Always;
    let counting = || case.faults.iter().filter(counts);
    counting().any(|fault| {
        let others = counting().filter(|other| other.op == fault.op);
        others.count() > 1 && fault.report.is_none() && asked(case, fault).1 > 1
    })
}

/// Whether several of the application's requests count the attempts at a fault that wears
/// off: they overlap at its sector.
fn is_shared(case: &Case, fault: &Fault) -> bool {
    let of_io = fault.op == case.op_on_legs() && fault.report.is_none();
    let parts = case.io.parts();
    let mut meets =
        (parts.iter()).filter(|&&(sector, sectors)| fault.meets(fault.op, sector, sectors));
    fault.times != Times::Always && of_io && asked(case, fault).1 > 1 && meets.nth(1).is_some()
}

/// How often the driver sends a request that `fault` fails each time, before
/// the failure goes up: least and most. For reports of the SCSI target see
/// `attempts`.
pub fn asked(case: &Case, fault: &Fault) -> (u32, u32) {
    match meaning(case.legs.controller, fault.errno) {
        Some(ErrnoMeaning { attempts, .. }) => (attempts, attempts),
        None => failure_handling(case).attempts,
    }
}

/// The fault that a request of `range` to a leg is answered with while all of them last:
/// the first of the leg that the request meets (`rule_check` in QEMU's block/blkdebug.c),
/// and of a disk that moves some sectors at a time the first that it comes to
/// (`bdrv_aligned_preadv` in block/io.c goes from piece to piece).
pub fn met(case: &Case, op: Op, leg: u8, range: Unit) -> Option<&Fault> {
    let step = match (op, case.legs.max_transfer) {
        (Op::Read | Op::Write, Some(step)) => u64::from(step).max(1),
        _ => u64::MAX,
    };
    let meets = |fault: &&Fault| fault.leg == leg && fault.meets(op, range.sector, range.sectors);
    let piece = |fault: &&Fault| fault.sector.saturating_sub(range.sector) / step;
    // Of equals the first.
    case.faults.iter().filter(meets).min_by_key(piece)
}

/// How often the driver sends a request that `fault` fails each time, before
/// the failure goes up. `None` if the failure never goes up.
fn attempts(case: &Case, fault: &Fault) -> Option<u32> {
    if case.legs.on_error == OnError::Stop {
        return None;
    }
    match fault.report {
        // Once its path is reinstated the HBA is back, however many commands it
        // was sent.
        Some(report) if report.is_gone() => Some(1),
        Some(report) => report.commands(fault.sector < case.io.sector + case.legs.block()),
        None => Some(asked(case, fault).0),
    }
}

/// The errno of a fault that is an error of the disk itself, which another path
/// would meet too.
pub fn target_error(case: &Case, fault: &Fault) -> Option<i32> {
    match (
        fault.report.map(FaultReport::handling),
        meaning(case.legs.controller, fault.errno),
    ) {
        (Some(handling), _) => (!handling.of_path).then_some(handling.errno),
        (None, Some(meaning)) => Some(meaning.target_error),
        (None, None) => failure_handling(case).target_error,
    }
}

/// Whether the first request that `fault` fails is read-ahead, which no driver
/// retries. The page cache reads ahead first (`REQ_RAHEAD` in
/// `mpage_readahead`); such a request is failfast (`blk_mq_bio_to_request`),
/// and its failure goes up at once (`scsi_noretry_cmd`, which the error
/// handling of libata and usb-storage calls too, and `blk_noretry_request` in
/// `nvme_decide_disposition`).
pub fn is_ahead(case: &Case, fault: &Fault) -> bool {
    (case.io.op, case.io.path, fault.op) == (Op::Read, Path::Buffered, Op::Read)
}

/// How often at least the driver sends a request before device-mapper sees
/// `fault`. If the failed request is read-ahead, a multipath sees its path fail
/// at once. A mirror passes the failure of a read-ahead on, and then gets reads
/// of single pages (`mirror_end_io`); but if its leg fails one of those at
/// another sector first, the leg is not asked for this one again.
pub fn asked_at_least(case: &Case, fault: &Fault) -> u32 {
    let mut of_leg =
        (case.faults.iter()).filter(|other| (other.leg, other.op) == (fault.leg, fault.op));
    let among_others = of_leg.nth(1).is_some();
    let ahead = is_ahead(case, fault) && (tells_of_read_ahead(case) || among_others);
    match ahead || is_disturbed(case, fault) {
        true => 1,
        false => asked(case, fault).0,
    }
}

/// Whether an attempt may count although it never reached the medium: another
/// request failed meanwhile, and the controller aborted what was in flight with
/// it.
fn is_disturbed(case: &Case, fault: &Fault) -> bool {
    let mut of_leg = case.faults.iter().filter(|other| other.leg == fault.leg);
    failure_handling(case).disturbs && of_leg.nth(1).is_some()
}

fn tells_of_read_ahead(case: &Case) -> bool {
    case.stack.multipath().is_some()
}

/// How often device-mapper sees a fault that fails `times` requests.
fn heard(case: &Case, fault: &Fault, times: u32) -> u32 {
    match attempts(case, fault) {
        None => 0,
        // The target completes a part and then the rest, and each counts for
        // itself.
        Some(1) => times,
        Some(_) if is_ahead(case, fault) && tells_of_read_ahead(case) => times,
        // Read-ahead goes to the default leg, and is not resubmitted to another
        // when that fails it.
        Some(least) if is_ahead(case, fault) && fault.leg == 0 => times.saturating_sub(1) / least,
        Some(least) => times / least,
    }
}

/// The case as device-mapper sees it, and the faults that it never sees: those
/// that wear off while the driver beneath retries.
pub fn as_dm_meets(case: &Case) -> (Case, Vec<Fault>) {
    let mut met = case.clone();
    let mut absorbed = Vec::new();
    met.faults.retain_mut(|fault| match fault.times {
        Times::Always => true,
        Times::Count(times) => match heard(case, fault, times) {
            0 => {
                absorbed.push(fault.clone());
                false
            }
            heard => {
                fault.times = Times::Count(heard);
                true
            }
        },
    });
    (met, absorbed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_scenario::Scenario;
    use rstest::rstest;

    /// Columns: controller; errno of the medium; how often the driver asks
    /// before the error goes up, least and most; the errno if the error is the
    /// disk's own.
    #[rstest]
    #[case("virtio-scsi", "EIO", (6, 6), None)]
    #[case("virtio-scsi", "EPERM", (6, 6), None)]
    #[case("virtio-scsi", "ENOMEM", (1, 1), Some(121))]
    #[case("pvscsi", "ENOSPC", (1, 1), Some(28))]
    #[case("usb-uas", "ENOMEM", (1, 1), Some(121))]
    #[case("usb-storage", "ENOSPC", (1, 1), Some(28))]
    #[case("lsi53c895a", "EOVERFLOW", (6, 6), None)]
    #[case("am53c974", "ENOMEM", (1, 1), Some(121))]
    #[case("nvme", "ENOSPC", (6, 6), Some(61))]
    #[case("piix3-ide", "ENOMEM", (6, 6), None)]
    #[case("virtio-blk", "ENOSPC", (1, 1), None)]
    fn what_an_errno_is(
        #[case] controller: &str,
        #[case] errno: &str,
        #[case] times: (u32, u32),
        #[case] of_disk: Option<i32>,
    ) {
        let text = format!(
            "question = \"?\"\n[legs]\ncontroller = \"{controller}\"\n[[fault]]\nerrno = \"{errno}\"\n"
        );
        let scenario = Scenario::parse("test", &text).unwrap();
        let case = scenario.expand().next().unwrap();
        let fault = &case.faults[0];
        assert_eq!(asked(&case, fault), times);
        assert_eq!(target_error(&case, fault), of_disk);
        assert!(knows_controller(&case).is_ok());
    }

    /// The number of the fault that answers a read of 64 sectors of leg 0 from the I/O's
    /// first one on, of a disk that moves so many at a time.
    #[rstest]
    #[case::first_in_the_list("", "at=50; [[fault]]; at=3", Some(0))]
    #[case::first_piece("max_transfer=32", "at=50; [[fault]]; at=3", Some(1))]
    #[case::in_one_piece("max_transfer=51", "at=50; [[fault]]; at=3", Some(0))]
    #[case::other_leg("", "leg=1; [[fault]]; at=3", Some(1))]
    #[case::other_op("", "op='write'; [[fault]]; at=3", Some(1))]
    #[case::behind("", "at=64; [[fault]]; leg=1", None)]
    fn which_fault_answers(#[case] legs: &str, #[case] faults: &str, #[case] which: Option<usize>) {
        let text = format!("question = '?'; [legs]; {legs}; [[fault]]; {faults}");
        let scenario = Scenario::parse("test", &text.replace("; ", "\n")).unwrap();
        let case = scenario.expand().next().unwrap();
        let range = Unit {
            sector: case.io.sector,
            sectors: 64,
        };
        let met = met(&case, Op::Read, 0, range);
        assert_eq!(met, which.map(|index| &case.faults[index]));
    }

    /// On the first two controllers `EINVAL` changes the disk; NVMe retries it
    /// for longer than anyone waits.
    #[rstest]
    #[case("virtio-scsi", "EINVAL", false)]
    #[case("am53c974", "EINVAL", false)]
    #[case("nvme", "EINVAL", true)]
    #[case("usb-storage", "ENOMEM", false)]
    #[case("usb-uas", "ENOMEM", true)]
    fn errnos_that_are_not_known(
        #[case] controller: &str,
        #[case] errno: &str,
        #[case] known: bool,
    ) {
        let text = format!(
            "question = \"?\"\n[legs]\ncontroller = \"{controller}\"\n[[fault]]\nerrno = \"{errno}\"\n"
        );
        let scenario = Scenario::parse("test", &text).unwrap();
        assert_eq!(
            knows_controller(&scenario.expand().next().unwrap()).is_ok(),
            known
        );
    }

    /// The first attempt of a buffered read is read-ahead. It is one request; a
    /// mirror does not count it as a failure, but a path fails by it.
    #[rstest]
    #[case::wears_off("", "virtio-scsi", "1", None)]
    #[case::five_are_left("", "nvme", "6", None)]
    #[case::other_leg("", "nvme", "6\nleg = 1", Some(Times::Count(1)))]
    #[case::six_are_left("", "ahci", "7", Some(Times::Count(1)))]
    #[case::no_retry("", "virtio-blk", "1", Some(Times::Count(1)))]
    #[case::for_ever("", "nvme", "\"always\"", Some(Times::Always))]
    #[case::path("target = \"multipath\"", "virtio-scsi", "1", Some(Times::Count(1)))]
    #[case::path_of_a_leg("paths = 2", "virtio-scsi", "2", Some(Times::Count(2)))]
    fn what_device_mapper_hears_of_read_ahead(
        #[case] stack: &str,
        #[case] controller: &str,
        #[case] times: &str,
        #[case] heard: Option<Times>,
    ) {
        let text = format!(
            "question = \"?\"\n[stack]\n{stack}\n[legs]\ncontroller = \"{controller}\"\n\
             [io]\npath = \"buffered\"\n[[fault]]\ntimes = {times}\n"
        );
        let scenario = Scenario::parse("test", &text).unwrap();
        let (met, _) = as_dm_meets(&scenario.expand().next().unwrap());
        let times: Vec<Times> = met.faults.iter().map(|fault| fault.times).collect();
        assert_eq!(times, heard.into_iter().collect::<Vec<_>>());
    }

    #[rstest]
    #[case::always("virtio-scsi", "\"always\"", Some(Times::Always))]
    #[case::absorbed("virtio-scsi", "5", None)]
    #[case::once_for_dm("nvme", "6", Some(Times::Count(1)))]
    #[case::twice_for_dm("ahci", "13", Some(Times::Count(2)))]
    #[case::no_retry("virtio-blk", "1", Some(Times::Count(1)))]
    fn what_device_mapper_hears_of(
        #[case] controller: &str,
        #[case] times: &str,
        #[case] heard: Option<Times>,
    ) {
        let text = format!(
            "question = \"?\"\n[legs]\ncontroller = \"{controller}\"\n[[fault]]\ntimes = {times}\n"
        );
        let case = Scenario::parse("test", &text)
            .unwrap()
            .expand()
            .next()
            .unwrap();
        let (met, absorbed) = as_dm_meets(&case);
        let times: Vec<Times> = met.faults.iter().map(|fault| fault.times).collect();
        assert_eq!(times, heard.into_iter().collect::<Vec<_>>());
        assert_eq!(absorbed.len(), 1 - times.len());
    }
}
