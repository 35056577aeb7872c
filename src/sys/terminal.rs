//! Terminals: their modes and their size.

use crate::protocol::guest::TerminalModes;
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};
use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// The modes of a terminal, to be set again later.
#[derive(Clone, Copy)]
pub struct Modes(libc::termios);

impl Modes {
    /// The modes of the terminal on `fd`.
    pub fn of(fd: impl AsFd) -> io::Result<Self> {
        let mut modes = std::mem::MaybeUninit::uninit();
        // SAFETY: tcgetattr writes a whole termios when it returns 0.
        if unsafe { libc::tcgetattr(fd.as_fd().as_raw_fd(), modes.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: initialised by the call above.
        Ok(Self(unsafe { modes.assume_init() }))
    }

    /// Sets these modes on `fd` at once; what was typed before stays readable.
    pub fn set(&self, fd: impl AsFd) -> io::Result<()> {
        // SAFETY: the pointer is to an initialised termios.
        match unsafe { libc::tcsetattr(fd.as_fd().as_raw_fd(), libc::TCSANOW, &raw const self.0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The same with everything switched off that a terminal does by itself.
    #[must_use]
    pub fn raw(&self) -> Self {
        let mut raw = self.0;
        // SAFETY: the pointer is to an initialised termios.
        unsafe { libc::cfmakeraw(&raw mut raw) };
        Self(raw)
    }

    /// As they travel to the guest.
    #[must_use]
    pub fn to_protocol(self) -> TerminalModes {
        let mut characters = [0; 19];
        characters.copy_from_slice(&self.0.c_cc[..19]);
        TerminalModes {
            input: self.0.c_iflag,
            output: self.0.c_oflag,
            control: self.0.c_cflag,
            local: self.0.c_lflag,
            characters,
        }
    }
}

/// Gives the terminal `to` the size of the terminal `from`; the kernel tells whoever runs on `to`.
pub fn copy_size(from: impl AsFd, to: impl AsFd) -> io::Result<()> {
    Ok(tcsetwinsize(to, tcgetwinsize(from)?)?)
}

/// The size of the terminal on `fd`; 24 by 80 if it is not known.
pub fn size(fd: impl AsFd) -> Winsize {
    match tcgetwinsize(fd) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => size,
        _ => Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 },
    }
}
