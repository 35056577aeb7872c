//! What podspawn adds to a login, without ssh around it.

use crate::{
    Effort,
    host::{COLD, Host, WARM},
    inside::{ColdTimes, StepTimes, Task},
    report::{Report, Target, Unit},
};
use anyhow::Result;

const WARM_PART: &str = "the step without ssh: true in a running container";
const COLD_PART: &str = "a new container, without ssh";

pub(crate) fn warm(host: &Host, effort: Effort, report: &mut Report) -> Result<()> {
    let held = host.hold(WARM)?;
    let times: StepTimes = host.inside(&Task::Step { user: WARM.to_owned(), rounds: effort.many() })?;
    held.end()?;
    host.wait_gone([WARM.to_owned()])?;
    report.row(WARM_PART, "sh -c true on the host", Unit::Milliseconds, times.shell, None);
    report.row(WARM_PART, "podspawn spawn", Unit::Milliseconds, times.spawn, Some(Target::AtMost(6.0)));
    report.row(WARM_PART, "docker exec", Unit::Milliseconds, times.docker_exec, None);
    report.row(WARM_PART, "the engine's exec API, raw", Unit::Milliseconds, times.exec_api, None);
    Ok(())
}

pub(crate) fn cold(host: &Host, effort: Effort, report: &mut Report) -> Result<()> {
    let rounds = effort.rounds(2, 5);
    let times: ColdTimes = host.inside(&Task::Cold { user: COLD.to_owned(), rounds })?;
    let ratio = times.spawn.pairs(&times.engine, |spawn, engine| spawn / engine);
    report.row(COLD_PART, "the engine's own: network", Unit::Milliseconds, times.network, None);
    report.row(COLD_PART, "  create", Unit::Milliseconds, times.create, None);
    report.row(COLD_PART, "  start", Unit::Milliseconds, times.start, None);
    report.row(COLD_PART, "  all three", Unit::Milliseconds, times.engine, None);
    report.row(COLD_PART, "podspawn spawn, to the end of true", Unit::Milliseconds, times.spawn, None);
    report.row(COLD_PART, "podspawn : the engine's own", Unit::Ratio, ratio, Some(Target::AtMost(1.15)));
    Ok(())
}
