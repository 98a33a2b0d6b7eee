//! The guest's disks by their serial number. Kernel names are not stable.
//!
//! Drivers show the serial number in different places. Some have an attribute for it.
//! SCSI and ATA disks have it in a page of vital product data. A USB stick has that of
//! its USB device. A floppy has none, and all SD cards of QEMU have the same; these two
//! are identified by the content of their first sector.

use crate::refuse::Refuse;
use crate::sysfs;
use halfway_protocol::content::{Origin, SECTOR, origin};
use halfway_protocol::message::{Disk, Refusal};
use halfway_protocol::trace::Dev;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How the names of dm devices begin: they are not disks but stacked on them.
const STACKED: &str = "dm-";

/// The serial number of the disk at `/sys/block/X`, from what sysfs shows there.
fn serial(name: &str, path: &Path) -> Option<String> {
    // NVMe shows it with its controller. mmc does too, but that number is QEMU's own and
    // the same for all cards.
    let of_controller = match name.starts_with("nvme") {
        true => sysfs::read(path.join("device/serial")).ok(),
        false => None,
    };
    sysfs::read(path.join("serial")) // virtio-blk
        .ok()
        .or(of_controller)
        .or_else(|| vital_product_data(path))
        .or_else(|| usb(path))
        .or_else(|| stamped(name))
        .map(|serial| serial.trim().to_owned())
        .filter(|serial| !serial.is_empty())
}

/// The serial number from vital product data, page 0x80: four bytes of header, then the
/// number (SPC-4, 7.8.18).
fn vital_product_data(path: &Path) -> Option<String> {
    let page = fs::read(path.join("device/vpd_pg80")).ok()?;
    let number = page.get(4..)?;
    Some(String::from_utf8_lossy(number).replace('\0', " "))
}

/// The serial number of the USB device that the disk is a part of. It is needed because
/// Linux does not ask a stick for vital product data (`slave_configure` in
/// drivers/usb/storage/scsiglue.c).
fn usb(path: &Path) -> Option<String> {
    let device = fs::canonicalize(path.join("device")).ok()?;
    let usb = device
        .ancestors()
        .find(|above| above.join("idVendor").exists())?;
    sysfs::read(usb.join("serial")).ok()
}

/// The serial number according to the stamp in the disk's first sector. The host put it
/// there before the first case.
fn stamped(name: &str) -> Option<String> {
    let mut sector = [0; SECTOR];
    let mut disk = File::open(Path::new("/dev").join(name)).ok()?;
    disk.read_exact(&mut sector).ok()?;
    match origin(&sector)? {
        Origin::Leg(leg) => Some(format!("leg{leg}")),
        Origin::Log => Some("log".to_owned()),
        Origin::Writer(_) => None,
    }
}

/// The disks with their serial numbers. They are cached, because asking virtio-blk costs
/// a request to the device.
#[derive(Default)]
pub struct Disks(Vec<Known>);

struct Known {
    serial: String,
    name: String,
    dev: Dev,
}

impl Disks {
    /// All disks that have a serial number.
    ///
    /// # Errors
    /// `/sys/block` cannot be read.
    pub fn list(&mut self) -> Result<Vec<Disk>, Refusal> {
        self.look()?;
        Ok(self
            .0
            .iter()
            .map(|disk| Disk {
                serial: disk.serial.clone(),
                name: disk.name.clone(),
                dev: disk.dev,
                sectors: sysfs::number(Path::new("/sys/block").join(&disk.name).join("size"))
                    .unwrap_or_default(),
                limits: sysfs::limits(&disk.name),
            })
            .collect())
    }

    /// The kernel name and number of the disk with that serial number.
    ///
    /// # Errors
    /// `/sys/block` cannot be read.
    pub fn find(&mut self, serial: &str) -> Result<Option<(&str, Dev)>, Refusal> {
        if self.known(serial).is_none() {
            self.look()?;
        }
        Ok(self.known(serial))
    }

    /// The number of the device that a stack uses for the disk with that serial number:
    /// the device of our own driver on the disk, or else the disk itself.
    ///
    /// # Errors
    /// `/sys/block` cannot be read.
    pub fn upper(&mut self, serial: &str) -> Result<Option<Dev>, Refusal> {
        let Some((name, dev)) = self.find(serial)? else {
            return Ok(None);
        };
        let holder = holders(name).find_map(|holder| number(&holder));
        Ok(Some(holder.unwrap_or(dev)))
    }

    /// Like [`Self::find`], but looks only among the cached disks.
    pub fn known(&self, serial: &str) -> Option<(&str, Dev)> {
        self.0
            .iter()
            .find(|disk| disk.serial == serial)
            .map(|disk| (disk.name.as_str(), disk.dev))
    }

    /// The serial numbers of the cached disks, for a message.
    pub fn serials(&self) -> String {
        let serials: Vec<_> = self.0.iter().map(|disk| disk.serial.as_str()).collect();
        serials.join(", ")
    }

    fn look(&mut self) -> Result<(), Refusal> {
        self.0.clear();
        for (name, path) in blocks()? {
            let serial = serial(&name, &path);
            let dev = number(&path);
            if let (Some(serial), Some(dev)) = (serial, dev) {
                // An open waits for the lock that `bdev_disk_changed` holds while it
                // looks for partitions. Otherwise the reads of that search would be taken
                // for a case's.
                let _ = File::open(Path::new("/dev").join(&name));
                sysfs::without_scheduler(&name);
                self.0.push(Known { serial, name, dev });
            }
        }
        self.0.sort_by(|a, b| a.serial.cmp(&b.serial));
        Ok(())
    }
}

/// The directories of the devices that have taken a disk, without dm devices.
fn holders(name: &str) -> impl Iterator<Item = PathBuf> {
    let holders = fs::read_dir(Path::new("/sys/block").join(name).join("holders"));
    let entries = holders.into_iter().flatten().flatten();
    entries
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with(STACKED))
        .map(|entry| entry.path())
}

/// Whether the block device at `/sys/block/X` is stacked on other disks.
fn is_stacked(name: &str, path: &Path) -> bool {
    let mut below = fs::read_dir(path.join("slaves")).into_iter().flatten();
    name.starts_with(STACKED) || below.next().is_some()
}

/// The number of the dm device with that name (`dm_attr_name_show` in
/// drivers/md/dm-sysfs.c).
pub fn stacked(name: &str) -> Option<Dev> {
    let entries = fs::read_dir("/sys/block").ok()?.flatten();
    let mut paths = entries.map(|entry| entry.path());
    let is_it =
        |path: &PathBuf| sysfs::read(path.join("dm/name")).is_ok_and(|found| found.trim() == name);
    number(&paths.find(is_it)?)
}

/// The number of the block device at `/sys/block/X`.
fn number(path: &Path) -> Option<Dev> {
    let text = sysfs::read(path.join("dev")).ok()?;
    parse_dev(&text)
}

/// Parses `MAJOR:MINOR`.
fn parse_dev(text: &str) -> Option<Dev> {
    let (major, minor) = text.split_once(':')?;
    Some(Dev(major.parse().ok()?, minor.parse().ok()?))
}

fn blocks() -> Result<Vec<(String, PathBuf)>, Refusal> {
    let doing = || "reading /sys/block".to_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir("/sys/block").refuse(doing)? {
        let entry = entry.refuse(doing)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_stacked(&name, &entry.path()) {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

/// Watches whether any disk has requests in flight.
pub struct Inflight(Vec<File>);

impl Inflight {
    /// Opens the counters of all disks, without those of dm devices.
    ///
    /// # Errors
    /// `/sys/block` cannot be read.
    pub fn open() -> Result<Self, Refusal> {
        let counters = blocks()?
            .into_iter()
            .filter_map(|(_, path)| File::open(path.join("inflight")).ok());
        Ok(Self(counters.collect()))
    }

    /// Whether no disk has a request in flight.
    pub fn none(&self) -> bool {
        self.0.iter().all(|counter| {
            let mut text = [0; 64];
            // A disk that has gone has nothing in flight.
            let length = counter.read_at(&mut text, 0).unwrap_or(0);
            text[..length]
                .iter()
                .all(|byte| *byte == b'0' || byte.is_ascii_whitespace())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// A directory in the system's temporary directory, removed on drop.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("halfway-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Place(path)
        }

        fn file(&self, name: &str, content: &[u8]) {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[rstest]
    #[case::scsi("scsi", "sda", "device/vpd_pg80", b"\0\x80\0\x04leg1", Some("leg1"))]
    #[case::ata("ata", "sda", "device/vpd_pg80", b"\0\x80\0\x08leg1    ", Some("leg1"))]
    #[case::padded("nul", "sda", "device/vpd_pg80", b"\0\x80\0\x06leg1\0\0", Some("leg1"))]
    #[case::short("short", "sda", "device/vpd_pg80", b"\0\x80", None)]
    #[case::virtio("virtio", "vda", "serial", b"leg1", Some("leg1"))]
    #[case::nvme(
        "nvme",
        "nvme0n1",
        "device/serial",
        b"leg1                \n",
        Some("leg1")
    )]
    #[case::all_cards_alike("mmc", "mmcblk0", "device/serial", b"0xdeadbeef", None)]
    fn a_serial_number_is_where_its_driver_shows_it(
        #[case] place: &str,
        #[case] name: &str,
        #[case] file: &str,
        #[case] content: &[u8],
        #[case] found: Option<&str>,
    ) {
        let place = Place::new(place);
        place.file(file, content);
        // A name that no disk of the host has.
        let name = format!("{name}-of-a-test");
        assert_eq!(serial(&name, &place.0).as_deref(), found);
    }

    #[test]
    fn a_usb_disk_has_the_number_of_its_device() {
        let place = Place::new("usb");
        place.file("1-2/idVendor", b"46f4\n");
        place.file("1-2/serial", b"leg0\n");
        place.file("1-2/host0/target0/block/sda/size", b"8\n");
        let device = place.0.join("1-2/host0/target0");
        let disk = device.join("block/sda");
        std::os::unix::fs::symlink(&device, disk.join("device")).unwrap();
        assert_eq!(serial("sda-of-a-test", &disk).as_deref(), Some("leg0"));
    }
}
