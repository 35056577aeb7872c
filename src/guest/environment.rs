//! The environment of a login: the image's own, then the client's, then what the login itself determines.

use super::login::Account;
use crate::protocol::guest::{MAX_ENVIRONMENT, MAX_ENVIRONMENT_BYTES};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

/// For images that set no `PATH`: what a login of root has on most distributions, so that every tool is found.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables by name; a later setting of a name replaces the earlier.
pub(super) type Environment = BTreeMap<OsString, OsString>;

/// Whether the protocol's bounds hold; the broker keeps them, and is not asked to be believed.
pub(super) fn is_bounded(client: &[(Vec<u8>, Vec<u8>)]) -> bool {
    client.len() <= MAX_ENVIRONMENT
        && client.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= MAX_ENVIRONMENT_BYTES
}

/// A client's variable that may be set: a name that is one, and none that the dynamic linker reads.
fn is_valid(name: &[u8], value: &[u8]) -> bool {
    !name.is_empty() && !name.iter().any(|b| matches!(b, 0 | b'=')) && !name.starts_with(b"LD_") && !value.contains(&0)
}

/// The environment of a process of `account`. `tty` and `agent` are paths inside the container.
pub(super) fn of(
    image: &[(OsString, OsString)],
    client: Vec<(Vec<u8>, Vec<u8>)>,
    account: &Account,
    tty: Option<&Path>,
    agent: Option<&Path>,
) -> Environment {
    let mut environment: Environment = image.iter().cloned().collect();
    // The terminal's type is the client's to say; what the engine gave PID 1 speaks of another terminal.
    environment.remove(OsStr::new("TERM"));
    // The engine's, for its first process; sshd sets none.
    environment.remove(OsStr::new("HOSTNAME"));
    for (name, value) in client {
        if is_valid(&name, &value) {
            environment.insert(OsString::from_vec(name), OsString::from_vec(value));
        }
    }
    let mut set = |name: &str, value: &OsStr| environment.insert(name.into(), value.to_owned());
    set("HOME", account.home.as_os_str());
    set("USER", OsStr::new(account.name.as_ref()));
    set("LOGNAME", OsStr::new(account.name.as_ref()));
    if let Some(shell) = &account.shell {
        set("SHELL", shell.program.as_os_str());
    }
    // A path of the host would dangle here.
    for (name, path) in [("SSH_TTY", tty), ("SSH_AUTH_SOCK", agent)] {
        match path {
            Some(path) => environment.insert(name.into(), path.into()),
            None => environment.remove(OsStr::new(name)),
        };
    }
    if environment.get(OsStr::new("PATH")).is_none_or(|path| path.as_bytes().is_empty()) {
        environment.insert("PATH".into(), DEFAULT_PATH.into());
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::shell::Shell;

    fn alice() -> Account {
        Account {
            name: "alice".parse().unwrap(),
            uid: 1000,
            gid: 1000,
            groups: vec![1000],
            home: "/home/alice".into(),
            shell: Some(Shell { program: "/bin/bash".into() }),
        }
    }

    fn made(image: &[(&str, &str)], client: &[(&str, &str)]) -> Vec<String> {
        let image: Vec<_> = image.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let client = client.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let environment = of(&image, client, &alice(), None, None);
        environment.iter().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect()
    }

    #[test]
    fn a_login_has_the_images_environment_and_its_own() {
        let environment =
            made(&[("PATH", "/opt/bin"), ("HOME", "/root"), ("HOSTNAME", "x"), ("JAVA_HOME", "/opt/java")], &[]);
        let expected = [
            "HOME=/home/alice",
            "JAVA_HOME=/opt/java",
            "LOGNAME=alice",
            "PATH=/opt/bin",
            "SHELL=/bin/bash",
            "USER=alice",
        ];
        assert_eq!(environment, expected);
        assert!(made(&[], &[]).contains(&format!("PATH={DEFAULT_PATH}")));
    }

    #[test]
    fn the_terminal_is_the_clients_and_the_identity_is_not() {
        let environment =
            made(&[("TERM", "xterm")], &[("LANG", "C.UTF-8"), ("USER", "root"), ("SSH_TTY", "/dev/pts/9")]);
        assert!(environment.contains(&"LANG=C.UTF-8".to_owned()));
        assert!(environment.contains(&"USER=alice".to_owned()));
        assert!(!environment.iter().any(|line| line.starts_with("TERM=") || line.starts_with("SSH_TTY=")));
        assert!(made(&[("TERM", "xterm")], &[("TERM", "vt100")]).contains(&"TERM=vt100".to_owned()));
    }

    #[test]
    fn a_variable_that_is_none_or_is_the_linkers_is_left_out() {
        let plain = made(&[], &[]);
        for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0y"), ("LD_PRELOAD", "/x")] {
            assert_eq!(made(&[], &[(name, value)]), plain, "{name:?}");
        }
        assert!(is_bounded(&vec![(vec![b'a'], vec![]); MAX_ENVIRONMENT]));
        assert!(!is_bounded(&vec![(vec![b'a'], vec![]); MAX_ENVIRONMENT + 1]));
        assert!(!is_bounded(&[(vec![b'a'], vec![b'x'; MAX_ENVIRONMENT_BYTES])]));
    }
}
