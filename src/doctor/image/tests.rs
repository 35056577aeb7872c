use super::*;
use crate::{doctor::Outcome, protocol::examination::Account};

fn program(path: &str, code: i32, said: &str) -> Program {
    Program { path: path.into(), code: Some(code), said: said.into(), problem: None }
}

fn good() -> Facts {
    Facts {
        host_machine: 62,
        image_machine: Some(62),
        account: Account { uid: Some(1000), home: "/home/x".into(), ..Account::default() },
        shell: Some(program("/bin/bash", 7, "")),
        sftp_server: Some("/usr/lib/openssh/sftp-server".into()),
        git: Some(program("/usr/bin/git", 0, "git version 2.39.5")),
        rsync: Some("/usr/bin/rsync".into()),
        scp: Some("/usr/bin/scp".into()),
        locales: vec!["C.utf8".into(), "en_US.utf8".into()],
        certificates: Some("/etc/ssl/certs/ca-certificates.crt".into()),
        has_zones: true,
        no_new_privileges: true,
        ..Facts::default()
    }
}

/// The lines that are no pass.
fn wrong(change: impl FnOnce(&mut Facts)) -> Vec<Report> {
    let mut facts = good();
    change(&mut facts);
    let mut lines = lines(&facts, &Wanted { shell: "/bin/bash" });
    lines.retain(|line| line.outcome != Outcome::Pass);
    lines
}

fn only(change: impl FnOnce(&mut Facts)) -> Report {
    let mut wrong = wrong(change);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    let line = wrong.remove(0);
    assert!(!line.remedy.is_empty() && line.remedy.is_ascii() && line.seen.is_ascii(), "{line:?}");
    line
}

#[test]
fn an_image_with_everything_passes_everywhere() {
    assert_eq!(wrong(|_| ()), []);
    assert_eq!(lines(&good(), &Wanted { shell: "/bin/bash" }).len(), 12);
}

#[test]
fn a_part_that_keeps_users_from_working_fails_at_its_own_line() {
    type Change = fn(&mut Facts);
    let broken: [(Change, &str, &str); 6] = [
        (|facts| facts.account.home_problem = Some("Read-only".into()), "home", "Read-only"),
        (|facts| facts.shell = None, "shell", "/bin/bash"),
        (|facts| facts.shell = Some(program("/bin/bash", 127, "no libc")), "shell", "no libc"),
        (|facts| facts.shell.as_mut().unwrap().problem = Some("its loader is missing".into()), "shell", "loader"),
        (|facts| facts.git.as_mut().unwrap().code = Some(1), "git", "ended with 1"),
        (|facts| facts.git.as_mut().unwrap().problem = Some("no end".into()), "git", "no end"),
    ];
    for (change, check, word) in broken {
        let line = only(change);
        assert_eq!((line.check, line.outcome), (check, Outcome::Fail), "{line:?}");
        assert!(line.seen.contains(word), "{line:?}");
    }
}

#[test]
fn a_part_that_some_users_miss_is_a_warning() {
    type Change = fn(&mut Facts);
    let missing: [(Change, &str); 8] = [
        (|facts| facts.git = None, "git"),
        (|facts| facts.rsync = None, "rsync, scp"),
        (|facts| facts.locales.clear(), "locale"),
        (|facts| facts.locales = vec!["de_DE.utf8".into()], "locale"),
        (|facts| facts.certificates = None, "certificates"),
        (|facts| facts.account.problem = Some("read-only".into()), "account"),
        (|facts| facts.account.temporary_problem = Some("read-only".into()), "tmp"),
        (|facts| facts.set_uid = vec!["sudo".into(), "su".into()], "set-uid"),
    ];
    for (change, check) in missing {
        let line = only(change);
        assert_eq!((line.check, line.outcome), (check, Outcome::Warn), "{line:?}");
    }
}

#[test]
fn a_part_that_podspawn_replaces_passes_and_the_report_says_so() {
    let seen = |change: fn(&mut Facts), check: &str| {
        let mut facts = good();
        change(&mut facts);
        let lines = lines(&facts, &Wanted { shell: "/bin/bash" });
        let line = lines.into_iter().find(|line| line.check == check).unwrap();
        assert_eq!(line.outcome, Outcome::Pass, "{line:?}");
        line.seen
    };
    assert!(seen(|facts| facts.sftp_server = None, "sftp").contains("podspawn's own"));
    assert!(seen(|facts| facts.shell = Some(program("/bin/ash", 7, "")), "shell").contains("in place of /bin/bash"));
    let musl: fn(&mut Facts) = |facts| (facts.is_musl, facts.locales) = (true, Vec::new());
    assert!(seen(musl, "locale").contains("musl"));
    assert!(seen(|facts| facts.set_uid = vec!["su".into()], "set-uid").contains("without effect"));
    assert_eq!(seen(|_| (), "account"), "a login gets the user's own uid");
    assert!(seen(|facts| facts.image_machine = None, "architecture").contains("starts"));
    assert!(seen(|facts| facts.scp = None, "rsync, scp").contains("scp -O"));
}

#[test]
fn set_uid_programs_that_work_are_named_and_an_image_without_accounts_ends_the_list() {
    let line = only(|facts| (facts.no_new_privileges, facts.set_uid) = (false, vec!["su".into()]));
    assert!(line.seen.contains("become root"), "{line:?}");
    let mut facts = good();
    facts.account = Account { problem: Some("/etc/passwd is not a regular file".into()), ..Account::default() };
    let lines = lines(&facts, &Wanted { shell: "/bin/bash" });
    assert_eq!((lines.len(), lines[1].outcome), (2, Outcome::Fail));
}

#[test]
fn another_machines_image_fails_unless_it_runs_by_emulation() {
    let line = only(|facts| facts.image_machine = Some(183));
    assert!(line.outcome == Outcome::Warn && line.seen.contains("emulation"), "{line:?}");
    let lines = wrong(|facts| {
        facts.image_machine = Some(183);
        facts.shell.as_mut().unwrap().code = None;
    });
    assert_eq!((lines[0].check, lines[0].outcome, lines[1].check), ("architecture", Outcome::Fail, "shell"));
    assert!(lines[0].seen.contains("aarch64") && lines[0].remedy.contains("linux/amd64"), "{lines:?}");
}
