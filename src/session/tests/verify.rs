//! Verifying an image.

use super::*;
use crate::protocol::examination::Facts;

/// What the containers that are made for it say, one after the other.
fn play_examiner(host: &Host, packet: Vec<u8>) -> tokio::task::JoinHandle<()> {
    let sockets = host.sockets();
    tokio::task::spawn_local(async move {
        loop {
            for entry in std::fs::read_dir(&sockets).into_iter().flatten().flatten() {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
                let path = SocketAddrUnix::new(entry.path().join(GUEST_SOCKET_NAME)).unwrap();
                if connect(&socket, &path).is_ok() {
                    let _ = seqpacket::send(&socket, &packet, &[]);
                    sleep(Duration::from_millis(50)).await;
                }
            }
            sleep(Duration::from_millis(2)).await;
        }
    })
}

fn plan(host: &Host, image: &str) -> (policy::Plan, Capacity) {
    let Request { plan, capacity, .. } = host.request("alice", None);
    (policy::Plan { image: image.parse().unwrap(), ..plan }, capacity)
}

async fn verify(host: &Host, sessions: &Sessions<FakeEngine>, image: &str) -> Result<Facts, VerifyError> {
    let (plan, capacity) = plan(host, image);
    sessions.verify(plan, capacity, &mut |_| {}).await
}

fn assert_nothing_left(host: &Host) {
    assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
    assert_eq!(std::fs::read_dir(host.sockets()).unwrap().count(), 0);
}

#[test]
fn an_image_is_verified_as_a_session_would_have_it_and_makes_no_session() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let facts = Facts { host_machine: 62, locales: vec!["C.UTF-8".into()], ..Facts::default() };
        let _examiner = play_examiner(host, facts.encode().unwrap());
        assert_eq!(verify(host, &sessions, IMAGE).await.unwrap(), facts);
        assert!(sessions.is_empty() && host.log().is_empty());
        assert_nothing_left(host);
        // An image that has to be pulled is waited for, and said to be.
        host.engine.publish("team/image:1");
        let (plan, capacity) = plan(host, "team/image:1");
        let mut steps = Vec::new();
        sessions.verify(plan, capacity, &mut |step| steps.push(step.text.clone())).await.unwrap();
        assert!(steps.iter().any(|step| step == "pulling team/image:1"), "{steps:?}");
        assert_nothing_left(host);
    });
}

#[test]
fn it_has_a_sessions_limits_hardening_and_network_and_a_pass_leaves_it_alone() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let looking = {
            let (sessions, (plan, capacity)) = (sessions.clone(), plan(host, IMAGE));
            tokio::task::spawn_local(async move { sessions.verify(plan, capacity, &mut |_| {}).await })
        };
        until("its container runs", || host.engine.verbs().contains(&Verb::InspectContainer)).await;
        let found = host.engine.containers().await.unwrap().remove(0);
        let spec = host.engine.spec_of(&found.id).unwrap();
        let (plan, _) = plan(host, IMAGE);
        assert_eq!((spec.limits, &spec.hardening), (plan.limits, &plan.hardening));
        assert!(spec.binds.iter().all(|bind| !bind.writable), "{:?}", spec.binds);
        assert_eq!(spec.name.as_ref(), format!("podspawn-verify-{}", found.session.unwrap()));
        assert_eq!(host.engine.networks().await.unwrap()[0].name, spec.network);
        assert_eq!(sessions.sweep(false).await.unwrap(), []);
        assert_eq!(host.engine.counts(), (1, 1));
        // The client disconnects: nothing stays.
        looking.abort();
        until("it is removed", || host.engine.counts() == (0, 0)).await;
        assert_nothing_left(host);
    });
}

#[test]
fn what_a_crash_leaves_of_it_is_removed_by_the_next_pass() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let (plan, capacity) = plan(host, IMAGE);
        let dead = sessions.clone();
        let looking = tokio::task::spawn_local(async move { dead.verify(plan, capacity, &mut |_| {}).await });
        until("its container runs", || host.engine.verbs().contains(&Verb::InspectContainer)).await;
        // Another broker knows nothing of it.
        let next = host.broker();
        let removed = next.sweep(false).await.unwrap();
        let kinds: Vec<RemovedKind> = removed.iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [RemovedKind::Container, RemovedKind::Network, RemovedKind::Directory]);
        assert_nothing_left(host);
        looking.abort();
    });
}

#[test]
fn every_failure_has_its_own_error_and_leaves_nothing() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let absent = verify(host, &sessions, "absent:1").await.unwrap_err();
        assert!(matches!(absent, VerifyError::Host(AttachError::Image { .. })), "{absent:?}");
        assert_nothing_left(host);
        host.engine.fail_next(Verb::StartContainer, EngineError::Refused("exec format error".into()));
        let refused = verify(host, &sessions, IMAGE).await.unwrap_err();
        assert!(matches!(refused, VerifyError::NotStarted(_)), "{refused:?}");
        assert_nothing_left(host);
        for verb in [Verb::CreateContainer, Verb::CreateNetwork, Verb::StartContainer, Verb::InspectContainer] {
            host.engine.lose_answer(verb);
            let lost = verify(host, &sessions, IMAGE).await.unwrap_err();
            assert!(matches!(lost, VerifyError::Host(AttachError::Engine { .. })), "{verb:?}: {lost:?}");
            assert_nothing_left(host);
        }
        let _liar = play_examiner(host, b"no facts".to_vec());
        let silent = verify(host, &sessions, IMAGE).await.unwrap_err();
        assert!(matches!(silent, VerifyError::Silent(_)), "{silent:?}");
        assert_nothing_left(host);
    });
}

#[test]
fn a_container_that_ends_without_a_word_is_not_waited_for_and_no_more_than_a_few_are_looked_at() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let looking: Vec<_> = (0..4)
            .map(|_| {
                let (sessions, (plan, capacity)) = (sessions.clone(), plan(host, IMAGE));
                tokio::task::spawn_local(async move { sessions.verify(plan, capacity, &mut |_| {}).await })
            })
            .collect();
        until("all four run", || host.engine.verbs().iter().filter(|v| **v == Verb::InspectContainer).count() >= 4)
            .await;
        assert!(matches!(verify(host, &sessions, IMAGE).await, Err(VerifyError::Busy)));
        for found in host.engine.containers().await.unwrap() {
            host.engine.end_container(&found.id, 1, false);
        }
        for one in looking {
            assert!(matches!(one.await.unwrap(), Err(VerifyError::NotStarted(_))));
        }
        assert_nothing_left(host);
    });
}
