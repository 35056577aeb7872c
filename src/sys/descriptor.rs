//! The kind of a descriptor, and the null device of this mount namespace.

use crate::protocol::stream::Kind;
use rustix::{
    fs::{FileType, Mode, OFlags, fcntl_getfl, fstat, fstatfs},
    io::Errno,
    termios::isatty,
};
use std::os::fd::{AsFd, OwnedFd};

/// Where every engine puts the null device.
const NULL: &str = "/dev/null";
/// Its number (Documentation/admin-guide/devices.txt).
const NULL_DEVICE: (u32, u32) = (1, 3);
/// `f_type` of the file system of anonymous pipes (`PIPEFS_MAGIC`, include/uapi/linux/magic.h).
const PIPEFS: u64 = 0x5049_5045;

/// The kind of `fd`. Two or three system calls, none of which waits for a file system but the one of the file itself.
pub fn kind(fd: impl AsFd) -> Result<Kind, Errno> {
    // Asked first: fstat(2) describes the file that such a descriptor names.
    if fcntl_getfl(&fd)?.contains(OFlags::PATH) {
        return Ok(Kind::Name);
    }
    let stat = fstat(&fd)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo if is_anonymous(&fd)? => Kind::Pipe,
        FileType::Fifo => Kind::NamedPipe,
        FileType::CharacterDevice if is_null(stat.st_rdev) => Kind::Null,
        FileType::CharacterDevice if isatty(&fd) => Kind::Terminal,
        FileType::CharacterDevice | FileType::BlockDevice => Kind::Device,
        FileType::Directory => Kind::Directory,
        FileType::RegularFile => Kind::File,
        FileType::Socket => Kind::Socket,
        FileType::Symlink | FileType::Unknown => Kind::Other,
    })
}

fn is_anonymous(fd: impl AsFd) -> Result<bool, Errno> {
    // Its type differs between architectures.
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
    Ok(fstatfs(fd)?.f_type as u64 == PIPEFS)
}

// Its type differs between architectures.
#[allow(clippy::useless_conversion)]
fn is_null(device: u64) -> bool {
    let device = device.into();
    (rustix::fs::major(device), rustix::fs::minor(device)) == NULL_DEVICE
}

/// Opens the null device of this mount namespace. `ENODEV` if something else has its name, which the container's root
/// may have put there: it is not waited for, and no link is followed.
pub fn open_null() -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let null = rustix::fs::open(NULL, flags, Mode::empty())?;
    if kind(&null)? != Kind::Null {
        return Err(Errno::NODEV);
    }
    rustix::fs::fcntl_setfl(&null, OFlags::empty())?;
    Ok(null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::{
        event::{EventfdFlags, epoll, eventfd},
        fs::{CWD, MemfdFlags, inotify, memfd_create, mknodat},
        net::{AddressFamily, SocketFlags, SocketType, socket, socketpair},
        pipe::{PipeFlags, pipe_with},
        process::{PidfdFlags, pidfd_open},
    };
    use std::{fs::File, os::unix::fs::OpenOptionsExt as _, path::Path};

    fn named(path: &Path) -> OwnedFd {
        rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    #[test]
    fn anonymous_pipes_and_the_null_device_are_streams() {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        assert_eq!([kind(&reader), kind(&writer)], [Ok(Kind::Pipe); 2]);
        for mode in [OFlags::RDONLY, OFlags::WRONLY, OFlags::RDWR] {
            assert_eq!(kind(rustix::fs::open(NULL, mode, Mode::empty()).unwrap()), Ok(Kind::Null));
        }
        let null = open_null().unwrap();
        assert_eq!(kind(&null), Ok(Kind::Null));
        assert!(!fcntl_getfl(&null).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn nothing_else_is_a_stream() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let fifo_end = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&fifo).unwrap();
        let (reader, _writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let crate::sys::pty::Pty { master, slave, .. } = crate::sys::pty::open().unwrap();
        let (stream, _peer) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        let pipe_name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let own = rustix::process::getpid();
        let cases: Vec<(&str, OwnedFd, Kind)> = vec![
            ("a directory", File::open("/").unwrap().into(), Kind::Directory),
            ("a file to read", File::open("/etc/passwd").unwrap().into(), Kind::File),
            ("a memfd", memfd_create("x", MemfdFlags::CLOEXEC).unwrap(), Kind::File),
            ("a namespace", File::open("/proc/self/ns/mnt").unwrap().into(), Kind::File),
            ("a named pipe", fifo_end.into(), Kind::NamedPipe),
            ("a terminal", slave, Kind::Terminal),
            ("its master", master, Kind::Terminal),
            ("/dev/zero", File::open("/dev/zero").unwrap().into(), Kind::Device),
            ("/dev/full", File::open("/dev/full").unwrap().into(), Kind::Device),
            ("a connected Unix socket", stream, Kind::Socket),
            ("a TCP socket", socket(AddressFamily::INET, SocketType::STREAM, None).unwrap(), Kind::Socket),
            ("a netlink socket", socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap(), Kind::Socket),
            ("an eventfd", eventfd(0, EventfdFlags::CLOEXEC).unwrap(), Kind::Other),
            ("an epoll instance", epoll::create(epoll::CreateFlags::CLOEXEC).unwrap(), Kind::Other),
            ("an inotify instance", inotify::init(inotify::CreateFlags::CLOEXEC).unwrap(), Kind::Other),
            ("the name of a directory", named(Path::new("/")), Kind::Name),
            ("the name of the null device", named(Path::new(NULL)), Kind::Name),
            ("the name of a named pipe", named(&fifo), Kind::Name),
            ("the name of a pipe", named(Path::new(&pipe_name)), Kind::Name),
        ];
        for (what, fd, expected) in cases {
            assert_eq!(kind(&fd), Ok(expected), "{what}");
            assert!(!expected.is_stream(), "{what}");
        }
        // A file since Linux 6.9, and before that nothing with a type.
        let process = kind(pidfd_open(own, PidfdFlags::empty()).unwrap()).unwrap();
        assert!(matches!(process, Kind::File | Kind::Other), "{process:?}");
    }
}
