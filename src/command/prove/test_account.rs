//! The account that logs in: made as `add-user` makes one, and removed as `remove-user --force --purge` does.

use super::work_dir::WorkDir;
use crate::{
    accounts::{Accounts, local::LocalAccounts},
    command::{
        add_user::account::{self, Activity},
        auth_keys::configured_key_dir,
        former::Formers,
        keys::{Key, KeyDir, KeyFile, READERS},
        list::Broker,
        remove_user,
    },
    domain::{UserName, chain, text::hex},
    protocol::varlink::{Own, SOCKET_PATH, methods::List},
    sys::{immutable, program, random},
};
use anyhow::Context as _;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// How each account's name begins; eight digits follow. `add-user` makes none like it unless it is asked to.
const PREFIX: &str = "podspawn-prove-";
const DIGITS: usize = 8;
/// The option of NixOS that lets accounts be made and removed on the host.
const NIX_OPTION: &str = "services.podspawn.mutableUsers = true";
/// How long a key may take: some milliseconds, unless the machine is busy.
const KEYGEN: Duration = Duration::from_secs(30);

/// The account, its key, and its name.
pub(super) struct TestAccount {
    name: UserName,
    key: PathBuf,
    public: String,
    gone: bool,
}

impl TestAccount {
    /// Makes account and key; removes both if one of them fails.
    pub(super) fn make(work_dir: &WorkDir) -> anyhow::Result<Self> {
        let bytes = random::bytes::<{ DIGITS / 2 }>().context("no random numbers")?;
        let name: UserName = format!("{PREFIX}{}", hex(&bytes)).parse()?;
        let mut account = Self { name, key: work_dir.file("key"), public: String::new(), gone: false };
        account.public = generate(&account.key, &account.name)?;
        account.install()?;
        Ok(account)
    }

    /// Makes the account on this host, with its key.
    fn install(&self) -> anyhow::Result<()> {
        let (local, accounts) = (LocalAccounts::read(Path::new("/"))?, Accounts::new());
        let directory = KeyDir::lock()?;
        let path = directory.file(&self.name);
        if let Some(immutable) = immutable::check(&path) {
            anyhow::bail!("{}", immutable.message(&path, NIX_OPTION));
        }
        let found = account::find(&self.name, &local, &accounts, &Formers::new())?;
        anyhow::ensure!(found.1.is_none(), "there is an account {} already", self.name);
        let readers = accounts.group(READERS).with_context(|| format!("group {READERS}: run podspawn server-setup"))?;
        for step in account::plan(&self.name, &found, &local, &Activity::default(), false)?.steps {
            step.run(&self.name)?;
        }
        let key = Key::parse(self.public.as_bytes()).map_err(anyhow::Error::msg)?.context("ssh-keygen made no key")?;
        let mut file = KeyFile::default();
        file.add(&key)?;
        file.write(&path, readers)
    }

    pub(super) fn name(&self) -> &UserName {
        &self.name
    }

    /// The file of the private key.
    pub(super) fn key(&self) -> &Path {
        &self.key
    }

    /// The key itself, in base64.
    pub(super) fn blob(&self) -> &str {
        self.public.split(' ').nth(1).unwrap_or_default()
    }

    /// Removes everything of it, and makes sure.
    pub(super) fn leave(mut self) -> anyhow::Result<()> {
        self.gone = true;
        remove(self.name.as_ref())
    }
}

impl Drop for TestAccount {
    fn drop(&mut self) {
        if !self.gone
            && let Err(error) = remove(self.name.as_ref())
        {
            // Another error is being reported; the next run removes the rest.
            tracing::warn!("removing {}: {}", self.name, chain(error.as_ref()));
        }
    }
}

fn generate(path: &Path, name: &UserName) -> anyhow::Result<String> {
    let keygen = program::find("ssh-keygen").context("there is no ssh-keygen")?;
    let file = path.to_string_lossy();
    let done = program::run(&keygen, &["-q", "-t", "ed25519", "-N", "", "-C", name.as_ref(), "-f", &file], b"", KEYGEN)
        .context("running ssh-keygen")?;
    anyhow::ensure!(done.succeeded(), "ssh-keygen: {}", done.complaint());
    Ok(fs::read_to_string(path.with_extension("pub")).context("the key that ssh-keygen made")?.trim().to_owned())
}

/// The names of accounts and key files that a run has left.
pub(super) fn left() -> Vec<String> {
    let accounts = LocalAccounts::read(Path::new("/")).map(|local| local.accounts).unwrap_or_default();
    let accounts = accounts.into_iter().map(|account| account.name.to_string());
    let keys = fs::read_dir(configured_key_dir()).into_iter().flatten().flatten();
    let keys = keys.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = accounts.chain(keys).filter(|name| is_ours(name)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a run could have made the name.
fn is_ours(name: &str) -> bool {
    let digits = name.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Removes account, key, sessions and home of `name`, and makes sure that they are gone.
pub(super) fn remove(name: &str) -> anyhow::Result<()> {
    let user: UserName = name.parse()?;
    if left().iter().any(|left| left == name) {
        remove_user::run(&remove_user::Options::all_of(user))?;
    }
    anyhow::ensure!(!left().iter().any(|left| left == name), "its account or key is still there");
    let reply = Broker { socket: SOCKET_PATH.into() }
        .connect()
        .and_then(|mut broker| Ok(broker.call::<List>(&Own::default())?))
        .context("whether its container is gone cannot be found out")?;
    anyhow::ensure!(reply.sessions.iter().all(|session| session.user.as_ref() != name), "its container is still there");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_run_made_are_taken_for_its_own() {
        assert!(is_ours("podspawn-prove-0123abcd"));
        for name in
            ["podspawn-prove-", "podspawn-prove-0123abcg", "podspawn-prove-0123abcd0", "podspawn-prove-alice", "alice"]
        {
            assert!(!is_ours(name), "{name}");
        }
        assert!(format!("{PREFIX}{:08x}", u32::MAX).parse::<UserName>().is_ok());
    }

    #[test]
    fn a_key_is_made_with_the_hosts_own_tool() {
        let directory = tempfile::tempdir().unwrap();
        let public = generate(&directory.path().join("key"), &"alice".parse().unwrap()).unwrap();
        let account =
            TestAccount { name: "alice".parse().unwrap(), key: PathBuf::new(), public: public.clone(), gone: true };
        assert!(public.ends_with(" alice") && account.blob().starts_with("AAAAC3NzaC1lZDI1NTE5"), "{public}");
        assert!(Key::parse(public.as_bytes()).unwrap().is_some());
    }
}
