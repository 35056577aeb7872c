//! `podspawn list-users`: the users, and the reasons against a login.

use super::{
    auth_keys,
    keys::KeyFile,
    list::Broker,
    table::{Cell, Table, colour},
};
use crate::{
    accounts::{
        confinement::Confinement,
        local::{LocalAccounts, Password},
    },
    config::UserOverrides,
    domain::{UserName, chain, text},
    protocol::varlink::{Own, methods::List},
    settings,
    sshd::block::GROUP,
    sys::clock::unix_days,
    sys::stderr,
};
use anyhow::Context as _;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    io::Write as _,
    path::Path,
};

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  podspawn list-users\n  podspawn list-users --json | jq -r '.[] | select(.state != \"ok\") | .user'"
)]
pub struct Options {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: Broker,
}

/// One user, as programs get it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    user: String,
    /// Keys that sshd would get.
    keys: usize,
    /// `None` if the broker does not answer.
    sessions: Option<usize>,
    /// The mode of the user's own container; `None` if the configuration has a mistake.
    mode: Option<String>,
    /// Whether `users/<user>.yaml` exists.
    overrides: bool,
    state: State,
}

/// Whether the user can log in, or the reason against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Ok,
    /// There are keys, or settings, and no such account.
    NoAccount,
    /// The account gets this host's shell, or nothing.
    NotInGroup,
    /// Its home or its shell could run something on this host, so that its keys are not used.
    NotConfined,
    NoKeys,
    /// A user other than root could write the key file, so that it is not used.
    UnsafeKeys,
    Locked,
    Expired,
}

impl State {
    fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NoAccount => "no account",
            Self::NotInGroup => "not in group podspawn",
            Self::NotConfined => "not confined",
            Self::NoKeys => "no keys",
            Self::UnsafeKeys => "key file not root's",
            Self::Locked => "locked",
            Self::Expired => "expired",
        }
    }
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    super::require_root("list-users")?;
    let local = LocalAccounts::read(Path::new("/"))?;
    let sessions = match sessions(&options.broker) {
        Ok(sessions) => Some(sessions),
        Err(error) => {
            stderr::complain(format_args!("sessions are not counted: {}", chain(error.as_ref())));
            None
        }
    };
    let settings = settings::load(Path::new(settings::ROOT)).ok();
    let key_dir = auth_keys::configured_key_dir();
    let overrides = Path::new(settings::ROOT).join("users");
    let mut users = Vec::new();
    for user in names(&local, &key_dir, &overrides)? {
        let none = UserOverrides::default();
        let mode = settings.as_ref().map(|settings| {
            let own = settings.users.get(&user).unwrap_or(&none);
            own.mode.unwrap_or(settings.config.session.mode).to_string()
        });
        let keys = KeyFile::read(&key_dir.join(user.as_ref())).map(|file| file.count()).ok();
        users.push(Row {
            keys: keys.unwrap_or(0),
            sessions: sessions.as_ref().map(|sessions| sessions.get(user.as_ref()).copied().unwrap_or(0)),
            mode,
            overrides: overrides.join(format!("{user}.yaml")).exists(),
            state: state(&user, keys, &local),
            user: user.into(),
        });
    }
    let mut stdout = io::stdout().lock();
    if options.json {
        writeln!(stdout, "{}", text::json(&serde_json::to_string_pretty(&users).context("writing JSON")?))?;
    } else {
        stdout.write_all(table(&users).render(colour()).as_bytes())?;
    }
    Ok(())
}

/// How many sessions each user has.
fn sessions(broker: &Broker) -> anyhow::Result<BTreeMap<String, usize>> {
    let reply = broker.connect()?.call::<List>(&Own::default())?;
    let mut count = BTreeMap::new();
    for session in reply.sessions {
        *count.entry(session.user.to_string()).or_default() += 1;
    }
    Ok(count)
}

/// All accounts in the group, and all names with keys or settings.
fn names(local: &LocalAccounts, key_dir: &Path, overrides: &Path) -> anyhow::Result<BTreeSet<UserName>> {
    let mut names: BTreeSet<UserName> = local.members(GROUP).into_iter().collect();
    for (directory, suffix) in [(key_dir, ""), (overrides, ".yaml")] {
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.with_context(|| format!("{}", directory.display()))?,
        };
        for entry in entries {
            let name = entry.with_context(|| format!("{}", directory.display()))?.file_name();
            names.extend(name.to_str().and_then(|name| name.strip_suffix(suffix)).and_then(|name| name.parse().ok()));
        }
    }
    // The broker's own account is in the group by its name.
    names.retain(|name| name.as_ref() != GROUP);
    Ok(names)
}

/// `keys` is `None` if the file is not to be used.
fn state(user: &UserName, keys: Option<usize>, local: &LocalAccounts) -> State {
    let shadow = local.shadow(user.as_ref());
    let is_member = local.members(GROUP).contains(user);
    let today = unix_days();
    if !is_member && local.account(user.as_ref()).is_none() {
        State::NoAccount
    } else if !is_member {
        State::NotInGroup
    } else if shadow.is_some_and(|shadow| matches!(shadow.password, Password::Locked | Password::LockedHash)) {
        State::Locked
    } else if shadow.is_some_and(|shadow| shadow.is_expired(today)) {
        State::Expired
    } else if local.account(user.as_ref()).is_some_and(|account| !Confinement::of(account).is_confined()) {
        State::NotConfined
    } else {
        match keys {
            None => State::UnsafeKeys,
            Some(0) => State::NoKeys,
            Some(_) => State::Ok,
        }
    }
}

fn table(users: &[Row]) -> Table {
    let mut table = Table::new(&["USER", "KEYS", "SESSIONS", "MODE", "OVERRIDES", "STATE"]);
    for user in users {
        table.row(vec![
            Cell::plain(&user.user),
            Cell::number(user.keys),
            Cell::number(user.sessions.map_or("?".to_owned(), |sessions| sessions.to_string())),
            Cell::plain(user.mode.as_deref().unwrap_or("?")),
            Cell::plain(if user.overrides { "yes" } else { "no" }),
            match user.state {
                State::Ok => Cell::good(user.state.text()),
                state => Cell::notable(state.text()),
            },
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> LocalAccounts {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let accounts: String = ["podspawn:990", "alice:990", "bob:1001", "carol:990", "dave:990", "joined:990"]
            .iter()
            .enumerate()
            .fold(String::new(), |text, (n, one)| {
                let (name, gid) = one.split_once(':').unwrap();
                let home = if name == "joined" { "/home/joined" } else { "/var/empty" };
                text + &format!("{name}:x:{}:{gid}::{home}:/bin/sh\n", 1000 + n)
            });
        fs::write(root.path().join("etc/passwd"), accounts).unwrap();
        fs::write(root.path().join("etc/group"), "podspawn:x:990:\n").unwrap();
        fs::write(root.path().join("etc/shadow"), "alice:*:1::::::\ncarol:!:1::::::\ndave:*:1:::::2:\n").unwrap();
        LocalAccounts::read(root.path()).unwrap()
    }

    #[test]
    fn the_state_names_the_reason_of_a_refusal() {
        let local = local();
        for (user, keys, expected) in [
            ("alice", Some(2), State::Ok),
            ("alice", Some(0), State::NoKeys),
            ("alice", None, State::UnsafeKeys),
            ("bob", Some(1), State::NotInGroup),
            ("carol", Some(1), State::Locked),
            ("dave", Some(1), State::Expired),
            ("eve", Some(1), State::NoAccount),
            ("joined", Some(1), State::NotConfined),
        ] {
            assert_eq!(state(&user.parse().unwrap(), keys, &local), expected, "{user}");
        }
    }

    #[test]
    fn all_users_with_an_account_keys_or_settings_are_listed_but_not_the_broker() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["keys", "users"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        for file in ["keys/eve", "keys/.alice.new", "users/frank.yaml", "users/note.txt"] {
            fs::write(root.path().join(file), "").unwrap();
        }
        let found = names(&local(), &root.path().join("keys"), &root.path().join("users")).unwrap();
        let found: Vec<String> = found.into_iter().map(Into::into).collect();
        assert_eq!(found, ["alice", "carol", "dave", "eve", "frank", "joined"]);
    }

    #[test]
    fn a_user_is_one_aligned_line() {
        let user = Row {
            user: "alice".into(),
            keys: 2,
            sessions: None,
            mode: Some("grace-period".into()),
            overrides: false,
            state: State::NoKeys,
        };
        assert_eq!(
            table(std::slice::from_ref(&user)).render(false),
            "USER   KEYS  SESSIONS  MODE          OVERRIDES  STATE\nalice     2         ?  grace-period  no         no keys\n"
        );
        let json = serde_json::to_value(&user).unwrap();
        assert_eq!((json["state"].as_str(), json["sessions"].as_u64()), (Some("no-keys"), None));
    }
}
