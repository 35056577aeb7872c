//! `sshd-running`: an sshd answers where it should listen.

use super::REFUSES;
use crate::{
    doctor::{Check, Group, Host, Problem, Report},
    sshd::{
        greeting,
        serving::{self, Found, Serving},
    },
};
use std::{net::SocketAddr, thread, time::Duration};

/// The check.
pub(crate) const CHECK: Check = Check {
    name: "sshd-running",
    group: Group::Sshd,
    passes_if: "an sshd, or its socket, answers at one of its addresses",
    problems: &[NO_ANSWER],
    needs_root: true,
    run,
};
const NO_ANSWER: Problem = Problem::fail("no sshd runs or answers", "`systemctl {verb} {unit}`");

fn run(host: &Host) -> Report {
    let found = match host.sshd_service() {
        Ok(found) => found,
        Err(error) => return CHECK.unknown(error, "systemctl status ssh"),
    };
    let addresses = host.sshd_for_a_user().ok().map(|options| match found {
        Some(found) => found.addresses(options),
        None => serving::listen_addresses(options),
    });
    let serving = found.map(|found: &Found| &found.serving);
    let unit = match serving {
        Some(
            Serving::Service { name }
            | Serving::Activated { service: name, .. }
            | Serving::Socket { name }
            | Serving::Stopped { unit: Some(name) },
        ) => name.as_str(),
        Some(Serving::Stopped { unit: None }) | None => "sshd.service",
    };
    let is_stopped = matches!(serving, Some(Serving::Stopped { .. }));
    let verb = if is_stopped { "start" } else { "restart" };
    match addresses {
        None if is_stopped => {
            CHECK.report(&NO_ANSWER, format!("{unit} does not run"), &[("verb", &verb), ("unit", &unit)])
        }
        None => CHECK.unknown(REFUSES, "sshd -t"),
        Some(addresses) if answers(&addresses) => CHECK.pass(format!("{unit} answers")),
        Some(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let seen = format!("no sshd answers at {}", addresses.join(", "));
            CHECK.report(&NO_ANSWER, seen, &[("verb", &verb), ("unit", &unit)])
        }
    }
}

/// Whether an sshd greets at one of them: not every host has every kind of address. While it reads its files again it
/// listens nowhere for a moment.
fn answers(addresses: &[SocketAddr]) -> bool {
    (0..3).any(|attempt| {
        thread::sleep(Duration::from_millis(150) * attempt);
        addresses.iter().any(|address| greeting::greets(*address))
    })
}
