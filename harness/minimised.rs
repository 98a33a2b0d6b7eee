//! What is kept of a case that was made smaller: a scenario file for a person, a recipe
//! without Halfway, and the figures.

use crate::recipe::{self, Recipe};
use crate::report::lines;
use crate::results::{text, whole};
use halfway_case::Case;
use halfway_minimise::{Found, Rate};
use serde::Serialize;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A case before and after.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The case that was given.
    pub before: Case,
    /// The kernel's release, as `uname -r` prints it.
    pub release: String,
    /// The options that select the kernel.
    pub guest: Vec<String>,
    /// The control, if the kernel is broken on purpose.
    pub control: Option<String>,
    /// The smallest case.
    pub found: Option<Found>,
    /// How often what was written failed in the same way.
    pub after: Option<Rate>,
    /// How long the search took.
    pub seconds: f64,
    /// How many cases were run for it.
    pub runs: u64,
}

/// A file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {}", path.display())]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// The figures, for a program.
#[derive(Debug, Serialize)]
struct Figures<'a> {
    control: Option<&'a str>,
    release: &'a str,
    signature: String,
    case_before: String,
    case_after: String,
    fails_before: (u32, u32),
    fails_after: Option<(u32, u32)>,
    tried: u32,
    taken: u32,
    smallest: bool,
    runs: u64,
    seconds: f64,
    recipe_cannot: Vec<String>,
}

impl Kept {
    /// The story, as comments of the files have it, a line each.
    pub fn story(&self) -> Vec<String> {
        let Some(found) = &self.found else {
            return Vec::new();
        };
        let on = match &self.control {
            Some(control) => format!(", broken on purpose by the control {control}"),
            None => String::new(),
        };
        let mut story = vec![
            format!("Made smaller by `halfway minimise` from {}", self.before.id),
            format!("  before: {}", self.before),
            format!("  after:  {}", found.case),
            format!("On Linux {}{on}, it ends as", self.release),
            format!("  {}", text::line(&found.signature.to_string())),
            format!("The given case did so in {} runs.", found.rate),
        ];
        story.push(match self.after {
            Some(rate) => format!("What is in this file did so in {rate} runs."),
            None => "What is in this file was not run again.".to_owned(),
        });
        let took = lines::duration((self.seconds * 1000.0) as u64);
        let (runs, tried, taken) = (self.runs, found.tried, found.taken);
        story.push(format!(
            "{} in {took}; of {}, {taken} failed in the same way.",
            lines::count(runs, "run"),
            lines::count(tried.into(), "simpler case")
        ));
        story.push(match found.whole {
            true => "No case that is simpler in one respect does.".to_owned(),
            false => "The search was stopped before its end.".to_owned(),
        });
        story
    }

    /// The recipe, once there is a case.
    pub fn recipe(&self) -> Option<Recipe> {
        let found = self.found.as_ref()?;
        let mut story = self.story();
        story.push(String::new());
        story.push(
            "What follows needs root in a guest that may crash, dmsetup, dd and awk, and".into(),
        );
        story.push(
            "null_blk. It exits with 1 if it shows a failure, with 0 if the kernel does".into(),
        );
        story.push("right, and with 2 if the guest cannot play it.".into());
        let helper = recipe::helper::build();
        Some(recipe::recipe(
            &found.case,
            &story,
            helper.as_deref(),
            &self.release,
        ))
    }

    /// Writes what was found until now, of a search that goes on.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_unfinished(&self, case: &Case, file: &Path) -> Result<(), WriteError> {
        let story = [
            format!("Made smaller by `halfway minimise` from {}", self.before.id),
            "The search was not finished.".to_owned(),
        ];
        put(file, &halfway_minimise::file(case, &story))
    }

    /// Writes the file, and the recipe and the figures beside it.
    ///
    /// # Errors
    /// One cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), WriteError> {
        let (Some(found), Some(recipe)) = (&self.found, self.recipe()) else {
            return Ok(());
        };
        let mut story = self.story();
        story.push(format!(
            "Again: {}",
            text::shell(
                ["halfway", "run"]
                    .into_iter()
                    .map(str::to_owned)
                    .chain([file.display().to_string()])
                    .chain(self.guest.iter().cloned())
            )
        ));
        put(file, &halfway_minimise::file(&found.case, &story))?;
        let rate = |rate: Rate| (rate.shown, rate.runs);
        let figures = Figures {
            control: self.control.as_deref(),
            release: &self.release,
            signature: found.signature.to_string(),
            case_before: self.before.to_string(),
            case_after: found.case.to_string(),
            fails_before: rate(found.rate),
            fails_after: self.after.map(rate),
            tried: found.tried,
            taken: found.taken,
            smallest: found.whole,
            runs: self.runs,
            seconds: self.seconds,
            recipe_cannot: recipe.cannot,
        };
        put(&file.with_extension("sh"), &recipe.script)?;
        let path = file.with_extension("json");
        match serde_json::to_string_pretty(&figures) {
            Ok(text) => put(&path, &(text + "\n")),
            Err(error) => Err(WriteError {
                path,
                source: error.into(),
            }),
        }
    }
}

fn put(path: &Path, text: &str) -> Result<(), WriteError> {
    let written = fs::create_dir_all(whole::directory(path))
        .and_then(|()| whole::write(path, |out| out.write_all(text.as_bytes())));
    written.map_err(|source| WriteError {
        path: path.to_owned(),
        source,
    })
}
