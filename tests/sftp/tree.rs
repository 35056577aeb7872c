//! The files that a script works on.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Every tree has the same path, so that answers with paths are the same: one tree at a time.
static ONE: Mutex<()> = Mutex::new(());

/// What files are dated: 2001-09-09.
const DATE: u64 = 1_000_000_000;

pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) identity: u32,
    _one: MutexGuard<'static, ()>,
}

impl Tree {
    /// The tree, owned by `identity` but for what is called `foreign`.
    pub(crate) fn new(identity: u32) -> Self {
        let one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // In a directory of its own: a listing shows how many others the parent has.
        let place = std::env::temp_dir().join(format!("podspawn-sftp-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir(&place).unwrap();
        let root = place.join("tree");
        for dir in ["", "dir", "dir/below", "empty", "closed"] {
            fs::create_dir(root.join(dir)).unwrap();
        }
        fs::write(root.join("file"), b"0123456789").unwrap();
        fs::write(root.join("other"), b"other").unwrap();
        fs::write(root.join("nothing"), b"").unwrap();
        fs::write(root.join("large"), vec![7; 300_000]).unwrap();
        fs::write(root.join("dir/one"), b"1").unwrap();
        fs::write(root.join("dir/below/two"), b"22").unwrap();
        fs::write(root.join("closed/in"), b"in").unwrap();
        fs::write(root.join("read-only"), b"read").unwrap();
        fs::write(root.join("foreign"), b"root's").unwrap();
        fs::write(root.join(OsStr::from_bytes(b"\xff\xfe\n")), b"odd").unwrap();
        fs::write(root.join("n".repeat(255)), b"long").unwrap();
        fs::hard_link(root.join("other"), root.join("twin")).unwrap();
        for (link, target) in [
            ("to-file", "file"),
            ("to-dir", "dir"),
            ("to-slash", "dir/"),
            ("dangling", "dir/none"),
            ("nowhere", "no/such"),
            ("absolute", "/"),
            ("loop", "loop"),
            ("up", "../.."),
            ("dir/back", "../file"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        // A chain of links: as many as REALPATH follows, and more.
        symlink("file", root.join("chain-1")).unwrap();
        for link in 2..=36 {
            symlink(format!("chain-{}", link - 1), root.join(format!("chain-{link}"))).unwrap();
        }
        rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
        for (path, mode) in [("closed", 0), ("read-only", 0o444), ("foreign", 0o644), ("file", 0o640)] {
            fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        let tree = Self { root, identity, _one: one };
        Self::walk(&tree.root, &mut |path| {
            if identity != rustix::process::getuid().as_raw() && !path.ends_with("foreign") {
                std::os::unix::fs::lchown(path, Some(identity), Some(identity)).unwrap();
            }
            let time = rustix::fs::Timespec { tv_sec: i64::try_from(DATE).unwrap(), tv_nsec: 0 };
            let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
        });
        tree
    }

    /// What below `path` is there, deepest first.
    fn walk(path: &Path, visit: &mut impl FnMut(&Path)) {
        let is_dir = fs::symlink_metadata(path).is_ok_and(|about| about.is_dir());
        let mut below: Vec<_> = if is_dir { fs::read_dir(path).into_iter().flatten().collect() } else { Vec::new() };
        below.sort_by_key(|entry| entry.as_ref().unwrap().file_name());
        for entry in below {
            Self::walk(&entry.unwrap().path(), visit);
        }
        visit(path);
    }

    /// A line for each file: kind, mode, owner, links, size, date, content or target.
    pub(crate) fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        Self::walk(&self.root, &mut |path| {
            let about = fs::symlink_metadata(path).unwrap();
            let content = if about.is_file() && about.size() < 1 << 20 {
                let content = fs::read(path).unwrap_or_default();
                let sum = content.iter().fold(0u64, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
                format!("{sum:x}")
            } else {
                fs::read_link(path).map_or(String::new(), |target| format!("{}", target.display()))
            };
            lines.push(format!(
                "file {}: {:o} {}:{} {} {} {} {} {content}",
                path.strip_prefix(&self.root).unwrap().as_os_str().as_bytes().escape_ascii(),
                about.mode(),
                about.uid(),
                about.gid(),
                about.nlink(),
                if about.is_dir() { 0 } else { about.size() },
                time(about.mtime()),
                // To list a directory is to read it.
                if about.is_dir() { String::new() } else { time(about.atime()) },
            ));
        });
        lines
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // What a script closed is opened for removal.
        let _ = fs::set_permissions(self.root.join("closed"), fs::Permissions::from_mode(0o700));
        let _ = fs::remove_dir_all(self.root.parent().unwrap());
    }
}

/// Seconds since 1970, or "now" for those of this run.
pub(crate) fn time(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let since = now.checked_sub(Duration::from_secs(600)).unwrap();
    let recent = i64::try_from(since.as_secs()).unwrap()..=i64::try_from(now.as_secs()).unwrap() + 60;
    if recent.contains(&seconds) { "now".into() } else { seconds.to_string() }
}
