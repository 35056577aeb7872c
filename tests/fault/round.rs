//! One round: users log in, something breaks, and every connection that could go on has to; then nothing may be left.

use crate::{
    bench::User,
    connection::{Connection, Kind},
    fault::Fault,
    host::Host,
    random::Random,
};
use rustix::process::Signal;
use std::{thread, time::Duration};

/// The projects that a session may be of, [`crate::host`] says what each means; `None` is the server's own settings.
const PROJECTS: [Option<&str>; 5] = [None, Some("brief"), Some("once"), Some("ttl"), Some("named")];

/// When something breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// So many milliseconds after the first of them knocked.
    Coming(u64),
    /// So many after the last was in.
    In(u64),
    /// So many after they were ordered to leave.
    Leaving(u64),
}

pub(crate) struct Session {
    pub(crate) user: User<'static>,
    pub(crate) project: Option<&'static str>,
    pub(crate) connections: Vec<Connection>,
    /// Connections that ended otherwise than they should.
    pub(crate) lost: usize,
}

/// Runs the round of this seed. What is wrong is returned, a line each.
pub(crate) fn run(host: &Host, seed: u64, forced: Option<Fault>) -> Vec<String> {
    let mut random = Random::new(seed);
    let fault = forced.unwrap_or_else(|| draw(&mut random));
    let when = match random.below(10) {
        0..3 => Moment::Coming(random.below(1500)),
        3..8 => Moment::In(random.below(400)),
        _ => Moment::Leaving(random.below(300)),
    };
    let pause = 0.3 + f64::from(u32::try_from(random.below(1200)).unwrap()) / 1000.0;
    let plans: Vec<(Option<&str>, Vec<Kind>)> = (0..2 + random.below(2))
        .map(|_| {
            let project = random.pick(&PROJECTS);
            (project, (0..=random.below(3)).map(|_| random.pick(&Kind::ALL)).collect())
        })
        .collect();
    let mut round = Round { host, fault, when, pause, random, sessions: Vec::new(), wrong: Vec::new() };
    round.announce(seed, &plans);
    round.play(&plans);
    round.wrong
}

fn draw(random: &mut Random) -> Fault {
    let mut lot = random.below(Fault::all().iter().map(|fault| fault.weight()).sum());
    for fault in Fault::all() {
        if lot < fault.weight() {
            return *fault;
        }
        lot -= fault.weight();
    }
    unreachable!("a lot beyond the sum of all weights")
}

pub(crate) struct Round<'a> {
    pub(crate) host: &'a Host,
    pub(crate) fault: Fault,
    pub(crate) when: Moment,
    pause: f64,
    random: Random,
    pub(crate) sessions: Vec<Session>,
    pub(crate) wrong: Vec<String>,
}

impl Round<'_> {
    fn announce(&self, seed: u64, plans: &[(Option<&str>, Vec<Kind>)]) {
        let plans: Vec<String> =
            plans.iter().map(|(project, kinds)| format!("{}:{kinds:?}", project.unwrap_or("-"))).collect();
        println!("seed {seed}: {:?} at {:?}, {}", self.fault, self.when, plans.join(" "));
    }

    fn play(&mut self, plans: &[(Option<&'static str>, Vec<Kind>)]) {
        for (project, kinds) in plans {
            let user = self.host.user();
            let connections =
                kinds.iter().map(|kind| Connection::begin(&user, *project, *kind, &mut self.random)).collect();
            self.sessions.push(Session { user, project: *project, connections, lost: 0 });
        }
        if let Moment::Coming(after) = self.when {
            self.strike(after);
        }
        self.all(Connection::settle);
        if let Moment::In(after) = self.when {
            self.check_losses();
            self.strike(after);
        }
        if let Moment::Leaving(after) = self.when {
            self.check_losses();
            self.each(Connection::leave);
            self.strike(after);
        } else {
            self.wait_for_losses();
            self.check_counts();
            self.prove();
            self.each(Connection::leave);
        }
        if self.fault != Fault::PowerCut {
            self.all(Connection::settle_end);
        }
        self.check_losses();
        self.check_end();
    }

    /// Breaks it, sees what a new user meets meanwhile, and mends it.
    fn strike(&mut self, after: u64) {
        thread::sleep(Duration::from_millis(after));
        let chosen = self.sessions[0].user.name.clone();
        let (host, fault, pause) = (self.host, self.fault, self.pause);
        if matches!(fault, Fault::KillClient | Fault::FreezeClient) {
            let client = &mut self.sessions[0].connections[0];
            if fault == Fault::KillClient {
                return client.signal(Signal::KILL);
            }
            client.signal(Signal::STOP);
            thread::sleep(Duration::from_secs_f64(pause));
            return client.signal(Signal::CONT);
        }
        let mut meanwhile = thread::scope(|scope| {
            let striking = scope.spawn(|| fault.strike(host, &chosen, pause));
            if !fault.is_freeze() {
                striking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
            Connection::begin(&host.user(), None, Kind::Idle, &mut self.random)
        });
        if fault == Fault::PowerCut {
            // The clients get no notice.
            self.each(|connection| connection.signal(Signal::KILL));
        }
        let settled = meanwhile.settle();
        self.note(settled);
        self.part(meanwhile, fault.is_lasting());
        if fault.is_lasting() {
            fault.mend(host);
            let mut afterwards = Connection::begin(&host.user(), None, Kind::Idle, &mut self.random);
            let settled = afterwards.settle();
            self.note(settled);
            self.part(afterwards, false);
        }
    }

    /// Ends a login beside the others: it has worked, or was refused in one clear line where that may be.
    fn part(&mut self, mut connection: Connection, may_be_refused: bool) {
        if let Some(ended) = connection.ended().cloned() {
            let clear = ended.code == 255 && ended.said.starts_with("podspawn: ") && ended.said.lines().count() == 1;
            if !(may_be_refused && clear) {
                self.wrong.push(connection.complaint("a login meanwhile or afterwards"));
            }
            return;
        }
        connection.leave();
        let ended = connection.settle_end().and_then(|()| connection.good_end());
        self.note(ended);
    }

    pub(crate) fn note(&mut self, result: Result<(), String>) {
        self.wrong.extend(result.err());
    }

    fn each(&mut self, mut act: impl FnMut(&mut Connection)) {
        self.sessions.iter_mut().flat_map(|session| &mut session.connections).for_each(&mut act);
    }

    fn all(&mut self, mut act: impl FnMut(&mut Connection) -> Result<(), String>) {
        let connections = self.sessions.iter_mut().flat_map(|session| &mut session.connections);
        let wrong: Vec<String> = connections.filter_map(|connection| act(connection).err()).collect();
        self.wrong.extend(wrong);
    }
}
