//! Files by OpenSSH's own sftp and scp.

use crate::{
    bench::{self, User},
    client::Finished,
};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::Command,
};
use tempfile::TempDir;

/// `size` bytes that repeat nowhere soon and are the same in every run.
pub(crate) fn bytes(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    })
    .take(size)
    .collect()
}

impl User<'_> {
    /// Runs an sftp batch in `directory` of this machine.
    #[track_caller]
    pub(crate) fn sftp(&self, directory: &Path, batch: &str) -> Finished {
        let mut sftp = self.client("sftp");
        sftp.args(["-b", "-", &self.name]).current_dir(directory);
        Finished::of(&mut sftp, batch.as_bytes())
    }

    /// `scp OPTIONS FROM TO` in `directory` of this machine; `:x` is x in the container.
    #[track_caller]
    pub(crate) fn scp(&self, directory: &Path, arguments: &[&str]) -> Finished {
        let mut scp = self.client("scp");
        scp.current_dir(directory);
        for argument in arguments {
            match argument.strip_prefix(':') {
                Some(remote) => scp.arg(format!("{}:{remote}", self.name)),
                None => scp.arg(argument),
            };
        }
        Finished::of(&mut scp, b"")
    }
}

/// A file there and back by sftp, in the sizes at which protocols err.
fn sftp_round_trip(user: &User<'_>) {
    let here = tempfile::tempdir().unwrap();
    for size in [0, 1, 32_767, 32_768, 32_769, 262_144, 5_000_000] {
        fs::write(here.path().join("up"), bytes(size)).unwrap();
        let done = user.sftp(here.path(), &format!("put up there-{size}\nget there-{size} down\n"));
        done.quiet_success();
        assert!(fs::read(here.path().join("down")).unwrap() == bytes(size), "{size}");
    }
}

/// Everything that a batch can do to names.
fn sftp_names(user: &User<'_>) {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("file"), "content\n").unwrap();
    user.sftp(
        here.path(),
        "mkdir names\ncd names\nput file\nrename file renamed\nln -s renamed soft\nln renamed hard\n",
    )
    .quiet_success();
    let list = user.sftp(here.path(), "ls -1 names\n").quiet_success();
    for name in ["renamed", "soft", "hard"] {
        assert!(list.contains(&format!("names/{name}\n")) || list.ends_with(&format!("names/{name}")), "{list}");
    }
    user.sftp(here.path(), "chmod 640 names/renamed\n").quiet_success();
    let long = user.sftp(here.path(), "ls -l names\n").quiet_success();
    assert!(long.lines().any(|line| line.starts_with("-rw-r-----") && line.ends_with("renamed")), "{long}");
    assert!(long.lines().any(|line| line.starts_with('l') && line.contains("soft")), "{long}");
    user.sftp(here.path(), "get names/soft a\nget names/hard b\n").quiet_success();
    assert_eq!(fs::read(here.path().join("a")).unwrap(), b"content\n");
    assert_eq!(fs::read(here.path().join("b")).unwrap(), b"content\n");
    // An existing target is replaced, as rename(2) does.
    user.sftp(here.path(), "put file names/other\nrename names/other names/renamed\n").quiet_success();
    user.sftp(here.path(), "rm names/renamed\nrm names/soft\nrm names/hard\nrmdir names\n").quiet_success();
    let gone = user.sftp(here.path(), "ls names\n");
    assert_eq!(gone.code, Some(1), "{gone:?}");
    assert!(gone.errors().contains("not found"), "{gone:?}");
    let denied = user.sftp(here.path(), "put file /proc/nothing\n");
    assert_eq!(denied.code, Some(1), "{denied:?}");
}

/// Interrupted transfers, gone on with.
fn sftp_resumed(user: &User<'_>) {
    let here = tempfile::tempdir().unwrap();
    let whole = bytes(3_000_000);
    fs::write(here.path().join("whole"), &whole).unwrap();
    fs::write(here.path().join("part"), &whole[..1_234_567]).unwrap();
    fs::copy(here.path().join("part"), here.path().join("down")).unwrap();
    user.sftp(here.path(), "put part there\nreput whole there\nreget there down\nget there again\n").quiet_success();
    assert!(fs::read(here.path().join("down")).unwrap() == whole);
    assert!(fs::read(here.path().join("again")).unwrap() == whole);
}

/// A tree of `count` files, there and back, by `put -r` and `get -r`.
fn sftp_tree(user: &User<'_>, count: usize) {
    let here = tempfile::tempdir().unwrap();
    let tree = here.path().join("tree");
    fs::create_dir(&tree).unwrap();
    many_files(&tree, count);
    user.sftp(here.path(), "put -R tree\nget -R tree back\n").success();
    assert_same(&tree, &here.path().join("back"));
}

/// `count` small files in directories of a hundred.
pub(crate) fn many_files(directory: &Path, count: usize) {
    for number in 0..count {
        let parent = directory.join(format!("d{}", number / 100));
        fs::create_dir_all(&parent).unwrap();
        fs::write(parent.join(format!("f{number}")), bytes(number % 500)).unwrap();
    }
}

/// Names that only a careful program gets right.
pub(crate) const ODD_NAMES: [&str; 10] = [
    "with  blanks ",
    "-leading-dash",
    "quote'single",
    "quote\"double",
    "grüße-日本語",
    "$HOME `id` $(id)",
    "back\\slash",
    "star*[a]?",
    "semi;colon&and|pipe",
    "~tilde#hash",
];

/// Both trees hold the same.
#[track_caller]
pub(crate) fn assert_same(one: &Path, other: &Path) {
    let mut diff = Command::new("diff");
    let done = Finished::of(diff.args(["-r", "--no-dereference"]).arg(one).arg(other), b"");
    assert_eq!((done.code, done.text()), (Some(0), String::new()));
}

fn images() -> [(&'static str, &'static str); 3] {
    [
        ("workload", "image: \"podspawn-workload:latest\""),
        ("alpine-like", "image: \"podspawn-alpine-like:latest\""),
        ("scratch", "image: \"podspawn-scratch:latest\""),
    ]
}

#[test]
fn sftp_puts_and_gets_in_an_image_with_an_sftp_server() {
    sftp_round_trip(&bench::shared().user_with(images()[0].1));
}

#[test]
fn sftp_puts_and_gets_in_an_alpine_like_image() {
    sftp_round_trip(&bench::shared().user_with(images()[1].1));
}

#[test]
fn sftp_puts_and_gets_in_an_image_that_is_one_binary() {
    sftp_round_trip(&bench::shared().user_with(images()[2].1));
}

#[test]
fn sftp_makes_links_renames_and_removes_in_an_image_with_an_sftp_server() {
    sftp_names(&bench::shared().user_with(images()[0].1));
}

#[test]
fn sftp_makes_links_renames_and_removes_in_an_alpine_like_image() {
    sftp_names(&bench::shared().user_with(images()[1].1));
}

#[test]
fn sftp_makes_links_renames_and_removes_in_an_image_that_is_one_binary() {
    sftp_names(&bench::shared().user_with(images()[2].1));
}

#[test]
fn sftp_resumes_in_both_directions_in_every_image() {
    let bench = bench::shared();
    for (_, image) in images() {
        sftp_resumed(&bench.user_with(image));
    }
}

#[test]
fn sftp_copies_a_thousand_files_in_both_directions() {
    sftp_tree(&bench::shared().user(), 1000);
}

#[test]
fn sftp_copies_three_hundred_files_where_the_image_has_no_server() {
    sftp_tree(&bench::shared().user_with(images()[1].1), 300);
}

#[test]
fn sftp_begins_in_the_home_and_sees_the_container() {
    let bench = bench::shared();
    let here = tempfile::tempdir().unwrap();
    for (_, image) in images() {
        let user = bench.user_with(image);
        let pwd = user.sftp(here.path(), "pwd\n").quiet_success();
        assert!(pwd.contains(&format!("Remote working directory: /home/{}", user.name)), "{pwd}");
        let root = user.sftp(here.path(), "ls -1a /.podspawn\n").quiet_success();
        assert!(root.contains("/.podspawn/podspawn"), "{root}");
    }
}

#[test]
fn sftp_takes_odd_names() {
    let bench = bench::shared();
    for (_, image) in images() {
        let user = bench.user_with(image);
        let here = tempfile::tempdir().unwrap();
        let tree = here.path().join("tree");
        fs::create_dir(&tree).unwrap();
        for name in ODD_NAMES {
            fs::write(tree.join(name), name).unwrap();
        }
        user.sftp(here.path(), "put -R tree\nget -R tree back\n").success();
        assert_same(&tree, &here.path().join("back"));
    }
}

#[test]
fn sftp_keeps_times_and_modes() {
    let bench = bench::shared();
    for (image, overrides) in images() {
        let user = bench.user_with(overrides);
        let here = tempfile::tempdir().unwrap();
        let file = here.path().join("file");
        fs::write(&file, "x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o741)).unwrap();
        Finished::of(Command::new("touch").args(["-d", "2001-02-03 04:05:06"]).arg(&file), b"").success();
        user.sftp(here.path(), "put -p file\nget -p file back\n").quiet_success();
        let (before, after) = (fs::metadata(&file).unwrap(), fs::metadata(here.path().join("back")).unwrap());
        assert_eq!((before.mtime(), before.mode()), (after.mtime(), after.mode()), "{image}");
    }
}

/// scp with these options, there and back: a file, a tree, times, modes, odd names.
fn scp_round_trip(user: &User<'_>, options: &[&str]) {
    let here: TempDir = tempfile::tempdir().unwrap();
    let tree = here.path().join("tree");
    fs::create_dir_all(tree.join("inner")).unwrap();
    fs::write(tree.join("inner/large"), bytes(9_000_001)).unwrap();
    fs::write(tree.join("empty"), "").unwrap();
    for name in ODD_NAMES {
        fs::write(tree.join(name), name).unwrap();
    }
    let with = |more: &[&str]| user.scp(here.path(), &[options, more].concat()).quiet_success();
    with(&["-r", "-p", "tree", ":there"]);
    with(&["-r", "-p", ":there", "back"]);
    assert_same(&tree, &here.path().join("back"));
    let times = |tree: &Path| fs::metadata(tree.join("inner/large")).unwrap().mtime();
    assert_eq!(times(&tree), times(&here.path().join("back")));
    let missing = user.scp(here.path(), &[options, &[":no-such-file", "x"]].concat());
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.errors().contains("No such file"), "{missing:?}");
}

#[test]
fn scp_copies_with_the_sftp_protocol() {
    scp_round_trip(&bench::shared().user(), &["-s"]);
}

#[test]
fn scp_copies_with_the_old_protocol() {
    scp_round_trip(&bench::shared().user(), &["-O"]);
}

#[test]
fn scp_copies_where_the_image_has_no_sftp_server() {
    let bench = bench::shared();
    scp_round_trip(&bench.user_with(images()[1].1), &["-s"]);
    scp_round_trip(&bench.user_with(images()[2].1), &["-s"]);
}

#[test]
fn links_stay_links_where_the_client_asks() {
    let bench = bench::shared();
    let user = bench.user();
    let here = tempfile::tempdir().unwrap();
    symlink("nowhere", here.path().join("dangling")).unwrap();
    user.run("ln -s /etc/hostname link").quiet_success();
    user.sftp(here.path(), "get link followed\nls -l link\n").quiet_success();
    assert!(fs::read_to_string(here.path().join("followed")).unwrap().starts_with("podspawn-"));
}

#[test]
fn a_large_file_is_the_same_in_both_directions() {
    let bench = bench::shared();
    let user = bench.user();
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("large"), bytes(300_000_000)).unwrap();
    user.sftp(here.path(), "put large\n").quiet_success();
    let here_sum = Finished::of(Command::new("sha256sum").arg("large").current_dir(here.path()), b"").success();
    assert_eq!(user.run("sha256sum large").success(), here_sum);
    user.sftp(here.path(), "get large back\n").quiet_success();
    let same = Finished::of(Command::new("cmp").arg("large").arg("back").current_dir(here.path()), b"");
    same.quiet_success();
}
