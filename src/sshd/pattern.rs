//! Patterns of sshd: `*` and `?` in names (`ssh_config(5)`, PATTERNS), and the lists that allow and deny.

use super::Effective;

/// Whether `text` matches `pattern`.
#[must_use]
pub fn matches(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut t, mut p) = (0, 0);
    // Where to go on when the rest does not fit: behind the last `*`, one byte further in the text.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                t += 1;
                p += 1;
            }
            _ => match retry {
                Some((behind, from)) => {
                    retry = Some((behind, from + 1));
                    (p, t) = (behind, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The first of sshd's four lists that refuses a user, by its name in `sshd_config(5)`.
///
/// Hosts in a list are ignored: an entry for some hosts lets a user in from there, and refuses no user altogether.
#[must_use]
pub fn excluded_by(options: &Effective, user: &str, groups: &[String]) -> Option<&'static str> {
    let user_is = |pattern: &str| matches(user, pattern.split('@').next().unwrap_or(pattern));
    let in_group = |pattern: &str| groups.iter().any(|group| matches(group, pattern));
    let is_set = |option: &str| options.words(option).next().is_some();
    if options.words("denyusers").any(|pattern| user_is(pattern) && is_everywhere(pattern)) {
        return Some("DenyUsers");
    }
    if is_set("allowusers") && !options.words("allowusers").any(user_is) {
        return Some("AllowUsers");
    }
    if options.words("denygroups").any(in_group) {
        return Some("DenyGroups");
    }
    (is_set("allowgroups") && !options.words("allowgroups").any(in_group)).then_some("AllowGroups")
}

fn is_everywhere(pattern: &str) -> bool {
    pattern.split_once('@').is_none_or(|(_, host)| host == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_are_those_of_sshd() {
        for (text, pattern) in
            [("a", "a"), ("abc", "a*c"), ("abc", "*"), ("", "*"), ("aXbXc", "*X?"), ("a.conf", "*.conf")]
        {
            assert!(matches(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("a", ""), ("a", "b"), ("abc", "a?"), ("abc", "b*"), ("", "?"), ("a.conf~", "*.conf")] {
            assert!(!matches(text, pattern), "{text} {pattern}");
        }
        // A pattern made to be slow is not.
        assert!(!matches(&"a".repeat(2000), &format!("{}b", "a*".repeat(500))));
    }

    #[test]
    fn the_list_that_refuses_a_user_is_named() {
        let groups = ["podspawn".to_owned()];
        for (text, by) in [
            ("", None),
            ("allowusers root", Some("AllowUsers")),
            ("allowusers root\nallowusers al*", None),
            ("allowusers alice@10.*", None),
            ("denyusers alice", Some("DenyUsers")),
            ("denyusers alice@10.*", None),
            ("denyusers *@*", Some("DenyUsers")),
            ("allowgroups sudo", Some("AllowGroups")),
            ("allowgroups sudo\nallowgroups podspawn", None),
            ("denygroups pod*", Some("DenyGroups")),
        ] {
            assert_eq!(excluded_by(&Effective::parse(text), "alice", &groups), by, "{text}");
        }
    }
}
