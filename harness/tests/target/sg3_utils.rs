//! sg3_utils used on the target.

use crate::daemon::Daemon;
use crate::rig::{Rig, run};
use crate::tools::tools;
use halfway_case::Times;
use halfway_protocol::io::Op;
use halfway_scsi::Reply;
use halfway_target::{BlockSize, Identity, Target};

/// What sg3_utils reports about a unit with two ports: a command, a part of what it
/// prints, and its exit status.
const SG3_UTILS: [(&str, &str, i32); 24] = [
    ("sg_inq", "version=0x06  [SPC-4]", 0),
    ("sg_inq", "MultiP=1", 0),
    ("sg_vpd", "Logical block provisioning (SBC) [lbpv]", 0),
    ("sg_vpd -p sn", "Unit serial number: leg0", 0),
    ("sg_vpd -p di", "Relative target port: 0x1", 0),
    ("sg_vpd -p bl", "Maximum transfer length: 65536 blocks", 0),
    ("sg_vpd -p bdc", "Non-rotating medium", 0),
    ("sg_vpd -p lbpv", "(thin provisioned)", 0),
    ("sg_readcap", "Number of logical blocks=8192", 0),
    ("sg_readcap -l", "lbpme=1, lbprz=1", 0),
    ("sg_opcodes -R", "Verify(12)", 0),
    ("sg_opcodes -o 0x28", "conforming to SCSI standard", 0),
    ("sg_opcodes -t", "Logical unit reset", 0),
    ("sg_rtpg -d", "(active/optimized)", 0),
    ("sg_rtpg -e", "Implicit transition time: 0", 0),
    ("sg_verify --lba=0 --count=2300 --bpc=2300", "", 0),
    // 18 means a medium error with INFORMATION.
    (
        "sg_verify --16 --lba=2048 --count=512 --bpc=512",
        "reported lba=0x8fc",
        18,
    ),
    ("sg_luns", "imples 1 lun entry", 0),
    ("sg_modes -a", "DpoFua=1", 0),
    ("sg_persist -c", "Type Mask Valid(TMV): 1", 0),
    ("sg_sync --16", "", 0),
    ("sg_unmap --lba=8 --num=8 --force", "", 0),
    ("sg_write_same --16 --lba=16 --num=8 --in=/dev/zero", "", 0),
    // 9 means an unknown operation code.
    ("sg_logs", "Invalid opcode", 9),
];

/// The same for a unit with blocks of 4096 bytes. The bad sector is in block 287.
const OF_4096: [(&str, &str, i32); 12] = [
    ("sg_inq", "version=0x06  [SPC-4]", 0),
    ("sg_inq", "MultiP=0", 0),
    ("sg_vpd -p sn", "Unit serial number: leg2", 0),
    ("sg_vpd -p bl", "Maximum transfer length: 8192 blocks", 0),
    ("sg_readcap", "Number of logical blocks=1024", 0),
    ("sg_readcap", "Logical block length=4096 bytes", 0),
    ("sg_readcap -l", "Logical block length=4096 bytes", 0),
    ("sg_opcodes -o 0x88", "conforming to SCSI standard", 0),
    ("sg_rtpg -d", "(active/optimized)", 0),
    ("sg_verify --lba=0 --count=287 --bpc=287", "", 0),
    (
        "sg_verify --16 --lba=256 --count=64 --bpc=64",
        "reported lba=0x11f",
        18,
    ),
    (
        "sg_write_same --16 --lba=16 --num=8 --xferlen=4096 --in=/dev/zero",
        "",
        0,
    ),
];

#[test]
fn sg3_utils_agree_with_what_is_claimed() {
    let names = [
        "inq",
        "vpd",
        "readcap",
        "opcodes",
        "rtpg",
        "verify",
        "luns",
        "modes",
        "persist",
        "sync",
        "unmap",
        "write_same",
        "logs",
        "reset",
    ];
    let programs = names.map(|name| format!("/usr/bin/sg_{name}"));
    let tools = tools(&programs);
    run(async {
        let daemon = Daemon::start(&[0, 0, 1]).await;
        let mut configs = Rig::ports(&daemon);
        let large = Identity {
            block: BlockSize::B4096,
            ..Identity::new("leg2")
        };
        configs.push(daemon.config(2, large));
        let (target, journal) = Target::start(configs).unwrap();
        let mut rig = Rig::boot(daemon, target, journal, tools, &[]).await;
        let fault = (Op::Read, 2300, Times::Always, 5);
        rig.daemon.arm(0, &[fault]).await;
        rig.daemon.arm(2, &[fault]).await;
        rig.open_shell().await;
        let disks = [0, 2].map(|leg| format!("/dev/{}", rig.disks[leg].name));
        let of = |disk: usize| move |(command, expected, status)| (disk, command, expected, status);
        let mut failed = String::new();
        for (disk, command, expected, status) in
            (SG3_UTILS.into_iter().map(of(0))).chain(OF_4096.into_iter().map(of(1)))
        {
            let disk = &disks[disk];
            let (text, found) = rig.sh(&format!("{command} {disk}")).await;
            if !text.contains(expected) || found != status {
                failed += &format!("{command}: not {status}, {expected:?} but {found}\n{text}\n");
            }
        }
        assert!(failed.is_empty(), "{failed}");

        // A command that is not answered. The guest's operator resets the unit, and the
        // guest sends the command again.
        rig.report(0, 5, "no-answer");
        let fault = (Op::Read, 2300, Times::Count(1), 5);
        rig.daemon.arm(0, &[fault]).await;
        rig.journal.try_iter().for_each(drop);
        let disk = &disks[0];
        let read = format!("dd if={disk} of=/dev/null bs=256k skip=4 count=1 iflag=direct");
        let reset = format!("{read} & sleep 1; sg_reset -d {disk}; wait $!");
        let (text, status) = rig.sh(&reset).await;
        assert!(text.contains("1+0 records in") && status == 0, "{text}");
        let told: Vec<_> = rig.journal.try_iter().map(|entry| entry.answer).collect();
        assert_eq!(told[0], Reply::Nothing, "{told:?}");
    });
}
