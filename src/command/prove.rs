//! `podspawn doctor --prove`: a login like a user's, through the real sshd, by a test account.
//!
//! The account and everything that belongs to it is removed in every case: at the end, after a failure, and on a signal.
//! After SIGKILL the next run finds it by its name; a lock keeps two runs apart.

mod attempt;
mod checks;
mod client;
mod interrupt;
mod sshd_log;
mod tasks;
mod test_account;
mod work_dir;

use crate::{doctor::Report, domain::chain, sys::program};
use attempt::Attempt;
use test_account::TestAccount;
use work_dir::{Lock, WorkDir};

pub(super) use interrupt::Interrupt;

/// Programs of OpenSSH's client, without which nothing can be tried.
const PROGRAMS: [&str; 3] = ["ssh", "sftp", "ssh-keygen"];
/// The report of accounts and files that an interrupted run left, for a run without `--prove`.
pub(super) fn left() -> Option<Report> {
    // The files belong to a run in progress.
    if Lock::is_held() {
        return None;
    }
    let left = test_account::left();
    let seen = match (left.is_empty(), WorkDir::is_left()) {
        (true, false) => return None,
        (true, true) => "files of an interrupted --prove are there".to_owned(),
        (false, _) => format!("accounts of an interrupted --prove are there: {}", left.join(", ")),
    };
    Some(Report::warn("prove", seen, "podspawn doctor --prove removes them before it begins"))
}

/// Logs in, and reports everything that was tried. Removes everything that it made.
pub(super) fn run(interrupt: &Interrupt) -> Vec<Report> {
    let mut lines = Vec::new();
    if let Err(line) = prove(&mut lines, interrupt) {
        lines.push(line);
    }
    lines
}

/// An error is the report after which nothing more can be tried.
fn prove(lines: &mut Vec<Report>, interrupt: &Interrupt) -> Result<(), Report> {
    const CHECK: &str = "prove";
    let failed = |what: &str, error: &dyn std::fmt::Display| Report::fail(CHECK, format!("{what}: {error}"), "");
    if let Some(missing) = PROGRAMS.into_iter().find(|name| program::find(name).is_none()) {
        let seen = format!("not tried: there is no {missing} on this host");
        return Err(Report::fail(CHECK, seen, "install OpenSSH's client (Debian: apt-get install openssh-client)"));
    }
    let lock = Lock::take().map_err(|error| failed("taking the lock", &error))?;
    let Some(_lock) = lock else {
        return Err(Report::fail(CHECK, "another doctor --prove is running", "wait for its end"));
    };
    tidy(lines)?;
    if interrupt.is_hit() {
        return Err(Report::fail(CHECK, "interrupted: nothing was tried", "podspawn doctor --prove"));
    }
    let work_dir = WorkDir::make().map_err(|error| failed("making a private directory", &error))?;
    let account = match TestAccount::make(&work_dir) {
        Ok(account) => account,
        Err(error) => {
            let remedy = "run podspawn doctor to see what this host lacks, and podspawn server-setup to install it";
            return Err(Report::fail("prove-account", chain(error.as_ref()), remedy));
        }
    };
    lines.push(Report::pass("prove-account", format!("made {} with a key of its own", account.name())));
    // The reports so far count even if the rest could not be tried.
    let ended = Attempt::new(&work_dir, &account, interrupt).and_then(|attempt| checks::run(&attempt, lines));
    let interrupted = interrupt.is_hit();
    lines.extend(ended.err());
    if interrupted {
        lines.push(Report::fail(CHECK, "interrupted: not everything was tried", "podspawn doctor --prove"));
    }
    lines.push(removed(account, work_dir));
    Ok(())
}

/// Removes the accounts that an interrupted run left, before anything is made.
fn tidy(lines: &mut Vec<Report>) -> Result<(), Report> {
    const CHECK: &str = "prove-leftovers";
    let mut gone = Vec::new();
    for name in test_account::left() {
        match test_account::remove(&name) {
            Ok(()) => gone.push(name),
            Err(error) => {
                let remedy = format!("podspawn remove-user {name} --force --purge");
                return Err(Report::fail(
                    CHECK,
                    format!("{name} of an interrupted run stays: {}", chain(error.as_ref())),
                    remedy,
                ));
            }
        }
    }
    if !gone.is_empty() {
        lines.push(Report::pass(CHECK, format!("removed what an interrupted run left: {}", gone.join(", "))));
    }
    Ok(())
}

fn removed(account: TestAccount, work_dir: WorkDir) -> Report {
    const CHECK: &str = "prove-removal";
    let name = account.name().to_string();
    match account.leave().and_then(|()| work_dir.remove()) {
        Ok(()) => Report::pass(CHECK, format!("{name} is gone: account, key, container, home")),
        Err(error) => {
            let remedy = format!("podspawn remove-user {name} --force --purge, then podspawn cleanup");
            Report::fail(CHECK, format!("something of {name} stays: {}", chain(error.as_ref())), remedy)
        }
    }
}
