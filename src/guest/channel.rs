//! One channel: from the broker's request to the process that answers it.

use super::{
    agent::Agent,
    binary::own_binary,
    config::GuestConfig,
    dotfiles, environment,
    identity::Group,
    login::{self, Account, Resolved},
    packets,
    process::{self, Executable, Streams},
    refusal::Refusal,
    shell, streams,
    traffic::Traffic,
};
use crate::{
    domain::ChannelId,
    protocol::guest::{MAX_COMMAND_BYTES, Open, Program, Terminal, ToSpawn},
    sys::pty,
};
use rustix::io::Errno;
use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

/// Bytes that spawn may leave unread before agent connections are refused and notices left out. The rest of the socket's buffer (208 KiB
/// by default) is for the last word, which must always fit.
pub(super) const MAX_UNREAD: usize = 64 * 1024;

/// A client and what runs for it.
pub(super) struct Channel {
    pub(super) id: ChannelId,
    pub(super) socket: OwnedFd,
    pub(super) state: State,
}

pub(super) enum State {
    /// The broker has asked; spawn has not yet said how.
    Waiting(Box<Open>),
    /// A process runs.
    Running { group: Group, agent: Option<Agent> },
}

/// How spawn wants the process to be connected.
pub(super) enum Client {
    Terminal(Box<Terminal>),
    /// Whatever came, until [`Self::accept`].
    Streams([OwnedFd; 3]),
}

impl Client {
    /// Lets pass what a process of the container may have.
    pub(super) fn accept(self) -> Result<Self, Refusal> {
        Ok(match self {
            Self::Streams(fds) => Self::Streams(streams::accept(fds)?),
            Self::Terminal(terminal) => Self::Terminal(terminal),
        })
    }
}

/// Whether a request keeps the protocol's bounds.
pub(super) fn is_acceptable(open: &Open) -> bool {
    let command = match &open.program {
        Program::Command(command) => command.len() < MAX_COMMAND_BYTES && !command.contains(&0),
        Program::Shell | Program::Sftp => true,
    };
    command && environment::is_bounded(&open.environment) && !open.login.shell.contains('\0')
}

/// What was started for a request.
pub(super) struct Started {
    pub(super) state: State,
    /// The terminal's master, for spawn alone: it hangs up when spawn's copy is closed.
    pub(super) master: Option<OwnedFd>,
    /// A remark to show on the terminal.
    pub(super) remark: Option<String>,
    /// What can be seen of its bytes.
    pub(super) traffic: Traffic,
}

/// Starts the process that `open` asks for. With `first` this is the user's first login in this guest's life.
pub(super) fn start(
    config: &GuestConfig,
    open: Open,
    client: Client,
    wants_agent: bool,
    first: bool,
    number: u64,
) -> Result<Started, Refusal> {
    let root = &config.root;
    let Resolved { account, is_fresh, remark } = match &config.home {
        Some(home) => login::resolve_persistent(root, &open.login, config.uid, home)?,
        None => login::resolve(root, &open.login, config.uid, first)?,
    };
    let (streams, master, tty) = match client {
        Client::Streams(fds) => (Streams::Given(fds), None, None),
        Client::Terminal(terminal) => {
            let (master, slave, path) = open_terminal(&terminal, &account).map_err(no_terminal)?;
            (Streams::Terminal(slave), Some(master), Some(path))
        }
    };
    let agent = if wants_agent { Agent::listen(root, &account, number) } else { None };
    let agent_path = agent.as_ref().map(|agent| agent.path.as_path());
    let environment = environment::of(&config.environment, open.environment, &account, tty.as_deref(), agent_path);
    let search = environment.get(OsStr::new("PATH")).cloned().unwrap_or_default();
    let (path, arguments) = program(root, &account, &open.program, &search)?;
    let (path, arguments) = match &config.dotfiles {
        Some(dotfiles) if is_fresh || dotfiles::is_pending(root, &account.home) => dotfiles.before(path, arguments),
        _ => (path, arguments),
    };
    let program = Executable { path, arguments, environment };
    let leader = process::start(root, &account, program, &streams)?;
    let state = State::Running { group: Group { leader, uid: account.uid }, agent };
    Ok(Started { state, master, remark, traffic: Traffic::of(&streams) })
}

fn open_terminal(terminal: &Terminal, account: &Account) -> io::Result<(OwnedFd, OwnedFd, PathBuf)> {
    let pty::Pty { master, slave, path } = pty::open()?;
    pty::configure(&slave, terminal)?;
    // The group stays what devpts made it (`tty`). Without CAP_CHOWN the open descriptors still work.
    let _ = rustix::fs::fchown(&slave, Some(rustix::fs::Uid::from_raw(account.uid)), None);
    Ok((master, slave, path))
}

/// Why there is no terminal.
fn no_terminal(error: io::Error) -> Refusal {
    match (error.kind(), pty::is_kernels_last()) {
        (io::ErrorKind::StorageFull, Some(true)) => Refusal::NoTerminal,
        (io::ErrorKind::StorageFull, Some(false)) => Refusal::NoTerminalHere,
        _ => Refusal::Terminal(error),
    }
}

/// The program and its arguments, the first of which is its name.
fn program(
    root: &Path,
    account: &Account,
    program: &Program,
    search: &OsStr,
) -> Result<(PathBuf, Vec<OsString>), Refusal> {
    match (program, &account.shell) {
        (Program::Sftp, _) => Ok(match shell::find_sftp_server(root) {
            Some(server) => (server, vec!["sftp-server".into()]),
            None => own_sftp_server(),
        }),
        (Program::Shell, Some(shell)) => Ok((shell.program.clone(), shell.login())),
        (Program::Command(command), Some(shell)) => Ok((shell.program.clone(), shell.command(command))),
        (Program::Shell, None) => Err(Refusal::NoShell),
        (Program::Command(command), None) => {
            let words = shell::words(command);
            let name = words.first().ok_or(Refusal::NoShell)?;
            let path = shell::find_program(root, name, search).ok_or_else(|| Refusal::NoProgram(name.clone()))?;
            Ok((path, words))
        }
    }
}

fn own_sftp_server() -> (PathBuf, Vec<OsString>) {
    (own_binary(), ["podspawn", "guest", "--sftp"].map(OsString::from).to_vec())
}

impl Channel {
    /// Hands connections to the agent out to spawn, a bounded number of them. False if the agent's socket is broken.
    pub(super) fn pass_agent_connections(&self) -> bool {
        let State::Running { agent: Some(agent), .. } = &self.state else { return true };
        for _ in 0..packets::MAX_AT_ONCE {
            match agent.accept() {
                Ok(connection) if packets::unread_by_peer(&self.socket) < MAX_UNREAD => {
                    // A connection that cannot be passed on is closed, as by an agent that is too busy.
                    let _ = packets::send(&self.socket, &ToSpawn::Agent, &[connection.as_fd()]);
                }
                Ok(_) | Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return false,
            }
        }
        true
    }
}
