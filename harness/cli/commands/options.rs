//! What a kernel has and lacks of what Halfway needs, for `halfway doctor`.

use halfway_builder::options::{self, COMING_UP, Config, EVERY_CASE, Group};
use halfway_builder::{Kernel, ModuleError};
use halfway_protocol::facility::Facility;

/// What is known of a kernel.
pub struct Known {
    kernel: Kernel,
    config: Option<Config>,
    /// What the agent of a guest that came up says that it lacks.
    lacking: Option<Vec<Facility>>,
}

impl Known {
    /// Of a kernel, whose guest has said hello or not.
    pub fn new(kernel: Kernel, lacking: Option<Vec<Facility>>) -> Self {
        Known {
            config: Config::of(&kernel),
            kernel,
            lacking,
        }
    }

    /// A line for each group of options, with whether it is whole, and at the end what
    /// the answers rest on.
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

    /// The kernel itself is believed first, then its drivers, then its configuration.
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
