//! A clock that is set while sessions live.

use super::*;
use crate::session::clock::SET_BY;

const HOUR: i64 = 3600;

#[test]
fn a_clock_that_is_set_forward_ends_what_is_due_at_the_next_sweep_and_no_connected_session() {
    let host = Host::with_config("session: {max_lifetime: 8h, grace_period: 10m}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let left = attach(&sessions, &host.request("alice", None)).await.unwrap();
        let _there = attach(&sessions, &host.request("bob", None)).await.unwrap();
        drop(left);
        until("grace begins", || sessions.list(None)[0].state == State::Grace).await;
        SET_BY.set(HOUR);
        assert_eq!(sessions.sweep(false).await.unwrap().len(), 1);
        until("it is removed", || sessions.counts() == (1, 1)).await;
        assert_eq!(sessions.list(None)[0].key().to_string(), "bob");
        assert_eq!((host.engine.counts(), host.rows()), ((1, 1), 1));
    });
}

#[test]
fn a_clock_that_is_set_back_ends_nothing_and_a_later_broker_reads_what_the_future_wrote() {
    let host = Host::with_config("session: {grace_period: 1s}");
    let request = host.request("alice", None);
    let (directory, session, channel) = on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let attached = attach(&sessions, &request).await.unwrap();
        SET_BY.set(-HOUR);
        assert_eq!(sessions.sweep(false).await.unwrap(), []);
        (Link::directory(&host.sockets(), &attached.session), attached.session, attached.id)
    });
    on_host(&host, async |host| {
        let again = host.broker();
        tokio::task::spawn_local(Guest::dial(&directory, vec![channel]).await.run());
        until("the guest is heard", || again.counts() == (1, 1)).await;
        let second = attach(&again, &request).await.unwrap();
        assert_eq!(second.session, session);
        assert!(again.stop(&request.key, "stopped by root".into()));
        until("it is removed", || again.is_empty()).await;
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
    });
}

#[test]
fn a_clock_that_is_set_back_does_not_prolong_the_grace_period() {
    let host = Host::with_config("session: {grace_period: 1s}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        drop(attach(&sessions, &host.request("alice", None)).await.unwrap());
        until("grace begins", || sessions.list(None)[0].state == State::Grace).await;
        SET_BY.set(-HOUR);
        until("the grace period ends", || sessions.is_empty()).await;
    });
}
