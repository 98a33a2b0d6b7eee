//! The search among the commits of a kernel tree: `git bisect run` in a worktree of its
//! own, so that the user's checkout stays as it is.

use super::command::{self, CommandError};
use super::end::End;
use super::judge::wanted;
use super::worktree::{GitError, Worktree};
use crate::bisect::log::Log;
use crate::bisect::recipe::Recipe;
use crate::bisect::search::Mark;
use crate::bisect::sought::Sought;
use crate::cli::args::BisectArgs;
use crate::cli::{CliError, Context, Exit, output};
use miette::Diagnostic;
use std::io::{self, Write};
use std::path::Path;
use std::thread::available_parallelism;
use thiserror::Error;

/// Why there is no search.
#[derive(Debug, Error, Diagnostic)]
pub(super) enum TreeError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("an argument holds a NUL byte")]
    Nul,
    #[error("the script for git could not be written")]
    Script(#[source] io::Error),
    #[error("the search broke off: git says why above")]
    Broken,
}

impl From<TreeError> for CliError {
    fn from(error: TreeError) -> Self {
        let exit = match &error {
            TreeError::Command(_) | TreeError::Nul => Exit::Usage,
            _ => Exit::Infrastructure,
        };
        CliError {
            exit,
            report: miette::Report::new(error),
        }
    }
}

/// The commits that the user named.
pub(super) struct Ends<'a> {
    pub(super) good: &'a str,
    pub(super) bad: &'a str,
}

/// The search, in git's order: `last` is the newer end.
struct Plan {
    good: String,
    bad: String,
    old: Mark,
    build: String,
}

impl Plan {
    fn terms(&self) -> [&'static str; 2] {
        match self.old {
            Mark::Bad => ["broken", "fixed"],
            _ => ["good", "bad"],
        }
    }

    fn first_and_last(&self) -> [&str; 2] {
        match self.old {
            Mark::Bad => [&self.bad, &self.good],
            _ => [&self.good, &self.bad],
        }
    }

    fn script(&self, args: &BisectArgs, sought: &Sought) -> Result<String, TreeError> {
        let recipe = Recipe {
            build: self.build.clone(),
            judge: command::judging(args, sought)?,
            old: self.old,
        };
        recipe.script().ok_or(TreeError::Nul)
    }
}

/// Searches the commits of `tree`, or prints how.
///
/// # Errors
/// The tree or a commit is not there, an end is not as it was said to be, or git failed.
pub(super) async fn execute(
    tree: &Path,
    ends: &Ends<'_>,
    args: &BisectArgs,
    ctx: &Context,
) -> Result<Exit, CliError> {
    let good = Worktree::commit(tree, ends.good)?;
    let bad = Worktree::commit(tree, ends.bad)?;
    let old = match Worktree::is_ancestor(tree, &bad, &good)? {
        true => Mark::Bad,
        false => Mark::Good,
    };
    let plan = Plan {
        good,
        bad,
        old,
        build: args.build.clone().unwrap_or_else(default_build),
    };
    match args.print {
        true => print(&plan, args),
        false => search(tree, ends, &plan, args, ctx).await,
    }
}

fn print(plan: &Plan, args: &BisectArgs) -> Result<Exit, CliError> {
    let script = plan.script(args, &wanted(args).unwrap_or(Sought::Any))?;
    let [term_old, term_new] = plan.terms();
    let [first, last] = plan.first_and_last();
    output::write(|out| {
        out.write_all(script.as_bytes())?;
        writeln!(
            out,
            "# In a checkout of the tree, with this as script.sh outside of it:"
        )?;
        writeln!(
            out,
            "# git bisect start --term-old {term_old} --term-new {term_new} {last} {first}"
        )?;
        writeln!(out, "# git bisect run sh /path/of/script.sh")
    })?;
    Ok(Exit::Pass)
}

async fn search(
    tree: &Path,
    ends: &Ends<'_>,
    plan: &Plan,
    args: &BisectArgs,
    ctx: &Context,
) -> Result<Exit, CliError> {
    let interrupt = super::listen()?;
    let worktree = Worktree::open(tree, args.worktree.as_deref(), &plan.bad)?;
    output::say(format_args!("commits are built in {worktree}"));
    worktree.reset()?;

    let bad = End {
        name: ends.bad,
        commit: &plan.bad,
        should: Mark::Bad,
    };
    let any = wanted(args).unwrap_or(Sought::Any);
    let evidence = bad.check(&worktree, &plan.build, args, &any, &interrupt, ctx);
    let evidence = evidence.await?;
    let sought = wanted(args).unwrap_or_else(|| Sought::of(&evidence.failures));
    let good = End {
        name: ends.good,
        commit: &plan.good,
        should: Mark::Good,
    };
    good.check(&worktree, &plan.build, args, &sought, &interrupt, ctx)
        .await?;

    let script = plan.script(args, &sought)?;
    let mut file = tempfile::NamedTempFile::new().map_err(TreeError::Script)?;
    file.write_all(script.as_bytes())
        .map_err(TreeError::Script)?;
    let [term_old, term_new] = plan.terms();
    let [first, last] = plan.first_and_last();
    let (ended, log) = async {
        worktree.start(term_old, term_new, first, last)?;
        let ended = worktree.bisect(file.path(), &interrupt).await;
        let log = worktree.log();
        worktree.reset()?;
        Ok::<_, GitError>((ended?, log?))
    }
    .await?;
    if ended.is_none() {
        return Err(super::interrupted());
    }
    tell(&Log::parse(&log), term_new)
}

/// Prints what git found.
fn tell(log: &Log, term_new: &str) -> Result<Exit, CliError> {
    output::write(|out| {
        for (term, commit) in &log.marks {
            writeln!(out, "{term:>10}  {commit}")?;
        }
        if let Some(first) = &log.first {
            writeln!(out, "first {term_new} commit: {first}")?;
        }
        for commit in &log.possible {
            writeln!(out, "possible first {term_new} commit: {commit}")?;
        }
        Ok(())
    })?;
    match (&log.first, log.possible.is_empty()) {
        (Some(_), _) => Ok(Exit::Pass),
        (None, false) => Ok(Exit::Unjudged),
        (None, true) => Err(TreeError::Broken.into()),
    }
}

/// Builds what `--kernel .` needs. Modules are built only where there are any.
fn default_build() -> String {
    let jobs = available_parallelism().map_or(1, usize::from);
    format!(
        "make -s olddefconfig && make -s -j{jobs} bzImage && \
         if grep -q '=m$' .config; then make -s -j{jobs} modules; fi"
    )
}
