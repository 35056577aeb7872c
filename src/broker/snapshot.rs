//! Numbers of sessions, by state.

use crate::{
    domain::State,
    protocol::varlink::{SessionInfo, SnapshotReply},
};

/// The numbers of `sessions` at the time `now`. Containers are not counted here: the engine knows them.
pub(super) fn count(sessions: &[SessionInfo], now: i64) -> SnapshotReply {
    let of = |state| number(sessions.iter().filter(|session| session.state == state).count());
    let oldest = sessions.iter().map(|session| session.created).min();
    SnapshotReply {
        sessions: number(sessions.len()),
        creating: of(State::Creating),
        running: of(State::Running),
        grace: of(State::Grace),
        destroying: of(State::Destroying),
        connections: sessions.iter().fold(0, |sum, session| sum.saturating_add(session.connections)),
        containers: None,
        oldest_seconds: oldest.map(|created| u64::try_from(now.saturating_sub(created)).unwrap_or(0)),
    }
}

pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Mode, SessionId};

    fn session(state: State, created: i64, connections: u32) -> SessionInfo {
        SessionInfo {
            id: SessionId::from_bits(1),
            container: "podspawn-alice".parse().unwrap(),
            user: "alice".parse().unwrap(),
            project: None,
            state,
            connections,
            uid: Some(65_536),
            created,
            image: "debian:12".into(),
            mode: Mode::GracePeriod,
            lifetime: None,
            abandoned: None,
            ends: None,
        }
    }

    #[test]
    fn sessions_are_counted_by_state_and_the_oldest_is_found() {
        let sessions = [
            session(State::Running, 900, 2),
            session(State::Running, 700, 1),
            session(State::Grace, 800, 0),
            session(State::Creating, 1000, 0),
            session(State::Destroying, 950, 0),
        ];
        let reply = count(&sessions, 1000);
        assert_eq!((reply.sessions, reply.running, reply.grace), (5, 2, 1));
        assert_eq!((reply.creating, reply.destroying, reply.connections), (1, 1, 3));
        assert_eq!((reply.oldest_seconds, reply.containers), (Some(300), None));
        assert_eq!(count(&[], 1000), SnapshotReply::default());
        assert_eq!(count(&[session(State::Running, 2000, 1)], 1000).oldest_seconds, Some(0), "a clock that was set");
    }
}
