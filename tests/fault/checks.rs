//! What has to hold when something has been broken under a round's sessions.

use crate::{
    fault::{Fault, Toll},
    host::eventually,
    round::{Moment, Round, Session},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How soon the broker's counts have to be right.
const COUNTED: Duration = Duration::from_secs(2);

impl Round<'_> {
    /// How many of session `number` may be lost.
    fn may_lose(&self, number: usize) -> usize {
        let all = self.sessions[number].connections.len();
        let coming = matches!(self.when, Moment::Coming(_));
        match self.fault.toll() {
            Toll::All => all,
            Toll::Session if number == 0 => all,
            // A login in progress meets what befell the creation.
            _ if coming && self.fault.refuses() => all,
            // A creation whose row is gone has nowhere to note what it made.
            _ if coming && self.fault == Fault::LostRow && number == 0 => all,
            Toll::One if number == 0 => 1,
            _ => 0,
        }
    }

    /// Counts those that have ended as they should not, and holds them against the fault's toll.
    pub(crate) fn check_losses(&mut self) {
        for number in 0..self.sessions.len() {
            let may_lose = self.may_lose(number);
            let session = &mut self.sessions[number];
            let mut complaints: Vec<String> = Vec::new();
            for connection in &mut session.connections {
                if connection.ended().is_some()
                    && let Err(complaint) = connection.good_end()
                {
                    complaints.push(complaint);
                }
            }
            session.lost = complaints.len();
            if complaints.len() > may_lose {
                self.wrong.push(format!(
                    "{} lost, at most {may_lose} may be: {}",
                    complaints.len(),
                    complaints.join(" | ")
                ));
            }
        }
    }

    /// Waits until those have ended that a fault must end: what its victim was in cannot go on.
    pub(crate) fn wait_for_losses(&mut self) {
        let (fault, coming) = (self.fault, matches!(self.when, Moment::Coming(_)));
        if coming || !matches!(fault.toll(), Toll::One | Toll::Session) {
            // What cannot be foreseen needs its moment too.
            return thread::sleep(Duration::from_millis(if fault.toll() == Toll::None { 0 } else { 1000 }));
        }
        let must = |session: &mut Session| {
            let ended = session.connections.iter_mut().filter_map(|one| one.ended().map(|_| ())).count();
            let transfers = session.connections.iter().any(|one| one.kind.is_transfer());
            match fault.toll() {
                Toll::Session => ended == session.connections.len(),
                // A transfer may have been over in time.
                _ => ended > 0 || transfers,
            }
        };
        let session = &mut self.sessions[0];
        let over = eventually(Duration::from_secs(20), || {
            if must(session) {
                Ok(())
            } else {
                Err(format!("{fault:?} has ended no connection of {}", session.user.name))
            }
        });
        self.note(over);
    }

    /// The broker's counts are what is real within [`COUNTED`].
    pub(crate) fn check_counts(&mut self) {
        let mut asked: Option<Instant> = None;
        loop {
            let before = self.alive();
            let sessions = self.host.sessions();
            // From the first answer: until then no client could be notified.
            let began = *asked.get_or_insert_with(Instant::now);
            let complaint = match sessions {
                Err(error) => error,
                Ok(sessions) => {
                    let count = |session: &Session| {
                        let own = sessions.iter().filter(|one| one.user == session.user.name);
                        own.map(|one| one.connections).sum::<u64>()
                    };
                    let counts: Vec<u64> = self.sessions.iter().map(count).collect();
                    // A transfer may have ended between the two looks.
                    if counts == before || counts == self.alive() {
                        return;
                    }
                    format!("the broker counts {counts:?}, alive are {before:?}")
                }
            };
            if began.elapsed() > COUNTED {
                return self.wrong.push(complaint);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn alive(&mut self) -> Vec<u64> {
        let count = |session: &mut Session| {
            session.connections.iter_mut().filter_map(|one| one.ended().is_none().then_some(1)).sum()
        };
        self.sessions.iter_mut().map(count).collect()
    }

    /// Every connection that is left proves that it works, within the fault's toll.
    pub(crate) fn prove(&mut self) {
        for number in 0..self.sessions.len() {
            let may_lose = self.may_lose(number);
            let session = &mut self.sessions[number];
            let mut complaints = Vec::new();
            for connection in &mut session.connections {
                if connection.ended().is_none()
                    && let Err(complaint) = connection.prove()
                {
                    complaints.push(complaint);
                }
            }
            if complaints.len() + session.lost > may_lose {
                self.wrong.append(&mut complaints);
            }
        }
    }

    /// Everything ends, and nothing is left.
    pub(crate) fn check_end(&mut self) {
        let ended = self.host.end_all().and_then(|()| match self.fault {
            // What was written after the copy that was put back is recorded twice or never.
            Fault::TruncatedState | Fault::GarbageState | Fault::LostRow => self.host.forgive_audit(),
            _ => self.host.audited(0),
        });
        self.note(ended);
        if !self.wrong.is_empty() {
            let projects: Vec<&str> = self.sessions.iter().map(|session| session.project.unwrap_or("-")).collect();
            self.wrong.insert(0, format!("{:?} at {:?} in {projects:?}", self.fault, self.when));
            self.sessions.clear();
            self.host.heal();
        }
    }
}
