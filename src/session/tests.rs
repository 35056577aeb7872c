//! Sessions on a host with a fake engine and guests that are tasks.

mod audit;
mod clock;
mod diagnose;
mod idle;
mod lies;

use super::{clock::now, *};
use crate::{
    config::Settings,
    domain::{
        Bind, ChannelId, ContainerId, Mode, Outcome, Removed, RemovedKind, SessionId, SessionKey, Span, State, UserName,
    },
    engine::fake::{FakeEngine, Verb},
    engine::{Engine, EngineError, NetworkSpec},
    event::{Event, Observer, Subject},
    link::Link,
    policy::{self, Denial},
    protocol::{
        guest::{FromBroker, FromGuest, GUEST_SOCKET_NAME, Open, PROTOCOL, Program},
        packet::{decode, encode},
        varlink::Step,
    },
    store::Store,
    sys::seqpacket::{self, Received},
};
use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::OwnedFd,
    path::Path,
    rc::Rc,
    time::Duration,
};
use tokio::time::{sleep, timeout};

mod ends;
mod networks;
mod uids;
mod verify;

const IMAGE: &str = "debian:12";

/// A host with no account but those of users.
pub(super) const NO_ACCOUNTS: HostAccounts = HostAccounts {
    allot: |current, range, taken| Ok(current.or_else(|| range.ids().find(|uid| !taken.contains(uid)))),
    holder: |_| None,
    has: |_| Ok(true),
};

/// A host with a fake engine and no session.
struct Host {
    root: tempfile::TempDir,
    engine: FakeEngine,
    log: Rc<RefCell<Vec<String>>>,
    settings: Settings,
}

impl Host {
    fn new() -> Self {
        let settings = Settings {
            config: crate::config::Config::parse(&format!("defaults: {{image: \"{IMAGE}\"}}\n{}", "")).unwrap(),
            projects: crate::config::Projects::parse("backend: {repo: /r, users: [alice]}").unwrap(),
            ..Settings::default()
        };
        Self {
            root: tempfile::tempdir().unwrap(),
            engine: FakeEngine::with_images(&[IMAGE]),
            log: Rc::default(),
            settings,
        }
    }

    fn with_config(text: &str) -> Self {
        let config = crate::config::Config::parse(&format!("defaults: {{image: \"{IMAGE}\"}}\n{text}")).unwrap();
        let mut host = Self::new();
        host.settings.config = config;
        host
    }

    /// A broker on this host: the same files each time, as after a restart.
    fn broker(&self) -> Sessions<FakeEngine> {
        let sockets = self.root.path().join("guests");
        std::fs::create_dir_all(&sockets).unwrap();
        let store = Store::open(&self.root.path().join("state.db")).unwrap();
        let guest = GuestBinary::new("/etc/hostname".into(), self.root.path().join("guest"));
        let log = Rc::clone(&self.log);
        let observer: Observer = Rc::new(move |subject: &Subject<'_>, event: &Event<'_>| {
            let what = match event {
                Event::ContainerCreate { .. } => "created".to_owned(),
                Event::ContainerCreateFailed { .. } => "failed".to_owned(),
                Event::Connect { .. } => "connected".to_owned(),
                Event::Disconnect { reason: Some("idle"), .. } => "disconnected: idle".to_owned(),
                Event::Disconnect { .. } => "disconnected".to_owned(),
                Event::GuestInvalid { .. } => "invented".to_owned(),
                Event::Command { .. } => "ran".to_owned(),
                Event::ContainerDestroy { reason, .. } => format!("destroying: {reason}"),
                other => return log.borrow_mut().push(other.kind().name().to_owned()),
            };
            log.borrow_mut().push(format!("{subject}: {what}"));
        });
        let sessions = Sessions::new(self.engine.clone(), store, guest, sockets, observer);
        let settings = &self.settings.config.log;
        let path = settings.audit_log.as_ref().map(|path| path.as_path().to_owned());
        sessions.audit_to(path.map(|path| Auditing { path, required: settings.audit_required }));
        let rules = |key: &SessionKey| Rules::of(&policy::decide(&self.settings, &key.user, None).unwrap());
        assert!(sessions.restore(rules).unwrap().is_empty());
        sessions
    }

    fn request(&self, user: &str, project: Option<&str>) -> Request {
        let key = SessionKey { user: user.parse().unwrap(), project: project.map(|name| name.parse().unwrap()) };
        let resources = &self.settings.config.resources;
        Request {
            plan: policy::decide(&self.settings, &key.user, key.project.as_ref()).unwrap(),
            key,
            capacity: Capacity {
                per_user: resources.max_per_user,
                total: resources.max_containers,
                pool: self.settings.config.network,
                routes: || Ok(Vec::new()),
                accounts: NO_ACCOUNTS,
            },
            program: Program::Shell,
            environment: Vec::new(),
        }
    }

    /// A network that podspawn did not make.
    async fn foreign_network(&self, subnet: &str) {
        let labels =
            crate::engine::Labels { user: "other".parse().unwrap(), project: None, session: SessionId::from_bits(1) };
        let spec = NetworkSpec { name: "foreign".into(), subnet: subnet.parse().unwrap(), labels };
        self.engine.create_network(&spec).await.unwrap();
    }

    fn sockets(&self) -> std::path::PathBuf {
        self.root.path().join("guests")
    }

    fn rows(&self) -> usize {
        Store::open(&self.root.path().join("state.db")).unwrap().all().unwrap().rows.len()
    }

    fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }
}

/// The guest of one session, as a task.
struct Guest {
    socket: OwnedFd,
    open: Vec<(Open, OwnedFd)>,
}

impl Guest {
    /// Waits for the session's socket and greets.
    async fn dial(directory: &Path, channels: Vec<ChannelId>) -> Self {
        Self::dial_speaking(PROTOCOL, directory, channels).await
    }

    async fn dial_speaking(protocol: u32, directory: &Path, channels: Vec<ChannelId>) -> Self {
        let path = directory.join(GUEST_SOCKET_NAME);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        while connect(&socket, &SocketAddrUnix::new(&path).unwrap()).is_err() {
            sleep(Duration::from_millis(1)).await;
        }
        let hello = FromGuest::Hello { protocol, release: "test".into(), channels };
        seqpacket::send(&socket, &encode(&hello).unwrap(), &[]).unwrap();
        Self { socket, open: Vec::new() }
    }

    async fn hear(&mut self) -> Option<FromBroker> {
        let mut buffer = vec![0; 4096];
        loop {
            match seqpacket::receive(&self.socket, &mut buffer) {
                Ok(Received::Packet(bytes, mut fds)) => {
                    let packet = decode(&buffer[..bytes]).unwrap();
                    if let FromBroker::Open(open) = &packet {
                        self.open.push((open.clone(), fds.pop().unwrap()));
                    }
                    return Some(packet);
                }
                Ok(_) => return None,
                Err(_) => sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// Reports each client that goes away, as a real guest does, until the broker goes.
    async fn run(mut self) {
        loop {
            let mut byte = [0; 1];
            let gone = self.open.iter().position(|(_, channel)| {
                matches!(rustix::net::recv(channel, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT), Ok((_, 0)))
            });
            if let Some(index) = gone {
                let (open, _) = self.open.remove(index);
                let closed = FromGuest::Closed { channel: open.channel, outcome: None };
                if seqpacket::send(&self.socket, &encode(&closed).unwrap(), &[]).is_err() {
                    return;
                }
            }
            if let Ok(None) = timeout(Duration::from_millis(2), self.hear()).await {
                return;
            }
        }
    }
}

/// Plays the guest of every session that appears, as the real engine's containers would.
fn play_guests(host: &Host) -> tokio::task::JoinHandle<()> {
    let (sockets, engine) = (host.sockets(), host.engine.clone());
    tokio::task::spawn_local(async move {
        let mut known = std::collections::BTreeSet::new();
        loop {
            for entry in std::fs::read_dir(&sockets).into_iter().flatten().flatten() {
                if engine.counts().0 > 0 && known.insert(entry.path()) {
                    tokio::task::spawn_local(async move { Guest::dial(&entry.path(), Vec::new()).await.run().await });
                }
            }
            sleep(Duration::from_millis(2)).await;
        }
    })
}

fn on_host<T>(host: &Host, test: impl AsyncFnOnce(&Host) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async { timeout(Duration::from_secs(20), test(host)).await.expect("the test hangs") })
}

async fn attach(sessions: &Sessions<FakeEngine>, request: &Request) -> Result<Attached, AttachError> {
    sessions.attach(request, &mut |_| {}).await
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..5000 {
        if condition() {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("never: {what}");
}

#[test]
fn twenty_first_logins_at_once_make_one_container() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let request = host.request("alice", None);
        let logins = (0..20).map(|_| attach(&sessions, &request));
        let attached = futures_util::future::try_join_all(logins).await.unwrap();
        assert!(attached.iter().all(|one| one.session == attached[0].session));
        let creations = host.engine.verbs().iter().filter(|verb| **verb == Verb::CreateContainer).count();
        assert_eq!((creations, host.engine.counts(), host.rows()), (1, (1, 1), 1));
        assert_eq!(sessions.counts(), (1, 20));
    });
}

#[test]
fn a_reconnect_inside_the_grace_period_finds_the_same_container() {
    let host = Host::with_config("session: {grace_period: 1s}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let request = host.request("alice", None);
        let first = attach(&sessions, &request).await.unwrap();
        let session = first.session.clone();
        drop(first);
        until("grace begins", || sessions.list(None)[0].state == State::Grace).await;
        let again = attach(&sessions, &request).await.unwrap();
        assert_eq!((again.session.clone(), sessions.list(None)[0].state), (session, State::Running));
        // The timer of the first disconnect must not end the second connection.
        sleep(Duration::from_millis(1200)).await;
        assert_eq!(sessions.counts(), (1, 1));
        drop(again);
        until("the grace period ends", || sessions.is_empty()).await;
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
        assert_eq!(host.log().last().unwrap(), "alice: destroying: the grace period is over");
    });
}

#[test]
fn the_last_disconnect_destroys_at_once_in_that_mode() {
    let host = Host::with_config("session: {mode: destroy-on-disconnect}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let request = host.request("alice", None);
        let (one, two) = (attach(&sessions, &request).await.unwrap(), attach(&sessions, &request).await.unwrap());
        drop(one);
        until("one is left", || sessions.counts() == (1, 1)).await;
        sleep(Duration::from_millis(50)).await;
        assert_eq!(host.engine.counts(), (1, 1));
        drop(two);
        until("it is destroyed", || sessions.is_empty()).await;
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
        assert!(!host.sockets().read_dir().unwrap().any(|_| true));
    });
}

#[test]
fn a_login_during_the_destruction_gets_a_new_container() {
    let host = Host::with_config("session: {mode: destroy-on-disconnect}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let request = host.request("alice", None);
        host.engine.delay(Verb::RemoveContainer, Duration::from_millis(100));
        let first = attach(&sessions, &request).await.unwrap();
        let old = first.session.clone();
        drop(first);
        until("it is being removed", || sessions.list(None).iter().any(|one| one.state == State::Destroying)).await;
        let second = attach(&sessions, &request).await.unwrap();
        assert_ne!(second.session, old);
        assert_eq!(host.engine.counts(), (1, 1));
    });
}

#[test]
fn a_failed_creation_leaves_nothing_and_every_waiting_login_gets_the_error() {
    for verb in [Verb::CreateNetwork, Verb::CreateContainer, Verb::StartContainer, Verb::InspectContainer] {
        for lost in [false, true] {
            let host = Host::new();
            on_host(&host, async |host| {
                let sessions = host.broker();
                let _guests = play_guests(host);
                if lost {
                    host.engine.lose_answer(verb);
                } else {
                    host.engine.fail_next(verb, EngineError::Refused("no".into()));
                }
                let request = host.request("alice", None);
                let (one, two) = tokio::join!(attach(&sessions, &request), attach(&sessions, &request));
                assert!(one.is_err() && two.is_err(), "{verb:?}");
                until("nothing is left", || sessions.is_empty()).await;
                assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0), "{verb:?}, answer lost: {lost}");
                // And the next one gets in.
                attach(&sessions, &request).await.unwrap();
            });
        }
    }
}

#[test]
fn a_client_that_leaves_during_the_creation_leaves_no_container_behind() {
    let host = Host::with_config("session: {mode: destroy-on-disconnect}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        host.engine.delay(Verb::StartContainer, Duration::from_millis(50));
        let request = host.request("alice", None);
        assert!(timeout(Duration::from_millis(20), attach(&sessions, &request)).await.is_err());
        assert!(!sessions.is_empty());
        until("it is destroyed", || sessions.is_empty()).await;
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
    });
}

#[test]
fn a_missing_image_is_pulled_and_the_pull_is_shown() {
    let mut host = Host::with_config("");
    host.engine = FakeEngine::default();
    host.engine.publish(IMAGE);
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let steps = RefCell::new(Vec::new());
        let mut progress = |step: &Step| steps.borrow_mut().push(step.text.clone());
        sessions.attach(&host.request("alice", None), &mut progress).await.unwrap();
        assert!(steps.borrow().iter().any(|step| step == "pulling debian:12"), "{steps:?}");
    });
    let mut host = Host::with_config("");
    host.engine = FakeEngine::default();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let error = attach(&sessions, &host.request("alice", None)).await.unwrap_err();
        assert!(error.for_user().starts_with("image debian:12 is not on this server and cannot be pulled"), "{error}");
        until("nothing is left", || sessions.is_empty() && host.rows() == 0).await;
    });
}

#[test]
fn limits_are_refused_in_words_that_help() {
    let host = Host::with_config("resources: {max_per_user: 1, max_containers: 2}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        attach(&sessions, &host.request("alice", None)).await.unwrap();
        match attach(&sessions, &host.request("alice", Some("backend"))).await {
            Err(AttachError::Denied(Denial::TooManySessions { sessions: 1, limit: 1, free })) => {
                assert_eq!(free.to_string(), "alice");
            }
            other => panic!("{other:?}"),
        }
        attach(&sessions, &host.request("bob", None)).await.unwrap();
        let third = attach(&sessions, &host.request("carol", None)).await;
        assert!(matches!(third, Err(AttachError::Denied(Denial::TooManyContainers { limit: 2 }))));
        assert_eq!(host.rows(), 2);
    });
}

#[test]
fn a_taken_name_and_a_taken_subnet_are_worked_around() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        host.foreign_network("10.209.0.0/27").await;
        attach(&sessions, &host.request("alice", None).clone_for("a-b")).await.unwrap();
        let mut other = host.request("alice", Some("backend"));
        other.key.user = "a".parse().unwrap();
        other.key.project = Some("b".parse().unwrap());
        let second = attach(&sessions, &other).await.unwrap();
        assert_eq!(second.container.to_string(), format!("podspawn-a-b-{}", second.session.short()));
        assert_eq!(host.engine.counts(), (2, 3));
    });
}

#[test]
fn after_a_crash_guests_are_heard_again_and_nothing_is_made_twice() {
    let host = Host::with_config("session: {grace_period: 1s}");
    on_host(&host, async |host| {
        let request = host.request("alice", None);
        let sessions = host.broker();
        let guests = play_guests(host);
        let attached = attach(&sessions, &request).await.unwrap();
        let directory = Link::directory(&host.sockets(), &attached.session);
        guests.abort();
        // The broker is killed: its sockets are closed, its files stay as they are.
        std::mem::forget(sessions);
        let again = host.broker();
        let guest = Guest::dial(&directory, vec![attached.id]).await;
        tokio::task::spawn_local(guest.run());
        until("the connection is counted again", || again.counts() == (1, 1)).await;
        let second = attach(&again, &request).await.unwrap();
        assert_eq!(second.session, attached.session);
        assert_eq!(host.engine.counts(), (1, 1));
    });
}

#[test]
fn a_broker_that_stops_orderly_leaves_every_socket_where_its_container_sees_it() {
    let host = Host::new();
    let request = host.request("alice", None);
    let (directory, channel) = on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let attached = attach(&sessions, &request).await.unwrap();
        (Link::directory(&host.sockets(), &attached.session), attached.id)
        // Everything is dropped here, as when the process ends.
    });
    // The container holds the directory itself, not its name.
    let mounted = std::fs::File::open(&directory).unwrap();
    on_host(&host, async |host| {
        let again = host.broker();
        let now = std::fs::File::open(&directory).unwrap();
        let inode = |file: &std::fs::File| rustix::fs::fstat(file).unwrap().st_ino;
        assert_eq!(inode(&mounted), inode(&now));
        tokio::task::spawn_local(Guest::dial(&directory, vec![channel]).await.run());
        until("the guest is heard", || again.counts() == (1, 1)).await;
    });
}

#[test]
fn a_session_whose_last_connection_ended_during_a_crash_is_abandoned_afterwards() {
    let host = Host::with_config("session: {mode: destroy-on-disconnect}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let guests = play_guests(host);
        let attached = attach(&sessions, &host.request("alice", None)).await.unwrap();
        let directory = Link::directory(&host.sockets(), &attached.session);
        guests.abort();
        std::mem::forget(sessions);
        let again = host.broker();
        tokio::task::spawn_local(Guest::dial(&directory, Vec::new()).await.run());
        until("it is destroyed", || again.is_empty()).await;
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
    });
}

#[test]
fn a_lifetime_ends_although_a_client_is_connected() {
    let host = Host::with_config("session: {max_lifetime: 1s}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let attached = attach(&sessions, &host.request("alice", None)).await.unwrap();
        until("it is destroyed", || sessions.is_empty()).await;
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
        assert!(host.log().contains(&"alice: destroying: its lifetime of 1s is over".to_owned()));
        drop(attached);
    });
}

#[test]
fn a_stopped_session_is_gone_and_another_user_is_not_touched() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let _alice = attach(&sessions, &host.request("alice", None)).await.unwrap();
        let _bob = attach(&sessions, &host.request("bob", None)).await.unwrap();
        assert!(sessions.stop(&host.request("alice", None).key, "stopped by root".into()));
        until("it is destroyed", || sessions.counts().0 == 1).await;
        assert_eq!(sessions.list(None)[0].key().to_string(), "bob");
        assert!(!sessions.stop(&host.request("carol", None).key, "stopped by root".into()));
    });
}

#[test]
fn a_sweep_removes_orphans_and_nothing_else() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let _alice = attach(&sessions, &host.request("alice", None)).await.unwrap();
        // The database of yesterday: bob's session is not in it.
        let bob = attach(&sessions, &host.request("bob", None)).await.unwrap();
        let store = Store::open(&host.root.path().join("state.db")).unwrap();
        store.delete(&bob.session).unwrap();
        sessions.0.registry.remove(&bob.session);
        let names = |removed: &[Removed]| removed.iter().map(|one| (one.kind, one.name.clone())).collect::<Vec<_>>();
        let found = sessions.sweep(true).await.unwrap();
        assert_eq!(host.engine.counts(), (2, 2));
        assert_eq!(names(&found)[0], (RemovedKind::Container, "podspawn-bob".to_owned()));
        // A creation in progress is left alone.
        host.engine.delay(Verb::StartContainer, Duration::from_millis(100));
        let carol = host.request("carol", None);
        let (done, attached) = tokio::join!(
            async {
                until("carol's container exists", || host.engine.counts().0 == 3).await;
                sessions.sweep(false).await.unwrap()
            },
            attach(&sessions, &carol)
        );
        assert_eq!(names(&done), names(&found));
        assert_eq!(names(&done)[2], (RemovedKind::Directory, bob.session.to_string()));
        assert!(!Link::directory(&host.sockets(), &bob.session).exists());
        attached.unwrap();
        assert_eq!((host.engine.counts(), sessions.counts().0), ((2, 2), 2));
        assert!(sessions.sweep(false).await.unwrap().is_empty());
    });
}

#[test]
fn a_sweep_ends_what_no_timer_ended_and_reports_why() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let mut connected = Vec::new();
        for user in ["alice", "bob", "carol"] {
            connected.push(attach(&sessions, &host.request(user, None)).await.unwrap());
        }
        let session = |user: &str| sessions.0.registry.find(&host.request(user, None).key).unwrap();
        // No timer will fire, as after a clock that was set back.
        for session in ["alice", "bob", "carol"].map(session) {
            session.set_expiry(None);
        }
        let old = Rules { lifetime: Some(Span::from_secs(0)), ..session("alice").rules() };
        session("alice").replace_rules(old);
        drop(connected.remove(1));
        until("bob has left", || session("bob").lifecycle.abandoned().is_some()).await;
        session("bob").set_expiry(None);
        assert!(session("bob").lifecycle.abandoned_by(now() - 3600));
        let due = [("bob", "the grace period is over"), ("alice", "its lifetime of 0s is over")];
        for dry_run in [true, false] {
            let removed = sessions.sweep(dry_run).await.unwrap();
            let found: Vec<_> = removed.iter().map(|one| (one.name.as_str(), one.reason.as_str())).collect();
            assert_eq!(found, due, "dry run: {dry_run}");
        }
        until("they are gone", || sessions.counts().0 == 1).await;
        assert_eq!((sessions.list(None)[0].key().to_string().as_str(), host.engine.counts()), ("carol", (1, 1)));
    });
}

#[test]
fn a_sweep_concludes_nothing_from_an_engine_that_is_away() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let _alice = attach(&sessions, &host.request("alice", None)).await.unwrap();
        for verb in [Verb::InspectContainer, Verb::Containers, Verb::Networks] {
            host.engine.fail_next(verb, EngineError::Unreachable(io::ErrorKind::NotFound.into()));
            assert!(sessions.sweep(false).await.is_err());
        }
        assert_eq!((host.engine.counts(), sessions.counts().0), ((1, 1), 1));
    });
}

#[test]
fn what_a_crash_left_half_made_is_removed_at_the_next_start() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        // The guest never comes: the broker is killed while it waits.
        let request = host.request("alice", None);
        let _ = timeout(Duration::from_millis(300), attach(&sessions, &request)).await;
        assert_eq!((host.engine.counts(), host.rows()), ((1, 1), 1));
        // As if the ids had not been written either.
        let store = Store::open(&host.root.path().join("state.db")).unwrap();
        store.set_state(&sessions.list(None)[0].id, State::Creating).unwrap();
        std::mem::forget(sessions);
        let again = host.broker();
        until("it is removed", || again.is_empty()).await;
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
    });
}

#[test]
fn a_container_that_dies_takes_its_session_along_and_an_unknown_one_does_not() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let attached = {
            let engine = host.engine.clone();
            let request = host.request("alice", None);
            let (attached, guest) = tokio::join!(attach(&sessions, &request), async {
                until("it is created", || engine.counts().0 == 1).await;
                let directory = host.sockets().read_dir().unwrap().next().unwrap().unwrap().path();
                let mut guest = Guest::dial(&directory, Vec::new()).await;
                while !matches!(guest.hear().await, Some(FromBroker::Open(_))) {}
                guest
            });
            // The engine is away when the guest's connection breaks: nothing is concluded from that.
            for _ in 0..3 {
                engine.fail_next(Verb::InspectContainer, EngineError::Unreachable(io::ErrorKind::NotFound.into()));
            }
            drop(guest);
            attached.unwrap()
        };
        sleep(Duration::from_millis(150)).await;
        assert!(!sessions.is_empty());
        let id: ContainerId = host.engine.containers().await.unwrap()[0].id.clone();
        host.engine.end_container(&id, 137, true);
        until("it is removed", || sessions.is_empty()).await;
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
        let log = host.log();
        assert_eq!(log[log.len() - 2..], ["alice: destroying: killed: out of memory", "alice: disconnected"]);
        drop(attached);
    });
}

#[test]
fn an_engine_that_is_away_while_a_session_ends_is_asked_again() {
    let host = Host::with_config("session: {mode: destroy-on-disconnect}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        for _ in 0..2 {
            host.engine.fail_next(Verb::RemoveContainer, EngineError::Unreachable(io::ErrorKind::NotFound.into()));
        }
        drop(attach(&sessions, &host.request("alice", None)).await.unwrap());
        until("it is removed", || sessions.is_empty()).await;
        assert_eq!((host.engine.counts(), host.rows()), ((0, 0), 0));
    });
}

#[test]
fn a_login_that_waits_for_a_failing_removal_gets_the_error_and_enters_once_it_succeeds() {
    let host = Host::new();
    let request = host.request("alice", None);
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let _first = attach(&sessions, &request).await.unwrap();
        let away = |times| {
            for _ in 0..times {
                let error = EngineError::Unreachable(io::ErrorKind::PermissionDenied.into());
                host.engine.fail_next(Verb::RemoveContainer, error);
            }
        };
        away(4);
        assert!(sessions.stop(&request.key, "stopped".to_owned()));
        let refused = attach(&sessions, &request).await.err().unwrap();
        assert!(refused.for_user().starts_with("the container engine does not answer"), "{refused:?}");
        assert_eq!(host.rows(), 1);
        // One failure is left, and the pause behind it is not waited for.
        let attached = timeout(Duration::from_secs(5), attach(&sessions, &request)).await.unwrap();
        assert!(attached.is_ok());
        assert_eq!(host.rows(), 1);
    });
}

#[test]
fn progress_stops_with_the_wait() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let request = host.request("alice", None);
        let reports = Cell::new(0);
        let mut progress = |_: &Step| reports.set(reports.get() + 1);
        sessions.attach(&request, &mut progress).await.unwrap();
        assert!(reports.get() > 0);
        reports.set(0);
        let mut progress = |_: &Step| reports.set(reports.get() + 1);
        sessions.attach(&request, &mut progress).await.unwrap();
        assert_eq!(reports.get(), 0, "a warm login has nothing to report");
    });
}

#[test]
fn every_named_session_of_a_user_has_the_same_home_and_others_have_none() {
    let root = tempfile::tempdir().unwrap();
    let homes = root.path().join("homes");
    let mut host =
        Host::with_config(&format!("state: {{homes_dir: {}}}\nsession: {{mode: persistent}}", homes.display()));
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let _own = attach(&sessions, &host.request("alice", None)).await.unwrap();
        let _project = attach(&sessions, &host.request("alice", Some("backend"))).await.unwrap();
        for found in host.engine.containers().await.unwrap() {
            let spec = host.engine.spec_of(&found.id).unwrap();
            let home = Bind { source: homes.join("alice"), target: "/home/alice".into(), writable: true };
            assert_eq!(spec.binds.iter().filter(|bind| bind.writable).collect::<Vec<_>>(), [&home]);
            assert_eq!(spec.entrypoint.last().unwrap(), "--persistent-home");
        }
        assert!(homes.join("alice").is_dir());
    });
    host.settings.config.session.mode = Mode::Ttl;
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let bob = attach(&sessions, &host.request("bob", None)).await.unwrap();
        let found = host.engine.containers().await.unwrap();
        let found = found.iter().find(|found| found.session.as_ref() == Some(&bob.session)).unwrap();
        assert!(host.engine.spec_of(&found.id).unwrap().binds.iter().all(|bind| !bind.writable));
        assert!(!homes.join("bob").exists());
    });
}

#[test]
fn a_container_gets_the_arguments_for_its_users_dotfiles() {
    let mut host = Host::new();
    let text = "dotfiles: {repo: \"https://git.example.org/dots\", install: \"./install -f\"}";
    let own = crate::config::UserOverrides::parse(text).unwrap();
    host.settings.users = [("alice".parse().unwrap(), own)].into();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let _attached = attach(&sessions, &host.request("alice", None)).await.unwrap();
        let found = host.engine.containers().await.unwrap();
        let expected = ["guest", "--uid=65536", "--dotfiles=https://git.example.org/dots", "--install=./install -f"];
        assert_eq!(host.engine.spec_of(&found[0].id).unwrap().entrypoint[1..], expected);
    });
}

#[test]
fn a_home_that_cannot_be_made_is_a_refusal_and_nothing_is_left() {
    let host = Host::with_config("state: {homes_dir: /proc/none/homes}\nsession: {mode: named}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let refused = attach(&sessions, &host.request("alice", None)).await.unwrap_err();
        assert!(refused.for_user().starts_with("the server cannot make your home directory"), "{refused}");
        until("nothing is left", || sessions.is_empty() && host.rows() == 0).await;
        assert_eq!(host.engine.counts(), (0, 0));
    });
}

impl Request {
    /// The same for another user, without a project.
    fn clone_for(&self, user: &str) -> Self {
        let mut request = self.clone();
        request.key = SessionKey { user: user.parse().unwrap(), project: None };
        request
    }
}
