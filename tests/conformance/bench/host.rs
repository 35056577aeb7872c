//! The bench hosts of a run, and which test has which.

use super::ACCOUNTS;
use crate::{client::Finished, peer};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Every project of the bench. Nothing is built in this suite, so each names its image.
const PROJECTS: &str = r#"
one: {repo: "https://git.example.org/one.git", users: ["*"], image: "podspawn-workload:latest"}
two: {repo: "https://git.example.org/two.git", users: ["*"], image: "podspawn-workload:latest"}
three: {repo: "https://git.example.org/three.git", users: ["*"], image: "podspawn-workload:latest"}
brief: {repo: "https://git.example.org/brief.git", users: ["*"], image: "podspawn-workload:latest", grace_period: 2s}
quiet: {repo: "https://git.example.org/quiet.git", users: ["*"], image: "podspawn-workload:latest", idle_timeout: 4s}
quiet-and-gone: {repo: "https://git.example.org/quiet.git", users: ["*"], image: "podspawn-workload:latest", idle_timeout: 4s, mode: destroy-on-disconnect}
closed: {repo: "https://git.example.org/closed.git", users: [carol], image: "podspawn-workload:latest"}
held: {repo: /r, users: ["*"], image: "podspawn-workload:latest", grace_period: 12s}
once: {repo: /r, users: ["*"], image: "podspawn-workload:latest", mode: destroy-on-disconnect}
timed: {repo: /r, users: ["*"], image: "podspawn-workload:latest", mode: ttl, ttl: 20s, grace_period: 1s}
aging: {repo: /r, users: ["*"], image: "podspawn-workload:latest", max_lifetime: 15s}
ten: {repo: /r, users: ["*"], image: "podspawn-workload:latest", max_lifetime: 615s}
five: {repo: /r, users: ["*"], image: "podspawn-workload:latest", max_lifetime: 315s}
minute: {repo: /r, users: ["*"], image: "podspawn-workload:latest", max_lifetime: 75s}
kept: {repo: /r, users: ["*"], image: "podspawn-workload:latest", mode: persistent, max_lifetime: 1s, grace_period: 1s, ttl: 1s}
tight: {repo: /r, users: ["*"], image: "podspawn-alpine-like:latest", mode: ttl, memory: 96m, cpus: 0.25, shell: /bin/ash}
taken: {repo: /r, users: ["*"], image: "podspawn-test-taken:latest", mode: named}
"#;

/// A bench host, ready for tests.
pub(crate) struct Host {
    script: PathBuf,
    pub(super) name: Option<String>,
    pub(super) directory: PathBuf,
    /// Its first process, as this machine numbers it.
    pid: Mutex<String>,
    next: AtomicUsize,
    /// When this run began, by its clock: RFC 3339 in UTC, to the second, without a zone.
    pub(super) began: String,
    /// Held while this process lives: two runs on one bench would take each other's accounts.
    _lock: File,
}

/// A bench host that a run may use. The lock keeps tests that want it alone from all others.
struct Place {
    name: Option<String>,
    tests: RwLock<()>,
    host: OnceLock<Host>,
}

/// What a test has of a bench host until it ends.
pub(super) enum Hold {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// The hosts that `PODSPAWN_BENCH_HOSTS` names, with blanks between them; without it the one of the bench script.
fn places() -> &'static [Place] {
    static PLACES: OnceLock<Vec<Place>> = OnceLock::new();
    PLACES.get_or_init(|| {
        let names = std::env::var("PODSPAWN_BENCH_HOSTS").unwrap_or_default();
        let mut names: Vec<_> = names.split_whitespace().map(|name| Some(name.to_owned())).collect();
        if names.is_empty() {
            names.push(None);
        }
        names.into_iter().map(|name| Place { name, tests: RwLock::new(()), host: OnceLock::new() }).collect()
    })
}

/// The first host, beside other tests.
pub(super) fn share() -> (Hold, &'static Host) {
    let place = &places()[0];
    let guard = place.tests.read().unwrap_or_else(PoisonError::into_inner);
    (Hold::Shared { _guard: guard }, place.host.get_or_init(|| Host::prepare(place.name.as_deref())))
}

/// A host that no other test uses.
pub(super) fn take() -> (Hold, &'static Host) {
    let (place, guard) = loop {
        if let [place] = places() {
            break (place, place.tests.write().unwrap_or_else(PoisonError::into_inner));
        }
        let free = places().iter().find_map(|place| match place.tests.try_write() {
            Ok(guard) => Some((place, guard)),
            Err(TryLockError::Poisoned(poisoned)) => Some((place, poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        });
        if let Some(free) = free {
            break free;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    (Hold::Alone { _guard: guard }, place.host.get_or_init(|| Host::prepare(place.name.as_deref())))
}

/// Removes what an earlier run left; its sessions would otherwise be found again.
const CLEAN: &str = r#"
mkdir -p /etc/podspawn/users /run/podspawn-test
rm -f /etc/podspawn/users/t[0-9]*.yaml
printf '%s' "$1" >/etc/podspawn/projects.new
chmod 0644 /etc/podspawn/projects.new
mv /etc/podspawn/projects.new /etc/podspawn/projects.yaml
docker ps --all --filter label=managed-by=podspawn --format '{{.ID}} {{.Label "podspawn-user"}}' |
    awk '$2 ~ /^t[0-9]+$/ { print $1 }' | xargs --no-run-if-empty docker rm --force >/dev/null 2>&1 || true
rm -rf /var/lib/podspawn/homes/t[0-9]*
"#;

impl Host {
    fn prepare(name: Option<&str>) -> Self {
        let script = std::env::var_os("PODSPAWN_BENCH")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench"), PathBuf::from);
        let run = |arguments: &[&str]| Finished::of(command_for(&script, name).args(arguments), b"");
        let directory = PathBuf::from(run(&["path"]).success());
        let pid = run(&["pid"]);
        let up = directory.join("ssh_config").exists() && pid.code == Some(0);
        assert!(up, "no bench is up: run `{} up` first", script.display());
        let pid = pid.success();
        let lock = File::create(directory.join("conformance.lock")).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        run(&["exec", "bash", "-euc", CLEAN, "-", PROJECTS]).success();
        let names: Vec<String> = (0..ACCOUNTS).map(account).collect();
        let names: Vec<&str> = ["user"].into_iter().chain(names.iter().map(String::as_str)).collect();
        run(&names).success();
        let began = run(&["exec", "date", "--utc", "+%FT%T"]).success();
        let name = name.map(str::to_owned);
        let pid = Mutex::new(pid);
        let host = Self { script, name, directory, pid, next: AtomicUsize::new(0), began, _lock: lock };
        peer::install(&host.command(&[]));
        host
    }

    /// The name of an account that no test has had.
    pub(super) fn next_account(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        assert!(number < ACCOUNTS, "more than {ACCOUNTS} accounts are used: raise ACCOUNTS");
        account(number)
    }

    /// The bench script, about this host.
    pub(super) fn script(&self) -> Command {
        command_for(&self.script, self.name.as_deref())
    }

    /// The first process of the bench host, another one once the host has been switched off and on.
    fn pid(&self) -> String {
        let mut pid = self.pid.lock().unwrap_or_else(PoisonError::into_inner);
        if !Path::new("/proc").join(&*pid).exists() {
            *pid = Finished::of(self.script().arg("pid"), b"").success();
        }
        pid.clone()
    }

    /// As `docker exec` starts a command in the bench host, at a tenth of its price: tests start thousands. `options` is
    /// empty or `-u USER[:GROUP]`.
    pub(super) fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid(), "--all", "--", "env", "--ignore-environment", "container=docker"]);
        command.args(["LANG=C.UTF-8", PATH]);
        let ["-u", user] = options else {
            command.arg("HOME=/root");
            return command;
        };
        if let Some((user, group)) = user.split_once(':') {
            command.args(["HOME=/", "setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--"]);
        } else {
            let Account { group, home } = self.account(user);
            command.arg(format!("HOME={home}"));
            command.args(["setpriv", "--reuid", user, "--regid", &group, "--init-groups", "--"]);
        }
        command
    }

    fn account(&self, user: &str) -> Account {
        let accounts = std::fs::read_to_string(format!("/proc/{}/root/etc/passwd", self.pid())).unwrap();
        let account = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|line| line[0] == user);
        let account = account.unwrap_or_else(|| panic!("the bench host has no account {user}"));
        Account { group: account[3].to_owned(), home: account[5].to_owned() }
    }
}

/// What the bench host's account database says of an account.
struct Account {
    group: String,
    home: String,
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The bench script about a host. What the script starts in its turn asks for the same one.
fn command_for(script: &Path, name: Option<&str>) -> Command {
    let mut command = Command::new(script);
    if let Some(name) = name {
        command.args(["--host", name]);
    }
    command
}

fn account(number: usize) -> String {
    format!("t{number:03}")
}
