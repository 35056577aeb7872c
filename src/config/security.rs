//! `security`: what containers may do, as the operator wrote it.

use super::{
    fields::{Fields, parsed},
    value::{AbsolutePath, Wrong, quote},
};
use crate::domain::{Hardening, UidRange};
use std::{collections::BTreeMap, sync::Arc};

/// Where a container finds what is podspawn's own; nothing may be mounted over it.
const GUEST_DIR: &str = "/.podspawn";

/// What containers may do. The seccomp profile is named here and read elsewhere ([`Self::hardening`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// Capabilities to drop, without `CAP_`, or `ALL`.
    pub cap_drop: Vec<String>,
    /// Capabilities to give back, without `CAP_`.
    pub cap_add: Vec<String>,
    /// Whether set-uid programs inside gain nothing.
    pub no_new_privileges: bool,
    /// Most processes and threads of a container.
    pub pids_limit: u32,
    /// Whether the root file system is read-only.
    pub readonly_rootfs: bool,
    /// Mount point in the container → mount options.
    pub tmpfs: BTreeMap<AbsolutePath, String>,
    /// The engine's OCI runtime; `None` is its default.
    pub runtime: Option<String>,
    /// A file with a seccomp profile; `None` is the engine's default profile.
    pub seccomp_profile: Option<AbsolutePath>,
    /// The user ids of users inside containers.
    pub uid_range: UidRange,
}

/// Fewer processes than a shell with a pipe and an editor need.
const MIN_PIDS: u32 = 16;
/// `PID_MAX_LIMIT` of a 64-bit kernel.
const MAX_PIDS: u32 = 4_194_304;

impl Default for Security {
    fn default() -> Self {
        Self {
            cap_drop: vec!["ALL".to_owned()],
            cap_add: ["CHOWN", "SETUID", "SETGID", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE"]
                .map(str::to_owned)
                .to_vec(),
            no_new_privileges: true,
            pids_limit: 256,
            readonly_rootfs: false,
            tmpfs: BTreeMap::new(),
            runtime: None,
            seccomp_profile: None,
            uid_range: UidRange::DEFAULT,
        }
    }
}

impl Security {
    /// As the engine is told, with the content of the seccomp profile.
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

    pub(super) fn read(&mut self, fields: &mut Fields<'_>) {
        if let Some(drop) = fields.list("cap_drop", |text| capability(text, true)) {
            self.cap_drop = drop;
        }
        if let Some(add) = fields.list("cap_add", |text| capability(text, false)) {
            self.cap_add = add;
        }
        fields.flag("no_new_privileges", &mut self.no_new_privileges);
        fields.number("pids_limit", MIN_PIDS..=MAX_PIDS, &mut self.pids_limit);
        fields.flag("readonly_rootfs", &mut self.readonly_rootfs);
        self.read_tmpfs(fields);
        if let Some(runtime) = fields.read_with("runtime", runtime) {
            self.runtime = runtime;
        }
        self.seccomp_profile = fields.optional_or_empty("seccomp_profile");
        fields.read("uid_range", &mut self.uid_range);
    }

    fn read_tmpfs(&mut self, fields: &mut Fields<'_>) {
        let name = fields.name("tmpfs");
        let mistakes = fields.mistakes();
        for (key_node, key, value) in fields.names("tmpfs") {
            let mount_point = parsed(key_node, &name, mistakes, mount_point);
            let options = parsed(value, &format!("{name}.{key}"), mistakes, mount_options);
            if let (Some(mount_point), Some(options)) = (mount_point, options) {
                self.tmpfs.insert(mount_point, options);
            }
        }
    }
}

/// Every capability of capabilities(7), without `CAP_`.
const CAPABILITIES: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
];

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
    if CAPABILITIES.contains(&name) {
        Ok(name.to_owned())
    } else {
        Err(Wrong::new(text, "a capability such as NET_BIND_SERVICE; capabilities(7) lists them").to_string())
    }
}

/// `""` is the engine's default. The characters are those of runtimes in dockerd's configuration and of shim names.
fn runtime(text: &str) -> Result<Option<String>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    let valid = text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if valid { Ok(Some(text.to_owned())) } else { Err(Wrong::new(text, "a runtime of the engine such as runsc")) }
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
        assert_eq!(runtime("").unwrap(), None);
        assert_eq!(runtime("io.containerd.runsc.v1").unwrap().as_deref(), Some("io.containerd.runsc.v1"));
        for bad in ["-x", "/usr/bin/runc", "a b"] {
            runtime(bad).unwrap_err();
        }
    }
}
