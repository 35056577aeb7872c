//! sshd as it is now: what it does for users, whether it runs, and whether it has read its files.

use super::{
    Finding, Host, Report,
    host::{ELSEWHERE, SYSTEMD},
    sshd as judge, ways_in,
};
use crate::{
    accounts::local::LocalAccounts,
    sshd::{self, Connection, Effective, Sshd, block, greeting},
    sys::{clock::since_boot, systemd},
};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What sshd's service and its socket are called: Debian's names, and everybody else's.
const UNITS: [&str; 4] = ["ssh.service", "sshd.service", "ssh.socket", "sshd.socket"];
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
            // Debian's sshd says nothing of its files while its service, which makes that directory, does not run.
            let first = if why.contains("privilege separation directory") {
                Report::unknown("sshd-config", format!("sshd says: {why}"), "see sshd-running")
            } else {
                Report::fail("sshd-config", format!("sshd says: {why}"), "sshd -t")
            };
            let mut reports = vec![first];
            reports.extend(["sshd-users", "sshd-startups"].map(|check| Report::unknown(check, REFUSES, "sshd -t")));
            return reports;
        }
        (_, Err(why)) => {
            return ["sshd-config", "sshd-users", "sshd-startups"].map(|one| Report::unknown(one, why, "")).into();
        }
    };
    let users = host.users();
    let mut entrance = judge::entrance(options, block::GROUP, &users, local);
    for finding in &mut entrance {
        finding.nixos =
            Some(format!("declare it (services.openssh.settings, or extraConfig), and rebuild: {}", finding.remedy));
    }
    let most = u32::try_from(users.len()).unwrap_or(u32::MAX).min(host.settings.config.resources.max_containers);
    vec![
        forced(options, host),
        Report::of("sshd-users", entrance, "sshd's lists and methods let podspawn's users in with their keys"),
        startups(options.value("maxstartups"), most),
    ]
}

fn forced(options: &Effective, host: &Host) -> Report {
    let binary = installed_binary(options).unwrap_or_else(|| host.binary.clone());
    let mut findings = judge::forced(options, &block::Block::new(binary).text());
    for finding in &mut findings {
        "podspawn server-setup, and do what it says; if that is nothing, another Match block comes first: change that"
            .clone_into(&mut finding.remedy);
        finding.nixos = Some(
            "set services.podspawn.enable and rebuild; if it is set, another Match block of services.openssh.extraConfig \
             stands before podspawn's Include: define it without lib.mkOrder"
                .to_owned(),
        );
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
    let addresses = host.sshd_for_a_user().ok().map(|options| {
        let words = options.words("listenaddress");
        words.filter_map(|word| greeting::address(std::iter::once(word))).collect::<Vec<_>>()
    });
    let answers = addresses.as_deref().is_some_and(answers);
    let properties = ["Id", "LoadState", "ActiveState", "StateChangeTimestampMonotonic"];
    let units = host.systemctl.as_ref().map(|systemctl| systemd::show(systemctl, &UNITS, &properties, SYSTEMD));
    let units = match units {
        Some(Ok(units)) => units,
        Some(Err(error)) => return CHECKS.map(|one| Report::unknown(one, &error, "systemctl status ssh")).into(),
        None => Vec::new(),
    };
    let active = units.iter().find(|unit| unit.is_active());
    let here = active.or_else(|| units.iter().find(|unit| unit.property("LoadState") == "loaded"));
    let name = here.map_or("sshd.service", |unit| unit.property("Id"));
    let first = match addresses {
        None if active.is_none() && host.systemctl.is_some() => {
            Report::fail(CHECKS[0], format!("{name} does not run"), format!("systemctl start {name}"))
        }
        None => Report::unknown(CHECKS[0], REFUSES, "sshd -t"),
        Some(_) if answers => Report::pass(CHECKS[0], format!("{name} answers")),
        Some(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let seen = format!("no sshd answers at {}", addresses.join(", "));
            Report::fail(CHECKS[0], seen, format!("systemctl start {name}"))
        }
    };
    let read = active.filter(|unit| unit.property("Id").ends_with(".service"));
    let read = read.and_then(|unit| Some((unit.property("Id"), unit.moment("StateChangeTimestampMonotonic")?)));
    let second = match read {
        Some((name, moment)) => reload(name, real_time(moment), &changed()),
        // Started for each connection by its socket, or by who knows whom.
        None => Report::pass(CHECKS[1], "there is no sshd.service that keeps a configuration"),
    };
    vec![first, second]
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
    let included = fs::read_dir(Path::new(sshd::CONFIG_DIR).join("sshd_config.d")).into_iter().flatten().flatten();
    let files = included.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "conf"));
    let moment = |path: PathBuf| {
        let about = path.metadata().ok()?;
        let nanos = u32::try_from(about.ctime_nsec()).ok()?;
        Some((path, UNIX_EPOCH + Duration::new(u64::try_from(about.ctime()).ok()?, nanos)))
    };
    std::iter::once(PathBuf::from(sshd::CONFIG)).chain(files).filter_map(moment).collect()
}

fn reload(service: &str, read: SystemTime, files: &[(PathBuf, SystemTime)]) -> Report {
    let newer: Vec<String> =
        files.iter().filter(|(_, changed)| *changed > read).map(|(path, _)| path.display().to_string()).collect();
    if newer.is_empty() {
        return Report::pass("sshd-reload", format!("{service} has read its files since they were changed"));
    }
    let seen = format!("{service} has not read {} since it was changed", newer.join(", "));
    Report::warn("sshd-reload", seen, format!("sshd -t && systemctl reload {service}"))
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
        let connection = Connection { user: account.name.to_string(), address: ELSEWHERE };
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
        let at = |second| UNIX_EPOCH + Duration::from_secs(second);
        let files = [("/etc/ssh/a".into(), at(10)), ("/etc/ssh/b".into(), at(30))];
        assert_eq!(reload("ssh.service", at(30), &files).outcome, Outcome::Pass);
        let stale = reload("ssh.service", at(20), &files);
        assert!(
            stale.outcome == Outcome::Warn && stale.seen.contains("/etc/ssh/b") && !stale.seen.contains("/etc/ssh/a")
        );
        assert_eq!(stale.remedy, "sshd -t && systemctl reload ssh.service");
    }
}
