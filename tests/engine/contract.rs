//! What every engine keeps: the fake in the unit tests (`src/engine/fake/tests.rs`), a real one in `tests/engine.rs`.
//!
//! Both include this file beside their own `domain` and `engine`, so that none of it is in the binary. Each clause
//! uses the given [`Ground`] alone and leaves nothing behind if it holds.

use super::{
    domain::{Bind, Cpus, Hardening, ImageRef, Limits, NetworkId, SessionId, Span, Subnet},
    engine::{ContainerSpec, Engine, EngineError, Labels, NetworkSpec, Notice},
};
use std::collections::BTreeMap;

/// What a clause may use of the engine.
pub(super) struct Ground {
    /// Different for every clause that runs.
    pub(super) number: u8,
    /// An image that the engine has.
    pub(super) image: ImageRef,
    /// A program that stays until it is killed, where the container finds it thanks to `binds`.
    pub(super) entrypoint: Vec<String>,
    /// What it needs of the host.
    pub(super) binds: Vec<Bind>,
}

impl Ground {
    pub(super) fn session(&self) -> SessionId {
        SessionId::from_bits(0xc0ff_ee00 + u64::from(self.number))
    }

    fn labels(&self) -> Labels {
        Labels { user: "alice".parse().unwrap(), project: Some("web".parse().unwrap()), session: self.session() }
    }

    /// The `n`th of four small subnets of this clause's own.
    fn subnet(&self, n: u8) -> Subnet {
        format!("10.213.{}.{}/28", self.number, n * 16).parse().unwrap()
    }

    /// A network with the `n`th subnet.
    pub(super) fn network(&self, n: u8) -> NetworkSpec {
        let name = format!("podspawn-contract-{}-{n}", self.number);
        NetworkSpec { name, subnet: self.subnet(n), labels: self.labels() }
    }

    /// A container in that network.
    pub(super) fn container(&self, n: u8) -> ContainerSpec {
        let drop_all = Hardening {
            cap_drop: vec!["ALL".into()],
            cap_add: vec!["CHOWN".into()],
            no_new_privileges: true,
            readonly_rootfs: false,
            tmpfs: BTreeMap::from([("/scratch".into(), "size=1m".into())]),
            runtime: None,
            seccomp: None,
        };
        ContainerSpec {
            name: format!("podspawn-contract-{}-{n}", self.number).parse().unwrap(),
            hostname: "contract".into(),
            image: self.image.clone(),
            network: self.network(n).name,
            labels: self.labels(),
            limits: Limits { cpus: Cpus::try_from(1.0).unwrap(), memory: "64m".parse().unwrap(), pids: 32 },
            hardening: drop_all,
            terminals: Some(16),
            binds: self.binds.clone(),
            entrypoint: self.entrypoint.clone(),
            environment: vec!["CONTRACT=1".into()],
            stop_timeout: Span::from_secs(1),
        }
    }
}

/// The number of our containers and networks that carry this clause's session.
async fn left_behind(engine: &impl Engine, ground: &Ground) -> (usize, usize) {
    let ours = Some(ground.session());
    let containers = engine.containers().await.unwrap().iter().filter(|found| found.session == ours).count();
    let networks = engine.networks().await.unwrap().iter().filter(|found| found.session == ours).count();
    (containers, networks)
}

pub(super) async fn a_session_is_made_found_and_removed(engine: &impl Engine, ground: &Ground) {
    let network = engine.create_network(&ground.network(0)).await.unwrap();
    let spec = ground.container(0);
    let container = engine.create_container(&spec).await.unwrap();

    let created = engine.inspect_container(&container).await.unwrap();
    assert!(!created.running && created.pid.is_none(), "{created:?}");
    engine.start_container(&container).await.unwrap();
    let status = engine.inspect_container(&container).await.unwrap();
    assert!(status.running && status.pid.is_some() && status.exit_code.is_none() && !status.oom_killed, "{status:?}");

    let found = engine.containers().await.unwrap().into_iter().find(|found| found.id == container).unwrap();
    assert_eq!(found.name, Some(spec.name));
    assert_eq!((found.user, found.project), (Some(spec.labels.user.clone()), spec.labels.project.clone()));
    assert!(found.running && found.session == Some(ground.session()) && found.created > 0);
    let found = engine.networks().await.unwrap().into_iter().find(|found| found.id == network).unwrap();
    assert_eq!((found.name, found.subnet), (ground.network(0).name, Some(ground.subnet(0))));
    assert!(found.session == Some(ground.session()) && found.created > 0);

    engine.remove_container(&container).await.unwrap();
    engine.remove_network(&network).await.unwrap();
    assert_eq!(left_behind(engine, ground).await, (0, 0));
    engine.remove_container(&container).await.expect("what is gone is removed");
    engine.remove_network(&network).await.expect("what is gone is removed");
}

pub(super) async fn a_container_and_its_network_can_be_made_at_once(engine: &impl Engine, ground: &Ground) {
    let (network, spec) = (ground.network(0), ground.container(0));
    let (network, container) = tokio::join!(engine.create_network(&network), engine.create_container(&spec));
    let (network, container) = (network.unwrap(), container.unwrap());
    engine.start_container(&container).await.unwrap();
    engine.remove_container(&container).await.unwrap();
    engine.remove_network(&network).await.unwrap();
}

pub(super) async fn a_container_whose_network_is_absent_starts_once_it_is_there(engine: &impl Engine, ground: &Ground) {
    let container = engine.create_container(&ground.container(0)).await.unwrap();
    let error = engine.start_container(&container).await.unwrap_err();
    assert!(matches!(error, EngineError::NoSuchNetwork), "{error:?}");
    assert!(!engine.inspect_container(&container).await.unwrap().running);

    let network = engine.create_network(&ground.network(0)).await.unwrap();
    engine.start_container(&container).await.unwrap();
    engine.remove_container(&container).await.unwrap();
    engine.remove_network(&network).await.unwrap();
}

pub(super) async fn names_are_unique(engine: &impl Engine, ground: &Ground) {
    let container = engine.create_container(&ground.container(0)).await.unwrap();
    let error = engine.create_container(&ground.container(0)).await.unwrap_err();
    assert!(matches!(error, EngineError::NameTaken), "{error:?}");

    let network = engine.create_network(&ground.network(0)).await.unwrap();
    let same_name = NetworkSpec { subnet: ground.subnet(1), ..ground.network(0) };
    let error = engine.create_network(&same_name).await.unwrap_err();
    assert!(matches!(error, EngineError::NameTaken), "{error:?}");

    engine.remove_container(&container).await.unwrap();
    engine.remove_network(&network).await.unwrap();
    assert_eq!(left_behind(engine, ground).await, (0, 0));
}

pub(super) async fn networks_do_not_overlap(engine: &impl Engine, ground: &Ground) {
    let network = engine.create_network(&ground.network(0)).await.unwrap();
    let wider: Subnet = format!("10.213.{}.0/24", ground.number).parse().unwrap();
    for subnet in [ground.subnet(0), wider] {
        let error = engine.create_network(&NetworkSpec { subnet, ..ground.network(1) }).await.unwrap_err();
        assert!(matches!(error, EngineError::SubnetTaken), "{subnet}: {error:?}");
    }
    let beside = engine.create_network(&ground.network(1)).await.unwrap();
    engine.remove_network(&network).await.unwrap();
    engine.remove_network(&beside).await.unwrap();
}

pub(super) async fn a_network_in_use_stays(engine: &impl Engine, ground: &Ground) {
    let network = engine.create_network(&ground.network(0)).await.unwrap();
    let container = engine.create_container(&ground.container(0)).await.unwrap();
    engine.start_container(&container).await.unwrap();
    let error = engine.remove_network(&network).await.unwrap_err();
    assert!(matches!(error, EngineError::NetworkInUse), "{error:?}");
    engine.remove_container(&container).await.unwrap();
    engine.remove_network(&network).await.unwrap();
}

pub(super) async fn an_absent_image_is_an_error_of_its_own(engine: &impl Engine, ground: &Ground) {
    // Port 1 of the host itself: a registry that does not exist, for engines with and without a network.
    let image: ImageRef = "localhost:1/podspawn-contract/absent:1".parse().unwrap();
    let error =
        engine.create_container(&ContainerSpec { image: image.clone(), ..ground.container(0) }).await.unwrap_err();
    assert!(matches!(&error, EngineError::NoSuchImage(absent) if *absent == image), "{error:?}");
    let error = engine.pull(&image, &mut |_| {}).await.unwrap_err();
    assert!(matches!(&error, EngineError::PullFailed { image: absent, .. } if *absent == image), "{error:?}");
    assert!(!error.is_unknown());
    assert!(!engine.has_image(&image).await.unwrap() && engine.has_image(&ground.image).await.unwrap());
}

pub(super) async fn what_the_engine_does_not_accept_is_refused(engine: &impl Engine, ground: &Ground) {
    let mut spec = ground.container(0);
    spec.hardening.runtime = Some("no-such-runtime".into());
    let error = engine.create_container(&spec).await.unwrap_err();
    assert!(matches!(&error, EngineError::Refused(message) if message.contains("no-such-runtime")), "{error:?}");
    assert_eq!(left_behind(engine, ground).await, (0, 0));
}

pub(super) async fn a_container_that_is_gone_is_gone_for_every_verb(engine: &impl Engine, ground: &Ground) {
    let container = engine.create_container(&ground.container(0)).await.unwrap();
    engine.remove_container(&container).await.unwrap();
    let error = engine.start_container(&container).await.unwrap_err();
    assert!(matches!(error, EngineError::NoSuchContainer), "{error:?}");
    let error = engine.inspect_container(&container).await.unwrap_err();
    assert!(matches!(error, EngineError::NoSuchContainer), "{error:?}");
    engine.remove_network(&"0".repeat(64).parse::<NetworkId>().unwrap()).await.unwrap();
}

pub(super) async fn starting_twice_and_removing_twice_at_once_are_fine(engine: &impl Engine, ground: &Ground) {
    let network = engine.create_network(&ground.network(0)).await.unwrap();
    let container = engine.create_container(&ground.container(0)).await.unwrap();
    engine.start_container(&container).await.unwrap();
    let pid = engine.inspect_container(&container).await.unwrap().pid;
    engine.start_container(&container).await.unwrap();
    assert_eq!(engine.inspect_container(&container).await.unwrap().pid, pid);

    let remove = || engine.remove_container(&container);
    let (first, second, third) = tokio::join!(remove(), remove(), remove());
    first.and(second).and(third).unwrap();
    assert_eq!(left_behind(engine, ground).await, (0, 1));
    engine.remove_network(&network).await.unwrap();
}

pub(super) async fn a_limit_above_what_the_machine_has_is_no_error(engine: &impl Engine, ground: &Ground) {
    let mut spec = ground.container(0);
    spec.limits.cpus = Cpus::try_from(1024.0).unwrap();
    let container = engine.create_container(&spec).await.unwrap();
    engine.remove_container(&container).await.unwrap();
}

pub(super) async fn a_watch_reports_the_events_of_a_container(engine: &impl Engine, ground: &Ground) {
    let network = engine.create_network(&ground.network(0)).await.unwrap();
    let container = engine.create_container(&ground.container(0)).await.unwrap();
    let (sender, mut notices) = tokio::sync::mpsc::unbounded_channel();
    let work = async {
        // Others use the same engine, and what happened a moment ago may come first.
        while notices.recv().await.unwrap() != Notice::Watching {}
        engine.start_container(&container).await.unwrap();
        engine.remove_container(&container).await.unwrap();
        let removed = Notice::Removed { container: container.clone() };
        while notices.recv().await.unwrap() != removed {}
    };
    let mut hear = |notice| sender.send(notice).unwrap();
    tokio::select! {
        error = engine.watch(&mut hear) => panic!("{error:?}"),
        () = work => {}
        () = tokio::time::sleep(std::time::Duration::from_secs(30)) => panic!("no notice"),
    }
    engine.remove_network(&network).await.unwrap();
}
