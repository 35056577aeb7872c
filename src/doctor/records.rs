//! Logs: whether they are written, kept, and cut before they fill the disk.

use super::{Finding, Host, Report, host::SYSTEMD};
use crate::{config::AbsolutePath, protocol::varlink::DiagnoseReply, sshd::pattern, sys::program};
use std::{fs, path::Path};

const LOG: &str = "log-file";
const AUDIT: &str = "audit-log";
const JOURNAL: &str = "journal";
const ROTATION: &str = "logrotate";
const ROTATIONS: &str = "/etc/logrotate.d";

/// `log-file`, `audit-log`.
pub(super) fn logs(host: &Host) -> Vec<Report> {
    let log = &host.settings.config.log;
    let broker = host.broker().ok();
    let audit = "who logged in and what they ran is in the journal only";
    vec![
        judge(LOG, log.file.as_ref(), broker, |reply| reply.log_error.as_deref(), "the journal has everything"),
        judge(AUDIT, log.audit_log.as_ref(), broker, |reply| reply.audit_error.as_deref(), audit),
    ]
}

fn judge(
    check: &'static str,
    path: Option<&AbsolutePath>,
    broker: Option<&DiagnoseReply>,
    error: impl Fn(&DiagnoseReply) -> Option<&str>,
    without: &str,
) -> Report {
    let Some(path) = path.map(AbsolutePath::as_path) else {
        return Report::pass(check, format!("none is configured: {without}"));
    };
    let shown = path.display();
    let Some(reply) = broker else {
        return Report::unknown(check, format!("the broker does not say whether it writes {shown}"), "see broker");
    };
    let Some(why) = error(reply) else { return Report::pass(check, format!("the broker writes {shown}")) };
    let parent = path.parent().unwrap_or(path).display();
    let first = format!("see that {shown} is a file of podspawn's, in a directory of podspawn's with room");
    let remedy = format!(
        "{first}; elsewhere than in /var/log/podspawn also: systemctl edit podspawn-broker, [Service] ReadWritePaths={parent}"
    );
    // The module lets the broker write wherever its settings say.
    Report::fail(check, why, remedy).on_nixos(first)
}

/// `journal`, `logrotate`.
pub(super) fn keeping(host: &Host) -> Vec<Report> {
    let log = &host.settings.config.log;
    let paths: Vec<&Path> = [&log.file, &log.audit_log].into_iter().flatten().map(AbsolutePath::as_path).collect();
    let mut texts = Vec::new();
    for entry in fs::read_dir(ROTATIONS).into_iter().flatten().flatten() {
        texts.extend(fs::read_to_string(entry.path()));
    }
    texts.extend(fs::read_to_string("/etc/logrotate.conf"));
    vec![journal(), rotation(&paths, &texts)]
}

fn journal() -> Report {
    let analyze = program::find("systemd-analyze");
    let done = analyze.map(|path| program::run(&path, &["cat-config", "systemd/journald.conf"], b"", SYSTEMD));
    match done {
        Some(Ok(done)) if done.succeeded() => kept(&storage(&done.out), Path::new("/var/log/journal").is_dir()),
        Some(Ok(done)) => {
            Report::unknown(JOURNAL, done.complaint(), "systemd-analyze cat-config systemd/journald.conf")
        }
        Some(Err(error)) => Report::unknown(JOURNAL, error, "systemd-analyze cat-config systemd/journald.conf"),
        None => Report::unknown(JOURNAL, "there is no systemd-analyze to ask", ""),
    }
}

/// The last word on `Storage=`.
fn storage(config: &str) -> String {
    let values = config.lines().filter_map(|line| line.trim().strip_prefix("Storage="));
    values.map(str::trim).next_back().filter(|value| !value.is_empty()).unwrap_or("auto").to_owned()
}

fn kept(storage: &str, has_directory: bool) -> Report {
    const DECLARED: &str = "set services.journald.storage = \"persistent\" and rebuild";
    match (storage, has_directory) {
        ("persistent", _) | ("auto", true) => Report::pass(JOURNAL, "the journal outlives a boot"),
        ("auto", false) => Report::warn(
            JOURNAL,
            "the journal is lost at every boot: there is no /var/log/journal",
            "install -d /var/log/journal && systemctl restart systemd-journald && journalctl --flush",
        )
        .on_nixos(DECLARED),
        (other, _) => Report::warn(
            JOURNAL,
            format!("the journal is lost at every boot: journald has Storage={other}"),
            "set Storage=persistent in /etc/systemd/journald.conf, and systemctl restart systemd-journald",
        )
        .on_nixos(DECLARED),
    }
}

/// `texts` are logrotate's files.
fn rotation(paths: &[&Path], texts: &[String]) -> Report {
    let names = |text: &String, path: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let mut words = lines.flat_map(|line| line.split([' ', '\t', '"', '{'])).filter(|word| word.starts_with('/'));
        words.any(|word| pattern::matches(path, word))
    };
    let mut findings = Vec::new();
    for path in paths {
        let shown = path.display().to_string();
        if !texts.iter().any(|text| names(text, &shown)) {
            findings.push(
                Finding::notable(
                    format!("nothing cuts {shown}, which grows until the disk is full"),
                    format!("install podspawn's file as {ROTATIONS}/podspawn (the package has it), with {shown} in it"),
                )
                .on_nixos("set services.logrotate.enable = true and rebuild"),
            );
        }
    }
    let good = if paths.is_empty() { "there is no log beside the journal to cut" } else { "logrotate cuts every log" };
    Report::of(ROTATION, findings, good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, doctor::Outcome};

    #[test]
    fn a_log_that_cannot_be_written_is_a_fault_and_without_the_broker_unknown() {
        let config = Config::parse("log: {file: /l/p.log}").unwrap();
        let told = |reply: Option<&DiagnoseReply>| {
            judge(LOG, config.log.file.as_ref(), reply, |reply| reply.log_error.as_deref(), "")
        };
        let reply = DiagnoseReply::default();
        assert_eq!(told(Some(&reply)).outcome, Outcome::Pass);
        let failing = DiagnoseReply { log_error: Some("it is a directory".into()), ..reply };
        assert!(
            told(Some(&failing)).outcome == Outcome::Fail && told(Some(&failing)).remedy.contains("ReadWritePaths=/l")
        );
        assert!(told(None).seen.starts_with("unknown"));
        assert_eq!(judge(LOG, None, None, |_| None, "x").outcome, Outcome::Pass);
    }

    #[test]
    fn a_journal_that_is_lost_at_every_boot_is_worth_a_word() {
        let config = "# a\n[Journal]\n#Storage=none\nStorage=volatile\n# b\n[Journal]\nStorage=persistent\n";
        assert_eq!(storage(config), "persistent");
        assert_eq!(storage("[Journal]\n#Storage=auto\n"), "auto");
        let outcomes = [("persistent", false), ("auto", true), ("auto", false), ("volatile", true), ("none", true)];
        let outcomes = outcomes.map(|(storage, directory)| kept(storage, directory).outcome);
        assert_eq!(outcomes, [Outcome::Pass, Outcome::Pass, Outcome::Warn, Outcome::Warn, Outcome::Warn]);
    }

    #[test]
    fn a_log_that_nothing_cuts_is_worth_a_word() {
        let ours = include_str!("../../systemd/logrotate.d/podspawn").to_owned();
        let of = |path: &str| rotation(&[Path::new(path)], std::slice::from_ref(&ours)).outcome;
        assert_eq!((of("/var/log/podspawn/audit.jsonl"), of("/srv/audit.jsonl")), (Outcome::Pass, Outcome::Warn));
        let others = ["# /srv/a.log\n\"/srv/*.jsonl\" {\n}\n".to_owned()];
        assert_eq!(rotation(&[Path::new("/srv/audit.jsonl")], &others).outcome, Outcome::Pass);
        assert_eq!(rotation(&[Path::new("/srv/a.log")], &others).outcome, Outcome::Warn);
        assert_eq!(rotation(&[], &[]).outcome, Outcome::Pass);
    }
}
