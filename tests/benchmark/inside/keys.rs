//! `auth-keys` as sshd runs it, on a host with many accounts and as many key files.

use super::{Account, PODSPAWN, timed};
use crate::samples::Samples;
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fmt::Write as _,
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

const ACCOUNTS: &str = "/etc/passwd";
/// Above every id that systemd or the bench gives away.
const FIRST_UID: u32 = 2_000_000;

/// Accounts and key files, which go when this is dropped.
struct Files {
    keys: Vec<PathBuf>,
    accounts: String,
}

impl Files {
    fn make(users: u32) -> Result<Self> {
        let group = Account::find(READER)?.gid();
        let before = fs::read_to_string(ACCOUNTS).context(ACCOUNTS)?;
        let mut accounts = before.clone();
        for number in 1..=users {
            writeln!(accounts, "{}:x:{}:{group}::/var/empty:/bin/sh", name(number), FIRST_UID + number)?;
        }
        let mut files = Self { keys: Vec::new(), accounts: before };
        replace_accounts(&accounts)?;
        for number in 1..=users {
            let path = Path::new(DIRECTORY).join(name(number));
            fs::write(&path, format!("{KEY} user@somewhere\n")).with_context(|| format!("{}", path.display()))?;
            chown(&path, Some(0), Some(group))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
            files.keys.push(path);
        }
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.keys {
            let _ = fs::remove_file(path);
        }
        if let Err(error) = replace_accounts(&self.accounts) {
            eprintln!("{error:#}");
        }
    }
}

/// Other processes of the host read the accounts meanwhile.
fn replace_accounts(text: &str) -> Result<()> {
    let new = format!("{ACCOUNTS}.perf");
    fs::write(&new, text).with_context(|| new.clone())?;
    fs::rename(&new, ACCOUNTS).context(ACCOUNTS)
}
