//! The options that a kernel must be built with, and their purpose. They are read from
//! the fragment `kernel.config`, which users also start their own configuration from.

use crate::decompress::decompress;
use crate::kernel::Kernel;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const FRAGMENT: &str = include_str!("../../kernel.config");

/// A group of options with a common purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The heading above it in the fragment.
    pub section: &'static str,
    /// The purpose of its options.
    pub purpose: String,
    /// The names of its options, with `CONFIG_`.
    pub options: Vec<&'static str>,
}

/// The heading of the section with all that a guest needs to boot.
pub const COMING_UP: &str = "Coming up";

/// The heading of the section with all that every case needs.
pub const EVERY_CASE: &str = "What is seen and done by every case";

/// All groups of the fragment, in order.
pub fn groups() -> Vec<Group> {
    let mut section = "";
    let mut comment: Vec<&str> = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    for line in FRAGMENT.lines().map(str::trim_end) {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
            comment.clear();
        } else if let Some(option) = option(line) {
            if !comment.is_empty() {
                groups.push(Group {
                    section,
                    purpose: comment.join(" "),
                    options: Vec::new(),
                });
                comment.clear();
            }
            if let Some(group) = groups.last_mut() {
                group.options.push(option);
            }
        } else if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
        } else {
            comment.clear();
        }
    }
    groups
}

/// The purpose of an option.
pub fn purpose(option: &str) -> Option<String> {
    let mut groups = groups().into_iter();
    let group = groups.find(|group| group.options.contains(&option))?;
    Some(group.purpose)
}

/// The option that a line of the fragment sets, or mentions for the reader to set.
fn option(line: &'static str) -> Option<&'static str> {
    let set = line.split_once('=').map(|(option, _)| option);
    let left = line
        .strip_prefix("# ")
        .and_then(|line| line.strip_suffix(" is not set"));
    set.or(left).filter(|option| option.starts_with("CONFIG_"))
}

/// Modules, and the options that build them (drivers/*/Kconfig).
const MODULES: [(&str, &str); 29] = [
    ("virtio_pci", "CONFIG_VIRTIO_PCI"),
    ("virtio_console", "CONFIG_VIRTIO_CONSOLE"),
    ("virtio_blk", "CONFIG_VIRTIO_BLK"),
    ("virtio_scsi", "CONFIG_SCSI_VIRTIO"),
    ("dm_mod", "CONFIG_BLK_DEV_DM"),
    ("dm_mirror", "CONFIG_DM_MIRROR"),
    ("dm_multipath", "CONFIG_DM_MULTIPATH"),
    ("dm_round_robin", "CONFIG_DM_MULTIPATH"),
    ("dm_queue_length", "CONFIG_DM_MULTIPATH_QL"),
    ("dm_service_time", "CONFIG_DM_MULTIPATH_ST"),
    ("dm_historical_service_time", "CONFIG_DM_MULTIPATH_HST"),
    ("sd_mod", "CONFIG_BLK_DEV_SD"),
    ("nvme", "CONFIG_BLK_DEV_NVME"),
    ("ahci", "CONFIG_SATA_AHCI"),
    ("ata_piix", "CONFIG_ATA_PIIX"),
    ("sym53c8xx", "CONFIG_SCSI_SYM53C8XX_2"),
    ("vmw_pvscsi", "CONFIG_VMWARE_PVSCSI"),
    ("megaraid_sas", "CONFIG_MEGARAID_SAS"),
    ("mptsas", "CONFIG_FUSION_SAS"),
    ("am53c974", "CONFIG_SCSI_AM53C974"),
    ("xhci_pci", "CONFIG_USB_XHCI_HCD"),
    ("usb_storage", "CONFIG_USB_STORAGE"),
    ("uas", "CONFIG_USB_UAS"),
    ("floppy", "CONFIG_BLK_DEV_FD"),
    ("sdhci_pci", "CONFIG_MMC_SDHCI_PCI"),
    ("mmc_block", "CONFIG_MMC_BLOCK"),
    ("ext4", "CONFIG_EXT4_FS"),
    ("xfs", "CONFIG_XFS_FS"),
    ("crc32c_generic", "CONFIG_CRYPTO_CRC32C"),
];

/// The option that builds a module, if it is in the list.
pub fn of_module(module: &str) -> Option<&'static str> {
    let mut known = MODULES.iter();
    known
        .find(|(name, _)| *name == module)
        .map(|(_, option)| *option)
}

/// The modules that an option builds.
pub fn modules(option: &str) -> impl Iterator<Item = &'static str> {
    let known = MODULES
        .iter()
        .filter(move |(_, made_by)| *made_by == option);
    known.map(|(name, _)| *name)
}

/// The configuration of a kernel: the options that are set. The value is true for
/// built-in, false for a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config(BTreeMap<String, bool>);

impl Config {
    /// The configuration of a kernel. It is searched for beside the modules, as in a
    /// build tree, then beside the image, as distributions have it, and then in the image
    /// itself (`CONFIG_IKCONFIG`).
    pub fn of(kernel: &Kernel) -> Option<Self> {
        let root = kernel.modules.root();
        let beside_image = || {
            let directory = kernel.bzimage.as_ref()?.parent()?;
            let name = format!("config-{}", kernel.release);
            read(&directory.join(name)).or_else(|| read(&directory.join("config")))
        };
        let embedded = || Some(Self::parse(&embedded(&fs::read(&kernel.image).ok()?)?));
        let beside_modules = root.and_then(Self::beside_modules);
        beside_modules.or_else(beside_image).or_else(embedded)
    }

    /// The configuration of a kernel, from the directory of its modules or its build
    /// tree.
    pub(crate) fn beside_modules(root: &Path) -> Option<Self> {
        read(&root.join(".config")).or_else(|| read(&root.join("config")))
    }

    /// The drivers that are built in. This is needed because modules.builtin lacks
    /// drivers without module information when built in. For instance, floppy.c has its
    /// `MODULE_LICENSE` within `#ifdef MODULE`.
    pub(crate) fn drivers(&self) -> impl Iterator<Item = &'static str> {
        let builtin = |option: &str| self.0.get(option).copied().unwrap_or_default();
        let builtin = MODULES.iter().filter(move |(_, option)| builtin(option));
        builtin.map(|(name, _)| *name)
    }

    fn parse(text: &str) -> Self {
        let set = |line: &str| {
            let (option, value) = line.split_once('=')?;
            let set = option.starts_with("CONFIG_") && value != "n";
            set.then(|| (option.to_owned(), value == "y"))
        };
        Self(text.lines().filter_map(set).collect())
    }

    /// Whether an option is set, as built-in or as a module.
    pub fn has(&self, option: &str) -> bool {
        self.0.contains_key(option)
    }
}

fn read(path: &Path) -> Option<Config> {
    Some(Config::parse(&fs::read_to_string(path).ok()?))
}

/// The configuration in an uncompressed image (kernel/configs.c).
fn embedded(image: &[u8]) -> Option<String> {
    const BEGIN: &[u8] = b"IKCFG_ST";
    let at = image
        .windows(BEGIN.len())
        .position(|window| window == BEGIN)?;
    let text = decompress(&image[at + BEGIN.len()..])?.ok()?;
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::gzip;
    use std::collections::BTreeSet;

    #[test]
    fn each_option_has_a_purpose_and_a_place() {
        let groups = groups();
        let options: Vec<_> = groups.iter().flat_map(|group| &group.options).collect();
        let different: BTreeSet<_> = options.iter().collect();
        assert_eq!(options.len(), different.len(), "an option is there twice");
        assert!(options.len() > 90, "{}", options.len());
        for group in &groups {
            assert!(
                !group.section.is_empty() && !group.options.is_empty(),
                "{group:?}"
            );
        }
        assert_eq!(groups[0].section, COMING_UP);
        assert!(groups.iter().any(|group| group.section == EVERY_CASE));
        let aio = purpose("CONFIG_AIO").unwrap();
        assert_eq!(aio, "Several requests in flight together (`requests`)");
    }

    #[test]
    fn each_module_has_its_option_in_the_fragment() {
        for (module, option) in MODULES {
            let there = purpose(option).is_some() || module == "crc32c_generic";
            assert!(there, "{option} of {module}");
        }
        assert!(modules("CONFIG_DM_MULTIPATH").eq(["dm_multipath", "dm_round_robin"]));
    }

    #[test]
    fn a_configuration_is_found_in_an_image() {
        let text = "CONFIG_AIO=y\n# CONFIG_SMP is not set\nCONFIG_XFS_FS=m\nCONFIG_HZ=250\n";
        let image = [
            b"\x7fELF..IKCFG_ST",
            gzip(text.as_bytes()).as_slice(),
            b"IKCFG_ED",
        ]
        .concat();
        let config = Config::parse(&embedded(&image).unwrap());
        assert!(config.has("CONFIG_AIO") && config.has("CONFIG_XFS_FS"));
        assert!(!config.has("CONFIG_SMP"));
        let floppy = Config::parse("CONFIG_BLK_DEV_FD=y\nCONFIG_XFS_FS=m\n");
        assert!(floppy.drivers().eq(["floppy"]));
        assert_eq!(embedded(b"\x7fELF"), None);
    }
}
