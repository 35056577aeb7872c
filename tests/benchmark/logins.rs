//! `ssh true`: what a person or a script waits for.

use crate::{
    Effort,
    host::{COLD, Host, PLAIN, RELAY, WARM},
    report::{Report, Target, Unit},
    samples::Samples,
};
use anyhow::Result;

/// Who is compared, in the order of the table.
const WAYS: [(&str, &str); 4] = [
    ("plain sshd, no container", PLAIN),
    ("podspawn, container running", WARM),
    ("podspawn, new container", COLD),
    ("relay: forced docker exec", RELAY),
];

const PART: &str = "ssh host true";

pub(crate) fn measure(host: &Host, effort: Effort, report: &mut Report) -> Result<()> {
    let held = host.hold(WARM)?;
    let mut samples: [Samples; 4] = Default::default();
    for round in 0..=effort.rounds {
        // Each comes after every other one, over the rounds: a place in the order may be a better one.
        for turn in 0..WAYS.len() {
            let way = (turn + usize::try_from(round)?) % WAYS.len();
            let user = WAYS[way].1;
            if user == COLD {
                host.wait_gone([COLD.to_owned()])?;
            }
            let time = host.login(user)?;
            // The first round warms caches up.
            if round > 0 {
                samples[way].push_time(time);
            }
        }
    }
    held.end()?;
    host.wait_gone([COLD.to_owned(), WARM.to_owned()])?;

    let over_plain = |way: usize| samples[way].pairs(&samples[0], |time, plain| time - plain);
    let over: Vec<Samples> = (0..WAYS.len()).map(over_plain).collect();
    for ((name, _), samples) in WAYS.iter().zip(samples) {
        report.row(PART, *name, Unit::Milliseconds, samples, None);
    }
    for (((name, user), samples), first) in WAYS.iter().zip(over).zip([true, false, false, false]) {
        if !first {
            let target = (*user == WARM).then_some(Target::AtMost(10.0));
            report.row(PART, format!("{name}: over plain"), Unit::MoreMilliseconds, samples, target);
        }
    }
    Ok(())
}
