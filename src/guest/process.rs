//! Starting a process as a user: a session of its own, the user's ids, nothing inherited but its standard streams.

use super::{environment::Environment, files::under, login::Account};
use crate::sys::signalfd::{close_on_exec_from_3, restore_defaults};
use rustix::{
    fs::Mode,
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    process::{Gid, Pid, Uid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};
use std::{
    ffi::{CString, OsString},
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What a process has as standard input, output and error.
pub(super) enum Streams {
    /// One terminal, which becomes the controlling one.
    Terminal(OwnedFd),
    /// Whatever the client brought.
    Given([OwnedFd; 3]),
}

/// A program with everything that execve(2) takes.
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// The first is the name by which it is called.
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Environment,
}

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("cannot give the process its standard streams: {0}")]
    Streams(Errno),
    #[error("cannot {0}: {1}")]
    Step(&'static str, Errno),
    #[error("cannot run {path}: {error}", path = .0.display(), error = .1)]
    Program(PathBuf, Errno),
}

/// What happens between fork and exec, for the message when it fails.
const STEPS: [&str; 4] = [
    "start a session of its own",
    "make the terminal the controlling one",
    "take the groups of the user (does the container have CAP_SETGID?)",
    "become the user (does the container have CAP_SETUID?)",
];

/// Starts `program` in the container at `root` as `account`.
pub(super) fn start(root: &Path, account: &Account, program: Program, streams: Streams) -> Result<Pid, StartError> {
    let Program { path, arguments, environment } = program;
    // Without a slash execvp(3) would search; the kernel should get exactly this path.
    let mut command = Command::new(if path.is_absolute() { under(root, &path) } else { Path::new(".").join(&path) });
    let mut arguments = arguments.into_iter();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env_clear().envs(environment);
    let controls_terminal = matches!(streams, Streams::Terminal(_));
    let [input, output, error] = match streams {
        Streams::Given(fds) => fds,
        Streams::Terminal(tty) => {
            let again = || tty.try_clone().map_err(|error| StartError::Streams(errno(&error)));
            [again()?, again()?, tty]
        }
    };
    command.stdin(Stdio::from(input)).stdout(Stdio::from(output)).stderr(Stdio::from(error));
    let (report, reporter) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(StartError::Streams)?;
    let switch = Switch::to(root, account);
    let before_exec = move || {
        switch.perform(controls_terminal).map_err(|(step, error)| {
            let _ = rustix::io::write(&reporter, &[step]);
            error.into()
        })
    };
    // SAFETY: between fork and exec the closure makes system calls only, and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
    match command.spawn() {
        Ok(child) => {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            pid.ok_or(StartError::Program(path, Errno::OVERFLOW))
        }
        Err(error) => {
            // The write end is in `command`, but a failed step has written before the child ended.
            let mut step = [u8::MAX];
            let step = match rustix::io::read(&report, &mut step) {
                Ok(1) => STEPS.get(usize::from(step[0])),
                _ => None,
            };
            Err(match step {
                Some(step) => StartError::Step(step, errno(&error)),
                None => StartError::Program(path, errno(&error)),
            })
        }
    }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// The change from the guest to the user, with everything that it needs at hand.
struct Switch {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    /// Whether the ids change at all; a guest that is the user already (in tests) may not touch its groups.
    changes: bool,
    home: CString,
}

impl Switch {
    fn to(root: &Path, account: &Account) -> Self {
        let uid = Uid::from_raw(account.uid);
        let own = rustix::process::geteuid();
        Self {
            uid,
            gid: Gid::from_raw(account.gid),
            groups: account.groups.iter().map(|&gid| Gid::from_raw(gid)).collect(),
            changes: own.is_root() || own != uid,
            home: CString::new(under(root, &account.home).as_os_str().as_bytes()).unwrap_or_default(),
        }
    }

    /// Runs in the child. The number is an index of [`STEPS`].
    fn perform(&self, controls_terminal: bool) -> Result<(), (u8, Errno)> {
        restore_defaults();
        rustix::process::setsid().map_err(|error| (0, error))?;
        if controls_terminal {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin()).map_err(|error| (1, error))?;
        }
        rustix::process::umask(Mode::from_raw_mode(0o022));
        if self.changes {
            set_thread_groups(&self.groups).map_err(|error| (2, error))?;
            set_thread_res_gid(self.gid, self.gid, self.gid).map_err(|error| (2, error))?;
            set_thread_res_uid(self.uid, self.uid, self.uid).map_err(|error| (3, error))?;
        }
        // As the user, so that a home that the user may not enter is not entered.
        if rustix::process::chdir(self.home.as_c_str()).is_err() {
            let _ = rustix::process::chdir(c"/");
        }
        close_on_exec_from_3();
        Ok(())
    }
}
