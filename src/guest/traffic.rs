//! Whether bytes went through a channel, seen without standing in their way.
//!
//! They go between sshd and the process, and none passes the guest. What it keeps of a pipe or a terminal is an `O_PATH`
//! descriptor, which names the inode and counts neither as reader nor as writer: end of file and SIGPIPE come as if it
//! were not there.
//!
//! A pipe is watched with inotify: since Linux 6.15 nothing is written into its inode's times. A watch is for one event,
//! so a busy pipe costs one event for each look. A terminal's inode has times, as w(1) uses
//! them: so shells can be looked after where the host has no inotify instance left. They are times of day, so only that
//! they change means anything.

use super::process::Streams;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, Stat, inotify},
    io::Errno,
};
use std::{
    fmt,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
    time::Duration,
};

/// The kernel writes a terminal's times with this precision, so that keystrokes cannot be measured.
pub(super) const TERMINAL_PRECISION: Duration = Duration::from_secs(8);

/// Most events that are read at one look; each watch has two at most.
const MAX_EVENTS: usize = 4096;

/// What can be seen of one channel.
#[derive(Debug)]
pub(super) enum Traffic {
    Terminal {
        tty: OwnedFd,
        seen: Option<Times>,
    },
    Pipes([Pipe; 3]),
    /// Something else, a socket say: it must be taken for busy.
    Hidden,
}

/// An inode of a pipe, and its watch once there was one.
#[derive(Debug)]
pub(super) struct Pipe {
    inode: OwnedFd,
    watch: Option<i32>,
}

/// Times of day of the last read and the last write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times([i64; 4]);

impl Times {
    fn of(stat: &Stat) -> Self {
        // Their types differ between architectures.
        #[allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)]
        Self([stat.st_atime as i64, stat.st_atime_nsec as i64, stat.st_mtime as i64, stat.st_mtime_nsec as i64])
    }

    /// Those of a file, which is not followed if it is a link: any user of the container may have put it there.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        rustix::fs::statat(CWD, path, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).ok().map(|stat| Self::of(&stat))
    }
}

impl Traffic {
    /// What can be seen of a process with these streams.
    pub(super) fn of(streams: &Streams) -> Self {
        match streams {
            Streams::Terminal(tty) => name(tty).map_or(Self::Hidden, |tty| {
                let seen = rustix::fs::fstat(&tty).ok().map(|stat| Times::of(&stat));
                Self::Terminal { tty, seen }
            }),
            Streams::Given(fds) => {
                let [input, output, error] = fds.each_ref().map(Pipe::of);
                match (input, output, error) {
                    (Some(input), Some(output), Some(error)) => Self::Pipes([input, output, error]),
                    _ => Self::Hidden,
                }
            }
        }
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal { .. })
    }

    /// Whether bytes went through a terminal since the last look, and whether those of pipes will be seen at the next.
    /// What cannot be seen counts as moving.
    pub(super) fn has_moved(&mut self, watcher: Option<&Watcher>) -> bool {
        match self {
            Self::Terminal { tty, seen } => {
                let times = rustix::fs::fstat(&*tty).ok().map(|stat| Times::of(&stat));
                times.is_none() || std::mem::replace(seen, times) != times
            }
            Self::Pipes(pipes) => match watcher {
                Some(watcher) => {
                    for pipe in &mut *pipes {
                        pipe.watch = watcher.watch(&pipe.inode).ok();
                    }
                    pipes.iter().any(|pipe| pipe.watch.is_none())
                }
                None => true,
            },
            Self::Hidden => true,
        }
    }

    /// Ends what watches it: a watch would keep the inode of a pipe that no process has any more.
    pub(super) fn release(self, watcher: Option<&Watcher>) {
        if let (Self::Pipes(pipes), Some(watcher)) = (self, watcher) {
            for watch in pipes.iter().filter_map(|pipe| pipe.watch) {
                // One that has had its event is gone already, and its number is not used again for long.
                let _ = inotify::remove_watch(&watcher.0, watch);
            }
        }
    }
}

impl Pipe {
    fn of(fd: &OwnedFd) -> Option<Self> {
        let stat = rustix::fs::fstat(fd).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
            return None;
        }
        Some(Self { inode: name(fd).ok()?, watch: None })
    }
}

/// A descriptor that names the file of `fd` and cannot read or write it.
fn name(fd: &OwnedFd) -> Result<OwnedFd, Errno> {
    rustix::fs::open(place(fd), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

fn place(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// An inotify instance, of which a host has `fs.inotify.max_user_instances`, 128 by default, for all containers together.
pub(super) struct Watcher(OwnedFd);

impl Watcher {
    pub(super) fn new() -> Result<Self, Errno> {
        inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).map(Self)
    }

    /// Watches for the next read or write. The number names the watch.
    fn watch(&self, inode: &OwnedFd) -> Result<i32, Errno> {
        let flags = inotify::WatchFlags::ACCESS | inotify::WatchFlags::MODIFY | inotify::WatchFlags::ONESHOT;
        inotify::add_watch(&self.0, place(inode), flags)
    }

    /// Whether anything that was watched has been read or written.
    pub(super) fn has_seen(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut events = inotify::Reader::new(self.0.as_fd(), &mut buffer);
        let moved = inotify::ReadFlags::ACCESS | inotify::ReadFlags::MODIFY | inotify::ReadFlags::QUEUE_OVERFLOW;
        let mut seen = false;
        for _ in 0..MAX_EVENTS {
            match events.next() {
                Ok(event) => seen |= event.events().intersects(moved),
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        seen
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pty;
    use rustix::io::{read, write};

    /// Three pipes as a process has them, their other ends, and what is seen of them.
    fn pipes() -> (Streams, [OwnedFd; 3], Traffic) {
        let [(input, to_input), (from_output, output), (from_error, error)] =
            [(); 3].map(|()| rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap());
        let streams = Streams::Given([input, output, error]);
        let traffic = Traffic::of(&streams);
        (streams, [to_input, from_output, from_error], traffic)
    }

    fn look(traffic: &mut Traffic, watcher: &Watcher) -> bool {
        let seen = watcher.has_seen();
        traffic.has_moved(Some(watcher)) || seen
    }

    #[test]
    fn a_read_or_a_write_is_seen_on_any_pipe_and_silence_is_silence() {
        let watcher = Watcher::new().unwrap();
        let (streams, [to_input, from_output, from_error], mut traffic) = pipes();
        let Streams::Given([input, output, error]) = &streams else { panic!("no pipes") };
        assert!(!look(&mut traffic, &watcher));
        for (from, to) in [(input, &to_input), (&from_output, output), (&from_error, error)] {
            write(to, b"x").unwrap();
            assert!(look(&mut traffic, &watcher), "a write is seen");
            assert!(!look(&mut traffic, &watcher));
            read(from, &mut [0; 1]).unwrap();
            assert!(look(&mut traffic, &watcher), "a read is seen");
            assert!(!look(&mut traffic, &watcher));
        }
    }

    #[test]
    fn the_guest_counts_neither_as_reader_nor_as_writer() {
        let watcher = Watcher::new().unwrap();
        let (streams, [to_input, from_output, _], mut traffic) = pipes();
        let Streams::Given([input, output, _]) = &streams else { panic!("no pipes") };
        look(&mut traffic, &watcher);
        drop(to_input);
        assert_eq!(read(input, &mut [0; 1]), Ok(0), "end of file");
        drop(from_output);
        // Rust's test programs ignore SIGPIPE.
        assert_eq!(write(output, b"x"), Err(Errno::PIPE));
    }

    #[test]
    fn a_channel_that_is_over_leaves_no_watch() {
        let watcher = Watcher::new().unwrap();
        let count = || {
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", watcher.0.as_raw_fd())).unwrap();
            info.lines().filter(|line| line.starts_with("inotify ")).count()
        };
        let (_streams, _ends, mut traffic) = pipes();
        look(&mut traffic, &watcher);
        look(&mut traffic, &watcher);
        assert_eq!(count(), 3);
        traffic.release(Some(&watcher));
        assert_eq!(count(), 0);
        assert!(!watcher.has_seen(), "the end of a watch is no traffic");
    }

    #[test]
    fn a_terminal_moves_when_its_times_do_and_never_by_being_looked_at() {
        let pty::Pty { master: _master, slave, .. } = pty::open().unwrap();
        let tty = slave.try_clone().unwrap();
        let mut traffic = Traffic::of(&Streams::Terminal(slave));
        assert!(!traffic.has_moved(None));
        // The kernel may wait for eight seconds; a time that is set is a time that changed, back in time as well.
        for seconds in [1_000_000, 5] {
            let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
            let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
            rustix::fs::futimens(&tty, &times).unwrap();
            assert!(traffic.has_moved(None));
            assert!(!traffic.has_moved(None));
        }
        write(&tty, b"x").unwrap();
        assert!(traffic.has_moved(None), "a write after a long time is a change");
    }

    #[test]
    fn what_cannot_be_seen_counts_as_moving() {
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let [(input, _a), (_b, output)] =
            [(); 2].map(|()| rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap());
        let mut traffic = Traffic::of(&Streams::Given([input, output, socket.into()]));
        assert!(matches!(traffic, Traffic::Hidden));
        assert!(traffic.has_moved(None));
        let (_streams, _ends, mut unwatched) = pipes();
        assert!(unwatched.has_moved(None), "no inotify instance");
    }
}
