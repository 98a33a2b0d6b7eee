//! What cases run on: the kernel, the initramfs, QEMU and its acceleration. All of it is
//! found or built before the first machine starts.

use super::args::{self, GuestArgs};
use super::{CliError, Context, output};
use crate::lab;
use crate::machine::{Accel, AccelChoice};
use crate::provision::{self, Listener, ProvisionError, Provisions, kernel, qemu_binary};
use crate::report::Verbosity;
use crate::runner::Needs;
use halfway_builder::controls::{BuildError, CONTROLS, Control, ControlError};
use halfway_builder::{
    Cache, CacheError, Extra, Kernel, KernelError, KernelSpec, PackagedKernel, SHELL_MODULES,
    ShellError, SpecError, Stage, shell_tools,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use miette::Diagnostic;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// The options name nothing to run cases on.
#[derive(Debug, Error, Diagnostic)]
pub enum GuestError {
    /// No kernel matches what the user asked for.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// No such control.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// No tools for a shell.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// It cannot be made ready.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Provision(#[from] ProvisionError),
}

impl From<CacheError> for GuestError {
    fn from(error: CacheError) -> Self {
        GuestError::Provision(error.into())
    }
}

impl From<GuestError> for CliError {
    fn from(error: GuestError) -> Self {
        match error {
            GuestError::Spec(_)
            | GuestError::Control(_)
            | GuestError::Provision(
                ProvisionError::Module(_)
                | ProvisionError::NotLoaded { .. }
                | ProvisionError::Build(
                    BuildError::Kernel(_)
                    | BuildError::Stock { .. }
                    | BuildError::Builtin { .. }
                    | BuildError::NoMatch { .. },
                )
                | ProvisionError::Kernel(
                    KernelError::NoModules(_)
                    | KernelError::NotBuilt(_)
                    | KernelError::NoHostKernel { .. }
                    | KernelError::Image { .. },
                ),
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
) -> Result<Provisions, GuestError> {
    let extra: Vec<Extra> = if shell { shell_tools()? } else { Vec::new() };
    let request = provision::Request {
        kernel: spec(args)?,
        control: control(args)?,
        acceleration: acceleration(args),
        qemu: qemu_binary(),
        needs,
        extra,
        modprobe: if shell { SHELL_MODULES } else { &[] },
        janitor: std::env::current_exe().ok(),
        listen: &|| teller(ctx),
    };
    Ok(provision::prepare(request).await?)
}

/// What a lab runs cases on, with the other options as they are by default.
pub fn lab(args: &GuestArgs, ctx: &Context) -> Result<lab::Options, GuestError> {
    let ctx = ctx.clone();
    Ok(lab::Options {
        kernel: spec(args)?,
        control: control(args)?,
        acceleration: acceleration(args),
        janitor: std::env::current_exe().ok(),
        listen: Box::new(move || teller(&ctx)),
        ..lab::Options::default()
    })
}

/// The control that `args` name.
fn control(args: &GuestArgs) -> Result<Option<Control>, ControlError> {
    let found = args.control.as_deref();
    found
        .map(|name| Control::find(name, Path::new(CONTROLS)))
        .transpose()
}

fn acceleration(args: &GuestArgs) -> AccelChoice {
    match args.accel {
        args::Accel::Auto => AccelChoice::Auto,
        args::Accel::Kvm => AccelChoice::Only(Accel::Kvm),
        args::Accel::Tcg => AccelChoice::Only(Accel::Tcg),
    }
}

/// The kernel that `args` name.
fn spec(args: &GuestArgs) -> Result<KernelSpec, SpecError> {
    match &args.kernel {
        None => Ok(KernelSpec::default_kernel()),
        Some(text) => KernelSpec::parse(text, args.modules.as_deref()),
    }
}

/// The kernel that `args` name, fetched if need be.
pub async fn kernel(args: &GuestArgs, cache: &Cache, ctx: &Context) -> Result<Kernel, GuestError> {
    fetch(spec(args)?, cache, ctx).await
}

/// The same of a kernel that is known.
pub async fn fetch(spec: KernelSpec, cache: &Cache, ctx: &Context) -> Result<Kernel, GuestError> {
    Ok(kernel::fetch(spec, cache, &|| teller(ctx)).await?)
}

/// All kernels of this flavour that the archive's package lists name, the oldest first.
pub async fn packaged(
    flavour: &str,
    cache: &Cache,
    ctx: &Context,
) -> Result<Vec<PackagedKernel>, GuestError> {
    Ok(kernel::packaged(flavour, cache, &|| teller(ctx)).await?)
}

/// Builds a control's module, unless it is in the cache.
pub async fn broken_module(
    control: &Control,
    kernel: &Kernel,
    cache: &Cache,
    ctx: &Context,
) -> Result<PathBuf, GuestError> {
    Ok(kernel::broken_module(control, kernel, cache, &|| teller(ctx)).await?)
}

/// Says what takes time, unless nothing is to be said.
fn teller(ctx: &Context) -> Listener {
    let mut teller = Teller::new(ctx.verbosity == Verbosity::Quiet);
    Box::new(move |stage| teller.tell(stage))
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

impl Drop for Teller {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
