//! `security`: the limits of containers, as in the file.

use super::{
    fields::{Fields, parsed},
    keys::{Reader, section},
    readers::{FLAG, OPTIONAL_PATH, UID_RANGE, number, optional},
    value::{AbsolutePath, Wrong, quote},
};
use crate::domain::{Hardening, UidRange};
use std::{collections::BTreeMap, sync::Arc};

/// podspawn's own directory in containers; nothing may be mounted over it.
const GUEST_DIR: &str = "/.podspawn";

section! {
    /// `security`. The seccomp profile is named here and read elsewhere ([`Security::hardening`]).
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Security in "security" {
        /// Capabilities that containers lose, with or without `CAP_`. `ALL` is every one.
        cap_drop: Vec<String> = DROPPED, "[ALL]";
        /// Capabilities that containers get back after `cap_drop`, with or without `CAP_`.
        cap_add: Vec<String> = ADDED, "[CHOWN, SETUID, SETGID, DAC_OVERRIDE, FOWNER, NET_BIND_SERVICE]";
        /// Whether set-uid programs gain nothing in containers.
        no_new_privileges: bool = FLAG, "true";
        /// Most processes and threads of a container.
        pids_limit: u32 = number::<MIN_PIDS, MAX_PIDS>(), "256";
        /// Whether the root file system of containers is read-only.
        readonly_rootfs: bool = FLAG, "false";
        /// File systems in memory: mount points in the container, each with mount options as for mount(8).
        tmpfs: BTreeMap<AbsolutePath, String> = TMPFS, "{}";
        /// The engine's OCI runtime, such as `runsc`; `""` is the engine's default.
        runtime: Option<String> = RUNTIME, "\"\"";
        /// A file with a seccomp profile; `""` is the engine's default profile.
        seccomp_profile: Option<AbsolutePath> = OPTIONAL_PATH, "\"\"";
        /// The user ids of users inside containers. Each user gets one of them, and no account of the host may have it.
        uid_range: UidRange = UID_RANGE, "65536-99999";
    }
}

/// Fewer processes than a shell with a pipe and an editor need.
const MIN_PIDS: u32 = 16;
/// `PID_MAX_LIMIT` of a 64-bit kernel.
const MAX_PIDS: u32 = 4_194_304;

const DROPPED: Reader<Vec<String>> =
    Reader::new("a list of capabilities (capabilities(7)), or `[ALL]`", |fields, key| {
        fields.list(key, |text| capability(text, true))
    });
const ADDED: Reader<Vec<String>> =
    Reader::new("a list of capabilities", |fields, key| fields.list(key, |text| capability(text, false)));
const TMPFS: Reader<BTreeMap<AbsolutePath, String>> =
    Reader::new("a mapping such as `{ /tmp: \"size=64m,noexec\" }`", |fields, key| Some(tmpfs(fields, key)));
const RUNTIME: Reader<Option<String>> =
    Reader::new("the name of a runtime, or `\"\"`", |fields, key| optional(fields, key, runtime));

impl Security {
    /// The settings for the engine, with the content of the seccomp profile.
    #[must_use]
    pub fn hardening(&self, seccomp: Option<Arc<str>>) -> Hardening {
        Hardening {
            cap_drop: self.cap_drop.clone(),
            cap_add: self.cap_add.clone(),
            no_new_privileges: self.no_new_privileges,
            readonly_rootfs: self.readonly_rootfs,
            tmpfs: self.tmpfs.iter().map(|(path, options)| (path.to_string(), options.clone())).collect(),
            runtime: self.runtime.clone(),
            seccomp,
        }
    }
}

fn tmpfs(fields: &mut Fields<'_>, key: &'static str) -> BTreeMap<AbsolutePath, String> {
    let name = fields.name(key);
    let mistakes = fields.mistakes();
    let mut mounts = BTreeMap::new();
    for (key_node, key, value) in fields.names(key) {
        let mount_point = parsed(key_node, &name, mistakes, mount_point);
        let options = parsed(value, &format!("{name}.{key}"), mistakes, mount_options);
        if let (Some(mount_point), Some(options)) = (mount_point, options) {
            mounts.insert(mount_point, options);
        }
    }
    mounts
}

fn capability(text: &str, all: bool) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if name == "ALL" {
        return if all {
            Ok(name.to_owned())
        } else {
            Err("\"ALL\" would undo cap_drop; name the capabilities".to_owned())
        };
    }
    if format!("CAP_{name}").parse::<caps::Capability>().is_ok() {
        Ok(name.to_owned())
    } else {
        Err(Wrong::new(text, "a capability such as NET_BIND_SERVICE; capabilities(7) lists them").to_string())
    }
}

/// The characters are those of runtimes in the engine's configuration and of shim names.
fn runtime(text: &str) -> Result<String, Wrong> {
    let valid = text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if valid { Ok(text.to_owned()) } else { Err(Wrong::new(text, "a runtime of the engine such as runsc")) }
}

fn mount_point(text: &str) -> Result<AbsolutePath, String> {
    let path: AbsolutePath = text.parse().map_err(|wrong: Wrong| wrong.to_string())?;
    let own = path.as_path().starts_with(GUEST_DIR);
    // The engine splits a mount specification at colons and commas.
    if own || path.as_path().parent().is_none() || text.contains([':', ',']) {
        return Err(format!("{} cannot be a tmpfs; /tmp can", quote(text)));
    }
    Ok(path)
}

/// Options as mount(8) takes them for a tmpfs, of those that the engine passes on.
fn mount_options(text: &str) -> Result<String, String> {
    for option in text.split(',').filter(|_| !text.is_empty()) {
        let valid = match option.split_once('=') {
            None => matches!(
                option,
                "rw" | "ro"
                    | "exec"
                    | "noexec"
                    | "suid"
                    | "nosuid"
                    | "dev"
                    | "nodev"
                    | "sync"
                    | "async"
                    | "atime"
                    | "noatime"
                    | "relatime"
                    | "norelatime"
                    | "diratime"
                    | "nodiratime"
                    | "strictatime"
                    | "nostrictatime"
            ),
            Some(("size", size)) => size.strip_suffix('%').map_or_else(
                || size.parse::<crate::domain::Size>().is_ok(),
                |percent| percent.parse().is_ok_and(|percent: u8| (1..=100).contains(&percent)),
            ),
            Some(("mode", mode)) => u32::from_str_radix(mode, 8).is_ok_and(|mode| mode <= 0o7777),
            Some(("uid" | "gid" | "nr_inodes" | "nr_blocks", number)) => number.parse::<u32>().is_ok(),
            Some(_) => false,
        };
        if !valid {
            return Err(Wrong::new(option, "a tmpfs option such as size=64m, mode=1777, noexec or nosuid").to_string());
        }
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_known_with_and_without_their_prefix() {
        assert_eq!(capability("CAP_CHOWN", false).unwrap(), "CHOWN");
        assert_eq!(capability("net_raw", false).unwrap(), "NET_RAW");
        assert_eq!(capability("ALL", true).unwrap(), "ALL");
        assert_eq!(capability("CAP_ALL", true).unwrap(), "ALL");
        capability("ALL", false).unwrap_err();
        capability("CAP_EVERYTHING", true).unwrap_err();
    }

    #[test]
    fn a_tmpfs_is_an_absolute_path_with_sane_options() {
        for good in ["", "size=64m", "rw,noexec,nosuid,size=50%,mode=1777,uid=0"] {
            mount_options(good).unwrap();
        }
        for bad in ["bind", "size=", "size=0%", "mode=9", "rw,,ro", "mpol=x", "size=1g:ro"] {
            mount_options(bad).unwrap_err();
        }
        for bad in ["/", "tmp", "/a:b", "/a,b", "/.podspawn/run", "/a/../b"] {
            mount_point(bad).unwrap_err();
        }
        mount_point("/tmp").unwrap();
    }

    #[test]
    fn a_runtime_is_a_name() {
        assert_eq!(runtime("io.containerd.runsc.v1").unwrap(), "io.containerd.runsc.v1");
        for bad in ["", "-x", "/usr/bin/runc", "a b"] {
            runtime(bad).unwrap_err();
        }
    }
}
