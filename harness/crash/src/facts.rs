//! What a report says about the machine: release, taint, task, devices,
//! registers.

use crate::pattern::regex;
use regex::Regex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The machine and the request, as far as the report names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct Facts {
    /// Kernel release, as `uname -r` gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Build, such as `#1 SMP Debian 6.1.1-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// Taint letters without spaces; empty for `Not tainted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taint: Option<String>,
    /// Name of the task that was running (`comm`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Process id of that task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Number of the processor that it ran on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Block devices: `sda`, `dm-0`, or `8:16` (major:minor).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// The first sector that the report names (of 512 bytes).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector: Option<u64>,
    /// Size of the memory access that the report names, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The operation of the request: `READ`, `WRITE`, `FLUSH`, `DISCARD`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Registers by name, with values as the report writes them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub registers: BTreeMap<String, String>,
    /// The bytes around the faulting instruction, whose first byte is in `<>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Most items of a kind that are kept.
const MOST: usize = 64;

static CPU: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"CPU: (?P<cpu>\d+) (?:UID: \d+ )?PID: (?P<pid>\d+) Comm: (?P<task>.{1,40}?) (?:Kdump: loaded )?(?:Not tainted|Tainted: (?P<taint>.{1,40}?)) +(?P<release>\d+\.\d+\S*)(?: (?P<build>#.{1,120}))?",
    )
});
static OLD_CPU: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"Pid: (?P<pid>\d+), comm: (?P<task>\S+) (?:Not tainted|Tainted: (?P<taint>.{1,40}?)) +\(?(?P<release>\d+\.\d+\S*?)\)?(?: (?P<build>#\S+).*)?$",
    )
});
static HEADER: LazyLock<Regex> = LazyLock::new(|| regex(r"CPU: (?P<cpu>\d+) PID: (?P<pid>\d+)"));
static NEW_HEADER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"CPU#(?P<cpu>\d+): (?P<task>[^/]{1,40}(?:/\S*)?)/(?P<pid>\d+)$"));
static HUNG: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"INFO: task (?P<task>.{1,40}):(?P<pid>\d+) (?:blocked|can't)|lockup - CPU#(?P<cpu>\d+) stuck.*\[(?P<task2>[^\]]{1,40}):(?P<pid2>\d+)\]",
    )
});
static VERSION: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:Not tainted|Tainted: .{1,40}?)? *(?P<release>\d+\.\d+\.\d+\S*) (?P<build>#\S+)|Linux version (?P<release2>\S+)",
    )
});
static REGISTER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"\b(R[A-DS][XPI]|R[0-9]{2}|E[A-DS][XPI]|CR[0-4]|E?FLAGS|RSP|x[0-9]{1,2}|sp|lr|GPR\d\d)\s*: ?((?:[0-9a-f]{2,4}:)?[0-9a-f]{8,16}|[0-9a-f]{8})\b",
    )
});
static CODE: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*Code: (.*[0-9a-f]{2,8}.*)$"));
static DEVICE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"\b((?:sd[a-z]{1,2}|vd[a-z]|hd[a-z]|xvd[a-z]|nvme\d+n\d+|dm-\d+|loop\d+|md\d+|mmcblk\d+|fd\d)\d*)\b|(?:^|[ \[(])(\d{1,3}:\d{1,5})(?:[ \])>.,]|$)",
    )
});
static SECTOR: LazyLock<Regex> = LazyLock::new(|| regex(r"\bsector (\d+)"));
static SIZE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"of size (\d+) at|blk_update_request: .*?bio_size=(\d+)"));
static OPERATION: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"op 0x[0-9a-f]+:\((\w+)\)|\b(READ|WRITE|FLUSH|DISCARD|WRITE_ZEROES)\b")
});

impl Facts {
    /// Takes the facts from a line, unless an earlier line has given them.
    pub(crate) fn take(&mut self, line: &str) {
        fn set<T>(slot: &mut Option<T>, value: Option<T>) {
            if slot.is_none() {
                *slot = value;
            }
        }
        let header = [
            "CPU",
            "Pid: ",
            "INFO: task",
            "lockup",
            "tainted",
            "Tainted",
            "Linux v",
            " #",
        ];
        let header = header.iter().any(|word| line.contains(word));
        let patterns = [&CPU, &OLD_CPU, &NEW_HEADER, &HUNG, &HEADER, &VERSION];
        for pattern in patterns.into_iter().filter(|_| header) {
            let Some(found) = pattern.captures(line) else {
                continue;
            };
            let name = |names: [&str; 2]| {
                let found = names.iter().find_map(|name| found.name(name));
                found.map(|found| found.as_str().trim().to_owned())
            };
            if self.release.is_none() {
                self.taint = name(["taint", "taint"])
                    .map(|taint| {
                        taint
                            .split([',', '['])
                            .next()
                            .unwrap_or_default()
                            .replace(' ', "")
                    })
                    .or_else(|| line.contains("Not tainted").then(String::new))
                    .or(self.taint.take());
            }
            set(&mut self.release, name(["release", "release2"]));
            set(&mut self.build, name(["build", "build"]));
            set(&mut self.task, name(["task", "task2"]));
            set(
                &mut self.pid,
                name(["pid", "pid2"]).and_then(|pid| pid.parse().ok()),
            );
            set(
                &mut self.cpu,
                name(["cpu", "cpu"]).and_then(|cpu| cpu.parse().ok()),
            );
            break;
        }
        if line.contains("Code: ")
            && let Some(found) = CODE.captures(line)
        {
            set(&mut self.code, Some(found[1].trim().to_owned()));
            return;
        }
        if line.contains(": ") {
            for found in REGISTER.captures_iter(line) {
                if self.registers.len() < MOST {
                    let value = found[2].to_owned();
                    self.registers.entry(found[1].to_owned()).or_insert(value);
                }
            }
        }
        if line.contains("Hardware name") || line.contains("+0x") {
            return;
        }
        for found in DEVICE.captures_iter(line) {
            let device = found.get(1).or_else(|| found.get(2));
            let device = device.map_or("", |device| device.as_str()).to_owned();
            if self.devices.len() < MOST && !self.devices.contains(&device) {
                self.devices.push(device);
            }
        }
        let number = |pattern: &Regex| {
            let found = pattern.captures(line)?;
            found.iter().skip(1).flatten().next()?.as_str().parse().ok()
        };
        set(&mut self.sector, number(&SECTOR));
        set(&mut self.size, number(&SIZE));
        let operation = OPERATION.captures(line);
        let operation = operation.and_then(|found| found.get(1).or_else(|| found.get(2)));
        set(
            &mut self.operation,
            operation.map(|found| found.as_str().to_owned()),
        );
    }
}
