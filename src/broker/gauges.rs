//! Gauges: values that are looked up when a caller asks for measurements, beside the counters.
//!
//! Nothing here delays a login: the engine has a deadline, and disks are read on another thread, one lookup at a time. An
//! unknown value is left out, because it is not 0.

use super::{peers::Peers, snapshot::count};
use crate::{
    domain::ContainerId,
    engine::{Engine, product},
    measure::{catalog as all, gauge, gauges, seconds, truth},
    openmetrics::float,
    protocol::{
        measurements::{BACKUP_STAMP, Family},
        varlink::{SessionInfo, SnapshotReply},
    },
    session::Sessions,
    settings::{Live, Settings},
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

/// How long a lookup of disk space may take; a remote file system may never answer.
const DISK: Duration = Duration::from_secs(1);
/// Most users with metrics of their own, where these are enabled.
const MAX_USERS: usize = 1000;

/// The sources of gauges, and answers that do not change.
pub(super) struct GaugeCache {
    peers: Peers,
    /// A path on the disk of the state.
    state: PathBuf,
    started: i64,
    /// The engine's data directory, once the engine has answered; empty if it did not name one.
    engine_root: RefCell<Option<PathBuf>>,
    /// Whether a thread is reading the disks.
    busy: Arc<AtomicBool>,
}

/// The values of one lookup of the disks.
#[derive(Default)]
struct OnDisk {
    spaces: Vec<(&'static str, usage::Space)>,
    containers: Option<u64>,
    backup: Option<i64>,
}

impl GaugeCache {
    pub(super) fn new(peers: Peers, state: PathBuf) -> Self {
        Self { peers, state, started: unix_seconds(), engine_root: RefCell::default(), busy: Arc::default() }
    }

    /// All gauges. Each question to the engine may take `patience`.
    pub(super) async fn read<E: Engine + 'static>(
        &self,
        sessions: &Sessions<E>,
        settings: &RefCell<Live>,
        patience: Duration,
    ) -> Vec<Family> {
        let containers = timeout(patience, sessions.containers()).await.ok().and_then(Result::ok);
        if containers.is_some() {
            self.find_engine_root(sessions, patience).await;
        }
        let ids: Option<Vec<_>> = containers.map(|found| found.into_iter().map(|one| one.id).collect());
        let number = ids.as_ref().map(Vec::len);
        let on_disk = self.read_disks(ids).await.unwrap_or_default();

        let now = unix_seconds();
        let list = sessions.list(None);
        let (config, is_valid) = {
            let settings = settings.borrow();
            (settings.current(), settings.problems().is_empty())
        };
        let mut families = Vec::from(of_sessions(&count(&list, now), &config));
        families.extend(self.of_broker(is_valid, now));
        families.extend(of_engine(number, &on_disk));
        families.extend(on_disk.families());
        if config.config.metrics.per_user {
            families.extend(of_users(&list));
        }
        families
    }

    fn of_broker(&self, is_valid: bool, now: i64) -> [Family; 5] {
        [
            gauge(&all::CONFIG_OK, truth(is_valid)),
            gauge(&all::MEASURED, seconds(now)),
            gauge(&all::STARTED, seconds(self.started)),
            gauge(&all::BROKER_CONNECTIONS, f64::from(self.peers.connections())),
            gauges(&all::BUILD, [(env!("CARGO_PKG_VERSION"), 1.0)]),
        ]
    }

    /// Asks the engine once for its data directory.
    async fn find_engine_root<E: Engine + 'static>(&self, sessions: &Sessions<E>, patience: Duration) {
        if self.engine_root.borrow().is_none()
            && let Ok(Ok(info)) = timeout(patience, sessions.engine_info()).await
        {
            let root = Some(PathBuf::from(info.data_root)).filter(|root| root.is_absolute());
            self.engine_root.replace(Some(root.unwrap_or_default()));
        }
    }

    /// `None` while a lookup of an earlier call still runs.
    async fn read_disks(&self, containers: Option<Vec<ContainerId>>) -> Option<OnDisk> {
        let busy = Arc::clone(&self.busy);
        if busy.swap(true, Ordering::AcqRel) {
            return None;
        }
        let state = self.state.clone();
        let engine = self.engine_root.borrow().clone().filter(|root| root.is_absolute());
        let lookup = tokio::task::spawn_blocking(move || {
            let found = OnDisk::read(&state, engine.as_deref(), containers.as_deref());
            busy.store(false, Ordering::Release);
            found
        });
        timeout(DISK, lookup).await.ok()?.ok()
    }
}

fn of_sessions(snapshot: &SnapshotReply, settings: &Settings) -> [Family; 8] {
    [
        gauge(&all::SESSIONS, f64::from(snapshot.sessions)),
        gauge(&all::RUNNING, f64::from(snapshot.running)),
        gauge(&all::GRACE, f64::from(snapshot.grace)),
        gauge(&all::CONNECTIONS, f64::from(snapshot.connections)),
        // Without a session the oldest age is 0.
        gauge(&all::OLDEST, float(snapshot.oldest_seconds.unwrap_or(0))),
        gauge(&all::SESSIONS_LIMIT, f64::from(settings.config.resources.max_containers)),
        gauge(&all::SUBNETS_USED, f64::from(snapshot.sessions)),
        gauge(&all::SUBNETS, f64::from(settings.config.network.capacity())),
    ]
}

/// The gauges that an engine, a disk or the kernel may leave unknown.
fn of_engine(containers: Option<usize>, on_disk: &OnDisk) -> impl Iterator<Item = Family> {
    [
        (&all::CONTAINERS, containers.map(|number| float(number as u64))),
        (&all::ENGINE_UP, Some(truth(containers.is_some()))),
        (&all::BROKER_MEMORY, usage::own_memory().ok().map(float)),
        (&all::CONTAINER_MEMORY, on_disk.containers.map(float)),
        (&all::LAST_BACKUP, on_disk.backup.map(seconds)),
    ]
    .into_iter()
    .filter_map(|(of, value)| Some(gauge(of, value?)))
}

fn of_users(sessions: &[SessionInfo]) -> [Family; 2] {
    let mut users: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for one in sessions {
        let of_user = users.entry(one.user.to_string()).or_default();
        of_user.0 += 1;
        of_user.1 += one.connections;
    }
    let first = || users.iter().take(MAX_USERS);
    [
        gauges(&all::USER_SESSIONS, first().map(|(user, (sessions, _))| (user.clone(), f64::from(*sessions)))),
        gauges(&all::USER_CONNECTIONS, first().map(|(user, (_, open))| (user.clone(), f64::from(*open)))),
    ]
}

impl OnDisk {
    fn read(state: &Path, engine: Option<&Path>, containers: Option<&[ContainerId]>) -> Self {
        let places = [("state", Some(state)), ("engine", engine)];
        let spaces = places.into_iter().filter_map(|(of, path)| Some((of, usage::space(path?).ok()?)));
        Self {
            spaces: spaces.collect(),
            containers: containers.and_then(memory),
            backup: usage::written(Path::new(BACKUP_STAMP)).ok(),
        }
    }

    fn families(&self) -> [Family; 2] {
        [
            gauges(&all::DISK_FREE, self.spaces.iter().map(|(of, space)| (*of, float(space.available)))),
            gauges(&all::DISK_SIZE, self.spaces.iter().map(|(of, space)| (*of, float(space.size)))),
        ]
    }
}

/// The memory of all containers together; `None` if there are some and none has a control group.
fn memory(containers: &[ContainerId]) -> Option<u64> {
    // A container that has ended has no control group any more.
    let found: Vec<u64> = containers.iter().filter_map(|id| product().container_memory(id)).collect();
    (containers.is_empty() || !found.is_empty()).then(|| found.iter().sum())
}
