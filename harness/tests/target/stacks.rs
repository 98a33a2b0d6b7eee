//! Partial completion beneath device-mapper.

use crate::rig::{Rig, run};
use halfway_case::Times;
use halfway_protocol::content::{Origin, SECTOR};
use halfway_protocol::io::Op;
use halfway_protocol::message::Request;
use halfway_target::Presence;

const MIRROR: &str = "core 2 1024 nosync 2 {leg0} 0 {leg1} 0";

#[test]
fn a_mirror_resubmits_what_a_disk_completed_in_part() {
    run(async {
        let mut rig = Rig::mirror().await;
        rig.create("mirror", MIRROR).await;
        for _ in 0..3 {
            rig.daemon
                .arm(0, &[(Op::Read, 2300, Times::Always, 5)])
                .await;
            let it = rig.io("stack", Op::Read, 0).await;
            assert_eq!(it.completed(rig.dev(0)), [(2048, 252, 0), (2300, 260, -61)]);
            assert_eq!(it.completed(rig.dev(1)), [(2048, 512, 0)]);
            it.assert_read_from(1);

            rig.daemon.arm(0, &[]).await;
            rig.remove().await;
            rig.create("mirror", MIRROR).await;
            let it = rig.io("stack", Op::Read, 0).await;
            assert_eq!(it.completed(rig.dev(0)), [(2048, 512, 0)]);
            it.assert_read_from(0);
        }
        rig.remove().await;
    });
}

/// A multipath table with two priority groups: one path, and the other for when the first
/// one fails.
const PATHS: &str = "0 0 2 1 round-robin 0 1 1 {leg0} 1 round-robin 0 1 1 {leg1} 1";

#[test]
fn a_path_that_fails_halfway_is_left_for_the_other() {
    run(async {
        let mut rig = Rig::paths().await;
        for (op, report) in [
            (Op::Read, "short-good+bad-target"),
            (Op::Write, "short-good+bad-target"),
            (Op::Read, "bad-target"),
        ] {
            for mode in ["2 queue_mode bio", "2 queue_mode mq"] {
                let params = PATHS.replacen('0', mode, 1);
                rig.create("multipath", &params).await;
                rig.report(0, 5, report);
                rig.daemon.arm(0, &[(op, 2300, Times::Always, 5)]).await;
                let before = rig.io("stack", op, 0).await;
                let context = format!("{op:?} {report} {mode}\n{}", before.told());
                let done = before.result().result;
                assert_eq!(done, Ok(512 * SECTOR as u64), "{context}");
                assert_eq!(before.completed(rig.dev(1)), [(2048, 512, 0)], "{context}");
                if report.starts_with("short") {
                    let first = before.completed(rig.dev(0))[0];
                    assert_eq!(first, (2048, 252, 0), "{context}");
                }
                rig.daemon.arm(0, &[]).await;
                rig.remove().await;
            }
        }
        // A request is merged from many bios. Bios that were completed are not sent
        // again; the one that was half done is.
        let params = PATHS.replacen('0', "2 queue_mode mq", 1);
        let dm = rig.create("multipath", &params).await;
        rig.report(0, 5, "short-good+bad-target");
        rig.daemon
            .arm(0, &[(Op::Read, 2300, Times::Always, 5)])
            .await;
        rig.begin("stack", Op::Read, 0, 64).await;
        let merged = rig.finish().await;
        merged.assert_read(Origin::Writer(0));
        let first = merged.completed(rig.dev(0))[0];
        assert_eq!(first, (2048, 252, 0), "{}", merged.told());
        assert_eq!(merged.completed(rig.dev(1)), [(2296, 264, 0)]);
        assert!(merged.completed(dm).contains(&(2048, 248, 0)));
        rig.daemon.arm(0, &[]).await;
        rig.remove().await;

        // A medium error is the same on every path, so it is reported to the application.
        let params = PATHS.replacen('0', "2 queue_mode mq", 1);
        rig.create("multipath", &params).await;
        rig.report(0, 5, "medium-error");
        rig.daemon
            .arm(0, &[(Op::Read, 2300, Times::Always, 5)])
            .await;
        let it = rig.io("stack", Op::Read, 0).await;
        assert_eq!(it.result().result, Err(61), "{}", it.told());
        assert_eq!(it.completed(rig.dev(0)), [(2048, 252, 0), (2300, 260, -61)]);
        assert_eq!(it.completed(rig.dev(1)), []);
        rig.daemon.arm(0, &[]).await;

        // If a path disappears, I/O goes to the other one. When the first is back and the
        // other disappears, I/O returns to the first.
        rig.target.hbas()[0].set_presence(Presence::Gone);
        let gone = rig.io("stack", Op::Read, 0).await;
        gone.assert_read(Origin::Writer(0));
        assert_eq!(gone.completed(rig.dev(1)), [(2048, 512, 0)]);
        rig.target.hbas()[0].set_presence(Presence::Here);
        let path = format!("reinstate_path {}:{}", rig.dev(0).0, rig.dev(0).1);
        rig.call(Request::DmMessage {
            name: "stack".to_owned(),
            sector: 0,
            message: path,
        })
        .await;
        rig.target.hbas()[1].set_presence(Presence::Gone);
        let back = rig.io("stack", Op::Read, 0).await;
        back.assert_read(Origin::Writer(0));
        assert_eq!(back.completed(rig.dev(0)), [(2048, 512, 0)]);
        rig.remove().await;
    });
}
