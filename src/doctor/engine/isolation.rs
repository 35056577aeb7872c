//! `engine-isolation`: containers have seccomp, and `AppArmor` or `SELinux`.

use crate::{
    doctor::{Check, Group, Host, Problem, Report},
    protocol::varlink::EngineInfo,
};

/// The check.
pub(crate) const CHECK: Check = Check {
    name: "engine-isolation",
    group: Group::Engine,
    passes_if: "containers have seccomp, and AppArmor or SELinux",
    problems: &[UNFILTERED, UNCONFINED],
    needs_root: false,
    run,
};
const UNFILTERED: Problem = Problem::fail(
    "containers run without a seccomp filter",
    "take seccomp-profile out of {engine-settings}, or use a kernel and an engine with seccomp; \
     `systemctl restart {engine-unit}`",
)
.on_nixos("take seccomp-profile out of {engine-nixos-settings}, or use a kernel and an engine with seccomp");
const UNCONFINED: Problem = Problem::warn(
    "containers are confined neither by AppArmor nor by SELinux",
    "install apparmor and restart {engine-unit}, where the kernel has it",
)
.on_nixos("set security.apparmor.enable = true and restart {engine-unit}");

fn run(host: &Host) -> Report {
    match super::described(host, &CHECK) {
        Ok(engine) => isolation(engine, host.settings.seccomp.is_some()),
        Err(report) => report,
    }
}

/// `seccomp` is whether podspawn gives containers a profile of its own.
fn isolation(engine: &EngineInfo, seccomp: bool) -> Report {
    let option = |name: &str| engine.security_options.iter().find(|text| text.split(',').any(|part| part == name));
    let mut problems = Vec::new();
    let is_filtered = option("name=seccomp").is_some_and(|text| seccomp || !text.contains("profile=unconfined"));
    if !is_filtered {
        problems.push(CHECK.report(&UNFILTERED, "containers run without a seccomp filter", &[]));
    }
    if option("name=apparmor").is_none() && option("name=selinux").is_none() {
        problems.push(CHECK.report(&UNCONFINED, "containers are confined neither by AppArmor nor by SELinux", &[]));
    }
    let has = ["seccomp", "apparmor", "selinux", "userns", "rootless"];
    let has: Vec<&str> = has.into_iter().filter(|name| option(&format!("name={name}")).is_some()).collect();
    let namespaces = if has.contains(&"userns") || has.contains(&"rootless") {
        ""
    } else {
        "; without user namespaces, so root in a container is no boundary"
    };
    CHECK.merge(problems, format!("containers have {}{namespaces}", has.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::{super::example, *};
    use crate::doctor::Outcome;

    #[test]
    fn containers_without_a_filter_are_a_failure_and_without_a_confinement_a_warning() {
        assert_eq!(isolation(&example(), false).outcome, Outcome::Pass);
        let with = |options: &[&str]| EngineInfo {
            security_options: options.iter().map(|text| (*text).to_owned()).collect(),
            ..example()
        };
        let bare = isolation(&with(&["name=seccomp,profile=default"]), false);
        assert!(bare.outcome == Outcome::Warn && bare.seen.contains("AppArmor"), "{bare:?}");
        assert_eq!(isolation(&with(&["name=selinux"]), false).outcome, Outcome::Fail);
        let unconfined = with(&["name=apparmor", "name=seccomp,profile=unconfined"]);
        assert_eq!(isolation(&unconfined, false).outcome, Outcome::Fail);
        assert_eq!(isolation(&unconfined, true).outcome, Outcome::Pass, "podspawn gives a profile of its own");
        assert!(isolation(&with(&["name=apparmor", "name=seccomp"]), false).seen.contains("no boundary"));
    }
}
