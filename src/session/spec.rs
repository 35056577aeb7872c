//! The description of a container and its network for the engine, as sessions and verifications have it.

use crate::{
    domain::{Bind, ContainerName, SessionId, Span},
    engine::{ContainerSpec, Labels},
    policy::Plan,
    protocol::guest::{GUEST_BINARY, GUEST_SOCKET_DIR},
};
use std::path::PathBuf;

/// How long the engine waits at its own shutdown before it kills a container.
const STOP_TIMEOUT: Span = Span::from_secs(10);

/// Longest host name, in bytes: a DNS label, one less than `HOST_NAME_MAX`.
const MAX_HOSTNAME: usize = 63;

/// A container with the limits, the hardening and the network of a session, whatever runs in it.
pub(super) fn container_spec(
    plan: &Plan,
    name: ContainerName,
    labels: Labels,
    binds: Vec<Bind>,
    entrypoint: Vec<String>,
) -> ContainerSpec {
    let mut hostname = name.to_string();
    hostname.truncate(MAX_HOSTNAME);
    ContainerSpec {
        name,
        hostname,
        image: plan.image.clone(),
        network: network_name(&labels.session),
        labels,
        limits: plan.limits,
        hardening: plan.hardening.clone(),
        terminals: None,
        binds,
        entrypoint,
        // The user's own variables go with every connection: a change takes effect at the next login.
        environment: Vec::new(),
        stop_timeout: STOP_TIMEOUT,
    }
}

/// What the container sees of the host: the guest's program, and the directory of the socket to the broker.
pub(super) fn guest_binds(program: PathBuf, sockets: PathBuf) -> Vec<Bind> {
    let bind = |source, target: &str| Bind { source, target: target.into(), writable: false };
    vec![bind(program, GUEST_BINARY), bind(sockets, GUEST_SOCKET_DIR)]
}

/// The id makes the name of a network unique; unlike that of a container, users do not type it.
pub(super) fn network_name(id: &SessionId) -> String {
    format!("podspawn-{id}")
}
