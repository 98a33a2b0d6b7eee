//! Making a machine ready: what it boots and runs on is made or found before the
//! first one is started.
//!
//! * [`prepare`]: all of it, from a [`Request`] to [`Provisions`].
//! * `kernel`: the kernel, and the modules that are built for it.
//! * `images`: an initramfs for each controller, or why there is none.
//! * `acceleration`: KVM or TCG, by trial.
//! * `aside`: work that takes its time, beside the event loop.
//! * `error`: why there is nothing to run cases on.

mod acceleration;
mod aside;
mod error;
mod images;
pub(crate) mod kernel;

pub use aside::{Listen, Listener, silent};
pub use error::ProvisionError;

use crate::machine::accel::Memory;
use crate::machine::command::{Boot, MEMORY_MIB};
use crate::machine::janitor::Workshop;
use crate::machine::{Accel, AccelChoice, Qemu, clock};
use crate::results::manifest;
pub use crate::results::manifest::{Acceleration, Kernel};
pub use crate::runner::images::{Images, Lack};
pub use crate::runner::needs::Needs;
use halfway_builder::controls::Control;
use halfway_builder::{Cache, Extra, KernelSpec};
use std::path::PathBuf;
use std::rc::Rc;

/// Environment variable that names the QEMU binary.
pub const QEMU_VARIABLE: &str = "HALFWAY_QEMU";

/// The QEMU binary that is used where none is named.
pub fn qemu_binary() -> PathBuf {
    std::env::var_os(QEMU_VARIABLE).map_or_else(|| "qemu-system-x86_64".into(), PathBuf::from)
}

/// What is to be made ready.
pub struct Request<'a> {
    /// Which kernel.
    pub kernel: KernelSpec,
    /// What is broken in it on purpose.
    pub control: Option<Control>,
    /// How guest code is executed.
    pub acceleration: AccelChoice,
    /// The QEMU binary.
    pub qemu: PathBuf,
    /// What the machines must have.
    pub needs: &'a Needs,
    /// What else is in every initramfs, such as a person's tools.
    pub extra: Vec<Extra>,
    /// Modules that `modprobe` finds in every initramfs, as far as the kernel has them.
    pub modprobe: &'a [&'a str],
    /// This program, which cleans up when the process is killed; without it
    /// private directories go with a normal end only.
    pub janitor: Option<PathBuf>,
    /// Hears what takes time.
    pub listen: Listen<'a>,
}

/// What cases run on.
pub struct Provisions {
    /// What each machine boots, but for the drivers of its controller.
    pub boot: Boot,
    /// The drivers of controllers and stacks.
    pub images: Images,
    /// Where the machines' private directories lie.
    pub workshop: Rc<Workshop>,
    /// For the record.
    pub kernel: Kernel,
    /// For the record.
    pub qemu: manifest::Qemu,
    /// For the record.
    pub acceleration: Acceleration,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Finds or makes all that machines need which serve what `needs` was made of.
///
/// # Errors
/// There is nothing to run any case on. What only some cases lack is in
/// [`Provisions::images`] instead.
pub async fn prepare(request: Request<'_>) -> Result<Provisions, ProvisionError> {
    let cache = Cache::open()?;
    let qemu = Qemu::ask(&request.qemu).await?;
    let mut kernel = kernel::fetch(request.kernel, &cache, request.listen).await?;
    if let Some(control) = &request.control {
        let module = kernel::broken_module(control, &kernel, &cache, request.listen).await?;
        kernel.modules.replace(&control.module_name(), module);
    }
    let controllers = &request.needs.controllers;
    let unbuilt = kernel::own_modules(controllers, &mut kernel, &cache, request.listen).await?;
    let mut extra = request.extra;
    if !request.modprobe.is_empty() {
        extra.extend(kernel.modules.for_modprobe(request.modprobe)?);
    }
    let site = images::Site {
        kernel: &kernel,
        qemu: &qemu,
        cache: &cache,
        extra: &extra,
        unbuilt: &unbuilt,
        listen: request.listen,
    };
    let made = images::make(&site, request.needs).await?;
    if let Some(control) = &request.control
        && !made.loaded.contains(&control.module_name())
    {
        return Err(ProvisionError::NotLoaded {
            module: control.module_name(),
            control: control.name.clone(),
        });
    }

    let workshop = Workshop::open(request.janitor.as_deref()).map_err(ProvisionError::Workshop)?;
    let mut boot = Boot {
        qemu: qemu.binary.clone(),
        image: kernel.image.clone(),
        initrd: made.plain,
        accel: Accel::Tcg,
        verbose: false,
        memory_mib: MEMORY_MIB,
        processors: 1,
        tsc_khz: clock::tsc_khz(),
        append: (request.control.iter())
            .flat_map(Control::kernel_parameters)
            .collect(),
    };
    let memory = Memory::open(cache.root(), &qemu.version.to_string(), &kernel.digest);
    let decision = acceleration::decide(request.acceleration, &memory, &boot, &workshop).await;
    boot.accel = decision.accel;
    let slow = kernel.slow.iter();
    let slow = slow.map(|why| format!("the boot is slower than it could be: {why}"));
    let notes = decision.note.iter().cloned().chain(slow).collect();
    Ok(Provisions {
        boot,
        images: made.images,
        workshop: Rc::new(workshop),
        kernel: recorded(kernel),
        qemu: manifest::Qemu {
            binary: qemu.binary.display().to_string(),
            version: qemu.version.to_string(),
        },
        acceleration: Acceleration {
            accelerator: decision.accel.to_string().to_lowercase(),
            reason: decision.note.unwrap_or_else(|| match request.acceleration {
                AccelChoice::Auto => "a trial guest came up".to_owned(),
                AccelChoice::Only(_) => "it was asked for".to_owned(),
            }),
        },
        notes,
    })
}

/// The kernel as the record of a run has it.
fn recorded(kernel: halfway_builder::Kernel) -> Kernel {
    Kernel {
        name: kernel.name,
        release: kernel.release,
        version: kernel.origin.clone(),
        origin: kernel.origin,
        image: kernel.image.display().to_string(),
        sha256: kernel.digest,
    }
}
