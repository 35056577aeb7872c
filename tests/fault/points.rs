//! Every crash point once: the broker dies there, comes back, and nothing is left; another user's shell notices
//! nothing.

use crate::{
    bench::{self, User},
    connection::{Connection, Kind},
    host::{Host, eventually},
    random::Random,
};
use podspawn::sys::crash::{ORDER, POINTS};
use std::time::Duration;

/// How long it may take until a point is passed: the engine is asked for a container meanwhile.
const PASSED: Duration = Duration::from_secs(20);

/// What leads past a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A user logs in, leaves, and is stopped.
    Life,
    /// A user comes back before the grace period is over.
    Return,
    /// A user comes back and has another mode now.
    OtherMode,
    /// The container's name is another's.
    TakenName,
    /// The subnet is another's.
    TakenSubnet,
    /// There is no such image.
    NoImage,
    /// A session with a connection is stopped.
    StopUnder,
    /// The broker starts beside a connection.
    Restart,
    /// The broker starts, and knows a container only by its label.
    Half,
    /// There is no database yet.
    NoDatabase,
    /// There is no copy of the guest yet.
    NoGuest,
    /// Containers and networks without an owner.
    Orphans,
    /// A session is due and its guest does not come back.
    Due,
}

impl Way {
    fn to(point: &str) -> Self {
        match point {
            "expire.returned-stored" => Self::Return,
            "attach.mode-stored" => Self::OtherMode,
            "create.name-stored" => Self::TakenName,
            "create.subnet-stored" => Self::TakenSubnet,
            "destroy.undoing" => Self::NoImage,
            "expire.hung-up" => Self::StopUnder,
            "destroy.found-container-removed" | "destroy.found-network-removed" => Self::Half,
            "guest.half-copied" => Self::NoGuest,
            "sweep.container-removed" | "sweep.directory-removed" | "sweep.network-removed" => Self::Orphans,
            "sweep.due-found" => Self::Due,
            _ if point.starts_with("restore.") => Self::Restart,
            _ if point.starts_with("store.") => Self::NoDatabase,
            _ => Self::Life,
        }
    }
}

/// Passes every point, or only those whose names contain `only`; how many went wrong.
pub(crate) fn run(host: &Host, only: &str) -> usize {
    let mut violations = 0;
    let (fresh, rest): (Vec<&str>, Vec<&str>) = POINTS
        .iter()
        .filter(|point| point.contains(only))
        .partition(|point| matches!(Way::to(point), Way::NoDatabase | Way::NoGuest));
    let mut report = |point: &str, result: Result<(), String>| {
        println!("crash at {point}: {}", if result.is_ok() { "ok" } else { "VIOLATION" });
        if let Err(complaint) = result {
            violations += 1;
            println!("    {complaint}\n    again with --crash-points={point}");
        }
    };
    // Without a database no session could go on.
    for point in fresh {
        report(point, Passage { host, point, others: Vec::new() }.go());
    }
    if !rest.is_empty() {
        let mut bystander = Connection::begin(&host.user(), None, Kind::Shell, &mut Random::new(0));
        bystander.settle().and_then(|()| bystander.prove()).unwrap();
        let mut others = host.left();
        for point in rest {
            let passed = Passage { host, point, others: others.clone() }.go();
            let healed = passed.is_err();
            report(point, passed.and_then(|()| bystander.prove()));
            if healed {
                bystander = Connection::begin(&host.user(), None, Kind::Shell, &mut Random::new(0));
                bystander.settle().unwrap();
                others = host.left();
            }
        }
        bystander.leave();
        let ended = bystander.settle_end().and_then(|()| bystander.good_end()).and_then(|()| host.end_all());
        report("the end", ended.and_then(|()| host.audited(0)));
    }
    violations
}

struct Passage<'a> {
    host: &'a Host,
    point: &'a str,
    /// What others have, and keep.
    others: Vec<String>,
}

impl Passage<'_> {
    fn go(&self) -> Result<(), String> {
        let result = self.pass();
        if result.is_err() {
            self.host.heal();
        }
        result
    }

    fn pass(&self) -> Result<(), String> {
        let (host, user) = (self.host, self.host.user());
        let name = user.name.as_str();
        let bash = |script: &str| host.bench.bash(&[], script);
        let order = format!("echo {} >{ORDER}", self.point);
        let arm = || drop(host.bench.root(&order));
        match Way::to(self.point) {
            Way::Life => {
                // Its first login of all: an earlier run may have given the user an id.
                let forget = format!("DELETE FROM uids WHERE user = '{name}'");
                host.bench.root(&format!("sqlite3 /var/lib/podspawn/state.db \"{forget}\"; {order}"));
                login(&user, None, true)?;
                bash(&format!("podspawn stop {name}; podspawn cleanup"));
            }
            Way::Return => {
                login(&user, None, false)?;
                self.until_row(name, "grace")?;
                arm();
                login(&user, None, true)?;
            }
            Way::OtherMode => {
                login(&user, None, false)?;
                host.write(&format!("/etc/podspawn/users/{name}.yaml"), "mode: named");
                arm();
                login(&user, None, true)?;
                host.bench.root(&format!("rm /etc/podspawn/users/{name}.yaml"));
            }
            Way::TakenName => {
                let taken = format!("docker create --name podspawn-{name} podspawn-workload:latest true");
                host.bench.root(&format!("{taken} && {order}"));
                login(&user, None, true)?;
                host.bench.root(&format!("docker rm podspawn-{name}"));
            }
            Way::TakenSubnet => {
                // The lowest few: the one that is next is among them.
                let nets =
                    "for n in 0 16 32 48; do docker network create --subnet 10.209.0.$n/28 taken-$n || true; done";
                host.bench.root(&format!("{{ {nets}; }} 2>/dev/null; {order}"));
                login(&user, None, true)?;
                host.bench.root("docker network ls --format '{{.Name}}' | grep '^taken-' | xargs docker network rm");
            }
            Way::NoImage => {
                arm();
                let ended = attempt(&user, Some("missing"))?;
                if ended.code != 255 {
                    return Err(format!("without an image: {ended:?}"));
                }
            }
            Way::StopUnder => {
                let mut inside = Connection::begin(&user, None, Kind::Idle, &mut Random::new(0));
                inside.settle()?;
                bash(&format!("{order}; podspawn stop {name}"));
                inside.settle_end()?;
            }
            Way::Restart => {
                bash(&format!("{order}; systemctl kill --signal=KILL podspawn-broker.service"));
            }
            Way::Half => {
                login(&user, None, false)?;
                host.bench.root(&format!(
                    "systemctl stop podspawn-broker.socket podspawn-broker.service
                     sqlite3 /var/lib/podspawn/state.db \"UPDATE sessions SET state = 'creating', grace_since = NULL, \
                         container_id = NULL, network_id = NULL WHERE user = '{name}'\"
                     {order}; systemctl start podspawn-broker.socket; podspawn list >/dev/null || true"
                ));
            }
            Way::NoDatabase => {
                host.bench.root(&format!(
                    "systemctl stop podspawn-broker.socket podspawn-broker.service; rm -f /var/lib/podspawn/state.db*
                     {order}; systemctl start podspawn-broker.socket; podspawn list >/dev/null || true"
                ));
            }
            Way::NoGuest => {
                host.bench.root(&format!(
                    "systemctl stop podspawn-broker.socket podspawn-broker.service; rm -rf /var/lib/podspawn/guest
                     {order}; systemctl start podspawn-broker.socket"
                ));
                login(&user, None, true)?;
            }
            Way::Orphans => {
                let orphan = bench::orphan("create", "podspawn-orphan", "00000000deadbeef");
                bash(&format!("{orphan}\n{order}; podspawn cleanup"));
            }
            Way::Due => {
                login(&user, Some("brief"), false)?;
                bash(&format!(
                    "docker pause podspawn-{name}-brief; systemctl kill --signal=KILL podspawn-broker.service; sleep 2
                     {order}; podspawn cleanup; docker unpause podspawn-{name}-brief"
                ));
            }
        }
        eventually(PASSED, || match bash(&format!("test -e {ORDER}")).code {
            Some(0) => Err(format!("{} was never passed", self.point)),
            _ => Ok(()),
        })?;
        // The user whom it happened to comes again.
        login(&user, None, false)?;
        self.end(name)
    }

    /// Waits until the row of `user` says so.
    fn until_row(&self, user: &str, state: &str) -> Result<(), String> {
        let row = format!("row {user}@ {state}");
        eventually(PASSED, || match self.host.left() {
            left if left.contains(&row) => Ok(()),
            left => Err(format!("no {row} in {left:?}")),
        })
    }

    /// Stops what `user` has; with a pass of cleanup only the others' is there.
    fn end(&self, user: &str) -> Result<(), String> {
        self.host.bench.bash(&[], &format!("podspawn stop {user}; podspawn stop {user}@brief; podspawn cleanup"));
        eventually(crate::host::GONE, || {
            let mut left = self.host.left();
            let missing: Vec<&String> = self.others.iter().filter(|one| !left.contains(one)).collect();
            if !missing.is_empty() {
                return Err(format!("of others, gone: {missing:?}"));
            }
            left.retain(|one| !self.others.contains(one));
            if left.is_empty() { Ok(()) } else { Err(format!("left behind: {}", left.join("; "))) }
        })?;
        // The others are one session with one connection, or none.
        if Way::to(self.point) == Way::NoDatabase {
            return self.host.forgive_audit();
        }
        self.host.audited(if self.others.is_empty() { 0 } else { 2 })
    }
}

/// Comes and leaves. Where the broker dies meanwhile, a clear refusal is as good.
fn login(user: &User<'static>, project: Option<&str>, may_be_refused: bool) -> Result<(), String> {
    let mut connection = Connection::begin(user, project, Kind::Idle, &mut Random::new(0));
    connection.settle()?;
    if let Some(ended) = connection.ended().cloned() {
        let clear = ended.code == 255 && ended.said.starts_with("podspawn: ") && ended.said.lines().count() == 1;
        return if clear && may_be_refused { Ok(()) } else { Err(connection.complaint("a login")) };
    }
    connection.leave();
    connection.settle_end()?;
    connection.good_end()
}

/// Logs in where no login succeeds.
fn attempt(user: &User<'static>, project: Option<&str>) -> Result<crate::connection::Ended, String> {
    let mut connection = Connection::begin(user, project, Kind::Idle, &mut Random::new(0));
    connection.settle_end()?;
    Ok(connection.ended().cloned().unwrap())
}
