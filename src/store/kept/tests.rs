use super::super::{Store, schema};
use rusqlite::Connection;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
};

fn database() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    (directory, path)
}

fn raw(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

/// A database as the version before wrote it: schema 1, with one session.
fn of_yesterday(path: &Path) {
    let old = raw(path);
    old.execute_batch(schema::MIGRATIONS[0]).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.execute_batch(
        "INSERT INTO sessions (id, user, state, mode, image, container_name, subnet, created_at)
         VALUES ('0123456789abcdef', 'alice', 'running', 'ttl', 'i', 'podspawn-alice', '10.0.0.0/28', 1)",
    )
    .unwrap();
}

/// The schema of a file and whose sessions are in it.
fn content(path: &Path) -> (i64, Vec<String>) {
    let file = raw(path);
    let schema = file.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let mut statement = file.prepare("SELECT user FROM sessions").unwrap();
    let users = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    (schema, users)
}

#[test]
fn before_a_migration_the_database_is_kept_as_it_was() {
    let (_directory, path) = database();
    of_yesterday(&path);
    // What a migration that was killed has left.
    let partial = path.with_file_name("state.db.schema-partial");
    fs::write(&partial, "half").unwrap();
    drop(Store::open(&path).unwrap());
    let kept = path.with_file_name("state.db.schema-1");
    assert_eq!(content(&kept), (1, vec!["alice".to_owned()]));
    assert_eq!(content(&path), (schema::KNOWN, vec!["alice".to_owned()]));
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!partial.exists());
    // It is one file: nothing of a log is beside it. Opened again, nothing is to be kept.
    let before = fs::read(&kept).unwrap();
    drop(Store::open(&path).unwrap());
    assert_eq!(fs::read(&kept).unwrap(), before);
    // Put back, the older version has what it wrote; upgraded once more, the copy is of that moment.
    fs::copy(&kept, &path).unwrap();
    raw(&path).execute("UPDATE sessions SET user = 'bob'", []).unwrap();
    drop(Store::open(&path).unwrap());
    assert_eq!(content(&kept), (1, vec!["bob".to_owned()]));
}

#[test]
fn where_no_copy_can_be_kept_nothing_is_migrated() {
    let (_directory, path) = database();
    of_yesterday(&path);
    // A directory in its place, which no file can be renamed over.
    fs::create_dir(path.with_file_name("state.db.schema-1")).unwrap();
    Store::open(&path).unwrap_err();
    assert_eq!(content(&path), (1, vec!["alice".to_owned()]));
    assert!(!path.with_file_name("state.db.schema-partial").exists());
}

#[test]
fn a_new_database_has_nothing_to_keep() {
    let (directory, path) = database();
    drop(Store::open(&path).unwrap());
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn of_several_that_migrate_at_once_one_keeps_the_copy() {
    for _ in 0..5 {
        let (_directory, path) = database();
        of_yesterday(&path);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| Store::open(&path).map(drop).unwrap());
            }
        });
        assert_eq!(content(&path.with_file_name("state.db.schema-1")).0, 1);
        assert_eq!(content(&path).0, schema::KNOWN);
    }
}
