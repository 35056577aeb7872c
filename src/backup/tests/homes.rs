//! Homes whose owners want no backup of anything.

use super::*;
use crate::backup::manifest::Sum;

/// The home of `user`, with a file in it.
fn home(host: &Host, user: &str) -> PathBuf {
    let home = host.path(&format!("lib/homes/{user}"));
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("notes"), user).unwrap();
    home
}

/// What is not in the backup, by the name of its file, with the reason.
fn left_out(report: &Report) -> Vec<(String, &str)> {
    report
        .left_out
        .first
        .iter()
        .map(|(path, why)| (path.file_name().unwrap().to_string_lossy().into_owned(), why.as_str()))
        .collect()
}

#[test]
fn a_file_of_fifteen_tebibytes_without_data_is_left_out_at_once_and_its_home_is_not() {
    let host = Host::new();
    let alice = home(&host, "alice");
    File::create(alice.join("x")).unwrap().set_len(15 << 40).unwrap();
    home(&host, "bob");
    let report = host.back_up(true);
    assert_eq!(
        left_out(&report),
        [("x".into(), "it has 16492674416640 bytes with its holes, more than 1g (--home-size)")]
    );
    let backup = Backup::open(&report.path).unwrap();
    assert_eq!(backup.left_out().len(), 1);
    for file in ["homes/alice/notes", "homes/bob/notes", "state.db", "keys/alice"] {
        assert!(report.path.join(file).exists(), "{file}");
    }
    assert!(!report.path.join("homes/alice/x").exists());
}

#[test]
fn data_is_copied_and_holes_are_not_and_the_hash_is_that_of_all_of_it() {
    use std::os::unix::fs::FileExt as _;
    let host = Host::new();
    let original = home(&host, "alice").join("disk.img");
    let file = File::create(&original).unwrap();
    file.set_len(96 << 20).unwrap();
    for (place, bytes) in [(0, "begin"), ((40 << 20) + 17, "middle"), ((96 << 20) - 3, "end")] {
        file.write_all_at(bytes.as_bytes(), place).unwrap();
    }
    let report = host.back_up(true);
    let copied = report.path.join("homes/alice/disk.img");
    assert!(fs::metadata(&copied).unwrap().blocks() * 512 < 1 << 20, "holes stay holes");
    assert!(fs::read(&copied).unwrap() == fs::read(&original).unwrap());
    let text = fs::read_to_string(report.path.join("manifest.json")).unwrap();
    let sum = Sum::of(&fs::read(&original).unwrap()).to_string();
    assert!(text.contains(&sum), "sha256sum(1) says {sum}");
    fs::remove_file(&original).unwrap();
    host.restore(&report.path);
    assert!(fs::metadata(&original).unwrap().blocks() * 512 < 1 << 20, "restored with its holes");
    assert!(fs::read(&copied).unwrap() == fs::read(&original).unwrap());
}

#[test]
fn a_home_that_takes_too_much_is_left_out_as_a_whole_and_the_others_are_not() {
    let host = Host::new();
    let mallory = home(&host, "mallory");
    fs::create_dir(mallory.join("deep")).unwrap();
    fs::write(mallory.join("deep/data"), vec![7; 600 << 10]).unwrap();
    // Each name costs what the file has, whatever is shared on the host's disk.
    fs::hard_link(mallory.join("deep/data"), mallory.join("again")).unwrap();
    home(&host, "zoe");
    let report = host.back_up_within(Some(limits("1m", "1h")));
    assert_eq!(left_out(&report), [("mallory".into(), "it has more than 1m (--home-size)")]);
    assert!(!report.path.join("homes/mallory").exists() && report.path.join("homes/zoe/notes").exists());
    let backup = Backup::open(&report.path).unwrap();
    assert_eq!(backup.left_out()[0].reason, "it has more than 1m (--home-size)");
    // Nor does a restore touch the home that is not in it.
    host.restore(&report.path);
    assert!(mallory.join("deep/data").exists());

    let report = host.back_up_within(Some(limits("1g", "0s")));
    assert_eq!(report.left_out.count, 2);
    assert!(report.left_out.first[0].1.contains("--home-time"), "{report:?}");
}

#[test]
fn a_tree_that_is_too_deep_is_left_out_and_listed_with_any_name() {
    let host = Host::new();
    let alice = home(&host, "alice");
    let mut deep = alice.join("line\nbreak");
    for _ in 0..140 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    let report = host.back_up(true);
    assert_eq!(left_out(&report), [("d".into(), "it is too deep")]);
    assert!(report.path.join("homes/alice/line\nbreak/d").is_dir());
}

#[test]
fn state_and_keys_are_complete_before_the_homes_are_read_and_stay_if_those_cannot_be() {
    let host = Host::new();
    fs::remove_dir(host.path("lib/homes")).unwrap();
    host.write("lib/homes", "no directory");
    let order = Order { etc: &host.path("etc"), to: None, keep: None, homes: Some(limits("1g", "1h")) };
    let error = back_up(&order).unwrap_err();
    let BackupError::Homes { kept, .. } = &error else { panic!("{error:?}") };
    assert!(error.to_string().contains("is complete without them"), "{error}");
    Backup::open(kept).unwrap();
    assert!(kept.join("keys/alice").exists());
    let left = fs::read_dir(host.path("backups")).unwrap().count();
    assert_eq!(left, 1, "nothing is left of the one that failed");
}

#[test]
fn with_homes_there_is_one_backup_and_as_many_are_kept_as_without() {
    let host = Host::new();
    home(&host, "alice");
    for _ in 0..4 {
        host.back_up(true);
    }
    let left: Vec<_> = fs::read_dir(host.path("backups")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 3);
    assert!(left.iter().all(|backup| backup.join("homes/alice/notes").exists()));
}
