//! The facts that a guest found out about an image, as reports for the administrator.
//!
//! A failure keeps users from working; a warning is about something that some users will miss. Both have a remedy.

use super::Report;
use crate::{
    engine::product,
    protocol::examination::{Facts, MAX_LISTED, Program},
};

/// What this host expects of an image.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The shell that logins prefer.
    pub shell: &'a str,
}

/// A report for each thing that users do in a container.
#[must_use]
pub fn lines(facts: &Facts, wanted: &Wanted<'_>) -> Vec<Report> {
    let mut lines = vec![architecture(facts), account(facts)];
    if facts.account.uid.is_none() {
        // No user could log in, and the guest looked at nothing else.
        return lines;
    }
    lines.extend([home(facts), shell(facts, wanted.shell), sftp(facts), temporary(facts), git(facts), locale(facts)]);
    lines.extend([certificates(facts), zones(facts), copying(facts), privileges(facts)]);
    lines
}

/// The names of ELF's machine numbers, of machines that engines run on.
fn machine(number: u32) -> String {
    let name = match number {
        3 => "x86",
        20 => "ppc",
        21 => "ppc64",
        22 => "s390x",
        40 => "arm",
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv64",
        258 => "loongarch64",
        _ => return format!("machine {number}"),
    };
    name.to_owned()
}

fn architecture(facts: &Facts) -> Report {
    const CHECK: &str = "architecture";
    let host = machine(facts.host_machine);
    match facts.image_machine {
        Some(image) if image == facts.host_machine => {
            Report::pass(CHECK, format!("the container starts; its programs are for {host}"))
        }
        Some(image) if facts.shell.as_ref().is_some_and(|shell| shell.code == Some(7)) => Report::warn(
            CHECK,
            format!("its programs are for {}, and run on {host} by emulation, slowly", machine(image)),
            for_this_host(&host),
        ),
        Some(image) => Report::fail(
            CHECK,
            format!("its programs are for {}, and this host is {host}", machine(image)),
            for_this_host(&host),
        ),
        None => {
            Report::pass(CHECK, format!("the container starts, on {host}; no program was found to compare it with"))
        }
    }
}

/// The remedy for an image of another machine.
fn for_this_host(host: &str) -> String {
    let (command, platform) = (product().command, platform(host));
    format!("pull or build the image for {host}: {command} pull --platform linux/{platform}")
}

/// The engine's name for a machine.
fn platform(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

fn account(facts: &Facts) -> Report {
    const CHECK: &str = "account";
    let account = &facts.account;
    let uid = |uid: u32| match &account.holder {
        None => "a login gets the user's own uid".to_owned(),
        Some(holder) => format!("a login gets uid {uid}: the image gives the user's own to {holder}"),
    };
    match (account.uid, &account.problem) {
        (Some(shared), None) if account.holder.is_some() => Report::warn(
            CHECK,
            format!("{}, and users of such images share it, with its limits in the kernel", uid(shared)),
            "give accounts and groups of the image ids outside of security.uid_range",
        ),
        (Some(own), None) => Report::pass(CHECK, uid(own)),
        (Some(own), Some(problem)) => Report::warn(
            CHECK,
            format!("{}, but {problem}: programs inside do not know its name", uid(own)),
            "make /etc writable, or add the accounts to the image",
        ),
        (None, problem) => Report::fail(
            CHECK,
            format!("no account can be made: {}", problem.as_deref().unwrap_or("for an unknown reason")),
            "make /etc/passwd and /etc/group regular files of at most 1 MiB, with a free id from 1000 on",
        ),
    }
}

fn home(facts: &Facts) -> Report {
    const CHECK: &str = "home";
    let home = &facts.account.home;
    match &facts.account.home_problem {
        None => Report::pass(CHECK, format!("{home} can be written by the user")),
        Some(problem) => Report::fail(
            CHECK,
            format!("{home} cannot be written: {problem}"),
            "make /home writable for root; with security.readonly_rootfs give it a tmpfs",
        ),
    }
}

fn shell(facts: &Facts, wanted: &str) -> Report {
    const CHECK: &str = "shell";
    let Some(shell) = &facts.shell else {
        return Report::fail(
            CHECK,
            format!("there is neither {wanted} nor another shell: ssh without a command is refused"),
            "add bash or busybox to the image",
        );
    };
    let path = &shell.path;
    match (&shell.problem, shell.code) {
        (None, Some(7)) if path == wanted => Report::pass(CHECK, format!("{path} runs")),
        (None, Some(7)) => Report::pass(CHECK, format!("{path} runs, in place of {wanted}, which is not there")),
        _ => Report::fail(
            CHECK,
            format!("{path} does not run commands: {}", complaint(shell)),
            format!("{}try: {} run --rm --entrypoint {path} IMAGE -c true", repair(shell), product().command),
        ),
    }
}

/// How a program failed, with its own message.
fn complaint(program: &Program) -> String {
    match (&program.problem, program.code) {
        (Some(problem), _) => problem.clone(),
        (None, Some(code)) if program.said.is_empty() => format!("it ended with {code}"),
        (None, Some(code)) => format!("it ended with {code}: {}", program.said),
        (None, None) => "it was not run".to_owned(),
    }
}

fn repair(program: &Program) -> &'static str {
    match &program.problem {
        Some(problem) if problem.contains("loader") => "install the C library that it was built for; ",
        _ => "",
    }
}

fn sftp(facts: &Facts) -> Report {
    const CHECK: &str = "sftp";
    match &facts.sftp_server {
        Some(path) => Report::pass(CHECK, format!("{path} serves sftp and scp")),
        None => Report::pass(CHECK, "podspawn's own server serves sftp and scp: the image has none"),
    }
}

fn temporary(facts: &Facts) -> Report {
    const CHECK: &str = "tmp";
    match &facts.account.temporary_problem {
        None => Report::pass(CHECK, "/tmp can be written by all users"),
        Some(problem) => Report::warn(
            CHECK,
            format!("/tmp cannot be written: {problem}; many programs need it"),
            "make /tmp with mode 1777, or give it a tmpfs: security.tmpfs",
        ),
    }
}

fn git(facts: &Facts) -> Report {
    const CHECK: &str = "git";
    match &facts.git {
        Some(git) if git.problem.is_none() && git.code == Some(0) => Report::pass(CHECK, git.said.clone()),
        Some(git) => Report::fail(
            CHECK,
            format!("{} does not run: {}", git.path, complaint(git)),
            "install the image's git again",
        ),
        None => Report::warn(CHECK, "not there: no clone, no push to it, no dotfiles", "install git in the image"),
    }
}

fn locale(facts: &Facts) -> Report {
    const CHECK: &str = "locale";
    let has = |name: &str| facts.locales.iter().any(|found| simple(found) == simple(name));
    let common: Vec<&str> = ["C.UTF-8", "en_US.UTF-8"].into_iter().filter(|name| has(name)).collect();
    if facts.is_musl && facts.locales.is_empty() {
        return Report::pass(CHECK, "every locale is UTF-8 (musl)");
    }
    if !common.is_empty() {
        return Report::pass(CHECK, common.join(", "));
    }
    let seen = match facts.locales.first() {
        Some(first) => format!("neither C.UTF-8 nor en_US.UTF-8, but {first}"),
        None => "no UTF-8 locale was found: clients send theirs, and programs fall back to ASCII".to_owned(),
    };
    Report::warn(CHECK, seen, "Debian: install locales and run localedef -i en_US -f UTF-8 en_US.UTF-8")
}

/// A locale's name in one spelling.
fn simple(name: &str) -> String {
    name.to_ascii_lowercase().replace("utf-8", "utf8")
}

fn certificates(facts: &Facts) -> Report {
    const CHECK: &str = "certificates";
    match &facts.certificates {
        Some(path) => Report::pass(CHECK, path.clone()),
        None => {
            Report::warn(CHECK, "none: https fails for git, curl and the like", "install ca-certificates in the image")
        }
    }
}

fn zones(facts: &Facts) -> Report {
    const CHECK: &str = "time zones";
    if facts.has_zones {
        Report::pass(CHECK, "/usr/share/zoneinfo is there")
    } else {
        Report::pass(CHECK, "not there: every time is shown in UTC (tzdata has them)")
    }
}

fn copying(facts: &Facts) -> Report {
    const CHECK: &str = "rsync, scp";
    let missing = |what: &Option<String>| what.is_none();
    match (missing(&facts.rsync), missing(&facts.scp)) {
        (false, false) => Report::pass(CHECK, "both are there"),
        (false, true) => Report::pass(CHECK, "rsync is there; scp works by sftp, but scp -O wants the image's"),
        (true, scp) => {
            let scp = if scp { "; scp works by sftp, but scp -O wants the image's" } else { "; scp is there" };
            Report::warn(CHECK, format!("no rsync: rsync to and from it fails{scp}"), "install rsync in the image")
        }
    }
}

fn privileges(facts: &Facts) -> Report {
    const CHECK: &str = "set-uid";
    let found = &facts.set_uid;
    if found.is_empty() {
        return Report::pass(CHECK, "no program");
    }
    let more = if found.len() < MAX_LISTED { "" } else { ", ..." };
    let programs = format!("{}{more}", found.join(", "));
    match (facts.no_new_privileges, found.iter().any(|name| name == "sudo")) {
        (true, true) => Report::warn(
            CHECK,
            format!("{programs}: sudo is there and cannot work"),
            "security.no_new_privileges forbids it; leave sudo out, or let users be root by it with no_new_privileges: false",
        ),
        (true, false) => Report::pass(CHECK, format!("{programs}: without effect (no_new_privileges)")),
        (false, _) => Report::warn(
            CHECK,
            format!("{programs}: users can become root of their container by them"),
            "set security.no_new_privileges: true, unless that is meant",
        ),
    }
}

#[cfg(test)]
mod tests;
