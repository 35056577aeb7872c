use super::*;
use crate::domain::{Mode, Pool, SessionId, SessionKey, State, Subnet};
use rusqlite::Connection;
use std::{
    collections::HashSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Barrier,
    thread,
    time::Duration,
};

fn pool() -> Pool {
    Pool::new("10.209.0.0/16".parse().unwrap(), 28).unwrap()
}

/// The `n`th session, of a user of its own, with the `n`th subnet.
fn session(n: u32) -> NewSession {
    let key = SessionKey { user: format!("user{n}").parse().unwrap(), project: None };
    NewSession {
        id: SessionId::from_bits(n.into()),
        container_name: crate::domain::ContainerName::of(&key),
        key,
        mode: Mode::GracePeriod,
        image: "debian:12".parse().unwrap(),
        subnet: format!("10.209.{}.{}/28", n / 16, n % 16 * 16).parse().unwrap(),
        uid: 65_536 + n,
        created_at: 1_000 + i64::from(n),
    }
}

fn database() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    (directory, path)
}

fn raw(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

#[test]
fn a_session_reads_back_as_written_at_every_step_of_its_life() {
    let store = Store::open_in_memory().unwrap();
    let mut new = session(1);
    new.key.project = Some("web".parse().unwrap());
    store.insert(&new).unwrap();
    let id = &new.id;
    let mut row = store.get(id).unwrap().unwrap();
    assert_eq!((row.state, &row.container_id, row.init_pid, row.grace_since), (State::Creating, &None, None, None));
    assert_eq!((&row.key, row.mode, &row.image, row.created_at), (&new.key, new.mode, &new.image, new.created_at));

    store.set_network(id, &"ab12".parse().unwrap()).unwrap();
    store.set_container(id, &"cd34".parse().unwrap()).unwrap();
    store.set_running(id, 4711).unwrap();
    store.set_protocol(id, 1).unwrap();
    row.network_id = Some("ab12".parse().unwrap());
    row.container_id = Some("cd34".parse().unwrap());
    (row.state, row.init_pid, row.protocol) = (State::Running, Some(4711), Some(1));
    assert_eq!(store.find(&new.key).unwrap().unwrap(), row);

    store.set_grace(id, 5_000).unwrap();
    let grace = store.get(id).unwrap().unwrap();
    assert_eq!((grace.state, grace.grace_since, grace.init_pid), (State::Grace, Some(5_000), Some(4711)));
    store.set_state(id, State::Running).unwrap();
    assert_eq!(store.get(id).unwrap().unwrap(), row, "a reconnect cancels the grace period");
    store.set_state(id, State::Destroying).unwrap();
    assert_eq!(store.get(id).unwrap().unwrap().grace_since, None);

    let other = session(2);
    store.set_name(id, &other.container_name).unwrap();
    store.set_subnet(id, other.subnet).unwrap();
    let renamed = store.get(id).unwrap().unwrap();
    assert_eq!((renamed.container_name, renamed.subnet), (other.container_name, other.subnet));

    store.delete(id).unwrap();
    store.delete(id).unwrap();
    assert_eq!((store.get(id).unwrap(), store.find(&new.key).unwrap()), (None, None));
    assert!(matches!(store.set_running(id, 1), Err(StoreError::NoSuchSession(gone)) if gone == *id));
}

#[test]
fn a_taken_id_a_taken_key_and_a_taken_subnet_are_different_errors() {
    let store = Store::open_in_memory().unwrap();
    store.insert(&session(1)).unwrap();
    let taken = |new: NewSession| match store.insert(&new) {
        Err(StoreError::Taken(unique)) => unique,
        other => panic!("{other:?}"),
    };
    assert_eq!(taken(NewSession { id: session(1).id, ..session(2) }), Unique::Id);
    assert_eq!(taken(NewSession { key: session(1).key, ..session(2) }), Unique::Key);
    assert_eq!(taken(NewSession { subnet: session(1).subnet, ..session(2) }), Unique::Subnet);
    store.insert(&session(3)).unwrap();
    let error = store.set_subnet(&session(3).id, session(1).subnet).unwrap_err();
    assert!(matches!(error, StoreError::Taken(Unique::Subnet)), "{error:?}");
    store.delete(&session(3).id).unwrap();
    let mut project = session(2);
    project.key = SessionKey { project: Some("web".parse().unwrap()), ..session(1).key };
    store.insert(&project).unwrap();
    assert_eq!((store.count().unwrap(), store.count_user(&project.key.user).unwrap()), (2, 2));
    assert_eq!(store.count_user(&session(9).key.user).unwrap(), 0);
}

#[test]
fn subnets_are_allotted_without_gaps_and_given_back() {
    let store = Store::open_in_memory().unwrap();
    let allot = || store.allot_subnet(pool(), &HashSet::new()).unwrap();
    for n in 0..40 {
        assert_eq!(allot(), Some(session(n).subnet));
        store.insert(&session(n)).unwrap();
    }
    store.delete(&session(17).id).unwrap();
    assert_eq!(allot(), Some(session(17).subnet));
    store.insert(&session(17)).unwrap();
    assert_eq!(allot(), Some(session(40).subnet));
}

#[test]
fn subnets_that_others_use_are_avoided_whatever_their_size() {
    let store = Store::open_in_memory().unwrap();
    // Of another `prefix` setting, and of another tool.
    store.insert(&NewSession { subnet: "10.209.0.0/26".parse().unwrap(), ..session(1) }).unwrap();
    let avoid = HashSet::from(["10.209.0.64/28".parse::<Subnet>().unwrap(), "10.209.0.96/29".parse().unwrap()]);
    let allotted = store.allot_subnet(pool(), &avoid).unwrap().unwrap();
    assert_eq!(allotted.to_string(), "10.209.0.80/28");
    let all = HashSet::from(["10.0.0.0/8".parse::<Subnet>().unwrap()]);
    assert_eq!(store.allot_subnet(pool(), &all).unwrap(), None);
}

#[test]
fn the_last_of_4096_subnets_is_found_in_milliseconds() {
    let store = Store::open_in_memory().unwrap();
    store.connection.execute_batch("BEGIN").unwrap();
    for n in 0..4095 {
        store.insert(&session(n)).unwrap();
    }
    store.connection.execute_batch("COMMIT").unwrap();
    let began = std::time::Instant::now();
    let last = store.allot_subnet(pool(), &HashSet::new()).unwrap().unwrap();
    assert_eq!(last.to_string(), "10.209.255.240/28");
    assert!(began.elapsed().as_millis() < 500, "{:?}", began.elapsed());
    store.insert(&session(4095)).unwrap();
    assert_eq!(store.allot_subnet(pool(), &HashSet::new()).unwrap(), None);
}

#[test]
fn a_row_that_cannot_be_read_is_reported_and_hides_no_other() {
    let (_directory, path) = database();
    let store = Store::open(&path).unwrap();
    for n in 1..=3 {
        store.insert(&session(n)).unwrap();
    }
    let other = raw(&path);
    other.execute("UPDATE sessions SET subnet = 'nonsense' WHERE id = ?", [session(1).id.as_ref()]).unwrap();
    other.execute("UPDATE sessions SET init_pid = 1 << 40 WHERE id = ?", [session(2).id.as_ref()]).unwrap();

    let all = store.all().unwrap();
    assert_eq!(all.rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), [session(3).id]);
    let bad: Vec<_> = all.unreadable.iter().map(|bad| (bad.id.as_str(), bad.column)).collect();
    assert_eq!(bad, [(session(1).id.as_ref(), "subnet"), (session(2).id.as_ref(), "init_pid")]);
    assert!(all.unreadable[0].to_string().contains("nonsense"), "{}", all.unreadable[0]);
    assert!(matches!(store.get(&session(1).id), Err(StoreError::BadRow(bad)) if bad.column == "subnet"));
    store.allot_subnet(pool(), &HashSet::new()).unwrap();
}

#[test]
fn the_file_is_for_its_owner_alone() {
    let (directory, path) = database();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(&path).unwrap();
    store.insert(&session(1)).unwrap();
    let modes: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().permissions().mode() & 0o777)
        .collect();
    assert_eq!(modes, [0o600; 3], "database, log and index");
}

#[test]
fn settings_are_as_documented() {
    let (_directory, path) = database();
    let store = Store::open(&path).unwrap();
    let pragma = |name: &str| store.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(pragma("user_version"), schema::KNOWN);
    assert_eq!((pragma("synchronous"), pragma("foreign_keys"), pragma("trusted_schema")), (1, 1, 0));
    assert_eq!(pragma("busy_timeout"), 5_000);
    let mode: String = store.connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn what_was_committed_survives_a_kill_and_what_was_not_is_gone() {
    let (directory, path) = database();
    let store = Store::open(&path).unwrap();
    store.insert(&session(1)).unwrap();
    store.connection.execute_batch("BEGIN").unwrap();
    store.insert(&session(2)).unwrap();
    store.connection.cache_flush().unwrap();
    // What a kill leaves is the files as they are now; the index is rebuilt from the log.
    let left = directory.path().join("left.db");
    fs::copy(&path, &left).unwrap();
    fs::copy(directory.path().join("state.db-wal"), directory.path().join("left.db-wal")).unwrap();
    let again = Store::open(&left).unwrap();
    assert_eq!(again.all().unwrap().rows.into_iter().map(|row| row.id).collect::<Vec<_>>(), [session(1).id]);

    drop(store);
    let again = Store::open(&path).unwrap();
    assert_eq!(again.count().unwrap(), 1);
    again.insert(&session(2)).unwrap();
}

#[test]
fn many_can_open_a_new_database_at_once() {
    for _ in 0..50 {
        let (_directory, path) = database();
        let together = Barrier::new(8);
        thread::scope(|scope| {
            for n in 0..8 {
                let (path, together) = (&path, &together);
                scope.spawn(move || {
                    together.wait();
                    Store::open(path).unwrap().insert(&session(n)).unwrap();
                });
            }
        });
        assert_eq!(Store::open(&path).unwrap().count().unwrap(), 8);
    }
}

#[test]
fn opening_waits_for_another_process_that_writes() {
    for lock in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        let (_directory, path) = database();
        let other = raw(&path);
        other.execute_batch(lock).unwrap();
        thread::scope(|scope| {
            let opening = scope.spawn(|| Store::open(&path).map(drop));
            thread::sleep(Duration::from_millis(100));
            assert!(!opening.is_finished(), "{lock}");
            other.execute_batch("COMMIT").unwrap();
            opening.join().unwrap().unwrap();
        });
    }
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_directory, path) = database();
    raw(&path).pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, known } if known == schema::KNOWN), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_corrupt_and_left_alone() {
    let (directory, path) = database();
    for garbage in ["garbage ".repeat(1_000), "short".to_owned(), format!("SQLite format 3\0{}", "x".repeat(5_000))] {
        fs::write(&path, &garbage).unwrap();
        let error = Store::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), garbage.as_bytes());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }
}

#[test]
fn a_damaged_page_is_found_at_opening() {
    let (_directory, path) = database();
    let store = Store::open(&path).unwrap();
    for n in 0..200 {
        store.insert(&session(n)).unwrap();
    }
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4_096..8_192].fill(0xaa);
    fs::write(&path, &bytes).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
}

#[test]
fn full_read_only_locked_and_absent_are_different_errors() {
    let (directory, path) = database();
    let store = Store::open(&path).unwrap();
    store.connection.pragma_update(None, "max_page_count", 1).unwrap();
    let insert_all = || (0..1_000).try_for_each(|n| store.insert(&session(n)));
    assert!(matches!(insert_all(), Err(StoreError::Full(_))));
    store.connection.pragma_update(None, "query_only", true).unwrap();
    assert!(matches!(store.insert(&session(2_000)), Err(StoreError::ReadOnly(_))));
    store.connection.pragma_update(None, "query_only", false).unwrap();

    let other = raw(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.connection.busy_timeout(Duration::ZERO).unwrap();
    let error = store.delete(&session(1).id).unwrap_err();
    assert!(matches!(error, StoreError::Locked(_)), "{error:?}");

    let error = Store::open(&directory.path().join("absent/state.db")).unwrap_err();
    assert!(matches!(error, StoreError::File(_)), "{error:?}");
}

#[test]
fn a_database_that_cannot_shrink_is_rewritten_and_shrinks_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    // As a former version made it.
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(&format!("PRAGMA journal_mode = WAL; {}", schema::MIGRATIONS.concat())).unwrap();
    old.pragma_update(None, "user_version", schema::KNOWN).unwrap();
    drop(old);
    let size = || std::fs::metadata(&path).unwrap().len();
    let store = Store::open(&path).unwrap();
    let line = "x".repeat(100_000);
    for number in 1..=100 {
        store.queue_line(number, &line).unwrap();
    }
    assert_eq!(store.queued_bytes().unwrap(), 10_000_000);
    store.settle_lines(100).unwrap();
    assert_eq!(store.queued_bytes().unwrap(), 0);
    while !store.shrink().unwrap() {}
    drop(store);
    assert!(size() < 1 << 20, "{}", size());
    assert_eq!(Store::open(&path).unwrap().last_line().unwrap(), 100);
}
