//! `auth-keys`, which sshd runs twice a login.

use crate::{
    Effort,
    host::Host,
    inside::{KeyTimes, Task},
    report::{Report, Target, Unit},
};
use anyhow::Result;

/// How many users have a key file.
const USERS: u32 = 10_000;

pub(crate) fn measure(host: &Host, effort: Effort, report: &mut Report) -> Result<()> {
    let times: KeyTimes = host.inside(&Task::Keys { users: USERS, rounds: effort.many() })?;
    let part = "auth-keys, 10,000 users";
    report.row(part, "/bin/true", Unit::Milliseconds, times.nothing, None);
    report.row(part, "podspawn auth-keys", Unit::Milliseconds, times.auth_keys, Some(Target::AtMost(2.5)));
    Ok(())
}
