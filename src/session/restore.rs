//! Restoring the sessions of the store when the broker starts.

use super::{
    Rules, Sessions,
    clock::now,
    engine_side::EngineSide,
    guest_side::GuestSide,
    lifecycle::Lifecycle,
    live_session::{Origin, Session},
};
use crate::{
    domain::SessionKey,
    engine::Engine,
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
        let abandoned = row.grace_since.unwrap_or_else(now);
        let lifecycle = Lifecycle::restored(row.state, row.container_id.is_some(), abandoned);
        let (id, key, image) = (row.id, row.key, row.image.to_string());
        let init = row.init_pid.and_then(|pid| u32::try_from(pid).ok());
        let session = Rc::new(Session::new(
            Origin { id, key, image, uid: row.uid, created: row.created_at },
            rules,
            lifecycle,
            EngineSide::restored(row.container_name, row.container_id, row.network_id, init),
            GuestSide::restored(row.protocol),
        ));
        self.0.registry.insert(&session);
        if !session.is_running() {
            if let Err(error) = self.record_destroy(&session, "the broker ended while it was made") {
                tracing::debug!(%error, session = %session.id, "recording that the session ends");
            }
            return self.finish_destroying(&session);
        }
        self.arm(&session);
        let link = self.listen(&session);
        crash::point("restore.listening");
        match (link, row.init_pid) {
            (Ok(link), Some(pid)) => {
                link.expect(pid);
                self.watch_absence(&session);
            }
            (Ok(_), None) => self.watch_absence(&session),
            (Err(error), _) => tracing::debug!(%error, session = %session.id, "listening for a guest again"),
        }
    }
}
