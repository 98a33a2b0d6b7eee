//! What of a report cannot be played here, and why.
//!
//! Whether a function is reached is measured. What is listed here by hand are only names
//! for what lies outside.

use crate::asked::Asked;
use crate::rank::Ranking;
use crate::table::Table;
use halfway_crash::Report;
use std::fmt;

/// Something in a report that cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What it is.
    pub what: What,
    /// Where the report shows it.
    pub shown_by: String,
}

/// What cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Another architecture.
    Machine(&'static str),
    /// Code that is part of no stack here, such as a target of device-mapper.
    Part(&'static str),
    /// Functions that no scenario reaches.
    Functions,
    /// Nothing in it is known here.
    Nothing,
}

impl Limit {
    /// Whether nothing that can be run has to do with the report. A bug of another
    /// architecture is mostly one of all.
    pub fn is_final(&self) -> bool {
        !matches!(self.what, What::Machine(_))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = &self.shown_by;
        match self.what {
            What::Machine(name) => write!(
                f,
                "the report is from {name} ({by}), and guests are x86-64: what only that machine \
                 does cannot come"
            ),
            What::Part(name) => write!(f, "it is about {name} ({by}), which no scenario has"),
            What::Functions => write!(f, "no scenario reaches {by}"),
            What::Nothing => f.write_str(
                "it has no function that a scenario reaches, no message of the kernel that one \
                 causes, and no word about mirrors or multipath",
            ),
        }
    }
}

/// What a line shows that only this architecture prints, at the start of the line.
const MACHINES: [(&str, &str); 9] = [
    ("pstate: ", "arm64"),
    ("pc : ", "arm64"),
    ("Mem abort info:", "arm64"),
    ("PC is at ", "32-bit arm"),
    ("NIP [", "powerpc"),
    ("NIP: ", "powerpc"),
    ("Krnl PSW", "s390"),
    ("epc : ", "riscv"),
    ("EIP: ", "32-bit x86"),
];

/// What the release of a distribution's kernel ends with.
const RELEASES: [(&str, &str); 7] = [
    ("arm64", "arm64"),
    ("aarch64", "arm64"),
    ("ppc64le", "powerpc"),
    ("powerpc64le", "powerpc"),
    ("s390x", "s390"),
    ("riscv64", "riscv"),
    ("686-pae", "32-bit x86"),
];

/// Parts of the kernel: their name, how their functions and modules begin, and how people
/// call them.
const PARTS: [(&str, &[&str], &[&str]); 19] = [
    (
        "dm-snapshot",
        &["dm_snapshot", "snapshot_", "origin_"],
        &[
            "dm-snapshot",
            "snapshot-origin",
            "snapshot-merge",
            "snapshot origin",
        ],
    ),
    (
        "dm-thin",
        &["dm_thin", "dm_pool", "thin_", "pool_map"],
        &["dm-thin", "thin-pool", "thin pool", "thinpool"],
    ),
    (
        "dm-crypt",
        &["dm_crypt", "crypt_", "kcryptd"],
        &["dm-crypt", "luks"],
    ),
    ("dm-cache", &["dm_cache", "cache_map"], &["dm-cache"]),
    (
        "dm-writecache",
        &["dm_writecache", "writecache_"],
        &["dm-writecache"],
    ),
    (
        "dm-integrity",
        &["dm_integrity", "integrity_", "dm_integrity_"],
        &["dm-integrity"],
    ),
    ("dm-verity", &["dm_verity", "verity_"], &["dm-verity"]),
    ("dm-zoned", &["dm_zoned", "dmz_"], &["dm-zoned"]),
    (
        "zoned disks",
        &[
            "blkdev_zone",
            "blk_zone",
            "disk_zone",
            "sd_zbc",
            "dm_zone",
            "zonefs_",
        ],
        &["zoned", "zone append", "zonefs"],
    ),
    ("dm-era", &["dm_era", "era_"], &["dm-era"]),
    ("dm-clone", &["dm_clone", "clone_map"], &["dm-clone"]),
    ("dm-vdo", &["dm_vdo", "vdo_"], &["dm-vdo"]),
    (
        "md",
        &["md_", "raid0_", "raid5_", "raid456", "raid10_", "raid1_"],
        &["mdadm", "/dev/md", "raid5", "raid6", "raid10"],
    ),
    ("bcache", &["bcache", "bch_"], &["bcache"]),
    ("drbd", &["drbd"], &["drbd"]),
    ("nbd", &["nbd_"], &["nbd"]),
    (
        "NVMe over fabrics",
        &["nvme_tcp", "nvme_rdma", "nvme_fc", "nvmf_"],
        &["nvme-tcp", "nvme over fabrics", "nvme/tcp"],
    ),
    (
        "Fibre Channel",
        &["qla2x", "lpfc", "fc_"],
        &["fibre channel", "qla2xxx", "lpfc"],
    ),
    (
        "network file systems",
        &["nfs_", "nfs4_", "cifs_", "ceph_"],
        &[],
    ),
];

/// What of a report cannot be played.
pub fn limits(
    text: &str,
    reports: &[Report],
    asked: &Asked,
    table: &Table,
    ranking: &Ranking,
) -> Vec<Limit> {
    let mut limits: Vec<Limit> = machine(text, reports).into_iter().collect();
    let part = part_of_frames(reports, table);
    let part = part.or_else(|| part_of_words(text, reports, asked));
    match part {
        Some(part) => limits.push(part),
        None if ranking.foreign => limits.push(Limit {
            what: What::Functions,
            shown_by: asked.functions[..asked.functions.len().min(3)].join(", "),
        }),
        None if ranking.is_of_words() && !asked.speaks_of_ours() => limits.push(Limit {
            what: What::Nothing,
            shown_by: String::new(),
        }),
        None => {}
    }
    limits
}

fn machine(text: &str, reports: &[Report]) -> Option<Limit> {
    let of_release = reports.iter().find_map(|report| {
        let release = report.facts.release.as_deref()?;
        let (_, name) = RELEASES.iter().find(|(end, _)| release.ends_with(end))?;
        Some((*name, release.to_owned()))
    });
    let of_lines = || {
        let lines = halfway_crash::clean::lines(text);
        lines.iter().find_map(|line| {
            let shown = line.text.trim_start();
            let (begin, name) = MACHINES
                .iter()
                .find(|(begin, _)| shown.starts_with(begin))?;
            Some((*name, format!("`{}`", begin.trim_end())))
        })
    };
    let (name, shown_by) = of_release.or_else(of_lines)?;
    Some(Limit {
        what: What::Machine(name),
        shown_by,
    })
}

/// The part that a frame of the first report is in, if no scenario reaches that frame.
fn part_of_frames(reports: &[Report], table: &Table) -> Option<Limit> {
    let frames = &reports.first()?.frames;
    frames.iter().find_map(|frame| {
        let module = frame.module.as_deref().unwrap_or_default();
        let begins = |begin: &&str| frame.function.starts_with(begin) || module.starts_with(begin);
        let (name, ..) = PARTS
            .iter()
            .find(|(_, begin, _)| begin.iter().any(begins))?;
        let out_of_reach = table.reaching(&frame.function).next().is_none();
        out_of_reach.then(|| Limit {
            what: What::Part(name),
            shown_by: frame.function.clone(),
        })
    })
}

/// The part that a person's words name, if they name nothing that can be played, and the
/// kernel reports no function.
fn part_of_words(text: &str, reports: &[Report], asked: &Asked) -> Option<Limit> {
    if asked.speaks_of_ours() || reports.iter().any(|report| report.function.is_some()) {
        return None;
    }
    let text = text.to_lowercase();
    PARTS.iter().find_map(|(name, _, words)| {
        let word = words.iter().find(|word| has_word(&text, word))?;
        Some(Limit {
            what: What::Part(name),
            shown_by: format!("\u{201c}{word}\u{201d}"),
        })
    })
}

/// Whether the words are in the text, not as a part of another word.
fn has_word(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(at, _)| {
        let of_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let (before, after) = (&text[..at], &text[at + words.len()..]);
        !of_word(before.chars().next_back()) && !of_word(after.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::{Subject, rank};
    use rstest::rstest;

    const SUBJECT: Subject<'_> = Subject {
        name: "a",
        about: "",
    };

    fn table() -> Table {
        let mut table = Table::new("6.1");
        let functions = ["bio_advance", "dm_submit_bio", "origin_of_mirror"];
        table.add("a", functions.map(str::to_owned), []);
        table
    }

    fn of(text: &str) -> Vec<Limit> {
        let reports = halfway_crash::decode(text);
        let asked = Asked::of(text, &reports, &table());
        let ranking = rank(&asked, &table(), &[SUBJECT]);
        limits(text, &reports, &asked, &table(), &ranking)
    }

    fn oops(frames: &str) -> String {
        format!(
            "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
             RIP: 0010:bio_advance+0x10/0x40\nCall Trace:\n{frames}"
        )
    }

    #[rstest]
    #[case::snapshot(&oops(" origin_map+0x1/0x2 [dm_snapshot]\n"), "it is about dm-snapshot (origin_map), which no scenario has")]
    #[case::nothing(
        "It crashed.",
        "it has no function that a scenario reaches, no message of the kernel that one causes, \
         and no word about mirrors or multipath"
    )]
    #[case::words(
        "A zoned disk gives EIO.",
        "it is about zoned disks (\u{201c}zoned\u{201d}), which no scenario has"
    )]
    #[case::arm(
        "Unable to handle kernel NULL pointer dereference\npc : bio_advance+0x1/0x2\n",
        "the report is from arm64 (`pc :`), and guests are x86-64: what only that machine does cannot come"
    )]
    fn what_cannot_be_played(#[case] text: &str, #[case] expected: &str) {
        let words: Vec<String> = of(text).iter().map(Limit::to_string).collect();
        assert_eq!(words, [expected]);
    }

    #[rstest]
    #[case::reached(&oops(" origin_of_mirror+0x1/0x2\n"))]
    #[case::ours("The mirror on my luks disk gives EIO.")]
    #[case::part_of_a_word("The mirror is prezonedout.")]
    fn what_can(#[case] text: &str) {
        assert_eq!(of(text), []);
    }

    #[test]
    fn another_machine_is_tried_all_the_same() {
        let limit = |what| Limit {
            what,
            shown_by: String::new(),
        };
        assert!(!limit(What::Machine("arm64")).is_final());
        assert!(limit(What::Functions).is_final());
    }
}
