//! The checks of `--prove`, in the order in which one needs the other: a key, a login, and what users do after it.

use super::{
    attempt::{Attempt, Line, PATIENCE, seconds},
    client::Running,
};
use crate::{
    accounts::Accounts,
    command::auth_keys::configured_key_dir,
    doctor::Report,
    domain::chain,
    sys::program::{self, Identity},
};
use anyhow::Context as _;

/// The account that sshd runs the command for keys as.
const READER: &str = "podspawn-keys";

/// A check after the login, and the name of its report where it returns an error.
type Check<'a> = (&'static str, fn(&Attempt<'a>) -> Line);

/// Runs all checks. An error is the report after which nothing more can be tried.
pub(super) fn run<'a>(attempt: &Attempt<'a>, lines: &mut Vec<Report>) -> Result<(), Report> {
    lines.push(keys(attempt)?);
    let (_held, line) = login(attempt)?;
    lines.push(line);
    let rest: [Check<'a>; 8] = [
        ("prove-second-login", Attempt::second_login),
        ("prove-terminal", Attempt::terminal),
        ("prove-exit-code", Attempt::exit_code),
        ("prove-signal", Attempt::signal),
        ("prove-hang-up", Attempt::hang_up),
        ("prove-pipes", Attempt::pipes),
        ("prove-sftp", Attempt::sftp),
        ("prove-agent", Attempt::agent),
    ];
    for (name, check) in rest {
        let line = check(attempt).unwrap_or_else(|error| Report::fail(name, chain(error.as_ref()), ""));
        // The result of an interrupted check means nothing.
        if attempt.interrupt.is_hit() {
            break;
        }
        lines.push(line);
    }
    Ok(())
}

/// Runs sshd's command for keys as sshd runs it.
fn keys(attempt: &Attempt<'_>) -> Result<Report, Report> {
    const CHECK: &str = "prove-keys";
    let asked = || -> anyhow::Result<_> {
        let reader = Accounts::new().by_name(&READER.parse()?).with_context(|| format!("account {READER}"))?;
        let identity = Identity { uid: reader.uid, gid: reader.gid, groups: Vec::new() };
        let own = std::env::current_exe().context("finding podspawn's own path")?;
        let name = attempt.account.name().as_ref();
        program::run_as(&identity, &own, &["auth-keys", name], b"", PATIENCE).context("running podspawn auth-keys")
    };
    let directory = configured_key_dir();
    let remedy = format!("{} must be root's, with group {READER} and mode 0750: podspawn doctor", directory.display());
    match asked() {
        Ok(done) if done.out.contains(attempt.account.blob()) => {
            Ok(Report::pass(CHECK, format!("{READER} reads the key in {}", directory.display())))
        }
        Ok(done) => {
            let why = if done.err.trim().is_empty() { "it printed no key".to_owned() } else { done.complaint() };
            Err(Report::fail(CHECK, format!("auth-keys, as {READER}, does not find the key: {why}"), remedy))
        }
        Err(error) => Err(Report::fail(CHECK, chain(error.as_ref()), remedy)),
    }
}

/// The first login. It is held, so that the container stays whatever the session's mode.
fn login(attempt: &Attempt<'_>) -> Result<(Running, Report), Report> {
    const CHECK: &str = "prove-login";
    let address = attempt.ssh.address;
    match attempt.ssh.hold("echo ready; exec cat") {
        Ok(Ok((held, took))) => {
            let line =
                Report::pass(CHECK, format!("in a container after {}, through sshd on {address}", seconds(took)));
            Ok((held, line))
        }
        Ok(Err(_)) if attempt.interrupt.is_hit() => Err(Report::fail(CHECK, "interrupted", "")),
        Ok(Err(done)) => Err(attempt.refused(CHECK, &done)),
        Err(error) => Err(Report::fail(CHECK, chain(error.as_ref()), "")),
    }
}
