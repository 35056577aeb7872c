//! What a guest finds out about an image in a container that exists for nothing else.
//!
//! One packet of JSON from guest to broker, which hands it on to who asked. Both are of one version: the guest is always
//! the broker's own copy. What an image says is its own affair, so all of it is bounded, and nothing follows from it but
//! a line for the administrator.

use crate::domain::text::one_line;
use serde::{Deserialize, Serialize};

/// The guest's option to look at the image instead of serving a session, and the shell to prefer, behind a `=`.
pub const EXAMINE: &str = "--examine";
/// The login that an account is made for.
pub const LOGIN: &str = "podspawn-verify";
/// Largest packet, in bytes.
pub const MAX_FACTS_BYTES: usize = 32 * 1024;
/// Longest text in it, in characters.
pub const MAX_TEXT: usize = 160;
/// Most entries of a list in it.
pub const MAX_LISTED: usize = 8;

/// What an image has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Facts {
    /// The machine that this host's programs are for, as ELF numbers it.
    pub host_machine: u32,
    /// The machine that the image's programs are for; absent where none of those that were looked at is one.
    pub image_machine: Option<u32>,
    /// The account that was made for the login, or why it could not be.
    pub account: Account,
    /// The shell that a login would get, and how `-c 'exit 7'` ended.
    pub shell: Option<Program>,
    /// The image's SFTP server.
    pub sftp_server: Option<String>,
    /// `git`, and what `--version` said.
    pub git: Option<Program>,
    /// `rsync`.
    pub rsync: Option<String>,
    /// `scp`.
    pub scp: Option<String>,
    /// UTF-8 locales.
    pub locales: Vec<String>,
    /// Whether the C library is musl, for which every locale is UTF-8.
    pub is_musl: bool,
    /// The file with the certificates of authorities.
    pub certificates: Option<String>,
    /// Whether there are time zones.
    pub has_zones: bool,
    /// Whether set-uid programs gain nothing.
    pub no_new_privileges: bool,
    /// Set-uid programs in the usual places, root's.
    pub set_uid: Vec<String>,
}

/// The account of a login.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Account {
    /// Its uid; absent if it could not be made.
    pub uid: Option<u32>,
    /// Why not, if it could not; or why it cannot be written down.
    pub problem: Option<String>,
    /// The account or group of the image that has the id of the user's own, if the account could not have it.
    pub holder: Option<String>,
    /// Its home.
    pub home: String,
    /// Why it cannot write there.
    pub home_problem: Option<String>,
    /// Why it cannot write to `/tmp`.
    pub temporary_problem: Option<String>,
}

/// A program that was run as the login's user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Program {
    /// Where it is.
    pub path: String,
    /// Its exit code.
    pub code: Option<i32>,
    /// The first line that it said.
    pub said: String,
    /// Why it could not be run, or did not end.
    pub problem: Option<String>,
}

/// `text` as it may stand in a fact: one line, and not without end.
#[must_use]
pub fn bounded(text: &str) -> String {
    one_line(text.trim()).chars().take(MAX_TEXT).collect()
}

impl Facts {
    /// The bytes of a packet.
    pub fn encode(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    /// What is in a packet, within the bounds whatever its sender made of them.
    pub fn decode(bytes: &[u8]) -> serde_json::Result<Self> {
        let mut facts: Self = serde_json::from_slice(&bytes[..bytes.len().min(MAX_FACTS_BYTES)])?;
        let Self { account, shell, sftp_server, git, rsync, scp, locales, certificates, set_uid, .. } = &mut facts;
        let Account { problem, holder, home, home_problem, temporary_problem, .. } = account;
        let programs = [shell, git].into_iter().flatten();
        let texts = programs.flat_map(|Program { path, said, problem, .. }| [Some(path), Some(said), problem.as_mut()]);
        let others = [problem, holder, home_problem, temporary_problem, sftp_server, rsync, scp, certificates];
        let all = texts.flatten().chain(others.into_iter().flatten()).chain([home]);
        all.chain(locales.iter_mut()).chain(set_uid.iter_mut()).for_each(|text| *text = bounded(text));
        facts.locales.truncate(MAX_LISTED);
        facts.set_uid.truncate(MAX_LISTED);
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text::is_plain;

    #[test]
    fn facts_come_through_and_what_a_hostile_guest_makes_of_them_is_bounded() {
        let program = Program { path: "/bin/sh".into(), code: Some(7), said: "hi".into(), problem: None };
        let mut facts = Facts { shell: Some(program), locales: vec!["C.UTF-8".into()], ..Facts::default() };
        assert_eq!(Facts::decode(&facts.encode().unwrap()).unwrap(), facts);
        facts.locales = vec!["x\x1b[2J\n".repeat(100); 20];
        facts.account.home = "y".repeat(5000);
        // Longer than a packet may be.
        let long = vec![b' '; MAX_FACTS_BYTES + 1];
        assert!(Facts::decode(&[&long, &facts.encode().unwrap()[..]].concat()).is_err());
        let read = Facts::decode(&facts.encode().unwrap()).unwrap();
        assert_eq!((read.locales.len(), read.account.home.len()), (MAX_LISTED, MAX_TEXT));
        assert!(read.locales.iter().all(|name| name.chars().count() == MAX_TEXT && name.chars().all(is_plain)));
    }

    #[test]
    fn facts_of_every_field_at_its_bound_fit_a_packet() {
        let text = || "\u{10ffff}".repeat(MAX_TEXT);
        let program = || Some(Program { path: text(), code: Some(i32::MIN), said: text(), problem: Some(text()) });
        let facts = Facts {
            account: Account {
                problem: Some(text()),
                holder: Some(text()),
                home: text(),
                home_problem: Some(text()),
                temporary_problem: Some(text()),
                ..Account::default()
            },
            shell: program(),
            git: program(),
            sftp_server: Some(text()),
            rsync: Some(text()),
            scp: Some(text()),
            certificates: Some(text()),
            locales: vec![text(); MAX_LISTED],
            set_uid: vec![text(); MAX_LISTED],
            ..Facts::default()
        };
        let bytes = facts.encode().unwrap();
        assert!(bytes.len() <= MAX_FACTS_BYTES, "{}", bytes.len());
        assert_eq!(Facts::decode(&bytes).unwrap(), facts);
    }
}
