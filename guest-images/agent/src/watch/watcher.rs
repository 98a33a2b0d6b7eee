//! The files of tracefs that the contract watcher uses.

use super::btf::Btf;
use super::probe::{self, GROUP, Layout, Place, WINDOW, WINDOWS};
use super::record::{Decoder, Read, Reading};
use crate::refuse::{Refuse, refusal};
use crate::sysfs;
use crate::trace::rings::{ROOT, Rings, format};
use halfway_protocol::bio::{BioTrace, Device, LONGEST, Point};
use halfway_protocol::message::Refusal;
use halfway_protocol::trace::Dev;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// The file with the kernel's type information.
const TYPES: &str = "/sys/kernel/btf/vmlinux";

/// The file with the kernel's release.
const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// The watcher's own tracing instance. Its events are large, and would push the block
/// events out of their ring.
const INSTANCE: &str = "instances/halfway";

/// The size of each CPU's ring in KiB: enough for some 6000 bios with 64 entries.
const RING_KIB: u32 = 8192;

/// Records the events of all bios, with their vectors.
pub struct Watcher {
    rings: Rings,
    layout: Layout,
    points: Vec<Point>,
    decoders: Vec<Decoder>,
    /// How many windows of each vector are fetched.
    windows: u32,
    /// Whether this kernel counts page faults in a probe as misses.
    faults_are_misses: bool,
    /// The hits and misses of each event when the watch began.
    before: HashMap<String, Counts>,
}

/// How many times a kprobe was hit, and how many times it was missed because another one
/// was running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    hits: u64,
    misses: u64,
}

impl Watcher {
    /// Defines the events. None is enabled.
    ///
    /// # Errors
    /// The kernel has no type information, no tracefs or no kprobe events.
    pub fn open() -> Result<Self, Refusal> {
        let types = fs::read(TYPES).refuse(|| format!("reading the kernel's types in {TYPES}"))?;
        let layout = Btf::parse(&types)
            .ok_or_else(|| "they are not in a form that is known".to_owned())
            .and_then(|btf| Layout::new(&btf))
            .map_err(|why| refusal(format!("looking for bios in {TYPES}"), why))?;
        // Turn the optimization off: a trap that is optimized into a jump leaves
        // interrupts on. Kernels without the optimization have no such file.
        let _ = sysfs::write("/proc/sys/debug/kprobes-optimization", "0");
        let root = Path::new(ROOT);
        let mut points = Vec::new();
        for point in Point::ALL {
            match define(&layout, point) {
                Ok(()) => points.push(point),
                // A kernel without device-mapper does not have these functions.
                Err(_) if !matches!(point, Point::Submit | Point::End) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let instance = root.join(INSTANCE);
        if !instance.exists() {
            fs::create_dir(&instance).refuse(|| format!("making {}", instance.display()))?;
        }
        let rings = Rings::open(&instance, RING_KIB)?;
        let mut decoders = Vec::new();
        for point in &points {
            for window in 0..WINDOWS {
                let path = root
                    .join("events")
                    .join(GROUP)
                    .join(probe::name(*point, window));
                let path = path.join("format");
                let decoder = Decoder::new(*point, window, &format(&path)?, &layout);
                decoders.push(decoder.ok_or_else(|| {
                    let doing = format!("reading {}", path.display());
                    refusal(doing, "it lacks a field that was asked for")
                })?);
            }
        }
        Ok(Self {
            rings,
            layout,
            points,
            decoders,
            windows: 0,
            faults_are_misses: faults_are_misses(&sysfs::text(RELEASE).unwrap_or_default()),
            before: HashMap::new(),
        })
    }

    /// Drops everything recorded so far, and watches from now on, with at least `entries`
    /// of each vector.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn watch(&mut self, entries: u32) -> Result<(), Refusal> {
        let wanted = entries.clamp(1, LONGEST).div_ceil(WINDOW);
        // Enabling an event patches kernel code, so only those that must change are
        // touched.
        for window in 0..WINDOWS {
            let (is, to_be) = (window < self.windows, window < wanted);
            if is != to_be {
                self.enable(window, to_be)?;
            }
        }
        self.windows = wanted;
        self.rings.start()?;
        // Read the counters last. Then an event before that is recorded but not counted;
        // the reverse would look like a loss.
        self.before = counts()?;
        Ok(())
    }

    /// Ends the watch and disables the events, because they take time.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn silence(&mut self) -> Result<(), Refusal> {
        for window in 0..std::mem::take(&mut self.windows) {
            self.enable(window, false)?;
        }
        Ok(())
    }

    /// Stops recording, and returns what was seen.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn collect(&mut self) -> Result<BioTrace, Refusal> {
        let after = counts()?;
        let mut reading = Reading::new(&self.decoders, &self.layout, self.windows);
        let mut lost = 0;
        self.rings.stop(|page| {
            lost += page.lost;
            for (ns, record) in page.records {
                reading.record(ns, record);
            }
        })?;
        let (mut hits, mut misses) = (0, 0);
        for point in &self.points {
            let name = probe::name(*point, 0);
            let of = |counts: &HashMap<String, Counts>| counts.get(&name).copied();
            let (before, after) = (of(&self.before), of(&after));
            let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
            hits += after.hits.saturating_sub(before.hits);
            misses += after.misses.saturating_sub(before.misses);
        }
        let doubted = match self.faults_are_misses {
            true => misses,
            false => 0,
        };
        lost += misses - doubted;
        // A record that does not fit into the ring leaves no trace there. So compare with
        // the number of hits.
        lost = lost.max(hits.saturating_sub(reading.heads));
        let Read {
            events,
            contents,
            lost: torn,
        } = reading.finish();
        lost += torn;
        let devs: BTreeSet<Dev> = events.iter().map(|event| event.dev).collect();
        Ok(BioTrace {
            points: self.points.clone(),
            entries: self.windows * WINDOW,
            events,
            contents,
            lost,
            doubted,
            devices: devs.into_iter().map(device).collect(),
        })
    }

    fn enable(&self, window: u32, on: bool) -> Result<(), Refusal> {
        for point in &self.points {
            let event = probe::name(*point, window);
            let path = Path::new(ROOT).join(INSTANCE).join("events").join(GROUP);
            let path = path.join(event).join("enable");
            let value = if on { "1" } else { "0" };
            sysfs::write(&path, value)
                .refuse(|| format!("writing {value} to {}", path.display()))?;
        }
        Ok(())
    }
}

/// Defines the events of a point, unless they exist already.
fn define(layout: &Layout, point: Point) -> Result<(), Refusal> {
    let mut places = Place::ALL.into_iter();
    loop {
        let place = places.next().unwrap_or(Place::Entry);
        match (0..WINDOWS).try_for_each(|window| define_at(layout, point, window, place)) {
            Err(_) if place != Place::Entry => {}
            result => return result,
        }
    }
}

fn define_at(layout: &Layout, point: Point, window: u32, place: Place) -> Result<(), Refusal> {
    let root = Path::new(ROOT);
    let event = root.join("events").join(GROUP);
    if event.join(probe::name(point, window)).exists() {
        return Ok(());
    }
    let definition = layout.definition(point, window, place);
    sysfs::write(root.join("kprobe_events"), &definition)
        .refuse(|| format!("making a kprobe event on {}", point.function()))
}

/// Whether a kernel of this release, such as "5.10.0-46-cloud-amd64", counts a probe as
/// missed if its fetch meets a page fault. In every case there is such a fault: from a
/// bio without `bi_private`, and from a vector that ends before unmapped memory.
fn faults_are_misses(release: &str) -> bool {
    let mut numbers = release.split(['.', '-']).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (5u32, 14u32),
        _ => false,
    }
}

/// The kernel's counters of each kprobe event.
fn counts() -> Result<HashMap<String, Counts>, Refusal> {
    let path = Path::new(ROOT).join("kprobe_profile");
    let text = sysfs::text(&path).refuse(|| format!("reading {}", path.display()))?;
    Ok(text.lines().filter_map(counted).collect())
}

/// Parses `EVENT HITS MISSES`.
fn counted(line: &str) -> Option<(String, Counts)> {
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    let hits = words.next()?.parse().ok()?;
    let misses = words.next()?.parse().ok()?;
    Some((name, Counts { hits, misses }))
}

/// What sysfs and `/proc/devices` tell about a device.
fn device(dev: Dev) -> Device {
    let path = fs::canonicalize(format!("/sys/dev/block/{dev}")).unwrap_or_default();
    // A partition has no driver of its own; its disk has.
    let disk = match path.join("partition").exists() {
        true => path.parent().unwrap_or(&path),
        false => &path,
    };
    // The device of an NVMe namespace is its controller, and the controller's device has
    // the driver.
    let mut drivers = ["device/driver", "device/device/driver"]
        .iter()
        .filter_map(|link| last(&fs::canonicalize(disk.join(link)).ok()?));
    Device {
        dev,
        name: last(&path).unwrap_or_default(),
        driver: drivers
            .next()
            .or_else(|| of_major(dev.0))
            .unwrap_or_default(),
    }
}

fn last(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// The name that `/proc/devices` has for a block device's major number.
fn of_major(major: u32) -> Option<String> {
    let text = sysfs::text(PathBuf::from("/proc/devices")).ok()?;
    let (_, block) = text.split_once("Block devices:")?;
    block.lines().find_map(|line| {
        let (number, name) = line.trim().split_once(' ')?;
        (number.parse() == Ok(major)).then(|| name.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("5.10.0-46-cloud-amd64", true)]
    #[case("5.14.0", false)]
    #[case("6.1.0-56-amd64", false)]
    #[case("4.19.0-rc1", true)]
    #[case("", false)]
    fn releases(#[case] release: &str, #[case] expected: bool) {
        assert_eq!(faults_are_misses(release), expected);
    }

    #[rstest]
    #[case(
        "  bio_endio0                                                12               3",
        Some(("bio_endio0", Counts { hits: 12, misses: 3 }))
    )]
    #[case("", None)]
    #[case("  bio_endio0  x  3", None)]
    fn lines_of_the_profile(#[case] line: &str, #[case] expected: Option<(&str, Counts)>) {
        let expected = expected.map(|(name, counts)| (name.to_owned(), counts));
        assert_eq!(counted(line), expected);
    }
}
