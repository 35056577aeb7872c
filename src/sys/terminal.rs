//! Terminals: their modes and their size.

use crate::protocol::guest::TerminalModes;
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};
use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// The modes of a terminal, to be set again later.
#[derive(Clone, Copy)]
pub struct Modes {
    modes: libc::termios,
    /// The control modes as the kernel has them, with the speed. Where the C library's structure has that depends on
    /// its version.
    control: u32,
}

impl Modes {
    /// The modes of the terminal on `fd`.
    pub fn of(fd: impl AsFd) -> io::Result<Self> {
        let mut modes = std::mem::MaybeUninit::uninit();
        // SAFETY: tcgetattr writes a whole termios when it returns 0.
        if unsafe { libc::tcgetattr(fd.as_fd().as_raw_fd(), modes.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: initialised by the call above.
        let modes = unsafe { modes.assume_init() };
        let control = rustix::termios::tcgetattr(fd)?.control_modes.bits();
        Ok(Self { modes, control })
    }

    /// Sets these modes on `fd` at once; what was typed before stays readable.
    pub fn set(&self, fd: impl AsFd) -> io::Result<()> {
        // SAFETY: the pointer is to an initialised termios.
        match unsafe { libc::tcsetattr(fd.as_fd().as_raw_fd(), libc::TCSANOW, &raw const self.modes) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The same with everything switched off that a terminal does by itself.
    #[must_use]
    pub fn raw(&self) -> Self {
        let mut modes = self.modes;
        // SAFETY: the pointer is to an initialised termios.
        unsafe { libc::cfmakeraw(&raw mut modes) };
        Self { modes, ..*self }
    }

    /// As they travel to the guest.
    #[must_use]
    pub fn to_protocol(self) -> TerminalModes {
        let mut characters = [0; 19];
        characters.copy_from_slice(&self.modes.c_cc[..19]);
        TerminalModes {
            input: self.modes.c_iflag,
            output: self.modes.c_oflag,
            control: self.control,
            local: self.modes.c_lflag,
            characters,
        }
    }
}

/// Gives the terminal `to` the size of the terminal `from`; the kernel signals the processes on `to`.
pub fn copy_size(from: impl AsFd, to: impl AsFd) -> io::Result<()> {
    Ok(tcsetwinsize(to, tcgetwinsize(from)?)?)
}

/// The size of the terminal on `fd`. A client that names none has a terminal of 0 by 0.
pub fn size(fd: impl AsFd) -> Winsize {
    tcgetwinsize(fd).unwrap_or(Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 })
}
