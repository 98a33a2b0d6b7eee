//! What a disk controller changes in what is seen of a leg: its driver tries
//! again before device-mapper hears of a failure, and its device model asks its
//! medium in other pieces than the driver asked it.
//!
//! What is known of each is in its profile (`harness/controllers`); here it is put to a
//! case. Scenarios that ask for more than is known are refused.
//! What the target of our own reports is in [`sense`].

use super::sense;
use crate::scenario::Case;
use crate::scenario::case::{Controller, Fault, OnError, Times};
use halfway_controllers::{ErrnoMeaning, FailureHandling};

/// How the driver and the device model of `case` behave, beneath its stack.
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

/// What an errno of the medium is on `controller`, where that is not what `EIO` is.
fn meaning(controller: Controller, errno: i32) -> Option<ErrnoMeaning> {
    controller.profile().errno(errno)?.meaning.ok()
}

/// Whether it is known what the controllers of `case` make of its errors.
pub fn knows(case: &Case) -> Result<(), &'static str> {
    let profile = case.legs.controller.profile();
    let mut special = (case.faults.iter()).filter_map(|fault| profile.errno(fault.errno));
    special.try_for_each(|errno| errno.meaning.map(drop))
}

/// How often the driver asks for what `fault` fails each time, before the failure
/// goes up: least and most. Of a target's reports `attempts` tells.
pub fn asked(case: &Case, fault: &Fault) -> (u32, u32) {
    match meaning(case.legs.controller, fault.errno) {
        Some(ErrnoMeaning { attempts, .. }) => (attempts, attempts),
        None => failure_handling(case).attempts,
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
    match (sense::of(fault), meaning(case.legs.controller, fault.errno)) {
        (Some(reading), _) => (!reading.of_path).then_some(reading.errno),
        (None, Some(meaning)) => Some(meaning.target_error),
        (None, None) => failure_handling(case).target_error,
    }
}

/// The case as device-mapper meets it, and the faults that it never hears of:
/// those that wear off while the driver beneath tries again.
pub fn as_dm_meets(case: &Case) -> (Case, Vec<Fault>) {
    let mut met = case.clone();
    let mut absorbed = Vec::new();
    met.faults
        .retain_mut(|fault| match (fault.times, attempts(case, fault)) {
            (Times::Always, _) => true,
            (Times::Count(times), Some(least)) if times >= least => {
                fault.times = Times::Count(times / least);
                true
            }
            (Times::Count(_), _) => {
                absorbed.push(fault.clone());
                false
            }
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
