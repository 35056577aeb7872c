//! Whether sshd lets podspawn's users in, gives them podspawn's command, and nothing beside it.

use super::Finding;
use crate::{
    accounts::local::{LocalAccounts, Password},
    domain::UserName,
    sshd::{Effective, Version, block, order::Reading, pattern},
};

/// The first OpenSSH whose sshd is what the drop-in is written for: 8.7 gave `KbdInteractiveAuthentication` its name,
/// and 8.8 is the oldest that podspawn is tested with.
pub const OLDEST: Version = Version(8, 8);

/// Whether sshd is new enough.
#[must_use]
pub fn version(version: Version) -> Option<Finding> {
    (version < OLDEST).then(|| {
        let remedy = format!("podspawn needs {OLDEST} or later; upgrade the distribution's OpenSSH");
        Finding::broken(format!("this is OpenSSH {version}"), remedy)
    })
}

/// What a client may never set for a program of the host: how programs are loaded, and what a shell runs first.
const HARMFUL: [&str; 8] =
    ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "BASH_ENV", "ENV", "BASH_FUNC_x%%", "PATH"];

/// Most blocks of others that one line names.
const MOST_TOLD: usize = 4;

/// The blocks that are read before `block` and set what it sets. sshd takes the first value, so that for some user, or
/// from somewhere, theirs could be in force, whatever they ask for.
#[must_use]
pub fn first(reading: &Reading, block: &block::Block) -> Vec<Finding> {
    let before = reading.before(block);
    if before.is_empty() {
        return Vec::new();
    }
    let mut told: Vec<String> = before.iter().take(MOST_TOLD).map(ToString::to_string).collect();
    if before.len() > MOST_TOLD {
        told.push(format!("{} more", before.len() - MOST_TOLD));
    }
    let what = format!("sshd reads before podspawn's block, and takes the first value: {}", told.join(", "));
    let nixos = "define it in services.openssh.extraConfig without lib.mkOrder: podspawn's block is first then";
    vec![Finding::broken(what, "podspawn server-setup").on_nixos(nixos)]
}

/// What is wrong with `options`, which are in force for a member of the group, against the block that was written.
#[must_use]
pub fn forced(options: &Effective, block: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, wanted) in block::options(block) {
        let is_so = if name == "acceptenv" {
            // Those of the whole server are in force as well.
            wanted.split(' ').all(|word| options.words(&name).any(|found| found == word))
        } else {
            options.value(&name) == wanted
        };
        if !is_so {
            let found = options.value(&name);
            findings.push(Finding::broken(
                format!("for podspawn's users, sshd has {name} {found:?} and not {wanted:?}"),
                "another Match block says so, and sshd takes the first value it finds: change that block",
            ));
        }
        if name == "acceptenv" {
            let added = options.words(&name).filter(|word| !wanted.split(' ').any(|own| own == *word));
            let harmful = added.filter(|word| HARMFUL.iter().any(|variable| pattern::matches(variable, word)));
            findings.extend(harmful.map(|word| {
                Finding::broken(
                    format!("for podspawn's users, sshd has AcceptEnv {word}, and podspawn runs on the host with it"),
                    "another Match block adds it: change that block, or exclude group podspawn from it",
                )
            }));
        }
    }
    findings
}

/// What keeps `members` of `group` from a login that their keys would give them. `options` are in force for one of them,
/// and `own` are those of a member, as far as sshd was asked: what is for some of them alone is found by these.
#[must_use]
pub fn entrance<'a>(
    options: &'a Effective,
    group: &str,
    members: &[UserName],
    local: &LocalAccounts,
    own: &dyn Fn(&UserName) -> Option<&'a Effective>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for options in std::iter::once(options).chain(members.iter().filter_map(own)) {
        for finding in obstacles(options) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    let place = findings.iter().position(|finding| !finding.is_broken()).unwrap_or(findings.len());
    findings.splice(place..place, lists(group, members, local, &|name| own(name).unwrap_or(options), options));
    findings
}

/// What `options` have that keeps a user out, or keeps something from working.
fn obstacles(options: &Effective) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !options.is_yes("pubkeyauthentication") {
        findings.push(Finding::broken(
            "sshd has PubkeyAuthentication no, and podspawn's users have nothing but keys",
            "set PubkeyAuthentication yes, or set it in a Match Group podspawn block before podspawn's",
        ));
    }
    let methods: Vec<&str> = options.words("authenticationmethods").collect();
    if !methods.is_empty() && !methods.iter().any(|method| ["any", "publickey"].contains(method)) {
        findings.push(Finding::broken(
            format!("sshd has AuthenticationMethods {}, and podspawn's users have nothing but keys", methods.join(" ")),
            "set AuthenticationMethods publickey in a Match Group podspawn block before podspawn's",
        ));
    }
    if let Some(directory) = options.named("chrootdirectory") {
        findings.push(Finding::broken(
            format!("sshd has ChrootDirectory {directory}, where there is no podspawn"),
            "set ChrootDirectory none in a Match Group podspawn block before podspawn's",
        ));
    }
    if options.is_yes("refuseconnection") {
        findings.push(Finding::broken(
            "sshd has RefuseConnection yes",
            "take it out, or put it into a Match block that is not for group podspawn",
        ));
    }
    if options.value("maxsessions") == "0" {
        findings.push(Finding::broken("sshd has MaxSessions 0, so nobody gets a session", "set it to 10 or more"));
    }
    if !options.words("subsystem").any(|word| word == "sftp") {
        findings.push(Finding::notable(
            "sshd has no subsystem sftp, so sftp and scp fail",
            "add to sshd_config, before any Match: Subsystem sftp internal-sftp",
        ));
    }
    if options.is_yes("disableforwarding") {
        findings.push(Finding::notable(
            "sshd has DisableForwarding yes, so ssh -A does not work",
            "set DisableForwarding no in a Match Group podspawn block before podspawn's, if it should",
        ));
    }
    findings
}

/// Who is kept out by sshd's lists: everybody is a fault, some may be meant. `any` are in force where there is no member.
fn lists<'a>(
    group: &str,
    members: &[UserName],
    local: &LocalAccounts,
    own: &dyn Fn(&UserName) -> &'a Effective,
    any: &Effective,
) -> Option<Finding> {
    let excluded = |name: &str, options: &Effective| {
        let mut groups = local.account(name).map(|account| local.groups_of(account)).unwrap_or_default();
        groups.push(group.to_owned());
        pattern::excluded_by(options, name, &groups)
    };
    let remedy = |list| match list {
        "AllowUsers" => "add their names, or use AllowGroups with group podspawn in place of AllowUsers",
        "AllowGroups" => "add group podspawn to AllowGroups",
        "DenyUsers" => "take their names out of DenyUsers",
        _ => "take group podspawn out of DenyGroups",
    };
    if members.is_empty() {
        // No name can be in the list yet; one that every name fits is.
        let list = excluded("podspawn-user", any)?;
        return Some(Finding::broken(format!("sshd's {list} leaves out podspawn's users"), remedy(list)));
    }
    let out: Vec<(&UserName, &str)> =
        members.iter().filter_map(|name| excluded(name.as_ref(), own(name)).map(|list| (name, list))).collect();
    let (_, list) = *out.first()?;
    let names: Vec<&str> = out.iter().map(|(name, _)| name.as_ref()).take(5).collect();
    let what = format!("sshd's {list} leaves out {}", names.join(", "));
    Some(if out.len() == members.len() {
        Finding::broken(what, remedy(list))
    } else {
        Finding::notable(what, remedy(list))
    })
}

/// The members that cannot log in for what their account says.
#[must_use]
pub fn locked(options: &Effective, members: &[UserName], local: &LocalAccounts, day: i64) -> Vec<Finding> {
    let has_pam = options.is_yes("usepam");
    let mut findings = Vec::new();
    for name in members {
        let Some(shadow) = local.shadow(name.as_ref()) else { continue };
        if matches!(shadow.password, Password::Locked | Password::LockedHash) && !has_pam {
            findings.push(
                Finding::notable(
                    format!("{name} is locked, and sshd has UsePAM no, so that it refuses locked accounts"),
                    format!("podspawn add-user {name} opens it, as does usermod --password '*' {name}"),
                )
                .on_nixos(format!(
                    "set users.users.{name}.hashedPassword = \"*\", or services.openssh.settings.UsePAM = true"
                )),
            );
        }
        if shadow.is_expired(day) {
            findings.push(Finding::notable(
                format!("the account {name} is expired"),
                format!("usermod --expiredate '' {name}"),
            ));
        }
    }
    findings
}

/// Another tool's keys for everybody else, which our block leaves alone.
#[must_use]
pub fn foreign_command(others: &Effective) -> Option<Finding> {
    let command = others.named("authorizedkeyscommand")?;
    let what = format!("sshd asks {command} for keys: it goes on to do so for everybody but members of group podspawn");
    Some(Finding::notable(what, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Effective {
        Effective::parse_for_test(&format!("pubkeyauthentication yes\nsubsystem sftp x\nusepam yes\n{text}"))
    }

    fn names(names: &[&str]) -> Vec<UserName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn told(text: &str, members: &[&str]) -> Vec<Finding> {
        entrance(&options(text), block::GROUP, &names(members), &LocalAccounts::default(), &|_| None)
    }

    #[test]
    fn what_keeps_everybody_out_is_a_fault_with_a_remedy() {
        assert_eq!(told("maxsessions 10\nauthenticationmethods any\nchrootdirectory none", &[]), []);
        for (text, word) in [
            ("authenticationmethods publickey,password", "AuthenticationMethods"),
            ("chrootdirectory /srv", "ChrootDirectory"),
            ("refuseconnection yes", "RefuseConnection"),
            ("maxsessions 0", "MaxSessions"),
            ("allowusers root", "AllowUsers"),
            ("allowgroups sudo", "AllowGroups"),
            ("denyusers *", "DenyUsers"),
            ("denygroups podspawn", "DenyGroups"),
        ] {
            for members in [&[][..], &["alice"]] {
                let found = told(text, members);
                assert!(found.len() == 1 && found[0].is_broken() && found[0].what.contains(word), "{text}: {found:?}");
            }
        }
        let off = entrance(
            &Effective::parse_for_test("pubkeyauthentication no"),
            block::GROUP,
            &[],
            &LocalAccounts::default(),
            &|_| None,
        );
        assert!(off[0].is_broken() && off[0].what.contains("PubkeyAuthentication"), "{off:?}");
    }

    #[test]
    fn a_list_that_leaves_out_some_is_worth_a_word() {
        let found = told("allowusers alice", &["alice", "bob"]);
        assert!(!found[0].is_broken() && found[0].what.contains("bob"), "{found:?}");
        assert_eq!(told("allowgroups sudo\nallowgroups podspawn", &["alice"]), []);
        // A list, or anything else, that is for one of them alone.
        for (text, what) in [("denyusers *", "DenyUsers leaves out bob"), ("maxsessions 0", "MaxSessions 0")] {
            let (any, his) = (options(""), options(text));
            let own = |name: &UserName| (name.as_ref() == "bob").then_some(&his);
            let found = entrance(&any, block::GROUP, &names(&["alice", "bob"]), &LocalAccounts::default(), &own);
            assert!(found.len() == 1 && found[0].what.contains(what), "{found:?}");
        }
    }

    #[test]
    fn an_environment_that_another_block_adds_is_a_fault_if_it_is_one_for_the_host() {
        let block = "Match Group podspawn\n    AcceptEnv LANG LC_*\n";
        let found = |more: &str| {
            let text = format!("acceptenv LANG\nacceptenv LC_*\nacceptenv {more}\n");
            forced(&Effective::parse_for_test(&text), block)
        };
        for harmless in ["GIT_*", "TZ", "LC_*"] {
            assert_eq!(found(harmless), [], "{harmless}");
        }
        for harmful in ["*", "LD_*", "LD_PRELOAD", "BASH_ENV", "E*"] {
            assert!(found(harmful).len() == 1 && found(harmful)[0].is_broken(), "{harmful}");
        }
    }

    #[test]
    fn another_value_than_that_of_the_block_is_a_fault() {
        let block = "Match Group podspawn\n    ForceCommand exec /usr/bin/podspawn spawn\n    AcceptEnv A B\n    PermitTTY yes\n";
        let good = "forcecommand exec /usr/bin/podspawn spawn\nacceptenv B\nacceptenv X\nacceptenv A\npermittty yes\n";
        assert_eq!(forced(&Effective::parse_for_test(good), block), []);
        for bad in [good.replace("/usr", ""), good.replace("acceptenv A\n", ""), good.replace("tty yes", "tty no")] {
            let found = forced(&Effective::parse_for_test(&bad), block);
            assert!(found.len() == 1 && found[0].is_broken(), "{bad}: {found:?}");
        }
        let ours = block::Block::new("/usr/bin/podspawn".into()).text();
        assert!(forced(&Effective::default(), &ours).len() > 15);
    }

    #[test]
    fn an_old_sshd_and_a_locked_account_are_told() {
        assert!(version(Version(8, 7)).is_some_and(|finding| finding.is_broken()));
        assert_eq!(version(Version(10, 0)), None);
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/shadow"), "alice:!:1::::::\nbob:*:1:::::50:\ncarol:*:1::::::\n").unwrap();
        let local = LocalAccounts::read(root.path()).unwrap();
        let members = names(&["alice", "bob", "carol", "ghost"]);
        let what = |pam: &str| -> Vec<String> {
            let options = Effective::parse_for_test(pam);
            locked(&options, &members, &local, 60).into_iter().map(|finding| finding.what).collect()
        };
        assert_eq!(what("usepam yes"), ["the account bob is expired"]);
        assert_eq!(what("usepam no").len(), 2);
    }
}
