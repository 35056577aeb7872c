//! `podspawn doctor --prove`: a login like anybody's, through the real sshd, by an account that exists for nothing else.
//!
//! Whatever happens meanwhile, the account and all that came of it goes again: at the end, after a failure, and on a
//! signal. After SIGKILL the next run finds it by its name; one lock keeps two runs apart.

mod checks;
mod client;
mod place;
mod said;
mod traveller;

use crate::{
    doctor::Report,
    domain::chain,
    sys::{program, signalfd::SignalFd},
};
use checks::Checks;
use place::{Lock, Place};
use std::cell::Cell;
use traveller::Traveller;

/// What OpenSSH's client has, without which nothing can be tried.
const PROGRAMS: [&str; 3] = ["ssh", "sftp", "ssh-keygen"];
/// What somebody who is in a hurry sends.
const SIGNALS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Whether somebody wants an end. From its making on, signals do nothing else.
pub(super) struct Interrupt {
    signals: SignalFd,
    hit: Cell<bool>,
}

impl Interrupt {
    /// Before any other thread is there: one of those would take a signal as it is by default.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { signals: SignalFd::new(&SIGNALS)?, hit: Cell::new(false) })
    }

    /// Whether a signal has come.
    fn is_hit(&self) -> bool {
        if matches!(self.signals.next(), Ok(Some(_))) {
            self.hit.set(true);
        }
        self.hit.get()
    }
}

/// What an interrupted run left, for those who only look.
pub(super) fn left() -> Option<Report> {
    // One that is running is not interrupted.
    if Lock::is_held() {
        return None;
    }
    let left = traveller::left();
    let seen = match (left.is_empty(), Place::is_left()) {
        (true, false) => return None,
        (true, true) => "files of an interrupted --prove are there".to_owned(),
        (false, _) => format!("accounts of an interrupted --prove are there: {}", left.join(", ")),
    };
    Some(Report::warn("prove", seen, "podspawn doctor --prove removes them before it begins"))
}

/// Logs in, and tells a line for everything that was tried. Nothing of it is there afterwards.
pub(super) fn run(interrupt: &Interrupt) -> Vec<Report> {
    let mut lines = Vec::new();
    if let Err(line) = prove(&mut lines, interrupt) {
        lines.push(line);
    }
    lines
}

/// The line that ended it is the error.
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
    let place = Place::make().map_err(|error| failed("making a private directory", &error))?;
    let traveller = match Traveller::make(&place) {
        Ok(traveller) => traveller,
        Err(error) => {
            let remedy = "podspawn doctor tells what this host lacks; podspawn server-setup makes it";
            return Err(Report::fail("prove-account", chain(error.as_ref()), remedy));
        }
    };
    lines.push(Report::pass("prove-account", format!("made {} with a key of its own", traveller.name())));
    // What was found out is told whether or not it could be finished.
    let ended = Checks::new(&place, &traveller, interrupt).and_then(|checks| checks.run(lines));
    let interrupted = interrupt.is_hit();
    lines.extend(ended.err());
    if interrupted {
        lines.push(Report::fail(CHECK, "interrupted: not everything was tried", "podspawn doctor --prove"));
    }
    lines.push(removed(traveller, place));
    Ok(())
}

/// Removes what an interrupted run left, before anything is made.
fn tidy(lines: &mut Vec<Report>) -> Result<(), Report> {
    const CHECK: &str = "prove-leftovers";
    let mut gone = Vec::new();
    for name in traveller::left() {
        match traveller::remove(&name) {
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

fn removed(traveller: Traveller, place: Place) -> Report {
    const CHECK: &str = "prove-removal";
    let name = traveller.name().to_string();
    match traveller.leave().and_then(|()| place.remove()) {
        Ok(()) => Report::pass(CHECK, format!("{name} is gone: account, key, container, home")),
        Err(error) => {
            let remedy = format!("podspawn remove-user {name} --force --purge, then podspawn cleanup");
            Report::fail(CHECK, format!("something of {name} stays: {}", chain(error.as_ref())), remedy)
        }
    }
}
