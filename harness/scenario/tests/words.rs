//! Cases in words.

use super::cases;
use rstest::rstest;

#[rstest]
#[case::defaults(
    "",
    "dm-raid1 with a core log and regions of 1024 sectors, nosync, handle_errors; \
     2 legs of 131072 sectors; a direct read of 512 sectors at sector 2048, \
     one contiguous buffer; no fault"
)]
#[case::everything(
    "sabotage = \"guest-panic\"
     [stack]
     log = \"disk\"
     sync = \"synced\"
     keep_log = true
     [legs]
     count = 3
     size = 4096
     offset = [0, 8, 24]
     max_sectors_kb = 64
     [io]
     op = \"write\"
     path = \"buffered\"
     requests = 4
     [[fault]]
     at = 252
     [[fault]]
     leg = 1
     op = \"read\"
     at = \"same\"
     times = 2
     errno = 28
     [[fault]]
     leg = 2
     at = \"last\"
     times = \"once\"",
    "dm-raid1 with a disk log and regions of 1024 sectors, synchronised first, handle_errors, \
     keep_log; 3 legs of 4096 sectors at sectors 0, 8, 24, split at 64 KiB; \
     a buffered write of 512 sectors at sector 2048 in 4 requests; \
     leg 0 fails every write that covers sector 2300 with EIO; \
     leg 1 fails the first 2 reads that cover sector 2300 with ENOSPC; \
     leg 2 fails the first write that covers sector 2559 with EIO; \
     the guest kernel is made to panic during the I/O"
)]
#[case::one_sector(
    "[stack]\nhandle_errors = false\n[legs]\noffset = 8\n[io]\nsectors = 1\nvector = \"unaligned\"",
    "dm-raid1 with a core log and regions of 1024 sectors, nosync, no error handling; \
     2 legs of 131072 sectors at sector 8; a direct read of 1 sector at sector 2048, \
     one buffer 4 bytes into its page; no fault"
)]
#[case::multipathd(
    "[stack]\ntarget = \"multipath\"\nno_path_retry = 4\n[legs]\ncontroller = \"target\"",
    "dm-multipath in mq mode with service-time, each path a priority group, of multipathd, \
     no_path_retry 4; 2 paths of 131072 sectors on target; a direct read of 512 sectors at \
     sector 2048, one contiguous buffer; no fault"
)]
fn a_case_reads_as_a_sentence(#[case] body: &str, #[case] expected: &str) {
    assert_eq!(cases(body)[0].to_string(), expected);
}

#[rstest]
#[case::not_swept("[io]\nvector = [\"odd\"]", "s", "s")]
#[case::in_the_order_of_the_format(
    "[[fault]]\nat = [1, \"last\"]\n[io]\nvector = [\"pages\", \"odd\"]\n[stack]\nlog = [\"core\", \"disk\"]",
    "s@log=core,vector=pages,at=1",
    "s@log=disk,vector=odd,at=last"
)]
#[case::second_fault_and_its_own_operation(
    "[io]\nop = [\"read\", \"write\"]
     [[fault]]
     op = [\"write\", \"read\"]
     [[fault]]
     leg = 1
     op = [\"read\", \"write\"]
     times = { from = 1, to = 3 }
     errno = [5, \"ENOSPC\"]",
    "s@op=read,fault_op=write,fault_op2=read,times2=once,errno2=EIO",
    "s@op=write,fault_op=read,fault_op2=write,times2=3,errno2=ENOSPC"
)]
fn an_id_names_what_is_swept(#[case] body: &str, #[case] first: &str, #[case] last: &str) {
    let cases = cases(body);
    assert_eq!(cases[0].id, first);
    assert_eq!(cases[cases.len() - 1].id, last);
}

#[test]
fn at_same_follows_the_first_fault() {
    let cases = cases("[[fault]]\nat = \"every\"\n[[fault]]\nleg = 1\nat = \"same\"");
    assert_eq!(cases.len(), 512);
    for (at, case) in cases.iter().enumerate() {
        assert_eq!(case.faults[0].sector, 2048 + at as u64);
        assert_eq!(case.faults[1].sector, 2048 + at as u64);
    }
}
