//! What is so at this moment, beside what is counted: looked up when somebody asks.
//!
//! Nothing here holds up a login: the engine has a deadline, and what goes to a disk does so on another thread, one at a
//! time. What cannot be told is left out, for it is not 0.

use super::{admit::Admission, methods::Broker, methods::count};
use crate::{
    domain::ContainerId,
    engine::Engine,
    measure::{catalog as all, catalog::Gauge, gauge, gauges, seconds, truth},
    openmetrics::float,
    protocol::measurements::{BACKUP_STAMP, Family},
    sys::{clock::unix_seconds, usage},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

/// How long a disk may take to say how full it is; a server that is far away may never.
const DISK: Duration = Duration::from_secs(1);
/// Most users that are named, where that is asked for.
const MAX_USERS: usize = 1000;

/// What is needed to look.
pub(super) struct Looks {
    admission: Admission,
    /// On the disk whose space matters.
    state: PathBuf,
    started: i64,
    /// Where the engine has its data, once it has told.
    engine_root: RefCell<Option<PathBuf>>,
    /// Whether a thread looks at the disks.
    busy: Arc<AtomicBool>,
}

impl Looks {
    pub(super) fn new(admission: Admission, state: PathBuf) -> Self {
        let (engine_root, busy) = (RefCell::default(), Arc::default());
        Self { admission, state, started: unix_seconds(), engine_root, busy }
    }
}

/// What a thread finds.
#[derive(Default)]
struct OnDisk {
    spaces: Vec<(&'static str, usage::Space)>,
    containers: Option<u64>,
    backup: Option<i64>,
}

impl<E: Engine + 'static> Broker<E> {
    /// Everything that is measured. The engine may take so long, and again.
    pub(super) async fn look(&self, patience: Duration) -> Vec<Family> {
        let containers = timeout(patience, self.sessions.containers()).await.ok().and_then(Result::ok);
        if containers.is_some() {
            self.find_engine_root(patience).await;
        }
        let ids = containers.as_ref().map(|found| found.iter().map(|one| one.id.clone()).collect());
        let on_disk = self.look_at_disks(ids).await.unwrap_or_default();

        let now = unix_seconds();
        let sessions = self.sessions.list(None);
        let snapshot = count(&sessions, now);
        let config = { self.settings.borrow().current() };
        let valid = self.settings.borrow().problems().is_empty();
        let mut families = vec![
            gauge(&all::SESSIONS, f64::from(snapshot.sessions)),
            gauge(&all::RUNNING, f64::from(snapshot.running)),
            gauge(&all::GRACE, f64::from(snapshot.grace)),
            gauge(&all::CONNECTIONS, f64::from(snapshot.connections)),
            // Without any session there is none that is old.
            gauge(&all::OLDEST, float(snapshot.oldest_seconds.unwrap_or(0))),
            gauge(&all::SESSIONS_LIMIT, f64::from(config.config.resources.max_containers)),
            gauge(&all::SUBNETS_USED, f64::from(snapshot.sessions)),
            gauge(&all::SUBNETS, f64::from(config.config.network.capacity())),
            gauge(&all::CONFIG_OK, truth(valid)),
            gauge(&all::MEASURED, seconds(now)),
            gauge(&all::STARTED, seconds(self.looks.started)),
            gauge(&all::BROKER_CONNECTIONS, f64::from(self.looks.admission.connections())),
            gauges(&all::BUILD, [(env!("CARGO_PKG_VERSION"), 1.0)]),
        ];
        let mut known = |of: &Gauge, value: Option<f64>| families.extend(value.map(|value| gauge(of, value)));
        known(&all::CONTAINERS, containers.as_ref().map(|found| float(found.len() as u64)));
        known(&all::ENGINE_UP, Some(truth(containers.is_some())));
        known(&all::BROKER_MEMORY, usage::own_memory().ok().map(float));
        known(&all::CONTAINER_MEMORY, on_disk.containers.map(float));
        known(&all::LAST_BACKUP, on_disk.backup.map(seconds));
        families.push(gauges(&all::DISK_FREE, on_disk.spaces.iter().map(|(of, space)| (*of, float(space.available)))));
        families.push(gauges(&all::DISK_SIZE, on_disk.spaces.iter().map(|(of, space)| (*of, float(space.size)))));
        if config.config.metrics.per_user {
            let mut users: BTreeMap<String, (u32, u32)> = BTreeMap::new();
            for one in &sessions {
                let of_user = users.entry(one.key.user.to_string()).or_default();
                of_user.0 += 1;
                of_user.1 += u32::try_from(one.connections).unwrap_or(u32::MAX);
            }
            let first = || users.iter().take(MAX_USERS);
            families.push(gauges(
                &all::USER_SESSIONS,
                first().map(|(user, (sessions, _))| (user.clone(), f64::from(*sessions))),
            ));
            families.push(gauges(
                &all::USER_CONNECTIONS,
                first().map(|(user, (_, open))| (user.clone(), f64::from(*open))),
            ));
        }
        families.extend(self.measures.families());
        families
    }

    /// Asks the engine once where its data are.
    async fn find_engine_root(&self, patience: Duration) {
        if self.looks.engine_root.borrow().is_none()
            && let Ok(Ok(info)) = timeout(patience, self.sessions.engine_info()).await
        {
            let root = Some(PathBuf::from(info.data_root)).filter(|root| root.is_absolute());
            self.looks.engine_root.replace(Some(root.unwrap_or_default()));
        }
    }

    /// `None` if they are being looked at still, since somebody asked before.
    async fn look_at_disks(&self, containers: Option<Vec<ContainerId>>) -> Option<OnDisk> {
        let busy = Arc::clone(&self.looks.busy);
        if busy.swap(true, Ordering::AcqRel) {
            return None;
        }
        let state = self.looks.state.clone();
        let engine = self.looks.engine_root.borrow().clone().filter(|root| root.is_absolute());
        let looking = tokio::task::spawn_blocking(move || {
            let found = on_disk(&state, engine.as_deref(), containers.as_deref());
            busy.store(false, Ordering::Release);
            found
        });
        timeout(DISK, looking).await.ok()?.ok()
    }
}

fn on_disk(state: &Path, engine: Option<&Path>, containers: Option<&[ContainerId]>) -> OnDisk {
    let places = [("state", Some(state)), ("engine", engine)];
    let spaces = places.into_iter().filter_map(|(of, path)| Some((of, usage::space(path?).ok()?)));
    OnDisk {
        spaces: spaces.collect(),
        containers: containers.and_then(memory),
        backup: usage::written(Path::new(BACKUP_STAMP)).ok(),
    }
}

/// The memory of all of them; `None` where none has a group to be found, though there are some.
fn memory(containers: &[ContainerId]) -> Option<u64> {
    // One that has ended has no group any more.
    let found: Vec<u64> = containers.iter().filter_map(|id| usage::container_memory(id.as_ref())).collect();
    (containers.is_empty() || !found.is_empty()).then(|| found.iter().sum())
}
