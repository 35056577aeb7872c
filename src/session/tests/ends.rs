//! Containers that end without podspawn, and the reason that their users get.

use super::*;

/// A host with a broker that watches the engine, and one session with a connection; its guest never reports
/// an error.
async fn watched(host: &Host) -> (Sessions<FakeEngine>, Attached, ContainerId) {
    let sessions = host.broker();
    sessions.watch();
    let _guests = play_guests(host);
    let attached = attach(&sessions, &host.request("alice", None)).await.unwrap();
    until("the engine is watched", || host.engine.watchers() == 1).await;
    let id = host.engine.containers().await.unwrap()[0].id.clone();
    (sessions, attached, id)
}

async fn why(sessions: &Sessions<FakeEngine>, attached: &Attached, user: &str) -> Option<String> {
    sessions.why_ended(&attached.session, |owner| owner.as_ref() == user).await
}

#[test]
fn a_container_that_ends_without_podspawn_is_noticed_whatever_its_guest_reports() {
    type End = fn(&FakeEngine, &ContainerId);
    let cases: [(End, &str, &str); 5] = [
        (
            |engine, id| engine.end_container(id, 137, true),
            "killed: out of memory",
            "your container was killed: out of memory",
        ),
        (|engine, id| engine.kill_container(id, 9), "killed by the engine", "your container was killed by the engine"),
        (
            |engine, id| engine.kill_container(id, 15),
            "stopped by the engine, exit code 143",
            "your container was stopped by the engine",
        ),
        (
            |engine, id| engine.end_container(id, 3, true),
            "ended with exit code 3",
            "your container ended with exit code 3",
        ),
        (
            |engine, id| engine.end_container(id, 137, false),
            "killed by signal 9",
            "your container was killed by signal 9",
        ),
    ];
    for (end, reason, line) in cases {
        let host = Host::new();
        on_host(&host, async |host| {
            let (sessions, attached, id) = watched(host).await;
            end(&host.engine, &id);
            assert_eq!(why(&sessions, &attached, "alice").await.as_deref(), Some(line));
            until("it is removed", || sessions.is_empty()).await;
            assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
            let logged = format!("alice: destroying: {reason}");
            assert!(host.log().contains(&logged), "{logged}: {:?}", host.log());
            // Still known when it is gone, to its user alone.
            assert_eq!(why(&sessions, &attached, "alice").await.as_deref(), Some(line));
            assert_eq!(why(&sessions, &attached, "bob").await, None);
        });
    }
}

#[test]
fn a_container_that_is_removed_without_podspawn_ends_its_session() {
    let host = Host::new();
    on_host(&host, async |host| {
        let (sessions, attached, id) = watched(host).await;
        host.engine.remove_container(&id).await.unwrap();
        until("it is removed", || sessions.is_empty()).await;
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
        assert_eq!(why(&sessions, &attached, "alice").await.unwrap(), "your container was removed outside of podspawn");
    });
}

#[test]
fn what_happened_while_the_engine_was_not_heard_is_found_when_it_is_back() {
    let host = Host::new();
    on_host(&host, async |host| {
        let (sessions, attached, id) = watched(host).await;
        let bob = attach(&sessions, &host.request("bob", None)).await.unwrap();
        for _ in 0..2 {
            host.engine.fail_next(Verb::Watch, EngineError::Unreachable(io::ErrorKind::NotFound.into()));
        }
        host.engine.hang_up();
        host.engine.end_container(&id, 137, false);
        until("it is removed", || sessions.counts().0 == 1).await;
        assert_eq!(sessions.list(None)[0].id, bob.session);
        assert_eq!(why(&sessions, &attached, "alice").await.unwrap(), "your container was killed by signal 9");
        let reports: Vec<_> =
            host.log().into_iter().filter(|line| ["engine_lost", "engine_back"].contains(&line.as_str())).collect();
        assert_eq!(reports, ["engine_lost", "engine_back"]);
        // A restart of which no event came.
        let id = host.engine.containers().await.unwrap()[0].id.clone();
        host.engine.restart_container(&id);
        assert!(sessions.destroy_if_dead(&sessions.0.registry.find_id(&bob.session).unwrap()).await.unwrap());
        until("it is removed", || sessions.is_empty()).await;
        assert_eq!(why(&sessions, &bob, "bob").await.unwrap(), "your container was restarted outside of podspawn");
    });
}

#[test]
fn an_engine_that_does_not_answer_ends_nothing_and_is_not_asked_without_a_session() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        sessions.watch();
        sleep(Duration::from_millis(50)).await;
        assert_eq!(host.engine.verbs(), [], "no session exists");
        let _guests = play_guests(host);
        let attached = attach(&sessions, &host.request("alice", None)).await.unwrap();
        until("the engine is watched", || host.engine.watchers() == 1).await;
        let away = || EngineError::Unreachable(io::ErrorKind::NotFound.into());
        for _ in 0..2 {
            host.engine.fail_next(Verb::Containers, away());
            host.engine.hang_up();
            until("the engine is watched again", || host.engine.watchers() == 1).await;
        }
        host.engine.fail_next(Verb::InspectContainer, away());
        assert_eq!(why(&sessions, &attached, "alice").await, None);
        assert_eq!((host.engine.counts(), sessions.counts()), ((1, 1), (1, 1)));
    });
}

#[test]
fn what_could_not_be_removed_goes_as_soon_as_the_engine_is_back() {
    let host = Host::new();
    on_host(&host, async |host| {
        let (sessions, _attached, _) = watched(host).await;
        // So often that the pause between two tries has become seconds.
        for _ in 0..5 {
            host.engine.fail_next(Verb::RemoveContainer, EngineError::Unreachable(io::ErrorKind::NotFound.into()));
        }
        assert!(sessions.stop(&host.request("alice", None).key, "stopped by root".into()));
        let tries = || host.engine.verbs().iter().filter(|verb| **verb == Verb::RemoveContainer).count();
        until("it was tried four times", || tries() == 4).await;
        host.engine.hang_up();
        let since = std::time::Instant::now();
        until("it is removed", || sessions.is_empty()).await;
        assert!(since.elapsed() < Duration::from_millis(1500), "{:?}", since.elapsed());
    });
}

#[test]
fn a_container_that_dies_before_its_guest_came_is_not_waited_for() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        sessions.watch();
        let (engine, request) = (host.engine.clone(), host.request("alice", None));
        let (attached, ()) = tokio::join!(attach(&sessions, &request), async {
            until("it runs", || engine.verbs().last() == Some(&Verb::InspectContainer)).await;
            sleep(Duration::from_millis(20)).await;
            let id = engine.containers().await.unwrap()[0].id.clone();
            engine.end_container(&id, 127, false);
        });
        let error = attached.unwrap_err();
        assert!(error.for_user().contains("the container ended at once with exit code 127"), "{}", error.for_user());
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
    });
}

#[test]
fn a_session_that_podspawn_ends_has_a_reason_as_well() {
    let host = Host::with_config("session: {max_lifetime: 1s}");
    on_host(&host, async |host| {
        let (sessions, attached, _) = watched(host).await;
        until("it is destroyed", || sessions.is_empty()).await;
        let line = "your container was removed: its lifetime of 1s is over";
        assert_eq!(why(&sessions, &attached, "alice").await.as_deref(), Some(line));
        let unknown = sessions.why_ended(&SessionId::from_bits(1), |_| true).await;
        assert_eq!(unknown, None);
    });
}

/// Sessions of so many users, all stopped at once.
async fn stop_all(host: &Host, sessions: &Sessions<FakeEngine>, users: usize) {
    for number in 0..users {
        drop(attach(sessions, &host.request(&format!("u{number}"), None)).await.unwrap());
    }
    host.engine.forget_calls();
    for session in sessions.list(None) {
        assert!(sessions.stop(&session.key(), "stopped".into()));
    }
}

fn count(host: &Host, verb: Verb) -> usize {
    host.engine.verbs().iter().filter(|one| **one == verb).count()
}

#[test]
fn of_many_that_end_at_once_the_first_is_gone_before_the_last_is_begun() {
    let host = Host::with_config("resources: {max_containers: 50}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        host.engine.delay(Verb::RemoveContainer, Duration::from_millis(50));
        stop_all(host, &sessions, 12).await;
        until("all are gone", || sessions.is_empty()).await;
        let verbs = host.engine.verbs();
        let place = |verb| verbs.iter().position(|one| *one == verb).unwrap();
        let last = verbs.iter().rposition(|one| *one == Verb::RemoveContainer).unwrap();
        assert!(place(Verb::RemoveNetwork) < last, "{verbs:?}");
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
    });
}

#[test]
fn containers_that_are_slow_to_remove_delay_others_for_a_moment_only() {
    let host = Host::with_config("resources: {max_containers: 50}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        host.engine.delay(Verb::RemoveContainer, Duration::from_secs(30));
        stop_all(host, &sessions, 6).await;
        until("some are begun", || count(host, Verb::RemoveContainer) == 4).await;
        until("the others are", || count(host, Verb::RemoveContainer) == 6).await;
        assert_eq!(count(host, Verb::RemoveNetwork), 0);
    });
}

#[test]
fn a_session_whose_user_waits_for_its_end_is_removed_at_once() {
    let host = Host::with_config("resources: {max_containers: 50}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        host.engine.delay(Verb::RemoveContainer, Duration::from_millis(1_500));
        stop_all(host, &sessions, 5).await;
        until("some are begun", || count(host, Verb::RemoveContainer) == 4).await;
        let waiting = sessions.list(None)[4].user.to_string();
        let request = host.request(&waiting, None);
        let since = std::time::Instant::now();
        let back = attach(&sessions, &request);
        let begun = until("the fifth is begun", || count(host, Verb::RemoveContainer) == 5);
        tokio::select! {
            () = begun => assert!(since.elapsed() < Duration::from_millis(1_000)),
            _ = back => panic!("the fifth was not begun"),
        }
    });
}
