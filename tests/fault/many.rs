//! Many sessions at once, each of another user: a broker that is killed under all of them, what it holds, and what a
//! login costs beside them.

use crate::{
    connection::{Connection, Kind},
    host::{Host, eventually},
    random::Random,
};
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

/// How many come at a time: more would only wait for each other.
const AT_ONCE: usize = 8;
/// How soon after the broker is back its counts have to be right.
const COUNTED: Duration = Duration::from_secs(2);
/// The most that the broker may hold, in KiB.
const RESIDENT: u64 = 32 * 1024;
/// How much dearer a login may be beside all others than alone.
const DEARER: f64 = 1.15;
/// Logins that are timed each time.
const TIMED: usize = 25;

/// Runs with `count` sessions; how many things were wrong.
pub(crate) fn run(host: &Host, count: usize) -> usize {
    let mut wrong = Vec::new();
    let warm = host.user();
    let mut held = Connection::begin(&warm, None, Kind::Idle, &mut Random::new(0));
    held.settle().unwrap();
    // The first ones warm up what the others use.
    time_logins(host, &warm.name, 5);
    let mut alone = time_logins(host, &warm.name, TIMED);

    let began = Instant::now();
    let mut connections = Vec::new();
    while connections.len() < count {
        let size = AT_ONCE.min(count - connections.len());
        let kind = |number: usize| if number.is_multiple_of(2) { Kind::Shell } else { Kind::Idle };
        let mut coming: Vec<Connection> =
            (0..size).map(|number| Connection::begin(&host.user(), None, kind(number), &mut Random::new(0))).collect();
        wrong.extend(coming.iter_mut().filter_map(|one| one.settle().err()));
        connections.append(&mut coming);
    }
    println!("{count} sessions in {:.1?}", began.elapsed());
    let beside = time_logins(host, &warm.name, TIMED);
    let before = resident(host);

    host.bench.root("systemctl kill --signal=KILL podspawn-broker.service");
    let counted = count_within(host, &connections, &warm.name);
    match &counted {
        Ok(time) => println!("counts exact {time:.1?} after the broker was killed"),
        Err(complaint) => wrong.push(complaint.clone()),
    }
    let dropped: Vec<String> = connections.iter_mut().chain([&mut held]).filter_map(|one| one.prove().err()).collect();
    println!("{} of {} dropped", dropped.len(), count + 1);
    wrong.extend(dropped);
    let after = resident(host);
    println!("broker: {before} KiB before, {after} KiB after it was killed, at most {RESIDENT} KiB");
    if before.max(after) > RESIDENT {
        wrong.push(format!("the broker holds {} KiB", before.max(after)));
    }

    connections.iter_mut().for_each(Connection::leave);
    wrong.extend(connections.iter_mut().filter_map(|one| one.settle_end().and_then(|()| one.good_end()).err()));
    let users: Vec<&str> = connections.iter().map(|one| one.user.as_str()).collect();
    host.bench.bash(&[], &format!("for user in {}; do podspawn stop $user; done", users.join(" ")));
    let gone = eventually(Duration::from_secs(180), || match host.sessions()?.len() {
        1 => Ok(()),
        more => Err(format!("{more} sessions instead of 1")),
    });
    wrong.extend(gone.err());
    alone.extend(time_logins(host, &warm.name, TIMED));
    let (alone, beside) = (median(alone), median(beside));
    let ratio = beside.as_secs_f64() / alone.as_secs_f64();
    println!(
        "a warm login: {alone:.1?} beside 1 session, {beside:.1?} beside {count}: {ratio:.2} times, at most {DEARER}"
    );
    if ratio > DEARER {
        wrong.push(format!("a login beside {count} sessions takes {ratio:.2} times as long"));
    }

    held.leave();
    wrong.extend(held.settle_end().and_then(|()| held.good_end()).err());
    wrong.extend(host.end_all().and_then(|()| host.audited(0)).err());
    crate::violation("many", &format!("--many={count}"), &wrong)
}

/// How long until every user is counted once, from the kill on, if that is within [`COUNTED`] of the first answer.
fn count_within(host: &Host, connections: &[Connection], warm: &str) -> Result<Duration, String> {
    let killed = Instant::now();
    let expected: BTreeMap<&str, u64> =
        connections.iter().map(|one| (one.user.as_str(), 1)).chain([(warm, 1)]).collect();
    let mut asked = None;
    loop {
        let sessions = host.sessions()?;
        let answered = *asked.get_or_insert_with(Instant::now);
        let counts: BTreeMap<&str, u64> = sessions.iter().map(|one| (one.user.as_str(), one.connections)).collect();
        if counts == expected {
            return Ok(killed.elapsed());
        }
        if answered.elapsed() > COUNTED {
            let differ: Vec<_> = expected.keys().filter(|user| counts.get(*user) != Some(&1)).collect();
            return Err(format!("{} sessions listed of {}; wrong: {differ:?}", counts.len(), expected.len()));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The broker's resident memory, in KiB.
fn resident(host: &Host) -> u64 {
    let script = "awk '/^VmRSS/ { print $2 }' /proc/$(systemctl show -P MainPID podspawn-broker.service)/status";
    host.bench.root(script).parse().unwrap()
}

fn time_logins(host: &Host, user: &str, count: usize) -> Vec<Duration> {
    let user = crate::bench::User { bench: host.bench, name: user.to_owned() };
    let login = |_| {
        let began = Instant::now();
        assert_eq!(user.run("true").code, Some(0));
        began.elapsed()
    };
    (0..count).map(login).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
