//! The loop: signals, the broker, the channels, their agents, and what has to end.

use super::{
    broker::Broker,
    channel::{self, Channel, Client, MAX_UNREAD, Started, State},
    config::GuestConfig,
    hanging_up::HangingUp,
    identity,
    idle::Idle,
    packets::{self, Incoming},
    refusal::Refusal,
};
use crate::{
    domain::{ChannelId, Outcome, UserName, text::one_line},
    protocol::guest::{FromBroker, FromGuest, FromSpawn, MAX_CHANNELS, MAX_NOTICE_BYTES, Open, ToSpawn},
    sys::{idle, signalfd::SignalFd},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    process::{Pid, Signal, WaitOptions},
};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

/// How long processes may take to end when the container stops; engines kill after 10 s by default.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// How often children are looked at where the process is not PID 1 (SIGCHLD may go to another thread).
const TICK: Duration = Duration::from_millis(10);
/// Names whose home was seen to. A container has one user; more are remembered up to this many.
const MAX_NAMES: usize = 64;

/// What can become ready.
#[derive(Clone, Copy)]
enum Source {
    Signals,
    Broker,
    Channel(ChannelId),
    Agent(ChannelId),
}

/// The guest.
pub(super) struct Supervisor {
    config: GuestConfig,
    signals: SignalFd,
    broker: Broker,
    channels: Vec<Channel>,
    idle: Idle,
    hanging_up: HangingUp,
    /// The users who have logged in before, and the uids that processes may still have.
    known: Vec<UserName>,
    uids: Vec<u32>,
    /// Counts logins, for names.
    logins: u64,
    /// Set once the container is being stopped.
    stop_at: Option<Instant>,
}

impl Supervisor {
    pub(super) fn new(config: GuestConfig) -> io::Result<Self> {
        // SIGRTMIN+3 is how systemd-like engines stop an init.
        let signals = SignalFd::new(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGRTMIN() + 3])?;
        let (broker, idle) = (Broker::new(config.socket.clone()), Idle::new(&config.root, Instant::now()));
        let (channels, hanging_up, known, uids) = (Vec::new(), HangingUp::default(), Vec::new(), vec![0]);
        Ok(Self { config, signals, broker, channels, idle, hanging_up, known, uids, logins: 0, stop_at: None })
    }

    /// Runs until the container is stopped.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut only_looked = false;
        loop {
            self.broker.connect(|| self.channels.iter().map(|channel| channel.id).collect());
            let ready = self.wait(only_looked)?;
            only_looked = ready.is_empty() && self.idle.is_due(Instant::now());
            for (source, flags) in ready {
                match source {
                    Source::Signals => self.on_signals(),
                    Source::Broker => self.on_broker(flags),
                    Source::Channel(id) => self.on_channel(id),
                    Source::Agent(id) => self.on_agent(id),
                }
            }
            let has_children = self.reap();
            self.hanging_up.kill_expired(Instant::now());
            if let Some(seconds) = self.idle.look(Instant::now()) {
                self.broker.send(&FromGuest::Idle { seconds });
            }
            if self.stop_at.is_some_and(|at| !has_children || at <= Instant::now()) {
                return Ok(());
            }
        }
    }

    /// Waits for something to be ready or due. `again` if nothing was, but for a look at the channels.
    fn wait(&self, again: bool) -> io::Result<Vec<(Source, PollFlags)>> {
        let mut sources = vec![Source::Signals];
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        if let Some(fd) = self.broker.fd() {
            let out = if self.broker.wants_to_send() { PollFlags::OUT } else { PollFlags::empty() };
            sources.push(Source::Broker);
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN | out));
        }
        for channel in &self.channels {
            sources.push(Source::Channel(channel.id));
            fds.push(PollFd::new(&channel.socket, PollFlags::IN));
            if let State::Running { agent: Some(agent), .. } = &channel.state {
                sources.push(Source::Agent(channel.id));
                fds.push(PollFd::new(agent, PollFlags::IN));
            }
        }
        let timeout = self.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let poll = if again { idle::poll_again } else { idle::poll };
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = sources.into_iter().zip(fds.iter().map(PollFd::revents));
        Ok(ready.filter(|(_, flags)| !flags.is_empty()).collect())
    }

    fn deadline(&self) -> Option<Instant> {
        let tick = if self.config.is_init { None } else { Some(Instant::now() + TICK) };
        let hanging_up = self.hanging_up.deadline().into_iter();
        hanging_up.chain(self.broker.deadline()).chain(self.idle.deadline()).chain(self.stop_at).chain(tick).min()
    }

    fn on_signals(&mut self) {
        while let Ok(Some(signal)) = self.signals.next() {
            if i32::try_from(signal) != Ok(libc::SIGCHLD) && self.stop_at.is_none() {
                self.stop();
            }
        }
    }

    /// Asks all processes to end. The kernel kills the others when PID 1 is gone.
    fn stop(&mut self) {
        self.stop_at = Some(Instant::now() + STOP_GRACE);
        let running = self.channels.iter().filter_map(|channel| match &channel.state {
            State::Running { group, .. } => Some(*group),
            State::Waiting(_) => None,
        });
        for group in running.chain(self.hanging_up.groups()) {
            group.hang_up();
        }
        for &uid in &self.uids {
            identity::signal_everyone(uid, Signal::TERM);
        }
    }

    fn on_broker(&mut self, flags: PollFlags) {
        if !self.broker.is_connected() {
            return self.broker.noticed();
        }
        if flags.contains(PollFlags::OUT) {
            self.broker.flush();
        }
        for _ in 0..packets::MAX_AT_ONCE {
            match self.broker.receive() {
                // What a later broker asked for, an earlier one does not.
                Some((FromBroker::Welcome { protocol: 1 }, _)) => self.idle.set_timeout(0, Instant::now()),
                Some((FromBroker::Welcome { .. }, _)) => {}
                Some((FromBroker::Open(open), fds)) => self.open(open, fds),
                Some((FromBroker::Close { channel: Some(id) }, _)) => self.hang_up(id),
                Some((FromBroker::Close { channel: None }, _)) => self.hang_up_all(),
                // Spawn knows whether its output is a terminal.
                Some((FromBroker::Notice { text }, _)) => self.broadcast(&ToSpawn::Notice(line(&text))),
                Some((FromBroker::IdleTimeout { seconds }, _)) => self.idle.set_timeout(seconds, Instant::now()),
                Some((FromBroker::End { text }, _)) => {
                    self.broadcast(&ToSpawn::Failed(line(&text)));
                    self.hang_up_all();
                }
                None => break,
            }
        }
    }

    /// Sends a message to every client that reads what it is sent.
    fn broadcast(&self, message: &ToSpawn) {
        for channel in self.channels.iter().filter(|channel| packets::unread_by_peer(&channel.socket) < MAX_UNREAD) {
            let _ = packets::send(&channel.socket, message, &[]);
        }
    }

    fn open(&mut self, open: Open, fds: Vec<OwnedFd>) {
        let id = open.channel;
        let known = self.channels.iter().any(|channel| channel.id == id);
        let socket = match <[OwnedFd; 1]>::try_from(fds) {
            Ok([socket]) if packets::is_channel(&socket) => socket,
            _ if known => return,
            // The broker must not count a channel that does not exist.
            _ => return self.broker.send(&FromGuest::Closed { channel: id, outcome: None }),
        };
        if known {
            return;
        }
        let refusal = if self.stop_at.is_some() {
            Some(Refusal::Stopping)
        } else if self.channels.len() >= MAX_CHANNELS {
            Some(Refusal::TooManyChannels)
        } else if !channel::is_acceptable(&open) || rustix::io::ioctl_fionbio(&socket, true).is_err() {
            Some(Refusal::Malformed)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            // A socket that blocks could hold the loop up; one that was just made has room.
            let _ = rustix::io::ioctl_fionbio(&socket, true);
            return self.refuse(id, socket, &refusal);
        }
        self.idle.opened(Instant::now());
        self.channels.push(Channel { id, socket, state: State::Waiting(Box::new(open)) });
        // Spawn has most likely said how already.
        self.on_channel(id);
    }

    fn channel(&self, id: ChannelId) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    fn on_channel(&mut self, id: ChannelId) {
        for _ in 0..packets::MAX_AT_ONCE {
            let Some(channel) = self.channel(id) else { return };
            match (packets::receive::<FromSpawn>(&channel.socket), &channel.state) {
                (Incoming::Nothing, _) => return,
                (Incoming::Unknown, _) => {}
                (Incoming::Message(FromSpawn::Signal(number), fds), state) if fds.is_empty() => {
                    if let (Some(signal), State::Running { group, .. }) = (identity::permitted(number), state) {
                        group.signal(signal);
                    }
                }
                (Incoming::Message(FromSpawn::Start { terminal, agent }, fds), State::Waiting(_)) => {
                    let client = match (terminal, <[OwnedFd; 3]>::try_from(fds)) {
                        (Some(terminal), Err(fds)) if fds.is_empty() => Client::Terminal(Box::new(terminal)),
                        (None, Ok(fds)) => Client::Streams(fds),
                        _ => return self.hang_up(id),
                    };
                    self.start(id, client, agent);
                }
                // Also what brings descriptors that it should not.
                (Incoming::Message(..) | Incoming::Closed | Incoming::Malformed, _) => {
                    return self.hang_up(id);
                }
            }
        }
    }

    fn start(&mut self, id: ChannelId, client: Client, agent: bool) {
        let Some(index) = self.channels.iter().position(|channel| channel.id == id) else { return };
        // The channel is taken out while it has neither a request nor a process.
        let Channel { socket, state, .. } = self.channels.swap_remove(index);
        let State::Waiting(open) = state else { return };
        // Before anything is made for it.
        let client = match client.accept() {
            Ok(client) => client,
            Err(refusal) => return self.refuse(id, socket, &refusal),
        };
        self.logins += 1;
        let first = self.is_first_login(&open.login.name);
        match channel::start(&self.config, *open, client, agent, first, self.logins) {
            Ok(Started { state, master, remark, traffic }) => {
                if let State::Running { group, .. } = &state {
                    // A number that comes again is another group.
                    self.hanging_up.forget(group.leader);
                    if self.uids.len() < MAX_NAMES && !self.uids.contains(&group.uid) {
                        self.uids.push(group.uid);
                    }
                }
                let sent = match &master {
                    Some(master) => packets::send(&socket, &ToSpawn::Master, &[master.as_fd()]),
                    None => packets::send(&socket, &ToSpawn::Started, &[]),
                };
                if let Some(remark) = remark {
                    let _ = packets::send(&socket, &ToSpawn::Notice(remark), &[]);
                }
                self.channels.push(Channel { id, socket, state });
                self.idle.observe(id, traffic);
                if let Err(error) = sent {
                    if let Some(channel) = self.channel(id) {
                        Refusal::HandOver(error).send(&channel.socket);
                    }
                    self.hang_up(id);
                }
            }
            Err(refusal) => self.refuse(id, socket, &refusal),
        }
    }

    fn refuse(&mut self, id: ChannelId, socket: OwnedFd, refusal: &Refusal) {
        refusal.send(&socket);
        packets::close(socket);
        self.broker.send(&FromGuest::Closed { channel: id, outcome: None });
    }

    fn is_first_login(&mut self, name: &UserName) -> bool {
        let first = !self.known.contains(name);
        if first && self.known.len() < MAX_NAMES {
            self.known.push(name.clone());
        }
        first
    }

    fn on_agent(&mut self, id: ChannelId) {
        let works = self.channel(id).is_none_or(Channel::pass_agent_connections);
        if !works
            && let Some(Channel { state: State::Running { agent, .. }, .. }) =
                self.channels.iter_mut().find(|channel| channel.id == id)
        {
            *agent = None;
        }
    }

    fn hang_up_all(&mut self) {
        while let Some(id) = self.channels.first().map(|channel| channel.id) {
            self.hang_up(id);
        }
    }

    /// Forgets the channel, whose client has gone, and ends what ran for it.
    fn hang_up(&mut self, id: ChannelId) {
        let Some(index) = self.channels.iter().position(|channel| channel.id == id) else { return };
        let Channel { id, socket, state } = self.channels.swap_remove(index);
        if let State::Running { group, .. } = &state {
            self.hanging_up.begin(*group, Instant::now());
        }
        drop(state);
        packets::close(socket);
        self.idle.closed(id, Instant::now());
        self.broker.send(&FromGuest::Closed { channel: id, outcome: None });
    }

    /// Collects children that have ended. False if there are none left.
    fn reap(&mut self) -> bool {
        if self.config.is_init {
            loop {
                match rustix::process::wait(WaitOptions::NOHANG) {
                    Ok(Some((pid, status))) => self.on_exit(pid, status.as_raw()),
                    Ok(None) => return true,
                    Err(Errno::INTR) => {}
                    Err(_) => return false,
                }
            }
        }
        let running = self.channels.iter().filter_map(|channel| match &channel.state {
            State::Running { group, .. } => Some(group.leader),
            State::Waiting(_) => None,
        });
        let leaders: Vec<Pid> = running.chain(self.hanging_up.groups().map(|group| group.leader)).collect();
        for leader in &leaders {
            if let Ok(Some((pid, status))) = rustix::process::waitpid(Some(*leader), WaitOptions::NOHANG) {
                self.on_exit(pid, status.as_raw());
            }
        }
        !leaders.is_empty()
    }

    fn on_exit(&mut self, pid: Pid, status: i32) {
        self.hanging_up.forget_ended();
        let ended = self
            .channels
            .iter()
            .position(|channel| matches!(&channel.state, State::Running { group, .. } if group.leader == pid));
        let (Some(index), Some(outcome)) = (ended, Outcome::from_wait_status(status)) else { return };
        let Channel { id, socket, state } = self.channels.swap_remove(index);
        // The agent goes first: once the end is reported, nothing of the channel is left.
        drop(state);
        let _ = packets::send(&socket, &ToSpawn::Ended(outcome), &[]);
        packets::close(socket);
        self.idle.closed(id, Instant::now());
        self.broker.send(&FromGuest::Closed { channel: id, outcome: Some(outcome) });
    }
}

/// A text of the broker as a terminal shows it: one line, which moves no cursor.
fn line(text: &str) -> String {
    one_line(text).chars().take(MAX_NOTICE_BYTES / 4).collect()
}
