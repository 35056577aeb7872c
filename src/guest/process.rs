//! Starting a process as a user: a session of its own, the user's ids, nothing inherited but its standard streams.
//!
//! Not `std::process`: that waits without bound for the child's execve(2), and a user who stops each new process of
//! his would stop the guest with it.

use super::{environment::Environment, files::under, guard, login::Account};
use crate::sys::signalfd::{close_on_exec_from_3, restore_defaults};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::Mode,
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    process::{Gid, Pid, Resource, Rlimit, Uid, getrlimit, setrlimit},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};
use std::{
    ffi::{CStr, CString, OsStr, OsString, c_char},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

/// How long the guest waits to hear that a program could not be executed. A process that takes longer counts as
/// started: then the text of a failure is lost, and its code, 127, is not.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// What a shell answers for a program that it cannot run.
const EXIT_NOT_RUN: libc::c_int = 127;

/// What a process has as standard input, output and error.
pub(super) enum Streams {
    /// One terminal, which becomes the controlling one.
    Terminal(OwnedFd),
    /// What the client brought, as [`super::streams::accept`] lets it pass.
    Given([OwnedFd; 3]),
}

/// A program with everything that execve(2) takes.
pub(super) struct Executable {
    pub(super) path: PathBuf,
    /// The first is the name by which it is called.
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Environment,
}

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("cannot make a process: {0}")]
    Fork(Errno),
    #[error("an argument or a variable has a NUL in it")]
    Nul,
    #[error("cannot {0}: {1}")]
    Step(&'static str, Errno),
    #[error("cannot run {path}: {error}", path = .0.display(), error = .1)]
    Program(PathBuf, Errno),
}

/// What the child does before it becomes the program; it reports the index of the step that failed.
const STEPS: [&str; 6] = [
    "give the process its standard streams",
    "start a session of its own",
    "make the terminal the controlling one",
    "take the groups of the user (does the container have CAP_SETGID?)",
    "become the user (does the container have CAP_SETUID?)",
    "limit its open files",
];
const STREAMS: u8 = 0;
const SESSION: u8 = 1;
const TERMINAL: u8 = 2;
const GROUPS: u8 = 3;
const USER: u8 = 4;
const FILES: u8 = 5;
const EXECUTE: u8 = 6;

/// Strings as execve(2) takes them: pointers with a null at the end.
struct Strings {
    owned: Vec<CString>,
}

impl Strings {
    fn new<'a>(strings: impl Iterator<Item = &'a OsStr>) -> Result<Self, StartError> {
        let owned = strings.map(|string| CString::new(string.as_bytes())).collect::<Result<_, _>>();
        Ok(Self { owned: owned.map_err(|_| StartError::Nul)? })
    }

    /// Valid as long as `self`.
    fn pointers(&self) -> Vec<*const c_char> {
        self.owned.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    }
}

/// Starts `program` in the container at `root` as `account`.
pub(super) fn start(root: &Path, account: &Account, program: Executable, streams: &Streams) -> Result<Pid, StartError> {
    let Executable { path, arguments, environment } = program;
    let real = if path.is_absolute() { under(root, &path) } else { path.clone() };
    let program = CString::new(real.as_os_str().as_bytes()).map_err(|_| StartError::Nul)?;
    let arguments = Strings::new(arguments.iter().map(OsString::as_os_str))?;
    let variables: Vec<OsString> = environment.into_iter().map(|(name, value)| assignment(name, &value)).collect();
    let variables = Strings::new(variables.iter().map(OsString::as_os_str))?;
    let (argument_pointers, variable_pointers) = (arguments.pointers(), variables.pointers());
    let switch = Switch::to(root, account);
    let (report, reporter) = pipe_with(PipeFlags::CLOEXEC).map_err(StartError::Fork)?;

    // SAFETY: the child makes system calls only, on memory that was prepared before, and never returns.
    let pid = match unsafe { libc::fork() } {
        -1 => return Err(StartError::Fork(last_errno())),
        0 => {
            let (step, error) = match switch.perform(streams) {
                Ok(()) => (EXECUTE, execute(&program, &argument_pointers, &variable_pointers)),
                Err(failed) => failed,
            };
            let [a, b, c, d] = error.raw_os_error().to_ne_bytes();
            let _ = rustix::io::write(&reporter, &[step, a, b, c, d]);
            // SAFETY: ends the child at once, without running anything of the guest's.
            unsafe { libc::_exit(EXIT_NOT_RUN) }
        }
        pid => Pid::from_raw(pid).ok_or(StartError::Fork(Errno::SRCH))?,
    };
    drop(reporter);
    match failure(&report) {
        None => Ok(pid),
        Some((step, error)) => Err(match STEPS.get(usize::from(step)) {
            Some(step) => StartError::Step(step, error),
            None => StartError::Program(path, error),
        }),
    }
}

fn assignment(mut name: OsString, value: &OsStr) -> OsString {
    name.push("=");
    name.push(value);
    name
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Runs in the child: becomes the program, or says why not.
fn execute(program: &CStr, arguments: &[*const c_char], variables: &[*const c_char]) -> Errno {
    // SAFETY: both lists end in null, and their strings live in the caller.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), variables.as_ptr()) };
    last_errno()
}

/// What the child reported; an end of file means that it became the program.
fn failure(report: &OwnedFd) -> Option<(u8, Errno)> {
    let mut fds = [PollFd::new(report, PollFlags::IN)];
    if rustix::event::poll(&mut fds, Some(&PATIENCE)) == Ok(0) {
        return None;
    }
    // Five bytes arrive at once or not at all.
    let mut bytes = [0; 5];
    match rustix::io::read(report, &mut bytes) {
        Ok(5) => {
            let [step, a, b, c, d] = bytes;
            Some((step, Errno::from_raw_os_error(i32::from_ne_bytes([a, b, c, d]))))
        }
        _ => None,
    }
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
    fn perform(&self, streams: &Streams) -> Result<(), (u8, Errno)> {
        restore_defaults();
        let step = |number: u8| move |error: Errno| (number, error);
        rustix::process::setsid().map_err(step(SESSION))?;
        let [input, output, error] = match streams {
            Streams::Terminal(tty) => {
                rustix::process::ioctl_tiocsctty(tty).map_err(step(TERMINAL))?;
                [tty.as_fd(), tty.as_fd(), tty.as_fd()]
            }
            Streams::Given([input, output, error]) => [input.as_fd(), output.as_fd(), error.as_fd()],
        };
        become_standard(input, output, error).map_err(step(STREAMS))?;
        rustix::process::umask(Mode::from_raw_mode(0o022));
        guard::limit_open_files().map_err(step(FILES))?;
        // As under a plain sshd, a crash leaves no file unless the user asks for it (`ulimit -c`). An engine's default is
        // no limit.
        let core = getrlimit(Resource::Core);
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: core.maximum });
        if self.changes {
            set_thread_groups(&self.groups).map_err(step(GROUPS))?;
            set_thread_res_gid(self.gid, self.gid, self.gid).map_err(step(GROUPS))?;
            set_thread_res_uid(self.uid, self.uid, self.uid).map_err(step(USER))?;
        }
        // As the user, so that a home that the user may not enter is not entered.
        if rustix::process::chdir(self.home.as_c_str()).is_err() {
            let _ = rustix::process::chdir(c"/");
        }
        close_on_exec_from_3();
        Ok(())
    }
}

/// No source is itself 0, 1 or 2: those are open from the start of a Rust program.
fn become_standard(input: BorrowedFd<'_>, output: BorrowedFd<'_>, error: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::stdio::dup2_stdin(input)?;
    rustix::stdio::dup2_stdout(output)?;
    rustix::stdio::dup2_stderr(error)
}
