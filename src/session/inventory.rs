//! Which of the engine's containers and networks podspawn made.
//!
//! A label is no proof. An image made from a container has its labels, with the entrypoint, the user
//! and the environment, and every container that an administrator runs of that image carries them. Mounts and the
//! network are not copied: they belong to the container alone.

use super::{registry::Registry, spec::network_name};
use crate::{
    engine::{Engine, EngineError, FoundContainer, FoundNetwork},
    link::Link,
    protocol::guest::GUEST_SOCKET_DIR,
};
use std::path::Path;

/// The beginning of the names that podspawn gives to containers.
const NAME_PREFIX: &str = "podspawn-";

/// What the engine has, compared with what podspawn made.
pub(super) struct Inventory<'a, E> {
    pub(super) engine: &'a E,
    pub(super) registry: &'a Registry,
    /// The directory of the guests' sockets.
    pub(super) sockets: &'a Path,
}

impl<E: Engine> Inventory<'_, E> {
    /// The containers that podspawn made, running or not.
    pub(super) async fn containers(&self) -> Result<Vec<FoundContainer>, EngineError> {
        let mut found = self.engine.containers().await?;
        found.retain(|one| self.made_container(one));
        Ok(found)
    }

    /// The networks that podspawn made.
    pub(super) async fn networks(&self) -> Result<Vec<FoundNetwork>, EngineError> {
        let mut found = self.engine.networks().await?;
        found.retain(made_network);
        Ok(found)
    }

    /// The names of containers and networks with podspawn's label that podspawn did not make.
    pub(super) async fn foreign(&self) -> Result<Vec<String>, EngineError> {
        let containers = self.engine.containers().await?;
        let containers = containers.into_iter().filter(|one| !self.made_container(one)).map(|one| {
            let name = one.name.map_or_else(|| one.id.short().to_owned(), |name| name.to_string());
            format!("container {name}")
        });
        let mut names: Vec<String> = containers.collect();
        let networks = self.engine.networks().await?;
        names.extend(networks.iter().filter(|one| !made_network(one)).map(|one| format!("network {}", one.name)));
        Ok(names)
    }

    fn made_container(&self, found: &FoundContainer) -> bool {
        let recorded = |id| self.registry.find_id(id).is_some_and(|session| session.engine.is_container(&found.id));
        found.session.as_ref().is_some_and(recorded) || is_proven(found, self.sockets)
    }
}

/// Whether a container is in the network of the session that its label names, sees that session's socket directory, and
/// has a name as podspawn gives them. `--volumes-from` copies mounts, but neither of the others.
fn is_proven(found: &FoundContainer, sockets: &Path) -> bool {
    let Some(session) = &found.session else { return false };
    let directory = Link::directory(sockets, session);
    found.network.as_deref() == Some(&network_name(session))
        && found.binds.iter().any(|bind| bind.source == directory && bind.target == Path::new(GUEST_SOCKET_DIR))
        // The engine forgets the name while it removes the container.
        && found.name.as_ref().is_none_or(|name| name.as_ref().starts_with(NAME_PREFIX))
}

/// A network's name contains the id of its session.
fn made_network(found: &FoundNetwork) -> bool {
    found.session.as_ref().is_some_and(|session| found.name == network_name(session))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Bind, SessionId},
        session::spec::guest_binds,
    };

    const SOCKETS: &str = "/run/podspawn/guests";

    fn made() -> FoundContainer {
        let session = SessionId::from_bits(7);
        FoundContainer {
            id: "a".repeat(64).parse().unwrap(),
            name: "podspawn-alice".parse().ok(),
            network: Some(network_name(&session)),
            binds: guest_binds("/guest".into(), Link::directory(Path::new(SOCKETS), &session)),
            session: Some(session),
            user: "alice".parse().ok(),
            project: None,
            running: true,
            created: 0,
        }
    }

    #[test]
    fn a_container_as_podspawn_makes_it_is_proven_and_one_that_shares_its_labels_is_not() {
        let sockets = Path::new(SOCKETS);
        assert!(is_proven(&made(), sockets));
        assert!(is_proven(&FoundContainer { name: None, ..made() }, sockets));
        let other = Link::directory(sockets, &SessionId::from_bits(8));
        for (what, foreign) in [
            ("run of a committed image", FoundContainer { network: None, binds: Vec::new(), ..made() }),
            ("with the session's volumes", FoundContainer { network: Some("bridge".into()), ..made() }),
            ("in the session's network", FoundContainer { binds: Vec::new(), ..made() }),
            ("with both, and a name of its own", FoundContainer { name: "rescue".parse().ok(), ..made() }),
            ("of an older version", FoundContainer { session: None, ..made() }),
            ("of another session", FoundContainer { binds: guest_binds("/guest".into(), other), ..made() }),
            (
                "that sees the directory elsewhere",
                FoundContainer {
                    binds: made().binds.into_iter().map(|bind| Bind { target: "/mnt".into(), ..bind }).collect(),
                    ..made()
                },
            ),
        ] {
            assert!(!is_proven(&foreign, sockets), "{what}");
        }
    }

    #[test]
    fn a_network_is_proven_by_a_name_with_its_session() {
        let session = SessionId::from_bits(7);
        let network = FoundNetwork {
            id: "b".repeat(64).parse().unwrap(),
            name: network_name(&session),
            subnet: None,
            session: Some(session),
            user: None,
            project: None,
            created: 0,
        };
        assert!(made_network(&network));
        assert!(!made_network(&FoundNetwork { name: "monitoring".into(), ..network.clone() }));
        assert!(!made_network(&FoundNetwork { session: None, ..network }));
    }
}
