use super::*;
use crate::{
    domain::{ContainerName, Mode, SessionId, SessionKey},
    store::{NewSession, Store, StoreError},
};
use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

mod homes;

fn limits(size: &str, time: &str) -> HomeLimits {
    HomeLimits { size: size.parse().unwrap(), time: time.parse().unwrap() }
}

/// A host in a directory.
struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        for directory in ["etc/keys", "etc/users", "lib/homes", "backups"] {
            fs::create_dir_all(host.path(directory)).unwrap();
        }
        let root = host.path("").display().to_string();
        let root = root.trim_end_matches('/');
        host.write(
            "etc/config.yaml",
            &format!(
                "auth: {{key_dir: {root}/etc/keys}}\nstate: {{db_path: {root}/lib/state.db, homes_dir: {root}/lib/homes}}\n\
                 backup: {{dir: {root}/backups, keep: 3}}\nsecurity: {{seccomp_profile: {root}/etc/seccomp-mine.json}}"
            ),
        );
        host.write("etc/projects.yaml", "a: {repo: /r}");
        host.write("etc/seccomp-mine.json", "{}");
        host.write("etc/users/alice.yaml", "memory: 1g");
        host.write("etc/keys/alice", "ssh-ed25519 alice");
        fs::set_permissions(host.path("etc/keys/alice"), Permissions::from_mode(0o640)).unwrap();
        fs::set_permissions(host.path("etc/keys"), Permissions::from_mode(0o750)).unwrap();
        host.session("alice");
        host
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).unwrap();
    }

    /// Adds a session to the state, as a broker that is gone again.
    fn session(&self, user: &str) {
        let key = SessionKey { user: user.parse().unwrap(), project: None };
        let number = user.bytes().fold(0_u32, |sum, byte| sum * 7 % 251 + u32::from(byte));
        let new = NewSession {
            id: SessionId::from_bits(number.into()),
            container_name: ContainerName::of(&key),
            key,
            mode: Mode::GracePeriod,
            image: "debian:12".parse().unwrap(),
            subnet: format!("10.9.{}.0/28", number % 256).parse().unwrap(),
            uid: 65_536 + number,
            created_at: 1,
        };
        Store::open(&self.path("lib/state.db")).unwrap().insert(&new).unwrap();
    }

    fn back_up(&self, homes: bool) -> Report {
        self.back_up_within(homes.then(|| limits("1g", "1h")))
    }

    fn back_up_within(&self, homes: Option<HomeLimits>) -> Report {
        back_up(&Order { etc: &self.path("etc"), to: None, keep: None, homes }).unwrap()
    }

    fn places(&self) -> Places {
        Places::here(&self.path("etc")).unwrap()
    }

    fn plan(&self, backup: &Path) -> (Plan, Backup) {
        let backup = Backup::open(backup).unwrap();
        (Plan::make(&backup, &self.path("etc")).unwrap(), backup)
    }

    fn changes(&self, backup: &Path) -> Vec<String> {
        let (plan, _) = self.plan(backup);
        let line =
            |change: &Change| format!("{} {}", change.verb, change.path.strip_prefix(self.0.path()).unwrap().display());
        plan.changes().iter().map(line).collect()
    }

    fn prepared(&self, backup: &Path) -> Prepared {
        let (plan, backup) = self.plan(backup);
        let mut prepared = Prepared::begin(&plan, vec!["a.socket".into()]).unwrap();
        prepared.stage(&plan, &backup).unwrap();
        prepared
    }

    fn restore(&self, backup: &Path) -> Vec<PathBuf> {
        self.prepared(backup).commit().unwrap().finish().unwrap()
    }

    /// Every file with its content, mode and owner, but nothing that a restore keeps.
    fn state(&self) -> BTreeMap<String, String> {
        self.everything().into_iter().filter(|(path, _)| !path.contains(".before-restore-")).collect()
    }

    fn everything(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for top in ["etc", "lib"] {
            tree(self.0.path(), &self.path(top), &mut found);
        }
        found
    }

    /// Another state than the one that was backed up.
    fn change(&self) {
        self.session("bob");
        self.write("etc/config.yaml", &(fs::read_to_string(self.path("etc/config.yaml")).unwrap() + "\n# new"));
        fs::remove_file(self.path("etc/keys/alice")).unwrap();
        self.write("etc/keys/mallory", "ssh-ed25519 mallory");
        self.write("etc/users/alice.yaml", "memory: 3g");
        fs::remove_file(self.path("etc/projects.yaml")).unwrap();
    }
}

fn tree(root: &Path, path: &Path, found: &mut BTreeMap<String, String>) {
    let about = path.symlink_metadata().unwrap();
    let what = if about.is_symlink() {
        fs::read_link(path).unwrap().display().to_string()
    } else if about.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            tree(root, &entry.unwrap().path(), found);
        }
        String::new()
    } else if about.is_file() && path.file_name().is_some_and(|name| name == "state.db") {
        format!("{:?}", sessions(path))
    } else if about.is_file() {
        String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
    } else {
        "special".to_owned()
    };
    let name = path.strip_prefix(root).unwrap().display().to_string();
    found.insert(name, format!("{:o} {}:{} {what}", about.mode(), about.uid(), about.gid()));
}

fn sessions(database: &Path) -> Vec<String> {
    let rows = Store::open(database).unwrap().all().unwrap().rows;
    let mut users: Vec<_> = rows.into_iter().map(|row| row.key.to_string()).collect();
    users.sort();
    users
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_backup_has_everything_and_no_other_user_can_read_it() {
    let host = Host::new();
    let report = host.back_up(false);
    assert_eq!((report.files, report.skipped.count, report.schema.is_some()), (6, 0, true));
    let expected = [
        "config.yaml",
        "keys",
        "manifest.json",
        "manifest.sha256",
        "projects.yaml",
        "seccomp.json",
        "state.db",
        "users",
    ];
    assert_eq!(names(&report.path), expected);
    assert_eq!(sessions(&report.path.join("state.db")), ["alice"]);
    for path in
        [report.path.clone(), report.path.join("keys"), report.path.join("keys/alice"), report.path.join("state.db")]
    {
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o077, 0, "{}", path.display());
    }
    assert_eq!(names(&host.path("backups")).len(), 1, "nothing partial is left");
}

#[test]
fn a_restore_brings_everything_back_and_keeps_what_it_replaces() {
    let host = Host::new();
    let (old, backup) = (host.state(), host.back_up(false).path);
    assert!(host.plan(&backup).0.changes().iter().all(|change| change.path.ends_with("state.db")));
    host.change();
    let new = host.state();
    assert_eq!(
        host.changes(&backup),
        [
            "replace lib/state.db",
            "add etc/keys/alice",
            "remove etc/keys/mallory",
            "replace etc/users/alice.yaml",
            "replace etc/config.yaml",
            "add etc/projects.yaml",
        ]
    );
    assert_eq!(host.state(), new, "a plan changes nothing");
    let kept = host.restore(&backup);
    assert_eq!(host.state(), old);
    assert_eq!(kept.len(), 4, "{kept:?}");
    for path in kept {
        let name = path.display().to_string();
        let (live, _) = name.split_once(".before-restore-").unwrap();
        match Path::new(live).file_name().unwrap().to_str().unwrap() {
            "state.db" => assert_eq!(sessions(&path), ["alice", "bob"]),
            "keys" => assert_eq!(names(&path), ["mallory"]),
            "users" => assert_eq!(fs::read_to_string(path.join("alice.yaml")).unwrap(), "memory: 3g"),
            "config.yaml" => assert!(fs::read_to_string(&path).unwrap().ends_with("# new")),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn what_the_backup_does_not_have_is_set_aside_with_the_log_of_the_database() {
    let host = Host::new();
    fs::remove_file(host.path("etc/projects.yaml")).unwrap();
    let backup = host.back_up(false).path;
    host.write("etc/projects.yaml", "b: {repo: /r}");
    // What a broker leaves that was killed.
    for log in ["lib/state.db-wal", "lib/state.db-shm"] {
        host.write(log, "of the other database");
    }
    assert!(host.changes(&backup).contains(&"remove etc/projects.yaml".to_owned()));
    let kept: Vec<_> = host.restore(&backup).iter().map(|path| path.display().to_string()).collect();
    assert!(kept.iter().any(|path| path.contains("/etc/projects.yaml.before-restore-")), "{kept:?}");
    assert!(kept.iter().any(|path| path.ends_with("-wal") && path.contains("state.db.before-restore-")), "{kept:?}");
    assert_eq!(sessions(&host.path("lib/state.db")), ["alice"]);
    assert!(!host.path("etc/projects.yaml").exists());
}

#[test]
fn a_killed_restore_leaves_the_old_state_or_is_finished_by_the_next_run() {
    kill_everywhere(true);
}

#[test]
fn so_it_is_where_the_file_system_knows_plain_renames_only() {
    kill_everywhere(false);
}

fn kill_everywhere(flags: bool) {
    let host = Host::new();
    let (backed_up, backup) = (host.state(), host.back_up(false).path);
    host.change();
    let changed = host.state();
    let etc = host.path("etc");

    // While everything is laid out.
    drop(host.prepared(&backup));
    assert!(!is_restore_pending(&etc) && Journal::find(&etc).unwrap().is_none());
    let prepared = Prepared::find(&etc).unwrap().unwrap();
    assert_eq!(prepared.start(), ["a.socket"]);
    prepared.give_up().unwrap();
    assert_eq!(host.state(), changed);

    // In the middle of the change-over, wherever that is.
    for renames in 0.. {
        let journal = host.prepared(&backup).commit().unwrap();
        let complete = journal.kill_after(renames, flags);
        assert_eq!(is_restore_pending(&etc), !complete);
        if !complete {
            let refused = back_up(&Order { etc: &etc, to: None, keep: None, homes: None }).unwrap_err();
            assert!(refused.to_string().contains("--resume"), "{refused}");
            let found = Journal::find(&etc).unwrap().unwrap();
            assert!(found.kill_after(usize::MAX, flags));
        }
        assert_eq!(host.state(), backed_up, "killed after {renames} renames");
        if complete {
            assert!(renames >= 8, "{renames} is not all");
            break;
        }
        // And back again.
        for name in names(&etc).iter().filter(|name| name.contains(".before-restore-")) {
            let (live, kept) = (etc.join(name.split_once(".before-").unwrap().0), etc.join(name));
            files::remove(&live).unwrap();
            fs::rename(kept, live).unwrap();
        }
        fs::remove_file(host.path("etc/projects.yaml")).unwrap();
        fs::remove_file(host.path("lib/state.db")).unwrap();
        for name in names(&host.path("lib")).iter().filter(|name| name.contains(".before-restore-")) {
            fs::rename(host.path("lib").join(name), host.path("lib/state.db")).unwrap();
        }
        assert_eq!(host.everything(), changed);
    }
}

#[test]
fn homes_come_back_with_links_modes_and_times_and_without_what_would_lend_rights() {
    let host = Host::new();
    let home = host.path("lib/homes/alice");
    fs::create_dir_all(home.join("deep/er")).unwrap();
    fs::write(home.join("deep/er/file"), "x").unwrap();
    fs::write(home.join("tool"), "#!").unwrap();
    fs::set_permissions(home.join("tool"), Permissions::from_mode(0o6755)).unwrap();
    symlink("/etc/shadow", home.join("link")).unwrap();
    let sparse = File::create(home.join("sparse")).unwrap();
    sparse.set_len(3 << 20).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    sparse.set_modified(time).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(home.join("socket")).unwrap();
    host.write("lib/homes/not a user's", "");
    let before = host.state();

    let report = host.back_up(true);
    let skipped: Vec<_> = report.skipped.first.iter().map(|(path, _)| path.file_name().unwrap()).collect();
    assert_eq!(skipped, ["socket", "not a user's"]);
    assert!(!report.path.join("homes/alice/link").exists(), "no link is in a backup");
    assert!(fs::metadata(report.path.join("homes/alice/sparse")).unwrap().blocks() < 64, "holes stay holes");

    fs::remove_dir_all(&home).unwrap();
    fs::create_dir(&home).unwrap();
    fs::create_dir(host.path("lib/homes/bob")).unwrap();
    host.restore(&report.path);
    let mut after = host.state();
    assert!(after.remove("lib/homes/bob").is_some(), "a home of later is left alone");
    let mode = fs::metadata(home.join("tool")).unwrap().mode() & 0o7777;
    assert_eq!(mode, 0o755);
    let differ: Vec<_> =
        before.iter().filter(|(path, what)| after.get(*path) != Some(what)).map(|(path, _)| path).collect();
    assert_eq!(differ, ["lib/homes/alice/socket", "lib/homes/alice/tool"]);
    assert_eq!(fs::metadata(home.join("sparse")).unwrap().modified().unwrap(), time);
}

#[test]
fn an_altered_backup_is_refused_whatever_was_altered() {
    let host = Host::new();
    let alter = |what: &str, change: &dyn Fn(&Path)| {
        let backup = host.back_up(false).path;
        change(&backup);
        let error = Backup::open(&backup).expect_err(what);
        assert!(matches!(error, BackupError::Altered { .. }), "{what}: {error}");
        fs::remove_dir_all(&backup).unwrap();
        format!("{error}")
    };
    let set = |path: PathBuf, bytes: &[u8]| fs::write(path, bytes).unwrap();
    assert!(
        alter("a byte", &|dir| set(dir.join("keys/alice"), b"ssh-ed25519 alicf")).contains("keys/alice is not what")
    );
    assert!(alter("longer", &|dir| set(dir.join("keys/alice"), b"ssh-ed25519 alice\n")).contains("keys/alice is not"));
    assert!(alter("shorter", &|dir| set(dir.join("state.db"), b"")).contains("state.db is not what"));
    assert!(
        alter("missing", &|dir| fs::remove_file(dir.join("keys/alice")).unwrap()).contains("keys/alice is missing")
    );
    assert!(alter("more", &|dir| set(dir.join("keys/eve"), b"")).contains("keys/eve is not in the manifest"));
    assert!(alter("hidden", &|dir| set(dir.join(".x"), b"")).contains(".x is not in the manifest"));
    assert!(alter("directory", &|dir| fs::create_dir(dir.join("homes")).unwrap()).contains("homes is not in"));
    alter("a link to the same", &|dir| {
        fs::rename(dir.join("config.yaml"), host.path("elsewhere")).unwrap();
        symlink(host.path("elsewhere"), dir.join("config.yaml")).unwrap();
    });
    alter("a directory that is a link", &|dir| {
        fs::rename(dir.join("keys"), host.path("keys-elsewhere")).unwrap();
        symlink(host.path("keys-elsewhere"), dir.join("keys")).unwrap();
    });
    alter("no manifest", &|dir| fs::remove_file(dir.join("manifest.json")).unwrap());
    let text = |dir: &Path| fs::read_to_string(dir.join("manifest.json")).unwrap();
    let mode = |dir: &Path| set(dir.join("manifest.json"), text(dir).replace("0640", "0666").as_bytes());
    assert!(alter("a mode", &mode).contains("manifest.json is not what manifest.sha256 says"));
    alter("half a manifest", &|dir| set(dir.join("manifest.json"), &text(dir).as_bytes()[..100]));
}

#[test]
fn a_database_that_is_newer_than_this_podspawn_is_refused() {
    let host = Host::new();
    let backup = host.back_up(false).path;
    let database = rusqlite::Connection::open(backup.join("state.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    // As that version would have written it.
    let (mut manifest, bytes) = (
        manifest::Manifest::parse(&fs::read(backup.join("manifest.json")).unwrap()).unwrap(),
        fs::read(backup.join("state.db")).unwrap(),
    );
    manifest.schema = Some(99);
    for entry in manifest.entries.iter_mut().filter(|entry| entry.path.to_string() == "state.db") {
        entry.kind = manifest::Kind::File { size: bytes.len() as u64, sha256: manifest::Sum::of(&bytes) };
    }
    let text = serde_json::to_vec(&manifest).unwrap();
    fs::write(backup.join("manifest.json"), &text).unwrap();
    fs::write(backup.join("manifest.sha256"), format!("{}  manifest.json\n", manifest::Sum::of(&text))).unwrap();
    let refused = Backup::open(&backup).unwrap_err();
    assert!(matches!(refused, BackupError::Database { source: StoreError::Newer { found: 99, .. }, .. }), "{refused}");
}

#[test]
fn old_backups_go_and_nothing_else_does() {
    let host = Host::new();
    let backups = host.path("backups");
    let first = host.back_up(false).path;
    // Older ones, by their names.
    for name in ["20200101T000000Z", "20200102T000000Z", "20200103T000000Z"] {
        copy_tree(&first, &backups.join(name));
    }
    fs::create_dir(backups.join("20190101T000000Z")).unwrap();
    fs::create_dir(backups.join("20190102T000000Z")).unwrap();
    host.write("backups/20190102T000000Z/manifest.json", "{\"kind\": \"photos\"}");
    host.write("backups/20190103T000000Z", "a file");
    symlink(&first, backups.join("20190104T000000Z")).unwrap();
    copy_tree(&first, &backups.join("before the upgrade"));
    copy_tree(&first, &backups.join(".partial-20190105T000000Z"));
    copy_tree(&first, &backups.join(".partial-mine"));
    // One that another run is writing right now.
    let busy = backups.join(".partial-20190106T000000Z");
    fs::create_dir(&busy).unwrap();
    let held = File::open(&busy).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();

    let report = host.back_up(false);
    assert_eq!(report.pruned, [backups.join("20200101T000000Z"), backups.join("20200102T000000Z")]);
    let mut left = names(&backups);
    left.retain(|name| *name != report.path.file_name().unwrap().to_string_lossy());
    let expected = [
        ".partial-20190106T000000Z",
        ".partial-mine",
        "20190101T000000Z",
        "20190102T000000Z",
        "20190103T000000Z",
        "20190104T000000Z",
        "20200103T000000Z",
        first.file_name().unwrap().to_str().unwrap(),
        "before the upgrade",
    ];
    assert_eq!(left, expected);
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy_tree(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

#[test]
fn a_backup_elsewhere_removes_nothing_without_keep() {
    let host = Host::new();
    let to = host.path("elsewhere");
    let order = |keep| Order { etc: Path::new(""), to: Some(&to), keep, homes: None };
    let etc = host.path("etc");
    for _ in 0..4 {
        assert!(back_up(&Order { etc: &etc, ..order(None) }).unwrap().pruned.is_empty());
    }
    assert_eq!(back_up(&Order { etc: &etc, ..order(Some(1)) }).unwrap().pruned.len(), 4);
    assert_eq!(names(&to).len(), 1);
}

#[test]
fn a_destination_that_all_users_may_write_to_or_that_is_backed_up_is_refused() {
    let host = Host::new();
    let etc = host.path("etc");
    let refused = |to: &Path| {
        let error =
            back_up(&Order { etc: &etc, to: Some(to), keep: None, homes: Some(limits("1g", "1h")) }).unwrap_err();
        assert!(matches!(error, BackupError::Destination { .. }), "{error}");
    };
    refused(&host.path("lib/homes/alice"));
    refused(&host.path("etc/keys"));
    let open = host.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
    refused(&open);
    assert!(names(&open).is_empty());
}

#[test]
fn files_that_something_else_declares_are_left_alone() {
    let host = Host::new();
    let backup = host.back_up(false).path;
    let declared = host.path("store");
    fs::rename(host.path("etc/config.yaml"), &declared).unwrap();
    symlink(&declared, host.path("etc/config.yaml")).unwrap();
    host.write("etc/projects.yaml", "b: {repo: /r}");
    assert!(host.changes(&backup).contains(&"leave etc/config.yaml".to_owned()));
    host.restore(&backup);
    assert!(host.path("etc/config.yaml").is_symlink());
    assert_eq!(fs::read_to_string(host.path("etc/projects.yaml")).unwrap(), "a: {repo: /r}");
}

#[test]
fn live_sessions_are_listed_and_no_copy_of_the_state_stays() {
    let host = Host::new();
    host.session("bob");
    let before = host.everything();
    assert_eq!(host.places().live_sessions().unwrap(), ["alice", "bob"]);
    assert_eq!(host.everything(), before);
    std::thread::sleep(Duration::from_millis(100));
    host.write("lib/state.db", &"x".repeat(9000));
    std::thread::sleep(Duration::from_millis(100));
    assert!(host.places().live_sessions().is_err());
    fs::remove_file(host.path("lib/state.db")).unwrap();
    assert_eq!(host.places().live_sessions().unwrap(), Vec::<String>::new());
}

#[test]
fn a_backup_and_a_restore_keep_out_of_each_others_way() {
    let host = Host::new();
    let etc = host.path("etc");
    let lock = StateLock::exclusive(&etc).unwrap();
    let refused = back_up(&Order { etc: &etc, to: None, keep: None, homes: None }).unwrap_err();
    assert!(refused.to_string().contains("a restore is running"), "{refused}");
    drop(lock);
    host.back_up(false);
}

#[test]
fn a_record_that_another_could_have_written_is_not_followed() {
    let host = Host::new();
    let backup = host.back_up(false).path;
    host.change();
    drop(host.prepared(&backup).commit().unwrap());
    let journal = host.path("etc/restore.journal");
    fs::set_permissions(&journal, Permissions::from_mode(0o666)).unwrap();
    assert!(Journal::find(&host.path("etc")).is_err());
    assert!(is_restore_pending(&host.path("etc")));
}
