//! The kernel of the guests, and the modules that are built for it.

use super::ProvisionError;
use super::aside::{Listen, aside};
use halfway_builder::controls::{self, BuildError, Control};
use halfway_builder::{Cache, Kernel, KernelSpec, PackagedKernel, Progress};
use halfway_case::Controller;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Modules of ours that cannot be built for a kernel.
pub type Unbuilt = BTreeMap<&'static str, Arc<BuildError>>;

/// Finds a kernel, or fetches it.
///
/// # Errors
/// It cannot be had.
pub async fn fetch(
    spec: KernelSpec,
    cache: &Cache,
    listen: Listen<'_>,
) -> Result<Kernel, ProvisionError> {
    let cache = cache.clone();
    let work = move |tell: &mut Progress<'_>| halfway_builder::resolve(&spec, &cache, tell);
    Ok(aside(listen, work).await??)
}

/// All kernels of this flavour that the archive's package lists name, the oldest first.
///
/// # Errors
/// The lists cannot be had.
pub async fn packaged(
    flavour: &str,
    cache: &Cache,
    listen: Listen<'_>,
) -> Result<Vec<PackagedKernel>, ProvisionError> {
    let (flavour, cache) = (flavour.to_owned(), cache.clone());
    let work = move |tell: &mut Progress<'_>| halfway_builder::packaged(&flavour, &cache, tell);
    Ok(aside(listen, work).await??)
}

/// Builds a control's module, unless it is in the cache.
///
/// # Errors
/// It cannot be built for this kernel.
pub async fn broken_module(
    control: &Control,
    kernel: &Kernel,
    cache: &Cache,
    listen: Listen<'_>,
) -> Result<PathBuf, ProvisionError> {
    let (control, kernel, cache) = (control.clone(), kernel.clone(), cache.clone());
    let work = move |tell: &mut Progress<'_>| controls::build(&control, &kernel, &cache, tell);
    Ok(aside(listen, work).await??)
}

/// Builds the modules of ours that controllers need, and puts them among those of
/// the kernel. Of what cannot be built cases are skipped.
pub(super) async fn own_modules(
    controllers: &BTreeSet<Controller>,
    kernel: &mut Kernel,
    cache: &Cache,
    listen: Listen<'_>,
) -> Result<Unbuilt, ProvisionError> {
    let mut unbuilt = Unbuilt::new();
    let modules = controllers.iter();
    let modules: BTreeSet<_> = modules.filter_map(|one| one.profile().own_module).collect();
    for module in modules {
        let (of, cache) = (kernel.clone(), cache.clone());
        let work = move |tell: &mut Progress<'_>| controls::build_own(module, &of, &cache, tell);
        match aside(listen, work).await? {
            Ok(path) => kernel.modules.replace(module, path),
            Err(why) => drop(unbuilt.insert(module, Arc::new(why))),
        }
    }
    Ok(unbuilt)
}
