//! Logins that come all at once. Each stays until every one has answered, so they are in at the same time.

use crate::{
    Effort,
    host::{Held, Host, MANY, PLAIN, WARM, many},
    report::{Report, Target, Unit},
    samples::Samples,
};
use anyhow::Result;
use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

const PART: &str = "logins at once, until the last has its answer";

pub(crate) fn measure(host: &Host, effort: Effort, report: &mut Report) -> Result<()> {
    let rounds = effort.rounds(10, 1);
    for (count, new) in [(20, true), (50, false)] {
        let what = if new { "a new user" } else { "one user" };
        let mut times: [Samples; 2] = Default::default();
        let mut done = Samples::default();
        for round in 0..rounds {
            for turn in 0..2 {
                let who = usize::try_from((round + turn) % 2)?;
                let user = [PLAIN, WARM][who];
                let held = (!new && user == WARM).then(|| host.hold(WARM)).transpose()?;
                let arrived = arrive(host, &vec![user.to_owned(); count]);
                times[who].push_time(arrived.time);
                let containers = arrived.answers();
                let inside = arrived.leave(report);
                if user == WARM {
                    done.push(inside);
                    if containers.len() > 1 {
                        report.fail(format!("{count} logins of {what}: {} containers", containers.len()));
                    }
                    if let Some(held) = held {
                        held.end()?;
                    }
                    host.wait_gone([WARM.to_owned()])?;
                }
            }
        }
        let [plain, podspawn] = times;
        let ratio = podspawn.pairs(&plain, |podspawn, plain| podspawn / plain);
        report.row(PART, format!("{count} of plain"), Unit::Milliseconds, plain, None);
        report.row(PART, format!("{count} of {what}"), Unit::Milliseconds, podspawn, None);
        let target = (!new).then_some(Target::AtMost(1.3));
        report.row(PART, format!("{count} of {what} : plain"), Unit::Ratio, ratio, target);
        all(report, format!("{count} of {what}: done"), u32::try_from(count)?, done);
    }

    let (mut times, mut done) = (Samples::default(), Samples::default());
    let users: Vec<String> = many().collect();
    let arrived = arrive(host, &users);
    times.push_time(arrived.time);
    let containers = arrived.answers().len();
    done.push(arrived.leave(report));
    host.wait_gone(many())?;
    report.row(PART, format!("{MANY} users, new containers"), Unit::Milliseconds, times, None);
    all(report, format!("{MANY} users, new containers: done"), MANY, done);
    if containers != users.len() {
        report.fail(format!("{MANY} users: {containers} containers"));
    }
    Ok(())
}

/// A row that has to be complete.
fn all(report: &mut Report, name: String, count: u32, done: Samples) {
    report.row(PART, name, Unit::Of(count), done, Some(Target::AtLeast(count.into())));
}

/// Logins that are in.
pub(crate) struct Arrived {
    /// From the first start to the last answer.
    time: Duration,
    logins: Vec<Result<Held>>,
}

impl Arrived {
    /// The host names that they met.
    fn answers(&self) -> BTreeSet<String> {
        self.logins.iter().flatten().map(|held| held.answer.clone()).collect()
    }

    /// Ends them; how many have gone well from begin to end. Whatever has not is a failure.
    pub(crate) fn leave(self, report: &mut Report) -> f64 {
        let mut done = 0.0;
        for login in self.logins {
            match login.and_then(Held::end) {
                Ok(()) => done += 1.0,
                Err(error) => report.fail(format!("one of many logins: {error:#}")),
            }
        }
        done
    }
}

/// Logs all of `users` in at once.
pub(crate) fn arrive(host: &Host, users: &[String]) -> Arrived {
    let begin = Instant::now();
    let started: Vec<Result<Held>> =
        users.iter().map(|user| Held::begin(host.ssh(user, "hostname; exec cat"))).collect();
    let logins = thread::scope(|scope| {
        let waiting: Vec<_> = started.into_iter().map(|login| scope.spawn(|| login.and_then(Held::answered))).collect();
        let joined = waiting.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|login| login.unwrap_or_else(|_| Err(anyhow::anyhow!("a panic")))).collect()
    });
    Arrived { time: begin.elapsed(), logins }
}
