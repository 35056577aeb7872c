//! From the Docker API's answers to domain types.

use super::failure::shorten;
use crate::{
    domain::{Bind, Invalid},
    engine::{
        ContainerStatus, EngineError, EngineInfo, FoundContainer, FoundNetwork, Notice, PullProgress,
        found::FoundLabels,
    },
};
use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary, ContainerSummaryStateEnum, CreateImageInfo,
    EventMessage, MountPoint, Network, SystemInfo, SystemVersion,
};
use std::str::FromStr;

/// How many of a list that should be short are kept.
const MAX_LISTED: usize = 32;

/// An id, without which nothing can be done with what was created or found.
pub(super) fn id<T: FromStr<Err = Invalid>>(text: &str) -> Result<T, EngineError> {
    text.parse().map_err(|error: Invalid| EngineError::Garbled(error.to_string()))
}

pub(super) fn info(version: SystemVersion, info: SystemInfo) -> EngineInfo {
    let short = |text: Option<String>| shorten(&text.unwrap_or_default());
    let mut runtimes: Vec<_> = info.runtimes.unwrap_or_default().into_keys().map(|name| shorten(&name)).collect();
    runtimes.sort_unstable();
    runtimes.truncate(MAX_LISTED);
    EngineInfo {
        version: short(version.version),
        api_version: short(version.api_version),
        live_restore: info.live_restore_enabled.unwrap_or(false),
        security_options: info
            .security_options
            .unwrap_or_default()
            .iter()
            .take(MAX_LISTED)
            .map(|text| shorten(text))
            .collect(),
        runtimes,
        default_runtime: short(info.default_runtime),
        components: version
            .components
            .unwrap_or_default()
            .into_iter()
            .take(MAX_LISTED)
            .map(|component| (shorten(&component.name), shorten(&component.version)))
            .collect(),
        data_root: short(info.docker_root_dir),
        memory_limit: info.memory_limit,
        pids_limit: info.pids_limit,
        cpu_limit: info.cpu_cfs_quota,
        warnings: info.warnings.unwrap_or_default().iter().take(MAX_LISTED).map(|text| shorten(text)).collect(),
    }
}

pub(super) fn status(found: ContainerInspectResponse) -> Result<ContainerStatus, EngineError> {
    let state = found.state.ok_or_else(|| EngineError::Garbled("a container without a state".to_owned()))?;
    let running = state.running.unwrap_or(false);
    Ok(ContainerStatus {
        running,
        // The engine says 0 for a process that does not exist.
        pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| running && *pid > 0),
        oom_killed: state.oom_killed.unwrap_or(false),
        exit_code: state.exit_code.filter(|_| !running),
        removing: state.status == Some(ContainerStateStatusEnum::REMOVING),
    })
}

pub(super) fn container(found: ContainerSummary) -> Result<FoundContainer, EngineError> {
    use ContainerSummaryStateEnum::{PAUSED, RESTARTING, RUNNING, STOPPING};
    let labels = FoundLabels::read(&found.labels.unwrap_or_default());
    let name = found.names.unwrap_or_default().into_iter().next();
    Ok(FoundContainer {
        id: id(&found.id.unwrap_or_default())?,
        name: name.and_then(|name| name.trim_start_matches('/').parse().ok()),
        network: found.host_config.and_then(|config| config.network_mode).map(|name| shorten(&name)),
        binds: found.mounts.unwrap_or_default().into_iter().take(MAX_LISTED).filter_map(bind).collect(),
        session: labels.session,
        user: labels.user,
        project: labels.project,
        running: matches!(found.state, Some(RUNNING | PAUSED | RESTARTING | STOPPING)),
        created: found.created.unwrap_or(0),
    })
}

fn bind(found: MountPoint) -> Option<Bind> {
    let (source, target) = (found.source?.into(), found.destination?.into());
    (found.typ.as_deref() == Some("bind")).then(|| Bind { source, target, writable: found.rw.unwrap_or(true) })
}

pub(super) fn network(found: Network) -> Result<FoundNetwork, EngineError> {
    let labels = FoundLabels::read(&found.labels.unwrap_or_default());
    let subnets = found.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    Ok(FoundNetwork {
        id: id(&found.id.unwrap_or_default())?,
        name: shorten(&found.name.unwrap_or_default()),
        subnet: subnets.into_iter().find_map(|config| config.subnet?.parse().ok()),
        session: labels.session,
        user: labels.user,
        project: labels.project,
        created: found
            .created
            .and_then(|text| text.parse::<jiff::Timestamp>().ok())
            .map_or(0, jiff::Timestamp::as_second),
    })
}

/// An event that is of use. One that cannot be read is as good as none: what matters is found by looking, too.
pub(super) fn notice(event: EventMessage) -> Option<Notice> {
    let actor = event.actor?;
    let container = actor.id?.parse().ok()?;
    match event.action.as_deref()? {
        "die" => Some(Notice::Ended { container }),
        "destroy" => Some(Notice::Removed { container }),
        "oom" => Some(Notice::OutOfMemory { container }),
        "kill" => {
            let signal = actor.attributes?.get("signal")?.parse().ok()?;
            Some(Notice::Signalled { container, signal })
        }
        _ => None,
    }
}

pub(super) fn progress(step: CreateImageInfo) -> PullProgress {
    let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
    let detail = step.progress_detail.unwrap_or_default();
    PullProgress {
        layer: step.id.map(|text| shorten(&text)),
        status: shorten(&step.status.unwrap_or_default()),
        current: bytes(detail.current),
        total: bytes(detail.total),
    }
}
