//! Real multipath-tools on two ports of one unit.

use crate::rig::{Rig, run};
use crate::tools::tools;
use halfway::machine::command::SHELL_PORT;
use halfway::scenario::case::Times;
use halfway_builder::Extra;
use halfway_protocol::io::Op;
use halfway_protocol::message::{Disk, Request};
use halfway_target::{Entry, Presence, Target};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Debian's multipath-tools, udev, libaio1 and liburcu8, unpacked by dpkg-deb.
const MULTIPATH: &str = "HALFWAY_MULTIPATH_ROOT";

/// All that is in a directory, at `guest`.
fn tree(host: &Path, guest: &str, extra: &mut Vec<Extra>) {
    let Ok(entries) = fs::read_dir(host) else {
        return;
    };
    for entry in entries {
        let host = entry.unwrap().path();
        let guest = format!("{guest}/{}", host.file_name().unwrap().to_str().unwrap());
        if host.is_dir() {
            tree(&host, &guest, extra);
        } else if host.is_file() {
            extra.push(Extra::File {
                guest,
                host,
                mode: 0o755,
            });
        }
    }
}

fn multipath_tools(root: &Path, configuration: &Path) -> Vec<Extra> {
    let libraries = "/lib/x86_64-linux-gnu";
    let at = |part: &str| root.join(part);
    let mut extra = tools(&[]).unwrap();
    let search = format!(
        "{}:{}",
        at("lib").display(),
        at("usr/lib/x86_64-linux-gnu").display()
    );
    for program in [
        "sbin/multipathd",
        "sbin/multipath",
        "bin/udevadm",
        "lib/udev/scsi_id",
    ] {
        let ldd = std::process::Command::new("ldd")
            .arg(at(program))
            .env("LD_LIBRARY_PATH", &search)
            .output()
            .unwrap();
        let ldd = String::from_utf8(ldd.stdout).unwrap();
        for host in ldd.split_whitespace().filter(|word| word.starts_with('/')) {
            let name = Path::new(host).file_name().unwrap().to_str().unwrap();
            let guest = match host.starts_with("/lib64") {
                true => host.to_owned(),
                false => format!("{libraries}/{name}"),
            };
            let known =
                |it: &Extra| matches!(it, Extra::File { guest: other, .. } if *other == guest);
            if !extra.iter().any(known) {
                extra.push(Extra::File {
                    guest,
                    host: host.into(),
                    mode: 0o755,
                });
            }
        }
    }
    for (host, guest) in [
        (at("sbin"), "/sbin"),
        (at("lib/udev"), "/lib/udev"),
        (at("lib/multipath"), "/lib/multipath"),
    ] {
        tree(&host, guest, &mut extra);
    }
    for (host, guest) in [
        (at("bin/udevadm"), "/bin/udevadm".to_owned()),
        (configuration.to_owned(), "/etc/multipath.conf".to_owned()),
        // Cancelling a thread loads it.
        (
            "/lib/x86_64-linux-gnu/libgcc_s.so.1".into(),
            format!("{libraries}/libgcc_s.so.1"),
        ),
        (
            "/lib/udev/rules.d/55-dm.rules".into(),
            "/lib/udev/rules.d/55-dm.rules".to_owned(),
        ),
        (
            "/lib/udev/rules.d/95-dm-notify.rules".into(),
            "/lib/udev/rules.d/95-dm-notify.rules".to_owned(),
        ),
    ] {
        extra.push(Extra::File {
            guest,
            host,
            mode: 0o755,
        });
    }
    extra.push(Extra::Link {
        guest: "/lib/systemd/systemd-udevd".to_owned(),
        target: "/bin/udevadm".to_owned(),
    });
    extra
}

#[test]
#[ignore = "needs multipath-tools and udev, unpacked where HALFWAY_MULTIPATH_ROOT says"]
fn multipathd_assembles_two_ports_and_survives_the_loss_of_one() {
    let root = std::env::var_os(MULTIPATH).unwrap_or_else(|| panic!("{MULTIPATH} is not set"));
    run(async {
        let (daemon, configs) = Rig::two_paths().await;
        let configuration = daemon.directory.path().join("multipath.conf");
        let text = "defaults {\n find_multipaths no\n polling_interval 1\n max_polling_interval 1\n \
                    user_friendly_names no\n no_path_retry 10\n}\n";
        fs::write(&configuration, text).unwrap();
        let tools = multipath_tools(Path::new(&root), &configuration);
        let (target, journal) = Target::start(configs).unwrap();
        let mut rig = Rig::boot(daemon, target, journal, tools, &[]).await;
        let shell = Request::Shell {
            port: SHELL_PORT.to_owned(),
        };
        let _ended = rig.guest.guest.call_within(shell, Duration::MAX);
        for command in [
            "mkdir -p /run /tmp /var /etc/udev; mount -t tmpfs none /run; ln -s /run /var/run",
            "mkdir -p /run/lock; /lib/systemd/systemd-udevd --daemon",
            "udevadm trigger --type=all --action=add; udevadm settle -t 30",
            "multipathd",
        ] {
            let (text, status) = rig.sh(command).await;
            assert_eq!(status, 0, "{command}: {text}");
        }
        let map = rig.paths_become(&["active ready", "active ready"]).await;
        let device = format!("/dev/mapper/{}", map.split_whitespace().next().unwrap());
        // No path is the active one before the first request.
        let first =
            format!("udevadm settle; dd if={device} of=/dev/null bs=4k count=1 iflag=direct");
        let (text, status) = rig.sh(&first).await;
        assert_eq!(status, 0, "{text}");
        let map = rig.paths_become(&["active ready", "active ready"]).await;
        assert!(map.contains("status=active"), "{map}");
        let (_, group) = map.split_once("status=active").unwrap();
        let path = group.lines().find(|line| line.contains(" sd")).unwrap();
        let is_it = |disk: &Disk| path.contains(&disk.name);
        let active = rig.disks.iter().position(is_it).unwrap();
        println!("{map}active: leg{active}");

        // An application that writes, reads back and compares, all the time.
        let work = format!(
            "while [ ! -e /tmp/stop ]; do dd if=/dev/urandom of=/tmp/a bs=256k count=1; \
             dd if=/tmp/a of={device} bs=256k seek=4 count=1 oflag=direct && \
             dd if={device} of=/tmp/b bs=256k skip=4 count=1 iflag=direct && \
             cmp /tmp/a /tmp/b || echo WRONG >>/tmp/wrong; echo >>/tmp/count; done"
        );
        rig.sh(&format!(
            "({work}; touch /tmp/stopped) >/dev/null 2>&1 & true"
        ))
        .await;

        // Requests fail on the active path when they are half done, and then it
        // is gone altogether.
        rig.report(active, 5, "short-good+bad-target");
        let faults = [Op::Read, Op::Write].map(|op| (op, 2300, Times::Always, 5));
        rig.daemon.arm(active, &faults).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        rig.target.hbas()[active].set_presence(Presence::Gone);
        let lost = rig.paths_become(&["failed faulty", "active ready"]).await;
        println!("{lost}");
        let halfway = |entry: &Entry| entry.hba == active && entry.good == 252;
        assert!(rig.journal.try_iter().any(|entry| halfway(&entry)));

        rig.daemon.arm(active, &[]).await;
        rig.target.hbas()[active].set_presence(Presence::Here);
        let back = rig.paths_become(&["active ready", "active ready"]).await;
        println!("{back}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (text, _) = rig
            .sh("touch /tmp/stop; while [ ! -e /tmp/stopped ]; do sleep 1; done; touch /tmp/wrong; cat /tmp/wrong; wc -l </tmp/count")
            .await;
        let rounds = text.trim().lines().last();
        let rounds: Option<u32> = rounds.and_then(|line| line.trim().parse().ok());
        println!("rounds of the application: {rounds:?}");
        assert!(!text.contains("WRONG"));
        assert!(rounds > Some(5), "{text}");
    });
}
