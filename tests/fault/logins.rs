//! Logins without end, each cut off by its client at a point of its own.

use crate::{host::Host, random::Random};
use rustix::process::Signal;
use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How many come at a time.
const AT_ONCE: usize = 8;
/// Users that they are of: few, so that most meet a container, and some the removal of one.
const USERS: usize = 24;
/// The latest moment of an end, in milliseconds after the start: past everything that a warm login does.
const LATEST: u64 = 1500;

/// Runs `count` logins; how many things were wrong.
pub(crate) fn run(host: &Host, count: usize, seed: u64) -> usize {
    let users: Vec<_> = (0..USERS).map(|_| host.user()).collect();
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
                    if random.chance(50) {
                        let project = random.pick(&["brief", "once", "ttl"]);
                        ssh.args(["-o", &format!("SetEnv=PODSPAWN_PROJECT={project}")]);
                    }
                    if random.chance(30) {
                        ssh.arg("-tt");
                    }
                    ssh.arg(&user.name).arg("echo in; exec sleep 1000");
                    answered.fetch_add(usize::from(cut_off(&mut ssh, random.below(LATEST))), Ordering::Relaxed);
                }
            });
        }
    });
    let time = began.elapsed();
    println!(
        "{count} logins, each killed within {LATEST} ms, {} of them after they were in: {:.0?}, {:.1} a second (seed {seed})",
        answered.into_inner(),
        time,
        f64::from(u32::try_from(count).unwrap()) / time.as_secs_f64()
    );
    let wrong = host.eventually(Duration::from_secs(20), || {
        let counted: Vec<_> = host.sessions()?.into_iter().filter(|one| one.connections > 0).collect();
        if counted.is_empty() { Ok(()) } else { Err(format!("still counted: {counted:?}")) }
    });
    let wrong: Vec<String> =
        [wrong, host.end_all().and_then(|()| host.audited(0))].into_iter().filter_map(Result::err).collect();
    crate::violation("logins", &format!("--logins={count} --seed {seed}"), &wrong)
}

/// Starts `ssh` and kills it so much later; whether it was in by then.
fn cut_off(ssh: &mut Command, after: u64) -> bool {
    ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = ssh.spawn().unwrap();
    thread::sleep(Duration::from_millis(after));
    let pid = rustix::process::Pid::from_child(&child);
    let _ = rustix::process::kill_process(pid, Signal::KILL);
    child.wait_with_output().is_ok_and(|output| output.stdout.starts_with(b"in"))
}
