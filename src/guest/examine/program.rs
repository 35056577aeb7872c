//! Running an image's program as the user: bounded in time and in what it may say.

use crate::{
    guest::{
        environment::{self, Environment},
        login::Account,
    },
    protocol::examination::{Program, bounded},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read as _},
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long one program may take; three are run.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of its output that are kept: the names of some hundred locales.
const MAX_BYTES: usize = 16 * 1024;

/// Runs programs as one account.
pub(super) struct Runner {
    uid: u32,
    gid: u32,
    home: PathBuf,
    environment: Environment,
}

impl Runner {
    pub(super) fn new(account: &Account, image: &[(OsString, OsString)]) -> Self {
        let environment = environment::of(image, Vec::new(), account, None, None);
        Self { uid: account.uid, gid: account.gid, home: account.home.clone(), environment }
    }

    /// What `program` said; nothing if it cannot be run.
    pub(super) fn output(&self, program: &Path, arguments: &[OsString]) -> String {
        self.run(program, arguments).map(|(_, said)| said).unwrap_or_default()
    }

    fn run(&self, program: &Path, arguments: &[OsString]) -> io::Result<(Option<i32>, String)> {
        let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        let errors = theirs.try_clone()?;
        let mut command = Command::new(program);
        if let [name, rest @ ..] = arguments {
            command.arg0(name).args(rest);
        }
        command.env_clear().envs(&self.environment).stdin(Stdio::null()).stdout(theirs).stderr(errors);
        if rustix::process::geteuid().is_root() {
            command.uid(self.uid).gid(self.gid);
        }
        // Where there is no home, a login begins in the root directory.
        command.current_dir(if self.home.is_dir() { &self.home } else { Path::new("/") });
        let end = Instant::now() + PATIENCE;
        let mut child = command.spawn()?;
        // It holds the pipe's other end, whose closing is to be seen.
        drop(command);
        let said = read(ours, end)?;
        Ok((wait(&mut child, end)?, said))
    }
}

/// What comes through `pipe` until all its writers are gone.
fn read(pipe: OwnedFd, end: Instant) -> io::Result<String> {
    let mut pipe = File::from(pipe);
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let bytes = pipe.read(&mut buffer)?;
        if bytes == 0 {
            return Ok(String::from_utf8_lossy(&kept).into_owned());
        }
        let room = MAX_BYTES - kept.len();
        kept.extend_from_slice(&buffer[..bytes.min(room)]);
    }
}

/// Waits for the end of `child`. One that does not end is left alone: without `CAP_KILL` it cannot be killed here, and it
/// ends with the container.
fn wait(child: &mut Child, end: Instant) -> io::Result<Option<i32>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if Instant::now() >= end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// `program`, run if there is a runner. The first argument is its name.
pub(super) fn examined(runner: Option<&Runner>, program: &Path, arguments: &[OsString]) -> Program {
    let mut examined = Program { path: bounded(&program.to_string_lossy()), ..Program::default() };
    match runner.map(|runner| runner.run(program, arguments)) {
        None => {}
        Some(Ok((code, said))) => {
            examined.code = code;
            examined.said = bounded(said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default());
            examined.problem = code.is_none().then(|| "a signal ended it".to_owned());
        }
        Some(Err(error)) => examined.problem = Some(problem(&error)),
    }
    examined
}

/// What a program's failure to start means: the kernel's word is about another file than the one that is named.
fn problem(error: &io::Error) -> String {
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::TimedOut, _) => format!("it did not end within {} s", PATIENCE.as_secs()),
        (io::ErrorKind::NotFound, _) => "its loader or its interpreter is missing".to_owned(),
        (_, Some(libc::ENOEXEC)) => "it is no program for this machine".to_owned(),
        _ => bounded(&error.to_string()),
    }
}

/// The machine that the program at `path` is for, as ELF numbers it; `None` if it is no ELF file.
pub(super) fn machine(path: &Path) -> Option<u32> {
    let mut header = [0; 20];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    let [0x7f, b'E', b'L', b'F', _, order, .., low, high] = header else { return None };
    Some(if order == 2 { u16::from_be_bytes([low, high]) } else { u16::from_le_bytes([low, high]) }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner() -> Runner {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Runner { uid, gid, home: "/nowhere".into(), environment: Environment::new() }
    }

    fn sh(script: &str) -> Program {
        examined(Some(&runner()), Path::new("/bin/sh"), &["-sh".into(), "-c".into(), script.into()])
    }

    #[test]
    fn a_program_is_run_with_its_name_and_what_it_says_is_bounded() {
        let done = sh("echo; echo \"$0 $(pwd)\"; echo more >&2; exit 7");
        assert_eq!((done.code, done.said.as_str(), done.problem), (Some(7), "-sh /", None));
        let flood = sh("head -c 1000000 /dev/zero | tr '\\0' x");
        assert_eq!((flood.code, flood.said.len()), (Some(0), crate::protocol::examination::MAX_TEXT));
        assert_eq!(sh("kill -KILL $$").problem.as_deref(), Some("a signal ended it"));
        assert_eq!(
            runner().output(Path::new("/bin/sh"), &["sh".into(), "-c".into(), "echo a; echo b".into()]),
            "a\nb\n"
        );
    }

    #[test]
    fn a_program_that_cannot_run_says_why() {
        let root = tempfile::tempdir().unwrap();
        let make = |name: &str, content: &[u8]| {
            use std::os::unix::fs::PermissionsExt as _;
            let path = root.path().join(name);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let problem = |path: &Path| examined(Some(&runner()), path, &[]).problem.unwrap();
        assert!(problem(&make("loader", b"#!/no/such/loader\n")).contains("interpreter is missing"));
        let mut foreign = std::fs::read("/proc/self/exe").unwrap()[..64].to_vec();
        foreign[18] = 0xf3;
        let foreign = make("foreign", &foreign);
        // The C library then asks the shell, which has its own word for it; in an image of that machine there is none.
        assert_ne!(examined(Some(&runner()), &foreign, &[]).code, Some(0));
        assert_eq!(machine(&foreign).map(|machine| machine & 0xff), Some(0xf3));
        assert_eq!(machine(&make("text", b"hello, this is text and no program")), None);
        assert_ne!(machine(Path::new("/proc/self/exe")), None);
    }
}
