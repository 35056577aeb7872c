//! Which variables of the client, as sshd passes them on, reach the container.

use crate::{
    config::{MAX_ENV, MAX_ENV_BYTES},
    protocol::guest::{MAX_ENVIRONMENT, MAX_ENVIRONMENT_BYTES},
};
use std::collections::BTreeMap;

/// What sshd says about the connection, then what the client says about its terminal. `SSH_TTY` is not among them:
/// the name of the host's terminal means nothing inside, the guest sets its own.
const KEPT: [&str; 5] = ["SSH_CONNECTION", "SSH_CLIENT", "TERM", "COLORTERM", "LANG"];
/// The locale's categories: `LC_` and then letters.
const KEPT_PREFIX: &str = "LC_";

/// Longest value, in bytes.
const MAX_VALUE_BYTES: usize = 4096;
/// Longest name, in bytes; the longest category is `LC_IDENTIFICATION`.
const MAX_NAME_BYTES: usize = 64;
/// Half of what a connection may carry: the other half is the user's own `env` (`config::MAX_ENV`).
const MAX_VARIABLES: usize = MAX_ENVIRONMENT / 2;
/// See [`MAX_VARIABLES`].
const MAX_BYTES: usize = MAX_ENVIRONMENT_BYTES / 2;

const _: () = assert!(MAX_VARIABLES + MAX_ENV <= MAX_ENVIRONMENT && MAX_BYTES + MAX_ENV_BYTES <= MAX_ENVIRONMENT_BYTES);

/// The variables of `offered` that reach the container; the rest is dropped without a word, as sshd does with what
/// `AcceptEnv` does not name.
///
/// A variable whose value has a control character other than a tab is dropped whole. None of these variables has a use
/// for one, a newline in a value is how a second variable is smuggled through a tool that prints or splits
/// environments by line, and a changed value would be neither what the client sent nor nothing.
#[must_use]
pub fn filter(offered: &BTreeMap<String, String>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let named = KEPT.iter().filter_map(|name| offered.get_key_value(*name));
    let locale = offered.iter().filter(|(name, _)| is_locale(name));
    let mut bytes = 0;
    let mut kept = Vec::new();
    for (name, value) in named.chain(locale) {
        if value.len() > MAX_VALUE_BYTES || value.contains(|c: char| c.is_control() && c != '\t') {
            continue;
        }
        bytes += name.len() + value.len();
        if kept.len() == MAX_VARIABLES || bytes > MAX_BYTES {
            break;
        }
        kept.push((name.clone().into_bytes(), value.clone().into_bytes()));
    }
    kept
}

fn is_locale(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.strip_prefix(KEPT_PREFIX).is_some_and(|category| {
            !category.is_empty() && category.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(offered: &[(&str, &str)]) -> Vec<String> {
        let offered = offered.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        filter(&offered).into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn only_what_the_interface_names_reaches_the_container() {
        let offered = [
            ("TERM", "xterm"),
            ("LANG", "de_DE.UTF-8"),
            ("LC_ALL", "C"),
            ("SSH_CONNECTION", "::1 5 ::1 22"),
            ("SSH_CLIENT", "::1 5 22"),
            ("COLORTERM", "truecolor"),
            ("SSH_TTY", "/dev/pts/1"),
            ("SSH_ORIGINAL_COMMAND", "id"),
            ("SSH_AUTH_SOCK", "/tmp/x"),
            ("PATH", "/evil"),
            ("LD_PRELOAD", "/evil.so"),
            ("BASH_ENV", "/evil"),
            ("LC_", "x"),
            ("LC_ALL\nLD_PRELOAD", "x"),
            ("LC_A=B", "x"),
            ("term", "x"),
        ];
        assert_eq!(names(&offered), ["SSH_CONNECTION", "SSH_CLIENT", "TERM", "COLORTERM", "LANG", "LC_ALL"]);
    }

    #[test]
    fn a_value_that_could_pass_for_two_lines_is_dropped() {
        let offered = [("LANG", "C\nLD_PRELOAD=/x"), ("TERM", "x\0y"), ("LC_ALL", "a\u{1b}[2J"), ("LC_TIME", "a\tb")];
        assert_eq!(names(&offered), ["LC_TIME"]);
    }

    #[test]
    fn a_flood_is_cut_to_what_a_packet_carries() {
        let mut offered: BTreeMap<String, String> =
            (0..1000_u32).map(|n| (format!("LC_{}", "A".repeat((n % 50 + 1) as usize)), "x".repeat(4096))).collect();
        offered.insert("TERM".into(), "xterm".into());
        offered.insert("LANG".into(), "y".repeat(4097));
        let kept = filter(&offered);
        assert!(kept.len() <= MAX_VARIABLES);
        assert!(kept.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= MAX_BYTES);
        assert_eq!(kept[0].0, b"TERM");
        assert!(kept.iter().all(|(name, _)| name != b"LANG"));
    }
}
