//! The container engine and what sessions need of it, as the broker tells: nobody else may ask the engine.

use super::{Finding, Host, Report, runtime};
use crate::{
    config::Settings,
    protocol::varlink::{DiagnoseReply, EngineReply},
};
use std::{fmt::Write as _, os::unix::net::UnixStream, path::Path};

const ENGINE: &str = "engine";
const ISOLATION: &str = "engine-isolation";
const LIMITS: &str = "engine-limits";
const CHANNEL: &str = "guest-channel";
const IMAGES: &str = "images";
const ORPHANS: &str = "orphans";
/// Most containers and networks of others that are named.
const MAX_FOREIGN: usize = 4;
const POOL: &str = "network-pool";
/// The oldest engine that podspawn is tested with.
const OLDEST: (u32, u32) = (20, 10);

/// `engine`, `engine-isolation`, `engine-runtime`, `engine-limits`, `guest-channel`, `images`, `orphans`, `network-pool`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let socket = host.settings.config.engine.socket();
    let reply = match host.broker() {
        Ok(reply) => reply,
        Err(why) => return without_broker(why, host.root.then(|| connects(socket))),
    };
    let mut reports = vec![channel(reply, &host.settings), pool(reply, host.settings.config.resources.max_containers)];
    match &reply.engine {
        Some(engine) => reports.extend([
            version(engine),
            isolation(engine, host.settings.seccomp.is_some()),
            runtime::check(engine, host.settings.config.security.runtime.as_deref()),
            limits(engine),
        ]),
        None => reports.extend(without_engine(reply.engine_error.as_deref().unwrap_or("it does not say why"))),
    }
    reports.extend([images(reply), orphans(reply)]);
    reports
}

/// Whether anybody listens at the engine's socket.
fn connects(socket: &Path) -> String {
    match UnixStream::connect(socket) {
        Ok(_) => format!("{} takes connections", socket.display()),
        Err(error) => format!("{}: {error}", socket.display()),
    }
}

fn without_broker(why: &str, connects: Option<String>) -> Vec<Report> {
    let connects = connects.map_or(String::new(), |connects| format!("; {connects}"));
    let engine = Report::unknown(ENGINE, format!("only the broker asks it, and {why}{connects}"), "see broker");
    let others = [ISOLATION, runtime::CHECK, LIMITS, CHANNEL, IMAGES, ORPHANS, POOL];
    let others = others.map(|check| Report::unknown(check, "the broker does not say", "see broker"));
    std::iter::once(engine).chain(others).collect()
}

fn without_engine(why: &str) -> Vec<Report> {
    let engine = Report::fail(ENGINE, format!("{why}: nobody new gets in"), "systemctl start docker");
    let others = [ISOLATION, runtime::CHECK, LIMITS];
    let others = others.map(|check| Report::unknown(check, "the engine does not answer", "see engine"));
    std::iter::once(engine).chain(others).collect()
}

fn version(engine: &EngineReply) -> Report {
    let mut numbers = engine.version.split('.').map(|number| number.parse::<u32>().ok());
    let seen = format!("version {} answers", engine.version);
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) < OLDEST => {
            let (major, minor) = OLDEST;
            Report::fail(ENGINE, seen, format!("podspawn needs Docker {major}.{minor} or later: upgrade it"))
        }
        _ => Report::pass(ENGINE, seen),
    }
}

/// `seccomp` is whether podspawn gives containers a profile of its own.
fn isolation(engine: &EngineReply, seccomp: bool) -> Report {
    let option = |name: &str| engine.security_options.iter().find(|text| text.split(',').any(|part| part == name));
    let mut findings = Vec::new();
    let is_filtered = option("name=seccomp").is_some_and(|text| seccomp || !text.contains("profile=unconfined"));
    if !is_filtered {
        findings.push(Finding::broken(
            "containers run without a seccomp filter",
            "take seccomp-profile out of /etc/docker/daemon.json, or use a kernel and an engine with seccomp; systemctl restart docker",
        )
        .on_nixos(
            "take seccomp-profile out of virtualisation.docker.daemon.settings, or use a kernel and an engine with seccomp",
        ));
    }
    if option("name=apparmor").is_none() && option("name=selinux").is_none() {
        findings.push(
            Finding::notable(
                "containers are confined neither by AppArmor nor by SELinux",
                "install apparmor and restart docker, where the kernel has it",
            )
            .on_nixos("set security.apparmor.enable = true and restart docker"),
        );
    }
    let has = ["seccomp", "apparmor", "selinux", "userns", "rootless"];
    let has: Vec<&str> = has.into_iter().filter(|name| option(&format!("name={name}")).is_some()).collect();
    let namespaces = if has.contains(&"userns") || has.contains(&"rootless") {
        ""
    } else {
        "; without user namespaces, so root in a container is no boundary"
    };
    Report::of(ISOLATION, findings, format!("containers have {}{namespaces}", has.join(", ")))
}

fn limits(engine: &EngineReply) -> Report {
    let limits = [("memory", engine.memory_limit), ("pids", engine.pids_limit), ("cpu", engine.cpu_limit)];
    let named = |wanted: Option<bool>| -> Vec<&str> {
        limits.iter().filter(|(_, holds)| *holds == wanted).map(|(name, _)| *name).collect()
    };
    let (off, unsaid) = (named(Some(false)), named(None));
    if !off.is_empty() {
        let seen = format!("the kernel enforces no limit of {}: one container can take the whole host", off.join(", "));
        return Report::fail(
            LIMITS,
            seen,
            "boot with cgroup v2, or cgroup_enable=memory; docker info names what is missing",
        );
    }
    if !unsaid.is_empty() {
        let why = format!("the engine does not say whether limits of {} hold", unsaid.join(", "));
        return Report::unknown(LIMITS, why, "docker info");
    }
    Report::pass(LIMITS, "limits of memory, processes and processors hold")
}

fn channel(reply: &DiagnoseReply, settings: &Settings) -> Report {
    if !reply.silent.is_empty() {
        let names = reply.silent.join(", ");
        let first = reply.silent.first().map_or("", String::as_str);
        let seen = format!("{} of {} containers run and do not answer: {names}", reply.silent.len(), reply.running);
        return Report::warn(CHANNEL, seen, format!("podspawn stop {first}"));
    }
    let engine = reply.engine.as_ref().map(|engine| engine.default_runtime.as_str());
    let runtime = settings.config.security.runtime.as_deref().or(engine).unwrap_or("");
    if runtime::is_sandboxed(runtime) && reply.running == 0 {
        let seen = format!("runtime {runtime} may not carry the host's socket into containers, which sessions need");
        let arguments = "runtimeArgs [\"--host-uds=open\"]";
        return Report::warn(CHANNEL, seen, format!("for runsc: {arguments} in /etc/docker/daemon.json"))
            .on_nixos(format!("for runsc: {arguments} in virtualisation.docker.daemon.settings.runtimes"));
    }
    match reply.running {
        0 => Report::pass(CHANNEL, "no container runs that should answer"),
        running => Report::pass(CHANNEL, format!("all {running} containers answer through the host's socket")),
    }
}

fn images(reply: &DiagnoseReply) -> Report {
    let unsaid = reply.images.iter().filter(|image| image.present.is_none()).count();
    let absent = reply.images.iter().filter(|image| image.present == Some(false));
    let findings: Vec<Finding> = absent
        .map(|one| {
            let what = format!("{} (for {}) is not on this server, so the first login waits for it", one.image, one.of);
            Finding::notable(what, format!("docker pull {}", one.image))
        })
        .collect();
    if findings.is_empty() && unsaid > 0 {
        return Report::unknown(IMAGES, format!("the engine does not say of {unsaid} images"), "see engine");
    }
    Report::of(IMAGES, findings, format!("all {} images that somebody would get are here", reply.images.len()))
}

fn orphans(reply: &DiagnoseReply) -> Report {
    let Some(orphans) = &reply.orphans else {
        return Report::unknown(ORPHANS, "the engine does not say what it has", "see engine");
    };
    let remedy = "podspawn cleanup";
    let told = |one: &crate::protocol::varlink::RemovedInfo| format!("{} {}: {}", one.kind, one.name, one.reason);
    let findings = orphans.iter().map(|one| Finding::notable(told(one), remedy)).collect();
    let mut good = "every container and network that podspawn made belongs to a session".to_owned();
    if !reply.foreign.is_empty() {
        let more = reply.foreign.len().saturating_sub(MAX_FOREIGN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named = reply.foreign.get(..MAX_FOREIGN).unwrap_or(&reply.foreign).join(", ");
        let _ = write!(
            good,
            "; not podspawn's, though labelled so (docker commit copies labels), and left alone: {named}{more}"
        );
    }
    Report::of(ORPHANS, findings, good)
}

fn pool(reply: &DiagnoseReply, most: u32) -> Report {
    const ENLARGE: &str = "enlarge network.pool, or network.prefix, in /etc/podspawn/config.yaml";
    const DECLARED: &str = "enlarge network.pool, or network.prefix, of services.podspawn.settings";
    let Some(pool) = &reply.pool else {
        let why = reply.pool_error.as_deref().unwrap_or("there is no pool");
        return Report::fail(POOL, why, "choose another network.pool in /etc/podspawn/config.yaml")
            .on_nixos("choose another services.podspawn.settings.network.pool");
    };
    let usable = pool.subnets.saturating_sub(pool.routed);
    let seen = format!("{} of {} subnets of {} are free", usable.saturating_sub(pool.used), pool.subnets, pool.network);
    if pool.used >= usable {
        Report::fail(POOL, seen, ENLARGE).on_nixos(DECLARED)
    } else if usable < most {
        let routed =
            if pool.routed > 0 { format!(", {} lie behind routes of this host", pool.routed) } else { String::new() };
        let seen = format!("{seen}{routed}, and resources.max_containers is {most}");
        Report::warn(POOL, seen, ENLARGE).on_nixos(DECLARED)
    } else {
        Report::pass(POOL, seen)
    }
}

#[cfg(test)]
mod tests;
