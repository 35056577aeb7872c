//! The diagnosis for `podspawn doctor`.

use super::*;
use crate::{
    domain::{ImageRef, UidRange},
    engine::{ContainerSpec, NetworkSpec},
    sys::routes::Route,
};

fn capacity(host: &Host) -> Capacity {
    Capacity {
        routes: || Ok(vec![Route { subnet: "10.9.0.0/26".parse().unwrap(), interface: "tun0".into() }]),
        ..host.request("alice", None).capacity
    }
}

#[test]
fn a_diagnosis_distinguishes_sessions_from_orphans_and_changes_nothing() {
    let host = Host::with_config("network: {pool: 10.9.0.0/24, prefix: 28}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let images: [ImageRef; 2] = [IMAGE, "absent:1"].map(|name| name.parse().unwrap());
        let _alice = attach(&sessions, &host.request("alice", None)).await.unwrap();
        let found = sessions.diagnose(&capacity(host), UidRange::DEFAULT, &images).await;
        assert!(found.engine.is_ok() && found.orphans.unwrap().is_empty());
        assert_eq!(found.images, images.iter().cloned().zip([true, false]).collect::<Vec<_>>());
        let pool = found.pool.unwrap();
        assert_eq!((pool.subnets, pool.routed, pool.used), (16, 4, 1));
        assert_eq!((found.running, found.silent.len()), (1, 0));
        // A database from before alice came: what she has is orphaned.
        let other = host.root.path().join("other");
        let without = Sessions::new(
            host.engine.clone(),
            Store::open_in_memory().unwrap(),
            GuestBinary::new("/etc/hostname".into(), other),
            host.sockets(),
            Rc::new(|_: &Subject<'_>, _: &Event<'_>| {}),
        );
        let orphans = without.diagnose(&capacity(host), UidRange::DEFAULT, &[]).await.orphans.unwrap();
        let kinds: Vec<&str> = orphans.iter().map(|one| one.kind.as_str()).collect();
        assert_eq!((kinds, host.engine.counts()), (vec!["container", "network", "directory"], (1, 1)));
    });
}

#[test]
fn a_container_that_an_administrator_runs_of_a_committed_image_is_no_orphan_and_is_not_counted() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let _alice = attach(&sessions, &host.request("alice", None)).await.unwrap();
        let made = host.engine.containers().await.unwrap().remove(0);
        // As the engine makes it of an image with a session's labels: in its own network, without mounts.
        let copied = host.engine.spec_of(&made.id).unwrap();
        let mine = ContainerSpec {
            name: "rescue".parse().unwrap(),
            network: "bridge".into(),
            binds: Vec::new(),
            ..copied.clone()
        };
        host.engine.create_container(&mine).await.unwrap();
        let network = NetworkSpec {
            name: "monitoring".into(),
            subnet: "10.77.0.0/28".parse().unwrap(),
            labels: copied.labels.clone(),
        };
        host.engine.create_network(&network).await.unwrap();
        for is_over in [false, true] {
            if is_over {
                assert!(sessions.stop(&sessions.list(None)[0].key(), "stopped".into()));
                until("it is gone", || sessions.is_empty()).await;
            }
            assert_eq!(sessions.count_containers(None).await.unwrap(), usize::from(!is_over));
            let found = sessions.diagnose(&capacity(host), UidRange::DEFAULT, &[]).await;
            assert_eq!(found.orphans.unwrap(), []);
            assert_eq!(found.foreign, ["container rescue", "network monitoring"]);
            assert_eq!(sessions.sweep(false).await.unwrap(), []);
        }
        assert_eq!(host.engine.counts(), (1, 1));
    });
}

#[test]
fn an_engine_that_does_not_answer_leaves_everything_unknown_that_it_alone_knows() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        for verb in [Verb::Info, Verb::Containers] {
            host.engine.fail_next(verb, EngineError::Unreachable(io::ErrorKind::ConnectionRefused.into()));
        }
        let found = sessions.diagnose(&capacity(host), UidRange::DEFAULT, &[IMAGE.parse().unwrap()]).await;
        assert!(found.engine.is_err() && found.orphans.is_err() && found.images.is_empty());
        assert!(found.pool.is_ok(), "that is the host's own");
    });
}
