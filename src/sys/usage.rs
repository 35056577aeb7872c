//! How much of the machine something has: memory of a process or a container, space of a file system.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

/// Most bytes of a file of the kernel's that is short.
const MAX_BYTES: u64 = 4096;

/// A file system's space, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// For users other than root.
    pub available: u64,
    /// Altogether.
    pub size: u64,
}

/// The space of the file system that `path` is on. May take as long as a server that is far away.
pub fn space(path: &Path) -> io::Result<Space> {
    let about = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(about.f_frsize);
    Ok(Space { available: bytes(about.f_bavail), size: bytes(about.f_blocks) })
}

/// The resident memory of this process, in bytes.
pub fn own_memory() -> io::Result<u64> {
    let text = short(Path::new("/proc/self/status"))?;
    let resident = text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    let kibibytes: u64 = resident.and_then(|number| number.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(kibibytes.saturating_mul(1024))
}

/// The number that a short file consists of, such as one of a control group; `None` if it cannot be read.
#[must_use]
pub fn number_in(path: &Path) -> Option<u64> {
    short(path).ok()?.trim().parse().ok()
}

fn short(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// When a file was last written, in Unix seconds.
pub fn written(path: &Path) -> io::Result<i64> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::symlink_metadata(path)?.mtime())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_its_directory_space() {
        assert!(own_memory().unwrap() > 100_000);
        let space = space(Path::new("/")).unwrap();
        assert!(space.size > 0 && space.available <= space.size, "{space:?}");
    }

    #[test]
    fn a_file_of_another_kind_has_no_number() {
        assert_eq!(number_in(Path::new("/proc/self/status")), None);
        assert!(number_in(Path::new("/proc/sys/kernel/pid_max")).is_some());
    }
}
