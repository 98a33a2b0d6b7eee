//! What machines have in their initramfs, and what each boots.

use super::needs;
use crate::machine::command::{Boot, MEMORY_WITH_FILES_MIB};
use halfway_builder::controls::BuildError;
use halfway_builder::{ModuleError, UserlandError};
use halfway_case::Case;
use halfway_case::Controller;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Why no machine can serve a case: it is skipped.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Lack {
    /// The legs need a storage daemon.
    #[error("there is no qemu-storage-daemon (`ci/setup` installs it)")]
    StorageDaemon,
    /// QEMU does not emulate the controller.
    #[error("{qemu} has no {device}")]
    Device {
        /// What QEMU calls itself.
        qemu: String,
        /// The device.
        device: String,
    },
    /// A module of our own.
    #[error("{module} cannot be built: {why}")]
    Unbuilt {
        /// The module.
        module: &'static str,
        /// Why not.
        why: Arc<BuildError>,
    },
    /// The kernel has no such driver.
    #[error(transparent)]
    Driver(Arc<ModuleError>),
    /// The guest's programs cannot be had.
    #[error(transparent)]
    Programs(Arc<UserlandError>),
    /// No image was made for the controller.
    #[error("nothing was prepared for {0}")]
    Unprepared(Controller),
}

/// For each controller, the initramfs with its drivers, or why there is none.
pub type OfController = BTreeMap<Controller, Result<PathBuf, Lack>>;

/// What machines have in their initramfs.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// With the drivers of the controller and those of the stacks.
    pub controllers: OfController,
    /// The same, with file systems and the programs for them.
    pub with_files: OfController,
    /// The same as the first, with multipathd.
    pub with_multipathd: OfController,
    /// The stacks' drivers that this kernel lacks.
    pub lacking: BTreeMap<&'static str, Lack>,
}

impl Images {
    /// What a machine boots that serves `case`: `boot`, with the case's image.
    ///
    /// # Errors
    /// Why there can be no such machine.
    pub fn boot(&self, boot: &Boot, case: &Case) -> Result<Boot, Lack> {
        let boot = &Boot {
            processors: needs::processors(case),
            ..boot.clone()
        };
        self.has(case.stack.target().modules())?;
        let with_programs = |boot: Boot| Boot {
            memory_mib: MEMORY_WITH_FILES_MIB,
            ..boot
        };
        let controller = case.legs.controller;
        if case.stack.no_path_retry().is_some() {
            return boot_from(boot, &self.with_multipathd, controller).map(with_programs);
        }
        if !needs::has_files(case) {
            return self.boot_on(boot, controller);
        }
        self.has(needs::filesystem(case))?;
        boot_from(boot, &self.with_files, controller).map(with_programs)
    }

    /// What a machine boots whose legs are on `controller`.
    ///
    /// # Errors
    /// Why there can be no such machine.
    pub fn boot_on(&self, boot: &Boot, controller: Controller) -> Result<Boot, Lack> {
        boot_from(boot, &self.controllers, controller)
    }

    /// Whether the kernel has all of these modules.
    fn has(&self, modules: impl IntoIterator<Item = &'static str>) -> Result<(), Lack> {
        let mut modules = modules.into_iter();
        match modules.find_map(|module| self.lacking.get(module)) {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }
}

fn boot_from(boot: &Boot, images: &OfController, controller: Controller) -> Result<Boot, Lack> {
    let initrd = match images.get(&controller) {
        Some(image) => image.clone()?,
        None => return Err(Lack::Unprepared(controller)),
    };
    let mut boot = Boot {
        initrd,
        ..boot.clone()
    };
    let parameters = controller.profile().parameters.iter();
    boot.append.extend(parameters.map(ToString::to_string));
    Ok(boot)
}
