use super::*;
use crate::bisect::log::Log;
use crate::bisect::recipe::Recipe;
use crate::bisect::search::Mark;
use tempfile::TempDir;

/// A repository whose file `state` says what each commit is: a letter per commit, of
/// which the last is checked out.
fn history(letters: &str) -> (TempDir, Vec<String>) {
    let place = tempfile::tempdir().unwrap();
    let tree = place.path().join("tree");
    fs::create_dir(&tree).unwrap();
    git(&tree, &["init", "--quiet"]).unwrap();
    // As a kernel's: the configuration is not a part of it.
    fs::write(tree.join(".git/info/exclude"), ".config\n").unwrap();
    fs::write(tree.join(".config"), "CONFIG_X=y\n").unwrap();
    let who = ["-c", "user.name=A", "-c", "user.email=a@example.invalid"];
    let commits = letters.chars().enumerate().map(|(at, letter)| {
        fs::write(tree.join("state"), format!("{letter} {at}\n")).unwrap();
        git(&tree, &["add", "state"]).unwrap();
        let subject = format!("commit {at}");
        let commit = ["commit", "--quiet", "--no-gpg-sign", "-m", &subject];
        git(&tree, &[&who[..], &commit].concat()).unwrap();
        Worktree::commit(&tree, "HEAD").unwrap()
    });
    let commits = commits.collect();
    (place, commits)
}

/// Searches as the command does; the build and the judge only look at the file.
async fn searched(letters: &str, old: Mark) -> (Option<i32>, Log) {
    let (place, commits) = history(letters);
    let tree = place.path().join("tree");
    let recipe = Recipe {
        build: "! grep -q ^x state".to_owned(),
        judge: [
            "sh",
            "-c",
            "grep -q ^s state && exit 125; ! grep -q ^b state",
        ]
        .map(str::to_owned)
        .to_vec(),
        old,
    };
    let script = place.path().join("script");
    fs::write(&script, recipe.script().unwrap()).unwrap();
    let (first, last) = (&commits[0], &commits[commits.len() - 1]);
    let worktree = place.path().join("worktree");
    let worktree = Worktree::open(&tree, Some(&worktree), last).unwrap();
    worktree.reset().unwrap();
    let interrupt = Interrupt::listen().unwrap();
    worktree.start("old", "new", first, last).unwrap();
    let code = worktree.bisect(&script, &interrupt).await.unwrap();
    let log = Log::parse(&worktree.log().unwrap());
    worktree.reset().unwrap();
    // The user's checkout is as it was.
    assert_eq!(Worktree::commit(&tree, "HEAD").unwrap(), *last);
    assert_eq!(git(&tree, &["status", "--porcelain"]).unwrap(), "");
    (code, log)
}

fn subject(commit: &str) -> &str {
    commit.split_once(' ').unwrap().1
}

#[tokio::test]
async fn git_finds_the_commit() {
    let (code, log) = searched("ggggbbbb", Mark::Good).await;
    assert_eq!(code, Some(0));
    assert_eq!(subject(&log.first.unwrap()), "commit 4");
    let (_, log) = searched("bbg", Mark::Bad).await;
    assert_eq!(subject(&log.first.unwrap()), "commit 2");
    // There is nothing between the ends.
    let (_, log) = searched("gb", Mark::Good).await;
    assert_eq!(subject(&log.first.unwrap()), "commit 1");
}

#[tokio::test]
async fn what_cannot_be_built_or_judged_is_skipped() {
    let (_, log) = searched("gxsgbxb", Mark::Good).await;
    assert_eq!(subject(&log.first.unwrap()), "commit 4");
    let (code, log) = searched("gxsb", Mark::Good).await;
    assert_ne!(code, Some(0));
    assert_eq!((log.first, log.possible.len()), (None, 3));
}

#[tokio::test]
async fn a_build_ends_with_its_exit_code() {
    let (place, commits) = history("g");
    let tree = place.path().join("tree");
    let path = place.path().join("worktree");
    let worktree = Worktree::open(&tree, Some(&path), &commits[0]).unwrap();
    let interrupt = Interrupt::listen().unwrap();
    assert!(fs::exists(path.join(".config")).unwrap());
    let built = |build: &'static str| worktree.build(build, &interrupt);
    assert_eq!(built("test -e state").await.unwrap(), Some(0));
    assert_eq!(built("exit 7").await.unwrap(), Some(7));
    assert_eq!(built("kill -9 $$").await.unwrap(), Some(137));
    interrupt.stop.send_replace(true);
    assert_eq!(built("sleep 60").await.unwrap(), None);
}

#[test]
fn what_is_no_worktree_of_the_tree_is_refused() {
    let (place, commits) = history("g");
    let tree = place.path().join("tree");
    let open = |path: &Path| Worktree::open(&tree, Some(path), &commits[0]).map(drop);
    // The checkout itself must stay as it is.
    assert!(matches!(open(&tree), Err(GitError::Refused { .. })));
    let (other, _) = history("g");
    let other = open(&other.path().join("tree"));
    assert!(matches!(other, Err(GitError::Refused { .. })));
    fs::remove_file(tree.join(".config")).unwrap();
    let without = open(&place.path().join("worktree"));
    assert!(matches!(without, Err(GitError::NoConfig { .. })));
    for name in ["nonsense", "--all", ""] {
        let commit = Worktree::commit(&tree, name);
        assert!(matches!(commit, Err(GitError::Refused { .. })), "{name}");
    }
}
