//! The name, the meaning and the possible labels of everything that is measured.

/// Something that is counted.
#[derive(Debug)]
pub struct Counter {
    /// Ends in `_total`.
    pub name: &'static str,
    /// A sentence without its full stop.
    pub help: &'static str,
    /// The label's name; empty for none.
    pub label: &'static str,
    /// Every value that it can have; one empty one for none.
    pub values: &'static [&'static str],
}

/// Something that takes time.
#[derive(Debug)]
pub struct Timer {
    /// Ends in `_seconds`.
    pub name: &'static str,
    /// As a counter's.
    pub help: &'static str,
    /// As a counter's.
    pub label: &'static str,
    /// As a counter's.
    pub values: &'static [&'static str],
    /// Of the histogram, in seconds.
    pub bounds: &'static [f64],
}

/// Something that is so at a moment.
#[derive(Debug)]
pub struct Gauge {
    /// With its unit.
    pub name: &'static str,
    /// As a counter's.
    pub help: &'static str,
    /// The label's name; empty for none.
    pub label: &'static str,
}

/// From what a login in a running container takes to what a pull may.
const LOGIN_BOUNDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];
/// From an answer from memory to the deadline of a change.
const ENGINE_BOUNDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

macro_rules! counters {
    ($($(#[$about:meta])* $id:ident = $name:literal, $help:literal, $label:literal: [$($value:literal),* $(,)?];)*) => {
        $($(#[$about])* pub const $id: Counter = Counter { name: $name, help: $help, label: $label, values: &[$($value),*] };)*
        /// All of them.
        pub const COUNTERS: &[Counter] = &[$($id),*];
    };
}
macro_rules! timers {
    ($($(#[$about:meta])* $id:ident = $name:literal, $help:literal, $label:literal: [$($value:literal),* $(,)?], $bounds:ident;)*) => {
        $($(#[$about])* pub const $id: Timer = Timer { name: $name, help: $help, label: $label, values: &[$($value),*], bounds: $bounds };)*
        /// All of them.
        pub const TIMERS: &[Timer] = &[$($id),*];
    };
}
macro_rules! gauges {
    ($($(#[$about:meta])* $id:ident = $name:literal, $help:literal, $label:literal;)*) => {
        $($(#[$about])* pub const $id: Gauge = Gauge { name: $name, help: $help, label: $label };)*
        /// All of them.
        pub const GAUGES: &[Gauge] = &[$($id),*];
    };
}

counters! {
    /// One for each Attach.
    LOGINS = "podspawn_logins_total", "Logins, and commands and transfers likewise, by how they ended",
        "outcome": ["ok", "denied", "failed", "abandoned"];
    /// What policy decided against.
    DENIALS = "podspawn_denials_total", "Requests that were refused, by reason",
        "reason": ["unknown_project", "not_allowed", "too_many_sessions", "too_many_containers", "not_built",
            "invalid", "stranger"];
    /// What could not be done.
    FAILURES = "podspawn_login_failures_total", "Logins that failed, by what failed",
        "reason": ["image", "engine", "network", "accounts", "state", "files", "home", "guest",
            "audit"];
    /// Containers that were made.
    CREATED = "podspawn_session_creations_total", "Sessions whose creation ended, by result", "result": ["ok", "failed"];
    /// Sessions that ended.
    DESTROYED = "podspawn_session_destroys_total", "Sessions that ended, by reason",
        "reason": ["disconnect", "grace_period", "lifetime", "stopped", "out_of_memory", "container_ended"];
    /// Passes.
    CLEANUPS = "podspawn_cleanup_runs_total", "Cleanup passes, by result", "result": ["ok", "failed"];
    /// What they removed.
    SWEPT = "podspawn_cleanup_removed_total", "Objects that cleanup passes removed, by kind",
        "kind": ["session", "container", "network", "directory"];
    /// What the engine did not do.
    ENGINE_ERRORS = "podspawn_engine_errors_total", "Requests that the container engine did not carry out, by kind of error",
        "kind": ["unreachable", "garbled", "refused", "pull_failed", "disk_full", "other"];
}

timers! {
    /// From the call to the channel.
    LOGIN_TIME = "podspawn_login_duration_seconds",
        "Time that logins took in the broker: warm into a container that ran, cold with its creation",
        "start": ["warm", "cold"], LOGIN_BOUNDS;
    /// Of a cold start.
    CREATION_TIME = "podspawn_creation_phase_duration_seconds",
        "Time that the phases of creating a container took: prepare files and home, make network and container, start it, wait for its guest",
        "phase": ["prepare", "make", "start", "guest"], LOGIN_BOUNDS;
    /// Of the engine.
    ENGINE_TIME = "podspawn_engine_request_duration_seconds", "Time that requests to the container engine took, by operation",
        "operation": ["info", "create_network", "create_container", "start_container", "inspect_container",
            "remove_container", "remove_network", "prune_volumes", "pull", "has_image", "containers", "networks"], ENGINE_BOUNDS;
}

gauges! {
    /// The contract's, like the five that follow.
    SESSIONS = "podspawn_sessions_total", "Sessions in any state", "";
    /// See [`SESSIONS`].
    RUNNING = "podspawn_sessions_running", "Sessions with a connection", "";
    /// See [`SESSIONS`].
    GRACE = "podspawn_sessions_grace", "Sessions without a connection, in their grace period", "";
    /// See [`SESSIONS`].
    CONNECTIONS = "podspawn_connections_total", "Open connections", "";
    /// See [`SESSIONS`].
    CONTAINERS = "podspawn_containers_docker", "Containers of podspawn's that the engine has, running or not", "";
    /// See [`SESSIONS`].
    OLDEST = "podspawn_oldest_session_seconds", "Age of the oldest session", "";
    /// Added where the page is rendered.
    UP = "podspawn_up", "Whether the broker answers, or has exited idle and starts at the next login", "";
    /// Added where the page is rendered.
    BROKER_RUNNING = "podspawn_broker_running", "Whether the broker runs; an idle broker exits", "";
    /// Of the broker.
    BUILD = "podspawn_build_info", "1, with the version of the broker", "version";
    /// Of the broker.
    STARTED = "podspawn_broker_start_time_seconds", "When the broker was started, in seconds since the epoch", "";
    /// Of the broker.
    MEASURED = "podspawn_measured_time_seconds", "When this was measured, in seconds since the epoch; in the past while the broker is not running", "";
    /// Of the broker.
    BROKER_MEMORY = "podspawn_broker_resident_memory_bytes", "Resident memory of the broker", "";
    /// Of the broker.
    BROKER_CONNECTIONS = "podspawn_broker_connections", "Connections to the broker's socket", "";
    /// Of the engine.
    ENGINE_UP = "podspawn_engine_up", "Whether the container engine answered when it was last asked", "";
    /// Of the control groups.
    CONTAINER_MEMORY = "podspawn_containers_memory_bytes", "Memory of all containers together, with their share of the page cache", "";
    /// By configuration.
    SESSIONS_LIMIT = "podspawn_sessions_limit", "Most sessions at once: resources.max_containers", "";
    /// Of the pool.
    SUBNETS_USED = "podspawn_subnets_used", "Subnets of network.pool that sessions have", "";
    /// Of the pool.
    SUBNETS = "podspawn_subnets_capacity", "Subnets in network.pool", "";
    /// Of a file system.
    DISK_FREE = "podspawn_disk_available_bytes", "Free space for accounts other than root, where state and the engine's data are", "of";
    /// Of a file system.
    DISK_SIZE = "podspawn_disk_size_bytes", "Size of the file systems where state and the engine's data are", "of";
    /// Of the settings.
    CONFIG_OK = "podspawn_config_valid", "Whether the configuration files are valid; otherwise the last good ones are in force", "";
    /// Unix seconds.
    LAST_CLEANUP = "podspawn_cleanup_last_success_time_seconds", "When a cleanup pass was last completed, in seconds since the epoch", "";
    /// Unix seconds.
    LAST_BACKUP = "podspawn_backup_last_success_time_seconds", "When a backup was last completed, in seconds since the epoch", "";
    /// Where it is asked for.
    USER_SESSIONS = "podspawn_user_sessions", "Sessions by user, where metrics.per_user is set", "user";
    /// Where it is asked for.
    USER_CONNECTIONS = "podspawn_user_connections", "Open connections by user, where metrics.per_user is set", "user";
}

/// Every name that there can be, as it is asked for.
pub fn names() -> impl Iterator<Item = String> {
    let plain = COUNTERS.iter().map(|one| one.name).chain(GAUGES.iter().map(|one| one.name)).map(str::to_owned);
    let timed = |timer: &Timer| ["_bucket", "_sum", "_count"].map(|end| format!("{}{end}", timer.name));
    plain.chain(TIMERS.iter().flat_map(timed))
}
