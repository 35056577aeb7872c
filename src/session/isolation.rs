//! How the engine isolates containers, and what that allows. Asked once: an engine that was set up anew has no sessions.

use crate::{
    domain::Hardening,
    engine::{EngineInfo, MAX_TERMINALS},
    policy::Plan,
};

/// OCI runtimes that take a mount of the host's as it is. A sandbox such as gVisor has terminals of its own.
const PLAIN_RUNTIMES: [&str; 4] = ["runc", "crun", "io.containerd.runc.v2", "youki"];

/// The properties that matter to sessions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Isolation {
    /// Whether containers have user namespaces, where their root is another uid of the host.
    user_namespaces: bool,
    /// Whether a file system that the engine mounts works as `/dev/pts` in a container: in a user namespace its group
    /// would be unknown, under `SELinux` its label would be one of the host's.
    mounts_terminals: bool,
    /// Whether the runtime that is taken when none is named is plain.
    is_plain: bool,
}

impl From<EngineInfo> for Isolation {
    fn from(info: EngineInfo) -> Self {
        let has = |word: &str| info.security_options.iter().any(|option| option.contains(word));
        let user_namespaces = has("userns") || has("rootless");
        Self {
            user_namespaces,
            mounts_terminals: !user_namespaces && !has("selinux"),
            is_plain: is_plain(&info.default_runtime),
        }
    }
}

fn is_plain(runtime: &str) -> bool {
    PLAIN_RUNTIMES.contains(&runtime)
}

impl Isolation {
    /// Whether the container's root may use a socket of another owner, whatever its mode. Then no other process in the
    /// container needs access, and a tenant cannot even connect to the guest's socket.
    pub(super) fn root_overrides_modes(self, plan: &Plan) -> bool {
        let has = |names: &[String], wanted: &str| names.iter().any(|name| name == wanted || name == "ALL");
        let Hardening { cap_drop, cap_add, .. } = &plan.hardening;
        (has(cap_add, "DAC_OVERRIDE") || !has(cap_drop, "DAC_OVERRIDE")) && !self.user_namespaces
    }

    /// How many terminals a container may have; `None` if the engine cannot limit them.
    pub(super) fn terminals(self, plan: &Plan) -> Option<u32> {
        let is_plain = plan.hardening.runtime.as_deref().map_or(self.is_plain, is_plain);
        (self.mounts_terminals && is_plain).then_some(MAX_TERMINALS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(runtime: &str, options: &[&str]) -> Isolation {
        let security_options = options.iter().map(|option| (*option).to_owned()).collect();
        EngineInfo { default_runtime: runtime.into(), security_options, ..EngineInfo::default() }.into()
    }

    #[test]
    fn terminals_are_bounded_where_a_mount_of_the_hosts_works_as_the_containers() {
        for (runtime, options, mounts, plain) in [
            ("runc", ["name=seccomp,profile=default", "name=cgroupns"], true, true),
            ("runc", ["name=apparmor", "name=userns"], false, true),
            ("crun", ["name=seccomp", "name=rootless"], false, true),
            ("runc", ["name=selinux", "name=seccomp"], false, true),
            ("runsc", ["name=seccomp", "name=cgroupns"], true, false),
            ("", ["name=seccomp", "name=cgroupns"], true, false),
        ] {
            let isolation = of(runtime, &options);
            assert_eq!((isolation.mounts_terminals, isolation.is_plain), (mounts, plain), "{runtime} {options:?}");
        }
    }
}
