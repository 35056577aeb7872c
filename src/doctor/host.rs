//! What more than one check looks at, looked at once.

use super::immutable::{self, Immutable};
use crate::{
    accounts::local::LocalAccounts,
    client::Client,
    config::Config,
    domain::UserName,
    protocol::varlink::{DiagnoseReply, Nothing, SOCKET_PATH, methods::Diagnose},
    settings::{self, FileError, Settings},
    sshd::{self, Connection, Effective, Sshd, block::GROUP},
    sys::systemd,
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
    time::Duration,
};

/// How long the broker may take; it gives the engine less.
const BROKER: Duration = Duration::from_secs(6);
/// How long guests may take to speak after the broker was started, by the very question maybe.
const GUESTS: Duration = Duration::from_millis(700);
/// How long systemd and its tools may take.
pub(super) const SYSTEMD: Duration = Duration::from_secs(5);
/// A client that is somewhere else (RFC 5737).
pub(super) const ELSEWHERE: &str = "192.0.2.1";

/// This host.
pub struct Host {
    /// Whether root looks.
    pub(super) root: bool,
    /// This program.
    pub(super) binary: PathBuf,
    /// The settings as the files say; the defaults where they are wrong.
    pub(super) settings: Settings,
    /// What is wrong with the files.
    pub(super) mistakes: Vec<FileError>,
    /// Accounts; `None` if they cannot be read.
    pub(super) local: Option<LocalAccounts>,
    /// systemd's tool; `None` where another init runs.
    pub(super) systemctl: Option<PathBuf>,
    /// Whether NixOS's configuration makes the files, so that options are changed and not they.
    pub(super) is_declared: bool,
    /// The broker's socket.
    pub(super) socket: PathBuf,
    broker: OnceLock<Result<DiagnoseReply, String>>,
    member: OnceLock<Result<Effective, String>>,
}

impl Host {
    /// Looks at what is at hand: files, nothing that could take long.
    pub fn look() -> io::Result<Self> {
        let (settings, mistakes) = match settings::load(Path::new(settings::ROOT)) {
            Ok(settings) => (settings, Vec::new()),
            Err(mistakes) => (Settings { config: Config::default(), ..Settings::default() }, mistakes),
        };
        Ok(Self {
            root: rustix::process::geteuid().is_root(),
            binary: std::env::current_exe()?,
            settings,
            mistakes,
            local: LocalAccounts::read(Path::new("/")).ok(),
            systemctl: systemd::systemctl(),
            is_declared: matches!(immutable::check(Path::new(sshd::CONFIG)), Some(Immutable::Nix { .. })),
            socket: PathBuf::from(SOCKET_PATH),
            broker: OnceLock::new(),
            member: OnceLock::new(),
        })
    }

    /// What the broker says; the first who asks waits for it, and the others with them.
    pub(super) fn broker(&self) -> Result<&DiagnoseReply, &String> {
        self.broker.get_or_init(|| self.ask()).as_ref()
    }

    fn ask(&self) -> Result<DiagnoseReply, String> {
        let ask = || {
            let mut client = Client::connect(&self.socket, BROKER).map_err(|error| error.to_string())?;
            client.call::<Diagnose>(&Nothing {}).map_err(|error| error.to_string())
        };
        let reply = ask()?;
        if reply.silent.is_empty() {
            return Ok(reply);
        }
        thread::sleep(GUESTS);
        ask()
    }

    /// The users: members of the group without the broker's account, which is in it by its name.
    pub(super) fn users(&self) -> Vec<UserName> {
        let members = self.local.as_ref().map(|local| local.members(GROUP)).unwrap_or_default();
        members.into_iter().filter(|name| name.as_ref() != GROUP).collect()
    }

    /// The accounts, or why there are none to look at.
    pub(super) fn accounts(&self) -> Result<&LocalAccounts, &'static str> {
        self.local.as_ref().ok_or("/etc/passwd, /etc/group or /etc/shadow cannot be read")
    }

    /// What sshd does for a user; for the broker's account where there is none yet.
    pub(super) fn sshd_for_a_user(&self) -> Result<&Effective, &String> {
        let ask = || {
            let user = self.users().into_iter().next().map_or_else(|| GROUP.to_owned(), String::from);
            let connection = Connection::new(user, ELSEWHERE);
            let sshd = Sshd::find(None).map_err(|error| error.to_string())?;
            sshd.effective(Path::new(sshd::CONFIG), &connection).map_err(|error| error.to_string())
        };
        self.member.get_or_init(ask).as_ref()
    }
}
