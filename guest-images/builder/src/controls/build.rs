//! From a control to a module in the cache.

use super::abi::{self, AbiError};
use super::control::Control;
use super::inputs::{Inputs, InputsError, Part};
use super::own;
use super::root::{Root, RootError};
use super::tools::{self, MissingTool};
use crate::cache::{Cache, prune, touch};
use crate::catalogue::{Catalogue, Entry};
use crate::file::{self, Context, FileError};
use crate::kernel::Kernel;
use crate::module::ModuleError;
use crate::progress::{Progress, Stage};
use std::ffi::OsString;
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
    /// The host has another compiler, and the kernel's own cannot be had.
    #[error("{control} cannot be built with the compiler of kernel {kernel}: {source}")]
    Root {
        /// The control.
        control: String,
        /// The kernel.
        kernel: String,
        /// The reason.
        source: Box<RootError>,
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
    let Some(file) = &control.file else {
        return build_own(&control.module, kernel, cache, progress);
    };
    let patch = control.patch.as_deref();
    let parts = [&control.module, file, patch.unwrap_or_default()];
    let shelf = Shelf::new(cache, kernel, &parts);
    if let Some(found) = shelf.find() {
        return Ok(found);
    }
    tools::require()?;
    let of_inputs = |source| BuildError::Inputs {
        control: control.name.clone(),
        source,
    };
    let wanted = [Part::Headers, Part::Source];
    let inputs = inputs(&control.name, kernel, &wanted, cache, progress)?;
    let tools = Tools::of(&control.name, &inputs, kernel, cache, progress)?;
    progress(&Stage::Build {
        control: control.name.clone(),
        module: control.module.clone(),
    });
    let stock = stock(control, kernel)?;

    let file = Path::new(file);
    let below = file.parent().unwrap_or(Path::new(""));
    let source = files_in(&inputs.source(below).map_err(of_inputs)?)?;
    let name = format!("{}\0{}", kernel.origin, below.display());
    let bench = Bench::open(cache, &name, &source, progress)?;
    if let Some(patch) = patch {
        let name = file.file_name().unwrap_or_default();
        mutate(control, patch, &bench.path.join(name), &kernel.origin)?;
    }
    let module = make(&control.name, &control.module, &inputs, &bench.path, &tools)?;
    bench.keep()?;
    abi::check(&stock, &module).map_err(|source| BuildError::Abi {
        control: control.name.clone(),
        kernel: kernel.origin.clone(),
        source,
    })?;
    Ok(shelf.put(&module)?)
}

/// A module of our own for `kernel`, as [`build`].
pub fn build_own(
    module: &str,
    kernel: &Kernel,
    cache: &Cache,
    progress: &mut Progress<'_>,
) -> Result<PathBuf, BuildError> {
    let source = own::SOURCE.iter().flat_map(|(name, text)| [*name, *text]);
    let parts: Vec<&str> = [module].into_iter().chain(source).collect();
    let shelf = Shelf::new(cache, kernel, &parts);
    if let Some(found) = shelf.find() {
        return Ok(found);
    }
    tools::require_make()?;
    let inputs = inputs(module, kernel, &[Part::Headers], cache, progress)?;
    // What it does must not depend on the compiler, so that a near one will do.
    let tools = match Tools::of(module, &inputs, kernel, cache, progress) {
        Err(error @ BuildError::Root { .. }) => {
            let substitute = tools::any_compiler().ok_or(error)?;
            Tools::Substitute(substitute)
        }
        tools => tools?,
    };
    progress(&Stage::Build {
        control: "Halfway".to_owned(),
        module: module.to_owned(),
    });
    let files = own::SOURCE.map(|(name, text)| (name.into(), text.as_bytes().to_vec()));
    let name = format!("{}\0own", kernel.origin);
    let bench = Bench::open(cache, &name, &files, progress)?;
    let built = make(module, module, &inputs, &bench.path, &tools)?;
    bench.keep()?;
    Ok(shelf.put(&built)?)
}

/// What a module is compiled with.
enum Tools {
    /// The kernel's own compiler, which the host has.
    Host,
    /// The kernel's own compiler, in a root directory of its own.
    Root(Root),
    /// Another compiler of the host.
    Substitute(&'static str),
}

impl Tools {
    /// The kernel's own: the host's if it has it, else the archive's.
    fn of(
        wanted_by: &str,
        inputs: &Inputs,
        kernel: &Kernel,
        cache: &Cache,
        progress: &mut Progress<'_>,
    ) -> Result<Self, BuildError> {
        let compiler = compiler(inputs, kernel)?;
        if tools::need(&compiler, "builds modules").is_ok() {
            return Ok(Tools::Host);
        }
        let root = Root::get(&entry(kernel)?, &compiler, cache, progress);
        root.map(Tools::Root).map_err(|source| BuildError::Root {
            control: wanted_by.to_owned(),
            kernel: kernel.release.clone(),
            source: Box::new(source),
        })
    }

    fn make(&self) -> Command {
        match self {
            Tools::Host => tools::make(),
            Tools::Root(root) => tools::unaffected(root.command("make")),
            Tools::Substitute(compiler) => {
                let mut make = tools::make();
                make.arg(format!("CC={compiler}"));
                make
            }
        }
    }
}

/// The place of a built module in the cache.
struct Shelf {
    directory: PathBuf,
    place: PathBuf,
}

impl Shelf {
    /// Of what is made of `parts`. The kernel's origin stands for source, headers
    /// and compiler, which are of exactly its version.
    fn new(cache: &Cache, kernel: &Kernel, parts: &[&str]) -> Self {
        let format = FORMAT.to_string();
        let of_kernel = [format.as_str(), &kernel.origin, &kernel.digest];
        let key = file::digest([&of_kernel[..], parts].concat().join("\0").as_bytes());
        let directory = cache.root().join("controls/modules");
        let place = directory.join(format!("{key}.ko"));
        Shelf { directory, place }
    }

    fn find(&self) -> Option<PathBuf> {
        let found = self.place.is_file();
        found.then(|| {
            touch(&self.place);
            self.place.clone()
        })
    }

    fn put(self, module: &[u8]) -> Result<PathBuf, FileError> {
        file::write_atomically(&self.place, module)?;
        prune(&self.directory, KEEP);
        Ok(self.place)
    }
}

fn inputs(
    wanted_by: &str,
    kernel: &Kernel,
    parts: &[Part],
    cache: &Cache,
    progress: &mut Progress<'_>,
) -> Result<Inputs, BuildError> {
    Inputs::get(&entry(kernel)?, &kernel.origin, parts, cache, progress).map_err(|source| {
        BuildError::Inputs {
            control: wanted_by.to_owned(),
            source,
        }
    })
}

/// Where the kernel is from.
fn entry(kernel: &Kernel) -> Result<Entry, BuildError> {
    let catalogue = Catalogue::load();
    let entry = catalogue.get(&kernel.name).cloned();
    entry.ok_or_else(|| BuildError::Kernel(kernel.name.clone()))
}

/// The compiler that built the kernel.
fn compiler(inputs: &Inputs, kernel: &Kernel) -> Result<String, BuildError> {
    let config = inputs.headers().join(".config");
    let config = fs::read_to_string(&config).at("read", &config)?;
    let (program, _) =
        tools::compiler_of(&config).ok_or_else(|| BuildError::NoCompiler(kernel.origin.clone()))?;
    Ok(program.to_owned())
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

/// The files of a directory; those below it are of other modules.
fn files_in(directory: &Path) -> Result<Vec<(OsString, Vec<u8>)>, FileError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).at("read", directory)? {
        let path = entry.at("read", directory)?.path();
        if path.is_file() {
            let name = path.file_name().unwrap_or_default().to_owned();
            files.push((name, file::read(&path)?));
        }
    }
    Ok(files)
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
    /// A bench of that name with these files.
    fn open(
        cache: &Cache,
        name: &str,
        files: &[(OsString, Vec<u8>)],
        progress: &mut Progress<'_>,
    ) -> Result<Self, FileError> {
        let _lock = cache.lock("controls-build", || progress(&Stage::Waiting))?;
        // Not the name itself: make stumbles over parentheses and colons.
        let name = file::digest(name.as_bytes());
        let path = cache.root().join("controls/build").join(&name[..16]);
        let at_work = path.with_extension("at-work");
        if at_work.exists() && path.exists() {
            fs::remove_dir_all(&path).at("remove", &path)?;
        }
        file::create_dir(&path)?;
        file::write_atomically(&at_work, b"")?;
        for (name, content) in files {
            let to = path.join(name);
            // What is the same is not written: it is built already.
            if fs::read(&to).ok().as_ref() != Some(content) {
                fs::write(&to, content).at("write", &to)?;
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
    run(&control.name, "spatch", spatch)?;
    match file::read(file)? == before {
        true => Err(BuildError::NoMatch {
            control: control.name.clone(),
            file: control.file.clone().unwrap_or_default(),
            origin: origin.to_owned(),
        }),
        false => Ok(()),
    }
}

/// Builds the one module, by the kernel's own makefile for this directory.
fn make(
    name: &str,
    module: &str,
    inputs: &Inputs,
    directory: &Path,
    tools: &Tools,
) -> Result<Vec<u8>, BuildError> {
    let target = format!("{module}.ko");
    let mut make = tools.make();
    make.arg("-C")
        .arg(inputs.headers())
        .arg("-f")
        .arg(inputs.makefile())
        .arg(format!("M={}", directory.display()))
        // Nobody looks at a module's own BTF, which takes a program to make.
        .arg("CONFIG_DEBUG_INFO_BTF_MODULES=");
    make.args(inputs.output()).args(inputs.names());
    make.arg(&target);
    run(name, "make", make)?;
    Ok(file::read(&directory.join(target))?)
}

fn run(name: &str, program: &'static str, mut command: Command) -> Result<(), BuildError> {
    let failed = |status: String, output: &str| {
        let lines: Vec<&str> = output.lines().collect();
        let last = &lines[lines.len().saturating_sub(SHOWN)..];
        Err(BuildError::Program {
            control: name.to_owned(),
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
