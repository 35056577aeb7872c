//! The condition of sessions and of their resources, for `podspawn doctor`. Nothing is changed and nothing is concluded.

use super::{Capacity, HostAccounts, Sessions, subnets::Subnets};
use crate::{
    audit::AuditError,
    domain::{ImageRef, Removed, SessionKey, UidRange},
    engine::{Engine, EngineError, EngineInfo},
    protocol::varlink::{PoolUse, UidConflict},
};
use std::{io, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How long the engine may take for all answers. Answers that come later are reported as missing.
const ENGINE: Duration = Duration::from_secs(5);

/// The findings.
#[derive(Debug)]
pub struct Diagnosis {
    /// The engine and its version.
    pub engine: Result<EngineInfo, EngineError>,
    /// What a sweep would remove beside sessions that are due.
    pub orphans: Result<Vec<Removed>, EngineError>,
    /// Containers and networks with podspawn's label that podspawn did not make; a sweep leaves them alone.
    pub foreign: Vec<String>,
    /// Whether the engine has each image. Images of which it did not answer are left out.
    pub images: Vec<(ImageRef, bool)>,
    /// The pool of networks.
    pub pool: Result<PoolUse, String>,
    /// Sessions with a container that should run.
    pub running: usize,
    /// Those of them whose guest is not connected.
    pub silent: Vec<String>,
    /// The ids that users have inside containers.
    pub uids: UidUse,
    /// The error, if the audit log cannot be written.
    pub audit: Option<Arc<AuditError>>,
}

/// The ids that users have inside containers.
#[derive(Debug, Default)]
pub struct UidUse {
    /// How many are allotted.
    pub allotted: usize,
    /// Whether another user could have one.
    pub has_free: bool,
    /// Sessions whose container is from before users had ids of their own.
    pub shared: Vec<SessionKey>,
    /// Sessions whose user's id an account of the host has got.
    pub conflicts: Vec<UidConflict>,
}

impl<E: Engine + 'static> Sessions<E> {
    /// Examines sessions, engine and pool. The engine is asked once for each image.
    pub async fn diagnose(&self, capacity: &Capacity, range: UidRange, images: &[ImageRef]) -> Diagnosis {
        let end = Instant::now() + ENGINE;
        let engine = timeout_at(end, self.0.engine.info()).await.unwrap_or_else(|_| Err(late()));
        let orphans = timeout_at(end, self.orphans()).await.unwrap_or_else(|_| Err(late()));
        let foreign = timeout_at(end, self.inventory().foreign()).await.ok().and_then(Result::ok).unwrap_or_default();
        let mut found = Vec::new();
        for image in images.iter().filter(|_| engine.is_ok()) {
            match timeout_at(end, self.0.engine.has_image(image)).await {
                Ok(Ok(present)) => found.push((image.clone(), present)),
                Ok(Err(_)) => {}
                Err(_) => break,
            }
        }
        let running = self.0.registry.running();
        let silent = running.iter().filter(|one| !one.guest.is_up()).map(|one| one.key.to_string()).collect();
        Diagnosis {
            engine,
            orphans,
            foreign,
            images: found,
            pool: self.pool_use(capacity),
            running: running.len(),
            silent,
            uids: self.uid_use(range, capacity.accounts).await,
            audit: self.0.audit_queue.borrow_mut().failing(&self.0.store),
        }
    }

    /// Unknown values are left out: the checks of the state and of the accounts report the error.
    async fn uid_use(&self, range: UidRange, accounts: HostAccounts) -> UidUse {
        let taken = self.0.store.taken_uids().unwrap_or_default();
        let sessions: Vec<(SessionKey, Option<u32>)> =
            self.0.registry.all().iter().map(|session| (session.key.clone(), session.uid)).collect();
        let shared = sessions.iter().filter(|(_, uid)| uid.is_none()).map(|(key, _)| key.clone()).collect();
        let allotted = taken.len();
        let look = tokio::task::spawn_blocking(move || {
            let held = |(key, uid): (SessionKey, Option<u32>)| {
                let uid = uid?;
                Some(UidConflict { session: key.to_string(), uid, holder: (accounts.holder)(uid)? })
            };
            let conflicts = sessions.into_iter().filter_map(held).collect();
            (conflicts, matches!((accounts.allot)(None, range, taken), Ok(Some(_)) | Err(_)))
        });
        let (conflicts, has_free) = look.await.unwrap_or_default();
        UidUse { allotted, has_free, shared, conflicts }
    }

    fn pool_use(&self, capacity: &Capacity) -> Result<PoolUse, String> {
        let Subnets { pool, avoid } =
            Subnets::of(capacity.pool, (capacity.routes)()).map_err(|error| error.for_user())?;
        let used = self.0.store.count().map_err(|error| error.to_string())?;
        // Routes within one another are counted twice; there may be thousands, and the pool is not gone through for each.
        let routed = avoid.iter().fold(0_u32, |sum, route| sum.saturating_add(pool.within(*route)));
        let subnets = pool.capacity();
        Ok(PoolUse { network: pool.network(), subnets, routed: routed.min(subnets), used })
    }
}

fn late() -> EngineError {
    EngineError::Unreachable(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
}
