//! The programs of a soak over a file system.

use halfway_case::Filesystem;

/// A program of the guest with its arguments. `{}` stands for the block device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What the program is for, in a word or two.
    pub purpose: &'static str,
    /// Absolute path of the program, then its arguments.
    pub argv: Vec<String>,
    /// Environment variables, as (name, value).
    pub env: Vec<(String, String)>,
}

/// I/Os that fio writes in one round. It reads each of them at least twice.
pub const ROUND: u32 = 768;

/// How many rounds are needed for that many I/Os.
pub fn rounds(count: u32) -> u32 {
    count.div_ceil(ROUND).max(1)
}

fn call(purpose: &'static str, line: &str) -> Call {
    Call {
        purpose,
        argv: line.split_whitespace().map(str::to_owned).collect(),
        env: Vec::new(),
    }
}

/// Makes the file system. Nothing is discarded first, and nothing is left for
/// the kernel to initialise later.
pub fn make(filesystem: Filesystem) -> Option<Call> {
    match filesystem {
        Filesystem::None => None,
        Filesystem::Ext4 => Some(call(
            "making ext4",
            "/sbin/mke2fs -q -F -t ext4 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 {}",
        )),
        // mkfs.xfs makes file systems below 300 MB only for xfstests, which it
        // recognises by these variables (`validate_supported` in
        // mkfs/xfs_mkfs.c).
        Filesystem::Xfs => Some(Call {
            env: ["TEST_DIR", "TEST_DEV", "QA_CHECK_FS"]
                .map(|name| (name.to_owned(), "1".to_owned()))
                .into(),
            ..call("making xfs", "/sbin/mkfs.xfs -q -f -K {}")
        }),
    }
}

/// Checks the unmounted file system without changing it.
pub fn check(filesystem: Filesystem) -> Option<Call> {
    match filesystem {
        Filesystem::None => None,
        Filesystem::Ext4 => Some(call("checking ext4", "/sbin/e2fsck -f -n {}")),
        Filesystem::Xfs => Some(call("checking xfs", "/sbin/xfs_repair -n {}")),
    }
}

/// A round of writes, direct and through the page cache. Each is read back and
/// compared with its checksum.
pub fn work(seed: u32) -> Call {
    fio("fio writing", seed, "")
}

/// Reads what [`work`] wrote with that seed.
pub fn verify(seed: u32) -> Call {
    fio("fio reading again", seed, "--verify_only")
}

fn fio(purpose: &'static str, seed: u32, more: &str) -> Call {
    let line = format!(
        "/usr/bin/fio --directory=/mnt --thread --rw=randwrite --verify=crc32c --verify_fatal=1 \
         --verify_state_save=0 --randseed={seed} --fallocate=none {more} \
         --name=direct --filename=direct --size=4m --bs=16k --direct=1 --ioengine=libaio \
         --iodepth=8 --verify_backlog=16 \
         --name=buffered --filename=buffered --size=2m --bs=4k --ioengine=psync --fsync=8"
    );
    call(purpose, &line)
}
