//! One channel: starts the process, copies a terminal's bytes, relays the SSH agent, and receives the outcome.

use super::{
    agent::Agents,
    drain,
    error::SpawnError,
    flow::{Between, Flow, Turn},
    message,
    request::Request,
};
use crate::{
    domain::Outcome,
    protocol::{
        guest::{FromSpawn, Terminal, ToSpawn},
        packet::{PacketError, decode, encode},
    },
    sys::{
        idle,
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

/// A descriptor that the connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The channel to the guest.
    Channel,
    /// Changes of the terminal's size.
    Signals,
    /// stderr of a session without a terminal.
    Errors,
    /// sshd's terminal, which is stdin and stdout at once.
    Outside,
    /// The container's terminal.
    Inside,
    /// One side of a relayed agent connection.
    Relay,
}

/// The results of one wait, in the order of the descriptors.
struct Ready(Vec<(Source, PollFlags)>);

impl Ready {
    /// The events of a source; empty if it was not waited for.
    fn of(&self, source: Source) -> PollFlags {
        self.0.iter().find(|(from, _)| *from == source).map_or(PollFlags::empty(), |(_, events)| *events)
    }

    /// The events of all relays.
    fn relays(&self) -> Vec<PollFlags> {
        self.0.iter().filter(|(from, _)| *from == Source::Relay).map(|(_, events)| *events).collect()
    }
}

pub(super) struct Connection {
    channel: OwnedFd,
    signals: SignalFd,
    terminal: Option<Screen>,
    agents: Agents,
}

/// sshd's terminal and the container's, with the bytes between them.
struct Screen {
    modes: Modes,
    master: Option<OwnedFd>,
    keyboard: Flow,
    display: Flow,
}

impl Connection {
    /// Starts the process, and closes the streams that now belong to it.
    pub(super) fn start(channel: OwnedFd, request: &Request) -> Result<Self, SpawnError> {
        // Writing to a client that has gone fails with EPIPE instead.
        signalfd::ignore(libc::SIGPIPE);
        // Only this signal: the others end this process, even while it is blocked in a read of a terminal that the
        // container has made block. The exit closes the channel, which hangs up the process in the container.
        let signals = SignalFd::new(&[libc::SIGWINCH]).map_err(SpawnError::Signals)?;
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
        let packet = encode(&start)?;
        let standard = [stdio::stdin(), stdio::stdout(), stdio::stderr()];
        let sent = if terminal.is_some() {
            seqpacket::send(&channel, &packet, &[])
        } else {
            standard.into_iter().for_each(widen);
            seqpacket::send(&channel, &packet, &standard)
        };
        match sent {
            // The guest may have refused already; then its reason can still be read.
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(error) => return Err(SpawnError::Send(error)),
        }
        if terminal.is_none() {
            close_streams().map_err(SpawnError::NullDevice)?;
        }
        Ok(Self { channel, signals, terminal, agents })
    }

    /// Waits for the outcome; copies the terminal's and the agent's bytes meanwhile.
    pub(super) fn run(mut self) -> Result<Outcome, SpawnError> {
        let result = self.serve();
        let Self { channel, signals, terminal, agents } = self;
        // The container does not wait for a slow client: for the guest the channel ends here.
        drop((channel, signals, agents));
        if let Some(Screen { modes, master, display, .. }) = terminal {
            drain::finish(&display, master);
            let _ = modes.set(stdio::stdin());
        }
        result
    }

    fn serve(&mut self) -> Result<Outcome, SpawnError> {
        loop {
            let ready = self.wait()?;
            while let Ok(Some(_)) = self.signals.next() {
                self.resize();
            }
            if ready.of(Source::Errors).intersects(PollFlags::ERR | PollFlags::HUP) || self.copy(&ready) == Turn::Done {
                return Err(SpawnError::Disconnected);
            }
            self.agents.turn(&ready.relays());
            if !ready.of(Source::Channel).is_empty()
                && let Some(outcome) = self.receive()?
            {
                return Ok(outcome);
            }
        }
    }

    /// Waits until a descriptor is ready.
    fn wait(&self) -> Result<Ready, SpawnError> {
        // Only a hang-up is reported.
        let hang_up = PollFlags::empty();
        let mut entries = vec![
            (Source::Channel, PollFd::from_borrowed_fd(self.channel.as_fd(), PollFlags::IN)),
            (Source::Signals, PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN)),
        ];
        match &self.terminal {
            // stderr is the write end of a pipe to sshd. Its hang-up is the only sign that sshd has given up the channel:
            // a process without a terminal gets no signal.
            None => entries.push((Source::Errors, PollFd::from_borrowed_fd(stdio::stderr(), hang_up))),
            Some(Screen { master: None, .. }) => {
                entries.push((Source::Outside, PollFd::from_borrowed_fd(stdio::stdin(), hang_up)));
            }
            Some(Screen { master: Some(master), keyboard, display, .. }) => {
                let outside = keyboard.source_interest() | display.sink_interest();
                entries.push((Source::Outside, PollFd::from_borrowed_fd(stdio::stdin(), outside)));
                // poll reports a hang-up without being asked. It has to wait until the display is written.
                let inside = keyboard.sink_interest() | display.source_interest();
                if !inside.is_empty() {
                    entries.push((Source::Inside, PollFd::from_borrowed_fd(master.as_fd(), inside)));
                }
            }
        }
        entries.extend(self.agents.interests().map(|entry| (Source::Relay, entry)));
        let (sources, mut entries): (Vec<Source>, Vec<PollFd<'_>>) = entries.into_iter().unzip();
        match idle::poll(&mut entries, None) {
            Ok(_) | Err(Errno::INTR) => {
                Ok(Ready(sources.into_iter().zip(entries.iter().map(PollFd::revents)).collect()))
            }
            Err(error) => Err(SpawnError::Poll(error)),
        }
    }

    /// Copies the terminal's bytes; done when sshd's side has closed.
    fn copy(&mut self, ready: &Ready) -> Turn {
        let Some(Screen { master, keyboard, display, .. }) = &mut self.terminal else { return Turn::Open };
        let (outside, inside) = (ready.of(Source::Outside), ready.of(Source::Inside));
        let Some(terminal) = master.as_ref() else {
            // The process has not started: only a hang-up matters.
            return if outside.intersects(PollFlags::HUP | PollFlags::ERR) { Turn::Done } else { Turn::Open };
        };
        if !outside.is_empty() || !inside.is_empty() {
            if keyboard.turn(stdio::stdin(), terminal.as_fd()) == Turn::Done && outside.intersects(PollFlags::HUP) {
                return Turn::Done;
            }
            // The end of the display is not the end of the session: the guest reports the outcome.
            if display.turn(terminal.as_fd(), stdio::stdout()) == Turn::Done {
                *master = None;
            }
        }
        Turn::Open
    }

    /// Receives one packet of the guest; returns the outcome if it was the last.
    fn receive(&mut self) -> Result<Option<Outcome>, SpawnError> {
        let mut buffer = vec![0; PACKET_BYTES];
        let (bytes, mut fds) = match seqpacket::receive(&self.channel, &mut buffer) {
            Ok(Received::Packet(bytes, fds)) => (bytes, fds),
            Ok(Received::Oversized) => return Err(SpawnError::Unexpected),
            Err(Errno::AGAIN) => return Ok(None),
            Ok(Received::Closed) | Err(_) => return Err(SpawnError::Gone),
        };
        let fd = fds.pop();
        if !fds.is_empty() {
            return Err(SpawnError::Unexpected);
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
            // A packet of a newer guest, which an older spawn can ignore.
            (Ok(ToSpawn::Started), None) | (Err(PacketError::Unknown(_)), _) => Ok(None),
            (Ok(ToSpawn::Notice(text)), None) => {
                self.notice(&text);
                Ok(None)
            }
            (Ok(ToSpawn::Ended(outcome)), None) => Ok(Some(outcome)),
            (Ok(ToSpawn::Failed(text)), None) => Err(SpawnError::NotStarted(text)),
            (Ok(ToSpawn::NotFound(text)), None) => {
                message::print(&text);
                Ok(Some(Outcome::Exited(NOT_FOUND)))
            }
            _ => Err(SpawnError::Unexpected),
        }
    }

    /// Shows a notice on the terminal, behind output that is not written yet. Without a terminal the notice is dropped:
    /// data streams stay clean.
    fn notice(&mut self, text: &str) {
        match &mut self.terminal {
            Some(Screen { master: Some(_), display, .. }) => display.append(message::line(text, true).as_bytes()),
            Some(_) => message::print(text),
            None => {}
        }
    }

    /// Takes the master that the guest sent, if it is one, and prepares both terminals for copying.
    fn adopt(&mut self, master: OwnedFd) -> Result<(), SpawnError> {
        let Some(screen) = &mut self.terminal else {
            return Err(SpawnError::UnrequestedTerminal);
        };
        if screen.master.is_some() || ptsname(&master, Vec::new()).is_err() {
            return Err(SpawnError::NoTerminal);
        }
        let prepared = screen
            .modes
            .raw()
            .set(stdio::stdin())
            .and_then(|()| Ok(rustix::io::ioctl_fionbio(&master, true)?))
            .and_then(|()| Ok(rustix::io::ioctl_fionbio(stdio::stdin(), true)?))
            .and_then(|()| Ok(rustix::io::ioctl_fionbio(stdio::stdout(), true)?));
        prepared.map_err(SpawnError::Terminal)?;
        screen.master = Some(master);
        // The size may have changed since the first packet.
        self.resize();
        Ok(())
    }

    fn resize(&self) {
        if let Some(Screen { master: Some(master), .. }) = &self.terminal {
            let _ = terminal::copy_size(stdio::stdin(), master);
        }
    }
}

/// Reads the modes of sshd's terminal.
fn screen() -> Result<Screen, SpawnError> {
    let modes = Modes::of(stdio::stdin()).map_err(SpawnError::TerminalModes)?;
    Ok(Screen { modes, master: None, keyboard: Flow::new(Between::Terminals), display: Flow::new(Between::Terminals) })
}

/// Lets any user open the pipe by name. sshd's pipes belong to our uid with mode 0600, so `echo x > /dev/stderr`
/// would fail for the container's uid. Only processes that see the process's descriptors can name the pipe.
fn widen(fd: BorrowedFd<'_>) {
    if fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo) {
        let _ = fchmod(fd, Mode::from_raw_mode(0o666));
    }
}

/// Replaces stdin and stdout by /dev/null, so that end of file and SIGPIPE go between sshd and the process alone.
/// stderr stays open, for a final message.
fn close_streams() -> Result<(), Errno> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    stdio::dup2_stdin(&null)?;
    stdio::dup2_stdout(&null)
}
