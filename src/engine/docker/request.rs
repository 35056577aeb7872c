//! From our specs to the bodies of the Docker API.

use crate::{
    domain::{Bind, Hardening, ImageRef},
    engine::{ContainerSpec, EngineError, Labels, NetworkSpec, spec},
    protocol::guest::MAX_GUEST_FILES,
};
use bollard::{
    models::{
        ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Ipam,
        IpamConfig, Mount, MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig, NetworkCreateRequest,
        ResourcesUlimits,
    },
    query_parameters::{CreateImageOptions, CreateImageOptionsBuilder, EventsOptions, EventsOptionsBuilder},
};
use std::{
    collections::HashMap,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// The body of a network's creation, and the same as text with the check for a second network of that name.
pub(super) fn network(spec: &NetworkSpec) -> Result<(NetworkCreateRequest, String), EngineError> {
    let subnet = IpamConfig { subnet: Some(spec.subnet.to_string()), ..IpamConfig::default() };
    let body = NetworkCreateRequest {
        name: spec.name.clone(),
        driver: Some("bridge".to_owned()),
        ipam: Some(Ipam { config: Some(vec![subnet]), ..Ipam::default() }),
        labels: Some(labels(&spec.labels)),
        ..NetworkCreateRequest::default()
    };
    let unwritable = |error: serde_json::Error| EngineError::Refused(error.to_string());
    let mut checked = serde_json::to_value(&body).map_err(unwritable)?;
    checked["CheckDuplicate"] = true.into();
    Ok((body, checked.to_string()))
}

/// The filter for objects that podspawn created.
pub(super) fn ours() -> HashMap<&'static str, Vec<String>> {
    HashMap::from([("label", vec![format!("{}={}", spec::MANAGED_BY.0, spec::MANAGED_BY.1)])])
}

/// The events of our containers that [`crate::engine::Notice`] has a word for, from a moment just before `now`.
pub(super) fn events(now: SystemTime) -> EventsOptions {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().saturating_sub(1);
    let mut filters = ours();
    filters.insert("type", vec!["container".to_owned()]);
    filters.insert("event", ["die", "destroy", "kill", "oom"].map(str::to_owned).into());
    EventsOptionsBuilder::default().since(&since.to_string()).filters(&filters).build()
}

/// The body of a container's creation.
pub(super) fn container(spec: &ContainerSpec) -> Result<ContainerCreateBody, EngineError> {
    Ok(ContainerCreateBody {
        hostname: Some(spec.hostname.clone()),
        user: Some("0:0".to_owned()),
        working_dir: Some("/".to_owned()),
        image: Some(spec.image.to_string()),
        // With an entrypoint of ours the engine leaves out the image's command as well.
        entrypoint: Some(spec.entrypoint.clone()),
        cmd: Some(Vec::new()),
        env: Some(spec.environment.clone()),
        labels: Some(labels(&spec.labels)),
        tty: Some(false),
        open_stdin: Some(false),
        attach_stdin: Some(false),
        attach_stdout: Some(false),
        attach_stderr: Some(false),
        // The image's health check would start a process of the engine's in the container every so often.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
        // An image may name another, which the guest would not take for the end.
        stop_signal: Some("SIGTERM".to_owned()),
        stop_timeout: Some(i64::try_from(spec.stop_timeout.as_secs()).unwrap_or(i64::MAX)),
        host_config: Some(host_config(spec)?),
        ..ContainerCreateBody::default()
    })
}

fn host_config(spec: &ContainerSpec) -> Result<HostConfig, EngineError> {
    let Hardening { cap_drop, cap_add, readonly_rootfs, tmpfs, runtime, .. } = &spec.hardening;
    let memory = i64::try_from(spec.limits.memory.as_bytes()).unwrap_or(i64::MAX);
    let terminals = spec.terminals.map(|most| terminals(most, &spec.labels));
    let mounts = spec.binds.iter().map(bind).chain(terminals.map(Ok)).collect::<Result<_, _>>()?;
    Ok(HostConfig {
        network_mode: Some(spec.network.clone()),
        nano_cpus: Some(spec.limits.cpus.as_nanos()),
        memory: Some(memory),
        // Memory and swap together: the same number gives no swap.
        memory_swap: Some(memory),
        pids_limit: Some(spec.limits.pids.into()),
        ulimits: Some(ULIMITS.iter().map(ulimit).collect()),
        cap_drop: Some(cap_drop.clone()),
        cap_add: Some(cap_add.clone()),
        security_opt: Some(security_options(&spec.hardening)),
        readonly_rootfs: Some(*readonly_rootfs),
        tmpfs: Some(tmpfs.clone().into_iter().collect()),
        runtime: runtime.clone(),
        mounts: Some(mounts),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        init: Some(false),
        auto_remove: Some(false),
        log_config: Some(log_config()),
        ..HostConfig::default()
    })
}

/// Limits of each process of a container whose use the kernel counts per uid of the host, whichever container or service
/// its processes are in. It refuses a process once the count exceeds that process's own limit: a container's must be
/// well below those of the host's services, or a tenant could stop whatever else has the same uid.
const ULIMITS: [(&str, u64); 3] = [
    // Descriptors; counted are those that are being sent. This is the guest's, which gives every process that it starts a
    // lower limit.
    ("nofile", MAX_GUEST_FILES),
    // Queued signals and timers of timer_create(2); the host's default is half of what it has processes, tens of thousands.
    ("sigpending", 4096),
    // Bytes in POSIX message queues; the host's default is 819200.
    ("msgqueue", 409_600),
];

fn ulimit((name, limit): &(&str, u64)) -> ResourcesUlimits {
    let limit = i64::try_from(*limit).ok();
    ResourcesUlimits { name: Some((*name).to_owned()), soft: limit, hard: limit }
}

/// The label of a volume with a container's terminals. Left-over volumes are found by it.
pub(super) const TERMINALS: &str = "podspawn.terminals";

/// The container's file system of terminals with a bound, instead of the one without that it would have otherwise: an
/// anonymous volume, which the engine mounts with the options that it gives its own and removes with the container.
fn terminals(most: u32, of: &Labels) -> Mount {
    let options = [
        ("type", "devpts".to_owned()),
        ("device", "devpts".to_owned()),
        ("o", format!("newinstance,nosuid,noexec,ptmxmode=0666,mode=0620,gid=5,max={most}")),
    ];
    let options = options.map(|(name, value)| (name.to_owned(), value));
    let mut labels = labels(of);
    labels.insert(TERMINALS.to_owned(), most.to_string());
    Mount {
        typ: Some(MountType::VOLUME),
        target: Some("/dev/pts".to_owned()),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            labels: Some(labels),
            driver_config: Some(MountVolumeOptionsDriverConfig {
                name: Some("local".to_owned()),
                options: Some(HashMap::from(options)),
            }),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

fn security_options(hardening: &Hardening) -> Vec<String> {
    let no_new_privileges = format!("no-new-privileges:{}", hardening.no_new_privileges);
    let seccomp = hardening.seccomp.as_ref().map(|profile| format!("seccomp={profile}"));
    std::iter::once(no_new_privileges).chain(seccomp).collect()
}

/// What goes to the first process's stdout is bounded, whatever the engine's default: root in the container can write
/// there as much as it likes, and the default keeps all of it. Of the drivers that `docker logs` can read,
/// json-file is the one that every engine has and that may have a single file.
fn log_config() -> HostConfigLogConfig {
    let bounds = [("max-size", "1m"), ("max-file", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(HashMap::from(bounds)) }
}

/// A mount, not the `source:target:options` string: a colon in a path would change its meaning there, and a source
/// that does not exist would be created.
fn bind(bind: &Bind) -> Result<Mount, EngineError> {
    Ok(Mount {
        typ: Some(MountType::BIND),
        source: Some(text(&bind.source)?),
        target: Some(text(&bind.target)?),
        read_only: Some(!bind.writable),
        ..Mount::default()
    })
}

fn text(path: &Path) -> Result<String, EngineError> {
    path.to_str().map(ToOwned::to_owned).ok_or_else(|| EngineError::Refused(format!("{} is not UTF-8", path.display())))
}

fn labels(labels: &Labels) -> HashMap<String, String> {
    labels.pairs().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What to pull.
pub(super) fn pull(image: &ImageRef) -> CreateImageOptions {
    CreateImageOptionsBuilder::default().from_image(&image.with_tag()).build()
}
