//! Pseudo-terminals: a new pair, its modes, its size.

use crate::protocol::guest::{Terminal, TerminalModes};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    pty::OpenptFlags,
    termios::{ControlModes, OptionalActions, Winsize},
};
use std::{
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::PathBuf,
};

/// A new pseudo-terminal; both ends are close-on-exec.
#[derive(Debug)]
pub struct Pty {
    /// The end that stands for the person.
    pub master: OwnedFd,
    /// The end that the process gets.
    pub slave: OwnedFd,
    /// The name of the slave, as tty(1) prints it.
    pub path: PathBuf,
}

/// Where a mount namespace's own multiplexer is. `/dev/ptmx` is a link to it where the engine mounts devpts; the second
/// place covers images whose engine binds it elsewhere.
const MULTIPLEXERS: [&str; 2] = ["/dev/pts/ptmx", "/dev/ptmx"];

/// Allocates a pseudo-terminal of this mount namespace.
pub fn open() -> Result<Pty, Errno> {
    let mut last = Errno::NOENT;
    for multiplexer in MULTIPLEXERS {
        match open_at(multiplexer) {
            Ok(pty) => return Ok(pty),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether [`Errno::NOSPC`] of [`open`] means that the kernel has no terminal left for any container, and not only this
/// mount namespace; `None` if the kernel does not say.
#[must_use]
pub fn is_kernels_last() -> Option<bool> {
    let read = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/kernel/pty/{name}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    Some(has_none_left(read("nr")?, read("max")?, read("reserve")?))
}

/// Those in reserve are for the host's own file system of terminals.
const fn has_none_left(used: u64, most: u64, reserve: u64) -> bool {
    // A container that has just been refused has given nothing back meanwhile; another may have.
    used.saturating_add(SLACK) >= most.saturating_sub(reserve)
}

/// Terminals that may have been given back between a refusal and the look at the count.
const SLACK: u64 = 32;

fn open_at(multiplexer: &str) -> Result<Pty, Errno> {
    // Not blocking: the container's root may have put a FIFO there.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let master = rustix::fs::open(multiplexer, flags | OFlags::NONBLOCK, Mode::empty())?;
    rustix::pty::unlockpt(&master)?;
    let path = PathBuf::from(std::ffi::OsString::from_vec(rustix::pty::ptsname(&master, Vec::new())?.into_bytes()));
    let peer = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    // TIOCGPTPEER needs Linux 4.13 and a seccomp filter that lets it through.
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, peer)
        .or_else(|_| rustix::fs::open(&path, flags | OFlags::NOFOLLOW, Mode::empty()))?;
    rustix::fs::fcntl_setfl(&master, OFlags::empty())?;
    Ok(Pty { master, slave, path })
}

/// Gives a terminal the size, the modes and the speed of `terminal`.
pub fn configure(tty: impl AsFd, terminal: &Terminal) -> io::Result<()> {
    set_modes(&tty, &terminal.modes)?;
    set_speed(&tty, terminal.modes.control)?;
    rustix::termios::tcsetwinsize(
        &tty,
        Winsize {
            ws_row: terminal.rows,
            ws_col: terminal.columns,
            ws_xpixel: terminal.x_pixels,
            ws_ypixel: terminal.y_pixels,
        },
    )?;
    Ok(())
}

fn set_modes(tty: impl AsFd, modes: &TerminalModes) -> io::Result<()> {
    let fd = tty.as_fd().as_raw_fd();
    let mut termios = MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the descriptor is open and the memory is large enough for what the call writes.
    if unsafe { libc::tcgetattr(fd, termios.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded and has initialised it.
    let mut termios = unsafe { termios.assume_init() };
    termios.c_iflag = modes.input;
    termios.c_oflag = modes.output;
    termios.c_cflag = (modes.control & !libc::CBAUD) | (termios.c_cflag & libc::CBAUD);
    termios.c_lflag = modes.local;
    for (to, from) in termios.c_cc.iter_mut().zip(modes.characters) {
        *to = from;
    }
    // SAFETY: the descriptor is open and the structure initialised.
    if unsafe { libc::tcsetattr(fd, libc::TCSANOW, &raw const termios) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sets the speed that is in control modes. It changes nothing on a pseudo-terminal, but programs ask for it. One that
/// is not among the standard ones (`BOTHER`) is a number that control modes do not hold: the terminal keeps its own.
fn set_speed(tty: impl AsFd, control: u32) -> Result<(), Errno> {
    const SPEED: u32 = libc::CBAUD | libc::CIBAUD;
    if control & libc::CBAUD == libc::BOTHER {
        return Ok(());
    }
    // Not by the C library, in whose structure the speed is in a place that depends on its version.
    let mut now = rustix::termios::tcgetattr(&tty)?;
    now.control_modes = ControlModes::from_bits_retain((now.control_modes.bits() & !SPEED) | (control & SPEED));
    rustix::termios::tcsetattr(&tty, OptionalActions::Now, &now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_kernel_is_distinguished_from_a_full_container() {
        assert!(has_none_left(3071, 4096, 1024) && has_none_left(3060, 4096, 1024));
        assert!(!has_none_left(256, 65_536, 1024));
        assert!(has_none_left(1, 512, 1024), "all in reserve");
        assert!(is_kernels_last().is_some());
    }

    #[test]
    fn a_terminal_takes_the_modes_the_size_and_the_speed_that_it_is_given() {
        let pty = open().unwrap();
        let mut modes = TerminalModes {
            input: libc::ICRNL,
            output: libc::OPOST,
            control: libc::CS8 | libc::CREAD | libc::B9600,
            local: libc::ISIG,
            characters: [0; 19],
        };
        modes.characters[libc::VINTR] = 7;
        let terminal = Terminal { rows: 11, columns: 222, x_pixels: 0, y_pixels: 0, modes };
        configure(&pty.slave, &terminal).unwrap();
        let now = rustix::termios::tcgetattr(&pty.slave).unwrap();
        assert_eq!(now.input_modes.bits(), libc::ICRNL);
        assert_eq!(now.local_modes.bits(), libc::ISIG);
        assert_eq!(now.special_codes[rustix::termios::SpecialCodeIndex::VINTR], 7);
        assert_eq!((now.output_speed(), now.input_speed()), (9600, 9600));
        let size = rustix::termios::tcgetwinsize(&pty.master).unwrap();
        assert_eq!((size.ws_row, size.ws_col), (11, 222));
    }

    #[test]
    fn a_speed_without_a_constant_leaves_the_terminals_own() {
        let pty = open().unwrap();
        let own = rustix::termios::tcgetattr(&pty.slave).unwrap().output_speed();
        set_speed(&pty.slave, libc::CS8 | libc::BOTHER).unwrap();
        assert_eq!(rustix::termios::tcgetattr(&pty.slave).unwrap().output_speed(), own);
    }
}
