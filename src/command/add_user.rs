//! `podspawn add-user U`: an account, and public keys that let it in.
//!
//! Everything that can be wrong is found out before anything is changed, and every step can be repeated.

pub(super) mod account;
mod fetch;
mod old_home;
pub(super) mod step;

use super::{
    former::Formers,
    keys::{Key, KeyDir, KeyFile, NIX_OPTION, READERS},
};
use crate::{
    accounts::{Accounts, local::LocalAccounts},
    doctor::ways_in,
    domain::UserName,
    sshd::{self, Connection, Sshd, block::GROUP},
    sys::immutable,
};
use account::{Activity, Standing};
use anyhow::Context as _;
use fetch::{GITHUB, Login, Server};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Largest file of keys that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  podspawn add-user alice --key \"ssh-ed25519 AAAA... alice@laptop\"\n  podspawn add-user alice \
                  --key-file alice.pub --key-file -\n  podspawn add-user alice --github alice\n\nExisting keys \
                  stay; a key is stored once. Of a key's options, from=, expiry-time= and no-* are kept."
)]
pub struct Options {
    /// The login name
    user: UserName,
    /// A public key, as in a .pub file; may be repeated
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// A file of public keys, "-" for standard input; may be repeated
    #[arg(long, value_name = "FILE")]
    key_file: Vec<PathBuf>,
    /// Fetch this GitHub user's public keys, once
    #[arg(long, value_name = "NAME")]
    github: Option<Login>,
    /// The server with the keys, if it is not GitHub; it answers at URL/NAME.keys
    #[arg(long, value_name = "URL", env = "PODSPAWN_GITHUB_URL", default_value = GITHUB)]
    github_url: Server,
    /// Convert an existing account of this host; its logins then enter a container
    #[arg(long)]
    existing: bool,
    /// Give the user the persistent home of an earlier user of this name
    #[arg(long, conflicts_with = "new_home")]
    keep_home: bool,
    /// Rename the persistent home of an earlier user of this name
    #[arg(long)]
    new_home: bool,
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    super::require_root("add-user")?;
    let user = &options.user;
    let keys = collect(options)?;
    let root = Path::new("/");
    let accounts = Accounts::new();
    let local = LocalAccounts::read(root)?;
    let directory = KeyDir::lock()?;
    let path = directory.file(user);
    if let Some(immutable) = immutable::check(&path) {
        anyhow::bail!("{}", immutable.message(&path, &NIX_OPTION.replace("<name>", user.as_ref())));
    }
    let found = account::find(user, &local, &accounts, &Formers::new())?;
    let activity = Activity::of(found.1.as_ref())?;
    let plan = account::plan(user, &found, &local, &activity, options.existing)?;
    if plan.standing == Standing::Ordinary {
        another_way_in(user, &local, root)?;
    }
    let mut file = KeyFile::read(&path)?;
    // A user with keys existed before; the home of a user without keys belongs to an earlier user of the name.
    let old_home = if file.count() == 0 { old_home::find(user)? } else { None };
    if let Some(home) = &old_home {
        anyhow::ensure!(options.keep_home || options.new_home, "{}", home.refusal(user));
    }
    let duplicates = file.drop_duplicates();
    let mut added = 0;
    for key in &keys {
        added += usize::from(file.add(key)?);
    }
    anyhow::ensure!(file.count() > 0, "{user} has no key yet: give --key, --key-file or --github");
    let readers = accounts.group(READERS).with_context(|| format!("group {READERS}: run podspawn server-setup"))?;
    if let Some(home) = &old_home {
        println!("{}", if options.new_home { home.move_aside()? } else { home.kept(user) });
    }
    for step in &plan.steps {
        println!("{}", step.run(user)?);
    }
    let known = keys.len() - added;
    if added > 0 || duplicates > 0 || !keys.is_empty() {
        file.write(&path, readers)?;
    }
    let known = if known > 0 { format!(", {known} known already") } else { String::new() };
    let dropped = if duplicates > 0 { format!(", {duplicates} dropped that were there twice") } else { String::new() };
    println!("{user} has {} key(s) in {} ({added} added{known}{dropped})", file.count(), path.display());
    let groups = found.1.map(|account| local.groups_of(&account)).unwrap_or_default();
    let others: Vec<&str> =
        groups.iter().map(String::as_str).filter(|group| *group != GROUP && *group != user.as_ref()).collect();
    if !others.is_empty() {
        println!("note: {user} stays in {}, which gives it nothing in its container", others.join(", "));
    }
    Ok(())
}

/// All keys that the options name, each good.
fn collect(options: &Options) -> anyhow::Result<Vec<Key>> {
    let mut keys = Vec::new();
    for line in &options.key {
        keys.extend(parse(line.as_bytes(), "--key")?);
    }
    for path in &options.key_file {
        let bytes = if path.as_os_str() == "-" { read(io::stdin().lock()) } else { File::open(path).and_then(read) };
        keys.extend(parse(&bytes.with_context(|| format!("{}", path.display()))?, &path.display().to_string())?);
    }
    if let Some(login) = &options.github {
        keys.extend(fetched(&options.github_url, login)?);
    }
    Ok(keys)
}

fn read(stream: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        Err(io::Error::other(format!("more than {MAX_BYTES} bytes")))
    } else {
        Ok(bytes)
    }
}

/// The keys in `bytes`; one line that is no key makes all of them suspect.
fn parse(bytes: &[u8], place: &str) -> anyhow::Result<Vec<Key>> {
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        match Key::parse(line) {
            Ok(None) => {}
            Ok(Some(key)) => {
                if !key.dropped.is_empty() {
                    println!("note: {place}:{number}: the key is used without {}", key.dropped.join(", "));
                }
                keys.push(key);
            }
            Err(why) => anyhow::bail!("{place}:{number}: {why}; nothing was changed"),
        }
    }
    anyhow::ensure!(!keys.is_empty(), "{place}: there is no key; nothing was changed");
    Ok(keys)
}

/// The keys that a server has for `login`. They are a stranger's: one of a kind that we do not use is left out.
fn fetched(server: &Server, login: &Login) -> anyhow::Result<Vec<Key>> {
    let text = server.keys(login)?;
    let comment = format!("{login}@{}", server.name());
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    anyhow::ensure!(!lines.is_empty(), "{login} has no keys at {}", server.name());
    let keys: Vec<Key> = lines.iter().filter_map(|line| Key::bare(line, &comment)).collect();
    anyhow::ensure!(!keys.is_empty(), "what {} answers for {login} are no public keys that sshd takes", server.name());
    if keys.len() < lines.len() {
        println!(
            "note: {} line(s) of {} are no keys that sshd takes, and left out",
            lines.len() - keys.len(),
            server.name()
        );
    }
    Ok(keys)
}

/// Refuses to put the last administrator into a container.
fn another_way_in(user: &UserName, local: &LocalAccounts, root: &Path) -> anyhow::Result<()> {
    let caller = std::env::var("SUDO_USER").ok();
    let mut members = local.members(GROUP);
    let is_admin = |members: &[UserName]| {
        ways_in::administrators(local, caller.as_deref(), members).iter().any(|account| account.name == *user)
    };
    if !is_admin(&members) {
        return Ok(());
    }
    members.push(user.clone());
    let sshd = Sshd::find(None)?;
    for account in ways_in::administrators(local, caller.as_deref(), &members) {
        for address in sshd::ADDRESSES {
            let connection = Connection::new(account.name.to_string(), address);
            let options = sshd.effective(Path::new(sshd::CONFIG), &connection)?;
            if ways_in::way_in(account, &options, local, root).is_some() {
                return Ok(());
            }
        }
    }
    anyhow::bail!(
        "{user} is the only one who can administer this host over ssh: give root or another administrator a key first"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX";

    #[test]
    fn one_line_that_is_no_key_refuses_the_whole_file_and_is_named() {
        assert_eq!(parse(format!("# x\n\n{A} a\n").as_bytes(), "f").unwrap().len(), 1);
        for (text, message) in [
            (format!("{A}\nssh-ed25519 AAAA\n"), "f:2: skipped: there is no public key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n".into(), "f:1: this is not a public key"),
            ("# nothing\n".into(), "f: there is no key"),
        ] {
            let error = parse(text.as_bytes(), "f").unwrap_err().to_string();
            assert!(error.starts_with(message) && error.ends_with("nothing was changed"), "{error}");
        }
    }
}
