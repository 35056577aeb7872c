//! The output of `sshd -T`: every option with its value for one connection.

use std::collections::BTreeMap;

/// The options in force for one connection, by their names in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effective(BTreeMap<String, Vec<String>>);

impl Effective {
    pub(super) fn parse(text: &str) -> Self {
        let mut options: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            options.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
        }
        Self(options)
    }

    /// The options in text as sshd prints it, for tests.
    #[cfg(test)]
    pub(crate) fn parse_for_test(text: &str) -> Self {
        Self::parse(text)
    }

    /// The value of an option; empty if sshd does not print it.
    #[must_use]
    pub fn value(&self, option: &str) -> &str {
        self.0.get(option).and_then(|values| values.first()).map_or("", String::as_str)
    }

    /// Whether an option is on.
    #[must_use]
    pub fn is_yes(&self, option: &str) -> bool {
        self.value(option) == "yes"
    }

    /// The words of an option that is a list, on one line or on several.
    pub fn words<'a>(&'a self, option: &str) -> impl Iterator<Item = &'a str> {
        self.0.get(option).into_iter().flatten().flat_map(|value| value.split_whitespace())
    }

    /// The value of an option that names a file or a program; `None` if it is "none".
    #[must_use]
    pub fn named(&self, option: &str) -> Option<&str> {
        match self.value(option) {
            "" | "none" => None,
            value => Some(value),
        }
    }

    /// The options that have another value in `other`.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let names: std::collections::BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        names.into_iter().filter(|name| self.0.get(*name) != other.0.get(*name)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_by_name_whether_they_repeat_or_not() {
        let text = "port 22\nallowusers root\nallowusers a@b\nauthenticationmethods publickey,password publickey\n\
                    forcecommand none\nacceptenv LANG\nsubsystem sftp /usr/lib/sftp-server\nusepam yes\n";
        let options = Effective::parse(text);
        assert_eq!(options.words("allowusers").collect::<Vec<_>>(), ["root", "a@b"]);
        assert_eq!(options.words("authenticationmethods").count(), 2);
        assert_eq!(options.named("forcecommand"), None);
        assert_eq!(options.value("subsystem"), "sftp /usr/lib/sftp-server");
        assert!(options.is_yes("usepam") && !options.is_yes("x11forwarding"));
        let other = Effective::parse("port 22\nallowusers root\nusepam no\n");
        assert_eq!(
            options.differences(&other),
            ["acceptenv", "allowusers", "authenticationmethods", "forcecommand", "subsystem", "usepam"]
        );
        assert!(options.differences(&options).is_empty());
    }
}
