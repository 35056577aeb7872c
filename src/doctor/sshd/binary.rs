//! `sshd-binary`: sshd will run the programs that it names. Its `safe_path` refuses what other users than root could
//! replace.

use super::session_program;
use crate::{
    doctor::{Check, Group, Host, Problem, Report},
    sys::{elf, immutable},
};
use std::{
    collections::BTreeSet,
    fs::File,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// The check.
pub(crate) const CHECK: Check = Check {
    name: "sshd-binary",
    group: Group::Sshd,
    passes_if: "the programs that sshd names exist, belong to root, and only root can write to them",
    problems: &[UNUSABLE, DYNAMIC],
    needs_root: true,
    run,
};
const UNUSABLE: Problem = Problem::fail(
    "sshd will not run a program: it is missing, others can replace it, or users cannot run it",
    "install it as root, for example: `install -o root -g root -m 0755 podspawn /usr/bin/podspawn`",
)
.on_nixos(REBUILD);
const DYNAMIC: Problem =
    Problem::fail("podspawn is not static, so that containers cannot run it", "install a static build of podspawn")
        .on_nixos(REBUILD);
const REBUILD: &str = "`nixos-rebuild switch` makes it anew";

/// Write permission of the group or of others.
const WRITABLE: u32 = 0o022;
/// What all users need on a directory to go through it, and on a program to run it.
const PASSABLE: u32 = 0o001;

fn run(host: &Host) -> Report {
    let options = host.sshd_for_a_user().ok();
    let session = options.and_then(session_program);
    let keys = options.and_then(|options| options.value("authorizedkeyscommand").split_whitespace().next());
    let keys = keys.filter(|path| path.starts_with('/')).map(PathBuf::from);
    // A session's program is run by the account's shell, which takes one from the store; the one for keys by sshd itself.
    let stored = session.iter().filter(|path| immutable::is_stored(path)).cloned().collect::<BTreeSet<PathBuf>>();
    let strictly: BTreeSet<PathBuf> =
        session.iter().filter(|path| !stored.contains(*path)).cloned().chain(keys).collect();
    let problems = strictly.iter().filter_map(|path| unusable(path)).chain(session.iter().filter_map(dynamic));
    let problems: Vec<Report> = problems.collect();
    let programs: BTreeSet<PathBuf> = strictly.union(&stored).cloned().collect();
    if programs.is_empty() {
        return CHECK
            .unknown("sshd names no program of podspawn's: see sshd-config", "podspawn server-setup")
            .on_nixos("set services.podspawn.enable and rebuild");
    }
    let named: Vec<String> = programs.iter().map(|path| path.display().to_string()).collect();
    CHECK.merge(problems, format!("{} belongs to root, and only root can write to it", named.join(", ")))
}

/// Containers run a copy of the program, and need not have the loader of one that is not static.
fn dynamic(path: &PathBuf) -> Option<Report> {
    let loader = elf::interpreter(&File::open(path).ok()?).ok()??;
    let seen = format!("{} is not static and wants {loader}, so that no container can run it", path.display());
    Some(CHECK.report(&DYNAMIC, seen, &[]))
}

/// Why sshd, or the users whom it runs the program for, cannot use the program at `path`; `None` if they can.
#[must_use]
pub fn unusable(path: &Path) -> Option<Report> {
    let why = match (path.to_str(), path.canonicalize()) {
        (None, _) => "its path is not UTF-8".to_owned(),
        // The path stands in sshd_config, where sshd splits at blanks and reads quotes and percent signs.
        (Some(text), _)
            if !text.starts_with('/') || !text.chars().all(|c| c.is_ascii_alphanumeric() || "/._+@=-".contains(c)) =>
        {
            "its path has characters that mean something to sshd or to a shell".to_owned()
        }
        (_, Err(error)) => error.to_string(),
        (_, Ok(real)) => obstacle(&real, 0, true)?,
    };
    Some(CHECK.report(&UNUSABLE, format!("sshd will not run {}: {why}", path.display()), &[]))
}

/// What keeps sshd from trusting `path`, of which `owner` or root may own every part, as sshd's `safe_path` has it.
/// `passable` asks for a way through for all users as well.
#[must_use]
pub fn obstacle(path: &Path, owner: u32, passable: bool) -> Option<String> {
    let mut parts: Vec<&Path> = path.ancestors().collect();
    parts.reverse();
    first_obstacle(&parts, owner, passable)
}

fn first_obstacle(parts: &[&Path], owner: u32, passable: bool) -> Option<String> {
    parts.iter().find_map(|part| {
        let about = match part.metadata() {
            Ok(about) => about,
            Err(error) => return Some(format!("{}: {error}", part.display())),
        };
        let mode = about.mode() & 0o7777;
        if about.uid() != 0 && about.uid() != owner {
            Some(format!("{} belongs to uid {}", part.display(), about.uid()))
        } else if mode & WRITABLE != 0 {
            Some(format!("{} can be written by others than its owner (mode {mode:04o})", part.display()))
        } else if passable && mode & PASSABLE == 0 {
            Some(format!("{} is closed to users (mode {mode:04o})", part.display()))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    #[test]
    fn a_program_that_others_could_replace_or_not_run_is_named_with_the_part_that_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        // The directories above belong to this machine.
        let below = |program: &Path, me| first_obstacle(&[directory.path(), program], me, true);
        let me = directory.path().metadata().unwrap().uid();
        let program = directory.path().join("podspawn");
        fs::write(&program, "").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        mode(directory.path(), 0o755);
        for (bits, part) in [(0o755, None), (0o775, Some("0775")), (0o757, Some("0757")), (0o700, Some("closed"))] {
            mode(&program, bits);
            let found = below(&program, me);
            assert_eq!(found.is_some(), part.is_some(), "{bits:o}: {found:?}");
            assert!(part.is_none_or(|part| found.unwrap().contains(part)));
        }
        mode(&program, 0o755);
        mode(directory.path(), 0o1777);
        let found = below(&program, me).unwrap();
        assert!(found.contains(&directory.path().display().to_string()), "{found}");
        assert!(below(&directory.path().join("absent"), me).is_some());
        let why = obstacle(&program, me, true).unwrap();
        assert!(why.contains("mode 1777"), "{why}");
    }

    #[test]
    fn a_path_that_sshd_would_read_differently_is_refused() {
        for path in
            ["podspawn", "/opt/my tools/podspawn", "/opt/%u/podspawn", "/opt/\"x\"/podspawn", "/nowhere/podspawn"]
        {
            assert!(unusable(Path::new(path)).is_some_and(|report| report.is_failure()), "{path}");
        }
        assert_eq!(unusable(Path::new("/usr/bin/env")), None);
    }

    #[test]
    fn a_program_with_a_loader_is_a_failure() {
        assert!(dynamic(&"/bin/sh".into()).is_some_and(|report| report.is_failure()));
        assert_eq!(dynamic(&std::env::current_exe().unwrap()), None);
        assert_eq!(dynamic(&"/nowhere".into()), None);
    }
}
