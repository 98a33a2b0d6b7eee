//! Records which functions are reached, with the kernel's function tracer.

use super::event;
use super::format::Field;
use super::rings::{ROOT, Rings, format};
use super::symbols::Symbols;
use crate::refuse::{Refuse, refusal};
use crate::sysfs;
use halfway_protocol::message::Refusal;
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

/// A tracing instance of its own: calls of functions would push the block events out of
/// their ring.
const INSTANCE: &str = "instances/reach";

/// The size of each CPU's ring in KiB: enough for some 250,000 calls.
const RING_KIB: u32 = 8192;

/// The open tracer. From the first time on its functions stay traced, because starting
/// that patches each of them. Only the ring is switched on and off.
pub struct Reach {
    rings: Rings,
    symbols: Symbols,
    /// The value of `common_type` in the records.
    id: u16,
    address: Field,
}

impl Reach {
    /// Starts to trace the functions of all loaded modules, and those that match a
    /// filter, into a ring that is off.
    ///
    /// # Errors
    /// The kernel has no function tracer, or hides the addresses of its functions.
    pub fn open(filters: &[String]) -> Result<Self, Refusal> {
        let root = Path::new(ROOT).join(INSTANCE);
        if !root.exists() {
            fs::create_dir(&root).refuse(|| format!("making {}", root.display()))?;
        }
        let switch = root.join("tracing_on");
        sysfs::write(&switch, "0").refuse(|| format!("writing 0 to {}", switch.display()))?;
        let of_modules = modules()?
            .into_iter()
            .map(|module| format!("*:mod:{module}"));
        let filter = root.join("set_ftrace_filter");
        let mut set = 0;
        for pattern in of_modules.chain(filters.iter().cloned()) {
            // What matches no function is refused. Without the line break the kernel
            // takes the pattern only when the file is closed, and then knows no `:mod:`
            // (`ftrace_regex_release` in kernel/trace/ftrace.c).
            set += u32::from(sysfs::write(&filter, &format!("{pattern}\n")).is_ok());
        }
        if set == 0 {
            return Err(refusal(
                "choosing the functions to trace",
                "this kernel takes no filter (CONFIG_FUNCTION_TRACER, CONFIG_DYNAMIC_FTRACE)",
            ));
        }
        let tracer = root.join("current_tracer");
        sysfs::write(&tracer, "function")
            .refuse(|| format!("writing function to {}", tracer.display()))?;
        // After that: while a ring is open no tracer is set (`tracing_set_tracer` in
        // kernel/trace/trace.c).
        let rings = Rings::open(&root, RING_KIB)?;
        let described = Path::new(ROOT).join("events/ftrace/function/format");
        let layout = format(&described)?;
        let address = layout.field(&["ip"]).cloned().ok_or_else(|| {
            refusal(
                format!("reading {}", described.display()),
                "it has no address",
            )
        })?;
        const SYMBOLS: &str = "/proc/kallsyms";
        let symbols = sysfs::text(SYMBOLS).refuse(|| format!("reading {SYMBOLS}"))?;
        Ok(Self {
            rings,
            symbols: Symbols::parse(&symbols),
            id: layout.id,
            address,
        })
    }

    /// Drops all calls so far, and records from now on.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn start(&mut self) -> Result<(), Refusal> {
        self.rings.start()
    }

    /// Stops recording. Returns the names of the functions, sorted, and how many calls
    /// were lost.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn collect(&mut self) -> Result<(Vec<String>, u64), Refusal> {
        let mut addresses = HashSet::new();
        let mut lost = 0;
        let (id, address) = (self.id, &self.address);
        self.rings.stop(|page| {
            lost += page.lost;
            for (_, record) in page.records {
                if event::id(record) == Some(id) {
                    addresses.extend(address.number(record));
                }
            }
        })?;
        let names = addresses
            .into_iter()
            .filter_map(|address| self.symbols.name(address));
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        Ok((names.into_iter().collect(), lost))
    }
}

/// The names of the loaded modules.
fn modules() -> Result<Vec<String>, Refusal> {
    const MODULES: &str = "/proc/modules";
    let text = match sysfs::text(MODULES) {
        Ok(text) => text,
        // A kernel without modules has everything built in.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).refuse(|| format!("reading {MODULES}")),
    };
    let names = text.lines().filter_map(|line| line.split(' ').next());
    Ok(names.map(str::to_owned).collect())
}
