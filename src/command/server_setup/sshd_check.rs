//! Compares sshd's options before and after a change, for podspawn's users and for others.

use super::sshd_files::VERB;
use crate::{
    accounts::local::LocalAccounts,
    doctor::{self, Report, ways_in},
    domain::UserName,
    sshd::{ADDRESSES, Connection, ELSEWHERE, Effective, Sshd, SshdError, block::Block, order::Reading},
    sys::clock::unix_days,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The same as [`ADDRESSES`], of IPv6 (RFC 3849).
const IPV6_ADDRESSES: [&str; 2] = ["::1", "2001:db8::1"];
/// Most accounts of each kind that sshd is asked about. Each question is a process of sshd's, before and after.
const MAX_USERS: usize = 12;
/// Most `Match` blocks with a connection of their own, for so many members of the group.
const MAX_BLOCKS: usize = 16;
const MAX_OF_A_BLOCK: usize = 2;
/// A name that no account has: sshd's answer to guesses must not change either.
const UNKNOWN_USER: &str = "podspawn-no-such-user";

/// The options in force for each connection.
pub(super) type Answers = BTreeMap<Connection, Effective>;

/// The users that sshd is asked about.
#[derive(Debug)]
pub(super) struct ProbeUsers {
    /// All accounts in the group, among them the broker's, whose primary group it is.
    members: Vec<UserName>,
    ours: Vec<String>,
    others: Vec<String>,
}

impl ProbeUsers {
    pub(super) fn of(local: &LocalAccounts, group: &str, caller: Option<&str>) -> Self {
        let members = local.members(group);
        let mut others: Vec<String> =
            ways_in::administrators(local, caller, &members).iter().map(|account| account.name.to_string()).collect();
        // Then accounts of persons, then those of services.
        let mut rest: Vec<_> = local.accounts.iter().filter(|account| !members.contains(&account.name)).collect();
        rest.sort_by_key(|account| account.uid < 1000);
        others.extend(rest.iter().map(|account| account.name.to_string()));
        others.insert(others.len().min(1), UNKNOWN_USER.to_owned());
        let mut seen = std::collections::BTreeSet::new();
        others.retain(|name| seen.insert(name.clone()));
        others.truncate(MAX_USERS);
        let ours = members.iter().take(MAX_USERS).map(ToString::to_string).collect();
        Self { members, ours, others }
    }

    /// The members without the broker's account.
    pub(super) fn logins(&self, group: &str) -> Vec<UserName> {
        self.members.iter().filter(|name| name.as_ref() != group).cloned().collect()
    }

    /// Connections of every user from each address, and one that matches each of `reading`'s blocks.
    pub(super) fn connections(&self, reading: &Reading) -> BTreeSet<Connection> {
        let from = |user: &String, addresses: &[&str]| -> Vec<Connection> {
            addresses.iter().map(|address| Connection::new(user, address)).collect()
        };
        let each = self.ours.iter().chain(&self.others).flat_map(|user| from(user, &ADDRESSES));
        let some = || self.ours.iter().take(MAX_OF_A_BLOCK);
        let ipv6 = some().flat_map(|user| from(user, &IPV6_ADDRESSES));
        let blocks = reading.blocks.iter().take(MAX_BLOCKS);
        let like = blocks.flat_map(|block| some().map(move |user| Connection::like(block, user)));
        each.chain(ipv6).chain(like).collect()
    }

    /// The number of members and of others, for the report.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.ours.len(), self.others.len())
    }
}

/// sshd and the accounts that a configuration is checked with.
pub(super) struct SshdCheck<'a> {
    pub(super) sshd: &'a Sshd,
    pub(super) local: &'a LocalAccounts,
    pub(super) root: &'a Path,
    pub(super) group: &'a str,
    pub(super) caller: Option<&'a str>,
    pub(super) users: &'a ProbeUsers,
}

impl SshdCheck<'_> {
    /// The options of `config` for `connections`.
    pub(super) fn ask(&self, config: &Path, connections: &BTreeSet<Connection>) -> Result<Answers, SshdError> {
        let ask = |connection: &Connection| Ok((connection.clone(), self.sshd.effective(config, connection)?));
        connections.iter().map(ask).collect()
    }

    /// The faults of `after`: podspawn's users have to get `block`, and all others what they had `before`.
    pub(super) fn compare(&self, before: &Answers, after: &Answers, block: &Block, reading: &Reading) -> Vec<Report> {
        let mut findings: Vec<Report> = doctor::sshd::config::read_before(reading, block).into_iter().collect();
        let logins = self.users.logins(self.group);
        for options in of(after, &self.users.ours) {
            findings.extend(doctor::sshd::config::forced(options, &block.text()));
        }
        if let Some(options) = of(after, &self.users.ours).next() {
            let own = |name: &UserName| after.get(&Connection::new(name.as_ref(), ELSEWHERE));
            findings.extend(doctor::sshd::users::obstacles(options, self.group, &logins, self.local, &own));
            findings.extend(doctor::accounts_open::closed(options, &logins, self.local, unix_days()));
        }
        findings.extend(of(before, &self.users.others).next().and_then(doctor::sshd::users::foreign_command));
        findings.extend(self.unchanged(before, after));
        if self.ways_in(after).is_empty() {
            findings.push(ways_in::none_left());
        }
        let mut seen = Vec::new();
        findings.retain(|finding| !seen.contains(finding) && (seen.push(finding.clone()), true).1);
        findings
    }

    /// The faults of `after`, which has no block: no podspawn user may get the host's own shell by its removal.
    pub(super) fn compare_removal(&self, before: &Answers, after: &Answers) -> Vec<Report> {
        let mut findings = self.unchanged(before, after);
        for name in self.users.logins(self.group) {
            let Some(account) = self.local.account(name.as_ref()) else { continue };
            let user = [name.to_string()];
            let way = of(after, &user).find_map(|options| ways_in::way_in(account, options, self.local, self.root));
            if let Some(way) = way {
                findings.push(Report::fail(
                    VERB,
                    format!("without podspawn, {name} would log in to this host itself, with {way}"),
                    format!("podspawn remove-user {name} first, or gpasswd --delete {name} podspawn if that is meant"),
                ));
            }
        }
        findings
    }

    /// The administrators who can log in without podspawn, each with the way.
    pub(super) fn ways_in(&self, answers: &Answers) -> Vec<String> {
        let administrators = ways_in::administrators(self.local, self.caller, &self.users.members);
        let mut ways = Vec::new();
        for account in administrators {
            let user = [account.name.to_string()];
            let way = of(answers, &user).find_map(|options| ways_in::way_in(account, options, self.local, self.root));
            ways.extend(way.map(|way| format!("{} with {way}", account.name)));
        }
        ways
    }

    fn unchanged(&self, before: &Answers, after: &Answers) -> Vec<Report> {
        let mut findings = Vec::new();
        for user in &self.users.others {
            for address in ADDRESSES {
                let key = Connection::new(user, address);
                let (Some(before), Some(after)) = (before.get(&key), after.get(&key)) else { continue };
                let changed = before.differences(after);
                if !changed.is_empty() {
                    findings.push(Report::fail(
                        VERB,
                        format!("sshd would change {} for {user}, who is not podspawn's", changed.join(", ")),
                        "a Match block before podspawn's is not closed: look at the end of the file before it",
                    ));
                    break;
                }
            }
        }
        findings
    }
}

/// The answers about `users`.
fn of<'a>(answers: &'a Answers, users: &'a [String]) -> impl Iterator<Item = &'a Effective> {
    answers.iter().filter(|(connection, _)| users.contains(&connection.user)).map(|(_, options)| options)
}

/// Where accounts and their key files are.
pub(super) fn root() -> PathBuf {
    PathBuf::from("/")
}
