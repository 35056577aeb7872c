//! What an idle session holds in memory. Resident is the kernel's `VmRSS`; of pages that several processes share,
//! `Pss` counts each one's part.

use crate::{
    host::{Host, MANY, WARM, many},
    inside::{Resident, Task},
    many::arrive,
    report::{Report, Target, Unit},
    samples::Samples,
};
use anyhow::{Context as _, Result};
use std::{thread, time::Duration};

/// After which a process that has nothing to do is idle.
const IDLE: Duration = Duration::from_secs(3);

const PART: &str = "memory, idle";

pub(crate) fn measure(host: &Host, report: &mut Report) -> Result<()> {
    let look = || -> Result<Vec<Resident>> {
        thread::sleep(IDLE);
        host.inside(&Task::Memory)
    };
    let held = host.hold(WARM)?;
    let one = look()?;
    held.end()?;
    host.wait_gone([WARM.to_owned()])?;
    let users: Vec<String> = many().collect();
    let arrived = arrive(host, &users);
    let all = look()?;
    arrived.leave(report);
    host.wait_gone(many())?;

    for (verb, name, seen, bound) in [
        ("spawn", "spawn".to_owned(), &all, 3.0),
        ("guest", "guest".to_owned(), &all, 2.0),
        ("broker", "broker, one session".to_owned(), &one, 32.0),
        ("broker", format!("broker, {MANY} sessions"), &all, 32.0),
    ] {
        let figure = |pick: fn(&Resident) -> f64| -> Samples {
            seen.iter().filter(|process| process.verb == verb).map(pick).collect()
        };
        let resident = figure(|process| process.all);
        (resident.len() > 0).then_some(()).with_context(|| format!("no podspawn {verb} was found"))?;
        report.row(PART, format!("{name}: resident"), Unit::Mebibytes, resident, Some(Target::AtMost(bound)));
        report.row(PART, format!("{name}: its part"), Unit::Mebibytes, figure(|process| process.part), None);
        report.row(PART, format!("{name}: its own"), Unit::Mebibytes, figure(|process| process.own), None);
    }
    Ok(())
}
