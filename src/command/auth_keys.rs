//! `auth-keys USER`: the command that sshd runs at every authentication, twice.
//!
//! Prints `authorized_keys` lines for a user, each with our forced command first, or nothing. Ends with 0 whatever
//! happens: sshd takes another code for a reason to look elsewhere. It reads the user's file, which directory that is in
//! from config.yaml, and the account's line of `/etc/passwd`; it asks neither broker nor engine, so that a login is never
//! refused for their sake before the user can see why. Only for accounts that `/etc/passwd` does not have, the host's
//! other sources are asked.
//!
//! Nothing of a key file but key types, key data and restrictions is ever printed; no key is ever logged.

mod file;
mod line;
mod log;

use crate::{
    accounts::{Accounts, confinement::Confinement},
    config::{Config, MAX_FILE_BYTES},
    domain::UserName,
    settings,
};
pub(super) use file::{KeyFileError, ROOT, read};
pub(super) use line::Line;
use line::Skipped;
use std::{
    ffi::OsStr,
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Most keys of one user; sshd would try each.
pub(super) const MAX_KEYS: usize = 1000;

/// Runs the verb. `key_dir` has a file per user, `None` is the configured one; sshd's other arguments are of no use,
/// since sshd itself compares keys.
#[must_use]
pub fn run(user: &OsStr, key_dir: Option<PathBuf>) -> ExitCode {
    // The output is written last and at once, so sshd has got nothing when a panic comes: the answer is no keys.
    std::panic::set_hook(Box::new(|_| std::process::exit(0)));
    let answer = answer(user, &key_dir.unwrap_or_else(configured_key_dir));
    if let Some(lines) = &answer.lines {
        let mut stdout = std::io::stdout().lock();
        // If sshd has closed the pipe, there is no reader left.
        let _ = stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush());
    }
    log::write(user, &answer.remarks);
    ExitCode::SUCCESS
}

/// Logs why sshd gets no keys: its arguments cannot be read.
pub fn refuse(why: &str) {
    log::write(OsStr::new("?"), &[format!("no user to print the keys of: {why}")]);
}

/// The directory of key files that the configuration under [`settings::ROOT`] names.
pub(super) fn configured_key_dir() -> PathBuf {
    let mut text = String::new();
    // An absent or unreadable file means the default.
    let _ = File::open(Path::new(settings::ROOT).join("config.yaml"))
        .and_then(|file| file.take(MAX_FILE_BYTES as u64).read_to_string(&mut text));
    Config::key_dir(&text).as_path().to_owned()
}

/// The answer for sshd, and the remarks for the administrator.
#[derive(Debug, Default)]
struct Answer {
    lines: Option<String>,
    remarks: Vec<String>,
}

impl Answer {
    fn nothing(why: String) -> Self {
        Self { lines: None, remarks: vec![why] }
    }
}

fn answer(user: &OsStr, key_dir: &Path) -> Answer {
    let user: UserName = match user.to_str().unwrap_or_default().parse() {
        Ok(user) => user,
        Err(invalid) => return Answer::nothing(invalid.to_string()),
    };
    let forced = match std::env::current_exe().map_err(|error| error.to_string()).and_then(|path| forced_command(&path))
    {
        Ok(forced) => forced,
        Err(why) => return Answer::nothing(format!("no forced command: {why}")),
    };
    let path = key_dir.join(user.as_ref());
    match read(&path, ROOT) {
        Ok(bytes) => match unconfined(&user, &Accounts::new()) {
            None => lines(&forced, &path, &bytes),
            Some(why) => Answer::nothing(why),
        },
        Err(error) => Answer::nothing(format!("{}: {error}", path.display())),
    }
}

/// Why the user's account gets no keys: something of it other than the forced command would run on this host.
///
/// An account of `/etc/passwd` costs reading that file; others are asked for where sshd has found them.
fn unconfined(user: &UserName, accounts: &Accounts) -> Option<String> {
    match accounts.by_name(user) {
        Ok(account) => match Confinement::of(&account) {
            Confinement::Confined => None,
            loose => Some(format!("account {user} {loose}: podspawn add-user {user} --existing converts it")),
        },
        Err(error) => Some(format!("account {user}: {error}")),
    }
}

/// The options that every line begins with.
///
/// sshd hands the command to the account's shell, so the path must mean itself there, and in the quotes around it.
fn forced_command(binary: &Path) -> Result<String, String> {
    match binary.to_str() {
        Some(path)
            if path.starts_with('/') && path.chars().all(|c| c.is_ascii_alphanumeric() || "/._+@=-".contains(c)) =>
        {
            Ok(format!("command=\"{path} spawn\",restrict,pty,agent-forwarding"))
        }
        _ => {
            let path = binary.to_string_lossy();
            Err(format!("{path:?} cannot stand in authorized_keys; install podspawn under a plain path"))
        }
    }
}

/// The lines for the keys in `bytes`; lines that cannot be used are skipped with a remark.
fn lines(forced: &str, path: &Path, bytes: &[u8]) -> Answer {
    let mut lines = String::new();
    let mut remarks = Vec::new();
    let mut keys = 0;
    for (number, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let place = format!("{}:{number}", path.display());
        match Line::parse(bytes) {
            Ok(None) => {}
            Ok(Some(_)) if keys == MAX_KEYS => {
                remarks.push(format!("{place}: keys after the first {MAX_KEYS} are ignored"));
                break;
            }
            Ok(Some(Line { kept, dropped, key })) => {
                keys += 1;
                lines.push_str(forced);
                for option in kept {
                    lines.push(',');
                    lines.push_str(&option);
                }
                lines.push(' ');
                lines.push_str(&key);
                lines.push('\n');
                if !dropped.is_empty() {
                    remarks.push(format!("{place}: the key is used without {}", dropped.join(", ")));
                }
            }
            Err(skipped @ Skipped { .. }) => remarks.push(format!("{place}: {skipped}")),
        }
    }
    Answer { lines: Some(lines), remarks }
}

/// The answer for sshd about a key file of these bytes.
#[cfg(fuzzing)]
#[doc(hidden)]
#[must_use]
pub fn fuzz_lines(forced: &str, bytes: &[u8]) -> String {
    lines(forced, Path::new("keys"), bytes).lines.unwrap_or_default()
}

#[cfg(test)]
mod tests;
