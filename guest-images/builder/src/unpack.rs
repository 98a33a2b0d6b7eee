//! Unpacks from a kernel package what a guest needs. The result has the same layout
//! whatever the package's own layout is.

use crate::program::{self, ProgramError};
use crate::progress::{Progress, Stage};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

/// The name of a kernel image in the cache. Beside it are `config`, and `modules/` with
/// the content of `/lib/modules/RELEASE`.
pub(crate) const VMLINUZ: &str = "vmlinuz";
/// The name of the directory of modules in the cache.
pub(crate) const MODULES: &str = "modules";

/// Directories of drivers that no guest uses. They are two thirds of the plain flavour.
const UNWANTED: [&str; 7] = [
    "kernel/sound",
    "kernel/drivers/gpu",
    "kernel/drivers/iio",
    "kernel/drivers/media",
    "kernel/drivers/net/wireless",
    "kernel/drivers/staging",
    "kernel/drivers/input",
];

/// Why a package could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("cannot unpack {}: {reason}", .package.display())]
pub struct UnpackError {
    /// The path of the package.
    pub package: PathBuf,
    /// What went wrong.
    pub reason: String,
}

/// Unpacks from a kernel's `package` what a guest needs, into `destination`.
pub(crate) fn unpack(
    package: &Path,
    destination: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), UnpackError> {
    read(package, progress, |stream| extract_tar(stream, destination))
}

/// Calls `extract` with the tar stream of the files in `package`.
pub(crate) fn read(
    package: &Path,
    progress: &mut Progress<'_>,
    extract: impl FnOnce(&mut ChildStdout) -> io::Result<()>,
) -> Result<(), UnpackError> {
    progress(&Stage::Unpack {
        package: package
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    });
    let error = |reason: String| UnpackError {
        package: package.to_owned(),
        reason,
    };
    let mut command = Command::new("dpkg-deb");
    command
        .arg("--fsys-tarfile")
        .arg(package)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let not_run = |source| ProgramError::of_start("dpkg-deb".as_ref(), source);
    let mut child = command
        .spawn()
        .map_err(|source| error(not_run(source).to_string()))?;
    let extracted = match child.stdout.take() {
        // Read the rest too: dpkg-deb fails if its reader goes away.
        Some(mut stdout) => {
            let extracted = extract(&mut stdout);
            io::copy(&mut stdout, &mut io::sink()).and(extracted)
        }
        None => Err(io::ErrorKind::BrokenPipe.into()),
    };
    let output = child
        .wait_with_output()
        .map_err(|source| error(not_run(source).to_string()))?;
    // If dpkg-deb fails, the stream just ends early. So report its failure first.
    ProgramError::check(program::line(&command), output)
        .map_err(|failed| error(failed.to_string()))?;
    extracted.map_err(|cause| error(cause.to_string()))
}

fn extract_tar(stream: impl io::Read, destination: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?;
        let Some(place) = place(&path) else {
            continue;
        };
        let place = destination.join(place);
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent)?;
        }
        io::copy(&mut entry, &mut std::fs::File::create(place)?)?;
    }
    Ok(())
}

/// Where a file of the package goes. `None` if it is not needed.
///
/// Until 6.18 the files are `/boot/vmlinuz-V` and `/lib/modules/V`. Since 6.19 all of
/// them are in `/usr/lib/modules/V`.
fn place(member: &Path) -> Option<PathBuf> {
    let mut parts = Vec::new();
    for component in member.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_str()?),
            _ => return None,
        }
    }
    if parts.first() == Some(&"usr") {
        parts.remove(0);
    }
    match parts[..] {
        ["boot", file] if file.starts_with("vmlinuz-") => Some(VMLINUZ.into()),
        ["boot", file] if file.starts_with("config-") => Some("config".into()),
        ["lib", "modules", _, file @ ("vmlinuz" | "config")] => Some(file.into()),
        ["lib", "modules", _, ref rest @ ..] => {
            let path = rest.iter().collect::<PathBuf>();
            let wanted = !UNWANTED.iter().any(|unwanted| path.starts_with(unwanted));
            (wanted && !rest.is_empty() && rest != ["System.map"])
                .then(|| Path::new(MODULES).join(path))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("./boot/vmlinuz-6.1.0-56-cloud-amd64", Some("vmlinuz"))]
    #[case("./boot/config-6.1.0-56-cloud-amd64", Some("config"))]
    #[case("./boot/System.map-6.1.0-56-cloud-amd64", None)]
    #[case("./lib/modules/6.1.0/modules.builtin", Some("modules/modules.builtin"))]
    #[case(
        "./lib/modules/6.1.0/kernel/drivers/md/dm-mod.ko",
        Some("modules/kernel/drivers/md/dm-mod.ko")
    )]
    #[case(
        "./usr/lib/modules/7.3.4/kernel/drivers/md/dm-mod.ko.xz",
        Some("modules/kernel/drivers/md/dm-mod.ko.xz")
    )]
    #[case("./usr/lib/modules/7.3.4/vmlinuz", Some("vmlinuz"))]
    #[case("./lib/modules/6.1.0/kernel/sound/soundcore.ko", None)]
    #[case("./lib/modules/6.1.0/kernel/drivers/gpu/drm/drm.ko", None)]
    #[case("./usr/share/doc/x", None)]
    #[case("./lib/modules/6.1.0/../../../etc/passwd", None)]
    fn where_members_go(#[case] member: &str, #[case] expected: Option<&str>) {
        assert_eq!(place(Path::new(member)), expected.map(PathBuf::from));
    }

    #[test]
    fn only_what_is_wanted_lands() {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in [
            ("./boot/vmlinuz-6.1", "kernel"),
            ("./lib/modules/6.1/kernel/a.ko", "module"),
            ("./usr/share/doc/readme", "text"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o600);
            header.set_cksum();
            builder
                .append_data(&mut header, path, content.as_bytes())
                .unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        extract_tar(&builder.into_inner().unwrap()[..], directory.path()).unwrap();
        let read = |path| std::fs::read_to_string(directory.path().join(path)).unwrap();
        assert_eq!(read("vmlinuz"), "kernel");
        assert_eq!(read("modules/kernel/a.ko"), "module");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_is_no_package() {
        let directory = tempfile::tempdir().unwrap();
        let package = directory.path().join("x.deb");
        std::fs::write(&package, "no package").unwrap();
        let error = unpack(&package, directory.path(), &mut |_| {}).unwrap_err();
        assert_eq!(error.package, package);
        let says = ["`dpkg-deb --fsys-tarfile ", "archive magic version number"];
        assert!(
            says.iter().all(|part| error.reason.contains(part)),
            "{error}"
        );
    }

    /// If both dpkg-deb and the extraction fail, the failure that caused the other is
    /// reported.
    #[test]
    fn what_went_wrong_first_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir_all(at("p/DEBIAN")).unwrap();
        std::fs::write(
            at("p/DEBIAN/control"),
            "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: n\nDescription: d\n",
        )
        .unwrap();
        // More bytes than a pipe and a tar reader can buffer, and not compressible.
        let mut byte = 1u32;
        let content: Vec<u8> = std::iter::repeat_with(|| {
            byte = byte.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (byte >> 24) as u8
        })
        .take(4 << 20)
        .collect();
        std::fs::write(at("p/file"), content).unwrap();
        let mut build = Command::new("dpkg-deb");
        build.arg("--root-owner-group").arg("--build");
        build.args([at("p"), at("p.deb")]);
        program::run(build).unwrap();

        let full = |_: &mut ChildStdout| Err(io::Error::other("the disk is full"));
        let error = read(&at("p.deb"), &mut |_| {}, full).unwrap_err();
        assert_eq!(error.reason, "the disk is full");

        let whole = std::fs::read(at("p.deb")).unwrap();
        std::fs::write(at("cut.deb"), &whole[..whole.len() / 2]).unwrap();
        let error = unpack(&at("cut.deb"), directory.path(), &mut |_| {}).unwrap_err();
        assert!(error.reason.contains("dpkg-deb"), "{error}");
    }
}
