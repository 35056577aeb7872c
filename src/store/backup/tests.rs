use super::*;
use crate::domain::{Mode, SessionId, SessionKey};
use crate::store::NewSession;
use std::sync::atomic::{AtomicBool, Ordering};

fn session(n: u32) -> NewSession {
    let key = SessionKey { user: format!("user{n}").parse().unwrap(), project: Some("web".parse().unwrap()) };
    NewSession {
        id: SessionId::from_bits(n.into()),
        container_name: crate::domain::ContainerName::of(&key),
        key,
        mode: Mode::GracePeriod,
        image: "debian:12".parse().unwrap(),
        subnet: format!("10.{}.{}.0/28", n / 256, n % 256).parse().unwrap(),
        uid: 65_536 + n,
        created_at: 1,
    }
}

struct Here(tempfile::TempDir);

impl Here {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn source(&self) -> PathBuf {
        self.0.path().join("with space?#%41.db")
    }

    fn copied(&self) -> Vec<String> {
        let target = self.0.path().join("copy.db");
        File::create(&target).unwrap();
        Store::back_up(&self.source(), &target).unwrap();
        let live = Store::live_in(&target).unwrap();
        let names = fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = names.filter(|name| name.starts_with("copy.db")).collect();
        assert_eq!(left, ["copy.db"]);
        live
    }
}

#[test]
fn a_database_that_is_closed_is_copied_and_nothing_is_left_beside_it() {
    let here = Here::new();
    let store = Store::open(&here.source()).unwrap();
    store.insert(&session(1)).unwrap();
    drop(store);
    assert_eq!(here.copied(), ["user1@web"]);
    assert!(!beside(&here.source(), "-shm").exists() && !beside(&here.source(), "-wal").exists());
}

#[test]
fn what_is_only_in_the_log_of_a_broker_that_was_killed_is_copied() {
    let here = Here::new();
    let store = Store::open(&here.source()).unwrap();
    store.insert(&session(1)).unwrap();
    // What a process leaves that is killed: its files.
    let killed = Here::new();
    for suffix in ["", "-wal"] {
        fs::copy(beside(&here.source(), suffix), beside(&killed.source(), suffix)).unwrap();
    }
    thread::sleep(TICK * 2);
    assert_eq!(killed.copied(), ["user1@web"]);
    assert!(!beside(&killed.source(), "-shm").exists(), "a reader makes nothing");
}

#[test]
fn a_broker_that_has_written_once_since_it_began_is_copied() {
    let here = Here::new();
    drop(Store::open(&here.source()).unwrap());
    let store = Store::open(&here.source()).unwrap();
    store.insert(&session(1)).unwrap();
    assert_eq!(here.copied(), ["user1@web"]);
    store.insert(&session(2)).unwrap();
    assert_eq!(here.copied().len(), 2);
}

#[test]
fn a_copy_is_of_one_moment_however_much_is_written() {
    let here = Here::new();
    let store = Store::open(&here.source()).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        scope.spawn(move || {
            // Always both or neither.
            for n in (0..10_000).cycle().take_while(|_| !over.load(Ordering::Relaxed)) {
                let pair = [session(2 * n), session(2 * n + 1)];
                store.together(|store| pair.iter().try_for_each(|one| store.insert(one))).unwrap();
                store.together(|store| pair.iter().try_for_each(|one| store.delete(&one.id))).unwrap();
            }
        });
        for _ in 0..20 {
            let live = here.copied();
            assert!(live.is_empty() || live.len() == 2, "{live:?}");
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_is_damaged_or_newer_or_absent_is_an_error() {
    let here = Here::new();
    let target = here.0.path().join("copy.db");
    let copy = || {
        File::create(&target).unwrap();
        Store::back_up(&here.source(), &target)
    };
    assert!(matches!(copy(), Err(StoreError::File(_))), "{:?}", copy());
    assert!(!here.source().exists());
    fs::write(here.source(), vec![b'x'; 8192]).unwrap();
    thread::sleep(TICK * 2);
    assert!(matches!(copy(), Err(StoreError::Corrupt(_))), "{:?}", copy());
    fs::remove_file(here.source()).unwrap();
    drop(Store::open(&here.source()).unwrap());
    Connection::open(here.source()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(copy(), Err(StoreError::Newer { found: 99, .. })));
}

#[test]
fn the_database_and_its_log_are_not_touched() {
    let here = Here::new();
    let store = Store::open(&here.source()).unwrap();
    store.insert(&session(1)).unwrap();
    // Not the time of change: root's SQLite gives the log to whom it belongs already. And not the index, which is
    // one for all connections of a process.
    let state = || {
        ["", "-wal"].map(|end| {
            let path = beside(&here.source(), end);
            (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap())
        })
    };
    let before = state();
    thread::sleep(TICK * 2);
    assert_eq!(here.copied().len(), 1);
    assert!(state() == before);
}
