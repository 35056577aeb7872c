//! The user's dotfiles: cloned into a fresh home and installed before the first program runs there.
//!
//! All of it happens as the user, in the process that becomes that program afterwards: the guest waits for nothing, and
//! whoever hangs up ends it as they would end the program. What fails is told at a terminal and in a file of the home;
//! the login goes on.

use super::channel::own_binary;
use crate::protocol::guest::{DOTFILES, INSTALL};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, IsTerminal},
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
/// How long all of it may take: somebody waits for a prompt.
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
            eprintln!("podspawn: {text}");
        }
    };
    let home = std::env::var_os("HOME").map_or_else(|| "/".into(), PathBuf::from);
    say(&format!("setting up your dotfiles from {}", dotfiles.repo.display()));
    if let Err(error) = set_up(dotfiles, &home, Instant::now() + TIME) {
        say(&format!("your dotfiles are not set up: {error}; see ~/{LOG}"));
    }
    Command::new(path).arg0(name).args(arguments).exec()
}

extern "C" fn nothing(_signal: libc::c_int) {}

fn set_up(dotfiles: &Dotfiles, home: &Path, end: Instant) -> Result<(), String> {
    let log = File::create(home.join(LOG)).map_err(|error| format!("cannot write to the home: {error}"))?;
    let clone = home.join(CLONE);
    let mut git = Command::new("git");
    git.args(["clone", "--quiet", "--"]).arg(&dotfiles.repo).arg(&clone).current_dir(home);
    // Nobody is asked for a password or whether a host is the right one.
    git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
    step("git clone", &mut git, &log, end)?;
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
    fn without_a_home_to_write_to_nothing_is_run() {
        let error = set_up(&dotfiles(), Path::new("/nonexistent"), Instant::now() + TIME).unwrap_err();
        assert!(error.starts_with("cannot write to the home"), "{error}");
    }
}
