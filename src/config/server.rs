//! `config.yaml`: the server's configuration.

use super::{
    error::ConfigError,
    fields::{Fields, Mistakes},
    keys::{FIRST_VERSION, Key, Values, section},
    readers::{CPUS, ENGINE, FLAG, IMAGE, MEMORY, MODE, OPTIONAL_PATH, PATH, SHELL, SPAN, SUBNET, TTL, number},
    security::Security,
    value::{AbsolutePath, EngineHost, LoginShell},
    yaml,
};
use crate::domain::{Cpus, ImageRef, Mode, Pool, Size, Span, Subnet};

/// More containers than a host carries; a number above it is a slip.
const MAX_CONTAINERS: u32 = 100_000;
/// Backups of ten years, one a day.
const MAX_BACKUPS: u32 = 3_660;

/// All settings of `config.yaml`. [`Default`] is that of an absent file.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `auth`: how users are recognised.
    pub auth: Auth,
    /// `defaults`: image, shell and limits of containers.
    pub defaults: Defaults,
    /// `session`: how long sessions live.
    pub session: SessionTimes,
    /// `state`: where durable state is.
    pub state: StatePaths,
    /// `log`: where logs go beside the journal.
    pub log: Log,
    /// `resources`: how many containers there may be.
    pub resources: Resources,
    /// `network.pool` cut into subnets of `network.prefix` bits.
    pub network: Pool,
    /// `security`: the privileges of containers.
    pub security: Security,
    /// `engine.host`: the engine's socket.
    pub engine: EngineHost,
    /// `projects_file`; `None` is `projects.yaml` beside `config.yaml`.
    pub projects_file: Option<AbsolutePath>,
    /// `backup`: where backups go.
    pub backup: Backups,
    /// `metrics`: the detail of the metrics.
    pub metrics: Metrics,
}

section! {
    /// `auth`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Auth in "auth" {
        /// The directory with one file of public keys per user. The files belong to root.
        key_dir: AbsolutePath = PATH, "/etc/podspawn/keys";
    }
}

section! {
    /// `defaults`.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Defaults in "defaults" {
        /// The image of containers. The engine pulls it at the first login.
        image: ImageRef = IMAGE, "ubuntu:24.04";
        /// The login shell. Where the image does not have it, another shell runs and the terminal says so. A shell that
        /// ends every login, such as `/bin/false`, is refused.
        shell: LoginShell = SHELL, "/bin/bash";
        /// Processors of each container.
        cpus: Cpus = CPUS, "2.0";
        /// Memory of each container.
        memory: Size = MEMORY, "2g";
    }
}

section! {
    /// `session`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SessionTimes in "session" {
        /// What happens to a container after the last disconnect. `grace-period` keeps it for `grace_period`; a
        /// reconnect cancels. `destroy-on-disconnect` removes it at once. `ttl` keeps it until it is `ttl` old. `named`
        /// and `persistent` are the same: they keep it until it is stopped, and the home directory beyond that.
        mode: Mode = MODE, "grace-period";
        /// How long a container waits for a reconnect in mode `grace-period`.
        grace_period: Span = SPAN, "60s";
        /// The longest life of a container in the modes `grace-period` and `destroy-on-disconnect`; `0s` is no limit.
        /// Connected users see a notice 10, 5 and 1 minutes before the end.
        max_lifetime: Span = SPAN, "8h";
        /// The whole life of a container in mode `ttl`.
        ttl: Span = TTL, "8h";
        /// Closes every connection of a session through which no bytes were sent or received for this long; `0s` is no
        /// limit. Users see a message first; then `mode` applies as after any disconnect. It takes up to a quarter of
        /// the value longer, at most 30 s, and 8 s more if a terminal is open. Bytes count that a program reads or
        /// writes; unread input, background processes and the SSH agent do not count.
        idle_timeout: Span = SPAN, "0s";
    }
}

section! {
    /// `state`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct StatePaths in "state" {
        /// The database of the broker. Outside of `/var/lib/podspawn` the broker's unit needs `ReadWritePaths=`.
        db_path: AbsolutePath = PATH, "/var/lib/podspawn/state.db";
        /// Homes of mode `named`, one directory per user. The directory belongs to `podspawn` with mode 0700 and does
        /// not contain the database. Outside of `/var/lib/podspawn` the broker's unit needs `ReadWritePaths=`.
        homes_dir: AbsolutePath = PATH, "/var/lib/podspawn/homes";
    }
}

section! {
    /// `log`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Log in "log" {
        /// A log file beside the journal. `/etc/logrotate.d/podspawn` rotates `/var/log/podspawn/podspawn.log`.
        file: Option<AbsolutePath> = OPTIONAL_PATH, "\"\"";
        /// The audit log, one JSON object per line. `/etc/logrotate.d/podspawn` rotates
        /// `/var/log/podspawn/audit.jsonl`.
        audit_log: Option<AbsolutePath> = OPTIONAL_PATH, "\"\"";
        /// Whether logins are refused while the audit log cannot be written.
        audit_required: bool = FLAG, "true";
    }
}

section! {
    /// `resources`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Resources in "resources" {
        /// Most containers on this host.
        max_containers: u32 = number::<1, MAX_CONTAINERS>(), "50";
        /// Most sessions of one user.
        max_per_user: u32 = number::<1, MAX_CONTAINERS>(), "3";
    }
}

section! {
    /// `network`, before it is known to be a pool.
    #[derive(Debug)]
    struct Network in "network" {
        /// The addresses of containers. No other network of the host may use them.
        pool: Subnet = SUBNET, "10.209.0.0/16";
        /// Bits of the network that each session gets from the pool.
        prefix: u32 = number::<0, 32>(), "28";
    }
}

section! {
    /// `engine`.
    #[derive(Debug)]
    struct Engine in "engine" {
        /// The socket of the container engine on this host.
        host: EngineHost = ENGINE, "unix:///var/run/docker.sock";
    }
}

section! {
    /// `backup`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Backups in "backup" {
        /// The directory with one directory per backup.
        dir: AbsolutePath = PATH, "/var/backups/podspawn";
        /// How many backups are kept. The oldest ones are removed.
        keep: u32 = number::<1, MAX_BACKUPS>(), "14";
    }
}

section! {
    /// `metrics`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Metrics in "metrics" {
        /// Names users in the metrics. All accounts that may read the metrics then see who is connected.
        per_user: bool = FLAG, "false";
    }
}

/// It has no section, and its default depends on where `config.yaml` is.
const PROJECTS_FILE: Key = Key {
    section: "",
    name: "projects_file",
    values: Values::Words("an absolute path"),
    default: Some("/etc/podspawn/projects.yaml"),
    since: FIRST_VERSION,
    meaning: "The file of projects. Without the key it is `projects.yaml` beside `config.yaml`.",
};

/// Every key of `config.yaml`, by section.
pub(super) const KEYS: [&[Key]; 12] = [
    Auth::KEYS,
    Defaults::KEYS,
    SessionTimes::KEYS,
    StatePaths::KEYS,
    Log::KEYS,
    Resources::KEYS,
    Network::KEYS,
    Security::KEYS,
    Engine::KEYS,
    &[PROJECTS_FILE],
    Backups::KEYS,
    Metrics::KEYS,
];

impl Default for Config {
    fn default() -> Self {
        Self {
            auth: Auth::default(),
            defaults: Defaults::default(),
            session: SessionTimes::default(),
            state: StatePaths::default(),
            log: Log::default(),
            resources: Resources::default(),
            network: built_in_pool(),
            security: Security::default(),
            engine: Engine::default().host,
            projects_file: None,
            backup: Backups::default(),
            metrics: Metrics::default(),
        }
    }
}

#[allow(clippy::expect_used)] // constants of this file, read by `every_default_is_valid`
fn built_in_pool() -> Pool {
    Network::default().pool().expect("a valid pool")
}

impl Config {
    /// The configuration in `text`, or every mistake in it. An empty text is the default.
    pub fn parse(text: &str) -> Result<Self, Vec<ConfigError>> {
        let root = yaml::parse(text).map_err(|error| vec![error])?;
        let mistakes = Mistakes::default();
        let mut config = Self::default();
        Fields::of(&root, &root, "", &mistakes).all(|top| config.read(top));
        mistakes.or(config)
    }

    /// `auth.key_dir` of a file whose other keys may be wrong. The answer to sshd uses no last good configuration, and a
    /// slip elsewhere in the file must not refuse every login. sshd asks twice a login, so nothing else is read.
    #[must_use]
    pub fn key_dir(text: &str) -> AbsolutePath {
        let mut auth = Auth::default();
        if let Ok(root) = yaml::parse(text) {
            let ignored = Mistakes::default();
            Fields::of(&root, &root, "", &ignored).section("auth", |fields| auth.read(fields));
        }
        auth.key_dir
    }

    fn read(&mut self, top: &mut Fields<'_>) {
        top.section("auth", |auth| self.auth.read(auth));
        top.section("defaults", |defaults| self.defaults.read(defaults));
        top.section("session", |session| self.session.read(session));
        top.section("state", |state| self.state.read_checked(state));
        top.section("log", |log| self.log.read_checked(log));
        top.section("resources", |resources| self.resources.read(resources));
        top.section("network", |network| self.network = pool(network).unwrap_or(self.network));
        top.section("security", |security| self.security.read(security));
        top.section("engine", |fields| {
            let mut engine = Engine { host: self.engine.clone() };
            engine.read(fields);
            self.engine = engine.host;
        });
        self.projects_file = top.optional(PROJECTS_FILE.name);
        top.section("backup", |backup| self.backup.read(backup));
        top.section("metrics", |metrics| self.metrics.read(metrics));
    }
}

impl StatePaths {
    fn read_checked(&mut self, fields: &mut Fields<'_>) {
        self.read(fields);
        // A user called like a file of the broker's would have that for a home.
        if self.db_path.as_path().starts_with(self.homes_dir.as_path())
            && let Some(place) = fields.node("homes_dir").or_else(|| fields.node("db_path"))
        {
            let message = "state.homes_dir: homes need a directory to themselves, without state.db in it";
            fields.mistakes().at(place, message);
        }
    }
}

impl Log {
    fn read_checked(&mut self, fields: &mut Fields<'_>) {
        self.read(fields);
        if let (Some(file), Some(node)) = (&self.file, fields.node("audit_log"))
            && self.audit_log.as_ref() == Some(file)
        {
            fields.mistakes().at(node, "log.audit_log is the same file as log.file; each needs its own");
        }
    }
}

impl Network {
    /// The pool, or why the network cannot be cut into such subnets.
    fn pool(&self) -> Result<Pool, String> {
        let prefix = u8::try_from(self.prefix).map_err(|error| error.to_string())?;
        Pool::new(self.pool, prefix).map_err(|invalid| invalid.to_string())
    }
}

/// Network and prefix are valid or wrong together.
fn pool(fields: &mut Fields<'_>) -> Option<Pool> {
    let mut network = Network::default();
    network.read(fields);
    let place = fields.node("prefix").or_else(|| fields.node("pool"))?;
    let checked = network.pool().map_err(|why| fields.mistakes().at(place, &format!("network.prefix: {why}")));
    checked.ok()
}

#[cfg(test)]
mod tests;
