//! The command line that judges one commit, for the script of `git bisect run`.

use crate::bisect::sought::Sought;
use crate::cli::args::{BisectArgs, SelectArgs};
use crate::cli::ids::Exclude;
use clap::ValueEnum;
use std::io;
use std::path::{Path, PathBuf};

/// A path that cannot be made absolute.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be found", path.display())]
pub(super) struct CommandError {
    path: PathBuf,
    source: io::Error,
}

/// The command that judges the kernel in the current directory. Its paths are absolute,
/// since it runs elsewhere.
pub(super) fn judging(args: &BisectArgs, sought: &Sought) -> Result<Vec<String>, CommandError> {
    let here = |path: &Path| {
        std::path::absolute(path)
            .map(|path| path.to_string_lossy().into_owned())
            .map_err(|source| CommandError {
                path: path.to_owned(),
                source,
            })
    };
    let this = std::env::current_exe().map_err(|source| CommandError {
        path: "this program".into(),
        source,
    })?;
    let mut words = vec![here(&this)?, "bisect".to_owned()];
    let SelectArgs {
        paths,
        full,
        sample,
        filter,
        tags,
        list,
        exclude,
    } = &args.select;
    for path in paths {
        words.push(here(path)?);
    }
    if *full {
        words.push("--full".to_owned());
    }
    if *sought == Sought::Any {
        words.push("--any-failure".to_owned());
    }
    let mut option = |name: &str, value: String| words.push(format!("{name}={value}"));
    if let Some(number) = sample {
        option("--sample", number.to_string());
    }
    if let Some(filter) = filter {
        option("--filter", filter.to_string());
    }
    for tag in tags {
        option("--tag", tag.clone());
    }
    if let Some(list) = list {
        option("--list", here(list)?);
    }
    for one in exclude {
        let value = match one {
            Exclude::Matching(regex) => regex.to_string(),
            Exclude::Listed(file) => format!("@{}", here(file)?),
        };
        option("--exclude", value);
    }
    if let Sought::These(texts) = sought {
        for text in texts {
            option("--failure", text.clone());
        }
    }
    if let Some(accel) = args.accel.to_possible_value() {
        option("--accel", accel.get_name().to_owned());
    }
    option("--repeat", args.repeat.to_string());
    option("--jobs", args.jobs.to_string());
    option("--seed", args.seed.to_string());
    option("--timeout", args.timeout.to_string());
    option("--results", here(&args.results)?);
    option("--judge", ".".to_owned());
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser;

    fn parsed(words: &[String]) -> BisectArgs {
        match Cli::try_parse_from(words).unwrap().command {
            Command::Bisect(args) => args,
            other => panic!("{other:?}"),
        }
    }

    /// Whatever the user asked for, the script asks for the same.
    #[test]
    fn the_command_is_read_as_the_options_that_it_was_made_of() {
        let words = "halfway bisect a.toml --sample 3 --filter=-x|y --tag quick --repeat 4 \
                     --exclude u --exclude @v --good 1 --bad 2 --accel tcg --jobs 2 --seed 7 --timeout 9 --results r";
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let args = parsed(&words);
        let texts = vec!["--odd 'text'".to_owned(), "crash: in f".to_owned()];
        let command = judging(&args, &Sought::These(texts.clone())).unwrap();
        let back = parsed(&command);
        assert_eq!(back.judge.as_deref(), Some("."));
        assert_eq!(back.failure, texts);
        assert!(back.select.paths[0].is_absolute() && back.results.is_absolute());
        assert_eq!(back.select.filter.unwrap().as_str(), "-x|y");
        let numbers = (back.repeat, back.jobs, back.seed, back.timeout);
        assert_eq!(numbers, (args.repeat, args.jobs, args.seed, args.timeout));
        assert_eq!(back.accel, args.accel);
        assert_eq!(back.select.tags, args.select.tags);
        assert!(matches!(
            back.select.exclude.as_slice(),
            [Exclude::Matching(one), Exclude::Listed(file)]
                if one.as_str() == "u" && file.is_absolute()
        ));
        assert_eq!(back.select.sample, args.select.sample);

        let mut args = args;
        args.select.full = true;
        args.select.sample = None;
        let back = parsed(&judging(&args, &Sought::Any).unwrap());
        assert!(back.any_failure && back.select.full);
    }
}
