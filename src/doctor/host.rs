//! This host, and the answers that several checks share. Each answer is asked for once, by the first check that needs it;
//! the others wait for it.

pub(super) mod keys;
mod units;

use super::layout;
use crate::{
    accounts::local::LocalAccounts,
    client::Client,
    config::Config,
    domain::UserName,
    protocol::varlink::{DiagnoseReply, Nothing, SOCKET_PATH, methods::Diagnose},
    settings::{self, FileError, Settings},
    sshd::{
        self, Connection, ELSEWHERE, Effective, Sshd,
        block::GROUP,
        serving::{self, Found},
    },
    sys::{
        immutable::{self, Immutable},
        systemd::Systemctl,
    },
};
use keys::{Answers, Unanswered};
use std::{
    io,
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
    time::Duration,
};

pub(super) use units::Units;

/// Users whom sshd is asked about beside the first: each costs a process.
const MAX_USERS: usize = 11;
/// How long the broker may take; it gives the engine less.
const BROKER: Duration = Duration::from_secs(6);
/// How long guests may take to connect after the question itself may have started the broker.
const GUESTS: Duration = Duration::from_millis(700);
/// How long systemd and its tools may take.
pub(super) const SYSTEMD: Duration = Duration::from_secs(5);

/// This host.
pub struct Host {
    /// Whether this process is root's.
    pub(super) root: bool,
    /// This program.
    pub(super) binary: PathBuf,
    /// The settings in the files; the defaults where they are wrong.
    pub(super) settings: Settings,
    /// The mistakes in the files.
    pub(super) mistakes: Vec<FileError>,
    /// Accounts; `None` if they cannot be read.
    pub(super) local: Option<LocalAccounts>,
    /// systemd's tool; `None` where another init runs.
    pub(super) systemctl: Option<Systemctl>,
    /// Whether NixOS's configuration makes the files, so that its options are to be changed in place of them.
    pub(super) is_declared: bool,
    /// The broker's socket.
    pub(super) socket: PathBuf,
    broker: OnceLock<Result<DiagnoseReply, String>>,
    missing: OnceLock<Vec<String>>,
    first_user: OnceLock<Result<Effective, String>>,
    more_users: OnceLock<Vec<(UserName, Effective)>>,
    sshd_service: OnceLock<Result<Option<Found>, String>>,
    key_answers: OnceLock<Result<Answers, Unanswered>>,
    units: OnceLock<Result<Units, String>>,
}

impl Host {
    /// Reads what is at hand: files, nothing that could take long.
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
            systemctl: Systemctl::find(),
            is_declared: matches!(immutable::check(Path::new(sshd::CONFIG)), Some(Immutable::Nix { .. })),
            socket: PathBuf::from(SOCKET_PATH),
            broker: OnceLock::new(),
            missing: OnceLock::new(),
            first_user: OnceLock::new(),
            more_users: OnceLock::new(),
            sshd_service: OnceLock::new(),
            key_answers: OnceLock::new(),
            units: OnceLock::new(),
        })
    }

    /// The broker's diagnosis of the host.
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

    /// The accounts, or why they are unknown.
    pub(super) fn accounts(&self) -> Result<&LocalAccounts, &'static str> {
        self.local.as_ref().ok_or("/etc/passwd, /etc/group or /etc/shadow cannot be read")
    }

    /// Accounts, groups and directories that are missing or different, or why they are unknown.
    pub(super) fn missing(&self) -> Result<&[String], &'static str> {
        let local = self.accounts()?;
        Ok(self.missing.get_or_init(|| layout::differences(Path::new("/"), local)))
    }

    /// sshd's options for the first user; for the broker's account where no user exists.
    pub(super) fn sshd_for_a_user(&self) -> Result<&Effective, &String> {
        let ask = || {
            let user = self.users().into_iter().next().map_or_else(|| GROUP.to_owned(), String::from);
            let connection = Connection::new(user, ELSEWHERE);
            let sshd = Sshd::find(None).map_err(|error| error.to_string())?;
            sshd.effective(Path::new(sshd::CONFIG), &connection).map_err(|error| error.to_string())
        };
        self.first_user.get_or_init(ask).as_ref()
    }

    /// sshd's options for each of the next users, as far as it answers.
    pub(super) fn sshd_for_more_users(&self) -> &[(UserName, Effective)] {
        self.more_users.get_or_init(|| {
            let Ok(sshd) = Sshd::find(None) else { return Vec::new() };
            let ask = |name: &UserName| {
                let connection = Connection::new(name.as_ref(), ELSEWHERE);
                Some((name.clone(), sshd.effective(Path::new(sshd::CONFIG), &connection).ok()?))
            };
            self.users().iter().skip(1).take(MAX_USERS).filter_map(ask).collect()
        })
    }

    /// The unit that serves ssh; `None` where another init runs this host.
    pub(super) fn sshd_service(&self) -> Result<Option<&Found>, &String> {
        let find = || {
            let Some(systemctl) = &self.systemctl else { return Ok(None) };
            serving::find(systemctl, &serving::UNITS, SYSTEMD).map(Some).map_err(|error| error.to_string())
        };
        self.sshd_service.get_or_init(find).as_ref().map(Option::as_ref)
    }

    /// The answers of sshd's command for keys about every user.
    pub(super) fn key_answers(&self) -> Result<&Answers, &Unanswered> {
        let ask = || {
            let (Ok(options), Ok(local)) = (self.sshd_for_a_user(), self.accounts()) else {
                return Err(Unanswered::Unknown("sshd does not say what it would run"));
            };
            Answers::ask(options, local, &self.users())
        };
        self.key_answers.get_or_init(ask).as_ref()
    }

    /// podspawn's units, as systemd shows them.
    pub(super) fn units(&self) -> Result<&Units, &String> {
        self.units.get_or_init(|| Units::show(self.systemctl.as_ref(), SYSTEMD)).as_ref()
    }
}
