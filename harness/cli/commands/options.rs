//! Which of the kernel options that Halfway needs a kernel has, for `halfway doctor`.

use halfway_builder::options::{self, COMING_UP, Config, EVERY_CASE, Group};
use halfway_builder::{Kernel, ModuleError};
use halfway_protocol::facility::Facility;

/// What is known of a kernel's options.
pub struct Known {
    kernel: Kernel,
    config: Option<Config>,
    /// What the kernel lacks according to the agent, if a guest came up.
    lacking: Option<Vec<Facility>>,
}

impl Known {
    /// Starts from a kernel. `lacking` is `None` if its guest has not said hello.
    pub fn new(kernel: Kernel, lacking: Option<Vec<Facility>>) -> Self {
        Known {
            config: Config::of(&kernel),
            kernel,
            lacking,
        }
    }

    /// One line for each group of options, with whether the kernel has the whole group.
    /// The last line says what the answers are based on.
    pub fn lines(&self) -> Vec<(bool, String)> {
        let groups = options::groups();
        let mut lines: Vec<_> = groups.iter().map(|group| self.line(group)).collect();
        if self.config.is_none() {
            let note = "what it was built with is not known: there is no configuration beside it \
                        or in it (CONFIG_IKCONFIG); what is not found out is taken to be there";
            lines.push((true, note.to_owned()));
        }
        lines
    }

    fn line(&self, group: &Group) -> (bool, String) {
        let (has, lacks): (Vec<&str>, Vec<&str>) =
            (group.options.iter()).partition(|option| self.has(group, option));
        let whole = lacks.is_empty();
        let place = match group.section {
            COMING_UP | EVERY_CASE => " (every case needs it)",
            _ => "",
        };
        let options = if lacks.is_empty() { has } else { lacks };
        let text = format!("{}: {}{place}", options.join(", "), group.purpose);
        (whole, text)
    }

    /// Whether the kernel has an option. The running guest is believed first, then the
    /// list of modules, then the configuration file.
    fn has(&self, group: &Group, option: &str) -> bool {
        if let Some(lacking) = &self.lacking {
            if group.section == COMING_UP {
                return true;
            }
            let mut all = Facility::ALL.into_iter();
            if let Some(facility) = all.find(|facility| facility.option() == option) {
                return !lacking.contains(&facility);
            }
        }
        let drivers: Vec<_> = options::modules(option).collect();
        if !drivers.is_empty() {
            let selected = self.kernel.modules.select(&drivers);
            return !matches!(selected, Err(ModuleError::Missing { .. }));
        }
        if option.starts_with("CONFIG_IKCONFIG") {
            return self.config.is_some();
        }
        (self.config.as_ref()).is_none_or(|config| config.has(option))
    }
}
