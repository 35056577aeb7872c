//! Logins without end, each cut off by its client at a point of its own.

use crate::{
    bench::User,
    host::{Host, eventually},
    random::Random,
};
use std::{
    io::Read,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How many come at a time.
const AT_ONCE: usize = 8;
/// Users that they are of: few, so that most meet a container, and some the removal of one.
const USERS: usize = 12;
/// Runs `count` logins; how many things were wrong.
pub(crate) fn run(host: &Host, count: usize, seed: u64) -> usize {
    let users: Vec<_> = (0..USERS).map(|_| host.user()).collect();
    let latest = latest(&users[..AT_ONCE]);
    let (next, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let mut random = Random::new(seed + number as u64);
                    let user = &users[number % USERS];
                    let mut ssh = user.client("ssh");
                    if random.chance(25) {
                        let project = random.pick(&["brief", "once"]);
                        ssh.args(["-o", &format!("SetEnv=PODSPAWN_PROJECT={project}")]);
                    }
                    if random.chance(30) {
                        ssh.arg("-tt");
                    }
                    ssh.arg(&user.name).arg("echo in; exec sleep 1000");
                    let once_in = random.chance(30);
                    let after = random.below(if once_in { 200 } else { latest });
                    answered.fetch_add(usize::from(cut_off(&mut ssh, after, once_in)), Ordering::Relaxed);
                }
            });
        }
    });
    let time = began.elapsed();
    println!(
        "{count} logins, each killed within {latest} ms or when it was in, {} of them in by then: {:.0?}, {:.1} a second (seed {seed})",
        answered.into_inner(),
        time,
        f64::from(u32::try_from(count).unwrap()) / time.as_secs_f64()
    );
    let wrong = eventually(Duration::from_secs(20), || {
        let counted: Vec<_> = host.sessions()?.into_iter().filter(|one| one.connections > 0).collect();
        if counted.is_empty() { Ok(()) } else { Err(format!("still counted: {counted:?}")) }
    });
    let wrong: Vec<String> =
        [wrong, host.end_all().and_then(|()| host.audited(0))].into_iter().filter_map(Result::err).collect();
    crate::violation("logins", &format!("--logins={count} --seed {seed}"), &wrong)
}

/// The latest moment of an end, in milliseconds after the start: past everything that a login of these does, who come at
/// once as they will later.
fn latest(users: &[User<'static>]) -> u64 {
    let login = |user: &User<'static>| {
        let began = Instant::now();
        assert_eq!(user.run("true").code, Some(0));
        began.elapsed()
    };
    let mut times: Vec<Duration> = Vec::new();
    // The first time for their containers.
    for _ in 0..2 {
        times = thread::scope(|scope| {
            let coming: Vec<_> = users.iter().map(|user| scope.spawn(move || login(user))).collect();
            coming.into_iter().map(|one| one.join().unwrap()).collect()
        });
    }
    times.sort();
    u64::try_from(times[times.len() / 2].as_millis()).unwrap() * 2
}

/// Starts `ssh` and kills it so much later, or so much after it was in; whether it was in by then.
fn cut_off(ssh: &mut Command, after: u64, once_in: bool) -> bool {
    ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = ssh.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut said = Vec::new();
    if once_in {
        // The end of one that does not get in.
        let _ = out.by_ref().take(2).read_to_end(&mut said);
    }
    thread::sleep(Duration::from_millis(after));
    child.kill().unwrap();
    let _ = out.read_to_end(&mut said);
    let _ = child.wait();
    said.starts_with(b"in")
}
