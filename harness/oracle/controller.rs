//! What a disk controller changes in what is seen of a leg: its driver tries
//! again before device-mapper hears of a failure, and its device model asks its
//! medium in other pieces than the driver asked it.
//!
//! Failures are `EIO` of the medium where nothing else is said; what is known of
//! other errors is in [`answer`], and scenarios that ask for more are refused.
//! What the target of our own reports is in [`sense`].

use super::sense;
use crate::scenario::Case;
use crate::scenario::case::{Controller, Fault, OnError, Times};
use halfway_protocol::io::{Op, Path};

/// `ENODATA`: what `BLK_STS_MEDIUM` is to the application.
const ENODATA: i32 = 61;

/// What QEMU's SCSI disk takes for a hardware error.
const ENOMEM: i32 = 12;

/// How a controller's driver and its device model behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conduct {
    /// How often the driver asks for what fails each time, before the failure
    /// goes up: least and most.
    pub attempts: (u32, u32),
    /// The device journal has one entry for each request of the driver, with
    /// what the driver was answered. Else it has what the device model asked
    /// of its medium, in its own pieces, and whether it got it.
    pub exact: bool,
    /// Sectors of the steps in which the driver does a request, where it stops
    /// at the first that fails: what lies behind that is not asked for.
    pub step: Option<u64>,
    /// The device journal has the device's commands, and says of each how far it
    /// got: several may be one request of the driver.
    pub progress: bool,
    /// A failure makes the driver ask again for what else was in flight.
    pub disturbs: bool,
    /// The driver reads more than it was asked for, and keeps it.
    pub reads_ahead: bool,
    /// The device model may never tell its driver that a read has failed.
    pub falls_silent: bool,
    /// The device model fills up what it could not read with zeros, and says
    /// that it failed.
    pub pads: bool,
    /// Its driver answers flushes itself, and counts on the controller's firmware.
    pub keeps_flushes: bool,
    /// The errno of its failures, where no other path could avoid them
    /// (`blk_path_error` is false). `None`: they are a path's own.
    pub target_error: Option<i32>,
    /// What QEMU itself says when a medium fails: no sign of trouble.
    pub remarks: &'static [&'static str],
}

/// What is known of the controller of `case`, beneath its stack.
pub fn conduct(case: &Case) -> Conduct {
    let plain = Conduct {
        attempts: (1, 1),
        exact: false,
        step: None,
        progress: false,
        disturbs: false,
        reads_ahead: false,
        falls_silent: false,
        pads: false,
        keeps_flushes: false,
        target_error: None,
        remarks: &[],
    };
    match case.legs.controller {
        // `virtblk_done` completes, whatever the status.
        Controller::VirtioBlk => Conduct {
            exact: true,
            ..plain
        },
        // `step` and `move` in guest-images/controls/modules/halfway-leg.c.
        Controller::PiecewiseBio | Controller::PiecewiseMq => Conduct {
            step: Some(12),
            ..plain
        },
        // QEMU answers EIO with ABORTED COMMAND (`scsi_sense_from_errno` in
        // scsi/utils.c), which `scsi_check_sense` has tried again, and
        // `scsi_cmd_retry_allowed` up to `SD_MAX_RETRIES` times (5).
        Controller::VirtioScsi
        | Controller::Pvscsi
        | Controller::Mptsas1068
        | Controller::UsbUas => Conduct {
            attempts: (6, 6),
            ..plain
        },
        // As those; and of a logical drive the driver sends no SYNCHRONIZE CACHE to a
        // firmware that does not say that it wants them (`fw_sync_cache_support` in
        // `megasas_queue_command`), which QEMU's is.
        Controller::Megasas => Conduct {
            attempts: (6, 6),
            keeps_flushes: true,
            ..plain
        },
        // A read that fails before any of its data have moved is never ended,
        // and the driver finds out by its timeout: `lsi_command_complete` in
        // hw/scsi/lsi53c895a.c does not reselect a command that has
        // disconnected, as `lsi_transfer_data` does. Of am53c974 it is measured
        // (QEMU 7.2).
        Controller::Lsi53c895a | Controller::Am53c974 => Conduct {
            attempts: (6, 6),
            falls_silent: true,
            ..plain
        },
        // `usb_msd_command_complete` in hw/usb/dev-storage.c skips what is left
        // of the transfer, which fills it with zeros (`usb_packet_skip`).
        Controller::UsbStorage => Conduct {
            attempts: (6, 6),
            pads: true,
            ..plain
        },
        // Libata's error handler hands the command back to SCSI
        // (`ata_eh_qc_retry`), which counts as above. A failure of a queued
        // command aborts the others, which are asked for again without being
        // counted (`ata_eh_qc_retry` raises `allowed`).
        Controller::Ahci => Conduct {
            attempts: (6, 6),
            disturbs: true,
            ..plain
        },
        Controller::Piix3Ide => Conduct {
            attempts: (6, 6),
            ..plain
        },
        // `nvme_max_retries` is 5, and QEMU does not forbid it (`NVME_DNR`).
        // Multipath does, by `REQ_FAILFAST_TRANSPORT` (`blk_noretry_request` in
        // `nvme_decide_disposition`). The errors are those of a medium
        // (`nvme_aio_err` in hw/nvme/ctrl.c, `nvme_error_status`).
        Controller::Nvme => Conduct {
            attempts: match case.stack.multipath() {
                None => (6, 6),
                Some(_) => (1, 1),
            },
            target_error: Some(ENODATA),
            remarks: &["aio failed: "],
            ..plain
        },
        // `bad_flp_intr` gives up above `max_errors.abort` errors, 3 for a
        // drive of 2.88 MB (`default_drive_params`), counted anew where a part
        // went well before it. `make_raw_rw_request` reads whole tracks.
        Controller::Floppy => Conduct {
            attempts: (4, 5),
            reads_ahead: true,
            ..plain
        },
        // How often it is asked depends on what it reports: `attempts` below.
        Controller::Target => Conduct {
            exact: true,
            progress: true,
            ..plain
        },
        // It never tells of a failure, so that none is tried again.
        Controller::SdCard => Conduct {
            remarks: &[
                "sd_blk_read: read error on host side",
                "sd_blk_write: write error on host side",
            ],
            ..plain
        },
    }
}

/// What a medium's error is to the driver of a controller and to what is above it,
/// where that is not what `EIO` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    /// How often the driver asks.
    attempts: u32,
    /// As [`Conduct::target_error`].
    target_error: i32,
}

/// What QEMU's SCSI disk makes of an errno (`scsi_sense_from_errno` in
/// scsi/utils.c), and Linux of that (`scsi_check_sense`): errors of the disk, which
/// are final. All others are 0B/00/06, as `EIO` is.
///
/// QEMU's NVMe has one status for all of them (`nvme_aio_err` in hw/nvme/ctrl.c),
/// and so has its IDE (`ide_rw_error` in hw/ide/core.c).
fn answer(controller: Controller, errno: i32) -> Option<Answer> {
    const ENOSPC: i32 = 28;
    const EREMOTEIO: i32 = 121;
    let of_disk = |target_error| Answer {
        attempts: 1,
        target_error,
    };
    match errno {
        // 4/44/00, a hardware error: `BLK_STS_TARGET`.
        ENOMEM if passes_sense(controller) => Some(of_disk(EREMOTEIO)),
        // 7/27/07: `BLK_STS_NOSPC`.
        ENOSPC if passes_sense(controller) => Some(of_disk(ENOSPC)),
        _ => None,
    }
}

/// Whether sd hears of a failure in the words of QEMU's SCSI disk, as has been
/// measured.
fn passes_sense(controller: Controller) -> bool {
    matches!(
        controller,
        Controller::VirtioScsi
            | Controller::Pvscsi
            | Controller::Megasas
            | Controller::Mptsas1068
            | Controller::UsbStorage
            | Controller::UsbUas
            | Controller::Lsi53c895a
            | Controller::Am53c974
    )
}

/// Whether it is known what the controllers of `case` make of its errors.
pub fn knows(case: &Case) -> Result<(), &'static str> {
    const EINVAL: i32 = 22;
    if case.legs.controller == Controller::UsbStorage
        && case.faults.iter().any(|fault| fault.errno == ENOMEM)
    {
        return Err(
            "QEMU's SCSI disk answers ENOMEM with a hardware error, which usb-storage has tried \
             again without being counted, for 180 s (`retry_hwerror` in `scsi_check_sense`)",
        );
    }
    if passes_sense(case.legs.controller) && case.faults.iter().any(|fault| fault.errno == EINVAL) {
        return Err(
            "QEMU's SCSI disk answers EINVAL with INVALID FIELD, after which the kernel gives up \
             ten-byte commands of that disk for good (`use_10_for_rw` in \
             `scsi_io_completion_action`): the next case would find another disk",
        );
    }
    Ok(())
}

/// How often the driver asks for what `fault` fails each time, before the failure
/// goes up: least and most. Of a target's reports `attempts` tells.
pub fn asked(case: &Case, fault: &Fault) -> (u32, u32) {
    match answer(case.legs.controller, fault.errno) {
        Some(Answer { attempts, .. }) => (attempts, attempts),
        None => conduct(case).attempts,
    }
}

/// How often the driver asks for what `fault` fails each time, before the
/// failure goes up; `None` where it never does.
fn attempts(case: &Case, fault: &Fault) -> Option<u32> {
    if case.legs.on_error == OnError::Stop {
        return None;
    }
    match fault.report {
        // It is back once its path is reinstated, however often it was asked.
        Some(report) if report.is_gone() => Some(1),
        Some(_) => sense::commands(fault, case.io.sector + case.legs.block()),
        None => Some(asked(case, fault).0),
    }
}

/// The errno of a fault, where it is one that no other path could avoid.
pub fn target_error(case: &Case, fault: &Fault) -> Option<i32> {
    match (sense::of(fault), answer(case.legs.controller, fault.errno)) {
        (Some(reading), _) => (!reading.of_path).then_some(reading.errno),
        (None, Some(answer)) => Some(answer.target_error),
        (None, None) => conduct(case).target_error,
    }
}

/// Whether the first request that `fault` fails is read-ahead, which no driver tries
/// again: the page cache reads ahead first (`REQ_RAHEAD` in `mpage_readahead`), such
/// a request is failfast (`blk_mq_bio_to_request`), and its failure goes up at once
/// (`scsi_noretry_cmd`, which libata's and usb-storage's error handling comes to as
/// well, and `blk_noretry_request` in `nvme_decide_disposition`).
pub fn is_ahead(case: &Case, fault: &Fault) -> bool {
    (case.io.op, case.io.path, fault.op) == (Op::Read, Path::Buffered, Op::Read)
}

/// How often the driver asks before device-mapper must have heard of `fault`, at
/// least. Of read-ahead a multipath hears what a path failed; a mirror hands its
/// failure on, and is asked for the pages one by one (`mirror_end_io`).
pub fn asked_at_least(case: &Case, fault: &Fault) -> u32 {
    match is_ahead(case, fault) && tells_of_read_ahead(case) {
        true => 1,
        false => asked(case, fault).0,
    }
}

fn tells_of_read_ahead(case: &Case) -> bool {
    case.stack.multipath().is_some() || case.stack.nested().is_some()
}

/// How often device-mapper hears of a fault that fails `times` requests.
fn heard(case: &Case, fault: &Fault, times: u32) -> u32 {
    match attempts(case, fault) {
        None => 0,
        // The target completes a part and then the rest, each for itself.
        Some(1) => times,
        Some(_) if is_ahead(case, fault) && tells_of_read_ahead(case) => times,
        Some(least) if is_ahead(case, fault) => times.saturating_sub(1) / least,
        Some(least) => times / least,
    }
}

/// The case as device-mapper meets it, and the faults that it never hears of:
/// those that wear off while the driver beneath tries again.
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
    use crate::scenario::Scenario;
    use rstest::rstest;

    /// What is asked before the error goes up, and the errno of an error that is
    /// the disk's own.
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
        assert!(knows(&case).is_ok());
    }

    /// One changes the disk, the other is tried again for longer than anyone waits.
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
        assert_eq!(knows(&scenario.expand().next().unwrap()).is_ok(), known);
    }

    /// Of a buffered read the first attempt is read-ahead: one request, of which a
    /// mirror hears nothing, and after which a path has failed.
    #[rstest]
    #[case::wears_off("", "virtio-scsi", "1", None)]
    #[case::five_are_left("", "nvme", "6", None)]
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
