//! What cases run on: the kernel, the initramfs, QEMU and its acceleration. All of it is
//! found or built before the first machine starts.

use super::args::{self, GuestArgs};
use super::{CliError, Context, output};
use crate::machine::accel::Memory;
use crate::machine::clock;
use crate::machine::command::{Boot, MEMORY_MIB};
use crate::machine::daemon;
use crate::machine::janitor::Workshop;
use crate::machine::{Accel, AccelChoice, Qemu, QemuError, qemu};
use crate::report::Verbosity;
use crate::results::manifest::{self, Acceleration, Kernel};
use crate::runner::Needs;
use crate::runner::accel::{self, Decision};
use crate::runner::plan::Images;
use crate::storage;
use halfway_builder::controls::{self, BuildError, CONTROLS, Control, ControlError};
use halfway_builder::{
    AGENT, Cache, CacheError, Extra, Initramfs, InitramfsError, KernelError, KernelSpec,
    ModuleError, Progress, ResolvedModule, ShellError, SpecError, Stage, Userland, UserlandError,
    default_modules, shell_tools,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use miette::Diagnostic;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use thiserror::Error;
use tokio::task::LocalSet;

/// The environment variable that names the QEMU binary.
pub const QEMU_VARIABLE: &str = "HALFWAY_QEMU";

/// Everything that machines need to run cases.
pub struct Guest {
    /// What each machine boots. The drivers of its disk controller are added later.
    pub boot: Boot,
    /// The initramfs images with the drivers of controllers and stacks.
    pub images: Images,
    /// The directory that holds the machines' private directories.
    pub workshop: Rc<Workshop>,
    /// The kernel, as the record describes it.
    pub kernel: Kernel,
    /// QEMU, as the record describes it.
    pub qemu: manifest::Qemu,
    /// The acceleration, as the record describes it.
    pub acceleration: Acceleration,
    /// Notes that the user should read before the run.
    pub notes: Vec<String>,
}

/// Why no guest could be prepared.
#[derive(Debug, Error, Diagnostic)]
pub enum GuestError {
    /// No kernel matches what the user asked for.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The kernel could not be fetched or read.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The kernel lacks a driver that the cases need.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// There is no control of that name.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The control's module could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The guest does not load the control's module, so it would test nothing.
    #[error("no guest loads {module}: {control} would show nothing")]
    NotLoaded {
        /// The name of the control.
        control: String,
        /// The name of its kernel module.
        module: String,
    },
    /// The initramfs could not be built.
    #[error(transparent)]
    Initramfs(#[from] InitramfsError),
    /// There is no usable cache directory.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The programs for a shell session were not found on this host.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// Programs that the guest needs could not be fetched.
    #[error(transparent)]
    Userland(#[from] UserlandError),
    /// QEMU or its storage daemon does not work.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Qemu(#[from] QemuError),
    /// The machines' private directories could not be made.
    #[error("failed to make a private directory below {}", std::env::temp_dir().display())]
    #[diagnostic(help("TMPDIR names another place; it must be writable and have a short path"))]
    Workshop(#[source] io::Error),
    /// A task of Halfway itself panicked.
    #[error("the kernel's preparation broke off")]
    Broken,
}

impl From<GuestError> for CliError {
    fn from(error: GuestError) -> Self {
        match error {
            GuestError::Spec(_)
            | GuestError::Module(_)
            | GuestError::Control(_)
            | GuestError::NotLoaded { .. }
            | GuestError::Build(
                BuildError::Kernel(_)
                | BuildError::Stock { .. }
                | BuildError::Builtin { .. }
                | BuildError::NoMatch { .. },
            )
            | GuestError::Kernel(
                KernelError::NoModules(_)
                | KernelError::NotBuilt(_)
                | KernelError::NoHostKernel { .. }
                | KernelError::Image { .. },
            ) => CliError::usage(error),
            _ => CliError::infrastructure(error),
        }
    }
}

/// Finds or builds all that machines need for the cases that `needs` was made of. With
/// `shell`, the initramfs also gets the programs for an interactive session.
pub async fn prepare(
    args: &GuestArgs,
    ctx: &Context,
    needs: &Needs,
    shell: bool,
) -> Result<Guest, GuestError> {
    let cache = Cache::open()?;
    let qemu = Qemu::ask(&qemu_binary()).await?;
    let mut kernel = kernel(args, &cache, ctx).await?;
    let control = match &args.control {
        None => None,
        Some(name) => Some(Control::find(name, Path::new(CONTROLS))?),
    };
    if let Some(control) = &control {
        let module = broken_module(control, &kernel, &cache, ctx).await?;
        kernel.modules.replace(&control.module_name(), module);
    }
    let own = build_own_modules(needs, &mut kernel, &cache, ctx).await?;
    let extra: Vec<Extra> = if shell { shell_tools()? } else { Vec::new() };
    let select = |more: &[&str]| kernel.modules.select(&[default_modules(), more].concat());
    let pack = |modules: &[ResolvedModule], extra: &[Extra]| {
        let initramfs = Initramfs {
            agent: AGENT,
            modules,
            extra,
        };
        initramfs.build(&cache)
    };
    let initrd = pack(&select(&[])?, &extra)?;
    let mut images = Images::default();
    let mut loaded = HashSet::new();
    let mut stacks = Vec::new();
    let mut filesystems = Vec::new();
    for &module in needs.stacks.iter().chain(&needs.filesystems) {
        let of_stack = needs.stacks.contains(module);
        match kernel.modules.select(&[module]) {
            Ok(_) if of_stack => stacks.push(module),
            Ok(_) => filesystems.push(module),
            Err(error @ ModuleError::Missing { .. }) if !of_stack || needs.stacks.len() > 1 => {
                images.lacking.insert(module, error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
    }
    let for_files = match needs.with_files.is_empty() {
        true => Vec::new(),
        false => programs("filesystems", &cache, ctx).await?,
    };
    let multipathd = match needs.with_multipathd.is_empty() {
        true => Ok(Vec::new()),
        // The cases that do not need these programs can still run.
        false => match programs("multipath", &cache, ctx).await {
            Err(GuestError::Userland(error)) => Err(error.to_string()),
            other => Ok(other?),
        },
    };
    // ext4 and XFS request crc32c by an alias. Only modprobe resolves aliases, so it is
    // added here.
    if kernel.modules.select(&[CRC32C]).is_ok() && !needs.with_files.is_empty() {
        filesystems.insert(0, CRC32C);
    }
    let mut no_daemon = false;
    if needs.controllers.iter().copied().any(storage::needs_daemon) {
        let daemon = daemon::program(&qemu.binary);
        no_daemon = qemu::daemon_version(&daemon).await?.is_none();
    }
    for &controller in &needs.controllers {
        let profile = controller.profile();
        let lacking = qemu.lacks(profile.qemu.devices);
        let modules = [&stacks, profile.modules].concat();
        let unbuilt = profile.own_module.and_then(|module| own.get(module));
        let mut with_files = None;
        let mut with_multipathd = None;
        let image = match (lacking, unbuilt) {
            _ if no_daemon && storage::needs_daemon(controller) => {
                Err("there is no qemu-storage-daemon (`ci/setup` installs it)".to_owned())
            }
            (Some(device), _) => Err(format!("{} has no {device}", qemu.version)),
            (None, Some(why)) => Err(why.clone()),
            (None, None) => match select(&modules) {
                Err(error @ ModuleError::Missing { .. }) => Err(error.to_string()),
                selected => {
                    let selected = selected?;
                    loaded.extend(selected.iter().map(|module| module.name.clone()));
                    if needs.with_files.contains(&controller) {
                        let more = select(&[&modules[..], &filesystems[..]].concat())?;
                        let extra = [&extra[..], &for_files[..]].concat();
                        with_files = Some(Ok(pack(&more, &extra)?));
                    }
                    if needs.with_multipathd.contains(&controller) {
                        let image = multipathd
                            .clone()
                            .map(|programs| pack(&selected, &[&extra[..], &programs[..]].concat()));
                        with_multipathd = Some(match image {
                            Ok(image) => Ok(image?),
                            Err(why) => Err(why),
                        });
                    }
                    Ok(pack(&selected, &extra)?)
                }
            },
        };
        let with_files = with_files.unwrap_or_else(|| image.clone());
        images.with_files.insert(controller, with_files);
        let with_multipathd = with_multipathd.unwrap_or_else(|| image.clone());
        images.with_multipathd.insert(controller, with_multipathd);
        images.controllers.insert(controller, image);
    }
    if let Some(control) =
        (control.as_ref()).filter(|control| !loaded.contains(&control.module_name()))
    {
        return Err(GuestError::NotLoaded {
            module: control.module_name(),
            control: control.name.clone(),
        });
    }

    let program = std::env::current_exe().ok();
    let workshop = Workshop::open(program.as_deref()).map_err(GuestError::Workshop)?;
    let mut boot = Boot {
        qemu: qemu.binary.clone(),
        image: kernel.image.clone(),
        initrd,
        accel: Accel::Tcg,
        verbose: false,
        memory_mib: MEMORY_MIB,
        processors: 1,
        tsc_khz: clock::tsc_khz(),
        append: (control.iter())
            .flat_map(Control::kernel_parameters)
            .collect(),
    };
    let choice = match args.accel {
        args::Accel::Auto => AccelChoice::Auto,
        args::Accel::Kvm => AccelChoice::Only(Accel::Kvm),
        args::Accel::Tcg => AccelChoice::Only(Accel::Tcg),
    };
    let memory = Memory::open(cache.root(), &qemu.version.to_string(), &kernel.digest);
    let decision = decide(choice, &memory, &boot, &workshop).await;
    boot.accel = decision.accel;

    let mut notes: Vec<String> = decision.note.iter().cloned().collect();
    notes.extend(
        kernel
            .slow
            .iter()
            .map(|why| format!("the boot is slower than it could be: {why}")),
    );
    Ok(Guest {
        boot,
        images,
        workshop: Rc::new(workshop),
        kernel: Kernel {
            name: kernel.name,
            release: kernel.release,
            version: kernel.origin.clone(),
            origin: kernel.origin,
            image: kernel.image.display().to_string(),
            sha256: kernel.digest,
        },
        qemu: manifest::Qemu {
            binary: qemu.binary.display().to_string(),
            version: qemu.version.to_string(),
        },
        acceleration: Acceleration {
            accelerator: decision.accel.to_string().to_lowercase(),
            reason: decision.note.unwrap_or_else(|| match choice {
                AccelChoice::Auto => "a trial guest came up".to_owned(),
                AccelChoice::Only(_) => "it was asked for".to_owned(),
            }),
        },
        notes,
    })
}

/// The kernel module that provides the crc32c algorithm.
const CRC32C: &str = "crc32c_generic";

/// Fetches the programs of the set with that name.
async fn programs(
    set: &'static str,
    cache: &Cache,
    ctx: &Context,
) -> Result<Vec<Extra>, GuestError> {
    let cache = cache.clone();
    let mut teller = Teller::new(ctx.verbosity == Verbosity::Quiet);
    let fetched = tokio::task::spawn_blocking(move || {
        let programs = Userland::named(set)?;
        let fetched = programs.get(&cache, &mut |stage: &Stage| teller.tell(stage));
        teller.bar.finish_and_clear();
        fetched
    });
    Ok(fetched.await.map_err(|_| GuestError::Broken)??)
}

async fn decide(
    choice: AccelChoice,
    memory: &Memory,
    boot: &Boot,
    workshop: &Workshop,
) -> Decision {
    LocalSet::new()
        .run_until(accel::decide(choice, memory, boot, workshop))
        .await
}

/// The QEMU binary to use.
pub fn qemu_binary() -> PathBuf {
    std::env::var_os(QEMU_VARIABLE).map_or_else(|| "qemu-system-x86_64".into(), PathBuf::from)
}

/// Resolves the kernel that `args` name. Fetches it if necessary.
pub async fn kernel(
    args: &GuestArgs,
    cache: &Cache,
    ctx: &Context,
) -> Result<halfway_builder::Kernel, GuestError> {
    let spec = match &args.kernel {
        None => KernelSpec::default_kernel(),
        Some(text) => KernelSpec::parse(text, args.modules.as_deref())?,
    };
    fetch(spec, cache, ctx).await
}

/// Resolves a kernel on a thread of its own, so that Ctrl-C is still handled, and reports
/// each stage that takes time.
pub async fn fetch(
    spec: KernelSpec,
    cache: &Cache,
    ctx: &Context,
) -> Result<halfway_builder::Kernel, GuestError> {
    let cache = cache.clone();
    let mut teller = Teller::new(ctx.verbosity == Verbosity::Quiet);
    let resolved = tokio::task::spawn_blocking(move || {
        let resolved = halfway_builder::resolve(&spec, &cache, &mut |stage| teller.tell(stage));
        teller.bar.finish_and_clear();
        resolved
    });
    Ok(resolved.await.map_err(|_| GuestError::Broken)??)
}

/// Builds a control's module on a thread of its own, so that Ctrl-C is still handled. A
/// module in the cache is not built again.
pub async fn broken_module(
    control: &Control,
    kernel: &halfway_builder::Kernel,
    cache: &Cache,
    ctx: &Context,
) -> Result<PathBuf, GuestError> {
    let control = control.clone();
    let build = move |kernel: &_, cache: &_, tell: &mut Progress<'_>| {
        controls::build(&control, kernel, cache, tell)
    };
    Ok(built(build, kernel, cache, ctx).await??)
}

/// Builds the modules of our own that controllers need, and adds them to the kernel's
/// modules. Returns what could not be built with the reason: cases that need it are
/// skipped.
async fn build_own_modules(
    needs: &Needs,
    kernel: &mut halfway_builder::Kernel,
    cache: &Cache,
    ctx: &Context,
) -> Result<BTreeMap<&'static str, String>, GuestError> {
    let mut unbuilt = BTreeMap::new();
    let modules = needs.controllers.iter().copied();
    let modules: BTreeSet<_> = modules.filter_map(|one| one.profile().own_module).collect();
    for module in modules {
        let build = move |kernel: &_, cache: &_, tell: &mut Progress<'_>| {
            controls::build_own(module, kernel, cache, tell)
        };
        match built(build, kernel, cache, ctx).await? {
            Ok(path) => kernel.modules.replace(module, path),
            Err(why) => drop(unbuilt.insert(module, format!("{module} cannot be built: {why}"))),
        }
    }
    Ok(unbuilt)
}

/// Runs a build on a thread of its own, so that Ctrl-C is still handled, and reports each
/// stage that takes time.
async fn built<T: Send + 'static>(
    build: impl FnOnce(&halfway_builder::Kernel, &Cache, &mut Progress<'_>) -> T + Send + 'static,
    kernel: &halfway_builder::Kernel,
    cache: &Cache,
    ctx: &Context,
) -> Result<T, GuestError> {
    let (kernel, cache) = (kernel.clone(), cache.clone());
    let mut teller = Teller::new(ctx.verbosity == Verbosity::Quiet);
    let built = tokio::task::spawn_blocking(move || {
        let built = build(&kernel, &cache, &mut |stage: &Stage| teller.tell(stage));
        teller.bar.finish_and_clear();
        built
    });
    built.await.map_err(|_| GuestError::Broken)
}

/// Prints the stages: on one line that changes if stderr is a terminal, else a line each.
struct Teller {
    bar: ProgressBar,
    plain: bool,
    last: String,
}

impl Teller {
    fn new(quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        let target = match terminal && !quiet {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Teller {
            bar,
            plain: !terminal && !quiet,
            last: String::new(),
        }
    }

    fn tell(&mut self, stage: &Stage) {
        self.bar.set_message(stage.to_string());
        // A download reports every percent. Where lines cannot be replaced, only its
        // start is printed.
        let line = match stage {
            Stage::Download { what, .. } => format!("fetching {what}"),
            other => other.to_string(),
        };
        if self.plain && line != self.last {
            output::say(&line);
            self.last = line;
        }
    }
}
