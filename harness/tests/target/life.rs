//! Requests that are not answered, and machines that end.

use crate::daemon::PATIENCE;
use crate::rig::{Rig, run};
use halfway::storage::Qmp as _;
use halfway_case::Times;
use halfway_protocol::io::Op;
use halfway_protocol::message::Request;
use halfway_target::Presence;
use qapi::qmp;
use std::time::{Duration, Instant};

#[test]
fn a_request_without_an_answer_holds_up_nobody_else() {
    run(async {
        let mut rig = Rig::mirror().await;
        let short = Duration::from_millis(500);

        // A silent HBA takes no requests; they wait until it is present again.
        rig.target.hbas()[0].set_presence(Presence::Silent);
        rig.begin("leg0", Op::Read, 0, 1).await;
        assert!(rig.pends(short).await);
        assert_eq!(rig.journal.try_iter().count(), 0);
        rig.target.hbas()[0].set_presence(Presence::Here);
        rig.finish().await.assert_read_from(0);

        // A command that is never answered. Its timeout in the guest passes, but the
        // driver does not let the guest abort it. A stop of the machine returns the
        // command, and the guest sends it again.
        // of the machine gives it back, and the guest tries again.
        let timeout = Request::Attribute {
            device: "leg0".to_owned(),
            attribute: "device/timeout".to_owned(),
            value: Some("1".to_owned()),
        };
        rig.call(timeout).await;
        rig.report(0, 5, "no-answer");
        let fault = (Op::Read, 2300, Times::Count(1), 5);
        rig.daemon.arm(0, &[fault]).await;
        rig.begin("leg0", Op::Read, 0, 1).await;
        assert!(rig.pends(Duration::from_secs(4)).await);
        let told: Vec<_> = rig.journal.try_iter().map(|it| it.to_string()).collect();
        println!("{told:?}");
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("nothing"));
        rig.guest.machine.qmp().execute(qmp::stop {}).await.unwrap();
        rig.guest.machine.qmp().execute(qmp::cont {}).await.unwrap();
        rig.finish().await.assert_read_from(0);

        // The same, but the guest reboots in the middle of it.
        rig.daemon.arm(0, &[fault]).await;
        rig.begin("leg0", Op::Read, 0, 1).await;
        assert!(rig.pends(short).await);
        rig.journal.try_iter().for_each(drop);
        let qmp = rig.guest.machine.qmp();
        let reboot = qmp::set_action {
            reboot: Some(qmp::RebootAction::reset),
            shutdown: None,
            panic: None,
            watchdog: None,
        };
        qmp.execute(reboot).await.unwrap();
        qmp.execute(qmp::system_reset {}).await.unwrap();
        let mut seen = [false; 2];
        let since = Instant::now();
        // The new kernel examines both disks: it sends READ CAPACITY (16) or (10).
        while seen != [true; 2] {
            assert!(since.elapsed() < PATIENCE, "the guest did not come back");
            for entry in rig.journal.try_iter() {
                seen[entry.hba] |= matches!(entry.opcode, 0x9e);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }

        // QEMU is killed, and the target serves the next QEMU.
        rig.guest.machine.kill();
        let Rig {
            guest,
            target,
            journal,
            daemon,
            ..
        } = rig;
        guest.machine.end().await;
        while target.hbas().iter().any(|hba| hba.is_connected()) {
            assert!(since.elapsed() < 2 * PATIENCE, "a connection outlives QEMU");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let rig = Rig::boot(daemon, target, journal, Vec::new(), &[]).await;
        rig.io("leg0", Op::Read, 0).await.assert_read_from(0);

        // Nothing is left of QEMU if it ends in the middle of a request.
        rig.target.hbas()[0].set_presence(Presence::Silent);
        rig.begin("leg0", Op::Read, 0, 1).await;
        assert!(rig.pends(short).await);
        for hba in rig.target.hbas() {
            assert_eq!(hba.trouble(), Vec::<String>::new());
        }
        let Rig { target, daemon, .. } = rig;
        let since = Instant::now();
        drop(target);
        assert!(since.elapsed() < Duration::from_secs(2));
        assert!(!daemon.directory.path().join("hba0").exists());
    });
}

/// A socket closes, as if the target's process had died. QEMU 7.2 does not connect again.
#[test]
fn a_socket_that_closes_takes_its_own_disk_only() {
    run(async {
        let rig = Rig::mirror().await;
        rig.target.hbas()[0].disconnect();
        let since = Instant::now();
        while rig.target.hbas()[0].is_connected() {
            assert!(since.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        rig.io("leg1", Op::Read, 0).await.assert_read_from(1);
        rig.begin("leg0", Op::Read, 0, 1).await;
        assert!(rig.pends(Duration::from_secs(1)).await);
        let qmp = rig.guest.machine.qmp();
        let status = qmp.execute(qmp::query_status {}).await.unwrap();
        assert!(status.running);
        println!("QEMU says {:?}", rig.guest.machine.stderr().since(0));
    });
}
