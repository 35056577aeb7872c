//! Accounts of the bench host.

use anyhow::{Context as _, Result};
use std::{fs, os::unix::process::CommandExt as _, process::Command};

/// A local account.
pub(crate) struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

impl Account {
    pub(crate) fn find(name: &str) -> Result<Self> {
        let passwd = fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
        let fields = |line: &str| -> Option<Self> {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            Some(Self { name, uid, gid, home: fields.nth(1)?.to_owned() })
        };
        passwd.lines().filter_map(fields).find(|account| account.name == name).with_context(|| format!("no {name}"))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn gid(&self) -> u32 {
        self.gid
    }

    /// A program as this account, with no more of an environment than sshd makes and no group but its own.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.uid(self.uid).gid(self.gid).current_dir("/").env_clear();
        command.env("USER", &self.name).env("LOGNAME", &self.name).env("HOME", &self.home);
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("SHELL", "/bin/sh");
        command
    }
}
