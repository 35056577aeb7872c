//! The user's dotfiles: cloned into a fresh home and installed before the first program runs there.
//!
//! A clone that fails is tried again at the next logins, some times: the first may have had no agent. What is left to
//! try is a file of the home, so that it is known in each container of a persistent one.
//!
//! All of it happens as the user, in the process that becomes that program afterwards: the guest waits for nothing, and
//! a hangup ends it as it would end the program. Failures are shown on a terminal and recorded in a file of the home;
//! the login goes on.

use super::{binary::own_binary, files::under};
use crate::{
    protocol::guest::{DOTFILES, INSTALL},
    sys::stderr,
};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, IsTerminal, Read as _, Seek as _, Write as _},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Where the clone is, in the home.
const CLONE: &str = ".dotfiles";
/// What git and the install command say.
const LOG: &str = ".dotfiles.log";
/// Says that the clone failed, and how often: removed with the first that succeeds.
const PENDING: &str = ".dotfiles.pending";
/// Where git clones to, until it is whole.
const PARTIAL: &str = ".dotfiles.partial";
/// How often a clone is tried.
const ATTEMPTS: u8 = 5;
/// How long all of it may take, since the user waits for a prompt.
const TIME: Duration = Duration::from_secs(60);
/// How often it is looked whether a step has ended.
const POLL: Duration = Duration::from_millis(20);

/// What to set up, as the user's file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dotfiles {
    /// The repository, as git takes it.
    pub repo: OsString,
    /// A command for the shell, run in the clone.
    pub install: Option<OsString>,
}

impl Dotfiles {
    /// The program and arguments that set up the dotfiles and then become `path` with `arguments`.
    pub(super) fn before(&self, path: PathBuf, arguments: Vec<OsString>) -> (PathBuf, Vec<OsString>) {
        let mut all: Vec<OsString> = ["podspawn", "guest"].map(OsString::from).to_vec();
        let option = |name: &str, value: &OsStr| OsString::from_iter([OsStr::new(name), OsStr::new("="), value]);
        all.push(option(DOTFILES, &self.repo));
        all.extend(self.install.iter().map(|install| option(INSTALL, install)));
        all.extend(["--".into(), path.into_os_string()]);
        all.extend(arguments);
        (own_binary(), all)
    }
}

/// Whether a clone into the home `home` of the container at `root` failed and is to be tried again. No link is followed.
pub(super) fn is_pending(root: &Path, home: &Path) -> bool {
    under(root, home).join(PENDING).symlink_metadata().is_ok_and(|about| about.is_file())
}

/// Sets up `dotfiles` and becomes `program`: its path, then its arguments with the name first.
///
/// # Errors
///
/// Returns only if the program cannot be run.
pub fn run(dotfiles: &Dotfiles, program: &[OsString]) -> io::Error {
    let [path, name, arguments @ ..] = program else { return io::ErrorKind::InvalidInput.into() };
    // Handlers, which an execve(2) resets: an interrupt ends git or the install command, and not the login.
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
        // SAFETY: the handler does nothing, so it may run at any time.
        unsafe { libc::signal(signal, nothing as *const () as libc::sighandler_t) };
    }
    // A program's streams stay its own: only at a terminal something is said.
    let say = |text: &str| {
        if io::stderr().is_terminal() {
            stderr::complain(text);
        }
    };
    let home = std::env::var_os("HOME").map_or_else(|| "/".into(), PathBuf::from);
    let attempt = Attempt::begin(&home).map_err(|error| format!("cannot write to the home: {error}"));
    // Where another login is at it, there is nothing to do or to say.
    if !matches!(attempt, Ok(None)) {
        say(&format!("setting up your dotfiles from {}", dotfiles.repo.display()));
        let end = Instant::now() + TIME;
        let done = attempt.and_then(|attempt| attempt.map_or(Ok(()), |attempt| set_up(dotfiles, &home, attempt, end)));
        if let Err(error) = done {
            say(&format!("your dotfiles are not set up: {error}; see ~/{LOG}"));
        }
    }
    Command::new(path).arg0(name).args(arguments).exec()
}

extern "C" fn nothing(_signal: libc::c_int) {}

/// One of the times that a clone is tried, which no other login does meanwhile.
struct Attempt {
    /// The file [`PENDING`], locked.
    file: File,
    path: PathBuf,
    number: u8,
}

impl Attempt {
    /// Counts it, so that one that is hung up counts as well; `None` if it is not to be made.
    fn begin(home: &Path) -> io::Result<Option<Self>> {
        let path = home.join(PENDING);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(open(&path, flags, Mode::RUSR | Mode::WUSR)?);
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() || rustix::fs::fstat(&file)?.st_nlink == 0 {
            return Ok(None);
        }
        let mut text = String::new();
        // What is no number was not written here.
        let _ = (&file).take(8).read_to_string(&mut text);
        let number = text.trim().parse::<u8>().unwrap_or(0).saturating_add(1);
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{number}")?;
        Ok(Some(Self { file, path, number }))
    }

    /// Nothing is left to try.
    fn settle(self) {
        let _ = std::fs::remove_file(&self.path);
        drop(self.file);
    }
}

fn set_up(dotfiles: &Dotfiles, home: &Path, attempt: Attempt, end: Instant) -> Result<(), String> {
    let log = File::create(home.join(LOG)).map_err(|error| format!("cannot write to the home: {error}"))?;
    let (clone, partial) = (home.join(CLONE), home.join(PARTIAL));
    if clone.symlink_metadata().is_ok() {
        attempt.settle();
        return Err(format!("~/{CLONE} exists already"));
    }
    // What a clone left that was killed.
    let _ = std::fs::remove_dir_all(&partial);
    let mut git = Command::new("git");
    git.args(["clone", "--quiet", "--"]).arg(&dotfiles.repo).arg(&partial).current_dir(home);
    // git asks neither for a password nor for the confirmation of a host key.
    git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
    if let Err(error) = step("git clone", &mut git, &log, end) {
        if attempt.number < ATTEMPTS {
            return Err(format!("{error}, the next login tries again"));
        }
        attempt.settle();
        return Err(format!("{error}, for the last time"));
    }
    std::fs::rename(&partial, &clone).map_err(|error| format!("~/{CLONE}: {error}"))?;
    attempt.settle();
    let Some(install) = &dotfiles.install else { return Ok(()) };
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    step("the install command", Command::new(shell).arg("-c").arg(install).current_dir(&clone), &log, end)
}

/// Runs `command` until `end`, in words what went wrong.
fn step(name: &str, command: &mut Command, log: &File, end: Instant) -> Result<(), String> {
    let streams = log.try_clone().and_then(|out| Ok((out, log.try_clone()?)));
    let (out, err) = streams.map_err(|error| error.to_string())?;
    let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
    let mut child = child.map_err(|error| format!("{name} cannot be run: {error}"))?;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("{name} failed ({status})")),
            Ok(None) if Instant::now() < end => thread::sleep(POLL),
            Ok(None) => {
                // Its helpers as well: whatever is in this login's process group, but for this process, who is deaf.
                let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TERM);
                thread::sleep(POLL);
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{name} takes longer than {} s", TIME.as_secs()));
            }
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dotfiles() -> Dotfiles {
        Dotfiles { repo: "https://git.example.org/dots".into(), install: Some("./install -f".into()) }
    }

    #[test]
    fn the_program_comes_after_the_dotfiles_as_it_was() {
        let (path, arguments) = dotfiles().before("/bin/bash".into(), vec!["-bash".into()]);
        assert!(path.is_absolute());
        let expected = [
            "podspawn",
            "guest",
            "--dotfiles=https://git.example.org/dots",
            "--install=./install -f",
            "--",
            "/bin/bash",
            "-bash",
        ];
        assert_eq!(arguments, expected);
    }

    #[test]
    fn a_step_that_fails_says_which_and_how() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let log = File::create(&path).unwrap();
        let later = Instant::now() + TIME;
        let run = |script: &str| step("it", Command::new("/bin/sh").args(["-c", script]), &log, later);
        assert_eq!(run("echo said; echo wrong >&2"), Ok(()));
        assert_eq!(run("exit 3"), Err("it failed (exit status: 3)".into()));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "said\nwrong\n");
        let absent = step("it", &mut Command::new("/nonexistent"), &log, later).unwrap_err();
        assert!(absent.starts_with("it cannot be run: No such file"), "{absent}");
    }

    #[test]
    fn a_clone_that_fails_is_pending_until_it_succeeds_or_was_tried_often_enough() {
        let home = tempfile::tempdir().unwrap();
        let pending = || is_pending(Path::new("/"), home.path());
        let repo = home.path().join("repo");
        let dotfiles = Dotfiles { repo: repo.clone().into(), install: None };
        let attempt = || {
            // A process that another test starts has the lock, too, between fork and exec.
            let attempt = (0..100).find_map(|_| {
                thread::sleep(Duration::from_millis(10));
                Attempt::begin(home.path()).unwrap()
            });
            let attempt = attempt.unwrap();
            set_up(&dotfiles, home.path(), attempt, Instant::now() + TIME)
        };
        assert!(!pending());
        for number in 1..=ATTEMPTS {
            let error = attempt().unwrap_err();
            let (end, left) =
                if number < ATTEMPTS { ("the next login tries again", true) } else { ("for the last time", false) };
            assert!(error.starts_with("git clone") && error.ends_with(end), "{number}: {error}");
            assert_eq!(pending(), left, "{number}");
        }
        attempt().unwrap_err();
        // A killed clone's leftovers do not disturb the next one.
        std::fs::create_dir_all(home.path().join(PARTIAL).join(".git")).unwrap();
        assert!(Command::new("git").args(["init", "--quiet"]).arg(&repo).status().unwrap().success());
        attempt().unwrap();
        assert!(home.path().join(CLONE).join(".git").is_dir() && !home.path().join(PARTIAL).exists() && !pending());
    }

    #[test]
    fn one_login_at_a_time_tries_and_no_link_is_followed() {
        let home = tempfile::tempdir().unwrap();
        let first = Attempt::begin(home.path()).unwrap().unwrap();
        assert!(Attempt::begin(home.path()).unwrap().is_none());
        first.settle();
        std::os::unix::fs::symlink(home.path().join("other"), home.path().join(PENDING)).unwrap();
        assert!(Attempt::begin(home.path()).is_err() && !home.path().join("other").exists());
        assert!(!is_pending(Path::new("/"), home.path()));
        assert!(Attempt::begin(Path::new("/nonexistent")).is_err());
    }
}
