//! Which variables of the client, as sshd passes them on, reach the container.

use super::host_environment::HostEnvironment;
use crate::{
    config::{MAX_ENV, MAX_ENV_BYTES},
    protocol::guest::{MAX_ENVIRONMENT, MAX_ENVIRONMENT_BYTES},
};
use std::collections::BTreeMap;

/// What sshd says about the connection, then what the client says about its terminal. `SSH_TTY` is not among them:
/// the name of the host's terminal means nothing inside, the guest sets its own.
const KEPT: [&str; 6] = ["SSH_CONNECTION", "SSH_CLIENT", "TERM", "COLORTERM", "NO_COLOR", "LANG"];
/// The locale's categories, and what else a client calls so to get it through: `AcceptEnv LC_*` is common.
const KEPT_PREFIX: &str = "LC_";

/// What sshd sets only where it does not use PAM; it reaches the broker, which judges by it, and no container.
pub const SIGN_OF_NO_PAM: &str = "MAIL";

/// Half of what a connection may carry: the other half is the user's own `env` (`config::MAX_ENV`). A single value may
/// take all of the bytes.
const MAX_VARIABLES: usize = MAX_ENVIRONMENT / 2;
/// See [`MAX_VARIABLES`].
const MAX_BYTES: usize = MAX_ENVIRONMENT_BYTES / 2;

const _: () = assert!(MAX_VARIABLES + MAX_ENV <= MAX_ENVIRONMENT && MAX_BYTES + MAX_ENV_BYTES <= MAX_ENVIRONMENT_BYTES);

/// What reaches the container of what was offered.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The variables, in the order of their importance.
    pub kept: Vec<(String, String)>,
    /// Names of those that would reach it if they were fewer or shorter.
    pub left_out: Vec<String>,
}

/// Whether a variable of this name may reach a container.
#[must_use]
pub fn is_kept(name: &str) -> bool {
    let is_category = |category: &str| {
        !category.is_empty() && category.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    KEPT.contains(&name) || name.strip_prefix(KEPT_PREFIX).is_some_and(is_category)
}

/// Chooses from `offered`. What is neither kept nor left out is dropped silently, as sshd does with what
/// `AcceptEnv` does not name. A value is passed on as it is, newlines and escape sequences too: sshd does the same, and
/// on the way to the process nothing splits or prints it.
#[must_use]
pub fn choose(offered: &BTreeMap<String, String>) -> Choice {
    let named = KEPT.iter().filter_map(|name| offered.get_key_value(*name));
    let others = offered.iter().filter(|(name, _)| is_kept(name) && !KEPT.contains(&name.as_str()));
    let mut choice = Choice::default();
    let mut bytes = 0;
    for (name, value) in named.chain(others) {
        let length = name.len() + value.len();
        if choice.kept.len() == MAX_VARIABLES || bytes + length > MAX_BYTES || value.contains('\0') {
            choice.left_out.push(name.clone());
            continue;
        }
        bytes += length;
        choice.kept.push((name.clone(), value.clone()));
    }
    choice
}

/// The variables of `offered` that reach the container, without those that the host gives to every session.
#[must_use]
pub fn filter(offered: &BTreeMap<String, String>, host: &HostEnvironment) -> Vec<(Vec<u8>, Vec<u8>)> {
    let of_client = choose(offered).kept.into_iter().filter(|(name, value)| !host.gives(name, value, offered));
    of_client.map(|(name, value)| (name.into_bytes(), value.into_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn offered(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn names(variables: &[(&str, &str)]) -> Vec<String> {
        let kept = filter(&offered(variables), &HostEnvironment::default());
        kept.into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn only_what_the_interface_names_reaches_the_container() {
        let offered = [
            ("TERM", "xterm"),
            ("LANG", "de_DE.UTF-8"),
            ("LC_ALL", "C"),
            ("LC_X1", "1"),
            ("SSH_CONNECTION", "::1 5 ::1 22"),
            ("SSH_CLIENT", "::1 5 22"),
            ("COLORTERM", "truecolor"),
            ("NO_COLOR", "1"),
            ("SSH_TTY", "/dev/pts/1"),
            ("SSH_ORIGINAL_COMMAND", "id"),
            ("SSH_AUTH_SOCK", "/tmp/x"),
            ("MAIL", "/var/mail/alice"),
            ("PATH", "/evil"),
            ("LD_PRELOAD", "/evil.so"),
            ("BASH_ENV", "/evil"),
            ("LC_", "x"),
            ("LC_ALL\nLD_PRELOAD", "x"),
            ("LC_A=B", "x"),
            ("term", "x"),
        ];
        let expected = ["SSH_CONNECTION", "SSH_CLIENT", "TERM", "COLORTERM", "NO_COLOR", "LANG", "LC_ALL", "LC_X1"];
        assert_eq!(names(&offered), expected);
    }

    #[test]
    fn a_value_is_passed_on_as_it_is() {
        let offered = offered(&[("LANG", "C\nLD_PRELOAD=/x"), ("LC_ALL", "a\u{1b}[2J"), ("LC_TIME", "")]);
        let kept = filter(&offered, &HostEnvironment::default());
        let expected = [("LANG", "C\nLD_PRELOAD=/x"), ("LC_ALL", "a\u{1b}[2J"), ("LC_TIME", "")];
        assert_eq!(kept, expected.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())));
        assert!(names(&[("LANG", "a\0b")]).is_empty());
    }

    #[test]
    fn variables_that_every_host_sets_are_left_to_the_image() {
        let host = HostEnvironment::read(|path: &Path| match path.to_str()? {
            "/etc/pam.d/sshd" => Some("session required pam_env.so".to_owned()),
            "/etc/environment" => Some("LANG=de_DE.UTF-8\nCOLORTERM=24bit\n".to_owned()),
            _ => None,
        });
        let of = |variables: &[(&str, &str)]| filter(&offered(variables), &host);
        assert!(of(&[("LANG", "de_DE.UTF-8"), ("COLORTERM", "24bit")]).is_empty());
        assert_eq!(of(&[("LANG", "C"), ("LC_ALL", "de_DE.UTF-8")]).len(), 2);
        assert_eq!(of(&[("LANG", "de_DE.UTF-8"), (SIGN_OF_NO_PAM, "/var/mail/alice")]).len(), 1);
    }

    #[test]
    fn a_flood_is_cut_to_what_a_packet_carries_and_its_names_are_known() {
        let mut offered: BTreeMap<String, String> =
            (0..1000_u32).map(|n| (format!("LC_{n}"), "x".repeat(4096))).collect();
        offered.insert("TERM".into(), "xterm".into());
        offered.insert("LANG".into(), "y".repeat(MAX_BYTES));
        let Choice { kept, left_out } = choose(&offered);
        assert!(kept.len() <= MAX_VARIABLES);
        assert!(kept.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= MAX_BYTES);
        assert_eq!(kept[0].0, "TERM");
        assert_eq!(kept[1].0, "LC_0", "what follows a value that is too long still has its place");
        assert_eq!(left_out[0], "LANG");
        assert_eq!(kept.len() + left_out.len(), offered.len());
    }
}
