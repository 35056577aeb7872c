//! Yesterday's state.db, put back under the containers of today.

use crate::{
    connection::{Connection, Kind},
    host::{Host, eventually},
    random::Random,
};

const SAVED: &str = "/var/lib/podspawn-yesterday";
const STOP: &str = "systemctl stop podspawn-broker.socket podspawn-broker.service";
const START: &str = "systemctl start podspawn-broker.socket";

/// How many things were wrong.
pub(crate) fn run(host: &Host) -> usize {
    let result = play(host);
    host.bench.root(&format!("rm -rf {SAVED}"));
    if result.is_err() {
        host.heal();
    }
    crate::violation("yesterday", "--yesterday", &Vec::from_iter(result.err()))
}

fn play(host: &Host) -> Result<(), String> {
    let begin = |user: &_, kind| Connection::begin(user, None, kind, &mut Random::new(0));
    let (gone, stays, new, other) = (host.user(), host.user(), host.user(), host.user());
    // Of yesterday: one whose container will be gone, and one who stays.
    let mut before = begin(&gone, Kind::Idle);
    before.settle()?;
    let mut through = begin(&stays, Kind::Shell);
    through.settle()?;
    host.bench.root(&format!("set -e; {STOP}; rm -rf {SAVED}; cp -a /var/lib/podspawn {SAVED}; {START}"));
    before.leave();
    before.settle_end()?;
    host.bench.root(&format!("podspawn stop {}", gone.name));
    eventually(crate::host::GONE, || match host.sessions()?.len() {
        1 => Ok(()),
        _ => Err("a stopped session does not end".into()),
    })?;
    let mut unknown = begin(&new, Kind::Idle);
    unknown.settle()?;
    host.bench.root(&format!(
        "set -e; {STOP}; rm -f /var/lib/podspawn/state.db*; cp -a {SAVED}/state.db* /var/lib/podspawn; {START}"
    ));
    // The subnet of the container that the backup does not know looks free, and so does its name.
    let mut neighbour = begin(&other, Kind::Idle);
    let mut again = begin(&new, Kind::Idle);
    for connection in [&mut neighbour, &mut again] {
        connection.settle()?;
        connection.prove()?;
    }
    let cleaned = host.bench.bash(&[], "podspawn cleanup");
    if cleaned.code != Some(0) {
        return Err(format!("podspawn cleanup: {cleaned:?}"));
    }
    unknown.settle_end()?;
    let ended = unknown.ended().cloned().unwrap();
    if ended.code != 255 || !ended.said.starts_with("podspawn: ") {
        return Err(unknown.complaint("in a container that the backup does not know"));
    }
    eventually(crate::host::GONE, || {
        let mut users: Vec<String> = host.sessions()?.into_iter().map(|one| one.user).collect();
        users.sort();
        let mut expected = vec![stays.name.clone(), new.name.clone(), other.name.clone()];
        expected.sort();
        if users == expected { Ok(()) } else { Err(format!("sessions of {users:?}, not of {expected:?}")) }
    })?;
    for connection in [&mut through, &mut neighbour, &mut again] {
        connection.prove()?;
        connection.leave();
        connection.settle_end()?;
        connection.good_end()?;
    }
    host.end_all()?;
    host.forgive_audit()
}
