//! Files by programs that speak a protocol of their own through ssh: rsync, git, tar.

use crate::{
    bench::{self, User},
    client::Finished,
    files::{ODD_NAMES, assert_same, bytes, many_files},
};
use std::{
    ffi::OsStr,
    fs,
    io::{Seek, SeekFrom, Write},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
    process::Command,
};

impl User<'_> {
    /// `rsync ARGUMENTS` in `directory` of this machine; `:x` is x in the container.
    #[track_caller]
    fn rsync(&self, directory: &Path, arguments: &[&str]) -> String {
        let mut rsync = Command::new("rsync");
        rsync.current_dir(directory).arg("-e").arg(format!("ssh -F {}", self.bench.file("ssh_config").display()));
        for argument in arguments {
            match argument.strip_prefix(':') {
                Some(remote) => rsync.arg(format!("{}:{remote}", self.name)),
                None => rsync.arg(argument),
            };
        }
        Finished::of(&mut rsync, b"").quiet_success()
    }

    /// git on this machine with our ssh.
    fn git(&self, directory: &Path, arguments: &[&str]) -> Finished {
        let mut git = Command::new("git");
        git.current_dir(directory).args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments);
        git.env("GIT_SSH_COMMAND", format!("ssh -F {}", self.bench.file("ssh_config").display()));
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        Finished::of(&mut git, b"")
    }
}

#[test]
fn rsync_mirrors_a_tree_in_both_directions() {
    let bench = bench::shared();
    let user = bench.user();
    let here = tempfile::tempdir().unwrap();
    let tree = here.path().join("tree");
    fs::create_dir_all(tree.join("inner")).unwrap();
    fs::write(tree.join("inner/large"), bytes(20_000_000)).unwrap();
    for name in ODD_NAMES {
        fs::write(tree.join(name), name).unwrap();
    }
    fs::write(tree.join("new\nline"), "x").unwrap();
    fs::write(tree.join(OsStr::from_bytes(b"not-\xff-utf8")), "x").unwrap();
    std::os::unix::fs::symlink("inner/large", tree.join("link")).unwrap();
    user.rsync(here.path(), &["-a", "tree/", ":there/"]);
    assert_eq!(user.rsync(here.path(), &["-ai", "tree/", ":there/"]), "", "the second time there is nothing to do");
    user.rsync(here.path(), &["-a", ":there/", "back/"]);
    assert_same(&tree, &here.path().join("back"));

    fs::remove_file(tree.join("-leading-dash")).unwrap();
    fs::remove_dir_all(tree.join("inner")).unwrap();
    user.rsync(here.path(), &["-a", "--delete", "tree/", ":there/"]);
    user.rsync(here.path(), &["-a", "--delete", ":there/", "back/"]);
    assert_same(&tree, &here.path().join("back"));
}

#[test]
fn rsync_keeps_holes() {
    let bench = bench::shared();
    let user = bench.user();
    let here = tempfile::tempdir().unwrap();
    let mut file = fs::File::create(here.path().join("sparse")).unwrap();
    file.seek(SeekFrom::Start(400 << 20)).unwrap();
    file.write_all(b"end").unwrap();
    user.rsync(here.path(), &["-aS", "sparse", ":"]);
    assert_eq!(
        user.run("stat -c %s sparse; test $(du -k sparse | cut -f1) -lt 1024 && echo sparse").success(),
        "419430403\nsparse"
    );
    user.rsync(here.path(), &["-aS", ":sparse", "back"]);
    let back = fs::metadata(here.path().join("back")).unwrap();
    assert_eq!((back.len(), back.blocks() < 2048), (419_430_403, true), "{} blocks", back.blocks());
}

#[test]
fn rsync_goes_on_with_an_interrupted_file() {
    let bench = bench::shared();
    let user = bench.user();
    let here = tempfile::tempdir().unwrap();
    let whole = bytes(10_000_000);
    fs::write(here.path().join("whole"), &whole).unwrap();
    fs::write(here.path().join("part"), &whole[..4_000_000]).unwrap();
    user.rsync(here.path(), &["part", ":whole"]);
    let printed = user.rsync(here.path(), &["--append-verify", "--stats", "whole", ":whole"]);
    let sent = printed.lines().find_map(|line| line.strip_prefix("Literal data: ")).unwrap();
    let sent: usize = sent.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
    assert!(sent <= 6_000_000, "{printed}");
    assert!(user.run("cat whole").out == whole);
}

#[test]
fn ten_thousand_small_files_by_rsync_and_by_tar() {
    let bench = bench::shared();
    let user = bench.user();
    let here = tempfile::tempdir().unwrap();
    let tree = here.path().join("tree");
    fs::create_dir(&tree).unwrap();
    many_files(&tree, 10_000);
    user.rsync(here.path(), &["-a", "tree/", ":there/"]);
    assert_eq!(user.run("find there -type f | wc -l").success(), "10000");
    let tar = user.run("tar -C there -cf - .").out;
    fs::create_dir(here.path().join("back")).unwrap();
    Finished::of(Command::new("tar").args(["-C", "back", "-xf", "-"]).current_dir(here.path()), &tar).success();
    assert_same(&tree, &here.path().join("back"));
    user.run_with(&[], "mkdir again && tar -C again -xf - && diff -r there again", &tar).quiet_success();
}

#[test]
fn git_pushes_and_clones() {
    let bench = bench::shared();
    let user = bench.user();
    let here = tempfile::tempdir().unwrap();
    user.run("git init --quiet --bare -b main repo.git").success();
    let remote = format!("{}:repo.git", user.name);
    user.git(here.path(), &["init", "--quiet", "-b", "main", "work"]).success();
    let work = here.path().join("work");
    fs::write(work.join("large"), bytes(5_000_000)).unwrap();
    many_files(&work, 300);
    user.git(&work, &["add", "."]).success();
    user.git(&work, &["commit", "--quiet", "-m", "first"]).success();
    let pushed = user.git(&work, &["push", "--quiet", &remote, "main"]);
    assert_eq!(pushed.quiet_success(), "");
    assert_eq!(user.git(here.path(), &["clone", "--quiet", &remote, "back"]).quiet_success(), "");
    fs::remove_dir_all(work.join(".git")).unwrap();
    fs::remove_dir_all(here.path().join("back/.git")).unwrap();
    assert_same(&work, &here.path().join("back"));
    let missing = user.git(here.path(), &["clone", "--quiet", &format!("{}:none.git", user.name), "none"]);
    assert_eq!(missing.code, Some(128), "{missing:?}");
    assert!(missing.errors().contains("'none.git' does not appear to be a git repository"), "{missing:?}");
}
