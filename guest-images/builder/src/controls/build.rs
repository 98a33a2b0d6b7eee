//! Builds a control's module, and keeps it in the cache.

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

/// A part of the cache key. Raise it when modules are built in another way.
const FORMAT: u32 = 1;

/// How many built modules are kept in the cache: enough for every control on a few
/// kernels.
const KEEP: usize = 400;

/// How many lines of a failed program's output are shown.
const SHOWN: usize = 15;

/// Why a control's module cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The kernel does not come from the archive.
    #[error("controls are built for kernels of the catalogue (`halfway kernels`), not for {0}")]
    Kernel(String),
    /// A program that is needed is not installed.
    #[error(transparent)]
    Tool(#[from] MissingTool),
    /// The headers or the source could not be fetched.
    #[error("{control} cannot be built: {source}")]
    Inputs {
        /// The name of the control.
        control: String,
        /// Why they could not be fetched.
        source: InputsError,
    },
    /// The host has another compiler than the kernel's, and that could not be fetched.
    #[error("{control} cannot be built with the compiler of kernel {kernel}: {source}")]
    Root {
        /// The name of the control.
        control: String,
        /// The release of the kernel.
        kernel: String,
        /// Why it could not be fetched or run.
        source: Box<RootError>,
    },
    /// The kernel's configuration does not name a compiler.
    #[error("the headers of {0} do not say which compiler built the kernel")]
    NoCompiler(String),
    /// The kernel has no such module.
    #[error("{control}: {source}")]
    Stock {
        /// The name of the control.
        control: String,
        /// What is wrong with the kernel's module.
        source: ModuleError,
    },
    /// In this kernel the driver is built in, not a module.
    #[error("{control}: {module} is built into kernel {kernel}, and cannot be replaced")]
    Builtin {
        /// The name of the control.
        control: String,
        /// The module that it breaks.
        module: String,
        /// The release of the kernel.
        kernel: String,
    },
    /// The semantic patch matches nothing in the source.
    #[error("{control} matches nothing in {file} of {origin}")]
    NoMatch {
        /// The name of the control.
        control: String,
        /// The source file that it is for.
        file: String,
        /// The version of the source.
        origin: String,
    },
    /// `spatch` or `make` failed.
    #[error("{control}: {program} failed ({status}):\n{output}")]
    Program {
        /// The name of the control.
        control: String,
        /// The name of the program.
        program: &'static str,
        /// Its exit status, in words.
        status: String,
        /// The end of its output.
        output: String,
    },
    /// The kernel would not accept the module in place of its own.
    #[error("{control}: the module is not one of kernel {kernel}: {source}")]
    Abi {
        /// The name of the control.
        control: String,
        /// The release of the kernel.
        kernel: String,
        /// How the module differs.
        source: AbiError,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The control's module for `kernel`. It is built if it is not in the cache, where its
/// key is made from the content of everything that it depends on.
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

/// Like [`build`], but for one of our own modules.
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
    // What our own modules do does not depend on the compiler, so another version of it
    // will do.
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

/// The compiler that a module is built with.
enum Tools {
    /// The kernel's own compiler, which the host has.
    Host,
    /// The kernel's own compiler, fetched into a root directory of its own.
    Root(Root),
    /// Another compiler of the host.
    Substitute(&'static str),
}

impl Tools {
    /// The kernel's own compiler: the host's if it has that one, else the archive's.
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
    /// The place of a module that is made from `parts`. The kernel's origin stands for
    /// source, headers and compiler, since all of these belong to exactly its version.
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

/// The catalogue entry that the kernel comes from.
fn entry(kernel: &Kernel) -> Result<Entry, BuildError> {
    let catalogue = Catalogue::load();
    let entry = catalogue.get(&kernel.name).cloned();
    entry.ok_or_else(|| BuildError::Kernel(kernel.name.clone()))
}

/// The name of the compiler that built the kernel.
fn compiler(inputs: &Inputs, kernel: &Kernel) -> Result<String, BuildError> {
    let config = inputs.headers().join(".config");
    let config = fs::read_to_string(&config).at("read", &config)?;
    let (program, _) =
        tools::compiler_of(&config).ok_or_else(|| BuildError::NoCompiler(kernel.origin.clone()))?;
    Ok(program.to_owned())
}

/// The module that came with the kernel.
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

/// The files directly in a directory. Subdirectories belong to other modules.
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

/// A copy of a source directory, in which modules are built. It is kept after a build, so
/// that the next control recompiles only what it changes.
struct Bench {
    path: PathBuf,
    /// A marker file that exists while someone builds here. If it is left, a build was
    /// killed.
    at_work: PathBuf,
    _lock: File,
}

impl Bench {
    /// Opens the copy of that name, with these files.
    fn open(
        cache: &Cache,
        name: &str,
        files: &[(OsString, Vec<u8>)],
        progress: &mut Progress<'_>,
    ) -> Result<Self, FileError> {
        let _lock = cache.lock("controls-build", || progress(&Stage::Waiting))?;
        // A digest of the name, because make cannot handle parentheses and colons.
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
            // Do not rewrite a file that is the same, so that make does not rebuild it.
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

    /// Keeps the copy for the next build. Call this after a successful build.
    fn keep(self) -> Result<(), FileError> {
        fs::remove_file(&self.at_work).at("remove", &self.at_work)
    }
}

/// Applies a semantic patch to the file. `spatch` reports nothing if nothing matches, so
/// the file is compared before and after.
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

/// Builds the one module, with the kernel's own makefile for this directory.
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
        // The module's own BTF is not needed, and making it would take another program.
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
