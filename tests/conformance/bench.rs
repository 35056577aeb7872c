//! The bench host, and the accounts on it that tests are given.

// Another suite includes this file by its path.
#[path = "bench/disturbance.rs"]
mod disturbance;

pub(crate) use disturbance::{Disturbance, START_BROKER, STOP_BROKER, orphan};

use crate::{client::Finished, peer};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How long anything may take before it counts as never: for a busy machine, not for a person.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Accounts of one run. Making one costs as much as a test, so all are made at once.
pub(crate) const ACCOUNTS: usize = 480;

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
crowded: {repo: /r, users: ["*"], image: "podspawn-test-crowded:latest", mode: named}
"#;

/// What is the same for every test of a run.
struct Setup {
    script: PathBuf,
    directory: PathBuf,
    /// The bench host's first process, as this machine numbers it.
    pid: String,
    next: AtomicUsize,
    /// When this run began, by the bench host's clock: RFC 3339 in UTC, to the second, without a zone.
    began: String,
    /// Held while this process lives: two runs on one bench would take each other's accounts.
    _lock: File,
}

static SETUP: OnceLock<Setup> = OnceLock::new();
static MAKING: Mutex<()> = Mutex::new(());
static DISTURBING: RwLock<()> = RwLock::new(());

/// Keeps disruptive tests away, or all others.
enum Hold {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// The bench host, for one test.
pub(crate) struct Bench {
    setup: &'static Setup,
    asked: Instant,
    began: Instant,
    _hold: Hold,
}

/// Adds a line to `conformance.times`: the test, the seconds that it waited for the bench, and those that it took.
impl Drop for Bench {
    fn drop(&mut self) {
        let (waited, took) = (self.began - self.asked, self.began.elapsed());
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("?");
        let line = format!("{:8.1} {:8.1} {test}\n", waited.as_secs_f64(), took.as_secs_f64());
        // One write each: lines of tests that end at the same time stay whole.
        let file = File::options().append(true).create(true).open(self.file("conformance.times"));
        if let Ok(mut file) = file {
            let _ = file.write_all(line.as_bytes());
        }
    }
}

/// The bench, beside other tests.
#[track_caller]
pub(crate) fn shared() -> Bench {
    assert_ne!(is_alone(), Some(true), "a test in a module `alone` takes the bench alone");
    let asked = Instant::now();
    let hold = Hold::Shared { _guard: DISTURBING.read().unwrap_or_else(PoisonError::into_inner) };
    Bench { setup: setup(), asked, began: Instant::now(), _hold: hold }
}

/// The bench without any other test, for those that stop an engine or a broker. They are in modules called `alone`:
/// `tests/run` gives them a bench host of their own, where they wait for no other test.
#[track_caller]
pub(crate) fn alone() -> Bench {
    assert_ne!(is_alone(), Some(false), "a test that takes the bench alone is in a module `alone`");
    let asked = Instant::now();
    let hold = Hold::Alone { _guard: DISTURBING.write().unwrap_or_else(PoisonError::into_inner) };
    Bench { setup: setup(), asked, began: Instant::now(), _hold: hold }
}

/// Whether the test of this thread is in a module called `alone`; `None` if this is no test's thread.
fn is_alone() -> Option<bool> {
    let thread = std::thread::current();
    let (modules, _) = thread.name()?.rsplit_once("::")?;
    Some(modules.split("::").any(|module| module == "alone"))
}

fn setup() -> &'static Setup {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    SETUP.get_or_init(|| {
        let script = std::env::var_os("PODSPAWN_BENCH")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench"), PathBuf::from);
        let run = |arguments: &[&str]| Finished::of(Command::new(&script).args(arguments), b"");
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
        let setup = Setup { script, directory, pid, next: AtomicUsize::new(0), began, _lock: lock };
        peer::install(&setup.command(&[]));
        setup
    })
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

fn account(number: usize) -> String {
    format!("t{number:03}")
}

impl Setup {
    /// As `docker exec` starts a command in the bench host, at a tenth of its price: tests start thousands. `options` is
    /// empty or `-u USER[:GROUP]`.
    fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--all", "--", "env", "--ignore-environment", "container=docker"]);
        command.args(["LANG=C.UTF-8", PATH]);
        let ["-u", user] = options else {
            command.arg("HOME=/root");
            return command;
        };
        match user.split_once(':') {
            Some((user, group)) => {
                command.args(["HOME=/", "setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--"]);
            }
            None => {
                let Account { group, home } = self.account(user);
                command.arg(format!("HOME={home}"));
                command.args(["setpriv", "--reuid", user, "--regid", &group, "--init-groups", "--"]);
            }
        }
        command
    }

    fn account(&self, user: &str) -> Account {
        let accounts = std::fs::read_to_string(format!("/proc/{}/root/etc/passwd", self.pid)).unwrap();
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

impl Bench {
    /// A fresh account with the server's own settings.
    pub(crate) fn user(&self) -> User<'_> {
        let number = self.setup.next.fetch_add(1, Ordering::Relaxed);
        assert!(number < ACCOUNTS, "more than {ACCOUNTS} accounts are used: raise ACCOUNTS");
        User { bench: self, name: account(number) }
    }

    /// A fresh account with settings of its own.
    pub(crate) fn user_with(&self, overrides: &str) -> User<'_> {
        let user = self.user();
        user.set(overrides);
        user
    }

    /// The ordinary account: what plain sshd does.
    pub(crate) fn plain(&self) -> User<'_> {
        User { bench: self, name: "plain".into() }
    }

    /// The host's own accounts, and the owners and modes of their files: what nothing inside a container may change.
    /// Accounts that other tests make meanwhile are not among them.
    pub(crate) fn accounts(&self) -> String {
        self.root(
            "grep -hE '^(root|daemon|alice|bob|carol|plain):' /etc/passwd /etc/shadow
             stat -c '%n %u %a' /etc /etc/passwd /etc/shadow",
        )
    }

    /// The bench script.
    pub(crate) fn script(&self) -> &Path {
        &self.setup.script
    }

    /// Runs a bash script as root on the bench host; it must succeed.
    pub(crate) fn root(&self, script: &str) -> String {
        self.bash(&[], script).success()
    }

    /// Runs a bash script on the bench host; `options` is empty or `-u USER[:GROUP]`.
    pub(crate) fn bash(&self, options: &[&str], script: &str) -> Finished {
        Finished::of(self.setup.command(options).args(["bash", "-c", script]), b"")
    }

    /// A command on the bench host, not yet run.
    pub(crate) fn command(&self, options: &[&str]) -> Command {
        self.setup.command(options)
    }

    /// A file of the bench's directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.setup.directory.join(name)
    }

    /// When this run of the suite began; see [`Setup::began`].
    pub(crate) fn began(&self) -> &str {
        &self.setup.began
    }

    /// The bench host's own address.
    pub(crate) fn address(&self) -> String {
        let config = std::fs::read_to_string(self.file("ssh_config")).unwrap();
        let line = config.lines().find_map(|line| line.trim().strip_prefix("HostName ").map(str::to_owned));
        line.expect("ssh_config has no HostName")
    }

    /// Ends every session: the broker has nothing to do then.
    pub(crate) fn empty(&self) {
        let stop = "podspawn list --json | jq -r '.[] | select(.status != \"destroying\") | \
             .user + (if .project then \"@\" + .project else \"\" end)' | xargs --no-run-if-empty -n 1 podspawn stop 2>&1 || true; \
             sleep 0.2";
        eventually("there is no session", || {
            self.root(stop);
            self.sessions().is_empty()
        });
    }

    /// All sessions, as the broker tells root.
    pub(crate) fn sessions(&self) -> Vec<Value> {
        let replies = peer::call(self, "root", "io.podspawn.Sessions.List", &json!({}));
        let sessions = replies.last().and_then(|reply| reply["parameters"]["sessions"].as_array().cloned());
        sessions.unwrap_or_else(|| panic!("List: {replies:?}"))
    }
}

/// An account of the bench host. Nothing of it is removed at the end: its session ends with the grace period.
pub(crate) struct User<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) name: String,
}

impl User<'_> {
    /// Gives it settings of its own.
    pub(crate) fn set(&self, overrides: &str) {
        // Renamed into place: the broker may be reading, and half a file is a mistake that it reports.
        let name = &self.name;
        self.bench.root(&format!(
            "cat >/etc/podspawn/{name}.new <<'END'\n{overrides}\nEND\n\
             chmod 0644 /etc/podspawn/{name}.new && mv /etc/podspawn/{name}.new /etc/podspawn/users/{name}.yaml"
        ));
    }

    /// Its sessions, as the broker tells root.
    pub(crate) fn sessions(&self) -> Vec<Value> {
        self.bench.sessions().into_iter().filter(|session| session["user"] == self.name.as_str()).collect()
    }

    /// Its user id inside containers; it has a session.
    pub(crate) fn uid(&self) -> u64 {
        self.sessions()[0]["uid"].as_u64().unwrap()
    }

    /// Connections of all its sessions.
    pub(crate) fn connections(&self) -> u64 {
        self.sessions().iter().map(|session| session["connections"].as_u64().unwrap()).sum()
    }

    /// Full ids of its containers, running or not.
    pub(crate) fn containers(&self) -> Vec<String> {
        let name = &self.name;
        let list = self.bench.root(&format!(
            "docker ps --all --quiet --no-trunc --filter label=managed-by=podspawn --filter label=podspawn-user={name}"
        ));
        list.split_whitespace().map(str::to_owned).collect()
    }

    /// The id of its only container.
    pub(crate) fn container(&self) -> String {
        let containers = self.containers();
        assert_eq!(containers.len(), 1, "containers of {}: {containers:?}", self.name);
        containers[0].clone()
    }

    /// The id of its container for a project.
    pub(crate) fn container_in(&self, project: &str) -> String {
        let (user, labels) = (&self.name, "--filter label=podspawn-user");
        let list =
            format!("docker ps --all --quiet --no-trunc {labels}={user} --filter label=podspawn-project={project}");
        let list = self.bench.root(&list);
        assert_eq!(list.lines().count(), 1, "containers of {user} for {project}: {list:?}");
        list
    }

    /// Runs a command as root in its only container, without podspawn.
    pub(crate) fn inside(&self, script: &str) -> Finished {
        let container = self.container();
        let mut command = self.bench.command(&[]);
        Finished::of(command.args(["docker", "exec", "--user", "0", &container, "sh", "-c", script]), b"")
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    // Conditions are processes on the bench host: the longer one takes to become true, the less often it is tried.
    let mut pause = Duration::from_millis(50);
    while !condition() {
        assert!(Instant::now() < end, "never came true: {what}");
        std::thread::sleep(pause);
        pause = (pause * 5 / 4).min(Duration::from_millis(400));
    }
}
