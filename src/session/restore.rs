//! Bringing back the sessions of the store when the broker starts.

use super::{
    Rules, Sessions,
    entry::{Origin, Phase, Session},
};
use crate::{
    domain::{SessionKey, State},
    engine::Engine,
    protocol::guest::CHANNELS_WRITTEN,
    store::{BadRow, SessionRow, StoreError},
    sys::crash,
};
use std::rc::Rc;

impl<E: Engine + 'static> Sessions<E> {
    /// Re-opens the sockets of every session that runs and finishes what a crash interrupted.
    ///
    /// When it returns every guest can connect; nothing was asked of the engine yet. Rows that cannot be read are
    /// left alone and returned.
    pub fn restore(&self, rules: impl Fn(&SessionKey) -> Rules) -> Result<Vec<BadRow>, StoreError> {
        let rows = self.0.store.all()?;
        for row in rows.rows {
            crash::point("restore.row-found");
            let rules = Rules { mode: row.mode, ..rules(&row.key) };
            self.restore_row(row, rules);
        }
        Ok(rows.unreadable)
    }

    fn restore_row(&self, row: SessionRow, rules: Rules) {
        let live = matches!(row.state, State::Running | State::Grace) && row.container_id.is_some();
        let phase = if live { Phase::Running } else { Phase::Destroying };
        let session = Rc::new(Session::new(
            row.id,
            row.key.clone(),
            row.container_name,
            Origin { image: row.image.to_string(), uid: row.uid, created: row.created_at },
            rules,
            phase,
        ));
        *session.container.borrow_mut() = row.container_id;
        *session.network.borrow_mut() = row.network_id;
        session.protocol.set(row.protocol);
        session.inherits.set(row.protocol.is_some_and(|protocol| protocol < CHANNELS_WRITTEN));
        self.0.live.borrow_mut().insert(row.key, Rc::clone(&session));
        session.destroy_recorded.set(row.state == State::Destroying);
        if !live {
            if let Err(error) = self.record_destroy(&session, "the broker ended while it was made") {
                tracing::debug!(%error, session = %session.id, "writing that the session ends");
            }
            return self.finish_destroying(&session);
        }
        if row.state == State::Grace {
            session.abandoned.set(Some(row.grace_since.unwrap_or_else(super::now)));
        }
        session.init.set(row.init_pid.and_then(|pid| u32::try_from(pid).ok()));
        self.arm(&session);
        let link = self.listen(&session);
        crash::point("restore.listening");
        match (link, row.init_pid) {
            (Ok(link), Some(pid)) => {
                link.expect(pid);
                self.look_after(&session);
            }
            (Ok(_), None) => self.look_after(&session),
            (Err(error), _) => tracing::debug!(%error, session = %session.id, "listening for a guest again"),
        }
    }
}
