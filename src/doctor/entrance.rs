//! sshd as it is now: what it does for users, whether it runs, and whether it has read its files.

use super::{
    Finding, Host, Report,
    host::{ELSEWHERE, SYSTEMD},
    sshd as judge, ways_in,
};
use crate::{
    accounts::local::LocalAccounts,
    domain::UserName,
    sshd::{
        self, Connection, Effective, Sshd, block, greeting,
        order::Reading,
        serving::{self, Found, Serving, UNITS},
    },
    sys::clock::since_boot,
};
use std::{
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// More users than this are not asked about, beside the first: each costs a process.
const MAX_USERS: usize = 11;
/// More administrators than this are not asked about: each costs a process.
const MAX_ADMINISTRATORS: usize = 12;
/// Why nothing is known where sshd gives no answer.
const REFUSES: &str = "sshd does not say: see sshd-config";

/// `sshd-version`.
pub(super) fn version(_: &Host) -> Vec<Report> {
    const CHECK: &str = "sshd-version";
    let found = Sshd::find(None).and_then(|sshd| sshd.version());
    vec![match found {
        Ok(version) => {
            Report::of(CHECK, judge::version(version).into_iter().collect(), format!("this is OpenSSH {version}"))
        }
        Err(sshd::SshdError::Missing) => {
            Report::fail(CHECK, "there is no sshd on this host", "apt-get install openssh-server")
        }
        Err(error) => Report::unknown(CHECK, error, "sshd -V"),
    }]
}

/// `sshd-config`, `sshd-users`, `sshd-startups`.
pub(super) fn configuration(host: &Host) -> Vec<Report> {
    let (options, local) = match (host.sshd_for_a_user(), host.accounts()) {
        (Ok(options), Ok(local)) => (options, local),
        (Err(why), _) => {
            let remedy = sshd::hint(why).unwrap_or("sshd -t");
            let mut reports = vec![Report::fail("sshd-config", format!("sshd says: {why}"), remedy)];
            reports.extend(["sshd-users", "sshd-startups"].map(|check| Report::unknown(check, REFUSES, "sshd -t")));
            return reports;
        }
        (_, Err(why)) => {
            return ["sshd-config", "sshd-users", "sshd-startups"].map(|one| Report::unknown(one, why, "")).into();
        }
    };
    let users = host.users();
    let asked = ask(&users);
    let own = |name: &UserName| asked.iter().find(|(user, _)| user == name).map(|(_, options)| options);
    let mut entrance = judge::entrance(options, block::GROUP, &users, local, &own);
    for finding in &mut entrance {
        finding.nixos =
            Some(format!("declare it (services.openssh.settings, or extraConfig), and rebuild: {}", finding.remedy));
    }
    let most = u32::try_from(users.len()).unwrap_or(u32::MAX).min(host.settings.config.resources.max_containers);
    vec![
        forced(std::iter::once(options).chain(asked.iter().map(|(_, options)| options)), host),
        Report::of("sshd-users", entrance, "sshd's lists and methods let podspawn's users in with their keys"),
        startups(options.value("maxstartups"), most),
    ]
}

/// What sshd does for each of some users; less than all where it has no answer.
fn ask(users: &[UserName]) -> Vec<(UserName, Effective)> {
    let Ok(sshd) = Sshd::find(None) else { return Vec::new() };
    let ask = |name: &UserName| {
        let connection = Connection::new(name.as_ref(), ELSEWHERE);
        Some((name.clone(), sshd.effective(Path::new(sshd::CONFIG), &connection).ok()?))
    };
    // The first was asked about.
    users.iter().skip(1).take(MAX_USERS).filter_map(ask).collect()
}

fn forced<'a>(options: impl Iterator<Item = &'a Effective>, host: &Host) -> Report {
    let mut findings = Vec::new();
    for options in options {
        let block = block::Block::new(installed_binary(options).unwrap_or_else(|| host.binary.clone()));
        if findings.is_empty() {
            match Reading::of(Path::new(sshd::CONFIG)) {
                Ok(reading) => findings.extend(judge::first(&reading, &block)),
                Err(error) => findings.push(Finding::notable(format!("reading sshd's files: {error}"), "sshd -t")),
            }
        }
        for mut finding in judge::forced(options, &block.text()) {
            "podspawn server-setup, and do what it says; if that is nothing, another Match block decides: change that"
                .clone_into(&mut finding.remedy);
            finding.nixos = Some(
                "set services.podspawn.enable and rebuild; if it is set, another Match block of \
                 services.openssh.extraConfig decides: put it behind podspawn's with lib.mkOrder 2000"
                    .to_owned(),
            );
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    // What NixOS makes has a program of its own in front, which key-lookup runs.
    if host.is_declared {
        findings.retain(|finding| !finding.what.contains("authorizedkeyscommand \""));
    }
    Report::of("sshd-config", findings, "sshd has podspawn's command, and nothing else, for podspawn's users")
}

/// The program that sshd runs for a session, if it is one of a forced command like ours.
pub(super) fn installed_binary(options: &Effective) -> Option<PathBuf> {
    let mut words = options.value("forcecommand").split_whitespace().skip_while(|word| *word == "exec");
    let program = words.next().filter(|word| word.starts_with('/'))?;
    (words.next() == Some("spawn")).then(|| program.into())
}

/// From how many logins at once on sshd drops some; `most` may come at once.
fn startups(value: &str, most: u32) -> Report {
    const CHECK: &str = "sshd-startups";
    let Some(begin) = value.split(':').next().and_then(|number| number.parse::<u32>().ok()) else {
        return Report::unknown(CHECK, format!("sshd has MaxStartups {value:?}"), "sshd -T | grep -i maxstartups");
    };
    if begin >= most {
        return Report::pass(CHECK, format!("MaxStartups {value} is enough for {most} logins at once"));
    }
    let enough = format!("{most}:30:{}", most.saturating_mul(2));
    Report::warn(
        CHECK,
        format!("sshd drops some of more than {begin} logins at once (MaxStartups {value}), and {most} may come"),
        format!("set in sshd_config, before any Match: MaxStartups {enough}"),
    )
    .on_nixos(format!("set services.openssh.settings.MaxStartups = \"{enough}\""))
}

/// `sshd-running`, `sshd-reload`.
pub(super) fn running(host: &Host) -> Vec<Report> {
    const CHECKS: [&str; 2] = ["sshd-running", "sshd-reload"];
    let found = match host.systemctl.as_ref().map(|systemctl| serving::find(systemctl, &UNITS, SYSTEMD)) {
        Some(Ok(found)) => Some(found),
        Some(Err(error)) => return CHECKS.map(|one| Report::unknown(one, &error, "systemctl status ssh")).into(),
        None => None,
    };
    let addresses = host.sshd_for_a_user().ok().map(|options| match &found {
        Some(found) => found.addresses(options),
        None => serving::listen_addresses(options),
    });
    let name = match found.as_ref().map(|found| &found.serving) {
        Some(
            Serving::Service { name }
            | Serving::Activated { service: name, .. }
            | Serving::Socket { name }
            | Serving::Stopped { unit: Some(name) },
        ) => name,
        Some(Serving::Stopped { unit: None }) | None => "sshd.service",
    };
    let is_stopped = matches!(found.as_ref().map(|found| &found.serving), Some(Serving::Stopped { .. }));
    let start = format!("systemctl {} {name}", if is_stopped { "start" } else { "restart" });
    let first = match addresses {
        None if is_stopped => Report::fail(CHECKS[0], format!("{name} does not run"), start),
        None => Report::unknown(CHECKS[0], REFUSES, "sshd -t"),
        Some(addresses) if answers(&addresses) => Report::pass(CHECKS[0], format!("{name} answers")),
        Some(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            Report::fail(CHECKS[0], format!("no sshd answers at {}", addresses.join(", ")), start)
        }
    };
    vec![first, reload(found.as_ref(), &changed())]
}

/// Whether an sshd says its name at one of them: not every host has every kind of address. While it reads its files
/// again it listens nowhere for a moment.
fn answers(addresses: &[SocketAddr]) -> bool {
    (0..3).any(|attempt| {
        thread::sleep(Duration::from_millis(150) * attempt);
        addresses.iter().any(|address| greeting::greets(*address))
    })
}

fn real_time(monotonic: Duration) -> SystemTime {
    SystemTime::now() - since_boot().saturating_sub(monotonic)
}

/// sshd's files, with the moment of their last change.
fn changed() -> Vec<(PathBuf, SystemTime)> {
    let files = Reading::of(Path::new(sshd::CONFIG)).map(|reading| reading.files).unwrap_or_default();
    let moment = |path: PathBuf| {
        let about = path.metadata().ok()?;
        let nanos = u32::try_from(about.ctime_nsec()).ok()?;
        Some((path, UNIX_EPOCH + Duration::new(u64::try_from(about.ctime()).ok()?, nanos)))
    };
    files.into_iter().filter_map(moment).collect()
}

fn reload(found: Option<&Found>, files: &[(PathBuf, SystemTime)]) -> Report {
    const CHECK: &str = "sshd-reload";
    let (name, verb) = match found.map(|found| &found.serving) {
        Some(Serving::Service { name }) => (name, "reload"),
        // It does not survive a reload.
        Some(Serving::Activated { service, .. }) => (service, "restart"),
        Some(Serving::Socket { name }) => {
            return Report::pass(
                CHECK,
                format!("{name} starts sshd for the next connection, and it reads its files then"),
            );
        }
        Some(Serving::Stopped { .. }) | None => {
            return Report::pass(CHECK, "there is no sshd.service that keeps a configuration");
        }
    };
    let read = found.and_then(|found| found.read).map_or(SystemTime::UNIX_EPOCH, real_time);
    let newer: Vec<String> =
        files.iter().filter(|(_, changed)| *changed > read).map(|(path, _)| path.display().to_string()).collect();
    if newer.is_empty() {
        return Report::pass(CHECK, format!("{name} has read its files since they were changed"));
    }
    let seen = format!("{name} has not read {} since it was changed", newer.join(", "));
    Report::warn(CHECK, seen, format!("sshd -t && systemctl {verb} {name}"))
}

/// `ways-in`.
pub(super) fn ways_in(host: &Host) -> Vec<Report> {
    const CHECK: &str = "ways-in";
    let (Ok(local), Ok(sshd)) = (host.accounts(), Sshd::find(None)) else {
        return vec![Report::unknown(CHECK, "there is no sshd, or no accounts can be read", "")];
    };
    let mut ways = Vec::new();
    let administrators = ways_in::administrators(local, ways_in::caller().as_deref(), &local.members(block::GROUP));
    for account in administrators.into_iter().take(MAX_ADMINISTRATORS) {
        let connection = Connection::new(account.name.to_string(), ELSEWHERE);
        let Ok(options) = sshd.effective(Path::new(sshd::CONFIG), &connection) else {
            return vec![Report::unknown(CHECK, REFUSES, "sshd -t")];
        };
        ways.extend(way(account.name.as_ref(), &options, local));
    }
    let nobody = Finding { severity: super::Severity::Notable, ..ways_in::none_left() };
    let findings = if ways.is_empty() { vec![nobody] } else { Vec::new() };
    vec![Report::of(CHECK, findings, format!("without podspawn there is {}", ways.join(", ")))]
}

fn way(name: &str, options: &Effective, local: &LocalAccounts) -> Option<String> {
    let way = ways_in::way_in(local.account(name)?, options, local, Path::new("/"))?;
    Some(format!("{name} with {way}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn as_many_logins_at_once_as_there_are_users_should_not_be_dropped() {
        assert_eq!(startups("10:30:100", 10).outcome, Outcome::Pass);
        let few = startups("10:30:100", 37);
        assert!(few.outcome == Outcome::Warn && few.remedy.contains("MaxStartups 37:30:74"), "{few:?}");
        assert!(startups("", 1).seen.starts_with("unknown"));
    }

    #[test]
    fn the_program_of_a_session_is_that_of_a_forced_command_like_ours() {
        let of = |text: &str| installed_binary(&Effective::parse_for_test(text));
        assert_eq!(of("forcecommand exec /usr/bin/podspawn spawn"), Some("/usr/bin/podspawn".into()));
        assert_eq!(of("forcecommand /opt/podspawn spawn"), Some("/opt/podspawn".into()));
        for other in ["forcecommand none", "", "forcecommand podspawn spawn", "forcecommand /bin/sh -c x"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn files_that_were_changed_after_sshd_read_them_are_named() {
        let now = SystemTime::now();
        let at = |second| now - Duration::from_secs(100) + Duration::from_secs(second);
        let files = [("/etc/ssh/a".into(), at(10)), ("/etc/ssh/b".into(), at(30))];
        let read = |second: u64| since_boot().checked_sub(Duration::from_secs(100 - second));
        let found = |serving, read| Some(Found { serving, listens: Vec::new(), read });
        let service = |second: u64| found(Serving::Service { name: "ssh.service".into() }, read(second));
        assert_eq!(reload(service(40).as_ref(), &files).outcome, Outcome::Pass);
        let stale = reload(service(20).as_ref(), &files);
        assert!(
            stale.outcome == Outcome::Warn && stale.seen.contains("/etc/ssh/b") && !stale.seen.contains("/etc/ssh/a")
        );
        assert_eq!(stale.remedy, "sshd -t && systemctl reload ssh.service");
        let activated =
            Serving::Activated { service: "ssh.service".into(), socket: "ssh.socket".into(), keeps_connections: true };
        assert_eq!(
            reload(found(activated, read(20)).as_ref(), &files).remedy,
            "sshd -t && systemctl restart ssh.service"
        );
        let socket = Serving::Socket { name: "ssh.socket".into() };
        assert_eq!(reload(found(socket, None).as_ref(), &files).outcome, Outcome::Pass);
    }
}
