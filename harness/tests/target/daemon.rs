//! Starts a real storage daemon for the tests.

use halfway::machine;
use halfway::storage::blkdebug::{Arming, Behaviour, Rule, initial_nodes};
use halfway_case::Times;
use halfway_case::observation::Member;
use halfway_protocol::content::{Origin, SECTOR, Span, Stamp, classify};
use halfway_protocol::io::Op;
use halfway_target::{HbaConfig, Identity};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

pub const DAEMON: &str = "qemu-storage-daemon";
pub const QEMU: &str = "qemu-system-x86_64";
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const SECTORS: u64 = 8192;
pub const SEED: u64 = 11;

/// A storage daemon with a blkdebug node for each leg.
pub struct Daemon {
    process: machine::Daemon,
    arming: Vec<Arming>,
    pub directory: TempDir,
}

impl Daemon {
    /// Starts the daemon. For each leg, `files` has the number of the image that it lies
    /// on.
    pub async fn start(files: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mut args = Vec::new();
        let mut images = files.to_vec();
        images.dedup();
        for image in images {
            fs::write(at(&format!("image{image}")), content(image)).unwrap();
        }
        for (leg, image) in (0..).zip(files) {
            let member = Member::Leg(leg);
            let path = at(&format!("image{image}"));
            args.push("--blockdev".to_owned());
            args.push(format!(
                "driver=file,node-name=leg{leg}-medium,filename={},locking=off",
                path.display()
            ));
            // The nodes above the medium are the same as for any other leg.
            for node in &initial_nodes(member, "")[1..] {
                let node = serde_json::to_string(node).unwrap();
                args.extend(["--blockdev".to_owned(), node]);
            }
        }
        args.push("--nbd-server".to_owned());
        args.push(format!(
            "addr.type=unix,addr.path={},max-connections=16",
            at("nbd").display()
        ));
        for leg in 0..files.len() {
            args.push("--export".to_owned());
            args.push(format!(
                "type=nbd,id=export{leg},node-name=leg{leg},name=leg{leg},writable=on"
            ));
        }
        let process = machine::Daemon::start(Path::new(DAEMON), directory.path(), &args).await;
        Daemon {
            process: process.unwrap(),
            arming: (0..files.len() as u8)
                .map(|leg| Arming::new(Member::Leg(leg)))
                .collect(),
            directory,
        }
    }

    /// Arms exactly these faults on a leg.
    pub async fn arm(&mut self, leg: usize, faults: &[(Op, i64, Times, i32)]) {
        let rules = faults.iter().map(|(op, sector, times, errno)| Rule {
            op: *op,
            sector: *sector,
            times: *times,
            errno: *errno,
        });
        let behaviour = Behaviour {
            rules: rules.collect(),
            max_transfer: None,
        };
        let armed = self.arming[leg].arm(self.process.qmp(), behaviour);
        tokio::time::timeout(PATIENCE, armed)
            .await
            .unwrap()
            .unwrap();
    }

    pub fn config(&self, leg: u16, unit: Identity) -> HbaConfig {
        HbaConfig {
            id: format!("hba{leg}"),
            socket: self.directory.path().join(format!("hba{leg}")),
            nbd: self.directory.path().join("nbd"),
            export: format!("leg{leg}"),
            unit,
        }
    }

    /// The content of some sectors of an image.
    pub fn sectors(&self, image: u8, sector: u64, sectors: u64) -> Vec<Span> {
        let data = fs::read(self.directory.path().join(format!("image{image}"))).unwrap();
        let at = |sector: u64| sector as usize * SECTOR;
        classify(&data[at(sector)..at(sector + sectors)], SEED)
    }
}

/// The content of an image: every sector names itself and its image.
pub fn content(image: u8) -> Vec<u8> {
    let stamp = |sector| Stamp {
        origin: Origin::Leg(image),
        generation: 0,
        sector,
        seed: SEED,
    };
    (0..SECTORS)
        .flat_map(|sector| stamp(sector).bytes())
        .collect()
}
