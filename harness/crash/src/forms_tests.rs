//! Reports in the forms of many years and machines. The functions and numbers
//! are made up.

use crate::decode;
use rstest::rstest;

#[rstest]
#[case::bug_2009_x86_64(
    "------------[ cut here ]------------\nkernel BUG at drivers/md/dm-raid1.c:345!\n\
     invalid opcode: 0000 [#1] SMP\nlast sysfs file: /sys/block/dm-3/range\nCPU 1\n\
     Modules linked in: dm_mirror dm_log\nPid: 1423, comm: kmirrord Not tainted 2.6.29-rc5 #3 X7DB8\n\
     RIP: 0010:[<ffffffffa00211a3>]  [<ffffffffa00211a3>] do_failures+0x4b/0x130 [dm_mirror]\n\
     RSP: 0018:ffff88007c4f5de0  EFLAGS: 00010246\nCall Trace:\n\
     \x20[<ffffffffa0021d2e>] do_mirror+0x1d6/0x212 [dm_mirror]\n\
     \x20[<ffffffff8024c1c1>] run_workqueue+0xa2/0x149\n",
    "kernel BUG in do_failures"
)]
#[case::bug_2009_i386(
    "kernel BUG at fs/bio.c:238!\ninvalid opcode: 0000 [#1] SMP\n\
     Pid: 77, comm: kmpathd/0 Not tainted (2.6.28.4 #2)\nEIP: 0060:[<c01a1b2c>] EFLAGS: 00010246 CPU: 0\n\
     EIP is at bio_put+0x1c/0x40\nEAX: 00000000 EBX: f6c0a3c0 ECX: f6c0a3c0 EDX: 00000000\n\
     Call Trace:\n [<f8a3c1f0>] ? process_queued_ios+0x30/0x1d0 [dm_multipath]\n",
    "kernel BUG in bio_put"
)]
#[case::null_2_6_i386(
    "BUG: unable to handle kernel NULL pointer dereference at 00000008\n\
     IP: [<f8a3c1f0>] multipath_end_io+0x30/0x1d0 [dm_multipath]\n*pde = 00000000\nOops: 0000 [#1] SMP\n",
    "BUG: unable to handle kernel NULL pointer dereference in multipath_end_io"
)]
#[case::null_2_6_ancient(
    "Unable to handle kernel NULL pointer dereference at virtual address 00000010\n printing eip:\nc0150a3d\n\
     *pde = 00000000\nOops: 0000 [#1]\nCPU:    0\nEIP:    0060:[<c0150a3d>]    Not tainted VLI\n\
     EFLAGS: 00010202   (2.6.9-5.EL)\nEIP is at bio_endio+0x1d/0x60\n",
    "BUG: unable to handle kernel NULL pointer dereference in bio_endio"
)]
#[case::rhel5_x86_64(
    "Unable to handle kernel paging request at 0000000000200200 RIP:\n\
     \x20[<ffffffff8814a2c3>] :dm_mod:dec_pending+0x23/0x1a0\nPGD 0\nOops: 0000 [1] SMP\n",
    "BUG: unable to handle kernel paging request in dec_pending"
)]
#[case::arm64_bug(
    "kernel BUG at block/blk-mq.c:1234!\nInternal error: Oops - BUG: 00000000f2000800 [#1] SMP\n\
     pstate: 60400005 (nZCv daif +PAN -UAO)\npc : blk_mq_free_request+0x120/0x130\n\
     lr : blk_mq_free_request+0x50/0x130\nCall trace:\n blk_mq_free_request+0x120/0x130 (P)\n",
    "kernel BUG in blk_mq_free_request"
)]
#[case::arm32(
    "Unable to handle kernel NULL pointer dereference at virtual address 00000004 when read\n\
     [00000004] *pgd=00000000\nInternal error: Oops: 5 [#1] PREEMPT SMP ARM\nPC is at mmc_blk_rw+0x44/0x2c0\n\
     LR is at mmc_blk_issue+0x1/0x2\n",
    "BUG: unable to handle kernel NULL pointer dereference in mmc_blk_rw"
)]
#[case::ppc64le(
    "BUG: Kernel NULL pointer dereference on read at 0x00000028\nFaulting instruction address: 0xc00800000f2a1b34\n\
     Oops: Kernel access of bad area, sig: 11 [#1]\nLE PAGE_SIZE=64K MMU=Radix SMP NR_CPUS=2048 NUMA pSeries\n\
     NIP:  c00800000f2a1b34 LR: c00800000f2a1b10 CTR: c000000000a1\n\
     NIP [c00800000f2a1b34] __map_bio+0x8c/0x2a0 [dm_mod]\nLR [c00800000f2a1b10] __map_bio+0x68/0x2a0 [dm_mod]\n",
    "BUG: unable to handle kernel NULL pointer dereference in __map_bio"
)]
#[case::s390x(
    "Unable to handle kernel pointer dereference in virtual kernel address space\n\
     Failing address: 0000000000000000 TEID: 0000000000000483\nOops: 0004 ilc:2 [#1] SMP\n\
     Krnl PSW : 0704c00180000000 000003ff80123456 (dm_blk_ioctl+0x4e/0x130 [dm_mod])\n",
    "BUG: unable to handle kernel paging request in dm_blk_ioctl"
)]
#[case::s390x_bug(
    "kernel BUG at drivers/md/dm.c:812!\nmonitor event: 0040 ilc:2 [#1] SMP\n\
     Krnl PSW : 0704c00180000000 000003ff80123456 (dm_io_dec_pending+0x10a/0x2f0 [dm_mod])\n",
    "kernel BUG in dm_io_dec_pending"
)]
#[case::soft_lockup_2_6(
    "BUG: soft lockup - CPU#0 stuck for 61s! [kmpathd/0:812]\nCPU 0:\n\
     Pid: 812, comm: kmpathd/0 Not tainted 2.6.18-128.el5 #1\n\
     RIP: 0010:[<ffffffff8815a1b2>]  [<ffffffff8815a1b2>] :dm_multipath:choose_pgpath+0x12/0x90\n",
    "BUG: soft lockup"
)]
#[case::hung_dm(
    "INFO: task dmsetup:812 blocked for more than 120 seconds.\n      Not tainted 6.1.0 #1\n\
     task:dmsetup         state:D stack:0     pid:812   ppid:1      flags:0x00004002\nCall Trace:\n <TASK>\n\
     \x20__schedule+0x34d/0x9e0\n schedule+0x5a/0xd0\n io_schedule+0x42/0x70\n\
     \x20dm_wait_for_bios_completion+0xfc/0x110 [dm_mod]\n __dm_suspend+0x1/0x2 [dm_mod]\n",
    "INFO: task hung in __dm_suspend"
)]
#[case::warn_on_2_6(
    "------------[ cut here ]------------\nWARNING: at block/blk-core.c:1234 blk_end_io+0x5/0x90()\n\
     Hardware name: X7DB8\nPid: 5, comm: ksoftirqd/0 Not tainted 2.6.32 #1\n",
    "WARNING in blk_end_io"
)]
#[case::badness(
    "Badness at block/blk-core.c:243\nNIP: c0000000002f1a84 LR: c0000000002f1a70 CTR: 0\n\
     NIP [c0000000002f1a84] .blk_requeue_request+0x44/0xa0\n",
    "WARNING in blk_requeue_request"
)]
#[case::badness_2_6(
    "Badness in blk_remove_plug at drivers/block/ll_rw_blk.c:1424\nCall Trace:\n [<c01a>] dump_stack+0x1e/0x22\n",
    "WARNING in blk_remove_plug"
)]
#[case::init_killed(
    "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\n",
    "kernel panic: Attempted to kill init!"
)]
#[case::no_root(
    "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(253,3)\n",
    "kernel panic: VFS: Unable to mount root fs on unknown-block(NUM,NUM)"
)]
#[case::kfence(
    "BUG: KFENCE: out-of-bounds read in bvec_try_merge_page+0x10/0x60\n\nOut-of-bounds read at 0xffff (8B right of kfence-#12):\n\
     \x20bvec_try_merge_page+0x10/0x60\n bio_add_page+0x1/0x2\n",
    "KFENCE: out-of-bounds read in bvec_try_merge_page"
)]
#[case::ubsan_old(
    "UBSAN: array-index-out-of-bounds in drivers/md/dm-stripe.c:120:9\nindex 4 is out of range for type 'stripe [*]'\n\
     Call Trace:\n dump_stack_lvl+0x1/0x2\n __ubsan_handle_out_of_bounds+0x1/0x2\n stripe_map_sector+0x1/0x2\n",
    "UBSAN: array-index-out-of-bounds in stripe_map_sector"
)]
#[case::ksymoops(
    "Unable to handle kernel paging request at virtual address 5a5a5a5a\nOops: 0000\n\
     EIP:    0010:[<c0135f2a>]    Not tainted\n>>EIP; c0135f2a <end_buffer_io_sync+1a/40>   <=====\n\
     Trace; c01b1234 <end_that_request_first+64/d0>\nTrace; c01c1234 <ide_end_request+44/90>\n",
    "BUG: unable to handle kernel paging request in end_buffer_io_sync"
)]
#[case::lockdep_2_6(
    "=============================================\n[ INFO: possible recursive locking detected ]\n2.6.30 #4\n\
     ---------------------------------------------\ndmsetup/812 is trying to acquire lock:\n\
     \x20(&md->io_lock){++++..}, at: [<ffffffffa00010c3>] dm_request+0x3f/0x160 [dm_mod]\n",
    "possible deadlock in dm_request"
)]
#[case::lockdep_irq_2_6(
    "======================================================\n[ INFO: hard-safe -> hard-unsafe lock order detected ]\n2.6.20 #4\n\
     kmirrord/77 [HC0[0]:SC0[0]:HE0:SE1] is trying to acquire:\n (&rh->lock){--..}, at: [<f88a>] rh_dec+0x1/0x2\n\
     \nand this task is already holding:\n (&q->l){+...}, at: [<f88b>] blk_run+0x1/0x2\n",
    "possible deadlock in rh_dec"
)]
#[case::inconsistent_2_6(
    "=================================\n[ INFO: inconsistent lock state ]\n2.6.32 #1\n\
     inconsistent {IN-SOFTIRQ-W} -> {SOFTIRQ-ON-W} usage.\n\
     dd/77 [HC0[0]:SC0[0]:HE1:SE1] takes:\n (&q->l){+.?...}, at: [<ffffffff811b>] blk_throtl_bio+0x1/0x2\n",
    "inconsistent lock state in blk_throtl_bio"
)]
#[case::rcu_2_6(
    "INFO: rcu_sched_state detected stall on CPU 0 (t=15000 jiffies)\nPid: 12, comm: kmpathd Not tainted 2.6.37 #1\n",
    "INFO: rcu detected stall"
)]
#[case::ppc_older(
    "Unable to handle kernel paging request for data at address 0x00000010\nFaulting instruction address: 0xc0000000003a1234\n\
     Oops: Kernel access of bad area, sig: 11 [#1]\nNIP [c0000000003a1234] .bio_clone_set+0x34/0xa0\n",
    "BUG: unable to handle kernel paging request in bio_clone_set"
)]
#[case::s390_older(
    "Unable to handle kernel pointer dereference at virtual kernel address 0000000000000000\nOops: 0004 [#1] SMP\n\
     Krnl PSW : 0704200180000000 000003e0012a3456 (map_io+0x56/0x1a0 [dm_multipath])\n",
    "BUG: unable to handle kernel paging request in map_io"
)]
#[case::spinlock_2_6(
    "BUG: spinlock lockup on CPU#1, dd/812, ffff88007c4f5de0\nCall Trace:\n [<ffffffff8024c1c1>] _raw_spin_lock+0xa2/0x149\n\
     \x20[<ffffffffa00010c3>] queue_bio+0x3f/0x160 [dm_mirror]\n",
    "BUG: spinlock lockup in queue_bio"
)]
#[case::scheduling_2_6(
    "BUG: scheduling while atomic: kmirrord/0x00000100/812\nCall Trace:\n [<c0401>] schedule+0x5f/0x9a0\n\
     \x20[<f88a3c1f>] rh_wait+0x2f/0x80 [dm_mirror]\n",
    "BUG: scheduling while atomic in rh_wait"
)]
#[case::sleeping_2_6(
    "BUG: sleeping function called from invalid context at mm/slab.c:3052\nin_atomic(): 1, irqs_disabled(): 0\n\
     \x20[<c0401>] __might_sleep+0xcd/0xd4\n [<c0402>] kmem_cache_alloc+0x1f/0xa9\n [<f88a3c1f>] alloc_tio+0x2f/0x80 [dm_mod]\n",
    "BUG: sleeping function called from invalid context in alloc_tio"
)]
#[case::slab_2_6(
    "slab error in cache_free_debugcheck(): cache `bio-0': double free, or memory outside object was overwritten\n",
    "BUG: double free, or memory outside object was overwritten"
)]
#[case::hard_lockup_2_6(
    "Kernel panic - not syncing: Watchdog detected hard LOCKUP on cpu 3\n",
    "BUG: hard lockup"
)]
#[case::nmi_2_6(
    "NMI Watchdog detected LOCKUP on CPU 0\nCPU 0\n\
     RIP: 0010:[<ffffffff8024c1c1>]  [<ffffffff8024c1c1>] rh_spin+0xa2/0x149\n",
    "BUG: hard lockup"
)]
#[case::gpf_2_6(
    "general protection fault: 0000 [1] SMP\nCPU 1\n\
     RIP: 0010:[<ffffffff8815a1b2>]  [<ffffffff8815a1b2>] :dm_multipath:do_end_io+0x12/0x90\n",
    "general protection fault in do_end_io"
)]
#[case::riscv(
    "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000018\nOops [#1]\n\
     epc : dm_io_complete+0x24/0x120\n ra : dm_io_dec+0x1/0x2\n",
    "BUG: unable to handle kernel NULL pointer dereference in dm_io_complete"
)]
#[case::bug_7(
    "------------[ cut here ]------------\nkernel BUG at block/bio.c:1612!\nOops: invalid opcode: 0000 [#1] SMP NOPTI\n\
     CPU: 1 UID: 0 PID: 81 Comm: fio Not tainted 7.1.0-rc2 #9 PREEMPT(full)\nRIP: 0010:bio_iov_step+0x1f2/0x200\n",
    "kernel BUG in bio_iov_step"
)]
#[case::two_refcounts(
    "refcount_t: addition on 0; use-after-free.\nWARNING: lib/refcount.c:25 at refcount_warn_saturate+0x5/0x90, CPU#1: dm/7\n\
     RIP: 0010:refcount_warn_saturate+0x5/0x90\nCall Trace:\n <TASK>\n dm_hold+0x1/0x2 [dm_mod]\n",
    "WARNING: refcount bug in dm_hold"
)]
#[case::wrapped_by_a_mail_client(
    "> [  512.345678] BUG: unable to handle kernel NULL pointer dereference at\n> 0000000000000010\n\
     > [  512.345690] IP: [<ffffffffa0123456>] trigger_event+0x1f/0x2a0\n> [dm_mod]\n",
    "BUG: unable to handle kernel NULL pointer dereference in trigger_event"
)]
#[case::by_syslog_of_2009(
    "Feb  9 11:04:33 node1 kernel: [ 1234.567890] kernel BUG at drivers/md/dm-raid1.c:345!\n\
     Feb  9 11:04:33 node1 kernel: [ 1234.567899] EIP is at do_retry+0x1f/0x2a0 [dm_mirror]\n",
    "kernel BUG in do_retry"
)]
#[case::by_netconsole_with_levels(
    "<0>kernel BUG at drivers/md/dm-raid1.c:345!\n<0>EIP is at do_retry+0x1f/0x2a0 [dm_mirror]\n",
    "kernel BUG in do_retry"
)]
fn old_and_foreign_forms_have_titles(#[case] text: &str, #[case] title: &str) {
    let reports = decode(text);
    assert_eq!(
        reports.first().map(|report| report.title.as_str()),
        Some(title)
    );
}
