//! An initramfs for each controller, with its drivers and those of the stacks, or why
//! there is none.

use super::ProvisionError;
use super::aside::{Listen, aside};
use super::kernel::Unbuilt;
use crate::machine::{Qemu, daemon, qemu};
use crate::runner::Needs;
use crate::runner::images::{Images, Lack};
use crate::storage;
use halfway_builder::{
    AGENT, Cache, Extra, Initramfs, InitramfsError, Kernel, ModuleError, Progress, ResolvedModule,
    Userland, UserlandError, default_modules,
};
use halfway_case::Controller;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

/// What is called crc32c among the kernel's modules.
const CRC32C: &str = "crc32c_generic";

/// What images are made of.
pub struct Site<'a> {
    pub kernel: &'a Kernel,
    pub qemu: &'a Qemu,
    pub cache: &'a Cache,
    /// What else is in every image.
    pub extra: &'a [Extra],
    pub unbuilt: &'a Unbuilt,
    pub listen: Listen<'a>,
}

/// The images.
pub struct Made {
    /// Without the drivers of any controller.
    pub plain: PathBuf,
    pub images: Images,
    /// The modules that some guest loads.
    pub loaded: HashSet<String>,
}

/// Modules of the stacks and file systems that this kernel has.
#[derive(Default)]
struct Modules {
    stacks: Vec<&'static str>,
    filesystems: Vec<&'static str>,
}

/// The programs in the guests.
struct Programs {
    for_files: Vec<Extra>,
    multipathd: Result<Vec<Extra>, Lack>,
}

/// Makes all images that cases need.
pub async fn make(site: &Site<'_>, needs: &Needs) -> Result<Made, ProvisionError> {
    let mut images = Images::default();
    let modules = site.present(needs, &mut images)?;
    let programs = site.programs(needs).await?;
    let no_daemon = site.lacks_daemon(needs).await?;
    let mut made = Made {
        plain: site.pack(&site.select(&[])?, &[])?,
        images,
        loaded: HashSet::new(),
    };
    for &controller in &needs.controllers {
        match site.lacks(controller, no_daemon) {
            Some(why) => made.put(controller, Err(why)),
            None => site.of_controller(controller, needs, &modules, &programs, &mut made)?,
        }
    }
    Ok(made)
}

impl Made {
    /// The same of a controller for cases of every kind.
    fn put(&mut self, controller: Controller, image: Result<PathBuf, Lack>) {
        let images = &mut self.images;
        images.with_files.insert(controller, image.clone());
        images.with_multipathd.insert(controller, image.clone());
        images.controllers.insert(controller, image);
    }
}

impl Site<'_> {
    fn select(&self, more: &[&str]) -> Result<Vec<ResolvedModule>, ModuleError> {
        let modules = [default_modules(), more].concat();
        self.kernel.modules.select(&modules)
    }

    fn pack(&self, modules: &[ResolvedModule], more: &[Extra]) -> Result<PathBuf, InitramfsError> {
        let initramfs = Initramfs {
            agent: AGENT,
            modules,
            extra: &[self.extra, more].concat(),
        };
        initramfs.build(self.cache)
    }

    /// Which modules of stacks and file systems the kernel has; those that only some
    /// cases need may be lacking.
    fn present(&self, needs: &Needs, images: &mut Images) -> Result<Modules, ProvisionError> {
        let mut modules = Modules::default();
        for &module in needs.stacks.iter().chain(&needs.filesystems) {
            let of_stack = needs.stacks.contains(module);
            match self.kernel.modules.select(&[module]) {
                Ok(_) if of_stack => modules.stacks.push(module),
                Ok(_) => modules.filesystems.push(module),
                Err(error @ ModuleError::Missing { .. }) if !of_stack || needs.stacks.len() > 1 => {
                    images.lacking.insert(module, Lack::Driver(error.into()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        // ext4 and XFS ask for it by an alias, which is modprobe's business.
        if self.kernel.modules.select(&[CRC32C]).is_ok() && !needs.with_files.is_empty() {
            modules.filesystems.insert(0, CRC32C);
        }
        Ok(modules)
    }

    async fn programs(&self, needs: &Needs) -> Result<Programs, ProvisionError> {
        let for_files = match needs.with_files.is_empty() {
            true => Vec::new(),
            false => self.set("filesystems").await??,
        };
        let multipathd = match needs.with_multipathd.is_empty() {
            true => Ok(Vec::new()),
            // Cases of other kinds go on without.
            false => (self.set("multipath").await?).map_err(|why| Lack::Programs(why.into())),
        };
        Ok(Programs {
            for_files,
            multipathd,
        })
    }

    /// The programs of the set with that name.
    async fn set(
        &self,
        name: &'static str,
    ) -> Result<Result<Vec<Extra>, UserlandError>, ProvisionError> {
        let cache = self.cache.clone();
        let work = move |tell: &mut Progress<'_>| Userland::named(name)?.get(&cache, tell);
        aside(self.listen, work).await
    }

    async fn lacks_daemon(&self, needs: &Needs) -> Result<bool, ProvisionError> {
        let mut controllers = needs.controllers.iter().copied();
        if !controllers.any(storage::needs_daemon) {
            return Ok(false);
        }
        let daemon = daemon::program(&self.qemu.binary);
        Ok(qemu::daemon_version(&daemon).await?.is_none())
    }

    /// What the host lacks for legs on `controller`.
    fn lacks(&self, controller: Controller, no_daemon: bool) -> Option<Lack> {
        if no_daemon && storage::needs_daemon(controller) {
            return Some(Lack::StorageDaemon);
        }
        let profile = controller.profile();
        if let Some(device) = self.qemu.lacks(profile.qemu.devices) {
            return Some(Lack::Device {
                qemu: self.qemu.version.to_string(),
                device: device.to_owned(),
            });
        }
        let module = profile.own_module?;
        let why = self.unbuilt.get(module)?;
        Some(Lack::Unbuilt {
            module,
            why: Arc::clone(why),
        })
    }

    /// The images of a controller that the host can serve.
    fn of_controller(
        &self,
        controller: Controller,
        needs: &Needs,
        present: &Modules,
        programs: &Programs,
        made: &mut Made,
    ) -> Result<(), ProvisionError> {
        let modules = [&present.stacks, controller.profile().modules].concat();
        let selected = match self.select(&modules) {
            Err(error @ ModuleError::Missing { .. }) => {
                made.put(controller, Err(Lack::Driver(error.into())));
                return Ok(());
            }
            selected => selected?,
        };
        let names = selected.iter().map(|module| module.name.clone());
        made.loaded.extend(names);
        made.put(controller, Ok(self.pack(&selected, &[])?));
        if needs.with_files.contains(&controller) {
            let more = self.select(&[&modules[..], &present.filesystems[..]].concat())?;
            let image = self.pack(&more, &programs.for_files)?;
            made.images.with_files.insert(controller, Ok(image));
        }
        if needs.with_multipathd.contains(&controller) {
            let image = match &programs.multipathd {
                Ok(programs) => Ok(self.pack(&selected, programs)?),
                Err(why) => Err(why.clone()),
            };
            made.images.with_multipathd.insert(controller, image);
        }
        Ok(())
    }
}
