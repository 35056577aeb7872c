//! The bench host, and the accounts on it that tests are given.

// Another suite includes this file by its path.
#[path = "bench/disturbance.rs"]
mod disturbance;
#[path = "bench/host.rs"]
mod host;

pub(crate) use disturbance::{Disturbance, START_BROKER, STOP_BROKER, orphan};

use crate::{client::Finished, peer};
use host::{Hold, Host};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// How long anything may take before it counts as never: for a busy machine, not for a person.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Accounts of one run. Making one costs as much as a test, so all are made at once.
pub(crate) const ACCOUNTS: usize = 480;

/// The bench host, for one test.
pub(crate) struct Bench {
    host: &'static Host,
    asked: Instant,
    began: Instant,
    _hold: Hold,
}

impl Bench {
    fn new(take: fn() -> (Hold, &'static Host)) -> Self {
        let asked = Instant::now();
        let (hold, host) = take();
        Self { host, asked, began: Instant::now(), _hold: hold }
    }
}

/// Adds a line to `conformance.times`: the seconds that the test waited for the bench, those that it took, and its name.
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
    Bench::new(host::share)
}

/// A bench host without any other test, for those that stop an engine or a broker. They are in modules called `alone`:
/// `tests/run` gives them bench hosts of their own, where they wait for no other test.
#[track_caller]
pub(crate) fn alone() -> Bench {
    assert_ne!(is_alone(), Some(false), "a test that takes the bench alone is in a module `alone`");
    Bench::new(host::take)
}

/// Whether the test of this thread is in a module called `alone`; `None` if this is no test's thread.
fn is_alone() -> Option<bool> {
    let thread = std::thread::current();
    let (modules, _) = thread.name()?.rsplit_once("::")?;
    Some(modules.split("::").any(|module| module == "alone"))
}

impl Bench {
    /// A fresh account with the server's own settings.
    pub(crate) fn user(&self) -> User<'_> {
        User { bench: self, name: self.host.next_account() }
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

    /// The bench script, about this host.
    pub(crate) fn script(&self) -> Command {
        self.host.script()
    }

    /// A script of this repository's `tests`, about this host.
    pub(crate) fn script_of(&self, name: &str) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name));
        command.envs(self.host.name.as_ref().map(|name| ("PODSPAWN_BENCH_HOST", name)));
        command
    }

    /// Runs a bash script as root on the bench host; it must succeed.
    pub(crate) fn root(&self, script: &str) -> String {
        self.bash(&[], script).success()
    }

    /// Runs a bash script on the bench host; `options` is empty or `-u USER[:GROUP]`.
    pub(crate) fn bash(&self, options: &[&str], script: &str) -> Finished {
        Finished::of(self.host.command(options).args(["bash", "-c", script]), b"")
    }

    /// A command on the bench host, not yet run.
    pub(crate) fn command(&self, options: &[&str]) -> Command {
        self.host.command(options)
    }

    /// A file of the bench's directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.host.directory.join(name)
    }

    /// When this run of the suite began; see [`Host::began`].
    pub(crate) fn began(&self) -> &str {
        &self.host.began
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

    /// All sessions, as the broker lists them for root.
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

    /// Its sessions, as the broker lists them for root.
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
