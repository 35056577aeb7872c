//! Looking at an image from inside, as PID 1 of a container that exists for nothing else.
//!
//! It does what a login would do with the same code (account, home, shell, SFTP server), and runs the image's programs
//! as the user that it made, never as root. The broker hears the facts once; what follows from them is not decided here.

mod program;

use super::{
    accounts, environment,
    files::{self, is_executable, under},
    guard,
    identity::as_user,
    login::{self, Resolved},
    shell::{find_program, find_sftp_server},
};
use crate::{
    domain::plain,
    protocol::{
        examination::{Account, Facts, LOGIN, MAX_LISTED, bounded},
        guest::{GUEST_SOCKET_DIR, GUEST_SOCKET_NAME, Login},
    },
    sys::{seqpacket, signalfd},
};
use program::Runner;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use std::{
    ffi::{OsStr, OsString},
    fs,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

/// Where the certificates of authorities are: Debian and Alpine, Fedora, openSUSE, Alpine's and BSD's old place.
const CERTIFICATES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Where set-uid programs are.
const PROGRAMS: [&str; 6] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin"];
/// Where compiled locales are that are no archive.
const LOCALES: &str = "/usr/lib/locale";
/// Most entries of one directory that are looked at.
const MAX_ENTRIES: usize = 10_000;
/// How long the broker may take to hang up once it has the facts.
const HANG_UP: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// Examines the image, reports to the broker, and waits until the broker has hung up: it identifies the sender by the
/// running process. The account gets `uid`, as that of a user would.
///
/// # Errors
///
/// A report that cannot be sent.
pub fn run(shell: &str, uid: Option<u32>) -> std::io::Result<()> {
    guard::refuse_tracers()?;
    // The image's programs are run from here, and get this limit too.
    guard::limit_open_files()?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    signalfd::close_on_exec_from_3();
    signalfd::ignore(libc::SIGPIPE);
    // First of all: without it no report is possible.
    let socket = connect(&Path::new(GUEST_SOCKET_DIR).join(GUEST_SOCKET_NAME))?;
    let image = std::env::vars_os().collect();
    let name = LOGIN.parse().map_err(std::io::Error::other)?;
    let own = uid.map(super::own_id);
    let facts =
        Examiner { root: PathBuf::from("/"), image, own, runs: true }.look(&Login { name, shell: shell.to_owned() });
    seqpacket::send(&socket, &facts.encode()?, &[])?;
    poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&HANG_UP))?;
    Ok(())
}

fn connect(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// What looks.
struct Examiner {
    root: PathBuf,
    /// The image's environment.
    image: Vec<(OsString, OsString)>,
    /// The id that the account is to have.
    own: Option<u32>,
    /// Whether the image's programs can be run; tests have only files of one.
    runs: bool,
}

impl Examiner {
    fn look(&self, login: &Login) -> Facts {
        let root = &self.root;
        let mut facts = Facts {
            host_machine: program::machine(Path::new("/proc/self/exe")).unwrap_or_default(),
            certificates: CERTIFICATES.into_iter().find(|path| self.has_content(path)).map(bounded),
            has_zones: self.has_zones(),
            is_musl: self.is_musl(),
            sftp_server: find_sftp_server(root).map(|path| bounded(&path.to_string_lossy())),
            no_new_privileges: rustix::thread::no_new_privs().unwrap_or(false),
            set_uid: self.set_uid(),
            ..Facts::default()
        };
        let read = |path: &str| files::read(&under(root, Path::new(path))).ok().flatten().unwrap_or_default();
        let before = [read("/etc/passwd"), read("/etc/group")];
        let resolved = match login::resolve(root, login, self.own, true) {
            Ok(resolved) => resolved,
            Err(error) => {
                facts.account.problem = Some(bounded(&error.to_string()));
                return facts;
            }
        };
        facts.account = self.account(&resolved, &before);
        let runner = self.runs.then(|| Runner::new(&resolved.account, &self.image));
        self.programs(&resolved.account, runner.as_ref(), &mut facts);
        facts
    }

    /// The account that was made, and what it may write to.
    fn account(&self, resolved: &Resolved, before: &[Vec<u8>; 2]) -> Account {
        let account = &resolved.account;
        let passwd = files::read(&under(&self.root, Path::new("/etc/passwd")));
        let problem = match passwd.map(Option::unwrap_or_default) {
            Ok(passwd) if accounts::find(&passwd, LOGIN).is_some() => None,
            Ok(_) => Some("/etc/passwd cannot be written".to_owned()),
            Err(error) => Some(bounded(&error.to_string())),
        };
        let own = self.own.filter(|own| *own != account.uid);
        let holder = own.and_then(|own| before.iter().find_map(|text| accounts::names_by_id(text).remove(&own)));
        Account {
            uid: Some(account.uid),
            problem,
            holder: holder.map(|name| bounded(&name)),
            home: bounded(&account.home.to_string_lossy()),
            home_problem: self.write_problem(account.uid, &account.home),
            temporary_problem: self.write_problem(account.uid, Path::new("/tmp")),
        }
    }

    /// Why `uid` cannot make a file in `directory`.
    fn write_problem(&self, uid: u32, directory: &Path) -> Option<String> {
        let path = under(&self.root, directory).join(".podspawn-verify");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = as_user(uid, || {
            let made = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR);
            made.and_then(|_| rustix::fs::unlink(&path))
        });
        made.err().map(|error| bounded(&plain(error)))
    }

    /// The image's programs: where they are, and how those end that are run.
    fn programs(&self, account: &login::Account, runner: Option<&Runner>, facts: &mut Facts) {
        let environment = environment::of(&self.image, Vec::new(), account, None, None);
        let search = environment.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        let find = |name: &str| find_program(&self.root, OsStr::new(name), &search);
        let text = |path: PathBuf| bounded(&path.to_string_lossy());
        let run = |path: &Path, arguments: &[OsString]| program::examined(runner, path, arguments);
        let shell = account.shell.as_ref();
        facts.shell = shell.map(|shell| run(&shell.program, &shell.command(b"exit 7")));
        let git = find("git");
        facts.git = git.as_deref().map(|git| run(git, &["git".into(), "--version".into()]));
        facts.locales = self.locales(find("locale").as_deref(), runner);
        let first = shell.map(|shell| shell.program.clone()).or(git);
        facts.image_machine = match first {
            Some(program) => program::machine(&under(&self.root, &program)),
            None => self.any_machine(),
        };
        facts.rsync = find("rsync").map(text);
        facts.scp = find("scp").map(text);
    }

    /// The UTF-8 locales: as the image's `locale` lists them, else as their directories stand there.
    fn locales(&self, locale: Option<&Path>, runner: Option<&Runner>) -> Vec<String> {
        let listed = match (locale, runner) {
            (Some(locale), Some(runner)) => runner.output(locale, &["locale".into(), "-a".into()]),
            _ => String::new(),
        };
        let is_utf8 = |name: &str| {
            let charset = name.rsplit('.').next().unwrap_or_default();
            ["utf8", "utf-8"].iter().any(|utf8| charset.eq_ignore_ascii_case(utf8))
        };
        let mut names: Vec<String> = listed.lines().map(bounded).filter(|name| is_utf8(name)).collect();
        if names.is_empty() {
            names = self.entries(LOCALES).map(|name| bounded(&name.to_string_lossy())).filter(|n| is_utf8(n)).collect();
        }
        // Those that most clients send come first, for there may be hundreds.
        names.sort_by_key(|name| !["C.", "en_US."].iter().any(|common| name.starts_with(common)));
        names.truncate(MAX_LISTED);
        names
    }

    /// What a program in the root directory is for, where images of one static binary have it.
    fn any_machine(&self) -> Option<u32> {
        let paths = self.entries("/").map(|name| under(&self.root, &Path::new("/").join(name)));
        paths.filter(|path| is_executable(path)).find_map(|path| program::machine(&path))
    }

    fn entries(&self, directory: &str) -> impl Iterator<Item = OsString> {
        let entries = fs::read_dir(under(&self.root, Path::new(directory))).into_iter().flatten();
        entries.flatten().take(MAX_ENTRIES).map(|entry| entry.file_name())
    }

    fn has_content(&self, path: &str) -> bool {
        fs::metadata(under(&self.root, Path::new(path))).is_ok_and(|about| about.is_file() && about.len() > 0)
    }

    fn has_zones(&self) -> bool {
        ["/usr/share/zoneinfo/Europe/Paris", "/usr/share/zoneinfo/Etc/UTC"].iter().any(|path| self.has_content(path))
    }

    fn is_musl(&self) -> bool {
        self.entries("/lib").any(|name| name.to_string_lossy().starts_with("ld-musl-"))
    }

    fn set_uid(&self) -> Vec<String> {
        let mut found = Vec::new();
        for place in PROGRAMS {
            for name in self.entries(place) {
                let path = under(&self.root, Path::new(place)).join(&name);
                let is_one = |about: &fs::Metadata| about.is_file() && about.mode() & 0o4000 != 0 && about.uid() == 0;
                let name = bounded(&name.to_string_lossy());
                // `/bin` is a link to `/usr/bin` nearly everywhere.
                if path.symlink_metadata().is_ok_and(|about| is_one(&about)) && !found.contains(&name) {
                    found.push(name);
                }
            }
        }
        // The best known first.
        found.sort_by_key(|name| (name != "sudo", name.clone()));
        found.truncate(MAX_LISTED);
        found
    }
}

#[cfg(test)]
mod tests;
