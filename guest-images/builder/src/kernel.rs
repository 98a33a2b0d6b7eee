//! Finds the files of the kernel that the user asked for.

use crate::archive::{self, ArchiveError, PackagedKernel};
use crate::cache::{Cache, prune, touch};
use crate::catalogue::{Catalogue, Entry};
use crate::file::{self, Context, FileError};
use crate::image::{self, BzImage, ImageError};
use crate::module::Modules;
use crate::progress::{Progress, Stage};
use crate::spec::KernelSpec;
use crate::unpack;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// The format of a fetched kernel's directory in the cache. Raise it when the layout
/// changes.
const FORMAT: u32 = 1;

/// How many extracted kernels are kept in the cache. A kernel developer makes a new one
/// every few minutes.
const KEEP: usize = 12;

/// A kernel that can be booted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The name by which the user asked for it: a name of the catalogue, "host", or a
    /// path.
    pub name: String,
    /// The release, as `uname -r` will print it.
    pub release: String,
    /// Where it comes from: the version of the package, or the path.
    pub origin: String,
    /// The SHA-256 digest of the original image (bzImage or vmlinux), in hexadecimal.
    pub digest: String,
    /// The file to boot: the uncompressed ELF kernel if it has a PVH entry, else the
    /// bzImage.
    pub image: PathBuf,
    /// The bzImage. `None` for a bare vmlinux.
    pub bzimage: Option<PathBuf>,
    /// Why `image` is the bzImage, which boots several times slower. `None` if it is not.
    pub slow: Option<String>,
    /// The modules of the kernel.
    pub modules: Modules,
}

/// Why a kernel is not available.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A named kernel could not be fetched.
    #[error("kernel {name} cannot be had: {source}")]
    Archive {
        /// The name of the kernel.
        name: String,
        /// Why the archive could not deliver it.
        source: ArchiveError,
    },
    /// The packages lack a part of the kernel.
    #[error("kernel {name}: its packages ({origin}) hold no {part}")]
    Incomplete {
        /// The name of the kernel.
        name: String,
        /// The version of the packages.
        origin: String,
        /// The part that is missing.
        part: &'static str,
    },
    /// The files of the host's kernel are not on the host.
    #[error(
        "the host's kernel {release} is not among its files: there is no {}; give it with \
         --kernel and --modules, or choose one by name", missing.display()
    )]
    NoHostKernel {
        /// The release, as `uname -r` prints it.
        release: String,
        /// The missing file or directory.
        missing: PathBuf,
    },
    /// The directory has no built kernel.
    #[error(
        "{} holds no built kernel: neither arch/x86/boot/bzImage nor vmlinux; run make there, or \
         give its output directory", .0.display()
    )]
    NotBuilt(PathBuf),
    /// There is no such directory of modules.
    #[error("there is no directory of modules at {}", .0.display())]
    NoModules(PathBuf),
    /// The file cannot be booted.
    #[error("{} cannot be booted: {why}", path.display())]
    Image {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong with the image.
        why: ImageError,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Finds the kernel, or fetches it. A named kernel that was fetched once is used again
/// without the network. To get a newer one, delete `kernels/NAME` in the cache.
pub fn resolve(
    spec: &KernelSpec,
    cache: &Cache,
    progress: &mut Progress<'_>,
) -> Result<Kernel, KernelError> {
    match spec {
        KernelSpec::Named(entry) => named(entry, cache, progress),
        KernelSpec::Host => host(cache, progress),
        KernelSpec::BuildTree(tree) => build_tree(tree, cache, progress),
        KernelSpec::Files { image, modules } => {
            let found = Image::load_cached(image, cache, progress)?;
            let modules = match modules {
                Some(given) => installed(given, &found.release)?,
                None => Modules::none(&found.release),
            };
            Ok(found.with(spec, image.display().to_string(), modules))
        }
    }
}

/// All kernels of this flavour ("cloud-amd64", "amd64") that the archive's package lists
/// name, in the order of their versions. Needs the network. Nothing but the lists is
/// fetched.
///
/// # Errors
/// The lists cannot be had.
pub fn packaged(
    flavour: &str,
    cache: &Cache,
    progress: &mut Progress<'_>,
) -> Result<Vec<PackagedKernel>, KernelError> {
    let suites = Catalogue::load().suites();
    archive::list(&suites, flavour, cache, progress).map_err(|source| KernelError::Archive {
        name: flavour.to_owned(),
        source,
    })
}

/// What is known of a fetched kernel, in the file `kernel.json` beside it. So its files
/// need not be examined again.
#[derive(Serialize, Deserialize)]
struct Stamp {
    format: u32,
    origin: String,
    release: String,
    digest: String,
    slow: Option<String>,
}

const STAMP: &str = "kernel.json";
const VMLINUX: &str = "vmlinux";

fn named(entry: &Entry, cache: &Cache, progress: &mut Progress<'_>) -> Result<Kernel, KernelError> {
    let all = cache.root().join("kernels");
    let directory = all.join(&entry.name);
    if let Some(kernel) = fetched(entry, &directory) {
        return Ok(kernel);
    }
    let _lock = cache.lock(&format!("kernel-{}", entry.name), || {
        progress(&Stage::Waiting)
    })?;
    // Another process may have fetched it meanwhile.
    if let Some(kernel) = fetched(entry, &directory) {
        return Ok(kernel);
    }
    let unfinished = all.join(format!(".unfinished-{}", entry.name));
    // These are left if a process was killed, or from another format.
    for leftover in [&unfinished, &directory] {
        if leftover.exists() {
            fs::remove_dir_all(leftover).at("remove", leftover)?;
        }
    }
    file::create_dir(&unfinished)?;
    if let Err(error) = fetch(entry, cache, &unfinished, progress) {
        let _ = fs::remove_dir_all(&unfinished);
        return Err(error);
    }
    fs::rename(&unfinished, &directory).at("create", &directory)?;
    fetched(entry, &directory).ok_or_else(|| KernelError::Incomplete {
        name: entry.name.clone(),
        origin: directory.display().to_string(),
        part: "kernel",
    })
}

/// Fetches a kernel into `place`, in the form that [`fetched`] accepts.
fn fetch(
    entry: &Entry,
    cache: &Cache,
    place: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), KernelError> {
    let origin =
        archive::fetch(entry, cache, place, progress).map_err(|source| KernelError::Archive {
            name: entry.name.clone(),
            source,
        })?;
    for part in [unpack::VMLINUZ, unpack::MODULES] {
        if !place.join(part).exists() {
            return Err(KernelError::Incomplete {
                name: entry.name.clone(),
                origin,
                part,
            });
        }
    }
    let vmlinuz = place.join(unpack::VMLINUZ);
    let image = Image::load(&vmlinuz, |_| place.join(VMLINUX), progress)?;
    let stamp = Stamp {
        format: FORMAT,
        origin,
        release: image.release,
        digest: image.digest,
        slow: image.slow,
    };
    let text = serde_json::to_vec_pretty(&stamp)
        .map_err(std::io::Error::from)
        .at("describe the kernel in", place)?;
    file::write_atomically(&place.join(STAMP), &text)?;
    Ok(())
}

/// A kernel that was fetched before, if it is complete.
fn fetched(entry: &Entry, directory: &Path) -> Option<Kernel> {
    let stamp: Stamp = serde_json::from_slice(&fs::read(directory.join(STAMP)).ok()?).ok()?;
    let bzimage = directory.join(unpack::VMLINUZ);
    let image = match stamp.slow {
        None => directory.join(VMLINUX),
        Some(_) => bzimage.clone(),
    };
    let modules = directory.join(unpack::MODULES);
    (stamp.format == FORMAT && image.is_file() && modules.is_dir()).then(|| Kernel {
        name: entry.name.clone(),
        modules: Modules::installed(&stamp.release, modules),
        release: stamp.release,
        origin: stamp.origin,
        digest: stamp.digest,
        image,
        bzimage: Some(bzimage),
        slow: stamp.slow,
    })
}

fn host(cache: &Cache, progress: &mut Progress<'_>) -> Result<Kernel, KernelError> {
    let osrelease = Path::new("/proc/sys/kernel/osrelease");
    let text = fs::read_to_string(osrelease).at("read", osrelease)?;
    let release = text.trim();
    // The first is for Debian and most others, then Fedora and Arch.
    let places = [
        PathBuf::from(format!("/boot/vmlinuz-{release}")),
        PathBuf::from(format!("/usr/lib/modules/{release}/vmlinuz")),
    ];
    let missing = |missing: PathBuf| KernelError::NoHostKernel {
        release: release.to_owned(),
        missing,
    };
    let Some(path) = places.iter().find(|path| path.exists()) else {
        let [usual, _] = places;
        return Err(missing(usual));
    };
    let modules = PathBuf::from(format!("/lib/modules/{release}"));
    if !modules.is_dir() {
        return Err(missing(modules));
    }
    let image = Image::load_cached(path, cache, progress)?;
    let origin = path.display().to_string();
    Ok(image.with(
        &KernelSpec::Host,
        origin,
        Modules::installed(release, modules),
    ))
}

fn build_tree(
    tree: &Path,
    cache: &Cache,
    progress: &mut Progress<'_>,
) -> Result<Kernel, KernelError> {
    let path = ["arch/x86/boot/bzImage", "vmlinux"]
        .map(|path| tree.join(path))
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| KernelError::NotBuilt(tree.to_owned()))?;
    let image = Image::load_cached(&path, cache, progress)?;
    let modules = Modules::build_tree(&image.release, tree.to_owned());
    let spec = KernelSpec::BuildTree(tree.to_owned());
    Ok(image.with(&spec, path.display().to_string(), modules))
}

/// The modules in a directory that the user gave. It is either that of one release, or
/// the one that `make modules_install` installed into.
fn installed(given: &Path, release: &str) -> Result<Modules, KernelError> {
    ["lib/modules", "usr/lib/modules", ""]
        .map(|below| given.join(below).join(release))
        .into_iter()
        .chain([given.to_owned()])
        .find(|root| root.is_dir())
        .map(|root| Modules::installed(release, root))
        .ok_or_else(|| KernelError::NoModules(given.to_owned()))
}

/// A kernel image that was examined.
struct Image {
    boot: PathBuf,
    bzimage: Option<PathBuf>,
    release: String,
    digest: String,
    slow: Option<String>,
}

impl Image {
    /// Loads an image of someone else. Its vmlinux is extracted to the cache.
    fn load_cached(
        path: &Path,
        cache: &Cache,
        progress: &mut Progress<'_>,
    ) -> Result<Self, KernelError> {
        let directory = cache.root().join(VMLINUX);
        let image = Self::load(path, |digest| directory.join(digest), progress)?;
        prune(&directory, KEEP);
        Ok(image)
    }

    /// Examines the image at `path`. Extracts its vmlinux to the path that `place`
    /// returns for the image's digest, unless it is there already.
    fn load(
        path: &Path,
        place: impl FnOnce(&str) -> PathBuf,
        progress: &mut Progress<'_>,
    ) -> Result<Self, KernelError> {
        let data = file::read(path)?;
        let digest = file::digest(&data);
        let refuse = |why| KernelError::Image {
            path: path.to_owned(),
            why,
        };
        let Some(bzimage) = BzImage::parse(&data) else {
            let release = image::banner_release(&data).ok_or(refuse(ImageError::NotAKernel))?;
            return match image::has_pvh_entry(&data) {
                true => Ok(Image {
                    boot: path.to_owned(),
                    bzimage: None,
                    release,
                    digest,
                    slow: None,
                }),
                false => Err(refuse(ImageError::NoPvhEntry)),
            };
        };
        let release = bzimage.release().ok_or(refuse(ImageError::NotAKernel))?;
        let vmlinux = place(&digest);
        let mut slow = None;
        if vmlinux.is_file() {
            touch(&vmlinux);
        } else {
            progress(&Stage::Extract {
                release: release.clone(),
            });
            match bzimage.vmlinux() {
                Ok(elf) => file::write_atomically(&vmlinux, &elf)?,
                Err(reason) => slow = Some(reason.to_string()),
            }
        }
        Ok(Image {
            boot: match slow {
                None => vmlinux,
                Some(_) => path.to_owned(),
            },
            bzimage: Some(path.to_owned()),
            release,
            digest,
            slow,
        })
    }

    fn with(self, spec: &KernelSpec, origin: String, modules: Modules) -> Kernel {
        Kernel {
            name: spec.to_string(),
            release: self.release,
            origin,
            digest: self.digest,
            image: self.boot,
            bzimage: self.bzimage,
            slow: self.slow,
            modules,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::image::tests::{bzimage, elf, gzip};

    const PVH: (&[u8; 4], u32) = (b"Xen\0", 18);

    fn put(root: &Path, path: &str, data: &[u8]) -> PathBuf {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, data).unwrap();
        path
    }

    fn resolve_path(path: &Path, modules: Option<&Path>, cache: &Cache) -> Result<Kernel, String> {
        let spec = KernelSpec::parse(path.to_str().unwrap(), modules).map_err(|e| e.to_string())?;
        resolve(&spec, cache, &mut |_| {}).map_err(|e| e.to_string())
    }

    #[test]
    fn a_build_tree_boots_its_vmlinux() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("cache"));
        let tree = directory.path().join("linux");
        put(&tree, "Makefile", b"");
        let error = resolve_path(&tree, None, &cache).unwrap_err();
        assert!(error.contains("holds no built kernel"), "{error}");

        let vmlinux = elf(PVH.0, PVH.1);
        let path = put(&tree, "arch/x86/boot/bzImage", &bzimage(&gzip(&vmlinux)));
        put(&tree, "modules.builtin", b"kernel/drivers/md/dm-mod.ko\n");
        let kernel = resolve_path(&tree, None, &cache).unwrap();
        assert_eq!(kernel.release, "6.1.0-test");
        assert_eq!(kernel.bzimage, Some(path.clone()));
        assert_eq!(fs::read(&kernel.image).unwrap(), vmlinux);
        assert_eq!(kernel.slow, None);
        assert_eq!(kernel.modules.select(&["dm_mod"]).unwrap(), []);

        fs::remove_file(path).unwrap();
        let mut bare = vmlinux;
        bare.extend(b"Linux version 7.2.0 (me@here)");
        let path = put(&tree, "vmlinux", &bare);
        let kernel = resolve_path(&tree, None, &cache).unwrap();
        assert_eq!((kernel.image, kernel.bzimage), (path, None));
        assert_eq!(kernel.release, "7.2.0");
    }

    #[test]
    fn files_as_a_person_gives_them() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let cache = Cache::at(root.join("cache"));
        let text = put(root, "readme", b"text");
        let error = resolve_path(&text, None, &cache).unwrap_err();
        assert!(error.contains("neither an x86 bzImage"), "{error}");

        let path = put(root, "vmlinuz", &bzimage(b"BZh9....."));
        let inner = root.join("lib/modules/6.1.0-test");
        fs::create_dir_all(&inner).unwrap();
        for given in [&inner, root, &root.join("lib/modules")] {
            let kernel = resolve_path(&path, Some(given), &cache).unwrap();
            assert_eq!(kernel.modules.root(), Some(inner.as_path()));
            assert_eq!(
                kernel.image, path,
                "what cannot be extracted boots as it is"
            );
            assert!(kernel.slow.unwrap().contains("compression is unknown"));
        }
        let nowhere = root.join("nowhere");
        let error = resolve_path(&path, Some(&nowhere), &cache).unwrap_err();
        assert!(error.contains("nowhere"), "{error}");
    }

    #[test]
    fn a_fetched_kernel_needs_no_network_and_a_damaged_one_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::load();
        let entry = catalogue.default_entry();
        let place = directory.path();
        let stamp = Stamp {
            format: FORMAT,
            origin: "1".to_owned(),
            release: "6.1".to_owned(),
            digest: String::new(),
            slow: None,
        };
        put(place, STAMP, &serde_json::to_vec(&stamp).unwrap());
        put(place, VMLINUX, b"");
        put(place, "modules/modules.builtin", b"");
        assert_eq!(fetched(entry, place).unwrap().image, place.join(VMLINUX));
        fs::remove_file(place.join(VMLINUX)).unwrap();
        assert_eq!(fetched(entry, place), None);
        put(place, STAMP, b"{");
        assert_eq!(fetched(entry, place), None);
    }
}
