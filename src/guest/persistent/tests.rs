use super::*;
use std::os::unix::fs::{MetadataExt, symlink};

fn me() -> Owner {
    Owner { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
}

/// A container's root with a home that is as the broker made it, and a skeleton.
fn container() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for made in ["home/alice", "etc/skel", ".podspawn/run"] {
        std::fs::create_dir_all(root.path().join(made)).unwrap();
    }
    std::fs::write(root.path().join("etc/skel/.bashrc"), "hello").unwrap();
    root
}

fn home(root: &tempfile::TempDir) -> std::path::PathBuf {
    root.path().join("home/alice")
}

fn login(root: &tempfile::TempDir, persistent: &Persistent, owner: Owner) -> Result<bool, HomeError> {
    persistent.claim(&home(root))?;
    persistent.prepare(root.path(), owner)
}

#[test]
fn a_new_home_is_filled_and_one_that_is_used_is_left_alone() {
    let root = container();
    let first = Persistent::default();
    first.claim(&home(&root)).unwrap();
    assert_eq!(first.owner(root.path()), None, "the broker's own uid is never chosen");
    assert!(first.prepare(root.path(), me()).unwrap());
    std::fs::remove_file(home(&root).join(".bashrc")).unwrap();
    // The next login in the same container, and the first in another beside it.
    assert!(!login(&root, &first, me()).unwrap());
    login(&root, &Persistent::default(), me()).unwrap();
    assert!(!home(&root).join(".bashrc").exists());
}

#[test]
fn a_home_of_another_uid_is_not_taken_from_who_uses_it() {
    let root = container();
    let (first, second) = (Persistent::default(), Persistent::default());
    login(&root, &first, me()).unwrap();
    let other = Owner { uid: 54_321, gid: 54_321 };
    let refused = login(&root, &second, other).unwrap_err();
    assert!(matches!(refused, HomeError::InUse { owner } if owner == me().uid), "{refused}");
    assert_eq!(std::fs::metadata(home(&root)).unwrap().uid(), me().uid);
    assert!(second.claim(&home(&root)).is_ok() && !second.sole.get());
    // However the first one ends.
    drop(first);
    // A process that another test starts has the lock, too, between fork and exec.
    let is_sole = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        second.claim(&home(&root)).unwrap();
        second.sole.get()
    });
    assert!(is_sole);
}

#[test]
fn a_home_is_handed_over_without_following_links_or_taking_what_is_others() {
    let root = container();
    let outside = root.path().join("outside");
    std::fs::write(&outside, "").unwrap();
    std::fs::create_dir_all(home(&root).join("a/b")).unwrap();
    std::fs::write(home(&root).join("a/b/mine"), "").unwrap();
    symlink(&outside, home(&root).join("a/link")).unwrap();
    let directory = rustix::fs::open(home(&root), DIRECTORY, Mode::empty()).unwrap();
    let uid = |path: &str| std::fs::symlink_metadata(home(&root).join(path)).unwrap().uid();
    let give = |from, to| {
        let owner = Owner { uid: to, gid: me().gid };
        HandOver { from, owner, end: Instant::now() + HAND_OVER }.directory(&directory, 0)
    };
    let other = 54_321;
    // From an owner of nothing here: nothing happens, under any account that runs the tests.
    give(other, me().uid).unwrap();
    give(me().uid, other).unwrap();
    // Root can give away; anybody else keeps what it has, and goes on.
    let expected = if me().uid == 0 { other } else { me().uid };
    assert_eq!((uid("a"), uid("a/b/mine"), uid("a/link")), (expected, expected, expected));
    assert_eq!(std::fs::metadata(&outside).unwrap().uid(), me().uid);
    give(other, me().uid).unwrap();
    assert_eq!((uid("a/b"), uid("a/b/mine")), (me().uid, me().uid));
}

#[test]
fn a_hand_over_that_takes_too_long_ends_and_goes_on_later() {
    let root = container();
    std::fs::write(home(&root).join("file"), "").unwrap();
    let directory = rustix::fs::open(home(&root), DIRECTORY, Mode::empty()).unwrap();
    let mut hand_over = HandOver { from: me().uid, owner: me(), end: Instant::now() };
    assert!(matches!(hand_over.directory(&directory, 0), Err(HomeError::Unfinished)));
}

#[test]
fn a_home_that_is_a_link_is_not_followed() {
    let root = container();
    std::fs::remove_dir(home(&root)).unwrap();
    std::fs::create_dir(root.path().join("elsewhere")).unwrap();
    symlink(root.path().join("elsewhere"), home(&root)).unwrap();
    let refused = login(&root, &Persistent::default(), me()).unwrap_err();
    assert!(refused.to_string().starts_with("your home directory cannot be prepared"), "{refused}");
    assert!(!root.path().join("elsewhere/.bashrc").exists());
}

#[test]
fn who_only_holds_the_lock_delays_and_does_not_stop_a_login() {
    let root = container();
    let held = rustix::fs::open(home(&root), DIRECTORY, Mode::empty()).unwrap();
    rustix::fs::flock(&held, FlockOperation::LockExclusive).unwrap();
    let begun = Instant::now();
    login(&root, &Persistent::default(), me()).unwrap();
    assert!(begun.elapsed() < PREPARATION + Duration::from_secs(2));
}
