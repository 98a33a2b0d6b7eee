use super::*;
use proptest::prelude::*;
use rstest::rstest;

#[test]
fn texts_have_titles() {
    let mut wrong = Vec::new();
    for (text, title, survivable) in samples::COMPLAINTS {
        let found = find(text).map(|crash| (crash.title, crash.survivable));
        if found != Some(((*title).to_owned(), *survivable)) {
            wrong.push(format!("{text:?}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Prefixes that a console or a log may have.
#[rstest]
#[case::time("[    3.217654] ")]
#[case::level("<4>[    3.217654] ")]
#[case::caller("[    3.217654][  T312] ")]
#[case::carriage_return("login: \r\n[    3.217654][    C1] ")]
#[case::quoted("> > [    3.217654] ")]
#[case::coloured("\x1b[31m[    3.217654]\x1b[0m ")]
fn titles_do_not_depend_on_what_is_before(#[case] prefix: &str) {
    for (text, title, _) in samples::COMPLAINTS {
        let found = find(&format!("{prefix}{text}\r\n")).map(|crash| crash.title);
        assert_eq!(found.as_deref(), Some(*title), "{text}");
    }
}

#[test]
fn ordinary_texts_have_none() {
    for text in samples::ORDINARY {
        assert_eq!(find(text), None, "{text}");
        assert_eq!(find(&format!("[    1.234567] {text}\n")), None, "{text}");
    }
}

#[test]
fn a_warning_that_ends_in_a_panic_is_not_survived() {
    let log = "WARNING: possible recursive locking detected";
    let console = "Kernel panic - not syncing: kernel: panic_on_warn set ...";
    for texts in [&[format!("{log}\n{console}").as_str()][..], &[log, console]] {
        let crash = find_in(texts).unwrap();
        assert_eq!(crash.title, "possible deadlock");
        assert!(!crash.survivable);
    }
    let reports = decode(&format!("{log}\n{console}"));
    assert_eq!(reports[1].echo_of, Some(0));
}

const OOPS: &str = "\
[   12.345678] general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] PREEMPT SMP NOPTI
[   12.345690] CPU: 1 PID: 77 Comm: kworker/1:2 Tainted: G        W  O       6.1.0-56-cloud-amd64 #1  Debian 6.1.200-1
[   12.345700] Hardware name: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.2
[   12.345710] Workqueue: kmirrord do_mirror [dm_mirror]
[   12.345720] RIP: 0010:bio_advance+0x3c/0x120
[   12.345730] Code: 48 8b 07 <0f> b7 40 10 48
[   12.345740] RSP: 0018:ffffc90000123d00 EFLAGS: 00010206
[   12.345750] RAX: dead000000000100 RBX: 0000000000000000 RCX: 0000000000000001
[   12.345760] Call Trace:
[   12.345770]  <TASK>
[   12.345780]  ? die_addr+0x36/0x90
[   12.345790]  dispatch_io.isra.0+0x1f/0x2a0 [dm_mod]
[   12.345800]  do_mirror+0x11b/0x2b0 [dm_mirror]
[   12.345810]  process_one_work+0x1e5/0x3b0
[   12.345820]  </TASK>
[   12.345830] Kernel panic - not syncing: Fatal exception
";

#[test]
fn a_report_says_what_can_be_known() {
    let reports = decode(OOPS);
    let report = &reports[0];
    assert_eq!(report.title, "general protection fault in bio_advance");
    assert_eq!(report.kind, Kind::GeneralProtection);
    assert_eq!(report.function.as_deref(), Some("bio_advance"));
    assert!(!report.survivable);
    let names: Vec<&str> = report
        .frames
        .iter()
        .map(|frame| frame.function.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "bio_advance",
            "dispatch_io",
            "do_mirror",
            "process_one_work"
        ]
    );
    assert_eq!(report.frames[2].module.as_deref(), Some("dm_mirror"));
    let facts = &report.facts;
    assert_eq!(facts.release.as_deref(), Some("6.1.0-56-cloud-amd64"));
    assert_eq!(facts.taint.as_deref(), Some("GWO"));
    assert_eq!(facts.task.as_deref(), Some("kworker/1:2"));
    assert_eq!((facts.pid, facts.cpu), (Some(77), Some(1)));
    assert_eq!(facts.registers["RAX"], "dead000000000100");
    assert_eq!(facts.code.as_deref(), Some("48 8b 07 <0f> b7 40 10 48"));
    assert_eq!(reports[1].echo_of, Some(0));
    assert_eq!(reports.len(), 2);
}

/// Texts in the form in which people send them.
#[rstest]
#[case::quoted(|line: &str| format!("> {line}"))]
#[case::carriage_returns(|line: &str| format!("{line}\r"))]
#[case::from_a_journal(|line: &str| format!("Nov 28 21:22:20 host kernel: {line}"))]
#[case::coloured(|line: &str| format!("\x1b[1;31m{line}\x1b[0m"))]
fn a_text_may_be_sent_in_many_ways(#[case] change: fn(&str) -> String) {
    let text: Vec<String> = OOPS.lines().map(change).collect();
    let (changed, whole) = (decode(&text.join("\n")), decode(OOPS));
    assert_eq!(changed[0].title, whole[0].title);
    assert_eq!(changed[0].frames, whole[0].frames);
    assert_eq!(changed[0].facts.release, whole[0].facts.release);
}

#[rstest]
#[case::circular(
    "WARNING: possible circular locking dependency detected\n6.1.0 #1 Not tainted\n\
    dmsetup/77 is trying to acquire lock:\nffff888 (&md->suspend_lock){+.+.}-{3:3}, at: dm_resume+0x1f/0x100\n",
    "possible deadlock in dm_resume"
)]
#[case::warning(
    "WARNING: CPU: 0 PID: 81 at block/blk-merge.c:694 blk_rq_set_mixed_merge+0x32/0x60\n",
    "WARNING in blk_rq_set_mixed_merge"
)]
#[case::new_warning(
    "WARNING: block/blk-merge.c:694 at blk_rq_set_mixed_merge+0x32/0x60, CPU#0: fio/81\n",
    "WARNING in blk_rq_set_mixed_merge"
)]
#[case::refcount(
    "refcount_t: underflow; use-after-free.\n\
    WARNING: CPU: 0 PID: 81 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110\n\
    RIP: 0010:refcount_warn_saturate+0xba/0x110\nCall Trace:\n dm_put+0x10/0x20 [dm_mod]\n",
    "WARNING: refcount bug in dm_put"
)]
#[case::kasan(
    "BUG: KASAN: slab-use-after-free in bio_put+0x1c/0x200\n\
    Read of size 4 at addr ffff888004a2b3c8 by task dd/77\n",
    "KASAN: slab-use-after-free Read in bio_put"
)]
#[case::hung(
    "INFO: task dd:77 blocked for more than 120 seconds.\nCall Trace:\n\
     __schedule+0x1/0x2\n schedule+0x1/0x2\n io_schedule+0x1/0x2\n dm_wait_for_completion+0x1/0x2\n\
     dm_suspend+0x1/0x2\n",
    "INFO: task hung in dm_suspend"
)]
#[case::old(
    "kernel BUG at drivers/md/dm-io.c:123!\nEIP is at dispatch_io+0x1f/0x2a0 [dm_mod]\n",
    "kernel BUG in dispatch_io"
)]
#[case::old_addresses(
    "BUG: unable to handle kernel NULL pointer dereference at 0000000000000010\n\
    IP: [<ffffffffa0123456>] multipath_end_io+0x1f/0x2a0 [dm_multipath]\n",
    "BUG: unable to handle kernel NULL pointer dereference in multipath_end_io"
)]
#[case::arm64(
    "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010\n\
    Internal error: Oops: 96000004 [#1] SMP\npc : bio_advance+0x3c/0x120\nlr : f+0x1/0x2\n",
    "BUG: unable to handle kernel NULL pointer dereference in bio_advance"
)]
#[case::ppc64(
    "BUG: Unable to handle kernel data access on read at 0x00000018\n\
    NIP [c0000000007a1234] bio_advance+0x3c/0x120\n",
    "BUG: unable to handle kernel paging request in bio_advance"
)]
#[case::kcsan(
    "BUG: KCSAN: data-race in dm_zeta / dm_alpha\n",
    "KCSAN: data-race in dm_alpha / dm_zeta"
)]
fn titles_are_those_of_kernel_bots(#[case] text: &str, #[case] title: &str) {
    assert_eq!(decode(text)[0].title, title);
}

#[test]
fn two_reports_of_two_callers_are_told_apart() {
    let text = "\
[    1.000001][   T1] WARNING: CPU: 0 PID: 1 at a.c:1 first+0x1/0x2
[    1.000002][   T2] general protection fault: 0000 [#1] SMP
[    1.000003][   T1] Call Trace:
[    1.000004][   T2] RIP: 0010:second+0x1/0x2
[    1.000005][   T1]  of_first+0x1/0x2
";
    let reports = decode(text);
    let titles: Vec<&str> = reports.iter().map(|report| report.title.as_str()).collect();
    assert_eq!(
        titles,
        ["WARNING in first", "general protection fault in second"]
    );
    assert!(
        reports[0]
            .frames
            .iter()
            .any(|frame| frame.function == "of_first")
    );
}

#[test]
fn what_a_terminal_obeys_is_not_passed_on() {
    let reports = decode("BUG: \x1b]0;title\x07\x1b[2Jhello \x08there\u{9b}31m\n");
    assert!(!reports[0].title.contains(char::is_control));
    assert!(!reports[0].excerpt.contains('\x1b'));
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in "(\\PC|\n|BUG: |WARNING: |RIP: |\\+0x1/0x2| at: |\\[<|>\\]){0,120}") {
        let _ = decode(&text);
    }

    /// A text may be cut anywhere. What is left has the same title, or that of
    /// an earlier line.
    #[test]
    fn a_cut_text_is_read(at in 0..OOPS.len()) {
        let reports = decode(&OOPS[..at]);
        if at > OOPS.find("Code:").unwrap() {
            prop_assert_eq!(&reports[0].title, "general protection fault in bio_advance");
        }
    }
}
