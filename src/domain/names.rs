//! Names that users type: users, projects, images, containers.

use super::{Invalid, text_type};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Longest user name, in bytes: `LOGIN_NAME_MAX` of useradd(8) and of utmp.
const MAX_USER_BYTES: usize = 32;
/// Longest project name, in bytes: with a user name and the prefix it still fits a DNS label, which is what the
/// engine makes of a container name.
const MAX_PROJECT_BYTES: usize = 63;
/// Longest image reference, in bytes (the registry's own bound for a name, plus tag and digest).
const MAX_IMAGE_BYTES: usize = 512;

/// The login name of an account: also a file name (`keys/<user>`) and a label value, so neither a path nor an option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(Box<str>);
text_type!(UserName);

impl FromStr for UserName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // A trailing `$` is what Samba's machine accounts have; useradd allows it as well.
        let stem = text.strip_suffix('$').unwrap_or(text);
        let valid = text.len() <= MAX_USER_BYTES
            && stem.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && stem.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new(format!(
                "{} is not a user name: at most {MAX_USER_BYTES} of letters, digits, '.', '_' and '-', beginning \
                 with a letter, a digit or '_'",
                Invalid::quote(text)
            )))
        }
    }
}

/// A project: also a directory name and a label value. The client's `.pod` suffix is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectName(Box<str>);
text_type!(ProjectName);

impl FromStr for ProjectName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let name = text.strip_suffix(".pod").unwrap_or(text);
        let valid = name.len() <= MAX_PROJECT_BYTES
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if valid {
            Ok(Self(name.into()))
        } else {
            Err(Invalid::new(format!(
                "{} is not a project name: at most {MAX_PROJECT_BYTES} of letters, digits, '.', '_' and '-', \
                 beginning with a letter or a digit",
                Invalid::quote(text)
            )))
        }
    }
}

/// Whose session it is and for what: at most one session of each key exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The account that logged in.
    pub user: UserName,
    /// The project it asked for; `None` is the user's own container.
    pub project: Option<ProjectName>,
}

impl std::fmt::Display for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.project {
            Some(project) => write!(f, "{}@{project}", self.user),
            None => write!(f, "{}", self.user),
        }
    }
}

/// An image reference as the engine takes it: `name[:tag][@digest]`, bounded and free of whitespace and options.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef(Box<str>);
text_type!(ImageRef);

impl ImageRef {
    /// The reference with an explicit tag, since pulling without one pulls every tag.
    #[must_use]
    pub fn with_tag(&self) -> String {
        let after_slash = self.0.rsplit('/').next().unwrap_or(&self.0);
        if self.0.contains('@') || after_slash.contains(':') {
            self.0.to_string()
        } else {
            format!("{}:latest", self.0)
        }
    }
}

impl FromStr for ImageRef {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let valid = text.len() <= MAX_IMAGE_BYTES
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@".contains(c));
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new(format!(
                "{} is not an image reference such as \"debian:12\" or \"registry.example.org/team/image:tag\"",
                Invalid::quote(text)
            )))
        }
    }
}

/// The name that operators see in the engine's list of containers. Never an identity: two keys can want the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerName(Box<str>);
text_type!(ContainerName);

impl ContainerName {
    /// `podspawn-<user>` or `podspawn-<user>-<project>`.
    #[must_use]
    pub fn of(key: &SessionKey) -> Self {
        // `$` is valid in a user name and not in a container name.
        let user = key.user.as_ref().replace('$', "_");
        match &key.project {
            Some(project) => Self(format!("podspawn-{user}-{project}").into()),
            None => Self(format!("podspawn-{user}").into()),
        }
    }

    /// That of a container in which an image is looked at. All of the id: there is no second try.
    #[must_use]
    pub fn of_examination(id: &super::SessionId) -> Self {
        Self(format!("podspawn-verify-{id}").into())
    }

    /// The same name with the session's short id appended, for when the plain one is taken.
    #[must_use]
    pub fn unique(&self, id: &super::SessionId) -> Self {
        Self(format!("{}-{}", self.0, id.short()).into())
    }
}

impl FromStr for ContainerName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let valid = (2..=255).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new(format!("{} is not a container name", Invalid::quote(text))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_never_a_path_or_an_option() {
        for bad in ["", "-a", ".", "..", "a/b", "../x", "a b", "a\n", "a\0", "ä", &"a".repeat(33), "$", "a$b"] {
            assert!(bad.parse::<UserName>().is_err(), "{bad:?}");
        }
        for good in ["alice", "a-b", "a.b", "machine$", "_svc", "0day", &"a".repeat(32)] {
            assert_eq!(good.parse::<UserName>().unwrap().as_ref(), good);
        }
    }

    #[test]
    fn the_pod_suffix_is_stripped_from_a_project() {
        assert_eq!("backend.pod".parse::<ProjectName>().unwrap().as_ref(), "backend");
        assert_eq!("backend".parse::<ProjectName>().unwrap().as_ref(), "backend");
        for bad in ["", ".pod", "../x", "a/b", "-a", ".a"] {
            assert!(bad.parse::<ProjectName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_that_want_the_same_name_stay_different_keys() {
        let a = SessionKey { user: "a-b".parse().unwrap(), project: None };
        let b = SessionKey { user: "a".parse().unwrap(), project: Some("b".parse().unwrap()) };
        assert_eq!(ContainerName::of(&a), ContainerName::of(&b));
        assert_ne!(a, b);
    }

    #[test]
    fn an_untagged_image_is_pulled_as_latest() {
        let tagged = |text: &str| text.parse::<ImageRef>().unwrap().with_tag();
        assert_eq!(tagged("debian"), "debian:latest");
        assert_eq!(tagged("debian:12"), "debian:12");
        assert_eq!(tagged("localhost:5000/debian"), "localhost:5000/debian:latest");
        assert_eq!(tagged("debian@sha256:00"), "debian@sha256:00");
    }

    #[test]
    fn a_message_quotes_only_the_start_of_a_long_text() {
        let message = "/".repeat(10_000).parse::<ImageRef>().unwrap_err().to_string();
        assert!(message.len() < 300, "{message}");
    }
}
