//! `podspawn remove-user U`: removes the keys first, so that no new login succeeds; then sessions, settings, account, and
//! the home on request.

mod give_back;
mod purge;

use super::{
    add_user::{
        account::{self, Standing},
        step,
    },
    former::{Former, Formers},
    keys::{self, KeyDir, NIX_OPTION},
    list::Broker,
};
use crate::{
    accounts::{Account, Accounts, confinement::Confinement, local::LocalAccounts, processes},
    config::AbsolutePath,
    domain::{State, UserName, chain, plain},
    protocol::varlink::{
        Own, SOCKET_PATH, SessionInfo, StopParameters,
        methods::{List, Stop},
    },
    settings,
    sshd::block::GROUP,
    sys::immutable,
};
use anyhow::Context as _;
use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long sessions may take over their end; a container gets ten seconds to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  podspawn remove-user alice\n  podspawn remove-user alice --force --purge    # sessions and \
                  files as well"
)]
pub struct Options {
    /// The login name
    user: UserName,
    /// End the user's sessions and connections
    #[arg(long)]
    force: bool,
    /// Remove the persistent home as well
    #[arg(long)]
    purge: bool,
    #[command(flatten)]
    broker: Broker,
    /// Print nothing
    #[arg(skip)]
    quiet: bool,
}

impl Options {
    /// Removes everything of `user` and prints nothing.
    pub(super) fn all_of(user: UserName) -> Self {
        Self { user, force: true, purge: true, broker: Broker { socket: SOCKET_PATH.into() }, quiet: true }
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        if !self.quiet {
            println!("{}", plain(what));
        }
    }
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    super::require_root("remove-user")?;
    let user = &options.user;
    let removal = Removal::of(options)?;
    removal.sessions_are_gone().with_context(|| format!("{user} was not removed"))?;
    if removal.remove_keys()? {
        options.say(format_args!("removed the keys of {user}: new logins are refused"));
    }
    removal.end_sessions()?;
    if let Some(path) = &removal.overrides
        && keys::remove(path)?
    {
        options.say(format_args!("removed {}", path.display()));
    }
    removal.remove_account()?;
    removal.home()?;
    Ok(())
}

/// The parts of a user that exist.
struct Removal<'a> {
    options: &'a Options,
    user: &'a UserName,
    directory: KeyDir,
    local: LocalAccounts,
    standing: Standing,
    account: Option<Account>,
    former: Option<Former>,
    overrides: Option<PathBuf>,
    homes: PathBuf,
}

impl<'a> Removal<'a> {
    fn of(options: &'a Options) -> anyhow::Result<Self> {
        let user = &options.user;
        let directory = KeyDir::lock()?;
        let local = LocalAccounts::read(Path::new("/"))?;
        let (standing, account) = account::find(user, &local, &Accounts::new(), &Formers::new())?;
        let former = account.as_ref().map(|account| Formers::new().of(account)).transpose()?.flatten();
        let overrides = Some(Path::new(settings::ROOT).join("users").join(format!("{user}.yaml")));
        let overrides = overrides.filter(|path| path.symlink_metadata().is_ok());
        // Nothing is purged from a place that is only guessed.
        let homes = match settings::load(Path::new(settings::ROOT)) {
            Ok(settings) => settings.config.state.homes_dir,
            Err(_) if options.purge => {
                anyhow::bail!("where homes are cannot be read from the configuration: podspawn check-config")
            }
            Err(_) => crate::config::Config::default().state.homes_dir,
        };
        let homes = AbsolutePath::as_path(&homes).to_owned();
        let keys = directory.file(user);
        let has_keys = keys.symlink_metadata().is_ok();
        let has_home = options.purge && homes.join(user.as_ref()).symlink_metadata().is_ok();
        let is_known = has_keys || overrides.is_some() || has_home;
        anyhow::ensure!(user.as_ref() != GROUP, "{user} is the broker's account");
        match standing {
            Standing::Ordinary if !is_known => {
                anyhow::bail!("{user} is an ordinary account of this host, not podspawn's")
            }
            Standing::Absent if !is_known => anyhow::bail!("there is no podspawn user {user}: see podspawn list-users"),
            _ => {}
        }
        for path in [has_keys.then_some(&keys), overrides.as_ref()].into_iter().flatten() {
            if let Some(immutable) = immutable::check(path) {
                let option = NIX_OPTION.replace(".<name>.keys", "");
                anyhow::bail!("{}", immutable.message(path, &format!("{option} without {user}")));
            }
        }
        Ok(Self { options, user, directory, local, standing, account, former, overrides, homes })
    }

    /// The account's uid, if the account is podspawn's: its only processes on this host are connections.
    fn own_uid(&self) -> Option<u32> {
        let account = self.account.as_ref()?;
        let is_ours = match self.standing {
            Standing::Ours => true,
            // A conversion that was cut short leaves processes of its own.
            Standing::Converted => Confinement::of(account).is_confined(),
            _ => false,
        };
        is_ours.then_some(account.uid)
    }

    fn end_processes(&self) -> anyhow::Result<()> {
        let Some(uid) = self.own_uid() else { return Ok(()) };
        let gone = processes::end(uid).context("ending connections")?;
        anyhow::ensure!(gone, "processes of {} on this host cannot be ended: ps -u {}", self.user, self.user);
        Ok(())
    }

    fn sessions(&self) -> anyhow::Result<Vec<SessionInfo>> {
        let reply = self
            .options
            .broker
            .connect()?
            .call::<List>(&Own::default())
            .with_context(|| format!("whether {} has sessions cannot be found out", self.user))?;
        Ok(reply.sessions.into_iter().filter(|session| session.user == *self.user).collect())
    }

    /// Refuses while there are sessions or connections, unless --force ends them.
    fn sessions_are_gone(&self) -> anyhow::Result<()> {
        if self.options.force {
            return Ok(());
        }
        let sessions = self.sessions()?;
        let connections: u32 = sessions.iter().map(|session| session.connections).sum();
        anyhow::ensure!(
            sessions.is_empty(),
            "{} session(s) with {connections} connection(s) are there: podspawn stop {}, or --force",
            sessions.len(),
            sessions.first().map(|session| session.key().to_string()).unwrap_or_default()
        );
        let connections = self.own_uid().map(processes::connections).transpose().context("looking for connections")?;
        anyhow::ensure!(connections.unwrap_or(0) == 0, "the user is connected: wait for the end of it, or --force");
        Ok(())
    }

    fn remove_keys(&self) -> anyhow::Result<bool> {
        keys::remove(&self.directory.file(self.user))
    }

    /// Ends all sessions, and makes sure that none began meanwhile.
    fn end_sessions(&self) -> anyhow::Result<()> {
        if !self.options.force {
            return self.sessions_are_gone().context("the user logged in meanwhile, and the keys are gone");
        }
        // An open connection could ask for another session, so those go first.
        self.end_processes()?;
        let end = Instant::now() + PATIENCE;
        loop {
            let sessions = match self.sessions() {
                Ok(sessions) => sessions,
                // The keys are gone, and the rest of a session ends by itself.
                Err(error) => {
                    self.options.say(format_args!("note: {}; see podspawn list", chain(error.as_ref())));
                    return Ok(());
                }
            };
            if sessions.is_empty() {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < end, "the sessions of {} do not end: podspawn list", self.user);
            for session in sessions.iter().filter(|session| session.state != State::Destroying) {
                let parameters = StopParameters {
                    user: Some(session.user.to_string()),
                    project: session.project.as_ref().map(ToString::to_string),
                };
                match self.options.broker.connect()?.call::<Stop>(&parameters) {
                    Ok(_) => self.options.say(format_args!("stopped {}", session.key())),
                    // Gone by itself, or asked again in the next round.
                    Err(error) => tracing::debug!("stop: {error}"),
                }
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn remove_account(&self) -> anyhow::Result<()> {
        let user = self.user;
        if let (Some(account), Some(former)) = (&self.account, &self.former) {
            // usermod(8) changes no account with processes.
            self.end_processes()?;
            for line in give_back::run(account, former, &self.local)? {
                self.options.say(format_args!("{line}"));
            }
            return Ok(());
        }
        match self.standing {
            Standing::Ours if self.local.account(user.as_ref()).is_some() => {
                self.end_processes()?;
                step::tool("userdel", &["--", user.as_ref()])?;
                self.options.say(format_args!("removed account {user}"));
            }
            Standing::Ours | Standing::Joined | Standing::Converted => {
                self.options.say(format_args!(
                    "note: account {user} is not podspawn's own and stays, in group {GROUP}, where it cannot log in over \
                     ssh; gpasswd --delete {user} {GROUP} gives it this host's shell back"
                ));
            }
            Standing::Ordinary | Standing::Absent => {}
        }
        Ok(())
    }

    fn home(&self) -> anyhow::Result<()> {
        let home = self.homes.join(self.user.as_ref());
        if self.options.purge {
            if purge::remove(&self.homes, self.user.as_ref())? {
                self.options.say(format_args!("removed {}", home.display()));
            }
        } else if home.symlink_metadata().is_ok() {
            self.options.say(format_args!("note: {} stays; --purge removes it", home.display()));
        }
        Ok(())
    }
}
