//! Guests that belong to their container's root, and say what is not so.

use super::*;

fn invented() -> Vec<ChannelId> {
    (1..=200).map(ChannelId).collect()
}

/// Begins a session of alice's with one connection, as a guest that this test plays.
async fn begin(host: &Host, sessions: &Sessions<FakeEngine>) -> (Attached, Guest, std::path::PathBuf) {
    let request = host.request("alice", None);
    let answer = async {
        until("it listens", || host.sockets().read_dir().unwrap().next().is_some() && host.engine.counts().0 > 0).await;
        let directory = host.sockets().read_dir().unwrap().next().unwrap().unwrap().path();
        (Guest::dial(&directory, Vec::new()).await, directory)
    };
    let (attached, (guest, directory)) = tokio::join!(attach(sessions, &request), answer);
    (attached.unwrap(), guest, directory)
}

/// How often an event of alice's session was reported.
fn reported(host: &Host, what: &str) -> usize {
    host.log().iter().filter(|line| line.as_str() == format!("alice: {what}")).count()
}

#[test]
fn channels_that_the_broker_did_not_open_do_not_count_and_keep_nothing() {
    let host = Host::with_config("session: {grace_period: 1s}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let (attached, guest, directory) = begin(host, &sessions).await;
        let own = attached.id;
        drop(guest);
        // Again and again, with the true one among them, and their ends.
        for round in 0..10 {
            let liar = Guest::dial(&directory, [invented(), vec![own]].concat()).await;
            for channel in invented() {
                let closed = FromGuest::Closed { channel, outcome: None };
                let _ = seqpacket::send(&liar.socket, &encode(&closed).unwrap(), &[]);
            }
            until("it is heard", || sessions.0.registry.all().iter().all(|one| one.guest.is_up())).await;
            assert_eq!(sessions.counts(), (1, 1), "round {round}");
            drop(liar);
            until("it is gone", || sessions.0.registry.all().iter().all(|one| !one.guest.is_up())).await;
        }
        assert_eq!((reported(host, "invented"), reported(host, "disconnected")), (1, 0), "{:?}", host.log());
        // Without the true one no connection is open, whatever else is named, even if a later greeting names it again.
        let _liar = Guest::dial(&directory, invented()).await;
        until("grace begins", || sessions.list(None)[0].state == State::Grace).await;
        let _again = Guest::dial(&directory, vec![own]).await;
        until("the grace period ends", || sessions.is_empty()).await;
        assert_eq!((reported(host, "disconnected"), host.rows()), (1, 0), "{:?}", host.log());
    });
}

#[test]
fn a_broker_that_comes_back_knows_which_channels_its_predecessor_opened() {
    for audited in [false, true] {
        let mut host = Host::with_config("session: {grace_period: 1s}");
        if audited {
            let path = host.root.path().join("audit.jsonl");
            host.settings.config.log.audit_log = Some(path.to_str().unwrap().parse().unwrap());
        }
        on_host(&host, async |host| {
            let sessions = host.broker();
            let (attached, guest, directory) = begin(host, &sessions).await;
            let (gone, own) = (attach(&sessions, &host.request("alice", None)).await.unwrap(), attached.id);
            let over = FromGuest::Closed { channel: gone.id, outcome: None };
            seqpacket::send(&guest.socket, &encode(&over).unwrap(), &[]).unwrap();
            until("one has left", || sessions.counts() == (1, 1)).await;
            drop(guest);
            std::mem::forget(sessions);
            let again = host.broker();
            // The one that is over is not open again.
            let liar = Guest::dial(&directory, [invented(), vec![gone.id, own]].concat()).await;
            until("the true one counts", || again.counts() == (1, 1)).await;
            assert_eq!(reported(host, "invented"), 1, "{:?}", host.log());
            drop(liar);
            let _liar = Guest::dial(&directory, invented()).await;
            until("the grace period ends", || again.is_empty()).await;
            assert_eq!(reported(host, "disconnected"), 2, "audited: {audited}: {:?}", host.log());
        });
    }
}

#[test]
fn the_first_greeting_after_an_upgrade_is_believed_and_no_other() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let (attached, guest, directory) = begin(host, &sessions).await;
        drop(guest);
        std::mem::forget(sessions);
        // As a broker left it that wrote no channel down.
        let store = Store::open(&host.root.path().join("state.db")).unwrap();
        store.close_connection(attached.id, &attached.session).unwrap();
        store.set_protocol(&attached.session, 2).unwrap();
        drop(store);
        let again = host.broker();
        let guest = Guest::dial_speaking(2, &directory, vec![attached.id]).await;
        until("the connection is counted", || again.counts() == (1, 1)).await;
        drop(guest);
        let _liar = Guest::dial_speaking(2, &directory, [invented(), vec![attached.id]].concat()).await;
        until("the liar is found out", || reported(host, "invented") == 1).await;
        assert_eq!(again.counts(), (1, 1));
    });
}

#[test]
fn a_guest_that_claims_to_be_older_than_it_is_is_believed_no_more_for_it() {
    let host = Host::with_config("session: {grace_period: 1s}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let (_attached, guest, directory) = begin(host, &sessions).await;
        drop(guest);
        let liar = Guest::dial_speaking(1, &directory, invented()).await;
        until("grace begins", || sessions.list(None)[0].state == State::Grace).await;
        drop(liar);
        std::mem::forget(sessions);
        let again = host.broker();
        let _liar = Guest::dial_speaking(1, &directory, invented()).await;
        until("the grace period ends", || again.is_empty()).await;
    });
}

#[test]
fn a_channel_of_another_session_is_neither_counted_nor_ended() {
    let mut host = Host::new();
    let path = host.root.path().join("audit.jsonl");
    host.settings.config.log.audit_log = Some(path.to_str().unwrap().parse().unwrap());
    on_host(&host, async |host| {
        let sessions = host.broker();
        let (_attached, liar, directory) = begin(host, &sessions).await;
        let _guests = play_guests(host);
        let bob = attach(&sessions, &host.request("bob", None)).await.unwrap();
        drop(liar);
        let liar = Guest::dial(&directory, vec![bob.id]).await;
        until("the liar is found out", || reported(host, "invented") == 1).await;
        let closed = FromGuest::Closed { channel: bob.id, outcome: Some(crate::domain::Outcome::Exited(0)) };
        seqpacket::send(&liar.socket, &encode(&closed).unwrap(), &[]).unwrap();
        // What comes later is heard later.
        let idle = FromGuest::Idle { seconds: 1 };
        seqpacket::send(&liar.socket, &encode(&idle).unwrap(), &[]).unwrap();
        sleep(Duration::from_millis(100)).await;
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.lines().any(|line| line.contains("\"disconnect\"") && line.contains("\"bob\"")), "{text}");
        let store = Store::open(&host.root.path().join("state.db")).unwrap();
        assert_eq!(store.connections(&bob.session).unwrap(), [bob.id]);
        drop(bob);
        until("bob's end is written", || {
            let text = std::fs::read_to_string(&path).unwrap();
            text.lines().any(|line| line.contains("\"disconnect\"") && line.contains("\"bob\""))
        })
        .await;
    });
}

#[test]
fn a_guest_that_never_says_that_a_channel_is_over_locks_out_its_own_user_only() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let (_attached, guest, _) = begin(host, &sessions).await;
        let _guests = play_guests(host);
        let request = host.request("alice", None);
        // Reads, and says nothing.
        let reads = tokio::task::spawn_local(async move {
            let mut guest = guest;
            while guest.hear().await.is_some() {}
        });
        for _ in 1..crate::protocol::guest::MAX_CHANNELS {
            attach(&sessions, &request).await.unwrap();
        }
        assert!(matches!(attach(&sessions, &request).await, Err(AttachError::TooManyConnections)));
        attach(&sessions, &host.request("bob", None)).await.unwrap();
        reads.abort();
    });
}
