//! The bench host as this suite sees it: who is counted, and what is left.

use crate::{
    audit::Audit,
    bench::{self, ACCOUNTS, Bench, User},
};
use serde_json::Value;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What a project of the suite is called, and what becomes of its sessions. Times are short: a round waits for them.
const PROJECTS: &str = r#"
brief: {repo: "https://git.example.org/brief.git", users: ["*"], grace_period: 1s}
once: {repo: "https://git.example.org/once.git", users: ["*"], mode: destroy-on-disconnect}
ttl: {repo: "https://git.example.org/ttl.git", users: ["*"], mode: ttl, ttl: 1h}
named: {repo: "https://git.example.org/named.git", users: ["*"], mode: named}
missing: {repo: "https://git.example.org/missing.git", users: ["*"], image: "podspawn-no-such-image:latest"}
"#;

/// How long sessions that are over may take to disappear on a busy machine.
pub(crate) const GONE: Duration = Duration::from_secs(30);

/// What is ours on the bench host, one thing a line. Without sessions there is nothing.
const LEFT: &str = r#"
docker ps --all --filter label=managed-by=podspawn --format 'container {{.Names}} {{.State}}'
docker network ls --filter label=managed-by=podspawn --format 'network {{.Name}}'
if [ -s /var/lib/podspawn/state.db ]; then
    sqlite3 -cmd '.timeout 5000' /var/lib/podspawn/state.db \
        "SELECT 'row ' || user || '@' || project || ' ' || state FROM sessions" \
        "SELECT 'connection ' || channel || ' of ' || session FROM connections"
fi
for one in /run/podspawn/guests/*; do
    if [ -e "$one" ]; then echo "directory $one"; fi
done
ps -eo pid=,user:32=,args= | awk '
    $3 ~ /podspawn$/ && ($4 == "guest" || $4 == "spawn") { print "process", $0 }
    $3 ~ /^sshd/ && / t[0-9]+[@ ]/ { print "process", $0 }
    $3 ~ /containerd-shim/ { print "process", $0 }'
"#;

/// Makes the bench as it was before the first login, whatever a violation left: the next round is not to blame for it.
const HEAL: &str = r"
systemctl stop podspawn-broker.socket podspawn-broker.service
rm -f /run/podspawn/guests/crash-at
for directory in /var/lib/podspawn /var/log/podspawn; do
    while mountpoint -q $directory; do umount -l $directory; done
done
systemctl is-active --quiet docker || { systemctl reset-failed docker; systemctl start docker; }
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null 2>&1
docker network prune --force >/dev/null
rm -rf /var/lib/podspawn/state.db* /var/log/podspawn/audit.jsonl /run/podspawn/guests/*
systemctl reset-failed podspawn-broker.service 2>/dev/null
systemctl start podspawn-broker.socket
";

/// The bench host, for this suite alone.
pub(crate) struct Host {
    pub(crate) bench: &'static Bench,
    next: AtomicUsize,
    audit: Mutex<Audit>,
}

/// A session as the broker lists it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) user: String,
    pub(crate) project: Option<String>,
    pub(crate) connections: u64,
}

impl Host {
    pub(crate) fn prepare() -> Self {
        let host =
            Self { bench: Box::leak(Box::new(bench::alone())), next: AtomicUsize::new(0), audit: Mutex::default() };
        host.write("/etc/podspawn/projects.yaml", PROJECTS);
        host.heal();
        host
    }

    /// An account that no other connection of this round has.
    pub(crate) fn user(&self) -> User<'static> {
        let number = self.next.fetch_add(1, Ordering::Relaxed) % ACCOUNTS;
        User { bench: self.bench, name: format!("t{number:03}") }
    }

    /// Writes a file as root, renamed into place.
    pub(crate) fn write(&self, path: &str, text: &str) {
        self.bench.root(&format!("cat >{path}.new <<'END'\n{text}\nEND\nchmod 0644 {path}.new; mv {path}.new {path}"));
    }

    pub(crate) fn heal(&self) {
        self.bench.root(HEAL);
        *self.audit.lock().unwrap() = Audit::default();
    }

    /// All sessions, as the broker lists them for root. `Err` is what went wrong with asking.
    pub(crate) fn sessions(&self) -> Result<Vec<Listed>, String> {
        let done = self.bench.bash(&[], "podspawn list --json");
        let list: Vec<Value> =
            serde_json::from_slice(&done.out).map_err(|error| format!("podspawn list: {error}: {done:?}"))?;
        let listed = |one: &Value| Listed {
            user: one["user"].as_str().unwrap_or_default().to_owned(),
            project: one["project"].as_str().map(str::to_owned),
            connections: one["connections"].as_u64().unwrap_or(u64::MAX),
        };
        Ok(list.iter().map(listed).collect())
    }

    /// What is ours, a line each.
    pub(crate) fn left(&self) -> Vec<String> {
        let done = self.bench.bash(&[], LEFT);
        let mut left: Vec<String> = done.text().lines().map(str::to_owned).collect();
        if done.code != Some(0) || !done.err.is_empty() {
            left.push(format!("cannot look: {done:?}"));
        }
        left
    }

    /// Ends every session, each in the way of its mode, and holds what is left against nothing.
    pub(crate) fn end_all(&self) -> Result<(), String> {
        let mut sessions = self.sessions()?;
        // Those with a mode that ends them are not helped.
        sessions.retain(|one| !matches!(one.project.as_deref(), Some("brief" | "once")));
        let stops: String = sessions
            .iter()
            .map(|one| match &one.project {
                Some(project) => format!("podspawn stop {}@{project}\n", one.user),
                None => format!("podspawn stop {}\n", one.user),
            })
            .collect();
        let stopped = self.bench.bash(&[], &stops);
        let over = eventually(GONE, || match self.sessions() {
            Ok(sessions) if sessions.is_empty() => Ok(()),
            other => Err(format!("sessions do not end: {other:?}; stopping: {stopped:?}")),
        });
        over.and_then(|()| self.nothing_is_left())
    }

    /// Holds the audit log against what exists: `open` sessions and connections in all.
    pub(crate) fn audited(&self, open: usize) -> Result<(), String> {
        let mut audit = self.audit.lock().unwrap();
        // Lines may wait for the next look at the file.
        eventually(Duration::from_secs(5), || {
            audit.read(self.bench)?;
            audit.balanced(open)
        })
    }

    /// Takes the audit log as it is, where the state that it follows was damaged.
    pub(crate) fn forgive_audit(&self) -> Result<(), String> {
        let mut audit = self.audit.lock().unwrap();
        audit.read(self.bench)?;
        audit.forgive();
        Ok(())
    }

    /// Runs a pass of cleanup, and looks.
    fn nothing_is_left(&self) -> Result<(), String> {
        let cleaned = self.bench.bash(&[], "podspawn cleanup");
        if cleaned.code != Some(0) {
            return Err(format!("podspawn cleanup: {cleaned:?}"));
        }
        eventually(GONE, || match self.left() {
            left if left.is_empty() => Ok(()),
            left => Err(format!("left behind: {}", left.join("; "))),
        })
    }
}

/// Waits until `check` is content; its last complaint otherwise.
pub(crate) fn eventually(patience: Duration, mut check: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    let end = Instant::now() + patience;
    loop {
        match check() {
            Ok(()) => return Ok(()),
            Err(complaint) if Instant::now() > end => return Err(complaint),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}
