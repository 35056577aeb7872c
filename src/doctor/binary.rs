//! Whether sshd will run a program: its `safe_path`, which refuses what others than root could replace.

use super::Finding;
use std::{os::unix::fs::MetadataExt as _, path::Path};

/// Write permission of the group or of others.
const WRITABLE: u32 = 0o022;
/// What everybody needs on a directory to go through it, and on a program to run it.
const PASSABLE: u32 = 0o001;

/// Why sshd, or the users whom it runs the program for, cannot use the program at `path`; nothing if they can.
#[must_use]
pub fn check(path: &Path) -> Vec<Finding> {
    let Some(text) = path.to_str() else {
        return vec![unusable(path, "its path is not UTF-8")];
    };
    // The path stands in sshd_config, where sshd splits at blanks and reads quotes and percent signs.
    if !text.starts_with('/') || !text.chars().all(|c| c.is_ascii_alphanumeric() || "/._+@=-".contains(c)) {
        return vec![unusable(path, "its path has characters that mean something to sshd or to a shell")];
    }
    match path.canonicalize() {
        Err(error) => vec![unusable(path, &error.to_string())],
        Ok(real) => obstacle(&real, 0, true).map(|why| unusable(path, &why)).into_iter().collect(),
    }
}

fn unusable(path: &Path, why: &str) -> Finding {
    let remedy = "install it as root, for example: install -o root -g root -m 0755 podspawn /usr/bin/podspawn";
    Finding::broken(format!("sshd will not run {}: {why}", path.display()), remedy)
}

/// What keeps sshd from trusting `path`, of which `owner` or root may own every part, as sshd's `safe_path` has it.
/// `passable` asks for everybody's way through as well.
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
        // What is above is this machine's affair.
        let below = |program: &Path, me| first_obstacle(&[directory.path(), program], me, true);
        let me = directory.path().metadata().unwrap().uid();
        let program = directory.path().join("podspawn");
        fs::write(&program, "").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        mode(directory.path(), 0o755);
        for (bits, told) in [(0o755, None), (0o775, Some("0775")), (0o757, Some("0757")), (0o700, Some("closed"))] {
            mode(&program, bits);
            let found = below(&program, me);
            assert_eq!(found.is_some(), told.is_some(), "{bits:o}: {found:?}");
            assert!(told.is_none_or(|told| found.unwrap().contains(told)));
        }
        mode(&program, 0o755);
        mode(directory.path(), 0o1777);
        let found = below(&program, me).unwrap();
        assert!(found.contains(&directory.path().display().to_string()), "{found}");
        assert!(below(&directory.path().join("absent"), me).is_some());
        let everybodys = obstacle(&program, me, true).unwrap();
        assert!(everybodys.contains("mode 1777"), "{everybodys}");
    }

    #[test]
    fn a_path_that_sshd_would_read_otherwise_is_refused() {
        for path in
            ["podspawn", "/opt/my tools/podspawn", "/opt/%u/podspawn", "/opt/\"x\"/podspawn", "/nowhere/podspawn"]
        {
            assert_eq!(check(Path::new(path)).len(), 1, "{path}");
        }
        assert!(check(Path::new("/usr/bin/env")).is_empty());
    }
}
