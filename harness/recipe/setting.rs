//! The disks, their content and the stack.

use super::{around, disk, label};
use crate::runner::stack;
use halfway_case::facts::offset;
use halfway_case::{Case, Sync};
use halfway_oracle::model;
use halfway_protocol::io::Op;

/// The lines that build all up to the fault, the fault included.
pub fn lines(case: &Case) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!("block={}", case.legs.logical_block_size),
    ];
    for module in modules(case) {
        lines.push(format!("needs {module}"));
    }
    lines.push("mounted".to_owned());
    lines.push("complained=$(complaints)".to_owned());
    lines.extend(disks(case));
    lines.extend(content(case));
    lines.push(String::new());
    lines.push("# The stack.".to_owned());
    lines.extend(built(case));
    lines.push(String::new());
    lines.push("# What fails.".to_owned());
    if let Some(kib) = case.legs.max_sectors_kb {
        for leg in 0..case.legs.count {
            let name = disk(leg);
            lines.push(format!(
                "echo {kib} >\"/sys/class/block/${{{name}##*/}}/queue/max_sectors_kb\""
            ));
        }
    }
    lines.extend(faults(case));
    lines
}

fn modules(case: &Case) -> Vec<String> {
    let mut modules = vec!["null_blk nr_devices=0".to_owned(), "dm_mod".to_owned()];
    let of_stack = case.stack.target().modules().into_iter();
    modules.extend(of_stack.map(str::to_owned));
    if fails_flushes(case) {
        modules.push("dm_flakey".to_owned());
    }
    modules
}

/// null_blk fails no flush, so dm-flakey does.
fn fails_flushes(case: &Case) -> bool {
    case.faults.iter().any(|fault| fault.op == Op::Flush)
}

fn disks(case: &Case) -> Vec<String> {
    const SECTORS_PER_MIB: u64 = 2048;
    let mut lines = vec![String::new()];
    lines.push(match case.stack.target().has_copies() {
        true => "# Its disks, in memory.".to_owned(),
        false => {
            "# Its paths: disks in memory, with the same content, stand for one disk.".to_owned()
        }
    });
    for leg in 0..case.legs.count {
        let mib = (case.legs.sectors + offset(case, leg)).div_ceil(SECTORS_PER_MIB);
        // A disk without a cache is never flushed.
        let cache = if case.io.op == Op::Flush { " 1" } else { "" };
        lines.push(format!("disk {} {mib} $block{cache}", disk(leg)));
    }
    if case.has_log_disk() {
        lines.push("disk log 8 512".to_owned());
    }
    if fails_flushes(case) {
        for leg in 0..case.legs.count {
            let name = disk(leg);
            lines.push(format!("{name}_below=${name}"));
            lines.push(format!(
                "echo \"0 $(blockdev --getsz \"${name}\") flakey ${name} 0 1 0\" | mapped recipe-{name}"
            ));
            lines.push(format!("{name}=/dev/mapper/recipe-{name}"));
        }
    }
    lines
}

fn content(case: &Case) -> Vec<String> {
    let (first, end) = around(case);
    let count = end.saturating_sub(first);
    let mut lines = Vec::new();
    for leg in 0..case.legs.count {
        let sync = case.stack.target().sync();
        let copied = sync.is_some_and(|sync| sync != Sync::Nosync);
        let what = match copied && leg > 0 {
            true => "from before".to_owned(),
            false => label(case, leg),
        };
        lines.push(format!(
            "sectors {first} {count} \"{what}\" >\"$work/old.{leg}\""
        ));
        let at = first + offset(case, leg);
        lines.push(format!("put \"${}\" {at} \"$work/old.{leg}\"", disk(leg)));
    }
    lines
}

/// A table of the runner, with the script's names of the disks.
pub fn params(text: &str) -> String {
    text.replace('{', "$").replace('}', "")
}

fn built(case: &Case) -> Vec<String> {
    let table = stack::table(case);
    let (sectors, kind) = (table.sectors, &table.kind);
    let mut lines = vec![format!(
        "echo \"0 {sectors} {kind} {}\" | mapped recipe",
        params(&table.params)
    )];
    if case.stack.target().sync() == Some(Sync::Synced) {
        let lines_of_wait = [
            "tries=600",
            "until [ \"$(in_sync recipe | sed 's,/.*,,')\" = \"$(in_sync recipe | sed 's,.*/,,')\" ]; do",
            "  tries=$((tries - 1))",
            "  [ $tries -gt 0 ] || cannot \"the mirror is not synchronised\"",
            "  sleep 0.1",
            "done",
        ];
        lines.extend(lines_of_wait.map(str::to_owned));
    }
    match case.linear {
        None => lines.push("top=/dev/mapper/recipe".to_owned()),
        Some(each) => {
            lines.push(format!("awk -v all={sectors} -v each={each} 'BEGIN {{"));
            lines.push("  for (s = 0; s < all; s += each)".to_owned());
            lines.push(
                "    print s, (all - s < each ? all - s : each), \"linear /dev/mapper/recipe\", s"
                    .to_owned(),
            );
            lines.push("}' | mapped recipe-top".to_owned());
            lines.push("top=/dev/mapper/recipe-top".to_owned());
        }
    }
    lines
}

/// What fails from now on.
fn faults(case: &Case) -> Vec<String> {
    let mut lines = Vec::new();
    for fault in &case.faults {
        let name = disk(fault.leg);
        if fault.op == Op::Flush {
            lines.push(format!(
                "echo \"0 $(blockdev --getsz \"${name}_below\") flakey ${name}_below 0 0 1 1 error_writes\" | table recipe-{name}"
            ));
        } else {
            lines.push(format!(
                "fails {name} {}",
                fault.sector + offset(case, fault.leg)
            ));
        }
    }
    if lines.is_empty() {
        lines.push("# Nothing.".to_owned());
    }
    lines
}

/// The lines after which nothing fails any more.
pub fn mended(case: &Case) -> Vec<String> {
    let faults = case.faults.iter();
    faults
        .map(|fault| {
            let name = disk(fault.leg);
            match fault.op {
                Op::Flush => format!(
                    "echo \"0 $(blockdev --getsz \"${name}_below\") flakey ${name}_below 0 1 0\" | table recipe-{name}"
                ),
                _ => format!(
                    "mended {name} {}",
                    fault.sector + model::offset(case, fault.leg)
                ),
            }
        })
        .collect()
}
