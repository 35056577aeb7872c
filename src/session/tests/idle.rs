//! What a session makes of a guest that says that nothing is sent or received.

use super::*;

impl Guest {
    fn say(&self, packet: &FromGuest) {
        seqpacket::send(&self.socket, &encode(packet).unwrap(), &[]).unwrap();
    }

    /// The next packet for connected users, if one comes soon.
    async fn hears_soon(&mut self) -> Option<FromBroker> {
        loop {
            match timeout(Duration::from_millis(150), self.hear()).await {
                Ok(Some(FromBroker::Welcome { .. } | FromBroker::IdleTimeout { .. } | FromBroker::Open(_))) => {}
                Ok(packet) => return Some(packet.expect("the broker has gone")),
                Err(_) => return None,
            }
        }
    }
}

/// Alice is connected, and the guest is the test's.
async fn connected(host: &Host, sessions: &Sessions<FakeEngine>) -> (Attached, Guest) {
    let request = host.request("alice", None);
    let (attached, guest) = tokio::join!(attach(sessions, &request), async {
        until("it is created", || host.engine.counts().0 == 1).await;
        let directory = host.sockets().read_dir().unwrap().next().unwrap().unwrap().path();
        Guest::dial(&directory, Vec::new()).await
    });
    (attached.unwrap(), guest)
}

#[test]
fn idle_connections_are_ended_with_a_word_and_the_mode_applies() {
    let host = Host::with_config("session: {mode: destroy-on-disconnect, idle_timeout: 1s}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let (attached, mut guest) = connected(host, &sessions).await;
        // The guest cannot know of who came a moment ago.
        guest.say(&FromGuest::Idle { seconds: 1000 });
        assert_eq!(guest.hears_soon().await, None);
        sleep(Duration::from_secs(1)).await;
        guest.say(&FromGuest::Idle { seconds: 1 });
        let text = "nothing was sent or received for 1s; the connection is closed".to_owned();
        assert_eq!(guest.hears_soon().await, Some(FromBroker::End { text }));
        guest.say(&FromGuest::Closed { channel: attached.id, outcome: None });
        until("it is destroyed", || sessions.is_empty()).await;
        let end = &host.log()[2..];
        assert_eq!(end, ["alice: disconnected: idle", "alice: destroying: the last connection ended"]);
    });
}

#[test]
fn who_ended_by_themselves_a_moment_before_were_not_idle() {
    let host = Host::with_config("session: {idle_timeout: 1s}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let (attached, mut guest) = connected(host, &sessions).await;
        sleep(Duration::from_millis(1050)).await;
        guest.say(&FromGuest::Idle { seconds: 1 });
        assert!(matches!(guest.hears_soon().await, Some(FromBroker::End { .. })));
        guest.say(&FromGuest::Closed { channel: attached.id, outcome: Some(Outcome::Exited(0)) });
        until("the grace period begins", || sessions.list(None)[0].state == State::Grace).await;
        assert_eq!(host.log().last().unwrap(), "alice: disconnected");
    });
}

#[test]
fn a_report_that_the_broker_did_not_ask_for_has_no_effect() {
    for (config, seconds) in [("", 1_000_000), ("session: {idle_timeout: 1h}", 3598)] {
        let host = Host::with_config(config);
        on_host(&host, async |host| {
            let sessions = host.broker();
            let (_attached, mut guest) = connected(host, &sessions).await;
            // Not because a connection is new.
            sessions.0.registry.all().iter().for_each(|session| session.guest.forget_last_open());
            guest.say(&FromGuest::Idle { seconds });
            assert_eq!(guest.hears_soon().await, None, "{config}");
            assert_eq!(sessions.counts(), (1, 1));
        });
    }
}

#[test]
fn a_timeout_that_changes_is_sent_at_the_next_login() {
    let mut host = Host::with_config("session: {idle_timeout: 1h}");
    host.settings.projects = crate::config::Projects::default();
    let first = host.request("alice", None);
    host.settings.config = crate::config::Config::parse("session: {idle_timeout: 2h}").unwrap();
    let second = host.request("alice", None);
    on_host(&host, async |host| {
        let sessions = host.broker();
        let heard = Rc::new(RefCell::new(Vec::new()));
        let (log, engine, sockets) = (Rc::clone(&heard), host.engine.clone(), host.sockets());
        tokio::task::spawn_local(async move {
            until("it is created", || engine.counts().0 == 1).await;
            let directory = sockets.read_dir().unwrap().next().unwrap().unwrap().path();
            let mut guest = Guest::dial(&directory, Vec::new()).await;
            while let Some(packet) = guest.hear().await {
                if let FromBroker::IdleTimeout { seconds } = packet {
                    log.borrow_mut().push(seconds);
                }
            }
        });
        for request in [&first, &first, &second, &second] {
            attach(&sessions, request).await.unwrap();
        }
        until("the change is sent, once", || *heard.borrow() == [3600, 7200]).await;
    });
}

#[test]
fn what_is_spoken_with_a_guest_is_written_down() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let (attached, guest) = connected(host, &sessions).await;
        let written = || {
            let store = Store::open(&host.root.path().join("state.db")).unwrap();
            store.get(&attached.session).unwrap().unwrap().protocol
        };
        assert_eq!(written(), Some(PROTOCOL));
        drop(guest);
        std::mem::forget(sessions);
        // As an older broker left it, which speaks less than the guest.
        Store::open(&host.root.path().join("state.db")).unwrap().set_protocol(&attached.session, 1).unwrap();
        let _again = host.broker();
        let directory = Link::directory(&host.sockets(), &attached.session);
        let _guest = Guest::dial_speaking(2, &directory, vec![attached.id]).await;
        until("what is spoken now is written", || written() == Some(2)).await;
    });
}
