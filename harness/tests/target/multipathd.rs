//! Real multipath-tools on two ports of one unit.

use crate::rig::{Rig, run};
use crate::tools::tools;
use halfway_builder::{Cache, Extra, Userland};
use halfway_case::Times;
use halfway_protocol::io::Op;
use halfway_protocol::message::Disk;
use halfway_target::{Entry, Presence, Target};
use std::time::{Duration, Instant};

/// A configuration for multipathd. `no_path_retry` says what it does when no path is
/// left.
fn configuration(no_path_retry: &str) -> String {
    format!(
        "defaults {{\n find_multipaths no\n polling_interval 1\n max_polling_interval 1\n \
         user_friendly_names no\n path_checker tur\n no_path_retry {no_path_retry}\n}}\n"
    )
}

/// A shell command, on one line, that writes the configuration.
fn written(configuration: &str) -> String {
    let text = configuration.replace('\n', "\\n");
    format!("printf '{text}' >/etc/multipath.conf")
}

/// A shell, and Debian's multipath-tools and udev.
fn multipath_tools() -> Vec<Extra> {
    let cache = Cache::open().unwrap();
    let set = Userland::named("multipath").unwrap();
    let mut extra = tools(&[]);
    let programs = set.get(&cache, &mut |stage| println!("{stage}")).unwrap();
    let guest = |extra: &Extra| match extra {
        Extra::File { guest, .. } | Extra::Content { guest, .. } | Extra::Link { guest, .. } => {
            guest.clone()
        }
    };
    extra.retain(|tool| programs.iter().all(|program| guest(program) != guest(tool)));
    extra.extend(programs);
    extra
}

impl Rig {
    /// Starts udevd, and multipathd with this configuration.
    async fn start_multipathd(&mut self, no_path_retry: &str) {
        let configuration = configuration(no_path_retry);
        let configure = written(&configuration);
        for command in [
            "mkdir -p /run /tmp /var /etc/udev; mount -t tmpfs none /run; ln -s /run /var/run",
            "mkdir -p /run/lock; /lib/systemd/systemd-udevd --daemon",
            "udevadm trigger --type=all --action=add; udevadm settle -t 30",
            &configure,
            "multipathd",
        ] {
            self.well(command).await;
        }
    }

    /// Makes multipathd use another configuration.
    async fn reconfigure(&mut self, no_path_retry: &str) {
        let configuration = configuration(no_path_retry);
        let configure = written(&configuration);
        self.well(&configure).await;
        self.well("multipathd reconfigure").await;
    }

    /// Removes both HBAs, or brings them back.
    fn gone(&self, gone: bool) {
        let presence = if gone { Presence::Gone } else { Presence::Here };
        for hba in self.target.hbas() {
            hba.set_presence(presence);
        }
    }

    /// Runs a command that must succeed.
    async fn well(&mut self, command: &str) -> String {
        let (text, status) = self.sh(command).await;
        assert_eq!(status, 0, "{command}: {text}");
        text
    }
}

#[test]
#[ignore = "takes minutes, and the archive's multipath-tools: run it by its name"]
fn multipathd_assembles_two_ports_and_survives_the_loss_of_one() {
    run(async {
        let (daemon, configs) = Rig::two_paths().await;
        let tools = multipath_tools();
        let (target, journal) = Target::start(configs).unwrap();
        let mut rig = Rig::boot(daemon, target, journal, tools, &[]).await;
        rig.open_shell().await;
        rig.start_multipathd("queue").await;
        let map = rig.paths_become(&["active ready", "active ready"]).await;
        let device = format!("/dev/mapper/{}", map.split_whitespace().next().unwrap());
        // Before the first request, no path is the active one.
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

        // First requests fail on the active path when they are half done, then the path
        // disappears.
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

        // Without a path a read waits. It comes back whole when the first path is back.
        rig.gone(true);
        rig.well(&format!(
            "(dd if={device} of=/tmp/c bs=256k skip=4 count=1 iflag=direct; touch /tmp/read) \
             >/dev/null 2>&1 & true"
        ))
        .await;
        rig.paths_become(&["failed faulty", "failed faulty"]).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (_, there) = rig.sh("test -e /tmp/read").await;
        assert_ne!(there, 0, "it did not wait");
        rig.gone(false);
        rig.paths_become(&["active ready", "active ready"]).await;
        rig.well("while [ ! -e /tmp/read ]; do sleep 1; done; cmp /tmp/a /tmp/c")
            .await;

        // The read fails at once, or after this many checks.
        let read = format!("dd if={device} of=/dev/null bs=256k skip=4 count=1 iflag=direct");
        for (no_path_retry, least) in [("fail", 0), ("4", 3)] {
            rig.reconfigure(no_path_retry).await;
            rig.paths_become(&["active ready", "active ready"]).await;
            rig.gone(true);
            let since = Instant::now();
            let (text, status) = rig.sh(&read).await;
            let took = since.elapsed();
            println!("no_path_retry {no_path_retry}: {took:?}: {text}");
            assert_ne!(status, 0, "{text}");
            assert!(took >= Duration::from_secs(least), "{took:?}");
            rig.gone(false);
            rig.paths_become(&["active ready", "active ready"]).await;
            rig.well(&read).await;
        }
    });
}
