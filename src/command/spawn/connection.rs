//! The life of one channel: start, pump a terminal, relay the agent, learn how it ended.

use super::{
    agent::Agents,
    flow::{Between, Flow, Turn},
    request::Request,
    rest,
};
use crate::{
    domain::Outcome,
    protocol::{
        guest::{FromSpawn, Terminal, ToSpawn},
        packet::{PacketError, decode, encode},
    },
    sys::{
        idle, passing,
        seqpacket::{self, Received},
        signalfd::{self, SignalFd},
        terminal::{self, Modes},
    },
};
use rustix::{
    event::{PollFd, PollFlags},
    fs::{FileType, Mode, OFlags, fchmod, fstat},
    io::Errno,
    pty::ptsname,
    stdio,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Largest packet that a guest sends us: a failure's text.
const PACKET_BYTES: usize = 8 * 1024;

/// What a shell answers for a command that it cannot find.
const NOT_FOUND: u8 = 127;

/// Why there is no outcome.
pub(super) enum Broken {
    /// The container's end was closed without a word: its first process is gone.
    Gone,
    /// Something else, in a line for the user.
    Said(String),
}

impl From<String> for Broken {
    fn from(text: String) -> Self {
        Self::Said(text)
    }
}

impl From<&str> for Broken {
    fn from(text: &str) -> Self {
        Self::Said(text.to_owned())
    }
}

pub(super) struct Connection {
    channel: OwnedFd,
    signals: SignalFd,
    terminal: Option<Screen>,
    agents: Agents,
}

/// Both sides of a pumped terminal.
struct Screen {
    modes: Modes,
    master: Option<OwnedFd>,
    keyboard: Flow,
    display: Flow,
}

impl Connection {
    /// Tells the guest to begin and lets go of what now belongs to the process.
    pub(super) fn start(channel: OwnedFd, request: &Request) -> Result<Self, String> {
        // A client that went away is told by EPIPE.
        signalfd::ignore(libc::SIGPIPE);
        // Only this one: the others end this process as they would end any, even when it is caught in a read of a
        // terminal that the container has made block. Its end closes the channel, which hangs up the process.
        let signals = SignalFd::new(&[libc::SIGWINCH]).map_err(|error| format!("cannot read signals: {error}"))?;
        let agents = Agents::new(request.agent.clone());
        let terminal = request.terminal.then(screen).transpose()?;
        let start = FromSpawn::Start {
            terminal: terminal.as_ref().map(|screen| {
                let size = terminal::size(stdio::stdin());
                Terminal {
                    rows: size.ws_row,
                    columns: size.ws_col,
                    x_pixels: size.ws_xpixel,
                    y_pixels: size.ws_ypixel,
                    modes: screen.modes.to_protocol(),
                }
            }),
            agent: agents.is_forwarded(),
        };
        let packet = encode(&start).map_err(|error| error.to_string())?;
        let standard = [stdio::stdin(), stdio::stdout(), stdio::stderr()];
        let sent = if terminal.is_some() {
            seqpacket::send(&channel, &packet, &[])
        } else {
            standard.into_iter().for_each(widen);
            seqpacket::send(&channel, &packet, &standard)
        };
        match sent {
            // The guest may have refused already; then its word is there to be read.
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(error) => return Err(format!("cannot reach the container: {}", passing::in_words(error))),
        }
        if terminal.is_none() {
            let_go().map_err(|error| format!("cannot open /dev/null: {error}"))?;
        }
        Ok(Self { channel, signals, terminal, agents })
    }

    /// Waits for the end; moves a terminal's and the agent's bytes meanwhile.
    pub(super) fn run(mut self) -> Result<Outcome, Broken> {
        let result = self.serve();
        let Self { channel, signals, terminal, agents } = self;
        // Nothing of the container waits for a client that reads nothing: for the guest the channel is over.
        drop((channel, signals, agents));
        if let Some(Screen { modes, master, display, .. }) = terminal {
            rest::bring(&display, master);
            let _ = modes.set(stdio::stdin());
        }
        result
    }

    fn serve(&mut self) -> Result<Outcome, Broken> {
        loop {
            let ready = self.wait()?;
            while let Ok(Some(_)) = self.signals.next() {
                self.resize();
            }
            if ready[2].intersects(PollFlags::ERR | PollFlags::HUP) {
                return Err("the connection is gone".into());
            }
            if self.pump(&ready) == Turn::Done {
                return Err("the connection is gone".into());
            }
            self.agents.turn(&ready[5..]);
            if !ready[0].is_empty()
                && let Some(outcome) = self.hear()?
            {
                return Ok(outcome);
            }
        }
    }

    /// Waits for something to do. The results are in the order channel, signals, stderr, sshd's terminal, master,
    /// agents.
    fn wait(&self) -> Result<Vec<PollFlags>, String> {
        let nothing = PollFlags::empty();
        // In the place of what does not matter now: never ready when nothing is asked of it, not even hung up.
        let nobody = || PollFd::from_borrowed_fd(self.signals.as_fd(), nothing);
        let mut entries = vec![
            PollFd::from_borrowed_fd(self.channel.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
        ];
        match &self.terminal {
            // As the write end of a pipe to sshd, stderr is the way to notice that sshd has given up the channel:
            // nobody signals a process that has no terminal.
            None => entries.extend([PollFd::from_borrowed_fd(stdio::stderr(), nothing), nobody(), nobody()]),
            Some(Screen { master: None, .. }) => {
                entries.extend([nobody(), PollFd::from_borrowed_fd(stdio::stdin(), nothing), nobody()]);
            }
            Some(Screen { master: Some(master), keyboard, display, .. }) => {
                // sshd's terminal is stdin and stdout at once.
                let outside = keyboard.source_interest() | display.sink_interest();
                let inside = keyboard.sink_interest() | display.source_interest();
                entries.extend([nobody(), PollFd::from_borrowed_fd(stdio::stdin(), outside)]);
                // A hang-up is reported even when nobody asks; it must wait until the display is written.
                entries.push(if inside.is_empty() {
                    nobody()
                } else {
                    PollFd::from_borrowed_fd(master.as_fd(), inside)
                });
            }
        }
        self.agents.interests(&mut entries);
        match idle::poll(&mut entries, None) {
            Ok(_) | Err(Errno::INTR) => Ok(entries.iter().map(PollFd::revents).collect()),
            Err(error) => Err(format!("poll: {error}")),
        }
    }

    /// Moves the terminal's bytes; done when sshd's side is gone.
    fn pump(&mut self, ready: &[PollFlags]) -> Turn {
        let Some(Screen { master, keyboard, display, .. }) = &mut self.terminal else { return Turn::Open };
        let Some(inside) = master.as_ref() else {
            // Not begun yet: only a hang-up matters.
            return if ready[3].intersects(PollFlags::HUP | PollFlags::ERR) { Turn::Done } else { Turn::Open };
        };
        if !ready[3].is_empty() || !ready[4].is_empty() {
            if keyboard.turn(stdio::stdin(), inside.as_fd()) == Turn::Done && ready[3].intersects(PollFlags::HUP) {
                return Turn::Done;
            }
            // The end of the display is not the end: the guest says how the process ended.
            if display.turn(inside.as_fd(), stdio::stdout()) == Turn::Done {
                *master = None;
            }
        }
        Turn::Open
    }

    /// One packet of the guest; the outcome if it was the last.
    fn hear(&mut self) -> Result<Option<Outcome>, Broken> {
        let mut buffer = vec![0; PACKET_BYTES];
        let (bytes, mut fds) = match seqpacket::receive(&self.channel, &mut buffer) {
            Ok(Received::Packet(bytes, fds)) => (bytes, fds),
            Ok(Received::Oversized) => return Err("the container sent something unexpected".into()),
            Err(Errno::AGAIN) => return Ok(None),
            Ok(Received::Closed) | Err(_) => return Err(Broken::Gone),
        };
        let fd = fds.pop();
        if !fds.is_empty() {
            return Err("the container sent something unexpected".into());
        }
        match (decode(&buffer[..bytes]), fd) {
            (Ok(ToSpawn::Master), Some(master)) => {
                self.adopt(master)?;
                Ok(None)
            }
            (Ok(ToSpawn::Agent), Some(inside)) => {
                self.agents.accept(inside);
                Ok(None)
            }
            // A newer guest's word that an older spawn can do without.
            (Ok(ToSpawn::Started), None) | (Err(PacketError::Unknown(_)), _) => Ok(None),
            (Ok(ToSpawn::Notice(text)), None) => {
                self.notice(&text);
                Ok(None)
            }
            (Ok(ToSpawn::Ended(outcome)), None) => Ok(Some(outcome)),
            (Ok(ToSpawn::Failed(text)), None) => Err(text.into()),
            (Ok(ToSpawn::NotFound(text)), None) => {
                super::complain(&text);
                Ok(Some(Outcome::Exited(NOT_FOUND)))
            }
            _ => Err("the container sent something unexpected".into()),
        }
    }

    /// Shows a notice on the terminal, behind what is still to be shown. Without a terminal it is dropped: data streams
    /// stay clean.
    fn notice(&mut self, text: &str) {
        match &mut self.terminal {
            Some(Screen { master: Some(_), display, .. }) => display.append(super::line(text, true).as_bytes()),
            Some(_) => super::complain(text),
            None => {}
        }
    }

    /// Takes the master that the guest sent, if it is one, and makes both terminals ready for the pump.
    fn adopt(&mut self, master: OwnedFd) -> Result<(), String> {
        let Some(screen) = &mut self.terminal else {
            return Err("the container sent a terminal that nobody asked for".to_owned());
        };
        if screen.master.is_some() || ptsname(&master, Vec::new()).is_err() {
            return Err("the container sent something that is no terminal".to_owned());
        }
        let prepared = screen
            .modes
            .raw()
            .set(stdio::stdin())
            .and_then(|()| Ok(rustix::io::ioctl_fionbio(&master, true)?))
            .and_then(|()| Ok(rustix::io::ioctl_fionbio(stdio::stdin(), true)?))
            .and_then(|()| Ok(rustix::io::ioctl_fionbio(stdio::stdout(), true)?));
        prepared.map_err(|error| format!("cannot prepare the terminal: {error}"))?;
        screen.master = Some(master);
        // It may have changed since the size was sent.
        self.resize();
        Ok(())
    }

    fn resize(&self) {
        if let Some(Screen { master: Some(master), .. }) = &self.terminal {
            let _ = terminal::copy_size(stdio::stdin(), master);
        }
    }
}

/// Readies the terminal that sshd gave us.
fn screen() -> Result<Screen, String> {
    let modes = Modes::of(stdio::stdin()).map_err(|error| format!("cannot read the terminal's modes: {error}"))?;
    Ok(Screen { modes, master: None, keyboard: Flow::new(Between::Terminals), display: Flow::new(Between::Terminals) })
}

/// Lets any user open the pipe by name. sshd's pipes belong to our uid with mode 0600, so `echo x > /dev/stderr`
/// would fail for the container's uid. Only who can see the process's descriptors can name the pipe.
fn widen(fd: BorrowedFd<'_>) {
    if fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo) {
        let _ = fchmod(fd, Mode::from_raw_mode(0o666));
    }
}

/// Replaces stdin and stdout by /dev/null, so that end of file and SIGPIPE go between sshd and the process alone.
/// stderr stays, for a last word.
fn let_go() -> Result<(), Errno> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    stdio::dup2_stdin(&null)?;
    stdio::dup2_stdout(&null)
}
