//! `auth-keys` as sshd runs it, in a directory with many files.

use super::{Account, PODSPAWN, timed};
use crate::samples::Samples;
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct KeyTimes {
    /// `/bin/true`: what making a process costs here.
    pub(crate) nothing: Samples,
    pub(crate) auth_keys: Samples,
}

/// The installed one.
const DIRECTORY: &str = "/etc/podspawn/keys";
/// Runs the verb for sshd.
const READER: &str = "podspawn-keys";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEtXXekyiNwtkFHSXN8sGDKnW15w09kI7pyyEQI9eQ3Z";

pub(crate) fn measure(users: u32, rounds: u32) -> Result<KeyTimes> {
    let reader = Account::find(READER)?;
    let _files = Files::make(users)?;
    let mut times = KeyTimes::default();
    for round in 0..=rounds {
        // Another user each time: no entry of the directory is in the cache because it has just been read.
        let user = name(1 + (round * 7919) % users);
        let piped = |mut command: Command| {
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command
        };
        let auth_keys = || {
            let mut command = piped(reader.command(PODSPAWN));
            command.args(["auth-keys", &user]).args(KEY.split(' '));
            command
        };
        if round == 0 {
            let output = auth_keys().output()?;
            let text = String::from_utf8_lossy(&output.stdout);
            ensure!(text.starts_with("command=") && text.contains("ssh-ed25519"), "auth-keys {user} printed {text:?}");
        } else {
            times.nothing.push_time(timed(piped(reader.command("/bin/true")))?);
            times.auth_keys.push_time(timed(auth_keys())?);
        }
    }
    Ok(times)
}

fn name(number: u32) -> String {
    format!("u{number:05}")
}

/// Key files, which go when this is dropped.
struct Files(Vec<PathBuf>);

impl Files {
    fn make(users: u32) -> Result<Self> {
        let group = Account::find(READER)?.gid();
        let mut files = Self(Vec::new());
        for number in 1..=users {
            let path = Path::new(DIRECTORY).join(name(number));
            fs::write(&path, format!("{KEY} user@somewhere\n")).with_context(|| format!("{}", path.display()))?;
            chown(&path, Some(0), Some(group))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
            files.0.push(path);
        }
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}
