//! One thing that is done about an account, with the host's own tools. Each can be repeated.

use crate::{
    accounts::{
        confinement::{HOME, SHELL},
        jobs,
        local::{LocalAccounts, password_field},
        processes,
    },
    command::former::{Former, Formers},
    domain::UserName,
    sshd::block::GROUP,
    sys::program,
};
use anyhow::Context as _;
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long a tool may take; a directory server may be asked.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long a user manager may take over its end.
const MANAGER: Duration = Duration::from_secs(20);
/// Before a hash of crypt(5): no password fits, sshd does not take the account for locked, and the hash is not lost.
pub(in crate::command) const ASIDE: char = '*';

/// One thing that has to be done about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::command) enum Step {
    Make,
    /// Another name for opening it: a password that no password fits.
    NoPassword,
    /// The same for a password that the account gets back.
    SetPasswordAside,
    Shell,
    /// Records the account before it is changed.
    Record(Former),
    /// No lingering, and no user manager.
    EndManager,
    /// podspawn's home and shell.
    Confine {
        was: PathBuf,
    },
    Join,
}

impl Step {
    /// Does it; returns a line about it.
    pub(in crate::command) fn run(&self, user: &UserName) -> anyhow::Result<String> {
        let name = user.as_ref();
        Ok(match self {
            Self::Make => {
                let all = "--no-log-init --no-create-home --no-user-group --password *".split(' ');
                let more =
                    ["--home-dir", HOME, "--shell", SHELL, "--gid", GROUP, "--comment", "podspawn user", "--", name];
                tool("useradd", &all.chain(more).collect::<Vec<_>>())?;
                format!("made account {user}")
            }
            Self::NoPassword => {
                tool("usermod", &["--password", "*", "--", name])?;
                format!("opened account {user}: keys alone let in, and no password does")
            }
            Self::SetPasswordAside => {
                let field = password_field(Path::new("/"), name)?.unwrap_or_default();
                set_password(user, &format!("{ASIDE}{field}"))?;
                format!("set the password of {user} aside: keys alone let in")
            }
            Self::Shell => {
                tool("usermod", &["--shell", SHELL, "--", name])?;
                format!("gave {user} the shell {SHELL}, which runs podspawn's command")
            }
            Self::Record(former) => {
                Formers::new().write(user, former)?;
                format!("noted what {user} was; podspawn remove-user {user} gives it back")
            }
            Self::EndManager => {
                end_manager(user)?;
                format!("ended the user manager of {user}, which does not linger any more")
            }
            Self::Confine { was } => {
                tool("usermod", &["--home", HOME, "--shell", SHELL, "--", name])?;
                format!("gave {user} the home {HOME} and the shell {SHELL}; {} stays as it is", was.display())
            }
            Self::Join => {
                tool("gpasswd", &["--add", name, GROUP])?;
                format!("put {user} into group {GROUP}: it gets a container in place of this host's shell")
            }
        })
    }
}

/// Ends lingering and the user manager, and waits until it is gone: usermod(8) changes no account with processes.
fn end_manager(user: &UserName) -> anyhow::Result<()> {
    let local = LocalAccounts::read(Path::new("/"))?;
    let account = local.account(user.as_ref()).with_context(|| format!("{user} is not in /etc/passwd"))?;
    if let Some(file) = jobs::linger(Path::new("/"), account) {
        // Without a logind that runs, the file is all there is to it.
        if tool("loginctl", &["disable-linger", user.as_ref()]).is_err() {
            fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
        }
    }
    let end = Instant::now() + MANAGER;
    let runs = || -> anyhow::Result<bool> {
        let processes = processes::named(account.uid).context("looking for processes")?;
        Ok(processes.iter().any(processes::Named::is_manager))
    };
    let unit = format!("user@{}.service", account.uid);
    while runs()? {
        anyhow::ensure!(Instant::now() < end, "the user manager of {user} does not end: systemctl stop {unit}");
        // Connections of the user, which are not in that unit, go on.
        let _ = tool("systemctl", &["stop", &unit]);
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Sets the field of `/etc/shadow`, which is not for other users to see in an argument.
pub(in crate::command) fn set_password(user: &UserName, field: &str) -> anyhow::Result<()> {
    run_tool("chpasswd", &["--encrypted"], format!("{user}:{field}\n").as_bytes())
}

/// Runs a tool of the shadow suite, or of systemd.
pub(in crate::command) fn tool(name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    run_tool(name, arguments, b"")
}

fn run_tool(name: &str, arguments: &[&str], input: &[u8]) -> anyhow::Result<()> {
    let program = program::find(name).with_context(|| {
        format!("there is no {name} on this host; install the shadow tools (Debian: passwd, Alpine: shadow)")
    })?;
    let done = program::run(&program, arguments, input, DEADLINE).with_context(|| format!("running {name}"))?;
    anyhow::ensure!(done.succeeded(), "{name}: {}", done.complaint());
    Ok(())
}
