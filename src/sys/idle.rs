//! Waiting, and holding little meanwhile.

use rustix::{
    event::{PollFd, Timespec},
    io::Errno,
};

/// A process that has had nothing to do for so long is idle. Longer than most commands take: those never pay.
const IDLE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Waits as poll(2) does. Before a long wait the process lets go of its program's pages.
///
/// A shell stays open for days, and starting it touched megabytes of code that waiting never needs: of what a
/// waiting process has in memory nine tenths are that.
pub fn poll(fds: &mut [PollFd<'_>], timeout: Option<&Timespec>) -> Result<usize, Errno> {
    let rest = match timeout {
        Some(timeout) if *timeout <= IDLE => return rustix::event::poll(fds, Some(timeout)),
        Some(timeout) => Some(*timeout - IDLE),
        None => None,
    };
    match rustix::event::poll(fds, Some(&IDLE))? {
        0 => let_go_of_program(),
        ready => return Ok(ready),
    }
    rustix::event::poll(fds, rest.as_ref())
}

/// Waits as poll(2) does, by a process that was woken for next to nothing: it lets go of its program's pages at once.
pub fn poll_again(fds: &mut [PollFd<'_>], timeout: Option<&Timespec>) -> Result<usize, Errno> {
    let_go_of_program();
    rustix::event::poll(fds, timeout)
}

/// Unmaps the pages of code and constants. What is used again comes back from the file, which the page cache has.
fn let_go_of_program() {
    // SAFETY: the linker defines both for every executable; only their addresses are taken.
    unsafe extern "C" {
        /// The linker's: the first byte of the program.
        static __executable_start: u8;
        /// The linker's: the first byte behind the code.
        static etext: u8;
    }
    let start = (&raw const __executable_start).cast_mut();
    let pages = (&raw const etext).addr().saturating_sub(start.addr()) / PAGE * PAGE;
    // SAFETY: between the two are headers, constants and code, in private mappings of the file that no process has written
    // to since relocations are elsewhere; such pages are read from the file again. An error changes nothing.
    unsafe { libc::madvise(start.cast(), pages, libc::MADV_DONTNEED) };
}

/// The smallest page. With larger ones the kernel rounds up, to the end of the page that the code ends in.
const PAGE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::{event::PollFlags, pipe::pipe};
    use std::{
        fs,
        time::{Duration, Instant},
    };

    fn resident_file_kib() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn code_that_is_not_needed_goes_and_comes_back() {
        // At once: other tests run meanwhile, and bring back what they use.
        let before = resident_file_kib();
        let_go_of_program();
        let after = resident_file_kib();
        assert!(after < before, "{before} KiB, then {after} KiB");
    }

    #[test]
    fn a_long_wait_ends_on_time() {
        let (source, _sink) = pipe().unwrap();
        let begin = Instant::now();
        let timeout = Timespec { tv_sec: 1, tv_nsec: 200_000_000 };
        assert_eq!(poll(&mut [PollFd::new(&source, PollFlags::IN)], Some(&timeout)), Ok(0));
        assert!(begin.elapsed() >= Duration::from_millis(1200), "{:?}", begin.elapsed());
    }

    #[test]
    fn a_ready_descriptor_is_reported_at_once() {
        let (source, sink) = pipe().unwrap();
        rustix::io::write(&sink, b"x").unwrap();
        let begin = Instant::now();
        assert_eq!(poll(&mut [PollFd::new(&source, PollFlags::IN)], None), Ok(1));
        assert!(begin.elapsed() < Duration::from_secs(1));
    }
}
