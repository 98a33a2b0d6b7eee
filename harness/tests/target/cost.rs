//! Measures what the SCSI target costs.

use crate::daemon::{Daemon, content};
use crate::rig::{Rig, run};
use halfway_case::Times;
use halfway_protocol::io::Op;
use halfway_target::{Identity, Target};
use std::fs;

/// The three are measured in one run, and the best of many measurements counts: the host
/// does other things meanwhile.
#[test]
#[ignore = "a measurement: for an idle machine"]
fn a_failure_costs_little_and_a_clean_read_not_more_than_three_times_qemus_own() {
    run(async {
        let daemon = Daemon::start(&[0, 1]).await;
        let legs = (0..2).map(|leg| daemon.config(leg, Identity::new(format!("leg{leg}"))));
        let (target, journal) = Target::start(legs.collect()).unwrap();
        let own = daemon.directory.path().join("own");
        fs::write(&own, content(2)).unwrap();
        let args = [
            "-blockdev".to_owned(),
            format!("driver=file,node-name=own,filename={}", own.display()),
            "-device".to_owned(),
            "virtio-scsi-pci,id=own-hba,num_queues=1,disable-legacy=on".to_owned(),
            "-device".to_owned(),
            "scsi-hd,bus=own-hba.0,drive=own,serial=own".to_owned(),
        ];
        let mut rig = Rig::boot(daemon, target, journal, Vec::new(), &args).await;
        let mut best = [u64::MAX; 3];
        for _ in 0..40 {
            for (device, best) in ["leg1", "own", "leg0"].iter().zip(&mut best) {
                let faults: &[_] = match *device {
                    "leg0" => &[(Op::Read, 2300, Times::Always, 5)],
                    _ => &[],
                };
                rig.daemon.arm(0, faults).await;
                let it = rig.io(device, Op::Read, 0).await;
                assert_eq!(it.result().result.is_err(), *device == "leg0");
                *best = it.report.micros.min(*best);
            }
        }
        let [clean, qemu, failing] = best;
        println!("clean {clean} us, QEMU's own {qemu} us, failing {failing} us");
        assert!(clean < 3 * qemu);
        assert!(failing < clean + 5000);
    });
}
