//! From a control to a module in the cache.

use super::abi::{self, AbiError};
use super::control::Control;
use super::inputs::{Inputs, InputsError};
use super::tools::{self, MissingTool};
use crate::cache::{Cache, prune, touch};
use crate::catalogue::Catalogue;
use crate::file::{self, Context, FileError};
use crate::kernel::Kernel;
use crate::module::ModuleError;
use crate::progress::{Progress, Stage};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Changes when modules are built in another way.
const FORMAT: u32 = 1;

/// How many built modules stay in the cache: every control for a few kernels.
const KEEP: usize = 400;

/// Lines of a failed program's output that are shown.
const SHOWN: usize = 15;

/// A control's module cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A kernel that is not from the archive.
    #[error("controls are built for kernels of the catalogue (`halfway kernels`), not for {0}")]
    Kernel(String),
    /// A program is not there.
    #[error(transparent)]
    Tool(#[from] MissingTool),
    /// No headers or no source.
    #[error("{control} cannot be built: {source}")]
    Inputs {
        /// The control.
        control: String,
        /// The reason.
        source: InputsError,
    },
    /// The kernel's configuration names no compiler.
    #[error("the headers of {0} do not say which compiler built the kernel")]
    NoCompiler(String),
    /// The kernel has no such module.
    #[error("{control}: {source}")]
    Stock {
        /// The control.
        control: String,
        /// The reason.
        source: ModuleError,
    },
    /// The driver is not a module of this kernel.
    #[error("{control}: {module} is built into kernel {kernel}, and cannot be replaced")]
    Builtin {
        /// The control.
        control: String,
        /// Its module.
        module: String,
        /// The kernel.
        kernel: String,
    },
    /// The semantic patch changes nothing.
    #[error("{control} matches nothing in {file} of {origin}")]
    NoMatch {
        /// The control.
        control: String,
        /// The file that it is for.
        file: String,
        /// The source's version.
        origin: String,
    },
    /// `spatch` or `make` failed.
    #[error("{control}: {program} failed ({status}):\n{output}")]
    Program {
        /// The control.
        control: String,
        /// The program.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The end of what it said.
        output: String,
    },
    /// The module would not be the kernel's own.
    #[error("{control}: the module is not one of kernel {kernel}: {source}")]
    Abi {
        /// The control.
        control: String,
        /// The kernel.
        kernel: String,
        /// The reason.
        source: AbiError,
    },
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The control's module for `kernel`: from the cache, where it lies by the
/// content of all that it was made of, or built.
pub fn build(
    control: &Control,
    kernel: &Kernel,
    cache: &Cache,
    progress: &mut Progress<'_>,
) -> Result<PathBuf, BuildError> {
    let catalogue = Catalogue::load();
    let entry = catalogue
        .get(&kernel.name)
        .ok_or_else(|| BuildError::Kernel(kernel.name.clone()))?;
    let directory = cache.root().join("controls/modules");
    let place = directory.join(format!("{}.ko", key(control, kernel)));
    if place.is_file() {
        touch(&place);
        return Ok(place);
    }
    tools::require()?;
    let inputs = Inputs::get(entry, &kernel.origin, cache, progress).map_err(|source| {
        BuildError::Inputs {
            control: control.name.clone(),
            source,
        }
    })?;
    need_compiler(&inputs, kernel)?;
    progress(&Stage::Build {
        control: control.name.clone(),
        module: control.module.clone(),
    });
    let stock = stock(control, kernel)?;

    let file = Path::new(&control.file);
    let below = file.parent().unwrap_or(Path::new(""));
    let source = inputs.source(below).map_err(|source| BuildError::Inputs {
        control: control.name.clone(),
        source,
    })?;
    let bench = Bench::open(cache, &kernel.origin, &source, below, progress)?;
    if let Some(patch) = &control.patch {
        let name = file.file_name().unwrap_or_default();
        mutate(control, patch, &bench.path.join(name), &kernel.origin)?;
    }
    let module = make(control, &inputs, &bench.path)?;
    bench.keep()?;
    abi::check(&stock, &module).map_err(|source| BuildError::Abi {
        control: control.name.clone(),
        kernel: kernel.origin.clone(),
        source,
    })?;
    file::write_atomically(&place, &module)?;
    prune(&directory, KEEP);
    Ok(place)
}

/// Digest of all that the module is made of. The kernel's origin stands for
/// source, headers and compiler, which are of exactly its version.
fn key(control: &Control, kernel: &Kernel) -> String {
    let parts = [
        &FORMAT.to_string(),
        &kernel.origin,
        &kernel.digest,
        &control.module,
        &control.file,
        control.patch.as_deref().unwrap_or_default(),
    ];
    file::digest(parts.join("\0").as_bytes())
}

fn need_compiler(inputs: &Inputs, kernel: &Kernel) -> Result<(), BuildError> {
    let config = inputs.headers().join(".config");
    let config = fs::read_to_string(&config).at("read", &config)?;
    let (program, _) =
        tools::compiler_of(&config).ok_or_else(|| BuildError::NoCompiler(kernel.origin.clone()))?;
    let purpose = format!("built kernel {} and must build its modules", kernel.release);
    Ok(tools::need(program, &purpose)?)
}

/// The module that the kernel came with.
fn stock(control: &Control, kernel: &Kernel) -> Result<Vec<u8>, BuildError> {
    let name = control.module_name();
    let found = kernel
        .modules
        .select(&[&name])
        .map_err(|source| BuildError::Stock {
            control: control.name.clone(),
            source,
        })?;
    match found.into_iter().next_back() {
        Some(module) if module.name == name => Ok(module.elf),
        _ => Err(BuildError::Builtin {
            control: control.name.clone(),
            module: name,
            kernel: kernel.release.clone(),
        }),
    }
}

/// A copy of a directory of the source, in which modules are built. It stays
/// as it was built, so that the next control compiles only what it changes.
struct Bench {
    path: PathBuf,
    /// Says that somebody is at work here, or was when he was killed.
    at_work: PathBuf,
    _lock: File,
}

impl Bench {
    fn open(
        cache: &Cache,
        origin: &str,
        source: &Path,
        below: &Path,
        progress: &mut Progress<'_>,
    ) -> Result<Self, FileError> {
        let _lock = cache.lock("controls-build", || progress(&Stage::Waiting))?;
        let name = file::digest(format!("{origin}\0{}", below.display()).as_bytes());
        // Not the origin itself: make stumbles over its parentheses and colons.
        let path = cache.root().join("controls/build").join(&name[..16]);
        let at_work = path.with_extension("at-work");
        if at_work.exists() && path.exists() {
            fs::remove_dir_all(&path).at("remove", &path)?;
        }
        file::create_dir(&path)?;
        file::write_atomically(&at_work, b"")?;
        for entry in fs::read_dir(source).at("read", source)? {
            let from = entry.at("read", source)?.path();
            let to = path.join(from.file_name().unwrap_or_default());
            // Those below are of other modules.
            if from.is_file() {
                let content = file::read(&from)?;
                // What is the same is not written: it is built already.
                if fs::read(&to).ok().as_ref() != Some(&content) {
                    fs::write(&to, content).at("write", &to)?;
                }
            }
        }
        Ok(Bench {
            path,
            at_work,
            _lock,
        })
    }

    /// After a build that went well.
    fn keep(self) -> Result<(), FileError> {
        fs::remove_file(&self.at_work).at("remove", &self.at_work)
    }
}

/// Applies a semantic patch in place. `spatch` says nothing where nothing
/// matches, so the file is compared.
fn mutate(control: &Control, patch: &str, file: &Path, origin: &str) -> Result<(), BuildError> {
    let before = file::read(file)?;
    let rules = file.with_file_name("halfway-control.cocci");
    file::write_atomically(&rules, patch.as_bytes())?;
    let mut spatch = tools::spatch();
    spatch
        .args(["--very-quiet", "--no-includes", "--in-place", "--sp-file"])
        .args([&rules, file]);
    run(control, "spatch", spatch)?;
    match file::read(file)? == before {
        true => Err(BuildError::NoMatch {
            control: control.name.clone(),
            file: control.file.clone(),
            origin: origin.to_owned(),
        }),
        false => Ok(()),
    }
}

/// Builds the one module, by the kernel's own makefile for this directory.
fn make(control: &Control, inputs: &Inputs, directory: &Path) -> Result<Vec<u8>, BuildError> {
    let target = format!("{}.ko", control.module);
    let mut make = tools::make();
    make.arg("-C")
        .arg(inputs.headers())
        .arg("-f")
        .arg(inputs.makefile())
        .arg(format!("M={}", directory.display()))
        .arg(&target);
    run(control, "make", make)?;
    Ok(file::read(&directory.join(target))?)
}

fn run(control: &Control, program: &'static str, mut command: Command) -> Result<(), BuildError> {
    let failed = |status: String, output: &str| {
        let lines: Vec<&str> = output.lines().collect();
        let last = &lines[lines.len().saturating_sub(SHOWN)..];
        Err(BuildError::Program {
            control: control.name.clone(),
            program,
            status,
            output: last.join("\n"),
        })
    };
    match command.output() {
        Err(error) => failed(error.to_string(), ""),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.push_str(&String::from_utf8_lossy(&output.stderr));
            failed(output.status.to_string(), &text)
        }
    }
}
