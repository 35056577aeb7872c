//! The accounts and directories, made by systemd's own tools from the files that packages install.

use crate::{
    accounts::local::LocalAccounts,
    doctor::layout::{SYSUSERS, TMPFILES, differences},
    sys::program,
};
use anyhow::Context as _;
use std::{path::Path, time::Duration};

/// How long one tool may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// Where a package, or the administrator, has the files.
const PLACES: [&str; 4] = ["/etc", "/run", "/usr/local/lib", "/usr/lib"];

/// The accounts and directories that were missing, and the accounts as they are now.
pub(super) struct Made {
    pub(super) missing: Vec<String>,
    /// Lines of the administrator's own files that differ.
    pub(super) otherwise: Vec<String>,
    pub(super) local: LocalAccounts,
}

/// Makes what is missing; only lists it with `dry_run`.
pub(super) fn make(root: &Path, dry_run: bool) -> anyhow::Result<Made> {
    let local = LocalAccounts::read(root)?;
    let missing = differences(root, &local);
    if missing.is_empty() || dry_run {
        return Ok(Made { missing, otherwise: Vec::new(), local });
    }
    run("systemd-sysusers", &[], "sysusers.d", SYSUSERS)?;
    run("systemd-tmpfiles", &["--create"], "tmpfiles.d", TMPFILES)?;
    let local = LocalAccounts::read(root)?;
    let otherwise = differences(root, &local);
    let absent = otherwise.iter().find(|line| !line.starts_with("directory"));
    anyhow::ensure!(absent.is_none(), "systemd-sysusers made no {}", absent.map_or("?", String::as_str));
    let missing = missing.into_iter().filter(|line| !otherwise.contains(line)).collect();
    Ok(Made { missing, otherwise, local })
}

fn run(tool: &str, options: &[&str], directory: &str, text: &str) -> anyhow::Result<()> {
    let program = program::find(tool).with_context(|| {
        format!("there is no {tool} on this host: podspawn needs systemd (Debian: apt-get install systemd)")
    })?;
    // By name where it is installed, so that the administrator's own in /etc counts.
    let is_installed = PLACES.iter().any(|place| Path::new(place).join(directory).join("podspawn.conf").exists());
    let name = if is_installed { "podspawn.conf" } else { "-" };
    let arguments: Vec<&str> = options.iter().copied().chain([name]).collect();
    let done =
        program::run(&program, &arguments, text.as_bytes(), DEADLINE).with_context(|| format!("running {tool}"))?;
    anyhow::ensure!(done.succeeded(), "{tool}: {}", done.complaint());
    Ok(())
}
